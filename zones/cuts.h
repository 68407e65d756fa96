/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Names below a delegation that a DNSEndpoint or a zone file makes in a custom zone. Records of
 * DNSEndpoints there are others': they are glue at most, go to secondaries, and are answered with
 * the referral (RFC 2181, section 6; RFC 9471), as is what is there only for names below it. Those
 * of routes and of the zone's file are there by their own right and stay. Builder only.
 */

#include "zones/units.h"

/** Whether the name is a delegation now. */
bool pin_cuts_has(const struct pin_catalog *catalog, const struct pin_name *name);

/** Settles a hostname that was compiled; `was_cut` is what pin_cuts_has() said before. */
void pin_cuts_settle(struct pin_catalog *catalog, const struct pin_host_unit *host, bool was_cut);

/**
 * Settles all names where a delegation came or went since. Cost: nothing where none did, else some
 * lookups for each hostname and each name of the files of custom zones.
 */
void pin_cuts_settle_all(struct pin_catalog *catalog);
