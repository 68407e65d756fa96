/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Explain: one explanation under way, shared by explain.c, explain_plan.c, explain_notes.c and
 * explain_meant.c.
 */

#include "pintle/base/jsonout.h"

#include "zones/explain_reverse.h"
#include "zones/steer.h"

/** What notes need to know of the plan that was written. */
struct pin_explain_seen {
    bool has_port_mismatch;
    bool has_addresses;
};

/** One explanation under way. */
struct pin_explanation {
    const struct pin_catalog *catalog;
    struct pin_jsonout *out;
    const struct pin_name *name;
    uint16_t type;
    struct pin_asker asker;
    struct pin_policy_asker who; /**< the asker, for policies */
    const char *namespace_from;  /**< how its namespace is known, or NULL */
    uint64_t now_ms;
    const struct pin_zone *zone;            /**< the zone that really holds the name */
    const struct pin_service_unit *service; /**< whose name it is, or NULL */
    struct pin_route_unit *route;           /**< whose name or hostname it is, or NULL */
    struct pin_explain_seen *seen;
    const struct pin_node *node;    /**< NULL when the name does not exist */
    const struct pin_table *table;  /**< NULL when there is no such data in the asker's view */
    const char *others;             /**< why others answer for the name, or NULL */
    struct pin_explain_synth synth; /**< how it is answered without a node */
};

/** The cluster's name; NULL for none. Borrowed from the settings. */
const char *pin_explain_cluster(const struct pin_catalog *catalog, uint16_t cluster_id);

/** Writes the member "notes": a list of texts about what the plan does not show: clusters that were
 * not listed, overlapping ranges, what analyze finds at the objects behind the name, and which name
 * may be meant by one that nothing has. Empties the scratch arena. Cost: a plan of the name, a sort
 * of all ranges where the asker is in no cluster, a look at all services for a name that nothing
 * has. */
void pin_explain_notes(const struct pin_explanation *e, struct pin_catalog *catalog);

/**
 * Writes the member "notes" for a name in no zone: which zones there are, and which name may be
 * meant. Cost: a look at all services and routes.
 *
 * @param told  Whoever told of the name and has notes of its own in place of the zones, or NULL.
 */
void pin_explain_no_zone(const struct pin_catalog *catalog, const struct pin_name *name,
    const struct pin_explain_asker *told, struct pin_jsonout *out);

/** Writes notes, into the list that is open, of names that exist and may be meant by one that
 * nothing has: a Service without its zone or of another namespace, a slip of the finger, a route by
 * its name or by a hostname in no zone. At most 4. */
void pin_explain_meant(
    const struct pin_catalog *catalog, const struct pin_name *name, struct pin_jsonout *out);

/** Writes the member "letsIn" into a policy's object: whom its statements mean, as text. */
void pin_explain_lets_in(const struct pin_policy_body *policy, struct pin_jsonout *out);

/** Why there is nothing at a name that no object and no table has. Static. */
const char *pin_explain_nothing(const struct pin_explanation *e);

/** Writes a plan into the object that is open: backends, addresses, gateways. */
void pin_explain_plan(const struct pin_explanation *e, const struct pin_plan *plan);
