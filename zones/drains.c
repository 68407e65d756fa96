/* SPDX-License-Identifier: Apache-2.0 */

/* What is drained: kept in a list, asked by merge.c and steer.c, ended by its time. */

#include "zones/drains.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pintle/base/compare.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/slice.h"

#include "zones/claims_catalog.h"
#include "zones/drains_nearby.h"

/* Longest name of anything that can be drained. */
#define NAME_MAX_BYTES 599

static const char *const whats[PIN_DRAIN_WHAT_MAX] = {[PIN_DRAIN_CLUSTER] = "cluster",
    [PIN_DRAIN_ZONE] = "zone",
    [PIN_DRAIN_SERVICE] = "service",
    [PIN_DRAIN_ENDPOINT] = "endpoint"};

const char *pin_drain_what_text(enum pin_drain_what what)
{
    return whats[what];
}

bool pin_drain_what_parse(const char *text, enum pin_drain_what *ret_what)
{
    for (size_t i = 0; i < N_ELEMS(whats); i++) {
        if (strcmp(whats[i], text) == 0) {
            *ret_what = (enum pin_drain_what)i;
            return true;
        }
    }
    return false;
}

/* --- who is drained -------------------------------------------------------------------------- */

static bool is_cluster(const struct pin_drain *drain, uint16_t cluster_id)
{
    return drain->cluster_id == PIN_CLUSTER_NONE || drain->cluster_id == cluster_id;
}

static bool has_endpoint(
    const struct pin_drain *drain, uint16_t cluster_id, const struct pin_object *slice, size_t row)
{
    const struct pin_slice_body *body = &slice->as.slice;
    char pod[PIN_POD_NAME_MAX];
    if (!is_cluster(drain, cluster_id)) {
        return false;
    }
    if (drain->what == PIN_DRAIN_ZONE) {
        const char *zone = pin_slice_zone(body, row);
        return zone != NULL && strcmp(zone, drain->object) == 0;
    }
    if (drain->what != PIN_DRAIN_ENDPOINT) {
        return false;
    }
    if (drain->ip.family != 0) {
        struct pin_ip ip = pin_slice_ip(body, row);
        return pin_ip_equal(&drain->ip, &ip);
    }
    return pin_slice_pod(body, row, pod) && strcmp(pod, drain->object) == 0
           && strcmp(slice->namespace_name, drain->namespace_name) == 0;
}

const struct pin_drain *pin_drains_cluster(const struct pin_drains *drains, uint16_t cluster_id)
{
    for (size_t i = 0; i < drains->n; i++) {
        if (drains->items[i].what == PIN_DRAIN_CLUSTER
            && drains->items[i].cluster_id == cluster_id) {
            return &drains->items[i];
        }
    }
    return NULL;
}

const struct pin_drain *pin_drains_member(
    const struct pin_drains *drains, const struct pin_service_unit *unit, uint16_t cluster_id)
{
    for (size_t i = 0; i < drains->n; i++) {
        const struct pin_drain *drain = &drains->items[i];
        if (drain->what == PIN_DRAIN_SERVICE && is_cluster(drain, cluster_id)
            && strcmp(drain->object, unit->name) == 0
            && strcmp(drain->namespace_name, unit->namespace_name) == 0) {
            return drain;
        }
    }
    return pin_drains_cluster(drains, cluster_id);
}

const struct pin_drain *pin_drains_endpoint(const struct pin_drains *drains, uint16_t cluster_id,
    const struct pin_object *slice, size_t row)
{
    for (size_t i = 0; i < drains->n && drains->n_by_endpoint > 0; i++) {
        if (has_endpoint(&drains->items[i], cluster_id, slice, row)) {
            return &drains->items[i];
        }
    }
    return NULL;
}

/* --- what a drain changes -------------------------------------------------------------------- */

static bool is_in_slices(const struct pin_drain *drain, const struct pin_member *member)
{
    for (size_t s = 0; s < member->n_slices; s++) {
        const struct pin_object *slice = pin_member_slices(member)[s];
        for (size_t e = 0; e < slice->as.slice.n_endpoints; e++) {
            if (has_endpoint(drain, member->cluster_id, slice, e)) {
                return true;
            }
        }
    }
    return false;
}

static bool concerns(const struct pin_drain *drain, const struct pin_service_unit *unit)
{
    if (drain->what == PIN_DRAIN_SERVICE) {
        return strcmp(drain->object, unit->name) == 0
               && strcmp(drain->namespace_name, unit->namespace_name) == 0;
    }
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        if (drain->what == PIN_DRAIN_CLUSTER ? member->cluster_id == drain->cluster_id
                                             : is_in_slices(drain, member)) {
            return true;
        }
    }
    return false;
}

/* Marks what the drain takes out, or gives back. */
static void touch(struct pin_catalog *catalog, const struct pin_drain *drain)
{
    size_t cursor = 0;
    void *value = NULL;
    pin_claimed_mark(catalog);
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        if (concerns(drain, value)) {
            pin_unit_touch_service(catalog, value);
        }
    }
    cursor = 0;
    while (drain->what == PIN_DRAIN_CLUSTER
           && pin_map_next(&catalog->routes, &cursor, NULL, NULL, &value)) {
        struct pin_route_unit *route = value;
        if (route->cluster_id == drain->cluster_id && !route->is_gone) {
            pin_unit_touch_route(catalog, route); /* it may show its Gateways */
        }
    }
}

/* --- the list -------------------------------------------------------------------------------- */

static void drain_done(struct pin_drain *drain)
{
    free(drain->name);
    free(drain->object);
}

void pin_drains_done(struct pin_drains *drains)
{
    for (size_t i = 0; i < drains->n; i++) {
        drain_done(&drains->items[i]);
    }
    free(drains->items);
    *drains = (struct pin_drains){0};
}

static void recount(struct pin_drains *drains)
{
    drains->next_ms = UINT64_MAX;
    drains->n_by_endpoint = 0;
    for (size_t i = 0; i < drains->n; i++) {
        const struct pin_drain *drain = &drains->items[i];
        drains->next_ms = PIN_MIN(drains->next_ms, drain->until_ms);
        drains->n_by_endpoint +=
            drain->what == PIN_DRAIN_ZONE || drain->what == PIN_DRAIN_ENDPOINT ? 1 : 0;
    }
}

/* Takes one out, keeping the order of the others, and marks what it held back. */
static void end_drain(struct pin_catalog *catalog, size_t i)
{
    struct pin_drains *drains = &catalog->drains;
    struct pin_drain ended = drains->items[i];
    memmove(&drains->items[i], &drains->items[i + 1], (drains->n - i - 1) * sizeof(ended));
    drains->n--;
    recount(drains);
    touch(catalog, &ended);
    drain_done(&ended);
}

static bool is_same(const struct pin_drain *a, const struct pin_drain *b)
{
    if (a->what != b->what || a->cluster_id != b->cluster_id) {
        return false;
    }
    return a->ip.family != 0 ? pin_ip_equal(&a->ip, &b->ip)
                             : pin_is_same_text(a->object, b->object)
                                   && pin_is_same_text(a->namespace_name, b->namespace_name);
}

static size_t find(const struct pin_drains *drains, const struct pin_drain *like)
{
    size_t i = 0;
    while (i < drains->n && !is_same(&drains->items[i], like)) {
        i++;
    }
    return i;
}

bool pin_drains_are_due(const struct pin_catalog *catalog, uint64_t now_ms)
{
    return catalog->drains.n > 0 && now_ms >= catalog->drains.next_ms;
}

void pin_drains_settle(struct pin_catalog *catalog, uint64_t now_ms)
{
    struct pin_drains *drains = &catalog->drains;
    while (pin_drains_are_due(catalog, now_ms)) {
        size_t i = 0;
        while (i < drains->n && drains->items[i].until_ms > now_ms) {
            i++;
        }
        if (i == drains->n) {
            return; /* cannot be: next_ms is one of them */
        }
        pin_log_info("drains: %s %s is not drained any more, its time is over",
            pin_drain_what_text(drains->items[i].what), drains->items[i].name);
        end_drain(catalog, i);
    }
}

/* --- orders ---------------------------------------------------------------------------------- */

/* A name cut into its parts, which point into `text`. */
struct parts {
    char text[NAME_MAX_BYTES + 1];
    const char *cluster;        /* NULL: every one */
    const char *namespace_name; /* "" where there is none */
    const char *object;
};

/* Cuts "[CLUSTER/]NAMESPACE/NAME"; false when it has not that form. */
static bool cut_object(struct parts *parts)
{
    char *first = parts->text;
    char *second = strchr(first, '/');
    char *third = second != NULL ? strchr(second + 1, '/') : NULL;
    if (second == NULL) {
        return false;
    }
    *second++ = '\0';
    if (third != NULL) {
        *third++ = '\0';
        parts->cluster = first;
    }
    parts->namespace_name = third != NULL ? second : first;
    parts->object = third != NULL ? third : second;
    return parts->namespace_name[0] != '\0';
}

/* Cuts "[CLUSTER/]REST". */
static bool cut_cluster(struct parts *parts)
{
    char *slash = strchr(parts->text, '/');
    parts->object = parts->text;
    if (slash != NULL) {
        *slash = '\0';
        parts->cluster = parts->text;
        parts->object = slash + 1;
    }
    return true;
}

/* Cuts the name as its kind has it; false when it has not the right form. */
static bool cut_name(const char *name, struct pin_drain *drain, struct parts *parts)
{
    const char *last = strrchr(name, '/');
    bool is_ok = false;
    *parts = (struct parts){.namespace_name = ""};
    if (strlen(name) > NAME_MAX_BYTES) {
        return false;
    }
    memcpy(parts->text, name, strlen(name) + 1);
    if (drain->what == PIN_DRAIN_CLUSTER) {
        parts->cluster = parts->text;
        parts->object = parts->text;
        is_ok = true;
    } else if (drain->what == PIN_DRAIN_ZONE
               || (drain->what == PIN_DRAIN_ENDPOINT
                   && pin_ip_parse(last != NULL ? last + 1 : name, &drain->ip))) {
        is_ok = cut_cluster(parts);
    } else {
        is_ok = cut_object(parts);
    }
    return is_ok && parts->object[0] != '\0' && strchr(parts->object, '/') == NULL;
}

/* Makes the drain own its texts; false when memory is out. */
static bool own_texts(struct pin_drain *drain, const char *name, const struct parts *parts)
{
    size_t object_bytes = strlen(parts->object) + 1;
    size_t namespace_bytes = strlen(parts->namespace_name) + 1;
    drain->name = strdup(name);
    drain->object = malloc(object_bytes + namespace_bytes);
    if (drain->name == NULL || drain->object == NULL) {
        return false;
    }
    memcpy(drain->object, parts->object, object_bytes);
    memcpy(drain->object + object_bytes, parts->namespace_name, namespace_bytes);
    drain->namespace_name = drain->object + object_bytes;
    return true;
}

/* A drain from its name; the caller drain_done()s it, also after an error. */
static enum pin_err make_drain(const struct pin_catalog *catalog, enum pin_drain_what what,
    const char *name, struct pin_drain *ret_drain, struct pin_why *why)
{
    static const char *const forms[PIN_DRAIN_WHAT_MAX] = {[PIN_DRAIN_CLUSTER] = "a cluster's name",
        [PIN_DRAIN_ZONE] = "[CLUSTER/]ZONE",
        [PIN_DRAIN_SERVICE] = "[CLUSTER/]NAMESPACE/NAME",
        [PIN_DRAIN_ENDPOINT] = "[CLUSTER/]ADDRESS or [CLUSTER/]NAMESPACE/POD"};
    struct parts parts;
    *ret_drain = (struct pin_drain){.what = what, .cluster_id = PIN_CLUSTER_NONE};
    if (!cut_name(name, ret_drain, &parts)) {
        return pin_why_set(
            why, PIN_EINVAL, "%s \"%.100s\": want %s", whats[what], name, forms[what]);
    }
    if (parts.cluster != NULL) {
        ret_drain->cluster_id = pin_settings_cluster(catalog->settings, parts.cluster);
        if (ret_drain->cluster_id == PIN_CLUSTER_NONE) {
            return pin_drains_no_cluster(catalog, parts.cluster, why);
        }
    }
    return own_texts(ret_drain, name, &parts) ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "a drain");
}

static bool exists(const struct pin_catalog *catalog, const struct pin_drain *drain)
{
    size_t cursor = 0;
    void *value = NULL;
    if (drain->what == PIN_DRAIN_CLUSTER) {
        return true; /* make_drain() looked */
    }
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        const struct pin_service_unit *unit = value;
        if (!concerns(drain, unit)) {
            continue;
        }
        for (size_t i = 0; i < unit->n_members; i++) {
            if (drain->what != PIN_DRAIN_SERVICE
                || is_cluster(drain, unit->members[i].cluster_id)) {
                return true;
            }
        }
    }
    return false;
}

/* Adds it to the list, which owns it then. */
static enum pin_err add(struct pin_catalog *catalog, struct pin_drain *drain, struct pin_why *why)
{
    struct pin_drains *drains = &catalog->drains;
    if (drains->n == PIN_DRAINS_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "%u things are drained already", PIN_DRAINS_MAX);
    }
    struct pin_drain *grown = realloc(drains->items, (drains->n + 1) * sizeof(*grown));
    if (grown == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a drain");
    }
    drains->items = grown;
    grown[drains->n++] = *drain;
    *drain = (struct pin_drain){0};
    recount(drains);
    touch(catalog, &grown[drains->n - 1]);
    return PIN_OK;
}

enum pin_err pin_catalog_drain(
    struct pin_catalog *catalog, const struct pin_drain_order *order, struct pin_why *why)
{
    struct pin_drain drain = {0};
    enum pin_err err = make_drain(catalog, order->what, order->name, &drain, why);
    size_t at = err == PIN_OK ? find(&catalog->drains, &drain) : 0;
    drain.until_ms = order->until_ms;
    drain.until_wall_ms = order->until_wall_ms;
    if (err == PIN_OK && !order->is_unchecked && !exists(catalog, &drain)) {
        err = pin_drains_not_found(catalog, &drain, why);
    }
    if (err == PIN_OK && at < catalog->drains.n) {
        catalog->drains.items[at].until_ms = order->until_ms;
        catalog->drains.items[at].until_wall_ms = order->until_wall_ms;
        recount(&catalog->drains);
    } else if (err == PIN_OK) {
        err = add(catalog, &drain, why);
    }
    drain_done(&drain);
    return err;
}

/* PIN_ENOTFOUND, and what is drained. */
static enum pin_err not_drained(const struct pin_drains *drains, enum pin_drain_what what,
    const char *name, struct pin_why *why)
{
    char text[300] = "";
    size_t used = 0;
    for (size_t i = 0; i < drains->n && used + 1 < sizeof(text); i++) {
        const struct pin_drain *drain = &drains->items[i];
        int n = snprintf(text + used, sizeof(text) - used, "%s%s %s", used == 0 ? "" : ", ",
            whats[drain->what], drain->name);
        used += n > 0 ? PIN_MIN((size_t)n, sizeof(text) - 1 - used) : 0;
    }
    return pin_why_set(why, PIN_ENOTFOUND, "%s %.100s is not drained; %s%s", whats[what], name,
        drains->n == 0 ? "nothing is" : "drained are: ", text);
}

enum pin_err pin_catalog_undrain(
    struct pin_catalog *catalog, enum pin_drain_what what, const char *name, struct pin_why *why)
{
    struct pin_drain like = {0};
    enum pin_err err = make_drain(catalog, what, name, &like, why);
    size_t at = err == PIN_OK ? find(&catalog->drains, &like) : 0;
    drain_done(&like);
    if (err == PIN_OK && at == catalog->drains.n) {
        err = not_drained(&catalog->drains, what, name, why);
    }
    if (err == PIN_OK) {
        end_drain(catalog, at);
    }
    return err;
}

/* --- for people ------------------------------------------------------------------------------ */

/* "2026-11-21T08:30:00Z" */
static const char *wall_text(int64_t wall_ms, char out[32])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm = {0};
    if (gmtime_r(&seconds, &tm) == NULL || strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0) {
        out[0] = '\0';
    }
    return out;
}

const char *pin_drain_reason(
    struct pin_arena *arena, const struct pin_drain *drain, const char *others)
{
    char until[32];
    char text[1024];
    bool has_end = drain->until_ms != PIN_DRAIN_FOREVER;
    (void)snprintf(text, sizeof(text), "%s%sdrained until %s (%s %s)", others != NULL ? others : "",
        others != NULL ? "; some endpoints " : "",
        has_end ? wall_text(drain->until_wall_ms, until) : "undrained", whats[drain->what],
        drain->name);
    const char *copy = pin_arena_strdup(arena, text);
    return copy != NULL ? copy : "drained";
}

void pin_catalog_drains_json(const struct pin_catalog *catalog, struct pin_jsonout *out)
{
    pin_jsonout_array(out);
    for (size_t i = 0; i < catalog->drains.n; i++) {
        const struct pin_drain *drain = &catalog->drains.items[i];
        bool has_end = drain->until_ms != PIN_DRAIN_FOREVER;
        char until[32];
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "what", whats[drain->what]);
        pin_jsonout_key_string(out, "name", drain->name);
        pin_jsonout_key_string(
            out, "until", has_end ? wall_text(drain->until_wall_ms, until) : NULL);
        pin_jsonout_key(out, "untilUnixMs");
        if (has_end) {
            pin_jsonout_int(out, drain->until_wall_ms);
        } else {
            pin_jsonout_null(out);
        }
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}
