/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * App: the composition root. Puts builder, workers, admin and sources together and takes them
 * apart.
 */

#include "resolver/config.h"

/** Exit codes of the programs (design, section 4). */
enum pin_exit {
    PIN_EXIT_OK = 0,
    PIN_EXIT_FAILED = 1,
    PIN_EXIT_USAGE = 2,
    PIN_EXIT_NOT_PERMITTED = 5,
};

/** Reads the configuration, prints every finding, runs nothing. */
enum pin_exit pin_app_check(const struct pin_args *args);

/** Prints, as JSON, what is wrong with clusters whose objects are files; runs nothing. PIN_EXIT_OK
 * whatever was found. */
enum pin_exit pin_app_analyze(const struct pin_args *args);

/** Prints the codes of all findings as JSON. */
enum pin_exit pin_app_print_codes(void);

/** Prints what pintled needs in a cluster, runs nothing. */
enum pin_exit pin_app_grant(const struct pin_args *args);

/** Runs until SIGTERM or SIGINT. Logs and prints what goes wrong. */
enum pin_exit pin_app_run(const struct pin_args *args);
