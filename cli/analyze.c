/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl analyze: what is wrong with manifests, or with what a running daemon sees.
 *
 *     -f PATH    pintled --analyze, which lies beside this program, reads the files
 *     --live     the daemon's page of findings
 *     -L         pintled --print-codes
 */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/pintled.h"
#include "cli/screen.h"
#include "cli/table.h"

#define PATH      "/api/v1/findings"
#define PATHS_MAX 60

/* How bad, in ascending order. */
static const char *const severities[] = {"info", "warning", "error"};

/* Its position among them; N_ELEMS for none. */
static size_t rank(const char *severity)
{
    size_t i = 0;
    while (i < N_ELEMS(severities) && strcasecmp(severities[i], severity) != 0) {
        i++;
    }
    return i;
}

/* --- where findings come from ----------------------------------------------------------------- */

/* Arguments of pintled. */
struct call {
    const char *argv[2 * PATHS_MAX + 8];
    size_t n;
    char paths[8192]; /* of -f, cut at its commas */
    bool has_directory;
};

static enum pin_ctl_exit refuse(const char *what, const char *path)
{
    (void)fprintf(
        stderr, "pintlectl: %s%s%s\n", what, path != NULL ? ": " : "", path != NULL ? path : "");
    return PIN_CTL_USAGE;
}

static enum pin_ctl_exit add_path(struct call *call, const char *path)
{
    bool is_clusters = pin_pintled_is_clusters_dir(path);
    if (is_clusters && call->has_directory) {
        return refuse("more than one directory of clusters", path);
    }
    if (call->n + 4 > N_ELEMS(call->argv)) {
        return refuse("too many paths", NULL);
    }
    call->has_directory = call->has_directory || is_clusters;
    call->argv[call->n++] = is_clusters ? "--clusters-dir" : "--manifest";
    call->argv[call->n++] = path;
    return PIN_CTL_OK;
}

/* The paths of -f, and the words behind it. */
static enum pin_ctl_exit add_paths(const struct pin_ctl *ctl, struct call *call)
{
    enum pin_ctl_exit exit_code = PIN_CTL_OK;
    char *rest = call->paths;
    if (ctl->files != NULL && strlen(ctl->files) >= sizeof(call->paths)) {
        return refuse("too many paths", NULL);
    }
    (void)snprintf(call->paths, sizeof(call->paths), "%s", ctl->files != NULL ? ctl->files : "");
    while (rest != NULL && exit_code == PIN_CTL_OK) {
        char *path = strsep(&rest, ",");
        exit_code = path[0] != '\0' ? add_path(call, path) : PIN_CTL_OK;
    }
    for (size_t i = 0; i < ctl->n_words && exit_code == PIN_CTL_OK; i++) {
        exit_code = add_path(call, ctl->words[i]);
    }
    return exit_code;
}

static enum pin_ctl_exit look_offline(const struct pin_ctl *ctl, struct pin_api_reply *reply)
{
    struct call call = {.argv = {"--analyze"}, .n = 1};
    enum pin_ctl_exit exit_code = add_paths(ctl, &call);
    if (exit_code == PIN_CTL_OK && ctl->config_file != NULL) {
        call.argv[call.n++] = "--config";
        call.argv[call.n++] = ctl->config_file;
    }
    return exit_code == PIN_CTL_OK ? pin_pintled_ask(call.argv, call.n, reply) : exit_code;
}

/* --- output ----------------------------------------------------------------------------------- */

/* "c1/HTTPRoute/default/inventory"; of what is no object its kind and name. */
static void put_resource(struct pin_text *text, const struct pin_tree *item)
{
    const char *cluster = pin_tree_string(item, "cluster", "");
    const char *kind = pin_tree_string(item, "kind", "");
    const char *namespace_name = pin_tree_string(item, "namespace", "");
    bool is_cluster = strcmp(kind, "Cluster") == 0;
    bool is_file = strcmp(kind, "File") == 0; /* its name stands behind, with the line */
    const char *parts[] = {is_cluster ? "" : cluster, kind, namespace_name,
        is_file ? "" : pin_tree_string(item, "name", "")};
    size_t before = text->len;
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        if (parts[i][0] != '\0') {
            pin_text_putf(text, "%s%s", text->len > before ? "/" : "", parts[i]);
        }
    }
}

static void put_age(struct pin_text *text, const struct pin_tree *item)
{
    long long age_s = pin_tree_int(item, "ageSeconds", -1);
    if (age_s >= 0) {
        pin_text_putf(text, age_s < 120 ? ", for %lld s" : ", for %lld min",
            age_s < 120 ? age_s : age_s / 60);
    }
}

/* "Error [PTL0101] c1/HTTPRoute/default/web (c1/web.yaml:12): ..." */
static void put_item(const struct pin_ctl *ctl, struct pin_text *text, const struct pin_tree *item)
{
    static const char *const heads[] = {"Info", "Warning", "Error", "?"};
    static const char *const colors[] = {"", "\033[33m", "\033[31m", ""};
    size_t severity = rank(pin_tree_string(item, "severity", ""));
    const char *file = pin_tree_string(item, "file", NULL);
    pin_text_putf(text, "%s%s%s [%s] ", ctl->has_color ? colors[severity] : "", heads[severity],
        ctl->has_color && colors[severity][0] != '\0' ? "\033[0m" : "",
        pin_tree_string(item, "code", "?"));
    put_resource(text, item);
    if (file != NULL) {
        pin_text_putf(text, " (%s:%lld)", file, pin_tree_int(item, "line", 1));
    }
    put_age(text, item);
    const char *detail = pin_tree_string(item, "detail", "");
    pin_text_putf(text, ": %s%s%s\n    fix: %s; %s\n", pin_tree_string(item, "message", ""),
        detail[0] != '\0' ? "; " : "", detail, pin_tree_string(item, "fix", ""),
        pin_tree_string(item, "doc", ""));
}

static bool print_items(const struct pin_ctl *ctl, const struct pin_tree *tree)
{
    struct pin_text text = {0};
    const struct pin_tree *items = pin_tree_list(tree, "items");
    long long left_out = pin_tree_int(tree, "leftOut", 0);
    PIN_TREE_EACH(item, items)
    {
        put_item(ctl, &text, item);
    }
    if (left_out > 0) {
        pin_text_putf(&text, "%lld more are left out\n", left_out);
    }
    if (items == NULL || items->n_children == 0) {
        pin_text_putf(&text, "%sNo findings: %lld clusters, %lld objects looked at.\n",
            pin_screen_is_utf8() ? "✔ " : "", pin_tree_int(tree, "clusters", 0),
            pin_tree_int(tree, "objects", 0));
    }
    bool is_good = !text.failed && fputs(pin_text_get(&text), stdout) != EOF;
    pin_text_done(&text);
    return is_good;
}

static bool print_codes(const struct pin_ctl *ctl, const struct pin_tree *tree)
{
    static const struct pin_column columns[] = {
        {"CODE", false}, {"SEVERITY", false}, {"WHAT", false}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(item, pin_tree_list(tree, "items"))
    {
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(item, "code", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(item, "severity", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(item, "title", ""), PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

/* Whether something is as bad as --failure-threshold says; what was left out counts. */
static bool is_over(const struct pin_tree *tree, size_t threshold)
{
    const struct pin_tree *counts = pin_tree_map(tree, "counts");
    for (size_t i = threshold; i < N_ELEMS(severities); i++) {
        if (pin_tree_int(counts, severities[i], 0) > 0) {
            return true;
        }
    }
    return false;
}

/* One source, and no more. */
static enum pin_ctl_exit check_use(const struct pin_ctl *ctl)
{
    bool has_files = ctl->files != NULL || ctl->n_words > 0;
    if (ctl->threshold != NULL && rank(ctl->threshold) == N_ELEMS(severities)) {
        return refuse("--failure-threshold is error, warning or info, not", ctl->threshold);
    }
    if (ctl->is_list) {
        return has_files || ctl->live ? refuse("-L goes alone", NULL) : PIN_CTL_OK;
    }
    if (ctl->config_file != NULL && ctl->live) {
        return refuse("--config goes with -f: a running daemon has its own", NULL);
    }
    if (ctl->live == (has_files || ctl->config_file != NULL)) {
        return refuse("say -f PATH for manifests, or --live for the running daemon", NULL);
    }
    return PIN_CTL_OK;
}

static enum pin_ctl_exit look(const struct pin_ctl *ctl, struct pin_api_reply *reply)
{
    static const char *const codes[] = {"--print-codes"};
    enum pin_ctl_exit exit_code = check_use(ctl);
    if (exit_code != PIN_CTL_OK) {
        return exit_code;
    }
    return ctl->is_list ? pin_pintled_ask(codes, N_ELEMS(codes), reply)
           : ctl->live  ? pin_api_fetch(ctl, PATH, reply)
                        : look_offline(ctl, reply);
}

enum pin_ctl_exit pin_ctl_analyze(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    size_t threshold = ctl->threshold != NULL ? rank(ctl->threshold) : N_ELEMS(severities) - 1;
    enum pin_ctl_exit exit_code = look(ctl, &reply);
    if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        bool is_good = ctl->is_list ? print_codes(ctl, reply.tree) : print_items(ctl, reply.tree);
        exit_code = is_good ? PIN_CTL_OK : PIN_CTL_FAILED;
    }
    if (exit_code == PIN_CTL_OK && !ctl->is_list && is_over(reply.tree, threshold)) {
        exit_code = PIN_CTL_FAILED;
    }
    pin_api_reply_done(&reply);
    return exit_code;
}
