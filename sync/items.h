/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Items: cuts what an API server streams into pieces, without ever holding the whole.
 *
 *     {"kind":"ServiceList","metadata":{"resourceVersion":"7"},"items":[{...},{...}]}
 *                           ^ kept, small                              ^    ^ given out one by one
 *
 * pin_items takes a List, pin_lines a watch (one event a line). Both take the bytes in any
 * portions, respect strings and escapes, and bound depth and size. What they give out is text;
 * whether it is good JSON the parser says later.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** Largest object, and largest watch event, that is given out. */
#define PIN_ITEM_BYTES_MAX ((size_t)8 << 20)
/** Largest `metadata` of a list; continue tokens are in it. */
#define PIN_ITEMS_METADATA_BYTES_MAX ((size_t)256 << 10)
/** Nesting of braces and brackets, the parser's own limit and the list around it. */
#define PIN_ITEMS_DEPTH_MAX 80

/**
 * Takes one piece.
 *
 * @param text   Not NUL-terminated, valid during the call. NULL: the piece was too big and is
 *               skipped.
 * @param bytes  Its length; of a skipped one, how long it was.
 */
typedef void pin_item_fn(void *arg, const char *text, size_t bytes);

/** What stands at the place the scanner is at. Private. */
enum pin_items_state {
    PIN_ITEMS_START, /**< Before the opening brace. */
    PIN_ITEMS_KEY,   /**< In the outer map, before or in a key. */
    PIN_ITEMS_VALUE, /**< In the value of an outer key. */
    PIN_ITEMS_ITEM,  /**< In the list of items. */
    PIN_ITEMS_END,   /**< After the closing brace. */
};

/** The cutter of lists. Init, feed as bytes come, ask is_complete at the end, done. */
struct pin_items {
    pin_item_fn *on_item;
    void *arg;
    const char *list_key; /**< Which list is cut; may be changed after init. */
    size_t item_bytes_max;
    struct pin_text piece;    /**< The item or key that portions cut through. */
    struct pin_text metadata; /**< Text of the outer `metadata`. */
    size_t piece_bytes;       /**< Length of the present item, kept or skipped. */
    enum pin_items_state state;
    uint32_t depth; /**< Open braces and brackets, the outer map included. */
    bool in_string;
    bool is_escaped;  /**< The last byte was a backslash in a string. */
    bool in_piece;    /**< An item is being collected. */
    bool is_metadata; /**< The present value is the outer `metadata`. */
    bool is_items;    /**< The present value is the outer `items`. */
    bool has_items;
    uint64_t n_items;
};

/** Starts a list. `item_bytes_max` of 0 is PIN_ITEM_BYTES_MAX. */
void pin_items_init(struct pin_items *self, size_t item_bytes_max, pin_item_fn *on_item, void *arg);

/** Frees what it holds. A zeroed struct is fine. */
void pin_items_done(struct pin_items *self);

/**
 * Takes the next bytes and calls on_item for each element that ends in them.
 * @return PIN_OK; PIN_EPARSE when this is no JSON object; PIN_ELIMIT; PIN_ENOMEM.
 */
enum pin_err pin_items_feed(
    struct pin_items *self, const char *data, size_t bytes, struct pin_why *why);

/** True when the list has ended and had `items` (null counts: that is an empty list). */
bool pin_items_is_complete(const struct pin_items *self);

/** What a list says about itself. Zeroed is empty. */
struct pin_list_metadata {
    char *resource_version; /**< Heap; NULL when absent. */
    char *continue_token;   /**< Heap; NULL on the last page. */
    uint64_t remaining;     /**< remainingItemCount, 0 when absent. */
};

/** Reads the metadata seen so far; true when it is there and whole. The caller calls done. */
bool pin_items_metadata(const struct pin_items *self, struct pin_list_metadata *ret_metadata);

/** Frees the texts and empties the struct. */
void pin_list_metadata_done(struct pin_list_metadata *self);

/** The cutter of lines. */
struct pin_lines {
    pin_item_fn *on_line;
    void *arg;
    size_t line_bytes_max;
    struct pin_text piece;
    size_t skipped_bytes; /**< Of a line that is too long. */
    bool is_skipping;
};

/** Starts a stream. `line_bytes_max` of 0 is PIN_ITEM_BYTES_MAX. */
void pin_lines_init(struct pin_lines *self, size_t line_bytes_max, pin_item_fn *on_line, void *arg);

/** Frees what it holds; an unfinished last line is dropped. A zeroed struct is fine. */
void pin_lines_done(struct pin_lines *self);

/** Takes the next bytes; calls on_line for each line (without its end, empty ones left out). */
enum pin_err pin_lines_feed(
    struct pin_lines *self, const char *data, size_t bytes, struct pin_why *why);
