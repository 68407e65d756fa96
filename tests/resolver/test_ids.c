/* SPDX-License-Identifier: Apache-2.0 */

/* Ids: found while their thing is there, and never given twice. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "resolver/ids.h"

#define N_THINGS 1000u

static void test_things_are_found_by_their_ids(void **state)
{
    static int things[N_THINGS];
    static uint64_t given[N_THINGS];
    struct pin_ids ids = {0};
    (void)state;
    for (size_t i = 0; i < N_THINGS; i++) {
        given[i] = pin_ids_give(&ids, &things[i]);
        assert_true(given[i] != 0);
    }
    for (size_t i = 0; i < N_THINGS; i++) {
        assert_ptr_equal(pin_ids_find(&ids, given[i]), &things[i]);
    }
    pin_ids_done(&ids);
}

static void test_a_place_is_used_again_and_an_id_is_not(void **state)
{
    int first = 0;
    int second = 0;
    struct pin_ids ids = {0};
    (void)state;
    uint64_t first_id = pin_ids_give(&ids, &first);
    pin_ids_drop(&ids, first_id);
    pin_ids_drop(&ids, first_id); /* once more does nothing */
    uint64_t second_id = pin_ids_give(&ids, &second);
    assert_true(first_id != second_id);
    assert_int_equal(first_id % PIN_IDS_MAX, second_id % PIN_IDS_MAX);
    assert_null(pin_ids_find(&ids, first_id));
    assert_ptr_equal(pin_ids_find(&ids, second_id), &second);
    pin_ids_drop(&ids, first_id);
    assert_ptr_equal(pin_ids_find(&ids, second_id), &second);
    pin_ids_done(&ids);
}

static void test_ids_that_were_never_given(void **state)
{
    int thing = 0;
    struct pin_ids ids = {0};
    (void)state;
    assert_null(pin_ids_find(&ids, 0));
    assert_null(pin_ids_find(&ids, UINT64_MAX));
    uint64_t id = pin_ids_give(&ids, &thing);
    assert_null(pin_ids_find(&ids, 0));
    assert_null(pin_ids_find(&ids, id + 1));
    assert_null(pin_ids_find(&ids, UINT64_MAX));
    pin_ids_done(&ids);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_things_are_found_by_their_ids),
        cmocka_unit_test(test_a_place_is_used_again_and_an_id_is_not),
        cmocka_unit_test(test_ids_that_were_never_given),
    };
    return cmocka_run_group_tests_name("ids", tests, NULL, NULL);
}
