/* SPDX-License-Identifier: Apache-2.0 */

/* The composition root: the only file that sees sources, catalog and workers together. */

#include "resolver/app.h"

#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/dirwatch.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/rcu.h"
#include "pintle/sync/lookups.h"
#include "pintle/sync/prober.h"
#include "pintle/sync/sync.h"
#include "pintle/version.h"

#include "resolver/admin.h"
#include "resolver/app_files.h"
#include "resolver/audit.h"
#include "resolver/builder.h"
#include "resolver/dev.h"
#include "resolver/drain_store.h"
#include "resolver/forward.h"
#include "resolver/geo.h"
#include "resolver/greeting.h"
#include "resolver/worker.h"

#define CLUSTER_FILE "cluster.yaml"

/* The whole process. Zeroed is empty; app_stop() takes apart whatever is there. */
struct app {
    const char *program; /* argv[0] */
    struct pin_config *config;
    struct pin_settings settings;
    struct pin_loop *loop;
    struct pin_dirwatch *dirwatch; /* of all directories and files that are watched */
    struct pin_builder *builder;
    struct pin_forward *forward; /* NULL: names that are not ours are refused */
    struct pin_workers *workers;
    struct pin_admin *admin;
    struct pin_auditor *auditor;
    struct pin_tapper *tapper; /* NULL: nothing is noted */
    struct pin_sync *sync;
    struct pin_app_files files;
    struct pin_prober *prober;
    struct pin_lookups *lookups;
    struct pin_admin_listen *listens; /* the config's arena */
    struct pin_signal *signals[3];
    struct pin_geo *geo;
    struct pin_timer *lameduck;
    struct pin_greeting *greeting; /* of --dev */
    int64_t started_ms;            /* monotonic */
    bool is_ending;
};

/* --- Configuration ------------------------------------------------------------------------- */

/* What cluster.yaml says counts where the configuration is silent. */
static enum pin_err read_cluster_file(
    struct pin_config *config, struct pin_config_cluster *cluster, struct pin_why *why)
{
    struct pin_cluster_file file = {0};
    enum pin_err err = PIN_OK;

    if (cluster->source == PIN_CONFIG_DIRECTORY) {
        err = pin_cluster_file_read(cluster->directory, config->arena, &file, why);
    } else if (cluster->source == PIN_CONFIG_EMBEDDED) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s/%s", cluster->name, CLUSTER_FILE);
        const struct pin_dev_file *text = pin_dev_find(name);
        if (text != NULL) {
            err = pin_cluster_file_parse(
                text->name, text->text, text->text_bytes, config->arena, &file, why);
        }
    }
    if (err != PIN_OK) {
        return err;
    }
    if (cluster->network == NULL) {
        cluster->network = file.network;
    }
    if (!cluster->has_clients) {
        cluster->clients = file.clients;
        cluster->n_clients = file.n_clients;
        cluster->client_zones = file.client_zones;
    }
    cluster->zone = cluster->zone == NULL ? file.zone : cluster->zone;
    cluster->region = cluster->region == NULL ? file.region : cluster->region;
    return PIN_OK;
}

/* The configuration with what the cluster directories add, and all that is wrong with it. */
static struct pin_config *load_config(const struct pin_args *args, struct pin_findings *findings)
{
    struct pin_config *config = pin_config_load(args, pin_kubeconfig_contexts, findings);
    for (size_t i = 0; config != NULL && i < config->n_clusters; i++) {
        struct pin_why why = {0};
        if (read_cluster_file(config, &config->clusters[i], &why) != PIN_OK) {
            pin_findings_add(findings, NULL, (struct pin_at){0}, "%s", why.text);
        }
    }
    if (config != NULL) {
        pin_config_check_geo(config, findings);
        pin_manners_load(config, findings);
    }
    if (config == NULL) {
        pin_findings_add(findings, NULL, (struct pin_at){0}, "out of memory");
    } else if (config->n_clusters == 0 && findings->n == 0 && config->file != NULL) {
        pin_findings_add(findings, config->file, (struct pin_at){0},
            "no clusters: fill clusters:, or use --clusters-dir or --contexts");
    }
    return config;
}

static enum pin_exit complain(struct pin_findings *findings)
{
    enum pin_exit exit_code = findings->n_usage > 0 ? PIN_EXIT_USAGE : PIN_EXIT_FAILED;
    (void)fputs(pin_findings_text(findings), stderr);
    pin_findings_done(findings);
    return exit_code;
}

static enum pin_exit no_clusters(void)
{
    struct pin_text text = {0};
    pin_text_puts(&text, "pintled: no clusters were named. One of these:\n");
    pin_args_ways(&text);
    (void)fputs(pin_text_get(&text), stderr);
    pin_text_done(&text);
    return PIN_EXIT_USAGE;
}

/* A database that is not there yet does not keep pintled from starting, but is worth telling. */
static void check_geo(const struct pin_config *config, struct pin_findings *findings)
{
    static const struct pin_geo_rule rule; /* asks for nothing */
    const struct pin_settings nobody = {.geo_rules = &rule, .n_geo_rules = 1};
    struct pin_geo_places places = {0};
    struct pin_why why = {0};
    if (config->geo_database != NULL
        && pin_geo_read(config->geo_database, &nobody, &places, &why) != PIN_OK) {
        pin_findings_add(findings, config->file, (struct pin_at){0}, "geo.database: %s", why.text);
    }
    free(places.entries);
}

enum pin_exit pin_app_check(const struct pin_args *args)
{
    struct pin_findings findings = {0};
    struct pin_config *config = load_config(args, &findings);
    struct pin_app_files files;
    pin_app_files_load(config, &findings, &files);
    enum pin_exit exit_code = PIN_EXIT_OK;

    if (findings.n == 0) {
        check_geo(config, &findings);
    }
    if (findings.n > 0) {
        exit_code = complain(&findings);
    } else if (config->n_clusters == 0) {
        exit_code = no_clusters();
    } else {
        (void)printf("%s: valid, %zu clusters\n",
            config->file == NULL ? "command line" : config->file, config->n_clusters);
        pin_app_files_note(config, pin_kubeconfig_contexts, &findings);
        (void)fputs(pin_findings_text(&findings), stderr);
        pin_findings_done(&findings);
    }
    pin_app_files_free(&files);
    pin_config_free(config);
    return exit_code;
}

/* --- Sources -------------------------------------------------------------------------------- */

static bool on_delta(void *arg, struct pin_delta *delta)
{
    struct app *app = arg;
    return pin_builder_push(app->builder, delta);
}

static void on_room(void *arg)
{
    struct app *app = arg;
    if (app->sync != NULL) {
        pin_sync_resume(app->sync);
    }
}

/* Policies began or ceased to ask for namespaces. */
static void on_wants_pods(void *arg)
{
    struct app *app = arg;
    if (app->sync != NULL) {
        pin_sync_want_pods(app->sync, pin_builder_wants_pods(app->builder));
    }
}

/* The embedded manifests of a cluster, in the config's arena. */
static const struct pin_embedded_file *embedded_files(
    const struct app *app, const char *cluster, size_t *ret_n)
{
    struct pin_embedded_file *files =
        pin_arena_alloc(app->config->arena, pin_dev_n_files * sizeof(*files));
    size_t len = strlen(cluster);
    size_t n = 0;
    for (size_t i = 0; files != NULL && i < pin_dev_n_files; i++) {
        const struct pin_dev_file *file = &pin_dev_files[i];
        if (strncmp(file->name, cluster, len) == 0 && file->name[len] == '/'
            && strcmp(file->name + len + 1, CLUSTER_FILE) != 0) {
            files[n++] = (struct pin_embedded_file){
                .name = file->name, .text = file->text, .text_bytes = file->text_bytes};
        }
    }
    *ret_n = n;
    return files;
}

static struct pin_source_spec source_of(const struct app *app, size_t i)
{
    static const enum pin_source_kind kinds[] = {
        [PIN_CONFIG_NOWHERE] = PIN_SOURCE_DIRECTORY, /* pin_config_check() lets none through */
        [PIN_CONFIG_DIRECTORY] = PIN_SOURCE_DIRECTORY,
        [PIN_CONFIG_CONTEXT] = PIN_SOURCE_CONTEXT,
        [PIN_CONFIG_IN_CLUSTER] = PIN_SOURCE_IN_CLUSTER,
        [PIN_CONFIG_EMBEDDED] = PIN_SOURCE_EMBEDDED,
    };
    const struct pin_config_cluster *cluster = &app->config->clusters[i];
    struct pin_source_spec spec = {.cluster_id = (uint16_t)i,
        .cluster = cluster->name,
        .kind = kinds[cluster->source],
        .directory = cluster->directory,
        .kubeconfig = cluster->kubeconfig,
        .context = cluster->context};
    if (cluster->source == PIN_CONFIG_EMBEDDED) {
        spec.files = embedded_files(app, cluster->name, &spec.n_files);
    }
    return spec;
}

/* Control's thread: the builder wants other host names looked up. */
static void on_wanted(void *arg)
{
    const struct app *app = arg;
    struct pin_wanted *wanted = pin_builder_take_wanted(app->builder);
    if (wanted != NULL && app->lookups != NULL) {
        pin_lookups_want(app->lookups, wanted);
    }
    free(wanted);
}

static enum pin_err start_sync(struct app *app, struct pin_why *why)
{
    size_t n = app->config->n_clusters;
    struct pin_sync_sink sink = {.push = on_delta, .arg = app};
    app->lookups =
        pin_lookups_new(app->loop, app->config->resolvers, app->config->n_resolvers, &sink);
    struct pin_source_spec *specs = calloc(n, sizeof(*specs));
    if (specs == NULL || app->lookups == NULL) {
        free(specs);
        return pin_why_set(why, PIN_ENOMEM, "%zu clusters", n);
    }
    for (size_t i = 0; i < n; i++) {
        specs[i] = source_of(app, i);
    }
    const struct pin_sync_config config = {
        .loop = app->loop, .dirwatch = app->dirwatch, .specs = specs, .n_specs = n, .sink = sink};
    enum pin_err err = pin_sync_new(&config, &app->sync, why);
    free(specs);
    if (err == PIN_OK) {
        pin_sync_start(app->sync);
    }
    return err;
}

/* --- Zone files ----------------------------------------------------------------------------- */

/* One zone on its way to the builder. */
struct zone_call {
    struct pin_zonefile *zonefile;
};

/* Builder's thread. */
static void set_zonefile(struct pin_catalog *catalog, void *arg)
{
    struct zone_call *call = arg;
    struct pin_why why = {0};
    if (pin_catalog_set_zonefile(catalog, call->zonefile, &why) != PIN_OK) {
        pin_log_error("app: a zone file is not served: %s", why.text);
    }
}

static void on_zonefile_set(void *arg)
{
    free(arg);
}

static bool on_zonefile(void *arg, struct pin_zonefile *zonefile)
{
    const struct app *app = arg;
    struct zone_call *call = calloc(1, sizeof(*call));
    if (call == NULL) {
        return false;
    }
    call->zonefile = zonefile;
    if (!pin_builder_call(app->builder, set_zonefile, on_zonefile_set, call)) {
        free(call);
        return false;
    }
    return true;
}

/* What was read at the start, for the builder to take. */
static struct pin_zonefile **take_zonefiles(const struct app *app)
{
    size_t n = pin_zonefiles_count(app->files.zonefiles);
    struct pin_zonefile **zonefiles =
        pin_arena_alloc(app->config->arena, n * sizeof(struct pin_zonefile *));
    for (size_t i = 0; zonefiles != NULL && i < n; i++) {
        zonefiles[i] = pin_zonefiles_take(app->files.zonefiles, i);
    }
    return zonefiles;
}

/* --- Probes --------------------------------------------------------------------------------- */

static void on_probes(void *arg)
{
    struct app *app = arg;
    if (app->prober != NULL) {
        pin_prober_take_orders(app->prober);
    }
}

static void on_flip(void *arg)
{
    struct app *app = arg;
    pin_builder_wake(app->builder);
}

static enum pin_err start_prober(struct app *app, struct pin_why *why)
{
    const struct pin_config *config = app->config;
    struct pin_prober_command *commands =
        pin_arena_alloc(config->arena, (config->n_commands + 1) * sizeof(*commands));
    if (commands == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu commands", config->n_commands);
    }
    for (size_t i = 0; i < config->n_commands; i++) {
        commands[i] = (struct pin_prober_command){.name = config->commands[i].name,
            .argv = config->commands[i].argv,
            .n_argv = config->commands[i].n_argv};
    }
    struct pin_prober_config prober = {.loop = app->loop,
        .health = pin_builder_live(app->builder)->health,
        .max_per_second = config->probes_per_second,
        .commands = commands,
        .n_commands = config->n_commands,
        .on_flip = on_flip,
        .arg = app};
    return pin_prober_new(&prober, &app->prober, why);
}

/* --- Geo ------------------------------------------------------------------------------------ */

/* Places on their way to the builder's thread and back. */
struct delivery {
    struct pin_geo_places places;
};

/* Builder's thread. */
static void take_places(struct pin_catalog *catalog, void *arg)
{
    const struct delivery *delivery = arg;
    if (!pin_catalog_set_places(catalog, delivery->places.entries, delivery->places.n)) {
        pin_log_error("geo: out of memory, strangers' places stay as they were");
    }
    (void)pin_catalog_publish(catalog, (uint64_t)pin_clock_mono_ms());
}

static void on_places_taken(void *arg)
{
    struct delivery *delivery = arg;
    free(delivery->places.entries);
    free(delivery);
}

static void on_places(void *arg, struct pin_geo_places *places)
{
    struct app *app = arg;
    struct delivery *delivery = malloc(sizeof(*delivery));
    if (delivery != NULL) {
        delivery->places = *places;
    }
    if (delivery == NULL
        || !pin_builder_call(app->builder, take_places, on_places_taken, delivery)) {
        pin_log_error("geo: strangers' places stay as they were until the file changes again");
        free(places->entries);
        free(delivery);
    }
}

static enum pin_err start_geo(struct app *app, struct pin_why *why)
{
    if (app->config->geo_database == NULL) {
        return PIN_OK;
    }
    app->geo = pin_geo_start(app->loop, app->config->geo_database, &app->settings, on_places, app);
    return app->geo != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "geo");
}

/* --- Workers -------------------------------------------------------------------------------- */

static enum pin_err start_workers(struct app *app, struct pin_why *why)
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
                              : pin_settings_cluster(&app->settings, listen->cluster)};
    }
    struct pin_workers_config workers = {.live = pin_builder_live(app->builder),
        .keys = pin_primary_keys(app->files.primary),
        .transfers = pin_primary_transfers(app->files.primary),
        .forward = app->forward,
        .manners = &config->manners,
        .tapper = app->tapper,
        .listens = specs,
        .n_listens = config->n_listens,
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

/* --- Admin ---------------------------------------------------------------------------------- */

static void on_source(void *arg, size_t cluster_id, struct pin_admin_source *ret_source)
{
    const struct app *app = arg;
    struct pin_sync_cluster_stats stats = {0};

    *ret_source = (struct pin_admin_source){.source = "", .error = "", .hint = ""};
    if (app->sync == NULL || cluster_id >= pin_sync_n_clusters(app->sync)) {
        return;
    }
    pin_sync_cluster_stats(app->sync, cluster_id, &stats);
    ret_source->source = stats.source;
    ret_source->error = stats.error;
    ret_source->hint = stats.hint;
    ret_source->last_event_wall_ms = stats.last_event_wall_ms;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        ret_source->n_restarts[kind] = stats.kinds[kind].n_restarts;
        ret_source->n_bad[kind] = stats.kinds[kind].n_bad;
    }
}

static void on_zonefile_status(void *arg, size_t i, struct pin_zonefile_status *ret_status)
{
    const struct app *app = arg;
    pin_zonefiles_status(app->files.zonefiles, i, ret_status);
}

static bool on_lookup(void *arg, size_t i, struct pin_lookup_stats *ret_lookup)
{
    const struct app *app = arg;
    if (app->lookups == NULL || i >= pin_lookups_n(app->lookups)) {
        return false;
    }
    pin_lookups_stats(app->lookups, i, ret_lookup);
    return true;
}

static void on_sources_json(void *arg, struct pin_jsonout *out)
{
    const struct app *app = arg;
    if (app->sync != NULL) {
        pin_sync_status_json(app->sync, out);
    } else {
        pin_jsonout_array(out);
        pin_jsonout_end(out);
    }
}

static void on_health(void *arg, struct pin_health_stats *ret_stats)
{
    const struct app *app = arg;
    *ret_stats = pin_prober_stats(app->prober);
}

static struct pin_notify_stats on_notify(void *arg)
{
    const struct app *app = arg;
    return pin_primary_notify_stats(app->files.primary);
}

static enum pin_err start_admin(struct app *app, struct pin_why *why)
{
    struct pin_admin_config config = {.address = app->config->admin,
        .loop = app->loop,
        .builder = app->builder,
        .workers = app->workers,
        .forward = app->forward,
        .settings = &app->settings,
        .listens = app->listens,
        .n_listens = app->config->n_listens,
        .certs = app->files.certs,
        .tapper = app->tapper,
        .state_dir = app->config->state_dir,
        .hooks = {.source = on_source,
            .sources_json = on_sources_json,
            .lookup = on_lookup,
            .zonefile = on_zonefile_status,
            .health = on_health,
            .notify = on_notify,
            .arg = app}};
    return pin_admin_start(&config, &app->admin, why);
}

static void start_greeting(struct app *app)
{
    app->greeting = pin_greeting_start(&(struct pin_greeting_config){.program = app->program,
        .loop = app->loop,
        .builder = app->builder,
        .n_clusters = app->settings.n_clusters,
        .dns = app->listens[0].address,
        .admin = pin_admin_address(app->admin),
        .started_ms = app->started_ms});
}

static void log_start(const struct app *app)
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
    pin_log_info("app: admin on http://%s/", pin_addrport_format(&admin, text));
    pin_log_info("app: pintled " PIN_VERSION " started, clusters=%zu config=%s",
        app->config->n_clusters, app->config->file == NULL ? "none" : app->config->file);
}

/* --- Signals -------------------------------------------------------------------------------- */

static void on_lameduck_over(void *arg)
{
    struct app *app = arg;
    pin_loop_stop(app->loop);
}

/* SIGTERM gives load balancers time to look elsewhere; SIGINT, or a second SIGTERM, does not. */
static void on_signal(int signo, void *arg)
{
    struct app *app = arg;
    if (signo == SIGHUP) {
        pin_log_info("app: SIGHUP: reading certificates again, all else goes on as before");
        pin_certs_reload(app->files.certs);
        return;
    }
    bool has_time = signo == SIGTERM && !app->is_ending && app->config->lameduck_ms > 0
                    && app->config->file != NULL;
    if (has_time) {
        pin_log_info("app: SIGTERM, /readyz says no from now on, ending in %llu ms",
            (unsigned long long)app->config->lameduck_ms);
        pin_admin_drain(app->admin);
        pin_timer_start(app->lameduck, (int64_t)app->config->lameduck_ms, false);
    } else {
        pin_log_info("app: %s, ending", signo == SIGTERM ? "SIGTERM" : "SIGINT");
        pin_loop_stop(app->loop);
    }
    app->is_ending = true;
}

static enum pin_err start_signals(struct app *app, struct pin_why *why)
{
    static const int signos[] = {SIGTERM, SIGINT, SIGHUP};
    for (size_t i = 0; i < N_ELEMS(signos); i++) {
        app->signals[i] = pin_signal_new(app->loop, signos[i], on_signal, app);
        if (app->signals[i] == NULL) {
            return pin_why_set(why, PIN_ENOMEM, "signals");
        }
    }
    return PIN_OK;
}

/* --- Life ----------------------------------------------------------------------------------- */

/* Each cluster and each TCP client costs descriptors: all that we may have. */
static void raise_limits(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) {
        return;
    }
    rlim_t before = limit.rlim_cur;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) == 0) {
        pin_log_debug("app: the limit of open descriptors was %llu, it is %llu now",
            (unsigned long long)before, (unsigned long long)limit.rlim_max);
    }
}

/* Threads inherit a full signal mask, so signals reach the control thread alone. */
static enum pin_err start_threads(struct app *app, struct pin_why *why)
{
    sigset_t all;
    sigset_t before;
    struct pin_builder_config config = {.settings = &app->settings,
        .loop = app->loop,
        .on_room = on_room,
        .on_room_arg = app,
        .on_probes = on_probes,
        .on_probes_arg = app,
        .on_wants_pods = on_wants_pods,
        .on_wants_pods_arg = app,
        .on_wanted = on_wanted,
        .on_wanted_arg = app};
    enum pin_err err = pin_primary_open(app->files.primary, &config, why);
    if (err != PIN_OK) {
        return err;
    }
    config.zonefiles = take_zonefiles(app);
    config.n_zonefiles = config.zonefiles != NULL ? pin_zonefiles_count(app->files.zonefiles) : 0;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pin_builder_start(&config, &app->builder, why);
    if (err == PIN_OK) {
        err = pin_primary_start(app->files.primary, app->loop, app->builder, why);
    }
    if (err == PIN_OK) {
        err = pin_tapper_new(&app->config->tap, &app->tapper, why);
    }
    if (err == PIN_OK) {
        err = pin_config_start_forward(
            app->config, pin_builder_live(app->builder), &app->forward, why);
    }
    if (err == PIN_OK) {
        err = start_workers(app, why);
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return err;
}

static enum pin_err start_auditor(struct app *app, struct pin_why *why)
{
    struct pin_audit_config config = {.loop = app->loop,
        .workers = app->workers,
        .settings = &app->settings,
        .labels = pin_builder_live(app->builder)->policies};
    app->auditor = pin_auditor_new(&config);
    return app->auditor != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "the audit");
}

static enum pin_err app_start(struct app *app, struct pin_why *why)
{
    app->started_ms = pin_clock_mono_ms();
    pin_rcu_init();
    raise_limits();
    (void)signal(SIGPIPE, SIG_IGN);
    enum pin_err err = pin_config_settings(app->config, &app->settings, why);
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
    err = start_threads(app, why);
    if (err == PIN_OK) {
        err = start_prober(app, why);
    }
    if (err == PIN_OK) {
        err = start_signals(app, why);
    }
    if (err == PIN_OK) {
        err = start_auditor(app, why);
    }
    if (err == PIN_OK) {
        err = start_admin(app, why);
    }
    if (err == PIN_OK) {
        err = start_geo(app, why);
    }
    if (err == PIN_OK) {
        err = pin_drain_store_restore(app->config->state_dir, app->builder, why);
    }
    if (err == PIN_OK) {
        err = start_sync(app, why);
    }
    if (err == PIN_OK) {
        err = pin_zonefiles_watch(
            app->files.zonefiles, app->loop, app->dirwatch, on_zonefile, app, why);
    }
    if (err == PIN_OK) {
        err = pin_app_files_watch(&app->files, app->loop, app->dirwatch, why);
    }
    return err;
}

static void app_stop(struct app *app)
{
    struct pin_lookups *lookups = app->lookups;
    app->lookups = NULL;
    pin_lookups_free(lookups); /* first: it turns the loop once more */
    pin_sync_free(app->sync);
    pin_prober_free(app->prober);
    pin_auditor_free(app->auditor);
    pin_geo_stop(app->geo);
    pin_forward_halt(app->forward); /* it answers through the workers' sockets */
    pin_workers_stop(app->workers);
    pin_tapper_free(app->tapper);
    pin_primary_stop(app->files.primary);
    pin_forward_free(app->forward);
    pin_builder_stop(app->builder);
    pin_app_files_free(&app->files); /* whoever uses them has stopped, their loop is there */
    pin_admin_stop(app->admin);
    for (size_t i = 0; i < N_ELEMS(app->signals); i++) {
        pin_signal_free(app->signals[i]);
    }
    pin_timer_free(app->lameduck);
    pin_greeting_free(app->greeting);
    pin_dirwatch_free(app->dirwatch);
    pin_loop_free(app->loop);
    pin_config_free(app->config);
}

enum pin_exit pin_app_run(const struct pin_args *args)
{
    struct app app = {.program = args->program};
    struct pin_findings findings = {0};
    struct pin_why why = {0};

    app.config = load_config(args, &findings);
    pin_app_files_load(app.config, &findings, &app.files);
    if (findings.n > 0 || app.config->n_clusters == 0) {
        pin_app_files_free(&app.files);
        pin_config_free(app.config);
        return findings.n > 0 ? complain(&findings) : no_clusters();
    }
    pin_log_setup(
        (enum pin_log_level)app.config->log_level, (enum pin_log_format)app.config->log_format);
    enum pin_err err = app_start(&app, &why);
    if (err == PIN_OK) {
        log_start(&app);
        if (app.config->is_dev) {
            start_greeting(&app);
        }
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
