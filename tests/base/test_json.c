/* SPDX-License-Identifier: Apache-2.0 */

/* JSON becomes a tree; what is none is refused, and where is said. */

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
    {"a NUL behind an escape", "[\"\\n\0b\"]", 8, PIN_EUNSUPPORTED, "1:5: a NUL"},
    {"a control character", "[\"a\tb\"]", 0, PIN_EPARSE, "1:4: malformed"},
    {"a control character behind an escape", "[\"\\n\tb\"]", 0, PIN_EPARSE, "1:5: malformed"},
    {"an escape of nothing", "[\"\\x\"]", 0, PIN_EPARSE, "1:4: malformed"},
    {"a string left open behind a backslash", "[\"a\\", 0, PIN_EPARSE, "1:4: malformed"},
    {"half of a pair", "[\"\\ud83d\"]", 0, PIN_EPARSE, "1:3: malformed"},
    {"the second half of a pair first", "[\"\\ude00\\ud83d\"]", 0, PIN_EPARSE, "1:3: malformed"},
    {"a pair of two first halves", "[\"\\ud83d\\ud83d\"]", 0, PIN_EPARSE, "1:3: malformed"},
    {"a byte that is no UTF-8", "[\"a\xC1\"]", 0, PIN_EPARSE,
        "1:4: malformed JSON: a byte that is"},
    {"UTF-8 that is cut", "[\"\xC3\xA9\xC3\"]", 0, PIN_EPARSE,
        "1:5: malformed JSON: a byte that is"},
    {"one behind an escape", "[\"\\n\xFF\"]", 0, PIN_EPARSE, "1:5: malformed JSON: a byte that is"},
    {"a surrogate as it is", "[\"\xED\xA0\x80\"]", 0, PIN_EPARSE,
        "1:3: malformed JSON: a byte that is"},
    {"a key that is no UTF-8", "{\"\x80\": 1}", 0, PIN_EPARSE,
        "1:3: malformed JSON: a byte that is"},
    {"an escape that is cut", "[\"\\u00e\"]", 0, PIN_EPARSE, "1:3: malformed"},
    {"a zero in front", "[01]", 0, PIN_EPARSE, "1:3: malformed"},
    {"a plus in front", "[+1]", 0, PIN_EPARSE, "1:2: malformed"},
    {"a point without digits", "[1.]", 0, PIN_EPARSE, "1:4: malformed"},
    {"an exponent without digits", "[1e+]", 0, PIN_EPARSE, "1:5: malformed"},
    {"a minus alone", "-", 0, PIN_EPARSE, "1:2: malformed"},
    {"a key without quotes", "{a: 1}", 0, PIN_EPARSE, "1:2: malformed"},
    {"a key without a value", "{\"a\"}", 0, PIN_EPARSE, "1:5: malformed"},
    {"a comma too many in a map", "{\"a\": 1,}", 0, PIN_EPARSE, "1:9: malformed"},
    {"a brace that closes a list", "[1}", 0, PIN_EPARSE, "1:3: malformed"},
    {"half a word", "[tru", 0, PIN_EPARSE, "1:2: malformed"},
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

static struct number_case {
    const char *name;
    const char *text;
    enum pin_tree_kind kind;
    long long integer;
    const char *want_text;
} numbers[] = {
    {"zero", "0", PIN_TREE_INT, 0, "0"},
    {"minus zero is zero", "-0", PIN_TREE_INT, 0, "0"},
    {"a whole number above 2^53 is exact", "9007199254740993", PIN_TREE_INT, 9007199254740993,
        "9007199254740993"},
    {"18 digits with a sign", "-999999999999999999", PIN_TREE_INT, -999999999999999999,
        "-999999999999999999"},
    {"a fraction that is none", "12.0", PIN_TREE_INT, 12, "12"},
    {"an exponent", "12e2", PIN_TREE_INT, 1200, "1200"},
    {"a fraction", "-1.5E0", PIN_TREE_FLOAT, -1, "-1.5"},
    {"more than 64 bits hold", "1e30", PIN_TREE_FLOAT, 0, "1e+30"},
    {"more than a double holds", "1e999", PIN_TREE_FLOAT, 0, "inf"},
};

static void test_number(void **state)
{
    const struct number_case *c = *state;
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    assert_int_equal(pin_json_parse(c->text, strlen(c->text), arena, &tree, NULL), PIN_OK);
    assert_int_equal(tree->kind, c->kind);
    assert_true(tree->integer == c->integer);
    assert_string_equal(tree->text, c->want_text);
    assert_int_equal(tree->text_bytes, strlen(c->want_text));
    pin_arena_free(arena);
}

static void test_escapes(void **state)
{
    static const char text[] =
        "[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\", \"x\\u0041\\u00e9\\u20AC\\ud83d\\ude00y\", "
        "{\"\\u006bey\": \"\"}]";
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    (void)state;
    assert_int_equal(pin_json_parse(text, strlen(text), arena, &tree, NULL), PIN_OK);
    assert_string_equal(tree->first->text, "\"\\/\b\f\n\r\t");
    assert_int_equal(tree->first->text_bytes, 8);
    assert_string_equal(tree->first->next->text, "xA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80y");
    assert_string_equal(pin_tree_string(tree->last, "key", NULL), "");
    pin_arena_free(arena);
}

/* Members are told by the map they are in, which may stand in a list. */
static void test_some_members_are_left_out(void **state)
{
    static const struct pin_json_skip skips[] = {
        {"metadata", "managedFields"}, {"endpoints", "nodeName"}, {"", NULL}};
    static const char text[] =
        "{\"metadata\": {\"managedFields\": [{\"a\": \"]}\\\"\"}, [1]] , \"name\": \"x\"},"
        "\"managedFields\": 1, \"endpoints\": [{\"nodeName\": \"n\"}, {\"zone\": \"z\", "
        "\"nodeName\":7}],"
        "\"nodeName\": \"kept\"}";
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    (void)state;
    assert_int_equal(pin_json_parse_some(text, strlen(text), skips, arena, &tree, NULL), PIN_OK);
    assert_int_equal(pin_tree_map(tree, "metadata")->n_children, 1);
    assert_string_equal(pin_tree_string(tree, "metadata.name", NULL), "x");
    assert_int_equal(pin_tree_int(tree, "managedFields", 0), 1);
    assert_int_equal(pin_tree_list(tree, "endpoints")->first->n_children, 0);
    assert_string_equal(pin_tree_string(pin_tree_list(tree, "endpoints")->last, "zone", NULL), "z");
    assert_int_equal(pin_tree_list(tree, "endpoints")->last->n_children, 1);
    assert_string_equal(pin_tree_string(tree, "nodeName", NULL), "kept");
    for (size_t bytes = 1; bytes < strlen(text); bytes++) { /* cut anywhere, it is an error */
        char *exact = malloc(bytes);
        memcpy(exact, text, bytes);
        assert_int_equal(pin_json_parse_some(exact, bytes, skips, arena, &tree, NULL), PIN_EPARSE);
        free(exact);
    }
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
    assert_int_equal(parse_nested(100000, 1 << 20), PIN_ELIMIT);
    assert_int_equal(parse_nested(PIN_TREE_DEPTH_MAX, 4096), PIN_ELIMIT);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(numbers) + 4] = {
        cmocka_unit_test(test_a_document),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_some_members_are_left_out),
    };
    for (size_t i = 0; i < N_ELEMS(numbers); i++) {
        tests[4 + N_ELEMS(cases) + i] = (struct CMUnitTest){
            .name = numbers[i].name, .test_func = test_number, .initial_state = &numbers[i]};
    }
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[4 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_error, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
