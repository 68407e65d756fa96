/* SPDX-License-Identifier: Apache-2.0 */

/* Allocations are zeroed, aligned and apart; the cap holds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"

static void test_blocks_are_zeroed_aligned_and_apart(void **state)
{
    (void)state;
    struct pin_arena *arena = pin_arena_new("test", (size_t)8 << 20);
    unsigned char *before = NULL;
    for (size_t bytes = 0; bytes < 3000; bytes++) {
        unsigned char *at = pin_arena_alloc(arena, bytes);
        assert_non_null(at);
        assert_int_equal((uintptr_t)at % 16, 0);
        for (size_t i = 0; i < bytes; i++) {
            assert_int_equal(at[i], 0);
        }
        memset(at, 0xAA, bytes);
        if (before != NULL && bytes > 1) {
            assert_int_equal(before[bytes - 2], 0xAA); /* the neighbour was not zeroed */
        }
        before = at;
    }
    pin_arena_free(arena);
}

static void test_the_cap_holds(void **state)
{
    (void)state;
    struct pin_arena *arena = pin_arena_new("small", 100000);
    size_t n = 0;
    assert_false(pin_arena_has_failed(arena));
    while (pin_arena_alloc(arena, 1000) != NULL) {
        n++;
    }
    assert_true(pin_arena_has_failed(arena));
    assert_in_range(n, 90, 99);
    assert_true(pin_arena_used(arena) <= 100000);
    assert_null(pin_arena_alloc(arena, SIZE_MAX));
    assert_null(pin_arena_alloc(arena, SIZE_MAX - 8));
    assert_null(pin_arena_strndup(arena, "x", SIZE_MAX));
    assert_string_equal(pin_arena_name(arena), "small");
    pin_arena_free(arena);
    pin_arena_free(NULL);
}

static void test_a_reset_makes_room_again(void **state)
{
    (void)state;
    struct pin_arena *arena = pin_arena_new("round", 100000);
    pin_arena_reset(arena);
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 60; i++) {
            assert_non_null(pin_arena_alloc(arena, 1000));
        }
        pin_arena_reset(arena);
    }
    pin_arena_free(arena);
}

static void test_copies(void **state)
{
    (void)state;
    struct pin_arena *arena = pin_arena_new("copies", 100000);
    assert_string_equal(pin_arena_strndup(arena, "abcdef", 3), "abc");
    assert_string_equal(pin_arena_strdup(arena, "abcdef"), "abcdef");
    assert_string_equal(pin_arena_strndup(arena, NULL, 0), "");
    assert_memory_equal(pin_arena_memdup(arena, "a\0b", 3), "a\0b", 3);
    pin_arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blocks_are_zeroed_aligned_and_apart),
        cmocka_unit_test(test_the_cap_holds),
        cmocka_unit_test(test_a_reset_makes_room_again),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
