/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Route 53, request by request: keys, the zone's id, then pages or batches.
 *
 *     next -> keys? -> fetch them  -> id? -> look it up -> a slot of the second -> page, batch
 */

#include "provider_route53.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#include "aws_credentials.h"
#include "provider_web.h"
#include "route53_text.h"

#define API              "/2013-04-01/"
#define ANSWER_BYTES_MAX ((size_t)32 << 20)
#define SCRATCH_BYTES    ((size_t)256 << 20)
#define PAGES_MAX        20000u
#define BATCH_CHANGES    1000u
#define SLOT_MS          200
#define KEYS_TIMEOUT_MS  5000
#define TRIES_MAX        6u
#define BACKOFF_FIRST_MS 1000u
#define BACKOFF_MAX_MS   15000u

/* An id that was given or found. */
struct known {
    struct known *next;
    char *zone;
    char id[PIN_ROUTE53_ID_MAX];
    bool is_given;
};

struct route53 {
    struct pin_web_provider web;
    struct pin_aws_credentials keys;
    struct known *known;
    char *host; /* of the endpoint, as the Host header has it */
    char *region;
    char *access_key_file;
    char *secret_key_file;
    int64_t free_ms; /* when the next request may go */
    bool is_private;
};

/* What is under way. */
enum what {
    PIN_R53_NOTHING,
    PIN_R53_KEYS,
    PIN_R53_ZONE,
    PIN_R53_WORK,
};

struct route53_call {
    struct pin_web_call web;
    struct pin_aws_fetch fetch;
    struct pin_target *target; /* whom the keys are fetched from */
    struct pin_route53_zones zones;
    struct pin_route53_next next_page;
    struct pin_arena *scratch;
    enum what what;
    unsigned n_pages;
    unsigned n_tries; /* of the present request */
    bool has_slot;
    bool has_renewed; /* the keys, because they did not count any more */
};

static void next(struct pin_web_call *call);

static struct route53 *provider_of(const struct pin_web_call *call)
{
    return (struct route53 *)call->provider;
}

static void fail(struct pin_web_call *call, enum pin_err err, const struct pin_why *why)
{
    pin_web_end(call, pin_web_fault_of(err), why->text, -1);
}

/* --- Keys ----------------------------------------------------------------------------------- */

static bool has_keys(const struct route53 *self)
{
    return self->keys.access_key != NULL
           && (self->keys.until_wall_ms == 0
               || self->keys.until_wall_ms - pin_clock_wall_ms() > PIN_AWS_RENEW_MS);
}

/* Sends what a fetch wants to know; what is near is not asked through a proxy. */
static void send_ask(struct pin_web_call *call, const struct pin_aws_ask *ask)
{
    struct route53_call *self = (struct route53_call *)call;
    struct pin_why why = {0};
    struct pin_http_header header = {ask->header, ask->value};
    bool is_tls = strncmp(ask->server, "https://", 8) == 0;
    pin_target_free(self->target);
    self->target = NULL;
    enum pin_err err = pin_web_target(
        ask->server, is_tls ? call->provider->target->ca_file : NULL, &self->target, &why);
    if (err == PIN_OK && !is_tls && (self->target->proxy_url = strdup("")) == NULL) {
        err = pin_why_set(&why, PIN_ENOMEM, "credentials");
    }
    if (err != PIN_OK) {
        fail(call, err, &why);
        return;
    }
    struct pin_web_request request = {.target = self->target,
        .method = ask->method,
        .path = ask->path.ptr,
        .body = ask->body.ptr,
        .body_bytes = ask->body.len,
        .type = "application/x-www-form-urlencoded",
        .accept = "*/*",
        .headers = &header,
        .n_headers = ask->header == NULL ? 0 : 1,
        .timeout_ms = KEYS_TIMEOUT_MS};
    self->what = PIN_R53_KEYS;
    pin_web_send(call, &request);
}

/* True: there are keys. Else they are asked for, or the call has ended. */
static bool get_keys(struct pin_web_call *call)
{
    struct route53_call *self = (struct route53_call *)call;
    struct route53 *provider = provider_of(call);
    struct pin_aws_ask ask = {0};
    struct pin_why why = {0};
    bool asks = false;
    if (self->what != PIN_R53_KEYS && has_keys(provider)) {
        return true;
    }
    if (self->what != PIN_R53_KEYS) {
        pin_aws_fetch_reset(&self->fetch);
        self->fetch.access_key_file = provider->access_key_file;
        self->fetch.secret_key_file = provider->secret_key_file;
        self->fetch.region = provider->region;
    }
    enum pin_err err = pin_aws_fetch_next(&self->fetch, &provider->keys, &ask, &asks, &why);
    if (err == PIN_OK && asks) {
        send_ask(call, &ask);
    } else if (err != PIN_OK) {
        fail(call, err == PIN_ENOMEM ? err : PIN_EDENIED, &why);
    }
    pin_aws_ask_done(&ask);
    return err == PIN_OK && !asks;
}

static void on_keys(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct route53_call *self = (struct route53_call *)call;
    struct route53 *provider = provider_of(call);
    struct pin_why why = {0};
    if (reply->status == 0) {
        (void)pin_why_set(&why, PIN_EDENIED, "no AWS credentials: %s", reply->message);
        fail(call, PIN_EDENIED, &why);
        return;
    }
    pin_aws_credentials_done(&provider->keys);
    enum pin_err err = pin_aws_fetch_answer(
        &self->fetch, &provider->keys, reply->status, reply->text, reply->bytes, &why);
    if (call->answer.ptr != NULL) {
        pin_crypto_wipe(call->answer.ptr, call->answer.cap);
        pin_text_cut(&call->answer, 0);
    }
    if (err != PIN_OK) {
        fail(call, err == PIN_ENOMEM ? err : PIN_EDENIED, &why);
        return;
    }
    if (provider->keys.access_key != NULL) {
        self->what = PIN_R53_NOTHING;
    }
    pin_web_later(call, 0);
}

/* --- Requests ------------------------------------------------------------------------------- */

/* True: this request may go now. Else the call waits for its turn. */
static bool get_slot(struct pin_web_call *call)
{
    struct route53_call *self = (struct route53_call *)call;
    struct route53 *provider = provider_of(call);
    int64_t now_ms = pin_clock_mono_ms();
    if (self->has_slot) {
        self->has_slot = false;
        return true;
    }
    int64_t at_ms = PIN_MAX(now_ms, provider->free_ms);
    provider->free_ms = at_ms + SLOT_MS;
    if (at_ms == now_ms) {
        return true;
    }
    self->has_slot = true;
    pin_web_later(call, at_ms - now_ms);
    return false;
}

/* Sends a signed request; `body` may be NULL. */
static void send_signed(
    struct pin_web_call *call, const char *path, const char *query, const struct pin_text *body)
{
    const struct route53 *self = provider_of(call);
    struct pin_why why = {0};
    struct pin_text authorization = {0};
    struct pin_text full = {0};
    char date[PIN_AWS_DATE_BYTES];
    struct pin_aws_pair host = {"host", self->host};
    struct pin_aws_keys keys = {
        self->keys.access_key, self->keys.secret_key, self->keys.session_token};
    struct pin_aws_request to_sign = {.method = body == NULL ? "GET" : "POST",
        .path = path,
        .query = query,
        .headers = &host,
        .n_headers = 1,
        .body = body == NULL ? NULL : body->ptr,
        .body_bytes = body == NULL ? 0 : body->len,
        .region = self->region,
        .service = "route53"};
    pin_text_putf(&full, "%s%s%s", path, query[0] == '\0' ? "" : "?", query);
    enum pin_err err =
        pin_aws_sign(&keys, &to_sign, pin_clock_wall_ms(), date, &authorization, &why);
    if (err == PIN_OK && full.failed) {
        err = pin_why_set(&why, PIN_ENOMEM, "a request");
    }
    if (err != PIN_OK) {
        fail(call, err, &why);
    } else {
        struct pin_http_header headers[] = {
            {"X-Amz-Date", date}, {"X-Amz-Security-Token", self->keys.session_token}};
        struct pin_web_request request = {.method = body == NULL ? NULL : "POST",
            .path = full.ptr,
            .body = to_sign.body,
            .body_bytes = to_sign.body_bytes,
            .type = "application/xml",
            .accept = "application/xml",
            .host = self->host,
            .authorization = authorization.ptr,
            .headers = headers,
            .n_headers = self->keys.session_token == NULL ? 1 : 2};
        pin_web_send(call, &request);
    }
    pin_text_done(&authorization);
    pin_text_done(&full);
}

/* --- The zone's id -------------------------------------------------------------------------- */

static struct known *find_known(const struct route53 *self, const char *zone)
{
    struct known *at = self->known;
    while (at != NULL && strcmp(at->zone, zone) != 0) {
        at = at->next;
    }
    return at;
}

/* False: memory is out, or the id is none. */
static bool know(struct route53 *self, const char *zone, const char *id, bool is_given)
{
    struct known *one = calloc(1, sizeof(*one));
    size_t len = strlen(id);
    if (one == NULL || len == 0 || len >= sizeof(one->id) || (one->zone = strdup(zone)) == NULL) {
        free(one);
        return false;
    }
    memcpy(one->id, id, len + 1);
    one->is_given = is_given;
    one->next = self->known;
    self->known = one;
    return true;
}

/* One that was looked up may be another one now. */
static void forget(struct route53 *self, const char *zone)
{
    for (struct known **at = &self->known; *at != NULL; at = &(*at)->next) {
        struct known *one = *at;
        if (strcmp(one->zone, zone) == 0 && !one->is_given) {
            *at = one->next;
            free(one->zone);
            free(one);
            return;
        }
    }
}

static void send_zone(struct pin_web_call *call)
{
    struct route53_call *self = (struct route53_call *)call;
    struct pin_text query = {0};
    struct pin_why why = {0};
    struct pin_aws_pair pairs[] = {
        {"dnsname", call->zone}, {"maxitems", "100"}, {"hostedzoneid", self->zones.next_id}};
    size_t n_pairs = self->zones.next_id[0] == '\0' ? 2 : 3;
    enum pin_err err = pin_aws_put_query(&query, pairs, n_pairs, &why);
    self->what = PIN_R53_ZONE;
    if (err != PIN_OK) {
        fail(call, err, &why);
    } else {
        send_signed(call, API "hostedzonesbyname", query.ptr, NULL);
    }
    pin_text_done(&query);
}

static void on_zone(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct route53_call *self = (struct route53_call *)call;
    struct route53 *provider = provider_of(call);
    struct pin_why why = {0};
    bool is_private = provider->is_private;
    enum pin_err err = pin_route53_read_zones(
        reply->text, reply->bytes, self->scratch, call->zone, &self->zones, &why);
    if (err != PIN_OK) {
        fail(call, err, &why);
    } else if (self->zones.next_id[0] != '\0' && ++self->n_pages < PAGES_MAX) {
        pin_web_later(call, 0);
    } else if (self->zones.n[is_private] == 0) {
        pin_web_end(call, PIN_PROVIDER_NO_ZONE,
            is_private ? "there is no such private zone" : "there is no such public zone", -1);
    } else if (self->zones.n[is_private] > 1) {
        pin_web_end(call, PIN_PROVIDER_DENIED,
            "there are several zones of that name: the configuration has to name an id", -1);
    } else if (!know(provider, call->zone, self->zones.id[is_private], false)) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "a zone's id", -1);
    } else {
        self->what = PIN_R53_NOTHING;
        self->n_pages = 0;
        pin_web_later(call, 0);
    }
}

/* --- The work ------------------------------------------------------------------------------- */

static void send_page(struct pin_web_call *call, const char *path)
{
    struct route53_call *self = (struct route53_call *)call;
    struct pin_text query = {0};
    struct pin_why why = {0};
    struct pin_aws_pair pairs[4] = {{"maxitems", "300"}};
    size_t n = 1;
    if (self->next_page.name != NULL) {
        pairs[n++] = (struct pin_aws_pair){"name", self->next_page.name};
        pairs[n++] = (struct pin_aws_pair){"type", self->next_page.type};
    }
    if (self->next_page.set_id != NULL) {
        pairs[n++] = (struct pin_aws_pair){"identifier", self->next_page.set_id};
    }
    enum pin_err err = pin_aws_put_query(&query, pairs, n, &why);
    if (err != PIN_OK) {
        fail(call, err, &why);
    } else {
        send_signed(call, path, query.ptr, NULL);
    }
    pin_text_done(&query);
}

static void adjust_all(struct pin_web_call *call, const struct known *known)
{
    struct pin_route53_zone zone = {known->zone, known->id};
    struct pin_why why = {0};
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < call->n_wanted && err == PIN_OK; i++) {
        err = pin_route53_adjust(&call->wanted[i], &zone, &call->sets, &why);
    }
    pin_web_end(call, pin_web_fault_of(err), why.text, -1);
}

/* What cannot be said at all is refused without asking. */
static void send_batch(struct pin_web_call *call, const char *path, const struct known *known)
{
    struct pin_route53_zone zone = {known->zone, known->id};
    struct pin_why why = {0};
    struct pin_text body = {0};
    enum pin_err err = PIN_EINVAL;
    while (err == PIN_EINVAL && pin_web_next_batch(call)) {
        pin_text_cut(&body, 0);
        err = pin_route53_put_batch(&body, &zone, call->apply.changes + call->first, call->n, &why);
        if (err == PIN_EINVAL) {
            pin_batch_settle(call->batch, PIN_PROVIDER_REFUSED, why.text);
        }
    }
    if (err == PIN_EINVAL) {
        pin_web_end(call, PIN_PROVIDER_NONE, "", -1);
    } else if (err != PIN_OK) {
        fail(call, err, &why);
    } else {
        send_signed(call, path, "", &body);
    }
    pin_text_done(&body);
}

static void work(struct pin_web_call *call, const struct known *known)
{
    struct route53_call *self = (struct route53_call *)call;
    struct pin_text path = {0};
    pin_text_putf(&path, API "hostedzone/%s/rrset", known->id);
    self->what = PIN_R53_WORK;
    if (path.failed) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "a request", -1);
    } else if (call->is_apply) {
        pin_text_putc(&path, '/');
        send_batch(call, pin_text_get(&path), known);
    } else {
        send_page(call, path.ptr);
    }
    pin_text_done(&path);
}

static void next(struct pin_web_call *call)
{
    struct route53_call *self = (struct route53_call *)call;
    if (self->scratch == NULL) {
        self->scratch = pin_arena_new("route53 answer", SCRATCH_BYTES);
        if (provider_of(call)->keys.until_wall_ms == 0) {
            pin_aws_credentials_done(&provider_of(call)->keys); /* files may have been replaced */
        }
    }
    if (self->scratch == NULL) {
        pin_web_end(call, PIN_PROVIDER_MEMORY, "a request", -1);
        return;
    }
    const struct known *known = find_known(provider_of(call), call->zone);
    if (known != NULL && call->is_adjust) {
        adjust_all(call, known);
    } else if (get_keys(call) && get_slot(call)) {
        if (known == NULL) {
            send_zone(call);
        } else {
            work(call, known);
        }
    }
}

/* --- Answers -------------------------------------------------------------------------------- */

static void on_page(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct route53_call *self = (struct route53_call *)call;
    struct pin_route53_next before = self->next_page;
    struct pin_why why = {0};
    self->next_page = (struct pin_route53_next){0};
    enum pin_err err = pin_route53_read_page(
        reply->text, reply->bytes, self->scratch, &call->sets, &self->next_page, &why);
    bool is_same = err == PIN_OK && before.name != NULL && self->next_page.name != NULL
                   && strcmp(before.name, self->next_page.name) == 0
                   && strcmp(before.type, self->next_page.type) == 0
                   && (before.set_id == NULL || self->next_page.set_id == NULL
                       || strcmp(before.set_id, self->next_page.set_id) == 0);
    pin_route53_next_done(&before);
    if (err != PIN_OK) {
        fail(call, err, &why);
    } else if (is_same || ++self->n_pages > PAGES_MAX) {
        pin_web_end(call, PIN_PROVIDER_MALFORMED, "the pages do not end", -1);
    } else if (self->next_page.name != NULL) {
        next(call);
    } else {
        pin_web_end(call, PIN_PROVIDER_NONE, "", -1);
    }
}

static bool is_one_of(const char *code, const char *const *codes, size_t n_codes)
{
    for (size_t i = 0; i < n_codes; i++) {
        if (strcmp(code, codes[i]) == 0) {
            return true;
        }
    }
    return false;
}

static enum pin_provider_fault fault_of_code(const char *code)
{
    static const char *const throttled[] = {"Throttling", "ThrottlingException",
        "PriorRequestNotComplete", "TooManyRequestsException", "RequestLimitExceeded"};
    static const char *const denied[] = {"AccessDenied", "AccessDeniedException", "ExpiredToken",
        "ExpiredTokenException", "IncompleteSignature", "InvalidClientTokenId",
        "InvalidSignatureException", "MissingAuthenticationToken", "RequestExpired",
        "SignatureDoesNotMatch", "UnrecognizedClientException", "OptInRequired"};
    if (is_one_of(code, throttled, N_ELEMS(throttled))) {
        return PIN_PROVIDER_THROTTLED;
    }
    if (is_one_of(code, denied, N_ELEMS(denied))) {
        return PIN_PROVIDER_DENIED;
    }
    return strcmp(code, "NoSuchHostedZone") == 0 ? PIN_PROVIDER_NO_ZONE : PIN_PROVIDER_NONE;
}

/* The same again, later: full jitter below a bound that doubles. */
static void try_again(struct pin_web_call *call)
{
    struct route53_call *self = (struct route53_call *)call;
    uint32_t bound_ms = PIN_MIN(BACKOFF_FIRST_MS << self->n_tries, BACKOFF_MAX_MS);
    self->n_tries++;
    if (call->is_apply && self->what == PIN_R53_WORK) {
        pin_batch_settle(call->batch, PIN_PROVIDER_RETRY, NULL);
    }
    pin_web_later(call, SLOT_MS + (int64_t)pin_rand_below(bound_ms));
}

/* The batch, or one of its changes, is not to Route 53's liking. */
static void on_refused(struct pin_web_call *call, const char *message)
{
    bool is_other =
        strstr(message, "already exists") != NULL || strstr(message, "was not found") != NULL
        || strstr(message, "not found") != NULL || strstr(message, "do not match") != NULL;
    pin_batch_settle(call->batch, is_other ? PIN_PROVIDER_CONFLICT : PIN_PROVIDER_REFUSED, message);
    next(call);
}

static void on_error(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct route53_call *self = (struct route53_call *)call;
    struct route53 *provider = provider_of(call);
    char code[PIN_ROUTE53_CODE_MAX] = "";
    char message[PIN_PROVIDER_MESSAGE_MAX] = "";
    struct pin_web_reply worded = *reply;
    if (reply->status >= 400) {
        pin_route53_read_error(reply->text, reply->bytes, code, message);
        enum pin_provider_fault fault = fault_of_code(code);
        worded.fault = fault != PIN_PROVIDER_NONE ? fault : reply->fault;
        worded.message = message[0] != '\0' ? message : reply->message;
    }
    bool is_expired = strncmp(code, "ExpiredToken", strlen("ExpiredToken")) == 0;
    if (worded.fault == PIN_PROVIDER_THROTTLED && self->n_tries < TRIES_MAX) {
        try_again(call);
    } else if (is_expired && !self->has_renewed) {
        self->has_renewed = true;
        pin_aws_credentials_done(&provider->keys);
        try_again(call);
    } else if (call->is_apply && self->what == PIN_R53_WORK && reply->status == 400
               && worded.fault == PIN_PROVIDER_FAILED) {
        on_refused(call, worded.message);
    } else {
        if (worded.fault == PIN_PROVIDER_NO_ZONE) {
            forget(provider, call->zone);
        }
        pin_web_end_reply(call, &worded);
    }
}

static void on_reply(struct pin_web_call *call, const struct pin_web_reply *reply)
{
    struct route53_call *self = (struct route53_call *)call;
    if (self->what == PIN_R53_KEYS) {
        on_keys(call, reply);
        return;
    }
    if (reply->fault != PIN_PROVIDER_NONE) {
        on_error(call, reply);
        return;
    }
    self->n_tries = 0;
    if (self->what == PIN_R53_ZONE) {
        on_zone(call, reply);
    } else if (call->is_apply) {
        pin_batch_settle(call->batch, PIN_PROVIDER_APPLIED, NULL);
        next(call);
    } else {
        on_page(call, reply);
    }
}

/* --- Beginnings and ends -------------------------------------------------------------------- */

static enum pin_err apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    struct pin_batch_limits limits = {
        .n_changes = BATCH_CHANGES / 2, .weight = PIN_ROUTE53_BATCH_WEIGHT};
    return pin_web_apply(provider, request, &limits, pin_route53_weight, ret_call);
}

static void done(struct pin_web_call *call)
{
    struct route53_call *self = (struct route53_call *)call;
    pin_aws_fetch_reset(&self->fetch);
    pin_target_free(self->target);
    pin_route53_next_done(&self->next_page);
    pin_arena_free(self->scratch);
}

static void close_route53(struct pin_provider *provider)
{
    struct route53 *self = (struct route53 *)provider;
    struct known *following = NULL;
    for (struct known *at = self->known; at != NULL; at = following) {
        following = at->next;
        free(at->zone);
        free(at);
    }
    pin_aws_credentials_done(&self->keys);
    free(self->host);
    free(self->region);
    free(self->access_key_file);
    free(self->secret_key_file);
}

static const struct pin_provider_ops ops = {.kind = "route53",
    .list = pin_web_list,
    .apply = apply,
    .adjust = pin_web_adjust,
    .close = pin_web_close};

static const struct pin_web_kind kind = {.provider_bytes = sizeof(struct route53),
    .call_bytes = sizeof(struct route53_call),
    .answer_bytes_max = ANSWER_BYTES_MAX,
    .next = next,
    .on_reply = on_reply,
    .done = done,
    .close = close_route53};

static const struct pin_provider_limits limits_of_all = {
    .types = (const char *const[]){"A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS",
        "PTR", "SPF", "SRV", "SSHFP", "SVCB", "TLSA", "TXT"},
    .n_types = 16,
    .default_ttl_s = PIN_ROUTE53_TTL_S,
    .has_set_ids = true};

/* A copy; NULL stays NULL. False: memory is out. */
static bool copy(char **ret_text, const char *text)
{
    *ret_text = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret_text != NULL;
}

/* The host of a URL, without the port that its scheme has anyway. */
static char *host_of(const char *url)
{
    bool is_tls = strncmp(url, "https://", 8) == 0;
    const char *host = strstr(url, "://") + 3;
    const char *usual = is_tls ? ":443" : ":80";
    size_t bytes = strcspn(host, "/");
    size_t usual_bytes = strlen(usual);
    if (bytes > usual_bytes && memcmp(host + bytes - usual_bytes, usual, usual_bytes) == 0) {
        bytes -= usual_bytes;
    }
    return strndup(host, bytes);
}

static enum pin_err set_up(
    struct route53 *self, const struct pin_route53_settings *settings, struct pin_why *why)
{
    const char *endpoint =
        settings->endpoint == NULL ? "https://route53.amazonaws.com" : settings->endpoint;
    const char *region = getenv("AWS_REGION"); /* NOLINT(concurrency-mt-unsafe): nobody sets any */
    region = settings->region != NULL              ? settings->region
             : region != NULL && region[0] != '\0' ? region
                                                   : "us-east-1";
    enum pin_err err = pin_web_target(endpoint, settings->ca_file, &self->web.target, why);
    if (err != PIN_OK) {
        return err;
    }
    self->is_private = settings->is_private;
    self->host = host_of(self->web.target->server);
    bool is_ok = self->host != NULL && copy(&self->region, region)
                 && copy(&self->access_key_file, settings->access_key_file)
                 && copy(&self->secret_key_file, settings->secret_key_file);
    for (size_t i = 0; i < settings->n_zones && is_ok; i++) {
        is_ok = know(self, settings->zones[i].zone, settings->zones[i].id, true);
    }
    return is_ok ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "a provider");
}

enum pin_err pin_route53_open(const struct pin_provider_tools *tools,
    const struct pin_route53_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why)
{
    if ((settings->access_key_file == NULL) != (settings->secret_key_file == NULL)) {
        return pin_why_set(why, PIN_EINVAL, "accessKeyFile and secretKeyFile go together");
    }
    for (size_t i = 0; i < settings->n_zones; i++) {
        size_t len = strlen(settings->zones[i].id);
        if (len == 0 || len >= PIN_ROUTE53_ID_MAX
            || strspn(settings->zones[i].id, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != len) {
            return pin_why_set(
                why, PIN_EINVAL, "'%.100s' is no id of a zone", settings->zones[i].id);
        }
    }
    struct route53 *self = (struct route53 *)pin_web_new(&kind, &ops, &limits_of_all, tools);
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a provider");
    }
    return pin_web_hand_out(&self->web, set_up(self, settings, why), ret_provider);
}
