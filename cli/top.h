/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file The pictures of `pintlectl top` beside questions. */

#include "cli/ctl.h"

/** Shows the busiest names, or networks of clients: every second until the connection breaks when
 * it is live, else once, after two seconds. */
enum pin_ctl_exit pin_top_busy(const struct pin_ctl *ctl, bool is_by_client, bool is_live);

/** Shows what stood first in the answers of routes within a second, beside what should have; again
 * and again when it is live. */
enum pin_ctl_exit pin_top_routes(const struct pin_ctl *ctl, bool is_live);
