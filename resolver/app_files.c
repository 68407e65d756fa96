/* SPDX-License-Identifier: Apache-2.0 */

/* Reads the files that a configuration names. */

#include "resolver/app_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/base/secret.h"

#include "resolver/drain_store.h"

#define CA_MAX_BYTES ((size_t)16 << 20)

/* Certificates that resolvers are checked with can be read; what they are worth shows at the start.
 */
static void check_authorities(const struct pin_config *config, struct pin_findings *findings)
{
    for (size_t i = 0; i < config->n_forward; i++) {
        const struct pin_config_forward *forward = &config->forward[i];
        struct pin_why why = {0};
        char *text = NULL;
        if (forward->ca != NULL
            && pin_file_read(forward->ca, CA_MAX_BYTES, &text, NULL, &why) != PIN_OK) {
            pin_findings_add(
                findings, config->file, forward->at, "forward[%zu].ca: %s", i, why.text);
        }
        free(text);
    }
}

void pin_app_files_load(
    const struct pin_config *config, struct pin_findings *findings, struct pin_app_files *ret_files)
{
    *ret_files = (struct pin_app_files){0};
    if (config == NULL) {
        return;
    }
    ret_files->zonefiles = pin_zonefiles_load(config, findings);
    ret_files->primary = pin_primary_load(config, findings);
    ret_files->certs = pin_certs_load(config, findings);
    ret_files->cookies = config->manners.cookie_file;
    check_authorities(config, findings);
    if (ret_files->zonefiles == NULL || ret_files->primary == NULL || ret_files->certs == NULL) {
        pin_findings_add(findings, NULL, (struct pin_at){0}, "out of memory");
    }
}

/* Where a cluster's objects come from, as the state file remembers it. */
static const char *source_text(const struct pin_config *config, size_t i)
{
    static const char *const texts[] = {
        [PIN_CONFIG_NOWHERE] = "nowhere",
        [PIN_CONFIG_DIRECTORY] = "directory ",
        [PIN_CONFIG_CONTEXT] = "context ",
        [PIN_CONFIG_IN_CLUSTER] = "service account",
        [PIN_CONFIG_EMBEDDED] = "embedded",
        [PIN_CONFIG_ETCD] = "etcd ",
    };
    const struct pin_config_cluster *cluster = &config->clusters[i];
    const char *name = cluster->source == PIN_CONFIG_DIRECTORY ? cluster->directory
                       : cluster->source == PIN_CONFIG_CONTEXT ? cluster->context
                       : cluster->source == PIN_CONFIG_ETCD    ? cluster->etcd.prefix
                                                               : NULL;
    if (name == NULL) {
        return texts[cluster->source];
    }
    size_t bytes = strlen(texts[cluster->source]) + strlen(name) + 1;
    char *text = pin_arena_alloc(config->arena, bytes);
    if (text != NULL) {
        (void)snprintf(text, bytes, "%s%s", texts[cluster->source], name);
    }
    return text;
}

const char *const *pin_app_sources(const struct pin_config *config)
{
    const char **sources =
        pin_arena_alloc(config->arena, (config->n_clusters + 1) * sizeof(*sources));
    for (size_t i = 0; sources != NULL && i < config->n_clusters; i++) {
        sources[i] = source_text(config, i);
        if (sources[i] == NULL) {
            return NULL;
        }
    }
    return sources;
}

static enum pin_err open_keeper(struct pin_app_files *files, const struct pin_config *config,
    const struct pin_settings *settings, struct pin_why *why)
{
    const char *const *sources = pin_app_sources(config);
    struct pin_keeper_config keeper = {.dir = config->state_dir,
        .settings = settings,
        .sources = sources,
        .may_wait = files->waits_for_state};
    return sources != NULL ? pin_keeper_open(&keeper, &files->keeper, why)
                           : pin_why_set(why, PIN_ENOMEM, "sources");
}

enum pin_err pin_app_files_begin(struct pin_app_files *files, const struct pin_config *config,
    const struct pin_settings *settings, struct pin_builder_config *builder, struct pin_why *why)
{
    enum pin_err err = open_keeper(files, config, settings, why);
    if (err == PIN_OK) {
        pin_keeper_hook(files->keeper, builder);
        err = pin_primary_open(files->primary, builder, why);
    }
    return err;
}

enum pin_err pin_app_files_start(struct pin_app_files *files, const struct pin_config *config,
    struct pin_loop *loop, struct pin_builder *builder, struct pin_why *why)
{
    enum pin_err err = pin_primary_start(files->primary, loop, builder, why);
    if (err == PIN_OK) { /* first: what is drained is never answered */
        err = pin_drain_store_restore(config->state_dir, builder, why);
    }
    if (err == PIN_OK) {
        err = pin_keeper_start(files->keeper, builder, why);
    }
    return err;
}

enum pin_err pin_app_files_watch(struct pin_app_files *files, struct pin_loop *loop,
    struct pin_dirwatch *dirwatch, struct pin_why *why)
{
    enum pin_err err = pin_certs_watch(files->certs, loop, dirwatch, why);
    if (err == PIN_OK) {
        err = pin_cookie_file_watch(files->cookies, loop, dirwatch, why);
    }
    return err;
}

static bool is_directory(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Whether a kubeconfig has the context that the cluster wants; if not, the note says so. */
static void note_context(const struct pin_config *config, const struct pin_config_cluster *cluster,
    pin_list_contexts_fn *list_contexts, struct pin_findings *notes)
{
    const char *const *names = NULL;
    size_t n = 0;
    struct pin_why why = {0};
    if (list_contexts(cluster->kubeconfig, config->arena, &names, &n, &why) != PIN_OK) {
        pin_findings_add(
            notes, config->file, cluster->at, "cluster \"%s\": %s", cluster->name, why.text);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (cluster->context == NULL || strcmp(names[i], cluster->context) == 0) {
            return;
        }
    }
    pin_findings_add(notes, config->file, cluster->at,
        "cluster \"%s\": the kubeconfig has no context \"%s\"", cluster->name,
        cluster->context == NULL ? "" : cluster->context);
}

/* Whether the files with the keys of an entry's server can be read: they are read when they are
 * needed, and may come until then. */
static void note_secrets(const struct pin_config *config, size_t i, struct pin_findings *notes)
{
    const struct pin_config_records *records = &config->records[i];
    const struct {
        const char *key;
        const char *path;
    } files[] = {
        {"txtEncryptKeyFile", records->txt_key_file},
        {"rfc2136.tsig.secretFile", records->rfc2136.secret_file},
        {"powerdns.apiKeyFile", records->powerdns.api_key_file},
        {"route53.accessKeyFile", records->route53.access_key_file},
        {"route53.secretKeyFile", records->route53.secret_key_file},
    };
    for (size_t k = 0; k < N_ELEMS(files); k++) {
        struct pin_secret secret = {0};
        struct pin_why why = {0};
        if (files[k].path != NULL && pin_secret_read(files[k].path, &secret, &why) != PIN_OK) {
            pin_findings_add(
                notes, config->file, records->at, "records[%zu].%s: %s", i, files[k].key, why.text);
        }
        pin_secret_done(&secret);
    }
}

void pin_app_files_note(const struct pin_config *config, pin_list_contexts_fn *list_contexts,
    struct pin_findings *notes)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        const struct pin_config_cluster *cluster = &config->clusters[i];
        if (cluster->source == PIN_CONFIG_CONTEXT) {
            note_context(config, cluster, list_contexts, notes);
        } else if (cluster->source == PIN_CONFIG_DIRECTORY && !is_directory(cluster->directory)) {
            pin_findings_add(notes, config->file, cluster->at,
                "cluster \"%s\": there is no directory '%s' yet", cluster->name,
                cluster->directory);
        }
    }
    for (size_t i = 0; i < config->n_records; i++) {
        note_secrets(config, i, notes);
    }
}

void pin_app_files_free(struct pin_app_files *files)
{
    pin_keeper_stop(files->keeper);
    pin_cookie_file_unwatch(files->cookies);
    pin_certs_free(files->certs);
    pin_primary_free(files->primary);
    pin_zonefiles_free(files->zonefiles);
    *files = (struct pin_app_files){0};
}
