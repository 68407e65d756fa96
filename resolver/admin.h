/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Admin: health, metrics, the API and the dashboard over HTTP, on the control loop. No secrets; who
 * may see and change what is said in admin_access.h.
 *
 *     /livez /readyz /metrics
 *     /api/v1/{status,clusters[/NAME[/check]],names,explain,drains,records,reload,replace,stream}
 *     / the dashboard (admin_web.h), which shows what the API says
 *
 * A second one may show health and metrics alone (`is_bare`), for addresses that others reach.
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

#include "resolver/admin_access.h"
#include "resolver/builder.h"
#include "resolver/certs.h"
#include "resolver/forward.h"
#include "resolver/keeper.h"
#include "resolver/notify.h"
#include "resolver/worker.h"
#include "resolver/zonefiles.h"

/** What the source of one cluster says of itself. Texts are borrowed until the next call. */
struct pin_admin_source {
    const char *source;         /**< "directory ./c1", "context c1", ... */
    const char *error;          /**< "" when nothing is wrong. */
    const char *hint;           /**< What to do about it, or "". */
    int64_t last_event_wall_ms; /**< 0: never. */
    int64_t error_wall_ms;      /**< Since when `error` is so; 0: nothing is wrong. */
};

/** What is shown of records. */
enum pin_admin_records_view {
    PIN_ADMIN_RECORDS_OVERVIEW,
    PIN_ADMIN_RECORDS_LIST,
    PIN_ADMIN_RECORDS_PLAN,
    PIN_ADMIN_RECORDS_DRIFT,
};

/** Of which records; NULL: all. */
struct pin_admin_records_query {
    enum pin_admin_records_view view;
    const char *records;
    const char *zone;
    const char *name;
    const char *after; /**< Where a page goes on. */
    bool is_adoption;  /**< PLAN: that of an adoption. */
};

/** What is done to records. */
enum pin_admin_records_act {
    PIN_ADMIN_RECORDS_APPLY,
    PIN_ADMIN_RECORDS_LOOK,
    PIN_ADMIN_RECORDS_APPROVE,
    PIN_ADMIN_RECORDS_ADOPT,
};

/** An order; texts are NULL where they were not said. */
struct pin_admin_records_order {
    enum pin_admin_records_act act;
    const char *records;
    const char *zone;
    const char *hash;
    const char *from_owner;
};

/** How admin looks at the sources, which belong to a room that this one cannot see. */
struct pin_admin_hooks {
    bool (*lookup)(void *arg, size_t i, struct pin_lookup_stats *ret_lookup); /**< False: no i. */
    void (*source)(void *arg, size_t cluster_id, struct pin_admin_source *ret_source);
    void (*publisher_json)(void *arg, struct pin_jsonout *out); /**< One value, or NULL. */
    void (*publisher_metrics)(void *arg, struct pin_text *out); /**< Families, or NULL. */
    void (*sources_metrics)(void *arg, struct pin_text *out);   /**< Families; or NULL. */
    /** Members of an object; or NULL, like the next two. */
    void (*source_json)(void *arg, size_t cluster_id, struct pin_jsonout *out);
    /** An object as a manifest: one value. Builder's thread; or NULL. */
    void (*object_json)(const struct pin_object *object, struct pin_jsonout *out);
    enum pin_err (*check_start)(void *arg, size_t cluster_id, struct pin_why *why);
    void (*check_json)(void *arg, size_t cluster_id, struct pin_jsonout *out); /**< Likewise. */
    void (*zonefile)(void *arg, size_t i, struct pin_zonefile_status *ret_status);
    void (*health)(void *arg, struct pin_health_stats *ret_stats); /**< Or NULL. */
    struct pin_notify_stats (*notify)(void *arg);                  /**< Or NULL. */
    /** One value each, or an error: PIN_ENOTFOUND, PIN_EINVAL, PIN_EBUSY; or NULL. */
    enum pin_err (*records_json)(void *arg, const struct pin_admin_records_query *query,
        struct pin_jsonout *out, struct pin_why *why);
    enum pin_err (*records_order)(void *arg, const struct pin_admin_records_order *order,
        struct pin_jsonout *out, struct pin_why *why);
    void (*records_metrics)(void *arg, struct pin_text *out); /**< Families; or NULL. */
    void (*config_json)(void *arg, struct pin_jsonout *out);  /**< One value; or NULL. */
    /** Has the configuration read again soon; the number of the attempt. Or NULL, as the next. */
    uint64_t (*reload)(void *arg);
    void (*reload_json)(void *arg, struct pin_jsonout *out); /**< Members of an object. */
    void (*reload_metrics)(void *arg, struct pin_text *out); /**< Families. */
    /** Has another process take this one's place; as the three before. */
    uint64_t (*replace)(void *arg);
    void (*replace_json)(void *arg, struct pin_jsonout *out);
    void (*replace_metrics)(void *arg, struct pin_text *out);
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
    struct pin_addrport address;       /**< Port 0 takes a free one. */
    bool is_bare;                      /**< Health and metrics, and no other page. */
    struct pin_supervisor *supervisor; /**< Whose socket is taken first; NULL: there is none. */
    const char *sandbox;               /**< What is on of it, for the status. */
    struct pin_loop *loop;
    struct pin_builder *builder;
    const struct pin_workers *workers;
    struct pin_forward *forward; /**< Or NULL. */
    const struct pin_settings *settings;
    const struct pin_admin_listen *listens;
    size_t n_listens;
    const struct pin_certs *certs; /**< Of the listeners. */
    struct pin_tls *tls;           /**< NULL: plain HTTP. */
    struct pin_admin_hooks hooks;
    struct pin_tapper *tapper;       /**< NULL: nothing is noted. */
    const char *state_dir;           /**< Where drains are kept; NULL: nowhere. */
    const struct pin_keeper *keeper; /**< Of the same directory; NULL: none. */
    struct pin_handover *handover;   /**< Sockets of the process before; NULL: none. */
    bool is_held;                    /**< Nobody is accepted before pin_admin_go(). */
    const struct pin_admin_access *access;
};

struct pin_admin;

/** Binds and serves. `why` says what to do. Control's thread. */
enum pin_err pin_admin_start(
    const struct pin_admin_config *config, struct pin_admin **ret_admin, struct pin_why *why);

/** Closes everything. The builder has been stopped or still runs, but its loop runs no more. */
void pin_admin_stop(struct pin_admin *admin);

/** Accepts from now on, if it was held. NULL is fine. */
void pin_admin_go(struct pin_admin *admin);

/** What let clients in may not count any more: ends streams now and idle connections soon, so that
 * they come again. NULL is fine. */
void pin_admin_revoke(struct pin_admin *admin);

/** Accepts nobody any more: another process does. NULL is fine. */
void pin_admin_retire(struct pin_admin *admin);

/** Whether somebody was accepted and waits for a page; streams, which never end, do not count. NULL
 * is not. */
bool pin_admin_is_busy(struct pin_admin *admin);

/** The socket it listens on. Borrowed. */
int pin_admin_fd(const struct pin_admin *admin);

/** Shows other settings from now on; behind pin_builder_follow(). NULL is fine. */
void pin_admin_follow(
    struct pin_admin *admin, const struct pin_settings *settings, struct pin_forward *forward);

/** From now on /readyz says no: the process is about to end. NULL is fine. */
void pin_admin_drain(struct pin_admin *admin);

/** The address it really has. */
struct pin_addrport pin_admin_address(const struct pin_admin *admin);
