/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Watchers, from the catalog's side: each call tells all of them. */

#include "pintle/zones/watcher.h"

/** An object was taken in place of `old`, which is still there, or NULL. */
void pin_watchers_put(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old);

/** The object with the key "namespace/name" (no NUL) is gone. */
void pin_watchers_gone(const struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *key, size_t bytes);

/** A mark was taken. */
void pin_watchers_mark(const struct pin_catalog *catalog, uint16_t cluster_id, enum pin_delta_op op,
    enum pin_kind kind);
