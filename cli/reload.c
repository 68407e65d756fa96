/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl reload: has the daemon read its configuration again, and says what came of it. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"

#include "cli/api.h"
#include "cli/emit.h"

#define PATH    "/api/v1/reload"
#define POLL_US 50000

/* Lines of "FILE:LINE:COL: message", as pintled --check prints them. */
static enum pin_ctl_exit print_outcome(const struct pin_ctl *ctl, struct pin_api_reply *reply)
{
    bool has_failed = strcmp(pin_tree_string(reply->tree, "state", ""), "failed") == 0;
    if (has_failed) {
        (void)fprintf(stderr, "%s\npintlectl: nothing was changed\n",
            pin_tree_string(reply->tree, "error", ""));
    }
    if (!pin_emit_reply(ctl, reply) && !has_failed) {
        const char *changed = pin_tree_string(reply->tree, "changed", "");
        (void)printf(changed[0] != '\0' ? "in force, changed: %s\n" : "in force%s\n", changed);
    }
    return has_failed ? PIN_CTL_FAILED : PIN_CTL_OK;
}

/* Asks until the attempt has ended. */
static enum pin_ctl_exit await(
    const struct pin_ctl *ctl, long long attempt, struct pin_api_reply *reply)
{
    int64_t deadline_ms = pin_clock_mono_ms() + (int64_t)ctl->wait_ms;
    while (pin_tree_int(reply->tree, "ended", 0) < attempt) {
        if (pin_clock_mono_ms() >= deadline_ms) {
            (void)fprintf(stderr, "pintlectl: the reload goes on after %llu s\n",
                (unsigned long long)ctl->wait_ms / 1000);
            return PIN_CTL_TIMED_OUT;
        }
        (void)usleep(POLL_US);
        pin_api_reply_done(reply);
        *reply = (struct pin_api_reply){0};
        enum pin_ctl_exit exit_code = pin_api_fetch(ctl, PATH, reply);
        if (exit_code != PIN_CTL_OK) {
            return exit_code;
        }
    }
    return PIN_CTL_OK;
}

enum pin_ctl_exit pin_ctl_reload(const struct pin_ctl *ctl)
{
    const struct pin_api_order order = {.method = "POST", .path = PATH, .body = "{}"};
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_order(ctl, &order, &reply);
    if (exit_code == PIN_CTL_OK && ctl->wait) {
        exit_code = await(ctl, pin_tree_int(reply.tree, "asked", 0), &reply);
        exit_code = exit_code == PIN_CTL_OK ? print_outcome(ctl, &reply) : exit_code;
    } else if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        (void)printf("reloading; pintlectl reload --wait says what comes of it\n");
    }
    pin_api_reply_done(&reply);
    return exit_code;
}
