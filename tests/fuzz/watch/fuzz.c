/* SPDX-License-Identifier: Apache-2.0 */

/*
 * An API server says anything to the lists and watches of one kind; what comes of it is a lawful
 * row of deltas, and what is asked next is a lawful path.
 *
 * The first byte picks the kind, the second says how often the sink has no room. Then come answers,
 * one for each request: how it ends (see `ends`), seconds until then in units of '0', bytes given
 * out at a time (all for 0x20), the body, a NUL. 'H' in the place of an answer: the last list is
 * held, or it is time for another one; 'h': it is not held; 'z': time passes. HTTP and timers are
 * this file's own.
 */

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/zones/delta.h"

#include "fuzz/require.h"
#include "sync/decode.h"
#include "sync/http.h"
#include "sync/source.h"
#include "sync/watch.h"

#define ARENA_BYTES ((size_t)64 << 20)
#define HEAD_BYTES  3u
#define AT_ONCE     0x20
#define WALL_MS     1763700000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pin_http_transfer {
    struct pin_http_request request;
    bool is_paused;
};

struct pin_timer {
    pin_loop_fn *fn;
    void *arg;
    int64_t ms;
    bool is_running;
};

/* How an answer ends, by its first byte; others are whole ones. */
static const struct end {
    uint8_t letter;
    int status;
    enum pin_http_fault fault;
} ends[] = {
    {'u', 401, PIN_HTTP_NONE},
    {'d', 403, PIN_HTTP_NONE},
    {'a', 404, PIN_HTTP_NONE},
    {'g', 410, PIN_HTTP_NONE},
    {'m', 429, PIN_HTTP_NONE},
    {'p', 422, PIN_HTTP_NONE},
    {'s', 500, PIN_HTTP_NONE},
    {'t', 0, PIN_HTTP_TIMEOUT},
    {'c', 200, PIN_HTTP_CLOSED},
};
#define N_ENDS      (sizeof(ends) / sizeof(ends[0]))
#define NO_REQUEST  'x' /* It cannot even be sent. */
#define HELD        'H'
#define NOT_HELD    'h'
#define STALL       'z' /* Of a streamed list, whose timer is over. */
#define STATUS_GOOD 200

static struct {
    const uint8_t *data; /* Answers not given yet. */
    size_t left;
    int64_t now_ms;
    struct pin_http_transfer transfer;
    struct pin_timer timers[2]; /* Of steps, and of lists that are held. */
    size_t n_timers;
    bool has_transfer;
    bool is_stream; /* It asks for a list and its watch in one. */
    struct pin_watch *watch;
    const struct pin_kind_row *row;
    struct pin_watch_host host;
    struct pin_source source;
    /* The sink. */
    unsigned refuses_each; /* 0: never. */
    unsigned n_pushed;
    bool has_list; /* A list has begun, ever. */
    bool in_list;  /* And has not ended. */
    uint64_t n_in_list;
    bool is_whole; /* The answer at hand is. */
    bool is_stopped;
} scene;

/* --- HTTP and timers -------------------------------------------------------------------------- */

enum pin_err pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why)
{
    (void)http;
    require(!scene.has_transfer && request->path[0] == '/');
    for (const char *at = request->path; *at != '\0'; at++) {
        require(*at > ' ' && *at < 0x7F && *at != '#' && *at != '"' && *at != '\\');
    }
    require(strlen(request->path) <= 256 + 6 * (size_t)1024 * 1024);
    if (scene.left > 0 && scene.data[0] == NO_REQUEST) {
        scene.data++;
        scene.left--;
        return pin_why_set(why, PIN_EINVAL, "no request");
    }
    scene.has_transfer = true;
    scene.is_stream = strstr(request->path, "sendInitialEvents") != NULL;
    scene.transfer = (struct pin_http_transfer){.request = *request};
    *ret_transfer = &scene.transfer;
    return PIN_OK;
}

void pin_http_cancel(struct pin_http_transfer *transfer)
{
    scene.has_transfer = scene.has_transfer && transfer == NULL;
}

void pin_http_pause(struct pin_http_transfer *transfer)
{
    require(scene.has_transfer);
    transfer->is_paused = true;
}

void pin_http_resume(struct pin_http_transfer *transfer)
{
    require(scene.has_transfer);
    transfer->is_paused = false;
}

struct pin_timer *pin_timer_new(struct pin_loop *loop, pin_loop_fn *fn, void *arg)
{
    (void)loop;
    require(scene.n_timers < 2);
    struct pin_timer *timer = &scene.timers[scene.n_timers++];
    *timer = (struct pin_timer){.fn = fn, .arg = arg};
    return timer;
}

void pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat)
{
    require(ms >= 0 && !repeat);
    timer->ms = ms;
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

/* --- what comes of it ------------------------------------------------------------------------- */

/* Begin, objects, end; deletes outside of lists alone; nothing before the first list. */
static void judge(const struct pin_delta *delta)
{
    require(delta->kind == scene.row->kind);
    require(delta->op == PIN_DELTA_LIST_BEGIN || scene.has_list);
    switch (delta->op) {
    case PIN_DELTA_LIST_BEGIN:
        scene.has_list = true;
        scene.in_list = true;
        scene.n_in_list = 0;
        break;
    case PIN_DELTA_LIST_END:
        require(scene.in_list);
        require(scene.is_whole || scene.is_stream || scene.refuses_each != 0);
        require(delta->is_unproven != delta->is_partial);
        scene.in_list = false;
        break;
    case PIN_DELTA_UPSERT:
        require(delta->object != NULL && delta->object->kind == scene.row->kind);
        scene.n_in_list++;
        break;
    case PIN_DELTA_KEEP:
        require((scene.in_list || scene.refuses_each != 0) && delta->name[0] != '\0');
        break;
    case PIN_DELTA_DELETE: /* where a streamed list is not at its end yet, the watch speaks, too */
        require((!scene.in_list || scene.is_stream || scene.refuses_each != 0)
                && delta->name[0] != '\0');
        break;
    default:
        abort();
    }
}

static bool push(void *arg, struct pin_delta *delta)
{
    (void)arg;
    scene.n_pushed++;
    if (scene.refuses_each != 0 && scene.n_pushed % scene.refuses_each == 0) {
        return false;
    }
    judge(delta);
    pin_delta_free(delta);
    return true;
}

static void on_event(struct pin_watch_host *host, const struct pin_kind_row *row,
    enum pin_watch_event event, const struct pin_http_result *result)
{
    require(host == &scene.host && row == scene.row);
    require((event == PIN_WATCH_LISTED || event == PIN_WATCH_WORKS) == (result == NULL));
    if (event == PIN_WATCH_LISTED && scene.refuses_each == 0) {
        require(!scene.in_list);
        uint64_t n = scene.source.stats.kinds[row->kind].n_objects;
        require(scene.is_stream ? n <= scene.n_in_list : n == scene.n_in_list);
    }
    scene.is_stopped = scene.is_stopped || event == PIN_WATCH_ABSENT;
}

/* --- what the server does --------------------------------------------------------------------- */

static void pass(int64_t ms)
{
    scene.now_ms += ms;
    pin_clock_set_fake(scene.now_ms, WALL_MS + scene.now_ms);
}

/* Gives out a body; false: the transfer is gone. */
static bool give(const uint8_t *body, size_t bytes, size_t step)
{
    for (size_t at = 0; at < bytes && scene.has_transfer; at += step) {
        size_t n = bytes - at < step ? bytes - at : step;
        char *copy = malloc(n); /* so that ASan sees a byte too far */
        require(copy != NULL);
        memcpy(copy, body + at, n);
        scene.transfer.request.on_body(scene.transfer.request.arg, copy, n);
        free(copy);
        while (!pin_outbox_drain(&scene.source.outbox)) {
        }
        if (scene.has_transfer && scene.transfer.is_paused) {
            pin_watch_resume(scene.watch);
            require(!scene.transfer.is_paused);
        }
    }
    return scene.has_transfer;
}

/* The next answer to the request in flight. */
static void answer(void)
{
    struct end end = {.status = STATUS_GOOD};
    const uint8_t *head = scene.data;
    const uint8_t *body = head + HEAD_BYTES;
    const uint8_t *stop = memchr(body, '\0', scene.left - HEAD_BYTES);
    size_t bytes = stop == NULL ? scene.left - HEAD_BYTES : (size_t)(stop - body);
    scene.data = body + bytes + (stop != NULL);
    scene.left -= HEAD_BYTES + bytes + (stop != NULL);
    for (size_t i = 0; i < N_ENDS; i++) {
        end = ends[i].letter == head[0] ? ends[i] : end;
    }
    struct pin_http_result result = {.fault = end.fault,
        .status = end.status,
        .retry_after_ms = end.letter == 'm' ? 2000 : -1,
        .message = "as told"};
    scene.is_whole = end.letter == 0;
    if (end.status == STATUS_GOOD
        && !give(body, bytes, head[2] == AT_ONCE ? bytes : head[2] + 1u)) {
        return;
    }
    pass((int64_t)1000 * (head[1] > '0' ? head[1] - '0' : 0));
    struct pin_http_request request = scene.transfer.request;
    scene.has_transfer = false;
    request.on_done(request.arg, &result);
}

static void fire(struct pin_timer *timer)
{
    pass(timer->ms);
    timer->is_running = false;
    timer->fn(timer->arg);
}

static void turn_held(bool is_held)
{
    if (is_held && scene.timers[1].is_running) {
        fire(&scene.timers[1]);
    } else {
        pin_watch_set_held(scene.watch, is_held);
    }
}

/* Whatever is next: a wait that is over, or an answer. */
static void step(void)
{
    if (scene.is_stopped) {
        require(!pin_watch_is_running(scene.watch) && !scene.has_transfer);
        scene.is_stopped = false;
        pin_watch_start(scene.watch, scene.row->versions[0], 0);
    }
    struct pin_timer *timer = &scene.timers[0];
    require(scene.has_transfer || timer->is_running);
    require(!scene.has_transfer || !timer->is_running || scene.is_stream);
    if (scene.data[0] == HELD || scene.data[0] == NOT_HELD) {
        turn_held(scene.data[0] == HELD);
        scene.data++;
        scene.left--;
    } else if (scene.has_transfer && scene.data[0] != STALL) {
        answer();
    } else {
        scene.data += scene.has_transfer ? 1 : 0;
        scene.left -= scene.has_transfer ? 1 : 0;
        if (timer->is_running) {
            fire(timer);
        }
    }
    while (!pin_outbox_drain(&scene.source.outbox)) {
    }
}

static void drop_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct pin_source_ops no_ops = {0};
    const struct pin_source_spec spec = {.cluster = "c1", .kind = PIN_SOURCE_CONTEXT};
    const struct pin_sync_sink sink = {.push = push};
    if (size < 2) {
        return 0;
    }
    memset(&scene, 0, sizeof(scene));
    scene.row = pin_decode_row((enum pin_kind)(data[0] % PIN_KIND_MAX));
    scene.refuses_each = data[1] == '0' ? 0 : 2u + data[1] % 7u;
    scene.data = data + 2;
    scene.left = size - 2;
    pin_log_set_sink(drop_log, NULL);
    pass(1);
    char *origin = strdup("context c1");
    require(origin != NULL && pin_source_init(&scene.source, &no_ops, NULL, &spec, &sink, origin));
    scene.host = (struct pin_watch_host){
        .source = &scene.source, .arena = pin_arena_new("fuzz", ARENA_BYTES), .on_event = on_event};
    scene.watch = pin_watch_new(&scene.host, scene.row);
    require(scene.host.arena != NULL && scene.watch != NULL);
    pin_watch_start(scene.watch, scene.row->versions[0], 0);
    while (scene.left > HEAD_BYTES) {
        step();
    }
    pin_watch_set_held(scene.watch, false);
    pin_watch_free(scene.watch);
    pin_source_done(&scene.source);
    pin_arena_free(scene.host.arena);
    return 0;
}
