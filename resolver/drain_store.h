/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The file that keeps drains over restarts: STATE-DIR/drains.json, replaced whole.
 *
 *     {"version": 1, "drains": [{"what", "name", "until", "untilUnixMs"}]}
 */

#include "pintle/base/error.h"

#include "resolver/builder.h"

/**
 * Makes the state directory unless it is there, and has the builder drain what the file says,
 * before any delta that is pushed later. Drains whose time is over are left out; a file that cannot
 * be read is told and stops nobody from answering.
 *
 * @param dir  NULL: nothing is done.
 */
enum pin_err pin_drain_store_restore(
    const char *dir, struct pin_builder *builder, struct pin_why *why);

/** Writes the file. `drains` is the array that pin_catalog_drains_json() makes. */
enum pin_err pin_drain_store_write(const char *dir, const char *drains, struct pin_why *why);
