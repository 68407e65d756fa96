/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Feeds: what files say, brought to the builder. Control.
 */

#include <stdbool.h>

#include "pintle/base/error.h"

struct pin_arena;
struct pin_builder;
struct pin_config;
struct pin_findings;
struct pin_geo;
struct pin_loop;
struct pin_settings;
struct pin_zonefile;
struct pin_zonefiles;

/** Adds what is wrong with the database that the configuration names: pintled starts without it,
 * but it is worth telling. */
void pin_feed_check_geo(const struct pin_config *config, struct pin_findings *findings);

/** Follows the configuration's database, if there is one: *ret_geo stays as it is otherwise.
 * PIN_ENOMEM. The builder outlives it; pin_geo_stop() ends it. */
enum pin_err pin_feed_geo(const struct pin_config *config, const struct pin_settings *settings,
    struct pin_loop *loop, struct pin_builder *builder, struct pin_geo **ret_geo,
    struct pin_why *why);

/** Has the builder show what a zone's file says; takes the zone. False: memory is out, or too many
 * calls wait, and it stays the caller's. */
bool pin_feed_zonefile(struct pin_builder *builder, struct pin_zonefile *zonefile);

/** What was read at the start, in the arena, for the builder to take; NULL: memory is out. */
struct pin_zonefile **pin_feed_first_zonefiles(
    struct pin_zonefiles *zonefiles, struct pin_arena *arena);
