/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Claims inside the catalog: what marks them, and the walk over all objects. */

#include "pintle/base/arena.h"
#include "pintle/zones/claims_catalog.h"

#include "zones/units.h"

/** One walk, for one entry of `records`. */
struct pin_claims_walk {
    struct pin_catalog *catalog;
    const struct pin_record_want *want;
    struct pin_arena *arena;    /**< Of the result. */
    struct pin_arena *scratch;  /**< Of the object at hand. */
    struct pin_recordset *sets; /**< Heap. */
    bool *is_unwell;            /**< By set: it goes where another cluster gives the name. */
    size_t n_sets;
    size_t cap_sets;
    size_t n_unwell;
    size_t n_invalid;
    size_t n_untargeted;
    const char *untargeted; /**< The first of these, in the arena; NULL: there is none. */
    size_t n_oversized;
    const char *oversized;    /**< The same of objects whose names or targets are too many. */
    struct pin_map listeners; /**< Hostnames of listeners -> whether a route has it. */
    uint64_t now_ms;
    uint64_t due_ms; /**< When a cluster is dropped next; UINT64_MAX: none. */
    bool has_failed; /**< Memory was out. */
};

/** Adds what an object of a cluster claims. */
void pin_claims_object(
    struct pin_claims_walk *walk, uint16_t cluster_id, const struct pin_object *object);

/** Whether a Service, which has no ready endpoint now, has had none for long enough. */
bool pin_claims_is_bare(
    struct pin_claims_walk *walk, uint16_t cluster_id, const struct pin_object *service);

/** Whether a cluster's Service can be reached by all we know: neither dropped nor drained, with an
 * endpoint that is ready and up, or without any that tells. */
bool pin_claims_is_well(const struct pin_catalog *catalog, const struct pin_service_unit *unit,
    const struct pin_member *member);

/** Notes the hostnames of a Gateway's listeners, before any route is looked at. */
void pin_claims_listeners(struct pin_claims_walk *walk, const struct pin_object *gateway);

/** Adds sets, copied. */
void pin_claims_add(struct pin_claims_walk *walk, const struct pin_claims *claims, bool is_unwell);

/** Makes them looked at again. Costs nothing while nobody wants any. */
void pin_claimed_mark(struct pin_catalog *catalog);

/** The same where a change of the object can change claims. `old` may be NULL. */
void pin_claimed_note(
    struct pin_catalog *catalog, const struct pin_object *object, const struct pin_object *old);

/** The same for a service that was compiled: its endpoints or their verdicts may have changed. */
void pin_claimed_note_service(struct pin_catalog *catalog, struct pin_service_unit *unit);

/** When pin_catalog_take_claims() has to be called; UINT64_MAX: not before a change. */
uint64_t pin_claimed_next_ms(const struct pin_catalog *catalog);

/** Frees what is remembered. */
void pin_claimed_done(struct pin_catalog *catalog);
