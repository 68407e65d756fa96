/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Waits: what a cluster's first lists touch is compiled once, when they have ended.
 *
 *     first lists are open   what they touch   -> waiting units
 *                            what others touch -> dirty units, also those that were waiting
 *     only slices are awaited: services are dirty as soon as a slice of theirs has come
 *     the last one ends, SYNCED, or the grace period is over: the cluster's units are dirty
 *
 * Half of a service is worse than none, and its names would be compiled for each of its objects. A
 * cluster that was synced or restored never waits. Builder only.
 */

#include <stdbool.h>
#include <stdint.h>

struct pin_catalog;
struct pin_delta;
struct pin_list_state;

/** Whether the delta is an object of first lists that are under way. */
bool pin_waits_is_filling(const struct pin_catalog *catalog, const struct pin_delta *delta);

/** A list of the cluster has begun, or ended; the last one ends the waiting. */
void pin_waits_set_open(
    struct pin_catalog *catalog, uint16_t cluster_id, struct pin_list_state *list, bool is_open);

/** Nothing waits for that cluster any more. Cost: a step for each waiting unit. */
void pin_waits_end(struct pin_catalog *catalog, uint16_t cluster_id);

/** Nothing waits any more. */
void pin_waits_end_all(struct pin_catalog *catalog);

/** Moves units that wait no more to the dirty ones. */
void pin_waits_settle(struct pin_catalog *catalog);
