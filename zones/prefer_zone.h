/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Prefer zone: which endpoints are in the asker's zone (design, "Weights": trafficDistribution).
 *
 * An endpoint is in the zones that its hints name when every ready endpoint of its cluster's
 * Service has hints, else in the zone it runs in (kube-proxy's rule). While a zone has a ready
 * endpoint, those in it count alone; else everybody's do.
 */

#include "zones/merge.h"

/** Whether one of the units has an endpoint in the zone, ready or not. Cost: their endpoints. */
bool pin_zone_matters(
    const struct pin_service_unit *const *units, size_t n_units, const char *zone);

/** Whether the name's objects ask for it. Headless names always show all endpoints. */
bool pin_zone_is_preferred(const struct pin_facts *facts);

/**
 * Copies of contributions with the endpoints alone that are in the zone, by position. NULL when
 * there are none, or no memory.
 *
 * @param parts  Who counts; NULL for those who do not.
 */
const struct pin_contribution *pin_zone_narrow(struct pin_arena *arena,
    const struct pin_contribution *const *parts, size_t n_parts, const char *zone);
