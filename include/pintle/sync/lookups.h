/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Lookups: host names of gateways, kept resolved.
 *
 * A name is asked for when it is wanted first and again whenever its TTL is over (between a second
 * and an hour). A lookup without an address is a failure: it is logged once, reported, and tried
 * again with growing waits; nobody forgets the addresses of the last good one because of it.
 * Everything here belongs to the thread that runs the loop (control).
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/loop.h"
#include "pintle/sync/sync.h"
#include "pintle/zones/lookup.h"

struct pin_lookups;

/**
 * Makes an empty set; NULL when memory is out.
 *
 * @param resolvers  Borrowed until others follow. None: those of /etc/resolv.conf.
 * @param sink       Where PIN_DELTA_LOOKUP goes.
 */
struct pin_lookups *pin_lookups_new(struct pin_loop *loop, const struct pin_addrport *resolvers,
    size_t n_resolvers, const struct pin_sync_sink *sink);

/** Ends all lookups. Not from a callback of the loop. NULL is fine. */
void pin_lookups_free(struct pin_lookups *lookups);

/** Asks these from now on, and for all names anew when they are others than before. Borrowed.
 * NULL is fine. */
void pin_lookups_follow(
    struct pin_lookups *lookups, const struct pin_addrport *resolvers, size_t n_resolvers);

/** From now on exactly these names are followed. */
void pin_lookups_want(struct pin_lookups *lookups, const struct pin_wanted *wanted);

/** How many names are followed. */
size_t pin_lookups_n(const struct pin_lookups *lookups);

/** Fills in the state of the i-th name (0 to pin_lookups_n() - 1). */
void pin_lookups_stats(
    const struct pin_lookups *lookups, size_t i, struct pin_lookup_stats *ret_stats);
