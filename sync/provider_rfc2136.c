/* SPDX-License-Identifier: Apache-2.0 */

/* RFC 2136: one connection per call, a transfer on it, or updates one after the other. */

#include "provider_rfc2136.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/buf.h"
#include "pintle/base/clock.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/secret.h"
#include "pintle/zones/table.h"
#include "pintle/zones/tsig.h"

#include "dnsmsg.h"
#include "dnsstream.h"
#include "dnsupdate.h"
#include "errand.h"
#include "provider_batch.h"
#include "xfr.h"

#define DEFAULT_TTL_S 300u
#define MS_PER_S      1000
/* Changes of one UPDATE, and their bytes: what is bisected stays cheap. */
#define BATCH_CHANGES 100u
#define BATCH_BYTES   32000u
#define CHANGES_BYTES ((size_t)256 << 20)
/* A zone of more records is sorted beside the loop. */
#define RECORDS_AT_ONCE 1000u
/* Refusals in a row, none of them between two that worked: the server refuses everything. It is
 * more than halving 100 changes takes to find the first bad one. */
#define REFUSALS_MAX 16u

struct call;

struct rfc2136 {
    struct pin_provider base;
    struct pin_provider_tools tools;
    struct pin_addrport server;
    struct pin_tsig_key key; /* without its secret; hash and name */
    char *secret_file;       /* NULL: not signed */
    struct call *calls;
};

/* A list or an apply. */
struct call {
    struct pin_provider_call base;
    struct rfc2136 *owner;
    struct call *next;
    char *zone_text;
    struct pin_name zone;
    struct pin_timer *timer; /* begins, then ends it */
    bool has_begun;
    struct pin_dnsstream *stream;
    struct pin_tsig_key key;
    struct pin_secret secret;
    struct pin_tsig tsig;
    uint16_t id; /* of the message under way */
    /* list */
    struct pin_provider_list_request list; /* done is NULL for an apply */
    struct pin_xfr *xfr;
    bool is_whole; /* AXFR, whatever is known */
    struct pin_errand *errand;
    /* apply */
    struct pin_provider_apply_request apply;
    struct pin_arena *arena;
    struct pin_dnsupdate *updates; /* of the changes that could be encoded */
    size_t *change_of;             /* which change each of them is */
    size_t n_updates;
    struct pin_provider_result *results; /* one per change */
    struct pin_batch *batch;
    unsigned n_refusals; /* in a row */
    bool is_waiting;     /* for the answer to an update */
    bool has_answered;   /* on this connection */
    enum pin_provider_fault fault;
    char message[PIN_PROVIDER_MESSAGE_MAX];
};

/* --- calls ---------------------------------------------------------------------------------- */

static void unlink_call(struct call *call)
{
    for (struct call **at = &call->owner->calls; *at != NULL; at = &(*at)->next) {
        if (*at == call) {
            *at = call->next;
            return;
        }
    }
}

static void free_call(struct call *call)
{
    pin_errand_cancel(call->errand); /* waits, where the zone is being sorted */
    pin_timer_free(call->timer);
    pin_dnsstream_close(call->stream);
    pin_secret_done(&call->secret);
    pin_xfr_free(call->xfr);
    pin_batch_free(call->batch);
    pin_arena_free(call->arena);
    free(call->zone_text);
    free(call);
}

static void cancel(struct pin_provider_call *base)
{
    struct call *call = container_of(base, struct call, base);
    unlink_call(call);
    free_call(call);
}

static void close_provider(struct pin_provider *base)
{
    struct rfc2136 *self = container_of(base, struct rfc2136, base);
    for (struct call *call = self->calls; call != NULL;) {
        struct call *next = call->next;
        free_call(call);
        call = next;
    }
    free(self->secret_file);
    free(self);
}

/* No callback of the call comes after this one. */
static void detach(struct call *call)
{
    unlink_call(call);
    pin_timer_stop(call->timer);
    pin_dnsstream_close(call->stream);
    call->stream = NULL;
}

static void finish_list(struct call *call)
{
    struct pin_provider_listing listing = {
        .fault = call->fault, .message = call->message, .retry_after_ms = -1, .version = ""};
    if (call->xfr != NULL) {
        pin_xfr_listing(call->xfr, &listing);
    }
    detach(call);
    call->list.done(call->list.arg, &listing);
    free_call(call);
}

static void finish_apply(struct call *call)
{
    const struct pin_provider_result *results =
        call->batch == NULL ? NULL : pin_batch_results(call->batch);
    for (size_t i = 0; results != NULL && i < call->n_updates; i++) {
        call->results[call->change_of[i]] = results[i];
    }
    const struct pin_provider_outcome outcome = {.results = call->results,
        .n_results = call->apply.n_changes,
        .fault = call->fault,
        .message = call->message,
        .retry_after_ms = -1};
    detach(call);
    call->apply.done(call->apply.arg, &outcome);
    free_call(call);
}

/* Ends the call as a whole; what an update under way has done nobody knows. */
PIN_PRINTF(3, 4)
static void fail(struct call *call, enum pin_provider_fault fault, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(call->message, sizeof(call->message), fmt, args);
    va_end(args);
    call->fault = fault;
    if (call->list.done != NULL) {
        if (call->xfr != NULL) {
            pin_xfr_cut(call->xfr, fault, call->message);
        }
        finish_list(call);
        return;
    }
    if (call->batch != NULL) {
        pin_batch_stop(call->batch, call->is_waiting ? PIN_PROVIDER_UNKNOWN : PIN_PROVIDER_RETRY,
            call->message);
    }
    finish_apply(call);
}

/* --- the connection ------------------------------------------------------------------------- */

static void on_message(void *arg, const uint8_t *wire, size_t bytes);
static void on_end(void *arg, const char *message);

static uint64_t now_s(void)
{
    return (uint64_t)pin_clock_wall_ms() / MS_PER_S;
}

/* Signs and sends. False: the call is over. */
static bool send_message(struct call *call, uint8_t *wire, size_t bytes, size_t cap_bytes)
{
    if (call->key.secret != NULL) {
        pin_tsig_begin(&call->tsig, &call->key);
        bytes = pin_tsig_sign(&call->tsig, PIN_TSIG_FIRST, wire, bytes, cap_bytes, now_s());
    }
    if (call->stream == NULL) {
        const struct pin_dnsstream_spec spec = {.loop = call->owner->tools.loop,
            .server = call->owner->server,
            .on_message = on_message,
            .on_end = on_end,
            .arg = call};
        call->stream = pin_dnsstream_open(&spec);
        call->has_answered = false;
    }
    if (bytes == 0 || call->stream == NULL || !pin_dnsstream_send(call->stream, wire, bytes)) {
        fail(call, PIN_PROVIDER_MEMORY, "no memory or descriptor for a message");
        return false;
    }
    return true;
}

/* --- listing -------------------------------------------------------------------------------- */

static bool read_serial(const char *version, uint32_t *ret_serial)
{
    char *end = NULL;
    if (version == NULL || version[0] < '0' || version[0] > '9') {
        return false;
    }
    unsigned long serial = strtoul(version, &end, 10);
    *ret_serial = (uint32_t)serial;
    return *end == '\0' && serial <= UINT32_MAX;
}

/* Asks for the zone, or for what differs. */
static void ask(struct call *call)
{
    uint8_t wire[PIN_DNSMSG_HEADER_BYTES + 4 * PIN_NAME_MAX_BYTES + PIN_HASH_MAX_BYTES + 128];
    struct pin_buf buf = pin_buf_init(wire, sizeof(wire));
    struct pin_xfr_spec spec = {.zone = call->zone_text,
        .id = (uint16_t)pin_rand_u64(),
        .known = call->list.known,
        .n_known = call->list.n_known};
    spec.is_incremental = !call->is_whole && read_serial(call->list.version, &spec.serial);
    pin_buf_put_u16(&buf, spec.id);
    pin_buf_put_u16(&buf, 0);
    pin_buf_put_u16(&buf, 1);
    pin_buf_put_u16(&buf, 0);
    pin_buf_put_u16(&buf, spec.is_incremental ? 1 : 0);
    pin_buf_put_u16(&buf, 0);
    pin_buf_put_bytes(&buf, call->zone.wire, call->zone.bytes);
    pin_buf_put_u16(&buf, spec.is_incremental ? PIN_DNSMSG_IXFR : PIN_DNSMSG_AXFR);
    pin_buf_put_u16(&buf, PIN_CLASS_IN);
    if (spec.is_incremental) { /* RFC 1995, section 3: the SOA that we have; its serial counts */
        static const uint8_t rest[16] = {0};
        pin_buf_put_u16(&buf, PIN_OWNER_POINTER);
        pin_buf_put_u16(&buf, PIN_TYPE_SOA);
        pin_buf_put_u16(&buf, PIN_CLASS_IN);
        pin_buf_put_u32(&buf, 0);
        pin_buf_put_u16(&buf, 2 + 4 + sizeof(rest));
        pin_buf_put_u16(&buf, 0); /* two root names */
        pin_buf_put_u32(&buf, spec.serial);
        pin_buf_put_bytes(&buf, rest, sizeof(rest));
    }
    if (!send_message(call, wire, pin_buf_used(&buf), sizeof(wire))) {
        return;
    }
    spec.tsig = call->key.secret == NULL ? NULL : &call->tsig;
    call->xfr = pin_xfr_new(&spec);
    if (call->xfr == NULL) {
        fail(call, PIN_PROVIDER_MEMORY, "no memory for the zone");
    }
}

static void take_state(struct call *call, enum pin_xfr_state state);

static void sort_zone(void *arg)
{
    struct call *call = arg;
    (void)pin_xfr_finish(call->xfr);
}

static void on_sorted(void *arg)
{
    struct call *call = arg;
    call->errand = NULL;
    take_state(call, pin_xfr_state(call->xfr));
}

/* All of the zone is there; the connection is not needed any more. */
static void make_listing(struct call *call)
{
    pin_dnsstream_close(call->stream);
    call->stream = NULL;
    pin_timer_stop(call->timer);
    if (pin_xfr_n_records(call->xfr) <= RECORDS_AT_ONCE) {
        take_state(call, pin_xfr_finish(call->xfr));
        return;
    }
    call->errand = pin_errand_start(call->owner->tools.loop, sort_zone, on_sorted, call);
    if (call->errand == NULL) {
        fail(call, PIN_PROVIDER_MEMORY, "no memory or thread to sort the zone");
    }
}

static void take_state(struct call *call, enum pin_xfr_state state)
{
    switch (state) {
    case PIN_XFR_MORE:
        break;
    case PIN_XFR_WHOLE:
        make_listing(call);
        break;
    case PIN_XFR_AGAIN: /* on another connection: this one may not be at its end */
        call->is_whole = true;
        pin_xfr_free(call->xfr);
        call->xfr = NULL;
        pin_dnsstream_close(call->stream);
        call->stream = NULL;
        pin_timer_start(call->timer, PIN_PROVIDER_CALL_MS, false);
        ask(call);
        break;
    default:
        finish_list(call);
        break;
    }
}

/* --- applying ------------------------------------------------------------------------------- */

/* Encodes all changes; those that cannot be are refused here. False: memory is out. */
static bool encode_changes(struct call *call)
{
    size_t n = call->apply.n_changes;
    size_t *weights = pin_arena_alloc(call->arena, n * sizeof(*weights));
    call->updates = pin_arena_alloc(call->arena, n * sizeof(*call->updates));
    call->change_of = pin_arena_alloc(call->arena, n * sizeof(*call->change_of));
    if (weights == NULL || call->updates == NULL || call->change_of == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        struct pin_why why = {0};
        size_t k = call->n_updates;
        enum pin_err err = pin_dnsupdate_encode(call->arena, &call->zone, &call->apply.changes[i],
            call->owner->base.limits.default_ttl_s, &call->updates[k], &why);
        if (err == PIN_ENOMEM) {
            return false;
        }
        if (err != PIN_OK) {
            call->results[i].verdict = PIN_PROVIDER_REFUSED;
            call->results[i].message = pin_arena_strdup(call->arena, why.text);
            if (call->results[i].message == NULL) {
                return false;
            }
            continue;
        }
        weights[k] = pin_dnsupdate_bytes(&call->updates[k]);
        call->change_of[k] = i;
        call->n_updates++;
    }
    const struct pin_batch_limits limits = {.n_changes = BATCH_CHANGES, .weight = BATCH_BYTES};
    call->batch = pin_batch_new(call->n_updates, weights, &limits);
    return call->batch != NULL;
}

static void send_next(struct call *call)
{
    uint8_t wire[PIN_DNSSTREAM_MESSAGE_MAX];
    size_t first = 0;
    size_t n = 0;
    if (!pin_batch_next(call->batch, &first, &n)) {
        finish_apply(call);
        return;
    }
    call->id = (uint16_t)pin_rand_u64();
    size_t bytes =
        pin_dnsupdate_message(&call->zone, call->id, call->updates + first, n, wire, sizeof(wire));
    if (bytes == 0) { /* cannot be: a change has an upper limit */
        fail(call, PIN_PROVIDER_FAILED, "an update does not fit into a message");
    } else if (send_message(call, wire, bytes, sizeof(wire))) {
        call->is_waiting = true;
    }
}

/* What the server says of an update that it has not done; NONE: halve it. */
static enum pin_provider_fault fault_of(const struct call *call, unsigned rcode)
{
    switch (rcode) {
    case PIN_DNSMSG_NOTIMP:
    case PIN_DNSMSG_NOTAUTH:
        return pin_dnsmsg_fault(rcode, 0);
    default:
        return call->n_refusals >= REFUSALS_MAX ? pin_dnsmsg_fault(rcode, 0) : PIN_PROVIDER_NONE;
    }
}

static bool is_conflict(unsigned rcode)
{
    return rcode == PIN_DNSMSG_NXDOMAIN || rcode == PIN_DNSMSG_YXDOMAIN
           || rcode == PIN_DNSMSG_YXRRSET || rcode == PIN_DNSMSG_NXRRSET;
}

/* The answer was believed: it is known what became of the update. */
static void take_rcode(struct call *call, unsigned rcode)
{
    char text[PIN_PROVIDER_MESSAGE_MAX];
    call->is_waiting = false;
    call->has_answered = true;
    (void)snprintf(text, sizeof(text), "the server says %s", pin_dnsmsg_rcode_text(rcode));
    if (rcode == PIN_DNSMSG_NOERROR) {
        call->n_refusals = 0;
        pin_batch_settle(call->batch, PIN_PROVIDER_APPLIED, NULL);
    } else if (is_conflict(rcode)) {
        call->n_refusals = 0;
        (void)snprintf(text, sizeof(text), "the zone is not as it was listed (%s)",
            pin_dnsmsg_rcode_text(rcode));
        pin_batch_settle(call->batch, PIN_PROVIDER_CONFLICT, text);
    } else {
        call->n_refusals++;
        enum pin_provider_fault fault = fault_of(call, rcode);
        if (fault != PIN_PROVIDER_NONE) {
            fail(call, fault, "%s", text);
            return;
        }
        pin_batch_settle(call->batch, PIN_PROVIDER_REFUSED, text);
    }
    send_next(call);
}

/* False: the answer is not believed, and the call is over. */
static bool check_signature(
    struct call *call, const struct pin_dnsmsg *message, const uint8_t *wire, size_t bytes)
{
    if (call->key.secret == NULL) {
        return true;
    }
    if (message->tsig_at == 0 && message->rcode == PIN_DNSMSG_FORMERR) {
        return true; /* who cannot read a message cannot sign the answer (RFC 8945, section 5.2) */
    }
    if (message->tsig_at == 0) {
        fail(call, PIN_PROVIDER_DENIED, "the answer (%s) is not signed",
            pin_dnsmsg_rcode_text(message->rcode));
        return false;
    }
    switch (pin_tsig_verify_answer(&call->tsig, wire, bytes, message->tsig_at, now_s())) {
    case PIN_TSIG_GOOD:
        return true;
    case PIN_TSIG_BAD:
        fail(call, PIN_PROVIDER_DENIED, "%s", pin_dnsmsg_tsig_text(call->tsig.error));
        return false;
    case PIN_TSIG_FORMERR:
        fail(call, PIN_PROVIDER_DENIED, "the answer's signature is malformed");
        return false;
    default:
        fail(call, PIN_PROVIDER_MEMORY, "no memory for a signature");
        return false;
    }
}

static void take_answer(struct call *call, const uint8_t *wire, size_t bytes)
{
    struct pin_dnsmsg message;
    if (!pin_dnsmsg_read(wire, bytes, &message)) {
        fail(call, PIN_PROVIDER_MALFORMED, "a malformed message");
        return;
    }
    bool has_zone = message.counts[0] > 0; /* it may be left out (RFC 2136, section 3.8) */
    bool is_ours = !has_zone
                   || (message.type == PIN_TYPE_SOA && message.name.bytes == call->zone.bytes
                       && memcmp(message.name.wire, call->zone.wire, call->zone.bytes) == 0);
    if (!call->is_waiting || !message.is_answer || message.opcode != PIN_DNSMSG_UPDATE
        || message.id != call->id || !is_ours || message.is_truncated) {
        fail(call, PIN_PROVIDER_MALFORMED, "an answer to another question");
        return;
    }
    if (check_signature(call, &message, wire, bytes)) {
        take_rcode(call, message.rcode);
    }
}

/* --- events --------------------------------------------------------------------------------- */

static void on_message(void *arg, const uint8_t *wire, size_t bytes)
{
    struct call *call = arg;
    if (call->list.done != NULL) {
        take_state(call, pin_xfr_take(call->xfr, wire, bytes, now_s()));
    } else {
        take_answer(call, wire, bytes);
    }
}

static void on_end(void *arg, const char *message)
{
    struct call *call = arg;
    char server[PIN_ADDRPORT_TEXT_MAX];
    if (call->list.done == NULL && !pin_dnsstream_has_begun(call->stream)) {
        call->is_waiting = false; /* nothing of it ever left */
        if (call->has_answered) { /* a server may take one update a connection */
            pin_dnsstream_close(call->stream);
            call->stream = NULL;
            send_next(call);
            return;
        }
    }
    fail(call, PIN_PROVIDER_UNREACHABLE, "%s: %s",
        pin_addrport_format(&call->owner->server, server), message);
}

static bool read_key(struct call *call)
{
    struct rfc2136 *owner = call->owner;
    struct pin_why why = {0};
    if (owner->secret_file == NULL) {
        return true;
    }
    if (pin_secret_read_base64(owner->secret_file, &call->secret, &why) != PIN_OK) {
        fail(call, PIN_PROVIDER_DENIED, "%s", why.text);
        return false;
    }
    call->key = owner->key;
    call->key.secret = call->secret.data;
    call->key.secret_bytes = call->secret.bytes;
    return true;
}

static void begin(struct call *call)
{
    call->has_begun = true;
    pin_timer_start(call->timer, PIN_PROVIDER_CALL_MS, false);
    if (!read_key(call)) {
        return;
    }
    if (call->list.done != NULL) {
        ask(call);
    } else if (!encode_changes(call)) {
        fail(call, PIN_PROVIDER_MEMORY, "no memory for the changes");
    } else {
        send_next(call);
    }
}

static void on_timer(void *arg)
{
    struct call *call = arg;
    if (!call->has_begun) {
        begin(call);
        return;
    }
    fail(call, PIN_PROVIDER_UNREACHABLE, "it took more than %d s", PIN_PROVIDER_CALL_MS / MS_PER_S);
}

/* --- the interface -------------------------------------------------------------------------- */

static struct call *new_call(struct rfc2136 *self, const char *zone)
{
    struct call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return NULL;
    }
    call->base.cancel = cancel;
    call->owner = self;
    call->zone_text = strdup(zone);
    call->timer = pin_timer_new(self->tools.loop, on_timer, call);
    if (call->zone_text == NULL || call->timer == NULL
        || pin_name_parse(zone, &call->zone) != PIN_OK) {
        free_call(call);
        return NULL;
    }
    call->next = self->calls;
    self->calls = call;
    pin_timer_start(call->timer, 0, false);
    return call;
}

static enum pin_err list(struct pin_provider *base, const struct pin_provider_list_request *request,
    struct pin_provider_call **ret_call)
{
    struct call *call = new_call(container_of(base, struct rfc2136, base), request->zone);
    if (call == NULL) {
        return PIN_ENOMEM;
    }
    call->list = *request;
    *ret_call = &call->base;
    return PIN_OK;
}

static enum pin_err apply(struct pin_provider *base,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    struct call *call = new_call(container_of(base, struct rfc2136, base), request->zone);
    if (call == NULL) {
        return PIN_ENOMEM;
    }
    call->apply = *request;
    call->arena = pin_arena_new("updates", CHANGES_BYTES);
    call->results = call->arena == NULL
                        ? NULL
                        : pin_arena_alloc(call->arena, request->n_changes * sizeof(*call->results));
    if (call->results == NULL) {
        cancel(&call->base);
        return PIN_ENOMEM;
    }
    for (size_t i = 0; i < request->n_changes; i++) {
        call->results[i].message = "";
    }
    *ret_call = &call->base;
    return PIN_OK;
}

static const struct pin_provider_ops ops = {
    .kind = "rfc2136", .list = list, .apply = apply, .close = close_provider};

enum pin_err pin_rfc2136_open(const struct pin_provider_tools *tools,
    const struct pin_rfc2136_settings *settings, struct pin_provider **ret_provider,
    struct pin_why *why)
{
    struct pin_name name = {0};
    if (settings->server.ip.family == 0 || settings->server.port == 0) {
        return pin_why_set(why, PIN_EINVAL, "no server");
    }
    if ((settings->key_name == NULL) != (settings->secret_file == NULL)) {
        return pin_why_set(why, PIN_EINVAL, "a TSIG key needs a name and a file with its secret");
    }
    if (settings->key_name != NULL && pin_name_parse(settings->key_name, &name) != PIN_OK) {
        return pin_why_set(
            why, PIN_EINVAL, "'%.200s' is no name of a TSIG key", settings->key_name);
    }
    struct rfc2136 *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a provider");
    }
    self->base.ops = &ops;
    pin_provider_limit_to_dns(&self->base.limits);
    self->base.limits.default_ttl_s =
        settings->default_ttl_s == 0 ? DEFAULT_TTL_S : settings->default_ttl_s;
    self->tools = *tools;
    self->server = settings->server;
    self->key = (struct pin_tsig_key){.name = name, .hash = settings->hash};
    self->secret_file = settings->secret_file == NULL ? NULL : strdup(settings->secret_file);
    if (settings->secret_file != NULL && self->secret_file == NULL) {
        free(self);
        return pin_why_set(why, PIN_ENOMEM, "no memory for a provider");
    }
    *ret_provider = &self->base;
    return PIN_OK;
}
