/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * One backend of a plan, for the files that go through them: steer.c knows a service's
 * contributions, steer_route.c what a route draws on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "zones/prefer.h"
#include "zones/steer.h"

/** What is known of one backend while its contributions are gone through. */
struct pin_backend_plan {
    const struct pin_facts *facts;
    struct pin_viewer viewer;
    const struct pin_contribution *own;
    uint32_t backend_i;
    struct pin_preference preference;
    struct pin_part *parts;  /**< by contribution */
    bool is_narrowed;        /**< to the asker's zone */
    uint32_t n_ready;        /**< endpoints of all parts that are visible and not drained */
    uint32_t n_up;           /**< of these, those that no probe says are down */
    bool has_weightless;     /**< a part that is visible has weight 0 */
    bool is_standby;         /**< no part with a weight is left: those of weight 0 count */
    bool has_cluster_weight; /**< some contribution has one: the others count 1 */
    const char *kind;
    uint32_t weight;                     /**< of the backendRef */
    const struct pin_backend_ref *ref;   /**< NULL at service names */
    const struct pin_object *aws_export; /**< that brings the contribution in, or NULL */
};

/** Why a part is left out when others have endpoints where the asker is. */
#define PIN_STEER_OTHER_ZONE                                                                       \
    "trafficDistribution: other clusters have endpoints in the asker's zone"

/** Adds a line of explanation; when memory is out, the answer stands without it. */
void pin_steer_add_row(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_backend_row *row);

/** A cluster's whole contribution, as its Service, export or configuration says. */
uint32_t pin_steer_cluster_weight(const struct pin_steer *steer, const struct pin_backend_plan *b,
    const struct pin_contribution *c);

/**
 * Adds the addresses of one contribution as a group, and its line of explanation.
 *
 * @param part  What affinity said of it, or NULL.
 */
void pin_steer_add_contribution(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_backend_plan *b, const struct pin_contribution *c,
    const struct pin_part *part);

/**
 * Narrows parts to the asker's zone, unless probes say that all there are down. NULL: all count.
 *
 * @param parts  `n` of them; NULL ones do not count. The result is parallel, in the arena.
 */
const struct pin_contribution *pin_steer_narrow_parts(const struct pin_steer *steer,
    struct pin_plan *plan, const struct pin_contribution *const *parts, size_t n,
    struct pin_backend_plan *b);

/** Adds what all clusters contribute to the service that `b->facts` are of. */
void pin_steer_clusterset(
    const struct pin_steer *steer, struct pin_plan *plan, struct pin_backend_plan *b);
