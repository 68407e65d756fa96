/* SPDX-License-Identifier: Apache-2.0 */

/* How a plan of records reads. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"

#include "cli/records_text.h"

#define ARENA_BYTES ((size_t)1 << 20)

/* An overview of one entry with one zone, `more` about either. */
#define OVERVIEW(entry_more, zone_more)                                                            \
    "{\"items\":[{\"records\":\"public\",\"provider\":\"rfc2136\",\"owner\":\"demo\","             \
    "\"policy\":\"sync\"" entry_more ",\"zones\":[{\"zone\":\"example.com\"" zone_more "}]}]}"
#define OF    "\"records\":\"public\",\"zone\":\"example.com\""
#define USUAL OVERVIEW("", "")
#define HEAD  "example.com: public, rfc2136, sync, owner demo; planned 2 s ago\n"
#define PLAN(more, changes, conflicts)                                                             \
    "{\"plans\":[{" OF ",\"ageSeconds\":2.7" more "}],\"changes\":[" changes                       \
    "],\"conflicts\":[" conflicts "],\"next\":null}"
#define CHANGE(op, name, old, new, more)                                                           \
    "{" OF ",\"op\":\"" op "\",\"name\":\"" name ".example.com\",\"type\":\"A\",\"old\":" old      \
    ",\"new\":" new more "}"
#define SET(ttl, values) "{\"ttl\":" ttl ",\"values\":[" values "]}"
#define VALUE(text)      "{\"text\":\"" text "\",\"clusters\":[\"c1\"]}"
#define ONE              SET("60", VALUE("192.0.2.1"))
#define OTHER            SET("60", VALUE("192.0.2.2"))
#define CONFLICT                                                                                   \
    "{" OF ",\"kind\":\"foreign\",\"name\":\"ftp.example.com\",\"type\":\"A\","                    \
    "\"object\":{\"cluster\":\"c1\",\"kind\":\"service\",\"namespace\":\"shop\",\"name\":\"ftp\"}" \
    ","                                                                                            \
    "\"detail\":\"nobody owns what is there\"}"

static struct plan_case {
    const char *name; /* reads as a sentence in the test report */
    const char *overview;
    const char *plan;
    const char *want;
} plan_cases[] = {
    {"nothing to do is said", USUAL, PLAN("", "", ""), HEAD "  no changes\n"},
    {"what comes, changes and goes is a line each, and a sum", USUAL,
        PLAN("",
            CHANGE("create", "a", "null", ONE, "") "," CHANGE(
                "update", "bcd", ONE, OTHER, "") "," CHANGE("delete", "e", ONE, "null", ""),
            ""),
        HEAD "  + a.example.com    A  192.0.2.1; ttl 60\n"
             "  ~ bcd.example.com  A  -192.0.2.1 +192.0.2.2\n"
             "  - e.example.com    A  192.0.2.1\n"
             "  1 to create, 1 to change, 1 to delete\n"},
    {"values that stay have no sign", USUAL,
        PLAN("",
            CHANGE("update", "a", SET("0", VALUE("192.0.2.1") "," VALUE("192.0.2.2")),
                SET("60", VALUE("192.0.2.2") "," VALUE("192.0.2.3")), ""),
            ""),
        HEAD "  ~ a.example.com  A  -192.0.2.1 192.0.2.2 +192.0.2.3; ttl default => 60\n"
             "  0 to create, 1 to change, 0 to delete\n"},
    {"a TTL that is the provider's own is not named where a set comes", USUAL,
        PLAN("", CHANGE("create", "a", "null", SET("0", VALUE("192.0.2.1")), ""), ""),
        HEAD "  + a.example.com  A  192.0.2.1\n  1 to create, 0 to change, 0 to delete\n"},
    {"values may be plain texts", USUAL,
        PLAN("", CHANGE("create", "a", "null", SET("5", "\"192.0.2.1\",\"192.0.2.2\""), ""), ""),
        HEAD "  + a.example.com  A  192.0.2.1 192.0.2.2; ttl 5\n"
             "  1 to create, 0 to change, 0 to delete\n"},
    {"properties are named where they differ", USUAL,
        PLAN("",
            CHANGE("update", "a",
                "{\"ttl\":5,\"values\":[],\"properties\":{\"aws/"
                "weight\":\"10\",\"alias\":\"true\"}}",
                "{\"ttl\":5,\"values\":[],\"properties\":{\"aws/weight\":\"20\",\"aws/x\":\"y\"}}",
                ""),
            ""),
        HEAD "  ~ a.example.com  A  ; aws/weight 10 => 20; aws/x y; -alias\n"
             "  0 to create, 1 to change, 0 to delete\n"},
    {"a set id stands beside its type", USUAL,
        PLAN("", CHANGE("delete", "a", ONE, "null", ",\"setId\":\"blue\""), ""),
        HEAD "  - a.example.com  A (blue)  192.0.2.1\n  0 to create, 0 to change, 1 to delete\n"},
    {"an owner that changes is named", USUAL,
        PLAN("",
            CHANGE("update", "a", ONE, ONE,
                ",\"txts\":[{\"name\":\"a-a.example.com\",\"old\":\"\\\"heritage=external-dns,"
                "external-dns/owner=default\\\"\",\"new\":\"\\\"heritage=external-dns,"
                "external-dns/owner=demo,external-dns/resource=service/x/y\\\"\"}]"),
            ""),
        HEAD "  ~ a.example.com  A  192.0.2.1; owner default => demo\n"
             "  0 to create, 1 to change, 0 to delete\n"},
    {"an ownership that cannot be read is named by its record", USUAL,
        PLAN("",
            CHANGE("update", "a", "null", "null",
                ",\"txts\":[{\"name\":\"a-a.example.com\",\"old\":\"\\\"sealed\\\"\",\"new\":null}"
                "]"),
            ""),
        HEAD "  ~ a.example.com  A  ownership record a-a.example.com\n"
             "  0 to create, 1 to change, 0 to delete\n"},
    {"what is done is no change any more", USUAL,
        PLAN("",
            CHANGE("create", "a", "null", ONE, ",\"result\":\"applied\"") "," CHANGE(
                "create", "b", "null", ONE, ",\"result\":null"),
            ""),
        HEAD "  + b.example.com  A  192.0.2.1; ttl 60\n  1 to create, 0 to change, 0 to delete\n"},
    {"what a provider says stands behind the change", USUAL,
        PLAN("",
            CHANGE("create", "a", "null", ONE,
                ",\"result\":\"refused\",\"message\":\"not in this zone\""),
            ""),
        HEAD "  + a.example.com  A  192.0.2.1; ttl 60  [refused: not in this zone]\n"
             "  1 to create, 0 to change, 0 to delete\n"},
    {"blocked deletions come last, with what to type", USUAL,
        PLAN(",\"approval\":\"0123456789abcdef\",\"deletes\":12,\"deletesMax\":10",
            CHANGE("delete", "a", ONE, "null", ",\"isBlocked\":true") "," CHANGE(
                "create", "b", "null", ONE, ""),
            ""),
        HEAD "  + b.example.com  A  192.0.2.1; ttl 60\n"
             "  - a.example.com  A  192.0.2.1  [blocked]\n"
             "  1 to create, 0 to change, 0 to delete; 1 deletion blocked\n"
             "  12 deletions are more than the 10 that one run may do here. If they are meant:\n"
             "    pintlectl records approve 0123456789abcdef\n"},
    {"a conflict names its object and the reason", USUAL, PLAN("", "", CONFLICT),
        HEAD "  ! ftp.example.com  A  foreign: nobody owns what is there "
             "(service/shop/ftp in c1)\n  no changes; 1 conflict\n"},
    {"of a zone without a plan the reason is told", OVERVIEW("", ",\"state\":\"waiting\""),
        "{\"plans\":[]}",
        "example.com: public, rfc2136, sync, owner demo\n"
        "  ! no plan yet: no cluster has been heard of since the start\n"},
    {"a fault is told beside the plan of before",
        OVERVIEW("",
            ",\"fault\":\"unreachable\",\"error\":\"cannot connect\",\"errorAgeSeconds\":40"
            ",\"nextSeconds\":20.5"),
        PLAN("", "", ""),
        HEAD "  ! unreachable for 40 s: cannot connect; tried again in 20 s\n  no changes\n"},
    {"dry runs, other writers and clusters that are missing are told",
        OVERVIEW(",\"dryRun\":true,\"isWriter\":false,\"holder\":\"pintle-0\",\"unsynced\":[\"c2\","
                 "\"c3\"],\"writerError\":\"no rights\"",
            ""),
        PLAN("", "", ""),
        "example.com: public, rfc2136, sync, owner demo, dry run, written by pintle-0; planned 2 s "
        "ago\n"
        "  ! not synced yet, so that what they may want stays: c2, c3\n"
        "  ! who may write: no rights\n  no changes\n"},
};

/* A test's pages. */
struct pages {
    struct pin_arena *arena;
    struct pin_records_scope scope;
    struct pin_records_view view;
};

static const struct pin_tree *read_page(struct pages *pages, const char *text)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    if (pin_json_parse(text, strlen(text), pages->arena, &tree, &why) != PIN_OK) {
        fail_msg("%s in %s", why.text, text);
    }
    return tree;
}

static void open_pages(struct pages *pages, const char *overview, const char *plan)
{
    *pages = (struct pages){.arena = pin_arena_new("test", ARENA_BYTES)};
    pages->view.overview = pin_tree_list(read_page(pages, overview), "items");
    pages->view.plan = read_page(pages, plan);
    pages->view.scope = &pages->scope;
}

static void expect(const struct pages *pages, const char *want)
{
    struct pin_text out = {0};
    pin_records_put_plans(&pages->view, &out);
    assert_string_equal(pin_text_get(&out), want);
    pin_text_done(&out);
}

static void test_plan(void **state)
{
    const struct plan_case *c = *state;
    struct pages pages;
    open_pages(&pages, c->overview, c->plan);
    expect(&pages, c->want);
    pin_arena_free(pages.arena);
}

static void test_outcome(void **state)
{
    (void)state;
    struct pages pages;
    open_pages(&pages, USUAL,
        PLAN("",
            CHANGE("create", "a", "null", ONE, ",\"result\":\"applied\"") "," CHANGE("delete", "b",
                ONE, "null", ",\"isReplaced\":true,\"result\":\"applied\"") "," CHANGE("create",
                "c", "null", ONE,
                ",\"result\":\"refused\"") "," CHANGE("create", "d", "null", ONE, ""),
            ""));
    pages.view.is_outcome = true;
    expect(&pages, HEAD "  + a.example.com  A  192.0.2.1; ttl 60\n"
                        "  - b.example.com  A  192.0.2.1  [replaced]\n"
                        "  + c.example.com  A  192.0.2.1; ttl 60  [refused]\n"
                        "  + d.example.com  A  192.0.2.1; ttl 60  [not done]\n"
                        "  1 created, 0 changed, 1 deleted; 2 not done\n");
    assert_int_equal(pin_records_count_left(pages.view.plan), 2);
    pin_arena_free(pages.arena);
}

static void test_color(void **state)
{
    (void)state;
    struct pages pages;
    open_pages(&pages, USUAL,
        PLAN("",
            CHANGE("create", "a", "null", ONE, "") "," CHANGE(
                "update", "a", ONE, OTHER, "") "," CHANGE("delete", "a", ONE, "null", ""),
            CONFLICT));
    pages.view.has_color = true;
    expect(&pages, HEAD "\033[32m  + a.example.com    A  192.0.2.1; ttl 60\033[0m\n"
                        "\033[33m  ~ a.example.com    A  -192.0.2.1 +192.0.2.2\033[0m\n"
                        "\033[31m  - a.example.com    A  192.0.2.1\033[0m\n"
                        "\033[33m  ! ftp.example.com  A  foreign: nobody owns what is there "
                        "(service/shop/ftp in c1)\033[0m\n"
                        "  1 to create, 1 to change, 1 to delete; 1 conflict\n");
    pin_arena_free(pages.arena);
}

static void test_admin(void **state)
{
    (void)state;
    struct pages pages;
    open_pages(&pages, USUAL, PLAN(",\"approval\":\"0123456789abcdef\"", "", ""));
    pages.view.admin = "192.0.2.1:9153";
    expect(&pages,
        HEAD "  no changes\n"
             "  0 deletions are more than the 0 that one run may do here. If they are meant:\n"
             "    pintlectl records approve 0123456789abcdef --admin 192.0.2.1:9153\n");
    pin_arena_free(pages.arena);
}

/* Two entries of the same zone. */
static void test_zones(void **state)
{
    (void)state;
    static const char overview[] =
        "{\"items\":[{\"records\":\"in\",\"zones\":[{\"zone\":\"a.example\",\"fault\":\"none\"},"
        "{\"zone\":\"b.example\"}]},{\"records\":\"out\",\"zones\":[{\"zone\":\"a.example\","
        "\"fault\":\"denied\"}]}]}";
    static const char plan[] =
        "{\"plans\":[{\"records\":\"in\",\"zone\":\"a.example\"},{\"records\":\"out\",\"zone\":"
        "\"a.example\"}],\"changes\":[{\"records\":\"out\",\"zone\":\"a.example\",\"op\":"
        "\"create\","
        "\"name\":\"x\",\"type\":\"A\",\"new\":{\"values\":[\"192.0.2.1\"]}}]}";
    struct pages pages;
    open_pages(&pages, overview, plan);
    assert_int_equal(pin_records_count_faults(&pages.view), 2); /* no plan; a fault */
    pages.scope = (struct pin_records_scope){.entry = "in", .zone = "a.example"};
    assert_int_equal(pin_records_count_faults(&pages.view), 0);
    expect(&pages, "a.example: in, , , owner \n  no changes\n");
    pages.scope = (struct pin_records_scope){.zone = "a.example"};
    expect(&pages, "a.example: in, , , owner \n  no changes\n\n"
                   "a.example: out, , , owner \n  ! denied\n  + x  A  192.0.2.1\n"
                   "  1 to create, 0 to change, 0 to delete\n");
    pages.scope = (struct pin_records_scope){.entry = ""};
    pages.view.is_adoption = true;
    expect(&pages, "a.example: in, , , owner \n  no changes\n\n"
                   "a.example: out, , , owner \n  ! denied\n  + x  A  192.0.2.1\n"
                   "  1 to create, 0 to change, 0 to delete\n");
    pin_arena_free(pages.arena);
}

int main(void)
{
    static struct CMUnitTest tests[N_ELEMS(plan_cases) + 4];
    const struct CMUnitTest singles[] = {
        {"an outcome tells what was done and what was not", test_outcome, NULL, NULL, NULL},
        {"signs have their colours on a terminal", test_color, NULL, NULL, NULL},
        {"what to type names the daemon where it is elsewhere", test_admin, NULL, NULL, NULL},
        {"zones of the same name in two entries stay apart", test_zones, NULL, NULL, NULL},
    };
    size_t n = 0;
    for (size_t i = 0; i < N_ELEMS(plan_cases); i++) {
        tests[n++] = (struct CMUnitTest){
            .name = plan_cases[i].name, .test_func = test_plan, .initial_state = &plan_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(singles); i++) {
        tests[n++] = singles[i];
    }
    return _cmocka_run_group_tests("records_text", tests, n, NULL, NULL);
}
