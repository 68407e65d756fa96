/* SPDX-License-Identifier: Apache-2.0 */

/* A map of keys in order of their first change is the queue; values are packed when it is emptied.
 */

#include "zones/changes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/zones/bundle.h"

#include "zones/objects.h"
#include "zones/units.h"

/* A key here: the cluster's id, the kind, "namespace/name". */
#define HEAD_BYTES 3u
#define KEY_BYTES  (HEAD_BYTES + 512u)

struct pin_changes {
    struct pin_map keys; /* head and name -> itself, for it needs no value */
    bool *is_followed;   /* by cluster id */
    bool *is_lossy;      /* likewise: memory was out for some key, so all are to be noted */
    bool has_lossy;
    bool has_states; /* a cluster came or went since the last take */
    bool is_told;    /* whoever takes knows that something waits */
};

static bool is_followed(const struct pin_catalog *catalog, uint16_t cluster_id)
{
    return catalog->changes != NULL && catalog->changes->is_followed[cluster_id];
}

/* Kinds that are parts of a service; a TargetGroupPolicy, which may be another's, is not. */
static bool is_part(enum pin_kind kind)
{
    switch (kind) {
    case PIN_KIND_SERVICE:
    case PIN_KIND_ENDPOINT_SLICE:
    case PIN_KIND_SERVICE_EXPORT:
    case PIN_KIND_SERVICE_IMPORT:
    case PIN_KIND_AWS_SERVICE_EXPORT:
    case PIN_KIND_AWS_SERVICE_IMPORT:
        return true;
    default:
        return false;
    }
}

/* Of whose service an object is a part; NULL: of nobody's. */
static const char *service_of(const struct pin_object *object)
{
    if (object->kind != PIN_KIND_ENDPOINT_SLICE) {
        return object->name;
    }
    return object->as.slice.import_service != NULL ? object->as.slice.import_service
                                                   : object->as.slice.service;
}

/* --- noting ---------------------------------------------------------------------------------- */

static void lose(struct pin_changes *changes, uint16_t cluster_id)
{
    changes->is_lossy[cluster_id] = true;
    changes->has_lossy = true;
}

void pin_changes_note(
    struct pin_catalog *catalog, uint16_t cluster_id, const struct pin_object *object)
{
    char key[KEY_BYTES];
    struct pin_changes *changes = catalog->changes;
    if (!is_followed(catalog, cluster_id) || object->kind == PIN_KIND_POD) {
        return;
    }
    bool is_service = is_part(object->kind);
    enum pin_kind kind = is_service ? PIN_KIND_SERVICE : object->kind;
    const char *name = is_service ? service_of(object) : object->name;
    if (name == NULL) {
        return; /* a slice of no Service */
    }
    key[0] = (char)(cluster_id >> 8);
    key[1] = (char)cluster_id;
    key[2] = (char)kind;
    int n =
        snprintf(key + HEAD_BYTES, KEY_BYTES - HEAD_BYTES, "%s/%s", object->namespace_name, name);
    if (n < 0 || (size_t)n >= KEY_BYTES - HEAD_BYTES) {
        return; /* the catalog has not kept it either */
    }
    size_t bytes = HEAD_BYTES + (size_t)n;
    if (pin_map_find(&changes->keys, key, bytes) == NULL
        && !pin_map_put(&changes->keys, key, bytes, changes, NULL)) {
        lose(changes, cluster_id);
    }
}

void pin_changes_note_state(struct pin_catalog *catalog)
{
    if (catalog->changes != NULL) {
        catalog->changes->has_states = true;
    }
}

void pin_changes_note_lost(struct pin_catalog *catalog)
{
    for (size_t i = 0; catalog->changes != NULL && i < catalog->settings->n_clusters; i++) {
        if (catalog->changes->is_followed[i]) {
            lose(catalog->changes, (uint16_t)i);
        }
    }
}

static void note_all(struct pin_catalog *catalog, uint16_t cluster_id)
{
    const struct pin_cluster_state *cluster = &catalog->clusters[cluster_id];
    for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
        size_t cursor = 0;
        void *object = NULL;
        while (pin_map_next(&cluster->objects[kind], &cursor, NULL, NULL, &object)) {
            pin_changes_note(catalog, cluster_id, object);
        }
    }
}

static struct pin_changes *changes_new(size_t n_clusters)
{
    struct pin_changes *changes = calloc(1, sizeof(*changes));
    if (changes == NULL) {
        return NULL;
    }
    changes->is_followed = calloc(n_clusters + 1, sizeof(bool));
    changes->is_lossy = calloc(n_clusters + 1, sizeof(bool));
    if (changes->is_followed == NULL || changes->is_lossy == NULL) {
        pin_changes_free(changes);
        return NULL;
    }
    return changes;
}

void pin_catalog_follow(struct pin_catalog *catalog, uint16_t cluster_id)
{
    if (catalog->changes == NULL) {
        catalog->changes = changes_new(catalog->settings->n_clusters);
    }
    if (catalog->changes == NULL) {
        return; /* it shows as not followed */
    }
    catalog->changes->is_followed[cluster_id] = true;
    note_all(catalog, cluster_id);
}

void pin_catalog_follow_nobody(struct pin_catalog *catalog)
{
    pin_changes_free(catalog->changes);
    catalog->changes = changes_new(catalog->settings->n_clusters);
}

void pin_changes_free(struct pin_changes *changes)
{
    if (changes == NULL) {
        return;
    }
    pin_map_done(&changes->keys, NULL);
    free(changes->is_followed);
    free(changes->is_lossy);
    free(changes);
}

bool pin_catalog_has_changes(const struct pin_catalog *catalog)
{
    const struct pin_changes *changes = catalog->changes;
    return changes != NULL && !changes->is_told
           && (changes->has_states || changes->has_lossy || pin_map_count(&changes->keys) > 0);
}

void pin_catalog_set_changes_told(struct pin_catalog *catalog)
{
    if (catalog->changes != NULL) {
        catalog->changes->is_told = true;
    }
}

/* --- taking ---------------------------------------------------------------------------------- */

/* Two kinds are called ServiceExport and ServiceImport; those of AWS are parts of services. */
static void put_key(struct pin_text *out, const char *key)
{
    enum pin_kind kind = (enum pin_kind)(unsigned char)key[2];
    if (kind == PIN_KIND_SERVICE) {
        pin_text_putf(out, "s/%s", key + HEAD_BYTES);
    } else {
        pin_text_putf(out, "o/%s/%s", pin_kind_text(kind), key + HEAD_BYTES);
    }
}

static void put_part(struct pin_text *out, const struct pin_object *object)
{
    if (object != NULL) {
        (void)pin_bundle_put(out, object);
    }
}

static int by_name(const void *a, const void *b)
{
    const struct pin_object *const *left = a;
    const struct pin_object *const *right = b;
    return strcmp((*left)->name, (*right)->name);
}

/* Slices by name: the same objects give the same bytes, in whatever order they came. */
static void put_slices(struct pin_text *out, const struct pin_member *member)
{
    const struct pin_object **slices = calloc(member->n_slices + 1, sizeof(*slices));
    if (slices == NULL) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < member->n_slices; i++) {
        slices[i] = pin_member_slices(member)[i];
    }
    qsort(slices, member->n_slices, sizeof(*slices), by_name);
    for (size_t i = 0; i < member->n_slices; i++) {
        put_part(out, slices[i]);
    }
    free(slices);
}

static void put_service(
    struct pin_text *out, struct pin_catalog *catalog, uint16_t cluster_id, const char *full_name)
{
    const struct pin_service_unit *unit =
        pin_map_find(&catalog->services, full_name, strlen(full_name));
    const struct pin_member *member = unit != NULL ? pin_unit_member(unit, cluster_id) : NULL;
    if (member == NULL) {
        return;
    }
    put_part(out, member->service);
    put_part(out, member->export_);
    put_part(out, member->import);
    put_part(out, member->aws_export);
    put_part(out, member->aws_import);
    put_slices(out, member);
}

/* Packs what a key stands for. False: memory is out, and nothing is kept. */
static bool make_change(struct pin_catalog *catalog, const char *key, struct pin_change *ret_change)
{
    uint16_t cluster_id = (uint16_t)((unsigned char)key[0] << 8 | (unsigned char)key[1]);
    enum pin_kind kind = (enum pin_kind)(unsigned char)key[2];
    const char *full_name = key + HEAD_BYTES;
    struct pin_text name = {0};
    struct pin_text value = {0};
    put_key(&name, key);
    if (kind == PIN_KIND_SERVICE) {
        put_service(&value, catalog, cluster_id, full_name);
    } else {
        put_part(&value, pin_objects_find_path(&catalog->clusters[cluster_id].objects[kind],
                             full_name, strlen(full_name)));
    }
    if (name.failed || value.failed) {
        pin_text_done(&name);
        pin_text_done(&value);
        return false;
    }
    ret_change->cluster_id = cluster_id;
    ret_change->key_bytes = name.len;
    ret_change->key = pin_text_take(&name);
    ret_change->value_bytes = value.len;
    ret_change->value = value.len > 0 ? pin_text_take(&value) : NULL;
    return true;
}

static void note_lossy(struct pin_catalog *catalog)
{
    struct pin_changes *changes = catalog->changes;
    changes->has_lossy = false;
    for (size_t i = 0; i < catalog->settings->n_clusters; i++) {
        if (changes->is_lossy[i]) {
            changes->is_lossy[i] = false;
            note_all(catalog, (uint16_t)i);
        }
    }
}

/* Kinds that claim records and were never listed whole. */
static uint32_t list_unknown(const struct pin_cluster_state *cluster)
{
    uint32_t unknown = 0;
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        bool is_known = cluster->lists[kind].is_known && !cluster->has_lost;
        unknown |= is_known ? 0 : UINT32_C(1) << kind;
    }
    return unknown & PIN_RECORD_KINDS;
}

static void take_clusters(struct pin_catalog *catalog, struct pin_changes_taken *taken)
{
    size_t n = catalog->settings->n_clusters;
    taken->clusters = calloc(n + 1, sizeof(*taken->clusters));
    for (size_t i = 0; taken->clusters != NULL && i < n; i++) {
        taken->clusters[i] = (struct pin_change_cluster){.is_up = catalog->clusters[i].is_up,
            .is_synced = catalog->clusters[i].is_synced,
            .is_followed = is_followed(catalog, (uint16_t)i),
            .unknown = list_unknown(&catalog->clusters[i])};
    }
    taken->n_clusters = taken->clusters != NULL ? n : 0;
}

void pin_catalog_take_changes(struct pin_catalog *catalog, size_t n_max, size_t bytes_max,
    struct pin_changes_taken *ret_taken)
{
    struct pin_changes *changes = catalog->changes;
    size_t bytes = 0;
    size_t cursor = 0;
    const char *key = NULL;
    size_t key_bytes = 0;
    *ret_taken = (struct pin_changes_taken){0};
    take_clusters(catalog, ret_taken);
    if (changes == NULL) {
        return;
    }
    if (changes->has_lossy) {
        note_lossy(catalog);
    }
    n_max = PIN_MIN(n_max, pin_map_count(&changes->keys));
    ret_taken->items = calloc(n_max + 1, sizeof(*ret_taken->items));
    while (ret_taken->items != NULL && ret_taken->n < n_max && bytes < bytes_max
           && pin_map_next(&changes->keys, &cursor, &key, &key_bytes, NULL)) {
        struct pin_change *change = &ret_taken->items[ret_taken->n];
        if (!make_change(catalog, key, change)) {
            break;
        }
        bytes += change->value_bytes;
        ret_taken->n++;
        (void)pin_map_remove(&changes->keys, key, key_bytes);
    }
    changes->is_told = false;
    changes->has_states = ret_taken->clusters == NULL;
    ret_taken->has_more =
        changes->has_states || changes->has_lossy || pin_map_count(&changes->keys) > 0;
}

void pin_catalog_pull(struct pin_catalog *catalog, struct pin_changes_pull *pull)
{
    if (pull->is_first || catalog->changes == NULL) {
        pin_catalog_follow_nobody(catalog);
    }
    for (size_t i = 0; i < pull->n_follows && i < catalog->settings->n_clusters; i++) {
        if (pull->follows[i]) {
            pin_catalog_follow(catalog, (uint16_t)i);
        }
    }
    pin_catalog_take_changes(catalog, pull->n_max, pull->bytes_max, &pull->taken);
}

void pin_changes_taken_done(struct pin_changes_taken *taken)
{
    for (size_t i = 0; i < taken->n; i++) {
        free(taken->items[i].key);
        free(taken->items[i].value);
    }
    free(taken->items);
    free(taken->clusters);
    *taken = (struct pin_changes_taken){0};
}
