/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl weights set: gives the backendRefs of a route other weights, with the caller's rights.
 * The daemon writes no routes. A patch holds only if the route is as it was read, so what somebody
 * else writes meanwhile is not undone: then it is read and planned anew.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"
#include "pintle/base/tree.h"

#include "cli/emit.h"
#include "cli/kubectl.h"
#include "cli/table.h"

#define ARENA_MAX_BYTES ((size_t)64 << 20)
#define WEIGHT_MAX      1000000ul
#define WANTS_MAX       32u
#define CHANGES_MAX     128u
#define TRIES_MAX       5u
#define ARGS_MAX        16u

/* "a=90" */
struct want {
    char name[254];
    long weight;
    bool is_met; /* A backendRef has the name. */
};

/* One backendRef that is named. The texts are the route's. */
struct change {
    size_t rule;
    size_t backend;
    const char *kind;
    const char *name;
    long long before;
    long after;
};

/* The order, and what is known of it. */
struct job {
    const struct pin_ctl *ctl;
    struct want wants[WANTS_MAX];
    size_t n_wants;
    char resource[80]; /* As kubectl takes it. */
    char namespace_name[64];
    const char *name;
    struct pin_arena *arena; /* Of the route as it was read last. */
    struct pin_tree *route;
    struct change changes[CHANGES_MAX];
    size_t n_changes;
};

/* --- The command line ----------------------------------------------------------------------- */

static enum pin_ctl_exit complain(enum pin_ctl_exit exit_code, const char *text, const char *about)
{
    (void)fprintf(stderr, "pintlectl: %s%s\n", text, about);
    return exit_code;
}

/* One of "a=90,b=10", of so many bytes. */
static bool read_want(struct job *job, const char *text, size_t bytes)
{
    const char *equals = memchr(text, '=', bytes);
    size_t name_bytes = equals == NULL ? 0 : (size_t)(equals - text);
    size_t digits = equals == NULL ? 0 : strspn(equals + 1, "0123456789");
    struct want *want = &job->wants[job->n_wants];
    if (name_bytes == 0 || name_bytes >= sizeof(want->name) || digits == 0 || digits > 7
        || name_bytes + 1 + digits != bytes || strtoul(equals + 1, NULL, 10) > WEIGHT_MAX) {
        return false;
    }
    memcpy(want->name, text, name_bytes);
    want->name[name_bytes] = '\0';
    want->weight = (long)strtoul(equals + 1, NULL, 10);
    for (size_t i = 0; i < job->n_wants; i++) {
        if (strcmp(job->wants[i].name, want->name) == 0) {
            return false;
        }
    }
    job->n_wants++;
    return true;
}

static bool read_wants(struct job *job, const char *text)
{
    const char *at = text;
    while (true) {
        size_t bytes = strcspn(at, ",");
        if (job->n_wants == WANTS_MAX || !read_want(job, at, bytes)) {
            return false;
        }
        if (at[bytes] == '\0') {
            return true;
        }
        at += bytes + 1;
    }
}

/* "[KIND/][NAMESPACE/]NAME" */
static bool read_route(struct job *job, const char *text)
{
    static const char *const kinds[] = {"HTTPRoute", "GRPCRoute", "TCPRoute", "TLSRoute"};
    const char *kind = kinds[0];
    const char *at = text;
    size_t bytes = strcspn(at, "/");
    for (size_t i = 0; i < N_ELEMS(kinds) && at[bytes] == '/'; i++) {
        if (strlen(kinds[i]) == bytes && strncasecmp(at, kinds[i], bytes) == 0) {
            kind = kinds[i];
            at += bytes + 1;
            bytes = strcspn(at, "/");
        }
    }
    if (at[bytes] == '/') {
        if (bytes == 0 || bytes >= sizeof(job->namespace_name)) {
            return false;
        }
        memcpy(job->namespace_name, at, bytes);
        at += bytes + 1;
    }
    (void)snprintf(job->resource, sizeof(job->resource), "%ss.gateway.networking.k8s.io", kind);
    for (char *c = job->resource; *c != '\0'; c++) {
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c + ('a' - 'A') : *c);
    }
    job->name = at;
    return at[0] != '\0' && at[0] != '-' && strchr(at, '/') == NULL;
}

/* --- kubectl -------------------------------------------------------------------------------- */

/* Adds to n arguments of kubectl where to look. Returns how many there are. */
static size_t put_where(const struct job *job, const char **args, size_t n)
{
    const char *const pairs[][2] = {{"--namespace", job->namespace_name},
        {"--context", job->ctl->context}, {"--kubeconfig", job->ctl->kubeconfig}};
    for (size_t i = 0; i < N_ELEMS(pairs); i++) {
        if (pairs[i][1] != NULL && pairs[i][1][0] != '\0') {
            args[n++] = pairs[i][0];
            args[n++] = pairs[i][1];
        }
    }
    return n;
}

/* Runs "kubectl VERB resource name ..."; complains of what it says when it fails. */
static enum pin_err ask(const struct job *job, const char *verb, const char *const *more,
    struct pin_kubectl_reply *ret_reply)
{
    const char *args[ARGS_MAX + 1] = {verb, job->resource, job->name, "-o", "json"};
    struct pin_why why = {0};
    size_t n = put_where(job, args, 5);
    for (size_t i = 0; more != NULL && more[i] != NULL && n < ARGS_MAX; i++) {
        args[n++] = more[i];
    }
    enum pin_err err = pin_kubectl_run(args, ret_reply, &why);
    if (err != PIN_OK) {
        (void)complain(PIN_CTL_FAILED, why.text, "");
    }
    return err;
}

/* Lines of client-go's log, "E1122 13:19:35.995543   19791 memcache.go:265] ...": kubectl says the
 * same in its own words after them. */
static bool is_log_line(const char *line, size_t chars)
{
    return chars > 5 && strchr("IWEF", line[0]) != NULL && strspn(line + 1, "0123456789") == 4
           && line[5] == ' ' && memchr(line, ']', chars) != NULL;
}

/* Whether a kubeconfig names an API server, by kubectl's own lights. */
static bool names_server(const struct job *job)
{
    const char *args[ARGS_MAX + 1] = {
        "config", "view", "--minify", "-o", "jsonpath={.clusters[0].cluster.server}"};
    struct pin_kubectl_reply reply = {0};
    struct pin_why why = {0};
    (void)put_where(job, args, 5);
    bool is_there =
        pin_kubectl_run(args, &reply, &why) == PIN_OK && reply.status == 0 && reply.out.len > 0;
    pin_kubectl_reply_done(&reply);
    return is_there;
}

/* kubectl asked what it asks when nothing names an API server, and nobody is there. */
static enum pin_ctl_exit complain_of_nowhere(const struct job *job)
{
    const char *file = job->ctl->kubeconfig;
    file =
        file != NULL ? file : getenv("KUBECONFIG"); /* NOLINT(concurrency-mt-unsafe): one thread */
    if (file == NULL || file[0] == '\0') {
        return complain(PIN_CTL_FAILED,
            "kubectl finds no API server: say --kubeconfig FILE, or set KUBECONFIG; "
            "--context NAME chooses among several",
            "");
    }
    return complain(PIN_CTL_FAILED,
        "kubectl asked localhost:8080, as it does when nothing names an API server: say --context "
        "NAME, or see that there is a kubeconfig with a current-context at ",
        file);
}

/* What kubectl's own failure exits with; its words are passed on. */
static enum pin_ctl_exit judge(const struct job *job, const struct pin_kubectl_reply *reply)
{
    const char *text = pin_text_get(&reply->err);
    bool is_denied = strstr(text, "(Forbidden)") != NULL || strstr(text, "(Unauthorized)") != NULL;
    if (strstr(text, "server localhost:8080 was refused") != NULL && !names_server(job)) {
        return complain_of_nowhere(job);
    }
    for (const char *at = text; *at != '\0';) {
        size_t chars = strcspn(at, "\n");
        if (!is_log_line(at, chars)) {
            (void)fprintf(stderr, "pintlectl: kubectl: %.*s\n", (int)chars, at);
        }
        at += chars + (at[chars] == '\n');
    }
    if (strstr(text, "(NotFound)") != NULL) {
        (void)fprintf(stderr,
            "pintlectl: these are weights of a route's backends; a Service has one in each "
            "cluster: "
            "kubectl --context C annotate --overwrite service NAME pintle.dev/weight=N\n");
    }
    return is_denied ? PIN_CTL_NOT_PERMITTED : PIN_CTL_FAILED;
}

static void forget_route(struct job *job)
{
    pin_arena_free(job->arena);
    job->arena = NULL;
    job->route = NULL;
    job->n_changes = 0;
}

static enum pin_ctl_exit get_route(struct job *job)
{
    struct pin_kubectl_reply reply = {0};
    struct pin_why why = {0};
    forget_route(job);
    if (ask(job, "get", NULL, &reply) != PIN_OK) {
        return PIN_CTL_FAILED;
    }
    enum pin_ctl_exit exit_code = reply.status == 0 ? PIN_CTL_OK : judge(job, &reply);
    job->arena = pin_arena_new("route", ARENA_MAX_BYTES);
    if (exit_code == PIN_CTL_OK
        && (job->arena == NULL
            || pin_json_parse(
                   pin_text_get(&reply.out), reply.out.len, job->arena, &job->route, &why)
                   != PIN_OK)) {
        exit_code = complain(PIN_CTL_FAILED, "what kubectl says cannot be read: ", why.text);
    }
    pin_kubectl_reply_done(&reply);
    return exit_code;
}

/* --- The plan ------------------------------------------------------------------------------- */

static struct want *find_want(struct job *job, const char *name)
{
    for (size_t i = 0; i < job->n_wants; i++) {
        if (strcmp(job->wants[i].name, name) == 0) {
            return &job->wants[i];
        }
    }
    return NULL;
}

static void plan_rule(struct job *job, const struct pin_tree *rule, size_t rule_i)
{
    size_t backend_i = 0;
    PIN_TREE_EACH(backend, pin_tree_list(rule, "backendRefs"))
    {
        const char *name = pin_tree_string(backend, "name", "");
        struct want *want = find_want(job, name);
        if (want != NULL && job->n_changes < CHANGES_MAX) {
            want->is_met = true;
            job->changes[job->n_changes++] =
                (struct change){rule_i, backend_i, pin_tree_string(backend, "kind", "Service"),
                    name, pin_tree_int(backend, "weight", 1), want->weight};
        }
        backend_i++;
    }
}

/* Every rule that has a named backend; a name that none has is a mistake. */
static enum pin_ctl_exit plan(struct job *job)
{
    size_t rule_i = 0;
    PIN_TREE_EACH(rule, pin_tree_list(job->route, "spec.rules"))
    {
        plan_rule(job, rule, rule_i++);
    }
    for (size_t i = 0; i < job->n_wants; i++) {
        if (!job->wants[i].is_met) {
            return complain(
                PIN_CTL_FAILED, "the route has no backend of that name: ", job->wants[i].name);
        }
    }
    return PIN_CTL_OK;
}

static bool has_news(const struct job *job)
{
    for (size_t i = 0; i < job->n_changes; i++) {
        if (job->changes[i].before != job->changes[i].after) {
            return true;
        }
    }
    return false;
}

/* RFC 6902; the test makes it hold only for the route that was read. */
static void put_patch(const struct job *job, struct pin_text *text)
{
    struct pin_jsonout json = pin_jsonout_init(text);
    pin_jsonout_array(&json);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "op", "test");
    pin_jsonout_key_string(&json, "path", "/metadata/resourceVersion");
    pin_jsonout_key_string(
        &json, "value", pin_tree_string(job->route, "metadata.resourceVersion", ""));
    pin_jsonout_end(&json);
    for (size_t i = 0; i < job->n_changes; i++) {
        const struct change *change = &job->changes[i];
        char path[96];
        (void)snprintf(path, sizeof(path), "/spec/rules/%zu/backendRefs/%zu/weight", change->rule,
            change->backend);
        pin_jsonout_object(&json);
        pin_jsonout_key_string(&json, "op", "add"); /* also where it is there */
        pin_jsonout_key_string(&json, "path", path);
        pin_jsonout_key_int(&json, "value", change->after);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
}

/* Whether the route is another one than the one that was read; then it is the one read now. */
static bool has_moved(struct job *job)
{
    char before[64];
    (void)snprintf(
        before, sizeof(before), "%s", pin_tree_string(job->route, "metadata.resourceVersion", ""));
    return get_route(job) == PIN_CTL_OK
           && strcmp(before, pin_tree_string(job->route, "metadata.resourceVersion", "")) != 0;
}

/* One try; *ret_again: somebody else wrote the route meanwhile. */
static enum pin_ctl_exit try_patch(struct job *job, bool *ret_again)
{
    struct pin_kubectl_reply reply = {0};
    struct pin_text patch = {0};
    enum pin_ctl_exit exit_code = PIN_CTL_FAILED;
    put_patch(job, &patch);
    const char *const more[] = {"--type=json", "--field-manager=pintlectl", "-p",
        pin_text_get(&patch), job->ctl->dry_run ? "--dry-run=server" : NULL, NULL};
    *ret_again = false;
    if (ask(job, "patch", more, &reply) == PIN_OK) {
        *ret_again = reply.status != 0 && has_moved(job);
        exit_code = reply.status == 0 ? PIN_CTL_OK
                    : *ret_again      ? PIN_CTL_FAILED
                                      : judge(job, &reply);
    }
    pin_kubectl_reply_done(&reply);
    pin_text_done(&patch);
    return exit_code;
}

/* --- What is said --------------------------------------------------------------------------- */

static void put_json(const struct job *job, struct pin_jsonout *json)
{
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "kind", pin_tree_string(job->route, "kind", ""));
    pin_jsonout_key_string(
        json, "namespace", pin_tree_string(job->route, "metadata.namespace", ""));
    pin_jsonout_key_string(json, "name", job->name);
    pin_jsonout_key_bool(json, "dryRun", job->ctl->dry_run);
    pin_jsonout_key(json, "backends");
    pin_jsonout_array(json);
    for (size_t i = 0; i < job->n_changes; i++) {
        const struct change *change = &job->changes[i];
        pin_jsonout_object(json);
        pin_jsonout_key_uint(json, "rule", change->rule);
        pin_jsonout_key_string(json, "kind", change->kind);
        pin_jsonout_key_string(json, "name", change->name);
        pin_jsonout_key_int(json, "before", change->before);
        pin_jsonout_key_int(json, "after", change->after);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

static bool print_table(const struct job *job)
{
    static const struct pin_column columns[] = {
        {"RULE", true}, {"KIND", false}, {"BACKEND", false}, {"BEFORE", true}, {"AFTER", true}};
    struct pin_columns *table = pin_columns_new(job->ctl, columns, N_ELEMS(columns));
    for (size_t i = 0; i < job->n_changes; i++) {
        const struct change *change = &job->changes[i];
        char numbers[3][32];
        (void)snprintf(numbers[0], sizeof(numbers[0]), "%zu", change->rule);
        (void)snprintf(numbers[1], sizeof(numbers[1]), "%lld", change->before);
        (void)snprintf(numbers[2], sizeof(numbers[2]), "%ld", change->after);
        pin_columns_row(table);
        pin_columns_cell(table, numbers[0], PIN_COLOR_NONE);
        pin_columns_cell(table, change->kind, PIN_COLOR_NONE);
        pin_columns_cell(table, change->name, PIN_COLOR_NONE);
        pin_columns_cell(table, numbers[1], PIN_COLOR_NONE);
        pin_columns_cell(
            table, numbers[2], change->before == change->after ? PIN_COLOR_NONE : PIN_COLOR_GOOD);
    }
    return pin_columns_print(table);
}

static enum pin_ctl_exit show(const struct job *job)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    bool is_good = false;
    if (job->ctl->output == PIN_CTL_TABLE) {
        is_good = print_table(job);
        (void)fputs(job->ctl->dry_run ? "nothing was written: --dry-run\n"
                    : has_news(job)   ? ""
                                      : "nothing to change\n",
            stderr);
    } else {
        put_json(job, &json);
        is_good = pin_emit_made(job->ctl, &text);
    }
    pin_text_done(&text);
    return is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
}

static enum pin_ctl_exit carry_out(struct job *job)
{
    bool again = true;
    enum pin_ctl_exit exit_code = get_route(job);
    for (size_t i = 0; i < TRIES_MAX && again && job->route != NULL; i++) {
        job->n_changes = 0;
        exit_code = exit_code == PIN_CTL_OK || i > 0 ? plan(job) : exit_code;
        again = false;
        if (exit_code == PIN_CTL_OK && has_news(job)) {
            exit_code = try_patch(job, &again);
        }
    }
    if (again && job->route != NULL) {
        return complain(PIN_CTL_FAILED, "others keep writing the route: nothing was changed", "");
    }
    return exit_code == PIN_CTL_OK ? show(job) : exit_code;
}

enum pin_ctl_exit pin_ctl_weights_set(const struct pin_ctl *ctl)
{
    struct job job = {.ctl = ctl};
    if (!read_route(&job, ctl->words[0])) {
        return complain(PIN_CTL_USAGE, "a route is [KIND/][NAMESPACE/]NAME, not ", ctl->words[0]);
    }
    if (!read_wants(&job, ctl->words[1])) {
        return complain(PIN_CTL_USAGE,
            "weights are BACKEND=WEIGHT with commas between them, each once, from 0 to 1000000; "
            "not ",
            ctl->words[1]);
    }
    enum pin_ctl_exit exit_code = carry_out(&job);
    forget_route(&job);
    return exit_code;
}
