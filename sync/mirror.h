/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Mirror: a cluster's objects as keys with bundles tell them, made into deltas.
 *
 *     key "s/shop/cart" -> [Service shop/cart, EndpointSlice shop/cart-x]     each object known
 * once
 *
 * An object belongs to the key that named it last; a key that loses an object deletes it only while
 * it is its own. So an object may move from one key to another, in whatever order they are told.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/hash.h"

struct pin_source;

/** One cluster's. Zeroed with its source set is empty. */
struct pin_mirror {
    struct pin_source *source; /**< Gets the deltas. */
    struct pin_map keys;       /**< Key -> what it named. */
    struct pin_map members;    /**< Kind, namespace and name -> the object's place. */
    bool is_over;              /**< The value at hand has more objects than are taken. */
    uint32_t round;            /**< Of the present or latest list. */
};

/** A list of all keys begins. */
void pin_mirror_begin(struct pin_mirror *mirror);

/** The list was whole but for `unknown` kinds (bits): what it did not name of others goes. */
void pin_mirror_end(struct pin_mirror *mirror, uint32_t unknown);

/**
 * A key has a value: its objects are upserted, those that it names no longer are deleted. A value
 * that cannot be read changes nothing, and what the key named before stays.
 *
 * @return PIN_OK; PIN_EUNSUPPORTED, PIN_EPARSE: it cannot be read; PIN_ELIMIT: likewise, or with it
 *         there would be more objects of a kind than the source takes; PIN_ENOMEM: list again.
 */
enum pin_err pin_mirror_put(struct pin_mirror *mirror, const char *key, const void *value,
    size_t bytes, struct pin_why *why);

/** A key is gone, and its objects with it. */
void pin_mirror_remove(struct pin_mirror *mirror, const char *key);

/** How many keys there are. */
size_t pin_mirror_n_keys(const struct pin_mirror *mirror);

/** Frees what it holds; no deltas. */
void pin_mirror_done(struct pin_mirror *mirror);
