/* SPDX-License-Identifier: Apache-2.0 */

/* A list, in pages or as the first events of a watch. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/loop.h"

#include "watch_path.h"
#include "watch_state.h"

#define PAGES_MAX     20000 /* An endless list is given up. */
#define OLD_LISTS_MAX 5     /* Then the past is believed: a cluster was restored from a backup. */

/* Whether a list is from before what we know already. */
static bool is_past(const struct pin_watch *self, const char *version)
{
    return version != NULL && self->resource_version != NULL
           && pin_watch_is_older(version, self->resource_version) && self->n_old < OLD_LISTS_MAX;
}

/* Before the first object is sent on; who writes `items` first tells of its age too late for that.
 */
static void begin_list(struct pin_watch *self)
{
    struct pin_list_metadata metadata = {0};
    if (self->has_begun || self->is_old) {
        return;
    }
    if (pin_items_metadata(&self->items, &metadata) && is_past(self, metadata.resource_version)) {
        self->is_old = true;
    } else {
        self->has_begun = true;
        pin_source_mark(self->host->source, PIN_DELTA_LIST_BEGIN, self->row->kind);
    }
    pin_list_metadata_done(&metadata);
}

void pin__watch_on_item(void *arg, const char *text, size_t bytes)
{
    struct pin_watch *self = arg;
    begin_list(self);
    if (self->is_old) {
        return;
    }
    const struct pin_tree *tree = pin__watch_parse(self, text, bytes);
    if (tree == NULL) {
        self->is_partial = true; /* whose object that was, nobody knows */
    } else if (pin__watch_upsert(self, tree)) {
        self->stats->n_in_list++;
    }
    pin_arena_reset(self->host->arena);
}

static void give_up(struct pin_watch *self, enum pin_watch_event event, const char *message)
{
    self->stats->n_broken++;
    const struct pin_http_result result = {
        .status = PIN_STATUS_OK, .retry_after_ms = -1, .message = message};
    pin_http_cancel(self->transfer);
    self->transfer = NULL;
    self->wants_pages = true;
    self->trouble_step = PIN_STEP_LIST;
    pin__watch_schedule_retry(self, PIN_STEP_LIST, NULL);
    pin__watch_report(self, event, &result);
}

void pin__watch_abort_list(struct pin_watch *self, const char *message)
{
    give_up(self, PIN_WATCH_FAILED, message);
}

bool pin__watch_is_over(struct pin_watch *self)
{
    char message[96];
    if (!pin_source_is_over(self->host->source, self->stats->n_in_list)) {
        return false;
    }
    (void)snprintf(message, sizeof(message), "a list names more than %lu objects, the limit",
        (unsigned long)self->host->source->max_objects);
    give_up(self, PIN_WATCH_OVER, message);
    return true;
}

void pin__watch_feed_list(struct pin_watch *self, const char *data, size_t bytes)
{
    struct pin_why why = {0};
    enum pin_err err = pin_items_feed(&self->items, data, bytes, &why);
    if (err != PIN_OK) {
        pin__watch_abort_list(self, why.text);
    } else if (pin__watch_is_over(self)) {
        return;
    } else if (self->is_old) {
        self->n_old++;
        self->is_old = false;
        pin__watch_abort_list(self, "the list is older than what was known before");
    }
}

/* The last page has come, or the last event of a streamed list, whose watch goes on. */
static void finish_list(struct pin_watch *self, const char *resource_version)
{
    self->n_old = 0;
    self->is_unpaged = false;
    self->wants_pages = false;
    self->stats->is_streamed = self->is_streaming;
    self->is_streaming = false;
    self->n_failures = 0;
    pin__watch_set_version(self, resource_version);
    bool has_lost = pin_source_take_lost(self->host->source, self->row->kind);
    if (self->is_partial || has_lost) {
        pin_source_end_partial_list(self->host->source, self->row->kind);
    } else {
        pin_source_end_list(self->host->source, self->row->kind, true);
    }
    has_lost = pin_source_take_lost(self->host->source, self->row->kind) || has_lost;
    self->must_list = self->must_list || has_lost;
    self->stats->is_listed = true;
    self->stats->n_objects = self->stats->n_in_list;
    pin__watch_end_list(self);
    self->step = PIN_STEP_WATCH;
    pin__watch_works(self, PIN_STEP_LIST);
    pin__watch_report(self, PIN_WATCH_LISTED, NULL);
    if (self->is_held) { /* until somebody tells that this list was believed */
        pin__watch_start_confirm_timer(self);
    }
    if (self->is_running && self->must_list) {
        pin_http_cancel(self->transfer);
        self->transfer = NULL;
        pin__watch_schedule(self, PIN_STEP_LIST, 0);
    } else if (self->is_running && self->transfer == NULL) {
        pin__watch_send_request(self);
    }
}

/* Keeps the token of the next page; false when the list leads nowhere. */
static bool next_page(struct pin_watch *self, struct pin_list_metadata *metadata)
{
    bool is_same =
        self->continue_token != NULL && strcmp(self->continue_token, metadata->continue_token) == 0;
    self->stats->n_expected =
        metadata->remaining > 0 ? self->stats->n_in_list + metadata->remaining : 0;
    free(self->continue_token);
    self->continue_token = metadata->continue_token;
    metadata->continue_token = NULL;
    return !is_same && ++self->n_pages < PAGES_MAX;
}

void pin__watch_page_done(struct pin_watch *self)
{
    struct pin_list_metadata metadata = {0};
    if (!pin_items_is_complete(&self->items) || !pin_items_metadata(&self->items, &metadata)
        || !pin_watch_is_version(metadata.resource_version)) {
        pin_list_metadata_done(&metadata);
        pin__watch_abort_list(self, "a list ended early or names no resourceVersion");
        return;
    }
    begin_list(self);
    if (self->is_old || is_past(self, metadata.resource_version)) {
        self->n_old++;
        self->is_old = false;
        pin__watch_abort_list(self, "the list is older than what was known before");
    } else if (metadata.continue_token == NULL) {
        finish_list(self, metadata.resource_version);
    } else if (next_page(self, &metadata)) {
        pin__watch_send_request(self);
    } else {
        pin__watch_abort_list(self, "the list does not end");
    }
    pin_list_metadata_done(&metadata);
}

void pin__watch_begin_streamed(struct pin_watch *self)
{
    if (!self->has_begun) {
        self->has_begun = true;
        pin_source_mark(self->host->source, PIN_DELTA_LIST_BEGIN, self->row->kind);
    }
}

void pin__watch_on_bookmark(
    struct pin_watch *self, const struct pin_tree *object, const char *version)
{
    const struct pin_tree *notes = pin_tree_map(object, "metadata.annotations");
    if (!self->is_streaming
        || !pin_tree_text_is(pin_tree_find(notes, "k8s.io/initial-events-end"), "true")) {
        return;
    }
    if (!pin_watch_is_version(version)
        || (self->resource_version != NULL
            && pin_watch_is_older(version, self->resource_version))) {
        self->needs_list = true; /* by pages: they tell of their age first */
        return;
    }
    pin__watch_begin_streamed(self);
    pin_timer_stop(self->timer);
    finish_list(self, version);
}
