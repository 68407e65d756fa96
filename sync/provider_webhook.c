/* SPDX-License-Identifier: Apache-2.0 */

/* Webhook: what is it for, then all records, changes, or how it would have them. */

#include "provider_webhook.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "items.h"
#include "provider_web.h"
#include "webhook_text.h"

#define ANSWER_BYTES_MAX   ((size_t)1 << 20)
#define LISTING_BYTES_MAX  ((size_t)1 << 30)
#define SCRATCH_BYTES      ((size_t)128 << 20)
#define BATCH_CHANGES      200u
#define BATCH_REQUESTS_MAX 100u

struct webhook_call {
    struct pin_web_call web;
    struct pin_items items; /* of the array that is made the list of an object */
    struct pin_arena *scratch;
    struct pin_why why;
    size_t n_bytes;
    enum pin_err err;
    bool has_asked; /* what it is for */
    bool is_for_us;
    bool has_items;
};

/* --- The array of endpoints ----------------------------------------------------------------- */

static void on_item(void *arg, const char *text, size_t bytes)
{
    struct webhook_call *self = arg;
    if (self->err != PIN_OK) {
        return;
    }
    self->err =
        text == NULL
            ? pin_why_set(&self->why, PIN_ELIMIT, "an endpoint of %zu bytes", bytes)
            : pin_webhook_read_endpoint(text, bytes, self->scratch, &self->web.sets, &self->why);
}

static enum pin_err feed(struct webhook_call *self, const char *data, size_t bytes)
{
    enum pin_err err = pin_items_feed(&self->items, data, bytes, &self->why);
    return self->err != PIN_OK ? self->err : err;
}

static bool on_bytes(struct pin_web_call *call, const char *data, size_t bytes)
{
    struct webhook_call *self = (struct webhook_call *)call;
    if (!self->has_items) {
        return false;
    }
    self->n_bytes += bytes;
    enum pin_err err = self->n_bytes > LISTING_BYTES_MAX
                           ? pin_why_set(&self->why, PIN_ELIMIT, "the listing is too large")
                           : feed(self, data, bytes);
    if (err != PIN_OK) {
        pin_web_fail(call, pin_web_fault_of(err), self->why.text);
    }
    return true;
}

/* --- Requests ------------------------------------------------------------------------------- */

static void send_filter(struct pin_web_call *call)
{
    struct pin_web_request request = {.path = "/", .accept = PIN_WEBHOOK_TYPE};
    pin_web_send(call, &request);
}

static void send_changes(struct pin_web_call *call)
{
    struct pin_text body = {0};
    if (!pin_web_next_batch(call)) {
        pin_web_end(call, PIN_PROVIDER_NONE, "", -1);
        return;
    }
    pin_webhook_put_changes(&body, call->apply.changes + call->first, call->n);
    if (body.failed) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "no memory for a request", -1);
    } else {
        struct pin_web_request request = {.method = "POST",
            .path = "/records",
            .body = body.ptr,
            .body_bytes = body.len,
            .type = PIN_WEBHOOK_TYPE,
            .accept = PIN_WEBHOOK_TYPE};
        pin_web_send(call, &request);
    }
    pin_text_done(&body);
}

/* Asks for endpoints: all that there are, or the ones that are wanted as they would be kept. */
static void send_list(struct pin_web_call *call)
{
    struct webhook_call *self = (struct webhook_call *)call;
    struct pin_text body = {0};
    self->scratch = pin_arena_new("webhook endpoint", SCRATCH_BYTES);
    pin_items_init(&self->items, 0, on_item, self);
    self->has_items = true;
    if (call->is_adjust) {
        pin_webhook_put_endpoints(&body, call->wanted, call->n_wanted);
    }
    if (body.failed || self->scratch == NULL || feed(self, "{\"items\":", 9) != PIN_OK) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "no memory for a request", -1);
    } else {
        struct pin_web_request request = {.method = call->is_adjust ? "POST" : NULL,
            .path = call->is_adjust ? "/adjustendpoints" : "/records",
            .body = call->is_adjust ? body.ptr : NULL,
            .body_bytes = body.len,
            .type = PIN_WEBHOOK_TYPE,
            .accept = PIN_WEBHOOK_TYPE};
        pin_web_send(call, &request);
    }
    pin_text_done(&body);
}

static void next(struct pin_web_call *call)
{
    struct webhook_call *self = (struct webhook_call *)call;
    if (!self->has_asked) {
        self->has_asked = true;
        send_filter(call);
    } else if (call->is_apply) {
        send_changes(call);
    } else {
        send_list(call);
    }
}

/* --- Answers -------------------------------------------------------------------------------- */

static void on_filter(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct webhook_call *self = (struct webhook_call *)call;
    enum pin_err err = pin_webhook_read_filter(reply->text, reply->bytes, call->zone, &self->why);
    if (err != PIN_OK) {
        pin_web_end(call, err == PIN_ENOTFOUND ? PIN_PROVIDER_NO_ZONE : pin_web_fault_of(err),
            self->why.text, -1);
        return;
    }
    self->is_for_us = true;
    next(call);
}

static void on_listed(struct pin_web_call *call)
{
    struct webhook_call *self = (struct webhook_call *)call;
    enum pin_err err = feed(self, "}", 1);
    if (err == PIN_OK && pin_items_is_complete(&self->items)) {
        pin_web_end(call, PIN_PROVIDER_NONE, "", -1);
    } else {
        pin_web_end(call, PIN_PROVIDER_MALFORMED, "the answer is no whole list of endpoints", -1);
    }
}

/* A batch that failed: its halves; a single change: perhaps done, unless the webhook did not even
 * understand it. */
static void on_failed(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    bool is_ours = reply->status >= 400 && reply->status < 500;
    if (call->n > 1 || is_ours) {
        pin_batch_settle(call->batch, PIN_PROVIDER_REFUSED, reply->message);
    } else {
        pin_batch_settle(call->batch, PIN_PROVIDER_UNKNOWN, reply->message);
    }
    next(call);
}

static void on_reply(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct webhook_call *self = (struct webhook_call *)call;
    bool is_fine = reply->fault == PIN_PROVIDER_NONE;
    if (is_fine && self->is_for_us && call->is_apply) {
        pin_batch_settle(call->batch, PIN_PROVIDER_APPLIED, NULL); /* 204, without a type */
        next(call);
    } else if (is_fine && !pin_webhook_is_type(reply->type)) {
        pin_web_end(call, PIN_PROVIDER_MALFORMED,
            "the answer is not of the webhook protocol's version 1", -1);
    } else if (is_fine && !self->is_for_us) {
        on_filter(call, reply);
    } else if (is_fine) {
        on_listed(call);
    } else if (self->is_for_us && call->is_apply && reply->fault == PIN_PROVIDER_FAILED) {
        on_failed(call, reply);
    } else if (reply->fault == PIN_PROVIDER_NO_ZONE) {
        pin_web_end(call, PIN_PROVIDER_MALFORMED, "404: there is no webhook", -1);
    } else {
        pin_web_end_reply(call, reply);
    }
}

/* --- Beginnings and ends -------------------------------------------------------------------- */

static enum pin_err apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    struct pin_batch_limits limits = {.n_changes = BATCH_CHANGES, .n_requests = BATCH_REQUESTS_MAX};
    return pin_web_apply(provider, request, &limits, NULL, ret_call);
}

static void done(struct pin_web_call *call)
{
    struct webhook_call *self = (struct webhook_call *)call;
    if (self->has_items) {
        pin_items_done(&self->items);
    }
    pin_arena_free(self->scratch);
}

static const struct pin_provider_ops ops = {.kind = "webhook",
    .list = pin_web_list,
    .apply = apply,
    .adjust = pin_web_adjust,
    .close = pin_web_close};

static const struct pin_web_kind kind = {.provider_bytes = sizeof(struct pin_web_provider),
    .call_bytes = sizeof(struct webhook_call),
    .answer_bytes_max = ANSWER_BYTES_MAX,
    .next = next,
    .on_reply = on_reply,
    .on_bytes = on_bytes,
    .done = done};

static const struct pin_provider_limits limits_of_all = {
    .default_ttl_s = PIN_WEBHOOK_TTL_S, .has_set_ids = true};

enum pin_err pin_webhook_open(const struct pin_provider_tools *tools,
    const struct pin_webhook_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why)
{
    struct pin_web_provider *self = pin_web_new(&kind, &ops, &limits_of_all, tools);
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a provider");
    }
    enum pin_err err = pin_web_target(settings->url, settings->ca_file, &self->target, why);
    return pin_web_hand_out(self, err, ret_provider);
}
