/* SPDX-License-Identifier: Apache-2.0 */

/* Which addresses a viewer is shown, with which weights, and why. */

#include "zones/steer.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "zones/checks.h"
#include "zones/drains.h"
#include "zones/prefer.h"
#include "zones/prefer_zone.h"
#include "zones/steer_address.h"
#include "zones/steer_backend.h"

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

void pin_steer_add_row(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_backend_row *row)
{
    plan->rows =
        pin_steer_grow(steer, plan->rows, plan->n_rows, &plan->cap_rows, sizeof(*plan->rows));
    if (plan->rows == NULL) {
        plan->n_rows = 0;
        plan->cap_rows = 0;
        return;
    }
    plan->rows[plan->n_rows++] = *row;
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

uint32_t pin_steer_cluster_weight(const struct pin_steer *steer, const struct pin_backend_plan *b,
    const struct pin_contribution *c)
{
    const struct pin_object *objects[] = {c->service, b->aws_export, c->since};
    for (size_t i = 0; i < N_ELEMS(objects); i++) {
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
static bool needs_count(const struct pin_steer *steer, const struct pin_backend_plan *b)
{
    return b->preference.affinity > PIN_AFFINITY_NONE || steer->settings->is_zero_weight_standby;
}

/* What affinity has to know of each contribution. False when memory is out. */
static bool make_parts(
    const struct pin_steer *steer, struct pin_plan *plan, struct pin_backend_plan *b)
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
        uint32_t weight = pin_steer_cluster_weight(steer, b, c);
        b->has_cluster_weight = b->has_cluster_weight || weight != PIN_WEIGHT_UNSET;
        b->has_weightless = b->has_weightless || weight == 0;
        if ((weight != 0) != b->is_standby) { /* 0: drained */
            part->n_ready = ready_of(steer, plan, c);
            part->n_known = pin_contribution_known(c);
        }
        b->n_ready += part->n_ready;
        part->is_cut_off = !pin_steer_has_way(steer, c, b->viewer);
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
static const char *why_unused(const struct pin_steer *steer, const struct pin_backend_plan *b,
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
static void add_used(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_backend_plan *b, const struct pin_contribution *c, struct pin_backend_row *row)
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

void pin_steer_add_contribution(const struct pin_steer *steer, struct pin_plan *plan,
    const struct pin_backend_plan *b, const struct pin_contribution *c, const struct pin_part *part)
{
    const char *excluded = part != NULL ? part->excluded : NULL;
    uint32_t weight = pin_steer_cluster_weight(steer, b, c);
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
    pin_steer_add_row(steer, plan, &row);
}

const struct pin_contribution *pin_steer_narrow_parts(const struct pin_steer *steer,
    struct pin_plan *plan, const struct pin_contribution *const *parts, size_t n,
    struct pin_backend_plan *b)
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
    const struct pin_steer *steer, struct pin_plan *plan, struct pin_backend_plan *b)
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
        parts != NULL ? pin_steer_narrow_parts(steer, plan, parts, n, b) : NULL;
    for (size_t i = 0; narrowed != NULL && i < n; i++) {
        if (parts[i] != NULL && pin_contribution_ready(&narrowed[i]) == 0) {
            b->parts[i].excluded = PIN_STEER_OTHER_ZONE;
        }
    }
    return narrowed;
}

/* An import's own addresses stand for all its endpoints (KEP-1645: spec.ips). */
static bool add_import_ips(
    const struct pin_steer *steer, struct pin_plan *plan, const struct pin_backend_plan *b)
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
    pin_steer_add_row(steer, plan,
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
static bool settle_standby(
    const struct pin_steer *steer, struct pin_plan *plan, struct pin_backend_plan *b)
{
    if (b->n_up > 0 || !b->has_weightless || !steer->settings->is_zero_weight_standby) {
        return true;
    }
    struct pin_backend_plan standby = *b;
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

void pin_steer_clusterset(
    const struct pin_steer *steer, struct pin_plan *plan, struct pin_backend_plan *b)
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
        pin_steer_add_contribution(
            steer, plan, b, is_whole ? &b->facts->contributions[i] : &narrowed[i], &b->parts[i]);
    }
}

struct pin_plan pin_steer_service(const struct pin_steer *steer, const struct pin_facts *facts,
    struct pin_viewer viewer, enum pin_family_i family_i)
{
    struct pin_plan plan = {.family_i = family_i};
    struct pin_backend_plan b = {
        .facts = facts, .viewer = viewer, .kind = "Service", .weight = PIN_WEIGHT_UNSET};
    uint32_t weight = 1;
    plan.rule = facts->is_mcs ? "exported to the clusterset (ServiceExport or ServiceImport)"
                              : "global service (service.cilium.io/global)";
    pin_steer_clusterset(steer, &plan, &b);
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
