/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Steer: for one viewer, which addresses a name shows, with which weights, and why.
 *
 * The result is a *plan*: what compile.c turns into wire tables and what explain prints, so that
 * both always agree. Pure: reads units and settings, allocates from the arena it is given, changes
 * nothing but the dependencies of the route it steers.
 */

#include "zones/merge.h"
#include "zones/slots.h"
#include "zones/weight.h"

/** Whose answers are planned. */
struct pin_viewer {
    uint16_t cluster_id; /**< PIN_CLUSTER_NONE for an asker in no cluster. */
    uint16_t network;    /**< Position in pin_settings.networks. */
    const char *zone;    /**< The asker's, or NULL; a borrowed text. */
    const char *prefers; /**< A stranger's preferred clusters, "c2,c1", or NULL; borrowed. */
};

/** What kind of address it is. */
enum pin_via {
    PIN_VIA_ENDPOINT,
    PIN_VIA_CLUSTER_IP,
    PIN_VIA_IMPORT_IP,
    PIN_VIA_BALANCER,
    PIN_VIA_GATEWAY,
};

/** One address of an answer. */
struct pin_share {
    struct pin_ip ip;
    enum pin_via via;
    uint32_t group_i;
    uint64_t weight; /**< Filled when the plan is finished; 1 or more. */
    uint16_t cluster_id;
    const struct pin_contribution
        *contribution; /**< NULL for import IPs and an L7 route's gateways. Of several that share an
                          address the first. */
    const struct pin_ready *ready; /**< PIN_VIA_ENDPOINT only. */
    uint32_t slot;                 /**< Of its health, or PIN_SLOT_NONE. */
    uint32_t place;                /**< steer_address.c's. */
};

/** One address as part of one group, before those that stand twice are folded. */
struct pin_plan_item {
    struct pin_ip ip;
    uint32_t group_i;
    uint32_t slot; /**< Or PIN_SLOT_NONE. */
    uint32_t rr_i; /**< Position in `shares`. */
    bool is_again; /**< An item before it has the same address. */
};

/** What is wrong with a line of an explanation, for findings; beside it stands why in words. */
enum pin_fault {
    PIN_FAULT_NONE,
    PIN_FAULT_NO_SERVICE,
    PIN_FAULT_EXTERNAL_NAME, /**< The Service is an alias: it has no address. */
    PIN_FAULT_NO_IMPORT,
    PIN_FAULT_NO_EXPORT, /**< No cluster exports it. */
    PIN_FAULT_NOT_PERMITTED,
    PIN_FAULT_OTHER_KIND,  /**< This kind of backend has no address. */
    PIN_FAULT_NOT_READY,   /**< No endpoint is ready. */
    PIN_FAULT_UNREACHABLE, /**< Ready, but in another network without a way in. */
    PIN_FAULT_NO_GATEWAY,
};

/** One line of the explanation: a backend's part in one cluster. */
struct pin_backend_row {
    const char *kind;
    const char *namespace_name;
    const char *name;
    uint32_t backend_i;  /**< Which of the rule's backendRefs; 0 at all that has no such. */
    uint16_t cluster_id; /**< PIN_CLUSTER_NONE when it is in none. */
    uint32_t weight;     /**< Of the backendRef; PIN_WEIGHT_UNSET at service names. */
    uint32_t cluster_weight;
    enum pin_affinity affinity;
    const char *affinity_list; /**< For PIN_AFFINITY_LIST. */
    uint32_t n_ready;
    uint32_t n_total;
    bool is_used;
    enum pin_fault fault;
    const char *reason;
};

/** Answer plan for one viewer and family. */
struct pin_plan {
    enum pin_family_i family_i;
    struct pin_share *shares; /**< Finished: by backend, cluster, address; each address once. */
    size_t n_shares;
    struct pin_weight_group *groups;
    size_t n_groups;
    const struct pin_contribution **shown; /**< Who stands behind the shares, each once. */
    size_t n_shown;
    struct pin_backend_row *rows;
    size_t n_rows;
    const struct pin_port **ports; /**< Routes only: what SRV may show, each once. */
    size_t n_ports;
    struct pin_plan_item *items; /**< By group and address; only when something is checked. */
    size_t n_items;
    uint32_t *backends; /**< Their weights, by backend_i; only when something is checked. */
    size_t n_backends;
    uint32_t window_s; /**< How long one outage takes to be seen at every address. */
    bool has_checks;   /**< Some address is checked. */
    uint64_t
        nodata_weight; /**< Beside the shares' weights: so much of the questions gets NODATA. */
    const char *rule;  /**< Which rule made it, for people. */
    bool has_port_mismatch;
    bool is_l7;     /**< No rule without matches: the Gateways' addresses. */
    bool has_ready; /**< Some backend with a weight has a ready endpoint, of whatever family. */
    bool is_out_of_memory;

    size_t cap_shares; /**< The rest is steer.c's. */
    size_t cap_groups;
    size_t cap_shown;
    size_t cap_rows;
    size_t cap_ports;
};

/** What steering reads. */
struct pin_steer {
    struct pin_catalog *catalog;
    const struct pin_settings *settings;
    struct pin_arena *arena;
    struct pin_holding *holding;   /**< Takes slots for addresses to check; NULL: only looks. */
    const struct pin_check *check; /**< A route's own, which goes over its backends'; or NULL. */
};

/** What a name asks for beside its plan, as far as verdicts matter. */
struct pin_check_want {
    enum pin_all_down all_down;
    uint8_t
        up_percent;   /**< Below this share of addresses that are up, all count as down; 0: off. */
    uint16_t n_limit; /**< Most RRs of an answer. */
};

/** The viewer behind a view id. */
struct pin_viewer pin_viewer_of(const struct pin_catalog *catalog, uint16_t view_id);

/** Plans a service's name in the clusterset zone. */
struct pin_plan pin_steer_service(const struct pin_steer *steer, const struct pin_facts *facts,
    struct pin_viewer viewer, enum pin_family_i family_i);

/** Plans a Service's name in its own cluster's zone: the same for everybody. */
struct pin_plan pin_steer_cluster_zone(
    const struct pin_steer *steer, const struct pin_contribution *c, enum pin_family_i family_i);

/**
 * Plans a route's assigned name. Notes in the route what its answer depends on.
 * Cost: the endpoints of its backends.
 */
struct pin_plan pin_steer_route(const struct pin_steer *steer, struct pin_route_unit *route,
    struct pin_viewer viewer, enum pin_family_i family_i);

/** The rule of a route that decides its answer: the first without L7 match; NULL when each needs
 * L7. */
const struct pin_route_rule *pin_route_rule(const struct pin_object *route);

/** What stands behind a share for a port of the name. */
struct pin_own_port {
    const struct pin_port *port; /**< Of a route's backend: the Service's own, or NULL; else the
                                      name's. It tells what is spoken there. */
    uint16_t number;             /**< Where it listens; 0: it has none. Host byte order. */
};

/** The port behind a share for a port of the name. Cost: the ports of the Service and slice. */
struct pin_own_port pin_share_own_port(const struct pin_share *share, const struct pin_port *port);

/** Its number alone. */
uint16_t pin_share_port(const struct pin_share *share, const struct pin_port *port);

/**
 * Makes freshly merged facts those of a route's backend: only these ports of each Service count.
 * With `is_strict` a Service that has none of them shows no port, else it shows all.
 */
void pin_steer_narrow(
    const struct pin_facts *facts, const uint16_t *ports, size_t n_ports, bool is_strict);

/** The port of the contribution's Service that stands for a port of a route's name, or NULL. */
const struct pin_port *pin_steer_backend_port(
    const struct pin_contribution *c, const struct pin_port *port);

/**
 * Adds a port to the plan's unless it has it: by name and protocol, or unnamed by number too. A
 * plan has the first PIN_PORTS_MAX by name.
 */
void pin_steer_add_port(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_port *port);

/** Adds the ports that a backend's contribution has. */
void pin_steer_add_backend_ports(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c);

/** Adds an import's ports; only `port` if the import has it (0: all). */
void pin_steer_add_import_ports(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_import_body *import, uint16_t port);

/** Adds the ports of a Gateway's listeners, or of the one with that name (NULL: all). */
void pin_steer_add_listeners(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_gateway_body *gateway, const char *section);

/** Whether the plan leads to that port of the contribution's Service. */
bool pin_steer_reaches(const struct pin_contribution *c, const struct pin_port *port);

/** "endpoint", "clusterIP", "importIP", "loadBalancer", "gateway". */
const char *pin_via_text(enum pin_via via);

/** Whether the viewer may see the contribution at all: it is exported, or global and shared. */
bool pin_steer_is_visible(
    const struct pin_facts *facts, const struct pin_contribution *c, struct pin_viewer viewer);

/** How a headless endpoint shows to a viewer: its own address when near, else that network's
 * gateways. */
bool pin_steer_is_near(
    const struct pin_steer *steer, const struct pin_contribution *c, struct pin_viewer viewer);
