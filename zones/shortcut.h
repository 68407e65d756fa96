/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Shortcut: stands in front of the index's table. Where a name's hash points, there is the node
 * that was installed there last.
 *
 * It is right or it is passed by: a miss goes to the table. Two loads that depend on nothing but
 * the hash can be fetched ahead for many names at once; a chain in the table cannot. The builder
 * writes; readers take it and its places with pin_rcu_deref().
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/rcu.h"
#include "pintle/zones/table.h"

/** A power of two of places. */
struct pin_shortcut {
    struct pin_rcu_head rcu;
    uint64_t mask;
    struct pin_node *nodes[]; /**< mask + 1 places; NULL: nothing points there. */
};

/** An empty one; NULL: no memory. Freed with free() once no reader is left. */
struct pin_shortcut *pin_shortcut_new(void);

/** The place of a hash. Hot path. */
static inline struct pin_node **pin_shortcut_place(struct pin_shortcut *shortcut, uint64_t hash)
{
    return &shortcut->nodes[hash & shortcut->mask];
}

/**
 * Doubles it when it has less than two places for each of `n_nodes`, up to 2^24. Without memory it
 * stays, and more lookups pass it by. Builder's thread.
 */
void pin_shortcut_widen(struct pin_shortcut **shortcut, size_t n_nodes);
