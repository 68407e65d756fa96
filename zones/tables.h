/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tables under construction: the builder's side of include/pintle/zones/table.h.
 *
 * A table is one allocation, starts with one reference that its maker holds, and is immutable from
 * the moment it is made.
 */

#include "pintle/zones/table.h"

#include "zones/tally.h"

/** Counter slots: numbers that drawn tables take and give back, so that they stay dense. */
struct pin_slots {
    uint32_t *free; /**< Stack of slots given back. */
    size_t n_free;
    size_t cap_free;
    uint32_t n_used;         /**< Slots 0 .. n_used - 1 were handed out at least once. */
    struct pin_tally *tally; /**< Where blocks of tables go back to; borrowed. */
};

/** Has a table give back now what it has of the index it was made for, which goes first. No worker
 * draws from it any more. Builder. */
void pin_table_cut(const struct pin_table *table);

/** What a table is made of; everything is copied. */
struct pin_table_spec {
    enum pin_table_form form;
    enum pin_answers_mode mode; /**< DRAWN. */
    bool is_whole;
    bool is_sticky;
    uint16_t n_rr;
    uint16_t n_pick_max;
    uint16_t rr_bytes; /**< DRAWN. */
    const uint8_t *wire;
    uint32_t wire_bytes;
    const uint64_t *weights; /**< DRAWN: n_rr weights of 1 or more, sum below 2^48. */
    uint64_t nodata;         /**< DRAWN: beside the weights, what gets no RR. */
    const uint16_t *clusters;
    uint16_t n_clusters;
    const uint16_t *group_of; /**< Mode group: n_rr entries. */
    uint16_t n_groups;
    const struct pin_extra *extras; /**< Their tables get a reference each. */
    uint16_t n_extras;
    const struct pin_checked *checked;  /**< Or NULL. */
    struct pin_slots *slots;            /**< DRAWN, or counted: where the table takes its slot. */
    const struct pin_tally_want *tally; /**< What is to be counted; NULL: nothing. */
};

/** Makes a table; NULL when memory is out. */
struct pin_table *pin_table_new(const struct pin_table_spec *spec);

/** Whether two tables answer alike (slots do not count). */
bool pin_table_equal(const struct pin_table *a, const struct pin_table *b);

/** A slot that no living table has; shared only after 2^32 of them. */
uint32_t pin_slots_take(struct pin_slots *slots);

/** Gives a slot back. It may be taken at once: two tables on one counter do no harm. */
void pin_slots_give(struct pin_slots *slots, uint32_t slot);

/** Frees what a zeroed struct came to hold. */
void pin_slots_done(struct pin_slots *slots);
