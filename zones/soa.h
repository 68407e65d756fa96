/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * SOA: the builder's side. A zone's serial is later after each publication that changed the zone,
 * and a file's serial counts as soon as it is later than what is shown.
 */

#include "pintle/zones/index.h"

/** The first SOA of a zone; NULL: memory is out. */
struct pin_soa *pin_soa_new(const struct pin_zone_spec *spec);

/**
 * Shows what a zone file says: a whole RR with PIN_OWNER_POINTER as its owner, copied. The serial
 * moves with pin_soa_settle() only, but for the first file.
 */
enum pin_err pin_soa_set(
    struct pin_zone *zone, const uint8_t *rr, size_t rr_bytes, uint32_t negative_ttl_s);

/** Shows the same SOA with another serial. False: memory is out. */
bool pin_soa_move(struct pin_zone *zone, uint32_t serial);

/** Moves the serial of a zone that is marked is_changed, or whose file says a later one, and takes
 * the mark away. False: memory is out; call again. Builder, once per round. */
bool pin_soa_settle(struct pin_zone *zone);
