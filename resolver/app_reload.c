/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Another configuration while all goes on:
 *
 *     SIGHUP, the file, the admin page -> read and check -> prepare -> builder: a catalog beside
 *         -> workers change over -> control follows: sources, files -> what was before is freed
 *
 * Up to the moment at which workers change over anything may fail, and nothing has changed. From
 * then on nothing can fail that answers depend on. One reload at a time; another one waits.
 */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/sync/lookups.h"
#include "pintle/sync/prober.h"
#include "pintle/sync/sync.h"

#include "resolver/app_state.h"
#include "resolver/config_change.h"
#include "resolver/feeds.h"
#include "resolver/filewatch.h"
#include "resolver/metrics.h"
#include "resolver/service.h"
#include "resolver/tap.h"

/* A ConfigMap is swapped by a few renames, an editor writes in steps. */
#define SETTLE_MS 500
/* Whoever waits for a forwarder is answered within three seconds. */
#define DRAIN_MAX_MS     4000
#define DRAIN_LOOK_MS    10
#define CONFIG_MAX_BYTES ((size_t)16 << 20)

/* What a reload has made and not handed over yet. */
struct attempt {
    struct pin_app *app;
    struct pin_config *config;
    struct pin_config *before; /* the one whose place it took */
    struct pin_settings *settings;
    struct pin_app_files files; /* only zone files are kept */
    struct pin_geo_places places;
    struct pin_sync_next *sync;
    struct pin_basis basis;
    struct pin_primary *primary;    /* whose keys nobody uses: not yet, or not any more */
    struct pin_tap_outlets outlets; /* that nobody has taken */
    bool has_outlets;
    struct pin_forward *forward; /* that nobody uses: not yet, or not any more */
    const char *const *sources;
    struct pin_text changed;
    struct pin_builder_change change;
    uint16_t ids[PIN_CLUSTERS_MAX];
    uint64_t number;
    int64_t begun_ms;
    int64_t over_ms; /* since then no thread has the basis before */
    bool was_idle;   /* the forwarder, at the last look */
};

struct pin_reload {
    struct pin_app *app;
    struct pin_args args;
    struct pin_filewatch *watch; /* NULL: there is no file */
    struct pin_timer *soon;
    struct pin_timer *drain; /* of the forwarder before */
    char *text;              /* of the file when it was read last; NULL: never */
    size_t text_bytes;
    struct attempt *now;  /* under way; NULL: none is */
    struct attempt *last; /* whose basis and configuration count; NULL: those of the start */
    uint64_t n_asked;     /* attempts by number */
    uint64_t n_begun;
    uint64_t n_ended;
    uint64_t n_good;
    uint64_t n_failed;
    int64_t good_wall_ms;
    bool has_failed; /* the last one did */
    bool is_stopping;
    struct pin_text error;   /* why */
    struct pin_text changed; /* keys, by the last good one */
};

/* --- the file ------------------------------------------------------------------------------- */

/* Reads the file to know later whether it is another one. False: it cannot be read. */
static bool read_text(struct pin_reload *reload, char **ret_text, size_t *ret_bytes)
{
    const char *file = reload->app->first->file;
    return file != NULL
           && pin_file_read(file, CONFIG_MAX_BYTES, ret_text, ret_bytes, NULL) == PIN_OK;
}

static void keep_text(struct pin_reload *reload)
{
    free(reload->text);
    reload->text = NULL;
    reload->text_bytes = 0;
    (void)read_text(reload, &reload->text, &reload->text_bytes);
}

/* The file's directory had events, or it is time to look. */
static void look(void *arg)
{
    struct pin_reload *reload = arg;
    char *text = NULL;
    size_t bytes = 0;
    pin_filewatch_add(reload->watch, reload->app->first->file);
    if (!read_text(reload, &text, &bytes)) {
        return; /* it is being replaced; one that stays away is no configuration */
    }
    bool is_same = reload->text != NULL && bytes == reload->text_bytes
                   && memcmp(text, reload->text, bytes) == 0;
    free(text);
    if (!is_same && reload->now == NULL) {
        pin_log_info("reload: '%s' has changed", reload->app->first->file);
        (void)pin__app_reload(reload->app);
    }
}

/* --- an attempt ----------------------------------------------------------------------------- */

static void attempt_free(struct attempt *attempt)
{
    if (attempt == NULL) {
        return;
    }
    pin_forward_halt(attempt->forward);
    pin_forward_free(attempt->forward);
    pin_primary_free(attempt->primary);
    pin_tap_outlets_close(&attempt->outlets);
    pin_sync_discard(attempt->sync);
    for (size_t i = 0; i < attempt->change.n_zonefiles; i++) {
        pin_zonefile_free(attempt->change.zonefiles[i]); /* the builder has not taken them */
    }
    pin_app_files_free(&attempt->files);
    free(attempt->places.entries);
    pin_text_done(&attempt->changed);
    if (attempt->config != attempt->app->config && attempt->config != attempt->app->first) {
        pin_config_free(attempt->config);
    }
    free(attempt);
}

/* The next one, if it was asked for meanwhile. */
static void end(struct pin_reload *reload)
{
    reload->n_ended = reload->n_begun;
    reload->now = NULL;
    pin_service_ready(
        reload->app->service, reload->has_failed ? pin_text_get(&reload->error) : NULL);
    if (reload->n_asked > reload->n_begun && !reload->is_stopping) {
        pin_timer_start(reload->soon, 0, false);
    }
}

/* Frees a forwarder that no worker's basis names. */
static void retire_forward(struct attempt *attempt)
{
    if (attempt != NULL) {
        pin_forward_retire(attempt->forward);
        attempt->forward = NULL;
    }
}

static void fail(struct pin_reload *reload, const char *text)
{
    reload->n_failed++;
    reload->has_failed = true;
    pin_text_cut(&reload->error, 0);
    pin_text_puts(&reload->error, text);
    while (reload->error.len > 0 && reload->error.ptr[reload->error.len - 1] == '\n') {
        pin_text_cut(&reload->error, reload->error.len - 1);
    }
    pin_log_error("reload: nothing was changed: %s", pin_text_get(&reload->error));
    retire_forward(reload->now);
    attempt_free(reload->now);
    end(reload);
}

static void fail_why(struct pin_reload *reload, const struct pin_why *why)
{
    char text[sizeof(why->text)];
    memcpy(text, why->text, sizeof(text)); /* it may belong to the attempt */
    fail(reload, text);
}

/* Reads and checks all that the configuration names, as a start does. */
static void load(
    struct attempt *attempt, const struct pin_args *args, struct pin_findings *findings)
{
    struct pin_app *app = attempt->app;
    attempt->config = pin__app_load_config(args, findings);
    if (findings->n == 0) {
        pin_config_compare(app->config, attempt->config, findings, &attempt->changed);
    }
    if (findings->n == 0) {
        pin_app_files_load(attempt->config, findings, &attempt->files);
    }
    if (findings->n == 0 && attempt->config->n_clusters == 0) {
        pin_findings_add(findings, attempt->config->file, (struct pin_at){0}, "no clusters");
    }
}

/* Who goes on: clusters by name; their sources where they come from the same place. */
static void match_clusters(struct attempt *attempt, size_t *from)
{
    const struct pin_config *old = attempt->app->config;
    const struct pin_config *now = attempt->config;
    for (size_t i = 0; i < now->n_clusters; i++) {
        from[i] = PIN_SYNC_NEW;
    }
    for (size_t i = 0; i < old->n_clusters; i++) {
        uint16_t id = pin_settings_cluster(attempt->settings, old->clusters[i].name);
        attempt->ids[i] = id;
        if (id != PIN_CLUSTER_NONE
            && pin_config_same_source(&old->clusters[i], &now->clusters[id])) {
            from[id] = i;
        }
    }
}

/* Whose Lease says that we write records, its source is asked for it. */
static enum pin_err check_lease(
    const struct attempt *attempt, const size_t *from, struct pin_why *why)
{
    const char *cluster = attempt->app->config->records_lease_cluster;
    uint16_t id = cluster != NULL ? pin_settings_cluster(attempt->settings, cluster) : 0;
    if (cluster != NULL && (id == PIN_CLUSTER_NONE || from[id] == PIN_SYNC_NEW)) {
        return pin_why_set(why, PIN_EINVAL, "cluster \"%s\": recordsLease is kept there: %s",
            cluster, pin_config_needs_process());
    }
    return PIN_OK;
}

static enum pin_err prepare_sync(struct attempt *attempt, struct pin_why *why)
{
    struct pin_app *app = attempt->app;
    struct pin_sync_config config;
    struct pin_sync_writes writes;
    size_t *from =
        pin_arena_alloc(attempt->config->arena, (attempt->config->n_clusters + 1) * sizeof(*from));
    pin__app_sync_config(app, &config, &writes);
    config.specs = pin__app_specs(attempt->config);
    config.n_specs = attempt->config->n_clusters;
    config.max_objects = attempt->settings->max_objects;
    if (from == NULL || config.specs == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "clusters");
    }
    match_clusters(attempt, from);
    enum pin_err err = check_lease(attempt, from, why);
    return err == PIN_OK ? pin_sync_prepare(app->sync, &config, from, &attempt->sync, why) : err;
}

static enum pin_err prepare_manners(struct attempt *attempt, struct pin_why *why)
{
    struct pin_app *app = attempt->app;
    struct pin_manners *manners = &attempt->config->manners;
    pin_manners_inherit(manners, &app->config->manners);
    attempt->files.cookies = NULL; /* the configuration has it */
    return pin_workers_fit_manners(app->workers, manners, why);
}

/* Another forwarder, if there is to be one: its resolvers, whom they are vouched for by, or its
 * cache are others. */
static enum pin_err prepare_forward(struct attempt *attempt, struct pin_why *why)
{
    const struct pin_app *app = attempt->app;
    attempt->basis.forward = app->forward;
    if (!pin_config_differs(app->config, attempt->config, "forward")
        && !pin_config_differs(app->config, attempt->config, "cache")
        && !pin_forward_is_outdated(app->forward)) {
        return PIN_OK;
    }
    enum pin_err err = pin__app_make_forward(
        app, attempt->config, pin_workers_n(app->workers), &attempt->forward, why);
    attempt->basis.forward = attempt->forward;
    if (attempt->forward != NULL && app->forward != NULL) {
        pin_forward_inherit(attempt->forward, app->forward);
    }
    if (err == PIN_OK) {
        pin_forward_equip(
            attempt->forward, &attempt->config->manners, attempt->basis.keys, app->tapper);
    }
    return err;
}

/* Keys and who may transfer what. They are read again with each reload. */
static void prepare_primary(struct attempt *attempt)
{
    attempt->primary = attempt->files.primary;
    attempt->files.primary = NULL;
    pin_primary_inherit(attempt->primary, attempt->app->files.primary);
    attempt->basis.keys = pin_primary_keys(attempt->primary);
    attempt->basis.transfers = pin_primary_transfers(attempt->primary);
}

/* Files and connections of the query log and dnstap, when these are others. */
static enum pin_err prepare_tap(struct attempt *attempt, struct pin_why *why)
{
    const struct pin_app *app = attempt->app;
    attempt->has_outlets = pin_config_differs(app->config, attempt->config, "queryLog")
                           || pin_config_differs(app->config, attempt->config, "dnstap");
    return attempt->has_outlets
               ? pin_tapper_prepare(app->tapper, &attempt->config->tap, &attempt->outlets, why)
               : PIN_OK;
}

static void set_basis(struct attempt *attempt)
{
    const struct pin_config *config = attempt->config;
    attempt->basis.manners = &config->manners;
    for (size_t i = 0; i < config->n_listens && i < PIN_LISTENS_MAX; i++) {
        const char *cluster = config->listens[i].cluster;
        attempt->basis.clusters[i] =
            cluster == NULL ? PIN_CLUSTER_NONE : pin_settings_cluster(attempt->settings, cluster);
    }
}

/* All that can fail, and touches nothing that is in use. */
static enum pin_err prepare(struct attempt *attempt, struct pin_why *why)
{
    struct pin_config *config = attempt->config;
    attempt->settings = pin_arena_alloc(config->arena, sizeof(*attempt->settings));
    attempt->sources = pin_app_sources(config);
    if (attempt->settings == NULL || attempt->sources == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "settings");
    }
    enum pin_err err = pin_config_settings(config, attempt->settings, why);
    if (err == PIN_OK && config->geo_database != NULL
        && pin_geo_read(config->geo_database, attempt->settings, &attempt->places, why) != PIN_OK) {
        pin_log_warn("reload: %s", why->text); /* as at a start: it is looked at again */
    }
    if (err == PIN_OK) {
        err = prepare_sync(attempt, why);
    }
    if (err == PIN_OK) {
        err = prepare_manners(attempt, why);
    }
    prepare_primary(attempt);
    if (err == PIN_OK) {
        err = prepare_tap(attempt, why);
    }
    if (err == PIN_OK) { /* last: it has threads */
        err = prepare_forward(attempt, why);
    }
    set_basis(attempt);
    return err;
}

/* --- the change ----------------------------------------------------------------------------- */

/* Builder's thread: from now on workers answer by the other settings. */
static void on_change_over(void *arg, struct pin_catalog *catalog, const struct pin_live *live)
{
    struct attempt *attempt = arg;
    const struct pin_app *app = attempt->app;
    attempt->basis.live = live;
    attempt->basis.number = attempt->number;
    pin_workers_give_basis(app->workers, &attempt->basis);
    pin_forward_give_basis(app->forward, &attempt->basis);
    pin_forward_give_basis(attempt->forward, &attempt->basis);
    pin_keeper_follow(app->files.keeper, catalog, attempt->settings, attempt->sources);
}

static bool on_zonefile(void *arg, struct pin_zonefile *zonefile)
{
    const struct pin_app *app = arg;
    return pin_feed_zonefile(app->builder, zonefile);
}

/* A cookie secret from another file is followed there. */
static enum pin_err follow_cookies(struct pin_app *app, struct pin_why *why)
{
    struct pin_cookie_file *before = app->files.cookies;
    app->files.cookies = app->config->manners.cookie_file;
    if (app->files.cookies == before) {
        return PIN_OK;
    }
    pin_cookie_file_unwatch(before);
    return pin_cookie_file_watch(app->files.cookies, app->loop, app->dirwatch, why);
}

/* Files are followed that the other configuration names. Cookies first: the file before goes. */
static void follow_files(struct attempt *attempt)
{
    struct pin_app *app = attempt->app;
    struct pin_why why = {0};
    pin_zonefiles_free(app->files.zonefiles);
    app->files.zonefiles = attempt->files.zonefiles;
    attempt->files.zonefiles = NULL;
    pin_geo_stop(app->geo);
    app->geo = NULL;
    enum pin_err err = follow_cookies(app, &why);
    if (err == PIN_OK) {
        err = pin_zonefiles_watch(
            app->files.zonefiles, app->loop, app->dirwatch, on_zonefile, app, &why);
    }
    if (err == PIN_OK) {
        err = pin_feed_geo(app->config, app->settings, app->loop, app->builder, &app->geo, &why);
    }
    if (err != PIN_OK) {
        pin_log_error("reload: %s: files are not followed until the next reload", why.text);
    }
    pin_app_files_free(&attempt->files); /* the rest was read to be checked */
}

static void count_good(struct pin_reload *reload)
{
    struct attempt *attempt = reload->now;
    reload->n_good++;
    reload->n_ended = reload->n_begun;
    reload->has_failed = false;
    reload->good_wall_ms = pin_clock_wall_ms();
    pin_text_cut(&reload->error, 0);
    pin_text_done(&reload->changed);
    reload->changed = attempt->changed;
    attempt->changed = (struct pin_text){0};
    pin_log_info("reload: in force after %lld ms, clusters=%zu changed: %s",
        (long long)(pin_clock_mono_ms() - attempt->begun_ms), attempt->config->n_clusters,
        reload->changed.len > 0 ? pin_text_get(&reload->changed) : "nothing in the file");
}

/* What threads have been given is what counts. */
static void follow_basis(struct attempt *attempt)
{
    struct pin_app *app = attempt->app;
    pin_workers_follow(app->workers, &attempt->basis);
    if (app->forward != attempt->basis.forward) {
        attempt->forward = app->forward; /* until nobody waits for its answers */
        app->forward = attempt->basis.forward;
    }
    if (app->reload->is_stopping) { /* its sockets are about to be closed */
        pin_forward_halt(attempt->forward);
    }
}

static void follow_tap(struct attempt *attempt)
{
    struct pin_app *app = attempt->app;
    pin_tapper_follow(app->tapper, app->settings);
    if (attempt->has_outlets) {
        pin_tapper_change(app->tapper, &attempt->outlets);
        attempt->outlets = (struct pin_tap_outlets){0};
    }
}

/* Control: workers have changed over, or nothing has changed. */
static void on_done(void *arg)
{
    struct attempt *attempt = arg;
    struct pin_app *app = attempt->app;
    struct pin_reload *reload = app->reload;
    if (attempt->change.err != PIN_OK) {
        fail_why(reload, &attempt->change.why);
        return;
    }
    pin_builder_follow(app->builder); /* first: what sources report from now on has the new ids */
    attempt->before = app->config;
    app->config = attempt->config;
    app->settings = attempt->settings;
    pin_sync_commit(app->sync, attempt->sync);
    attempt->sync = NULL;
    follow_basis(attempt);
    pin_admin_follow(app->admin, app->settings, app->forward);
    pin_admin_follow(app->metrics, app->settings, app->forward);
    pin_prober_pace(app->prober, app->config->probes_per_second);
    pin_lookups_follow(app->lookups, app->config->resolvers, app->config->n_resolvers);
    follow_tap(attempt);
    pin_auditor_follow(app->auditor, app->settings);
    pin_primary_change(app->files.primary, attempt->primary);
    pin_primary_follow(app->files.primary, app->loop);
    follow_files(attempt);
    pin__app_tell_wishes(app);
    pin_log_setup(
        (enum pin_log_level)app->config->log_level, (enum pin_log_format)app->config->log_format);
    count_good(reload);
}

/* Nothing of what was before is in use. */
static void on_over(struct attempt *attempt)
{
    struct pin_app *app = attempt->app;
    struct pin_reload *reload = app->reload;
    struct attempt *last = reload->last;
    pin_workers_settle(app->workers);
    retire_forward(attempt);
    pin_primary_free(attempt->primary); /* secrets of before */
    attempt->primary = NULL;
    if (attempt->before != app->first) {
        pin_config_free(attempt->before);
    }
    if (last != NULL) {
        last->config = app->config; /* its own is freed */
        attempt_free(last);
    }
    reload->last = attempt;
    end(reload);
}

/* The forwarder before has answered all who wait for it, or had time for that. */
static void on_drain(void *arg)
{
    struct pin_reload *reload = arg;
    struct attempt *attempt = reload->now;
    int64_t waited_ms = pin_clock_mono_ms() - attempt->over_ms;
    bool is_idle = pin_forward_is_idle(attempt->forward);
    if ((is_idle && attempt->was_idle) || waited_ms > DRAIN_MAX_MS) {
        on_over(attempt);
        return;
    }
    attempt->was_idle = is_idle;
    pin_timer_start(reload->drain, DRAIN_LOOK_MS, false);
}

/* Control: no thread reads what was before. */
static void on_ended(void *arg)
{
    struct attempt *attempt = arg;
    if (attempt->app->reload->is_stopping) {
        return; /* it is freed with the rest */
    }
    attempt->over_ms = pin_clock_mono_ms();
    attempt->was_idle = attempt->forward == NULL;
    on_drain(attempt->app->reload);
}

bool pin__app_is_asking(const struct pin_app *app)
{
    const struct attempt *now = app->reload != NULL ? app->reload->now : NULL;
    return !pin_forward_is_idle(app->forward)
           || (now != NULL && !pin_forward_is_idle(now->forward));
}

static void begin(struct pin_reload *reload)
{
    struct pin_findings findings = {0};
    struct pin_why why = {0};
    reload->n_begun = reload->n_asked;
    pin_service_reloading(reload->app->service);
    reload->now = calloc(1, sizeof(*reload->now));
    struct attempt *attempt = reload->now;
    if (attempt == NULL) {
        fail(reload, "out of memory");
        return;
    }
    *attempt = (struct attempt){
        .app = reload->app, .number = reload->n_begun, .begun_ms = pin_clock_mono_ms()};
    keep_text(reload);
    load(attempt, &reload->args, &findings);
    if (findings.n > 0) {
        fail(reload, pin_findings_text(&findings));
        pin_findings_done(&findings);
        return;
    }
    if (attempt->config->has_publish) { /* and nothing has changed */
        count_good(reload);
        attempt_free(attempt);
        end(reload);
        return;
    }
    if (prepare(attempt, &why) != PIN_OK) {
        fail_why(reload, &why);
        return;
    }
    struct pin_zonefile **first =
        pin_feed_first_zonefiles(attempt->files.zonefiles, attempt->config->arena);
    attempt->change = (struct pin_builder_change){.settings = attempt->settings,
        .ids = attempt->ids,
        .zonefiles = first,
        .n_zonefiles = first != NULL ? pin_zonefiles_count(attempt->files.zonefiles) : 0,
        .places = attempt->places.entries,
        .n_places = attempt->places.n,
        .change_over = on_change_over,
        .done = on_done,
        .ended = on_ended,
        .arg = attempt};
    pin_builder_change(reload->app->builder, &attempt->change);
}

static void on_soon(void *arg)
{
    struct pin_reload *reload = arg;
    if (reload->now == NULL && !reload->is_stopping) {
        begin(reload);
    }
}

uint64_t pin__app_reload(struct pin_app *app)
{
    struct pin_reload *reload = app->reload;
    if (reload == NULL) {
        return 0; /* a signal during the start */
    }
    if (reload->n_asked == reload->n_begun) {
        reload->n_asked++; /* else the one that waits will do */
    }
    if (reload->now == NULL) {
        pin_timer_start(reload->soon, 0, false);
    }
    return reload->n_asked;
}

/* --- the admin page --------------------------------------------------------------------------- */

static uint64_t on_reload(void *arg)
{
    return pin__app_reload(arg);
}

/* Members of an object. */
static void on_reload_json(void *arg, struct pin_jsonout *out)
{
    const struct pin_app *app = arg;
    const struct pin_reload *reload = app->reload;
    if (reload == NULL) {
        return; /* starting */
    }
    pin_jsonout_key_string(out, "state",
        reload->n_asked > reload->n_ended ? "running"
        : reload->has_failed              ? "failed"
        : reload->n_good > 0              ? "ok"
                                          : "never");
    pin_jsonout_key_uint(out, "asked", reload->n_asked);
    pin_jsonout_key_uint(out, "ended", reload->n_ended);
    pin_jsonout_key_uint(out, "good", reload->n_good);
    pin_jsonout_key_uint(out, "failed", reload->n_failed);
    pin_jsonout_key_string(out, "error", pin_text_get(&reload->error));
    pin_jsonout_key_string(out, "changed", pin_text_get(&reload->changed));
    pin_jsonout_key_uint(out, "lastGoodUnixMs", (uint64_t)reload->good_wall_ms);
}

static void on_reload_metrics(void *arg, struct pin_text *out)
{
    const struct pin_app *app = arg;
    const struct pin_reload *reload = app->reload;
    if (reload == NULL) {
        return; /* starting */
    }
    pin_metrics_family(
        out, "pintle_config_reloads_total", "counter", "Reloads of the configuration.");
    pin_text_putf(out,
        "pintle_config_reloads_total{result=\"ok\"} %llu\n"
        "pintle_config_reloads_total{result=\"failed\"} %llu\n",
        (unsigned long long)reload->n_good, (unsigned long long)reload->n_failed);
    pin_metrics_single(out, "pintle_config_last_reload_successful", "gauge",
        "1 while the file as it was read last is in force.", reload->has_failed ? 0 : 1);
    pin_metrics_single(out, "pintle_config_last_reload_success_timestamp_seconds", "gauge",
        "When the configuration in force was read.", (uint64_t)(reload->good_wall_ms / 1000));
}

void pin__app_hook_reload_admin(struct pin_admin_hooks *hooks)
{
    hooks->reload = on_reload;
    hooks->reload_json = on_reload_json;
    hooks->reload_metrics = on_reload_metrics;
}

/* --- life ------------------------------------------------------------------------------------- */

enum pin_err pin__app_start_reload(
    struct pin_app *app, const struct pin_args *args, struct pin_why *why)
{
    struct pin_reload *reload = calloc(1, sizeof(*reload));
    if (reload == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "reloads");
    }
    reload->app = app;
    reload->args = *args;
    reload->good_wall_ms = pin_clock_wall_ms();
    app->reload = reload;
    reload->soon = pin_timer_new(app->loop, on_soon, reload);
    reload->drain = pin_timer_new(app->loop, on_drain, reload);
    if (reload->soon == NULL || reload->drain == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "reloads");
    }
    if (app->first->file == NULL || app->first->is_dev) {
        return PIN_OK;
    }
    reload->watch = pin_filewatch_new(&(struct pin_filewatch_config){.loop = app->loop,
        .dirwatch = app->dirwatch,
        .name = "reload",
        .settle_ms = SETTLE_MS,
        .look = look,
        .arg = reload});
    if (reload->watch == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "reloads");
    }
    keep_text(reload);
    pin_filewatch_add(reload->watch, app->first->file);
    return PIN_OK;
}

void pin__app_stop_reload(struct pin_app *app)
{
    struct pin_reload *reload = app->reload;
    if (reload != NULL) {
        reload->is_stopping = true;
        pin_builder_drop_change(app->builder); /* it speaks to workers, which are about to go */
        pin_filewatch_free(reload->watch);
        pin_timer_free(reload->soon);
        pin_timer_free(reload->drain);
        if (reload->now != NULL) {
            pin_forward_halt(reload->now->forward); /* it answers through the workers' sockets */
        }
        reload->drain = NULL;
        reload->watch = NULL;
        reload->soon = NULL;
    }
}

void pin__app_free_reload(struct pin_app *app)
{
    struct pin_reload *reload = app->reload;
    if (reload == NULL) {
        return;
    }
    struct pin_config *before = reload->now != NULL ? reload->now->before : NULL;
    attempt_free(reload->now);
    if (reload->last != NULL) {
        reload->last->config = app->config; /* its own is that, or `before` */
    }
    attempt_free(reload->last);
    if (before != app->first) {
        pin_config_free(before);
    }
    free(reload->text);
    pin_text_done(&reload->error);
    pin_text_done(&reload->changed);
    free(reload);
    app->reload = NULL;
}
