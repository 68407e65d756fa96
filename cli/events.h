/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Events: what the daemon tells as it happens (`/api/v1/stream`), one JSON object each. */

#include "pintle/base/tree.h"

#include "cli/ctl.h"

/** One event's data, gone afterwards. False: enough was seen. */
typedef bool pin_events_fn(void *arg, const struct pin_tree *data);

/** Gives each event to `fn` until it says false (PIN_CTL_OK) or the connection breaks, which is
 * told on standard error. Blocking. */
enum pin_ctl_exit pin_events_watch(
    const struct pin_ctl *ctl, const char *path, pin_events_fn *fn, void *arg);
