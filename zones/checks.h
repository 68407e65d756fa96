/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Checks: which of the addresses of a plan are probed, how, and under which slot.
 *
 * Probed are addresses that answers show: endpoints at the port they listen on, load balancers and
 * gateways at the Service's port. A ClusterIP is reached by its own cluster alone: it counts as up
 * as long as one of the endpoints behind it does. Only clusterset and assigned names look at
 * verdicts; a cluster's own zone follows the Kubernetes DNS specification, and a pod's own name its
 * pod.
 */

#include "zones/slots.h"
#include "zones/steer.h"

/** Notes for each contribution how its addresses are checked: as the objects of its cluster say,
 * else as the oldest of the others does. False when memory is out. */
bool pin_checks_settle(
    const struct pin_settings *settings, struct pin_facts *facts, struct pin_arena *arena);

/** How addresses of a cluster's part of a service are probed, by the same rules; NULL: not. */
const struct pin_check *pin_checks_member(const struct pin_settings *settings,
    const struct pin_service_unit *unit, const struct pin_member *member);

/** The TargetGroupPolicy of a cluster that counts for a service name: the oldest, then by name. */
const struct pin_object *pin_checks_find_policy(const struct pin_catalog *catalog,
    uint16_t cluster_id, const char *namespace_name, const char *name);

/** What an exporting cluster says where the Service it exports says nothing. */
void pin_checks_lend(struct pin_facts *facts, const struct pin_member *exporter);

/** The slot of the i-th ready endpoint of a family, or PIN_SLOT_NONE. */
uint32_t pin_checks_endpoint(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, enum pin_family_i family_i, uint32_t i);

/** The slot of an address that stands for a contribution from outside, or PIN_SLOT_NONE. */
uint32_t pin_checks_outside(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_contribution *c, const struct pin_ip *ip);

/** Makes the contribution's endpoints the members of the plan's last group. */
void pin_checks_members(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c);

/** Endpoints that are ready and not down. What is planned depends on verdicts from now on. */
uint32_t pin_checks_count(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c);

/** Endpoints that are ready and that no probe says are down, of a contribution whose cluster is out
 * of reach (stale: probe). What is planned depends on verdicts from now on. */
uint32_t pin_checks_alive(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c);

/** Whether such a contribution shows the endpoint with that slot. */
bool pin_checks_is_alive(const struct pin_steer *steer, uint32_t slot);

/** Makes what an answer needs to know about verdicts; NULL when nothing in it can change one.
 * `n_rr` RRs are shown of the plan, in its order. */
const struct pin_checked *pin_checks_compile(const struct pin_steer *steer,
    const struct pin_plan *plan, size_t n_rr, const struct pin_check_want *want);

/** The same for RRs that stand for one address each: `slots` by RR, PIN_SLOT_NONE for those that
 * are always shown. */
const struct pin_checked *pin_checks_compile_rows(const struct pin_steer *steer,
    const uint32_t *slots, size_t n_rr, uint32_t window_s, const struct pin_check_want *want);
