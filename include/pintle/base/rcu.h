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
 * writer pass before new readers, so readers that keep the rules cannot starve it. A table has a
 * lock of its own that is held during one call only and under which no other lock is taken; match
 * functions and visitors therefore must not call back into the table.
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

/** Embedded in the entries of a table. */
struct pin_rcu_node {
    struct pin_rcu_node *next;
    uint64_t hash;
};

#else

#include <pthread.h>
#include <signal.h>

#include <urcu/rculfhash.h>
#include <urcu/urcu-qsbr.h>

/** Embedded in what pin_rcu_defer() frees. liburcu's own type, so that callbacks need no cast. */
#define pin_rcu_head rcu_head

/** Embedded in the entries of a table. liburcu's own type, for the same reason. */
#define pin_rcu_node cds_lfht_node

#endif

/**
 * A hash table read without locks that grows by itself. Opaque.
 *
 * It grows on liburcu's thread alone: that thread waits for the table's own lock while it is
 * online, so whoever else grew the table (cds_lfht_resize()) would hold the lock and wait for a
 * grace period that never ends (liburcu 0.13).
 */
struct pin_rcu_table;

/** Non-zero when the entry around `node` has this key. Pure; calls nothing of this file. */
typedef int pin_rcu_match_fn(struct pin_rcu_node *node, const void *key);

/** Called for each entry by pin_rcu_table_each(). Must not change the table. */
typedef void pin_rcu_visit_fn(struct pin_rcu_node *node, void *arg);

/** Called for each entry by pin_rcu_table_free(). */
typedef void pin_rcu_free_fn(struct pin_rcu_node *node);

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
struct pin_rcu_table *pin_rcu_table_new(size_t n_expected);
void pin_rcu_table_free(struct pin_rcu_table *table, pin_rcu_free_fn *free_node);
struct pin_rcu_node *pin_rcu_table_find(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key);
struct pin_rcu_node *pin_rcu_table_replace(struct pin_rcu_table *table, uint64_t hash,
    pin_rcu_match_fn *match, const void *key, struct pin_rcu_node *node);
struct pin_rcu_node *pin_rcu_table_remove(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key);
void pin_rcu_table_each(struct pin_rcu_table *table, pin_rcu_visit_fn *visit, void *arg);
size_t pin_rcu_table_count(const struct pin_rcu_table *table);

#else

/** Private to the functions below. */
struct pin_rcu_table {
    struct cds_lfht *ht;
    _Atomic size_t n_nodes;
};

/** Buckets a table may grow to (address space only); beyond that chains grow. */
#define PIN_RCU_BUCKETS_MAX ((size_t)1 << 24)

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

/** Makes an empty table; `n_expected` is a hint for its first size. NULL when out of memory. */
static inline struct pin_rcu_table *pin_rcu_table_new(size_t n_expected)
{
    size_t n_buckets = 64;
    while (n_buckets < n_expected && n_buckets < PIN_RCU_BUCKETS_MAX) {
        n_buckets *= 2;
    }
    struct pin_rcu_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->ht = cds_lfht_new_flavor(n_buckets, 64, PIN_RCU_BUCKETS_MAX,
        CDS_LFHT_AUTO_RESIZE | CDS_LFHT_ACCOUNTING, &urcu_qsbr_flavor, NULL);
    if (table->ht == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

/**
 * Frees a table that no other thread uses any more. The calling thread is online; its RCU pointers
 * are void afterwards. Waits for a grace period, because the table's own thread may be growing it.
 *
 * @param free_node  Called for each entry that is still inside; NULL: they are left alone.
 */
static inline void pin_rcu_table_free(struct pin_rcu_table *table, pin_rcu_free_fn *free_node)
{
    if (table == NULL) {
        return;
    }
    size_t n_nodes = atomic_load_explicit(&table->n_nodes, memory_order_relaxed);
    struct pin_rcu_node **nodes = calloc(n_nodes + 1, sizeof(struct pin_rcu_node *));
    size_t n_kept = 0;
    struct cds_lfht_iter iter;
    cds_lfht_first(table->ht, &iter);
    for (struct pin_rcu_node *node = cds_lfht_iter_get_node(&iter); node != NULL;
         node = cds_lfht_iter_get_node(&iter)) {
        cds_lfht_next(table->ht, &iter);
        (void)cds_lfht_del(table->ht, node); /* nobody else removes: cannot fail */
        if (nodes != NULL && n_kept < n_nodes) {
            nodes[n_kept++] = node; /* without memory for the list the entries are leaked */
        }
    }
    urcu_qsbr_synchronize_rcu();
    for (size_t i = 0; i < n_kept && free_node != NULL; i++) {
        free_node(nodes[i]);
    }
    free(nodes);
    /* It waits for the table's thread, which may wait for us: liburcu 0.13 does not go offline
     * here. */
    bool was_online = pin_rcu_is_online();
    if (was_online) {
        pin_rcu_offline();
    }
    (void)cds_lfht_destroy(table->ht, NULL); /* empty: cannot fail */
    if (was_online) {
        pin_rcu_online();
    }
    free(table);
}

/**
 * The entry with that key, or NULL. The calling thread is online; the entry stays valid until its
 * next quiescent point. Never blocks or allocates.
 */
static inline struct pin_rcu_node *pin_rcu_table_find(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    struct cds_lfht_iter iter;
    cds_lfht_lookup(table->ht, (unsigned long)hash, match, key, &iter);
    return cds_lfht_iter_get_node(&iter);
}

/**
 * Adds `node` under a key, or puts it in the place of the entry that has this key: a reader sees
 * the old or the new one, never none or both.
 *
 * @return The entry it replaced, which the caller now frees with pin_rcu_defer(); NULL: there was
 * none.
 *
 * The calling thread is online; several writers may work at once.
 */
static inline struct pin_rcu_node *pin_rcu_table_replace(struct pin_rcu_table *table, uint64_t hash,
    pin_rcu_match_fn *match, const void *key, struct pin_rcu_node *node)
{
    struct pin_rcu_node *old =
        cds_lfht_add_replace(table->ht, (unsigned long)hash, match, key, node);
    if (old == NULL) {
        atomic_fetch_add_explicit(&table->n_nodes, 1, memory_order_relaxed);
    }
    return old;
}

/** Removes the entry with that key and returns it for pin_rcu_defer(), or NULL. As replace. */
static inline struct pin_rcu_node *pin_rcu_table_remove(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    struct pin_rcu_node *node = pin_rcu_table_find(table, hash, match, key);
    if (node == NULL || cds_lfht_del(table->ht, node) != 0) {
        return NULL;
    }
    atomic_fetch_sub_explicit(&table->n_nodes, 1, memory_order_relaxed);
    return node;
}

/** Visits every entry once, in no order; what changes meanwhile may or may not show. Online. */
static inline void pin_rcu_table_each(
    struct pin_rcu_table *table, pin_rcu_visit_fn *visit, void *arg)
{
    struct cds_lfht_iter iter;
    for (cds_lfht_first(table->ht, &iter); cds_lfht_iter_get_node(&iter) != NULL;
         cds_lfht_next(table->ht, &iter)) {
        visit(cds_lfht_iter_get_node(&iter), arg);
    }
}

/** Number of entries. Any thread. */
static inline size_t pin_rcu_table_count(const struct pin_rcu_table *table)
{
    return atomic_load_explicit(&table->n_nodes, memory_order_relaxed);
}

#endif
