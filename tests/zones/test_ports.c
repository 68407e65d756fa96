/* SPDX-License-Identifier: Apache-2.0 */

/* Kubernetes sets no limit to the ports of a Service: who writes very many holds nobody else up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"

#include "support/defaults.h"

#define N_PORTS     20000u
#define N_ENDPOINTS 1000u
#define NAME        "many.shop.svc.clusterset.local"

enum { C1, N_CLUSTERS };

static const struct pin_network networks[1] = {{.name = "default"}};
static const struct pin_cluster_settings clusters[N_CLUSTERS] = {
    {.name = "c1", .weight = PIN_WEIGHT_UNSET}};
static struct pin_settings settings;
static struct pin_catalog *catalog;
static char said[256];

static void on_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)arg;
    if (level == PIN_LOG_WARN) {
        (void)snprintf(said, sizeof(said), "%s", line);
    }
}

static int set_up(void **state)
{
    (void)state;
    said[0] = '\0';
    pin_log_set_sink(on_log, NULL);
    settings = pin_test_settings(networks, 1, clusters, N_CLUSTERS);
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, NULL), PIN_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_rcu_barrier();
    pin_catalog_free(catalog);
    pin_log_set_sink(NULL, NULL);
    return 0;
}

static struct pin_object *named(enum pin_kind kind, const char *name)
{
    struct pin_object *object = pin_object_new(kind, 256);
    assert_non_null(object);
    object->namespace_name = pin_object_text(object, "shop", 4);
    object->name = pin_object_text(object, name, strlen(name));
    return object;
}

/* p0, p1 and so on, of TCP; the numbers begin at `first`. */
static const struct pin_port *make_ports(struct pin_object *object, size_t n, uint16_t first)
{
    struct pin_port *ports = pin_object_alloc(object, n * sizeof(*ports));
    assert_non_null(ports);
    for (size_t i = 0; i < n; i++) {
        char name[16];
        int bytes = snprintf(name, sizeof(name), "p%zu", i);
        ports[i] = (struct pin_port){.name = pin_object_text(object, name, (size_t)bytes),
            .port = (uint16_t)(first + i),
            .protocol = PIN_PROTOCOL_TCP};
    }
    return ports;
}

static void put_service(bool is_headless, size_t n_ports)
{
    struct pin_object *object = named(PIN_KIND_SERVICE, "many");
    struct pin_ip *ip = pin_object_alloc(object, sizeof(*ip));
    assert_true(pin_ip_parse("10.96.0.1", ip));
    object->as.service.is_headless = is_headless;
    object->as.service.cluster_ips = ip;
    object->as.service.n_cluster_ips = is_headless ? 0 : 1;
    object->as.service.ports = make_ports(object, n_ports, 1);
    object->as.service.n_ports = n_ports;
    pin_catalog_apply(catalog, pin_delta_upsert(C1, object));
    pin_catalog_apply(catalog, pin_delta_upsert(C1, named(PIN_KIND_SERVICE_EXPORT, "many")));
}

static void put_slice(size_t n_ports)
{
    struct pin_object *object = named(PIN_KIND_ENDPOINT_SLICE, "many");
    struct pin_slice_body *slice = &object->as.slice;
    uint8_t *ips = pin_object_alloc(object, (size_t)N_ENDPOINTS * 4);
    uint8_t *flags = pin_object_alloc(object, N_ENDPOINTS);
    for (size_t i = 0; i < N_ENDPOINTS; i++) {
        memcpy(ips + 4 * i, (const uint8_t[]){10, 0, (uint8_t)(i >> 8), (uint8_t)i}, 4);
        flags[i] = PIN_ENDPOINT_READY | PIN_ENDPOINT_SERVING;
    }
    *slice = (struct pin_slice_body){.service = object->name,
        .family = 4,
        .n_endpoints = N_ENDPOINTS,
        .ips = ips,
        .ip_bytes = (size_t)N_ENDPOINTS * 4,
        .flags = flags,
        .ports = make_ports(object, n_ports, 1001),
        .n_ports = n_ports};
    pin_catalog_apply(catalog, pin_delta_upsert(C1, object));
}

/* How many SRV records the name has; 0: there is no such name. */
static unsigned n_srv(const char *text)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    const struct pin_node *node =
        pin_index_find(pin_catalog_live(catalog)->index, name.wire, name.bytes);
    const struct pin_rrset *rrset = node == NULL ? NULL : pin_node_rrset(node, PIN_TYPE_SRV);
    return rrset == NULL ? 0 : pin_rrset_base(rrset)->n_rr;
}

/* Compiles it all; nothing is left for want of memory. */
static void publish(void)
{
    (void)pin_catalog_publish(catalog, 1);
    assert_false(pin_catalog_is_dirty(catalog, 1));
    pin_rcu_quiescent();
}

static void test_very_many(void **state)
{
    bool is_headless = *(const bool *)*state;
    unsigned n = is_headless ? N_ENDPOINTS : 1;
    put_service(is_headless, N_PORTS);
    put_slice(N_PORTS);
    assert_non_null(strstr(said, "EndpointSlice shop/many of cluster c1 has 20000 ports, the first "
                                 "1000 have SRV records"));
    publish();
    assert_int_equal(n_srv("_p0._tcp." NAME), n);
    assert_int_equal(n_srv("_p999._tcp." NAME), n);
    assert_int_equal(n_srv("_p1000._tcp." NAME), 0);
    assert_int_equal(n_srv(NAME), is_headless ? 2000 : 1000); /* what one RRset may have */
}

/* As many as there are in a large cluster's own largest Service. */
static void test_many(void **state)
{
    (void)state;
    put_service(true, 100);
    put_slice(100);
    assert_string_equal(said, "");
    publish();
    assert_int_equal(n_srv("_p0._tcp." NAME), N_ENDPOINTS);
    assert_int_equal(n_srv("_p99._tcp." NAME), N_ENDPOINTS);
}

int main(void)
{
    static bool has_ip = false;
    static bool is_headless = true;
    const struct CMUnitTest tests[] = {
        {.name = "20,000 ports of a Service with an address",
            .test_func = test_very_many,
            .setup_func = set_up,
            .teardown_func = tear_down,
            .initial_state = &has_ip},
        {.name = "20,000 ports of a headless Service",
            .test_func = test_very_many,
            .setup_func = set_up,
            .teardown_func = tear_down,
            .initial_state = &is_headless},
        cmocka_unit_test_setup_teardown(test_many, set_up, tear_down),
    };
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
