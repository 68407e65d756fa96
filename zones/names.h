/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Names: a list of domain names that takes little room. Each is written against the one before it,
 * as most differ in a label or two:
 *
 *     [n own bytes][n bytes shared with the end of the last name][own bytes]
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/name.h"

/** The list. Zeroed is empty. */
struct pin_names {
    uint8_t *packed; /**< Heap. */
    size_t bytes;
};

/** A walk through a list. Start zeroed. */
struct pin_names_walk {
    size_t at;
    struct pin_name name; /**< The current one. */
};

/** Steps to the next name; false when there are no more. */
bool pin_names_next(const struct pin_names *names, struct pin_names_walk *walk);

/** A list that begins as another one, which stays as it is, and grows. Zeroed but for `before`. */
struct pin_names_draft {
    const struct pin_names *before;
    struct pin_names names; /**< Those of `before`, then the new ones; NULL while there is none. */
    size_t cap;
    struct pin_name last; /**< The latest new one. */
};

/** Adds a name. False when memory is out. */
bool pin_names_add(struct pin_names_draft *draft, const struct pin_name *name);

/** Says whether a name stays. */
typedef bool pin_names_keep_fn(void *arg, const struct pin_name *name);

/** Leaves out the names that are not to stay, old and new. Needs no memory. */
void pin_names_filter(struct pin_names_draft *draft, pin_names_keep_fn *keep, void *arg);

/** The new names alone, the caller's from now on; the draft is empty. */
struct pin_names pin_names_take_new(struct pin_names_draft *draft);
