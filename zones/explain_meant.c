/* SPDX-License-Identifier: Apache-2.0 */

/* Which name may be meant by one that nothing has: people type what they would type in a Pod, or a
 * route's own name. */

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/nearest.h"

#include "zones/explain.h"

#define MEANT_MAX 4u
/* Labels that are looked at: service, namespace, "svc". */
#define PARTS_MAX 3u

/* What was typed, and what was found for it. */
struct search {
    const struct pin_catalog *catalog;
    struct pin_jsonout *out;
    char parts[PARTS_MAX][PIN_LABEL_MAX_BYTES + 1];
    size_t n_parts;
    bool is_outside;              /* of all zones */
    char text[PIN_NAME_TEXT_MAX]; /* all of it, without the dot at the end */
    size_t n;
};

static void tell_service(struct search *search, const struct pin_service_unit *unit)
{
    char zone[PIN_NAME_TEXT_MAX];
    char meant[PIN_NAME_TEXT_MAX + 256];
    char note[2 * sizeof(meant)];
    pin_name_format(search->catalog->zone_cluster_set->apex.wire, zone);
    (void)snprintf(meant, sizeof(meant), "%s.%s.svc.%s", unit->name, unit->namespace_name, zone);
    if (unit->is_published) {
        (void)snprintf(note, sizeof(note), "perhaps %s is meant", meant);
    } else {
        (void)snprintf(note, sizeof(note),
            "perhaps Service %s/%s is meant, which has no such name: explain %s says why",
            unit->namespace_name, unit->name, meant);
    }
    pin_jsonout_string(search->out, note);
    search->n++;
}

static void tell_route(
    struct search *search, const struct pin_route_unit *route, bool is_of_hostname)
{
    char assigned[PIN_NAME_TEXT_MAX];
    char note[2 * PIN_NAME_TEXT_MAX + 256];
    pin_name_format(route->assigned.wire, assigned);
    if (is_of_hostname) {
        (void)snprintf(note, sizeof(note),
            "%s has this hostname, and zones.custom no zone for it; its assigned name is %s",
            route->key, assigned);
    } else {
        (void)snprintf(
            note, sizeof(note), "perhaps %s is meant, the name of %s", assigned, route->key);
    }
    pin_jsonout_string(search->out, note);
    search->n++;
}

/* --- services --------------------------------------------------------------------------------- */

static bool is_exact(const struct search *search, const struct pin_service_unit *unit)
{
    bool is_same = strcasecmp(unit->name, search->parts[0]) == 0;
    if (search->n_parts < 2) {
        return is_same && unit->is_published;
    }
    return is_same && strcasecmp(unit->namespace_name, search->parts[1]) == 0
           && (unit->is_published || search->is_outside);
}

/* A slip of the finger in one of the two, or another namespace. */
static bool is_near(const struct search *search, const struct pin_service_unit *unit)
{
    if (!unit->is_published || search->n_parts < 2 || is_exact(search, unit)) {
        return false;
    }
    return strcasecmp(unit->namespace_name, search->parts[1]) == 0
               ? pin_nearest(search->parts[0], &unit->name, 1) != NULL
               : strcasecmp(unit->name, search->parts[0]) == 0;
}

static void find_services(struct search *search,
    bool (*is_meant)(const struct search *search, const struct pin_service_unit *unit))
{
    size_t cursor = 0;
    void *value = NULL;
    while (search->n < MEANT_MAX
           && pin_map_next(&search->catalog->services, &cursor, NULL, NULL, &value)) {
        if (is_meant(search, value)) {
            tell_service(search, value);
        }
    }
}

/* --- routes ----------------------------------------------------------------------------------- */

static bool has_hostname(const struct search *search, const struct pin_route_unit *route)
{
    const struct pin_route_body *body = &route->object->as.route;
    for (size_t i = 0; i < body->n_hostnames; i++) {
        if (strcasecmp(body->hostnames[i], search->text) == 0) {
            return true;
        }
    }
    return false;
}

/* The route's own name, with its namespace or alone. */
static bool is_its_name(const struct search *search, const struct pin_route_unit *route)
{
    return search->n_parts <= 2 && strcasecmp(route->object->name, search->parts[0]) == 0
           && (search->n_parts < 2
               || strcasecmp(route->object->namespace_name, search->parts[1]) == 0);
}

/* An assigned name but for the id at its end, as of another clusterSet. */
static bool is_its_label(const struct search *search, const struct pin_route_unit *route)
{
    const char *typed = search->parts[0];
    const char *id = strrchr(typed, '-');
    size_t bytes = id != NULL ? (size_t)(id - typed) + 1 : 0;
    const uint8_t *label = route->assigned.wire;
    return bytes > 0 && label[0] == strlen(typed)
           && strncasecmp((const char *)label + 1, typed, bytes) == 0;
}

static void find_routes(struct search *search)
{
    size_t cursor = 0;
    void *value = NULL;
    while (search->n < MEANT_MAX
           && pin_map_next(&search->catalog->routes, &cursor, NULL, NULL, &value)) {
        const struct pin_route_unit *route = value;
        if (route->object == NULL || route->is_gone) {
            continue;
        }
        if (search->is_outside ? is_its_name(search, route) : is_its_label(search, route)) {
            tell_route(search, route, false);
        } else if (search->is_outside && has_hostname(search, route)) {
            tell_route(search, route, true);
        }
    }
}

/* --- what was typed --------------------------------------------------------------------------- */

/* The labels before the zone's, or, outside of all zones, the first ones. Labels of SRV names and
 * of single endpoints are passed over. */
static void split(struct search *search, const struct pin_name *name, const struct pin_zone *zone)
{
    size_t labels = pin_name_labels(name->wire);
    size_t below = zone != NULL ? labels - pin_name_labels(zone->apex.wire) : labels;
    /* all of an assigned name is one label */
    size_t most = zone != NULL && zone == search->catalog->zone_assigned ? 1 : PARTS_MAX;
    const uint8_t *at = name->wire;
    for (; zone != NULL && below > most; below--) {
        at = pin_name_parent(at);
    }
    for (; zone == NULL && at[0] > 0 && at[1] == '_'; below--) {
        at = pin_name_parent(at);
    }
    for (; below > 0 && at[0] > 0 && search->n_parts < PARTS_MAX; below--) {
        memcpy(search->parts[search->n_parts++], at + 1, at[0]);
        at = pin_name_parent(at);
    }
}

/* "shop/web" or "c1/Service/shop/web", as people who come from kubectl write it: the label's last
 * two parts are namespace and name. */
static void split_object(struct search *search)
{
    char *slash = search->n_parts == 1 ? strrchr(search->parts[0], '/') : NULL;
    if (slash == NULL) {
        return;
    }
    char name[sizeof(search->parts[0])];
    (void)snprintf(name, sizeof(name), "%s", slash + 1);
    *slash = '\0';
    const char *before = strrchr(search->parts[0], '/');
    (void)snprintf(search->parts[1], sizeof(search->parts[1]), "%s",
        before != NULL ? before + 1 : search->parts[0]);
    memcpy(search->parts[0], name, sizeof(name));
    search->n_parts = 2;
}

void pin_explain_meant(
    const struct pin_catalog *catalog, const struct pin_name *name, struct pin_jsonout *out)
{
    const struct pin_zone *zone = pin_index_zone(catalog->live.index, name);
    struct search search = {.catalog = catalog, .out = out, .is_outside = zone == NULL};
    bool is_of_cluster = zone == catalog->zone_cluster_set || zone == catalog->zone_own
                         || (zone != NULL && zone->cluster_id != PIN_CLUSTER_NONE);
    split(&search, name, zone);
    split_object(&search);
    pin_name_format(name->wire, search.text);
    search.text[strlen(search.text) - 1] = '\0';
    bool is_service = search.n_parts < PARTS_MAX || strcasecmp(search.parts[2], "svc") == 0;
    if (search.n_parts == 0) {
        return;
    }
    if ((zone == NULL || is_of_cluster) && is_service) {
        find_services(&search, is_exact);
        find_services(&search, is_near);
    }
    if (zone == NULL || zone == catalog->zone_assigned) {
        find_routes(&search);
    }
}
