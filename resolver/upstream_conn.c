/* SPDX-License-Identifier: Apache-2.0 */

/* The connection that a forward thread keeps to a resolver, over TCP or TLS: many questions at
 * once, answers in any order (RFC 7766, section 6.2.1.1). */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "forward_thread.h"
#include "tls_client.h"
#include "upstream.h"

#define LENGTH_BYTES 2u
#define IN_BYTES     (LENGTH_BYTES + PIN_STREAM_MAX_BYTES)
#define OUT_BYTES    ((size_t)64 << 10)
/* Without questions for so long it is closed. */
#define IDLE_MS 10000
/* Connect and handshake. */
#define OPEN_MS 2500
/* Messages that answer nothing we asked. */
#define STRANGE_MAX 20u

enum state {
    PIN_LINE_CONNECTING,
    PIN_LINE_HANDSHAKE,
    PIN_LINE_OPEN,
};

struct pin_upstream_conn {
    struct pin_forward_source source;
    struct pin_upstream *upstream;
    struct pin_tls_line *tls; /* NULL: plain */
    struct pin_attempt *sent; /* that wait for an answer */
    struct pin_deadline deadline;
    enum state state;
    int fd;
    uint32_t events; /* that epoll was told */
    uint32_t n_strange;
    size_t in_bytes;
    size_t out_bytes;
    uint8_t in[IN_BYTES];
    uint8_t out[OUT_BYTES];
};

/* --- the end ------------------------------------------------------------------------------- */

/* Closes it; tries that wait are told when errno_value says why. */
static void close_conn(struct pin_upstream_conn *conn, int errno_value)
{
    struct pin_upstream *upstream = conn->upstream;
    if (upstream->conn == conn) {
        upstream->conn = NULL; /* what is asked again because of this gets a new one */
    }
    pin_timers_clear(&upstream->thread->timers, &conn->deadline);
    pin_tls_line_free(conn->tls);
    conn->tls = NULL;
    (void)close(conn->fd);
    conn->fd = -1;
    struct pin_attempt *attempt = conn->sent;
    conn->sent = NULL;
    for (struct pin_attempt *a = attempt; a != NULL; a = a->next_sent) {
        a->conn = NULL;
    }
    while (attempt != NULL && errno_value != 0) {
        struct pin_attempt *next = attempt->next_sent;
        pin_attempt_on_error(attempt, errno_value); /* at most ends this one */
        attempt = next;
    }
    pin_forward_bury(upstream->thread, &conn->source);
}

void pin_upstream_conn_close(struct pin_upstream_conn *conn)
{
    if (conn != NULL) {
        close_conn(conn, 0);
    }
}

static void on_conn_time(struct pin_deadline *deadline, void *arg)
{
    struct pin_upstream_conn *conn = container_of(deadline, struct pin_upstream_conn, deadline);
    (void)arg;
    close_conn(conn, ETIMEDOUT);
}

void pin_upstream_conn_forget(struct pin_attempt *attempt)
{
    struct pin_upstream_conn *conn = attempt->conn;
    struct pin_attempt **link = &conn->sent;
    while (*link != NULL && *link != attempt) {
        link = &(*link)->next_sent;
    }
    if (*link != NULL) {
        *link = attempt->next_sent;
    }
    attempt->conn = NULL;
}

/* --- bytes out ------------------------------------------------------------------------------ */

static void tell_epoll(struct pin_upstream_conn *conn, uint32_t events)
{
    if (events != conn->events
        && pin_forward_watch(conn->upstream->thread, &conn->source, conn->fd, events)) {
        conn->events = events;
    }
}

/* What one try over TLS did: bytes, 0 when it must wait, -1 when it is over. */
static ssize_t of_line(enum pin_tls_line_io result, size_t bytes)
{
    if (result == PIN_TLS_LINE_DONE) {
        return (ssize_t)bytes;
    }
    return result == PIN_TLS_LINE_CLOSED ? -1 : 0;
}

/* The same of a plain socket, which said `bytes`. */
static ssize_t of_socket(ssize_t bytes)
{
    return bytes >= 0 ? bytes : errno == EAGAIN || errno == EINTR ? 0 : -1;
}

/* Writes once. Bytes taken; 0 when it must wait; -1 when it is over. */
static ssize_t write_some(struct pin_upstream_conn *conn)
{
    size_t n = 0;
    if (conn->tls == NULL) {
        return of_socket(send(conn->fd, conn->out, conn->out_bytes, MSG_NOSIGNAL));
    }
    enum pin_tls_line_io result = pin_tls_line_write(conn->tls, conn->out, conn->out_bytes, &n);
    return of_line(result, n);
}

/* False: the connection was lost and closed. */
static bool flush(struct pin_upstream_conn *conn)
{
    while (conn->out_bytes > 0) {
        ssize_t n = write_some(conn);
        if (n < 0) {
            close_conn(conn, EPIPE);
            return false;
        }
        if (n == 0) {
            break;
        }
        conn->out_bytes -= (size_t)n;
        memmove(conn->out, conn->out + n, conn->out_bytes);
    }
    tell_epoll(conn, conn->out_bytes > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return true;
}

/* --- bytes in ------------------------------------------------------------------------------- */

/* Gives a message to the try that it answers. False: too much came that answers nothing. */
static bool deliver(struct pin_upstream_conn *conn, const uint8_t *wire, size_t bytes)
{
    struct pin_attempt *attempt = bytes >= 2 ? conn->sent : NULL;
    while (attempt != NULL && (wire[0] != attempt->id >> 8 || wire[1] != (attempt->id & 0xFFu))) {
        attempt = attempt->next_sent;
    }
    if (attempt == NULL) {
        pin_stat_add(&conn->upstream->stats.n_mismatched, 1);
        return ++conn->n_strange < STRANGE_MAX;
    }
    pin_attempt_on_message(attempt, wire, bytes);
    return true;
}

/* Delivers the whole messages. False: it is over. */
static bool deliver_all(struct pin_upstream_conn *conn)
{
    size_t at = 0;
    while (conn->in_bytes - at >= LENGTH_BYTES) {
        size_t bytes = (size_t)conn->in[at] << 8 | conn->in[at + 1];
        if (conn->in_bytes - at - LENGTH_BYTES < bytes) {
            break;
        }
        if (!deliver(conn, conn->in + at + LENGTH_BYTES, bytes)) {
            return false;
        }
        at += LENGTH_BYTES + bytes;
    }
    conn->in_bytes -= at;
    memmove(conn->in, conn->in + at, conn->in_bytes);
    return true;
}

/* Reads once. Bytes; 0 when there is nothing now; -1 when it is over. */
static ssize_t read_some(struct pin_upstream_conn *conn)
{
    size_t room_bytes = sizeof(conn->in) - conn->in_bytes;
    size_t n = 0;
    if (conn->tls == NULL) {
        ssize_t n_read = recv(conn->fd, conn->in + conn->in_bytes, room_bytes, 0);
        return n_read == 0 ? -1 : of_socket(n_read); /* 0: the peer has closed */
    }
    enum pin_tls_line_io result =
        pin_tls_line_read(conn->tls, conn->in + conn->in_bytes, room_bytes, &n);
    return of_line(result, n);
}

static void read_all(struct pin_upstream_conn *conn)
{
    ssize_t n = 1;
    while (n > 0) {
        n = read_some(conn);
        if (n > 0) {
            conn->in_bytes += (size_t)n;
        }
        if (n < 0 || !deliver_all(conn)) {
            close_conn(conn, ECONNRESET);
            return;
        }
    }
    if (conn->sent == NULL) {
        pin_timers_set(&conn->upstream->thread->timers, &conn->deadline,
            conn->upstream->thread->now_ms + IDLE_MS);
    }
}

/* --- the beginning -------------------------------------------------------------------------- */

static void complain(const struct pin_upstream_conn *conn, const char *text)
{
    static struct pin_log_site site;
    char address[PIN_ADDRPORT_TEXT_MAX];
    pin_log_write(&site, PIN_LOG_WARN, "forward: TLS with resolver %s: %s",
        pin_addrport_format(&conn->upstream->spec->address, address), text);
}

/* False: it was closed. */
static bool shake_hands(struct pin_upstream_conn *conn)
{
    switch (pin_tls_line_handshake(conn->tls)) {
    case PIN_TLS_LINE_WANT_READ:
        tell_epoll(conn, EPOLLIN);
        return true;
    case PIN_TLS_LINE_WANT_WRITE:
        tell_epoll(conn, EPOLLIN | EPOLLOUT);
        return true;
    case PIN_TLS_LINE_CLOSED:
        complain(conn, pin_tls_line_error(conn->tls));
        close_conn(conn, EPROTO);
        return false;
    default:
        conn->state = PIN_LINE_OPEN;
        pin_timers_clear(&conn->upstream->thread->timers, &conn->deadline);
        return flush(conn);
    }
}

/* The connect has come to an end. False: it was closed. */
static bool on_connected(struct pin_upstream_conn *conn)
{
    int errno_value = 0;
    socklen_t bytes = sizeof(errno_value);
    if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &errno_value, &bytes) != 0 || errno_value != 0) {
        close_conn(conn, errno_value != 0 ? errno_value : ECONNRESET);
        return false;
    }
    if (conn->upstream->tls == NULL) {
        conn->state = PIN_LINE_OPEN;
        pin_timers_clear(&conn->upstream->thread->timers, &conn->deadline);
        return flush(conn);
    }
    conn->tls = pin_tls_line_new(conn->upstream->tls, conn->fd);
    if (conn->tls == NULL) {
        close_conn(conn, ENOMEM);
        return false;
    }
    conn->state = PIN_LINE_HANDSHAKE;
    return shake_hands(conn);
}

static void on_event(
    struct pin_forward_source *source, struct pin_forward_thread *thread, uint32_t events)
{
    struct pin_upstream_conn *conn = container_of(source, struct pin_upstream_conn, source);
    (void)thread;
    if (conn->fd < 0) {
        return; /* closed earlier in this round */
    }
    if (conn->state == PIN_LINE_CONNECTING && !on_connected(conn)) {
        return;
    }
    if (conn->state == PIN_LINE_HANDSHAKE && !shake_hands(conn)) {
        return;
    }
    if (conn->state != PIN_LINE_OPEN || ((events & EPOLLOUT) != 0 && !flush(conn))) {
        return;
    }
    read_all(conn);
}

static struct pin_upstream_conn *open_conn(struct pin_upstream *upstream)
{
    struct pin_forward_thread *thread = upstream->thread;
    const int one = 1;
    struct pin_upstream_conn *conn = calloc(1, sizeof(*conn));
    if (conn == NULL) {
        return NULL;
    }
    conn->source.on_event = on_event;
    conn->upstream = upstream;
    conn->deadline.on_time = on_conn_time;
    conn->events = EPOLLIN | EPOLLOUT;
    conn->fd = socket(upstream->address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (conn->fd < 0) {
        free(conn);
        return NULL;
    }
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    bool is_begun =
        connect(conn->fd, (const struct sockaddr *)&upstream->address, upstream->address_bytes) == 0
        || errno == EINPROGRESS;
    if (!is_begun || !pin_forward_watch(thread, &conn->source, conn->fd, conn->events)) {
        (void)close(conn->fd);
        free(conn);
        return NULL;
    }
    pin_stat_add(&upstream->stats.n_connects, 1);
    pin_timers_set(&thread->timers, &conn->deadline, thread->now_ms + OPEN_MS);
    upstream->conn = conn;
    return conn;
}

/* --- questions ------------------------------------------------------------------------------ */

static bool has_id(const struct pin_upstream_conn *conn, uint16_t id)
{
    for (const struct pin_attempt *a = conn->sent; a != NULL; a = a->next_sent) {
        if (a->id == id) {
            return true;
        }
    }
    return false;
}

bool pin_upstream_conn_ask(struct pin_upstream *upstream, struct pin_attempt *attempt)
{
    struct pin_upstream_conn *conn = upstream->conn != NULL ? upstream->conn : open_conn(upstream);
    if (conn == NULL || sizeof(conn->out) - conn->out_bytes < LENGTH_BYTES + PIN_TRY_WIRE_MAX) {
        return false;
    }
    while (has_id(conn, attempt->id)) {
        attempt->id = pin_forward_random16(upstream->thread);
    }
    uint8_t *to = conn->out + conn->out_bytes;
    size_t bytes = pin_attempt_write(attempt, to + LENGTH_BYTES);
    to[0] = (uint8_t)(bytes >> 8);
    to[1] = (uint8_t)bytes;
    conn->out_bytes += LENGTH_BYTES + bytes;
    attempt->conn = conn;
    attempt->next_sent = conn->sent;
    conn->sent = attempt;
    if (conn->state == PIN_LINE_OPEN) {
        pin_timers_clear(&upstream->thread->timers, &conn->deadline);
        tell_epoll(conn, EPOLLIN | EPOLLOUT); /* sent when this round is over, all together */
    }
    return true;
}
