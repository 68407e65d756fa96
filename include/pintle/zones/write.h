/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Writes: what the clusters' objects should say and do not say yet.
 *
 *     builder  objects, switches -> pin_catalog_take_writes -> struct pin_write_set -> control
 *     control  sets -> API servers -> watches -> objects that say it -> nothing left to write
 *
 * The catalog compares what its objects show with what they should show, one unit at a time; the
 * differences of a unit are a set. A newer set of the same key takes the place of the older one.
 * Nothing here is remembered by what was written, only by what the clusters show.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/object.h"

/** The field manager of all that is ours whatever others say. */
#define PIN_WRITE_MANAGER "pintle"
/** The same for what another controller may have written first. */
#define PIN_WRITE_MANAGER_SOFT "pintle-lattice"
/** Annotation with the assigned name of a route. */
#define PIN_WRITE_ASSIGNED "pintle.dev/assigned-domain-name"
/** What the AWS gateway controller calls it. */
#define PIN_WRITE_LATTICE "application-networking.k8s.aws/lattice-assigned-domain-name"
/** Annotation of objects that are wholly ours: 16 hex digits that stand for what was applied. */
#define PIN_WRITE_APPLIED "pintle.dev/applied"
/** Annotation of imports that are ours: the clusters that export, "c1,c2". */
#define PIN_WRITE_EXPORTERS "pintle.dev/exporters"

/** Who we are among the controllers of the Gateway API. */
#define PIN_WRITE_CONTROLLER "pintle.dev/gateway-controller"

/** The API group of routes and Gateways. */
#define PIN_WRITE_GATEWAY_GROUP "gateway.networking.k8s.io"
/** Most bytes of what pin_write_put_parent_key() writes, with a NUL. */
#define PIN_WRITE_PARENT_KEY_MAX 640

struct pin_text;

/** Writes what tells parentRefs of one route apart: "namespace/name/section/port" as written. */
void pin_write_put_parent_key(struct pin_text *out, const char *namespace_name, const char *name,
    const char *section, unsigned port);

/** Which parts are written; all off: nothing ever is. */
struct pin_write_switches {
    bool annotations; /**< Assigned names on routes. */
    bool lattice;     /**< The same by the AWS controller's annotation. */
    bool status;      /**< Conditions. */
    bool events;
    bool mcs;    /**< Imports, derived Services and mirrored slices. */
    bool cleans; /**< What is switched off is taken away where it is. */
};

/** Whether anything may be written. What is off is taken away then, too. */
bool pin_write_is_on(const struct pin_write_switches *switches);

/** How an object is written. */
enum pin_write_op {
    PIN_WRITE_APPLY,        /**< Server-side apply. */
    PIN_WRITE_APPLY_STATUS, /**< The same to its status. */
    PIN_WRITE_DELETE,
    PIN_WRITE_CREATE,       /**< POST, of what gets its name from the server. */
    PIN_WRITE_EVENT,        /**< An Event about the object: action, note, reason and type of it. */
    PIN_WRITE_PATCH_STATUS, /**< A JSON patch of its status, where lists have one owner only. */
};

/** One request. One allocation with its texts. */
struct pin_write {
    struct pin_write *next;
    enum pin_write_op op;
    enum pin_kind kind;
    uint16_t cluster_id;
    bool is_soft;        /**< Gives way to other field managers. */
    bool needs_no_lease; /**< Written by whoever says it: another Lease made that one daemon. */
    const char *manager; /**< Static. */
    const char *namespace_name;
    const char *name;
    const char *uid;  /**< DELETE, EVENT: this object and no other of its name; NULL: whichever. */
    const char *body; /**< An object without apiVersion and kind; "" for DELETE. */
    size_t body_bytes;
};

/** Whether it is of the object's status, which has rights of its own. */
static inline bool pin_write_is_of_status(const struct pin_write *write)
{
    return write->op == PIN_WRITE_APPLY_STATUS || write->op == PIN_WRITE_PATCH_STATUS;
}

/** All that has to be written for one unit now; empty: nothing. */
struct pin_write_set {
    struct pin_write_set *next;
    struct pin_write *first;
    char key[]; /**< Names the unit. */
};

/** Frees a write. NULL is fine. */
void pin_write_free(struct pin_write *write);

/** Frees the whole list of sets. NULL is fine. */
void pin_write_sets_free(struct pin_write_set *sets);
