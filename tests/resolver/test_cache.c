/* SPDX-License-Identifier: Apache-2.0 */

/* What the cache shows, for how long, and what it forgets. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "cache_rig.h"
#include "resolver/cache.h"
#include "support/message.h"
#include "support/upstream.h"

#define TYPE_A    1u
#define TYPE_AAAA 28u
#define TYPE_TXT  16u
#define START_MS  1000000
#define S         1000

static struct pin_cache_found found;

/* Reads what an upstream says to this question; it must be good. */
static void hear(const char *name, const char *type, const char *records)
{
    assert_int_equal(upstream_hear(name, type, records, false, reply), PIN_REPLY_GOOD);
}

static const struct pin_cache_entry *put(
    const char *name, const char *type, const char *records, int64_t now_ms)
{
    struct pin_name wire;
    struct pin_cache_key key = upstream_key(name, upstream_type(type), 0, 0, &wire);
    hear(name, type, records);
    const struct pin_cache_entry *entry = pin_cache_put(cache, &key, reply, now_ms);
    assert_non_null(entry);
    return entry;
}

static enum pin_cache_state find(const char *name, uint16_t qtype, int64_t now_ms)
{
    struct pin_name wire;
    struct pin_cache_key key = upstream_key(name, qtype, 0, 0, &wire);
    pin_cache_fetch_bucket(cache, &key);
    pin_cache_fetch_entry(cache, &key);
    enum pin_cache_state state = pin_cache_find(cache, &key, now_ms, &found);
    assert_int_equal(state, found.state);
    assert_int_equal(state == PIN_CACHE_MISS, found.entry == NULL);
    return state;
}

static const struct pin_cache_entry *put_failure(const char *name, int64_t now_ms)
{
    struct pin_name wire;
    struct pin_cache_key key = upstream_key(name, TYPE_A, 0, 0, &wire);
    return pin_cache_put_failure(cache, &key, 22, now_ms);
}

static int set_up(void **state)
{
    static const struct pin_cache_settings settings = {
        .size_bytes = 2 << 20, .n_shards = 2, .stale_max_s = 3600, .is_prefetching = true};
    (void)state;
    return make_cache(&settings);
}

/* --- life of an answer -------------------------------------------------------------------- */

static void test_fresh_until_its_ttl(void **state)
{
    (void)state;
    assert_int_equal(find("www.example.com", TYPE_A, START_MS), PIN_CACHE_MISS);
    put("www.example.com", "A", "an www.example.com 60 A 192.0.2.1", START_MS);
    assert_int_equal(find("www.example.com", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->body_bytes, 16);
    assert_int_equal(find("www.example.com", TYPE_A, START_MS + 60 * S - 1), PIN_CACHE_FRESH);
    assert_int_equal(find("www.example.com", TYPE_A, START_MS + 60 * S), PIN_CACHE_STALE);
    assert_false(found.is_failing);
    assert_int_equal(find("www.example.com", TYPE_A, START_MS + 3660 * S - 1), PIN_CACHE_STALE);
    assert_int_equal(find("www.example.com", TYPE_A, START_MS + 3660 * S), PIN_CACHE_MISS);
}

static void test_key_separates(void **state)
{
    struct pin_name wire;
    struct pin_cache_key key = upstream_key("a.example", TYPE_A, 3, PIN_KEY_DO, &wire);
    (void)state;
    hear("a.example", "A", "an a.example 60 A 192.0.2.1");
    (void)pin_cache_put(cache, &key, reply, START_MS);
    assert_int_equal(pin_cache_find(cache, &key, START_MS, &found), PIN_CACHE_FRESH);
    struct pin_cache_key others[] = {key, key, key, key, key};
    others[0].qtype = TYPE_AAAA;
    others[1].qclass = 3;
    others[2].group = 4;
    others[3].flags = 0;
    others[4].flags = PIN_KEY_DO | PIN_KEY_CD;
    for (size_t i = 0; i < N_ELEMS(others); i++) {
        pin_cache_key_finish(&others[i]);
        assert_int_equal(pin_cache_find(cache, &others[i], START_MS, &found), PIN_CACHE_MISS);
    }
    key = upstream_key("b.example", TYPE_A, 3, PIN_KEY_DO, &wire);
    assert_int_equal(pin_cache_find(cache, &key, START_MS, &found), PIN_CACHE_MISS);
}

static void test_ttl_0_is_handed_out_and_forgotten(void **state)
{
    (void)state;
    put("a.example", "A", "an a.example 60 A 192.0.2.1", START_MS);
    const struct pin_cache_entry *entry =
        put("a.example", "A", "an a.example 0 A 192.0.2.2", START_MS);
    assert_int_equal(pin_cache_body(entry)[15], 2);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
}

static void test_newer_replaces_older(void **state)
{
    struct pin_cache_stats stats;
    (void)state;
    put("a.example", "A", "an a.example 60 A 192.0.2.1", START_MS);
    put("a.example", "A", "an a.example 60 A 192.0.2.2", START_MS + 30 * S);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 89 * S), PIN_CACHE_FRESH);
    assert_int_equal(pin_cache_body(found.entry)[15], 2);
    pin_cache_stats(cache, &stats);
    assert_int_equal(stats.n_entries, 1);
    assert_int_equal(stats.n_put, 2);
    assert_true(stats.used_bytes <= stats.size_bytes);
}

/* --- denials ------------------------------------------------------------------------------ */

#define DENIAL "flags 8183\nau example 300 SOA 60"

static void test_denial_holds_for_all_types(void **state)
{
    (void)state;
    put("no.example", "A", DENIAL, START_MS);
    assert_int_equal(find("no.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->kind, PIN_BODY_NXDOMAIN);
    assert_int_equal(find("no.example", TYPE_TXT, START_MS + 59 * S), PIN_CACHE_FRESH);
    assert_int_equal(find("no.example", TYPE_TXT, START_MS + 60 * S), PIN_CACHE_STALE);
    assert_int_equal(found.entry->kind, PIN_BODY_NXDOMAIN);
}

static void test_denial_holds_for_all_below(void **state)
{
    (void)state;
    put("no.example", "A", DENIAL, START_MS);
    assert_int_equal(find("a.no.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->name_bytes, 12);
    assert_int_equal(find("a.b.c.d.no.example", TYPE_TXT, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(find("ano.example", TYPE_TXT, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find("example", TYPE_TXT, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find(".", TYPE_TXT, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find("a.no.example", TYPE_A, START_MS + 60 * S), PIN_CACHE_MISS);
}

/* Whoever says that there is no root says nothing of the names below. */
static void test_the_root_exists(void **state)
{
    (void)state;
    put(".", "A", "flags 8183\nau . 300 SOA 60", START_MS);
    assert_int_equal(find(".", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
}

static void test_nodata_holds_for_its_type_alone(void **state)
{
    (void)state;
    put("a.example", "A", "au example 300 SOA 60", START_MS);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->kind, PIN_BODY_NODATA);
    assert_int_equal(find("a.example", TYPE_TXT, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find("b.a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
}

static void test_denial_at_the_end_of_a_chain_is_of_the_question_alone(void **state)
{
    (void)state;
    put("a.example", "A", "flags 8183\nan a.example 60 CNAME b.test\nau test 60 SOA 60", START_MS);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->rcode, 3);
    assert_int_equal(find("a.example", TYPE_TXT, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find("x.a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
}

static void test_data_ends_a_denial_and_the_other_way_round(void **state)
{
    (void)state;
    put("a.example", "A", DENIAL, START_MS);
    put("a.example", "A", "an a.example 5 A 192.0.2.1", START_MS);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->kind, PIN_BODY_ANSWER);
    assert_int_equal(find("a.example", TYPE_TXT, START_MS), PIN_CACHE_MISS);
    put("a.example", "A", DENIAL, START_MS);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(found.entry->kind, PIN_BODY_NXDOMAIN);
}

/* A server that does not validate makes nothing up from proofs (RFC 8198 is for those who do). */
static void test_no_denial_is_made_from_proofs(void **state)
{
    (void)state;
    put("b.example", "A",
        "flags 8183\nau example 300 SOA 60\nau a.example 300 NSEC z.example\n"
        "au a.example 300 RRSIG NSEC example",
        START_MS);
    assert_int_equal(find("b.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(find("c.example", TYPE_A, START_MS), PIN_CACHE_MISS);
}

/* What an answer says beside the question lives no longer for it, and does not come to life. */
static void test_ghost_domain(void **state)
{
    (void)state;
    put("a.test", "A", "an a.test 10 A 192.0.2.1", START_MS);
    put("www.example", "A",
        "an www.example 600 CNAME a.test\nan a.test 600 A 192.0.2.1\n"
        "au a.test 600 NS ns.test\nar ns.test 600 A 192.0.2.66",
        START_MS + 5 * S);
    assert_int_equal(find("a.test", TYPE_A, START_MS + 9 * S), PIN_CACHE_FRESH);
    assert_int_equal(find("a.test", TYPE_A, START_MS + 10 * S), PIN_CACHE_STALE);
    assert_int_equal(find("a.test", 2, START_MS + 5 * S), PIN_CACHE_MISS);
    assert_int_equal(find("ns.test", TYPE_A, START_MS + 5 * S), PIN_CACHE_MISS);
}

/* --- failures ----------------------------------------------------------------------------- */

static void test_failures_double_up_to_300_s(void **state)
{
    static const uint32_t pauses[] = {5, 10, 20, 40, 80, 160, 300, 300};
    int64_t now_ms = START_MS;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(pauses); i++) {
        assert_int_equal(put_failure("a.example", now_ms)->ttl_s, pauses[i]);
        assert_int_equal(find("a.example", TYPE_A, now_ms), PIN_CACHE_FAILED);
        assert_int_equal(found.entry->ede, 22);
        now_ms += (int64_t)pauses[i] * S;
        assert_int_equal(find("a.example", TYPE_A, now_ms - 1), PIN_CACHE_FAILED);
        assert_int_equal(find("a.example", TYPE_A, now_ms), PIN_CACHE_MISS);
    }
    assert_int_equal(put_failure("a.example", now_ms + INT64_C(300) * S)->ttl_s, 5);
}

static void test_an_answer_ends_a_failure(void **state)
{
    (void)state;
    (void)put_failure("a.example", START_MS);
    (void)put_failure("a.example", START_MS + 5 * S);
    put("a.example", "A", "an a.example 1 A 192.0.2.1", START_MS + 6 * S);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 6 * S), PIN_CACHE_FRESH);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 7 * S), PIN_CACHE_STALE);
    assert_false(found.is_failing);
    assert_int_equal(put_failure("a.example", START_MS + 7 * S)->ttl_s, 5);
}

static void test_a_failure_leaves_the_stale_answer(void **state)
{
    (void)state;
    put("a.example", "A", "an a.example 1 A 192.0.2.1", START_MS);
    (void)put_failure("a.example", START_MS + 2 * S);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 2 * S), PIN_CACHE_STALE);
    assert_true(found.is_failing);
    assert_int_equal(found.entry->kind, PIN_BODY_ANSWER);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 7 * S), PIN_CACHE_STALE);
    assert_false(found.is_failing);
    for (int i = 0; i < 6; i++) {
        assert_in_range(put_failure("a.example", START_MS + 7 * S)->ttl_s, 10, 30);
    }
}

/* A denial is an answer, too, that may be shown while resolvers are asked more often. */
static void test_a_failure_leaves_the_stale_denial(void **state)
{
    (void)state;
    put("a.example", "A", DENIAL, START_MS);
    for (int i = 0; i < 6; i++) {
        assert_in_range(put_failure("a.example", START_MS + 61 * S)->ttl_s, 5, 30);
    }
    assert_int_equal(find("a.example", TYPE_A, START_MS + 61 * S), PIN_CACHE_STALE);
    assert_int_equal(found.entry->kind, PIN_BODY_NXDOMAIN);
}

/* --- refreshes ---------------------------------------------------------------------------- */

static void test_one_reader_refreshes_what_is_in_use(void **state)
{
    (void)state;
    put("a.example", "A", "an a.example 100 A 192.0.2.1", START_MS);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 95 * S), PIN_CACHE_FRESH);
    assert_false(found.wants_refresh);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 90 * S), PIN_CACHE_FRESH);
    assert_false(found.wants_refresh);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 90 * S + 1), PIN_CACHE_FRESH);
    assert_true(found.wants_refresh);
    assert_int_equal(find("a.example", TYPE_A, START_MS + 95 * S), PIN_CACHE_FRESH);
    assert_false(found.wants_refresh);
}

/* --- another cache ------------------------------------------------------------------------ */

static void adopt(const struct pin_cache_entry *entry, void *arg)
{
    pin_cache_adopt(arg, entry, 5, START_MS + 95 * S);
}

/* What one reader was told to ask anew goes to the cache it was told by: in another one that has
 * taken the answer over somebody else is told. */
static void test_another_cache_takes_over(void **state)
{
    static const struct pin_cache_settings settings = {
        .size_bytes = 4 << 20, .n_shards = 1, .stale_max_s = 3600, .is_prefetching = true};
    struct pin_cache *other = NULL;
    struct pin_name wire;
    (void)state;
    put("a.example", "A", "an a.example 100 A 192.0.2.1", START_MS);
    put("b.example", "A", "an b.example 10 A 192.0.2.2", START_MS);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(find("a.example", TYPE_A, START_MS + 95 * S), PIN_CACHE_FRESH);
    }
    assert_true(found.wants_refresh);
    assert_int_equal(pin_cache_new(&settings, &other, NULL), PIN_OK);
    for (uint32_t shard = 0; shard < 2; shard++) {
        size_t cursor = 0;
        while (pin_cache_walk(cache, shard, &cursor, 1024, adopt, other)) {
        }
    }
    struct pin_cache_key key = upstream_key("a.example", TYPE_A, 5, 0, &wire);
    assert_int_equal(pin_cache_find(other, &key, START_MS + 95 * S, &found), PIN_CACHE_FRESH);
    assert_true(found.wants_refresh);
    assert_int_equal(found.entry->ttl_s, 100);
    assert_int_equal(found.entry->body_bytes, 16);
    key = upstream_key("b.example", TYPE_A, 5, 0, &wire);
    assert_int_equal(pin_cache_find(other, &key, START_MS + 95 * S, &found), PIN_CACHE_STALE);
    key = upstream_key("a.example", TYPE_A, 0, 0, &wire);
    assert_int_equal(pin_cache_find(other, &key, START_MS + 95 * S, &found), PIN_CACHE_MISS);
    pin_cache_free(other);
}

/* --- flushes and walks -------------------------------------------------------------------- */

static size_t remove_name(const char *text, bool is_tree)
{
    uint8_t name[PIN_NAME_MAX_BYTES];
    size_t bytes = message_put_name(text, name);
    return pin_cache_remove(cache, 0, name, bytes, is_tree)
           + pin_cache_remove(cache, 1, name, bytes, is_tree);
}

static void fill_tree(void)
{
    put("example", "A", "an example 60 A 192.0.2.1", START_MS);
    put("a.example", "A", "an a.example 60 A 192.0.2.1", START_MS);
    put("a.example", "AAAA", "an a.example 60 AAAA 2001:db8::1", START_MS);
    put("b.a.example", "A", "an b.a.example 60 A 192.0.2.1", START_MS);
    put("xa.example", "A", "an xa.example 60 A 192.0.2.1", START_MS);
    (void)put_failure("a.example", START_MS);
}

static void test_flush_of_a_name(void **state)
{
    (void)state;
    fill_tree();
    assert_int_equal(remove_name("a.example", false), 3);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find("b.a.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(find("example", TYPE_A, START_MS), PIN_CACHE_FRESH);
}

static void test_flush_of_a_tree(void **state)
{
    (void)state;
    fill_tree();
    assert_int_equal(remove_name("a.example", true), 4);
    assert_int_equal(find("b.a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
    assert_int_equal(find("xa.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
    assert_int_equal(remove_name(".", true), 2);
}

static void count_one(const struct pin_cache_entry *entry, void *arg)
{
    size_t *n = arg;
    *n += entry->name_bytes > 0;
}

static void test_walk_and_clear(void **state)
{
    struct pin_cache_stats stats;
    size_t n = 0;
    (void)state;
    fill_tree();
    for (uint32_t shard_i = 0; shard_i < 2; shard_i++) {
        size_t cursor = 0;
        while (pin_cache_walk(cache, shard_i, &cursor, 7, count_one, &n)) {
            ;
        }
        pin_cache_clear(cache, shard_i);
    }
    assert_int_equal(n, 6);
    pin_cache_stats(cache, &stats);
    assert_int_equal(stats.n_entries, 0);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_MISS);
    put("a.example", "A", "an a.example 60 A 192.0.2.1", START_MS);
    assert_int_equal(find("a.example", TYPE_A, START_MS), PIN_CACHE_FRESH);
}

static void test_settings_that_cannot_be(void **state)
{
    struct pin_cache_settings bad[] = {{.size_bytes = 1 << 20, .n_shards = 0},
        {.size_bytes = 1 << 20, .n_shards = 2}, {.size_bytes = 0, .n_shards = 1},
        {.size_bytes = (size_t)1 << 30, .n_shards = 257}};
    struct pin_cache *none = NULL;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(bad); i++) {
        assert_int_equal(pin_cache_new(&bad[i], &none, NULL), PIN_EINVAL);
    }
    pin_cache_free(NULL);
}

#define FRESH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        FRESH_TEST(test_fresh_until_its_ttl),
        FRESH_TEST(test_key_separates),
        FRESH_TEST(test_ttl_0_is_handed_out_and_forgotten),
        FRESH_TEST(test_newer_replaces_older),
        FRESH_TEST(test_denial_holds_for_all_types),
        FRESH_TEST(test_denial_holds_for_all_below),
        FRESH_TEST(test_nodata_holds_for_its_type_alone),
        FRESH_TEST(test_denial_at_the_end_of_a_chain_is_of_the_question_alone),
        FRESH_TEST(test_data_ends_a_denial_and_the_other_way_round),
        FRESH_TEST(test_no_denial_is_made_from_proofs),
        FRESH_TEST(test_ghost_domain),
        FRESH_TEST(test_failures_double_up_to_300_s),
        FRESH_TEST(test_an_answer_ends_a_failure),
        FRESH_TEST(test_a_failure_leaves_the_stale_answer),
        FRESH_TEST(test_a_failure_leaves_the_stale_denial),
        FRESH_TEST(test_the_root_exists),
        FRESH_TEST(test_one_reader_refreshes_what_is_in_use),
        FRESH_TEST(test_another_cache_takes_over),
        FRESH_TEST(test_flush_of_a_name),
        FRESH_TEST(test_flush_of_a_tree),
        FRESH_TEST(test_walk_and_clear),
        cmocka_unit_test(test_settings_that_cannot_be),
    };
    return cmocka_run_group_tests_name("cache", tests, NULL, NULL);
}
