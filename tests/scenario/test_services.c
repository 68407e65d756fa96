/* SPDX-License-Identifier: Apache-2.0 */

/* What /api/v1/services lists: each service with a name in the clusterset zone, its ports, and who
 * is behind it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/base/text.h"
#include "pintle/zones/view.h"

#include "support/stage.h"

#define ALL 10u

#define SERVICE(name, spec)                                                                        \
    "---\n{apiVersion: v1, kind: Service, metadata: {namespace: shop, name: " name "}, spec: "     \
    "{" spec "}}\n"
#define EXPORT(name)                                                                               \
    "---\n{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceExport, metadata: "            \
    "{namespace: shop, name: " name "}}\n"
#define SLICE(service, port, endpoints)                                                            \
    "---\n{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {namespace: shop, "     \
    "name: " service "-1, labels: {kubernetes.io/service-name: " service "}}, addressType: IPv4, " \
    "ports: [" port "], endpoints: [" endpoints "]}\n"
#define NOT_READY "conditions: {ready: false}"
#define GOING     "conditions: {ready: false, serving: true, terminating: true}"

/* clang-format off */
static const char of_c1[] =
    SERVICE("a", "clusterIP: 10.96.1.1, ports: [{port: 53}]")
    SLICE("a", "{port: 5353}", "{addresses: [10.1.0.1]}, {addresses: [10.1.0.2], " NOT_READY "}")
    EXPORT("a")
    SERVICE("b", "clusterIP: None, ports: [{name: http, port: 80}]")
    EXPORT("b")
    SERVICE("c", "clusterIP: 10.96.1.3, ports: [{port: 80}]")
    EXPORT("c")
    SERVICE("private", "clusterIP: 10.96.1.4, ports: [{port: 80}]");
static const char of_c2[] =
    SERVICE("a", "clusterIP: 10.96.2.1, ports: [{port: 53, protocol: UDP}]")
    SLICE("a", "{port: 5354, protocol: UDP}",
        "{addresses: [10.2.0.1]}, {addresses: [10.2.0.2]}, {addresses: [10.2.0.3]}, "
        "{addresses: [10.2.0.4], " GOING "}")
    EXPORT("a");
/* clang-format on */

static struct pin_stage stage;

static int set_up(void **state)
{
    struct pin_why why = {0};
    (void)state;
    assert_true(pin_stage_open_two(&stage));
    assert_int_equal(pin_stage_apply(&stage, 0, of_c1, strlen(of_c1), &why), PIN_OK);
    assert_int_equal(pin_stage_apply(&stage, 1, of_c2, strlen(of_c2), &why), PIN_OK);
    pin_stage_publish(&stage);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_stage_done(&stage);
    pin_rcu_unregister();
    return 0;
}

static const char *list(uint16_t view_id, const char *after, size_t n_max)
{
    static char kept[16384];
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_catalog_services_json(stage.catalog, view_id, after, n_max, &json);
    pin_jsonout_end(&json);
    assert_true(strlen(pin_text_get(&text)) < sizeof(kept));
    (void)snprintf(kept, sizeof(kept), "%s", pin_text_get(&text));
    pin_text_done(&text);
    return kept;
}

static void check_said(const char *json, const char *wanted)
{
    if (strstr(json, wanted) == NULL) {
        fail_msg("wanted %s\n  got    %s", wanted, json);
    }
}

static void test_ports_are_a_union(void **state)
{
    (void)state;
    check_said(list(0, NULL, 1),
        "\"name\":\"a\",\"below\":\"svc.clusterset.local\",\"type\":\"ClusterIP\","
        "\"affinity\":\"\",\"ports\":[{\"name\":\"\",\"port\":53,\"protocol\":\"TCP\"},"
        "{\"name\":\"\",\"port\":53,\"protocol\":\"UDP\"}]");
}

static void test_endpoints_have_a_state_and_a_share(void **state)
{
    (void)state;
    const char *json = list(0, NULL, 1);
    check_said(json,
        "\"clusters\":[{\"cluster\":\"c1\",\"ready\":1,\"total\":2,\"used\":true,\"reason\":\"\"},"
        "{\"cluster\":\"c2\",\"ready\":3,\"total\":4,\"used\":true,\"reason\":\"\"}]");
    check_said(json, "\"cluster\":\"c1\",\"state\":\"active\",\"preferred\":false,\"used\":true,"
                     "\"share\":0.25,\"reason\":\"\"");
    check_said(json,
        "\"cluster\":\"c1\",\"state\":\"not ready\",\"preferred\":false,\"used\":false,"
        "\"share\":0,\"reason\":\"the endpoint is not ready\"");
    check_said(json,
        "\"cluster\":\"c2\",\"state\":\"terminating\",\"preferred\":false,\"used\":false,"
        "\"share\":0,\"reason\":\"the endpoint is terminating\"");
}

static void test_what_another_view_is_shown(void **state)
{
    (void)state;
    const char *json = list(pin_view_of_cluster(1), "shop/a", ALL);
    check_said(
        json, "\"name\":\"b\",\"below\":\"svc.clusterset.local\",\"type\":\"Headless (Remote)\"");
    check_said(
        json, "\"name\":\"c\",\"below\":\"svc.clusterset.local\",\"type\":\"ClusterIP (Remote)\"");
}

static void test_pages(void **state)
{
    (void)state;
    const char *json = list(0, "shop/a", 1);
    check_said(json, "{\"items\":[{\"namespace\":\"shop\",\"name\":\"b\"");
    check_said(json, "],\"next\":\"shop/b\"}");
    assert_null(strstr(json, "\"name\":\"c\""));
    json = list(0, "shop/b", 1);
    assert_null(strstr(json, "\"name\":\"b\""));
    check_said(json, "\"name\":\"c\"");
}

static void test_others_are_not_listed(void **state)
{
    (void)state;
    const char *json = list(0, NULL, ALL);
    check_said(json, "\"name\":\"c\"");
    assert_null(strstr(json, "private"));
    assert_null(strstr(json, "\"next\""));
}

#define A_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_ports_are_a_union),
        A_TEST(test_endpoints_have_a_state_and_a_share),
        A_TEST(test_what_another_view_is_shown),
        A_TEST(test_pages),
        A_TEST(test_others_are_not_listed),
    };
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT);
    return cmocka_run_group_tests_name("services", tests, NULL, NULL);
}
