/* SPDX-License-Identifier: Apache-2.0 */

/* Endpoints, filters and changes of external-dns's webhook protocol. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/webhook_text.h"

static struct endpoint_case {
    const char *name;
    const char *text;
    enum pin_err err;
    const char *want; /* as it would be said again; "[]": nothing */
} endpoints[] = {
    {"an endpoint",
        "{\"dnsName\":\"App.example.com\",\"targets\":[\"192.0.2.2\",\"192.0.2.1\"],"
        "\"recordType\":\"A\",\"recordTTL\":60,\"labels\":{\"owner\":\"x\"}}",
        PIN_OK,
        "[{\"dnsName\":\"app.example.com\",\"targets\":[\"192.0.2.1\",\"192.0.2.2\"],"
        "\"recordType\":\"A\",\"recordTTL\":60}]"},
    {"without a TTL",
        "{\"dnsName\":\"a.example.com\",\"targets\":[\"b.example.net.\"],\"recordType\":"
        "\"CNAME\"}",
        PIN_OK,
        "[{\"dnsName\":\"a.example.com\",\"targets\":[\"b.example.net\"],\"recordType\":\"CNAME\","
        "\"recordTTL\":300}]"},
    {"of a set, with properties",
        "{\"dnsName\":\"a.example.com\",\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\","
        "\"recordTTL\":1,"
        "\"setIdentifier\":\"v1\",\"providerSpecific\":[{\"name\":\"b\",\"value\":\"2\"},{\"name\":"
        "\"a\"}]}",
        PIN_OK,
        "[{\"dnsName\":\"a.example.com\",\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\","
        "\"setIdentifier\":\"v1\",\"recordTTL\":1,\"providerSpecific\":[{\"name\":\"a\",\"value\":"
        "\"\"},"
        "{\"name\":\"b\",\"value\":\"2\"}]}]"},
    {"a text, with quotes or without",
        "{\"dnsName\":\"t.example.com\",\"targets\":[\"a b\",\"\\\"a b\\\"\"],"
        "\"recordType\":\"TXT\",\"recordTTL\":5}",
        PIN_OK,
        "[{\"dnsName\":\"t.example.com\",\"targets\":[\"\\\"a "
        "b\\\"\"],\"recordType\":\"TXT\",\"recordTTL\":5}]"},
    {"of another zone",
        "{\"dnsName\":\"a.example.net\",\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\"}", PIN_OK,
        "[]"},
    {"of a label that ends in a backslash",
        "{\"dnsName\":\"a\\\\\\\\.example.com\",\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\"}",
        PIN_OK,
        "[{\"dnsName\":\"a\\\\\\\\.example.com\",\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\","
        "\"recordTTL\":300}]"},
    {"of a label that has the dot in front of the zone's name",
        "{\"dnsName\":\"a\\\\.example.com\",\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\"}",
        PIN_OK, "[]"},
    {"without a target", "{\"dnsName\":\"a.example.com\",\"targets\":null,\"recordType\":\"A\"}",
        PIN_OK, "[]"},
    {"without a name", "{\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\"}", PIN_EPARSE, NULL},
    {"without a type", "{\"dnsName\":\"a.example.com\",\"targets\":[\"192.0.2.1\"]}", PIN_EPARSE,
        NULL},
    {"a number", "5", PIN_EPARSE, NULL},
    {"no JSON", "{\"dnsName\"", PIN_EPARSE, NULL},
};

static void test_endpoint(void **state)
{
    const struct endpoint_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    struct pin_arena *scratch = pin_arena_new("test", (size_t)1 << 20);
    struct pin_provider_sets sets = {.arena = arena, .zone = "example.com"};
    struct pin_text out = {0};
    size_t n = 0;
    assert_int_equal(
        pin_webhook_read_endpoint(c->text, strlen(c->text), scratch, &sets, NULL), c->err);
    if (c->err == PIN_OK) {
        const struct pin_recordset *taken = pin_provider_sets_take(&sets, &n);
        pin_webhook_put_endpoints(&out, taken, n);
        assert_string_equal(pin_text_get(&out), c->want);
    }
    pin_provider_sets_done(&sets);
    pin_text_done(&out);
    pin_arena_free(scratch);
    pin_arena_free(arena);
}

static struct filter_case {
    const char *name;
    const char *text;
    enum pin_err want;
} filters[] = {
    {"no filter is for every zone", "{}", PIN_OK},
    {"nor is null", "null", PIN_OK},
    {"the zone itself", "{\"include\":[\"example.net\",\"EXAMPLE.com.\"]}", PIN_OK},
    {"a zone above it", "{\"include\":[\"com\"]}", PIN_OK},
    {"what is below a zone above it", "{\"include\":[\".com\"]}", PIN_OK},
    {"a part of it", "{\"include\":[\"a.b.example.com\"]}", PIN_OK},
    {"what is below it", "{\"include\":[\".example.com\"]}", PIN_OK},
    {"another zone", "{\"include\":[\"example.net\"]}", PIN_ENOTFOUND},
    {"one that only ends alike", "{\"include\":[\"notexample.com\"]}", PIN_ENOTFOUND},
    {"the zone excluded", "{\"exclude\":[\"example.com\"]}", PIN_ENOTFOUND},
    {"a zone above it excluded", "{\"include\":[\"example.com\"],\"exclude\":[\"com\"]}",
        PIN_ENOTFOUND},
    {"a part of it excluded", "{\"exclude\":[\"a.example.com\"]}", PIN_OK},
    {"what is below it excluded", "{\"exclude\":[\".example.com\"]}", PIN_OK},
    {"an expression of Go's", "{\"regexInclude\":\"^x$\"}", PIN_OK},
    {"no object", "[]", PIN_EPARSE},
    {"no JSON", "<html>", PIN_EPARSE},
};

static void test_filter(void **state)
{
    const struct filter_case *c = *state;
    assert_int_equal(
        pin_webhook_read_filter(c->text, strlen(c->text), "example.com", NULL), c->want);
}

static void test_changes(void **state)
{
    struct pin_recordset_value values[] = {{.text = "192.0.2.1"}};
    struct pin_recordset a = {
        .name = "a.example.com", .type = "A", .set_id = "", .values = values, .n_values = 1};
    struct pin_recordset b = a;
    struct pin_text out = {0};
    (void)state;
    b.ttl_s = 7;
    struct pin_provider_edit edits[] = {{.was = &a, .will = &b}, {.was = &a}, {.will = &b}};
    struct pin_provider_change changes[] = {{edits, 2}, {edits + 2, 1}};
    pin_webhook_put_changes(&out, changes, 2);
#define END "\"targets\":[\"192.0.2.1\"],\"recordType\":\"A\",\"recordTTL\":"
    assert_string_equal(out.ptr, "{\"create\":[{\"dnsName\":\"a.example.com\"," END "7}],"
                                 "\"updateOld\":[{\"dnsName\":\"a.example.com\"," END "300}],"
                                 "\"updateNew\":[{\"dnsName\":\"a.example.com\"," END "7}],"
                                 "\"delete\":[{\"dnsName\":\"a.example.com\"," END "300}]}");
    pin_text_done(&out);
}

static void test_type(void **state)
{
    (void)state;
    assert_true(pin_webhook_is_type(PIN_WEBHOOK_TYPE));
    assert_true(pin_webhook_is_type("Application/External.DNS.Webhook+JSON; version=1"));
    assert_false(pin_webhook_is_type("application/external.dns.webhook+json;version=10"));
    assert_false(pin_webhook_is_type("application/external.dns.webhook+json;version="));
    assert_false(pin_webhook_is_type("application/json"));
    assert_false(pin_webhook_is_type(""));
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(endpoints) + N_ELEMS(filters) + 2] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(endpoints); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = endpoints[i].name, .test_func = test_endpoint, .initial_state = &endpoints[i]};
    }
    for (size_t i = 0; i < N_ELEMS(filters); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = filters[i].name, .test_func = test_filter, .initial_state = &filters[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_changes);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_type);
    return cmocka_run_group_tests_name("webhook_text", tests, NULL, NULL);
}
