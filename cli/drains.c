/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl drain, undrain, drains: what is out of the answers by hand. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define PATH "/api/v1/drains"

static bool print_drains(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"WHAT", false}, {"NAME", false}, {"UNTIL", false}};
    if (items == NULL || items->n_children == 0) {
        (void)puts("nothing is drained");
        return true;
    }
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(item, items)
    {
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(item, "what", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(item, "name", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(item, "until", "undrained"), PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

/* Prints the list that every reply holds. */
static enum pin_ctl_exit show(const struct pin_ctl *ctl, struct pin_api_reply *reply)
{
    const char *warning = pin_tree_string(reply->tree, "warning", "");
    if (warning[0] != '\0') {
        (void)fprintf(stderr, "pintlectl: warning: %s\n", warning);
    }
    bool is_good =
        pin_emit_reply(ctl, reply) || print_drains(ctl, pin_tree_list(reply->tree, "items"));
    return is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
}

enum pin_ctl_exit pin_ctl_drains(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, PATH, &reply);
    exit_code = exit_code == PIN_CTL_OK ? show(ctl, &reply) : exit_code;
    pin_api_reply_done(&reply);
    return exit_code;
}

enum pin_ctl_exit pin_ctl_drain(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    struct pin_text body = {0};
    struct pin_jsonout json = pin_jsonout_init(&body);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "what", ctl->words[0]);
    pin_jsonout_key_string(&json, "name", ctl->words[1]);
    pin_jsonout_key_string(&json, "for", ctl->duration);
    pin_jsonout_end(&json);
    enum pin_ctl_exit exit_code =
        pin_api_order(ctl, &(struct pin_api_order){"POST", PATH, pin_text_get(&body)}, &reply);
    exit_code = exit_code == PIN_CTL_OK ? show(ctl, &reply) : exit_code;
    pin_api_reply_done(&reply);
    pin_text_done(&body);
    return exit_code;
}

enum pin_ctl_exit pin_ctl_undrain(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    struct pin_text path = {0};
    pin_text_puts(&path, PATH "?what=");
    pin_api_put_escaped(&path, ctl->words[0]);
    pin_text_puts(&path, "&name=");
    pin_api_put_escaped(&path, ctl->words[1]);
    enum pin_ctl_exit exit_code =
        pin_api_order(ctl, &(struct pin_api_order){"DELETE", pin_text_get(&path), NULL}, &reply);
    exit_code = exit_code == PIN_CTL_OK ? show(ctl, &reply) : exit_code;
    pin_api_reply_done(&reply);
    pin_text_done(&path);
    return exit_code;
}
