/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Targets: the SRV records of a headless service in few bytes.
 *
 * Written out, each record repeats the whole name of its endpoint, in the service's own and its
 * ports' RRsets and once more for askers who call the zone by its common name. A table of form
 * PIN_TABLE_TARGETS holds what differs, and a worker writes the records and the addresses of their
 * targets from it:
 *
 *     ttl u32
 *     n_rr times: port u16, weight u16, label (length u8), source (length u8, wire labels),
 *                 n_ips u8, n_ips times: family u8, address (4 or 16)
 *
 * A target is <label>.<source>.<service>; a label of length 0 is the first address with dashes.
 *
 * Such endpoints have no nodes either, as long as every asker is shown their own addresses: names
 * <dashed-ip>.<parent> are answered from the table of addresses (reverse.h) where the parent's node
 * has the flag PIN_NODE_HAS_DASHED.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/** Most addresses of one target. */
#define PIN_TARGET_IPS_MAX UINT8_MAX
/** Where a table's first row starts. */
#define PIN_TARGETS_HEAD_BYTES 4u

/** One record. Points into the table. */
struct pin_target_row {
    uint16_t port;
    uint16_t weight;
    const uint8_t *label;  /**< Length and letters. */
    const uint8_t *source; /**< Length and wire labels without root. */
    const uint8_t *ips;    /**< A family and its 4 or 16 bytes, each. */
    uint8_t n_ips;         /**< 1 or more. */
};

/** Bytes of an address with its family in front. */
static inline size_t pin_target_ip_bytes(const uint8_t *ip)
{
    return ip[0] == 4 ? 5 : 17;
}

/** Reads the row at `at`; returns where the next one starts. */
static inline const uint8_t *pin_targets_next(const uint8_t *at, struct pin_target_row *ret)
{
    ret->port = (uint16_t)(at[0] << 8 | at[1]);
    ret->weight = (uint16_t)(at[2] << 8 | at[3]);
    ret->label = at + 4;
    ret->source = ret->label + 1 + ret->label[0];
    at = ret->source + 1 + ret->source[0];
    ret->n_ips = at[0];
    ret->ips = ++at;
    for (uint8_t i = 0; i < ret->n_ips; i++) {
        at += pin_target_ip_bytes(at);
    }
    return at;
}

/** Whether two rows have the same target. */
static inline bool pin_targets_are_same(
    const struct pin_target_row *a, const struct pin_target_row *b)
{
    return a->label[0] == b->label[0] && memcmp(a->label + 1, b->label + 1, a->label[0]) == 0
           && a->source[0] == b->source[0]
           && memcmp(a->source + 1, b->source + 1, a->source[0]) == 0
           && (a->label[0] > 0
               || (a->ips[0] == b->ips[0]
                   && memcmp(a->ips + 1, b->ips + 1, pin_target_ip_bytes(a->ips) - 1) == 0));
}
