/* SPDX-License-Identifier: Apache-2.0 */

/* Findings at services that are shared: exports, imports, endpoints, ports. */

#include <stdio.h>
#include <string.h>

#include "zones/analyze.h"
#include "zones/exports.h"
#include "zones/steer_address.h"
#include "zones/steer_backend.h"

/* --- exports and imports -------------------------------------------------------------------- */

static void look_at_export(struct pin_analyzer *a, const struct pin_member *member,
    const struct pin_object *exporter, const struct pin_object *service, const char *name)
{
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_EXPORT_NO_SERVICE, member->cluster_id, exporter);
    if (service == NULL) {
        pin_analysis_add(a->to, &finding, "cluster %s has no Service %s/%s to export",
            finding.cluster, exporter->namespace_name, name);
    } else if (service->as.service.external_name != NULL) {
        finding.id = PIN_FINDING_EXPORT_ALIAS;
        pin_analysis_add(a->to, &finding,
            "Service %s/%s is of type ExternalName, it has no endpoint", exporter->namespace_name,
            name);
    }
}

/* The Service that an AWS export names; its own name's where it names none. */
static const struct pin_object *find_exported(
    const struct pin_analyzer *a, const struct pin_member *member, const char **ret_name)
{
    const struct pin_object *exporter = member->aws_export;
    const char *service = exporter->as.aws_export.service;
    *ret_name = service != NULL ? service : exporter->name;
    return pin_catalog_find(
        a->catalog, member->cluster_id, PIN_KIND_SERVICE, exporter->namespace_name, *ret_name);
}

static void look_at_aws_export(struct pin_analyzer *a, const struct pin_member *member)
{
    const char *name = NULL;
    const struct pin_object *service = find_exported(a, member, &name);
    const struct pin_aws_export_body *body = &member->aws_export->as.aws_export;
    look_at_export(a, member, member->aws_export, service, name);
    for (size_t i = 0; service != NULL && i < body->n_ports; i++) {
        bool is_there = false;
        for (size_t p = 0; p < service->as.service.n_ports; p++) {
            is_there = is_there || service->as.service.ports[p].port == body->ports[i];
        }
        if (!is_there) {
            char about[32];
            (void)snprintf(about, sizeof(about), "port %u", body->ports[i]);
            struct pin_finding finding =
                pin_analyze_about(a, PIN_FINDING_NO_PORT, member->cluster_id, member->aws_export);
            finding.about = about;
            pin_analysis_add(a->to, &finding,
                "it exports port %u, which Service %s/%s does not have", body->ports[i],
                service->namespace_name, service->name);
        }
    }
}

/* An import that others wrote: somebody must stand behind it. */
static void look_at_import(
    struct pin_analyzer *a, const struct pin_member *member, const struct pin_facts *facts)
{
    const struct pin_object *import = member->import;
    bool is_ours = import->written != NULL && import->written->applied != 0;
    bool has_any = import->as.import.n_ips > 0;
    for (size_t i = 0; i < facts->n_contributions; i++) {
        has_any =
            has_any || facts->contributions[i].is_exported || facts->contributions[i].is_imported;
    }
    if (!is_ours && !has_any && pin_analyze_knows_others(a)
        && !pin_exports_are_partial(a->catalog)) {
        struct pin_finding finding =
            pin_analyze_about(a, PIN_FINDING_IMPORT_NO_EXPORT, member->cluster_id, import);
        pin_analysis_add(a->to, &finding,
            "no cluster exports %s/%s, no slice was imported, and spec.ips is empty",
            import->namespace_name, import->name);
    }
}

static void look_at_conflicts(struct pin_analyzer *a, const struct pin_service_unit *unit)
{
    struct pin_exports exports;
    pin_exports_collect(a->catalog, unit, &exports);
    if (exports.conflicts == 0) {
        return;
    }
    const struct pin_member *oldest = exports.members[0];
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_EXPORTS_DIFFER, oldest->cluster_id, oldest->export_);
    char what[64];
    (void)snprintf(what, sizeof(what), "%s%s%s",
        (exports.conflicts & PIN_CONFLICT_PORTS) != 0 ? ", ports" : "",
        (exports.conflicts & PIN_CONFLICT_TYPE) != 0 ? ", type" : "",
        (exports.conflicts & PIN_CONFLICT_AFFINITY) != 0 ? ", sessionAffinity" : "");
    pin_analysis_add(a->to, &finding,
        "the Services that %zu clusters export differ in %s; that of cluster %s is the oldest",
        exports.n_members, what + 2, finding.cluster);
}

/* Weights of the clusters that share it: all of them 0, and not by the configuration alone. */
static void look_at_weights(struct pin_analyzer *a, const struct pin_facts *facts,
    const struct pin_object *about, uint16_t cluster_id)
{
    const struct pin_viewer nobody = {.cluster_id = PIN_CLUSTER_NONE};
    const struct pin_steer steer = {.catalog = a->catalog, .settings = a->catalog->settings};
    const struct pin_backend_plan plan = {.facts = facts, .viewer = nobody};
    bool is_said = false;
    size_t n = 0;
    for (size_t i = 0; i < facts->n_contributions; i++) {
        const struct pin_contribution *c = &facts->contributions[i];
        if (pin_steer_excluded(facts, c, nobody, NULL) != NULL) {
            continue;
        }
        if (pin_steer_cluster_weight(&steer, &plan, c) != 0) {
            return;
        }
        is_said = is_said || (c->service != NULL && c->service->steering->weight == 0);
        n++;
    }
    if (is_said && pin_analyze_knows_others(a) && !pin_exports_are_partial(a->catalog)) {
        struct pin_finding finding = pin_analyze_about(a, PIN_FINDING_ALL_ZERO, cluster_id, about);
        pin_analysis_add(a->to, &finding, "its weight is 0 in %s: %s",
            n == 1 ? "the only cluster that shares it" : "all clusters that share it",
            a->catalog->settings->is_zero_weight_standby ? "it is shown in standby only"
                                                         : "the name has no address");
    }
}

/* --- endpoints and ports -------------------------------------------------------------------- */

/* Whether an endpoint of the member has a port for the Service's: slices name it as the Service
 * does. True where nothing is known. */
static bool has_target(const struct pin_member *member, const struct pin_port *port)
{
    const struct pin_object *const *slices = pin_member_slices(member);
    bool has_endpoint = false;
    for (uint32_t i = 0; i < member->n_slices; i++) {
        const struct pin_slice_body *slice = &slices[i]->as.slice;
        has_endpoint = has_endpoint || slice->n_endpoints > 0;
        for (size_t p = 0; p < slice->n_ports; p++) {
            const char *x = slice->ports[p].name;
            const char *y = port->name;
            bool is_same = x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
            if (is_same && slice->ports[p].protocol == port->protocol) {
                return true;
            }
        }
    }
    return !has_endpoint;
}

static void look_at_targets(
    struct pin_analyzer *a, const struct pin_member *member, const struct pin_object *service)
{
    const struct pin_service_body *body = &service->as.service;
    for (size_t i = 0; i < body->n_ports; i++) {
        const struct pin_port *port = &body->ports[i];
        if (has_target(member, port)) {
            continue;
        }
        char about[96];
        (void)snprintf(about, sizeof(about), "port %u", port->port);
        struct pin_finding finding =
            pin_analyze_about(a, PIN_FINDING_NO_TARGET_PORT, member->cluster_id, service);
        finding.about = about;
        pin_analysis_add(a->to, &finding,
            "none of its EndpointSlices has a port %s%s for port %u (targetPort %s)",
            port->name != NULL ? "named " : "without a name", port->name != NULL ? port->name : "",
            port->port, port->target_name != NULL ? port->target_name : "by number");
    }
}

/* Endpoints of a Service that its cluster shares. */
static void look_at_endpoints(struct pin_analyzer *a, const struct pin_member *member,
    const struct pin_object *service, const struct pin_contribution *c)
{
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_NO_SLICE, member->cluster_id, service);
    if (c->is_dropped || c->drain != NULL || !pin_analyze_knows_state(a, member->cluster_id)) {
        return; /* that was wanted, or is the cluster's finding, or nobody knows */
    }
    if (member->n_slices == 0) {
        pin_analysis_add(a->to, &finding,
            "no EndpointSlice names it: a Service without selector needs one that somebody writes");
    } else if (c->n_total == 0) {
        finding.id = PIN_FINDING_NO_ENDPOINT;
        pin_analysis_add(
            a->to, &finding, "its EndpointSlices are empty: its selector matches no Pod");
    } else if (pin_contribution_ready(c) == 0) {
        finding.id = PIN_FINDING_NOT_READY;
        pin_analysis_add(a->to, &finding, "none of its %u endpoints is ready", c->n_total);
    }
    look_at_targets(a, member, service);
}

/* What askers see of the name: ports that differ, networks without a way in. */
static void look_at_plans(struct pin_analyzer *a, const struct pin_service_unit *unit,
    const struct pin_object *about, uint16_t cluster_id)
{
    bool is_told = false;
    for (size_t v = 0; v < a->n_viewers; v++) {
        struct pin_steer steer = pin_analyze_steer(a);
        const struct pin_facts *facts = pin_merge_facts(steer.settings, unit, steer.arena);
        if (facts == NULL || !facts->exists) {
            return;
        }
        struct pin_plan plan = pin_steer_service(&steer, facts, a->viewers[v], PIN_FAMILY_V4);
        pin_analyze_reach(a, &plan, unit->key);
        if (plan.has_port_mismatch && !is_told) {
            struct pin_finding finding =
                pin_analyze_about(a, PIN_FINDING_PORTS_DIFFER, cluster_id, about);
            pin_analysis_add(a->to, &finding,
                "askers in cluster %s see endpoints whose ports differ from the Service's",
                a->catalog->settings->clusters[a->viewers[v].cluster_id].name);
            is_told = true;
        }
    }
}

/* --- the walk ------------------------------------------------------------------------------- */

static bool is_shared(const struct pin_member *member)
{
    return member->export_ != NULL || member->aws_export != NULL || member->import != NULL
           || (member->service != NULL && member->service->steering->is_global);
}

/* What one cluster says of a name that it shares, or draws on. */
static void look_at_member(
    struct pin_analyzer *a, const struct pin_member *member, const struct pin_facts *facts)
{
    const struct pin_contribution *c = pin_facts_own(facts, member->cluster_id);
    bool is_source = member->export_ != NULL || member->aws_export != NULL
                     || (member->service != NULL && member->service->steering->is_global);
    if (member->export_ != NULL) {
        look_at_export(a, member, member->export_, member->service, member->export_->name);
    }
    if (member->aws_export != NULL) {
        look_at_aws_export(a, member);
    }
    if (member->import != NULL) {
        look_at_import(a, member, facts);
    }
    if (is_source && c != NULL && member->service != NULL) {
        look_at_endpoints(a, member, member->service, c);
    }
}

void pin_analyze_service(struct pin_analyzer *a, const struct pin_service_unit *unit)
{
    const struct pin_object *about = NULL;
    uint16_t cluster_id = 0;
    bool is_any = false;
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        is_any = is_any || is_shared(member);
        if (about == NULL && member->service != NULL && is_shared(member)) {
            about = member->service;
            cluster_id = member->cluster_id;
        }
    }
    if (!is_any) {
        return;
    }
    struct pin_steer steer = pin_analyze_steer(a);
    const struct pin_facts *facts = pin_merge_facts(steer.settings, unit, steer.arena);
    if (facts == NULL) {
        a->to->is_out_of_memory = true;
        return;
    }
    for (size_t i = 0; i < unit->n_members; i++) {
        if (is_shared(&unit->members[i])) {
            look_at_member(a, &unit->members[i], facts);
        }
    }
    look_at_conflicts(a, unit);
    if (about != NULL) {
        look_at_weights(a, facts, about, cluster_id);
        look_at_plans(a, unit, about, cluster_id);
    }
}

void pin_analyze_services(struct pin_analyzer *a)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&a->catalog->services, &cursor, NULL, NULL, &value)) {
        pin_analyze_service(a, value);
    }
}
