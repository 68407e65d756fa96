/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A member cluster with an API server: which kinds it has, a watch for each, and its health.
 *
 *     access (kubeconfig)  ->  probe every 5 s      -> UP, DOWN
 *                          ->  kinds (kinds.h)      -> deltas; SYNCED once each was listed
 *
 * While the cluster is down only the probe tries, backing off; the watches go on where they were
 * once it is up.
 */

#include "cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "access.h"
#include "backoff.h"
#include "http.h"
#include "kinds.h"
#include "source.h"

#define PROBE_EVERY_MS      5000
#define PROBE_TIMEOUT_MS    5000
#define PROBE_AGAIN_MS      1000  /* After a failure, while it is not certain. */
#define PROBE_LAST_MS       15000 /* Greatest wait while it is down: 7.5 s in the mean. */
#define PROBE_TRIES_TO_DOWN 2

/* Codes of struct pin_trouble: one per state that is told once. */
enum {
    PIN_TROUBLE_NONE,
    PIN_TROUBLE_REQUEST,
    PIN_TROUBLE_CREDENTIALS,
    PIN_TROUBLE_STATUS,
    PIN_TROUBLE_FAULT, /* + enum pin_http_fault */
};

struct cluster {
    struct pin_source source;
    struct pin_kinds *kinds;
    struct pin_http *http;
    struct pin_access_host access_host;
    struct pin_access *access;
    const struct pin_target *target; /* What access gives; NULL: nothing can be used. */
    struct pin_timer *probe_timer;
    struct pin_http_transfer *probe;
    struct pin_backoff probe_backoff;
    int64_t up_since_ms; /* 0: down, and the wait for the next probe knows it. */
    uint32_t n_probe_failures;
    bool probes_version; /* /livez is refused: ask for /version. */
    bool is_started;
};

static struct cluster *from_source(struct pin_source *source)
{
    return container_of(source, struct cluster, source);
}

/* --- Trouble -------------------------------------------------------------------------------- */

const char *pin_cluster_fault_hint(enum pin_http_fault fault)
{
    switch (fault) {
    case PIN_HTTP_RESOLVE:
        return "check the host name in 'server' and this machine's resolver";
    case PIN_HTTP_REFUSED:
        return "check that the API server runs and that 'server' names its address and port";
    case PIN_HTTP_CLOSED:
        return "check that 'server' speaks HTTPS, that the client certificate it may ask for is "
               "there, and that nothing in between cuts connections";
    case PIN_HTTP_TIMEOUT:
        return "check the network on the way to the API server, and the server itself";
    case PIN_HTTP_CERT_NAME:
        return "set tls-server-name in the kubeconfig to a name that the certificate is for";
    case PIN_HTTP_CERT:
        return "set certificate-authority(-data) in the kubeconfig to the CA that signed it";
    case PIN_HTTP_CERT_TIME:
        return "renew the API server's certificate, or set this machine's clock";
    case PIN_HTTP_OWN_CERT:
        return "renew client-certificate(-data) and client-key(-data) in the kubeconfig";
    case PIN_HTTP_TLS:
        return "check that 'server' is an HTTPS address and not a plain HTTP one, and speaks TLS "
               "1.2 or later";
    default:
        return "";
    }
}

static void trouble_fault(struct cluster *self, const struct pin_http_result *result)
{
    pin_source_set_trouble(&self->source, &self->source.trouble,
        PIN_TROUBLE_FAULT + (int)result->fault, pin_cluster_fault_hint(result->fault),
        "cannot reach %s: %s; %s", self->target->server, result->message,
        pin_source_kept(&self->source));
}

static void trouble_unauthorized(struct cluster *self)
{
    pin_source_set_trouble(&self->source, &self->source.trouble, PIN_TROUBLE_CREDENTIALS,
        pin_access_hint(self->access), "%s does not accept our credentials (401%s); %s",
        self->target->server, pin_access_is_over(self->access) ? ": they have expired" : "",
        pin_source_kept(&self->source));
}

/* --- Up and down ---------------------------------------------------------------------------- */

/* Asks for a probe now; a timer, for events come from within libcurl. */
static void probe_soon(struct cluster *self)
{
    if (self->probe == NULL) {
        pin_timer_start(self->probe_timer, 0, false);
    }
}

static void on_kinds_lost(void *arg)
{
    probe_soon(arg);
}

static void on_kinds_refused(void *arg)
{
    const struct cluster *self = arg;
    pin_access_refused(self->access);
}

static void set_up(struct cluster *self)
{
    bool was_down = self->source.is_told && !self->source.stats.is_up;
    self->n_probe_failures = 0;
    pin_source_set_trouble(&self->source, &self->source.trouble, PIN_TROUBLE_NONE, "", "%s", "");
    if (self->source.stats.is_up) {
        return;
    }
    self->up_since_ms = pin_clock_mono_ms();
    if (was_down && (self->source.trouble.is_told || self->source.trouble.n_told == 0)) {
        pin_log_info("%s: %s is reached again", self->source.where, self->target->server);
    }
    pin_source_set_up(&self->source, true);
    pin_kinds_start(self->kinds, was_down);
}

/* Everything but the probe rests. */
static void set_down(struct cluster *self)
{
    pin_kinds_stop(self->kinds);
    pin_source_set_up(&self->source, false);
}

/* What may be mended by other credentials, or by another CA of ours. */
static bool is_refusal(const struct pin_http_result *result)
{
    return result->status == 401 || result->fault == PIN_HTTP_CERT_NAME
           || result->fault == PIN_HTTP_CERT || result->fault == PIN_HTTP_OWN_CERT;
}

/* Trouble that a second try will not mend. */
static bool is_lasting(const struct pin_http_result *result)
{
    return is_refusal(result) || result->fault == PIN_HTTP_RESOLVE
           || result->fault == PIN_HTTP_CERT_TIME;
}

static void probe_failed(struct cluster *self, const struct pin_http_result *result)
{
    self->n_probe_failures++;
    if (is_refusal(result)) {
        pin_access_refused(self->access);
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
            "%s is not healthy: status %d %s; %s", self->target->server, result->status,
            result->message, pin_source_kept(&self->source));
    }
    set_down(self);
}

/* One that comes and goes is not asked more often for it: only two good minutes start afresh. */
static int64_t wait_for_probe(struct cluster *self, const struct pin_http_result *result)
{
    if (self->n_probe_failures == 0) {
        return PROBE_EVERY_MS;
    }
    if (self->n_probe_failures < PROBE_TRIES_TO_DOWN) {
        return PROBE_AGAIN_MS;
    }
    int64_t healthy_ms = self->up_since_ms == 0 ? 0 : pin_clock_mono_ms() - self->up_since_ms;
    self->up_since_ms = 0;
    return pin_backoff_next(&self->probe_backoff, healthy_ms, result->retry_after_ms);
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
    pin_timer_start(self->probe_timer, wait_for_probe(self, result), false);
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
        .outcomes = self->source.stats.outcomes,
        .on_body = on_probe_body,
        .on_done = on_probe_done,
        .arg = self,
    };
    if (pin_http_start(self->http, &request, &self->probe, &why) != PIN_OK) {
        pin_source_set_trouble(&self->source, &self->source.trouble, PIN_TROUBLE_REQUEST,
            "correct the kubeconfig", "%s", why.text);
        pin_source_set_up(&self->source, false);
        pin_timer_start(self->probe_timer, PROBE_EVERY_MS, false);
    }
}

/* --- Credentials ---------------------------------------------------------------------------- */

static void on_access_change(struct pin_access_host *host, bool is_reconnect)
{
    struct cluster *self = container_of(host, struct cluster, access_host);
    self->target = pin_access_target(self->access);
    pin_kinds_set_target(self->kinds, self->target);
    pin_http_cancel(self->probe); /* it asked with what was */
    self->probe = NULL;
    if (self->target == NULL) {
        pin_timer_stop(self->probe_timer);
        set_down(self);
        return;
    }
    if (is_reconnect && self->source.stats.is_up) {
        pin_kinds_reconnect(self->kinds);
    }
    pin_timer_start(self->probe_timer, 0, false);
}

/* --- Life ----------------------------------------------------------------------------------- */

static void cluster_start(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    self->is_started = true;
    pin_access_start(self->access);
    if (self->target != NULL) {
        pin_timer_start(self->probe_timer, 0, false);
    } else if (!pin_access_is_pending(self->access)) {
        pin_source_set_up(source, false);
    }
}

static void cluster_stop(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    self->is_started = false;
    if (self->kinds != NULL) {
        pin_kinds_stop(self->kinds);
    }
    if (self->access != NULL) {
        pin_access_stop(self->access);
    }
    if (self->probe_timer != NULL) {
        pin_timer_stop(self->probe_timer);
    }
    pin_http_cancel(self->probe);
    self->probe = NULL;
}

static void cluster_resume(struct pin_source *source)
{
    pin_kinds_resume(from_source(source)->kinds);
}

static void cluster_want_pods(struct pin_source *source)
{
    pin_kinds_want_pods(from_source(source)->kinds);
}

static void cluster_set_held(struct pin_source *source)
{
    pin_kinds_set_held(from_source(source)->kinds);
}

static void cluster_list_again(struct pin_source *source)
{
    pin_kinds_list_again(from_source(source)->kinds);
}

static const struct pin_target *cluster_target(struct pin_source *source)
{
    return source->stats.is_up ? from_source(source)->target : NULL;
}

static const char *cluster_version(struct pin_source *source, enum pin_kind kind)
{
    return pin_kinds_version(from_source(source)->kinds, kind);
}

static void cluster_free(struct pin_source *source)
{
    struct cluster *self = from_source(source);
    cluster_stop(source);
    pin_kinds_free(self->kinds);
    pin_timer_free(self->probe_timer);
    pin_access_free(self->access);
    pin_source_done(source);
    free(self);
}

static const struct pin_target *cluster_survey_target(struct pin_source *source)
{
    return from_source(source)->target;
}

static const struct pin_source_ops cluster_ops = {
    .start = cluster_start,
    .stop = cluster_stop,
    .resume = cluster_resume,
    .want_pods = cluster_want_pods,
    .set_held = cluster_set_held,
    .list_again = cluster_list_again,
    .survey_target = cluster_survey_target,
    .free = cluster_free,
    .target = cluster_target,
    .version = cluster_version,
};

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

static bool make_parts(struct cluster *self, const struct pin_cluster_tools *tools)
{
    const struct pin_kinds_host host = {
        .source = &self->source,
        .http = tools->http,
        .arena = tools->arena,
        .on_lost = on_kinds_lost,
        .on_refused = on_kinds_refused,
        .arg = self,
    };
    self->kinds = pin_kinds_new(&host);
    self->probe_timer = pin_timer_new(tools->loop, on_probe_timer, self);
    return self->kinds != NULL && self->probe_timer != NULL;
}

struct pin_source *pin_cluster_new(const struct pin_cluster_tools *tools,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why)
{
    struct cluster *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    self->http = tools->http;
    bool is_ok =
        pin_source_init(&self->source, &cluster_ops, tools->loop, spec, sink, origin_text(spec));
    self->access_host = (struct pin_access_host){
        .source = &self->source, .commands = tools->commands, .on_change = on_access_change};
    self->access = is_ok ? pin_access_new(&self->access_host, spec) : NULL;
    if (self->access == NULL || !make_parts(self, tools)) {
        cluster_free(&self->source);
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    self->target = pin_access_target(self->access);
    pin_kinds_set_target(self->kinds, self->target);
    self->probe_backoff.last_ms = PROBE_LAST_MS;
    return &self->source;
}
