/* SPDX-License-Identifier: Apache-2.0 */

/* A reply as YAML says what the JSON said, and nothing that another reader could take otherwise. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"
#include "pintle/base/yaml.h"

#include "cli/emit.h"

#define ARENA_BYTES ((size_t)1 << 20)

static struct yaml_case {
    const char *name; /* reads as a sentence in the test report */
    const char *json;
    const char *want;
} yaml_cases[] = {
    {"a map is a line per key", "{\"a\":1,\"b\":\"x\"}", "a: 1\nb: x\n"},
    {"a list of maps begins each with a dash", "{\"items\":[{\"a\":1,\"b\":2},{\"a\":3}]}",
        "items:\n  - a: 1\n    b: 2\n  - a: 3\n"},
    {"a list in a list is nested", "[[1,2],[3]]", "- - 1\n  - 2\n- - 3\n"},
    {"a map in a map is nested", "{\"a\":{\"b\":{\"c\":null}}}", "a:\n  b:\n    c: null\n"},
    {"what is empty stays on its line", "{\"a\":[],\"b\":{},\"c\":\"\"}",
        "a: []\nb: {}\nc: \"\"\n"},
    {"a text that looks like a number is quoted", "{\"a\":\"10\",\"b\":\"-1\",\"c\":\"1.5\"}",
        "a: \"10\"\nb: \"-1\"\nc: \"1.5\"\n"},
    {"a text that looks like a boolean is quoted", "[\"true\",\"no\",\"null\"]",
        "- \"true\"\n- \"no\"\n- \"null\"\n"},
    {"a text with marks of YAML is quoted", "[\"a: b\",\"# c\",\"x\\ny\"]",
        "- \"a: b\"\n- \"# c\"\n- \"x\\ny\"\n"},
    {"a control character stays escaped", "[\"\\u001b[31m\"]", "- \"\\u001b[31m\"\n"},
    {"a key with marks of YAML is quoted", "{\"a b\":1}", "\"a b\": 1\n"},
    {"a scalar alone is a document", "true", "true\n"},
};

static void test_yaml(void **state)
{
    const struct yaml_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    struct pin_tree *tree = NULL;
    struct pin_tree *docs = NULL;
    struct pin_text text = {0};
    struct pin_why why = {0};

    assert_int_equal(pin_json_parse(c->json, strlen(c->json), arena, &tree, &why), PIN_OK);
    pin_emit_yaml(&text, tree);
    assert_string_equal(pin_text_get(&text), c->want);
    assert_int_equal(pin_yaml_parse(text.ptr, text.len, arena, &docs, &why), PIN_OK);
    assert_int_equal(docs->first->kind, tree->kind);
    assert_int_equal(docs->first->n_children, tree->n_children);
    pin_text_done(&text);
    pin_arena_free(arena);
}

static void test_printable(void **state)
{
    (void)state;
    static const char json[] =
        "{\"error\":\"a\\u001b[31mb\",\"\\u001b[2J\":\"\\u009b2J\",\"c\":\"\\u00e9\"}";
    struct pin_ctl ctl = {.output = PIN_CTL_TABLE};
    struct pin_api_reply reply = {.arena = pin_arena_new("test", ARENA_BYTES)};
    assert_int_equal(
        pin_json_parse(json, sizeof(json) - 1, reply.arena, &reply.tree, NULL), PIN_OK);
    assert_false(pin_emit_reply(&ctl, &reply));
    assert_string_equal(pin_tree_string(reply.tree, "error", ""), "a?[31mb");
    assert_string_equal(pin_tree_string(reply.tree, "?[2J", ""), "??2J");
    assert_string_equal(pin_tree_string(reply.tree, "c", ""), "\xc3\xa9");
    pin_api_reply_done(&reply);
}

static void test_escaped(void **state)
{
    (void)state;
    struct pin_text text = {0};
    pin_api_put_escaped(&text, "a-b._~&c=d%\xc3\xa9 /");
    assert_string_equal(pin_text_get(&text), "a-b._~%26c%3Dd%25%C3%A9%20%2F");
    pin_text_done(&text);
}

int main(void)
{
    static struct CMUnitTest tests[32];
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(yaml_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = yaml_cases[i].name, .test_func = test_yaml, .initial_state = &yaml_cases[i]};
    }
    tests[n++] = (struct CMUnitTest){
        .name = "foreign texts do not move the cursor", .test_func = test_printable};
    tests[n++] = (struct CMUnitTest){
        .name = "a query argument cannot become two", .test_func = test_escaped};
    return _cmocka_run_group_tests("emit", tests, n, NULL, NULL);
}
