/* SPDX-License-Identifier: Apache-2.0 */

/* Kubernetes sets no limit to the ports of a Service: who writes very many holds nobody else up. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"

#include "support/defaults.h"
#include "zones/assigned.h"

#define N_PORTS     20000u
#define N_ENDPOINTS 1000u
#define NAME        "many.shop.svc.clusterset.local"

enum { C1, C2, C3, C4, N_CLUSTERS };

static const struct pin_network networks[1] = {{.name = "default"}};
static const struct pin_cluster_settings clusters[N_CLUSTERS] = {
    {.name = "c1", .weight = PIN_WEIGHT_UNSET}, {.name = "c2", .weight = PIN_WEIGHT_UNSET},
    {.name = "c3", .weight = PIN_WEIGHT_UNSET}, {.name = "c4", .weight = PIN_WEIGHT_UNSET}};
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

/* What a Service and its slices look like. */
struct shape {
    size_t n_ports;
    size_t n_slices;
    size_t n_endpoints; /* of each slice */
    bool is_headless;
    bool has_one_number;  /* all ports lead to one port of the endpoints */
    bool has_own_numbers; /* each slice leads to others */
    bool has_route;
    const char *app_protocol; /* of the Service's ports */
    const char *service;      /* NULL: many */
    const char *port;         /* its ports' names begin so; NULL: p */
    size_t first_port;        /* the number in the name of its first port */
    uint16_t cluster_id;
};

static const char *service_of(const struct shape *shape)
{
    return shape->service != NULL ? shape->service : "many";
}

static struct shape very_many_with_ip = {
    .n_ports = N_PORTS, .n_slices = 1, .n_endpoints = N_ENDPOINTS};
static struct shape very_many_headless = {
    .n_ports = N_PORTS, .n_slices = 1, .n_endpoints = N_ENDPOINTS, .is_headless = true};

/* p0, p1 and so on, of TCP; the numbers begin at `first` and go up by `step`. */
static struct pin_port *make_ports(
    struct pin_object *object, const struct shape *shape, uint16_t first, uint16_t step)
{
    size_t n = shape->n_ports;
    struct pin_port *ports = pin_object_alloc(object, n * sizeof(*ports));
    assert_non_null(ports);
    for (size_t i = 0; i < n; i++) {
        char name[32];
        int bytes = snprintf(name, sizeof(name), "%s%zu", shape->port != NULL ? shape->port : "p",
            shape->first_port + i);
        ports[i] = (struct pin_port){.name = pin_object_text(object, name, (size_t)bytes),
            .port = (uint16_t)(first + i * step),
            .protocol = PIN_PROTOCOL_TCP};
    }
    return ports;
}

static void put_service(const struct shape *shape)
{
    struct pin_object *object = named(PIN_KIND_SERVICE, service_of(shape));
    struct pin_ip *ip = pin_object_alloc(object, sizeof(*ip));
    struct pin_port *ports = make_ports(object, shape, 1, 1);
    assert_true(pin_ip_parse(shape->service == NULL ? "10.96.0.1" : "10.96.0.2", ip));
    for (size_t i = 0; i < shape->n_ports; i++) {
        ports[i].app_protocol = shape->app_protocol;
    }
    object->as.service.is_headless = shape->is_headless;
    object->as.service.cluster_ips = ip;
    object->as.service.n_cluster_ips = shape->is_headless ? 0 : 1;
    object->as.service.ports = ports;
    object->as.service.n_ports = shape->n_ports;
    pin_catalog_apply(catalog, pin_delta_upsert(shape->cluster_id, object));
    object = named(PIN_KIND_SERVICE_EXPORT, service_of(shape));
    object->created_s = 100 - shape->cluster_id; /* the last cluster's is the oldest */
    pin_catalog_apply(catalog, pin_delta_upsert(shape->cluster_id, object));
}

/* Neighbours in the order of addresses are of different slices. */
static void put_slice(const struct shape *shape, size_t slice_i)
{
    char name[32];
    (void)snprintf(name, sizeof(name), "%s-%zu", service_of(shape), slice_i);
    struct pin_object *object = named(PIN_KIND_ENDPOINT_SLICE, name);
    struct pin_slice_body *slice = &object->as.slice;
    uint8_t *ips = pin_object_alloc(object, shape->n_endpoints * 4);
    uint8_t *flags = pin_object_alloc(object, shape->n_endpoints);
    uint8_t net = shape->service != NULL ? 128 : 0;
    uint16_t first = (uint16_t)(shape->has_own_numbers ? 1001 + slice_i : 1001);
    for (size_t i = 0; i < shape->n_endpoints; i++) {
        size_t host = i * shape->n_slices + slice_i;
        uint8_t ip[] = {10, (uint8_t)(net + (host >> 16)), (uint8_t)(host >> 8), (uint8_t)host};
        memcpy(ips + 4 * i, ip, 4);
        flags[i] = PIN_ENDPOINT_READY | PIN_ENDPOINT_SERVING;
    }
    *slice = (struct pin_slice_body){.service = pin_object_text(object, service_of(shape), 4),
        .family = 4,
        .n_endpoints = shape->n_endpoints,
        .ips = ips,
        .ip_bytes = shape->n_endpoints * 4,
        .flags = flags,
        .ports = make_ports(object, shape, first, !shape->has_one_number),
        .n_ports = shape->n_ports};
    pin_catalog_apply(catalog, pin_delta_upsert(shape->cluster_id, object));
}

static void put_all(const struct shape *shape)
{
    put_service(shape);
    for (size_t i = 0; i < shape->n_slices; i++) {
        put_slice(shape, i);
    }
}

/* A route to a port of some Services; its name is put into `ret_name`. */
static void put_route(const char *const *services, size_t n, char ret_name[PIN_NAME_TEXT_MAX])
{
    struct pin_object *route = named(PIN_KIND_HTTP_ROUTE, "way");
    struct pin_backend_ref *backends = pin_object_alloc(route, n * sizeof(*backends));
    struct pin_route_rule *rule = pin_object_alloc(route, sizeof(*rule));
    struct pin_name name;
    for (size_t i = 0; i < n; i++) {
        backends[i] = (struct pin_backend_ref){.kind = PIN_BACKEND_SERVICE,
            .kind_text = "Service",
            .namespace_name = route->namespace_name,
            .name = pin_object_text(route, services[i], strlen(services[i])),
            .weight = 1,
            .port = 60000}; /* which they lack: all count */
    }
    *rule = (struct pin_route_rule){.backends = backends, .n_backends = n};
    route->as.route.rules = rule;
    route->as.route.n_rules = 1;
    pin_assigned_name(&settings, C1, route, &name);
    pin_name_format(name.wire, ret_name);
    pin_catalog_apply(catalog, pin_delta_upsert(C1, route));
}

/* How many records of the type the name has; 0: there is no such name. */
static unsigned n_of(const char *text, uint16_t type)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    const struct pin_node *node =
        pin_index_find(pin_catalog_live(catalog)->index, name.wire, name.bytes);
    const struct pin_rrset *rrset = node == NULL ? NULL : pin_node_rrset(node, type);
    return rrset == NULL ? 0 : pin_rrset_base(rrset)->n_rr;
}

static unsigned n_srv(const char *text)
{
    return n_of(text, PIN_TYPE_SRV);
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
    const struct shape *shape = *state;
    bool is_headless = shape->is_headless;
    unsigned n = is_headless ? N_ENDPOINTS : 1;
    put_all(shape);
    assert_non_null(
        strstr(said, "EndpointSlice shop/many-0 of cluster c1 has 20000 ports, the first "
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
    const struct shape shape = {
        .n_ports = 100, .n_slices = 1, .n_endpoints = N_ENDPOINTS, .is_headless = true};
    (void)state;
    put_all(&shape);
    assert_string_equal(said, "");
    publish();
    assert_int_equal(n_srv("_p0._tcp." NAME), N_ENDPOINTS);
    assert_int_equal(n_srv("_p99._tcp." NAME), N_ENDPOINTS);
}

/* What a name shows is no more than what an object may have, however many export it. */
static void test_many_clusters(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_CLUSTERS; i++) {
        put_all(&(struct shape){.n_ports = 300,
            .n_slices = 1,
            .n_endpoints = 1,
            .is_headless = true,
            .first_port = 300 * i,
            .cluster_id = (uint16_t)i});
    }
    assert_string_equal(said, "");
    publish();
    assert_int_equal(n_srv(NAME), 1000);
    assert_int_equal(n_srv("_p1199._tcp." NAME), 1); /* of the oldest export, all of them */
    assert_int_equal(n_srv("_p300._tcp." NAME), 1);
    assert_int_equal(n_srv("_p99._tcp." NAME), 1);
    assert_int_equal(n_srv("_p100._tcp." NAME), 0); /* of the youngest, what is left */
}

/* Of a route's ports it is the first by name, in whatever order its backends stand. */
static void test_many_backends(void **state)
{
    static const char *const services[] = {"more", "many"};
    char route[PIN_NAME_TEXT_MAX];
    char name[PIN_NAME_TEXT_MAX + 16];
    struct shape shape = {.n_ports = 1000, .n_slices = 1, .n_endpoints = 1};
    (void)state;
    put_all(&shape);
    shape.service = "more";
    shape.port = "q";
    put_all(&shape);
    put_route(services, N_ELEMS(services), route);
    publish();
    (void)snprintf(name, sizeof(name), "_p999._tcp.%s", route);
    assert_int_equal(n_srv(name), 1);
    (void)snprintf(name, sizeof(name), "_q0._tcp.%s", route);
    assert_int_equal(n_srv(name), 0);
}

/* --- what it costs -------------------------------------------------------------------------- */

/* Ports by endpoints: what is done for each of them is little, however they are spread. */
#define MANY_PORTS     1000u
#define MANY_ENDPOINTS 1900u

/* Seconds of this thread that the last publication of such a Service, or of its route, takes. */
static double seconds(const struct shape *shape, char ret_route[PIN_NAME_TEXT_MAX])
{
    struct timespec from;
    struct timespec to;
    put_all(shape);
    if (shape->has_route) {
        publish();
        put_route((const char *const[]){"many"}, 1, ret_route);
    }
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
    publish();
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
    return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

struct cost_case {
    const char *name;
    struct shape shape;
    unsigned n_of_name;  /* SRV records of the Service's name */
    unsigned n_of_route; /* and of the route's, */
    unsigned n_https;    /* beside HTTPS records */
};

/* Before each had its remedy it took 15 to 250 times what the plain one takes, now up to 3. */
static struct cost_case costs[] = {
    {"100 slices", {.n_ports = MANY_PORTS, .n_slices = 100, .n_endpoints = MANY_ENDPOINTS / 100},
        2000, 0, 0},
    {"all ports lead to one",
        {.n_ports = MANY_PORTS,
            .n_slices = 1,
            .n_endpoints = MANY_ENDPOINTS,
            .has_one_number = true},
        MANY_ENDPOINTS, 0, 0},
    {"a route to them",
        {.n_ports = MANY_PORTS, .n_slices = 1, .n_endpoints = MANY_ENDPOINTS, .has_route = true},
        2000, MANY_PORTS, 0},
    {"a route, and all of them speak TLS",
        {.n_ports = MANY_PORTS,
            .n_slices = 1,
            .n_endpoints = MANY_ENDPOINTS,
            .has_route = true,
            .app_protocol = "https"},
        2000, MANY_PORTS, 1},
    {"a route to one port, which is another one in each of 100 slices",
        {.n_ports = 1,
            .n_slices = 100,
            .n_endpoints = 1000,
            .has_own_numbers = true,
            .has_route = true},
        2000, 2000, 0},
};

static void test_cost(void **state)
{
    static const struct shape plain = {
        .n_ports = MANY_PORTS, .n_slices = 1, .n_endpoints = MANY_ENDPOINTS, .is_headless = true};
    struct cost_case *c = *state;
    char route[PIN_NAME_TEXT_MAX];
    double plain_s = seconds(&plain, route);
    void *no_state = NULL;
    assert_int_equal(tear_down(&no_state), 0);
    assert_int_equal(set_up(&no_state), 0);
    c->shape.is_headless = true;
    double taken_s = seconds(&c->shape, route);
    print_message("%s: %.2f s, plain %.2f s\n", c->name, taken_s, plain_s);
    assert_true(taken_s < 8 * plain_s);
    assert_int_equal(n_srv(NAME), c->n_of_name);
    if (c->shape.has_route) {
        assert_int_equal(n_srv(route), c->n_of_route);
        assert_int_equal(n_of(route, PIN_TYPE_HTTPS), c->n_https);
    }
}

int main(void)
{
    static struct shape *const very_many[] = {&very_many_with_ip, &very_many_headless};
    struct CMUnitTest tests[N_ELEMS(very_many) + 3 + N_ELEMS(costs)] = {
        {.name = "20,000 ports of a Service with an address", .test_func = test_very_many},
        {.name = "20,000 ports of a headless Service", .test_func = test_very_many},
        {.name = "as many ports as a large cluster's largest Service", .test_func = test_many},
        {.name = "more ports than count, of several clusters", .test_func = test_many_clusters},
        {.name = "more ports than count, of a route's backends", .test_func = test_many_backends},
    };
    for (size_t i = 0; i < N_ELEMS(very_many); i++) {
        tests[i].initial_state = very_many[i];
    }
    for (size_t i = 0; i < N_ELEMS(costs); i++) {
        tests[N_ELEMS(very_many) + 3 + i] = (struct CMUnitTest){
            .name = costs[i].name, .test_func = test_cost, .initial_state = &costs[i]};
    }
    for (size_t i = 0; i < N_ELEMS(tests); i++) {
        tests[i].setup_func = set_up;
        tests[i].teardown_func = tear_down;
    }
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
