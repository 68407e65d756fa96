/* SPDX-License-Identifier: Apache-2.0 */

/* From records of a state file to deltas. */

#include "resolver/keeper_restore.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"
#include "pintle/zones/pack.h"

/* Numbers that clusters may have in a file. */
#define NUMBERS_MAX ((size_t)UINT16_MAX + 1)
/* Kubernetes names are shorter. */
#define NAME_BYTES 512

static bool is_text(const struct pin_state_record *record, size_t i, const char *text)
{
    return strlen(text) == record->bytes[i] && memcmp(text, record->texts[i], strlen(text)) == 0;
}

/* Our cluster of that name and source; PIN_CLUSTER_NONE: there is none. */
static uint16_t find_cluster(
    const struct pin_keeper_restore *restore, const struct pin_state_record *record)
{
    for (size_t i = 0; i < restore->settings->n_clusters; i++) {
        if (is_text(record, 0, restore->settings->clusters[i].name)) {
            return is_text(record, 1, restore->sources[i]) ? (uint16_t)i : PIN_CLUSTER_NONE;
        }
    }
    return PIN_CLUSTER_NONE;
}

static void note_cluster(struct pin_keeper_restore *restore, const struct pin_state_record *record)
{
    uint16_t id = find_cluster(restore, record);
    restore->ids[record->cluster] = id;
    if (id == PIN_CLUSTER_NONE) {
        pin_log_info("keeper: what cluster %.*s (%.*s) said before the restart is left out: it is "
                     "not configured like that any more",
            (int)record->bytes[0], record->texts[0], (int)record->bytes[1], record->texts[1]);
        restore->is_outdated = true;
    }
}

/* The first walk: who was listed whole. */
static bool look_at_record(void *arg, const struct pin_state_record *record)
{
    struct pin_keeper_restore *restore = arg;
    if (record->op == PIN_STATE_CLUSTER) {
        note_cluster(restore, record);
    } else if (record->op == PIN_STATE_SYNCED
               && restore->ids[record->cluster] != PIN_CLUSTER_NONE) {
        restore->is_whole[restore->ids[record->cluster]] = true;
    }
    return true;
}

enum pin_err pin_keeper_restore_begin(struct pin_keeper_restore *restore, uint8_t *data,
    const struct pin_state_scan *scan, struct pin_why *why)
{
    restore->ids = malloc(NUMBERS_MAX * sizeof(*restore->ids));
    restore->is_whole = calloc(restore->settings->n_clusters + 1, sizeof(*restore->is_whole));
    if (restore->ids == NULL || restore->is_whole == NULL) {
        pin_keeper_restore_done(restore);
        return pin_why_set(why, PIN_ENOMEM, "clusters");
    }
    memset(restore->ids, 0xff, NUMBERS_MAX * sizeof(*restore->ids)); /* PIN_CLUSTER_NONE */
    restore->data = data;
    restore->scan = *scan;
    pin_state_each(data, scan->n_good, look_at_record, restore);
    return PIN_OK;
}

/* --- deltas -------------------------------------------------------------------------------- */

/* What is being restored, and where to. */
struct target {
    struct pin_keeper_restore *restore;
    struct pin_catalog *catalog;
};

static void put_object(
    const struct target *target, uint16_t id, const struct pin_state_record *record)
{
    struct pin_object *object = NULL;
    if (pin_object_unpack(record->texts[0], record->bytes[0], &object, NULL) != PIN_OK) {
        target->restore->n_bad++;
        return;
    }
    object->trigger_wall_ms = 0; /* it was shown long ago */
    struct pin_delta *delta = pin_delta_upsert(id, object);
    if (delta != NULL) {
        pin_catalog_apply(target->catalog, delta);
        target->restore->n_objects++;
    }
}

static void remove_object(
    const struct target *target, uint16_t id, const struct pin_state_record *record)
{
    char names[2][NAME_BYTES];
    for (size_t i = 0; i < 2; i++) {
        if (record->bytes[i] >= NAME_BYTES) {
            return;
        }
        memcpy(names[i], record->texts[i], record->bytes[i]);
        names[i][record->bytes[i]] = '\0';
    }
    struct pin_delta *delta = pin_delta_delete(id, record->kind, names[0], names[1]);
    if (delta != NULL) {
        pin_catalog_apply(target->catalog, delta);
    }
}

static bool take_record(void *arg, const struct pin_state_record *record)
{
    const struct target *target = arg;
    struct pin_keeper_restore *restore = target->restore;
    if (record->op == PIN_STATE_CLUSTER) {
        restore->ids[record->cluster] = find_cluster(restore, record);
    }
    uint16_t id = restore->ids[record->cluster];
    if (id == PIN_CLUSTER_NONE || !restore->is_whole[id]) {
        return true;
    }
    if (record->op == PIN_STATE_OBJECT) {
        put_object(target, id, record);
    } else if (record->op == PIN_STATE_GONE && record->kind != PIN_KIND_POD) {
        remove_object(target, id, record);
    }
    return true;
}

void pin_keeper_restore_apply(struct pin_keeper_restore *restore, struct pin_catalog *catalog)
{
    struct target target = {.restore = restore, .catalog = catalog};
    pin_state_each(restore->data, restore->scan.n_good, take_record, &target);
    for (size_t i = 0; i < restore->settings->n_clusters; i++) {
        if (!restore->is_whole[i]) {
            continue;
        }
        struct pin_delta *delta = pin_delta_mark((uint16_t)i, PIN_DELTA_RESTORED, PIN_KIND_SERVICE);
        if (delta != NULL) {
            pin_catalog_apply(catalog, delta);
        }
    }
}

void pin_keeper_restore_done(struct pin_keeper_restore *restore)
{
    free(restore->data);
    free(restore->ids);
    free(restore->is_whole);
    restore->data = NULL;
    restore->ids = NULL;
    restore->is_whole = NULL;
}
