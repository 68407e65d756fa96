/* SPDX-License-Identifier: Apache-2.0 */

/* What the shard's thread does: answers and failures in, names out. */

#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#include "cache.h"
#include "cache_shard.h"

/* An entry may take this part of a segment: larger ones are handed out and forgotten. */
#define ENTRY_SHARE 2u

static struct pin_cache_shard *shard_of(struct pin_cache *cache, const struct pin_cache_key *key)
{
    return &cache->shards[pin_cache_shard(cache, key->name_hash)];
}

/* --- entries ------------------------------------------------------------------------------ */

/* Fills in what comes from the key, and how long the whole is when `tail_bytes` follow. */
static void init_entry(struct pin_cache_entry *entry, const struct pin_cache_key *key,
    size_t tail_bytes, int64_t now_ms)
{
    size_t bytes = offsetof(struct pin_cache_entry, tail) + tail_bytes;
    *entry = (struct pin_cache_entry){
        .hash = key->hash,
        .since_ms = now_ms,
        .n_units = (uint16_t)((bytes + PIN_CACHE_UNIT_BYTES - 1) / PIN_CACHE_UNIT_BYTES),
        .qtype = key->qtype,
        .qclass = key->qclass,
        .group = key->group,
        .flags = key->flags,
        .name_bytes = key->name_bytes,
    };
}

/* Makes an entry from a reply, in the shard's own place for one. */
static struct pin_cache_entry *make_entry(struct pin_cache_shard *shard,
    const struct pin_cache_key *key, const struct pin_reply *reply, int64_t now_ms)
{
    struct pin_cache_entry *entry = shard->transient;
    size_t lists = (size_t)reply->n_ttls + reply->n_pointers;
    init_entry(entry, key, lists * sizeof(uint16_t) + key->name_bytes + reply->body_bytes, now_ms);
    entry->ttl_s = reply->ttl_s;
    memcpy(entry->n_rr, reply->n_rr, sizeof(entry->n_rr));
    entry->n_pointers = reply->n_pointers;
    entry->body_bytes = reply->body_bytes;
    entry->ede = reply->ede;
    entry->rcode = (uint8_t)reply->rcode;
    entry->kind = (uint8_t)reply->kind;
    entry->is_authentic = reply->is_authentic;
    memcpy(entry->tail, reply->ttl_at, reply->n_ttls * sizeof(uint16_t));
    memcpy(entry->tail + reply->n_ttls, reply->pointer_at, reply->n_pointers * sizeof(uint16_t));
    uint8_t *name = (uint8_t *)(entry->tail + lists);
    memcpy(name, key->name, key->name_bytes);
    memcpy(name + key->name_bytes, reply->body, reply->body_bytes);
    return entry;
}

/* How little a slot's entry would be missed. */
static unsigned regret(const struct pin_cache *cache, const struct pin_cache_shard *shard,
    uint64_t slot, int64_t now_ms)
{
    if (slot == 0) {
        return 0;
    }
    const struct pin_cache_entry *entry = pin__cache_entry_of(shard, slot);
    if (pin__cache_is_dead(cache, entry, now_ms)) {
        return 1;
    }
    return atomic_load_explicit(&entry->is_used, memory_order_relaxed) == 0 ? 2 : 3;
}

/* A free slot of a bucket, or the one that is missed least, which is dropped. */
static _Atomic uint64_t *free_slot(
    struct pin_cache *cache, struct pin_cache_shard *shard, uint64_t hash, int64_t now_ms)
{
    struct pin_cache_bucket *bucket = pin__cache_bucket_of(shard, hash);
    _Atomic uint64_t *best = NULL;
    unsigned best_regret = UINT32_MAX;
    for (size_t i = 0; i < PIN_CACHE_SLOTS && best_regret > 0; i++) {
        _Atomic uint64_t *slot = &bucket->slots[(i + (hash >> 32)) % PIN_CACHE_SLOTS];
        unsigned slot_regret =
            regret(cache, shard, atomic_load_explicit(slot, memory_order_relaxed), now_ms);
        if (slot_regret < best_regret) {
            best = slot;
            best_regret = slot_regret;
        }
    }
    if (best_regret > 0) {
        pin__cache_drop(cache, shard, best);
        pin__cache_count(&shard->n_evicted, 1);
    }
    return best;
}

/* Puts a copy of the entry in its place, where the table leads to. NULL: not now. */
static struct pin_cache_entry *store(struct pin_cache *cache, struct pin_cache_shard *shard,
    const struct pin_cache_key *key, const struct pin_cache_entry *entry, int64_t now_ms)
{
    pin__cache_make_room(cache, shard, now_ms);
    _Atomic uint64_t *slot = pin__cache_slot(shard, key);
    bool is_known =
        slot != NULL
        && atomic_load_explicit(&pin__cache_entry_of(shard, *slot)->is_used, memory_order_relaxed)
               != 0;
    bool is_wanted = is_known || pin__cache_was_ghost(shard, key->hash);
    struct pin_cache_entry *copy =
        pin__cache_take(shard, is_wanted ? &shard->main : &shard->small, entry->n_units);
    if (copy == NULL) {
        return NULL;
    }
    memcpy(copy, entry, (size_t)entry->n_units * PIN_CACHE_UNIT_BYTES);
    if (slot == NULL) {
        slot = free_slot(cache, shard, key->hash, now_ms);
        pin__cache_count(&shard->n_entries, 1);
        if ((key->flags & PIN_KEY_DENIAL) != 0) {
            atomic_fetch_add_explicit(&cache->n_denials, 1, memory_order_relaxed);
        }
    }
    atomic_store_explicit(slot, pin__cache_slot_value(shard, copy), memory_order_release);
    return copy;
}

static void drop_key(
    struct pin_cache *cache, struct pin_cache_shard *shard, const struct pin_cache_key *key)
{
    _Atomic uint64_t *slot = pin__cache_slot(shard, key);
    if (slot != NULL) {
        pin__cache_drop(cache, shard, slot);
    }
}

/* The same name and group with other flags, or all types of it. */
static struct pin_cache_key variant(
    const struct pin_cache_key *key, uint16_t qtype, uint8_t more_flags)
{
    struct pin_cache_key other = *key;
    other.qtype = qtype;
    other.flags = (uint8_t)(key->flags | more_flags);
    pin_cache_key_finish(&other);
    return other;
}

/* Keeps the entry in the shard's transient place, if it may be kept. */
static const struct pin_cache_entry *keep(struct pin_cache *cache, struct pin_cache_shard *shard,
    const struct pin_cache_key *key, int64_t now_ms)
{
    struct pin_cache_entry *entry = shard->transient;
    const struct pin_cache_entry *kept = NULL;
    if (entry->ttl_s > 0 && entry->n_units <= shard->segment_units / ENTRY_SHARE) {
        kept = store(cache, shard, key, entry, now_ms);
    }
    pin__cache_count(&shard->n_put, 1);
    if (kept == NULL) {
        drop_key(cache, shard, key); /* what was there is not true any more */
        pin__cache_count(&shard->n_transient, 1);
        return entry;
    }
    return kept;
}

/* --- the writer's calls ------------------------------------------------------------------- */

const struct pin_cache_entry *pin_cache_put(struct pin_cache *cache,
    const struct pin_cache_key *key, const struct pin_reply *reply, int64_t now_ms)
{
    struct pin_cache_shard *shard = shard_of(cache, key);
    struct pin_cache_key denial = variant(key, 0, PIN_KEY_DENIAL);
    struct pin_cache_key failure = variant(key, key->qtype, PIN_KEY_FAILURE);
    drop_key(cache, shard, &failure);
    /* One of the two contradicts what is known now. */
    drop_key(cache, shard, reply->is_denied ? key : &denial);

    const struct pin_cache_key *kept_key = reply->is_denied ? &denial : key;
    (void)make_entry(shard, kept_key, reply, now_ms);
    return keep(cache, shard, kept_key, now_ms);
}

/* How long nobody is asked again after this many failures before. */
static int64_t pause_ms(unsigned n_before, bool has_stale)
{
    int64_t most_ms = has_stale ? PIN_FAILURE_STALE_MS : PIN_FAILURE_MAX_MS;
    int64_t ms = PIN_FAILURE_MIN_MS;
    for (unsigned i = 0; i < n_before && ms < most_ms; i++) {
        ms *= 2;
    }
    return PIN_MIN(ms, most_ms);
}

static bool has_stale(const struct pin_cache *cache, const struct pin_cache_shard *shard,
    const struct pin_cache_key *key, int64_t now_ms)
{
    const struct pin_cache_entry *entry = pin__cache_probe(shard, key);
    return entry != NULL && !pin__cache_is_dead(cache, entry, now_ms);
}

const struct pin_cache_entry *pin_cache_put_failure(
    struct pin_cache *cache, const struct pin_cache_key *key, uint16_t ede, int64_t now_ms)
{
    struct pin_cache_shard *shard = shard_of(cache, key);
    struct pin_cache_key denial = variant(key, 0, PIN_KEY_DENIAL);
    struct pin_cache_key failure = variant(key, key->qtype, PIN_KEY_FAILURE);
    const struct pin_cache_entry *before = pin__cache_probe(shard, &failure);
    bool goes_on = before != NULL && !pin__cache_is_dead(cache, before, now_ms);
    unsigned n_before = goes_on ? before->n_failures : 0;
    bool has_answer =
        has_stale(cache, shard, key, now_ms) || has_stale(cache, shard, &denial, now_ms);

    struct pin_cache_entry *entry = shard->transient;
    init_entry(entry, &failure, key->name_bytes, now_ms);
    entry->ttl_s = (uint32_t)(pause_ms(n_before, has_answer) / 1000);
    entry->ede = ede;
    entry->rcode = PIN_RCODE_SERVFAIL;
    entry->kind = PIN_BODY_FAILURE;
    entry->n_failures = (uint8_t)PIN_MIN(n_before + 1, UINT8_MAX);
    memcpy(entry->tail, key->name, key->name_bytes);
    pin__cache_count(&shard->n_failures, 1);
    return keep(cache, shard, &failure, now_ms);
}

void pin_cache_adopt(
    struct pin_cache *cache, const struct pin_cache_entry *entry, uint16_t group, int64_t now_ms)
{
    struct pin_cache_key key = {.name = pin_cache_name(entry),
        .name_hash = pin_hash64(pin_cache_name(entry), entry->name_bytes),
        .qtype = entry->qtype,
        .qclass = entry->qclass,
        .group = group,
        .name_bytes = entry->name_bytes,
        .flags = entry->flags};
    pin_cache_key_finish(&key);
    struct pin_cache_shard *shard = shard_of(cache, &key);
    pin__cache_copy(shard->transient, entry); /* a refresh of it goes to the other cache */
    bool is_used = atomic_load_explicit(&entry->is_used, memory_order_relaxed) != 0;
    atomic_init(&shard->transient->is_used, is_used);
    shard->transient->hash = key.hash;
    shard->transient->group = group;
    (void)keep(cache, shard, &key, now_ms);
}

/* --- removals ----------------------------------------------------------------------------- */

static bool is_name_or_below(
    const struct pin_cache_entry *entry, const uint8_t *name, size_t name_bytes, bool is_tree)
{
    const uint8_t *at = pin_cache_name(entry);
    size_t left = entry->name_bytes;
    while (is_tree && left > name_bytes) {
        left -= (size_t)at[0] + 1;
        at = pin_name_parent(at);
    }
    return left == name_bytes && memcmp(at, name, name_bytes) == 0;
}

size_t pin_cache_remove(
    struct pin_cache *cache, uint32_t shard_i, const uint8_t *name, size_t name_bytes, bool is_tree)
{
    struct pin_cache_shard *shard = &cache->shards[shard_i];
    size_t n = 0;
    for (uint64_t i = 0; i < shard->n_buckets * PIN_CACHE_SLOTS; i++) {
        _Atomic uint64_t *slot = &shard->buckets[i / PIN_CACHE_SLOTS].slots[i % PIN_CACHE_SLOTS];
        uint64_t value = atomic_load_explicit(slot, memory_order_relaxed);
        if (value != 0
            && is_name_or_below(pin__cache_entry_of(shard, value), name, name_bytes, is_tree)) {
            pin__cache_drop(cache, shard, slot);
            n++;
        }
    }
    return n;
}

void pin_cache_clear(struct pin_cache *cache, uint32_t shard_i)
{
    struct pin_cache_shard *shard = &cache->shards[shard_i];
    for (uint64_t i = 0; i < shard->n_buckets * PIN_CACHE_SLOTS; i++) {
        _Atomic uint64_t *slot = &shard->buckets[i / PIN_CACHE_SLOTS].slots[i % PIN_CACHE_SLOTS];
        if (atomic_load_explicit(slot, memory_order_relaxed) != 0) {
            pin__cache_drop(cache, shard, slot);
        }
    }
    pin__cache_empty(shard, &shard->small);
    pin__cache_empty(shard, &shard->main);
}
