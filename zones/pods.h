/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Pods on the builder's side: what each Pod object had, so that it can be taken back. */

#include "pintle/zones/pods.h"

#include "zones/units.h"

/** Makes an empty table; NULL when memory is out. */
struct pin_pods *pin_pods_new(void);

/** Frees it. No reader may be left. NULL is fine. */
void pin_pods_free(struct pin_pods *pods);

/** Takes a Pod object's addresses in place of those it had; the object stays the caller's. */
void pin_pods_upsert(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const char *key, size_t bytes);

/** Takes over all Pods of a cluster, which has another id in `old`. */
void pin_pods_inherit(
    struct pin_catalog *heir, uint16_t cluster_id, const struct pin_catalog *old, uint16_t old_id);

/** Forgets a Pod. Unknown ones are fine. */
void pin_pods_remove(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *key, size_t bytes);

/** Hands over what is kept of a cluster's Pods behind the cursor, as objects that last for the
 * call; pin_catalog_walk_objects()'s part. False: `fn` or the memory ended it. */
bool pin_pods_walk(const struct pin_catalog *catalog, uint16_t cluster_id,
    struct pin_object_cursor *cursor, pin_object_fn *fn, void *arg);

/** Notes that the latest list names a Pod. Unknown ones are fine. */
void pin_pods_keep(struct pin_catalog *catalog, uint16_t cluster_id, const char *key, size_t bytes);

/** How many Pods lists of that round or a later one named, or watches since. O(Pods). */
uint32_t pin_pods_count(const struct pin_catalog *catalog, uint16_t cluster_id, uint32_t round);

/** Forgets the Pods that the list which ends now did not name. */
void pin_pods_end_list(struct pin_catalog *catalog, uint16_t cluster_id);
