/* SPDX-License-Identifier: Apache-2.0 */

/* pintlectl status: the daemon and its clusters at a glance, or until all is well. */

#include <stdio.h>

#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/clusters.h"
#include "cli/emit.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "cli/wait.h"

static void print_head(const struct pin_tree *status)
{
    struct pin_text up = {0};
    pin_clusters_put_duration(&up, pin_tree_int(status, "uptimeSeconds", 0));
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

/* Resolvers that do not answer. */
static void print_resolvers(const struct pin_tree *status)
{
    PIN_TREE_EACH(zone, pin_tree_list(status, "forward"))
    {
        PIN_TREE_EACH(resolver, pin_tree_list(zone, "to"))
        {
            if (!pin_tree_bool(resolver, "up", true)) {
                (void)printf("\nresolver %s of zone %s: %s\n", pin_tree_string(resolver, "to", "?"),
                    pin_tree_string(zone, "zone", "?"),
                    pin_tree_bool(resolver, "loop", false)
                        ? "it sends our questions back, and is not asked any more"
                        : "it does not answer");
            }
        }
    }
}

/* How many findings there are; where to see them. */
static void print_findings(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    if (pin_api_get(ctl->admin, "/api/v1/findings", &reply, NULL) != PIN_OK) {
        return;
    }
    long long n_errors = pin_tree_int(reply.tree, "counts.error", 0);
    long long n_warnings = pin_tree_int(reply.tree, "counts.warning", 0);
    if (n_errors + n_warnings > 0) {
        (void)printf(
            "\nfindings: errors %lld, warnings %lld; 'pintlectl analyze --live' tells them\n",
            n_errors, n_warnings);
    }
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
        const char *state = pin_clusters_state(cluster, &color);
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
            pin_clusters_put_duration(&age, age_s);
        }
        pin_columns_cell(table, pin_text_get(&age), PIN_COLOR_NONE);
        pin_columns_cell(table, pin_tree_string(cluster, "source", ""), PIN_COLOR_NONE);
        pin_text_done(&age);
    }
    return pin_columns_print(table);
}

enum pin_ctl_exit pin_ctl_status(const struct pin_ctl *ctl)
{
    struct pin_api_reply reply = {0};
    enum pin_ctl_exit exit_code = ctl->wait || ctl->has_timeout
                                      ? pin_wait_until_well(ctl, &reply)
                                      : pin_api_fetch(ctl, "/api/v1/status", &reply);
    bool has_status = reply.tree != NULL && reply.status == 200;

    if (has_status && !pin_emit_reply(ctl, &reply)) {
        print_head(reply.tree);
        print_drains(ctl, reply.tree);
        if (!print_clusters(ctl, reply.tree)) {
            exit_code = PIN_CTL_FAILED;
        }
        pin_clusters_print_troubles(pin_tree_list(reply.tree, "clusters.items"));
        print_resolvers(reply.tree);
        print_findings(ctl);
    }
    if (has_status && exit_code == PIN_CTL_OK && !pin_progress_is_well(reply.tree)) {
        exit_code = PIN_CTL_FAILED;
    }
    pin_api_reply_done(&reply);
    return exit_code;
}
