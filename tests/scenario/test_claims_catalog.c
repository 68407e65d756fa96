/* SPDX-License-Identifier: Apache-2.0 */

/* What objects of two clusters want in the outside DNS, by the whole catalog. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/claims_catalog.h"
#include "pintle/zones/drain.h"

#include "support/faults.h"
#include "support/stage.h"

#define C1 0
#define C2 1

#define OLD "external-dns.alpha.kubernetes.io/"
#define NEW "external-dns.kubernetes.io/"

#define SERVICE(notes, spec, status)                                                               \
    "{apiVersion: v1, kind: Service, metadata: {namespace: default, name: my-service, "            \
    "annotations: {" notes "}}, spec: {" spec "}, status: {" status "}}\n---\n"
#define LB(ips) "loadBalancer: {ingress: [" ips "]}"
#define APP     NEW "hostname: app.example.com"
#define BALANCED(notes, ip)                                                                        \
    SERVICE(notes, "type: LoadBalancer, clusterIP: 10.96.0.7", LB("{ip: " ip "}"))
#define ENDPOINT(ready)                                                                            \
    "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: default, name: " \
    "s-1, labels: {kubernetes.io/service-name: my-service}}, addressType: IPv4, endpoints: "       \
    "[{addresses: [10.1.0.1], conditions: {ready: " ready "}}, "                                   \
    "{addresses: [10.1.0.2], conditions: {ready: false}}]}\n---\n"
#define INGRESS(notes, spec, status)                                                               \
    "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {namespace: shop, name: web, "    \
    "annotations: {" notes "}}, spec: {" spec "}, status: {" status "}}\n---\n"
#define GATEWAY(notes, listeners)                                                                  \
    "{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {namespace: shop, name: " \
    "front, annotations: {" notes "}}, spec: {gatewayClassName: x, listeners: [" listeners "]}, "  \
    "status: {addresses: [{value: 192.0.2.7}, {value: '2001:db8::7'}]}}\n---\n"
#define LISTENER(host) "{name: l" host ", port: 80, protocol: HTTP, hostname: '" host "'}"
#define ANY_LISTENER   "{name: any, port: 80, protocol: HTTP}"
#define ROUTE(notes, hosts)                                                                        \
    "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: shop, "     \
    "name: way, annotations: {" notes "}}, spec: {parentRefs: [{name: front}], hostnames: "        \
    "[" hosts "]}}\n---\n"

static struct claims_case {
    const char *name; /* reads as a sentence in the test report */
    const char *c1;
    const char *c2;
    const char *want; /* a line each, sorted by the test */
    bool to_assigned;
} cases[] = {
    {"a Service's annotation gives its load balancer a name", BALANCED(APP, "192.0.2.1"), "",
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n", false},
    {"so does the former annotation", BALANCED(OLD "hostname: app.example.com", "192.0.2.1"), "",
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n", false},
    {"with a TTL", BALANCED(APP ", " NEW "ttl: 1m", "192.0.2.1"), "",
        "app.example.com A 60 192.0.2.1 c1 service/default/my-service\n", false},
    {"a Service without an annotation has none", BALANCED("", "192.0.2.1"), "", "", false},
    {"another controller's is left to it", BALANCED(APP ", " NEW "controller: other", "192.0.2.1"),
        "", "", false},
    {"both families of a load balancer",
        SERVICE(APP, "type: LoadBalancer", LB("{ip: 192.0.2.1}, {ip: '2001:db8::1'}")), "",
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n"
        "app.example.com AAAA 0 2001:db8::1 c1 service/default/my-service\n",
        false},
    {"a load balancer without an address yet holds what it gave",
        SERVICE(APP, "type: LoadBalancer", ""), "",
        "app.example.com A 0 holds c1 service/default/my-service\n"
        "app.example.com AAAA 0 holds c1 service/default/my-service\n"
        "app.example.com CNAME 0 holds c1 service/default/my-service\n",
        false},
    {"a load balancer with a name is an alias",
        SERVICE(APP, "type: LoadBalancer", LB("{hostname: lb.example.net}")), "",
        "app.example.com CNAME 0 lb.example.net c1 service/default/my-service\n", false},
    {"external addresses go before it",
        SERVICE(APP, "type: LoadBalancer, externalIPs: [192.0.2.9]", LB("{ip: 192.0.2.1}")), "",
        "app.example.com A 0 192.0.2.9 c1 service/default/my-service\n", false},
    {"a target before all", BALANCED(APP ", " NEW "target: 192.0.2.33", "192.0.2.1"), "",
        "app.example.com A 0 192.0.2.33 c1 service/default/my-service\n", false},
    {"a ClusterIP is nothing for outside", SERVICE(APP, "clusterIP: 10.96.0.7", ""), "", "", false},
    {"unless it is asked for",
        SERVICE(NEW "internal-hostname: in.example.com", "clusterIP: 10.96.0.7", ""), "",
        "in.example.com A 0 10.96.0.7 c1 service/default/my-service\n", false},
    {"an external name is an alias",
        SERVICE(APP, "type: ExternalName, externalName: db.example.net", ""), "",
        "app.example.com CNAME 0 db.example.net c1 service/default/my-service\n", false},
    {"a headless Service gives ready endpoints",
        SERVICE(APP, "clusterIP: None", "") ENDPOINT("true"), "",
        "app.example.com A 0 10.1.0.1 c1 service/default/my-service\n", false},
    {"and its pods names of their own",
        SERVICE(NEW "hostname: 'app.example.com, *.example.com', " NEW
                    "internal-hostname: in.example.com",
            "clusterIP: None",
            "") "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: "
                "default, "
                "name: s-1, labels: {kubernetes.io/service-name: my-service}}, addressType: IPv4, "
                "endpoints: [{addresses: [10.1.0.1], hostname: web-0}, {addresses: [10.1.0.2], "
                "hostname: "
                "web-1, conditions: {ready: false}}, {addresses: [10.1.0.3], hostname: web-0}, "
                "{addresses: [10.1.0.4]}]}",
        "",
        "*.example.com A 0 10.1.0.1,10.1.0.3,10.1.0.4 c1 service/default/my-service\n"
        "app.example.com A 0 10.1.0.1,10.1.0.3,10.1.0.4 c1 service/default/my-service\n"
        "in.example.com A 0 10.1.0.1,10.1.0.3,10.1.0.4 c1 service/default/my-service\n"
        "web-0.app.example.com A 0 10.1.0.1,10.1.0.3 c1 service/default/my-service\n",
        false},
    {"and holds them while none is", SERVICE(APP, "clusterIP: None", "") ENDPOINT("false"), "",
        "app.example.com A 0 holds c1 service/default/my-service\n"
        "app.example.com AAAA 0 holds c1 service/default/my-service\n"
        "app.example.com CNAME 0 holds c1 service/default/my-service\n",
        false},
    {"sets with ids keep them, and their weights",
        BALANCED(APP ", " NEW "set-identifier: app-v1, " NEW "aws-weight: '80'", "192.0.2.1"), "",
        "app.example.com A [app-v1] 0 192.0.2.1 aws/weight=80 c1 service/default/my-service\n",
        false},
    {"a name in two clusters comes from both", BALANCED(APP, "192.0.2.1"),
        BALANCED(APP, "192.0.2.2"),
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n"
        "app.example.com A 0 192.0.2.2 c2 service/default/my-service\n",
        false},
    {"a cluster without a ready endpoint is left out while another has one",
        BALANCED(APP, "192.0.2.1") ENDPOINT("false"), BALANCED(APP, "192.0.2.2") ENDPOINT("true"),
        "app.example.com A 0 192.0.2.2 c2 service/default/my-service\n", false},
    {"all stay where none has", BALANCED(APP, "192.0.2.1") ENDPOINT("false"),
        BALANCED(APP, "192.0.2.2") ENDPOINT("false"),
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n"
        "app.example.com A 0 192.0.2.2 c2 service/default/my-service\n",
        false},
    {"one that has never had a slice counts as ready", BALANCED(APP, "192.0.2.1"),
        BALANCED(APP, "192.0.2.2") ENDPOINT("true"),
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n"
        "app.example.com A 0 192.0.2.2 c2 service/default/my-service\n",
        false},
    {"another name of it is left out nowhere", BALANCED(APP, "192.0.2.1") ENDPOINT("false"),
        BALANCED(NEW "hostname: other.example.com", "192.0.2.2") ENDPOINT("true"),
        "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n"
        "other.example.com A 0 192.0.2.2 c2 service/default/my-service\n",
        false},
    {"an Ingress gives the hosts of its rules and of TLS",
        INGRESS("",
            "rules: [{host: a.example.com}, {http: {}}], tls: [{hosts: [b.example.com, "
            "a.example.com]}]",
            LB("{ip: 192.0.2.3}")),
        "",
        "a.example.com A 0 192.0.2.3 c1 ingress/shop/web\n"
        "b.example.com A 0 192.0.2.3 c1 ingress/shop/web\n",
        false},
    {"a wildcard is a name as any",
        INGRESS("", "rules: [{host: '*.example.com'}]", LB("{hostname: lb.example.net}")), "",
        "*.example.com CNAME 0 lb.example.net c1 ingress/shop/web\n", false},
    {"an annotation adds to them, or takes their place",
        INGRESS(APP ", " NEW "ingress-hostname-source: annotation-only",
            "rules: [{host: a.example.com}]", LB("{ip: 192.0.2.3}")),
        "", "app.example.com A 0 192.0.2.3 c1 ingress/shop/web\n", false},
    {"an Ingress without an address holds", INGRESS("", "rules: [{host: a.example.com}]", ""), "",
        "a.example.com A 0 holds c1 ingress/shop/web\n"
        "a.example.com AAAA 0 holds c1 ingress/shop/web\n"
        "a.example.com CNAME 0 holds c1 ingress/shop/web\n",
        false},
    {"a route leads to the addresses of its Gateway",
        GATEWAY("", ANY_LISTENER) ROUTE("", "app.example.com"), "",
        "app.example.com A 0 192.0.2.7 c1 httproute/shop/way\n"
        "app.example.com AAAA 0 2001:db8::7 c1 httproute/shop/way\n",
        false},
    {"by the names that a listener takes",
        GATEWAY(NEW "target: 192.0.2.8", LISTENER("*.example.com"))
            ROUTE("", "app.example.com, app.example.net"),
        "", "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n", false},
    {"by the narrower of two",
        GATEWAY(NEW "target: 192.0.2.8", LISTENER("app.example.com")) ROUTE("", "'*.example.com'"),
        "", "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n", false},
    {"a route without names has its listener's",
        GATEWAY(NEW "target: 192.0.2.8", LISTENER("app.example.com")) ROUTE("", ""), "",
        "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n", false},
    {"an annotation's names are a route's as the others: by what a listener takes",
        GATEWAY(NEW "target: 192.0.2.8", LISTENER("*.example.com"))
            ROUTE(NEW "hostname: 'app.example.com, app.example.net'", ""),
        "", "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n", false},
    {"and may be the only ones",
        GATEWAY(NEW "target: 192.0.2.8", LISTENER("*.example.com"))
            ROUTE(APP ", " NEW "gateway-hostname-source: annotation-only", "web.example.com"),
        "", "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n", false},
    {"a route's own target is none",
        GATEWAY(NEW "target: 192.0.2.8", ANY_LISTENER)
            ROUTE(NEW "target: 192.0.2.9", "app.example.com"),
        "", "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n", false},
    {"a route that no Gateway takes leads nowhere",
        GATEWAY("", LISTENER("*.example.net")) ROUTE("", "app.example.com"), "", "", false},
    {"nor does one without a Gateway", ROUTE("", "app.example.com"), "", "", false},
    {"but to its assigned name", ROUTE("", "app.example.com"), "",
        "app.example.com CNAME 0 way-shop-d79f6c136fc75c49.pintle.internal c1 httproute/shop/way\n",
        true},
    {"and at an apex to its Gateway", GATEWAY("", ANY_LISTENER) ROUTE("", "example.com"), "",
        "example.com A 0 192.0.2.7 c1 httproute/shop/way\n"
        "example.com AAAA 0 2001:db8::7 c1 httproute/shop/way\n",
        true},
    {"a listener's name that no route has is its Gateway's",
        GATEWAY(NEW "target: 192.0.2.8", LISTENER("app.example.com") ", " LISTENER(
                                             "web.example.com") ", " LISTENER("*.example.com"))
            ROUTE("", "app.example.com"),
        "",
        "app.example.com A 0 192.0.2.8 c1 httproute/shop/way\n"
        "web.example.com A 0 192.0.2.8 c1 gateway/shop/front\n",
        false},
    {"one that another controller's route has is nobody's",
        GATEWAY("", LISTENER("app.example.com")) ROUTE(NEW "controller: other", "app.example.com"),
        "", "", false},
    {"a DNSEndpoint's records are as they are written",
        "{apiVersion: externaldns.k8s.io/v1alpha1, kind: DNSEndpoint, metadata: {namespace: shop, "
        "name: records}, spec: {endpoints: [{dnsName: r.example.com, recordType: A, recordTTL: 60, "
        "targets: [192.0.2.7], setIdentifier: v1, providerSpecific: [{name: aws/weight, value: "
        "'80'}]}, {dnsName: t.example.com, recordType: TXT, targets: [hello]}]}}",
        "",
        "r.example.com A [v1] 60 192.0.2.7 aws/weight=80 c1 crd/shop/records\n"
        "t.example.com TXT 0 \"hello\" c1 crd/shop/records\n",
        false},
};

static struct pin_stage stage;
static const char *const zones[] = {"example.com"};
static struct pin_record_want want;

static void apply(uint16_t cluster_id, const char *yaml)
{
    struct pin_why why = {0};
    if (yaml[0] != '\0'
        && pin_stage_apply(&stage, cluster_id, yaml, strlen(yaml), &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
}

static void list(uint16_t cluster_id, enum pin_kind kind)
{
    pin_stage_list(&stage, cluster_id, PIN_DELTA_LIST_BEGIN, kind, false);
    pin_stage_list(&stage, cluster_id, PIN_DELTA_LIST_END, kind, false);
}

static void open_stage(bool to_assigned)
{
    struct pin_why why = {0};
    pin_stage_init(&stage);
    assert_non_null(pin_stage_add_cluster(&stage, "c1"));
    assert_non_null(pin_stage_add_cluster(&stage, "c2"));
    want = (struct pin_record_want){.name = "public",
        .zones = zones,
        .n_zones = 1,
        .kinds = PIN_RECORD_KINDS,
        .to_assigned = to_assigned};
    stage.settings.records = &want;
    stage.settings.n_records = 1;
    stage.now_ms = 1000;
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
}

static int set_up(void **state)
{
    (void)state;
    open_stage(false);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_stage_done(&stage);
    return 0;
}

/* "app.example.com A [id] 60 192.0.2.1 name=value c1 service/default/my-service" */
static void put_set(struct pin_text *out, const struct pin_recordset *set)
{
    const struct pin_recordset_source *source = &set->sources[0];
    assert_int_equal(set->n_sources, 1);
    pin_text_putf(out, "%s %s", set->name, set->type);
    if (set->set_id[0] != '\0') {
        pin_text_putf(out, " [%s]", set->set_id);
    }
    pin_text_putf(out, " %u", set->ttl_s);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_text_putf(out, "%s%s", i == 0 ? " " : ",", set->values[i].text);
        assert_string_equal(set->values[i].clusters[0], source->cluster);
    }
    for (size_t i = 0; i < set->n_properties; i++) {
        pin_text_putf(out, " %s=%s", set->properties[i].name, set->properties[i].value);
    }
    if (set->n_holds > 0) {
        pin_text_puts(out, " holds");
        assert_string_equal(set->holds[0], source->cluster);
    }
    pin_text_putf(
        out, " %s %s/%s/%s\n", source->cluster, source->kind, source->namespace_name, source->name);
}

static int compare_sets(const void *a, const void *b)
{
    const struct pin_recordset *x = a;
    const struct pin_recordset *y = b;
    int order = pin_recordset_cmp(x, y);
    return order != 0 ? order : pin_recordset_source_cmp(&x->sources[0], &y->sources[0]);
}

static void put_claimed(struct pin_text *out, const struct pin_claimed *claimed)
{
    if (claimed->n_sets > 0) {
        qsort(claimed->sets, claimed->n_sets, sizeof(*claimed->sets), compare_sets);
    }
    for (size_t i = 0; i < claimed->n_sets; i++) {
        put_set(out, &claimed->sets[i]);
    }
}

/* What is told at the next moment at which something may be. NULL: nothing. */
static struct pin_claimed *take(void)
{
    pin_stage_publish(&stage);
    stage.now_ms += PIN_CLAIMED_EVERY_MS;
    return pin_catalog_take_claims(stage.catalog, stage.now_ms);
}

/* As text; "none" for nothing. Takes it. */
static void assert_claimed(struct pin_claimed *claimed, const char *expected)
{
    struct pin_text out = {0};
    if (claimed == NULL) {
        pin_text_puts(&out, "none");
    } else {
        put_claimed(&out, claimed);
        assert_null(claimed->next);
    }
    assert_string_equal(pin_text_get(&out), expected);
    pin_text_done(&out);
    pin_claimed_free(claimed);
}

static void assert_taken(const char *expected)
{
    assert_claimed(take(), expected);
}

static void test_case(void **state)
{
    const struct claims_case *c = *state;
    open_stage(c->to_assigned);
    apply(C1, c->c1);
    apply(C2, c->c2);
    struct pin_claimed *first = take();
    stage.now_ms += PIN_CLAIMED_SETTLE_MS; /* who has no endpoint has had none for long enough */
    struct pin_claimed *later = take();
    assert_claimed(pin_claimed_renew(later, first), c->want);
    pin_stage_done(&stage);
}

/* --- what is known ------------------------------------------------------------------------------
 */

static void assert_unsynced(const char *expected)
{
    struct pin_claimed *claimed = take();
    struct pin_text out = {0};
    assert_non_null(claimed);
    for (size_t i = 0; i < claimed->n_unsynced; i++) {
        pin_text_putf(&out, "%s ", claimed->unsynced[i]);
    }
    assert_string_equal(pin_text_get(&out), expected);
    pin_text_done(&out);
    pin_claimed_free(claimed);
}

static void list_all(uint16_t cluster_id)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if ((PIN_RECORD_KINDS >> kind & 1u) != 0) {
            list(cluster_id, (enum pin_kind)kind);
        }
    }
    pin_stage_mark(&stage, cluster_id, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
}

static void test_clusters_are_unsynced_until_all_that_counts_was_listed(void **state)
{
    (void)state;
    assert_unsynced("c1 c2 ");
    list(C1, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_null(take()); /* Ingresses and others may be refused: what they gave is not known */
    list_all(C1);
    assert_unsynced("c2 ");
    list_all(C2);
    assert_unsynced("");
    pin_stage_mark(&stage, C2, PIN_DELTA_DOWN, PIN_KIND_SERVICE);
    assert_null(take()); /* what it said last is known */
}

static void test_kinds_that_do_not_count_need_no_list(void **state)
{
    (void)state;
    want.kinds = 1u << PIN_KIND_SERVICE;
    list(C1, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_unsynced("c2 ");
}

static void end_list(uint16_t cluster_id, enum pin_kind kind, bool is_partial, const char *kept)
{
    struct pin_delta *delta = pin_delta_mark(cluster_id, PIN_DELTA_LIST_END, kind);
    assert_non_null(delta);
    delta->is_partial = is_partial;
    pin_stage_list(&stage, cluster_id, PIN_DELTA_LIST_BEGIN, kind, false);
    if (kept != NULL) {
        pin_catalog_apply(stage.catalog, pin_delta_keep(cluster_id, kind, "default", kept));
    }
    pin_catalog_apply(stage.catalog, delta);
}

static void test_a_list_of_what_cannot_be_read_tells_nothing(void **state)
{
    (void)state;
    want.kinds = 1u << PIN_KIND_SERVICE;
    pin_stage_mark(&stage, C1, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    end_list(C1, PIN_KIND_SERVICE, true, NULL);
    assert_unsynced("c1 c2 ");
    end_list(C1, PIN_KIND_SERVICE, false, "unreadable");
    assert_null(take());
    end_list(C1, PIN_KIND_SERVICE, false, NULL);
    assert_unsynced("c2 ");
}

static void test_a_restored_cluster_is_unsynced(void **state)
{
    (void)state;
    apply(C1, BALANCED(APP, "192.0.2.1"));
    pin_stage_mark(&stage, C1, PIN_DELTA_RESTORED, PIN_KIND_SERVICE);
    assert_unsynced("c1 c2 ");
}

/* --- when it is told ----------------------------------------------------------------------------
 */

#define FROM_C1 "app.example.com A 0 192.0.2.1 c1 service/default/my-service\n"
#define FROM_C2 "app.example.com A 0 192.0.2.2 c2 service/default/my-service\n"

static void test_only_news_are_told(void **state)
{
    (void)state;
    assert_taken("");
    apply(C1, BALANCED(APP, "192.0.2.1"));
    assert_taken(FROM_C1);
    assert_taken("none");
    apply(C1, BALANCED(APP, "192.0.2.1"));
    assert_taken("none");
    apply(C1, ENDPOINT("true"));
    pin_stage_publish(&stage);
    assert_true(pin_catalog_next_ms(stage.catalog) == UINT64_MAX); /* it is as well as before */
    apply(C1, ENDPOINT("false"));
    pin_stage_publish(&stage);
    assert_true(pin_catalog_next_ms(stage.catalog) != UINT64_MAX);
    assert_taken("none"); /* nobody else has it */
    pin_stage_delete(&stage, C1, PIN_KIND_SERVICE, "default", "my-service");
    assert_taken("");
}

static void test_a_burst_is_told_once(void **state)
{
    (void)state;
    assert_taken("");
    apply(C1, BALANCED(APP, "192.0.2.1"));
    assert_null(pin_catalog_take_claims(stage.catalog, stage.now_ms + 1));
    uint64_t next_ms = pin_catalog_next_ms(stage.catalog);
    assert_true(next_ms > stage.now_ms && next_ms <= stage.now_ms + PIN_CLAIMED_EVERY_MS);
    assert_taken(FROM_C1);
    assert_true(pin_catalog_next_ms(stage.catalog) == UINT64_MAX);
}

static void test_a_cluster_is_awaited_while_it_is_listed(void **state)
{
    (void)state;
    pin_stage_list(&stage, C1, PIN_DELTA_LIST_BEGIN, PIN_KIND_SERVICE, false);
    apply(C1, BALANCED(APP, "192.0.2.1"));
    assert_taken("none");
    pin_stage_list(&stage, C1, PIN_DELTA_LIST_END, PIN_KIND_SERVICE, false);
    assert_taken(FROM_C1);
}

static void test_without_records_nothing_is_looked_at(void **state)
{
    (void)state;
    stage.settings.n_records = 0;
    apply(C1, BALANCED(APP, "192.0.2.1"));
    assert_taken("none");
    assert_true(pin_catalog_next_ms(stage.catalog) == UINT64_MAX);
}

static void test_entries_are_older_than_all_objects(void **state)
{
    static const char *const targets[] = {"192.0.2.1"};
    static const struct pin_claim_record entry = {
        "App.example.com.", "a", NULL, 60, targets, 1, NULL, 0};
    (void)state;
    want.entries = &entry;
    want.n_entries = 1;
    struct pin_claimed *claimed = take();
    assert_int_equal(claimed->n_sets, 1);
    assert_string_equal(claimed->sets[0].name, "app.example.com");
    assert_string_equal(claimed->sets[0].sources[0].cluster, PIN_RECORDSET_CONFIG);
    assert_int_equal(claimed->sets[0].sources[0].created_s, 1);
    pin_claimed_free(claimed);
}

static void test_each_entry_is_told_for_itself(void **state)
{
    struct pin_record_want both[2];
    (void)state;
    both[0] = want;
    both[1] = want;
    both[1].kinds = 1u << PIN_KIND_INGRESS;
    stage.settings.records = both;
    stage.settings.n_records = 2;
    struct pin_claimed *first = take();
    assert_non_null(first->next);
    apply(C1, BALANCED(APP, "192.0.2.1"));
    struct pin_claimed *second = take();
    assert_null(second->next);
    assert_int_equal(second->want_i, 0);
    second = pin_claimed_renew(second, first); /* the newer one of entry 0, and the other */
    assert_int_equal(second->n_sets, 1);
    assert_int_equal(second->next->want_i, 1);
    assert_null(second->next->next);
    pin_claimed_free(second);
}

/* --- who is left out ----------------------------------------------------------------------------
 */

static void apply_both(void)
{
    apply(C1, BALANCED(APP, "192.0.2.1"));
    apply(C2, BALANCED(APP, "192.0.2.2"));
}

static void test_endpoints_that_come_and_go_change_nothing(void **state)
{
    (void)state;
    apply_both();
    apply(C1, ENDPOINT("true"));
    apply(C2, ENDPOINT("true"));
    assert_taken(FROM_C1 FROM_C2);
    for (int i = 0; i < 20; i++) {
        apply(C1, ENDPOINT("false"));
        assert_taken("none");
        stage.now_ms += PIN_CLAIMED_SETTLE_MS / 2;
        assert_taken("none");
        apply(C1, ENDPOINT("true"));
        assert_taken("none");
        stage.now_ms += PIN_CLAIMED_SETTLE_MS / 2;
    }
    apply(C1, ENDPOINT("false"));
    assert_taken("none");
    stage.now_ms = pin_catalog_next_ms(stage.catalog) - PIN_CLAIMED_EVERY_MS;
    assert_taken(FROM_C2);
    apply(C1, ENDPOINT("true"));
    assert_taken(FROM_C1 FROM_C2); /* at once */
    assert_true(pin_catalog_next_ms(stage.catalog) == UINT64_MAX);
}

static void test_a_drained_cluster_is_left_out(void **state)
{
    struct pin_drain_order order = {PIN_DRAIN_CLUSTER, "c1", PIN_DRAIN_FOREVER, 0, false};
    (void)state;
    apply_both();
    assert_taken(FROM_C1 FROM_C2);
    assert_int_equal(pin_catalog_drain(stage.catalog, &order, NULL), PIN_OK);
    assert_taken(FROM_C2);
    order.name = "c2";
    assert_int_equal(pin_catalog_drain(stage.catalog, &order, NULL), PIN_OK);
    assert_taken(FROM_C1 FROM_C2); /* no name loses all it has */
}

/* Only claims change: no service is compiled. */
static void test_a_drained_cluster_without_services_is_left_out(void **state)
{
    const char *const ingress =
        INGRESS("", "rules: [{host: a.example.com}]", LB("{ip: 192.0.2.3}"));
    struct pin_drain_order order = {PIN_DRAIN_CLUSTER, "c1", PIN_DRAIN_FOREVER, 0, false};
    (void)state;
    apply(C1, ingress);
    apply(C2, ingress);
    assert_taken("a.example.com A 0 192.0.2.3 c1 ingress/shop/web\n"
                 "a.example.com A 0 192.0.2.3 c2 ingress/shop/web\n");
    assert_int_equal(pin_catalog_drain(stage.catalog, &order, NULL), PIN_OK);
    assert_taken("a.example.com A 0 192.0.2.3 c2 ingress/shop/web\n");
}

static void test_a_dropped_cluster_is_left_out_in_time(void **state)
{
    const char *const ingress =
        INGRESS("", "rules: [{host: a.example.com}]", LB("{ip: 192.0.2.3}"));
    (void)state;
    stage.settings.stale = PIN_STALE_DROP;
    stage.settings.stale_after_ms = 60000;
    apply_both();
    apply(C1, ingress);
    apply(C2, ingress);
    list_all(C1);
    list_all(C2);
    apply_both(); /* the lists named nothing */
    apply(C1, ingress);
    apply(C2, ingress);
    pin_stage_mark(&stage, C1, PIN_DELTA_UP, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, C2, PIN_DELTA_UP, PIN_KIND_SERVICE);
    struct pin_claimed *claimed = take();
    assert_int_equal(claimed->n_sets, 4);
    pin_claimed_free(claimed);
    pin_stage_mark(&stage, C1, PIN_DELTA_DOWN, PIN_KIND_SERVICE);
    assert_taken("none");
    uint64_t next_ms = pin_catalog_next_ms(stage.catalog);
    assert_true(next_ms > stage.now_ms + 50000 && next_ms < stage.now_ms + 61000);
    stage.now_ms += 60000;
    assert_taken("a.example.com A 0 192.0.2.3 c2 ingress/shop/web\n" FROM_C2);
}

/* Only claims wait for that moment: no service is compiled. */
static void test_a_dropped_cluster_without_services_is_left_out_in_time(void **state)
{
    const char *const ingress =
        INGRESS("", "rules: [{host: a.example.com}]", LB("{ip: 192.0.2.3}"));
    (void)state;
    stage.settings.stale = PIN_STALE_DROP;
    stage.settings.stale_after_ms = 60000;
    for (uint16_t i = C1; i <= C2; i++) {
        list_all(i);
        apply(i, ingress);
        pin_stage_mark(&stage, i, PIN_DELTA_UP, PIN_KIND_SERVICE);
    }
    assert_taken("a.example.com A 0 192.0.2.3 c1 ingress/shop/web\n"
                 "a.example.com A 0 192.0.2.3 c2 ingress/shop/web\n");
    pin_stage_mark(&stage, C1, PIN_DELTA_DOWN, PIN_KIND_SERVICE);
    assert_taken("none");
    uint64_t next_ms = pin_catalog_next_ms(stage.catalog);
    assert_true(next_ms > stage.now_ms + 50000 && next_ms < stage.now_ms + 61000);
    stage.now_ms = next_ms - PIN_CLAIMED_EVERY_MS;
    assert_taken("a.example.com A 0 192.0.2.3 c2 ingress/shop/web\n");
}

static void test_an_address_that_is_down_is_left_out(void **state)
{
    const struct pin_health_state down = {.verdict = PIN_VERDICT_DOWN};
    struct pin_ip ip;
    (void)state;
    apply(C1, SERVICE(APP ", pintle.dev/health-check: '{protocol: TCP}', pintle.dev/address: "
                          "loadBalancer, service.cilium.io/global: 'true'",
                  "type: LoadBalancer, clusterIP: 10.96.0.7, ports: [{port: 80}]",
                  LB("{ip: 192.0.2.1}, {ip: 192.0.2.2}")) ENDPOINT("true"));
    assert_taken("app.example.com A 0 192.0.2.1,192.0.2.2 c1 service/default/my-service\n");
    assert_true(pin_ip_parse("192.0.2.1", &ip));
    assert_true(pin_stage_judge(&stage, &ip, &down));
    assert_taken("app.example.com A 0 192.0.2.2 c1 service/default/my-service\n");
    assert_true(pin_ip_parse("192.0.2.2", &ip));
    assert_true(pin_stage_judge(&stage, &ip, &down));
    assert_taken("app.example.com A 0 192.0.2.1,192.0.2.2 c1 service/default/my-service\n");
}

/* --- memory -------------------------------------------------------------------------------------
 */

/* Wherever memory runs out, nothing is told rather than some of it, and all of it is soon. */
static void test_objects_of_too_many_names_are_counted(void **state)
{
    struct pin_text yaml = {0};
    (void)state;
    pin_text_puts(&yaml, "{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {namespace: "
                         "shop, name: web}, spec: {rules: [");
    for (unsigned i = 0; i <= PIN_CLAIM_NAMES_MAX; i++) {
        pin_text_putf(&yaml, "{host: n%u.example.com}, ", i);
    }
    pin_text_puts(&yaml, "]}, status: {loadBalancer: {ingress: [{ip: 192.0.2.1}]}}}");
    apply(C2, pin_text_get(&yaml));
    struct pin_claimed *claimed = take();
    assert_non_null(claimed);
    assert_int_equal(claimed->n_sets, PIN_CLAIM_NAMES_MAX);
    assert_int_equal(claimed->n_oversized, 1);
    assert_string_equal(claimed->oversized, "c2/shop/web");
    pin_claimed_free(claimed);
    pin_text_done(&yaml);
}

static void test_services_that_ask_in_vain_are_counted(void **state)
{
    (void)state;
    apply(C1, SERVICE(APP, "type: NodePort, clusterIP: 10.96.0.7", ""));
    struct pin_claimed *claimed = take();
    assert_non_null(claimed);
    assert_int_equal(claimed->n_untargeted, 1);
    assert_string_equal(claimed->untargeted, "c1/default/my-service");
    pin_claimed_free(claimed);
    static const char *const others[] = {
        BALANCED(APP, "192.0.2.1"), /* of a type that leads somewhere */
        SERVICE(APP ", " NEW "target: 192.0.2.33", "type: NodePort, clusterIP: 10.96.0.7", ""),
        SERVICE(APP, "type: NodePort, externalIPs: [192.0.2.9]", ""),
        SERVICE(
            NEW "internal-hostname: in.example.com", "type: NodePort, clusterIP: 10.96.0.7", ""),
        SERVICE(APP, "type: LoadBalancer", ""), /* not yet */
    };
    for (size_t i = 0; i < N_ELEMS(others); i++) {
        apply(C1, others[i]);
        claimed = take();
        assert_non_null(claimed);
        assert_int_equal(claimed->n_untargeted, 0);
        pin_claimed_free(claimed);
    }
}

static void test_no_memory(void **state)
{
    bool is_done = false;
    (void)state;
    for (unsigned n_good = 0; !is_done; n_good++) {
        open_stage(true);
        apply_both();
        apply(C1, GATEWAY("", LISTENER("app.example.com")) ROUTE("", "web.example.com"));
        apply(C1, INGRESS("", "rules: [{host: a.example.com}]", LB("{ip: 192.0.2.3}")));
        pin_stage_publish(&stage);
        pin_faults_start(n_good, 1);
        struct pin_claimed *claimed = pin_catalog_take_claims(stage.catalog, stage.now_ms);
        is_done = pin_faults_stop() == 0;
        assert_int_equal(claimed != NULL, is_done);
        pin_claimed_free(claimed);
        stage.now_ms += 1000;
        claimed = pin_catalog_take_claims(stage.catalog, stage.now_ms);
        assert_int_equal(claimed == NULL, is_done);
        assert_true(claimed == NULL || claimed->n_sets == 6);
        pin_claimed_free(claimed);
        pin_stage_done(&stage);
    }
}

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

#define A_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define OTHERS       17

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + OTHERS] = {
        A_TEST(test_clusters_are_unsynced_until_all_that_counts_was_listed),
        A_TEST(test_kinds_that_do_not_count_need_no_list),
        A_TEST(test_a_list_of_what_cannot_be_read_tells_nothing),
        A_TEST(test_a_restored_cluster_is_unsynced),
        A_TEST(test_only_news_are_told),
        A_TEST(test_a_burst_is_told_once),
        A_TEST(test_a_cluster_is_awaited_while_it_is_listed),
        A_TEST(test_without_records_nothing_is_looked_at),
        A_TEST(test_entries_are_older_than_all_objects),
        A_TEST(test_each_entry_is_told_for_itself),
        A_TEST(test_endpoints_that_come_and_go_change_nothing),
        A_TEST(test_a_drained_cluster_is_left_out),
        A_TEST(test_a_drained_cluster_without_services_is_left_out),
        A_TEST(test_a_dropped_cluster_is_left_out_in_time),
        A_TEST(test_a_dropped_cluster_without_services_is_left_out_in_time),
        A_TEST(test_an_address_that_is_down_is_left_out),
        A_TEST(test_objects_of_too_many_names_are_counted),
        A_TEST(test_services_that_ask_in_vain_are_counted),
        cmocka_unit_test(test_no_memory),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[OTHERS + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_case, .initial_state = &cases[i]};
    }
    pin_log_set_sink(drop_log, NULL);
    return cmocka_run_group_tests_name("claims_catalog", tests, NULL, NULL);
}
