/* SPDX-License-Identifier: Apache-2.0 */

/* Names survive the way from presentation format to wire format and back; wrong ones are refused.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/name.h"

#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static struct parse_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    const char *want; /* NULL: refused */
} cases[] = {
    {"the root is one byte", ".", "."},
    {"a name gets its trailing dot", "example.com", "example.com."},
    {"a trailing dot is no empty label", "example.com.", "example.com."},
    {"letters become lower case", "WwW.ExAmPlE", "www.example."},
    {"a dot in a label is escaped", "a\\.b.c", "a\\.b.c."},
    {"decimal escapes name any byte", "a\\000\\255.b", "a\\000\\255.b."},
    {"63 letters are a label", L63, L63 "."},
    {"64 letters are none", L63 "l", NULL},
    {"255 bytes are a name",
        L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi",
        L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghi."},
    {"256 bytes are none",
        L63 "." L63 "." L63 ".abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij",
        NULL},
    {"nothing is no name", "", NULL},
    {"empty labels are refused", "a..b", NULL},
    {"a leading dot is refused", ".a", NULL},
    {"an escape above 255 is refused", "\\256", NULL},
    {"a cut escape is refused", "\\25", NULL},
    {"a lone backslash is refused", "a\\", NULL},
    {"an escaped letter is that letter", "\\a\\-.b", "a-.b."},
    {"a letter among the digits of an escape is refused", "\\01a", NULL},
    {"a sign among them as well", "\\01-", NULL},
};

static void test_parse(void **state)
{
    const struct parse_case *c = *state;
    struct pin_name name;
    char text[PIN_NAME_TEXT_MAX];
    if (c->want == NULL) {
        assert_int_equal(pin_name_parse(c->text, &name), PIN_EPARSE);
        return;
    }
    assert_int_equal(pin_name_parse(c->text, &name), PIN_OK);
    assert_int_equal(pin_name_wire_bytes(name.wire), name.bytes);
    pin_name_format(name.wire, text);
    assert_string_equal(text, c->want);
}

static void test_prepend(void **state)
{
    struct pin_name name;
    char text[PIN_NAME_TEXT_MAX];
    (void)state;
    assert_int_equal(pin_name_parse("c1.example", &name), PIN_OK);
    assert_int_equal(pin_name_prepend(&name, "Web", 3), PIN_OK);
    pin_name_format(name.wire, text);
    assert_string_equal(text, "web.c1.example.");
    assert_int_equal(pin_name_labels(name.wire), 3);
    assert_int_equal(pin_name_prepend(&name, "", 0), PIN_ELIMIT);
    assert_int_equal(pin_name_prepend(&name, L63 "x", 64), PIN_ELIMIT);
    while (pin_name_prepend(&name, L63, 63) == PIN_OK) {
    }
    assert_int_equal(pin_name_wire_bytes(name.wire), name.bytes);
    assert_true((int)name.bytes + 64 > PIN_NAME_MAX_BYTES);
}

static void test_below(void **state)
{
    struct pin_name zone;
    struct pin_name name;
    (void)state;
    assert_int_equal(pin_name_parse("example.com", &zone), PIN_OK);
    assert_int_equal(pin_name_parse("a.b.example.com", &name), PIN_OK);
    assert_true(pin_name_is_below(&name, &zone));
    assert_true(pin_name_is_below(&zone, &zone));
    assert_false(pin_name_is_below(&zone, &name));
    assert_int_equal(pin_name_parse("notexample.com", &name), PIN_OK);
    assert_false(pin_name_is_below(&name, &zone));
    pin_name_root(&zone);
    assert_true(pin_name_is_below(&name, &zone));
}

static void test_label(void **state)
{
    (void)state;
    assert_true(pin_name_is_rfc1123_label("c1"));
    assert_false(pin_name_is_rfc1123_label("a{b"));
    assert_false(pin_name_is_rfc1123_label("a=b"));
    assert_true(pin_name_is_rfc1123_label("a-b-9"));
    assert_false(pin_name_is_rfc1123_label(""));
    assert_false(pin_name_is_rfc1123_label("-a"));
    assert_false(pin_name_is_rfc1123_label("a-"));
    assert_false(pin_name_is_rfc1123_label("A"));
    assert_false(pin_name_is_rfc1123_label("arn:aws:eks"));
    assert_false(pin_name_is_rfc1123_label(L63 "x"));
}

/* Bytes that are no name end the count all the same. */
static void test_labels_are_bounded(void **state)
{
    uint8_t wire[2 * 200 + 1] = {0};
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        wire[2 * i] = 1;
        wire[2 * i + 1] = 'a';
    }
    assert_int_equal(pin_name_labels(wire), 127);
    assert_int_equal(pin_name_labels(&wire[380]), 10);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 4] = {{0}};
    size_t n = 0;
    for (; n < N_ELEMS(cases); n++) {
        tests[n] = (struct CMUnitTest){
            .name = cases[n].name, .test_func = test_parse, .initial_state = &cases[n]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_labels_are_bounded);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_prepend);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_below);
    tests[n] = (struct CMUnitTest)cmocka_unit_test(test_label);
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
