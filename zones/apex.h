/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Apex: what the zones that are no files say of themselves: SOA, NS, and the addresses of name
 * servers whose names lie in them (RFC 1034, section 4.2.1). Builder, before workers read.
 */

#include "zones/units.h"

/** The name of a label below an apex. False: it is too long. */
bool pin_apex_name(const char *label, const struct pin_name *apex, struct pin_name *ret_name);

/** Adds a zone with the SOA and the NS that the settings say; the index has it. */
enum pin_err pin_apex_add_zone(struct pin_catalog *catalog, const char *text, uint32_t serial,
    struct pin_zone **ret_zone, struct pin_why *why);

/** Puts the addresses of the settings at the name servers' names that lie in zones of ours, those
 * of files excepted. Once, when all zones were added. */
enum pin_err pin_apex_put_addresses(struct pin_catalog *catalog, struct pin_why *why);

/** Whether the name is such a name server's: no hostname of a route gets it. */
bool pin_apex_has(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name);
