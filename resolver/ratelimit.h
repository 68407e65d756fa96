/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Rate limit: how many answers of one kind the addresses of one network get over UDP.
 *
 * Whoever forges a victim's address has us send answers there. Answers of one kind to one network
 * have an account: it fills by a rate, holds a second's worth, and each answer takes one from it.
 * Below zero nothing is sent, or, each `slip`-th time, an empty answer with TC: a real client asks
 * again over TCP, a victim gets no more than was sent in its name.
 *
 *     hash -> bucket of eight accounts (one cache line); a new one takes the place of the fullest,
 *             which has the least to say
 *     account: 24 bits of the hash | 40 bits: when it holds, or held, nothing, in microseconds
 *
 * One table for all threads, without a lock: an account is one word, replaced if it is still what
 * it was. No allocation after it is made.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/ip.h"

/** Answers that count together, beside network and name. */
enum pin_rate_kind {
    PIN_RATE_DATA,     /**< Per name that exists: data, no data, referrals. */
    PIN_RATE_NXDOMAIN, /**< Per zone. */
    PIN_RATE_ERROR,    /**< Per network alone. */
    PIN_RATE_KINDS,
};

/** What becomes of an answer. */
enum pin_rate_verdict {
    PIN_RATE_PASS,
    PIN_RATE_DROP,
    PIN_RATE_SLIP, /**< It would be dropped, but this one tells the client to use TCP. */
};

/** The settings; zeroed is off. */
struct pin_rate_config {
    uint32_t per_second[PIN_RATE_KINDS]; /**< 0: not limited. */
    uint32_t window_s;                   /**< How deep in debt an account gets, in seconds. */
    uint32_t slip;                       /**< 0: never. */
    uint32_t n_accounts;                 /**< Rounded up to a power of two. */
    uint8_t v4_bits;                     /**< Length of a network, at most 32. */
    uint8_t v6_bits;                     /**< At most 64. */
    struct pin_lpm *exempt;              /**< Who is never limited; NULL: nobody. Borrowed. */
};

struct pin_limiter;

/** Whether anything is limited at all. */
bool pin_rate_is_on(const struct pin_rate_config *config);

/** Makes one, full accounts for everybody; for all threads. `config` is copied. NULL when memory is
 * out. */
struct pin_limiter *pin_limiter_new(const struct pin_rate_config *config);

/** The accounts of `before` when they mean the same by `config`, held once more; else new ones.
 * NULL: memory is out. Control's thread. */
struct pin_limiter *pin_limiter_next(
    struct pin_limiter *before, const struct pin_rate_config *config);

/** Lets it go; who held it last frees it. NULL is fine. */
void pin_limiter_free(struct pin_limiter *limiter);

/** An answer that is about to be sent. */
struct pin_rate_ask {
    const struct pin_ip *client;
    enum pin_rate_kind kind;
    uint64_t name;   /**< Which name or zone it is about: a hash that clients cannot foresee. */
    uint64_t now_ms; /**< Monotonic; only differences count, threads may be a little apart. */
};

/**
 * Takes an answer from an account. Any thread.
 *
 * @param n_limited  The thread's own count of answers that did not pass: it says which one slips.
 *
 * Cost: a hash, one cache line, and one write to it; none to that of an account deep in debt. Hot
 * path, when it is on.
 */
enum pin_rate_verdict pin_limiter_judge(
    struct pin_limiter *limiter, const struct pin_rate_ask *ask, uint32_t *n_limited);

/** Whether an address is in `exempt`. */
bool pin_rate_spares(const struct pin_rate_config *config, const struct pin_ip *client);
