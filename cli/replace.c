/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl replace: has another process take the daemon's place, and says what came of it. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pintle/base/clock.h"

#include "cli/api.h"
#include "cli/emit.h"

#define PATH    "/api/v1/replace"
#define POLL_US 50000

/* One order: who took it, and who answers now. */
struct order {
    const struct pin_ctl *ctl;
    struct pin_api_reply taken;
    struct pin_api_reply reply;
};

static long long number(const struct pin_api_reply *reply, const char *key)
{
    return pin_tree_int(reply->tree, key, 0);
}

static bool is_replaced(const struct order *order)
{
    return number(&order->reply, "pid") != number(&order->taken, "pid");
}

/* The attempt has ended, and not because the one before is about to end, too. */
static bool has_failed(const struct order *order)
{
    const char *state = pin_tree_string(order->reply.tree, "state", "");
    return number(&order->reply, "ended") >= number(&order->taken, "asked")
           && (strcmp(state, "failed") == 0 || strcmp(state, "refused") == 0);
}

static enum pin_ctl_exit print_outcome(struct order *order)
{
    long long before = number(&order->taken, "pid");
    long long after = number(&order->reply, "pid");
    bool is_good = is_replaced(order);
    if (!is_good) {
        (void)fprintf(stderr, "pintlectl: %s\npintlectl: process %lld goes on, its log says more\n",
            pin_tree_string(order->reply.tree, "error", ""), before);
    }
    if (!pin_emit_reply(order->ctl, &order->reply) && is_good) {
        (void)printf("process %lld (pintled %s) has taken the place of %lld (pintled %s)\n", after,
            pin_tree_string(order->reply.tree, "version", "?"), before,
            pin_tree_string(order->taken.tree, "version", "?"));
    }
    return is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
}

/* Asks until another process answers, or the attempt has ended otherwise. The one before may close
 * a connection that it has just accepted; its socket stays, so to be refused means that nobody is
 * there. */
static enum pin_ctl_exit await(struct order *order)
{
    static const struct pin_api_order get = {.method = "GET", .path = PATH};
    int64_t deadline_ms = pin_clock_mono_ms() + (int64_t)order->ctl->wait_ms;
    while (pin_clock_mono_ms() < deadline_ms) {
        struct pin_why why = {0};
        (void)usleep(POLL_US);
        pin_api_reply_done(&order->reply);
        order->reply = (struct pin_api_reply){0};
        enum pin_err err = pin_api_try(order->ctl->admin, &get, &order->reply, &why);
        if (err == PIN_ECLOSED) {
            (void)fprintf(stderr,
                "pintlectl: nobody listens on %s%s any more: the process that took over has "
                "another `admin`, or all have ended; the log says which\n",
                pin_api_scheme(order->ctl->admin), order->ctl->admin);
            return PIN_CTL_NOT_RUNNING;
        }
        if (err == PIN_OK && order->reply.status != 200) {
            return pin_api_judge(err, &order->reply, &why);
        }
        if (err == PIN_OK && (is_replaced(order) || has_failed(order))) {
            return PIN_CTL_OK;
        }
    }
    (void)fprintf(stderr, "pintlectl: the replacement goes on after %llu s\n",
        (unsigned long long)order->ctl->wait_ms / 1000);
    return PIN_CTL_TIMED_OUT;
}

enum pin_ctl_exit pin_ctl_replace(const struct pin_ctl *ctl)
{
    const struct pin_api_order post = {.method = "POST", .path = PATH, .body = "{}"};
    struct order order = {.ctl = ctl};
    enum pin_ctl_exit exit_code = pin_api_order(ctl, &post, &order.taken);
    if (exit_code == PIN_CTL_OK && ctl->wait) {
        exit_code = await(&order);
        exit_code = exit_code == PIN_CTL_OK ? print_outcome(&order) : exit_code;
    } else if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &order.taken)) {
        (void)printf("starting another process; pintlectl replace --wait says what comes of it\n");
    }
    pin_api_reply_done(&order.taken);
    pin_api_reply_done(&order.reply);
    return exit_code;
}
