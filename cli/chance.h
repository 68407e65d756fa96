/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Chance: how likely it is that counts stray so far from what was wanted by luck alone. Daemons
 * draw more evenly than luck does, so that a good split is far on the safe side.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One outcome. */
struct pin_outcome {
    double wanted; /**< Its probability, 0 to 1. */
    uint64_t counted;
};

/** Result of a comparison. */
struct pin_chance {
    double chi_square;
    unsigned degrees; /**< Of freedom; 0: there is nothing to compare. */
    double p;         /**< Of a split as far off or farther; 1 when there is nothing to compare. */
};

/**
 * Pearson's test of counts against probabilities that sum to 1. Outcomes expected less than 5 times
 * count together, where the test would not hold; one that cannot be and was counted gives p 0.
 */
struct pin_chance pin_chance_split(const struct pin_outcome *outcomes, size_t n);

/**
 * A bound on the probability that something of probability `wanted` is counted as far off as
 * `counted` times in `n` (Chernoff's, both sides). Holds for every n.
 */
double pin_chance_bound(double wanted, uint64_t counted, uint64_t n);
