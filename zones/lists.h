/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Lists: what a list takes away, and when it is not believed yet.
 *
 *     LIST_BEGIN   the round moves on; the objects that are there are counted
 *     UPSERT       carries the round, whether the list or a watch named it
 *     KEEP         likewise, but the object is as it was
 *     LIST_END     what does not carry the round is gone
 *                    unless the list is unproven and names nothing, or less than half of before:
 *                    then it is held, and a second one must say the same
 *                    a partial one takes nothing away
 *
 * A first list has no "before" in this process; where written objects say otherwise, second ones
 * are asked for as if it were held (pin_lists_doubt()).
 *
 * Of one kind a cluster may have settings->max_objects. An object beyond them is refused, until a
 * list has ended that refused none; meanwhile lists are asked for as if the last one were held, for
 * what takes the room may be what that list removed. One that names more itself is a partial one.
 *
 * While a list is held, only what it lacks waits: what it names, and what watches say afterwards,
 * deletions too, counts at once. docs/decisions/0013-lists-are-held.md has the reasons.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/zones/delta.h"

struct pin_catalog;

/** How much later than the end of a held list the one that confirms it begins, at least. */
#define PIN_LIST_CONFIRM_NS ((uint64_t)30 * 1000 * 1000 * 1000)

/** Where the lists of one kind of one cluster stand. Zeroed: there was none. */
struct pin_list_state {
    uint32_t round;      /**< Of the latest list; 0 before the first. */
    uint32_t held_round; /**< Of the list that is held. */
    uint32_t n_before;   /**< Objects when the latest list began. */
    uint32_t n_held;     /**< Of these, named by the held list or later. */
    uint64_t begun_ns;   /**< When the latest list began. */
    uint64_t held_ns;    /**< When the held list ended. */
    uint64_t ended_ns;   /**< When the latest list ended. */
    uint64_t asked_ns;   /**< When the list ended that a second one is asked for. */
    uint32_t n_refused;  /**< Objects refused since the latest list began. */
    uint32_t n_missed;   /**< Objects that it names, that cannot be read, and that are not known. */
    bool is_held;
    bool is_over;     /**< Objects are refused, or were until now. */
    bool is_asked;    /**< A second list is, see pin_lists_doubt(). */
    bool is_unproven; /**< The latest list was a server's. */
    bool is_open;     /**< A list has begun and not ended. */
    bool is_known;    /**< One reached its end, and all that it named was readable or known. */
};

/** A list begins. */
void pin_list_begin(struct pin_catalog *catalog, const struct pin_delta *delta);

/** A list ends: removes what it lacks, or holds it. */
void pin_list_end(struct pin_catalog *catalog, const struct pin_delta *delta);

/**
 * Whether there is no room for an object that is not known yet, which is noted: the caller drops
 * it. `key` as in the map of its kind. Cost: one look at the map, where that is full.
 */
bool pin_list_refuses(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *key, size_t bytes);

/** The list at hand names this object, though it cannot be read. Unknown ones are fine. */
void pin_list_keep(
    struct pin_catalog *catalog, const struct pin_delta *delta, const char *key, size_t bytes);

/**
 * The cluster's first lists lack what was written elsewhere because of it: lists of Services,
 * slices and exports begun 30 s later, or more, are to say the same. Until then it is_doubted.
 */
void pin_lists_doubt(struct pin_catalog *catalog, uint16_t cluster_id);

/** catalog.c: takes an object away. Unknown ones are fine. */
void pin_catalog_remove_object(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *key, size_t bytes);
