/* SPDX-License-Identifier: Apache-2.0 */

/* Watches of an API server that can be told to misbehave. */

#include "pintle/base/macros.h"

#include "fake.h"

/* --- Watches that go wrong ------------------------------------------------------------------ */

static void test_a_lost_watch_goes_on_where_it_was(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    want_watch(self, SERVICES);
    rig_forget(&self->rig);
    order(self, FAULT(WATCH_OF_SERVICES, "\"close\":true,\"times\":2"));
    order(self, "{\"do\":\"drop\"}");
    rig_run(&self->rig, 200);
    order(self, PUT("b"));
    want(self, "UPSERT Service d/b");
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN"), 0);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
    assert_true(stats_of(self).kinds[PIN_KIND_SERVICE].n_restarts >= 1);
}

static void test_410_as_a_status_leads_to_a_list(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    want_watch(self, SERVICES);
    rig_forget(&self->rig);
    order(self, PUT("b"));
    order(self, DELETE("a"));
    want(self, "DELETE Service d/a");
    rig_forget(&self->rig);
    order(self, FAULT(WATCH_OF_SERVICES, "\"status\":410"));
    order(self, "{\"do\":\"drop\"}");
    want(self, "LIST_BEGIN Service\nUPSERT Service d/b\nLIST_END Service\n");
}

static void test_410_as_an_event_leads_to_a_list(void **state)
{
    struct box *self = *state;
    order(
        self, FAULT(WATCH_OF_SERVICES,
                  "\"event\":\"{\\\"type\\\":\\\"ERROR\\\",\\\"object\\\":{\\\"code\\\":410}}\""));
    order(self, PUT("a"));
    start(self);
    rig_forget(&self->rig);
    want(self, "LIST_BEGIN Service\nUPSERT Service d/a\nLIST_END Service\n");
}

static void test_a_bookmark_moves_the_place_to_go_on_from(void **state)
{
    struct box *self = *state;
    start(self);
    want_watch(self, SERVICES);
    order(self, "{\"do\":\"put\",\"path\":\"/x\",\"object\":{\"metadata\":{\"name\":\"x\"}}}");
    order(self, "{\"do\":\"bookmark\"}");
    rig_forget(&self->rig);
    order(self, "{\"do\":\"compact\"}");
    order(self, "{\"do\":\"drop\"}");
    order(self, PUT("b"));
    want(self, "UPSERT Service d/b");
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN"), 0);
}

static void test_an_object_that_cannot_be_read_is_left_out(void **state)
{
    struct box *self = *state;
    start(self);
    order(self,
        "{\"do\":\"put\",\"path\":\"" SERVICES "\",\"object\":{\"metadata\":{\"name\":\"bad\","
        "\"namespace\":\"d\"},\"spec\":{\"ports\":[{\"port\":0}]}}}");
    order(self, PUT("good"));
    want(self, "UPSERT Service d/good");
    want_log(self, "cluster c1: Service d/bad: spec.ports[0].port: '0' is out of range, use 1 to "
                   "65535; this object is left out");
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_bad, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_lost_watch_goes_on_where_it_was),
        A_TEST(test_410_as_a_status_leads_to_a_list),
        A_TEST(test_410_as_an_event_leads_to_a_list),
        A_TEST(test_a_bookmark_moves_the_place_to_go_on_from),
        A_TEST(test_an_object_that_cannot_be_read_is_left_out),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch", tests, NULL, NULL);
}
