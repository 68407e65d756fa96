/* SPDX-License-Identifier: Apache-2.0 */

/* Lists of an API server that can be told to misbehave. */

#include "pintle/base/macros.h"

#include "fake.h"
#include "sync/source.h"

/* --- The usual ------------------------------------------------------------------------------ */

static void test_what_is_there_is_listed_and_then_watched(void **state)
{
    struct box *self = *state;
    order(self, PUT("one"));
    start(self);
    const char *seen = pin_text_get(&self->rig.seen);
    assert_memory_equal(seen, "UP\n", 3);
    assert_non_null(strstr(seen, "LIST_BEGIN Service\nUPSERT Service d/one\nLIST_END Service\n"));
    assert_int_equal(rig_count(&self->rig, "LIST_END"), PIN_KIND_MAX - 1); /* no Pods */
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 1);
    order(self, PUT("two"));
    want(self, "UPSERT Service d/two");
    order(self, DELETE("one"));
    want(self, "DELETE Service d/one");
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_objects, 1);
    assert_false(stats_of(self).kinds[PIN_KIND_GATEWAY].is_served);
    assert_true(stats_of(self).is_up);
}

static void test_lists_come_in_pages(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    order(self, PUT("c"));
    order(self, FAULT(LIST_OF_SERVICES, "\"page\":1,\"times\":3"));
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service"), 3);
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN Service\n"), 1);
    assert_int_equal(count_requests(self, "continue=1%3A%2B%2F%3D"), 1);
    assert_int_equal(count_requests(self, "continue=2%3A%2B%2F%3D"), 1);
}

/* What the status says of Services, in JSON. */
static bool says_of_services(const struct box *self, const char *part)
{
    struct pin_text text = {0};
    struct pin_jsonout out = pin_jsonout_init(&text);
    pin_jsonout_object(&out);
    pin_sync_cluster_json(self->rig.sync, 0, &out);
    pin_jsonout_end(&out);
    const char *services = strstr(text.ptr, "\"kind\":\"Service\"");
    const char *end = services == NULL ? NULL : strchr(services, '}');
    const char *found = services == NULL ? NULL : strstr(services, part);
    bool is_there = found != NULL && found < end;
    pin_text_done(&text);
    return is_there;
}

static void test_how_far_a_list_is_can_be_seen(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    order(self, PUT("c"));
    order(self, FAULT("limit=500&continue=2", "\"hang\":true"));
    order(self, FAULT(LIST_OF_SERVICES, "\"page\":1,\"times\":3"));
    assert_true(says_of_services(self, "\"state\":\"waiting\""));
    pin_sync_start(self->rig.sync);
    want(self, "UPSERT Service d/b");
    rig_run(&self->rig, 100);
    assert_true(says_of_services(self, "\"state\":\"listing\""));
    assert_true(says_of_services(self, "\"objects\":0,\"read\":2,\"expected\":3"));
    assert_int_equal(stats_of(self).sync_took_ms, 0);
}

static void test_how_long_it_took_is_known(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    assert_true(stats_of(self).sync_took_ms > 0);
    assert_true(says_of_services(self, "\"state\":\"listed\""));
    assert_true(says_of_services(self, "\"objects\":1,\"read\":0,\"expected\":null"));
}

static void test_a_full_sink_holds_the_stream_back_and_nothing_is_lost(void **state)
{
    struct box *self = *state;
    char command[256];
    for (int i = 0; i < 300; i++) {
        (void)snprintf(command, sizeof(command), PUT("s%d"), i);
        order(self, command);
    }
    self->rig.room = 10;
    pin_sync_start(self->rig.sync);
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (self->rig.room > 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 20);
    }
    rig_run(&self->rig, 200);
    assert_int_equal(rig_count(&self->rig, "\n"), 10);
    while (rig_count(&self->rig, "SYNCED") == 0 && pin_clock_mono_ms() < until_ms) {
        self->rig.room = 7;
        pin_sync_resume(self->rig.sync);
        rig_run(&self->rig, 10);
    }
    assert_int_equal(rig_count(&self->rig, "UPSERT Service"), 300);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 1);
    self->rig.room = SIZE_MAX;
    pin_sync_resume(self->rig.sync);
    order(self, PUT("late"));
    want(self, "UPSERT Service d/late");
}

static void test_stop_sends_nothing_more(void **state)
{
    struct box *self = *state;
    start(self);
    pin_sync_stop(self->rig.sync);
    rig_forget(&self->rig);
    order(self, PUT("late"));
    rig_run(&self->rig, 300);
    assert_string_equal(pin_text_get(&self->rig.seen), "");
}

/* --- Lists that go wrong -------------------------------------------------------------------- */

static void test_a_page_that_expired_leads_to_a_list_in_one(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    order(self, FAULT("limit=500&continue", "\"status\":410"));
    order(self, FAULT(LIST_OF_SERVICES, "\"page\":1"));
    start(self);
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 1);
    assert_int_equal(count_requests(self, "\"" SERVICES "?\""), 1);
    assert_non_null(strstr(pin_text_get(&self->rig.seen),
        "LIST_BEGIN Service\nUPSERT Service d/a\nUPSERT Service d/b\nLIST_END Service\n"));
}

static void test_a_truncated_list_deletes_nothing(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    order(self, FAULT(LIST_OF_SERVICES, "\"truncate\":150"));
    start(self);
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 1);
    assert_int_equal(count_requests(self, LIST_OF_SERVICES), 2);
}

static void test_an_answer_that_is_no_list_is_not_an_empty_one(void **state)
{
    struct box *self = *state;
    order(self, FAULT(LIST_OF_SERVICES, "\"status\":200,\"body\":\"{}\""));
    order(self, PUT("a"));
    start(self);
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 1);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service"), 1);
}

static void test_retry_after_is_obeyed(void **state)
{
    struct box *self = *state;
    order(self, FAULT(LIST_OF_SERVICES, "\"status\":429,\"headers\":{\"Retry-After\":\"2\"}"));
    int64_t before_ms = pin_clock_mono_ms();
    start(self);
    assert_true(pin_clock_mono_ms() - before_ms >= 2000);
}

static void test_retry_after_is_a_wait_however_large(void **state)
{
    struct box *self = *state;
    order(self, FAULT(LIST_OF_SERVICES,
                    "\"status\":429,\"headers\":{\"Retry-After\":\"9223372036854775807\"}"));
    pin_sync_start(self->rig.sync);
    rig_run(&self->rig, 6000); /* lists are 4 s apart at least */
    assert_int_equal(count_requests(self, LIST_OF_SERVICES), 1);
}

static void test_an_older_list_is_not_believed(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    order(self, "{\"do\":\"version\",\"to\":50}");
    order(self, FAULT(WATCH_OF_SERVICES, "\"status\":410"));
    order(self, "{\"do\":\"drop\"}");
    want_log(self, "the list is older than what was known before");
    rig_forget(&self->rig);
    order(self, "{\"do\":\"version\",\"to\":500}");
    want(self, "LIST_END Service\n");
}

static void test_a_list_that_tells_its_age_at_its_end_removes_nothing_when_it_is_older(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    start(self);
    rig_forget(&self->rig);
    order(self, "{\"do\":\"version\",\"to\":50}");
    order(self, FAULT(LIST_OF_SERVICES, "\"few\":1,\"sorted\":true"));
    order(self, FAULT(WATCH_OF_SERVICES, "\"status\":410"));
    order(self, "{\"do\":\"drop\"}");
    want_log(self, "the list is older than what was known before");
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 0);
}

/* A watch that tells an object, and of a version behind it, and is cut; and the one after it. */
static void tell_and_cut(struct box *self, const char *version)
{
    struct pin_text events = {0};
    struct pin_text command = {0};
    start(self);
    pin_text_puts(&events, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"told\","
                           "\"namespace\":\"d\"},\"spec\":{}}}\n");
    pin_text_putf(&events,
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%s\"}}}", version);
    pin_text_puts(&command, "{\"do\":\"fault\",\"match\":\"" WATCH_OF_SERVICES "\",\"event\":");
    pin_text_put_json_string(&command, events.ptr, events.len);
    pin_text_putc(&command, '}');
    order(self, pin_text_get(&command));
    order(self, "{\"do\":\"drop\"}");
    want(self, "UPSERT Service d/told");
    order(self, "{\"do\":\"drop\"}");
    order(self, PUT("late"));
    want(self, "UPSERT Service d/late");
    pin_text_done(&events);
    pin_text_done(&command);
}

static void test_a_bookmark_that_goes_back_is_not_gone_back_to(void **state)
{
    struct box *self = *state;
    order(self, PUT("old"));
    tell_and_cut(self, "1");
    assert_int_equal(count_requests(self, "resourceVersion=1\""), 0);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/old"), 1);
}

static void test_a_version_of_any_length_is_not_taken(void **state)
{
    struct box *self = *state;
    char version[1101];
    (void)memset(version, 'x', sizeof(version) - 1);
    version[sizeof(version) - 1] = '\0';
    tell_and_cut(self, version);
    assert_int_equal(count_requests(self, "resourceVersion=xxxx"), 0);
}

/* --- Too many ------------------------------------------------------------------------------- */

static void put_many(struct box *self, int n)
{
    char command[256];
    for (int i = 0; i < n; i++) {
        (void)snprintf(command, sizeof(command), PUT("m%d"), i);
        order(self, command);
    }
}

static void limit(struct box *self, uint32_t max_objects)
{
    pin_sync_source(self->rig.sync, 0)->max_objects = max_objects;
}

static void test_a_list_of_more_objects_than_are_taken_is_given_up(void **state)
{
    struct box *self = *state;
    limit(self, 3);
    put_many(self, 4);
    pin_sync_start(self->rig.sync);
    want_log(self, "services: a list names more than 3 objects, the limit; those known are kept");
    assert_non_null(strstr(pin_text_get(&self->rig.logged), "raise maxObjects"));
    assert_int_equal(rig_count(&self->rig, "LIST_END Service\n"), 0);
    assert_int_equal(rig_count(&self->rig, "SYNCED"), 0);
    assert_non_null(strstr(stats_of(self).error, "more than 3 objects"));
    order(self, DELETE("m0"));
    want(self, "SYNCED"); /* it is listed again and again */
    want_log(self, "services can be read again");
    assert_string_equal(stats_of(self).error, "");
}

static void test_a_list_without_an_end_is_given_up_soon(void **state)
{
    struct box *self = *state;
    limit(self, 100);
    put_many(self, 1000);
    order(self, FAULT(LIST_OF_SERVICES, "\"page\":10,\"times\":3"));
    pin_sync_start(self->rig.sync);
    want_log(self, "more than 100 objects");
    assert_true(rig_count(&self->rig, "UPSERT Service") < 1000);
    assert_true(stats_of(self).kinds[PIN_KIND_SERVICE].n_broken > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_what_is_there_is_listed_and_then_watched),
        A_TEST(test_lists_come_in_pages),
        A_TEST(test_how_far_a_list_is_can_be_seen),
        A_TEST(test_how_long_it_took_is_known),
        A_TEST(test_a_full_sink_holds_the_stream_back_and_nothing_is_lost),
        A_TEST(test_stop_sends_nothing_more),
        A_TEST(test_a_page_that_expired_leads_to_a_list_in_one),
        A_TEST(test_a_truncated_list_deletes_nothing),
        A_TEST(test_an_answer_that_is_no_list_is_not_an_empty_one),
        A_TEST(test_retry_after_is_obeyed),
        A_TEST(test_retry_after_is_a_wait_however_large),
        A_TEST(test_an_older_list_is_not_believed),
        A_TEST(test_a_list_that_tells_its_age_at_its_end_removes_nothing_when_it_is_older),
        A_TEST(test_a_bookmark_that_goes_back_is_not_gone_back_to),
        A_TEST(test_a_version_of_any_length_is_not_taken),
        A_TEST(test_a_list_of_more_objects_than_are_taken_is_given_up),
        A_TEST(test_a_list_without_an_end_is_given_up_soon),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_list", tests, NULL, NULL);
}
