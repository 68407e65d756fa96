/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * DNS cookies (RFC 7873) in the form that servers of many makers share (RFC 9018): who shows one of
 * ours has been reached at the address it asks from.
 *
 *     client's 8 | version 1, 3 zero bytes | when, in seconds | SipHash of all that and the address
 *
 * Keys are either one file's, the same on all servers of a fleet, or follow from a secret of this
 * process and the time: a new one each turn, the former one still good. No thread shares them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "pintle/base/error.h"
#include "pintle/base/rcu.h"
#include "pintle/base/siphash.h"

/** A client's part alone. */
#define PIN_COOKIE_CLIENT_BYTES 8u
/** Both parts, as this server writes them. */
#define PIN_COOKIE_BYTES 24u
/** Longest that a client may send: 8 of its own, 32 of some server (RFC 7873, section 4). */
#define PIN_COOKIE_MAX_BYTES 40u

/** Age from which on a cookie is written anew (RFC 9018, section 4.3). */
#define PIN_COOKIE_RENEW_S 1800
/** Oldest cookie that counts. */
#define PIN_COOKIE_OLDEST_S 3600
/** How far ahead another server's clock may be. */
#define PIN_COOKIE_AHEAD_S 300

/** A fleet's two keys at one time. Immutable; replaced under RCU. */
struct pin_cookie_pair {
    struct pin_rcu_head rcu;
    uint64_t turn; /**< Counted from 1, a new one with each change. */
    uint8_t current[PIN_SIPHASH_KEY_BYTES];
    uint8_t former[PIN_SIPHASH_KEY_BYTES];
};

/** Where keys come from. Immutable once workers run. */
struct pin_cookie_secret {
    bool is_shared; /**< The keys are these two; else they follow from `master`. */
    struct pin_cookie_pair *const *pair; /**< Shared: what there is instead of the two when they
                                            change while workers run; NULL: they do not. */
    uint32_t rollover_s; /**< Not shared: length of a turn, at least PIN_COOKIE_OLDEST_S. */
    uint8_t shared[2][PIN_SIPHASH_KEY_BYTES]; /**< To write with, and to accept beside it. */
    uint8_t master[PIN_SIPHASH_KEY_BYTES];
};

/** The keys of a moment; each thread has its own. Zeroed is none. */
struct pin_cookie_keys {
    uint64_t turn; /**< Whose they are, counted from 1. */
    uint8_t current[PIN_SIPHASH_KEY_BYTES];
    uint8_t former[PIN_SIPHASH_KEY_BYTES];
};

/** What a client's cookie says of it. */
enum pin_cookie_verdict {
    PIN_COOKIE_NEW, /**< No server's part. */
    PIN_COOKIE_BAD, /**< One that is not ours, not for this address, too old or from the future. */
    PIN_COOKIE_GOOD,
};

/** A secret of this process, drawn from the kernel. */
void pin_cookie_secret_draw(struct pin_cookie_secret *ret_secret, uint32_t rollover_s);

/**
 * Reads a fleet's secret: one or two lines of 32 hex digits, the first to write with, the second to
 * accept beside it. PIN_EPARSE, or what pin_file_read() says; PIN_EDENIED for a file that others
 * than its owner and group may read.
 */
enum pin_err pin_cookie_secret_read(
    const char *path, struct pin_cookie_secret *ret_secret, struct pin_why *why);

/** Makes the keys those of `wall_s`. Two hashes when a turn begins, nothing else. The thread is an
 * RCU reader, online. */
void pin_cookie_keys_follow(
    struct pin_cookie_keys *keys, const struct pin_cookie_secret *secret, uint32_t wall_s);

/**
 * Judges the cookie of a query and writes what its answer is to carry in its place.
 *
 * @param wall_s  Seconds since 1970, modulo 2^32: compared as serial numbers (RFC 1982).
 * @param cookie  8 or PIN_COOKIE_BYTES bytes came (`bytes`); a longer one is cut, a shorter one
 *                between them is BAD. PIN_COOKIE_BYTES are in it afterwards.
 *
 * Cost: one hash, two when it is renewed or was written with the former key. Hot path.
 */
enum pin_cookie_verdict pin_cookie_judge(const struct pin_cookie_keys *keys, uint32_t wall_s,
    const struct sockaddr *client, uint8_t cookie[PIN_COOKIE_BYTES], size_t bytes);
