/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tarball: a .tgz (POSIX ustar, RFC 1952) that is written file by file.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_tarball;

/**
 * Begins one; only its owner may read it.
 *
 * @param path    Where it will be once it is whole, or what is written as it grows: "-" for
 *                standard output, a pipe or a device that exists.
 * @param wall_s  When its files were made, Unix seconds.
 */
enum pin_err pin_tarball_open(
    const char *path, int64_t wall_s, struct pin_tarball **ret_tarball, struct pin_why *why);

/** Adds a file. `name` has 99 bytes at most; of a longer one, or after an error, nothing is added.
 */
void pin_tarball_put(struct pin_tarball *tarball, const char *name, const void *data, size_t bytes);

/** Ends and frees it. An error, also an earlier one: there is no new file at `path`. NULL is fine.
 */
enum pin_err pin_tarball_close(struct pin_tarball *tarball, struct pin_why *why);

/** Frees it, and takes away what was written to a file. NULL is fine. */
void pin_tarball_drop(struct pin_tarball *tarball);
