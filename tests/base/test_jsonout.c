/* SPDX-License-Identifier: Apache-2.0 */

/* The writer sets commas itself and refuses what would be no JSON. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/tree.h"

static void test_a_document(void **state)
{
    struct pin_text text = {0};
    (void)state;
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "s", "a\"b");
    pin_jsonout_key_string(&json, "none", NULL);
    pin_jsonout_key_int(&json, "i", INT64_MIN);
    pin_jsonout_key_uint(&json, "u", UINT64_MAX);
    pin_jsonout_key_double(&json, "d", 0.1);
    pin_jsonout_key_double(&json, "third", 1.0 / 3);
    pin_jsonout_key_double(&json, "inf", HUGE_VAL);
    pin_jsonout_key_bool(&json, "b", true);
    pin_jsonout_key_strings(&json, "names", (const char *const[]){"x", "y"}, 2);
    pin_jsonout_key_strings(&json, "nobody", NULL, 0);
    pin_jsonout_key(&json, "list");
    pin_jsonout_array(&json);
    pin_jsonout_int(&json, 1);
    pin_jsonout_array(&json);
    pin_jsonout_end(&json);
    pin_jsonout_object(&json);
    pin_jsonout_end(&json);
    pin_jsonout_string_n(&json, "abc", 2);
    pin_jsonout_null(&json);
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "after");
    pin_jsonout_bool(&json, false);
    pin_jsonout_end(&json);
    assert_true(pin_jsonout_is_ok(&json));
    assert_string_equal(pin_text_get(&text),
        "{\"s\":\"a\\\"b\",\"none\":null,\"i\":-9223372036854775808,\"u\":18446744073709551615,"
        "\"d\":0.1,\"third\":0.3333333333333333,\"inf\":null,\"b\":true,"
        "\"names\":[\"x\",\"y\"],\"nobody\":[],"
        "\"list\":[1,[],{},\"ab\",null],\"after\":false}");
    pin_text_done(&text);
}

/* A tree as deep as trees are read, within a few levels of its writer's own. */
static void test_a_deep_tree(void **state)
{
    char deep[2 * PIN_TREE_DEPTH_MAX + 1] = "";
    struct pin_text text = {0};
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    (void)state;
    memset(deep, '[', PIN_TREE_DEPTH_MAX);
    memset(deep + PIN_TREE_DEPTH_MAX, ']', PIN_TREE_DEPTH_MAX);
    assert_int_equal(pin_json_parse(deep, strlen(deep), arena, &tree, NULL), PIN_OK);
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "a");
    pin_jsonout_tree(&json, tree);
    pin_jsonout_end(&json);
    assert_true(pin_jsonout_is_ok(&json));
    assert_int_equal(text.len, strlen(deep) + strlen("{\"a\":}"));
    pin_text_done(&text);
    pin_arena_free(arena);
}

static void value_without_key(struct pin_jsonout *json)
{
    pin_jsonout_object(json);
    pin_jsonout_int(json, 1);
    pin_jsonout_end(json);
}

static void key_in_array(struct pin_jsonout *json)
{
    pin_jsonout_array(json);
    pin_jsonout_key(json, "k");
    pin_jsonout_end(json);
}

static void key_twice(struct pin_jsonout *json)
{
    pin_jsonout_object(json);
    pin_jsonout_key(json, "k");
    pin_jsonout_key_int(json, "k", 1);
    pin_jsonout_end(json);
}

static void key_without_value(struct pin_jsonout *json)
{
    pin_jsonout_object(json);
    pin_jsonout_key(json, "k");
    pin_jsonout_end(json);
}

static void end_too_often(struct pin_jsonout *json)
{
    pin_jsonout_array(json);
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

static void end_too_seldom(struct pin_jsonout *json)
{
    pin_jsonout_array(json);
}

static void two_documents(struct pin_jsonout *json)
{
    pin_jsonout_int(json, 1);
    pin_jsonout_int(json, 2);
}

static void too_deep(struct pin_jsonout *json)
{
    for (int i = 0; i < 2 * PIN_JSONOUT_DEPTH_MAX; i++) {
        pin_jsonout_array(json);
    }
    for (int i = 0; i < 2 * PIN_JSONOUT_DEPTH_MAX; i++) {
        pin_jsonout_end(json);
    }
}

static struct misuse_case {
    const char *name;
    void (*write)(struct pin_jsonout *json);
} cases[] = {
    {"a value in an object needs a key", value_without_key},
    {"a list has no keys", key_in_array},
    {"a key needs a value before the next key", key_twice},
    {"a key needs a value before the end", key_without_value},
    {"nothing open cannot be closed", end_too_often},
    {"something open is not done", end_too_seldom},
    {"one document has one value", two_documents},
    {"nesting is bounded", too_deep},
};

static void test_misuse(void **state)
{
    const struct misuse_case *c = *state;
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    c->write(&json);
    assert_false(pin_jsonout_is_ok(&json));
    pin_text_done(&text);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        cmocka_unit_test(test_a_document), cmocka_unit_test(test_a_deep_tree)};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_misuse, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("jsonout", tests, NULL, NULL);
}
