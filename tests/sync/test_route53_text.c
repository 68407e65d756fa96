/* SPDX-License-Identifier: Apache-2.0 */

/* Route 53's pages, zones and errors, and batches as it takes them. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/route53_text.h"

#define PAGE(sets, end)                                                                            \
    "<ListResourceRecordSetsResponse xmlns='urn:x'><ResourceRecordSets>" sets                      \
    "</ResourceRecordSets>" end "</ListResourceRecordSetsResponse>"
#define LAST "<IsTruncated>false</IsTruncated>"
#define SET(name, type, rest)                                                                      \
    "<ResourceRecordSet><Name>" name "</Name><Type>" type "</Type>" rest "</ResourceRecordSet>"
#define RECORDS(value)                                                                             \
    "<TTL>60</TTL><ResourceRecords><ResourceRecord><Value>" value                                  \
    "</Value></ResourceRecord></ResourceRecords>"
#define ALIAS(zone, name, health)                                                                  \
    "<AliasTarget><HostedZoneId>" zone "</HostedZoneId><DNSName>" name                             \
    "</DNSName><EvaluateTargetHealth>" health "</EvaluateTargetHealth></AliasTarget>"

struct text_box {
    struct pin_arena *arena;
    struct pin_arena *scratch;
    struct pin_provider_sets sets;
    struct pin_text out;
    struct pin_why why;
};

static struct text_box make_box(void)
{
    struct text_box box = {.arena = pin_arena_new("test", (size_t)1 << 20),
        .scratch = pin_arena_new("test", (size_t)1 << 20)};
    assert_non_null(box.arena);
    assert_non_null(box.scratch);
    box.sets = (struct pin_provider_sets){.arena = box.arena, .zone = "example.com"};
    return box;
}

static void free_box(struct text_box *box)
{
    pin_provider_sets_done(&box->sets);
    pin_text_done(&box->out);
    pin_arena_free(box->scratch);
    pin_arena_free(box->arena);
}

/* "name/id type ttl value {property=value}; ..." */
static void put_sets(struct text_box *box)
{
    size_t n = 0;
    const struct pin_recordset *sets = pin_provider_sets_take(&box->sets, &n);
    assert_non_null(sets);
    for (size_t i = 0; i < n; i++) {
        const struct pin_recordset *set = &sets[i];
        pin_text_putf(&box->out, "%s%s%s%s %s %u", i == 0 ? "" : "; ", set->name,
            set->set_id[0] == '\0' ? "" : "/", set->set_id, set->type, set->ttl_s);
        for (size_t k = 0; k < set->n_values; k++) {
            pin_text_putf(&box->out, " %s", set->values[k].text);
        }
        for (size_t k = 0; k < set->n_properties; k++) {
            pin_text_putf(&box->out, " {%s=%s}", set->properties[k].name, set->properties[k].value);
        }
    }
}

static struct page_case {
    const char *name;
    const char *text;
    enum pin_err err;
    const char *want;
    const char *next; /* "name type id", NULL: the last page */
} pages[] = {
    {"an empty page is an empty zone", PAGE("", LAST), PIN_OK, "", NULL},
    {"escapes are octal", PAGE(SET("\\052.Example.com.", "A", RECORDS("192.0.2.1")), LAST), PIN_OK,
        "*.example.com A 60 192.0.2.1", NULL},
    {"also in values", PAGE(SET("t.example.com.", "TXT", RECORDS("\"a\\303\\244\\\"\"")), LAST),
        PIN_OK, "t.example.com TXT 60 \"a\\195\\164\\\"\"", NULL},
    {"what XML escapes is meant",
        PAGE(SET("t.example.com.", "TXT", RECORDS("&quot;&lt;&amp;&quot;")), LAST), PIN_OK,
        "t.example.com TXT 60 \"<&\"", NULL},
    {"SOA is left out", PAGE(SET("example.com.", "SOA", RECORDS("x")), LAST), PIN_OK, "", NULL},
    {"a weight is a property",
        PAGE(SET("w.example.com.", "A",
                 "<SetIdentifier>a</SetIdentifier><Weight>7</Weight>" RECORDS("192.0.2.1")),
            LAST),
        PIN_OK, "w.example.com/a A 60 192.0.2.1 {aws/weight=7}", NULL},
    {"so is all that steers",
        PAGE(
            SET("g.example.com.", "A",
                "<SetIdentifier>a</SetIdentifier><GeoLocation><CountryCode>US</CountryCode>"
                "<SubdivisionCode>NY</SubdivisionCode></GeoLocation>" RECORDS(
                    "192.0.2.1")) SET("m.example.com.", "A",
                "<SetIdentifier>a</SetIdentifier><MultiValueAnswer>true</MultiValueAnswer>" RECORDS(
                    "192.0.2.1") "<HealthCheckId>h</HealthCheckId>") SET("n.example.com.", "A",
                "<SetIdentifier>a</SetIdentifier>" RECORDS(
                    "192.0.2.1") "<GeoProximityLocation><Coordinates><Latitude>1.5</Latitude>"
                                 "<Longitude>-2</Longitude></Coordinates><Bias>3</Bias>"
                                 "</GeoProximityLocation>"),
            LAST),
        PIN_OK,
        "g.example.com/a A 60 192.0.2.1 {aws/geolocation-country-code=US} "
        "{aws/geolocation-subdivision-code=NY}; "
        "m.example.com/a A 60 192.0.2.1 {aws/health-check-id=h} {aws/multi-value-answer=true}; "
        "n.example.com/a A 60 192.0.2.1 {aws/geoproximity-bias=3} "
        "{aws/geoproximity-coordinates=1.5,-2}",
        NULL},
    {"an alias is a value with properties, without a TTL",
        PAGE(SET("a.example.com.", "AAAA", ALIAS("Z1", "LB.example.net.", "true")), LAST), PIN_OK,
        "a.example.com AAAA 0 lb.example.net {alias=true} {aws/evaluate-target-health=true} "
        "{aws/target-hosted-zone=Z1}",
        NULL},
    {"what nobody here can write is no simple set",
        PAGE(SET("p.example.com.", "A",
                 RECORDS("192.0.2.1") "<TrafficPolicyInstanceId>t</TrafficPolicyInstanceId>")
                 SET("q.example.com.", "A",
                     "<SetIdentifier>c</SetIdentifier>" RECORDS(
                         "192.0.2.1") "<CidrRoutingConfig><CollectionId>i</CollectionId>"
                                      "<LocationName>*</LocationName></CidrRoutingConfig>"),
            LAST),
        PIN_OK,
        "p.example.com A 60 192.0.2.1 {aws/traffic-policy-instance-id=t}; "
        "q.example.com/c A 60 192.0.2.1 {aws/cidr-collection-id=i} {aws/cidr-location-name=*}",
        NULL},
    {"a page says where the next one begins",
        PAGE("",
            "<IsTruncated>true</IsTruncated><NextRecordName>\\052.b.</NextRecordName>"
            "<NextRecordType>A</NextRecordType><NextRecordIdentifier>x y</NextRecordIdentifier>"),
        PIN_OK, "", "\\052.b. A x y"},
    {"one that does not say it is none", PAGE("", "<IsTruncated>true</IsTruncated>"), PIN_EPARSE,
        NULL, NULL},
    {"nor one that does not say whether it is the last", PAGE("", ""), PIN_EPARSE, NULL, NULL},
    {"nor another answer", "<ErrorResponse/>", PIN_EPARSE, NULL, NULL},
    {"nor half a one", "<ListResourceRecordSetsResponse><ResourceRecordSets>", PIN_EPARSE, NULL,
        NULL},
    {"nor one of a set without a type", PAGE(SET("a.example.com.", "", RECORDS("x")), LAST),
        PIN_EPARSE, NULL, NULL},
    {"nor one of a name that is none", PAGE(SET("a..example.com.", "A", RECORDS("x")), LAST),
        PIN_EPARSE, NULL, NULL},
};

static void test_page(void **state)
{
    const struct page_case *c = *state;
    struct text_box box = make_box();
    struct pin_route53_next next = {0};
    enum pin_err err =
        pin_route53_read_page(c->text, strlen(c->text), box.scratch, &box.sets, &next, &box.why);
    assert_int_equal(err, c->err);
    if (err == PIN_OK) {
        put_sets(&box);
        assert_string_equal(pin_text_get(&box.out), c->want);
        pin_text_cut(&box.out, 0);
        pin_text_putf(&box.out, "%s %s %s", next.name == NULL ? "" : next.name,
            next.type == NULL ? "" : next.type, next.set_id == NULL ? "" : next.set_id);
        assert_string_equal(pin_text_get(&box.out), c->next == NULL ? "  " : c->next);
    }
    pin_route53_next_done(&next);
    free_box(&box);
}

#define ZONES(zones, end)                                                                          \
    "<ListHostedZonesByNameResponse><HostedZones>" zones "</HostedZones>" end                      \
    "</ListHostedZonesByNameResponse>"
#define HOSTED(id, name, is_private)                                                               \
    "<HostedZone><Id>/hostedzone/" id "</Id><Name>" name "</Name><Config><PrivateZone>" is_private \
    "</PrivateZone></Config></HostedZone>"
#define MORE(id) "<IsTruncated>true</IsTruncated><NextHostedZoneId>" id "</NextHostedZoneId>"

static struct zones_case {
    const char *name;
    const char *text;
    enum pin_err err;
    const char *want; /* "public id n, private id n, next" */
} zone_lists[] = {
    {"a public and a private zone of one name",
        ZONES(HOSTED("ZA", "example.com.", "false") HOSTED("ZB", "example.com.", "true"), LAST),
        PIN_OK, "ZA 1, ZB 1, "},
    {"the names behind it do not count",
        ZONES(HOSTED("ZA", "example.com.", "false") HOSTED("ZB", "example.net.", "false"),
            MORE("ZC")),
        PIN_OK, "ZA 1,  0, "},
    {"several are counted",
        ZONES(HOSTED("ZA", "example.com.", "false") HOSTED("ZB", "example.com.", "false"), LAST),
        PIN_OK, "ZA 2,  0, "},
    {"the list may go on", ZONES(HOSTED("ZA", "example.com.", "false"), MORE("/hostedzone/ZC")),
        PIN_OK, "ZA 1,  0, ZC"},
    {"an id that could lead elsewhere is none",
        ZONES(HOSTED("../ZA?x", "example.com.", "false"), LAST), PIN_OK, " 0,  0, "},
    {"another answer is no list", "<A/>", PIN_EPARSE, NULL},
    {"nor one that does not say where it goes on",
        ZONES(HOSTED("ZA", "example.com.", "false"), "<IsTruncated>true</IsTruncated>"), PIN_EPARSE,
        NULL},
};

static void test_zones(void **state)
{
    const struct zones_case *c = *state;
    struct text_box box = make_box();
    struct pin_route53_zones zones = {0};
    assert_int_equal(pin_route53_read_zones(
                         c->text, strlen(c->text), box.scratch, "example.com", &zones, &box.why),
        c->err);
    if (c->err == PIN_OK) {
        pin_text_putf(&box.out, "%s %zu, %s %zu, %s", zones.id[0], zones.n[0], zones.id[1],
            zones.n[1], zones.next_id);
        assert_string_equal(box.out.ptr, c->want);
    }
    free_box(&box);
}

/* --- Batches -------------------------------------------------------------------------------- */

static const struct pin_route53_zone zone = {"example.com", "Z0"};

static struct set_case {
    const char *name;
    struct pin_recordset_property properties[4]; /* sorted */
    const char *value;
    enum pin_err err;
    const char *want; /* part of the batch, or of the reason */
} sets_told[] = {
    {"a simple set has a TTL and records", {{0}}, "192.0.2.1", PIN_OK,
        "<Change><Action>CREATE</Action><ResourceRecordSet><Name>\\044.example.com</Name><Type>A</"
        "Type>"
        "<TTL>300</TTL><ResourceRecords><ResourceRecord><Value>192.0.2.1</Value></ResourceRecord>"
        "</ResourceRecords></ResourceRecordSet></Change>"},
    {"what XML gives a meaning to is escaped", {{0}}, "\"<&>\"", PIN_OK,
        "<Value>&quot;&lt;&amp;&gt;&quot;</Value>"},
    {"escapes are octal", {{0}}, "\"\\195\\164\\\"\\\\\"", PIN_OK,
        "<Value>&quot;\\303\\244\\&quot;\\\\&quot;</Value>"},
    {"a weight", {{"aws/weight", "255"}}, "192.0.2.1", PIN_OK, "<Weight>255</Weight>"},
    {"one that is too large", {{"aws/weight", "256"}}, "192.0.2.1", PIN_EINVAL, "no weight"},
    {"one that is none", {{"aws/weight", "-1"}}, "192.0.2.1", PIN_EINVAL, "no weight"},
    {"a place", {{"aws/geoproximity-bias", "1"}, {"aws/geoproximity-coordinates", "1.5,-2"}},
        "192.0.2.1", PIN_OK,
        "<GeoProximityLocation><Coordinates><Latitude>1.5</Latitude><Longitude>-2</Longitude>"
        "</Coordinates><Bias>1</Bias></GeoProximityLocation>"},
    {"an alias with its zone", {{"alias", "true"}, {"aws/target-hosted-zone", "Z1"}},
        "lb.example.net", PIN_OK, ALIAS("Z1", "lb.example.net", "true")},
    {"one of the own zone", {{"alias", "true"}, {"aws/evaluate-target-health", "false"}},
        "b.example.com", PIN_OK, ALIAS("Z0", "b.example.com", "false")},
    {"one of nobody's", {{"alias", "true"}}, "lb.example.net", PIN_EINVAL,
        "aws/target-hosted-zone"},
    {"no alias", {{"alias", "false"}}, "192.0.2.1", PIN_OK, "<TTL>300</TTL>"},
    {"a property that is not known", {{"aws/colour", "red"}}, "192.0.2.1", PIN_EINVAL,
        "aws/colour"},
    {"one that can be read only", {{"aws/cidr-collection-id", "x"}}, "192.0.2.1", PIN_EINVAL,
        "aws/cidr-collection-id"},
    {"values that would end their element stay inside", {{"aws/region", "</Region><X>"}},
        "192.0.2.1", PIN_OK, "<Region>&lt;/Region&gt;&lt;X&gt;</Region>"},
};

static void test_put(void **state)
{
    const struct set_case *c = *state;
    struct text_box box = make_box();
    struct pin_recordset_property properties[4];
    memcpy(properties, c->properties, sizeof(properties));
    struct pin_recordset_value value = {.text = c->value};
    struct pin_recordset set = {.name = "\\$.example.com",
        .type = "A",
        .set_id = "",
        .values = &value,
        .n_values = 1,
        .properties = properties};
    while (set.n_properties < N_ELEMS(properties) && properties[set.n_properties].name != NULL) {
        set.n_properties++;
    }
    struct pin_provider_edit edit = {.will = &set};
    struct pin_provider_change change = {&edit, 1};
    assert_int_equal(pin_route53_put_batch(&box.out, &zone, &change, 1, &box.why), c->err);
    const char *seen = c->err == PIN_OK ? box.out.ptr : box.why.text;
    if (strstr(seen, c->want) == NULL) {
        fail_msg("'%s' is not in '%s'", c->want, seen);
    }
    free_box(&box);
}

static void test_actions_and_weights(void **state)
{
    struct text_box box = make_box();
    struct pin_recordset_value values[] = {{.text = "192.0.2.1"}, {.text = "192.0.2.2"}};
    struct pin_recordset set = {.name = "a.example.com",
        .type = "A",
        .set_id = "<id>",
        .ttl_s = 5,
        .values = values,
        .n_values = 2};
    struct pin_provider_edit edits[] = {{.was = &set}, {.will = &set}, {.was = &set, .will = &set}};
    struct pin_provider_change change = {edits, 3};
    (void)state;
    assert_int_equal(pin_route53_put_batch(&box.out, &zone, &change, 1, NULL), PIN_OK);
    const char *deleted = strstr(box.out.ptr, "<Action>DELETE</Action>");
    const char *created = strstr(box.out.ptr, "<Action>CREATE</Action>");
    const char *changed = strstr(box.out.ptr, "<Action>UPSERT</Action>");
    assert_true(deleted != NULL && created > deleted && changed > created);
    assert_non_null(strstr(deleted, "<SetIdentifier>&lt;id&gt;</SetIdentifier><TTL>5</TTL>"));
    assert_int_equal(pin_route53_weight(&change), (1 + 1 + 2) * 2 * 32);
    free_box(&box);
}

static void test_errors(void **state)
{
    static const char *const texts[][3] = {{"<ErrorResponse><Error><Code>Throttling</"
                                            "Code><Message>Rate</Message></Error></ErrorResponse>",
                                               "Throttling", "Rate"},
        {"<InvalidChangeBatch><Messages><Message>a</Message><Message>b</Message></Messages>"
         "</InvalidChangeBatch>",
            "InvalidChangeBatch", "a"},
        {"<html>", "", ""}, {"", "", ""}};
    char code[PIN_ROUTE53_CODE_MAX];
    char message[PIN_PROVIDER_MESSAGE_MAX];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        pin_route53_read_error(texts[i][0], strlen(texts[i][0]), code, message);
        assert_string_equal(code, texts[i][1]);
        assert_string_equal(message, texts[i][2]);
    }
}

static void test_adjust(void **state)
{
    struct text_box box = make_box();
    struct pin_recordset_property alias[] = {{"alias", "true"}};
    struct pin_recordset_property none[] = {
        {"alias", "false"}, {"aws/evaluate-target-health", "true"}};
    struct pin_recordset_property multi[] = {{"aws/multi-value-answer", ""}};
    struct pin_recordset_value value = {.text = "b.example.com"};
    struct pin_recordset_value address = {.text = "192.0.2.1"};
    struct pin_recordset sets[] = {
        {"a.example.com", "CNAME", "", 60, &value, 1, alias, 1, NULL, 0, NULL, 0},
        {"c.example.com", "CNAME", "", 60, &value, 1, none, 2, NULL, 0, NULL, 0},
        {"m.example.com", "A", "x", 60, &address, 1, multi, 1, NULL, 0, NULL, 0},
    };
    (void)state;
    for (size_t i = 0; i < N_ELEMS(sets); i++) {
        assert_int_equal(pin_route53_adjust(&sets[i], &zone, &box.sets, &box.why), PIN_OK);
    }
    put_sets(&box);
    assert_string_equal(box.out.ptr,
        "a.example.com A 0 b.example.com {alias=true} {aws/evaluate-target-health=true} "
        "{aws/target-hosted-zone=Z0}; "
        "a.example.com AAAA 0 b.example.com {alias=true} {aws/evaluate-target-health=true} "
        "{aws/target-hosted-zone=Z0}; c.example.com CNAME 60 b.example.com; "
        "m.example.com/x A 60 192.0.2.1 {aws/multi-value-answer=true}");
    free_box(&box);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(pages) + N_ELEMS(zone_lists) + N_ELEMS(sets_told) + 3] = {{0}};
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(pages); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = pages[i].name, .test_func = test_page, .initial_state = &pages[i]};
    }
    for (size_t i = 0; i < N_ELEMS(zone_lists); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = zone_lists[i].name, .test_func = test_zones, .initial_state = &zone_lists[i]};
    }
    for (size_t i = 0; i < N_ELEMS(sets_told); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = sets_told[i].name, .test_func = test_put, .initial_state = &sets_told[i]};
    }
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_actions_and_weights);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_errors);
    tests[n++] = (struct CMUnitTest)cmocka_unit_test(test_adjust);
    return cmocka_run_group_tests_name("route53_text", tests, NULL, NULL);
}
