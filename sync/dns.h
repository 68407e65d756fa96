/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Questions to other people's resolvers: the addresses of one host name, both families at once.
 * Whoever may name a host may have it say anything, and nobody must be led to himself: only what
 * pin_ip_is_others() counts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/loop.h"
#include "pintle/zones/lookup.h"

struct pin_dns_query;

/** What came back for one family. */
struct pin_dns_family {
    bool is_good;      /**< There was an answer; it may say that there is no address. */
    uint32_t ttl_s;    /**< Of the addresses; 0 without any. */
    const char *error; /**< Why it is not good, or why there is no address; "" otherwise. */
    size_t n_ips;
    struct pin_ip ips[PIN_LOOKUP_MAX]; /**< libevent has read no more of an answer. */
};

/** [0] is IPv4, [1] IPv6. */
struct pin_dns_reply {
    struct pin_dns_family families[2];
};

/** Called once per query, on the loop's thread; the query is gone then. */
typedef void pin_dns_fn(void *arg, const struct pin_dns_reply *reply);

/**
 * Asks for A and AAAA of exactly that name: search domains and the hosts file do not count.
 * It takes 8 seconds at most.
 *
 * @param resolvers  Asked in turn; none: those of /etc/resolv.conf as it is now.
 * @return NULL when memory or descriptors are out: then nobody is called.
 */
struct pin_dns_query *pin_dns_ask(struct pin_loop *loop, const struct pin_addrport *resolvers,
    size_t n_resolvers, const char *host, pin_dns_fn *fn, void *arg);

/**
 * Makes sure that nobody is called. What the query holds goes back when the loop turns the next
 * time. NULL is fine.
 */
void pin_dns_cancel(struct pin_dns_query *query);
