/* SPDX-License-Identifier: Apache-2.0 */

/* Lists that come in part: what they lack stays. */

#include "pintle/base/macros.h"

#include "fake.h"

static void test_a_list_whose_second_page_fails_removes_nothing(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    start(self);
    want_watch(self, SERVICES);
    rig_forget(&self->rig);
    order(self, FAULT(LIST_OF_SERVICES "&continue", "\"status\":500"));
    order(self, FAULT(LIST_OF_SERVICES, "\"page\":1"));
    order(self, FAULT(WATCH_OF_SERVICES, "\"status\":410"));
    order(self, "{\"do\":\"drop\"}");
    want_log(self, "a list of services broke off after 1 objects, nothing is removed");
    assert_int_equal(rig_count(&self->rig, "LIST_END"), 0);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_broken, 1);
    want(self, "LIST_BEGIN Service\nUPSERT Service d/a\nUPSERT Service d/b\nLIST_END Service\n");
}

static void test_a_list_that_leads_back_to_the_same_page_is_given_up(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, FAULT(LIST_OF_SERVICES, "\"page\":0,\"times\":2"));
    pin_sync_start(self->rig.sync);
    want_log(self, "the list does not end");
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 0);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_broken, 1);
    want(self, "LIST_BEGIN Service\nUPSERT Service d/a\nLIST_END Service\n");
}

static void test_an_object_that_a_list_names_and_nobody_can_read_stays_as_it_was(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    want_watch(self, SERVICES);
    order(self,
        "{\"do\":\"put\",\"path\":\"" SERVICES "\",\"object\":{\"metadata\":{\"name\":\"a\","
        "\"namespace\":\"d\"},\"spec\":{\"ports\":[{\"port\":0}]}}}");
    want_log(self, "Service d/a: spec.ports[0].port: '0' is out of range");
    rig_forget(&self->rig);
    order(self, FAULT(WATCH_OF_SERVICES, "\"status\":410"));
    order(self, "{\"do\":\"drop\"}");
    want(self, "LIST_BEGIN Service\nKEEP Service d/a\nLIST_END Service\n");
}

static void test_a_list_with_an_object_of_no_name_removes_nothing(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    want_watch(self, SERVICES);
    rig_forget(&self->rig);
    order(self, FAULT(LIST_OF_SERVICES,
                    "\"status\":200,\"body\":\"{\\\"metadata\\\":{\\\"resourceVersion\\\":"
                    "\\\"999\\\"},\\\"items\\\":[{\\\"metadata\\\":{}}]}\""));
    order(self, FAULT(WATCH_OF_SERVICES, "\"status\":410"));
    order(self, "{\"do\":\"drop\"}");
    want(self, "LIST_BEGIN Service\nLIST_END Service partial\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_list_whose_second_page_fails_removes_nothing),
        A_TEST(test_an_object_that_a_list_names_and_nobody_can_read_stays_as_it_was),
        A_TEST(test_a_list_with_an_object_of_no_name_removes_nothing),
        A_TEST(test_a_list_that_leads_back_to_the_same_page_is_given_up),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_partial", tests, NULL, NULL);
}
