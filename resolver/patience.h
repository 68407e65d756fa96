/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Patience: how long a stream may wait for each thing, and what it counts as when it has waited
 * longer. Pure but for the counters, which are the calling thread's.
 */

#include <stdint.h>

#include "conn.h"
#include "stats.h"

/** How long a client has to notice that its connection has ended. */
#define PIN_LINGER_MS 2000

/** Milliseconds that a stream may be in `state`, which is not CLOSED. */
int64_t pin_patience_ms(const struct pin_stream_limits *limits, enum pin_conn_state state);

/** Counts a stream that is closed for being in `state`, which is not CLOSED, for longer. */
void pin_patience_count(struct pin_stats *stats, enum pin_conn_state state);
