/* SPDX-License-Identifier: Apache-2.0 */

/* Lets clients in, each within the limits of its listener and its origin; who has been quiet for
 * longest makes room. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "tcp_state.h"

/* Connections accepted from one listener before others have their turn. */
#define ACCEPTS_MAX 64
/* How long nothing is accepted once descriptors or memory have run out. */
#define ACCEPT_PAUSE_MS 200

static void count(struct pin_stat *stat)
{
    pin_stat_add(stat, 1);
}

/* --- letting in --------------------------------------------------------------------------- */

bool pin__tcp_evict(struct pin_tcp *tcp)
{
    for (size_t i = 0; i < N_ELEMS(tcp->waits); i++) {
        size_t state = i == 0 ? PIN_CONN_LINGERING : i - 1; /* the last one of them */
        struct pin_tcp_stream *stream = pin__tcp_oldest(&tcp->waits[state]);
        if (stream != NULL) {
            count(&tcp->worker.stats.n_evicted);
            pin__tcp_close(tcp, stream);
            return true;
        }
    }
    return false;
}

/* Makes room for one more of that origin. */
static void make_room_of(struct pin_tcp *tcp, struct pin_origin *origin)
{
    if (origin->n_streams > tcp->limits.n_max_per_client) {
        count(&tcp->worker.stats.n_evicted);
        pin__tcp_close(tcp, container_of(origin->streams.next, struct pin_tcp_stream, by_origin));
    }
}

/* Makes room for one more in all; a thread that has none takes one in any case. */
static void make_room(struct pin_tcp *tcp)
{
    if (atomic_load_explicit(tcp->n_open, memory_order_relaxed) >= tcp->limits.n_max) {
        (void)pin__tcp_evict(tcp);
    }
}

/* Gives a connection its TLS session, if it is to have one. What kinds of handshake its origin may
 * have is said beforehand: the costly part comes right behind the client's first words. */
static bool prepare_tls(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    struct pin_tls *tls = stream->listener->listen.tls;
    struct pin_origins *origins = &tcp->origins;
    struct pin_origin *origin = stream->origin;
    if (tls == NULL) {
        return true;
    }
    bool may_full = pin_origins_may(origins, origin, PIN_RATE_HANDSHAKES, tcp->now_ms);
    bool may_resume =
        pin_origins_may(origins, origin, PIN_RATE_RESUMPTIONS, tcp->now_ms)
        && !pin_origins_is_overdrawn(origins, origin, PIN_RATE_HANDSHAKES, tcp->now_ms);
    if (!may_full && !may_resume) {
        count(&tcp->worker.stats.n_handshakes_refused);
        return false;
    }
    stream->conn.tls = pin_tls_session_new(tls, may_full, may_resume);
    stream->conn.is_shaking = stream->conn.tls != NULL;
    stream->conn.state = PIN_CONN_SHAKING;
    return stream->conn.tls != NULL;
}

bool pin__tcp_admit(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    struct pin_ip ip = pin_ip_from_sockaddr(&stream->peer.any);
    struct pin_origin *origin = pin_origins_join(&tcp->origins, &ip, tcp->now_ms);
    if (origin == NULL) {
        return false;
    }
    stream->origin = origin;
    pin_link_append(&origin->streams, &stream->by_origin);
    if (!pin_origins_may(&tcp->origins, origin, PIN_RATE_CONNECTIONS, tcp->now_ms)) {
        count(&tcp->worker.stats.n_rate_limited);
        return false;
    }
    pin_origins_did(&tcp->origins, origin, PIN_RATE_CONNECTIONS, tcp->now_ms);
    if (!prepare_tls(tcp, stream)) {
        return false;
    }
    make_room_of(tcp, origin);
    return true;
}

/* --- accepting ---------------------------------------------------------------------------- */

/* Makes room, fills a stream and has it watched. False: it is the caller's, as it was. */
static bool install(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &stream->source};
    make_room(tcp);
    stream->back.stream_id = pin_ids_give(&tcp->ids, stream);
    if (stream->back.stream_id == 0
        || epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, stream->conn.fd, &event) != 0) {
        pin_ids_drop(&tcp->ids, stream->back.stream_id);
        return false;
    }
    stream->events = EPOLLIN;
    stream->back.mailbox = &tcp->mailbox;
    stream->born_ms = tcp->now_ms;
    stream->since_ms = tcp->now_ms;
    pin_link_append(&tcp->waits[stream->conn.state], &stream->by_age);
    pin_link_init(&stream->by_birth);
    if (tcp->limits.max_duration_ms != 0) {
        pin_link_append(&tcp->births, &stream->by_birth);
    }
    stream->listener->n_open++;
    atomic_fetch_add_explicit(tcp->n_open, 1, memory_order_relaxed);
    count(&tcp->worker.stats.n_open);
    count(&tcp->worker.stats.n_accepted);
    return true;
}

static enum pin_transport transport_of(const struct pin_tcp_listen *listen)
{
    if (listen->https_path != NULL) {
        return PIN_TRANSPORT_HTTPS;
    }
    return listen->tls != NULL ? PIN_TRANSPORT_TLS : PIN_TRANSPORT_TCP;
}

static struct pin_tcp_stream *new_stream(struct pin_tcp *tcp, struct pin_tcp_listener *listener,
    int fd, const union pin_proxy_peer *peer)
{
    struct pin_tcp_stream *stream = calloc(1, sizeof(*stream));
    if (stream == NULL) {
        return NULL;
    }
    stream->source = PIN_TCP_STREAM;
    stream->listener = listener;
    stream->peer = *peer;
    stream->conn.fd = fd;
    stream->conn.limits = &tcp->limits;
    stream->conn.https_shared = tcp->http;
    stream->conn.https_path = listener->listen.https_path;
    stream->conn.client = (struct pin_client){
        .peer = &stream->peer.any,
        .listen_cluster_id = listener->listen.cluster_id,
        .listen_i = listener->listen.listen_i,
        .transport = transport_of(&listener->listen),
        .back = &stream->back,
    };
    return stream;
}

/* Whether the listener takes one more, from that address. */
static bool is_welcome(
    struct pin_tcp *tcp, const struct pin_tcp_listener *listener, const union pin_proxy_peer *peer)
{
    const struct pin_tcp_listen *listen = &listener->listen;
    struct pin_ip ip = pin_ip_from_sockaddr(&peer->any);
    if (listen->n_max != 0 && listener->n_open >= listen->n_max) {
        count(&tcp->worker.stats.n_listener_full);
        return false;
    }
    if (listen->proxy.n > 0 && !pin_proxy_is_trusted(&listen->proxy, &ip)) {
        count(&tcp->worker.stats.n_bad_proxy);
        return false;
    }
    return true;
}

/* Lets a stream in, at once or when its PROXY header has come. */
static bool receive_stream(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    if (stream->listener->listen.proxy.n > 0) {
        stream->conn.is_greeting = true;
        stream->conn.state = PIN_CONN_SHAKING;
        return true;
    }
    return pin__tcp_admit(tcp, stream);
}

/* Takes an accepted socket in. False: it was turned away, and is still the caller's. */
static bool add_stream(struct pin_tcp *tcp, struct pin_tcp_listener *listener, int fd,
    const union pin_proxy_peer *peer)
{
    struct pin_tcp_stream *stream =
        is_welcome(tcp, listener, peer) ? new_stream(tcp, listener, fd, peer) : NULL;
    if (stream == NULL) {
        return false;
    }
    if (receive_stream(tcp, stream) && install(tcp, stream)) {
        return true;
    }
    pin__tcp_leave_origin(tcp, stream);
    pin_tls_session_free(stream->conn.tls);
    free(stream);
    return false;
}

void pin__tcp_accept_from(struct pin_tcp *tcp, uint32_t events)
{
    for (size_t i = 0; i < tcp->n_listeners; i++) {
        struct epoll_event event = {.events = events, .data.ptr = &tcp->listeners[i].source};
        (void)epoll_ctl(tcp->epoll_fd, EPOLL_CTL_MOD, tcp->listeners[i].listen.fd, &event);
    }
}

/* Loud: after an accept that failed. What concerns one connection is over with it; without
 * descriptors or memory nothing is accepted for a moment, so that waiting clients do not spin us.
 */
static void on_accept_error(struct pin_tcp *tcp, int errno_value)
{
    if (errno_value == EAGAIN || errno_value == EINTR) {
        return;
    }
    count(&tcp->worker.stats.n_accept_errors);
    if (errno_value == EMFILE || errno_value == ENFILE || errno_value == ENOBUFS
        || errno_value == ENOMEM) {
        pin_log_warn("tcp: cannot accept connections (%s), trying again in %d ms",
            strerrorname_np(errno_value), ACCEPT_PAUSE_MS);
        pin__tcp_accept_from(tcp, 0);
        tcp->accept_again_ms = tcp->now_ms + ACCEPT_PAUSE_MS;
    }
}

void pin__tcp_accept(struct pin_tcp *tcp, struct pin_tcp_listener *listener)
{
    for (int i = 0; i < ACCEPTS_MAX && tcp->accept_again_ms == 0; i++) {
        union pin_proxy_peer peer = {0};
        socklen_t peer_bytes = sizeof(peer);
        int fd = accept4(listener->listen.fd, &peer.any, &peer_bytes, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            on_accept_error(tcp, errno);
            return;
        }
        if (!add_stream(tcp, listener, fd, &peer)) {
            count(&tcp->worker.stats.n_turned_away);
            (void)close(fd); /* nothing was promised to it */
        }
    }
}
