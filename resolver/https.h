/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * HTTP: DNS over HTTPS (RFC 8484) as a codec, without sockets, TLS or clocks.
 *
 *     bytes of the client -> feed -> HTTP/1.1 (http1.c) or HTTP/2 (doh.c) -> https_rules.c -> ask()
 *     bytes for the client <- take <- a response <- its result, or pin_https_answer() later
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
#include "stats.h"

/** Where requests go when nothing else is configured. */
#define PIN_HTTPS_PATH "/dns-query"

/** Room for what a connection without anything else to say says after pin_https_end(). */
#define PIN_HTTPS_FAREWELL_BYTES 64u

/** What the HTTP connections of one thread share: buffers, and what HTTP/2 is set up with. */
struct pin_https_shared;

/** One HTTP connection. */
struct pin_https;

/** What a connection speaks: by ALPN "http/1.1" or "h2". */
enum pin_https_version {
    PIN_HTTPS_HTTP1,
    PIN_HTTPS_HTTP2,
};

/**
 * Answers one question in place, as pin_answer() does and with its results: length of the answer, 0
 * for none (the client gets a 400), PIN_ANSWER_LATER when pin_https_answer() will be called.
 *
 * @param request_id  For pin_return: never used again by this connection.
 * @param packet      The question, with room for PIN_STREAM_MAX_BYTES; borrowed until it returns.
 */
typedef size_t (*pin_https_ask)(void *arg, uint32_t request_id, const struct pin_packet *packet);

/**
 * Makes what connections share. PIN_ENOMEM.
 *
 * @param stats  The thread's: refused requests and floods are counted there. NULL: nowhere.
 */
enum pin_err pin_https_shared_new(
    struct pin_stats *stats, struct pin_https_shared **ret_shared, struct pin_why *why);

/** Frees it; all its connections are gone. NULL is fine. */
void pin_https_shared_free(struct pin_https_shared *shared);

/**
 * Starts a connection.
 *
 * @param path  The one that is served, without a query; borrowed until free.
 * @param ask   Called inside of feed only.
 * @return NULL when memory is out.
 */
struct pin_https *pin_https_new(struct pin_https_shared *shared, enum pin_https_version version,
    const char *path, pin_https_ask ask, void *ask_arg);

/** Frees a connection. Answers that are still to come must not be given any more. NULL is fine. */
void pin_https_free(struct pin_https *http);

/**
 * Takes bytes of the client and asks the questions in them.
 *
 * @return Bytes done with. Fewer than `bytes` when too many answers wait to be taken or to come:
 *         the rest is to be fed again after the next take or answer. Once pin_https_is_over(), all
 *         bytes are done with, unread.
 */
size_t pin_https_feed(struct pin_https *http, const uint8_t *from, size_t bytes);

/** Takes up to `cap_bytes` bytes for the client. @return how many; 0: there are none now. */
size_t pin_https_take(struct pin_https *http, uint8_t *out, size_t cap_bytes);

/**
 * Answers a question that was PIN_ANSWER_LATER; unknown ids (the client has cancelled) are fine.
 *
 * @param wire   Copied.
 * @param bytes  0: no answer can be given, the client gets a 500.
 */
void pin_https_answer(
    struct pin_https *http, uint32_t request_id, const uint8_t *wire, size_t bytes);

/** Questions whose answers are to come. */
uint32_t pin_https_n_pending(const struct pin_https *http);

/** True in the middle of a request. Half a frame of HTTP/2 alone does not count. */
bool pin_https_is_reading(const struct pin_https *http);

/** True when nothing more will be read: to be closed as soon as nothing is pending and take() gives
 * no more. */
bool pin_https_is_over(const struct pin_https *http);

/** Takes leave: no further request is served, what is asked is still answered. */
void pin_https_end(struct pin_https *http);
