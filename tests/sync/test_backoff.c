/* SPDX-License-Identifier: Apache-2.0 */

/* Waits grow to a bound, jitter over all of it, and obey what the server asks for. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sync/backoff.h"

#define SHORTEST_MS 20

/* The longest and shortest of many n-th waits. */
static void range(int n, int64_t *ret_min_ms, int64_t *ret_max_ms)
{
    *ret_min_ms = INT64_MAX;
    *ret_max_ms = 0;
    for (int round = 0; round < 2000; round++) {
        struct pin_backoff backoff = {0};
        int64_t wait_ms = 0;
        for (int i = 0; i < n; i++) {
            wait_ms = pin_backoff_next(&backoff, 0, -1);
        }
        *ret_min_ms = wait_ms < *ret_min_ms ? wait_ms : *ret_min_ms;
        *ret_max_ms = wait_ms > *ret_max_ms ? wait_ms : *ret_max_ms;
    }
}

static void test_waits_double_from_800_ms_to_30_s_with_full_jitter(void **state)
{
    static const int64_t ceilings_ms[] = {800, 1600, 3200, 6400, 12800, 25600, 30000, 30000};
    (void)state;
    for (int i = 0; i < 8; i++) {
        int64_t min_ms = 0;
        int64_t max_ms = 0;
        range(i + 1, &min_ms, &max_ms);
        assert_true(max_ms < ceilings_ms[i] + SHORTEST_MS);
        assert_true(max_ms > ceilings_ms[i] * 9 / 10);
        assert_true(min_ms < ceilings_ms[i] / 10 + SHORTEST_MS);
    }
}

static void test_two_healthy_minutes_forget_what_was_before(void **state)
{
    struct pin_backoff backoff = {.ceiling_ms = 30000};
    (void)state;
    assert_true(pin_backoff_next(&backoff, 120000, -1) < 800 + SHORTEST_MS);
    backoff.ceiling_ms = 30000;
    (void)pin_backoff_next(&backoff, 119999, -1);
    assert_int_equal(backoff.ceiling_ms, 30000);
}

static void test_what_the_server_asks_for_is_never_cut_short(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct pin_backoff backoff = {0};
        int64_t wait_ms = pin_backoff_next(&backoff, 0, 7000);
        assert_in_range(wait_ms, 7000, 7700);
    }
}

static void test_a_server_that_asks_for_a_day_gets_ten_minutes(void **state)
{
    struct pin_backoff backoff = {0};
    (void)state;
    assert_in_range(pin_backoff_next(&backoff, 0, 86400000), 600000, 660000);
}

static void test_a_lower_bound_keeps_a_day_below_a_try_in_four_seconds(void **state)
{
    (void)state;
    for (int day = 0; day < 20; day++) {
        struct pin_backoff backoff = {.last_ms = 15000};
        int64_t now_ms = 0;
        int64_t longest_ms = 0;
        int n = 0;
        int n_first_minute = 0;
        for (; now_ms < 86400000; n++) {
            int64_t wait_ms = pin_backoff_next(&backoff, 0, -1);
            n_first_minute += now_ms < 60000 ? 1 : 0;
            longest_ms = wait_ms > longest_ms ? wait_ms : longest_ms;
            now_ms += wait_ms;
        }
        assert_true(n < 86400 / 4);
        assert_true(n_first_minute <= 30);              /* 12 in the mean */
        assert_true(longest_ms <= 15000 + SHORTEST_MS); /* and nobody waits long once it is back */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_waits_double_from_800_ms_to_30_s_with_full_jitter),
        cmocka_unit_test(test_two_healthy_minutes_forget_what_was_before),
        cmocka_unit_test(test_what_the_server_asks_for_is_never_cut_short),
        cmocka_unit_test(test_a_server_that_asks_for_a_day_gets_ten_minutes),
        cmocka_unit_test(test_a_lower_bound_keeps_a_day_below_a_try_in_four_seconds),
    };
    return cmocka_run_group_tests_name("backoff", tests, NULL, NULL);
}
