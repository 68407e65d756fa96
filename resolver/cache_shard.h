/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Inside the cache: what its files share.
 *
 *     cache.c        life, keys, lookups: any thread
 *     cache_write.c  answers and failures in, removals: the shard's thread
 *     cache_room.c   segments, queues, eviction: the shard's thread
 *
 * A shard's part of the mapping, in this order:
 *
 *     buckets     one tenth of it; 8 slots each
 *     ghosts      what left the small queue lately, by hash
 *     segments    the rest, of one size
 *
 * A slot is 0 or (upper half of the key's hash) << 32 | (place of the entry in units) + 1.
 */

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/rcu.h"

#include "cache.h"

#define PIN_CACHE_LINE_BYTES 64
#define PIN_CACHE_UNIT_BYTES 16u
#define PIN_CACHE_SLOTS      8u

/** A cache line of slots. */
struct pin_cache_bucket {
    alignas(PIN_CACHE_LINE_BYTES) _Atomic uint64_t slots[PIN_CACHE_SLOTS];
};

/** What is known of a segment. */
struct pin_cache_segment {
    struct pin_rcu_head rcu;
    struct pin_cache_shard *shard;
    struct pin_cache_segment *next; /**< In its queue, or among the free ones. */
    uint32_t first_unit;            /**< Where it lies. */
    uint32_t used_units;
};

/** Segments from the oldest to the one that is being filled. */
struct pin_cache_queue {
    struct pin_cache_segment *first;
    struct pin_cache_segment *last;
    uint32_t n_segments;
};

/** One writer's part. What readers look at shares no cache line with what the writer writes. */
struct pin_cache_shard {
    /* read by all */
    alignas(PIN_CACHE_LINE_BYTES) struct pin_cache_bucket *buckets;
    uint8_t *units; /**< Where unit 0 lies. */
    uint64_t n_buckets;
    /* the writer's */
    alignas(PIN_CACHE_LINE_BYTES) uint32_t *ghosts;
    uint64_t n_ghosts;
    struct pin_cache_segment *segments;
    uint32_t n_segments;
    uint32_t segment_units;
    uint32_t n_reserve;   /**< So many are free or on their way there. */
    uint32_t n_small_max; /**< Segments that the small queue may have. */
    uint32_t n_free;
    uint32_t n_waiting; /**< For the end of a grace period. */
    struct pin_cache_segment *free;
    struct pin_cache_queue small;
    struct pin_cache_queue main;
    struct pin_cache_entry *transient;         /**< Room for the largest entry there can be. */
    size_t fixed_bytes;                        /**< Counted beside segments. */
    _Atomic(struct pin_cache_segment *) freed; /**< By the thread that ends grace periods. */
    _Atomic uint64_t n_entries;
    _Atomic uint64_t n_put;
    _Atomic uint64_t n_evicted;
    _Atomic uint64_t n_transient;
    _Atomic uint64_t n_failures;
    _Atomic uint64_t used_segments;
};

/** All shards. */
struct pin_cache {
    struct pin_cache_settings settings;
    void *mapping;
    size_t mapping_bytes;
    /** Entries with PIN_KEY_DENIAL, so that nobody looks in vain. */
    alignas(PIN_CACHE_LINE_BYTES) _Atomic uint64_t n_denials;
    struct pin_cache_shard shards[];
};

/** Changes a counter of one writer. */
static inline void pin__cache_count(_Atomic uint64_t *counter, uint64_t by)
{
    atomic_store_explicit(
        counter, atomic_load_explicit(counter, memory_order_relaxed) + by, memory_order_relaxed);
}

/** The entry a slot leads to. */
static inline struct pin_cache_entry *pin__cache_entry_of(
    const struct pin_cache_shard *shard, uint64_t slot)
{
    size_t unit = (size_t)(uint32_t)slot - 1;
    return (struct pin_cache_entry *)(void *)(shard->units + unit * PIN_CACHE_UNIT_BYTES);
}

/** The bucket of a key's hash. */
static inline struct pin_cache_bucket *pin__cache_bucket_of(
    const struct pin_cache_shard *shard, uint64_t hash)
{
    return &shard->buckets[(uint64_t)(uint32_t)hash * shard->n_buckets >> 32];
}

/** Copies an entry but for what readers note in it, which is as of one that nobody has seen. */
static inline void pin__cache_copy(
    struct pin_cache_entry *copy, const struct pin_cache_entry *entry)
{
    size_t bytes = (size_t)entry->n_units * PIN_CACHE_UNIT_BYTES;
    memcpy(copy, entry, offsetof(struct pin_cache_entry, is_used));
    memcpy((uint8_t *)copy + offsetof(struct pin_cache_entry, tail), entry->tail,
        bytes - offsetof(struct pin_cache_entry, tail));
    atomic_init(&copy->is_used, 0);
    atomic_init(&copy->is_refreshing, 0);
}

/** Until when an entry is fresh. */
static inline int64_t pin__cache_fresh_until_ms(const struct pin_cache_entry *entry)
{
    return entry->since_ms + (int64_t)entry->ttl_s * 1000;
}

/** Whether an entry is of no use any more, even stale. */
bool pin__cache_is_dead(
    const struct pin_cache *cache, const struct pin_cache_entry *entry, int64_t now_ms);

/** The entry of a key, exactly; NULL: none. Any online thread. */
struct pin_cache_entry *pin__cache_probe(
    const struct pin_cache_shard *shard, const struct pin_cache_key *key);

/** The key's slot; NULL: none. The shard's thread. */
_Atomic uint64_t *pin__cache_slot(
    const struct pin_cache_shard *shard, const struct pin_cache_key *key);

/** The slot through which an entry is found; NULL: it was replaced or removed. */
_Atomic uint64_t *pin__cache_slot_of(
    const struct pin_cache_shard *shard, const struct pin_cache_entry *entry);

/** Makes an entry unfindable. */
void pin__cache_drop(
    struct pin_cache *cache, struct pin_cache_shard *shard, _Atomic uint64_t *slot);

/** Sees to it that there is room for an entry; does at most the work of two segments. */
void pin__cache_make_room(struct pin_cache *cache, struct pin_cache_shard *shard, int64_t now_ms);

/** Takes `n_units` from the end of a queue; NULL: none to be had now. */
struct pin_cache_entry *pin__cache_take(
    struct pin_cache_shard *shard, struct pin_cache_queue *queue, uint32_t n_units);

/** Gives all segments of a queue back, whose entries are unfindable. */
void pin__cache_empty(struct pin_cache_shard *shard, struct pin_cache_queue *queue);

/** Whether the small queue lost this hash lately; forgets it. */
bool pin__cache_was_ghost(struct pin_cache_shard *shard, uint64_t hash);

/** What a slot holds for this entry, which lies in a segment. */
uint64_t pin__cache_slot_value(
    const struct pin_cache_shard *shard, const struct pin_cache_entry *entry);
