/* SPDX-License-Identifier: Apache-2.0 */

/*
 * What the cache costs without the kernel: nanoseconds of a hit (lookup, copy, TTLs) beside reading
 * the question and finishing the answer; bytes an entry takes; how many of the names in use are
 * still there while ten million others pass through.
 */

#include "resolver/cache.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/hash.h"
#include "pintle/base/rand.h"
#include "pintle/base/rcu.h"

#include "resolver/cache_answer.h"
#include "resolver/query.h"
#include "support/message.h"
#include "support/upstream.h"

#define N_QUERIES   65536u
#define N_ROUNDS    16u
#define QUERY_BYTES 96u
#define BATCH       16u
#define TYPE_A      1u
#define DAY_S       86400u
#define MIB         ((size_t)1 << 20)

/* The scan of reliability's row C5. */
#define N_HOT        20000u
#define N_SCANNED    10000000u
#define HOT_EVERY    8u /* one question in so many is for a hot name */
#define QUIESCE_MASK 63u
#define GRACE_MASK   4095u

struct query {
    size_t bytes;
    uint8_t wire[QUERY_BYTES];
};

static struct query queries[N_QUERIES];
static uint8_t slots[BATCH][1344];
static size_t sizes[BATCH];
static struct pin_query parsed[BATCH];
static struct pin_cache_key keys[BATCH];
static struct pin_reply *reply;

static size_t make_query(uint8_t *wire, const char *kind, unsigned i)
{
    char name[64];
    (void)snprintf(name, sizeof(name), "%s-%u.example.com", kind, i);
    struct message_query query = {.name = name, .type = TYPE_A, .edns_bytes = 1232};
    query.has_edns = true;
    return message_build(&query, wire);
}

static void make_key(struct pin_cache_key *key, const struct pin_query *query)
{
    *key = (struct pin_cache_key){.name = query->qname,
        .name_hash = pin_hash64(query->qname, query->qname_bytes),
        .qtype = query->qtype,
        .qclass = query->qclass,
        .name_bytes = query->qname_bytes};
    pin_cache_key_finish(key);
}

/* Puts one address for the name of `query`: what an upstream with a compressed owner sends. */
static void put(struct pin_cache *cache, const struct pin_cache_key *key, int64_t now_ms)
{
    static const uint8_t rr[] = {0xC0, 0x0C, 0, 1, 0, 1, 0, 1, 0x51, 0x80, 0, 4, 192, 0, 2, 1};
    memcpy(reply->body, rr, sizeof(rr));
    reply->body_bytes = sizeof(rr);
    reply->ede = PIN_EDE_NONE;
    reply->kind = PIN_BODY_ANSWER;
    reply->ttl_s = DAY_S;
    reply->n_rr[0] = 1;
    reply->n_ttls = 1;
    reply->ttl_at[0] = 6;
    reply->n_pointers = 1;
    reply->pointer_at[0] = 0;
    (void)pin_cache_put(cache, key, reply, now_ms);
}

static struct pin_cache *new_cache(size_t size_bytes)
{
    struct pin_cache_settings settings = {
        .size_bytes = size_bytes, .n_shards = 1, .stale_max_s = DAY_S, .is_prefetching = true};
    struct pin_cache *cache = NULL;
    if (pin_cache_new(&settings, &cache, NULL) != PIN_OK) {
        abort();
    }
    return cache;
}

/* --- hits --------------------------------------------------------------------------------- */

/* What one thread does with a batch; without a cache, all but the lookup and the copy. */
static size_t answer_batch(struct pin_cache *cache, int64_t now_ms)
{
    size_t n_hits = 0;
    for (size_t i = 0; i < BATCH; i++) {
        (void)pin_query_parse(slots[i], sizes[i], &parsed[i]);
        make_key(&keys[i], &parsed[i]);
        if (cache != NULL) {
            pin_cache_fetch_bucket(cache, &keys[i]);
        }
    }
    for (size_t i = 0; i < BATCH && cache != NULL; i++) {
        pin_cache_fetch_entry(cache, &keys[i]);
    }
    for (size_t i = 0; i < BATCH; i++) {
        struct pin_packet packet = {.wire = slots[i], .cap_bytes = sizeof(slots[i])};
        struct pin_cache_shown shown = {.now_ms = now_ms, .owner_at = PIN_HEADER_BYTES};
        struct pin_cache_found found;
        struct pin_response response;
        pin_response_init(&response, &packet, &parsed[i], false);
        if (cache != NULL && pin_cache_find(cache, &keys[i], now_ms, &found) == PIN_CACHE_FRESH) {
            n_hits += pin_response_add_entry(&response, found.entry, &shown);
        }
        (void)pin_response_finish(&response, &parsed[i]);
    }
    return n_hits;
}

static double measure(struct pin_cache *cache, int64_t now_ms, size_t *ret_n_hits)
{
    int64_t best_ns = INT64_MAX;
    for (size_t round = 0; round < N_ROUNDS; round++) {
        size_t n_hits = 0;
        int64_t start_ns = pin_clock_thread_cpu_ns();
        for (size_t i = 0; i < N_QUERIES; i += BATCH) {
            for (size_t b = 0; b < BATCH; b++) {
                memcpy(slots[b], queries[i + b].wire, QUERY_BYTES);
                sizes[b] = queries[i + b].bytes;
            }
            n_hits += answer_batch(cache, now_ms);
        }
        int64_t spent_ns = pin_clock_thread_cpu_ns() - start_ns;
        best_ns = spent_ns < best_ns ? spent_ns : best_ns;
        *ret_n_hits = n_hits;
    }
    return (double)best_ns / N_QUERIES;
}

/* What a flush costs: the shard's thread does nothing else meanwhile. */
static void measure_walks(struct pin_cache *cache)
{
    static const uint8_t root[] = {0};
    uint8_t name[QUERY_BYTES];
    size_t bytes = message_put_name("hot-0.example.com", name);
    int64_t start_ns = pin_clock_thread_cpu_ns();
    size_t n_name = pin_cache_remove(cache, 0, name, bytes, false);
    int64_t name_ns = pin_clock_thread_cpu_ns();
    size_t n_tree = pin_cache_remove(cache, 0, root, sizeof(root), true);
    int64_t end_ns = pin_clock_thread_cpu_ns();
    (void)printf("          flush of a name (%zu) %.1f ms, of everything as a tree (%zu) %.1f ms\n",
        n_name, (double)(name_ns - start_ns) / 1e6, n_tree, (double)(end_ns - name_ns) / 1e6);
}

static void measure_hits(unsigned n_names, size_t size_bytes)
{
    struct pin_cache_stats stats;
    size_t n_hits = 0;
    int64_t now_ms = pin_clock_mono_ms();
    struct pin_cache *cache = new_cache(size_bytes);
    pin_cache_stats(cache, &stats);
    uint64_t empty_bytes = stats.used_bytes;
    for (unsigned i = 0; i < n_names; i++) {
        uint8_t wire[QUERY_BYTES];
        size_t bytes = make_query(wire, "hot", i);
        (void)pin_query_parse(wire, bytes, &parsed[0]);
        make_key(&keys[0], &parsed[0]);
        put(cache, &keys[0], now_ms);
    }
    for (size_t i = 0; i < N_QUERIES; i++) {
        queries[i].bytes = make_query(queries[i].wire, "hot", pin_rand_below(n_names));
    }
    double without_ns = measure(NULL, now_ms, &n_hits);
    double with_ns = measure(cache, now_ms + 1, &n_hits);
    pin_cache_stats(cache, &stats);
    (void)printf("%8u names  %6.1f ns a hit beside %.1f ns for question and answer; %.0f bytes an "
                 "entry and %.0f of table; %.2f %% hit\n",
        n_names, with_ns - without_ns, without_ns,
        (double)(stats.used_bytes - empty_bytes) / (double)stats.n_entries,
        (double)empty_bytes / (double)stats.n_entries, 100.0 * (double)n_hits / N_QUERIES);
    measure_walks(cache);
    pin_cache_free(cache);
}

/* --- a scan ------------------------------------------------------------------------------- */

static size_t resident_bytes(void)
{
    long n_pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%*s %ld", &n_pages) != 1) { /* NOLINT(cert-err34-c) */
        n_pages = 0;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return (size_t)n_pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Asks for a name, and puts it where it is missed. */
static bool ask(struct pin_cache *cache, const char *kind, unsigned i, int64_t now_ms)
{
    uint8_t wire[QUERY_BYTES];
    struct pin_cache_found found;
    size_t bytes = make_query(wire, kind, i);
    (void)pin_query_parse(wire, bytes, &parsed[0]);
    make_key(&keys[0], &parsed[0]);
    if (pin_cache_find(cache, &keys[0], now_ms, &found) == PIN_CACHE_FRESH) {
        return true;
    }
    put(cache, &keys[0], now_ms);
    return false;
}

static void measure_scan(size_t size_bytes)
{
    struct pin_cache_stats stats;
    size_t before_bytes = resident_bytes();
    size_t most_bytes = 0;
    unsigned n_hot = 0;
    unsigned n_hits = 0;
    int64_t now_ms = pin_clock_mono_ms();
    struct pin_cache *cache = new_cache(size_bytes);
    for (unsigned i = 0; i < N_HOT; i++) {
        (void)ask(cache, "hot", i, now_ms);
        (void)ask(cache, "hot", i, now_ms);
    }
    int64_t start_ns = pin_clock_mono_ns();
    for (unsigned i = 0; i < N_SCANNED; i++) {
        (void)ask(cache, "scan", i, now_ms);
        if (i % HOT_EVERY == 0) {
            n_hot++;
            n_hits += ask(cache, "hot", pin_rand_below(N_HOT), now_ms);
        }
        if ((i & QUIESCE_MASK) == 0) {
            pin_rcu_quiescent();
        }
        if ((i & GRACE_MASK) == 0) {
            pin_rcu_barrier(); /* no upstream is as fast as this loop */
            size_t now_bytes = resident_bytes();
            most_bytes = now_bytes > most_bytes ? now_bytes : most_bytes;
        }
    }
    double seconds = (double)(pin_clock_mono_ns() - start_ns) / 1e9;
    pin_cache_stats(cache, &stats);
    (void)printf("%4zu MiB, %u names pass, %u hot ones asked once in %u: %.2f %% of them hit; RSS "
                 "grew by %.1f MiB; %llu entries; %llu not kept; %.0f ns a name\n",
        size_bytes / MIB, N_SCANNED, N_HOT, HOT_EVERY, 100.0 * n_hits / n_hot,
        (double)(most_bytes - before_bytes) / (double)MIB, (unsigned long long)stats.n_entries,
        (unsigned long long)stats.n_transient, seconds * 1e9 / N_SCANNED);
    pin_cache_free(cache);
}

int main(void)
{
    pin_rcu_init();
    pin_rcu_register();
    reply = pin_reply_new();
    if (reply == NULL) {
        return EXIT_FAILURE;
    }
    measure_hits(10000, 64 * MIB);
    measure_hits(100000, 64 * MIB);
    measure_hits(1000000, 256 * MIB);
    measure_scan(16 * MIB);
    measure_scan(64 * MIB);
    pin_reply_free(reply);
    pin_rcu_unregister();
    return EXIT_SUCCESS;
}
