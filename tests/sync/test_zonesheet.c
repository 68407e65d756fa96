/* SPDX-License-Identifier: Apache-2.0 */

/* Changes of a zone in a file: done when the zone is as they expect, all of one or nothing. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#include "sync/sets.h"
#include "sync/zonesheet.h"

#define EDITS_MAX 3u
#define HEADER                                                                                     \
    "; pintle records v1 x\n"                                                                      \
    "; Written whole by Pintle: what is changed here by hand is lost.\n"                           \
    "$ORIGIN .\n"
#define SOA_AND_NS                                                                                 \
    "x 300 IN SOA ns.x hostmaster.x 7 3600 600 1209600 60\n"                                       \
    "x 300 IN NS ns.x\n"
#define BODY                                                                                       \
    "a.x 60 IN A 192.0.2.1\n"                                                                      \
    "a.x 60 IN A 192.0.2.2\n"                                                                      \
    "c.x 60 IN CNAME lb.y\n"
#define WHOLE HEADER SOA_AND_NS BODY

static const char *const server = "ns.x";
static const struct pin_zonesheet_frame frame = {.zone = "x",
    .servers = &server,
    .n_servers = 1,
    .hostmaster = "hostmaster.x",
    .default_ttl_s = 300};

/* Sets as sync/sets.h has them. */
static struct change_case {
    const char *name; /* reads as a sentence in the test report */
    struct {
        const char *was;
        const char *will;
    } edits[EDITS_MAX];
    enum pin_provider_verdict verdict;
    const char *body; /* NULL: as it was */
} cases[] = {
    {"a set is made", {{"", "b.x TXT \"t\""}}, PIN_PROVIDER_APPLIED,
        "a.x 60 IN A 192.0.2.1\na.x 60 IN A 192.0.2.2\nb.x 60 IN TXT \"t\"\nc.x 60 IN CNAME "
        "lb.y\n"},
    {"a set goes", {{"a.x A 192.0.2.1,192.0.2.2", ""}}, PIN_PROVIDER_APPLIED,
        "c.x 60 IN CNAME lb.y\n"},
    {"a set is replaced", {{"c.x CNAME lb.y", "c.x CNAME z.y"}}, PIN_PROVIDER_APPLIED,
        "a.x 60 IN A 192.0.2.1\na.x 60 IN A 192.0.2.2\nc.x 60 IN CNAME z.y\n"},
    {"a CNAME makes room", {{"c.x CNAME lb.y", ""}, {"", "c.x A 192.0.2.3"}}, PIN_PROVIDER_APPLIED,
        "a.x 60 IN A 192.0.2.1\na.x 60 IN A 192.0.2.2\nc.x 60 IN A 192.0.2.3\n"},
    {"a set that is there is not made", {{"", "a.x A 192.0.2.9"}}, PIN_PROVIDER_CONFLICT, NULL},
    {"a set that is another does not go", {{"a.x A 192.0.2.1", ""}}, PIN_PROVIDER_CONFLICT, NULL},
    {"a set that is not there does not go", {{"z.x A 192.0.2.1", ""}}, PIN_PROVIDER_CONFLICT, NULL},
    {"an address does not come beside a CNAME", {{"", "c.x A 192.0.2.3"}}, PIN_PROVIDER_CONFLICT,
        NULL},
    {"a CNAME does not come beside an address", {{"", "a.x CNAME lb.y"}}, PIN_PROVIDER_CONFLICT,
        NULL},
    {"one edit that fails keeps the other back", {{"", "b.x A 192.0.2.3"}, {"", "a.x A 192.0.2.9"}},
        PIN_PROVIDER_CONFLICT, NULL},
    {"one that makes no sense as well", {{"", "b.x A 192.0.2.3"}, {"", "d.x A 1"}},
        PIN_PROVIDER_REFUSED, NULL},
    {"another zone's set is refused", {{"", "b.y A 192.0.2.3"}}, PIN_PROVIDER_REFUSED, NULL},
    {"the zone's own NS are refused", {{"", "x NS ns.y"}}, PIN_PROVIDER_REFUSED, NULL},
    {"an edit of nothing is refused", {{"", ""}}, PIN_PROVIDER_REFUSED, NULL},
    {"two CNAMEs are refused", {{"", "b.x CNAME a.y,b.y"}}, PIN_PROVIDER_REFUSED, NULL},
    {"a value in another form is refused", {{"", "b.x AAAA 2001:DB8::1"}}, PIN_PROVIDER_REFUSED,
        NULL},
};

static void test_change(void **state)
{
    const struct change_case *c = *state;
    struct pin_zonesheet sheet = {.arena = pin_arena_new("test", (size_t)1 << 20)};
    struct pin_provider_edit edits[EDITS_MAX];
    struct pin_recordset sets[2 * EDITS_MAX];
    struct pin_provider_change change = {.edits = edits};
    enum pin_provider_verdict verdict = PIN_PROVIDER_RETRY;
    struct pin_why why = {0};
    struct pin_text text = {0};
    assert_non_null(sheet.arena);
    assert_int_equal(pin_zonesheet_read("x", WHOLE, sizeof(WHOLE) - 1, &sheet, &why), PIN_OK);
    for (size_t i = 0; i < EDITS_MAX && c->edits[i].was != NULL; i++) {
        edits[change.n_edits++] =
            (struct pin_provider_edit){.was = read_set(sheet.arena, c->edits[i].was, &sets[2 * i]),
                .will = read_set(sheet.arena, c->edits[i].will, &sets[2 * i + 1])};
    }
    assert_true(pin_zonesheet_apply(&sheet, &frame, &change, &verdict, &why));
    assert_int_equal(verdict, c->verdict);
    assert_int_equal(why.text[0] == '\0', verdict == PIN_PROVIDER_APPLIED);
    assert_true(pin_zonesheet_write(&sheet, &frame, &text));
    const char *body = strstr(pin_text_get(&text), "IN NS ns.x\n");
    assert_non_null(body);
    assert_string_equal(strchr(body, '\n') + 1, c->body == NULL ? BODY : c->body);
    pin_text_done(&text);
    pin_arena_free(sheet.arena);
}

static struct file_case {
    const char *name; /* reads as a sentence in the test report */
    const char *text;
    enum pin_err want;
    const char *why;
} files[] = {
    {"a file of ours", WHOLE, PIN_OK, ""},
    {"a file without records", HEADER SOA_AND_NS, PIN_OK, ""},
    {"a remark inside a set",
        HEADER SOA_AND_NS "a.x 60 IN A 192.0.2.1\n; mine\n"
                          "a.x 60 IN A 192.0.2.2\na.x 60 IN A 192.0.2.3\na.x 60 IN A "
                          "192.0.2.4\nb.x 60 IN A 192.0.2.5\n",
        PIN_OK, ""},
    {"a file without a header", SOA_AND_NS BODY, PIN_EDENIED, "move it away"},
    {"another zone's file", "; pintle records v1 y\n" SOA_AND_NS, PIN_EDENIED, "records v1 x"},
    {"a file without a SOA", HEADER BODY, PIN_EPARSE, "no SOA"},
    {"a line that is cut", WHOLE "d.x 60 IN A 192.0.2.1", PIN_EPARSE, "line 9: its end"},
    {"a line without a class", WHOLE "d.x 60 A 192.0.2.1\n", PIN_EPARSE, "line 9: it is no record"},
    {"a line out of order", WHOLE "b.x 60 IN A 192.0.2.1\n", PIN_EPARSE,
        "line 9: it is not in order"},
    {"a line twice", WHOLE "c.x 60 IN CNAME lb.y\n", PIN_EPARSE, "not in order"},
    {"two TTLs in a set", HEADER SOA_AND_NS "a.x 60 IN A 192.0.2.1\na.x 61 IN A 192.0.2.2\n",
        PIN_EPARSE, "not in order"},
    {"a TTL that is none", WHOLE "d.x 4294967295 IN A 192.0.2.1\n", PIN_EPARSE, "no record"},
    {"capitals", WHOLE "D.x 60 IN A 192.0.2.1\n", PIN_EPARSE, "no record"},
    {"an address in another form", WHOLE "d.x 60 IN AAAA 2001:DB8::1\n", PIN_EPARSE, "no record"},
};

static void test_file(void **state)
{
    const struct file_case *c = *state;
    struct pin_zonesheet sheet = {.arena = pin_arena_new("test", (size_t)1 << 20)};
    struct pin_why why = {0};
    assert_non_null(sheet.arena);
    assert_int_equal(pin_zonesheet_read("x", c->text, strlen(c->text), &sheet, &why), c->want);
    assert_non_null(strstr(why.text, c->why));
    pin_arena_free(sheet.arena);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(files)] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_change, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(files); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = files[i].name, .test_func = test_file, .initial_state = &files[i]};
    }
    return cmocka_run_group_tests_name("zonesheet", tests, NULL, NULL);
}
