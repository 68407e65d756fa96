/* SPDX-License-Identifier: Apache-2.0 */

/* Text and wire are two forms of one thing: what one way gives, the other way takes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/rdata.h"

#define ROOM 700u
#define X255                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"        \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
_Static_assert(sizeof(X255) == 256, "255 bytes");

static struct text_case {
    const char *name; /* reads as a sentence in the test report */
    const char *type;
    const char *text;
    const char *canonical; /* NULL: the same */
    const char *wire;      /* NULL: refused */
    size_t wire_bytes;
} texts[] = {
    {"an address", "A", "192.0.2.1", NULL, "\xc0\0\2\1", 4},
    {"an address of the other family is refused", "A", "2001:db8::1", NULL, NULL, 0},
    {"one and a half address is refused", "A", "192.0.2.1 5", NULL, NULL, 0},
    {"an IPv6 address is shortened", "AAAA", "2001:DB8:0:0::1", "2001:db8::1",
        "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1", 16},
    {"a name, with or without its dot", "CNAME", "LB.Example.net.", "lb.example.net",
        "\2lb\7example\3net\0", 16},
    {"the root", "NS", ".", NULL, "\0", 1},
    {"escapes in a name", "PTR", "a\\.b\\032c.x", NULL, "\5a.b c\1x\0", 9},
    {"no name is refused", "NS", "a..b", NULL, NULL, 0},
    {"a number and a name", "MX", "010  mx.x.", "10 mx.x", "\0\x0a\2mx\1x\0", 8},
    {"a number that is too large is refused", "MX", "65536 mx.x", NULL, NULL, 0},
    {"a missing name is refused", "MX", "10", NULL, NULL, 0},
    {"three numbers and a name", "SRV", "0 5 5060 s.x", NULL, "\0\0\0\5\x13\xc4\1s\1x\0", 11},
    {"strings", "TXT", "\"a b\" \"\" \"c\"", NULL, "\3a b\0\1c", 7},
    {"strings without quotes", "TXT", "a b", "\"a\" \"b\"", "\1a\1b", 4},
    {"quotes, backslashes and bytes", "TXT", "\"\\\"\\\\\\255\\065;\"", "\"\\\"\\\\\\255A;\"",
        "\5\"\\\xff"
        "A;",
        6},
    {"a quote that is not closed is refused", "TXT", "\"a", NULL, NULL, 0},
    {"a lone backslash is refused", "TXT", "\"a\\", NULL, NULL, 0},
    {"an escape above 255 is refused", "TXT", "\"\\256\"", NULL, NULL, 0},
    {"no string is refused", "TXT", "", NULL, NULL, 0},
    {"255 bytes are a string", "TXT", "\"" X255 "\"", NULL, "\xff" X255, 256},
    {"256 are not", "TXT", "\"" X255 "x\"", NULL, NULL, 0},
    {"an authority", "CAA", "0 issue ca.example.net", "0 issue \"ca.example.net\"",
        "\0\5issueca.example.net", 21},
    {"an authority's tag in quotes", "CAA", "0 \"issue\" \"x\"", "0 issue \"x\"", "\0\5issuex", 8},
    {"a tag of nothing is refused", "CAA", "0 \"\" \"x\"", NULL, NULL, 0},
    {"a tag is letters and digits", "CAA", "0 \"is sue\" \"x\"", NULL, NULL, 0},
    {"a naming authority pointer", "NAPTR", "1 2 \"u\" \"E2U+sip\" \"!.*!x!\" .", NULL,
        "\0\1\0\2\1u\7E2U+sip\6!.*!x!\0", 22},
    {"a fingerprint, in pieces and capitals", "SSHFP", "4 2 AB cd", "4 2 abcd", "\4\2\xab\xcd", 4},
    {"half a byte is refused", "SSHFP", "4 2 abc", NULL, NULL, 0},
    {"an address of a service", "URI", "1 2 \"https://x/\"", NULL, "\0\1\0\2https://x/", 14},
    {"a start of authority", "SOA", "ns.x h.x 1 2 3 4 4294967295", NULL,
        "\2ns\1x\0\1h\1x\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\xff\xff\xff\xff", 31},
    {"the general form of an unknown type", "TYPE65280", "\\# 4 0A000001", "\\# 4 0a000001",
        "\x0a\0\0\1", 4},
    {"the general form of a known type", "A", "\\# 4 0a000001", "10.0.0.1", "\x0a\0\0\1", 4},
    {"a general form whose length is wrong is refused", "TYPE65280", "\\# 3 0a000001", NULL, NULL,
        0},
    {"nothing at all, in the general form", "TYPE65280", "\\# 0", NULL, "", 0},
    {"an unknown type has no other form", "TYPE65280", "abc", NULL, NULL, 0},
    {"a type that is known by name alone", "HTTPS", "\\# 3 000100", NULL, "\0\1\0", 3},
};

static void test_text(void **state)
{
    const struct text_case *c = *state;
    uint8_t room[ROOM];
    struct pin_why why = {0};
    struct pin_text text = {0};
    uint16_t type = pin_rdata_type(c->type);
    struct pin_buf buf = pin_buf_init(room, sizeof(room));
    enum pin_err err = pin_rdata_parse(type, c->text, &buf, &why);
    assert_int_equal(err, c->wire == NULL ? PIN_EPARSE : PIN_OK);
    if (c->wire == NULL) {
        assert_non_null(strstr(why.text, "is no data of type "));
        return;
    }
    assert_int_equal(pin_buf_used(&buf), c->wire_bytes);
    assert_memory_equal(room, c->wire, c->wire_bytes);
    struct pin_reader reader = pin_reader_init(room, c->wire_bytes);
    assert_true(pin_rdata_format(&reader, c->wire_bytes, type, &text));
    assert_string_equal(pin_text_get(&text), c->canonical == NULL ? c->text : c->canonical);
    assert_int_equal(pin_reader_left(&reader), 0);
    pin_text_done(&text);
    for (size_t cap = 0; cap < c->wire_bytes; cap++) {
        buf = pin_buf_init(room, cap);
        assert_int_equal(pin_rdata_parse(type, c->text, &buf, &why), PIN_ELIMIT);
    }
}

static struct wire_case {
    const char *name; /* reads as a sentence in the test report */
    uint16_t type;
    const char *message; /* from its header on, the RDATA at its end */
    size_t bytes;
    size_t rdata_bytes;
    const char *want; /* NULL: malformed */
} wires[] = {
    {"a name that points into the message", 5, "............\3com\0\1a\xc0\x0c", 21, 4, "a.com"},
    {"a name that points at itself", 5, "............\xc0\x0c", 14, 2, NULL},
    {"a name that points into the header", 5, "\1a\0.........\xc0\0", 14, 2, NULL},
    {"a name longer than its data", 5, "............\3com\0", 17, 4, NULL},
    {"data longer than its name", 5, "............\3com\0.", 18, 6, NULL},
    {"three bytes of an address", 1, "............\1\2\3", 15, 3, NULL},
    {"five bytes of an address", 1, "............\1\2\3\4\5", 17, 5, NULL},
    {"a string past its end", 16, "............\4abc", 16, 4, NULL},
    {"no string", 16, "............", 12, 0, NULL},
    {"data past the end of the message", 65280, "............\1", 13, 2, NULL},
    {"a tag that is no word", 257, "............\0\2a\"x", 17, 5, NULL},
};

static void test_wire(void **state)
{
    const struct wire_case *c = *state;
    struct pin_text text = {0};
    struct pin_reader reader = pin_reader_init(c->message, c->bytes);
    reader.pos += 12;
    if (c->want != NULL) {
        reader.pos = reader.end - c->rdata_bytes;
    }
    assert_int_equal(pin_rdata_format(&reader, c->rdata_bytes, c->type, &text), c->want != NULL);
    if (c->want != NULL) {
        assert_string_equal(pin_text_get(&text), c->want);
    }
    pin_text_done(&text);
}

static void test_types(void **state)
{
    char text[PIN_RDATA_TYPE_MAX];
    (void)state;
    for (unsigned type = 1; type <= UINT16_MAX; type++) {
        assert_int_equal(pin_rdata_type(pin_rdata_type_text((uint16_t)type, text)), (uint16_t)type);
    }
    assert_string_equal(pin_rdata_type_text(28, text), "AAAA");
    assert_int_equal(pin_rdata_type("TYPE65536"), 0);
    assert_int_equal(pin_rdata_type("TYPE1x"), 0);
    assert_int_equal(pin_rdata_type("a"), 0);
    assert_true(pin_rdata_has_form(1));
    assert_false(pin_rdata_has_form(65));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(texts) + N_ELEMS(wires) + 1] = {cmocka_unit_test(test_types)};
    size_t n = 1;
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = texts[i].name, .test_func = test_text, .initial_state = &texts[i]};
    }
    for (size_t i = 0; i < N_ELEMS(wires); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = wires[i].name, .test_func = test_wire, .initial_state = &wires[i]};
    }
    return cmocka_run_group_tests_name("rdata", tests, NULL, NULL);
}
