/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Pack: one object as bytes that mean the same on every machine, and back.
 *
 *     kind | size hint | namespace | name | times | steering | body      every number a varint
 *
 * Whoever keeps packed objects notes PIN_PACK_VERSION beside them, and leaves those of another
 * version alone: within one version there is nothing to skip and nothing optional. What the catalog
 * makes of an object (list_round, a policy's slot) is not packed.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/zones/object.h"

/** Moves with every change of what pin_object_pack() writes, kinds' numbers among it. */
#define PIN_PACK_VERSION 6u

/**
 * Appends the object to `out`. PIN_ENOMEM: `out` has failed, too. Any thread.
 * Cost: a walk over the object; about 60 bytes and 5 for each endpoint.
 */
enum pin_err pin_object_pack(const struct pin_object *object, struct pin_text *out);

/**
 * Makes an object of `bytes` bytes at `data`, which may be anything. What it gives is an object
 * that decoding could have given; whatever the bytes say, it takes no more than some 20 times as
 * much memory.
 *
 * @param ret_object  The caller's.
 * @return PIN_OK, PIN_EPARSE, PIN_ENOMEM. Any thread.
 */
enum pin_err pin_object_unpack(
    const void *data, size_t bytes, struct pin_object **ret_object, struct pin_why *why);
