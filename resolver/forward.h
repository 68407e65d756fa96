/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Forward: names that are not ours are asked elsewhere, and what comes back is kept.
 *
 *     worker          cache has it: answered at once; else -> ring of (worker, forward thread)
 *     forward thread  one question upstream for all who ask the same -> cache -> pin_answer() for
 *                     each of them -> back the way its query came (resolver/late.h)
 *
 * There are a few forward threads; each owns the names whose hash falls to it, their part of the
 * cache, its sockets and its picture of the upstreams: nothing is locked.
 *
 * Start before the workers; pin_forward_halt() before they stop, for it uses their sockets;
 * pin_forward_free() after.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/crypto.h"
#include "pintle/base/error.h"
#include "pintle/base/ip.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/text.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/name.h"

#include "cache.h"
#include "forward_ring.h"
#include "special.h"

/** Most upstreams of a zone, and most zones. */
#define PIN_UPSTREAMS_MAX     16u
#define PIN_FORWARD_ZONES_MAX 64u
/** Most forward threads. */
#define PIN_FORWARD_THREADS_MAX 16u
/** What pin_forward_group() says when nobody is asked for a name. */
#define PIN_FORWARD_NONE UINT8_MAX

/** One resolver. */
struct pin_upstream_spec {
    struct pin_addrport address;
    const char *tls_name; /**< Whom its certificate must name; NULL: the address. */
    const char *ca;       /**< File with who must have signed it; NULL: the system's. */
    bool is_tls;
    uint8_t ca_digest[PIN_SHA256_BYTES]; /**< Of what the file says: pin_forward_digest(). */
};

/** Names at and below `name` go to these. */
struct pin_forward_zone {
    struct pin_name name;
    const struct pin_upstream_spec *upstreams;
    size_t n_upstreams; /**< 1 to PIN_UPSTREAMS_MAX. */
    bool is_trusted;    /**< Their AD bit is passed on. */
    bool mixes_case;    /**< Names are sent in random case. */
};

/** What to start. All of it is borrowed until pin_forward_free(). */
struct pin_forward_config {
    struct pin_arena *arena; /**< Where the rest is, if it is nobody else's: freed with it, also
                                when the start fails. NULL: the caller's. */
    const struct pin_live *live;
    const struct pin_forward_zone *zones;
    size_t n_zones;                  /**< 1 to PIN_FORWARD_ZONES_MAX. */
    struct pin_cache_settings cache; /**< n_shards is set to n_threads. */
    uint32_t ttl_min_s;
    uint32_t ttl_max_s;
    bool awaits_basis; /**< Nobody asks before it has one, nor does it look for loops. */
    size_t n_threads;  /**< 1 to PIN_FORWARD_THREADS_MAX. */
    size_t n_ports;    /**< Threads that will ask. */
    uint32_t thread_i; /**< First number for pin_worker_init(); the next ones follow. */
};

struct pin_forward;

/** What a forward thread knows about the question whose askers it answers now. */
struct pin_outcome {
    const struct pin_cache_key *key;
    const struct pin_cache_entry *entry; /**< Its answer or failure; NULL: there is none. */
    bool shows_stale;                    /**< An expired answer is better than none. */
};

/** What one asking thread has. */
struct pin_forward_port {
    struct pin_forward *forward;
    const struct pin_outcome *outcome;               /**< NULL: a worker's. */
    int64_t now_ms;                                  /**< Of this batch. */
    uint8_t n_rounds;                                /**< Of the query that is answered now. */
    struct pin_ring *rings[PIN_FORWARD_THREADS_MAX]; /**< By forward thread. */
    uint8_t saved[PIN_MISS_WIRE_BYTES]; /**< What stood behind the question before the answer. */
};

/**
 * Sums up what a CA's file says now; all 0 for NULL and for what cannot be read. Reads the file,
 * and waits for nobody.
 */
void pin_forward_digest(const char *ca, uint8_t ret_digest[PIN_SHA256_BYTES]);

/** Whether a CA's file says something else than when the resolvers were made. Reads them. NULL is
 * fine. Control. */
bool pin_forward_is_outdated(const struct pin_forward *forward);

/** Starts the threads. */
enum pin_err pin_forward_start(
    const struct pin_forward_config *config, struct pin_forward **ret_forward, struct pin_why *why);

struct pin_manners;
struct pin_tapper;
struct pin_tsig_keys;

/** What late answers are like in other respects, who limits and who notes them; all of it outlives
 * the threads. Before anybody asks. */
void pin_forward_equip(struct pin_forward *forward, const struct pin_manners *manners,
    const struct pin_tsig_keys *keys, struct pin_tapper *tapper);

struct pin_basis;

/** Has all threads answer from another basis (worker.h). NULL is fine. Any thread. */
void pin_forward_give_basis(struct pin_forward *forward, const struct pin_basis *basis);

/**
 * Takes over what `before` has cached of zones that go to the same resolvers, unless TTLs are
 * bounded in another way. Before it has a basis. A thread that is no RCU reader; some 100 ns an
 * entry.
 */
void pin_forward_inherit(struct pin_forward *forward, const struct pin_forward *before);

/** Whether nobody waits for an answer; once no worker's basis names it, it stays so. A question
 * that leads to another one may be missed within a moment: look twice. NULL is idle. Any thread.
 */
bool pin_forward_is_idle(const struct pin_forward *forward);

/** Halts and frees one that no worker's basis names any more, while the tapper goes on. NULL is
 * fine. */
void pin_forward_retire(struct pin_forward *forward);

/** Adds what the threads answered to the sums of the workers. NULL is fine. Any thread. */
void pin_forward_add_stats(const struct pin_forward *forward, struct pin_stats_sum *sum);

/** Appends what it counts in Prometheus' text format. Any thread. */
void pin_forward_metrics(const struct pin_forward *forward, struct pin_text *text);

/** Told of a resolver that does not answer, or that sends questions back. Texts are the caller's.
 */
typedef void pin_forward_trouble_fn(void *arg, const char *zone, const char *to, bool is_loop);

/** Tells each of them; nothing for NULL. Any thread. */
void pin_forward_each_trouble(
    const struct pin_forward *forward, pin_forward_trouble_fn *tell, void *arg);

/** Writes an array of zones and their resolvers; empty for NULL. Any thread. */
void pin_forward_status_json(const struct pin_forward *forward, struct pin_jsonout *json);

/**
 * Has the cache forget a name, or with `is_tree` all names below it too; NULL: everything. Blocks
 * until all threads have done so, some milliseconds. One thread at a time.
 *
 * @return false: they are not done after two seconds; they will be.
 */
bool pin_forward_flush(struct pin_forward *forward, const struct pin_name *name, bool is_tree,
    uint64_t *ret_n_removed);

/** Where a dump goes on. Zeroed is the beginning. */
struct pin_forward_cursor {
    uint32_t shard;
    size_t bucket;
};

/**
 * Writes what is cached as objects into an array that is open, at most about `n_max` of them; of
 * names at and below `below`, unless that is NULL. An online thread (base/rcu.h).
 *
 * @return false: that was the last of them.
 */
bool pin_forward_dump(const struct pin_forward *forward, const struct pin_name *below, size_t n_max,
    struct pin_forward_cursor *cursor, struct pin_jsonout *json);

/** Says who is asked for a name, and what is cached of it: members of an object that is open.
 * False, and nothing, when nobody is. An online thread. */
bool pin_forward_explain(const struct pin_forward *forward, const struct pin_name *name,
    uint16_t type, struct pin_jsonout *json);

/** Adds texts about resolvers of the name's zone that do not answer to a list that is open. An
 * online thread. */
void pin_forward_explain_notes(
    const struct pin_forward *forward, const struct pin_name *name, struct pin_jsonout *json);

/** Joins the threads: nothing is answered any more, what is handed over waits for nobody. NULL is
 * fine. */
void pin_forward_halt(struct pin_forward *forward);

/** Frees all, when nobody asks any more. NULL is fine. */
void pin_forward_free(struct pin_forward *forward);

/** The port of asking thread `port_i`; NULL when there are not so many, or `forward` is NULL. */
struct pin_forward_port *pin_forward_port(struct pin_forward *forward, size_t port_i);

/* --- for the answer path ---------------------------------------------------------------------- */

/** The zone that a name is forwarded by, or PIN_FORWARD_NONE: a special name (special.h) by one of
 * its own, not by ".". `name` in lower case. Hot path. */
uint8_t pin_forward_group(const struct pin_forward *forward, const uint8_t *name, size_t bytes);

/** What a name is that only the zone "." fits; PIN_SPECIAL_NONE for all others, and without
 * `forward`. `name` in lower case. */
enum pin_special pin_forward_special(
    const struct pin_forward *forward, const uint8_t *name, size_t bytes);

/** The cache. Hot path. */
struct pin_cache *pin_forward_cache(const struct pin_forward *forward);

/**
 * Hands a query over. Never blocks; a system call only when the forward thread may be asleep.
 *
 * @param key     What is to be asked.
 * @param client  NULL: nobody waits, a popular answer is renewed.
 * @param wire    The query as it came, `bytes` long.
 * @return false: it cannot be handed over.
 */
bool pin_forward_hand_over(struct pin_forward_port *port, const struct pin_cache_key *key,
    const struct pin_client *client, const uint8_t *wire, size_t bytes);
