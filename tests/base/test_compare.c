/* SPDX-License-Identifier: Apache-2.0 */

/* Texts that may be absent, ends of texts, and their order in arrays. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

static void test_absent_is_no_empty_text(void **state)
{
    char copy[] = "web";
    (void)state;
    assert_true(pin_is_same_text("web", copy));
    assert_false(pin_is_same_text("web", "Web"));
    assert_false(pin_is_same_text("web", "we"));
    assert_true(pin_is_same_text(NULL, NULL));
    assert_false(pin_is_same_text(NULL, ""));
    assert_false(pin_is_same_text("", NULL));
}

static void test_ends(void **state)
{
    (void)state;
    assert_true(pin_has_end("ServiceList", "List"));
    assert_true(pin_has_end("List", "List"));
    assert_true(pin_has_end("List", ""));
    assert_false(pin_has_end("ist", "List"));
    assert_false(pin_has_end("ListOf", "List"));
}

static void test_order(void **state)
{
    const char *texts[] = {"b", "", "aa", "a"};
    (void)state;
    qsort(texts, N_ELEMS(texts), sizeof(texts[0]), pin_compare_texts);
    assert_string_equal(texts[0], "");
    assert_string_equal(texts[1], "a");
    assert_string_equal(texts[2], "aa");
    assert_string_equal(texts[3], "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_is_no_empty_text),
        cmocka_unit_test(test_ends),
        cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests_name("compare", tests, NULL, NULL);
}
