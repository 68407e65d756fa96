/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl version: of both programs. */

#include "pintle/version.h"

#include <stdio.h>

#include "cli/api.h"

/* The daemon's version too, where one runs. */
enum pin_ctl_exit pin_ctl_version(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    const char *daemon = NULL;
    if (pin_api_get(ctl->admin, "/api/v1/status", &reply, NULL) == PIN_OK) {
        daemon = pin_tree_string(reply.tree, "version", NULL);
    }
    switch (ctl->output) {
    case PIN_CTL_JSON:
        (void)printf(daemon == NULL ? "{\"client\":\"%s\",\"daemon\":null}\n"
                                    : "{\"client\":\"%s\",\"daemon\":\"%s\"}\n",
            PIN_VERSION, daemon);
        break;
    case PIN_CTL_YAML:
        (void)printf("client: \"%s\"\ndaemon: %s%s%s\n", PIN_VERSION, daemon == NULL ? "" : "\"",
            daemon == NULL ? "null" : daemon, daemon == NULL ? "" : "\"");
        break;
    case PIN_CTL_TABLE:
        (void)printf(
            "pintlectl %s\npintled   %s\n", PIN_VERSION, daemon == NULL ? "not running" : daemon);
        break;
    }
    pin_api_reply_done(&reply);
    return PIN_CTL_OK;
}
