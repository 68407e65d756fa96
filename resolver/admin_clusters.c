/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The pages of clusters: what their sources say of themselves, and checks of them. POST begins a
 * check and GET shows how far it is: no request waits for an API server.
 */

#include <string.h>

#include "pintle/base/clock.h"

#include "resolver/admin_pages.h"

#define CHECK_SUFFIX "/check"

/* What follows ".../clusters/" in the path, without "/check"; false: it names no cluster. */
bool pin_page_read_cluster(struct pin_page *page)
{
    const struct pin_settings *settings = pin_page_settings(page);
    const char *name = page->path + strlen(PIN_CLUSTERS_PATH) + 1;
    size_t bytes = strcspn(name, "/");
    for (size_t i = 0; i < settings->n_clusters; i++) {
        const char *known = settings->clusters[i].name;
        if (strlen(known) == bytes && strncmp(known, name, bytes) == 0) {
            page->cluster_id = i;
            return true;
        }
    }
    pin_page_error(
        page, 404, "this daemon has no cluster \"%.*s\"", bytes < 64 ? (int)bytes : 64, name);
    return false;
}

static void put_item(const struct pin_page *page, size_t i, struct pin_jsonout *json)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    const struct pin_cluster_status *cluster = &page->facts.clusters[i];
    int64_t stale_ms =
        cluster->stale_since_ms == 0 ? 0 : pin_clock_mono_ms() - (int64_t)cluster->stale_since_ms;
    if (hooks->source_json != NULL) {
        hooks->source_json(hooks->arg, i, json);
    } else {
        pin_jsonout_key_string(json, "name", cluster->name);
    }
    pin_jsonout_key_string(json, "network", cluster->network);
    pin_jsonout_key_bool(json, "drained", cluster->is_drained);
    pin_jsonout_key(json, "staleSeconds");
    if (cluster->stale_since_ms == 0) {
        pin_jsonout_null(json);
    } else {
        pin_jsonout_double(json, stale_ms > 0 ? (double)stale_ms / 1000.0 : 0);
    }
}

static void render_list(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    if (!pin_page_has_facts(page)) {
        return;
    }
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < pin_page_settings(page)->n_clusters; i++) {
        pin_jsonout_object(&json);
        put_item(page, i, &json);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    if (hooks->publisher_json != NULL) {
        pin_jsonout_key(&json, "publisher");
        hooks->publisher_json(hooks->arg, &json);
    }
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void render_one(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    if (!pin_page_has_facts(page)) {
        return;
    }
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    put_item(page, page->cluster_id, &json);
    if (hooks->check_json != NULL) {
        pin_jsonout_key(&json, "check");
        pin_jsonout_object(&json);
        hooks->check_json(hooks->arg, page->cluster_id, &json);
        pin_jsonout_end(&json);
    }
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void render_check(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    if (hooks->check_json == NULL) {
        pin_page_error(page, 503, "starting, ask again");
        return;
    }
    struct pin_jsonout json = pin_jsonout_init(&page->body);
    pin_jsonout_object(&json);
    hooks->check_json(hooks->arg, page->cluster_id, &json);
    pin_jsonout_end(&json);
    pin_text_putc(&page->body, '\n');
}

static void render_start(struct pin_page *page)
{
    const struct pin_admin_hooks *hooks = &page->state->config.hooks;
    struct pin_why why = {0};
    if (hooks->check_start != NULL
        && hooks->check_start(hooks->arg, page->cluster_id, &why) != PIN_OK) {
        pin_page_error(page, 503, "%s", why.text);
        return;
    }
    render_check(page);
}

static const struct pin_page_kind list_kind = {
    PIN_CLUSTERS_PATH, NULL, pin_page_collect_facts, render_list};
static const struct pin_page_kind one_kind = {
    PIN_CLUSTERS_PATH, pin_page_read_cluster, pin_page_collect_facts, render_one};
static const struct pin_page_kind check_kind = {
    PIN_CLUSTERS_PATH, pin_page_read_cluster, NULL, render_check};
static const struct pin_page_kind start_kind = {
    PIN_CLUSTERS_PATH, pin_page_read_cluster, NULL, render_start};

const struct pin_page_kind *pin_page_find_clusters(const char *path, enum pin_page_verb verb)
{
    const char *rest = path + strlen(PIN_CLUSTERS_PATH);
    bool is_get = verb == PIN_PAGE_GET;
    if (strncmp(path, PIN_CLUSTERS_PATH, strlen(PIN_CLUSTERS_PATH)) != 0) {
        return NULL;
    }
    if (rest[0] == '\0') {
        return is_get ? &list_kind : NULL;
    }
    size_t name_bytes = rest[0] == '/' ? strcspn(rest + 1, "/") : 0;
    const char *tail = rest + 1 + name_bytes;
    if (name_bytes == 0) {
        return NULL;
    }
    if (tail[0] == '\0') {
        return is_get ? &one_kind : NULL;
    }
    if (strcmp(tail, PIN_OBJECTS_SUFFIX) == 0) {
        return is_get ? &pin_page_objects : NULL;
    }
    if (strcmp(tail, CHECK_SUFFIX) != 0) {
        return NULL;
    }
    return is_get ? &check_kind : verb == PIN_PAGE_POST ? &start_kind : NULL;
}
