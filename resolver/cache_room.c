/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Room in a shard: two queues of segments, and who stays when one is given back (S3-FIFO). Whoever
 * was shown since it took its place is written again at the end of the main queue; all others go.
 */

#include "pintle/base/macros.h"

#include "cache_shard.h"

/* The last free segment is for those who stay. */
#define RESERVE_FOR_MOVES 1u
#define EVICTIONS_PER_PUT 2u

/* --- segments ----------------------------------------------------------------------------- */

/* No reader can be in this segment any more. On the thread that ends grace periods. */
static void on_grace(struct pin_rcu_head *head)
{
    struct pin_cache_segment *segment = container_of(head, struct pin_cache_segment, rcu);
    struct pin_cache_shard *shard = segment->shard;
    struct pin_cache_segment *first = atomic_load_explicit(&shard->freed, memory_order_relaxed);
    do {
        segment->next = first;
    } while (!atomic_compare_exchange_weak_explicit(
        &shard->freed, &first, segment, memory_order_release, memory_order_relaxed));
}

static void collect_freed(struct pin_cache_shard *shard)
{
    if (atomic_load_explicit(&shard->freed, memory_order_relaxed) == NULL) {
        return;
    }
    struct pin_cache_segment *segment =
        atomic_exchange_explicit(&shard->freed, NULL, memory_order_acquire);
    while (segment != NULL) {
        struct pin_cache_segment *next = segment->next;
        segment->used_units = 0;
        segment->next = shard->free;
        shard->free = segment;
        shard->n_free++;
        shard->n_waiting--;
        pin__cache_count(&shard->used_segments, (uint64_t)-1);
        segment = next;
    }
}

static bool open_segment(
    struct pin_cache_shard *shard, struct pin_cache_queue *queue, uint32_t n_kept_back)
{
    if (shard->n_free <= n_kept_back) {
        return false;
    }
    struct pin_cache_segment *segment = shard->free;
    shard->free = segment->next;
    shard->n_free--;
    pin__cache_count(&shard->used_segments, 1);
    segment->next = NULL;
    if (queue->last != NULL) {
        queue->last->next = segment;
    } else {
        queue->first = segment;
    }
    queue->last = segment;
    queue->n_segments++;
    return true;
}

static struct pin_cache_segment *pop_segment(struct pin_cache_queue *queue)
{
    struct pin_cache_segment *segment = queue->first;
    queue->first = segment->next;
    queue->last = queue->first == NULL ? NULL : queue->last;
    queue->n_segments--;
    return segment;
}

static void give_back(struct pin_cache_shard *shard, struct pin_cache_segment *segment)
{
    shard->n_waiting++;
    pin_rcu_defer(&segment->rcu, on_grace);
}

static struct pin_cache_entry *entry_at(const struct pin_cache_shard *shard, size_t unit)
{
    return (struct pin_cache_entry *)(void *)(shard->units + unit * PIN_CACHE_UNIT_BYTES);
}

static struct pin_cache_entry *take(struct pin_cache_shard *shard, struct pin_cache_queue *queue,
    uint32_t n_units, uint32_t n_kept_back)
{
    if ((queue->last == NULL || shard->segment_units - queue->last->used_units < n_units)
        && !open_segment(shard, queue, n_kept_back)) {
        return NULL;
    }
    struct pin_cache_segment *segment = queue->last;
    struct pin_cache_entry *entry =
        entry_at(shard, (size_t)segment->first_unit + segment->used_units);
    segment->used_units += n_units;
    return entry;
}

struct pin_cache_entry *pin__cache_take(
    struct pin_cache_shard *shard, struct pin_cache_queue *queue, uint32_t n_units)
{
    return take(shard, queue, n_units, RESERVE_FOR_MOVES);
}

void pin__cache_empty(struct pin_cache_shard *shard, struct pin_cache_queue *queue)
{
    while (queue->first != NULL) {
        give_back(shard, pop_segment(queue));
    }
}

/* --- slots -------------------------------------------------------------------------------- */

uint64_t pin__cache_slot_value(
    const struct pin_cache_shard *shard, const struct pin_cache_entry *entry)
{
    size_t unit = (size_t)((const uint8_t *)entry - shard->units) / PIN_CACHE_UNIT_BYTES;
    return entry->hash >> 32 << 32 | (unit + 1);
}

_Atomic uint64_t *pin__cache_slot_of(
    const struct pin_cache_shard *shard, const struct pin_cache_entry *entry)
{
    struct pin_cache_bucket *bucket = pin__cache_bucket_of(shard, entry->hash);
    uint64_t value = pin__cache_slot_value(shard, entry);
    for (size_t i = 0; i < PIN_CACHE_SLOTS; i++) {
        if (atomic_load_explicit(&bucket->slots[i], memory_order_relaxed) == value) {
            return &bucket->slots[i];
        }
    }
    return NULL;
}

void pin__cache_drop(struct pin_cache *cache, struct pin_cache_shard *shard, _Atomic uint64_t *slot)
{
    uint64_t value = atomic_load_explicit(slot, memory_order_relaxed);
    if ((pin__cache_entry_of(shard, value)->flags & PIN_KEY_DENIAL) != 0) {
        atomic_fetch_sub_explicit(&cache->n_denials, 1, memory_order_relaxed);
    }
    atomic_store_explicit(slot, 0, memory_order_release);
    pin__cache_count(&shard->n_entries, (uint64_t)-1);
}

/* --- who stays ---------------------------------------------------------------------------- */

static uint32_t *ghost_of(const struct pin_cache_shard *shard, uint64_t hash)
{
    return &shard->ghosts[(uint64_t)(uint32_t)hash * shard->n_ghosts >> 32];
}

static uint32_t ghost_mark(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1u; /* never 0 */
}

bool pin__cache_was_ghost(struct pin_cache_shard *shard, uint64_t hash)
{
    uint32_t *ghost = ghost_of(shard, hash);
    if (*ghost != ghost_mark(hash)) {
        return false;
    }
    *ghost = 0;
    return true;
}

/* Writes an entry again at the end of the main queue. Readers may set the old one's flags during
 * the copy: those are not copied. False: there is no room. */
static bool move(
    struct pin_cache_shard *shard, const struct pin_cache_entry *entry, _Atomic uint64_t *slot)
{
    struct pin_cache_entry *copy = take(shard, &shard->main, entry->n_units, 0);
    if (copy == NULL) {
        return false;
    }
    pin__cache_copy(copy, entry);
    atomic_store_explicit(slot, pin__cache_slot_value(shard, copy), memory_order_release);
    return true;
}

/* Takes the oldest segment of a queue apart and gives it back. */
static void evict(struct pin_cache *cache, struct pin_cache_shard *shard,
    struct pin_cache_queue *queue, int64_t now_ms)
{
    struct pin_cache_segment *segment = pop_segment(queue);
    size_t unit = segment->first_unit;
    size_t end = unit + segment->used_units;
    while (unit < end) {
        struct pin_cache_entry *entry = entry_at(shard, unit);
        _Atomic uint64_t *slot = pin__cache_slot_of(shard, entry);
        unit += entry->n_units;
        if (slot == NULL) {
            continue;
        }
        bool is_dead = pin__cache_is_dead(cache, entry, now_ms);
        bool stays = !is_dead && atomic_load_explicit(&entry->is_used, memory_order_relaxed) != 0;
        if (stays && move(shard, entry, slot)) {
            continue;
        }
        if (queue == &shard->small && !is_dead) {
            *ghost_of(shard, entry->hash) = ghost_mark(entry->hash);
        }
        pin__cache_drop(cache, shard, slot);
        pin__cache_count(&shard->n_evicted, 1);
    }
    give_back(shard, segment);
}

void pin__cache_make_room(struct pin_cache *cache, struct pin_cache_shard *shard, int64_t now_ms)
{
    collect_freed(shard);
    for (unsigned i = 0; i < EVICTIONS_PER_PUT; i++) {
        if (shard->n_free + shard->n_waiting >= shard->n_reserve || shard->n_free == 0) {
            return;
        }
        bool is_small_due =
            shard->small.n_segments > shard->n_small_max || shard->main.n_segments == 0;
        evict(cache, shard, is_small_due ? &shard->small : &shard->main, now_ms);
    }
}
