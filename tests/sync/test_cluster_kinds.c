/* SPDX-License-Identifier: Apache-2.0 */

/* Which kinds a cluster has, and which it lets us see. */

#include "pintle/base/macros.h"

#include "fake.h"

/* --- Kinds ---------------------------------------------------------------------------------- */

static void test_a_kind_that_appears_is_found(void **state)
{
    struct box *self = *state;
    start(self);
    rig_forget(&self->rig);
    order(self,
        "{\"do\":\"serve\",\"path\":\"/apis/multicluster.x-k8s.io/v1alpha1/serviceexports\","
        "\"is\":true}");
    order(self, "{\"do\":\"put\",\"path\":\"/apis/multicluster.x-k8s.io/v1alpha1/serviceexports\","
                "\"object\":{\"metadata\":{\"name\":\"web\",\"namespace\":\"d\"}}}");
    assert_true(rig_wait(&self->rig, "UPSERT ServiceExport d/web", 15000));
    want_log(self, "cluster c1: now has serviceexports.multicluster.x-k8s.io");
}

static void test_a_kind_moves_to_another_version_without_a_gap(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1/gateways\","
                "\"is\":true}");
    order(self, "{\"do\":\"put\",\"path\":\"/apis/gateway.networking.k8s.io/v1/gateways\","
                "\"object\":{\"metadata\":{\"name\":\"gw\",\"namespace\":\"d\"}}}");
    start(self);
    want_watch(self, "/apis/gateway.networking.k8s.io/v1/gateways");
    order(self, "{\"do\":\"put\",\"path\":\"/apis/gateway.networking.k8s.io/v1beta1/gateways\","
                "\"object\":{\"metadata\":{\"name\":\"gw\",\"namespace\":\"d\"}}}");
    rig_forget(&self->rig);
    order(self, "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1/gateways\","
                "\"is\":false}");
    order(self, "{\"do\":\"drop\"}");
    rig_run(&self->rig, 300); /* discovery is asked before the server tells of the other version */
    order(self, "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1beta1/gateways\","
                "\"is\":true}");
    assert_true(rig_wait(&self->rig, "UPSERT Gateway d/gw", 15000));
    want(self, "LIST_END Gateway\n");
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN Gateway\nLIST_END Gateway\n"), 0);
}

static void test_without_discovery_each_version_is_tried(void **state)
{
    struct box *self = *state;
    order(self, FAULT("/apis", "\"exact\":true,\"status\":403"));
    order(self, "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1beta1/gateways\","
                "\"is\":true}");
    order(self, "{\"do\":\"put\",\"path\":\"/apis/gateway.networking.k8s.io/v1beta1/gateways\","
                "\"object\":{\"metadata\":{\"name\":\"gw\",\"namespace\":\"d\"}}}");
    start(self);
    want(self, "UPSERT Gateway d/gw");
}

static void test_a_kind_that_is_denied_keeps_nobody_else_back(void **state)
{
    struct box *self = *state;
    order(self, FAULT("/api/v1/nodes",
                    "\"status\":403,\"body\":\"{\\\"message\\\":\\\"nodes is forbidden: User "
                    "\\\\\\\"pin\\\\"
                    "\\\" cannot list resource \\\\\\\"nodes\\\\\\\"\\\"}\",\"times\":99"));
    start(self);
    assert_int_equal(rig_count(&self->rig, "LIST_END Node"), 0);
    assert_true(stats_of(self).kinds[PIN_KIND_NODE].is_forbidden);
    want_log(self,
        "cluster c1: GET /api/v1/nodes: 403 nodes is forbidden: User \"pin\" cannot list "
        "resource \"nodes\"; names that need them are not kept up to date; to do: bind "
        "a ClusterRole with the verbs list and watch on nodes to this user");
}

static void test_a_cluster_that_denies_services_is_not_an_empty_one(void **state)
{
    struct box *self = *state;
    order(self, FAULT(SERVICES, "\"status\":403,\"times\":99"));
    pin_sync_start(self->rig.sync);
    want(self, "LIST_END Node");
    rig_run(&self->rig, 500);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 0);
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 0);
}

/* --- Pods ----------------------------------------------------------------------------------- */

#define POD(name, ip)                                                                              \
    "{\"do\":\"put\",\"path\":\"/api/v1/pods\",\"object\":{\"metadata\":{\"name\":\"" name         \
    "\",\"namespace\":\"d\"},\"status\":{\"podIP\":\"" ip "\"}}}"

static void test_pods_are_read_while_they_are_wanted(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"serve\",\"path\":\"/api/v1/pods\",\"is\":true}");
    order(self, POD("a", "10.1.0.1"));
    start(self);
    rig_run(&self->rig, 200);
    assert_int_equal(rig_count(&self->rig, "Pod"), 0);
    pin_sync_want_pods(self->rig.sync, true);
    want(self, "LIST_BEGIN Pod\nUPSERT Pod d/a\nLIST_END Pod\n");
    order(self, POD("b", "10.1.0.2"));
    want(self, "UPSERT Pod d/b");
    rig_forget(&self->rig);
    pin_sync_want_pods(self->rig.sync, false);
    assert_string_equal(pin_text_get(&self->rig.seen), "LIST_BEGIN Pod\nLIST_END Pod\n");
    order(self, POD("c", "10.1.0.3"));
    rig_run(&self->rig, 200);
    assert_int_equal(rig_count(&self->rig, "UPSERT"), 0);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_POD].n_objects, 0);
    pin_sync_want_pods(self->rig.sync, true);
    want(self, "UPSERT Pod d/c");
    assert_int_equal(rig_count(&self->rig, "UPSERT Pod"), 3);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 0);
}

static void test_pods_that_are_denied_are_told_until_nobody_wants_them(void **state)
{
    struct box *self = *state;
    order(self, FAULT("/api/v1/pods?", "\"status\":403,\"times\":99"));
    start(self);
    pin_sync_want_pods(self->rig.sync, true);
    want_log(self, "bind a ClusterRole with the verbs list and watch on pods to this user");
    pin_sync_want_pods(self->rig.sync, false);
    assert_string_equal(stats_of(self).error, "");
}

/* --- Ingresses ------------------------------------------------------------------------------ */

#define INGRESSES "/apis/networking.k8s.io/v1/ingresses"

/* The same cluster, whose Ingresses are wanted. */
static void want_ingresses(struct box *self)
{
    const struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = self->config};
    rig_done(&self->rig);
    rig_init_config(&self->rig,
        (struct pin_sync_config){.specs = &spec, .n_specs = 1, .wants_ingresses = true});
}

static void serve_ingresses(struct box *self)
{
    order(self, "{\"do\":\"serve\",\"path\":\"" INGRESSES "\",\"is\":true}");
    order(self, "{\"do\":\"put\",\"path\":\"" INGRESSES "\",\"object\":{\"metadata\":"
                "{\"name\":\"edge\",\"namespace\":\"d\"}}}");
}

static void test_ingresses_are_read_where_they_are_wanted(void **state)
{
    struct box *self = *state;
    serve_ingresses(self);
    start(self);
    rig_run(&self->rig, 200);
    assert_int_equal(count_requests(self, INGRESSES), 0);
    want_ingresses(self);
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT Ingress d/edge\nLIST_END Ingress\n"), 1);
}

static void test_a_cluster_that_denies_ingresses_is_synced_without_them(void **state)
{
    struct box *self = *state;
    serve_ingresses(self);
    order(self, FAULT(INGRESSES, "\"status\":403,\"times\":99"));
    want_ingresses(self);
    start(self);
    assert_int_equal(rig_count(&self->rig, "LIST_END Ingress"), 0); /* nobody knows */
    assert_true(stats_of(self).kinds[PIN_KIND_INGRESS].is_forbidden);
    want_log(self, "bind a ClusterRole with the verbs list and watch on ingresses");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_ingresses_are_read_where_they_are_wanted),
        A_TEST(test_a_cluster_that_denies_ingresses_is_synced_without_them),
        A_TEST(test_a_kind_that_appears_is_found),
        A_TEST(test_a_kind_moves_to_another_version_without_a_gap),
        A_TEST(test_without_discovery_each_version_is_tried),
        A_TEST(test_a_kind_that_is_denied_keeps_nobody_else_back),
        A_TEST(test_a_cluster_that_denies_services_is_not_an_empty_one),
        A_TEST(test_pods_are_read_while_they_are_wanted),
        A_TEST(test_pods_that_are_denied_are_told_until_nobody_wants_them),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("cluster_kinds", tests, NULL, NULL);
}
