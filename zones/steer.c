/* SPDX-License-Identifier: Apache-2.0 */

/* Which addresses a viewer is shown, with which weights, and why. */

#include "zones/steer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zones/checks.h"
#include "zones/drains.h"
#include "zones/prefer.h"
#include "zones/prefer_zone.h"
#include "zones/steer_address.h"

struct pin_viewer pin_viewer_of(const struct pin_catalog *catalog, uint16_t view_id)
{
    const struct pin_view *view = &catalog->views[view_id];
    struct pin_viewer viewer = {.cluster_id = view->cluster_id, .prefers = view->prefers};
    if (view->cluster_id != PIN_CLUSTER_NONE) {
        const struct pin_cluster_settings *cluster = &catalog->settings->clusters[view->cluster_id];
        viewer.network = cluster->network;
        viewer.zone = view->zone != NULL ? view->zone : cluster->zone;
    }
    return viewer;
}

const char *pin_via_text(enum pin_via via)
{
    static const char *const texts[] = {
        [PIN_VIA_ENDPOINT] = "endpoint",
        [PIN_VIA_CLUSTER_IP] = "clusterIP",
        [PIN_VIA_IMPORT_IP] = "importIP",
        [PIN_VIA_BALANCER] = "loadBalancer",
        [PIN_VIA_GATEWAY] = "gateway",
    };
    return texts[via];
}

/* --- rows ----------------------------------------------------------------------------------------
 */

/* Adds a line of explanation; NULL when memory is out (the answer stands without it). */
static struct pin_backend_row *add_row(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_backend_row *row)
{
    plan->rows =
        pin_steer_grow(steer, plan->rows, plan->n_rows, &plan->cap_rows, sizeof(*plan->rows));
    if (plan->rows == NULL) {
        plan->n_rows = 0;
        plan->cap_rows = 0;
        return NULL;
    }
    plan->rows[plan->n_rows] = *row;
    return &plan->rows[plan->n_rows++];
}

/* Notes who stands behind shares; addresses that clusters have in common hide it. */
static void note_shown(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    const struct pin_contribution **shown =
        pin_steer_grow(steer, plan->shown, plan->n_shown, &plan->cap_shown, sizeof(*plan->shown));
    if (shown == NULL) {
        plan->is_out_of_memory = true;
        return;
    }
    plan->shown = shown;
    shown[plan->n_shown++] = c;
}

/* --- a service name
 * ------------------------------------------------------------------------------- */

/* What is known of one backend while its contributions are gone through. */
struct backend {
    const struct pin_facts *facts;
    struct pin_viewer viewer;
    const struct pin_contribution *own;
    uint32_t backend_i;
    struct pin_preference preference;
    struct pin_part *parts;  /* by contribution */
    bool is_narrowed;        /* to the asker's zone */
    uint32_t n_ready;        /* endpoints of all parts that are visible and not drained */
    uint32_t n_up;           /* of these, those that no probe says are down */
    bool has_weightless;     /* a part that is visible has weight 0 */
    bool is_standby;         /* no part with a weight is left: those of weight 0 count */
    bool has_cluster_weight; /* some contribution has one: the others count 1 */
    const char *kind;
    uint32_t weight;                     /* of the backendRef */
    const struct pin_backend_ref *ref;   /* NULL at service names */
    const struct pin_object *aws_export; /* that brings the contribution in, or NULL */
};

/* A cluster's whole contribution, as its Service, export or configuration says. */
static uint32_t cluster_weight(
    const struct pin_steer *steer, const struct backend *b, const struct pin_contribution *c)
{
    const struct pin_object *objects[] = {c->service, b->aws_export, c->since};
    for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
        if (objects[i] != NULL && objects[i]->steering->weight != PIN_WEIGHT_UNSET) {
            return objects[i]->steering->weight;
        }
    }
    return steer->settings->clusters[c->cluster_id].weight;
}

/* Endpoints that count: the ready ones; of a cluster that probes decide about, those alive. */
static uint32_t ready_of(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_contribution *c)
{
    return c->is_probing ? pin_checks_alive(steer, plan, c) : pin_contribution_ready(c);
}

/* Whether who is shown depends on how many endpoints are up. */
static bool needs_count(const struct pin_steer *steer, const struct backend *b)
{
    return b->preference.affinity > PIN_AFFINITY_NONE || steer->settings->is_zero_weight_standby;
}

/* What affinity has to know of each contribution. False when memory is out. */
static bool make_parts(const struct pin_steer *steer, struct pin_plan *plan, struct backend *b)
{
    b->parts = pin_arena_alloc(steer->arena, (b->facts->n_contributions + 1) * sizeof(*b->parts));
    for (size_t i = 0; b->parts != NULL && i < b->facts->n_contributions; i++) {
        const struct pin_contribution *c = &b->facts->contributions[i];
        struct pin_part *part = &b->parts[i];
        *part = (struct pin_part){.cluster_id = c->cluster_id,
            .is_own = c == b->own,
            .excluded = pin_steer_excluded(b->facts, c, b->viewer, b->own)};
        if (part->excluded != NULL) {
            continue;
        }
        uint32_t weight = cluster_weight(steer, b, c);
        b->has_cluster_weight = b->has_cluster_weight || weight != PIN_WEIGHT_UNSET;
        b->has_weightless = b->has_weightless || weight == 0;
        if ((weight != 0) != b->is_standby) { /* 0: drained */
            part->n_ready = ready_of(steer, plan, c);
            part->n_known = pin_contribution_known(c);
        }
        b->n_ready += part->n_ready;
        if (part->n_ready > 0 && needs_count(steer, b)) {
            part->n_ready = pin_checks_count(steer, plan, c);
        }
        b->n_up += part->n_ready;
    }
    return b->parts != NULL;
}

/* Two reasons as one; either may be NULL. */
static const char *join(const struct pin_steer *steer, const char *a, const char *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    size_t bytes = strlen(a) + strlen(b) + sizeof("; ");
    char *text = pin_arena_alloc(steer->arena, bytes);
    if (text == NULL) {
        return a;
    }
    (void)snprintf(text, bytes, "%s; %s", a, b);
    return text;
}

/* NULL when a contribution that counts has addresses to show, else why not. */
static const char *why_unused(const struct pin_steer *steer, const struct backend *b,
    const struct pin_contribution *c, uint32_t weight, uint32_t n_ready)
{
    if (c->is_dropped) {
        return PIN_STEER_DROPPED;
    }
    if (c->drain != NULL && pin_contribution_ready(c) == 0) {
        return pin_drain_reason(steer->arena, c->drain, NULL);
    }
    if (weight == 0 && !b->is_standby) {
        return "cluster weight 0";
    }
    if (weight != 0 && b->is_standby) {
        return "no ready endpoint";
    }
    if (n_ready == 0 && pin_contribution_ready(c) > 0) {
        return "its cluster is out of reach and no endpoint answers probes (stale: probe)";
    }
    return n_ready == 0 ? "no ready endpoint" : NULL;
}

/* Adds the addresses of a contribution that counts. Tells in `row` how that went. */
static void add_used(const struct pin_steer *steer, struct pin_plan *plan, const struct backend *b,
    const struct pin_contribution *c, struct pin_backend_row *row)
{
    bool is_standby = row->cluster_weight == 0 && b->is_standby;
    struct pin_address_want want = {.backend_i = b->backend_i};
    if (b->has_cluster_weight) {
        bool is_one = row->cluster_weight == PIN_WEIGHT_UNSET || is_standby;
        want.weight = is_one ? 1 : row->cluster_weight;
    }
    row->reason = pin_steer_addresses(steer, plan, c, b->viewer, &want);
    row->is_used = want.is_used;
    if (!want.is_used && row->n_ready > 0
        && b->viewer.network != steer->settings->clusters[c->cluster_id].network) {
        row->fault = PIN_FAULT_UNREACHABLE;
    }
    if (b->is_narrowed && row->reason == NULL) {
        row->reason = "trafficDistribution: its endpoints in the asker's zone";
    }
    if ((is_standby || b->weight == 0) && want.is_used) {
        row->reason = "weight 0, in standby: nothing with a weight has a ready endpoint";
    }
}

/* Adds the addresses of one contribution as a group, and its line of explanation. */
static void add_contribution(const struct pin_steer *steer, struct pin_plan *plan,
    const struct backend *b, const struct pin_contribution *c, const struct pin_part *part)
{
    const char *excluded = part != NULL ? part->excluded : NULL;
    uint32_t weight = cluster_weight(steer, b, c);
    struct pin_backend_row row = {
        .kind = b->kind,
        .namespace_name = b->facts->unit->namespace_name,
        .name = b->facts->unit->name,
        .cluster_id = c->cluster_id,
        .weight = b->weight,
        .cluster_weight = weight,
        .affinity = b->preference.affinity,
        .affinity_list = b->preference.list,
        .n_ready = ready_of(steer, plan, c),
        .n_total = c->n_total,
    };
    row.reason = excluded != NULL ? excluded : why_unused(steer, b, c, weight, row.n_ready);
    if (excluded == NULL && row.n_ready == 0 && !c->is_dropped && c->drain == NULL) {
        row.fault = PIN_FAULT_NOT_READY;
    }
    if (row.reason == NULL) {
        plan->has_ready = plan->has_ready || !steer->settings->is_zero_weight_standby
                          || pin_checks_count(steer, plan, c) > 0;
        add_used(steer, plan, b, c, &row);
    }
    if (row.is_used && c->has_drained) {
        row.reason =
            pin_drain_reason(steer->arena, c->drain, row.reason != NULL ? row.reason : "used");
    }
    if (row.is_used) {
        row.reason = join(steer, row.reason, part != NULL ? part->note : NULL);
        note_shown(steer, plan, c);
    }
    if (c->is_backend && excluded == NULL) {
        pin_steer_add_backend_ports(steer, plan, c);
    }
    (void)add_row(steer, plan, &row);
}

#define OTHER_ZONE "trafficDistribution: other clusters have endpoints in the asker's zone"

/* Narrows parts to the asker's zone, unless probes say that all there are down. NULL: all count. */
static const struct pin_contribution *narrow_parts(const struct pin_steer *steer,
    struct pin_plan *plan, const struct pin_contribution *const *parts, size_t n, struct backend *b)
{
    const struct pin_contribution *narrowed =
        pin_zone_narrow(steer->arena, parts, n, b->viewer.zone);
    uint32_t n_up = 0;
    for (size_t i = 0; narrowed != NULL && i < n; i++) {
        n_up += parts[i] != NULL ? pin_checks_count(steer, plan, &narrowed[i]) : 0;
    }
    b->is_narrowed = n_up > 0;
    return b->is_narrowed ? narrowed : NULL;
}

/* Narrows what affinity left to the asker's zone. NULL: all of it counts. */
static const struct pin_contribution *narrow(
    const struct pin_steer *steer, struct pin_plan *plan, struct backend *b)
{
    size_t n = b->facts->n_contributions;
    if (b->viewer.zone == NULL || !pin_zone_is_preferred(b->facts)) {
        return NULL;
    }
    const struct pin_contribution **parts =
        pin_arena_alloc(steer->arena, (n + 1) * sizeof(struct pin_contribution *));
    for (size_t i = 0; parts != NULL && i < n; i++) {
        bool counts = b->parts[i].excluded == NULL && b->parts[i].n_ready > 0;
        parts[i] = counts ? &b->facts->contributions[i] : NULL;
    }
    const struct pin_contribution *narrowed =
        parts != NULL ? narrow_parts(steer, plan, parts, n, b) : NULL;
    for (size_t i = 0; narrowed != NULL && i < n; i++) {
        if (parts[i] != NULL && pin_contribution_ready(&narrowed[i]) == 0) {
            b->parts[i].excluded = OTHER_ZONE;
        }
    }
    return narrowed;
}

/* An import's own addresses stand for all its endpoints (KEP-1645: spec.ips). */
static bool add_import_ips(
    const struct pin_steer *steer, struct pin_plan *plan, const struct backend *b)
{
    const struct pin_member *member = pin_unit_member(b->facts->unit, b->viewer.cluster_id);
    if (b->viewer.cluster_id == PIN_CLUSTER_NONE || member == NULL || member->import == NULL
        || member->is_dropped || member->import->as.import.is_headless
        || member->import->as.import.n_ips == 0
        || pin_steer_mode(steer, member->import, b->viewer.cluster_id) == PIN_ADDRESS_ENDPOINTS) {
        return false;
    }
    const struct pin_import_body *import = &member->import->as.import;
    uint32_t n_ready = b->n_ready;
    struct pin_address_want want = {.backend_i = b->backend_i, .weight = n_ready > 0 ? n_ready : 1};
    uint32_t n_added = pin_steer_add_ips(steer, plan, import->ips, import->n_ips,
        &(struct pin_share){.via = PIN_VIA_IMPORT_IP, .cluster_id = b->viewer.cluster_id}, &want);
    if (b->ref != NULL) {
        pin_steer_add_import_ports(steer, plan, import, b->ref->port);
    }
    plan->has_ready = plan->has_ready || n_ready > 0 || n_added > 0;
    (void)add_row(steer, plan,
        &(struct pin_backend_row){
            .kind = "ServiceImport",
            .namespace_name = member->import->namespace_name,
            .name = member->import->name,
            .cluster_id = b->viewer.cluster_id,
            .weight = b->weight,
            .cluster_weight = PIN_WEIGHT_UNSET,
            .n_ready = n_ready,
            .n_total = n_ready,
            .is_used = n_added > 0,
            .reason = n_added > 0 ? "the import's own addresses"
                                  : "the import has no address of this family",
        });
    return true;
}

/* Parts of weight 0 count when no other has an endpoint that is up, but one of theirs is. */
static bool settle_standby(const struct pin_steer *steer, struct pin_plan *plan, struct backend *b)
{
    if (b->n_up > 0 || !b->has_weightless || !steer->settings->is_zero_weight_standby) {
        return true;
    }
    struct backend standby = *b;
    standby.is_standby = true;
    standby.n_ready = 0;
    standby.n_up = 0;
    if (!make_parts(steer, plan, &standby)) {
        return false;
    }
    if (b->n_ready == 0 || standby.n_up > 0) {
        *b = standby;
    }
    return true;
}

static void plan_clusterset(const struct pin_steer *steer, struct pin_plan *plan, struct backend *b)
{
    b->own = b->viewer.cluster_id != PIN_CLUSTER_NONE
                 ? pin_facts_own(b->facts, b->viewer.cluster_id)
                 : NULL;
    if (b->preference.affinity == PIN_AFFINITY_UNSET) {
        b->preference = pin_preference_find(b->facts, b->viewer);
    }
    b->preference.viewer_id = b->viewer.cluster_id;
    if (!make_parts(steer, plan, b) || !settle_standby(steer, plan, b)) {
        plan->is_out_of_memory = true;
        return;
    }
    pin_prefer(steer, b->facts->unit, &b->preference, b->parts, b->facts->n_contributions);
    if (add_import_ips(steer, plan, b)) {
        return;
    }
    const struct pin_contribution *narrowed = narrow(steer, plan, b);
    for (size_t i = 0; i < b->facts->n_contributions; i++) {
        bool is_whole =
            narrowed == NULL || narrowed[i].since == NULL || b->parts[i].excluded != NULL;
        add_contribution(
            steer, plan, b, is_whole ? &b->facts->contributions[i] : &narrowed[i], &b->parts[i]);
    }
}

struct pin_plan pin_steer_service(const struct pin_steer *steer, const struct pin_facts *facts,
    struct pin_viewer viewer, enum pin_family_i family_i)
{
    struct pin_plan plan = {.family_i = family_i};
    struct backend b = {
        .facts = facts, .viewer = viewer, .kind = "Service", .weight = PIN_WEIGHT_UNSET};
    uint32_t weight = 1;
    plan.rule = facts->is_mcs ? "exported to the clusterset (ServiceExport or ServiceImport)"
                              : "global service (service.cilium.io/global)";
    plan_clusterset(steer, &plan, &b);
    pin_steer_finish(steer, &plan, &weight, 1);
    return plan;
}

struct pin_plan pin_steer_cluster_zone(
    const struct pin_steer *steer, const struct pin_contribution *c, enum pin_family_i family_i)
{
    struct pin_plan plan = {.family_i = family_i, .rule = "the Service in its own cluster's zone"};
    struct pin_address_want want = {.backend_i = 0};
    uint32_t weight = 1;
    pin_steer_own_addresses(steer, &plan, c, &want);
    if (want.is_used) {
        note_shown(steer, &plan, c);
    }
    pin_steer_finish(steer, &plan, &weight, 1);
    return plan;
}

/* --- a route
 * -------------------------------------------------------------------------------------- */

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
    (void)add_row(steer, plan,
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
    struct pin_route_unit *route, const struct pin_backend_ref *ref, struct backend *b)
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
        prefers_zone ? narrow_parts(steer, plan, &c, 1, b) : NULL;
    add_contribution(steer, plan, b, b->is_narrowed ? narrowed : c, NULL);
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
    struct pin_plan *plan, const struct aws_part *parts, size_t n, struct backend *b)
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
    return narrow_parts(steer, plan, all, n, b);
}

/* Adds every admitted cluster's part. A weight on one of them makes the others count 1. */
static size_t plan_aws_exports(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_service_unit *unit,
    const struct pin_aws_import_body *import, struct backend *b)
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
                && cluster_weight(steer, b, parts[n].contribution) != PIN_WEIGHT_UNSET);
        n++;
    }
    const struct pin_part elsewhere = {.excluded = OTHER_ZONE};
    const struct pin_contribution *narrowed = narrow_aws_parts(steer, plan, parts, n, b);
    for (size_t i = 0; i < n; i++) {
        const struct pin_contribution *c = parts[i].contribution;
        bool is_elsewhere = narrowed != NULL && c != NULL && pin_contribution_ready(c) > 0
                            && pin_contribution_ready(&narrowed[i]) == 0;
        b->facts = parts[i].facts;
        b->aws_export = parts[i].export_;
        if (c != NULL) {
            add_contribution(steer, plan, b, narrowed != NULL && !is_elsewhere ? &narrowed[i] : c,
                is_elsewhere ? &elsewhere : NULL);
        }
    }
    return n;
}

/* A ServiceImport of application-networking.k8s.aws: every cluster's export of that name. */
static void plan_aws_ref(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_backend_ref *ref, struct backend *b)
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
    struct pin_route_unit *route, const struct pin_backend_ref *ref, struct backend *b)
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
            plan_clusterset(steer, plan, b);
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
        (void)add_row(steer, plan,
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

static void plan_weighted(const struct pin_steer *steer, struct pin_plan *plan,
    struct pin_route_unit *route, const struct pin_route_rule *rule, struct pin_viewer viewer,
    bool is_zero)
{
    for (size_t i = 0; i < rule->n_backends; i++) {
        const struct pin_backend_ref *ref = &rule->backends[i];
        if ((ref->weight == 0) != is_zero) {
            continue;
        }
        struct backend b = {.viewer = viewer,
            .backend_i = (uint32_t)i,
            .preference =
                pin_preference_of(route->object, pin_hash64(route->key, strlen(route->key))),
            .kind = ref->kind_text,
            .weight = ref->weight,
            .ref = ref};
        plan_ref(steer, plan, route, ref, &b);
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
        if (rule->backends[i].weight == 0) {
            add_missing(
                steer, plan, &rule->backends[i], PIN_CLUSTER_NONE, PIN_FAULT_NONE, "weight 0");
        }
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
