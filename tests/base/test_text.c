/* SPDX-License-Identifier: Apache-2.0 */

/* A text grows, and its JSON strings are valid whatever goes in. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/text.h"

#define REPLACED "\xEF\xBF\xBD"

static struct json_case {
    const char *name;
    const char *data;
    size_t bytes;
    const char *want;
} cases[] = {
    {"nothing is an empty string", "", 0, "\"\""},
    {"plain text stays", "web-1.example", 13, "\"web-1.example\""},
    {"quotes and backslashes are escaped", "a\"b\\", 4, "\"a\\\"b\\\\\""},
    {"control characters are escaped", "\x01\n\r\t\x7f", 5, "\"\\u0001\\n\\r\\t\\u007f\""},
    {"a NUL is escaped", "a\0b", 3, "\"a\\u0000b\""},
    {"UTF-8 of two, three and four bytes stays", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9,
        "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
    {"a stray byte is replaced", "a\xFFz", 3, "\"a" REPLACED "z\""},
    {"a cut sequence is replaced byte by byte", "\xE2\x82", 2, "\"" REPLACED REPLACED "\""},
    {"an overlong form is replaced", "\xC0\xAF", 2, "\"" REPLACED REPLACED "\""},
    {"a surrogate is replaced", "\xED\xA0\x80", 3, "\"" REPLACED REPLACED REPLACED "\""},
    {"above the last code point is replaced", "\xF4\x90\x80\x80", 4,
        "\"" REPLACED REPLACED REPLACED REPLACED "\""},
    {"a sequence broken off by ASCII keeps the ASCII", "\xE2x", 2, "\"" REPLACED "x\""},
};

static void test_json_string(void **state)
{
    const struct json_case *c = *state;
    struct pin_text text = {0};
    pin_text_put_json_string(&text, c->data, c->bytes);
    assert_string_equal(pin_text_get(&text), c->want);
    pin_text_done(&text);
}

static void test_grows_and_is_taken(void **state)
{
    struct pin_text text = {0};
    (void)state;
    assert_string_equal(pin_text_get(&text), "");
    for (int i = 0; i < 10000; i++) {
        pin_text_putf(&text, "%04d", i);
    }
    pin_text_putc(&text, '!');
    assert_int_equal(text.len, 40001);
    assert_memory_equal(text.ptr + 39996, "9999!", 6);
    pin_text_cut(&text, 8);
    pin_text_cut(&text, 100);
    char *taken = pin_text_take(&text);
    assert_string_equal(taken, "00000001");
    free(taken);
    assert_int_equal(text.len, 0);
    taken = pin_text_take(&text);
    assert_string_equal(taken, "");
    free(taken);
}

static void test_failure_sticks(void **state)
{
    struct pin_text text = {0};
    (void)state;
    pin_text_puts(&text, "kept");
    pin_text_putn(&text, "", SIZE_MAX / 2);
    assert_true(text.failed);
    pin_text_puts(&text, "lost");
    assert_string_equal(pin_text_get(&text), "kept");
    assert_null(pin_text_take(&text));
    pin_text_done(&text);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        cmocka_unit_test(test_grows_and_is_taken),
        cmocka_unit_test(test_failure_sticks),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_json_string, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
