/* SPDX-License-Identifier: Apache-2.0 */

/* Zones as PowerDNS tells them, changes as it takes them, and listings as all providers give them.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/powerdns_text.h"

/* One text per listing: "name type ttl value|value; ..." */
static void put_sets(struct pin_text *out, const struct pin_recordset *sets, size_t n_sets)
{
    for (size_t i = 0; i < n_sets; i++) {
        pin_text_putf(
            out, "%s%s %s %u", i == 0 ? "" : "; ", sets[i].name, sets[i].type, sets[i].ttl_s);
        for (size_t k = 0; k < sets[i].n_values; k++) {
            pin_text_putf(out, "%c%s", k == 0 ? ' ' : '|', sets[i].values[k].text);
        }
    }
}

static struct read_case {
    const char *name;
    const char *texts[3];
    enum pin_err err;
    const char *want;
} reads[] = {
    {.name = "a set is made canonical",
        .texts = {"{\"name\":\"APP.Example.com.\",\"type\":\"A\",\"ttl\":60,\"records\":["
                  "{\"content\":\"192.0.2.2\"},{\"content\":\"192.0.2.1\"}]}"},
        .want = "app.example.com A 60 192.0.2.1|192.0.2.2"},
    {.name = "names lose their dot, also in values",
        .texts = {"{\"name\":\"m.example.com.\",\"type\":\"MX\",\"ttl\":1,\"records\":["
                  "{\"content\":\"10 MX.example.net.\"}]}"},
        .want = "m.example.com MX 1 10 mx.example.net"},
    {.name = "sets come in order",
        .texts = {"{\"name\":\"b.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1.1."
                  "1\"}]}",
            "{\"name\":\"a.example.com.\",\"type\":\"TXT\",\"records\":[{\"content\":\"\\\"x\\\"\"}"
            "]}",
            "{\"name\":\"a.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1.1.1\"}]}"},
        .want = "a.example.com A 0 1.1.1.1; a.example.com TXT 0 \"x\"; b.example.com A 0 1.1.1.1"},
    {.name = "what is said in two parts is one set",
        .texts = {"{\"name\":\"a.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"2.2.2."
                  "2\"}]}",
            "{\"name\":\"A.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1.1.1\"},"
            "{\"content\":\"2.2.2.2\"}]}"},
        .want = "a.example.com A 0 1.1.1.1|2.2.2.2"},
    {.name = "a record that is disabled is there all the same",
        .texts =
            {"{\"name\":\"a.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"2.2.2.2\","
             "\"disabled\":true}]}"},
        .want = "a.example.com A 0 2.2.2.2"},
    {.name = "SOA, signatures, other zones and comments alone are passed over",
        .texts = {"{\"name\":\"example.com.\",\"type\":\"SOA\",\"records\":[{\"content\":\"x\"}]}",
            "{\"name\":\"notexample.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1.1.1\"}]}",
            "{\"name\":\"a.example.com.\",\"type\":\"A\",\"records\":[],\"comments\":[{}]}"},
        .want = ""},
    {.name = "the zone's own name is in it",
        .texts =
            {"{\"name\":\"example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1.1.1\"}]}"},
        .want = "example.com A 0 1.1.1.1"},
    {.name = "a dot that is escaped ends no label",
        .texts = {"{\"name\":\"a\\\\.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1."
                  "1.1\"}]}"},
        .want = ""},
    {.name = "a value that makes no sense stays as it is",
        .texts =
            {"{\"name\":\"a.example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"what?\"}]}"},
        .want = "a.example.com A 0 what?"},
    {.name = "a name that is none spoils it all",
        .texts = {"{\"name\":\"a..example.com.\",\"type\":\"A\",\"records\":[{\"content\":\"1.1.1."
                  "1\"}]}"},
        .err = PIN_EPARSE},
    {.name = "so does a set without a type",
        .texts = {"{\"name\":\"a.example.com.\"}"},
        .err = PIN_EPARSE},
    {.name = "and what is no JSON", .texts = {"{\"name\":"}, .err = PIN_EPARSE},
    {.name = "a TTL below zero is none, one too large the largest",
        .texts = {"{\"name\":\"a.example.com.\",\"type\":\"A\",\"ttl\":-5,\"records\":[{"
                  "\"content\":\"1.1.1.1\"}]}",
            "{\"name\":\"b.example.com.\",\"type\":\"A\",\"ttl\":99999999999,\"records\":"
            "[{\"content\":\"1.1.1.1\"}]}"},
        .want = "a.example.com A 0 1.1.1.1; b.example.com A 2147483647 1.1.1.1"},
};

static void test_read(void **state)
{
    const struct read_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    struct pin_arena *scratch = pin_arena_new("test", (size_t)1 << 20);
    struct pin_provider_sets sets = {.arena = arena, .zone = "example.com"};
    struct pin_text out = {0};
    enum pin_err err = PIN_OK;
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(c->texts) && c->texts[i] != NULL && err == PIN_OK; i++) {
        err = pin_powerdns_read_set(c->texts[i], strlen(c->texts[i]), scratch, &sets, NULL);
    }
    assert_int_equal(err, c->err);
    const struct pin_recordset *taken = pin_provider_sets_take(&sets, &n);
    assert_non_null(taken);
    put_sets(&out, taken, n);
    assert_string_equal(pin_text_get(&out), c->err == PIN_OK ? c->want : "");
    pin_provider_sets_done(&sets);
    pin_text_done(&out);
    pin_arena_free(scratch);
    pin_arena_free(arena);
}

static void test_put_changes(void **state)
{
    struct pin_recordset_value one[] = {{.text = "192.0.2.1"}};
    struct pin_recordset_value two[] = {{.text = "lb.example.net"}};
    struct pin_recordset_value three[] = {{.text = "\"a \\\"b\\\"\""}};
    struct pin_recordset a = {.name = "*.example.com", .type = "A", .values = one, .n_values = 1};
    struct pin_recordset c = {
        .name = "c.example.com", .type = "CNAME", .ttl_s = 30, .values = two, .n_values = 1};
    struct pin_recordset t = {
        .name = "t.example.com", .type = "TXT", .ttl_s = 9, .values = three, .n_values = 1};
    struct pin_provider_edit first[] = {{.was = &c}, {.will = &a}};
    struct pin_provider_edit second[] = {{.was = &t, .will = &t}, {.was = &a, .will = &c}};
    struct pin_provider_change changes[] = {{first, 2}, {second, 2}};
    struct pin_text out = {0};
    (void)state;
    pin_powerdns_put_changes(&out, changes, 2);
    assert_false(out.failed);
    assert_string_equal(out.ptr,
        "{\"rrsets\":["
        "{\"name\":\"c.example.com.\",\"type\":\"CNAME\",\"changetype\":\"DELETE\"},"
        "{\"name\":\"*.example.com.\",\"type\":\"A\",\"changetype\":\"REPLACE\",\"ttl\":300,"
        "\"records\":[{\"content\":\"192.0.2.1\",\"disabled\":false}]},"
        "{\"name\":\"t.example.com.\",\"type\":\"TXT\",\"changetype\":\"REPLACE\",\"ttl\":9,"
        "\"records\":[{\"content\":\"\\\"a \\\\\\\"b\\\\\\\"\\\"\",\"disabled\":false}]},"
        "{\"name\":\"c.example.com.\",\"type\":\"CNAME\",\"changetype\":\"REPLACE\",\"ttl\":30,"
        "\"records\":[{\"content\":\"lb.example.net.\",\"disabled\":false}]}]}");
    assert_in_range(
        pin_powerdns_weight(&changes[0]) + pin_powerdns_weight(&changes[1]), out.len, 2 * out.len);
    pin_text_done(&out);
}

static void test_paths_cannot_be_led_astray(void **state)
{
    struct pin_text out = {0};
    (void)state;
    pin_powerdns_put_path(&out, "local/host", "0/25.2.0.192.in-addr.arpa");
    assert_string_equal(out.ptr, "/api/v1/servers/local=2Fhost/zones/0=2F25.2.0.192.in-addr.arpa.");
    pin_text_cut(&out, 0);
    pin_powerdns_put_path(&out, "localhost", "a?b\r\n#\\046");
    assert_string_equal(out.ptr, "/api/v1/servers/localhost/zones/a=3Fb=0D=0A=23=5C046.");
    pin_text_done(&out);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(reads) + 2] = {{0}};
    for (size_t i = 0; i < N_ELEMS(reads); i++) {
        tests[i] = (struct CMUnitTest){
            .name = reads[i].name, .test_func = test_read, .initial_state = &reads[i]};
    }
    tests[N_ELEMS(reads)] = (struct CMUnitTest)cmocka_unit_test(test_put_changes);
    tests[N_ELEMS(reads) + 1] =
        (struct CMUnitTest)cmocka_unit_test(test_paths_cannot_be_led_astray);
    return cmocka_run_group_tests_name("powerdns_text", tests, NULL, NULL);
}
