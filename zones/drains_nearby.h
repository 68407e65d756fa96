/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file What to say when the thing to drain does not exist: what there is nearby. */

#include "zones/drains.h"

/** PIN_ENOTFOUND, and in `why` the clusters there are. */
enum pin_err pin_drains_no_cluster(
    const struct pin_catalog *catalog, const char *name, struct pin_why *why);

/** PIN_ENOTFOUND, and in `why` a few zones, services or endpoints that come close. */
enum pin_err pin_drains_not_found(
    const struct pin_catalog *catalog, const struct pin_drain *drain, struct pin_why *why);
