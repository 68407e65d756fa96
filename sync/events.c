/* SPDX-License-Identifier: Apache-2.0 */

/* Events: which are told, how often, and what the requests are. */

#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/crypto.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "http.h"

#define BURST           25
#define ONE_MS          10000
#define TOLD_MAX        4096
#define NAME_BYTES      300
#define KEY_BYTES       ((size_t)600)
#define NAME_MAX_OBJ    230 /* of the object, in an Event's name of 253 */
#define NAME_HASH_BYTES 8
#define REPORTER        "pintle.dev/pintled"
#define IDENTITY_MAX    128

/* One that was told. */
struct told {
    int64_t at_ms;
    uint32_t n; /* times; 0: the API server has forgotten it */
};

/* --- names ------------------------------------------------------------------------------------ */

/* The same for the same words about the same object, whoever says them. */
static void event_name(const struct pin_write *write, char ret_name[NAME_BYTES])
{
    uint8_t said[PIN_SHA256_BYTES];
    uint8_t whom[PIN_SHA256_BYTES];
    char hex[2 * NAME_HASH_BYTES + 1];
    const char *uid = write->uid != NULL ? write->uid : "";
    pin_sha256(write->body, write->body_bytes, said);
    pin_sha256(uid, strlen(uid), whom);
    for (size_t i = 0; i < NAME_HASH_BYTES; i++) {
        said[i] ^= whom[i];
    }
    pin_hex_encode(said, NAME_HASH_BYTES, hex);
    (void)snprintf(ret_name, NAME_BYTES, "%.*s.%s", NAME_MAX_OBJ, write->name, hex);
}

static size_t told_key(const struct pin_write *write, char ret_key[KEY_BYTES])
{
    char name[NAME_BYTES];
    event_name(write, name);
    int n = snprintf(ret_key, KEY_BYTES, "%s/%s", write->namespace_name, name);
    return n > 0 ? PIN_MIN((size_t)n, KEY_BYTES - 1) : 0;
}

static struct told *find_told(const struct pin_events *events, const struct pin_write *write)
{
    char key[KEY_BYTES];
    size_t bytes = told_key(write, key);
    return pin_map_find(&events->told, key, bytes);
}

/* --- whose turn it is ------------------------------------------------------------------------- */

/* Forgets the oldest one when there are too many. */
static void make_room(struct pin_events *events)
{
    const char *key = NULL;
    size_t bytes = 0;
    size_t cursor = 0;
    if (pin_map_count(&events->told) >= TOLD_MAX
        && pin_map_next(&events->told, &cursor, &key, &bytes, NULL)) {
        free(pin_map_remove(&events->told, key, bytes));
    }
}

static struct told *make_told(struct pin_events *events, const struct pin_write *write)
{
    char key[KEY_BYTES];
    size_t bytes = told_key(write, key);
    struct told *told = calloc(1, sizeof(*told));
    make_room(events);
    if (told == NULL || !pin_map_put(&events->told, key, bytes, told, NULL)) {
        free(told);
        return NULL;
    }
    return told;
}

/* Takes one out of the bucket, if there is one. */
static bool spend(struct pin_events *events, int64_t now_ms)
{
    int64_t back_ms = now_ms - events->filled_ms;
    events->spent_ms = PIN_MAX(events->spent_ms - back_ms, (int64_t)0);
    events->filled_ms = now_ms;
    if (events->spent_ms + ONE_MS > (int64_t)BURST * ONE_MS) {
        return false;
    }
    events->spent_ms += ONE_MS;
    return true;
}

enum pin_events_turn pin_events_take(
    struct pin_events *events, const struct pin_write *write, int64_t now_ms)
{
    struct told *told = find_told(events, write);
    if (told != NULL && now_ms - told->at_ms < PIN_EVENTS_AGAIN_MS) {
        return PIN_EVENTS_TOLD;
    }
    if (!spend(events, now_ms)) {
        return PIN_EVENTS_WAIT;
    }
    told = told != NULL ? told : make_told(events, write);
    if (told != NULL) {
        told->at_ms = now_ms;
    }
    return PIN_EVENTS_NOW;
}

bool pin_events_repeats(const struct pin_events *events, const struct pin_write *write)
{
    const struct told *told = find_told(events, write);
    return told != NULL && told->n > 0;
}

/* --- requests --------------------------------------------------------------------------------- */

void pin_events_put_path(
    const struct pin_events *events, const struct pin_write *write, struct pin_text *out)
{
    char name[NAME_BYTES];
    event_name(write, name);
    pin_text_putf(out, "/apis/events.k8s.io/v1/namespaces/%s/events", write->namespace_name);
    if (pin_events_repeats(events, write)) {
        pin_text_putf(out, "/%s", name);
    }
    pin_text_putf(out, "?fieldManager=%s", write->manager);
}

static void put_series(const struct told *told, int64_t wall_ms, struct pin_text *out)
{
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "series");
    pin_jsonout_object(&json);
    pin_jsonout_key_uint(&json, "count", (uint64_t)told->n + 1);
    pin_jsonout_key_micro_time(&json, "lastObservedTime", wall_ms);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
}

/* The object's own members, which the rest of the body follows. */
static void put_head(
    const struct pin_write *write, const struct pin_events_teller *teller, struct pin_text *out)
{
    char name[NAME_BYTES];
    char instance[IDENTITY_MAX];
    struct pin_jsonout json = pin_jsonout_init(out);
    event_name(write, name);
    (void)snprintf(instance, sizeof(instance), "%s", teller->identity);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "apiVersion", "events.k8s.io/v1");
    pin_jsonout_key_string(&json, "kind", "Event");
    pin_jsonout_key(&json, "metadata");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "name", name);
    pin_jsonout_key_string(&json, "namespace", write->namespace_name);
    pin_jsonout_end(&json);
    pin_jsonout_key_micro_time(&json, "eventTime", teller->wall_ms);
    pin_jsonout_key_string(&json, "reportingController", REPORTER);
    pin_jsonout_key_string(&json, "reportingInstance", instance);
    pin_jsonout_key(&json, "regarding");
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "apiVersion", teller->api_version);
    pin_jsonout_key_string(&json, "kind", pin_kind_text(write->kind));
    pin_jsonout_key_string(&json, "namespace", write->namespace_name);
    pin_jsonout_key_string(&json, "name", write->name);
    pin_jsonout_key_string(&json, "uid", write->uid != NULL ? write->uid : "");
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
}

void pin_events_put_body(const struct pin_events *events, const struct pin_write *write,
    const struct pin_events_teller *teller, struct pin_text *out)
{
    if (pin_events_repeats(events, write)) {
        put_series(find_told(events, write), teller->wall_ms, out);
        return;
    }
    put_head(write, teller, out);
    pin_text_cut(out, out->len > 0 ? out->len - 1 : 0);
    pin_text_puts(out, ",");
    pin_text_putn(out, write->body + 1, write->body_bytes - 1);
}

enum pin_events_end pin_events_end(struct pin_events *events, const struct pin_write *write,
    const struct pin_http_result *result, int64_t now_ms)
{
    struct told *told = find_told(events, write);
    bool repeats = told != NULL && told->n > 0;
    bool is_good = result->status >= 200 && result->status < 300;
    if (repeats && result->status == 404) {
        told->n = 0;
        return PIN_EVENTS_ANEW;
    }
    if (!is_good && (repeats || result->status != 409)) { /* 409: it was told by another life */
        return PIN_EVENTS_FAILED;
    }
    if (told != NULL) {
        told->n++;
        told->at_ms = now_ms;
    }
    return PIN_EVENTS_DONE;
}

void pin_events_done(struct pin_events *events)
{
    pin_map_done(&events->told, free);
    *events = (struct pin_events){0};
}
