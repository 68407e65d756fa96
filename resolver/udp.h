/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * UDP: one thread that answers one socket, in batches.
 *
 *     offline: recvmmsg blocks -> online: pin_answer() each, in place -> offline: sendmmsg -> ...
 *
 * The thread is an RCU reader only between the two system calls, so neither a quiet nor a blocked
 * socket holds up the builder.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "proxy.h"
#include "worker.h"

struct pin_udp;

/** What a UDP thread needs. */
struct pin_udp_config {
    const struct pin_live *live;
    const struct pin_tsig_keys *keys;  /**< NULL: none. */
    struct pin_transfers *transfers;   /**< NULL: none. */
    const struct pin_manners *manners; /**< Outlives the threads; NULL: none. */
    int fd;                            /**< Bound and blocking; borrowed until stop. */
    int gate_fd;                       /**< For pin_worker_wait(). */
    uint8_t listen_i;                  /**< Which listener it is, for pin_basis. */
    uint16_t cluster_id;               /**< Whose askers come here, or PIN_CLUSTER_NONE. */
    struct pin_proxy_trust proxy;
    bool is_wildcard;                 /**< Answers leave from the address that was asked. */
    struct pin_tapper *tapper;        /**< NULL: nothing is noted. */
    uint32_t thread_i;                /**< Differs between all threads. */
    struct pin_forward_port *forward; /**< The thread's own, or NULL. */
};

/** Starts the thread. */
enum pin_err pin_udp_start(
    const struct pin_udp_config *config, struct pin_udp **ret_udp, struct pin_why *why);

/** Has it end after the batch that it waits for, and read none if it waits at its gate;
 * pin_udp_stop() comes afterwards. Any thread. NULL is fine. */
void pin_udp_halt(struct pin_udp *udp);

/** Stops and joins the thread and frees; what was read is answered, and the socket is as it was.
 * NULL is fine. */
void pin_udp_stop(struct pin_udp *udp);

/** What the thread answers with, to give it another basis. Any thread, until stop. */
struct pin_worker *pin_udp_worker(struct pin_udp *udp);

/** What the thread counts. Any thread, until stop. */
const struct pin_stats *pin_udp_stats(const struct pin_udp *udp);

/** Where the thread leaves samples for the audit; control takes them until stop. */
struct pin_audit_ring *pin_udp_audit(struct pin_udp *udp);
