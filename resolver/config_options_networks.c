/* SPDX-License-Identifier: Apache-2.0 */

/* The options of networks: their names, and the gateways that others go through. */

#include "resolver/config.h"
#include "resolver/config_options.h"

#define IN_NETWORK(field) offsetof(struct pin_config_network, field)
#define IN_GATEWAY(field) offsetof(struct pin_config_gateway, field)

static const struct pin_option gateway_object_options[] = {
    {.key = "cluster",
        .kind = PIN_OPTION_LABEL,
        .offset = IN_GATEWAY(gateway.cluster),
        .example = "c2",
        .doc = "Cluster that has it."},
    {.key = "namespace",
        .kind = PIN_OPTION_STRING,
        .offset = IN_GATEWAY(gateway.namespace_name),
        .example = "infra",
        .doc = "Its namespace."},
    {.key = "name",
        .kind = PIN_OPTION_STRING,
        .offset = IN_GATEWAY(gateway.name),
        .example = "east-west",
        .doc = "Its name."},
    {.key = NULL},
};

static const struct pin_option gateway_service_options[] = {
    {.key = "cluster",
        .kind = PIN_OPTION_LABEL,
        .offset = IN_GATEWAY(service.cluster),
        .example = "c2",
        .doc = "Cluster that has it."},
    {.key = "namespace",
        .kind = PIN_OPTION_STRING,
        .offset = IN_GATEWAY(service.namespace_name),
        .example = "istio-system",
        .doc = "Its namespace."},
    {.key = "name",
        .kind = PIN_OPTION_STRING,
        .offset = IN_GATEWAY(service.name),
        .example = "istio-eastwestgateway",
        .doc = "Its name."},
    {.key = NULL},
};

static const struct pin_option gateway_options[] = {
    {.key = "gateway",
        .kind = PIN_OPTION_MAP,
        .children = gateway_object_options,
        .example = "{cluster: c2, namespace: infra, name: east-west}",
        .doc = "A Gateway, whose status has the addresses."},
    {.key = "service",
        .kind = PIN_OPTION_MAP,
        .children = gateway_service_options,
        .example = "{cluster: c2, namespace: istio-system, name: istio-eastwestgateway}",
        .doc = "A Service, whose load-balancer status has the addresses."},
    {.key = NULL},
};

const struct pin_option pin_network_options[] = {
    {.key = "name",
        .kind = PIN_OPTION_STRING,
        .offset = IN_NETWORK(name),
        .example = "net-a",
        .doc = "Name that clusters use."},
    {.key = "gateways",
        .kind = PIN_OPTION_GATEWAYS,
        .offset = IN_NETWORK(gateways),
        .count_offset = IN_NETWORK(n_gateways),
        .children = gateway_options,
        .doc =
            "East-west gateways that other networks go through: addresses, host names, objects."},
    {.key = "clusterIPs",
        .kind = PIN_OPTION_WORD,
        .offset = IN_NETWORK(cluster_ips),
        .words = "local|routable",
        .fallback = "local",
        .doc = "Whether ClusterIPs can be reached from other clusters of the network."},
    {.key = NULL},
};
