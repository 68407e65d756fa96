/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl status: the daemon and its clusters at a glance, or until all is well. */

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define POLL_US 200000

/* All that --wait waits for: ready, every cluster listed and within reach. */
static bool is_well(const struct pin_tree *status)
{
    bool is_good = pin_tree_bool(status, "ready", false);
    PIN_TREE_EACH(cluster, pin_tree_list(status, "clusters.items"))
    {
        is_good = is_good && pin_tree_bool(cluster, "up", false)
                  && pin_tree_bool(cluster, "synced", false);
    }
    return is_good;
}

static const char *state_of(const struct pin_tree *cluster, enum pin_color *ret_color)
{
    bool is_up = pin_tree_bool(cluster, "up", false);
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

static void put_duration(struct pin_text *text, long long seconds)
{
    if (seconds < 120) {
        pin_text_putf(text, "%lld s", seconds);
    } else if (seconds < 7200) {
        pin_text_putf(text, "%lld min", seconds / 60);
    } else {
        pin_text_putf(text, "%lld h", seconds / 3600);
    }
}

static void print_head(const struct pin_tree *status)
{
    struct pin_text up = {0};
    put_duration(&up, pin_tree_int(status, "uptimeSeconds", 0));
    (void)printf("pintled %s, %s, up %s\n", pin_tree_string(status, "version", "?"),
        pin_tree_bool(status, "ready", false) ? "ready" : "not ready", pin_text_get(&up));
    pin_text_done(&up);
    PIN_TREE_EACH(listener, pin_tree_list(status, "listeners"))
    {
        const char *cluster = pin_tree_string(listener, "cluster", NULL);
        (void)printf("DNS on %s (%s)%s%s\n", pin_tree_string(listener, "address", "?"),
            pin_tree_string(listener, "transports", "?"),
            cluster == NULL ? "" : ", for askers of cluster ", cluster == NULL ? "" : cluster);
    }
    (void)printf("%lld of %lld clusters up, %lld listed; %lld services (%lld global), %lld routes, "
                 "%lld endpoints\n\n",
        pin_tree_int(status, "clusters.up", 0), pin_tree_int(status, "clusters.total", 0),
        pin_tree_int(status, "clusters.synced", 0), pin_tree_int(status, "names.services", 0),
        pin_tree_int(status, "names.globalServices", 0), pin_tree_int(status, "names.routes", 0),
        pin_tree_int(status, "names.endpoints", 0));
}

/* What is out of the answers by hand; asked for only when there is something. */
static void print_drains(const struct pin_ctl *ctl, const struct pin_tree *status)
{
    struct pin_api_reply reply = {0};
    if (pin_tree_int(status, "drains", 0) == 0
        || pin_api_get(ctl->admin, "/api/v1/drains", &reply, NULL) != PIN_OK) {
        return;
    }
    PIN_TREE_EACH(item, pin_tree_list(reply.tree, "items"))
    {
        const char *until = pin_tree_string(item, "until", NULL);
        (void)printf("drained: %s %s%s%s\n", pin_tree_string(item, "what", "?"),
            pin_tree_string(item, "name", "?"), until == NULL ? "" : " until ",
            until == NULL ? "" : until);
    }
    (void)putchar('\n');
    pin_api_reply_done(&reply);
}

static bool print_clusters(const struct pin_ctl *ctl, const struct pin_tree *status)
{
    static const struct pin_column columns[] = {{"CLUSTER", false}, {"NETWORK", false},
        {"STATE", false}, {"SERVICES", true}, {"SLICES", true}, {"ROUTES", true},
        {"LAST EVENT", true}, {"SOURCE", false}};
    static const char *const counts[] = {
        "objects.Service", "objects.EndpointSlice", "objects.HTTPRoute"};
    struct pin_columns *table = pin_columns_new(ctl, columns, N_ELEMS(columns));

    PIN_TREE_EACH(cluster, pin_tree_list(status, "clusters.items"))
    {
        enum pin_color color = PIN_COLOR_NONE;
        const char *state = state_of(cluster, &color);
        long long age_s = pin_tree_int(cluster, "lastEventAgeSeconds", -1);
        struct pin_text age = {0};
        pin_columns_row(table);
        pin_columns_cell(table, pin_tree_string(cluster, "name", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(cluster, "network", ""), PIN_COLOR_NONE);
        pin_columns_cell(table, state, color);
        for (size_t i = 0; i < N_ELEMS(counts); i++) {
            pin_columns_cell(table, pin_tree_string(cluster, counts[i], ""), PIN_COLOR_NONE);
        }
        if (age_s >= 0) {
            put_duration(&age, age_s);
        }
        pin_columns_cell(table, pin_text_get(&age), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(cluster, "source", ""), PIN_COLOR_NONE);
        pin_text_done(&age);
    }
    return pin_columns_print(table);
}

/* What is wrong, cluster by cluster, and what to do about it. */
static void print_troubles(const struct pin_tree *status)
{
    PIN_TREE_EACH(cluster, pin_tree_list(status, "clusters.items"))
    {
        const char *error = pin_tree_string(cluster, "error", "");
        const char *hint = pin_tree_string(cluster, "hint", "");
        if (error[0] != '\0') {
            (void)printf("\n%s: %s\n", pin_tree_string(cluster, "name", "?"), error);
        }
        if (error[0] != '\0' && hint[0] != '\0') {
            (void)printf("    try: %s\n", hint);
        }
    }
}

/* Asks until all is well; the last reply is the caller's. Complains once when time is up. */
static enum pin_ctl_exit wait_until_well(const struct pin_ctl *ctl, struct pin_api_reply *ret_reply)
{
    int64_t deadline_ms = pin_clock_mono_ms() + (int64_t)ctl->wait_ms;
    struct pin_why why = {0};
    bool has_reply = false;

    for (;;) {
        struct pin_api_reply reply = {0};
        if (pin_api_get(ctl->admin, "/api/v1/status", &reply, &why) == PIN_OK
            && reply.status == 200) {
            pin_api_reply_done(ret_reply);
            *ret_reply = reply;
            has_reply = true;
            if (is_well(reply.tree)) {
                return PIN_CTL_OK;
            }
        } else {
            pin_api_reply_done(&reply);
        }
        if (pin_clock_mono_ms() >= deadline_ms) {
            break;
        }
        (void)usleep(POLL_US);
    }
    (void)fprintf(stderr, "pintlectl: not well after %" PRIu64 " s%s%s\n", ctl->wait_ms / 1000,
        has_reply ? "" : ": ", has_reply ? "" : why.text);
    return has_reply ? PIN_CTL_TIMED_OUT : PIN_CTL_NOT_RUNNING;
}

enum pin_ctl_exit pin_ctl_status(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code =
        ctl->wait ? wait_until_well(ctl, &reply) : pin_api_fetch(ctl, "/api/v1/status", &reply);
    bool has_status = reply.tree != NULL && reply.status == 200;

    if (has_status && !pin_emit_reply(ctl, &reply)) {
        print_head(reply.tree);
        print_drains(ctl, reply.tree);
        if (!print_clusters(ctl, reply.tree)) {
            exit_code = PIN_CTL_FAILED;
        }
        print_troubles(reply.tree);
    }
    if (has_status && exit_code == PIN_CTL_OK && !is_well(reply.tree)) {
        exit_code = PIN_CTL_FAILED;
    }
    pin_api_reply_done(&reply);
    return exit_code;
}
