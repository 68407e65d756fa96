/* SPDX-License-Identifier: Apache-2.0 */

/* How much of an RRset one answer holds: sizes, TC, EDNS, the order of what is left out. */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/settings.h"

#include "resolver/answer.h"
#include "resolver/response.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define FLAG_TC 0x0200u
#define NO_EDNS (-1)

static struct world *world;
static struct pin_worker worker;
static uint8_t buffer[65536];
static struct message reply;

static void ask(const char *name, uint16_t type, int edns_bytes, enum pin_transport transport)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    struct pin_client client = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = transport};
    struct message_query query = {.name = name,
        .type = type,
        .has_edns = edns_bytes != NO_EDNS,
        .edns_bytes = (uint16_t)edns_bytes};
    struct pin_packet packet = {.wire = buffer,
        .bytes = message_build(&query, buffer),
        .cap_bytes = transport == PIN_TRANSPORT_UDP ? 1344 : PIN_STREAM_MAX_BYTES};
    size_t bytes = pin_answer(&worker, &client, &packet);
    assert_true(message_parse(buffer, bytes, &reply));
    assert_int_equal(reply.has_opt, query.has_edns);
}

static int set_up(void **state)
{
    (void)state;
    world = world_new();
    return pin_worker_init(&worker, &world->live, PIN_TRANSPORT_UDP, 0) == PIN_OK ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pin_worker_done(&worker);
    world_free(world);
    return 0;
}

static struct size_case {
    const char *name;
    const char *qname; /* NULL: world_longest */
    uint16_t type;
    int edns_bytes;
    enum pin_transport transport;
    uint16_t n_answer;
    uint16_t n_additional; /* without OPT */
    bool is_truncated;
    size_t max_bytes;
} cases[] = {
    {"a big RRset is cut to 512 octets without EDNS", "big", 16, NO_EDNS, PIN_TRANSPORT_UDP, 4, 0,
        true, 512},
    {"EDNS size 0 means 512", "big", 16, 0, PIN_TRANSPORT_UDP, 4, 0, true, 512},
    {"EDNS size 511 means 512", "big", 16, 511, PIN_TRANSPORT_UDP, 4, 0, true, 512},
    {"EDNS size 512", "big", 16, 512, PIN_TRANSPORT_UDP, 4, 0, true, 512},
    {"one RR more fits where it just fits", "big", 16, 31 + 5 * 112 + 17, PIN_TRANSPORT_UDP, 5, 0,
        true, 31 + 5 * 112 + 17},
    {"and does not where an octet is missing", "big", 16, 31 + 5 * 112 + 16, PIN_TRANSPORT_UDP, 4,
        0, true, 31 + 5 * 112 + 16},
    {"EDNS size 1232", "big", 16, 1232, PIN_TRANSPORT_UDP, 10, 0, true, 1232},
    {"EDNS size 4096 means 1232", "big", 16, 4096, PIN_TRANSPORT_UDP, 10, 0, true, 1232},
    {"EDNS size 65535 means 1232", "big", 16, 65535, PIN_TRANSPORT_UDP, 10, 0, true, 1232},
    {"all of it over TCP", "big", 16, NO_EDNS, PIN_TRANSPORT_TCP, 20, 0, false, 65535},
    {"over TCP the EDNS size does not count", "big", 16, 512, PIN_TRANSPORT_TCP, 20, 0, false,
        65535},
    {"a whole table gives what fits, with TC", "whole", 1, NO_EDNS, PIN_TRANSPORT_UDP, 29, 0, true,
        512},
    {"more of it with EDNS", "whole", 1, 1232, PIN_TRANSPORT_UDP, 73, 0, true, 1232},
    {"all of it over TCP without TC", "whole", 1, NO_EDNS, PIN_TRANSPORT_TCP, 100, 0, false, 65535},
    {"a whole table that fits has no TC", "whole", 28, 1232, PIN_TRANSPORT_UDP, 30, 0, false, 1232},
    {"and has it without EDNS", "whole", 28, NO_EDNS, PIN_TRANSPORT_UDP, 17, 0, true, 512},
    {"a drawn table is a choice: no TC", "many", 1, NO_EDNS, PIN_TRANSPORT_UDP, 16, 0, false, 512},
    {"over TCP the choice is not larger", "many", 1, NO_EDNS, PIN_TRANSPORT_TCP, 16, 0, false,
        65535},
    {"a choice is cut to what fits, still no TC", NULL, 28, NO_EDNS, PIN_TRANSPORT_UDP, 8, 0, false,
        512},
    {"and is complete with EDNS", NULL, 28, 1232, PIN_TRANSPORT_UDP, 16, 0, false, 1232},
    {"1000 targets over UDP: cut, nothing additional", "srvs", 33, 1232, PIN_TRANSPORT_UDP, 29, 0,
        true, 1232},
    {"1000 targets over TCP: 13 of them with addresses", "srvs", 33, 1232, PIN_TRANSPORT_TCP, 1000,
        26, false, 65535},
    {"addresses of targets fit without EDNS", "srv", 33, NO_EDNS, PIN_TRANSPORT_UDP, 2, 4, false,
        512},
};

static void test_size(void **state)
{
    const struct size_case *c = *state;
    char name[64];
    (void)snprintf(name, sizeof(name), "%s.t.example", c->qname != NULL ? c->qname : "");
    ask(c->qname != NULL ? name : world_longest, c->type, c->edns_bytes, c->transport);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.n_rr[1], c->n_answer);
    assert_int_equal(reply.n_rr[3] - reply.has_opt, c->n_additional);
    assert_int_equal((reply.flags & FLAG_TC) != 0, c->is_truncated);
    assert_true(reply.bytes <= c->max_bytes);
}

static void test_flags_of_a_forwarder(void **state)
{
    uint8_t wire[PIN_UDP_MIN_BYTES] = {0, 1, 0x01, 0x10}; /* RD, CD */
    struct pin_packet packet = {.wire = wire, .bytes = PIN_HEADER_BYTES, .cap_bytes = sizeof(wire)};
    struct pin_query query = {.question_end = PIN_HEADER_BYTES};
    struct pin_response response;
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        wire[2] = 0x01;
        wire[3] = 0x10;
        pin_response_init(&response, &packet, &query, false);
        response.is_recursive = (i & 1u) != 0;
        response.is_authentic = (i & 2u) != 0;
        (void)pin_response_finish(&response, &query);
        assert_int_equal(wire[2], 0x81);
        assert_int_equal(wire[3], 0x10u | (i & 1u) << 7 | (i & 2u) << 4);
    }
}

/* --- extended errors ---------------------------------------------------------------------- */

static int all_up(void **state)
{
    (void)state;
    world_set_scene(world, true, false, 0);
    return 0;
}

static void test_ede_text_goes_first(void **state)
{
    (void)state;
    world_set_scene(world, true, false, 1);
    ask("four.t.example", 1, 1232, PIN_TRANSPORT_UDP);
    assert_int_equal(reply.ede, 3);
    assert_true(reply.ede_text_bytes > 0);
    ask("whole.t.example", 1, 1232, PIN_TRANSPORT_UDP);
    assert_int_equal(reply.n_rr[1], 73);
    assert_int_equal(reply.ede, 3);
    assert_int_equal(reply.ede_text_bytes, 0);
    assert_true(reply.bytes <= 1232);
}

static void test_no_ede_without_edns(void **state)
{
    (void)state;
    world_set_scene(world, true, false, 1);
    ask("four.t.example", 1, NO_EDNS, PIN_TRANSPORT_UDP);
    assert_int_equal(reply.ede, -1);
    assert_int_equal(reply.n_rr[3], 0);
}

/* An SOA that has no room is missed by a resolver, so TC says so; every size in between is sound.
 */
static void test_every_edns_size(void **state)
{
    (void)state;
    for (int bytes = 0; bytes < 1300; bytes++) {
        size_t max_bytes = bytes < 512 ? 512 : bytes > 1232 ? 1232 : (size_t)bytes;
        ask("whole.t.example", 28, bytes, PIN_TRANSPORT_UDP);
        assert_true(reply.bytes <= max_bytes);
        ask("nope.t.example", 1, bytes, PIN_TRANSPORT_UDP);
        assert_int_equal(reply.n_rr[2], 1);
        assert_true(reply.bytes <= max_bytes);
        ask("srv.t.example", 33, bytes, PIN_TRANSPORT_UDP);
        assert_int_equal(reply.n_rr[1], 2);
        assert_int_equal(reply.flags & FLAG_TC, 0);
        assert_true(reply.bytes <= max_bytes);
    }
}

/* --- choices ------------------------------------------------------------------------------ */

static unsigned last_byte(const struct message_rr *rr)
{
    return reply.wire[rr->rdata_at + rr->rdata_bytes - 1];
}

static void test_no_address_twice(void **state)
{
    static const char *const names[] = {"many.t.example", "whole.t.example", "four.t.example"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        bool is_seen[256] = {false};
        ask(names[i], 1, 1232, PIN_TRANSPORT_UDP);
        for (size_t r = 0; r < reply.n_records; r++) {
            assert_false(is_seen[last_byte(&reply.records[r])]);
            is_seen[last_byte(&reply.records[r])] = true;
        }
    }
}

static void test_shares_of_thirty_questions(void **state)
{
    unsigned n_light = 0;
    (void)state;
    for (int i = 0; i < 30; i++) {
        ask("split.t.example", 1, 1232, PIN_TRANSPORT_UDP);
        assert_int_equal(reply.n_rr[1], 1);
        n_light += last_byte(&reply.records[0]) == 1;
    }
    assert_in_range(n_light, 2, 4);
}

static void test_whole_table_begins_everywhere(void **state)
{
    bool is_first[256] = {false};
    unsigned n_firsts = 0;
    (void)state;
    for (int i = 0; i < 100; i++) {
        ask("whole.t.example", 1, 1232, PIN_TRANSPORT_UDP);
        n_firsts += !is_first[last_byte(&reply.records[0])];
        is_first[last_byte(&reply.records[0])] = true;
    }
    assert_in_range(n_firsts, 60, 100);
}

/* Owners as pointers, written out, and none at all. */
static void test_ttls_are_capped_whatever_the_owner(void **state)
{
#define RR_HEAD(ttl) "\0\1\0\1\0\0" ttl "\0\4"
    char wire[] =
        "hhhhhhhhhhhh"
        "\xC0\x0C" RR_HEAD(
            "\1\2") "abcd"
                    "\3www\1a"
                    "\0" RR_HEAD("\1\2") "abcd"
                                         "\0" RR_HEAD("\1\2") "abcd"
                                                              "\1b"
                                                              "\0" RR_HEAD(
                                                                  "\0\7") "abcd"
                                                                          "\1c\xC0\x0C" RR_HEAD(
                                                                              "\1\2") "abcd";
    char want[] =
        "hhhhhhhhhhhh"
        "\xC0\x0C" RR_HEAD(
            "\0\36") "abcd"
                     "\3www\1a"
                     "\0" RR_HEAD("\0\36") "abcd"
                                           "\0" RR_HEAD("\0\36") "abcd"
                                                                 "\1b"
                                                                 "\0" RR_HEAD(
                                                                     "\0\7") "abcd"
                                                                             "\1c\xC0\x0C" RR_HEAD(
                                                                                 "\0\36") "abcd";
    struct pin_response response = {.wire = (uint8_t *)wire, .used_bytes = sizeof(wire) - 1};
    (void)state;
    pin_response_cap_ttls(&response, 12, 30);
    assert_memory_equal(wire, want, sizeof(want));
#undef RR_HEAD
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test_setup_teardown(test_ede_text_goes_first, NULL, all_up),
        cmocka_unit_test_setup_teardown(test_no_ede_without_edns, NULL, all_up),
        cmocka_unit_test(test_flags_of_a_forwarder),
        cmocka_unit_test(test_every_edns_size),
        cmocka_unit_test(test_no_address_twice),
        cmocka_unit_test(test_shares_of_thirty_questions),
        cmocka_unit_test(test_whole_table_begins_everywhere),
        cmocka_unit_test(test_ttls_are_capped_whatever_the_owner),
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(others)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_size, .initial_state = &cases[i]};
    }
    memcpy(tests + N_ELEMS(cases), others, sizeof(others));
    return cmocka_run_group_tests_name("response", tests, set_up, tear_down);
}
