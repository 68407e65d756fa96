/* SPDX-License-Identifier: Apache-2.0 */

/* The configuration with what clusters' files add to it. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/sync/grant.h"
#include "pintle/sync/sync.h"

#include "resolver/app_state.h"
#include "resolver/dev.h"
#include "resolver/feeds.h"
#include "resolver/refuse.h"

/* A key of cluster.yaml that counts. */
static void note_key(struct pin_config *config, size_t i, const char *key)
{
    const struct pin_config_cluster *cluster = &config->clusters[i];
    char path[64];
    char source[512];
    (void)snprintf(path, sizeof(path), "clusters[%zu].%s", i, key);
    (void)snprintf(source, sizeof(source), "%s/%s",
        cluster->directory != NULL ? cluster->directory : cluster->name, PIN_CLUSTER_FILE);
    pin_config_note_origin(config, path, source);
}

/* What cluster.yaml says counts where the configuration is silent. */
static enum pin_err read_cluster_file(struct pin_config *config, size_t i, struct pin_why *why)
{
    struct pin_config_cluster *cluster = &config->clusters[i];
    struct pin_cluster_file file = {0};
    enum pin_err err = PIN_OK;

    if (cluster->source == PIN_CONFIG_DIRECTORY) {
        err = pin_cluster_file_read(cluster->directory, config->arena, &file, why);
    } else if (cluster->source == PIN_CONFIG_EMBEDDED) {
        char name[128];
        (void)snprintf(name, sizeof(name), "%s/%s", cluster->name, PIN_CLUSTER_FILE);
        const struct pin_dev_file *text = pin_dev_find(name);
        if (text != NULL) {
            err = pin_cluster_file_parse(
                text->name, text->text, text->text_bytes, config->arena, &file, why);
        }
    }
    if (err != PIN_OK) {
        return err;
    }
    const struct {
        const char *key;
        const char **target;
        const char *value;
    } texts[] = {
        {"network", &cluster->network, file.network},
        {"zone", &cluster->zone, file.zone},
        {"region", &cluster->region, file.region},
    };
    for (size_t k = 0; k < N_ELEMS(texts); k++) {
        if (*texts[k].target == NULL && texts[k].value != NULL) {
            *texts[k].target = texts[k].value;
            note_key(config, i, texts[k].key);
        }
    }
    if (!cluster->has_clients && file.n_clients > 0) {
        note_key(config, i, "clients");
        cluster->clients = file.clients;
        cluster->n_clients = file.n_clients;
        cluster->client_zones = file.client_zones;
    }
    return PIN_OK;
}

/* The configuration with what the cluster directories add, and all that is wrong with it. */
struct pin_config *pin__app_load_config(const struct pin_args *args, struct pin_findings *findings)
{
    struct pin_config *config = pin_config_load(args, pin_kubeconfig_contexts, findings);
    for (size_t i = 0; config != NULL && i < config->n_clusters; i++) {
        struct pin_why why = {0};
        if (read_cluster_file(config, i, &why) != PIN_OK) {
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

enum pin_exit pin_app_check(const struct pin_args *args)
{
    struct pin_findings findings = {0};
    struct pin_config *config = pin__app_load_config(args, &findings);
    struct pin_app_files files;
    pin_app_files_load(config, &findings, &files);
    enum pin_exit exit_code = PIN_EXIT_OK;

    if (findings.n == 0) {
        pin_feed_check_geo(config, &findings);
    }
    if (findings.n > 0) {
        exit_code = pin_refuse_findings(&findings);
    } else if (config->n_clusters == 0) {
        exit_code = pin_refuse_no_clusters();
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

/* --contexts NAME=CONTEXT; "NAME=" is the current context, and NAME alone is both. */
static enum pin_err print_grant(
    const struct pin_args *args, struct pin_text *out, struct pin_why *why)
{
    char *name = strdup(args->contexts);
    if (name == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a name");
    }
    char *context = strchr(name, '=');
    if (context != NULL) {
        *context++ = '\0';
    }
    const struct pin_grant grant = {.kubeconfig = args->kubeconfig,
        .context = context == NULL      ? name
                   : context[0] == '\0' ? NULL
                                        : context,
        .cluster = name,
        .part = args->print_grant,
        .write_back = args->write_back};
    enum pin_err err = pin_grant_print(&grant, out, why);
    free(name);
    return err;
}

enum pin_exit pin_app_grant(const struct pin_args *args)
{
    struct pin_text out = {0};
    struct pin_why why = {0};
    enum pin_err err = print_grant(args, &out, &why);
    if (err == PIN_OK) {
        (void)fputs(pin_text_get(&out), stdout);
    } else {
        (void)fprintf(stderr, "pintled: %s\n", why.text);
    }
    bool is_written = fflush(stdout) == 0;
    pin_text_done(&out);
    return err == PIN_EINVAL             ? PIN_EXIT_USAGE
           : err == PIN_OK && is_written ? PIN_EXIT_OK
                                         : PIN_EXIT_FAILED;
}
