/* SPDX-License-Identifier: Apache-2.0 */

/* An Event is told once, then as its series, and not too many are. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/text.h"

#include "sync/events.h"
#include "sync/http.h"

#define BODY  "{\"type\":\"Warning\",\"reason\":\"R\",\"action\":\"A\",\"note\":\"n\"}"
#define LATER PIN_EVENTS_AGAIN_MS
#define START ((int64_t)1000000)

static struct pin_write make_write(const char *name, const char *body)
{
    return (struct pin_write){.op = PIN_WRITE_EVENT,
        .kind = PIN_KIND_HTTP_ROUTE,
        .manager = PIN_WRITE_MANAGER,
        .namespace_name = "d",
        .name = name,
        .uid = "u-1",
        .body = body,
        .body_bytes = strlen(body)};
}

static enum pin_events_end end_with(
    struct pin_events *events, const struct pin_write *write, int status, int64_t now_ms)
{
    const struct pin_http_result result = {.status = status};
    return pin_events_end(events, write, &result, now_ms);
}

static void want_path(
    const struct pin_events *events, const struct pin_write *write, const char *wanted)
{
    struct pin_text path = {0};
    pin_events_put_path(events, write, &path);
    assert_memory_equal(pin_text_get(&path), wanted, strlen(wanted));
    pin_text_done(&path);
}

static void want_body(
    const struct pin_events *events, const struct pin_write *write, const char *wanted)
{
    struct pin_text body = {0};
    const struct pin_events_teller teller = {
        .identity = "me", .api_version = "g/v1", .wall_ms = 1000};
    pin_events_put_body(events, write, &teller, &body);
    if (strstr(pin_text_get(&body), wanted) == NULL) {
        fail_msg("'%s' is not in %s", wanted, pin_text_get(&body));
    }
    pin_text_done(&body);
}

static void test_it_is_told_once_and_then_as_its_series(void **state)
{
    struct pin_events events = {0};
    struct pin_write write = make_write("r", BODY);
    (void)state;
    assert_int_equal(pin_events_take(&events, &write, START), PIN_EVENTS_NOW);
    want_path(&events, &write, "/apis/events.k8s.io/v1/namespaces/d/events?fieldManager=pintle");
    want_body(&events, &write, "{\"apiVersion\":\"events.k8s.io/v1\",\"kind\":\"Event\",");
    want_body(&events, &write, "\"eventTime\":\"1970-01-01T00:00:01.000000Z\",");
    want_body(&events, &write,
        "\"regarding\":{\"apiVersion\":\"g/v1\",\"kind\":\"HTTPRoute\",\"namespace\":\"d\","
        "\"name\":\"r\",\"uid\":\"u-1\"},\"type\":\"Warning\",\"reason\":\"R\",");
    assert_int_equal(end_with(&events, &write, 201, START), PIN_EVENTS_DONE);
    assert_int_equal(pin_events_take(&events, &write, START + LATER - 1), PIN_EVENTS_TOLD);
    assert_int_equal(pin_events_take(&events, &write, START + LATER), PIN_EVENTS_NOW);
    assert_true(pin_events_repeats(&events, &write));
    want_path(&events, &write, "/apis/events.k8s.io/v1/namespaces/d/events/r.");
    want_body(&events, &write,
        "{\"series\":{\"count\":2,\"lastObservedTime\":\"1970-01-01T00:00:01.000000Z\"}}");
    assert_int_equal(end_with(&events, &write, 200, START + LATER), PIN_EVENTS_DONE);
    want_body(&events, &write, "\"count\":3,");
    pin_events_done(&events);
}

static void test_one_that_is_there_already_was_told_by_another_life(void **state)
{
    struct pin_events events = {0};
    struct pin_write write = make_write("r", BODY);
    (void)state;
    assert_int_equal(pin_events_take(&events, &write, START), PIN_EVENTS_NOW);
    assert_int_equal(end_with(&events, &write, 409, START), PIN_EVENTS_DONE);
    assert_true(pin_events_repeats(&events, &write));
    pin_events_done(&events);
}

static void test_one_that_was_forgotten_is_told_anew(void **state)
{
    struct pin_events events = {0};
    struct pin_write write = make_write("r", BODY);
    (void)state;
    assert_int_equal(pin_events_take(&events, &write, START), PIN_EVENTS_NOW);
    assert_int_equal(end_with(&events, &write, 201, START), PIN_EVENTS_DONE);
    assert_int_equal(pin_events_take(&events, &write, START + LATER), PIN_EVENTS_NOW);
    assert_int_equal(end_with(&events, &write, 404, START + LATER), PIN_EVENTS_ANEW);
    assert_false(pin_events_repeats(&events, &write));
    assert_int_equal(end_with(&events, &write, 500, START + LATER), PIN_EVENTS_FAILED);
    assert_int_equal(end_with(&events, &write, 404, START + LATER), PIN_EVENTS_FAILED);
    pin_events_done(&events);
}

static void test_other_words_are_another_one(void **state)
{
    struct pin_events events = {0};
    struct pin_write write = make_write("r", BODY);
    struct pin_write other = make_write("r", "{\"reason\":\"S\"}");
    (void)state;
    assert_int_equal(pin_events_take(&events, &write, START), PIN_EVENTS_NOW);
    assert_int_equal(pin_events_take(&events, &other, START), PIN_EVENTS_NOW);
    other = write;
    other.uid = "u-2"; /* a route made again */
    assert_int_equal(pin_events_take(&events, &other, START), PIN_EVENTS_NOW);
    assert_int_equal(pin_events_take(&events, &write, START), PIN_EVENTS_TOLD);
    pin_events_done(&events);
}

static void test_too_many_wait(void **state)
{
    struct pin_events events = {0};
    (void)state;
    for (int i = 0; i < 30; i++) {
        char name[16];
        (void)snprintf(name, sizeof(name), "r-%d", i);
        struct pin_write write = make_write(name, BODY);
        assert_int_equal(
            pin_events_take(&events, &write, START), i < 25 ? PIN_EVENTS_NOW : PIN_EVENTS_WAIT);
    }
    struct pin_write more = make_write("more", BODY);
    struct pin_write next = make_write("next", BODY);
    assert_int_equal(pin_events_take(&events, &more, START + 9999), PIN_EVENTS_WAIT);
    assert_int_equal(pin_events_take(&events, &more, START + 10000), PIN_EVENTS_NOW);
    assert_int_equal(pin_events_take(&events, &next, START + 10001), PIN_EVENTS_WAIT);
    pin_events_done(&events);
}

static void test_names_fit(void **state)
{
    struct pin_events events = {0};
    char name[254];
    (void)state;
    memset(name, 'r', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct pin_write write = make_write(name, BODY);
    assert_int_equal(pin_events_take(&events, &write, START), PIN_EVENTS_NOW);
    assert_int_equal(end_with(&events, &write, 201, START), PIN_EVENTS_DONE);
    struct pin_text path = {0};
    pin_events_put_path(&events, &write, &path);
    const char *at = strrchr(pin_text_get(&path), '/') + 1;
    assert_true(strcspn(at, "?") <= 253);
    pin_text_done(&path);
    pin_events_done(&events);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_is_told_once_and_then_as_its_series),
        cmocka_unit_test(test_one_that_is_there_already_was_told_by_another_life),
        cmocka_unit_test(test_one_that_was_forgotten_is_told_anew),
        cmocka_unit_test(test_other_words_are_another_one),
        cmocka_unit_test(test_too_many_wait),
        cmocka_unit_test(test_names_fit),
    };
    return cmocka_run_group_tests_name("events", tests, NULL, NULL);
}
