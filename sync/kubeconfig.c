/* SPDX-License-Identifier: Apache-2.0 */

/* Kubeconfig files: merged by name, read by context. */

#include "kubeconfig.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/arena.h"
#include "pintle/base/compare.h"
#include "pintle/base/crypto.h"
#include "pintle/base/file.h"
#include "pintle/base/hash.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"
#include "pintle/sync/sync.h"

#include "exec.h"
#include "place.h"

#define FILE_BYTES_MAX  ((size_t)16 << 20)
#define ARENA_BYTES_MAX ((size_t)256 << 20)

/* A named cluster, user or context, and the file that its paths are relative to. */
struct entry {
    const struct pin_tree *body; /* The map under `cluster`, `user` or `context`; may be NULL. */
    const struct pin_tree *at;   /* For messages. */
    const char *file;
};

struct pin_kubeconfig {
    struct pin_arena *arena; /* Trees, file names, entries. */
    struct pin_map clusters;
    struct pin_map users;
    struct pin_map contexts;
    const char *current;
    struct pin_text files; /* Names of the files read, for messages. */
    struct pin_why broken; /* Trouble of the first broken file, or empty. */
    size_t n_files;
    bool may_wait;
};

/* --- Reading and merging -------------------------------------------------------------------- */

/* Adds the named entries of one list; a name that is known already keeps its first meaning. */
static enum pin_err merge_list(struct pin_kubeconfig *self, const char *file,
    const struct pin_tree *list, const char *body_key, struct pin_map *map)
{
    struct pin_why *why = &self->broken;
    if (list == NULL || list->kind == PIN_TREE_NULL) {
        return PIN_OK;
    }
    if (list->kind != PIN_TREE_LIST) {
        return pin__why_at(why, PIN_EPARSE, file, list, "'%s' must be a list", list->key);
    }
    PIN_TREE_EACH(item, list)
    {
        const char *name = pin_tree_string(item, "name", NULL);
        if (name == NULL) {
            return pin__why_at(
                why, PIN_EPARSE, file, item, "an entry of '%s' has no name", list->key);
        }
        if (pin_map_find(map, name, strlen(name)) != NULL) {
            continue;
        }
        struct entry *entry = pin_arena_alloc(self->arena, sizeof(*entry));
        if (entry == NULL) {
            return pin_why_set(why, PIN_ENOMEM, "%s: no memory", file);
        }
        *entry = (struct entry){pin_tree_map(item, body_key), item, file};
        if (!pin_map_put(map, name, strlen(name), entry, NULL)) {
            return pin_why_set(why, PIN_ENOMEM, "%s: no memory", file);
        }
    }
    return PIN_OK;
}

static enum pin_err merge_doc(
    struct pin_kubeconfig *self, const char *file, const struct pin_tree *doc)
{
    const char *kind = pin_tree_string(doc, "kind", "Config");
    if (doc->kind != PIN_TREE_MAP || strcmp(kind, "Config") != 0) {
        return pin__why_at(&self->broken, PIN_EPARSE, file, doc,
            "this is no kubeconfig, it has no 'kind: Config'");
    }
    const char *current = pin_tree_string(doc, "current-context", NULL);
    if (self->current == NULL && current != NULL && current[0] != '\0') {
        self->current = current;
    }
    const struct {
        const char *list;
        const char *body;
        struct pin_map *map;
    } parts[] = {
        {"clusters", "cluster", &self->clusters},
        {"users", "user", &self->users},
        {"contexts", "context", &self->contexts},
    };
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        const struct pin_tree *list = pin_tree_find(doc, parts[i].list);
        enum pin_err err = merge_list(self, file, list, parts[i].body, parts[i].map);
        if (err != PIN_OK) {
            return err;
        }
    }
    return PIN_OK;
}

/* Quiet: trouble is kept as self->broken. */
static enum pin_err merge_text(
    struct pin_kubeconfig *self, const char *name, const char *text, size_t bytes)
{
    struct pin_tree *docs = NULL;
    const char *file = pin_arena_strdup(self->arena, name);
    if (file == NULL) {
        return pin_why_set(&self->broken, PIN_ENOMEM, "%s: no memory", name);
    }
    self->n_files++;
    pin_text_putf(&self->files, "%s%s", self->files.len > 0 ? ", " : "", file);
    enum pin_err err = pin__yaml_parse(file, text, bytes, self->arena, &docs, &self->broken);
    return err != PIN_OK || docs->first == NULL ? err : merge_doc(self, file, docs->first);
}

/* The same for a file. */
static enum pin_err merge_file(struct pin_kubeconfig *self, const char *path)
{
    char *text = NULL;
    size_t bytes = 0;
    enum pin_err err = self->may_wait
                           ? pin_file_read(path, FILE_BYTES_MAX, &text, &bytes, &self->broken)
                           : pin_file_read_now(path, FILE_BYTES_MAX, &text, &bytes, &self->broken);
    if (err == PIN_OK) {
        err = merge_text(self, path, text, bytes);
        explicit_bzero(text, bytes);
    }
    free(text);
    return err;
}

/* A file of a list: a missing one is skipped, a broken one is remembered. */
static void merge_listed(struct pin_kubeconfig *self, const char *path)
{
    struct pin_why before = self->broken;
    enum pin_err err = merge_file(self, path);
    if (err == PIN_OK || err == PIN_ENOTFOUND || before.text[0] != '\0') {
        self->broken = before;
    }
}

static enum pin_err merge_by_rules(struct pin_kubeconfig *self, struct pin_why *why)
{
    const char *list = getenv("KUBECONFIG"); /* NOLINT(concurrency-mt-unsafe) */
    const char *home = getenv("HOME");       /* NOLINT(concurrency-mt-unsafe) */
    bool has_list = list != NULL && list[0] != '\0';
    char *usual = has_list ? NULL : pin_path_join(home, ".kube/config");
    char *names = strdup(has_list ? list : usual != NULL ? usual : "");
    char *rest = NULL;
    for (char *name = names == NULL ? NULL : strtok_r(names, ":", &rest); name != NULL;
         name = strtok_r(NULL, ":", &rest)) {
        merge_listed(self, name);
    }
    enum pin_err err = PIN_OK;
    if (self->n_files == 0 && self->broken.text[0] != '\0') {
        err = pin_why_set(why, PIN_EIO, "%s", self->broken.text);
    } else if (self->n_files == 0) {
        err = pin_why_set(why, PIN_ENOTFOUND,
            "no kubeconfig: none of '%s' exists, set KUBECONFIG or name a file with --kubeconfig",
            has_list ? list : usual);
    }
    free(names);
    free(usual);
    return err;
}

static struct pin_kubeconfig *new_kubeconfig(void)
{
    struct pin_kubeconfig *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->arena = pin_arena_new("kubeconfig", ARENA_BYTES_MAX);
    if (self->arena == NULL) {
        free(self);
        return NULL;
    }
    return self;
}

enum pin_err pin_kubeconfig_load(
    const char *path, bool may_wait, struct pin_kubeconfig **ret, struct pin_why *why)
{
    struct pin_kubeconfig *self = new_kubeconfig();
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a kubeconfig");
    }
    enum pin_err err = PIN_OK;
    self->may_wait = may_wait;
    if (path == NULL) {
        err = merge_by_rules(self, why);
    } else {
        err = merge_file(self, path);
        (void)pin_why_set(why, err, "%s", self->broken.text);
    }
    if (err != PIN_OK) {
        pin_kubeconfig_free(self);
        return err;
    }
    *ret = self;
    return PIN_OK;
}

enum pin_err pin_kubeconfig_parse(const char *name, const char *text, size_t bytes,
    struct pin_kubeconfig **ret, struct pin_why *why)
{
    struct pin_kubeconfig *self = new_kubeconfig();
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a kubeconfig");
    }
    enum pin_err err = merge_text(self, name, text, bytes);
    if (err != PIN_OK) {
        (void)pin_why_set(why, err, "%s", self->broken.text);
        pin_kubeconfig_free(self);
        return err;
    }
    *ret = self;
    return PIN_OK;
}

void pin_kubeconfig_free(struct pin_kubeconfig *kubeconfig)
{
    if (kubeconfig == NULL) {
        return;
    }
    pin_map_done(&kubeconfig->clusters, NULL);
    pin_map_done(&kubeconfig->users, NULL);
    pin_map_done(&kubeconfig->contexts, NULL);
    pin_text_done(&kubeconfig->files);
    pin_arena_free(kubeconfig->arena);
    free(kubeconfig);
}

/* --- From a context to a target ------------------------------------------------------------- */

/* What is being read: an entry's body and where its failures go. First failure sticks. */
struct reader {
    const struct entry *entry;
    const char *what; /* "cluster 'c1'" */
    enum pin_err err;
    struct pin_why *why;
};

static void reader_fail(
    struct reader *self, enum pin_err err, const struct pin_tree *at, const char *problem)
{
    if (self->err == PIN_OK) {
        self->err = pin__why_at(self->why, err, self->entry->file,
            at != NULL ? at : self->entry->at, "%s: %s", self->what, problem);
    }
}

static char *take_copy(struct reader *self, const char *text)
{
    char *copy = text == NULL ? NULL : strdup(text);
    if (text != NULL && copy == NULL) {
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
    }
    return copy;
}

/* A text field; NULL when absent or empty. */
static char *take_field(struct reader *self, const char *key)
{
    const char *text = pin_tree_text(pin_tree_find(self->entry->body, key), NULL);
    return text == NULL || text[0] == '\0' ? NULL : take_copy(self, text);
}

/* A path, relative to the file that holds it. */
static char *take_path(struct reader *self, const char *key)
{
    char *name = take_field(self, key);
    char *dir = name == NULL ? NULL : pin_path_dir(self->entry->file);
    char *path = dir == NULL ? NULL : pin_path_join(dir, name);
    if (name != NULL && path == NULL) {
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
    }
    free(name);
    free(dir);
    return path;
}

/* KEY-data in base64 goes over the file named by KEY. */
static void take_blob(struct reader *self, const char *key, struct pin_blob *blob, char **path)
{
    char data_key[64];
    (void)snprintf(data_key, sizeof(data_key), "%s-data", key);
    const struct pin_tree *node = pin_tree_find(self->entry->body, data_key);
    const char *text = pin_tree_text(node, NULL);
    if (text == NULL || text[0] == '\0') {
        *path = take_path(self, key);
        return;
    }
    uint8_t *data = NULL;
    size_t bytes = 0;
    char problem[128];
    enum pin_err err = pin_base64_decode(text, node->text_bytes, &data, &bytes);
    if (err != PIN_OK) {
        (void)snprintf(problem, sizeof(problem), "'%s' is no base64", data_key);
        reader_fail(self, err, node, problem);
        return;
    }
    *blob = (struct pin_blob){.data = data, .bytes = bytes};
    if (memmem(data, bytes, "-----BEGIN ", 11) == NULL) {
        (void)snprintf(problem, sizeof(problem), "'%s' holds no PEM text", data_key);
        reader_fail(self, PIN_EPARSE, node, problem);
    }
}

/* Completes the URL as kubectl does: no scheme means https where TLS is set up, else http. */
static void take_server(struct reader *self, struct pin_target *target)
{
    const struct pin_tree *node = pin_tree_find(self->entry->body, "server");
    char *text = take_field(self, "server");
    if (text == NULL) {
        reader_fail(self, PIN_EINVAL, NULL, "has no 'server', write https://HOST:PORT");
        return;
    }
    bool has_tls = target->ca.data != NULL || target->ca_file != NULL || target->is_insecure;
    const char *scheme = strstr(text, "://");
    const char *prefix = scheme != NULL ? "" : has_tls ? "https://" : "http://";
    bool is_http = scheme == NULL || strncasecmp(text, "http://", 7) == 0
                   || strncasecmp(text, "https://", 8) == 0;
    const char *host = scheme == NULL ? text : scheme + 3;
    if (!is_http || strcspn(host, "/?#") == 0 || strpbrk(text, "?# \t\r\n") != NULL) {
        reader_fail(self, PIN_EINVAL, node, "'server' must be like https://HOST:PORT");
        free(text);
        return;
    }
    for (size_t n = strlen(text); n > 0 && text[n - 1] == '/'; n--) {
        text[n - 1] = '\0';
    }
    if (asprintf(&target->server, "%s%s", prefix, text) < 0) {
        target->server = NULL;
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
    }
    if (target->server != NULL && strncasecmp(target->server, "https", 5) == 0) {
        memcpy(target->server, "https", 5);
    }
    free(text);
}

static enum pin_err read_cluster(
    const struct entry *entry, const char *name, struct pin_target *target, struct pin_why *why)
{
    char what[300];
    (void)snprintf(what, sizeof(what), "cluster '%s'", name);
    struct reader self = {.entry = entry, .what = what, .why = why};
    const struct pin_tree *insecure = pin_tree_find(entry->body, "insecure-skip-tls-verify");
    target->is_insecure = pin_tree_bool(entry->body, "insecure-skip-tls-verify", false);
    take_blob(&self, "certificate-authority", &target->ca, &target->ca_file);
    take_server(&self, target);
    target->server_name = take_field(&self, "tls-server-name");
    target->proxy_url = take_field(&self, "proxy-url");
    if (target->is_insecure && (target->ca.data != NULL || target->ca_file != NULL)) {
        reader_fail(&self, PIN_EINVAL, insecure,
            "has a certificate-authority and insecure-skip-tls-verify, remove one of them");
    }
    return self.err;
}

/* Texts of a list, onto the heap. Items that are no text are left out. */
static char **take_list(struct reader *self, const struct pin_tree *list, size_t *ret_n)
{
    char **texts = calloc(list == NULL ? 1 : list->n_children + 1, sizeof(*texts));
    if (texts == NULL) {
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
        return NULL;
    }
    PIN_TREE_EACH(item, list)
    {
        char *text = take_copy(self, pin_tree_text(item, NULL));
        if (text != NULL) {
            texts[(*ret_n)++] = text;
        }
    }
    return texts;
}

/* The variables of a plugin, as "NAME=value". */
static void take_env(struct reader *self, const struct pin_tree *node, struct pin_exec *exec)
{
    const struct pin_tree *list = pin_tree_list(node, "env");
    exec->env = calloc(list == NULL ? 1 : list->n_children + 1, sizeof(*exec->env));
    if (exec->env == NULL) {
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
        return;
    }
    PIN_TREE_EACH(item, list)
    {
        const char *name = pin_tree_string(item, "name", "");
        char *line = NULL;
        if (name[0] == '\0' || strchr(name, '=') != NULL) {
            reader_fail(self, PIN_EINVAL, item, "a variable of its exec plugin has no name");
        } else if (asprintf(&line, "%s=%s", name, pin_tree_string(item, "value", "")) < 0) {
            reader_fail(self, PIN_ENOMEM, NULL, "no memory");
        } else {
            exec->env[exec->n_env++] = line;
        }
    }
}

/* A command with a '/' is relative to the kubeconfig, any other is looked up in $PATH. */
static char *take_command(struct reader *self, const char *command)
{
    if (strchr(command, '/') == NULL) {
        return take_copy(self, command);
    }
    char *dir = pin_path_dir(self->entry->file);
    char *path = dir == NULL ? NULL : pin_path_join(dir, command);
    if (path == NULL) {
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
    }
    free(dir);
    return path;
}

static void take_exec(struct reader *self, const struct pin_tree *node, struct pin_target *target)
{
    const char *version = pin_tree_string(node, "apiVersion", "");
    const char *command = pin_tree_string(node, "command", "");
    if (strcmp(version, "client.authentication.k8s.io/v1") != 0
        && strcmp(version, "client.authentication.k8s.io/v1beta1") != 0) {
        reader_fail(self, PIN_EUNSUPPORTED, node,
            "the apiVersion of its exec plugin must be client.authentication.k8s.io/v1 or v1beta1");
        return;
    }
    if (command[0] == '\0') {
        reader_fail(self, PIN_EINVAL, node, "its exec plugin has no 'command'");
        return;
    }
    if (pin_tree_text_is(pin_tree_find(node, "interactiveMode"), "Always")) {
        reader_fail(self, PIN_EUNSUPPORTED, node,
            "its exec plugin wants a terminal (interactiveMode: Always), a daemon has none");
        return;
    }
    struct pin_exec *exec = calloc(1, sizeof(*exec));
    if (exec == NULL) {
        reader_fail(self, PIN_ENOMEM, NULL, "no memory");
        return;
    }
    target->exec = exec;
    exec->command = take_command(self, command);
    exec->args = take_list(self, pin_tree_list(node, "args"), &exec->n_args);
    exec->api_version = take_copy(self, version);
    exec->hint = take_copy(self, pin_tree_string(node, "installHint", NULL));
    exec->tells_cluster = pin_tree_bool(node, "provideClusterInfo", false);
    take_env(self, node, exec);
}

/* A plugin is needed only where nothing else proves who we are. */
static void take_plugin(struct reader *self, struct pin_target *target)
{
    const struct pin_tree *exec = pin_tree_find(self->entry->body, "exec");
    const struct pin_tree *provider = pin_tree_find(self->entry->body, "auth-provider");
    bool has_other = target->token != NULL || target->token_file != NULL
                     || target->certificate.data != NULL || target->certificate_file != NULL
                     || target->username != NULL;
    if (has_other) {
        return;
    }
    if (exec != NULL && exec->kind != PIN_TREE_NULL) {
        take_exec(self, exec, target);
    } else if (provider != NULL && provider->kind != PIN_TREE_NULL) {
        char problem[256];
        (void)snprintf(problem, sizeof(problem),
            "uses the auth provider '%.80s'; Kubernetes itself has dropped those: use its exec "
            "plugin, or a tokenFile (a file with a bearer token, read again each minute)",
            pin_tree_string(provider, "name", "?"));
        reader_fail(self, PIN_EUNSUPPORTED, provider, problem);
    }
}

static enum pin_err read_user(
    const struct entry *entry, const char *name, struct pin_target *target, struct pin_why *why)
{
    char what[300];
    (void)snprintf(what, sizeof(what), "user '%s'", name);
    struct reader self = {.entry = entry, .what = what, .why = why};
    take_blob(&self, "client-certificate", &target->certificate, &target->certificate_file);
    take_blob(&self, "client-key", &target->key, &target->key_file);
    target->token = take_field(&self, "token");
    target->token_file = take_path(&self, "tokenFile");
    target->username = take_field(&self, "username");
    target->password = take_field(&self, "password");
    target->as_user = take_field(&self, "as");
    target->as_uid = take_field(&self, "as-uid");
    target->as_groups =
        take_list(&self, pin_tree_list(entry->body, "as-groups"), &target->n_as_groups);
    take_plugin(&self, target);
    bool has_certificate = target->certificate.data != NULL || target->certificate_file != NULL;
    bool has_key = target->key.data != NULL || target->key_file != NULL;
    if (has_certificate != has_key) {
        reader_fail(&self, PIN_EINVAL, NULL,
            has_key ? "has a client-key but no client-certificate"
                    : "has a client-certificate but no client-key");
    }
    return self.err;
}

/* "c1, c2, c3", cut when long. */
static void put_names(const struct pin_map *map, struct pin_text *text)
{
    const char *name = NULL;
    size_t cursor = 0;
    while (text->len < 160 && pin_map_next(map, &cursor, &name, NULL, NULL)) {
        pin_text_putf(text, "%s%s", text->len > 0 ? ", " : "", name);
    }
}

/* No entry of that name: a broken file, if there is one, is the likely reason. */
static enum pin_err not_found(const struct pin_kubeconfig *self, const char *what, const char *name,
    const struct pin_map *map, struct pin_why *why)
{
    if (self->broken.text[0] != '\0') {
        return pin_why_set(
            why, PIN_EPARSE, "%s (needed for %s '%s')", self->broken.text, what, name);
    }
    struct pin_text names = {0};
    put_names(map, &names);
    enum pin_err err = pin_why_set(why, PIN_ENOTFOUND, "%s '%s' is not in %s, which has %s", what,
        name, pin_text_get(&self->files), names.len > 0 ? names.ptr : "none");
    pin_text_done(&names);
    return err;
}

static enum pin_err find_entry(const struct pin_kubeconfig *self, const char *what,
    const struct pin_map *map, const char *name, const struct entry **ret, struct pin_why *why)
{
    *ret = pin_map_find(map, name, strlen(name));
    return *ret == NULL ? not_found(self, what, name, map, why) : PIN_OK;
}

/* What a cluster's entry holds for exec plugins, or NULL. */
static const struct pin_tree *plugin_config(const struct pin_kubeconfig *self, const char *cluster)
{
    const struct entry *entry = pin_map_find(&self->clusters, cluster, strlen(cluster));
    const struct pin_tree *list = pin_tree_list(entry->body, "extensions");
    PIN_TREE_EACH(item, list)
    {
        if (pin_tree_text_is(pin_tree_find(item, "name"), "client.authentication.k8s.io/exec")) {
            return pin_tree_find(item, "extension");
        }
    }
    return NULL;
}

static enum pin_err fill_target(const struct pin_kubeconfig *self, const char *name,
    struct pin_target *target, struct pin_why *why)
{
    const struct entry *context = NULL;
    const struct entry *entry = NULL;
    enum pin_err err = find_entry(self, "context", &self->contexts, name, &context, why);
    if (err != PIN_OK) {
        return err;
    }
    const char *cluster = pin_tree_string(context->body, "cluster", NULL);
    const char *user = pin_tree_string(context->body, "user", NULL);
    if (cluster == NULL) {
        return pin__why_at(
            why, PIN_EINVAL, context->file, context->at, "context '%s' names no cluster", name);
    }
    err = find_entry(self, "cluster", &self->clusters, cluster, &entry, why);
    if (err == PIN_OK && entry != NULL) {
        err = read_cluster(entry, cluster, target, why);
    }
    if (err == PIN_OK && user != NULL && user[0] != '\0') {
        err = find_entry(self, "user", &self->users, user, &entry, why);
        err = entry != NULL ? read_user(entry, user, target, why) : err;
    }
    enum pin_target_change change = PIN_TARGET_SAME;
    err = err == PIN_OK ? pin_target_refresh(target, &change, why) : err;
    if (err == PIN_OK && target->exec != NULL
        && !pin_exec_set_info(target->exec, target, plugin_config(self, cluster))) {
        err = pin_why_set(why, PIN_ENOMEM, "no memory for context '%s'", name);
    }
    return err;
}

enum pin_err pin_kubeconfig_target(const struct pin_kubeconfig *kubeconfig, const char *context,
    struct pin_target **ret_target, struct pin_why *why)
{
    const char *name = context != NULL ? context : kubeconfig->current;
    if (name == NULL) {
        return pin_why_set(why, PIN_ENOTFOUND, "%s: no current-context is set, name a context",
            pin_text_get(&kubeconfig->files));
    }
    struct pin_target *target = calloc(1, sizeof(*target));
    if (target == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for context '%s'", name);
    }
    enum pin_err err = fill_target(kubeconfig, name, target, why);
    if (err != PIN_OK) {
        pin_target_free(target);
        return err;
    }
    *ret_target = target;
    return PIN_OK;
}

/* --- Listing -------------------------------------------------------------------------------- */

static enum pin_err list_contexts(const struct pin_kubeconfig *self, struct pin_arena *arena,
    const char *const **ret_names, size_t *ret_n, struct pin_why *why)
{
    size_t n = 0;
    size_t cursor = 0;
    const char *name = NULL;
    size_t count = pin_map_count(&self->contexts);
    const char **names = pin_arena_alloc(arena, count * sizeof(*names));
    while (
        names != NULL && n < count && pin_map_next(&self->contexts, &cursor, &name, NULL, NULL)) {
        names[n] = pin_arena_strdup(arena, name);
        if (names[n++] == NULL) {
            names = NULL;
        }
    }
    if (names == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the contexts");
    }
    qsort(names, n, sizeof(*names), pin_compare_texts);
    *ret_names = names;
    *ret_n = n;
    return PIN_OK;
}

bool pin_kubeconfig_runs_program(const char *kubeconfig, const char *context)
{
    struct pin_kubeconfig *self = NULL;
    struct pin_target *target = NULL;
    struct pin_why why = {0};
    bool runs = pin_kubeconfig_load(kubeconfig, true, &self, &why) != PIN_OK || self == NULL
                || pin_kubeconfig_target(self, context, &target, &why) != PIN_OK || target == NULL
                || target->exec != NULL;
    pin_target_free(target);
    pin_kubeconfig_free(self);
    return runs;
}

enum pin_err pin_kubeconfig_contexts(const char *kubeconfig, struct pin_arena *arena,
    const char *const **ret_names, size_t *ret_n, struct pin_why *why)
{
    struct pin_kubeconfig *self = NULL;
    enum pin_err err = pin_kubeconfig_load(kubeconfig, true, &self, why);
    if (err != PIN_OK || self == NULL) {
        return err;
    }
    err = self->broken.text[0] != '\0' ? pin_why_set(why, PIN_EPARSE, "%s", self->broken.text)
                                       : list_contexts(self, arena, ret_names, ret_n, why);
    pin_kubeconfig_free(self);
    return err;
}
