/* SPDX-License-Identifier: Apache-2.0 */

/* Who contributes to a clusterset name, seen by one viewer. */

#include "zones/steer_address.h"

const char *pin_steer_excluded(const struct pin_facts *facts, const struct pin_contribution *c,
    struct pin_viewer viewer, const struct pin_contribution *own)
{
    bool is_own = own != NULL && c == own;
    if (c->is_dropped) {
        return PIN_STEER_DROPPED;
    }
    if (facts->is_mcs) {
        if (c->is_exported || (c->is_global && (is_own || !c->is_unshared))) {
            return NULL;
        }
        return "not exported";
    }
    bool sees_own_only = own != NULL && !own->is_global && viewer.cluster_id != PIN_CLUSTER_NONE;
    if (sees_own_only) {
        return is_own ? NULL : "the asker's own Service is not global";
    }
    if (!c->is_global) {
        return "not global";
    }
    return is_own || !c->is_unshared ? NULL : "not shared (service.cilium.io/shared: false)";
}

bool pin_steer_is_visible(
    const struct pin_facts *facts, const struct pin_contribution *c, struct pin_viewer viewer)
{
    const struct pin_contribution *own =
        viewer.cluster_id != PIN_CLUSTER_NONE ? pin_facts_own(facts, viewer.cluster_id) : NULL;
    return pin_steer_excluded(facts, c, viewer, own) == NULL;
}
