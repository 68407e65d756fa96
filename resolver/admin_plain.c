/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The dashboard for browsers that run no scripts: clusters, findings, names and services as tables.
 * They do not come anew by themselves: whoever has them read out would begin again.
 */

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/macros.h"
#include "pintle/base/tree.h"
#include "pintle/base/xml.h"
#include "pintle/version.h"

#include "resolver/admin_pages.h"

#define SERVICES_MAX    500
#define FINDINGS_MAX    ((size_t)200)
#define ARENA_MAX_BYTES ((size_t)256 << 20)

/* --- HTML ----------------------------------------------------------------------------------- */

static void put_cell(struct pin_text *text, const char *value)
{
    pin_text_puts(text, "<td>");
    pin_xml_put_text(text, value);
    pin_text_puts(text, "</td>");
}

/* The first cell of a row names it. */
static void begin_row(struct pin_text *text, const char *value)
{
    pin_text_puts(text, "<tr><th scope=\"row\">");
    pin_xml_put_text(text, value);
    pin_text_puts(text, "</th>");
}

/* `titles` ends with NULL. */
static void begin_table(struct pin_text *text, const char *caption, const char *const *titles)
{
    pin_text_putf(text,
        "<section><h2>%s</h2><div class=\"scroll\" tabindex=\"0\" role=\"region\" "
        "aria-label=\"%s\"><table><thead><tr>",
        caption, caption);
    for (; *titles != NULL; titles++) {
        pin_text_putf(text, "<th scope=\"col\">%s</th>", *titles);
    }
    pin_text_puts(text, "</tr></thead><tbody>");
}

static void end_table(struct pin_text *text)
{
    pin_text_puts(text, "</tbody></table></div></section>\n");
}

/* --- Clusters and findings ------------------------------------------------------------------ */

static const char *word_of(const struct pin_cluster_status *cluster)
{
    if (cluster->is_drained) {
        return "drained";
    }
    if (cluster->is_synced) {
        return cluster->is_up ? "in sync" : "out of reach";
    }
    return cluster->is_restored ? "restored" : "not listed yet";
}

static struct pin_admin_source source_of(const struct pin_page *page, size_t i)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_admin_source source = {.source = "", .error = "", .hint = ""};
    if (hooks->source != NULL) {
        hooks->source(hooks->arg, i, &source);
    }
    return source;
}

static void put_clusters(struct pin_page *page)
{
    static const char *const titles[] = {
        "Cluster", "State", "Network", "Services", "Endpoint slices", "Source", NULL};
    struct pin_text *text = &page->body;
    begin_table(text, "Clusters", titles);
    for (size_t i = 0; i < page->state->config.settings->n_clusters; i++) {
        const struct pin_cluster_status *cluster = &page->facts.clusters[i];
        begin_row(text, cluster->name);
        put_cell(text, word_of(cluster));
        put_cell(text, cluster->network);
        pin_text_putf(text, "<td>%u</td><td>%u</td>", cluster->n_objects[PIN_KIND_SERVICE],
            cluster->n_objects[PIN_KIND_ENDPOINT_SLICE]);
        put_cell(text, source_of(page, i).source);
        pin_text_puts(text, "</tr>");
    }
    end_table(text);
}

static void begin_finding(struct pin_text *text, const char *state, const char *word)
{
    pin_text_putf(
        text, "<li class=\"card\"><span class=\"state %s\">%s</span> <strong>", state, word);
}

/* What clusters' sources say, and no walk of the catalog finds. Whether there was anything. */
static bool put_cluster_findings(struct pin_page *page)
{
    struct pin_text *text = &page->body;
    bool has_any = false;
    for (size_t i = 0; i < page->state->config.settings->n_clusters; i++) {
        const struct pin_cluster_status *cluster = &page->facts.clusters[i];
        struct pin_admin_source source = source_of(page, i);
        bool is_well = !cluster->is_drained && !cluster->is_restored;
        if (is_well && (!cluster->is_up || source.error[0] == '\0')) {
            continue;
        }
        has_any = true;
        begin_finding(text, "warn", "warning");
        pin_text_puts(text, "cluster ");
        pin_xml_put_text(text, cluster->name);
        pin_text_putf(text, "</strong> %s ", word_of(cluster));
        pin_xml_put_text(text, source.error);
        pin_text_putc(text, ' ');
        pin_xml_put_text(text, source.hint);
        pin_text_puts(text, "</li>");
    }
    return has_any;
}

/* "HTTPRoute shop/web in c1" */
static void put_object(struct pin_text *text, const struct pin_finding *finding)
{
    bool is_cluster = strcmp(finding->kind, "Cluster") == 0;
    pin_xml_put_text(text, is_cluster ? "cluster" : finding->kind);
    pin_text_putc(text, ' ');
    if (finding->namespace_name[0] != '\0') {
        pin_xml_put_text(text, finding->namespace_name);
        pin_text_putc(text, '/');
    }
    pin_xml_put_text(text, finding->name);
    if (finding->cluster[0] != '\0' && !is_cluster) {
        pin_text_puts(text, " in ");
        pin_xml_put_text(text, finding->cluster);
    }
}

static void put_findings(struct pin_page *page)
{
    static const char *const states[PIN_SEVERITY_MAX] = {[PIN_SEVERITY_INFO] = "note",
        [PIN_SEVERITY_WARNING] = "warn",
        [PIN_SEVERITY_ERROR] = "bad"};
    const struct pin_analysis *found = pin_admin_findings_last(page->state->findings);
    struct pin_text *text = &page->body;
    size_t n_shown = PIN_MIN(found->n, FINDINGS_MAX);
    size_t n_left = found->n + found->n_left_out - n_shown;
    pin_text_puts(text, "<section><h2>Findings</h2><ul class=\"list\">");
    for (size_t i = 0; i < n_shown; i++) {
        const struct pin_finding *finding = &found->items[i];
        const struct pin_finding_code *code = &pin_finding_codes[finding->id];
        begin_finding(text, states[code->severity], pin_severity_text(code->severity));
        put_object(text, finding);
        pin_text_putf(text, "</strong> <span class=\"quiet\">%s</span><p>", code->code);
        pin_xml_put_text(text, finding->message);
        pin_text_puts(text, "</p><p class=\"quiet\">To do: ");
        pin_xml_put_text(text, code->fix);
        pin_text_puts(text, "</p></li>");
    }
    if (!put_cluster_findings(page) && n_shown == 0) {
        pin_text_puts(text, "<li>Nothing is wrong.</li>");
    }
    if (n_left > 0) {
        pin_text_putf(text, "<li>%zu more: pintlectl analyze --live</li>", n_left);
    }
    pin_text_puts(text, "</ul></section>\n");
}

/* --- Names ---------------------------------------------------------------------------------- */

static void put_routes(struct pin_text *text, const struct pin_tree *items)
{
    static const char *const titles[] = {"Name", "Kind", "Object", "Cluster", NULL};
    begin_table(text, "Names of routes", titles);
    PIN_TREE_EACH(item, items)
    {
        begin_row(text, pin_tree_string(item, "assignedName", ""));
        put_cell(text, pin_tree_string(item, "kind", ""));
        pin_text_puts(text, "<td>");
        pin_xml_put_text(text, pin_tree_string(item, "namespace", ""));
        pin_text_putc(text, '/');
        pin_xml_put_text(text, pin_tree_string(item, "name", ""));
        pin_text_puts(text, "</td>");
        put_cell(text, pin_tree_string(item, "cluster", ""));
        pin_text_puts(text, "</tr>");
    }
    end_table(text);
}

/* "c1: 2 of 3" for each cluster. */
static void put_ready(struct pin_text *text, const struct pin_tree *clusters)
{
    pin_text_puts(text, "<td>");
    const char *gap = "";
    PIN_TREE_EACH(cluster, clusters)
    {
        pin_text_puts(text, gap);
        gap = "; ";
        pin_xml_put_text(text, pin_tree_string(cluster, "cluster", ""));
        pin_text_putf(text, ": %lld of %lld", (long long)pin_tree_int(cluster, "ready", 0),
            (long long)pin_tree_int(cluster, "total", 0));
    }
    pin_text_puts(text, "</td>");
}

static void put_services(struct pin_text *text, const struct pin_tree *items)
{
    static const char *const titles[] = {"Name", "Type", "Ready endpoints", NULL};
    begin_table(text, "Names of services", titles);
    PIN_TREE_EACH(item, items)
    {
        begin_row(text, pin_tree_string(item, "name", ""));
        pin_text_cut(text, text->len - strlen("</th>"));
        pin_text_putc(text, '.');
        pin_xml_put_text(text, pin_tree_string(item, "namespace", ""));
        pin_text_putc(text, '.');
        pin_xml_put_text(text, pin_tree_string(item, "below", ""));
        pin_text_puts(text, "</th>");
        put_cell(text, pin_tree_string(item, "type", ""));
        put_ready(text, pin_tree_find(item, "clusters"));
        pin_text_puts(text, "</tr>");
    }
    end_table(text);
}

static void put_names(struct pin_page *page)
{
    struct pin_why why = {0};
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("plain", ARENA_MAX_BYTES);
    if (arena == NULL
        || pin_json_parse(pin_text_get(&page->lists), page->lists.len, arena, &tree, &why)
               != PIN_OK) {
        pin_text_puts(&page->body, "<p>The names do not fit in memory.</p>\n");
    } else {
        put_routes(&page->body, pin_tree_find(tree, "routes"));
        put_services(&page->body, pin_tree_find(tree, "items"));
        if (pin_tree_string(tree, "next", NULL) != NULL) {
            pin_text_puts(&page->body, "<p>There are more services; these are the first.</p>\n");
        }
    }
    pin_arena_free(arena);
}

/* --- The page ------------------------------------------------------------------------------- */

/* Builder's thread. */
static void collect(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    struct pin_jsonout json = pin_jsonout_init(&page->lists);
    pin_page_collect_facts(catalog, page);
    pin_admin_findings_collect(catalog, page);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "routes");
    pin_catalog_names_json(catalog, &json);
    pin_catalog_services_json(catalog, 0, NULL, SERVICES_MAX, &json);
    pin_jsonout_end(&json);
}

static void render(struct pin_page *page)
{
    char now[PIN_CLOCK_TEXT_MAX];
    if (!pin_page_has_facts(page)) {
        return;
    }
    (void)pin_admin_findings_keep(page); /* else those of before are shown */
    page->content_type = "text/html; charset=utf-8";
    pin_clock_format(pin_clock_wall_ms(), now);
    pin_text_putf(&page->body,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Pintle, as "
        "tables</title><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<meta name=\"color-scheme\" content=\"light dark\"><link rel=\"stylesheet\" "
        "href=\"/web/style.css\"></head>\n<body><header><div class=\"bar\"><h1>Pintle</h1>"
        "<p>pintled %s, as of %s. <a href=\"" PIN_PLAIN_PATH "\">Look again</a></p></div></header>"
        "<main>\n",
        PIN_VERSION, now);
    put_findings(page);
    put_clusters(page);
    put_names(page);
    pin_text_puts(&page->body, "</main></body></html>\n");
}

const struct pin_page_kind *pin_page_find_plain(const char *path, enum pin_page_verb verb)
{
    static const struct pin_page_kind kind = {PIN_PLAIN_PATH, NULL, collect, render};
    return verb == PIN_PAGE_GET && strcmp(path, PIN_PLAIN_PATH) == 0 ? &kind : NULL;
}
