/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Connection: the bytes of one stream - framing, answers, what is cut in the middle, what is still
 * to come.
 *
 *     socket -> in -> queries -> pin_answer() -> out -> socket
 *                                     \-- later --> pending ... mail -> out -> socket
 *
 * Over TLS, a session stands between socket and `in`, and between `out` and socket (tls.h). With
 * HTTP, a codec stands between `in` and queries, and between answers and `out` (https.h).
 *
 * What is ready goes out at once, whatever is pending; late answers follow in the order they come
 * (RFC 7766, section 6.2.1.1). Knows nothing of epoll, deadlines and limits in number: tcp.c drives
 * it. All calls from its TCP thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "https.h"
#include "proxy.h"
#include "tls.h"
#include "worker.h"

/** Bytes read at once; what a client pipelines beyond waits in the kernel. */
#define PIN_CONN_READ_BYTES ((size_t)64 << 10)
/** Answers are sent when this much has come together, and no more is read while it is unsent. */
#define PIN_CONN_UNSENT_BYTES ((size_t)64 << 10)
/** Read and dropped of a client that goes on sending when we have ended; then it is reset. */
#define PIN_CONN_LINGER_BYTES ((size_t)1 << 20)
/** Late answers may pile up to this for a client that does not read; then it is closed. */
#define PIN_CONN_UNSENT_MAX_BYTES ((size_t)1 << 20)

/** Room for answers: one more is begun while fewer bytes than the first part have come together. */
#define PIN_CONN_OUT_BYTES (PIN_CONN_UNSENT_BYTES + 2 + PIN_STREAM_MAX_BYTES)
/** The same, sealed, behind what the session itself has to say. */
#define PIN_CONN_SEALED_BYTES                                                                      \
    (PIN_CONN_OUT_BYTES + PIN_TLS_HANDSHAKE_BYTES                                                  \
        + (PIN_CONN_OUT_BYTES / PIN_TLS_RECORD_BYTES + 1) * PIN_TLS_OVERHEAD_BYTES)

/** Buffers that the connections of one thread share: they hold nothing between two events. */
struct pin_conn_buffers {
    uint8_t in[PIN_CONN_READ_BYTES + PIN_TLS_RECORD_BYTES];
    size_t out_bytes;
    uint8_t out[PIN_CONN_OUT_BYTES];
    uint8_t sealed_in[PIN_CONN_READ_BYTES];
    uint8_t sealed_out[PIN_CONN_SEALED_BYTES];
};

/** Bytes kept with a connection. Zeroed is empty. */
struct pin_conn_rest {
    uint8_t *ptr;
    uint32_t bytes;
    uint32_t cap_bytes;
};

/** What a connection waits for. */
enum pin_conn_state {
    PIN_CONN_IDLE,      /**< For the first byte of a query. */
    PIN_CONN_READING,   /**< For the rest of a query. */
    PIN_CONN_WRITING,   /**< For the client to take an answer. */
    PIN_CONN_PENDING,   /**< For late answers, and perhaps the next query. */
    PIN_CONN_SHAKING,   /**< For a PROXY header, or for the end of the TLS handshake. */
    PIN_CONN_LINGERING, /**< For the client to notice that we have ended. */
    PIN_CONN_CLOSED,    /**< For nothing: to be taken down. */
};

/** One stream. */
struct pin_conn {
    int fd;
    enum pin_conn_state state;
    bool is_greeting;       /**< A PROXY header comes before all else. */
    bool is_shaking;        /**< The TLS handshake is not over. */
    bool is_ended;          /**< The client sends nothing more. */
    bool is_ending;         /**< Nothing more is answered; to be closed when all is sent. */
    bool has_said;          /**< Bytes went to the client. */
    bool is_lingering;      /**< All is said, and the client was told so. */
    uint32_t n_pending;     /**< Queries whose answer comes later. */
    uint32_t n_queries;     /**< Queries so far. */
    uint32_t dropped_bytes; /**< is_lingering: read since. */
    const struct pin_stream_limits *limits;
    struct pin_source *source;   /**< An answer under way, until its end; NULL: none. */
    struct pin_conn_rest unread; /**< Part of a query, or queries that may not be answered yet. */
    struct pin_conn_rest unsent; /**< Answers from unsent_at on. */
    uint32_t unsent_at;
    struct pin_tls_session *tls; /**< Owned; NULL: plain. */
    struct pin_https *http; /**< Owned; NULL: DNS behind its length, or the handshake goes on. */
    struct pin_https_shared *https_shared; /**< Its thread's. */
    const char *https_path;                /**< Borrowed; NULL: no HTTP is spoken here. */
    struct pin_worker *worker; /**< Of the event that goes on: for the codec's questions. */
    size_t n_asked;            /**< By the codec. */
    struct pin_client client;
};

/**
 * Something happened on a socket that is_greeting: reads its PROXY header. On INNER and OUTER it is
 * over, and pin_conn_begin() is to follow; BAD leaves it CLOSED.
 */
enum pin_proxy_verdict pin_conn_greet(
    struct pin_conn *conn, struct pin_conn_buffers *buffers, struct pin_proxy *ret_proxy);

/** Goes on with what came behind a PROXY header. @return as pin_conn_on_event(). */
size_t pin_conn_begin(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers);

/** Something happened on the socket. @return queries answered, 0 or more; the state says the rest.
 */
size_t pin_conn_on_event(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers);

/**
 * A late answer has come. It is sent with the ones that follow it, by pin_conn_settle().
 *
 * @param late  Borrowed.
 */
void pin_conn_on_late(
    struct pin_conn *conn, struct pin_conn_buffers *buffers, const struct pin_late *late);

/** Sends late answers, and goes on with queries that had to wait for them. @return as above. */
size_t pin_conn_settle(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers);

/**
 * Nothing more is to be read: what is asked is still answered.
 *
 * A connection that ends while its client may still send lingers: a socket that is closed with
 * bytes unread is reset, and the client may lose the answers that it has not read yet (RFC
 * 9112, 9.6).
 */
void pin_conn_end(struct pin_conn *conn, struct pin_conn_buffers *buffers);

/** Whether it has had all the queries that it may have. */
bool pin_conn_is_spent(const struct pin_conn *conn);

/** Whether there is anything to do when bytes come. */
bool pin_conn_is_reading(const struct pin_conn *conn);

/** Frees what the connection holds, closes its socket. */
void pin_conn_done(struct pin_conn *conn);
