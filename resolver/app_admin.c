/* SPDX-License-Identifier: Apache-2.0 */

/* What the admin page shows of sources, and asks of them. */

#include "pintle/sync/encode.h"
#include "pintle/sync/lookups.h"
#include "pintle/sync/prober.h"
#include "pintle/sync/publisher.h"
#include "pintle/sync/sync.h"

#include "resolver/app_state.h"
#include "resolver/config_show.h"

static void on_source(void *arg, size_t cluster_id, struct pin_admin_source *ret_source)
{
    const struct pin_app *app = arg;
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
    ret_source->error_wall_ms = stats.error_wall_ms;
}

static void on_zonefile_status(void *arg, size_t i, struct pin_zonefile_status *ret_status)
{
    const struct pin_app *app = arg;
    pin_zonefiles_status(app->files.zonefiles, i, ret_status);
}

static bool on_lookup(void *arg, size_t i, struct pin_lookup_stats *ret_lookup)
{
    const struct pin_app *app = arg;
    if (app->lookups == NULL || i >= pin_lookups_n(app->lookups)) {
        return false;
    }
    pin_lookups_stats(app->lookups, i, ret_lookup);
    return true;
}

static void on_sources_metrics(void *arg, struct pin_text *out)
{
    pin_sync_metrics(((const struct pin_app *)arg)->sync, out);
}

static void on_source_json(void *arg, size_t cluster_id, struct pin_jsonout *out)
{
    const struct pin_app *app = arg;
    pin_sync_cluster_json(app->sync, cluster_id, out);
}

static enum pin_err on_check_start(void *arg, size_t cluster_id, struct pin_why *why)
{
    const struct pin_app *app = arg;
    return pin_sync_check_start(app->sync, cluster_id, why);
}

static void on_check_json(void *arg, size_t cluster_id, struct pin_jsonout *out)
{
    const struct pin_app *app = arg;
    pin_sync_check_json(app->sync, cluster_id, out);
}

static void on_publisher_json(void *arg, struct pin_jsonout *out)
{
    const struct pin_app *app = arg;
    pin_publisher_status_json(app->publisher, out);
}

static void on_publisher_metrics(void *arg, struct pin_text *out)
{
    const struct pin_app *app = arg;
    pin_publisher_metrics(app->publisher, out);
    if (app->sync != NULL) {
        pin_sync_etcd_metrics(app->sync, out);
    }
}

static void on_health(void *arg, struct pin_health_stats *ret_stats)
{
    const struct pin_app *app = arg;
    *ret_stats = pin_prober_stats(app->prober);
}

static struct pin_notify_stats on_notify(void *arg)
{
    const struct pin_app *app = arg;
    return pin_primary_notify_stats(app->files.primary);
}

static void on_config_json(void *arg, struct pin_jsonout *out)
{
    pin_config_put_json(((const struct pin_app *)arg)->config, out);
}

static void on_other_token(void *arg)
{
    pin_admin_revoke(((struct pin_app *)arg)->admin);
}

enum pin_err pin__app_start_admin(struct pin_app *app, struct pin_why *why)
{
    struct pin_admin_config config = {.address = app->config->admin,
        .supervisor = app->supervisor,
        .sandbox = pin_text_get(&app->sandbox.text),
        .loop = app->loop,
        .builder = app->builder,
        .workers = app->workers,
        .forward = app->forward,
        .settings = app->settings,
        .listens = app->listens,
        .n_listens = app->config->n_listens,
        .certs = app->files.certs,
        .tls = pin_certs_tls(app->files.certs, pin_certs_admin(app->files.certs)),
        .tapper = app->tapper,
        .state_dir = app->config->state_dir,
        .keeper = app->files.keeper,
        .handover = app->handover,
        .is_held = app->handover != NULL,
        .access = &app->access,
        .hooks = {.source = on_source,
            .publisher_json = on_publisher_json,
            .publisher_metrics = on_publisher_metrics,
            .sources_metrics = on_sources_metrics,
            .source_json = on_source_json,
            .object_json = pin_encode,
            .check_start = on_check_start,
            .check_json = on_check_json,
            .lookup = on_lookup,
            .zonefile = on_zonefile_status,
            .health = on_health,
            .notify = on_notify,
            .config_json = on_config_json,
            .arg = app}};
    pin__app_hook_records_admin(&config.hooks);
    app->access.takes_certificates = app->config->admin_tls.client_ca != NULL;
    app->access.is_open = app->config->admin_is_open;
    app->access.changes = (enum pin_admin_changes)app->config->admin_changes;
    if (app->config->admin_token_file != NULL) {
        const struct pin_token_file_config token = {.path = app->config->admin_token_file,
            .access = &app->access,
            .loop = app->loop,
            .dirwatch = app->dirwatch,
            .on_change = on_other_token,
            .arg = app};
        enum pin_err err = pin_token_file_open(&token, &app->token_file, why);
        if (err != PIN_OK) {
            pin_why_wrap(why, "admin.tokenFile");
            return err;
        }
    }
    pin__app_hook_reload_admin(&config.hooks);
    pin__app_hook_replace_admin(&config.hooks);
    enum pin_err err = pin_admin_start(&config, &app->admin, why);
    if (err == PIN_OK && app->config->metrics.ip.family != 0) {
        config.address = app->config->metrics;
        config.is_bare = true;
        config.tls = NULL;
        err = pin_admin_start(&config, &app->metrics, why);
    }
    return err;
}
