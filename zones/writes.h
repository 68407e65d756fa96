/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Writes inside the catalog: which units are to be looked at, and what their sets are made of.
 *
 *     note (unit compiled, Gateway, class or namespace came, cluster synced or writable)
 *       -> keys -> take -> sets
 *
 * A unit is noted by its key, not by its address, so that what goes meanwhile is simply not found.
 */

#include "pintle/base/jsonout.h"
#include "pintle/base/text.h"
#include "pintle/zones/write.h"

#include "zones/units.h"

struct pin_exports;

/** One set under construction. */
struct pin_write_run {
    struct pin_catalog *catalog;
    struct pin_write_set *set;
    struct pin_write **end; /**< Where the next write goes. */
    int64_t wall_ms;
    size_t n_wanted; /**< Objects that should show something of ours. */
    bool has_failed; /**< Memory was out. */
};

/** Makes it empty. False when memory is out. */
bool pin_writes_init(struct pin_catalog *catalog);

/** Frees what it holds. */
void pin_writes_done(struct pin_catalog *catalog);

/** Has the service unit looked at. Cheap while nothing may be written. */
void pin_writes_note_service(struct pin_catalog *catalog, const struct pin_service_unit *unit);

/** The same by name, whether there is such a unit or not. */
void pin_writes_note_name(
    struct pin_catalog *catalog, const char *namespace_name, const char *name);

/** Has the service looked at that an object which goes was made for. */
void pin_writes_note_gone(struct pin_catalog *catalog, const struct pin_object *object);

/** Has the route looked at, and its Gateways where the route itself has changed. */
void pin_writes_note_route(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Has the Gateways of a route's object looked at: it changed or goes. NULL is fine. */
void pin_writes_note_parents(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *route);

/** Has the Gateway looked at. */
void pin_writes_note_gateway(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *gateway);

/** Has the class looked at that came, changed (`old`: from what; NULL: it is new) or goes; where it
 * counts for its Gateways, these and their routes. */
void pin_writes_note_class(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *gateway_class, const struct pin_object *old);

/** A namespace of the cluster came or has other labels: has those looked at who ask for labels. */
void pin_writes_note_labels(struct pin_catalog *catalog, uint16_t cluster_id);

/** Has the route depend on all that its status speaks of. While it is compiled. */
void pin_writes_depend(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Has all services of a namespace looked at: it came to a cluster. */
void pin_writes_note_namespace(struct pin_catalog *catalog, const char *namespace_name);

/** Has everything looked at. */
void pin_writes_note_all(struct pin_catalog *catalog);

/** Whether objects of that cluster may be written: it was listed, and we are its writer. */
bool pin_writes_may(const struct pin_catalog *catalog, uint16_t cluster_id);

/**
 * Adds a write to the set. `body` is copied.
 *
 * @param like  Kind, namespace and name of what is written; for DELETE also whose uid is meant.
 */
struct pin_write *pin_writes_add(struct pin_write_run *run, enum pin_write_op op,
    uint16_t cluster_id, const struct pin_object *like, const struct pin_text *body);

/** Writes "name", "namespace" where it has one, and, when the object has one, "uid" into an open
 * "metadata". */
void pin_writes_put_key(struct pin_jsonout *json, const struct pin_object *like);

/** Adds an Event about the object, which has a uid: "Warning", a reason and what to say. */
void pin_writes_tell(struct pin_write_run *run, uint16_t cluster_id,
    const struct pin_object *object, const char *reason, const char *note);

/** The differences of one unit. */
void pin_writes_route(struct pin_write_run *run, struct pin_route_unit *route);
void pin_writes_parents(struct pin_write_run *run, struct pin_route_unit *route);
void pin_writes_gateway(
    struct pin_write_run *run, uint16_t cluster_id, const struct pin_gateway_unit *unit);
void pin_writes_class(
    struct pin_write_run *run, uint16_t cluster_id, const struct pin_object *gateway_class);
void pin_writes_status(struct pin_write_run *run, const struct pin_exports *exports);
void pin_writes_mcs(struct pin_write_run *run, const char *namespace_name, const char *name);
