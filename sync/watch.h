/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Watch: one kind of one cluster, listed and then watched, for as long as it runs.
 *
 *     LIST by stream or pages -> LIST_BEGIN, UPSERT..., LIST_END -> WATCH from where the list was
 *       ^                                                       |  ended, lost: back-off, WATCH
 * again
 *       +------------- 410 Gone, as status or as event ---------+
 *
 * A list is streamed (KEP-3157: the objects as the first events of a watch, a bookmark where they
 * end) unless the server cannot, or the attempt before failed: then it comes page by page.
 * At most one request is in flight; after the first, lists begin at least 4 s apart. What trouble
 * means for the cluster its owner decides: it hears of every end through on_event.
 */

#include <stdbool.h>
#include <stdint.h>

#include "decode.h"
#include "http.h"
#include "source.h"

struct pin_arena;
struct pin_watch;

/** What an owner hears. */
enum pin_watch_event {
    PIN_WATCH_LISTED,       /**< A whole list was sent on. */
    PIN_WATCH_WORKS,        /**< What failed or was denied before works again. */
    PIN_WATCH_LOST,         /**< No or half an answer; `result` has the fault. */
    PIN_WATCH_UNAUTHORIZED, /**< 401 */
    PIN_WATCH_DENIED,       /**< 403 */
    PIN_WATCH_ABSENT,       /**< 404: it has stopped; start it again to look again. */
    PIN_WATCH_OVER,         /**< A list was given up: it names more objects than are taken. */
    PIN_WATCH_FAILED,       /**< Another status, or an answer that makes no sense. */
};

/** A watch that hears nothing for so long is dead where bookmarks come, for they come each minute.
 */
#define PIN_WATCH_SILENT_MS 100000

/** What the watches of a cluster share; the owner keeps it up to date. */
struct pin_watch_host {
    struct pin_source *source;
    struct pin_http *http;
    struct pin_arena *arena;         /**< For one object at a time. */
    const struct pin_target *target; /**< Used by the next request. */
    bool no_streams; /**< The server streams no lists. Set by watches; to be cleared to try anew. */
    int64_t silent_ms; /**< PIN_WATCH_SILENT_MS once bookmarks came; 0: none. Likewise. */
    /** `result` is NULL for LISTED and WORKS. May stop watches and start timers, but no requests.
     */
    void (*on_event)(struct pin_watch_host *host, const struct pin_kind_row *row,
        enum pin_watch_event event, const struct pin_http_result *result);
};

/** Makes a stopped watch. `host` and `row` must outlive it. NULL when out of memory. */
struct pin_watch *pin_watch_new(struct pin_watch_host *host, const struct pin_kind_row *row);

/** Stops and frees it. NULL is fine. */
void pin_watch_free(struct pin_watch *watch);

/**
 * Starts, or goes on where it was stopped.
 *
 * @param version   One of the row's versions.
 * @param delay_ms  Before the first request.
 */
void pin_watch_start(struct pin_watch *watch, const char *version, int64_t delay_ms);

/**
 * Tells whether the last list is held: while it is, another list begins 30 s later, and again.
 * A watch that is not running begins with one when it is started after that time.
 */
void pin_watch_set_held(struct pin_watch *watch, bool is_held);

/** Another list 30 s from now, whatever comes of the watch; once it runs, if it does not then. */
void pin_watch_confirm(struct pin_watch *watch);

/** Cancels what is in flight; what it knows stays. */
void pin_watch_stop(struct pin_watch *watch);

/** True between start and stop or ABSENT. */
bool pin_watch_is_running(const struct pin_watch *watch);

/** The sink has room again. */
void pin_watch_resume(struct pin_watch *watch);
