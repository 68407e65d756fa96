/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Upstream: one forward thread's picture of one resolver, and single tries at it.
 *
 *     try over UDP      a fresh connected socket, so a fresh random port; a random id; random case
 *     try over a stream the one connection that this thread keeps to it, many questions at once
 *
 * A name that stays silent says nothing about the resolver: when several tries in a row have had no
 * answer it is asked a question of ours each second, and only if that has no answer either it is
 * down, until one has. Private to the forward threads (resolver/forward_thread.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pintle/base/stat.h"
#include "pintle/zones/name.h"

#include "forward.h"
#include "timers.h"

struct pin_forward_thread;
struct pin_upstream_conn;
struct pin_ask;
struct pin_tls_client;

/** What an epoll event is about: first member of each kind. */
struct pin_forward_source {
    void (*on_event)(
        struct pin_forward_source *source, struct pin_forward_thread *thread, uint32_t events);
    struct pin_forward_source *next_dead; /**< Closed in this round, freed at its end. */
};

/** Counters of an upstream in one thread. */
struct pin_upstream_stats {
    PIN_STAT_ALIGNED struct pin_stat n_asked; /**< Tries. */
    struct pin_stat n_answered;               /**< Replies that were believed. */
    struct pin_stat n_silent;                 /**< Tries that had no answer in time. */
    struct pin_stat n_lost;                   /**< Of these, so many that a packet was lost. */
    struct pin_stat n_unreachable;            /**< Errors of the network. */
    struct pin_stat n_failed;                 /**< Replies such as SERVFAIL and REFUSED. */
    struct pin_stat n_malformed;              /**< Replies that could not be read. */
    struct pin_stat n_mismatched;             /**< Messages that were not the reply. */
    struct pin_stat n_over_stream;            /**< Tries over TCP or TLS. */
    struct pin_stat n_connects;               /**< Connections opened. */
    struct pin_stat is_down;                  /**< Gauge: 1 while nobody asks it. */
    struct pin_stat srtt_us;                  /**< Gauge: smoothed time to a reply. */
};

/** One resolver, for one forward thread. */
struct pin_upstream {
    const struct pin_upstream_spec *spec;
    struct pin_forward_thread *thread;
    struct sockaddr_storage address;
    socklen_t address_bytes;
    uint16_t index; /**< Among all of the thread. */
    bool is_trusted;
    bool mixes_case;
    bool is_down;
    bool is_loop;       /**< Questions to it come back to us. */
    uint32_t n_silent;  /**< Tries in a row without an answer to any. */
    uint32_t n_credits; /**< Tries beyond the usual that losses have paid for. */
    uint32_t n_probes_silent;
    int64_t plain_until_ms; /**< It does not know EDNS. */
    int64_t srtt_us;        /**< 0: not measured. */
    int64_t rttvar_us;
    struct pin_deadline probe_at;
    struct pin_attempt *probe; /**< Under way, or NULL. */
    struct pin_upstream_conn *conn;
    struct pin_tls_client *tls; /**< For all its connections; NULL: plain TCP. */
    struct pin_upstream_stats stats;
};

/** One try: a question on its way. */
struct pin_attempt {
    struct pin_forward_source source;
    struct pin_attempt *next;      /**< Of the same ask. */
    struct pin_attempt *next_sent; /**< On the same connection. */
    struct pin_ask *ask;           /**< NULL: a probe. */
    struct pin_upstream *upstream;
    struct pin_upstream_conn *conn; /**< NULL: over UDP. */
    int64_t sent_us;
    int fd; /**< -1: closed, or over a connection. */
    uint16_t id;
    uint16_t qtype;
    uint8_t n_mismatched;
    bool is_silent; /**< It should have been answered by now. */
    bool is_over;   /**< Ended: only its memory is still there. */
    bool has_error; /**< The network said no; over UDP it is listened to all the same. */
    bool has_edns;
    bool is_do;
    bool is_cd;
    uint8_t name_bytes;
    uint8_t name[PIN_NAME_MAX_BYTES]; /**< As sent. */
};

/** What is to be asked. */
struct pin_try {
    struct pin_ask *ask; /**< NULL: a probe. */
    const uint8_t *name; /**< Lower case. */
    uint8_t name_bytes;
    uint16_t qtype;
    bool is_do;
    bool is_cd;
    bool is_plain;    /**< Without EDNS. */
    bool over_stream; /**< Always for TLS. */
};

/** Room for a question: header, name, tail, OPT with padding. */
#define PIN_TRY_WIRE_MAX 512u

/** Makes an upstream ready; it sends nothing before it is asked. */
enum pin_err pin_upstream_init(struct pin_upstream *upstream, struct pin_forward_thread *thread,
    const struct pin_upstream_spec *spec, struct pin_why *why);

/** Closes all. */
void pin_upstream_done(struct pin_upstream *upstream);

/** How long to wait for its answer before somebody is asked again. */
int64_t pin_upstream_patience_ms(const struct pin_upstream *upstream);

/** A try over UDP was answered, and one before it was not: a packet was lost on the way. */
void pin_upstream_on_loss(struct pin_upstream *upstream);

/** Whether packets to and from it are lost: waiting longer is no use then, asking again is. */
bool pin_upstream_is_lossy(const struct pin_upstream *upstream);

/** Pays for a try beyond the usual; nothing is owed. */
void pin_upstream_pay(struct pin_upstream *upstream);

/** It said something to a question of ours. `attempt` may have waited behind others. */
void pin_upstream_on_reply(struct pin_upstream *upstream, const struct pin_attempt *attempt);

/** A try had no answer in time, or the network said no. */
void pin_upstream_on_silence(struct pin_upstream *upstream);

/** Sends one question that shows whether what it is asked comes back to us. */
void pin_upstream_look_for_loop(struct pin_upstream *upstream);

/** Asks. NULL: it cannot be sent now, `*ret_errno` says why. The attempt is the caller's. */
struct pin_attempt *pin_attempt_start(
    struct pin_upstream *upstream, const struct pin_try *try, int *ret_errno);

/** Ends a try, wherever it is; its memory goes at the end of the round. */
void pin_attempt_end(struct pin_attempt *attempt);

/** Writes the question of an attempt. Returns its bytes, at most PIN_TRY_WIRE_MAX. */
size_t pin_attempt_write(const struct pin_attempt *attempt, uint8_t wire[PIN_TRY_WIRE_MAX]);

/** Puts a question on the thread's connection to the upstream, which is opened if need be. False:
 * no memory, no descriptor. */
bool pin_upstream_conn_ask(struct pin_upstream *upstream, struct pin_attempt *attempt);

/** Takes a try off its connection. */
void pin_upstream_conn_forget(struct pin_attempt *attempt);

/** Closes the connection without telling its tries. NULL is fine. */
void pin_upstream_conn_close(struct pin_upstream_conn *conn);

/* --- what happens to tries: resolver/forward_ask.c -------------------------------------------- */

/** A message came for the attempt, which may be ended by this. */
void pin_attempt_on_message(struct pin_attempt *attempt, const uint8_t *wire, size_t bytes);

/** The network says that this try has no answer; over UDP that may be a lie, and it stays open. */
void pin_attempt_on_error(struct pin_attempt *attempt, int errno_value);
