/* SPDX-License-Identifier: Apache-2.0 */

/* The settings of an empty configuration. */

#include "support/defaults.h"

struct pin_settings pin_test_settings(const struct pin_network *networks, size_t n_networks,
    const struct pin_cluster_settings *clusters, size_t n_clusters)
{
    return (struct pin_settings){
        .cluster_set = "default",
        .networks = networks,
        .n_networks = n_networks,
        .clusters = clusters,
        .n_clusters = n_clusters,
        .default_cluster = PIN_CLUSTER_NONE,
        .zone_cluster_set = "clusterset.local",
        .zone_assigned = "pintle.internal",
        .zone_cluster = "cluster.local",
        .ttl_s = 5,
        .negative_ttl_s = 5,
        .max_answers = 16,
        .answers = PIN_ANSWERS_SUBSET,
        .address = PIN_ADDRESS_AUTO,
        .ready_min_clusters = 1,
        .ready_grace_ms = 30000,
    };
}
