/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * TCP: one thread that serves all streams of one worker (RFC 7766).
 *
 * A connection costs a small struct while it is idle; buffers for reading and answering belong to
 * the thread, and only what is cut in the middle - half a query, an answer that the client does not
 * take yet - is kept with the connection:
 *
 *     idle --first byte--> reading --whole query--> answered --all sent--> idle
 *                                        |              \--client is slow--> writing (nothing is
 *                                        |                                   read)
 *                                        \--answer comes later--> pending --mail--> as answered
 *
 * Over TLS, the handshake comes first. Each of the waits has a deadline. What is ready is sent at
 * once; an answer that comes later (late.h) is appended when its mail arrives, so it holds up
 * nobody. A client that has sent all it wants is kept until its last answer has gone out; one that
 * we end is told so, and has a moment to notice before its socket goes.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "proxy.h"
#include "worker.h"

struct pin_tcp;

/** One listening socket. */
struct pin_tcp_listen {
    int fd;                 /**< Listening and non-blocking; borrowed until stop. */
    uint8_t listen_i;       /**< Which listener it is, for pin_basis. */
    uint16_t cluster_id;    /**< Whose askers come here, or PIN_CLUSTER_NONE. */
    uint32_t n_max;         /**< Connections of this thread; 0: no limit of its own. */
    struct pin_tls *tls;    /**< Borrowed until stop; NULL: plain. */
    const char *https_path; /**< Of DNS over HTTPS; borrowed until stop. NULL: DNS as it is. */
    struct pin_proxy_trust proxy;
};

/** What a TCP thread needs. */
struct pin_tcp_config {
    int gate_fd; /**< For pin_worker_wait(). */
    const struct pin_live *live;
    const struct pin_tsig_keys *keys;     /**< NULL: none. */
    struct pin_transfers *transfers;      /**< NULL: none. */
    const struct pin_manners *manners;    /**< Outlives the threads; NULL: none. */
    const struct pin_tcp_listen *listens; /**< Copied. */
    size_t n_listens;
    struct pin_stream_limits limits;  /**< All set; per client it is this thread's part. */
    _Atomic uint32_t *n_open;         /**< Connections of all threads; outlives the thread. */
    struct pin_tapper *tapper;        /**< NULL: nothing is noted. */
    struct pin_forward_port *forward; /**< The thread's own, or NULL. */
    uint32_t thread_i;                /**< Differs between all threads. */
};

/** Starts the thread. */
enum pin_err pin_tcp_start(
    const struct pin_tcp_config *config, struct pin_tcp **ret_tcp, struct pin_why *why);

/** Accepts no more connections; those that are there go on. Any thread. NULL is fine. */
void pin_tcp_retire(struct pin_tcp *tcp);

/** Has it accept nobody if it waits at its gate; pin_tcp_stop() comes afterwards. Any thread. NULL
 * is fine. */
void pin_tcp_halt(struct pin_tcp *tcp);

/** Stops and joins the thread, closes its connections and frees. NULL is fine. */
void pin_tcp_stop(struct pin_tcp *tcp);

/** What the thread answers with, to give it another basis. Any thread, until stop. */
struct pin_worker *pin_tcp_worker(struct pin_tcp *tcp);

/** What the thread counts. Any thread, until stop. */
const struct pin_stats *pin_tcp_stats(const struct pin_tcp *tcp);

/** Where the thread leaves samples for the audit; control takes them until stop. */
struct pin_audit_ring *pin_tcp_audit(struct pin_tcp *tcp);
