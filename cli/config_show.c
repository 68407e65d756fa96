/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl config show: the configuration of the daemon that runs. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/ctl.h"
#include "cli/emit.h"
#include "cli/table.h"

/* What fills the table. */
struct rows {
    struct pin_columns *table;
    const struct pin_tree *origins;
    struct pin_text path; /* of the value at hand */
};

/* Where the value at a path comes from: what says so of it, or of what it lies in. */
static const char *origin_of(const struct pin_tree *origins, const char *path)
{
    const char *found = NULL;
    size_t longest = 0;
    PIN_TREE_EACH(origin, origins)
    {
        size_t bytes = strlen(origin->key);
        bool is_it = strncmp(path, origin->key, bytes) == 0 && strchr(".[", path[bytes]) != NULL;
        if (is_it && (found == NULL || bytes > longest)) {
            found = origin->text;
            longest = bytes;
        }
    }
    return found == NULL ? "default" : found;
}

static bool is_scalar(const struct pin_tree *node)
{
    return node->kind != PIN_TREE_MAP && node->kind != PIN_TREE_LIST;
}

static bool has_scalars_only(const struct pin_tree *list)
{
    PIN_TREE_EACH(item, list)
    {
        if (!is_scalar(item)) {
            return false;
        }
    }
    return true;
}

static void put_row(struct rows *rows, const struct pin_tree *node)
{
    struct pin_text value = {0};
    if (is_scalar(node)) {
        pin_text_puts(&value, node->text);
    } else {
        pin_text_putc(&value, '[');
        PIN_TREE_EACH(item, node)
        {
            pin_text_putf(&value, "%s%s", item == node->first ? "" : ", ", item->text);
        }
        pin_text_putc(&value, ']');
    }
    const char *path = pin_text_get(&rows->path);
    pin_columns_row(rows->table);
    pin_columns_cell(rows->table, path, PIN_COLOR_NONE);
    pin_columns_cell(rows->table, value.len == 0 ? "\"\"" : pin_text_get(&value), PIN_COLOR_NONE);
    pin_columns_cell(rows->table, origin_of(rows->origins, path), PIN_COLOR_NONE);
    pin_text_done(&value);
}

/* A row for each value. As deep as the parser let it become. */
static void put_rows(struct rows *rows, const struct pin_tree *node)
{
    size_t before = rows->path.len;
    size_t i = 0;
    if (is_scalar(node) || (node->kind == PIN_TREE_LIST && has_scalars_only(node))) {
        put_row(rows, node);
        return;
    }
    PIN_TREE_EACH(child, node)
    {
        if (child->key == NULL) {
            pin_text_putf(&rows->path, "[%zu]", i++);
        } else {
            pin_text_putf(&rows->path, "%s%s", before == 0 ? "" : ".", child->key);
        }
        put_rows(rows, child);
        pin_text_cut(&rows->path, before);
    }
}

static bool print_table(
    const struct pin_ctl *ctl, const struct pin_tree *reply, const struct pin_tree *config)
{
    static const struct pin_column columns[] = {
        {"KEY", false}, {"VALUE", false}, {"ORIGIN", false}};
    struct rows rows = {.table = pin_columns_new(ctl, columns, N_ELEMS(columns)),
        .origins = pin_tree_map(reply, "origins")};
    if (rows.table != NULL) {
        put_rows(&rows, config);
    }
    pin_text_done(&rows.path);
    return pin_columns_print(rows.table);
}

/* The document itself, which can be loaded again. */
static bool print_document(const struct pin_ctl *ctl, const struct pin_tree *config)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_tree(&json, config);
    bool is_printed = pin_jsonout_is_ok(&json) && pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_printed;
}

enum pin_ctl_exit pin_ctl_config_show(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, "/api/v1/config", &reply);
    if (exit_code == PIN_CTL_OK) {
        const struct pin_tree *config =
            pin_tree_map(reply.tree, ctl->effective ? "effective" : "config");
        bool is_printed = config != NULL
                          && (ctl->output == PIN_CTL_TABLE ? print_table(ctl, reply.tree, config)
                                                           : print_document(ctl, config));
        exit_code = is_printed ? PIN_CTL_OK : PIN_CTL_FAILED;
    }
    pin_api_reply_done(&reply);
    return exit_code;
}
