/* SPDX-License-Identifier: Apache-2.0 */

/* What routes' answers showed first, beside what they should have: over changes of weights, askers
 * with views of their own, another configuration, and the end of a route. */

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/rcu.h"
#include "pintle/base/text.h"
#include "pintle/zones/edition.h"

#include "resolver/metrics.h"
#include "support/message.h"
#include "support/stage.h"
#include "zones/tally.h"

static struct pin_stage stage;

/* What one row says. */
struct seen {
    const char *cluster;
    const char *backend;
    struct pin_tally_row row;
    unsigned n_rows; /* that match */
    unsigned n_all;
};

static void apply(uint16_t cluster_id, const char *yaml)
{
    struct pin_why why = {0};
    assert_int_equal(pin_stage_apply(&stage, cluster_id, yaml, strlen(yaml), &why), PIN_OK);
}

/* A Service of that name in a cluster, with endpoints 10.<net>.0.1 to n. */
static void set_service(uint16_t cluster_id, const char *name, unsigned net, unsigned n)
{
    char yaml[2048];
    int at = snprintf(yaml, sizeof(yaml),
        "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: %s}, spec: {clusterIP: "
        "10.96.0.%u, ports: [{port: 80}]}}\n---\n{apiVersion: discovery.k8s.io/v1, kind: "
        "EndpointSlice, metadata: {namespace: shop, name: %s-1, labels: "
        "{kubernetes.io/service-name: %s}}, addressType: IPv4, ports: [{port: 80}], endpoints: [",
        name, net, name, name);
    for (unsigned i = 1; i <= n; i++) {
        at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "{addresses: [10.%u.0.%u]}, ", net, i);
    }
    (void)snprintf(yaml + at, sizeof(yaml) - (size_t)at, "]}\n");
    apply(cluster_id, yaml);
}

static void set_route(unsigned a, unsigned b)
{
    char yaml[512];
    (void)snprintf(yaml, sizeof(yaml),
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: shop, "
        "name: cart}, spec: {rules: [{backendRefs: [{name: a, port: 80, weight: %u}, {name: b, "
        "port: 80, weight: %u}]}]}}",
        a, b);
    apply(0, yaml);
    pin_stage_publish(&stage);
}

/* The route's assigned name. */
static const char *route_name(void)
{
    static char name[PIN_NAME_TEXT_MAX];
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_catalog_names_json(stage.catalog, &json);
    const char *at = strstr(pin_text_get(&text), "\"assignedName\":\"");
    assert_non_null(at);
    assert_int_equal(sscanf(at, "\"assignedName\":\"%253[^\"]", name), 1);
    pin_text_done(&text);
    return name;
}

/* Asks n times as an asker of that cluster, or of none. */
static void ask(unsigned n, uint16_t type, uint16_t cluster_id)
{
    struct pin_stage_asker asker = {
        .source = pin_ip_from_bytes((const uint8_t[4]){192, 0, 2, 1}, 4),
        .listen_cluster_id = cluster_id};
    struct message_query query = {.name = route_name(), .type = type};
    for (unsigned i = 0; i < n; i++) {
        size_t bytes = message_build(&query, stage.wire);
        (void)pin_stage_ask(&stage, &asker, bytes, PIN_TRANSPORT_UDP);
    }
}

static void look(void *arg, const struct pin_tally_row *row)
{
    struct seen *seen = arg;
    seen->n_all++;
    if (strcmp(row->cluster, seen->cluster) == 0 && strcmp(row->backend, seen->backend) == 0) {
        seen->row = *row;
        seen->n_rows++;
    }
}

static struct seen read_row(const char *cluster, const char *backend)
{
    struct seen seen = {.cluster = cluster, .backend = backend};
    struct pin_tally *tally = pin_index_tally(pin_catalog_live(stage.catalog)->index);
    pin_rcu_barrier(); /* tables that are gone are added to their rows */
    assert_int_equal(pin_tally_read(tally, look, &seen), 0);
    return seen;
}

static void expect(
    const char *cluster, const char *backend, unsigned low, unsigned high, double wanted)
{
    struct seen seen = read_row(cluster, backend);
    assert_int_equal(seen.n_rows, 1);
    assert_in_range(seen.row.n_first, low, high);
    assert_true(fabs(seen.row.wanted - wanted) < 0.001);
}

static void test_weights(void **state)
{
    (void)state;
    set_route(10, 90);
    ask(1000, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/a", 98, 102, 100);
    expect("c1", "shop/b", 898, 902, 900);
    set_route(50, 50);
    expect("c1", "shop/a", 98, 102, 100); /* what was counted stays */
    ask(1000, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/a", 597, 603, 600);
    expect("c1", "shop/b", 1397, 1403, 1400);
}

static void test_same_table(void **state)
{
    (void)state;
    set_route(10, 90);
    ask(10, PIN_TYPE_A, PIN_CLUSTER_NONE);
    set_route(10, 90);
    set_route(1, 9); /* the same shares: the table stays, and so does its block */
    ask(10, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/a", 1, 3, 2);
    expect("c1", "shop/b", 17, 19, 18);
}

static void test_one_address(void **state)
{
    (void)state;
    set_service(0, "b", 2, 1);
    set_route(0, 1);
    ask(7, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/b", 7, 7, 7);
    ask(3, PIN_TYPE_AAAA, PIN_CLUSTER_NONE); /* it has none: nothing stands first */
    ask(3, PIN_TYPE_HTTPS, PIN_CLUSTER_NONE);
    expect("c1", "shop/b", 7, 7, 7);
}

static void test_nodata(void **state)
{
    (void)state;
    set_service(0, "a", 1, 0);
    set_route(10, 90);
    ask(1000, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/b", 1000, 1000, 1000); /* its share went to the other */
    pin_stage_delete(&stage, 0, PIN_KIND_HTTP_ROUTE, "shop", "cart");
    pin_stage_publish(&stage);
    assert_int_equal(read_row("c1", "shop/b").n_all, 0);
}

static void test_askers(void **state)
{
    (void)state;
    apply(0, "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: a, annotations: "
             "{service.cilium.io/global: 'true', pintle.dev/affinity: local}}, spec: {clusterIP: "
             "10.96.0.1, ports: [{port: 80}]}}");
    set_service(1, "a", 3, 4);
    apply(1, "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: a, annotations: "
             "{service.cilium.io/global: 'true', pintle.dev/affinity: local}}, spec: {clusterIP: "
             "10.96.0.3, ports: [{port: 80}]}}");
    apply(0,
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: "
        "shop, name: cart}, spec: {rules: [{backendRefs: [{group: multicluster.x-k8s.io, kind: "
        "ServiceImport, name: a, port: 80}]}]}}");
    pin_stage_publish(&stage);
    ask(100, PIN_TYPE_A, 0);
    ask(300, PIN_TYPE_A, 1);
    expect("c1", "shop/a", 100, 100, 100); /* each is shown its own cluster: as wanted */
    expect("c2", "shop/a", 300, 300, 300);
}

static void test_heirs(void **state)
{
    (void)state;
    stage.has_heirs = true;
    set_route(10, 90);
    ask(100, PIN_TYPE_A, PIN_CLUSTER_NONE);
    set_route(90, 10);
    ask(100, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/a", 98, 102, 100);
    expect("c1", "shop/b", 98, 102, 100);
}

static void test_left_by_a_transfer(void **state)
{
    (void)state;
    struct pin_name apex;
    apply(0, "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: "
             "shop, name: cart}, spec: {hostnames: [example.com], rules: [{backendRefs: [{name: a, "
             "port: 80, weight: 10}, {name: b, port: 80, weight: 90}]}]}}");
    pin_stage_publish(&stage);
    assert_int_equal(pin_name_parse("example.com", &apex), PIN_OK);
    struct pin_edition *edition =
        pin_edition_pin(pin_index_zone(pin_catalog_live(stage.catalog)->index, &apex));
    assert_non_null(edition);
    ask(100, PIN_TYPE_A, PIN_CLUSTER_NONE);
    stage.has_heirs = true;
    pin_stage_publish(&stage); /* the catalog goes, what the transfer reads of it stays */
    stage.has_heirs = false;
    ask(100, PIN_TYPE_A, PIN_CLUSTER_NONE);
    expect("c1", "shop/a", 18, 22, 20);
    pin_stage_delete(&stage, 0, PIN_KIND_HTTP_ROUTE, "shop", "cart");
    pin_stage_publish(&stage);
    pin_rcu_barrier();
    pin_stage_publish(&stage); /* lets go of what the heir's own editions had */
    assert_int_equal(read_row("c1", "shop/a").n_all, 0);
    pin_edition_unpin(edition);
}

/* Blocks of counters that a test took. */
struct taken {
    uint32_t first[8192];
    size_t n;
};

/* Takes all counters that are left. */
static void take_all(struct pin_tally *tally, struct taken *taken)
{
    static const uint8_t part_of[1] = {0};
    struct pin_tally_part parts[PIN_TALLY_PARTS_MAX];
    for (size_t i = 0; i < PIN_TALLY_PARTS_MAX; i++) {
        parts[i] = (struct pin_tally_part){.cluster = "c1", .backend = "shop/other", .share = 0.1};
    }
    for (size_t n = PIN_TALLY_PARTS_MAX; n > 0; n /= 2) {
        const struct pin_tally_want want = {
            .tally = tally, .route = "r", .parts = parts, .n_parts = n, .part_of = part_of};
        uint32_t first = 0;
        while ((first = pin_tally_open(&want)) != 0) {
            assert_true(taken->n < N_ELEMS(taken->first));
            taken->first[taken->n++] = first;
        }
    }
}

static void give_back(struct pin_tally *tally, struct taken *taken)
{
    while (taken->n > 0) {
        pin_tally_close(tally, taken->first[--taken->n]);
    }
}

static void count_none(void *arg, const struct pin_tally_row *row)
{
    (void)arg;
    (void)row;
}

static void test_no_counters_left(void **state)
{
    (void)state;
    const struct pin_stage_asker asker = {
        .source = pin_ip_from_bytes((uint8_t[4]){192, 0, 2, 1}, 4),
        .listen_cluster_id = PIN_CLUSTER_NONE};
    struct pin_tally *tally = pin_index_tally(pin_catalog_live(stage.catalog)->index);
    static struct taken taken;
    take_all(tally, &taken);
    uint64_t n_before = pin_tally_read(tally, count_none, NULL);
    set_route(10, 90);
    ask(3, PIN_TYPE_A, PIN_CLUSTER_NONE);
    const struct pin_table *table = pin_stage_table(&stage, &asker, route_name(), PIN_TYPE_A);
    assert_non_null(table);
    assert_int_equal(table->tally, 0);
    set_route(1, 9); /* the same shares: not counted, but it stays, and is no news */
    assert_ptr_equal(pin_stage_table(&stage, &asker, route_name(), PIN_TYPE_A), table);
    assert_int_equal(pin_tally_read(tally, count_none, NULL), n_before + 1);
    give_back(tally, &taken);
}

static void test_many_rows(void **state)
{
    char yaml[512];
    (void)state;
    for (unsigned i = 0; i < PIN_TALLY_ROWS_MAX + 10; i++) {
        (void)snprintf(yaml, sizeof(yaml),
            "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: "
            "shop, name: r%u}, spec: {rules: [{backendRefs: [{name: a, port: 80}]}]}}",
            i);
        apply(0, yaml);
    }
    pin_stage_publish(&stage);
    struct seen seen = read_row("", "");
    assert_int_equal(seen.n_rows, 1);
    assert_string_equal(seen.row.route, "other");
    assert_int_equal(seen.n_all, PIN_TALLY_ROWS_MAX + 1);
}

/* What explain says was counted of the table that an asker is shown; to be freed. */
static struct pin_text explain(uint16_t cluster_id)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    struct pin_name name;
    const struct pin_scene *scene = pin_catalog_live(stage.catalog)->scene;
    struct pin_explain_asker asker = {
        .asker = pin_scene_viewed(scene, (uint16_t)(cluster_id + 1), cluster_id)};
    assert_int_equal(pin_name_parse(route_name(), &name), PIN_OK);
    pin_catalog_explain_json(stage.catalog, &name, PIN_TYPE_A, &asker, &json);
    return text;
}

static void expect_explained(uint16_t cluster_id, const char *want)
{
    struct pin_text text = explain(cluster_id);
    const char *at = strstr(pin_text_get(&text), "\"counted\":");
    assert_non_null(at);
    assert_memory_equal(at, want, strlen(want));
    pin_text_done(&text);
}

/* A figure that stands once in what explain says was counted for c1's askers. */
static unsigned long explained(const char *key)
{
    struct pin_text text = explain(0);
    const char *at = strstr(pin_text_get(&text), "\"counted\":");
    assert_non_null(at);
    at = strstr(strstr(at, "]"), key); /* after the items */
    assert_non_null(at);
    unsigned long figure = strtoul(at + strlen(key), NULL, 10);
    pin_text_done(&text);
    return figure;
}

static void test_explained(void **state)
{
    test_askers(state);
    expect_explained(0,
        "\"counted\":{\"items\":[{\"backend\":\"shop/a\",\"cluster\":\"c1\",\"answers\":100,"
        "\"wanted\":100}],\"answers\":100,");
    expect_explained(1,
        "\"counted\":{\"items\":[{\"backend\":\"shop/a\",\"cluster\":\"c2\",\"answers\":300,"
        "\"wanted\":300}],\"answers\":300,");
}

static void test_series(void **state)
{
    (void)state;
    set_route(10, 90);
    ask(10, PIN_TYPE_A, PIN_CLUSTER_NONE);
    unsigned long series = explained("\"series\":");
    assert_int_not_equal(series, 0);
    set_route(1, 9); /* the same shares */
    ask(10, PIN_TYPE_A, PIN_CLUSTER_NONE);
    assert_int_equal(explained("\"series\":"), series);
    assert_int_equal(explained("\"answers\":"), 20);
    set_route(2, 8);
    ask(30, PIN_TYPE_A, PIN_CLUSTER_NONE); /* more than before: the figure alone would not tell */
    assert_int_not_equal(explained("\"series\":"), series);
    assert_int_equal(explained("\"answers\":"), 30);
}

static void test_label(void **state)
{
    struct pin_text text = {0};
    (void)state;
    pin_metrics_put_label(&text, "a\"b\\c\nd");
    assert_string_equal(pin_text_get(&text), "a\\\"b\\\\c\\nd");
    pin_text_done(&text);
}

static int set_up(void **state)
{
    (void)state;
    if (!pin_stage_open_two(&stage)) {
        return -1;
    }
    set_service(0, "a", 1, 2);
    set_service(0, "b", 2, 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_stage_done(&stage);
    pin_rcu_unregister();
    return 0;
}

#define TEST(text, test)                                                                           \
    {                                                                                              \
        text, test, set_up, tear_down, NULL                                                        \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST("each backend's first addresses are counted, and over a change of weights",
            test_weights),
        TEST("what leaves the table alone leaves its counts alone", test_same_table),
        TEST("a route of one address is counted, what has no address is not", test_one_address),
        TEST("what is wanted is what was steered; a route that goes takes its rows", test_nodata),
        TEST("askers with views of their own get what they are wanted to", test_askers),
        TEST("explain tells what was counted of the table that the asker is shown", test_explained),
        TEST("explain tells when these counts began anew", test_series),
        TEST("another configuration goes on counting", test_heirs),
        TEST("what a transfer reads of a configuration that is gone keeps no counters",
            test_left_by_a_transfer),
        TEST("without counters left, a table that is alike stays", test_no_counters_left),
        TEST("beyond the limit all others are one row", test_many_rows),
        TEST("a label's value is escaped", test_label),
    };
    return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
