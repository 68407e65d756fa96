/* SPDX-License-Identifier: Apache-2.0 */

/* Bytes of one DNS stream: messages behind a length of two bytes (RFC 1035, section 4.2.2). */

#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/macros.h"

#define LENGTH_BYTES 2u
/* First allocation for half a query; grown as bytes come, never because a length says so. */
#define REST_MIN_BYTES 512u

/* --- bytes kept with a connection --------------------------------------------------------- */

static void forget(struct pin_conn_rest *rest)
{
    free(rest->ptr);
    *rest = (struct pin_conn_rest){0};
}

/* Makes room for `cap_bytes` in all. */
static bool reserve(struct pin_conn_rest *rest, size_t cap_bytes)
{
    if (cap_bytes <= rest->cap_bytes) {
        return true;
    }
    uint8_t *grown = realloc(rest->ptr, cap_bytes);
    if (grown == NULL) {
        return false;
    }
    rest->ptr = grown;
    rest->cap_bytes = (uint32_t)cap_bytes;
    return true;
}

static bool keep(struct pin_conn_rest *rest, const uint8_t *from, size_t bytes)
{
    if (!reserve(rest, rest->bytes + bytes)) {
        return false;
    }
    memcpy(rest->ptr + rest->bytes, from, bytes);
    rest->bytes += (uint32_t)bytes;
    return true;
}

/* --- sending ------------------------------------------------------------------------------ */

/* Sends what it can. Returns the bytes taken, or -1 when the connection is lost. */
static ssize_t send_some(int fd, const uint8_t *from, size_t bytes)
{
    size_t at = 0;
    while (at < bytes) {
        ssize_t n_sent = send(fd, from + at, bytes - at, MSG_NOSIGNAL);
        if (n_sent >= 0) {
            at += (size_t)n_sent;
        } else if (errno == EAGAIN) {
            break;
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return (ssize_t)at;
}

/* Sends the answers that have come together. What the client does not take is kept, and then the
 * connection is WRITING. */
static void flush(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    size_t bytes = buffers->out_bytes;
    buffers->out_bytes = 0;
    if (bytes == 0 || conn->state == PIN_CONN_CLOSED) {
        return;
    }
    ssize_t n_sent = send_some(conn->fd, buffers->out, bytes);
    if (n_sent < 0
        || ((size_t)n_sent < bytes
            && !keep(&conn->unsent, buffers->out + n_sent, bytes - (size_t)n_sent))) {
        conn->state = PIN_CONN_CLOSED;
    } else if ((size_t)n_sent < bytes) {
        conn->state = PIN_CONN_WRITING;
    }
}

/* Sends kept answers. True when none is left. */
static bool flush_unsent(struct pin_conn *conn)
{
    size_t bytes = conn->unsent.bytes - conn->unsent_at;
    ssize_t n_sent = send_some(conn->fd, conn->unsent.ptr + conn->unsent_at, bytes);
    if (n_sent < 0) {
        conn->state = PIN_CONN_CLOSED;
        return false;
    }
    conn->unsent_at += (uint32_t)n_sent;
    if ((size_t)n_sent < bytes) {
        return false;
    }
    forget(&conn->unsent);
    conn->unsent_at = 0;
    return true;
}

/* --- answering ---------------------------------------------------------------------------- */

static size_t message_bytes(const uint8_t *length)
{
    return (size_t)length[0] << 8 | length[1];
}

/* Answers one query into the shared buffer. Silence, too, is an answer. */
static void answer_one(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, const uint8_t *query, size_t bytes)
{
    uint8_t *length = buffers->out + buffers->out_bytes;
    struct pin_packet packet = {
        .wire = length + LENGTH_BYTES, .bytes = bytes, .cap_bytes = PIN_STREAM_MAX_BYTES};
    memcpy(packet.wire, query, bytes);
    size_t answer_bytes = pin_answer(worker, &conn->client, &packet);
    if (answer_bytes > 0) {
        length[0] = (uint8_t)(answer_bytes >> 8);
        length[1] = (uint8_t)answer_bytes;
        buffers->out_bytes += LENGTH_BYTES + answer_bytes;
    }
}

/* Answers the whole queries in `from`, as long as the client takes the answers. Returns the bytes
 * done with, and adds to *n_answered. */
static size_t answer_all(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, const uint8_t *from, size_t bytes, size_t *n_answered)
{
    size_t at = 0;
    while (bytes - at >= LENGTH_BYTES && conn->state != PIN_CONN_WRITING
           && conn->state != PIN_CONN_CLOSED) {
        size_t query_bytes = message_bytes(from + at);
        if (query_bytes < PIN_HEADER_BYTES) {
            conn->is_ending = true; /* whoever frames like this does not speak DNS */
            break;
        }
        if (bytes - at - LENGTH_BYTES < query_bytes) {
            break;
        }
        answer_one(conn, worker, buffers, from + at + LENGTH_BYTES, query_bytes);
        at += LENGTH_BYTES + query_bytes;
        (*n_answered)++;
        if (buffers->out_bytes >= PIN_CONN_UNSENT_BYTES) {
            flush(conn, buffers);
        }
    }
    flush(conn, buffers);
    return at;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Receives into `to`. Returns 0 when there is nothing now, or no more at all: then it is CLOSED. */
static size_t receive(struct pin_conn *conn, uint8_t *to, size_t bytes)
{
    ssize_t n_received = recv(conn->fd, to, bytes, 0);
    if (n_received > 0) {
        return (size_t)n_received;
    }
    if (n_received == 0 || (errno != EAGAIN && errno != EINTR)) {
        conn->state = PIN_CONN_CLOSED; /* all answers are sent: nothing is read before they are */
    }
    return 0;
}

/* Reads whatever is there; half a query at the end is kept. */
static void read_fresh(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, size_t *n_answered)
{
    size_t bytes = receive(conn, buffers->in, sizeof(buffers->in));
    size_t done = answer_all(conn, worker, buffers, buffers->in, bytes, n_answered);
    if (done < bytes && !conn->is_ending
        && !keep(&conn->unread, buffers->in + done, bytes - done)) {
        conn->state = PIN_CONN_CLOSED;
    }
}

/* How many bytes a kept half query lacks; its length first, if that is cut too. */
static size_t lacking(const struct pin_conn_rest *unread)
{
    size_t want =
        unread->bytes < LENGTH_BYTES ? LENGTH_BYTES : LENGTH_BYTES + message_bytes(unread->ptr);
    return want - unread->bytes;
}

/* Reads the rest of a half query, and nothing behind it. */
static void read_rest(struct pin_conn *conn)
{
    struct pin_conn_rest *unread = &conn->unread;
    size_t want = lacking(unread);
    size_t grown = PIN_MAX((size_t)REST_MIN_BYTES, 2 * (size_t)unread->bytes);
    size_t cap = PIN_MIN(unread->bytes + want, grown);
    if (!reserve(unread, cap)) {
        conn->state = PIN_CONN_CLOSED;
        return;
    }
    want = PIN_MIN(want, (size_t)unread->cap_bytes - unread->bytes);
    unread->bytes += (uint32_t)receive(conn, unread->ptr + unread->bytes, want);
}

/* Answers the queries that are kept; what is done with leaves. */
static void answer_kept(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, size_t *n_answered)
{
    struct pin_conn_rest *unread = &conn->unread;
    size_t done = answer_all(conn, worker, buffers, unread->ptr, unread->bytes, n_answered);
    if (done == unread->bytes || conn->is_ending) {
        forget(unread);
        return;
    }
    memmove(unread->ptr, unread->ptr + done, unread->bytes - done);
    unread->bytes -= (uint32_t)done;
}

/* What the connection waits for, now that all that could be done is done. */
static void settle(struct pin_conn *conn)
{
    if (conn->state == PIN_CONN_CLOSED || conn->state == PIN_CONN_WRITING) {
        return;
    }
    if (conn->is_ending) {
        conn->state = PIN_CONN_CLOSED;
        return;
    }
    conn->state = conn->unread.bytes > 0 ? PIN_CONN_READING : PIN_CONN_IDLE;
}

size_t pin_conn_on_event(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers)
{
    size_t n_answered = 0;
    if (conn->state == PIN_CONN_WRITING) {
        if (!flush_unsent(conn)) {
            return 0;
        }
        conn->state = PIN_CONN_IDLE;
        if (conn->unread.bytes > 0) {
            answer_kept(conn, worker, buffers, &n_answered);
        }
    } else if (conn->unread.bytes > 0) {
        read_rest(conn);
        answer_kept(conn, worker, buffers, &n_answered);
    } else {
        read_fresh(conn, worker, buffers, &n_answered);
    }
    settle(conn);
    return n_answered;
}

void pin_conn_done(struct pin_conn *conn)
{
    forget(&conn->unread);
    forget(&conn->unsent);
    if (conn->fd >= 0) {
        (void)close(conn->fd); /* what it still holds the kernel delivers, or not */
    }
    conn->fd = -1;
}
