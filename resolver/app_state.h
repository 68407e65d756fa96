/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of the app, for the files that make it up. They alone see sources and workers
 * together:
 *
 *     app.c           threads, signals, start and end
 *     app_config.c    the configuration with what clusters' files add to it
 *     app_sources.c   what the builder hears from sources, and what it has for them
 *     app_admin.c     what the admin page shows of sources
 *     app_analyze.c   pintled --analyze: a catalog of files, without threads
 *     app_reload.c    another configuration while all goes on
 *     app_replace.c   another process in this one's place
 *     app_records.c   records in other people's DNS servers; app_providers.c their settings
 */

#include <stdbool.h>
#include <stdint.h>

#include "resolver/admin.h"
#include "resolver/app.h"
#include "resolver/app_files.h"
#include "resolver/audit.h"
#include "resolver/builder.h"
#include "resolver/forward.h"
#include "resolver/geo.h"
#include "resolver/greeting.h"
#include "resolver/sandbox.h"
#include "resolver/token_file.h"
#include "resolver/worker.h"

struct pin_handover;
struct pin_reload;
struct pin_replace;
struct pin_source_spec;
struct pin_sync_config;
struct pin_sync_writes;

struct pin_dirwatch;
struct pin_lookups;
struct pin_prober;
struct pin_publisher;
struct pin_recorder;
struct pin_service;
struct pin_signal;
struct pin_starter;
struct pin_supervisor;
struct pin_sync;

/** File of a cluster's directory that speaks of the cluster itself. */
#define PIN_CLUSTER_FILE "cluster.yaml"

/** The whole process. Zeroed is empty; app_stop() takes apart whatever is there. */
struct pin_app {
    const char *program;           /* argv[0] */
    struct pin_config *config;     /* of now */
    struct pin_config *first;      /* of the start, which what a reload leaves alone borrows from */
    struct pin_settings *settings; /* the config's arena */
    struct pin_loop *loop;
    struct pin_dirwatch *dirwatch; /* of all directories and files that are watched */
    struct pin_builder *builder;
    struct pin_forward *forward; /* NULL: names that are not ours are refused */
    struct pin_workers *workers;
    struct pin_admin *admin;
    struct pin_admin *metrics; /* NULL: health and metrics are at `admin` alone */
    struct pin_admin_access access;
    struct pin_token_file *token_file; /* NULL: no token is wanted */
    struct pin_auditor *auditor;
    struct pin_tapper *tapper; /* NULL: nothing is noted */
    struct pin_sync *sync;
    struct pin_app_files files;
    struct pin_prober *prober;
    struct pin_lookups *lookups;
    struct pin_publisher *publisher;  /* NULL: nothing is published */
    struct pin_recorder *recorder;    /* NULL: no records are kept elsewhere */
    struct pin_admin_listen *listens; /* the config's arena */
    struct pin_signal *signals[5];
    struct pin_geo *geo;
    struct pin_reload *reload;
    struct pin_handover *handover; /* of the process before; NULL: there is none */
    struct pin_replace *replace;
    struct pin_starter *starter; /* NULL: nothing takes this one's place */
    struct pin_timer *lameduck;
    struct pin_greeting *greeting; /* of --dev */
    struct pin_supervisor *supervisor;
    struct pin_service *service;
    struct pin_sandbox sandbox;
    int64_t started_ms; /* monotonic */
    bool is_held;       /* workers do not read yet: what comes waits in sockets that outlive us */
    bool is_ending;
};

/** The configuration with what the cluster directories add, and all that is wrong with it. NULL
 * when memory is out, which is a finding too. */
struct pin_config *pin__app_load_config(const struct pin_args *args, struct pin_findings *findings);

/** Fills in what the builder calls when it has something for sources. */
void pin__app_hook_sources(struct pin_app *app, struct pin_builder_config *builder);

/** Starts the sources of all clusters, and what writes to them. */
enum pin_err pin__app_start_sync(struct pin_app *app, struct pin_why *why);

/** What the configuration says of an etcd. Borrowed from it. */
struct pin_etcd_spec pin__app_etcd(const struct pin_config_etcd *etcd);

/** Starts the publisher, if there is to be one. */
enum pin_err pin__app_start_publisher(struct pin_app *app, struct pin_why *why);

/** Starts the health probes. */
enum pin_err pin__app_start_prober(struct pin_app *app, struct pin_why *why);

/** Fills in what the builder calls when it has other claims. */
void pin__app_hook_records(struct pin_app *app, struct pin_builder_config *builder);

/** Fills in how the admin page looks at records. */
void pin__app_hook_records_admin(struct pin_admin_hooks *hooks);

/** Starts what keeps records in other people's DNS servers, if any are to be kept. */
enum pin_err pin__app_start_records(struct pin_app *app, struct pin_why *why);

/** Has a Lease say whether we write them, if it is to; sources have started. */
enum pin_err pin__app_start_records_lease(struct pin_app *app, struct pin_why *why);

/** Ends it; the loop turns once more. */
void pin__app_stop_records(struct pin_app *app);

/** Makes the sources' settings of a configuration, in its arena. NULL: memory is out. */
struct pin_source_spec *pin__app_specs(const struct pin_config *config);

/** What sources are made with beside their specs, and what writes to them: `ret_writes` is part of
 * it. */
void pin__app_sync_config(
    struct pin_app *app, struct pin_sync_config *ret_config, struct pin_sync_writes *ret_writes);

/** What was wished for may speak of other clusters: tells sources once more. */
void pin__app_tell_wishes(struct pin_app *app);

/** Makes what reloads the configuration, and watches its file. */
enum pin_err pin__app_start_reload(
    struct pin_app *app, const struct pin_args *args, struct pin_why *why);

/** Reloads the configuration soon; returns the number of the attempt. */
uint64_t pin__app_reload(struct pin_app *app);

/** Fills in how the admin page looks at reloads. */
void pin__app_hook_reload_admin(struct pin_admin_hooks *hooks);

/** Whether resolvers are asked for somebody who waits, those of before a reload too. Missed within
 * a moment now and then: look twice. */
bool pin__app_is_asking(const struct pin_app *app);

/** Ends it: no reload begins any more. */
void pin__app_stop_reload(struct pin_app *app);

/** Frees what a reload under way left. The builder has stopped. */
void pin__app_free_reload(struct pin_app *app);

/** Takes what a process before us has handed over; before other threads. False: memory is out. */
bool pin__app_take_handover(struct pin_app *app);

/** Makes the process that can start another one in this one's place, if one could be. Before the
 * configuration is read. Loud. */
void pin__app_make_starter(struct pin_app *app, const struct pin_args *args);

/** Ends the loop; with sockets that the next process will have, after what was taken from them is
 * answered, half a second at most. A second call ends it at once. */
void pin__app_leave(struct pin_app *app);

/** This process is about to end: one that was to take its place ends, too. It does not read yet,
 * unless it has become ready in this very moment: then what it has read is lost with it. */
void pin__app_call_off(struct pin_app *app);

/** Says to the process before that we are ready, once we are. */
enum pin_err pin__app_start_replace(struct pin_app *app, struct pin_why *why);

/** Has another process take this one's place, soon; returns the number of the attempt, which is the
 * one before while that is under way. 0: not yet. Loud. */
uint64_t pin__app_replace(struct pin_app *app);

/** Fills in how the admin page looks at that. */
void pin__app_hook_replace_admin(struct pin_admin_hooks *hooks);

/** Whether another process has taken this one's place. */
bool pin__app_is_replaced(const struct pin_app *app);

/** Ends it, and a process that was to take this one's place and has not. */
void pin__app_stop_replace(struct pin_app *app);

/** Frees it. The builder has stopped. */
void pin__app_free_replace(struct pin_app *app);

/** Starts the forwarder of a configuration for the threads of so many workers; NULL when nothing is
 * forwarded. While workers run it waits for a basis. */
enum pin_err pin__app_make_forward(const struct pin_app *app, const struct pin_config *config,
    size_t n_workers, struct pin_forward **ret_forward, struct pin_why *why);

/** Starts the admin page. */
enum pin_err pin__app_start_admin(struct pin_app *app, struct pin_why *why);
