/* SPDX-License-Identifier: Apache-2.0 */

/* Reads the files that a configuration names. */

#include "resolver/app_files.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/file.h"

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
}

void pin_app_files_free(struct pin_app_files *files)
{
    pin_cookie_file_unwatch(files->cookies);
    pin_certs_free(files->certs);
    pin_primary_free(files->primary);
    pin_zonefiles_free(files->zonefiles);
    *files = (struct pin_app_files){0};
}
