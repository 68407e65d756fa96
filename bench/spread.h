/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Spread: how durations are distributed, in buckets of 1.6 % width. Fixed memory, no order needed.
 */

#include <stdint.h>

#define SPREAD_STEP_BITS 6U /**< 64 buckets between two powers of two. */
#define SPREAD_N_BUCKET  (64U << SPREAD_STEP_BITS)

/** Zeroed it is empty. */
struct pin_spread {
    uint64_t n;
    uint64_t max_ns;
    uint32_t buckets[SPREAD_N_BUCKET];
};

/** Counts one duration. */
void pin_spread_add(struct pin_spread *spread, uint64_t ns);

/** The duration that `share` (0 to 1) of all do not exceed; 0 when there are none. */
uint64_t pin_spread_quantile(const struct pin_spread *spread, double share);

/** Prints " p50_us=... p99_us=... p999_us=... max_us=..." */
void pin_spread_print(const struct pin_spread *spread);
