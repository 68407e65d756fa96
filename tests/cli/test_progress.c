/* SPDX-License-Identifier: Apache-2.0 */

/* What is said while clusters are waited for: each news once, and the way out of what is wrong. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"

#include "cli/progress.h"

#define ARENA_BYTES ((size_t)1 << 20)

/* Both pages, of clusters whose items these are. */
#define STATUS(ready, items) "{\"ready\":" ready ",\"clusters\":{\"items\":[" items "]}}"
#define SOURCES(items)       "{\"items\":[" items "]}"
#define ITEM(name, up, synced, more)                                                               \
    "{\"name\":\"" name "\",\"source\":\"context " name "\",\"up\":" up ",\"synced\":" synced more \
    "}"
#define SOURCE(name, more) "{\"name\":\"" name "\"," more "}"
#define WELL(name)         ITEM(name, "true", "true", "")
#define WELL_SOURCE(name)                                                                          \
    SOURCE(name, "\"synced\":true,\"syncSeconds\":1.24,\"kinds\":[{\"kind\":\"Service\","          \
                 "\"state\":\"listed\",\"objects\":4},{\"kind\":\"Node\",\"state\":\"listed\","    \
                 "\"objects\":2}]")
#define ERROR ",\"error\":\"cannot reach it\",\"hint\":\"look at it\""

struct pages {
    struct pin_arena *arena;
    struct pin_progress_view view;
};

static struct pages read_pages(const char *status, const char *clusters)
{
    struct pages pages = {.arena = pin_arena_new("test", ARENA_BYTES)};
    const char *texts[] = {status, clusters};
    struct pin_tree *trees[2] = {NULL};
    for (size_t i = 0; i < 2; i++) {
        struct pin_why why = {0};
        if (texts[i] != NULL
            && pin_json_parse(texts[i], strlen(texts[i]), pages.arena, &trees[i], &why) != PIN_OK) {
            fail_msg("%s in %s", why.text, texts[i]);
        }
    }
    pages.view.status = trees[0];
    pages.view.clusters = trees[1];
    return pages;
}

/* Adds what is written of these pages at that time; `problem` may be NULL. */
static void put(struct pin_progress *self, const char *status, const char *clusters, int64_t now_ms,
    struct pin_text *out)
{
    struct pages pages = read_pages(status, clusters);
    pages.view.now_ms = now_ms;
    pin_progress_put(self, &pages.view, out);
    pin_arena_free(pages.arena);
}

/* --- One line ------------------------------------------------------------------------------- */

static struct line_case {
    const char *name; /* reads as a sentence in the test report */
    const char *item;
    const char *source; /* NULL: that page was not to be had */
    const char *want;
} line_cases[] = {
    {"a cluster that is served says how long it took", WELL("c1"), WELL_SOURCE("c1"),
        "c1: up: synced in 1.2 s, 6 objects\n"},
    {"a sum of what cannot be is as large as it gets", WELL("c1"),
        SOURCE("c1", "\"synced\":true,\"kinds\":[{\"objects\":9000000000000000000},"
                     "{\"objects\":9000000000000000000}]"),
        "c1: up: synced, 9223372036854775807 objects\n"},
    {"a cluster that has not answered is waited for", ITEM("c1", "false", "false", ""),
        SOURCE("c1", "\"kinds\":[{\"kind\":\"Service\",\"state\":\"waiting\"}]"),
        "c1: waiting for the first answer (context c1)\n"},
    {"lists under way are counted, against the whole where it is known",
        ITEM("c1", "true", "false", ""),
        SOURCE("c1", "\"kinds\":[{\"kind\":\"Service\",\"state\":\"listing\",\"read\":300},"
                     "{\"kind\":\"EndpointSlice\",\"state\":\"listing\",\"read\":8000,"
                     "\"expected\":50000},{\"kind\":\"Node\",\"state\":\"listed\",\"objects\":2}]"),
        "c1: listing: Service 300, EndpointSlice 8000 of 50000; 1 kinds listed\n"},
    {"of many lists some are named", ITEM("c1", "true", "false", ""),
        SOURCE("c1", "\"kinds\":[{\"kind\":\"A\",\"state\":\"listing\"},{\"kind\":\"B\","
                     "\"state\":\"listing\"},{\"kind\":\"C\",\"state\":\"listing\"},"
                     "{\"kind\":\"D\",\"state\":\"listing\"},{\"kind\":\"E\","
                     "\"state\":\"listing\"}]"),
        "c1: listing: A, B, C and 2 more; 0 kinds listed\n"},
    {"what was listed is still to be answered with", ITEM("c1", "true", "false", ""),
        SOURCE("c1", "\"synced\":true"), "c1: listed: answers are being made of what was listed\n"},
    {"a cluster out of reach says since when, why and what to do",
        ITEM("c1", "false", "true", ERROR), SOURCE("c1", "\"errorAgeSeconds\":12.7"),
        "c1: down for 12 s: cannot reach it; to do: look at it\n"},
    {"one that was never seen does so too", ITEM("c1", "false", "false", ERROR),
        SOURCE("c1", "\"errorAgeSeconds\":300"),
        "c1: down for 5 min: cannot reach it; to do: look at it\n"},
    {"without the sources' page the error is all there is", ITEM("c1", "false", "false", ERROR),
        NULL, "c1: down: cannot reach it; to do: look at it\n"},
    {"a kind that may not be read keeps a cluster from being whole",
        ITEM("c1", "true", "false", ",\"error\":\"403\",\"hint\":\"\""),
        SOURCE("c1", "\"kinds\":[{\"kind\":\"Service\",\"state\":\"forbidden\"}],"
                     "\"errorAgeSeconds\":3"),
        "c1: incomplete for 3 s: 403\n"},
    {"what is wrong with one kind does not hide the others' lists",
        ITEM("c1", "true", "false", ",\"error\":\"403\",\"hint\":\"bind\""),
        SOURCE("c1", "\"kinds\":[{\"kind\":\"Node\",\"state\":\"listing\",\"read\":1}]"),
        "c1: listing: Node 1; 0 kinds listed; 403; to do: bind\n"},
    {"a list that is held is told of a cluster that is up", WELL("c1"),
        SOURCE("c1", "\"synced\":true,\"syncSeconds\":2,\"kinds\":[{\"kind\":\"Service\","
                     "\"state\":\"held\",\"objects\":1}]"),
        "c1: up: synced in 2.0 s, 1 objects; held until a second list confirms what they lack: "
        "Service\n"},
};

static void test_line(void **state)
{
    const struct line_case *c = *state;
    struct pin_text status = {0};
    struct pin_text clusters = {0};
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(PIN_PROGRESS_LINES, false);
    pin_text_putf(&status, "{\"ready\":true,\"clusters\":{\"items\":[%s]}}", c->item);
    pin_text_putf(&clusters, "{\"items\":[%s]}", c->source != NULL ? c->source : "");
    put(self, pin_text_get(&status), c->source != NULL ? pin_text_get(&clusters) : NULL, 0, &out);
    assert_string_equal(pin_text_get(&out), c->want);
    pin_text_done(&status);
    pin_text_done(&clusters);
    pin_text_done(&out);
    pin_progress_free(self);
}

/* --- What is news --------------------------------------------------------------------------- */

#define LISTING(read)                                                                              \
    STATUS("false", ITEM("c1", "true", "false", "")),                                              \
        SOURCES(SOURCE(                                                                            \
            "c1", "\"kinds\":[{\"kind\":\"Node\",\"state\":\"listing\",\"read\":" read "}]"))
#define DOWN(age)                                                                                  \
    STATUS("false",                                                                                \
        ITEM("c1", "false", "false", ",\"error\":\"no answer in " age " ms\",\"hint\":\"look\"")), \
        SOURCES(SOURCE("c1", "\"errorAgeSeconds\":" age))

static void test_news(void **state)
{
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(PIN_PROGRESS_LINES, false);
    (void)state;
    put(self, DOWN("1"), 0, &out);
    put(self, DOWN("60"), 60000, &out); /* older, and no other trouble */
    put(self, LISTING("1"), 61000, &out);
    put(self, LISTING("500"), 62000, &out);  /* too soon */
    put(self, LISTING("1000"), 66000, &out); /* now and then */
    put(self, LISTING("1000"), 90000, &out); /* nothing has come */
    put(self, STATUS("true", WELL("c1")), SOURCES(WELL_SOURCE("c1")), 91000, &out);
    put(self, STATUS("true", WELL("c1")), SOURCES(WELL_SOURCE("c1")), 92000, &out);
    assert_string_equal(pin_text_get(&out), "c1: down for 1 s: no answer in 1 ms; to do: look\n"
                                            "c1: listing: Node 1; 0 kinds listed\n"
                                            "c1: listing: Node 1000; 0 kinds listed\n"
                                            "c1: up: synced in 1.2 s, 6 objects\n");
    pin_text_done(&out);
    pin_progress_free(self);
}

static void test_problem(void **state)
{
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(PIN_PROGRESS_LINES, false);
    struct pin_progress_view view = {.problem = "nobody listens"};
    (void)state;
    pin_progress_put(self, &view, &out);
    pin_progress_put(self, &view, &out);
    pin_progress_put_missing(&view, &out);
    assert_string_equal(pin_text_get(&out), "waiting: nobody listens\nnobody listens");
    pin_text_done(&out);
    pin_progress_free(self);
}

static void test_json(void **state)
{
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(PIN_PROGRESS_JSON, true);
    (void)state;
    put(self, DOWN("1.5"), 0, &out);
    put(self, DOWN("2.5"), 1000, &out);
    put(self, LISTING("7"), 2000, &out);
    assert_string_equal(pin_text_get(&out),
        "{\"cluster\":\"c1\",\"state\":\"down\",\"read\":0,\"syncSeconds\":null,"
        "\"error\":\"no answer in 1.5 ms\",\"errorAgeSeconds\":1.5,\"hint\":\"look\","
        "\"kinds\":[]}\n"
        "{\"cluster\":\"c1\",\"state\":\"listing\",\"read\":7,\"syncSeconds\":null,"
        "\"error\":null,\"errorAgeSeconds\":null,\"hint\":null,\"kinds\":[{\"group\":null,"
        "\"kind\":\"Node\",\"state\":\"listing\",\"objects\":null,\"read\":7,\"expected\":null}]}"
        "\n");
    pin_text_done(&out);
    pin_progress_free(self);
}

/* --- The screen ----------------------------------------------------------------------------- */

static void test_screen(void **state)
{
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(PIN_PROGRESS_SCREEN, true);
    (void)state;
    pin_progress_set_screen(self, 24, 20);
    put(self, DOWN("1"), 0, &out);
    put(self, STATUS("true", WELL("c1")), SOURCES(WELL_SOURCE("c1")), 200, &out);
    pin_progress_clear(self, &out);
    pin_progress_clear(self, &out);
    assert_string_equal(pin_text_get(&out),
        "c1: \033[31mdown\033[0m for 1 s: n\033[K\n\033[J" /* cut, and the colour ends */
        "\033[1A\rc1: \033[32mup\033[0m: synced in 1\033[K\n\033[J"
        "\033[1A\r\033[J");
    pin_text_done(&out);
    pin_progress_free(self);
}

static void test_small_screen(void **state)
{
    static const char status[] =
        STATUS("false", WELL("c1") "," ITEM("c2", "false", "false", "") "," WELL("c3") "," ITEM(
                            "c4", "false", "true", ",\"error\":\"x\""));
    struct pin_text out = {0};
    struct pin_progress *self = pin_progress_new(PIN_PROGRESS_SCREEN, false);
    (void)state;
    pin_progress_set_screen(self, 5, 12);
    put(self, status, NULL, 0, &out);
    assert_string_equal(pin_text_get(&out), "c4: down: x\033[K\nc2: waiting\033[K\n"
                                            "c1: up: syn\033[K\nand 1 clusters more\033[K\n\033[J");
    pin_text_done(&out);
    pin_progress_free(self);
}

/* --- What is missing ------------------------------------------------------------------------ */

static struct missing_case {
    const char *name; /* reads as a sentence in the test report */
    const char *status;
    const char *clusters;
    bool is_well;
    const char *want;
} missing_cases[] = {
    {"each cluster that is not served is named, with its reason",
        STATUS("false",
            ITEM("c1", "false", "true", ERROR) "," WELL("c2") "," ITEM("c3", "true", "false", "")),
        SOURCES(SOURCE("c1", "\"errorAgeSeconds\":9") "," SOURCE(
            "c3", "\"kinds\":[{\"kind\":\"Node\",\"state\":\"listing\"}]")),
        false,
        "c1 is down for 9 s (cannot reach it; to do: look at it), c3 is listing (Node; 0 kinds "
        "listed)"},
    {"a daemon that is not ready though its clusters are served says so",
        STATUS("false", WELL("c1")), SOURCES(WELL_SOURCE("c1")), false,
        "pintled itself is not ready, /readyz?verbose says why"},
    {"a ready daemon with a cluster that is not listed is not well",
        STATUS("true", ITEM("c1", "true", "false", "")), SOURCES(""), false,
        "c1 is waiting (for the first answer (context c1))"},
    {"ready, listed and within reach is well", STATUS("true", WELL("c1")), SOURCES(""), true,
        "pintled itself is not ready, /readyz?verbose says why"},
};

static void test_missing(void **state)
{
    const struct missing_case *c = *state;
    struct pages pages = read_pages(c->status, c->clusters);
    struct pin_text out = {0};
    pin_progress_put_missing(&pages.view, &out);
    assert_string_equal(pin_text_get(&out), c->want);
    assert_int_equal(pin_progress_is_well(pages.view.status), c->is_well);
    pin_text_done(&out);
    pin_arena_free(pages.arena);
}

int main(void)
{
    struct CMUnitTest tests[5 + N_ELEMS(line_cases) + N_ELEMS(missing_cases)] = {
        cmocka_unit_test(test_news), cmocka_unit_test(test_problem), cmocka_unit_test(test_json),
        cmocka_unit_test(test_screen), cmocka_unit_test(test_small_screen)};
    struct CMUnitTest *next = tests + 5;
    for (size_t i = 0; i < N_ELEMS(line_cases); i++) {
        *next++ = (struct CMUnitTest){line_cases[i].name, test_line, NULL, NULL, &line_cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(missing_cases); i++) {
        *next++ =
            (struct CMUnitTest){missing_cases[i].name, test_missing, NULL, NULL, &missing_cases[i]};
    }
    return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
