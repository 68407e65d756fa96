/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * How clusters are shown, wherever they are.
 */

#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "cli/table.h"

/** "up", "listing", "down, stale", ... of an item of status or clusters. Static. */
const char *pin_clusters_state(const struct pin_tree *cluster, enum pin_color *ret_color);

/** "90 s", "15 min", "3 h". */
void pin_clusters_put_duration(struct pin_text *text, long long seconds);

/** Adds a number that a daemon says of a kind of object. The sum stays within its type. */
void pin_clusters_add(long long *sum, const struct pin_tree *kind, const char *key);

/** Prints what is wrong with each item, and what to do about it. */
void pin_clusters_print_troubles(const struct pin_tree *items);
