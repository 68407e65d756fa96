/* SPDX-License-Identifier: Apache-2.0 */

/* Results in a row turn into verdicts: `rise` to come back, `fall` to go, one to be shown first. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "sync/judge.h"

/* Verdicts as letters: d down, n unjudged, a assumed, u up; upper case while turning. */
static struct judge_case {
    const char *name;
    enum pin_verdict first;
    uint8_t rise;
    uint8_t fall;
    const char *results; /* + and - */
    const char *want;    /* one letter after each result */
} cases[] = {
    {"one success is enough for an address never judged", PIN_VERDICT_UNJUDGED, 3, 3, "+", "u"},
    {"an address never judged needs all failures to be down", PIN_VERDICT_UNJUDGED, 3, 3, "---",
        "NNd"},
    {"what is shown unjudged stays shown until the failures are whole", PIN_VERDICT_ASSUMED, 2, 2,
        "--", "Ad"},
    {"a success settles what was assumed", PIN_VERDICT_ASSUMED, 5, 2, "-+", "Au"},
    {"up stays up below the threshold, and is turning", PIN_VERDICT_UP, 2, 3, "--", "UU"},
    {"failures in a row take it down", PIN_VERDICT_UP, 2, 3, "---", "UUd"},
    {"a success in between starts the row again", PIN_VERDICT_UP, 2, 3, "--+--+---", "UUuUUuUUd"},
    {"down needs as many successes in a row as rise says", PIN_VERDICT_DOWN, 3, 2, "+++", "DDu"},
    {"a failure in between sets it back", PIN_VERDICT_DOWN, 3, 2, "++-+++", "DDdDDu"},
    {"thresholds of 1 follow each result", PIN_VERDICT_UP, 1, 1, "-+-+", "dudu"},
    {"thresholds of 0 are 1", PIN_VERDICT_UP, 0, 0, "-+", "du"},
    {"a flapping address below both thresholds keeps its verdict", PIN_VERDICT_UP, 2, 2, "-+-+-+",
        "UuUuUu"},
};

static char letter(const struct pin_judge *judge)
{
    static const char letters[2][4] = {
        {[PIN_VERDICT_DOWN] = 'd',
            [PIN_VERDICT_UNJUDGED] = 'n',
            [PIN_VERDICT_ASSUMED] = 'a',
            [PIN_VERDICT_UP] = 'u'},
        {[PIN_VERDICT_DOWN] = 'D',
            [PIN_VERDICT_UNJUDGED] = 'N',
            [PIN_VERDICT_ASSUMED] = 'A',
            [PIN_VERDICT_UP] = 'U'},
    };
    return letters[pin_judge_is_turning(judge)][judge->verdict];
}

static void test_judge(void **state)
{
    const struct judge_case *c = *state;
    struct pin_check check = pin_check_default();
    struct pin_judge judge = {.verdict = c->first};
    check.rise = c->rise;
    check.fall = c->fall;
    for (size_t i = 0; c->results[i] != '\0'; i++) {
        enum pin_verdict before = judge.verdict;
        bool is_changed = pin_judge_result(&judge, &check, c->results[i] == '+');
        assert_int_equal(letter(&judge), c->want[i]);
        assert_int_equal(is_changed, before != judge.verdict);
    }
}

static void test_counters_do_not_wrap(void **state)
{
    (void)state;
    struct pin_check check = pin_check_default();
    struct pin_judge judge = {.verdict = PIN_VERDICT_UP};
    for (int i = 0; i < 1000; i++) {
        (void)pin_judge_result(&judge, &check, true);
    }
    assert_int_equal(judge.verdict, PIN_VERDICT_UP);
    assert_int_equal(judge.n_good, UINT8_MAX);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 1] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_judge, .initial_state = &cases[i]};
    }
    tests[N_ELEMS(cases)] = (struct CMUnitTest){
        .name = "counters stop at their end", .test_func = test_counters_do_not_wrap};
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
