/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Weights: nested shares (backend, cluster, address) turned into plain integers, exactly. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Addresses that share alike inside one cluster's part of one backend. */
struct pin_weight_group {
    uint32_t backend_i; /**< Which backend it is a part of. */
    uint32_t n_items;   /**< Addresses, 1 or more. */
    uint64_t weight; /**< Its part of the backend, beside the backend's other groups; 1 or more. */
    uint64_t item_weight; /**< Result: the weight of each of its addresses; 1 or more. */
    bool is_empty;        /**< Nobody's: a share of the questions that gets no address. */
    bool is_counted;      /**< Its weight is the number of endpoints behind it. */
    uint32_t n_members;   /**< Slots of the endpoints behind its addresses; checks.c's. */
    const uint32_t *members;
};

/**
 * Fills item_weight so that each address has exactly the share
 *
 *     backend weight / sum over backends with groups * group weight / sum in its backend / n_items
 *
 * in lowest terms. Where the integers would pass 2^46 in total, shares are rounded to 2^-40
 * instead.
 *
 * @param backend_weights  By backend_i, 1 or more for every backend that a group names.
 */
void pin_weight_spread(
    const uint32_t *backend_weights, struct pin_weight_group *groups, size_t n_groups);
