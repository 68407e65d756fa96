/* SPDX-License-Identifier: Apache-2.0 */

/* From a plan to changes of whole sets. */

#include "recorder_run.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#define ARENA_MAX_BYTES ((size_t)1 << 30)

/* --- Sets that are shared --------------------------------------------------------------------- */

struct pin_recorder_sets *pin_recorder_sets_new(
    struct pin_arena *arena, const struct pin_recordset *sets, size_t n_sets, const char *version)
{
    struct pin_recorder_sets *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        pin_arena_free(arena);
        return NULL;
    }
    *self = (struct pin_recorder_sets){
        .n_users = 1, .arena = arena, .sets = sets, .n_sets = n_sets, .version = version};
    return self;
}

struct pin_recorder_sets *pin_recorder_sets_use(struct pin_recorder_sets *sets)
{
    if (sets != NULL) {
        sets->n_users++;
    }
    return sets;
}

void pin_recorder_sets_drop(struct pin_recorder_sets *sets)
{
    if (sets != NULL && --sets->n_users == 0) {
        pin_arena_free(sets->arena);
        free(sets);
    }
}

/* --- Parts: changes that belong together ------------------------------------------------------ */

/* A set that a change touches. */
struct touch {
    const char *name;
    const char *type;
    const char *set_id;
    size_t change;
    bool is_txt; /* as a TXT record of the registry */
};

/* One set that is to be another one. */
struct draft {
    struct pin_provider_edit edit;
    size_t part;
    unsigned rank; /* its turn within the part */
};

/* The making of parts. */
struct parting {
    struct pin_recorder_run *run;
    size_t *leader; /* of each change: another one of its part, or itself */
    struct touch *touches;
    size_t n_touches;
    struct draft *drafts;
    size_t n_drafts;
};

static int cmp_key(const struct touch *touch, const struct pin_recordset *set)
{
    int order = strcmp(touch->name, set->name);
    if (order == 0) {
        order = strcmp(touch->type, set->type);
    }
    return order == 0 ? strcmp(touch->set_id, set->set_id) : order;
}

static int by_touch(const void *a, const void *b)
{
    const struct touch *one = a;
    const struct touch *other = b;
    const struct pin_recordset key = {
        .name = other->name, .type = other->type, .set_id = other->set_id};
    int order = cmp_key(one, &key);
    if (order == 0 && one->change != other->change) {
        order = one->change < other->change ? -1 : 1;
    }
    return order;
}

static size_t leader_of(struct parting *parting, size_t i)
{
    while (parting->leader[i] != i) {
        parting->leader[i] = parting->leader[parting->leader[i]];
        i = parting->leader[i];
    }
    return i;
}

/* The first change of a part leads it. */
static void join(struct parting *parting, size_t a, size_t b)
{
    size_t one = leader_of(parting, a);
    size_t other = leader_of(parting, b);
    parting->leader[PIN_MAX(one, other)] = PIN_MIN(one, other);
}

static bool same_touch(const struct touch *a, const struct touch *b)
{
    const struct pin_recordset key = {.name = b->name, .type = b->type, .set_id = b->set_id};
    return cmp_key(a, &key) == 0;
}

static bool find_touches(struct parting *parting)
{
    const struct pin_recordplan *plan = &parting->run->plan;
    size_t n = plan->n_changes;
    for (size_t i = 0; i < plan->n_changes; i++) {
        n += plan->changes[i].n_txts;
    }
    parting->touches = pin_arena_alloc(parting->run->arena, n * sizeof(*parting->touches));
    if (parting->touches == NULL) {
        return false;
    }
    for (size_t i = 0; i < plan->n_changes; i++) {
        const struct pin_recordplan_change *change = &plan->changes[i];
        parting->touches[parting->n_touches++] =
            (struct touch){change->name, change->type, change->set_id, i, false};
        for (size_t k = 0; k < change->n_txts; k++) {
            parting->touches[parting->n_touches++] =
                (struct touch){change->txts[k].name, "TXT", change->set_id, i, true};
        }
    }
    if (n > 1) {
        qsort(parting->touches, n, sizeof(*parting->touches), by_touch);
    }
    return true;
}

/* Joins what touches the same set, and what stands at a name where something is replaced. */
static bool find_parts(struct parting *parting)
{
    const struct pin_recordplan *plan = &parting->run->plan;
    parting->leader =
        pin_arena_alloc(parting->run->arena, plan->n_changes * sizeof(*parting->leader));
    if (parting->leader == NULL || !find_touches(parting)) {
        return false;
    }
    for (size_t i = 0; i < plan->n_changes; i++) {
        parting->leader[i] = i;
    }
    for (size_t i = 1; i < parting->n_touches; i++) {
        if (same_touch(&parting->touches[i - 1], &parting->touches[i])) {
            join(parting, parting->touches[i - 1].change, parting->touches[i].change);
        }
    }
    for (size_t first = 0, end = 0; first < plan->n_changes; first = end) {
        bool is_replaced = false;
        for (end = first; end < plan->n_changes
                          && strcmp(plan->changes[end].name, plan->changes[first].name) == 0;
             end++) {
            is_replaced |= plan->changes[end].is_replaced;
        }
        for (size_t i = first + 1; is_replaced && i < end; i++) {
            join(parting, first, i);
        }
    }
    return true;
}

/* What holds up a part. */
struct hold {
    size_t n_others;  /* changes that were not refused as they are */
    int64_t until_ms; /* when what was refused is tried again: the first of it */
    bool is_spaced;   /* some record was written, or undone, too often */
};

static void note_hold(const struct pin_recorder_run *run,
    const struct pin_recordplan_change *change, struct hold *hold)
{
    int64_t refused_ms = pin_recorder_refused_until(run, change);
    int64_t spaced_ms = pin_recorder_spaced_until(run, change);
    int64_t rival_ms = pin_recorder_rival_until(run, change);
    int64_t until_ms = PIN_MAX(PIN_MAX(refused_ms, spaced_ms), rival_ms);
    hold->n_others += refused_ms == 0;
    hold->is_spaced |= spaced_ms != 0 || rival_ms != 0;
    if (until_ms != 0) {
        hold->until_ms = hold->until_ms == 0 ? until_ms : PIN_MIN(hold->until_ms, until_ms);
    }
}

/* Leaves out parts that have to wait; numbers the others. */
static bool number_parts(struct parting *parting)
{
    struct pin_recorder_run *run = parting->run;
    size_t n = run->plan.n_changes;
    struct hold *holds = pin_arena_alloc(run->arena, n * sizeof(*holds));
    run->part_of = pin_arena_alloc(run->arena, n * sizeof(*run->part_of));
    if (holds == NULL || run->part_of == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        note_hold(run, &run->plan.changes[i], &holds[leader_of(parting, i)]);
    }
    for (size_t i = 0; i < n; i++) {
        size_t leader = leader_of(parting, i);
        const struct hold *hold = &holds[leader];
        if (hold->n_others == 0 || hold->is_spaced) {
            run->part_of[i] = SIZE_MAX;
            run->next_ms =
                run->next_ms == 0 ? hold->until_ms : PIN_MIN(run->next_ms, hold->until_ms);
        } else {
            run->part_of[i] = leader == i ? run->n_parts++ : run->part_of[leader];
        }
    }
    return true;
}

/* --- Edits ------------------------------------------------------------------------------------ */

/* The zone after the parts that are not left out. */
static bool zone_after(
    const struct pin_recorder_run *run, struct pin_recordset **ret_sets, size_t *ret_n_sets)
{
    struct pin_recordplan plan = run->plan;
    size_t n = 0;
    plan.changes = pin_arena_alloc(run->arena, plan.n_changes * sizeof(*plan.changes));
    for (size_t i = 0; plan.changes != NULL && i < plan.n_changes; i++) {
        if (run->part_of[i] != SIZE_MAX) {
            plan.changes[n++] = run->plan.changes[i];
        }
    }
    plan.n_changes = n;
    return plan.changes != NULL
           && pin_recordplan_apply(
               &plan, run->listing->sets, run->listing->n_sets, run->arena, ret_sets, ret_n_sets);
}

/* The first touch that is not before that key. */
static size_t find_touch(const struct parting *parting, const struct pin_recordset *set)
{
    size_t low = 0;
    size_t high = parting->n_touches;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (cmp_key(&parting->touches[mid], set) < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return low;
}

/* What says how a set is routed, not what an alias is. */
static bool is_routing(const char *property)
{
    return strcmp(property, "alias") != 0 && strcmp(property, "aws/evaluate-target-health") != 0
           && strcmp(property, "aws/target-hosted-zone") != 0;
}

/* A TXT record of one of several sets is routed as its set. */
static bool route_txt(struct parting *parting, const struct touch *touch, struct pin_recordset *txt)
{
    const struct pin_recordset *set = parting->run->plan.changes[touch->change].new_set;
    if (*touch->set_id == '\0' || set == NULL) {
        return true;
    }
    txt->n_properties = 0;
    txt->properties =
        pin_arena_alloc(parting->run->arena, set->n_properties * sizeof(*txt->properties));
    for (size_t i = 0; txt->properties != NULL && i < set->n_properties; i++) {
        if (is_routing(set->properties[i].name)) {
            txt->properties[txt->n_properties++] = set->properties[i];
        }
    }
    return txt->properties != NULL;
}

static bool is_same_set(const struct pin_recordset *a, const struct pin_recordset *b)
{
    return a->ttl_s == b->ttl_s && pin_recordset_same_values(a, b)
           && pin_recordset_properties_cmp(a, b) == 0;
}

/* Both are sorted. */
static bool route_txts(struct parting *parting, struct pin_recordset *sets, size_t n_sets)
{
    size_t k = 0;
    for (size_t i = 0; i < parting->n_touches; i++) {
        const struct touch *touch = &parting->touches[i];
        while (k < n_sets && cmp_key(touch, &sets[k]) > 0) {
            k++;
        }
        if (k < n_sets && touch->is_txt && parting->run->part_of[touch->change] != SIZE_MAX
            && cmp_key(touch, &sets[k]) == 0 && !route_txt(parting, touch, &sets[k])) {
            return false;
        }
    }
    return true;
}

/* A set that differs: which part it belongs to, and its turn there. What owns comes before what is
 * owned and goes after it: whoever is cut off between leaves nothing that nobody owns. */
static void add_draft(struct parting *parting, const struct pin_provider_edit *edit)
{
    const struct pin_recordset *set = edit->was != NULL ? edit->was : edit->will;
    bool is_txt = false;
    size_t part = SIZE_MAX;
    for (size_t i = find_touch(parting, set);
         i < parting->n_touches && cmp_key(&parting->touches[i], set) == 0; i++) {
        is_txt |= parting->touches[i].is_txt;
        part = parting->run->part_of[parting->touches[i].change];
    }
    unsigned rank = edit->will == NULL ? (is_txt ? 3 : 0) : (is_txt ? 1 : 2);
    if (part != SIZE_MAX) {
        parting->drafts[parting->n_drafts++] =
            (struct draft){.edit = *edit, .part = part, .rank = rank};
    }
}

/* Both are sorted. */
static bool find_edits(struct parting *parting)
{
    const struct pin_recorder_sets *listing = parting->run->listing;
    struct pin_recordset *after = NULL;
    size_t n_after = 0;
    size_t a = 0;
    size_t b = 0;
    parting->drafts =
        pin_arena_alloc(parting->run->arena, parting->n_touches * sizeof(*parting->drafts));
    if (parting->drafts == NULL || !zone_after(parting->run, &after, &n_after)
        || !route_txts(parting, after, n_after)) {
        return false;
    }
    while (a < listing->n_sets || b < n_after) {
        struct pin_provider_edit edit = {
            .was = a < listing->n_sets ? &listing->sets[a] : NULL,
            .will = b < n_after ? &after[b] : NULL,
        };
        int order = edit.was == NULL    ? 1
                    : edit.will == NULL ? -1
                                        : pin_recordset_cmp(edit.was, edit.will);
        a += order <= 0;
        b += order >= 0;
        edit.was = order <= 0 ? edit.was : NULL;
        edit.will = order >= 0 ? edit.will : NULL;
        if (order != 0 || !is_same_set(edit.was, edit.will)) {
            add_draft(parting, &edit);
        }
    }
    return true;
}

static int by_turn(const void *a, const void *b)
{
    const struct draft *one = a;
    const struct draft *other = b;
    if (one->part != other->part) {
        return one->part < other->part ? -1 : 1;
    }
    if (one->rank != other->rank) {
        return one->rank < other->rank ? -1 : 1;
    }
    return pin_recordset_cmp(one->edit.was != NULL ? one->edit.was : one->edit.will,
        other->edit.was != NULL ? other->edit.was : other->edit.will);
}

/* Parts without an edit (what they change is so already) are none: their changes are done. */
static bool gather(struct parting *parting)
{
    struct pin_recorder_run *run = parting->run;
    struct pin_provider_edit *edits =
        pin_arena_alloc(run->arena, parting->n_drafts * sizeof(*edits));
    size_t *number = pin_arena_alloc(run->arena, run->n_parts * sizeof(*number));
    run->parts = pin_arena_alloc(run->arena, run->n_parts * sizeof(*run->parts));
    if (edits == NULL || number == NULL || run->parts == NULL) {
        return false;
    }
    if (parting->n_drafts > 1) {
        qsort(parting->drafts, parting->n_drafts, sizeof(*parting->drafts), by_turn);
    }
    memset(number, 0xff, run->n_parts * sizeof(*number)); /* SIZE_MAX */
    run->n_parts = 0;
    for (size_t i = 0; i < parting->n_drafts; i++) {
        edits[i] = parting->drafts[i].edit;
        if (i == 0 || parting->drafts[i].part != parting->drafts[i - 1].part) {
            number[parting->drafts[i].part] = run->n_parts;
            run->parts[run->n_parts++] = (struct pin_provider_change){.edits = &edits[i]};
        }
        run->parts[run->n_parts - 1].n_edits++;
    }
    for (size_t i = 0; i < run->plan.n_changes; i++) {
        if (run->part_of[i] != SIZE_MAX) {
            run->part_of[i] = number[run->part_of[i]];
            run->results[i] = (struct pin_recorder_result){.is_said = run->part_of[i] == SIZE_MAX,
                .verdict = PIN_PROVIDER_APPLIED,
                .message = ""};
        }
    }
    return true;
}

static bool make_parts(struct pin_recorder_run *run)
{
    struct parting parting = {.run = run};
    return find_parts(&parting) && number_parts(&parting) && find_edits(&parting)
           && gather(&parting);
}

/* --- The run ---------------------------------------------------------------------------------- */

/* Claims whose TTL the server would raise ask for what comes of it. */
static bool take_claims(struct pin_recorder_run *run)
{
    size_t n = run->claims->n_sets;
    run->input.claims = run->claims->sets;
    run->input.n_claims = n;
    if (run->min_ttl_s == 0) {
        return true;
    }
    struct pin_recordset *raised =
        pin_arena_memdup(run->arena, run->claims->sets, n * sizeof(*raised));
    for (size_t i = 0; raised != NULL && i < n; i++) {
        bool is_said = raised[i].ttl_s != 0;
        raised[i].ttl_s = is_said ? PIN_MAX(raised[i].ttl_s, run->min_ttl_s) : 0;
    }
    run->input.claims = raised;
    return raised != NULL;
}

static void make(struct pin_recorder_run *run)
{
    run->input.actual = run->listing->sets;
    run->input.n_actual = run->listing->n_sets;
    run->input.unsynced = run->claims->unsynced;
    run->input.n_unsynced = run->claims->n_unsynced;
    run->input.is_whole = true;
    run->input.approved = run->approved[0] != '\0' ? run->approved : NULL;
    run->input.adopt_from = run->adopt_from;
    if (!take_claims(run)) {
        run->err = PIN_ENOMEM;
        return;
    }
    run->err = pin_recordplan_make(&run->input, run->arena, &run->plan, &run->why);
    if (run->err != PIN_OK) {
        return;
    }
    run->results = pin_arena_alloc(run->arena, run->plan.n_changes * sizeof(*run->results));
    if (run->results == NULL || !make_parts(run)) {
        run->err = PIN_ENOMEM;
        return;
    }
    if (run->adopt_from == NULL) {
        pin_recorder_run_make_rows(run);
    }
    run->err = pin_arena_has_failed(run->arena) ? PIN_ENOMEM : PIN_OK;
}

void pin_recorder_run_make(struct pin_recorder_run *run)
{
    run->arena = pin_arena_new("records plan", ARENA_MAX_BYTES);
    if (run->arena == NULL) {
        run->err = PIN_ENOMEM;
    } else {
        make(run);
    }
    if (run->err == PIN_ENOMEM) {
        (void)pin_why_set(
            &run->why, PIN_ENOMEM, "zone %.255s: memory for its plan", run->input.zone);
    }
}

size_t pin_recorder_run_pending(const struct pin_recorder_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->plan.n_changes; i++) {
        const struct pin_recorder_result *result = &run->results[i];
        n += !result->is_said || result->verdict != PIN_PROVIDER_APPLIED;
    }
    return n;
}

void pin_recorder_run_free(struct pin_recorder_run *run)
{
    if (run != NULL) {
        pin_recorder_sets_drop(run->listing);
        pin_recorder_sets_drop(run->claims);
        pin_arena_free(run->arena);
        free(run->adopt_from);
        free(run);
    }
}
