/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Changes: what was applied to the catalog and has to be told to others, as values to share.
 *
 *     apply -> [keys that changed]  ... take -> (cluster, key, bundle as it is now), at most so
 * many
 *
 * Only keys wait, each once, however often its objects changed; what they stand for is packed when
 * it is taken. So what waits is bounded by what there is. A cluster is followed from the moment
 * somebody asks for all it has, and costs nothing before. Builder only. Pods are not shared.
 *
 *     s/NAMESPACE/NAME           a service: its Service, slices, exports and import
 *     o/KIND/NAMESPACE/NAME      any other object; the namespace may be empty
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/catalog.h"

/** One key, and what it holds now. */
struct pin_change {
    char *key; /**< Owned. */
    size_t key_bytes;
    char *value; /**< Owned; NULL: nothing is left of it. */
    size_t value_bytes;
    uint16_t cluster_id;
};

/** How a cluster stands, as of the same moment. */
struct pin_change_cluster {
    bool is_up;
    bool is_synced;
    bool is_followed;
    /** Kinds (bits) that claim records outside, and of which not all was listed since the start:
     * what is missing of them may be there. */
    uint32_t unknown;
};

/** What was taken at one time. Zeroed is empty. */
struct pin_changes_taken {
    struct pin_change *items;
    size_t n;
    struct pin_change_cluster *clusters; /**< By cluster id. */
    size_t n_clusters;
    bool has_more;
};

/** One request for changes, for whoever has to reach the builder's thread. */
struct pin_changes_pull {
    bool is_first;       /**< Nobody is followed any more before it. */
    const bool *follows; /**< By cluster id: whom to follow from now on, too. */
    size_t n_follows;
    size_t n_max; /**< As for pin_catalog_take_changes(). */
    size_t bytes_max;
    struct pin_changes_taken taken; /**< The outcome. */
    void (*done)(void *arg);        /**< Called when it is there, by whoever made the request. */
    void *arg;
};

/** Does what a request says. */
void pin_catalog_pull(struct pin_catalog *catalog, struct pin_changes_pull *pull);

/** Whether something waits, or some cluster stands otherwise than at the last take, and nobody was
 * told since. */
bool pin_catalog_has_changes(const struct pin_catalog *catalog);

/** Whoever takes was told. */
void pin_catalog_set_changes_told(struct pin_catalog *catalog);

/** Follows the cluster from now on, and notes all it has. */
void pin_catalog_follow(struct pin_catalog *catalog, uint16_t cluster_id);

/** Follows nobody, forgets what waits, and only tells how clusters stand. */
void pin_catalog_follow_nobody(struct pin_catalog *catalog);

/**
 * Takes what waits, oldest first: up to `n_max` keys, and no further one once their values have
 * `bytes_max` bytes. Where memory is out, what was not taken waits on.
 *
 * @param ret_taken  The caller calls pin_changes_taken_done().
 * Cost: packs what it takes.
 */
void pin_catalog_take_changes(struct pin_catalog *catalog, size_t n_max, size_t bytes_max,
    struct pin_changes_taken *ret_taken);

/** Frees what it holds and empties it. Any thread. */
void pin_changes_taken_done(struct pin_changes_taken *taken);
