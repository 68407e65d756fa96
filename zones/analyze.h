/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Analyze: one walk over the catalog that looks for findings (pintle/zones/finding.h).
 *
 *     analyze.c           clusters, networks, annotations
 *     analyze_routes.c    routes, hostnames, DNSEndpoints
 *     analyze_services.c  exports, imports, endpoints, ports
 *     analyze_policies.c  policies
 *     analyze_zones.c     name servers of zones
 */

#include "pintle/zones/finding.h"

#include "zones/steer.h"

/** Networks whose askers are planned for. */
#define PIN_ANALYZE_VIEWERS_MAX 32u

/** One walk. */
struct pin_analyzer {
    struct pin_catalog *catalog;
    struct pin_analysis *to;
    bool is_live;
    uint64_t now_ms;
    /** Two clusters of each network: one alone does not see its own endpoints as others do. */
    struct pin_viewer viewers[PIN_ANALYZE_VIEWERS_MAX];
    size_t n_viewers;
    /** By network: names that some other network's askers cannot reach, and one of them. */
    uint32_t *n_unreached;
    const char **unreached;
};

/** A steering that plans in the catalog's scratch arena, emptied by this call. */
struct pin_steer pin_analyze_steer(const struct pin_analyzer *a);

/** A finding about an object of that cluster. */
struct pin_finding pin_analyze_about(const struct pin_analyzer *a, enum pin_finding_id id,
    uint16_t cluster_id, const struct pin_object *object);

/** Whether what is running there is known: sources run, or its manifests hold EndpointSlices. Plain
 * manifests say what is wanted, not what is: a Service has no endpoint there. */
bool pin_analyze_knows_state(const struct pin_analyzer *a, uint16_t cluster_id);

/** Whether the other clusters are known: not where the manifests of one are looked at alone. */
bool pin_analyze_knows_others(const struct pin_analyzer *a);

/** Notes rows of a plan that a viewer of another network cannot reach, where the walk counts them;
 * `name` is borrowed for the whole walk. */
void pin_analyze_reach(struct pin_analyzer *a, const struct pin_plan *plan, const char *name);

/**
 * Adds, sorted, what the walk finds at the objects behind one name of a running daemon: findings of
 * clusters, networks and policies are not among them. Builder; uses the catalog's scratch arena.
 *
 * @param service  Whose name it is, or NULL.
 * @param route    Likewise; it has an object. The Services of its backends are looked at, too.
 */
void pin_analyze_name(struct pin_catalog *catalog, const struct pin_service_unit *service,
    struct pin_route_unit *route, uint64_t now_ms, struct pin_analysis *analysis);

/** Looks at one route. */
void pin_analyze_route(struct pin_analyzer *a, struct pin_route_unit *route);

/** Looks at one service; one that is not shared costs a look at its members. */
void pin_analyze_service(struct pin_analyzer *a, const struct pin_service_unit *unit);

/** Looks at routes and DNSEndpoints. */
void pin_analyze_routes(struct pin_analyzer *a);

/** Looks at services that are shared. */
void pin_analyze_services(struct pin_analyzer *a);

/** Looks at policies. */
void pin_analyze_policies(struct pin_analyzer *a);

/** Looks at the name servers of custom zones. */
void pin_analyze_zones(struct pin_analyzer *a);
