/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Streams that are cut at every byte: what is known afterwards is what it would have been.
 *
 * The server is this file: it knows a list and the events that follow, one resourceVersion each,
 * answers the watch's requests with them, and lets the connection break where the test says. HTTP
 * and timers are this file's own, so thousands of runs take no time.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "sync/decode.h"
#include "sync/http.h"
#include "sync/source.h"
#include "sync/watch.h"

#define FIRST_VERSION 100 /* Of the list; each event has the next. */
#define N_EVENTS      28
#define STEPS_MAX     64
#define NO_CUT        SIZE_MAX
#define STATUS_OK     200

struct pin_http_transfer {
    struct pin_http_request request;
    char *path;
};

struct pin_timer {
    pin_loop_fn *fn;
    void *arg;
    bool is_running;
};

static struct {
    struct pin_http_transfer transfer;
    bool has_transfer;
    struct pin_timer timers[2];
    size_t n_timers;
    struct pin_map objects; /* "d/name" -> anything, as the deltas say. */
    struct pin_map named;   /* By the list in progress. */
    size_t n_deltas, n_lists;
    bool in_list;
} scene;

/* --- HTTP, timers, sink --------------------------------------------------------------------- */

enum pin_err pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why)
{
    (void)http;
    (void)why;
    assert_false(scene.has_transfer);
    scene.has_transfer = true;
    free(scene.transfer.path);
    scene.transfer = (struct pin_http_transfer){.request = *request, .path = strdup(request->path)};
    *ret_transfer = &scene.transfer;
    return PIN_OK;
}

void pin_http_cancel(struct pin_http_transfer *transfer)
{
    scene.has_transfer = scene.has_transfer && transfer == NULL;
}

void pin_http_pause(struct pin_http_transfer *transfer)
{
    (void)transfer;
}

void pin_http_resume(struct pin_http_transfer *transfer)
{
    (void)transfer;
}

struct pin_timer *pin_timer_new(struct pin_loop *loop, pin_loop_fn *fn, void *arg)
{
    (void)loop;
    assert_true(scene.n_timers < N_ELEMS(scene.timers));
    struct pin_timer *timer = &scene.timers[scene.n_timers++];
    *timer = (struct pin_timer){.fn = fn, .arg = arg};
    return timer;
}

void pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat)
{
    (void)ms;
    (void)repeat;
    timer->is_running = true;
}

void pin_timer_stop(struct pin_timer *timer)
{
    timer->is_running = false;
}

bool pin_timer_is_running(const struct pin_timer *timer)
{
    return timer->is_running;
}

void pin_timer_free(struct pin_timer *timer)
{
    timer->is_running = false;
}

static void put(struct pin_map *map, const char *name)
{
    assert_true(pin_map_put(map, name, strlen(name), &scene, NULL));
}

/* What the catalog does with them. */
static bool push(void *arg, struct pin_delta *delta)
{
    const char *key = NULL;
    size_t bytes = 0;
    size_t cursor = 0;
    (void)arg;
    scene.n_deltas++;
    switch (delta->op) {
    case PIN_DELTA_LIST_BEGIN:
        pin_map_done(&scene.named, NULL);
        scene.in_list = true;
        break;
    case PIN_DELTA_UPSERT:
        put(&scene.objects, delta->object->name);
        put(&scene.named, delta->object->name);
        break;
    case PIN_DELTA_DELETE:
        (void)pin_map_remove(&scene.objects, delta->name, strlen(delta->name));
        break;
    case PIN_DELTA_LIST_END:
        assert_true(scene.in_list);
        scene.in_list = false;
        scene.n_lists++;
        while (pin_map_next(&scene.objects, &cursor, &key, &bytes, NULL)) {
            if (pin_map_find(&scene.named, key, bytes) == NULL) {
                (void)pin_map_remove(&scene.objects, key, bytes);
            }
        }
        break;
    default:
        fail_msg("delta %d", delta->op);
    }
    pin_delta_free(delta);
    return true;
}

static void on_event(struct pin_watch_host *host, const struct pin_kind_row *row,
    enum pin_watch_event event, const struct pin_http_result *result)
{
    (void)host;
    (void)row;
    (void)event;
    (void)result;
}

/* --- The server ----------------------------------------------------------------------------- */

static void put_object(struct pin_text *out, const char *name, int version)
{
    pin_text_putf(out,
        "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"d\",\"resourceVersion\":\"%d\","
        "\"annotations\":{\"a\":\"with \\\"quotes\\\", {braces} and \\\\n\"}},\"spec\":{}}",
        name, version);
}

/* Event i: three names come, change and go in turn, another one stays. */
static const char *event_type(int i)
{
    static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
    return types[(unsigned)i % 3];
}

static void event_name(int i, char name[16])
{
    (void)snprintf(name, 16, i == N_EVENTS - 1 ? "last" : "n%d", i / 3);
}

static void put_event(struct pin_text *out, int i)
{
    char name[16];
    event_name(i, name);
    pin_text_putf(out, "{\"type\":\"%s\",\"object\":", i == N_EVENTS - 1 ? "ADDED" : event_type(i));
    put_object(out, name, FIRST_VERSION + 1 + i);
    pin_text_puts(out, "}\n");
}

static void put_initial(struct pin_text *out)
{
    static const char *const names[] = {"a", "b"};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        pin_text_puts(out, "{\"type\":\"ADDED\",\"object\":");
        put_object(out, names[i], (int)i + 1);
        pin_text_puts(out, "}\n");
    }
    pin_text_putf(out,
        "{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{\"resourceVersion\":\"%d\","
        "\"annotations\":{\"k8s.io/initial-events-end\":\"true\"}}}}\n",
        FIRST_VERSION);
}

/* The whole true answer to the request in flight. */
static void put_answer(struct pin_text *out)
{
    const char *path = scene.transfer.path;
    const char *version = strstr(path, "resourceVersion=");
    int from = version == NULL ? 0 : (int)strtol(version + 16, NULL, 10);
    if (strstr(path, "watch=1") == NULL) {
        pin_text_puts(out, "{\"metadata\":{\"resourceVersion\":\"100\"},\"items\":[");
        put_object(out, "a", 1);
        pin_text_puts(out, ",");
        put_object(out, "b", 2);
        pin_text_puts(out, "]}");
        return;
    }
    if (strstr(path, "sendInitialEvents") != NULL) {
        put_initial(out);
        from = FIRST_VERSION;
    }
    assert_true(from >= FIRST_VERSION);
    for (int i = from - FIRST_VERSION; i < N_EVENTS; i++) {
        put_event(out, i);
    }
}

/* Ends the request after `cut` bytes of its answer; NO_CUT: when all of it was given. */
static void answer(size_t cut, size_t portion)
{
    struct pin_text text = {0};
    put_answer(&text);
    size_t bytes = PIN_MIN(cut, text.len);
    for (size_t at = 0; at < bytes && scene.has_transfer; at += portion) {
        size_t n = PIN_MIN(portion, bytes - at);
        scene.transfer.request.on_body(scene.transfer.request.arg, text.ptr + at, n);
    }
    if (scene.has_transfer) {
        struct pin_http_request request = scene.transfer.request;
        const struct pin_http_result result = {
            .fault = cut < text.len ? PIN_HTTP_CLOSED : PIN_HTTP_NONE,
            .status = STATUS_OK,
            .retry_after_ms = -1,
            .message = "cut"};
        scene.has_transfer = false;
        request.on_done(request.arg, &result);
    }
    pin_text_done(&text);
}

/* --- Runs ----------------------------------------------------------------------------------- */

struct rig {
    struct pin_source source;
    struct pin_watch_host host;
    struct pin_watch *watch;
};

static const struct pin_sync_sink sink = {.push = push};

static void rig_open(struct rig *self, bool streams)
{
    static const struct pin_source_ops no_ops = {0};
    const struct pin_source_spec spec = {.cluster = "c1", .kind = PIN_SOURCE_CONTEXT};
    memset(&scene, 0, sizeof(scene));
    *self = (struct rig){0};
    assert_true(pin_source_init(&self->source, &no_ops, NULL, &spec, &sink, strdup("context c1")));
    self->host = (struct pin_watch_host){.source = &self->source,
        .arena = pin_arena_new("test", (size_t)64 << 20),
        .on_event = on_event,
        .no_streams = !streams};
    self->watch = pin_watch_new(&self->host, pin_decode_row(PIN_KIND_SERVICE));
    assert_non_null(self->watch);
    pin_watch_start(self->watch, "v1", 0);
}

static void rig_close(struct rig *self)
{
    pin_watch_free(self->watch);
    pin_source_done(&self->source);
    pin_arena_free(self->host.arena);
    pin_map_done(&scene.objects, NULL);
    pin_map_done(&scene.named, NULL);
    free(scene.transfer.path);
    scene.transfer.path = NULL;
}

/* Runs the timer, so that a request is in flight. */
static void next_request(void)
{
    for (int i = 0; i < STEPS_MAX && !scene.has_transfer; i++) {
        assert_true(scene.timers[0].is_running);
        scene.timers[0].is_running = false;
        scene.timers[0].fn(scene.timers[0].arg);
    }
    assert_true(scene.has_transfer);
}

/* All events have come: "a", "b" and "last" are left, the others have come and gone. */
static void assert_final(size_t cut)
{
    bool is_right = pin_map_count(&scene.objects) == 3
                    && pin_map_find(&scene.objects, "a", 1) != NULL
                    && pin_map_find(&scene.objects, "b", 1) != NULL
                    && pin_map_find(&scene.objects, "last", 4) != NULL;
    if (!is_right) {
        fail_msg("cut at byte %zu: %zu objects", cut, pin_map_count(&scene.objects));
    }
}

/* The first `n_whole` requests are answered, the next one is cut, then all go on. */
static size_t run_cuts(bool streams, unsigned n_whole)
{
    size_t n_bytes = 1;
    for (size_t cut = 0; cut < n_bytes; cut++) {
        struct rig rig;
        struct pin_text text = {0};
        rig_open(&rig, streams);
        for (unsigned i = 0; i < n_whole; i++) {
            next_request();
            answer(NO_CUT, SIZE_MAX / 2);
        }
        next_request();
        put_answer(&text);
        n_bytes = text.len;
        pin_text_done(&text);
        answer(cut, 1 + cut % 97);
        for (int i = 0; i < 3; i++) { /* a list again, perhaps, its watch, and one more */
            next_request();
            answer(NO_CUT, 1 + cut % 251);
        }
        assert_final(cut);
        assert_int_equal(scene.n_lists, 1);
        assert_int_equal(rig.source.stats.kinds[PIN_KIND_SERVICE].n_objects, 3);
        rig_close(&rig);
    }
    return n_bytes;
}

static void test_a_watch_cut_at_any_byte_goes_on_without_loss(void **state)
{
    (void)state;
    assert_true(run_cuts(false, 1) >= 4096); /* list, then the watch that is cut */
}

static void test_a_list_cut_at_any_byte_is_no_list(void **state)
{
    (void)state;
    (void)run_cuts(false, 0);
}

static void test_a_streamed_list_cut_at_any_byte_ends_right(void **state)
{
    (void)state;
    assert_true(run_cuts(true, 0) >= 4096);
}

/* A page that is empty and leads to another one, always. */
static void test_a_list_that_never_ends_is_given_up(void **state)
{
    struct rig rig;
    uint64_t n_pages = 0;
    (void)state;
    rig_open(&rig, false);
    while (rig.source.stats.kinds[PIN_KIND_SERVICE].n_broken == 0) {
        char page[128];
        next_request();
        int n = snprintf(page, sizeof(page),
            "{\"metadata\":{\"resourceVersion\":\"100\",\"continue\":\"t%llu\"},\"items\":[]}",
            (unsigned long long)++n_pages);
        scene.transfer.request.on_body(scene.transfer.request.arg, page, (size_t)n);
        assert_true(scene.has_transfer);
        struct pin_http_request request = scene.transfer.request;
        const struct pin_http_result result = {
            .status = STATUS_OK, .retry_after_ms = -1, .message = ""};
        scene.has_transfer = false;
        request.on_done(request.arg, &result);
        assert_true(n_pages <= 20000);
    }
    assert_int_equal(scene.n_lists, 0);
    next_request();
    answer(NO_CUT, SIZE_MAX / 2);
    assert_int_equal(scene.n_lists, 1);
    rig_close(&rig);
}

/* --- Odd events ----------------------------------------------------------------------------- */

#define GOOD_META           "\"metadata\":{\"name\":\"odd\",\"namespace\":\"d\",\"resourceVersion\":\"100\""
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":{" object "}}"

/* Lines before the events of a watch. What they say of "odd" is taken back by the last one. */
static const struct odd_case {
    const char *name;
    const char *head, *again, *tail; /* One line: `again` is repeated. */
    size_t n_again;
    bool is_bad; /* Counted as unreadable. */
    char raw;    /* Put in place of the "x" of "axb", when it is not 0. */
} odd_cases[] = {
    {"an object that comes twice", EVENT("ADDED", GOOD_META "}"),
        "\n" EVENT("ADDED", GOOD_META "}"), "", 1, false, 0},
    {"a change of what was never added", EVENT("MODIFIED", GOOD_META "}"), "", "", 0, false, 0},
    {"an end of what nobody knows", EVENT("DELETED", GOOD_META "}"), "", "", 0, false, 0},
    {"a bookmark", EVENT("BOOKMARK", "\"metadata\":{\"resourceVersion\":\"100\"}"), "", "", 0,
        false, 0},
    {"a type that we do not know", EVENT("SPLIT", GOOD_META "}"), "", "", 0, false, 0},
    {"no object at all", "{\"type\":\"ADDED\"}", "", "", 0, true, 0},
    {"an event without a type", "{\"object\":{" GOOD_META "}}}", "", "", 0, false, 0},
    {"an object without a name", EVENT("ADDED", "\"metadata\":{}"), "", "", 0, true, 0},
    {"an end without a name", EVENT("DELETED", "\"metadata\":{}"), "", "", 0, true, 0},
    {"no JSON", "nonsense", "", "", 0, true, 0},
    {"an event of more than 8 MiB",
        "{\"type\":\"ADDED\",\"object\":{" GOOD_META ",\"annotations\":{\"a\":\"",
        "0123456789abcdef", "\"}}}}", (9 << 20) / 16, true, 0},
    {"an event of 2 MiB", "{\"type\":\"ADDED\",\"object\":{" GOOD_META ",\"annotations\":{\"a\":\"",
        "0123456789abcdef", "\"}}}}", (2 << 20) / 16, false, 0},
    {"a hundred thousand labels",
        "{\"type\":\"ADDED\",\"object\":{" GOOD_META ",\"labels\":{\"a\":\"\"", ",\"a\":\"\"",
        "}}}}", 100000, false, 0},
    {"objects in objects, a hundred thousand deep",
        "{\"type\":\"ADDED\",\"object\":{" GOOD_META "},\"spec\":", "{\"a\":", "1", 100000, true,
        0},
    {"a number beyond all", EVENT("ADDED", GOOD_META "},\"spec\":{\"ports\":[{\"port\":1e999}]}"),
        "", "", 0, true, 0},
    {"an escaped NUL in a name", EVENT("ADDED", "\"metadata\":{\"name\":\"a\\u0000b\"}"), "", "", 0,
        true, 0},
    {"bytes that are no UTF-8 in a name", EVENT("ADDED", "\"metadata\":{\"name\":\"axb\"}"), "", "",
        0, true, '\xff'},
};

static void give(const char *text, size_t bytes)
{
    if (scene.has_transfer) {
        scene.transfer.request.on_body(scene.transfer.request.arg, text, bytes);
    }
}

static void run_odd(const struct odd_case *c)
{
    struct rig rig;
    struct pin_text line = {0};
    rig_open(&rig, false);
    next_request();
    answer(NO_CUT, SIZE_MAX / 2);
    assert_true(scene.has_transfer); /* the watch */
    pin_text_puts(&line, c->head);
    for (size_t i = 0; i < c->n_again; i++) {
        pin_text_puts(&line, c->again);
    }
    pin_text_puts(&line, c->tail);
    if (c->raw != 0) {
        char *x = strstr(line.ptr, "axb");
        assert_non_null(x);
        x[1] = c->raw;
    }
    pin_text_puts(&line, "\n");
    for (size_t at = 0; at < line.len; at += 16384) {
        give(line.ptr + at, PIN_MIN((size_t)16384, line.len - at));
    }
    give(EVENT("DELETED", GOOD_META "}") "\n", sizeof(EVENT("DELETED", GOOD_META "}") "\n") - 1);
    if (scene.has_transfer) {
        answer(NO_CUT, 1000);
    }
    for (int i = 0; i < 3; i++) {
        next_request();
        answer(NO_CUT, 1000);
    }
    if ((rig.source.stats.kinds[PIN_KIND_SERVICE].n_bad > 0) != c->is_bad
        || pin_map_count(&scene.objects) != 3) {
        fail_msg("%s: %zu objects, %llu bad", c->name, pin_map_count(&scene.objects),
            (unsigned long long)rig.source.stats.kinds[PIN_KIND_SERVICE].n_bad);
    }
    assert_final(0);
    pin_text_done(&line);
    rig_close(&rig);
}

static void test_odd_events_keep_no_others_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_ELEMS(odd_cases); i++) {
        run_odd(&odd_cases[i]);
    }
}

static void test_ten_thousand_deletes_are_ten_thousand_deltas(void **state)
{
    struct rig rig;
    (void)state;
    rig_open(&rig, false);
    next_request();
    answer(NO_CUT, SIZE_MAX / 2);
    for (int turn = 0; turn < 2; turn++) {
        for (int i = 0; i < 10000; i++) {
            char line[256];
            int n = snprintf(line, sizeof(line),
                "{\"type\":\"%s\",\"object\":{\"metadata\":{\"name\":\"m%d\",\"namespace\":\"d\","
                "\"resourceVersion\":\"100\"},\"spec\":{}}}\n",
                turn == 0 ? "ADDED" : "DELETED", i);
            give(line, (size_t)n);
        }
        assert_int_equal(pin_map_count(&scene.objects), turn == 0 ? 10002 : 2);
        assert_int_equal(rig.source.stats.kinds[PIN_KIND_SERVICE].n_objects, turn == 0 ? 10002 : 2);
    }
    assert_int_equal(scene.n_lists, 1); /* what a watch deletes is believed */
    rig_close(&rig);
}

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_watch_cut_at_any_byte_goes_on_without_loss),
        cmocka_unit_test(test_a_list_cut_at_any_byte_is_no_list),
        cmocka_unit_test(test_a_streamed_list_cut_at_any_byte_ends_right),
        cmocka_unit_test(test_a_list_that_never_ends_is_given_up),
        cmocka_unit_test(test_odd_events_keep_no_others_back),
        cmocka_unit_test(test_ten_thousand_deletes_are_ten_thousand_deltas),
    };
    pin_log_set_sink(drop_log, NULL);
    return cmocka_run_group_tests_name("watch_cut", tests, NULL, NULL);
}
