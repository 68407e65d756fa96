/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Streams: what the dashboard and `pintlectl tail` watch live, as server-sent events (HTML
 * standard, section 9.2), without HTTP.
 *
 *     clusters   /api/v1/status, at once when it moves and every 5 s; its id goes on after a break
 *     traffic    counters, and how long sampled answers took, every second
 *     records    /api/v1/records, every 5 s
 *     queries    questions as they are answered, twice a second; a sample when there are many
 *
 * While nobody watches nothing is collected and no timer runs. All calls on control's thread.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/text.h"

#include "resolver/admin_pages.h"

/** Streams that may be open at once. */
#define PIN_STREAM_MAX 16u
/** Bytes that a reader may leave unread before its stream is ended. */
#define PIN_STREAM_UNREAD_MAX ((size_t)512 << 10)
/** Gives bytes to whoever holds the other end. False: the reader is too slow, and is being cut off;
 * the stream ends. */
typedef bool pin_stream_send(void *peer, const char *data, size_t bytes);

struct pin_streams;
struct pin_stream;

/** Reads "clusters,queries". False: a word is none, or there is none. */
bool pin_stream_topics(const char *text, unsigned *ret_topics);

/** None is open. NULL when memory is out. `state` outlives them. */
struct pin_streams *pin_streams_new(const struct pin_admin_state *state, pin_stream_send *send);

/** Forgets all of them; their peers are told nothing. The builder calls nobody back any more, and
 * the tapper may be gone. NULL is fine. */
void pin_streams_free(struct pin_streams *streams);

/**
 * Opens a stream, and soon sends how things stand. `peer` is given to `send` until
 * pin_stream_close(). NULL: there are too many, or memory is out.
 */
struct pin_stream *pin_stream_open(
    struct pin_streams *streams, const struct pin_stream_want *want, void *peer);

/** Its peer is gone. */
void pin_stream_close(struct pin_stream *stream);

/** Streams that are open now. */
size_t pin_streams_n_open(const struct pin_streams *streams);
