/* SPDX-License-Identifier: Apache-2.0 */

/* Over all positions of the circle each RR is in the answer, and first in it, exactly as often as
 * its weight says; and any 30 draws in a row stay within one of that. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/index.h"
#include "pintle/zones/select.h"

#include "zones/tables.h"

#define RR_MAX 24

static struct select_case {
    const char *name; /* reads as a sentence in the test report */
    uint64_t weight[RR_MAX];
    uint16_t n_rr;
    uint16_t n_pick; /* 1 .. floor(S / max W) */
} cases[] = {
    {"a lone RR takes every turn", {5}, 1, 1},
    {"10/90 with one pick", {10, 90}, 2, 1},
    {"a tiny share is still exact", {1, 999}, 2, 1},
    {"equal weights, all picked, rotate", {1, 1, 1, 1}, 4, 4},
    {"equal weights, fewer picked", {1, 1, 1, 1, 1}, 5, 3},
    {"ten of 1 % beside ten of 9 % give eleven",
        {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 9, 9, 9, 9, 9, 9, 9, 9, 9, 9}, 20, 11},
    {"uneven weights with two picks", {3, 5, 2, 4}, 4, 2},
    {"one weight of exactly 1/k is in every answer", {5, 2, 3}, 3, 2},
    {"45/60/75 as gdnsd's manual has it", {45, 60, 75}, 3, 2},
};

static struct pin_table *make_table(const uint64_t *weight, uint16_t n_rr, uint16_t n_pick)
{
    static const uint8_t wire[RR_MAX * PIN_RR_A_BYTES];
    return pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_DRAWN,
        .mode = PIN_ANSWERS_SUBSET,
        .n_rr = n_rr,
        .n_pick_max = n_pick,
        .rr_bytes = PIN_RR_A_BYTES,
        .wire = wire,
        .wire_bytes = (uint32_t)n_rr * PIN_RR_A_BYTES,
        .weights = weight,
    });
}

static void test_full_round(void **state)
{
    const struct select_case *c = *state;
    struct pin_table *table = make_table(c->weight, c->n_rr, c->n_pick);
    uint64_t first[RR_MAX] = {0};
    uint64_t in_answer[RR_MAX] = {0};
    uint16_t rr_i[PIN_PICK_MAX];
    for (uint64_t position = 0; position < c->n_pick * pin_table_total(table); position++) {
        bool seen[RR_MAX] = {false};
        pin_select_at(table, position, c->n_pick, rr_i);
        first[rr_i[0]]++;
        for (uint16_t j = 0; j < c->n_pick; j++) {
            assert_true(rr_i[j] < c->n_rr);
            assert_false(seen[rr_i[j]]);
            seen[rr_i[j]] = true;
            in_answer[rr_i[j]]++;
        }
    }
    for (uint16_t i = 0; i < c->n_rr; i++) {
        /* Tables with equal weights count them as 1. */
        uint64_t weight = pin_table_cumulative(table) == NULL ? 1 : c->weight[i];
        assert_int_equal(first[i], c->n_pick * weight);
        assert_int_equal(in_answer[i], (uint64_t)c->n_pick * c->n_pick * weight);
    }
    pin_table_unref(table);
}

static void test_thirty_in_a_row(void **state)
{
    const uint64_t weight[] = {10, 90};
    struct pin_table *table = make_table(weight, 2, 1);
    (void)state;
    for (uint32_t worker_i = 0; worker_i < 8; worker_i++) {
        struct pin_draws draws;
        uint16_t history[5000];
        assert_int_equal(pin_draws_init(&draws, 16, worker_i), PIN_OK);
        for (size_t i = 0; i < N_ELEMS(history); i++) {
            uint16_t rr_i[PIN_PICK_MAX];
            assert_int_equal(pin_select_draw(table, &draws, 16, rr_i), 1);
            history[i] = rr_i[0];
        }
        for (size_t i = 0; i + 30 <= N_ELEMS(history); i++) {
            unsigned n_first = 0;
            for (size_t j = 0; j < 30; j++) {
                n_first += history[i + j] == 0;
            }
            assert_in_range(n_first, 2, 4);
        }
        pin_draws_done(&draws);
    }
    pin_table_unref(table);
}

/* A sticky table, of equal addresses but for their last byte. */
static struct pin_table *make_sticky(const uint64_t *weight, uint16_t n_rr, uint64_t nodata)
{
    static uint8_t wire[RR_MAX * PIN_RR_A_BYTES];
    for (size_t i = 0; i < n_rr; i++) {
        wire[i * PIN_RR_A_BYTES + PIN_RR_A_BYTES - 1] = (uint8_t)i;
    }
    return pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_DRAWN,
        .mode = PIN_ANSWERS_SINGLE,
        .is_sticky = true,
        .n_rr = n_rr,
        .n_pick_max = 1,
        .rr_bytes = PIN_RR_A_BYTES,
        .wire = wire,
        .wire_bytes = (uint32_t)n_rr * PIN_RR_A_BYTES,
        .weights = weight,
        .nodata = nodata,
    });
}

static struct sticky_case {
    const char *name;
    uint64_t weight[RR_MAX];
    uint16_t n_rr;
    uint64_t nodata;
} sticky_cases[] = {
    {"sticky: equal weights", {1, 1, 1, 1}, 4, 0},
    {"sticky: uneven weights", {1, 2, 3, 4, 10}, 5, 0},
    {"sticky: one address has nearly all", {1, 999}, 2, 0},
    {"sticky: a share of NODATA beside equal weights", {1, 1}, 2, 2},
    {"sticky: a share of NODATA beside uneven weights", {3, 1}, 2, 4},
};

static void test_sticky_shares(void **state)
{
    const struct sticky_case *c = *state;
    const double n_keys = 40000;
    struct pin_table *table = make_sticky(c->weight, c->n_rr, c->nodata);
    double sum = (double)c->nodata;
    unsigned count[RR_MAX] = {0};
    for (uint64_t key = 0; key < (uint64_t)n_keys; key++) {
        uint16_t rr_i = 0;
        uint16_t again = 0;
        uint16_t n = pin_select_sticky(table, key, NULL, &rr_i);
        assert_int_equal(pin_select_sticky(table, key, NULL, &again), n);
        assert_int_equal(rr_i, again);
        count[rr_i] += n;
    }
    for (uint16_t i = 0; i < c->n_rr; i++) {
        sum += (double)c->weight[i];
    }
    for (uint16_t i = 0; i < c->n_rr; i++) {
        double share = (double)c->weight[i] / sum;
        double off = count[i] - n_keys * share;
        assert_true(off * off <= 16 * n_keys * share * (1 - share)); /* 4 deviations */
    }
    pin_table_unref(table);
}

static void test_groups(void **state)
{
    const uint64_t weight[] = {1, 1, 3, 2, 3};
    static const uint16_t group_of[] = {0, 0, 1, 2, 2};
    static const uint8_t wire[5 * PIN_RR_A_BYTES];
    unsigned first[5] = {0};
    struct pin_draws draws;
    (void)state;
    struct pin_table *table = pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_DRAWN,
        .mode = PIN_ANSWERS_GROUP,
        .n_rr = 5,
        .n_pick_max = 3,
        .rr_bytes = PIN_RR_A_BYTES,
        .wire = wire,
        .wire_bytes = sizeof(wire),
        .weights = weight,
        .group_of = group_of,
        .n_groups = 3,
    });
    assert_int_equal(pin_draws_init(&draws, 16, 0), PIN_OK);
    for (size_t i = 0; i < 1000; i++) {
        uint16_t rr_i[PIN_PICK_MAX];
        unsigned groups = 0;
        assert_int_equal(pin_select_draw(table, &draws, 16, rr_i), 3);
        for (size_t j = 0; j < 3; j++) {
            groups |= 1u << group_of[rr_i[j]];
        }
        assert_int_equal(groups, 7);
        first[rr_i[0]]++;
        assert_int_equal(pin_select_draw(table, &draws, 1, rr_i), 1);
    }
    for (size_t i = 0; i < 5; i++) {
        assert_in_range(first[i], 100 * weight[i] - 3, 100 * weight[i] + 3);
    }
    pin_draws_done(&draws);
    pin_table_unref(table);
}

static void test_workers_start_apart(void **state)
{
    struct pin_draws a;
    struct pin_draws b;
    (void)state;
    assert_int_equal(pin_draws_init(&a, 16, 0), PIN_OK);
    assert_int_equal(pin_draws_init(&b, 16, 1), PIN_OK);
    assert_true(pin_draws_next(&a, 3) != pin_draws_next(&b, 3));
    assert_true(pin_draws_next(&a, 3) != pin_draws_next(&a, 3));
    pin_draws_done(&a);
    pin_draws_done(&b);
    pin_draws_done(&a);
}

static void test_room(void **state)
{
    const uint64_t weight[] = {1, 1, 1, 1};
    struct pin_table *table = make_table(weight, 4, 4);
    struct pin_draws draws;
    uint16_t rr_i[PIN_PICK_MAX];
    (void)state;
    assert_int_equal(pin_draws_init(&draws, 16, 0), PIN_OK);
    assert_int_equal(pin_select_draw(table, &draws, 2, rr_i), 2);
    assert_true(rr_i[0] != rr_i[1]);
    assert_int_equal(pin_select_draw(table, &draws, 100, rr_i), 4);
    pin_draws_done(&draws);
    pin_table_unref(table);
}

static void test_all_in_weighted_order(void **state)
{
    const uint64_t weight[] = {1, 3};
    struct pin_table *table = make_table(weight, 2, 2);
    struct pin_draws draws;
    unsigned n_first = 0;
    (void)state;
    table->mode = PIN_ANSWERS_ALL;
    assert_int_equal(pin_draws_init(&draws, 16, 0), PIN_OK);
    for (unsigned i = 0; i < 4000; i++) {
        uint16_t rr_i[PIN_PICK_MAX];
        assert_int_equal(pin_select_draw(table, &draws, 16, rr_i), 2);
        assert_int_equal(rr_i[0] + rr_i[1], 1);
        n_first += rr_i[0] == 0;
    }
    assert_in_range(n_first, 998, 1002);
    pin_draws_done(&draws);
    pin_table_unref(table);
}

static int end_rcu(void **state)
{
    (void)state;
    pin_rcu_barrier();
    pin_rcu_unregister();
    return 0;
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(sticky_cases) + 5] = {{0}};
    size_t n = 0;
    for (; n < N_ELEMS(cases); n++) {
        tests[n] = (struct CMUnitTest){
            .name = cases[n].name, .test_func = test_full_round, .initial_state = &cases[n]};
    }
    for (size_t i = 0; i < N_ELEMS(sticky_cases); i++) {
        tests[n++] = (struct CMUnitTest){.name = sticky_cases[i].name,
            .test_func = test_sticky_shares,
            .initial_state = &sticky_cases[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_groups);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_thirty_in_a_row);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_workers_start_apart);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_room);
    tests[n] = (struct CMUnitTest)cmocka_unit_test(test_all_in_weighted_order);
    pin_rcu_register();
    return cmocka_run_group_tests_name("select", tests, NULL, end_rcu);
}
