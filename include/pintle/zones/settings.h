/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Settings: what the configuration says about clusters, networks, zones and steering.
 *
 * resolver/config.c fills one and keeps it alive, unchanged, as long as the catalog built on it.
 * Names of zones are presentation format without the trailing dot, lower case.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/zones/object.h"
#include "pintle/zones/write.h"

/** Most clusters in one daemon. */
#define PIN_CLUSTERS_MAX 1000u
/** "No cluster": an asker that belongs to none. */
#define PIN_CLUSTER_NONE UINT16_MAX

/** How a gateway is given. */
enum pin_gateway_kind {
    PIN_GATEWAY_IP,
    PIN_GATEWAY_HOST,    /**< By a name that others resolve. */
    PIN_GATEWAY_OBJECT,  /**< By the status of a Gateway. */
    PIN_GATEWAY_SERVICE, /**< By the load-balancer status of a Service. */
};

/** One east-west gateway of a network, as the configuration names it. */
struct pin_gateway {
    enum pin_gateway_kind kind;
    struct pin_ip ip;           /**< IP */
    const char *host;           /**< HOST: lower case, no trailing dot. */
    const char *cluster;        /**< OBJECT, SERVICE: where the object is. */
    const char *namespace_name; /**< OBJECT, SERVICE */
    const char *name;           /**< OBJECT, SERVICE */
};

/** One network (design: "A cluster is a name, a network and a source"). */
struct pin_network {
    const char *name;
    const struct pin_gateway *gateways; /**< East-west gateways, as written. */
    size_t n_gateways;
    bool cluster_ips_routable; /**< clusterIPs: routable */
    bool is_unprobed;          /**< Probes do not reach its endpoints. */
};

/** Askers in no known cluster who prefer some clusters (design, section 4: `geo`). */
struct pin_geo_rule {
    const struct pin_prefix *nets;
    size_t n_nets;
    const char *const *countries; /**< ISO 3166-1 codes, upper case; by the geo database. */
    size_t n_countries;
    const char *const *continents; /**< Two letters, upper case; by the geo database. */
    size_t n_continents;
    const char *clusters; /**< "c2,c1": the first with a ready endpoint counts alone. */
};

/** One cluster, as the catalog sees it; its position in the list is its id. */
struct pin_cluster_settings {
    const char *name; /**< RFC 1123 label. */
    uint16_t network; /**< Position in pin_settings.networks. */
    const struct pin_prefix *clients;
    size_t n_clients;
    const char *const *client_zones; /**< By range: its zone, or NULL; NULL when none has one. */
    const char *zone;                /**< Of askers whose zone nothing else tells, or NULL. */
    uint32_t weight;                 /**< That cluster's whole contribution, or PIN_WEIGHT_UNSET. */
    enum pin_address_mode address;   /**< Or PIN_ADDRESS_UNSET. */
    enum pin_stale stale;            /**< Or PIN_STALE_UNSET. */
    uint64_t stale_after_ms;         /**< 0: as pin_settings says. */
};

struct pin_claim_record;

/** One entry of `records`: names that go into other people's DNS servers, and of whom. */
struct pin_record_want {
    const char *name;
    const char *const *zones; /**< Apexes, as zones/recordset.h writes names. */
    size_t n_zones;
    uint32_t kinds;   /**< One bit, 1 << enum pin_kind, for each whose objects count. */
    bool to_assigned; /**< zones.assigned is delegated to us: routes' names become aliases. */
    const struct pin_claim_record *entries; /**< What the configuration itself wants. */
    size_t n_entries;
};

/** All kinds of objects that names outside can come from. */
#define PIN_RECORD_KINDS                                                                           \
    (1u << PIN_KIND_SERVICE | 1u << PIN_KIND_INGRESS | 1u << PIN_KIND_GATEWAY                      \
        | 1u << PIN_KIND_HTTP_ROUTE | 1u << PIN_KIND_GRPC_ROUTE | 1u << PIN_KIND_TCP_ROUTE         \
        | 1u << PIN_KIND_TLS_ROUTE | 1u << PIN_KIND_DNS_ENDPOINT)

/** All of it. */
struct pin_settings {
    const char *cluster_set;            /**< Part of every assigned name; "default" when not set. */
    const struct pin_network *networks; /**< [0] is "default". */
    size_t n_networks;
    const struct pin_cluster_settings *clusters;
    size_t n_clusters;
    const struct pin_prefix *forwarders; /**< trustedForwarders */
    size_t n_forwarders;
    const struct pin_geo_rule *geo_rules; /**< geo.map */
    size_t n_geo_rules;
    uint16_t default_cluster; /**< Whose view unknown askers get, or PIN_CLUSTER_NONE. */

    const char *zone_cluster_set;    /**< "clusterset.local" */
    const char *zone_assigned;       /**< "pintle.internal" */
    const char *zone_cluster;        /**< "cluster.local" */
    const char *const *zones_custom; /**< Whose names routes may have as hostnames. */
    size_t n_zones_custom;
    const char *const *zones_static; /**< Zones that come from files. */
    size_t n_zones_static;
    const char *const *zones_shipped; /**< Of custom and static ones: those that are transferred. */
    size_t n_zones_shipped;
    const char *const *ns; /**< Names of our name servers; none: ns1 below each zone. */
    size_t n_ns;
    /** Theirs, shown where their names lie in zones of ours: one each where there are as many of a
     * family as names, else all. */
    const struct pin_ip *ns_addresses;
    size_t n_ns_addresses;
    const char *hostmaster; /**< As a name; NULL: hostmaster below each zone. */

    const char *version_cluster_set; /**< What its dns-version says; NULL: "1.0.0". */
    const char *version_cluster;     /**< The same of cluster zones; NULL: "1.1.0". */

    uint32_t ttl_s;          /**< Of steered answers; 5. */
    uint32_t negative_ttl_s; /**< SOA MINIMUM, at most 5. */
    uint32_t max_answers;    /**< Of subset and all, 1 to 64; 16. */
    uint32_t max_objects;    /**< Of one kind in one cluster; 0: no limit. */
    enum pin_answers_mode answers;
    enum pin_address_mode address;
    enum pin_stale stale;           /**< UNSET is keep. */
    uint64_t stale_after_ms;        /**< How long a cluster must be out of reach for drop. */
    enum pin_all_down all_down;     /**< UNSET is all. */
    uint32_t up_percent;            /**< Fewer addresses up, and all count as down; 0: off. */
    bool is_empty_backend_nodata;   /**< emptyBackend: nodata, else renormalise */
    bool is_zero_weight_standby;    /**< compat.zeroWeight: standby, else never */
    bool is_empty_service_nxdomain; /**< compat.emptyService: nxdomain, else keep */
    bool is_headless_empty_nodata;  /**< compat.headlessEmpty: nodata, else nxdomain */
    bool is_lighthouse;             /**< compat.lighthouse */
    bool is_extensions_off;         /**< compat.extensions: false */
    bool filters_families;          /**< compat.filterFamilies */
    bool is_ptr_off;                /**< compat.ptr: false, no PTR for addresses of imports */

    bool policy_audits;                   /**< policy.mode: audit, all policies only count. */
    enum pin_policy_denied policy_denied; /**< policy.denied, where a policy does not say it. */

    struct pin_write_switches writes; /**< writeBack */

    const struct pin_record_want *records; /**< records */
    size_t n_records;

    uint32_t ready_min_clusters; /**< ready.minClusters */
    uint64_t ready_grace_ms;     /**< ready.grace */
};

/** The id of the cluster with that name, or PIN_CLUSTER_NONE. Linear. */
uint16_t pin_settings_cluster(const struct pin_settings *settings, const char *name);

/** Whether some entry of `records` looks at objects of that kind. */
bool pin_settings_records(const struct pin_settings *settings, enum pin_kind kind);
