/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * PROXY: the header that a load balancer puts in front to tell who really asks.
 *
 *     signature(12) | version, command | family | length(2) | addresses | more, ignored
 *
 * Version 2, the binary one, of HAProxy's specification (doc/proxy-protocol.txt, sections 2.2 and
 * 2.3). What stands in it counts only when it comes from a peer that is trusted: the caller's part.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"

/** Bytes that every header begins with. */
#define PIN_PROXY_SIGNATURE_BYTES 12u
/** Longest header that is read. */
#define PIN_PROXY_MAX_BYTES 4096u

/** An address of either family, as sockets know it. */
union pin_proxy_peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** What bytes turned out to be. */
enum pin_proxy_verdict {
    PIN_PROXY_MORE,  /**< The beginning of a header: more is needed. */
    PIN_PROXY_BAD,   /**< No header, or one that cannot be read. */
    PIN_PROXY_INNER, /**< A header that names who asks. */
    PIN_PROXY_OUTER, /**< A header that says no more than the connection does (a health check). */
};

/** A header. */
struct pin_proxy {
    size_t bytes;                /**< Its length; what follows is the client's. */
    union pin_proxy_peer source; /**< INNER: who asks. */
};

/** Who may send headers: a listener's setting. Plain data. */
struct pin_proxy_trust {
    const struct pin_prefix *prefixes; /**< Borrowed. */
    size_t n;                          /**< 0: nobody; no header is expected. */
};

/** Whether headers of that peer count. */
bool pin_proxy_is_trusted(const struct pin_proxy_trust *trust, const struct pin_ip *peer);

/** Reads the header at `from`, which may be NULL with `bytes` 0. Fills *ret_proxy on INNER and
 * OUTER. Never reads past `bytes`. */
enum pin_proxy_verdict pin_proxy_read(
    const uint8_t *from, size_t bytes, struct pin_proxy *ret_proxy);

/** Whether `from` begins as every header does. */
bool pin_proxy_is_header(const uint8_t *from, size_t bytes);
