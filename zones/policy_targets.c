/* SPDX-License-Identifier: Apache-2.0 */

/* Which policy objects guard what: by cluster, kind, namespace and name of the target. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "zones/policy.h"

#define KEY_MAX_BYTES 768u

/* "cluster/kind/namespace/name"; 0 when it does not fit (no Kubernetes name is that long). */
static size_t target_key(const struct pin_catalog *catalog, uint16_t cluster_id, const char *kind,
    const char *namespace_name, const char *name, char key[KEY_MAX_BYTES])
{
    int n = snprintf(key, KEY_MAX_BYTES, "%s/%s/%s/%s",
        catalog->settings->clusters[cluster_id].name, kind, namespace_name, name);
    return n < 0 || (size_t)n >= KEY_MAX_BYTES ? 0 : (size_t)n;
}

static void free_guards(void *value)
{
    struct pin_guards *guards = value;
    free(guards->objects);
    free(guards);
}

void pin_policy_free_all(struct pin_catalog *catalog)
{
    pin_map_done(&catalog->guards, free_guards);
}

/* Finds or makes the list behind a key. */
static struct pin_guards *make_guards(struct pin_catalog *catalog, const char *key, size_t bytes)
{
    struct pin_guards *guards = pin_map_find(&catalog->guards, key, bytes);
    if (guards != NULL) {
        return guards;
    }
    guards = calloc(1, sizeof(*guards));
    if (guards != NULL && !pin_map_put(&catalog->guards, key, bytes, guards, NULL)) {
        free(guards);
        return NULL;
    }
    return guards;
}

static bool is_guarded_by(const struct pin_guards *guards, const struct pin_object *object)
{
    for (size_t i = 0; i < guards->n; i++) {
        if (guards->objects[i] == object) {
            return true;
        }
    }
    return false;
}

static bool add_guard(struct pin_guards *guards, const struct pin_object *object)
{
    if (is_guarded_by(guards, object)) {
        return true; /* attached again */
    }
    if (guards->n == guards->cap) {
        size_t cap = guards->cap == 0 ? 1 : 2 * guards->cap;
        const struct pin_object **grown =
            realloc((void *)guards->objects, cap * sizeof(*guards->objects));
        if (grown == NULL) {
            return false;
        }
        guards->objects = grown;
        guards->cap = cap;
    }
    guards->objects[guards->n++] = object;
    return true;
}

static void attach_at(
    struct pin_catalog *catalog, const char *key, size_t bytes, const struct pin_object *object)
{
    struct pin_guards *guards = bytes > 0 ? make_guards(catalog, key, bytes) : NULL;
    if (guards == NULL || !add_guard(guards, object)) {
        pin_unit_note_unattached(catalog, object); /* until then its targets are not compiled */
    }
}

static void detach_at(
    struct pin_catalog *catalog, const char *key, size_t bytes, const struct pin_object *object)
{
    struct pin_guards *guards = pin_map_find(&catalog->guards, key, bytes);
    for (size_t i = 0; guards != NULL && i < guards->n; i++) {
        if (guards->objects[i] == object) {
            guards->objects[i] = guards->objects[--guards->n];
            break;
        }
    }
    if (guards != NULL && guards->n == 0) {
        (void)pin_map_remove(&catalog->guards, key, bytes);
        free_guards(guards);
    }
}

static void each_target(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object,
    void (*change)(struct pin_catalog *catalog, const char *key, size_t bytes,
        const struct pin_object *object))
{
    const struct pin_policy_body *body = &object->as.policy;
    for (size_t i = 0; i < body->n_targets; i++) {
        const struct pin_policy_target *target = &body->targets[i];
        char key[KEY_MAX_BYTES];
        size_t bytes = target_key(
            catalog, cluster_id, target->kind, object->namespace_name, target->name, key);
        change(catalog, key, bytes, object);
        pin_unit_touch_target(
            catalog, cluster_id, target->kind, object->namespace_name, target->name);
    }
}

/* Whether its verdict may hang on the asker's namespace. */
static bool asks_namespaces(const struct pin_object *object)
{
    const struct pin_policy_body *body = &object->as.policy;
    for (size_t i = 0; i < body->n_statements && !body->is_unreadable; i++) {
        const struct pin_policy_statement *statement = &body->statements[i];
        for (size_t c = 0; c < statement->n_conditions; c++) {
            if (statement->conditions[c].about == PIN_POLICY_ABOUT_NAMESPACE) {
                return true;
            }
        }
    }
    return false;
}

void pin_policy_attach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object, bool is_new)
{
    catalog->n_namespace_policies += is_new && asks_namespaces(object) ? 1 : 0;
    each_target(catalog, cluster_id, object, attach_at);
}

void pin_policy_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    catalog->n_namespace_policies -= asks_namespaces(object) ? 1 : 0;
    each_target(catalog, cluster_id, object, detach_at);
}

/* The guards of one target, or NULL. */
static const struct pin_guards *find_guards(const struct pin_catalog *catalog, uint16_t cluster_id,
    const char *kind, const char *namespace_name, const char *name)
{
    char key[KEY_MAX_BYTES];
    size_t bytes = target_key(catalog, cluster_id, kind, namespace_name, name, key);
    return bytes > 0 ? pin_map_find(&catalog->guards, key, bytes) : NULL;
}

size_t pin_policy_of_route(const struct pin_catalog *catalog, const struct pin_route_unit *route,
    struct pin_arena *arena, const struct pin_object ***ret_objects)
{
    const struct pin_object *object = route->object;
    const struct pin_route_body *body = &object->as.route;
    if (catalog->has_unattached) {
        return SIZE_MAX; /* perhaps a policy: nothing is shown without those that guard it */
    }
    size_t n_lists = body->n_parents + 1;
    const struct pin_guards **lists =
        pin_arena_alloc(arena, n_lists * sizeof(const struct pin_guards *));
    if (lists == NULL) {
        return SIZE_MAX;
    }
    lists[0] = find_guards(catalog, route->cluster_id, pin_kind_text(object->kind),
        object->namespace_name, object->name);
    size_t n_objects = lists[0] != NULL ? lists[0]->n : 0;
    for (size_t i = 1; i < n_lists; i++) {
        const struct pin_parent_ref *parent = &body->parents[i - 1];
        lists[i] = find_guards(
            catalog, route->cluster_id, "Gateway", parent->namespace_name, parent->name);
        n_objects += lists[i] != NULL ? lists[i]->n : 0;
    }
    const struct pin_object **objects =
        pin_arena_alloc(arena, n_objects * sizeof(const struct pin_object *));
    if (objects == NULL) {
        return SIZE_MAX;
    }
    *ret_objects = objects;
    for (size_t i = 0; i < n_lists; i++) {
        for (size_t g = 0; lists[i] != NULL && g < lists[i]->n; g++) {
            *objects++ = lists[i]->objects[g];
        }
    }
    return n_objects;
}
