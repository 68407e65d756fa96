/* SPDX-License-Identifier: Apache-2.0 */

/* Serves the streams of one worker: accepts within limits, waits with deadlines, closes what is
 * over. */

#include "tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/thread.h"

#include "conn.h"
#include "ids.h"
#include "links.h"
#include "origins.h"
#include "patience.h"

#define EVENTS_MAX 256
/* TLS handshakes that are gone on with in one round, each of another client: one costs as much as
 * hundreds of answers. */
#define HANDSHAKES_MAX 4
/* Connections accepted from one listener before others have their turn. */
#define ACCEPTS_MAX 64
/* How long nothing is accepted once descriptors or memory have run out. */
#define ACCEPT_PAUSE_MS 200

/* What an epoll event is about: first member of each kind. */
enum source {
    PIN_TCP_STOP,
    PIN_TCP_MAIL,
    PIN_TCP_LISTENER,
    PIN_TCP_STREAM,
};

struct stream {
    enum source source;
    uint32_t events;           /* what epoll was told to wait for */
    struct pin_link by_age;    /* in the list of its state, oldest first */
    struct pin_link by_origin; /* the one quiet for longest first */
    struct pin_link by_birth;  /* oldest first; in no list when its time does not end */
    struct stream *next_dead;
    struct listener *listener;
    struct pin_origin *origin; /* NULL until a PROXY header names it */
    bool has_shaken;           /* its TLS handshake was counted */
    int64_t born_ms;
    int64_t since_ms;       /* its wait began then */
    struct pin_return back; /* where its late answers go; stream_id is its own */
    struct pin_conn conn;
    union pin_proxy_peer peer;
};

struct listener {
    enum source source;
    uint32_t n_open;
    struct pin_tcp_listen listen;
};

struct pin_tcp {
    struct pin_worker worker;
    struct pin_stream_limits limits;
    _Atomic uint32_t *n_open;
    struct listener *listeners;
    size_t n_listeners;
    int epoll_fd;
    int stop_fd;
    enum source stop_source;
    enum source mail_source;
    bool is_stopping;
    int64_t now_ms;
    uint64_t round;
    uint32_t n_handshakes;                  /* gone on with in this round */
    int64_t accept_again_ms;                /* 0: accepting */
    struct pin_link waits[PIN_CONN_CLOSED]; /* by state */
    struct pin_link births;                 /* all whose time ends some day */
    struct stream *dead;                    /* closed in this round; freed at its end */
    struct pin_origins origins;
    struct pin_ids ids;
    struct pin_mailbox mailbox;
    struct pin_https_shared *http; /* NULL: no listener speaks it */
    pthread_t thread;
    struct pin_conn_buffers buffers;
};

/* --- streams ------------------------------------------------------------------------------ */

static struct stream *oldest(struct pin_link *head)
{
    return pin_link_is_empty(head) ? NULL : container_of(head->next, struct stream, by_age);
}

static void count(struct pin_stat *stat)
{
    pin_stat_add(stat, 1);
}

static void leave_origin(struct pin_tcp *tcp, struct stream *stream)
{
    if (stream->origin != NULL) {
        pin_link_remove(&stream->by_origin);
        pin_origins_leave(&tcp->origins, stream->origin, tcp->now_ms);
        stream->origin = NULL;
    }
}

static void count_spent(struct pin_tcp *tcp, const struct stream *stream)
{
    if (pin_conn_is_spent(&stream->conn)) {
        count(&tcp->worker.stats.n_query_limit);
    }
}

/* Closes a stream now; its memory goes at the end of the round, since events may still name it. */
static void close_stream(struct pin_tcp *tcp, struct stream *stream)
{
    if (stream->conn.fd < 0) {
        return;
    }
    if (stream->conn.is_shaking) {
        count(pin_tls_session_is_refused(stream->conn.tls) ? &tcp->worker.stats.n_handshakes_refused
                                                           : &tcp->worker.stats.n_tls_failed);
    }
    if (!stream->conn.is_lingering) {
        count_spent(tcp, stream);
    }
    pin_conn_done(&stream->conn);
    leave_origin(tcp, stream);
    pin_ids_drop(&tcp->ids, stream->back.stream_id);
    pin_link_remove(&stream->by_age);
    pin_link_remove(&stream->by_birth);
    stream->listener->n_open--;
    stream->next_dead = tcp->dead;
    tcp->dead = stream;
    atomic_fetch_sub_explicit(tcp->n_open, 1, memory_order_relaxed);
    pin_stat_set(&tcp->worker.stats.n_open, pin_stat_read(&tcp->worker.stats.n_open) - 1);
}

static void bury_dead(struct pin_tcp *tcp)
{
    while (tcp->dead != NULL) {
        struct stream *stream = tcp->dead;
        tcp->dead = stream->next_dead;
        free(stream);
    }
}

/* Tells epoll what the stream waits for, if that has changed. */
static void watch(struct pin_tcp *tcp, struct stream *stream)
{
    bool is_sending = stream->conn.unsent.bytes > 0 || stream->conn.source != NULL;
    uint32_t events = is_sending ? EPOLLOUT : pin_conn_is_reading(&stream->conn) ? EPOLLIN : 0;
    if (events == stream->events) {
        return;
    }
    stream->events = events;
    struct epoll_event event = {.events = events, .data.ptr = &stream->source};
    if (epoll_ctl(tcp->epoll_fd, EPOLL_CTL_MOD, stream->conn.fd, &event) != 0) {
        close_stream(tcp, stream);
    }
}

/* Counts a handshake that is over, for everybody and for its origin. */
static void count_handshake(struct pin_tcp *tcp, struct stream *stream)
{
    struct pin_stats *stats = &tcp->worker.stats;
    bool is_resumed = pin_tls_session_is_resumed(stream->conn.tls);
    count(is_resumed ? &stats->n_tls_resumed : &stats->n_tls_full);
    pin_origins_did(&tcp->origins, stream->origin,
        is_resumed ? PIN_RATE_RESUMPTIONS : PIN_RATE_HANDSHAKES, tcp->now_ms);
}

/* Sees to a stream whose connection has moved on: its state was `before`, its deadline starts anew
 * if there was progress. */
static void move_on(
    struct pin_tcp *tcp, struct stream *stream, enum pin_conn_state before, bool is_progress)
{
    enum pin_conn_state now = stream->conn.state;
    if (stream->conn.tls != NULL && !stream->conn.is_shaking && !stream->has_shaken) {
        stream->has_shaken = true;
        count_handshake(tcp, stream);
    }
    if (now == PIN_CONN_CLOSED) {
        close_stream(tcp, stream);
        return;
    }
    if (now == PIN_CONN_LINGERING && before != now) {
        count_spent(tcp, stream);
    }
    if (is_progress || now != before) {
        stream->since_ms = tcp->now_ms;
        if (stream->origin != NULL) {
            pin_link_to_end(&stream->origin->streams, &stream->by_origin);
        }
    }
    if (now != before) {
        pin_link_remove(&stream->by_age);
        pin_link_append(&tcp->waits[now], &stream->by_age);
    } else if (is_progress) {
        pin_link_to_end(&tcp->waits[now], &stream->by_age);
    }
    watch(tcp, stream);
}

/* --- letting in --------------------------------------------------------------------------- */

/* Whoever has been quiet for longest makes room; whoever has ended first, then whoever is idle.
 * False: nobody is here. */
static bool evict_oldest(struct pin_tcp *tcp)
{
    for (size_t i = 0; i < N_ELEMS(tcp->waits); i++) {
        size_t state = i == 0 ? PIN_CONN_LINGERING : i - 1; /* the last one of them */
        struct stream *stream = oldest(&tcp->waits[state]);
        if (stream != NULL) {
            count(&tcp->worker.stats.n_evicted);
            close_stream(tcp, stream);
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
        close_stream(tcp, container_of(origin->streams.next, struct stream, by_origin));
    }
}

/* Makes room for one more in all; a thread that has none takes one in any case. */
static void make_room(struct pin_tcp *tcp)
{
    if (atomic_load_explicit(tcp->n_open, memory_order_relaxed) >= tcp->limits.n_max) {
        (void)evict_oldest(tcp);
    }
}

/* Gives a connection its TLS session, if it is to have one. What kinds of handshake its origin may
 * have is said beforehand: the costly part comes right behind the client's first words. */
static bool prepare_tls(struct pin_tcp *tcp, struct stream *stream)
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

/* Lets a stream in as one of its peer's, within the limits of each. False: it has to go. */
static bool admit(struct pin_tcp *tcp, struct stream *stream)
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

/* --- events ------------------------------------------------------------------------------- */

/* Reads a PROXY header, and lets the stream in as what it says. */
static void on_greeting(struct pin_tcp *tcp, struct stream *stream)
{
    struct pin_proxy proxy;
    enum pin_proxy_verdict verdict = pin_conn_greet(&stream->conn, &tcp->buffers, &proxy);
    if (verdict == PIN_PROXY_MORE) {
        return; /* and the deadline stays */
    }
    if (verdict == PIN_PROXY_INNER) {
        stream->peer = proxy.source;
    } else if (verdict == PIN_PROXY_BAD) {
        count(&tcp->worker.stats.n_bad_proxy);
    }
    if (verdict == PIN_PROXY_BAD || !admit(tcp, stream)) {
        close_stream(tcp, stream);
        return;
    }
    (void)pin_conn_begin(&stream->conn, &tcp->worker, &tcp->buffers);
    move_on(tcp, stream, PIN_CONN_SHAKING, true);
}

static void on_stream(struct pin_tcp *tcp, struct stream *stream, uint32_t events)
{
    if (stream->conn.fd < 0) {
        return; /* closed earlier in this round */
    }
    if (stream->events == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0) {
        close_stream(tcp, stream); /* nobody is left for what is pending */
        return;
    }
    if (stream->conn.is_greeting) {
        on_greeting(tcp, stream);
        return;
    }
    enum pin_conn_state before = stream->conn.state;
    uint32_t unsent_at = stream->conn.unsent_at;
    size_t n_answered = pin_conn_on_event(&stream->conn, &tcp->worker, &tcp->buffers);
    /* A byte more of the same query is no progress: the deadline is for the message. */
    move_on(tcp, stream, before,
        n_answered > 0 || (before == PIN_CONN_WRITING && stream->conn.unsent_at != unsent_at));
}

/* --- late answers ------------------------------------------------------------------------- */

/* Takes one late answer, and sends what has come together when the next one is another stream's. */
static void on_late(struct pin_tcp *tcp, const struct pin_late *late)
{
    struct stream *stream = pin_ids_find(&tcp->ids, late->stream_id);
    if (stream == NULL) {
        return; /* closed meanwhile */
    }
    pin_conn_on_late(&stream->conn, &tcp->buffers, late);
    if (late->next == NULL || late->next->stream_id != late->stream_id) {
        enum pin_conn_state before = stream->conn.state;
        size_t n_answered = pin_conn_settle(&stream->conn, &tcp->worker, &tcp->buffers);
        move_on(tcp, stream, before, n_answered > 0 || before == PIN_CONN_PENDING);
    }
}

static void on_mail(struct pin_tcp *tcp)
{
    struct pin_late *late = pin_mailbox_take(&tcp->mailbox);
    while (late != NULL) {
        struct pin_late *next = late->next;
        on_late(tcp, late);
        free(late);
        late = next;
    }
}

/* --- accepting ---------------------------------------------------------------------------- */

/* Makes room, fills a stream and has it watched. False: it is the caller's, as it was. */
static bool install(struct pin_tcp *tcp, struct stream *stream)
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

static struct stream *new_stream(
    struct pin_tcp *tcp, struct listener *listener, int fd, const union pin_proxy_peer *peer)
{
    struct stream *stream = calloc(1, sizeof(*stream));
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
        .transport = transport_of(&listener->listen),
        .back = &stream->back,
    };
    return stream;
}

/* Whether the listener takes one more, from that address. */
static bool is_welcome(
    struct pin_tcp *tcp, const struct listener *listener, const union pin_proxy_peer *peer)
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
static bool receive_stream(struct pin_tcp *tcp, struct stream *stream)
{
    if (stream->listener->listen.proxy.n > 0) {
        stream->conn.is_greeting = true;
        stream->conn.state = PIN_CONN_SHAKING;
        return true;
    }
    return admit(tcp, stream);
}

/* Takes an accepted socket in. False: it was turned away, and is still the caller's. */
static bool add_stream(
    struct pin_tcp *tcp, struct listener *listener, int fd, const union pin_proxy_peer *peer)
{
    struct stream *stream =
        is_welcome(tcp, listener, peer) ? new_stream(tcp, listener, fd, peer) : NULL;
    if (stream == NULL) {
        return false;
    }
    if (receive_stream(tcp, stream) && install(tcp, stream)) {
        return true;
    }
    leave_origin(tcp, stream);
    pin_tls_session_free(stream->conn.tls);
    free(stream);
    return false;
}

/* Switches all listeners on or off. */
static void accept_from(struct pin_tcp *tcp, uint32_t events)
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
        accept_from(tcp, 0);
        tcp->accept_again_ms = tcp->now_ms + ACCEPT_PAUSE_MS;
    }
}

static void on_listener(struct pin_tcp *tcp, struct listener *listener)
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

/* --- the loop ----------------------------------------------------------------------------- */

/* Closes what has waited too long; each list is ordered, so only what is due is looked at. */
static void close_overdue(struct pin_tcp *tcp)
{
    for (enum pin_conn_state state = 0; state < N_ELEMS(tcp->waits); state++) {
        for (struct stream *stream = oldest(&tcp->waits[state]);
             stream != NULL
             && tcp->now_ms - stream->since_ms >= pin_patience_ms(&tcp->limits, state);
             stream = oldest(&tcp->waits[state])) {
            pin_patience_count(&tcp->worker.stats, state);
            close_stream(tcp, stream);
        }
    }
}

static struct stream *first_born(struct pin_tcp *tcp)
{
    return pin_link_is_empty(&tcp->births)
               ? NULL
               : container_of(tcp->births.next, struct stream, by_birth);
}

/* Has connections end whose time is over: what they asked is still answered. */
static void end_old(struct pin_tcp *tcp)
{
    for (struct stream *stream = first_born(tcp);
         stream != NULL && tcp->now_ms - stream->born_ms >= tcp->limits.max_duration_ms;
         stream = first_born(tcp)) {
        enum pin_conn_state before = stream->conn.state;
        pin_link_remove(&stream->by_birth);
        count(&tcp->worker.stats.n_time_limit);
        pin_conn_end(&stream->conn, &tcp->buffers);
        move_on(tcp, stream, before, false);
    }
}

/* Milliseconds until something is due; -1: nothing is. */
static int next_due_ms(struct pin_tcp *tcp)
{
    int64_t due_ms = tcp->accept_again_ms != 0 ? tcp->accept_again_ms : INT64_MAX;
    const struct stream *born = first_born(tcp);
    if (born != NULL) {
        due_ms = PIN_MIN(due_ms, born->born_ms + tcp->limits.max_duration_ms);
    }
    for (enum pin_conn_state state = 0; state < N_ELEMS(tcp->waits); state++) {
        const struct stream *stream = oldest(&tcp->waits[state]);
        if (stream != NULL) {
            int64_t over_ms = stream->since_ms + pin_patience_ms(&tcp->limits, state);
            due_ms = PIN_MIN(due_ms, over_ms);
        }
    }
    if (due_ms == INT64_MAX) {
        return -1;
    }
    int64_t left_ms = due_ms - tcp->now_ms;
    return left_ms < 0 ? 0 : (int)PIN_MIN(left_ms, INT32_MAX);
}

/* `source` is the first member of what it belongs to. */
static void on_event(struct pin_tcp *tcp, void *source, uint32_t events)
{
    switch (*(const enum source *)source) {
    case PIN_TCP_STOP:
        tcp->is_stopping = true;
        break;
    case PIN_TCP_MAIL:
        on_mail(tcp);
        break;
    case PIN_TCP_LISTENER:
        on_listener(tcp, source);
        break;
    case PIN_TCP_STREAM:
        on_stream(tcp, source, events);
        break;
    }
}

/* Whether an event is about somebody who is not let in yet. */
static bool is_outside(const enum source *source)
{
    return *source == PIN_TCP_LISTENER
           || (*source == PIN_TCP_STREAM && ((const struct stream *)source)->conn.is_shaking);
}

/* Whether it is somebody's turn in this round. What has to wait epoll tells again. */
static bool has_turn(struct pin_tcp *tcp, enum source *source)
{
    struct stream *stream = (struct stream *)source;
    if (*source != PIN_TCP_STREAM || stream->origin == NULL) {
        return true; /* a listener; or it is closed, or its header is to come */
    }
    if (tcp->n_handshakes == HANDSHAKES_MAX || stream->origin->round == tcp->round) {
        return false;
    }
    tcp->n_handshakes++;
    stream->origin->round = tcp->round;
    return true;
}

/* Serves what is ready: who has been let in comes first. */
static void serve_ready(struct pin_tcp *tcp, struct epoll_event *events, int n_events)
{
    int n_outside = 0;
    tcp->round++;
    tcp->n_handshakes = 0;
    for (int i = 0; i < n_events; i++) {
        if (is_outside(events[i].data.ptr)) {
            events[n_outside++] = events[i];
        } else {
            on_event(tcp, events[i].data.ptr, events[i].events);
        }
    }
    for (int i = 0; i < n_outside; i++) {
        if (has_turn(tcp, events[i].data.ptr)) {
            on_event(tcp, events[i].data.ptr, events[i].events);
        }
    }
}

/* One round: waits offline, then serves as an RCU reader. */
static void serve(struct pin_tcp *tcp)
{
    struct epoll_event events[EVENTS_MAX];
    int n_events = epoll_wait(tcp->epoll_fd, events, EVENTS_MAX, next_due_ms(tcp));
    tcp->now_ms = pin_clock_mono_ms();
    pin_rcu_online();
    serve_ready(tcp, events, n_events);
    pin_rcu_offline();
    if (tcp->accept_again_ms != 0 && tcp->now_ms >= tcp->accept_again_ms) {
        tcp->accept_again_ms = 0;
        accept_from(tcp, EPOLLIN);
    }
    close_overdue(tcp);
    end_old(tcp);
    pin_origins_forget(&tcp->origins, tcp->now_ms);
    bury_dead(tcp);
}

static void *run(void *arg)
{
    struct pin_tcp *tcp = arg;
    pin_thread_be_prompt();
    pin_rcu_register();
    pin_rcu_offline();
    tcp->now_ms = pin_clock_mono_ms();
    while (!tcp->is_stopping) {
        serve(tcp);
    }
    pin_rcu_unregister();
    return NULL;
}

/* --- life --------------------------------------------------------------------------------- */

static enum pin_err watch_source(
    struct pin_tcp *tcp, int fd, struct epoll_event event, struct pin_why *why)
{
    if (epoll_ctl(tcp->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return pin_why_errno(why, errno, "watch a listening socket");
    }
    return PIN_OK;
}

static enum pin_err open_epoll(
    struct pin_tcp *tcp, const struct pin_tcp_config *config, struct pin_why *why)
{
    tcp->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tcp->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    tcp->listeners = calloc(config->n_listens, sizeof(*tcp->listeners));
    if (tcp->epoll_fd < 0 || tcp->stop_fd < 0 || tcp->listeners == NULL) {
        return pin_why_errno(why, errno, "prepare a TCP thread");
    }
    enum pin_err err = watch_source(tcp, tcp->stop_fd,
        (struct epoll_event){.events = EPOLLIN, .data.ptr = &tcp->stop_source}, why);
    if (err == PIN_OK) {
        err = watch_source(tcp, tcp->mailbox.wake_fd,
            (struct epoll_event){.events = EPOLLIN, .data.ptr = &tcp->mail_source}, why);
    }
    for (size_t i = 0; i < config->n_listens && err == PIN_OK; i++) {
        tcp->listeners[i] =
            (struct listener){.source = PIN_TCP_LISTENER, .listen = config->listens[i]};
        tcp->n_listeners++;
        err = watch_source(tcp, config->listens[i].fd,
            (struct epoll_event){.events = EPOLLIN, .data.ptr = &tcp->listeners[i].source}, why);
        if (err == PIN_OK && config->listens[i].https_path != NULL && tcp->http == NULL) {
            err = pin_https_shared_new(&tcp->worker.stats, &tcp->http, why);
        }
    }
    return err;
}

/* Frees a thread that does not run. */
static void free_tcp(struct pin_tcp *tcp)
{
    while (evict_oldest(tcp)) {
    }
    bury_dead(tcp);
    pin_origins_done(&tcp->origins);
    pin_mailbox_done(&tcp->mailbox);
    pin_https_shared_free(tcp->http);
    pin_ids_done(&tcp->ids);
    if (tcp->epoll_fd >= 0) {
        (void)close(tcp->epoll_fd);
    }
    if (tcp->stop_fd >= 0) {
        (void)close(tcp->stop_fd);
    }
    free(tcp->listeners);
    pin_worker_done(&tcp->worker);
    free(tcp);
}

enum pin_err pin_tcp_start(
    const struct pin_tcp_config *config, struct pin_tcp **ret_tcp, struct pin_why *why)
{
    struct pin_tcp *tcp = aligned_alloc(_Alignof(struct pin_tcp), sizeof(*tcp));
    if (tcp == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "buffers of a TCP thread");
    }
    memset(
        tcp, 0, offsetof(struct pin_tcp, buffers)); /* these take no memory until they are used */
    tcp->buffers.out_bytes = 0;
    tcp->epoll_fd = -1;
    tcp->stop_fd = -1;
    tcp->stop_source = PIN_TCP_STOP;
    tcp->mail_source = PIN_TCP_MAIL;
    tcp->limits = config->limits;
    tcp->n_open = config->n_open;
    for (size_t state = 0; state < N_ELEMS(tcp->waits); state++) {
        pin_link_init(&tcp->waits[state]);
    }
    pin_link_init(&tcp->births);
    pin_origins_init(&tcp->origins, config->limits.rates);
    enum pin_err err =
        pin_worker_init(&tcp->worker, config->live, PIN_TRANSPORT_TCP, config->thread_i);
    tcp->worker.keys = config->keys;
    tcp->worker.transfers = config->transfers;
    tcp->worker.forward = config->forward;
    if (config->manners != NULL) {
        tcp->worker.manners = config->manners;
    }
    tcp->worker.tap = pin_tapper_join(config->tapper);
    if (err == PIN_OK) {
        err = pin_mailbox_init(&tcp->mailbox, why);
    }
    if (err == PIN_OK) {
        err = open_epoll(tcp, config, why);
    }
    if (err == PIN_OK) {
        err = pin_worker_spawn(&tcp->thread, "pintle-tcp", run, tcp, why);
    }
    if (err != PIN_OK) {
        free_tcp(tcp);
        return err;
    }
    *ret_tcp = tcp;
    return PIN_OK;
}

void pin_tcp_stop(struct pin_tcp *tcp)
{
    if (tcp == NULL) {
        return;
    }
    if (eventfd_write(tcp->stop_fd, 1) == 0) {
        (void)pthread_join(tcp->thread, NULL);
    }
    free_tcp(tcp);
}

const struct pin_stats *pin_tcp_stats(const struct pin_tcp *tcp)
{
    return &tcp->worker.stats;
}

struct pin_audit_ring *pin_tcp_audit(struct pin_tcp *tcp)
{
    return &tcp->worker.audit;
}
