/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member cluster with an API server: which kinds it has, a watch for each, and its health.
 *
 *     target (kubeconfig)  ->  probe every 5 s      -> UP, DOWN
 *                          ->  discovery of kinds   -> start watches, look again for missing kinds
 *                          ->  watches              -> deltas; SYNCED once each was listed
 *
 * While the cluster is down only the probe tries; the watches go on where they were once it is up.
 */

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

#include "discovery.h"
#include "http.h"
#include "kubeconfig.h"
#include "source.h"
#include "watch.h"

#define PROBE_EVERY_MS       5000
#define PROBE_TIMEOUT_MS     5000
#define PROBE_AGAIN_MS       1000 /* After a failure, while it is not certain or still fresh. */
#define PROBE_FRESH_TRIES    30
#define PROBE_TRIES_TO_DOWN  2
#define RELOAD_EVERY_MS      60000
#define DISCOVERY_CHEAP_MS   10000 /* With an ETag most answers are empty. */
#define DISCOVERY_EVERY_MS   60000
#define DISCOVERY_RETRY_MS   3000
#define DISCOVERY_TIMEOUT_MS 20000
#define DISCOVERY_BYTES_MAX  ((size_t)32 << 20)
#define START_SPREAD_MS      100
#define ABSENT_TRIES         2 /* 404s before a kind that had objects counts as gone. */
#define ABSENT_AGAIN_MS      5000
#define DOUBT_EVERY_MS       1000 /* Discovery, while a kind that was listed answers 404. */

/* Codes of struct pin_trouble: one per state that is told once. */
enum {
    PIN_TROUBLE_NONE,
    PIN_TROUBLE_TARGET,
    PIN_TROUBLE_CREDENTIALS,
    PIN_TROUBLE_DENIED,
    PIN_TROUBLE_STATUS,
    PIN_TROUBLE_FAULT, /* + enum pin_http_fault */
};

/* Where a kind stands. */
struct kind_state {
    struct pin_watch *watch;
    int version;       /* Position in the row's versions that is tried or served; -1: not served. */
    uint32_t n_absent; /* 404s in a row. */
    bool is_settled;   /* Listed, absent or denied: SYNCED does not wait for it. */
};

struct cluster {
    struct pin_source source;
    struct pin_watch_host host;
    struct pin_http *http;
    struct pin_arena *arena;
    char *kubeconfig;
    char *context;
    bool is_in_cluster;
    struct pin_target *target; /* NULL: none could be made. */
    struct kind_state kinds[PIN_KIND_MAX];
    struct pin_timer *probe_timer;
    struct pin_timer *discovery_timer;
    struct pin_timer *reload_timer;
    struct pin_http_transfer *probe;
    struct pin_http_transfer *discovery;
    struct pin_text discovery_text;
    char *etag;
    uint32_t n_probe_failures;
    bool probes_version; /* /livez is refused: ask for /version. */
    bool is_discovered;  /* Discovery was answered, or given up, once. */
    bool is_started;
};

static struct cluster *from_source(struct pin_source *source)
{
    return container_of(source, struct cluster, source);
}

/* --- Trouble -------------------------------------------------------------------------------- */

/* What to do about a fault. */
static const char *fault_hint(enum pin_http_fault fault)
{
    switch (fault) {
    case PIN_HTTP_RESOLVE:
        return "check the host name in 'server' and this machine's resolver";
    case PIN_HTTP_REFUSED:
        return "check that the API server runs and that 'server' names its address and port";
    case PIN_HTTP_CLOSED:
        return "check that 'server' speaks HTTPS, that the client certificate it may ask for is "
               "there, "
               "and that nothing in between cuts connections";
    case PIN_HTTP_TIMEOUT:
        return "check the network on the way to the API server, and the server itself";
    case PIN_HTTP_CERT_NAME:
        return "set tls-server-name in the kubeconfig to a name that the certificate is for";
    case PIN_HTTP_CERT:
        return "set certificate-authority(-data) in the kubeconfig to the CA that signed it";
    case PIN_HTTP_OWN_CERT:
        return "renew client-certificate(-data) and client-key(-data) in the kubeconfig";
    case PIN_HTTP_TLS:
        return "check that 'server' is an HTTPS address and not a plain HTTP one";
    default:
        return "";
    }
}

static void trouble_fault(struct cluster *self, const struct pin_http_result *result)
{
    pin_source_set_trouble(&self->source, &self->source.trouble,
        PIN_TROUBLE_FAULT + (int)result->fault, fault_hint(result->fault),
        "cannot reach %s: %s; its last known state is kept", self->target->server, result->message);
}

static void trouble_unauthorized(struct cluster *self)
{
    pin_source_set_trouble(&self->source, &self->source.trouble, PIN_TROUBLE_CREDENTIALS,
        self->target->token_file != NULL
            ? "check the token file, it is read again each minute"
            : "renew the user's token or client certificate in the kubeconfig",
        "%s does not accept our credentials (401); its last known state is kept",
        self->target->server);
}

/* --- Kinds ---------------------------------------------------------------------------------- */

static bool is_listed(const struct cluster *self, enum pin_kind kind)
{
    return self->source.stats.kinds[kind].is_listed;
}

/*
 * SYNCED once no kind is awaited any more; a cluster that does not let us see Services and their
 * endpoints is unknown, not empty, and never counts as synced.
 */
static void check_synced(struct cluster *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (!self->kinds[kind].is_settled && kind != PIN_KIND_POD) {
            return;
        }
    }
    if (is_listed(self, PIN_KIND_SERVICE) && is_listed(self, PIN_KIND_ENDPOINT_SLICE)) {
        pin_source_set_synced(&self->source);
    }
}

static void start_watch(struct cluster *self, enum pin_kind kind, int64_t delay_ms)
{
    struct kind_state *state = &self->kinds[kind];
    const struct pin_kind_row *row = pin_decode_row(kind);
    bool is_wanted = kind != PIN_KIND_POD || self->source.wants_pods;
    if (is_wanted && self->target != NULL && state->version >= 0
        && state->version < PIN_KIND_VERSIONS_MAX && row->versions[state->version] != NULL) {
        self->source.stats.kinds[kind].is_served = true;
        pin_watch_start(state->watch, row->versions[state->version], delay_ms);
    }
}

/* The cluster does not have this kind: that is an empty list. */
static void set_absent(struct cluster *self, enum pin_kind kind)
{
    struct kind_state *state = &self->kinds[kind];
    struct pin_sync_kind_stats *stats = &self->source.stats.kinds[kind];
    bool was_told = state->is_settled && !stats->is_served && !stats->is_forbidden;
    state->version = -1;
    state->is_settled = true;
    stats->is_served = false;
    stats->is_forbidden = false;
    if (!was_told) {
        pin_source_set_empty(&self->source, kind);
        pin_log_debug("%s: has no %s", self->source.where, pin_decode_row(kind)->resource);
    }
    check_synced(self);
}

/* Discovery's next answer is to be looked at even if nothing has changed. */
static void look_again(struct cluster *self, int64_t delay_ms)
{
    free(self->etag);
    self->etag = NULL;
    pin_timer_start(self->discovery_timer, delay_ms, false);
}

/* 404: perhaps another version, perhaps gone for good, perhaps the server has just started. */
static void on_absent(struct cluster *self, enum pin_kind kind)
{
    struct kind_state *state = &self->kinds[kind];
    const struct pin_kind_row *row = pin_decode_row(kind);
    bool has_next =
        state->version + 1 < PIN_KIND_VERSIONS_MAX && row->versions[state->version + 1] != NULL;
    state->n_absent++;
    if (!is_listed(self, kind) && has_next) {
        state->version++;
        start_watch(self, kind, 0);
    } else if (is_listed(self, kind) && state->n_absent < ABSENT_TRIES) {
        start_watch(self, kind, ABSENT_AGAIN_MS);
        look_again(self, 0);
    } else {
        set_absent(self, kind);
        look_again(self, self->etag != NULL ? DISCOVERY_CHEAP_MS : DISCOVERY_EVERY_MS);
    }
}

static void on_denied(
    struct cluster *self, const struct pin_kind_row *row, const struct pin_http_result *result)
{
    struct kind_state *state = &self->kinds[row->kind];
    struct pin_sync_kind_stats *stats = &self->source.stats.kinds[row->kind];
    char hint[160];
    (void)snprintf(hint, sizeof(hint),
        "bind a ClusterRole with the verbs list and watch on %s to this user", row->resource);
    stats->is_forbidden = true;
    pin_source_set_trouble(&self->source, &self->source.kinds[row->kind], PIN_TROUBLE_DENIED, hint,
        "GET /%s%s/%s/%s: 403 %s; names that need them are not kept up to date",
        row->group[0] == '\0' ? "api" : "apis/", row->group, row->versions[state->version],
        row->plural, result->message);
    state->is_settled = true;
    check_synced(self);
}

static void on_listed(struct cluster *self, const struct pin_kind_row *row)
{
    const struct pin_sync_kind_stats *stats = &self->source.stats.kinds[row->kind];
    pin_log_debug("%s: listed %s, %llu objects", self->source.where, row->resource,
        (unsigned long long)stats->n_objects);
    self->kinds[row->kind].is_settled = true;
    self->kinds[row->kind].n_absent = 0;
    check_synced(self);
}

static void on_works(struct cluster *self, const struct pin_kind_row *row)
{
    pin_log_info("%s: %s can be read again", self->source.where, row->resource);
    self->source.stats.kinds[row->kind].is_forbidden = false;
    pin_source_set_trouble(
        &self->source, &self->source.kinds[row->kind], PIN_TROUBLE_NONE, "", "%s", "");
}

/* Asks for a probe now; a timer, for events come from within libcurl. */
static void probe_soon(struct cluster *self)
{
    if (self->probe == NULL) {
        pin_timer_start(self->probe_timer, 0, false);
    }
}

static void on_watch_event(struct pin_watch_host *host, const struct pin_kind_row *row,
    enum pin_watch_event event, const struct pin_http_result *result)
{
    struct cluster *self = from_source(host->source);
    switch (event) {
    case PIN_WATCH_LISTED:
        on_listed(self, row);
        break;
    case PIN_WATCH_WORKS:
        on_works(self, row);
        break;
    case PIN_WATCH_LOST:
        pin_log_debug("%s: lost %s: %s", host->source->where, row->resource, result->message);
        probe_soon(self);
        break;
    case PIN_WATCH_UNAUTHORIZED:
        pin_timer_start(self->reload_timer, 0, false);
        probe_soon(self);
        break;
    case PIN_WATCH_DENIED:
        on_denied(self, row, result);
        break;
    case PIN_WATCH_ABSENT:
        on_absent(self, row->kind);
        break;
    case PIN_WATCH_FAILED:
        pin_source_set_trouble(&self->source, &self->source.kinds[row->kind],
            PIN_TROUBLE_STATUS + result->status, "", "%s: status %d %s; trying again",
            row->resource, result->status, result->message);
        break;
    }
}

/* --- Discovery ------------------------------------------------------------------------------ */

static bool misses_kinds(const struct cluster *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (self->kinds[kind].version < 0) {
            return true;
        }
    }
    return false;
}

/* A kind that was listed, whose version the server does not know any more. */
static bool is_in_doubt(const struct cluster *self, enum pin_kind kind)
{
    return self->kinds[kind].version >= 0 && self->kinds[kind].n_absent > 0
           && is_listed(self, kind);
}

static bool doubts_kinds(const struct cluster *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (is_in_doubt(self, (enum pin_kind)kind)) {
            return true;
        }
    }
    return false;
}

/* Without an answer every kind is tried in its versions, one after the other. */
static void guess_kinds(struct cluster *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX && !self->is_discovered; kind++) {
        self->kinds[kind].version = 0;
        start_watch(self, (enum pin_kind)kind, 0);
    }
    self->is_discovered = true;
}

/* What an answer says of one kind whose watch does not run, or asks for a version that has gone. */
static void apply_kind(struct cluster *self, enum pin_kind kind, int version)
{
    struct kind_state *state = &self->kinds[kind];
    if (version < 0) {
        if (!is_listed(self, kind) || state->version < 0) {
            set_absent(self, kind);
        }
        return;
    }
    if (state->version < 0 && self->is_discovered) {
        pin_log_info("%s: now has %s", self->source.where, pin_decode_row(kind)->resource);
    }
    pin_watch_stop(state->watch);
    state->version = version;
    state->n_absent = 0;
    start_watch(self, kind, 0);
}

static void apply_discovery(struct cluster *self, const struct pin_discovery *found)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        /* if a kind that is watched has gone, a 404 will tell; if its version has, it moves now */
        int version = found->version[kind];
        bool moves = is_in_doubt(self, (enum pin_kind)kind) && version >= 0
                     && version != self->kinds[kind].version;
        if (moves || !pin_watch_is_running(self->kinds[kind].watch)) {
            apply_kind(self, (enum pin_kind)kind, version);
        }
    }
    self->is_discovered = true;
}

static void read_discovery(struct cluster *self, const char *etag)
{
    struct pin_discovery found;
    struct pin_why why = {0};
    enum pin_err err = pin_discovery_read(
        pin_text_get(&self->discovery_text), self->discovery_text.len, self->arena, &found, &why);
    pin_arena_reset(self->arena);
    if (err != PIN_OK) {
        pin_log_warn("%s: GET /apis: %s; trying each kind", self->source.where, why.text);
        guess_kinds(self);
        return;
    }
    free(self->etag);
    self->etag = etag == NULL ? NULL : strdup(etag);
    apply_discovery(self, &found);
}

static void on_discovery_body(void *arg, const char *data, size_t bytes)
{
    struct cluster *self = arg;
    if (self->discovery_text.len + bytes <= DISCOVERY_BYTES_MAX) {
        pin_text_putn(&self->discovery_text, data, bytes);
    }
}

static void on_discovery_done(void *arg, const struct pin_http_result *result)
{
    struct cluster *self = arg;
    int64_t next_ms = DISCOVERY_RETRY_MS;
    self->discovery = NULL;
    if (result->fault == PIN_HTTP_NONE && result->status == 200) {
        read_discovery(self, result->etag);
        next_ms = self->etag != NULL ? DISCOVERY_CHEAP_MS : DISCOVERY_EVERY_MS;
    } else if (result->fault == PIN_HTTP_NONE && result->status == 304) {
        next_ms = DISCOVERY_CHEAP_MS;
    } else if (result->status == 403 || result->status == 404 || result->status == 406) {
        guess_kinds(self);
        next_ms = DISCOVERY_EVERY_MS;
    } else if (result->fault != PIN_HTTP_NONE) {
        probe_soon(self);
    }
    pin_text_done(&self->discovery_text);
    if (doubts_kinds(self)) {
        pin_timer_start(self->discovery_timer, DOUBT_EVERY_MS, false);
    } else if (misses_kinds(self) || !self->is_discovered) {
        pin_timer_start(self->discovery_timer, next_ms, false);
    }
}

static void on_discovery_timer(void *arg)
{
    struct cluster *self = arg;
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
        .on_body = on_discovery_body,
        .on_done = on_discovery_done,
        .arg = self,
    };
    if (pin_http_start(self->http, &request, &self->discovery, &why) != PIN_OK) {
        pin_log_warn("%s: %s", self->source.where, why.text);
        pin_timer_start(self->discovery_timer, DISCOVERY_EVERY_MS, false);
    }
}

/* --- Up and down ---------------------------------------------------------------------------- */

static void set_up(struct cluster *self)
{
    bool was_down = self->source.is_told && !self->source.stats.is_up;
    self->n_probe_failures = 0;
    pin_source_set_trouble(&self->source, &self->source.trouble, PIN_TROUBLE_NONE, "", "%s", "");
    if (self->source.stats.is_up) {
        return;
    }
    if (was_down) {
        pin_log_info("%s: %s is reached again", self->source.where, self->target->server);
    }
    pin_source_set_up(&self->source, true);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        int64_t delay_ms = was_down ? pin_rand_below(START_SPREAD_MS) : 0;
        start_watch(self, (enum pin_kind)kind, delay_ms);
    }
    if (self->discovery == NULL && (misses_kinds(self) || !self->is_discovered)) {
        pin_timer_start(self->discovery_timer, 0, false);
    }
}

/* Everything but the probe rests. */
static void set_down(struct cluster *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_watch_stop(self->kinds[kind].watch);
    }
    pin_timer_stop(self->discovery_timer);
    pin_http_cancel(self->discovery);
    self->discovery = NULL;
    pin_text_done(&self->discovery_text);
    pin_source_set_up(&self->source, false);
}

/* Trouble that a second try will not mend. */
static bool is_lasting(const struct pin_http_result *result)
{
    return result->status == 401 || result->fault == PIN_HTTP_RESOLVE
           || result->fault == PIN_HTTP_CERT_NAME || result->fault == PIN_HTTP_CERT
           || result->fault == PIN_HTTP_OWN_CERT;
}

static void probe_failed(struct cluster *self, const struct pin_http_result *result)
{
    self->n_probe_failures++;
    if (result->status == 401) {
        pin_timer_start(self->reload_timer, 0, false);
    }
    if (self->n_probe_failures < PROBE_TRIES_TO_DOWN && !is_lasting(result)) {
        return;
    }
    if (result->fault != PIN_HTTP_NONE) {
        trouble_fault(self, result);
    } else if (result->status == 401) {
        trouble_unauthorized(self);
    } else {
        pin_source_set_trouble(&self->source, &self->source.trouble,
            PIN_TROUBLE_STATUS + result->status, "look at the API server's log, and at etcd",
            "%s is not healthy: status %d %s; its last known state is kept", self->target->server,
            result->status, result->message);
    }
    set_down(self);
}

static void on_probe_done(void *arg, const struct pin_http_result *result)
{
    struct cluster *self = arg;
    self->probe = NULL;
    bool is_alive = result->fault == PIN_HTTP_NONE && result->status < 500 && result->status != 401;
    if (is_alive) {
        self->probes_version = self->probes_version || result->status == 403;
        set_up(self);
    } else {
        probe_failed(self, result);
    }
    bool is_fresh = !is_alive && self->n_probe_failures < PROBE_FRESH_TRIES;
    pin_timer_start(self->probe_timer, is_fresh ? PROBE_AGAIN_MS : PROBE_EVERY_MS, false);
}

static void on_probe_body(void *arg, const char *data, size_t bytes)
{
    (void)arg;
    (void)data;
    (void)bytes;
}

static void on_probe_timer(void *arg)
{
    struct cluster *self = arg;
    struct pin_why why = {0};
    if (self->probe != NULL || self->target == NULL) {
        return;
    }
    struct pin_http_request request = {
        .target = self->target,
        .path = self->probes_version ? "/version" : "/livez",
        .accept = "*/*",
        .timeout_ms = PROBE_TIMEOUT_MS,
        .on_body = on_probe_body,
        .on_done = on_probe_done,
        .arg = self,
    };
    if (pin_http_start(self->http, &request, &self->probe, &why) != PIN_OK) {
        pin_source_set_trouble(&self->source, &self->source.trouble, PIN_TROUBLE_TARGET,
            "correct the kubeconfig", "%s", why.text);
        pin_source_set_up(&self->source, false);
        pin_timer_start(self->probe_timer, PROBE_EVERY_MS, false);
    }
}

/* --- Credentials ---------------------------------------------------------------------------- */

static enum pin_err load_target(
    struct cluster *self, struct pin_target **ret_target, struct pin_why *why)
{
    struct pin_kubeconfig *kubeconfig = NULL;
    if (self->is_in_cluster) {
        return pin_target_in_cluster(NULL, ret_target, why);
    }
    enum pin_err err = pin_kubeconfig_load(self->kubeconfig, true, &kubeconfig, why);
    if (err == PIN_ENOTFOUND && self->kubeconfig == NULL && self->context == NULL
        && pin_target_is_in_cluster()) {
        return pin_target_in_cluster(NULL, ret_target, why);
    }
    if (err == PIN_OK) {
        err = pin_kubeconfig_target(kubeconfig, self->context, ret_target, why);
        pin_kubeconfig_free(kubeconfig);
    }
    return err;
}

/*
 * Makes the target, or says why there is none. One that was there before stays until there is a
 * better one: a kubeconfig that is being rewritten is nothing to lose a cluster for.
 */
static void find_target(struct cluster *self)
{
    struct pin_why why = {0};
    struct pin_target *target = NULL;
    enum pin_err err = load_target(self, &target, &why);
    if (err != PIN_OK && self->target != NULL) {
        pin_log_warn("%s: %s; using what was read before", self->source.where, why.text);
        return;
    }
    if (err != PIN_OK) {
        pin_source_set_trouble(
            &self->source, &self->source.trouble, PIN_TROUBLE_TARGET, "", "%s", why.text);
        return;
    }
    if (self->source.trouble.code == PIN_TROUBLE_TARGET) {
        pin_log_info("%s: the kubeconfig can be used now", self->source.where);
        pin_source_set_trouble(
            &self->source, &self->source.trouble, PIN_TROUBLE_NONE, "", "%s", "");
    }
    pin_target_free(self->target);
    self->target = target;
    self->host.target = target;
}

/* Files the kubeconfig points at; a cluster that is up keeps its kubeconfig. */
static void refresh_target(struct cluster *self)
{
    struct pin_why why = {0};
    enum pin_target_change change = PIN_TARGET_SAME;
    if (pin_target_refresh(self->target, &change, &why) != PIN_OK) {
        pin_log_warn("%s: %s; using what was read before", self->source.where, why.text);
    }
    if (change != PIN_TARGET_SAME) {
        pin_log_info("%s: credentials were renewed", self->source.where);
        probe_soon(self);
    }
}

/* Once a minute, and after a 401. A cluster out of reach may have moved: all is read again. */
static void on_reload_timer(void *arg)
{
    struct cluster *self = arg;
    bool had_target = self->target != NULL;
    if (had_target && self->source.stats.is_up) {
        refresh_target(self);
    } else {
        find_target(self);
    }
    if (!had_target && self->target != NULL) {
        probe_soon(self);
    }
    pin_timer_start(self->reload_timer, RELOAD_EVERY_MS, false);
}

/* --- Life ----------------------------------------------------------------------------------- */

static void cluster_start(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    self->is_started = true;
    pin_timer_start(self->reload_timer, RELOAD_EVERY_MS, false);
    if (self->target == NULL) {
        pin_source_set_up(source, false);
        return;
    }
    pin_timer_start(self->probe_timer, 0, false);
}

static void cluster_stop(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    self->is_started = false;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (self->kinds[kind].watch != NULL) {
            pin_watch_stop(self->kinds[kind].watch);
        }
    }
    struct pin_timer *timers[] = {self->probe_timer, self->discovery_timer, self->reload_timer};
    for (size_t i = 0; i < N_ELEMS(timers); i++) {
        if (timers[i] != NULL) {
            pin_timer_stop(timers[i]);
        }
    }
    pin_http_cancel(self->probe);
    pin_http_cancel(self->discovery);
    self->probe = NULL;
    self->discovery = NULL;
    pin_text_done(&self->discovery_text);
}

static void cluster_resume(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    for (int kind = 0; kind < PIN_KIND_MAX && !pin_outbox_is_full(&source->outbox); kind++) {
        pin_watch_resume(self->kinds[kind].watch);
    }
}

/* A watch that goes on would miss what was dropped: the next one begins with a list. */
static void cluster_want_pods(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    struct kind_state *state = &self->kinds[PIN_KIND_POD];
    struct pin_watch *fresh = pin_watch_new(&self->host, pin_decode_row(PIN_KIND_POD));
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
            start_watch(self, PIN_KIND_POD, 0);
        }
        return;
    }
    source->stats.kinds[PIN_KIND_POD] = (struct pin_sync_kind_stats){0};
    source->kinds[PIN_KIND_POD] = (struct pin_trouble){0};
    pin_source_set_empty(source, PIN_KIND_POD);
}

static void cluster_free(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    cluster_stop(source);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        pin_watch_free(self->kinds[kind].watch);
    }
    pin_timer_free(self->probe_timer);
    pin_timer_free(self->discovery_timer);
    pin_timer_free(self->reload_timer);
    pin_target_free(self->target);
    free(self->kubeconfig);
    free(self->context);
    free(self->etag);
    pin_source_done(source);
    free(self);
}

static const struct pin_source_ops cluster_ops = {
    .start = cluster_start,
    .stop = cluster_stop,
    .resume = cluster_resume,
    .want_pods = cluster_want_pods,
    .free = cluster_free,
};

/* Copies a text that may be NULL. */
static bool copy_text(const char *text, char **ret)
{
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

/* "context c1", "current context" or "service account"; heap. */
static char *origin_text(const struct pin_source_spec *spec)
{
    char *text = NULL;
    const char *context = spec->context;
    int n = spec->kind == PIN_SOURCE_IN_CLUSTER ? asprintf(&text, "service account")
            : context == NULL                   ? asprintf(&text, "current context")
                                                : asprintf(&text, "context %s", context);
    return n < 0 ? NULL : text;
}

static bool make_parts(struct cluster *self)
{
    struct pin_loop *loop = self->source.loop;
    self->probe_timer = pin_timer_new(loop, on_probe_timer, self);
    self->discovery_timer = pin_timer_new(loop, on_discovery_timer, self);
    self->reload_timer = pin_timer_new(loop, on_reload_timer, self);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        struct kind_state *state = &self->kinds[kind];
        state->watch = pin_watch_new(&self->host, row);
        /* what every API server has needs no discovery */
        state->version = row->group[0] == '\0' || kind == PIN_KIND_ENDPOINT_SLICE ? 0 : -1;
        if (state->watch == NULL) {
            return false;
        }
    }
    return self->probe_timer != NULL && self->discovery_timer != NULL && self->reload_timer != NULL;
}

struct pin_source *pin_cluster_new(struct pin_loop *loop, struct pin_http *http,
    struct pin_arena *arena, const struct pin_source_spec *spec, const struct pin_sync_sink *sink,
    struct pin_why *why)
{
    struct cluster *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    self->http = http;
    self->arena = arena;
    self->is_in_cluster = spec->kind == PIN_SOURCE_IN_CLUSTER;
    bool is_ok = pin_source_init(&self->source, &cluster_ops, loop, spec, sink, origin_text(spec));
    self->host = (struct pin_watch_host){
        .source = &self->source, .http = http, .arena = arena, .on_event = on_watch_event};
    is_ok = is_ok && copy_text(spec->kubeconfig, &self->kubeconfig)
            && copy_text(spec->context, &self->context) && make_parts(self);
    if (!is_ok) {
        cluster_free(&self->source);
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    find_target(self);
    return &self->source;
}
