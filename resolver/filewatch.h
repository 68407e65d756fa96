/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Watched files: says when some files of an operator's may have changed.
 *
 *     their directories (base/dirwatch.h) --settled--> look <-- every 5 s, where no event comes
 * from
 *
 * Events only say when to look; what changed is seen from the files. The loop's thread.
 */

#include <stdint.h>
#include <sys/stat.h>

#include "pintle/base/dirwatch.h"
#include "pintle/base/loop.h"

struct pin_filewatch;

/** What is watched, and for whom. */
struct pin_filewatch_config {
    struct pin_loop *loop;         /**< Outlives it, as the next. */
    struct pin_dirwatch *dirwatch; /**< Of that loop. */
    const char *name;              /**< For the log; a constant. */
    int64_t settle_ms;             /**< Several files are often written one after the other. */
    void (*look)(void *arg);       /**< Something may have changed. */
    void *arg;
};

/** Makes one that looks every 5 s and watches nothing more yet. NULL: memory is out. */
struct pin_filewatch *pin_filewatch_new(const struct pin_filewatch_config *config);

/** Stops it. NULL is fine. */
void pin_filewatch_free(struct pin_filewatch *watch);

/**
 * Watches the directory of a file as it is now, if that is not watched already. To be repeated with
 * each look: a directory may have been replaced. What cannot be watched is looked at every 5 s,
 * which is logged once.
 */
void pin_filewatch_add(struct pin_filewatch *watch, const char *path);

/** Looks again in a moment. */
void pin_filewatch_again(struct pin_filewatch *watch);

/**
 * Whether a file is another one than `seen`, and has that be as it is now: what changes while it is
 * read after that is read again. One that is missing is one that differs, once; its reader tells.
 */
bool pin_filewatch_has_changed(const char *path, struct stat *seen);

/** Whether two looks saw the same file, unchanged. */
bool pin_filewatch_is_same(const struct stat *a, const struct stat *b);
