/* SPDX-License-Identifier: Apache-2.0 */

/* Upstreams that lie about lengths, counts and names: nothing is believed, and little work done. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "reply_rig.h"

#define WORK_MAX_MS 500 /* a hundred times what it takes, for sanitizers on a busy machine */

/* --- pointers ----------------------------------------------------------------------------- */

static void test_compression_loops(void **state)
{
    static const unsigned targets[] = {
        BODY_AT,     /* itself */
        BODY_AT + 2, /* forwards */
        0x3FFF,      /* past the end */
        11,          /* the header */
        0,
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(targets); i++) {
        begin(TYPE_A, 1, 0, 0);
        put_rr(targets[i], TYPE_A, "\12\0\0\1", 4);
        assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
        begin(TYPE_CNAME, 1, 0, 0);
        const uint8_t pointer[] = {(uint8_t)(0xC0 | targets[i] >> 8), (uint8_t)targets[i]};
        put_rr(12, TYPE_CNAME, pointer, sizeof(pointer));
        assert_int_equal(verdict() == PIN_REPLY_GOOD, i == 0 || i == 1);
    }
}

/* Labels that lead round in a circle through a pointer. */
static void test_compression_loop_through_labels(void **state)
{
    (void)state;
    begin(TYPE_CNAME, 1, 0, 0);
    const uint8_t circle[] = {1, 'a', 0xC0, BODY_AT + 12};
    put_rr(12, TYPE_CNAME, circle, sizeof(circle));
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
}

static void test_labels_of_other_kinds(void **state)
{
    (void)state;
    for (unsigned kind = 0x40; kind < 0xC0; kind += 0x20) {
        begin(TYPE_CNAME, 1, 0, 0);
        const uint8_t name[] = {(uint8_t)kind, 'a', 0};
        put_rr(12, TYPE_CNAME, name, sizeof(name));
        assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
    }
}

/* 255 octets are a name, 256 are none: three labels of 63, one more, and "com" by a pointer, which
 * takes 192 + 1 + 5 and the label. */
static void test_names_are_counted_after_expansion(void **state)
{
    (void)state;
    for (size_t last = 1; last <= 63; last++) {
        uint8_t name[PIN_NAME_MAX_BYTES + 8];
        size_t at = 0;
        for (size_t i = 0; i < 4; i++) {
            size_t bytes = i < 3 ? 63 : last;
            name[at] = (uint8_t)bytes;
            memset(name + at + 1, 'x', bytes);
            at += bytes + 1;
        }
        name[at++] = 0xC0;
        name[at++] = COM_AT;
        begin(TYPE_CNAME, 1, 0, 0);
        put_rr(12, TYPE_CNAME, name, at);
        assert_int_equal(verdict(), last + 198 <= 255 ? PIN_REPLY_GOOD : PIN_REPLY_MALFORMED);
    }
}

static void test_at_most_127_labels(void **state)
{
    (void)state;
    for (size_t n = 127; n <= 128; n++) {
        uint8_t name[257] = {0};
        for (size_t i = 0; i < n; i++) {
            name[2 * i] = 1;
            name[2 * i + 1] = 'x';
        }
        begin(TYPE_CNAME, 1, 0, 0);
        put_rr(12, TYPE_CNAME, name, 2 * n + 1);
        assert_int_equal(verdict(), n == 127 ? PIN_REPLY_GOOD : PIN_REPLY_MALFORMED);
    }
}

static int64_t spent_ms(enum pin_reply_verdict *ret_verdict)
{
    int64_t start_ns = pin_clock_thread_cpu_ns();
    *ret_verdict = verdict();
    return (pin_clock_thread_cpu_ns() - start_ns) / 1000000;
}

/* 4,000 names of 127 labels each, all through pointers: 56 KB that mean a megabyte. */
static void test_compression_bombs(void **state)
{
    enum pin_reply_verdict got;
    uint8_t name[256];
    (void)state;
    for (size_t i = 0; i < 126; i++) {
        memcpy(name + 2 * i, "\1x", 2);
    }
    name[252] = 0;
    begin(TYPE_NS, 4000, 0, 0);
    put_rr(12, TYPE_NS, name, 253);
    for (unsigned i = 1; i < 4000; i++) {
        const uint8_t rdata[] = {1, (uint8_t)('0' + i % 64), 0xC0, BODY_AT + 12};
        put_rr(12, TYPE_NS, rdata, sizeof(rdata));
    }
    assert_true(spent_ms(&got) < WORK_MAX_MS);
    assert_int_equal(got, PIN_REPLY_GOOD);
    assert_int_equal(reply->n_rr[0], 50); /* the others come twice, in one case or the other */
}

/* Names that differ everywhere: looking for what can be shared ends before it costs too much. */
static void test_compression_bombs_of_new_names(void **state)
{
    enum pin_reply_verdict got;
    (void)state;
    begin(TYPE_NS, 230, 0, 0);
    for (unsigned i = 0; i < 230; i++) {
        uint8_t name[256];
        for (size_t k = 0; k < 126; k++) {
            name[2 * k] = 1;
            name[2 * k + 1] = (uint8_t)(i + k);
        }
        name[252] = 0;
        put_rr(12, TYPE_NS, name, 253);
    }
    assert_true(spent_ms(&got) < WORK_MAX_MS);
    assert_int_equal(got, PIN_REPLY_GOOD);
    assert_int_equal(reply->n_rr[0], 230);
}

/* Each pointer leads to the one before: 4,000 names of up to 4,000 hops. */
static void test_compression_bombs_of_hops(void **state)
{
    enum pin_reply_verdict got;
    unsigned target = 12;
    (void)state;
    begin(TYPE_NS, 1300, 0, 0);
    for (unsigned i = 0; i < 1300; i++) {
        unsigned at = (unsigned)used;
        const uint8_t rdata[] = {(uint8_t)(0xC0 | target >> 8), (uint8_t)target};
        put_rr(12, TYPE_NS, rdata, sizeof(rdata));
        target = at + 12;
    }
    assert_true(spent_ms(&got) < WORK_MAX_MS);
    assert_int_equal(got, PIN_REPLY_MALFORMED);
}

/* --- counts ------------------------------------------------------------------------------- */

static void test_record_count_lies(void **state)
{
    (void)state;
    begin(TYPE_A, 65535, 65535, 65535);
    put_a(1);
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
    begin(TYPE_A, 2, 0, 0);
    put_a(1);
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
    begin(TYPE_A, 0, 0, 0);
    put_a(1);
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
    begin(TYPE_A, 1, 0, 0);
    put_a(1);
    put("x", 1);
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
}

static void test_every_cut(void **state)
{
    (void)state;
    begin(TYPE_A, 2, 0, 0);
    put_a(1);
    put_a(2);
    size_t whole_bytes = used;
    for (used = 0; used < whole_bytes; used++) {
        assert_int_equal(verdict(), used < BODY_AT ? PIN_REPLY_MISMATCH : PIN_REPLY_MALFORMED);
    }
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
}

static void test_big_rrset(void **state)
{
    (void)state;
    begin(TYPE_A, 3900, 0, 0);
    for (uint32_t i = 0; i < 3900; i++) {
        put_a(i);
    }
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->n_rr[0], 3900);
    assert_int_equal(reply->body_bytes, 3900 * 16);
}

static void test_too_many_records(void **state)
{
    (void)state;
    begin(99, 4097, 0, 0);
    for (uint32_t i = 0; i < 4097; i++) {
        put_rr(12, 999, "", 0);
    }
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
}

/* --- chains ------------------------------------------------------------------------------- */

static enum pin_reply_verdict chain_of(unsigned n)
{
    static char lines[8192];
    size_t at = (size_t)snprintf(lines, sizeof(lines), "q www.example.com A");
    for (unsigned i = 0; i < n; i++) {
        at += (size_t)snprintf(
            lines + at, sizeof(lines) - at, i == 0 ? "\nan www.example.com" : "\nan n%u.test", i);
        at += (size_t)snprintf(lines + at, sizeof(lines) - at, " 60 CNAME n%u.test", i + 1);
    }
    (void)snprintf(lines + at, sizeof(lines) - at, "\nan n%u.test 60 A 192.0.2.1", n);
    begin(TYPE_A, 0, 0, 0);
    used = upstream_build(lines, wire);
    return verdict();
}

static void test_long_chains(void **state)
{
    (void)state;
    assert_int_equal(chain_of(16), PIN_REPLY_GOOD);
    assert_int_equal(reply->n_rr[0], 17);
    assert_int_equal(chain_of(17), PIN_REPLY_FAILED);
    assert_int_equal(chain_of(100), PIN_REPLY_FAILED);
}

static bool is_of_a(void *arg, const uint8_t *name, size_t name_bytes)
{
    const char *end = arg;
    return name_bytes > 6 && memcmp(name + name_bytes - 6, end, 6) == 0;
}

/* What one zone's upstream says about another zone's names is not believed. */
static void test_chain_into_another_zone(void **state)
{
    char end[] = "\4test";
    (void)state;
    begin(TYPE_A, 0, 0, 0);
    asked.believes = is_of_a;
    asked.believes_arg = end;
    used = upstream_build("q www.example.com A\nan www.example.com 60 CNAME a.test\n"
                          "an a.test 50 CNAME www.BANK.example\n"
                          "an www.bank.example 600 A 192.0.2.66",
        wire);
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_true(reply->is_cut);
    assert_int_equal(reply->kind, PIN_BODY_ANSWER);
    assert_int_equal(reply->ttl_s, 50);
    assert_string_equal(
        body(), "an www.example.com. 60 CNAME a.test.\nan a.test. 50 CNAME www.BANK.example.\n");

    used = upstream_build("flags 8183\nq www.example.com A\n"
                          "an www.example.com 60 CNAME www.bank.example\nau . 60 SOA 60",
        wire);
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->rcode, 0);
    assert_string_equal(body(), "an www.example.com. 60 CNAME www.bank.example.\n");
}

/* --- EDNS --------------------------------------------------------------------------------- */

static enum pin_reply_verdict read_text(const char *lines)
{
    begin(TYPE_A, 0, 0, 0);
    asked.has_edns = true;
    used = upstream_build(lines, wire);
    return verdict();
}

static void test_extended_errors(void **state)
{
    (void)state;
    assert_int_equal(read_text("q www.example.com A\nan www.example.com 60 A 192.0.2.1\n"
                               "opt 0 10 0102030405060708 15 00126F6821 15 0003"),
        PIN_REPLY_GOOD);
    assert_int_equal(reply->ede, 18);
    assert_int_equal(read_text("flags 8182\nq www.example.com A\nopt 0 15 0016"), PIN_REPLY_FAILED);
    assert_int_equal(reply->ede, 22);
    assert_int_equal(reply->rcode, 2);
    assert_int_equal(read_text("q www.example.com A\nopt 0"), PIN_REPLY_GOOD);
    assert_int_equal(reply->ede, PIN_EDE_NONE);
}

static void test_opts_that_cannot_be(void **state)
{
    (void)state;
    assert_int_equal(read_text("q www.example.com A\nopt 0\nopt 0"), PIN_REPLY_MALFORMED);
    assert_int_equal(read_text("q www.example.com A\nopt 0 15 00"), PIN_REPLY_MALFORMED);
    assert_int_equal(
        read_text("q www.example.com A\nar x.test 60 TYPE41 000A0000"), PIN_REPLY_MALFORMED);
    assert_int_equal(
        read_text("q www.example.com A\nan . 60 TYPE41 000A0000"), PIN_REPLY_MALFORMED);
    assert_int_equal(read_text("q www.example.com A\nar . 60 TYPE41 000F0001"), /* no such option */
        PIN_REPLY_MALFORMED);
}

/* BADVERS needs the upper bits of the rcode. */
static void test_extended_rcode(void **state)
{
    (void)state;
    begin(TYPE_A, 0, 0, 1);
    asked.has_edns = true;
    put("\0\0\51\4\320\1\0\0\0\0\0", 11);
    assert_int_equal(verdict(), PIN_REPLY_NO_EDNS);
    assert_int_equal(reply->rcode, 16);
    asked.has_edns = false;
    assert_int_equal(verdict(), PIN_REPLY_FAILED);
}

static void test_a_bare_header_refuses_edns_alone(void **state)
{
    (void)state;
    begin(TYPE_A, 0, 0, 0);
    used = 12;
    wire[3] = 0x81;
    wire[5] = 0;
    asked.has_edns = true;
    assert_int_equal(verdict(), PIN_REPLY_NO_EDNS);
    assert_false(reply->has_question);
    asked.has_edns = false;
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
    asked.has_edns = true;
    wire[3] = 0x82;
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
    wire[3] = 0x84; /* NOTIMP */
    assert_int_equal(verdict(), PIN_REPLY_NO_EDNS);
    wire[5] = 1; /* a question that is not there */
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
    wire[5] = 0;
    used = 13;
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
    used = 11;
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
}

/* --- small things ------------------------------------------------------------------------- */

static void test_case_of_the_question(void **state)
{
    (void)state;
    begin(TYPE_A, 1, 0, 0);
    put_a(1);
    wire[13] = 'W';
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
    asked.is_any_case = true;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    wire[13] = 'v';
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
}

static void test_flags(void **state)
{
    (void)state;
    begin(TYPE_A, 1, 0, 0);
    put_a(1);
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_true(reply->is_recursive);
    assert_false(reply->is_authentic);
    wire[3] = 0x20;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_false(reply->is_recursive);
    assert_true(reply->is_authentic);
}

static void test_ttl_limits(void **state)
{
    (void)state;
    begin(TYPE_A, 1, 0, 0);
    put_a(1);
    asked.ttl_min_s = 90;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->ttl_s, 90);
    asked.ttl_max_s = 50;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->ttl_s, 50);
    wire[BODY_AT + 9] = 0;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_int_equal(reply->ttl_s, 0);
}

static void test_another_class_is_stepped_over(void **state)
{
    (void)state;
    begin(TYPE_A, 2, 0, 0);
    put_a(1);
    put_a(2);
    wire[BODY_AT + 5] = 3;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_string_equal(body(), "an www.example.com. 60 A 10.0.0.2\n");
}

/* In class CH an A record is no address (RFC 1035, section 3.4), but a CNAME is a CNAME. */
static void test_rdata_of_another_class(void **state)
{
    (void)state;
    begin(TYPE_A, 1, 0, 0);
    put_rr(12, TYPE_A, "\2ch\0\1\2", 6);
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
    asked.qclass = 3;
    wire[BODY_AT - 1] = 3;
    wire[BODY_AT + 5] = 3;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    wire[BODY_AT + 3] = TYPE_CNAME;
    assert_int_equal(verdict(), PIN_REPLY_MALFORMED);
    wire[BODY_AT + 3] = 28; /* AAAA and WKS */
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    wire[BODY_AT + 3] = 11;
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    asked.qclass = 1; /* the question is of another class */
    assert_int_equal(verdict(), PIN_REPLY_MISMATCH);
}

/* Names come out compressed, also where the upstream's pointed to what is dropped. */
static void test_names_are_compressed_anew(void **state)
{
    (void)state;
    begin(15, 3, 0, 0);
    put_rr(16, 15, "\0\1\2mx\4test", 11); /* of example.com: dropped */
    const uint8_t mx[] = {0, 1, 1, 'a', 0xC0, BODY_AT + 14};
    put_rr(12, 15, mx, sizeof(mx));
    const uint8_t second[] = {0, 2, 1, 'b', 0xC0, BODY_AT + 17};
    put_rr(12, 15, second, sizeof(second));
    assert_int_equal(verdict(), PIN_REPLY_GOOD);
    assert_string_equal(
        body(), "an www.example.com. 60 MX 1 a.mx.test.\nan www.example.com. 60 MX 2 b.test.\n");
    assert_int_equal(reply->body_bytes, 12 + 2 + 11 + 12 + 2 + 4);
}

/* Names that are written whole make a body longer than the message was: there is an end to it. */
static void test_answers_that_fill_a_message(void **state)
{
    uint8_t name[PIN_NAME_MAX_BYTES] = {0};
    (void)state;
    for (size_t i = 0; i < 252; i += 64) {
        name[i] = i == 192 ? 59 : 63;
    }
    for (unsigned n = 100; n <= 400; n += 300) {
        begin(33, n, 0, 0);
        const uint8_t first[6] = {0};
        uint8_t rdata[6 + PIN_NAME_MAX_BYTES];
        memcpy(rdata, first, sizeof(first));
        memcpy(rdata + 6, name, 253);
        put_rr(12, 33, rdata, 6 + 253);
        for (unsigned i = 1; i < n; i++) {
            const uint8_t next[] = {0, 0, (uint8_t)(i >> 8), (uint8_t)i, 0, 0, 0xC0, BODY_AT + 18};
            put_rr(12, 33, next, sizeof(next));
        }
        assert_int_equal(verdict(), n == 100 ? PIN_REPLY_GOOD : PIN_REPLY_FAILED);
        assert_true(n != 100 || reply->body_bytes == 100 * (12 + 6 + 253));
    }
}

/* Each type's RDATA as it must be, and how many bytes of it are enough. */
static const struct rdata_case {
    uint16_t type;
    uint8_t bytes;
    uint8_t enough_bytes;
    const char *rdata;
} rdatas[] = {
    {1, 4, 4, "\1\2\3\4"},
    {2, 3, 3, "\1a\0"},
    {6, 24, 24, "\1a\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"},
    {11, 7, 5, "\1\2\3\4\6\1\1"},
    {12, 3, 3, "\1a\0"},
    {13, 4, 4, "\1a\1b"},
    {14, 4, 4, "\1a\0\0"},
    {15, 5, 5, "\0\1\1a\0"},
    {16, 2, 2, "\1a"},
    {17, 4, 4, "\1a\0\0"},
    {18, 5, 5, "\0\1\1a\0"},
    {26, 4, 4, "\0\1\0\0"},
    {28, 16, 16, "0123456789abcdef"},
    {29, 3, 0, "loc"},
    {33, 9, 9, "\0\1\0\2\0\3\1a\0"},
    {35, 10, 10, "\0\1\0\2\1s\1x\0\0"},
    {43, 6, 4, "\0\1\2\3xx"},
    {46, 22, 21, "\0\1\15\2\0\0\0\1\0\0\0\1\0\0\0\1\0\1\1a\0s"},
    {48, 5, 4, "\1\1\3\15k"},
    {50, 9, 7, "\1\0\0\1\1s\0bb"},
    {51, 6, 6, "\1\0\0\1\1s"},
    {52, 4, 3, "\3\1\1h"},
    {256, 5, 4, "\0\1\0\1t"},
    {257, 5, 3, "\0\1tvv"},
    {999, 3, 0, "any"},
};

static void check_rdata(const struct rdata_case *c, size_t bytes)
{
    begin(c->type, 1, 0, 0);
    put_rr(12, c->type, c->rdata, bytes);
    bool is_good = verdict() == PIN_REPLY_GOOD;
    if (is_good != (bytes >= c->enough_bytes)) {
        fail_msg("type %u with %zu bytes: %d", c->type, bytes, (int)verdict());
    }
}

static void test_rdlength_lies_by_type(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(rdatas); i++) {
        for (size_t bytes = 0; bytes <= rdatas[i].bytes; bytes++) {
            check_rdata(&rdatas[i], bytes);
        }
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compression_loops),
        cmocka_unit_test(test_compression_loop_through_labels),
        cmocka_unit_test(test_labels_of_other_kinds),
        cmocka_unit_test(test_names_are_counted_after_expansion),
        cmocka_unit_test(test_at_most_127_labels),
        cmocka_unit_test(test_compression_bombs),
        cmocka_unit_test(test_compression_bombs_of_new_names),
        cmocka_unit_test(test_compression_bombs_of_hops),
        cmocka_unit_test(test_record_count_lies),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_big_rrset),
        cmocka_unit_test(test_too_many_records),
        cmocka_unit_test(test_long_chains),
        cmocka_unit_test(test_chain_into_another_zone),
        cmocka_unit_test(test_extended_errors),
        cmocka_unit_test(test_opts_that_cannot_be),
        cmocka_unit_test(test_extended_rcode),
        cmocka_unit_test(test_a_bare_header_refuses_edns_alone),
        cmocka_unit_test(test_case_of_the_question),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_ttl_limits),
        cmocka_unit_test(test_another_class_is_stepped_over),
        cmocka_unit_test(test_rdata_of_another_class),
        cmocka_unit_test(test_names_are_compressed_anew),
        cmocka_unit_test(test_answers_that_fill_a_message),
        cmocka_unit_test(test_rdlength_lies_by_type),
    };
    return cmocka_run_group_tests_name("reply_hostile", tests, set_up, tear_down);
}
