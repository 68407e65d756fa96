/* SPDX-License-Identifier: Apache-2.0 */

/* Who is told of what the catalog takes. */

#include "zones/watchers.h"

#include <string.h>

#include "zones/units.h"

/* Longer than any key of a map. */
#define KEY_BYTES 1024

bool pin_catalog_watch(struct pin_catalog *catalog, const struct pin_catalog_watcher *watcher)
{
    if (catalog->n_watchers == PIN_WATCHERS_MAX) {
        return false;
    }
    catalog->watchers[catalog->n_watchers++] = *watcher;
    return true;
}

void pin_watchers_put(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old)
{
    for (size_t i = 0; i < catalog->n_watchers; i++) {
        const struct pin_catalog_watcher *watcher = &catalog->watchers[i];
        if (watcher->on_put != NULL) {
            watcher->on_put(watcher->arg, cluster_id, object, old);
        }
    }
}

void pin_watchers_gone(const struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *key, size_t bytes)
{
    char names[KEY_BYTES];
    if (catalog->n_watchers == 0 || bytes >= sizeof(names)) {
        return;
    }
    memcpy(names, key, bytes);
    names[bytes] = '\0';
    char *name = strchr(names, '/');
    if (name == NULL) {
        return;
    }
    *name++ = '\0';
    for (size_t i = 0; i < catalog->n_watchers; i++) {
        const struct pin_catalog_watcher *watcher = &catalog->watchers[i];
        if (watcher->on_gone != NULL) {
            watcher->on_gone(watcher->arg, cluster_id, kind, names, name);
        }
    }
}

void pin_watchers_mark(const struct pin_catalog *catalog, uint16_t cluster_id, enum pin_delta_op op,
    enum pin_kind kind)
{
    for (size_t i = 0; i < catalog->n_watchers; i++) {
        const struct pin_catalog_watcher *watcher = &catalog->watchers[i];
        if (watcher->on_mark != NULL) {
            watcher->on_mark(watcher->arg, cluster_id, op, kind);
        }
    }
}

void pin_catalog_walk(const struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    pin_catalog_object_fn *fn, void *arg)
{
    size_t cursor = 0;
    void *value = NULL;
    while (
        pin_map_next(&catalog->clusters[cluster_id].objects[kind], &cursor, NULL, NULL, &value)) {
        fn(arg, cluster_id, value);
    }
}
