/* SPDX-License-Identifier: Apache-2.0 */

/* What people see of a question whom they watch, and which of them a filter finds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "resolver/tail.h"

/* "web.apps." A IN, and two addresses behind a CNAME. */
static const uint8_t query[] = "\x12\x67\x01\x00\0\x01\0\0\0\0\0\0"
                               "\x03web\x04"
                               "apps\0\0\x01\0\x01";
static const uint8_t answer[] = "\x12\x67\x85\x00\0\x01\0\x03\0\0\0\0"
                                "\x03web\x04"
                                "apps\0\0\x01\0\x01"
                                "\xc0\x0c\0\x05\0\x01\0\0\0\x05\0\x04\x01x\xc0\x10"
                                "\xc0\x26\0\x01\0\x01\0\0\0\x05\0\x04\x0a\x01\0\x07"
                                "\xc0\x26\0\x01\0\x01\0\0\0\x05\0\x04\x0a\x02\0\x07";

static struct pin_tap_record a_record(size_t answer_bytes)
{
    struct pin_tap_record record = {
        .query_wall_ns = INT64_C(1795000000123000000),
        .took_ns = 4102,
        .query_bytes = sizeof(query) - 1,
        .query_kept_bytes = sizeof(query) - 1,
        .query = query,
        .answer_bytes = (uint32_t)answer_bytes,
        .answer_kept_bytes = (uint32_t)answer_bytes,
        .answer = answer,
    };
    assert_true(pin_addrport_parse("10.1.0.7:41234", 0, &record.peer));
    return record;
}

static struct pin_tail *new_tail(void)
{
    struct pin_tail *tail = calloc(1, sizeof(*tail));
    assert_non_null(tail);
    return tail;
}

static void free_tail(struct pin_tail *tail)
{
    pin_tail_done(tail);
    free(tail);
}

static const char *json_of(const struct pin_tail *tail, size_t i)
{
    return pin_text_get(&tail->text) + tail->items[i].json_at;
}

static void test_a_question_is_an_object(void **state)
{
    struct pin_tail *tail = new_tail();
    struct pin_tap_record record = a_record(sizeof(answer) - 1);
    (void)state;
    pin_tail_add(tail, &record);
    assert_int_equal(tail->n_items, 1);
    assert_string_equal(json_of(tail, 0),
        "{\"at\":1795000000123,\"peer\":\"10.1.0.7:41234\",\"transport\":\"udp\",\"name\":"
        "\"web.apps.\",\"type\":\"A\",\"rcode\":\"NOERROR\",\"tookUs\":4,\"bytes\":74,\"n\":3,"
        "\"answers\":[\"10.1.0.7\",\"10.2.0.7\"]}");
    assert_int_equal(strlen(json_of(tail, 0)), tail->items[0].json_bytes);
    assert_int_equal(tail->items[0].took_us, 4);
    free_tail(tail);
}

static void test_a_reason_stands_at_the_end(void **state)
{
    struct pin_tail *tail = new_tail();
    struct pin_tap_record record = a_record(sizeof(answer) - 1);
    (void)state;
    record.why_text = "why=drawn zone=assigned view=c1 from=10.1.0.7";
    pin_tail_add(tail, &record);
    record.why_text = "";
    pin_tail_add(tail, &record);
    assert_non_null(strstr(json_of(tail, 0),
        "\"10.2.0.7\"],\"why\":\"why=drawn zone=assigned view=c1 from=10.1.0.7\"}"));
    assert_null(strstr(json_of(tail, 1), "why"));
    free_tail(tail);
}

/* Nothing beyond what was kept is read: the sanitizers look, since each copy has its own end. */
static void test_an_answer_may_be_cut_anywhere(void **state)
{
    struct pin_tail *tail = new_tail();
    (void)state;
    for (size_t bytes = 0; bytes < sizeof(answer); bytes++) {
        struct pin_tap_record record = a_record(bytes);
        uint8_t *copy = malloc(bytes + (bytes == 0 ? 1 : 0));
        assert_non_null(copy);
        memcpy(copy, answer, bytes);
        record.answer = copy;
        pin_tail_add(tail, &record);
        free(copy);
        size_t want = bytes == sizeof(answer) - 1 ? 2 : bytes >= sizeof(answer) - 1 - 16 ? 1 : 0;
        const char *list = strstr(json_of(tail, bytes), "\"answers\":[");
        size_t n_shown = 0;
        for (const char *at = strstr(list, "\"10."); at != NULL; at = strstr(at + 1, "\"10.")) {
            n_shown++;
        }
        assert_int_equal(n_shown, want);
    }
    free_tail(tail);
}

static void test_a_filter_wants_all_its_words(void **state)
{
    static const struct {
        const char *filter;
        bool want;
    } rows[] = {{"", true}, {"web", true}, {"WEB.apps", true}, {"apps a noerror", true},
        {"10.1.0.7", true}, {"web nxdomain", false}, {"  web", true}, {"webx", false},
        {"tookUs", false}};
    struct pin_tail *tail = new_tail();
    struct pin_tap_record record = a_record(sizeof(answer) - 1);
    (void)state;
    pin_tail_add(tail, &record);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(pin_tail_matches(tail, &tail->items[0], rows[i].filter), rows[i].want);
    }
    free_tail(tail);
}

static void test_what_does_not_fit_is_counted(void **state)
{
    struct pin_tail *tail = new_tail();
    struct pin_tap_record record = a_record(sizeof(answer) - 1);
    (void)state;
    for (size_t i = 0; i < PIN_TAIL_MAX + 3; i++) {
        pin_tail_add(tail, &record);
    }
    assert_int_equal(tail->n_items, PIN_TAIL_MAX);
    assert_int_equal(tail->n_left_out, 3);
    pin_tail_clear(tail);
    pin_tail_add(tail, &record);
    assert_int_equal(tail->n_items, 1);
    assert_int_equal(tail->n_left_out, 0);
    free_tail(tail);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_question_is_an_object),
        cmocka_unit_test(test_a_reason_stands_at_the_end),
        cmocka_unit_test(test_an_answer_may_be_cut_anywhere),
        cmocka_unit_test(test_a_filter_wants_all_its_words),
        cmocka_unit_test(test_what_does_not_fit_is_counted),
    };
    return cmocka_run_group_tests_name("tail", tests, NULL, NULL);
}
