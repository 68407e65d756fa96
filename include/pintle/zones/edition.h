/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Edition: all records of a zone at one serial, as a transfer shows them, and the steps that led
 * there.
 *
 *     zone --> newest edition (serial 9)        leaves: sorted names with their tables, shared with
 *                                               older editions where nothing changed
 *              steps 8->9, 7->8, 6->7 ...       what was removed and added; bounded in bytes
 *
 * The builder makes one for each change of a zone that may be transferred. Whoever pins an edition
 * can read it for as long as it likes, whatever is published meanwhile: it never changes. Memory is
 * that of the changes, not of the zone.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/table.h"

struct pin_diff;
struct pin_edition;

/** One RR. Borrowed from the edition, or from what it refers to. */
struct pin_edition_rr {
    const uint8_t *owner; /**< Wire format, lower case. */
    const uint8_t *tail;  /**< Type, class, TTL, RDLENGTH, RDATA. */
    uint32_t tail_bytes;
    uint8_t owner_bytes;
};

/** What a transfer consists of. */
enum pin_edition_style {
    PIN_EDITION_SOA,   /**< One SOA: the secondary has this edition, or a later one. */
    PIN_EDITION_WHOLE, /**< SOA, all other records, SOA (RFC 5936, section 2.2). */
    PIN_EDITION_STEPS, /**< SOA, the steps from the secondary's serial, SOA (RFC 1995, section 4).
                        */
};

/** A place in a transfer. Plain data: a copy of it is a place to come back to. */
struct pin_edition_walk {
    const struct pin_edition *edition;
    enum pin_edition_style style;
    uint8_t phase; /**< Private, as all below. */
    size_t leaf_i;
    size_t entry_i;
    size_t table_i;
    size_t at;
    const struct pin_diff *diff;
};

/**
 * Keeps the zone's newest edition from being freed; NULL: there is none, because the zone is not
 * to be transferred, or clusters have not been seen. The caller is an online RCU reader.
 */
struct pin_edition *pin_edition_pin(const struct pin_zone *zone);

/** Lets go of it. Any thread. NULL is fine. */
void pin_edition_unpin(struct pin_edition *edition);

/** Its SOA. */
struct pin_edition_rr pin_edition_soa(const struct pin_edition *edition);

/**
 * Begins a transfer.
 *
 * @param since  The secondary's serial; NULL: it wants all. All is what it gets, too, when the
 *               steps from there are not kept, or longer than the zone.
 */
struct pin_edition_walk pin_edition_begin(const struct pin_edition *edition, const uint32_t *since);

/** The next record; false: that was all. */
bool pin_edition_next(struct pin_edition_walk *walk, struct pin_edition_rr *ret_rr);

/** Whether serial `a` is later than `b` (RFC 1982, section 3.2). */
static inline bool pin_serial_is_after(uint32_t a, uint32_t b)
{
    return a != b && a - b < UINT32_C(1) << 31;
}
