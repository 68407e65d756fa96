/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Asker: whom a forwarder vouches for. A resolver in front of us hides who really asks; one that is
 * in `trustedForwarders` may say it in EDNS Client Subnet (RFC 7871) and in option 65518, the
 * namespace of the asking pod.
 */

#include "pintle/zones/pods.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/view.h"

#include "query.h"

/** What a trusted forwarder said. */
struct pin_vouched {
    struct pin_prefix prefix; /**< The asker's address or network; canonical. */
    uint8_t namespace_bytes;  /**< 0: not said. */
    char namespace_name[PIN_LABEL_MAX_BYTES];
};

/** Whether the sender of a query is a trusted forwarder, whose word about the asker counts. */
bool pin_is_forwarder(const struct pin_scene *scene, const struct pin_ip *sender);

/**
 * Reads what the sender of a query says about the asker. False, and nothing is read, when the
 * sender is no trusted forwarder or the query has no ECS option: 65518 alone is never believed. Hot
 * path for queries with ECS only.
 *
 * @param wire  The message that `query` was read from, still untouched.
 */
bool pin_vouched_read(const struct pin_scene *scene, const struct pin_ip *sender,
    const struct pin_query *query, const uint8_t *wire, struct pin_vouched *ret_vouched);

/**
 * Who asks from that prefix: the owner of its first address lends the view, but the prefix has an
 * identity only when all of its addresses have the same owner. Cost: a few look-ups for each
 * stretch of the prefix that clients' ranges cut it into; one for an address.
 */
struct pin_asker pin_vouched_asker(
    const struct pin_scene *scene, const struct pin_vouched *vouched);

/** Takes a Pod's word for the namespace: one with the asker's address knows better than any
 * forwarder. */
void pin_asker_find_namespace(const struct pin_pods *pods, struct pin_policy_asker *asker);

/**
 * What stands for the asker where its address chooses: a vouched prefix, else the sender. Of IPv6
 * addresses the first 64 bits count: the rest may change by the hour. `vouched` may be NULL.
 */
uint64_t pin_asker_key(const struct pin_ip *sender, const struct pin_vouched *vouched);

/** Bits of the option's address that pin_asker_key() looks at. */
uint8_t pin_asker_key_scope(const struct pin_vouched *vouched, const struct pin_query *query);

/**
 * The scope of an answer that depends on the asker's view: as many bits of the option's address as
 * tell it, which may be more than were sent (RFC 7871, section 7.2.1).
 */
uint8_t pin_vouched_scope(const struct pin_scene *scene, const struct pin_vouched *vouched,
    const struct pin_query *query);
