/* SPDX-License-Identifier: Apache-2.0 */

/* Claims as a provider would keep them. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "provider_sets.h"
#include "recorder_state.h"

#define ARENA_MAX_BYTES ((size_t)512 << 20)
/* Sets that one becomes at most: an alias has addresses of both families. */
#define TOLD_MAX 2u

/* --- What is asked ---------------------------------------------------------------------------- */

static bool same_key(const struct pin_recordset *a, const struct pin_recordset *b)
{
    return pin_recordset_cmp(a, b) == 0;
}

/* Makes one set of claims of one key. */
static bool merge(struct pin_arena *arena, const struct pin_recordset *claims, size_t n,
    struct pin_recordset *ret_set)
{
    struct pin_recordset set = claims[0];
    size_t n_values = 0;
    for (size_t i = 0; i < n; i++) {
        n_values += claims[i].n_values;
        if (set.ttl_s == 0 || (claims[i].ttl_s != 0 && claims[i].ttl_s < set.ttl_s)) {
            set.ttl_s = claims[i].ttl_s;
        }
    }
    set.values = pin_arena_alloc(arena, n_values * sizeof(*set.values));
    set.n_values = 0;
    for (size_t i = 0; set.values != NULL && i < n; i++) {
        for (size_t k = 0; k < claims[i].n_values; k++) {
            set.values[set.n_values++].text = claims[i].values[k].text;
        }
    }
    *ret_set = set;
    return set.values != NULL && pin_recordset_tidy(ret_set, arena);
}

struct pin_recorder_sets *pin_recorder_ask(const struct pin_recorder_sets *claims, const char *apex)
{
    struct pin_arena *arena = pin_arena_new("records asked", ARENA_MAX_BYTES);
    struct pin_recordset *sets =
        arena == NULL ? NULL : pin_arena_alloc(arena, claims->n_sets * sizeof(*sets));
    size_t n = 0;
    size_t used = 0;
    for (size_t i = 0; sets != NULL && i < claims->n_sets; i++) {
        if (claims->sets[i].n_values > 0 && pin_provider_is_in_zone(claims->sets[i].name, apex)) {
            sets[n++] = claims->sets[i];
        }
    }
    if (sets != NULL) {
        pin_recordset_sort(sets, n);
    }
    for (size_t first = 0, end = 0; sets != NULL && first < n; first = end) {
        for (end = first + 1; end < n && same_key(&sets[first], &sets[end]);) {
            end++;
        }
        struct pin_recordset set;
        if (!merge(arena, sets + first, end - first, &set)) {
            sets = NULL;
            break;
        }
        sets[used++] = set;
    }
    if (sets == NULL) {
        pin_arena_free(arena);
        return NULL;
    }
    return pin_recorder_sets_new(arena, sets, used, "");
}

/* --- What is told ----------------------------------------------------------------------------- */

static const struct pin_recordset *find(
    const struct pin_recorder_sets *sets, const struct pin_recordset *key)
{
    size_t low = 0;
    size_t high = sets->n_sets;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = pin_recordset_cmp(&sets->sets[mid], key);
        if (order == 0) {
            return &sets->sets[mid];
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

/* What became of a set: under its own key, or as other types that nobody asked about. Gives how
 * many. */
static size_t find_told(const struct pin_recorder_sets *asked, const struct pin_recorder_sets *told,
    const struct pin_recordset *key, const struct pin_recordset *ret_sets[TOLD_MAX])
{
    size_t n = 0;
    size_t low = 0;
    size_t high = told->n_sets;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (strcmp(told->sets[mid].name, key->name) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (; low < told->n_sets && strcmp(told->sets[low].name, key->name) == 0; low++) {
        const struct pin_recordset *set = &told->sets[low];
        if (same_key(set, key)) {
            ret_sets[0] = set;
            return 1;
        }
        if (n < TOLD_MAX && strcmp(set->set_id, key->set_id) == 0 && find(asked, set) == NULL) {
            ret_sets[n++] = set;
        }
    }
    return n;
}

static bool has_text(const struct pin_recordset *set, const char *text)
{
    bool has = false;
    for (size_t i = 0; i < set->n_values; i++) {
        has |= strcmp(set->values[i].text, text) == 0;
    }
    return has;
}

/* The values of a claim that are kept; where none is, all that are told, given by its cluster. */
static void keep_values(
    struct pin_arena *arena, struct pin_recordset *claim, const struct pin_recordset *told)
{
    const char **clusters = pin_arena_alloc(arena, sizeof(*clusters));
    size_t n = 0;
    for (size_t i = 0; i < claim->n_values; i++) {
        if (has_text(told, claim->values[i].text)) {
            claim->values[n++] = claim->values[i];
        }
    }
    if (n == 0 && clusters != NULL && claim->n_values > 0) {
        clusters[0] = claim->n_sources > 0 ? claim->sources[0].cluster : PIN_RECORDSET_CONFIG;
        claim->values = pin_arena_alloc(arena, told->n_values * sizeof(*claim->values));
        for (; claim->values != NULL && n < told->n_values; n++) {
            claim->values[n] = (struct pin_recordset_value){
                .text = told->values[n].text, .clusters = clusters, .n_clusters = 1};
        }
    }
    claim->n_values = n;
}

/* A claim as the provider would have it, in the arena. `was` is what was asked, `is` what was told
 * of it; NULL: as it is. False: memory is out. */
static bool adjust_claim(struct pin_arena *arena, const struct pin_recordset *claim,
    const struct pin_recordset *was, const struct pin_recordset *is, struct pin_recordset *ret_set)
{
    struct pin_recordset copy = *claim;
    if (is != NULL) {
        copy.type = is->type;
        copy.ttl_s = is->ttl_s;
        copy.properties = is->properties;
        copy.n_properties = is->n_properties;
    }
    bool is_ok = pin_recordset_copy(arena, &copy, ret_set);
    if (is_ok && is != NULL && !pin_recordset_same_values(was, is)) {
        struct pin_recordset kept;
        is_ok = pin_recordset_copy(arena, is, &kept);
        keep_values(arena, ret_set, &kept);
    }
    return is_ok;
}

struct pin_recorder_sets *pin_recorder_adjust(const struct pin_recorder_sets *claims,
    const struct pin_recorder_sets *asked, const struct pin_recorder_sets *told)
{
    struct pin_arena *arena = pin_arena_new("records adjusted", ARENA_MAX_BYTES);
    struct pin_recordset *sets =
        arena == NULL ? NULL : pin_arena_alloc(arena, TOLD_MAX * claims->n_sets * sizeof(*sets));
    size_t n_sets = 0;
    bool is_ok = sets != NULL;
    for (size_t i = 0; is_ok && i < claims->n_sets; i++) {
        const struct pin_recordset *is[TOLD_MAX] = {NULL};
        const struct pin_recordset *was = find(asked, &claims->sets[i]);
        size_t n = was == NULL ? 0 : find_told(asked, told, &claims->sets[i], is);
        for (size_t k = 0; is_ok && (k == 0 || k < n); k++) {
            is_ok = adjust_claim(arena, &claims->sets[i], was, is[k], &sets[n_sets++]);
        }
    }
    const char **unsynced =
        is_ok ? pin_arena_alloc(arena, claims->n_unsynced * sizeof(*unsynced)) : NULL;
    for (size_t i = 0; unsynced != NULL && i < claims->n_unsynced; i++) {
        unsynced[i] = pin_arena_strdup(arena, claims->unsynced[i]);
    }
    if (unsynced == NULL || pin_arena_has_failed(arena)) {
        pin_arena_free(arena);
        return NULL;
    }
    struct pin_recorder_sets *result = pin_recorder_sets_new(arena, sets, n_sets, "");
    if (result != NULL) {
        result->unsynced = unsynced;
        result->n_unsynced = claims->n_unsynced;
    }
    return result;
}
