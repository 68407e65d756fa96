/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of a watch, for the files that make it up. What comes of a request goes down, what is
 * to be done next goes back up:
 *
 *     watch.c          steps, waits, requests and how they end
 *     watch_list.c     a list, in pages or as a stream: begun, finished, given up
 *     watch_events.c   what a watch tells, event by event
 *     watch_object.c   one object: parsed, decoded, sent on
 */

#include "backoff.h"
#include "items.h"
#include "protobuf.h"
#include "watch.h"

#define PIN_WATCH_FAILURES_MAX 3 /**< Watches in a row that brought nothing; then a list. */
#define PIN_STATUS_OK          200
#define PIN_STATUS_GONE        410

/** What comes next. */
enum pin_watch_step {
    PIN_STEP_LIST,
    PIN_STEP_WATCH,
};

/** The watch. */
struct pin_watch {
    struct pin_watch_host *host;
    const struct pin_kind_row *row;
    struct pin_sync_kind_stats *stats;
    struct pin_timer *timer;
    struct pin_timer *confirm_timer; /* Runs while the last list is held. */
    struct pin_http_transfer *transfer;
    const char *version;
    char *resource_version; /* Last one seen; NULL before the first list. */
    struct pin_backoff backoff;
    enum pin_watch_step step;         /* What the timer or the transfer is for. */
    enum pin_watch_step trouble_step; /* What failed or was denied last. */
    enum pin_list_reason reason;      /* Of the next list. */
    enum pin_list_reason list_reason; /* Of the one that began last. */
    bool is_troubled;
    bool is_running;
    bool is_held;         /* The last list is. */
    bool must_list;       /* It is time to list again, whatever the watch says. */
    uint64_t received_ns; /* When the bytes at hand came. */
    int64_t started_ms;   /* Of the request in flight. */
    int64_t listed_ms;    /* When the last list began. */
    bool has_listed;      /* listed_ms counts. */
    /* The list in progress. */
    struct pin_items items;
    char *continue_token; /* Of the next page. */
    bool has_begun;       /* LIST_BEGIN was sent. */
    bool is_partial;      /* It named an object whose key nobody could read. */
    bool is_streaming;    /* It comes as events, before those of the watch. */
    bool is_same_list;    /* The next request is for the list that was counted already. */
    bool wants_pages;     /* Streaming it has failed: it comes in pages. */
    bool is_unpaged;      /* A page had expired: all at once. */
    bool is_old;          /* This list is from before what we know. */
    uint32_t n_old;       /* Such lists in a row. */
    uint32_t n_pages;
    /* The watch in progress. */
    struct pin_lines lines;
    struct pin_frames frames; /* In place of lines, where the answer is binary. */
    bool has_form;            /* is_binary counts: the answer has begun. */
    bool is_binary;
    bool no_binary;      /* What came in that form could not be read: JSON from now on. */
    bool has_stall;      /* The request ends by itself when it is silent for long. */
    bool is_guarded;     /* It does not, and bookmarks come since: the timer ends it. */
    uint32_t n_failures; /* Watches in a row that brought nothing. */
    uint32_t n_lost;     /* Requests in a row that ended without an answer. */
    bool needs_list;     /* An event asked for one, or cannot be read. */
    bool has_error;      /* An ERROR event other than "gone". */
};

/* --- watch.c --- */

/** Tells the owner. */
void pin__watch_report(
    struct pin_watch *self, enum pin_watch_event event, const struct pin_http_result *result);

/** A list or a watch brought something: trouble with the same is over. */
void pin__watch_works(struct pin_watch *self, enum pin_watch_step step);

/** Has the next request begin so much later; a list not too soon after the one before. */
void pin__watch_schedule(struct pin_watch *self, enum pin_watch_step step, int64_t delay_ms);

/** The same after a failure: as the back-off and the answer (or NULL) say. */
void pin__watch_schedule_retry(
    struct pin_watch *self, enum pin_watch_step step, const struct pin_http_result *result);

/** A list, because a watch cannot be followed: at once, unless that watch was a short one. */
void pin__watch_list_again(struct pin_watch *self);

/** Forgets the list in progress. */
void pin__watch_end_list(struct pin_watch *self);

/** A list is held: another one 30 s from now. */
void pin__watch_start_confirm_timer(struct pin_watch *self);

/** Asks for what `step` says, now. */
void pin__watch_send_request(struct pin_watch *self);

/* --- watch_object.c --- */

/** Counts and logs an object that is left out. */
void pin__watch_bad_object(struct pin_watch *self, const char *message);

/** Parses one text into the host's arena. NULL: it cannot be read, which is told. */
const struct pin_tree *pin__watch_parse(struct pin_watch *self, const char *text, size_t bytes);

/** Decodes and sends an object. True when it counts as one the cluster has. */
bool pin__watch_upsert(struct pin_watch *self, const struct pin_tree *tree);

/** Goes on from this version; where it is none: from the one before. */
void pin__watch_set_version(struct pin_watch *self, const char *resource_version);

/* --- watch_list.c --- */

/** An item of a page, as pin_items_init() wants it. */
void pin__watch_on_item(void *arg, const char *text, size_t bytes);

/** The list makes no sense or was cut short: what it said so far stays, nothing is deleted. */
void pin__watch_abort_list(struct pin_watch *self, const char *message);

/** Gives the list up, and true, when it has named more objects than are taken. */
bool pin__watch_is_over(struct pin_watch *self);

/** Takes bytes of a page. */
void pin__watch_feed_list(struct pin_watch *self, const char *data, size_t bytes);

/** The answer with a page has ended. */
void pin__watch_page_done(struct pin_watch *self);

/** A streamed list begins with its first event; it is as new as we asked for. */
void pin__watch_begin_streamed(struct pin_watch *self);

/** A bookmark of that version (NULL: none): the one that ends a streamed list is annotated. */
void pin__watch_on_bookmark(
    struct pin_watch *self, const struct pin_tree *object, const char *version);

/* --- watch_events.c --- */

/** A line or a frame of a watch, as pin_lines_init() and struct pin_frames want it. */
void pin__watch_on_line(void *arg, const char *text, size_t bytes);

/** Takes bytes of a watch or of a streamed list. */
void pin__watch_feed_events(struct pin_watch *self, const char *data, size_t bytes);

/** A watch that was served has ended, as all do. */
void pin__watch_ended(struct pin_watch *self);
