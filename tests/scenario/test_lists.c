/* SPDX-License-Identifier: Apache-2.0 */

/* What a list takes away, beside what lists.scn shows: kept objects, Pods, and what is told. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "support/stage.h"

#define C1 0

static struct pin_stage stage;

static void apply(const char *yaml)
{
    struct pin_why why = {0};
    if (pin_stage_apply(&stage, C1, yaml, strlen(yaml), &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
}

static void begin(enum pin_kind kind)
{
    pin_stage_list(&stage, C1, PIN_DELTA_LIST_BEGIN, kind, false);
}

static void end(enum pin_kind kind)
{
    pin_stage_list(&stage, C1, PIN_DELTA_LIST_END, kind, true);
}

static void keep(enum pin_kind kind, const char *name)
{
    struct pin_delta *delta = pin_delta_keep(C1, kind, "d", name);
    assert_non_null(delta);
    pin_catalog_apply(stage.catalog, delta);
}

static uint32_t count(enum pin_kind kind)
{
    return pin_catalog_cluster(stage.catalog, C1).n_objects[kind];
}

static int set_up(void **state)
{
    struct pin_why why = {0};
    (void)state;
    pin_stage_init(&stage);
    assert_non_null(pin_stage_add_cluster(&stage, "c1"));
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    for (int i = 0; i < 4; i++) {
        static const char *const services[] = {
            "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: a}, spec: {}}",
            "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: b}, spec: {}}",
            "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: c}, spec: {}}",
            "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: e}, spec: {}}",
        };
        apply(services[i]);
    }
    apply("{apiVersion: v1, kind: Pod, metadata: {namespace: d, name: p}, "
          "status: {phase: Running, podIP: 10.1.0.1}}");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_stage_done(&stage);
    return 0;
}

static void test_an_object_that_is_kept_counts_as_named(void **state)
{
    (void)state;
    begin(PIN_KIND_SERVICE);
    keep(PIN_KIND_SERVICE, "a");
    keep(PIN_KIND_SERVICE, "b");
    keep(PIN_KIND_SERVICE, "nobody");
    end(PIN_KIND_SERVICE);
    assert_int_equal(count(PIN_KIND_SERVICE), 2); /* half: the others are gone at once */
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 0);
}

static void test_a_partial_list_takes_nothing_away(void **state)
{
    struct pin_delta *delta = pin_delta_mark(C1, PIN_DELTA_LIST_END, PIN_KIND_SERVICE);
    (void)state;
    assert_non_null(delta);
    delta->is_partial = true;
    begin(PIN_KIND_SERVICE);
    keep(PIN_KIND_SERVICE, "a");
    keep(PIN_KIND_SERVICE, "b");
    keep(PIN_KIND_SERVICE, "c");
    pin_catalog_apply(stage.catalog, delta);
    assert_int_equal(count(PIN_KIND_SERVICE), 4);
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 0);
}

static void test_what_is_held_is_told(void **state)
{
    uint32_t stamp = pin_catalog_held_stamp(stage.catalog);
    (void)state;
    begin(PIN_KIND_SERVICE);
    end(PIN_KIND_SERVICE);
    assert_int_equal(count(PIN_KIND_SERVICE), 4);
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 1u << PIN_KIND_SERVICE);
    assert_int_equal(pin_catalog_cluster(stage.catalog, C1).held_kinds, 1u << PIN_KIND_SERVICE);
    assert_int_not_equal(pin_catalog_held_stamp(stage.catalog), stamp);
    stamp = pin_catalog_held_stamp(stage.catalog);
    stage.now_ms += 30000;
    begin(PIN_KIND_SERVICE);
    end(PIN_KIND_SERVICE);
    assert_int_equal(count(PIN_KIND_SERVICE), 0);
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 0);
    assert_int_not_equal(pin_catalog_held_stamp(stage.catalog), stamp);
}

static void test_pods_are_held_and_kept_like_all_others(void **state)
{
    (void)state;
    begin(PIN_KIND_POD);
    end(PIN_KIND_POD);
    assert_int_equal(count(PIN_KIND_POD), 1);
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 1u << PIN_KIND_POD);
    begin(PIN_KIND_POD);
    keep(PIN_KIND_POD, "p");
    end(PIN_KIND_POD);
    assert_int_equal(count(PIN_KIND_POD), 1);
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 0);
    begin(PIN_KIND_POD);
    end(PIN_KIND_POD);
    stage.now_ms += 31000;
    begin(PIN_KIND_POD);
    end(PIN_KIND_POD);
    assert_int_equal(count(PIN_KIND_POD), 0);
}

/* --- room */

static void apply_service(const char *name)
{
    char yaml[128];
    (void)snprintf(yaml, sizeof(yaml),
        "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: %s}, spec: {}}", name);
    apply(yaml);
}

static uint32_t over(void)
{
    return pin_catalog_cluster(stage.catalog, C1).over_kinds;
}

static void test_what_there_is_no_room_for_is_refused_and_what_is_known_changes(void **state)
{
    uint32_t stamp = pin_catalog_held_stamp(stage.catalog);
    (void)state;
    stage.settings.max_objects = 4;
    apply_service("a");
    assert_int_equal(over(), 0);
    apply_service("new");
    apply("{apiVersion: v1, kind: Pod, metadata: {namespace: d, name: q}, "
          "status: {phase: Running, podIP: 10.1.0.2}}");
    assert_int_equal(count(PIN_KIND_SERVICE), 4);
    assert_int_equal(count(PIN_KIND_POD), 2); /* each kind by itself */
    assert_int_equal(over(), 1u << PIN_KIND_SERVICE);
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 1u << PIN_KIND_SERVICE);
    assert_int_not_equal(pin_catalog_held_stamp(stage.catalog), stamp);
}

static void test_a_list_of_more_than_there_may_be_takes_nothing_away(void **state)
{
    (void)state;
    stage.settings.max_objects = 4;
    begin(PIN_KIND_SERVICE);
    for (int i = 0; i < 5; i++) {
        static const char *const names[] = {"a", "b", "v", "w", "x"};
        apply_service(names[i]);
    }
    end(PIN_KIND_SERVICE);
    assert_int_equal(count(PIN_KIND_SERVICE), 4);
    assert_non_null(pin_catalog_find(stage.catalog, C1, PIN_KIND_SERVICE, "d", "c"));
    assert_int_equal(over(), 1u << PIN_KIND_SERVICE);
}

static void test_a_list_makes_room_and_the_next_one_fills_it(void **state)
{
    (void)state;
    stage.settings.max_objects = 4;
    for (int round = 0; round < 2; round++) { /* c and e have gone, v and w have come */
        begin(PIN_KIND_SERVICE);
        apply_service("a");
        apply_service("b");
        apply_service("v");
        apply_service("w");
        end(PIN_KIND_SERVICE);
        assert_int_equal(count(PIN_KIND_SERVICE), round == 0 ? 2 : 4);
        assert_int_equal(over(), round == 0 ? 1u << PIN_KIND_SERVICE : 0);
    }
    assert_int_equal(pin_catalog_held(stage.catalog, C1), 0);
    assert_non_null(pin_catalog_find(stage.catalog, C1, PIN_KIND_SERVICE, "d", "w"));
}

static void test_pods_have_the_same_limit(void **state)
{
    (void)state;
    stage.settings.max_objects = 1;
    apply("{apiVersion: v1, kind: Pod, metadata: {namespace: d, name: q}, "
          "status: {phase: Running, podIP: 10.1.0.2}}");
    assert_int_equal(count(PIN_KIND_POD), 1);
    assert_int_equal(over(), 1u << PIN_KIND_POD);
}

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_an_object_that_is_kept_counts_as_named),
        A_TEST(test_a_partial_list_takes_nothing_away),
        A_TEST(test_what_is_held_is_told),
        A_TEST(test_pods_are_held_and_kept_like_all_others),
        A_TEST(test_what_there_is_no_room_for_is_refused_and_what_is_known_changes),
        A_TEST(test_a_list_of_more_than_there_may_be_takes_nothing_away),
        A_TEST(test_a_list_makes_room_and_the_next_one_fills_it),
        A_TEST(test_pods_have_the_same_limit),
    };
    pin_log_set_sink(drop_log, NULL);
    return cmocka_run_group_tests_name("lists", tests, NULL, NULL);
}
