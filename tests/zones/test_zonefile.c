/* SPDX-License-Identifier: Apache-2.0 */

/* A zone file is read whole, or every fault in it is told with its line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/zones/zonefile.h"

#include "zones/zonefile.h"

#define HEAD "$TTL 60\n@ SOA ns1 h 7 1 2 3 4\n@ NS ns1\n"

static struct {
    const char *name; /* reads as a sentence in the test report */
    const char *text; /* behind HEAD, unless it begins with '!' */
    const char *owner;
    uint16_t type;
    const char *want; /* TTL and RDATA in hexadecimal; or the fault, with its line */
} cases[] = {
    {"a plain record", "www A 192.0.2.1\n", "www.z", 1, "60 c0000201"},
    {"the last line may lack its newline", "www A 192.0.2.1", "www.z", 1, "60 c0000201"},
    {"lines may end as in Windows", "www A 192.0.2.1\r\n", "www.z", 1, "60 c0000201"},
    {"owners are compared without case", "WwW A 192.0.2.1\n", "www.z", 1, "60 c0000201"},
    {"class and TTL come in either order", "a 5 IN A 192.0.2.1\n", "a.z", 1, "5 c0000201"},
    {"TTL behind the class", "a IN 1h A 192.0.2.1\n", "a.z", 1, "3600 c0000201"},
    {"units add up", "a 1d2h3m4s A 192.0.2.1\n", "a.z", 1, "93784 c0000201"},
    {"a blank begins a record of the same owner", "a A 192.0.2.1\n  TXT x\n", "a.z", 16, "60 0178"},
    {"a remark ends a line", "a TXT x ; y\n", "a.z", 16, "60 0178"},
    {"a quoted semicolon is none", "a TXT \"x;y\"\n", "a.z", 16, "60 03783b79"},
    {"an escaped quote is text", "a TXT \"x\\\"y\"\n", "a.z", 16, "60 03782279"},
    {"parentheses hold lines together", "a TXT ( x ; r )\n y )\n", "a.z", 16, "60 01780179"},
    {"escaped digits are a byte", "\\097 A 192.0.2.1\n", "a.z", 1, "60 c0000201"},
    {"an escaped dot is no separator", "a\\.b A 192.0.2.1\n", "a\\.b.z", 1, "60 c0000201"},
    {"@ is the origin, in data too", "a MX 10 @\n", "a.z", 15, "60 000a017a00"},
    {"$ORIGIN may be relative", "$ORIGIN b\na A 192.0.2.1\n", "a.b.z", 1, "60 c0000201"},
    {"$TTL counts from its line on", "$TTL 9\na A 192.0.2.1\n", "a.z", 1, "9 c0000201"},
    {"an unknown type by its bytes", "a TYPE65280 \\# 2 0a 0B\n", "a.z", 65280, "60 0a0b"},
    {"an unknown type without data", "a TYPE65280 \\# 0\n", "a.z", 65280, "60 "},
    {"a known type by its bytes", "a TYPE1 \\# 4 c0000201\n", "a.z", 1, "60 c0000201"},
    {"a service binding", "a HTTPS 1 . port=8443\n", "a.z", 65, "60 0001000003000220fb"},
    {"the same record twice is one", "a A 192.0.2.1\na A 192.0.2.1\n", "a.z", 1, "60 c0000201"},
    {"of several TTLs the shortest counts", "a A 192.0.2.1\na 5 A 192.0.2.1\n", "a.z", 1,
        "5 c0000201"},
    {"an owner that looks like a type", "TXT A 192.0.2.1\n", "txt.z", 1, "60 c0000201"},
    {"the last TTL said goes on without $TTL", "!@ 9 SOA a b 1 1 1 1 1\n@ NS a\nb A 192.0.2.1\n",
        "b.z", 1, "9 c0000201"},

    {"no TTL at all", "!@ SOA a b 1 1 1 1 1\n", NULL, 0, "f:1: no TTL"},
    {"no SOA", "!$TTL 1\n@ NS a\n", NULL, 0, "f: no SOA"},
    {"no NS", "!$TTL 1\n@ SOA a b 1 1 1 1 1\n", NULL, 0, "f: no name server"},
    {"an empty file", "!", NULL, 0, "f: no SOA"},
    {"two SOAs", "@ SOA x h 7 1 2 3 4\n", NULL, 0, "f:4: z.: a second SOA"},
    {"an SOA elsewhere", "a SOA x h 7 1 2 3 4\n", NULL, 0, "f:4: an SOA stands"},
    {"a name of another zone", "a.y. A 192.0.2.1\n", NULL, 0, "f:4: a.y. lies outside"},
    {"an alias beside data", "a A 192.0.2.1\na CNAME b\n", NULL, 0, "f:5: a.z. is a CNAME"},
    {"two aliases", "a CNAME b\na CNAME c\n", NULL, 0, "f:5: a.z.: a second CNAME"},
    {"another class", "a CH TXT x\n", NULL, 0, "f:4: class CH"},
    {"a bad address", "\n\na A 192.0.2\n", NULL, 0, "f:6: A: "},
    {"an address with something behind it", "a A 192.0.2.1 x\n", NULL, 0, "f:4: A: "},
    {"bytes that are no data of the type", "a A \\# 5 0102030405\n", NULL, 0, "f:4: these bytes"},
    {"a name by its bytes that has no end", "a NS \\# 2 0161\n", NULL, 0, "f:4: "},
    {"a name by its bytes with a pointer", "a NS \\# 2 c000\n", NULL, 0, "f:4: "},
    {"fewer bytes than said", "a TYPE65280 \\# 3 0a0b\n", NULL, 0, "f:4: behind \\# 3"},
    {"more bytes than said", "a TYPE65280 \\# 1 0a0b\n", NULL, 0, "f:4: behind \\# 1"},
    {"half a byte", "a TYPE65280 \\# 1 0\n", NULL, 0, "f:4: behind \\# 1"},
    {"a type that only questions have", "a ANY x\n", NULL, 0, "f:4: \"ANY\" is no record type"},
    {"an OPT", "a TYPE41 \\# 0\n", NULL, 0, "f:4: \"TYPE41\" is no record type"},
    {"a word that is no type", "a FOO x\n", NULL, 0, "f:4: \"FOO\" is no record type"},
    {"an owner alone", "a\n", NULL, 0, "f:4: no record type"},
    {"a long label",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa A 192.0.2.1\n", NULL,
        0, "f:4: \"aaa"},
    {"a quote that is not closed", "a TXT \"x\nb TXT y\n", NULL, 0, "f:4: a quote is not closed"},
    {"a parenthesis that is not closed", "a TXT ( x\n", NULL, 0, "f:4: a parenthesis"},
    {"a parenthesis that was not opened", "a TXT x )\n", NULL, 0, "f:4: a closing parenthesis"},
    {"the fault's line is the entry's first", "a A (\n\n x )\n", NULL, 0, "f:4: A: "},
    {"a directive nobody knows", "$FOO x\n", NULL, 0, "f:4: \"$FOO\" is no directive"},
    {"$GENERATE", "$GENERATE 1-2 a A 192.0.2.$\n", NULL, 0, "f:4: $GENERATE is not read"},
    {"a bad $TTL", "$TTL x\n", NULL, 0, "f:4: $TTL wants"},
    {"a TTL beyond 2^31 - 1 is no TTL", "a 2147483648 A 192.0.2.1\n", NULL, 0, "f:4: "},
    {"no file to include", "$INCLUDE nowhere\n", NULL, 0, "f:4: $INCLUDE: none of that name"},
    {"a fault in an included file", "$INCLUDE bad\n", NULL, 0, "bad:2: A: "},
    {"an endless inclusion", "$INCLUDE self\n", NULL, 0, "self:1: files include files"},
    {"an included file", "$INCLUDE good sub\nb A 192.0.2.1\n", "a.sub.z", 1, "60 c0000209"},
    {"the origin comes back behind it", "$INCLUDE good sub\nb A 192.0.2.1\n", "b.z", 1,
        "60 c0000201"},
};

static enum pin_err open_part(void *arg, const char *name, const char *from,
    struct pin_zonefile_text *ret_text, struct pin_why *why)
{
    static const char *const parts[][2] = {
        {"good", "a A 192.0.2.9\n"}, {"bad", "\na A x\n"}, {"self", "$INCLUDE self\n"}};
    (void)arg;
    (void)from;
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        if (strcmp(parts[i][0], name) == 0) {
            *ret_text = (struct pin_zonefile_text){
                .path = name, .text = parts[i][1], .bytes = strlen(parts[i][1])};
            return PIN_OK;
        }
    }
    return pin_why_set(why, PIN_ENOTFOUND, "none of that name");
}

/* "TTL hex of the first RDATA". */
static void describe(const struct pin_zonefile *zonefile, const char *owner, uint16_t type,
    char *out, size_t out_bytes)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(owner, &name), PIN_OK);
    const struct pin_static_name *found = pin_zonefile_find(zonefile, name.wire, name.bytes);
    const struct pin_static_set *set = found != NULL ? pin_static_find(found, type) : NULL;
    if (set == NULL || set->n_rr != 1) {
        fail_msg("%s has not one record of type %u", owner, type);
        return;
    }
    int n = snprintf(out, out_bytes, "%u ", set->ttl_s);
    for (size_t i = 12; i < set->wire_bytes; i++) {
        n += snprintf(out + n, out_bytes - (size_t)n, "%02x", set->wire[i]);
    }
}

static void test_read(void **state)
{
    size_t i = (size_t)*state;
    char got[256] = "";
    struct pin_text text = {0};
    struct pin_text faults = {0};
    struct pin_zonefile *zonefile = NULL;
    if (cases[i].text[0] != '!') {
        pin_text_puts(&text, HEAD);
    }
    pin_text_puts(&text, cases[i].text + (cases[i].text[0] == '!'));
    struct pin_zonefile_input input = {.zone = "z",
        .text = {.path = "f", .text = pin_text_get(&text), .bytes = text.len},
        .open = open_part};
    enum pin_err err = pin_zonefile_parse(&input, &zonefile, &faults);
    if (cases[i].owner == NULL) {
        assert_int_equal(err, PIN_EPARSE);
        (void)snprintf(got, sizeof(got), "%.*s", (int)strlen(cases[i].want), pin_text_get(&faults));
    } else {
        if (err != PIN_OK) {
            print_error("%s\n", pin_text_get(&faults));
        }
        assert_int_equal(err, PIN_OK);
        assert_int_equal(pin_zonefile_serial(zonefile), strstr(cases[i].text, "SOA") ? 1 : 7);
        describe(zonefile, cases[i].owner, cases[i].type, got, sizeof(got));
    }
    assert_string_equal(got, cases[i].want);
    pin_zonefile_free(zonefile);
    pin_text_done(&text);
    pin_text_done(&faults);
}

/* Faults are counted, but not all told. */
static void test_many_faults(void **state)
{
    struct pin_text text = {0};
    struct pin_text faults = {0};
    struct pin_zonefile *zonefile = NULL;
    size_t n_lines = 0;
    (void)state;
    for (unsigned i = 0; i < 10000; i++) {
        pin_text_puts(&text, "x\n");
    }
    struct pin_zonefile_input input = {
        .zone = "z", .text = {.path = "f", .text = pin_text_get(&text), .bytes = text.len}};
    assert_int_equal(pin_zonefile_parse(&input, &zonefile, &faults), PIN_EPARSE);
    for (const char *at = pin_text_get(&faults); *at != '\0'; at++) {
        n_lines += *at == '\n';
    }
    assert_int_equal(n_lines, PIN_ZONEFILE_FAULTS_MAX);
    pin_text_done(&text);
    pin_text_done(&faults);
}

/* What stands below a delegation or a DNAME is glue at most. */
static void test_hidden(void **state)
{
    static const char text[] = HEAD "sub NS ns.sub\nns.sub A 192.0.2.1\nx.y.sub TXT t\n"
                                    "d DNAME e\nx.d A 192.0.2.1\n*.w NS n\na.w A 192.0.2.1\n";
    static const struct {
        const char *name;
        bool is_hidden;
    } wants[] = {{"sub.z", false}, {"ns.sub.z", true}, {"x.y.sub.z", true}, {"d.z", false},
        {"x.d.z", true}, {"*.w.z", false}, {"a.w.z", false}};
    struct pin_text faults = {0};
    struct pin_zonefile *zonefile = NULL;
    struct pin_zonefile_input input = {
        .zone = "z", .text = {.path = "f", .text = text, .bytes = sizeof(text) - 1}};
    (void)state;
    assert_int_equal(pin_zonefile_parse(&input, &zonefile, &faults), PIN_OK);
    for (size_t i = 0; i < N_ELEMS(wants); i++) {
        struct pin_name name;
        assert_int_equal(pin_name_parse(wants[i].name, &name), PIN_OK);
        const struct pin_static_name *found = pin_zonefile_find(zonefile, name.wire, name.bytes);
        assert_non_null(found);
        assert_int_equal(found->is_hidden, wants[i].is_hidden);
    }
    assert_string_equal(pin_text_get(&faults),
        "f:8: x.d.z. is not answered: d.z. above it is a DNAME\n"
        "f:6: x.y.sub.z. is not answered: sub.z. above it is delegated\n");
    pin_zonefile_free(zonefile);
    pin_text_done(&faults);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_read, .initial_state = (void *)i};
    }
    tests[N_ELEMS(cases)] = (struct CMUnitTest){
        .name = "a file of faults tells the first of them", .test_func = test_many_faults};
    tests[N_ELEMS(cases) + 1] = (struct CMUnitTest){
        .name = "names below a delegation or a DNAME are hidden", .test_func = test_hidden};
    return cmocka_run_group_tests_name("zonefile", tests, NULL, NULL);
}
