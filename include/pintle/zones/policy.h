/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Policy: who may resolve a name. IAMAuthPolicy and ResolvePolicy objects of a route and of its
 * Gateways, compiled into one small frozen program that hangs on the nodes of the route's names.
 *
 * Each object is a *guard*: a matching Deny refuses, else a matching Allow lets through, else it
 * refuses; one that cannot be read refuses everybody. All guards must let the asker through.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/rcu.h"

/** Who asks, as far as it is known; what is unknown matches nothing. */
struct pin_policy_asker {
    uint16_t cluster_id;        /**< Its own cluster, never a lent view's; or PIN_CLUSTER_NONE. */
    uint8_t namespace_bytes;    /**< 0: unknown. */
    const char *namespace_name; /**< Not NUL-terminated. */
    struct pin_prefix address;  /**< A network when only that is known. */
};

/** What a policy says, the mildest first; the worst of all guards counts. */
enum pin_policy_verdict {
    PIN_POLICY_ALLOWED,
    PIN_POLICY_WOULD_DENY, /**< Denied by a guard that only audits. */
    PIN_POLICY_NXDOMAIN,   /**< Denied, the name is to look absent. */
    PIN_POLICY_REFUSED,    /**< Denied. */
};

/** Policy objects that are counted one by one; those beyond share slot 0. */
#define PIN_POLICY_SLOTS 256u

/** Which policy object has a slot. Texts are never NULL and live as long as the catalog. */
struct pin_policy_label {
    const char *cluster;
    const char *kind; /**< "other" for slot 0. */
    const char *namespace_name;
    const char *name;
    char *owned; /**< Private. */
};

/** All of them, by slot; an object that was deleted keeps its own, should it come back. Any thread
 * may read the first `n`, which only grows. */
struct pin_policy_labels {
    _Atomic uint32_t n;
    struct pin_policy_label labels[PIN_POLICY_SLOTS];
};

/** A compiled policy. Immutable; shared by the nodes of its route's names. */
struct pin_policy {
    struct pin_rcu_head rcu;
    uint32_t n_refs; /**< Builder only. */
    uint32_t bytes;
    uint8_t program[];
};

/**
 * Whether the asker may resolve. Cost: linear in the program; no allocation.
 *
 * @param ret_slot  Of the first policy object that says the worst; 0 when all allow.
 */
enum pin_policy_verdict pin_policy_judge(
    const struct pin_policy *policy, const struct pin_policy_asker *asker, uint16_t *ret_slot);

/** Takes one more reference (builder). NULL is fine. */
void pin_policy_ref(const struct pin_policy *policy);

/** Drops one reference; the last one frees the policy after a grace period (builder). */
void pin_policy_unref(const struct pin_policy *policy);
