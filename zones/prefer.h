/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Prefer: which clusters' endpoints an affinity leaves (design, "Weights").
 *
 * A preferred side (one's own cluster, all others, or one cluster of a list) counts alone as long
 * as it has enough ready endpoints: one, or what the threshold says. A list is gone through in
 * order. When no side has enough, everybody's endpoints count. With a threshold a side that was
 * left comes back only a step above it, so that one endpoint that comes and goes moves nobody.
 */

#include "zones/steer.h"

/** What is asked for, and by whom. */
struct pin_preference {
    enum pin_affinity affinity;
    const char *list;   /**< "c2,c3" for PIN_AFFINITY_LIST. */
    uint32_t threshold; /**< Or PIN_THRESHOLD_UNSET. */
    bool is_share;      /**< The threshold is a percentage of the endpoints known. */
    uint16_t viewer_id; /**< The viewer's cluster, or PIN_CLUSTER_NONE. */
    uint64_t holder;    /**< Who asks for it: what was left is remembered for each. */
};

/** One contribution as affinity sees it. */
struct pin_part {
    uint16_t cluster_id;
    bool is_own;          /**< Of the viewer's own cluster. */
    bool is_cut_off;      /**< In another network that the viewer has no way into. */
    uint32_t n_ready;     /**< 0 where it is not visible or drained. */
    uint32_t n_known;     /**< Ready or not, without those that are going. */
    const char *excluded; /**< Why it does not count; set here for those not preferred. */
    const char *note;     /**< Why it counts although it would not, or NULL; set here. */
};

/** What one object asks for; affinity PIN_AFFINITY_UNSET when it asks for nothing. */
struct pin_preference pin_preference_of(const struct pin_object *object, uint64_t holder);

/** The viewer's own objects' wish, else a list that the name's own objects hold. */
struct pin_preference pin_preference_find(const struct pin_facts *facts, struct pin_viewer viewer);

/**
 * Notes in `parts` which contributions do not count. Remembers in the unit which sides were left.
 * Doing it again changes nothing.
 */
void pin_prefer(const struct pin_steer *steer, const struct pin_service_unit *unit,
    const struct pin_preference *preference, struct pin_part *parts, size_t n_parts);
