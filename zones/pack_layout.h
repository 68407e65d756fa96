/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Which fields of objects are packed, in which order, and what they may hold: the one description
 * that packing and unpacking both follow.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/object.h"

/** What a field is. */
enum pin_pack_kind {
    PIN_PACK_NUMBER, /**< Unsigned, bool or enum of `bytes` bytes, 0 to `max`. */
    PIN_PACK_UNSET,  /**< uint32_t, 0 to `max` or UINT32_MAX, which packs as 0. */
    PIN_PACK_COUNT,  /**< size_t: the length of arrays that come as PIN_PACK_ROWS. */
    PIN_PACK_TEXT,   /**< May be NULL. */
    PIN_PACK_NAME,   /**< A text that is never NULL. */
    PIN_PACK_WORD,   /**< A text that many rows have alike; may be NULL. */
    PIN_PACK_IP,
    PIN_PACK_PREFIX, /**< May be one without an address. */
    PIN_PACK_ITEMS,  /**< An array of its own length. */
    PIN_PACK_ROWS,   /**< An array as long as a COUNT ITEMS or BYTES before it, or NULL. */
    PIN_PACK_BYTES,  /**< An array of bytes of its own length; NULL when it has none. */
    PIN_PACK_ONE,    /**< A pointer to one item, or NULL. */
    PIN_PACK_WITHIN, /**< Items that lie in the struct itself; their number is `max`. */
};

struct pin_pack_layout;

/** One field of a struct. */
struct pin_pack_field {
    enum pin_pack_kind kind;
    uint8_t bytes;   /**< NUMBER: of the field. */
    size_t offset;   /**< Of the field. */
    size_t offset_n; /**< ITEMS, ROWS, BYTES: of their size_t number. */
    uint64_t max;    /**< NUMBER, UNSET, WITHIN. */
    const struct pin_pack_layout *items;
};

/** One struct. */
struct pin_pack_layout {
    const struct pin_pack_field *fields;
    size_t n_fields; /**< Each takes a byte at least. */
    size_t bytes;    /**< Of the struct. */
    /** What fields must hold together; NULL: nothing. */
    bool (*is_sane)(const void *item);
};

/** What comes before steering and body, at the object itself. */
extern const struct pin_pack_layout pin_pack_head;

/** At the steering; where nothing is said every byte of it is 0. */
extern const struct pin_pack_layout pin_pack_steering;

/** Behind it, at the object itself; a 0 where nothing is said. */
extern const struct pin_pack_layout pin_pack_written;

/** The body of a kind, at the object's `as`; NULL: it has none. */
const struct pin_pack_layout *pin_pack_body(enum pin_kind kind);
