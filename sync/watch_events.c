/* SPDX-License-Identifier: Apache-2.0 */

/* What a watch tells, event by event. */

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "watch_path.h"
#include "watch_state.h"

#define WATCH_SHORT_MS 1000 /* A watch that ends sooner is not begun again at once. */

static void on_error_event(struct pin_watch *self, const struct pin_tree *status)
{
    const char *reason = pin_tree_string(status, "reason", "");
    if (pin_tree_int(status, "code", 0) == PIN_STATUS_GONE || strcmp(reason, "Expired") == 0
        || strcmp(reason, "Gone") == 0) {
        self->needs_list = true;
        self->reason = PIN_LIST_EXPIRED;
        return;
    }
    self->has_error = true;
    pin_log_warn("%s: the watch of %s ended with an error: %s", self->host->source->where,
        self->row->resource, pin_tree_string(status, "message", reason));
}

static void on_delete_event(struct pin_watch *self, const struct pin_tree *tree)
{
    struct pin_object_key key;
    struct pin_why why = {0};
    if (pin_decode_key(self->row, tree, &key, &why) != PIN_OK) {
        pin__watch_bad_object(self, why.text);
        return;
    }
    pin_source_delete(
        self->host->source, self->row->kind, key.namespace_name, key.name, self->received_ns);
    uint64_t *n = self->step == PIN_STEP_LIST ? &self->stats->n_in_list : &self->stats->n_objects;
    *n -= *n > 0 ? 1 : 0;
}

static void on_event(struct pin_watch *self, const struct pin_tree *event)
{
    const char *type = pin_tree_string(event, "type", "");
    const struct pin_tree *object = pin_tree_map(event, "object");
    const char *version = pin_tree_string(object, "metadata.resourceVersion", NULL);
    bool is_list = self->step == PIN_STEP_LIST;
    if (strcmp(type, "ERROR") == 0) {
        on_error_event(self, object);
        return;
    }
    if (is_list && strcmp(type, "BOOKMARK") != 0) {
        pin__watch_begin_streamed(self);
    }
    if (strcmp(type, "ADDED") == 0) {
        *(is_list ? &self->stats->n_in_list : &self->stats->n_objects) +=
            pin__watch_upsert(self, object) ? 1 : 0;
    } else if (strcmp(type, "MODIFIED") == 0) {
        (void)pin__watch_upsert(self, object);
    } else if (strcmp(type, "DELETED") == 0) {
        on_delete_event(self, object);
    } else if (strcmp(type, "BOOKMARK") == 0) {
        self->host->silent_ms = PIN_WATCH_SILENT_MS;
        pin__watch_on_bookmark(self, object, version);
        self->is_guarded = !self->has_stall && self->step == PIN_STEP_WATCH;
    } else {
        self->needs_list = true; /* not what we know: start over rather than miss something */
        self->reason = PIN_LIST_UNREADABLE;
        return;
    }
    if (is_list) {
        return;
    }
    self->n_failures = 0;
    /* one that goes back would have the next watch tell once more what has passed */
    if (version != NULL
        && (self->resource_version == NULL
            || !pin_watch_is_older(version, self->resource_version))) {
        pin__watch_set_version(self, version);
    }
}

void pin__watch_on_line(void *arg, const char *text, size_t bytes)
{
    struct pin_watch *self = arg;
    if (self->needs_list || self->has_error || self->transfer == NULL) {
        return;
    }
    const struct pin_tree *event = pin__watch_parse(self, text, bytes);
    if (event != NULL) {
        on_event(self, event);
    } else if (text != NULL || self->is_binary) {
        /* what a frame says of its length cannot be checked: it may hide all that follows */
        self->no_binary = self->no_binary || self->is_binary;
        self->needs_list = true;
        self->reason = PIN_LIST_UNREADABLE;
    } else if (self->step == PIN_STEP_LIST) {
        self->is_partial = true;
    }
    pin_arena_reset(self->host->arena);
}

void pin__watch_feed_events(struct pin_watch *self, const char *data, size_t bytes)
{
    struct pin_why why = {0};
    if (!self->has_form && bytes > 0) {
        self->has_form = true;
        self->is_binary = pin_protobuf_knows(self->row->kind) && pin_protobuf_is_frame(data[0]);
    }
    enum pin_err err = self->is_binary ? pin_frames_feed(&self->frames, data, bytes, &why)
                                       : pin_lines_feed(&self->lines, data, bytes, &why);
    if (err != PIN_OK) {
        self->needs_list = true;
        self->no_binary = self->no_binary || self->is_binary;
        self->reason = PIN_LIST_UNREADABLE;
    }
    if (self->transfer == NULL) {
        return; /* a list has to be asked for, or it was stopped */
    }
    if (self->step == PIN_STEP_WATCH && pin_source_take_lost(self->host->source, self->row->kind)) {
        self->needs_list = true;
        self->reason = PIN_LIST_FAILED;
    }
    if (self->step == PIN_STEP_LIST && pin__watch_is_over(self)) {
        return;
    }
    if (!self->needs_list && !self->has_error) {
        if (self->step == PIN_STEP_WATCH) {
            pin__watch_works(self, PIN_STEP_WATCH);
        }
        return;
    }
    if (self->step == PIN_STEP_LIST) {
        pin__watch_abort_list(self, "a streamed list ended with an error");
        return;
    }
    pin_http_cancel(self->transfer);
    self->transfer = NULL;
    self->stats->n_restarts++;
    self->n_failures++;
    if (self->needs_list || self->n_failures >= PIN_WATCH_FAILURES_MAX) {
        self->reason = self->needs_list ? self->reason : PIN_LIST_LOST;
        pin__watch_list_again(self);
    } else {
        pin__watch_schedule_retry(self, PIN_STEP_WATCH, NULL);
    }
}

void pin__watch_ended(struct pin_watch *self)
{
    int64_t lived_ms = pin_clock_mono_ms() - self->started_ms;
    pin__watch_works(self, PIN_STEP_WATCH);
    if (lived_ms >= WATCH_SHORT_MS) {
        pin__watch_schedule(self, PIN_STEP_WATCH, 0);
    } else {
        pin__watch_schedule_retry(self, PIN_STEP_WATCH, NULL);
    }
}
