/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Claims of the catalog: which record sets all objects of all clusters want outside, for each entry
 * of `records` (struct pin_record_want), told again when they have changed.
 *
 *     builder  objects -> claims (zones/claims.h) -> struct pin_claimed -> control -> plans
 *
 * What is claimed by which object, and where its names lead:
 *
 *     Service     annotation hostname        external IPs, load balancer, external name, endpoints
 *                                            when headless, each pod with a hostname below that
 *                                            name, too; internal-hostname: its ClusterIPs
 *     Ingress     hosts of rules and TLS     its load balancer
 *     routes      hostnames that a listener  the assigned name, or the Gateways' addresses
 *                 of their Gateways takes
 *     Gateway     hostnames of listeners     its addresses
 *                 that no route names and that are no wildcards
 *     DNSEndpoint its records                as written
 *     entries of the configuration           as written; they go before all objects
 *
 * A Gateway's annotation `target` counts for its routes, a route's own does not, as in
 * external-dns. An object whose addresses are not known just now holds what its cluster gave. What
 * a cluster gives is left out while it is drained, dropped (stale: drop), down by our probes, or
 * without a ready endpoint for PIN_CLAIMED_SETTLE_MS, and another cluster's object of the same kind
 * and name gives the same name; else it stays.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/catalog.h"
#include "pintle/zones/claims.h"

struct pin_arena;

/** No more often than that are all objects looked at. */
#define PIN_CLAIMED_EVERY_MS 500u

/** So long a Service has to be without a ready endpoint before its cluster is left out: who comes
 * and goes faster than that changes no record. */
#define PIN_CLAIMED_SETTLE_MS 10000u

/** All that one entry of `records` wants. */
struct pin_claimed {
    struct pin_claimed *next;
    size_t want_i;              /**< Position in settings->records. */
    struct pin_arena *arena;    /**< Owns all below; who takes it leaves NULL here. */
    struct pin_recordset *sets; /**< Each with a source; in no order. */
    size_t n_sets;
    const char *const *unsynced; /**< Clusters, sorted, of which not all kinds that count have been
                                    listed whole since the start. */
    size_t n_unsynced;
    size_t n_invalid;    /**< Names and targets that are none. */
    size_t n_untargeted; /**< Services that ask for names and, being of their type, lead nowhere. */
    const char *untargeted; /**< "c1/shop/cart", the first of these; "": there is none. */
    size_t n_oversized;     /**< Objects whose names or targets are too many for all to count. */
    const char *oversized;  /**< The first of these, as above. */
};

/**
 * What is wanted, for each entry whose claims or unsynced clusters are others than when they were
 * last taken; NULL: nothing new, or it is too early to look (pin_catalog_next_ms() says when). The
 * caller frees it. Builder. Cost: a walk over objects: 0.1 ms for 10,000 that claim nothing, 12 ms
 * and 4 MiB for 10,000 that each claim a name.
 */
struct pin_claimed *pin_catalog_take_claims(struct pin_catalog *catalog, uint64_t now_ms);

/** What external-dns calls a kind whose objects claim something ("httproute", "crd"); NULL for the
 * others. Static; any thread. */
const char *pin_claims_word(enum pin_kind kind);

/** The kind that external-dns calls so; PIN_KIND_MAX: none that claims. Any thread. */
enum pin_kind pin_claims_kind(const char *word);

/** Puts newer claims before a list, from which those of the same entries go. Any thread. */
struct pin_claimed *pin_claimed_renew(struct pin_claimed *newer, struct pin_claimed *list);

/** Frees a list of them. NULL is fine. Any thread. */
void pin_claimed_free(struct pin_claimed *claimed);
