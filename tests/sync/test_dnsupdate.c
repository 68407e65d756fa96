/* SPDX-License-Identifier: Apache-2.0 */

/* A change says what must be there, then what goes, then what comes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/zones/rdata.h"
#include "pintle/zones/table.h"

#include "sync/dnsmsg.h"
#include "sync/dnsupdate.h"
#include "sync/sets.h"

#define EDITS_MAX 4u
#define TEXT_MAX  1024u
#define ID        0x4242u

/* Sets as sync/sets.h has them. */
static struct change_case {
    const char *name; /* reads as a sentence in the test report */
    struct {
        const char *was;
        const char *will;
    } edits[EDITS_MAX];
    const char
        *want; /* "if ..." prerequisites, "-" what goes, "+" what comes; or why it cannot be */
} cases[] = {
    {"a set is made where there is none", {{"", "a.x A 192.0.2.1,192.0.2.2"}},
        "if no a.x A;if no a.x CNAME;+a.x 60 A 192.0.2.1;+a.x 60 A 192.0.2.2;"},
    {"a set goes if it is the one we know", {{"a.x A 192.0.2.1,192.0.2.2", ""}},
        "if a.x A 192.0.2.1;if a.x A 192.0.2.2;-a.x A;"},
    {"a set is replaced if it is the one we know", {{"a.x A 192.0.2.1", "a.x A 192.0.2.9"}},
        "if a.x A 192.0.2.1;-a.x A;+a.x 60 A 192.0.2.9;"},
    {"a CNAME wants its name free", {{"", "a.x CNAME lb.y"}}, "if none a.x;+a.x 60 CNAME lb.y;"},
    {"a CNAME makes room for addresses", {{"a.x CNAME lb.y", ""}, {"", "a.x A 192.0.2.1"}},
        "if a.x CNAME lb.y;if no a.x A;-a.x CNAME;+a.x 60 A 192.0.2.1;"},
    {"addresses make room for a CNAME", {{"a.x A 192.0.2.1", ""}, {"", "a.x CNAME lb.y"}},
        "if a.x A 192.0.2.1;if no a.x CNAME;-a.x A;+a.x 60 CNAME lb.y;"},
    {"what goes goes first", {{"", "b.x A 192.0.2.1"}, {"c.x A 192.0.2.3", ""}},
        "if no b.x A;if no b.x CNAME;if c.x A 192.0.2.3;-c.x A;+b.x 60 A 192.0.2.1;"},
    {"a set and its TXT go together", {{"", "a.x A 192.0.2.1"}, {"", "t.x TXT \"o=d\""}},
        "if no a.x A;if no a.x CNAME;if no t.x TXT;if no t.x CNAME;+a.x 60 A 192.0.2.1;"
        "+t.x 60 TXT \"o=d\";"},
    {"a set of another zone is refused", {{"", "a.y A 192.0.2.1"}}, "'a.y' is not in this zone"},
    {"a value that is none is refused", {{"", "a.x A 192.0.2"}}, "no data of type A"},
    {"two CNAMEs are refused", {{"", "a.x CNAME b.y,c.y"}}, "2 values of type CNAME"},
    {"no value is refused", {{"", "a.x A "}}, "0 values of type A"},
    {"the zone's own NS are refused", {{"", "x NS ns.y"}}, "own NS records"},
    {"a delegation is fine", {{"", "d.x NS ns.y"}},
        "if no d.x NS;if no d.x CNAME;+d.x 60 NS ns.y;"},
    {"a SOA is refused", {{"", "x SOA a.x b.x 1 2 3 4 5"}}, "SOA are not written"},
    {"a type without a form is refused", {{"", "a.x HTTPS 1 ."}}, "HTTPS are not written"},
    {"an unknown type is refused", {{"", "a.x NONE 1"}}, "NONE are not written"},
    {"an edit of nothing is refused", {{"", ""}}, "nothing"},
    {"two sets in one edit are refused", {{"a.x A 192.0.2.1", "b.x A 192.0.2.1"}},
        "two different sets"},
};

/* One record of a section. */
static void put_record(struct pin_reader *reader, bool is_prerequisite, struct pin_text *text)
{
    struct pin_dnsmsg_rr rr;
    char name[PIN_NAME_TEXT_MAX];
    char type[PIN_RDATA_TYPE_MAX];
    assert_true(pin_dnsmsg_rr(reader, &rr));
    pin_name_format(rr.name.wire, name);
    name[strlen(name) - 1] = '\0';
    (void)pin_rdata_type_text(rr.type, type);
    bool is_bare = rr.class != PIN_CLASS_IN;
    assert_true(!is_bare || (rr.rdata_bytes == 0 && rr.ttl_s == 0));
    if (is_bare) {
        assert_int_equal(rr.class, is_prerequisite ? PIN_DNSMSG_NONE : PIN_CLASS_ANY);
        bool is_any = rr.type == PIN_TYPE_ANY;
        pin_text_putf(text, "%s%s%s%s;",
            !is_prerequisite ? "-"
            : is_any         ? "if none "
                             : "if no ",
            name, is_any ? "" : " ", is_any ? "" : type);
        return;
    }
    if (is_prerequisite) {
        assert_int_equal(rr.ttl_s, 0);
        pin_text_putf(text, "if %s %s ", name, type);
    } else {
        pin_text_putf(text, "+%s %u %s ", name, rr.ttl_s, type);
    }
    assert_true(pin_rdata_format(reader, rr.rdata_bytes, rr.type, text));
    pin_text_putc(text, ';');
}

static void check_message(
    const struct pin_name *zone, const struct pin_dnsupdate *update, const char *want)
{
    uint8_t wire[TEXT_MAX];
    struct pin_dnsmsg message;
    struct pin_text text = {0};
    size_t bytes = pin_dnsupdate_message(zone, ID, update, 1, wire, sizeof(wire));
    assert_true(pin_dnsmsg_read(wire, bytes, &message));
    assert_true(message.id == ID && message.opcode == PIN_DNSMSG_UPDATE && !message.is_answer);
    assert_true(message.type == PIN_TYPE_SOA && message.class == PIN_CLASS_IN);
    struct pin_reader reader = pin_reader_init(wire, bytes);
    reader.pos += message.records_at;
    for (unsigned i = 0; i < (unsigned)message.counts[1] + message.counts[2]; i++) {
        put_record(&reader, i < message.counts[1], &text);
    }
    assert_int_equal(pin_reader_left(&reader), 0);
    assert_string_equal(pin_text_get(&text), want);
    pin_text_done(&text);
    assert_int_equal(pin_dnsupdate_message(zone, ID, update, 1, wire, bytes - 1), 0);
}

static void test_change(void **state)
{
    const struct change_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", 1u << 20);
    struct pin_provider_edit edits[EDITS_MAX];
    struct pin_recordset sets[2 * EDITS_MAX];
    struct pin_provider_change change = {.edits = edits};
    struct pin_dnsupdate update;
    struct pin_why why = {0};
    struct pin_name zone;
    assert_non_null(arena);
    assert_int_equal(pin_name_parse("x", &zone), PIN_OK);
    for (size_t i = 0; i < EDITS_MAX && c->edits[i].was != NULL; i++) {
        edits[change.n_edits++] =
            (struct pin_provider_edit){.was = read_set(arena, c->edits[i].was, &sets[2 * i]),
                .will = read_set(arena, c->edits[i].will, &sets[2 * i + 1])};
    }
    enum pin_err err = pin_dnsupdate_encode(arena, &zone, &change, 300, &update, &why);
    if (err == PIN_OK) {
        check_message(&zone, &update, c->want);
    } else {
        assert_non_null(strstr(why.text, c->want));
    }
    pin_arena_free(arena);
}

/* external-dns leaves TTLs of 0 behind, which nobody asked us to change. */
static void test_ttl(void **state)
{
    static const struct {
        uint32_t was_s; /* UINT32_MAX: there is none */
        uint32_t will_s;
        const char *want;
    } rows[] = {
        {UINT32_MAX, 0, "if no a.x A;if no a.x CNAME;+a.x 300 A 192.0.2.9;"},
        {UINT32_MAX, 5, "if no a.x A;if no a.x CNAME;+a.x 5 A 192.0.2.9;"},
        {0, 0, "if a.x A 192.0.2.1;-a.x A;+a.x 0 A 192.0.2.9;"},
        {7, 0, "if a.x A 192.0.2.1;-a.x A;+a.x 7 A 192.0.2.9;"},
        {0, 5, "if a.x A 192.0.2.1;-a.x A;+a.x 5 A 192.0.2.9;"},
    };
    struct pin_arena *arena = pin_arena_new("test", 1u << 20);
    struct pin_name zone;
    (void)state;
    assert_int_equal(pin_name_parse("x", &zone), PIN_OK);
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        struct pin_recordset was;
        struct pin_recordset will;
        struct pin_dnsupdate update;
        (void)read_set(arena, "a.x A 192.0.2.1", &was);
        (void)read_set(arena, "a.x A 192.0.2.9", &will);
        was.ttl_s = rows[i].was_s;
        will.ttl_s = rows[i].will_s;
        const struct pin_provider_edit edit = {
            .was = rows[i].was_s == UINT32_MAX ? NULL : &was, .will = &will};
        const struct pin_provider_change change = {.edits = &edit, .n_edits = 1};
        assert_int_equal(pin_dnsupdate_encode(arena, &zone, &change, 300, &update, NULL), PIN_OK);
        check_message(&zone, &update, rows[i].want);
    }
    pin_arena_free(arena);
}

static void test_what_is_too_long_is_refused(void **state)
{
    static struct pin_recordset_value values[6000];
    static char texts[6000][16];
    struct pin_arena *arena = pin_arena_new("test", 1u << 20);
    const struct pin_recordset set = {
        .name = "a.x", .type = "A", .set_id = "", .values = values, .n_values = N_ELEMS(values)};
    const struct pin_provider_edit edit = {.will = &set};
    const struct pin_provider_change change = {.edits = &edit, .n_edits = 1};
    struct pin_dnsupdate update;
    struct pin_why why = {0};
    struct pin_name zone;
    (void)state;
    for (size_t i = 0; i < N_ELEMS(values); i++) {
        (void)snprintf(texts[i], sizeof(texts[i]), "10.0.%zu.%zu", i / 256, i % 256);
        values[i].text = texts[i];
    }
    assert_int_equal(pin_name_parse("x", &zone), PIN_OK);
    assert_int_equal(pin_dnsupdate_encode(arena, &zone, &change, 300, &update, &why), PIN_ELIMIT);
    pin_arena_free(arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        cmocka_unit_test(test_what_is_too_long_is_refused), cmocka_unit_test(test_ttl)};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[2 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_change, .initial_state = &cases[i]};
    }
    return cmocka_run_group_tests_name("dnsupdate", tests, NULL, NULL);
}
