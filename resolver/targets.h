/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Targets: writes the SRV records of a table of form PIN_TABLE_TARGETS, and the addresses of their
 * targets. Workers only; allocates nothing.
 */

#include "pintle/zones/targets.h"

#include "response.h"

/** Where the records stand, and below which name their targets. */
struct pin_targets_place {
    const struct pin_node *node; /**< The service's, or a port's below it. */
    const struct pin_name *apex; /**< As the asker calls the zone. */
    size_t owner_at;             /**< Of the records' owner in the message. */
    bool hides[2];               /**< IPv4, IPv6: addresses of that family are not told. */
};

/**
 * Adds as many records as fit; those left out set TC over UDP. Then as many addresses as fit, of
 * at most PIN_EXTRAS_MAX targets.
 */
void pin_targets_add(struct pin_response *response, const struct pin_table *table,
    const struct pin_targets_place *place);
