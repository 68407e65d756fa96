/* SPDX-License-Identifier: Apache-2.0 */

/* Slots: who holds them, what control is told, what flips, how long they rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "zones/slots.h"

/* The unit under test: its holds, and a run that takes `n` addresses of it. */
struct unit {
    struct pin_health *health;
    struct pin_holds holds;
    uint32_t stamp;
    uint32_t slots[8];
};

static struct pin_ip address(uint8_t last)
{
    return pin_ip_from_bytes((const uint8_t[]){10, 1, 0, last}, 4);
}

/* Compiles the unit anew: addresses first to first + n - 1. */
static void run(struct unit *unit, uint8_t first, uint8_t n, bool has_time)
{
    struct pin_check check = pin_check_default();
    struct pin_holding holding =
        pin_holding_begin(unit->health, &unit->holds, ++unit->stamp, has_time);
    for (uint8_t i = 0; i < n; i++) {
        struct pin_ip ip = address((uint8_t)(first + i));
        unit->slots[i] = pin_holding_take(&holding, &ip, 80, &check);
    }
    assert_false(holding.failed);
    pin_holding_end(&holding, &unit->holds, false);
}

/* Takes the orders and tells them as "+0 +1 -0 ". */
static const char *orders(struct pin_health *health)
{
    static char text[256];
    struct pin_health_order *list = NULL;
    size_t used = 0;
    size_t n = pin_health_take_orders(health, &list);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%c%u ",
            list[i].spec != NULL ? '+' : '-', list[i].slot);
        free(list[i].spec);
    }
    if (n > 0) {
        free(list);
    }
    return text;
}

static enum pin_verdict verdict(const struct unit *unit, uint8_t i)
{
    return pin_health_unpack(pin_health_word(pin_health_words(unit->health), unit->slots[i]))
        .verdict;
}

static bool judge(struct unit *unit, uint8_t i, enum pin_verdict verdict)
{
    return pin_health_store(
        unit->health, unit->slots[i], (struct pin_health_state){.verdict = verdict});
}

static int set_up(void **state)
{
    struct unit *unit = calloc(1, sizeof(*unit));
    unit->health = pin_health_new();
    *state = unit;
    return unit->health == NULL;
}

static int tear_down(void **state)
{
    struct unit *unit = *state;
    pin_holds_release(unit->health, &unit->holds);
    pin_health_free(unit->health);
    free(unit);
    return 0;
}

static void test_orders(void **state)
{
    struct unit *unit = *state;
    run(unit, 1, 2, true);
    assert_string_equal(orders(unit->health), "+0 +1 ");
    run(unit, 1, 2, true);
    assert_string_equal(orders(unit->health), "");
    run(unit, 2, 2, true);
    assert_string_equal(orders(unit->health), "+2 -0 ");
    run(unit, 0, 0, true);
    assert_string_equal(orders(unit->health), "-1 -2 ");
    assert_null(unit->holds.slots);
}

static void test_two_units_share(void **state)
{
    struct unit *one = *state;
    struct unit two = {.health = one->health, .stamp = 100};
    run(one, 1, 1, true);
    run(&two, 1, 1, true);
    assert_int_equal(one->slots[0], two.slots[0]);
    assert_string_equal(orders(one->health), "+0 ");
    pin_holds_release(one->health, &one->holds);
    assert_string_equal(orders(one->health), "");
    pin_holds_release(one->health, &two.holds);
    assert_string_equal(orders(one->health), "-0 ");
}

static void test_first_verdicts(void **state)
{
    struct unit *unit = *state;
    run(unit, 1, 2, true);
    assert_int_equal(verdict(unit, 0), PIN_VERDICT_ASSUMED);
    run(unit, 1, 3, true); /* the clusters are still being listed */
    assert_int_equal(verdict(unit, 2), PIN_VERDICT_ASSUMED);
    run(unit, 1, 4, false);
    assert_int_equal(verdict(unit, 3), PIN_VERDICT_UNJUDGED);
    (void)judge(unit, 0, PIN_VERDICT_DOWN);
    (void)judge(unit, 1, PIN_VERDICT_DOWN);
    (void)judge(unit, 2, PIN_VERDICT_DOWN);
    run(unit, 1, 5, false); /* nothing is up: the new one is shown at once */
    assert_int_equal(verdict(unit, 4), PIN_VERDICT_ASSUMED);
}

static void test_flips(void **state)
{
    struct unit *unit = *state;
    struct unit other = {.health = unit->health, .stamp = 100};
    run(unit, 1, 2, true);
    run(&other, 3, 1, true);
    assert_false(pin_health_has_flips(unit->health));
    assert_true(judge(unit, 0, PIN_VERDICT_UP));
    assert_false(judge(unit, 0, PIN_VERDICT_UP));
    assert_true(pin_health_has_flips(unit->health));
    pin_health_take_flips(unit->health);
    assert_false(pin_health_has_flips(unit->health));
    assert_true(pin_holds_have_flip(unit->health, &unit->holds));
    assert_false(pin_holds_have_flip(unit->health, &other.holds));
    pin_health_take_flips(unit->health);
    assert_false(pin_holds_have_flip(unit->health, &unit->holds));
    pin_holds_release(unit->health, &other.holds);
}

static void test_failed_run_keeps(void **state)
{
    struct unit *unit = *state;
    struct pin_check check = pin_check_default();
    struct pin_ip ip = address(9);
    run(unit, 1, 1, true);
    assert_string_equal(orders(unit->health), "+0 ");
    struct pin_holding holding = pin_holding_begin(unit->health, &unit->holds, 50, true);
    (void)pin_holding_take(&holding, &ip, 80, &check);
    pin_holding_end(&holding, &unit->holds, true);
    assert_string_equal(orders(unit->health), "+1 -1 ");
    assert_int_equal(unit->holds.n, 1);
}

static void test_slots_rest(void **state)
{
    struct unit *unit = *state;
    uint32_t highest = 0;
    for (uint32_t i = 0; i < 5000; i++) {
        run(unit, (uint8_t)(i % 2), 1, true);
        highest = PIN_MAX(highest, unit->slots[0]);
        if (i > 0) {
            assert_int_not_equal(unit->slots[0], unit->slots[1]);
        }
        unit->slots[1] = unit->slots[0];
        (void)orders(unit->health);
    }
    assert_in_range(highest, 1000, 1100); /* used again, but not at once */
}

static void test_slots_not_let_go_are_not_used_again(void **state)
{
    struct unit *unit = *state;
    for (uint32_t i = 0; i < 3000; i++) {
        run(unit, (uint8_t)(i % 2), 1, true);
        assert_int_equal(unit->slots[0], i); /* control took no order yet */
    }
}

static void test_words(void **state)
{
    static const struct pin_health_state states[] = {
        {PIN_VERDICT_UP, false, 0, 0},
        {PIN_VERDICT_DOWN, true, UINT32_MAX, PIN_HEALTH_NEXT_MASK},
        {PIN_VERDICT_UNJUDGED, true, 1, 2},
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(states); i++) {
        struct pin_health_state back = pin_health_unpack(pin_health_pack(states[i]));
        assert_int_equal(back.verdict, states[i].verdict);
        assert_int_equal(back.is_turning, states[i].is_turning);
        assert_int_equal(back.since_s, states[i].since_s);
        assert_int_equal(back.next_s, states[i].next_s);
    }
    assert_int_equal(pin_health_pack(states[0]) & PIN_HEALTH_CALM_MASK, PIN_HEALTH_CALM);
    assert_int_not_equal(pin_health_pack(states[2]) & PIN_HEALTH_CALM_MASK, PIN_HEALTH_CALM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"addresses begin and stop with who holds them", test_orders, set_up, tear_down, NULL},
        {"units with equal checks share a slot", test_two_units_share, set_up, tear_down, NULL},
        {"new addresses wait beside others, not alone", test_first_verdicts, set_up, tear_down,
            NULL},
        {"a verdict that changes is told to who holds it", test_flips, set_up, tear_down, NULL},
        {"a run that fails leaves what was held", test_failed_run_keeps, set_up, tear_down, NULL},
        {"a slot rests before it is used again", test_slots_rest, set_up, tear_down, NULL},
        {"a slot that control may still write is not used again",
            test_slots_not_let_go_are_not_used_again, set_up, tear_down, NULL},
        {"a state survives its word", test_words, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("health", tests, NULL, NULL);
}
