/* SPDX-License-Identifier: Apache-2.0 */

/*
 * pintlectl services list: what each shared service has in every cluster. With --affinity in the
 * shape of Cilium's `cilium-dbg service list --clustermesh-affinity`: one id for each port of a
 * service, a line for each backend.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "cli/api.h"
#include "cli/emit.h"
#include "cli/table.h"

#define PAGES_MAX 10000

/* The pages of the list; the first one's tree gets the services of all. */
struct pages {
    struct pin_api_reply *replies;
    size_t n;
    size_t cap;
};

static struct pin_api_reply *add_reply(struct pages *pages)
{
    if (pages->n == pages->cap) {
        size_t cap = pages->cap == 0 ? 4 : 2 * pages->cap;
        struct pin_api_reply *more = realloc(pages->replies, cap * sizeof(*more));
        if (more == NULL) {
            return NULL;
        }
        pages->replies = more;
        pages->cap = cap;
    }
    pages->replies[pages->n] = (struct pin_api_reply){0};
    return &pages->replies[pages->n++];
}

static void free_pages(struct pages *pages)
{
    for (size_t i = 0; i < pages->n; i++) {
        pin_api_reply_done(&pages->replies[i]);
    }
    free(pages->replies);
}

static enum pin_ctl_exit fetch_page(
    const struct pin_ctl *ctl, const char *after, struct pin_api_reply *reply)
{
    struct pin_text path = {0};
    pin_text_puts(&path, "/api/v1/services?from=");
    pin_api_put_escaped(&path, ctl->from != NULL ? ctl->from : "");
    if (after != NULL) {
        pin_text_puts(&path, "&after=");
        pin_api_put_escaped(&path, after);
    }
    enum pin_ctl_exit exit_code = pin_api_fetch(ctl, pin_text_get(&path), reply);
    pin_text_done(&path);
    return exit_code;
}

static enum pin_ctl_exit fetch_all(const struct pin_ctl *ctl, struct pages *pages)
{
    const char *after = NULL;
    do {
        struct pin_api_reply *reply = pages->n < PAGES_MAX ? add_reply(pages) : NULL;
        if (reply == NULL) {
            (void)fputs("pintlectl: too many services\n", stderr);
            return PIN_CTL_FAILED;
        }
        enum pin_ctl_exit exit_code = fetch_page(ctl, after, reply);
        if (exit_code != PIN_CTL_OK) {
            return exit_code;
        }
        after = pin_tree_string(reply->tree, "next", NULL);
    } while (after != NULL);
    return PIN_CTL_OK;
}

/* Whether the name in front of the zone's has all the words. */
static bool is_wanted(const struct pin_ctl *ctl, const struct pin_tree *item)
{
    char name[600];
    (void)snprintf(name, sizeof(name), "%s.%s.%s", pin_tree_string(item, "name", ""),
        pin_tree_string(item, "namespace", ""), pin_tree_string(item, "below", ""));
    return pin_ctl_has_words(ctl, name);
}

/* --- As JSON or YAML ------------------------------------------------------------------------ */

/* One list of all pages. */
static void put_items(
    const struct pin_ctl *ctl, struct pin_jsonout *json, const struct pages *pages)
{
    pin_jsonout_object(json);
    pin_jsonout_key(json, "items");
    pin_jsonout_array(json);
    for (size_t i = 0; i < pages->n; i++) {
        PIN_TREE_EACH(item, pin_tree_list(pages->replies[i].tree, "items"))
        {
            if (is_wanted(ctl, item)) {
                pin_jsonout_tree(json, item);
            }
        }
    }
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

/* --- As tables ------------------------------------------------------------------------------ */

static void put_ports(struct pin_text *text, const struct pin_tree *ports)
{
    PIN_TREE_EACH(port, ports)
    {
        pin_text_putf(text, "%s%lld/%s", text->len == 0 ? "" : ",", pin_tree_int(port, "port", 0),
            pin_tree_string(port, "protocol", ""));
    }
}

/* "c1 2/2, c2 0/3 (why it is left out)" */
static void put_clusters(struct pin_text *text, const struct pin_tree *clusters)
{
    PIN_TREE_EACH(cluster, clusters)
    {
        const char *reason = pin_tree_string(cluster, "reason", "");
        bool is_out = !pin_tree_bool(cluster, "used", true) && reason[0] != '\0';
        pin_text_putf(text, "%s%s %lld/%lld%s%s%s", text->len == 0 ? "" : ", ",
            pin_tree_string(cluster, "cluster", ""), pin_tree_int(cluster, "ready", 0),
            pin_tree_int(cluster, "total", 0), is_out ? " (" : "", is_out ? reason : "",
            is_out ? ")" : "");
    }
}

static void put_summary(struct pin_columns *table, const struct pin_tree *item)
{
    struct pin_text ports = {0};
    struct pin_text clusters = {0};
    put_ports(&ports, pin_tree_list(item, "ports"));
    put_clusters(&clusters, pin_tree_list(item, "clusters"));
    pin_columns_row(table);
    pin_columns_cell(table, pin_tree_string(item, "namespace", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(item, "name", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(item, "type", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_text_get(&ports), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(item, "affinity", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_text_get(&clusters), PIN_COLOR_NONE);
    pin_text_done(&ports);
    pin_text_done(&clusters);
}

/* The backend's port behind the service's, or NULL when it has none. */
static const struct pin_tree *find_port(
    const struct pin_tree *backend, const struct pin_tree *wanted)
{
    PIN_TREE_EACH(port, pin_tree_list(backend, "ports"))
    {
        if (strcmp(pin_tree_string(port, "name", ""), pin_tree_string(wanted, "name", "")) == 0
            && strcmp(
                   pin_tree_string(port, "protocol", ""), pin_tree_string(wanted, "protocol", ""))
                   == 0) {
            return port;
        }
    }
    return NULL;
}

/* ":80/TCP"; nothing for a service without ports. */
static const char *format_port(const struct pin_tree *port, char *cell, size_t cell_bytes)
{
    cell[0] = '\0';
    if (port != NULL) {
        (void)snprintf(cell, cell_bytes, ":%lld/%s", pin_tree_int(port, "port", 0),
            pin_tree_string(port, "protocol", ""));
    }
    return cell;
}

/* The cells behind ID, frontend and type. */
static void put_backend(struct pin_columns *table, const struct pin_tree *backend,
    const struct pin_tree *port, unsigned number)
{
    char cell[256];
    char port_cell[32];
    const struct pin_tree *share = pin_tree_find(backend, "share");
    const char *state = pin_tree_string(backend, "state", "");
    const char *ip = pin_tree_string(backend, "address", "");
    bool is_v6 = strchr(ip, ':') != NULL;
    bool is_used = pin_tree_bool(backend, "used", false);
    (void)snprintf(cell, sizeof(cell), "%u => %s%s%s%s (%s)%s", number, is_v6 ? "[" : "", ip,
        is_v6 ? "]" : "", format_port(port, port_cell, sizeof(port_cell)), state,
        pin_tree_bool(backend, "preferred", false) ? " (preferred)" : "");
    pin_columns_cell(table, cell,
        is_used                        ? PIN_COLOR_GOOD
        : strcmp(state, "active") == 0 ? PIN_COLOR_WARN
                                       : PIN_COLOR_BAD);
    pin_columns_cell(table, pin_tree_string(backend, "cluster", ""), PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(backend, "clusterWeight", ""), PIN_COLOR_NONE);
    (void)snprintf(cell, sizeof(cell), "%.4g %%", share != NULL ? 100 * share->number : 0);
    pin_columns_cell(table, is_used ? cell : "", PIN_COLOR_NONE);
    pin_columns_cell(table, pin_tree_string(backend, "reason", ""), PIN_COLOR_NONE);
}

/* One port of a service (NULL: it has none): the head once, then a line for each backend that has
 * it. */
static void put_frontend(struct pin_columns *table, const struct pin_tree *item,
    const struct pin_tree *port, unsigned id)
{
    char cell[600];
    char port_cell[32];
    unsigned number = 0;
    PIN_TREE_EACH(backend, pin_tree_list(item, "backends"))
    {
        const struct pin_tree *behind = port != NULL ? find_port(backend, port) : NULL;
        if (behind == NULL && port != NULL) {
            continue;
        }
        pin_columns_row(table);
        bool is_first = number++ == 0;
        (void)snprintf(cell, sizeof(cell), "%u", id);
        pin_columns_cell(table, is_first ? cell : " ", PIN_COLOR_NONE);
        (void)snprintf(cell, sizeof(cell), "%s.%s.%s%s", pin_tree_string(item, "name", ""),
            pin_tree_string(item, "namespace", ""), pin_tree_string(item, "below", ""),
            format_port(port, port_cell, sizeof(port_cell)));
        pin_columns_cell(table, is_first ? cell : " ", PIN_COLOR_NONE);
        pin_columns_cell(table, is_first ? pin_tree_string(item, "type", "") : " ", PIN_COLOR_NONE);
        put_backend(table, backend, behind, number);
    }
}

static void put_frontends(struct pin_columns *table, const struct pin_tree *item, unsigned *id)
{
    const struct pin_tree *ports = pin_tree_list(item, "ports");
    PIN_TREE_EACH(port, ports)
    {
        put_frontend(table, item, port, ++*id);
    }
    if (ports == NULL || ports->n_children == 0) {
        put_frontend(table, item, NULL, ++*id);
    }
}

static bool print_tables(const struct pin_ctl *ctl, const struct pages *pages)
{
    static const struct pin_column summary[] = {{"NAMESPACE", false}, {"NAME", false},
        {"TYPE", false}, {"PORTS", false}, {"AFFINITY", false}, {"READY BY CLUSTER", false}};
    static const struct pin_column affinity[] = {{"ID", true}, {"FRONTEND", false},
        {"SERVICE TYPE", false}, {"BACKEND", false}, {"CLUSTER", false}, {"WEIGHT", true},
        {"SHARE", true}, {"REASON", false}};
    struct pin_columns *table = ctl->affinity ? pin_columns_new(ctl, affinity, N_ELEMS(affinity))
                                              : pin_columns_new(ctl, summary, N_ELEMS(summary));
    unsigned id = 0;
    for (size_t i = 0; i < pages->n; i++) {
        PIN_TREE_EACH(item, pin_tree_list(pages->replies[i].tree, "items"))
        {
            if (!is_wanted(ctl, item)) {
                continue;
            }
            if (ctl->affinity) {
                put_frontends(table, item, &id);
            } else {
                put_summary(table, item);
            }
        }
    }
    return pin_columns_print(table);
}

static bool has_items(const struct pin_ctl *ctl, const struct pages *pages)
{
    for (size_t i = 0; i < pages->n; i++) {
        PIN_TREE_EACH(item, pin_tree_list(pages->replies[i].tree, "items"))
        {
            if (is_wanted(ctl, item)) {
                return true;
            }
        }
    }
    return false;
}

enum pin_ctl_exit pin_ctl_services(const struct pin_ctl *ctl)
{
    struct pages pages = {0};
    enum pin_ctl_exit exit_code = fetch_all(ctl, &pages);
    if (exit_code == PIN_CTL_OK && ctl->output != PIN_CTL_TABLE) {
        struct pin_text text = {0};
        struct pin_jsonout json = pin_jsonout_init(&text);
        put_items(ctl, &json, &pages);
        exit_code = pin_emit_made(ctl, &text) ? PIN_CTL_OK : PIN_CTL_FAILED;
        pin_text_done(&text);
    } else if (exit_code == PIN_CTL_OK && !has_items(ctl, &pages)) {
        (void)fputs(ctl->n_words > 0 ? "no service that is exported or global has these words\n"
                                     : "no service is exported or global yet\n",
            stderr);
    } else if (exit_code == PIN_CTL_OK && !print_tables(ctl, &pages)) {
        exit_code = PIN_CTL_FAILED;
    }
    free_pages(&pages);
    return exit_code;
}
