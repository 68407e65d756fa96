/* SPDX-License-Identifier: Apache-2.0 */

/* Makes, compares and frees tables. */

#include "zones/tables.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/index.h"

/* Where the parts lie behind the struct: widest alignment first. */
struct layout {
    size_t extras_at;
    size_t cumulative_at;
    size_t clusters_at;
    size_t wire_at;
    size_t bytes;
};

static struct layout lay_out(
    size_t n_extras, size_t n_cumulative, size_t n_clusters, size_t wire_bytes)
{
    struct layout layout;
    layout.extras_at = sizeof(struct pin_table);
    layout.cumulative_at = layout.extras_at + n_extras * sizeof(struct pin_extra);
    layout.clusters_at = layout.cumulative_at + n_cumulative * sizeof(uint64_t);
    layout.wire_at = layout.clusters_at + n_clusters * sizeof(uint16_t);
    layout.bytes = layout.wire_at + wire_bytes;
    return layout;
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

/* Copies the parts of `spec` to where `layout` puts them. */
static void fill(struct pin_table *table, const struct layout *layout,
    const struct pin_table_spec *spec, bool has_cumulative)
{
    char *base = (char *)table;
    struct pin_extra *extras = (struct pin_extra *)(void *)(base + layout->extras_at);
    uint64_t *cumulative = (uint64_t *)(void *)(base + layout->cumulative_at);

    for (uint16_t i = 0; i < spec->n_extras; i++) {
        extras[i] = spec->extras[i];
        pin_table_ref(extras[i].a);
        pin_table_ref(extras[i].aaaa);
    }
    table->extras = extras;
    table->total = spec->n_rr;
    if (has_cumulative) {
        uint64_t sum = 0;
        for (uint16_t i = 0; i < spec->n_rr; i++) {
            sum += spec->weights[i];
            cumulative[i] = sum;
        }
        table->cumulative = cumulative;
        table->total = sum;
    }
    if (spec->n_clusters > 0) {
        memcpy(base + layout->clusters_at, spec->clusters, spec->n_clusters * sizeof(uint16_t));
    }
    table->clusters = (const uint16_t *)(const void *)(base + layout->clusters_at);
    memcpy(base + layout->wire_at, spec->wire, spec->wire_bytes);
    table->wire = (const uint8_t *)base + layout->wire_at;
}

struct pin_table *pin_table_new(const struct pin_table_spec *spec)
{
    bool has_cumulative =
        spec->form == PIN_TABLE_DRAWN
        && (!are_equal_weights(spec->weights, spec->n_rr)
            || (spec->nodata != 0 && spec->weights[0] != 1)); /* they share a unit */
    struct layout layout = lay_out(
        spec->n_extras, has_cumulative ? spec->n_rr : 0, spec->n_clusters, spec->wire_bytes);
    struct pin_table *table = malloc(layout.bytes);
    if (table == NULL) {
        return NULL;
    }
    *table = (struct pin_table){
        .form = spec->form,
        .mode = spec->mode,
        .is_whole = spec->is_whole,
        .n_rr = spec->n_rr,
        .n_pick_max = spec->n_pick_max,
        .rr_bytes = spec->rr_bytes,
        .n_clusters = spec->n_clusters,
        .n_extras = spec->n_extras,
        .wire_bytes = spec->wire_bytes,
        .n_refs = 1,
        .nodata = spec->nodata,
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
    for (uint16_t i = 0; i < a->n_extras; i++) {
        if (a->extras[i].target_offset != b->extras[i].target_offset
            || a->extras[i].a != b->extras[i].a || a->extras[i].aaaa != b->extras[i].aaaa) {
            return false;
        }
    }
    return true;
}

bool pin_table_equal(const struct pin_table *a, const struct pin_table *b)
{
    if (a->form != b->form || a->mode != b->mode || a->is_whole != b->is_whole || a->n_rr != b->n_rr
        || a->n_pick_max != b->n_pick_max || a->rr_bytes != b->rr_bytes
        || a->n_clusters != b->n_clusters || a->n_extras != b->n_extras
        || a->wire_bytes != b->wire_bytes || a->total != b->total || a->nodata != b->nodata
        || (a->cumulative == NULL) != (b->cumulative == NULL)) {
        return false;
    }
    if (a->cumulative != NULL
        && memcmp(a->cumulative, b->cumulative, a->n_rr * sizeof(uint64_t)) != 0) {
        return false;
    }
    return memcmp(a->wire, b->wire, a->wire_bytes) == 0
           && memcmp(a->clusters, b->clusters, a->n_clusters * sizeof(uint16_t)) == 0
           && are_extras_equal(a, b);
}

size_t pin_table_bytes(const struct pin_table *table)
{
    return lay_out(table->n_extras, table->cumulative != NULL ? table->n_rr : 0, table->n_clusters,
        table->wire_bytes)
        .bytes;
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
