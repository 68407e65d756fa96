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
 *     hash -> bucket of four accounts (one cache line); a new one takes the place of the fullest,
 *             which has the least to say
 *
 * One limiter per thread, no lock, no allocation after it is made.
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

/** Makes one, full accounts for everybody. `config` is copied. NULL when memory is out. */
struct pin_limiter *pin_limiter_new(const struct pin_rate_config *config);

/** Frees it. NULL is fine. */
void pin_limiter_free(struct pin_limiter *limiter);

/**
 * Takes an answer from an account.
 *
 * @param now_ms  Monotonic; only differences count.
 * @param name    Which name or zone the answer is about: a hash that clients cannot foresee.
 *
 * Cost: a hash and one cache line. Hot path, when it is on.
 */
enum pin_rate_verdict pin_limiter_judge(struct pin_limiter *limiter, uint32_t now_ms,
    const struct pin_ip *client, enum pin_rate_kind kind, uint64_t name);

/** Whether an address is in `exempt`. */
bool pin_limiter_spares(const struct pin_limiter *limiter, const struct pin_ip *client);
