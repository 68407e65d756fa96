/* SPDX-License-Identifier: Apache-2.0 */

/* Configuration: defaults, then the file, then the flags; config_check.c says whether they go
 * together. */

#include "resolver/config.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/compare.h"
#include "pintle/base/file.h"
#include "pintle/base/text.h"
#include "pintle/zones/name.h"

#include "resolver/dev.h"
#include "resolver/worker.h"

#define CONFIG_MAX_BYTES ((size_t)16 << 20)
#define ARENA_MAX_BYTES  ((size_t)256 << 20)
#define FILE_IN_DIR      "pintle.yaml"

static const struct pin_at no_place = {0};

void pin_config_free(struct pin_config *config)
{
    if (config != NULL) {
        struct pin_arena *arena = config->arena; /* the config itself lives in it */
        pin_manners_done(&config->manners);
        pin_arena_free(arena);
    }
}

bool pin_config_add_cluster(struct pin_config *config, const struct pin_config_cluster *cluster)
{
    size_t bytes = (config->n_clusters + 1) * sizeof(*cluster);
    struct pin_config_cluster *clusters = pin_arena_alloc(config->arena, bytes);
    if (clusters == NULL) {
        return false;
    }
    if (config->n_clusters > 0) {
        memcpy(clusters, config->clusters, config->n_clusters * sizeof(*cluster));
    }
    clusters[config->n_clusters] = *cluster;
    config->clusters = clusters;
    config->n_clusters++;
    return true;
}

static const struct pin_config_origin *origin_of(const struct pin_config *config, const char *path,
    const char *source, const struct pin_config_origin *next)
{
    struct pin_config_origin *origin = pin_arena_alloc(config->arena, sizeof(*origin));
    if (origin == NULL) {
        return next;
    }
    *origin = (struct pin_config_origin){.path = pin_arena_strdup(config->arena, path),
        .source = pin_arena_strdup(config->arena, source),
        .next = next};
    return origin->path == NULL || origin->source == NULL ? next : origin;
}

void pin_config_note_origin(struct pin_config *config, const char *path, const char *source)
{
    config->origins = origin_of(config, path, source, config->origins);
}

void pin_config_note_flag(struct pin_config *config, const char *path, const char *flag)
{
    config->flags = origin_of(config, path, flag, config->flags);
}

/* --- Clusters from flags ------------------------------------------------------------------- */

static void add_cluster(struct pin_config *config, const struct pin_config_cluster *cluster,
    struct pin_findings *findings)
{
    if (config->n_clusters >= PIN_CLUSTERS_MAX) {
        return; /* pin_config_check() tells */
    }
    if (!pin_config_add_cluster(config, cluster)) {
        pin_findings_add(findings, NULL, no_place, "out of memory");
    }
}

/* Names of the sub-directories, sorted; hidden ones are left out. NULL after a finding. */
static const char **list_directories(
    struct pin_config *config, const char *dir, size_t *ret_n, struct pin_findings *findings)
{
    const char **names = pin_arena_alloc(config->arena, (PIN_CLUSTERS_MAX + 1) * sizeof(*names));
    size_t n = 0;
    DIR *handle = opendir(dir);
    if (handle == NULL || names == NULL) {
        pin_findings_add(findings, NULL, no_place, "--clusters-dir: cannot read \"%s\": %s", dir,
            handle == NULL ? "no such directory, or it may not be read" : "out of memory");
        names = NULL;
        goto out;
    }
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): the handle is this function's own */
    for (struct dirent *entry = readdir(handle); entry != NULL && n <= PIN_CLUSTERS_MAX;
         entry = readdir(handle)) { /* NOLINT(concurrency-mt-unsafe): as above */
        struct stat st;
        char *path = pin_path_join(dir, entry->d_name);
        if (entry->d_name[0] != '.' && path != NULL && stat(path, &st) == 0
            && S_ISDIR(st.st_mode)) {
            names[n++] = pin_arena_strdup(config->arena, entry->d_name);
        }
        free(path);
    }
    qsort(names, n, sizeof(*names), pin_compare_texts);
    *ret_n = n;
out:
    if (handle != NULL) {
        (void)closedir(handle);
    }
    return names;
}

static void clusters_of_dir(
    struct pin_config *config, const char *dir, struct pin_findings *findings)
{
    size_t n = 0;
    const char **names = list_directories(config, dir, &n, findings);

    for (size_t i = 0; names != NULL && i < n; i++) {
        char *path = pin_path_join(dir, names[i]);
        struct pin_config_cluster cluster = {.name = names[i],
            .directory = path == NULL ? NULL : pin_arena_strdup(config->arena, path),
            .weight = PIN_WEIGHT_UNSET};
        free(path);
        if (!pin_name_is_rfc1123_label(names[i])) {
            pin_findings_add(findings, NULL, no_place,
                "--clusters-dir: directory \"%s\" gives no cluster name: it must be an RFC 1123 "
                "label",
                names[i]);
            continue;
        }
        add_cluster(config, &cluster, findings);
    }
    if (names != NULL && n == 0) {
        pin_findings_add(findings, NULL, no_place,
            "--clusters-dir: \"%s\" has no sub-directory; each one is a cluster", dir);
    }
}

/* The contexts that exist, for checking; NULL when they cannot be listed (a finding if needed). */
static const char *const *existing_contexts(struct pin_config *config, const struct pin_args *args,
    pin_list_contexts_fn *list_contexts, size_t *ret_n, struct pin_findings *findings)
{
    const char *const *names = NULL;
    struct pin_why why = {0};
    if (list_contexts == NULL) {
        return NULL;
    }
    if (list_contexts(args->kubeconfig, config->arena, &names, ret_n, &why) != PIN_OK) {
        pin_findings_add(findings, NULL, no_place, "%s", why.text);
        return NULL;
    }
    return names;
}

static void add_context(struct pin_config *config, const struct pin_args *args, const char *name,
    const char *context, struct pin_findings *findings)
{
    if (!pin_name_is_rfc1123_label(name)) {
        pin_findings_add_usage(findings,
            "context \"%s\": \"%s\" is no cluster name (an RFC 1123 label); write "
            "--contexts NAME=%s",
            context, name, context);
        return;
    }
    struct pin_config_cluster cluster = {.name = name,
        .context = context,
        .kubeconfig =
            args->kubeconfig == NULL ? NULL : pin_arena_strdup(config->arena, args->kubeconfig),
        .weight = PIN_WEIGHT_UNSET};
    add_cluster(config, &cluster, findings);
}

#define NAMED_MAX 8u

/* A context that is not there: which one is meant, or which there are. */
static void tell_no_context(
    const char *context, const char *const *known, size_t n, struct pin_findings *findings)
{
    const char *near = pin_nearest(context, known, n);
    struct pin_text text = {0};
    if (near != NULL) {
        pin_text_putf(&text, ", did you mean \"%s\"?", near);
    }
    for (size_t i = 0; near == NULL && i < n && i < NAMED_MAX; i++) {
        pin_text_putf(&text, "%s%s", i == 0 ? "; it has " : ", ", known[i]);
    }
    pin_findings_add(findings, NULL, no_place,
        "--contexts: the kubeconfig has no context \"%s\"%s%s", context, pin_text_get(&text),
        near == NULL && n > NAMED_MAX ? ", ..." : "");
    pin_text_done(&text);
}

/* "c1,prod=arn:aws:eks:..." */
static void clusters_of_contexts(struct pin_config *config, const struct pin_args *args,
    pin_list_contexts_fn *list_contexts, struct pin_findings *findings)
{
    size_t n = 0;
    const char *const *known = existing_contexts(config, args, list_contexts, &n, findings);
    char *rest = pin_arena_strdup(config->arena, args->contexts);

    while (rest != NULL) {
        char *item = rest;
        rest = strchr(rest, ',');
        if (rest != NULL) {
            *rest++ = '\0';
        }
        char *context = strchr(item, '=');
        if (context != NULL) {
            *context++ = '\0';
        } else {
            context = item;
        }
        if (context[0] == '\0') {
            pin_findings_add_usage(findings, "--contexts: an empty name");
        } else if (known != NULL && !pin_is_among(context, known, n)) {
            tell_no_context(context, known, n, findings);
        } else {
            add_context(config, args, item, context, findings);
        }
    }
}

static void clusters_of_all_contexts(struct pin_config *config, const struct pin_args *args,
    pin_list_contexts_fn *list_contexts, struct pin_findings *findings)
{
    size_t n = 0;
    const char *const *names = existing_contexts(config, args, list_contexts, &n, findings);
    for (size_t i = 0; names != NULL && i < n; i++) {
        add_context(config, args, names[i], names[i], findings);
    }
    if (names != NULL && n == 0) {
        pin_findings_add(findings, NULL, no_place, "--all-contexts: the kubeconfig has none");
    }
}

/* --- Flags over the file ------------------------------------------------------------------- */

static void listens_of_args(
    struct pin_config *config, const struct pin_arg_list *list, struct pin_findings *findings)
{
    static const char *const fallback = "127.0.0.1:5300";
    const char *const *values = list->n > 0 ? list->values : &fallback;
    size_t n = list->n > 0 ? list->n : 1;

    config->listens = pin_arena_alloc(config->arena, n * sizeof(*config->listens));
    config->n_listens = config->listens == NULL ? 0 : n;
    for (size_t i = 0; i < config->n_listens; i++) {
        if (!pin_addrport_parse(values[i], PIN_DNS_PORT, &config->listens[i].address)) {
            pin_findings_add_usage(
                findings, "--listen: \"%s\" is no ADDR[:PORT] with an IP address", values[i]);
        }
    }
}

static void apply_simple_args(
    struct pin_config *config, const struct pin_args *args, struct pin_findings *findings)
{
    enum pin_log_level level = PIN_LOG_INFO;
    enum pin_log_format format = PIN_LOG_TEXT;

    if (args->admin != NULL && !pin_addrport_parse(args->admin, PIN_ADMIN_PORT, &config->admin)) {
        pin_findings_add_usage(
            findings, "--admin: \"%s\" is no ADDR[:PORT] with an IP address", args->admin);
    }
    if (args->workers != NULL) {
        char *end = NULL;
        unsigned long n = strtoul(args->workers, &end, 10);
        if (!isdigit((unsigned char)args->workers[0]) || *end != '\0' || n < 1
            || n > PIN_WORKERS_MAX) {
            pin_findings_add_usage(findings, "--workers: \"%s\" is no number from 1 to %u",
                args->workers, PIN_WORKERS_MAX);
        } else {
            config->n_workers = (uint32_t)n;
        }
    }
    if (args->log_level != NULL && !pin_log_level_parse(args->log_level, &level)) {
        pin_findings_add_usage(findings,
            "--log-level: \"%s\" is not one of debug, info, warn, error", args->log_level);
    } else if (args->log_level != NULL) {
        config->log_level = (unsigned)level;
    }
    if (args->log_format != NULL && !pin_log_format_parse(args->log_format, &format)) {
        pin_findings_add_usage(
            findings, "--log-format: \"%s\" is not one of text, json", args->log_format);
    } else if (args->log_format != NULL) {
        config->log_format = (unsigned)format;
    }
    if (args->user != NULL) {
        config->user = pin_arena_strdup(config->arena, args->user);
    }
    if (args->state_dir != NULL) {
        config->state_dir = pin_arena_strdup(config->arena, args->state_dir);
    }
}

/* Which keys flags stand for. */
static void note_flags(struct pin_config *config, const struct pin_args *args)
{
    const struct {
        const char *path;
        const char *flag;
        bool is_given;
    } rows[] = {
        {"clusters", "--clusters-dir", args->clusters_dir != NULL},
        {"clusters", "--contexts", args->contexts != NULL},
        {"clusters", "--all-contexts", args->all_contexts},
        {"listen", "--listen", args->listen.n > 0},
        {"forward", "--forward", args->forward.n > 0},
        {"admin.address", "--admin", args->admin != NULL},
        {"stateDir", "--state-dir", args->state_dir != NULL},
        {"workers", "--workers", args->workers != NULL},
        {"workers", "--dev", args->dev && args->workers == NULL},
        {"log.level", "--log-level", args->log_level != NULL},
        {"log.format", "--log-format", args->log_format != NULL},
    };
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (rows[i].is_given) {
            pin_config_note_flag(config, rows[i].path, rows[i].flag);
        }
    }
}

/* Flags say which clusters there are and where they come from; what else the file says of a cluster
 * of that name still counts. */
static void keep_said(
    struct pin_config *config, const struct pin_config_cluster *said, size_t n_said)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        struct pin_config_cluster *cluster = &config->clusters[i];
        for (size_t j = 0; j < n_said; j++) {
            if (said[j].name == NULL || strcmp(said[j].name, cluster->name) != 0) {
                continue;
            }
            struct pin_config_cluster kept = said[j];
            kept.at = cluster->at;
            kept.context = cluster->context;
            kept.kubeconfig = cluster->kubeconfig;
            kept.directory = cluster->directory;
            kept.in_cluster = kept.has_etcd = false;
            *cluster = kept;
            break;
        }
    }
}

static void apply_args(struct pin_config *config, const struct pin_args *args,
    pin_list_contexts_fn *list_contexts, struct pin_findings *findings)
{
    const struct pin_config_cluster *said = config->clusters;
    size_t n_said = config->n_clusters;
    bool are_named = args->clusters_dir != NULL || args->contexts != NULL || args->all_contexts;
    apply_simple_args(config, args, findings);
    note_flags(config, args);
    if (args->listen.n > 0 || config->n_listens == 0) {
        listens_of_args(config, &args->listen, findings);
    }
    if (are_named) {
        config->n_clusters = 0; /* flags override the file */
    }
    if (args->clusters_dir != NULL) {
        clusters_of_dir(config, args->clusters_dir, findings);
    }
    if (args->contexts != NULL) {
        clusters_of_contexts(config, args, list_contexts, findings);
    }
    if (args->all_contexts) {
        clusters_of_all_contexts(config, args, list_contexts, findings);
    }
    if (are_named) {
        keep_said(config, said, n_said);
    }
    for (size_t i = 0; i < config->n_clusters; i++) {
        struct pin_config_cluster *cluster = &config->clusters[i];
        if (cluster->context != NULL && cluster->kubeconfig == NULL && args->kubeconfig != NULL) {
            cluster->kubeconfig = pin_arena_strdup(config->arena, args->kubeconfig);
        }
    }
}

/* How much is noted follows from where it goes. */
static void set_tap(struct pin_config *config)
{
    struct pin_tap_config *tap = &config->tap;
    bool has_log = config->logs_to_stdout || tap->log_file != NULL;
    bool has_dnstap = tap->dnstap_socket != NULL || tap->dnstap_tcp.port != 0;
    tap->log_every = has_log ? config->log_sample : 0;
    tap->dnstap_every = has_dnstap ? config->dnstap_sample : 0;
}

/* What each cluster's keys mean together. */
static void set_sources(struct pin_config *config)
{
    for (size_t i = 0; i < config->n_clusters; i++) {
        struct pin_config_cluster *cluster = &config->clusters[i];
        if (cluster->directory != NULL) {
            cluster->source = PIN_CONFIG_DIRECTORY;
        } else if (cluster->in_cluster) {
            cluster->source = PIN_CONFIG_IN_CLUSTER;
        } else if (cluster->context != NULL || cluster->kubeconfig != NULL) {
            cluster->source = PIN_CONFIG_CONTEXT;
        } else if (cluster->has_etcd) {
            cluster->source = PIN_CONFIG_ETCD;
        }
    }
}

/* --config, or the file beside the cluster directories when there is one. In the arena or NULL. */
static const char *choose_file(struct pin_config *config, const struct pin_args *args)
{
    if (args->config != NULL || args->clusters_dir == NULL) {
        return args->config == NULL ? NULL : pin_arena_strdup(config->arena, args->config);
    }
    struct stat st;
    const char *chosen = NULL;
    char *path = pin_path_join(args->clusters_dir, FILE_IN_DIR);
    if (path != NULL && stat(path, &st) == 0) {
        chosen = pin_arena_strdup(config->arena, path);
    }
    free(path);
    return chosen;
}

static void read_file(struct pin_config *config, struct pin_findings *findings)
{
    char *text = NULL;
    size_t bytes = 0;
    struct pin_why why = {0};
    if (pin_file_read(config->file, CONFIG_MAX_BYTES, &text, &bytes, &why) != PIN_OK) {
        pin_findings_add(findings, NULL, no_place, "%s", why.text);
        return;
    }
    pin_config_read(config, config->file, text, bytes, findings);
    free(text);
}

/* Dev mode: the embedded configuration; its directories are embedded too. */
static void read_dev(struct pin_config *config, struct pin_findings *findings)
{
    const struct pin_dev_file *file = pin_dev_find(PIN_DEV_CONFIG);
    pin_config_read(config, file->name, file->text, file->text_bytes, findings);
    for (size_t i = 0; i < config->n_clusters; i++) {
        config->clusters[i].directory = NULL;
        config->clusters[i].source = PIN_CONFIG_EMBEDDED;
    }
    config->n_workers = 1; /* one sequence of draws: thirty questions show 3 and 27 */
}

struct pin_config *pin_config_load(
    const struct pin_args *args, pin_list_contexts_fn *list_contexts, struct pin_findings *findings)
{
    struct pin_arena *arena = pin_arena_new("config", ARENA_MAX_BYTES);
    struct pin_config *config =
        arena == NULL ? NULL : pin_arena_alloc(arena, sizeof(struct pin_config));
    if (config == NULL) {
        pin_arena_free(arena);
        return NULL;
    }
    config->arena = arena;
    config->is_dev = args->dev;
    pin_config_read(config, NULL, NULL, 0, findings);
    config->file = choose_file(config, args);
    if (args->dev) {
        read_dev(config, findings);
    } else if (config->file != NULL) {
        read_file(config, findings);
    }
    apply_args(config, args, list_contexts, findings);
    pin_config_forward(config, &args->forward, findings);
    pin_config_records(config, findings);
    set_sources(config);
    set_tap(config);
    pin_config_check(config, findings);
    return config;
}
