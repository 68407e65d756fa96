/* SPDX-License-Identifier: Apache-2.0 */

/* Changes, each with the TXT records that have to change with its set. */

#include <string.h>

#include "pintle/base/compare.h"

#include "zones/recordplan_parts.h"

static struct pin_recordplan_change *add_change(struct pin_planner *planner,
    enum pin_recordplan_op op, const struct pin_recordset *set, size_t n_txts_max)
{
    struct pin_recordplan_change *changes = pin_planner_grow(planner, planner->changes,
        &planner->n_changes, &planner->cap_changes, sizeof(*planner->changes));
    if (changes == NULL) {
        return NULL;
    }
    planner->changes = changes;
    struct pin_recordplan_change *change = &changes[planner->n_changes - 1];
    change->op = op;
    change->name = set->name;
    change->type = set->type;
    change->set_id = set->set_id;
    change->txts = pin_arena_alloc(planner->arena, n_txts_max * sizeof(*change->txts));
    return change->txts == NULL ? NULL : change;
}

/* A copy that lives as long as the plan. */
static const struct pin_recordset *keep(
    struct pin_planner *planner, const struct pin_recordset *set)
{
    return pin_arena_memdup(planner->arena, set, sizeof(*set));
}

/* Says what becomes of one TXT value; the others of its name are looked up. */
static void add_txt(struct pin_planner *planner, struct pin_recordplan_change *change,
    const char *name, const char *old_value, const char *new_value)
{
    struct pin_recordplan_txt *txt = &change->txts[change->n_txts++];
    const struct pin_recordset *there = pin_planner_txt(planner, name, change->set_id);
    size_t n_there = there == NULL ? 0 : there->n_values;
    const char **others = pin_arena_alloc(planner->arena, n_there * sizeof(*others));
    txt->name = pin_arena_strdup(planner->arena, name);
    txt->old_value = old_value;
    txt->new_value = new_value;
    txt->ttl_s = there == NULL ? 0 : there->ttl_s;
    txt->others = others;
    for (size_t i = 0; others != NULL && i < n_there; i++) {
        if (old_value == NULL || strcmp(there->values[i].text, old_value) != 0) {
            others[txt->n_others++] = there->values[i].text;
        }
    }
}

/* What our TXT record of a set says; `before` is what it said, or NULL. */
static const char *write_labels(struct pin_planner *planner, const struct pin_recordset *set,
    const char *resource, const struct pin_registry_labels *before,
    struct pin_registry_labels *ret_labels)
{
    *ret_labels = before == NULL ? (struct pin_registry_labels){0} : *before;
    ret_labels->owner = planner->input->registry->owner;
    ret_labels->resource = resource;
    const char *value =
        pin_registry_write_origins(planner->input->registry, ret_labels, set, planner->arena);
    planner->failed |= value == NULL;
    return value;
}

void pin_planner_create(struct pin_planner *planner, struct pin_want *want)
{
    char txt_name[PIN_RECORDSET_NAME_MAX];
    struct pin_registry_labels labels;
    size_t n_marks = 0;
    if (!pin_planner_txt_name(planner, &want->set, txt_name)) {
        return; /* such a claim was refused */
    }
    struct pin_recordplan_change *change =
        add_change(planner, PIN_RECORDPLAN_CREATE, &want->set, 1);
    if (change == NULL) {
        return;
    }
    struct pin_mark *marks = pin_planner_marks(planner, txt_name, want->set.set_id, &n_marks);
    const char *resource = pin_planner_resource(planner, &want->set.sources[0]);
    const char *value = write_labels(
        planner, &want->set, resource, n_marks == 0 ? NULL : &marks[0].labels, &labels);
    change->new_set = keep(planner, &want->set);
    if (n_marks == 0 || value == NULL || strcmp(marks[0].value, value) != 0) {
        add_txt(planner, change, txt_name, n_marks == 0 ? NULL : marks[0].value, value);
    }
    for (size_t i = 0; i < n_marks; i++) {
        marks[i].n_uses++;
    }
}

void pin_planner_delete(struct pin_planner *planner, struct pin_holding_set *there)
{
    struct pin_recordplan_change *change =
        add_change(planner, PIN_RECORDPLAN_DELETE, &there->set, there->n_marks);
    if (change == NULL) {
        return;
    }
    change->old_set = keep(planner, &there->set);
    change->is_replaced = there->is_in_way;
    for (size_t i = 0; i < there->n_marks; i++) {
        if (there->marks[i]->n_uses == 1) { /* it speaks of no other set, as one of old may */
            add_txt(planner, change, there->marks[i]->txt->name, there->marks[i]->value, NULL);
        }
    }
}

/* Puts the TXT record right: in its place, or a new one where the old one is of the old form. */
static void rewrite_mark(struct pin_planner *planner, struct pin_recordplan_change *change,
    struct pin_holding_set *there, const char *value)
{
    char txt_name[PIN_RECORDSET_NAME_MAX];
    char owned[PIN_RECORDSET_NAME_MAX];
    const char *type = "";
    const struct pin_mark *mark = there->marks[0];
    bool is_typed = pin_registry_owned(planner->input->registry, mark->txt->name, owned, &type)
                    && *type != '\0';
    if (is_typed || !pin_planner_txt_name(planner, &there->set, txt_name)) {
        add_txt(planner, change, mark->txt->name, mark->value, value);
    } else {
        add_txt(planner, change, txt_name, NULL, value);
    }
}

void pin_planner_update(struct pin_planner *planner, struct pin_holding_set *there,
    const struct pin_recordset *set, const char *resource)
{
    const struct pin_mark *mark = there->marks[0];
    struct pin_registry_labels labels;
    struct pin_recordset after = *set;
    after.ttl_s = set->ttl_s == 0 ? there->set.ttl_s : set->ttl_s;
    bool has_same_properties = pin_recordset_properties_cmp(&after, &there->set) == 0;
    bool has_same_data = after.ttl_s == there->set.ttl_s && has_same_properties
                         && pin_recordset_same_values(&after, &there->set);
    const char *value = write_labels(planner, &after, resource, &mark->labels, &labels);
    bool has_same_labels =
        pin_is_same_text(labels.resource, mark->labels.resource)
        && (mark->labels.origins == NULL || pin_is_same_text(labels.origins, mark->labels.origins));
    if (has_same_data && has_same_labels) {
        return;
    }
    struct pin_recordplan_change *change =
        add_change(planner, PIN_RECORDPLAN_UPDATE, &there->set, 1);
    if (change == NULL) {
        return;
    }
    change->old_set = keep(planner, &there->set);
    change->new_set = has_same_data ? change->old_set : keep(planner, &after);
    /* A TXT record follows the routing properties of its set. */
    if (!has_same_properties || value == NULL || strcmp(value, mark->value) != 0) {
        rewrite_mark(planner, change, there, value);
    }
}

void pin_planner_adopt(struct pin_planner *planner, struct pin_holding_set *there)
{
    struct pin_recordplan_change *change =
        add_change(planner, PIN_RECORDPLAN_UPDATE, &there->set, there->n_marks);
    if (change == NULL) {
        return;
    }
    change->old_set = keep(planner, &there->set);
    change->new_set = change->old_set;
    for (size_t i = 0; i < there->n_marks; i++) {
        struct pin_mark *mark = there->marks[i];
        struct pin_registry_labels labels = mark->labels;
        labels.owner = planner->input->registry->owner;
        if (!mark->is_adopted) {
            mark->is_adopted = true; /* one of old may speak of several sets */
            const char *value =
                pin_registry_write(planner->input->registry, &labels, planner->arena);
            planner->failed |= value == NULL;
            add_txt(planner, change, mark->txt->name, mark->value, value);
        }
    }
}

/* --- TXT records without their set ------------------------------------------------------------ */

/* The first set of a name that is there, or NULL; *ret_n follow each other. */
static const struct pin_holding_set *sets_at(
    const struct pin_planner *planner, const char *name, size_t *ret_n)
{
    size_t low = 0;
    size_t high = planner->n_there;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(planner->there[mid].set.name, name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    size_t end = low;
    while (end < planner->n_there && strcmp(planner->there[end].set.name, name) == 0) {
        end++;
    }
    *ret_n = end - low;
    return planner->there + low;
}

/* Whether a TXT record may have been meant for something that is there: where a name is called like
 * the wildcard's word, or, where there are aliases, by a CNAME's name. It waits until that is gone.
 */
static bool may_be_meant(const struct pin_planner *planner, const struct pin_mark *mark,
    const char *name, const char *type)
{
    size_t n = 0;
    const struct pin_holding_set *there = sets_at(planner, name, &n);
    for (size_t i = 0; i < n; i++) {
        bool is_alias = planner->input->has_set_ids && strcmp(type, "CNAME") == 0;
        bool is_same = strcmp(there[i].set.type, type) == 0
                       && strcmp(there[i].set.set_id, mark->txt->set_id) == 0;
        if (is_alias || is_same) {
            return true;
        }
    }
    return false;
}

static bool is_orphan(const struct pin_planner *planner, const struct pin_mark *mark,
    char ret_name[PIN_RECORDSET_NAME_MAX], const char **ret_type)
{
    const struct pin_recordplan_input *input = planner->input;
    return mark->n_uses == 0 && mark->labels.owner != NULL
           && strcmp(mark->labels.owner, input->registry->owner) == 0
           && pin_registry_owned(input->registry, mark->txt->name, ret_name, ret_type)
           && **ret_type != '\0' && pin_planner_has_name(planner, ret_name)
           && !may_be_meant(planner, mark, ret_name, *ret_type);
}

void pin_planner_delete_orphans(struct pin_planner *planner)
{
    for (size_t i = 0; i < planner->n_marks; i++) {
        const struct pin_mark *mark = &planner->marks[i];
        char name[PIN_RECORDSET_NAME_MAX];
        const char *type = NULL;
        if (!is_orphan(planner, mark, name, &type)) {
            continue;
        }
        struct pin_recordset set = {.name = pin_arena_strdup(planner->arena, name),
            .type = type,
            .set_id = mark->txt->set_id};
        struct pin_recordplan_change *change =
            set.name == NULL ? NULL : add_change(planner, PIN_RECORDPLAN_DELETE, &set, 1);
        if (change != NULL) {
            add_txt(planner, change, mark->txt->name, mark->value, NULL);
        }
    }
}
