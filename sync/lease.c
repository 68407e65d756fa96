/* SPDX-License-Identifier: Apache-2.0 */

/* One writer per cluster: a Lease that is taken, renewed, lost and given back. */

#include "lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"

#include "http.h"

#define RENEW_MS         5000
#define RETRY_MS         2000
#define DENIED_MS        30000
#define TIMEOUT_MS       4000
#define ANSWER_BYTES_MAX ((size_t)64 << 10)
#define DURATION_MAX_S   3600

/* What is under way. */
enum step {
    PIN_STEP_IDLE,
    PIN_STEP_LOOK,
    PIN_STEP_TAKE,
    PIN_STEP_RELEASE,
};

struct pin_lease {
    struct pin_lease_config config;
    char *where;
    char *path; /* of all Leases of the namespace */
    char *namespace_name;
    char *name;
    char *identity;
    struct pin_timer *timer;    /* the next step */
    struct pin_timer *deadline; /* of what we hold */
    struct pin_http_transfer *transfer;
    struct pin_text answer;
    struct pin_lease_seen seen;
    enum step step;
    int64_t seen_ms;  /* since when it has been like that */
    int64_t asked_ms; /* when the request under way began */
    int64_t held_ms;  /* when the request began that got or renewed it */
    int64_t acquired_wall_ms;
    int told; /* the status that was told, 0: none */
    char error[256];
    bool is_known; /* seen says something */
    bool is_held;
    bool is_wanted;
};

/* --- reading ---------------------------------------------------------------------------------- */

enum pin_err pin_lease_read(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_lease_seen *ret_seen, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    struct pin_lease_seen seen = {.duration_s = PIN_LEASE_S};
    enum pin_err err = pin_json_parse(text, bytes, arena, &tree, why);
    if (err != PIN_OK) {
        return err;
    }
    const char *version = pin_tree_string(tree, "metadata.resourceVersion", "");
    const char *holder = pin_tree_string(tree, "spec.holderIdentity", "");
    if (version[0] == '\0' || strlen(version) >= sizeof(seen.version)) {
        return pin_why_set(why, PIN_EPARSE, "a Lease without a resourceVersion");
    }
    (void)snprintf(seen.version, sizeof(seen.version), "%s", version);
    (void)snprintf(seen.holder, sizeof(seen.holder), "%s", holder);
    long long duration_s = pin_tree_int(tree, "spec.leaseDurationSeconds", PIN_LEASE_S);
    seen.duration_s = PIN_MAX(PIN_MIN(duration_s, DURATION_MAX_S), 1);
    seen.n_transitions = PIN_MAX(pin_tree_int(tree, "spec.leaseTransitions", 0), 0);
    seen.n_transitions = PIN_MIN(seen.n_transitions, INT32_MAX - 1);
    *ret_seen = seen;
    return PIN_OK;
}

/* --- who holds it ------------------------------------------------------------------------------
 */

static void set_held(struct pin_lease *self, bool is_held)
{
    if (self->is_held == is_held) {
        return;
    }
    self->is_held = is_held;
    self->acquired_wall_ms = is_held ? pin_clock_wall_ms() : 0;
    if (!is_held) {
        pin_timer_stop(self->deadline);
    }
    pin_log_info("%s: Lease %s/%s %s", self->where, self->namespace_name, self->name,
        is_held ? "is ours, writing" : "is not ours any more, nothing is written");
    self->config.on_change(self->config.arg, is_held);
}

bool pin_lease_is_held(const struct pin_lease *lease)
{
    return lease->is_held && pin_clock_mono_ms() - lease->held_ms < PIN_LEASE_STOP_MS;
}

static void on_deadline(void *arg)
{
    set_held(arg, false);
}

static bool is_ours(const struct pin_lease *self)
{
    return strcmp(self->seen.holder, self->identity) == 0;
}

/* Nobody's, ours from before, or not renewed for as long as it counts. */
static bool is_free(const struct pin_lease *self)
{
    int64_t same_ms = pin_clock_mono_ms() - self->seen_ms;
    return self->seen.holder[0] == '\0' || is_ours(self) || same_ms >= self->seen.duration_s * 1000;
}

/* Takes over what an answer says. False: it cannot be read. */
static bool read_answer(struct pin_lease *self)
{
    struct pin_lease_seen seen;
    struct pin_why why = {0};
    enum pin_err err = pin_lease_read(
        pin_text_get(&self->answer), self->answer.len, self->config.arena, &seen, &why);
    pin_arena_reset(self->config.arena);
    if (err != PIN_OK) {
        (void)snprintf(self->error, sizeof(self->error), "%.200s", why.text);
        return false;
    }
    if (!self->is_known || strcmp(seen.version, self->seen.version) != 0) {
        self->seen_ms = self->asked_ms;
    }
    self->is_known = true;
    self->seen = seen;
    return true;
}

/* --- requests ----------------------------------------------------------------------------------
 */

static void on_body(void *arg, const char *data, size_t bytes)
{
    struct pin_lease *self = arg;
    if (self->answer.len + bytes <= ANSWER_BYTES_MAX) {
        pin_text_putn(&self->answer, data, bytes);
    }
}

/* The whole object; with the version it was made on unless it is new. */
static void put_lease(const struct pin_lease *self, const char *holder, struct pin_text *body)
{
    bool is_new = !self->is_known;
    int64_t wall_ms = pin_clock_wall_ms();
    struct pin_jsonout json = pin_jsonout_init(body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "apiVersion", "coordination.k8s.io/v1");
    pin_jsonout_key_string(&json, "kind", "Lease");
    pin_jsonout_key(&json, "metadata");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "name", self->name);
    pin_jsonout_key_string(&json, "namespace", self->namespace_name);
    if (!is_new) {
        pin_jsonout_key_string(&json, "resourceVersion", self->seen.version);
    }
    pin_jsonout_end(&json);
    pin_jsonout_key(&json, "spec");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "holderIdentity", holder);
    pin_jsonout_key_int(&json, "leaseDurationSeconds", holder[0] == '\0' ? 1 : PIN_LEASE_S);
    pin_jsonout_key_micro_time(&json, "renewTime", wall_ms);
    pin_jsonout_key_micro_time(
        &json, "acquireTime", self->is_held ? self->acquired_wall_ms : wall_ms);
    bool moves = !is_new && !is_ours(self) && holder[0] != '\0';
    pin_jsonout_key_int(&json, "leaseTransitions", self->seen.n_transitions + (moves ? 1 : 0));
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
}

static void next(struct pin_lease *self, int64_t ms)
{
    if (self->is_wanted) {
        pin_timer_start(self->timer, ms + pin_rand_below((uint32_t)(ms / 5) + 1), false);
    }
}

static void on_done(void *arg, const struct pin_http_result *result);

/* Sends one request; without memory or target the timer tries again. */
static void ask(struct pin_lease *self, enum step step, const char *holder)
{
    const struct pin_target *target = self->config.target(self->config.arg);
    struct pin_text body = {0};
    struct pin_text path = {0};
    struct pin_why why = {0};
    bool is_new = step != PIN_STEP_LOOK && !self->is_known;
    pin_text_putf(&path, is_new ? "%s" : "%s/%s", self->path, self->name);
    if (step != PIN_STEP_LOOK) {
        put_lease(self, holder, &body);
    }
    struct pin_http_request request = {.target = target,
        .method = step == PIN_STEP_LOOK ? NULL
                  : is_new              ? "POST"
                                        : "PUT",
        .path = pin_text_get(&path),
        .body = step == PIN_STEP_LOOK ? NULL : pin_text_get(&body),
        .body_bytes = body.len,
        .timeout_ms = TIMEOUT_MS,
        .on_body = on_body,
        .on_done = on_done,
        .arg = self};
    pin_text_cut(&self->answer, 0);
    self->asked_ms = pin_clock_mono_ms();
    bool is_sent = target != NULL && !path.failed && !body.failed
                   && pin_http_start(self->config.http, &request, &self->transfer, &why) == PIN_OK;
    self->step = is_sent ? step : PIN_STEP_IDLE;
    if (!is_sent) {
        next(self, RETRY_MS);
    }
    pin_text_done(&path);
    pin_text_done(&body);
}

/* A refusal is told once, by its status. */
static void tell(struct pin_lease *self, const struct pin_http_result *result)
{
    (void)snprintf(self->error, sizeof(self->error), "%d %s", result->status, result->message);
    if (self->told == result->status || result->status == 0 || result->status == 409) {
        return;
    }
    self->told = result->status;
    pin_log_warn("%s: Lease %s/%s: %d %s; nothing is written%s", self->where, self->namespace_name,
        self->name, result->status, result->message,
        result->status == 403 || result->status == 404
            ? "; to do: apply deploy/rbac/write-lease.yaml there"
            : "");
}

static void on_looked(struct pin_lease *self, const struct pin_http_result *result)
{
    if (result->status == 404) {
        self->is_known = false;
        self->seen = (struct pin_lease_seen){.duration_s = PIN_LEASE_S};
        ask(self, PIN_STEP_TAKE, self->identity);
        return;
    }
    if (result->status != 200 || !read_answer(self)) {
        tell(self, result);
        next(self, result->status == 403 ? DENIED_MS : RETRY_MS);
        return;
    }
    self->error[0] = '\0';
    if (is_free(self)) {
        ask(self, PIN_STEP_TAKE, self->identity);
        return;
    }
    set_held(self, false);
    next(self, RETRY_MS);
}

static void on_taken(struct pin_lease *self, const struct pin_http_result *result)
{
    bool is_good = result->status == 200 || result->status == 201;
    if (is_good && read_answer(self) && is_ours(self)) {
        self->held_ms = self->asked_ms;
        self->told = 0;
        self->error[0] = '\0';
        int64_t left_ms = PIN_LEASE_STOP_MS - (pin_clock_mono_ms() - self->held_ms);
        pin_timer_start(self->deadline, PIN_MAX(left_ms, (int64_t)0), false);
        set_held(self, left_ms > 0);
        next(self, RENEW_MS);
        return;
    }
    tell(self, result);
    /* somebody was first, or it is not clear what the server made of it: look */
    self->step = PIN_STEP_IDLE;
    next(self, result->status == 409 ? 0 : result->status == 403 ? DENIED_MS : RETRY_MS);
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct pin_lease *self = arg;
    enum step step = self->step;
    self->transfer = NULL;
    self->step = PIN_STEP_IDLE;
    if (step == PIN_STEP_RELEASE || !self->is_wanted) {
        return;
    }
    if (step == PIN_STEP_LOOK) {
        on_looked(self, result);
    } else {
        on_taken(self, result);
    }
}

/* What we hold is renewed on the version we know; else it is looked at first. */
static void on_timer(void *arg)
{
    struct pin_lease *self = arg;
    if (self->transfer != NULL || !self->is_wanted) {
        return;
    }
    bool renews = self->is_held && self->is_known && is_ours(self) && self->error[0] == '\0';
    ask(self, renews ? PIN_STEP_TAKE : PIN_STEP_LOOK, self->identity);
}

/* --- life --------------------------------------------------------------------------------------
 */

void pin_lease_identity(char ret_identity[PIN_LEASE_HOLDER_MAX])
{
    char host[128] = "";
    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(
        ret_identity, PIN_LEASE_HOLDER_MAX, "%s_%016llx", host, (unsigned long long)pin_rand_u64());
}

struct pin_lease *pin_lease_new(const struct pin_lease_config *config)
{
    struct pin_lease *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->config = *config;
    self->where = strdup(config->where);
    self->namespace_name = strdup(config->namespace_name);
    self->name = strdup(config->name);
    self->identity = strdup(config->identity);
    if (asprintf(&self->path, "/apis/coordination.k8s.io/v1/namespaces/%s/leases",
            config->namespace_name)
        < 0) {
        self->path = NULL;
    }
    self->timer = pin_timer_new(config->loop, on_timer, self);
    self->deadline = pin_timer_new(config->loop, on_deadline, self);
    if (self->where == NULL || self->namespace_name == NULL || self->name == NULL
        || self->identity == NULL || self->path == NULL || self->timer == NULL
        || self->deadline == NULL) {
        pin_lease_free(self);
        return NULL;
    }
    return self;
}

void pin_lease_free(struct pin_lease *lease)
{
    if (lease == NULL) {
        return;
    }
    pin_http_cancel(lease->transfer);
    pin_timer_free(lease->timer);
    pin_timer_free(lease->deadline);
    pin_text_done(&lease->answer);
    free(lease->where);
    free(lease->path);
    free(lease->namespace_name);
    free(lease->name);
    free(lease->identity);
    free(lease);
}

void pin_lease_start(struct pin_lease *lease)
{
    lease->is_wanted = true;
    pin_timer_start(lease->timer, 0, false);
}

void pin_lease_release(struct pin_lease *lease)
{
    bool was_held = pin_lease_is_held(lease);
    lease->is_wanted = false;
    pin_timer_stop(lease->timer);
    pin_http_cancel(lease->transfer);
    lease->transfer = NULL;
    lease->step = PIN_STEP_IDLE;
    if (was_held) {
        ask(lease, PIN_STEP_RELEASE, "");
    }
    set_held(lease, false);
}

bool pin_lease_is_busy(const struct pin_lease *lease)
{
    return lease->transfer != NULL;
}

const char *pin_lease_holder(const struct pin_lease *lease)
{
    return lease->is_known ? lease->seen.holder : "";
}

const char *pin_lease_error(const struct pin_lease *lease)
{
    return lease->error;
}
