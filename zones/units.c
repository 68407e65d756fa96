/* SPDX-License-Identifier: Apache-2.0 */

/* Units of compilation: who they are made of, who depends on them, what is dirty. */

#include "zones/units.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/assigned.h"
#include "zones/changes.h"
#include "zones/checks.h"
#include "zones/policy.h"
#include "zones/same.h"
#include "zones/writes.h"

/* Longer than any key: Kubernetes names have 253 letters. Keys take no memory, so that what is
 * there is found and let go of without any. */
#define KEY_BYTES 1024

void *pin_unit_grow(void *items, size_t n)
{
    if ((n & (n - 1)) != 0) {
        return items; /* between two powers of two */
    }
    return realloc(items, PIN_MAX(2 * n, (size_t)2) * sizeof(void *));
}

/* --- service units ------------------------------------------------------------------------------
 */

struct pin_service_unit *pin_unit_find_service(
    const struct pin_catalog *catalog, const char *namespace_name, const char *name)
{
    char key[512];
    int n = snprintf(key, sizeof(key), "%s/%s", namespace_name, name);
    if (n < 0 || (size_t)n >= sizeof(key)) {
        return NULL; /* Kubernetes names are far shorter */
    }
    return pin_map_find(&catalog->services, key, (size_t)n);
}

static struct pin_service_unit *new_service_unit(const char *namespace_name, const char *name)
{
    size_t namespace_bytes = strlen(namespace_name);
    size_t name_bytes = strlen(name);
    /* Key "ns/name", then "ns" once more: both parts as strings of their own. */
    size_t bytes = offsetof(struct pin_service_unit, key) + 2 * namespace_bytes + name_bytes + 3;
    struct pin_service_unit *unit = calloc(1, PIN_MAX(bytes, sizeof(*unit)));
    if (unit == NULL) {
        return NULL;
    }
    char *at = unit->key;
    memcpy(at, namespace_name, namespace_bytes);
    at[namespace_bytes] = '/';
    memcpy(at + namespace_bytes + 1, name, name_bytes + 1);
    unit->name = at + namespace_bytes + 1;
    at += namespace_bytes + name_bytes + 2;
    memcpy(at, namespace_name, namespace_bytes + 1);
    unit->namespace_name = at;
    unit->subject.service = unit;
    return unit;
}

struct pin_service_unit *pin_unit_service(
    struct pin_catalog *catalog, const char *namespace_name, const char *name)
{
    struct pin_service_unit *unit = pin_unit_find_service(catalog, namespace_name, name);
    if (unit != NULL) {
        return unit;
    }
    unit = new_service_unit(namespace_name, name);
    if (unit != NULL) {
        unit->drains = &catalog->drains;
    }
    if (unit != NULL
        && !pin_map_put_borrowed(&catalog->services, unit->key, strlen(unit->key), unit, NULL)) {
        free(unit);
        unit = NULL;
    }
    catalog->is_out_of_memory = catalog->is_out_of_memory || unit == NULL;
    return unit;
}

static void free_service_unit(struct pin_service_unit *unit)
{
    for (size_t i = 0; i < unit->n_members; i++) {
        if (unit->members[i].n_slices > 1) {
            free(unit->members[i].slices);
        }
    }
    free(unit->members);
    free(unit->subject.routes);
    free(unit->names.packed);
    free(unit->addresses.bytes);
    free(unit->left);
    free(unit->holds.slots);
    free(unit);
}

void pin_unit_release_service(struct pin_catalog *catalog, struct pin_service_unit *unit)
{
    if (unit->n_members > 0 || unit->subject.n_routes > 0 || unit->names.bytes > 0
        || unit->addresses.n_bytes > 0 || unit->is_dirty) {
        return;
    }
    (void)pin_map_remove(&catalog->services, unit->key, strlen(unit->key));
    free_service_unit(unit);
}

struct pin_member *pin_unit_member(const struct pin_service_unit *unit, uint16_t cluster_id)
{
    for (size_t i = 0; i < unit->n_members; i++) {
        if (unit->members[i].cluster_id == cluster_id) {
            return &unit->members[i];
        }
    }
    return NULL;
}

bool pin_unit_prefers_zone(const struct pin_service_unit *unit)
{
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        if ((member->service != NULL && member->service->as.service.prefers_zone)
            || (member->import != NULL && member->import->as.import.prefers_zone)) {
            return true;
        }
    }
    return false;
}

static struct pin_member *make_member(struct pin_service_unit *unit, uint16_t cluster_id)
{
    struct pin_member *member = pin_unit_member(unit, cluster_id);
    if (member != NULL) {
        return member;
    }
    struct pin_member *grown =
        realloc(unit->members, (unit->n_members + 1) * sizeof(*unit->members));
    if (grown == NULL) {
        return NULL;
    }
    unit->members = grown;
    size_t at = unit->n_members;
    while (at > 0 && grown[at - 1].cluster_id > cluster_id) {
        grown[at] = grown[at - 1];
        at--;
    }
    grown[at] = (struct pin_member){.cluster_id = cluster_id};
    unit->n_members++;
    return &grown[at];
}

static void drop_member_if_empty(struct pin_service_unit *unit, struct pin_member *member)
{
    if (member->service != NULL || member->export_ != NULL || member->import != NULL
        || member->aws_export != NULL || member->aws_import != NULL || member->target_group != NULL
        || member->n_slices > 0) {
        return;
    }
    size_t after = (size_t)(unit->members + unit->n_members - (member + 1));
    memmove(member, member + 1, after * sizeof(*member));
    unit->n_members--;
}

/* --- dirt and dependents ------------------------------------------------------------------------
 */

void pin_unit_touch_route(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    if (!route->is_dirty) {
        struct pin_route_unit **list =
            catalog->is_filling ? &catalog->waiting_routes : &catalog->dirty_routes;
        route->is_dirty = true;
        route->is_waiting = catalog->is_filling;
        route->next_dirty = *list;
        *list = route;
    } else if (route->is_waiting && !catalog->is_filling) {
        route->is_waiting = false;
        catalog->has_ripe = true;
    }
}

void pin_unit_touch_subject(struct pin_catalog *catalog, const struct pin_subject *subject)
{
    for (size_t i = 0; i < subject->n_routes; i++) {
        pin_unit_touch_route(catalog, subject->routes[i]);
    }
}

void pin_unit_touch_service(struct pin_catalog *catalog, struct pin_service_unit *unit)
{
    if (!unit->is_dirty) {
        struct pin_service_unit **list =
            catalog->is_filling ? &catalog->waiting_services : &catalog->dirty_services;
        unit->is_dirty = true;
        unit->is_waiting = catalog->is_filling;
        unit->next_dirty = *list;
        *list = unit;
    } else if (unit->is_waiting && !catalog->is_filling) {
        unit->is_waiting = false;
        catalog->has_ripe = true;
    }
    pin_unit_touch_subject(catalog, &unit->subject);
}

void pin_unit_depend(struct pin_route_unit *route, struct pin_subject *subject)
{
    for (size_t i = 0; i < route->n_depends_on; i++) {
        if (route->depends_on[i] == subject) {
            return;
        }
    }
    struct pin_subject **subjects = pin_unit_grow(route->depends_on, route->n_depends_on);
    if (subjects != NULL) {
        route->depends_on = subjects;
    }
    struct pin_route_unit **routes = pin_unit_grow(subject->routes, subject->n_routes);
    if (routes != NULL) {
        subject->routes = routes;
    }
    if (subjects == NULL || routes == NULL) {
        route->misses_depend = true;
        return;
    }
    subjects[route->n_depends_on++] = subject;
    routes[subject->n_routes++] = route;
}

/* --- gateways and routes -------------------------------------------------------------------------
 */

struct pin_gateway_unit *pin_unit_gateway(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *namespace_name, const char *name)
{
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%s/%s/%s", catalog->settings->clusters[cluster_id].name,
        namespace_name, name);
    struct pin_gateway_unit *unit = pin_map_find(&catalog->gateways, key, strlen(key));
    if (unit != NULL) {
        return unit;
    }
    unit = calloc(1, sizeof(*unit));
    char *own_key = strdup(key);
    if (unit == NULL || own_key == NULL
        || !pin_map_put(&catalog->gateways, key, strlen(key), unit, NULL)) {
        catalog->is_out_of_memory = true;
        free(unit);
        free(own_key);
        return NULL;
    }
    unit->key = own_key;
    return unit;
}

static void free_gateway_value(void *value)
{
    struct pin_gateway_unit *unit = value;
    free(unit->subject.routes);
    free(unit->key);
    free(unit);
}

/* Frees the unit when there is neither a Gateway nor a route that asks for it. */
static void release_gateway(struct pin_catalog *catalog, struct pin_gateway_unit *unit)
{
    if (unit->object == NULL && unit->subject.n_routes == 0) {
        (void)pin_map_remove(&catalog->gateways, unit->key, strlen(unit->key));
        free_gateway_value(unit);
    }
}

/* Frees what only the route made: the units of Services and Gateways that do not exist. */
static void release_subject(struct pin_catalog *catalog, struct pin_subject *subject)
{
    if (subject->service != NULL) {
        pin_unit_release_service(catalog, container_of(subject, struct pin_service_unit, subject));
    } else if (subject->is_grants) {
        pin_grants_release(catalog, container_of(subject, struct pin_grants_unit, subject));
    } else {
        release_gateway(catalog, container_of(subject, struct pin_gateway_unit, subject));
    }
}

void pin_unit_forget_depends(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    for (size_t i = 0; i < route->n_depends_on; i++) {
        struct pin_subject *subject = route->depends_on[i];
        for (size_t r = 0; r < subject->n_routes; r++) {
            if (subject->routes[r] == route) {
                subject->routes[r] = subject->routes[--subject->n_routes];
                break;
            }
        }
        release_subject(catalog, subject);
    }
    route->n_depends_on = 0;
    route->misses_depend = false;
}

/* "cluster/kind/namespace/name". */
static size_t route_key(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "%s/%s/%s/%s", catalog->settings->clusters[cluster_id].name,
        pin_kind_text(object->kind), object->namespace_name, object->name);
    return strlen(key);
}

static struct pin_route_unit *find_route(
    const struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    char key[KEY_BYTES];
    size_t bytes = route_key(catalog, cluster_id, object, key);
    return pin_map_find(&catalog->routes, key, bytes);
}

static struct pin_route_unit *new_route(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    char key[KEY_BYTES];
    size_t bytes = route_key(catalog, cluster_id, object, key);
    struct pin_route_unit *route = calloc(1, sizeof(*route));
    char *own_key = strdup(key);
    if (own_key == NULL || route == NULL
        || !pin_map_put(&catalog->routes, key, bytes, route, NULL)) {
        free(own_key);
        free(route);
        return NULL;
    }
    route->key = own_key;
    route->cluster_id = cluster_id;
    route->cluster = catalog->settings->clusters[cluster_id].name;
    route->object = object;
    pin_assigned_name(catalog->settings, cluster_id, object, &route->assigned);
    return route;
}

static void attach_route(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old)
{
    struct pin_route_unit *route = find_route(catalog, cluster_id, object);
    if (route == NULL) {
        route = new_route(catalog, cluster_id, object);
    }
    if (route == NULL) {
        pin_unit_note_unattached(catalog, object);
        return;
    }
    route->object = object;
    route->is_gone = false;
    route->has_news = true;
    pin_writes_note_parents(catalog, cluster_id, old);
    if (!pin_map_put(
            &catalog->assigned, route->assigned.wire, route->assigned.bytes, route, NULL)) {
        pin_unit_note_unattached(catalog, object);
    }
    pin_host_claim(catalog, route);
    pin_unit_touch_route(catalog, route);
}

void pin_unit_touch_target(struct pin_catalog *catalog, uint16_t cluster_id, const char *kind,
    const char *namespace_name, const char *name)
{
    if (strcmp(kind, pin_kind_text(PIN_KIND_GATEWAY)) == 0) {
        struct pin_gateway_unit *gateway =
            pin_unit_gateway(catalog, cluster_id, namespace_name, name);
        if (gateway != NULL) {
            pin_unit_touch_subject(catalog, &gateway->subject);
            release_gateway(catalog, gateway);
        }
        return;
    }
    static const enum pin_kind kinds[] = {
        PIN_KIND_HTTP_ROUTE, PIN_KIND_GRPC_ROUTE, PIN_KIND_TCP_ROUTE, PIN_KIND_TLS_ROUTE};
    for (size_t i = 0; i < N_ELEMS(kinds); i++) {
        struct pin_object target = {
            .kind = kinds[i], .namespace_name = namespace_name, .name = name};
        struct pin_route_unit *route = strcmp(kind, pin_kind_text(kinds[i])) == 0
                                           ? find_route(catalog, cluster_id, &target)
                                           : NULL;
        if (route != NULL) {
            pin_unit_touch_route(catalog, route);
        }
    }
}

/* --- attach and detach ---------------------------------------------------------------------------
 */

/* The service name an EndpointSlice belongs to: the imported service's, else its own. */
static const char *slice_service(const struct pin_object *object)
{
    return object->as.slice.import_service != NULL ? object->as.slice.import_service
                                                   : object->as.slice.service;
}

/* Which pointer of a member an object of that kind fills; NULL for slices. */
static const struct pin_object **member_field(struct pin_member *member, enum pin_kind kind)
{
    switch (kind) {
    case PIN_KIND_SERVICE:
        return &member->service;
    case PIN_KIND_SERVICE_EXPORT:
        return &member->export_;
    case PIN_KIND_SERVICE_IMPORT:
        return &member->import;
    case PIN_KIND_AWS_SERVICE_EXPORT:
        return &member->aws_export;
    case PIN_KIND_AWS_SERVICE_IMPORT:
        return &member->aws_import;
    default:
        return NULL;
    }
}

/* Adds a slice; false when memory is out. */
static bool add_slice(struct pin_member *member, const struct pin_object *object)
{
    if (member->n_slices == 0) {
        member->slice = object;
        member->n_slices = 1;
        return true;
    }
    const struct pin_object *only = member->slice; /* if it is */
    const struct pin_object **slices =
        pin_unit_grow(member->n_slices > 1 ? member->slices : NULL, member->n_slices);
    if (slices == NULL) {
        return false;
    }
    if (member->n_slices == 1) {
        slices[0] = only;
    }
    member->slices = slices;
    slices[member->n_slices++] = object;
    return true;
}

/* Takes out the slice at a position; the last one comes to stand there. */
static void take_slice(struct pin_member *member, size_t i)
{
    const struct pin_object **slices = member->slices;
    if (--member->n_slices > 0) {
        slices[i] = slices[member->n_slices];
    }
    if (member->n_slices == 1) {
        member->slice = slices[0];
        free(slices);
    }
}

static void attach_slice(
    struct pin_catalog *catalog, struct pin_member *member, const struct pin_object *object)
{
    for (size_t i = 0; i < member->n_slices; i++) {
        if (pin_member_slices(member)[i] == object) {
            return; /* attached again */
        }
    }
    if (!add_slice(member, object)) {
        pin_unit_note_unattached(catalog, object);
        return;
    }
    catalog->counts.n_endpoints += object->as.slice.n_endpoints;
}

static void attach_member(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    const char *name =
        object->kind == PIN_KIND_ENDPOINT_SLICE ? slice_service(object) : object->name;
    if (name == NULL) {
        return; /* a slice of no Service */
    }
    struct pin_service_unit *unit = pin_unit_service(catalog, object->namespace_name, name);
    struct pin_member *member = unit != NULL ? make_member(unit, cluster_id) : NULL;
    if (member == NULL) {
        pin_unit_note_unattached(catalog, object);
        return;
    }
    const struct pin_object **field = member_field(member, object->kind);
    if (field != NULL) {
        *field = object;
    } else {
        attach_slice(catalog, member, object);
    }
    pin_unit_touch_service(catalog, unit);
}

static void detach_slice(
    struct pin_catalog *catalog, struct pin_member *member, const struct pin_object *object)
{
    for (size_t i = 0; i < member->n_slices; i++) {
        if (pin_member_slices(member)[i] == object) {
            take_slice(member, i);
            catalog->counts.n_endpoints -= object->as.slice.n_endpoints;
            return;
        }
    }
}

static void detach_member(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    const char *name =
        object->kind == PIN_KIND_ENDPOINT_SLICE ? slice_service(object) : object->name;
    struct pin_service_unit *unit =
        name != NULL ? pin_unit_find_service(catalog, object->namespace_name, name) : NULL;
    struct pin_member *member = unit != NULL ? pin_unit_member(unit, cluster_id) : NULL;
    if (member == NULL) {
        return;
    }
    const struct pin_object **field = member_field(member, object->kind);
    if (field == NULL) {
        detach_slice(catalog, member, object);
    } else if (*field == object) {
        *field = NULL;
    }
    drop_member_if_empty(unit, member);
    pin_unit_touch_service(catalog, unit);
}

/* A TargetGroupPolicy came, changed or went: which one counts for its target now. */
static void settle_target_group(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    const char *namespace_name = object->namespace_name;
    const char *name = object->as.target_group.target;
    const struct pin_object *policy =
        pin_checks_find_policy(catalog, cluster_id, namespace_name, name);
    struct pin_service_unit *unit = policy != NULL
                                        ? pin_unit_service(catalog, namespace_name, name)
                                        : pin_unit_find_service(catalog, namespace_name, name);
    struct pin_member *member = unit == NULL     ? NULL
                                : policy != NULL ? make_member(unit, cluster_id)
                                                 : pin_unit_member(unit, cluster_id);
    if (member == NULL && policy != NULL) {
        pin_unit_note_unattached(catalog, object);
    }
    if (member != NULL) {
        member->target_group = policy;
        drop_member_if_empty(unit, member);
        pin_unit_touch_service(catalog, unit);
    }
}

/* A namespace's annotation sets the address mode of all its Services in that cluster. */
static void touch_namespace(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        struct pin_service_unit *unit = value;
        if (strcmp(unit->namespace_name, object->name) == 0
            && pin_unit_member(unit, cluster_id) != NULL) {
            pin_unit_touch_service(catalog, unit);
        }
    }
}

static void attach_namespace(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old)
{
    if (object->steering->address != (old != NULL ? old->steering->address : PIN_ADDRESS_UNSET)) {
        touch_namespace(catalog, cluster_id, object);
    }
    if (old == NULL) {
        pin_writes_note_namespace(catalog, object->name);
    }
    if (old == NULL || !pin_same_labels(object, old)) {
        pin_writes_note_labels(catalog, cluster_id);
    }
}

void pin_unit_attach(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old)
{
    struct pin_gateway_unit *gateway = NULL;
    switch (object->kind) {
    case PIN_KIND_NODE:
    case PIN_KIND_SERVICE_CIDR:
        if (old == NULL || !pin_same_ranges(object, old)) {
            catalog->is_scene_dirty = true;
        }
        return;
    case PIN_KIND_NAMESPACE:
        attach_namespace(catalog, cluster_id, object, old);
        return;
    case PIN_KIND_GATEWAY_CLASS:
        pin_writes_note_class(catalog, cluster_id, object, old);
        return;
    case PIN_KIND_INGRESS: /* nothing that is answered depends on it */
        return;
    case PIN_KIND_GATEWAY:
        gateway = pin_unit_gateway(catalog, cluster_id, object->namespace_name, object->name);
        if (gateway == NULL) {
            pin_unit_note_unattached(catalog, object);
        } else {
            gateway->object = object;
            pin_writes_note_gateway(catalog, cluster_id, object);
            if (old == NULL || old == object || !pin_same_gateway(object, old)) {
                pin_unit_touch_subject(catalog, &gateway->subject);
            }
        }
        return;
    case PIN_KIND_HTTP_ROUTE:
    case PIN_KIND_GRPC_ROUTE:
    case PIN_KIND_TCP_ROUTE:
    case PIN_KIND_TLS_ROUTE:
        attach_route(catalog, cluster_id, object, old);
        return;
    case PIN_KIND_DNS_ENDPOINT:
        pin_records_attach(catalog, cluster_id, object);
        return;
    case PIN_KIND_REFERENCE_GRANT:
        pin_grants_attach(catalog, cluster_id, object, old);
        return;
    case PIN_KIND_IAM_AUTH_POLICY:
    case PIN_KIND_RESOLVE_POLICY:
        pin_policy_attach(catalog, cluster_id, object, old != object);
        if (old != NULL && old != object) {
            pin_policy_detach(catalog, cluster_id, old);
        }
        return;
    case PIN_KIND_TARGET_GROUP_POLICY:
        settle_target_group(catalog, cluster_id, object);
        if (old != NULL && old != object) {
            settle_target_group(catalog, cluster_id, old);
        }
        return;
    default:
        attach_member(catalog, cluster_id, object);
    }
}

void pin_unit_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    struct pin_gateway_unit *gateway = NULL;
    struct pin_route_unit *route = NULL;
    switch (object->kind) {
    case PIN_KIND_NODE:
    case PIN_KIND_SERVICE_CIDR:
        catalog->is_scene_dirty = true;
        return;
    case PIN_KIND_NAMESPACE:
        if (object->steering->address != PIN_ADDRESS_UNSET) {
            touch_namespace(catalog, cluster_id, object);
        }
        return;
    case PIN_KIND_GATEWAY_CLASS:
        pin_writes_note_class(catalog, cluster_id, object, NULL);
        return;
    case PIN_KIND_INGRESS:
        return;
    case PIN_KIND_GATEWAY:
        gateway = pin_unit_gateway(catalog, cluster_id, object->namespace_name, object->name);
        pin_writes_note_gateway(catalog, cluster_id, object);
        if (gateway != NULL && gateway->object == object) {
            gateway->object = NULL;
            pin_unit_touch_subject(catalog, &gateway->subject);
        }
        if (gateway != NULL) {
            release_gateway(catalog, gateway);
        }
        return;
    case PIN_KIND_HTTP_ROUTE:
    case PIN_KIND_GRPC_ROUTE:
    case PIN_KIND_TCP_ROUTE:
    case PIN_KIND_TLS_ROUTE:
        route = find_route(catalog, cluster_id, object);
        if (route != NULL && route->object == object) {
            route->is_gone = true;
            pin_writes_note_route(catalog, route);
            pin_writes_note_parents(catalog, cluster_id, object);
            pin_host_unclaim(catalog, route);
            route->object = NULL;
            pin_unit_touch_route(catalog, route);
        }
        return;
    case PIN_KIND_DNS_ENDPOINT:
        pin_records_detach(catalog, cluster_id, object);
        return;
    case PIN_KIND_REFERENCE_GRANT:
        pin_grants_detach(catalog, cluster_id, object);
        return;
    case PIN_KIND_IAM_AUTH_POLICY:
    case PIN_KIND_RESOLVE_POLICY:
        pin_policy_detach(catalog, cluster_id, object);
        return;
    case PIN_KIND_TARGET_GROUP_POLICY:
        settle_target_group(catalog, cluster_id, object);
        return;
    default:
        detach_member(catalog, cluster_id, object);
    }
}

/* --- memory that was out ------------------------------------------------------------------------
 */

void pin_unit_note_unattached(struct pin_catalog *catalog, const struct pin_object *object)
{
    catalog->has_unattached = true;
    pin_changes_note_lost(catalog);
    pin_log_error("catalog: out of memory, %s %s/%s does not count until there is some",
        pin_kind_text(object->kind), object->namespace_name, object->name);
}

void pin_unit_settle(struct pin_catalog *catalog)
{
    bool has_unattached = catalog->has_unattached;
    catalog->has_unattached = false;
    for (size_t i = 0; has_unattached && i < catalog->settings->n_clusters; i++) {
        for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
            size_t cursor = 0;
            void *value = NULL;
            while (pin_map_next(&catalog->clusters[i].objects[kind], &cursor, NULL, NULL, &value)) {
                /* Nothing is attached twice. Nodes and the like took no memory. */
                pin_unit_attach(catalog, (uint16_t)i, value, value);
            }
        }
    }
}

/* --- life ----------------------------------------------------------------------------------------
 */

static void free_service_value(void *value)
{
    free_service_unit(value);
}

static void free_route_value(void *value)
{
    struct pin_route_unit *route = value;
    free(route->depends_on);
    free(route->hosts);
    free(route->names.packed);
    free(route->holds.slots);
    free(route->key);
    free(route);
}

void pin_unit_free_route(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    (void)pin_map_remove(&catalog->assigned, route->assigned.wire, route->assigned.bytes);
    (void)pin_map_remove(&catalog->routes, route->key, strlen(route->key));
    free_route_value(route);
}

void pin_unit_free_all(struct pin_catalog *catalog)
{
    pin_policy_free_all(catalog);
    pin_map_done(&catalog->assigned, NULL);
    pin_records_free_all(catalog);
    pin_host_free_all(catalog);
    pin_map_done(&catalog->routes, free_route_value);
    pin_map_done(&catalog->gateways, free_gateway_value);
    pin_grants_free_all(catalog);
    pin_map_done(&catalog->services, free_service_value);
}
