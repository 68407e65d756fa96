/* SPDX-License-Identifier: Apache-2.0 */

/* One service name over all clusters: contributions, ready endpoints, ports, conflicts (KEP-1645).
 */

#include "zones/merge.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/zones/slice.h"

#include "zones/checks.h"
#include "zones/drains.h"
#include "zones/exports.h"

/* --- endpoints -----------------------------------------------------------------------------------
 */

/* Which of a slice's endpoints count, from best to worst (kube-proxy's rule). */
enum usable {
    PIN_USABLE_READY,
    PIN_USABLE_TERMINATING, /* serving while terminating: only when none is ready */
    PIN_USABLE_NOT,
};

static enum usable how_usable(uint8_t flags)
{
    if ((flags & PIN_ENDPOINT_READY) != 0) {
        return PIN_USABLE_READY;
    }
    uint8_t draining = PIN_ENDPOINT_SERVING | PIN_ENDPOINT_TERMINATING;
    return (flags & draining) == draining ? PIN_USABLE_TERMINATING : PIN_USABLE_NOT;
}

/* By address; of one that stands in several slices the slice whose name comes first counts. */
static int compare_ready(const void *a, const void *b)
{
    const struct pin_ready *x = a;
    const struct pin_ready *y = b;
    int order = pin_ip_cmp(&x->ip, &y->ip);
    if (order != 0) {
        return order;
    }
    return x->slice != y->slice ? strcmp(x->slice->name, y->slice->name)
                                : (x->row > y->row) - (x->row < y->row);
}

/* Sorts and drops addresses that stand twice. Returns how many are left. */
static uint32_t sort_unique(struct pin_ready *ready, uint32_t n)
{
    uint32_t kept = 0;
    if (n == 0) {
        return 0;
    }
    qsort(ready, n, sizeof(*ready), compare_ready);
    for (uint32_t i = 0; i < n; i++) {
        if (kept == 0 || !pin_ip_equal(&ready[kept - 1].ip, &ready[i].ip)) {
            ready[kept++] = ready[i];
        }
    }
    return kept;
}

/* Whether a slice of the member belongs to the contribution being filled. */
static bool is_slice_of(const struct pin_object *slice, const struct pin_contribution *c)
{
    bool is_imported = slice->as.slice.import_service != NULL;
    if (is_imported != c->is_imported) {
        return false;
    }
    const char *source = slice->as.slice.source_cluster;
    return !is_imported || (source != NULL && strcmp(source, c->source) == 0);
}

static uint8_t family_of(enum pin_family_i family_i)
{
    return family_i == PIN_FAMILY_V4 ? 4 : 6;
}

/* Whether the endpoint is out by hand; the contribution takes note of it. */
static bool is_drained(struct pin_contribution *c, const struct pin_object *slice, size_t row)
{
    const struct pin_drain *drain = pin_drains_endpoint(c->unit->drains, c->cluster_id, slice, row);
    c->has_drained = c->has_drained || drain != NULL;
    c->drain = c->drain == NULL ? drain : c->drain;
    return drain != NULL;
}

/* Appends the member's endpoints of one family that are at most `worst` usable. */
static uint32_t gather(const struct pin_member *member, struct pin_contribution *c,
    enum pin_family_i family_i, enum usable worst, struct pin_ready *out)
{
    uint32_t n = 0;
    for (size_t s = 0; s < member->n_slices; s++) {
        const struct pin_object *slice = pin_member_slices(member)[s];
        if (slice->as.slice.family != family_of(family_i) || !is_slice_of(slice, c)) {
            continue;
        }
        for (size_t e = 0; e < slice->as.slice.n_endpoints; e++) {
            if (how_usable(slice->as.slice.flags[e]) <= worst && !is_drained(c, slice, e)) {
                out[n++] = (struct pin_ready){
                    .slice = slice, .ip = pin_slice_ip(&slice->as.slice, e), .row = (uint32_t)e};
            }
        }
    }
    return n;
}

static size_t count_known(
    const struct pin_member *member, const struct pin_contribution *c, enum pin_family_i family_i)
{
    size_t n = 0;
    for (size_t s = 0; s < member->n_slices; s++) {
        const struct pin_object *slice = pin_member_slices(member)[s];
        if (slice->as.slice.family == family_of(family_i) && is_slice_of(slice, c)) {
            n += slice->as.slice.n_endpoints;
        }
    }
    return n;
}

static uint32_t count_staying(
    const struct pin_member *member, const struct pin_contribution *c, enum pin_family_i family_i)
{
    uint32_t n = 0;
    for (size_t s = 0; s < member->n_slices; s++) {
        const struct pin_slice_body *slice = &pin_member_slices(member)[s]->as.slice;
        bool counts =
            slice->family == family_of(family_i) && is_slice_of(pin_member_slices(member)[s], c);
        for (size_t e = 0; counts && e < slice->n_endpoints; e++) {
            n += (slice->flags[e] & PIN_ENDPOINT_TERMINATING) == 0;
        }
    }
    return n;
}

static bool fill_ready(
    const struct pin_member *member, struct pin_contribution *c, struct pin_arena *arena)
{
    bool show_all = c->service != NULL && c->service->as.service.publish_not_ready;
    c->drain = pin_drains_member(c->unit->drains, c->unit, c->cluster_id);
    c->is_drained = c->drain != NULL;
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        size_t n_known = count_known(member, c, f);
        if (n_known == 0) {
            continue; /* no slice of this family, so nothing to gather either */
        }
        struct pin_ready *ready = pin_arena_alloc(arena, n_known * sizeof(*ready));
        if (ready == NULL) {
            return false;
        }
        uint32_t n = gather(member, c, f, show_all ? PIN_USABLE_NOT : PIN_USABLE_READY, ready);
        if (n == 0) {
            n = gather(member, c, f, PIN_USABLE_TERMINATING, ready);
        }
        c->ready[f] = ready;
        c->n_ready[f] = c->is_drained ? 0 : sort_unique(ready, n);
        c->n_staying[f] = count_staying(member, c, f);
        c->n_total += (uint32_t)n_known;
    }
    return true;
}

/* --- contributions -------------------------------------------------------------------------------
 */

static bool is_external_name(const struct pin_object *service)
{
    return service != NULL && service->as.service.external_name != NULL;
}

static bool add_own(const struct pin_settings *settings, const struct pin_member *member,
    struct pin_facts *facts, struct pin_arena *arena)
{
    const struct pin_object *service = member->service;
    if (service == NULL || is_external_name(service)) {
        return true;
    }
    struct pin_contribution *c = &facts->contributions[facts->n_contributions++];
    *c = (struct pin_contribution){
        .cluster_id = member->cluster_id,
        .unit = facts->unit,
        .source = settings->clusters[member->cluster_id].name,
        .service = service,
        .since = member->export_ != NULL ? member->export_ : service,
        .is_dropped = member->is_dropped,
        .is_exported = member->export_ != NULL,
        .is_global = service->steering->is_global,
        .is_unshared = service->steering->is_unshared,
    };
    return member->is_dropped || fill_ready(member, c, arena);
}

static bool has_imported(const struct pin_facts *facts, const char *source)
{
    for (size_t i = 0; i < facts->n_contributions; i++) {
        if (facts->contributions[i].is_imported
            && strcmp(facts->contributions[i].source, source) == 0) {
            return true;
        }
    }
    return false;
}

static bool imports_from(const struct pin_member *member, const char *source)
{
    for (size_t s = 0; s < member->n_slices; s++) {
        const char *other = pin_member_slices(member)[s]->as.slice.source_cluster;
        if (pin_member_slices(member)[s]->as.slice.import_service != NULL && other != NULL
            && strcmp(other, source) == 0) {
            return true;
        }
    }
    return false;
}

/* Of several clusters that imported slices of one source, the one whose name comes first counts. */
static bool is_importer(const struct pin_settings *settings, const struct pin_service_unit *unit,
    const struct pin_member *member, const char *source)
{
    const char *name = settings->clusters[member->cluster_id].name;
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *other = &unit->members[i];
        if (strcmp(settings->clusters[other->cluster_id].name, name) < 0 && !other->is_dropped
            && imports_from(other, source)) {
            return false;
        }
    }
    return true;
}

/* Imported slices count once, and only for source clusters that Pintle does not see itself. */
static bool add_imported(const struct pin_settings *settings, const struct pin_member *member,
    struct pin_facts *facts, struct pin_arena *arena)
{
    for (size_t s = 0; s < member->n_slices && !member->is_dropped; s++) {
        const struct pin_slice_body *slice = &pin_member_slices(member)[s]->as.slice;
        if (slice->import_service == NULL || slice->source_cluster == NULL
            || pin_settings_cluster(settings, slice->source_cluster) != PIN_CLUSTER_NONE
            || has_imported(facts, slice->source_cluster)
            || !is_importer(settings, facts->unit, member, slice->source_cluster)) {
            continue;
        }
        struct pin_contribution *c = &facts->contributions[facts->n_contributions++];
        *c = (struct pin_contribution){
            .cluster_id = member->cluster_id,
            .unit = facts->unit,
            .source = slice->source_cluster,
            .since = member->import != NULL ? member->import : pin_member_slices(member)[s],
            .is_imported = true,
            .is_exported = true,
        };
        if (!fill_ready(member, c, arena)) {
            return false;
        }
    }
    return true;
}

static size_t contributions_max(const struct pin_service_unit *unit)
{
    size_t n = 0;
    for (size_t i = 0; i < unit->n_members; i++) {
        n += 1 + unit->members[i].n_slices;
    }
    return n;
}

/* --- conflicts
 * ------------------------------------------------------------------------------------ */

static bool is_contributing(const struct pin_facts *facts, const struct pin_contribution *c)
{
    return !c->is_dropped && (c->is_exported || c->is_global || (c->is_imported && facts->is_mcs));
}

bool pin_contribution_is_before(const struct pin_contribution *a, const struct pin_contribution *b)
{
    if (a->since->created_s != b->since->created_s) {
        return a->since->created_s < b->since->created_s;
    }
    return strcmp(a->source, b->source) < 0;
}

/* The contributing one that comes next after `after`, or the first. */
static const struct pin_contribution *oldest_contribution(
    const struct pin_facts *facts, const struct pin_contribution *after)
{
    const struct pin_contribution *best = NULL;
    for (size_t i = 0; i < facts->n_contributions; i++) {
        const struct pin_contribution *c = &facts->contributions[i];
        bool is_behind = after == NULL || pin_contribution_is_before(after, c);
        if (is_contributing(facts, c) && is_behind
            && (best == NULL || pin_contribution_is_before(c, best))) {
            best = c;
        }
    }
    return best;
}

static bool has_port(const struct pin_facts *facts, const struct pin_port *port)
{
    for (size_t i = 0; i < facts->n_ports; i++) {
        const struct pin_port *other = facts->ports[i];
        bool is_same = port->name != NULL || other->name != NULL
                           ? pin_is_same_text(port->name, other->name)
                           : port->protocol == other->protocol && port->port == other->port;
        if (is_same) {
            return true;
        }
    }
    return false;
}

static void add_ports(struct pin_facts *facts, const struct pin_port *ports, size_t n_ports)
{
    for (size_t i = 0; i < n_ports; i++) {
        if (facts->n_ports < PIN_PORTS_MAX && !has_port(facts, &ports[i])) {
            facts->ports[facts->n_ports++] = &ports[i];
        }
    }
}

/* The oldest import; of equal ages the one of the cluster whose name comes first. */
static const struct pin_object *oldest_import(
    const struct pin_settings *settings, const struct pin_service_unit *unit)
{
    const struct pin_member *best = NULL;
    for (size_t i = 0; i < unit->n_members; i++) {
        const struct pin_member *member = &unit->members[i];
        if (member->import == NULL || member->is_dropped
            || !pin_exports_import_counts(settings, member->import)) {
            continue;
        }
        int64_t younger_s = best != NULL ? member->import->created_s - best->import->created_s : -1;
        if (younger_s < 0
            || (younger_s == 0
                && strcmp(settings->clusters[member->cluster_id].name,
                       settings->clusters[best->cluster_id].name)
                       < 0)) {
            best = member;
        }
    }
    return best != NULL ? best->import : NULL;
}

static size_t ports_max(const struct pin_facts *facts, const struct pin_object *import)
{
    size_t n = import != NULL ? import->as.import.n_ports : 0;
    for (size_t i = 0; i < facts->n_contributions; i++) {
        const struct pin_object *service = facts->contributions[i].service;
        n += service != NULL ? service->as.service.n_ports : 0;
    }
    return n;
}

/* Type and ports: the oldest contributor decides the type, ports are a union in order of age. */
static bool settle_conflicts(
    const struct pin_settings *settings, struct pin_facts *facts, struct pin_arena *arena)
{
    const struct pin_object *import = oldest_import(settings, facts->unit);
    const struct pin_contribution *c = oldest_contribution(facts, NULL);
    facts->ports = pin_arena_alloc(arena, (ports_max(facts, import) + 1) * sizeof(*facts->ports));
    if (facts->ports == NULL) {
        return false;
    }
    facts->annotated[0] = c != NULL ? c->service : NULL;
    facts->annotated[1] = c != NULL ? c->since : NULL;
    facts->annotated[2] = import;
    if (c != NULL && c->service != NULL) {
        facts->is_headless = c->service->as.service.is_headless;
    } else if (import != NULL) {
        facts->is_headless = import->as.import.is_headless;
    }
    for (; c != NULL; c = oldest_contribution(facts, c)) {
        if (c->service != NULL) {
            add_ports(facts, c->service->as.service.ports, c->service->as.service.n_ports);
        }
    }
    if (import != NULL) {
        add_ports(facts, import->as.import.ports, import->as.import.n_ports);
    }
    return true;
}

static void settle_existence(const struct pin_settings *settings, struct pin_facts *facts)
{
    for (size_t i = 0; i < facts->unit->n_members; i++) {
        const struct pin_member *member = &facts->unit->members[i];
        if (member->is_dropped) {
            continue;
        }
        bool is_export = member->export_ != NULL && !is_external_name(member->service);
        bool is_import =
            member->import != NULL && pin_exports_import_counts(settings, member->import);
        facts->is_mcs = facts->is_mcs || is_export || is_import;
        facts->exists = facts->exists || is_export || is_import
                        || (member->service != NULL && member->service->steering->is_global
                            && !is_external_name(member->service));
    }
}

/* By cluster, its own Service first, then what it imported: the order of an answer's shares. */
static int compare_contribution(const void *a, const void *b)
{
    const struct pin_contribution *x = a;
    const struct pin_contribution *y = b;
    if (x->cluster_id != y->cluster_id) {
        return x->cluster_id < y->cluster_id ? -1 : 1;
    }
    return x->is_imported != y->is_imported ? x->is_imported - y->is_imported
                                            : strcmp(x->source, y->source);
}

struct pin_facts *pin_merge_facts(const struct pin_settings *settings,
    const struct pin_service_unit *unit, struct pin_arena *arena)
{
    struct pin_facts *facts = pin_arena_alloc(arena, sizeof(*facts));
    if (facts == NULL) {
        return NULL;
    }
    facts->unit = unit;
    facts->contributions =
        pin_arena_alloc(arena, contributions_max(unit) * sizeof(*facts->contributions));
    if (facts->contributions == NULL) {
        return NULL;
    }
    settle_existence(settings, facts);
    for (size_t i = 0; i < unit->n_members; i++) {
        if (!add_own(settings, &unit->members[i], facts, arena)
            || !add_imported(settings, &unit->members[i], facts, arena)) {
            return NULL;
        }
    }
    qsort(facts->contributions, facts->n_contributions, sizeof(*facts->contributions),
        compare_contribution);
    return pin_checks_settle(settings, facts, arena) && settle_conflicts(settings, facts, arena)
               ? facts
               : NULL;
}

const struct pin_contribution *pin_facts_own(const struct pin_facts *facts, uint16_t cluster_id)
{
    for (size_t i = 0; i < facts->n_contributions; i++) {
        if (facts->contributions[i].cluster_id == cluster_id
            && !facts->contributions[i].is_imported) {
            return &facts->contributions[i];
        }
    }
    return NULL;
}
