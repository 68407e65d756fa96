/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Objects: maps of objects of one kind and cluster, by namespace and name.
 *
 * A key is the namespace, a NUL and the name, which lie so in the object itself: the map has no
 * copy of it. Builder.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/hash.h"
#include "pintle/zones/object.h"

/** The object of that name, or NULL. */
struct pin_object *pin_objects_find(
    const struct pin_map *objects, const char *namespace_name, const char *name);

/** The same by "namespace/name", of so many bytes. */
struct pin_object *pin_objects_find_path(
    const struct pin_map *objects, const char *path, size_t bytes);

/**
 * Puts an object, the map's from now on.
 *
 * @param ret_old  The one that it replaces, the caller's from now on, or NULL.
 * @return false when its name is too long or memory is out: nothing has changed.
 */
bool pin_objects_put(
    struct pin_map *objects, struct pin_object *object, struct pin_object **ret_old);

/** Takes the object of "namespace/name" out and gives it to the caller; NULL: there is none. */
struct pin_object *pin_objects_take(struct pin_map *objects, const char *path, size_t bytes);
