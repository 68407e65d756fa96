/* SPDX-License-Identifier: Apache-2.0 */

/* The composition root: threads, signals, start and end. */

#include "resolver/app.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/dirwatch.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/rcu.h"
#include "pintle/base/supervisor.h"
#include "pintle/base/thread.h"
#include "pintle/sync/lookups.h"
#include "pintle/sync/prober.h"
#include "pintle/sync/publisher.h"
#include "pintle/sync/sync.h"
#include "pintle/version.h"

#include "resolver/app_state.h"
#include "resolver/feeds.h"
#include "resolver/limits.h"
#include "resolver/refuse.h"
#include "resolver/service.h"

/* How long the end waits for Leases on their way back; who waits for them sees it 15 s later. */
#define RELEASE_MS 1000

/* --- Zone files ----------------------------------------------------------------------------- */

static bool on_zonefile(void *arg, struct pin_zonefile *zonefile)
{
    const struct pin_app *app = arg;
    return pin_feed_zonefile(app->builder, zonefile);
}

/* --- Workers -------------------------------------------------------------------------------- */

static enum pin_err start_workers(struct pin_app *app, struct pin_why *why)
{
    const struct pin_config *config = app->config;
    struct pin_listen_spec *specs = calloc(config->n_listens, sizeof(*specs));
    app->listens = pin_arena_alloc(config->arena, config->n_listens * sizeof(*app->listens));
    if (specs == NULL || app->listens == NULL) {
        free(specs);
        return pin_why_set(why, PIN_ENOMEM, "%zu listeners", config->n_listens);
    }
    for (size_t i = 0; i < config->n_listens; i++) {
        const struct pin_config_listen *listen = &config->listens[i];
        specs[i] = (struct pin_listen_spec){.address = listen->address,
            .n_max_streams = listen->max_connections,
            .proxy = {.prefixes = listen->proxies, .n = listen->n_proxies},
            .tls = pin_certs_tls(app->files.certs, i),
            .https_path = listen->has_https ? listen->https_path : NULL,
            .cluster_id = listen->cluster == NULL
                              ? PIN_CLUSTER_NONE
                              : pin_settings_cluster(app->settings, listen->cluster)};
    }
    struct pin_workers_config workers = {.live = pin_builder_live(app->builder),
        .keys = pin_primary_keys(app->files.primary),
        .transfers = pin_primary_transfers(app->files.primary),
        .forward = app->forward,
        .manners = &config->manners,
        .tapper = app->tapper,
        .handover = app->handover,
        .is_held = app->is_held,
        .listens = specs,
        .n_listens = config->n_listens,
        .supervisor = app->supervisor,
        .streams = pin_config_stream_limits(config),
        .n_workers = pin_config_n_workers(config)};
    enum pin_err err = pin_workers_start(&workers, &app->workers, why);
    for (size_t i = 0; err == PIN_OK && i < config->n_listens; i++) {
        pin_workers_address(app->workers, i, &app->listens[i].address);
        app->listens[i].cluster = config->listens[i].cluster;
        app->listens[i].transports = specs[i].https_path != NULL ? "https"
                                     : specs[i].tls != NULL      ? "tls"
                                                                 : "udp tcp";
    }
    free(specs);
    return err;
}

enum pin_err pin__app_make_forward(const struct pin_app *app, const struct pin_config *config,
    size_t n_workers, struct pin_forward **ret_forward, struct pin_why *why)
{
    const struct pin_forward_config base = {.live = pin_builder_live(app->builder),
        .awaits_basis = app->workers != NULL,
        .n_ports = n_workers * (config->n_listens + 1), /* UDP of each listener, and streams */
        .n_threads = n_workers};
    return pin_config_start_forward(config, &base, ret_forward, why);
}

/* --- Greeting ------------------------------------------------------------------------------ */

static void start_greeting(struct pin_app *app)
{
    app->greeting = pin_greeting_start(&(struct pin_greeting_config){.program = app->program,
        .loop = app->loop,
        .builder = app->builder,
        .n_clusters = app->settings->n_clusters,
        .dns = app->listens[0].address,
        .admin = pin_admin_address(app->admin),
        .started_ms = app->started_ms});
}

/* Tells what started us that we answer, and goes on telling it how things are. */
static void start_service(struct pin_app *app)
{
    app->service = pin_service_start(&(struct pin_service_config){.supervisor = app->supervisor,
        .loop = app->loop,
        .builder = app->builder,
        .n_clusters = app->settings->n_clusters,
        .dns = app->listens[0].address});
    if (!app->is_held) { /* else once it answers */
        pin_service_begin(app->service);
    }
}

static void log_start(const struct pin_app *app)
{
    char text[PIN_ADDRPORT_TEXT_MAX];
    struct pin_addrport admin = pin_admin_address(app->admin);

    for (size_t i = 0; i < app->config->n_listens; i++) {
        const struct pin_admin_listen *listen = &app->listens[i];
        pin_log_write(NULL, PIN_LOG_INFO, "app: answering DNS on %s (%s)%s%s",
            pin_addrport_format(&listen->address, text), listen->transports,
            listen->cluster == NULL ? "" : " cluster=",
            listen->cluster == NULL ? "" : listen->cluster);
    }
    if (app->metrics != NULL) {
        struct pin_addrport metrics = pin_admin_address(app->metrics);
        pin_log_info("app: health and metrics on http://%s/", pin_addrport_format(&metrics, text));
    }
    pin_log_info("app: admin on %s://%s/",
        app->config->admin_tls.certificate != NULL ? "https" : "http",
        pin_addrport_format(&admin, text));
    pin_log_info("app: pintled " PIN_VERSION " started, clusters=%zu config=%s",
        app->config->n_clusters, app->config->file == NULL ? "none" : app->config->file);
}

/* --- Signals -------------------------------------------------------------------------------- */

static void on_lameduck_over(void *arg)
{
    pin__app_leave(arg);
}

/* SIGTERM gives load balancers time to look elsewhere; SIGINT, or a second SIGTERM, does not. */
static void end(struct pin_app *app, int signo)
{
    bool has_time = signo == SIGTERM && !app->is_ending && app->config->lameduck_ms > 0
                    && app->config->file != NULL;
    app->is_ending = true;
    pin__app_call_off(app);
    if (has_time) {
        pin_log_info("app: SIGTERM, /readyz says no from now on, ending in %llu ms",
            (unsigned long long)app->config->lameduck_ms);
        pin_admin_drain(app->admin);
        pin_admin_drain(app->metrics);
        pin_timer_start(app->lameduck, (int64_t)app->config->lameduck_ms, false);
    } else {
        pin_log_info("app: %s, ending", signo == SIGTERM ? "SIGTERM" : "SIGINT");
        pin_timer_stop(app->lameduck); /* its end would count as told a second time */
        pin__app_leave(app);
    }
    pin_service_stopping(app->service);
}

static void on_signal(int signo, void *arg)
{
    struct pin_app *app = arg;
    switch (signo) {
    case SIGHUP:
    case SIGUSR1: /* as CoreDNS's users send it */
        pin_log_info("app: %s: reading certificates and the configuration again",
            signo == SIGHUP ? "SIGHUP" : "SIGUSR1");
        pin_certs_reload(app->files.certs);
        (void)pin__app_reload(app);
        break;
    case SIGUSR2:
        (void)pin__app_replace(app);
        break;
    default:
        end(app, signo);
        break;
    }
}

static enum pin_err start_signals(struct pin_app *app, struct pin_why *why)
{
    static const int signos[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    for (size_t i = 0; i < N_ELEMS(signos); i++) {
        app->signals[i] = pin_signal_new(app->loop, signos[i], on_signal, app);
        if (app->signals[i] == NULL) {
            return pin_why_set(why, PIN_ENOMEM, "signals");
        }
    }
    return PIN_OK;
}

/* --- Life ----------------------------------------------------------------------------------- */

/* Threads inherit a full signal mask, so signals reach the control thread alone. */
static enum pin_err start_threads(struct pin_app *app, struct pin_why *why)
{
    sigset_t all;
    sigset_t before;
    app->files.waits_for_state = app->handover != NULL;
    struct pin_builder_config config = {.settings = app->settings, .loop = app->loop};
    pin__app_hook_sources(app, &config);
    pin__app_hook_records(app, &config);
    enum pin_err err = pin_app_files_begin(&app->files, app->config, app->settings, &config, why);
    if (err != PIN_OK) {
        return err;
    }
    config.zonefiles = pin_feed_first_zonefiles(app->files.zonefiles, app->config->arena);
    config.n_zonefiles = config.zonefiles != NULL ? pin_zonefiles_count(app->files.zonefiles) : 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pin_builder_start(&config, &app->builder, why);
    if (err == PIN_OK) {
        err = pin_app_files_start(&app->files, app->config, app->loop, app->builder, why);
    }
    if (err == PIN_OK) {
        struct pin_tap_config tap = app->config->tap;
        tap.settings = app->settings;
        tap.labels = pin_builder_live(app->builder)->policies;
        err = pin_tapper_new(&tap, &app->tapper, why);
    }
    if (err == PIN_OK) {
        err = pin__app_make_forward(
            app, app->config, pin_config_n_workers(app->config), &app->forward, why);
    }
    if (err == PIN_OK) {
        err = start_workers(app, why);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

static enum pin_err start_auditor(struct pin_app *app, struct pin_why *why)
{
    struct pin_audit_config config = {.loop = app->loop,
        .workers = app->workers,
        .settings = app->settings,
        .labels = pin_builder_live(app->builder)->policies};
    app->auditor = pin_auditor_new(&config);
    return app->auditor != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "the audit");
}

/* What all else is started with. */
static enum pin_err start_loop(struct pin_app *app, struct pin_why *why)
{
    app->started_ms = pin_clock_mono_ms();
    app->supervisor = pin_supervisor_new();
    if (app->supervisor == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "what the supervisor says");
    }
    if (!pin__app_take_handover(app)) {
        return pin_why_set(why, PIN_ENOMEM, "sockets of the process before");
    }
    app->is_held = app->handover != NULL || pin_supervisor_has_sockets(app->supervisor);
    pin_rcu_init();
    pin_limits_raise();
    (void)signal(SIGPIPE, SIG_IGN);
    app->settings = pin_arena_alloc(app->config->arena, sizeof(*app->settings));
    enum pin_err err = app->settings != NULL ? pin_config_settings(app->config, app->settings, why)
                                             : pin_why_set(why, PIN_ENOMEM, "settings");
    if (err != PIN_OK) {
        return err;
    }
    app->loop = pin_loop_new();
    if (app->loop == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the event loop");
    }
    app->dirwatch = pin_dirwatch_new(app->loop);
    app->lameduck = pin_timer_new(app->loop, on_lameduck_over, app);
    if (app->dirwatch == NULL || app->lameduck == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "watches and a timer");
    }
    return PIN_OK;
}

/* Whether probes or exec plugins will be run, as far as one can know now. */
static bool runs_programs(const struct pin_config *config)
{
    bool runs = config->n_commands > 0;
    for (size_t i = 0; i < config->n_clusters && !runs; i++) {
        const struct pin_config_cluster *cluster = &config->clusters[i];
        runs = cluster->source == PIN_CONFIG_CONTEXT
               && pin_kubeconfig_runs_program(cluster->kubeconfig, cluster->context);
    }
    return runs;
}

/* Started by root, by a supervisor, or as the one process of a container. */
static bool is_service(const struct pin_app *app)
{
    return geteuid() == 0 || getpid() == 1 || pin_supervisor_is_there(app->supervisor);
}

/* What asks, tells and writes elsewhere. */
static enum pin_err start_outside(struct pin_app *app, struct pin_why *why)
{
    enum pin_err err = pin__app_start_records(app, why);
    if (err == PIN_OK) {
        err = pin__app_start_sync(app, why);
    }
    if (err == PIN_OK) {
        err = pin__app_start_records_lease(app, why);
    }
    if (err == PIN_OK) {
        err = pin__app_start_publisher(app, why);
    }
    return err;
}

/* What follows files, and other configurations and processes. */
static enum pin_err start_following(
    struct pin_app *app, const struct pin_args *args, struct pin_why *why)
{
    enum pin_err err =
        pin_zonefiles_watch(app->files.zonefiles, app->loop, app->dirwatch, on_zonefile, app, why);
    if (err == PIN_OK) {
        err = pin_app_files_watch(&app->files, app->loop, app->dirwatch, why);
    }
    if (err == PIN_OK) {
        err = pin__app_start_reload(app, args, why);
    }
    if (err == PIN_OK) {
        err = pin__app_start_replace(app, why);
    }
    return err;
}

static enum pin_err app_start(struct pin_app *app, const struct pin_args *args, struct pin_why *why)
{
    enum pin_err err = start_loop(app, why);
    if (err == PIN_OK) { /* before any thread: what is given up, is given up by all */
        err = pin_sandbox_start(
            app->config, runs_programs(app->config), is_service(app), &app->sandbox, why);
    }
    if (err == PIN_OK) {
        err = start_threads(app, why);
    }
    if (err == PIN_OK) {
        err = pin__app_start_prober(app, why);
    }
    if (err == PIN_OK) {
        err = start_signals(app, why);
    }
    if (err == PIN_OK) {
        err = start_auditor(app, why);
    }
    if (err == PIN_OK) {
        err = pin__app_start_admin(app, why);
    }
    if (err == PIN_OK) {
        err = pin_feed_geo(app->config, app->settings, app->loop, app->builder, &app->geo, why);
    }
    if (err == PIN_OK) {
        err = start_outside(app, why);
    }
    if (err == PIN_OK) {
        err = start_following(app, args, why);
    }
    return err;
}

static void app_stop(struct pin_app *app)
{
    struct pin_lookups *lookups = app->lookups;
    app->lookups = NULL;
    pin__app_stop_reload(app);
    pin__app_stop_replace(app);
    pin__app_stop_records(app);
    pin_sync_release(app->sync, RELEASE_MS); /* these first: they turn the loop once more */
    pin_publisher_stop(app->publisher);
    pin_lookups_free(lookups);
    pin_sync_free(app->sync);
    pin_prober_free(app->prober);
    pin_auditor_free(app->auditor);
    pin_geo_stop(app->geo);
    pin_forward_halt(app->forward); /* it answers through the workers' sockets */
    pin_workers_stop(app->workers);
    pin_tapper_free(app->tapper);
    pin_primary_stop(app->files.primary, pin__app_is_replaced(app));
    pin_forward_free(app->forward);
    pin_keeper_leave(app->files.keeper);
    pin_builder_stop(app->builder);
    pin__app_free_reload(app);
    pin__app_free_replace(app);
    pin_publisher_free(app->publisher); /* the builder has its request no more */
    pin_app_files_free(&app->files);    /* whoever uses them has stopped, their loop is there */
    pin_admin_stop(app->metrics);
    pin_admin_stop(app->admin);
    pin_token_file_free(app->token_file);
    pin_admin_access_done(&app->access);
    for (size_t i = 0; i < N_ELEMS(app->signals); i++) {
        pin_signal_free(app->signals[i]);
    }
    pin_timer_free(app->lameduck);
    pin_greeting_free(app->greeting);
    pin_service_free(app->service);
    pin_supervisor_free(app->supervisor);
    pin_text_done(&app->sandbox.text);
    pin_dirwatch_free(app->dirwatch);
    pin_loop_free(app->loop);
    if (app->first != app->config) {
        pin_config_free(app->first);
    }
    pin_config_free(app->config);
}

enum pin_exit pin_app_run(const struct pin_args *args)
{
    struct pin_app app = {.program = args->program};
    struct pin_findings findings = {0};
    struct pin_why why = {0};

    pin__app_make_starter(&app, args); /* before there is anything to keep to ourselves */
    app.config = pin__app_load_config(args, &findings);
    app.first = app.config;
    pin_app_files_load(app.config, &findings, &app.files);
    if (findings.n > 0 || app.config->n_clusters == 0) {
        pin_app_files_free(&app.files);
        pin__app_stop_replace(&app);
        pin_config_free(app.config);
        return findings.n > 0 ? pin_refuse_findings(&findings) : pin_refuse_no_clusters();
    }
    pin_log_setup(
        (enum pin_log_level)app.config->log_level, (enum pin_log_format)app.config->log_format);
    enum pin_err err = app_start(&app, args, &why);
    if (err == PIN_OK) {
        log_start(&app);
        if (app.config->is_dev) {
            start_greeting(&app);
        }
        start_service(&app);
        pin_thread_be_brisk();
        pin_loop_run(app.loop);
        pin_log_info("app: ended");
    } else {
        /* that text names what there was no memory for, at most */
        pin_log_error("app: %s%s", err == PIN_ENOMEM ? "out of memory: " : "", why.text);
    }
    app_stop(&app);
    return err == PIN_OK        ? PIN_EXIT_OK
           : err == PIN_EDENIED ? PIN_EXIT_NOT_PERMITTED
                                : PIN_EXIT_FAILED;
}
