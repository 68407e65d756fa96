/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Whole files: read with a limit, replace atomically, join paths. Blocking.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pintle/base/error.h"

/**
 * Reads a whole file. Works for /proc and /dev/null too, and for pipes that have a writer: they
 * are read to their end, which may take as long as the writer takes, but not if it says nothing
 * for 10 s.
 *
 * @param max_bytes  More is PIN_ELIMIT.
 * @param ret_text   Heap, the caller frees it; one NUL follows that does not count.
 * @param ret_bytes  Its length; may be NULL.
 * @return PIN_OK, PIN_ENOTFOUND, PIN_EDENIED, PIN_ELIMIT, PIN_ENOMEM, PIN_EINVAL (a directory, a
 * device, a pipe that nobody writes to), PIN_ETIMEOUT (a silent pipe), PIN_EIO.
 */
enum pin_err pin_file_read(
    const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes, struct pin_why *why);

/**
 * The same for those who must not wait, an event loop's callbacks: a pipe that does not hold all of
 * it is PIN_ETIMEOUT at once. A writer that never stops ends at the limit.
 */
enum pin_err pin_file_read_now(
    const char *path, size_t max_bytes, char **ret_text, size_t *ret_bytes, struct pin_why *why);

/**
 * A pipe can be read once. If `path` is one, reads it to its end and keeps what it held in memory,
 * under another path that this process can read again and again for as long as it lives.
 *
 * @param ret_path  Heap, the caller frees it; NULL: `path` is no pipe, or nothing that is there.
 * @return As pin_file_read().
 */
enum pin_err pin_file_keep_pipe(
    const char *path, size_t max_bytes, char **ret_path, struct pin_why *why);

/**
 * Replaces or creates a file so that a crash leaves the old or the new content, never a mix: writes
 * beside it, syncs, renames, syncs the directory.
 *
 * @param mode  Permissions of the new file, e.g. 0644.
 */
enum pin_err pin_file_write_atomic(
    const char *path, const void *text, size_t bytes, mode_t mode, struct pin_why *why);

/** Writes all bytes to an open file, in as many calls as it takes. False: `errno` says why. */
bool pin_file_write_all(int fd, const void *data, size_t bytes);

/** "dir/name", or `name` alone when it is absolute or `dir` is NULL or ""; heap, NULL: no memory.
 */
char *pin_path_join(const char *dir, const char *name);

/** The directory part of a path: "a/b" -> "a", "b" -> ".", "/b" -> "/"; heap, NULL: no memory. */
char *pin_path_dir(const char *path);
