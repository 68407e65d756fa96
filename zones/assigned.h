/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Assigned names: the stable name of each route (design, section 3, "Names"). */

#include "pintle/zones/name.h"
#include "pintle/zones/settings.h"

/**
 * Makes `<route>-<namespace>-<id>.<zones.assigned>`: the route's name cut to 20 letters, the
 * namespace to 18, dots as dashes, dashes at a cut removed; the id is the first 16 hex digits of
 * the SHA-256 of `clusterSet/cluster/kind/namespace/name`. Depends on nothing else, so a route made
 * again has it again.
 */
void pin_assigned_name(const struct pin_settings *settings, uint16_t cluster_id,
    const struct pin_object *route, struct pin_name *ret_name);
