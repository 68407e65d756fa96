/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Stream: one connection of the stream load generator, and what is asked on it.
 *
 * A connection has slots; each holds one query in flight and is filled again as soon as its answer
 * has come. Bytes go through TCP or TLS; queries through DNS framing (RFC 1035, section 4.2.2) or
 * HTTP/2 (RFC 8484). One thread, IPv4.
 */

#include <netinet/in.h>
#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "queries.h"

#define STREAM_N_SLOT    64U
#define STREAM_IN_BYTES  ((size_t)64 << 10)
#define STREAM_OUT_BYTES ((size_t)64 << 10)
#define STREAM_BODY_MAX  2048U
#define STREAM_IDLE      UINT32_MAX

/** How queries travel. */
enum pin_stream_kind {
    PIN_STREAM_TCP,
    PIN_STREAM_DOT,
    PIN_STREAM_DOH,
};

/** What the connections share. */
struct pin_stream_load {
    enum pin_stream_kind kind;
    const struct pin_queries *queries;
    uint32_t next_order;
    bool is_ending; /**< Nothing new is asked. */
    uint64_t n_in_flight;
    uint64_t n_reconnects;
    struct pin_tally tally;
    SSL_CTX *tls;
    struct sockaddr_in peer;
    uint8_t in[STREAM_IN_BYTES]; /**< What is read at once. */
};

/** One query in flight. */
struct pin_stream_slot {
    uint32_t query_i; /**< STREAM_IDLE: none. */
    uint16_t id;
    uint16_t body_bytes; /**< DoH: of the answer so far. */
    bool is_refused;     /**< DoH: another status than 200. */
    size_t sent_bytes;   /**< DoH: of the query's body. */
    uint8_t *body;       /**< DoH: STREAM_BODY_MAX bytes. */
};

/** One connection. */
struct pin_stream {
    struct pin_stream_load *load;
    int fd;
    SSL *tls;
    nghttp2_session *h2;
    uint16_t next_turn; /**< Upper bits of ids: no id comes twice in a row. */
    unsigned n_slots;
    struct pin_stream_slot slots[STREAM_N_SLOT];
    size_t kept_bytes; /**< Start of an answer whose end has not come. */
    uint8_t kept[STREAM_IN_BYTES + 2];
    size_t out_bytes;
    uint8_t out[STREAM_OUT_BYTES];
};

/** Connects, shakes hands and fills the slots. False, after saying why on stderr. */
bool pin_stream_open(struct pin_stream *stream, struct pin_stream_load *load, unsigned n_slots);

/** Takes what has arrived, asks again in each slot that is free then. False: the peer has closed.
 */
bool pin_stream_on_readable(struct pin_stream *stream);

/** Sends what is to be sent, as far as it goes. False: the connection is lost. */
bool pin_stream_flush(struct pin_stream *stream);

/** Closes; what was in flight counts as lost. */
void pin_stream_close(struct pin_stream *stream);

/* --- shared by the two framings ----------------------------------------------------------- */

/** Puts the next query of all into a slot; NULL when nothing more is to be asked. */
const struct pin_asked *pin_stream_next(struct pin_stream *stream, struct pin_stream_slot *slot);

/** Counts an answer and frees its slot. */
void pin_stream_hear(
    struct pin_stream *stream, struct pin_stream_slot *slot, const uint8_t *wire, size_t bytes);

/** Starts HTTP/2 on a connected stream. */
bool pin_stream_h2_open(struct pin_stream *stream);

/** Asks in a slot. */
bool pin_stream_h2_ask(struct pin_stream *stream, struct pin_stream_slot *slot);

/** Takes bytes. */
bool pin_stream_h2_take(struct pin_stream *stream, const uint8_t *wire, size_t bytes);

/** Moves what the session wants to send into the output buffer, while it has room. */
bool pin_stream_h2_fill(struct pin_stream *stream);

/** Ends the session. */
void pin_stream_h2_close(struct pin_stream *stream);
