/* SPDX-License-Identifier: Apache-2.0 */

/* Findings at routes and DNSEndpoints: backends, Gateways, hostnames. */

#include <stdio.h>
#include <string.h>

#include "zones/analyze.h"
#include "zones/attach.h"

/* --- backends ------------------------------------------------------------------------------- */

/* What a row's fault is called. PIN_FINDING_MAX: nothing that is told here. */
static enum pin_finding_id finding_of(enum pin_fault fault)
{
    switch (fault) {
    case PIN_FAULT_NO_SERVICE:
        return PIN_FINDING_NO_SERVICE;
    case PIN_FAULT_NO_IMPORT:
        return PIN_FINDING_NO_IMPORT;
    case PIN_FAULT_NO_EXPORT:
        return PIN_FINDING_NO_EXPORT;
    case PIN_FAULT_NOT_PERMITTED:
        return PIN_FINDING_NOT_PERMITTED;
    case PIN_FAULT_OTHER_KIND:
    case PIN_FAULT_EXTERNAL_NAME:
        return PIN_FINDING_NO_ADDRESS;
    case PIN_FAULT_NOT_READY:
        return PIN_FINDING_BACKEND_NOT_READY;
    case PIN_FAULT_NONE:
    case PIN_FAULT_UNREACHABLE: /* the network's */
    case PIN_FAULT_NO_GATEWAY:  /* told of every parentRef */
        break;
    }
    return PIN_FINDING_MAX;
}

static void tell_row(
    struct pin_analyzer *a, const struct pin_route_unit *route, const struct pin_backend_row *row)
{
    char about[512];
    const char *cluster = row->cluster_id == PIN_CLUSTER_NONE
                              ? NULL
                              : a->catalog->settings->clusters[row->cluster_id].name;
    bool is_elsewhere = cluster != NULL && row->cluster_id != route->cluster_id;
    enum pin_finding_id id = finding_of(row->fault);
    uint16_t cluster_id = row->cluster_id == PIN_CLUSTER_NONE ? route->cluster_id : row->cluster_id;
    if (id == PIN_FINDING_MAX
        || (row->fault == PIN_FAULT_NOT_READY && !pin_analyze_knows_state(a, cluster_id))
        || (row->fault == PIN_FAULT_NO_EXPORT && !pin_analyze_knows_others(a))) {
        return;
    }
    (void)snprintf(about, sizeof(about), "%s %s/%s%s%s", row->kind, row->namespace_name, row->name,
        is_elsewhere ? " in cluster " : "", is_elsewhere ? cluster : "");
    struct pin_finding finding = pin_analyze_about(a, id, route->cluster_id, route->object);
    finding.about = about;
    if (row->fault == PIN_FAULT_NOT_READY && row->n_total == 0) {
        pin_analysis_add(a->to, &finding,
            "backend %s has no endpoint: its selector matches no Pod, or nobody wrote a slice",
            about);
    } else if (row->fault == PIN_FAULT_NOT_READY) {
        pin_analysis_add(
            a->to, &finding, "backend %s: none of its %u endpoints is ready", about, row->n_total);
    } else {
        pin_analysis_add(a->to, &finding, "backend %s: %s", about, row->reason);
    }
}

/* A port in a backendRef that the Service of the route's cluster does not have. */
static void look_at_port(
    struct pin_analyzer *a, const struct pin_route_unit *route, const struct pin_backend_ref *ref)
{
    char about[512];
    const struct pin_service_unit *unit =
        pin_unit_find_service(a->catalog, ref->namespace_name, ref->name);
    const struct pin_member *member =
        unit != NULL ? pin_unit_member(unit, route->cluster_id) : NULL;
    if (ref->kind != PIN_BACKEND_SERVICE || ref->port == 0 || member == NULL
        || member->service == NULL || member->service->as.service.external_name != NULL) {
        return;
    }
    const struct pin_service_body *body = &member->service->as.service;
    for (size_t i = 0; i < body->n_ports; i++) {
        if (body->ports[i].port == ref->port) {
            return;
        }
    }
    (void)snprintf(
        about, sizeof(about), "Service %s/%s port %u", ref->namespace_name, ref->name, ref->port);
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_NO_PORT, route->cluster_id, route->object);
    finding.about = about;
    pin_analysis_add(a->to, &finding,
        "backend Service %s/%s has no port %u: all its ports are shown instead",
        ref->namespace_name, ref->name, ref->port);
}

static void look_at_weights(
    struct pin_analyzer *a, const struct pin_route_unit *route, const struct pin_route_rule *rule)
{
    uint32_t all = 0;
    for (size_t i = 0; i < rule->n_backends; i++) {
        all |= rule->backends[i].weight;
        look_at_port(a, route, &rule->backends[i]);
    }
    if (rule->n_backends == 0) {
        struct pin_finding finding =
            pin_analyze_about(a, PIN_FINDING_NO_BACKEND, route->cluster_id, route->object);
        pin_analysis_add(a->to, &finding,
            "the rule that decides its name has no backendRefs: the name has no address");
    } else if (all == 0) {
        struct pin_finding finding =
            pin_analyze_about(a, PIN_FINDING_ALL_ZERO, route->cluster_id, route->object);
        pin_analysis_add(a->to, &finding, "all %zu backends have weight 0: %s", rule->n_backends,
            a->catalog->settings->is_zero_weight_standby ? "they are shown in standby only"
                                                         : "the name has no address");
    }
}

static void look_at_backends(struct pin_analyzer *a, struct pin_route_unit *route)
{
    const struct pin_settings *settings = a->catalog->settings;
    struct pin_viewer own = {
        .cluster_id = route->cluster_id, .network = settings->clusters[route->cluster_id].network};
    struct pin_steer steer = pin_analyze_steer(a);
    struct pin_plan plan = pin_steer_route(&steer, route, own, PIN_FAMILY_V4);
    const struct pin_route_rule *rule = pin_route_rule(route->object);
    if (rule != NULL) {
        look_at_weights(a, route, rule);
    }
    for (size_t i = 0; i < plan.n_rows; i++) {
        tell_row(a, route, &plan.rows[i]);
    }
    if (rule == NULL && route->object->as.route.n_rules > 0 && plan.n_shares == 0
        && pin_analyze_knows_state(a, route->cluster_id)
        && pin_steer_route(&steer, route, own, PIN_FAMILY_V6).n_shares == 0) {
        struct pin_finding finding =
            pin_analyze_about(a, PIN_FINDING_GATEWAY_NO_ADDRESS, route->cluster_id, route->object);
        pin_analysis_add(a->to, &finding,
            "every rule matches paths, headers or methods, and no Gateway of its has an address");
    }
    for (size_t v = 0; v < a->n_viewers; v++) {
        steer = pin_analyze_steer(a);
        plan = pin_steer_route(&steer, route, a->viewers[v], PIN_FAMILY_V4);
        pin_analyze_reach(a, &plan, route->key);
    }
}

/* --- Gateways ------------------------------------------------------------------------------- */

static void look_at_parent(
    struct pin_analyzer *a, const struct pin_route_unit *route, const struct pin_parent_ref *ref)
{
    static const char *const faults[] = {
        [PIN_ATTACH_NO_PARENT] = "has no listener of that sectionName or port",
        [PIN_ATTACH_NOT_ALLOWED] = "has no listener whose allowedRoutes take it",
        [PIN_ATTACH_NO_HOSTNAME] = "has no listener with a hostname in common",
    };
    char about[512];
    const struct pin_object *gateway = pin_catalog_find(
        a->catalog, route->cluster_id, PIN_KIND_GATEWAY, ref->namespace_name, ref->name);
    (void)snprintf(about, sizeof(about), "Gateway %s/%s%s%s", ref->namespace_name, ref->name,
        ref->section != NULL ? " listener " : "", ref->section != NULL ? ref->section : "");
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_NO_GATEWAY, route->cluster_id, route->object);
    finding.about = about;
    if (gateway == NULL) {
        pin_analysis_add(a->to, &finding, "%s does not exist", about);
        return;
    }
    enum pin_attach attach =
        pin_attach_route(a->catalog, route->cluster_id, gateway, route->object, ref);
    if (attach != PIN_ATTACH_OK) {
        finding.id = PIN_FINDING_NOT_ACCEPTED;
        pin_analysis_add(a->to, &finding, "%s %s", about, faults[attach]);
    }
}

/* --- hostnames ------------------------------------------------------------------------------ */

/* Whether some entry of `records` writes names of that zone. */
static bool is_written_outside(const struct pin_settings *settings, const struct pin_name *name)
{
    struct pin_name zone;
    for (size_t i = 0; i < settings->n_records; i++) {
        for (size_t z = 0; z < settings->records[i].n_zones; z++) {
            if (pin_name_parse(settings->records[i].zones[z], &zone) == PIN_OK
                && pin_name_is_below(name, &zone)) {
                return true;
            }
        }
    }
    return false;
}

static void tell_owner(struct pin_analyzer *a, const struct pin_route_unit *route,
    const struct pin_host_unit *host, const char *text)
{
    bool is_record = route->object->kind == PIN_KIND_DNS_ENDPOINT;
    const struct pin_route_unit *owner = pin_host_owner(host);
    struct pin_finding finding =
        pin_analyze_about(a, PIN_FINDING_HOST_STATIC, route->cluster_id, route->object);
    finding.about = text;
    if (host->is_static) {
        pin_analysis_add(a->to, &finding, "%s %s is %s, which goes first",
            is_record ? "record" : "hostname", text,
            host->zone->is_static ? "in the zone's file" : "a name server of the zone");
    } else if (owner != NULL && owner != route) {
        finding.id = PIN_FINDING_HOST_TAKEN;
        pin_analysis_add(a->to, &finding, "%s %s belongs to %s, which claims it too and goes first",
            is_record ? "record" : "hostname", text, owner->key);
    }
}

static void look_at_name(
    struct pin_analyzer *a, const struct pin_route_unit *route, const char *text)
{
    bool is_record = route->object->kind == PIN_KIND_DNS_ENDPOINT;
    struct pin_name name;
    struct pin_finding finding =
        pin_analyze_about(a, is_record ? PIN_FINDING_RECORD_OUTSIDE : PIN_FINDING_HOST_OUTSIDE,
            route->cluster_id, route->object);
    finding.about = text;
    if (pin_name_parse(text, &name) != PIN_OK) {
        pin_analysis_add(a->to, &finding, "\"%s\" is no DNS name", text);
        return;
    }
    const struct pin_host_unit *host = pin_map_find(&a->catalog->hosts, name.wire, name.bytes);
    if (host != NULL) {
        tell_owner(a, route, host, text);
        return;
    }
    if (!is_written_outside(a->catalog->settings, &name)) {
        pin_analysis_add(a->to, &finding, "%s %s lies in none of zones.custom%s",
            is_record ? "record" : "hostname", text,
            a->catalog->settings->n_zones_custom == 0 ? ", which is empty" : "");
    }
}

/* --- DNSEndpoints --------------------------------------------------------------------------- */

static void look_at_records(struct pin_analyzer *a, const struct pin_route_unit *unit)
{
    const struct pin_records_body *body = &unit->object->as.records;
    for (size_t i = 0; i < body->n_records; i++) {
        bool is_again = false;
        for (size_t j = 0; j < i && !is_again; j++) {
            is_again = strcmp(body->records[j].name, body->records[i].name) == 0;
        }
        if (!is_again) {
            look_at_name(a, unit, body->records[i].name);
        }
    }
    for (size_t i = 0; i < unit->n_hosts; i++) {
        struct pin_text faults = {0};
        if (pin_host_owner(unit->hosts[i]) == unit) {
            pin_records_faults(a->catalog, unit->hosts[i], unit, &faults);
        }
        struct pin_finding finding =
            pin_analyze_about(a, PIN_FINDING_RECORD_REFUSED, unit->cluster_id, unit->object);
        for (const char *at = pin_text_get(&faults); *at != '\0';) {
            int bytes = (int)strcspn(at, "\n");
            pin_analysis_add(a->to, &finding, "%.*s", bytes, at);
            at += bytes + (at[bytes] == '\n');
        }
        pin_text_done(&faults);
    }
}

void pin_analyze_route(struct pin_analyzer *a, struct pin_route_unit *route)
{
    const struct pin_route_body *body = &route->object->as.route;
    look_at_backends(a, route);
    for (size_t i = 0; i < body->n_parents; i++) {
        look_at_parent(a, route, &body->parents[i]);
    }
    for (size_t i = 0; i < body->n_hostnames; i++) {
        look_at_name(a, route, body->hostnames[i]);
    }
}

void pin_analyze_routes(struct pin_analyzer *a)
{
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&a->catalog->routes, &cursor, NULL, NULL, &value)) {
        struct pin_route_unit *route = value;
        if (route->object != NULL && !route->is_gone) {
            pin_analyze_route(a, route);
        }
    }
    cursor = 0;
    while (pin_map_next(&a->catalog->records, &cursor, NULL, NULL, &value)) {
        const struct pin_route_unit *unit = value;
        if (unit->object != NULL) {
            look_at_records(a, unit);
        }
    }
}
