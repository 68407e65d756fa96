/* SPDX-License-Identifier: Apache-2.0 */

/* One RRset from the tables of all classes: which of them is the base, and which views differ. */

#include "zones/compile.h"

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
    uint16_t n_tables = 0;
    for (size_t view = 0; view < run->n_views; view++) {
        const struct pin_table *table = tables[run->class_of_view[view]];
        n_variants = (uint16_t)(n_variants + (table != inherited(run, tables, base, view)));
        has_any = has_any || table != NULL;
    }
    struct pin_variant *variants =
        pin_arena_alloc(run->steer.arena, (n_variants + 1u) * sizeof(*variants));
    const struct pin_table **list =
        pin_arena_alloc(run->steer.arena, (n_variants + 1u) * sizeof(struct pin_table *));
    if (variants == NULL || list == NULL) {
        run->failed = true;
        return false;
    }
    uint16_t n = 0;
    for (size_t view = 0; view < run->n_views; view++) {
        const struct pin_table *table = tables[run->class_of_view[view]];
        if (table != inherited(run, tables, base, view)) {
            uint16_t view_id = run->is_cluster_zone && view > 0 ? PIN_VIEW_OWN : (uint16_t)view;
            variants[n++] = (struct pin_variant){
                .view_id = view_id, .table_i = table_position(list, &n_tables, table)};
        }
    }
    *ret_rrset = (struct pin_rrset){.type = type,
        .base = base,
        .n_variants = n_variants,
        .n_tables = n_tables,
        .tables = list,
        .variants = variants};
    return has_any;
}
