/* SPDX-License-Identifier: Apache-2.0 */

/* What each kind of object claims: its names, and where they lead. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/slice.h"

#include "zones/attach.h"
#include "zones/checks.h"
#include "zones/claims_catalog.h"
#include "zones/drains.h"
#include "zones/stale.h"

/* Addresses of endpoints that a headless Service gives. */
#define ENDPOINTS_MAX 256u
/* "cluster/kind/namespace/name" */
#define KEY_BYTES 1024

/* One object on its way. */
struct maker {
    struct pin_claims_walk *walk;
    struct pin_arena *arena; /* the walk's, of this object */
    uint16_t cluster_id;
    const struct pin_object *object;
    struct pin_claim_object claim;
    struct pin_claim_notes notes;
    const char **hostnames; /* the claim's, while they are collected */
    struct pin_ip *ips;     /* likewise */
    const char **hosts;     /* likewise */
    const char **names;     /* a route's own */
    size_t n_names;
    const char **pods; /* by address of a headless Service: what its pod is called, or NULL */
    bool is_unwell;
};

/* What pin_map values of listeners point at. */
static char free_hostname;
static char taken_hostname;

static const char *const kind_words[PIN_KIND_MAX] = {
    [PIN_KIND_SERVICE] = "service",
    [PIN_KIND_INGRESS] = "ingress",
    [PIN_KIND_GATEWAY] = "gateway",
    [PIN_KIND_HTTP_ROUTE] = "httproute",
    [PIN_KIND_GRPC_ROUTE] = "grpcroute",
    [PIN_KIND_TCP_ROUTE] = "tcproute",
    [PIN_KIND_TLS_ROUTE] = "tlsroute",
    [PIN_KIND_DNS_ENDPOINT] = "crd",
};

const char *pin_claims_word(enum pin_kind kind)
{
    return kind_words[kind];
}

enum pin_kind pin_claims_kind(const char *word)
{
    int kind = 0;
    while (
        kind < PIN_KIND_MAX && (kind_words[kind] == NULL || strcmp(kind_words[kind], word) != 0)) {
        kind++;
    }
    return (enum pin_kind)kind;
}

static bool read_notes(struct maker *self)
{
    const struct pin_written *written = self->object->written;
    const struct pin_asks *asks = written != NULL ? written->asks : NULL;
    if (!pin_claim_notes_read(self->arena, asks != NULL ? asks->notes : NULL,
            asks != NULL ? asks->n_notes : 0, &self->notes)) {
        self->walk->has_failed = true;
        return false;
    }
    return !self->notes.is_foreign;
}

/* Counts the object, and keeps the first of those counted: "cluster/namespace/name". */
static void note(struct maker *self, size_t *n, const char **first)
{
    struct pin_claims_walk *walk = self->walk;
    char key[KEY_BYTES];
    (void)snprintf(key, sizeof(key), "%s/%s/%s",
        walk->catalog->settings->clusters[self->cluster_id].name, self->object->namespace_name,
        self->object->name);
    (*n)++;
    if (*first == NULL || strcmp(key, *first) < 0) {
        *first = pin_arena_strdup(walk->arena, key);
    }
}

static void make(struct maker *self)
{
    struct pin_claims claims;
    self->claim.hostnames = self->hostnames;
    self->claim.ips = self->ips;
    self->claim.hosts = self->hosts;
    if (self->walk->has_failed
        || !pin_claims_make(self->arena, &self->claim, &self->notes, &claims)) {
        self->walk->has_failed = true;
        return;
    }
    if (claims.is_oversized) {
        note(self, &self->walk->n_oversized, &self->walk->oversized);
    }
    pin_claims_add(self->walk, &claims, self->is_unwell);
}

/* Room for so many; the arrays are filled up to there. */
static void make_room(struct maker *self, size_t n_hostnames, size_t n_ips, size_t n_hosts)
{
    self->hostnames = pin_arena_alloc(self->arena, (n_hostnames + 1) * sizeof(*self->hostnames));
    self->ips = pin_arena_alloc(self->arena, (n_ips + 1) * sizeof(*self->ips));
    self->hosts = pin_arena_alloc(self->arena, (n_hosts + 1) * sizeof(*self->hosts));
    self->walk->has_failed = self->walk->has_failed || self->hostnames == NULL || self->ips == NULL
                             || self->hosts == NULL;
}

static void add_hostname(struct maker *self, const char *hostname)
{
    self->hostnames[self->claim.n_hostnames++] = hostname;
}

static void add_ips(struct maker *self, const struct pin_ip *ips, size_t n_ips)
{
    for (size_t i = 0; i < n_ips; i++) {
        self->ips[self->claim.n_ips++] = ips[i];
    }
}

static void add_hosts(struct maker *self, const char *const *hosts, size_t n_hosts)
{
    for (size_t i = 0; i < n_hosts; i++) {
        self->hosts[self->claim.n_hosts++] = hosts[i];
    }
}

/* Whether the cluster as a whole is drained, or out of reach for too long. */
static bool is_cluster_unwell(struct pin_claims_walk *walk, uint16_t cluster_id)
{
    uint64_t due_ms = pin_stale_drop_ms(walk->catalog, cluster_id);
    if (due_ms > walk->now_ms) {
        walk->due_ms = PIN_MIN(walk->due_ms, due_ms);
    }
    return due_ms <= walk->now_ms || pin_drains_cluster(&walk->catalog->drains, cluster_id) != NULL;
}

/* --- Services -------------------------------------------------------------------------------- */

/* One Service's part of its unit. */
struct backend {
    const struct pin_catalog *catalog;
    const struct pin_service_unit *unit;
    const struct pin_member *member;
    const struct pin_check *check; /* NULL: its addresses are not probed */
};

static struct backend backend_of(const struct pin_catalog *catalog,
    const struct pin_service_unit *unit, const struct pin_member *member)
{
    return (struct backend){.catalog = catalog,
        .unit = unit,
        .member = member,
        .check = pin_checks_member(catalog->settings, unit, member)};
}

static bool is_up(const struct backend *backend, const struct pin_ip *ip, uint16_t port)
{
    const struct pin_health *health = backend->catalog->live.health;
    const struct pin_check *check = backend->check;
    return check == NULL
           || pin_health_is_up(
               health, pin_health_find(health, ip, check->port != 0 ? check->port : port, check));
}

/* The first TCP port of the Service. */
static const struct pin_port *first_port(const struct backend *backend)
{
    const struct pin_service_body *body = &backend->member->service->as.service;
    for (size_t i = 0; i < body->n_ports; i++) {
        if (body->ports[i].protocol == PIN_PROTOCOL_TCP) {
            return &body->ports[i];
        }
    }
    return NULL;
}

/* The port that endpoints of the slice listen on for it; 0: none. */
static uint16_t slice_port(const struct pin_object *slice, const struct pin_port *port)
{
    const struct pin_slice_body *body = &slice->as.slice;
    for (size_t i = 0; i < body->n_ports; i++) {
        const char *name = body->ports[i].name;
        bool is_same = port == NULL || name == port->name
                       || (name != NULL && port->name != NULL && strcmp(name, port->name) == 0);
        if (body->ports[i].protocol == PIN_PROTOCOL_TCP && is_same) {
            return body->ports[i].port;
        }
    }
    return 0;
}

/* A look at the endpoints of a member. */
struct rows {
    const struct pin_object *slice;
    uint16_t port;
    unsigned best;        /* how usable the best one is */
    bool is_any_up;       /* one of these is up */
    struct maker *lister; /* gets the addresses of these; NULL: nobody */
};

/* How usable a row is: 2 ready, 1 still serving, 0 not. */
static unsigned usable(const struct backend *backend, uint8_t flags)
{
    const uint8_t last = PIN_ENDPOINT_SERVING | PIN_ENDPOINT_TERMINATING;
    if (backend->member->service->as.service.publish_not_ready
        || (flags & PIN_ENDPOINT_READY) != 0) {
        return 2;
    }
    return (flags & last) == last ? 1 : 0;
}

static void look_at_row(const struct backend *backend, struct rows *rows, size_t row)
{
    const struct pin_slice_body *body = &rows->slice->as.slice;
    struct maker *lister = rows->lister;
    unsigned how = usable(backend, body->flags[row]);
    if (how == 0 || how < rows->best
        || pin_drains_endpoint(backend->unit->drains, backend->member->cluster_id, rows->slice, row)
               != NULL) {
        return;
    }
    if (how > rows->best && lister != NULL) {
        lister->claim.n_ips = 0;
    }
    if (how > rows->best) {
        rows->best = how;
        rows->is_any_up = false;
    }
    struct pin_ip ip = pin_slice_ip(body, row);
    bool counts = is_up(backend, &ip, rows->port);
    rows->is_any_up = rows->is_any_up || counts;
    if (lister != NULL && counts && lister->claim.n_ips < ENDPOINTS_MAX) {
        lister->pods[lister->claim.n_ips] = pin_slice_hostname(body, row);
        add_ips(lister, &ip, 1);
    }
}

/* Whether an endpoint can be reached, by all we know; where there are no slices at all, nobody
 * tells. The lister (or NULL) gets the addresses of all that can. */
static bool look_at_rows(const struct backend *backend, struct maker *lister)
{
    struct rows rows = {.lister = lister};
    const struct pin_port *port = first_port(backend);
    bool has_slices = false;
    for (size_t i = 0; i < backend->member->n_slices; i++) {
        rows.slice = pin_member_slices(backend->member)[i];
        if (rows.slice->as.slice.import_service != NULL) {
            continue; /* of another cluster */
        }
        has_slices = true;
        rows.port = slice_port(rows.slice, port);
        size_t n_rows = rows.slice->as.slice.n_endpoints;
        for (size_t row = 0; row < n_rows; row++) {
            look_at_row(backend, &rows, row);
            if (lister == NULL && rows.best == 2 && rows.is_any_up) {
                return true;
            }
        }
    }
    return !has_slices || rows.is_any_up;
}

/* Whether its cluster is left out whatever its endpoints say. */
static bool is_out(const struct backend *backend)
{
    const struct pin_service_unit *unit = backend->unit;
    return backend->member->is_dropped
           || pin_drains_member(unit->drains, unit, backend->member->cluster_id) != NULL;
}

static bool has_endpoint(const struct backend *backend)
{
    return backend->member->service->as.service.external_name != NULL
           || look_at_rows(backend, NULL);
}

bool pin_claims_is_well(const struct pin_catalog *catalog, const struct pin_service_unit *unit,
    const struct pin_member *member)
{
    const struct backend backend = backend_of(catalog, unit, member);
    return !is_out(&backend) && has_endpoint(&backend);
}

/* Addresses that probes say are down are left out, unless all are. */
static void add_balancers(
    struct maker *self, const struct backend *backend, const struct pin_ip *ips, size_t n_ips)
{
    const struct pin_port *port = first_port(backend);
    for (size_t i = 0; i < n_ips; i++) {
        if (is_up(backend, &ips[i], port != NULL ? port->port : 0)) {
            add_ips(self, &ips[i], 1);
        }
    }
    if (self->claim.n_ips == 0 && n_ips > 0) {
        add_ips(self, ips, n_ips);
        self->is_unwell = true;
    }
}

/* False: the Service leads nowhere, and will not. */
static bool add_service_targets(struct maker *self, const struct backend *backend)
{
    const struct pin_service_body *body = &self->object->as.service;
    const struct pin_asks *asks = self->object->written->asks;
    struct pin_ip ip;
    if (asks->n_external_ips > 0) {
        add_balancers(self, backend, asks->external_ips, asks->n_external_ips);
        return true;
    }
    if (body->external_name != NULL && pin_ip_parse(body->external_name, &ip)) {
        add_ips(self, &ip, 1);
        return true;
    }
    if (body->external_name != NULL) {
        add_hosts(self, &body->external_name, 1);
        return true;
    }
    if (body->is_headless) {
        (void)look_at_rows(backend, self);
        return true;
    }
    add_balancers(self, backend, body->balancer_ips, body->n_balancer_ips);
    add_hosts(self, body->balancer_hosts, body->n_balancer_hosts);
    return asks->is_balancer;
}

/* "pod.a.example.com,pod.b.example.com" for the Service's names; wildcards have no names below. */
static const char *pod_hostnames(struct maker *self, const char *pod)
{
    const char *list = self->notes.hostnames;
    size_t n = pin_claim_count_items(list);
    size_t bytes = list == NULL ? 1 : strlen(list) + n * (strlen(pod) + 2) + 1;
    char *text = pin_arena_alloc(self->arena, bytes);
    char *at = text;
    while (text != NULL && list != NULL && *list != '\0') {
        const char *name = pin_claim_next_item(self->arena, &list);
        if (name == NULL) {
            text = NULL;
        } else if (*name != '\0' && *name != '*') {
            at += snprintf(at, bytes - (size_t)(at - text), "%s.%s,", pod, name);
        }
    }
    self->walk->has_failed = self->walk->has_failed || text == NULL;
    return text;
}

/* The addresses of one pod under its own name, unless an earlier address was that pod's, too. */
static void claim_pod(struct maker *self, size_t first)
{
    struct maker pod = *self;
    for (size_t i = 0; i < first; i++) {
        if (self->pods[i] != NULL && strcmp(self->pods[i], self->pods[first]) == 0) {
            return;
        }
    }
    make_room(&pod, 0, self->claim.n_ips, 0);
    pod.notes.hostnames = pod_hostnames(self, self->pods[first]);
    pod.notes.internal_hostnames = NULL;
    pod.claim.n_ips = 0;
    for (size_t i = first; !self->walk->has_failed && i < self->claim.n_ips; i++) {
        if (self->pods[i] != NULL && strcmp(self->pods[i], self->pods[first]) == 0) {
            add_ips(&pod, &self->ips[i], 1);
        }
    }
    make(&pod);
}

/* A headless Service's pods have names of their own below it. */
static void claim_pods(struct maker *self)
{
    bool has_pods = self->object->as.service.is_headless && self->notes.targets == NULL
                    && self->object->written->asks->n_external_ips == 0;
    for (size_t i = 0; has_pods && !self->walk->has_failed && i < self->claim.n_ips; i++) {
        if (self->pods[i] != NULL) {
            claim_pod(self, i);
        }
    }
}

static void claim_service(struct maker *self)
{
    const struct pin_catalog *catalog = self->walk->catalog;
    const struct pin_object *object = self->object;
    const struct pin_service_body *body = &object->as.service;
    const struct pin_service_unit *unit =
        pin_unit_find_service(catalog, object->namespace_name, object->name);
    const struct pin_member *member = unit != NULL ? pin_unit_member(unit, self->cluster_id) : NULL;
    if (member == NULL || member->service != object) { /* memory was out: it is tried again */
        self->walk->has_failed = true;
        return;
    }
    if (!read_notes(self)) {
        return;
    }
    const struct backend backend = backend_of(catalog, unit, member);
    size_t n_endpoints = body->is_headless ? ENDPOINTS_MAX : 1;
    make_room(self, 0, n_endpoints + body->n_balancer_ips + object->written->asks->n_external_ips,
        body->n_balancer_hosts + 1);
    self->pods = pin_arena_alloc(self->arena, n_endpoints * sizeof(*self->pods));
    self->walk->has_failed = self->walk->has_failed || self->pods == NULL;
    if (self->walk->has_failed) {
        return;
    }
    bool is_bare =
        !has_endpoint(&backend) && pin_claims_is_bare(self->walk, self->cluster_id, self->object);
    self->is_unwell = is_bare || is_out(&backend);
    if (!add_service_targets(self, &backend) && self->notes.targets == NULL) {
        if (self->notes.hostnames != NULL) { /* a NodePort, or a ClusterIP that is not headless */
            note(self, &self->walk->n_untargeted, &self->walk->untargeted);
        }
        self->notes.hostnames = NULL;
    }
    self->claim.internal_ips = body->is_headless ? self->ips : body->cluster_ips;
    self->claim.n_internal_ips = body->is_headless ? self->claim.n_ips : body->n_cluster_ips;
    make(self);
    claim_pods(self);
}

/* --- Ingresses, DNSEndpoints ----------------------------------------------------------------- */

static void claim_ingress(struct maker *self)
{
    const struct pin_ingress_body *body = &self->object->as.ingress;
    if (!read_notes(self)) {
        return;
    }
    make_room(self, body->n_hostnames, body->n_balancer_ips, body->n_balancer_hosts);
    if (self->walk->has_failed) {
        return;
    }
    for (size_t i = 0; i < body->n_hostnames; i++) {
        add_hostname(self, body->hostnames[i]);
    }
    add_ips(self, body->balancer_ips, body->n_balancer_ips);
    add_hosts(self, body->balancer_hosts, body->n_balancer_hosts);
    make(self);
}

static void claim_records(struct maker *self)
{
    const struct pin_records_body *body = &self->object->as.records;
    struct pin_claims claims;
    struct pin_claim_record *records =
        pin_arena_alloc(self->arena, (body->n_records + 1) * sizeof(*records));
    for (size_t i = 0; records != NULL && i < body->n_records; i++) {
        const struct pin_record *record = &body->records[i];
        records[i] = (struct pin_claim_record){.name = record->name,
            .type = record->type,
            .set_id = record->set_id,
            .ttl_s = record->ttl_s != PIN_TTL_UNSET ? record->ttl_s : 0,
            .targets = record->targets,
            .n_targets = record->n_targets,
            .properties = record->properties,
            .n_properties = record->n_properties};
    }
    if (records == NULL
        || !pin_claims_of_records(
            self->arena, &self->claim.source, records, body->n_records, &claims)) {
        self->walk->has_failed = true;
        return;
    }
    pin_claims_add(self->walk, &claims, self->is_unwell);
}

/* --- Gateways and routes --------------------------------------------------------------------- */

/* The hostname as the map of listeners knows it. */
static void *find_listener(const struct pin_claims_walk *walk, const char *hostname)
{
    char name[PIN_RECORDSET_NAME_MAX];
    return pin_map_count(&walk->listeners) > 0 && pin_recordset_name(hostname, name, NULL) == PIN_OK
               ? pin_map_find(&walk->listeners, name, strlen(name))
               : NULL;
}

static void put_listener(struct pin_claims_walk *walk, const char *hostname, char *value)
{
    char name[PIN_RECORDSET_NAME_MAX];
    if (pin_recordset_name(hostname, name, NULL) == PIN_OK
        && !pin_map_put(&walk->listeners, name, strlen(name), value, NULL)) {
        walk->has_failed = true;
    }
}

/* A wildcard says what may come, not what is there. */
static bool is_plain(const struct pin_listener *listener)
{
    return listener->hostname != NULL && listener->hostname[0] != '\0'
           && listener->hostname[0] != '*';
}

void pin_claims_listeners(struct pin_claims_walk *walk, const struct pin_object *gateway)
{
    const struct pin_gateway_body *body = &gateway->as.gateway;
    for (size_t i = 0; i < body->n_listeners; i++) {
        if (is_plain(&body->listeners[i])) {
            put_listener(walk, body->listeners[i].hostname, &free_hostname);
        }
    }
}

static void claim_gateway(struct maker *self)
{
    const struct pin_gateway_body *body = &self->object->as.gateway;
    if (!read_notes(self)) {
        return;
    }
    make_room(self, body->n_listeners, body->n_addresses, body->n_hosts);
    for (size_t i = 0; !self->walk->has_failed && i < body->n_listeners; i++) {
        const char *hostname = body->listeners[i].hostname;
        if (is_plain(&body->listeners[i])
            && find_listener(self->walk, hostname) == &free_hostname) {
            add_hostname(self, hostname);
        }
    }
    if (self->walk->has_failed) {
        return;
    }
    add_ips(self, body->addresses, body->n_addresses);
    add_hosts(self, body->hosts, body->n_hosts);
    make(self);
}

/* The Gateway of a parentRef, unless an earlier one names it, too. */
static const struct pin_object *parent_of(const struct maker *self, size_t i)
{
    const struct pin_route_body *body = &self->object->as.route;
    const struct pin_parent_ref *ref = &body->parents[i];
    for (size_t j = 0; j < i; j++) {
        if (strcmp(body->parents[j].name, ref->name) == 0
            && strcmp(body->parents[j].namespace_name, ref->namespace_name) == 0) {
            return NULL;
        }
    }
    return pin_catalog_find(
        self->walk->catalog, self->cluster_id, PIN_KIND_GATEWAY, ref->namespace_name, ref->name);
}

/* The names that the route says itself, in its spec and by annotation. */
static void read_route_names(struct maker *self)
{
    const struct pin_route_body *body = &self->object->as.route;
    const char *list = self->notes.hostnames;
    enum pin_claim_hostnames source = self->notes.source;
    bool has_defined = source == PIN_CLAIM_HOSTNAMES_ALL || source == PIN_CLAIM_HOSTNAMES_DEFINED;
    bool has_noted = source == PIN_CLAIM_HOSTNAMES_ALL || source == PIN_CLAIM_HOSTNAMES_ANNOTATION;
    size_t n_max = body->n_hostnames + pin_claim_count_items(list);
    self->names = pin_arena_alloc(self->arena, (n_max + 1) * sizeof(*self->names));
    if (self->names == NULL) {
        self->walk->has_failed = true;
        return;
    }
    for (size_t i = 0; has_defined && i < body->n_hostnames; i++) {
        self->names[self->n_names++] = body->hostnames[i];
    }
    while (has_noted && list != NULL && *list != '\0') {
        const char *name = pin_claim_next_item(self->arena, &list);
        if (name == NULL) {
            self->walk->has_failed = true;
            return;
        }
        self->names[self->n_names++] = name;
    }
    self->notes.hostnames = NULL; /* they count where a listener takes them, as the others */
    self->notes.source = PIN_CLAIM_HOSTNAMES_ALL;
}

/* Names that the route and the listener have in common; a route that says none has the listener's.
 * Returns whether the listener takes the route at all. */
static bool add_common(struct maker *self, const struct pin_listener *listener)
{
    bool has_hostname = listener->hostname != NULL && listener->hostname[0] != '\0';
    size_t n_before = self->claim.n_hostnames;
    if (self->n_names == 0 && has_hostname) {
        add_hostname(self, listener->hostname);
    }
    for (size_t i = 0; i < self->n_names; i++) {
        const char *common =
            has_hostname ? pin_attach_common(listener->hostname, self->names[i]) : self->names[i];
        if (common != NULL) {
            add_hostname(self, common);
        }
    }
    return self->n_names == 0 || self->claim.n_hostnames > n_before;
}

/* The targets that a Gateway's annotation says, behind those of others. */
static void join_targets(struct maker *self, const char *targets)
{
    const char *before = self->notes.targets;
    size_t bytes = strlen(targets) + 1;
    size_t before_bytes = before != NULL ? strlen(before) + 1 : 0;
    char *both = pin_arena_alloc(self->arena, before_bytes + bytes);
    if (both == NULL) {
        self->walk->has_failed = true;
        return;
    }
    if (before != NULL) {
        memcpy(both, before, before_bytes);
        both[before_bytes - 1] = ',';
    }
    memcpy(both + before_bytes, targets, bytes);
    self->notes.targets = both;
}

/* Where a Gateway that takes the route leads. */
static void add_gateway(struct maker *self, const struct pin_object *gateway)
{
    const struct pin_asks *asks = gateway->written != NULL ? gateway->written->asks : NULL;
    struct pin_claim_notes notes;
    if (asks != NULL && !pin_claim_notes_read(self->arena, asks->notes, asks->n_notes, &notes)) {
        self->walk->has_failed = true;
        return;
    }
    if (asks != NULL && notes.targets != NULL) {
        join_targets(self, notes.targets);
        return;
    }
    add_ips(self, gateway->as.gateway.addresses, gateway->as.gateway.n_addresses);
    add_hosts(self, gateway->as.gateway.hosts, gateway->as.gateway.n_hosts);
}

/* What all Gateways of the route give. Returns how many of them take it. */
static size_t add_parents(struct maker *self)
{
    size_t n_taking = 0;
    for (size_t i = 0; i < self->object->as.route.n_parents; i++) {
        const struct pin_object *gateway = parent_of(self, i);
        bool is_taken = false;
        for (size_t k = 0; gateway != NULL && k < gateway->as.gateway.n_listeners; k++) {
            const struct pin_listener *listener = &gateway->as.gateway.listeners[k];
            if (pin_attach_counts(
                    self->walk->catalog, self->cluster_id, gateway, listener, self->object)) {
                is_taken = add_common(self, listener) || is_taken;
            }
        }
        if (is_taken) {
            add_gateway(self, gateway);
            n_taking++;
        }
    }
    return n_taking;
}

/* Room for all that the route's Gateways could give. */
static void make_route_room(struct maker *self)
{
    const struct pin_route_body *body = &self->object->as.route;
    size_t n_listeners = 1;
    size_t n_ips = 0;
    size_t n_hosts = 0;
    for (size_t i = 0; i < body->n_parents; i++) {
        const struct pin_object *gateway = parent_of(self, i);
        if (gateway != NULL) {
            n_listeners += gateway->as.gateway.n_listeners;
            n_ips += gateway->as.gateway.n_addresses;
            n_hosts += gateway->as.gateway.n_hosts;
        }
    }
    make_room(self, n_listeners * (self->n_names + 1), n_ips, n_hosts);
}

/* The route's assigned name as text, or NULL. */
static const char *assigned_of(struct maker *self)
{
    const struct pin_object *route = self->object;
    char key[KEY_BYTES];
    char text[PIN_NAME_TEXT_MAX];
    (void)snprintf(key, sizeof(key), "%s/%s/%s/%s", self->claim.source.cluster,
        pin_kind_text(route->kind), route->namespace_name, route->name);
    const struct pin_route_unit *unit =
        pin_map_find(&self->walk->catalog->routes, key, strlen(key));
    if (unit == NULL) {
        self->walk->has_failed = true; /* memory was out */
        return NULL;
    }
    pin_name_format(unit->assigned.wire, text);
    const char *copy = pin_arena_strdup(self->arena, text);
    self->walk->has_failed = self->walk->has_failed || copy == NULL;
    return copy;
}

static void claim_route(struct maker *self)
{
    bool to_assigned = self->walk->want->to_assigned;
    bool is_ours = read_notes(self);
    if (self->walk->has_failed) {
        return;
    }
    read_route_names(self);
    make_route_room(self);
    if (self->walk->has_failed) {
        return;
    }
    self->notes.targets = NULL; /* those of Gateways count */
    size_t n_taking = add_parents(self);
    if (to_assigned) {
        self->claim.assigned = assigned_of(self);
        for (size_t i = 0; i < self->n_names; i++) {
            add_hostname(self, self->names[i]);
        }
    } else if (n_taking == 0) {
        return; /* no Gateway takes it: it leads nowhere */
    }
    for (size_t i = 0; i < self->claim.n_hostnames; i++) {
        if (find_listener(self->walk, self->hostnames[i]) == &free_hostname) {
            put_listener(self->walk, self->hostnames[i], &taken_hostname);
        }
    }
    if (is_ours) {
        make(self);
    }
}

/* --- any object ------------------------------------------------------------------------------ */

void pin_claims_object(
    struct pin_claims_walk *walk, uint16_t cluster_id, const struct pin_object *object)
{
    bool is_service = object->kind == PIN_KIND_SERVICE;
    if (is_service && (object->written == NULL || object->written->asks == NULL)) {
        return;
    }
    pin_arena_reset(walk->scratch);
    struct maker self = {.walk = walk,
        .arena = walk->scratch,
        .cluster_id = cluster_id,
        .object = object,
        .is_unwell = !is_service && is_cluster_unwell(walk, cluster_id),
        .claim = {.source = {.cluster = walk->catalog->settings->clusters[cluster_id].name,
                      .kind = kind_words[object->kind],
                      .namespace_name = object->namespace_name,
                      .name = object->name,
                      .created_s = object->created_s,
                      .uid = object->written != NULL ? object->written->uid : NULL},
            .zones = walk->want->zones,
            .n_zones = walk->want->n_zones}};
    if (is_service) {
        claim_service(&self);
    } else if (object->kind == PIN_KIND_INGRESS) {
        claim_ingress(&self);
    } else if (object->kind == PIN_KIND_DNS_ENDPOINT) {
        claim_records(&self);
    } else if (object->kind == PIN_KIND_GATEWAY) {
        claim_gateway(&self);
    } else if (pin_kind_is_route(object->kind)) {
        claim_route(&self);
    }
}
