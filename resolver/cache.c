/* SPDX-License-Identifier: Apache-2.0 */

/* The cache: its memory, its keys, and what readers do. */

#include "cache.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "cache_shard.h"

#define PAGE_BYTES        4096u
#define TABLE_SHARE       10u /* of the shard, one part in so many */
#define SEGMENT_MIN_BYTES ((size_t)32 << 10)
#define SEGMENT_MAX_BYTES ((size_t)1 << 20)
#define SEGMENTS_WANTED   256u
#define SMALL_SHARE       10u
#define SMALL_MIN         2u
#define RESERVE_SHARE     32u
#define RESERVE_MIN       4u
/* Places are 32 bits of 16 bytes each. */
#define SHARD_MAX_BYTES ((size_t)32 << 30)
/* The last tenth of a TTL is when a refresh is asked for. */
#define REFRESH_SHARE 10

/* --- memory ------------------------------------------------------------------------------- */

static size_t round_down(size_t bytes)
{
    return bytes / PAGE_BYTES * PAGE_BYTES;
}

static size_t transient_bytes(void)
{
    return sizeof(struct pin_cache_entry)
           + (PIN_REPLY_RRS_MAX + PIN_REPLY_POINTERS_MAX) * sizeof(uint16_t) + PIN_NAME_MAX_BYTES
           + UINT16_MAX + PIN_CACHE_UNIT_BYTES;
}

/* Divides `bytes` at `at` among the parts of a shard. */
static bool init_shard(struct pin_cache_shard *shard, uint8_t *at, size_t bytes)
{
    size_t segment_bytes = SEGMENT_MIN_BYTES;
    while (segment_bytes < SEGMENT_MAX_BYTES && 2 * segment_bytes * SEGMENTS_WANTED <= bytes) {
        segment_bytes *= 2;
    }
    size_t table_bytes = round_down(bytes / TABLE_SHARE);
    size_t ghosts_bytes = round_down(table_bytes / 4);
    shard->n_buckets = table_bytes / sizeof(struct pin_cache_bucket);
    shard->n_ghosts = ghosts_bytes / sizeof(uint32_t);
    shard->fixed_bytes = table_bytes + ghosts_bytes + transient_bytes();
    shard->n_segments = (uint32_t)((bytes - shard->fixed_bytes)
                                   / (segment_bytes + sizeof(struct pin_cache_segment)));
    shard->fixed_bytes += shard->n_segments * sizeof(struct pin_cache_segment);
    shard->segment_units = (uint32_t)(segment_bytes / PIN_CACHE_UNIT_BYTES);
    shard->n_reserve = PIN_MAX(shard->n_segments / RESERVE_SHARE, RESERVE_MIN);
    shard->n_small_max = PIN_MAX(shard->n_segments / SMALL_SHARE, SMALL_MIN);
    shard->buckets = (struct pin_cache_bucket *)(void *)at;
    shard->ghosts = (uint32_t *)(void *)(at + table_bytes);
    shard->units = at + table_bytes + ghosts_bytes;
    shard->transient = malloc(transient_bytes());
    shard->segments = calloc(shard->n_segments, sizeof(shard->segments[0]));
    if (shard->transient == NULL || shard->segments == NULL) {
        return false;
    }
    for (uint32_t i = shard->n_segments; i-- > 0;) {
        struct pin_cache_segment *segment = &shard->segments[i];
        *segment = (struct pin_cache_segment){
            .shard = shard, .next = shard->free, .first_unit = i * shard->segment_units};
        shard->free = segment;
    }
    shard->n_free = shard->n_segments;
    return true;
}

enum pin_err pin_cache_new(
    const struct pin_cache_settings *settings, struct pin_cache **ret_cache, struct pin_why *why)
{
    uint32_t n = settings->n_shards;
    size_t shard_bytes = n == 0 ? 0 : round_down(settings->size_bytes / n);
    if (n == 0 || n > PIN_CACHE_SHARDS_MAX || shard_bytes < PIN_CACHE_SHARD_MIN_BYTES
        || shard_bytes > SHARD_MAX_BYTES) {
        return pin_why_set(
            why, PIN_EINVAL, "a cache of %zu bytes in %u shards", settings->size_bytes, n);
    }
    size_t head_bytes = sizeof(struct pin_cache) + n * sizeof(struct pin_cache_shard);
    struct pin_cache *cache = aligned_alloc(alignof(struct pin_cache), head_bytes);
    if (cache == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a cache");
    }
    memset(cache, 0, head_bytes);
    cache->settings = *settings;
    cache->mapping_bytes = n * shard_bytes;
    cache->mapping = mmap(NULL, cache->mapping_bytes, PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool is_ok = cache->mapping != MAP_FAILED;
    cache->mapping = is_ok ? cache->mapping : NULL;
    for (uint32_t i = 0; i < n && is_ok; i++) {
        is_ok =
            init_shard(&cache->shards[i], (uint8_t *)cache->mapping + i * shard_bytes, shard_bytes);
    }
    if (!is_ok) {
        pin_cache_free(cache);
        return pin_why_set(why, PIN_ENOMEM, "a cache of %zu bytes", settings->size_bytes);
    }
    *ret_cache = cache;
    return PIN_OK;
}

void pin_cache_free(struct pin_cache *cache)
{
    if (cache == NULL) {
        return;
    }
    pin_rcu_barrier(); /* segments on their way back */
    for (uint32_t i = 0; i < cache->settings.n_shards; i++) {
        free(cache->shards[i].transient);
        free(cache->shards[i].segments);
    }
    if (cache->mapping != NULL) {
        (void)munmap(cache->mapping, cache->mapping_bytes);
    }
    free(cache);
}

void pin_cache_stats(const struct pin_cache *cache, struct pin_cache_stats *ret_stats)
{
    *ret_stats = (struct pin_cache_stats){.size_bytes = cache->settings.size_bytes};
    for (uint32_t i = 0; i < cache->settings.n_shards; i++) {
        const struct pin_cache_shard *shard = &cache->shards[i];
        ret_stats->used_bytes += shard->fixed_bytes
                                 + atomic_load_explicit(&shard->used_segments, memory_order_relaxed)
                                       * shard->segment_units * PIN_CACHE_UNIT_BYTES;
        ret_stats->n_entries += atomic_load_explicit(&shard->n_entries, memory_order_relaxed);
        ret_stats->n_put += atomic_load_explicit(&shard->n_put, memory_order_relaxed);
        ret_stats->n_evicted += atomic_load_explicit(&shard->n_evicted, memory_order_relaxed);
        ret_stats->n_transient += atomic_load_explicit(&shard->n_transient, memory_order_relaxed);
        ret_stats->n_failures += atomic_load_explicit(&shard->n_failures, memory_order_relaxed);
    }
}

/* --- keys --------------------------------------------------------------------------------- */

/* Keys of one name never share a hash: every step can be undone. */
void pin_cache_key_finish(struct pin_cache_key *key)
{
    uint64_t rest = (uint64_t)key->qtype | (uint64_t)key->qclass << 16 | (uint64_t)key->group << 32
                    | (uint64_t)key->flags << 48;
    uint64_t hash = key->name_hash ^ rest * UINT64_C(0x9E3779B97F4A7C15);
    hash ^= hash >> 32;
    hash *= UINT64_C(0xD6E8FEB86659FD93);
    key->hash = hash ^ hash >> 32;
    key->candidate = NULL;
}

uint32_t pin_cache_shard(const struct pin_cache *cache, uint64_t name_hash)
{
    return (uint32_t)((name_hash >> 32) * cache->settings.n_shards >> 32);
}

static const struct pin_cache_shard *shard_of(
    const struct pin_cache *cache, const struct pin_cache_key *key)
{
    return &cache->shards[pin_cache_shard(cache, key->name_hash)];
}

static bool is_entry_of(const struct pin_cache_entry *entry, const struct pin_cache_key *key)
{
    return entry->hash == key->hash && entry->qtype == key->qtype && entry->qclass == key->qclass
           && entry->group == key->group && entry->flags == key->flags
           && entry->name_bytes == key->name_bytes
           && memcmp(pin_cache_name(entry), key->name, key->name_bytes) == 0;
}

_Atomic uint64_t *pin__cache_slot(
    const struct pin_cache_shard *shard, const struct pin_cache_key *key)
{
    struct pin_cache_bucket *bucket = pin__cache_bucket_of(shard, key->hash);
    for (size_t i = 0; i < PIN_CACHE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&bucket->slots[i], memory_order_acquire);
        if (slot >> 32 == key->hash >> 32 && slot != 0
            && is_entry_of(pin__cache_entry_of(shard, slot), key)) {
            return &bucket->slots[i];
        }
    }
    return NULL;
}

struct pin_cache_entry *pin__cache_probe(
    const struct pin_cache_shard *shard, const struct pin_cache_key *key)
{
    struct pin_cache_bucket *bucket = pin__cache_bucket_of(shard, key->hash);
    for (size_t i = 0; i < PIN_CACHE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&bucket->slots[i], memory_order_acquire);
        if (slot >> 32 == key->hash >> 32 && (uint32_t)slot != 0) {
            struct pin_cache_entry *entry = pin__cache_entry_of(shard, slot);
            if (pin_likely(is_entry_of(entry, key))) {
                return entry;
            }
        }
    }
    return NULL;
}

/* --- lookups ------------------------------------------------------------------------------ */

void pin_cache_fetch_bucket(const struct pin_cache *cache, const struct pin_cache_key *key)
{
    __builtin_prefetch(pin__cache_bucket_of(shard_of(cache, key), key->hash));
}

void pin_cache_fetch_entry(const struct pin_cache *cache, struct pin_cache_key *key)
{
    const struct pin_cache_shard *shard = shard_of(cache, key);
    const struct pin_cache_bucket *bucket = pin__cache_bucket_of(shard, key->hash);
    for (size_t i = 0; i < PIN_CACHE_SLOTS; i++) {
        uint64_t slot = atomic_load_explicit(&bucket->slots[i], memory_order_acquire);
        if (slot >> 32 == key->hash >> 32 && (uint32_t)slot != 0) {
            key->candidate = pin__cache_entry_of(shard, slot);
            __builtin_prefetch(key->candidate);
            __builtin_prefetch((const uint8_t *)key->candidate + sizeof(struct pin_cache_bucket));
            return;
        }
    }
}

bool pin__cache_is_dead(
    const struct pin_cache *cache, const struct pin_cache_entry *entry, int64_t now_ms)
{
    int64_t more_ms = entry->kind == PIN_BODY_FAILURE
                          ? PIN_FAILURE_MAX_MS /* it remembers how often it went wrong */
                          : (int64_t)cache->settings.stale_max_s * 1000;
    return now_ms >= pin__cache_fresh_until_ms(entry) + more_ms;
}

/* Tells the queues that an entry is of use; false: they know. */
static bool note_use(struct pin_cache_entry *entry)
{
    if (atomic_load_explicit(&entry->is_used, memory_order_relaxed) != 0) {
        return false;
    }
    atomic_store_explicit(&entry->is_used, 1, memory_order_relaxed);
    return true;
}

/* Settles on a fresh entry: tells the queues that it is of use, and perhaps one reader to ask. */
static enum pin_cache_state use(const struct pin_cache *cache, struct pin_cache_entry *entry,
    int64_t left_ms, struct pin_cache_found *ret_found)
{
    ret_found->entry = entry;
    ret_found->state = PIN_CACHE_FRESH;
    if (note_use(entry)) {
        return PIN_CACHE_FRESH;
    }
    if (pin_unlikely(left_ms * REFRESH_SHARE < (int64_t)entry->ttl_s * 1000)
        && cache->settings.is_prefetching
        && atomic_load_explicit(&entry->is_refreshing, memory_order_relaxed) == 0) {
        ret_found->wants_refresh =
            atomic_exchange_explicit(&entry->is_refreshing, 1, memory_order_relaxed) == 0;
    }
    return PIN_CACHE_FRESH;
}

/* The key of a denial of the name that begins `skip` bytes into `key`'s. */
static struct pin_cache_key denial_key(const struct pin_cache_key *key, size_t skip)
{
    struct pin_cache_key denial = *key;
    denial.qtype = 0;
    denial.flags |= PIN_KEY_DENIAL;
    if (skip > 0) {
        denial.name += skip;
        denial.name_bytes = (uint8_t)(key->name_bytes - skip);
        denial.name_hash = pin_hash64(denial.name, denial.name_bytes);
    }
    pin_cache_key_finish(&denial);
    return denial;
}

/* A fresh denial of a name above (RFC 8020); NULL: none. Not the root: it exists. */
static struct pin_cache_entry *find_denial_above(
    const struct pin_cache *cache, const struct pin_cache_key *key, int64_t now_ms)
{
    size_t at = (size_t)key->name[0] + 1;
    while (at + 1 < key->name_bytes) {
        struct pin_cache_key denial = denial_key(key, at);
        struct pin_cache_entry *entry = pin__cache_probe(shard_of(cache, &denial), &denial);
        if (entry != NULL && now_ms < pin__cache_fresh_until_ms(entry)) {
            return entry;
        }
        at += (size_t)key->name[at] + 1;
    }
    return NULL;
}

/* What is to be had when nothing is fresh. */
static enum pin_cache_state find_old(const struct pin_cache *cache, const struct pin_cache_key *key,
    struct pin_cache_entry *old, int64_t now_ms, struct pin_cache_found *ret_found)
{
    struct pin_cache_key failure_key = *key;
    failure_key.flags |= PIN_KEY_FAILURE;
    pin_cache_key_finish(&failure_key);
    const struct pin_cache_entry *failure = pin__cache_probe(shard_of(cache, key), &failure_key);
    bool is_failing = failure != NULL && now_ms < pin__cache_fresh_until_ms(failure);
    if (old != NULL && !pin__cache_is_dead(cache, old, now_ms)) {
        (void)note_use(old); /* while upstreams are away, what is in use is to stay */
        ret_found->entry = old;
        ret_found->is_failing = is_failing;
        ret_found->state = PIN_CACHE_STALE;
    } else if (is_failing) {
        ret_found->entry = failure;
        ret_found->state = PIN_CACHE_FAILED;
    }
    return ret_found->state;
}

enum pin_cache_state pin_cache_find(struct pin_cache *cache, const struct pin_cache_key *key,
    int64_t now_ms, struct pin_cache_found *ret_found)
{
    *ret_found = (struct pin_cache_found){.state = PIN_CACHE_MISS};
    struct pin_cache_entry *entry = key->candidate;
    if (entry == NULL || pin_unlikely(!is_entry_of(entry, key))) {
        entry = pin__cache_probe(shard_of(cache, key), key);
    }
    int64_t left_ms = entry == NULL ? 0 : pin__cache_fresh_until_ms(entry) - now_ms;
    if (pin_likely(left_ms > 0)) {
        return use(cache, entry, left_ms, ret_found);
    }
    if (atomic_load_explicit(&cache->n_denials, memory_order_relaxed) > 0) {
        struct pin_cache_key key_of_denial = denial_key(key, 0);
        struct pin_cache_entry *denial = pin__cache_probe(shard_of(cache, key), &key_of_denial);
        left_ms = denial == NULL ? 0 : pin__cache_fresh_until_ms(denial) - now_ms;
        if (left_ms > 0) {
            return use(cache, denial, left_ms, ret_found);
        }
        struct pin_cache_entry *above = find_denial_above(cache, key, now_ms);
        if (above != NULL) {
            (void)use(cache, above, INT32_MAX, ret_found);
            return PIN_CACHE_FRESH;
        }
        entry = entry == NULL ? denial : entry;
    }
    return find_old(cache, key, entry, now_ms, ret_found);
}

/* --- walks -------------------------------------------------------------------------------- */

bool pin_cache_walk(const struct pin_cache *cache, uint32_t shard_i, size_t *cursor,
    size_t n_buckets, pin_cache_visit_fn *visit, void *arg)
{
    const struct pin_cache_shard *shard = &cache->shards[shard_i];
    if (*cursor >= shard->n_buckets) {
        return false;
    }
    size_t end = n_buckets < shard->n_buckets - *cursor ? *cursor + n_buckets : shard->n_buckets;
    for (; *cursor < end; (*cursor)++) {
        for (size_t i = 0; i < PIN_CACHE_SLOTS; i++) {
            uint64_t slot =
                atomic_load_explicit(&shard->buckets[*cursor].slots[i], memory_order_acquire);
            if (slot != 0) {
                visit(pin__cache_entry_of(shard, slot), arg);
            }
        }
    }
    return *cursor < shard->n_buckets;
}
