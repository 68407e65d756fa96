/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tally: the builder's side of pintle/zones/tally.h.
 */

#include <stdbool.h>

#include "pintle/zones/tally.h"

/** One part of a table: the addresses of a backend in a cluster. */
struct pin_tally_part {
    const char *cluster; /**< Never NULL. */
    const char *backend; /**< Never NULL. */
    double share;        /**< Of all answers of the table, 0 to 1. */
};

/** What a table wants counted. Borrowed. */
struct pin_tally_want {
    struct pin_tally *tally;
    const char *route;
    const struct pin_tally_part *parts;
    size_t n_parts;         /**< 1 to PIN_TALLY_PARTS_MAX. */
    const uint8_t *part_of; /**< By RR: its part. */
};

/**
 * Takes a block of n_parts + 1 counters, all 0.
 *
 * @return Its first counter, which is that of answers without an address; the parts' follow. 0:
 * there is none left, or no memory: the table is not counted. Builder.
 */
uint32_t pin_tally_open(const struct pin_tally_want *want);

/** Whether the block with that first counter was opened for the same route and parts; shares are
 * not looked at. 0 is fine for any: what is not counted is left so while it stays. Builder. */
bool pin_tally_is_for(const struct pin_tally_want *want, uint32_t first);

/** What one block has counted itself. */
struct pin_tally_sum {
    uint64_t n_answers; /**< With and without an address. */
    uint64_t series;    /**< Of this block alone; another one began at 0. 0: there is none. */
};

/** Calls `fn` for each part of the block with that first counter, with what it has counted itself,
 * and returns the sum; 0 is fine for `first`. Builder. */
struct pin_tally_sum pin_tally_read_block(
    struct pin_tally *tally, uint32_t first, pin_tally_fn *fn, void *arg);

/** Adds the block with that first counter to its rows and gives it back once no worker counts there
 * any more. 0 is fine. Builder. */
void pin_tally_close(struct pin_tally *tally, uint32_t first);
