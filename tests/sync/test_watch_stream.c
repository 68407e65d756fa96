/* SPDX-License-Identifier: Apache-2.0 */

/* Lists that come as the first events of a watch, and servers that cannot do that. */

#include "pintle/base/macros.h"

#include "fake.h"
#include "sync/source.h"

#define STREAM_OF_SERVICES SERVICES "?sendInitialEvents=true"
#define RELIST             FAULT(WATCH_OF_SERVICES, "\"status\":410")

static void stream(struct box *self)
{
    order(self, "{\"do\":\"streams\",\"is\":true}");
}

static void test_a_list_is_streamed_and_its_watch_goes_on(void **state)
{
    struct box *self = *state;
    stream(self);
    order(self, PUT("a"));
    order(self, PUT("b"));
    start(self);
    assert_non_null(strstr(pin_text_get(&self->rig.seen),
        "LIST_BEGIN Service\nUPSERT Service d/a\nUPSERT Service d/b\nLIST_END Service\n"));
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 2);
    order(self, PUT("c"));
    want(self, "UPSERT Service d/c");
    order(self, DELETE("a"));
    want(self, "DELETE Service d/a");
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 2);
    assert_int_equal(count_requests(self, SERVICES), 1); /* one request for all of it */
    assert_true(stats_of(self).kinds[PIN_KIND_SERVICE].is_streamed);
}

static void test_a_stream_of_more_objects_than_are_taken_is_given_up(void **state)
{
    struct box *self = *state;
    pin_sync_source(self->rig.sync, 0)->max_objects = 1;
    stream(self);
    order(self, PUT("a"));
    order(self, PUT("b"));
    pin_sync_start(self->rig.sync);
    want_log(self, "services: a list names more than 1 objects, the limit");
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 0);
    order(self, DELETE("a"));
    want(self, "SYNCED");
}

static void test_a_kind_without_objects_is_listed_by_the_bookmark_alone(void **state)
{
    struct box *self = *state;
    stream(self);
    start(self);
    assert_non_null(
        strstr(pin_text_get(&self->rig.seen), "LIST_BEGIN Service\nLIST_END Service\n"));
}

static void test_a_streamed_list_is_not_asked_for_older_than_what_is_known(void **state)
{
    struct box *self = *state;
    stream(self);
    order(self, PUT("a")); /* version 101 */
    start(self);
    rig_forget(&self->rig);
    order(self, RELIST);
    order(self, "{\"do\":\"drop\"}");
    want(self, "LIST_BEGIN Service\nUPSERT Service d/a\nLIST_END Service\n");
    assert_int_equal(count_requests(self, STREAM_OF_SERVICES), 2);
    assert_non_null(strstr(fake_do(&self->fake, "{\"do\":\"seen\"}"), "resourceVersion=101\""));
}

static void test_a_server_that_does_not_know_it_is_listed_in_pages_at_once(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    int64_t before_ms = pin_clock_mono_ms();
    start(self);
    assert_true(pin_clock_mono_ms() - before_ms < 4000); /* no wait between the two */
    assert_false(stats_of(self).kinds[PIN_KIND_SERVICE].is_streamed);
    assert_int_equal(count_requests(self, LIST_OF_SERVICES), 1);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_lists[PIN_LIST_START], 1);
    assert_string_equal(stats_of(self).error, "");
    rig_forget(&self->rig);
    size_t n_streams = count_requests(self, STREAM_OF_SERVICES);
    order(self, RELIST);
    order(self, "{\"do\":\"drop\"}");
    want(self, "LIST_END Service\n");
    assert_int_equal(count_requests(self, STREAM_OF_SERVICES), n_streams); /* it is remembered */
}

static void test_a_server_that_is_back_is_asked_for_streams_again(void **state)
{
    struct box *self = *state;
    start(self);
    rig_forget(&self->rig);
    order(self, FAULT("/livez", "\"status\":500,\"times\":2"));
    want(self, "UP\n");
    stream(self);
    order(self, PUT("a"));
    want(self, "UPSERT Service d/a");
    order(self, RELIST);
    order(self, "{\"do\":\"drop\"}");
    want(self, "LIST_END Service\n");
    assert_true(count_requests(self, STREAM_OF_SERVICES) >= 1);
    assert_int_equal(count_requests(self, LIST_OF_SERVICES), 1);
}

static void test_a_streamed_list_that_breaks_off_removes_nothing(void **state)
{
    struct box *self = *state;
    stream(self);
    order(self, PUT("a"));
    order(self, PUT("b"));
    start(self);
    rig_forget(&self->rig);
    order(self, FAULT(STREAM_OF_SERVICES, "\"stop\":1"));
    order(self, RELIST);
    order(self, "{\"do\":\"drop\"}");
    want_log(self, "a list of services broke off after 1 objects, nothing is removed");
    assert_int_equal(rig_count(&self->rig, "LIST_END"), 0);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_broken, 1);
    want(self, "LIST_END Service\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_list_is_streamed_and_its_watch_goes_on),
        A_TEST(test_a_stream_of_more_objects_than_are_taken_is_given_up),
        A_TEST(test_a_kind_without_objects_is_listed_by_the_bookmark_alone),
        A_TEST(test_a_streamed_list_is_not_asked_for_older_than_what_is_known),
        A_TEST(test_a_server_that_does_not_know_it_is_listed_in_pages_at_once),
        A_TEST(test_a_server_that_is_back_is_asked_for_streams_again),
        A_TEST(test_a_streamed_list_that_breaks_off_removes_nothing),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_stream", tests, NULL, NULL);
}
