/* SPDX-License-Identifier: Apache-2.0 */

/* Serves the streams of one worker: waits with deadlines, closes what is over. */

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
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/thread.h"

#include "patience.h"
#include "tcp_state.h"

#define EVENTS_MAX 256
/* TLS handshakes that are gone on with in one round, each of another client: one costs as much as
 * hundreds of answers. */
#define HANDSHAKES_MAX 4

/* --- streams ------------------------------------------------------------------------------ */

struct pin_tcp_stream *pin__tcp_oldest(struct pin_link *head)
{
    return pin_link_is_empty(head) ? NULL : container_of(head->next, struct pin_tcp_stream, by_age);
}

static void count(struct pin_stat *stat)
{
    pin_stat_add(stat, 1);
}

void pin__tcp_leave_origin(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    if (stream->origin != NULL) {
        pin_link_remove(&stream->by_origin);
        pin_origins_leave(&tcp->origins, stream->origin, tcp->now_ms);
        stream->origin = NULL;
    }
}

static void count_spent(struct pin_tcp *tcp, const struct pin_tcp_stream *stream)
{
    if (pin_conn_is_spent(&stream->conn)) {
        count(&tcp->worker.stats.n_query_limit);
    }
}

void pin__tcp_close(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
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
    pin__tcp_leave_origin(tcp, stream);
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
        struct pin_tcp_stream *stream = tcp->dead;
        tcp->dead = stream->next_dead;
        free(stream);
    }
}

/* Tells epoll what the stream waits for, if that has changed. */
static void watch(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    bool is_sending = stream->conn.unsent.bytes > 0 || stream->conn.source != NULL;
    uint32_t events = is_sending ? EPOLLOUT : pin_conn_is_reading(&stream->conn) ? EPOLLIN : 0;
    if (events == stream->events) {
        return;
    }
    stream->events = events;
    struct epoll_event event = {.events = events, .data.ptr = &stream->source};
    if (epoll_ctl(tcp->epoll_fd, EPOLL_CTL_MOD, stream->conn.fd, &event) != 0) {
        pin__tcp_close(tcp, stream);
    }
}

/* Counts a handshake that is over, for everybody and for its origin. */
static void count_handshake(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
{
    struct pin_stats *stats = &tcp->worker.stats;
    bool is_resumed = pin_tls_session_is_resumed(stream->conn.tls);
    count(is_resumed ? &stats->n_tls_resumed : &stats->n_tls_full);
    pin_origins_did(&tcp->origins, stream->origin,
        is_resumed ? PIN_RATE_RESUMPTIONS : PIN_RATE_HANDSHAKES, tcp->now_ms);
}

/* Sees to a stream whose connection has moved on: its state was `before`, its deadline starts anew
 * if there was progress. */
static void move_on(struct pin_tcp *tcp, struct pin_tcp_stream *stream, enum pin_conn_state before,
    bool is_progress)
{
    enum pin_conn_state now = stream->conn.state;
    if (stream->conn.tls != NULL && !stream->conn.is_shaking && !stream->has_shaken) {
        stream->has_shaken = true;
        count_handshake(tcp, stream);
    }
    if (now == PIN_CONN_CLOSED) {
        pin__tcp_close(tcp, stream);
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

/* --- events ------------------------------------------------------------------------------- */

/* Reads a PROXY header, and lets the stream in as what it says. */
static void on_greeting(struct pin_tcp *tcp, struct pin_tcp_stream *stream)
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
    if (verdict == PIN_PROXY_BAD || !pin__tcp_admit(tcp, stream)) {
        pin__tcp_close(tcp, stream);
        return;
    }
    (void)pin_conn_begin(&stream->conn, &tcp->worker, &tcp->buffers);
    move_on(tcp, stream, PIN_CONN_SHAKING, true);
}

static void on_stream(struct pin_tcp *tcp, struct pin_tcp_stream *stream, uint32_t events)
{
    if (stream->conn.fd < 0) {
        return; /* closed earlier in this round */
    }
    if (stream->events == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0) {
        pin__tcp_close(tcp, stream); /* nobody is left for what is pending */
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
    struct pin_tcp_stream *stream = pin_ids_find(&tcp->ids, late->stream_id);
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

/* --- the loop ----------------------------------------------------------------------------- */

/* Closes what has waited too long; each list is ordered, so only what is due is looked at. */
static void close_overdue(struct pin_tcp *tcp)
{
    for (enum pin_conn_state state = 0; state < N_ELEMS(tcp->waits); state++) {
        for (struct pin_tcp_stream *stream = pin__tcp_oldest(&tcp->waits[state]);
             stream != NULL
             && tcp->now_ms - stream->since_ms >= pin_patience_ms(&tcp->limits, state);
             stream = pin__tcp_oldest(&tcp->waits[state])) {
            pin_patience_count(&tcp->worker.stats, state);
            pin__tcp_close(tcp, stream);
        }
    }
}

static struct pin_tcp_stream *first_born(struct pin_tcp *tcp)
{
    return pin_link_is_empty(&tcp->births)
               ? NULL
               : container_of(tcp->births.next, struct pin_tcp_stream, by_birth);
}

/* Has connections end whose time is over: what they asked is still answered. */
static void end_old(struct pin_tcp *tcp)
{
    for (struct pin_tcp_stream *stream = first_born(tcp);
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
    const struct pin_tcp_stream *born = first_born(tcp);
    if (born != NULL) {
        due_ms = PIN_MIN(due_ms, born->born_ms + tcp->limits.max_duration_ms);
    }
    for (enum pin_conn_state state = 0; state < N_ELEMS(tcp->waits); state++) {
        const struct pin_tcp_stream *stream = pin__tcp_oldest(&tcp->waits[state]);
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

static void obey(struct pin_tcp *tcp)
{
    eventfd_t n = 0;
    (void)eventfd_read(tcp->stop_fd, &n);
    tcp->is_stopping = atomic_load(&tcp->is_ending);
    tcp->is_retired = true;
    pin__tcp_accept_from(tcp, 0);
}

/* `source` is the first member of what it belongs to. */
static void on_event(struct pin_tcp *tcp, void *source, uint32_t events)
{
    switch (*(const enum pin_tcp_source *)source) {
    case PIN_TCP_STOP:
        obey(tcp);
        break;
    case PIN_TCP_MAIL:
        on_mail(tcp);
        break;
    case PIN_TCP_LISTENER:
        pin__tcp_accept(tcp, source);
        break;
    case PIN_TCP_STREAM:
        on_stream(tcp, source, events);
        break;
    }
}

/* Whether an event is about somebody who is not let in yet. */
static bool is_outside(const enum pin_tcp_source *source)
{
    return *source == PIN_TCP_LISTENER
           || (*source == PIN_TCP_STREAM
               && ((const struct pin_tcp_stream *)source)->conn.is_shaking);
}

/* Whether it is somebody's turn in this round. What has to wait epoll tells again. */
static bool has_turn(struct pin_tcp *tcp, enum pin_tcp_source *source)
{
    struct pin_tcp_stream *stream = (struct pin_tcp_stream *)source;
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
    (void)pin_worker_take_basis(&tcp->worker);
    serve_ready(tcp, events, n_events);
    pin_rcu_offline();
    if (tcp->accept_again_ms != 0 && tcp->now_ms >= tcp->accept_again_ms) {
        tcp->accept_again_ms = 0;
        pin__tcp_accept_from(tcp, tcp->is_retired ? 0 : EPOLLIN);
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
    pin_worker_wait(tcp->gate_fd);
    tcp->is_stopping = atomic_load(&tcp->is_ending);
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
            (struct pin_tcp_listener){.source = PIN_TCP_LISTENER, .listen = config->listens[i]};
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
    while (pin__tcp_evict(tcp)) {
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
    tcp->gate_fd = config->gate_fd;
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
    tcp->worker.port_i = config->thread_i;
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

void pin_tcp_retire(struct pin_tcp *tcp)
{
    if (tcp != NULL) {
        (void)eventfd_write(tcp->stop_fd, 1);
    }
}

void pin_tcp_halt(struct pin_tcp *tcp)
{
    if (tcp != NULL) {
        atomic_store(&tcp->is_ending, true); /* it is woken by pin_tcp_stop() */
    }
}

void pin_tcp_stop(struct pin_tcp *tcp)
{
    if (tcp == NULL) {
        return;
    }
    pin_tcp_halt(tcp);
    if (eventfd_write(tcp->stop_fd, 1) == 0) {
        (void)pthread_join(tcp->thread, NULL);
    }
    free_tcp(tcp);
}

struct pin_worker *pin_tcp_worker(struct pin_tcp *tcp)
{
    return &tcp->worker;
}

const struct pin_stats *pin_tcp_stats(const struct pin_tcp *tcp)
{
    return &tcp->worker.stats;
}

struct pin_audit_ring *pin_tcp_audit(struct pin_tcp *tcp)
{
    return &tcp->worker.audit;
}
