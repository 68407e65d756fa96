/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Progress: how far each cluster is on its way to being served, a line each.
 *
 *     /api/v1/status     what the answers are made of: up, synced
 *     /api/v1/clusters   what the sources say: kinds, objects read so far, since when it is wrong
 *           \ both, again and again -> lines that are new, the lines of a screen, or JSON
 *
 * Pure: text in, text out. The trees must be printable (pin_emit_printable()).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/text.h"
#include "pintle/base/tree.h"

/** How it is written. */
enum pin_progress_form {
    PIN_PROGRESS_LINES,  /**< What is news, appended; a long list again now and then. */
    PIN_PROGRESS_SCREEN, /**< All of it, drawn over what was drawn before. */
    PIN_PROGRESS_JSON,   /**< What is news, an object a line. */
};

struct pin_progress;

/** Makes an empty one. NULL when memory is out. */
struct pin_progress *pin_progress_new(enum pin_progress_form form, bool has_color);

/** Frees it. NULL is fine. */
void pin_progress_free(struct pin_progress *self);

/** How large the screen is; of a screen only. Lines are cut to it. */
void pin_progress_set_screen(struct pin_progress *self, size_t n_rows, size_t n_columns);

/** What both pages said. Either may be NULL: it was not to be had. */
struct pin_progress_view {
    const struct pin_tree *status;
    const struct pin_tree *clusters;
    const char *problem; /**< Why neither is there, or NULL. */
    int64_t now_ms;      /**< Monotonic. */
};

/** Appends what is to be written now. */
void pin_progress_put(
    struct pin_progress *self, const struct pin_progress_view *view, struct pin_text *out);

/** Appends what takes a screen's lines away again. */
void pin_progress_clear(struct pin_progress *self, struct pin_text *out);

/** Whether pintled is ready, and every cluster of `status` is listed and within reach. */
bool pin_progress_is_well(const struct pin_tree *status);

/** Appends what is not well, in a sentence: "c2 is down (cannot reach ...), c3 is listing (...)".
 */
void pin_progress_put_missing(const struct pin_progress_view *view, struct pin_text *out);
