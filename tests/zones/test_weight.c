/* SPDX-License-Identifier: Apache-2.0 */

/* Nested shares become the smallest integers that say the same. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "zones/weight.h"

#define GROUPS_MAX 4
#define GROUP(backend, items, total)                                                               \
    {                                                                                              \
        .backend_i = (backend), .n_items = (items), .weight = (total)                              \
    }

static struct weight_case {
    const char *name; /* reads as a sentence in the test report */
    uint32_t backend[2];
    struct pin_weight_group group[GROUPS_MAX]; /* backend, items, weight */
    size_t n_groups;
    uint64_t want[GROUPS_MAX];
} cases[] = {
    {"one backend counts its endpoints", {1, 0}, {GROUP(0, 3, 3), GROUP(0, 5, 5)}, 2, {1, 1}},
    {"a ClusterIP weighs what stands behind it", {1, 0}, {GROUP(0, 1, 9), GROUP(0, 3, 3)}, 2,
        {9, 1}},
    {"10/90 over ten endpoints each", {10, 90}, {GROUP(0, 10, 10), GROUP(1, 10, 10)}, 2, {1, 9}},
    {"10/90 over three and four endpoints", {10, 90}, {GROUP(0, 3, 3), GROUP(1, 4, 4)}, 2, {4, 27}},
    {"a backend alone takes all, whatever its weight", {7, 0}, {GROUP(0, 2, 2)}, 1, {1}},
    {"two gateways share what is behind them", {1, 0}, {GROUP(0, 2, 4), GROUP(0, 1, 1)}, 2, {2, 1}},
    {"cluster weights replace the count", {1, 0}, {GROUP(0, 3, 1), GROUP(0, 1, 3)}, 2, {1, 9}},
    {"a million to one is exact", {1, 1000000}, {GROUP(0, 1, 1), GROUP(1, 1, 1)}, 2, {1, 1000000}},
    {"two clusters inside one backend", {1, 1}, {GROUP(0, 2, 2), GROUP(0, 2, 2), GROUP(1, 1, 1)}, 3,
        {1, 1, 4}},
};

static void test_spread(void **state)
{
    const struct weight_case *c = *state;
    struct pin_weight_group groups[GROUPS_MAX];
    for (size_t i = 0; i < c->n_groups; i++) {
        groups[i] = c->group[i];
    }
    pin_weight_spread(c->backend, groups, c->n_groups);
    for (size_t i = 0; i < c->n_groups; i++) {
        assert_int_equal(groups[i].item_weight, c->want[i]);
    }
}

/* Primes near 1000 have a common multiple of 10^12: rounding has to step in and stay close. */
static void test_rounds_beyond_exact(void **state)
{
    static const uint32_t primes[] = {997, 991, 983, 977, 971, 967, 953, 947};
    uint32_t backend[N_ELEMS(primes)];
    struct pin_weight_group groups[N_ELEMS(primes)];
    double sum = 0;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(primes); i++) {
        backend[i] = 1000000;
        groups[i] = (struct pin_weight_group)GROUP((uint32_t)i, primes[i], primes[i]);
    }
    pin_weight_spread(backend, groups, N_ELEMS(primes));
    for (size_t i = 0; i < N_ELEMS(primes); i++) {
        assert_true(groups[i].item_weight >= 1);
        sum += (double)groups[i].item_weight * groups[i].n_items;
    }
    assert_true(sum < (double)(UINT64_C(1) << 47));
    for (size_t i = 0; i < N_ELEMS(primes); i++) {
        double share = (double)groups[i].item_weight * groups[i].n_items / sum;
        assert_true(share > 0.1249999 && share < 0.1250001);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 1] = {{0}};
    size_t n = 0;
    for (; n < N_ELEMS(cases); n++) {
        tests[n] = (struct CMUnitTest){
            .name = cases[n].name, .test_func = test_spread, .initial_state = &cases[n]};
    }
    tests[n] = (struct CMUnitTest)cmocka_unit_test(test_rounds_beyond_exact);
    return cmocka_run_group_tests_name("weight", tests, NULL, NULL);
}
