/* SPDX-License-Identifier: Apache-2.0 */

/* Records in other people's DNS servers: from the configuration and the builder's claims to the
 * recorder, and from there to the admin page and the objects. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/sync/providers.h"
#include "pintle/sync/recorder.h"
#include "pintle/sync/sync.h"
#include "pintle/zones/claims_catalog.h"

#include "resolver/app_providers.h"
#include "resolver/app_state.h"

/* How long the end waits for the Lease on its way back. */
#define RELEASE_MS 1000

/* --- From the configuration ------------------------------------------------------------------- */

static struct pin_recorder_spec spec_of(const struct pin_config_records *records)
{
    return (struct pin_recorder_spec){.name = records->name,
        .zones = records->zones,
        .n_zones = records->n_zones,
        .registry = {.owner = records->owner,
            .prefix = records->txt_prefix,
            .suffix = records->txt_suffix,
            .wildcard = records->txt_wildcard},
        .policy = (enum pin_recordplan_policy)(records->policy - 1),
        .delete_percent = records->delete_percent,
        .interval_s = records->interval_s,
        .is_dry_run = records->is_dry_run};
}

/* --- Claims ----------------------------------------------------------------------------------- */

/* Control's thread: the builder has other claims. */
static void on_claims(void *arg)
{
    const struct pin_app *app = arg;
    struct pin_claimed *list = pin_builder_take_claims(app->builder);
    for (struct pin_claimed *claimed = app->recorder != NULL ? list : NULL; claimed != NULL;
         claimed = claimed->next) {
        const struct pin_recorder_claims claims = {.spec_i = claimed->want_i,
            .sets = claimed->sets,
            .n_sets = claimed->n_sets,
            .unsynced = claimed->unsynced,
            .n_unsynced = claimed->n_unsynced,
            .n_invalid = claimed->n_invalid,
            .n_untargeted = claimed->n_untargeted,
            .untargeted = claimed->untargeted,
            .n_oversized = claimed->n_oversized,
            .oversized = claimed->oversized,
            .arena = claimed->arena};
        claimed->arena = NULL;
        pin_recorder_set_claims(app->recorder, &claims);
    }
    pin_claimed_free(list);
}

void pin__app_hook_records(struct pin_app *app, struct pin_builder_config *builder)
{
    builder->on_claims = on_claims;
    builder->on_claims_arg = app;
}

/* --- Events ----------------------------------------------------------------------------------- */

static void put_event(struct pin_text *out, const struct pin_recorder_event *event)
{
    static const char *const reasons[] = {"RecordReady", "RecordDeleted", "RecordError"};
    static const char *const words[] = {"is", "is not any more", "cannot be"};
    char note[1024];
    (void)snprintf(note, sizeof(note), "%.250s %.20s %s in zone %.250s of %.64s: %.300s",
        event->name, event->type, words[event->news], event->zone, event->records, event->detail);
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "type", event->news == PIN_RECORDER_ERROR ? "Warning" : "Normal");
    pin_jsonout_key_string(&json, "reason", reasons[event->news]);
    pin_jsonout_key_string(&json, "action", "Publish");
    pin_jsonout_key_string(&json, "note", note);
    pin_jsonout_end(&json);
}

/* A write with its texts in one allocation, as all of them are; NULL when memory is out. */
static struct pin_write *make_write(
    const struct pin_recordset_source *source, uint16_t cluster_id, const struct pin_text *body)
{
    const char *texts[] = {source->namespace_name, source->name,
        source->uid != NULL ? source->uid : "", pin_text_get(body)};
    char *copies[N_ELEMS(texts)];
    size_t bytes = 0;
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        bytes += strlen(texts[i]) + 1;
    }
    struct pin_write *write = body->failed ? NULL : malloc(sizeof(*write) + bytes);
    if (write == NULL) {
        return NULL;
    }
    char *at = (char *)(write + 1);
    for (size_t i = 0; i < N_ELEMS(texts); i++) {
        copies[i] = at;
        memcpy(at, texts[i], strlen(texts[i]) + 1);
        at += strlen(texts[i]) + 1;
    }
    *write = (struct pin_write){.op = PIN_WRITE_EVENT,
        .kind = pin_claims_kind(source->kind),
        .cluster_id = cluster_id,
        .needs_no_lease = true, /* who keeps the records tells of them, whoever writes the rest */
        .manager = PIN_WRITE_MANAGER,
        .namespace_name = copies[0],
        .name = copies[1],
        .uid = source->uid != NULL ? copies[2] : NULL,
        .body = copies[3],
        .body_bytes = body->len};
    return write;
}

static void on_event(void *arg, const struct pin_recorder_event *event)
{
    const struct pin_app *app = arg;
    const struct pin_recordset_source *source = event->source;
    uint16_t cluster_id = pin_settings_cluster(app->settings, source->cluster);
    struct pin_text key = {0};
    struct pin_text body = {0};
    if (!app->settings->writes.events || app->sync == NULL || cluster_id == PIN_CLUSTER_NONE
        || pin_claims_kind(source->kind) == PIN_KIND_MAX) {
        return;
    }
    pin_text_putf(&key, "records/%s/%s/%s/%s/%s/%s/%s", event->records, event->name, event->type,
        source->cluster, source->kind, source->namespace_name, source->name);
    put_event(&body, event);
    struct pin_write_set *set = key.failed ? NULL : calloc(1, sizeof(*set) + key.len + 1);
    if (set != NULL) {
        memcpy(set->key, key.ptr, key.len + 1);
        set->first = make_write(source, cluster_id, &body);
        pin_sync_write(app->sync, set);
    }
    pin_text_done(&key);
    pin_text_done(&body);
}

/* --- Admin ------------------------------------------------------------------------------------ */

static enum pin_err on_json(void *arg, const struct pin_admin_records_query *query,
    struct pin_jsonout *out, struct pin_why *why)
{
    const struct pin_app *app = arg;
    const struct pin_recorder_query which = {.records = query->records,
        .zone = query->zone,
        .name = query->name,
        .after = query->after,
        .is_adoption = query->is_adoption};
    if (app->recorder == NULL) {
        return pin_why_set(why, PIN_ENOTFOUND, "no records are configured");
    }
    enum pin_err err = pin_recorder_check(app->recorder, &which, why);
    if (err != PIN_OK) {
        return err;
    }
    switch (query->view) {
    case PIN_ADMIN_RECORDS_LIST:
        pin_recorder_list_json(app->recorder, &which, out);
        break;
    case PIN_ADMIN_RECORDS_PLAN:
        pin_recorder_plan_json(app->recorder, &which, out);
        break;
    case PIN_ADMIN_RECORDS_DRIFT:
        pin_recorder_drift_json(app->recorder, &which, out);
        break;
    default:
        pin_recorder_overview_json(app->recorder, out);
        break;
    }
    return PIN_OK;
}

static enum pin_err on_order(void *arg, const struct pin_admin_records_order *order,
    struct pin_jsonout *out, struct pin_why *why)
{
    static const enum pin_recorder_order_kind kinds[] = {
        [PIN_ADMIN_RECORDS_APPLY] = PIN_RECORDER_APPLY,
        [PIN_ADMIN_RECORDS_LOOK] = PIN_RECORDER_LOOK,
        [PIN_ADMIN_RECORDS_APPROVE] = PIN_RECORDER_APPROVE,
        [PIN_ADMIN_RECORDS_ADOPT] = PIN_RECORDER_ADOPT,
    };
    const struct pin_app *app = arg;
    const struct pin_recorder_order what = {.kind = kinds[order->act],
        .records = order->records,
        .zone = order->zone,
        .hash = order->hash,
        .from_owner = order->from_owner};
    return app->recorder == NULL ? pin_why_set(why, PIN_ENOTFOUND, "no records are configured")
                                 : pin_recorder_order(app->recorder, &what, out, why);
}

static void on_metrics(void *arg, struct pin_text *out)
{
    const struct pin_app *app = arg;
    pin_recorder_metrics(app->recorder, out);
    if (pin_config_shows_metrics(app->config, PIN_CONFIG_METRICS_EXTERNAL_DNS)) {
        pin_recorder_metrics_external_dns(app->recorder, out);
    }
}

void pin__app_hook_records_admin(struct pin_admin_hooks *hooks)
{
    hooks->records_json = on_json;
    hooks->records_order = on_order;
    hooks->records_metrics = on_metrics;
}

/* --- Life ------------------------------------------------------------------------------------- */

/* Fills in the specs. Keys go into `keys`, one each. */
static enum pin_err make_specs(const struct pin_app *app, struct pin_recorder_spec *specs,
    struct pin_provider_settings *settings, uint8_t (*keys)[PIN_AES_KEY_BYTES], struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    for (size_t i = 0; err == PIN_OK && i < app->config->n_records; i++) {
        const struct pin_config_records *records = &app->config->records[i];
        specs[i] = spec_of(records);
        specs[i].settings = &settings[i];
        if (!pin_app_provider_settings(app->config, records, &settings[i])) {
            err = pin_why_set(why, PIN_ENOMEM, "records %.64s", records->name);
        } else if (records->txt_key_file != NULL) {
            err = pin_providers_read_key(records->txt_key_file, keys[i], why);
            specs[i].registry.key = keys[i];
        }
    }
    return err;
}

enum pin_err pin__app_start_records(struct pin_app *app, struct pin_why *why)
{
    size_t n = app->config->n_records;
    if (n == 0) {
        return PIN_OK;
    }
    struct pin_recorder_spec *specs = calloc(n, sizeof(*specs));
    struct pin_provider_settings *settings = calloc(n, sizeof(*settings));
    uint8_t(*keys)[PIN_AES_KEY_BYTES] = calloc(n, sizeof(*keys));
    enum pin_err err = PIN_ENOMEM;
    if (specs == NULL || settings == NULL || keys == NULL) {
        err = pin_why_set(why, PIN_ENOMEM, "%zu records", n);
    } else {
        err = make_specs(app, specs, settings, keys, why);
    }
    if (err == PIN_OK) {
        const struct pin_recorder_config config = {.loop = app->loop,
            .specs = specs,
            .n_specs = n,
            .needs_writer =
                app->config->records_lease_cluster != NULL || app->config->has_records_etcd,
            .on_event = on_event,
            .arg = app};
        err = pin_recorder_new(&config, &app->recorder, why);
    }
    if (keys != NULL) {
        pin_crypto_wipe(keys, n * sizeof(*keys));
    }
    free(keys);
    free(settings);
    free(specs);
    return err;
}

enum pin_err pin__app_start_records_lease(struct pin_app *app, struct pin_why *why)
{
    const struct pin_config *config = app->config;
    if (app->recorder != NULL && config->has_records_etcd) {
        const struct pin_etcd_spec etcd = pin__app_etcd(&config->records_etcd);
        const struct pin_recorder_election_spec spec = {
            .etcd = &etcd, .name = config->records_lease_name};
        return pin_recorder_use_election(app->recorder, &spec, why);
    }
    if (app->recorder == NULL || config->records_lease_cluster == NULL) {
        return PIN_OK;
    }
    const struct pin_recorder_lease_spec spec = {.sync = app->sync,
        .cluster_i = pin_settings_cluster(app->settings, config->records_lease_cluster),
        .namespace_name = config->records_lease_namespace,
        .name = config->records_lease_name};
    return pin_recorder_use_lease(app->recorder, &spec, why);
}

void pin__app_stop_records(struct pin_app *app)
{
    pin_recorder_release(app->recorder, RELEASE_MS);
    pin_recorder_free(app->recorder);
    app->recorder = NULL;
    if (app->loop != NULL) {
        pin_loop_poll(app->loop, 0); /* what plans that were cut off hold goes back */
    }
}
