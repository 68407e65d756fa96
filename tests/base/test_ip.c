/* SPDX-License-Identifier: Apache-2.0 */

/* Addresses, prefixes and ports: text in, text out, and what is refused. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"

enum form { PIN_FORM_ADDRESS, PIN_FORM_DASHED, PIN_FORM_PREFIX, PIN_FORM_ADDRPORT };

static struct text_case {
    const char *name;
    enum form form;
    const char *text;
    const char *want; /* NULL: refused */
} cases[] = {
    {"an IPv4 address is read", PIN_FORM_ADDRESS, "10.0.0.1", "10.0.0.1"},
    {"an IPv6 address is made canonical", PIN_FORM_ADDRESS, "2001:DB8:0:0:0::1", "2001:db8::1"},
    {"a single zero group is not shortened", PIN_FORM_ADDRESS, "1:0:2:3:4:5:6:7",
        "1:0:2:3:4:5:6:7"},
    {"an octet above 255 is refused", PIN_FORM_ADDRESS, "10.0.0.256", NULL},
    {"three octets are refused", PIN_FORM_ADDRESS, "10.0.1", NULL},
    {"a leading zero is refused", PIN_FORM_ADDRESS, "010.0.0.1", NULL},
    {"a zone index is refused", PIN_FORM_ADDRESS, "fe80::1%eth0", NULL},
    {"nothing is no address", PIN_FORM_ADDRESS, "", NULL},
    {"a space is refused", PIN_FORM_ADDRESS, " 10.0.0.1", NULL},

    {"IPv4 becomes four numbers", PIN_FORM_DASHED, "10.0.0.1", "10-0-0-1"},
    {"IPv6 keeps its double dash", PIN_FORM_DASHED, "5678:abcd::1", "5678-abcd--1"},
    {"a label never starts with a dash", PIN_FORM_DASHED, "::1", "0--1"},
    {"a label never ends with a dash", PIN_FORM_DASHED, "fe80::", "fe80--0"},
    {"all zeros get a zero on both sides", PIN_FORM_DASHED, "::", "0--0"},
    {"an IPv4-mapped address is written in hex", PIN_FORM_DASHED, "::ffff:10.0.0.1",
        "0--ffff-a00-1"},
    {"the longest address fits", PIN_FORM_DASHED, "1111:2222:3333:4444:5555:6666:7777:8888",
        "1111-2222-3333-4444-5555-6666-7777-8888"},

    {"a prefix is read", PIN_FORM_PREFIX, "10.0.0.0/8", "10.0.0.0/8"},
    {"host bits are cleared", PIN_FORM_PREFIX, "10.1.2.3/12", "10.0.0.0/12"},
    {"no length means the one address", PIN_FORM_PREFIX, "10.1.2.3", "10.1.2.3/32"},
    {"length 0 is everything", PIN_FORM_PREFIX, "10.1.2.3/0", "0.0.0.0/0"},
    {"IPv6 host bits are cleared", PIN_FORM_PREFIX, "2001:db8:ffff::1/33", "2001:db8:8000::/33"},
    {"a length above the family's is refused", PIN_FORM_PREFIX, "10.0.0.0/33", NULL},
    {"a negative length is refused", PIN_FORM_PREFIX, "10.0.0.0/-1", NULL},
    {"an empty length is refused", PIN_FORM_PREFIX, "10.0.0.0/", NULL},
    {"a huge length is refused", PIN_FORM_PREFIX, "10.0.0.0/99999999999999999999", NULL},
    {"an overlong text is refused", PIN_FORM_PREFIX,
        "11111111111111111111111111111111111111111111111111/8", NULL},

    {"no port means the default", PIN_FORM_ADDRPORT, "127.0.0.1", "127.0.0.1:53"},
    {"a port is read", PIN_FORM_ADDRPORT, "127.0.0.1:5300", "127.0.0.1:5300"},
    {"port 0 is a port", PIN_FORM_ADDRPORT, "127.0.0.1:0", "127.0.0.1:0"},
    {"bare IPv6 has the default port", PIN_FORM_ADDRPORT, "::1", "[::1]:53"},
    {"brackets alone are fine", PIN_FORM_ADDRPORT, "[::1]", "[::1]:53"},
    {"brackets and port", PIN_FORM_ADDRPORT, "[2001:db8::1]:5300", "[2001:db8::1]:5300"},
    {"a port above 65535 is refused", PIN_FORM_ADDRPORT, "127.0.0.1:65536", NULL},
    {"an empty port is refused", PIN_FORM_ADDRPORT, "127.0.0.1:", NULL},
    {"a signed port is refused", PIN_FORM_ADDRPORT, "127.0.0.1:+53", NULL},
    {"a port without address is refused", PIN_FORM_ADDRPORT, ":53", NULL},
    {"an open bracket is refused", PIN_FORM_ADDRPORT, "[::1", NULL},
    {"IPv4 in brackets is refused", PIN_FORM_ADDRPORT, "[127.0.0.1]:53", NULL},
    {"something behind the bracket is refused", PIN_FORM_ADDRPORT, "[::1]x", NULL},
    {"a host name is refused", PIN_FORM_ADDRPORT, "localhost:53", NULL},
};

static bool convert(enum form form, const char *text, char *out)
{
    struct pin_ip ip;
    struct pin_ip back;
    struct pin_prefix prefix;
    struct pin_addrport addrport;
    switch (form) {
    case PIN_FORM_ADDRESS:
        return pin_ip_parse(text, &ip) && pin_ip_format(&ip, out) == out;
    case PIN_FORM_DASHED:
        return pin_ip_parse(text, &ip) && pin_ip_dashed(&ip, out) == out
               && pin_ip_from_dashed(out, strlen(out), &back) && pin_ip_equal(&ip, &back);
    case PIN_FORM_PREFIX:
        return pin_prefix_parse(text, &prefix) && pin_prefix_format(&prefix, out) == out;
    case PIN_FORM_ADDRPORT:
        return pin_addrport_parse(text, 53, &addrport)
               && pin_addrport_format(&addrport, out) == out;
    default:
        return false;
    }
}

static void test_text(void **state)
{
    const struct text_case *c = *state;
    char out[PIN_ADDRPORT_TEXT_MAX] = "";
    assert_int_equal(convert(c->form, c->text, out), c->want != NULL);
    if (c->want != NULL) {
        assert_string_equal(out, c->want);
    }
}

static struct has_case {
    const char *name;
    const char *prefix;
    const char *address;
    bool want;
} has_cases[] = {
    {"the first address is inside", "10.1.0.0/16", "10.1.0.0", true},
    {"the last address is inside", "10.1.0.0/16", "10.1.255.255", true},
    {"the next address is outside", "10.1.0.0/16", "10.2.0.0", false},
    {"an odd length splits an octet", "10.1.128.0/17", "10.1.127.255", false},
    {"everything is in /0", "0.0.0.0/0", "255.255.255.255", true},
    {"families do not match each other", "0.0.0.0/0", "::1", false},
    {"the longest prefix holds itself", "2001:db8::1/128", "2001:db8::1", true},
    {"the longest prefix holds nobody else", "2001:db8::1/128", "2001:db8::2", false},
};

static void test_has(void **state)
{
    const struct has_case *c = *state;
    struct pin_prefix prefix;
    struct pin_ip ip;
    assert_true(pin_prefix_parse(c->prefix, &prefix));
    assert_true(pin_ip_parse(c->address, &ip));
    assert_int_equal(pin_prefix_has(&prefix, &ip), c->want);
}

static void test_no_address(void **state)
{
    static const struct pin_ip none;
    struct pin_prefix prefix = {.ip = none};
    struct sockaddr_storage storage;
    struct pin_addrport addrport = {.ip = none};
    char out[PIN_ADDRPORT_TEXT_MAX];
    (void)state;
    assert_string_equal(pin_ip_format(&none, out), "");
    assert_string_equal(pin_ip_dashed(&none, out), "");
    assert_string_equal(pin_prefix_format(&prefix, out), "");
    assert_false(pin_prefix_has(&prefix, &none));
    assert_int_equal(pin_addrport_to_sockaddr(&addrport, &storage), 0);
    assert_false(pin_ip_is_loopback(&none));
    prefix = pin_prefix_of(&none, 200);
    assert_int_equal(prefix.bits, 0);
}

static void test_sockaddr(void **state)
{
    static const char *const texts[] = {"10.0.0.1:53", "[2001:db8::1]:65535"};
    struct sockaddr_storage storage;
    struct pin_addrport addrport;
    struct pin_ip ip;
    char out[PIN_ADDRPORT_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        assert_true(pin_addrport_parse(texts[i], 1, &addrport));
        assert_true(pin_addrport_to_sockaddr(&addrport, &storage) > 0);
        addrport = pin_addrport_from_sockaddr((const struct sockaddr *)&storage);
        assert_string_equal(pin_addrport_format(&addrport, out), texts[i]);
    }
    assert_true(pin_addrport_parse("[::ffff:10.0.0.1]:53", 1, &addrport));
    (void)pin_addrport_to_sockaddr(&addrport, &storage);
    ip = pin_ip_from_sockaddr((const struct sockaddr *)&storage);
    assert_string_equal(
        pin_ip_format(&ip, out), "10.0.0.1"); /* a dual-stack socket's IPv4 client */
    storage.ss_family = AF_UNIX;
    assert_int_equal(pin_ip_from_sockaddr((const struct sockaddr *)&storage).family, 0);
}

static void test_order_and_loopback(void **state)
{
    struct pin_ip a;
    struct pin_ip b;
    (void)state;
    assert_true(pin_ip_parse("10.0.0.2", &a) && pin_ip_parse("10.0.0.10", &b));
    assert_true(pin_ip_cmp(&a, &b) < 0 && pin_ip_cmp(&b, &a) > 0 && pin_ip_cmp(&a, &a) == 0);
    assert_true(pin_ip_parse("::", &b));
    assert_true(pin_ip_cmp(&a, &b) < 0);
    assert_true(pin_ip_parse("127.9.9.9", &a) && pin_ip_is_loopback(&a));
    assert_true(pin_ip_parse("::1", &a) && pin_ip_is_loopback(&a));
    assert_true(pin_ip_parse("128.0.0.1", &a) && !pin_ip_is_loopback(&a));
}

/* What nobody may be sent to by somebody else's objects. */
static void test_others(void **state)
{
    static const char *const own[] = {"0.0.0.0", "0.1.2.3", "127.0.0.1", "169.254.169.254",
        "169.254.170.2", "169.254.170.23", "169.254.172.0", "224.0.0.251", "239.1.1.1",
        "255.255.255.255", "::", "::1", "::10.0.0.1", "fe80::1", "febf::1", "ff02::fb",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "fd00:ec2::254", "fd00:ec2::23",
        "64:ff9b::127.0.0.1", "64:ff9b::169.254.169.254"};
    static const char *const others[] = {"10.0.0.1", "100.64.0.1", "169.253.0.1", "169.255.0.1",
        "169.254.171.0", "169.254.171.255", "198.51.100.1", "240.0.0.1", "255.255.255.254",
        "2001:db8::1", "fc00::1", "fec0::1", "fd00:ec2:80::1", "fd00:ec3::254",
        "64:ff9b::198.51.100.1", "64:ff9b:0:0:1::127.0.0.1"};
    struct pin_ip ip;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(own); i++) {
        if (!pin_ip_parse(own[i], &ip) || pin_ip_is_others(&ip)) {
            fail_msg("%s is taken for somebody else's", own[i]);
        }
    }
    for (size_t i = 0; i < N_ELEMS(others); i++) {
        if (!pin_ip_parse(others[i], &ip) || !pin_ip_is_others(&ip)) {
            fail_msg("%s is nobody's", others[i]);
        }
    }
}

static void test_labels_that_are_no_address(void **state)
{
    static const char *const labels[] = {"", "web", "10-0-0", "10-0-0-256", "10.0.0.1", "::1",
        "1-2-3-4-5-6-7-8-9", "0--1--2", "a-b-c-d",
        "1111-2222-3333-4444-5555-6666-7777-8888-9999-0000-1111"};
    struct pin_ip ip;
    char out[PIN_IP_TEXT_MAX];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(labels); i++) {
        assert_false(pin_ip_from_dashed(labels[i], strlen(labels[i]), &ip));
    }
    assert_true(pin_ip_from_dashed("--1.x", 3, &ip)); /* not what we write, but the same address */
    assert_string_equal(pin_ip_format(&ip, out), "::1");
}

/* We write IPv4 ourselves: as the system does, whatever the number. */
static void test_every_octet(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        char want[PIN_IP_TEXT_MAX];
        char out[PIN_IP_TEXT_MAX];
        char label[PIN_IP_DASHED_MAX];
        const uint8_t bytes[4] = {(uint8_t)i, (uint8_t)(255 - i), (uint8_t)i, (uint8_t)(i ^ 0x5a)};
        struct pin_ip ip = pin_ip_from_bytes(bytes, 4);
        assert_non_null(inet_ntop(AF_INET, bytes, want, sizeof(want)));
        assert_string_equal(pin_ip_format(&ip, out), want);
        for (char *at = want; *at != '\0'; at++) {
            *at = (char)(*at == '.' ? '-' : *at);
        }
        assert_string_equal(pin_ip_dashed(&ip, label), want);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(has_cases) + 6] = {
        cmocka_unit_test(test_every_octet),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_sockaddr),
        cmocka_unit_test(test_order_and_loopback),
        cmocka_unit_test(test_others),
        cmocka_unit_test(test_labels_that_are_no_address),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[6 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_text, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(has_cases); i++) {
        tests[6 + N_ELEMS(cases) + i] = (struct CMUnitTest){
            .name = has_cases[i].name, .test_func = test_has, .initial_state = &has_cases[i]};
    }
    return cmocka_run_group_tests_name("ip", tests, NULL, NULL);
}
