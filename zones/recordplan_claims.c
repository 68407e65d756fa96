/* SPDX-License-Identifier: Apache-2.0 */

/* Claims of many objects become at most one set for each name, type and set id. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/compare.h"

#include "zones/recordplan_parts.h"

static int by_key_and_age(const void *a, const void *b)
{
    const struct pin_recordset *one = a;
    const struct pin_recordset *other = b;
    int order = pin_recordset_cmp(one, other);
    if (order == 0) {
        order = pin_recordset_source_cmp(&one->sources[0], &other->sources[0]);
    }
    for (size_t i = 0; order == 0 && i < one->n_values && i < other->n_values; i++) {
        order = strcmp(one->values[i].text, other->values[i].text);
    }
    if (order == 0 && one->n_values != other->n_values) {
        order = one->n_values < other->n_values ? -1 : 1;
    }
    if (order == 0 && one->ttl_s != other->ttl_s) {
        order = one->ttl_s < other->ttl_s ? -1 : 1;
    }
    return order == 0 ? pin_recordset_properties_cmp(one, other) : order;
}

static bool has_one_value(const char *type)
{
    return strcmp(type, "CNAME") == 0 || strcmp(type, "DNAME") == 0;
}

static bool is_supported(const struct pin_recordplan_input *input, const char *type)
{
    for (size_t i = 0; i < input->n_types; i++) {
        if (strcmp(input->types[i], type) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether a claim can be met at all; reports why not. */
static bool is_possible(struct pin_planner *planner, const struct pin_recordset *claim)
{
    const struct pin_recordplan_input *input = planner->input;
    const struct pin_recordset_source *source = &claim->sources[0];
    char txt_name[PIN_RECORDSET_NAME_MAX];
    if (!is_supported(input, claim->type)) {
        pin_planner_conflict(planner, PIN_RECORDPLAN_UNSUPPORTED, claim, source,
            "the provider does not hold records of this type");
        return false;
    }
    if (has_one_value(claim->type) && claim->n_values > 1) {
        pin_planner_conflict(
            planner, PIN_RECORDPLAN_INVALID, claim, source, "it has more than one target");
        return false;
    }
    if (strcmp(claim->type, "CNAME") == 0 && strcmp(claim->name, input->zone) == 0) {
        pin_planner_conflict(
            planner, PIN_RECORDPLAN_CNAME, claim, source, "the apex of a zone has other records");
        return false;
    }
    if (!pin_planner_txt_name(planner, claim, txt_name)) {
        pin_planner_conflict(planner, PIN_RECORDPLAN_REGISTRY, claim, source,
            "its TXT record would be too long, outside the zone, or that of a wildcard; another "
            "txtPrefix helps");
        return false;
    }
    return true;
}

/* Copies those claims that count for this zone and can be met, in order. */
static struct pin_recordset *take_claims(struct pin_planner *planner, size_t *ret_n)
{
    const struct pin_recordplan_input *input = planner->input;
    size_t n = 0;
    struct pin_recordset *claims =
        pin_arena_alloc(planner->arena, input->n_claims * sizeof(*claims));
    for (size_t i = 0; claims != NULL && i < input->n_claims; i++) {
        struct pin_recordset claim = input->claims[i];
        if (!pin_planner_has_name(planner, claim.name) || claim.n_sources == 0) {
            continue;
        }
        if (!input->has_set_ids) {
            claim.set_id = "";
            claim.n_properties = 0;
        }
        if (is_possible(planner, &claim)) {
            claims[n++] = claim;
        }
    }
    if (n > 1) {
        qsort(claims, n, sizeof(*claims), by_key_and_age);
    }
    *ret_n = n;
    return claims;
}

static bool is_same_object(
    const struct pin_recordset_source *a, const struct pin_recordset_source *b)
{
    return strcmp(a->kind, b->kind) == 0 && strcmp(a->namespace_name, b->namespace_name) == 0
           && strcmp(a->name, b->name) == 0;
}

static bool has_value(const struct pin_recordset *set, const char *text)
{
    for (size_t i = 0; i < set->n_values; i++) {
        if (strcmp(set->values[i].text, text) == 0) {
            return true;
        }
    }
    return false;
}

static bool has_all_values(const struct pin_recordset *set, const struct pin_recordset *others)
{
    for (size_t i = 0; i < others->n_values; i++) {
        if (!has_value(set, others->values[i].text)) {
            return false;
        }
    }
    return true;
}

static void report_older(struct pin_planner *planner, const struct pin_recordset *loser,
    const struct pin_recordset *winner, enum pin_recordplan_conflict_kind kind)
{
    char detail[PIN_WHY_BYTES];
    const char *resource = pin_planner_resource(planner, &winner->sources[0]);
    (void)snprintf(detail, sizeof(detail), "older %.200s of cluster %.64s has it as %.20s",
        resource == NULL ? "object" : resource, winner->sources[0].cluster, winner->type);
    pin_planner_conflict(planner, kind, loser, &loser->sources[0], detail);
}

/* Adds what a claim of the same object gives: values, a shorter TTL, its cluster. */
static void add_claim(
    struct pin_planner *planner, struct pin_recordset *set, const struct pin_recordset *claim)
{
    if (has_one_value(set->type) && set->n_values > 0 && !has_all_values(set, claim)) {
        report_older(planner, claim, set, PIN_RECORDPLAN_TWO_OBJECTS);
        return;
    }
    for (size_t i = 0; i < claim->n_values; i++) {
        set->values[set->n_values++] = claim->values[i];
    }
    for (size_t i = 0; i < claim->n_sources; i++) {
        set->sources[set->n_sources++] = claim->sources[i];
    }
    if (set->ttl_s == 0 || (claim->ttl_s != 0 && claim->ttl_s < set->ttl_s)) {
        set->ttl_s = claim->ttl_s;
    }
}

/* Makes one set of the claims of a key, the oldest first. */
static void merge(struct pin_planner *planner, const struct pin_recordset *claims, size_t n)
{
    struct pin_recordset set = claims[0];
    size_t n_values = 0;
    size_t n_sources = 0;
    size_t n_holds = 0;
    for (size_t i = 0; i < n; i++) {
        n_values += claims[i].n_values;
        n_sources += claims[i].n_sources;
        n_holds += claims[i].n_holds;
    }
    const char **holds = pin_arena_alloc(planner->arena, n_holds * sizeof(*holds));
    set.values = pin_arena_alloc(planner->arena, n_values * sizeof(*set.values));
    set.sources = pin_arena_alloc(planner->arena, n_sources * sizeof(*set.sources));
    if (holds == NULL || set.values == NULL || set.sources == NULL) {
        return;
    }
    set.n_values = 0;
    set.n_sources = 0;
    n_holds = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_same_object(&claims[0].sources[0], &claims[i].sources[0])) {
            add_claim(planner, &set, &claims[i]);
            for (size_t k = 0; k < claims[i].n_holds; k++) {
                holds[n_holds++] = claims[i].holds[k];
            }
        } else if (!has_all_values(&claims[0], &claims[i])) {
            report_older(planner, &claims[i], &claims[0], PIN_RECORDPLAN_TWO_OBJECTS);
        }
    }
    if (n_holds > 1) {
        qsort(holds, n_holds, sizeof(*holds), pin_compare_texts);
    }
    set.holds = holds;
    set.n_holds = n_holds;
    if (pin_recordset_tidy(&set, planner->arena)) {
        planner->wants[planner->n_wants++].set = set;
    }
}

/* --- Sets of one name ----------------------------------------------------------------------- */

static int by_age(const void *a, const void *b)
{
    struct pin_want *const *one = a;
    struct pin_want *const *other = b;
    int order = pin_recordset_source_cmp(&(*one)->set.sources[0], &(*other)->set.sources[0]);
    return order == 0 ? pin_recordset_cmp(&(*one)->set, &(*other)->set) : order;
}

/* Of sets that cannot stand side by side at a name, the one of the oldest object stays. Those
 * without values only hold what is there. */
static void settle_name(struct pin_planner *planner, struct pin_want *wants, size_t n)
{
    struct pin_want **by_turn = pin_arena_alloc(planner->arena, n * sizeof(struct pin_want *));
    if (by_turn == NULL || n < 2) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        by_turn[i] = &wants[i];
    }
    qsort(by_turn, n, sizeof(struct pin_want *), by_age);
    for (size_t i = 1; i < n; i++) {
        for (size_t k = 0; k < i && !by_turn[i]->is_refused; k++) {
            if (!by_turn[k]->is_refused && by_turn[k]->set.n_values > 0
                && by_turn[i]->set.n_values > 0
                && pin_planner_clash(&by_turn[k]->set, &by_turn[i]->set)) {
                bool is_type = strcmp(by_turn[k]->set.type, by_turn[i]->set.type) != 0;
                report_older(planner, &by_turn[i]->set, &by_turn[k]->set,
                    is_type ? PIN_RECORDPLAN_CNAME : PIN_RECORDPLAN_SET_ID);
                by_turn[i]->is_refused = true;
            }
        }
    }
}

/* Refuses what is wanted at a name where the TXT record of something wanted has to be. */
static void settle_registry(struct pin_planner *planner)
{
    char name[PIN_RECORDSET_NAME_MAX];
    const char **names = pin_arena_alloc(planner->arena, planner->n_wants * sizeof(*names));
    size_t n = 0;
    for (size_t i = 0; names != NULL && i < planner->n_wants; i++) {
        if (pin_planner_txt_name(planner, &planner->wants[i].set, name)) {
            names[n] = pin_arena_strdup(planner->arena, name);
            n += names[n] != NULL;
        }
    }
    if (names == NULL || n == 0) {
        return;
    }
    qsort(names, n, sizeof(*names), pin_compare_texts);
    for (size_t i = 0; i < planner->n_wants; i++) {
        struct pin_want *want = &planner->wants[i];
        bool is_there = strcmp(want->set.type, "CNAME") == 0 || strcmp(want->set.type, "TXT") == 0;
        if (is_there && pin_recordset_has_text(names, n, want->set.name)) {
            pin_planner_conflict(planner, PIN_RECORDPLAN_REGISTRY, &want->set,
                &want->set.sources[0], "the TXT record of another set has this name");
            want->is_refused = true;
        }
    }
}

void pin_planner_read_claims(struct pin_planner *planner)
{
    size_t n = 0;
    struct pin_recordset *claims = take_claims(planner, &n);
    planner->wants = pin_arena_alloc(planner->arena, n * sizeof(*planner->wants));
    if (claims == NULL || planner->wants == NULL) {
        return;
    }
    for (size_t first = 0, end = 0; first < n; first = end) {
        for (end = first + 1; end < n && pin_recordset_cmp(&claims[first], &claims[end]) == 0;) {
            end++;
        }
        merge(planner, claims + first, end - first);
    }
    for (size_t first = 0, end = 0; first < planner->n_wants; first = end) {
        const char *name = planner->wants[first].set.name;
        for (end = first;
             end < planner->n_wants && strcmp(planner->wants[end].set.name, name) == 0;) {
            end++;
        }
        settle_name(planner, planner->wants + first, end - first);
    }
    settle_registry(planner);
    size_t used = 0;
    for (size_t i = 0; i < planner->n_wants; i++) {
        if (!planner->wants[i].is_refused) {
            planner->wants[used++] = planner->wants[i];
        }
    }
    planner->n_wants = used;
}
