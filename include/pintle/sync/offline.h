/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Manifests read once, without a loop or a watch: for those who look at files and end.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/object.h"

/** Who is told what files hold. */
struct pin_offline_sink {
    /** An object, the sink's from now on, and where it stands; `line` is 1-based, 0: unknown. */
    void (*object)(void *arg, struct pin_object *object, const char *file, uint32_t line);
    /** A file that cannot be read; nothing of it counts. `why` begins with the file. */
    void (*unread)(void *arg, const char *file, const char *why);
    void *arg;
};

/**
 * Reads a file, or all manifests of a directory in the order of their names.
 *
 * @return PIN_OK also when a file is wrong, which the sink was told; else what keeps us from
 *         listing the directory: PIN_ENOTFOUND, PIN_EDENIED, PIN_EIO, PIN_ENOMEM.
 */
enum pin_err pin_offline_read(
    const char *path, const struct pin_offline_sink *sink, struct pin_why *why);

/** Reads a text that is called `name`. */
void pin_offline_read_text(
    const char *name, const char *text, size_t bytes, const struct pin_offline_sink *sink);
