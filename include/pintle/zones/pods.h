/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Pods: address -> namespace, as the clusters' Pod objects say. Empty unless a policy asks for
 * namespaces (pin_catalog_wants_pods()).
 *
 * The builder changes one address at a time, under RCU; workers read between two quiescent points.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/base/ip.h"

struct pin_pods;

/** What Pods say about an address. */
struct pin_pods_found {
    bool is_known;              /**< Some Pod has the address: nobody else's word counts. */
    uint8_t namespace_bytes;    /**< 0: several have it, or it is the host's. */
    const char *namespace_name; /**< Not NUL-terminated; until the next quiescent point. */
};

/**
 * Whose address that is, among the Pods of a cluster, or of all clusters for PIN_CLUSTER_NONE.
 * `pods` may be NULL. Cost: one probe; none while there are no Pods. Hot path for guarded names.
 */
struct pin_pods_found pin_pods_find(
    const struct pin_pods *pods, const struct pin_ip *ip, uint16_t cluster_id);
