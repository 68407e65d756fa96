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
    "---\n" ROUTE "spec: {hostnames: [example.com, '*.example.com'], "
    "rules: [{backendRefs: [{name: web}, {name: other, namespace: stock}]}]}\n"
    "---\n" GRPC_ROUTE "spec: {hostnames: [example.com], rules: [{backendRefs: [{name: web}]}]}\n";

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
            "\"reason\":\"claims the hostname too, but an older route has it\"",
            "\"address\":\"10.1.0.11\""}},
    {"a name that a wildcard answers is an alias with addresses", "any.example.com", PIN_TYPE_A,
        {"\"status\":\"answer\"", "an alias to inventory-default-1951cbe339d38e1f.pintle.internal",
            "\"reason\":\"has the hostname\"", "\"ttl\":5"}},
    {"the alias itself has its own TTL", "any.example.com", PIN_TYPE_CNAME,
        {"\"status\":\"answer\"", "\"ttl\":300"}},
    {"an apex without data of the type is NODATA", "example.com", PIN_TYPE_AAAA,
        {"\"status\":\"NODATA"}},
};

static void test_rows(void **state)
{
    static struct pin_stage stage;
    struct pin_why why = {0};
    (void)state;
    pin_stage_init(&stage);
    stage.settings.cluster_set = "demo";
    stage.zones_custom[stage.settings.n_zones_custom++] = "example.com";
    (void)pin_stage_add_cluster(&stage, "c1");
    assert_int_equal(pin_stage_open(&stage, &why), PIN_OK);
    pin_stage_mark(&stage, 0, PIN_DELTA_UP, PIN_KIND_SERVICE);
    pin_stage_mark(&stage, 0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    assert_int_equal(pin_stage_apply(&stage, 0, manifests, strlen(manifests), &why), PIN_OK);
    pin_stage_publish(&stage);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_text text = {0};
        struct pin_jsonout json = pin_jsonout_init(&text);
        struct pin_name name;
        assert_int_equal(pin_name_parse(rows[i].name, &name), PIN_OK);
        pin_catalog_explain_json(stage.catalog, &name, rows[i].type,
            &(struct pin_explain_asker){.asker.cluster_id = PIN_CLUSTER_NONE}, &json);
        for (size_t s = 0; s < N_ELEMS(rows[i].said) && rows[i].said[s] != NULL; s++) {
            if (strstr(pin_text_get(&text), rows[i].said[s]) == NULL) {
                print_error("%s\n  wanted %s\n  got    %s\n", rows[i].title, rows[i].said[s],
                    pin_text_get(&text));
                fail();
            }
        }
        pin_text_done(&text);
    }
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
