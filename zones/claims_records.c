/* SPDX-License-Identifier: Apache-2.0 */

/* Records that somebody wrote down: DNSEndpoint objects, and entries of the configuration. */

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/zones/claims.h"

#define TYPE_MAX_BYTES 16u

/* The type in capitals; NULL for what is none, or memory is out. */
static const char *read_type(struct pin_arena *arena, const char *text)
{
    size_t bytes = strlen(text);
    char *type = bytes == 0 || bytes >= TYPE_MAX_BYTES ? NULL : pin_arena_strdup(arena, text);
    for (size_t i = 0; type != NULL && i < bytes; i++) {
        bool is_letter = (type[i] >= 'a' && type[i] <= 'z') || (type[i] >= 'A' && type[i] <= 'Z');
        if (!is_letter && (type[i] < '0' || type[i] > '9')) {
            return NULL;
        }
        type[i] = (char)(is_letter ? type[i] & ~0x20 : type[i]);
    }
    return type;
}

/* Adds one set. PIN_EPARSE for a name or type that is none. */
static enum pin_err read_record(struct pin_arena *arena, const char *const *clusters,
    const struct pin_claim_record *record, const struct pin_recordset_source *source,
    struct pin_claims *claims)
{
    char name[PIN_RECORDSET_NAME_MAX];
    struct pin_recordset set = {.set_id = record->set_id == NULL ? "" : record->set_id,
        .ttl_s = record->ttl_s,
        .n_properties = record->n_properties,
        .n_sources = 1,
        .holds = clusters};
    if (pin_recordset_name(record->name, name, NULL) != PIN_OK) {
        return PIN_EPARSE;
    }
    set.name = pin_arena_strdup(arena, name);
    set.type = read_type(arena, record->type);
    set.values = pin_arena_alloc(arena, record->n_targets * sizeof(*set.values));
    set.sources = pin_arena_memdup(arena, source, sizeof(*source));
    set.properties =
        pin_arena_memdup(arena, record->properties, record->n_properties * sizeof(*set.properties));
    if (set.name == NULL || set.type == NULL || set.values == NULL || set.sources == NULL
        || set.properties == NULL) {
        return pin_arena_has_failed(arena) ? PIN_ENOMEM : PIN_EPARSE;
    }
    for (size_t i = 0; i < record->n_targets; i++) {
        struct pin_recordset_value value = {.clusters = clusters, .n_clusters = 1};
        enum pin_err err =
            pin_recordset_value(arena, set.type, record->targets[i], &value.text, NULL);
        if (err == PIN_ENOMEM) {
            return err;
        }
        claims->n_invalid += err != PIN_OK;
        if (err == PIN_OK) {
            set.values[set.n_values++] = value;
        }
    }
    set.n_holds = set.n_values == 0;
    if (!pin_recordset_tidy(&set, arena)) {
        return PIN_ENOMEM;
    }
    claims->sets[claims->n_sets++] = set;
    return PIN_OK;
}

bool pin_claims_of_records(struct pin_arena *arena, const struct pin_recordset_source *source,
    const struct pin_claim_record *records, size_t n_records, struct pin_claims *ret_claims)
{
    const char **clusters = pin_arena_alloc(arena, sizeof(*clusters));
    struct pin_claims claims = {.sets = pin_arena_alloc(arena, n_records * sizeof(*claims.sets))};
    if (clusters == NULL || claims.sets == NULL) {
        return false;
    }
    clusters[0] = source->cluster;
    for (size_t i = 0; i < n_records; i++) {
        enum pin_err err = read_record(arena, clusters, &records[i], source, &claims);
        if (err == PIN_ENOMEM) {
            return false;
        }
        claims.n_invalid += err != PIN_OK;
    }
    *ret_claims = claims;
    return !pin_arena_has_failed(arena);
}
