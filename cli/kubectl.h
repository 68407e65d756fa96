/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * kubectl, for what is done to API servers with the caller's own rights: it knows kubeconfigs,
 * contexts and all ways to log in.
 */

#include "pintle/base/text.h"

#include "cli/ctl.h"

/** What it said. */
struct pin_kubectl_reply {
    int status; /**< Its exit code; -1 when a signal ended it. */
    struct pin_text out;
    struct pin_text err;
};

/**
 * Runs it to its end. PIN_ENOTFOUND: there is no kubectl; PIN_EIO, PIN_ENOMEM.
 *
 * @param args  Ends with NULL; without the program's name.
 */
enum pin_err pin_kubectl_run(
    const char *const *args, struct pin_kubectl_reply *ret_reply, struct pin_why *why);

/** Frees what a reply holds. */
void pin_kubectl_reply_done(struct pin_kubectl_reply *reply);
