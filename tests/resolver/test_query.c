/* SPDX-License-Identifier: Apache-2.0 */

/* A message is a query, a malformed query, or noise; what it asks is read once. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/query.h"

/* Pieces of messages, as string literals; W gives a row its bytes without the literal's NUL. */
#define W(literal)            literal, sizeof(literal) - 1
#define ID                    "\x12\x34"
#define QUERY                 ID "\x01\x00"
#define ONE                   "\0\1"
#define NONE                  "\0\0"
#define PLAIN                 QUERY ONE NONE NONE NONE
#define WITH_OPT              QUERY ONE NONE NONE ONE
#define WWW                   "\3www\1t\0"
#define A_IN                  "\0\1\0\1"
#define OPT(size, ttl, rdlen) "\0\0\x29" size ttl rdlen
#define TSIG                  "\3key\0\0\xfa\0\xff\0\0\0\0\0\0"
#define OPT_PLAIN             OPT("\x04\xd0", "\0\0\0\0", "\0\0")
#define L63                   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L62                   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij"
#define L61                   "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi"
#define COOKIE8               "\1\2\3\4\5\6\7\x08"

static struct verdict_case {
    const char *name;
    const char *wire;
    size_t bytes;
    enum pin_query_verdict want;
} verdicts[] = {
    {"an empty message is noise", W(""), PIN_QUERY_DROP},
    {"eleven bytes are noise", W(ID "\1\0" ONE NONE NONE "\0"), PIN_QUERY_DROP},
    {"a response is noise", W(ID "\x81\x00" ONE NONE NONE NONE WWW A_IN), PIN_QUERY_DROP},
    {"a response bit alone is noise", W(ID "\x80\x00" NONE NONE NONE NONE), PIN_QUERY_DROP},
    {"a PROXY header that nobody was told of is noise",
        W("\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c\xc0\0\2\1\xc0\0\2\2\0\1\0\x35" PLAIN WWW A_IN),
        PIN_QUERY_DROP},
    {"a header alone asks nothing", W(QUERY NONE NONE NONE NONE), PIN_QUERY_FORMERR},
    {"a plain question is fine", W(PLAIN WWW A_IN), PIN_QUERY_OK},
    {"the root is a name", W(PLAIN "\0" A_IN), PIN_QUERY_OK},
    {"two questions are one too many", W(QUERY "\0\2" NONE NONE NONE WWW A_IN WWW A_IN),
        PIN_QUERY_FORMERR},
    {"65535 questions that are not there", W(QUERY "\xff\xff" NONE NONE NONE WWW A_IN),
        PIN_QUERY_FORMERR},
    {"a question without its class", W(PLAIN WWW "\0\1"), PIN_QUERY_FORMERR},
    {"a question without its type", W(PLAIN WWW), PIN_QUERY_FORMERR},
    {"a name without its root label", W(PLAIN "\3www"), PIN_QUERY_FORMERR},
    {"a label past the end", W(PLAIN "\x3fwww"), PIN_QUERY_FORMERR},
    {"a pointer in the question to itself", W(PLAIN "\xc0\x0c" A_IN), PIN_QUERY_FORMERR},
    {"a pointer in the question forward", W(PLAIN "\xc0\x12" A_IN WWW), PIN_QUERY_FORMERR},
    {"a pointer in the question into the header", W(PLAIN "\3www\xc0\x00" A_IN), PIN_QUERY_FORMERR},
    {"label type 0x40",
        W(PLAIN "\x41"
                "a\0" A_IN),
        PIN_QUERY_FORMERR},
    {"label type 0x80",
        W(PLAIN "\x81"
                "a\0" A_IN),
        PIN_QUERY_FORMERR},
    {"a name of 255 octets is fine", W(PLAIN "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3d" L61 "\0" A_IN),
        PIN_QUERY_OK},
    {"a name of 256 octets is not", W(PLAIN "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3e" L62 "\0" A_IN),
        PIN_QUERY_FORMERR},
    {"a byte behind the question", W(PLAIN WWW A_IN "x"), PIN_QUERY_FORMERR},
    {"answers that are not there", W(QUERY ONE "\xff\xff" NONE NONE WWW A_IN), PIN_QUERY_FORMERR},
    {"additional records that are not there", W(QUERY ONE NONE NONE "\xff\xff" WWW A_IN),
        PIN_QUERY_FORMERR},
    {"an OPT is fine", W(WITH_OPT WWW A_IN OPT_PLAIN), PIN_QUERY_OK},
    {"two OPTs are not", W(QUERY ONE NONE NONE "\0\2" WWW A_IN OPT_PLAIN OPT_PLAIN),
        PIN_QUERY_FORMERR},
    {"an OPT with an owner", W(WITH_OPT WWW A_IN "\1a" OPT_PLAIN), PIN_QUERY_FORMERR},
    {"an OPT with a pointer to a root as owner",
        W(WITH_OPT WWW A_IN "\xc0\x12"
                            "\0\x29\x04\xd0\0\0\0\0\0\0"),
        PIN_QUERY_FORMERR},
    {"an OPT in the answer section", W(QUERY ONE ONE NONE NONE WWW A_IN OPT_PLAIN),
        PIN_QUERY_FORMERR},
    {"an OPT in the authority section", W(QUERY ONE NONE ONE NONE WWW A_IN OPT_PLAIN),
        PIN_QUERY_FORMERR},
    {"an OPT cut in its fixed part", W(WITH_OPT WWW A_IN "\0\0\x29\x04\xd0\0\0\0\0\0"),
        PIN_QUERY_FORMERR},
    {"an OPT whose RDATA is past the end",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\5") "\0\3\0\0"), PIN_QUERY_FORMERR},
    {"an option past the end of its OPT",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\4") "\0\3\0\1"), PIN_QUERY_FORMERR},
    {"an option cut in its length",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\3") "\0\3\0"), PIN_QUERY_FORMERR},
    {"an unknown option is skipped",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\6") "\0\x64\0\2xy"), PIN_QUERY_OK},
    {"a client cookie",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\x0c") "\0\x0a\0\x08" COOKIE8),
        PIN_QUERY_OK},
    {"an empty cookie", W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\4") "\0\x0a\0\0"),
        PIN_QUERY_FORMERR},
    {"a cookie of 7 bytes",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\x0b") "\0\x0a\0\7"
                                                                  "1234567"),
        PIN_QUERY_FORMERR},
    {"a cookie of 12 bytes",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\x10") "\0\x0a\0\x0c" COOKIE8 "1234"),
        PIN_QUERY_FORMERR},
    {"a cookie of 16 bytes",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\x14") "\0\x0a\0\x10" COOKIE8 COOKIE8),
        PIN_QUERY_OK},
    {"a cookie of 41 bytes",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0",
            "\0\x2d") "\0\x0a\0\x29" COOKIE8 COOKIE8 COOKIE8 COOKIE8 COOKIE8 "x"),
        PIN_QUERY_FORMERR},
    {"options of an unknown version are not judged",
        W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\1\0\0", "\0\4") "\0\x0a\0\0"), PIN_QUERY_OK},
    {"another record in front of the OPT",
        W(QUERY ONE NONE NONE "\0\2" WWW A_IN "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4" OPT_PLAIN),
        PIN_QUERY_OK},
    {"a TSIG at the end", W(WITH_OPT WWW A_IN TSIG), PIN_QUERY_OK},
    {"an OPT, then a TSIG", W(QUERY ONE NONE NONE "\0\2" WWW A_IN OPT_PLAIN TSIG), PIN_QUERY_OK},
    {"an OPT behind a TSIG", W(QUERY ONE NONE NONE "\0\2" WWW A_IN TSIG OPT_PLAIN),
        PIN_QUERY_FORMERR},
    {"two TSIGs", W(QUERY ONE NONE NONE "\0\2" WWW A_IN TSIG TSIG), PIN_QUERY_FORMERR},
    {"a TSIG in the answer section", W(QUERY ONE ONE NONE NONE WWW A_IN TSIG), PIN_QUERY_FORMERR},
    {"an answer record is stepped over",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\xc0\x0c\0\1\0\1\0\0\0\0\0\4\1\2\3\4"), PIN_QUERY_OK},
    {"a record whose RDATA is past the end",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\xc0\x0c\0\1\0\1\0\0\0\0\0\5\1\2\3\4"),
        PIN_QUERY_FORMERR},
    {"a record owner that points to itself",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\xc0\x17\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
        PIN_QUERY_FORMERR},
    {"a record owner that points forward",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\xc0\x20\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
        PIN_QUERY_FORMERR},
    {"a record owner that points into the header",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\xc0\x04\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
        PIN_QUERY_FORMERR},
    {"a record owner of label type 0x80",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\x81\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
        PIN_QUERY_FORMERR},
    {"a record owner that is cut", W(QUERY ONE ONE NONE NONE WWW A_IN "\3ww"), PIN_QUERY_FORMERR},
    {"a record owner that points with half a pointer", W(QUERY ONE ONE NONE NONE WWW A_IN "\xc0"),
        PIN_QUERY_FORMERR},
    {"a record owner of more than 255 octets",
        W(QUERY ONE ONE NONE NONE WWW A_IN "\x3f" L63 "\x3f" L63 "\x3f" L63 "\x3e" L62
                                           "\0\0\1\0\1\0\0\0\0\0\4\1\2\3\4"),
        PIN_QUERY_FORMERR},
    {"a NUL, a dot and 0xFF inside a label are only bytes", W(PLAIN "\3\0.\xff\0" A_IN),
        PIN_QUERY_OK},
};

/* Parses from a block of exactly the message's size, so that ASan sees a read past its end. */
static enum pin_query_verdict parse(const char *wire, size_t bytes, struct pin_query *ret_query)
{
    uint8_t *copy = malloc(bytes > 0 ? bytes : 1);
    assert_non_null(copy);
    memcpy(copy, wire, bytes);
    enum pin_query_verdict verdict = pin_query_parse(copy, bytes, ret_query);
    free(copy);
    return verdict;
}

static void test_verdict(void **state)
{
    const struct verdict_case *c = *state;
    struct pin_query query;
    assert_int_equal(parse(c->wire, c->bytes, &query), c->want);
}

/* A message that is fine must be malformed or noise wherever it is cut. */
static void test_every_cut(void **state)
{
    static const char whole[] = WITH_OPT WWW A_IN OPT(
        "\x04\xd0", "\0\0\x80\0", "\0\x14") "\0\x0a\0\x08" COOKIE8 "\0\x03\0\x00\xff\xee\0\0";
    struct pin_query query;
    (void)state;
    for (size_t bytes = 0; bytes < sizeof(whole) - 1; bytes++) {
        assert_int_not_equal(parse(whole, bytes, &query), PIN_QUERY_OK);
    }
    assert_int_equal(parse(whole, sizeof(whole) - 1, &query), PIN_QUERY_OK);
}

static void test_fields(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(parse(W(PLAIN "\3wWw\1T\0"
                                   "\0\x1c\0\3"),
                         &query),
        PIN_QUERY_OK);
    assert_int_equal(query.qtype, 28);
    assert_int_equal(query.qclass, 3);
    assert_int_equal(query.opcode, 0);
    assert_int_equal(query.qname_bytes, 7);
    assert_memory_equal(query.qname, "\3www\1t\0", 7);
    assert_int_equal(query.question_end, 12 + 7 + 4);
    assert_true(query.has_question);
    assert_false(query.has_edns);
    assert_false(query.has_tsig);
    assert_false(query.is_do);
}

static void test_edns_fields(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(parse(W(WITH_OPT WWW A_IN OPT("\x10\x00", "\xab\5\x80\x40", "\0\0")), &query),
        PIN_QUERY_OK);
    assert_true(query.has_edns);
    assert_true(query.is_do);
    assert_int_equal(query.edns_bytes, 4096);
    assert_int_equal(query.edns_version, 5);
}

static void test_opcode_is_read_before_the_question(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(parse(W(ID "\x7f\xff" NONE NONE NONE NONE), &query), PIN_QUERY_FORMERR);
    assert_int_equal(query.opcode, 15);
    assert_false(query.has_question);
    assert_int_equal(query.question_end, 12);
}

static void test_tsig_is_noticed(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(parse(W(WITH_OPT WWW A_IN TSIG), &query), PIN_QUERY_OK);
    assert_true(query.has_tsig);
    assert_int_equal(query.tsig_at, 12 + 7 + 4);
    assert_int_equal(query.message_bytes, 12 + 7 + 4 + 15);
}

/* ECS options: family, source and scope length, address. */
static struct ecs_case {
    const char *name;
    const char *option;
    size_t bytes;
    bool is_kept;
} ecs_cases[] = {
    {"an IPv4 subnet", W("\0\1\x18\0\xc0\0\2"), true},
    {"a whole IPv4 address", W("\0\1\x20\0\xc0\0\2\1"), true},
    {"no bits at all", W("\0\1\0\0"), true},
    {"an IPv6 subnet", W("\0\2\x14\0\x20\1\x10"), true},
    {"too short for its head", W("\0\1\0"), false},
    {"no family, no bits", W("\0\0\0\0"), true},
    {"bits of no family", W("\0\0\x08\0\1"), false},
    {"family 3", W("\0\3\x08\0\1"), false},
    {"33 bits of IPv4", W("\0\1\x21\0\1\2\3\4\x80"), false},
    {"129 bits of IPv6",
        W("\0\2\x81\0"
          "1234567890123456"
          "\x80"),
        false},
    {"an address shorter than its bits", W("\0\1\x18\0\xc0\0"), false},
    {"an address longer than its bits", W("\0\1\x18\0\xc0\0\2\1"), false},
    {"a bit set behind the last one", W("\0\1\x17\0\xc0\0\3"), false},
    {"a scope in a query", W("\0\1\x18\x18\xc0\0\2"), false},
};

static void test_ecs(void **state)
{
    const struct ecs_case *c = *state;
    uint8_t wire[128] = WITH_OPT WWW A_IN;
    size_t at = sizeof(WITH_OPT WWW A_IN) - 1;
    const uint8_t opt[] = {0, 0, 41, 4, 0xd0, 0, 0, 0, 0, 0, (uint8_t)(c->bytes + 4), 0,
        PIN_OPTION_ECS, 0, (uint8_t)c->bytes};
    struct pin_query query;
    memcpy(wire + at, opt, sizeof(opt));
    at += sizeof(opt);
    memcpy(wire + at, c->option, c->bytes);
    assert_int_equal(parse((const char *)wire, at + c->bytes, &query), PIN_QUERY_OK);
    assert_int_equal(query.ecs.bytes, c->is_kept ? c->bytes : 0);
    assert_int_equal(query.ecs.at, c->is_kept ? at : 0);
    assert_int_equal(query.options, c->is_kept ? PIN_SAID_ECS : PIN_SAID_BAD_ECS);
}

static void test_first_option_of_a_kind_counts(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(parse(W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0",
                               "\0\x1a") "\xff\xee\0\3one\xff\xee\0\3two\0\x0a\0\x08" COOKIE8),
                         &query),
        PIN_QUERY_OK);
    assert_int_equal(query.client_namespace.bytes, 3);
    assert_int_equal(query.client_namespace.at, sizeof(WITH_OPT WWW A_IN OPT_PLAIN) - 1 + 4);
    assert_int_equal(query.cookie_bytes, 8);
    assert_memory_equal(query.cookie, COOKIE8, 8);
}

static void test_second_subnet_and_long_namespace(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(
        parse(W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0",
                  "\0\x16") "\0\x08\0\7\0\1\x18\0\xc0\0\2\0\x08\0\7\0\1\x18\0\xc0\0\3"),
            &query),
        PIN_QUERY_OK);
    assert_int_equal(query.ecs_copy[6], 2);
    assert_int_equal(
        parse(W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0", "\0\x44") "\xff\xee"
                                                                        "\0\x40" L63 "x"),
            &query),
        PIN_QUERY_OK);
    assert_int_equal(query.client_namespace.bytes, 0);
}

static void test_no_message_is_that_long(void **state)
{
    struct pin_query query;
    static uint8_t wire[UINT16_MAX + 1] = PLAIN WWW A_IN;
    (void)state;
    assert_int_equal(pin_query_parse(wire, sizeof(wire), &query), PIN_QUERY_DROP);
    assert_int_equal(pin_query_parse(wire, sizeof(wire) - 1, &query), PIN_QUERY_FORMERR);
}

static void test_options_are_noted(void **state)
{
    struct pin_query query;
    (void)state;
    assert_int_equal(parse(W(WITH_OPT WWW A_IN OPT("\x04\xd0", "\0\0\0\0",
                               "\0\x10") "\0\3\0\0\0\x09\0\0\0\x0b\0\0\0\x0c\0\0"),
                         &query),
        PIN_QUERY_OK);
    assert_int_equal(
        query.options, PIN_SAID_NSID | PIN_SAID_EXPIRE | PIN_SAID_KEEPALIVE | PIN_SAID_PADDING);
    assert_int_equal(query.cookie_bytes, 0);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_fields),
        cmocka_unit_test(test_edns_fields),
        cmocka_unit_test(test_opcode_is_read_before_the_question),
        cmocka_unit_test(test_tsig_is_noticed),
        cmocka_unit_test(test_first_option_of_a_kind_counts),
        cmocka_unit_test(test_second_subnet_and_long_namespace),
        cmocka_unit_test(test_no_message_is_that_long),
        cmocka_unit_test(test_options_are_noted),
    };
    struct CMUnitTest tests[N_ELEMS(verdicts) + N_ELEMS(ecs_cases) + N_ELEMS(others)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(verdicts); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = verdicts[i].name, .test_func = test_verdict, .initial_state = &verdicts[i]};
    }
    for (size_t i = 0; i < N_ELEMS(ecs_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = ecs_cases[i].name, .test_func = test_ecs, .initial_state = &ecs_cases[i]};
    }
    memcpy(tests + n, others, sizeof(others));
    return cmocka_run_group_tests_name("query", tests, NULL, NULL);
}
