/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The planner inside: its parts, in the order in which they run.
 *
 *     recordplan_claims.c   claims -> one set for each name, type and set id; conflicts among
 * objects recordplan_actual.c   the zone -> marks (TXT records of the registry), and sets with
 * owners recordplan_name.c     for each name: which sets come, change, go, stay recordplan.c
 * budget, order, text, hash
 */

#include "pintle/base/arena.h"
#include "pintle/zones/recordplan.h"

/** Most TXT records that may speak of one set. */
#define PIN_MARKS_MAX 8

/** A TXT value of the registry. */
struct pin_mark {
    const struct pin_recordset *txt; /**< The TXT set it stands in. */
    const char *value;
    struct pin_registry_labels labels;
    size_t n_uses;   /**< Sets that it speaks of, and that are there or come. */
    bool is_adopted; /**< Some change says what becomes of it. */
};

/** Whose a set in the zone is. */
enum pin_ownership {
    PIN_OWNED_BY_NOBODY,
    PIN_OWNED_BY_US,
    PIN_OWNED_BY_OTHER,
    PIN_OWNED_BY_TWO,
};

/** A set in the zone. */
struct pin_holding_set {
    struct pin_recordset set; /**< Without the registry's values; values know who gave them. */
    enum pin_ownership ownership;
    struct pin_mark *marks[PIN_MARKS_MAX]; /**< The best one first. */
    size_t n_marks;
    bool is_matched; /**< It is wanted. */
    bool is_in_way;  /**< It goes because of another set of its name. */
    bool is_kept;    /**< It stays: what should replace it cannot come. */
};

/** A set that is wanted. */
struct pin_want {
    struct pin_recordset set;
    struct pin_holding_set *there; /**< Of the same name, type and set id, or NULL. */
    bool is_refused;
};

/** A run. */
struct pin_planner {
    const struct pin_recordplan_input *input;
    struct pin_arena *arena; /**< Remembers whether anything was refused. */
    bool failed;             /**< Other memory was refused. */
    struct pin_name zone;
    struct pin_recordset *txts; /**< All TXT sets of the zone, sorted. */
    size_t n_txts;
    struct pin_recordset *cnames; /**< All CNAME sets, sorted. */
    size_t n_cnames;
    struct pin_mark *marks; /**< In the order of `txts`. */
    size_t n_marks;
    struct pin_holding_set *there; /**< Sorted. */
    size_t n_there;
    struct pin_want *wants; /**< Sorted. */
    size_t n_wants;
    struct pin_recordplan_change *changes;
    size_t n_changes;
    size_t cap_changes;
    struct pin_recordplan_conflict *conflicts;
    size_t n_conflicts;
    size_t cap_conflicts;
};

/** Whether a canonical name lies in the zone, and in none below it. */
bool pin_planner_has_name(const struct pin_planner *planner, const char *name);

/** Room for one more element of an array in the arena; NULL when memory is out. Zeroed. */
void *pin_planner_grow(
    struct pin_planner *planner, void *array, size_t *n, size_t *cap, size_t element_bytes);

/** Reports that an object does not get what it wants. `detail` is copied. */
void pin_planner_conflict(struct pin_planner *planner, enum pin_recordplan_conflict_kind kind,
    const struct pin_recordset *set, const struct pin_recordset_source *source, const char *detail);

/** The object as people write it, "service/shop/app": the label `resource`. In the arena. */
const char *pin_planner_resource(
    struct pin_planner *planner, const struct pin_recordset_source *source);

/** Whether two sets cannot both be at their name. */
bool pin_planner_clash(const struct pin_recordset *a, const struct pin_recordset *b);

/** Fills txts, cnames, marks and there. */
void pin_planner_read_actual(struct pin_planner *planner);

/** The TXT set of that name and set id, or NULL. */
const struct pin_recordset *pin_planner_txt(
    const struct pin_planner *planner, const char *name, const char *set_id);

/** The first mark of that name and set id; *ret_n of them follow each other. */
struct pin_mark *pin_planner_marks(
    const struct pin_planner *planner, const char *name, const char *set_id, size_t *ret_n);

/** Whether a CNAME stands at the name. */
bool pin_planner_has_cname(const struct pin_planner *planner, const char *name);

/** The name of the TXT record that is written for a set. False: it has no place. */
bool pin_planner_txt_name(const struct pin_planner *planner, const struct pin_recordset *set,
    char ret_name[PIN_RECORDSET_NAME_MAX]);

/** Fills wants. */
void pin_planner_read_claims(struct pin_planner *planner);

/** Fills changes, for all names. */
void pin_planner_decide(struct pin_planner *planner);

/** Adds a change with the TXT records that `pin_recordplan_change_*` decide on. */
void pin_planner_create(struct pin_planner *planner, struct pin_want *want);
void pin_planner_delete(struct pin_planner *planner, struct pin_holding_set *there);
void pin_planner_update(struct pin_planner *planner, struct pin_holding_set *there,
    const struct pin_recordset *set, const char *resource);
void pin_planner_adopt(struct pin_planner *planner, struct pin_holding_set *there);
void pin_planner_delete_orphans(struct pin_planner *planner);
