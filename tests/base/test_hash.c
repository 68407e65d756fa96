/* SPDX-License-Identifier: Apache-2.0 */

/* The map does what a list of pairs would do, in order of insertion. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

static int values[1000];

static void test_hash(void **state)
{
    static const uint8_t no_secret[PIN_HASH_SECRET_BYTES];
    (void)state;
    assert_true(pin_hash64("abc", 3) == pin_hash64("abc", 3));
    assert_true(pin_hash64("abc", 3) != pin_hash64("abd", 3));
    assert_true(pin_hash64("abc", 3) != pin_hash64("abc", 2));
    assert_memory_not_equal(pin_hash_secret, no_secret, sizeof(no_secret));
}

static void test_put_find_remove(void **state)
{
    struct pin_map map = {0};
    void *old = &old;
    (void)state;
    assert_null(pin_map_find(&map, "a", 1));
    assert_null(pin_map_remove(&map, "a", 1));
    assert_true(pin_map_put(&map, "a", 1, &values[0], &old));
    assert_null(old);
    assert_true(pin_map_put(&map, "a\0b", 3, &values[1], NULL));
    assert_true(pin_map_put(&map, "", 0, &values[2], NULL));
    assert_true(pin_map_put(&map, "a", 1, &values[3], &old));
    assert_ptr_equal(old, &values[0]);
    assert_int_equal(pin_map_count(&map), 3);
    assert_ptr_equal(pin_map_find(&map, "a", 1), &values[3]);
    assert_ptr_equal(pin_map_find(&map, "a\0b", 3), &values[1]);
    assert_ptr_equal(pin_map_find(&map, "", 0), &values[2]);
    assert_null(pin_map_find(&map, "a\0", 2));
    assert_ptr_equal(pin_map_remove(&map, "a", 1), &values[3]);
    assert_null(pin_map_find(&map, "a", 1));
    assert_int_equal(pin_map_count(&map), 2);
    pin_map_done(&map, NULL);
    assert_int_equal(pin_map_count(&map), 0);
    pin_map_done(&map, NULL);
}

/* A key that lies in the value: replaced with it, and never freed by the map. */
static void test_borrows_keys(void **state)
{
    struct pin_map map = {0};
    const char *key = NULL;
    size_t bytes = 0;
    size_t cursor = 0;
    void *old = NULL;
    (void)state;
    char *first = strdup("web");
    char *second = strdup("web");
    assert_true(pin_map_put_borrowed(&map, first, 3, first, &old));
    assert_null(old);
    assert_true(pin_map_put_borrowed(&map, second, 3, second, &old));
    assert_ptr_equal(old, first);
    free(first); /* the map does not look at it any more */
    assert_ptr_equal(pin_map_find(&map, "web", 3), second);
    assert_true(pin_map_next(&map, &cursor, &key, &bytes, NULL));
    assert_ptr_equal(key, second);
    assert_true(pin_map_put(&map, second, 3, &values[0], &old)); /* a copy in its place */
    assert_ptr_equal(old, second);
    free(second);
    assert_ptr_equal(pin_map_find(&map, "web", 3), &values[0]);
    assert_true(pin_map_put_borrowed(&map, "web", 3, &values[1], NULL)); /* and back */
    assert_ptr_equal(pin_map_remove(&map, "web", 3), &values[1]);
    assert_true(pin_map_put_borrowed(&map, "db", 2, &values[2], NULL));
    pin_map_done(&map, NULL);
}

static void test_iterates_in_order_of_insertion(void **state)
{
    struct pin_map map;
    char key[16];
    const char *got_key = NULL;
    size_t got_bytes = 0;
    void *got = NULL;
    size_t cursor = 0;
    (void)state;
    pin_map_init(&map);
    for (int i = 0; i < 1000; i++) {
        int bytes = snprintf(key, sizeof(key), "k%d", i);
        assert_true(pin_map_put(&map, key, (size_t)bytes, &values[i], NULL));
    }
    int i = 0;
    while (pin_map_next(&map, &cursor, &got_key, &got_bytes, &got)) {
        (void)snprintf(key, sizeof(key), "k%d", i);
        assert_string_equal(got_key, key);
        assert_int_equal(got_bytes, strlen(key));
        assert_ptr_equal(got, &values[i]);
        if (i % 3 != 0) {
            assert_ptr_equal(pin_map_remove(&map, got_key, got_bytes), got); /* the current one */
        }
        i++;
    }
    assert_int_equal(i, 1000);
    assert_int_equal(pin_map_count(&map), 334);
    cursor = 0;
    while (pin_map_next(&map, &cursor, &got_key, &got_bytes, NULL)) {
        assert_non_null(pin_map_remove(&map, got_key, got_bytes));
    }
    assert_int_equal(pin_map_count(&map), 0);
    pin_map_done(&map, NULL);
}

static void test_is_a_queue(void **state)
{
    struct pin_map map = {0};
    unsigned next = 0; /* to be put */
    unsigned n_taken = 0;
    (void)state;
    for (unsigned round = 0; round < 50000; round++) {
        const unsigned *got = NULL;
        size_t cursor = 0;
        size_t bytes = 0;
        for (unsigned i = 0; i < 2 && next < 40000; i++, next++) {
            assert_true(pin_map_put(&map, &next, sizeof(next), &values[0], NULL));
        }
        const char *key = NULL;
        if (!pin_map_next(&map, &cursor, &key, &bytes, NULL)) {
            break;
        }
        got = (const void *)key;
        assert_int_equal(*got, n_taken++);
        assert_non_null(pin_map_remove(&map, key, bytes));
    }
    assert_int_equal(n_taken, 40000); /* in seconds, not minutes */
    pin_map_done(&map, NULL);
}

static void test_agrees_with_an_array(void **state)
{
    struct pin_map map = {0};
    void *want[500] = {0};
    size_t n_want = 0;
    (void)state;
    pin_rand_seed(99);
    for (int step = 0; step < 200000; step++) {
        uint32_t i = pin_rand_below(step / 50000 % 2 == 0 ? 500 : 20);
        void *old = NULL;
        if (pin_rand_below(2) == 0) {
            void *value = &values[pin_rand_below(1000)];
            assert_true(pin_map_put(&map, &i, sizeof(i), value, &old));
            assert_ptr_equal(old, want[i]);
            n_want += want[i] == NULL;
            want[i] = value;
        } else {
            assert_ptr_equal(pin_map_remove(&map, &i, sizeof(i)), want[i]);
            n_want -= want[i] != NULL;
            want[i] = NULL;
        }
        i = pin_rand_below(500);
        assert_ptr_equal(pin_map_find(&map, &i, sizeof(i)), want[i]);
        assert_int_equal(pin_map_count(&map), n_want);
    }
    pin_map_done(&map, NULL);
}

static void test_done_frees_values(void **state)
{
    struct pin_map map = {0};
    (void)state;
    for (int i = 0; i < 10; i++) {
        assert_true(pin_map_put(&map, &i, sizeof(i), malloc(8), NULL));
    }
    int gone = 3;
    free(pin_map_remove(&map, &gone, sizeof(gone)));
    pin_map_done(&map, free); /* the leak checker sees the rest */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash),
        cmocka_unit_test(test_put_find_remove),
        cmocka_unit_test(test_borrows_keys),
        cmocka_unit_test(test_iterates_in_order_of_insertion),
        cmocka_unit_test(test_is_a_queue),
        cmocka_unit_test(test_agrees_with_an_array),
        cmocka_unit_test(test_done_frees_values),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
