/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Kubernetes objects as the catalog keeps them: only the fields that can change an answer.
 *
 * sync/decode.c fills them, the catalog owns them. An object is one struct pin_object and the
 * memory that pin_object_alloc() hung on it; all pointers inside lead into that memory, so
 * pin_object_free() frees the whole. Absent strings are NULL, absent lists have length 0.
 * Objects are written by one thread, handed over once, and read-only from then on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/macros.h"
#include "pintle/zones/check.h"

struct pin_claim_annotation;
struct pin_recordset_property;

/** The kinds Pintle reads. One row of sync/decode.c's table per kind and served version. */
enum PIN_ONE_BYTE pin_kind {
    PIN_KIND_SERVICE,
    PIN_KIND_ENDPOINT_SLICE,
    PIN_KIND_NAMESPACE,
    PIN_KIND_NODE,
    PIN_KIND_GATEWAY,
    PIN_KIND_HTTP_ROUTE, /**< The first of the routes: pin_kind_is_route(). */
    PIN_KIND_GRPC_ROUTE,
    PIN_KIND_TCP_ROUTE,
    PIN_KIND_TLS_ROUTE, /**< The last of them. */
    PIN_KIND_REFERENCE_GRANT,
    PIN_KIND_SERVICE_EXPORT,      /**< multicluster.x-k8s.io (KEP-1645). */
    PIN_KIND_SERVICE_IMPORT,      /**< multicluster.x-k8s.io (KEP-1645). */
    PIN_KIND_AWS_SERVICE_EXPORT,  /**< application-networking.k8s.aws; feeds routes only. */
    PIN_KIND_AWS_SERVICE_IMPORT,  /**< application-networking.k8s.aws; feeds routes only. */
    PIN_KIND_IAM_AUTH_POLICY,     /**< application-networking.k8s.aws */
    PIN_KIND_RESOLVE_POLICY,      /**< pintle.dev */
    PIN_KIND_DNS_ENDPOINT,        /**< externaldns.k8s.io: records below custom zones. */
    PIN_KIND_TARGET_GROUP_POLICY, /**< application-networking.k8s.aws; its health check only. */
    PIN_KIND_POD,                 /**< Only while a policy asks for namespaces. */
    PIN_KIND_SERVICE_CIDR,        /**< networking.k8s.io */
    PIN_KIND_GATEWAY_CLASS,       /**< Only while conditions are written or taken away. */
    PIN_KIND_INGRESS,             /**< networking.k8s.io; only while records are written outside. */
    PIN_KIND_MAX,
};

/** Transport protocol of a port. */
enum PIN_ONE_BYTE pin_protocol {
    PIN_PROTOCOL_TCP,
    PIN_PROTOCOL_UDP,
    PIN_PROTOCOL_SCTP,
};

/** Which address an answer shows (design: "Which address an answer shows"). */
enum PIN_ONE_BYTE pin_address_mode {
    PIN_ADDRESS_UNSET,
    PIN_ADDRESS_AUTO,
    PIN_ADDRESS_ENDPOINTS,
    PIN_ADDRESS_CLUSTER_IP,
    PIN_ADDRESS_LOAD_BALANCER,
    PIN_ADDRESS_GATEWAY,
};

/** How many addresses an answer shows. */
enum PIN_ONE_BYTE pin_answers_mode {
    PIN_ANSWERS_UNSET,
    PIN_ANSWERS_SUBSET,
    PIN_ANSWERS_SINGLE,
    PIN_ANSWERS_ALL,
    PIN_ANSWERS_GROUP, /**< One of each cluster. */
};

/** Which clusters an asker prefers, seen from its own. */
enum PIN_ONE_BYTE pin_affinity {
    PIN_AFFINITY_UNSET,
    PIN_AFFINITY_NONE,
    PIN_AFFINITY_LOCAL,
    PIN_AFFINITY_REMOTE,
    PIN_AFFINITY_LIST, /**< The clusters of pin_steering.affinity_list, in that order. */
};

/** No threshold was given: one ready endpoint is enough. */
#define PIN_THRESHOLD_UNSET UINT32_MAX

/** What happens with data of a cluster that is out of reach. */
enum PIN_ONE_BYTE pin_stale {
    PIN_STALE_UNSET,
    PIN_STALE_KEEP,
    PIN_STALE_DROP,  /**< Contributes nothing once it was out of reach for so long. */
    PIN_STALE_PROBE, /**< Contributes from then on what answers probes. */
};

/** What is answered when every address of a name that is probed is down. */
enum PIN_ONE_BYTE pin_all_down {
    PIN_ALL_DOWN_UNSET,
    PIN_ALL_DOWN_ALL,       /**< All of them, as if nothing was known. */
    PIN_ALL_DOWN_NONE,      /**< NODATA. */
    PIN_ALL_DOWN_LAST_GOOD, /**< Those that went down last: within one outage's time. */
};

/** No weight was given. */
#define PIN_WEIGHT_UNSET UINT32_MAX
/** Largest weight accepted anywhere (Gateway API's bound). */
#define PIN_WEIGHT_MAX 1000000u
/** No TTL was given. */
#define PIN_TTL_UNSET UINT32_MAX

/** What annotations say about steering; every field has an "unset" value. */
struct pin_steering {
    const char *affinity_list;     /**< "c2,c3" for PIN_AFFINITY_LIST, else NULL. */
    const struct pin_check *check; /**< pintle.dev/health-check, or NULL */
    uint64_t stale_after_ms;       /**< pintle.dev/stale-after; 0: not given */
    uint32_t threshold;            /**< pintle.dev/affinity-threshold, or PIN_THRESHOLD_UNSET */
    uint32_t ttl_s;                /**< pintle.dev/ttl, 0 to 3600, or PIN_TTL_UNSET */
    uint32_t weight;               /**< pintle.dev/weight: that cluster's whole contribution */
    enum pin_address_mode address; /**< pintle.dev/address */
    enum pin_answers_mode answers; /**< pintle.dev/answers */
    enum pin_affinity affinity;    /**< pintle.dev/affinity, else service.cilium.io/affinity */
    enum pin_stale stale;          /**< pintle.dev/stale */
    enum pin_all_down all_down;    /**< pintle.dev/all-down */
    uint8_t up_percent;            /**< pintle.dev/up-threshold, 1 to 100; 0: not given */
    bool is_threshold_share;       /**< It is a percentage of the endpoints, not a count. */
    bool is_global;                /**< service.cilium.io/global: "true" */
    bool is_unshared;              /**< service.cilium.io/shared: "false" */
};

/** Ports of one object that count, and of one name; Kubernetes sets no limit but its object's size.
 */
#define PIN_PORTS_MAX 1000u

/** A port of a Service, import or slice. */
struct pin_port {
    const char *name; /**< NULL when unnamed. */
    const char *app_protocol;
    const char *target_name; /**< targetPort when it is a name, else NULL. */
    uint16_t port;           /**< Host byte order. */
    uint16_t target_port;    /**< Services only; equals port when absent, 0 when it is a name. */
    enum pin_protocol protocol;
};

/** Body of a Service. */
struct pin_service_body {
    const struct pin_ip *cluster_ips; /**< Empty for headless and ExternalName. */
    size_t n_cluster_ips;
    const struct pin_ip *balancer_ips; /**< status.loadBalancer.ingress[].ip */
    size_t n_balancer_ips;
    const char *const *balancer_hosts; /**< status.loadBalancer.ingress[].hostname */
    size_t n_balancer_hosts;
    const struct pin_port *ports;
    size_t n_ports;
    const char *external_name; /**< Only for type ExternalName. */
    bool is_headless;          /**< clusterIP: None */
    bool publish_not_ready;    /**< publishNotReadyAddresses */
    bool client_ip_affinity;   /**< sessionAffinity: ClientIP */
    bool prefers_zone; /**< trafficDistribution: PreferClose, PreferSameZone, PreferSameNode */
};

#define PIN_ENDPOINT_READY       0x01u /**< conditions.ready, absent = true */
#define PIN_ENDPOINT_SERVING     0x02u /**< conditions.serving, absent = ready */
#define PIN_ENDPOINT_TERMINATING 0x04u /**< conditions.terminating */

/** Most bytes of a Pod's name, with its NUL. */
#define PIN_POD_NAME_MAX 254

/**
 * Body of an EndpointSlice: one row per address, in columns, because there may be a million rows
 * and few of them say everything. zones/slice.h reads a row. A column that no row fills is NULL.
 */
struct pin_slice_body {
    const char *service; /**< Label kubernetes.io/service-name. */
    const char
        *import_service; /**< Label multicluster.kubernetes.io/service-name: an imported slice. */
    const char *source_cluster; /**< Label multicluster.kubernetes.io/source-cluster. */
    const struct pin_port *ports;
    size_t n_ports;
    size_t n_endpoints;           /**< Rows. */
    const uint8_t *ips;           /**< 4 or 16 bytes a row, network byte order. */
    size_t ip_bytes;              /**< Of all rows. */
    const uint8_t *flags;         /**< PIN_ENDPOINT_* of each row. */
    const char *const *hostnames; /**< NULL where the object names none. */
    const char *const *hints;     /**< hints.forZones as "a,b"; NULL where there are none. */
    const char *const *zones;     /**< Not a column: the zones that rows have, each once. */
    const uint16_t *zone_of;      /**< 1 + position in zones; 0: none. */
    const char *pod_prefix;       /**< What the names of all its Pods begin with. */
    const char *pod_texts;        /**< What they go on with, each ended by NUL. */
    size_t pod_bytes;             /**< Of pod_texts. */
    const uint32_t *pod_of;       /**< Offset in pod_texts of targetRef.name when its kind is Pod;
                                     PIN_SLICE_POD_NONE: none. */
    size_t n_zones;               /**< 65535 at most. */
    uint8_t family;               /**< 4 or 6 (addressType); FQDN slices are not decoded. */
};

/** A row of a slice that no Pod stands behind. */
#define PIN_SLICE_POD_NONE UINT32_MAX

/** Body of a Node. */
struct pin_node_body {
    const struct pin_prefix *pod_ranges; /**< spec.podCIDRs */
    size_t n_pod_ranges;
    const struct pin_ip *addresses; /**< status.addresses of type InternalIP */
    size_t n_addresses;
    const char *zone;   /**< Label topology.kubernetes.io/zone */
    const char *region; /**< Label topology.kubernetes.io/region */
};

/** Body of a ServiceCIDR. */
struct pin_service_cidr_body {
    const struct pin_prefix *ranges; /**< spec.cidrs */
    size_t n_ranges;
};

/** Body of a Namespace. */
struct pin_namespace_body {
    const char *const *labels; /**< "key=value" */
    size_t n_labels;
};

/** How a label is compared. */
enum PIN_ONE_BYTE pin_label_op {
    PIN_LABEL_IN,
    PIN_LABEL_NOT_IN,
    PIN_LABEL_EXISTS,
    PIN_LABEL_NOT_EXISTS,
    PIN_LABEL_NEVER, /**< A word that we do not know. */
};

/** One condition of a label selector; all of them have to be met. */
struct pin_label_rule {
    const char *key;
    const char *const *values;
    size_t n_values;
    enum pin_label_op op;
};

/** Whose routes a listener takes. */
enum PIN_ONE_BYTE pin_routes_from {
    PIN_ROUTES_SAME, /**< Those of the Gateway's namespace. */
    PIN_ROUTES_ALL,
    PIN_ROUTES_SELECTOR,
    PIN_ROUTES_NONE,
};

/** One listener of a Gateway. */
struct pin_listener {
    const char *name;
    const char *hostname;
    const char *protocol;     /**< HTTP, HTTPS, TLS, TCP, UDP as written. */
    const char *const *kinds; /**< allowedRoutes.kinds; those of other groups as "group/Kind". */
    size_t n_kinds;           /**< 0: those of the protocol. */
    const struct pin_label_rule *selector; /**< PIN_ROUTES_SELECTOR. */
    size_t n_selector;
    uint16_t port;
    enum pin_routes_from from;
};

/** Body of a Gateway. */
struct pin_gateway_body {
    const struct pin_listener *listeners;
    size_t n_listeners;
    const struct pin_ip *addresses; /**< status.addresses of type IPAddress */
    size_t n_addresses;
    const char *const *hosts; /**< status.addresses of type Hostname */
    size_t n_hosts;
    const char *class_name;
};

/** Body of a GatewayClass. */
struct pin_gateway_class_body {
    const char *controller; /**< spec.controllerName */
    bool has_parameters;    /**< spec.parametersRef */
};

/** What a backendRef points at. */
enum pin_backend_kind {
    PIN_BACKEND_SERVICE,
    PIN_BACKEND_IMPORT,     /**< ServiceImport of multicluster.x-k8s.io */
    PIN_BACKEND_AWS_IMPORT, /**< ServiceImport of application-networking.k8s.aws */
    PIN_BACKEND_OTHER,      /**< Counts as a backend without endpoints. */
};

/** One backendRef. */
struct pin_backend_ref {
    enum pin_backend_kind kind;
    const char *kind_text;      /**< As written, for messages. */
    const char *namespace_name; /**< The route's own when not written. */
    const char *name;
    uint32_t weight; /**< 0 to PIN_WEIGHT_MAX; 1 when not written. */
    uint16_t port;   /**< 0 when not written. */
};

/** One rule of a route. */
struct pin_route_rule {
    const struct pin_backend_ref *backends;
    size_t n_backends;
    bool needs_l7; /**< Has a path (other than prefix "/"), header, method or query match; never in
                      a TCPRoute or TLSRoute. */
};

/** One parentRef of a route that points at a Gateway. */
struct pin_parent_ref {
    const char *namespace_name;
    const char *name;
    const char *section; /**< NULL = all listeners. */
    uint16_t port;       /**< 0 = all ports. */
    bool has_namespace;  /**< It was written. */
};

/** Body of a route of any kind. */
struct pin_route_body {
    const struct pin_parent_ref *parents;
    size_t n_parents;
    const struct pin_route_rule *rules;
    size_t n_rules;
    const char *const *hostnames;
    size_t n_hostnames;
};

/** Whom a ReferenceGrant permits to refer. */
struct pin_grant_from {
    enum pin_kind kind; /**< A kind of route; others are left out. */
    const char *namespace_name;
};

/** To what a ReferenceGrant permits it. */
struct pin_grant_to {
    enum pin_backend_kind kind; /**< Not PIN_BACKEND_OTHER: those are left out. */
    const char *name;           /**< NULL = any. */
};

/** Body of a ReferenceGrant: each `from` may refer to each `to` in the grant's namespace. */
struct pin_grant_body {
    const struct pin_grant_from *from;
    size_t n_from;
    const struct pin_grant_to *to;
    size_t n_to;
};

/** Body of an Ingress: names and where they lead. */
struct pin_ingress_body {
    const char *const *hostnames; /**< spec.rules[].host, then spec.tls[].hosts[]; as written. */
    size_t n_hostnames;
    const struct pin_ip *balancer_ips; /**< status.loadBalancer.ingress[].ip */
    size_t n_balancer_ips;
    const char *const *balancer_hosts; /**< status.loadBalancer.ingress[].hostname */
    size_t n_balancer_hosts;
    const char *class_name; /**< spec.ingressClassName, else the annotation it replaced. */
};

/** Records of one name and type in a DNSEndpoint, as written. */
struct pin_record {
    const char *name;
    const char *type; /**< "A", "CNAME", ... */
    const char *const *targets;
    size_t n_targets;
    const char *set_id;                              /**< setIdentifier; NULL: none. */
    const struct pin_recordset_property *properties; /**< providerSpecific; zones/recordset.h */
    size_t n_properties;
    uint32_t ttl_s; /**< PIN_TTL_UNSET: not said. */
};

/** Body of a DNSEndpoint: what has a name and a type. */
struct pin_records_body {
    const struct pin_record *records;
    size_t n_records;
};

/** Body of an MCS ServiceImport. */
struct pin_import_body {
    const struct pin_ip *ips; /**< spec.ips */
    size_t n_ips;
    const struct pin_port *ports;
    size_t n_ports;
    bool is_headless; /**< spec.type: Headless */
    bool client_ip_affinity;
    bool prefers_zone; /**< As in a Service. */
};

/** Body of an AWS ServiceExport. */
struct pin_aws_export_body {
    const uint16_t
        *ports;     /**< Annotation application-networking.k8s.aws/port, or spec.exportedPorts. */
    size_t n_ports; /**< 0 = every port. */
    const char *service; /**< Annotation .../service-name; NULL = the export's own name. */
};

/** Body of an AWS ServiceImport. */
struct pin_aws_import_body {
    const char *export_name; /**< Annotation .../export-name; NULL = the import's own name. */
    const char *cluster;     /**< Annotation .../aws-eks-cluster-name; NULL = any. */
    const char *network;     /**< Annotation .../aws-vpc; NULL = any. */
};

/** What a condition of a policy is about. */
enum pin_policy_about {
    PIN_POLICY_ABOUT_CLUSTER,
    PIN_POLICY_ABOUT_NAMESPACE,
    PIN_POLICY_ABOUT_ADDRESS,
};

/** What a denied asker sees. */
enum pin_policy_denied {
    PIN_POLICY_DENIED_UNSET,
    PIN_POLICY_DENIED_REFUSED,
    PIN_POLICY_DENIED_NXDOMAIN,
};

/** One condition: met by any of its values. */
struct pin_policy_condition {
    enum pin_policy_about about;
    bool is_pattern;                   /**< "*" and "?" in texts mean something. */
    const char *const *texts;          /**< CLUSTER, NAMESPACE. */
    const struct pin_prefix *prefixes; /**< ADDRESS. */
    size_t n_values;
};

/** One statement: met when all its conditions are. */
struct pin_policy_statement {
    bool is_deny;
    const struct pin_policy_condition *conditions;
    size_t n_conditions; /**< At most 255. */
};

/** What a policy guards; in its own namespace. */
struct pin_policy_target {
    const char *kind; /**< "Gateway", "HTTPRoute", ... as written. */
    const char *name;
};

/** Body of an IAMAuthPolicy or a ResolvePolicy. */
struct pin_policy_body {
    const struct pin_policy_target *targets;
    size_t n_targets;
    const struct pin_policy_statement *statements;
    size_t n_statements; /**< At most 65535. */
    enum pin_policy_denied denied;
    bool is_audit;
    uint16_t slot;      /**< Whose denials are counted: pin_policy_slot(); the catalog's. */
    bool is_unreadable; /**< Its rules could not be understood: nobody is let through. */
};

/** Body of a TargetGroupPolicy. */
struct pin_target_group_body {
    const char *target; /**< Name, in the policy's namespace. */
    bool is_service;    /**< It targets a Service, */
    bool is_export;     /**< or a ServiceExport; neither: another kind, which has no addresses. */
    const struct pin_check *check; /**< NULL: it says nothing about health. */
};

/** Body of a Pod. */
struct pin_pod_body {
    const struct pin_ip *ips; /**< status.podIPs; none once it has ended. */
    size_t n_ips;
    bool is_host_network; /**< They are the node's. */
};

/** One condition of an object's status; texts are never NULL. */
struct pin_condition {
    const char *type;
    const char *status; /**< "True", "False", "Unknown". */
    const char *reason;
    const char *message;
    const char *since;   /**< lastTransitionTime as written. */
    uint64_t generation; /**< observedGeneration; 0: not said. */
};

/** A part of a status that has conditions of its own: an entry of ours of a route's
 * status.parents, or a listener of a Gateway. */
struct pin_status_part {
    const char *key;   /**< "namespace/name/section/port" of the parentRef, what is not written
                          empty; the listener's name. */
    const char *kinds; /**< Listeners: supportedKinds, "HTTPRoute,GRPCRoute". */
    uint32_t n_routes; /**< Listeners: attachedRoutes. */
    uint16_t position; /**< In its list. */
    const struct pin_condition *conditions;
    size_t n_conditions;
};

/** What an object asks of the DNS outside; zones/claims.h says what annotations mean. */
struct pin_asks {
    const struct pin_claim_annotation *notes; /**< Of external-dns, under both its prefixes. */
    size_t n_notes;
    const struct pin_ip *external_ips; /**< Services: spec.externalIPs */
    size_t n_external_ips;
    bool is_balancer; /**< Services: type LoadBalancer. */
};

/** What Pintle wrote on an object or may write; only routes, Gateways, their classes and exports,
 * what asks for records outside, and what is ours, have it. */
struct pin_written {
    const char *uid;       /**< metadata.uid; NULL in manifests. */
    const char *assigned;  /**< Routes: the assigned name it shows, PIN_WRITE_ASSIGNED. */
    const char *lattice;   /**< Routes: the same by PIN_WRITE_LATTICE. */
    const char *service;   /**< Services: which imported one it is derived for. */
    const char *exporters; /**< Imports: the clusters that export, "c1,c2". */
    const char *complaint; /**< Of annotations that are ignored, a line each; NULL: of none. */
    const char *version;   /**< Routes: metadata.resourceVersion. */
    const struct pin_asks *asks;            /**< NULL: it has no annotation of external-dns. */
    const struct pin_condition *conditions; /**< Of its status; not routes'. */
    size_t n_conditions;
    const struct pin_status_part
        *parts; /**< Routes: our entries of status.parents; Gateways: listeners. */
    size_t n_parts;
    uint64_t generation; /**< metadata.generation; 0: not said. */
    uint64_t applied;    /**< What was applied, PIN_WRITE_APPLIED; 0: it is not ours. */
    bool has_parents;    /**< Routes: there is a list status.parents. */
};

/** One object of one cluster. */
struct pin_object {
    enum pin_kind kind;
    uint32_t list_round;        /**< The catalog's: the list that last named this object. */
    const char *namespace_name; /**< "" for cluster-scoped kinds. */
    const char *name;
    int64_t created_s;       /**< creationTimestamp, Unix seconds; 0 when absent. */
    int64_t trigger_wall_ms; /**< Annotation endpoints.kubernetes.io/last-change-trigger-time; 0 =
                                absent. */
    struct pin_object_chunk *chunks;   /**< Memory the pointers here lead into; zones/object.c's. */
    const struct pin_written *written; /**< NULL where there is nothing to say. */
    const struct pin_steering *steering; /**< Its own, or pin_steering_unset; never NULL. */
    union { /**< Memory may end behind the body of the object's own kind; an MCS ServiceExport has
               none: that it is there is what counts. */
        struct pin_service_body service;
        struct pin_slice_body slice;
        struct pin_node_body node;
        struct pin_namespace_body namespace_;
        struct pin_gateway_body gateway;
        struct pin_gateway_class_body gateway_class;
        struct pin_route_body route;
        struct pin_grant_body grant;
        struct pin_ingress_body ingress;
        struct pin_records_body records;
        struct pin_import_body import;
        struct pin_aws_export_body aws_export;
        struct pin_aws_import_body aws_import;
        struct pin_target_group_body target_group;
        struct pin_policy_body policy;
        struct pin_pod_body pod;
        struct pin_service_cidr_body service_cidr;
    } as;
};

/**
 * Makes an empty object (steering unset) whose first chunk holds `expected_bytes` of fields.
 * NULL when memory is out. The caller owns it until it hands it over.
 */
struct pin_object *pin_object_new(enum pin_kind kind, size_t expected_bytes);

/** Zeroed memory that lives as long as `object`, aligned for any field; NULL when memory is out. */
void *pin_object_alloc(struct pin_object *object, size_t bytes);

/** Gives the object a steering of its own, with every field unset; NULL when memory is out. */
struct pin_steering *pin_object_steer(struct pin_object *object);

/** Copies `bytes` of `text` into the object and ends them with NUL; NULL text gives NULL. */
const char *pin_object_text(struct pin_object *object, const char *text, size_t bytes);

/**
 * Copies both names into the object, one behind the other: so a map of objects needs no copy of
 * them (zones/objects.h). False when memory is out; the names are as they were then.
 */
bool pin_object_set_names(struct pin_object *object, const char *namespace_name, const char *name);

/** Frees an object with all it holds. NULL is fine. */
void pin_object_free(struct pin_object *object);

/** Longest name, an RFC 1123 subdomain, and longest namespace, a label, as API servers bound them.
 */
#define PIN_NAME_BYTES_MAX      253
#define PIN_NAMESPACE_BYTES_MAX 63

/**
 * Whether API servers let such a name through: lower-case letters, digits and '-', with '.' between
 * where `has_dots` is set. Paths of requests and keys of maps are made of names as they are.
 */
bool pin_object_is_name(const char *text, size_t bytes_max, bool has_dots);

/** Whether objects of that kind are routes: `as.route` is theirs. */
static inline bool pin_kind_is_route(enum pin_kind kind)
{
    return kind >= PIN_KIND_HTTP_ROUTE && kind <= PIN_KIND_TLS_ROUTE;
}

/** The kind's name as the API writes it ("EndpointSlice"); never NULL. */
const char *pin_kind_text(enum pin_kind kind);

/** The same as a label of metrics has it, where no two kinds share a name: those that two API
 * groups have are "AWSServiceExport" and "AWSServiceImport" of the one. */
const char *pin_kind_label(enum pin_kind kind);

/** What an object says that says nothing about steering: nearly all of them. */
extern const struct pin_steering pin_steering_unset;
