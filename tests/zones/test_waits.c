/* SPDX-License-Identifier: Apache-2.0 */

/* What first lists name is compiled once, when they have ended; nobody else waits for them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"

#include "support/defaults.h"

#define GRACE_MS 30000u
#define N_MANY   1500u

enum { C1, C2, N_CLUSTERS };

static const struct pin_network networks[1] = {{.name = "default"}};
static const struct pin_cluster_settings clusters[N_CLUSTERS] = {
    {.name = "c1", .weight = PIN_WEIGHT_UNSET}, {.name = "c2", .weight = PIN_WEIGHT_UNSET}};
static struct pin_settings settings;
static struct pin_catalog *catalog;

static struct pin_object *named(enum pin_kind kind, const char *name)
{
    struct pin_object *object = pin_object_new(kind, 256);
    assert_non_null(object);
    object->namespace_name = pin_object_text(object, "shop", 4);
    object->name = pin_object_text(object, name, strlen(name));
    return object;
}

static void put(uint16_t cluster_id, enum pin_kind kind, const char *name)
{
    struct pin_object *object = named(kind, name);
    if (kind == PIN_KIND_SERVICE) {
        object->as.service.is_headless = true;
    } else if (kind == PIN_KIND_ENDPOINT_SLICE) {
        uint8_t *row = pin_object_alloc(object, 5); /* an address, then its flags */
        memcpy(row, (const uint8_t[]){10, 0, 0, 1, PIN_ENDPOINT_READY | PIN_ENDPOINT_SERVING}, 5);
        object->as.slice.family = 4;
        object->as.slice.service = object->name;
        object->as.slice.n_endpoints = 1;
        object->as.slice.ips = row;
        object->as.slice.ip_bytes = 4;
        object->as.slice.flags = row + 4;
    }
    pin_catalog_apply(catalog, pin_delta_upsert(cluster_id, object));
}

static void put_all(uint16_t cluster_id, const char *name)
{
    put(cluster_id, PIN_KIND_SERVICE, name);
    put(cluster_id, PIN_KIND_SERVICE_EXPORT, name);
    put(cluster_id, PIN_KIND_ENDPOINT_SLICE, name);
}

static void mark(uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind)
{
    pin_catalog_apply(catalog, pin_delta_mark(cluster_id, op, kind));
}

/* Units that a publication at that time compiles; it leaves nothing. */
static uint32_t publish_at(uint64_t now_ms)
{
    struct pin_published published = pin_catalog_publish(catalog, now_ms);
    assert_false(pin_catalog_is_dirty(catalog, now_ms));
    pin_rcu_quiescent();
    return published.n_units;
}

static bool has(const char *text)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    return pin_index_find(pin_catalog_live(catalog)->index, name.wire, name.bytes) != NULL;
}

static int set_up(void **state)
{
    (void)state;
    settings = pin_test_settings(networks, 1, clusters, N_CLUSTERS);
    settings.ready_grace_ms = GRACE_MS;
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, NULL), PIN_OK);
    assert_int_equal(publish_at(1), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_rcu_barrier();
    pin_catalog_free(catalog);
    return 0;
}

static void begin_c1(void)
{
    mark(C1, PIN_DELTA_LIST_BEGIN, PIN_KIND_SERVICE);
    mark(C1, PIN_DELTA_LIST_BEGIN, PIN_KIND_ENDPOINT_SLICE);
}

static void test_once(void **state)
{
    (void)state;
    begin_c1();
    put(C1, PIN_KIND_SERVICE, "a");
    put(C1, PIN_KIND_HTTP_ROUTE, "r");
    assert_int_equal(publish_at(2), 0);
    mark(C1, PIN_DELTA_LIST_END, PIN_KIND_SERVICE);
    put(C1, PIN_KIND_SERVICE_EXPORT, "a");
    assert_int_equal(publish_at(3), 0);
    put(C1, PIN_KIND_ENDPOINT_SLICE, "a");
    assert_false(has("a.shop.svc.c1.cluster.local"));
    mark(C1, PIN_DELTA_LIST_END, PIN_KIND_ENDPOINT_SLICE);
    assert_true(pin_catalog_is_dirty(catalog, 4));
    assert_int_equal(publish_at(4), 2);
    assert_true(has("a.shop.svc.c1.cluster.local"));
    assert_true(has("a.shop.svc.clusterset.local"));
}

/* Slices may come for long: what is whole is there before the last of them. */
static void test_slices(void **state)
{
    (void)state;
    begin_c1();
    mark(C1, PIN_DELTA_LIST_BEGIN, PIN_KIND_SERVICE_EXPORT);
    put_all(C1, "a");
    put(C1, PIN_KIND_SERVICE, "b");
    mark(C1, PIN_DELTA_LIST_END, PIN_KIND_SERVICE);
    assert_int_equal(publish_at(2), 0); /* not without the exports */
    mark(C1, PIN_DELTA_LIST_END, PIN_KIND_SERVICE_EXPORT);
    assert_int_equal(publish_at(3), 1);
    assert_true(has("a.shop.svc.clusterset.local"));
    assert_false(has("b.shop.svc.c1.cluster.local"));
    put(C1, PIN_KIND_ENDPOINT_SLICE, "b");
    assert_int_equal(publish_at(4), 1);
    put(C1, PIN_KIND_SERVICE, "c"); /* by the watch; it has no slice yet */
    assert_int_equal(publish_at(5), 0);
    mark(C1, PIN_DELTA_LIST_END, PIN_KIND_ENDPOINT_SLICE);
    assert_int_equal(publish_at(6), 1);
}

static void test_synced(void **state)
{
    (void)state;
    begin_c1();
    put_all(C1, "a");
    mark(C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_int_equal(publish_at(2), 1);
    mark(C1, PIN_DELTA_LIST_BEGIN, PIN_KIND_SERVICE); /* from now on nothing waits */
    put_all(C1, "a");
    assert_int_equal(publish_at(3), 1);
}

static void test_grace(void **state)
{
    (void)state;
    begin_c1();
    put_all(C1, "a");
    assert_int_equal(publish_at(GRACE_MS), 0);
    assert_int_equal(publish_at(GRACE_MS + 2), 1);
    put_all(C1, "b");
    assert_int_equal(publish_at(GRACE_MS + 3), 1);
}

static void test_others(void **state)
{
    (void)state;
    mark(C2, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    begin_c1();
    put_all(C1, "a");
    put_all(C1, "b");
    assert_int_equal(publish_at(2), 0);
    put_all(C2, "a"); /* a change now is a change now */
    put(C2, PIN_KIND_SERVICE, "c");
    assert_int_equal(publish_at(3), 2);
    assert_true(has("a.shop.svc.c2.cluster.local"));
    put_all(C1, "a"); /* waits again */
    assert_int_equal(publish_at(4), 0);
    mark(C2, PIN_DELTA_LIST_BEGIN, PIN_KIND_GATEWAY); /* the end of lists of others ends nothing, */
    mark(C2, PIN_DELTA_LIST_END, PIN_KIND_GATEWAY);
    assert_int_equal(publish_at(5), 1); /* but of what they have, too */
    assert_false(has("b.shop.svc.c1.cluster.local"));
    mark(C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_int_equal(publish_at(6), 1);
    assert_true(has("b.shop.svc.c1.cluster.local"));
}

static void test_restored(void **state)
{
    (void)state;
    put_all(C1, "a");
    mark(C1, PIN_DELTA_RESTORED, PIN_KIND_SERVICE);
    assert_int_equal(publish_at(2), 1);
    begin_c1();
    put_all(C1, "a");
    assert_int_equal(publish_at(3), 1);
}

/* Many at once come in turns, and another's change between them. */
static void test_many(void **state)
{
    char name[32];
    unsigned n = 0;
    (void)state;
    begin_c1();
    for (unsigned i = 0; i < N_MANY; i++) {
        (void)snprintf(name, sizeof(name), "svc-%u", i);
        put_all(C1, name);
    }
    mark(C2, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    mark(C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    struct pin_published published = pin_catalog_publish_some(catalog, 2, 100);
    assert_true(published.is_cut);
    assert_int_equal(published.n_units, 100);
    assert_false(pin_catalog_live(catalog)->scene->is_ready); /* not before the last of them */
    put_all(C2, "other");
    n = published.n_units;
    while (published.is_cut) {
        published = pin_catalog_publish_some(catalog, 2, 100);
        n += published.n_units;
        assert_true(has("other.shop.svc.c2.cluster.local"));
        assert_true(n <= N_MANY + 1);
    }
    assert_int_equal(n, N_MANY + 1);
    assert_true(pin_catalog_live(catalog)->scene->is_ready);
}

#define ROW(text, fn)                                                                              \
    {                                                                                              \
        .name = (text), .test_func = (fn), .setup_func = set_up, .teardown_func = tear_down        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW("what first lists name is compiled once, when the last of them has ended", test_once),
        ROW("once only slices are awaited, each completes its service", test_slices),
        ROW("SYNCED ends the waiting, and lists after it make nothing wait", test_synced),
        ROW("so does the end of the grace period", test_grace),
        ROW("what other clusters change waits for nobody", test_others),
        ROW("a cluster that was restored does not wait", test_restored),
        ROW("many names at once are compiled in turns", test_many),
    };
    pin_rcu_register();
    int failed = cmocka_run_group_tests_name("waits", tests, NULL, NULL);
    pin_rcu_unregister();
    return failed;
}
