/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A hash table that one thread writes and any number read, without locks, under RCU (rcu.h).
 *
 *     bucket, one line of cache   [ tag tag tag tag tag tag tag | beyond ] node node .. node
 *
 * A hash points to a bucket, and its uppermost byte is the node's tag there. So one line tells
 * nearly always which node to look at, or that there is none, and it depends on nothing but the
 * hash: it can be fetched ahead for many keys at once. What finds its bucket full goes into the
 * next one; `beyond` counts those that went past, so that nobody looks further for nothing, and
 * removals leave no trace.
 *
 * The table doubles at five nodes to a bucket, all at once, by the writer: one to two dozen
 * milliseconds for a million nodes, and nothing in between. Readers stay in the buckets that they
 * found. It never shrinks.
 */

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

/** Nodes in a bucket. */
#define PIN_RCU_TABLE_WAYS 7u

/** Embedded in the entries of a table, one for each table that an entry is in. The table's own. */
struct pin_rcu_node {
    uint64_t hash;
};

/** Non-zero when the entry around `node` has this key. Pure. */
typedef int pin_rcu_match_fn(struct pin_rcu_node *node, const void *key);

/** Called for each entry by pin_rcu_table_each(). Must not change the table. */
typedef void pin_rcu_visit_fn(struct pin_rcu_node *node, void *arg);

/** Called for each entry by pin_rcu_table_free(). */
typedef void pin_rcu_free_fn(struct pin_rcu_node *node);

/** Private to this file and its `.c`. */
struct pin_rcu_bucket {
    /* Bytes 0 to 6: the tag of that node, 0: there is none. Byte 7: nodes that went past, at 255
     * "many" for ever. Written behind the nodes, so that a tag tells of a node that can be seen. */
    uint64_t tags;
    struct pin_rcu_node *nodes[PIN_RCU_TABLE_WAYS];
};

/** Private to this file and its `.c`. */
struct pin_rcu_buckets {
    struct pin_rcu_head rcu;
    uint64_t mask; /* their number, a power of two, less one */
    alignas(64) struct pin_rcu_bucket buckets[];
};

/** Opaque but for the functions below. */
struct pin_rcu_table {
    struct pin_rcu_buckets *buckets;
    _Atomic size_t n_nodes;
};

/** Makes an empty table with room for `n_expected` entries. NULL when out of memory. */
struct pin_rcu_table *pin_rcu_table_new(size_t n_expected);

/**
 * Frees a table that no other thread uses any more. The calling thread is online; its RCU pointers
 * are void afterwards. Waits for a grace period. NULL is allowed.
 *
 * @param free_node  Called for each entry that is still inside; NULL: they are left alone.
 */
void pin_rcu_table_free(struct pin_rcu_table *table, pin_rcu_free_fn *free_node);

/** Private: bit 7 of byte i is set for every node i that has the hash's tag, seldom for others. */
static inline uint64_t pin__rcu_candidates(uint64_t tags, uint64_t hash)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    const uint64_t tops = UINT64_C(0x0080808080808080);
    uint64_t tag = hash >> 56;
    uint64_t differs = tags ^ (tag + (tag == 0)) * ones;
    return (differs - ones) & ~differs & tops;
}

/** Private: the node that the lowest of the candidates stands for. */
static inline struct pin_rcu_node *pin__rcu_candidate(
    const struct pin_rcu_bucket *bucket, uint64_t candidates)
{
    return pin_rcu_deref(bucket->nodes[(unsigned)__builtin_ctzll(candidates) / 8]);
}

/** Private: the bucket that a hash points to. */
static inline const struct pin_rcu_bucket *pin__rcu_bucket(
    const struct pin_rcu_buckets *buckets, uint64_t hash)
{
    return &buckets->buckets[hash & buckets->mask];
}

/** Fetches ahead what a look for this hash reads first. Any online thread. */
static inline void pin_rcu_table_fetch(const struct pin_rcu_table *table, uint64_t hash)
{
    __builtin_prefetch(pin__rcu_bucket(pin_rcu_deref(table->buckets), hash));
}

/** The entry that a look for this hash will most likely compare with, unseen; NULL: none. As find.
 */
static inline struct pin_rcu_node *pin_rcu_table_guess(
    const struct pin_rcu_table *table, uint64_t hash)
{
    const struct pin_rcu_bucket *bucket = pin__rcu_bucket(pin_rcu_deref(table->buckets), hash);
    uint64_t candidates = pin__rcu_candidates(pin_rcu_deref(bucket->tags), hash);
    return candidates == 0 ? NULL : pin__rcu_candidate(bucket, candidates);
}

/**
 * The entry with that key, or NULL. The calling thread is online; the entry stays valid until its
 * next quiescent point. Never blocks or allocates; two misses of the cache when nothing was fetched
 * ahead, one when there is no such entry.
 */
static inline struct pin_rcu_node *pin_rcu_table_find(
    const struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    const struct pin_rcu_buckets *all = pin_rcu_deref(table->buckets);
    for (uint64_t i = 0; i <= all->mask; i++) {
        const struct pin_rcu_bucket *bucket = pin__rcu_bucket(all, hash + i);
        uint64_t tags = pin_rcu_deref(bucket->tags);
        uint64_t candidates = pin__rcu_candidates(tags, hash);
        for (; candidates != 0; candidates &= candidates - 1) {
            struct pin_rcu_node *node = pin__rcu_candidate(bucket, candidates);
            if (pin_likely(node != NULL && match(node, key) != 0)) {
                return node;
            }
        }
        if (pin_likely(tags >> 56 == 0)) {
            return NULL;
        }
    }
    return NULL;
}

/**
 * Makes sure that the next entry finds a place, by growing the table when it gets full. To be
 * called before pin_rcu_table_replace() where that may add an entry.
 *
 * @return false: out of memory, and not a single place is left.
 *
 * The writer, online.
 */
bool pin_rcu_table_reserve(struct pin_rcu_table *table);

/**
 * Adds `node` under a key, or puts it in the place of the entry that has this key: a reader sees
 * the old or the new one, never none or both. Aborts when it adds and nothing was reserved.
 *
 * @return The entry it replaced, which the caller now frees with pin_rcu_defer(); NULL: there was
 *         none.
 *
 * The writer, online: one thread at a time, for this and the next function.
 */
struct pin_rcu_node *pin_rcu_table_replace(struct pin_rcu_table *table, uint64_t hash,
    pin_rcu_match_fn *match, const void *key, struct pin_rcu_node *node);

/** Removes the entry with that key and returns it for pin_rcu_defer(), or NULL. As replace. */
struct pin_rcu_node *pin_rcu_table_remove(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key);

/** Visits every entry once, in no order. The writer, or while nobody writes. */
void pin_rcu_table_each(struct pin_rcu_table *table, pin_rcu_visit_fn *visit, void *arg);

/** Number of entries. Any thread. */
static inline size_t pin_rcu_table_count(const struct pin_rcu_table *table)
{
    return atomic_load_explicit(&table->n_nodes, memory_order_relaxed);
}
