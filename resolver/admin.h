/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Admin: health, metrics and the API over HTTP, on the control loop. Only GET and HEAD, no secrets;
 * what changes something (drains) is taken from this machine alone, and not from web pages.
 *
 *     /livez /readyz /metrics /api/v1/{status,clusters,names,explain,drains}
 *
 * A page that needs the catalog is collected on the builder's thread and answered when it comes
 * back.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/loop.h"
#include "pintle/zones/lookup.h"

#include "resolver/builder.h"
#include "resolver/certs.h"
#include "resolver/forward.h"
#include "resolver/notify.h"
#include "resolver/worker.h"
#include "resolver/zonefiles.h"

/** What the source of one cluster says of itself. Texts are borrowed until the next call. */
struct pin_admin_source {
    const char *source;                /**< "directory ./c1", "context c1", ... */
    const char *error;                 /**< "" when nothing is wrong. */
    const char *hint;                  /**< What to do about it, or "". */
    int64_t last_event_wall_ms;        /**< 0: never. */
    uint64_t n_restarts[PIN_KIND_MAX]; /**< Watches begun again. */
    uint64_t n_bad[PIN_KIND_MAX];      /**< Objects that could not be read. */
};

/** How admin looks at the sources, which belong to a room that this one cannot see. */
struct pin_admin_hooks {
    bool (*lookup)(void *arg, size_t i, struct pin_lookup_stats *ret_lookup); /**< False: no i. */
    void (*source)(void *arg, size_t cluster_id, struct pin_admin_source *ret_source);
    void (*sources_json)(void *arg, struct pin_jsonout *out); /**< One array. */
    void (*zonefile)(void *arg, size_t i, struct pin_zonefile_status *ret_status);
    void (*health)(void *arg, struct pin_health_stats *ret_stats); /**< Or NULL. */
    struct pin_notify_stats (*notify)(void *arg);                  /**< Or NULL. */
    void *arg;
};

/** One DNS listener as it really is. */
struct pin_admin_listen {
    struct pin_addrport address;
    const char *cluster;    /**< Or NULL. */
    const char *transports; /**< E.g. "udp tcp". */
};

/** What admin shows. All of it outlives the admin. */
struct pin_admin_config {
    struct pin_addrport address; /**< Port 0 takes a free one. */
    struct pin_loop *loop;
    struct pin_builder *builder;
    const struct pin_workers *workers;
    struct pin_forward *forward; /**< Or NULL. */
    const struct pin_settings *settings;
    const struct pin_admin_listen *listens;
    size_t n_listens;
    const struct pin_certs *certs; /**< Of the listeners. */
    struct pin_admin_hooks hooks;
    const struct pin_tapper *tapper; /**< NULL: nothing is noted. */
    const char *state_dir;           /**< Where drains are kept; NULL: nowhere. */
};

struct pin_admin;

/** Binds and serves. `why` says what to do. Control's thread. */
enum pin_err pin_admin_start(
    const struct pin_admin_config *config, struct pin_admin **ret_admin, struct pin_why *why);

/** Closes everything. The builder has been stopped or still runs, but its loop runs no more. */
void pin_admin_stop(struct pin_admin *admin);

/** From now on /readyz says no: the process is about to end. */
void pin_admin_drain(struct pin_admin *admin);

/** The address it really has. */
struct pin_addrport pin_admin_address(const struct pin_admin *admin);
