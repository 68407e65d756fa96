/* SPDX-License-Identifier: Apache-2.0 */

/* Getters give the value at a path or the default, whatever the tree looks like. */

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/tree.h"
#include "pintle/base/yaml.h"

static const char yaml[] = "metadata:\n"
                           "  name: web\n"
                           "  annotations: {pintle.dev/weight: '10'}\n"
                           "  nothing: ~\n"
                           "spec:\n"
                           "  replicas: 3\n"
                           "  ready: true\n"
                           "  quotedReady: 'true'\n"
                           "  targetPort: '8080'\n"
                           "  badPort: 80x\n"
                           "  emptyPort: ''\n"
                           "  hugePort: '99999999999999999999'\n"
                           "  share: 0.5\n"
                           "  ports: [80, 443]\n"
                           "  '': {x: odd}\n";

static struct pin_arena *arena;
static const struct pin_tree *root;

static int set_up(void **state)
{
    struct pin_tree *docs = NULL;
    (void)state;
    arena = pin_arena_new("test", 1 << 20);
    if (pin_yaml_parse(yaml, strlen(yaml), arena, &docs, NULL) != PIN_OK) {
        return -1;
    }
    root = docs->first;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_arena_free(arena);
    return 0;
}

static struct int_case {
    const char *name;
    const char *path;
    long long want;
} int_cases[] = {
    {"a number is a number", "spec.replicas", 3},
    {"a quoted number is one too", "spec.targetPort", 8080},
    {"a number with letters is none", "spec.badPort", -7},
    {"an empty string is none", "spec.emptyPort", -7},
    {"a number beyond 64 bits is none", "spec.hugePort", -7},
    {"a decimal is none", "spec.share", -7},
    {"a list is none", "spec.ports", -7},
    {"a missing key gives the default", "spec.nobody", -7},
    {"a path through a scalar gives the default", "metadata.name.x", -7},
    {"a path through a list gives the default", "spec.ports.0", -7},
    {"an empty path gives the default", "", -7},
    {"dots alone give the default", "..", -7},
};

static void test_int(void **state)
{
    const struct int_case *c = *state;
    assert_true(pin_tree_int(root, c->path, -7) == c->want);
}

static void test_strings(void **state)
{
    (void)state;
    assert_string_equal(pin_tree_string(root, "metadata.name", "d"), "web");
    assert_string_equal(pin_tree_string(root, "spec.replicas", "d"), "3");
    assert_string_equal(pin_tree_string(root, "spec.ready", "d"), "true");
    assert_string_equal(pin_tree_string(root, "metadata.nothing", "d"), "d");
    assert_string_equal(pin_tree_string(root, "metadata", "d"), "d");
    assert_string_equal(pin_tree_string(root, "spec.emptyPort", "d"), "");
    assert_string_equal(pin_tree_string(root, "spec..x", "d"), "odd");
    assert_null(pin_tree_string(root, "nobody", NULL));
    const struct pin_tree *annotations = pin_tree_map(root, "metadata.annotations");
    assert_string_equal(pin_tree_find(annotations, "pintle.dev/weight")->text, "10");
    assert_null(pin_tree_path(root, "metadata.annotations.pintle.dev/weight"));
    assert_true(pin_tree_text_is(pin_tree_path(root, "metadata.name"), "web"));
    assert_false(pin_tree_text_is(pin_tree_path(root, "metadata.name"), "we"));
}

static void test_kinds(void **state)
{
    long long value = 0;
    (void)state;
    assert_true(pin_tree_bool(root, "spec.ready", false));
    assert_false(pin_tree_bool(root, "spec.quotedReady", false));
    assert_true(pin_tree_bool(root, "spec.nobody", true));
    assert_non_null(pin_tree_list(root, "spec.ports"));
    assert_null(pin_tree_map(root, "spec.ports"));
    assert_null(pin_tree_list(root, "spec"));
    assert_true(pin_tree_to_int(pin_tree_path(root, "spec.ports")->last, &value) && value == 443);
    assert_string_equal(pin_tree_kind_str(PIN_TREE_MAP), "a map");
    assert_string_equal(pin_tree_kind_str((enum pin_tree_kind)99), "?");
}

static void test_null_is_an_empty_tree(void **state)
{
    long long value = 0;
    (void)state;
    assert_null(pin_tree_find(NULL, "a"));
    assert_null(pin_tree_path(NULL, "a.b"));
    assert_int_equal(pin_tree_int(NULL, "a", 5), 5);
    assert_false(pin_tree_to_int(NULL, &value));
    assert_string_equal(pin_tree_text(NULL, "d"), "d");
    assert_false(pin_tree_text_is(NULL, ""));
    PIN_TREE_EACH(child, (const struct pin_tree *)NULL)
    {
        fail_msg("visited %p", (const void *)child);
    }
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(int_cases) + 3] = {
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_null_is_an_empty_tree),
    };
    for (size_t i = 0; i < N_ELEMS(int_cases); i++) {
        tests[3 + i] = (struct CMUnitTest){
            .name = int_cases[i].name, .test_func = test_int, .initial_state = &int_cases[i]};
    }
    return cmocka_run_group_tests_name("tree", tests, set_up, tear_down);
}
