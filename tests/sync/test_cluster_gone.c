/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds that an API server does not serve any more, or says so for a moment. */

#include "pintle/base/macros.h"

#include "fake.h"

static void test_a_kind_that_is_gone_is_said_to_be_so_until_that_is_believed(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1/gateways\","
                "\"is\":true}");
    start(self);
    want_watch(self, "/apis/gateway.networking.k8s.io/v1/gateways");
    rig_forget(&self->rig);
    order(self, "{\"do\":\"serve\",\"path\":\"/apis/gateway.networking.k8s.io/v1/gateways\","
                "\"is\":false}");
    order(self, "{\"do\":\"drop\"}");
    assert_true(rig_wait(&self->rig, "LIST_BEGIN Gateway\nLIST_END Gateway\n", 15000));
    assert_int_equal(rig_count(&self->rig, "LIST_END Gateway"), 1);
    rig_forget(&self->rig);
    pin_sync_set_held(self->rig.sync, 0, UINT32_C(1) << PIN_KIND_GATEWAY);
    assert_true(stats_of(self).kinds[PIN_KIND_GATEWAY].is_held);
    assert_non_null(strstr(stats_of(self).error, "gateways.gateway.networking.k8s.io"));
    assert_true(rig_wait(&self->rig, "LIST_BEGIN Gateway\nLIST_END Gateway\n", 15000));
    pin_sync_set_held(self->rig.sync, 0, 0);
    assert_string_equal(stats_of(self).error, "");
    rig_forget(&self->rig);
    rig_run(&self->rig, 12000); /* the next answers are no news */
    assert_int_equal(rig_count(&self->rig, "Gateway"), 0);
}

static void test_404s_take_nothing_away_while_discovery_has_the_kind(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    want_watch(self, SERVICES);
    rig_forget(&self->rig);
    order(self, FAULT("/apis", "\"exact\":true,\"status\":404,\"times\":3"));
    order(self, FAULT(SERVICES, "\"status\":404,\"times\":3"));
    order(self, "{\"do\":\"drop\"}");
    want_log(self, "services: 404, but discovery does not say that they are gone; those known are");
    assert_true(stats_of(self).kinds[PIN_KIND_SERVICE].is_missing);
    assert_non_null(strstr(stats_of(self).error, "services: 404"));
    assert_true(rig_wait(&self->rig, "LIST_BEGIN Service\nUPSERT Service d/a\n", 20000));
    want(self, "LIST_END Service\n");
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN Service\nLIST_END"), 0);
    assert_false(stats_of(self).kinds[PIN_KIND_SERVICE].is_missing);
    assert_string_equal(stats_of(self).error, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_kind_that_is_gone_is_said_to_be_so_until_that_is_believed),
        A_TEST(test_404s_take_nothing_away_while_discovery_has_the_kind),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("cluster_gone", tests, NULL, NULL);
}
