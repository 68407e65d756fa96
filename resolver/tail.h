/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tail: questions and answers as people watch them live, one JSON object each. Made by the tap's
 * thread, taken by control; bounded, what does not fit is counted.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/text.h"

#include "tap.h"

/** Questions that a batch holds at most. */
#define PIN_TAIL_MAX 2048u

/** One question. Both texts stand in the batch's `text`. */
struct pin_tail_item {
    uint32_t
        json_at; /**< {"at", "peer", "transport", "name", "type", "rcode", "tookUs", "why", ...} */
    uint32_t json_bytes;
    uint32_t words_at; /**< "NAME TYPE RCODE PEER", NUL-terminated: what a filter looks at. */
    uint32_t took_us;
};

/** Questions in the order in which they were answered. A zeroed one is empty. */
struct pin_tail {
    struct pin_text text;
    size_t n_items;
    uint64_t n_left_out; /**< For which there was no room. */
    uint32_t every;      /**< One in so many questions is looked at; 0: none yet. */
    struct pin_tail_item items[PIN_TAIL_MAX];
};

/** Appends what was noted. */
void pin_tail_add(struct pin_tail *tail, const struct pin_tap_record *record);

/** Empties it, and keeps its memory. */
void pin_tail_clear(struct pin_tail *tail);

/** Whether all words of `filter`, separated by spaces, are found in the item, in any case. */
bool pin_tail_matches(
    const struct pin_tail *tail, const struct pin_tail_item *item, const char *filter);

/** Frees the memory and leaves an empty one. */
void pin_tail_done(struct pin_tail *tail);
