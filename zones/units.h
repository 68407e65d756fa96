/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Units: the catalog's inside. Builder only.
 *
 *     cluster --holds--> objects            by kind and "namespace/name"
 *     service unit  = one namespace/name    members: what each cluster says about it
 *     route unit    = one route             depends on the service and gateway units it looked at
 *
 * A changed object marks its unit dirty, and through the unit's dependents the routes that draw on
 * it. Units are compiled as wholes; a unit remembers the names it put, so that it can take them
 * back.
 */

#include "pintle/base/hash.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/watcher.h"

#include "zones/held.h"
#include "zones/lists.h"
#include "zones/names.h"
#include "zones/slots.h"

struct pin_changes;
struct pin_drain;
struct pin_network_state;
struct pin_route_unit;
struct pin_service_unit;
struct pin_static_name;

/** What is drained: drains.c's. */
struct pin_drains {
    struct pin_drain *items; /**< In order of the orders. */
    size_t n;
    size_t n_by_endpoint; /**< Of zones and endpoints. */
    uint64_t next_ms;     /**< When the first one ends; UINT64_MAX: none does. */
};

/** Something routes can depend on. */
struct pin_subject {
    const struct pin_service_unit *service; /**< Whose subject it is; NULL for the others'. */
    struct pin_route_unit **routes;         /**< pin_unit_grow()'s. */
    uint32_t n_routes;
    bool is_grants; /**< A namespace's; else, without service, a Gateway's. */
};

/** What one cluster says about a service name. Objects belong to the cluster's maps. */
struct pin_member {
    uint16_t cluster_id;
    bool is_dropped; /**< Out of reach for too long: it says nothing; stale.c's. */
    bool is_probing; /**< Out of reach for so long that probes decide; stale.c's. */
    uint32_t n_slices;
    const struct pin_object *service;
    const struct pin_object *export_;
    const struct pin_object *import;
    const struct pin_object *aws_export;
    const struct pin_object *aws_import;
    const struct pin_object *target_group; /**< The TargetGroupPolicy that counts. */
    union {                                /**< Of the Service itself and imported ones: */
        const struct pin_object *slice;    /**< the only one, */
        const struct pin_object **slices;  /**< or of two and more an array, pin_unit_grow()'s. */
    };
};

/** The member's n_slices slices. Void when one of them comes or goes, or a member of the unit. */
static inline const struct pin_object *const *pin_member_slices(const struct pin_member *member)
{
    return member->n_slices > 1 ? member->slices : &member->slice;
}

/** One namespace/name across all clusters. */
struct pin_service_unit {
    const char *namespace_name; /**< Behind the key. */
    const char *name;           /**< Into the key. */
    struct pin_member *members; /**< Ascending cluster_id. */
    struct pin_subject subject;
    const struct pin_drains *drains;     /**< The catalog's. */
    struct pin_names names;              /**< That it put. */
    struct pin_held_addresses addresses; /**< With a name of its own; compile_reverse.c's. */
    struct pin_holds holds;              /**< Slots of what is probed for it. */
    uint64_t *left;                      /**< Preferred sides below their threshold; prefer.c's. */
    struct pin_service_unit *next_dirty;
    uint16_t n_members; /**< No more than clusters. */
    uint16_t n_left;
    uint16_t well; /**< Stands for the clusters that can be reached; claims_catalog.c's. */
    bool is_dirty : 1;
    bool is_waiting : 1; /**< It is dirty for first lists alone, and in waiting_services: waits.c's.
                          */
    bool is_published : 1; /**< Has a name in the clusterset zone. */
    bool is_global : 1;    /**< ... and Cilium's annotation alone makes it. */
    bool has_warned : 1;   /**< A port mismatch was logged. */
    char key[];            /**< "namespace/name". */
};

/** One Gateway, existing or only referred to. */
struct pin_gateway_unit {
    char *key;                       /**< "cluster/namespace/name", owned. */
    const struct pin_object *object; /**< NULL while it does not exist. */
    struct pin_subject subject;
};

/** The ReferenceGrants of one namespace, or that it has none: zones/grants.c. */
struct pin_grants_unit {
    char *key;                        /**< "cluster/namespace", owned. */
    const struct pin_object **grants; /**< pin_unit_grow()'s. */
    size_t n_grants;
    struct pin_subject subject;
};

/** A route that has the name among its hostnames. */
struct pin_claim {
    struct pin_route_unit *route;
    bool has_warned; /**< It was logged that the name went to another. */
};

/** One name below a custom zone, with all routes that claim it: zones/hosts.c. */
struct pin_host_unit {
    struct pin_name name;
    struct pin_zone *zone; /**< The custom zone that encloses it. */
    struct pin_claim *claims;
    size_t n_claims;
    struct pin_names names; /**< That it put. */
    struct pin_host_unit *next_dirty;
    bool is_dirty;
    bool is_static; /**< The zone's file or a name server has the name: no route gets it. */
};

/** One route. */
struct pin_route_unit {
    char *key; /**< "cluster/kind/namespace/name", owned. */
    uint16_t cluster_id;
    const char *cluster;             /**< Its name, the settings'. */
    const struct pin_object *object; /**< NULL when it is gone. */
    struct pin_name assigned;
    struct pin_subject **depends_on;
    size_t n_depends_on;
    struct pin_host_unit **hosts; /**< Its hostnames below custom zones, each once. */
    size_t n_hosts;
    struct pin_names names; /**< That it put. */
    struct pin_holds holds; /**< Slots of what is probed for it. */
    struct pin_route_unit *next_dirty;
    bool is_dirty;
    bool is_waiting;    /**< As a service unit's. */
    bool misses_depend; /**< Memory was out when a dependency was to be noted. */
    bool is_gone;       /**< Deleted: take its names back and free it. */
    bool has_news;      /**< The object itself changed since its Gateways were noted; writes.c's. */
    bool has_warned;
};

/** One cluster's objects and state. */
struct pin_cluster_state {
    struct pin_map objects[PIN_KIND_MAX]; /**< zones/objects.h */
    struct pin_map pods;                  /**< "namespace/name" -> what pods.c keeps of a Pod. */
    struct pin_list_state lists[PIN_KIND_MAX];
    uint8_t n_open; /**< Of these, begun and not ended. */
    bool is_up;
    bool is_synced;
    bool is_fresh; /**< Synced by a server's first lists, which no second ones have confirmed. */
    uint32_t synced_turn; /**< writes.turn when it was synced; 0: not yet. */
    bool is_doubted;      /**< By pin_lists_doubt(). */
    bool is_restored; /**< Not synced yet, but it was before a restart, and has what it had then. */
    bool has_lost;    /**< Memory was out for an object of it, since the start. */
    bool is_out;      /**< Out of reach since out_since_ms, and it has something. */
    uint64_t out_since_ms;
};

/** One zone that a file fills: zones/static.c. */
struct pin_static_unit {
    struct pin_zone *zone;
    struct pin_zonefile *file; /**< What it shows, NULL before the first. */
    struct pin_zonefile *next; /**< What it is to show, NULL: no change. */
    struct pin_names names;
    bool has_failed; /**< Memory was out on the way to `next`: some names may show it already. */
};

/** Whose eyes an answer is made for (pintle/zones/view.h). */
struct pin_view {
    uint16_t parent_id;  /**< Its own id when it has none. */
    uint16_t cluster_id; /**< PIN_CLUSTER_NONE for strangers. */
    char *zone;          /**< Owned; NULL where it is the cluster's or unknown. */
    const char *prefers; /**< A stranger's preferred clusters, "c2,c1"; the settings'. */
};

/** Tables of parts that are remembered for others. */
#define PIN_SHARED_MAX 64u

/** What is to be looked at for writing; writes.c's. Empty while nothing may be written. */
struct pin_writes {
    struct pin_map noted;  /**< Keys of units. */
    struct pin_map told;   /**< Keys whose latest set was not empty. */
    struct pin_map wanted; /**< Keys with how many objects should show something. */
    size_t n_wanted;       /**< Of all keys. */
    size_t n_differing;    /**< Of the keys in `told`, those whose set had more than Events. */
    uint32_t turn;         /**< Grows with each cluster that is synced. */
    uint32_t looked_turn;  /**< `turn` when all units were last looked at: beside each other,
                              clusters  synced up to there have been. */
    bool *writable;        /**< By cluster: we are the one who writes there. NULL: never. */
    size_t n_writable;
};

/** What is wanted outside; claims_catalog.c's. Zeroed: it is to be looked at. */
struct pin_claimed_state {
    uint64_t *told;      /**< A checksum of what was told last, by entry of settings->records. */
    uint64_t next_ms;    /**< Not looked at before. */
    uint64_t due_ms;     /**< Looked at then, though nothing has changed. */
    bool is_clean;       /**< Nothing has changed since it was looked at. */
    struct pin_map bare; /**< "cluster namespace/name" of Services without a ready endpoint. */
    uint32_t n_looks;
};

struct pin_catalog {
    const struct pin_settings *settings;
    struct pin_cluster_state *clusters; /**< settings->n_clusters. */
    struct pin_map services;            /**< "namespace/name" -> struct pin_service_unit. */
    struct pin_map gateways;            /**< "cluster/namespace/name" -> struct pin_gateway_unit. */
    struct pin_map grants;              /**< "cluster/namespace" -> struct pin_grants_unit. */
    struct pin_map routes;              /**< "cluster/kind/namespace/name" -> pin_route_unit. */
    struct pin_map guards;              /**< "cluster/kind/namespace/name" -> struct pin_guards. */
    struct pin_map assigned;            /**< Wire name -> struct pin_route_unit. */
    struct pin_map records;             /**< "cluster/kind/namespace/name" -> the same, for
                                           DNSEndpoints: zones/records.c. */
    struct pin_map hosts;               /**< Wire name -> struct pin_host_unit. */
    struct pin_map lookups;             /**< Host names of gateways; networks.c's, as all below. */
    struct pin_network_state *networks; /**< settings->n_networks. */
    struct pin_drains drains;
    struct pin_changes *changes; /**< What is told to others: changes.c's. NULL: nothing. */
    struct pin_writes writes;
    struct pin_claimed_state claimed;
    uint32_t lookup_stamp;
    bool is_networks_dirty;
    bool is_wanted_changed;
    bool has_dirty_static;
    bool has_new_views;
    struct pin_service_unit *dirty_services;
    struct pin_route_unit *dirty_routes;
    struct pin_host_unit *dirty_hosts;
    struct pin_service_unit *waiting_services; /**< waits.c's, with is_filling and has_ripe. */
    struct pin_route_unit *waiting_routes;
    struct pin_static_unit *statics;
    size_t n_statics;
    struct pin_live live;
    struct pin_editions *left; /**< Of catalogs before, which transfers still read. */
    struct pin_wishes wishes;
    struct pin_view *views; /**< By view id; zones/views.c's. */
    size_t n_views;
    size_t cap_views;
    uint16_t *geo_views;           /**< By position in settings->geo_rules. */
    struct pin_places *places;     /**< Of the scene, or of the next one. */
    struct pin_places *old_places; /**< Of the scene, when there will be others. */
    struct pin_zone *zone_cluster_set;
    struct pin_zone *zone_assigned;
    struct pin_zone *zone_own;         /**< "cluster.local": the asker's own cluster. */
    struct pin_zone **zone_of_cluster; /**< "c1.cluster.local" and so on, by cluster id. */
    struct pin_name svc_cluster_set;   /**< "svc" below the clusterset zone. */
    struct pin_arena *scratch;         /**< For one compile run. */
    /** Parts that many names have alike, by hash; each with a reference. */
    const struct pin_table *shared[PIN_SHARED_MAX];
    struct pin_catalog_watcher watchers[PIN_WATCHERS_MAX];
    size_t n_watchers;
    struct pin_catalog_counts counts;
    uint32_t stamp;        /**< Of the latest compile run. */
    bool is_out_of_memory; /**< Since a compile run began: what it made is not whole. */
    bool has_unattached;   /**< Memory was out when some object was to be attached. */
    bool is_scene_dirty;
    bool is_catching_up; /**< A restored state or first lists are being compiled, n_units_max at a
                            time. */
    bool is_filling;     /**< The delta at hand is part of a cluster's first lists. */
    bool has_ripe;       /**< Some that stand among the waiting wait no more. */
    uint32_t n_units_max;
    bool has_moved_cuts;   /**< A delegation came or went: cuts.c's. */
    bool is_behind;        /**< A serial or an edition waits for memory. */
    uint32_t held_stamp;   /**< Moves when a list is held, and when it is not any more. */
    bool is_stale_dirty;   /**< A cluster came or went, or changed while out of reach. */
    bool has_dropped;      /**< Some member is dropped or probing. */
    bool has_warned_views; /**< It was logged that there are too many. */
    bool is_grace_over;
    bool has_grace_start;
    size_t n_namespace_policies; /**< Policies that ask for namespaces. */
    uint64_t next_stale_ms;      /**< When the next member is due; UINT64_MAX: none. */
    uint64_t grace_start_ms;
    uint64_t conflicts_reported; /**< Fingerprint of the ranges two clusters claim, as last told. */
};

/** Finds or makes the unit of a service name; NULL when memory is out, which the catalog notes. */
struct pin_service_unit *pin_unit_service(
    struct pin_catalog *catalog, const char *namespace_name, const char *name);

/** The unit if it exists. */
struct pin_service_unit *pin_unit_find_service(
    const struct pin_catalog *catalog, const char *namespace_name, const char *name);

/** Finds or makes the unit of a Gateway; NULL as above. */
struct pin_gateway_unit *pin_unit_gateway(
    struct pin_catalog *catalog, uint16_t cluster_id, const char *namespace_name, const char *name);

/**
 * Makes room for one more in an array of pointers, which has as many places as the next power of
 * two from n on or more: so nobody keeps their number. The array, moved or not; NULL when memory is
 * out, and then it is as it was.
 */
void *pin_unit_grow(void *items, size_t n);

/** Attaches a new ReferenceGrant in place of `old` (may be NULL), and marks who asked for it. */
void pin_grants_attach(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old);

/** Detaches a ReferenceGrant that goes, and marks who asked for it. */
void pin_grants_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/**
 * Whether the route may refer to a backend: it is in the route's own namespace, or a ReferenceGrant
 * there permits it (Gateway API, GEP-709). The route depends on that from now on.
 */
bool pin_grants_permit(
    struct pin_catalog *catalog, struct pin_route_unit *route, const struct pin_backend_ref *ref);

/** Frees the unit when it has neither a grant nor a route that asks for one. */
void pin_grants_release(struct pin_catalog *catalog, struct pin_grants_unit *unit);

/** Frees all of them. */
void pin_grants_free_all(struct pin_catalog *catalog);

/** Makes a DNSEndpoint claim the names it has now. */
void pin_records_attach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/** Makes a DNSEndpoint that goes give up its names. */
void pin_records_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/** Frees all of them. */
void pin_records_free_all(struct pin_catalog *catalog);

/** Appends what is wrong with the DNSEndpoint's records of a name that it has, a line each. Uses
 * the scratch arena. */
void pin_records_faults(struct pin_catalog *catalog, struct pin_host_unit *host,
    const struct pin_route_unit *owner, struct pin_text *ret_faults);

/** Makes the zone one that a file will fill. */
enum pin_err pin_static_add(
    struct pin_catalog *catalog, struct pin_zone *zone, struct pin_why *why);

/** What the zone's file says of a name, glue and all; NULL: nothing. Builder. */
const struct pin_static_name *pin_static_raw(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name);

/** Has the zones that settings name keep editions. Once, when all zones were added. */
enum pin_err pin_serials_init(struct pin_catalog *catalog, struct pin_why *why);

/** Moves the serials of zones that changed, and makes their editions. Returns how many serials and
 * editions that were. Without memory they stay behind, and the catalog notes it. */
uint32_t pin_serials_settle(struct pin_catalog *catalog);

/** Compiles the zones whose file changed. */
void pin_static_publish(struct pin_catalog *catalog, struct pin_published *published);

/** What the file of a static zone says; NULL: the zone has none, or it was not read yet. */
const struct pin_zonefile *pin_static_file(
    const struct pin_catalog *catalog, const struct pin_zone *zone);

/** What the zone's file has at a name of its own, or NULL. Glue is not the zone's. */
const struct pin_static_name *pin_static_name_of(
    const struct pin_catalog *catalog, const struct pin_zone *zone, const struct pin_name *name);

/** Frees all of them. */
void pin_static_free_all(struct pin_catalog *catalog);

/** The member of a cluster, or NULL. */
struct pin_member *pin_unit_member(const struct pin_service_unit *unit, uint16_t cluster_id);

/** Marks a unit for compilation, and the routes that depend on it. */
void pin_unit_touch_service(struct pin_catalog *catalog, struct pin_service_unit *unit);

/** Marks the routes that depend on a subject. */
void pin_unit_touch_subject(struct pin_catalog *catalog, const struct pin_subject *subject);

/** Makes the route claim the hostnames it has now, and give up those it had; marks what changes. */
void pin_host_claim(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Makes the route give up all its hostnames. */
void pin_host_unclaim(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Marks a hostname for compilation. */
void pin_host_touch(struct pin_catalog *catalog, struct pin_host_unit *host);

/** Marks the route's hostnames: they are guarded as its assigned name is, and show the same at a
 * zone's apex. */
void pin_host_touch_all(struct pin_catalog *catalog, const struct pin_route_unit *route);

/** Whether the name is its zone's apex, where no alias may stand (RFC 1034, section 3.6.2). */
bool pin_host_is_flat(const struct pin_host_unit *host);

/** The route that has the name: the oldest, then by cluster, namespace, name, kind. NULL: none, or
 * the zone's file has it. */
struct pin_route_unit *pin_host_owner(const struct pin_host_unit *host);

/** Frees a hostname that nobody claims and whose names were taken back. */
void pin_host_release(struct pin_catalog *catalog, struct pin_host_unit *host);

/** Frees all of them. */
void pin_host_free_all(struct pin_catalog *catalog);

/** Marks a route for compilation. */
void pin_unit_touch_route(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Notes that the route's answer depends on the subject. Without memory the route misses_depend. */
void pin_unit_depend(struct pin_route_unit *route, struct pin_subject *subject);

/** Forgets what the route depends on, and frees units that nothing else keeps. */
void pin_unit_forget_depends(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Whether some cluster asks that endpoints in the asker's zone go first (trafficDistribution). */
bool pin_unit_prefers_zone(const struct pin_service_unit *unit);

/** Frees the service unit when nothing is left of it. */
void pin_unit_release_service(struct pin_catalog *catalog, struct pin_service_unit *unit);

/** Frees a route that is gone and whose names were taken back. */
void pin_unit_free_route(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Attaches a new object to the units it speaks of. `old` is the one it replaces, or NULL; the same
 * object when it is attached again. */
void pin_unit_attach(struct pin_catalog *catalog, uint16_t cluster_id,
    const struct pin_object *object, const struct pin_object *old);

/** Notes that memory was out when an object was to be attached: all are attached again before the
 * next publication. */
void pin_unit_note_unattached(struct pin_catalog *catalog, const struct pin_object *object);

/** Attaches again what found no memory. */
void pin_unit_settle(struct pin_catalog *catalog);

/** Detaches an object that goes. */
void pin_unit_detach(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object);

/** Marks the route of that kind and name, or the routes of the Gateway. */
void pin_unit_touch_target(struct pin_catalog *catalog, uint16_t cluster_id, const char *kind,
    const char *namespace_name, const char *name);

/** Frees all units (not their names in the index). */
void pin_unit_free_all(struct pin_catalog *catalog);
