/* SPDX-License-Identifier: Apache-2.0 */

/* Names and values of record sets have one form each, whoever wrote them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/zones/recordset.h"

static struct value_case {
    const char *name; /* reads as a sentence in the test report */
    const char *type;
    const char *text;
    const char *want; /* NULL: refused */
} cases[] = {
    {"an address stays", "A", "192.0.2.1", "192.0.2.1"},
    {"an address of the other family is refused", "A", "2001:db8::1", NULL},
    {"an IPv6 address is shortened", "AAAA", "2001:DB8:0:0::01", "2001:db8::1"},
    {"two addresses in one value are refused", "A", "192.0.2.1 192.0.2.2", NULL},
    {"a target loses its dot and its capitals", "CNAME", "LB.Example.NET.", "lb.example.net"},
    {"an escaped star is a star", "CNAME", "\\042.example.net", "*.example.net"},
    {"a target has no blank", "CNAME", "a b.example.net", NULL},
    {"a target that is too long is refused", "CNAME",
        "0123456789012345678901234567890123456789012345678901234567890123.net", NULL},
    {"an exchange has one blank", "MX", " 010   mx.example.net.", "10 mx.example.net"},
    {"an exchange without a number is refused", "MX", "mx.example.net", NULL},
    {"a service has three numbers", "SRV", "0 5 8080 A.example.net.", "0 5 8080 a.example.net"},
    {"a number is at most 65535", "SRV", "0 5 65536 a.example.net", NULL},
    {"something behind the target is refused", "SRV", "0 5 80 a.example.net x", NULL},
    {"a text gets its quotes", "TXT", "v=spf1 -all", "\"v=spf1 -all\""},
    {"a quoted text stays", "TXT", "\"a\"  \"b;\\\"c\"", "\"a\" \"b;\\\"c\""},
    {"a text of any bytes is escaped", "TXT", "a\\\"\n", "\"a\\\\\\\"\\010\""},
    {"an open quote is refused", "TXT", "\"a", NULL},
    {"text behind a quoted one is refused", "TXT", "\"a\" b", NULL},
    {"an empty text is one", "TXT", "", "\"\""},
    {"an authority has one text", "CAA", "0  issue ca.example", "0 issue \"ca.example\""},
    {"a fingerprint has small letters", "TLSA", "3 1 1 ABCD", "3 1 1 abcd"},
    {"an authority without a tag is refused", "CAA", "0", NULL},
    {"words of unknown types get one blank", "HTTPS", "1  .  alpn=h2", "1 . alpn=h2"},
    {"a control character is refused", "HTTPS", "1 .\n", NULL},
    {"no words are refused", "HTTPS", "  ", NULL},
};

static void test_value(void **state)
{
    const struct value_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    struct pin_why why = {0};
    const char *value = NULL;
    enum pin_err err = pin_recordset_value(arena, c->type, c->text, &value, &why);
    if (c->want == NULL) {
        assert_int_equal(err, PIN_EPARSE);
        assert_string_not_equal(why.text, "");
    } else {
        assert_int_equal(err, PIN_OK);
        assert_string_equal(value, c->want);
        assert_int_equal(pin_recordset_value(arena, c->type, value, &value, &why), PIN_OK);
        assert_string_equal(value, c->want); /* canonical is canonical */
    }
    pin_arena_free(arena);
}

static void test_names(void **state)
{
    char name[PIN_RECORDSET_NAME_MAX];
    (void)state;
    assert_int_equal(pin_recordset_name("App.Example.COM.", name, NULL), PIN_OK);
    assert_string_equal(name, "app.example.com");
    assert_int_equal(pin_recordset_name("\\042.a\\@.example", name, NULL), PIN_OK);
    assert_string_equal(name, "*.a\\@.example");
    assert_int_equal(pin_recordset_name(".", name, NULL), PIN_OK);
    assert_string_equal(name, ".");
    assert_int_equal(pin_recordset_name("a..example", name, NULL), PIN_EPARSE);
}

/* A text of 300 bytes is two strings, and says the same when it is read. */
static void test_long_text(void **state)
{
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    char text[301];
    (void)state;
    memset(text, 'x', 300);
    text[300] = '\0';
    const char *value = pin_recordset_quote(arena, text);
    assert_int_equal(strlen(value), 300 + 2 + 3);
    assert_string_equal(pin_recordset_unquote(arena, value), text);
    assert_null(pin_recordset_unquote(arena, "\"a"));
    assert_null(pin_recordset_unquote(arena, "a"));
    pin_arena_free(arena);
}

static void test_tidy(void **state)
{
    static const char *const c1[] = {"c1"};
    static const char *const c2[] = {"c2"};
    struct pin_recordset_value values[] = {
        {"192.0.2.2", c2, 1}, {"192.0.2.1", c1, 1}, {"192.0.2.2", c1, 1}};
    struct pin_recordset_property properties[] = {{"b", "1"}, {"a", "2"}, {"b", "3"}};
    struct pin_recordset set = {
        "a.example", "A", "", 0, values, 3, properties, 3, NULL, 0, NULL, 0};
    struct pin_recordset copy;
    struct pin_arena *arena = pin_arena_new("test", 1 << 20);
    (void)state;
    assert_true(pin_recordset_tidy(&set, arena));
    assert_int_equal(set.n_values, 2);
    assert_int_equal(set.values[0].n_clusters, 1);
    assert_string_equal(set.values[1].text, "192.0.2.2");
    assert_int_equal(set.values[1].n_clusters, 2);
    assert_string_equal(set.values[1].clusters[0], "c1");
    assert_int_equal(set.n_properties, 2);
    assert_string_equal(pin_recordset_property(&set, "b"), "1");
    assert_null(pin_recordset_property(&set, "c"));
    assert_true(pin_recordset_copy(arena, &set, &copy));
    assert_true(pin_recordset_same_values(&set, &copy));
    assert_int_equal(pin_recordset_properties_cmp(&set, &copy), 0);
    copy.n_values = 1;
    assert_false(pin_recordset_same_values(&set, &copy));
    pin_arena_free(arena);
}

static void test_order(void **state)
{
    struct pin_recordset_source old = {"c2", "service", "b", "b", 100, NULL};
    struct pin_recordset_source young = {"c1", "service", "a", "a", 200, NULL};
    struct pin_recordset_source unknown = {"c1", "service", "a", "a", 0, NULL};
    struct pin_recordset_source other = {"c1", "ingress", "a", "a", 200, NULL};
    (void)state;
    assert_true(pin_recordset_source_cmp(&old, &young) < 0);
    assert_true(pin_recordset_source_cmp(&unknown, &young) > 0);
    assert_true(pin_recordset_source_cmp(&other, &young) < 0);
    assert_int_equal(pin_recordset_source_cmp(&young, &young), 0);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 4] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_value, .initial_state = &cases[i]};
    }
    struct CMUnitTest others[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_long_text),
        cmocka_unit_test(test_tidy),
        cmocka_unit_test(test_order),
    };
    memcpy(&tests[N_ELEMS(cases)], others, sizeof(others));
    return cmocka_run_group_tests_name("recordset", tests, NULL, NULL);
}
