/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/** @file Drains inside the catalog: who asks whether something is drained, and when they end. */

#include "pintle/base/arena.h"
#include "pintle/base/ip.h"
#include "pintle/zones/drain.h"

#include "zones/units.h"

/** One thing that is drained. */
struct pin_drain {
    enum pin_drain_what what;
    char *name;                 /**< As given, owned. */
    uint16_t cluster_id;        /**< Only there, or PIN_CLUSTER_NONE: everywhere. */
    const char *namespace_name; /**< SERVICE, ENDPOINT by pod: owned with object. */
    char *object;               /**< Name of the service, pod or zone; owned. */
    struct pin_ip ip;           /**< ENDPOINT by address; else family 0. */
    uint64_t until_ms;
    int64_t until_wall_ms;
};

/** The drain that takes a member of a service out as a whole, or NULL. */
const struct pin_drain *pin_drains_member(
    const struct pin_drains *drains, const struct pin_service_unit *unit, uint16_t cluster_id);

/** The drain that takes the cluster out, or NULL. */
const struct pin_drain *pin_drains_cluster(const struct pin_drains *drains, uint16_t cluster_id);

/** The drain that takes one endpoint out, or NULL. Cost: drains of zones and endpoints. */
const struct pin_drain *pin_drains_endpoint(const struct pin_drains *drains, uint16_t cluster_id,
    const struct pin_object *slice, size_t row);

/**
 * "drained until 2026-11-21T08:30:00Z (zone eu-1a)" in the arena; never NULL. With `others`, which
 * says what became of the rest: "...; some endpoints drained until ...".
 */
const char *pin_drain_reason(
    struct pin_arena *arena, const struct pin_drain *drain, const char *others);

/** Ends the drains whose time is over and marks what they held back. */
void pin_drains_settle(struct pin_catalog *catalog, uint64_t now_ms);

/** Whether pin_drains_settle() has something to do. */
bool pin_drains_are_due(const struct pin_catalog *catalog, uint64_t now_ms);

/** Frees them all. */
void pin_drains_done(struct pin_drains *drains);
