/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Policies on the builder's side: which objects guard a route, and how they become a program.
 */

#include "pintle/zones/policy.h"

#include "zones/units.h"

/** The policy objects with one target. */
struct pin_guards {
    const struct pin_object **objects;
    size_t n;
    size_t cap;
};

/**
 * Compiles guards into one policy, which the caller holds a reference on; NULL when memory is out.
 * A guard too large for a program refuses everybody.
 */
struct pin_policy *pin_policy_new(
    const struct pin_settings *settings, const struct pin_object *const *objects, size_t n);

/** Makes labels with slot 0 alone; NULL when memory is out. */
struct pin_policy_labels *pin_policy_labels_new(void);

/** Frees them. No reader may be left. NULL is fine. */
void pin_policy_labels_free(struct pin_policy_labels *labels);

/** The slot of a policy object, from now on its own; 0 when there is none left. Builder. */
uint16_t pin_policy_slot(
    struct pin_policy_labels *labels, const char *cluster, const struct pin_object *object);

/** Whether two policies say the same; NULL is "no policy". */
bool pin_policy_equal(const struct pin_policy *a, const struct pin_policy *b);

/**
 * Collects the policies of a route and of its Gateways into the arena. Returns how many; SIZE_MAX
 * when memory is out.
 */
size_t pin_policy_of_route(const struct pin_catalog *catalog, const struct pin_route_unit *route,
    struct pin_arena *arena, const struct pin_object ***ret_objects);

/** Notes a policy object at its targets and marks their routes. `is_new` false: it is attached
 * again because memory was out. */
void pin_policy_attach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object, bool is_new);

/** Takes it back. */
void pin_policy_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/** Frees the map of guards. */
void pin_policy_free_all(struct pin_catalog *catalog);
