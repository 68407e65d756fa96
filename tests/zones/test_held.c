/* SPDX-License-Identifier: Apache-2.0 */

/* What was packed comes out again, in order, whatever the mixture. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/rand.h"

#include "zones/held.h"

#define N_MOST 300u

static int compare(const void *a, const void *b)
{
    return pin_held_compare(a, b);
}

/* Few clusters, kinds and addresses, so that groups have several members and some are missing. */
static struct pin_held_address any_address(void)
{
    struct pin_held_address address = {
        .kind = (uint8_t)pin_rand_below(3), .cluster_id = (uint16_t)(pin_rand_below(3) * 300)};
    address.ip.family = pin_rand_below(2) == 0 ? 4 : 6;
    size_t last = address.ip.family == 4 ? 3 : 15;
    address.ip.bytes[0] = 10;
    address.ip.bytes[last] = (uint8_t)pin_rand_below(40);
    return address;
}

static size_t any_addresses(struct pin_held_address *addresses, size_t n)
{
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        addresses[i] = any_address();
    }
    qsort(addresses, n, sizeof(*addresses), compare);
    for (size_t i = 0; i < n; i++) {
        if (n_kept == 0 || pin_held_compare(&addresses[n_kept - 1], &addresses[i]) != 0) {
            addresses[n_kept++] = addresses[i];
        }
    }
    return n_kept;
}

static void test_what_goes_in_comes_out(void **state)
{
    struct pin_held_address wanted[N_MOST];
    (void)state;
    for (unsigned round = 0; round < 2000; round++) {
        size_t n = any_addresses(wanted, pin_rand_below(N_MOST));
        struct pin_held_addresses held = {.n_bytes = pin_held_bytes(wanted, n)};
        held.bytes = malloc(held.n_bytes + 1);
        assert_non_null(held.bytes);
        held.bytes[held.n_bytes] = 0xA5;
        pin_held_write(held.bytes, wanted, n);
        assert_int_equal(held.bytes[held.n_bytes], 0xA5);
        struct pin_held_at at = {0};
        struct pin_held_address got;
        for (size_t i = 0; i < n; i++) {
            assert_true(pin_held_next(&held, &at, &got));
            assert_int_equal(pin_held_compare(&got, &wanted[i]), 0);
        }
        assert_false(pin_held_next(&held, &at, &got));
        free(held.bytes);
    }
}

static void test_an_endpoint_takes_its_address(void **state)
{
    struct pin_held_address addresses[100] = {0};
    (void)state;
    for (uint8_t i = 0; i < 100; i++) {
        addresses[i].ip = (struct pin_ip){.bytes = {10, 0, 0, i}, .family = 4};
    }
    assert_int_equal(pin_held_bytes(addresses, 0), 0);
    assert_int_equal(pin_held_bytes(addresses, 100), 8 + 100 * 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_in_comes_out),
        cmocka_unit_test(test_an_endpoint_takes_its_address),
    };
    return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
