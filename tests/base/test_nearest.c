/* SPDX-License-Identifier: Apache-2.0 */

/* Which known word a slip of the finger meant. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/nearest.h"

static void test_nearest(void **state)
{
    (void)state;
    static const char *const words[] = {"listen", "clusters", "clusterSet", "zones", "geo"};
    assert_string_equal(pin_nearest("listn", words, N_ELEMS(words)), "listen");
    assert_string_equal(pin_nearest("lisetn", words, N_ELEMS(words)), "listen");
    assert_string_equal(pin_nearest("clusterset", words, N_ELEMS(words)), "clusterSet");
    assert_string_equal(pin_nearest("zone", words, N_ELEMS(words)), "zones");
    assert_null(pin_nearest("banana", words, N_ELEMS(words)));
    assert_null(pin_nearest("foo", words, N_ELEMS(words))); /* one letter of three is not meant */
    assert_string_equal(pin_nearest("goe", words, N_ELEMS(words)), "geo");
    assert_null(pin_nearest("", words, N_ELEMS(words)));
}

static void test_among(void **state)
{
    (void)state;
    static const char *const words[] = {"listen", "zones"};
    assert_true(pin_is_among("zones", words, N_ELEMS(words)));
    assert_false(pin_is_among("zone", words, N_ELEMS(words)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a slip of the finger has its word, another word none", test_nearest, NULL, NULL, NULL},
        {"a word is among others only as it is", test_among, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
