/* SPDX-License-Identifier: Apache-2.0 */

/* Each option that a query brings is answered where it has a meaning, and never beyond the size
 * that the client takes. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/zones/settings.h"

#include "resolver/answer.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define NSID      3u
#define ECS       8u
#define EXPIRE    9u
#define COOKIE    10u
#define KEEPALIVE 11u
#define PADDING   12u

#define OPTION_NSID      "\0\3\0\0"
#define OPTION_ECS       "\0\x08\0\7\0\1\x18\0\xc0\0\2"
#define OPTION_EXPIRE    "\0\x09\0\0"
#define OPTION_COOKIE    "\0\x0a\0\x08\1\2\3\4\5\6\7\x08"
#define OPTION_KEEPALIVE "\0\x0b\0\0"
#define OPTION_PADDING   "\0\x0c\0\4\0\0\0\0"
#define OPTIONS(literal) .options = (const uint8_t *)(literal), .options_bytes = sizeof(literal) - 1
#define EDNS             .has_edns = true, .edns_bytes = 1232

#define UDP   PIN_TRANSPORT_UDP
#define TCP   PIN_TRANSPORT_TCP
#define TLS   PIN_TRANSPORT_TLS
#define HTTPS PIN_TRANSPORT_HTTPS

#define NOW_MS (INT64_C(1700000000) * 1000)

static struct world *world;
static struct pin_worker worker;
static struct pin_manners manners;
static uint8_t buffer[65536];
static struct message reply;

static void ask_wire(enum pin_transport transport, size_t query_bytes)
{
    struct sockaddr_in peer = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0xC0000263)};
    struct pin_client client = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = transport};
    struct pin_packet packet = {.wire = buffer,
        .bytes = query_bytes,
        .cap_bytes = transport == UDP ? 1344 : PIN_STREAM_MAX_BYTES};
    size_t bytes = pin_answer(&worker, &client, &packet);
    assert_true(message_parse(buffer, bytes, &reply));
}

static void ask(enum pin_transport transport, const struct message_query *query)
{
    ask_wire(transport, message_build(query, buffer));
    assert_int_equal(reply.has_opt, query->has_edns);
}

/* How the server is at the beginning of each test. */
static int as_usual(void **state)
{
    (void)state;
    manners = (struct pin_manners){.has_cookies = true,
        .keepalive_ds = 100,
        .secret = {.is_shared = true},
        .identity = {.bytes = 4, .text = "ns-1"},
        .version = {.bytes = 8, .text = "pintle 1"}};
    pin_clock_set_fake(1000, NOW_MS);
    world_set_scene(world, true, false, 0);
    return 0;
}

static int set_up(void **state)
{
    world = world_new();
    if (pin_worker_init(&worker, &world->live, UDP, 0) != PIN_OK) {
        return -1;
    }
    worker.manners = &manners;
    return as_usual(state);
}

static int tear_down(void **state)
{
    (void)state;
    pin_clock_set_real();
    pin_worker_done(&worker);
    world_free(world);
    return 0;
}

/* --- one option, one transport -------------------------------------------------------------- */

static struct option_case {
    const char *name;
    struct message_query query;
    enum pin_transport transport;
    unsigned code;
    bool is_answered;
    const char *data;
    size_t data_bytes;
} cases[] = {
    {"NSID is the identity", {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_NSID)}, UDP,
        NSID, true, "ns-1", 4},
    {"with a refusal, too", {.name = "example.com", .type = 1, EDNS, OPTIONS(OPTION_NSID)}, TLS,
        NSID, true, "ns-1", 4},
    {"NSID is not told without a question", {.name = "t.example", .type = 6, EDNS}, UDP, NSID,
        false, NULL, 0},
    {"a cookie begins with the client's part",
        {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_COOKIE)}, UDP, COOKIE, true,
        "\1\2\3\4\5\6\7\x08\1\0\0\0", 24},
    {"over TCP, too", {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_COOKIE)}, TCP, COOKIE,
        true, "\1\2\3\4\5\6\7\x08\1\0\0\0", 24},
    {"keepalive over TCP is the time that idle streams have",
        {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_KEEPALIVE)}, TCP, KEEPALIVE, true,
        "\0\x64", 2},
    {"keepalive over TLS", {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_KEEPALIVE)}, TLS,
        KEEPALIVE, true, "\0\x64", 2},
    {"keepalive over UDP is ignored",
        {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_KEEPALIVE)}, UDP, KEEPALIVE, false,
        NULL, 0},
    {"keepalive over HTTPS is HTTP's",
        {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_KEEPALIVE)}, HTTPS, KEEPALIVE, false,
        NULL, 0},
    {"keepalive is told only when asked", {.name = "t.example", .type = 6, EDNS}, TCP, KEEPALIVE,
        false, NULL, 0},
    {"EXPIRE comes with the zone's SOA",
        {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_EXPIRE)}, UDP, EXPIRE, true, NULL, 4},
    {"not with another answer", {.name = "www.t.example", .type = 1, EDNS, OPTIONS(OPTION_EXPIRE)},
        UDP, EXPIRE, false, NULL, 0},
    {"not with a negative one", {.name = "nope.t.example", .type = 6, EDNS, OPTIONS(OPTION_EXPIRE)},
        UDP, EXPIRE, false, NULL, 0},
    {"nor without a question for it", {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_NSID)},
        UDP, EXPIRE, false, NULL, 0},
    {"UDP is not padded", {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_PADDING)}, UDP,
        PADDING, false, NULL, 0},
    {"nor TCP", {.name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_PADDING)}, TCP, PADDING,
        false, NULL, 0},
    {"nor TLS when the query was not", {.name = "t.example", .type = 6, EDNS}, TLS, PADDING, false,
        NULL, 0},
};

static void test_option(void **state)
{
    const struct option_case *c = *state;
    ask(c->transport, &c->query);
    assert_int_equal(reply.options[c->code].at != 0, c->is_answered);
    assert_int_equal(reply.options[c->code].bytes, c->data_bytes);
    if (c->data != NULL) {
        size_t bytes = c->code == COOKIE ? 12 : c->data_bytes;
        assert_memory_equal(buffer + reply.options[c->code].at, c->data, bytes);
    }
}

/* --- cookies ------------------------------------------------------------------------------- */

/* An option with the cookie of the last reply. */
static void take_cookie(uint8_t option[28])
{
    static const uint8_t head[] = {0, COOKIE, 0, 24};
    memcpy(option, head, sizeof(head));
    assert_int_equal(reply.options[COOKIE].bytes, 24);
    memcpy(option + 4, buffer + reply.options[COOKIE].at, 24);
}

static const struct message_query with_cookie = {
    .name = "t.example", .type = 6, EDNS, OPTIONS(OPTION_COOKIE)};

static void test_cookie_is_kept_while_young(void **state)
{
    uint8_t option[28];
    struct message_query again = {
        .name = "t.example", .type = 6, EDNS, .options = option, .options_bytes = sizeof(option)};
    (void)state;
    ask(UDP, &with_cookie);
    take_cookie(option);
    pin_clock_set_fake(2000, NOW_MS + INT64_C(1800000));
    ask(UDP, &again);
    assert_memory_equal(buffer + reply.options[COOKIE].at, option + 4, 24);
    pin_clock_set_fake(3000, NOW_MS + INT64_C(1801000));
    ask(UDP, &again);
    assert_memory_not_equal(buffer + reply.options[COOKIE].at, option + 4, 24);
    assert_int_equal(pin_stat_read(&worker.stats.n_cookies_good), 2);
    option[27] ^= 1;
    ask(UDP, &again);
    assert_int_equal(reply.rcode, 0); /* nobody demands a good one */
    assert_int_equal(pin_stat_read(&worker.stats.n_cookies_bad), 1);
}

static void test_required_cookie(void **state)
{
    uint8_t option[28];
    struct message_query good = {
        .name = "t.example", .type = 6, EDNS, .options = option, .options_bytes = sizeof(option)};
    (void)state;
    manners.wants_cookies = true;
    ask(UDP, &with_cookie);
    assert_int_equal(reply.rcode, 23);
    assert_int_equal(reply.n_records, 0);
    take_cookie(option);
    ask(UDP, &good);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.n_rr[1], 1);
    ask(TCP, &with_cookie);
    assert_int_equal(reply.rcode, 0);
    ask(UDP, &(struct message_query){.name = "t.example", .type = 6, EDNS});
    assert_int_equal(reply.rcode, 0); /* who knows no cookies is answered */
    option[20] ^= 1;
    ask(UDP, &good);
    assert_int_equal(reply.rcode, 23);
}

static void test_no_cookies(void **state)
{
    (void)state;
    manners.has_cookies = false;
    manners.identity.bytes = 0;
    manners.keepalive_ds = 0;
    ask(TCP, &(struct message_query){.name = "t.example",
                 .type = 6,
                 EDNS,
                 OPTIONS(OPTION_COOKIE OPTION_NSID OPTION_KEEPALIVE)});
    assert_int_equal(reply.rcode, 0);
    for (unsigned code = 0; code < MESSAGE_OPTIONS_MAX; code++) {
        assert_int_equal(reply.options[code].at, 0);
    }
}

/* RFC 7873, section 5.4. */
static void test_cookie_without_question(void **state)
{
    static const uint8_t wire[] = "\x12\x34\0\0\0\0\0\0\0\0\0\1"
                                  "\0\0\x29\x04\xd0\0\0\0\0\0\x0c" OPTION_COOKIE;
    (void)state;
    memcpy(buffer, wire, sizeof(wire) - 1);
    ask_wire(UDP, sizeof(wire) - 1);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.n_question, 0);
    assert_int_equal(reply.options[COOKIE].bytes, 24);

    memcpy(buffer, wire, sizeof(wire) - 1);
    buffer[21] = 0; /* the OPT's RDLENGTH: no cookie in it, and bytes behind */
    buffer[22] = 0;
    ask_wire(UDP, 23);
    assert_int_equal(reply.rcode, 1);
    assert_true(reply.has_opt);
}

/* --- padding ------------------------------------------------------------------------------- */

static struct padding_case {
    const char *name;
    const char *qname;
    uint16_t type;
    enum pin_transport transport;
    size_t bytes;
} paddings[] = {
    {"a small answer over TLS fills one block", "t.example", 6, TLS, 468},
    {"a small one over HTTPS as well", "t.example", 6, HTTPS, 468},
    {"a large one several", "big.t.example", 16, TLS, 2340},
    {"a refusal is not told from an answer by its length", "example.com", 1, TLS, 468},
};

static void test_padding(void **state)
{
    const struct padding_case *c = *state;
    ask(c->transport,
        &(struct message_query){
            .name = c->qname, .type = c->type, EDNS, OPTIONS(OPTION_PADDING OPTION_COOKIE)});
    assert_int_equal(reply.bytes, c->bytes);
    for (size_t i = 0; i < reply.options[PADDING].bytes; i++) {
        assert_int_equal(buffer[reply.options[PADDING].at + i], 0);
    }
}

/* Where the longest message ends, padding ends as well, or is left out. */
static void test_padding_ends_with_the_message(void **state)
{
    struct pin_query query = {.options = PIN_SAID_PADDING, .has_edns = true};
    (void)state;
    for (size_t used = 900; used <= 936 - PIN_OPT_BYTES; used++) {
        struct pin_response response = {.wire = buffer,
            .used_bytes = used,
            .end_bytes = 935,
            .ede = PIN_EDE_NONE,
            .manners = &manners,
            .transport = TLS};
        if (used + PIN_OPT_BYTES > response.end_bytes) {
            break;
        }
        pin_response_put_opt(&response, &query);
        size_t plain = used + PIN_OPT_BYTES;
        assert_int_equal(response.used_bytes, plain + 4 <= 935 ? 935 : plain);
    }
}

/* --- all together -------------------------------------------------------------------------- */

static const struct {
    unsigned code;
    const char *wire;
    size_t bytes;
} known[] = {
    {NSID, OPTION_NSID, sizeof(OPTION_NSID) - 1},
    {EXPIRE, OPTION_EXPIRE, sizeof(OPTION_EXPIRE) - 1},
    {COOKIE, OPTION_COOKIE, sizeof(OPTION_COOKIE) - 1},
    {KEEPALIVE, OPTION_KEEPALIVE, sizeof(OPTION_KEEPALIVE) - 1},
    {PADDING, OPTION_PADDING, sizeof(OPTION_PADDING) - 1},
    {ECS, OPTION_ECS, sizeof(OPTION_ECS) - 1},
};

/* Asks with a subset of the options, and holds the answer to what each of them is due. */
static void try_subset(
    unsigned subset, const char *qname, uint16_t type, uint16_t edns_bytes, enum pin_transport via)
{
    uint8_t options[128];
    struct message_query query = {.name = qname,
        .type = type,
        .has_edns = true,
        .edns_bytes = edns_bytes,
        .options = options};
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        if ((subset & 1u << i) != 0) {
            memcpy(options + query.options_bytes, known[i].wire, known[i].bytes);
            query.options_bytes += known[i].bytes;
        }
    }
    ask(via, &query);
    assert_true(via != UDP || reply.bytes <= edns_bytes);
    for (size_t i = 0; i < N_ELEMS(known); i++) {
        bool is_asked = (subset & 1u << i) != 0;
        bool is_due = is_asked && known[i].code != EXPIRE
                      && (known[i].code != KEEPALIVE || via == TCP || via == TLS)
                      && (known[i].code != PADDING || via == TLS || via == HTTPS);
        bool is_there =
            known[i].code == ECS ? reply.ecs_at != 0 : reply.options[known[i].code].at != 0;
        assert_int_equal(is_there, is_due || (is_asked && known[i].code == EXPIRE && type == 6));
    }
}

static void test_all_subsets(void **state)
{
    static const struct {
        const char *name;
        uint16_t type;
    } questions[] = {
        {"t.example", 6}, {"big.t.example", 16}, {NULL, 28}, {NULL, 16}, {"whole.t.example", 1}};
    static const uint16_t sizes[] = {512, 513, 600, 1231, 1232};
    (void)state;
    manners.identity.bytes = PIN_IDENTITY_MAX_BYTES;
    for (unsigned down = 0; down < 2; down++) {
        world_set_scene(world, true, false, (uint8_t)down);
        for (unsigned subset = 0; subset < 1u << N_ELEMS(known); subset++) {
            for (size_t q = 0; q < N_ELEMS(questions) * N_ELEMS(sizes) * 4; q++) {
                size_t i = q / (N_ELEMS(sizes) * 4);
                try_subset(subset, questions[i].name != NULL ? questions[i].name : world_longest,
                    questions[i].type, sizes[q / 4 % N_ELEMS(sizes)], (enum pin_transport)(q % 4));
            }
        }
    }
}

static void test_ede_text_gives_way(void **state)
{
    (void)state;
    world_set_scene(world, true, false, 1);
    ask(UDP, &(struct message_query){
                 .name = "four.t.example", .type = 1, EDNS, OPTIONS(OPTION_NSID OPTION_COOKIE)});
    assert_int_equal(reply.ede, 3);
    assert_true(reply.ede_text_bytes > 0);
    manners.identity.bytes = PIN_IDENTITY_MAX_BYTES;
    ask(UDP, &(struct message_query){
                 .name = "whole.t.example", .type = 1, EDNS, OPTIONS(OPTION_NSID OPTION_COOKIE)});
    assert_int_equal(reply.ede, 3);
    assert_int_equal(reply.ede_text_bytes, 0);
    assert_int_equal(reply.options[NSID].bytes, PIN_IDENTITY_MAX_BYTES);
    assert_int_equal(reply.options[COOKIE].bytes, 24);
}

/* Thousands of options are one pass, and each kind is answered once. */
static void test_many_options(void **state)
{
    static const uint8_t both[] = {0, NSID, 0, 0, 0, COOKIE, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8};
    static uint8_t options[60000];
    size_t n = sizeof(options) / 16;
    (void)state;
    for (size_t i = 0; i < n; i++) {
        memcpy(options + 16 * i, both, sizeof(both));
    }
    struct message_query query = {
        .name = "t.example", .type = 6, EDNS, .options = options, .options_bytes = 16 * n};
    ask(TCP, &query);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.options[NSID].bytes, 4);
    assert_int_equal(reply.options[COOKIE].bytes, 24);
}

/* --- class CH ------------------------------------------------------------------------------ */

static struct chaos_case {
    const char *name;
    const char *qname;
    uint16_t type;
    uint16_t qclass;
    const char *text; /* NULL: refused */
} chaos[] = {
    {"version.bind", "version.bind", 16, 3, "\10pintle 1"},
    {"version.server", "Version.SERVER", 16, 3, "\10pintle 1"},
    {"hostname.bind", "hostname.bind", 16, 3, "\4ns-1"},
    {"id.server", "id.server", 16, 3, "\4ns-1"},
    {"id.server as ANY", "id.server", 255, 3, "\4ns-1"},
    {"id.server as A is refused", "id.server", 1, 3, NULL},
    {"another name in CH is refused", "authors.bind", 16, 3, NULL},
    {"one of our names in CH is refused", "www.t.example", 16, 3, NULL},
    {"id.server in class HS is refused", "id.server", 16, 4, NULL},
    {"id.server in class IN is no name of ours", "id.server", 16, 1, NULL},
};

static void assert_chaos(const char *text)
{
    const struct message_rr *rr = message_find(&reply, 1, 16);
    assert_non_null(rr);
    assert_int_equal(rr->rrclass, 3);
    assert_int_equal(rr->ttl_s, 0);
    assert_int_equal(rr->rdata_bytes, strlen(text));
    assert_memory_equal(buffer + rr->rdata_at, text, rr->rdata_bytes);
}

static void test_chaos(void **state)
{
    const struct chaos_case *c = *state;
    struct message_query query = {.name = c->qname, .type = c->type, .qclass = c->qclass};
    ask(UDP, &query);
    assert_int_equal(reply.rcode, c->text != NULL ? 0 : 5);
    assert_int_equal((reply.flags & 0x0400) != 0, c->text != NULL);
    if (c->text != NULL) {
        assert_chaos(c->text);
    }
    manners.version.bytes = 0;
    manners.identity.bytes = 0;
    ask(UDP, &query);
    assert_int_equal(reply.rcode, 5);
    assert_int_equal(reply.n_records, 0);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test_setup(test_cookie_is_kept_while_young, as_usual),
        cmocka_unit_test_setup(test_required_cookie, as_usual),
        cmocka_unit_test_setup(test_no_cookies, as_usual),
        cmocka_unit_test_setup(test_cookie_without_question, as_usual),
        cmocka_unit_test_setup(test_padding_ends_with_the_message, as_usual),
        cmocka_unit_test_setup(test_all_subsets, as_usual),
        cmocka_unit_test_setup(test_ede_text_gives_way, as_usual),
        cmocka_unit_test_setup(test_many_options, as_usual),
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(paddings) + N_ELEMS(chaos) + N_ELEMS(others)] =
        {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[n++] = (struct CMUnitTest){cases[i].name, test_option, as_usual, NULL, &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(paddings); i++) {
        tests[n++] =
            (struct CMUnitTest){paddings[i].name, test_padding, as_usual, NULL, &paddings[i]};
    }
    for (size_t i = 0; i < N_ELEMS(chaos); i++) {
        tests[n++] = (struct CMUnitTest){chaos[i].name, test_chaos, as_usual, NULL, &chaos[i]};
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("edns", tests, set_up, tear_down);
}
