/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The RCU door over locks, for builds with PIN_RCU_LOCKED; empty in all others.
 *
 * One rwlock stands for all grace periods: an online thread holds it for reading, and who has held
 * it for writing knows that every reader has let go since. It prefers writers, so a quiescent point
 * (let go, take again) lets a waiting writer pass. Nobody holds the write side while doing anything
 * else.
 */

#include "pintle/base/rcu.h"

#ifdef PIN_RCU_LOCKED

#include <pthread.h>
#include <signal.h>

static pthread_rwlock_t grace = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;
static _Thread_local bool is_online;

void pin_rcu_online(void)
{
    if (!is_online) {
        (void)pthread_rwlock_rdlock(&grace);
        is_online = true;
    }
}

void pin_rcu_offline(void)
{
    if (is_online) {
        is_online = false;
        (void)pthread_rwlock_unlock(&grace);
    }
}

bool pin_rcu_is_online(void)
{
    return is_online;
}

void pin_rcu_register(void)
{
    pin_rcu_online();
}

void pin_rcu_unregister(void)
{
    pin_rcu_offline();
}

void pin_rcu_quiescent(void)
{
    pin_rcu_offline();
    pin_rcu_online();
}

static void wait_for_readers(void)
{
    (void)pthread_rwlock_wrlock(&grace);
    (void)pthread_rwlock_unlock(&grace);
}

void pin_rcu_synchronize(void)
{
    bool was_online = is_online;
    pin_rcu_offline();
    wait_for_readers();
    if (was_online) {
        pin_rcu_online();
    }
}

/* --- Deferred frees: a list, and a thread that waits for readers and works it off ----------------
 */

static pthread_mutex_t defer_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t defer_changed = PTHREAD_COND_INITIALIZER;
static pthread_once_t defer_once = PTHREAD_ONCE_INIT;
static struct pin_rcu_head *defer_first; /* newest first */
static uint64_t n_deferred;
static uint64_t n_freed;

static struct pin_rcu_head *reverse(struct pin_rcu_head *head)
{
    struct pin_rcu_head *reversed = NULL;
    while (head != NULL) {
        struct pin_rcu_head *next = head->next;
        head->next = reversed;
        reversed = head;
        head = next;
    }
    return reversed;
}

__attribute__((noreturn)) static void *run_deferred(void *arg)
{
    (void)arg;
    for (;;) {
        (void)pthread_mutex_lock(&defer_lock);
        while (defer_first == NULL) {
            (void)pthread_cond_wait(&defer_changed, &defer_lock);
        }
        struct pin_rcu_head *head = reverse(defer_first);
        uint64_t n_after = n_deferred;
        defer_first = NULL;
        (void)pthread_mutex_unlock(&defer_lock);

        wait_for_readers();
        while (head != NULL) {
            struct pin_rcu_head *next = head->next;
            head->func(head);
            head = next;
        }
        (void)pthread_mutex_lock(&defer_lock);
        n_freed = n_after;
        (void)pthread_cond_broadcast(&defer_changed);
        (void)pthread_mutex_unlock(&defer_lock);
    }
}

static void start_deferring(void)
{
    pthread_t thread;
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, run_deferred, NULL) != 0) {
        abort(); /* nothing could ever be freed */
    }
    (void)pthread_detach(thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void pin_rcu_init(void)
{
    (void)pthread_once(&defer_once, start_deferring);
}

void pin_rcu_defer(struct pin_rcu_head *head, void (*fn)(struct pin_rcu_head *head))
{
    pin_rcu_init();
    head->func = fn;
    (void)pthread_mutex_lock(&defer_lock);
    head->next = defer_first;
    defer_first = head;
    n_deferred++;
    (void)pthread_cond_broadcast(&defer_changed);
    (void)pthread_mutex_unlock(&defer_lock);
}

void pin_rcu_barrier(void)
{
    bool was_online = is_online;
    pin_rcu_offline();
    (void)pthread_mutex_lock(&defer_lock);
    uint64_t target = n_deferred;
    while (n_freed < target) {
        (void)pthread_cond_wait(&defer_changed, &defer_lock);
    }
    (void)pthread_mutex_unlock(&defer_lock);
    if (was_online) {
        pin_rcu_online();
    }
}

#endif
