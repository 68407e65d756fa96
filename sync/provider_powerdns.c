/* SPDX-License-Identifier: Apache-2.0 */

/* PowerDNS: one GET reads a zone, PATCHes change it. */

#include "provider_powerdns.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/secret.h"

#include "items.h"
#include "powerdns_text.h"
#include "provider_web.h"

#define ANSWER_BYTES_MAX  ((size_t)1 << 20)
#define SCRATCH_BYTES     ((size_t)128 << 20)
#define BATCH_CHANGES     500u
#define BATCH_BYTES       ((size_t)1 << 20)
#define LISTING_BYTES_MAX ((size_t)1 << 30)

struct powerdns {
    struct pin_web_provider web;
    char *server;
    char *api_key_file;
};

struct powerdns_call {
    struct pin_web_call web;
    struct pin_items items;
    struct pin_arena *scratch;
    size_t n_bytes;
    struct pin_why why;
    enum pin_err err; /* of the first set that could not be taken */
    bool has_items;
};

/* --- Requests ------------------------------------------------------------------------------- */

static void send_request(struct pin_web_call *call, struct pin_web_request *request)
{
    const struct powerdns *self = (const struct powerdns *)call->provider;
    struct pin_why why = {0};
    struct pin_http_header header = {.name = "X-API-Key"};
    struct pin_secret key = {0};
    enum pin_err err = pin_secret_read(self->api_key_file, &key, &why);
    if (err != PIN_OK) {
        pin_web_end(
            call, err == PIN_ENOMEM ? PIN_PROVIDER_MEMORY : PIN_PROVIDER_DENIED, why.text, -1);
        return;
    }
    header.value = (const char *)key.data;
    request->headers = &header;
    request->n_headers = 1;
    pin_web_send(call, request);
    request->headers = NULL;
    pin_secret_done(&key);
}

static void on_item(void *arg, const char *text, size_t bytes)
{
    struct powerdns_call *self = arg;
    if (self->err != PIN_OK) {
        return;
    }
    self->err =
        text == NULL
            ? pin_why_set(&self->why, PIN_ELIMIT, "a record set of %zu bytes", bytes)
            : pin_powerdns_read_set(text, bytes, self->scratch, &self->web.sets, &self->why);
}

static bool on_bytes(struct pin_web_call *call, const char *data, size_t bytes)
{
    struct powerdns_call *self = (struct powerdns_call *)call;
    if (call->is_apply) {
        return false;
    }
    self->n_bytes += bytes;
    enum pin_err err = self->n_bytes > LISTING_BYTES_MAX
                           ? pin_why_set(&self->why, PIN_ELIMIT, "the zone is too large")
                           : pin_items_feed(&self->items, data, bytes, &self->why);
    err = self->err != PIN_OK ? self->err : err;
    if (err != PIN_OK) {
        pin_web_fail(call, pin_web_fault_of(err), self->why.text);
    }
    return true;
}

static void send_list(struct pin_web_call *call, const char *path)
{
    struct powerdns_call *self = (struct powerdns_call *)call;
    struct pin_text full = {0};
    self->scratch = pin_arena_new("powerdns record set", SCRATCH_BYTES);
    pin_items_init(&self->items, 0, on_item, self);
    self->items.list_key = "rrsets";
    self->has_items = true;
    pin_text_putf(&full, "%s?rrsets=true", path);
    if (full.failed || self->scratch == NULL) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "no memory for a request", -1);
    } else {
        struct pin_web_request request = {.path = full.ptr};
        send_request(call, &request);
    }
    pin_text_done(&full);
}

static void send_changes(struct pin_web_call *call, const char *path)
{
    struct pin_text body = {0};
    if (!pin_web_next_batch(call)) {
        pin_web_end(call, PIN_PROVIDER_NONE, "", -1);
        return;
    }
    pin_powerdns_put_changes(&body, call->apply.changes + call->first, call->n);
    if (body.failed) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "no memory for a request", -1);
    } else {
        struct pin_web_request request = {
            .method = "PATCH", .path = path, .body = body.ptr, .body_bytes = body.len};
        send_request(call, &request);
    }
    pin_text_done(&body);
}

static void next(struct pin_web_call *call)
{
    const struct powerdns *self = (const struct powerdns *)call->provider;
    struct pin_text path = {0};
    pin_powerdns_put_path(&path, self->server, call->zone);
    if (path.failed) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "no memory for a request", -1);
    } else if (call->is_apply) {
        send_changes(call, path.ptr);
    } else {
        send_list(call, path.ptr);
    }
    pin_text_done(&path);
}

/* --- Answers -------------------------------------------------------------------------------- */

static void on_listed(struct pin_web_call *call)
{
    const struct powerdns_call *self = (const struct powerdns_call *)call;
    if (pin_items_is_complete(&self->items)) {
        pin_web_end(call, PIN_PROVIDER_NONE, "", -1);
    } else {
        pin_web_end(call, PIN_PROVIDER_MALFORMED, "the answer is no whole zone", -1);
    }
}

/* What the server will not have; everything else is about the server, not about the change. */
static bool is_refusal(int status)
{
    return status == 400 || status == 409 || status == 413 || status == 422;
}

static void on_reply(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    char message[PIN_PROVIDER_MESSAGE_MAX];
    if (!call->is_apply && reply->fault == PIN_PROVIDER_NONE) {
        on_listed(call);
    } else if (reply->fault == PIN_PROVIDER_NONE) {
        pin_batch_settle(call->batch, PIN_PROVIDER_APPLIED, NULL);
        next(call);
    } else if (call->is_apply && is_refusal(reply->status)) {
        pin_powerdns_read_error(reply->text, reply->bytes, message);
        /* "Conflicts with pre-existing RRset": something the listing did not have */
        bool is_other = strstr(message, "pre-existing") != NULL || reply->status == 409;
        pin_batch_settle(
            call->batch, is_other ? PIN_PROVIDER_CONFLICT : PIN_PROVIDER_REFUSED, message);
        next(call);
    } else {
        struct pin_web_reply worded = *reply;
        if (reply->status >= 400) {
            pin_powerdns_read_error(reply->text, reply->bytes, message);
            worded.message = message[0] != '\0' ? message : reply->message;
        }
        pin_web_end_reply(call, &worded);
    }
}

/* --- Beginnings and ends -------------------------------------------------------------------- */

static enum pin_err apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    struct pin_batch_limits limits = {.n_changes = BATCH_CHANGES, .weight = BATCH_BYTES};
    return pin_web_apply(provider, request, &limits, pin_powerdns_weight, ret_call);
}

static void done(struct pin_web_call *call)
{
    struct powerdns_call *self = (struct powerdns_call *)call;
    if (self->has_items) {
        pin_items_done(&self->items);
    }
    pin_arena_free(self->scratch);
}

static void close_powerdns(struct pin_provider *provider)
{
    struct powerdns *self = (struct powerdns *)provider;
    free(self->server);
    free(self->api_key_file);
}

static const struct pin_provider_ops ops = {
    .kind = "powerdns", .list = pin_web_list, .apply = apply, .close = pin_web_close};

static const struct pin_web_kind kind = {.provider_bytes = sizeof(struct powerdns),
    .call_bytes = sizeof(struct powerdns_call),
    .answer_bytes_max = ANSWER_BYTES_MAX,
    .next = next,
    .on_reply = on_reply,
    .on_bytes = on_bytes,
    .done = done,
    .close = close_powerdns};

static const struct pin_provider_limits limits_of_all = {
    .types = (const char *const[]){"A", "AAAA", "CAA", "CNAME", "DNAME", "DS", "MX", "NAPTR", "NS",
        "PTR", "SRV", "SSHFP", "TLSA", "TXT"},
    .n_types = 14,
    .default_ttl_s = PIN_POWERDNS_TTL_S};

enum pin_err pin_powerdns_open(const struct pin_provider_tools *tools,
    const struct pin_powerdns_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why)
{
    if (settings->api_key_file == NULL) {
        return pin_why_set(why, PIN_EINVAL, "powerdns needs an apiKeyFile");
    }
    struct powerdns *self = (struct powerdns *)pin_web_new(&kind, &ops, &limits_of_all, tools);
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a provider");
    }
    self->server = strdup(settings->server == NULL ? "localhost" : settings->server);
    self->api_key_file = strdup(settings->api_key_file);
    enum pin_err err =
        self->server == NULL || self->api_key_file == NULL
            ? pin_why_set(why, PIN_ENOMEM, "a provider")
            : pin_web_target(settings->url, settings->ca_file, &self->web.target, why);
    return pin_web_hand_out(&self->web, err, ret_provider);
}
