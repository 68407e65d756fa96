/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Encode: an object as a manifest, the reverse of decoding. It says what Pintle keeps of the object
 * and nothing else: which request a route's rule matches is gone (only that it matches not all of
 * them stays), and so are statuses that Pintle only writes. Decoded again it gives the same
 * answers.
 */

#include "pintle/base/jsonout.h"
#include "pintle/zones/object.h"

/** Writes the object as one value. Any thread. Cost: a walk over the object. */
void pin_encode(const struct pin_object *object, struct pin_jsonout *out);
