/* SPDX-License-Identifier: Apache-2.0 */

/* What a route's backendRefs add to a plan: Services, imports, Gateways, and why one of them adds
 * nothing. */

#include "pintle/base/hash.h"

#include "zones/checks.h"
#include "zones/drains.h"
#include "zones/prefer.h"
#include "zones/steer.h"
#include "zones/steer_address.h"
#include "zones/steer_backend.h"

const struct pin_route_rule *pin_route_rule(const struct pin_object *route)
{
    for (size_t i = 0; i < route->as.route.n_rules; i++) {
        if (!route->as.route.rules[i].needs_l7) {
            return &route->as.route.rules[i];
        }
    }
    return NULL;
}

/* The facts of a service a route draws on; the route depends on it from now on. */
static struct pin_facts *facts_for_route(const struct pin_steer *steer,
    struct pin_route_unit *route, const char *namespace_name, const char *name)
{
    struct pin_service_unit *unit = pin_unit_service(steer->catalog, namespace_name, name);
    if (unit == NULL) {
        return NULL;
    }
    pin_unit_depend(route, &unit->subject);
    return pin_merge_facts(steer->settings, unit, steer->arena);
}

/* The same for a backendRef: its port alone counts, where the Service has it. */
static const struct pin_facts *facts_for_ref(
    const struct pin_steer *steer, struct pin_route_unit *route, const struct pin_backend_ref *ref)
{
    const struct pin_facts *facts = facts_for_route(steer, route, ref->namespace_name, ref->name);
    if (facts != NULL) {
        pin_steer_narrow(facts, &ref->port, ref->port != 0, false);
    }
    return facts;
}

static void add_missing(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_backend_ref *ref, uint16_t cluster_id, enum pin_fault fault,
    const char *reason)
{
    pin_steer_add_row(steer, plan,
        &(struct pin_backend_row){
            .kind = ref->kind_text,
            .namespace_name = ref->namespace_name,
            .name = ref->name,
            .cluster_id = cluster_id,
            .weight = ref->weight,
            .cluster_weight = PIN_WEIGHT_UNSET,
            .fault = fault,
            .reason = reason,
        });
}

/* Whether the route's own cluster has such a Service of type ExternalName. */
static bool is_alias(const struct pin_steer *steer, const struct pin_route_unit *route,
    const struct pin_backend_ref *ref)
{
    const struct pin_service_unit *unit =
        pin_unit_find_service(steer->catalog, ref->namespace_name, ref->name);
    const struct pin_member *member =
        unit != NULL ? pin_unit_member(unit, route->cluster_id) : NULL;
    return member != NULL && member->service != NULL
           && member->service->as.service.external_name != NULL;
}

/* A Service of the route's own cluster. */
static void plan_service_ref(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_backend_ref *ref, struct pin_backend_plan *b)
{
    b->facts = facts_for_ref(steer, route, ref);
    const struct pin_contribution *c =
        b->facts != NULL ? pin_facts_own(b->facts, route->cluster_id) : NULL;
    if (c == NULL && is_alias(steer, route, ref)) {
        add_missing(steer, plan, ref, route->cluster_id, PIN_FAULT_EXTERNAL_NAME,
            "the Service is an alias (type ExternalName): it has no address");
        return;
    }
    if (c == NULL) {
        add_missing(steer, plan, ref, route->cluster_id, PIN_FAULT_NO_SERVICE, "Service not found");
        return;
    }
    bool prefers_zone = b->viewer.zone != NULL && c->service->as.service.prefers_zone;
    const struct pin_contribution *narrowed =
        prefers_zone ? pin_steer_narrow_parts(steer, plan, &c, 1, b) : NULL;
    pin_steer_add_contribution(steer, plan, b, b->is_narrowed ? narrowed : c, NULL);
}

/* Whether an AWS import admits exports of that cluster (annotations aws-eks-cluster-name and
 * aws-vpc). */
static bool is_admitted(const struct pin_settings *settings,
    const struct pin_aws_import_body *import, uint16_t cluster_id)
{
    const struct pin_cluster_settings *cluster = &settings->clusters[cluster_id];
    return (import->cluster == NULL || strcmp(import->cluster, cluster->name) == 0)
           && (import->network == NULL
               || strcmp(import->network, settings->networks[cluster->network].name) == 0);
}

/* One cluster's AWS export of a name that a route draws on. */
struct aws_part {
    const struct pin_object *export_;
    struct pin_facts *facts;
    const struct pin_contribution *contribution; /* NULL: there is no such Service */
};

/* The Service behind an AWS export; the route depends on it from now on. */
static struct aws_part find_aws_part(
    const struct pin_steer *steer, struct pin_route_unit *route, const struct pin_member *exporter)
{
    struct aws_part part = {.export_ = exporter->aws_export};
    const struct pin_aws_export_body *body = &part.export_->as.aws_export;
    const char *service = body->service;
    part.facts = facts_for_route(
        steer, route, part.export_->namespace_name, service != NULL ? service : part.export_->name);
    if (part.facts != NULL) {
        pin_steer_narrow(part.facts, body->ports, body->n_ports, true);
        pin_checks_lend(part.facts, exporter);
        part.contribution = pin_facts_own(part.facts, exporter->cluster_id);
    }
    return part;
}

/* Narrows the parts to the asker's zone where one of the Services asks for that. */
static const struct pin_contribution *narrow_aws_parts(const struct pin_steer *steer,
    struct pin_plan *plan, const struct aws_part *parts, size_t n, struct pin_backend_plan *b)
{
    bool is_preferred = false;
    const struct pin_contribution **all =
        pin_arena_alloc(steer->arena, (n + 1) * sizeof(struct pin_contribution *));
    for (size_t i = 0; all != NULL && i < n; i++) {
        all[i] = parts[i].contribution;
        is_preferred = is_preferred || (all[i] != NULL && all[i]->service->as.service.prefers_zone);
    }
    b->is_narrowed = false;
    if (all == NULL || b->viewer.zone == NULL || !is_preferred) {
        return NULL;
    }
    return pin_steer_narrow_parts(steer, plan, all, n, b);
}

/* Adds every admitted cluster's part. A weight on one of them makes the others count 1. */
static size_t plan_aws_exports(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_service_unit *unit,
    const struct pin_aws_import_body *import, struct pin_backend_plan *b)
{
    size_t n = 0;
    struct aws_part *parts = pin_arena_alloc(steer->arena, (unit->n_members + 1) * sizeof(*parts));
    plan->is_out_of_memory = plan->is_out_of_memory || parts == NULL;
    for (size_t i = 0; parts != NULL && i < unit->n_members; i++) {
        const struct pin_member *exporter = &unit->members[i];
        if (exporter->aws_export == NULL
            || !is_admitted(steer->settings, import, exporter->cluster_id)) {
            continue;
        }
        parts[n] = find_aws_part(steer, route, exporter);
        b->aws_export = parts[n].export_;
        b->has_cluster_weight =
            b->has_cluster_weight
            || (parts[n].contribution != NULL
                && pin_steer_cluster_weight(steer, b, parts[n].contribution) != PIN_WEIGHT_UNSET);
        n++;
    }
    const struct pin_part elsewhere = {.excluded = PIN_STEER_OTHER_ZONE};
    const struct pin_contribution *narrowed = narrow_aws_parts(steer, plan, parts, n, b);
    for (size_t i = 0; i < n; i++) {
        const struct pin_contribution *c = parts[i].contribution;
        bool is_elsewhere = narrowed != NULL && c != NULL && pin_contribution_ready(c) > 0
                            && pin_contribution_ready(&narrowed[i]) == 0;
        b->facts = parts[i].facts;
        b->aws_export = parts[i].export_;
        if (c != NULL) {
            pin_steer_add_contribution(steer, plan, b,
                narrowed != NULL && !is_elsewhere ? &narrowed[i] : c,
                is_elsewhere ? &elsewhere : NULL);
        }
    }
    return n;
}

/* A ServiceImport of application-networking.k8s.aws: every cluster's export of that name. */
static void plan_aws_ref(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_backend_ref *ref, struct pin_backend_plan *b)
{
    struct pin_service_unit *at = pin_unit_service(steer->catalog, ref->namespace_name, ref->name);
    if (at == NULL) {
        return;
    }
    pin_unit_depend(route, &at->subject);
    const struct pin_member *importer = pin_unit_member(at, route->cluster_id);
    if (importer == NULL || importer->aws_import == NULL) {
        add_missing(
            steer, plan, ref, route->cluster_id, PIN_FAULT_NO_IMPORT, "ServiceImport not found");
        return;
    }
    const struct pin_aws_import_body *import = &importer->aws_import->as.aws_import;
    if (import->export_name != NULL) {
        at = pin_unit_service(steer->catalog, ref->namespace_name, import->export_name);
        if (at == NULL) {
            return;
        }
        pin_unit_depend(route, &at->subject);
    }
    if (plan_aws_exports(steer, plan, route, at, import, b) == 0) {
        add_missing(steer, plan, ref, PIN_CLUSTER_NONE, PIN_FAULT_NO_EXPORT,
            "no cluster exports it (ServiceExport)");
    }
}

static void plan_ref(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_backend_ref *ref, struct pin_backend_plan *b)
{
    if (!pin_grants_permit(steer->catalog, route, ref)) {
        add_missing(steer, plan, ref, route->cluster_id, PIN_FAULT_NOT_PERMITTED,
            "not permitted (ReferenceGrant)");
        return;
    }
    switch (ref->kind) {
    case PIN_BACKEND_SERVICE:
        plan_service_ref(steer, plan, route, ref, b);
        break;
    case PIN_BACKEND_AWS_IMPORT:
        plan_aws_ref(steer, plan, route, ref, b);
        break;
    case PIN_BACKEND_IMPORT:
        b->facts = facts_for_ref(steer, route, ref);
        if (b->facts != NULL && b->facts->exists) {
            pin_steer_clusterset(steer, plan, b);
        } else {
            add_missing(
                steer, plan, ref, PIN_CLUSTER_NONE, PIN_FAULT_NO_EXPORT, "no cluster exports it");
        }
        break;
    case PIN_BACKEND_OTHER:
        add_missing(steer, plan, ref, PIN_CLUSTER_NONE, PIN_FAULT_OTHER_KIND,
            "this kind of backend has no address");
        break;
    }
}

/* A route that needs L7 answers the addresses of its Gateways. */
static void plan_gateways(
    const struct pin_steer *steer, struct pin_plan *plan, struct pin_route_unit *route)
{
    const struct pin_route_body *body = &route->object->as.route;
    plan->is_l7 = true;
    plan->rule = "the rules match paths, headers or methods: the Gateways' addresses";
    for (size_t i = 0; i < body->n_parents; i++) {
        struct pin_gateway_unit *gateway = pin_unit_gateway(steer->catalog, route->cluster_id,
            body->parents[i].namespace_name, body->parents[i].name);
        if (gateway == NULL) {
            continue;
        }
        pin_unit_depend(route, &gateway->subject);
        uint32_t n_added = 0;
        struct pin_address_want want = {.backend_i = 0, .weight = 1};
        const struct pin_drain *drain =
            pin_drains_cluster(&steer->catalog->drains, route->cluster_id);
        if (gateway->object != NULL && drain == NULL) {
            const struct pin_gateway_body *g = &gateway->object->as.gateway;
            n_added = pin_steer_add_ips(steer, plan, g->addresses, g->n_addresses,
                &(struct pin_share){.via = PIN_VIA_GATEWAY, .cluster_id = route->cluster_id},
                &want);
            pin_steer_add_listeners(steer, plan, g, body->parents[i].section);
        }
        pin_steer_add_row(steer, plan,
            &(struct pin_backend_row){
                .kind = "Gateway",
                .namespace_name = body->parents[i].namespace_name,
                .name = body->parents[i].name,
                .cluster_id = route->cluster_id,
                .weight = PIN_WEIGHT_UNSET,
                .cluster_weight = PIN_WEIGHT_UNSET,
                .is_used = n_added > 0,
                .fault = gateway->object == NULL ? PIN_FAULT_NO_GATEWAY : PIN_FAULT_NONE,
                .reason = gateway->object == NULL ? "Gateway not found"
                          : drain != NULL         ? pin_drain_reason(steer->arena, drain, NULL)
                          : n_added == 0          ? "its status has no address of this family"
                                                  : "",
            });
    }
}

/* Says of the rows from the first-th on which backendRef they are about. */
static void number_rows(struct pin_plan *plan, size_t first, size_t backend_i)
{
    for (size_t i = first; i < plan->n_rows; i++) {
        plan->rows[i].backend_i = (uint32_t)backend_i;
    }
}

static void plan_weighted(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_route_rule *rule, struct pin_viewer viewer,
    bool is_zero)
{
    for (size_t i = 0; i < rule->n_backends; i++) {
        const struct pin_backend_ref *ref = &rule->backends[i];
        if ((ref->weight == 0) != is_zero) {
            continue;
        }
        struct pin_backend_plan b = {.viewer = viewer,
            .backend_i = (uint32_t)i,
            .preference =
                pin_preference_of(route->object, pin_hash64(route->key, strlen(route->key))),
            .kind = ref->kind_text,
            .weight = ref->weight,
            .ref = ref};
        size_t n_before = plan->n_rows;
        plan_ref(steer, plan, route, ref, &b);
        number_rows(plan, n_before, i);
    }
}

/* Backends of weight 0: never, or in standby when no other has a ready endpoint. */
static void plan_weightless(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_route_rule *rule, struct pin_viewer viewer)
{
    if (steer->settings->is_zero_weight_standby && !plan->has_ready) {
        struct pin_plan before = *plan;
        plan_weighted(steer, plan, route, rule, viewer, true);
        if (before.n_shares > 0 && !plan->has_ready) { /* they are down, too: all as without them */
            plan->n_shares = before.n_shares;
            plan->n_groups = before.n_groups;
            plan->n_shown = before.n_shown;
        }
        return;
    }
    for (size_t i = 0; i < rule->n_backends; i++) {
        size_t n_before = plan->n_rows;
        if (rule->backends[i].weight == 0) {
            add_missing(
                steer, plan, &rule->backends[i], PIN_CLUSTER_NONE, PIN_FAULT_NONE, "weight 0");
        }
        number_rows(plan, n_before, i);
    }
}

static bool has_group(const struct pin_plan *plan, size_t backend_i)
{
    for (size_t i = 0; i < plan->n_groups; i++) {
        if (plan->groups[i].backend_i == backend_i) {
            return true;
        }
    }
    return false;
}

/* The shares of backends that give no address go to nobody. */
static void plan_nodata(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_route_rule *rule)
{
    if (!steer->settings->is_empty_backend_nodata || plan->n_shares == 0) {
        return;
    }
    for (size_t i = 0; i < rule->n_backends; i++) {
        if (rule->backends[i].weight != 0 && !has_group(plan, i)) {
            pin_steer_add_empty(steer, plan, (uint32_t)i);
            add_missing(steer, plan, &rule->backends[i], PIN_CLUSTER_NONE, PIN_FAULT_NONE,
                "no address: its share of the questions gets NODATA");
        }
    }
}

static void plan_backends(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_route_rule *rule, struct pin_viewer viewer)
{
    plan->rule = "weights of the first rule without path, header or method match";
    plan_weighted(steer, plan, route, rule, viewer, false);
    bool is_standby = plan->n_shares == 0;
    plan_weightless(steer, plan, route, rule, viewer);
    if (!is_standby) {
        plan_nodata(steer, plan, rule);
    }
}

struct pin_plan pin_steer_route(const struct pin_steer *steer, struct pin_route_unit *route,
    struct pin_viewer viewer, enum pin_family_i family_i)
{
    struct pin_plan plan = {.family_i = family_i};
    const struct pin_route_rule *rule = pin_route_rule(route->object);
    if (rule == NULL) {
        uint32_t weight = 1;
        plan_gateways(steer, &plan, route);
        pin_steer_finish(steer, &plan, &weight, 1);
        return plan;
    }
    uint32_t *weights = pin_arena_alloc(steer->arena, (rule->n_backends + 1) * sizeof(*weights));
    if (weights == NULL) {
        plan.is_out_of_memory = true;
        return plan;
    }
    for (size_t i = 0; i < rule->n_backends; i++) {
        uint32_t weight = rule->backends[i].weight;
        weights[i] = weight != 0 ? weight : 1; /* 0 is planned in standby only */
    }
    struct pin_steer own = *steer;
    own.check = route->object->steering->check;
    plan_backends(&own, &plan, route, rule, viewer);
    pin_steer_finish(steer, &plan, weights, rule->n_backends);
    return plan;
}
