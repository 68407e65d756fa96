/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Makes scenes (pintle/zones/view.h) from the catalog's Nodes, `clients:` and cluster
 * states. */

#include "zones/units.h"

/** Builds the scene that is true now, and reports ranges that two clusters claim. NULL when memory
 * is out. Cost: a sort of all ranges. */
struct pin_scene *pin_scene_make(struct pin_catalog *catalog);

/** Told of a range that lies in the ranges of two clusters. */
typedef void pin_scene_overlap_fn(
    void *arg, const struct pin_prefix *prefix, uint16_t cluster_id, uint16_t other_id);

/** Tells the first few such ranges. Cost: a sort of all ranges. */
void pin_scene_each_overlap(struct pin_catalog *catalog, pin_scene_overlap_fn *visit, void *arg);

/**
 * Takes what the geo database says: prefixes with positions in settings->geo_rules; and the rules'
 * own nets, which go first. The next scene has it. False when memory is out: nothing is changed.
 */
bool pin_scene_set_places(
    struct pin_catalog *catalog, const struct pin_lpm_entry *entries, size_t n_entries);

/** Frees the places of earlier scenes once no reader can hold them. After publishing a scene. */
void pin_scene_retire_places(struct pin_catalog *catalog);

/** Frees all of them. No reader may be left. */
void pin_scene_free_places(struct pin_catalog *catalog);

/** Frees a scene no reader can hold. NULL is fine. */
void pin_scene_free(struct pin_scene *scene);

/** Frees a scene once no reader can hold it any more. */
void pin_scene_retire(struct pin_scene *scene);
