/* SPDX-License-Identifier: Apache-2.0 */

/* How likely a split is by luck alone: against values from tables and from exact sums. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "cli/chance.h"

static struct split_case {
    const char *name; /* reads as a sentence in the test report */
    struct pin_outcome outcomes[4];
    size_t n;
    double chi_square;
    unsigned degrees;
    double p;
} split_cases[] = {
    {"exactly as wanted is certain", {{0.1, 100}, {0.9, 900}}, 2, 0, 1, 1},
    {"3.841 of one degree is the 5 % of the tables", {{0.5, 1049}, {0.5, 951}}, 2, 4.802, 1,
        0.02843},
    {"two degrees: the tail is exp(-x/2)", {{0.25, 230}, {0.25, 270}, {0.5, 500}}, 3, 3.2, 2,
        0.20190},
    {"three degrees", {{0.25, 100}, {0.25, 120}, {0.25, 90}, {0.25, 90}}, 4, 6, 3, 0.11161},
    {"a split that is far off has no chance", {{0.1, 500}, {0.9, 500}}, 2, 1777.78, 1, 0},
    {"what cannot be and came has no chance", {{1, 999}, {0, 1}}, 2, INFINITY, 1, 0},
    {"what cannot be and did not come is nothing", {{1, 1000}, {0, 0}}, 2, 0, 0, 1},
    {"rare outcomes count together", {{0.996, 996}, {0.002, 4}, {0.002, 0}}, 3, 0, 1, 1},
    {"one in a million that did not come is no news", {{0.000001, 0}, {0.999999, 1000}}, 2, 0.001,
        1, 0.97477},
    {"nothing was counted: nothing to compare", {{0.5, 0}, {0.5, 0}}, 2, 0, 0, 1},
    {"nothing at all", {{0, 0}}, 0, 0, 0, 1},
};

static void test_split(void **state)
{
    const struct split_case *c = *state;
    struct pin_chance chance = pin_chance_split(c->outcomes, c->n);
    assert_int_equal(chance.degrees, c->degrees);
    assert_true(isinf(c->chi_square) ? isinf(chance.chi_square) != 0
                                     : fabs(chance.chi_square - c->chi_square) < 0.01);
    assert_true(fabs(chance.p - c->p) < 0.0001);
}

static struct bound_case {
    const char *name;
    double wanted;
    uint64_t counted;
    uint64_t n;
    double low;
    double high;
} bound_cases[] = {
    {"as often as wanted is certain", 0.5, 500, 1000, 1, 1},
    {"always is always", 1, 1000, 1000, 1, 1},
    {"always, but for once, is not", 1, 999, 1000, 0, 0},
    {"never is never", 0, 0, 1000, 1, 1},
    {"never, but for once, is not", 0, 1, 1000, 0, 0},
    {"half of the time and never in 20: 2 * 2^-20", 0.5, 0, 20, 1.9e-6, 1.92e-6},
    {"a little off is chance", 0.5, 520, 1000, 0.4, 1},
    {"far off is none", 0.5, 700, 1000, 0, 1e-30},
    {"nobody was asked", 0.5, 0, 0, 1, 1},
};

static void test_bound(void **state)
{
    const struct bound_case *c = *state;
    double p = pin_chance_bound(c->wanted, c->counted, c->n);
    assert_true(p >= c->low && p <= c->high);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(split_cases) + N_ELEMS(bound_cases)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(split_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = split_cases[i].name, .test_func = test_split, .initial_state = &split_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(bound_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = bound_cases[i].name, .test_func = test_bound, .initial_state = &bound_cases[i]};
    }
    return cmocka_run_group_tests_name("chance", tests, NULL, NULL);
}
