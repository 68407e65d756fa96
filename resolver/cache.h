/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Cache: answers of upstreams, read by every thread without a lock, written by one thread a shard.
 *
 *     shard (by the name's hash; one writer)
 *       table     buckets of one cache line; a slot is (part of the hash, place of the entry)
 *       segments  pieces of one mapping; entries are appended, a whole segment is freed at once
 *                 small queue --used once more--> main queue --used--> to its end again
 *
 * The memory is mapped once and bounded in bytes: table, segments and all else together. What was
 * asked for only once leaves through the small queue and pushes nothing out of the main one
 * (S3-FIFO). A segment is written again only after a grace period (base/rcu.h); while a flood is
 * faster than that, answers are handed out without being kept.
 *
 * Readers are online; an entry they found is theirs until their next quiescent point. They write
 * nothing but two flags of an entry.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/error.h"

#include "reply.h"

/** Smallest cache, per shard. */
#define PIN_CACHE_SHARD_MIN_BYTES ((size_t)1 << 20)
/** Most shards. */
#define PIN_CACHE_SHARDS_MAX 256u
/** TTL of stale records (RFC 8767, section 4). */
#define PIN_STALE_TTL_S 30u
/** How long a failure is kept: the first time, at most, and at most while stale data is there. */
#define PIN_FAILURE_MIN_MS   5000
#define PIN_FAILURE_MAX_MS   300000
#define PIN_FAILURE_STALE_MS 30000

struct pin_cache;

/** What a cache is made from. */
struct pin_cache_settings {
    size_t size_bytes;    /**< Of all shards; at least PIN_CACHE_SHARD_MIN_BYTES for each. */
    uint32_t n_shards;    /**< 1 to PIN_CACHE_SHARDS_MAX. */
    uint32_t stale_max_s; /**< How long an expired answer may still be shown; 0: never. */
    bool is_prefetching;  /**< Whether find() asks for refreshes. */
};

/** What an answer depends on. */
struct pin_cache_key {
    struct pin_cache_entry *candidate; /**< pin_cache_fetch_entry()'s; finish() clears it. */
    const uint8_t *name;               /**< Lower-cased wire format; borrowed. */
    uint64_t name_hash;                /**< pin_hash64() of it. Names the shard. */
    uint64_t hash;                     /**< Of all of it; pin_cache_key_finish() sets it. */
    uint16_t qtype;
    uint16_t qclass;
    uint16_t group; /**< Of upstreams: what one zone's upstream says is not shown for another. */
    uint8_t name_bytes;
    uint8_t flags; /**< PIN_KEY_*. */
};

/** Flags of a key. The last two are the cache's own. */
#define PIN_KEY_DO      0x01u
#define PIN_KEY_CD      0x02u
#define PIN_KEY_DENIAL  0x04u /**< The name does not exist, whatever the type (qtype 0). */
#define PIN_KEY_FAILURE 0x08u /**< Stands beside the answer, which may be stale. */

/** An answer. Immutable but for the two atomic flags. */
struct pin_cache_entry {
    uint64_t hash;    /**< Of its key. */
    int64_t since_ms; /**< When it came; monotonic. */
    uint32_t ttl_s;   /**< From then on it is fresh for so long. */
    uint16_t n_units; /**< Length of the whole entry. */
    uint16_t qtype;   /**< 0 with PIN_KEY_DENIAL. */
    uint16_t qclass;
    uint16_t group;
    uint16_t n_rr[PIN_SECTION_MAX]; /**< Their sum is the number of TTLs. */
    uint16_t n_pointers;
    uint16_t body_bytes;
    uint16_t ede; /**< The upstream's, or what a failure is told with; or PIN_EDE_NONE. */
    uint8_t rcode;
    uint8_t kind;  /**< enum pin_body_kind */
    uint8_t flags; /**< PIN_KEY_* */
    uint8_t name_bytes;
    uint8_t n_failures; /**< In a row. */
    bool is_authentic;
    _Atomic uint8_t is_used;       /**< Shown since it took its place in the queue. */
    _Atomic uint8_t is_refreshing; /**< A reader was told to ask anew. */
    uint16_t tail[];               /**< ttl_at, pointer_at, then bytes: name, body. */
};

/** Where each record has its TTL, from the body's first byte. */
static inline const uint16_t *pin_cache_ttl_at(const struct pin_cache_entry *entry)
{
    return entry->tail;
}

/** Number of records. */
static inline size_t pin_cache_n_ttls(const struct pin_cache_entry *entry)
{
    return (size_t)entry->n_rr[0] + entry->n_rr[1] + entry->n_rr[2];
}

/** Where there are compression pointers, from the body's first byte. */
static inline const uint16_t *pin_cache_pointer_at(const struct pin_cache_entry *entry)
{
    return entry->tail + pin_cache_n_ttls(entry);
}

/** The name, lower-cased wire format. */
static inline const uint8_t *pin_cache_name(const struct pin_cache_entry *entry)
{
    return (const uint8_t *)(pin_cache_pointer_at(entry) + entry->n_pointers);
}

/** The records. */
static inline const uint8_t *pin_cache_body(const struct pin_cache_entry *entry)
{
    return pin_cache_name(entry) + entry->name_bytes;
}

/** What a lookup found. */
enum pin_cache_state {
    PIN_CACHE_MISS,
    PIN_CACHE_FRESH,  /**< Show it. */
    PIN_CACHE_STALE,  /**< Expired, not too long ago: ask the upstream; show it when that takes long
                           or is_failing, with EDE 3 (NXDOMAIN: 19). */
    PIN_CACHE_FAILED, /**< Asked not long ago in vain: SERVFAIL with the entry's EDE, ask nobody. */
};

/** Result of pin_cache_find(). */
struct pin_cache_found {
    const struct pin_cache_entry *entry; /**< NULL: MISS. Its name may be an ancestor of the key's:
                                              then it denies all below. */
    enum pin_cache_state state;
    bool is_failing;    /**< STALE: asked not long ago in vain. */
    bool wants_refresh; /**< FRESH: nearly over and in use; one reader is told to ask for it. */
};

/** Counters of a cache; each may lag a little behind the others. */
struct pin_cache_stats {
    uint64_t size_bytes;  /**< What the cache may take. */
    uint64_t used_bytes;  /**< Table, segments in use and the rest. */
    uint64_t n_entries;   /**< Whatever their age. */
    uint64_t n_put;       /**< Ever. */
    uint64_t n_evicted;   /**< Left for want of room. */
    uint64_t n_transient; /**< Not kept: TTL 0, too large, or no segment was free. */
    uint64_t n_failures;  /**< Failures noted. */
};

/** Makes an empty cache. PIN_ENOMEM, PIN_EINVAL. The mapping costs memory as it is filled. */
enum pin_err pin_cache_new(
    const struct pin_cache_settings *settings, struct pin_cache **ret_cache, struct pin_why *why);

/** Frees a cache that no other thread uses; waits for a grace period. NULL is fine. */
void pin_cache_free(struct pin_cache *cache);

/* --- readers: any online thread ------------------------------------------------------------- */

/**
 * Finishes a key: everything but `hash` is filled in. `name_hash` is what an answer has anyway;
 * `flags` are PIN_KEY_DO and PIN_KEY_CD.
 */
void pin_cache_key_finish(struct pin_cache_key *key);

/** Whether both are of the same question. Finished ones. */
static inline bool pin_cache_key_is_same(
    const struct pin_cache_key *a, const struct pin_cache_key *b)
{
    return a->hash == b->hash && a->qtype == b->qtype && a->group == b->group
           && a->flags == b->flags && a->name_bytes == b->name_bytes
           && memcmp(a->name, b->name, a->name_bytes) == 0;
}

/** The shard of a name. */
uint32_t pin_cache_shard(const struct pin_cache *cache, uint64_t name_hash);

/** For batches: fetches the bucket of a key, to be followed some work later by the next one. */
void pin_cache_fetch_bucket(const struct pin_cache *cache, const struct pin_cache_key *key);

/** For batches: fetches the entry that the bucket points to; the key remembers it. No quiescent
 * point until the key's lookup. */
void pin_cache_fetch_entry(const struct pin_cache *cache, struct pin_cache_key *key);

/**
 * Looks a question up: its answer, else a denial of its name, else of one of the names above it
 * (RFC 8020), else a failure (RFC 9520). No lock, no allocation. Hot path.
 *
 * @param now_ms  pin_clock_mono_ms().
 * @return ret_found->state.
 */
enum pin_cache_state pin_cache_find(struct pin_cache *cache, const struct pin_cache_key *key,
    int64_t now_ms, struct pin_cache_found *ret_found);

/** Sums the shards' counters. Any thread. */
void pin_cache_stats(const struct pin_cache *cache, struct pin_cache_stats *ret_stats);

/* --- writers: the one thread of the key's shard, online --------------------------------------- */

/**
 * Keeps a GOOD reply as the answer of `key` (or as the denial of its name), instead of what was
 * there; a failure of that key is over. What cannot be kept (TTL 0, too large, no room just now)
 * is handed out all the same.
 *
 * @return Never NULL. Valid until the calling thread's next quiescent point or next put of this
 *         shard, whichever comes first.
 */
const struct pin_cache_entry *pin_cache_put(struct pin_cache *cache,
    const struct pin_cache_key *key, const struct pin_reply *reply, int64_t now_ms);

/**
 * Notes that nobody had an answer: for 5 s, twice as long each time it goes on (at most 300 s, and
 * 30 s while there is a stale answer). The answer that is there stays.
 *
 * @param ede  What clients are told, or PIN_EDE_NONE.
 * @return As pin_cache_put(); kind PIN_BODY_FAILURE, rcode SERVFAIL, ttl_s the time until the next
 *         try.
 */
const struct pin_cache_entry *pin_cache_put_failure(
    struct pin_cache *cache, const struct pin_cache_key *key, uint16_t ede, int64_t now_ms);

/** Keeps a copy of another cache's entry, for another group; an online thread, while nobody else
 * writes. What there is no room for is left out. */
void pin_cache_adopt(
    struct pin_cache *cache, const struct pin_cache_entry *entry, uint16_t group, int64_t now_ms);

/**
 * Removes all that one shard knows of a name (lower-cased wire format), or of it and all names
 * below. Walks the shard's table: some 40 ms for a million entries. Returns how many entries went.
 */
size_t pin_cache_remove(struct pin_cache *cache, uint32_t shard_i, const uint8_t *name,
    size_t name_bytes, bool is_tree);

/** Removes all entries of one shard. */
void pin_cache_clear(struct pin_cache *cache, uint32_t shard_i);

/** Called for an entry. Must not change the cache. */
typedef void pin_cache_visit_fn(const struct pin_cache_entry *entry, void *arg);

/**
 * Visits the entries of the next `n_buckets` buckets of a shard, up to 8 entries each. Start with
 * *cursor = 0. Any online thread; what changes meanwhile may or may not show.
 *
 * @return false when that was the last of them.
 */
bool pin_cache_walk(const struct pin_cache *cache, uint32_t shard_i, size_t *cursor,
    size_t n_buckets, pin_cache_visit_fn *visit, void *arg);
