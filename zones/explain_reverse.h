/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Explains names that stand in tables instead of the index. Builder only. */

#include "pintle/base/jsonout.h"
#include "pintle/zones/parts.h"

#include "zones/units.h"

/** Writes zone, status and names of a reverse name into the open object; false when it is none of
 * ours. */
bool pin_explain_reverse(const struct pin_catalog *catalog, const struct pin_name *name,
    uint16_t type, uint16_t view_id, struct pin_jsonout *out);

/** How a name below "pod" or a service is answered from tables. */
struct pin_explain_synth {
    const char *status; /**< NULL: it is not. */
    const char *rule;   /**< NULL: the service's own. */
    bool is_data;
    bool has_rows; /**< `query` gives addresses. */
    struct pin_parts_query query;
};

/** Finds out; `name` is that of the zone which really holds it. */
void pin_explain_synth(const struct pin_catalog *catalog, const struct pin_name *name,
    uint16_t type, uint16_t view_id, struct pin_explain_synth *ret);

/** Writes the addresses of a query, those that the type shows. */
void pin_explain_rows(const struct pin_catalog *catalog, const struct pin_parts_query *query,
    uint16_t type, struct pin_jsonout *out);
