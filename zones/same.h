/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Same: whether a new version of an object says anything new to those who depend on it. Pure.
 */

#include <stdbool.h>

#include "pintle/zones/object.h"

/** Whether two Nodes, or two ServiceCIDRs, have the same ranges, addresses and zone. */
bool pin_same_ranges(const struct pin_object *a, const struct pin_object *b);

/** Whether routes see the same Gateway: not all that changes in a status is for them. */
bool pin_same_gateway(const struct pin_object *a, const struct pin_object *b);

/** Whether two Namespaces have the same labels. */
bool pin_same_labels(const struct pin_object *a, const struct pin_object *b);
