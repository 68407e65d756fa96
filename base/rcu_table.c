/* SPDX-License-Identifier: Apache-2.0 */

/* What the writer of a table does; the readers' side is in the header. */

#include "pintle/base/rcu_table.h"

#include <stdlib.h>
#include <string.h>

#define FULL_NODES  5u /* to a bucket, on the average: then it doubles */
#define BEYOND_BIT  56
#define BEYOND_MANY UINT64_C(255)
#define TAG_BITS    8u
#define TAG_MASK    UINT64_C(255)
#define N_AHEAD     4u /* buckets whose nodes are fetched while an earlier one is moved */

/* Where a node stands. */
struct place {
    struct pin_rcu_bucket *bucket;
    unsigned way;
};

static uint64_t tag_of(uint64_t hash)
{
    uint64_t tag = hash >> BEYOND_BIT;
    return tag + (tag == 0);
}

static bool is_free(uint64_t tags, unsigned way)
{
    return (tags >> (way * TAG_BITS) & TAG_MASK) == 0;
}

static struct pin_rcu_buckets *new_buckets(uint64_t n_buckets)
{
    struct pin_rcu_buckets *buckets = NULL;
    size_t bytes = sizeof(*buckets) + n_buckets * sizeof(buckets->buckets[0]);
    buckets = aligned_alloc(alignof(struct pin_rcu_buckets), bytes);
    if (buckets != NULL) {
        memset(buckets, 0, bytes);
        buckets->mask = n_buckets - 1;
    }
    return buckets;
}

static void free_buckets(struct pin_rcu_head *head)
{
    free(container_of(head, struct pin_rcu_buckets, rcu));
}

struct pin_rcu_table *pin_rcu_table_new(size_t n_expected)
{
    uint64_t n_buckets = 1;
    while (n_buckets * FULL_NODES < n_expected) {
        n_buckets *= 2;
    }
    struct pin_rcu_table *table = calloc(1, sizeof(*table));
    if (table == NULL) {
        return NULL;
    }
    table->buckets = new_buckets(n_buckets);
    if (table->buckets == NULL) {
        free(table);
        return NULL;
    }
    return table;
}

void pin_rcu_table_free(struct pin_rcu_table *table, pin_rcu_free_fn *free_node)
{
    if (table == NULL) {
        return;
    }
    pin_rcu_synchronize();
    for (uint64_t i = 0; i <= table->buckets->mask && free_node != NULL; i++) {
        struct pin_rcu_bucket *bucket = &table->buckets->buckets[i];
        for (unsigned way = 0; way < PIN_RCU_TABLE_WAYS; way++) {
            if (!is_free(bucket->tags, way)) {
                free_node(bucket->nodes[way]);
            }
        }
    }
    free(table->buckets);
    free(table);
}

/* One more node has gone past a bucket, or one less. "Many" stays. */
static void count_beyond(struct pin_rcu_bucket *bucket, bool is_more)
{
    uint64_t one = UINT64_C(1) << BEYOND_BIT;
    if (bucket->tags >> BEYOND_BIT != BEYOND_MANY) {
        pin_rcu_assign(bucket->tags, is_more ? bucket->tags + one : bucket->tags - one);
    }
}

/* Puts a node that is not there yet into the first bucket with a free place. */
static void add(struct pin_rcu_buckets *all, uint64_t hash, struct pin_rcu_node *node)
{
    for (uint64_t i = 0; i <= all->mask; i++) {
        struct pin_rcu_bucket *bucket = &all->buckets[(hash + i) & all->mask];
        for (unsigned way = 0; way < PIN_RCU_TABLE_WAYS; way++) {
            if (is_free(bucket->tags, way)) {
                pin_rcu_assign(bucket->nodes[way], node);
                pin_rcu_assign(bucket->tags, bucket->tags | tag_of(hash) << (way * TAG_BITS));
                return;
            }
        }
        count_beyond(bucket, true);
    }
    abort(); /* no place, and nobody asked for one */
}

/* Fetches the nodes of a bucket that is moved soon: their hashes are needed. */
static void fetch_nodes(const struct pin_rcu_buckets *all, uint64_t at)
{
    for (unsigned way = 0; at <= all->mask && way < PIN_RCU_TABLE_WAYS; way++) {
        __builtin_prefetch(all->buckets[at].nodes[way]);
    }
}

/* Doubles the buckets. Readers find the old or the new ones, both with every node in them. */
static bool grow(struct pin_rcu_table *table)
{
    struct pin_rcu_buckets *old = table->buckets;
    struct pin_rcu_buckets *wide = new_buckets(2 * (old->mask + 1));
    if (wide == NULL) {
        return false;
    }
    for (uint64_t i = 0; i <= old->mask; i++) {
        const struct pin_rcu_bucket *bucket = &old->buckets[i];
        fetch_nodes(old, i + N_AHEAD);
        for (unsigned way = 0; way < PIN_RCU_TABLE_WAYS; way++) {
            if (!is_free(bucket->tags, way)) {
                add(wide, bucket->nodes[way]->hash, bucket->nodes[way]);
            }
        }
    }
    pin_rcu_assign(table->buckets, wide);
    pin_rcu_defer(&old->rcu, free_buckets);
    return true;
}

bool pin_rcu_table_reserve(struct pin_rcu_table *table)
{
    size_t n_buckets = table->buckets->mask + 1;
    size_t n_after = pin_rcu_table_count(table) + 1;
    return n_after <= n_buckets * FULL_NODES || grow(table)
           || n_after <= n_buckets * PIN_RCU_TABLE_WAYS;
}

/* Where the entry with that key stands; no bucket: there is none. */
static struct place find_place(
    struct pin_rcu_buckets *all, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    for (uint64_t i = 0; i <= all->mask; i++) {
        struct pin_rcu_bucket *bucket = &all->buckets[(hash + i) & all->mask];
        uint64_t candidates = pin__rcu_candidates(bucket->tags, hash);
        for (; candidates != 0; candidates &= candidates - 1) {
            unsigned way = (unsigned)__builtin_ctzll(candidates) / TAG_BITS;
            if (bucket->nodes[way] != NULL && match(bucket->nodes[way], key) != 0) {
                return (struct place){.bucket = bucket, .way = way};
            }
        }
        if (bucket->tags >> BEYOND_BIT == 0) {
            break;
        }
    }
    return (struct place){0};
}

struct pin_rcu_node *pin_rcu_table_replace(struct pin_rcu_table *table, uint64_t hash,
    pin_rcu_match_fn *match, const void *key, struct pin_rcu_node *node)
{
    struct place place = find_place(table->buckets, hash, match, key);
    node->hash = hash;
    if (place.bucket != NULL) {
        struct pin_rcu_node *old = place.bucket->nodes[place.way];
        pin_rcu_assign(place.bucket->nodes[place.way], node);
        return old;
    }
    add(table->buckets, hash, node);
    atomic_fetch_add_explicit(&table->n_nodes, 1, memory_order_relaxed);
    return NULL;
}

struct pin_rcu_node *pin_rcu_table_remove(
    struct pin_rcu_table *table, uint64_t hash, pin_rcu_match_fn *match, const void *key)
{
    struct pin_rcu_buckets *all = table->buckets;
    struct place place = find_place(all, hash, match, key);
    if (place.bucket == NULL) {
        return NULL;
    }
    struct pin_rcu_node *node = place.bucket->nodes[place.way];
    uint64_t tag = tag_of(hash) << (place.way * TAG_BITS);
    pin_rcu_assign(place.bucket->tags, place.bucket->tags & ~tag);
    pin_rcu_assign(place.bucket->nodes[place.way], (struct pin_rcu_node *)NULL);
    for (uint64_t i = 0; &all->buckets[(hash + i) & all->mask] != place.bucket; i++) {
        count_beyond(&all->buckets[(hash + i) & all->mask], false);
    }
    atomic_fetch_sub_explicit(&table->n_nodes, 1, memory_order_relaxed);
    return node;
}

void pin_rcu_table_each(struct pin_rcu_table *table, pin_rcu_visit_fn *visit, void *arg)
{
    for (uint64_t i = 0; i <= table->buckets->mask; i++) {
        const struct pin_rcu_bucket *bucket = &table->buckets->buckets[i];
        for (unsigned way = 0; way < PIN_RCU_TABLE_WAYS; way++) {
            if (!is_free(bucket->tags, way)) {
                visit(bucket->nodes[way], arg);
            }
        }
    }
}
