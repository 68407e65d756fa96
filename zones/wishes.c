/* SPDX-License-Identifier: Apache-2.0 */

/* Names that somebody waits for are compiled before the others of a restored state. */

#include "pintle/zones/wishes.h"

#include <string.h>

#include "pintle/zones/catalog.h"

#include "zones/compile.h"
#include "zones/units.h"

#define KEY_BYTES 512

/* The unit stays in its list, and so it stays dirty: it is compiled once more when its turn comes,
 * which finds the same tables and replaces nothing. */
static void grant_service(struct pin_catalog *catalog, const uint8_t *name, const uint8_t *space)
{
    char key[KEY_BYTES];
    size_t name_bytes = name[0];
    size_t space_bytes = space[0];
    memcpy(key, space + 1, space_bytes);
    key[space_bytes] = '/';
    memcpy(key + space_bytes + 1, name + 1, name_bytes);
    struct pin_service_unit *unit =
        pin_map_find(&catalog->services, key, space_bytes + 1 + name_bytes);
    if (unit != NULL && unit->is_dirty && !unit->is_waiting) {
        (void)pin_compile_service(catalog, unit);
        unit->is_dirty = true;
    }
}

static void grant_route(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    if (route != NULL && route->is_dirty && !route->is_waiting && !route->is_gone) {
        (void)pin_compile_route(catalog, route);
        route->is_dirty = true;
    }
}

/* An alias is put once what it points at is there. */
static void grant_host(struct pin_catalog *catalog, struct pin_host_unit *host)
{
    if (host != NULL && host->is_dirty) {
        grant_route(catalog, pin_host_owner(host));
        (void)pin_compile_host(catalog, host);
        host->is_dirty = true;
    }
}

/* Whatever could have the name: a service before a label "svc", a route or hostname at the name or
 * above it. */
static void grant(struct pin_catalog *catalog, const uint8_t *wire, size_t bytes)
{
    const uint8_t *before[2] = {NULL, NULL}; /* the two labels in front */
    for (const uint8_t *label = wire; label[0] != 0; label = pin_name_parent(label)) {
        size_t rest = bytes - (size_t)(label - wire);
        if (before[0] != NULL && label[0] == 3 && memcmp(label + 1, "svc", 3) == 0) {
            grant_service(catalog, before[0], before[1]);
        }
        grant_route(catalog, pin_map_find(&catalog->assigned, label, rest));
        grant_host(catalog, pin_map_find(&catalog->hosts, label, rest));
        before[0] = before[1];
        before[1] = label;
    }
}

void pin_catalog_grant(struct pin_catalog *catalog)
{
    for (size_t i = 0; i < PIN_WISHES_MAX; i++) {
        struct pin_wish *wish = &catalog->wishes.places[i];
        if (atomic_load_explicit(&wish->state, memory_order_acquire) == 2) {
            struct pin_name name = {.bytes = wish->bytes};
            memcpy(name.wire, wish->wire, wish->bytes);
            atomic_store_explicit(&wish->state, 0, memory_order_release);
            grant(catalog, name.wire, name.bytes);
        }
    }
}
