/* SPDX-License-Identifier: Apache-2.0 */

/* What the builder hears from sources, and what it has for them. */

#include <stdlib.h>
#include <string.h>

#include "pintle/sync/lookups.h"
#include "pintle/sync/prober.h"
#include "pintle/sync/publisher.h"
#include "pintle/sync/sync.h"

#include "resolver/app_state.h"
#include "resolver/dev.h"

/* --- Sources -------------------------------------------------------------------------------- */

static bool on_delta(void *arg, struct pin_delta *delta)
{
    struct pin_app *app = arg;
    return pin_builder_push(app->builder, delta);
}

static void on_room(void *arg)
{
    struct pin_app *app = arg;
    if (app->sync != NULL) {
        pin_sync_resume(app->sync);
    }
}

/* Policies began or ceased to ask for namespaces, or lists are held or not any more. */
static void on_wishes(void *arg)
{
    struct pin_app *app = arg;
    if (app->sync != NULL) {
        pin_sync_want_pods(app->sync, pin_builder_wants_pods(app->builder));
    }
    for (size_t i = 0; app->sync != NULL && i < pin_sync_n_clusters(app->sync); i++) {
        pin_sync_set_held(app->sync, i, pin_builder_held(app->builder, (uint16_t)i));
    }
}

void pin__app_tell_wishes(struct pin_app *app)
{
    on_wishes(app);
}

/* The embedded manifests of a cluster, in the config's arena. */
static const struct pin_embedded_file *embedded_files(
    const struct pin_config *config, const char *cluster, size_t *ret_n)
{
    struct pin_embedded_file *files =
        pin_arena_alloc(config->arena, pin_dev_n_files * sizeof(*files));
    size_t len = strlen(cluster);
    size_t n = 0;
    for (size_t i = 0; files != NULL && i < pin_dev_n_files; i++) {
        const struct pin_dev_file *file = &pin_dev_files[i];
        if (strncmp(file->name, cluster, len) == 0 && file->name[len] == '/'
            && strcmp(file->name + len + 1, PIN_CLUSTER_FILE) != 0) {
            files[n++] = (struct pin_embedded_file){
                .name = file->name, .text = file->text, .text_bytes = file->text_bytes};
        }
    }
    *ret_n = n;
    return files;
}

struct pin_etcd_spec pin__app_etcd(const struct pin_config_etcd *etcd)
{
    return (struct pin_etcd_spec){.endpoints = etcd->endpoints,
        .n_endpoints = etcd->n_endpoints,
        .prefix = etcd->prefix,
        .user = etcd->user,
        .password_file = etcd->password_file,
        .ca = etcd->ca,
        .certificate = etcd->certificate,
        .key = etcd->key};
}

static struct pin_source_spec source_of(const struct pin_config *config, size_t i)
{
    static const enum pin_source_kind kinds[] = {
        [PIN_CONFIG_NOWHERE] = PIN_SOURCE_DIRECTORY, /* pin_config_check() lets none through */
        [PIN_CONFIG_DIRECTORY] = PIN_SOURCE_DIRECTORY,
        [PIN_CONFIG_CONTEXT] = PIN_SOURCE_CONTEXT,
        [PIN_CONFIG_IN_CLUSTER] = PIN_SOURCE_IN_CLUSTER,
        [PIN_CONFIG_EMBEDDED] = PIN_SOURCE_EMBEDDED,
        [PIN_CONFIG_ETCD] = PIN_SOURCE_ETCD,
    };
    const struct pin_config_cluster *cluster = &config->clusters[i];
    struct pin_source_spec spec = {.cluster_id = (uint16_t)i,
        .cluster = cluster->name,
        .kind = kinds[cluster->source],
        .directory = cluster->directory,
        .kubeconfig = cluster->kubeconfig,
        .context = cluster->context,
        .etcd = pin__app_etcd(&cluster->etcd)};
    if (cluster->source == PIN_CONFIG_EMBEDDED) {
        spec.files = embedded_files(config, cluster->name, &spec.n_files);
    }
    return spec;
}

/* Control's thread: the builder wants other host names looked up. */
static void on_wanted(void *arg)
{
    const struct pin_app *app = arg;
    struct pin_wanted *wanted = pin_builder_take_wanted(app->builder);
    if (wanted != NULL && app->lookups != NULL) {
        pin_lookups_want(app->lookups, wanted);
    }
    free(wanted);
}

/* --- Writing -------------------------------------------------------------------------------- */

static void on_writable(void *arg, uint16_t cluster_id, bool is_writable)
{
    const struct pin_app *app = arg;
    pin_builder_set_writable(app->builder, cluster_id, is_writable);
}

static void on_look_again(void *arg)
{
    const struct pin_app *app = arg;
    pin_builder_look_again(app->builder);
}

/* Control's thread: the builder has left something to write. */
static void on_writes(void *arg)
{
    const struct pin_app *app = arg;
    pin_sync_write(app->sync, pin_builder_take_writes(app->builder));
}

struct pin_source_spec *pin__app_specs(const struct pin_config *config)
{
    struct pin_source_spec *specs =
        pin_arena_alloc(config->arena, (config->n_clusters + 1) * sizeof(*specs));
    for (size_t i = 0; specs != NULL && i < config->n_clusters; i++) {
        specs[i] = source_of(config, i);
    }
    return specs;
}

void pin__app_sync_config(
    struct pin_app *app, struct pin_sync_config *ret_config, struct pin_sync_writes *ret_writes)
{
    *ret_writes = (struct pin_sync_writes){.lease_namespace = app->config->lease_namespace,
        .lease_name = app->config->lease_name,
        .switches = app->settings->writes,
        .on_writable = on_writable,
        .on_look_again = on_look_again,
        .arg = app};
    *ret_config = (struct pin_sync_config){.loop = app->loop,
        .dirwatch = app->dirwatch,
        .sink = {.push = on_delta, .arg = app},
        .writes = pin_write_is_on(&app->settings->writes) ? ret_writes : NULL,
        .max_objects = app->settings->max_objects,
        .wants_ingresses =
            app->config->has_publish || pin_settings_records(app->settings, PIN_KIND_INGRESS)};
}

enum pin_err pin__app_start_sync(struct pin_app *app, struct pin_why *why)
{
    struct pin_sync_config config;
    struct pin_sync_writes writes;
    pin__app_sync_config(app, &config, &writes);
    app->lookups =
        pin_lookups_new(app->loop, app->config->resolvers, app->config->n_resolvers, &config.sink);
    config.specs = pin__app_specs(app->config);
    config.n_specs = app->config->n_clusters;
    if (config.specs == NULL || app->lookups == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%zu clusters", app->config->n_clusters);
    }
    enum pin_err err = pin_sync_new(&config, &app->sync, why);
    if (err == PIN_OK) {
        pin_sync_start(app->sync);
    }
    return err;
}

/* --- Publishing ----------------------------------------------------------------------------- */

static void on_changes(void *arg)
{
    const struct pin_app *app = arg;
    pin_publisher_poke(app->publisher);
}

static bool on_pull(void *arg, struct pin_changes_pull *pull)
{
    const struct pin_app *app = arg;
    return pin_builder_pull(app->builder, pull);
}

static bool on_list_again(void *arg, uint16_t cluster_id)
{
    const struct pin_app *app = arg;
    return pin_sync_list_again(app->sync, cluster_id);
}

/* All clusters but those that come from etcd themselves. */
enum pin_err pin__app_start_publisher(struct pin_app *app, struct pin_why *why)
{
    const struct pin_config *config = app->config;
    if (!config->has_publish) {
        return PIN_OK;
    }
    const char **names = calloc(config->n_clusters, sizeof(*names));
    if (names == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the publisher");
    }
    for (size_t i = 0; i < config->n_clusters; i++) {
        const struct pin_config_cluster *cluster = &config->clusters[i];
        names[i] = cluster->source != PIN_CONFIG_ETCD ? cluster->name : NULL;
    }
    struct pin_publisher_config publisher = {.loop = app->loop,
        .etcd = pin__app_etcd(&config->publish),
        .clusters = names,
        .n_clusters = config->n_clusters,
        .pull = on_pull,
        .pull_arg = app,
        .list_again = on_list_again};
    enum pin_err err = pin_publisher_start(&publisher, &app->publisher, why);
    free(names);
    return err;
}

/* --- Probes --------------------------------------------------------------------------------- */

static void on_probes(void *arg)
{
    struct pin_app *app = arg;
    if (app->prober != NULL) {
        pin_prober_take_orders(app->prober);
    }
}

static void on_flip(void *arg)
{
    struct pin_app *app = arg;
    pin_builder_wake(app->builder);
}

enum pin_err pin__app_start_prober(struct pin_app *app, struct pin_why *why)
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

/* --- The builder --------------------------------------------------------------------------- */

void pin__app_hook_sources(struct pin_app *app, struct pin_builder_config *builder)
{
    builder->on_room = on_room;
    builder->on_room_arg = app;
    builder->on_probes = on_probes;
    builder->on_probes_arg = app;
    builder->on_wishes = on_wishes;
    builder->on_wishes_arg = app;
    builder->on_wanted = on_wanted;
    builder->on_wanted_arg = app;
    builder->on_changes = on_changes;
    builder->on_changes_arg = app;
    builder->on_writes = on_writes;
    builder->on_writes_arg = app;
}
