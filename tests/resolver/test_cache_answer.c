/* SPDX-License-Identifier: Apache-2.0 */

/* Cached answers in clients' messages: age, staleness, size, and pointers that move. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "cache_rig.h"
#include "resolver/cache_answer.h"
#include "support/message.h"
#include "support/upstream.h"

#define START_MS 1000000
#define DAY_S    86400u

static struct pin_response response;
static struct pin_query query;
static uint8_t wire[MESSAGE_MAX_BYTES + 1];
static char text[UPSTREAM_TEXT_MAX];
static struct message said;

/* Puts what an upstream says into the cache. */
static const struct pin_cache_entry *put(const char *name, const char *type, const char *records)
{
    struct pin_name qname;
    struct pin_cache_key key = upstream_key(name, upstream_type(type), 0, 0, &qname);
    assert_int_equal(upstream_hear(name, type, records, false, reply), PIN_REPLY_GOOD);
    return pin_cache_put(cache, &key, reply, START_MS);
}

/* Starts the answer to a question. */
static void begin(const char *name, int edns_bytes, bool is_stream)
{
    struct message_query asked = {.name = name,
        .type = 1,
        .flags = 0x0100,
        .has_edns = edns_bytes > 0,
        .edns_bytes = (uint16_t)edns_bytes};
    size_t bytes = message_build(&asked, wire);
    struct pin_packet packet = {.wire = wire, .bytes = bytes, .cap_bytes = MESSAGE_MAX_BYTES};
    assert_int_equal(pin_query_parse(wire, bytes, &query), PIN_QUERY_OK);
    pin_response_init(&response, &packet, &query, is_stream);
}

static bool add(const struct pin_cache_entry *entry, size_t owner_at, int64_t age_ms, bool is_stale)
{
    struct pin_cache_shown shown = {
        .now_ms = START_MS + age_ms, .owner_at = owner_at, .is_stale = is_stale};
    return pin_response_add_entry(&response, entry, &shown);
}

/* Ends it; what was said, as text. */
static const char *finish(void)
{
    size_t bytes = pin_response_finish(&response, &query);
    assert_true(message_parse(wire, bytes, &said));
    return upstream_tell(wire, bytes, text);
}

/* --- TTLs --------------------------------------------------------------------------------- */

static void test_ttls_run_down(void **state)
{
    const struct pin_cache_entry *entry = put("www.example.com", "A",
        "an www.example.com 60 CNAME a.test\nan a.test 90 A 192.0.2.1\nan a.test 90 A 192.0.2.2");
    (void)state;
    begin("www.Example.com", 0, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
    assert_string_equal(finish(), "an www.Example.com. 60 CNAME a.test.\nan a.test. 90 A "
                                  "192.0.2.1\nan a.test. 90 A 192.0.2.2\n");
    begin("www.example.com", 0, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 999, false));
    assert_string_equal(finish(), "an www.example.com. 60 CNAME a.test.\nan a.test. 90 A "
                                  "192.0.2.1\nan a.test. 90 A 192.0.2.2\n");
    begin("www.example.com", 0, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 59999, false));
    assert_string_equal(finish(), "an www.example.com. 1 CNAME a.test.\nan a.test. 31 A "
                                  "192.0.2.1\nan a.test. 31 A 192.0.2.2\n");
    assert_int_equal(said.n_rr[1], 3);
    assert_int_equal(said.rcode, 0);
}

static void test_stale_ttls_are_30(void **state)
{
    const struct pin_cache_entry *entry =
        put("www.example.com", "A", "an www.example.com 60 CNAME a.test\nan a.test 10 A 192.0.2.1");
    (void)state;
    begin("www.example.com", 1232, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 70000, true));
    assert_string_equal(
        finish(), "an www.example.com. 30 CNAME a.test.\nan a.test. 30 A 192.0.2.1\n");
    assert_int_equal(said.ede, 3);

    entry = put("www.example.com", "A", "flags 8183\nau com 60 SOA 60");
    begin("www.example.com", 1232, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 70000, true));
    assert_string_equal(finish(), "au com. 30 SOA 60\n");
    assert_int_equal(said.ede, 19);
    assert_int_equal(said.rcode, 3);
}

static void test_errors_of_the_upstream_are_told(void **state)
{
    const struct pin_cache_entry *entry =
        put("www.example.com", "A", "an www.example.com 60 A 192.0.2.1\nopt 0 15 0006 15 0003");
    (void)state;
    begin("www.example.com", 1232, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
    (void)finish();
    assert_int_equal(said.ede, 6);
}

/* --- places ------------------------------------------------------------------------------- */

static void test_denial_of_a_name_above(void **state)
{
    const struct pin_cache_entry *entry =
        put("no.example.com", "A", "flags 8183\nau example.com 60 SOA 60");
    (void)state;
    begin("a.b.no.example.com", 1232, false);
    assert_true(add(entry, PIN_HEADER_BYTES + 4, 1000, false));
    assert_string_equal(finish(), "au example.com. 59 SOA 60\n");
    assert_int_equal(said.rcode, 3);
}

/* A CNAME of ours whose target, itself compressed, owns what is cached. */
static void test_behind_a_cname(void **state)
{
    static const uint8_t cname[] = {0xC0, 12, 0, 5, 0, 1, 0, 0, 0, 5, 0, 4, 1, 'x', 0xC0, 16};
    const struct pin_cache_entry *entry = put("x.example.com", "A",
        "an x.example.com 60 CNAME y.example.com\nan y.example.com 60 CNAME y.x.example.com\n"
        "an y.x.example.com 60 CNAME com\nau com 60 SOA 50");
    (void)state;
    begin("www.example.com", 1232, false);
    pin_response_add_rr(&response, PIN_SECTION_ANSWER, cname, sizeof(cname), PIN_HEADER_BYTES);
    size_t target_at = response.used_bytes - 4;
    assert_true(add(entry, target_at, 0, false));
    assert_string_equal(finish(),
        "an www.example.com. 5 CNAME x.example.com.\nan x.example.com. 60 CNAME y.example.com.\n"
        "an y.example.com. 60 CNAME y.x.example.com.\nan y.x.example.com. 60 CNAME com.\n"
        "au com. 50 SOA 50\n");
    assert_int_equal(said.n_rr[1], 4);
}

/* Behind 16 KiB nothing can be pointed at. */
static void test_too_far_behind(void **state)
{
    const struct pin_cache_entry *entry =
        put("www.example.com", "A", "an www.example.com 60 CNAME a.test\nan a.test 90 A 192.0.2.1");
    (void)state;
    begin("www.example.com", 0, true);
    struct pin_response before = response;
    response.used_bytes = before.used_bytes = 0x3FF8;
    assert_false(add(entry, PIN_HEADER_BYTES, 0, false));
    assert_memory_equal(&response, &before, sizeof(before));
    response.used_bytes = 0x3FE0;
    assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
}

/* --- sizes -------------------------------------------------------------------------------- */

/* An RRset of `n` addresses behind a CNAME. */
static const struct pin_cache_entry *put_many(unsigned n)
{
    static char records[UPSTREAM_TEXT_MAX];
    size_t used = (size_t)snprintf(records, sizeof(records), "an www.example.com 60 CNAME a.test");
    for (unsigned i = 0; i < n; i++) {
        used += (size_t)snprintf(records + used, sizeof(records) - used,
            "\nan a.test 60 A 192.0.%u.%u", i / 250, i % 250);
    }
    return put("www.example.com", "A", records);
}

static void test_what_does_not_fit_is_cut_by_records(void **state)
{
    const struct pin_cache_entry *entry = put_many(100);
    (void)state;
    for (int limit = 0; limit < 1300; limit++) {
        size_t most_bytes = limit < 512 ? 512 : PIN_MIN((size_t)limit, PIN_UDP_MAX_BYTES);
        begin("www.example.com", limit, false);
        assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
        size_t used_bytes = response.used_bytes;
        assert_true(used_bytes <= response.limit_bytes);
        assert_true(response.limit_bytes - used_bytes < 16);
        (void)finish();
        assert_true(said.bytes <= most_bytes);
        assert_int_not_equal(said.flags & 0x0200, 0);
        assert_int_equal(said.n_rr[1], (used_bytes - 33 - 20) / 16 + 1);
    }
    begin("www.example.com", 0, true);
    assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
    (void)finish();
    assert_int_equal(said.flags & 0x0200, 0);
    assert_int_equal(said.n_rr[1], 101);
}

static void test_what_just_fits_is_not_cut(void **state)
{
    const struct pin_cache_entry *entry = put_many(28);
    (void)state;
    assert_int_equal(33 + entry->body_bytes, 501);
    begin("www.example.com", 0, false);
    assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
    (void)finish();
    assert_int_equal(said.flags & 0x0200, 0);
    assert_int_equal(said.n_rr[1], 29);
}

/* A denial whose SOA has no room says so. */
static void test_denial_that_does_not_fit(void **state)
{
    const struct pin_cache_entry *entry = put("www.example.com", "A", "au example.com 60 SOA 60");
    (void)state;
    begin("www.example.com", 0, false);
    response.limit_bytes = response.used_bytes + entry->body_bytes - 1u;
    assert_true(add(entry, PIN_HEADER_BYTES, 0, false));
    assert_string_equal(finish(), "");
    assert_int_not_equal(said.flags & 0x0200, 0);
}

/* Half an answer on a stream would be taken for the whole. */
static void test_streams_get_all_or_nothing(void **state)
{
    const struct pin_cache_entry *entry = put_many(100);
    (void)state;
    begin("www.example.com", 0, true);
    response.limit_bytes = response.used_bytes + entry->body_bytes - 1u;
    assert_false(add(entry, PIN_HEADER_BYTES, 0, false));
    assert_string_equal(finish(), "");
}

static int set_up(void **state)
{
    static const struct pin_cache_settings settings = {
        .size_bytes = 1 << 20, .n_shards = 1, .stale_max_s = DAY_S};
    (void)state;
    return make_cache(&settings);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ttls_run_down),
        cmocka_unit_test(test_stale_ttls_are_30),
        cmocka_unit_test(test_errors_of_the_upstream_are_told),
        cmocka_unit_test(test_denial_of_a_name_above),
        cmocka_unit_test(test_behind_a_cname),
        cmocka_unit_test(test_too_far_behind),
        cmocka_unit_test(test_what_does_not_fit_is_cut_by_records),
        cmocka_unit_test(test_what_just_fits_is_not_cut),
        cmocka_unit_test(test_denial_that_does_not_fit),
        cmocka_unit_test(test_streams_get_all_or_nothing),
    };
    return cmocka_run_group_tests_name("cache_answer", tests, set_up, tear_down);
}
