/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * HTTP: DNS over HTTPS (RFC 8484) as a codec, without sockets, TLS or clocks.
 *
 *     bytes of the client -> feed -> HTTP/1.1 (http1.c) or HTTP/2 (doh.c) -> http_rules.c -> ask()
 *     bytes for the client <- take <- a response <- its result, or pin_http_answer() later
 *
 * One object per connection, driven by that connection's thread only. Whoever drives it sends what
 * take() gives before it reads and feeds more: so a client that does not read is not answered.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "late.h"
#include "response.h"

/** Where requests go when nothing else is configured. */
#define PIN_HTTP_PATH "/dns-query"

/** What the HTTP connections of one thread share: buffers, and what HTTP/2 is set up with. */
struct pin_http_shared;

/** One HTTP connection. */
struct pin_http;

/** What a connection speaks: by ALPN "http/1.1" or "h2". */
enum pin_http_version {
    PIN_HTTP_1,
    PIN_HTTP_2,
};

/**
 * Answers one question in place, as pin_answer() does and with its results: length of the answer, 0
 * for none (the client gets a 400), PIN_ANSWER_LATER when pin_http_answer() will be called.
 *
 * @param request_id  For pin_return: never used again by this connection.
 * @param packet      The question, with room for PIN_STREAM_MAX_BYTES; borrowed until it returns.
 */
typedef size_t (*pin_http_ask)(void *arg, uint32_t request_id, const struct pin_packet *packet);

/** Makes what connections share. PIN_ENOMEM. */
enum pin_err pin_http_shared_new(struct pin_http_shared **ret_shared, struct pin_why *why);

/** Frees it; all its connections are gone. NULL is fine. */
void pin_http_shared_free(struct pin_http_shared *shared);

/**
 * Starts a connection.
 *
 * @param path  The one that is served, without a query; borrowed until free.
 * @param ask   Called inside of feed only.
 * @return NULL when memory is out.
 */
struct pin_http *pin_http_new(struct pin_http_shared *shared, enum pin_http_version version,
    const char *path, pin_http_ask ask, void *ask_arg);

/** Frees a connection. Answers that are still to come must not be given any more. NULL is fine. */
void pin_http_free(struct pin_http *http);

/**
 * Takes bytes of the client and asks the questions in them.
 *
 * @return Bytes done with. Fewer than `bytes` when too many answers wait to be taken or to come:
 *         the rest is to be fed again after the next take or answer. Once pin_http_is_over(), all
 *         bytes are done with, unread.
 */
size_t pin_http_feed(struct pin_http *http, const uint8_t *from, size_t bytes);

/** Takes up to `cap_bytes` bytes for the client. @return how many; 0: there are none now. */
size_t pin_http_take(struct pin_http *http, uint8_t *out, size_t cap_bytes);

/**
 * Answers a question that was PIN_ANSWER_LATER; unknown ids (the client has cancelled) are fine.
 *
 * @param wire   Copied.
 * @param bytes  0: no answer can be given, the client gets a 500.
 */
void pin_http_answer(struct pin_http *http, uint32_t request_id, const uint8_t *wire, size_t bytes);

/** Questions whose answers are to come. */
uint32_t pin_http_n_pending(const struct pin_http *http);

/** True in the middle of a request. Half a frame of HTTP/2 alone does not count. */
bool pin_http_is_reading(const struct pin_http *http);

/** True when nothing more will be read: to be closed as soon as nothing is pending and take() gives
 * no more. */
bool pin_http_is_over(const struct pin_http *http);

/** Takes leave: no further request is served, what is asked is still answered. */
void pin_http_end(struct pin_http *http);
