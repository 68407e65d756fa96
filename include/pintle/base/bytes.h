/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Numbers in network byte order at a place that is known to be long enough; base/buf.h checks.
 */

#include <stdint.h>

/** The two bytes at `at` as a host-order number. */
static inline uint16_t pin_get_be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

/** The four bytes at `at` as a host-order number. */
static inline uint32_t pin_get_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/** Writes the low 16 bits of a host-order number to two bytes. */
static inline void pin_put_be16(uint8_t *at, unsigned value)
{
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/** Writes a host-order number to four bytes. */
static inline void pin_put_be32(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}
