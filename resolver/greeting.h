/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Greeting: what `pintled --dev` prints once its clusters are listed, with commands to paste.
 *
 * Runs on control's loop and asks the builder. A greeting that memory is lacking for is left out.
 */

#include "pintle/base/ip.h"
#include "pintle/base/loop.h"

#include "resolver/builder.h"

/** What it tells, and whom it asks; all borrowed as long as the greeting lives. */
struct pin_greeting_config {
    const char *program; /**< argv[0] */
    struct pin_loop *loop;
    struct pin_builder *builder;
    size_t n_clusters;
    struct pin_addrport dns; /**< The first listener. */
    struct pin_addrport admin;
    int64_t started_ms; /**< Monotonic. */
};

/** Prints the greeting when all clusters are synced, or after 2 s. NULL: no memory. */
struct pin_greeting *pin_greeting_start(const struct pin_greeting_config *config);

/** Ends it. NULL is nothing; the builder must have stopped or answered all calls. */
void pin_greeting_free(struct pin_greeting *greeting);
