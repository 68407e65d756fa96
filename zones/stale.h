/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Stale: which clusters' words are dropped because they are out of reach for too long. */

#include "zones/units.h"

/**
 * Marks members whose time has come, or who are back, and the units that they change. Notes when
 * the next one is due. Costs nothing while no cluster came or went and none is due, else a walk
 * over all members.
 */
void pin_stale_settle(struct pin_catalog *catalog, uint64_t now_ms);

/** When objects of the cluster that say nothing themselves are dropped; UINT64_MAX: it is within
 * reach, or they are kept. */
uint64_t pin_stale_drop_ms(const struct pin_catalog *catalog, uint16_t cluster_id);

/** Whether pin_stale_settle() has something to do. */
bool pin_stale_is_due(const struct pin_catalog *catalog, uint64_t now_ms);
