/* SPDX-License-Identifier: Apache-2.0 */

/* Watchers hear of what the catalog takes, in that order, and a walk shows what it has. */

#include <string.h>

#include "pintle/base/text.h"
#include "pintle/zones/watcher.h"

#include "two_clusters.h"

static void on_put(
    void *arg, uint16_t cluster_id, const struct pin_object *object, const struct pin_object *old)
{
    pin_text_putf(arg, "%s %u %s/%s;", old != NULL ? "again" : "put", cluster_id,
        object->namespace_name, object->name);
}

static void on_gone(void *arg, uint16_t cluster_id, enum pin_kind kind, const char *namespace_name,
    const char *name)
{
    pin_text_putf(arg, "gone %u %s %s/%s;", cluster_id, pin_kind_text(kind), namespace_name, name);
}

static void on_mark(void *arg, uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind)
{
    static const char *const ops[] = {[PIN_DELTA_LIST_BEGIN] = "begin",
        [PIN_DELTA_LIST_END] = "end",
        [PIN_DELTA_UP] = "up",
        [PIN_DELTA_DOWN] = "down",
        [PIN_DELTA_SYNCED] = "synced"};
    pin_text_putf(arg, "%s %u", ops[op], cluster_id);
    pin_text_putf(arg, op <= PIN_DELTA_LIST_END ? " %s;" : ";", pin_kind_text(kind));
}

static void put(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *namespace_name, const char *name)
{
    struct pin_object *object = pin_object_new(kind, 64);
    object->namespace_name = pin_object_text(object, namespace_name, strlen(namespace_name));
    object->name = pin_object_text(object, name, strlen(name));
    pin_catalog_apply(catalog, pin_delta_upsert(cluster_id, object));
}

static void mark(struct pin_catalog *catalog, enum pin_delta_op op, enum pin_kind kind)
{
    pin_catalog_apply(catalog, pin_delta_mark(1, op, kind));
}

static void test_told(void **state)
{
    struct pin_catalog *catalog = *state;
    struct pin_text told = {0};
    struct pin_catalog_watcher watcher = {
        .on_put = on_put, .on_gone = on_gone, .on_mark = on_mark, .arg = &told};
    put(catalog, 0, PIN_KIND_NAMESPACE, "", "before");
    assert_true(pin_catalog_watch(catalog, &watcher));
    put(catalog, 1, PIN_KIND_SERVICE, "shop", "web");
    put(catalog, 1, PIN_KIND_SERVICE, "shop", "web");
    put(catalog, 0, PIN_KIND_SERVICE_EXPORT, "shop", "web");
    put(catalog, 1, PIN_KIND_POD, "shop", "web-0");
    mark(catalog, PIN_DELTA_LIST_BEGIN, PIN_KIND_SERVICE);
    put(catalog, 1, PIN_KIND_SERVICE, "shop", "other");
    mark(catalog, PIN_DELTA_LIST_END, PIN_KIND_SERVICE);
    mark(catalog, PIN_DELTA_LIST_BEGIN, PIN_KIND_POD);
    mark(catalog, PIN_DELTA_LIST_END, PIN_KIND_POD);
    pin_catalog_apply(catalog, pin_delta_delete(0, PIN_KIND_SERVICE_EXPORT, "shop", "web"));
    pin_catalog_apply(catalog, pin_delta_delete(0, PIN_KIND_SERVICE_EXPORT, "shop", "web"));
    mark(catalog, PIN_DELTA_UP, PIN_KIND_SERVICE);
    mark(catalog, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    mark(catalog, PIN_DELTA_DOWN, PIN_KIND_SERVICE);
    assert_string_equal(pin_text_get(&told),
        "put 1 shop/web;again 1 shop/web;put 0 shop/web;put 1 shop/web-0;begin 1 Service;"
        "put 1 shop/other;gone 1 Service shop/web;end 1 Service;begin 1 Pod;"
        "gone 1 Pod shop/web-0;end 1 Pod;gone 0 ServiceExport shop/web;up 1;synced 1;down 1;");
    pin_text_done(&told);
}

static void test_all_are_told(void **state)
{
    struct pin_text told[PIN_WATCHERS_MAX] = {{0}};
    struct pin_catalog_watcher watcher = {.on_put = on_put};
    for (size_t i = 0; i < PIN_WATCHERS_MAX; i++) {
        watcher.arg = &told[i];
        assert_true(pin_catalog_watch(*state, &watcher));
    }
    assert_false(pin_catalog_watch(*state, &watcher));
    put(*state, 0, PIN_KIND_NAMESPACE, "", "shop");
    mark(*state, PIN_DELTA_UP, PIN_KIND_SERVICE); /* nobody asked for it */
    for (size_t i = 0; i < PIN_WATCHERS_MAX; i++) {
        assert_string_equal(pin_text_get(&told[i]), "put 0 /shop;");
        pin_text_done(&told[i]);
    }
}

static void note(void *arg, uint16_t cluster_id, const struct pin_object *object)
{
    on_put(arg, cluster_id, object, NULL);
}

static void test_walk(void **state)
{
    struct pin_text seen = {0};
    put(*state, 0, PIN_KIND_SERVICE, "a", "one");
    put(*state, 0, PIN_KIND_SERVICE, "a", "two");
    put(*state, 0, PIN_KIND_SERVICE, "a", "three");
    put(*state, 0, PIN_KIND_SERVICE_EXPORT, "a", "one");
    put(*state, 1, PIN_KIND_SERVICE, "a", "far");
    pin_catalog_apply(*state, pin_delta_delete(0, PIN_KIND_SERVICE, "a", "two"));
    pin_catalog_walk(*state, 0, PIN_KIND_SERVICE, note, &seen);
    assert_string_equal(pin_text_get(&seen), "put 0 a/one;put 0 a/three;");
    pin_text_done(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {.name = "a watcher hears of objects and marks in their order",
            .test_func = test_told,
            .setup_func = set_up,
            .teardown_func = tear_down},
        {.name = "all watchers hear, and there is room for a few",
            .test_func = test_all_are_told,
            .setup_func = set_up,
            .teardown_func = tear_down},
        {.name = "a walk shows a kind of a cluster in order",
            .test_func = test_walk,
            .setup_func = set_up,
            .teardown_func = tear_down},
    };
    pin_rcu_register();
    int failed = cmocka_run_group_tests_name("watchers", tests, NULL, NULL);
    pin_rcu_unregister();
    return failed;
}
