/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Attach: which listeners of a Gateway a route comes to (Gateway API, "Attaching to Gateways").
 *
 *     parentRef names listeners -> those that take such routes -> those with a common host name
 *
 * Pure; only Gateways of a class of ours are asked about.
 */

#include <stdbool.h>
#include <stdint.h>

#include "zones/units.h"

/** Kinds of routes. */
#define PIN_ATTACH_KINDS (PIN_KIND_TLS_ROUTE - PIN_KIND_HTTP_ROUTE + 1)

/** How far a parentRef leads. */
enum pin_attach {
    PIN_ATTACH_OK,
    PIN_ATTACH_NO_PARENT,   /**< No listener has that name or port. */
    PIN_ATTACH_NOT_ALLOWED, /**< None of them takes such routes, or from that namespace. */
    PIN_ATTACH_NO_HOSTNAME, /**< None of these has a host name in common with the route. */
};

/** What the cluster says of who controls a Gateway. */
enum pin_class {
    PIN_CLASS_UNKNOWN, /**< Classes were never listed. */
    PIN_CLASS_OTHERS,
    PIN_CLASS_OURS,
};

/** Whose the Gateway is. */
enum pin_class pin_attach_class(
    const struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *gateway);

/** Whether a GatewayClass names us as its controller. */
bool pin_attach_is_ours(const struct pin_object *gateway_class);

/**
 * The kinds of routes that a listener takes, by position from PIN_KIND_HTTP_ROUTE on.
 * @return Whether all kinds that it asks for are such; false also for an unknown protocol.
 */
bool pin_attach_kinds(const struct pin_listener *listener, bool ret_kinds[PIN_ATTACH_KINDS]);

/** Whether we know the protocol. */
bool pin_attach_has_protocol(const struct pin_listener *listener);

/** Whether the reference is to the Gateway. */
bool pin_attach_refers(const struct pin_parent_ref *ref, const struct pin_object *gateway);

/** Whether some parentRef of the route means the listener, which takes the route: what
 * attachedRoutes counts. Host names do not matter. */
bool pin_attach_counts(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway, const struct pin_listener *listener,
    const struct pin_object *route);

/** What two hostnames have in common, of which either may be a wildcard: the narrower one; NULL:
 * nothing. */
const char *pin_attach_common(const char *a, const char *b);

/** How far the reference leads, which is to that Gateway. */
enum pin_attach pin_attach_route(const struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway, const struct pin_object *route,
    const struct pin_parent_ref *ref);
