/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Merge: what all clusters together say about one service name, before anybody asks.
 *
 * A *contribution* is one cluster's endpoints for the name: of its own Service, or of
 * EndpointSlices that an MCS implementation imported there from a cluster that Pintle does not see
 * itself.
 */

#include "pintle/base/arena.h"

#include "zones/units.h"

/** Families in arrays: [0] IPv4, [1] IPv6. */
enum pin_family_i {
    PIN_FAMILY_V4,
    PIN_FAMILY_V6,
    PIN_FAMILY_MAX,
};

/** One endpoint address that may be shown, and the slice that names its ports. */
struct pin_ready {
    const struct pin_object *slice;
    struct pin_ip ip;
    uint32_t row; /**< Of the slice. */
};

/** Slots of a contribution's endpoints by family, parallel to `ready`; NULL until asked for. */
struct pin_contribution_slots {
    uint32_t *slots[PIN_FAMILY_MAX];
    bool has_any[PIN_FAMILY_MAX]; /**< Not all of them are PIN_SLOT_NONE. */
};

/** One cluster's endpoints for the name. */
struct pin_contribution {
    uint16_t cluster_id; /**< Where the data comes from; imported: the importing cluster. */
    const char *source;  /**< Cluster id in names of endpoints; may have two labels. */
    const struct pin_service_unit *unit;
    const struct pin_object *service; /**< NULL when imported. */
    const struct pin_object *since; /**< Export, import or Service whose age counts in conflicts. */
    bool is_dropped; /**< Its cluster is out of reach for too long: it has no endpoint. */
    bool is_probing; /**< ... and has those endpoints alone that no probe says are down. */
    const struct pin_drain *drain; /**< What takes it, or first some of its endpoints, out. */
    bool is_drained;               /**< It is out as a whole: it has no ready endpoint. */
    bool has_drained;              /**< Some of its endpoints are out. */
    bool is_imported;
    bool is_exported; /**< By an MCS ServiceExport. */
    bool is_global;   /**< By Cilium's annotation. */
    bool is_unshared;
    const struct pin_check *check;                 /**< How its addresses are checked, or NULL. */
    struct pin_contribution_slots *slots;          /**< checks.c's: found once for all viewers. */
    const struct pin_ready *ready[PIN_FAMILY_MAX]; /**< Ascending address, each once. */
    uint32_t n_ready[PIN_FAMILY_MAX];
    bool is_backend;            /**< Of a route: pin_steer_narrow(). */
    const uint16_t *only_ports; /**< The Service's ports that the route reaches; NULL = all. */
    size_t n_only_ports;
    uint32_t n_staying[PIN_FAMILY_MAX]; /**< Addresses known that are not terminating. */
    uint32_t n_total;                   /**< Addresses known, ready or not, both families. */
};

/** All of it. Lives in the arena it was made in. */
struct pin_facts {
    const struct pin_service_unit *unit;
    struct pin_contribution *contributions;
    size_t n_contributions;
    const struct pin_port **ports; /**< Union over the contributors; the older one wins. */
    size_t n_ports;
    /** Whose annotations count for the name, the first that says something: the oldest
     * contribution's Service, its export, the oldest import. Absent ones are NULL. */
    const struct pin_object *annotated[3];
    bool exists; /**< Has a name in the clusterset zone. */
    bool is_mcs; /**< Some cluster has an MCS export or import. */
    bool is_headless;
};

/** Endpoints ready for use: the larger of the two families, which show the same pods. */
static inline uint32_t pin_contribution_ready(const struct pin_contribution *c)
{
    return c->n_ready[0] > c->n_ready[1] ? c->n_ready[0] : c->n_ready[1];
}

/** Endpoints known, ready or not, but for those that are going: what shares are taken of. */
static inline uint32_t pin_contribution_known(const struct pin_contribution *c)
{
    return c->n_staying[0] > c->n_staying[1] ? c->n_staying[0] : c->n_staying[1];
}

/** Whether `a` goes first in conflicts: it is older, or of equal age and its source's name is
 * first.
 */
bool pin_contribution_is_before(const struct pin_contribution *a, const struct pin_contribution *b);

/** Collects the facts of a unit in `arena`. NULL when memory is out. Cost: a sort of its endpoints.
 */
struct pin_facts *pin_merge_facts(const struct pin_settings *settings,
    const struct pin_service_unit *unit, struct pin_arena *arena);

/** The contribution of a cluster's own Service, or NULL. */
const struct pin_contribution *pin_facts_own(const struct pin_facts *facts, uint16_t cluster_id);
