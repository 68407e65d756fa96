/* SPDX-License-Identifier: Apache-2.0 */

/* Bytes of one DNS stream: messages behind a length of two bytes (RFC 1035, section 4.2.2), or
 * inside of HTTP (RFC 8484). */

#include "conn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"

#define LENGTH_BYTES 2u
/* First allocation for bytes that are kept; grown as bytes come, never because a length says so. */
#define REST_MIN_BYTES 512u

/* --- bytes kept with a connection --------------------------------------------------------- */

static void forget(struct pin_conn_rest *rest)
{
    free(rest->ptr);
    *rest = (struct pin_conn_rest){0};
}

/* Room for `want_bytes`, but no less than what is worth an allocation. */
static bool resize(struct pin_conn_rest *rest, size_t want_bytes)
{
    size_t cap_bytes = PIN_MAX(want_bytes, (size_t)REST_MIN_BYTES);
    uint8_t *resized = realloc(rest->ptr, cap_bytes);
    if (resized == NULL) {
        return false;
    }
    rest->ptr = resized;
    rest->cap_bytes = (uint32_t)cap_bytes;
    return true;
}

static bool keep(struct pin_conn_rest *rest, const uint8_t *from, size_t bytes)
{
    if (bytes == 0) {
        return true;
    }
    size_t want = rest->bytes + bytes;
    size_t grown = 2 * (size_t)rest->cap_bytes;
    if (want > rest->cap_bytes && !resize(rest, PIN_MAX(want, grown))) {
        return false;
    }
    memcpy(rest->ptr + rest->bytes, from, bytes);
    rest->bytes += (uint32_t)bytes;
    return true;
}

/* Drops the first `bytes`, and room that is far too large for the others. */
static void drop(struct pin_conn_rest *rest, size_t bytes)
{
    size_t left = rest->bytes - bytes;
    if (left == 0) {
        forget(rest);
        return;
    }
    memmove(rest->ptr, rest->ptr + bytes, left);
    rest->bytes = (uint32_t)left;
    size_t fitting = PIN_MAX((size_t)REST_MIN_BYTES, 2 * left);
    if (rest->cap_bytes > 2 * fitting) {
        (void)resize(rest, fitting); /* a refusal leaves it as it is */
    }
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

/* Sends bytes behind those that the client has not taken yet; what it does not take is kept. */
static void send_or_keep(struct pin_conn *conn, const uint8_t *from, size_t bytes)
{
    ssize_t n_sent = conn->unsent.bytes == 0 ? send_some(conn->fd, from, bytes) : 0;
    conn->has_said = true;
    if (n_sent < 0
        || ((size_t)n_sent < bytes && !keep(&conn->unsent, from + n_sent, bytes - (size_t)n_sent))
        || conn->unsent.bytes - conn->unsent_at > PIN_CONN_UNSENT_MAX_BYTES) {
        conn->state = PIN_CONN_CLOSED;
    }
}

/* Sends the answers that have come together. */
static void flush(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    size_t bytes = buffers->out_bytes;
    buffers->out_bytes = 0;
    if (bytes == 0 || conn->state == PIN_CONN_CLOSED) {
        return;
    }
    if (conn->tls == NULL) {
        send_or_keep(conn, buffers->out, bytes);
        return;
    }
    struct pin_tls_out sealed = {
        .ptr = buffers->sealed_out, .cap_bytes = sizeof(buffers->sealed_out)};
    if (pin_tls_session_seal(conn->tls, buffers->out, bytes, &sealed)) {
        send_or_keep(conn, sealed.ptr, sealed.bytes);
    } else {
        conn->state = PIN_CONN_CLOSED;
    }
}

/* Sends kept answers. */
static void flush_unsent(struct pin_conn *conn)
{
    size_t bytes = conn->unsent.bytes - conn->unsent_at;
    ssize_t n_sent = send_some(conn->fd, conn->unsent.ptr + conn->unsent_at, bytes);
    if (n_sent < 0) {
        conn->state = PIN_CONN_CLOSED;
        return;
    }
    conn->unsent_at += (uint32_t)n_sent;
    if ((size_t)n_sent == bytes) {
        forget(&conn->unsent);
        conn->unsent_at = 0;
    }
}

/* --- answering ---------------------------------------------------------------------------- */

static size_t message_bytes(const uint8_t *length)
{
    return pin_get_be16(length);
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
    if (pin_unlikely(answer_bytes == PIN_ANSWER_LATER)) {
        conn->n_pending++;
    } else if (pin_unlikely(answer_bytes == PIN_ANSWER_SOURCE)) {
        conn->source = worker->source;
    } else if (answer_bytes > 0) {
        pin_put_be16(length, (unsigned)answer_bytes);
        buffers->out_bytes += LENGTH_BYTES + answer_bytes;
    }
}

/* The same for a question of the codec's. */
static size_t answer_request(void *arg, uint32_t request_id, const struct pin_packet *packet)
{
    struct pin_conn *conn = arg;
    struct pin_client client = conn->client;
    struct pin_return back = {0};
    if (client.back != NULL) {
        back = *client.back;
        back.request_id = request_id;
        client.back = &back;
    }
    conn->n_asked++;
    return pin_answer(conn->worker, &client, packet);
}

/* Whether one more query may be answered: the client takes the answers, and not too many are
 * pending. */
static bool may_answer(const struct pin_conn *conn)
{
    return conn->state != PIN_CONN_CLOSED && !conn->is_ending && conn->unsent.bytes == 0
           && conn->source == NULL && conn->n_pending < conn->limits->n_max_pending;
}

bool pin_conn_is_spent(const struct pin_conn *conn)
{
    return conn->limits->n_max_queries != 0 && conn->n_queries >= conn->limits->n_max_queries;
}

/* --- HTTP --------------------------------------------------------------------------------- */

/* Speaks what was agreed on in the handshake; who did not say gets HTTP/1.1. */
static void start_http(struct pin_conn *conn)
{
    bool is_http2 = conn->tls != NULL && pin_tls_session_protocol(conn->tls) == PIN_TLS_PROTOCOL_H2;
    enum pin_https_version version = is_http2 ? PIN_HTTPS_HTTP2 : PIN_HTTPS_HTTP1;
    conn->http = pin_https_new(conn->https_shared, version, conn->https_path, answer_request, conn);
    if (conn->http == NULL) {
        conn->state = PIN_CONN_CLOSED;
    }
}

/* Sends what the codec has to say, as much as the client takes. True: there was something. */
static bool take_http(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    bool is_any = false;
    while (conn->state != PIN_CONN_CLOSED && conn->unsent.bytes == 0) {
        size_t bytes = pin_https_take(conn->http, buffers->out, PIN_CONN_UNSENT_BYTES);
        if (bytes == 0) {
            break;
        }
        buffers->out_bytes = bytes;
        flush(conn, buffers);
        is_any = true;
    }
    conn->n_pending = pin_https_n_pending(conn->http);
    conn->is_ending = conn->is_ending || pin_https_is_over(conn->http);
    return is_any;
}

/* Has the codec read `from` and answers what it asks. Returns the bytes done with, and adds to
 * *n_answered. */
static size_t answer_http(struct pin_conn *conn, struct pin_conn_buffers *buffers,
    const uint8_t *from, size_t bytes, size_t *n_answered)
{
    size_t at = 0;
    bool is_moving = true;
    conn->n_asked = 0;
    while (at < bytes && is_moving && may_answer(conn)) {
        size_t done = pin_https_feed(conn->http, from + at, bytes - at);
        is_moving = take_http(conn, buffers) || done > 0;
        at += done;
    }
    *n_answered += conn->n_asked;
    conn->n_queries += (uint32_t)conn->n_asked;
    if (pin_conn_is_spent(conn) && !conn->is_ending) {
        pin_https_end(conn->http);
    }
    return at;
}

/* --- queries ------------------------------------------------------------------------------ */

/* Answers the whole queries in `from`, as long as it may. Returns the bytes done with, and adds to
 * *n_answered. */
static size_t answer_all(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, const uint8_t *from, size_t bytes, size_t *n_answered)
{
    if (conn->http != NULL) {
        return answer_http(conn, buffers, from, bytes, n_answered);
    }
    size_t at = 0;
    while (bytes - at >= LENGTH_BYTES && may_answer(conn)) {
        size_t query_bytes = message_bytes(from + at);
        if (query_bytes < PIN_HEADER_BYTES || pin_proxy_is_header(from + at, bytes - at)) {
            conn->is_ending = true; /* whoever frames like this does not speak DNS */
            break;
        }
        if (bytes - at - LENGTH_BYTES < query_bytes) {
            break;
        }
        answer_one(conn, worker, buffers, from + at + LENGTH_BYTES, query_bytes);
        at += LENGTH_BYTES + query_bytes;
        (*n_answered)++;
        conn->n_queries++;
        conn->is_ending = conn->is_ending || pin_conn_is_spent(conn);
        if (buffers->out_bytes >= PIN_CONN_UNSENT_BYTES) {
            flush(conn, buffers);
        }
    }
    flush(conn, buffers);
    return at;
}

/* Answers the queries that are kept; what is done with leaves. */
static void answer_kept(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, size_t *n_answered)
{
    struct pin_conn_rest *unread = &conn->unread;
    size_t done = answer_all(conn, worker, buffers, unread->ptr, unread->bytes, n_answered);
    drop(unread, conn->is_ending ? unread->bytes : done);
}

/* Sends the next message of an answer that has many: one for each time that the client takes some,
 * so that others have their turn. */
static void pull(struct pin_conn *conn, struct pin_conn_buffers *buffers, size_t *n_answered)
{
    uint8_t *length = buffers->out + buffers->out_bytes;
    bool is_last = false;
    if (conn->state == PIN_CONN_CLOSED) {
        return;
    }
    size_t bytes =
        conn->source->next(conn->source, length + LENGTH_BYTES, PIN_STREAM_MAX_BYTES, &is_last);
    if (bytes == 0) {
        conn->state = PIN_CONN_CLOSED; /* half an answer is known to be one by its missing end */
        return;
    }
    pin_put_be16(length, (unsigned)bytes);
    buffers->out_bytes += LENGTH_BYTES + bytes;
    if (is_last) {
        conn->source->end(conn->source, true);
        conn->source = NULL;
    }
    flush(conn, buffers);
    (*n_answered)++;
}

/* --- reading ------------------------------------------------------------------------------ */

/* Receives into `to`. Returns 0 when there is nothing now, or no more at all. */
static size_t receive(struct pin_conn *conn, uint8_t *to, size_t bytes)
{
    ssize_t n_received = recv(conn->fd, to, bytes, 0);
    if (n_received > 0) {
        return (size_t)n_received;
    }
    if (n_received == 0) {
        conn->is_ended = true; /* but the client may still wait for answers */
    } else if (errno != EAGAIN && errno != EINTR) {
        conn->state = PIN_CONN_CLOSED;
    }
    return 0;
}

/* Takes bytes of the socket through the session, which may have to say something itself. Returns
 * how many the client said, in `in`. */
static size_t unseal(struct pin_conn *conn, struct pin_conn_buffers *buffers, size_t bytes)
{
    struct pin_tls_out out = {.ptr = buffers->sealed_out, .cap_bytes = sizeof(buffers->sealed_out)};
    struct pin_tls_feed feed = {.in = buffers->sealed_in,
        .in_bytes = bytes,
        .plain = buffers->in,
        .plain_cap_bytes = sizeof(buffers->in)};
    if (feed.in_bytes == 0) {
        return 0;
    }
    enum pin_tls_state state = pin_tls_session_feed(conn->tls, &feed, &out);
    if (out.bytes > 0) {
        send_or_keep(conn, out.ptr, out.bytes);
    }
    if (state == PIN_TLS_FAILED) {
        conn->state = PIN_CONN_CLOSED;
        return 0;
    }
    conn->is_shaking = state == PIN_TLS_SHAKING;
    conn->is_ended = conn->is_ended || state == PIN_TLS_ENDED;
    return feed.plain_bytes;
}

/* The bytes that are there now, in `in`. */
static size_t receive_plain(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    if (conn->tls == NULL) {
        return receive(conn, buffers->in, PIN_CONN_READ_BYTES);
    }
    return unseal(conn, buffers, receive(conn, buffers->sealed_in, sizeof(buffers->sealed_in)));
}

/* Answers what is in `in`; half a query at the end is kept. */
static void answer_fresh(struct pin_conn *conn, struct pin_worker *worker,
    struct pin_conn_buffers *buffers, size_t bytes, size_t *n_answered)
{
    size_t done = 0;
    bool is_agreed = conn->https_path != NULL && !conn->is_shaking;
    if (is_agreed && conn->http == NULL && conn->state != PIN_CONN_CLOSED) {
        start_http(conn);
    }
    if (bytes > 0 && conn->unread.bytes == 0) {
        done = answer_all(conn, worker, buffers, buffers->in, bytes, n_answered);
    }
    if (done < bytes && !conn->is_ending
        && !keep(&conn->unread, buffers->in + done, bytes - done)) {
        conn->state = PIN_CONN_CLOSED;
    } else if (done == 0 && bytes > 0 && conn->unread.bytes > 0) {
        answer_kept(conn, worker, buffers, n_answered);
    }
}

/* --- the end ------------------------------------------------------------------------------ */

/* Says goodbye, if that goes out at once. */
static void end_session(struct pin_conn *conn)
{
    uint8_t farewell[PIN_HTTPS_FAREWELL_BYTES];
    uint8_t last[sizeof(farewell) + (size_t)3 * PIN_TLS_OVERHEAD_BYTES];
    struct pin_tls_out out = {.ptr = last, .cap_bytes = sizeof(last)};
    bool is_idle = conn->unsent.bytes == 0 && conn->state != PIN_CONN_CLOSED;
    if (is_idle && conn->http != NULL) {
        pin_https_end(conn->http);
        size_t bytes = pin_https_take(conn->http, farewell, sizeof(farewell));
        (void)pin_tls_session_seal(conn->tls, farewell, bytes, &out);
    }
    if (conn->unsent.bytes == 0) {
        pin_tls_session_end(conn->tls, &out);
        (void)send_some(conn->fd, out.ptr, out.bytes);
    }
}

/* Tells the client that all is said, and waits until it has noticed. */
static void linger(struct pin_conn *conn)
{
    if (conn->tls != NULL) {
        end_session(conn);
    }
    conn->is_lingering = true;
    conn->state =
        shutdown(conn->fd, SHUT_WR) == 0 ? PIN_CONN_LINGERING : PIN_CONN_CLOSED; /* it has gone */
}

/* Drops what still comes of a client that has been told. */
static void drop_late(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    conn->dropped_bytes += (uint32_t)receive(conn, buffers->sealed_in, sizeof(buffers->sealed_in));
    if (conn->is_ended || conn->dropped_bytes > PIN_CONN_LINGER_BYTES) {
        conn->state = PIN_CONN_CLOSED;
    }
}

/* What becomes of a connection that has nothing more to say. Who sends nothing more has noticed,
 * and who was told nothing has nothing to lose. */
static void close_or_linger(struct pin_conn *conn)
{
    if (conn->is_ended || !conn->has_said) {
        conn->state = PIN_CONN_CLOSED;
    } else {
        linger(conn);
    }
}

/* --- what comes next ---------------------------------------------------------------------- */

/* Whether no query is cut in the middle. */
static bool is_whole(const struct pin_conn *conn)
{
    if (conn->http != NULL) {
        return !pin_https_is_reading(conn->http);
    }
    return conn->unread.bytes == 0 || conn->n_pending >= conn->limits->n_max_pending;
}

/* Sends what HTTP has left to say, then: what the connection waits for, now that all that could be
 * done is done. */
static void choose_state(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    if (conn->http != NULL && !conn->is_lingering) {
        (void)take_http(conn, buffers);
    }
    if (conn->state == PIN_CONN_CLOSED || conn->is_lingering) {
        return;
    }
    if (conn->is_shaking) {
        conn->state = conn->is_ended ? PIN_CONN_CLOSED : PIN_CONN_SHAKING;
        return;
    }
    bool has_end = conn->is_ending || conn->is_ended;
    if (conn->unsent.bytes > 0 || conn->source != NULL) {
        conn->state = PIN_CONN_WRITING;
    } else if (has_end && conn->n_pending == 0) {
        close_or_linger(conn);
    } else if (!has_end && !is_whole(conn)) {
        conn->state = PIN_CONN_READING;
    } else {
        conn->state = conn->n_pending > 0 ? PIN_CONN_PENDING : PIN_CONN_IDLE;
    }
}

enum pin_proxy_verdict pin_conn_greet(
    struct pin_conn *conn, struct pin_conn_buffers *buffers, struct pin_proxy *ret_proxy)
{
    size_t bytes = receive(conn, buffers->sealed_in, PIN_PROXY_MAX_BYTES);
    bool is_kept = bytes == 0 || keep(&conn->unread, buffers->sealed_in, bytes);
    enum pin_proxy_verdict verdict =
        pin_proxy_read(conn->unread.ptr, conn->unread.bytes, ret_proxy);
    if (!is_kept || conn->is_ended || verdict == PIN_PROXY_BAD) {
        conn->state = PIN_CONN_CLOSED;
        return PIN_PROXY_BAD;
    }
    if (verdict != PIN_PROXY_MORE) {
        conn->is_greeting = false;
        drop(&conn->unread, ret_proxy->bytes);
    }
    return verdict;
}

size_t pin_conn_begin(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers)
{
    size_t n_answered = 0;
    size_t bytes = PIN_MIN((size_t)conn->unread.bytes, sizeof(buffers->sealed_in));
    conn->worker = worker;
    if (bytes > 0 && conn->tls == NULL) {
        answer_kept(conn, worker, buffers, &n_answered);
    } else if (bytes > 0) {
        memcpy(buffers->sealed_in, conn->unread.ptr, bytes);
        forget(&conn->unread);
        answer_fresh(conn, worker, buffers, unseal(conn, buffers, bytes), &n_answered);
    }
    choose_state(conn, buffers);
    return n_answered;
}

size_t pin_conn_on_event(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers)
{
    size_t n_answered = 0;
    conn->worker = worker;
    if (conn->is_lingering) {
        drop_late(conn, buffers);
        return 0;
    }
    if (conn->unsent.bytes > 0 || conn->source != NULL) {
        if (conn->unsent.bytes > 0) {
            flush_unsent(conn);
        }
        if (conn->source != NULL && conn->unsent.bytes == 0) {
            pull(conn, buffers, &n_answered);
        }
        if (conn->unread.bytes > 0 && may_answer(conn)) {
            answer_kept(conn, worker, buffers, &n_answered);
        }
    } else if (pin_conn_is_reading(conn)) {
        answer_fresh(conn, worker, buffers, receive_plain(conn, buffers), &n_answered);
    }
    choose_state(conn, buffers);
    if (conn->tls != NULL) {
        pin_tls_session_rest(conn->tls); /* 20 KiB; getting them again costs next to nothing */
    }
    return n_answered;
}

void pin_conn_on_late(
    struct pin_conn *conn, struct pin_conn_buffers *buffers, const struct pin_late *late)
{
    if (conn->http != NULL) {
        size_t bytes = late->bytes > PIN_STREAM_MAX_BYTES ? 0 : late->bytes;
        pin_https_answer(conn->http, late->request_id, late->wire, bytes);
        return;
    }
    conn->n_pending -= conn->n_pending > 0;
    if (late->bytes == 0 || late->bytes > PIN_STREAM_MAX_BYTES) {
        return;
    }
    uint8_t *length = buffers->out + buffers->out_bytes;
    pin_put_be16(length, (unsigned)late->bytes);
    memcpy(length + LENGTH_BYTES, late->wire, late->bytes);
    buffers->out_bytes += LENGTH_BYTES + late->bytes;
    if (buffers->out_bytes >= PIN_CONN_UNSENT_BYTES) {
        flush(conn, buffers);
    }
}

size_t pin_conn_settle(
    struct pin_conn *conn, struct pin_worker *worker, struct pin_conn_buffers *buffers)
{
    size_t n_answered = 0;
    conn->worker = worker;
    flush(conn, buffers);
    if (conn->unread.bytes > 0 && may_answer(conn)) {
        answer_kept(conn, worker, buffers, &n_answered);
    }
    choose_state(conn, buffers);
    return n_answered;
}

void pin_conn_end(struct pin_conn *conn, struct pin_conn_buffers *buffers)
{
    if (conn->http != NULL && !conn->is_ending) {
        pin_https_end(conn->http);
    }
    choose_state(conn, buffers);
    conn->is_ending = true;
    choose_state(conn, buffers);
}

bool pin_conn_is_reading(const struct pin_conn *conn)
{
    bool has_room = conn->http == NULL || conn->unread.bytes == 0; /* the codec keeps halves */
    return conn->is_lingering || (may_answer(conn) && !conn->is_ended && has_room);
}

void pin_conn_done(struct pin_conn *conn)
{
    if (conn->tls != NULL && !conn->is_lingering) {
        end_session(conn);
    }
    pin_tls_session_free(conn->tls);
    conn->tls = NULL;
    if (conn->source != NULL) {
        conn->source->end(conn->source, false);
        conn->source = NULL;
    }
    forget(&conn->unread);
    forget(&conn->unsent);
    if (conn->fd >= 0) {
        (void)close(conn->fd); /* what it still holds the kernel delivers, or not */
    }
    conn->fd = -1;
    pin_https_free(conn->http);
    conn->http = NULL;
}
