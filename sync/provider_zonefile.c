/* SPDX-License-Identifier: Apache-2.0 */

/* Zone files: a thread per call reads, changes and writes; the loop tells what came of it. */

#include "provider_zonefile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/arena.h"
#include "pintle/base/crypto.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"

#include "errand.h"
#include "zonesheet.h"

#define DEFAULT_TTL_S  300u
#define FILE_MAX_BYTES ((size_t)128 << 20)
#define FILE_MODE      0644
#define DIGEST_SHOWN   16u /* hex digits of a version */
#define SERVERS_MAX    13u

struct call;

struct zonefiles {
    struct pin_provider base;
    struct pin_provider_tools tools;
    char *directory;
    struct pin_arena *arena; /* of the texts below */
    const char *servers[SERVERS_MAX];
    size_t n_servers; /* 0: made of the zone */
    const char *hostmaster;
    struct call *calls;
};

/* A list or an apply. Its errand has it until it is done. */
struct call {
    struct pin_provider_call base;
    struct zonefiles *owner;
    struct call *next;
    struct pin_errand *errand;
    struct pin_provider_list_request list; /* done is NULL for an apply */
    struct pin_provider_apply_request apply;
    char *path;
    char *zone;
    struct pin_zonesheet_frame frame;
    const char *server; /* frame.servers, where there is but one of ours */
    struct pin_arena *arena;
    struct pin_zonesheet sheet;
    struct pin_provider_result *results;
    enum pin_provider_fault fault;
    char message[PIN_PROVIDER_MESSAGE_MAX];
    char version[2 * PIN_SHA256_BYTES + 1];
};

/* --- in the thread -------------------------------------------------------------------------- */

static void fail(struct call *call, enum pin_provider_fault fault, const char *message)
{
    call->fault = fault;
    (void)snprintf(call->message, sizeof(call->message), "%.*s", (int)sizeof(call->message) - 1,
        message); /* longer ones are cut */
}

static void make_version(struct call *call, const char *text, size_t bytes)
{
    uint8_t digest[PIN_SHA256_BYTES];
    pin_sha256(text, bytes, digest);
    (void)pin_hex_encode(digest, sizeof(digest), call->version);
    call->version[DIGEST_SHOWN] = '\0';
}

static enum pin_provider_fault fault_of(enum pin_err err)
{
    switch (err) {
    case PIN_EDENIED:
        return PIN_PROVIDER_DENIED;
    case PIN_EPARSE:
        return PIN_PROVIDER_MALFORMED;
    case PIN_ELIMIT:
        return PIN_PROVIDER_TOO_LARGE;
    case PIN_ENOMEM:
        return PIN_PROVIDER_MEMORY;
    case PIN_ENOTFOUND:
        return PIN_PROVIDER_NO_ZONE;
    default:
        return PIN_PROVIDER_FAILED;
    }
}

/* Whether a file can be called so. */
static bool is_file_name(const char *zone)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    return zone[0] != '\0' && zone[0] != '.' && strspn(zone, good) == strlen(zone);
}

/* Reads the file. No file is an empty zone, as long as its directory is there. */
static bool read_sheet(struct call *call)
{
    struct stat st;
    struct pin_why why = {0};
    char *text = NULL;
    size_t bytes = 0;
    if (!is_file_name(call->zone)) {
        fail(call, PIN_PROVIDER_NO_ZONE, "no file can have the name of this zone");
        return false;
    }
    if (stat(call->owner->directory, &st) != 0 || !S_ISDIR(st.st_mode)) {
        (void)pin_why_set(&why, PIN_ENOTFOUND, "%s is no directory", call->owner->directory);
        fail(call, PIN_PROVIDER_UNREACHABLE, why.text);
        return false;
    }
    enum pin_err err = pin_file_read(call->path, FILE_MAX_BYTES, &text, &bytes, &why);
    if (err == PIN_ENOTFOUND) {
        make_version(call, "", 0);
        return true;
    }
    if (err == PIN_OK) {
        make_version(call, text, bytes);
        err = pin_zonesheet_read(call->zone, text, bytes, &call->sheet, &why);
        if (err != PIN_OK) {
            pin_why_wrap(&why, "%s", call->path);
        }
    }
    free(text);
    if (err != PIN_OK) {
        fail(call, fault_of(err), why.text);
    }
    return err == PIN_OK;
}

static bool set_result(
    struct call *call, size_t i, enum pin_provider_verdict verdict, const char *message)
{
    call->results[i].verdict = verdict;
    call->results[i].message = message[0] == '\0' ? "" : pin_arena_strdup(call->arena, message);
    return call->results[i].message != NULL;
}

/* What was to be done and cannot be written, or perhaps was. */
static void set_all(struct call *call, enum pin_provider_verdict from, enum pin_provider_verdict to)
{
    for (size_t i = 0; i < call->apply.n_changes; i++) {
        if (call->results[i].verdict == from) {
            call->results[i] =
                (struct pin_provider_result){.verdict = to, .message = call->message};
        }
    }
}

static bool change_sheet(struct call *call, size_t *ret_n_done)
{
    for (size_t i = 0; i < call->apply.n_changes; i++) {
        struct pin_why why = {0};
        enum pin_provider_verdict verdict = PIN_PROVIDER_RETRY;
        if (!pin_zonesheet_apply(
                &call->sheet, &call->frame, &call->apply.changes[i], &verdict, &why)
            || !set_result(call, i, verdict, why.text)) {
            fail(call, PIN_PROVIDER_MEMORY, "no memory for the changes");
            return false;
        }
        *ret_n_done += verdict == PIN_PROVIDER_APPLIED;
    }
    return true;
}

static void write_sheet(struct call *call)
{
    struct pin_text text = {0};
    struct pin_why why = {0};
    call->sheet.serial = call->sheet.serial == UINT32_MAX ? 1 : call->sheet.serial + 1;
    if (!pin_zonesheet_write(&call->sheet, &call->frame, &text)) {
        fail(call, PIN_PROVIDER_MEMORY, "no memory for the file");
        set_all(call, PIN_PROVIDER_APPLIED, PIN_PROVIDER_RETRY);
    } else if (pin_file_write_atomic(call->path, pin_text_get(&text), text.len, FILE_MODE, &why)
               != PIN_OK) {
        fail(call, PIN_PROVIDER_FAILED, why.text);
        set_all(call, PIN_PROVIDER_APPLIED, PIN_PROVIDER_UNKNOWN);
    }
    pin_text_done(&text);
}

static void apply_changes(struct call *call)
{
    size_t n_done = 0;
    if (!change_sheet(call, &n_done)) {
        set_all(call, PIN_PROVIDER_APPLIED, PIN_PROVIDER_RETRY);
    } else if (n_done > 0) {
        write_sheet(call);
    }
}

static void work(void *arg)
{
    struct call *call = arg;
    if (read_sheet(call) && call->list.done == NULL) {
        apply_changes(call);
    }
}

/* --- on the loop ---------------------------------------------------------------------------- */

/* Waits for the thread where there is one. */
static void free_call(struct call *call)
{
    pin_errand_cancel(call->errand);
    pin_arena_free(call->arena);
    free(call->path);
    free(call->zone);
    free(call);
}

static void unlink_call(struct call *call)
{
    for (struct call **at = &call->owner->calls; *at != NULL; at = &(*at)->next) {
        if (*at == call) {
            *at = call->next;
            return;
        }
    }
}

static void tell_listing(struct call *call)
{
    bool is_same = call->fault == PIN_PROVIDER_NONE && call->list.version != NULL
                   && strcmp(call->list.version, call->version) == 0;
    bool is_whole = call->fault == PIN_PROVIDER_NONE && !is_same;
    const struct pin_provider_listing listing = {.fault = call->fault,
        .message = call->message,
        .retry_after_ms = -1,
        .is_unchanged = is_same,
        .version = call->version,
        .sets = is_whole ? call->sheet.sets : NULL,
        .n_sets = is_whole ? call->sheet.n_sets : 0,
        .arena = is_whole ? call->arena : NULL};
    if (is_whole) {
        call->arena = NULL; /* the receiver's */
    }
    call->list.done(call->list.arg, &listing);
}

static void on_done(void *arg)
{
    struct call *call = arg;
    call->errand = NULL;
    unlink_call(call);
    if (call->list.done != NULL) {
        tell_listing(call);
    } else {
        const struct pin_provider_outcome outcome = {.results = call->results,
            .n_results = call->apply.n_changes,
            .fault = call->fault,
            .message = call->message,
            .retry_after_ms = -1};
        call->apply.done(call->apply.arg, &outcome);
    }
    free_call(call);
}

static void cancel(struct pin_provider_call *base)
{
    struct call *call = container_of(base, struct call, base);
    unlink_call(call);
    free_call(call);
}

static void close_provider(struct pin_provider *base)
{
    struct zonefiles *self = container_of(base, struct zonefiles, base);
    for (struct call *call = self->calls; call != NULL;) {
        struct call *next = call->next;
        free_call(call);
        call = next;
    }
    pin_arena_free(self->arena);
    free(self->directory);
    free(self);
}

/* --- the interface -------------------------------------------------------------------------- */

static bool make_frame(struct call *call)
{
    const struct zonefiles *owner = call->owner;
    struct pin_text text = {0};
    pin_text_putf(&text, "ns.%s", call->zone);
    call->server = pin_arena_strdup(call->arena, pin_text_get(&text));
    pin_text_cut(&text, 0);
    pin_text_putf(&text, "hostmaster.%s", call->zone);
    const char *hostmaster = pin_arena_strdup(call->arena, pin_text_get(&text));
    bool is_ok = !text.failed && call->server != NULL && hostmaster != NULL;
    pin_text_done(&text);
    call->frame = (struct pin_zonesheet_frame){.zone = call->zone,
        .servers = owner->n_servers > 0 ? owner->servers : &call->server,
        .n_servers = owner->n_servers > 0 ? owner->n_servers : 1,
        .hostmaster = owner->hostmaster != NULL ? owner->hostmaster : hostmaster,
        .default_ttl_s = owner->base.limits.default_ttl_s};
    return is_ok;
}

static struct call *new_call(struct zonefiles *self, const char *zone)
{
    struct call *call = calloc(1, sizeof(*call));
    struct pin_text path = {0};
    if (call == NULL) {
        return NULL;
    }
    call->base.cancel = cancel;
    call->owner = self;
    call->zone = strdup(zone);
    call->arena = pin_arena_new("zone file", PIN_PROVIDER_LISTING_MAX_BYTES);
    call->sheet.arena = call->arena;
    pin_text_putf(&path, "%s/%s.zone", self->directory, zone);
    call->path = pin_text_take(&path);
    if (call->zone == NULL || call->arena == NULL || call->path == NULL || !make_frame(call)) {
        free_call(call);
        return NULL;
    }
    return call;
}

static enum pin_err start(struct call *call, struct pin_provider_call **ret_call)
{
    call->errand = pin_errand_start(call->owner->tools.loop, work, on_done, call);
    if (call->errand == NULL) {
        free_call(call);
        return PIN_ENOMEM;
    }
    call->next = call->owner->calls;
    call->owner->calls = call;
    *ret_call = &call->base;
    return PIN_OK;
}

static enum pin_err list(struct pin_provider *base, const struct pin_provider_list_request *request,
    struct pin_provider_call **ret_call)
{
    struct call *call = new_call(container_of(base, struct zonefiles, base), request->zone);
    if (call == NULL) {
        return PIN_ENOMEM;
    }
    call->list = *request;
    return start(call, ret_call);
}

static enum pin_err apply(struct pin_provider *base,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    struct call *call = new_call(container_of(base, struct zonefiles, base), request->zone);
    if (call == NULL) {
        return PIN_ENOMEM;
    }
    call->apply = *request;
    call->results = pin_arena_alloc(call->arena, request->n_changes * sizeof(*call->results));
    if (call->results == NULL) {
        free_call(call);
        return PIN_ENOMEM;
    }
    for (size_t i = 0; i < request->n_changes; i++) {
        call->results[i].message = "";
    }
    return start(call, ret_call);
}

static const struct pin_provider_ops ops = {
    .kind = "zonefile", .list = list, .apply = apply, .close = close_provider};

/* A name of the settings, canonical; NULL stays NULL. */
static enum pin_err keep_name(
    struct zonefiles *self, const char *text, const char **ret_name, struct pin_why *why)
{
    char name[PIN_RECORDSET_NAME_MAX];
    if (text == NULL) {
        return PIN_OK;
    }
    if (pin_recordset_name(text, name, why) != PIN_OK) {
        return PIN_EINVAL;
    }
    *ret_name = pin_arena_strdup(self->arena, name);
    return *ret_name == NULL ? pin_why_set(why, PIN_ENOMEM, "no memory for a provider") : PIN_OK;
}

static enum pin_err keep_settings(
    struct zonefiles *self, const struct pin_provider_zonefile *settings, struct pin_why *why)
{
    self->directory = strdup(settings->directory);
    self->arena = pin_arena_new("zone files", (size_t)1 << 20);
    if (self->directory == NULL || self->arena == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a provider");
    }
    enum pin_err err = keep_name(self, settings->hostmaster, &self->hostmaster, why);
    for (; err == PIN_OK && self->n_servers < settings->n_servers; self->n_servers++) {
        const char **server = &self->servers[self->n_servers];
        err = keep_name(self, settings->servers[self->n_servers], server, why);
    }
    return err;
}

enum pin_err pin_provider_zonefile_open(const struct pin_provider_tools *tools,
    const struct pin_provider_zonefile *settings, struct pin_provider **ret_provider,
    struct pin_why *why)
{
    if (settings->n_servers > SERVERS_MAX) {
        return pin_why_set(why, PIN_EINVAL, "more than %u name servers", SERVERS_MAX);
    }
    struct zonefiles *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a provider");
    }
    self->base.ops = &ops;
    self->tools = *tools;
    pin_provider_limit_to_dns(&self->base.limits);
    self->base.limits.default_ttl_s =
        settings->default_ttl_s == 0 ? DEFAULT_TTL_S : settings->default_ttl_s;
    enum pin_err err = keep_settings(self, settings, why);
    if (err != PIN_OK) {
        close_provider(&self->base);
        return err;
    }
    *ret_provider = &self->base;
    return PIN_OK;
}
