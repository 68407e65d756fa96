/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Shares: counts how often addresses come, and compares with what a scenario wants. */

#include <stdbool.h>

#include "pintle/base/text.h"
#include "pintle/zones/table.h"

#include "support/addresses.h"

/** Wanted groups of addresses and the counts of a round. */
struct pin_shares;

/** An empty one; NULL when memory is out. */
struct pin_shares *pin_shares_new(void);

/** Frees it. NULL is fine. */
void pin_shares_free(struct pin_shares *shares);

/** Reads "ADDRESSES=N", "ADDRESSES=N/M" or "ADDRESSES=LOW..HIGH". */
bool pin_shares_want(struct pin_shares *shares, const char *word);

/** Counts one address; NULL counts as "no address". */
void pin_shares_count(struct pin_shares *shares, const struct pin_ip *ip);

/**
 * Counts over every position of one full round of a table: the first address of each answer, or
 * with `all` every one. False when the round is too long.
 */
bool pin_shares_count_round(struct pin_shares *shares, const struct pin_table *table, bool all);

/**
 * Whether the counts are exactly as wanted: "N" in proportion to each other, "N/M" of the number of
 * answers. Each address of a group must come; no other may. Writes the counts.
 */
bool pin_shares_are_met(const struct pin_shares *shares, struct pin_text *ret_got);

/** Whether each group's count lies between its LOW and HIGH, and nothing else came. */
bool pin_shares_are_between(const struct pin_shares *shares, struct pin_text *ret_got);
