/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A zone's record sets as a server tells them, one by one, and the listing they become.
 *
 * Pure. What it points to lives in the arena.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/recordset.h"

struct pin_arena;

/** Most sets of one listing. */
#define PIN_PROVIDER_SETS_MAX ((size_t)4 << 20)

/** One set as a server tells it. All borrowed. */
struct pin_provider_set {
    const char *name;
    const char *type;   /**< Upper case. */
    const char *set_id; /**< "": the only one. */
    uint32_t ttl_s;
    const char *const *values; /**< As the server writes them. */
    size_t n_values;
    const struct pin_recordset_property *properties;
    size_t n_properties;
};

/** Sets so far. Begin with an arena and a zone, canonical; the rest zero. */
struct pin_provider_sets {
    struct pin_arena *arena; /**< Borrowed. */
    const char *zone;        /**< Borrowed. */
    struct pin_recordset *sets;
    size_t n_sets;
    size_t cap;
};

/**
 * Adds a set, made canonical. What is not in the zone, SOA and what belongs to signatures is passed
 * over; values that make no sense stay as they are, for somebody may want to see them.
 * @return PIN_OK; PIN_EPARSE for a name that is none; PIN_ELIMIT or PIN_ENOMEM.
 */
enum pin_err pin_provider_sets_add(
    struct pin_provider_sets *sets, const struct pin_provider_set *set, struct pin_why *why);

/** The sets in order, those of one name, type and set id made one; in the arena. NULL when memory
 * is out. */
struct pin_recordset *pin_provider_sets_take(struct pin_provider_sets *sets, size_t *ret_n_sets);

/** Frees what is not in the arena. */
void pin_provider_sets_done(struct pin_provider_sets *sets);

/** Whether a name is the zone's or below it; both canonical. */
bool pin_provider_is_in_zone(const char *name, const char *zone);
