/* SPDX-License-Identifier: Apache-2.0 */

/*
 * The page of a cluster's objects: what Pintle knows of each as a manifest, and what its
 * cluster.yaml would say. Written to a directory they are a cluster again (--clusters-dir).
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/zones/catalog.h"
#include "pintle/zones/settings.h"

#include "resolver/admin_pages.h"

/* Of one part: it keeps changes waiting. */
#define OBJECTS_MAX 500u
#define PART_BYTES  ((size_t)1 << 20)

/* One part while it is written. */
struct part {
    struct pin_page *page;
    struct pin_jsonout json;
    size_t n;
};

/* "KIND:namespace/name"; false: it is none of ours. */
static bool parse_cursor(const char *text, struct pin_object_cursor *cursor)
{
    char *end = NULL;
    unsigned long kind = strtoul(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != ':' || kind >= PIN_KIND_MAX
        || strchr(end, '/') == NULL || strlen(end + 1) >= sizeof(cursor->key)) {
        return false;
    }
    cursor->kind = (enum pin_kind)kind;
    (void)snprintf(cursor->key, sizeof(cursor->key), "%s", end + 1);
    return true;
}

static bool check_objects(struct pin_page *page)
{
    const char *after = page->arg_after;
    if (!pin_page_read_cluster(page)) {
        return false;
    }
    if (after != NULL && after[0] != '\0' && !parse_cursor(after, &page->objects)) {
        pin_page_error(page, 400, "after: \"%s\" is none of ours", after);
        return false;
    }
    return true;
}

static void put_clients(struct pin_jsonout *json, const struct pin_cluster_settings *cluster)
{
    pin_jsonout_key(json, "clients");
    pin_jsonout_array(json);
    for (size_t i = 0; i < cluster->n_clients; i++) {
        char text[PIN_PREFIX_TEXT_MAX];
        const char *zone = cluster->client_zones == NULL ? NULL : cluster->client_zones[i];
        (void)pin_prefix_format(&cluster->clients[i], text);
        if (zone == NULL) {
            pin_jsonout_string(json, text);
            continue;
        }
        pin_jsonout_object(json);
        pin_jsonout_key_string(json, "net", text);
        pin_jsonout_key_string(json, "zone", zone);
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

/* As cluster.yaml would say it. */
static void put_settings(struct pin_jsonout *json, const struct pin_page *page)
{
    const struct pin_settings *settings = pin_page_settings(page);
    const struct pin_cluster_settings *cluster = &settings->clusters[page->cluster_id];
    pin_jsonout_key(json, "settings");
    pin_jsonout_object(json);
    if (cluster->network != 0) {
        pin_jsonout_key_string(json, "network", settings->networks[cluster->network].name);
    }
    if (cluster->n_clients > 0) {
        put_clients(json, cluster);
    }
    if (cluster->zone != NULL) {
        pin_jsonout_key_string(json, "zone", cluster->zone);
    }
    pin_jsonout_end(json);
}

static bool put_object(void *arg, const struct pin_object *object)
{
    struct part *part = arg;
    part->page->state->config.hooks.object_json(object, &part->json);
    part->n++;
    return part->n < OBJECTS_MAX && part->page->body.len < PART_BYTES;
}

/* Builder's thread. */
static void collect_objects(struct pin_catalog *catalog, void *arg)
{
    struct pin_page *page = arg;
    struct part part = {.page = page, .json = pin_jsonout_init(&page->body)};
    pin_jsonout_object(&part.json);
    put_settings(&part.json, page);
    pin_jsonout_key(&part.json, "items");
    pin_jsonout_array(&part.json);
    bool has_more = page->state->config.hooks.object_json != NULL
                    && pin_catalog_walk_objects(
                        catalog, (uint16_t)page->cluster_id, &page->objects, put_object, &part);
    pin_jsonout_end(&part.json);
    if (has_more) {
        char next[sizeof(page->objects.key) + 16];
        (void)snprintf(
            next, sizeof(next), "%u:%s", (unsigned)page->objects.kind, page->objects.key);
        pin_jsonout_key_string(&part.json, "next", next);
    }
    pin_jsonout_end(&part.json);
    pin_text_putc(&page->body, '\n');
}

const struct pin_page_kind pin_page_objects = {
    PIN_CLUSTERS_PATH, check_objects, collect_objects, NULL};
