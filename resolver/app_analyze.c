/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintled --analyze: what would be found in clusters whose objects are files, without a daemon.
 *
 *     configuration, manifests -> the catalog a daemon would have -> findings -> JSON
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/rcu.h"
#include "pintle/sync/offline.h"

#include "resolver/analysis_json.h"
#include "resolver/app_state.h"
#include "resolver/dev.h"
#include "resolver/feeds.h"

/* The cluster that single files make up. */
#define LOOSE_CLUSTER "manifests"
/* All places together. */
#define PLACES_BYTES_MAX ((size_t)1 << 30)
/* Longer than any key of an object. */
#define KEY_BYTES 1024

/* Where an object stands. */
struct place {
    const char *file;
    uint32_t line;
};

/* One run. */
struct offline {
    struct pin_config *config;
    struct pin_settings settings;
    struct pin_catalog *catalog;
    struct pin_analysis analysis;
    struct pin_arena *arena;
    struct pin_map places; /* "cluster/kind/namespace/name" -> struct place */
    uint16_t cluster_id;   /* whose files are read */
    size_t n_clusters;
    size_t n_objects;
    size_t n_unread; /* files */
};

static size_t make_key(const char *cluster, const char *kind, const char *namespace_name,
    const char *name, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "%s/%s/%s/%s", cluster, kind, namespace_name, name);
    return strlen(key);
}

/* A file's own finding begins with "FILE:LINE:". */
static struct pin_finding_place place_of_file(const struct pin_finding *finding)
{
    size_t bytes = strlen(finding->name);
    bool has_line =
        strncmp(finding->message, finding->name, bytes) == 0 && finding->message[bytes] == ':';
    unsigned long line = has_line ? strtoul(finding->message + bytes + 1, NULL, 10) : 0;
    return (struct pin_finding_place){
        .file = finding->name, .line = line <= UINT32_MAX ? (uint32_t)line : 0};
}

static struct pin_finding_place find_place(void *arg, const struct pin_finding *finding)
{
    const struct offline *run = arg;
    if (finding->id == PIN_FINDING_FILE_UNREAD) {
        return place_of_file(finding);
    }
    char key[KEY_BYTES];
    size_t bytes =
        make_key(finding->cluster, finding->kind, finding->namespace_name, finding->name, key);
    const struct place *place = pin_map_find(&run->places, key, bytes);
    return place != NULL ? (struct pin_finding_place){.file = place->file, .line = place->line}
                         : (struct pin_finding_place){0};
}

/* --- reading -------------------------------------------------------------------------------- */

static void apply(struct offline *run, struct pin_delta *delta)
{
    if (delta == NULL) {
        run->analysis.is_out_of_memory = true;
        return;
    }
    pin_catalog_apply(run->catalog, delta);
}

/* False: another file has it already, and was told so. */
static bool note_place(
    struct offline *run, const struct pin_object *object, const char *file, uint32_t line)
{
    const char *cluster = run->settings.clusters[run->cluster_id].name;
    const char *kind = pin_kind_text(object->kind);
    char key[KEY_BYTES];
    size_t bytes = make_key(cluster, kind, object->namespace_name, object->name, key);
    const struct place *old = pin_map_find(&run->places, key, bytes);
    if (old != NULL) {
        struct pin_finding finding = {.id = PIN_FINDING_OBJECT_TWICE,
            .cluster = cluster,
            .kind = kind,
            .namespace_name = object->namespace_name,
            .name = object->name,
            .about = file};
        pin_analysis_add(&run->analysis, &finding, "%s:%u has it, too; that of %s:%u counts", file,
            line, old->file, old->line);
        return false;
    }
    struct place *place = pin_arena_alloc(run->arena, sizeof(*place));
    const char *copy = pin_arena_strdup(run->arena, file);
    if (place == NULL || copy == NULL || !pin_map_put(&run->places, key, bytes, place, NULL)) {
        run->analysis.is_out_of_memory = true;
        return true;
    }
    *place = (struct place){.file = copy, .line = line};
    return true;
}

static void on_object(void *arg, struct pin_object *object, const char *file, uint32_t line)
{
    struct offline *run = arg;
    if (object->kind == PIN_KIND_POD || !note_place(run, object, file, line)) {
        pin_object_free(object);
        return;
    }
    run->n_objects++;
    apply(run, pin_delta_upsert(run->cluster_id, object));
}

static void on_unread(void *arg, const char *file, const char *why)
{
    struct offline *run = arg;
    struct pin_finding finding = {.id = PIN_FINDING_FILE_UNREAD,
        .cluster = run->settings.clusters[run->cluster_id].name,
        .kind = "File",
        .name = file};
    run->n_unread++;
    pin_analysis_add(&run->analysis, &finding, "%s", why);
}

static void read_embedded(const struct offline *run, const struct pin_offline_sink *sink)
{
    const char *cluster = run->settings.clusters[run->cluster_id].name;
    size_t bytes = strlen(cluster);
    for (size_t i = 0; i < pin_dev_n_files; i++) {
        const struct pin_dev_file *file = &pin_dev_files[i];
        bool is_there = strncmp(file->name, cluster, bytes) == 0 && file->name[bytes] == '/';
        if (is_there && strcmp(file->name + bytes + 1, PIN_CLUSTER_FILE) != 0) {
            pin_offline_read_text(file->name, file->text, file->text_bytes, sink);
        }
    }
}

static void mark_lists(struct offline *run, enum pin_delta_op op)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        apply(run, pin_delta_mark(run->cluster_id, op, (enum pin_kind)kind));
    }
}

static void tell_left_out(struct offline *run, const struct pin_config_cluster *cluster)
{
    struct pin_finding finding = {.id = PIN_FINDING_NOT_LOOKED_AT,
        .cluster = cluster->name,
        .kind = "Cluster",
        .name = cluster->name};
    pin_analysis_add(&run->analysis, &finding, "its objects are not in files");
}

/* Reads what one cluster of the configuration has in files; `loose` are those of LOOSE_CLUSTER. */
static enum pin_err read_cluster(
    struct offline *run, const struct pin_arg_list *loose, struct pin_why *why)
{
    const struct pin_config_cluster *cluster = &run->config->clusters[run->cluster_id];
    const struct pin_offline_sink sink = {on_object, on_unread, run};
    bool is_loose = strcmp(cluster->name, LOOSE_CLUSTER) == 0 && loose->n > 0;
    enum pin_err err = PIN_OK;
    if (!is_loose && cluster->source != PIN_CONFIG_DIRECTORY
        && cluster->source != PIN_CONFIG_EMBEDDED) {
        tell_left_out(run, cluster);
        return PIN_OK;
    }
    run->n_clusters++;
    apply(run, pin_delta_mark(run->cluster_id, PIN_DELTA_UP, 0));
    mark_lists(run, PIN_DELTA_LIST_BEGIN);
    for (size_t i = 0; is_loose && i < loose->n && err == PIN_OK; i++) {
        err = pin_offline_read(loose->values[i], &sink, why);
    }
    if (!is_loose && cluster->source == PIN_CONFIG_EMBEDDED) {
        read_embedded(run, &sink);
    } else if (!is_loose) {
        err = pin_offline_read(cluster->directory, &sink, why);
    }
    mark_lists(run, PIN_DELTA_LIST_END);
    apply(run, pin_delta_mark(run->cluster_id, PIN_DELTA_SYNCED, 0));
    return err;
}

static void read_zonefiles(struct offline *run, const struct pin_app_files *files)
{
    size_t n = files->zonefiles != NULL ? pin_zonefiles_count(files->zonefiles) : 0;
    for (size_t i = 0; i < n; i++) {
        struct pin_why why = {0};
        struct pin_zonefile *zonefile = pin_zonefiles_take(files->zonefiles, i);
        if (zonefile != NULL) {
            (void)pin_catalog_set_zonefile(run->catalog, zonefile, &why);
        }
    }
}

static enum pin_err read_all(struct offline *run, const struct pin_app_files *files,
    const struct pin_arg_list *loose, struct pin_why *why)
{
    enum pin_err err = pin_catalog_new(&run->settings, 1, &run->catalog, why);
    if (err != PIN_OK) {
        return err;
    }
    read_zonefiles(run, files);
    for (size_t i = 0; i < run->settings.n_clusters && err == PIN_OK; i++) {
        run->cluster_id = (uint16_t)i;
        err = read_cluster(run, loose, why);
    }
    if (err == PIN_OK && run->n_objects == 0 && run->n_unread == 0) {
        struct pin_finding finding = {.id = PIN_FINDING_NOTHING_READ};
        pin_analysis_add(&run->analysis, &finding, "no manifest holds an object that is read");
    }
    return err;
}

/* --- the run -------------------------------------------------------------------------------- */

/* Each line of what is wrong with the configuration. */
static void tell_config(struct offline *run, const struct pin_findings *findings)
{
    for (const char *at = pin_findings_text(findings); *at != '\0';) {
        int bytes = (int)strcspn(at, "\n");
        struct pin_finding finding = {.id = PIN_FINDING_CONFIG, .kind = "PintleConfig"};
        pin_analysis_add(&run->analysis, &finding, "%.*s", bytes, at);
        at += bytes + (at[bytes] == '\n');
    }
    pin_analysis_sort(&run->analysis);
}

/* Adds the cluster of single files to those of the configuration. */
static enum pin_err add_loose(struct pin_config *config, struct pin_why *why)
{
    size_t n = config->n_clusters;
    struct pin_config_cluster *clusters =
        pin_arena_alloc(config->arena, (n + 1) * sizeof(*clusters));
    if (clusters == NULL || n + 1 > PIN_CLUSTERS_MAX) {
        return pin_why_set(why, PIN_ENOMEM, "one more cluster");
    }
    if (n > 0) {
        memcpy(clusters, config->clusters, n * sizeof(*clusters));
    }
    clusters[n] = (struct pin_config_cluster){
        .name = LOOSE_CLUSTER, .weight = PIN_WEIGHT_UNSET, .source = PIN_CONFIG_NOWHERE};
    config->clusters = clusters;
    config->n_clusters = n + 1;
    return PIN_OK;
}

static enum pin_err look(struct offline *run, const struct pin_app_files *files,
    const struct pin_arg_list *loose, struct pin_why *why)
{
    enum pin_err err = loose->n > 0 ? add_loose(run->config, why) : PIN_OK;
    if (err == PIN_OK) {
        err = pin_config_settings(run->config, &run->settings, why);
    }
    if (err == PIN_OK) {
        err = read_all(run, files, loose, why);
    }
    if (err == PIN_OK) {
        uint64_t now_ms = (uint64_t)pin_clock_mono_ms();
        (void)pin_catalog_publish(run->catalog, now_ms);
        pin_catalog_analyze(run->catalog, false, now_ms, &run->analysis);
    }
    return err == PIN_OK && run->analysis.is_out_of_memory
               ? pin_why_set(why, PIN_ENOMEM, "findings")
               : err;
}

static void print(struct offline *run)
{
    struct pin_text out = {0};
    struct pin_analysis_report report = {.analysis = &run->analysis,
        .mode = "offline",
        .n_clusters = run->n_clusters,
        .n_objects = run->n_objects,
        .place = find_place,
        .arg = run};
    pin_analysis_put_json(&report, &out);
    (void)fputs(pin_text_get(&out), stdout);
    pin_text_done(&out);
}

static void done(struct offline *run)
{
    pin_rcu_barrier();
    pin_catalog_free(run->catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
    pin_analysis_done(&run->analysis);
    pin_map_done(&run->places, NULL);
    pin_arena_free(run->arena);
    pin_config_free(run->config);
}

enum pin_exit pin_app_analyze(const struct pin_args *args)
{
    struct offline run = {.arena = pin_arena_new("places", PLACES_BYTES_MAX)};
    struct pin_findings findings = {0};
    struct pin_app_files files = {0};
    struct pin_why why = {0};
    enum pin_err err = PIN_OK;
    pin_log_setup(PIN_LOG_ERROR, PIN_LOG_TEXT); /* what would be a warning is a finding */
    pin_rcu_init();
    pin_rcu_register();
    run.config = pin__app_load_config(args, &findings);
    pin_app_files_load(run.config, &findings, &files);
    if (run.config == NULL || findings.n > 0) {
        tell_config(&run, &findings);
    } else if (run.config->n_clusters == 0 && args->manifests.n == 0) {
        err = pin_why_set(&why, PIN_EINVAL, "nothing to analyze: name clusters or --manifest");
    } else {
        err = look(&run, &files, &args->manifests, &why);
    }
    if (err == PIN_OK) {
        print(&run);
    } else {
        (void)fprintf(stderr, "pintled: %s\n", why.text);
    }
    pin_findings_done(&findings);
    pin_app_files_free(&files);
    done(&run);
    return err != PIN_OK || fflush(stdout) != 0 ? PIN_EXIT_FAILED : PIN_EXIT_OK;
}

enum pin_exit pin_app_print_codes(void)
{
    struct pin_text out = {0};
    pin_finding_codes_put_json(&out);
    (void)fputs(pin_text_get(&out), stdout);
    pin_text_done(&out);
    return fflush(stdout) != 0 ? PIN_EXIT_FAILED : PIN_EXIT_OK;
}
