/* SPDX-License-Identifier: Apache-2.0 */

/* The flattened ranges give what a look at every prefix would give. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#define NONE PIN_LPM_NONE

static struct lpm_case {
    const char *name;
    const char *prefixes[4]; /* prefix i has the value i */
    const char *address;
    uint32_t want;
} cases[] = {
    {"no prefixes match nobody", {NULL}, "10.0.0.1", NONE},
    {"the only prefix matches", {"10.0.0.0/8"}, "10.0.0.1", 0},
    {"the address before it does not", {"10.0.0.0/8"}, "9.255.255.255", NONE},
    {"the address behind it does not", {"10.0.0.0/8"}, "11.0.0.0", NONE},
    {"the longer one wins", {"10.0.0.0/8", "10.1.0.0/16"}, "10.1.2.3", 1},
    {"whichever comes first", {"10.1.0.0/16", "10.0.0.0/8"}, "10.1.2.3", 0},
    {"behind the inner one the outer counts again", {"10.0.0.0/8", "10.1.0.0/16"}, "10.2.0.0", 0},
    {"three levels deep", {"10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"}, "10.1.1.255", 2},
    {"two end at the same address", {"10.0.0.0/8", "10.255.0.0/16"}, "11.0.0.0", NONE},
    {"two start at the same address", {"10.0.0.0/8", "10.0.0.0/16"}, "10.0.0.0", 1},
    {"of equal prefixes the last counts", {"10.0.0.0/8", "10.0.0.0/8"}, "10.0.0.1", 1},
    {"the default catches the rest", {"0.0.0.0/0", "10.0.0.0/8"}, "192.0.2.1", 0},
    {"the very last address", {"0.0.0.0/0", "255.255.255.255/32"}, "255.255.255.255", 1},
    {"the very first address", {"0.0.0.0/32"}, "0.0.0.0", 0},
    {"IPv6 beyond its first half", {"2001:db8::/32", "2001:db8:0:1::/64", "2001:db8::1/128"},
        "2001:db8::1", 2},
    {"IPv6 behind a prefix that ends a half", {"2001:db8::/32", "2001:db8::/64"},
        "2001:db8:0:1::", 0},
    {"IPv6 last address", {"::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128"},
        "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 1},
    {"families are apart", {"0.0.0.0/0"}, "::1", NONE},
};

static struct scope_case {
    const char *name;
    const char *prefixes[4];
    const char *address;
    unsigned want;
} scopes[] = {
    {"nothing is told apart without prefixes", {NULL}, "10.0.0.1", 0},
    {"inside a prefix its length", {"10.1.0.0/16"}, "10.1.2.3", 16},
    {"outside as far as nothing differs", {"10.1.0.0/16"}, "192.0.2.1", 1},
    {"beside a prefix up to its bits", {"10.1.0.0/16"}, "10.0.2.3", 16},
    {"around a longer one more bits", {"10.0.0.0/8", "10.1.0.0/16"}, "10.2.0.0", 15},
    {"neighbours of different value", {"10.0.0.0/9", "10.128.0.0/9"}, "10.130.0.0", 9},
    {"one address", {"10.0.0.7/32"}, "10.0.0.7", 32},
    {"its neighbour", {"10.0.0.7/32"}, "10.0.0.6", 32},
    {"everything is one prefix", {"0.0.0.0/0"}, "10.0.0.6", 0},
    {"the first half", {"0.0.0.0/1"}, "10.0.0.6", 1},
    {"IPv6 in its first half", {"2001:db8::/32"}, "2001:db8::1", 32},
    {"IPv6 in its second half", {"2001:db8::/32", "2001:db8::7/128"}, "2001:db8::7", 128},
    {"of another family nothing is told", {"10.0.0.0/8"}, "2001:db8::1", 0},
};

static void test_scope(void **state)
{
    const struct scope_case *c = *state;
    struct pin_lpm_entry entries[4];
    struct pin_ip ip;
    size_t n = 0;
    for (; n < 4 && c->prefixes[n] != NULL; n++) {
        assert_true(pin_prefix_parse(c->prefixes[n], &entries[n].prefix));
        entries[n].value = (uint32_t)n;
    }
    struct pin_lpm *lpm = pin_lpm_new(entries, n);
    assert_true(pin_ip_parse(c->address, &ip));
    assert_int_equal(pin_lpm_scope(lpm, &ip), c->want);
    pin_lpm_free(lpm);
}

static void test_find(void **state)
{
    const struct lpm_case *c = *state;
    struct pin_lpm_entry entries[4];
    struct pin_ip ip;
    size_t n = 0;
    for (; n < 4 && c->prefixes[n] != NULL; n++) {
        assert_true(pin_prefix_parse(c->prefixes[n], &entries[n].prefix));
        entries[n].value = (uint32_t)n;
    }
    struct pin_lpm *lpm = pin_lpm_new(entries, n);
    assert_non_null(lpm);
    assert_true(pin_ip_parse(c->address, &ip));
    assert_int_equal(pin_lpm_find(lpm, &ip), c->want);
    pin_lpm_free(lpm);
}

static uint32_t find_slowly(const struct pin_lpm_entry *entries, size_t n, const struct pin_ip *ip)
{
    uint32_t value = NONE;
    int best = -1;
    for (size_t i = 0; i < n; i++) {
        if (pin_prefix_has(&entries[i].prefix, ip) && entries[i].prefix.bits >= best) {
            best = entries[i].prefix.bits;
            value = entries[i].value;
        }
    }
    return value;
}

/* Few distinct octets, so that prefixes nest, touch and repeat. */
static struct pin_ip random_ip(void)
{
    static const uint8_t octets[] = {0, 1, 127, 128, 255};
    uint8_t bytes[16];
    uint8_t family = pin_rand_below(2) == 0 ? 4 : 6;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        bytes[i] = octets[pin_rand_below(N_ELEMS(octets))];
    }
    return pin_ip_from_bytes(bytes, family);
}

static void test_agrees_with_a_slow_search(void **state)
{
    struct pin_lpm_entry entries[60];
    (void)state;
    pin_rand_seed(20261121);
    for (int round = 0; round < 300; round++) {
        size_t n = pin_rand_below(N_ELEMS(entries) + 1);
        for (size_t i = 0; i < n; i++) {
            struct pin_ip ip = random_ip();
            uint32_t n_bits = ip.family == 4 ? 33 : 129;
            entries[i].prefix = pin_prefix_of(&ip, (uint8_t)pin_rand_below(n_bits));
            entries[i].value = pin_rand_below(4); /* equal values must not merge wrongly */
        }
        struct pin_lpm *lpm = pin_lpm_new(entries, n);
        assert_non_null(lpm);
        for (int i = 0; i < 200; i++) {
            struct pin_ip ip = random_ip();
            struct pin_ip other = random_ip();
            assert_int_equal(pin_lpm_find(lpm, &ip), find_slowly(entries, n, &ip));
            struct pin_prefix scope = pin_prefix_of(&ip, pin_lpm_scope(lpm, &ip));
            if (pin_prefix_has(&scope, &other)) {
                assert_int_equal(pin_lpm_find(lpm, &other), pin_lpm_find(lpm, &ip));
            }
        }
        pin_lpm_free(lpm);
    }
}

static void test_nested_as_deep_as_it_gets(void **state)
{
    struct pin_lpm_entry entries[129];
    struct pin_ip ip;
    (void)state;
    assert_true(pin_ip_parse("2001:db8::1", &ip));
    for (unsigned bits = 0; bits <= 128; bits++) {
        entries[bits].prefix = pin_prefix_of(&ip, (uint8_t)bits);
        entries[bits].value = bits;
    }
    struct pin_lpm *lpm = pin_lpm_new(entries, N_ELEMS(entries));
    assert_int_equal(pin_lpm_find(lpm, &ip), 128);
    ip.bytes[15] = 0;
    assert_int_equal(pin_lpm_find(lpm, &ip), 127);
    ip.bytes[0] = 0x80;
    assert_int_equal(pin_lpm_find(lpm, &ip), 0);
    pin_lpm_free(lpm);
}

static void test_nothing(void **state)
{
    static const struct pin_ip none;
    static const struct pin_lpm_entry entry;
    (void)state;
    assert_int_equal(pin_lpm_find(NULL, &none), NONE);
    struct pin_lpm *lpm = pin_lpm_new(&entry, 1);
    assert_int_equal(pin_lpm_find(lpm, &none), NONE);
    pin_lpm_free(lpm);
    pin_lpm_free(NULL);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(scopes) + 3] = {
        cmocka_unit_test(test_agrees_with_a_slow_search),
        cmocka_unit_test(test_nested_as_deep_as_it_gets),
        cmocka_unit_test(test_nothing),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_find, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(scopes); i++) {
        tests[3 + N_ELEMS(cases) + i] = (struct CMUnitTest){
            .name = scopes[i].name, .test_func = test_scope, .initial_state = &scopes[i]};
    }
    return cmocka_run_group_tests_name("lpm", tests, NULL, NULL);
}
