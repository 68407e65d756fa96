/* SPDX-License-Identifier: Apache-2.0 */

/* Time can be stopped, written and read. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

static struct parse_case {
    const char *name;
    const char *text;
    int64_t want_ms; /* -1: refused */
} cases[] = {
    {"the epoch is 0", "1970-01-01T00:00:00Z", 0},
    {"a time as Kubernetes writes it", "2026-11-21T03:04:05Z", 1795230245000},
    {"microseconds are cut to milliseconds", "2026-11-21T03:04:05.678901Z", 1795230245678},
    {"one digit of fraction is tenths", "2026-11-21T03:04:05.6Z", 1795230245600},
    {"an offset east is subtracted", "2026-11-21T05:04:05+02:00", 1795230245000},
    {"an offset west is added", "2026-11-20T22:34:05-04:30", 1795230245000},
    {"a leap day counts", "2024-02-29T00:00:00Z", 1709164800000},
    {"no zone is refused", "2026-11-21T03:04:05", -1},
    {"month 13 is refused", "2026-13-21T03:04:05Z", -1},
    {"hour 24 is refused", "2026-11-21T24:04:05Z", -1},
    {"a bare point is refused", "2026-11-21T03:04:05.Z", -1},
    {"something behind is refused", "2026-11-21T03:04:05Zx", -1},
    {"an offset cut short is refused", "2026-11-21T03:04:05+02", -1},
    {"nothing is refused", "", -1},
    {"a word is refused", "yesterday", -1},
};

static void test_parse(void **state)
{
    const struct parse_case *c = *state;
    int64_t wall_ms = -1;
    assert_int_equal(pin_clock_parse(c->text, &wall_ms), c->want_ms >= 0);
    assert_true(wall_ms == c->want_ms);
}

static void test_format(void **state)
{
    char text[PIN_CLOCK_TEXT_MAX];
    (void)state;
    pin_clock_format(1795230245678, text);
    assert_string_equal(text, "2026-11-21T03:04:05.678Z");
}

static void test_fake(void **state)
{
    (void)state;
    pin_clock_set_fake(1234, 99);
    assert_int_equal(pin_clock_mono_ms(), 1234);
    assert_int_equal(pin_clock_mono_ns(), 1234000000);
    assert_int_equal(pin_clock_wall_ms(), 99);
    struct timespec deadline = pin_clock_deadline(0);
    assert_true(deadline.tv_sec != 1); /* condition variables wait in real time */
    pin_clock_set_real();
    assert_true(pin_clock_wall_ms() > 1700000000000);
    int64_t before_ns = pin_clock_mono_ns();
    assert_true(pin_clock_mono_ns() >= before_ns);
    assert_true(pin_clock_thread_cpu_ns() > 0);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_fake),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_parse, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
