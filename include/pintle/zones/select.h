/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Select: which RRs of a drawn table one answer shows, and in which order.
 *
 * Let W be the weights with sum S, and k the number of RRs to show, k <= S / max W. The weights lie
 * end to end on a circle of circumference k*S, each stretched by k. The answer is what lies at turn
 * + j*S, j = 0 .. k-1. So over all k*S turns each RR is in the answer k*k*W times - with
 * probability k*W/S - and first in it with probability W/S, exactly.
 *
 *     k = 2   |---- a ----|-- b --|---- c ----|      circumference 2*S
 *                  ^turn             ^turn + S        answer: a, c
 *
 * A *sticky* table asks the asker instead of a turn: each RR throws a die of its own for each
 * asker, and the best throw wins (weighted rendezvous hashing: Schindelhauer and Schomaker, 2005).
 * An RR that goes moves only those who had it.
 *
 * Turns follow the golden ratio (a Kronecker sequence), one sequence per table and worker, so that
 * any 30 answers in a row come close to the shares.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/table.h"
#include "pintle/zones/tally.h"

/** Most RRs that subset and all modes show (steering.maxAnswers' upper bound). */
#define PIN_PICK_MAX 64u

/** The counters of one worker thread: one per table slot. Only that thread touches them. */
struct pin_draws {
    uint32_t *count;        /**< n_slots counters, demand-paged. */
    uint32_t slot_mask;     /**< n_slots - 1; n_slots is a power of two. */
    uint64_t offset;        /**< Where this worker's sequences start. */
    struct pin_stat *tally; /**< What the worker counts by route (tally.h); NULL: it does not. */
};

/**
 * Reserves counters for up to `n_slots` (a power of two) slots: address space, not memory. Workers
 * with another `worker_i` start elsewhere on the circle.
 */
enum pin_err pin_draws_init(struct pin_draws *draws, uint32_t n_slots, uint32_t worker_i);

/** Gives the counters back; a zeroed struct is fine. */
void pin_draws_done(struct pin_draws *draws);

/** The next turn of that slot, uniform over 64 bits in the long run. Hot path. */
static inline uint64_t pin_draws_next(struct pin_draws *draws, uint32_t slot)
{
    uint32_t n = draws->count[slot & draws->slot_mask]++;
    return draws->offset + (uint64_t)n * UINT64_C(0x9E3779B97F4A7C15);
}

/** Counts an answer of a counted table: the part of the RR that stands first in it. Hot path. */
static inline void pin_draws_count(
    struct pin_draws *draws, const struct pin_table *table, uint16_t first_rr_i)
{
    pin_stat_add(&draws->tally[table->tally + 1 + pin_table_parts(table)[first_rr_i]], 1);
}

/** Counts one in which nothing stands first. */
static inline void pin_draws_count_none(struct pin_draws *draws, const struct pin_table *table)
{
    pin_stat_add(&draws->tally[table->tally], 1);
}

/**
 * Picks for one position on the circle.
 *
 * @param table      DRAWN, mode subset or single.
 * @param position   0 to n_pick * total - 1.
 * @param n_pick     1 to n_pick_max.
 * @param ret_rr_i   Room for n_pick; receives positions in the table, the first pick first, all
 * distinct. Cost: a binary search, then a walk. No allocation.
 */
void pin_select_at(
    const struct pin_table *table, uint64_t position, uint16_t n_pick, uint16_t *ret_rr_i);

/**
 * The one RR of a sticky table that an asker gets.
 *
 * @param key    Stands for the asker; keys of different askers differ anywhere.
 * @param shown  One bit by RR: those that count; NULL for all.
 * @return How many RRs it gets: 1, or 0 where the table holds a share of NODATA or nothing counts.
 * Cost: some nanoseconds for each RR. No allocation.
 */
uint16_t pin_select_sticky(
    const struct pin_table *table, uint64_t key, const uint64_t *shown, uint16_t *ret_rr_i);

/**
 * Adds one RR of each other group to the first RR of an answer of mode group, by their shares in
 * their groups.
 *
 * @param turn      Of the first one.
 * @param n_pick    RRs that may be shown, the first one counted: 1 to PIN_PICK_MAX.
 * @param shown     As above: a group without any adds none.
 * @param ret_rr_i  Room for n_pick; its first is given.
 * @return How many there are now. Cost: a look at each RR.
 */
uint16_t pin_select_mates(const struct pin_table *table, uint64_t turn, uint16_t n_pick,
    const uint64_t *shown, uint16_t *ret_rr_i);

/**
 * Draws for one answer: takes the table's next turn and picks at most `n_room` RRs (1 or more).
 * Returns how many; `ret_rr_i` needs room for PIN_PICK_MAX. Whole tables (is_whole) are not drawn
 * but rotated by the caller with pin_draws_next(). Mode all gives a weighted random order, mode
 * group one RR of each group: the first by its share, the others by their shares in their groups.
 * Not for sticky tables. Hot path.
 */
uint16_t pin_select_draw(const struct pin_table *table, struct pin_draws *draws, uint16_t n_room,
    uint16_t ret_rr_i[PIN_PICK_MAX]);
