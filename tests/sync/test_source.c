/* SPDX-License-Identifier: Apache-2.0 */

/* Trouble is told once for each state, and a few times only when it comes and goes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "sync/source.h"

static char last[512];
static unsigned n_lines;

static void on_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    (void)snprintf(last, sizeof(last), "%s", line);
    n_lines++;
}

static void test_what_comes_and_goes_is_not_told_each_time(void **state)
{
    char where[] = "cluster c1";
    struct pin_source source = {.where = where};
    struct pin_trouble *slot = &source.trouble;
    (void)state;
    n_lines = 0;
    pin_log_set_sink(on_log, NULL);
    pin_clock_set_fake(1000, 1000);
    for (int i = 0; i < 100; i++) {
        pin_source_set_trouble(&source, slot, 1, "look", "it is gone");
        pin_source_set_trouble(&source, slot, 1, "look", "it is gone"); /* the same state */
        assert_int_equal(slot->is_told, i < 5);
        assert_string_equal(slot->text, "it is gone"); /* who asks is always told */
        pin_source_set_trouble(&source, slot, 0, "", "%s", "");
    }
    assert_int_equal(n_lines, 5);
    assert_non_null(strstr(last, "cluster c1: it is gone; to do: look (it comes and goes, told "
                                 "again in 10 minutes)"));
    pin_clock_set_fake(1000 + PIN_TROUBLE_WINDOW_MS, 1000);
    pin_source_set_trouble(&source, slot, 1, "look", "it is gone");
    assert_int_equal(n_lines, 6);
    assert_non_null(strstr(last, "it is gone; to do: look (95 times more, untold)"));
    pin_clock_set_real();
    pin_log_set_sink(NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_comes_and_goes_is_not_told_each_time),
    };
    return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
