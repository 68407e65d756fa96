/* SPDX-License-Identifier: Apache-2.0 */

/* The deadlines of streams, by what they wait for. */

#include "patience.h"

int64_t pin_patience_ms(const struct pin_stream_limits *limits, enum pin_conn_state state)
{
    const uint32_t timeouts[] = {
        [PIN_CONN_IDLE] = limits->idle_timeout_ms,
        [PIN_CONN_READING] = limits->read_timeout_ms,
        [PIN_CONN_WRITING] = limits->write_timeout_ms,
        [PIN_CONN_PENDING] = limits->pending_timeout_ms,
        [PIN_CONN_SHAKING] = limits->handshake_timeout_ms,
        [PIN_CONN_LINGERING] = PIN_LINGER_MS,
    };
    return timeouts[state];
}

void pin_patience_count(struct pin_stats *stats, enum pin_conn_state state)
{
    struct pin_stat *const by_state[] = {
        [PIN_CONN_IDLE] = &stats->n_idle,
        [PIN_CONN_READING] = &stats->n_slow_queries,
        [PIN_CONN_WRITING] = &stats->n_slow_readers,
        [PIN_CONN_PENDING] = &stats->n_unanswered,
        [PIN_CONN_SHAKING] = &stats->n_slow_handshakes,
    };
    if (state != PIN_CONN_LINGERING) { /* that one was over already */
        pin_stat_add(&stats->n_timed_out, 1);
        pin_stat_add(by_state[state], 1);
    }
}
