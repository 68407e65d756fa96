/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Watchers: whoever keeps or passes on what the catalog has taken.
 *
 * Builder's thread, all of it; a watcher must not call into the catalog, block or keep a pointer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/catalog.h"

/** Most watchers of one catalog. */
#define PIN_WATCHERS_MAX 4u

/** What a watcher is told, in the order in which it was taken. Any of the calls may be NULL. */
struct pin_catalog_watcher {
    /** An object is there. `old` is the one it replaces, which may say the same; NULL for a new
     * one, and for Pods, of which the catalog keeps no objects. */
    void (*on_put)(void *arg, uint16_t cluster_id, const struct pin_object *object,
        const struct pin_object *old);
    /** An object is gone: deleted, or not in the list that has ended. Pods may be told that were
     * not there. */
    void (*on_gone)(void *arg, uint16_t cluster_id, enum pin_kind kind, const char *namespace_name,
        const char *name);
    /** LIST_BEGIN, LIST_END (behind what it removed), UP, DOWN, SYNCED. `kind` counts for lists. */
    void (*on_mark)(void *arg, uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind);
    void *arg;
};

/** Has the watcher, which is copied, told of all that comes from now on. False: there are too many.
 */
bool pin_catalog_watch(struct pin_catalog *catalog, const struct pin_catalog_watcher *watcher);

/** What is called for one object of a walk. */
typedef void pin_catalog_object_fn(void *arg, uint16_t cluster_id, const struct pin_object *object);

/** Calls `fn` for each object of a kind of a cluster, in the order in which they first came. Pods
 * are none. Cost: a walk. */
void pin_catalog_walk(const struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    pin_catalog_object_fn *fn, void *arg);
