/* SPDX-License-Identifier: Apache-2.0 */

/* The small DNS client: what it sends, and what it makes of answers, broken ones too. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "cli/dns.h"

#define ID      0x1234
#define HEAD(n) "\x12\x34\x84\x00\x00\x01\x00" n "\x00\x00\x00\x00"
#define QUESTION                                                                                   \
    "\x01"                                                                                         \
    "a\x04"                                                                                        \
    "test\x00\x00\x01\x00\x01"
#define A_RR(d) "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0A\x00\x00" d
#define CNAME_RR                                                                                   \
    "\xC0\x0C\x00\x05\x00\x01\x00\x00\x01\x2C\x00\x04\x01"                                         \
    "b\xC0\x0E"
#define TEXT(t) (const uint8_t *)(t), sizeof(t) - 1

static struct read_case {
    const char *name; /* reads as a sentence in the test report */
    const uint8_t *wire;
    size_t bytes;
    bool is_read;
    uint8_t rcode;
    size_t n_addresses;
} read_cases[] = {
    {"an answer has its addresses in order", TEXT(HEAD("\x02") QUESTION A_RR("\x01") A_RR("\x02")),
        true, 0, 2},
    {"an alias is gone over", TEXT(HEAD("\x02") QUESTION CNAME_RR A_RR("\x01")), true, 0, 1},
    {"a refusal without data is one",
        TEXT("\x12\x34\x84\x05\x00\x01\x00\x00\x00\x00\x00\x00" QUESTION), true, 5, 0},
    {"another id is nobody's", TEXT("\x12\x35\x84\x00\x00\x00\x00\x00\x00\x00\x00\x00"), false, 0,
        0},
    {"a question is no answer", TEXT("\x12\x34\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), false, 0,
        0},
    {"half a header is nothing", TEXT("\x12\x34\x84\x00\x00"), false, 0, 0},
    {"records that are not there end it", TEXT(HEAD("\x03") QUESTION A_RR("\x01")), false, 0, 0},
    {"a name beyond the end ends it",
        TEXT(HEAD("\x01") QUESTION "\x3F"
                                   "abc"),
        false, 0, 0},
    {"data beyond the end ends it",
        TEXT(HEAD("\x01") QUESTION "\xC0\x0C\x00\x01\x00\x01\x00\x00\x00\x05\x00\x04\x0A"), false,
        0, 0},
    {"nothing at all", TEXT(""), false, 0, 0},
};

static void test_read(void **state)
{
    const struct read_case *c = *state;
    struct pin_dns dns = {.type = 1};
    struct pin_dns_answer answer;
    assert_int_equal(pin_dns_read(&dns, c->wire, c->bytes, ID, &answer), c->is_read);
    if (c->is_read) {
        assert_int_equal(answer.rcode, c->rcode);
        assert_int_equal(answer.n_addresses, c->n_addresses);
    }
    for (size_t i = 0; c->is_read && i < c->n_addresses; i++) {
        assert_int_equal(answer.addresses[i].bytes[3], i + 1);
    }
}

static void open_question(const char *name, const char *subnet, struct pin_dns *ret_dns)
{
    struct pin_addrport server;
    struct pin_prefix prefix;
    struct pin_why why = {0};
    assert_true(pin_addrport_parse("127.0.0.1:53", 53, &server));
    assert_true(subnet == NULL || pin_prefix_parse(subnet, &prefix));
    assert_int_equal(
        pin_dns_open(&server, name, 1, subnet != NULL ? &prefix : NULL, ret_dns, &why), PIN_OK);
    assert_int_equal(close(ret_dns->fd), 0);
}

static void test_a_question_is_what_the_protocol_wants(void **state)
{
    static const char wanted[] = "\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01" QUESTION
                                 "\x00\x00\x29\x04\xD0\x00\x00\x00\x00\x00\x00";
    struct pin_dns dns;
    (void)state;
    open_question("a.test.", NULL, &dns);
    assert_int_equal(dns.bytes, 2 + sizeof(wanted) - 1);
    assert_memory_equal(dns.question + 2, wanted, sizeof(wanted) - 1);
}

static void test_a_subnet_goes_along(void **state)
{
    static const char wanted[] = "\x00\x08\x00\x07\x00\x01\x18\x00\x0A\x01\x02";
    struct pin_dns dns;
    (void)state;
    open_question("a.test", "10.1.2.0/24", &dns);
    assert_memory_equal(
        dns.question + dns.bytes - (sizeof(wanted) - 1), wanted, sizeof(wanted) - 1);
}

static void test_names_that_are_none_are_refused(void **state)
{
    static const char long_label[] =
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.test";
    static const char *const names[] = {"a..test", ".a", "a\\.b", long_label};
    struct pin_addrport server;
    struct pin_dns dns;
    struct pin_why why = {0};
    (void)state;
    assert_true(pin_addrport_parse("127.0.0.1:53", 53, &server));
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        assert_int_equal(pin_dns_open(&server, names[i], 1, NULL, &dns, &why), PIN_EINVAL);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(read_cases) + 3] = {
        cmocka_unit_test(test_a_question_is_what_the_protocol_wants),
        cmocka_unit_test(test_a_subnet_goes_along),
        cmocka_unit_test(test_names_that_are_none_are_refused),
    };
    for (size_t i = 0; i < N_ELEMS(read_cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = read_cases[i].name, .test_func = test_read, .initial_state = &read_cases[i]};
    }
    return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
