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

/* --- Names in messages (RFC 1035, section 4.1.4) ---------------------------------------------- */

#define AT_12 "\1a\0"
#define H     "hhhhhhhhhhhh" /* a header */

static struct read_case {
    const char *name;
    const char *message;
    size_t message_bytes; /* sizeof, less the literal's NUL */
    size_t at;
    const char *want; /* NULL: refused */
    size_t end;       /* where reading goes on */
} read_cases[] = {
    {"a name that is written out", H AT_12, sizeof(H AT_12) - 1, 12, "a.", 15},
    {"a pointer", H AT_12 "\xC0\x0C", sizeof(H AT_12 "\xC0\x0C") - 1, 15, "a.", 17},
    {"labels, then a pointer", H AT_12 "\1B\xC0\x0C", sizeof(H AT_12 "\1B\xC0\x0C") - 1, 15, "b.a.",
        19},
    {"half a pointer", H AT_12 "\xC0", sizeof(H AT_12 "\xC0") - 1, 15, NULL, 0},
    {"a pointer into the header", H "\xC0\x04", sizeof(H "\xC0\x04") - 1, 12, NULL, 0},
    {"a pointer at itself", H "\xC0\x0C", sizeof(H "\xC0\x0C") - 1, 12, NULL, 0},
    {"a label of no known type", H "\101ab", sizeof(H "\101ab") - 1, 12, NULL, 0},
    {"a label behind the end", H "\3ab", sizeof(H "\3ab") - 1, 12, NULL, 0},
    {"64 letters", H "\x40" L63 "l\0", sizeof(H "\x40" L63 "l\0") - 1, 12, NULL, 0},
    {"256 bytes", H "\x3F" L63 "\x3F" L63 "\x3F" L63 "\x3F" L63 "\0",
        sizeof(H "\x3F" L63 "\x3F" L63 "\x3F" L63 "\x3F" L63 "\0") - 1, 12, NULL, 0},
};

static void test_read(void **state)
{
    const struct read_case *c = *state;
    struct pin_reader reader = pin_reader_init(c->message, c->message_bytes);
    struct pin_name name;
    char text[PIN_NAME_TEXT_MAX];
    (void)pin_reader_get_bytes(&reader, c->at);
    assert_int_equal(pin_name_read(&reader, &name), c->want != NULL);
    if (c->want != NULL) {
        pin_name_format(name.wire, text);
        assert_string_equal(text, c->want);
        assert_int_equal(pin_reader_offset(&reader), c->end);
    }
}

/* Each pointer leads to the one before, the first to the root. */
static void test_pointers_are_counted(void **state)
{
    uint8_t message[13 + 2 * (PIN_NAME_POINTERS_MAX + 1)] = {0};
    struct pin_name name;
    (void)state;
    for (size_t i = 0; i <= PIN_NAME_POINTERS_MAX; i++) {
        size_t target = i == 0 ? 12 : 13 + 2 * (i - 1);
        message[13 + 2 * i] = (uint8_t)(0xC0 | target >> 8);
        message[14 + 2 * i] = (uint8_t)target;
    }
    for (size_t i = PIN_NAME_POINTERS_MAX - 1; i <= PIN_NAME_POINTERS_MAX; i++) {
        struct pin_reader reader = pin_reader_init(message, sizeof(message));
        (void)pin_reader_get_bytes(&reader, 13 + 2 * i);
        assert_int_equal(pin_name_read(&reader, &name), i < PIN_NAME_POINTERS_MAX);
    }
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
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(read_cases) + 5] = {{0}};
    size_t n = 0;
    for (; n < N_ELEMS(cases); n++) {
        tests[n] = (struct CMUnitTest){
            .name = cases[n].name, .test_func = test_parse, .initial_state = &cases[n]};
    }
    for (size_t i = 0; i < N_ELEMS(read_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = read_cases[i].name, .test_func = test_read, .initial_state = &read_cases[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_pointers_are_counted);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_labels_are_bounded);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_prepend);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_below);
    tests[n] = (struct CMUnitTest)cmocka_unit_test(test_label);
    return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
