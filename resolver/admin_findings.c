/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The page of findings. The builder walks its catalog for it, so the walk is not begun again before
 * twenty times as long has passed as the last one took: whoever asks meanwhile sees that one.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/hash.h"

#include "resolver/admin_pages.h"
#include "resolver/analysis_json.h"
#include "resolver/forward.h"

#define REST_FACTOR 20
/* Longer than any key; what is longer is cut. */
#define KEY_BYTES 2048
/* Findings whose age is known. */
#define SEEN_MAX ((size_t)4 * PIN_ANALYSIS_MAX)

/* When a finding was first seen. */
struct seen {
    int64_t since_wall_ms;
    uint64_t turn; /* of the last walk that found it */
};

struct pin_admin_findings {
    struct pin_analysis last;
    struct pin_map seen; /* key -> struct seen, heap */
    uint64_t turn;
    int64_t looked_mono_ns;
    int64_t took_ns;
    size_t n_objects;
};

struct pin_admin_findings *pin_admin_findings_new(void)
{
    return calloc(1, sizeof(struct pin_admin_findings));
}

void pin_admin_findings_free(struct pin_admin_findings *findings)
{
    if (findings != NULL) {
        pin_analysis_done(&findings->last);
        pin_map_done(&findings->seen, free);
        free(findings);
    }
}

/* --- since when ------------------------------------------------------------------------------- */

static size_t make_key(const struct pin_finding *finding, char key[KEY_BYTES])
{
    (void)snprintf(key, KEY_BYTES, "%s %s %s/%s/%s %s", pin_finding_codes[finding->id].code,
        finding->cluster, finding->kind, finding->namespace_name, finding->name, finding->about);
    return strlen(key);
}

static void note(struct pin_admin_findings *findings, const struct pin_finding *finding)
{
    char key[KEY_BYTES];
    size_t bytes = make_key(finding, key);
    struct seen *seen = pin_map_find(&findings->seen, key, bytes);
    if (seen == NULL && pin_map_count(&findings->seen) < SEEN_MAX) {
        seen = calloc(1, sizeof(*seen));
        if (seen != NULL && !pin_map_put(&findings->seen, key, bytes, seen, NULL)) {
            free(seen);
            seen = NULL;
        }
    }
    if (seen != NULL) {
        seen->since_wall_ms = seen->turn == 0 ? pin_clock_wall_ms() : seen->since_wall_ms;
        seen->turn = findings->turn;
    }
}

/* The first finding that the last walk did not find again; NULL: none. */
static const char *find_gone(const struct pin_admin_findings *findings)
{
    const char *key = NULL;
    void *value = NULL;
    size_t cursor = 0;
    while (pin_map_next(&findings->seen, &cursor, &key, NULL, &value)) {
        if (((const struct seen *)value)->turn != findings->turn) {
            return key;
        }
    }
    return NULL;
}

static void keep(struct pin_admin_findings *findings, struct pin_page *page)
{
    const char *gone = NULL;
    pin_analysis_done(&findings->last);
    findings->last = page->findings.analysis;
    page->findings.analysis = (struct pin_analysis){0};
    findings->n_objects = page->findings.n_objects;
    findings->took_ns = page->findings.took_ns;
    findings->looked_mono_ns = pin_clock_mono_ns();
    findings->turn++;
    for (size_t i = 0; i < findings->last.n; i++) {
        note(findings, &findings->last.items[i]);
    }
    while ((gone = find_gone(findings)) != NULL) {
        free(pin_map_remove(&findings->seen, gone, strlen(gone)));
    }
}

/* --- what sources and resolvers tell -----------------------------------------------------------
 */

/* Whether it was found already that the cluster is out of reach. */
static bool is_away(const struct pin_analysis *analysis, const char *cluster)
{
    for (size_t i = 0; i < analysis->n; i++) {
        const struct pin_finding *item = &analysis->items[i];
        bool is_about_it =
            item->id == PIN_FINDING_CLUSTER_UNSEEN || item->id == PIN_FINDING_CLUSTER_STALE;
        if (is_about_it && strcmp(item->cluster, cluster) == 0) {
            return true;
        }
    }
    return false;
}

/* A cluster within reach, whose source has something to tell all the same. */
static void look_at_source(struct pin_page *page, size_t cluster_id)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_admin_source source = {.error = ""};
    const char *name = pin_page_settings(page)->clusters[cluster_id].name;
    hooks->source(hooks->arg, cluster_id, &source);
    if (source.error[0] != '\0' && !is_away(&page->findings.analysis, name)) {
        struct pin_finding finding = {
            .id = PIN_FINDING_CLUSTER_PARTIAL, .cluster = name, .kind = "Cluster", .name = name};
        pin_analysis_add(
            &page->findings.analysis, &finding, "what its source cannot read is as it was before");
    }
}

static void add_resolver(void *arg, const char *zone, const char *to, bool is_loop)
{
    struct pin_page *page = arg;
    struct pin_finding finding = {
        .id = is_loop ? PIN_FINDING_RESOLVER_LOOP : PIN_FINDING_RESOLVER_SILENT,
        .kind = "Resolver",
        .name = to,
        .about = zone};
    pin_analysis_add(&page->findings.analysis, &finding,
        is_loop ? "it sends back what it is asked for zone %s, and is not asked any more"
                : "it does not answer what it is asked for zone %s",
        zone);
}

static void look_around(struct pin_page *page)
{
    for (size_t i = 0;
         page->state->config.hooks.source != NULL && i < pin_page_settings(page)->n_clusters; i++) {
        look_at_source(page, i);
    }
    pin_forward_each_trouble(page->state->config.forward, add_resolver, page);
    pin_analysis_sort(&page->findings.analysis);
}

/* --- the page --------------------------------------------------------------------------------- */

/* What else is known of a finding: its age, and what a cluster's source says. */
static struct pin_finding_place find_place(void *arg, const struct pin_finding *finding)
{
    const struct pin_page *page = arg;
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    const struct pin_settings *settings = pin_page_settings(page);
    struct pin_finding_place place = {0};
    struct pin_admin_source source = {.error = ""};
    char key[KEY_BYTES];
    size_t bytes = make_key(finding, key);
    const struct seen *seen = pin_map_find(&page->state->findings->seen, key, bytes);
    uint16_t cluster_id = pin_settings_cluster(settings, finding->cluster);
    place.since_wall_ms = seen != NULL ? seen->since_wall_ms : 0;
    bool is_of_source = finding->id == PIN_FINDING_CLUSTER_UNSEEN
                        || finding->id == PIN_FINDING_CLUSTER_STALE
                        || finding->id == PIN_FINDING_CLUSTER_PARTIAL;
    if (hooks->source != NULL && cluster_id != PIN_CLUSTER_NONE && is_of_source) {
        hooks->source(hooks->arg, cluster_id, &source);
        place.detail = source.error[0] != '\0' ? source.error : NULL;
        (void)snprintf(place.fix, sizeof(place.fix), "%s%s'pintlectl clusters check %s' tells more",
            source.hint != NULL ? source.hint : "",
            source.hint != NULL && source.hint[0] != '\0' ? "; " : "", finding->cluster);
    }
    return place;
}

static void put(struct pin_page *page)
{
    struct pin_analysis_report report = {.analysis = &page->state->findings->last,
        .mode = "live",
        .n_clusters = pin_page_settings(page)->n_clusters,
        .n_objects = page->state->findings->n_objects,
        .place = find_place,
        .arg = page};
    pin_analysis_put_json(&report, &page->body);
}

bool pin_admin_findings_is_due(const struct pin_admin_findings *findings)
{
    int64_t age_ns = pin_clock_mono_ns() - findings->looked_mono_ns;
    return findings->turn == 0 || age_ns >= REST_FACTOR * findings->took_ns;
}

void pin_admin_findings_collect(struct pin_catalog *catalog, struct pin_page *page)
{
    if (!page->findings.is_due) {
        return;
    }
    int64_t begun_ns = pin_clock_mono_ns();
    pin_catalog_analyze(catalog, true, (uint64_t)(begun_ns / 1000000), &page->findings.analysis);
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        struct pin_cluster_status status = pin_catalog_cluster(catalog, (uint16_t)i);
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            page->findings.n_objects += status.n_objects[kind];
        }
    }
    page->findings.took_ns = pin_clock_mono_ns() - begun_ns;
}

bool pin_admin_findings_keep(struct pin_page *page)
{
    if (page->findings.is_due && !page->findings.analysis.is_out_of_memory) {
        look_around(page);
        keep(page->state->findings, page);
        return true;
    }
    return !page->findings.is_due;
}

const struct pin_analysis *pin_admin_findings_last(const struct pin_admin_findings *findings)
{
    return &findings->last;
}

static bool check_findings(struct pin_page *page)
{
    if (!page->findings.is_due) {
        put(page);
    }
    return page->findings.is_due;
}

static void collect_findings(struct pin_catalog *catalog, void *arg)
{
    pin_admin_findings_collect(catalog, arg);
}

static void render_findings(struct pin_page *page)
{
    if (!pin_admin_findings_keep(page)) {
        pin_page_error(page, 503, "out of memory");
        return;
    }
    put(page);
}

const struct pin_page_kind pin_page_findings = {
    "/api/v1/findings", check_findings, collect_findings, render_findings};
