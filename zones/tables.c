/* SPDX-License-Identifier: Apache-2.0 */

/* Makes, compares and frees tables. */

#include "zones/tables.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/zones/index.h"

/* Where the parts lie behind the struct: widest alignment first. */
struct layout {
    size_t extras_at;
    size_t uneven_at;
    size_t cumulative_at;
    size_t checked_at;
    size_t groups_at;
    size_t clusters_at;
    size_t wire_at; /* readers find the two in front of it from here, and the parts behind it */
    size_t bytes;
};

/* How many of each part there are. */
struct counts {
    size_t n_extras;
    bool is_uneven;
    size_t n_cumulative;
    size_t n_clusters;
    size_t n_grouped; /* RRs that have a group */
    size_t wire_bytes;
    size_t n_parted;                   /* RRs that have a part */
    const struct pin_checked *checked; /* or NULL */
};

/* Bytes of a struct pin_checked with what it points at, which lies behind it. */
static size_t checked_bytes(const struct pin_checked *checked)
{
    return checked == NULL ? 0
                           : sizeof(*checked) + checked->n_groups * sizeof(*checked->groups)
                                 + checked->n_items * sizeof(*checked->items)
                                 + checked->n_members * sizeof(*checked->members)
                                 + checked->n_backends * sizeof(*checked->backends);
}

static struct layout lay_out(const struct counts *counts)
{
    struct layout layout;
    layout.extras_at = sizeof(struct pin_table);
    layout.uneven_at = layout.extras_at + counts->n_extras * sizeof(struct pin_extra);
    layout.cumulative_at = layout.uneven_at + (counts->is_uneven ? sizeof(struct pin_uneven) : 0);
    layout.checked_at = layout.cumulative_at + counts->n_cumulative * sizeof(uint64_t);
    layout.groups_at = layout.checked_at + checked_bytes(counts->checked);
    layout.clusters_at = layout.groups_at + counts->n_grouped * sizeof(uint16_t);
    layout.wire_at = layout.clusters_at + counts->n_clusters * sizeof(uint16_t);
    layout.bytes = layout.wire_at + counts->wire_bytes + counts->n_parted;
    return layout;
}

/* Copies n elements to where *at stands, moves on and returns the copy. */
static const void *put_array(char **at, const void *from, size_t n, size_t element_bytes)
{
    void *to = *at;
    if (n > 0) {
        memcpy(to, from, n * element_bytes);
    }
    *at += n * element_bytes;
    return to;
}

/* Copies it with all it points at; all of its parts have an alignment of 4. */
static const struct pin_checked *put_checked(char *at, const struct pin_checked *from)
{
    struct pin_checked *to = (struct pin_checked *)(void *)at;
    *to = *from;
    at += sizeof(*to);
    to->groups = put_array(&at, from->groups, from->n_groups, sizeof(*from->groups));
    to->items = put_array(&at, from->items, from->n_items, sizeof(*from->items));
    to->members = put_array(&at, from->members, from->n_members, sizeof(*from->members));
    to->backends = put_array(&at, from->backends, from->n_backends, sizeof(*from->backends));
    return to;
}

static bool are_checked_equal(const struct pin_checked *a, const struct pin_checked *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return a->all_down == b->all_down && a->up_percent == b->up_percent
           && a->keeps_nodata == b->keeps_nodata && a->n_limit == b->n_limit
           && a->window_s == b->window_s && a->n_backends == b->n_backends
           && a->n_groups == b->n_groups && a->n_items == b->n_items && a->n_members == b->n_members
           && memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)) == 0
           && memcmp(a->items, b->items, a->n_items * sizeof(*a->items)) == 0
           && memcmp(a->members, b->members, a->n_members * sizeof(*a->members)) == 0
           && memcmp(a->backends, b->backends, a->n_backends * sizeof(*a->backends)) == 0;
}

static bool are_equal_weights(const uint64_t *weights, uint16_t n)
{
    for (uint16_t i = 1; i < n; i++) {
        if (weights[i] != weights[0]) {
            return false;
        }
    }
    return true;
}

static const struct pin_uneven *put_uneven(
    char *base, const struct layout *layout, const struct pin_table_spec *spec, bool has_cumulative)
{
    struct pin_uneven *uneven = (struct pin_uneven *)(void *)(base + layout->uneven_at);
    *uneven = (struct pin_uneven){.total = spec->n_rr, .nodata = spec->nodata};
    if (has_cumulative) {
        uint64_t *cumulative = (uint64_t *)(void *)(base + layout->cumulative_at);
        uint64_t sum = 0;
        for (uint16_t i = 0; i < spec->n_rr; i++) {
            sum += spec->weights[i];
            cumulative[i] = sum;
        }
        uneven->cumulative = cumulative;
        uneven->total = sum;
    }
    if (spec->checked != NULL) {
        uneven->checked = put_checked(base + layout->checked_at, spec->checked);
    }
    return uneven;
}

/* Copies the parts of `spec` to where `layout` puts them. */
static void fill(struct pin_table *table, const struct layout *layout,
    const struct pin_table_spec *spec, bool has_cumulative)
{
    char *base = (char *)table;
    struct pin_extra *extras = (struct pin_extra *)(void *)(base + layout->extras_at);

    for (uint16_t i = 0; i < spec->n_extras; i++) {
        extras[i] = spec->extras[i];
        pin_table_ref(extras[i].a);
        pin_table_ref(extras[i].aaaa);
    }
    if (layout->cumulative_at > layout->uneven_at) {
        table->uneven = put_uneven(base, layout, spec, has_cumulative);
    }
    if (spec->n_clusters > 0) {
        memcpy(base + layout->clusters_at, spec->clusters, spec->n_clusters * sizeof(uint16_t));
    }
    if (spec->n_groups > 0) {
        memcpy(base + layout->groups_at, spec->group_of, spec->n_rr * sizeof(uint16_t));
    }
    memcpy(base + layout->wire_at, spec->wire, spec->wire_bytes);
    table->wire = (const uint8_t *)base + layout->wire_at;
    if (spec->tally != NULL) {
        memcpy(base + layout->wire_at + spec->wire_bytes, spec->tally->part_of, spec->n_rr);
    }
}

struct pin_table *pin_table_new(const struct pin_table_spec *spec)
{
    bool has_cumulative =
        spec->form == PIN_TABLE_DRAWN
        && (!are_equal_weights(spec->weights, spec->n_rr)
            || (spec->nodata != 0 && spec->weights[0] != 1)); /* they share a unit */
    struct layout layout = lay_out(&(struct counts){.n_extras = spec->n_extras,
        .is_uneven = has_cumulative || spec->nodata != 0 || spec->checked != NULL,
        .n_cumulative = has_cumulative ? spec->n_rr : 0,
        .n_clusters = spec->n_clusters,
        .n_grouped = spec->n_groups > 0 ? spec->n_rr : 0,
        .wire_bytes = spec->wire_bytes,
        .n_parted = spec->tally != NULL ? spec->n_rr : 0,
        .checked = spec->checked});
    struct pin_table *table = malloc(layout.bytes);
    if (table == NULL) {
        return NULL;
    }
    *table = (struct pin_table){
        .form = spec->form,
        .mode = spec->mode,
        .is_whole = spec->is_whole,
        .is_sticky = spec->is_sticky,
        .n_rr = spec->n_rr,
        .n_pick_max = spec->n_pick_max,
        .rr_bytes = spec->rr_bytes,
        .n_clusters = spec->n_clusters,
        .n_extras = spec->n_extras,
        .n_groups = spec->n_groups,
        .wire_bytes = spec->wire_bytes,
        .n_parts = spec->tally != NULL ? (uint16_t)spec->tally->n_parts : 0,
        .n_refs = 1,
        .slots = spec->slots,
    };
    if (spec->slots != NULL) {
        table->slot = pin_slots_take(spec->slots);
    }
    fill(table, &layout, spec, has_cumulative);
    return table;
}

static bool are_extras_equal(const struct pin_table *a, const struct pin_table *b)
{
    const struct pin_extra *x = pin_table_extras(a);
    const struct pin_extra *y = pin_table_extras(b);
    for (uint16_t i = 0; i < a->n_extras; i++) {
        if (x[i].target_offset != y[i].target_offset || x[i].a != y[i].a
            || x[i].aaaa != y[i].aaaa) {
            return false;
        }
    }
    return true;
}

static bool are_cumulative_equal(const struct pin_table *a, const struct pin_table *b)
{
    const uint64_t *x = pin_table_cumulative(a);
    const uint64_t *y = pin_table_cumulative(b);
    return x == NULL || y == NULL ? x == y : memcmp(x, y, a->n_rr * sizeof(*x)) == 0;
}

bool pin_table_equal(const struct pin_table *a, const struct pin_table *b)
{
    if (a->form != b->form || a->mode != b->mode || a->is_whole != b->is_whole || a->n_rr != b->n_rr
        || a->n_pick_max != b->n_pick_max || a->rr_bytes != b->rr_bytes
        || a->n_clusters != b->n_clusters || a->n_extras != b->n_extras
        || a->wire_bytes != b->wire_bytes || pin_table_total(a) != pin_table_total(b)
        || pin_table_nodata(a) != pin_table_nodata(b) || a->is_sticky != b->is_sticky
        || a->n_groups != b->n_groups || a->n_parts != b->n_parts || !are_cumulative_equal(a, b)) {
        return false;
    }
    return memcmp(a->wire, b->wire, a->wire_bytes) == 0
           && memcmp(pin_table_clusters(a), pin_table_clusters(b), a->n_clusters * sizeof(uint16_t))
                  == 0
           && (a->n_groups == 0
               || memcmp(pin_table_groups(a), pin_table_groups(b), a->n_rr * sizeof(uint16_t)) == 0)
           && (a->n_parts == 0 || memcmp(pin_table_parts(a), pin_table_parts(b), a->n_rr) == 0)
           && are_extras_equal(a, b)
           && are_checked_equal(pin_table_checked(a), pin_table_checked(b));
}

uint32_t pin_slots_take(struct pin_slots *slots)
{
    return slots->n_free > 0 ? slots->free[--slots->n_free] : slots->n_used++;
}

void pin_slots_give(struct pin_slots *slots, uint32_t slot)
{
    if (slots->n_free == slots->cap_free) {
        size_t cap_free = slots->cap_free == 0 ? 64 : 2 * slots->cap_free;
        uint32_t *grown = realloc(slots->free, cap_free * sizeof(*grown));
        if (grown == NULL) {
            return; /* the slot is lost, nothing else */
        }
        slots->free = grown;
        slots->cap_free = cap_free;
    }
    slots->free[slots->n_free++] = slot;
}

void pin_slots_done(struct pin_slots *slots)
{
    free(slots->free);
    *slots = (struct pin_slots){0};
}
