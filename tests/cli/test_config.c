/* SPDX-License-Identifier: Apache-2.0 */

/* Which option of the configuration file a person means. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "cli/config.h"

#define ARENA_BYTES ((size_t)16 << 20)

static struct find_case {
    const char *name; /* reads as a sentence in the test report */
    const char *key;
    const char *want; /* NULL: there is none */
    const char *near; /* or NULL */
} find_cases[] = {
    {"a path as the reference has it", "clusters[].stale.after", "clusters[].stale.after", NULL},
    {"a path without brackets", "clusters.stale.after", "clusters[].stale.after", NULL},
    {"a path as findings have it", "clusters[12].stale.after", "clusters[].stale.after", NULL},
    {"a path with dots around it", ".clusters[].name.", "clusters[].name", NULL},
    {"a key of the file", "clusters", "clusters", NULL},
    {"a list with its brackets", "clusters[]", "clusters", NULL},
    {"a last key that one option has", "maxTTL", "cache.maxTTL", NULL},
    {"a last key that several have is none of them", "interval.x", NULL, NULL},
    {"a key of the file goes before last keys", "zones", "zones", NULL},
    {"a slip in the last key", "clusters[].netwrok", NULL, "clusters[].network"},
    {"a slip in each key", "clustrs[].stal.aftr", NULL, "clusters[].stale.after"},
    {"a slip in a key of the file", "listne", NULL, "listen"},
    {"something else", "somethingElseAltogether", NULL, NULL},
    {"nothing", "", NULL, NULL},
    {"an open bracket", "clusters[", "clusters", NULL},
};

static void test_find(void **state)
{
    const struct find_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    const struct pin_tree *options = pin_config_options(arena);
    const char *near = NULL;
    assert_non_null(options);
    const struct pin_tree *option = pin_config_find_option(options, c->key, arena, &near);
    assert_int_equal(option != NULL, c->want != NULL);
    if (c->want != NULL) {
        assert_string_equal(pin_tree_string(option, "path", ""), c->want);
    }
    assert_int_equal(near != NULL, c->near != NULL);
    if (c->near != NULL) {
        assert_string_equal(near, c->near);
    }
    pin_arena_free(arena);
}

/* Longer than any path, and of nothing but brackets and dots. */
static void test_long(void **state)
{
    static const char *const parts[] = {"a", ".", "[", "]", "clusters.", "[0]."};
    (void)state;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    const struct pin_tree *options = pin_config_options(arena);
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        struct pin_text key = {0};
        const char *near = NULL;
        while (key.len < 2000) {
            pin_text_puts(&key, parts[i]);
        }
        assert_null(pin_config_find_option(options, pin_text_get(&key), arena, &near));
        pin_text_done(&key);
    }
    pin_arena_free(arena);
}

static void test_children(void **state)
{
    (void)state;
    assert_true(pin_config_is_child("clusters", ""));
    assert_false(pin_config_is_child("clusters[].name", ""));
    assert_true(pin_config_is_child("clusters[].name", "clusters"));
    assert_true(pin_config_is_child("stale.after", "stale"));
    assert_false(pin_config_is_child("clusters[].stale.after", "clusters"));
    assert_false(pin_config_is_child("recordsLease.name", "records"));
    assert_false(pin_config_is_child("stale", "stale"));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(find_cases) + 2];
    for (size_t i = 0; i < N_ELEMS(find_cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = find_cases[i].name, .test_func = test_find, .initial_state = &find_cases[i]};
    }
    tests[N_ELEMS(find_cases)] =
        (struct CMUnitTest){.name = "long and odd keys are none", .test_func = test_long};
    tests[N_ELEMS(find_cases) + 1] =
        (struct CMUnitTest){.name = "children are one key below", .test_func = test_children};
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
