/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Origins: the addresses that streams come from, how many each has, and how fast it may have more.
 *
 * An IPv6 origin is a /64, the least that a site has. Rates are buckets that hold one second's
 * worth; an origin without streams is remembered until its buckets are full again, so that nobody
 * escapes a rate by closing. One thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/hash.h"
#include "pintle/base/ip.h"

#include "links.h"

/** What an origin may do so many times a second. */
enum pin_rate {
    PIN_RATE_CONNECTIONS, /**< New connections. */
    PIN_RATE_HANDSHAKES,  /**< Full TLS handshakes. */
    PIN_RATE_RESUMPTIONS, /**< TLS handshakes that a ticket makes short. */
    PIN_RATE_MAX,
};

/** One origin. */
struct pin_origin {
    struct pin_ip ip; /**< Of IPv6, the /64. */
    uint32_t n_streams;
    struct pin_link streams; /**< The owner's, the one quiet for longest first. */
    struct pin_link by_end;  /**< Among those without streams. */
    int64_t end_ms;          /**< When its last stream ended. */
    uint64_t round;          /**< The owner's: when it was its turn last. */
    struct {
        int64_t filled_ms;   /**< When it was filled up last. */
        int64_t thousandths; /**< Of what is left in it; below 0: overdrawn. */
    } buckets[PIN_RATE_MAX];
};

/** All of them. */
struct pin_origins {
    struct pin_map by_ip;
    struct pin_link ended; /**< Those without streams, the longest first. */
    size_t n_ended;
    uint32_t rates[PIN_RATE_MAX]; /**< A second; 0: no limit. */
};

/** Makes it empty. */
void pin_origins_init(struct pin_origins *origins, const uint32_t rates[PIN_RATE_MAX]);

/** Frees all. */
void pin_origins_done(struct pin_origins *origins);

/** Counts one more stream of that address. NULL: memory is out. */
struct pin_origin *pin_origins_join(
    struct pin_origins *origins, const struct pin_ip *ip, int64_t now_ms);

/** Counts one stream less; the origin may be gone then. */
void pin_origins_leave(struct pin_origins *origins, struct pin_origin *origin, int64_t now_ms);

/** Whether it may do that now. */
bool pin_origins_may(
    struct pin_origins *origins, struct pin_origin *origin, enum pin_rate rate, int64_t now_ms);

/** Whether it has done that more often than it might. */
bool pin_origins_is_overdrawn(
    struct pin_origins *origins, struct pin_origin *origin, enum pin_rate rate, int64_t now_ms);

/** It has done that: whether it may more often is another question. */
void pin_origins_did(
    struct pin_origins *origins, struct pin_origin *origin, enum pin_rate rate, int64_t now_ms);

/** Forgets those that nothing is to be remembered of. */
void pin_origins_forget(struct pin_origins *origins, int64_t now_ms);
