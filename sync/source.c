/* SPDX-License-Identifier: Apache-2.0 */

/* The outbox, and how sources report. */

#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"

/* --- Outbox --------------------------------------------------------------------------------- */

/* Makes room for one more; the ring starts at 0 afterwards. */
static bool grow(struct pin_outbox *self)
{
    size_t cap = self->cap == 0 ? 64 : self->cap * 2;
    struct pin_delta **kept = malloc(cap * sizeof(struct pin_delta *));
    if (kept == NULL) {
        return false;
    }
    for (size_t i = 0; i < self->n; i++) {
        kept[i] = self->kept[(self->first + i) % self->cap];
    }
    free(self->kept);
    self->kept = kept;
    self->cap = cap;
    self->first = 0;
    return true;
}

bool pin_outbox_push(struct pin_outbox *outbox, struct pin_delta *delta)
{
    if (delta == NULL) {
        return outbox->n == 0;
    }
    if (outbox->n == 0 && outbox->sink->push(outbox->sink->arg, delta)) {
        return true;
    }
    if (outbox->n == outbox->cap && !grow(outbox)) {
        pin_log_error("source: out of memory, a change is lost until the next list");
        pin_delta_free(delta);
        return false;
    }
    outbox->kept[(outbox->first + outbox->n) % outbox->cap] = delta;
    outbox->n++;
    return false;
}

bool pin_outbox_drain(struct pin_outbox *outbox)
{
    while (outbox->n > 0 && outbox->sink->push(outbox->sink->arg, outbox->kept[outbox->first])) {
        outbox->first = (outbox->first + 1) % outbox->cap;
        outbox->n--;
    }
    return outbox->n == 0;
}

bool pin_outbox_is_full(const struct pin_outbox *outbox)
{
    return outbox->n > 0;
}

void pin_outbox_done(struct pin_outbox *outbox)
{
    for (size_t i = 0; i < outbox->n; i++) {
        pin_delta_free(outbox->kept[(outbox->first + i) % outbox->cap]);
    }
    free(outbox->kept);
    *outbox = (struct pin_outbox){.sink = outbox->sink};
}

/* --- Source --------------------------------------------------------------------------------- */

bool pin_source_init(struct pin_source *self, const struct pin_source_ops *ops,
    struct pin_loop *loop, const struct pin_source_spec *spec, const struct pin_sync_sink *sink,
    char *origin)
{
    self->ops = ops;
    self->loop = loop;
    self->cluster_id = spec->cluster_id;
    self->outbox.sink = sink;
    self->cluster = strdup(spec->cluster);
    self->origin = origin;
    if (asprintf(&self->where, "cluster %s", spec->cluster) < 0) {
        self->where = NULL;
    }
    return self->cluster != NULL && self->origin != NULL && self->where != NULL;
}

void pin_source_done(struct pin_source *self)
{
    pin_outbox_done(&self->outbox);
    free(self->cluster);
    free(self->origin);
    free(self->where);
}

static void push(struct pin_source *self, struct pin_delta *delta, uint64_t received_ns)
{
    if (delta == NULL) {
        pin_log_error("%s: out of memory, a change is lost until the next list", self->where);
        return;
    }
    delta->received_ns = received_ns;
    (void)pin_outbox_push(&self->outbox, delta);
}

static void count_event(struct pin_source *self, enum pin_kind kind)
{
    int64_t wall_ms = pin_clock_wall_ms();
    self->stats.kinds[kind].n_events++;
    self->stats.kinds[kind].last_event_wall_ms = wall_ms;
    self->stats.last_event_wall_ms = wall_ms;
}

void pin_source_mark(struct pin_source *self, enum pin_delta_op op, enum pin_kind kind)
{
    push(self, pin_delta_mark(self->cluster_id, op, kind), (uint64_t)pin_clock_mono_ns());
}

void pin_source_upsert(struct pin_source *self, struct pin_object *object, uint64_t received_ns)
{
    count_event(self, object->kind);
    push(self, pin_delta_upsert(self->cluster_id, object), received_ns);
}

void pin_source_delete(struct pin_source *self, enum pin_kind kind, const char *namespace_name,
    const char *name, uint64_t received_ns)
{
    count_event(self, kind);
    push(self, pin_delta_delete(self->cluster_id, kind, namespace_name, name), received_ns);
}

void pin_source_set_empty(struct pin_source *self, enum pin_kind kind)
{
    self->stats.kinds[kind].n_objects = 0;
    pin_source_mark(self, PIN_DELTA_LIST_BEGIN, kind);
    pin_source_mark(self, PIN_DELTA_LIST_END, kind);
}

void pin_source_set_up(struct pin_source *self, bool is_up)
{
    if (self->is_told && self->stats.is_up == is_up) {
        return;
    }
    self->is_told = true;
    self->stats.is_up = is_up;
    pin_source_mark(self, is_up ? PIN_DELTA_UP : PIN_DELTA_DOWN, PIN_KIND_SERVICE);
}

void pin_source_set_synced(struct pin_source *self)
{
    if (!self->stats.is_synced) {
        self->stats.is_synced = true;
        pin_source_mark(self, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    }
}

void pin_source_set_trouble_v(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, va_list args)
{
    bool is_news = code != slot->code;
    slot->code = code;
    slot->text[0] = '\0';
    slot->hint[0] = '\0';
    if (code == 0) {
        return;
    }
    (void)vsnprintf(slot->text, sizeof(slot->text), fmt, args);
    (void)snprintf(slot->hint, sizeof(slot->hint), "%s", hint);
    if (is_news) {
        /* No rate limit: each state is told once. */
        pin_log_write(NULL, PIN_LOG_WARN, "%s: %s%s%s", self->where, slot->text,
            slot->hint[0] != '\0' ? "; to do: " : "", slot->hint);
    }
}

void pin_source_set_trouble(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    pin_source_set_trouble_v(self, slot, code, hint, fmt, args);
    va_end(args);
}
