/* SPDX-License-Identifier: Apache-2.0 */

/* Writing to one cluster: what is left to do, when, and what becomes of it. */

#include "writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "backoff.h"
#include "decode.h"
#include "events.h"
#include "http.h"
#include "lease.h"
#include "recent.h"
#include "source.h"

#define PACE_MS    20 /* Between the beginnings of two requests. */
#define TIMEOUT_MS 4000
#define ITEMS_MAX  1024
#define DENIED_MS  60000
#define WRONG_MS   300000 /* What the server calls wrong, or is another manager's. */
#define AGAIN_MS   5000   /* What was given up for want of room. */
#define APPLY_TYPE "application/apply-patch+yaml"
#define PATCH_TYPE "application/json-patch+json"
#define MERGE_TYPE "application/merge-patch+json"

/* What has rights of its own. */
enum scope {
    PIN_SCOPE_OBJECT,
    PIN_SCOPE_STATUS,
    PIN_SCOPE_EVENTS,
    PIN_SCOPE_MAX,
};

/* One request that is to be made. */
struct item {
    struct item *next;
    struct unit *unit; /* NULL: nobody wants it any more, it is under way */
    struct pin_write *write;
    struct pin_backoff backoff;
    int64_t due_ms;
    bool is_told;
};

/* One unit that needs something. */
struct unit {
    struct item *first;
    char *key;
};

struct pin_writer {
    struct pin_writer_config config;
    struct pin_sync_writes writes;
    struct pin_lease *lease;
    struct pin_timer *timer;
    struct pin_timer *again_timer;
    struct pin_map units;     /* key -> struct unit, oldest first */
    struct pin_recent recent; /* what was written lately */
    struct pin_http_transfer *transfer;
    struct item *current; /* whose request is under way */
    int64_t began_ms;     /* the latest request */
    int64_t denied_until_ms[PIN_KIND_MAX][PIN_SCOPE_MAX];
    bool is_denied_told[PIN_KIND_MAX][PIN_SCOPE_MAX];
    bool is_absent_told[PIN_KIND_MAX];
    size_t n_items;
    uint64_t n_good;
    uint64_t n_failed;
    uint64_t results[PIN_SYNC_WRITE_KINDS][PIN_SYNC_WRITE_RESULTS];
    struct pin_events events;
    char *identity;
    int64_t again_at_ms; /* when again_timer is due, while it runs */
    int64_t last_error_wall_ms;
    char error[256];
};

/* --- paths and bodies --------------------------------------------------------------------------
 */

static const struct pin_target *target_of(void *arg)
{
    const struct pin_writer *self = arg;
    struct pin_source *source = self->config.source;
    return source->ops->target == NULL ? NULL : source->ops->target(source);
}

/* The version that the cluster serves of the kind; NULL: it has none. */
static const char *version_of(const struct pin_writer *self, enum pin_kind kind)
{
    struct pin_source *source = self->config.source;
    return source->ops->version == NULL ? NULL : source->ops->version(source, kind);
}

static enum scope scope_of(const struct pin_write *write)
{
    return write->op == PIN_WRITE_EVENT    ? PIN_SCOPE_EVENTS
           : pin_write_is_of_status(write) ? PIN_SCOPE_STATUS
                                           : PIN_SCOPE_OBJECT;
}

/* "/apis/GROUP/VERSION/namespaces/NS/PLURAL/NAME[/status]"; names need no escaping. */
static void put_path(
    const struct pin_writer *self, const struct pin_write *write, struct pin_text *out)
{
    const struct pin_kind_row *row = pin_decode_row(write->kind);
    const char *version = version_of(self, write->kind);
    if (write->op == PIN_WRITE_EVENT) {
        pin_events_put_path(&self->events, write, out);
        return;
    }
    pin_text_putf(out, "%s%s/%s", row->group[0] == '\0' ? "/api" : "/apis/", row->group,
        version != NULL ? version : "");
    if (row->is_namespaced) {
        pin_text_putf(out, "/namespaces/%s", write->namespace_name);
    }
    pin_text_putf(out, "/%s", row->plural);
    if (write->op != PIN_WRITE_CREATE) {
        pin_text_putf(out, "/%s", write->name);
    }
    if (pin_write_is_of_status(write)) {
        pin_text_puts(out, "/status");
    }
    if (write->op == PIN_WRITE_PATCH_STATUS) {
        pin_text_putf(out, "?fieldManager=%s", write->manager);
    }
    if (write->op == PIN_WRITE_APPLY || write->op == PIN_WRITE_APPLY_STATUS) {
        pin_text_putf(
            out, "?fieldManager=%s&force=%s", write->manager, write->is_soft ? "false" : "true");
    }
}

static void put_event(
    const struct pin_writer *self, const struct pin_write *write, struct pin_text *out)
{
    const struct pin_kind_row *row = pin_decode_row(write->kind);
    char api_version[128];
    (void)snprintf(
        api_version, sizeof(api_version), "%s/%s", row->group, version_of(self, write->kind));
    const struct pin_events_teller teller = {
        .identity = self->identity, .api_version = api_version, .wall_ms = pin_clock_wall_ms()};
    pin_events_put_body(&self->events, write, &teller, out);
}

/* The body with its apiVersion and kind; of a deletion, whom it is for. */
static void put_body(
    const struct pin_writer *self, const struct pin_write *write, struct pin_text *out)
{
    const struct pin_kind_row *row = pin_decode_row(write->kind);
    if (write->op == PIN_WRITE_PATCH_STATUS) {
        pin_text_putn(out, write->body, write->body_bytes);
        return;
    }
    if (write->op == PIN_WRITE_EVENT) {
        put_event(self, write, out);
        return;
    }
    if (write->op == PIN_WRITE_DELETE) {
        if (write->uid != NULL) {
            pin_text_puts(out, "{\"preconditions\":{\"uid\":");
            pin_text_put_json_string(out, write->uid, strlen(write->uid));
            pin_text_puts(out, "}}");
        }
        return;
    }
    pin_text_putf(out, "{\"apiVersion\":\"%s%s%s\",\"kind\":\"%s\",", row->group,
        row->group[0] == '\0' ? "" : "/", version_of(self, write->kind), row->kind_text);
    pin_text_putn(out, write->body + 1, write->body_bytes - 1);
}

/* What the body is; NULL: JSON. */
static const char *type_of(const struct pin_writer *self, const struct pin_write *write)
{
    switch (write->op) {
    case PIN_WRITE_APPLY:
    case PIN_WRITE_APPLY_STATUS:
        return APPLY_TYPE;
    case PIN_WRITE_PATCH_STATUS:
        return PATCH_TYPE;
    case PIN_WRITE_EVENT:
        return pin_events_repeats(&self->events, write) ? MERGE_TYPE : NULL;
    case PIN_WRITE_DELETE:
    case PIN_WRITE_CREATE:
        break;
    }
    return NULL;
}

static const char *method_of(const struct pin_writer *self, const struct pin_write *write)
{
    bool is_new = write->op == PIN_WRITE_CREATE
                  || (write->op == PIN_WRITE_EVENT && !pin_events_repeats(&self->events, write));
    return write->op == PIN_WRITE_DELETE ? "DELETE" : is_new ? "POST" : "PATCH";
}

/* --- items --------------------------------------------------------------------------------------
 */

static void free_item(struct item *item)
{
    pin_write_free(item->write);
    free(item);
}

/* Lets go of an item: freed now, or when its request ends. */
static void drop_item(struct pin_writer *self, struct item *item)
{
    self->n_items--;
    item->unit = NULL;
    if (item != self->current) {
        free_item(item);
    }
}

static void drop_unit(struct pin_writer *self, struct unit *unit)
{
    while (unit->first != NULL) {
        struct item *item = unit->first;
        unit->first = item->next;
        drop_item(self, item);
    }
    (void)pin_map_remove(&self->units, unit->key, strlen(unit->key));
    free(unit->key);
    free(unit);
}

static void drop_all(struct pin_writer *self)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&self->units, &cursor, NULL, NULL, &value)) {
        drop_unit(self, value);
    }
}

/* Takes one item out of its unit. */
static void finish_item(struct pin_writer *self, struct item *item)
{
    struct unit *unit = item->unit;
    if (unit == NULL) {
        return;
    }
    struct item **at = &unit->first;
    while (*at != item) {
        at = &(*at)->next;
    }
    *at = item->next;
    drop_item(self, item);
    if (unit->first == NULL) {
        drop_unit(self, unit);
    }
}

static void look_again(struct pin_writer *self, int64_t ms)
{
    int64_t at_ms = pin_clock_mono_ms() + ms;
    if (!pin_timer_is_running(self->again_timer) || at_ms < self->again_at_ms) {
        pin_timer_start(self->again_timer, ms, false);
        self->again_at_ms = at_ms;
    }
}

/* A kind that the cluster lacks is told once. */
static void tell_absent(struct pin_writer *self, enum pin_kind kind)
{
    if (!self->is_absent_told[kind] && target_of(self) != NULL) {
        self->is_absent_told[kind] = true;
        pin_log_warn("%s: has no %s, they are not written", self->config.source->where,
            pin_decode_row(kind)->resource);
    }
}

/* Whether it is ours to write. */
static bool may_write(const struct pin_writer *self, const struct pin_write *write)
{
    return write->needs_no_lease || pin_lease_is_held(self->lease);
}

/* Whether a write of that kind can be made at all now. */
static bool can_write(struct pin_writer *self, const struct pin_write *write)
{
    enum pin_kind kind = write->kind;
    if (version_of(self, kind) == NULL) {
        tell_absent(self, kind);
        return false;
    }
    self->is_absent_told[kind] = false;
    return pin_clock_mono_ms() >= self->denied_until_ms[kind][scope_of(write)];
}

static struct unit *find_unit(struct pin_writer *self, const char *key)
{
    return pin_map_find(&self->units, key, strlen(key));
}

static struct unit *make_unit(struct pin_writer *self, const char *key)
{
    struct unit *unit = find_unit(self, key);
    if (unit != NULL) {
        return unit;
    }
    unit = calloc(1, sizeof(*unit));
    char *own_key = strdup(key);
    if (unit == NULL || own_key == NULL
        || !pin_map_put(&self->units, key, strlen(key), unit, NULL)) {
        free(unit);
        free(own_key);
        return NULL;
    }
    unit->key = own_key;
    return unit;
}

static void schedule(struct pin_writer *self);

void pin_writer_clear(struct pin_writer *writer, const char *key)
{
    struct unit *unit = find_unit(writer, key);
    pin_recent_expect(&writer->recent, key);
    if (unit != NULL) {
        drop_unit(writer, unit);
    }
}

/* Whether an Event is to be told now. One that is told is looked at again while it may stand. */
static bool is_its_turn(struct pin_writer *self, const struct pin_write *write)
{
    enum pin_events_turn turn = pin_events_take(&self->events, write, pin_clock_mono_ms());
    look_again(self, turn == PIN_EVENTS_WAIT ? DENIED_MS : PIN_EVENTS_AGAIN_MS + DENIED_MS);
    return turn == PIN_EVENTS_NOW;
}

void pin_writer_add(struct pin_writer *writer, const char *key, struct pin_write *write)
{
    struct item *item = NULL;
    write->next = NULL;
    if (!may_write(writer, write) || !can_write(writer, write)) {
        pin_write_free(write); /* looked at again with the Lease, or after the refusal's minute */
        return;
    }
    if (write->op == PIN_WRITE_EVENT && !is_its_turn(writer, write)) {
        pin_write_free(write);
        return;
    }
    struct unit *unit = writer->n_items < ITEMS_MAX && !pin_recent_has(&writer->recent, write)
                            ? make_unit(writer, key)
                            : NULL;
    if (unit != NULL) {
        item = calloc(1, sizeof(*item));
    }
    if (item == NULL) {
        look_again(writer, writer->n_items < ITEMS_MAX ? PIN_RECENT_MS : AGAIN_MS);
        pin_write_free(write);
        return;
    }
    *item = (struct item){.unit = unit, .write = write};
    struct item **end = &unit->first;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = item;
    writer->n_items++;
    schedule(writer);
}

/* --- outcomes -----------------------------------------------------------------------------------
 */

static bool contains(const char *text, const char *part)
{
    return strstr(text, part) != NULL;
}

/* Whether a write needs the same right. */
static bool is_alike(const struct pin_write *a, const struct pin_write *b)
{
    return a->kind == b->kind && scope_of(a) == scope_of(b);
}

/* Drops all that is to be written like that. */
static void drop_alike(struct pin_writer *self, const struct pin_write *like)
{
    const struct pin_write same = {.kind = like->kind, .op = like->op};
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&self->units, &cursor, NULL, NULL, &value)) {
        struct unit *unit = value;
        struct item **at = &unit->first;
        while (*at != NULL) {
            struct item *item = *at;
            if (is_alike(item->write, &same)) {
                *at = item->next;
                drop_item(self, item);
            } else {
                at = &item->next;
            }
        }
        if (unit->first == NULL) {
            drop_unit(self, unit);
        }
    }
}

/* 403: told once, with what to do; nothing of the kind is tried for a while. */
static void on_denied(
    struct pin_writer *self, const struct pin_write *write, const struct pin_http_result *result)
{
    enum pin_kind kind = write->kind;
    enum scope scope = scope_of(write);
    if (!self->is_denied_told[kind][scope]) {
        pin_log_warn("%s: %s %s %s/%s: 403 %s; to do: bind the role of deploy/rbac that lets this "
                     "user write %s%s",
            self->config.source->where, method_of(self, write), pin_kind_text(kind),
            write->namespace_name, write->name, result->message,
            scope == PIN_SCOPE_EVENTS ? "events.events.k8s.io" : pin_decode_row(kind)->resource,
            scope == PIN_SCOPE_STATUS ? "/status" : "");
    }
    self->is_denied_told[kind][scope] = true;
    self->denied_until_ms[kind][scope] = pin_clock_mono_ms() + DENIED_MS;
    (void)snprintf(self->error, sizeof(self->error), "403 %s", result->message);
    drop_alike(self, write);
    look_again(self, DENIED_MS + 1000);
}

/* Anything else that went wrong: later again. */
static void on_failed(
    struct pin_writer *self, struct item *item, const struct pin_http_result *result)
{
    const struct pin_write *write = item->write;
    bool is_wrong =
        result->status == 400 || result->status == 422 || (result->status == 409 && write->is_soft);
    if (is_wrong && !item->is_told) {
        pin_log_warn("%s: %s %s %s/%s: %d %s", self->config.source->where, method_of(self, write),
            pin_kind_text(write->kind), write->namespace_name, write->name, result->status,
            result->message);
        item->is_told = true;
    }
    (void)snprintf(self->error, sizeof(self->error), "%d %s", result->status, result->message);
    int64_t wait_ms = pin_backoff_next(&item->backoff, 0, result->retry_after_ms);
    item->due_ms = pin_clock_mono_ms() + (is_wrong ? WRONG_MS : wait_ms);
}

static void on_good(struct pin_writer *self, struct item *item)
{
    enum pin_kind kind = item->write->kind;
    pin_log_debug("%s: %s %s %s/%s", self->config.source->where, method_of(self, item->write),
        pin_kind_text(kind), item->write->namespace_name, item->write->name);
    self->n_good++;
    self->error[0] = '\0';
    self->is_denied_told[kind][scope_of(item->write)] = false;
    pin_recent_note(&self->recent, item->unit != NULL ? item->unit->key : NULL, item->write);
    finish_item(self, item);
}

/* 404, or a namespace that is going: there is nothing to write on any more. */
static bool is_gone(const struct pin_http_result *result)
{
    return result->status == 404
           || (result->status == 403 && contains(result->message, "being terminated"));
}

static enum pin_sync_write_result result_of(const struct pin_http_result *result)
{
    return result->status >= 200 && result->status < 300 ? PIN_SYNC_WRITE_OK
           : is_gone(result)                             ? PIN_SYNC_WRITE_GONE
           : result->status == 409                       ? PIN_SYNC_WRITE_CONFLICT
           : result->status == 403                       ? PIN_SYNC_WRITE_DENIED
                                                         : PIN_SYNC_WRITE_FAILED;
}

static void count(
    struct pin_writer *self, const struct pin_write *write, enum pin_sync_write_result result)
{
    self->results[write->op == PIN_WRITE_EVENT ? PIN_SYNC_WRITE_EVENTS : (int)write->kind]
                 [result]++;
    if (result != PIN_SYNC_WRITE_OK && result != PIN_SYNC_WRITE_GONE) {
        self->last_error_wall_ms = pin_clock_wall_ms();
    }
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct pin_writer *self = arg;
    struct item *item = self->current;
    self->transfer = NULL;
    self->current = NULL;
    count(self, item->write, result_of(result));
    enum pin_events_end end = item->write->op == PIN_WRITE_EVENT ? pin_events_end(
                                  &self->events, item->write, result, pin_clock_mono_ms())
                                                                 : PIN_EVENTS_FAILED;
    if (item->unit == NULL) { /* not wanted any more; what it made is seen by the watch */
        free_item(item);
    } else if (end == PIN_EVENTS_DONE || result_of(result) == PIN_SYNC_WRITE_OK) {
        on_good(self, item);
    } else if (end != PIN_EVENTS_ANEW) {
        self->n_failed++;
        if (is_gone(result)) {
            finish_item(self, item);
        } else if (result->status == 403) {
            on_denied(self, item->write, result);
        } else {
            on_failed(self, item, result);
        }
    }
    schedule(self);
}

/* --- requests -----------------------------------------------------------------------------------
 */

static void on_body(void *arg, const char *data, size_t bytes)
{
    (void)arg;
    (void)data;
    (void)bytes;
}

static bool send_item(struct pin_writer *self, struct item *item, const struct pin_target *target)
{
    struct pin_text path = {0};
    struct pin_text body = {0};
    struct pin_why why = {0};
    put_path(self, item->write, &path);
    put_body(self, item->write, &body);
    struct pin_http_request request = {.target = target,
        .method = method_of(self, item->write),
        .path = pin_text_get(&path),
        .body = body.len > 0 ? pin_text_get(&body) : NULL,
        .body_bytes = body.len,
        .body_type = type_of(self, item->write),
        .timeout_ms = TIMEOUT_MS,
        .on_body = on_body,
        .on_done = on_done,
        .arg = self};
    bool is_sent = !path.failed && !body.failed
                   && pin_http_start(self->config.http, &request, &self->transfer, &why) == PIN_OK;
    pin_text_done(&path);
    pin_text_done(&body);
    return is_sent;
}

/* The item that is due first, of those that are ours to write. */
static struct item *first_due(const struct pin_writer *self)
{
    struct item *best = NULL;
    size_t cursor = 0;
    void *value = NULL;
    int64_t now_ms = pin_clock_mono_ms();
    while (pin_map_next(&self->units, &cursor, NULL, NULL, &value)) {
        const struct unit *unit = value;
        for (struct item *item = unit->first; item != NULL; item = item->next) {
            if (!may_write(self, item->write)) {
                continue;
            }
            if (item->due_ms <= now_ms) {
                return item; /* oldest unit first */
            }
            best = best == NULL || item->due_ms < best->due_ms ? item : best;
        }
    }
    return best;
}

/* Sets the timer for the next request, if there is one to make. */
static void schedule(struct pin_writer *self)
{
    const struct item *item = self->transfer == NULL ? first_due(self) : NULL;
    if (item == NULL) {
        pin_timer_stop(self->timer);
        return;
    }
    int64_t at_ms = PIN_MAX(item->due_ms, self->began_ms + PACE_MS);
    pin_timer_start(self->timer, PIN_MAX(at_ms - pin_clock_mono_ms(), (int64_t)0), false);
}

static void on_timer(void *arg)
{
    struct pin_writer *self = arg;
    struct item *item = self->transfer == NULL ? first_due(self) : NULL;
    if (item == NULL) {
        return;
    }
    const struct pin_target *target = target_of(self);
    int64_t now_ms = pin_clock_mono_ms();
    if (item->due_ms > now_ms) {
        schedule(self);
        return;
    }
    if (version_of(self, item->write->kind) == NULL) {
        drop_alike(self, item->write); /* the kind has gone, and its objects with it */
        schedule(self);
        return;
    }
    self->began_ms = now_ms;
    self->current = item;
    if (target == NULL || !send_item(self, item, target)) {
        self->current = NULL;
        item->due_ms = now_ms + pin_backoff_next(&item->backoff, 0, -1);
        schedule(self);
    }
}

static void on_again_timer(void *arg)
{
    const struct pin_writer *self = arg;
    if (pin_lease_is_held(self->lease)) {
        self->writes.on_look_again(self->writes.arg);
    }
}

/* --- life ---------------------------------------------------------------------------------------
 */

static void stop_writing(struct pin_writer *self)
{
    drop_all(self);
    pin_timer_stop(self->timer);
    pin_timer_stop(self->again_timer);
    pin_http_cancel(self->transfer);
    self->transfer = NULL;
    if (self->current != NULL) {
        free_item(self->current);
        self->current = NULL;
    }
    pin_recent_done(&self->recent);
    pin_events_done(&self->events);
}

static void on_lease(void *arg, bool is_held)
{
    struct pin_writer *self = arg;
    if (!is_held) {
        stop_writing(self);
    }
    self->writes.on_writable(self->writes.arg, self->config.source->cluster_id, is_held);
}

struct pin_writer *pin_writer_new(const struct pin_writer_config *config)
{
    struct pin_writer *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->config = *config;
    self->writes = *config->writes;
    self->config.writes = NULL;
    self->identity = strdup(config->writes->identity);
    struct pin_lease_config lease = {.loop = config->loop,
        .http = config->http,
        .arena = config->arena,
        .where = config->source->where,
        .namespace_name = config->writes->lease_namespace,
        .name = config->writes->lease_name,
        .identity = config->writes->identity,
        .target = target_of,
        .on_change = on_lease,
        .arg = self};
    self->timer = pin_timer_new(config->loop, on_timer, self);
    self->again_timer = pin_timer_new(config->loop, on_again_timer, self);
    self->lease = pin_lease_new(&lease);
    if (self->timer == NULL || self->again_timer == NULL || self->lease == NULL
        || self->identity == NULL) {
        pin_writer_free(self);
        return NULL;
    }
    return self;
}

void pin_writer_free(struct pin_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    if (writer->timer != NULL && writer->again_timer != NULL) {
        stop_writing(writer);
    }
    pin_map_done(&writer->units, NULL);
    pin_lease_free(writer->lease);
    pin_timer_free(writer->timer);
    pin_timer_free(writer->again_timer);
    free(writer->identity);
    free(writer);
}

void pin_writer_start(struct pin_writer *writer)
{
    pin_lease_start(writer->lease);
}

void pin_writer_release(struct pin_writer *writer)
{
    pin_lease_release(writer->lease);
}

bool pin_writer_is_busy(const struct pin_writer *writer)
{
    return pin_lease_is_busy(writer->lease);
}

void pin_writer_stats(const struct pin_writer *writer, struct pin_sync_write_stats *ret_stats)
{
    *ret_stats = (struct pin_sync_write_stats){.is_on = true,
        .is_held = pin_lease_is_held(writer->lease),
        .holder = pin_lease_holder(writer->lease),
        .error = pin_lease_error(writer->lease)[0] != '\0' ? pin_lease_error(writer->lease)
                                                           : writer->error,
        .n_waiting = writer->n_items,
        .n_good = writer->n_good,
        .n_failed = writer->n_failed,
        .last_error_wall_ms = writer->last_error_wall_ms};
    memcpy(ret_stats->results, writer->results, sizeof(writer->results));
}
