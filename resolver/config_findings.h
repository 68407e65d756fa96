/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Findings: everything that is wrong with a configuration, one line each, and the word a person
 * probably meant.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/macros.h"
#include "pintle/base/nearest.h"
#include "pintle/base/text.h"

/** Findings kept; more are only counted. */
#define PIN_FINDINGS_MAX 100

/** A place in a file; `line` 0 means that it came from the command line. */
struct pin_at {
    uint32_t line; /**< 1-based. */
    uint32_t col;  /**< 1-based. */
};

/** The list. A zeroed struct is an empty one. */
struct pin_findings {
    struct pin_text text; /**< Lines, each with its newline. */
    size_t n;             /**< All findings, those not kept included. */
    size_t n_usage;       /**< Those among them that the command line is at fault for. */
};

/** Adds "FILE:LINE:COL: message"; without a line "FILE: message", without a file the message. */
void pin_findings_add(struct pin_findings *findings, const char *file, struct pin_at at,
    const char *fmt, ...) PIN_PRINTF(4, 5);

/** Adds a message about a flag whose value makes no sense, whatever the files hold: a usage error.
 */
void pin_findings_add_usage(struct pin_findings *findings, const char *fmt, ...) PIN_PRINTF(2, 3);

/** All lines, and how many more there were. Borrowed until the next change. */
const char *pin_findings_text(const struct pin_findings *findings);

/** Frees the lines and leaves an empty list. */
void pin_findings_done(struct pin_findings *findings);
