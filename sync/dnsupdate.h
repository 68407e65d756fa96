/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Dynamic updates: changes as the sections of an UPDATE (RFC 2136).
 *
 *     was              prerequisite                              update
 *     a set            it exists with exactly these values       the set goes, the new values come
 *     no set           it does not exist, and nothing that       the values come
 *                      would make the server pass them over
 *
 * So a server does all of a message or none of it, and nothing at all when somebody else was
 * there first. A serial in the prerequisites would do the same, but any other change of the zone
 * would stop it. Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/name.h"

#include "provider.h"

struct pin_arena;

/** One change in wire format. */
struct pin_dnsupdate {
    const uint8_t *prerequisites;
    size_t prerequisite_bytes;
    const uint8_t *updates;
    size_t update_bytes;
    uint16_t n_prerequisites;
    uint16_t n_updates;
};

/** Longest of both sections of one change. */
#define PIN_DNSUPDATE_CHANGE_MAX 60000u

/**
 * Encodes a change.
 *
 * @param ret_update  In the arena.
 * @return PIN_OK; PIN_EINVAL, PIN_EPARSE or PIN_ELIMIT for what no server would take, explained;
 *         PIN_ENOMEM.
 */
enum pin_err pin_dnsupdate_encode(struct pin_arena *arena, const struct pin_name *zone,
    const struct pin_provider_change *change, uint32_t default_ttl_s,
    struct pin_dnsupdate *ret_update, struct pin_why *why);

/** Bytes of a message with a change, beyond those of one without it. */
static inline size_t pin_dnsupdate_bytes(const struct pin_dnsupdate *update)
{
    return update->prerequisite_bytes + update->update_bytes;
}

/** Writes a message with these changes. Returns its length, 0 when it does not fit. */
size_t pin_dnsupdate_message(const struct pin_name *zone, uint16_t id,
    const struct pin_dnsupdate *updates, size_t n_updates, uint8_t *wire, size_t cap_bytes);
