/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl names list: assigned names with their routes. */

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

static const char *const keys[] = {"cluster", "kind", "namespace", "name", "assignedName"};

static bool is_wanted(const struct pin_ctl *ctl, const struct pin_tree *item)
{
    struct pin_text text = {0};
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        pin_text_putf(&text, "%s/", pin_tree_string(item, keys[i], ""));
    }
    put_hostnames(&text, item);
    bool has_all = pin_ctl_has_words(ctl, pin_text_get(&text));
    pin_text_done(&text);
    return has_all;
}

static bool has_wanted(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    PIN_TREE_EACH(item, items)
    {
        if (is_wanted(ctl, item)) {
            return true;
        }
    }
    return false;
}

static bool print_table(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"CLUSTER", false}, {"KIND", false},
        {"NAMESPACE", false}, {"NAME", false}, {"ASSIGNED NAME", false}, {"HOSTNAMES", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));

    PIN_TREE_EACH(item, items)
    {
        struct pin_text hostnames = {0};
        if (!is_wanted(ctl, item)) {
            continue;
        }
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

/* The items with all the words, in a list as the daemon's. */
static bool emit_wanted(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    PIN_TREE_EACH(item, items)
    {
        if (is_wanted(ctl, item)) {
            pin_jsonout_tree(&json, item);
        }
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    bool is_good = pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

enum pin_ctl_exit pin_ctl_names(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, "/api/v1/names", &reply);
    const struct pin_tree *items = pin_tree_list(reply.tree, "items");
    bool is_good = true;
    if (exit_code == PIN_CTL_OK && ctl->n_words > 0 && ctl->output != PIN_CTL_TABLE) {
        is_good = emit_wanted(ctl, items);
    } else if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        if (has_wanted(ctl, items)) {
            is_good = print_table(ctl, items);
        } else {
            (void)fputs(
                ctl->n_words > 0 ? "no route has these words\n" : "no routes yet\n", stderr);
        }
    }
    pin_api_reply_done(&reply);
    return is_good ? exit_code : PIN_CTL_FAILED;
}
