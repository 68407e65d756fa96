/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tables on a terminal; the one door to libsmartcols.
 */

#include <stdbool.h>
#include <stddef.h>

#include "cli/ctl.h"

struct pin_columns;

/** Colours of a cell. */
enum pin_color {
    PIN_COLOR_NONE,
    PIN_COLOR_GOOD,
    PIN_COLOR_BAD,
    PIN_COLOR_WARN,
};

/** One column: its heading, and whether it is aligned to the right (numbers). */
struct pin_column {
    const char *heading;
    bool is_number;
};

/** Makes an empty table. NULL when memory is out. */
struct pin_columns *pin_columns_new(
    const struct pin_ctl *ctl, const struct pin_column *columns, size_t n_columns);

/** Begins a row. */
void pin_columns_row(struct pin_columns *table);

/** Fills the next cell of the row; NULL and "" are shown as "-". Control characters become "?". */
void pin_columns_cell(struct pin_columns *table, const char *text, enum pin_color color);

/** Prints it to standard output and frees it. False when memory was out anywhere. NULL is fine. */
bool pin_columns_print(struct pin_columns *table);
