/* SPDX-License-Identifier: Apache-2.0 */

/* Dirty units to nodes: classes of viewers, address tables, and what of it really changed. */

#include "zones/compile.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/prefer_zone.h"
#include "zones/steer_address.h"
#include "zones/writes.h"

/* --- tables --------------------------------------------------------------------------------------
 */

#define ALIKE_BUCKETS 256u

/* The first of the tables that are held whose wire has this hash. */
static uint32_t *alike_bucket(struct pin_compile *run, const struct pin_table *table)
{
    if (run->alike == NULL) {
        run->alike = pin_arena_alloc(run->steer.arena, ALIKE_BUCKETS * sizeof(*run->alike));
    }
    uint64_t hash = pin_hash64(table->wire, table->wire_bytes);
    return run->alike == NULL ? NULL : &run->alike[hash % ALIKE_BUCKETS];
}

/* Keeps a reference until the run ends; nodes take their own. */
static const struct pin_table *hold(
    struct pin_compile *run, const struct pin_table *table, uint32_t *bucket)
{
    struct pin_held *held =
        pin_steer_grow(&run->steer, run->held, run->n_held, &run->cap_held, sizeof(*run->held));
    if (held == NULL) {
        run->failed = true;
        pin_table_unref(table);
        return NULL;
    }
    run->held = held;
    held[run->n_held++] = (struct pin_held){.table = table, .next = *bucket};
    *bucket = (uint32_t)run->n_held;
    return table;
}

/* Whether a table answers like one that is to be made of `spec`, and counts for the same. */
static bool is_alike(
    const struct pin_table *other, const struct pin_table *table, const struct pin_table_spec *spec)
{
    return pin_table_equal(other, table)
           && (spec->tally == NULL || pin_tally_is_for(spec->tally, other->tally));
}

/* A table among those of an RRset that answers like `table`, or NULL. */
static const struct pin_table *find_old(
    const struct pin_rrset *rrset, const struct pin_table *table, const struct pin_table_spec *spec)
{
    if (rrset == NULL) {
        return NULL;
    }
    for (uint16_t i = 0; i < pin_rrset_n_tables(rrset); i++) {
        const struct pin_table *other = pin_rrset_tables(rrset)[i];
        if (other != NULL && is_alike(other, table, spec)) {
            return other;
        }
    }
    return NULL;
}

/* How many tables of one hash a run looks at; and how far back it looks for a drawn table that is
 * alike: the classes of one RRset. */
#define LOOK_AT 64

/* A table that the run holds and that answers like `table`, or NULL. */
static const struct pin_table *find_held(const struct pin_compile *run,
    const struct pin_table *table, const struct pin_table_spec *spec, uint32_t first)
{
    size_t n = 0;
    for (uint32_t at = first; at != 0 && n < LOOK_AT; at = run->held[at - 1].next, n++) {
        bool is_near = table->form != PIN_TABLE_DRAWN || run->n_held - at < LOOK_AT;
        if (is_near && is_alike(run->held[at - 1].table, table, spec)) {
            return run->held[at - 1].table;
        }
    }
    return NULL;
}

/*
 * What a run already shows under another name comes first, so that names of one unit share; but a
 * table that is drawn from, whose draws are counted, is first of all its own name's.
 */
const struct pin_table *pin_compile_table(
    struct pin_compile *run, const struct pin_table_spec *spec, const struct pin_rrset *old)
{
    struct pin_table *table = pin_table_new(spec);
    uint32_t *bucket = table == NULL ? NULL : alike_bucket(run, table);
    if (bucket == NULL) {
        run->failed = true;
        pin_table_discard(table);
        return NULL;
    }
    const struct pin_table *own = find_old(old, table, spec);
    const struct pin_table *held = find_held(run, table, spec, *bucket);
    if (held != NULL && (own == NULL || table->form != PIN_TABLE_DRAWN || table->is_whole)) {
        pin_table_discard(table);
        return held;
    }
    if (own != NULL) {
        pin_table_discard(table);
        pin_table_ref(own);
        return hold(run, own, bucket);
    }
    if (spec->tally != NULL) {
        table->tally = pin_tally_open(spec->tally);
    }
    return hold(run, table, bucket);
}

static bool is_made_of(const struct pin_table *table, const uint8_t *wire, size_t wire_bytes)
{
    return table != NULL && table->wire_bytes == wire_bytes
           && memcmp(table->wire, wire, wire_bytes) == 0;
}

const struct pin_table *pin_compile_shared(
    struct pin_compile *run, const uint8_t *wire, size_t wire_bytes, const struct pin_rrset *old)
{
    const struct pin_table **place =
        &run->catalog->shared[pin_hash64(wire, wire_bytes) % PIN_SHARED_MAX];
    const struct pin_table *own = old != NULL ? pin_rrset_base(old) : NULL;
    const struct pin_table *known = is_made_of(own, wire, wire_bytes) ? own : *place;
    if (is_made_of(known, wire, wire_bytes)) {
        uint32_t *bucket = alike_bucket(run, known);
        run->failed = run->failed || bucket == NULL;
        pin_table_ref(known); /* others may push it from its place before it is published */
        return bucket != NULL ? hold(run, known, bucket) : NULL;
    }
    const struct pin_table *table = pin_compile_table(run,
        &(struct pin_table_spec){
            .form = PIN_TABLE_FIXED, .n_rr = 1, .wire = wire, .wire_bytes = (uint32_t)wire_bytes},
        NULL);
    if (table != NULL) {
        pin_table_ref(table);
        pin_table_unref(*place);
        *place = table;
    }
    return table;
}

uint16_t pin_compile_add_cluster(uint16_t *clusters, uint16_t n, uint16_t cluster_id)
{
    uint16_t at = n;
    while (at > 0 && clusters[at - 1] > cluster_id) {
        at--;
    }
    if (at > 0 && clusters[at - 1] == cluster_id) {
        return n;
    }
    memmove(&clusters[at + 1], &clusters[at], (size_t)(n - at) * sizeof(uint16_t));
    clusters[at] = cluster_id;
    return (uint16_t)(n + 1);
}

const struct pin_table *pin_compile_plain(
    struct pin_compile *run, const struct pin_name *owner, const struct pin_plain_set *set)
{
    bool is_turning = set->n_rr > 1 && (set->type == PIN_TYPE_A || set->type == PIN_TYPE_AAAA);
    struct pin_table_spec spec = {
        .form = PIN_TABLE_FIXED,
        .n_rr = set->n_rr,
        .wire = set->wire,
        .wire_bytes = set->wire_bytes,
        .clusters = set->clusters,
        .n_clusters = set->n_clusters,
        .extras = set->extras,
        .n_extras = set->n_extras,
    };
    uint64_t *weights = pin_arena_alloc(run->steer.arena, set->n_rr * sizeof(*weights));
    if (weights == NULL) {
        run->failed = true;
        return NULL;
    }
    if (is_turning) {
        for (uint16_t i = 0; i < set->n_rr; i++) {
            weights[i] = 1;
        }
        spec.form = PIN_TABLE_DRAWN;
        spec.mode = PIN_ANSWERS_SUBSET;
        spec.is_whole = true;
        spec.n_pick_max = set->n_rr;
        spec.rr_bytes = set->type == PIN_TYPE_A ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES;
        spec.weights = weights;
        spec.slots = pin_index_slots(run->catalog->live.index);
    }
    return pin_compile_table(run, &spec, pin_compile_old(run, owner, set->type));
}

/* --- RRsets and names
 * ----------------------------------------------------------------------------- */

const struct pin_rrset *pin_compile_old(
    const struct pin_compile *run, const struct pin_name *name, uint16_t type)
{
    const struct pin_node *node = pin_index_find(run->catalog->live.index, name->wire, name->bytes);
    return node != NULL ? pin_node_rrset(node, type) : NULL;
}

static bool are_same_rrsets(
    const struct pin_node *node, const struct pin_rrset *rrsets, size_t n_rrsets)
{
    if (node->n_rrsets != n_rrsets || !node->is_put) {
        return false;
    }
    for (size_t i = 0; i < n_rrsets; i++) {
        const struct pin_rrset *a = &pin_node_rrsets(node)[i];
        const struct pin_rrset *b = &rrsets[i];
        if (a->type != b->type || pin_rrset_base(a) != pin_rrset_base(b)
            || a->n_variants != b->n_variants) {
            return false;
        }
        for (uint16_t v = 0; v < a->n_variants; v++) {
            const struct pin_variant *x = &pin_rrset_variants(a)[v];
            const struct pin_variant *y = &pin_rrset_variants(b)[v];
            if (x->view_id != y->view_id || a->tables[x->table_i] != b->tables[y->table_i]) {
                return false;
            }
        }
    }
    return true;
}

/* Whether something that this run was made of is missing, whoever noticed. */
static bool has_failed(struct pin_compile *run)
{
    run->failed = run->failed || run->holding.failed || run->catalog->is_out_of_memory
                  || pin_arena_has_failed(run->steer.arena);
    return run->failed;
}

void pin_compile_put(struct pin_compile *run, const struct pin_name *name,
    const struct pin_rrset *rrsets, size_t n_rrsets)
{
    struct pin_index *index = run->catalog->live.index;
    const struct pin_node *node = pin_index_find(index, name->wire, name->bytes);
    if (has_failed(run)) {
        return;
    }
    /* Before it is put: whatever happens, it can be taken back. */
    bool is_noted = node != NULL && node->stamp == run->catalog->stamp;
    if (!is_noted && !pin_names_add(&run->names, name)) {
        run->failed = true;
        return;
    }
    if (node == NULL || !are_same_rrsets(node, rrsets, n_rrsets)
        || !pin_policy_equal(node->policy, run->policy)) {
        if (pin_index_put_guarded(index, run->zone, name, rrsets, n_rrsets, run->policy)
            != PIN_OK) {
            run->failed = true;
            return;
        }
        run->zone->is_changed = true;
        run->n_names += is_noted ? 0 : 1;
    }
    (void)pin_index_stamp(index, name, run->catalog->stamp);
}

void pin_compile_put_first(struct pin_compile *run, const struct pin_name *name,
    const struct pin_rrset *rrsets, size_t n_rrsets)
{
    const struct pin_node *node = pin_index_find(run->catalog->live.index, name->wire, name->bytes);
    if (n_rrsets > 0 && (node == NULL || !node->is_put)) {
        pin_compile_put(run, name, rrsets, n_rrsets);
    }
}

/* --- classes
 * -------------------------------------------------------------------------------------- */

static uint16_t class_for(struct pin_compile *run, struct pin_viewer viewer, size_t from)
{
    for (size_t i = from; i < run->n_classes; i++) {
        const struct pin_viewer *other = &run->classes[i].viewer;
        if (other->cluster_id == viewer.cluster_id && other->network == viewer.network
            && pin_is_same_text(other->zone, viewer.zone)
            && pin_is_same_text(other->prefers, viewer.prefers)) {
            return (uint16_t)i;
        }
    }
    run->classes[run->n_classes] = (struct pin_class){.viewer = viewer};
    return (uint16_t)run->n_classes++;
}

/* Sorts all views into classes. `takes_part` has a bool per cluster. */
static bool make_classes(struct pin_compile *run, const bool *takes_part)
{
    run->n_views = run->catalog->n_views;
    run->classes = pin_arena_alloc(run->steer.arena, run->n_views * sizeof(*run->classes));
    run->class_of_view =
        pin_arena_alloc(run->steer.arena, run->n_views * sizeof(*run->class_of_view));
    if (run->classes == NULL || run->class_of_view == NULL) {
        return false;
    }
    for (size_t view = 0; view < run->n_views; view++) {
        struct pin_viewer viewer = pin_viewer_of(run->catalog, (uint16_t)view);
        if (viewer.cluster_id != PIN_CLUSTER_NONE && !takes_part[viewer.cluster_id]) {
            viewer.cluster_id = PIN_CLUSTER_NONE;
        }
        if (viewer.zone != NULL && !pin_zone_matters(run->zonal, run->n_zonal, viewer.zone)) {
            viewer.zone = NULL;
        }
        run->class_of_view[view] = class_for(run, viewer, 0);
    }
    return true;
}

/* --- a run
 * ---------------------------------------------------------------------------------------- */

struct pin_compile pin_compile_begin(
    struct pin_catalog *catalog, struct pin_zone *zone, struct pin_names *names)
{
    pin_arena_reset(catalog->scratch);
    catalog->is_out_of_memory = false;
    catalog->stamp++;
    return (struct pin_compile){
        .catalog = catalog,
        .steer = {.catalog = catalog, .settings = catalog->settings, .arena = catalog->scratch},
        .zone = zone,
        .before = names,
        .names = {.before = names},
        .ttl_s = catalog->settings->ttl_s,
        .answers = catalog->settings->answers,
        .checks = {.all_down = catalog->settings->all_down,
            .up_percent = (uint8_t)catalog->settings->up_percent,
            .n_limit = (uint16_t)catalog->settings->max_answers},
    };
}

/* From now on the run takes slots for what is probed. */
static void begin_holding(struct pin_compile *run, const struct pin_holds *old)
{
    struct pin_catalog *catalog = run->catalog;
    run->holding = pin_holding_begin(
        catalog->live.health, old, catalog->stamp, !catalog->live.scene->is_ready);
    run->steer.holding = &run->holding;
}

void pin_compile_take_annotations(struct pin_compile *run, const struct pin_object *object)
{
    if (object != NULL && object->steering->ttl_s != PIN_TTL_UNSET) {
        run->ttl_s = object->steering->ttl_s;
    }
    if (object != NULL && object->steering->answers != PIN_ANSWERS_UNSET) {
        run->answers = object->steering->answers;
    }
    if (object != NULL && object->steering->all_down != PIN_ALL_DOWN_UNSET) {
        run->checks.all_down = object->steering->all_down;
    }
    if (object != NULL && object->steering->up_percent != 0) {
        run->checks.up_percent = object->steering->up_percent;
    }
}

/* Takes back the names that the run did not want any more. */
static void remove_unwanted(struct pin_compile *run)
{
    struct pin_index *index = run->catalog->live.index;
    struct pin_names_walk walk = {0};
    while (!run->failed && pin_names_next(run->before, &walk)) {
        const struct pin_name *name = &walk.name;
        const struct pin_node *node = pin_index_find(index, name->wire, name->bytes);
        if (node != NULL && node->stamp != run->catalog->stamp) {
            struct pin_zone *zone = node->zone; /* the node goes */
            run->failed = pin_index_remove(index, name) != PIN_OK;
            zone->is_changed = zone->is_changed || !run->failed;
            run->n_names += run->failed ? 0 : 1;
        }
    }
}

/* Whether the name exists and was not met since the stamp moved. */
static bool is_new_here(void *arg, const struct pin_name *name)
{
    struct pin_catalog *catalog = arg;
    const struct pin_node *node = pin_index_find(catalog->live.index, name->wire, name->bytes);
    bool is_new = node != NULL && node->stamp != catalog->stamp;
    (void)pin_index_stamp(catalog->live.index, name, catalog->stamp);
    return is_new;
}

bool pin_compile_finish(struct pin_compile *run)
{
    struct pin_names *names = run->before;
    if (!has_failed(run)) {
        remove_unwanted(run);
    }
    for (size_t i = 0; i < run->n_held; i++) {
        pin_table_unref(run->held[i].table);
    }
    pin_map_done(&run->ports, NULL);
    if (run->failed) {
        pin_log_error("compile: out of memory, a name stays as it was until there is some");
    }
    if (run->failed && run->names.names.packed == NULL) {
        return false; /* nothing was put: all that there is stands in the unit's list */
    }
    if (run->failed) { /* there may be names of before and of this run */
        run->catalog->stamp++;
        pin_names_filter(&run->names, is_new_here, run->catalog);
        free(names->packed);
        *names = run->names.names;
        return false;
    }
    struct pin_names new_names = pin_names_take_new(&run->names);
    free(names->packed);
    *names = new_names;
    return true;
}

static bool *cluster_flags(struct pin_compile *run)
{
    bool *flags = pin_arena_alloc(
        run->steer.arena, (run->catalog->settings->n_clusters + 1) * sizeof(*flags));
    run->failed = run->failed || flags == NULL;
    return flags;
}

static void mark_members(const struct pin_service_unit *unit, bool *takes_part)
{
    for (size_t i = 0; i < unit->n_members; i++) {
        takes_part[unit->members[i].cluster_id] = true;
    }
}

/* Notes a unit of the data whose zones matter. `run->zonal` has room. */
static void note_zonal(struct pin_compile *run, const struct pin_service_unit *unit)
{
    if (pin_unit_prefers_zone(unit)) {
        run->zonal[run->n_zonal++] = unit;
    }
}

static bool make_zonal(struct pin_compile *run, size_t n_units)
{
    run->zonal =
        pin_arena_alloc(run->steer.arena, (n_units + 1) * sizeof(struct pin_service_unit *));
    run->failed = run->failed || run->zonal == NULL;
    return run->zonal != NULL;
}

/* --- services
 * ------------------------------------------------------------------------------------- */

static bool shows_anything(const struct pin_compile *run)
{
    for (size_t i = 0; i < run->n_classes; i++) {
        if (run->classes[i].plans[0].n_shares + run->classes[i].plans[1].n_shares > 0) {
            return true;
        }
    }
    return false;
}

/* Whether some asker gets endpoints on whose ports the Service does not listen. */
static bool has_port_mismatch(const struct pin_compile *run)
{
    for (size_t i = 0; i < run->n_classes; i++) {
        if (run->classes[i].plans[0].has_port_mismatch
            || run->classes[i].plans[1].has_port_mismatch) {
            return true;
        }
    }
    return false;
}

static void warn_service(const struct pin_compile *run, struct pin_service_unit *unit)
{
    if (unit->has_warned || !has_port_mismatch(run)) {
        return;
    }
    unit->has_warned = true;
    pin_log_warn("compile: Service %s: other clusters see its endpoints, whose ports differ from "
                 "the Service's; make them equal, set clusterIPs: routable on the network, or let "
                 "clients ask SRV",
        unit->key);
}

static bool service_name(
    const struct pin_catalog *catalog, const struct pin_service_unit *unit, struct pin_name *ret)
{
    *ret = catalog->svc_cluster_set;
    return pin_name_prepend(ret, unit->namespace_name, strlen(unit->namespace_name)) == PIN_OK
           && pin_name_prepend(ret, unit->name, strlen(unit->name)) == PIN_OK;
}

/* Whether one of the contributions to the name has a ready endpoint. */
static bool has_ready(const struct pin_facts *facts)
{
    for (size_t i = 0; i < facts->n_contributions; i++) {
        const struct pin_contribution *c = &facts->contributions[i];
        if ((c->is_exported || c->is_global) && pin_contribution_ready(c) > 0) {
            return true;
        }
    }
    return false;
}

static void compile_names(struct pin_compile *run, const struct pin_facts *facts,
    struct pin_service_unit *unit, const struct pin_name *name)
{
    struct pin_rrset rrsets[PIN_FAMILY_MAX + 2];
    for (size_t i = 0; i < run->n_classes; i++) {
        struct pin_class *class = &run->classes[i];
        for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
            class->plans[f] = pin_steer_service(&run->steer, facts, class->viewer, f);
        }
    }
    const struct pin_settings *settings = run->catalog->settings;
    if (has_failed(run)) {
        return;
    }
    if (facts->is_headless && !settings->is_headless_empty_nodata && !shows_anything(run)) {
        return; /* no ready endpoint: the name does not exist (KEP-1645) */
    }
    if (!facts->is_headless && settings->is_empty_service_nxdomain && !has_ready(facts)) {
        return;
    }
    size_t n = pin_compile_address_rrsets(run, name, rrsets);
    pin_compile_put_first(run, name, rrsets, n);
    n += pin_compile_srv(run, facts, name, &rrsets[n]);
    n += pin_compile_parts(run, facts, name, &rrsets[n]);
    pin_compile_put(run, name, rrsets, n);
    warn_service(run, unit);
}

/* Whether one of the objects that decide about the name wants each client to keep its address. */
static bool is_sticky(const struct pin_facts *facts)
{
    const struct pin_object *service = facts->annotated[0];
    const struct pin_object *import = facts->annotated[2];
    return !facts->is_headless
           && ((service != NULL && service->kind == PIN_KIND_SERVICE
                   && service->as.service.client_ip_affinity)
               || (import != NULL && import->as.import.client_ip_affinity));
}

static void count_published(struct pin_catalog *catalog, struct pin_service_unit *unit,
    const struct pin_facts *facts, bool is_published)
{
    bool is_global = is_published && facts != NULL && !facts->is_mcs;
    catalog->counts.n_services += (uint64_t)is_published - (uint64_t)unit->is_published;
    catalog->counts.n_global_services += (uint64_t)is_global - (uint64_t)unit->is_global;
    unit->is_published = is_published;
    unit->is_global = is_global;
}

uint32_t pin_compile_service(struct pin_catalog *catalog, struct pin_service_unit *unit)
{
    struct pin_compile run = pin_compile_begin(catalog, catalog->zone_cluster_set, &unit->names);
    struct pin_name name;
    bool is_published = false;
    const struct pin_facts *facts = pin_merge_facts(catalog->settings, unit, catalog->scratch);
    bool *takes_part = cluster_flags(&run);
    run.failed = run.failed || facts == NULL;
    begin_holding(&run, &unit->holds);
    if (!run.failed) { /* first: names of endpoints are answered from there */
        pin_compile_reverse(&run, facts, unit);
    }
    if (!run.failed && facts->exists && service_name(catalog, unit, &name)) {
        mark_members(unit, takes_part);
        for (size_t i = N_ELEMS(facts->annotated); i > 0; i--) {
            pin_compile_take_annotations(&run, facts->annotated[i - 1]);
        }
        run.is_whole = facts->is_headless;
        run.is_sticky = is_sticky(facts);
        if (make_zonal(&run, 1)) {
            note_zonal(&run, unit);
        }
        run.failed = run.failed || !make_classes(&run, takes_part);
        if (!run.failed) {
            compile_names(&run, facts, unit, &name);
        }
        is_published = run.names.names.bytes > unit->names.bytes;
    }
    if (!run.failed) {
        pin_compile_cluster_zones(&run, facts);
    }
    unit->is_dirty = !pin_compile_finish(&run);
    pin_holding_end(&run.holding, &unit->holds, unit->is_dirty);
    if (!unit->is_dirty) {
        count_published(catalog, unit, facts, is_published);
    }
    return run.n_names;
}

/* --- routes
 * --------------------------------------------------------------------------------------- */

/* Takes the policies of the route and its Gateways, whose coming and going it depends on. */
static void guard_route(struct pin_compile *run, struct pin_route_unit *route)
{
    const struct pin_route_body *body = &route->object->as.route;
    const struct pin_object **objects = NULL;
    for (size_t i = 0; i < body->n_parents; i++) {
        struct pin_gateway_unit *gateway = pin_unit_gateway(run->catalog, route->cluster_id,
            body->parents[i].namespace_name, body->parents[i].name);
        if (gateway != NULL) {
            pin_unit_depend(route, &gateway->subject);
        }
    }
    pin_writes_depend(run->catalog, route);
    size_t n = pin_policy_of_route(run->catalog, route, run->steer.arena, &objects);
    if (n > 0 && n != SIZE_MAX) {
        run->policy = pin_policy_new(run->catalog->settings, objects, n);
    }
    run->failed = run->failed || (n > 0 && run->policy == NULL);
}

static void plan_route(struct pin_compile *run, struct pin_route_unit *route, bool *takes_part)
{
    pin_unit_forget_depends(run->catalog, route);
    /* What a route draws on does not depend on who asks: one dry plan tells whom to ask for. */
    (void)pin_steer_route(&run->steer, route, pin_viewer_of(run->catalog, 0), PIN_FAMILY_V4);
    if (!make_zonal(run, route->n_depends_on)) {
        return;
    }
    for (size_t i = 0; i < route->n_depends_on; i++) {
        if (route->depends_on[i]->service != NULL) {
            mark_members(route->depends_on[i]->service, takes_part);
            note_zonal(run, route->depends_on[i]->service);
        }
    }
    if (!make_classes(run, takes_part)) {
        run->failed = true;
        return;
    }
    for (size_t i = 0; i < run->n_classes; i++) {
        struct pin_class *class = &run->classes[i];
        for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
            class->plans[f] = pin_steer_route(&run->steer, route, class->viewer, f);
        }
    }
}

/* All ports that some class is shown. */
static struct pin_plan route_ports(struct pin_compile *run)
{
    struct pin_plan all = {0};
    for (size_t i = 0; i < run->n_classes; i++) {
        for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
            const struct pin_plan *plan = &run->classes[i].plans[f];
            for (size_t p = 0; p < plan->n_ports; p++) {
                pin_steer_add_port(&run->steer, &all, plan->ports[p]);
            }
        }
    }
    run->failed = run->failed || all.is_out_of_memory;
    return all;
}

/* SRV, SVCB and HTTPS at the assigned name, and their names below it; returns how many RRsets. */
static size_t route_services(
    struct pin_compile *run, const struct pin_route_unit *route, struct pin_rrset *ret_rrsets)
{
    struct pin_plan all = route_ports(run);
    struct pin_facts facts = {.ports = all.ports, .n_ports = all.n_ports};
    size_t n = pin_compile_srv(run, &facts, &route->assigned, ret_rrsets);
    return n + (run->failed ? 0 : pin_compile_svcb(run, route, &all, ret_rrsets + n));
}

static void warn_route(const struct pin_compile *run, struct pin_route_unit *route)
{
    if (route->has_warned || !has_port_mismatch(run)) {
        return;
    }
    route->has_warned = true;
    pin_log_warn("compile: %s %s/%s: some askers get endpoints whose ports differ from the "
                 "Service's; see `pintlectl explain`",
        pin_kind_text(route->object->kind), route->object->namespace_name, route->object->name);
}

uint32_t pin_compile_route(struct pin_catalog *catalog, struct pin_route_unit *route)
{
    struct pin_compile run = pin_compile_begin(catalog, catalog->zone_assigned, &route->names);
    struct pin_rrset rrsets[PIN_FAMILY_MAX + 3];
    bool *takes_part = cluster_flags(&run);
    begin_holding(&run, &route->holds);
    if (!run.failed && !route->is_gone) {
        pin_compile_take_annotations(&run, route->object);
        run.counted = route;
        plan_route(&run, route, takes_part);
        guard_route(&run, route);
        run.failed = run.failed || route->misses_depend;
    }
    if (!run.failed && !route->is_gone) {
        size_t n = pin_compile_address_rrsets(&run, &route->assigned, rrsets);
        pin_compile_put_first(&run, &route->assigned, rrsets, n);
        n += route_services(&run, route, &rrsets[n]);
        pin_compile_put(&run, &route->assigned, rrsets, n);
        warn_route(&run, route);
    }
    if (route->is_gone) {
        pin_unit_forget_depends(catalog, route);
    }
    route->is_dirty = !pin_compile_finish(&run);
    pin_holding_end(&run.holding, &route->holds, route->is_dirty);
    pin_policy_unref(run.policy);
    return run.n_names;
}
