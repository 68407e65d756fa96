/* SPDX-License-Identifier: Apache-2.0 */

/* The outbox, and how sources report. */

#include "source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "decode.h"

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
        outbox->has_lost = true;
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

void pin_outbox_rename(struct pin_outbox *outbox, uint16_t cluster_id)
{
    for (size_t i = 0; i < outbox->n; i++) {
        outbox->kept[(outbox->first + i) % outbox->cap]->cluster_id = cluster_id;
    }
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

bool pin_source_is_over(const struct pin_source *self, uint64_t n_objects)
{
    return self->max_objects > 0 && n_objects > self->max_objects;
}

bool pin_source_wants(const struct pin_source *self, enum pin_kind kind)
{
    return kind == PIN_KIND_POD             ? self->wants_pods
           : kind == PIN_KIND_GATEWAY_CLASS ? self->wants_classes
           : kind == PIN_KIND_INGRESS       ? self->wants_ingresses
                                            : true;
}

void pin_source_done(struct pin_source *self)
{
    pin_outbox_done(&self->outbox);
    free(self->cluster);
    free(self->origin);
    free(self->where);
}

/* What is lost for want of memory has its kind listed again. */
static void push(
    struct pin_source *self, enum pin_kind kind, struct pin_delta *delta, uint64_t received_ns)
{
    if (delta == NULL) {
        pin_log_error("%s: out of memory, a change is lost until the next list", self->where);
        self->lost_kinds |= UINT32_C(1) << kind;
        return;
    }
    delta->received_ns = received_ns;
    (void)pin_outbox_push(&self->outbox, delta);
    if (self->outbox.has_lost) {
        self->outbox.has_lost = false;
        self->lost_kinds |= UINT32_C(1) << kind;
    }
}

bool pin_source_take_lost(struct pin_source *self, enum pin_kind kind)
{
    bool has_lost = (self->lost_kinds & UINT32_C(1) << kind) != 0;
    self->lost_kinds &= ~(UINT32_C(1) << kind);
    return has_lost;
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
    push(self, kind, pin_delta_mark(self->cluster_id, op, kind), (uint64_t)pin_clock_mono_ns());
}

void pin_source_upsert(struct pin_source *self, struct pin_object *object, uint64_t received_ns)
{
    enum pin_kind kind = object->kind;
    bool is_listed = self->stats.kinds[kind].is_listed;
    count_event(self, kind);
    struct pin_delta *delta = pin_delta_upsert(self->cluster_id, object);
    if (delta != NULL) {
        delta->has_more = !is_listed && !self->tells_each;
    }
    push(self, kind, delta, received_ns);
}

void pin_source_delete(struct pin_source *self, enum pin_kind kind, const char *namespace_name,
    const char *name, uint64_t received_ns)
{
    count_event(self, kind);
    push(self, kind, pin_delta_delete(self->cluster_id, kind, namespace_name, name), received_ns);
}

void pin_source_end_list(struct pin_source *self, enum pin_kind kind, bool is_unproven)
{
    struct pin_delta *delta = pin_delta_mark(self->cluster_id, PIN_DELTA_LIST_END, kind);
    if (delta != NULL) {
        delta->is_unproven = is_unproven;
    }
    push(self, kind, delta, (uint64_t)pin_clock_mono_ns());
}

void pin_source_end_partial_list(struct pin_source *self, enum pin_kind kind)
{
    struct pin_delta *delta = pin_delta_mark(self->cluster_id, PIN_DELTA_LIST_END, kind);
    if (delta != NULL) {
        delta->is_partial = true;
    }
    push(self, kind, delta, (uint64_t)pin_clock_mono_ns());
}

void pin_source_keep(
    struct pin_source *self, enum pin_kind kind, const char *namespace_name, const char *name)
{
    push(self, kind, pin_delta_keep(self->cluster_id, kind, namespace_name, name),
        (uint64_t)pin_clock_mono_ns());
}

void pin_source_set_empty(struct pin_source *self, enum pin_kind kind, bool is_unproven)
{
    self->stats.kinds[kind].n_objects = 0;
    pin_source_mark(self, PIN_DELTA_LIST_BEGIN, kind);
    pin_source_end_list(self, kind, is_unproven);
}

/* The catalog has logged it; this is for whoever asks later. */
static void show_held(struct pin_source *self, uint32_t kinds)
{
    struct pin_text names = {0};
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if ((kinds & UINT32_C(1) << kind) != 0) {
            pin_text_putf(&names, "%s%s", names.len > 0 ? ", " : "",
                pin_decode_row((enum pin_kind)kind)->resource);
        }
    }
    if (self->doubt.code != (kinds != 0)) {
        self->doubt.since_wall_ms = pin_clock_wall_ms();
    }
    self->doubt.code = kinds != 0;
    self->doubt.text[0] = '\0';
    if (kinds != 0) {
        (void)snprintf(self->doubt.text, sizeof(self->doubt.text),
            "the last list of %s names too few objects, or more than there is room for; what it "
            "lacks is kept until a second one confirms it",
            pin_text_get(&names));
    }
    pin_text_done(&names);
}

void pin_source_set_held(struct pin_source *self, uint32_t kinds)
{
    bool is_changed = false;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        bool is_held = (kinds & UINT32_C(1) << kind) != 0;
        is_changed = is_changed || self->stats.kinds[kind].is_held != is_held;
        self->stats.kinds[kind].is_held = is_held;
    }
    if (!is_changed) {
        return;
    }
    show_held(self, kinds);
    if (self->ops->set_held != NULL) {
        self->ops->set_held(self);
    }
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

const char *pin_source_kept(const struct pin_source *self)
{
    return self->stats.is_synced ? "its last known state is kept"
                                 : "it has not been listed since the start";
}

void pin_source_set_synced(struct pin_source *self)
{
    if (!self->stats.is_synced) {
        self->stats.is_synced = true;
        self->stats.sync_took_ms = PIN_MAX(pin_clock_mono_ms() - self->started_ms, (int64_t)1);
        pin_log_info("%s: listed in %.1f s", self->where, (double)self->stats.sync_took_ms / 1000);
        pin_source_mark(self, PIN_DELTA_SYNCED, PIN_KIND_SERVICE);
    }
}

/* One that comes and goes is told a few times, then counted until the window is over. */
static bool may_tell(struct pin_trouble *slot)
{
    int64_t now_ms = pin_clock_mono_ms();
    if (slot->n_told == 0 || now_ms - slot->window_ms >= PIN_TROUBLE_WINDOW_MS) {
        slot->window_ms = now_ms;
        slot->n_told = 0;
    }
    if (slot->n_told >= PIN_TROUBLE_LINES) {
        slot->n_untold++;
        return false;
    }
    slot->n_told++;
    return true;
}

static void log_trouble(struct pin_source *self, struct pin_trouble *slot)
{
    char more[96] = "";
    if (slot->n_told == PIN_TROUBLE_LINES) {
        (void)snprintf(more, sizeof(more), " (it comes and goes, told again in %lld minutes)",
            (long long)(PIN_TROUBLE_WINDOW_MS / 60000));
    } else if (slot->n_untold > 0) {
        (void)snprintf(more, sizeof(more), " (%u times more, untold)", slot->n_untold);
        slot->n_untold = 0;
    }
    /* No rate limit of the place: each state is told once. */
    pin_log_write(NULL, PIN_LOG_WARN, "%s: %s%s%s%s", self->where, slot->text,
        slot->hint[0] != '\0' ? "; to do: " : "", slot->hint, more);
}

void pin_source_set_trouble_v(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, va_list args)
{
    bool is_news = code != slot->code;
    slot->since_wall_ms = is_news ? pin_clock_wall_ms() : slot->since_wall_ms;
    slot->code = code;
    slot->text[0] = '\0';
    slot->hint[0] = '\0';
    if (code == 0) {
        return;
    }
    (void)vsnprintf(slot->text, sizeof(slot->text), fmt, args);
    (void)snprintf(slot->hint, sizeof(slot->hint), "%s", hint);
    if (is_news) {
        slot->is_told = may_tell(slot);
        if (slot->is_told) {
            log_trouble(self, slot);
        }
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
