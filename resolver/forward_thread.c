/* SPDX-License-Identifier: Apache-2.0 */

/* The loop of a forward thread: questions from rings, messages from resolvers, deadlines. */

#include "forward_thread.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/thread.h"

#include "forward_run.h"

#define EVENTS_MAX  64
#define WAIT_MAX_MS 1000
/* Questions taken from one ring before the sockets have their turn. */
#define TAKES_MAX 64

/* --- what the files of the thread share ----------------------------------------------------- */

uint16_t pin_forward_random16(struct pin_forward_thread *thread)
{
    if (thread->n_random_left < sizeof(uint16_t)) {
        pin_rand_secure(thread->random, sizeof(thread->random));
        thread->n_random_left = sizeof(thread->random);
    }
    thread->n_random_left -= sizeof(uint16_t);
    uint16_t value = 0;
    memcpy(&value, thread->random + thread->n_random_left, sizeof(value));
    memset(thread->random + thread->n_random_left, 0, sizeof(value));
    return value;
}

bool pin_forward_watch(
    struct pin_forward_thread *thread, struct pin_forward_source *source, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(thread->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0
           || (errno == EEXIST && epoll_ctl(thread->epoll_fd, EPOLL_CTL_MOD, fd, &event) == 0);
}

void pin_forward_bury(struct pin_forward_thread *thread, struct pin_forward_source *source)
{
    source->next_dead = thread->dead;
    thread->dead = source;
}

static void free_dead(struct pin_forward_thread *thread)
{
    while (thread->dead != NULL) {
        struct pin_forward_source *source = thread->dead;
        thread->dead = source->next_dead;
        free(source);
    }
}

void pin_forward_on_loop(struct pin_forward_thread *thread, size_t index)
{
    char address[PIN_ADDRPORT_TEXT_MAX];
    pin_stat_add(&thread->stats.n_loops, 1);
    if (index >= thread->n_upstreams
        || atomic_exchange_explicit(&thread->forward->loops[index], true, memory_order_relaxed)) {
        return;
    }
    pin_log_error("forward: resolver %s sends our questions back to us: it is not asked any more",
        pin_addrport_format(&thread->upstreams[index].spec->address, address));
}

/* --- the loop ------------------------------------------------------------------------------ */

static void on_wake(
    struct pin_forward_source *source, struct pin_forward_thread *thread, uint32_t events)
{
    eventfd_t n_wakes;
    (void)source;
    (void)events;
    (void)eventfd_read(thread->wake_fd, &n_wakes); /* before the rings are looked at */
}

/* Takes some of what each ring has. True: there may be more. */
static bool take_some(struct pin_forward_thread *thread)
{
    struct pin_forward *forward = thread->forward;
    bool has_more = false;
    for (size_t i = 0; i < forward->n_ports; i++) {
        struct pin_ring *ring = forward->ports[i].rings[thread->thread_i];
        struct pin_miss *miss = pin_ring_take(ring);
        for (int n = 0; n < TAKES_MAX && miss != NULL; n++) {
            pin_ask_take(thread, miss);
            pin_ring_release(ring);
            miss = pin_ring_take(ring);
        }
        has_more = has_more || miss != NULL;
    }
    return has_more;
}

/* Whatever has come, whatever is due. True: there may be more to take at once. */
static bool turn(struct pin_forward_thread *thread, const struct epoll_event *events, int n_events)
{
    thread->now_ms = pin_clock_mono_ms();
    thread->port->now_ms = thread->now_ms;
    for (size_t i = 0; i < thread->n_upstreams; i++) {
        thread->upstreams[i].is_loop =
            atomic_load_explicit(&thread->forward->loops[i], memory_order_relaxed);
    }
    for (int i = 0; i < n_events; i++) {
        struct pin_forward_source *source = events[i].data.ptr;
        source->on_event(source, thread, events[i].events);
    }
    if (atomic_exchange_explicit(&thread->has_orders, false, memory_order_acquire)) {
        pin_forward_obey(thread);
    }
    bool has_more = take_some(thread);
    pin_timers_run(&thread->timers, thread->now_ms, thread);
    free_dead(thread);
    return has_more;
}

static void look_for_loops(struct pin_forward_thread *thread)
{
    thread->has_looked = true;
    for (size_t i = 0; i < thread->n_upstreams && thread->thread_i == 0; i++) {
        pin_upstream_look_for_loop(&thread->upstreams[i]);
    }
}

bool pin_forward_thread_turn(struct pin_forward_thread *thread, int wait_ms)
{
    struct epoll_event events[EVENTS_MAX];
    pin_rcu_offline();
    int n_events = epoll_wait(thread->epoll_fd, events, EVENTS_MAX, wait_ms);
    pin_rcu_online();
    if (pin_worker_take_basis(&thread->worker) && !thread->has_looked) {
        look_for_loops(thread); /* by now what comes back comes to us */
    }
    return turn(thread, events, n_events);
}

static bool is_stopping(struct pin_forward_thread *thread)
{
    return atomic_load_explicit(&thread->is_stopping, memory_order_acquire);
}

static void *run(void *arg)
{
    struct pin_forward_thread *thread = arg;
    bool has_more = false;
    pin_thread_be_prompt();
    pin_rcu_register();
    thread->now_ms = pin_clock_mono_ms();
    if (!thread->forward->config.awaits_basis) {
        look_for_loops(thread);
    }
    while (!is_stopping(thread)) {
        int wait_ms =
            has_more ? 0 : pin_timers_wait_ms(&thread->timers, pin_clock_mono_ms(), WAIT_MAX_MS);
        has_more = pin_forward_thread_turn(thread, wait_ms);
    }
    pin_rcu_unregister();
    return NULL;
}

/* --- life ---------------------------------------------------------------------------------- */

static enum pin_err init_upstreams(struct pin_forward_thread *thread, struct pin_why *why)
{
    const struct pin_forward_config *config = &thread->forward->config;
    enum pin_err err = PIN_OK;
    size_t n = 0;
    for (size_t i = 0; i < config->n_zones; i++) {
        thread->first_upstream[i] = n;
        n += config->zones[i].n_upstreams;
    }
    thread->upstreams = calloc(n + 1, sizeof(*thread->upstreams));
    if (thread->upstreams == NULL || !pin_timers_reserve(&thread->timers, 2 * n)) {
        return pin_why_set(why, PIN_ENOMEM, "%zu resolvers", n);
    }
    for (size_t i = 0; i < config->n_zones; i++) {
        const struct pin_forward_zone *zone = &config->zones[i];
        for (size_t u = 0; u < zone->n_upstreams && err == PIN_OK; u++) {
            struct pin_upstream *upstream = &thread->upstreams[thread->n_upstreams];
            upstream->index = (uint16_t)thread->n_upstreams++;
            upstream->is_trusted = zone->is_trusted;
            upstream->mixes_case = zone->mixes_case;
            err = pin_upstream_init(upstream, thread, &zone->upstreams[u], why);
        }
    }
    return err;
}

enum pin_err pin_forward_thread_start(struct pin_forward *forward, uint32_t thread_i,
    struct pin_forward_thread **ret_thread, struct pin_why *why)
{
    struct pin_forward_thread *thread =
        aligned_alloc(_Alignof(struct pin_forward_thread), sizeof(*thread));
    if (thread == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a forward thread");
    }
    memset(thread, 0, sizeof(*thread));
    thread->forward = forward;
    thread->thread_i = thread_i;
    thread->port = &forward->ports[forward->config.n_ports + thread_i];
    thread->wake.on_event = on_wake;
    thread->wake_fd = forward->wake_fds[thread_i];
    thread->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    *ret_thread = thread;
    thread->reply = pin_reply_new();
    if (thread->reply == NULL || thread->epoll_fd < 0
        || !pin_forward_watch(thread, &thread->wake, thread->wake_fd, EPOLLIN)) {
        return pin_why_set(why, PIN_ENOMEM, "a forward thread");
    }
    enum pin_err err = init_upstreams(thread, why);
    if (err == PIN_OK) {
        err = pin_worker_init(&thread->worker, forward->config.live, PIN_TRANSPORT_UDP,
            forward->config.thread_i + thread_i);
        thread->worker.forward = thread->port;
    }
    if (err == PIN_OK) {
        err = pin_worker_spawn(&thread->thread, "pintle-forward", run, thread, why);
        thread->is_started = err == PIN_OK;
    }
    return err;
}

void pin_forward_thread_halt(struct pin_forward_thread *thread)
{
    if (thread == NULL || !thread->is_started) {
        return;
    }
    atomic_store_explicit(&thread->is_stopping, true, memory_order_release);
    (void)eventfd_write(thread->wake_fd, 1);
    (void)pthread_join(thread->thread, NULL);
    thread->is_started = false;
}

void pin_forward_thread_free(struct pin_forward_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    pin_asks_drop(thread);
    for (size_t i = 0; i < thread->n_upstreams; i++) {
        pin_upstream_done(&thread->upstreams[i]);
    }
    free_dead(thread);
    free(thread->upstreams);
    pin_timers_done(&thread->timers);
    pin_map_done(&thread->askers, NULL);
    pin_reply_free(thread->reply);
    pin_worker_done(&thread->worker);
    if (thread->epoll_fd >= 0) {
        (void)close(thread->epoll_fd);
    }
    free(thread);
}
