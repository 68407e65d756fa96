/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Explain: one explanation under way, shared by explain.c and explain_plan.c.
 */

#include "pintle/base/jsonout.h"

#include "zones/explain_reverse.h"
#include "zones/steer.h"

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
    const struct pin_node *node;    /**< NULL when the name does not exist */
    const struct pin_table *table;  /**< NULL when there is no such data in the asker's view */
    const char *others;             /**< why others answer for the name, or NULL */
    struct pin_explain_synth synth; /**< how it is answered without a node */
};

/** The cluster's name; NULL for none. Borrowed from the settings. */
const char *pin_explain_cluster(const struct pin_catalog *catalog, uint16_t cluster_id);

/** Writes a plan into the object that is open: backends, addresses, gateways, notes. */
void pin_explain_plan(const struct pin_explanation *e, const struct pin_plan *plan);
