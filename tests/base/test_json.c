/* SPDX-License-Identifier: Apache-2.0 */

/* JSON becomes a tree; what cJSON would let pass is refused. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"

static struct error_case {
    const char *name;
    const char *text;
    size_t bytes; /* 0: strlen */
    enum pin_err want;
    const char *want_text;
} cases[] = {
    {"a bracket left open", "{\"a\": 1,\n \"b\": [1, 2", 0, PIN_EPARSE, "2:"},
    {"a word that is none", "[1,\n nope]", 0, PIN_EPARSE, "2:"},
    {"a comma too many", "[1,]", 0, PIN_EPARSE, "1:"},
    {"a second value", "{} {}", 0, PIN_EPARSE, "1:4: something follows"},
    {"an escaped NUL", "{\"a\\u0000b\": 1}", 0, PIN_EUNSUPPORTED, "1:4: a NUL"},
    {"an escaped NUL behind an escaped backslash", "[\"\\\\\\u0000\"]", 0, PIN_EUNSUPPORTED, "1:5"},
    {"a NUL byte", "[\"a\0b\"]", 7, PIN_EUNSUPPORTED, "1:4: a NUL"},
    {"nothing", "", 0, PIN_EPARSE, "1:1: "},
    {"only space", "  ", 0, PIN_EPARSE, "1:"},
};

static void test_error(void **state)
{
    const struct error_case *c = *state;
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    size_t bytes = c->bytes == 0 ? strlen(c->text) : c->bytes;
    char *exact = malloc(bytes + 1); /* so that a read past the end is seen */
    char *copy = exact + (bytes == 0);
    memcpy(copy, c->text, bytes);
    assert_int_equal(pin_json_parse(copy, bytes, arena, &tree, &why), c->want);
    assert_null(tree);
    assert_memory_equal(why.text, c->want_text, strlen(c->want_text));
    free(exact);
    pin_arena_free(arena);
}

static void test_a_document(void **state)
{
    static const char text[] =
        "\n{\"s\": \"a\\u00e9\\\\u0000\", \"i\": -12, \"f\": 1.25, \"t\": true,"
        " \"n\": null, \"l\": [1, [], {}], \"m\": {\"a.b\": \"c\"}} \n";
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    (void)state;
    assert_int_equal(pin_json_parse(text, strlen(text), arena, &tree, NULL), PIN_OK);
    assert_int_equal(tree->n_children, 7);
    assert_string_equal(pin_tree_string(tree, "s", NULL), "a\xC3\xA9\\u0000");
    assert_int_equal(pin_tree_int(tree, "i", 0), -12);
    assert_string_equal(pin_tree_string(tree, "i", NULL), "-12");
    assert_true(pin_tree_find(tree, "f")->number > 1.2);
    assert_int_equal(pin_tree_find(tree, "f")->integer, 1);
    assert_true(pin_tree_bool(tree, "t", false));
    assert_int_equal(pin_tree_find(tree, "n")->kind, PIN_TREE_NULL);
    assert_int_equal(pin_tree_list(tree, "l")->n_children, 3);
    assert_int_equal(pin_tree_find(tree, "l")->last->kind, PIN_TREE_MAP);
    assert_string_equal(pin_tree_find(pin_tree_find(tree, "m"), "a.b")->text, "c");
    assert_int_equal(tree->line, 0);
    pin_arena_free(arena);
}

static enum pin_err parse_nested(size_t depth, size_t arena_bytes)
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", arena_bytes);
    char *text = malloc(2 * depth);
    memset(text, '[', depth);
    memset(text + depth, ']', depth);
    enum pin_err err = pin_json_parse(text, 2 * depth, arena, &tree, NULL);
    free(text);
    pin_arena_free(arena);
    return err;
}

static void test_limits(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(PIN_TREE_DEPTH_MAX, 1 << 20), PIN_OK);
    assert_int_equal(parse_nested(PIN_TREE_DEPTH_MAX + 2, 1 << 20), PIN_ELIMIT);
    assert_int_equal(parse_nested(100000, 1 << 20), PIN_EPARSE);
    assert_int_equal(parse_nested(PIN_TREE_DEPTH_MAX, 4096), PIN_ELIMIT);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        cmocka_unit_test(test_a_document),
        cmocka_unit_test(test_limits),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_error, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
