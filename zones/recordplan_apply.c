/* SPDX-License-Identifier: Apache-2.0 */

/* The zone that a plan leads to. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/hash.h"
#include "pintle/base/text.h"
#include "pintle/zones/recordplan.h"

/* The zone under construction: sets by name, type and set id. */
struct draft {
    struct pin_arena *arena;
    struct pin_map sets;
    struct pin_text key;
    bool failed;
};

static void put_key(struct pin_text *key, const char *name, const char *type, const char *set_id)
{
    pin_text_cut(key, 0);
    pin_text_puts(key, name);
    pin_text_putc(key, '\0');
    pin_text_puts(key, type);
    pin_text_putc(key, '\0');
    pin_text_puts(key, set_id);
}

/* The set of that key; a new one without values when there was none. NULL: memory is out. */
static struct pin_recordset *get_set(
    struct draft *draft, const char *name, const char *type, const char *set_id)
{
    put_key(&draft->key, name, type, set_id);
    if (draft->key.failed) {
        draft->failed = true;
        return NULL;
    }
    struct pin_recordset *set = pin_map_find(&draft->sets, draft->key.ptr, draft->key.len);
    if (set == NULL) {
        set = pin_arena_alloc(draft->arena, sizeof(*set));
        if (set == NULL || !pin_map_put(&draft->sets, draft->key.ptr, draft->key.len, set, NULL)) {
            draft->failed = true;
            return NULL;
        }
        set->name = name;
        set->type = type;
        set->set_id = set_id;
    }
    return set;
}

/* Notes the texts of values, of which a set may have very many. False: memory is out. */
static bool note_texts(struct pin_map *texts, const struct pin_recordset_value *values, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!pin_map_put_borrowed(texts, values[i].text, strlen(values[i].text), texts, NULL)) {
            return false;
        }
    }
    return true;
}

/* Takes the values of a set out, or puts those of another in. */
static void change_values(struct draft *draft, struct pin_recordset *set,
    const struct pin_recordset_value *out, size_t n_out, const struct pin_recordset_value *in,
    size_t n_in)
{
    struct pin_map texts = {0};
    size_t n = 0;
    struct pin_recordset_value *values =
        pin_arena_alloc(draft->arena, (set->n_values + n_in) * sizeof(*values));
    if (values == NULL || !note_texts(&texts, out, n_out) || !note_texts(&texts, in, n_in)) {
        pin_map_done(&texts, NULL);
        draft->failed = true;
        return;
    }
    for (size_t i = 0; i < set->n_values; i++) {
        const char *text = set->values[i].text;
        if (pin_map_find(&texts, text, strlen(text)) == NULL) {
            values[n++] = set->values[i];
        }
    }
    for (size_t i = 0; i < n_in; i++) {
        values[n++] = in[i];
    }
    pin_map_done(&texts, NULL);
    set->values = values;
    set->n_values = n;
    if (!pin_recordset_tidy(set, draft->arena)) {
        draft->failed = true;
    }
}

static void apply_change(struct draft *draft, const struct pin_recordplan_change *change)
{
    const struct pin_recordset *old_set = change->old_set;
    const struct pin_recordset *new_set = change->new_set;
    struct pin_recordset *set = get_set(draft, change->name, change->type, change->set_id);
    if (set != NULL && old_set != new_set) {
        change_values(draft, set, old_set == NULL ? NULL : old_set->values,
            old_set == NULL ? 0 : old_set->n_values, new_set == NULL ? NULL : new_set->values,
            new_set == NULL ? 0 : new_set->n_values);
        if (new_set != NULL) {
            set->ttl_s = new_set->ttl_s;
            set->properties = new_set->properties;
            set->n_properties = new_set->n_properties;
        }
    }
    for (size_t i = 0; i < change->n_txts; i++) {
        const struct pin_recordplan_txt *txt = &change->txts[i];
        struct pin_recordset_value out = {.text = txt->old_value};
        struct pin_recordset_value in = {.text = txt->new_value};
        set = get_set(draft, txt->name, "TXT", change->set_id);
        if (set != NULL) {
            change_values(draft, set, &out, txt->old_value != NULL, &in, txt->new_value != NULL);
        }
    }
}

static bool collect(struct draft *draft, struct pin_recordset **ret_sets, size_t *ret_n_sets)
{
    size_t n = 0;
    size_t cursor = 0;
    void *value = NULL;
    struct pin_recordset *sets =
        pin_arena_alloc(draft->arena, pin_map_count(&draft->sets) * sizeof(*sets));
    while (sets != NULL && pin_map_next(&draft->sets, &cursor, NULL, NULL, &value)) {
        struct pin_recordset *set = value;
        if (set->n_values > 0) {
            sets[n++] = *set;
        }
    }
    if (sets != NULL) {
        pin_recordset_sort(sets, n);
    }
    *ret_sets = sets;
    *ret_n_sets = n;
    return sets != NULL;
}

bool pin_recordplan_apply(const struct pin_recordplan *plan, const struct pin_recordset *actual,
    size_t n_actual, struct pin_arena *arena, struct pin_recordset **ret_sets, size_t *ret_n_sets)
{
    struct draft draft = {.arena = arena};
    pin_map_init(&draft.sets);
    for (size_t i = 0; i < n_actual && !draft.failed; i++) {
        struct pin_recordset *set =
            get_set(&draft, actual[i].name, actual[i].type, actual[i].set_id);
        if (set != NULL) {
            *set = actual[i];
        }
    }
    for (size_t i = 0; i < plan->n_changes && !draft.failed; i++) {
        apply_change(&draft, &plan->changes[i]);
    }
    bool is_ok = !draft.failed && collect(&draft, ret_sets, ret_n_sets);
    pin_map_done(&draft.sets, NULL);
    pin_text_done(&draft.key);
    return is_ok;
}
