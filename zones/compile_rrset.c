/* SPDX-License-Identifier: Apache-2.0 */

/* Tables of addresses, and RRsets from the tables of all classes: which of them is the base, and
 * which views differ. */

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/macros.h"

#include "zones/checks.h"
#include "zones/compile.h"

/* --- tables ------------------------------------------------------------------------------------
 */

static void put_address(struct pin_buf *w, const struct pin_ip *ip, uint32_t ttl_s)
{
    uint16_t bytes = ip->family == 4 ? 4 : 16;
    pin_buf_put_u16(w, PIN_OWNER_POINTER);
    pin_buf_put_u16(w, ip->family == 4 ? PIN_TYPE_A : PIN_TYPE_AAAA);
    pin_buf_put_u16(w, PIN_CLASS_IN);
    pin_buf_put_u32(w, ttl_s);
    pin_buf_put_u16(w, bytes);
    pin_buf_put_bytes(w, ip->bytes, bytes);
}

/* How many addresses one answer shows: floor(S / max W), so that no address could lie there twice.
 */
static uint16_t pick_max(const struct pin_compile *run, const struct pin_plan *plan, size_t n)
{
    uint64_t sum = 0;
    uint64_t largest = 1;
    size_t limit = PIN_MIN(n, run->catalog->settings->max_answers);
    for (size_t i = 0; i < n; i++) {
        sum += plan->shares[i].weight;
        largest = PIN_MAX(largest, plan->shares[i].weight);
    }
    if (run->is_whole) {
        return (uint16_t)n;
    }
    if (run->answers == PIN_ANSWERS_SINGLE || run->is_sticky) {
        return 1;
    }
    if (run->answers == PIN_ANSWERS_ALL || run->answers == PIN_ANSWERS_GROUP) {
        return (uint16_t)limit;
    }
    return (uint16_t)PIN_MAX(1, PIN_MIN(limit, sum / largest));
}

/* The clusters whose data a plan shows. One address may stand for several clusters. */
static uint16_t plan_clusters(const struct pin_plan *plan, uint16_t *ret_clusters)
{
    uint16_t n = 0;
    for (size_t i = 0; i < plan->n_shown; i++) {
        n = pin_compile_add_cluster(ret_clusters, n, plan->shown[i]->cluster_id);
    }
    for (size_t i = 0; i < plan->n_shares; i++) {
        if (plan->shares[i].contribution == NULL) {
            n = pin_compile_add_cluster(ret_clusters, n, plan->shares[i].cluster_id);
        }
    }
    return n;
}

/* Numbers the clusters of the first n shares, in the order they come. Returns how many there are.
 */
static uint16_t make_groups(const struct pin_plan *plan, size_t n, uint16_t *group_of)
{
    uint16_t n_groups = 0;
    for (size_t i = 0; i < n; i++) {
        size_t same = 0;
        while (plan->shares[same].cluster_id != plan->shares[i].cluster_id) {
            same++;
        }
        group_of[i] = same < i ? group_of[same] : n_groups++;
    }
    return n_groups;
}

/* More addresses than fit any message are of no use; 64 KiB of A records are 4000. */
#define SHARES_MAX 4000

static const struct pin_table *plan_table(
    struct pin_compile *run, const struct pin_name *name, const struct pin_plan *plan)
{
    size_t n = PIN_MIN(plan->n_shares, SHARES_MAX);
    uint16_t rr_bytes = plan->family_i == PIN_FAMILY_V4 ? PIN_RR_A_BYTES : PIN_RR_AAAA_BYTES;
    if (n == 0) {
        return NULL;
    }
    uint8_t *wire = pin_arena_alloc(run->steer.arena, n * rr_bytes);
    uint64_t *weights = pin_arena_alloc(run->steer.arena, n * sizeof(*weights));
    uint16_t *clusters =
        pin_arena_alloc(run->steer.arena, (plan->n_shares + plan->n_shown + 1) * sizeof(*clusters));
    if (wire == NULL || weights == NULL || clusters == NULL) {
        run->failed = true;
        return NULL;
    }
    bool is_fixed = n == 1 && plan->nodata_weight == 0;
    bool is_grouped = run->answers == PIN_ANSWERS_GROUP && !run->is_whole && !run->is_sticky;
    uint16_t *group_of = pin_arena_alloc(run->steer.arena, n * sizeof(*group_of));
    uint16_t n_groups = 0;
    if (group_of != NULL && is_grouped && !is_fixed) {
        n_groups = make_groups(plan, n, group_of);
    }
    struct pin_buf w = pin_buf_init(wire, n * rr_bytes);
    for (size_t i = 0; i < n; i++) {
        put_address(&w, &plan->shares[i].ip, run->ttl_s);
        weights[i] = plan->shares[i].weight;
    }
    const struct pin_tally_want *tally = pin_compile_tally(run, plan, n);
    struct pin_table_spec spec = {
        .form = is_fixed ? PIN_TABLE_FIXED : PIN_TABLE_DRAWN,
        .mode = run->answers,
        .is_whole = run->is_whole,
        .is_sticky = run->is_sticky && !is_fixed,
        .n_rr = (uint16_t)n,
        .n_pick_max = pick_max(run, plan, n_groups > 0 ? n_groups : n),
        .group_of = group_of,
        .n_groups = n_groups,
        .rr_bytes = rr_bytes,
        .wire = wire,
        .wire_bytes = (uint32_t)(n * rr_bytes),
        .weights = weights,
        .clusters = clusters,
        .n_clusters = plan_clusters(plan, clusters),
        .nodata = plan->nodata_weight,
        .checked = pin_checks_compile(&run->steer, plan, n, &run->checks),
        .tally = tally,
        .slots = is_fixed && tally == NULL ? NULL : pin_index_slots(run->catalog->live.index),
    };
    return pin_compile_table(
        run, &spec, pin_compile_old(run, name, pin_family_type(plan->family_i)));
}

const struct pin_table *pin_compile_addresses(struct pin_compile *run, const struct pin_name *name,
    enum pin_family_i family_i, const struct pin_ip *ips, size_t n_ips, uint16_t cluster_id)
{
    if (n_ips == 0) {
        return NULL;
    }
    uint8_t *wire = pin_arena_alloc(run->steer.arena, n_ips * PIN_RR_AAAA_BYTES);
    if (wire == NULL) {
        run->failed = true;
        return NULL;
    }
    struct pin_buf w = pin_buf_init(wire, n_ips * PIN_RR_AAAA_BYTES);
    for (size_t i = 0; i < n_ips; i++) {
        put_address(&w, &ips[i], run->ttl_s);
    }
    struct pin_table_spec spec = {
        .form = PIN_TABLE_FIXED,
        .n_rr = (uint16_t)n_ips,
        .wire = wire,
        .wire_bytes = (uint32_t)pin_buf_used(&w),
        .clusters = &cluster_id,
        .n_clusters = 1,
    };
    return pin_compile_table(run, &spec, pin_compile_old(run, name, pin_family_type(family_i)));
}

/* --- RRsets ------------------------------------------------------------------------------------
 */

/* What the view at that position shows when nothing is stored for it: its parent's, else the base.
 */
static const struct pin_table *inherited(const struct pin_compile *run,
    const struct pin_table *const *tables, const struct pin_table *base, size_t view)
{
    size_t parent = run->is_cluster_zone ? view : run->catalog->views[view].parent_id;
    return parent == view ? base : tables[run->class_of_view[parent]];
}

/* The table that most views without parent show, the first of them where several are: as the base
 * it needs no variant. */
static const struct pin_table *common_table(
    struct pin_compile *run, const struct pin_table *const *tables)
{
    uint16_t *n_views = pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*n_views));
    size_t best = run->class_of_view[0];
    if (n_views == NULL) {
        run->failed = true;
        return NULL;
    }
    for (size_t view = 0; view < run->n_views && !run->is_cluster_zone; view++) {
        if (run->catalog->views[view].parent_id != view) {
            continue;
        }
        size_t first = run->class_of_view[view]; /* the class that counts for all with its table */
        for (size_t i = 0; i < first; i++) {
            first = tables[i] == tables[first] ? i : first;
        }
        n_views[first]++;
    }
    for (size_t i = 0; i < run->n_classes; i++) {
        best = n_views[i] > n_views[best] ? i : best;
    }
    return tables[best];
}

/* The position of a table among those of the RRset; it is added when it is new. */
static uint16_t table_position(
    const struct pin_table **list, uint16_t *n, const struct pin_table *table)
{
    uint16_t i = *n; /* neighbours in the list of views often agree */
    while (i > 0 && list[i - 1] != table) {
        i--;
    }
    if (i > 0) {
        return (uint16_t)(i - 1);
    }
    list[*n] = table;
    return (*n)++;
}

bool pin_compile_rrset(struct pin_compile *run, uint16_t type,
    const struct pin_table *const *tables, struct pin_rrset *ret_rrset)
{
    const struct pin_table *base = common_table(run, tables);
    bool has_any = base != NULL;
    uint16_t n_variants = 0;
    uint16_t n_tables = 1;
    for (size_t view = 0; view < run->n_views; view++) {
        const struct pin_table *table = tables[run->class_of_view[view]];
        n_variants = (uint16_t)(n_variants + (table != inherited(run, tables, base, view)));
        has_any = has_any || table != NULL;
    }
    struct pin_variant *variants =
        pin_arena_alloc(run->steer.arena, (n_variants + 1u) * sizeof(*variants));
    const struct pin_table **list = pin_arena_alloc(
        run->steer.arena, (n_variants + 1u) * (sizeof(struct pin_table *) + sizeof(*variants)));
    if (variants == NULL || list == NULL) {
        run->failed = true;
        return false;
    }
    uint16_t n = 0;
    list[0] = base;
    for (size_t view = 0; view < run->n_views; view++) {
        const struct pin_table *table = tables[run->class_of_view[view]];
        if (table != inherited(run, tables, base, view)) {
            uint16_t view_id = run->is_cluster_zone && view > 0 ? PIN_VIEW_OWN : (uint16_t)view;
            variants[n++] = (struct pin_variant){
                .view_id = view_id, .table_i = table_position(list, &n_tables, table)};
        }
    }
    memcpy(list + n_tables, variants, n_variants * sizeof(*variants));
    *ret_rrset =
        n_variants == 0
            ? (struct pin_rrset){.type = type, .base = base}
            : (struct pin_rrset){
                .type = type, .n_variants = n_variants, .n_tables = n_tables, .tables = list};
    return has_any;
}

/* Address RRsets of the unit's main name from the plans of all classes; returns how many. */
size_t pin_compile_address_rrsets(
    struct pin_compile *run, const struct pin_name *name, struct pin_rrset *rrsets)
{
    size_t n = 0;
    const struct pin_table **tables =
        pin_arena_alloc(run->steer.arena, run->n_classes * sizeof(*tables));
    if (tables == NULL) {
        run->failed = true;
        return 0;
    }
    for (enum pin_family_i f = PIN_FAMILY_V4; f < PIN_FAMILY_MAX; f++) {
        for (size_t i = 0; i < run->n_classes; i++) {
            struct pin_class *class = &run->classes[i];
            run->failed = run->failed || class->plans[f].is_out_of_memory;
            class->tables[f] = plan_table(run, name, &class->plans[f]);
            tables[i] = class->tables[f];
        }
        n += pin_compile_rrset(run, pin_family_type(f), tables, &rrsets[n]);
    }
    return n;
}
