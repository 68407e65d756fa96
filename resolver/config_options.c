/* SPDX-License-Identifier: Apache-2.0 */

/* The table of options. A row that is LATER is part of the contract and not built yet. */

#include "resolver/config_options.h"

#include "resolver/config.h"
#include "resolver/worker.h"

#define IN_CONFIG(field)  offsetof(struct pin_config, field)
#define IN_LISTEN(field)  offsetof(struct pin_config_listen, field)
#define IN_NETWORK(field) offsetof(struct pin_config_network, field)
#define IN_CLUSTER(field) offsetof(struct pin_config_cluster, field)

#define LATER(name, is_default, text)                                                              \
    {                                                                                              \
        .key = (name), .kind = PIN_OPTION_LATER, .fallback = (is_default), .doc = (text)           \
    }

#define ADDRESS_WORDS "auto|endpoints|clusterIP|loadBalancer|gateway"

static const struct pin_option listen_options[] = {
    {.key = "address",
        .kind = PIN_OPTION_ADDRPORT,
        .offset = IN_LISTEN(address),
        .max = PIN_DNS_PORT,
        .doc = "Address and port to answer DNS on, over UDP and TCP."},
    {.key = "cluster",
        .kind = PIN_OPTION_STRING,
        .offset = IN_LISTEN(cluster),
        .doc = "Cluster that everybody who asks here belongs to."},
    LATER("tls", NULL, "Certificate and key of a DoT listener."),
    LATER("https", NULL, "Certificate and key of a DoH listener."),
    {.key = NULL},
};

static const struct pin_option admin_options[] = {
    {.key = "address",
        .kind = PIN_OPTION_ADDRPORT,
        .offset = IN_CONFIG(admin),
        .max = PIN_ADMIN_PORT,
        .fallback = "127.0.0.1:9153",
        .doc = "Address and port of metrics, health and API."},
    {.key = NULL},
};

static const struct pin_option network_options[] = {
    {.key = "name",
        .kind = PIN_OPTION_STRING,
        .offset = IN_NETWORK(name),
        .doc = "Name that clusters use."},
    {.key = "gateways",
        .kind = PIN_OPTION_IPS,
        .offset = IN_NETWORK(gateways),
        .count_offset = IN_NETWORK(n_gateways),
        .doc = "Addresses of the east-west gateways that other networks go through."},
    {.key = "clusterIPs",
        .kind = PIN_OPTION_WORD,
        .offset = IN_NETWORK(cluster_ips),
        .words = "local|routable",
        .fallback = "local",
        .doc = "Whether ClusterIPs can be reached from other clusters of the network."},
    {.key = NULL},
};

static const struct pin_option stale_options[] = {
    LATER("policy", "keep", "What happens with answers of a cluster that is out of reach."),
    LATER("after", "24h", "When drop and probe take effect."),
    {.key = NULL},
};

static const struct pin_option cluster_options[] = {
    {.key = "name",
        .kind = PIN_OPTION_LABEL,
        .offset = IN_CLUSTER(name),
        .doc = "Name of the cluster."},
    {.key = "context",
        .kind = PIN_OPTION_STRING,
        .offset = IN_CLUSTER(context),
        .doc = "Kubeconfig context to list and watch."},
    {.key = "kubeconfig",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CLUSTER(kubeconfig),
        .doc = "Kubeconfig file of that context."},
    {.key = "directory",
        .kind = PIN_OPTION_PATH,
        .offset = IN_CLUSTER(directory),
        .doc = "Directory of manifests."},
    {.key = "inCluster",
        .kind = PIN_OPTION_BOOL,
        .offset = IN_CLUSTER(in_cluster),
        .doc = "Use the service account of the pod."},
    LATER("etcd", NULL, "An etcd prefix that another Pintle fills."),
    {.key = "network",
        .kind = PIN_OPTION_STRING,
        .offset = IN_CLUSTER(network),
        .doc = "Network that its pods are on."},
    {.key = "clients",
        .kind = PIN_OPTION_PREFIXES,
        .offset = IN_CLUSTER(clients),
        .count_offset = IN_CLUSTER(n_clients),
        .said_offset = IN_CLUSTER(has_clients),
        .doc = "Ranges whose askers belong to it."},
    {.key = "weight",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CLUSTER(weight),
        .max = PIN_WEIGHT_MAX,
        .fallback = "4294967295", /* PIN_WEIGHT_UNSET */
        .doc = "Its whole contribution to every service."},
    {.key = "address",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CLUSTER(address),
        .words = ADDRESS_WORDS,
        .min = PIN_ADDRESS_AUTO,
        .doc = "Which address answers show for it."},
    {.key = "stale",
        .kind = PIN_OPTION_LATER_MAP,
        .fallback = "keep",
        .children = stale_options,
        .doc = "What happens with its answers while it is out of reach."},
    {.key = NULL},
};

static const struct pin_option zone_options[] = {
    {.key = "clusterSet",
        .kind = PIN_OPTION_NAME,
        .offset = IN_CONFIG(zone_cluster_set),
        .fallback = "clusterset.local",
        .doc = "Zone of exported and global services."},
    {.key = "assigned",
        .kind = PIN_OPTION_NAME,
        .offset = IN_CONFIG(zone_assigned),
        .fallback = "pintle.internal",
        .doc = "Zone of the names that routes are given."},
    {.key = "cluster",
        .kind = PIN_OPTION_NAME,
        .offset = IN_CONFIG(zone_cluster),
        .fallback = "cluster.local",
        .doc = "Zone of the asker's own cluster."},
    LATER("custom", "[]", "Zones whose route hostnames are answered."),
    LATER("files", "[]", "Static zones."),
    {.key = NULL},
};

static const struct pin_option steering_options[] = {
    {.key = "ttl",
        .kind = PIN_OPTION_SECONDS,
        .offset = IN_CONFIG(ttl_s),
        .max = 3600,
        .fallback = "5",
        .doc = "TTL of steered answers."},
    {.key = "answers",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(answers),
        .words = "subset|single|all",
        .min = PIN_ANSWERS_SUBSET,
        .fallback = "subset",
        .doc = "How many addresses an answer shows."},
    {.key = "maxAnswers",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(max_answers),
        .min = 1,
        .max = 64,
        .fallback = "16",
        .doc = "Most addresses in an answer."},
    {.key = "address",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(address),
        .words = ADDRESS_WORDS,
        .min = PIN_ADDRESS_AUTO,
        .fallback = "auto",
        .doc = "Which address answers show."},
    LATER("emptyBackend", "renormalise", "Who gets the share of a backend without endpoints."),
    LATER("allDown", "all", "What is answered when every probe fails."),
    {.key = NULL},
};

static const struct pin_option cache_options[] = {
    LATER("size", "64Mi", "Memory of the cache."),
    LATER("minTTL", "0", "Shortest time an answer is kept."),
    LATER("maxTTL", "86400", "Longest time an answer is kept."),
    LATER("serveStale", "86400", "How long expired answers may be served."),
    LATER("prefetch", "true", "Renew popular answers early."),
    {.key = NULL},
};

static const struct pin_option policy_options[] = {
    LATER("mode", "enforce", "Whether policies refuse or only log."),
    LATER("denied", "refused", "What a denied asker sees."),
    {.key = NULL},
};

static const struct pin_option write_back_options[] = {
    LATER("annotations", "false", "Write assigned names on routes."),
    LATER("status", "false", "Write status conditions."),
    LATER("events", "false", "Write events."),
    LATER("latticeAnnotation", "false", "Write the AWS controller's annotation too."),
    {.key = NULL},
};

static const struct pin_option ready_options[] = {
    {.key = "minClusters",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(ready_min_clusters),
        .max = PIN_CLUSTERS_MAX,
        .fallback = "1",
        .doc = "Clusters that must have been listed once before /readyz says yes."},
    {.key = "grace",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(ready_grace_ms),
        .max = 3600000,
        .fallback = "30s",
        .doc = "How long negative answers wait for clusters never listed."},
    {.key = NULL},
};

static const struct pin_option dns_options[] = {
    {.key = "ns",
        .kind = PIN_OPTION_NAMES,
        .offset = IN_CONFIG(ns),
        .count_offset = IN_CONFIG(n_ns),
        .doc = "Name servers of the zones we serve."},
    {.key = "hostmaster",
        .kind = PIN_OPTION_NAME,
        .offset = IN_CONFIG(hostmaster),
        .doc = "Mailbox in the SOA, written as a name."},
    {.key = NULL},
};

static const struct pin_option compat_options[] = {
    LATER("lighthouse", "false", "Answer Lighthouse's names too."),
    LATER("extensions", "true", "Answer names beyond the specification."),
    LATER("emptyService", "keep", "What a ClusterIP without endpoints shows."),
    LATER("headlessEmpty", "nxdomain", "What a headless Service without endpoints shows."),
    LATER("zeroWeight", "never", "What weight 0 means."),
    LATER("ptr", "true", "Answer PTR questions."),
    LATER("filterFamilies", "false", "Hide families that an asker cannot reach."),
    LATER("metrics", "[]", "Metric names of other servers to show too."),
    {.key = NULL},
};

static const struct pin_option geo_options[] = {
    LATER("database", "", "MaxMind database."),
    LATER("map", "[]", "Networks and their preferred clusters."),
    {.key = NULL},
};

static const struct pin_option shutdown_options[] = {
    {.key = "lameduck",
        .kind = PIN_OPTION_MS,
        .offset = IN_CONFIG(lameduck_ms),
        .max = 3600000,
        .fallback = "5s",
        .doc = "How long answers go on after SIGTERM while /readyz says no."},
    {.key = NULL},
};

static const struct pin_option log_options[] = {
    {.key = "level",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(log_level),
        .words = "debug|info|warn|error",
        .min = PIN_LOG_DEBUG,
        .fallback = "info",
        .doc = "Least severe lines that are written."},
    {.key = "format",
        .kind = PIN_OPTION_WORD,
        .offset = IN_CONFIG(log_format),
        .words = "text|json",
        .min = PIN_LOG_TEXT,
        .fallback = "text",
        .doc = "How lines look."},
    {.key = NULL},
};

const struct pin_option pin_options[] = {
    {.key = "apiVersion",
        .kind = PIN_OPTION_FIXED,
        .fallback = "pintle.dev/v1alpha1",
        .doc = "Version of this format."},
    {.key = "kind",
        .kind = PIN_OPTION_FIXED,
        .fallback = "PintleConfig",
        .doc = "What this file is."},
    {.key = "clusterSet",
        .kind = PIN_OPTION_LABEL,
        .offset = IN_CONFIG(cluster_set),
        .fallback = "default",
        .doc = "Name of the set of clusters; part of every assigned name."},
    {.key = "listen",
        .kind = PIN_OPTION_ITEMS,
        .offset = IN_CONFIG(listens),
        .count_offset = IN_CONFIG(n_listens),
        .children = listen_options,
        .item_bytes = sizeof(struct pin_config_listen),
        .doc = "Where DNS is answered."},
    {.key = "admin", .kind = PIN_OPTION_MAP, .children = admin_options, .doc = "The admin side."},
    {.key = "networks",
        .kind = PIN_OPTION_ITEMS,
        .offset = IN_CONFIG(networks),
        .count_offset = IN_CONFIG(n_networks),
        .children = network_options,
        .item_bytes = sizeof(struct pin_config_network),
        .doc = "Networks that something is to be said about."},
    {.key = "clusters",
        .kind = PIN_OPTION_ITEMS,
        .offset = IN_CONFIG(clusters),
        .count_offset = IN_CONFIG(n_clusters),
        .children = cluster_options,
        .item_bytes = sizeof(struct pin_config_cluster),
        .doc = "The clusters."},
    {.key = "defaultCluster",
        .kind = PIN_OPTION_STRING,
        .offset = IN_CONFIG(default_cluster),
        .doc = "Cluster whose answers askers in no known cluster get."},
    LATER("trustedForwarders", "[]", "Resolvers whose word about the asker counts."),
    {.key = "zones", .kind = PIN_OPTION_MAP, .children = zone_options, .doc = "Zones we serve."},
    {.key = "steering",
        .kind = PIN_OPTION_MAP,
        .children = steering_options,
        .doc = "How addresses are chosen."},
    LATER("forward", "[]", "Resolvers for all other names."),
    LATER("allowRecursion", "[]", "Who may ask for all other names."),
    {.key = "cache",
        .kind = PIN_OPTION_LATER_MAP,
        .children = cache_options,
        .doc = "Cache of forwarded answers."},
    {.key = "stale",
        .kind = PIN_OPTION_LATER_MAP,
        .children = stale_options,
        .doc = "Answers of clusters that are out of reach."},
    {.key = "policy",
        .kind = PIN_OPTION_LATER_MAP,
        .children = policy_options,
        .doc = "Who may resolve."},
    {.key = "writeBack",
        .kind = PIN_OPTION_LATER_MAP,
        .children = write_back_options,
        .doc = "What is written to the clusters."},
    {.key = "workers",
        .kind = PIN_OPTION_UINT,
        .offset = IN_CONFIG(n_workers),
        .min = 1,
        .max = PIN_WORKERS_MAX,
        .doc = "Threads that answer; one per processor when not said."},
    LATER("stateDir", NULL, "Directory of state that survives a restart."),
    {.key = "ready", .kind = PIN_OPTION_MAP, .children = ready_options, .doc = "Readiness."},
    {.key = "dns", .kind = PIN_OPTION_MAP, .children = dns_options, .doc = "NS and SOA."},
    {.key = "compat",
        .kind = PIN_OPTION_LATER_MAP,
        .children = compat_options,
        .doc = "Behaviour of other servers."},
    {.key = "geo",
        .kind = PIN_OPTION_LATER_MAP,
        .children = geo_options,
        .doc = "Answers by place."},
    {.key = "shutdown", .kind = PIN_OPTION_MAP, .children = shutdown_options, .doc = "The end."},
    {.key = "log", .kind = PIN_OPTION_MAP, .children = log_options, .doc = "The log."},
    LATER("records", "[]", "Record sets kept in other people's DNS servers."),
    {.key = NULL},
};
