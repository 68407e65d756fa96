/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Checked: what a table needs beside its RRs when some of its addresses are probed.
 *
 *     backends  --> groups (one cluster's part of a backend) --> items (one RR, one slot)
 *                                                            \-> members (slots behind one address)
 *
 * While all of them are up, the table is drawn from as any other. When some are not, the shares are
 * worked out anew from those that are, at once and for this answer: a backend keeps its share as
 * long as one of its addresses is up. An address that stands for many endpoints (a ClusterIP) has
 * no slot of its own; it is up as long as one of its members is.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/health.h"
#include "pintle/zones/object.h"

struct pin_table;

/** One RR of the table as part of one group. */
struct pin_checked_item {
    uint32_t slot; /**< Or PIN_SLOT_NONE. */
    uint16_t rr_i;
    uint16_t is_again; /**< 1: an item before it has the same RR: an address that groups share. */
};

/** One cluster's part of a backend. */
struct pin_checked_group {
    uint32_t backend_i; /**< Ascending over the groups. */
    uint32_t weight;    /**< 0: as many as are up. */
    uint32_t count;     /**< Endpoints behind it where none is checked; 1 or more. */
    uint32_t first_item;
    uint32_t n_items;
    uint32_t first_member;
    uint32_t n_members;
};

/** All of it; part of its table's memory. */
struct pin_checked {
    enum pin_all_down all_down;
    uint8_t up_percent; /**< Below this share of items that are up, all count as down; 0: off. */
    bool keeps_nodata;  /**< The share of a backend that is down gets NODATA (emptyBackend). */
    uint16_t n_limit;   /**< Most RRs of one answer. */
    uint32_t window_s;  /**< How long one outage takes to be seen everywhere. */
    uint32_t n_backends;
    uint32_t n_groups;
    uint32_t n_items;
    uint32_t n_members;
    const uint32_t *backends; /**< Weights. */
    const struct pin_checked_group *groups;
    const struct pin_checked_item *items; /**< By group. */
    const uint32_t *members;              /**< Slots by group. */
};

/** "No result is due that could change the answer." */
#define PIN_SIGHT_CALM UINT32_MAX

/** Most items and members together; the builder checks no more. */
#define PIN_CHECKED_MAX 8192u

/** What one look at the verdicts found. */
struct pin_sight {
    bool is_plain;   /**< Everything is shown, by its usual shares. */
    bool is_nothing; /**< Nothing is shown. */
    uint32_t next_s; /**< When the next result is due that can change this, or CALM. */
    /** Neither: what is shown, items first, then members; the rest is not written. */
    uint64_t shown[PIN_CHECKED_MAX / 64];
};

/** Looks at all slots of a table. Cost: one load each, two when some are not up. Hot path. */
void pin_checked_look(
    const struct pin_checked *checked, const _Atomic uint64_t *words, struct pin_sight *ret_sight);

/** Whether the RR of an item is shown and no item before it shows it already. For a sight that is
 * neither plain nor nothing. */
bool pin_checked_shows(
    const struct pin_checked *checked, const struct pin_sight *sight, uint32_t item_i);

/**
 * Draws from what is shown, for a sight that is neither plain nor nothing.
 *
 * @param table     DRAWN with `checked`, not whole.
 * @param turn      From pin_draws_next().
 * @param n_room    RRs that fit, 1 or more.
 * @param ret_rr_i  Room for PIN_PICK_MAX.
 * @return How many; 0 when this turn belongs to a backend that is down (emptyBackend: nodata).
 */
uint16_t pin_checked_draw(const struct pin_table *table, const struct pin_sight *sight,
    uint64_t turn, uint16_t n_room, uint16_t *ret_rr_i);

/** How often an RR comes over one full round of draws. */
struct pin_odds {
    double first;
    double in_answer;
};

/**
 * Tells what pin_checked_draw() does in the long run, for the same tables and sights.
 *
 * @param ret_odds  table->n_rr of them, by RR.
 */
void pin_checked_odds(
    const struct pin_table *table, const struct pin_sight *sight, struct pin_odds *ret_odds);
