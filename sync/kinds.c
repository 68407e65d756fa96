/* SPDX-License-Identifier: Apache-2.0 */

/* Kinds: what discovery and 404s say becomes watches, and lists of nothing. */

#include "kinds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"

#include "backoff.h"
#include "decode.h"
#include "discovery.h"
#include "watch.h"

#define DISCOVERY_CHEAP_MS   10000 /* With an ETag most answers are empty. */
#define DISCOVERY_EVERY_MS   60000
#define DISCOVERY_TIMEOUT_MS 20000
#define DISCOVERY_BYTES_MAX  ((size_t)32 << 20)
#define START_SPREAD_MS      100
#define ABSENT_TRIES         2 /* 404s before it is told, and before discovery may say "gone". */
#define ABSENT_AGAIN_MS      5000
#define DOUBT_EVERY_MS       1000 /* Discovery, once a kind that was listed answers 404, */
#define DOUBT_TRIES          5    /* for as many 404s. */

/* Codes of struct pin_trouble of a kind: one per state that is told once. */
enum {
    PIN_TROUBLE_NONE,
    PIN_TROUBLE_DENIED,
    PIN_TROUBLE_OVER,
    PIN_TROUBLE_STATUS, /* + HTTP status */
};

/* Where a kind stands. */
struct kind_state {
    struct pin_watch *watch;
    int version;       /* Position in the row's versions that is tried or served; -1: not served. */
    uint32_t n_absent; /* 404s in a row. */
    bool is_settled;   /* Listed, absent or denied: SYNCED does not wait for it. */
};

struct pin_kinds {
    struct pin_kinds_host host;
    struct pin_watch_host watch_host;
    struct pin_source *source;       /* The host's. */
    const struct pin_target *target; /* NULL: nowhere to ask. */
    struct kind_state kinds[PIN_KIND_MAX];
    struct pin_timer *timer; /* Of discovery. */
    struct pin_http_transfer *discovery;
    struct pin_text text; /* Of its answer. */
    char *etag;
    struct pin_backoff backoff; /* Of discovery. */
    bool is_discovered;         /* Discovery was answered, or given up, once. */
};

/* --- Kinds ---------------------------------------------------------------------------------- */

static bool is_listed(const struct pin_kinds *self, enum pin_kind kind)
{
    return self->source->stats.kinds[kind].is_listed;
}

/*
 * SYNCED once no kind is awaited any more; a cluster that does not let us see Services and their
 * endpoints is unknown, not empty, and never counts as synced.
 */
static void check_synced(struct pin_kinds *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (!self->kinds[kind].is_settled && kind != PIN_KIND_POD
            && pin_source_wants(self->source, (enum pin_kind)kind)) {
            return;
        }
    }
    if (is_listed(self, PIN_KIND_SERVICE) && is_listed(self, PIN_KIND_ENDPOINT_SLICE)) {
        pin_source_set_synced(self->source);
    }
}

static void start_watch(struct pin_kinds *self, enum pin_kind kind, int64_t delay_ms)
{
    struct kind_state *state = &self->kinds[kind];
    const struct pin_kind_row *row = pin_decode_row(kind);
    if (pin_source_wants(self->source, kind) && self->target != NULL && state->version >= 0
        && state->version < PIN_KIND_VERSIONS_MAX && row->versions[state->version] != NULL) {
        self->source->stats.kinds[kind].is_served = true;
        pin_watch_start(state->watch, row->versions[state->version], delay_ms);
    }
}

/* 404 for a kind that was listed, and discovery does not say that it is gone: its objects stay. */
static void set_missing(struct pin_kinds *self, enum pin_kind kind, bool is_missing)
{
    struct pin_sync_kind_stats *stats = &self->source->stats.kinds[kind];
    const char *resource = pin_decode_row(kind)->resource;
    if (stats->is_missing == is_missing) {
        return;
    }
    stats->is_missing = is_missing;
    if (is_missing) {
        pin_source_set_trouble(self->source, &self->source->kinds[kind], PIN_TROUBLE_STATUS + 404,
            "look at the API server's log; if the kind was removed, wait",
            "%s: 404, but discovery does not say that they are gone; those known are kept",
            resource);
        return;
    }
    pin_source_set_trouble(
        self->source, &self->source->kinds[kind], PIN_TROUBLE_NONE, "", "%s", "");
    pin_log_info(
        "%s: %s: no 404 any more, or gone by discovery's word", self->source->where, resource);
}

/*
 * The cluster does not have this kind: that is an empty list. Where objects of it are known that
 * list is held, and each later answer that says the same is another one.
 */
static void set_absent(struct pin_kinds *self, enum pin_kind kind)
{
    struct kind_state *state = &self->kinds[kind];
    struct pin_sync_kind_stats *stats = &self->source->stats.kinds[kind];
    bool was_told = state->is_settled && !stats->is_served && !stats->is_forbidden;
    state->version = -1;
    state->is_settled = true;
    stats->is_served = false;
    stats->is_forbidden = false;
    set_missing(self, kind, false);
    if (!was_told || stats->is_held) {
        pin_source_set_empty(self->source, kind, true);
    }
    if (!was_told) {
        pin_log_debug("%s: has no %s", self->source->where, pin_decode_row(kind)->resource);
    }
    check_synced(self);
}

/* Discovery's next answer is to be looked at even if nothing has changed. */
static void look_again(struct pin_kinds *self, int64_t delay_ms)
{
    free(self->etag);
    self->etag = NULL;
    pin_timer_start(self->timer, delay_ms, false);
}

/* 404: perhaps another version, perhaps gone for good, perhaps the server has just started. */
static void on_absent(struct pin_kinds *self, enum pin_kind kind)
{
    struct kind_state *state = &self->kinds[kind];
    const struct pin_kind_row *row = pin_decode_row(kind);
    bool has_next =
        state->version + 1 < PIN_KIND_VERSIONS_MAX && row->versions[state->version + 1] != NULL;
    state->n_absent++;
    if (!is_listed(self, kind) && has_next) {
        state->version++;
        start_watch(self, kind, 0);
    } else if (is_listed(self, kind)) { /* kept until discovery says that it is gone */
        set_missing(self, kind, state->n_absent >= ABSENT_TRIES);
        start_watch(self, kind, ABSENT_AGAIN_MS);
        look_again(self, 0);
    } else {
        set_absent(self, kind);
        look_again(self, self->etag != NULL ? DISCOVERY_CHEAP_MS : DISCOVERY_EVERY_MS);
    }
}

static void on_denied(
    struct pin_kinds *self, const struct pin_kind_row *row, const struct pin_http_result *result)
{
    struct kind_state *state = &self->kinds[row->kind];
    struct pin_sync_kind_stats *stats = &self->source->stats.kinds[row->kind];
    char hint[160];
    (void)snprintf(hint, sizeof(hint),
        "bind a ClusterRole with the verbs list and watch on %s to this user", row->resource);
    stats->is_forbidden = true;
    pin_source_set_trouble(self->source, &self->source->kinds[row->kind], PIN_TROUBLE_DENIED, hint,
        "GET /%s%s/%s/%s: 403 %s; names that need them are not kept up to date",
        row->group[0] == '\0' ? "api" : "apis/", row->group, row->versions[state->version],
        row->plural, result->message);
    state->is_settled = true;
    check_synced(self);
}

static void on_listed(struct pin_kinds *self, const struct pin_kind_row *row)
{
    const struct pin_sync_kind_stats *stats = &self->source->stats.kinds[row->kind];
    pin_log_debug("%s: listed %s, %llu objects", self->source->where, row->resource,
        (unsigned long long)stats->n_objects);
    self->kinds[row->kind].is_settled = true;
    self->kinds[row->kind].n_absent = 0;
    set_missing(self, row->kind, false);
    self->source->stats.last_list_wall_ms = pin_clock_wall_ms();
    check_synced(self);
}

static void on_over(
    struct pin_kinds *self, const struct pin_kind_row *row, const struct pin_http_result *result)
{
    char hint[160];
    (void)snprintf(hint, sizeof(hint),
        "find out what makes so many (kubectl get %s -A), or raise maxObjects", row->resource);
    pin_source_set_trouble(self->source, &self->source->kinds[row->kind], PIN_TROUBLE_OVER, hint,
        "%s: %s; those known are kept, none is removed, trying again", row->resource,
        result->message);
}

static void on_works(struct pin_kinds *self, const struct pin_kind_row *row)
{
    pin_log_info("%s: %s can be read again", self->source->where, row->resource);
    self->source->stats.kinds[row->kind].is_forbidden = false;
    pin_source_set_trouble(
        self->source, &self->source->kinds[row->kind], PIN_TROUBLE_NONE, "", "%s", "");
}

static void on_watch_event(struct pin_watch_host *host, const struct pin_kind_row *row,
    enum pin_watch_event event, const struct pin_http_result *result)
{
    struct pin_kinds *self = container_of(host, struct pin_kinds, watch_host);
    switch (event) {
    case PIN_WATCH_LISTED:
        on_listed(self, row);
        break;
    case PIN_WATCH_WORKS:
        on_works(self, row);
        break;
    case PIN_WATCH_LOST:
        pin_log_debug("%s: lost %s: %s", host->source->where, row->resource, result->message);
        self->host.on_lost(self->host.arg);
        break;
    case PIN_WATCH_UNAUTHORIZED:
        self->host.on_refused(self->host.arg);
        self->host.on_lost(self->host.arg);
        break;
    case PIN_WATCH_DENIED:
        on_denied(self, row, result);
        break;
    case PIN_WATCH_ABSENT:
        on_absent(self, row->kind);
        break;
    case PIN_WATCH_OVER:
        on_over(self, row, result);
        break;
    case PIN_WATCH_FAILED:
        pin_source_set_trouble(self->source, &self->source->kinds[row->kind],
            PIN_TROUBLE_STATUS + result->status,
            result->status == 400 ? "check that 'server' in the kubeconfig is an https:// address"
                                  : "",
            "%s: status %d %s; trying again", row->resource, result->status, result->message);
        break;
    }
}

/* --- Discovery ------------------------------------------------------------------------------ */

static bool misses_kinds(const struct pin_kinds *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (self->kinds[kind].version < 0) {
            return true;
        }
    }
    return false;
}

/* A kind that was listed, whose version the server does not know any more. */
static bool is_in_doubt(const struct pin_kinds *self, enum pin_kind kind)
{
    return self->kinds[kind].version >= 0 && self->kinds[kind].n_absent > 0
           && is_listed(self, kind);
}

/* Whether discovery is to be asked soon; where 404s go on, each of them asks. */
static bool doubts_kinds(const struct pin_kinds *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (is_in_doubt(self, (enum pin_kind)kind) && self->kinds[kind].n_absent <= DOUBT_TRIES) {
            return true;
        }
    }
    return false;
}

/* Without an answer every kind is tried in its versions, one after the other. */
static void guess_kinds(struct pin_kinds *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX && !self->is_discovered; kind++) {
        self->kinds[kind].version = 0;
        start_watch(self, (enum pin_kind)kind, 0);
    }
    self->is_discovered = true;
}

/* What an answer says of one kind whose watch does not run, or asks for a version that has gone. */
static void apply_kind(struct pin_kinds *self, enum pin_kind kind, int version)
{
    struct kind_state *state = &self->kinds[kind];
    if (version < 0) {
        set_absent(self, kind);
        return;
    }
    if (state->version < 0 && self->is_discovered) {
        pin_log_info("%s: now has %s", self->source->where, pin_decode_row(kind)->resource);
    }
    pin_watch_stop(state->watch);
    state->version = version;
    state->n_absent = 0;
    start_watch(self, kind, 0);
}

static void apply_discovery(struct pin_kinds *self, const struct pin_discovery *found)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        /* if a kind that is watched has gone, a 404 will tell; if its version has, it moves now */
        int version = found->version[kind];
        bool doubted = is_in_doubt(self, (enum pin_kind)kind);
        bool moves = doubted && version >= 0 && version != self->kinds[kind].version;
        bool is_gone = doubted && version < 0 && self->kinds[kind].n_absent >= ABSENT_TRIES;
        bool is_idle = !pin_watch_is_running(self->kinds[kind].watch) && !doubted;
        if (moves || is_gone || is_idle) {
            apply_kind(self, (enum pin_kind)kind, version);
        }
    }
    self->is_discovered = true;
}

static void read_discovery(struct pin_kinds *self, const char *etag)
{
    struct pin_discovery found;
    struct pin_why why = {0};
    enum pin_err err = pin_discovery_read(
        pin_text_get(&self->text), self->text.len, self->host.arena, &found, &why);
    pin_arena_reset(self->host.arena);
    if (err != PIN_OK) {
        pin_log_warn("%s: GET /apis: %s; trying each kind", self->source->where, why.text);
        guess_kinds(self);
        return;
    }
    free(self->etag);
    self->etag = etag == NULL ? NULL : strdup(etag);
    apply_discovery(self, &found);
}

/* Nothing has changed: kinds that were absent are, which may have to be said once more. */
static void confirm_absent(struct pin_kinds *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (self->kinds[kind].version < 0 && self->source->stats.kinds[kind].is_held) {
            set_absent(self, (enum pin_kind)kind);
        }
    }
}

static void on_discovery_body(void *arg, const char *data, size_t bytes)
{
    struct pin_kinds *self = arg;
    if (self->text.len + bytes <= DISCOVERY_BYTES_MAX) {
        pin_text_putn(&self->text, data, bytes);
    }
}

static void on_discovery_done(void *arg, const struct pin_http_result *result)
{
    struct pin_kinds *self = arg;
    int64_t next_ms = pin_backoff_next(&self->backoff, 0, result->retry_after_ms);
    self->discovery = NULL;
    if (result->fault == PIN_HTTP_NONE && result->status < 400) {
        self->backoff = (struct pin_backoff){0};
    }
    if (result->fault == PIN_HTTP_NONE && result->status == 200) {
        read_discovery(self, result->etag);
        next_ms = self->etag != NULL ? DISCOVERY_CHEAP_MS : DISCOVERY_EVERY_MS;
    } else if (result->fault == PIN_HTTP_NONE && result->status == 304) {
        confirm_absent(self);
        next_ms = DISCOVERY_CHEAP_MS;
    } else if (result->status == 403 || result->status == 404 || result->status == 406) {
        guess_kinds(self);
        next_ms = DISCOVERY_EVERY_MS;
    } else if (result->fault != PIN_HTTP_NONE) {
        self->host.on_lost(self->host.arg);
    }
    pin_text_done(&self->text);
    if (doubts_kinds(self)) {
        pin_timer_start(self->timer, DOUBT_EVERY_MS, false);
    } else if (misses_kinds(self) || !self->is_discovered) {
        pin_timer_start(self->timer, next_ms, false);
    }
}

static void on_discovery_timer(void *arg)
{
    struct pin_kinds *self = arg;
    struct pin_why why = {0};
    if (self->discovery != NULL || self->target == NULL) {
        return;
    }
    struct pin_http_request request = {
        .target = self->target,
        .path = "/apis",
        .accept = PIN_DISCOVERY_ACCEPT,
        .etag = self->etag,
        .timeout_ms = DISCOVERY_TIMEOUT_MS,
        .outcomes = self->source->stats.outcomes,
        .on_body = on_discovery_body,
        .on_done = on_discovery_done,
        .arg = self,
    };
    if (pin_http_start(self->host.http, &request, &self->discovery, &why) != PIN_OK) {
        pin_log_warn("%s: %s", self->source->where, why.text);
        pin_timer_start(self->timer, DISCOVERY_EVERY_MS, false);
    }
}

/* --- Life ----------------------------------------------------------------------------------- */

/* A watch that goes on would miss what was dropped: the next one begins with a list. */
void pin_kinds_want_pods(struct pin_kinds *kinds)
{
    struct pin_source *source = kinds->source;
    struct kind_state *state = &kinds->kinds[PIN_KIND_POD];
    struct pin_watch *fresh = pin_watch_new(&kinds->watch_host, pin_decode_row(PIN_KIND_POD));
    if (fresh == NULL) {
        pin_log_error("%s: out of memory, Pods are %s", source->where,
            source->wants_pods ? "not read" : "read on");
        return;
    }
    pin_watch_free(state->watch);
    *state = (struct kind_state){.watch = fresh};
    if (source->wants_pods) {
        pin_log_info("%s: reading Pods, a policy asks for namespaces", source->where);
        if (source->stats.is_up) {
            start_watch(kinds, PIN_KIND_POD, 0);
        }
        return;
    }
    source->stats.kinds[PIN_KIND_POD] = (struct pin_sync_kind_stats){0};
    source->kinds[PIN_KIND_POD] = (struct pin_trouble){0};
    pin_source_set_empty(source, PIN_KIND_POD, false);
}

void pin_kinds_list_again(struct pin_kinds *kinds)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_watch_confirm(kinds->kinds[kind].watch);
    }
}

/* Lists that are held are asked for again; absent kinds by the next answers of discovery. */
void pin_kinds_set_held(struct pin_kinds *kinds)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_watch_set_held(kinds->kinds[kind].watch, kinds->source->stats.kinds[kind].is_held);
    }
}

void pin_kinds_set_target(struct pin_kinds *kinds, const struct pin_target *target)
{
    kinds->target = target;
    kinds->watch_host.target = target;
}

void pin_kinds_start(struct pin_kinds *kinds, bool is_back)
{
    kinds->watch_host.no_streams = false; /* it may be another server now */
    kinds->watch_host.silent_ms = 0;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        int64_t delay_ms = is_back ? pin_rand_below(START_SPREAD_MS) : 0;
        start_watch(kinds, (enum pin_kind)kind, delay_ms);
    }
    if (kinds->discovery == NULL && (misses_kinds(kinds) || !kinds->is_discovered)) {
        pin_timer_start(kinds->timer, 0, false);
    }
}

void pin_kinds_reconnect(struct pin_kinds *kinds)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (pin_watch_is_running(kinds->kinds[kind].watch)) {
            pin_watch_stop(kinds->kinds[kind].watch);
            start_watch(kinds, (enum pin_kind)kind, pin_rand_below(START_SPREAD_MS));
        }
    }
}

void pin_kinds_stop(struct pin_kinds *kinds)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_watch_stop(kinds->kinds[kind].watch);
    }
    pin_timer_stop(kinds->timer);
    pin_http_cancel(kinds->discovery);
    kinds->discovery = NULL;
    pin_text_done(&kinds->text);
}

const char *pin_kinds_version(const struct pin_kinds *kinds, enum pin_kind kind)
{
    int version = kinds->kinds[kind].version;
    return kinds->source->stats.kinds[kind].is_served && version >= 0
                   && version < PIN_KIND_VERSIONS_MAX
               ? pin_decode_row(kind)->versions[version]
               : NULL;
}

void pin_kinds_resume(struct pin_kinds *kinds)
{
    const struct pin_outbox *outbox = &kinds->source->outbox;
    for (int kind = 0; kind < PIN_KIND_MAX && !pin_outbox_is_full(outbox); kind++) {
        pin_watch_resume(kinds->kinds[kind].watch);
    }
}

static bool make_watches(struct pin_kinds *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        struct kind_state *state = &self->kinds[kind];
        state->watch = pin_watch_new(&self->watch_host, row);
        /* what every API server has needs no discovery */
        state->version = row->group[0] == '\0' || kind == PIN_KIND_ENDPOINT_SLICE ? 0 : -1;
        if (state->watch == NULL) {
            return false;
        }
    }
    return true;
}

struct pin_kinds *pin_kinds_new(const struct pin_kinds_host *host)
{
    struct pin_kinds *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->host = *host;
    self->source = host->source;
    self->watch_host = (struct pin_watch_host){.source = host->source,
        .http = host->http,
        .arena = host->arena,
        .on_event = on_watch_event};
    self->timer = pin_timer_new(host->source->loop, on_discovery_timer, self);
    if (self->timer == NULL || !make_watches(self)) {
        pin_kinds_free(self);
        return NULL;
    }
    return self;
}

void pin_kinds_free(struct pin_kinds *kinds)
{
    if (kinds == NULL) {
        return;
    }
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_watch_free(kinds->kinds[kind].watch);
    }
    pin_http_cancel(kinds->discovery);
    pin_timer_free(kinds->timer);
    pin_text_done(&kinds->text);
    free(kinds->etag);
    free(kinds);
}
