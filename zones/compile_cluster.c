/* SPDX-License-Identifier: Apache-2.0 */

/* Names in cluster zones: what each cluster's own DNS would say about its Services (Kubernetes DNS
 * specification 1.1.0). The names stand in "c1.cluster.local" and so on; "cluster.local" leads each
 * asker to its own cluster's zone when it asks. */

#include <string.h>

#include "zones/compile.h"

/* Two classes: asked by the cluster's zone, and by the common name. */
static bool make_classes(struct pin_compile *run, uint16_t cluster_id)
{
    struct pin_viewer viewer = pin_viewer_of(run->catalog, pin_view_of_cluster(cluster_id));
    run->n_views = 2;
    run->n_classes = 2;
    run->classes = pin_arena_alloc(run->steer.arena, 2 * sizeof(*run->classes));
    run->class_of_view = pin_arena_alloc(run->steer.arena, 2 * sizeof(*run->class_of_view));
    if (run->classes == NULL || run->class_of_view == NULL) {
        run->failed = true;
        return false;
    }
    run->class_of_view[1] = 1;
    run->classes[0].viewer = viewer;
    run->classes[1].viewer = viewer;
    run->classes[1].is_own = true;
    return true;
}

static bool zone_name(
    const struct pin_zone *zone, const struct pin_service_unit *unit, struct pin_name *ret_name)
{
    *ret_name = zone->apex;
    return pin_name_prepend(ret_name, "svc", 3) == PIN_OK
           && pin_name_prepend(ret_name, unit->namespace_name, strlen(unit->namespace_name))
                  == PIN_OK
           && pin_name_prepend(ret_name, unit->name, strlen(unit->name)) == PIN_OK;
}

/* An ExternalName Service is an alias. */
static void put_external(
    struct pin_compile *run, const struct pin_name *name, const struct pin_object *service)
{
    struct pin_name target;
    if (pin_name_parse(service->as.service.external_name, &target) != PIN_OK) {
        return; /* not a domain name: nothing to point at */
    }
    const struct pin_table *table = pin_compile_alias(run, name, &target, NULL, 0);
    struct pin_rrset rrset = {.type = PIN_TYPE_CNAME, .base = table};
    pin_compile_put(run, name, &rrset, 1);
}

/* The facts of one cluster alone. */
static bool own_facts(struct pin_compile *run, const struct pin_facts *all,
    const struct pin_contribution *c, struct pin_facts *ret_facts)
{
    const struct pin_service_body *service = &c->service->as.service;
    *ret_facts = *all;
    ret_facts->contributions = pin_arena_alloc(run->steer.arena, sizeof(*c));
    ret_facts->ports =
        pin_arena_alloc(run->steer.arena, (service->n_ports + 1) * sizeof(*ret_facts->ports));
    if (ret_facts->contributions == NULL || ret_facts->ports == NULL) {
        run->failed = true;
        return false;
    }
    ret_facts->contributions[0] = *c;
    ret_facts->n_contributions = 1;
    ret_facts->is_headless = service->n_cluster_ips == 0;
    ret_facts->n_ports = service->n_ports;
    for (size_t i = 0; i < service->n_ports; i++) {
        ret_facts->ports[i] = &service->ports[i];
    }
    return true;
}

static void put_service(struct pin_compile *run, const struct pin_facts *all,
    const struct pin_contribution *c, const struct pin_name *name)
{
    struct pin_rrset rrsets[PIN_FAMILY_MAX + 2];
    struct pin_facts facts;
    size_t n_shares = 0;
    if (!own_facts(run, all, c, &facts) || !make_classes(run, c->cluster_id)) {
        return;
    }
    run->is_whole = facts.is_headless;
    run->has_dashed = false;
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        struct pin_plan plan = pin_steer_cluster_zone(&run->steer, facts.contributions, f);
        run->classes[0].plans[f] = plan;
        run->classes[1].plans[f] = plan;
        n_shares += plan.n_shares;
    }
    const struct pin_settings *settings = run->catalog->settings;
    if (facts.is_headless && n_shares == 0 && !settings->is_headless_empty_nodata) {
        return; /* no ready endpoint: the name does not exist */
    }
    if (!facts.is_headless && settings->is_empty_service_nxdomain
        && pin_contribution_ready(facts.contributions) == 0) {
        return;
    }
    size_t n = pin_compile_address_rrsets(run, name, rrsets);
    pin_compile_put_first(run, name, rrsets, n);
    n += pin_compile_srv(run, &facts, name, &rrsets[n]);
    n += pin_compile_parts(run, &facts, name, &rrsets[n]);
    pin_compile_put(run, name, rrsets, n);
}

void pin_compile_cluster_zones(struct pin_compile *run, const struct pin_facts *facts)
{
    const struct pin_service_unit *unit = facts->unit;
    run->is_cluster_zone = true;
    run->is_sticky = false; /* the ClusterIP's business */
    for (size_t i = 0; i < unit->n_members && !run->failed; i++) {
        const struct pin_member *member = &unit->members[i];
        struct pin_name name;
        run->zone = run->catalog->zone_of_cluster[member->cluster_id];
        if (member->service == NULL || member->is_dropped || !zone_name(run->zone, unit, &name)) {
            continue;
        }
        run->ttl_s = run->catalog->settings->ttl_s;
        run->answers = run->catalog->settings->answers;
        pin_compile_take_annotations(run, member->service);
        const struct pin_contribution *c = pin_facts_own(facts, member->cluster_id);
        if (member->service->as.service.external_name != NULL) {
            put_external(run, &name, member->service);
        } else if (c != NULL) {
            put_service(run, facts, c, &name);
        }
    }
}
