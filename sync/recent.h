/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Recent: what was written to a cluster lately. The watch shows it a moment later; until then a
 * unit may ask for it once more. Events are not among it. Belongs to the loop's thread.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/hash.h"
#include "pintle/zones/write.h"

/** How long the watch may take to show what was written. */
#define PIN_RECENT_MS 30000

/** Some thousand writes at most. Zeroed: none. */
struct pin_recent {
    struct pin_map map;
};

/** Whether just this was written a moment ago, and the watch may not have shown it yet. */
bool pin_recent_has(const struct pin_recent *self, const struct pin_write *write);

/**
 * A unit is about to say what it wants now. What it does not ask for this time has been shown by
 * the watch; what had been shown and is asked for again was undone by somebody and is no news of
 * ours. Looks at all that was written lately.
 */
void pin_recent_expect(struct pin_recent *self, const char *key);

/** Notes what was written for the unit of that key; NULL: nobody wants it any more. */
void pin_recent_note(
    struct pin_recent *self, const char *key_of_unit, const struct pin_write *write);

/** Forgets all. */
void pin_recent_done(struct pin_recent *self);
