/* SPDX-License-Identifier: Apache-2.0 */

/* Origins of streams: who counts as one, and how fast one may have more. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/origins.h"

static struct pin_origins origins;

static struct pin_ip ip_of(const char *text)
{
    struct pin_ip ip;
    assert_true(pin_ip_parse(text, &ip));
    return ip;
}

static struct pin_origin *join(const char *text, int64_t now_ms)
{
    struct pin_ip ip = ip_of(text);
    struct pin_origin *origin = pin_origins_join(&origins, &ip, now_ms);
    assert_non_null(origin);
    return origin;
}

static int start(void **state)
{
    static const uint32_t rates[PIN_RATE_MAX] = {[PIN_RATE_CONNECTIONS] = 10};
    (void)state;
    pin_origins_init(&origins, rates);
    return 0;
}

static int start_without_rates(void **state)
{
    static const uint32_t rates[PIN_RATE_MAX] = {0};
    (void)state;
    pin_origins_init(&origins, rates);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    pin_origins_done(&origins);
    return 0;
}

static void test_an_ipv6_site_is_one_origin(void **state)
{
    (void)state;
    struct pin_origin *first = join("2001:db8:1:2::1", 0);
    assert_ptr_equal(join("2001:db8:1:2:ffff::1", 0), first);
    assert_ptr_not_equal(join("2001:db8:1:3::1", 0), first);
    assert_int_equal(first->n_streams, 2);
}

static void test_ipv4_addresses_are_origins_of_their_own(void **state)
{
    (void)state;
    assert_ptr_not_equal(join("192.0.2.1", 0), join("192.0.2.2", 0));
}

/* Takes as much as there is at one moment. */
static unsigned take_all(struct pin_origin *origin, int64_t now_ms)
{
    unsigned n = 0;
    while (n < 1000 && pin_origins_may(&origins, origin, PIN_RATE_CONNECTIONS, now_ms)) {
        pin_origins_did(&origins, origin, PIN_RATE_CONNECTIONS, now_ms);
        n++;
    }
    return n;
}

static void test_a_bucket_holds_one_second(void **state)
{
    (void)state;
    struct pin_origin *origin = join("192.0.2.1", 5000);
    assert_int_equal(take_all(origin, 5000), 10);
    assert_int_equal(take_all(origin, 5099), 0);
    assert_int_equal(take_all(origin, 5100), 1);
    assert_int_equal(take_all(origin, 5400), 3);
    assert_int_equal(take_all(origin, 100000), 10);
    assert_int_equal(take_all(origin, 99000), 0); /* a clock that goes back gives nothing */
}

static void test_an_overdrawn_bucket_takes_longer(void **state)
{
    (void)state;
    struct pin_origin *origin = join("192.0.2.1", 0);
    for (int i = 0; i < 100; i++) {
        pin_origins_did(&origins, origin, PIN_RATE_CONNECTIONS, 0);
    }
    assert_true(pin_origins_is_overdrawn(&origins, origin, PIN_RATE_CONNECTIONS, 999));
    assert_false(pin_origins_is_overdrawn(&origins, origin, PIN_RATE_CONNECTIONS, 1000));
    assert_false(pin_origins_may(&origins, origin, PIN_RATE_CONNECTIONS, 1099));
    assert_true(pin_origins_may(&origins, origin, PIN_RATE_CONNECTIONS, 1100));
}

static void test_closing_does_not_fill_the_bucket(void **state)
{
    (void)state;
    struct pin_origin *origin = join("192.0.2.1", 0);
    assert_int_equal(take_all(origin, 0), 10);
    pin_origins_leave(&origins, origin, 0);
    pin_origins_forget(&origins, 500);
    origin = join("192.0.2.1", 500);
    assert_int_equal(take_all(origin, 500), 5);
    pin_origins_leave(&origins, origin, 500);
    pin_origins_forget(&origins, 2501);
    assert_int_equal(pin_map_count(&origins.by_ip), 0);
}

static void test_rates_without_a_limit(void **state)
{
    (void)state;
    struct pin_origin *origin = join("192.0.2.1", 0);
    assert_int_equal(take_all(origin, 0), 1000);
    assert_false(pin_origins_is_overdrawn(&origins, origin, PIN_RATE_HANDSHAKES, 0));
    pin_origins_leave(&origins, origin, 0);
    assert_int_equal(pin_map_count(&origins.by_ip), 0); /* nothing is to be remembered */
}

static void test_only_so_many_are_remembered(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < 70000; i++) {
        struct pin_ip ip = {
            .family = 4, .bytes = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
        struct pin_origin *origin = pin_origins_join(&origins, &ip, 0);
        assert_non_null(origin);
        pin_origins_leave(&origins, origin, 0);
    }
    assert_int_equal(pin_map_count(&origins.by_ip), 65536);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_an_ipv6_site_is_one_origin, start, stop),
        cmocka_unit_test_setup_teardown(test_ipv4_addresses_are_origins_of_their_own, start, stop),
        cmocka_unit_test_setup_teardown(test_a_bucket_holds_one_second, start, stop),
        cmocka_unit_test_setup_teardown(test_an_overdrawn_bucket_takes_longer, start, stop),
        cmocka_unit_test_setup_teardown(test_closing_does_not_fill_the_bucket, start, stop),
        cmocka_unit_test_setup_teardown(test_rates_without_a_limit, start_without_rates, stop),
        cmocka_unit_test_setup_teardown(test_only_so_many_are_remembered, start, stop),
    };
    return cmocka_run_group_tests_name("origins", tests, NULL, NULL);
}
