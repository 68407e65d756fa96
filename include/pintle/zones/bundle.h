/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Bundle: objects that change together, as one value that others can read.
 *
 *     PIN_PACK_VERSION | length, packed object | length, packed object | ...
 *
 * A service of one cluster (its Service, slices, exports and import) is one bundle; any other
 * object is one of its own. Lengths are four bytes, network byte order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/zones/object.h"

/** Objects that one bundle may hold. */
#define PIN_BUNDLE_OBJECTS_MAX 100000u

/** What a value was made of. Zeroed is empty. */
struct pin_bundle {
    struct pin_object **objects; /**< Owned; NULL where one was taken out. */
    size_t n;
};

/** Appends the object to a value, which begins with its first object. False: memory is out, and
 * `out` has failed. */
bool pin_bundle_put(struct pin_text *out, const struct pin_object *object);

/**
 * Reads a value: all of it or nothing. The bytes may be anything.
 *
 * @param ret_bundle  The caller calls pin_bundle_done().
 * @return PIN_OK; PIN_EUNSUPPORTED for another version; PIN_EPARSE, PIN_ELIMIT, PIN_ENOMEM.
 */
enum pin_err pin_bundle_read(
    const void *data, size_t bytes, struct pin_bundle *ret_bundle, struct pin_why *why);

/** Frees what it still holds and empties it. */
void pin_bundle_done(struct pin_bundle *bundle);
