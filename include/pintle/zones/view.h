/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Views: who asks, and how things stand with the clusters - all that a worker must know beside the
 * index, in one immutable struct that the builder replaces when a Node, an outage or a sync changes
 * it.
 *
 * View 0 is an asker in no known cluster and in network "default"; view 1 + i is an asker in
 * cluster i.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/settings.h"

/** View of an asker in that cluster; PIN_CLUSTER_NONE gives view 0. */
static inline uint16_t pin_view_of_cluster(uint16_t cluster_id)
{
    return cluster_id == PIN_CLUSTER_NONE ? 0 : (uint16_t)(cluster_id + 1);
}

/** Who asks. */
struct pin_asker {
    uint16_t view_id; /**< Whose answers it gets. */
    uint16_t
        cluster_id; /**< Its identity; PIN_CLUSTER_NONE although defaultCluster lends a view. */
};

/** The state of the world between two publications. */
struct pin_scene {
    struct pin_lpm *ranges;     /**< Pod and node ranges, `clients:` -> cluster id; NULL = none. */
    struct pin_lpm *forwarders; /**< Whose word about the asker counts; NULL = nobody's. */
    uint16_t default_view;      /**< View of askers in no known cluster. */
    uint16_t n_clusters;
    bool is_ready;   /**< Negative answers are allowed: all synced once, or grace is over. */
    bool has_unseen; /**< Some cluster was never synced: NXDOMAIN carries EDE 14. */
    bool has_down;   /**< Some bit of `down` is set. */
    struct pin_rcu_head rcu;
    uint8_t down[]; /**< One bit per cluster: out of reach. */
};

/** Who asks from that address. Cost: one binary search. Hot path. */
static inline struct pin_asker pin_scene_asker(
    const struct pin_scene *scene, const struct pin_ip *source)
{
    uint32_t cluster = scene->ranges != NULL ? pin_lpm_find(scene->ranges, source) : PIN_LPM_NONE;
    if (cluster >= scene->n_clusters) {
        return (struct pin_asker){.view_id = scene->default_view, .cluster_id = PIN_CLUSTER_NONE};
    }
    return (struct pin_asker){.view_id = (uint16_t)(cluster + 1), .cluster_id = (uint16_t)cluster};
}

/** Whether any of these clusters is out of reach. */
static inline bool pin_scene_any_down(
    const struct pin_scene *scene, const uint16_t *clusters, uint16_t n_clusters)
{
    for (uint16_t i = 0; i < n_clusters; i++) {
        if ((scene->down[clusters[i] / 8u] >> (clusters[i] % 8u)) & 1u) {
            return true;
        }
    }
    return false;
}
