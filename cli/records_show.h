/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Plans of records on standard output, for those who only look and those who order. */

#include "cli/records_text.h"

/** What is to be printed of the page "plan" that was read. Borrows from `self`. */
struct pin_records_view pin_records_view_of(const struct pin_records *self);

/** Prints it as -o says. False when memory was out. */
bool pin_records_print(const struct pin_ctl *ctl, const struct pin_records_view *view);

/**
 * Reads the plan and prints it.
 *
 * @param is_outcome  A run has just ended: what was done, and it is a failure if something was not.
 * @return PIN_CTL_FAILED also when a zone has no plan or its last run ended with a fault;
 *         with --detailed-exitcode PIN_CTL_CHANGES when something is left to do, else
 *         PIN_CTL_FAILED while a cluster has not been synced.
 */
enum pin_ctl_exit pin_records_show_plan(struct pin_records *self, bool is_outcome);

/** What to exit with for an error: with --detailed-exitcode never with what means changes. */
enum pin_ctl_exit pin_records_exit(const struct pin_ctl *ctl, enum pin_ctl_exit exit_code);
