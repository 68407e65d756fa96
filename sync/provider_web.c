/* SPDX-License-Identifier: Apache-2.0 */

/* Calls of providers behind HTTP: begun by a timer, one request at a time, ended once. */

#include "provider_web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/loop.h"

#define REQUEST_TIMEOUT_MS 60000
#define REQUEST_STALL_MS   20000

/* --- Targets ------------------------------------------------------------------------------- */

enum pin_err pin_web_target(
    const char *url, const char *ca_file, struct pin_target **ret_target, struct pin_why *why)
{
    enum pin_target_change change = PIN_TARGET_SAME;
    size_t len = strlen(url);
    bool is_tls = strncmp(url, "https://", 8) == 0;
    const char *rest = url + (is_tls ? 8 : 7);
    if ((!is_tls && strncmp(url, "http://", 7) != 0) || *rest == '\0') {
        return pin_why_set(why, PIN_EINVAL, "a URL begins with http:// or https://");
    }
    if (memchr(rest, '@', strcspn(rest, "/")) != NULL || strpbrk(rest, "?#") != NULL) {
        return pin_why_set(why, PIN_EINVAL, "a URL of scheme, host, port and path only");
    }
    while (len > 0 && url[len - 1] == '/') {
        len--;
    }
    struct pin_target *target = calloc(1, sizeof(*target));
    if (target == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a target");
    }
    bool has_ca = ca_file != NULL && ca_file[0] != '\0';
    target->server = strndup(url, len);
    target->ca_file = has_ca ? strdup(ca_file) : NULL;
    enum pin_err err = target->server == NULL || (has_ca && target->ca_file == NULL)
                           ? pin_why_set(why, PIN_ENOMEM, "a target")
                           : pin_target_refresh(target, &change, why);
    if (err != PIN_OK) {
        pin_target_free(target);
        return err;
    }
    *ret_target = target;
    return PIN_OK;
}

enum pin_provider_fault pin_web_fault_of(enum pin_err err)
{
    switch (err) {
    case PIN_OK:
        return PIN_PROVIDER_NONE;
    case PIN_ENOMEM:
        return PIN_PROVIDER_MEMORY;
    case PIN_ELIMIT:
        return PIN_PROVIDER_TOO_LARGE;
    case PIN_ENOTFOUND:
    case PIN_EDENIED:
    case PIN_EINVAL:
        return PIN_PROVIDER_DENIED;
    default:
        return PIN_PROVIDER_MALFORMED;
    }
}

/* --- Ends ----------------------------------------------------------------------------------- */

/* A server's words: one line of printable bytes, cut. */
static void copy_words(char out[PIN_PROVIDER_MESSAGE_MAX], const char *words)
{
    (void)snprintf(out, PIN_PROVIDER_MESSAGE_MAX, "%s", words);
    for (char *at = out; *at != '\0'; at++) {
        if ((unsigned char)*at < ' ' || *at == 0x7F) {
            *at = ' ';
        }
    }
}

static void unlink_call(struct pin_web_call *self)
{
    if (self->prev != NULL) {
        self->prev->next = self->next;
    } else if (self->provider->calls == self) {
        self->provider->calls = self->next;
    }
    if (self->next != NULL) {
        self->next->prev = self->prev;
    }
    self->prev = NULL;
    self->next = NULL;
}

/* Everything but what was given away. The provider may be gone already. */
static void free_call(struct pin_web_call *self)
{
    pin_timer_free(self->timer);
    pin_timer_free(self->deadline);
    pin_text_done(&self->answer);
    pin_arena_free(self->arena);
    pin_batch_free(self->batch);
    pin_provider_sets_done(&self->sets);
    free(self);
}

/* Ends what it does. */
static void stop_call(struct pin_web_call *self)
{
    pin_http_cancel(self->transfer);
    self->transfer = NULL;
    if (self->provider->kind->done != NULL) {
        self->provider->kind->done(self);
    }
}

static void on_cancel(struct pin_provider_call *call)
{
    struct pin_web_call *self = (struct pin_web_call *)call;
    stop_call(self);
    unlink_call(self);
    free_call(self);
}

static void end_list(struct pin_web_call *self, enum pin_provider_fault fault, const char *message,
    int64_t retry_after_ms)
{
    struct pin_provider_listing listing = {
        .fault = fault, .message = message, .retry_after_ms = retry_after_ms, .version = ""};
    if (fault == PIN_PROVIDER_NONE) {
        listing.sets = pin_provider_sets_take(&self->sets, &listing.n_sets);
        if (listing.sets == NULL) {
            listing.fault = PIN_PROVIDER_MEMORY;
            listing.message = "the listing needs too much memory";
        } else {
            listing.arena = self->arena;
            self->arena = NULL;
        }
    }
    self->list.done(self->list.arg, &listing);
}

void pin_web_end(struct pin_web_call *call, enum pin_provider_fault fault, const char *message,
    int64_t retry_after_ms)
{
    char text[PIN_PROVIDER_MESSAGE_MAX];
    copy_words(text, message);
    stop_call(call);
    unlink_call(call);
    if (call->is_apply) {
        pin_batch_stop(call->batch, PIN_PROVIDER_RETRY, text);
        struct pin_provider_outcome outcome = {.results = pin_batch_results(call->batch),
            .n_results = call->apply.n_changes,
            .fault = fault,
            .message = text,
            .retry_after_ms = retry_after_ms};
        call->apply.done(call->apply.arg, &outcome);
    } else {
        end_list(call, fault, text, retry_after_ms);
    }
    free_call(call);
}

void pin_web_end_reply(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    if (call->is_apply) {
        pin_batch_stop(call->batch, reply->is_lost ? PIN_PROVIDER_UNKNOWN : PIN_PROVIDER_RETRY,
            reply->message);
    }
    pin_web_end(call, reply->fault, reply->message, reply->retry_after_ms);
}

void pin_web_fail(struct pin_web_call *call, enum pin_provider_fault fault, const char *message)
{
    if (call->late_fault == PIN_PROVIDER_NONE) {
        call->late_fault = fault;
        copy_words(call->late_message, message);
        pin_http_cancel(call->transfer);
        call->transfer = NULL;
        pin_timer_start(call->timer, 0, false);
    }
}

/* --- Requests ------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
    struct pin_web_call *self = arg;
    if (self->late_fault != PIN_PROVIDER_NONE) {
        struct pin_web_reply reply = {.fault = self->late_fault,
            .is_lost = self->is_apply,
            .message = self->late_message,
            .retry_after_ms = -1};
        pin_web_end_reply(self, &reply);
        return;
    }
    self->provider->kind->next(self);
}

static void on_deadline(void *arg)
{
    struct pin_web_call *self = arg;
    struct pin_web_reply reply = {.fault = PIN_PROVIDER_UNREACHABLE,
        .is_lost = self->transfer != NULL,
        .message = "no end after two minutes",
        .retry_after_ms = -1};
    pin_web_end_reply(self, &reply);
}

void pin_web_later(struct pin_web_call *call, int64_t ms)
{
    pin_timer_start(call->timer, ms, false);
}

static void on_body(void *arg, const char *data, size_t bytes)
{
    struct pin_web_call *self = arg;
    const struct pin_web_kind *kind = self->provider->kind;
    if (kind->on_bytes != NULL && kind->on_bytes(self, data, bytes)) {
        return;
    }
    if (bytes > kind->answer_bytes_max - self->answer.len) {
        pin_web_fail(self, PIN_PROVIDER_TOO_LARGE, "the answer is too long");
    } else {
        pin_text_putn(&self->answer, data, bytes);
    }
}

static enum pin_provider_fault fault_of_status(int status)
{
    if (status >= 200 && status < 300) {
        return PIN_PROVIDER_NONE;
    }
    switch (status) {
    case 401:
    case 403:
    case 407:
        return PIN_PROVIDER_DENIED;
    case 404:
        return PIN_PROVIDER_NO_ZONE;
    case 429:
        return PIN_PROVIDER_THROTTLED;
    default:
        return status >= 400 ? PIN_PROVIDER_FAILED : PIN_PROVIDER_MALFORMED;
    }
}

/* What became of a request, by how its transfer ended. */
static void classify(const struct pin_http_result *result, struct pin_web_reply *reply)
{
    switch (result->fault) {
    case PIN_HTTP_NONE:
        reply->fault = fault_of_status(result->status);
        reply->is_lost = result->status >= 500;
        break;
    case PIN_HTTP_RESOLVE:
    case PIN_HTTP_REFUSED:
        reply->fault = PIN_PROVIDER_UNREACHABLE;
        break;
    case PIN_HTTP_CERT_NAME:
    case PIN_HTTP_CERT:
    case PIN_HTTP_CERT_TIME:
    case PIN_HTTP_OWN_CERT:
    case PIN_HTTP_TLS:
        reply->fault = PIN_PROVIDER_DENIED;
        break;
    default:
        reply->fault = PIN_PROVIDER_UNREACHABLE;
        reply->is_lost = true;
        break;
    }
}

static void on_done(void *arg, const struct pin_http_result *result)
{
    struct pin_web_call *self = arg;
    char said[PIN_PROVIDER_MESSAGE_MAX];
    char message[PIN_PROVIDER_MESSAGE_MAX];
    struct pin_web_reply reply = {
        .status = result->status, .type = result->type, .retry_after_ms = result->retry_after_ms};
    self->transfer = NULL;
    if (self->late_fault != PIN_PROVIDER_NONE) {
        return;
    }
    classify(result, &reply);
    bool is_fine = reply.fault == PIN_PROVIDER_NONE;
    reply.text = is_fine ? pin_text_get(&self->answer) : result->text;
    reply.bytes = is_fine ? self->answer.len : result->text_bytes;
    if (is_fine && self->answer.failed) {
        reply.fault = PIN_PROVIDER_MEMORY;
        reply.is_lost = true;
    }
    if (result->fault != PIN_HTTP_NONE) {
        (void)snprintf(said, sizeof(said), "%s", result->message);
    } else if (is_fine) {
        said[0] = '\0';
    } else if (result->status < 400) {
        (void)snprintf(said, sizeof(said), "%d: redirects are not followed", result->status);
    } else {
        (void)snprintf(said, sizeof(said), "%d %s", result->status, result->message);
    }
    copy_words(message, said);
    reply.message = message;
    self->provider->kind->on_reply(self, &reply);
}

void pin_web_send(struct pin_web_call *call, const struct pin_web_request *request)
{
    struct pin_web_provider *provider = call->provider;
    enum pin_target_change change = PIN_TARGET_SAME;
    struct pin_why why = {0};
    if (request->target == NULL) {
        (void)pin_target_refresh(provider->target, &change, NULL); /* the old one stays */
    }
    struct pin_http_request http = {
        .target = request->target != NULL ? request->target : provider->target,
        .method = request->method,
        .path = request->path,
        .body = request->body,
        .body_bytes = request->body_bytes,
        .body_type = request->type,
        .accept = request->accept,
        .authorization = request->authorization,
        .timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : REQUEST_TIMEOUT_MS,
        .stall_ms = REQUEST_STALL_MS,
        .host = request->host,
        .headers = request->headers,
        .n_headers = request->n_headers,
        .is_once = call->is_apply && request->method != NULL,
        .on_body = on_body,
        .on_done = on_done,
        .arg = call,
    };
    pin_text_cut(&call->answer, 0);
    enum pin_err err = pin_http_start(provider->tools.http, &http, &call->transfer, &why);
    if (err != PIN_OK) {
        pin_web_end(call, pin_web_fault_of(err), why.text, -1);
    }
}

/* --- Beginnings ----------------------------------------------------------------------------- */

static struct pin_web_call *new_call(struct pin_web_provider *provider, const char *zone)
{
    struct pin_web_call *self = calloc(1, provider->kind->call_bytes);
    if (self == NULL) {
        return NULL;
    }
    self->call.cancel = on_cancel;
    self->provider = provider;
    self->zone = zone;
    self->timer = pin_timer_new(provider->tools.loop, on_timer, self);
    self->deadline = pin_timer_new(provider->tools.loop, on_deadline, self);
    if (self->timer == NULL || self->deadline == NULL) {
        free_call(self);
        return NULL;
    }
    return self;
}

static void begin(struct pin_web_call *self, struct pin_provider_call **ret_call)
{
    struct pin_web_provider *provider = self->provider;
    self->next = provider->calls;
    if (self->next != NULL) {
        self->next->prev = self;
    }
    provider->calls = self;
    pin_timer_start(self->timer, 0, false);
    pin_timer_start(self->deadline, PIN_PROVIDER_CALL_MS, false);
    *ret_call = &self->call;
}

enum pin_err pin_web_adjust(struct pin_provider *provider, const struct pin_recordset *sets,
    size_t n_sets, const struct pin_provider_list_request *request,
    struct pin_provider_call **ret_call)
{
    struct pin_web_call *self = new_call((struct pin_web_provider *)provider, request->zone);
    if (self == NULL) {
        return PIN_ENOMEM;
    }
    self->list = *request;
    self->is_adjust = sets != NULL;
    self->wanted = sets;
    self->n_wanted = n_sets;
    self->arena = pin_arena_new("provider listing", PIN_PROVIDER_LISTING_MAX_BYTES);
    if (self->arena == NULL) {
        free_call(self);
        return PIN_ENOMEM;
    }
    self->sets = (struct pin_provider_sets){.arena = self->arena, .zone = request->zone};
    begin(self, ret_call);
    return PIN_OK;
}

enum pin_err pin_web_list(struct pin_provider *provider,
    const struct pin_provider_list_request *request, struct pin_provider_call **ret_call)
{
    return pin_web_adjust(provider, NULL, 0, request, ret_call);
}

/* NULL: memory is out. */
static struct pin_batch *new_batch(const struct pin_provider_apply_request *request,
    const struct pin_batch_limits *limits, pin_web_weigh_fn *weigh)
{
    size_t *weights = calloc(request->n_changes + 1, sizeof(*weights));
    if (weights == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < request->n_changes; i++) {
        weights[i] = weigh == NULL ? 1 : weigh(&request->changes[i]);
    }
    struct pin_batch *batch = pin_batch_new(request->n_changes, weights, limits);
    free(weights);
    return batch;
}

enum pin_err pin_web_apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, const struct pin_batch_limits *limits,
    pin_web_weigh_fn *weigh, struct pin_provider_call **ret_call)
{
    struct pin_web_call *self = new_call((struct pin_web_provider *)provider, request->zone);
    if (self == NULL) {
        return PIN_ENOMEM;
    }
    self->is_apply = true;
    self->apply = *request;
    self->batch = new_batch(request, limits, weigh);
    if (self->batch == NULL) {
        free_call(self);
        return PIN_ENOMEM;
    }
    begin(self, ret_call);
    return PIN_OK;
}

struct pin_web_provider *pin_web_new(const struct pin_web_kind *kind,
    const struct pin_provider_ops *ops, const struct pin_provider_limits *limits,
    const struct pin_provider_tools *tools)
{
    struct pin_web_provider *self = calloc(1, kind->provider_bytes);
    if (self != NULL) {
        self->provider.ops = ops;
        self->provider.limits = *limits;
        self->kind = kind;
        self->tools = *tools;
    }
    return self;
}

enum pin_err pin_web_hand_out(
    struct pin_web_provider *self, enum pin_err err, struct pin_provider **ret_provider)
{
    if (err == PIN_OK) {
        *ret_provider = &self->provider;
    } else {
        pin_web_close(&self->provider);
    }
    return err;
}

void pin_web_close(struct pin_provider *provider)
{
    struct pin_web_provider *self = (struct pin_web_provider *)provider;
    struct pin_web_call *next = NULL;
    for (struct pin_web_call *at = self->calls; at != NULL; at = next) {
        next = at->next;
        stop_call(at);
        free_call(at);
    }
    if (self->kind->close != NULL) {
        self->kind->close(provider);
    }
    pin_target_free(self->target);
    free(self);
}

bool pin_web_next_batch(struct pin_web_call *call)
{
    call->n = 0;
    return pin_batch_next(call->batch, &call->first, &call->n);
}
