/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever is asked where answers are written from tables, they are whole messages. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "support/message.h"
#include "support/stage.h"

#define N_QUESTIONS 60000u

#define SLICE(service, cluster_net)                                                                \
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"                                       \
    "metadata: {namespace: shop, name: " service "-1, labels: {kubernetes.io/service-name: "       \
    "" service "}}\naddressType: IPv4\nports: [{name: http, port: 80}, {name: dns, port: 53, "     \
    "protocol: UDP}]\nendpoints: [{addresses: [10." cluster_net ".0.1], zone: eu-a, hostname: "    \
    "web-0}, {addresses: [10." cluster_net ".0.2], zone: a.b}, {addresses: [10." cluster_net       \
    ".0.3], zone: eu-a, targetRef: {kind: Pod, name: web-1}}]\n---\n"
#define SERVICE(name, spec)                                                                        \
    "apiVersion: v1\nkind: Service\nmetadata: {namespace: shop, name: " name "}\n"                 \
    "spec: {" spec ", ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]}\n"    \
    "---\napiVersion: multicluster.x-k8s.io/v1alpha1\nkind: ServiceExport\n"                       \
    "metadata: {namespace: shop, name: " name "}\n---\n"
#define RANGE                                                                                      \
    "apiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\nmetadata: {name: k}\n"                   \
    "spec: {cidrs: [10.0.0.0/12, 'fd00::/30']}\n"

static const char c1[] = SERVICE("db", "clusterIP: None") SLICE("db", "1")
    SERVICE("web", "clusterIP: 10.9.0.1") SLICE("web", "1") RANGE;
static const char c2[] = SERVICE("db", "clusterIP: None") SLICE("db", "2")
    SERVICE("web", "clusterIP: 10.9.0.2") SLICE("web", "2");

/* Labels that mean something somewhere, and some that never do. */
static const char *const labels[] = {"_http", "_tcp", "http", "tcp", "_udp", "udp", "dns", "_dns",
    "eu-a", "a", "b", "pin", "prefer", "_zone", "_cluster", "c1", "c2", "web-0", "web-1",
    "10-1-0-1", "10-1-0-2", "10-2-0-2", "fd00--1", "shop", "pod", "svc", "db", "web", "x", "0", "1",
    "2", "10", "255", "256", "f", "000", "in-addr", "-"};
static const char *const bases[] = {"db.shop.svc.clusterset.local", "web.shop.svc.clusterset.local",
    "db.shop.svc.cluster.local", "web.shop.svc.c1.cluster.local", "pod.cluster.local",
    "pod.c2.cluster.local", "0.10.in-addr.arpa", "in-addr.arpa", "0.0.d.f.ip6.arpa", "arpa",
    "c2.db.shop.svc.clusterset.local", "svc.cluster.local", "c1.db.shop.svc.clusterset.local"};
static const uint16_t types[] = {PIN_TYPE_A, PIN_TYPE_AAAA, PIN_TYPE_SRV, PIN_TYPE_PTR,
    PIN_TYPE_ANY, PIN_TYPE_SOA, PIN_TYPE_NS, PIN_TYPE_CNAME, UINT16_MAX, 0};

static uint64_t chance_state = 88172645463325252u;

static unsigned chance(size_t n)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return (unsigned)((chance_state >> 33) % n);
}

static void make_name(char name[512])
{
    int at = 0;
    for (unsigned n = chance(7); n > 0; n--) {
        at += snprintf(name + at, 512 - (size_t)at, "%s.", labels[chance(N_ELEMS(labels))]);
    }
    (void)snprintf(name + at, 512 - (size_t)at, "%s", bases[chance(N_ELEMS(bases))]);
}

static void ask(struct pin_stage *stage)
{
    static struct message answer;
    char name[512];
    make_name(name);
    struct message_query query = {
        .name = name, .type = types[chance(N_ELEMS(types))], .has_edns = chance(2) == 0};
    query.edns_bytes = 1232;
    struct pin_stage_asker asker = {.listen_cluster_id = PIN_CLUSTER_NONE};
    (void)pin_ip_parse("233.252.0.1", &asker.source);
    if (chance(3) > 0) {
        asker.listen_cluster_id = (uint16_t)chance(3);
    }
    size_t bytes = message_build(&query, stage->wire);
    bytes =
        pin_stage_ask(stage, &asker, bytes, chance(4) == 0 ? PIN_TRANSPORT_TCP : PIN_TRANSPORT_UDP);
    bool is_fine = bytes > 0 && message_parse(stage->wire, bytes, &answer)
                   && (answer.rcode == 0 || answer.rcode == 3 || answer.rcode == 5)
                   && (answer.rcode != 3 || (answer.n_rr[1] == 0 && answer.n_rr[2] == 1))
                   && (answer.rcode != 0 || answer.n_rr[1] + answer.n_rr[2] > 0);
    if (!is_fine) {
        fail_msg("%s type %u: no answer that makes sense", name, query.type);
    }
}

static void play(bool is_lighthouse)
{
    static struct pin_stage stage;
    static const char *const manifests[] = {c1, c2,
        "{apiVersion: v1, kind: Node, metadata: {name: "
        "n}, spec: {podCIDR: 10.3.0.0/16}}"};
    static const char *const names[] = {"c1", "c2", "c3"};
    struct pin_why why = {0};
    pin_stage_init(&stage);
    stage.settings.is_lighthouse = is_lighthouse;
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        (void)pin_stage_add_cluster(&stage, names[i]);
    }
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    for (uint16_t i = 0; i < (uint16_t)N_ELEMS(names); i++) {
        pin_stage_mark(&stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
        pin_stage_mark(&stage, i, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
        assert_int_equal(
            pin_stage_apply(&stage, i, manifests[i], strlen(manifests[i]), &why), PIN_OK);
    }
    pin_stage_publish(&stage);
    for (unsigned i = 0; i < N_QUESTIONS; i++) {
        ask(&stage);
    }
    pin_stage_done(&stage);
}

static void test_names(void **state)
{
    (void)state;
    play(false);
}

static void test_lighthouse(void **state)
{
    (void)state;
    play(true);
}

/* Names and records of such endpoints are written when they are asked for: in memory they cost
 * their addresses. */
static void test_nodes(void **state)
{
    static struct pin_stage stage;
    static const char service[] = SERVICE("many", "clusterIP: None");
    static const char slice[] =
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {namespace: shop, "
        "name: many-1, labels: {kubernetes.io/service-name: many}}\naddressType: IPv4\n"
        "ports: [{name: http, port: 80}, {name: dns, port: 53, protocol: UDP}]\nendpoints:\n";
    uint64_t n_nodes = 0;
    struct pin_why why = {0};
    (void)state;
    pin_stage_init(&stage);
    pin_stage_add_cluster(&stage, "c1");
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    pin_stage_mark(&stage, 0, PIN_DELTA_UP, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, 0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_int_equal(pin_stage_apply(&stage, 0, service, sizeof(service) - 1, &why), PIN_OK);
    for (unsigned n = 1; n <= 200; n += 199) {
        char text[16384];
        int at = snprintf(text, sizeof(text), "%s", slice);
        for (unsigned i = 0; i < n; i++) {
            at += snprintf(
                text + at, sizeof(text) - (size_t)at, "- {addresses: [10.1.0.%u]}\n", i + 1);
        }
        assert_int_equal(pin_stage_apply(&stage, 0, text, (size_t)at, &why), PIN_OK);
        pin_stage_publish(&stage);
        struct pin_index_size size = pin_index_size(pin_catalog_live(stage.catalog)->index);
        assert_true(n == 1 || size.n_nodes == n_nodes);
        n_nodes = size.n_nodes;
    }
    pin_stage_done(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"any labels give a whole answer", test_names, NULL, NULL, NULL},
        {"so they do with Lighthouse's names", test_lighthouse, NULL, NULL, NULL},
        {"endpoints named by their address take no node", test_nodes, NULL, NULL, NULL},
    };
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("synth", tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
