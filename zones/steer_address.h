/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Which addresses stand for one cluster's endpoints (design: "Which address an answer
 * shows"). */

#include "zones/steer.h"

/** How a contribution enters a plan. */
struct pin_address_want {
    uint32_t backend_i;
    uint64_t weight; /**< Of the group; 0: the number of ready endpoints behind it. */
    bool is_counted; /**< The weight is that number. */
    bool is_probed;  /**< Addresses from outside: they are checked themselves. */
    bool is_blind;   /**< Verdicts do not matter. */
    bool is_used;    /**< Result: an address was added. */
};

/** Why a contribution whose cluster is out of reach does not count any more. */
#define PIN_STEER_DROPPED "its cluster is out of reach for longer than stale-after (stale: drop)"

/** NULL when the contribution counts for the viewer, else why not. `own` is that of the viewer's
 * own cluster, or NULL. */
const char *pin_steer_excluded(const struct pin_facts *facts, const struct pin_contribution *c,
    struct pin_viewer viewer, const struct pin_contribution *own);

/** Whether the viewer has a way to the contribution: not into another network without gateway or
 * load-balancer address. Of some address family, which may not be the one that is asked for. */
bool pin_steer_has_way(
    const struct pin_steer *steer, const struct pin_contribution *c, struct pin_viewer viewer);

/** Adds the contribution's addresses for the viewer. Returns a remark for people, or NULL. */
const char *pin_steer_addresses(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_viewer viewer, struct pin_address_want *want);

/**
 * Adds those of `ips` that are of the plan's family as one group of weight want->weight, each a
 * share like `like`; returns how many.
 */
uint32_t pin_steer_add_ips(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_ip *ips, size_t n_ips, const struct pin_share *like,
    struct pin_address_want *want);

/** Adds what a cluster's own zone shows: its ClusterIPs always, else its endpoints. */
void pin_steer_own_addresses(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, struct pin_address_want *want);

/** The address mode in force for an object: annotation, namespace, cluster, configuration. */
enum pin_address_mode pin_steer_mode(
    const struct pin_steer *steer, const struct pin_object *object, uint16_t cluster_id);

/** Makes room for one more element in an arena array; NULL when memory is out. */
void *pin_steer_grow(
    const struct pin_steer *steer, void *items, size_t n, size_t *cap, size_t item_bytes);

/** Adds a backend's share that gets no address: its part of the questions gets NODATA. */
void pin_steer_add_empty(const struct pin_steer *steer, struct pin_plan *plan, uint32_t backend_i);

/**
 * Turns groups into weights, sorts the shares and folds addresses that stand twice.
 * `backend_weights` has one weight for each of the n_backends backends.
 */
void pin_steer_finish(const struct pin_steer *steer, struct pin_plan *plan,
    const uint32_t *backend_weights, size_t n_backends);
