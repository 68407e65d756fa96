/* SPDX-License-Identifier: Apache-2.0 */

/* What each question is answered with: response code, flags, sections, EDNS, extended errors. */

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/settings.h"

#include "resolver/answer.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/world.h"

#define FLAG_QR   0x8000u
#define FLAG_AA   0x0400u
#define FLAG_TC   0x0200u
#define FLAG_RD   0x0100u
#define FLAG_RA   0x0080u
#define FLAG_Z    0x0040u
#define FLAG_AD   0x0020u
#define FLAG_CD   0x0010u
#define OPCODE(n) ((n) << 11)
#define EDNS_DO   0x8000u
#define NO_EDE    (-1)

static struct world *world;
static struct pin_worker worker;
static uint8_t buffer[65536];
static struct message reply;

/* Asks over a transport from an address; false: silence. A reply must please a strict reader. */
static bool ask_from(const char *source, enum pin_transport transport, uint16_t cluster_id,
    const struct message_query *query)
{
    struct sockaddr_in peer = {.sin_family = AF_INET};
    struct pin_client client = {.peer = (const struct sockaddr *)&peer,
        .listen_cluster_id = cluster_id,
        .transport = transport};
    assert_int_equal(inet_pton(AF_INET, source, &peer.sin_addr), 1);
    size_t query_bytes = message_build(query, buffer);
    struct pin_packet packet = {
        .wire = buffer, .bytes = query_bytes, .cap_bytes = PIN_STREAM_MAX_BYTES};
    uint8_t question[300];
    size_t question_bytes = PIN_HEADER_BYTES + strlen(query->name) + 2 + PIN_QUESTION_TAIL_BYTES;
    question_bytes -= strcmp(query->name, ".") == 0;
    memcpy(question, buffer, question_bytes);

    size_t bytes = pin_answer(&worker, &client, &packet);
    if (bytes == 0) {
        return false;
    }
    assert_true(message_parse(buffer, bytes, &reply));
    assert_true(reply.flags & FLAG_QR);
    assert_int_equal(reply.flags & (FLAG_RA | FLAG_Z | FLAG_AD), 0);
    assert_int_equal(reply.flags & OPCODE(15), query->flags & OPCODE(15));
    assert_memory_equal(buffer, question, 2);
    assert_int_equal(reply.has_opt, query->has_edns);
    if (reply.n_question == 1) {
        assert_memory_equal(buffer + PIN_HEADER_BYTES, question + PIN_HEADER_BYTES,
            question_bytes - PIN_HEADER_BYTES);
    }
    return true;
}

static void ask(const struct message_query *query)
{
    assert_true(ask_from("192.0.2.99", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE, query));
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

static int fresh_scene(void **state)
{
    (void)state;
    world_set_scene(world, true, false, 0);
    return 0;
}

/* --- one row, one question ---------------------------------------------------------------- */

#define OPTION_100       "\0\x64\0\2xy"
#define OPTION_NSID      "\0\3\0\0"
#define OPTION_ECS       "\0\x08\0\4\0\1\0\0"
#define OPTION_EXPIRE    "\0\x09\0\0"
#define OPTION_COOKIE    "\0\x0a\0\x08\1\2\3\4\5\6\7\x08"
#define OPTION_KEEP      "\0\x0b\0\0"
#define OPTIONS(literal) .options = (const uint8_t *)(literal), .options_bytes = sizeof(literal) - 1
#define EDNS0            .has_edns = true, .edns_bytes = 1232
#define EDNS1            EDNS0, .edns_version = 1

static struct answer_case {
    const char *name;
    struct message_query query;
    uint16_t rcode;
    uint16_t flags; /* beside QR and the opcode */
    uint16_t n_answer;
    uint16_t n_authority;
    uint16_t n_additional; /* the OPT counts */
    int ede;
} cases[] = {
    /* The compliance set: reliability rules for every server, zone t.example. */
    {"dns: SOA of the zone", {.name = "t.example", .type = 6}, 0, FLAG_AA, 1, 0, 0, NO_EDE},
    {"aa: a set AA bit is not copied", {.name = "t.example", .type = 6, .flags = FLAG_AA}, 0,
        FLAG_AA, 1, 0, 0, NO_EDE},
    {"ad: AD is not set", {.name = "t.example", .type = 6, .flags = FLAG_AD}, 0, FLAG_AA, 1, 0, 0,
        NO_EDE},
    {"cd: CD is copied", {.name = "t.example", .type = 6, .flags = FLAG_CD}, 0, FLAG_AA | FLAG_CD,
        1, 0, 0, NO_EDE},
    {"ra: RA is not copied", {.name = "t.example", .type = 6, .flags = FLAG_RA}, 0, FLAG_AA, 1, 0,
        0, NO_EDE},
    {"rd: RD is copied", {.name = "t.example", .type = 6, .flags = FLAG_RD}, 0, FLAG_AA | FLAG_RD,
        1, 0, 0, NO_EDE},
    {"tc: TC is not copied", {.name = "t.example", .type = 6, .flags = FLAG_TC}, 0, FLAG_AA, 1, 0,
        0, NO_EDE},
    {"zflag: Z is not copied", {.name = "t.example", .type = 6, .flags = FLAG_Z}, 0, FLAG_AA, 1, 0,
        0, NO_EDE},
    {"opcode: 15 is not implemented", {.name = "t.example", .type = 6, .flags = OPCODE(15)}, 4, 0,
        0, 0, 0, NO_EDE},
    {"opcodeflg: and all flags are clear",
        {.name = "t.example", .type = 6, .flags = OPCODE(15) | FLAG_AA | FLAG_TC | FLAG_RD | 0xF0},
        4, 0, 0, 0, 0, NO_EDE},
    {"type666: no data, with the SOA", {.name = "t.example", .type = 666}, 0, FLAG_AA, 0, 1, 0,
        NO_EDE},
    {"type1000: no data, with the SOA", {.name = "t.example", .type = 1000}, 0, FLAG_AA, 0, 1, 0,
        NO_EDE},
    {"edns: OPT for OPT", {.name = "t.example", .type = 6, EDNS0}, 0, FLAG_AA, 1, 0, 1, NO_EDE},
    {"edns1: another version is told ours", {.name = "t.example", .type = 6, EDNS1}, 16, 0, 0, 0, 1,
        NO_EDE},
    {"edns1 rd: RD is copied there too", {.name = "t.example", .type = 6, EDNS1, .flags = FLAG_RD},
        16, FLAG_RD, 0, 0, 1, NO_EDE},
    {"edns@512: DNSKEY has no data",
        {.name = "t.example",
            .type = 48,
            .has_edns = true,
            .edns_bytes = 512,
            .edns_flags = EDNS_DO},
        0, FLAG_AA, 0, 1, 1, NO_EDE},
    {"ednsopt: option 100 is not echoed",
        {.name = "t.example", .type = 6, EDNS0, OPTIONS(OPTION_100)}, 0, FLAG_AA, 1, 0, 1, NO_EDE},
    {"edns1opt: nor with another version",
        {.name = "t.example", .type = 6, EDNS1, OPTIONS(OPTION_100)}, 16, 0, 0, 0, 1, NO_EDE},
    {"do: DO is fine", {.name = "t.example", .type = 6, EDNS0, .edns_flags = EDNS_DO}, 0, FLAG_AA,
        1, 0, 1, NO_EDE},
    {"docd: DO and CD are fine",
        {.name = "t.example", .type = 6, EDNS0, .edns_flags = EDNS_DO, .flags = FLAG_CD}, 0,
        FLAG_AA | FLAG_CD, 1, 0, 1, NO_EDE},
    {"edns1do: version goes first", {.name = "t.example", .type = 6, EDNS1, .edns_flags = EDNS_DO},
        16, 0, 0, 0, 1, NO_EDE},
    {"ednsflags: unknown EDNS flags are not copied",
        {.name = "t.example", .type = 6, EDNS0, .edns_flags = 0x80}, 0, FLAG_AA, 1, 0, 1, NO_EDE},
    {"edns1 flags: nor with another version",
        {.name = "t.example", .type = 6, EDNS1, .edns_flags = 0x40}, 16, 0, 0, 0, 1, NO_EDE},
    {"optlist: many options at once",
        {.name = "t.example",
            .type = 6,
            EDNS0,
            OPTIONS(OPTION_NSID OPTION_ECS OPTION_EXPIRE OPTION_COOKIE)},
        0, FLAG_AA, 1, 0, 1, NO_EDE},
    {"ednsnsid", {.name = "t.example", .type = 6, EDNS0, OPTIONS(OPTION_NSID)}, 0, FLAG_AA, 1, 0, 1,
        NO_EDE},
    {"ednscookie", {.name = "t.example", .type = 6, EDNS0, OPTIONS(OPTION_COOKIE)}, 0, FLAG_AA, 1,
        0, 1, NO_EDE},
    {"ednsexpire", {.name = "t.example", .type = 6, EDNS0, OPTIONS(OPTION_EXPIRE)}, 0, FLAG_AA, 1,
        0, 1, NO_EDE},
    {"ednssubnet", {.name = "t.example", .type = 6, EDNS0, OPTIONS(OPTION_ECS)}, 0, FLAG_AA, 1, 0,
        1, NO_EDE},
    {"edns1cookie", {.name = "t.example", .type = 6, EDNS1, OPTIONS(OPTION_COOKIE)}, 16, 0, 0, 0, 1,
        NO_EDE},
    {"a keepalive option over UDP is ignored",
        {.name = "t.example", .type = 6, EDNS0, OPTIONS(OPTION_KEEP)}, 0, FLAG_AA, 1, 0, 1, NO_EDE},
    {"a cookie of 3 bytes is malformed",
        {.name = "t.example", .type = 6, EDNS0, OPTIONS("\0\x0a\0\3abc")}, 1, 0, 0, 0, 1, NO_EDE},

    /* Opcodes and classes. */
    {"IQUERY", {.name = "t.example", .type = 1, .flags = OPCODE(1)}, 4, 0, 0, 0, 0, NO_EDE},
    {"STATUS", {.name = "t.example", .type = 1, .flags = OPCODE(2)}, 4, 0, 0, 0, 0, NO_EDE},
    {"NOTIFY", {.name = "t.example", .type = 6, .flags = OPCODE(4)}, 4, 0, 0, 0, 0, NO_EDE},
    {"UPDATE", {.name = "t.example", .type = 6, .flags = OPCODE(5)}, 4, 0, 0, 0, 0, NO_EDE},
    {"UPDATE in class ANY", {.name = "t.example", .type = 6, .qclass = 255, .flags = OPCODE(5)}, 4,
        0, 0, 0, 0, NO_EDE},
    {"DSO over UDP, with EDNS", {.name = "t.example", .type = 6, EDNS0, .flags = OPCODE(6)}, 4, 0,
        0, 0, 1, NO_EDE},
    {"class CH is refused", {.name = "version.bind", .type = 16, .qclass = 3}, 5, 0, 0, 0, 0,
        NO_EDE},
    {"class 0 is refused", {.name = "t.example", .type = 6, .qclass = 0xFF00}, 5, 0, 0, 0, 0,
        NO_EDE},
    {"class ANY is refused", {.name = "t.example", .type = 6, .qclass = 255}, 5, 0, 0, 0, 0,
        NO_EDE},
    {"AXFR is refused", {.name = "t.example", .type = 252}, 5, 0, 0, 0, 0, NO_EDE},
    {"IXFR is refused", {.name = "t.example", .type = 251, EDNS0}, 5, 0, 0, 0, 1, NO_EDE},

    /* Names. */
    {"the root's NS is refused at once", {.name = ".", .type = 2, EDNS0}, 5, 0, 0, 0, 1, 20},
    {"the root's NS without EDNS", {.name = ".", .type = 2, .flags = FLAG_RD}, 5, FLAG_RD, 0, 0, 0,
        NO_EDE},
    {"the root is not ours", {.name = ".", .type = 1, EDNS0}, 5, 0, 0, 0, 1, 20},
    {"a foreign name is refused and says why", {.name = "www.example.com", .type = 1, EDNS0}, 5, 0,
        0, 0, 1, 20},
    {"the zone's parent is foreign", {.name = "example", .type = 1}, 5, 0, 0, 0, 0, NO_EDE},
    {"NS of the zone", {.name = "t.example", .type = 2}, 0, FLAG_AA, 2, 0, 0, NO_EDE},
    {"A of the apex is no data", {.name = "t.example", .type = 1}, 0, FLAG_AA, 0, 1, 0, NO_EDE},
    {"SOA of a name below the apex is no data", {.name = "www.t.example", .type = 6}, 0, FLAG_AA, 0,
        1, 0, NO_EDE},
    {"A of a name", {.name = "www.t.example", .type = 1}, 0, FLAG_AA, 1, 0, 0, NO_EDE},
    {"any case", {.name = "wWw.T.eXAMPLE", .type = 1}, 0, FLAG_AA, 1, 0, 0, NO_EDE},
    {"TXT of a name that has none", {.name = "www.t.example", .type = 16}, 0, FLAG_AA, 0, 1, 0,
        NO_EDE},
    {"a missing name", {.name = "nope.t.example", .type = 1}, 3, FLAG_AA, 0, 1, 0, NO_EDE},
    {"a name below an existing one", {.name = "x.www.t.example", .type = 1}, 3, FLAG_AA, 0, 1, 0,
        NO_EDE},
    {"an empty non-terminal is no data", {.name = "b.ent.t.example", .type = 1}, 0, FLAG_AA, 0, 1,
        0, NO_EDE},
    {"and so is its parent", {.name = "ent.t.example", .type = 1}, 0, FLAG_AA, 0, 1, 0, NO_EDE},
    {"a missing name below an empty non-terminal", {.name = "c.ent.t.example", .type = 1}, 3,
        FLAG_AA, 0, 1, 0, NO_EDE},
    {"a name of 127 labels", {.name = NULL /* world_deepest */, .type = 1, EDNS0}, 5, 0, 0, 0, 1,
        20},
    {"a name of 255 octets", {.name = NULL /* world_longest */, .type = 1, EDNS0}, 0, FLAG_AA, 1, 0,
        1, NO_EDE},
    {"a name of 255 octets without data", {.name = NULL /* world_longest */, .type = 16}, 0,
        FLAG_AA, 0, 1, 0, NO_EDE},
    {"type OPT as a question is no data", {.name = "www.t.example", .type = 41}, 0, FLAG_AA, 0, 1,
        0, NO_EDE},
    {"type 0 is no data", {.name = "www.t.example", .type = 0}, 0, FLAG_AA, 0, 1, 0, NO_EDE},
    {"type 65535 is no data", {.name = "www.t.example", .type = 65535}, 0, FLAG_AA, 0, 1, 0,
        NO_EDE},
    {"type TKEY is no data", {.name = "www.t.example", .type = 249}, 0, FLAG_AA, 0, 1, 0, NO_EDE},

    /* Wildcards. */
    {"a wildcard stands for a missing name", {.name = "a.wild.t.example", .type = 16}, 0, FLAG_AA,
        1, 0, 0, NO_EDE},
    {"and for one of many labels", {.name = "a.b.c.wild.t.example", .type = 16}, 0, FLAG_AA, 1, 0,
        0, NO_EDE},
    {"not for its own parent", {.name = "wild.t.example", .type = 16}, 0, FLAG_AA, 0, 1, 0, NO_EDE},
    {"what it has not is no data", {.name = "a.wild.t.example", .type = 1}, 0, FLAG_AA, 0, 1, 0,
        NO_EDE},
    {"the asterisk itself", {.name = "*.wild.t.example", .type = 16}, 0, FLAG_AA, 1, 0, 0, NO_EDE},
    {"a name below the asterisk", {.name = "a.*.wild.t.example", .type = 16}, 3, FLAG_AA, 0, 1, 0,
        NO_EDE},

    /* Aliases. */
    {"an alias with what it leads to", {.name = "alias.t.example", .type = 1}, 0, FLAG_AA, 2, 0, 0,
        NO_EDE},
    {"an alias asked for itself", {.name = "alias.t.example", .type = 5}, 0, FLAG_AA, 1, 0, 0,
        NO_EDE},
    {"an alias to a name without such data", {.name = "alias.t.example", .type = 28}, 0, FLAG_AA, 1,
        1, 0, NO_EDE},
    {"an alias that leads out of our zones", {.name = "far.t.example", .type = 1}, 0, FLAG_AA, 1, 0,
        0, NO_EDE},
    {"an alias that leads nowhere", {.name = "dangling.t.example", .type = 1}, 3, FLAG_AA, 1, 1, 0,
        NO_EDE},
    {"an alias to itself is shown once", {.name = "loop.t.example", .type = 1}, 0, FLAG_AA, 1, 0, 0,
        NO_EDE},
    {"aliases in a circle are shown once each", {.name = "circle1.t.example", .type = 1}, 0,
        FLAG_AA, 3, 0, 0, NO_EDE},
    {"and so is one that leads there", {.name = "tocircle.t.example", .type = 28}, 0, FLAG_AA, 4, 0,
        0, NO_EDE},
    {"a wildcard that leads to a name of its own", {.name = "a.around.t.example", .type = 1}, 0,
        FLAG_AA, 2, 0, 0, NO_EDE},
    {"CNAME of a name that is no alias", {.name = "www.t.example", .type = 5}, 0, FLAG_AA, 0, 1, 0,
        NO_EDE},

    /* ANY. */
    {"ANY at the apex is minimal", {.name = "t.example", .type = 255, EDNS0}, 0, FLAG_AA, 1, 0, 1,
        NO_EDE},
    {"ANY of a name is minimal", {.name = "four.t.example", .type = 255}, 0, FLAG_AA, 1, 0, 0,
        NO_EDE},
    {"ANY of an alias is the alias", {.name = "alias.t.example", .type = 255}, 0, FLAG_AA, 1, 0, 0,
        NO_EDE},
    {"ANY of an empty non-terminal is no data", {.name = "ent.t.example", .type = 255}, 0, FLAG_AA,
        0, 1, 0, NO_EDE},
    {"ANY of a missing name", {.name = "nope.t.example", .type = 255}, 3, FLAG_AA, 0, 1, 0, NO_EDE},

    /* The additional section. */
    {"SRV brings the addresses of its targets", {.name = "srv.t.example", .type = 33, EDNS0}, 0,
        FLAG_AA, 2, 0, 5, NO_EDE},
};

static void test_case(void **state)
{
    const struct answer_case *c = *state;
    struct message_query query = c->query;
    if (query.name == NULL) {
        query.name = strstr(c->name, "127") != NULL ? world_deepest : world_longest;
    }
    ask(&query);
    assert_int_equal(reply.rcode, c->rcode);
    assert_int_equal(reply.flags & 0x07F0u, c->flags);
    assert_int_equal(reply.n_rr[1], c->n_answer);
    assert_int_equal(reply.n_rr[2], c->n_authority);
    assert_int_equal(reply.n_rr[3], c->n_additional);
    assert_int_equal(reply.ede, c->ede);
    assert_int_equal(reply.n_question, 1);
    assert_int_equal(message_count(&reply, 2, 6), c->n_authority);
    assert_true(reply.bytes <= (query.has_edns ? 1232u : 512u));
    if (reply.has_opt) {
        assert_int_equal(reply.edns_version, 0);
        assert_int_equal(reply.edns_bytes, 1232);
        assert_int_equal(reply.edns_flags, query.edns_flags & EDNS_DO);
    }
}

/* --- details ------------------------------------------------------------------------------ */

static void assert_address(const struct message_rr *rr, const char *text)
{
    uint8_t want[4];
    assert_non_null(rr);
    assert_int_equal(inet_pton(AF_INET, text, want), 1);
    assert_memory_equal(reply.wire + rr->rdata_at, want, 4);
}

static void test_header_only_is_malformed(void **state)
{
    uint8_t wire[512] = "\x12\x34\1\0\0\0\0\0\0\0\0";
    struct sockaddr_in peer = {.sin_family = AF_INET};
    struct pin_client client = {
        .peer = (const struct sockaddr *)&peer, .listen_cluster_id = PIN_CLUSTER_NONE};
    struct pin_packet packet = {.wire = wire, .bytes = 12, .cap_bytes = sizeof(wire)};
    (void)state;
    assert_int_equal(pin_answer(&worker, &client, &packet), 12);
    assert_memory_equal(wire, "\x12\x34\x81\1\0\0\0\0\0\0\0\0", 12);
}

static void test_silence(void **state)
{
    struct message_query response = {.name = "t.example", .type = 6, .flags = FLAG_QR};
    (void)state;
    assert_false(ask_from("192.0.2.99", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE, &response));
    assert_false(ask_from("192.0.2.99", PIN_TRANSPORT_TCP, PIN_CLUSTER_NONE, &response));
}

static void test_negative_soa(void **state)
{
    char name[1024];
    (void)state;
    ask(&(struct message_query){.name = "nope.T.example", .type = 1});
    const struct message_rr *soa = message_find(&reply, 2, 6);
    assert_non_null(soa);
    assert_int_equal(soa->ttl_s, 5); /* min(60, MINIMUM 5) */
    assert_string_equal(message_name(&reply, soa->owner_at, name), "T.example.");

    ask(&(struct message_query){.name = "t.example", .type = 6});
    soa = message_find(&reply, 1, 6);
    assert_non_null(soa);
    assert_int_equal(soa->ttl_s, 60);
}

static void test_alias_chain(void **state)
{
    char name[1024];
    (void)state;
    ask(&(struct message_query){.name = "ALIAS.t.example", .type = 1});
    assert_string_equal(
        message_name(&reply, message_find(&reply, 1, 5)->owner_at, name), "ALIAS.t.example.");
    const struct message_rr *a = message_find(&reply, 1, 1);
    assert_string_equal(message_name(&reply, a->owner_at, name), "WWW.t.example.");
    assert_address(a, "10.200.0.1");

    ask(&(struct message_query){.name = "dangling.t.example", .type = 1});
    assert_string_equal(
        message_name(&reply, message_find(&reply, 2, 6)->owner_at, name), "t.example.");
}

static void test_owner_of_wildcard_answer(void **state)
{
    char name[1024];
    (void)state;
    ask(&(struct message_query){.name = "a.B.wild.t.example", .type = 16});
    assert_string_equal(
        message_name(&reply, message_find(&reply, 1, 16)->owner_at, name), "a.B.wild.t.example.");
}

static void test_any_is_hinfo(void **state)
{
    (void)state;
    ask(&(struct message_query){.name = "four.t.example", .type = 255});
    const struct message_rr *hinfo = message_find(&reply, 1, 13);
    assert_non_null(hinfo);
    assert_int_equal(hinfo->rdata_bytes, 9);
    assert_memory_equal(reply.wire + hinfo->rdata_at, "\7RFC8482\0", 9);
}

static void test_additional_owners(void **state)
{
    char name[1024];
    char target[1024];
    (void)state;
    ask(&(struct message_query){.name = "srv.t.example", .type = 33, EDNS0});
    for (size_t i = 0; i < 2; i++) {
        const struct message_rr *srv = &reply.records[i];
        const struct message_rr *a = &reply.records[2 + 2 * i];
        const struct message_rr *aaaa = &reply.records[3 + 2 * i];
        (void)message_name(&reply, srv->rdata_at + 6, target);
        assert_string_equal(message_name(&reply, a->owner_at, name), target);
        assert_string_equal(message_name(&reply, aaaa->owner_at, name), target);
        assert_int_equal(a->type, 1);
        assert_int_equal(aaaa->type, 28);
    }
}

/* Whatever the batch's size, and whatever stands beside a query, its answer is the one it gets
 * alone. */
static void test_batch_answers_as_single(void **state)
{
    static const size_t sizes[] = {0, 1, 15, 16, 17, 64};
    static uint8_t wires[64][1344];
    struct sockaddr_in peer = {.sin_family = AF_INET};
    struct pin_exchange exchanges[64];
    (void)state;
    for (size_t s = 0; s < N_ELEMS(sizes); s++) {
        for (size_t i = 0; i < sizes[s]; i++) {
            struct message_query query = cases[i * 5 % N_ELEMS(cases)].query;
            query.name = query.name != NULL ? query.name : world_longest;
            exchanges[i] = (struct pin_exchange){.client = {.peer = (const struct sockaddr *)&peer,
                                                     .listen_cluster_id = PIN_CLUSTER_NONE},
                .packet = {.wire = wires[i],
                    .bytes = i % 7 == 6 ? 5 : message_build(&query, wires[i]),
                    .cap_bytes = sizeof(wires[i])}};
        }
        pin_answer_batch(&worker, exchanges, sizes[s]);
        for (size_t i = 0; i < sizes[s]; i++) {
            struct message_query query = cases[i * 5 % N_ELEMS(cases)].query;
            query.name = query.name != NULL ? query.name : world_longest;
            if (i % 7 == 6) {
                assert_int_equal(exchanges[i].answer_bytes, 0);
                continue;
            }
            ask(&query);
            assert_int_equal(exchanges[i].answer_bytes, reply.bytes);
            if (query.type != 1 && query.type != 28 && query.type != 33) { /* nothing drawn */
                assert_memory_equal(wires[i], reply.wire, reply.bytes);
            }
        }
    }
}

/* --- views -------------------------------------------------------------------------------- */

static const struct message_query local = {.name = "local.t.example", .type = 1};

static void test_view_by_address(void **state)
{
    (void)state;
    assert_true(ask_from("10.0.3.4", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE, &local));
    assert_address(message_find(&reply, 1, 1), "10.0.0.1");
    assert_true(ask_from("10.1.3.4", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE, &local));
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.n_rr[1], 0);
    assert_int_equal(reply.n_rr[2], 1);
    assert_true(ask_from("10.2.3.4", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE, &local));
    assert_address(message_find(&reply, 1, 1), "10.9.0.1");
    assert_true(ask_from("192.0.2.1", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE, &local));
    assert_address(message_find(&reply, 1, 1), "10.9.0.1");
}

static void test_view_of_listener_goes_first(void **state)
{
    (void)state;
    assert_true(ask_from("10.1.3.4", PIN_TRANSPORT_UDP, 0, &local));
    assert_address(message_find(&reply, 1, 1), "10.0.0.1");
}

/* --- readiness and outages ---------------------------------------------------------------- */

static const struct message_query missing = {.name = "nope.svc.test", .type = 1, EDNS0};
static const struct message_query no_data = {.name = "x.svc.test", .type = 28, EDNS0};

static void test_not_ready(void **state)
{
    (void)state;
    world_set_scene(world, false, true, 0);
    ask(&missing);
    assert_int_equal(reply.rcode, 2);
    assert_int_equal(reply.ede, 14);
    assert_int_equal(reply.flags & FLAG_AA, 0);
    assert_int_equal(reply.n_records, 0);
    ask(&no_data);
    assert_int_equal(reply.rcode, 2);
    assert_int_equal(reply.ede, 14);
    ask(&(struct message_query){.name = "x.svc.test", .type = 1, EDNS0});
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.ede, NO_EDE);
    ask(&(struct message_query){.name = "nope.t.example", .type = 1, EDNS0});
    assert_int_equal(reply.rcode, 3); /* a zone that waits for no cluster */
    assert_int_equal(reply.ede, NO_EDE);
}

static void test_unseen_cluster(void **state)
{
    (void)state;
    world_set_scene(world, true, true, 0);
    ask(&missing);
    assert_int_equal(reply.rcode, 3);
    assert_int_equal(reply.ede, 14);
    assert_int_equal(reply.n_rr[2], 1);
    ask(&no_data);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.ede, NO_EDE);
    ask(&(struct message_query){.name = "nope.svc.test", .type = 1});
    assert_int_equal(reply.rcode, 3);
}

static void test_stale_answer(void **state)
{
    struct message_query query = {.name = "four.t.example", .type = 1, EDNS0};
    (void)state;
    world_set_scene(world, true, false, 1 << 1); /* a cluster whose data is in the answer */
    ask(&query);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.n_rr[1], 4);
    assert_int_equal(reply.ede, 3);
    assert_true(reply.ede_text_bytes > 0);
    world_set_scene(world, true, false, 1 << 2); /* one whose data is not */
    ask(&query);
    assert_int_equal(reply.ede, NO_EDE);
}

static void test_counters(void **state)
{
    struct pin_stats_sum before = {0};
    struct pin_stats_sum after = {0};
    (void)state;
    pin_stats_add_to(&worker.stats, &before);
    ask(&(struct message_query){.name = "www.t.example", .type = 1});
    ask(&(struct message_query){.name = "nope.t.example", .type = 4711});
    ask(&(struct message_query){.name = "big.t.example", .type = 16});
    (void)ask_from("192.0.2.99", PIN_TRANSPORT_UDP, PIN_CLUSTER_NONE,
        &(struct message_query){.name = "t.example", .type = 6, .flags = FLAG_QR});
    world_set_scene(world, true, false, 1);
    ask(&(struct message_query){.name = "four.t.example", .type = 28});
    pin_stats_add_to(&worker.stats, &after);
#define GREW(field) (after.field - before.field)
    assert_int_equal(GREW(queries[PIN_TRANSPORT_UDP][PIN_STAT_QTYPE_A][PIN_STAT_RCODE_NOERROR]), 1);
    assert_int_equal(
        GREW(queries[PIN_TRANSPORT_UDP][PIN_STAT_QTYPE_OTHER][PIN_STAT_RCODE_NXDOMAIN]), 1);
    assert_int_equal(
        GREW(queries[PIN_TRANSPORT_UDP][PIN_STAT_QTYPE_TXT][PIN_STAT_RCODE_NOERROR]), 1);
    assert_int_equal(GREW(n_dropped), 1);
    assert_int_equal(GREW(n_truncated), 1);
    assert_int_equal(GREW(n_stale), 1);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_header_only_is_malformed),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_negative_soa),
        cmocka_unit_test(test_alias_chain),
        cmocka_unit_test(test_owner_of_wildcard_answer),
        cmocka_unit_test(test_any_is_hinfo),
        cmocka_unit_test(test_additional_owners),
        cmocka_unit_test(test_batch_answers_as_single),
        cmocka_unit_test(test_view_by_address),
        cmocka_unit_test(test_view_of_listener_goes_first),
        cmocka_unit_test_setup_teardown(test_not_ready, NULL, fresh_scene),
        cmocka_unit_test_setup_teardown(test_unseen_cluster, NULL, fresh_scene),
        cmocka_unit_test_setup_teardown(test_stale_answer, NULL, fresh_scene),
        cmocka_unit_test_setup_teardown(test_counters, NULL, fresh_scene),
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(others)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    memcpy(tests + N_ELEMS(cases), others, sizeof(others));
    return cmocka_run_group_tests_name("answer", tests, set_up, tear_down);
}
