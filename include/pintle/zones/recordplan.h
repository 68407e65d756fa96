/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Record plan: what would have to change in somebody else's zone, and what must not.
 *
 *     claims    what objects of all clusters want      \
 *     actual    what the zone holds, ownership too      >  plan  ->  changes, blocked, conflicts
 *     settings  who we are, what we may                /
 *
 * A pure function: same input in any order, same plan, byte for byte. What is in the zone and is
 * not ours by its TXT record (zones/registry.h) is never part of a change. A plan that was applied
 * leaves nothing to plan. Any thread; cost n log n.
 *
 * Claims of the same object (kind, namespace, name) in several clusters become one set with the
 * values of all, each value knowing its clusters. Claims of different objects that disagree are a
 * conflict: the oldest object wins (pin_recordset_source_cmp()), the others are reported.
 *
 * Values of a cluster that has not been synced since the start stay, and so do those of which
 * nobody knows where they came from while there is such a cluster.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/registry.h"

/** Deletions that a run may always do, whatever the share says. */
#define PIN_RECORDPLAN_DELETES_MIN 10u
/** Bytes of a plan's hash as text, with its NUL. */
#define PIN_RECORDPLAN_HASH_BYTES 17

/** What may be done at all. */
enum pin_recordplan_policy {
    PIN_RECORDPLAN_SYNC,        /**< Create, update, delete. */
    PIN_RECORDPLAN_UPSERT_ONLY, /**< No name loses its last set. */
    PIN_RECORDPLAN_CREATE_ONLY, /**< What is there stays as it is. */
};

/** What a plan is made of. Everything is borrowed. */
struct pin_recordplan_input {
    const char *records; /**< The entry that plans, as part of the hashes; NULL: "". */
    const char *zone;    /**< Its apex, as recordset.h writes names. */
    const char *const *zones_below;
    size_t n_zones_below; /**< Names below these are not in the zone. */
    const struct pin_registry *registry;
    const struct pin_recordset *claims; /**< Any order; those of other zones are passed over. Each
                                           has a source, and values, or `holds`. */
    size_t n_claims;
    const struct pin_recordset *actual; /**< Any order; the whole zone. */
    size_t n_actual;
    bool is_whole; /**< `actual` is all of it: the listing reached its end. */
    const char *const *unsynced;
    size_t n_unsynced;        /**< Clusters not synced since the start, sorted. */
    const char *const *types; /**< What the provider can hold. */
    size_t n_types;
    bool has_set_ids; /**< It holds several sets of one name and type, and properties. */
    enum pin_recordplan_policy policy;
    uint32_t delete_percent; /**< Of the sets we own, that one run may delete. */
    const char *approved;    /**< Hash of blocked deletions that may be done now; NULL: none. */
    const char *adopt_from;  /**< Another owner: plan nothing but taking over what is wanted and
                                belongs to it; NULL: a plan as any. */
};

/** What a change does to its set. */
enum pin_recordplan_op {
    PIN_RECORDPLAN_DELETE,
    PIN_RECORDPLAN_UPDATE,
    PIN_RECORDPLAN_CREATE,
};

/** What a change does to one TXT record of the registry. Other values of its name stay. */
struct pin_recordplan_txt {
    const char *name;
    const char *old_value; /**< NULL: there is none yet. */
    const char *new_value; /**< NULL: it goes. */
    const char *const *others;
    size_t n_others; /**< Values of the same set that belong to others, for providers that
                        replace whole sets. */
    uint32_t ttl_s;  /**< As it is; 0: the provider's default. */
};

/** One change: a set and the TXT records that go with it. */
struct pin_recordplan_change {
    enum pin_recordplan_op op;
    const char *name;
    const char *type;
    const char *set_id;
    const struct pin_recordset *old_set; /**< NULL: there is none; a TXT record without its set. */
    const struct pin_recordset *new_set; /**< NULL: it goes. The same as old_set when only its TXT
                                            records change. */
    struct pin_recordplan_txt *txts;
    size_t n_txts;
    bool is_replaced; /**< DELETE: the name gets another set instead. */
};

/** Why something wanted is not done. */
enum pin_recordplan_conflict_kind {
    PIN_RECORDPLAN_FOREIGN,     /**< It is there, and nobody owns it. */
    PIN_RECORDPLAN_OTHER_OWNER, /**< It is there, and belongs to another owner. */
    PIN_RECORDPLAN_TWO_OWNERS,  /**< Two TXT records name different owners. */
    PIN_RECORDPLAN_TWO_OBJECTS, /**< An older object wants something else there. */
    PIN_RECORDPLAN_CNAME,       /**< A CNAME has no others beside it, nor the apex a CNAME. */
    PIN_RECORDPLAN_SET_ID,      /**< A set with a set id stands beside one without. */
    PIN_RECORDPLAN_UNSUPPORTED, /**< The provider does not hold that type. */
    PIN_RECORDPLAN_REGISTRY,    /**< Its TXT record would have no place. */
    PIN_RECORDPLAN_WAITING, /**< A cluster that has not been synced may still want what is there.
                             */
    PIN_RECORDPLAN_INVALID, /**< It makes no sense: a CNAME with two targets. */
};

/** One of them. */
struct pin_recordplan_conflict {
    enum pin_recordplan_conflict_kind kind;
    const char *name;
    const char *type;
    const char *set_id;
    struct pin_recordset_source source; /**< The object that does not get what it wants. */
    const char *detail;                 /**< For people; never NULL. */
};

/** A set that is wanted or ours, for status: what it should be beside what it is. */
struct pin_recordplan_item {
    const struct pin_recordset *wanted; /**< Of all claims; NULL: nobody wants it. Without values:
                                           what is there is held. */
    const struct pin_recordset *there;  /**< Without the registry's values; NULL: it is not. */
    const char *owner;                  /**< "": nobody, not there, or its TXT records disagree. */
    bool is_ours;
    bool is_refused; /**< Something is in the way: there is a conflict that says what. */
};

/** A plan. Lives in the arena it was made in, and borrows from its input. */
struct pin_recordplan {
    struct pin_recordplan_change *changes; /**< By name, then deletions first. */
    size_t n_changes;
    struct pin_recordplan_change *blocked; /**< Deletions above the budget: all of this run. */
    size_t n_blocked;
    struct pin_recordplan_conflict *conflicts; /**< By name, type, set id, kind, object. */
    size_t n_conflicts;
    struct pin_recordplan_item *items; /**< By name, type, set id. */
    size_t n_items;
    size_t n_owned;     /**< Sets in the zone that are ours. */
    size_t n_deletes;   /**< Deletions that count, blocked ones too. */
    size_t deletes_max; /**< How many of them one run may do. */
    bool used_approval; /**< The approved hash was this plan's: it must not be used again. */
    const char *text;   /**< Changes, then blocked ones, a line each: "+ ~ -". */
    char hash[PIN_RECORDPLAN_HASH_BYTES];     /**< Of entry, zone and text; says that two plans are
                                                 the same. */
    char approval[PIN_RECORDPLAN_HASH_BYTES]; /**< Of entry, zone and the deletions alone: what to
                                                 approve; "" when nothing is blocked. */
};

/**
 * Makes a plan.
 *
 * @return PIN_OK; PIN_EINVAL when the listing is not whole (nothing may be concluded from it) or
 *         the registry's settings are wrong; PIN_ENOMEM.
 */
enum pin_err pin_recordplan_make(const struct pin_recordplan_input *input, struct pin_arena *arena,
    struct pin_recordplan *ret_plan, struct pin_why *why);

/**
 * The zone after the plan's changes (not the blocked ones): what the next listing should say.
 *
 * @param ret_sets  In the arena, sorted; borrows from plan and `actual`.
 * @return False when memory is out.
 */
bool pin_recordplan_apply(const struct pin_recordplan *plan, const struct pin_recordset *actual,
    size_t n_actual, struct pin_arena *arena, struct pin_recordset **ret_sets, size_t *ret_n_sets);

/** The conflict's kind as one word, "other-owner". Static. */
const char *pin_recordplan_conflict_str(enum pin_recordplan_conflict_kind kind);
