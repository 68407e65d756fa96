/* SPDX-License-Identifier: Apache-2.0 */

/* "explain.NAME" as TXT in class CH: what it says, to whom, and that nothing is counted for it. */

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

#include "support/message.h"
#include "support/stage.h"

#define LINES_MAX 80u

static struct pin_stage stage;
static struct message reply;
static char lines[LINES_MAX][256];
static size_t n_lines;

static const char objects[] =
    "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: a, annotations: "
    "{service.cilium.io/global: 'true', pintle.dev/weight: '1'}}, spec: {clusterIP: 10.96.0.1, "
    "ports: [{port: 80}]}}\n---\n"
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: a-1, "
    "labels: {kubernetes.io/service-name: a}}, addressType: IPv4, ports: [{port: 80}], endpoints: "
    "[{addresses: [10.1.0.1]}]}\n---\n"
    "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: shop, name: "
    "r}, spec: {hostnames: [shop.example.com], rules: [{backendRefs: [{name: a, port: 80}]}]}}\n";

static const char weighted[] =
    "{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: a, annotations: "
    "{service.cilium.io/global: 'true', pintle.dev/weight: '9'}}, spec: {clusterIP: 10.96.0.2, "
    "ports: [{port: 80}]}}\n---\n"
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: a-1, "
    "labels: {kubernetes.io/service-name: a}}, addressType: IPv4, ports: [{port: 80}], endpoints: "
    "[{addresses: [10.2.0.1]}]}\n";

static void apply(uint16_t cluster_id, const char *yaml)
{
    struct pin_why why = {0};
    assert_int_equal(pin_stage_apply(&stage, cluster_id, yaml, strlen(yaml), &why), PIN_OK);
    pin_stage_publish(&stage);
}

static struct pin_ip ip_of(const char *text)
{
    struct pin_ip ip;
    assert_true(pin_ip_parse(text, &ip));
    return ip;
}

/* Asks from an address and reads the lines. */
static void ask(const char *name, const char *from, enum pin_transport transport)
{
    struct pin_stage_asker asker = {.source = ip_of(from), .listen_cluster_id = PIN_CLUSTER_NONE};
    struct message_query query = {.name = name, .type = PIN_TYPE_TXT, .qclass = PIN_CLASS_CH};
    size_t bytes = message_build(&query, stage.wire);
    bytes = pin_stage_ask(&stage, &asker, bytes, transport);
    assert_true(bytes > 0);
    assert_true(message_parse(stage.wire, bytes, &reply));
    n_lines = 0;
    for (size_t i = 0; i < reply.n_records; i++) {
        const struct message_rr *rr = &reply.records[i];
        assert_int_equal(rr->type, PIN_TYPE_TXT);
        assert_int_equal(rr->rrclass, PIN_CLASS_CH);
        assert_in_range(n_lines, 0, LINES_MAX - 1);
        assert_int_equal(stage.wire[rr->rdata_at] + 1u, rr->rdata_bytes);
        (void)snprintf(lines[n_lines++], sizeof(lines[0]), "%.*s", stage.wire[rr->rdata_at],
            (const char *)stage.wire + rr->rdata_at + 1);
    }
}

static void expect(const char *const *texts, size_t n)
{
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(n_lines, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(lines[i], texts[i]);
    }
}

#define EXPECT(...)                                                                                \
    expect((const char *const[]){__VA_ARGS__}, N_ELEMS(((const char *const[]){__VA_ARGS__})))

#define NAME "explain.a.shop.svc.clusterset.local"

static void test_shares(void **state)
{
    (void)state;
    ask(NAME, "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("A why=drawn zone=clusterset from=127.0.0.1 ttl=5", "10.1.0.1 first=10%",
        "10.2.0.1 first=90%");
    ask("EXPLAIN.A.shop.svc.clusterset.LOCAL", "::1", PIN_TRANSPORT_TCP);
    EXPECT(
        "A why=drawn zone=clusterset from=::1 ttl=5", "10.1.0.1 first=10%", "10.2.0.1 first=90%");
}

static void test_alias(void **state)
{
    (void)state;
    ask("explain.shop.example.com", "127.9.9.9", PIN_TRANSPORT_UDP);
    assert_int_equal(n_lines, 2);
    assert_non_null(strstr(lines[0], "A alias of r-shop-"));
    assert_non_null(strstr(lines[0], " why=whole zone=assigned from=127.9.9.9 ttl=5"));
    assert_string_equal(lines[1], "10.1.0.1 first=100%");
}

/* Glue is others', as all that is below a delegation. */
static void test_below_cut(void **state)
{
    (void)state;
    apply(0, "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {namespace: "
             "shop, name: e}, spec: {endpoints: [{dnsName: sub.example.com, recordType: NS, "
             "targets: [ns.sub.example.com]}, {dnsName: ns.sub.example.com, recordType: A, "
             "targets: [192.0.2.1]}]}}");
    ask("explain.ns.sub.example.com", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("why=referral zone=custom from=127.0.0.1");
}

/* Each alias of a circle is told once; what leads into it, too. */
static void test_circle(void **state)
{
    (void)state;
    apply(0, "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {namespace: "
             "shop, name: e}, spec: {endpoints: [{dnsName: in.example.com, recordType: CNAME, "
             "targets: [a.example.com]}, {dnsName: a.example.com, recordType: CNAME, targets: "
             "[b.example.com]}, {dnsName: b.example.com, recordType: CNAME, targets: "
             "[A.example.com]}, {dnsName: own.example.com, recordType: CNAME, targets: "
             "[own.example.com]}]}}");
    ask("explain.a.example.com", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("a circle: alias of b.example.com. alias of a.example.com. why=whole zone=custom "
           "from=127.0.0.1");
    ask("explain.in.example.com", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("a circle: alias of a.example.com. alias of b.example.com. alias of a.example.com. "
           "why=whole zone=custom from=127.0.0.1");
    ask("explain.own.example.com", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("a circle: alias of own.example.com. why=whole zone=custom from=127.0.0.1");
}

static void test_absence(void **state)
{
    (void)state;
    ask("explain.b.shop.svc.clusterset.local", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("why=no-name zone=clusterset from=127.0.0.1");
    ask("explain.shop.svc.clusterset.local", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("why=no-data zone=clusterset from=127.0.0.1");
    ask("explain.www.example.org", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("why=refused from=127.0.0.1");
    ask("explain.10-1-0-1.a.shop.svc.clusterset.local", "127.0.0.1", PIN_TRANSPORT_UDP);
    EXPECT("why=no-name zone=clusterset from=127.0.0.1");
}

static void test_policy(void **state)
{
    (void)state;
    apply(0, "{apiVersion: pintle.dev/v1alpha1, kind: ResolvePolicy, metadata: {namespace: shop, "
             "name: p}, spec: {targetRefs: [{group: gateway.networking.k8s.io, kind: HTTPRoute, "
             "name: r}], allow: [{clusters: [c2]}]}}");
    ask("explain.shop.example.com", "127.0.0.1", PIN_TRANSPORT_UDP);
    assert_int_equal(n_lines, 1);
    assert_non_null(
        strstr(lines[0], "why=policy zone=custom policy=c1/ResolvePolicy/shop/p from="));
    assert_int_equal(pin_stat_read(&stage.worker.stats.n_denied), 0);
}

static void test_others(void **state)
{
    static const char *const askers[] = {
        "10.0.0.1", "192.0.2.1", "126.255.255.255", "128.0.0.1", "::2", "2001:db8::1", "fe80::1"};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(askers); i++) {
        ask(NAME, askers[i], PIN_TRANSPORT_UDP);
        assert_int_equal(reply.rcode, 5);
        assert_int_equal(n_lines, 0);
    }
    ask("explain", "127.0.0.1", PIN_TRANSPORT_UDP); /* what follows is the root, nobody's */
    EXPECT("why=refused from=127.0.0.1");
    ask("explains.a.shop.svc.clusterset.local", "127.0.0.1", PIN_TRANSPORT_UDP);
    assert_int_equal(reply.rcode, 5);
}

static void test_what_fits(void **state)
{
    char yaml[4096];
    int at = snprintf(yaml, sizeof(yaml),
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, name: "
        "a-1, labels: {kubernetes.io/service-name: a}}, addressType: IPv4, ports: [{port: 80}], "
        "endpoints: [");
    (void)state;
    for (unsigned i = 1; i <= 70; i++) {
        at += snprintf(yaml + at, sizeof(yaml) - (size_t)at, "{addresses: [10.1.1.%u]}, ", i);
    }
    (void)snprintf(yaml + at, sizeof(yaml) - (size_t)at, "]}\n");
    apply(0, yaml);
    ask(NAME, "127.0.0.1", PIN_TRANSPORT_UDP);
    char *rest = NULL;
    assert_in_range(n_lines, 8, 20); /* of 512 bytes */
    assert_int_equal(reply.flags & 0x0200, 0);
    assert_memory_equal(lines[n_lines - 1], "and ", 4);
    assert_int_equal(strtoul(lines[n_lines - 1] + 4, &rest, 10) + n_lines - 2, 71);
    assert_string_equal(rest, " more addresses: pintlectl explain");
    ask(NAME, "127.0.0.1", PIN_TRANSPORT_TCP);
    assert_int_equal(n_lines, 1 + 64 + 1);
    assert_string_equal(lines[65], "and 7 more addresses: pintlectl explain");
}

static void forget_row(void *arg, const struct pin_tally_row *row)
{
    uint64_t *sum = arg;
    *sum += row->n_first;
}

static void test_nothing_counted(void **state)
{
    uint64_t sum = 0;
    (void)state;
    ask("explain.shop.example.com", "127.0.0.1", PIN_TRANSPORT_UDP);
    (void)pin_tally_read(pin_index_tally(pin_catalog_live(stage.catalog)->index), forget_row, &sum);
    assert_int_equal(sum, 0);
}

static int set_up(void **state)
{
    (void)state;
    if (!pin_stage_open_two(&stage)) {
        return -1;
    }
    apply(0, objects);
    apply(1, weighted);
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
        TEST("the reason, then each address with its share", test_shares),
        TEST("an alias is followed", test_alias),
        TEST("glue says that it is others'", test_below_cut),
        TEST("an alias in a circle says so", test_circle),
        TEST("what is not there, and what is not ours", test_absence),
        TEST("a policy that keeps the asker out is named, and nothing else", test_policy),
        TEST("others than this machine are refused", test_others),
        TEST("as many addresses as fit, and how many there are beside them", test_what_fits),
        TEST("nothing is drawn or counted", test_nothing_counted),
    };
    return cmocka_run_group_tests_name("explain_txt", tests, NULL, NULL);
}
