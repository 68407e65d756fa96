/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Forward thread: what it owns, shared by the files it is made of.
 *
 *     forward_thread.c  the loop: rings, sockets, deadlines, grace periods
 *     forward_ask.c     questions under way: one per key, tries, verdicts, failures
 *     forward_share.c   how many of them one client may have
 *     forward_wait.c    who waits for them, and their answers
 *     upstream*.c       resolvers: health, sockets, connections
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/hash.h"
#include "pintle/base/rcu.h"
#include "pintle/base/stat.h"

#include "cache.h"
#include "forward.h"
#include "reply.h"
#include "upstream.h"
#include "worker.h"

/** Questions under way at once, per thread. */
#define PIN_ASKS_MAX 4096u
/** Clients that wait, per thread. */
#define PIN_WAITERS_MAX 16384u
/** Questions under way for one client, of all threads together, and never more than an eighth of
 * what a thread takes; as many more wait their turn. As Unbound's wait-limit. */
#define PIN_ASKS_PER_CLIENT 1000u
/** The same for a trusted forwarder, behind whom are many: at most a quarter. */
#define PIN_ASKS_PER_FORWARDER 4000u
/** Random bytes of the label that shows a loop. */
#define PIN_LOOP_LABEL_BYTES 16u

/** What a forward thread counts. */
#define PIN_FORWARD_EVENT_MAP(X)                                                                   \
    X(n_asks, "questions asked upstream, however often they were tried")                           \
    X(n_joined, "queries that joined a question under way")                                        \
    X(n_refreshes, "popular answers renewed before they expired")                                  \
    X(n_failed, "questions that nobody answered")                                                  \
    X(n_stale, "queries answered with expired data by a forward thread")                           \
    X(n_parked, "questions that waited because one client had too many")                           \
    X(n_rejected, "queries refused because too many were waiting")                                 \
    X(n_send_errors, "late answers that the kernel did not take")                                  \
    X(n_loops, "questions that came back to us")

/** Counters of one thread. */
struct pin_forward_stats {
    PIN_STAT_ALIGNED struct pin_stat n_pending; /**< Gauge: questions under way. */
    struct pin_stat n_waiting;                  /**< Gauge: who waits for an answer. */
#define X(name, text) struct pin_stat name;
    PIN_FORWARD_EVENT_MAP(X)
#undef X
};

/** One client's query that waits. */
struct pin_waiter;

/** A client address that has questions under way. */
struct pin_asker_count;

/** A question under way. */
struct pin_ask {
    struct pin_ask *next_in_bucket;
    struct pin_cache_key key; /**< Its name is `name`. */
    struct pin_deadline deadline;
    struct pin_waiter *waiters; /**< The newest first. */
    struct pin_attempt *attempts;
    struct pin_asker_count *asker; /**< For whom it counts; NULL: for nobody. */
    struct pin_ask *next_parked;
    struct pin_forward_thread *thread;
    int64_t try_ms;   /**< When the next try is due. */
    int64_t stale_ms; /**< When who waits gets what is expired. */
    int64_t fail_ms;  /**< When it is over. */
    int64_t end_ms;   /**< Until when a late reply is still taken. */
    uint32_t n_waiters;
    uint16_t ede; /**< What a failure is told with. */
    uint8_t n_tries;
    uint8_t n_tries_of[PIN_UPSTREAMS_MAX];
    bool has_stale;
    bool is_failed; /**< Everybody was told; a late reply is still welcome. */
    bool is_parked;
    bool is_stale_shown;
    uint8_t name[PIN_NAME_MAX_BYTES];
};

#define PIN_ASK_BUCKETS 4096u

/** A thread's own. */
struct pin_forward_thread {
    struct pin_forward *forward;
    uint32_t thread_i;
    int epoll_fd;
    int wake_fd;
    struct pin_forward_source wake;
    atomic_bool is_stopping;
    atomic_bool has_orders;
    bool is_started;
    bool has_looked; /**< For loops. */
    pthread_t thread;
    int64_t now_ms;
    size_t n_asks;
    size_t n_waiters;
    struct pin_timers timers;
    struct pin_forward_source *dead;
    struct pin_map askers; /**< struct pin_ip -> struct pin_asker_count */
    struct pin_reply *reply;
    struct pin_upstream *upstreams; /**< Of all zones, in their order. */
    size_t n_upstreams;
    size_t first_upstream[PIN_FORWARD_ZONES_MAX]; /**< By zone. */
    size_t n_random_left;
    uint8_t random[1024];
    struct pin_forward_port *port; /**< Its own, for what answers lead to. */
    struct pin_worker worker;      /**< To answer with. */
    struct pin_forward_stats stats;
    struct pin_ask *asks[PIN_ASK_BUCKETS];
    uint8_t buffer[PIN_STREAM_MAX_BYTES]; /**< What comes in. */
    uint8_t answer[PIN_STREAM_MAX_BYTES]; /**< What goes out. */
};

/** What all threads are to forget. */
struct pin_forward_order {
    pthread_mutex_t mutex;
    pthread_cond_t done;
    struct pin_name name;
    uint64_t number; /**< Of orders so far. */
    size_t n_left;   /**< Threads that have not carried it out. */
    size_t n_removed;
    bool is_all;
    bool is_tree;
};

/** All of it. */
struct pin_forward {
    struct pin_forward_config config;
    struct pin_cache *cache;
    size_t n_threads;
    struct pin_forward_thread *threads[PIN_FORWARD_THREADS_MAX];
    size_t n_ports; /**< Those of the configuration, then one for each thread of ours. */
    struct pin_forward_port *ports;
    int wake_fds[PIN_FORWARD_THREADS_MAX]; /**< By thread. */
    uint8_t order[PIN_FORWARD_ZONES_MAX];  /**< Zones, the longest first. */
    struct pin_forward_order order_now;
    uint8_t loop_label[1 + PIN_LOOP_LABEL_BYTES]; /**< The last letters say which upstream. */
    atomic_bool *loops;                           /**< By upstream: what it is asked comes back. */
};

/** Secure random numbers, from the kernel by the kilobyte. */
uint16_t pin_forward_random16(struct pin_forward_thread *thread);

/** Watches a descriptor for `events`, or no more watches it as before. False: no memory. */
bool pin_forward_watch(
    struct pin_forward_thread *thread, struct pin_forward_source *source, int fd, uint32_t events);

/** Frees what begins with `source` when no event of this round can name it any more. */
void pin_forward_bury(struct pin_forward_thread *thread, struct pin_forward_source *source);

/** The question that shows a loop came back by way of upstream `index`. */
void pin_forward_on_loop(struct pin_forward_thread *thread, size_t index);

/** Makes the place for orders. */
enum pin_err pin_forward_order_init(struct pin_forward_order *order, struct pin_why *why);

/** Carries out the order that stands. */
void pin_forward_obey(struct pin_forward_thread *thread);

/** Takes a query, or a refresh, out of a ring. */
void pin_ask_take(struct pin_forward_thread *thread, const struct pin_miss *miss);

/** Ends all questions without an answer. */
void pin_asks_drop(struct pin_forward_thread *thread);

/* --- for whom: forward_share.c ---------------------------------------------------------------- */

/** Counts the question for the client that asked it first; it may have to wait its turn then, and
 * is parked. False: too many wait, or out of memory. */
bool pin_ask_join(struct pin_ask *ask, const struct sockaddr *peer);

/** The question is over for its client, whose next one may begin. */
void pin_ask_leave(struct pin_ask *ask);

/* --- who waits: forward_wait.c ---------------------------------------------------------------- */

/** Adds who asks to those who wait for `ask`. False: too many wait, or no memory. */
bool pin_waiter_add(
    struct pin_forward_thread *thread, struct pin_ask *ask, const struct pin_miss *miss);

/** Answers all who wait, and lets them go. */
void pin_waiters_answer(
    struct pin_forward_thread *thread, struct pin_ask *ask, const struct pin_outcome *outcome);

/** Lets them go without an answer. */
void pin_waiters_drop(struct pin_forward_thread *thread, struct pin_ask *ask);

/** Answers one query that need not wait, or cannot. */
void pin_miss_answer(struct pin_forward_thread *thread, const struct pin_miss *miss,
    const struct pin_outcome *outcome);
