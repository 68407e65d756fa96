/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tap: a sample of the questions with their answers, for the query log, for dnstap, and for
 * people who watch.
 *
 *     worker  begin: is this one noted? then its message is copied     (the answer overwrites it)
 *             end:   message and answer -> ring, lost when it is full
 *     tap's own thread: rings -> query log (querylog.h), dnstap (dnstap.h), tail (tail.h)
 *
 * While nobody wants anything a worker pays one test, and there is no thread. One that is pays for
 * what it notes: two clock reads and two copies, no lock, no allocation, no system call.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"
#include "pintle/base/text.h"
#include "pintle/zones/name.h"
#include "pintle/zones/reason.h"

#include "stats.h"

/** Questions of one batch that can be under way at once. */
#define PIN_TAP_NOTES 32u
/** What is kept of a question; a longer one is cut. */
#define PIN_TAP_QUERY_MAX 1024u
/** What is kept of an answer; a longer one is cut, and its length is still told. */
#define PIN_TAP_ANSWER_MAX 4096u
/** Memory of one worker's ring; a power of two. */
#define PIN_TAP_RING_BYTES (UINT32_C(1) << 18)
/** No note was taken. */
#define PIN_TAP_NONE UINT8_MAX

/** Who wants a record; a set. */
enum pin_tap_for {
    PIN_TAP_LOG = 1,
    PIN_TAP_DNSTAP = 2,
    PIN_TAP_TAIL = 4,
};

struct pin_policy_labels;
struct pin_settings;

/** Why the answer is as it is. */
struct pin_tap_why {
    enum pin_reason reason;
    uint16_t cluster_id;  /**< Whose view was answered, or PIN_CLUSTER_NONE. */
    uint16_t policy_slot; /**< PIN_REASON_POLICY: of the policy object. */
    bool is_stale;        /**< With data of a cluster out of reach. */
    uint8_t namespace_bytes;
    struct pin_prefix from;                   /**< Who counts as the asker; family 0: nobody. */
    char namespace_name[PIN_LABEL_MAX_BYTES]; /**< As a forwarder said it. */
};

/** Appends "why=drawn zone=assigned view=c1 from=10.1.0.7": what `pintlectl explain` needs to do it
 * again. Settings and labels may be NULL: then names are left out. */
void pin_tap_why_put(const struct pin_tap_why *why, const uint8_t *message, size_t bytes,
    const struct pin_settings *settings, const struct pin_policy_labels *labels,
    struct pin_text *out);

/** The same for a name in lower case; NULL: none. */
void pin_tap_why_put_for(const struct pin_tap_why *why, const struct pin_name *name,
    const struct pin_settings *settings, const struct pin_policy_labels *labels,
    struct pin_text *out);

/** One question with its answer. */
struct pin_tap_record {
    int64_t query_wall_ns;    /**< Since 1970. */
    int64_t took_ns;          /**< From then until its answer was ready, with all it waited. */
    struct pin_addrport peer; /**< Who asked. */
    uint32_t query_bytes;     /**< As received. */
    uint32_t answer_bytes;    /**< As sent; 0: silence. */
    enum pin_transport transport;
    uint32_t rcode;             /**< With its upper bits. */
    uint32_t wanted;            /**< enum pin_tap_for */
    uint32_t query_kept_bytes;  /**< At most PIN_TAP_QUERY_MAX. */
    uint32_t answer_kept_bytes; /**< At most PIN_TAP_ANSWER_MAX. */
    const uint8_t *query;
    const uint8_t *answer;
    struct pin_tap_why why;
    const char *why_text; /**< The same in words; "": nothing is known. The tapper's. */
};

/** Port of a dnstap collector when none is written. */
#define PIN_DNSTAP_PORT 6000u

/** What is tapped; a zeroed one is nothing. One in `every` questions; 0: none. */
struct pin_tap_config {
    uint32_t log_every;
    const char *log_file; /**< NULL: standard output. Borrowed. */
    uint32_t dnstap_every;
    const char *dnstap_socket;              /**< A Unix socket; NULL: `dnstap_address`. Borrowed. */
    struct pin_addrport dnstap_tcp;         /**< Of a collector. */
    const struct pin_settings *settings;    /**< Names of clusters and zones; NULL: none. */
    const struct pin_policy_labels *labels; /**< Names of policies; NULL: none. */
    const char *dnstap_identity;            /**< Name of this server; NULL: the host's. Borrowed. */
};

struct pin_client;
struct pin_response;
struct pin_tail;
struct pin_tap;
struct pin_tapper;

/** The head of a tap, for the one test that a question costs while nobody wants it noted. */
struct pin_tap_gate {
    _Atomic uint32_t is_open;
};

/** Whether anybody wants anything of that worker. Hot path. */
static inline bool pin_tap_is_open(const struct pin_tap *tap)
{
    const struct pin_tap_gate *gate = (const struct pin_tap_gate *)(const void *)tap;
    return atomic_load_explicit(&gate->is_open, memory_order_relaxed) != 0;
}

/**
 * Opens what records go to, and starts the thread that writes them; without a query log and dnstap
 * nothing is opened and no thread runs until somebody watches. A query log that cannot be opened is
 * an error; a dnstap collector that is not there yet is tried again for ever.
 */
enum pin_err pin_tapper_new(
    const struct pin_tap_config *config, struct pin_tapper **ret_tapper, struct pin_why *why);

struct pin_dnstap;
struct pin_querylog;

/** What records go to, one in `every` questions. Zeroed is nothing. */
struct pin_tap_outlets {
    uint32_t log_every;
    uint32_t dnstap_every;
    struct pin_querylog *log;
    struct pin_dnstap *dnstap;
};

/** Opens what a configuration says, beside what there is, and starts the thread if it will be
 * needed. Errors as of pin_tapper_new(); then nothing is open. Control's thread. */
enum pin_err pin_tapper_prepare(struct pin_tapper *tapper, const struct pin_tap_config *config,
    struct pin_tap_outlets *ret_outlets, struct pin_why *why);

/** Records go there from now on; what was noted before still goes to those before, which are closed
 * then. Takes them. Control's thread. */
void pin_tapper_change(struct pin_tapper *tapper, const struct pin_tap_outlets *outlets);

/** Closes them. */
void pin_tap_outlets_close(struct pin_tap_outlets *outlets);

/** Tells by other settings from now on; no record is told by those before when it returns. NULL is
 * fine. Any thread. */
void pin_tapper_follow(struct pin_tapper *tapper, const struct pin_settings *settings);

/** Writes what is in the rings, ends the thread, frees. No worker is left. NULL is fine. */
void pin_tapper_free(struct pin_tapper *tapper);

/**
 * A tap for one more worker; lives as long as the tapper. NULL when `tapper` is NULL or memory is
 * out, which is logged: that worker is not tapped. Any thread.
 */
struct pin_tap *pin_tapper_join(struct pin_tapper *tapper);

/** Gives a tap back; its worker is gone, and what it noted is still told. The next one that joins
 * takes it. NULL is fine. Any thread. */
void pin_tapper_leave(struct pin_tap *tap);

/**
 * From now on questions are noted for somebody who watches, or no more. As many are noted as a
 * person can use, about 2000 a second: of more questions one in so many. Control's thread. Starts
 * the thread the first time; an error leaves all as it was.
 */
enum pin_err pin_tapper_watch(struct pin_tapper *tapper, bool is_watched, struct pin_why *why);

/** Takes what was noted since the last time, in exchange for `tail`, which is emptied before. A
 * mutex is held for the exchange of two pointers. Control's thread. */
void pin_tapper_take(struct pin_tapper *tapper, struct pin_tail **tail);

/** What was noted for the query log and dnstap, and what was lost because a ring was full. Any
 * thread. */
void pin_tapper_stats(const struct pin_tapper *tapper, uint64_t *ret_n_noted, uint64_t *ret_n_lost);

/** Decides whether a question is noted, and copies it. `asked_ns` is when it came, monotonic; 0:
 * now. Its worker. Hot path. */
uint8_t pin_tap_begin(struct pin_tap *tap, int64_t asked_ns, const uint8_t *wire, size_t bytes);

/** Records what begin noted, with the finished answer. Nothing for PIN_TAP_NONE. Hot path. */
void pin_tap_end(struct pin_tap *tap, uint8_t note_i, const struct pin_client *client,
    const struct pin_response *response, const struct pin_tap_why *why);
