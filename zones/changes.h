/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Changes, the catalog's side: what apply() notes.
 */

#include "pintle/zones/changes.h"

struct pin_changes;

/** Notes an object that came, changed or goes; while it is attached, where it is a slice. */
void pin_changes_note(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/** Notes that a cluster is up, down or synced. */
void pin_changes_note_state(struct pin_catalog *catalog);

/** Notes that memory was out for some object of some cluster: all are to be packed again. */
void pin_changes_note_lost(struct pin_catalog *catalog);

/** Frees them. */
void pin_changes_free(struct pin_changes *changes);
