/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * One relay, and what is looked at in its answers, for the test programs of forwarding.
 */

#include "support/relay.h"

#define TYPE_A   1u
#define SERVFAIL 2

static struct relay relay;
static struct message answer;
static struct relay_question question;

static inline int stop(void **state)
{
    (void)state;
    relay_stop(&relay);
    return 0;
}

static inline uint64_t count_of(const struct pin_stat *stat)
{
    return pin_stat_read(stat);
}

static inline const struct pin_upstream_stats *stats_of(size_t upstream_i)
{
    return &relay.thread->upstreams[upstream_i].stats;
}

/** Asks for what is not cached. Returns its stream. */
static inline uint64_t ask_later(uint16_t client, const struct message_query *query)
{
    uint64_t stream_id = relay_ask(&relay, client, query, &answer);
    assert_true(stream_id > 0);
    relay_run(&relay);
    return stream_id;
}

static inline void assert_good(uint64_t stream_id)
{
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.rcode, 0);
    assert_int_equal(message_count(&answer, 1, TYPE_A), 1);
}

static inline void assert_failure(uint64_t stream_id, int ede)
{
    assert_int_equal(relay_take(&relay, &answer), stream_id);
    assert_int_equal(answer.rcode, SERVFAIL);
    assert_int_equal(answer.ede, ede);
}
