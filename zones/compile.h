/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Compile: one dirty unit -> names, RRsets, tables in the index.
 *
 * Views that must agree are planned once: a *class* is either one cluster that takes part in the
 * unit, or all other askers of one network; with a zone or a place where that matters. Tables that
 * answer alike are the same table, across classes and across generations, so a unit whose answers
 * did not change replaces no node.
 */

#include "pintle/base/hash.h"

#include "zones/policy.h"
#include "zones/steer.h"
#include "zones/tables.h"

/** What one class of viewers is shown. */
struct pin_class {
    struct pin_viewer viewer;
    bool is_own; /**< Names the cluster's zone by the common name: so do RRs that hold names. */
    struct pin_plan plans[PIN_FAMILY_MAX];
    const struct pin_table *tables[PIN_FAMILY_MAX]; /**< Of the unit's main name; NULL = NODATA. */
};

/** A table that a run holds a reference on. */
struct pin_held {
    const struct pin_table *table;
    uint32_t next; /**< Of the same hash: position + 1, 0 = none. */
};

/** Who has the ports behind a share. */
struct pin_port_key {
    const struct pin_object *slice; /**< NULL: of an address that is no endpoint. */
    const struct pin_contribution *contribution;
};

/** What they have for a port of the name. */
struct pin_known_port {
    struct pin_port_key key;
    const struct pin_port *port;
    struct pin_own_port own;
};

/** One compile run. Arena memory, but for tables, which it holds references on. */
struct pin_compile {
    struct pin_catalog *catalog;
    struct pin_steer steer;
    struct pin_zone *zone;           /**< Where names are put right now. */
    const struct pin_policy *policy; /**< Of all names that are put; NULL: none. */
    struct pin_class *classes;
    size_t n_classes;
    uint16_t *class_of_view; /**< By position among the views that count: n_views entries. */
    size_t n_views;          /**< The catalog's; in cluster zones 2: any view and PIN_VIEW_OWN. */
    bool is_cluster_zone;
    bool has_dashed; /**< The cluster's service has endpoints that no node stands for. */
    const struct pin_service_unit **zonal; /**< Those of the data that prefer the asker's zone. */
    size_t n_zonal;
    uint32_t ttl_s;
    enum pin_answers_mode answers;
    struct pin_check_want checks;
    struct pin_holding holding;           /**< Slots of what is probed; of services and routes. */
    const struct pin_route_unit *counted; /**< Whose answers are counted; NULL: nobody's. */
    bool is_sticky;                       /**< sessionAffinity: ClientIP. */
    bool is_whole;                        /**< Headless: every address belongs into the answer. */
    struct pin_held *held;                /**< References to drop at the end. */
    size_t n_held;
    size_t cap_held;
    struct pin_map ports;            /**< What pin_compile_own_port() remembers. */
    struct pin_known_port last_port; /**< What it was asked for last. */
    uint32_t *alike;                 /**< By hash of the wire: position in `held` + 1, 0 = none. */
    struct pin_names *before;        /**< The unit's: what it has put up to now. */
    struct pin_names_draft names;    /**< That, then the names put so far. */
    uint32_t n_names;                /**< Names that changed. */
    bool failed;                     /**< Memory was out: what is published stays as it is. */
};

/**
 * Compiles a service unit; returns how many names changed. The unit is dirty afterwards when memory
 * was out: some of its names may show what they showed before, and it is to be tried again.
 */
uint32_t pin_compile_service(struct pin_catalog *catalog, struct pin_service_unit *unit);

/**
 * What is to be counted of a plan's table: the parts of its first `n` shares, by backend and
 * cluster. Arena memory; NULL: nothing is counted, or memory was out.
 */
const struct pin_tally_want *pin_compile_tally(
    struct pin_compile *run, const struct pin_plan *plan, size_t n);

/** Compiles a route unit, or takes its names back when it is gone; as above. */
uint32_t pin_compile_route(struct pin_catalog *catalog, struct pin_route_unit *route);

/** Compiles a hostname of routes; as above. */
uint32_t pin_compile_host(struct pin_catalog *catalog, struct pin_host_unit *host);

/** Puts what a DNSEndpoint says of a hostname that it has. */
void pin_compile_records(
    struct pin_compile *run, struct pin_host_unit *host, const struct pin_route_unit *owner);

/* For the files that share the work. */

/** RRs of one owner and type that do not depend on who asks. */
struct pin_plain_set {
    const uint8_t *wire; /**< n_rr RRs with PIN_OWNER_POINTER as owner. */
    uint32_t wire_bytes;
    uint16_t n_rr;
    uint16_t type;
    const uint16_t *clusters;
    uint16_t n_clusters;
    const struct pin_extra *extras;
    uint16_t n_extras;
};

/** Their table: all of them, of addresses another one first each time. NULL when memory is out. */
const struct pin_table *pin_compile_plain(
    struct pin_compile *run, const struct pin_name *owner, const struct pin_plain_set *set);

/** Begins a run that puts names into `zone`. The scratch arena is its own from now on. */
struct pin_compile pin_compile_begin(
    struct pin_catalog *catalog, struct pin_zone *zone, struct pin_names *names);

/**
 * Takes back the names that the run did not want any more, makes the unit's those that it has now,
 * and drops the run's references. False when memory was out and the unit is to be compiled again.
 */
bool pin_compile_finish(struct pin_compile *run);

/** A CNAME table; `clusters` (ascending) are those whose data it is. NULL when memory is out. */
const struct pin_table *pin_compile_alias(struct pin_compile *run, const struct pin_name *name,
    const struct pin_name *target, const uint16_t *clusters, uint16_t n_clusters);

/** Shares a table that answers as `spec` says: an old one of the node, one of this run, or a new
 * one. */
const struct pin_table *pin_compile_table(
    struct pin_compile *run, const struct pin_table_spec *spec, const struct pin_rrset *old);

/** A FIXED table of these bytes that many names have alike: the one that the name has already, else
 * one for all of them, while it is remembered. `old` is what the index shows right now. */
const struct pin_table *pin_compile_shared(
    struct pin_compile *run, const uint8_t *wire, size_t wire_bytes, const struct pin_rrset *old);

/** The RRset in the index right now, or NULL. */
const struct pin_rrset *pin_compile_old(
    const struct pin_compile *run, const struct pin_name *name, uint16_t type);

/**
 * Makes an RRset from one table per class. `tables` has n_classes entries. False when no class
 * shows anything.
 */
bool pin_compile_rrset(struct pin_compile *run, uint16_t type,
    const struct pin_table *const *tables, struct pin_rrset *ret_rrset);

/**
 * Puts a new name with its addresses, before names below it make it an empty non-terminal that
 * denies them for a moment; the caller puts it whole afterwards. Does nothing for names that are
 * there.
 */
void pin_compile_put_first(struct pin_compile *run, const struct pin_name *name,
    const struct pin_rrset *rrsets, size_t n_rrsets);

/** Puts a name unless the index shows exactly this already. */
void pin_compile_put(struct pin_compile *run, const struct pin_name *name,
    const struct pin_rrset *rrsets, size_t n_rrsets);

/** An A or AAAA table of plain addresses, all shown; NULL when there are none. */
const struct pin_table *pin_compile_addresses(struct pin_compile *run, const struct pin_name *name,
    enum pin_family_i family_i, const struct pin_ip *ips, size_t n_ips, uint16_t cluster_id);

/** Puts the names that a unit has in the zones of its clusters (Kubernetes DNS
 * specification 1.1.0). */
void pin_compile_cluster_zones(struct pin_compile *run, const struct pin_facts *facts);

/** Writes the parts of a service's name (pintle/zones/parts.h); returns how many RRsets, 0 or 1. */
size_t pin_compile_parts(struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_name *name, struct pin_rrset *ret_rrset);

/** Gives the unit's addresses their names in the reverse table, and takes back those that went. */
void pin_compile_reverse(
    struct pin_compile *run, const struct pin_facts *facts, struct pin_service_unit *unit);

/** Address RRsets of the unit's main name from the plans of all classes; returns how many (0 to 2).
 */
size_t pin_compile_address_rrsets(
    struct pin_compile *run, const struct pin_name *name, struct pin_rrset *rrsets);

/** Takes ttl and answers annotations of an object, which may be NULL. */
void pin_compile_take_annotations(struct pin_compile *run, const struct pin_object *object);

/** Adds an id to an ascending list of `n`, unless it is there; returns the new `n`. */
uint16_t pin_compile_add_cluster(uint16_t *clusters, uint16_t n, uint16_t cluster_id);

/**
 * pin_share_own_port() for those who go through all shares port by port: where there are many ports
 * to look through, what a slice of a contribution has for the last one is remembered.
 */
struct pin_own_port pin_compile_own_port(
    struct pin_compile *run, const struct pin_share *share, const struct pin_port *port);

/** Adds SRV at the bare name (into `ret_bare`, if any) and at _port._proto names. */
bool pin_compile_srv(struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_name *name, struct pin_rrset *ret_bare);

/**
 * SVCB and HTTPS of a route (into `ret_rrsets`, 0 to 2) and at _port._https names below it.
 * @param ports  Its `ports` are what the route's name may show.
 */
size_t pin_compile_svcb(struct pin_compile *run, const struct pin_route_unit *route,
    const struct pin_plan *ports, struct pin_rrset *ret_rrsets);

/** A target of SRV records: a name with addresses per class. */
struct pin_target {
    struct pin_name name;
    bool is_dashed;           /**< Its first label is the one address that it has. */
    const char *source;       /**< Of its name; "" in a cluster's own zone. */
    const struct pin_ip *ips; /**< What the name shows to all askers; n_ips 0: not the same. */
    size_t n_ips;
    const struct pin_contribution *contribution;
    const struct pin_ready *ready; /**< An endpoint behind it, for its ports. */
    const struct pin_table *const *tables[PIN_FAMILY_MAX]; /**< By class. */
};

/** Puts the names of a headless service's endpoints; gives them as SRV targets. */
size_t pin_compile_pods(struct pin_compile *run, const struct pin_facts *facts,
    const struct pin_name *name, struct pin_target **ret_targets);

/** Whether some class is shown an address of the contribution. */
static inline bool pin_class_shows(const struct pin_class *class, const struct pin_contribution *c)
{
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (size_t i = 0; i < class->plans[f].n_shown; i++) {
            if (class->plans[f].shown[i] == c) {
                return true;
            }
        }
    }
    return false;
}

/** Type code of a family's addresses. */
static inline uint16_t pin_family_type(enum pin_family_i family_i)
{
    return family_i == PIN_FAMILY_V4 ? PIN_TYPE_A : PIN_TYPE_AAAA;
}
