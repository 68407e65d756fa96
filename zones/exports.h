/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Exports: what the ServiceExports of one name come to (KEP-1645), for writing it back.
 *
 * The oldest export decides type, families and affinity; its ports come first, and others add
 * those that a Service can have beside them. Clusters never listed are unknown, not empty.
 */

#include "zones/units.h"

/** Ports of an import. */
#define PIN_EXPORT_PORTS_MAX 100u

/** What in an export differs from the oldest one. */
enum {
    PIN_CONFLICT_PORTS = 1,
    PIN_CONFLICT_TYPE = 2,
    PIN_CONFLICT_AFFINITY = 4,
};

/** The exports of one name, oldest first; those of Services that cannot be exported left out. */
struct pin_exports {
    const struct pin_service_unit *unit; /**< NULL: nobody knows the name. */
    const struct pin_member *members[PIN_CLUSTERS_MAX];
    size_t n_members;
    const struct pin_port *ports[PIN_EXPORT_PORTS_MAX];
    size_t n_ports;
    unsigned conflicts; /**< Of all of them together; 0: none. */
    bool is_headless;
    bool client_ip_affinity;
    bool has_family[2]; /**< IPv4, IPv6. */
};

/** Collects them. Cost: clusters and ports, squared for their order. */
void pin_exports_collect(
    struct pin_catalog *catalog, const struct pin_service_unit *unit, struct pin_exports *ret);

/**
 * An import that is ours counts for names only while one of its exporters is a cluster that we do
 * not see ourselves: what we wrote is no news.
 */
bool pin_exports_import_counts(
    const struct pin_settings *settings, const struct pin_object *import);

/**
 * A slice that is ours, of a cluster that we see ourselves, without its endpoints: that it is there
 * is all that matters. And an export without its status while nothing is written to clusters. Takes
 * the object, and gives back any other one, and all without memory.
 */
struct pin_object *pin_exports_trim(const struct pin_settings *settings, struct pin_object *object);

/** Whether some cluster was never listed, or is doubted, so that an export may be missing. */
bool pin_exports_are_partial(const struct pin_catalog *catalog);
