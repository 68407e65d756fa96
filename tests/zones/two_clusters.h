/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Two clusters: an empty catalog of c1 and c2 for each test, in its state.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/rcu.h"
#include "pintle/zones/catalog.h"

#include "support/defaults.h"

static inline int set_up(void **state)
{
    static const struct pin_network networks[1] = {{.name = "default"}};
    static const struct pin_cluster_settings clusters[2] = {
        {.name = "c1", .weight = PIN_WEIGHT_UNSET}, {.name = "c2", .weight = PIN_WEIGHT_UNSET}};
    static struct pin_settings settings;
    struct pin_catalog *catalog = NULL;
    settings = pin_test_settings(networks, 1, clusters, 2);
    assert_int_equal(pin_catalog_new(&settings, 1, &catalog, NULL), PIN_OK);
    *state = catalog;
    return 0;
}

static inline int tear_down(void **state)
{
    pin_rcu_barrier();
    pin_catalog_free(*state);
    return 0;
}
