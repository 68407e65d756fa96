/* SPDX-License-Identifier: Apache-2.0 */

/* A cluster's objects one after another, a part at a time. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/zones/catalog.h"

#include "zones/pods.h"
#include "zones/units.h"

/* As "namespace/name" would be compared; '/' comes before all letters of names but '-' and '.'. */
static int compare_names(
    const struct pin_object *object, const char *namespace_name, const char *name)
{
    int order = strcmp(object->namespace_name, namespace_name);
    return order != 0 ? order : strcmp(object->name, name);
}

static int compare_objects(const void *a, const void *b)
{
    const struct pin_object *const *x = a;
    const struct pin_object *const *y = b;
    return compare_names(*x, (*y)->namespace_name, (*y)->name);
}

/* Takes "namespace/name" apart; false: nothing was before. */
static bool split_key(const struct pin_object_cursor *cursor,
    char namespace_name[sizeof(cursor->key)], const char **ret_name)
{
    const char *slash = strchr(cursor->key, '/');
    if (slash == NULL) {
        return false;
    }
    memcpy(namespace_name, cursor->key, (size_t)(slash - cursor->key));
    namespace_name[slash - cursor->key] = '\0';
    *ret_name = slash + 1;
    return true;
}

/* The objects of the cursor's kind that are behind it, in order; heap, NULL: no memory. */
static const struct pin_object **sorted(
    const struct pin_map *objects, const struct pin_object_cursor *cursor, size_t *ret_n)
{
    char namespace_name[sizeof(cursor->key)];
    const char *name = "";
    bool has_before = split_key(cursor, namespace_name, &name);
    size_t at = 0;
    void *value = NULL;
    size_t n = 0;
    const struct pin_object **list =
        calloc(pin_map_count(objects) + 1, sizeof(const struct pin_object *));
    while (list != NULL && pin_map_next(objects, &at, NULL, NULL, &value)) {
        const struct pin_object *object = value;
        if (!has_before || compare_names(object, namespace_name, name) > 0) {
            list[n++] = object;
        }
    }
    if (n > 1) {
        qsort((void *)list, n, sizeof(*list), compare_objects);
    }
    if (list == NULL) {
        pin_log_error("catalog: out of memory, objects are not listed");
    }
    *ret_n = n;
    return list;
}

/* Hands over one kind's objects that are behind the cursor; false: it was the last part. */
static bool walk_kind(
    const struct pin_map *objects, struct pin_object_cursor *cursor, pin_object_fn *fn, void *arg)
{
    size_t n = 0;
    const struct pin_object **list = sorted(objects, cursor, &n);
    bool goes_on = list != NULL;
    for (size_t i = 0; goes_on && i < n; i++) {
        (void)snprintf(
            cursor->key, sizeof(cursor->key), "%s/%s", list[i]->namespace_name, list[i]->name);
        goes_on = fn(arg, list[i]);
    }
    free((void *)list);
    return goes_on;
}

bool pin_catalog_walk_objects(const struct pin_catalog *catalog, uint16_t cluster_id,
    struct pin_object_cursor *cursor, pin_object_fn *fn, void *arg)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    for (; cursor->kind < PIN_KIND_MAX; cursor->kind++, cursor->key[0] = '\0') {
        bool goes_on = cursor->kind == PIN_KIND_POD
                           ? pin_pods_walk(catalog, cluster_id, cursor, fn, arg)
                           : walk_kind(&cluster->objects[cursor->kind], cursor, fn, arg);
        if (!goes_on) {
            return true;
        }
    }
    return false;
}
