/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Workers: the threads that talk to DNS clients.
 *
 *     worker 0:  one thread per listener for UDP, one thread for all listeners' TCP
 *     worker 1:  the same with sockets of their own on the same ports (SO_REUSEPORT)
 *
 * Every thread has its own struct pin_worker: counters and draw sequences that nobody else writes.
 * Start, stop and the sums are for one controlling thread.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/select.h"
#include "pintle/zones/tsig.h"

#include "answer.h"
#include "audit.h"
#include "manners.h"
#include "origins.h"
#include "proxy.h"
#include "stats.h"
#include "tap.h"

/** Most worker sets; the sequences of their threads start at distinct places. */
#define PIN_WORKERS_MAX 256u
/** Most listeners. */
#define PIN_LISTENS_MAX 64u
/** Counters for drawn tables per thread: address space, not memory. Beyond it tables share. */
#define PIN_DRAW_SLOTS (UINT32_C(1) << 22)

/** A thread whose way to the forwarder no basis changes. */
#define PIN_PORT_OWN UINT32_MAX

struct pin_source;
struct pin_supervisor;
struct pin_transfers;
struct pin_forward;
struct pin_forward_port;

/**
 * What answers are made from. Replaced as a whole when the settings change: each thread takes the
 * next one up between two batches, and whoever replaced it waits for a grace period.
 */
struct pin_basis {
    uint64_t number; /**< Another one than any before: an address may come again. Not 0. */
    const struct pin_live *live;
    const struct pin_manners *manners;  /**< Never NULL. */
    struct pin_forward *forward;        /**< NULL: names that are not ours are refused. */
    const struct pin_tsig_keys *keys;   /**< NULL: none is known. */
    struct pin_transfers *transfers;    /**< NULL: nobody may transfer anything. */
    uint16_t clusters[PIN_LISTENS_MAX]; /**< By listener: whose askers come there, or none's. */
};

/** What one thread needs to answer. */
struct pin_worker {
    const struct pin_live *live;
    const struct pin_basis *basis; /**< What it has taken up; NULL: `live` is all there is. */
    uint64_t basis_number;
    _Atomic(const struct pin_basis *) next_basis;
    const struct pin_tsig_keys *keys; /**< NULL: none is known. */
    struct pin_transfers *transfers;  /**< NULL: nobody may transfer anything. */
    struct pin_source *source;        /**< With PIN_ANSWER_SOURCE: the caller's, who ends it. */
    struct pin_forward_port *forward; /**< Where names go that are not ours; NULL: nowhere. */
    uint32_t port_i; /**< Which one that is; PIN_PORT_OWN: whatever the basis says, the same. */
    struct pin_draws draws;
    struct pin_tally *tally; /**< Whose counters the draws have; NULL: nobody's. */
    enum pin_transport transport;
    uint32_t wall_s; /**< Seconds since 1970 when somebody asked in this batch; 0: nobody has. */
    const struct pin_manners *manners; /**< Never NULL. */
    struct pin_cookie_keys cookie_keys;
    struct pin_limiter *limiter; /**< Borrowed, of all threads; NULL: nothing is limited. */
    struct pin_stats stats;
    struct pin_audit_ring audit;
    struct pin_tap *tap; /**< NULL: nothing is noted. */
    uint32_t n_limited;  /**< Answers that the limiter did not let pass. */
};

/** Prepares a thread context; `thread_i` must differ between threads. PIN_ENOMEM. */
enum pin_err pin_worker_init(struct pin_worker *worker, const struct pin_live *live,
    enum pin_transport transport, uint32_t thread_i);

/** Has the thread answer from it, from its next batch on. Any thread. */
void pin_worker_give_basis(struct pin_worker *worker, const struct pin_basis *basis);

/** Takes up what was given since. True: it was something else. Its thread, online, before it looks
 * at anything. Hot path: one load. */
bool pin_worker_take_basis(struct pin_worker *worker);

/** Whose askers come to a listener. */
static inline uint16_t pin_worker_cluster(
    const struct pin_worker *worker, const struct pin_client *client)
{
    return worker->basis != NULL ? worker->basis->clusters[client->listen_i]
                                 : client->listen_cluster_id;
}

/** The wall clock in seconds, read at most once per batch. Its thread. Hot path. */
uint32_t pin_worker_wall_s(struct pin_worker *worker);

/** Gives back what init took; a zeroed one is fine. */
void pin_worker_done(struct pin_worker *worker);

/** Starts a thread that takes no signals; `name` has at most 15 letters. */
enum pin_err pin_worker_spawn(
    pthread_t *ret_thread, const char *name, void *(*main)(void *), void *arg, struct pin_why *why);

/** Waits until a gate is open; below 0 there is none. Its thread, offline. */
void pin_worker_wait(int gate_fd);

struct pin_tls;

/** One address to listen on: over UDP and TCP, or over TLS alone. */
struct pin_listen_spec {
    struct pin_addrport address;  /**< Port 0: any, the same for UDP and TCP. */
    uint32_t n_max_streams;       /**< Connections; 0: no limit of its own. */
    struct pin_tls *tls;          /**< Borrowed until stop; NULL: plain. */
    const char *https_path;       /**< Over TLS: of HTTPS. Borrowed until stop; NULL: DoT. */
    struct pin_proxy_trust proxy; /**< Who sends PROXY headers; with anybody, all have to. */
    uint16_t cluster_id; /**< Whose askers come here; PIN_CLUSTER_NONE: by source address. */
};

/** Limits on streams. 0 takes the default that stands beside each. A client is an IPv4 address or
 * an IPv6 /64. */
struct pin_stream_limits {
    /** 20000 connections in all, and never more than descriptors allow; beyond that one for each
     * thread that has none. */
    uint32_t n_max;
    uint32_t n_max_per_client;     /**< 1000 connections of one client. */
    uint32_t n_max_pending;        /**< 100 late answers of one connection; then it is not read. */
    uint32_t n_max_queries;        /**< Queries of one connection; no limit. */
    uint32_t max_duration_ms;      /**< Life of one connection; no limit. */
    uint32_t idle_timeout_ms;      /**< 10000 without a query. */
    uint32_t read_timeout_ms;      /**< 10000 for one message, from its first byte to its last. */
    uint32_t write_timeout_ms;     /**< 10000 in which the client reads nothing. */
    uint32_t pending_timeout_ms;   /**< 30000 in which no late answer comes. */
    uint32_t handshake_timeout_ms; /**< 5000 for a TLS handshake. */
    uint32_t rates[PIN_RATE_MAX];  /**< Of one client, a second; no limit. */
};

/** What to start. */
struct pin_workers_config {
    const struct pin_live *live;       /**< Outlives the workers. */
    const struct pin_tsig_keys *keys;  /**< Likewise; NULL: signed queries get NOTAUTH. */
    struct pin_transfers *transfers;   /**< Likewise; NULL: nobody may transfer anything. */
    const struct pin_manners *manners; /**< Copied; NULL: a server that says nothing. */
    struct pin_forward *forward;       /**< NULL: names that are not ours are refused. */
    const struct pin_listen_spec *listens;
    size_t n_listens;                  /**< 1 to PIN_LISTENS_MAX. */
    size_t n_workers;                  /**< 1 to PIN_WORKERS_MAX. */
    struct pin_supervisor *supervisor; /**< Whose sockets are taken first; NULL: there is none. */
    struct pin_stream_limits streams;
    struct pin_tapper *tapper; /**< NULL: no query log and no dnstap; else outlives the workers. */
    struct pin_handover *handover; /**< Sockets of the process before; NULL: none. */
    bool is_held;                  /**< Nothing is read before pin_workers_go(). */
};

struct pin_workers;

/**
 * Opens all sockets, then starts all threads. On an error nothing is left open, and `why` says what
 * to do: PIN_EBUSY for a port in use, PIN_EDENIED for one that needs a privilege.
 */
enum pin_err pin_workers_start(
    const struct pin_workers_config *config, struct pin_workers **ret_workers, struct pin_why *why);

/** Reads from now on, if it was held. */
void pin_workers_go(struct pin_workers *workers);

/** Writes all sockets that are listened on; how many there are. */
size_t pin_workers_fds(const struct pin_workers *workers, int *fds, size_t n_max);

/** Another process reads these sockets: what was read is answered, connections that are there go
 * on, and nothing else is begun. Milliseconds. */
void pin_workers_retire(struct pin_workers *workers);

/** Connections there are. Any thread. */
uint32_t pin_workers_n_streams(const struct pin_workers *workers);

/** Stops and joins all threads, closes all sockets, frees: what was read over UDP is answered,
 * connections are closed, and of what was held nothing is read. Bounded by one batch. NULL is fine.
 */
void pin_workers_stop(struct pin_workers *workers);

/** Completes manners for these threads: how long idle streams are kept, and the accounts of the
 * rate limit, which are those there are when they mean the same. PIN_ENOMEM. Control. */
enum pin_err pin_workers_fit_manners(
    const struct pin_workers *workers, struct pin_manners *manners, struct pin_why *why);

/** Has all threads answer from another basis, which outlives them or the next one's grace period.
 * Any thread. */
void pin_workers_give_basis(struct pin_workers *workers, const struct pin_basis *basis);

/** How many worker sets there are. */
size_t pin_workers_n(const struct pin_workers *workers);

/** What threads answer by, beside the catalog. Control; until the next follow. */
const struct pin_manners *pin_workers_manners(const struct pin_workers *workers);

/** Threads have been given this basis: what its forwarder counts is summed from now on, beside what
 * the one before still does. Control. */
void pin_workers_follow(struct pin_workers *workers, const struct pin_basis *basis);

/** No thread has another basis than the one followed: lets go what was for those. What the
 * forwarder before has counted stays in the sums; it answers nobody any more. Control. */
void pin_workers_settle(struct pin_workers *workers);

/** The address a listener really has, with its port. */
void pin_workers_address(
    const struct pin_workers *workers, size_t listen_i, struct pin_addrport *ret_address);

/** Takes a sample of some thread's audit; false when there is none. Control. */
bool pin_workers_take_audit(struct pin_workers *workers, struct pin_audit_sample *ret_sample);

/** Sums the counters of all threads. Any thread, until stop. */
void pin_workers_stats(const struct pin_workers *workers, struct pin_stats_sum *ret_sum);
