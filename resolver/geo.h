/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Geo: from a MaxMind database to the prefixes that rules of `geo.map` speak of.
 *
 *     file --walk its tree once--> prefixes with a rule's position --> catalog --> scene
 *
 * Workers never see the database: what of it matters is a table like that of the clusters' ranges.
 * Neighbours of one rule are one prefix, so a country database becomes a few thousand rows, and the
 * scope of an answer is as wide as the rule allows. The one door to libmaxminddb.
 */

#include "pintle/base/error.h"
#include "pintle/base/loop.h"
#include "pintle/zones/settings.h"

/** What a database says of strangers' places. */
struct pin_geo_places {
    struct pin_lpm_entry *entries; /**< Owned; values are positions in settings->geo_rules. */
    size_t n;
    const struct pin_settings *settings; /**< These; pin_geo_read() leaves it alone. */
};

/**
 * Reads a database. Of two rules that name an address's country the first counts, and a country
 * goes before its continent. On success the caller frees ret_places->entries.
 * Cost: the nodes of its tree, about 0.1 s for a country database. Errors: PIN_ENOTFOUND,
 * PIN_EPARSE, PIN_ENOMEM, PIN_ELIMIT.
 */
enum pin_err pin_geo_read(const char *path, const struct pin_settings *settings,
    struct pin_geo_places *ret_places, struct pin_why *why);

struct pin_geo;

/** Takes places, which are the receiver's from now on. The loop's thread. */
typedef void pin_geo_fn(void *arg, struct pin_geo_places *places);

/**
 * Reads the database at once and whenever the file is another one; a file that cannot be read is
 * told, and what was known stays. NULL when memory is out.
 */
struct pin_geo *pin_geo_start(struct pin_loop *loop, const char *path,
    const struct pin_settings *settings, pin_geo_fn *fn, void *arg);

/** Ends it. NULL is fine. */
void pin_geo_stop(struct pin_geo *geo);
