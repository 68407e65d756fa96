/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl cache: what is kept of forwarded names, and its end. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define PATH "/api/v1/cache"

/* The path of the part that begins at `after`. */
static void put_path(const struct pin_ctl *ctl, const char *after, struct pin_text *path)
{
    pin_text_puts(path, PATH "?after=");
    pin_api_put_escaped(path, after);
    if (ctl->n_words > 0) {
        pin_text_puts(path, "&name=");
        pin_api_put_escaped(path, ctl->words[0]);
    }
}

static bool print_part(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"NAME", false}, {"TYPE", false}, {"KIND", false},
        {"TTL", true}, {"RECORDS", true}, {"FLAGS", false}, {"ZONE", false}};
    static const char *const keys[] = {"name", "type", "kind"};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    char cell[32];
    PIN_TREE_EACH(item, items)
    {
        pin_columns_row(table);
        for (size_t i = 0; i < N_ELEMS(keys); i++) {
            pin_columns_cell(table, pin_tree_string(item, keys[i], ""), PIN_COLOR_NONE);
        }
        (void)snprintf(cell, sizeof(cell), "%lld", pin_tree_int(item, "ttlLeft", 0));
        pin_columns_cell(table, cell, PIN_COLOR_NONE);
        (void)snprintf(cell, sizeof(cell), "%lld", pin_tree_int(item, "records", 0));
        pin_columns_cell(table, cell, PIN_COLOR_NONE);
        (void)snprintf(cell, sizeof(cell), "%s%s", pin_tree_bool(item, "do", false) ? "do " : "",
            pin_tree_bool(item, "cd", false) ? "cd" : "");
        pin_columns_cell(table, cell, PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(item, "zone", ""), PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

/* Part after part, as they come: there may be millions. */
enum pin_ctl_exit pin_ctl_cache_dump(const struct pin_ctl *ctl)
{
    struct pin_ctl of_part = *ctl;
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    char after[64] = "";
    do {
        struct pin_api_reply reply = {0};
        struct pin_text path = {0};
        put_path(ctl, after, &path);
        exit_code = pin_api_fetch(ctl, pin_text_get(&path), &reply);
        if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)
            && !print_part(&of_part, pin_tree_list(reply.tree, "items"))) {
            exit_code = PIN_CTL_FAILED;
        }
        (void)snprintf(after, sizeof(after), "%s",
            exit_code == PIN_CTL_OK ? pin_tree_string(reply.tree, "next", "") : "");
        of_part.no_headers = true;
        pin_text_done(&path);
        pin_api_reply_done(&reply);
    } while (after[0] != '\0');
    return exit_code;
}

enum pin_ctl_exit pin_ctl_cache_flush(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    struct pin_text path = {0};
    if (ctl->is_tree && ctl->n_words == 0) {
        (void)fputs("pintlectl: --tree wants a NAME\n", stderr);
        return PIN_CTL_USAGE;
    }
    pin_text_putf(&path, PATH "?what=%s", ctl->is_tree ? "tree" : "name");
    if (ctl->n_words > 0) {
        pin_text_puts(&path, "&name=");
        pin_api_put_escaped(&path, ctl->words[0]);
    }
    enum pin_ctl_exit exit_code =
        pin_api_order(ctl, &(struct pin_api_order){"DELETE", pin_text_get(&path), NULL}, &reply);
    if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        (void)printf("%lld entries are forgotten\n", pin_tree_int(reply.tree, "removed", 0));
    }
    pin_api_reply_done(&reply);
    pin_text_done(&path);
    return exit_code;
}
