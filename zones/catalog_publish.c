/* SPDX-License-Identifier: Apache-2.0 */

/* Publication: what is dirty is compiled and shown, in an order in which no answer is wrong. */

#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/zones/catalog.h"

#include "zones/claims_catalog.h"
#include "zones/compile.h"
#include "zones/cuts.h"
#include "zones/drains.h"
#include "zones/networks.h"
#include "zones/scene.h"
#include "zones/stale.h"
#include "zones/units.h"
#include "zones/views.h"
#include "zones/waits.h"
#include "zones/writes.h"

/* Whether one more unit may be compiled in this publication. */
static bool has_room(const struct pin_catalog *catalog, const struct pin_published *published)
{
    return !catalog->is_catching_up || published->n_units < catalog->n_units_max;
}

/* A unit that is dirty after it was compiled is for the next publication: memory was out. */
static void publish_services(struct pin_catalog *catalog, struct pin_published *published)
{
    struct pin_service_unit *again = NULL;
    while (catalog->dirty_services != NULL && has_room(catalog, published)) {
        struct pin_service_unit *unit = catalog->dirty_services;
        catalog->dirty_services = unit->next_dirty;
        unit->is_dirty = false;
        published->n_names += pin_compile_service(catalog, unit);
        pin_writes_note_service(catalog, unit);
        pin_claimed_note_service(catalog, unit);
        published->n_units++;
        if (unit->is_dirty) {
            unit->next_dirty = again;
            again = unit;
        } else {
            pin_unit_release_service(catalog, unit);
        }
    }
    while (again != NULL) {
        struct pin_service_unit *unit = again;
        again = unit->next_dirty;
        unit->next_dirty = catalog->dirty_services;
        catalog->dirty_services = unit;
    }
}

static void publish_hosts(struct pin_catalog *catalog, struct pin_published *published)
{
    struct pin_host_unit *again = NULL;
    while (catalog->dirty_hosts != NULL) {
        struct pin_host_unit *host = catalog->dirty_hosts;
        catalog->dirty_hosts = host->next_dirty;
        bool was_cut = pin_cuts_has(catalog, &host->name);
        host->is_dirty = false;
        published->n_names += pin_compile_host(catalog, host);
        pin_cuts_settle(catalog, host, was_cut);
        published->n_units++;
        if (host->is_dirty) {
            host->next_dirty = again;
            again = host;
        } else {
            pin_host_release(catalog, host);
        }
    }
    catalog->dirty_hosts = again;
    pin_cuts_settle_all(catalog);
}

/* Routes that stay, then hostnames, then routes that are gone: no alias points at nothing. */
static void publish_routes(struct pin_catalog *catalog, struct pin_published *published)
{
    struct pin_route_unit *gone = NULL;
    struct pin_route_unit *again = NULL;
    while (catalog->dirty_routes != NULL && has_room(catalog, published)) {
        struct pin_route_unit *route = catalog->dirty_routes;
        catalog->dirty_routes = route->next_dirty;
        route->is_dirty = false;
        published->n_units++;
        if (route->is_gone) {
            route->next_dirty = gone;
            gone = route;
            continue;
        }
        published->n_names += pin_compile_route(catalog, route);
        pin_writes_note_route(catalog, route);
        pin_host_touch_all(catalog, route);
        if (route->is_dirty) {
            route->next_dirty = again;
            again = route;
        }
    }
    if (catalog->dirty_routes == NULL) {
        publish_hosts(catalog, published);
    }
    while (gone != NULL) {
        struct pin_route_unit *route = gone;
        gone = route->next_dirty;
        published->n_names += pin_compile_route(catalog, route);
        if (route->is_dirty) {
            route->next_dirty = again;
            again = route;
        } else {
            pin_unit_free_route(catalog, route);
        }
    }
    while (again != NULL) {
        struct pin_route_unit *route = again;
        again = route->next_dirty;
        route->next_dirty = catalog->dirty_routes;
        catalog->dirty_routes = route;
    }
}

static bool is_grace_ending(const struct pin_catalog *catalog, uint64_t now_ms)
{
    return !catalog->is_grace_over && catalog->has_grace_start
           && now_ms - catalog->grace_start_ms >= catalog->settings->ready_grace_ms;
}

/* The next scene, if one is due. It may know of new views, which names are compiled for then. */
static struct pin_scene *make_scene(struct pin_catalog *catalog)
{
    if (!catalog->is_scene_dirty) {
        return NULL;
    }
    struct pin_scene *scene = pin_scene_make(catalog);
    if (scene == NULL) {
        pin_log_error("catalog: out of memory, the view of clusters stays as it was");
        return NULL;
    }
    pin_views_touch(catalog);
    return scene;
}

static void publish_scene(struct pin_catalog *catalog, struct pin_scene *scene)
{
    struct pin_scene *old = catalog->live.scene;
    pin_rcu_assign(catalog->live.scene, scene);
    pin_scene_retire(old);
    pin_scene_retire_places(catalog);
    catalog->is_scene_dirty = false;
}

bool pin_catalog_set_places(
    struct pin_catalog *catalog, const struct pin_lpm_entry *entries, size_t n_entries)
{
    return pin_scene_set_places(catalog, entries, n_entries);
}

/* Verdicts change answers by themselves; compiled anew is only what counts how many are up. */
static void settle_flips(struct pin_catalog *catalog)
{
    struct pin_health *health = catalog->live.health;
    size_t cursor = 0;
    void *value = NULL;
    if (!pin_health_has_flips(health)) {
        return;
    }
    pin_health_take_flips(health);
    pin_claimed_mark(catalog);
    while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        struct pin_service_unit *unit = value;
        if (unit->holds.counts && pin_holds_have_flip(health, &unit->holds)) {
            pin_unit_touch_service(catalog, unit);
        }
    }
    cursor = 0;
    while (pin_map_next(&catalog->routes, &cursor, NULL, NULL, &value)) {
        struct pin_route_unit *route = value;
        if (route->holds.counts && pin_holds_have_flip(health, &route->holds)) {
            pin_unit_touch_route(catalog, route);
        }
    }
}

/* Brings up to date what follows from time, clusters and drains, before anything is compiled. */
static void settle(struct pin_catalog *catalog, uint64_t now_ms)
{
    if (!catalog->has_grace_start) {
        catalog->has_grace_start = true;
        catalog->grace_start_ms = now_ms;
    }
    if (is_grace_ending(catalog, now_ms)) {
        catalog->is_grace_over = true;
        catalog->is_scene_dirty = true;
        pin_waits_end_all(catalog);
    }
    pin_waits_settle(catalog);
    pin_unit_settle(catalog);
    pin_stale_settle(catalog, now_ms);
    pin_networks_settle(catalog);
    pin_drains_settle(catalog, now_ms);
}

/* Whether units are left because of has_room(). The last of them ends the catching up. */
static bool note_cut(struct pin_catalog *catalog)
{
    catalog->is_catching_up = catalog->is_catching_up
                              && (catalog->dirty_services != NULL || catalog->dirty_routes != NULL
                                  || catalog->dirty_hosts != NULL);
    return catalog->is_catching_up;
}

struct pin_published pin_catalog_publish_some(
    struct pin_catalog *catalog, uint64_t now_ms, uint32_t n_max)
{
    struct pin_published published = {0};
    catalog->n_units_max = n_max;
    settle(catalog, now_ms);
    pin_static_publish(catalog, &published); /* first: a file's names go before routes' */
    settle_flips(catalog);
    struct pin_scene *scene = make_scene(catalog);
    if (scene != NULL && catalog->is_catching_up && !scene->is_ready) {
        publish_scene(catalog, scene); /* it says whose names are stale before they are seen */
        published.has_new_scene = true;
        scene = NULL;
    }
    publish_services(catalog, &published);
    publish_routes(catalog, &published);
    pin_health_flush(catalog->live.health);
    published.is_cut = note_cut(catalog);
    /* Last: a scene that says "ready" must not be seen before the names it speaks of. */
    if (scene != NULL && published.is_cut) {
        pin_scene_free(scene);
    } else if (scene != NULL) {
        publish_scene(catalog, scene);
        published.has_new_scene = true;
    }
    published.n_serials = pin_serials_settle(catalog);
    catalog->counts.n_routes = pin_map_count(&catalog->routes);
    catalog->counts.generation += published.n_names > 0 || published.has_new_scene;
    return published;
}

struct pin_published pin_catalog_publish(struct pin_catalog *catalog, uint64_t now_ms)
{
    return pin_catalog_publish_some(catalog, now_ms, UINT32_MAX);
}

bool pin_catalog_is_dirty(const struct pin_catalog *catalog, uint64_t now_ms)
{
    return catalog->dirty_services != NULL || catalog->dirty_routes != NULL
           || catalog->dirty_hosts != NULL || catalog->has_ripe || catalog->has_unattached
           || catalog->is_scene_dirty || catalog->has_dirty_static || catalog->is_networks_dirty
           || catalog->is_behind || catalog->has_moved_cuts || is_grace_ending(catalog, now_ms)
           || pin_stale_is_due(catalog, now_ms) || pin_drains_are_due(catalog, now_ms)
           || pin_health_has_flips(catalog->live.health);
}

uint64_t pin_catalog_next_ms(const struct pin_catalog *catalog)
{
    uint64_t drain_ms = catalog->drains.n > 0 ? catalog->drains.next_ms : UINT64_MAX;
    return PIN_MIN(PIN_MIN(catalog->next_stale_ms, drain_ms), pin_claimed_next_ms(catalog));
}
