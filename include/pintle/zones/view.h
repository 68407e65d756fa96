/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Views: who asks, and how things stand with the clusters - all that a worker must know beside the
 * index, in one immutable struct that the builder replaces when a Node, an outage or a sync changes
 * it.
 *
 *     view 0                         an asker in no known cluster, in network "default"
 *     view 1 + i                     an asker in cluster i
 *       a cluster's zone             parent: the cluster's view
 *     a list of preferred clusters   parent: the view of askers in no known cluster
 *
 * A name stores something for a view of the last two kinds only where it shows the asker something
 * else than it shows the parent: most names do not depend on zones and places.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/settings.h"

/** Most views: askers beyond get the view of their cluster. */
#define PIN_VIEWS_MAX 16384u

/** View of an asker in that cluster; PIN_CLUSTER_NONE gives view 0. */
static inline uint16_t pin_view_of_cluster(uint16_t cluster_id)
{
    return cluster_id == PIN_CLUSTER_NONE ? 0 : (uint16_t)(cluster_id + 1);
}

/** Who asks. */
struct pin_asker {
    uint16_t view_id;   /**< Whose answers it gets. */
    uint16_t parent_id; /**< What names show that say nothing about that view; or the same. */
    uint16_t
        cluster_id; /**< Its identity; PIN_CLUSTER_NONE although defaultCluster lends a view. */
};

#define PIN_LACKS_V4 1u /**< A cluster whose pods have no IPv4. */
#define PIN_LACKS_V6 2u

/** What a worker has to know about a view. */
struct pin_scene_view {
    uint16_t parent_id; /**< Its own id when it has none. */
    uint16_t cluster_id;
};

/** Places of askers in no known cluster. Lives until a later scene names another one. */
struct pin_places {
    struct pin_lpm *nets;     /**< geo.map[].nets -> view id; NULL = none. */
    struct pin_lpm *database; /**< What the geo database says -> view id; NULL = none. */
    struct pin_rcu_head rcu;
};

/** The state of the world between two publications. */
struct pin_scene {
    struct pin_lpm *ranges; /**< Pod and node ranges, `clients:` -> view id, or n_views where two
                               clusters claim them; NULL = none. */
    const struct pin_settings *settings; /**< Names of clusters and zones; outlive the scene. NULL
                                            in tests without a catalog. */
    struct pin_lpm *forwarders;          /**< Whose word about the asker counts; NULL = nobody's. */
    const struct pin_places *places;     /**< NULL = none. */
    struct pin_scene_view *views;        /**< Immutable, the scene's. */
    uint16_t n_views;
    struct pin_lpm *reverse; /**< Ranges whose reverse zones are ours -> their length. */
    const uint8_t *lacks; /**< By cluster: PIN_LACKS_*; NULL: every family is shown to everybody. */
    uint16_t default_view; /**< View of askers in no known cluster. */
    uint16_t n_clusters;
    bool is_ready; /**< Negative answers are allowed: all synced once, or grace is over. */
    /** Each cluster was synced, or has what it had before a restart: a name that is there may be
     * said to have nothing of a type. */
    bool is_restored;
    bool has_unseen; /**< Some cluster was never synced: NXDOMAIN carries EDE 14. */
    bool has_down;   /**< Some bit of `down` is set. */
    struct pin_rcu_head rcu;
    uint8_t down[]; /**< One bit per cluster: out of reach; behind them what `lacks` points at. */
};

/** An asker who has that view. */
static inline struct pin_asker pin_scene_viewed(
    const struct pin_scene *scene, uint16_t view_id, uint16_t cluster_id)
{
    return (struct pin_asker){
        .view_id = view_id, .parent_id = scene->views[view_id].parent_id, .cluster_id = cluster_id};
}

/** Somebody of whom nothing is known. */
static inline struct pin_asker pin_scene_nobody(const struct pin_scene *scene)
{
    return pin_scene_viewed(scene, scene->default_view, PIN_CLUSTER_NONE);
}

/** Who asks from an address in no cluster's ranges: by its place. */
static inline struct pin_asker pin_scene_stranger(
    const struct pin_scene *scene, const struct pin_ip *source)
{
    uint32_t view = PIN_LPM_NONE;
    if (scene->places != NULL) {
        view = pin_lpm_find(scene->places->nets, source);
        view = view == PIN_LPM_NONE ? pin_lpm_find(scene->places->database, source) : view;
    }
    return view < scene->n_views ? pin_scene_viewed(scene, (uint16_t)view, PIN_CLUSTER_NONE)
                                 : pin_scene_nobody(scene);
}

/** Who asks from that address. Cost: one binary search, more for strangers. Hot path. */
static inline struct pin_asker pin_scene_asker(
    const struct pin_scene *scene, const struct pin_ip *source)
{
    uint32_t view = scene->ranges != NULL ? pin_lpm_find(scene->ranges, source) : PIN_LPM_NONE;
    if (view >= scene->n_views) {
        return view == PIN_LPM_NONE ? pin_scene_stranger(scene, source) : pin_scene_nobody(scene);
    }
    return pin_scene_viewed(scene, (uint16_t)view, scene->views[view].cluster_id);
}

/** Who asks where everybody belongs to that cluster: the address still tells the zone. */
static inline struct pin_asker pin_scene_member(
    const struct pin_scene *scene, uint16_t cluster_id, const struct pin_ip *source)
{
    struct pin_asker asker = pin_scene_asker(scene, source);
    return asker.cluster_id == cluster_id
               ? asker
               : pin_scene_viewed(scene, pin_view_of_cluster(cluster_id), cluster_id);
}

/**
 * Bits of the shortest prefix around an address whose addresses all have the same view as it has
 * (RFC 7871: the scope of an answer that depends on the view). 0: everybody has it.
 */
static inline uint8_t pin_scene_scope(const struct pin_scene *scene, const struct pin_ip *source)
{
    uint8_t bits = pin_lpm_scope(scene->ranges, source);
    if (scene->places == NULL || pin_lpm_find(scene->ranges, source) != PIN_LPM_NONE) {
        return bits;
    }
    uint8_t nets_bits = pin_lpm_scope(scene->places->nets, source);
    bits = nets_bits > bits ? nets_bits : bits;
    if (pin_lpm_find(scene->places->nets, source) != PIN_LPM_NONE) {
        return bits;
    }
    uint8_t database_bits = pin_lpm_scope(scene->places->database, source);
    return database_bits > bits ? database_bits : bits;
}

/** Whether addresses of a family are kept from the view's askers (compat.filterFamilies). */
static inline bool pin_scene_hides(const struct pin_scene *scene, uint16_t view_id, bool is_v6)
{
    return scene->lacks != NULL && view_id > 0
           && (scene->lacks[view_id - 1] & (is_v6 ? PIN_LACKS_V6 : PIN_LACKS_V4)) != 0;
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
