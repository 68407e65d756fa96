/* SPDX-License-Identifier: Apache-2.0 */

/* ReferenceGrants: which routes may refer to backends of another namespace (Gateway API). */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/units.h"

/* Longer than any key; a key takes no memory. */
#define KEY_BYTES 1024

/* Finds or makes the unit of a namespace; NULL when memory is out. */
static struct pin_grants_unit *grants_of(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *namespace_name)
{
    char key[KEY_BYTES];
    (void)snprintf(
        key, sizeof(key), "%s/%s", catalog->settings->clusters[cluster_id].name, namespace_name);
    struct pin_grants_unit *unit = pin_map_find(&catalog->grants, key, strlen(key));
    if (unit != NULL) {
        return unit;
    }
    unit = calloc(1, sizeof(*unit));
    char *own_key = strdup(key);
    if (unit == NULL || own_key == NULL
        || !pin_map_put(&catalog->grants, key, strlen(key), unit, NULL)) {
        catalog->is_out_of_memory = true;
        free(unit);
        free(own_key);
        return NULL;
    }
    unit->key = own_key;
    unit->subject.is_grants = true;
    return unit;
}

static void free_unit(void *value)
{
    struct pin_grants_unit *unit = value;
    free(unit->grants);
    free(unit->subject.routes);
    free(unit->key);
    free(unit);
}

void pin_grants_release(struct pin_catalog *catalog, struct pin_grants_unit *unit)
{
    if (unit->n_grants == 0 && unit->subject.n_routes == 0) {
        (void)pin_map_remove(&catalog->grants, unit->key, strlen(unit->key));
        free_unit(unit);
    }
}

void pin_grants_free_all(struct pin_catalog *catalog)
{
    pin_map_done(&catalog->grants, free_unit);
}

/* --- what comes and goes --------------------------------------------------------------------- */

/* Where the grant stands in the list; n_grants when it does not. */
static size_t position(const struct pin_grants_unit *unit, const struct pin_object *object)
{
    size_t i = 0;
    while (i < unit->n_grants && unit->grants[i] != object) {
        i++;
    }
    return i;
}

void pin_grants_attach(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old)
{
    struct pin_grants_unit *unit = grants_of(catalog, cluster_id, object->namespace_name);
    size_t at = unit != NULL ? position(unit, old) : 0;
    bool is_new = unit != NULL && at == unit->n_grants;
    const struct pin_object **grown = is_new         ? pin_unit_grow(unit->grants, unit->n_grants)
                                      : unit != NULL ? unit->grants
                                                     : NULL;
    if (unit == NULL || grown == NULL) {
        pin_unit_note_unattached(catalog, object);
        return;
    }
    unit->grants = grown;
    unit->n_grants += at == unit->n_grants;
    grown[at] = object;
    pin_unit_touch_subject(catalog, &unit->subject);
}

void pin_grants_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    struct pin_grants_unit *unit = grants_of(catalog, cluster_id, object->namespace_name);
    if (unit == NULL) {
        return;
    }
    size_t at = position(unit, object);
    if (at < unit->n_grants) {
        unit->grants[at] = unit->grants[--unit->n_grants];
        pin_unit_touch_subject(catalog, &unit->subject);
    }
    pin_grants_release(catalog, unit);
}

/* --- what they permit ------------------------------------------------------------------------ */

static bool is_from(const struct pin_grant_body *grant, const struct pin_object *route)
{
    for (size_t i = 0; i < grant->n_from; i++) {
        if (grant->from[i].kind == route->kind
            && strcmp(grant->from[i].namespace_name, route->namespace_name) == 0) {
            return true;
        }
    }
    return false;
}

static bool is_to(const struct pin_grant_body *grant, const struct pin_backend_ref *ref)
{
    for (size_t i = 0; i < grant->n_to; i++) {
        const char *name = grant->to[i].name;
        if (grant->to[i].kind == ref->kind && (name == NULL || strcmp(name, ref->name) == 0)) {
            return true;
        }
    }
    return false;
}

bool pin_grants_permit(
    struct pin_catalog *catalog, struct pin_route_unit *route, const struct pin_backend_ref *ref)
{
    if (strcmp(ref->namespace_name, route->object->namespace_name) == 0) {
        return true;
    }
    struct pin_grants_unit *unit = grants_of(catalog, route->cluster_id, ref->namespace_name);
    if (unit == NULL) {
        return false;
    }
    pin_unit_depend(route, &unit->subject);
    for (size_t i = 0; i < unit->n_grants; i++) {
        const struct pin_grant_body *grant = &unit->grants[i]->as.grant;
        if (is_from(grant, route->object) && is_to(grant, ref)) {
            return true;
        }
    }
    return false;
}
