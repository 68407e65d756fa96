/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Waiting until all clusters are served, and saying meanwhile how far they are. */

#include "cli/api.h"

/**
 * Asks until all is well or --timeout is over. Progress goes to standard error: lines that are
 * news, or on a terminal a screen of a line per cluster; with -o json to standard output, an object
 * a line. Complains once when time is up.
 *
 * @param ret_reply  The last status that came, if any did; the caller's.
 * @return PIN_CTL_OK, PIN_CTL_TIMED_OUT, or PIN_CTL_NOT_RUNNING when no status came at all.
 */
enum pin_ctl_exit pin_wait_until_well(const struct pin_ctl *ctl, struct pin_api_reply *ret_reply);
