/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Held addresses: those at which a unit has a name in the reverse table, in as few bytes as they
 * have. There are as many as endpoints.
 *
 *     groups, ascending:  cluster id u16, kind u8, family u8, n u32, n addresses of 4 or 16 bytes
 *
 * Builder's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"

/** One of them. */
struct pin_held_address {
    struct pin_ip ip;
    uint8_t kind; /**< enum pin_reverse_kind */
    uint16_t cluster_id;
};

/** All of a unit. A zeroed one is empty. */
struct pin_held_addresses {
    uint8_t *bytes; /**< Owned; freed with free(). */
    size_t n_bytes;
};

/** Where a reader is; zeroed: before the first. */
struct pin_held_at {
    size_t at;
    uint32_t n_left; /**< Of this group. */
    struct pin_held_address group;
};

/** The order they stand in: by cluster, kind, family, address. */
int pin_held_compare(const struct pin_held_address *a, const struct pin_held_address *b);

/** Reads the next one; false when there are no more. */
bool pin_held_next(
    const struct pin_held_addresses *held, struct pin_held_at *at, struct pin_held_address *ret);

/** Bytes that pin_held_write() writes for `n` addresses. */
size_t pin_held_bytes(const struct pin_held_address *addresses, size_t n);

/** Writes `n` addresses, in their order and each once, to where that many bytes are. */
void pin_held_write(uint8_t *to, const struct pin_held_address *addresses, size_t n);
