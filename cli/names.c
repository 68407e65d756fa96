/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl names list: every assigned name with its route. */

#include <stdio.h>

#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

/* "a.example, b.example" */
static void put_hostnames(struct pin_text *text, const struct pin_tree *item)
{
    PIN_TREE_EACH(hostname, pin_tree_list(item, "hostnames"))
    {
        pin_text_putf(text, "%s%s", text->len == 0 ? "" : ",", pin_tree_text(hostname, ""));
    }
}

static bool print_table(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"CLUSTER", false}, {"KIND", false},
        {"NAMESPACE", false}, {"NAME", false}, {"ASSIGNED NAME", false}, {"HOSTNAMES", false}};
    static const char *const keys[] = {"cluster", "kind", "namespace", "name", "assignedName"};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));

    PIN_TREE_EACH(item, items)
    {
        struct pin_text hostnames = {0};
        put_hostnames(&hostnames, item);
        pin_columns_row(table);
        for (size_t i = 0; i < N_ELEMS(keys); i++) {
            pin_columns_cell(table, pin_tree_string(item, keys[i], ""), PIN_COLOR_NONE);
        }
        pin_columns_cell(table, pin_text_get(&hostnames), PIN_COLOR_NONE);
        pin_text_done(&hostnames);
    }
    return pin_columns_print(table);
}

enum pin_ctl_exit pin_ctl_names(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, "/api/v1/names", &reply);
    if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        const struct pin_tree *items = pin_tree_list(reply.tree, "items");
        if (items == NULL || items->n_children == 0) {
            (void)fputs("no routes yet\n", stderr);
        } else if (!print_table(ctl, items)) {
            exit_code = PIN_CTL_FAILED;
        }
    }
    pin_api_reply_done(&reply);
    return exit_code;
}
