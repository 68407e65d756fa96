/* SPDX-License-Identifier: Apache-2.0 */

/* Which RRs of a drawn table one answer shows: positions on the circle of shares, and their
 * sequence. */

#include "pintle/zones/select.h"

#include <string.h>
#include <sys/mman.h>

#include "pintle/base/macros.h"

/* 128-bit arithmetic: what ISO C has no name for. */
__extension__ typedef unsigned __int128 pin_u128;

/* Maps a uniform 64-bit turn to 0 .. range - 1. */
static uint64_t scale(uint64_t turn, uint64_t range)
{
    return (uint64_t)(((pin_u128)turn * range) >> 64);
}

/* Mixes a turn into the next random word of an order (SplitMix64's finalizer). */
static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

enum pin_err pin_draws_init(struct pin_draws *draws, uint32_t n_slots, uint32_t worker_i)
{
    void *at = mmap(NULL, (size_t)n_slots * sizeof(uint32_t), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return PIN_ENOMEM;
    }
    /* Bit reversal spreads any number of workers evenly round the circle. */
    uint64_t offset = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        offset |= (uint64_t)((worker_i >> bit) & 1u) << (63 - bit);
    }
    *draws = (struct pin_draws){.count = at, .slot_mask = n_slots - 1, .offset = offset};
    return PIN_OK;
}

void pin_draws_done(struct pin_draws *draws)
{
    if (draws->count != NULL) {
        (void)munmap(draws->count, ((size_t)draws->slot_mask + 1) * sizeof(uint32_t));
    }
    *draws = (struct pin_draws){0};
}

/* The RR in whose stretch `point` (0 .. total - 1, weights not stretched) lies. */
static uint16_t find_rr(const struct pin_table *table, uint64_t point, uint16_t from)
{
    if (table->cumulative == NULL) {
        return (uint16_t)point;
    }
    uint16_t low = from;
    uint16_t high = (uint16_t)(table->n_rr - 1);
    while (low < high) {
        uint16_t middle = (uint16_t)(low + (high - low) / 2);
        if (point < table->cumulative[middle]) {
            high = middle;
        } else {
            low = (uint16_t)(middle + 1);
        }
    }
    return low;
}

void pin_select_at(
    const struct pin_table *table, uint64_t position, uint16_t n_pick, uint16_t *ret_rr_i)
{
    uint64_t circle = n_pick * table->total;
    uint16_t from = 0;
    for (uint16_t j = 0; j < n_pick; j++) {
        /* A stretch of W*k units ends at cumulative*k: dividing by k unstretches the position. */
        from = find_rr(table, position / n_pick, from);
        ret_rr_i[j] = from;
        position += table->total;
        if (position >= circle) {
            position -= circle;
            from = 0;
        }
    }
}

static bool is_picked(const uint16_t *rr_i, uint16_t n, uint16_t wanted)
{
    for (uint16_t i = 0; i < n; i++) {
        if (rr_i[i] == wanted) {
            return true;
        }
    }
    return false;
}

/* A weighted random order without repetition: draw, reject what is there already. After a bounded
 * number of tries (one weight dwarfs the rest) the missing ones follow in table order. */
static uint16_t order_all(
    const struct pin_table *table, uint64_t turn, uint16_t n_pick, uint16_t *ret_rr_i)
{
    if (table->nodata != 0) {
        uint64_t point = scale(turn, table->total + table->nodata);
        if (point >= table->total) {
            return 0;
        }
        turn = mix(turn); /* what is left of the turn is not uniform any more */
    }
    uint16_t n = 0;
    for (unsigned tries = 0; n < n_pick && tries < 8u * n_pick; tries++) {
        uint16_t rr_i = find_rr(table, scale(turn, table->total), 0);
        if (!is_picked(ret_rr_i, n, rr_i)) {
            ret_rr_i[n++] = rr_i;
        }
        turn = mix(turn + UINT64_C(0x9E3779B97F4A7C15));
    }
    for (uint16_t rr_i = 0; n < n_pick && rr_i < table->n_rr; rr_i++) {
        if (!is_picked(ret_rr_i, n, rr_i)) {
            ret_rr_i[n++] = rr_i;
        }
    }
    return n;
}

uint16_t pin_select_draw(const struct pin_table *table, struct pin_draws *draws, uint16_t n_room,
    uint16_t ret_rr_i[PIN_PICK_MAX])
{
    uint16_t n_pick = table->n_pick_max < n_room ? table->n_pick_max : n_room;
    uint64_t turn = pin_draws_next(draws, table->slot);
    if (table->mode == PIN_ANSWERS_ALL) {
        return order_all(table, turn, n_pick, ret_rr_i);
    }
    uint64_t position = scale(turn, n_pick * (table->total + table->nodata));
    if (pin_unlikely(position >= n_pick * table->total)) {
        return 0;
    }
    pin_select_at(table, position, n_pick, ret_rr_i);
    return n_pick;
}
