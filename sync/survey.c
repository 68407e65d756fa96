/* SPDX-License-Identifier: Apache-2.0 */

/* The steps of a survey, which is what users call a check: each is a request, and what its answer
 * says. */

#include "survey.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/text.h"

#include "cluster.h"
#include "decode.h"
#include "discovery.h"
#include "source.h"
#include "survey_report.h"
#include "survey_writes.h"

#define STEP_TIMEOUT_MS       5000
#define CHECK_MS              25000 /* No step begins later than this. */
#define BODY_BYTES_MAX        ((size_t)32 << 20)
#define DISCOVERY_ARENA_BYTES ((size_t)512 << 20)
/* Kinds that are not served and are named; the rest is counted. */
#define KINDS_NAMED 4
#define REVIEWS     "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
#define WHO         "/apis/authentication.k8s.io/v1/selfsubjectreviews"

/* What is asked, in this order. */
enum step {
    PIN_STEP_REACH,
    PIN_STEP_STRANGER, /* Only when the certificate was refused: whose is it? */
    PIN_STEP_WHO,
    PIN_STEP_VERSION,
    PIN_STEP_DISCOVERY,
    PIN_STEP_RIGHTS,
    PIN_STEP_SECRETS,
    PIN_STEP_WRITES,
    PIN_STEP_END,
};

struct pin_survey {
    struct pin_source *source;
    struct pin_http *http;
    struct pin_http_transfer *transfer;
    enum step step;
    size_t question; /* Of PIN_STEP_RIGHTS: twice the kind, plus 1 for watch. */
    bool is_running;
    bool was_run;
    int64_t started_ms; /* Monotonic, as ended_ms. */
    int64_t ended_ms;
    struct pin_text body;
    struct pin_survey_writes writes;
    struct pin_survey_report report;
};

/* What an answer says; returns the next step. */
typedef enum step read_fn(struct pin_survey *self, const struct pin_http_result *result);

static void advance(struct pin_survey *self, enum step step);

static const struct pin_target *target_of(const struct pin_survey *self)
{
    const struct pin_source_ops *ops = self->source->ops;
    return ops->survey_target != NULL ? ops->survey_target(self->source) : NULL;
}

static bool is_good(const struct pin_http_result *result)
{
    return result->fault == PIN_HTTP_NONE && result->status >= 200 && result->status < 300;
}

/* --- Ends ----------------------------------------------------------------------------------- */

/* What the watches say of themselves. */
static void add_sync(struct pin_survey *self)
{
    const struct pin_sync_cluster_stats *stats = &self->source->stats;
    uint64_t n_objects = 0;
    const struct pin_trouble *trouble =
        self->source->access.code != 0 ? &self->source->access : &self->source->trouble;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        n_objects += stats->kinds[kind].n_objects;
        trouble = trouble->code != 0 ? trouble : &self->source->kinds[kind];
    }
    if (trouble->code != 0 || !stats->is_up || !stats->is_synced) {
        const char *text = trouble->code != 0  ? trouble->text
                           : !stats->is_synced ? "not every kind was listed yet"
                                               : "it is out of reach";
        pin_survey_add(&self->report, "sync", PIN_SURVEY_FAIL,
            trouble->code != 0 ? trouble->hint : "", "%s", text);
    } else {
        pin_survey_add(&self->report, "sync", PIN_SURVEY_OK, "", "%s: listed, %" PRIu64 " objects",
            self->source->origin, n_objects);
    }
}

static void finish(struct pin_survey *self)
{
    add_sync(self);
    pin_text_done(&self->body);
    pin_survey_writes_done(&self->writes);
    self->ended_ms = pin_clock_mono_ms();
    self->is_running = false;
    self->was_run = true;
}

/* --- Reaching it ---------------------------------------------------------------------------- */

static bool is_stranger(enum pin_http_fault fault)
{
    return fault == PIN_HTTP_CERT || fault == PIN_HTTP_CERT_NAME || fault == PIN_HTTP_CERT_TIME;
}

static void add_refused(struct pin_survey *self)
{
    int64_t end = self->source->stats.credentials_expire_wall_ms;
    char text[PIN_CLOCK_TEXT_MAX] = "";
    bool is_over = end != 0 && end <= pin_clock_wall_ms();
    if (is_over) {
        pin_clock_format(end, text);
    }
    pin_survey_add(&self->report, "credentials", PIN_SURVEY_FAIL,
        "renew the user's token or client certificate",
        "our credentials are not accepted (401)%s%s", is_over ? ": they expired at " : "", text);
}

static void add_health(struct pin_survey *self, const struct pin_http_result *result)
{
    if (result->status == 401) {
        add_refused(self);
    } else if (result->status >= 500 || result->status == 429) {
        pin_survey_add(&self->report, "health", PIN_SURVEY_FAIL,
            "look at the API server's log, and at etcd", "/livez: status %d %s", result->status,
            result->message);
    } else {
        pin_survey_add(&self->report, "health", PIN_SURVEY_OK, "",
            result->status == 200 ? "/livez says ok" : "alive (/livez is not for us: %d)",
            result->status);
    }
}

static enum step read_reach(struct pin_survey *self, const struct pin_http_result *result)
{
    const struct pin_target *target = target_of(self);
    if (result->fault != PIN_HTTP_NONE) {
        bool is_tls = is_stranger(result->fault) || result->fault == PIN_HTTP_TLS;
        pin_survey_add(&self->report, is_tls ? "tls" : "reach", PIN_SURVEY_FAIL,
            pin_cluster_fault_hint(result->fault), "cannot reach %s: %s", self->report.server,
            result->message);
        return is_stranger(result->fault) ? PIN_STEP_STRANGER : PIN_STEP_END;
    }
    if (target != NULL) {
        pin_survey_add_peer(&self->report, target, result->peer, pin_clock_wall_ms());
    }
    add_health(self, result);
    return result->status == 401 ? PIN_STEP_END : PIN_STEP_WHO;
}

static enum step read_stranger(struct pin_survey *self, const struct pin_http_result *result)
{
    const struct pin_survey_report *report = &self->report;
    char until[PIN_CLOCK_TEXT_MAX] = "unknown";
    pin_survey_note_certificate(&self->report, result->peer);
    if (report->subject[0] != '\0') {
        if (report->until_wall_ms != 0) {
            pin_clock_format(report->until_wall_ms, until);
        }
        pin_survey_add(&self->report, "tls", PIN_SURVEY_FAIL, "",
            "its certificate is %.60s for %.120s, signed by %.60s, valid until %s", report->subject,
            report->names, report->issuer, until);
    }
    return PIN_STEP_END;
}

/* --- What it is ----------------------------------------------------------------------------- */

/* Who we are, and for how long; 0: without an end. */
static void add_user(struct pin_survey_report *report, int64_t until_wall_ms)
{
    char until[PIN_CLOCK_TEXT_MAX] = "";
    if (until_wall_ms != 0) {
        pin_clock_format(until_wall_ms, until);
    }
    if (report->user[0] != '\0') {
        pin_survey_add(report, "credentials", PIN_SURVEY_OK, "", "known as %s%s%s", report->user,
            until[0] != '\0' ? " until " : "", until);
    }
}

/* Servers before 1.28 do not tell. */
static enum step read_who(struct pin_survey *self, const struct pin_http_result *result)
{
    struct pin_survey_report *report = &self->report;
    if (is_good(result)) {
        pin_survey_read_text(pin_text_get(&self->body), self->body.len, "status.userInfo.username",
            report->user, sizeof(report->user));
    }
    add_user(report, self->source->stats.credentials_expire_wall_ms);
    return PIN_STEP_VERSION;
}

static enum step read_version(struct pin_survey *self, const struct pin_http_result *result)
{
    struct pin_survey_report *report = &self->report;
    if (is_good(result)) {
        pin_survey_read_text(pin_text_get(&self->body), self->body.len, "gitVersion",
            report->version, sizeof(report->version));
    }
    if (report->version[0] != '\0') {
        pin_survey_add(report, "version", PIN_SURVEY_OK, "", "Kubernetes %s", report->version);
    }
    return PIN_STEP_DISCOVERY;
}

/* False: what it said is no list of groups; then the kinds that every server has remain. */
static bool find_kinds(struct pin_survey *self, struct pin_why *why)
{
    struct pin_discovery found;
    struct pin_arena *arena = pin_arena_new("check discovery", DISCOVERY_ARENA_BYTES);
    bool is_read =
        arena != NULL
        && pin_discovery_read(pin_text_get(&self->body), self->body.len, arena, &found, why)
               == PIN_OK;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)kind);
        bool is_always = row->group[0] == '\0' || kind == PIN_KIND_ENDPOINT_SLICE;
        int version = is_read ? found.version[kind] : is_always ? 0 : -1;
        self->report.kinds[kind].version = version < 0 ? NULL : row->versions[version];
    }
    pin_arena_free(arena);
    return is_read;
}

/* "; not served: A, B and 3 others", or nothing. */
static void name_missing(const struct pin_survey *self, struct pin_text *text)
{
    size_t n = 0;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (self->report.kinds[kind].version == NULL && n++ < KINDS_NAMED) {
            pin_text_putf(text, "%s%s", n == 1 ? "; not served: " : ", ",
                pin_decode_row((enum pin_kind)kind)->resource);
        }
    }
    if (n > KINDS_NAMED) {
        pin_text_putf(text, " and %zu more", n - KINDS_NAMED);
    }
}

static enum step read_discovery(struct pin_survey *self, const struct pin_http_result *result)
{
    struct pin_why why = {0};
    size_t n_served = 0;
    if (!is_good(result)) {
        (void)pin_why_set(&why, PIN_EIO, "status %d %s", result->status, result->message);
        pin_text_cut(&self->body, 0);
    }
    if (!find_kinds(self, is_good(result) ? &why : NULL)) {
        pin_survey_add(&self->report, "kinds", PIN_SURVEY_WARN,
            "let this user read /apis (the ClusterRole system:discovery)",
            "GET /apis: %s; looking at the kinds that every server has", why.text);
    }
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        n_served += self->report.kinds[kind].version != NULL ? 1 : 0;
    }
    struct pin_text missing = {0};
    name_missing(self, &missing);
    pin_survey_add(&self->report, "kinds", PIN_SURVEY_OK, "",
        "%zu of the %d kinds that are read are served%s", n_served, (int)PIN_KIND_MAX,
        pin_text_get(&missing));
    pin_text_done(&missing);
    return PIN_STEP_RIGHTS;
}

/* --- What we may do ------------------------------------------------------------------------- */

static bool is_asked(const struct pin_survey *self, size_t kind)
{
    return self->report.kinds[kind].version != NULL
           && pin_source_wants(self->source, (enum pin_kind)kind);
}

static enum step read_right(struct pin_survey *self, const struct pin_http_result *result)
{
    struct pin_survey_kind *kind = &self->report.kinds[self->question / 2];
    enum pin_survey_right right =
        is_good(result) ? pin_survey_read_right(pin_text_get(&self->body), self->body.len)
                        : PIN_RIGHT_UNASKED;
    *(self->question % 2 == 0 ? &kind->list : &kind->watch) = right;
    self->question++;
    while (self->question / 2 < PIN_KIND_MAX && !is_asked(self, self->question / 2)) {
        self->question += 2;
    }
    bool is_over = self->question / 2 >= PIN_KIND_MAX || result->fault != PIN_HTTP_NONE
                   || result->status == 403 || result->status == 404;
    if (!is_over) {
        return PIN_STEP_RIGHTS;
    }
    pin_survey_add_rights(&self->report, self->source);
    return result->fault != PIN_HTTP_NONE ? PIN_STEP_END : PIN_STEP_SECRETS;
}

/* Asks for the next right to write; after the last one, or where none is told, it is judged. */
static enum step next_write(struct pin_survey *self, const struct pin_http_result *last)
{
    bool is_told = last->fault == PIN_HTTP_NONE && last->status != 403 && last->status != 404;
    if (is_told && pin_survey_writes_next(&self->writes, &self->report) != NULL) {
        return PIN_STEP_WRITES;
    }
    pin_survey_writes_report(&self->writes, &self->report);
    return PIN_STEP_END;
}

/* Whoever may read Secrets holds much more than Pintle needs. */
static enum step read_secrets(struct pin_survey *self, const struct pin_http_result *result)
{
    if (is_good(result)
        && pin_survey_read_right(pin_text_get(&self->body), self->body.len) == PIN_RIGHT_YES) {
        pin_survey_add(&self->report, "access", PIN_SURVEY_WARN,
            "give Pintle a user of its own: 'pintlectl clusters add' prints one",
            "may read all Secrets, which Pintle never does");
    }
    return next_write(self, result);
}

static enum step read_write(struct pin_survey *self, const struct pin_http_result *result)
{
    enum pin_survey_right right =
        is_good(result) ? pin_survey_read_right(pin_text_get(&self->body), self->body.len)
                        : PIN_RIGHT_UNASKED;
    pin_survey_writes_answer(&self->writes, right);
    return next_write(self, result);
}

/* --- Requests ------------------------------------------------------------------------------- */

/* Whether we may do that to all objects of a kind. */
static void put_question(const struct pin_survey *self, const char *verb, const char *group,
    const char *plural, struct pin_text *text)
{
    const struct pin_role_right right = {
        .verb = verb, .group = group, .resource = plural, .subresource = "", .name = ""};
    pin_survey_put_review(text, &right, &self->writes.asked);
}

/* The body of a step; none for most. */
static void put_body(const struct pin_survey *self, struct pin_text *text)
{
    if (self->step == PIN_STEP_WHO) {
        pin_text_puts(
            text, "{\"apiVersion\":\"authentication.k8s.io/v1\",\"kind\":\"SelfSubjectReview\"}");
    } else if (self->step == PIN_STEP_SECRETS) {
        put_question(self, "get", "", "secrets", text);
    } else if (self->step == PIN_STEP_WRITES) {
        pin_survey_put_review(
            text, &self->writes.rights.items[self->writes.next], &self->writes.asked);
    } else if (self->step == PIN_STEP_RIGHTS) {
        const struct pin_kind_row *row = pin_decode_row((enum pin_kind)(self->question / 2));
        put_question(
            self, self->question % 2 == 0 ? "list" : "watch", row->group, row->plural, text);
    }
}

static void on_body(void *arg, const char *data, size_t bytes)
{
    struct pin_survey *self = arg;
    if (self->body.len + bytes <= BODY_BYTES_MAX) {
        pin_text_putn(&self->body, data, bytes);
    }
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    static read_fn *const readers[PIN_STEP_END] = {
        [PIN_STEP_REACH] = read_reach,
        [PIN_STEP_STRANGER] = read_stranger,
        [PIN_STEP_WHO] = read_who,
        [PIN_STEP_VERSION] = read_version,
        [PIN_STEP_DISCOVERY] = read_discovery,
        [PIN_STEP_RIGHTS] = read_right,
        [PIN_STEP_SECRETS] = read_secrets,
        [PIN_STEP_WRITES] = read_write,
    };
    struct pin_survey *self = arg;
    self->transfer = NULL;
    enum step next = readers[self->step](self, result);
    if (next != PIN_STEP_END && pin_clock_mono_ms() - self->started_ms > CHECK_MS) {
        pin_survey_add(&self->report, "reach", PIN_SURVEY_WARN,
            "look at the load of the API server, and at the network on the way",
            "answers too slowly to be asked everything");
        next = PIN_STEP_END;
    }
    advance(self, next);
}

static enum pin_err send_request(
    struct pin_survey *self, const struct pin_target *target, struct pin_why *why)
{
    static const char *const paths[PIN_STEP_END] = {
        "/livez", "/livez", WHO, "/version", "/apis", REVIEWS, REVIEWS, REVIEWS};
    struct pin_text body = {0};
    /* the other side is not who it should be: it learns nothing from us */
    const struct pin_target stranger = {.server = target->server,
        .server_name = target->server_name,
        .proxy_url = target->proxy_url,
        .is_insecure = true};
    put_body(self, &body);
    bool has_body = body.len > 0;
    struct pin_http_request request = {
        .target = self->step == PIN_STEP_STRANGER ? &stranger : target,
        .method = has_body ? "POST" : NULL,
        .path = paths[self->step],
        .body = has_body ? pin_text_get(&body) : NULL,
        .body_bytes = body.len,
        .accept = self->step == PIN_STEP_DISCOVERY ? PIN_DISCOVERY_ACCEPT : "application/json, */*",
        .timeout_ms = STEP_TIMEOUT_MS,
        .wants_peer = self->step <= PIN_STEP_STRANGER,
        .on_body = on_body,
        .on_done = on_done,
        .arg = self,
    };
    enum pin_err err = body.failed ? pin_why_set(why, PIN_ENOMEM, "no memory for a question")
                                   : pin_http_start(self->http, &request, &self->transfer, why);
    pin_text_done(&body);
    return err;
}

/* Goes on with that step, or ends. */
static void advance(struct pin_survey *self, enum step step)
{
    struct pin_why why = {0};
    const struct pin_target *target = target_of(self);
    self->step = step;
    pin_text_cut(&self->body, 0);
    if (step == PIN_STEP_END || target == NULL) {
        finish(self); /* what is wrong with the kubeconfig, the source's trouble says */
    } else if (send_request(self, target, &why) != PIN_OK) {
        pin_survey_add(
            &self->report, "reach", PIN_SURVEY_FAIL, "correct the kubeconfig", "%s", why.text);
        finish(self);
    }
}

/* --- Life ----------------------------------------------------------------------------------- */

enum pin_err pin_survey_start(struct pin_source *source, struct pin_http *http,
    const struct pin_survey_asked *asked, struct pin_survey **survey, struct pin_why *why)
{
    struct pin_survey_writes writes;
    if (*survey == NULL) {
        *survey = calloc(1, sizeof(**survey));
    }
    struct pin_survey *self = *survey;
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a check");
    }
    if (self->is_running) {
        return PIN_OK;
    }
    enum pin_err err = pin_survey_writes_init(&writes, asked, why);
    if (err != PIN_OK) {
        return err;
    }
    *self = (struct pin_survey){.source = source,
        .http = http,
        .writes = writes,
        .is_running = true,
        .started_ms = pin_clock_mono_ms()};
    const struct pin_target *target = target_of(self);
    if (target != NULL) {
        (void)snprintf(self->report.server, sizeof(self->report.server), "%s", target->server);
    }
    advance(self, target != NULL ? PIN_STEP_REACH : PIN_STEP_END);
    return PIN_OK;
}

bool pin_survey_is_running(const struct pin_survey *survey)
{
    return survey != NULL && survey->is_running;
}

void pin_survey_stop(struct pin_survey *survey)
{
    if (pin_survey_is_running(survey)) {
        pin_http_cancel(survey->transfer);
        survey->transfer = NULL;
        pin_text_done(&survey->body);
        pin_survey_writes_done(&survey->writes);
        survey->is_running = false;
    }
}

void pin_survey_free(struct pin_survey *survey)
{
    pin_survey_stop(survey);
    free(survey);
}

void pin_survey_json(const struct pin_survey *survey, struct pin_jsonout *out)
{
    bool is_running = pin_survey_is_running(survey);
    bool is_done = survey != NULL && !is_running && survey->was_run;
    pin_jsonout_key_string(out, "state", is_running ? "running" : is_done ? "done" : "never");
    if (is_done) {
        pin_jsonout_key_double(
            out, "ageSeconds", (double)(pin_clock_mono_ms() - survey->ended_ms) / 1000.0);
        pin_jsonout_key_double(
            out, "tookSeconds", (double)(survey->ended_ms - survey->started_ms) / 1000.0);
        pin_survey_report_json(&survey->report, out);
    }
}
