/* SPDX-License-Identifier: Apache-2.0 */

/* List and watch, as the Kubernetes API concepts describe them. */

#include "watch.h"

#include <stdlib.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"

#include "watch_path.h"
#include "watch_state.h"

#define LIST_GAP_MS         4000
#define LIST_STALL_MS       45000
#define PAGE_MS             600000 /* For a page that comes in drops. */
#define STREAM_STALL_MS     10000  /* A streamed list that says nothing for so long is given up. */
#define WATCH_TIMEOUT_MIN_S 300
#define WATCH_TIMEOUT_MAX_S 600
#define WATCH_GRACE_MS      30000
#define WATCH_SOUND_MS      10000 /* One that lived so long was no failure, however it ended. */
#define LOST_MAX            4     /* In a row; then it is told, though the server is up. */
#define CONFIRM_MS          30000 /* From a list that is held to the one that confirms it, */
#define CONFIRM_SPREAD_MS   3000  /* and up to so much more. */

static void check_stall(struct pin_watch *self);
static void on_done(void *arg, const struct pin_http_result *result);

/* --- Steps and waits ------------------------------------------------------------------------ */

void pin__watch_report(
    struct pin_watch *self, enum pin_watch_event event, const struct pin_http_result *result)
{
    if (event == PIN_WATCH_DENIED || event == PIN_WATCH_FAILED || event == PIN_WATCH_OVER) {
        self->is_troubled = true;
    }
    self->host->on_event(self->host, self->row, event, result);
}

void pin__watch_works(struct pin_watch *self, enum pin_watch_step step)
{
    self->n_lost = 0;
    if (self->is_troubled && self->trouble_step == step) {
        self->is_troubled = false;
        pin__watch_report(self, PIN_WATCH_WORKS, NULL);
    }
}

void pin__watch_schedule(struct pin_watch *self, enum pin_watch_step step, int64_t delay_ms)
{
    int64_t gap_ms = self->listed_ms + LIST_GAP_MS - pin_clock_mono_ms();
    if (step == PIN_STEP_LIST && self->has_listed) {
        delay_ms = PIN_MAX(delay_ms, gap_ms);
    }
    self->step = step;
    pin_timer_start(self->timer, PIN_MAX(delay_ms, (int64_t)0), false);
}

void pin__watch_schedule_retry(
    struct pin_watch *self, enum pin_watch_step step, const struct pin_http_result *result)
{
    int64_t healthy_ms = self->step == PIN_STEP_WATCH ? pin_clock_mono_ms() - self->started_ms : 0;
    int64_t asked_ms = result == NULL ? -1 : result->retry_after_ms;
    pin__watch_schedule(self, step, pin_backoff_next(&self->backoff, healthy_ms, asked_ms));
}

/* One list after the other that no watch can follow would be as many as there can be. */
void pin__watch_list_again(struct pin_watch *self)
{
    bool is_sound = pin_clock_mono_ms() - self->started_ms >= WATCH_SOUND_MS;
    if (is_sound || self->step == PIN_STEP_LIST) {
        pin__watch_schedule(self, PIN_STEP_LIST, 0);
    } else {
        pin__watch_schedule_retry(self, PIN_STEP_LIST, NULL);
    }
}

void pin__watch_end_list(struct pin_watch *self)
{
    pin_items_done(&self->items);
    free(self->continue_token);
    self->continue_token = NULL;
    self->has_begun = false;
    self->is_partial = false;
    self->n_pages = 0;
    self->stats->n_in_list = 0;
    self->stats->n_expected = 0;
}

/* --- Lists that are held -------------------------------------------------------------------- */

void pin__watch_start_confirm_timer(struct pin_watch *self)
{
    pin_timer_start(self->confirm_timer, CONFIRM_MS + pin_rand_below(CONFIRM_SPREAD_MS), false);
}

static void on_confirm_timer(void *arg)
{
    struct pin_watch *self = arg;
    self->must_list = true;
    self->reason = PIN_LIST_HELD;
    if (self->is_running && self->step == PIN_STEP_WATCH) {
        pin_http_cancel(self->transfer);
        self->transfer = NULL;
        pin__watch_schedule(self, PIN_STEP_LIST, 0);
    }
}

void pin_watch_confirm(struct pin_watch *watch)
{
    if (!pin_timer_is_running(watch->confirm_timer)) {
        pin__watch_start_confirm_timer(watch);
    }
}

void pin_watch_set_held(struct pin_watch *watch, bool is_held)
{
    if (watch->is_held == is_held) {
        return;
    }
    watch->is_held = is_held;
    watch->must_list = false;
    if (is_held) {
        pin__watch_start_confirm_timer(watch);
    } else {
        pin_timer_stop(watch->confirm_timer);
    }
}

/* --- Steps ---------------------------------------------------------------------------------- */

/* Counts a list that begins, and tells why where nobody else has; unless somebody knows better, the
 * next one begins because this one failed. */
static void note_list(struct pin_watch *self)
{
    static const char *const texts[] = {
#define X(reason, word, text) [PIN_LIST_##reason] = (text),
        PIN_LIST_REASON_MAP(X)
#undef X
    };
    bool is_news = self->reason == PIN_LIST_EXPIRED || self->reason == PIN_LIST_LOST
                   || self->reason == PIN_LIST_UNREADABLE || self->reason == PIN_LIST_BACK;
    self->stats->n_lists[self->reason] += self->is_same_list ? 0 : 1;
    if (is_news && !self->is_same_list) {
        pin_log_info("%s: listing %s again: %s", self->host->source->where, self->row->resource,
            texts[self->reason]);
    }
    self->is_same_list = false;
    self->list_reason = self->reason;
    self->reason = PIN_LIST_FAILED;
}

static void on_timer(void *arg)
{
    struct pin_watch *self = arg;
    if (self->transfer != NULL) {
        check_stall(self);
        return;
    }
    self->is_streaming = false;
    if (self->step == PIN_STEP_LIST) {
        pin__watch_end_list(self);
        self->listed_ms = pin_clock_mono_ms();
        self->has_listed = true;
        self->must_list = false;
        self->is_streaming = !self->host->no_streams && !self->wants_pages && !self->is_unpaged;
        note_list(self);
    }
    pin__watch_send_request(self);
}

/* 410: what we wanted to go on from is history. A page that expired: the next list is in one. */
static void gone(struct pin_watch *self)
{
    self->reason = PIN_LIST_EXPIRED;
    if (self->step == PIN_STEP_LIST && (self->is_unpaged || self->is_streaming)) {
        self->is_unpaged = false;
        pin__watch_schedule_retry(self, PIN_STEP_LIST, NULL);
        return;
    }
    self->is_unpaged = self->step == PIN_STEP_LIST;
    pin__watch_list_again(self);
}

/* An answer other than 2xx. */
static void refused(struct pin_watch *self, const struct pin_http_result *result)
{
    bool is_told = true;
    switch (result->status) {
    case 401:
        pin__watch_schedule_retry(self, self->step, result);
        pin__watch_report(self, PIN_WATCH_UNAUTHORIZED, result);
        break;
    case 403:
        /* Where only watching is refused for good, listing now and then still tells the truth:
         * after some failures that is the step. Servers that just started deny what they will
         * allow. */
        self->reason = self->trouble_step == PIN_STEP_WATCH ? PIN_LIST_DENIED : self->reason;
        pin__watch_schedule_retry(self, self->step, result);
        pin__watch_report(self, PIN_WATCH_DENIED, result);
        break;
    case 404:
        pin_watch_stop(self);
        free(self->resource_version); /* of objects that went with their kind */
        self->resource_version = NULL;
        pin__watch_report(self, PIN_WATCH_ABSENT, result);
        break;
    case PIN_STATUS_GONE:
        gone(self);
        break;
    default:
        /* 429 and 5xx pass by themselves as a rule, after a restart for example. */
        is_told = (result->status != 429 && result->status < 500) || ++self->n_lost >= LOST_MAX;
        pin__watch_schedule_retry(self, self->step, result);
        if (is_told) {
            pin__watch_report(self, PIN_WATCH_FAILED, result);
        }
        break;
    }
}

/* --- Requests ------------------------------------------------------------------------------- */

static void on_body(void *arg, const char *data, size_t bytes)
{
    struct pin_watch *self = arg;
    self->received_ns = (uint64_t)pin_clock_mono_ns();
    if (self->step == PIN_STEP_LIST && !self->is_streaming) {
        pin__watch_feed_list(self, data, bytes);
    } else {
        pin__watch_feed_events(self, data, bytes);
    }
    if (self->transfer != NULL && self->is_guarded) {
        pin_timer_start(self->timer, self->host->silent_ms, false);
    }
    if (self->transfer != NULL && pin_outbox_is_full(&self->host->source->outbox)) {
        pin_http_pause(self->transfer);
    }
}

/* A list that broke off on its way takes nothing away. */
static void note_broken(struct pin_watch *self, const struct pin_http_result *result)
{
    if (self->step == PIN_STEP_LIST && self->has_begun) {
        self->stats->n_broken++;
        pin_log_info("%s: a list of %s broke off after %llu objects, nothing is removed: %s",
            self->host->source->where, self->row->resource,
            (unsigned long long)self->stats->n_in_list, result->message);
    }
}

/* Whether the server cannot, or may not, stream lists to us. */
static bool streams_not(struct pin_watch *self, const struct pin_http_result *result)
{
    bool is_unknown = result->status == 400 || result->status == 422;
    if (is_unknown && !self->host->no_streams) {
        pin_log_debug(
            "%s: the API server streams no lists: %s", self->host->source->where, result->message);
        self->host->no_streams = true;
    }
    return is_unknown || result->status == 403; /* listing may be allowed */
}

/* Nothing has come of a watch for so long that bookmarks must have been lost. */
static void check_silence(struct pin_watch *self)
{
    const struct pin_http_result result = {.fault = PIN_HTTP_TIMEOUT,
        .retry_after_ms = -1,
        .message = "the API server sends no bookmarks any more"};
    if (pin_outbox_is_full(&self->host->source->outbox)) { /* we do not read */
        pin_timer_start(self->timer, self->host->silent_ms, false);
        return;
    }
    pin_http_cancel(self->transfer);
    on_done(self, &result);
}

/* Nothing has come of a streamed list for a while; while we do not read, that is no wonder. */
static void check_stall(struct pin_watch *self)
{
    int64_t last_ms = PIN_MAX((int64_t)(self->received_ns / 1000000), self->started_ms);
    int64_t left_ms = last_ms + STREAM_STALL_MS - pin_clock_mono_ms();
    if (self->is_guarded) {
        check_silence(self);
        return;
    }
    if (!self->is_streaming) {
        return;
    }
    if (pin_outbox_is_full(&self->host->source->outbox)) {
        pin_timer_start(self->timer, STREAM_STALL_MS, false);
    } else if (left_ms > 0) {
        pin_timer_start(self->timer, left_ms, false);
    } else {
        self->host->no_streams = true;
        pin__watch_abort_list(self, "the API server does not end a streamed list");
    }
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct pin_watch *self = arg;
    self->transfer = NULL;
    self->trouble_step = self->step;
    self->wants_pages = self->wants_pages || self->is_streaming;
    self->stats->n_restarts += self->step == PIN_STEP_WATCH ? 1 : 0;
    if (result->fault != PIN_HTTP_NONE || result->status != PIN_STATUS_OK) {
        note_broken(self, result);
    }
    if (result->fault != PIN_HTTP_NONE) {
        if (pin_clock_mono_ms() - self->started_ms >= WATCH_SOUND_MS) {
            self->n_lost = 0;
        }
        bool is_stuck = ++self->n_lost == LOST_MAX;
        pin__watch_schedule_retry(self, self->step, result);
        pin__watch_report(self, is_stuck ? PIN_WATCH_FAILED : PIN_WATCH_LOST, result);
    } else if (self->is_streaming && streams_not(self, result)) {
        self->has_listed = false; /* nothing was listed: at once, in pages */
        self->reason = self->list_reason;
        self->is_same_list = true;
        pin__watch_schedule(self, PIN_STEP_LIST, 0);
    } else if (result->status != PIN_STATUS_OK) {
        self->n_failures += self->step == PIN_STEP_WATCH ? 1 : 0;
        if (self->n_failures >= PIN_WATCH_FAILURES_MAX) {
            self->n_failures = 0;
            self->reason = PIN_LIST_LOST;
            self->step = PIN_STEP_LIST;
        }
        refused(self, result);
    } else if (self->is_streaming) {
        pin__watch_abort_list(self, "a streamed list ended early");
    } else if (self->step == PIN_STEP_LIST) {
        pin__watch_page_done(self);
    } else {
        pin__watch_ended(self);
    }
}

static enum pin_watch_form form_of(const struct pin_watch *self)
{
    return self->step == PIN_STEP_WATCH ? PIN_WATCH_EVENTS
           : self->is_streaming         ? PIN_WATCH_STREAM
           : self->is_unpaged           ? PIN_WATCH_WHOLE
                                        : PIN_WATCH_PAGE;
}

/* Clears what the last answer left. */
static void prepare(struct pin_watch *self)
{
    pin_frames_done(&self->frames);
    self->frames = (struct pin_frames){
        .on_frame = pin__watch_on_line, .arg = self, .frame_bytes_max = PIN_ITEM_BYTES_MAX};
    self->has_form = false;
    self->is_binary = false;
    self->is_guarded = false;
    if (self->step == PIN_STEP_LIST && !self->is_streaming) {
        pin_items_done(&self->items);
        pin_items_init(&self->items, 0, pin__watch_on_item, self);
        self->is_old = false;
    } else {
        pin_lines_done(&self->lines);
        pin_lines_init(&self->lines, 0, pin__watch_on_line, self);
        self->needs_list = false;
        self->has_error = false;
    }
    self->started_ms = pin_clock_mono_ms();
}

void pin__watch_send_request(struct pin_watch *self)
{
    struct pin_text path = {0};
    struct pin_why why = {0};
    int64_t timeout_s =
        WATCH_TIMEOUT_MIN_S + pin_rand_below(WATCH_TIMEOUT_MAX_S - WATCH_TIMEOUT_MIN_S + 1);
    const struct pin_watch_query query = {.row = self->row,
        .version = self->version,
        .form = form_of(self),
        .resource_version = self->resource_version,
        .continue_token = self->continue_token,
        .timeout_s = timeout_s};
    bool is_watch = query.form == PIN_WATCH_EVENTS || query.form == PIN_WATCH_STREAM;
    pin_watch_put_path(&path, &query);
    prepare(self);
    self->has_stall = !is_watch || self->host->silent_ms != 0;
    struct pin_http_request request = {
        .target = self->host->target,
        .path = pin_text_get(&path),
        .accept = is_watch && !self->no_binary && pin_protobuf_knows(self->row->kind)
                      ? PIN_PROTOBUF_ACCEPT
                      : NULL,
        .timeout_ms = is_watch ? timeout_s * 1000 + WATCH_GRACE_MS : PAGE_MS,
        .stall_ms = is_watch ? self->host->silent_ms : LIST_STALL_MS,
        .outcomes = self->host->source->stats.outcomes,
        .on_body = on_body,
        .on_done = on_done,
        .arg = self,
    };
    enum pin_err err = path.failed
                           ? pin_why_set(&why, PIN_ENOMEM, "no memory for a request")
                           : pin_http_start(self->host->http, &request, &self->transfer, &why);
    pin_text_done(&path);
    if (err != PIN_OK) {
        const struct pin_http_result result = {
            .fault = PIN_HTTP_OTHER, .retry_after_ms = -1, .message = why.text};
        pin__watch_schedule_retry(self, self->has_begun ? PIN_STEP_LIST : self->step, NULL);
        pin__watch_report(self, PIN_WATCH_FAILED, &result);
        return;
    }
    if (query.form == PIN_WATCH_STREAM) {
        pin_timer_start(self->timer, STREAM_STALL_MS, false);
    }
    if (pin_outbox_is_full(&self->host->source->outbox)) {
        pin_http_pause(self->transfer);
    }
}

/* --- Life ----------------------------------------------------------------------------------- */

struct pin_watch *pin_watch_new(struct pin_watch_host *host, const struct pin_kind_row *row)
{
    struct pin_watch *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->host = host;
    self->row = row;
    self->stats = &host->source->stats.kinds[row->kind];
    self->timer = pin_timer_new(host->source->loop, on_timer, self);
    self->confirm_timer = pin_timer_new(host->source->loop, on_confirm_timer, self);
    if (self->timer == NULL || self->confirm_timer == NULL) {
        pin_timer_free(self->timer);
        pin_timer_free(self->confirm_timer);
        free(self);
        return NULL;
    }
    return self;
}

void pin_watch_free(struct pin_watch *watch)
{
    if (watch == NULL) {
        return;
    }
    pin_watch_stop(watch);
    pin_lines_done(&watch->lines);
    pin_frames_done(&watch->frames);
    pin_timer_free(watch->timer);
    pin_timer_free(watch->confirm_timer);
    free(watch->resource_version);
    free(watch);
}

void pin_watch_start(struct pin_watch *watch, const char *version, int64_t delay_ms)
{
    if (watch->is_running) {
        return;
    }
    watch->is_running = true;
    watch->is_same_list = false;
    watch->version = version;
    watch->backoff = (struct pin_backoff){0};
    bool must_list = watch->resource_version == NULL || watch->must_list;
    watch->reason = watch->resource_version != NULL ? PIN_LIST_HELD
                    : watch->stats->is_listed       ? PIN_LIST_BACK
                                                    : PIN_LIST_START;
    pin__watch_schedule(watch, must_list ? PIN_STEP_LIST : PIN_STEP_WATCH, delay_ms);
}

void pin_watch_stop(struct pin_watch *watch)
{
    watch->is_running = false;
    pin_timer_stop(watch->timer);
    pin_http_cancel(watch->transfer);
    watch->transfer = NULL;
    pin__watch_end_list(watch);
}

bool pin_watch_is_running(const struct pin_watch *watch)
{
    return watch->is_running;
}

void pin_watch_resume(struct pin_watch *watch)
{
    if (watch->transfer != NULL) {
        pin_http_resume(watch->transfer);
    }
}
