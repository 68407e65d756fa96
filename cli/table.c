/* SPDX-License-Identifier: Apache-2.0 */

/* Tables on a terminal. */

#include "cli/table.h"

#include <libsmartcols/libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pin_columns {
    struct libscols_table *table;
    struct libscols_line *line;
    size_t cell_i;
    bool failed;
};

struct pin_columns *pin_columns_new(
    const struct pin_ctl *ctl, const struct pin_column *columns, size_t n_columns)
{
    struct pin_columns *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->table = scols_new_table();
    if (self->table == NULL) {
        free(self);
        return NULL;
    }
    (void)scols_table_enable_noheadings(self->table, ctl->no_headers ? 1 : 0);
    (void)scols_table_enable_colors(self->table, ctl->has_color ? 1 : 0);
    (void)scols_table_set_termforce(self->table, SCOLS_TERMFORCE_NEVER); /* never cut or wrapped */
    for (size_t i = 0; i < n_columns; i++) {
        int flags = columns[i].is_number ? SCOLS_FL_RIGHT : 0;
        if (scols_table_new_column(self->table, columns[i].heading, 0, flags) == NULL) {
            self->failed = true;
        }
    }
    return self;
}

void pin_columns_row(struct pin_columns *table)
{
    if (table == NULL) {
        return;
    }
    table->line = scols_table_new_line(table->table, NULL);
    table->cell_i = 0;
    table->failed = table->failed || table->line == NULL;
}

void pin_columns_cell(struct pin_columns *table, const char *text, enum pin_color color)
{
    static const char *const colors[] = {
        [PIN_COLOR_NONE] = NULL,
        [PIN_COLOR_GOOD] = "green",
        [PIN_COLOR_BAD] = "red",
        [PIN_COLOR_WARN] = "yellow",
    };
    if (table == NULL || table->line == NULL) {
        return;
    }
    const char *shown = text == NULL || text[0] == '\0' ? "-" : text;
    char *copy = strdup(shown);
    if (copy == NULL) {
        table->failed = true;
        return;
    }
    for (char *c = copy; *c != '\0'; c++) {
        if ((unsigned char)*c < 0x20 || *c == 0x7f) {
            *c = '?';
        }
    }
    table->failed = scols_line_set_data(table->line, table->cell_i, copy) != 0 || table->failed;
    free(copy);
    if (colors[color] != NULL) {
        struct libscols_cell *cell = scols_line_get_cell(table->line, table->cell_i);
        if (cell != NULL) {
            (void)scols_cell_set_color(cell, colors[color]);
        }
    }
    table->cell_i++;
}

bool pin_columns_print(struct pin_columns *table)
{
    if (table == NULL) {
        return false;
    }
    bool is_good = !table->failed && scols_print_table(table->table) == 0;
    scols_unref_table(table->table);
    free(table);
    return is_good;
}
