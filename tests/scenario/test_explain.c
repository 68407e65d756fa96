/* SPDX-License-Identifier: Apache-2.0 */

/* What explain says of routes, references and hostnames. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/text.h"
#include "pintle/zones/view.h"

#include "support/stage.h"

#define ROUTE                                                                                      \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: HTTPRoute\nmetadata: {namespace: default, "   \
    "name: inventory}\n"
#define GRPC_ROUTE                                                                                 \
    "apiVersion: gateway.networking.k8s.io/v1\nkind: GRPCRoute\nmetadata: {namespace: default, "   \
    "name: inventory}\n"

static const char manifests[] =
    "apiVersion: v1\nkind: Service\nmetadata: {namespace: default, name: web}\n"
    "spec: {clusterIP: 10.96.1.1, ports: [{port: 80}]}\n"
    "---\n"
    "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n"
    "metadata: {namespace: default, name: web-1, labels: {kubernetes.io/service-name: web}}\n"
    "addressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [10.1.0.11]}]\n"
    "---\n" ROUTE "spec: {hostnames: [example.com, '*.example.com', www.corp.example], "
    "rules: [{backendRefs: [{name: web}, {name: other, namespace: stock}]}]}\n"
    "---\napiVersion: externaldns.k8s.io/v1alpha1\nkind: DNSEndpoint\n"
    "metadata: {namespace: default, name: mail}\n"
    "spec: {endpoints: [{dnsName: mail.corp.example, recordType: MX, targets: [10 "
    "mx.example.net]}, {dnsName: ns.sub.corp.example, recordType: A, targets: [192.0.2.3]}]}\n"
    "---\n{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceExport, metadata: {namespace: "
    "default, name: web}}\n"
    "---\n{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: k}, spec: "
    "{cidrs: [10.96.0.0/16]}}\n"
    "---\n" GRPC_ROUTE "spec: {hostnames: [example.com], rules: [{backendRefs: [{name: web}]}]}\n"
    "---\n{apiVersion: v1, kind: Service, metadata: {namespace: default, name: odd, annotations: "
    "{pintle.dev/weight: heavy}}, spec: {clusterIP: 10.96.1.9, ports: [{name: a, port: 80}, {name: "
    "b, port: 81}]}}\n"
    "---\n{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {namespace: "
    "default, name: twice}, spec: {hostnames: [twice.example.com], rules: [{backendRefs: [{name: "
    "odd, port: 80}, {name: odd, port: 81}]}]}}\n";

struct row {
    const char *title;
    const char *name;
    uint16_t type;
    const char *said[4];
};

static const struct row rows[] = {
    {"a backend without a grant is named with the reason",
        "inventory-default-1951cbe339d38e1f.pintle.internal", PIN_TYPE_A,
        {"\"object\":\"c1/HTTPRoute/default/inventory\"",
            "\"name\":\"other\",\"weight\":1,\"affinity\":null,\"ready\":0,\"total\":0,\"used\":"
            "false,"
            "\"reason\":\"not permitted (ReferenceGrant)\""}},
    {"a hostname at an apex says whose addresses it shows, and who claims it", "example.com",
        PIN_TYPE_A,
        {"\"object\":\"c1/HTTPRoute/default/inventory\"",
            "at the zone's apex, so it shows the addresses of inventory-default-1951cbe339d38e1f",
            "\"reason\":\"claims the hostname too, but an older object has it\"",
            "\"address\":\"10.1.0.11\""}},
    {"a name that a wildcard answers is an alias with addresses", "any.example.com", PIN_TYPE_A,
        {"\"status\":\"answer\"", "an alias to inventory-default-1951cbe339d38e1f.pintle.internal",
            "\"reason\":\"has the hostname\"", "\"ttl\":5"}},
    {"the alias itself has its own TTL", "any.example.com", PIN_TYPE_CNAME,
        {"\"status\":\"answer\"", "\"ttl\":300"}},
    {"an address says whose names it has", "1.1.96.10.in-addr.arpa", PIN_TYPE_PTR,
        {"\"zone\":\"96.10.in-addr.arpa.\"", "\"rcode\":\"NOERROR\"", "names that clusters have",
            "\"name\":\"web.default.svc.c1.cluster.local.\",\"used\":true"}},
    {"an unknown address is told", "2.1.96.10.in-addr.arpa", PIN_TYPE_PTR,
        {"\"rcode\":\"NXDOMAIN\"", "no Service, endpoint or import"}},
    {"a pinned cluster's addresses are told", "c1.pin._cluster.web.default.svc.clusterset.local",
        PIN_TYPE_A,
        {"\"rcode\":\"NOERROR\"", "\"object\":\"default/web\"",
            "that topology zone or cluster alone", "\"address\":\"10.1.0.11\",\"cluster\":\"c1\""}},
    {"a cluster that is not there is told", "c9.pin._cluster.web.default.svc.clusterset.local",
        PIN_TYPE_A, {"\"rcode\":\"NOERROR\"", "NODATA", "nobody in that topology zone"}},
    {"a preference that nobody meets is told",
        "c9.prefer._cluster.web.default.svc.clusterset.local", PIN_TYPE_A,
        {"\"status\":\"answer: as the service's own name", "exported to the clusterset"}},
    {"a pod's name is told", "10-1-0-11.default.pod.c1.cluster.local", PIN_TYPE_A,
        {"\"rcode\":\"NOERROR\"", "\"status\":\"answer\"", "pods have names"}},
    {"an apex without data of the type is NODATA", "example.com", PIN_TYPE_AAAA,
        {"\"status\":\"NODATA"}},
    {"a route without TLS says what an HTTPS record would need",
        "inventory-default-1951cbe339d38e1f.pintle.internal", PIN_TYPE_HTTPS,
        {"\"status\":\"NODATA", "only a route with a port that speaks TLS has such records"}},
    {"a name of a zone file says where it stands", "ns1.corp.example", PIN_TYPE_A,
        {"\"status\":\"answer\"", "\"object\":\"corp.zone:4\"", "the zone's file says it"}},
    {"a hostname that a zone file has says who would like it", "www.corp.example", PIN_TYPE_A,
        {"\"object\":\"corp.zone:5\"", "\"name\":\"inventory\"",
            "\"reason\":\"claims the hostname too, but the zone's file has it\""}},
    {"a name that a DNSEndpoint has says so", "mail.corp.example", PIN_TYPE_MX,
        {"\"status\":\"answer\"", "\"object\":\"c1/DNSEndpoint/default/mail\"",
            "a DNSEndpoint says it", "\"reason\":\"has the hostname\""}},
    {"a delegated name is others'", "x.sub.corp.example", PIN_TYPE_A,
        {"\"status\":\"referral: the name is delegated to other name servers\""}},
    {"glue of a DNSEndpoint is others'", "ns.sub.corp.example", PIN_TYPE_A,
        {"\"status\":\"referral: the name is delegated to other name servers\"",
            "\"why\":\"referral\"", "\"object\":\"c1/DNSEndpoint/default/mail\""}},
    {"a name below a DNAME is another one", "x.old.corp.example", PIN_TYPE_A,
        {"\"status\":\"alias: a DNAME above the name leads to another one\""}},
};

static const char zone_text[] = "$TTL 60\n@ SOA ns1 h 7 1 2 3 4\n@ NS ns1\nns1 A 192.0.2.1\n"
                                "www A 192.0.2.2\nsub NS ns.sub\nold DNAME new\n";

static void set_zonefile(struct pin_stage *stage)
{
    struct pin_zonefile_input input = {.zone = "corp.example",
        .text = {.path = "corp.zone", .text = zone_text, .bytes = sizeof(zone_text) - 1}};
    struct pin_zonefile *zonefile = NULL;
    struct pin_text faults = {0};
    struct pin_why why = {0};
    assert_int_equal(pin_zonefile_parse(&input, &zonefile, &faults), PIN_OK);
    assert_int_equal(pin_catalog_set_zonefile(stage->catalog, zonefile, &why), PIN_OK);
    pin_text_done(&faults);
}

static void explain(
    struct pin_stage *stage, const char *name, uint16_t type, struct pin_text *ret_text)
{
    struct pin_jsonout json = pin_jsonout_init(ret_text);
    struct pin_name parsed;
    assert_int_equal(pin_name_parse(name, &parsed), PIN_OK);
    pin_catalog_explain_json(stage->catalog, &parsed, type,
        &(struct pin_explain_asker){.asker.cluster_id = PIN_CLUSTER_NONE}, &json);
}

/* Two references of the route lead to the Service, whose annotation is wrong. */
static void check_told_once(struct pin_stage *stage)
{
    static const char finding[] = " c1/Service/default/odd: ";
    struct pin_text text = {0};
    explain(stage, "twice.example.com", PIN_TYPE_A, &text);
    const char *at = strstr(pin_text_get(&text), finding);
    assert_non_null(at);
    assert_null(strstr(at + 1, finding));
    pin_text_done(&text);
}

static void test_rows(void **state)
{
    static struct pin_stage stage;
    struct pin_why why = {0};
    (void)state;
    pin_stage_init(&stage);
    stage.settings.cluster_set = "demo";
    stage.zones_custom[stage.settings.n_zones_custom++] = "example.com";
    stage.zones_custom[stage.settings.n_zones_custom++] = "corp.example";
    stage.zones_static[stage.settings.n_zones_static++] = "corp.example";
    (void)pin_stage_add_cluster(&stage, "c1");
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    pin_stage_mark(&stage, 0, PIN_DELTA_UP, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, 0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_int_equal(pin_stage_apply(&stage, 0, manifests, strlen(manifests), &why), PIN_OK);
    set_zonefile(&stage);
    pin_stage_publish(&stage);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_text text = {0};
        explain(&stage, rows[i].name, rows[i].type, &text);
        for (size_t s = 0; s < N_ELEMS(rows[i].said) && rows[i].said[s] != NULL; s++) {
            if (strstr(pin_text_get(&text), rows[i].said[s]) == NULL) {
                print_error("%s\n  wanted %s\n  got    %s\n", rows[i].title, rows[i].said[s],
                    pin_text_get(&text));
                fail();
            }
        }
        pin_text_done(&text);
    }
    check_told_once(&stage);
    pin_stage_done(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"explain says why", test_rows, NULL, NULL, NULL},
    };
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    pin_rcu_register();
    int n_failed = cmocka_run_group_tests_name("explain", tests, NULL, NULL);
    pin_rcu_unregister();
    return n_failed;
}
