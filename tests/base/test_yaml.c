/* SPDX-License-Identifier: Apache-2.0 */

/* YAML becomes the tree that its JSON form shows, or an error with its place. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/yaml.h"

static struct value_case {
    const char *name;
    const char *yaml;
    const char *want;
} cases[] = {
    {"an empty text has no documents", "", "[]"},
    {"a comment has no documents", "# nothing\n", "[]"},
    {"empty documents are left out", "---\n---\na: 1\n---\n...\n", "[{\"a\":1}]"},
    {"documents come in order", "a: 1\n---\nb: 2\n", "[{\"a\":1},{\"b\":2}]"},
    {"block and flow style mean the same", "a: [1, {b: c}]\nd:\n- e\n- f: g\n",
        "[{\"a\":[1,{\"b\":\"c\"}],\"d\":[\"e\",{\"f\":\"g\"}]}]"},
    {"JSON is YAML", "{\"a\": [true, null, \"x\", 1.5]}", "[{\"a\":[true,null,\"x\",1.5]}]"},
    {"JSON with tabs and escapes", "{\n\t\"a\":\t\"\\u00e9\\n\\/\"\n}",
        "[{\"a\":\"\xC3\xA9\\n/\"}]"},
    {"null has four forms", "[~, null, Null, NULL, ]", "[[null,null,null,null]]"},
    {"a key without value is null", "a:\nb: ''\n", "[{\"a\":null,\"b\":\"\"}]"},
    {"booleans of 1.2", "[true, False, TRUE]", "[[true,false,true]]"},
    {"booleans of 1.1 are strings", "[yes, no, on, off, y, n]",
        "[[\"yes\",\"no\",\"on\",\"off\",\"y\",\"n\"]]"},
    {"quoted scalars are strings", "['true', \"1\", '~', 'null']",
        "[[\"true\",\"1\",\"~\",\"null\"]]"},
    {"whole numbers", "[0, -1, +7, 0644, 0x1F, 0o17]", "[[0,-1,7,644,31,15]]"},
    {"the largest whole number", "[9223372036854775807, -9223372036854775808]",
        "[[9223372036854775807,-9223372036854775808]]"},
    {"beyond 64 bits is a decimal", "[9223372036854775808]", "[[9.223372036854776e+18]]"},
    {"decimals", "[1.5, -.5, 1., 1e3, 1.5E-1]", "[[1.5,-0.5,1,1000,0.15]]"},
    {"infinities are numbers", "[.inf, -.INF, .nan]", "[[null,null,null]]"},
    {"what only looks like a number is a string", "[1.2.3.4, 1-2, 1e, '-', +, ., 0x, 12:30, 1_000]",
        "[[\"1.2.3.4\",\"1-2\",\"1e\",\"-\",\"+\",\".\",\"0x\",\"12:30\",\"1_000\"]]"},
    {"a literal block keeps its lines", "a: |\n  x\n  y\n", "[{\"a\":\"x\\ny\\n\"}]"},
    {"a folded block joins them", "a: >-\n  x\n  y\n", "[{\"a\":\"x y\"}]"},
    {"keys stay text", "1: a\ntrue: b\n", "[{\"1\":\"a\",\"true\":\"b\"}]"},
    {"!!str makes a string", "[!!str 1, !!int '1', ! 2]", "[[\"1\",1,\"2\"]]"},
    {"an alias is a copy", "a: &x {b: 1}\nc: *x\nd: [*x, *x]\n",
        "[{\"a\":{\"b\":1},\"c\":{\"b\":1},\"d\":[{\"b\":1},{\"b\":1}]}]"},
    {"the last anchor of a name counts", "- &x 1\n- *x\n- &x 2\n- *x\n", "[[1,1,2,2]]"},
    {"an anchored key works", "&k a: 1\nb: *k\n", "[{\"a\":1,\"b\":\"a\"}]"},
    {"an alias as a key works", "a: &k x\n*k : 1\n", "[{\"a\":\"x\",\"x\":1}]"},
    {"a merge fills what is missing", "a: &x {p: 1, q: 2}\nb: {<<: *x, q: 3}\n",
        "[{\"a\":{\"p\":1,\"q\":2},\"b\":{\"q\":3,\"p\":1}}]"},
    {"of several merged maps the first counts", "b: {<<: [{p: 1}, {p: 2, q: 2}], r: 3}\n",
        "[{\"b\":{\"r\":3,\"p\":1,\"q\":2}}]"},
    {"a merged map with an anchor stays whole", "b:\n  <<: &x {p: 1, q: 2}\n  r: 3\nc: *x\n",
        "[{\"b\":{\"r\":3,\"p\":1,\"q\":2},\"c\":{\"p\":1,\"q\":2}}]"},
    {"a quoted << is a key like others", "{'<<': 1}", "[{\"<<\":1}]"},
    {"a byte order mark is skipped",
        "\xEF\xBB\xBF"
        "a: 1\n",
        "[{\"a\":1}]"},
    {"Windows line ends are line ends", "a: 1\r\nb: 2\r\n", "[{\"a\":1,\"b\":2}]"},
    {"other alphabets stay", "a: \xC3\xA9\n", "[{\"a\":\"\xC3\xA9\"}]"},
};

static void test_value(void **state)
{
    const struct value_case *c = *state;
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    struct pin_text text = {0};
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    assert_int_equal(pin_yaml_parse(c->yaml, strlen(c->yaml), arena, &docs, &why), PIN_OK);
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_tree(&json, docs);
    assert_true(pin_jsonout_is_ok(&json));
    assert_string_equal(pin_text_get(&text), c->want);
    pin_text_done(&text);
    pin_arena_free(arena);
}

static struct error_case {
    const char *name;
    const char *yaml;
    enum pin_err want;
    const char *want_text; /* how the reason begins */
} error_cases[] = {
    {"a key given twice", "a: 1\nb: 2\n  \na: 3\n", PIN_EPARSE, "4:1: key 'a' is given twice"},
    {"a key given twice in flow", "{a: 1, 'a': 2}", PIN_EPARSE, "1:8: key 'a' is given twice"},
    {"a bracket left open", "a: [1, 2\nb: 3\n", PIN_EPARSE, "2:2: "},
    {"a tab as indentation", "a:\n\tb: 1\n", PIN_EPARSE,
        "2:1: a tab, where YAML takes spaces alone"},
    {"a key without space behind its colon", "a: 1\nb:2\nc: 3\n", PIN_EPARSE, "3:1: "},
    {"bytes that are no UTF-8", "a: 1\nb: \xFF\n", PIN_EPARSE, "2:4: "},
    {"a later document spoils all", "a: 1\n---\n]\n", PIN_EPARSE, "3:1: "},
    {"an alias without anchor", "a: *nobody\n", PIN_EPARSE, "1:4: alias '*nobody' has no anchor"},
    {"an anchor of another document", "a: &x 1\n---\nb: *x\n", PIN_EPARSE, "3:4: alias '*x'"},
    {"an alias inside its anchor", "a: &x [*x]\n", PIN_EPARSE, "1:8: alias '*x' stands inside"},
    {"a list as a key", "{[a]: 1}", PIN_EUNSUPPORTED, "1:2: a key must be a scalar"},
    {"a tag of somebody's own", "a: !Ref b\n", PIN_EUNSUPPORTED, "1:4: tag '!Ref'"},
    {"a collection with such a tag", "a: !x [b]\n", PIN_EUNSUPPORTED, "1:4: tag '!x'"},
    {"a NUL character", "a: \"b\\0c\"\n", PIN_EUNSUPPORTED, "1:4: a NUL"},
    {"a merge of something else", "{<<: 1}", PIN_EPARSE, "1:6: the merge key"},
    {"a merge of a list of something else", "{<<: [{a: 1}, 2]}", PIN_EPARSE, "1:6: the merge key"},
    {"two merges", "{<<: {a: 1}, <<: {b: 1}}", PIN_EPARSE, "1:14: the merge key"},
};

static void test_error(void **state)
{
    const struct error_case *c = *state;
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    assert_int_equal(pin_yaml_parse(c->yaml, strlen(c->yaml), arena, &docs, &why), c->want);
    assert_null(docs);
    assert_memory_equal(why.text, c->want_text, strlen(c->want_text));
    assert_int_equal(pin_yaml_parse(c->yaml, strlen(c->yaml), arena, &docs, NULL), c->want);
    pin_arena_free(arena);
}

/* Parses `n` times `part` between `before` and `after`. */
static enum pin_err parse_repeated(
    const char *before, const char *part, size_t n, const char *after, size_t arena_bytes)
{
    struct pin_text text = {0};
    struct pin_tree *docs = NULL;
    struct pin_arena *arena = pin_arena_new("test", arena_bytes);
    pin_text_puts(&text, before);
    for (size_t i = 0; i < n; i++) {
        pin_text_puts(&text, part);
    }
    pin_text_puts(&text, after);
    enum pin_err err = pin_yaml_parse(text.ptr, text.len, arena, &docs, NULL);
    pin_text_done(&text);
    pin_arena_free(arena);
    return err;
}

static void test_limits(void **state)
{
    static const size_t mega = (size_t)1 << 20;
    (void)state;
    assert_int_equal(parse_repeated("", "[", PIN_TREE_DEPTH_MAX, "1", mega), PIN_EPARSE);
    assert_int_equal(parse_repeated("", "[", PIN_TREE_DEPTH_MAX + 1, "", mega), PIN_ELIMIT);
    assert_int_equal(parse_repeated("", "{a: ", PIN_TREE_DEPTH_MAX + 1, "", mega), PIN_ELIMIT);
    assert_int_equal(parse_repeated("", "- a\n", 20000, "", mega), PIN_ELIMIT);
    assert_int_equal(parse_repeated("", "- a\n", 20000, "", 16 * mega), PIN_OK);
    assert_int_equal(parse_repeated("", "- &a b\n", PIN_YAML_ANCHORS_MAX, "", mega), PIN_OK);
    assert_int_equal(
        parse_repeated("", "- &a b\n", PIN_YAML_ANCHORS_MAX + 1, "", mega), PIN_ELIMIT);
    assert_int_equal(
        parse_repeated("- &a b\n", "- *a\n", PIN_YAML_ALIASED_MAX + 1, "", 64 * mega), PIN_ELIMIT);
}

static void test_a_laughing_bomb_is_refused(void **state)
{
    struct pin_text text = {0};
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("test", (size_t)64 << 20);
    (void)state;
    pin_text_puts(&text, "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for (int i = 1; i < 20; i++) {
        pin_text_putf(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 9; j++) {
            pin_text_putf(&text, "%s*a%d", j == 0 ? "" : ", ", i - 1);
        }
        pin_text_puts(&text, "]\n");
    }
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, &why), PIN_ELIMIT);
    assert_non_null(strstr(why.text, "aliases expand to too many nodes"));
    pin_text_done(&text);
    pin_arena_free(arena);
}

/* A long text that is repeated counts for what it takes where it is copied. */
static void test_a_long_text_is_not_multiplied(void **state)
{
    struct pin_text text = {0};
    struct pin_why why = {0};
    struct pin_tree *docs = NULL;
    struct pin_arena *arena = pin_arena_new("test", (size_t)64 << 20);
    (void)state;
    pin_text_putf(&text, "- &a x%020000d\n", 1);
    for (int i = 0; i < 400; i++) { /* 8 MB */
        pin_text_puts(&text, "- *a\n");
    }
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, &why), PIN_OK);
    for (int i = 0; i < 200; i++) {
        pin_text_puts(&text, "- *a\n");
    }
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, &why), PIN_ELIMIT);
    assert_non_null(strstr(why.text, "aliases expand to too many nodes"));
    pin_text_done(&text);
    pin_arena_free(arena);
}

/* An alias cannot smuggle in more depth than brackets may. */
static void test_aliases_count_for_depth(void **state)
{
    struct pin_text text = {0};
    struct pin_tree *docs = NULL;
    struct pin_arena *arena = pin_arena_new("test", (size_t)64 << 20);
    (void)state;
    pin_text_puts(&text, "a0: &a0 [x]\n");
    for (int i = 1; i < 100; i++) {
        pin_text_putf(&text, "a%d: &a%d [*a%d]\n", i, i, i - 1);
    }
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, NULL), PIN_ELIMIT);
    pin_text_done(&text);
    pin_arena_free(arena);
}

static void test_large_maps(void **state)
{
    struct pin_text text = {0};
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("test", (size_t)64 << 20);
    (void)state;
    for (int i = 0; i < 50000; i++) {
        pin_text_putf(&text, "k%d: %d\n", i * 7919 % 50000, i);
    }
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, &why), PIN_OK);
    assert_int_equal(docs->first->n_children, 50000);
    assert_string_equal(docs->first->first->key, "k0");
    assert_int_equal(docs->first->last->integer, 49999);
    pin_text_puts(&text, "k77: again\n");
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, &why), PIN_EPARSE);
    assert_string_equal(why.text, "50001:1: key 'k77' is given twice");
    pin_text_done(&text);
    pin_arena_free(arena);
}

static void test_positions(void **state)
{
    static const char yaml[] = "a: 1\nb:\n  c: [x, yy]\n---\n- d\n";
    struct pin_tree *docs = NULL;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    (void)state;
    assert_int_equal(pin_yaml_parse(yaml, strlen(yaml), arena, &docs, NULL), PIN_OK);
    const struct pin_tree *b = pin_tree_find(docs->first, "b");
    assert_int_equal(b->line, 3);
    assert_int_equal(b->col, 3);
    assert_int_equal(b->key_line, 2);
    assert_int_equal(b->key_col, 1);
    const struct pin_tree *yy = b->first->last;
    assert_int_equal(yy->line, 3);
    assert_int_equal(yy->col, 10);
    assert_int_equal(docs->last->first->line, 5);
    assert_int_equal(docs->last->first->col, 3);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(error_cases) + 6] = {
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_a_laughing_bomb_is_refused),
        cmocka_unit_test(test_a_long_text_is_not_multiplied),
        cmocka_unit_test(test_aliases_count_for_depth),
        cmocka_unit_test(test_large_maps),
        cmocka_unit_test(test_positions),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[5 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_value, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(error_cases); i++) {
        tests[5 + N_ELEMS(cases) + i] = (struct CMUnitTest){
            .name = error_cases[i].name, .test_func = test_error, .initial_state = &error_cases[i]};
    }
    return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
