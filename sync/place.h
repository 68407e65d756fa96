/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Place: "FILE:LINE:COL: message" for our own files, whoever wrote the LINE:COL.
 */

#include <stddef.h>

#include "pintle/base/error.h"
#include "pintle/base/tree.h"

struct pin_arena;

/** Puts the file before a reason that begins with LINE:COL, or before any other reason. */
void pin__why_in_file(struct pin_why *why, const char *file);

/** Explains a failure at a node of a file's tree (NULL: of the whole file). Returns `err`. */
enum pin_err pin__why_at(struct pin_why *why, enum pin_err err, const char *file,
    const struct pin_tree *at, const char *fmt, ...) PIN_PRINTF(5, 6);

/** pin_yaml_parse() with the file in its reasons. */
enum pin_err pin__yaml_parse(const char *file, const char *text, size_t bytes,
    struct pin_arena *arena, struct pin_tree **ret_docs, struct pin_why *why);
