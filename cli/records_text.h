/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Plans of records as text, zone by zone.
 *
 *     example.com: public, rfc2136, upsert-only, owner demo; planned 2 s ago
 *       + app.example.com  A      192.0.2.1 192.0.2.2; ttl 60
 *       ~ www.example.com  CNAME  -old.example.net +new.example.net
 *       ! ftp.example.com  A      foreign: nobody owns what is there (service/shop/ftp in c1)
 *       1 to create, 1 to change, 0 to delete; 1 conflict
 *
 * Pure: trees in, text out. The trees must be printable (pin_emit_printable()).
 */

#include <stdbool.h>

#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#include "cli/records.h"

/** What a text is made of. All borrowed. */
struct pin_records_view {
    const struct pin_tree *overview; /**< Its items. */
    const struct pin_tree *plan;     /**< The page "plan", all of it. */
    const struct pin_records_scope *scope;
    const char *admin; /**< For commands to type; NULL: the daemon is where it usually is. */
    bool has_color;
    bool is_outcome;  /**< Tell what was done: applied changes, too. */
    bool is_adoption; /**< `plan` is the planned adoption: zones without one are passed over. */
};

/** Appends each zone of the scope: what is wrong, changes, conflicts, a sum. */
void pin_records_put_plans(const struct pin_records_view *view, struct pin_text *out);

/** Changes of the plan that are not done, blocked ones too. */
size_t pin_records_count_left(const struct pin_tree *plan);

/** Those of them that are not blocked. */
size_t pin_records_count_undone(const struct pin_tree *plan);

/** Zones of the scope that have no plan, or whose last run ended with a fault. */
size_t pin_records_count_faults(const struct pin_records_view *view);

/** Clusters that plans of the scope were made without, since they had not been synced: what they
 * want is not known. */
size_t pin_records_count_unsynced(const struct pin_records_view *view);

/** The plan of a zone of an entry, or NULL. */
const struct pin_tree *pin_records_plan_of(
    const struct pin_tree *plan, const char *entry, const char *zone);

/** Appends the values of a set, "192.0.2.1 192.0.2.2"; nothing for NULL. */
void pin_records_put_values(struct pin_text *out, const struct pin_tree *set);

/** Appends "A", or "A (blue)" where there is a set id. */
void pin_records_put_type(struct pin_text *out, const struct pin_tree *item);

/** Appends an object and the clusters that have it: "service/shop/app in c1". */
void pin_records_put_object(struct pin_text *out, const struct pin_tree *object);
