/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl clusters list, clusters show: what the sources of clusters say of themselves. */

#include "cli/clusters.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"

#define PATH "/api/v1/clusters"

const char *pin_clusters_state(const struct pin_tree *cluster, enum pin_color *ret_color)
{
    bool is_up = pin_tree_bool(cluster, "up", pin_tree_bool(cluster, "reachable", false));
    bool is_synced = pin_tree_bool(cluster, "synced", false);
    *ret_color = is_up && is_synced ? PIN_COLOR_GOOD : is_up ? PIN_COLOR_WARN : PIN_COLOR_BAD;
    if (pin_tree_bool(cluster, "drained", false)) {
        *ret_color = PIN_COLOR_WARN;
        return is_up ? "up, drained" : "down, drained";
    }
    if (is_up) {
        return is_synced ? "up" : "listing";
    }
    return is_synced ? "down, stale" : "never listed";
}

void pin_clusters_put_duration(struct pin_text *text, long long seconds)
{
    if (seconds < 120) {
        pin_text_putf(text, "%lld s", seconds);
    } else if (seconds < 7200) {
        pin_text_putf(text, "%lld min", seconds / 60);
    } else {
        pin_text_putf(text, "%lld h", seconds / 3600);
    }
}

void pin_clusters_add(long long *sum, const struct pin_tree *kind, const char *key)
{
    long long number = pin_tree_int(kind, key, 0);
    if (__builtin_add_overflow(*sum, number, sum)) {
        *sum = number < 0 ? LLONG_MIN : LLONG_MAX;
    }
}

void pin_clusters_print_troubles(const struct pin_tree *items)
{
    PIN_TREE_EACH(cluster, items)
    {
        const char *error = pin_tree_string(cluster, "error", "");
        const char *hint = pin_tree_string(cluster, "hint", "");
        const struct pin_tree *age = pin_tree_find(cluster, "errorAgeSeconds");
        if (error[0] != '\0') {
            struct pin_text since = {0};
            if (age != NULL && age->kind != PIN_TREE_NULL) {
                pin_text_puts(&since, ", for ");
                pin_clusters_put_duration(&since, age->integer);
            }
            (void)printf(
                "\n%s%s: %s\n", pin_tree_string(cluster, "name", "?"), pin_text_get(&since), error);
            pin_text_done(&since);
        }
        if (error[0] != '\0' && hint[0] != '\0') {
            (void)printf("    try: %s\n", hint);
        }
    }
}

/* --- List ----------------------------------------------------------------------------------- */

/* Objects of the kinds whose name ends so, or of all others than these. */
struct share {
    const char *suffixes[3];
    bool is_rest;
};

static bool is_of(const struct share *share, const char *kind)
{
    for (size_t i = 0; i < N_ELEMS(share->suffixes) && share->suffixes[i] != NULL; i++) {
        if (pin_has_end(kind, share->suffixes[i])) {
            return true;
        }
    }
    return false;
}

static long long count_objects(const struct pin_tree *cluster, const struct share *share)
{
    long long n = 0;
    PIN_TREE_EACH(kind, pin_tree_list(cluster, "kinds"))
    {
        if (is_of(share, pin_tree_string(kind, "kind", "")) != share->is_rest) {
            pin_clusters_add(&n, kind, "objects");
        }
    }
    return n;
}

static void put_number(struct pin_columns *table, long long number)
{
    char text[24];
    (void)snprintf(text, sizeof(text), "%lld", number);
    pin_columns_cell(table, text, PIN_COLOR_NONE);
}

/* An age in whole seconds, or "-" when it is null. */
static void put_age(struct pin_columns *table, const struct pin_tree *map, const char *key)
{
    struct pin_text text = {0};
    const struct pin_tree *age = pin_tree_find(map, key);
    if (age != NULL && age->kind != PIN_TREE_NULL) {
        pin_clusters_put_duration(&text, age->integer);
    }
    pin_columns_cell(table, pin_text_get(&text), PIN_COLOR_NONE);
    pin_text_done(&text);
}

static bool print_list(const struct pin_ctl *ctl, const struct pin_tree *items)
{
    static const struct pin_column columns[] = {{"CLUSTER", false}, {"NETWORK", false},
        {"STATE", false}, {"STALE FOR", true}, {"SERVICES", true}, {"SLICES", true},
        {"ROUTES", true}, {"OTHERS", true}, {"LAST EVENT", true}, {"SOURCE", false}};
    static const struct share shares[] = {{{"Service"}, false}, {{"EndpointSlice"}, false},
        {{"Route"}, false}, {{"Service", "EndpointSlice", "Route"}, true}};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));

    PIN_TREE_EACH(cluster, items)
    {
        enum pin_color color = PIN_COLOR_NONE;
        const char *state = pin_clusters_state(cluster, &color);
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(cluster, "name", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(cluster, "network", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, state, color);
        put_age(table, cluster, "staleSeconds");
        for (size_t i = 0; i < N_ELEMS(shares); i++) {
            put_number(table, count_objects(cluster, &shares[i]));
        }
        put_age(table, cluster, "lastEventAgeSeconds");
        pin_columns_cell(table, pin_tree_string(cluster, "source", ""), PIN_COLOR_NONE);
    }
    return pin_columns_print(table);
}

enum pin_ctl_exit pin_ctl_clusters_list(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, PATH, &reply);
    if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        const struct pin_tree *items = pin_tree_list(reply.tree, "items");
        exit_code = print_list(ctl, items) ? PIN_CTL_OK : PIN_CTL_FAILED;
        pin_clusters_print_troubles(items);
    }
    pin_api_reply_done(&reply);
    return exit_code;
}

/* --- Show ----------------------------------------------------------------------------------- */

static void print_fact(const char *name, const char *value)
{
    if (value != NULL && value[0] != '\0') {
        (void)printf("%-13s %s\n", name, value);
    }
}

static void print_age(const char *name, const struct pin_tree *age)
{
    struct pin_text text = {0};
    if (age != NULL && age->kind != PIN_TREE_NULL) {
        pin_clusters_put_duration(&text, age->integer);
        print_fact(name, pin_text_get(&text));
    }
    pin_text_done(&text);
}

/* What is known of a kind, in a word. */
static const char *kind_state(const struct pin_tree *kind, enum pin_color *ret_color)
{
    static const struct {
        const char *state;
        enum pin_color color;
    } rows[] = {{"listed", PIN_COLOR_GOOD}, {"listing", PIN_COLOR_WARN}, {"held", PIN_COLOR_WARN},
        {"missing", PIN_COLOR_BAD}, {"forbidden", PIN_COLOR_BAD}, {"waiting", PIN_COLOR_NONE}};
    for (size_t i = 0; i < N_ELEMS(rows); i++) {
        if (strcmp(rows[i].state, pin_tree_string(kind, "state", "")) == 0) {
            *ret_color = rows[i].color;
            return rows[i].state;
        }
    }
    *ret_color = PIN_COLOR_NONE;
    return "not served";
}

/* Objects that it has; while it is listed first, how far that is: "8000 of 50000". */
static void put_objects(struct pin_columns *table, const struct pin_tree *kind)
{
    struct pin_text text = {0};
    long long n_expected = pin_tree_int(kind, "expected", 0);
    bool is_listing = strcmp(pin_tree_string(kind, "state", ""), "listing") == 0;
    pin_text_putf(&text, "%lld", pin_tree_int(kind, is_listing ? "read" : "objects", 0));
    if (is_listing && n_expected > 0) {
        pin_text_putf(&text, " of %lld", n_expected);
    }
    pin_columns_cell(table, pin_text_get(&text), PIN_COLOR_NONE);
    pin_text_done(&text);
}

static bool print_kinds(const struct pin_ctl *ctl, const struct pin_tree *kinds)
{
    static const struct pin_column columns[] = {{"KIND", false}, {"GROUP", false}, {"STATE", false},
        {"OBJECTS", true}, {"UNREADABLE", true}, {"LISTS", true}, {"RESTARTS", true},
        {"EVENTS", true}, {"LAST EVENT", true}};
    static const char *const counts[] = {"unreadable", "lists", "restarts", "events"};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));
    PIN_TREE_EACH(kind, kinds)
    {
        enum pin_color color = PIN_COLOR_NONE;
        const char *state = kind_state(kind, &color);
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(kind, "kind", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(kind, "group", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, state, color);
        put_objects(table, kind);
        for (size_t i = 0; i < N_ELEMS(counts); i++) {
            pin_columns_cell(table, pin_tree_string(kind, counts[i], ""), PIN_COLOR_NONE);
        }
        put_age(table, kind, "lastEventAgeSeconds");
    }
    return pin_columns_print(table);
}

static bool print_one(const struct pin_ctl *ctl, const struct pin_tree *cluster)
{
    enum pin_color color = PIN_COLOR_NONE;
    print_fact("cluster:", pin_tree_string(cluster, "name", ""));
    print_fact("network:", pin_tree_string(cluster, "network", ""));
    print_fact("source:", pin_tree_string(cluster, "source", ""));
    print_fact("state:", pin_clusters_state(cluster, &color));
    print_age("stale for:", pin_tree_find(cluster, "staleSeconds"));
    print_age("last event:", pin_tree_find(cluster, "lastEventAgeSeconds"));
    print_fact("trouble:", pin_tree_string(cluster, "error", ""));
    print_age("since:", pin_tree_find(cluster, "errorAgeSeconds"));
    print_fact("to do:", pin_tree_string(cluster, "hint", ""));
    print_fact("last check:", pin_tree_string(cluster, "check.result", "never"));
    (void)putchar('\n');
    return print_kinds(ctl, pin_tree_list(cluster, "kinds"));
}

enum pin_ctl_exit pin_ctl_clusters_show(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    struct pin_text path = {0};
    pin_text_puts(&path, PATH "/");
    pin_api_put_escaped(&path, ctl->words[0]);
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, pin_text_get(&path), &reply);
    if (exit_code == PIN_CTL_OK && !pin_emit_reply(ctl, &reply)) {
        exit_code = print_one(ctl, reply.tree) ? PIN_CTL_OK : PIN_CTL_FAILED;
    }
    pin_api_reply_done(&reply);
    pin_text_done(&path);
    return exit_code;
}
