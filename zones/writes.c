/* SPDX-License-Identifier: Apache-2.0 */

/* Which units are to be looked at for what their objects should say, and the sets they come to. */

#include "zones/writes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"

#include "zones/attach.h"

#define KEY_BYTES 1024
/* Units of one batch: bounds what the next change waits for. */
#define BATCH_UNITS 256
/* Objects of one unit that are counted, with none. */
#define WANTED_MAX 4096

/* --- sets ------------------------------------------------------------------------------------ */

bool pin_write_is_on(const struct pin_write_switches *switches)
{
    return switches->annotations || switches->lattice || switches->status || switches->events
           || switches->mcs || switches->cleans;
}

void pin_write_put_parent_key(struct pin_text *out, const char *namespace_name, const char *name,
    const char *section, unsigned port)
{
    pin_text_putf(out, "%s/%s/%s/", namespace_name, name, section);
    if (port != 0) {
        pin_text_putf(out, "%u", port);
    }
}

void pin_write_free(struct pin_write *write)
{
    free(write);
}

void pin_write_sets_free(struct pin_write_set *sets)
{
    while (sets != NULL) {
        struct pin_write_set *set = sets;
        sets = set->next;
        while (set->first != NULL) {
            struct pin_write *write = set->first;
            set->first = write->next;
            pin_write_free(write);
        }
        free(set);
    }
}

/* Copies a text behind the others; NULL stays NULL. */
static const char *put_text(char **at, const char *text, size_t bytes)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = *at;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    *at += bytes + 1;
    return copy;
}

struct pin_write *pin_writes_add(struct pin_write_run *run, enum pin_write_op op,
    uint16_t cluster_id, const struct pin_object *like, const struct pin_text *body)
{
    const char *uid = like->written != NULL ? like->written->uid : NULL;
    size_t body_bytes = body != NULL ? body->len : 0;
    size_t bytes = strlen(like->namespace_name) + strlen(like->name) + body_bytes + 3
                   + (uid != NULL ? strlen(uid) + 1 : 0);
    struct pin_write *write = NULL;
    if (body == NULL || !body->failed) {
        write = malloc(sizeof(*write) + bytes);
    }
    if (write == NULL) {
        run->has_failed = true;
        return NULL;
    }
    char *at = (char *)(write + 1);
    *write = (struct pin_write){.op = op,
        .kind = like->kind,
        .cluster_id = cluster_id,
        .manager = PIN_WRITE_MANAGER,
        .namespace_name = put_text(&at, like->namespace_name, strlen(like->namespace_name)),
        .name = put_text(&at, like->name, strlen(like->name)),
        .uid = put_text(&at, uid, uid != NULL ? strlen(uid) : 0),
        .body = put_text(&at, body != NULL ? pin_text_get(body) : "", body_bytes),
        .body_bytes = body_bytes};
    *run->end = write;
    run->end = &write->next;
    return write;
}

void pin_writes_tell(struct pin_write_run *run, uint16_t cluster_id,
    const struct pin_object *object, const char *reason, const char *note)
{
    struct pin_text body = {0};
    if (!run->catalog->settings->writes.events || object->written == NULL
        || object->written->uid == NULL) {
        return;
    }
    struct pin_jsonout json = pin_jsonout_init(&body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "type", "Warning");
    pin_jsonout_key_string(&json, "reason", reason);
    pin_jsonout_key_string(&json, "action", "Publish");
    pin_jsonout_key_string(&json, "note", note);
    pin_jsonout_end(&json);
    (void)pin_writes_add(run, PIN_WRITE_EVENT, cluster_id, object, &body);
    pin_text_done(&body);
}

void pin_writes_put_key(struct pin_jsonout *json, const struct pin_object *like)
{
    pin_jsonout_key_string(json, "name", like->name);
    if (like->namespace_name[0] != '\0') {
        pin_jsonout_key_string(json, "namespace", like->namespace_name);
    }
    if (like->written != NULL && like->written->uid != NULL) {
        pin_jsonout_key_string(json, "uid", like->written->uid); /* never makes what has gone */
    }
}

bool pin_writes_may(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    return catalog->writes.writable != NULL && catalog->writes.writable[cluster_id]
           && catalog->clusters[cluster_id].is_synced;
}

/* --- what is to be looked at ------------------------------------------------------------------ */

static bool is_on(const struct pin_catalog *catalog)
{
    return catalog->writes.n_writable > 0;
}

static void note(struct pin_catalog *catalog, const char *key)
{
    static char here; /* a map needs something to point at */
    if (!pin_map_put(&catalog->writes.noted, key, strlen(key), &here, NULL)) {
        pin_log_error("writes: out of memory, %s is written with its next change", key);
    }
}

void pin_writes_note_name(struct pin_catalog *catalog, const char *namespace_name, const char *name)
{
    char key[KEY_BYTES];
    if (is_on(catalog)) {
        (void)snprintf(key, sizeof(key), "service %s/%s", namespace_name, name);
        note(catalog, key);
    }
}

/* Whose derived Service the unit holds in some cluster; NULL: nobody's. */
static const char *derived_for(const struct pin_service_unit *unit)
{
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_object *service = unit->members[i].service;
        if (service != NULL && service->written != NULL && service->written->service != NULL) {
            return service->written->service;
        }
    }
    return NULL;
}

void pin_writes_note_service(struct pin_catalog *catalog, const struct pin_service_unit *unit)
{
    if (!is_on(catalog)) {
        return;
    }
    const char *of = derived_for(unit);
    pin_writes_note_name(catalog, unit->namespace_name, of != NULL ? of : unit->name);
}

void pin_writes_note_gone(struct pin_catalog *catalog, const struct pin_object *object)
{
    if (object->written != NULL && object->written->service != NULL) {
        pin_writes_note_name(catalog, object->namespace_name, object->written->service);
    }
}

static void note_named(struct pin_catalog *catalog, const char *what, const char *name)
{
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%s %s", what, name);
    note(catalog, key);
}

void pin_writes_note_route(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    if (is_on(catalog)) {
        note_named(catalog, "route", route->key);
    }
    if (route->has_news && route->object != NULL && pin_kind_is_route(route->object->kind)) {
        route->has_news = false;
        pin_writes_note_parents(catalog, route->cluster_id, route->object);
    }
}

/* "gateway c1/ns/name" */
static void note_gateway(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *namespace_name, const char *name)
{
    char key[KEY_BYTES];
    if (is_on(catalog)) {
        (void)snprintf(key, sizeof(key), "gateway %s/%s/%s",
            catalog->settings->clusters[cluster_id].name, namespace_name, name);
        note(catalog, key);
    }
}

void pin_writes_note_gateway(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *gateway)
{
    note_gateway(catalog, cluster_id, gateway->namespace_name, gateway->name);
}

void pin_writes_note_parents(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *route)
{
    for (size_t i = 0; route != NULL && i < route->as.route.n_parents; i++) {
        const struct pin_parent_ref *ref = &route->as.route.parents[i];
        note_gateway(catalog, cluster_id, ref->namespace_name, ref->name);
    }
}

/* Has those Gateways of the cluster looked at that are `meant`, and their routes. */
static void note_gateways(struct pin_catalog *catalog, uint16_t cluster_id, const void *arg,
    bool (*is_meant)(const struct pin_gateway_body *body, const void *arg))
{
    const char *cluster = catalog->settings->clusters[cluster_id].name;
    size_t bytes = strlen(cluster);
    size_t cursor = 0;
    void *value = NULL;
    while (is_on(catalog) && pin_map_next(&catalog->gateways, &cursor, NULL, NULL, &value)) {
        const struct pin_gateway_unit *unit = value;
        if (unit->object == NULL || strncmp(unit->key, cluster, bytes) != 0
            || unit->key[bytes] != '/' || !is_meant(&unit->object->as.gateway, arg)) {
            continue;
        }
        note_named(catalog, "gateway", unit->key);
        for (size_t i = 0; i < unit->subject.n_routes; i++) {
            note_named(catalog, "route", unit->subject.routes[i]->key);
        }
    }
}

static bool is_of_class(const struct pin_gateway_body *body, const void *arg)
{
    return body->class_name != NULL && strcmp(body->class_name, arg) == 0;
}

void pin_writes_note_class(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway_class, const struct pin_object *old)
{
    char key[KEY_BYTES];
    if (!is_on(catalog)) {
        return;
    }
    (void)snprintf(key, sizeof(key), "class %s/%s", catalog->settings->clusters[cluster_id].name,
        gateway_class->name);
    note(catalog, key);
    if (old == NULL || pin_attach_is_ours(old) != pin_attach_is_ours(gateway_class)) {
        note_gateways(catalog, cluster_id, gateway_class->name, is_of_class);
    }
}

static bool asks_for_labels(const struct pin_gateway_body *body, const void *arg)
{
    (void)arg;
    for (size_t i = 0; i < body->n_listeners; i++) {
        if (body->listeners[i].from == PIN_ROUTES_SELECTOR) {
            return true;
        }
    }
    return false;
}

void pin_writes_note_labels(struct pin_catalog *catalog, uint16_t cluster_id)
{
    note_gateways(catalog, cluster_id, NULL, asks_for_labels);
}

void pin_writes_note_namespace(struct pin_catalog *catalog, const char *namespace_name)
{
    size_t cursor = 0;
    void *value = NULL;
    while (is_on(catalog) && pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        const struct pin_service_unit *unit = value;
        if (strcmp(unit->namespace_name, namespace_name) == 0) {
            pin_writes_note_service(catalog, unit);
        }
    }
}

void pin_writes_note_all(struct pin_catalog *catalog)
{
    size_t cursor = 0;
    void *value = NULL;
    while (is_on(catalog) && pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        pin_writes_note_service(catalog, value);
    }
    cursor = 0;
    while (is_on(catalog) && pin_map_next(&catalog->routes, &cursor, NULL, NULL, &value)) {
        pin_writes_note_route(catalog, value);
    }
    cursor = 0;
    while (is_on(catalog) && pin_map_next(&catalog->gateways, &cursor, NULL, NULL, &value)) {
        note_named(catalog, "gateway", ((const struct pin_gateway_unit *)value)->key);
    }
    for (uint16_t i = 0; is_on(catalog) && i < catalog->settings->n_clusters; i++) {
        const struct pin_map *classes = &catalog->clusters[i].objects[PIN_KIND_GATEWAY_CLASS];
        cursor = 0;
        while (pin_map_next(classes, &cursor, NULL, NULL, &value)) {
            pin_writes_note_class(catalog, i, value, value);
        }
    }
}

void pin_catalog_set_writable(struct pin_catalog *catalog, uint16_t cluster_id, bool is_writable)
{
    struct pin_writes *writes = &catalog->writes;
    if (writes->writable == NULL || writes->writable[cluster_id] == is_writable) {
        return;
    }
    writes->writable[cluster_id] = is_writable;
    writes->n_writable += is_writable ? 1 : SIZE_MAX;
    if (is_writable) {
        pin_writes_note_all(catalog);
    } else if (writes->n_writable == 0) {
        pin_map_done(&writes->noted, NULL);
        pin_map_done(&writes->told, NULL);
        pin_map_done(&writes->wanted, NULL);
        writes->n_wanted = 0;
        writes->n_differing = 0;
    }
}

void pin_catalog_look_again(struct pin_catalog *catalog)
{
    pin_writes_note_all(catalog);
}

size_t pin_catalog_n_writes(const struct pin_catalog *catalog)
{
    return pin_map_count(&catalog->writes.noted);
}

/* --- taking ----------------------------------------------------------------------------------- */

/* The Gateway "c1/ns/name" or the class "c1/name", if it is there. */
static void fill_gateway(struct pin_write_run *run, const char *rest, bool is_class)
{
    char cluster[KEY_BYTES];
    const char *slash = strchr(rest, '/');
    (void)snprintf(cluster, sizeof(cluster), "%.*s", (int)(slash - rest), rest);
    uint16_t cluster_id = pin_settings_cluster(run->catalog->settings, cluster);
    if (is_class) {
        const struct pin_object *gateway_class =
            pin_catalog_find(run->catalog, cluster_id, PIN_KIND_GATEWAY_CLASS, "", slash + 1);
        if (gateway_class != NULL) {
            pin_writes_class(run, cluster_id, gateway_class);
        }
        return;
    }
    const struct pin_gateway_unit *unit = pin_map_find(&run->catalog->gateways, rest, strlen(rest));
    if (unit != NULL && unit->object != NULL) {
        pin_writes_gateway(run, cluster_id, unit);
    }
}

static void fill_route(struct pin_write_run *run, const char *rest)
{
    struct pin_route_unit *route = pin_map_find(&run->catalog->routes, rest, strlen(rest));
    if (route != NULL && route->object != NULL) {
        pin_writes_route(run, route);
    }
}

static void fill(struct pin_write_run *run, const char *key)
{
    const char *rest = strchr(key, ' ') + 1;
    if (key[0] == 'r') {
        fill_route(run, rest);
    } else if (key[0] == 'g' || key[0] == 'c') {
        fill_gateway(run, rest, key[0] == 'c');
    } else {
        char name[KEY_BYTES];
        (void)snprintf(name, sizeof(name), "%s", rest);
        char *slash = strchr(name, '/');
        *slash = '\0';
        pin_writes_mcs(run, name, slash + 1);
    }
}

/* Notes how many objects should show something for this unit; a map's values are pointers. */
static void count_wanted(struct pin_writes *writes, const char *key, size_t n)
{
    static char counts[WANTED_MAX];
    size_t bytes = strlen(key);
    size_t counted = n < WANTED_MAX ? n : WANTED_MAX - 1;
    void *value = counts + counted;
    void *old = counted == 0 ? pin_map_remove(&writes->wanted, key, bytes) : NULL;
    if (counted > 0 && !pin_map_put(&writes->wanted, key, bytes, value, &old)) {
        return; /* not counted: nothing but the count depends on it */
    }
    writes->n_wanted += counted;
    writes->n_wanted -= old != NULL ? (size_t)((char *)old - counts) : 0;
}

/* Whether something is to be written but Events, which say what is so and not what differs. */
static bool has_difference(const struct pin_write_set *set)
{
    for (const struct pin_write *write = set->first; write != NULL; write = write->next) {
        if (write->op != PIN_WRITE_EVENT) {
            return true;
        }
    }
    return false;
}

/* Whether control has to hear of the set: it has something, or the one before had. */
static bool is_news(struct pin_writes *writes, const struct pin_write_set *set)
{
    static char differs;
    static char tells;
    size_t bytes = strlen(set->key);
    char *now = set->first == NULL ? NULL : has_difference(set) ? &differs : &tells;
    void *old = NULL;
    if (now == NULL) {
        old = pin_map_remove(&writes->told, set->key, bytes);
    } else if (!pin_map_put(&writes->told, set->key, bytes, now, &old)) {
        now = NULL;
        old = NULL;
    }
    writes->n_differing += now == &differs ? 1 : 0;
    writes->n_differing -= old == &differs ? 1 : 0;
    return set->first != NULL || old != NULL;
}

/* The set of one unit, or NULL when nobody has to hear of it. False: memory was out. */
static bool make_set(
    struct pin_catalog *catalog, const char *key, int64_t wall_ms, struct pin_write_set **ret_set)
{
    size_t bytes = strlen(key) + 1;
    struct pin_write_set *set = calloc(1, sizeof(*set) + bytes);
    if (set == NULL) {
        return false;
    }
    memcpy(set->key, key, bytes);
    struct pin_write_run run = {
        .catalog = catalog, .set = set, .end = &set->first, .wall_ms = wall_ms};
    fill(&run, key);
    count_wanted(&catalog->writes, key, run.n_wanted);
    if (run.has_failed || !is_news(&catalog->writes, set)) {
        pin_write_sets_free(set);
        set = NULL;
    }
    *ret_set = set;
    return !run.has_failed;
}

/* Looks at the unit that was noted first. False: there is none, or memory was out. */
static bool take_first(struct pin_catalog *catalog, int64_t wall_ms, struct pin_write_set **ret_set)
{
    const char *key = NULL;
    size_t bytes = 0;
    size_t cursor = 0;
    if (!pin_map_next(&catalog->writes.noted, &cursor, &key, &bytes, NULL)) {
        return false;
    }
    if (!make_set(catalog, key, wall_ms, ret_set)) {
        pin_log_error("writes: out of memory, %s waits", key);
        return false;
    }
    (void)pin_map_remove(&catalog->writes.noted, key, bytes);
    return true;
}

/* Whoever was looked at once beside those that it is written to is believed from then on: of what
 * goes later its watch tells. */
static void end_first_look(struct pin_catalog *catalog)
{
    if (pin_map_count(&catalog->writes.noted) == 0) {
        catalog->writes.looked_turn = catalog->writes.turn;
    }
}

struct pin_write_set *pin_catalog_take_writes(struct pin_catalog *catalog, int64_t wall_ms)
{
    struct pin_write_set *first = NULL;
    struct pin_write_set **end = &first;
    struct pin_write_set *set = NULL;
    for (size_t i = 0; i < BATCH_UNITS && take_first(catalog, wall_ms, &set); i++) {
        *end = set;
        end = set != NULL ? &set->next : end;
    }
    if (is_on(catalog)) {
        end_first_look(catalog);
    }
    return first;
}

/* --- life ------------------------------------------------------------------------------------- */

bool pin_writes_init(struct pin_catalog *catalog)
{
    const struct pin_settings *settings = catalog->settings;
    if (!pin_write_is_on(&settings->writes)) {
        return true;
    }
    catalog->writes.writable = calloc(settings->n_clusters + 1, sizeof(bool));
    return catalog->writes.writable != NULL;
}

void pin_writes_done(struct pin_catalog *catalog)
{
    pin_map_done(&catalog->writes.noted, NULL);
    pin_map_done(&catalog->writes.told, NULL);
    pin_map_done(&catalog->writes.wanted, NULL);
    free(catalog->writes.writable);
}
