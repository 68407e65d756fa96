/* SPDX-License-Identifier: Apache-2.0 */

/* Names that come close to one that does not exist. */

#include "zones/drains_nearby.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/slice.h"

/* Names that are told. */
#define NEARBY_MAX 6

/* A few names, each once. */
struct nearby {
    char names[NEARBY_MAX][300];
    size_t n;
    bool has_more;
};

static void add(struct nearby *nearby, const char *name)
{
    for (size_t i = 0; i < nearby->n; i++) {
        if (strcmp(nearby->names[i], name) == 0) {
            return;
        }
    }
    if (nearby->n == NEARBY_MAX) {
        nearby->has_more = true;
        return;
    }
    (void)snprintf(nearby->names[nearby->n++], sizeof(nearby->names[0]), "%s", name);
}

static enum pin_err tell(
    const struct nearby *nearby, const char *missing, const char *them, struct pin_why *why)
{
    char text[NEARBY_MAX * 64] = "";
    size_t used = 0;
    for (size_t i = 0; i < nearby->n && used + 1 < sizeof(text); i++) {
        int n = snprintf(
            text + used, sizeof(text) - used, "%s%.60s", i == 0 ? "" : ", ", nearby->names[i]);
        used += n > 0 ? PIN_MIN((size_t)n, sizeof(text) - 1 - used) : 0;
    }
    return pin_why_set(why, PIN_ENOTFOUND, "there is no %.100s; %s%s%s%s", missing,
        nearby->n == 0 ? "there are no " : "", them, nearby->n == 0 ? "" : ": ", text);
}

enum pin_err pin_drains_no_cluster(
    const struct pin_catalog *catalog, const char *name, struct pin_why *why)
{
    struct nearby nearby = {.n = 0};
    char missing[160];
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        add(&nearby, catalog->settings->clusters[i].name);
    }
    (void)snprintf(missing, sizeof(missing), "cluster \"%s\"", name);
    return tell(&nearby, missing, nearby.has_more ? "clusters, among others" : "clusters", why);
}

/* How close a service comes: same name elsewhere, same namespace, the rest. */
static int closeness(const struct pin_drain *drain, const struct pin_service_unit *unit)
{
    if (strcmp(unit->name, drain->object) == 0) {
        return 0;
    }
    return strcmp(unit->namespace_name, drain->namespace_name) == 0 ? 1 : 2;
}

static void add_services(
    const struct pin_catalog *catalog, const struct pin_drain *drain, struct nearby *nearby)
{
    for (int wanted = 0; wanted < 3 && nearby->n == 0; wanted++) {
        size_t cursor = 0;
        void *value = NULL;
        while (pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
            const struct pin_service_unit *unit = value;
            if (unit->n_members > 0 && closeness(drain, unit) == wanted) {
                add(nearby, unit->key);
            }
        }
    }
}

/* The first 3 of 4 octets, or the first 8 of 16. */
static bool is_neighbour(const struct pin_ip *a, const struct pin_ip *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, a->family == 4 ? 3 : 8) == 0;
}

/* What an endpoint is called where the drain looks for it; NULL when it is not near. */
static const char *near_endpoint(
    const struct pin_drain *drain, const struct pin_object *slice, size_t row, char out[320])
{
    const struct pin_slice_body *body = &slice->as.slice;
    char pod[PIN_POD_NAME_MAX];
    if (drain->what == PIN_DRAIN_ZONE) {
        return pin_slice_zone(body, row);
    }
    if (drain->ip.family != 0) {
        struct pin_ip ip = pin_slice_ip(body, row);
        return is_neighbour(&drain->ip, &ip) ? pin_ip_format(&ip, out) : NULL;
    }
    if (strcmp(slice->namespace_name, drain->namespace_name) != 0
        || !pin_slice_pod(body, row, pod)) {
        return NULL;
    }
    (void)snprintf(out, 320, "%s/%s", slice->namespace_name, pod);
    return out;
}

static void add_slice(
    const struct pin_drain *drain, const struct pin_object *slice, struct nearby *nearby)
{
    for (size_t e = 0; e < slice->as.slice.n_endpoints; e++) {
        char text[320];
        const char *name = near_endpoint(drain, slice, e, text);
        if (name != NULL) {
            add(nearby, name);
        }
    }
}

static void add_endpoints(
    const struct pin_catalog *catalog, const struct pin_drain *drain, struct nearby *nearby)
{
    size_t cursor = 0;
    void *value = NULL;
    while (!nearby->has_more && pin_map_next(&catalog->services, &cursor, NULL, NULL, &value)) {
        const struct pin_service_unit *unit = value;
        for (size_t m = 0; m < unit->n_members; m++) {
            for (size_t s = 0; s < unit->members[m].n_slices; s++) {
                add_slice(drain, pin_member_slices(&unit->members[m])[s], nearby);
            }
        }
    }
}

enum pin_err pin_drains_not_found(
    const struct pin_catalog *catalog, const struct pin_drain *drain, struct pin_why *why)
{
    struct nearby nearby = {.n = 0};
    char missing[300];
    const char *them = drain->what == PIN_DRAIN_ZONE      ? "zones of endpoints"
                       : drain->what == PIN_DRAIN_SERVICE ? "services"
                       : drain->ip.family != 0            ? "endpoints near that address"
                                                          : "pods in that namespace";
    if (drain->what == PIN_DRAIN_SERVICE) {
        add_services(catalog, drain, &nearby);
    } else {
        add_endpoints(catalog, drain, &nearby);
    }
    (void)snprintf(
        missing, sizeof(missing), "%s \"%s\"", pin_drain_what_text(drain->what), drain->name);
    return tell(&nearby, missing, them, why);
}
