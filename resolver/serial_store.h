/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Serials on disk: what no zone may show again, in STATE_DIR/serials.json.
 *
 * A serial is never shown before the file says that it may have been: some thousands are set aside
 * at a time, so that a kill or a clock that is set back costs a gap, not a step back. Zones with a
 * file alone have the serial that was shown last. Control.
 */

#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/index.h"

#include "resolver/builder.h"

struct pin_serial_store;

/**
 * Reads the file and makes the directory where needed. A file that cannot be read is told, and
 * counts as empty.
 *
 * @param dir  NULL: nothing is remembered.
 */
enum pin_err pin_serial_store_open(
    const char *dir, struct pin_serial_store **ret_store, struct pin_why *why);

/** Fills in first_serial and floors of a builder's configuration, which points into the store. */
void pin_serial_store_begin(struct pin_serial_store *store, struct pin_builder_config *config);

/**
 * Writes the file when serials come near what is set aside, or a zone's file was read.
 *
 * @param is_end  No serial moves any more: nothing is set aside.
 */
void pin_serial_store_note(
    struct pin_serial_store *store, const struct pin_index *index, bool is_end);

/** Frees it. NULL is fine. */
void pin_serial_store_free(struct pin_serial_store *store);
