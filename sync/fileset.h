/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * File set: which file said what, so that an object that leaves its file leaves the cluster.
 *
 *     a.yaml { Service web*, Service db* }    b.yaml { Service db, Service cache* }    * = counts
 *
 * Where two files hold the same object the one whose name sorts first counts; when it lets go, the
 * other is read again and takes over.
 */

#include <stdint.h>

#include "pintle/base/hash.h"

#include "manifest.h"
#include "source.h"

/** Zeroed but for `source` and `reread` is an empty set. */
struct pin_fileset {
    struct pin_source *source;
    /** Asks for a file to be read again, not during this call. */
    void (*reread)(void *arg, const char *name);
    void *arg;
    struct pin_map files;  /**< Name -> struct file. */
    struct pin_map owners; /**< Object key -> struct file that counts. */
    struct pin_map rivals; /**< Object key -> struct rivals: files that would count without it. */
    size_t n_broken;       /**< Files that cannot be read now. */
};

/** Frees all of it; tells nobody. */
void pin_fileset_done(struct pin_fileset *set);

/** The file says `manifest` now: sends what that changes. Takes the manifest's objects. */
void pin_fileset_apply(
    struct pin_fileset *set, const char *name, struct pin_manifest *manifest, uint64_t received_ns);

/** The file cannot be read: what it said before stays. Shown as the cluster's trouble. */
void pin_fileset_break(struct pin_fileset *set, const char *name, const char *error);

/** The file is gone, and so are its objects. Fine for a file that was never there. */
void pin_fileset_remove(struct pin_fileset *set, const char *name, uint64_t received_ns);

/** The error of the first broken file, or NULL. Borrowed. O(1) while none is broken. */
const char *pin_fileset_error(const struct pin_fileset *set);
