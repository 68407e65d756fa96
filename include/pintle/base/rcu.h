/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * RCU: readers never wait, writers replace and free later. The one door to liburcu (QSBR flavour).
 *
 * The rules, for everybody:
 * - A thread that touches RCU data registers first, which makes it *online*, and unregisters before
 *   it ends. Writers are registered and online too while they touch a table.
 * - An online thread may keep a pointer from pin_rcu_deref() or a table until it says
 *   pin_rcu_quiescent() or goes offline. It must do one of both often: all frees wait for it.
 * - Before anything that may block (recvmmsg, epoll_wait, a condition variable) a thread goes
 * offline.
 * - What was unlinked is freed with pin_rcu_defer(), or after pin_rcu_synchronize().
 *
 * Licence: liburcu is LGPL 2.1. Without _LGPL_SOURCE its headers declare functions and we only call
 * them; the load and the store below are our own. Per batch of packets that costs one call.
 *
 * With -DPIN_RCU_LOCKED (whole build; for ThreadSanitizer, which cannot follow liburcu) the same
 * calls work over locks, see base/rcu_locked.c: online = holding a read lock, quiescent = giving it
 * up for a moment, a grace period = having held the write lock once. That lock lets a waiting
 * writer pass before new readers, so readers that keep the rules cannot starve it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/** Reads a pointer that another thread may replace; p is an lvalue. */
#define pin_rcu_deref(p) __atomic_load_n(&(p), __ATOMIC_ACQUIRE)

/** Publishes v in p: who reads the pointer sees all that was written behind it before. */
#define pin_rcu_assign(p, v) __atomic_store_n(&(p), (v), __ATOMIC_RELEASE)

#ifdef PIN_RCU_LOCKED

/** Embedded in what pin_rcu_defer() frees. */
struct pin_rcu_head {
    struct pin_rcu_head *next;
    void (*func)(struct pin_rcu_head *head);
};

#else

#include <pthread.h>
#include <signal.h>

#include <urcu/urcu-qsbr.h>

/** Embedded in what pin_rcu_defer() frees. liburcu's own type, so that callbacks need no cast. */
#define pin_rcu_head rcu_head

#endif

#ifdef PIN_RCU_LOCKED

/** Each does what the function of that name below does; base/rcu_locked.c holds them. */
void pin_rcu_init(void);
void pin_rcu_register(void);
void pin_rcu_unregister(void);
void pin_rcu_quiescent(void);
void pin_rcu_offline(void);
void pin_rcu_online(void);
bool pin_rcu_is_online(void);
void pin_rcu_defer(struct pin_rcu_head *head, void (*fn)(struct pin_rcu_head *head));
void pin_rcu_synchronize(void);
void pin_rcu_barrier(void);

#else

/**
 * Starts the thread that runs deferred frees, with all signals blocked in it. Call once from main()
 * before other threads; without it the first pin_rcu_defer() does the same, signals unblocked.
 */
static inline void pin_rcu_init(void)
{
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    (void)urcu_qsbr_get_default_call_rcu_data();
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/** Makes the calling thread known and online. Once per thread. */
static inline void pin_rcu_register(void)
{
    urcu_qsbr_register_thread();
}

/** Takes the calling thread back out, from online or offline. */
static inline void pin_rcu_unregister(void)
{
    urcu_qsbr_unregister_thread();
}

/** The calling thread, online, holds no RCU pointer right now. Cheap when nobody waits. */
static inline void pin_rcu_quiescent(void)
{
    urcu_qsbr_quiescent_state();
}

/** The calling thread holds no RCU pointer until pin_rcu_online(). Before blocking. */
static inline void pin_rcu_offline(void)
{
    urcu_qsbr_thread_offline();
}

/** Ends pin_rcu_offline(). */
static inline void pin_rcu_online(void)
{
    urcu_qsbr_thread_online();
}

/** True when the calling thread is registered and online. For checks. */
static inline bool pin_rcu_is_online(void)
{
    return urcu_qsbr_read_ongoing() != 0;
}

/**
 * Calls fn(head) on a thread of its own once no reader can hold what `head` is embedded in. Never
 * blocks, cannot fail. The caller is registered or not. fn must not wait for a grace period.
 */
static inline void pin_rcu_defer(struct pin_rcu_head *head, void (*fn)(struct pin_rcu_head *head))
{
    urcu_qsbr_call_rcu(head, fn);
}

/**
 * Waits until every reader that was online has been quiescent. The calling thread counts as
 * quiescent: its own RCU pointers are void afterwards. Milliseconds; never on a worker.
 */
static inline void pin_rcu_synchronize(void)
{
    urcu_qsbr_synchronize_rcu();
}

/** Waits until all frees deferred so far have run. The calling thread counts as quiescent. */
static inline void pin_rcu_barrier(void)
{
    urcu_qsbr_barrier();
}

#endif
