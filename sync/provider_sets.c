/* SPDX-License-Identifier: Apache-2.0 */

/* Listings: sets are made canonical as they come, and put in order at the end. */

#include "provider_sets.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

static bool is_left_out(const char *type)
{
    static const char *const types[] = {"SOA", "RRSIG", "NSEC", "NSEC3", "NSEC3PARAM", "ZONEMD"};
    for (size_t i = 0; i < N_ELEMS(types); i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether the dot at name[at] is escaped: of the backslashes before it one is its own. */
static bool is_escaped(const char *name, size_t at)
{
    size_t n = 0;
    while (n < at && name[at - n - 1] == '\\') {
        n++;
    }
    return n % 2 == 1;
}

/* An escaped dot ends no label. */
bool pin_provider_is_in_zone(const char *name, const char *zone)
{
    size_t len = strlen(name);
    size_t zone_len = strlen(zone);
    if (strcmp(zone, ".") == 0) {
        return true;
    }
    if (len < zone_len || strcmp(name + len - zone_len, zone) != 0) {
        return false;
    }
    size_t above = len - zone_len;
    return above == 0 || (name[above - 1] == '.' && !is_escaped(name, above - 1));
}

static bool grow(struct pin_provider_sets *self)
{
    if (self->n_sets < self->cap) {
        return true;
    }
    size_t cap = self->cap == 0 ? 64 : 2 * self->cap;
    struct pin_recordset *sets = realloc(self->sets, cap * sizeof(sets[0]));
    if (sets == NULL) {
        return false;
    }
    self->sets = sets;
    self->cap = cap;
    return true;
}

/* Values as far as they make sense, and properties. False: memory is out. */
static bool fill(
    struct pin_arena *arena, const struct pin_provider_set *from, struct pin_recordset *set)
{
    bool is_ok = set->name != NULL && set->type != NULL && set->set_id != NULL
                 && set->values != NULL && set->properties != NULL;
    for (size_t i = 0; is_ok && i < from->n_values; i++) {
        const char *text = NULL;
        enum pin_err err = pin_recordset_value(arena, set->type, from->values[i], &text, NULL);
        if (err != PIN_OK && err != PIN_ENOMEM) {
            text = pin_arena_strdup(arena, from->values[i]);
        }
        set->values[i].text = text;
        is_ok = text != NULL;
    }
    for (size_t i = 0; is_ok && i < from->n_properties; i++) {
        set->properties[i].name = pin_arena_strdup(arena, from->properties[i].name);
        set->properties[i].value = pin_arena_strdup(arena, from->properties[i].value);
        is_ok = set->properties[i].name != NULL && set->properties[i].value != NULL;
    }
    return is_ok && pin_recordset_tidy(set, arena);
}

enum pin_err pin_provider_sets_add(
    struct pin_provider_sets *sets, const struct pin_provider_set *set, struct pin_why *why)
{
    char name[PIN_RECORDSET_NAME_MAX];
    struct pin_arena *arena = sets->arena;
    enum pin_err err = pin_recordset_name(set->name, name, why);
    if (err != PIN_OK || is_left_out(set->type) || !pin_provider_is_in_zone(name, sets->zone)) {
        return err;
    }
    if (sets->n_sets == PIN_PROVIDER_SETS_MAX) {
        return pin_why_set(
            why, PIN_ELIMIT, "more than %zu record sets", (size_t)PIN_PROVIDER_SETS_MAX);
    }
    struct pin_recordset copy = {.name = pin_arena_strdup(arena, name),
        .type = pin_arena_strdup(arena, set->type),
        .set_id = pin_arena_strdup(arena, set->set_id),
        .ttl_s = set->ttl_s,
        .values = pin_arena_alloc(arena, set->n_values * sizeof(copy.values[0])),
        .n_values = set->n_values,
        .properties = pin_arena_alloc(arena, set->n_properties * sizeof(copy.properties[0])),
        .n_properties = set->n_properties};
    if (!fill(arena, set, &copy)) {
        return pin_why_set(why, PIN_ELIMIT, "the listing needs too much memory");
    }
    if (!grow(sets)) {
        return pin_why_set(why, PIN_ENOMEM, "a listing");
    }
    sets->sets[sets->n_sets++] = copy;
    return PIN_OK;
}

/* Puts the values of one set with those of another. False: memory is out. */
static bool merge(
    struct pin_arena *arena, struct pin_recordset *set, const struct pin_recordset *more)
{
    struct pin_recordset_value *values =
        pin_arena_alloc(arena, (set->n_values + more->n_values) * sizeof(*values));
    if (values == NULL) {
        return false;
    }
    for (size_t i = 0; i < set->n_values; i++) {
        values[i] = set->values[i];
    }
    for (size_t i = 0; i < more->n_values; i++) {
        values[set->n_values + i] = more->values[i];
    }
    set->values = values;
    set->n_values += more->n_values;
    return pin_recordset_tidy(set, arena);
}

struct pin_recordset *pin_provider_sets_take(struct pin_provider_sets *sets, size_t *ret_n_sets)
{
    size_t n = 0;
    pin_recordset_sort(sets->sets, sets->n_sets);
    for (size_t i = 0; i < sets->n_sets; i++) {
        if (n == 0 || pin_recordset_cmp(&sets->sets[n - 1], &sets->sets[i]) != 0) {
            sets->sets[n++] = sets->sets[i];
        } else if (!merge(sets->arena, &sets->sets[n - 1], &sets->sets[i])) {
            return NULL;
        }
    }
    sets->n_sets = n;
    *ret_n_sets = n;
    return n == 0 ? pin_arena_alloc(sets->arena, 0)
                  : pin_arena_memdup(sets->arena, sets->sets, n * sizeof(sets->sets[0]));
}

void pin_provider_sets_done(struct pin_provider_sets *sets)
{
    free(sets->sets);
    sets->sets = NULL;
}
