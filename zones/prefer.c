/* SPDX-License-Identifier: Apache-2.0 */

/* Affinity: sides, lists of clusters, thresholds with hysteresis. */

#include "zones/prefer.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

/* Sides that one unit remembers as left; annotations that change leave a few behind. */
#define LEFT_MAX 2048u

/* Which contributions a side is. */
struct side {
    enum pin_affinity affinity; /* LOCAL, REMOTE, or LIST for one cluster of it */
    uint16_t cluster_id;
};

struct pin_preference pin_preference_of(const struct pin_object *object, uint64_t holder)
{
    if (object == NULL) {
        return (struct pin_preference){.threshold = PIN_THRESHOLD_UNSET};
    }
    return (struct pin_preference){
        .affinity = object->steering->affinity,
        .list = object->steering->affinity_list,
        .threshold = object->steering->threshold,
        .is_share = object->steering->is_threshold_share,
        .holder = holder,
    };
}

/* What geo says of an asker in no cluster; a threshold is the name's. */
static struct pin_preference stranger_preference(
    const struct pin_facts *facts, struct pin_viewer viewer)
{
    struct pin_preference preference = pin_preference_of(NULL, 0);
    if (viewer.prefers == NULL) {
        return preference;
    }
    for (size_t i = N_ELEMS(facts->annotated); i > 0; i--) {
        struct pin_preference p = pin_preference_of(facts->annotated[i - 1], 0);
        if (p.threshold != PIN_THRESHOLD_UNSET) {
            preference = p;
        }
    }
    preference.affinity = PIN_AFFINITY_LIST;
    preference.list = viewer.prefers;
    return preference;
}

struct pin_preference pin_preference_find(const struct pin_facts *facts, struct pin_viewer viewer)
{
    const struct pin_member *member = viewer.cluster_id != PIN_CLUSTER_NONE
                                          ? pin_unit_member(facts->unit, viewer.cluster_id)
                                          : NULL;
    const struct pin_object *own[] = {member != NULL ? member->service : NULL,
        member != NULL ? member->export_ : NULL, member != NULL ? member->import : NULL};
    for (size_t i = 0; i < N_ELEMS(own); i++) {
        struct pin_preference p = pin_preference_of(own[i], (uint64_t)viewer.cluster_id + 1);
        if (p.affinity != PIN_AFFINITY_UNSET) {
            return p;
        }
    }
    for (size_t i = 0; i < N_ELEMS(facts->annotated); i++) {
        struct pin_preference p = pin_preference_of(facts->annotated[i], 0);
        if (p.affinity == PIN_AFFINITY_LIST) {
            return p; /* an order of clusters is the same for everybody */
        }
    }
    return stranger_preference(facts, viewer);
}

/* --- what was left --------------------------------------------------------------------------- */

static uint64_t side_key(const struct pin_preference *preference, const struct side *side)
{
    const uint64_t words[] = {preference->holder, preference->threshold, preference->is_share,
        side->affinity, side->cluster_id, preference->viewer_id};
    return pin_hash64(words, sizeof(words));
}

static size_t find_left(const struct pin_service_unit *unit, uint64_t key)
{
    size_t i = 0;
    while (i < unit->n_left && unit->left[i] != key) {
        i++;
    }
    return i;
}

static void remember(struct pin_service_unit *unit, uint64_t key, bool is_left)
{
    size_t at = find_left(unit, key);
    if (!is_left && at < unit->n_left) {
        unit->left[at] = unit->left[--unit->n_left];
    }
    if (!is_left || at < unit->n_left) {
        return;
    }
    if (unit->n_left == LEFT_MAX) {
        unit->n_left = 0; /* they are taken for not left, nothing else */
    }
    uint64_t *grown = realloc(unit->left, (unit->n_left + 1) * sizeof(*grown));
    if (grown != NULL) {
        unit->left = grown;
        grown[unit->n_left++] = key;
    }
}

/* --- sides ----------------------------------------------------------------------------------- */

static bool is_on_side(const struct side *side, const struct pin_part *part)
{
    switch (side->affinity) {
    case PIN_AFFINITY_LOCAL:
        return part->is_own;
    case PIN_AFFINITY_REMOTE:
        return !part->is_own;
    default:
        return part->cluster_id == side->cluster_id;
    }
}

/* How many ready endpoints keep the side, and how many bring it back. */
static void bounds(const struct pin_preference *preference, uint64_t n_known, uint64_t *ret_keep,
    uint64_t *ret_return)
{
    uint64_t keep =
        preference->is_share ? (n_known * preference->threshold + 99) / 100 : preference->threshold;
    keep = PIN_MAX(keep, 1);
    *ret_keep = keep;
    *ret_return = PIN_MIN(keep + PIN_MAX(1, n_known / 10), PIN_MAX(n_known, keep));
}

static bool has_enough(const struct pin_steer *steer, struct pin_service_unit *unit,
    const struct pin_preference *preference, const struct side *side, const struct pin_part *parts,
    size_t n_parts)
{
    uint64_t n_ready = 0;
    uint64_t n_known = 0;
    uint64_t n_reached = 0; /* what was left is kept for all viewers, so these do not count there */
    bool is_synced = true;
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].excluded == NULL && is_on_side(side, &parts[i])) {
            n_ready += parts[i].n_ready;
            n_reached += parts[i].is_cut_off ? 0 : parts[i].n_ready;
            n_known += PIN_MAX(parts[i].n_known, parts[i].n_ready);
            is_synced = is_synced && steer->catalog->clusters[parts[i].cluster_id].is_synced;
        }
    }
    if (preference->threshold == PIN_THRESHOLD_UNSET) {
        return n_reached > 0;
    }
    uint64_t keep = 1;
    uint64_t back = 1;
    uint64_t key = side_key(preference, side);
    bounds(preference, n_known, &keep, &back);
    bool was_left = unit != NULL && find_left(unit, key) < unit->n_left;
    bool is_enough = n_ready >= (was_left ? back : keep);
    if (unit != NULL) {
        /* What is not there yet or any more was not left. */
        remember(unit, key, !is_enough && is_synced && n_known > 0);
    }
    return is_enough && n_reached > 0;
}

static void exclude_others(
    const struct side *side, const char *why, struct pin_part *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++) {
        if (parts[i].excluded == NULL && !is_on_side(side, &parts[i])) {
            parts[i].excluded = why;
        }
    }
}

/* Notes why those on the side count, and why the others do. */
static void note(const struct side *side, const char *there, const char *elsewhere,
    struct pin_part *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++) {
        parts[i].note = is_on_side(side, &parts[i]) ? there : elsewhere;
    }
}

/* The cluster at the front of the list, which moves on; PIN_CLUSTER_NONE for one that is unknown.
 */
static uint16_t next_cluster(const struct pin_settings *settings, const char **list)
{
    char name[PIN_LABEL_MAX_BYTES + 1];
    size_t bytes = strcspn(*list, ",");
    uint16_t cluster_id = PIN_CLUSTER_NONE;
    if (bytes < sizeof(name)) {
        memcpy(name, *list, bytes);
        name[bytes] = '\0';
        cluster_id = pin_settings_cluster(settings, name);
    }
    *list += bytes + ((*list)[bytes] == ',');
    return cluster_id;
}

/* Every cluster of the list is looked at, so that each one's state is up to date. */
static void prefer_list(const struct pin_steer *steer, struct pin_service_unit *unit,
    const struct pin_preference *preference, struct pin_part *parts, size_t n_parts)
{
    const char *list = preference->list;
    struct side first = {.affinity = PIN_AFFINITY_LIST, .cluster_id = PIN_CLUSTER_NONE};
    bool is_later = false;
    while (list != NULL && *list != '\0') {
        struct side side = {
            .affinity = PIN_AFFINITY_LIST, .cluster_id = next_cluster(steer->settings, &list)};
        if (side.cluster_id != PIN_CLUSTER_NONE
            && has_enough(steer, unit, preference, &side, parts, n_parts)
            && first.cluster_id == PIN_CLUSTER_NONE) {
            first = side;
        }
        is_later = is_later || first.cluster_id == PIN_CLUSTER_NONE;
    }
    if (first.cluster_id != PIN_CLUSTER_NONE) {
        exclude_others(&first, "affinity list: another cluster goes first and has enough ready",
            parts, n_parts);
        note(&first, is_later ? "affinity list: those before it have too few ready" : NULL, NULL,
            parts, n_parts);
    } else {
        note(&first, NULL, "affinity list: no cluster of it has enough ready, so all count", parts,
            n_parts);
    }
}

void pin_prefer(const struct pin_steer *steer, const struct pin_service_unit *unit,
    const struct pin_preference *preference, struct pin_part *parts, size_t n_parts)
{
    struct side side = {.affinity = preference->affinity};
    struct pin_service_unit *own =
        preference->threshold != PIN_THRESHOLD_UNSET
            ? pin_unit_find_service(steer->catalog, unit->namespace_name, unit->name)
            : NULL;
    switch (preference->affinity) {
    case PIN_AFFINITY_LOCAL:
        if (has_enough(steer, own, preference, &side, parts, n_parts)) {
            exclude_others(&side,
                "affinity local: the asker's own cluster has enough ready "
                "endpoints",
                parts, n_parts);
        } else {
            note(&side, "affinity local, but too few endpoints are ready here, so all count",
                "affinity local, but the asker's own cluster has too few ready endpoints", parts,
                n_parts);
        }
        return;
    case PIN_AFFINITY_REMOTE:
        if (has_enough(steer, own, preference, &side, parts, n_parts)) {
            exclude_others(&side, "affinity remote: other clusters have enough ready endpoints",
                parts, n_parts);
        } else {
            note(&side, "affinity remote, but too few endpoints are ready elsewhere, so all count",
                "affinity remote, but other clusters have too few ready endpoints", parts, n_parts);
        }
        return;
    case PIN_AFFINITY_LIST:
        prefer_list(steer, own, preference, parts, n_parts);
        return;
    case PIN_AFFINITY_UNSET:
    case PIN_AFFINITY_NONE:
        return;
    }
}
