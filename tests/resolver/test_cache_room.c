/* SPDX-License-Identifier: Apache-2.0 */

/* The cache's bound: who stays when there is no room, and what readers see meanwhile. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/rcu.h"

#include "resolver/cache.h"
#include "support/faults.h"
#include "support/message.h"

#define MIB           ((size_t)1 << 20)
#define START_MS      1000000
#define SEGMENT_BYTES 32768u /* of caches this small */
#define TTL_S         100u
#define NAME_LAST     20u /* bytes of "n-00000000.test." in wire format, and some */

static struct pin_cache *cache;
static struct pin_reply *reply;

struct name {
    uint8_t wire[NAME_LAST];
    size_t bytes;
};

static void make_key(struct pin_cache_key *key, struct name *name, uint32_t i)
{
    char text[32];
    (void)snprintf(text, sizeof(text), "n-%08x.test", i);
    name->bytes = message_put_name(text, name->wire);
    *key = (struct pin_cache_key){.name = name->wire,
        .name_bytes = (uint8_t)name->bytes,
        .name_hash = pin_hash64(name->wire, name->bytes),
        .qtype = 16,
        .qclass = 1};
    pin_cache_key_finish(key);
}

/* Puts one record with `bytes` of RDATA that are all the name's number. */
static const struct pin_cache_entry *put(uint32_t i, size_t rdata_bytes, int64_t now_ms)
{
    struct pin_cache_key key;
    struct name name;
    uint8_t head[] = {
        0xC0, 12, 0, 16, 0, 1, 0, 0, 0, TTL_S, (uint8_t)(rdata_bytes >> 8), (uint8_t)rdata_bytes};
    make_key(&key, &name, i);
    memcpy(reply->body, head, sizeof(head));
    memset(reply->body + sizeof(head), (int)(i & 0xFFu), rdata_bytes);
    reply->body_bytes = (uint16_t)(sizeof(head) + rdata_bytes);
    reply->kind = PIN_BODY_ANSWER;
    reply->ede = PIN_EDE_NONE;
    reply->ttl_s = TTL_S;
    reply->n_rr[0] = 1;
    reply->n_ttls = 1;
    reply->ttl_at[0] = 6;
    reply->n_pointers = 1;
    return pin_cache_put(cache, &key, reply, now_ms);
}

/* Whether a name is there; what is found must be whole. */
static bool is_there(uint32_t i)
{
    struct pin_cache_key key;
    struct name name;
    struct pin_cache_found found;
    make_key(&key, &name, i);
    if (pin_cache_find(cache, &key, START_MS, &found) != PIN_CACHE_FRESH) {
        return false;
    }
    const uint8_t *body = pin_cache_body(found.entry);
    size_t last = found.entry->body_bytes;
    assert_int_equal(found.entry->name_bytes, name.bytes);
    assert_int_equal(body[last - 1], (uint8_t)i);
    assert_int_equal(body[12], (uint8_t)i);
    return true;
}

static struct pin_cache_stats stats(void)
{
    struct pin_cache_stats now;
    pin_cache_stats(cache, &now);
    assert_true(now.used_bytes <= now.size_bytes);
    return now;
}

static void new_cache(size_t size_bytes, uint32_t n_shards)
{
    struct pin_cache_settings settings = {.size_bytes = size_bytes, .n_shards = n_shards};
    assert_int_equal(pin_cache_new(&settings, &cache, NULL), PIN_OK);
}

/* --- room --------------------------------------------------------------------------------- */

static void test_names_in_use_outlast_a_scan(void **state)
{
    enum { N_HOT = 1000, N_SCANNED = 120000 };
    unsigned n_asked = 0;
    unsigned n_hits = 0;
    (void)state;
    new_cache(2 * MIB, 1);
    for (uint32_t i = 0; i < N_HOT; i++) {
        (void)put(i, 16, START_MS);
        assert_true(is_there(i));
    }
    for (uint32_t i = 0; i < N_SCANNED; i++) {
        (void)put(N_HOT + i, 16, START_MS);
        if (i % 8 == 0) {
            uint32_t hot = pin_rand_below(N_HOT);
            n_asked++;
            if (is_there(hot)) {
                n_hits++;
            } else {
                (void)put(hot, 16, START_MS);
            }
        }
        if (i % 1024 == 0) {
            pin_rcu_barrier(); /* as fast as upstreams may be, this loop is faster */
        }
    }
    assert_true(n_hits * 100.0 / n_asked >= 95.0);
    struct pin_cache_stats now = stats();
    assert_in_range(now.n_entries, 8000, 25000);
    assert_true(now.n_evicted > N_SCANNED / 2);
    pin_cache_free(cache);
}

static void test_a_flood_without_a_grace_period_is_not_kept(void **state)
{
    (void)state;
    new_cache(MIB, 1);
    for (uint32_t i = 0; i < 100000; i++) {
        const struct pin_cache_entry *entry = put(i, 16, START_MS);
        assert_int_equal(pin_cache_body(entry)[12], (uint8_t)i);
    }
    assert_true(stats().n_transient > 80000);
    pin_rcu_barrier();
    (void)put(7, 16, START_MS);
    assert_true(is_there(7));
    pin_cache_free(cache);
}

static void test_entries_of_all_sizes(void **state)
{
    (void)state;
    new_cache(4 * MIB, 2);
    for (uint32_t i = 0; i < 3000; i++) {
        size_t bytes = 1 + pin_rand_below(i % 100 == 0 ? 60000 : 1000);
        const struct pin_cache_entry *entry = put(i, bytes, START_MS);
        assert_int_equal(entry->body_bytes, 12 + bytes);
        assert_true(is_there(i) || bytes > 1000);
        assert_false(is_there(i) && bytes > SEGMENT_BYTES / 2);
        if (i % 64 == 0) {
            (void)stats();
            pin_rcu_barrier();
        }
    }
    pin_cache_free(cache);
}

static void test_what_is_asked_for_again_comes_back_for_longer(void **state)
{
    (void)state;
    new_cache(MIB, 1);
    (void)put(1, 16, START_MS);
    uint32_t i = 100;
    while (is_there(1) && i < 40000) { /* used each time: must stay */
        (void)put(i++, 16, START_MS);
        if (i % 512 == 0) {
            pin_rcu_barrier();
        }
    }
    assert_int_equal(i, 40000);
    pin_cache_free(cache);
}

static void test_dead_entries_go_first(void **state)
{
    (void)state;
    new_cache(MIB, 1);
    for (uint32_t i = 0; i < 5000; i++) {
        (void)put(i, 16, START_MS);
        assert_true(is_there(i));
    }
    for (uint32_t i = 5000; i < 10000; i++) {
        (void)put(i, 16, START_MS + (TTL_S + 1) * 1000);
        if (i % 512 == 0) {
            pin_rcu_barrier();
        }
    }
    assert_true(is_there(9999));
    assert_true(is_there(6500));
    pin_cache_free(cache);
}

/* A name whose upstream is away is shown stale, again and again, and stays. */
static void test_stale_names_in_use_stay(void **state)
{
    struct pin_cache_settings settings = {.size_bytes = MIB, .n_shards = 1, .stale_max_s = 3600};
    struct pin_cache_key key;
    struct pin_cache_found found;
    struct name name;
    int64_t now_ms = START_MS + (TTL_S + 1) * INT64_C(1000);
    (void)state;
    assert_int_equal(pin_cache_new(&settings, &cache, NULL), PIN_OK);
    (void)put(1, 16, START_MS);
    for (uint32_t i = 100; i < 20000; i++) {
        (void)put(i, 16, now_ms);
        make_key(&key, &name, 1);
        assert_int_equal(pin_cache_find(cache, &key, now_ms, &found), PIN_CACHE_STALE);
        if (i % 512 == 0) {
            pin_rcu_barrier();
        }
    }
    pin_cache_free(cache);
}

static void test_no_memory(void **state)
{
    struct pin_cache_settings settings = {.size_bytes = 4 * MIB, .n_shards = 2};
    (void)state;
    for (unsigned n_good = 0; n_good < 4; n_good++) {
        pin_faults_start(n_good, 1);
        assert_int_equal(pin_cache_new(&settings, &cache, NULL), PIN_ENOMEM);
        assert_int_equal(pin_faults_stop(), 1);
    }
    for (unsigned n_good = 0; n_good < 2; n_good++) {
        pin_faults_start(n_good, 1);
        assert_null(pin_reply_new());
        assert_int_equal(pin_faults_stop(), 1);
    }
    pin_reply_free(NULL);
}

/* --- threads ------------------------------------------------------------------------------ */

#define N_READERS 3u
#define N_NAMES   4000u

static _Atomic bool is_over;
static _Atomic uint64_t n_found;

/* Whatever a reader finds is one whole entry of the name it asked for, and stays so. */
static void *read_all(void *arg)
{
    uint64_t n = 0;
    (void)arg;
    pin_rcu_register();
    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        for (unsigned i = 0; i < 64; i++) {
            n += is_there(pin_rand_below(N_NAMES));
        }
        pin_rcu_quiescent();
    }
    pin_rcu_unregister();
    atomic_fetch_add(&n_found, n);
    return NULL;
}

static void write_round(uint32_t round)
{
    uint8_t name[NAME_LAST];
    for (uint32_t i = 0; i < N_NAMES; i++) {
        (void)put(pin_rand_below(N_NAMES), 1 + pin_rand_below(900), START_MS);
        if (i % 32 == 0) {
            pin_rcu_quiescent();
        }
    }
    if (round % 4 == 0) {
        size_t bytes = message_put_name("test", name);
        (void)pin_cache_remove(cache, 0, name, bytes, round % 8 == 0);
    } else if (round % 7 == 0) {
        pin_cache_clear(cache, 0);
    }
}

static void test_readers_beside_a_writer(void **state)
{
    pthread_t readers[N_READERS];
    (void)state;
    new_cache(MIB, 1);
    atomic_store(&is_over, false);
    atomic_store(&n_found, 0);
    for (size_t i = 0; i < N_READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, read_all, NULL), 0);
    }
    for (uint32_t round = 0; round < 40; round++) {
        write_round(round);
        pin_rcu_offline();
        (void)usleep(1000);
        pin_rcu_online();
    }
    atomic_store(&is_over, true);
    pin_rcu_offline();
    for (size_t i = 0; i < N_READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    pin_rcu_online();
    assert_true(atomic_load(&n_found) > 0);
    assert_true(stats().n_evicted > 0);
    pin_cache_free(cache);
}

static int set_up(void **state)
{
    (void)state;
    pin_rcu_register();
    reply = pin_reply_new();
    return reply == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_reply_free(reply);
    pin_rcu_unregister();
    return 0;
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_in_use_outlast_a_scan),
        cmocka_unit_test(test_a_flood_without_a_grace_period_is_not_kept),
        cmocka_unit_test(test_entries_of_all_sizes),
        cmocka_unit_test(test_what_is_asked_for_again_comes_back_for_longer),
        cmocka_unit_test(test_dead_entries_go_first),
        cmocka_unit_test(test_stale_names_in_use_stay),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_readers_beside_a_writer),
    };
    return cmocka_run_group_tests_name("cache_room", tests, set_up, tear_down);
}
