/* SPDX-License-Identifier: Apache-2.0 */

/* Lists: rounds, and those that wait for a second one. */

#include "zones/lists.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "zones/changes.h"
#include "zones/claims_catalog.h"
#include "zones/objects.h"
#include "zones/pods.h"
#include "zones/units.h"
#include "zones/waits.h"
#include "zones/writes.h"

#define KEY_BYTES 512

_Static_assert(PIN_KIND_MAX <= 32, "pin_catalog_held() has a bit for each kind");

static struct pin_list_state *state_of(struct pin_catalog *catalog, const struct pin_delta *delta)
{
    return &catalog->clusters[delta->cluster_id].lists[delta->kind];
}

/* Objects of that kind, and how many of them rounds from `first` on named. */
static uint32_t count_objects(
    const struct pin_catalog *catalog, const struct pin_delta *delta, uint32_t first)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[delta->cluster_id];
    uint32_t n = 0;
    size_t cursor = 0;
    void *value = NULL;
    if (delta->kind == PIN_KIND_POD) {
        return pin_pods_count(catalog, delta->cluster_id, first);
    }
    while (pin_map_next(&cluster->objects[delta->kind], &cursor, NULL, NULL, &value)) {
        const struct pin_object *object = value;
        n += object->list_round >= first ? 1 : 0;
    }
    return n;
}

/* The map of what is known of a kind. */
static struct pin_map *map_of(struct pin_cluster_state *cluster, enum pin_kind kind)
{
    return kind == PIN_KIND_POD ? &cluster->pods : &cluster->objects[kind];
}

void pin_list_begin(struct pin_catalog *catalog, const struct pin_delta *delta)
{
    struct pin_cluster_state *cluster = &catalog->clusters[delta->cluster_id];
    struct pin_list_state *list = state_of(catalog, delta);
    list->n_before = (uint32_t)pin_map_count(map_of(cluster, delta->kind));
    list->n_held = list->is_held ? count_objects(catalog, delta, list->held_round) : 0;
    list->begun_ns = delta->received_ns;
    list->n_missed = 0;
    list->n_refused = 0;
    list->round++;
    pin_waits_set_open(catalog, delta->cluster_id, list, true);
}

/* Takes away what the latest list did not name. */
static void remove_missing(struct pin_catalog *catalog, const struct pin_delta *delta)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[delta->cluster_id];
    uint32_t round = cluster->lists[delta->kind].round;
    size_t cursor = 0;
    void *value = NULL;
    if (delta->kind == PIN_KIND_POD) {
        pin_pods_end_list(catalog, delta->cluster_id);
    }
    while (pin_map_next(&cluster->objects[delta->kind], &cursor, NULL, NULL, &value)) {
        const struct pin_object *object = value;
        if (object->list_round != round) {
            char gone[KEY_BYTES]; /* in the map, so it is short enough */
            int bytes = snprintf(gone, sizeof(gone), "%s/%s", object->namespace_name, object->name);
            pin_catalog_remove_object(catalog, delta->cluster_id, delta->kind, gone, (size_t)bytes);
        }
    }
}

/* Whether the latest list and the held one (with what watches said since) name the same: at least
 * half of all that either of them names, both do. */
static bool agrees(const struct pin_catalog *catalog, const struct pin_delta *delta,
    const struct pin_list_state *list, uint32_t n_named)
{
    uint32_t n_since = count_objects(catalog, delta, list->held_round);
    uint32_t n_held_only = n_since > n_named ? n_since - n_named : 0;
    uint32_t n_both = list->n_held > n_held_only ? list->n_held - n_held_only : 0;
    uint32_t n_new_only = n_named > n_both ? n_named - n_both : 0;
    return n_both >= n_held_only + n_new_only;
}

/* "cluster c1: Service: ..."; no limit on the rate: a list is asked for twice a minute at most. */
static void PIN_PRINTF(4, 5) tell(const struct pin_catalog *catalog, const struct pin_delta *delta,
    enum pin_log_level level, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    pin_log_write(NULL, level, "cluster %s: %s: %s",
        catalog->settings->clusters[delta->cluster_id].name, pin_kind_text(delta->kind), text);
}

/* --- room
 * ---------------------------------------------------------------------------------------- */

/* Whether something of that "namespace/name" is known. */
static bool is_known(
    struct pin_cluster_state *cluster, enum pin_kind kind, const char *key, size_t bytes)
{
    const struct pin_map *map = map_of(cluster, kind);
    return kind == PIN_KIND_POD ? pin_map_find(map, key, bytes) != NULL
                                : pin_objects_find_path(map, key, bytes) != NULL;
}

bool pin_list_refuses(struct pin_catalog *catalog, uint16_t cluster_id, enum pin_kind kind,
    const char *key, size_t bytes)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    struct pin_list_state *list = &cluster->lists[kind];
    const struct pin_map *map = map_of(cluster, kind);
    uint32_t max = catalog->settings->max_objects;
    if (max == 0 || pin_map_count(map) < max || is_known(cluster, kind, key, bytes)) {
        return false;
    }
    list->n_refused++;
    list->n_missed++;
    if (!list->is_over) {
        list->is_over = true;
        catalog->held_stamp++;
        pin_log_write(NULL, PIN_LOG_WARN,
            "cluster %s: %s: there are %u objects, and more come; these are left out (%.*s is the "
            "first), what is known is kept; to do: find out what makes so many, or raise "
            "maxObjects",
            catalog->settings->clusters[cluster_id].name, pin_kind_text(kind), max, (int)bytes,
            key);
    }
    return true;
}

/* Whether the list that ends names more than there may be. Counts only where that may be so. */
static bool names_too_many(const struct pin_catalog *catalog, const struct pin_delta *delta)
{
    const struct pin_list_state *list = &catalog->clusters[delta->cluster_id].lists[delta->kind];
    return list->n_refused > 0
           && (uint64_t)count_objects(catalog, delta, list->round) + list->n_refused
                  > catalog->settings->max_objects;
}

/* A whole list has ended that was believed or is held. */
static void settle_room(
    struct pin_catalog *catalog, const struct pin_delta *delta, struct pin_list_state *list)
{
    if (list->is_over && list->n_refused == 0) {
        list->is_over = false;
        catalog->held_stamp++;
        tell(catalog, delta, PIN_LOG_INFO, "a list names all objects, and there is room for them");
    }
}

static void hold(
    struct pin_catalog *catalog, const struct pin_delta *delta, struct pin_list_state *list)
{
    list->held_round = list->round;
    list->held_ns = delta->received_ns;
    if (!list->is_held) {
        list->is_held = true;
        catalog->held_stamp++;
    }
}

static void release(struct pin_catalog *catalog, struct pin_list_state *list)
{
    catalog->held_stamp += list->is_held ? 1 : 0;
    list->is_held = false;
}

/* A list that names nothing or too little: the second one that says so is believed. */
static void doubt(struct pin_catalog *catalog, const struct pin_delta *delta,
    struct pin_list_state *list, uint32_t n_named)
{
    bool has_second = list->is_held && agrees(catalog, delta, list, n_named);
    if (!list->is_held) {
        tell(catalog, delta, PIN_LOG_WARN,
            "a list names %u, %u were known; the others are kept until a second list, begun 30 s "
            "later or more, says the same",
            n_named, list->n_before);
    }
    if (!has_second) {
        hold(catalog, delta, list);
    } else if (list->begun_ns >= list->held_ns + PIN_LIST_CONFIRM_NS) {
        tell(catalog, delta, PIN_LOG_WARN, "a second list says the same, %u of %u are gone",
            list->n_before - n_named, list->n_before);
        release(catalog, list);
        remove_missing(catalog, delta);
    }
}

/* What clusters are written to because of. */
static const enum pin_kind vouching[] = {
    PIN_KIND_SERVICE, PIN_KIND_ENDPOINT_SLICE, PIN_KIND_SERVICE_EXPORT};

void pin_lists_doubt(struct pin_catalog *catalog, uint16_t cluster_id)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    cluster->is_fresh = false;
    cluster->is_doubted = true;
    catalog->held_stamp++;
    for (size_t i = 0; i < N_ELEMS(vouching); i++) {
        struct pin_list_state *list = &cluster->lists[vouching[i]];
        list->is_asked = true;
        list->asked_ns = list->ended_ns;
    }
    pin_log_write(NULL, PIN_LOG_WARN,
        "cluster %s: its first lists lack what other clusters were written to because of; nothing "
        "of that is taken away until second ones, begun 30 s later or more, say the same",
        catalog->settings->clusters[cluster_id].name);
}

/* The last second list that was asked for ends the doubt. */
static void take_second(
    struct pin_catalog *catalog, uint16_t cluster_id, struct pin_list_state *list)
{
    struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    bool is_doubted = false;
    if (!list->is_asked || list->begun_ns < list->asked_ns + PIN_LIST_CONFIRM_NS) {
        return;
    }
    list->is_asked = false;
    catalog->held_stamp++;
    for (size_t i = 0; i < N_ELEMS(vouching); i++) {
        is_doubted = is_doubted || cluster->lists[vouching[i]].is_asked;
    }
    if (cluster->is_doubted && !is_doubted) {
        cluster->is_doubted = false;
        pin_writes_note_all(catalog);
    }
}

static void judge(struct pin_catalog *catalog, const struct pin_delta *delta)
{
    struct pin_list_state *list = state_of(catalog, delta);
    uint32_t n_named = delta->is_unproven ? count_objects(catalog, delta, list->round) : 0;
    if (!list->is_known && list->n_missed == 0) {
        list->is_known = true;
        pin_changes_note_state(catalog);
        pin_claimed_mark(catalog);
    }
    if (delta->is_unproven && list->n_before > 0 && (uint64_t)n_named * 2 < list->n_before) {
        doubt(catalog, delta, list, n_named);
        return;
    }
    if (list->is_held && delta->is_unproven) {
        tell(catalog, delta, PIN_LOG_INFO,
            "a list names %u again, the one in doubt took nothing away", n_named);
    }
    release(catalog, list);
    remove_missing(catalog, delta);
}

void pin_list_end(struct pin_catalog *catalog, const struct pin_delta *delta)
{
    struct pin_list_state *list = state_of(catalog, delta);
    pin_waits_set_open(catalog, delta->cluster_id, list, false);
    if (!delta->is_partial && !names_too_many(catalog, delta)) {
        list->ended_ns = delta->received_ns;
        list->is_unproven = delta->is_unproven;
        judge(catalog, delta);
        settle_room(catalog, delta, list);
        take_second(catalog, delta->cluster_id, list);
    }
}

void pin_list_keep(
    struct pin_catalog *catalog, const struct pin_delta *delta, const char *key, size_t bytes)
{
    struct pin_cluster_state *cluster = &catalog->clusters[delta->cluster_id];
    if (delta->kind == PIN_KIND_POD) {
        pin_pods_keep(catalog, delta->cluster_id, key, bytes);
        return;
    }
    struct pin_list_state *list = &cluster->lists[delta->kind];
    struct pin_object *object = pin_objects_find_path(&cluster->objects[delta->kind], key, bytes);
    if (object != NULL) {
        object->list_round = list->round;
    } else {
        list->n_missed++;
    }
}

uint32_t pin_catalog_held(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    uint32_t kinds = 0;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        const struct pin_list_state *list = &catalog->clusters[cluster_id].lists[kind];
        bool is_wanted = list->is_held || list->is_asked || list->is_over;
        kinds |= is_wanted ? UINT32_C(1) << kind : 0;
    }
    return kinds;
}

uint32_t pin_catalog_over(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    uint32_t kinds = 0;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        kinds |= catalog->clusters[cluster_id].lists[kind].is_over ? UINT32_C(1) << kind : 0;
    }
    return kinds;
}

uint32_t pin_catalog_held_stamp(const struct pin_catalog *catalog)
{
    return catalog->held_stamp;
}
