/* SPDX-License-Identifier: Apache-2.0 */

/* Deadlines come in their order, whatever is set, moved and cleared. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/rand.h"

#include "resolver/timers.h"

#define N 500u

static struct pin_timers timers;
static struct pin_deadline deadlines[N];
static int64_t last_ms;
static size_t n_run;

static void on_time(struct pin_deadline *deadline, void *arg)
{
    assert_ptr_equal(arg, &timers);
    assert_int_equal(deadline->position, 0);
    assert_true(deadline->at_ms >= last_ms);
    last_ms = deadline->at_ms;
    n_run++;
}

static void set_all(void)
{
    pin_rand_seed(1);
    last_ms = 0;
    n_run = 0;
    assert_true(pin_timers_reserve(&timers, N));
    for (size_t i = 0; i < N; i++) {
        deadlines[i].on_time = on_time;
        pin_timers_set(&timers, &deadlines[i], pin_rand_below(1000));
    }
}

static void test_order(void **state)
{
    (void)state;
    set_all();
    for (size_t i = 0; i < N; i += 2) {
        pin_timers_set(&timers, &deadlines[i], pin_rand_below(1000));
    }
    pin_timers_run(&timers, 499, &timers);
    assert_true(last_ms <= 499);
    assert_true(n_run > 0 && n_run < N);
    pin_timers_run(&timers, 1000, &timers);
    assert_int_equal(n_run, N);
    assert_int_equal(timers.n, 0);
}

static void test_cleared(void **state)
{
    (void)state;
    set_all();
    for (size_t i = 0; i < N; i += 3) {
        pin_timers_clear(&timers, &deadlines[i]);
        pin_timers_clear(&timers, &deadlines[i]); /* twice is nothing */
    }
    pin_timers_run(&timers, 1000, &timers);
    assert_int_equal(n_run, N - (N + 2) / 3);
}

static void test_wait(void **state)
{
    (void)state;
    assert_int_equal(pin_timers_wait_ms(&timers, 0, 1000), 1000);
    deadlines[0].on_time = on_time;
    pin_timers_set(&timers, &deadlines[0], 300);
    assert_int_equal(pin_timers_wait_ms(&timers, 100, 1000), 200);
    assert_int_equal(pin_timers_wait_ms(&timers, 300, 1000), 0);
    assert_int_equal(pin_timers_wait_ms(&timers, 500, 1000), 0);
    assert_int_equal(pin_timers_wait_ms(&timers, 0, 50), 50);
    pin_timers_clear(&timers, &deadlines[0]);
}

/* A deadline that sets itself again, as retries do. */
static void again(struct pin_deadline *deadline, void *arg)
{
    n_run++;
    if (n_run < 10) {
        pin_timers_set(arg, deadline, deadline->at_ms + 10);
    }
}

static void test_again(void **state)
{
    (void)state;
    n_run = 0;
    deadlines[0].on_time = again;
    pin_timers_set(&timers, &deadlines[0], 10);
    pin_timers_run(&timers, 50, &timers);
    assert_int_equal(n_run, 5);
    pin_timers_run(&timers, 1000, &timers);
    assert_int_equal(n_run, 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_cleared),
        cmocka_unit_test(test_wait),
        cmocka_unit_test(test_again),
    };
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    pin_timers_done(&timers);
    return n_failed;
}
