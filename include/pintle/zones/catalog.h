/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Catalog: the merged state of all clusters, and what has to be compiled because of a change.
 *
 *     deltas -> pin_catalog_apply -> dirty units -> pin_catalog_publish -> index and scene
 *
 * A *unit* is what is compiled as a whole: a service (one namespace and name across all clusters)
 * or a route. A change marks the units derived from it; publish compiles only those and replaces
 * only the nodes whose content really changed. One thread (the builder) calls everything here;
 * nothing here reads a clock or does I/O.
 */

#include "pintle/base/error.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/text.h"
#include "pintle/zones/delta.h"
#include "pintle/zones/health.h"
#include "pintle/zones/index.h"
#include "pintle/zones/pods.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/reverse.h"
#include "pintle/zones/settings.h"
#include "pintle/zones/view.h"
#include "pintle/zones/wishes.h"
#include "pintle/zones/zonefile.h"

struct pin_catalog;

/** What workers read. Filled by the catalog; `scene` is read with pin_rcu_deref(). */
struct pin_live {
    struct pin_index *index;
    const _Atomic uint64_t *verdicts; /**< The words of `health`. */
    struct pin_health *health;
    struct pin_reverse *reverse; /**< NULL in tests that make an index of their own. */
    struct pin_scene *scene;
    struct pin_pods *pods;
    struct pin_policy_labels *policies;
    struct pin_wishes *wishes; /**< Workers write them; NULL in tests without a catalog. */
};

/**
 * Makes an empty catalog with its index, zones and first scene (not ready).
 * `settings` must outlive it. `serial` is the first SOA serial of each zone.
 */
enum pin_err pin_catalog_new(const struct pin_settings *settings, uint32_t serial,
    struct pin_catalog **ret_catalog, struct pin_why *why);

/** Frees it with index and scene. No reader may be left. */
void pin_catalog_free(struct pin_catalog *catalog);

/** What workers read; lives as long as the catalog. Any thread. */
const struct pin_live *pin_catalog_live(const struct pin_catalog *catalog);

/** The settings it was made with. Any thread. */
const struct pin_settings *pin_catalog_settings(const struct pin_catalog *catalog);

/** Takes the delta and marks what it dirties. Costs what the delta changes. */
void pin_catalog_apply(struct pin_catalog *catalog, struct pin_delta *delta);

/** The object of that name as the cluster last told, or NULL. Valid until the next apply. No Pods.
 */
const struct pin_object *pin_catalog_find(const struct pin_catalog *catalog, uint16_t cluster_id,
    enum pin_kind kind, const char *namespace_name, const char *name);

/**
 * Makes a static zone, one of settings.zones_static, show what the file says from the next
 * publication on. Takes `zonefile`. PIN_ENOTFOUND for any other zone.
 */
enum pin_err pin_catalog_set_zonefile(
    struct pin_catalog *catalog, struct pin_zonefile *zonefile, struct pin_why *why);

/**
 * Has a static zone never show a serial that was shown before a restart, unless its file says it.
 * Before the first publication. PIN_ENOTFOUND for names of no static zone.
 */
enum pin_err pin_catalog_set_floor(
    struct pin_catalog *catalog, const struct pin_name *zone, uint32_t serial);

/** What one publication did. */
struct pin_published {
    uint32_t n_units;   /**< Units compiled. */
    uint32_t n_names;   /**< Names put or removed. */
    uint32_t n_serials; /**< Serials that moved, and zones that can be transferred now. */
    bool has_new_scene;
    bool is_cut; /**< Units are left that another publication is to compile. */
};

/**
 * Compiles every dirty unit and publishes it; a new scene too when one is needed. Gives the orders
 * that probing needs. What there was no memory for stays dirty: call again, a while later.
 * @param now_ms  Monotonic; ready.grace counts from the first call's value.
 */
struct pin_published pin_catalog_publish(struct pin_catalog *catalog, uint64_t now_ms);

/** As pin_catalog_publish(), but while a restored state or a cluster's first lists are compiled for
 * the first time, no more than `n_max` units, in the order in which they are asked for. */
struct pin_published pin_catalog_publish_some(
    struct pin_catalog *catalog, uint64_t now_ms, uint32_t n_max);

/** Compiles what is wished for, before its turn: behind a publication that was cut. */
void pin_catalog_grant(struct pin_catalog *catalog);

/** Whether publish has something to do (dirty units, a scene, the end of the grace period). */
bool pin_catalog_is_dirty(const struct pin_catalog *catalog, uint64_t now_ms);

/**
 * When pin_catalog_is_dirty() becomes true without a delta, because a cluster is out of reach for
 * too long (stale: drop) or a drain ends, or when pin_catalog_take_claims() is to be called;
 * UINT64_MAX for never. The end of the grace period is not in it.
 */
uint64_t pin_catalog_next_ms(const struct pin_catalog *catalog);

/** Whether some policy asks for the asker's namespace: sources are to report Pods. */
bool pin_catalog_wants_pods(const struct pin_catalog *catalog);
/**
 * The host names that have to be looked up, when they are others than at the last call; NULL when
 * they are the same. The caller frees them.
 */
struct pin_wanted *pin_catalog_take_wanted(struct pin_catalog *catalog);

/**
 * Whether we are the one who writes to that cluster. Until it was said, nothing is to be written;
 * once it is, everything there is looked at.
 */
void pin_catalog_set_writable(struct pin_catalog *catalog, uint16_t cluster_id, bool is_writable);

/** Has everything looked at again: some writes were given up. */
void pin_catalog_look_again(struct pin_catalog *catalog);

/** How many units pin_catalog_take_writes() has to look at. */
size_t pin_catalog_n_writes(const struct pin_catalog *catalog);

/**
 * What should be written for some of the units that changed since they were last looked at; the
 * caller frees it. NULL: nothing. Ask again while pin_catalog_n_writes().
 * @param wall_ms  For times within what is written.
 */
struct pin_write_set *pin_catalog_take_writes(struct pin_catalog *catalog, int64_t wall_ms);

/**
 * Takes what a geo database says of strangers' places: prefixes with positions in
 * settings->geo_rules as values, copied. They replace earlier ones with the next publication. False
 * when memory is out: the earlier ones stay.
 */
bool pin_catalog_set_places(
    struct pin_catalog *catalog, const struct pin_lpm_entry *entries, size_t n_entries);

/** How one cluster stands. Strings are borrowed from the settings. */
struct pin_cluster_status {
    const char *name;
    const char *network;
    bool is_up;
    bool is_synced;   /**< At least once. */
    bool is_restored; /**< Not synced yet, and has what it had before a restart. */
    bool is_drained;  /**< By hand, as a whole. */
    /** Since when its data is stale, as publications told the time; 0 while it is not. */
    uint64_t stale_since_ms;
    uint32_t n_objects[PIN_KIND_MAX];
    uint32_t held_kinds; /**< pin_catalog_held() */
    uint32_t over_kinds; /**< pin_catalog_over() */
};

/** Status of a cluster; `cluster_id` must exist. */
struct pin_cluster_status pin_catalog_cluster(
    const struct pin_catalog *catalog, uint16_t cluster_id);

/**
 * The kinds, one bit each (1 << enum pin_kind), whose last list is not believed yet: their source
 * is to list them again, 30 s after that list or later. O(kinds).
 */
uint32_t pin_catalog_held(const struct pin_catalog *catalog, uint16_t cluster_id);

/** The kinds, likewise, of which the cluster has more objects than settings->max_objects: those
 * beyond them are not there. They count among pin_catalog_held(). O(kinds). */
uint32_t pin_catalog_over(const struct pin_catalog *catalog, uint16_t cluster_id);

/** A number that moves whenever pin_catalog_held() changes for some cluster. */
uint32_t pin_catalog_held_stamp(const struct pin_catalog *catalog);

/** Totals for metrics and status. */
struct pin_catalog_counts {
    uint64_t n_services;        /**< Service units with a name in the clusterset zone. */
    uint64_t n_global_services; /**< Of these, those made by service.cilium.io/global. */
    uint64_t n_routes;
    uint64_t n_endpoints; /**< Endpoint addresses held. */
    uint64_t n_drains;    /**< Things drained by hand. */
    bool has_writes;      /**< Something may be written to some cluster; else both are 0. */
    uint64_t n_wanted;    /**< Objects that should show something of ours. */
    uint64_t n_differing; /**< Units of which some object did not when it was last looked at. */
    uint64_t generation;  /**< Publications that changed something. */
};

/** Totals. O(1). */
struct pin_catalog_counts pin_catalog_counts(const struct pin_catalog *catalog);

/** Writes the array of `GET /api/v1/names` (design, section 4): every route with its assigned name.
 */
void pin_catalog_names_json(const struct pin_catalog *catalog, struct pin_jsonout *out);

/**
 * Appends what a static zone's file says as it was read, a record a line, without its remarks.
 *
 * @param at         Where to begin: 0, or what an earlier call left there; it is moved on.
 * @param max_bytes  Where the text is that long no further name is begun.
 * @return Whether there is more; false, too, for a zone that has no file, or none yet. Builder.
 */
bool pin_catalog_zone_text(const struct pin_catalog *catalog, const struct pin_name *apex,
    size_t *at, size_t max_bytes, struct pin_text *text);

/** Where a walk over a cluster's objects stands; zeroed: at its beginning. */
struct pin_object_cursor {
    enum pin_kind kind;
    char key[512]; /**< "namespace/name" of the last object of that kind, or "". */
};

/** Called for one object, which is borrowed for the call. False: it is to be the last one. */
typedef bool pin_object_fn(void *arg, const struct pin_object *object);

/**
 * Walks over a cluster's objects behind `cursor`, by kind, namespace and name, and moves the cursor
 * to the last one that `fn` had. Of Pods only what is kept of them is told: their addresses.
 *
 * @return Whether there are more. Builder's thread; O(objects of the kinds that are met).
 */
bool pin_catalog_walk_objects(const struct pin_catalog *catalog, uint16_t cluster_id,
    struct pin_object_cursor *cursor, pin_object_fn *fn, void *arg);

/**
 * Writes two members of an object: "items", what each service with a name in the clusterset zone
 * has in every cluster and how much of that the view is shown, and "next" when there are more.
 *
 * @param after  "namespace/name": those behind it, in that order; NULL: from the first.
 * @param n_max  Services looked at, 1 or more. Cost: these, and a sort of all names.
 */
void pin_catalog_services_json(struct pin_catalog *catalog, uint16_t view_id, const char *after,
    size_t n_max, struct pin_jsonout *out);

/** Who asks, for an explanation. */
struct pin_explain_asker {
    struct pin_asker asker;
    struct pin_prefix address;  /**< For policies; no address: unknown. */
    const char *namespace_name; /**< As a forwarder would say it; NULL: unknown. A Pod that has the
                                   address goes before it. */
    uint64_t now_ms;            /**< Monotonic, for ages. */
    /** Tells of a name in no zone of ours, as members of the object; false: nothing is to be told.
     * NULL: such names are refused. */
    bool (*put_outside)(
        void *arg, const struct pin_name *name, uint16_t type, struct pin_jsonout *out);
    /** Adds texts to the list "notes" of a name that put_outside() told of. */
    void (*put_outside_notes)(void *arg, const struct pin_name *name, struct pin_jsonout *out);
    void *outside_arg;
};

/**
 * Explains an answer: zone, rule, backends with weight, affinity and readiness, addresses with
 * probability. Writes one JSON object; for a name that is not ours or does not exist it says so.
 *
 * @param type        RR type, host byte order.
 * @param asker       Who asks.
 */
void pin_catalog_explain_json(struct pin_catalog *catalog, const struct pin_name *name,
    uint16_t type, const struct pin_explain_asker *asker, struct pin_jsonout *out);
