/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl version: of both programs, and what a report of trouble needs besides. */

#include "pintle/version.h"

#include <stdio.h>

#include "cli/emit.h"

/* What the daemon says; "" when none runs. */
struct facts {
    const char *daemon;
    const char *sandbox;
    const char *built_with;
};

static void put_or_null(struct pin_jsonout *json, const char *key, const char *value)
{
    if (value[0] != '\0') {
        pin_jsonout_key_string(json, key, value);
    } else {
        pin_jsonout_key(json, key);
        pin_jsonout_null(json);
    }
}

static bool print_made(const struct pin_ctl *ctl, const struct facts *facts)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "client", PIN_VERSION);
    pin_jsonout_key_string(&json, "clientBuiltWith", PIN_BUILT_WITH);
    put_or_null(&json, "daemon", facts->daemon);
    put_or_null(&json, "daemonBuiltWith", facts->built_with);
    put_or_null(&json, "sandbox", facts->sandbox);
    pin_jsonout_end(&json);
    bool is_good = pin_emit_made(ctl, &text);
    pin_text_done(&text);
    return is_good;
}

static bool print_text(const struct facts *facts)
{
    bool runs = facts->daemon[0] != '\0';
    bool is_good =
        printf("pintlectl %s\npintled   %s\n", PIN_VERSION, runs ? facts->daemon : "not running")
        > 0;
    if (runs) {
        is_good = printf("sandbox   %s\n", facts->sandbox) > 0;
    }
    return is_good
           && printf("built with %s\n",
                  facts->built_with[0] != '\0' ? facts->built_with : PIN_BUILT_WITH)
                  > 0;
}

/* The daemon's version too, where one runs. */
enum pin_ctl_exit pin_ctl_version(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    struct facts facts = {"", "", ""};
    if (pin_api_get(ctl->admin, "/api/v1/status", &reply, NULL) == PIN_OK) {
        pin_emit_printable(&reply);
        facts = (struct facts){.daemon = pin_tree_string(reply.tree, "version", ""),
            .sandbox = pin_tree_string(reply.tree, "sandbox", ""),
            .built_with = pin_tree_string(reply.tree, "builtWith", "")};
    }
    bool is_good = ctl->output == PIN_CTL_TABLE ? print_text(&facts) : print_made(ctl, &facts);
    pin_api_reply_done(&reply);
    return is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
}
