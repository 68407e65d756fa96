/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Defaults: the settings that an empty configuration gives, for tests that make a catalog.
 */

#include "pintle/zones/settings.h"

/** Those settings for these networks and clusters, which are borrowed. */
struct pin_settings pin_test_settings(const struct pin_network *networks, size_t n_networks,
    const struct pin_cluster_settings *clusters, size_t n_clusters);
