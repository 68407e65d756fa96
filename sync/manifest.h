/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Manifest: the text of one file becomes objects: several documents, lists, dumps of kubectl.
 * All or nothing, so that a file that is wrong in one place changes nothing. No I/O.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/object.h"

/** Longest text. */
#define PIN_MANIFEST_BYTES_MAX ((size_t)256 << 20)

/** What a text held. Zeroed is empty. */
struct pin_manifest {
    struct pin_object **objects; /**< n_objects; those taken out are NULL. */
    uint32_t *lines;             /**< Where each begins, 1-based; 0: unknown. */
    size_t n_objects;
    size_t cap;      /**< Room in objects and lines. */
    size_t n_unread; /**< Objects of kinds that are not read. */
};

/**
 * Reads a text.
 *
 * @param name          The file, for `why`: "NAME:LINE:COL: message".
 * @param where         Whom warnings name.
 * @param ret_manifest  The caller calls done.
 * @return PIN_OK, PIN_EPARSE, PIN_EINVAL, PIN_ELIMIT, PIN_EUNSUPPORTED (YAML tags), PIN_ENOMEM.
 */
enum pin_err pin_manifest_read(const char *name, const char *where, const char *text, size_t bytes,
    struct pin_manifest *ret_manifest, struct pin_why *why);

/** Frees it with the objects that are still in it. */
void pin_manifest_done(struct pin_manifest *manifest);
