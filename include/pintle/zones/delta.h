/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Delta: a change of one cluster, as any source reports it.
 *
 * A source sends, per kind: LIST_BEGIN, an UPSERT per object, LIST_END (objects of that kind which
 * the list did not name are gone then); afterwards UPSERT and DELETE one by one. UP and DOWN say
 * whether the cluster can be reached; SYNCED says that every kind it serves was listed once.
 * A kind that the cluster does not serve is listed as empty. Unknown is not empty: a list that
 * failed sends no LIST_END, and what was there stays. A list that is *unproven* (a server's word)
 * and names nothing, or less than half of what was known, takes nothing away until a second one,
 * begun 30 s later or more, says the same: its source sends that one when it is told of the first
 * (pin_catalog_held()). What UPSERT and DELETE say in between counts at once.
 */

#include <stdbool.h>
#include <stdint.h>

#include "pintle/zones/lookup.h"
#include "pintle/zones/object.h"

/** What a delta says. */
enum pin_delta_op {
    PIN_DELTA_UPSERT,
    PIN_DELTA_DELETE,
    PIN_DELTA_LIST_BEGIN,
    PIN_DELTA_LIST_END,
    PIN_DELTA_UP,
    PIN_DELTA_DOWN,
    PIN_DELTA_SYNCED,
    PIN_DELTA_LOOKUP, /**< A host name of a gateway was looked up; no cluster's. */
    PIN_DELTA_KEEP,   /**< A list names an object that cannot be read: what is known of it stays. */
    /** What the cluster has by now was known before a restart: all of it, and out of reach until
     * SYNCED. */
    PIN_DELTA_RESTORED,
};

/** One change. Made by a source on the control thread, owned by whoever holds it last. */
struct pin_delta {
    enum pin_delta_op op;
    enum pin_kind kind;        /**< UPSERT, DELETE, LIST_*. */
    uint16_t cluster_id;       /**< Position in pin_settings.clusters. */
    uint64_t received_ns;      /**< Monotonic, when the bytes arrived; 0 = unknown. Of marks,
                                  when they were sent. */
    bool is_unproven;          /**< LIST_END: may be held. */
    bool is_partial;           /**< LIST_END: named what nobody can read, so it removes nothing. */
    uint16_t epoch;            /**< Of settings, whose ids it has: the builder's door notes it. */
    bool has_more;             /**< Part of a first list: nobody waits for this one alone. */
    struct pin_object *object; /**< UPSERT: owned by the delta. */
    char *namespace_name;      /**< DELETE, KEEP: owned; "" for cluster-scoped kinds. */
    char *name;                /**< DELETE, KEEP: owned. */
    struct pin_lookup *lookup; /**< LOOKUP: owned. */
};

/** Makes an UPSERT and takes `object`; frees it and returns NULL when memory is out. */
struct pin_delta *pin_delta_upsert(uint16_t cluster_id, struct pin_object *object);

/** Makes a DELETE; copies the names. NULL when memory is out. */
struct pin_delta *pin_delta_delete(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name);

/** Makes a KEEP; likewise. */
struct pin_delta *pin_delta_keep(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name);

/** Makes a LIST_BEGIN, LIST_END, UP, DOWN, SYNCED or RESTORED (`kind` counts for LIST_* only). */
struct pin_delta *pin_delta_mark(uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind);

/** Makes a LOOKUP and takes `lookup`; frees it and returns NULL when memory is out. */
struct pin_delta *pin_delta_lookup(struct pin_lookup *lookup);

/** Frees a delta and what it still owns. NULL is fine. */
void pin_delta_free(struct pin_delta *delta);
