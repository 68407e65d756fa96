/* SPDX-License-Identifier: Apache-2.0 */

/* What the zone holds: TXT records of the registry apart, and whose each set is. */

#include <stdlib.h>
#include <string.h>

#include "zones/recordplan_parts.h"

static int by_name(const char *name, const char *set_id, const struct pin_recordset *set)
{
    int order = strcmp(name, set->name);
    return order == 0 ? strcmp(set_id, set->set_id) : order;
}

/* Position of the first of the sorted sets (of one type) that is not before name and set id. */
static size_t lower_bound(
    const struct pin_recordset *sets, size_t n_sets, const char *name, const char *set_id)
{
    size_t low = 0;
    size_t high = n_sets;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (by_name(name, set_id, &sets[mid]) > 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

const struct pin_recordset *pin_planner_txt(
    const struct pin_planner *planner, const char *name, const char *set_id)
{
    size_t i = lower_bound(planner->txts, planner->n_txts, name, set_id);
    bool is_there = i < planner->n_txts && by_name(name, set_id, &planner->txts[i]) == 0;
    return is_there ? &planner->txts[i] : NULL;
}

struct pin_mark *pin_planner_marks(
    const struct pin_planner *planner, const char *name, const char *set_id, size_t *ret_n)
{
    size_t low = 0;
    size_t high = planner->n_marks;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (by_name(name, set_id, planner->marks[mid].txt) > 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    size_t end = low;
    while (end < planner->n_marks && by_name(name, set_id, planner->marks[end].txt) == 0) {
        end++;
    }
    *ret_n = end - low;
    return planner->marks + low;
}

bool pin_planner_has_cname(const struct pin_planner *planner, const char *name)
{
    size_t i = lower_bound(planner->cnames, planner->n_cnames, name, "");
    return i < planner->n_cnames && strcmp(planner->cnames[i].name, name) == 0;
}

/* The type that the TXT record of a set is named after. */
static const char *named_type(const struct pin_registry *registry, const struct pin_recordset *set)
{
    const char *alias = pin_recordset_property(set, "alias");
    bool is_alias = alias != NULL && strcmp(alias, "true") == 0 && strcmp(set->type, "A") == 0;
    return is_alias && registry->has_cname_alias ? "CNAME" : set->type;
}

bool pin_planner_txt_name(const struct pin_planner *planner, const struct pin_recordset *set,
    char ret_name[PIN_RECORDSET_NAME_MAX])
{
    const struct pin_registry *registry = planner->input->registry;
    return !pin_registry_is_reserved(registry, set->name)
           && pin_registry_name(
                  registry, PIN_REGISTRY_TYPED, set->name, named_type(registry, set), ret_name)
                  == PIN_OK
           && pin_planner_has_name(planner, ret_name);
}

/* --- Marks and sets ------------------------------------------------------------------------- */

/* Takes the values of a TXT set apart: marks go to the planner, the others stay in `set`. */
static void take_marks(
    struct pin_planner *planner, const struct pin_recordset *txt, struct pin_recordset *set)
{
    size_t used = 0;
    set->values =
        pin_arena_memdup(planner->arena, txt->values, txt->n_values * sizeof(*txt->values));
    if (set->values == NULL) {
        return;
    }
    for (size_t i = 0; i < txt->n_values; i++) {
        struct pin_mark mark = {.txt = txt, .value = txt->values[i].text};
        enum pin_err err =
            pin_registry_read(planner->input->registry, mark.value, planner->arena, &mark.labels);
        if (err == PIN_OK) {
            planner->marks[planner->n_marks++] = mark;
        } else {
            set->values[used++] = txt->values[i];
        }
    }
    set->n_values = used;
}

/* Splits the listing: TXT sets, CNAME sets, and all sets without what is the registry's. */
static bool split(struct pin_planner *planner)
{
    const struct pin_recordplan_input *input = planner->input;
    size_t n = input->n_actual;
    size_t n_values = 0;
    struct pin_recordset *sorted =
        pin_arena_memdup(planner->arena, input->actual, n * sizeof(*sorted));
    planner->txts = pin_arena_alloc(planner->arena, n * sizeof(*planner->txts));
    planner->cnames = pin_arena_alloc(planner->arena, n * sizeof(*planner->cnames));
    planner->there = pin_arena_alloc(planner->arena, n * sizeof(*planner->there));
    if (sorted == NULL || planner->txts == NULL || planner->cnames == NULL
        || planner->there == NULL) {
        return false;
    }
    pin_recordset_sort(sorted, n);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(sorted[i].type, "TXT") == 0) {
            planner->txts[planner->n_txts++] = sorted[i];
            n_values += sorted[i].n_values;
        } else if (strcmp(sorted[i].type, "CNAME") == 0) {
            planner->cnames[planner->n_cnames++] = sorted[i];
        }
    }
    planner->marks = pin_arena_alloc(planner->arena, n_values * sizeof(*planner->marks));
    const struct pin_recordset *txt = planner->txts;
    for (size_t i = 0; planner->marks != NULL && i < n; i++) {
        struct pin_recordset set = sorted[i];
        if (strcmp(set.type, "TXT") == 0) {
            take_marks(planner, txt++, &set);
        }
        if (set.n_values > 0) {
            planner->there[planner->n_there++].set = set;
        }
    }
    return !pin_arena_has_failed(planner->arena);
}

/* --- Ownership ------------------------------------------------------------------------------ */

static void add_marks(
    struct pin_planner *planner, struct pin_holding_set *there, const char *txt_name)
{
    size_t n = 0;
    struct pin_mark *marks = pin_planner_marks(planner, txt_name, there->set.set_id, &n);
    for (size_t i = 0; i < n && there->n_marks < PIN_MARKS_MAX; i++) {
        marks[i].n_uses++;
        there->marks[there->n_marks++] = &marks[i];
    }
}

/* All TXT records that speak of the set, in the order in which they are believed. */
static void find_marks(struct pin_planner *planner, struct pin_holding_set *there)
{
    const struct pin_registry *registry = planner->input->registry;
    const char *alias = pin_recordset_property(&there->set, "alias");
    const char *type = there->set.type;
    char txt_name[PIN_RECORDSET_NAME_MAX];
    char owned[PIN_RECORDSET_NAME_MAX];
    const char *owned_type = NULL;
    if (pin_registry_name(registry, PIN_REGISTRY_TYPED, there->set.name, type, txt_name)
        == PIN_OK) {
        add_marks(planner, there, txt_name);
    }
    if (alias != NULL && strcmp(type, "A") == 0
        && pin_registry_name(registry, PIN_REGISTRY_TYPED, there->set.name, "CNAME", txt_name)
               == PIN_OK) {
        add_marks(planner, there, txt_name);
    }
    /* The old form does not say the type. One that could be read as a new one is a new one. */
    if (strcmp(type, "AAAA") != 0
        && pin_registry_name(registry, PIN_REGISTRY_LEGACY, there->set.name, type, txt_name)
               == PIN_OK
        && pin_registry_owned(registry, txt_name, owned, &owned_type) && *owned_type == '\0') {
        add_marks(planner, there, txt_name);
    }
}

static bool is_owner(const struct pin_mark *mark, const char *owner)
{
    return mark->labels.owner != NULL && strcmp(mark->labels.owner, owner) == 0;
}

static enum pin_ownership ownership_of(
    const struct pin_planner *planner, const struct pin_holding_set *there)
{
    if (there->n_marks == 0) {
        return PIN_OWNED_BY_NOBODY;
    }
    const char *owner = there->marks[0]->labels.owner;
    for (size_t i = 0; i < there->n_marks; i++) {
        if (owner == NULL || !is_owner(there->marks[i], owner)) {
            return owner == NULL ? PIN_OWNED_BY_NOBODY : PIN_OWNED_BY_TWO;
        }
    }
    return is_owner(there->marks[0], planner->input->registry->owner) ? PIN_OWNED_BY_US
                                                                      : PIN_OWNED_BY_OTHER;
}

void pin_planner_read_actual(struct pin_planner *planner)
{
    if (!split(planner)) {
        return;
    }
    for (size_t i = 0; i < planner->n_there; i++) {
        struct pin_holding_set *there = &planner->there[i];
        if (!planner->input->has_set_ids) {
            there->set.n_properties = 0;
        }
        if (pin_registry_is_reserved(planner->input->registry, there->set.name)) {
            continue; /* what its TXT record says, it says of the wildcard */
        }
        find_marks(planner, there);
        there->ownership = ownership_of(planner, there);
        struct pin_recordset_value *values = pin_arena_memdup(
            planner->arena, there->set.values, there->set.n_values * sizeof(*values));
        if (values == NULL) {
            return;
        }
        there->set.values = values;
        (void)pin_registry_read_origins(
            there->n_marks == 0 ? NULL : there->marks[0]->labels.origins, &there->set,
            planner->arena);
    }
}
