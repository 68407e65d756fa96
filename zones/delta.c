/* SPDX-License-Identifier: Apache-2.0 */

/* Deltas: made on the control thread, freed by whoever holds them last. */

#include "pintle/zones/delta.h"

#include <stdlib.h>
#include <string.h>

struct pin_delta *pin_delta_mark(uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind)
{
    struct pin_delta *delta = calloc(1, sizeof(*delta));
    if (delta != NULL) {
        delta->op = op;
        delta->kind = kind;
        delta->cluster_id = cluster_id;
    }
    return delta;
}

struct pin_delta *pin_delta_upsert(uint16_t cluster_id, struct pin_object *object)
{
    struct pin_delta *delta = pin_delta_mark(cluster_id, PIN_DELTA_UPSERT, object->kind);
    if (delta == NULL) {
        pin_object_free(object);
        return NULL;
    }
    delta->object = object;
    return delta;
}

static struct pin_delta *named(uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind,
    const char *namespace_name, const char *name)
{
    struct pin_delta *delta = pin_delta_mark(cluster_id, op, kind);
    if (delta == NULL) {
        return NULL;
    }
    delta->namespace_name = strdup(namespace_name);
    delta->name = strdup(name);
    if (delta->namespace_name == NULL || delta->name == NULL) {
        pin_delta_free(delta);
        return NULL;
    }
    return delta;
}

struct pin_delta *pin_delta_delete(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name)
{
    return named(cluster_id, PIN_DELTA_DELETE, kind, namespace_name, name);
}

struct pin_delta *pin_delta_keep(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name)
{
    return named(cluster_id, PIN_DELTA_KEEP, kind, namespace_name, name);
}

struct pin_delta *pin_delta_lookup(struct pin_lookup *lookup)
{
    struct pin_delta *delta = pin_delta_mark(0, PIN_DELTA_LOOKUP, PIN_KIND_SERVICE);
    if (delta == NULL) {
        free(lookup);
        return NULL;
    }
    delta->lookup = lookup;
    return delta;
}

void pin_delta_free(struct pin_delta *delta)
{
    if (delta == NULL) {
        return;
    }
    pin_object_free(delta->object);
    free(delta->namespace_name);
    free(delta->name);
    free(delta->lookup);
    free(delta);
}
