/* SPDX-License-Identifier: Apache-2.0 */

/* Hostnames of routes below custom zones: who claims them, who has them. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"

#include "zones/apex.h"
#include "zones/units.h"

bool pin_host_is_flat(const struct pin_host_unit *host)
{
    return host->name.bytes == host->zone->apex.bytes;
}

void pin_host_touch(struct pin_catalog *catalog, struct pin_host_unit *host)
{
    if (!host->is_dirty) {
        host->is_dirty = true;
        host->next_dirty = catalog->dirty_hosts;
        catalog->dirty_hosts = host;
    }
}

void pin_host_touch_all(struct pin_catalog *catalog, const struct pin_route_unit *route)
{
    for (size_t i = 0; i < route->n_hosts; i++) {
        pin_host_touch(catalog, route->hosts[i]);
    }
}

/* --- who has a name --------------------------------------------------------------------------- */

static bool is_before(const struct pin_route_unit *a, const struct pin_route_unit *b)
{
    if (a->object->created_s != b->object->created_s) {
        return a->object->created_s < b->object->created_s;
    }
    int order = strcmp(a->cluster, b->cluster);
    order = order != 0 ? order : strcmp(a->object->namespace_name, b->object->namespace_name);
    order = order != 0 ? order : strcmp(a->object->name, b->object->name);
    return order != 0 ? order < 0 : a->object->kind < b->object->kind;
}

struct pin_route_unit *pin_host_owner(const struct pin_host_unit *host)
{
    struct pin_route_unit *owner = NULL;
    for (size_t i = 0; !host->is_static && i < host->n_claims; i++) {
        if (owner == NULL || is_before(host->claims[i].route, owner)) {
            owner = host->claims[i].route;
        }
    }
    return owner;
}

/* --- claims ----------------------------------------------------------------------------------- */

/* Finds or makes the unit of a hostname; NULL when it lies in no custom zone. */
static struct pin_host_unit *host_of(struct pin_catalog *catalog, const char *text)
{
    struct pin_name name;
    if (pin_name_parse(text, &name) != PIN_OK) {
        return NULL;
    }
    struct pin_zone *zone = pin_index_zone(catalog->live.index, &name);
    if (zone == NULL || !zone->is_custom) {
        return NULL;
    }
    struct pin_host_unit *host = pin_map_find(&catalog->hosts, name.wire, name.bytes);
    if (host != NULL) {
        return host;
    }
    host = calloc(1, sizeof(*host));
    if (host == NULL || !pin_map_put(&catalog->hosts, name.wire, name.bytes, host, NULL)) {
        free(host);
        pin_log_error(
            "catalog: out of memory, hostname %s is not served until there is some", text);
        catalog->has_unattached = true;
        return NULL;
    }
    host->name = name;
    host->zone = zone;
    host->is_static =
        pin_static_name_of(catalog, zone, &name) != NULL || pin_apex_has(catalog, zone, &name);
    return host;
}

static void free_host(void *value)
{
    struct pin_host_unit *host = value;
    free(host->claims);
    free(host->names.packed);
    free(host);
}

void pin_host_release(struct pin_catalog *catalog, struct pin_host_unit *host)
{
    if (host->n_claims == 0 && host->names.bytes == 0 && !host->is_dirty) {
        (void)pin_map_remove(&catalog->hosts, host->name.wire, host->name.bytes);
        free_host(host);
    }
}

void pin_host_free_all(struct pin_catalog *catalog)
{
    pin_map_done(&catalog->hosts, free_host);
}

/* Position of the route's claim; n_claims when it has none. */
static size_t claim_position(const struct pin_host_unit *host, const struct pin_route_unit *route)
{
    size_t i = 0;
    while (i < host->n_claims && host->claims[i].route != route) {
        i++;
    }
    return i;
}

static bool add_claim(struct pin_host_unit *host, struct pin_route_unit *route)
{
    if (claim_position(host, route) < host->n_claims) {
        return true;
    }
    struct pin_claim *claims = realloc(host->claims, (host->n_claims + 1) * sizeof(*claims));
    if (claims == NULL) {
        return false;
    }
    host->claims = claims;
    claims[host->n_claims++] = (struct pin_claim){.route = route};
    return true;
}

static void drop_claim(
    struct pin_catalog *catalog, struct pin_host_unit *host, const struct pin_route_unit *route)
{
    size_t at = claim_position(host, route);
    if (at < host->n_claims) {
        host->claims[at] = host->claims[--host->n_claims];
        pin_host_touch(catalog, host);
    }
}

static bool is_among(struct pin_host_unit *const *hosts, size_t n, const struct pin_host_unit *host)
{
    for (size_t i = 0; i < n; i++) {
        if (hosts[i] == host) {
            return true;
        }
    }
    return false;
}

/* Number of names that an object claims. */
static size_t count_names(const struct pin_object *object)
{
    return object->kind == PIN_KIND_DNS_ENDPOINT ? object->as.records.n_records
                                                 : object->as.route.n_hostnames;
}

static const char *name_at(const struct pin_object *object, size_t i)
{
    return object->kind == PIN_KIND_DNS_ENDPOINT ? object->as.records.records[i].name
                                                 : object->as.route.hostnames[i];
}

void pin_host_claim(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    size_t n_names = count_names(route->object);
    struct pin_host_unit **hosts = calloc(n_names + 1, sizeof(struct pin_host_unit *));
    size_t n = 0;
    bool is_whole = hosts != NULL;
    for (size_t i = 0; hosts != NULL && i < n_names; i++) {
        struct pin_host_unit *host = host_of(catalog, name_at(route->object, i));
        if (host != NULL && !is_among(hosts, n, host)) {
            bool is_claimed = add_claim(host, route);
            is_whole = is_whole && is_claimed;
            hosts[n] = host;
            n += is_claimed;
        }
        if (host != NULL) {
            pin_host_touch(catalog, host);
        }
    }
    for (size_t i = 0; i < route->n_hosts; i++) {
        if (!is_among(hosts, n, route->hosts[i])) {
            drop_claim(catalog, route->hosts[i], route);
        }
    }
    free(route->hosts);
    route->hosts = hosts;
    route->n_hosts = n;
    if (!is_whole) {
        pin_unit_note_unattached(catalog, route->object);
    }
}

void pin_host_unclaim(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    for (size_t i = 0; i < route->n_hosts; i++) {
        drop_claim(catalog, route->hosts[i], route);
    }
    route->n_hosts = 0;
}
