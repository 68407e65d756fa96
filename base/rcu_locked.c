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

/* --- The table: chains under a lock of their own, held during one call -------------------------
 */

struct pin_rcu_table {
    pthread_rwlock_t lock;
    struct pin_rcu_node **buckets;
    size_t n_buckets; /* power of two */
    _Atomic size_t n_nodes;
};

struct pin_rcu_table *pin_rcu_table_new(size_t n_expected)
{
    struct pin_rcu_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->n_buckets = 64;
    while (table->n_buckets < n_expected && table->n_buckets < (size_t)1 << 24) {
        table->n_buckets *= 2;
    }
    table->buckets = calloc(table->n_buckets, sizeof(struct pin_rcu_node *));
    if (table->buckets == NULL) {
        free(table);
        return NULL;
    }
    (void)pthread_rwlock_init(&table->lock, NULL);
    return table;
}

void pin_rcu_table_free(struct pin_rcu_table *table, pin_rcu_free_fn *free_node)
{
    if (table == NULL) {
        return;
    }
    pin_rcu_synchronize();
    for (size_t i = 0; i < table->n_buckets; i++) {
        struct pin_rcu_node *node = table->buckets[i];
        while (node != NULL && free_node != NULL) {
            struct pin_rcu_node *next = node->next;
            free_node(node);
            node = next;
        }
    }
    (void)pthread_rwlock_destroy(&table->lock);
    free(table->buckets);
    free(table);
}

/* The link that holds the entry with that key, or the one at the chain's end that holds NULL. */
static struct pin_rcu_node **find_link(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    struct pin_rcu_node **link = &table->buckets[hash & (table->n_buckets - 1)];
    while (*link != NULL && ((*link)->hash != hash || match(*link, key) == 0)) {
        link = &(*link)->next;
    }
    return link;
}

struct pin_rcu_node *pin_rcu_table_find(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    (void)pthread_rwlock_rdlock(&table->lock);
    struct pin_rcu_node *node = *find_link(table, hash, match, key);
    (void)pthread_rwlock_unlock(&table->lock);
    return node;
}

/* Doubles the buckets when chains get long; without memory they stay long. */
static void grow(struct pin_rcu_table *table)
{
    size_t n_nodes = atomic_load_explicit(&table->n_nodes, memory_order_relaxed);
    if (n_nodes < table->n_buckets * 2) {
        return;
    }
    size_t n_buckets = table->n_buckets * 4;
    struct pin_rcu_node **buckets = calloc(n_buckets, sizeof(struct pin_rcu_node *));
    if (buckets == NULL) {
        return;
    }
    for (size_t i = 0; i < table->n_buckets; i++) {
        struct pin_rcu_node *node = table->buckets[i];
        while (node != NULL) {
            struct pin_rcu_node *next = node->next;
            struct pin_rcu_node **bucket = &buckets[node->hash & (n_buckets - 1)];
            node->next = *bucket;
            *bucket = node;
            node = next;
        }
    }
    free(table->buckets);
    table->buckets = buckets;
    table->n_buckets = n_buckets;
}

struct pin_rcu_node *pin_rcu_table_replace(struct pin_rcu_table *table, uint64_t hash,
    pin_rcu_match_fn *match, const void *key, struct pin_rcu_node *node)
{
    (void)pthread_rwlock_wrlock(&table->lock);
    struct pin_rcu_node **link = find_link(table, hash, match, key);
    struct pin_rcu_node *old = *link;
    node->hash = hash;
    node->next = old == NULL ? NULL : old->next;
    *link = node;
    if (old == NULL) {
        atomic_fetch_add_explicit(&table->n_nodes, 1, memory_order_relaxed);
        grow(table);
    }
    (void)pthread_rwlock_unlock(&table->lock);
    return old;
}

struct pin_rcu_node *pin_rcu_table_remove(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    (void)pthread_rwlock_wrlock(&table->lock);
    struct pin_rcu_node **link = find_link(table, hash, match, key);
    struct pin_rcu_node *node = *link;
    if (node != NULL) {
        *link = node->next;
        atomic_fetch_sub_explicit(&table->n_nodes, 1, memory_order_relaxed);
    }
    (void)pthread_rwlock_unlock(&table->lock);
    return node;
}

void pin_rcu_table_each(struct pin_rcu_table *table, pin_rcu_visit_fn *visit, void *arg)
{
    (void)pthread_rwlock_rdlock(&table->lock);
    for (size_t i = 0; i < table->n_buckets; i++) {
        for (struct pin_rcu_node *node = table->buckets[i]; node != NULL; node = node->next) {
            visit(node, arg);
        }
    }
    (void)pthread_rwlock_unlock(&table->lock);
}

size_t pin_rcu_table_count(const struct pin_rcu_table *table)
{
    return atomic_load_explicit(&table->n_nodes, memory_order_relaxed);
}

#endif
