/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Ids: numbers for things that come and go, none of which is ever given twice. One thread.
 *
 *     id = how many were given before  |  place in the table (PIN_IDS_BITS)
 */

#include <stdbool.h>
#include <stdint.h>

/** Bits of an id that are the place. */
#define PIN_IDS_BITS 24u
/** Things that may have an id at a time. */
#define PIN_IDS_MAX (UINT32_C(1) << PIN_IDS_BITS)

/** The table. Zeroed is empty. */
struct pin_ids {
    struct pin_ids_place *places;
    uint32_t *unused; /**< A stack of places. */
    uint32_t n_unused;
    uint32_t n;
    uint64_t n_given; /**< Ids so far. */
};

/** Gives `thing` an id. 0: memory is out. */
uint64_t pin_ids_give(struct pin_ids *ids, void *thing);

/** The thing of that id, or NULL: it is gone. */
void *pin_ids_find(const struct pin_ids *ids, uint64_t id);

/** Takes an id back for good. */
void pin_ids_drop(struct pin_ids *ids, uint64_t id);

/** Frees the table. */
void pin_ids_done(struct pin_ids *ids);
