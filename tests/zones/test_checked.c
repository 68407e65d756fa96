/* SPDX-License-Identifier: Apache-2.0 */

/* Shares of what is up: exact over a full turn, whatever is down. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/select.h"
#include "pintle/zones/table.h"

#define RRS_MAX 8
#define TURNS   1200u /* divides well */

/* Verdicts as letters by RR: u up, d down, n new, a assumed, - not checked. */
static struct draw_case {
    const char *name;
    const char *verdicts;
    struct {
        uint32_t backend, weight, n_items; /* weight 0: counted */
    } groups[3];
    uint32_t n_groups;
    uint32_t backends[3];
    bool keeps_nodata;
    enum pin_answers_mode mode;
    uint16_t n_limit;
    unsigned first[RRS_MAX];    /* wanted: how often first, of TURNS */
    unsigned included[RRS_MAX]; /* and how often in the answer */
} cases[] = {
    {"what is left shares equally", "udu", {{0, 0, 3}}, 1, {1}, false, PIN_ANSWERS_SUBSET, 16,
        {600, 0, 600}, {1200, 0, 1200}},
    {"a limit shares out the places", "uuud", {{0, 0, 4}}, 1, {1}, false, PIN_ANSWERS_SUBSET, 2,
        {400, 400, 400, 0}, {800, 800, 800, 0}},
    {"counted groups weigh what is up", "uuduu", {{0, 0, 3}, {0, 0, 2}}, 2, {1}, false,
        PIN_ANSWERS_SUBSET, 16, {300, 300, 0, 300, 300}, {1200, 1200, 0, 1200, 1200}},
    {"a backend keeps its share", "uddduu", {{0, 0, 4}, {1, 0, 2}}, 2, {10, 90}, false,
        PIN_ANSWERS_SUBSET, 16, {120, 0, 0, 0, 540, 540}, {240, 0, 0, 0, 1080, 1080}},
    {"a cluster's weight stays, too", "udu", {{0, 3, 2}, {0, 1, 1}}, 2, {1}, false,
        PIN_ANSWERS_SUBSET, 16, {900, 0, 300}, {900, 0, 300}},
    {"a backend that is down gives its share away", "ddu", {{0, 0, 2}, {1, 0, 1}}, 2, {10, 90},
        false, PIN_ANSWERS_SUBSET, 16, {0, 0, 1200}, {0, 0, 1200}},
    {"or lets it go to nobody", "ddu", {{0, 0, 2}, {1, 0, 1}}, 2, {25, 75}, true,
        PIN_ANSWERS_SUBSET, 16, {0, 0, 900}, {0, 0, 900}},
    {"single is one", "udu", {{0, 0, 3}}, 1, {1}, false, PIN_ANSWERS_SINGLE, 16, {600, 0, 600},
        {600, 0, 600}},
    {"all begins by the shares and shows all", "uud", {{0, 3, 1}, {0, 1, 2}}, 2, {1}, false,
        PIN_ANSWERS_ALL, 16, {900, 300, 0}, {1200, 1200, 0}},
    {"what is not checked is up", "-d", {{0, 0, 2}}, 1, {1}, false, PIN_ANSWERS_SUBSET, 16,
        {1200, 0}, {1200, 0}},
    {"what was assumed is up, what is new is not", "anu", {{0, 0, 3}}, 1, {1}, false,
        PIN_ANSWERS_SUBSET, 16, {600, 0, 600}, {1200, 0, 1200}},
    {"what is new goes before what is down", "dnn", {{0, 0, 3}}, 1, {1}, false, PIN_ANSWERS_SUBSET,
        16, {0, 600, 600}, {0, 1200, 1200}},
    {"a million to one stays", "ud-", {{0, 1, 2}, {0, 1000000, 1}}, 2, {1}, false,
        PIN_ANSWERS_SUBSET, 16, {0, 0, 1200}, {0, 0, 1200}},
};

/* Everything one case needs. */
struct stage {
    _Atomic uint64_t words[RRS_MAX];
    struct pin_checked checked;
    struct pin_checked_group groups[3];
    struct pin_checked_item items[RRS_MAX];
    struct pin_uneven uneven;
    struct pin_table table;
};

static enum pin_verdict verdict_of(char letter)
{
    return letter == 'd'   ? PIN_VERDICT_DOWN
           : letter == 'n' ? PIN_VERDICT_UNJUDGED
           : letter == 'a' ? PIN_VERDICT_ASSUMED
                           : PIN_VERDICT_UP;
}

static void set_stage(struct stage *stage, const struct draw_case *c)
{
    uint32_t n = (uint32_t)strlen(c->verdicts);
    uint32_t first = 0;
    *stage = (struct stage){.checked = {.n_groups = c->n_groups,
                                .n_items = n,
                                .n_backends = 3,
                                .n_limit = c->n_limit,
                                .keeps_nodata = c->keeps_nodata,
                                .backends = c->backends,
                                .groups = stage->groups,
                                .items = stage->items},
        .uneven = {.checked = &stage->checked},
        .table = {.mode = c->mode, .uneven = &stage->uneven}};
    for (uint32_t i = 0; i < n; i++) {
        stage->items[i] = (struct pin_checked_item){
            .slot = c->verdicts[i] == '-' ? PIN_SLOT_NONE : i, .rr_i = (uint16_t)i};
        atomic_store(&stage->words[i],
            pin_health_pack((struct pin_health_state){.verdict = verdict_of(c->verdicts[i])}));
    }
    for (uint32_t i = 0; i < c->n_groups; i++) {
        stage->groups[i] = (struct pin_checked_group){.backend_i = c->groups[i].backend,
            .weight = c->groups[i].weight,
            .count = c->groups[i].n_items,
            .first_item = first,
            .n_items = c->groups[i].n_items};
        first += c->groups[i].n_items;
    }
}

static void test_draw(void **state)
{
    const struct draw_case *c = *state;
    struct stage stage;
    struct pin_sight sight;
    unsigned first[RRS_MAX] = {0};
    unsigned included[RRS_MAX] = {0};
    set_stage(&stage, c);
    pin_checked_look(&stage.checked, stage.words, &sight);
    assert_false(sight.is_plain || sight.is_nothing);
    for (uint64_t i = 0; i < TURNS; i++) {
        uint16_t rr_i[PIN_PICK_MAX];
        /* the middle of each of TURNS equal parts of the circle */
        uint64_t turn = UINT64_MAX / TURNS * i + UINT64_MAX / TURNS / 2;
        uint16_t n = pin_checked_draw(&stage.table, &sight, turn, PIN_PICK_MAX, rr_i);
        for (uint16_t j = 0; j < n; j++) {
            included[rr_i[j]]++;
        }
        if (n > 0) {
            first[rr_i[0]]++;
        }
    }
    for (size_t i = 0; i < strlen(c->verdicts); i++) {
        assert_in_range(first[i] + 1, c->first[i], c->first[i] + 2); /* an edge may round */
        assert_in_range(included[i] + 2, c->included[i], c->included[i] + 4);
    }
}

/* --- looks -------------------------------------------------------------------------------------
 */

static void look(
    const char *verdicts, enum pin_all_down all_down, uint8_t up_percent, struct pin_sight *ret)
{
    struct draw_case c = {.verdicts = verdicts,
        .groups = {{0, 0, (uint32_t)strlen(verdicts)}},
        .n_groups = 1,
        .backends = {1}};
    struct stage stage;
    set_stage(&stage, &c);
    stage.checked.all_down = all_down;
    stage.checked.up_percent = up_percent;
    pin_checked_look(&stage.checked, stage.words, ret);
}

static void test_looks(void **state)
{
    struct pin_sight sight;
    (void)state;
    look("uuu", PIN_ALL_DOWN_NONE, 0, &sight);
    assert_true(sight.is_plain);
    look("aaa", PIN_ALL_DOWN_NONE, 0, &sight);
    assert_true(sight.is_plain);
    look("nnn", PIN_ALL_DOWN_NONE, 0, &sight);
    assert_true(sight.is_plain);
    look("ddd", PIN_ALL_DOWN_ALL, 0, &sight);
    assert_true(sight.is_plain);
    look("ddd", PIN_ALL_DOWN_UNSET, 0, &sight);
    assert_true(sight.is_plain);
    look("ddd", PIN_ALL_DOWN_NONE, 0, &sight);
    assert_true(sight.is_nothing && !sight.is_plain);
    look("ddu", PIN_ALL_DOWN_NONE, 34, &sight);
    assert_true(sight.is_nothing);
    look("ddu", PIN_ALL_DOWN_ALL, 34, &sight);
    assert_true(sight.is_plain);
    look("ddu", PIN_ALL_DOWN_ALL, 33, &sight);
    assert_false(sight.is_plain);
    look("dn", PIN_ALL_DOWN_NONE, 0, &sight);
    assert_false(sight.is_plain || sight.is_nothing);
}

static void test_turning(void **state)
{
    struct draw_case c = {.verdicts = "uuu", .groups = {{0, 0, 3}}, .n_groups = 1, .backends = {1}};
    struct stage stage;
    struct pin_sight sight;
    (void)state;
    set_stage(&stage, &c);
    pin_checked_look(&stage.checked, stage.words, &sight);
    assert_int_equal(sight.next_s, PIN_SIGHT_CALM);
    for (uint32_t i = 1; i < 3; i++) {
        atomic_store(&stage.words[i],
            pin_health_pack((struct pin_health_state){
                .is_turning = true, .verdict = PIN_VERDICT_UP, .next_s = 100 - i}));
    }
    pin_checked_look(&stage.checked, stage.words, &sight);
    assert_int_equal(sight.next_s, 98);
    assert_true(sight.is_plain);
}

int main(void)
{
    static const struct CMUnitTest others[] = {
        {"all, none and too few", test_looks, NULL, NULL, NULL},
        {"the earliest result that may change something", test_turning, NULL, NULL, NULL},
    };
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(others)];
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_draw, .initial_state = &cases[i]};
    }
    memcpy(&tests[N_ELEMS(cases)], others, sizeof(others));
    return cmocka_run_group_tests_name("checked", tests, NULL, NULL);
}
