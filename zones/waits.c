/* SPDX-License-Identifier: Apache-2.0 */

/* Units that wait for the end of first lists. */

#include "zones/waits.h"

#include <stddef.h>

#include "zones/units.h"

/* More units than this at once are compiled in rounds, so that other changes get in between. */
#define MANY_UNITS 1000u

/* Only slices are still to come, which there may be very many of: each completes its service. */
static bool lacks_slices_alone(const struct pin_cluster_state *cluster)
{
    const struct pin_list_state *services = &cluster->lists[PIN_KIND_SERVICE];
    return cluster->n_open == 1 && cluster->lists[PIN_KIND_ENDPOINT_SLICE].is_open
           && services->round > 0 && !services->is_open;
}

bool pin_waits_is_filling(const struct pin_catalog *catalog, const struct pin_delta *delta)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[delta->cluster_id];
    if (delta->op != PIN_DELTA_UPSERT && delta->op != PIN_DELTA_DELETE) {
        return false;
    }
    bool is_slice = delta->op == PIN_DELTA_UPSERT && delta->object->kind == PIN_KIND_ENDPOINT_SLICE;
    return cluster->n_open > 0 && !cluster->is_synced && !cluster->is_restored
           && !catalog->is_grace_over && !(is_slice && lacks_slices_alone(cluster));
}

/* Whether what the cluster says about a service is whole, but for further slices. */
static bool has_slices(const struct pin_service_unit *unit, uint16_t cluster_id)
{
    const struct pin_member *member = pin_unit_member(unit, cluster_id);
    return member != NULL && member->n_slices > 0;
}

/* Services whose slices have come wait no more for the others'. */
static void end_for_slices(struct pin_catalog *catalog, uint16_t cluster_id)
{
    uint32_t n_ripe = 0;
    for (struct pin_service_unit *unit = catalog->waiting_services; unit != NULL;
         unit = unit->next_dirty) {
        bool is_ripe = has_slices(unit, cluster_id);
        unit->is_waiting = unit->is_waiting && !is_ripe;
        n_ripe += is_ripe ? 1 : 0;
    }
    catalog->has_ripe = catalog->has_ripe || n_ripe > 0;
    catalog->is_catching_up = catalog->is_catching_up || n_ripe > MANY_UNITS;
}

void pin_waits_set_open(
    struct pin_catalog *catalog, uint16_t cluster_id, struct pin_list_state *list, bool is_open)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    if (list->is_open == is_open) {
        return;
    }
    list->is_open = is_open;
    if (is_open) {
        cluster->n_open++;
    } else if (--cluster->n_open == 0) {
        pin_waits_end(catalog, cluster_id);
    } else if (!cluster->is_synced && lacks_slices_alone(cluster)) {
        end_for_slices(catalog, cluster_id);
    }
}

void pin_waits_end(struct pin_catalog *catalog, uint16_t cluster_id)
{
    uint32_t n_ripe = 0;
    for (struct pin_service_unit *unit = catalog->waiting_services; unit != NULL;
         unit = unit->next_dirty) {
        bool is_ripe = unit->n_members == 0 || pin_unit_member(unit, cluster_id) != NULL;
        unit->is_waiting = unit->is_waiting && !is_ripe;
        n_ripe += is_ripe ? 1 : 0;
    }
    for (struct pin_route_unit *route = catalog->waiting_routes; route != NULL;
         route = route->next_dirty) {
        route->is_waiting = false;
        n_ripe++;
    }
    catalog->has_ripe = catalog->has_ripe || n_ripe > 0;
    catalog->is_catching_up = catalog->is_catching_up || n_ripe > MANY_UNITS;
}

void pin_waits_end_all(struct pin_catalog *catalog)
{
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        pin_waits_end(catalog, (uint16_t)i);
    }
}

static void settle_services(struct pin_catalog *catalog)
{
    struct pin_service_unit **at = &catalog->waiting_services;
    while (*at != NULL) {
        struct pin_service_unit *unit = *at;
        if (unit->is_waiting) {
            at = &unit->next_dirty;
            continue;
        }
        *at = unit->next_dirty;
        unit->next_dirty = catalog->dirty_services;
        catalog->dirty_services = unit;
    }
}

static void settle_routes(struct pin_catalog *catalog)
{
    struct pin_route_unit **at = &catalog->waiting_routes;
    while (*at != NULL) {
        struct pin_route_unit *route = *at;
        if (route->is_waiting) {
            at = &route->next_dirty;
            continue;
        }
        *at = route->next_dirty;
        route->next_dirty = catalog->dirty_routes;
        catalog->dirty_routes = route;
    }
}

void pin_waits_settle(struct pin_catalog *catalog)
{
    if (catalog->has_ripe) {
        catalog->has_ripe = false;
        settle_services(catalog);
        settle_routes(catalog);
    }
}
