/* SPDX-License-Identifier: Apache-2.0 */

/* The list of views: clusters, zones of clusters, places of strangers. */

#include "zones/views.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/base/macros.h"

/* The id of a new view, which owns `zone`; 0 when there is no room. */
static uint16_t add_view(struct pin_catalog *catalog, const struct pin_view *view)
{
    if (catalog->n_views == catalog->cap_views) {
        size_t cap = PIN_MAX(16, 2 * catalog->cap_views);
        struct pin_view *grown = realloc(catalog->views, cap * sizeof(*grown));
        if (grown == NULL) {
            return 0;
        }
        catalog->views = grown;
        catalog->cap_views = cap;
    }
    catalog->views[catalog->n_views] = *view;
    return (uint16_t)catalog->n_views++;
}

/* The view of a list of preferred clusters; rules with the same list share it. */
static uint16_t geo_view(struct pin_catalog *catalog, const char *clusters)
{
    for (size_t i = catalog->settings->n_clusters + 1; i < catalog->n_views; i++) {
        if (catalog->views[i].prefers != NULL && strcmp(catalog->views[i].prefers, clusters) == 0) {
            return (uint16_t)i;
        }
    }
    uint16_t default_cluster = catalog->settings->default_cluster;
    return add_view(catalog, &(struct pin_view){.parent_id = pin_view_of_cluster(default_cluster),
                                 .cluster_id = default_cluster,
                                 .prefers = clusters});
}

bool pin_views_init(struct pin_catalog *catalog)
{
    const struct pin_settings *settings = catalog->settings;
    catalog->geo_views = calloc(settings->n_geo_rules + 1, sizeof(*catalog->geo_views));
    bool is_ok = catalog->geo_views != NULL;
    (void)add_view(catalog, &(struct pin_view){.cluster_id = PIN_CLUSTER_NONE});
    for (size_t i = 0; i < settings->n_clusters; i++) {
        uint16_t id = pin_view_of_cluster((uint16_t)i);
        is_ok =
            add_view(catalog, &(struct pin_view){.parent_id = id, .cluster_id = (uint16_t)i}) == id
            && is_ok;
    }
    for (size_t i = 0; is_ok && i < settings->n_geo_rules; i++) {
        catalog->geo_views[i] = geo_view(catalog, settings->geo_rules[i].clusters);
        is_ok = catalog->geo_views[i] != 0;
    }
    return is_ok;
}

void pin_views_done(struct pin_catalog *catalog)
{
    for (size_t i = 0; i < catalog->n_views; i++) {
        free(catalog->views[i].zone);
    }
    free(catalog->views);
    free(catalog->geo_views);
}

/* The view of a cluster's zone; 0 when there is none yet. */
static uint16_t find_zone(const struct pin_catalog *catalog, uint16_t own, const char *zone)
{
    for (size_t i = catalog->settings->n_clusters + 1; i < catalog->n_views; i++) {
        const struct pin_view *view = &catalog->views[i];
        if (view->parent_id == own && view->zone != NULL && strcmp(view->zone, zone) == 0) {
            return (uint16_t)i;
        }
    }
    return 0;
}

static void warn_of_too_many(struct pin_catalog *catalog, uint16_t cluster_id, const char *zone)
{
    if (!catalog->has_warned_views) {
        pin_log_warn("views: no room for zone %s of cluster %s and further ones: askers there are "
                     "seen without zone",
            zone, catalog->settings->clusters[cluster_id].name);
    }
    catalog->has_warned_views = true;
}

uint16_t pin_views_zone(struct pin_catalog *catalog, uint16_t cluster_id, const char *zone)
{
    uint16_t own = pin_view_of_cluster(cluster_id);
    const char *common = catalog->settings->clusters[cluster_id].zone;
    if (zone == NULL || (common != NULL && strcmp(zone, common) == 0)) {
        return own;
    }
    uint16_t known = find_zone(catalog, own, zone);
    if (known != 0) {
        return known;
    }
    struct pin_view view = {.parent_id = own, .cluster_id = cluster_id};
    if (catalog->n_views < PIN_VIEWS_MAX) {
        view.zone = strdup(zone);
    }
    uint16_t id = view.zone != NULL ? add_view(catalog, &view) : 0;
    if (id == 0) {
        free(view.zone);
        warn_of_too_many(catalog, cluster_id, zone);
        return own;
    }
    catalog->has_new_views = true;
    return id;
}

struct pin_scene_view *pin_views_list(const struct pin_catalog *catalog)
{
    struct pin_scene_view *list = calloc(catalog->n_views, sizeof(*list));
    for (size_t i = 0; list != NULL && i < catalog->n_views; i++) {
        list[i] = (struct pin_scene_view){
            .parent_id = catalog->views[i].parent_id, .cluster_id = catalog->views[i].cluster_id};
    }
    return list;
}

void pin_views_touch(struct pin_catalog *catalog)
{
    size_t cursor = 0;
    void *value = NULL;
    if (!catalog->has_new_views) {
        return;
    }
    catalog->has_new_views = false;
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        struct pin_service_unit *unit = value;
        if (pin_unit_prefers_zone(unit)) {
            pin_unit_touch_service(catalog, unit);
        }
    }
}
