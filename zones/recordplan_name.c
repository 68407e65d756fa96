/* SPDX-License-Identifier: Apache-2.0 */

/* What becomes of one name: the sets that are there beside the sets that are wanted. */

#include <stdio.h>
#include <string.h>

#include "zones/recordplan_parts.h"

/* The sets of one name. */
struct at_name {
    struct pin_holding_set *there;
    size_t n_there;
    struct pin_want *wants;
    size_t n_wants;
};

bool pin_planner_clash(const struct pin_recordset *a, const struct pin_recordset *b)
{
    bool has_cname = strcmp(a->type, "CNAME") == 0 || strcmp(b->type, "CNAME") == 0;
    if (strcmp(a->type, b->type) != 0) {
        return has_cname;
    }
    return (*a->set_id == '\0') != (*b->set_id == '\0');
}

/* --- What clusters that are not heard of just now may still want ----------------------------- */

static bool is_held_cluster(
    const struct pin_planner *planner, const struct pin_want *want, const char *cluster)
{
    const struct pin_recordplan_input *input = planner->input;
    return pin_recordset_has_text(input->unsynced, input->n_unsynced, cluster)
           || (want != NULL && pin_recordset_has_text(want->set.holds, want->set.n_holds, cluster));
}

/* Whether a value has to stay for now. What nobody knows the origin of may be anybody's. */
static bool is_held(const struct pin_planner *planner, const struct pin_want *want,
    const struct pin_recordset_value *value)
{
    if (value->n_clusters == 0) {
        return planner->input->n_unsynced > 0 || (want != NULL && want->set.n_holds > 0);
    }
    for (size_t i = 0; i < value->n_clusters; i++) {
        if (is_held_cluster(planner, want, value->clusters[i])) {
            return true;
        }
    }
    return false;
}

static size_t count_held(
    const struct pin_planner *planner, const struct pin_want *want, const struct pin_recordset *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->n_values; i++) {
        n += is_held(planner, want, &set->values[i]);
    }
    return n;
}

static const struct pin_recordset_value *find_value(
    const struct pin_recordset *set, const char *text)
{
    for (size_t i = 0; i < set->n_values; i++) {
        if (strcmp(set->values[i].text, text) == 0) {
            return &set->values[i];
        }
    }
    return NULL;
}

/* The clusters of a value that may still give it. */
static struct pin_recordset_value held_part(struct pin_planner *planner,
    const struct pin_want *want, const struct pin_recordset_value *value)
{
    struct pin_recordset_value part = {.text = value->text};
    const char **clusters = pin_arena_alloc(planner->arena, value->n_clusters * sizeof(*clusters));
    for (size_t i = 0; clusters != NULL && i < value->n_clusters; i++) {
        if (is_held_cluster(planner, want, value->clusters[i])) {
            clusters[part.n_clusters++] = value->clusters[i];
        }
    }
    part.clusters = clusters;
    return part;
}

/*
 * `base` and the held values of what is there. A value of both is known to be of the clusters of
 * both; where it is not known who gave what is there, it is not known afterwards.
 */
static bool with_held(struct pin_planner *planner, const struct pin_want *want,
    const struct pin_recordset *base, const struct pin_recordset *there,
    struct pin_recordset *ret_set)
{
    struct pin_recordset set = *base;
    size_t n = base->n_values;
    set.values =
        pin_arena_alloc(planner->arena, (base->n_values + there->n_values) * sizeof(*set.values));
    if (set.values == NULL) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        set.values[i] = base->values[i];
        const struct pin_recordset_value *old = find_value(there, base->values[i].text);
        if (old != NULL && old->n_clusters == 0 && is_held(planner, want, old)) {
            set.values[i].n_clusters = 0;
        }
    }
    for (size_t i = 0; i < there->n_values; i++) {
        const struct pin_recordset_value *old = &there->values[i];
        if (is_held(planner, want, old)
            && (old->n_clusters > 0 || find_value(base, old->text) == NULL)) {
            set.values[n++] = held_part(planner, want, old);
        }
    }
    set.n_values = n;
    *ret_set = set;
    return pin_recordset_tidy(ret_set, planner->arena);
}

/* --- Conflicts with what is there ------------------------------------------------------------- */

static void refuse(struct pin_planner *planner, struct pin_want *want,
    enum pin_recordplan_conflict_kind kind, const char *detail)
{
    pin_planner_conflict(planner, kind, &want->set, &want->set.sources[0], detail);
    want->is_refused = true;
}

static void refuse_for_owner(
    struct pin_planner *planner, struct pin_want *want, const struct pin_holding_set *there)
{
    char detail[PIN_WHY_BYTES] = "it is there, and has no TXT record that says whose it is";
    enum pin_recordplan_conflict_kind kind = PIN_RECORDPLAN_FOREIGN;
    if (there->ownership == PIN_OWNED_BY_OTHER) {
        kind = PIN_RECORDPLAN_OTHER_OWNER;
        (void)snprintf(
            detail, sizeof(detail), "it belongs to owner '%.200s'", there->marks[0]->labels.owner);
    } else if (there->ownership == PIN_OWNED_BY_TWO) {
        kind = PIN_RECORDPLAN_TWO_OWNERS;
        (void)snprintf(detail, sizeof(detail), "its TXT records name '%.200s' and another owner",
            there->marks[0]->labels.owner);
    }
    refuse(planner, want, kind, detail);
}

/* Whether the TXT record of a new set can be made. */
static void check_registry(struct pin_planner *planner, struct pin_want *want)
{
    char txt_name[PIN_RECORDSET_NAME_MAX];
    char detail[PIN_WHY_BYTES];
    size_t n = 0;
    if (!pin_planner_txt_name(planner, &want->set, txt_name)) {
        return; /* refused before */
    }
    if (pin_planner_has_cname(planner, txt_name)) {
        refuse(planner, want, PIN_RECORDPLAN_REGISTRY, "a CNAME stands where its TXT record goes");
        return;
    }
    const struct pin_mark *marks = pin_planner_marks(planner, txt_name, want->set.set_id, &n);
    for (size_t i = 0; i < n && !want->is_refused; i++) {
        const char *owner = marks[i].labels.owner;
        if (owner != NULL && strcmp(owner, planner->input->registry->owner) != 0) {
            (void)snprintf(detail, sizeof(detail),
                "owner '%.200s' has taken the name and left it empty", owner);
            refuse(planner, want, PIN_RECORDPLAN_OTHER_OWNER, detail);
        }
    }
}

/* Whether a set of ours may go because something else is wanted at its name. */
static bool may_give_way(const struct pin_planner *planner, const struct pin_holding_set *there)
{
    return there->ownership == PIN_OWNED_BY_US && !there->is_matched
           && planner->input->policy != PIN_RECORDPLAN_CREATE_ONLY
           && count_held(planner, NULL, &there->set) == 0;
}

/* Refuses a new set that something at its name stands in the way of, and that stays. */
static void check_neighbours(struct pin_planner *planner, struct at_name *at, struct pin_want *want)
{
    for (size_t i = 0; i < at->n_there && !want->is_refused; i++) {
        struct pin_holding_set *there = &at->there[i];
        if (!pin_planner_clash(&there->set, &want->set) || may_give_way(planner, there)) {
            continue;
        }
        if (there->ownership != PIN_OWNED_BY_US) {
            refuse_for_owner(planner, want, there);
        } else if (count_held(planner, NULL, &there->set) > 0) {
            refuse(planner, want, PIN_RECORDPLAN_WAITING,
                "a cluster that was not synced yet may want what is there");
        } else {
            refuse(planner, want, PIN_RECORDPLAN_CNAME, "what is there stays by the policy");
        }
    }
    for (size_t i = 0; i < at->n_there; i++) {
        bool clashes = pin_planner_clash(&at->there[i].set, &want->set);
        at->there[i].is_kept |= clashes && want->is_refused;
        at->there[i].is_in_way |= clashes && !want->is_refused;
    }
}

/* --- Decisions -------------------------------------------------------------------------------- */

/* Finds for each wanted set the one that is there, and whether it may be ours. */
static void match(struct pin_planner *planner, struct at_name *at)
{
    const char *from = planner->input->adopt_from;
    for (size_t i = 0; i < at->n_wants; i++) {
        struct pin_want *want = &at->wants[i];
        for (size_t k = 0; k < at->n_there; k++) {
            if (pin_recordset_cmp(&at->there[k].set, &want->set) == 0) {
                want->there = &at->there[k];
            }
        }
        if (want->there == NULL) {
            check_registry(planner, want);
            continue;
        }
        if (want->set.n_values == 0 && count_held(planner, want, &want->there->set) == 0) {
            want->there = NULL; /* neither wanted nor held: as if nobody spoke of it */
            continue;
        }
        want->there->is_matched = true;
        if (want->there->ownership == PIN_OWNED_BY_OTHER && from != NULL
            && strcmp(want->there->marks[0]->labels.owner, from) == 0) {
            pin_planner_adopt(planner, want->there);
        } else if (want->there->ownership != PIN_OWNED_BY_US) {
            refuse_for_owner(planner, want, want->there);
        }
    }
}

/* A set of ours that nothing wants any more: it goes, or those of its values that may. */
static void let_go(struct pin_planner *planner, struct pin_holding_set *there)
{
    size_t n_held = count_held(planner, NULL, &there->set);
    struct pin_recordset none = there->set;
    struct pin_recordset left;
    none.n_values = 0;
    if (planner->input->policy != PIN_RECORDPLAN_SYNC || n_held == there->set.n_values) {
        return;
    }
    if (n_held == 0) {
        pin_planner_delete(planner, there);
    } else if (with_held(planner, NULL, &none, &there->set, &left)) {
        pin_planner_update(planner, there, &left, there->marks[0]->labels.resource);
    }
}

/* A set of ours that is wanted: as it is wanted, but for what has to wait. */
static void settle(struct pin_planner *planner, struct pin_want *want)
{
    struct pin_holding_set *there = want->there;
    const char *resource = pin_planner_resource(planner, &want->set.sources[0]);
    const char *resource_there = there->marks[0]->labels.resource;
    bool is_same =
        resource != NULL && resource_there != NULL && strcmp(resource, resource_there) == 0;
    bool has_one = strcmp(want->set.type, "CNAME") == 0 || strcmp(want->set.type, "DNAME") == 0;
    struct pin_recordset set;
    size_t n_held = count_held(planner, want, &there->set);
    if (!with_held(planner, want, &want->set, &there->set, &set)) {
        return;
    }
    bool waits = set.n_values != want->set.n_values; /* more than is wanted: it has to wait */
    if (waits && (has_one || !is_same)) {
        if (want->set.n_values > 0) {
            pin_planner_conflict(planner, PIN_RECORDPLAN_WAITING, &want->set, &want->set.sources[0],
                "what is there may come from a cluster that was not synced yet");
        }
        return;
    }
    pin_planner_update(planner, there, &set, n_held > 0 ? resource_there : resource);
}

static void decide_name(struct pin_planner *planner, struct at_name *at)
{
    const struct pin_recordplan_input *input = planner->input;
    match(planner, at);
    for (size_t i = 0; i < at->n_wants && input->adopt_from == NULL; i++) {
        struct pin_want *want = &at->wants[i];
        if (want->there == NULL && want->set.n_values > 0) {
            check_neighbours(planner, at, want);
        }
    }
    for (size_t i = 0; i < at->n_there && input->adopt_from == NULL; i++) {
        struct pin_holding_set *there = &at->there[i];
        if (there->ownership != PIN_OWNED_BY_US || there->is_matched) {
            continue;
        }
        if (there->is_in_way) {
            pin_planner_delete(planner, there);
        } else if (!there->is_kept) {
            let_go(planner, there);
        }
    }
    for (size_t i = 0; i < at->n_wants && input->adopt_from == NULL; i++) {
        struct pin_want *want = &at->wants[i];
        if (want->is_refused) {
            continue;
        }
        if (want->there == NULL && want->set.n_values > 0) {
            pin_planner_create(planner, want);
        } else if (want->there != NULL && input->policy != PIN_RECORDPLAN_CREATE_ONLY) {
            settle(planner, want);
        }
    }
}

void pin_planner_decide(struct pin_planner *planner)
{
    size_t t = 0;
    size_t w = 0;
    while (t < planner->n_there || w < planner->n_wants) {
        struct at_name at = {.there = planner->there + t, .wants = planner->wants + w};
        const char *name = NULL;
        if (w == planner->n_wants
            || (t < planner->n_there && strcmp(at.there->set.name, at.wants->set.name) <= 0)) {
            name = at.there->set.name;
        } else {
            name = at.wants->set.name;
        }
        while (t < planner->n_there && strcmp(planner->there[t].set.name, name) == 0) {
            at.n_there++;
            t++;
        }
        while (w < planner->n_wants && strcmp(planner->wants[w].set.name, name) == 0) {
            at.n_wants++;
            w++;
        }
        decide_name(planner, &at);
    }
    if (planner->input->policy == PIN_RECORDPLAN_SYNC && planner->input->adopt_from == NULL
        && planner->input->n_unsynced == 0) {
        pin_planner_delete_orphans(planner);
    }
}
