/* SPDX-License-Identifier: Apache-2.0 */

/* Seeds repeat, threads differ, bounds hold and no value is favoured. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/rand.h"

static void test_a_seed_repeats(void **state)
{
    uint64_t first[8];
    (void)state;
    pin_rand_seed(42);
    for (int i = 0; i < 8; i++) {
        first[i] = pin_rand_u64();
        assert_true(i == 0 || first[i] != first[i - 1]);
    }
    pin_rand_seed(42);
    for (int i = 0; i < 8; i++) {
        assert_true(first[i] == pin_rand_u64());
    }
    pin_rand_seed(0);
    assert_true(pin_rand_u64() != 0);
}

static void *draw(void *arg)
{
    *(uint64_t *)arg = pin_rand_u64();
    return NULL;
}

static void test_threads_differ(void **state)
{
    uint64_t drawn[2] = {0};
    (void)state;
    for (int i = 0; i < 2; i++) {
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, draw, &drawn[i]), 0);
        assert_int_equal(pthread_join(thread, NULL), 0);
    }
    assert_true(drawn[0] != drawn[1]);
}

static void test_below(void **state)
{
    unsigned n_drawn[10] = {0};
    (void)state;
    pin_rand_seed(7);
    assert_int_equal(pin_rand_below(0), 0);
    assert_int_equal(pin_rand_below(1), 0);
    for (int i = 0; i < 100000; i++) {
        n_drawn[pin_rand_below(10)]++; /* out of bounds would be seen by a sanitizer */
        assert_true(pin_rand_below(0x80000001U) <= 0x80000000U);
    }
    for (int i = 0; i < 10; i++) {
        assert_in_range(n_drawn[i], 9500, 10500);
    }
}

static void test_secure(void **state)
{
    unsigned char a[400] = {0};
    unsigned char b[400] = {0};
    (void)state;
    pin_rand_secure(a, sizeof(a));
    pin_rand_secure(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    assert_memory_not_equal(a + 368, b + 368, 32);
    pin_rand_secure(NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_seed_repeats),
        cmocka_unit_test(test_threads_differ),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_secure),
    };
    return cmocka_run_group_tests_name("rand", tests, NULL, NULL);
}
