/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Answer: the decision. One call takes a query and leaves its answer in the same buffer.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "late.h"
#include "response.h"
#include "stats.h"

struct pin_worker;

/** Who sent a query, and how. */
struct pin_client {
    const struct sockaddr *peer; /**< AF_INET or AF_INET6; borrowed. */
    uint16_t listen_cluster_id;  /**< What the listener says, or PIN_CLUSTER_NONE: by address. */
    enum pin_transport transport;
    uint8_t listen_i;              /**< Which listener: what it says may change (pin_basis). */
    const struct pin_return *back; /**< Where a late answer goes; NULL: none can be given. */
    int64_t asked_ns; /**< When a query came whose answer is late, monotonic; 0: just now. */
};

/**
 * Answers one message in place. The whole between "in" and "out" is this call.
 *
 * @param worker  The calling thread's; online (base/rcu.h). Its counters are moved on.
 * @param packet  `bytes` are the message; the answer may take `cap_bytes`.
 * @return Length of the answer, 0 to stay silent; PIN_ANSWER_LATER: nothing is to be sent now, and
 *         the message is as it came.
 *
 * Cost: one hash, one node and one table for a name that exists; a probe per label for one that
 * does not. No allocation, no lock, no log, no system call. Source: RFC 1034, section 4.3.2; RFC
 * 6891.
 */
size_t pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet);

/** One message of a batch. */
struct pin_exchange {
    struct pin_client client;
    struct pin_packet packet;
    size_t answer_bytes; /**< Result of pin_answer(). */
};

/**
 * The same for many messages, whose waits for memory overlap: with more names than the caches hold,
 * most of an answer's time is waiting.
 */
void pin_answer_batch(struct pin_worker *worker, struct pin_exchange *exchanges, size_t n);
