/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl records: what is asked of the daemon, what is printed, what it exits with. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"

#include "cli/records.h"

#define ARENA_BYTES   ((size_t)1 << 20)
#define EXCHANGES_MAX 10
#define ARGV_MAX      8
#define PRINTED_MAX   8192

/* --- A daemon ------------------------------------------------------------------------------- */

/* What it is asked, and what it says. */
struct exchange {
    const char *request; /* "GET /path", "POST /path BODY" */
    const char *says;    /* JSON, behind its status unless that is 200: "409 {}" */
};

/* What it has to say in this test, and what it was asked. Nothing is asserted while it speaks: the
 * standard output is elsewhere then. */
static struct {
    const struct exchange *next;
    struct pin_text asked;
} talk;

/* NOLINTBEGIN(cert-dcl51-cpp,readability-identifier-naming): the linker's names */
enum pin_ctl_exit __wrap_pin_api_order(
    const struct pin_ctl *ctl, const struct pin_api_order *order, struct pin_api_reply *ret_reply);
enum pin_ctl_exit __wrap_pin_api_fetch(
    const struct pin_ctl *ctl, const char *path, struct pin_api_reply *ret_reply);

enum pin_ctl_exit __wrap_pin_api_order(
    const struct pin_ctl *ctl, const struct pin_api_order *order, struct pin_api_reply *ret_reply)
{
    const struct exchange silence = {NULL, "500 {\"error\":\"asked too much\"}"};
    const struct exchange *exchange = talk.next->request == NULL ? &silence : talk.next++;
    (void)ctl;
    pin_text_putf(&talk.asked, "%s %s%s%s\n", order->method, order->path,
        order->body == NULL ? "" : " ", order->body == NULL ? "" : order->body);
    char *json = NULL;
    long status = strtol(exchange->says, &json, 10);
    ret_reply->status = status == 0 ? 200 : (int)status;
    pin_text_puts(&ret_reply->body, json);
    ret_reply->arena = pin_arena_new("test", ARENA_BYTES);
    if (pin_json_parse(json, strlen(json), ret_reply->arena, &ret_reply->tree, NULL) != PIN_OK) {
        pin_text_puts(&talk.asked, "and answered what is no JSON\n");
    }
    return pin_api_judge(PIN_OK, ret_reply, NULL);
}

enum pin_ctl_exit __wrap_pin_api_fetch(
    const struct pin_ctl *ctl, const char *path, struct pin_api_reply *ret_reply)
{
    return __wrap_pin_api_order(ctl, &(struct pin_api_order){"GET", path, NULL}, ret_reply);
}
/* NOLINTEND(cert-dcl51-cpp,readability-identifier-naming) */

/* --- A command ------------------------------------------------------------------------------ */

/* What a command did. */
struct outcome {
    int exit_code;
    char out[PRINTED_MAX];
    char err[PRINTED_MAX];
};

/* Puts a file in the place of a descriptor; the descriptor that was there. */
static int redirect(int fd, FILE *file)
{
    int saved = dup(fd);
    assert_true(saved >= 0);
    assert_true(dup2(fileno(file), fd) >= 0);
    return saved;
}

static void restore(int fd, int saved, FILE *file, char *ret_text)
{
    assert_true(dup2(saved, fd) >= 0);
    (void)close(saved);
    rewind(file);
    ret_text[fread(ret_text, 1, PRINTED_MAX - 1, file)] = '\0';
    (void)fclose(file);
}

static void run(const char *const *words, const struct exchange *exchanges, struct outcome *outcome)
{
    char *argv[ARGV_MAX + 2] = {(char *)(uintptr_t) "pintlectl"};
    int argc = 1;
    struct pin_ctl ctl;
    struct pin_why why = {0};
    FILE *out = tmpfile();
    FILE *err = tmpfile();
    for (; argc <= ARGV_MAX && words[argc - 1] != NULL; argc++) {
        argv[argc] = (char *)(uintptr_t)words[argc - 1];
    }
    *outcome = (struct outcome){0};
    talk.next = exchanges;
    talk.asked = (struct pin_text){0};
    assert_true(out != NULL && err != NULL);
    assert_int_equal(pin_ctl_parse(argc, argv, false, &ctl, &why), PIN_OK);
    (void)fflush(NULL);
    int saved_out = redirect(STDOUT_FILENO, out);
    int saved_err = redirect(STDERR_FILENO, err);
    outcome->exit_code = (int)ctl.command->run(&ctl);
    (void)fflush(NULL);
    restore(STDERR_FILENO, saved_err, err, outcome->err);
    restore(STDOUT_FILENO, saved_out, out, outcome->out);
}

/* --- Worlds --------------------------------------------------------------------------------- */

#define GET_ALL "GET /api/v1/records"
#define ENTRY(more)                                                                                \
    "{\"items\":[{\"records\":\"public\",\"provider\":\"rfc2136\",\"owner\":\"demo\","             \
    "\"policy\":\"sync\",\"zones\":[" more "]}]}"
#define ZONE(more) "{\"zone\":\"example.com\",\"state\":\"idle\",\"fault\":\"none\"" more "}"
#define ONE_ZONE   ENTRY(ZONE(",\"runs\":4,\"adoption\":null"))
#define UNSYNCED                                                                                   \
    "{\"items\":[{\"records\":\"public\",\"provider\":\"rfc2136\",\"owner\":\"demo\","             \
    "\"policy\":\"sync\",\"unsynced\":[\"c2\"],\"zones\":[" ZONE("") "]}]}"
#define DOWN                                                                                       \
    ENTRY("{\"zone\":\"example.com\",\"state\":\"backoff\",\"fault\":\"unreachable\","             \
          "\"error\":\"refused\",\"runs\":1}")
#define RAN  ENTRY(ZONE(",\"runs\":5,\"adoption\":null"))
#define OF   "\"records\":\"public\",\"zone\":\"example.com\""
#define HEAD "example.com: public, rfc2136, sync, owner demo\n"
#define PLAN(hash, changes, next)                                                                  \
    "{\"plans\":[{" OF ",\"hash\":\"" hash "\"}],\"changes\":[" changes "],\"conflicts\":[],"      \
    "\"next\":" next "}"
#define CREATE(name, result)                                                                       \
    "{" OF ",\"op\":\"create\",\"name\":\"" name "\",\"type\":\"A\",\"old\":null,"                 \
    "\"new\":{\"ttl\":0,\"values\":[{\"text\":\"192.0.2.1\"}]},\"result\":" result "}"
#define GET_PLAN  "GET /api/v1/records/plan"
#define OF_ZONE   "?zone=example.com"
#define NO_CHANGE PLAN("h", "", "null")
#define A_CHANGE  PLAN("h", CREATE("a.example.com", "null"), "null")
#define RUNS      "{\"items\":[{" OF ",\"runs\":4,\"ran\":4}]}"
#define ADOPTION(hash, n)                                                                          \
    ENTRY(ZONE(",\"runs\":5,\"adoption\":{\"fromOwner\":\"default\",\"hash\":\"" hash              \
               "\",\"changes\":" n "}"))
#define TAKING(changes)                                                                            \
    "{\"plans\":[{" OF ",\"adoptFrom\":\"default\"}],\"changes\":[" changes "],\"next\":null}"
#define TAKEN                                                                                      \
    "{" OF ",\"op\":\"update\",\"name\":\"a.example.com\",\"type\":\"A\",\"old\":null,"            \
    "\"new\":null,\"txts\":[{\"name\":\"a-a.example.com\",\"old\":"                                \
    "\"\\\"external-dns/owner=default\\\"\",\"new\":\"\\\"external-dns/owner=demo\\\"\"}]}"
#define POST_ADOPT "POST /api/v1/records/adopt {\"records\":\"public\",\"zone\":\"example.com\","
#define ITEM(name, state, desired, actual, more)                                                   \
    "{" OF ",\"name\":\"" name ".example.com\",\"type\":\"A\",\"setId\":\"\",\"state\":\"" state   \
    "\",\"desired\":" desired ",\"actual\":" actual ",\"sinceAgeSeconds\":12.9" more "}"
#define V1 "{\"ttl\":60,\"values\":[{\"text\":\"192.0.2.1\"}]}"
#define V2 "{\"ttl\":30,\"values\":[{\"text\":\"192.0.2.2\"}]}"

static struct run_case {
    const char *name; /* reads as a sentence in the test report */
    const char *words[ARGV_MAX + 1];
    struct exchange exchanges[EXCHANGES_MAX + 1];
    int want_exit;
    const char *want_out;
    const char *want_err;
} run_cases[] = {
    {"no changes are exit code 0", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN, NO_CHANGE}}, 0, HEAD "  no changes\n", ""},
    {"changes are exit code 2 for who asks", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN, A_CHANGE}}, 2,
        HEAD "  + a.example.com  A  192.0.2.1\n  1 to create, 0 to change, 0 to delete\n", ""},
    {"and 0 for who does not", {"records", "plan", "example.com."},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN OF_ZONE, A_CHANGE}}, 0,
        HEAD "  + a.example.com  A  192.0.2.1\n  1 to create, 0 to change, 0 to delete\n", ""},
    {"changes that are done are none", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE},
            {GET_PLAN, PLAN("h", CREATE("a.example.com", "\"applied\""), "null")}},
        0, HEAD "  no changes\n", ""},
    {"a zone without a plan is a failure", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN, "{\"plans\":[],\"changes\":[]}"}}, 1,
        HEAD "  ! no plan yet: idle\n", ""},
    {"nothing to do is not known while a cluster is missing",
        {"records", "plan", "--detailed-exitcode"}, {{GET_ALL, UNSYNCED}, {GET_PLAN, NO_CHANGE}}, 1,
        HEAD "  ! not synced yet, so that what they may want stays: c2\n  no changes\n", ""},
    {"nor when the plan is from before it was there", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE},
            {GET_PLAN, "{\"plans\":[{" OF ",\"unsynced\":[\"c2\"]}],\"changes\":[]}"}},
        1, HEAD "  ! not synced yet, so that what they may want stays: c2\n  no changes\n", ""},
    {"a plan that was made with it is good", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, UNSYNCED}, {GET_PLAN, "{\"plans\":[{" OF ",\"unsynced\":[]}],\"changes\":[]}"}},
        0, HEAD "  no changes\n", ""},
    {"but changes are changes", {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, UNSYNCED}, {GET_PLAN, A_CHANGE}}, 2,
        HEAD "  ! not synced yet, so that what they may want stays: c2\n"
             "  + a.example.com  A  192.0.2.1\n  1 to create, 0 to change, 0 to delete\n",
        ""},
    {"a daemon that finds fault with the words is no change",
        {"records", "plan", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN, "400 {\"error\":\"no such argument\"}"}}, 1, "",
        "pintlectl: no such argument\n"},
    {"a daemon without records says so", {"records", "list"},
        {{GET_ALL, "503 {\"error\":\"records is not configured\"}"}}, 1, "",
        "pintlectl: records is not configured\n"},
    {"a word that means nothing is told with what there is", {"records", "plan", "example.net"},
        {{GET_ALL, ONE_ZONE}}, 1, "",
        "pintlectl: \"example.net\" is no zone or entry of records, nor a name below a zone; "
        "zones: example.com\n"},
    {"pages are put together, and one name is picked out of them",
        {"records", "plan", "B.example.com"},
        {{GET_ALL, ONE_ZONE},
            {GET_PLAN OF_ZONE, PLAN("h", CREATE("a.example.com", "null"), "\"1 b\"")},
            {GET_PLAN OF_ZONE "&after=1%20b", PLAN("h", CREATE("b.example.com", "null"), "null")}},
        0, HEAD "  + b.example.com  A  192.0.2.1\n  1 to create, 0 to change, 0 to delete\n", ""},
    {"pages of two plans are read again", {"records", "plan"},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN, PLAN("h", CREATE("a.example.com", "null"), "\"1\"")},
            {GET_PLAN "?after=1", PLAN("i", CREATE("b.example.com", "null"), "null")},
            {GET_PLAN, NO_CHANGE}},
        0, HEAD "  no changes\n", ""},
    {"pages that repeat themselves are told", {"records", "plan"},
        {{GET_ALL, ONE_ZONE}, {GET_PLAN, PLAN("h", "", "\"1\"")},
            {GET_PLAN "?after=1", PLAN("h", "", "\"1\"")}},
        1, "", "pintlectl: the daemon's list has no end\n"},
    {"JSON is one document of all pages", {"records", "plan", "-o", "json"},
        {{GET_ALL, ENTRY(ZONE(",\"error\":\"bad key\""))},
            {GET_PLAN, "{\"plans\":[],\"changes\":[{\"a\":1}],\"next\":\"1\"}"},
            {GET_PLAN "?after=1", "{\"plans\":[],\"changes\":[{\"b\":2}],\"next\":null}"}},
        1,
        "{\"plans\":[],\"changes\":[{\"a\":1},{\"b\":2}],\"faults\":[{\"records\":\"public\","
        "\"zone\":\"example.com\",\"state\":\"idle\",\"fault\":\"none\",\"error\":\"bad key\","
        "\"hasPlan\":false}]}\n",
        ""},
    {"a run is ordered, waited for and told", {"records", "apply", "public"},
        {{GET_ALL, ONE_ZONE}, {"POST /api/v1/records/apply {\"records\":\"public\"}", RUNS},
            {GET_ALL, ONE_ZONE}, {GET_ALL, RAN},
            {GET_PLAN "?records=public",
                PLAN("h", CREATE("a.example.com", "\"applied\""), "null")}},
        0, HEAD "  + a.example.com  A  192.0.2.1\n  1 created, 0 changed, 0 deleted\n", ""},
    {"a run that follows one under way is waited for", {"records", "apply", "public"},
        {{GET_ALL, ONE_ZONE},
            {"POST /api/v1/records/apply {\"records\":\"public\"}",
                "{\"items\":[{" OF ",\"runs\":5,\"ran\":4}]}"},
            {GET_ALL, ONE_ZONE}, {GET_ALL, RAN}, {GET_ALL, ENTRY(ZONE(",\"runs\":6"))},
            {GET_PLAN "?records=public",
                PLAN("h", CREATE("a.example.com", "\"applied\""), "null")}},
        0, HEAD "  + a.example.com  A  192.0.2.1\n  1 created, 0 changed, 0 deleted\n", ""},
    {"what a run did not do is a failure", {"records", "apply"},
        {{GET_ALL, ONE_ZONE}, {"POST /api/v1/records/apply {}", RUNS}, {GET_ALL, RAN},
            {GET_PLAN, PLAN("h", CREATE("a.example.com", "\"refused\""), "null")}},
        1,
        HEAD "  + a.example.com  A  192.0.2.1  [refused]\n"
             "  0 created, 0 changed, 0 deleted; 1 not done\n",
        ""},
    {"a run that does not end is given up", {"records", "apply", "--timeout", "0s"},
        {{GET_ALL, ONE_ZONE}, {"POST /api/v1/records/apply {}", RUNS}, {GET_ALL, ONE_ZONE}}, 4, "",
        "pintlectl: example.com (public) is idle after 0 s; the run goes on without us\n"},
    {"a daemon that begins anew is told", {"records", "apply"},
        {{GET_ALL, ONE_ZONE}, {"POST /api/v1/records/apply {}", RUNS},
            {GET_ALL, ENTRY(ZONE(",\"runs\":1"))}},
        1, "", "pintlectl: example.com (public): pintled has been restarted meanwhile\n"},
    {"a zone that is gone is told", {"records", "apply"},
        {{GET_ALL, ONE_ZONE}, {"POST /api/v1/records/apply {}", RUNS}, {GET_ALL, ENTRY("")}}, 1, "",
        "pintlectl: example.com (public): pintled has been configured anew meanwhile\n"},
    {"a dry run has it planned anew, and no more",
        {"records", "apply", "--dry-run", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE}, {"POST /api/v1/records/plan {}", RUNS}, {GET_ALL, RAN},
            {GET_PLAN, A_CHANGE}},
        2, HEAD "  + a.example.com  A  192.0.2.1\n  1 to create, 0 to change, 0 to delete\n",
        "nothing was changed: this is what a run would do now\n"},
    {"a run is of zones, not of names", {"records", "apply", "a.example.com"},
        {{GET_ALL, ONE_ZONE}}, 1, "",
        "pintlectl: \"a.example.com\" is a record: say its zone, example.com, which is looked at "
        "as a whole\n"},
    {"somebody else's turn is told", {"records", "apply"},
        {{GET_ALL, ONE_ZONE},
            {"POST /api/v1/records/apply {}", "409 {\"error\":\"pintle-0 is the writer\"}"}},
        1, "", "pintlectl: pintle-0 is the writer\n"},
    {"deletions are approved where they wait", {"records", "approve", "0123456789abcdef"},
        {{GET_ALL, ENTRY(ZONE(",\"approval\":\"0123456789abcdef\"") ",{\"zone\":\"b.example\"}")},
            {"POST /api/v1/records/approve {\"records\":\"public\",\"zone\":\"example.com\","
             "\"hash\":\"0123456789abcdef\"}",
                RUNS},
            {GET_ALL, RAN}, {GET_PLAN "?records=public&zone=example.com", NO_CHANGE}},
        0, HEAD "  nothing to do\n", ""},
    {"deletions that nobody waits for are not", {"records", "approve", "0123456789abcdef"},
        {{GET_ALL, ONE_ZONE}}, 1, "",
        "pintlectl: no zone waits for 0123456789abcdef: it was approved, or the deletions are "
        "others by now (pintlectl records plan)\n"},
    {"what is no hash is a usage error", {"records", "approve", "example.com"}, {{NULL}}, 2, "",
        "pintlectl: \"example.com\" is no hash: 16 digits, as pintlectl records plan prints "
        "them\n"},
    {"taking over shows its plan and changes nothing unasked",
        {"records", "adopt", "--from-owner", "default"},
        {{GET_ALL, ONE_ZONE}, {POST_ADOPT "\"fromOwner\":\"default\"}", RUNS},
            {GET_ALL, ADOPTION("f00", "1")}, {GET_PLAN "?what=adoption", TAKING(TAKEN)}},
        1,
        HEAD "  ~ a.example.com  A  owner default => demo\n"
             "  0 to create, 1 to change, 0 to delete\n",
        "pintlectl: nothing is changed; --yes takes them over\n"},
    {"and is done with the plan's hash", {"records", "adopt", "--from-owner", "default", "--yes"},
        {{GET_ALL, ONE_ZONE}, {POST_ADOPT "\"fromOwner\":\"default\"}", RUNS},
            {GET_ALL, ADOPTION("f00", "1")}, {GET_PLAN "?what=adoption", TAKING(TAKEN)},
            {POST_ADOPT "\"hash\":\"f00\",\"fromOwner\":\"default\"}", RUNS}, {GET_ALL, RAN}},
        0,
        HEAD "  ~ a.example.com  A  owner default => demo\n"
             "  0 to create, 1 to change, 0 to delete\n",
        "1 record is taken over; pintlectl records plan shows what comes next\n"},
    {"a plan that has changed meanwhile is not done",
        {"records", "adopt", "--from-owner", "default", "--yes"},
        {{GET_ALL, ONE_ZONE}, {POST_ADOPT "\"fromOwner\":\"default\"}", RUNS},
            {GET_ALL, ADOPTION("f00", "1")}, {GET_PLAN "?what=adoption", TAKING(TAKEN)},
            {POST_ADOPT "\"hash\":\"f00\",\"fromOwner\":\"default\"}", RUNS},
            {GET_ALL, ADOPTION("f11", "2")}},
        1,
        HEAD "  ~ a.example.com  A  owner default => demo\n"
             "  0 to create, 1 to change, 0 to delete\n",
        "pintlectl: example.com (public): what is to be taken over has changed meanwhile, so "
        "nothing was: look at it again\n"},
    {"nothing to take over is no failure", {"records", "adopt", "--from-owner", "default"},
        {{GET_ALL, ONE_ZONE}, {POST_ADOPT "\"fromOwner\":\"default\"}", RUNS},
            {GET_ALL, ADOPTION("f00", "0")}, {GET_PLAN "?what=adoption", TAKING("")}},
        0, HEAD "  no changes\n", "nothing that is wanted here belongs to owner \"default\"\n"},
    {"a zone that cannot be read is not taken over", {"records", "adopt", "--from-owner", "x"},
        {{GET_ALL, ONE_ZONE}, {POST_ADOPT "\"fromOwner\":\"x\"}", RUNS},
            {GET_ALL, "{\"items\":[{\"records\":\"public\",\"zones\":[{\"zone\":\"example.com\","
                      "\"runs\":5,\"fault\":\"denied\",\"error\":\"bad key\"}]}]}"}},
        1, "", "pintlectl: example.com (public): denied: bad key\n"},
    {"a list is a row for each record", {"records", "list", "public"},
        {{GET_ALL, ONE_ZONE}, {"GET /api/v1/records/list?records=public",
                                  "{\"items\":[" ITEM("a", "ready", V1, V1,
                                      ",\"owner\":\"demo\",\"objects\":["
                                      "{\"cluster\":\"c1\",\"kind\":\"service\",\"namespace\":"
                                      "\"x\",\"name\":\"y\"},"
                                      "{\"cluster\":\"c2\",\"kind\":\"service\",\"namespace\":"
                                      "\"x\",\"name\":\"y\"}]") "," ITEM("b", "conflict", V2, V1,
                                      ",\"conflict\":\"foreign\",\"error\":\"no\"") "],\"next\":"
                                                                                    "null}"}},
        0,
        "NAME          TYPE VALUES    OWNER STATE    SINCE OBJECT               ERROR\n"
        "a.example.com A    192.0.2.1 demo  ready     12 s service/x/y in c1,c2 -\n"
        "b.example.com A    192.0.2.2 -     conflict  12 s -                    foreign: no\n",
        ""},
    {"a list of one name asks for it", {"records", "list", "a.example.com"},
        {{GET_ALL, ONE_ZONE},
            {"GET /api/v1/records/list?zone=example.com&name=a.example.com", "{\"items\":[]}"}},
        0, "", "no records\n"},
    {"drift is what differs and why, and what others did", {"records", "drift"},
        {{GET_ALL, ONE_ZONE},
            {"GET /api/v1/records/list",
                "{\"items\":[" ITEM("a", "ready", V1, V1, "") "," ITEM("b", "refused", V1, "null",
                    ",\"error\":\"no\"") "," ITEM("c", "kept", "null", V2, "") "]}"},
            {"GET /api/v1/records/drift",
                "{\"items\":[{" OF ",\"name\":\"a.example.com\",\"type\":\"A\",\"expected\":" V1
                ",\"found\":" V2 ",\"ageSeconds\":30.0,\"isRepaired\":true}]}"}},
        0,
        "NAME          TYPE WANTED    THERE     SINCE WHY\n"
        "b.example.com A    192.0.2.1 -          12 s refused by the provider: no\n"
        "c.example.com A    -         192.0.2.2  12 s wanted by nobody, kept\n"
        "\nwhat others changed, newest first:\n"
        "NAME          TYPE LEFT              FOUND              AGO REPAIRED\n"
        "a.example.com A    192.0.2.1; ttl 60 192.0.2.2; ttl 30 30 s yes\n",
        ""},
    {"no drift is said", {"records", "drift", "--detailed-exitcode"},
        {{GET_ALL, ONE_ZONE}, {"GET /api/v1/records/list", "{\"items\":[]}"},
            {"GET /api/v1/records/drift", "{\"items\":[]}"}},
        0, "all records are as wanted\n", ""},
    {"no drift is not said of a zone that could not be read",
        {"records", "drift", "--detailed-exitcode"},
        {{GET_ALL, DOWN}, {"GET /api/v1/records/list", "{\"items\":[]}"},
            {"GET /api/v1/records/drift", "{\"items\":[]}"}},
        1, "", "pintlectl: example.com (public): unreachable: refused\n"},
    {"nor of one that has not been read yet", {"records", "drift"},
        {{GET_ALL, ENTRY(ZONE(",\"runs\":0"))}, {"GET /api/v1/records/list", "{\"items\":[]}"},
            {"GET /api/v1/records/drift", "{\"items\":[]}"}},
        1, "", "pintlectl: example.com (public): not read yet\n"},
    {"a list says so, too", {"records", "list"},
        {{GET_ALL, DOWN}, {"GET /api/v1/records/list", "{\"items\":[]}"}}, 1, "",
        "no records\npintlectl: example.com (public): unreachable: refused\n"},
    {"drift as JSON holds what differs alone",
        {"records", "drift", "--detailed-exitcode", "-o", "json"},
        {{GET_ALL, ONE_ZONE},
            {"GET /api/v1/records/list",
                "{\"items\":[{\"state\":\"ready\"},{\"state\":\"kept\"}]}"},
            {"GET /api/v1/records/drift", "{\"items\":[]}"}},
        2, "{\"differences\":[{\"state\":\"kept\"}],\"found\":[]}\n", ""},
};

static void test_run(void **state)
{
    const struct run_case *c = *state;
    struct outcome outcome;
    struct pin_text want = {0};
    for (const struct exchange *exchange = c->exchanges; exchange->request != NULL; exchange++) {
        pin_text_putf(&want, "%s\n", exchange->request);
    }
    run(c->words, c->exchanges, &outcome);
    assert_string_equal(pin_text_get(&talk.asked), pin_text_get(&want));
    assert_string_equal(outcome.err, c->want_err);
    assert_string_equal(outcome.out, c->want_out);
    assert_int_equal(outcome.exit_code, c->want_exit);
    pin_text_done(&talk.asked);
    pin_text_done(&want);
}

/* --- Words ---------------------------------------------------------------------------------- */

static struct word_case {
    const char *name;
    const char *word;
    const char *want; /* "ENTRY ZONE NAME", "": it means nothing */
} word_cases[] = {
    {"no word is all", NULL, "  "},
    {"an entry is an entry", "public", "public  "},
    {"a zone is a zone", "example.com", " example.com "},
    {"letters and the last dot do not matter", "Example.COM.", " example.com "},
    {"a name is in the longest zone above", "a.b.sub.example.com",
        " sub.example.com a.b.sub.example.com"},
    {"a zone is not above what ends like it", "badexample.com", ""},
    {"nor where its dot is an escaped one", "bad\\.example.com", ""},
    {"an entry called like a zone is the zone", "twice.example", " twice.example "},
    {"an entry called like a name is the entry", "www.example.com", "www.example.com  "},
    {"nothing is no name", "", ""},
    {"a dot is no name below anything", ".", ""},
};

static void test_word(void **state)
{
    const struct word_case *c = *state;
    static const char overview[] =
        "{\"items\":[{\"records\":\"public\",\"zones\":[{\"zone\":\"example.com\"},{\"zone\":"
        "\"sub.example.com\"}]},{\"records\":\"twice.example\",\"zones\":[{\"zone\":\"example."
        "com\"}"
        ",{\"zone\":\"twice.example\"},{}]},{\"records\":\"www.example.com\"}]}";
    struct pin_arena *arena = pin_arena_new("test", ARENA_BYTES);
    struct pin_tree *tree = NULL;
    struct pin_records_scope scope;
    struct pin_text got = {0};
    assert_int_equal(pin_json_parse(overview, sizeof(overview) - 1, arena, &tree, NULL), PIN_OK);
    if (pin_records_choose(pin_tree_list(tree, "items"), c->word, &scope, NULL) == PIN_OK) {
        pin_text_putf(&got, "%s %s %s", scope.entry, scope.zone, scope.name);
    }
    assert_string_equal(pin_text_get(&got), c->want);
    pin_text_done(&got);
    pin_arena_free(arena);
}

#define ADD(list, fn)                                                                              \
    for (size_t i = 0; i < N_ELEMS(list); i++) {                                                   \
        tests[n++] = (struct CMUnitTest){                                                          \
            .name = (list)[i].name, .test_func = (fn), .initial_state = &(list)[i]};               \
    }

int main(void)
{
    static struct CMUnitTest tests[N_ELEMS(run_cases) + N_ELEMS(word_cases)];
    size_t n = 0;
    ADD(run_cases, test_run)
    ADD(word_cases, test_word)
    return _cmocka_run_group_tests("records", tests, n, NULL, NULL);
}
