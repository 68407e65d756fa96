/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Shortcut: stands in front of the index's table. Where a name's hash points, there is the node
 * that was installed there last, and whether others ever belonged there, too.
 *
 *     empty          no node's hash points here: the name does not exist
 *     a node         the only one whose hash points here
 *     a node, shared others may point here: whoever looks for another one asks the table
 *
 * So most names that do not exist are known for that without a look at the table. Two loads that
 * depend on nothing but the hash can be fetched ahead for many names at once; a chain in the table
 * cannot. The builder writes; readers take it and its places with pin_rcu_deref().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/rcu.h"
#include "pintle/zones/table.h"

/** A power of two of places. */
struct pin_shortcut {
    struct pin_rcu_head rcu;
    uint64_t mask;
    char *places[]; /**< mask + 1: NULL, or a node, one byte further when it is shared. */
};

/** An empty one; NULL: no memory. Freed with free() once no reader is left. */
struct pin_shortcut *pin_shortcut_new(void);

/** Where a hash points: to be fetched ahead. Hot path. */
static inline char *const *pin_shortcut_place(const struct pin_shortcut *shortcut, uint64_t hash)
{
    return &shortcut->places[hash & shortcut->mask];
}

/** What stands at the place of a hash. Hot path. */
static inline char *pin_shortcut_look(const struct pin_shortcut *shortcut, uint64_t hash)
{
    return pin_rcu_deref(*pin_shortcut_place(shortcut, hash));
}

/** Whether other nodes than the one at this place may belong there. Hot path. */
static inline bool pin_shortcut_is_shared(const char *place)
{
    return ((uintptr_t)place & 1u) != 0;
}

/** The node at a place; NULL: none. A shared place may hold one without a name. Hot path. */
static inline struct pin_node *pin_shortcut_node(char *place)
{
    return place == NULL ? NULL : (struct pin_node *)(void *)(place - ((uintptr_t)place & 1u));
}

/** Puts a node, whose name has that hash, at its place; it is in the table already. Builder. */
void pin_shortcut_put(struct pin_shortcut *shortcut, uint64_t hash, struct pin_node *node);

/** Forgets a node that was put. Builder. */
void pin_shortcut_remove(struct pin_shortcut *shortcut, uint64_t hash, struct pin_node *node);

/**
 * Doubles it when it has less than two places for each of `n_nodes`, up to 2^24. Without memory it
 * stays, and more lookups pass it by. Builder's thread.
 */
void pin_shortcut_widen(struct pin_shortcut **shortcut, size_t n_nodes);
