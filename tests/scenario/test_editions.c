/* SPDX-License-Identifier: Apache-2.0 */

/* What a transfer of a custom zone shows: what strangers are shown, all of it, and nothing before
 * clusters have been seen. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/edition.h"

#include "support/stage.h"

#define ZONE      "example.com"
#define CHILD     "sub.example.com"
#define LINES_MAX 64

static struct pin_stage stage;

static void apply(uint16_t cluster_id, const char *yaml)
{
    struct pin_why why = {0};
    enum pin_err err = pin_stage_apply(&stage, cluster_id, yaml, strlen(yaml), &why);
    if (err != PIN_OK) {
        print_error("%s\n", why.text);
    }
    assert_int_equal(err, PIN_OK);
}

/* A Service with one endpoint, as the cluster has it. */
static void add_service(uint16_t cluster_id, const char *name, unsigned octet)
{
    char yaml[1024];
    (void)snprintf(yaml, sizeof(yaml),
        "{apiVersion: v1, kind: Service, metadata: {namespace: d, name: %s}, spec: {clusterIP: "
        "10.96.%u.%u, ports: [{port: 80}]}}\n---\n"
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: d, name: "
        "%s-1, labels: {kubernetes.io/service-name: %s}}, addressType: IPv4, ports: [{port: 80}], "
        "endpoints: [{addresses: [10.%u.0.%u]}]}\n",
        name, cluster_id, octet, name, name, cluster_id + 1u, octet);
    apply(cluster_id, yaml);
}

static void add_route(const char *name, const char *hostname, const char *backends)
{
    char yaml[1024];
    (void)snprintf(yaml, sizeof(yaml),
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: d, "
        "name: %s}, spec: {hostnames: [%s], rules: [{backendRefs: [%s]}]}}\n",
        name, hostname, backends);
    apply(0, yaml);
}

static void load_child(const char *records)
{
    char text[512];
    struct pin_text faults = {0};
    struct pin_zonefile *file = NULL;
    int bytes = snprintf(text, sizeof(text),
        "$TTL 60\n@ SOA ns1 h 7 1 2 3 4\n@ NS ns1\nns1 A 192.0.2.1\n%s", records);
    struct pin_zonefile_input input = {
        .zone = CHILD, .text = {.path = "f", .text = text, .bytes = (size_t)bytes}};
    assert_int_equal(pin_zonefile_parse(&input, &file, &faults), PIN_OK);
    pin_text_done(&faults);
    assert_int_equal(pin_catalog_set_zonefile(stage.catalog, file, NULL), PIN_OK);
    pin_stage_publish(&stage);
}

static const struct pin_zone *find_zone(const char *text)
{
    struct pin_name apex;
    assert_int_equal(pin_name_parse(text, &apex), PIN_OK);
    return pin_index_zone(pin_catalog_live(stage.catalog)->index, &apex);
}

/* --- a zone as text --------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* "name type rdata" of an RR; addresses and names as people write them. */
static void describe(const struct pin_edition_rr *rr, char line[200])
{
    char owner[PIN_NAME_TEXT_MAX];
    char target[PIN_NAME_TEXT_MAX];
    const uint8_t *rdata = rr->tail + 10;
    unsigned type = (unsigned)(rr->tail[0] << 8 | rr->tail[1]);
    pin_name_format(rr->owner, owner);
    if (type == PIN_TYPE_A) {
        (void)snprintf(
            target, sizeof(target), "%u.%u.%u.%u", rdata[0], rdata[1], rdata[2], rdata[3]);
    } else {
        pin_name_format(rdata, target);
    }
    (void)snprintf(line, 200, "%.80s %u %.80s\n", owner, type, target);
}

/* All but the SOA, sorted. */
static void assert_zone(const char *want)
{
    static char lines[LINES_MAX][200];
    static char got[sizeof(lines)];
    size_t n = 0;
    struct pin_edition *edition = pin_edition_pin(find_zone(ZONE));
    assert_non_null(edition);
    struct pin_edition_rr rr;
    struct pin_edition_walk walk = pin_edition_begin(edition, NULL);
    while (pin_edition_next(&walk, &rr)) {
        if (rr.tail[1] != PIN_TYPE_SOA) {
            assert_true(n < LINES_MAX);
            describe(&rr, lines[n++]);
        }
    }
    pin_edition_unpin(edition);
    qsort(lines, n, sizeof(lines[0]), compare);
    got[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s", lines[i]);
    }
    assert_string_equal(got, want);
}

/* --- tests ------------------------------------------------------------------------------------ */

static int set_up(void **state)
{
    struct pin_why why = {0};
    (void)state;
    pin_rcu_register();
    pin_stage_init(&stage);
    assert_non_null(pin_stage_add_cluster(&stage, "c1"));
    assert_non_null(pin_stage_add_cluster(&stage, "c2"));
    stage.zones_custom[0] = ZONE;
    stage.settings.zones_custom = stage.zones_custom;
    stage.settings.n_zones_custom = 1;
    stage.zones_static[0] = CHILD;
    stage.settings.zones_static = stage.zones_static;
    stage.settings.n_zones_static = 1;
    stage.settings.zones_shipped = stage.zones_custom;
    stage.settings.n_zones_shipped = 1;
    stage.settings.address = PIN_ADDRESS_ENDPOINTS;
    stage.settings.default_cluster = 1; /* whose view transfers do not show */
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    load_child("");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_stage_done(&stage);
    pin_rcu_unregister();
    return 0;
}

static void see_clusters(void)
{
    pin_stage_mark(&stage, 0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, 1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    pin_stage_publish(&stage);
}

#define ALWAYS "example.com. 2 ns1.example.com.\n"

static void test_nothing_is_sent_before_clusters_are_seen(void **state)
{
    (void)state;
    add_service(0, "web", 1);
    add_route("r", "www.example.com", "{name: web, port: 80}");
    pin_stage_publish(&stage);
    assert_null(pin_edition_pin(find_zone(ZONE)));
    assert_int_equal(find_zone(ZONE)->shipped, 0);
    see_clusters();
    assert_zone(ALWAYS "sub.example.com. 2 ns1.sub.example.com.\n"
                       "www.example.com. 5 r-d-ffaa14961eea9f54.pintle.internal.\n");
}

static void test_a_steered_apex_shows_every_address(void **state)
{
    (void)state;
    add_service(0, "web", 1);
    add_service(0, "new", 2);
    add_route(
        "r", "example.com", "{name: web, port: 80, weight: 90}, {name: new, port: 80, weight: 10}");
    see_clusters();
    assert_zone("example.com. 1 10.1.0.1\nexample.com. 1 10.1.0.2\n" ALWAYS
                "sub.example.com. 2 ns1.sub.example.com.\n");
    uint32_t serial = find_zone(ZONE)->serial;
    add_service(0, "new", 3);
    pin_stage_publish(&stage);
    assert_int_equal(find_zone(ZONE)->serial, serial + 1);
    assert_zone("example.com. 1 10.1.0.1\nexample.com. 1 10.1.0.3\n" ALWAYS
                "sub.example.com. 2 ns1.sub.example.com.\n");
}

/* Two clusters may have one address: it is in the zone once. */
static void test_an_address_of_two_is_sent_once(void **state)
{
    (void)state;
    add_service(0, "web", 1);
    add_service(0, "twin", 1);
    add_route("r", "example.com", "{name: web, port: 80}, {name: twin, port: 80, weight: 3}");
    see_clusters();
    assert_zone("example.com. 1 10.1.0.1\n" ALWAYS "sub.example.com. 2 ns1.sub.example.com.\n");
}

/* The same, of Services with very many endpoints: a drawn table is sent as it is. */
static void add_slice(const char *service, unsigned n)
{
    char yaml[8192];
    int at = snprintf(yaml, sizeof(yaml),
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: d, name: "
        "%s-2, labels: {kubernetes.io/service-name: %s}}, addressType: IPv4, ports: [{port: 80}], "
        "endpoints: [",
        service, service);
    for (unsigned i = 1; i <= n; i++) {
        at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "{addresses: [10.1.0.%u]}, ", i);
    }
    (void)snprintf(yaml + at, sizeof(yaml) - (size_t)at, "]}\n");
    apply(0, yaml);
}

static void test_many_addresses_of_two_are_sent_once(void **state)
{
    bool is_sent[256] = {false};
    unsigned n = 0;
    (void)state;
    add_service(0, "web", 1);
    add_service(0, "twin", 1);
    add_slice("web", 200);
    add_slice("twin", 100);
    add_route("r", "example.com", "{name: web, port: 80}, {name: twin, port: 80, weight: 3}");
    see_clusters();
    struct pin_edition *edition = pin_edition_pin(find_zone(ZONE));
    assert_non_null(edition);
    struct pin_edition_walk walk = pin_edition_begin(edition, NULL);
    for (struct pin_edition_rr rr; pin_edition_next(&walk, &rr);) {
        if (rr.tail[1] == PIN_TYPE_A && rr.tail[10] == 10) {
            assert_false(is_sent[rr.tail[13]]);
            is_sent[rr.tail[13]] = true;
            n++;
        }
    }
    pin_edition_unpin(edition);
    assert_int_equal(n, 200);
}

/* Secondaries need it: they refer, too. */
static void test_glue_of_records_is_sent(void **state)
{
    (void)state;
    apply(0, "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {namespace: "
             "d, name: e}, spec: {endpoints: [{dnsName: out.example.com, recordType: NS, targets: "
             "[ns.out.example.com]}, {dnsName: ns.out.example.com, recordType: A, targets: "
             "[192.0.2.9]}]}}");
    see_clusters();
    assert_zone(ALWAYS "ns.out.example.com. 1 192.0.2.9\n"
                       "out.example.com. 2 ns.out.example.com.\n"
                       "sub.example.com. 2 ns1.sub.example.com.\n");
}

static void test_a_zone_within_is_a_delegation(void **state)
{
    (void)state;
    see_clusters();
    assert_zone(ALWAYS "sub.example.com. 2 ns1.sub.example.com.\n");
    load_child("@ NS ns2\nns2 A 192.0.2.2\nwww A 192.0.2.3\n");
    assert_zone(ALWAYS "sub.example.com. 2 ns1.sub.example.com.\n"
                       "sub.example.com. 2 ns2.sub.example.com.\n");
}

static void test_what_nobody_may_resolve_is_not_sent(void **state)
{
    (void)state;
    add_service(0, "web", 1);
    add_route("r", "example.com", "{name: web, port: 80}");
    apply(0,
        "{apiVersion: pintle.dev/v1alpha1, kind: ResolvePolicy, metadata: {namespace: d, name: "
        "p}, spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, name: r}], "
        "allow: [{clusters: [c1]}]}}\n");
    see_clusters();
    assert_zone(ALWAYS "sub.example.com. 2 ns1.sub.example.com.\n");
}

int main(void)
{
#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH(test_nothing_is_sent_before_clusters_are_seen),
        WITH(test_a_steered_apex_shows_every_address),
        WITH(test_an_address_of_two_is_sent_once),
        WITH(test_many_addresses_of_two_are_sent_once),
        WITH(test_glue_of_records_is_sent),
        WITH(test_a_zone_within_is_a_delegation),
        WITH(test_what_nobody_may_resolve_is_not_sent),
    };
    return cmocka_run_group_tests_name("editions", tests, NULL, NULL);
}
