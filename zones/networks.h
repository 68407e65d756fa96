/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Networks: the gateways that each one has now.
 *
 *     settings: addresses, host names, objects -+
 *     objects' statuses: addresses, host names -+-> settle -> addresses of each network
 *     lookups of all these host names ----------+         \-> host names to look up
 *
 * When a network's addresses change, the services with a cluster there are marked.
 */

#include "pintle/base/jsonout.h"

#include "zones/units.h"

/** The gateways of one network now. */
struct pin_network_state {
    struct pin_ip *ips; /**< Ascending, each once, both families. */
    size_t n_ips;
};

/** Makes the states of all networks, empty. False when memory is out. */
bool pin_networks_init(struct pin_catalog *catalog);

/** Knows of host names what `old` knows; what is not wanted here is dropped by the next settling.
 */
void pin_networks_inherit(struct pin_catalog *heir, const struct pin_catalog *old);

/** Frees what a zeroed catalog came to hold of them. */
void pin_networks_done(struct pin_catalog *catalog);

/** Takes note of an object that comes or goes; only the gateways' own ones matter. */
void pin_networks_note(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/** Takes a lookup's outcome over. */
void pin_networks_apply(struct pin_catalog *catalog, const struct pin_lookup *lookup);

/** Brings all networks up to date and marks the services whose gateways changed. */
void pin_networks_settle(struct pin_catalog *catalog);

/** The gateways of a network. Borrowed until the next settle. */
const struct pin_network_state *pin_network_get(
    const struct pin_catalog *catalog, uint16_t network);

/** Whether some gateway of the network is not simply an address. */
bool pin_network_is_followed(const struct pin_catalog *catalog, uint16_t network);

/**
 * Writes the array of a network's gateways: where each comes from, its addresses, and, of host
 * names, their age and trouble.
 */
void pin_network_put_json(
    const struct pin_catalog *catalog, uint16_t network, uint64_t now_ms, struct pin_jsonout *out);
