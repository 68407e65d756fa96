/* SPDX-License-Identifier: Apache-2.0 */

/* While a restored state is compiled, what is asked for is compiled first. */

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

#define N_SERVICES 40u

static const struct pin_network networks[1] = {{.name = "default"}};
static const struct pin_cluster_settings clusters[1] = {{.name = "c1", .weight = PIN_WEIGHT_UNSET}};
static const char *const zones_custom[] = {"example.com"};
static struct pin_settings settings;

static struct pin_object *named(enum pin_kind kind, const char *name)
{
    struct pin_object *object = pin_object_new(kind, 256);
    assert_non_null(object);
    object->namespace_name = pin_object_text(object, "shop", 4);
    object->name = pin_object_text(object, name, strlen(name));
    return object;
}

static void put(struct pin_catalog *catalog, struct pin_object *object)
{
    pin_catalog_apply(catalog, pin_delta_upsert(0, object));
}

static void put_service(struct pin_catalog *catalog, const char *name)
{
    struct pin_object *slice = named(PIN_KIND_ENDPOINT_SLICE, name);
    uint8_t *row = pin_object_alloc(slice, 5); /* an address, then its flags */
    memcpy(row, (const uint8_t[]){10, 0, 0, 1, PIN_ENDPOINT_READY | PIN_ENDPOINT_SERVING}, 5);
    slice->as.slice.family = 4;
    slice->as.slice.service = slice->name;
    slice->as.slice.n_endpoints = 1;
    slice->as.slice.ips = row;
    slice->as.slice.ip_bytes = 4;
    slice->as.slice.flags = row + 4;
    struct pin_object *service = named(PIN_KIND_SERVICE, name);
    service->as.service.is_headless = true;
    put(catalog, service);
    put(catalog, named(PIN_KIND_SERVICE_EXPORT, name));
    put(catalog, slice);
}

static void put_route(struct pin_catalog *catalog, const char *name, const char *hostname)
{
    struct pin_object *route = named(PIN_KIND_HTTP_ROUTE, name);
    const char **hostnames = pin_object_alloc(route, sizeof(*hostnames));
    hostnames[0] = pin_object_text(route, hostname, strlen(hostname));
    route->as.route.hostnames = hostnames;
    route->as.route.n_hostnames = 1;
    put(catalog, route);
}

static int set_up(void **state)
{
    static struct pin_catalog *catalog;
    char name[32];
    char hostname[64];
    settings = pin_test_settings(networks, 1, clusters, 1);
    settings.zones_custom = zones_custom;
    settings.n_zones_custom = 1;
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, NULL), PIN_OK);
    for (unsigned i = 0; i < N_SERVICES; i++) {
        (void)snprintf(name, sizeof(name), "svc-%u", i);
        put_service(catalog, name);
        (void)snprintf(name, sizeof(name), "route-%u", i);
        (void)snprintf(hostname, sizeof(hostname), "h%u.example.com", i);
        put_route(catalog, name, hostname);
    }
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_RESTORED, PIN_KIND_SERVICE));
    assert_true(pin_catalog_publish_some(catalog, 1, 1).is_cut);
    *state = catalog;
    return 0;
}

static int tear_down(void **state)
{
    pin_rcu_barrier();
    pin_catalog_free(*state);
    return 0;
}

static bool has(const struct pin_catalog *catalog, const char *text)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    return pin_index_find(pin_catalog_live(catalog)->index, name.wire, name.bytes) != NULL;
}

static void wish(const struct pin_catalog *catalog, const char *text)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    const struct pin_live *live = pin_catalog_live(catalog);
    uint64_t hash = pin_index_hash(live->index, name.wire, name.bytes);
    pin_wishes_put(live->wishes, hash, name.wire, name.bytes);
}

/* How many of "PREFIX0SUFFIX", "PREFIX1SUFFIX", ... there are. */
static size_t count(const struct pin_catalog *catalog, const char *prefix, const char *suffix)
{
    size_t n = 0;
    for (unsigned i = 0; i < N_SERVICES; i++) {
        char text[128];
        (void)snprintf(text, sizeof(text), "%s%u%s", prefix, i, suffix);
        n += has(catalog, text);
    }
    return n;
}

static size_t count_services(const struct pin_catalog *catalog)
{
    return count(catalog, "svc-", ".shop.svc.clusterset.local");
}

static void test_service(void **state)
{
    size_t n_before = count_services(*state);
    assert_false(has(*state, "svc-7.shop.svc.clusterset.local"));
    wish(*state, "svc-7.shop.svc.clusterset.local");
    pin_catalog_grant(*state); /* one by one: two of them may want the same place */
    wish(*state, "_http._tcp.svc-9.shop.svc.c1.cluster.local");
    pin_catalog_grant(*state);
    wish(*state, "nobody.shop.svc.clusterset.local");
    wish(*state, "svc.clusterset.local");
    pin_catalog_grant(*state);
    assert_true(has(*state, "svc-7.shop.svc.clusterset.local"));
    assert_true(has(*state, "svc-9.shop.svc.c1.cluster.local"));
    assert_int_equal(count_services(*state), n_before + 2);
}

static void test_hostname(void **state)
{
    assert_false(has(*state, "h7.example.com"));
    wish(*state, "h7.example.com");
    pin_catalog_grant(*state);
    assert_true(has(*state, "h7.example.com"));
    assert_int_equal(count(*state, "h", ".example.com"), 1);
}

static void test_all_in_the_end(void **state)
{
    wish(*state, "svc-7.shop.svc.clusterset.local");
    pin_catalog_grant(*state);
    unsigned n = 0;
    while (pin_catalog_publish_some(*state, 1, 1).is_cut) {
        n++;
    }
    assert_true(n >= N_SERVICES);
    assert_int_equal(count_services(*state), N_SERVICES);
    assert_int_equal(count(*state, "h", ".example.com"), N_SERVICES);
    assert_false(pin_catalog_is_dirty(*state, 1));
    wish(*state, "svc-7.shop.svc.clusterset.local"); /* of no use any more, and no harm */
    pin_catalog_grant(*state);
    assert_false(pin_catalog_is_dirty(*state, 1));
}

/* A unit stands in its list once, whatever happens to it before its turn. */
static void test_changed_after(void **state)
{
    wish(*state, "svc-7.shop.svc.clusterset.local");
    wish(*state, "h7.example.com");
    pin_catalog_grant(*state);
    put_service(*state, "svc-7");
    put_route(*state, "route-7", "h7.example.com");
    unsigned n = 0;
    while (pin_catalog_publish_some(*state, 1, 1).is_cut) {
        n++;
        assert_true(n < 10 * N_SERVICES);
    }
    assert_int_equal(count_services(*state), N_SERVICES);
    assert_int_equal(count(*state, "h", ".example.com"), N_SERVICES);
    assert_false(pin_catalog_is_dirty(*state, 1));
}

static void test_lost(void **state)
{
    struct pin_wishes *wishes = pin_catalog_live(*state)->wishes;
    static const uint8_t one[] = "\1a";
    static const uint8_t other[] = "\1b";
    pin_wishes_put(wishes, 5, one, sizeof(one));
    pin_wishes_put(wishes, 5 + PIN_WISHES_MAX, other, sizeof(other)); /* its place is taken */
    pin_wishes_put(NULL, 5, one, sizeof(one));
    assert_int_equal(wishes->places[5].wire[1], 'a');
    pin_catalog_grant(*state);
    pin_wishes_put(wishes, 5 + PIN_WISHES_MAX, other, sizeof(other));
    assert_int_equal(wishes->places[5].wire[1], 'b');
}

#define ROW(text, fn)                                                                              \
    {                                                                                              \
        .name = (text), .test_func = (fn), .setup_func = set_up, .teardown_func = tear_down        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW("a service that is wished for is there before others", test_service),
        ROW("so is a hostname, with the route that it points at", test_hostname),
        ROW("in the end all are there, wished for or not", test_all_in_the_end),
        ROW("what changes once it was granted takes nothing else along", test_changed_after),
        ROW("what finds no place is lost", test_lost),
    };
    pin_rcu_register();
    int failed = cmocka_run_group_tests_name("wishes", tests, NULL, NULL);
    pin_rcu_unregister();
    return failed;
}
