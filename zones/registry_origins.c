/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Who gave which value, as a label:
 *
 *     c1                      one cluster gave all values
 *     c1_c2                   either may have given any of them
 *     c1:a3f2.9bc1_c2:77aa    four hex digits stand for a value
 *
 * A cluster's name is letters, digits and "-", so that nothing has to be escaped. Two values with
 * the same digits are both said to be of the clusters of either: a value stays for longer then.
 */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/compare.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/registry.h"

#define STRING_MAX_BYTES 255u
#define DIGITS           4u

static void hash_value(const char *value, char ret_digits[DIGITS + 1])
{
    static const char hex[] = "0123456789abcdef";
    uint64_t hash = pin_checksum64(value, strlen(value), 0);
    for (size_t i = 0; i < DIGITS; i++) {
        ret_digits[i] = hex[hash >> (4 * i) & 15];
    }
    ret_digits[DIGITS] = '\0';
}

/* All clusters that give some value, sorted, each once. */
static const char **all_clusters(
    const struct pin_recordset *set, struct pin_arena *arena, size_t *ret_n)
{
    size_t n = 0;
    size_t used = 0;
    for (size_t i = 0; i < set->n_values; i++) {
        n += set->values[i].n_clusters;
    }
    const char **clusters = pin_arena_alloc(arena, n * sizeof(*clusters));
    if (clusters == NULL) {
        return NULL;
    }
    n = 0;
    for (size_t i = 0; i < set->n_values; i++) {
        for (size_t k = 0; k < set->values[i].n_clusters; k++) {
            clusters[n++] = set->values[i].clusters[k];
        }
    }
    if (n > 1) {
        qsort(clusters, n, sizeof(*clusters), pin_compare_texts);
    }
    for (size_t i = 0; i < n; i++) {
        if (used == 0 || strcmp(clusters[used - 1], clusters[i]) != 0) {
            clusters[used++] = clusters[i];
        }
    }
    *ret_n = used;
    return clusters;
}

/* Writes which of the values one cluster gives; nothing when it gives all of them. */
static void put_values(struct pin_text *out, const struct pin_recordset *set, const char *cluster)
{
    size_t n_given = 0;
    for (size_t i = 0; i < set->n_values; i++) {
        n_given +=
            pin_recordset_has_text(set->values[i].clusters, set->values[i].n_clusters, cluster);
    }
    if (n_given == set->n_values) {
        return;
    }
    char separator = ':';
    for (size_t i = 0; i < set->n_values; i++) {
        const struct pin_recordset_value *value = &set->values[i];
        if (pin_recordset_has_text(value->clusters, value->n_clusters, cluster)) {
            char digits[DIGITS + 1];
            hash_value(value->text, digits);
            pin_text_putc(out, separator);
            pin_text_puts(out, digits);
            separator = '.';
        }
    }
}

static const char *origins_of(
    const struct pin_recordset *set, bool says_values, struct pin_arena *arena)
{
    struct pin_text out = {0};
    size_t n = 0;
    const char **clusters = all_clusters(set, arena, &n);
    for (size_t i = 0; clusters != NULL && i < n; i++) {
        pin_text_puts(&out, i == 0 ? "" : "_");
        pin_text_puts(&out, clusters[i]);
        if (says_values) {
            put_values(&out, set, clusters[i]);
        }
    }
    const char *label =
        out.failed || out.len == 0 ? NULL : pin_arena_strndup(arena, out.ptr, out.len);
    pin_text_done(&out);
    return label;
}

/* Some value that nobody is known to give: then nothing is said. */
static bool has_unknown(const struct pin_recordset *set)
{
    for (size_t i = 0; i < set->n_values; i++) {
        if (set->values[i].n_clusters == 0) {
            return true;
        }
    }
    return set->n_values == 0;
}

const char *pin_registry_write_origins(const struct pin_registry *registry,
    struct pin_registry_labels *labels, const struct pin_recordset *set, struct pin_arena *arena)
{
    static const bool says_values[] = {true, false};
    for (size_t i = 0; i < N_ELEMS(says_values) && !has_unknown(set); i++) {
        labels->origins = origins_of(set, says_values[i], arena);
        const char *value =
            labels->origins == NULL ? NULL : pin_registry_write(registry, labels, arena);
        if (value == NULL || strlen(value) <= STRING_MAX_BYTES + 2) {
            return value; /* nothing in it is escaped: two quotes more than its text */
        }
    }
    labels->origins = NULL;
    return pin_registry_write(registry, labels, arena);
}

/* --- Reading -------------------------------------------------------------------------------- */

/* What a label says of one cluster. */
struct origin {
    const char *cluster;
    const char *list; /* digits of its values, "a3f2.9bc1"; NULL: it gives all */
    size_t list_bytes;
};

static int by_cluster(const void *a, const void *b)
{
    const struct origin *one = a;
    const struct origin *other = b;
    return strcmp(one->cluster, other->cluster);
}

/* The parts of a label, sorted; a cluster may have several. NULL: memory is out. */
static struct origin *split(const char *label, struct pin_arena *arena, size_t *ret_n)
{
    size_t n = 1;
    for (const char *at = label; *at != '\0'; at++) {
        n += *at == '_';
    }
    struct origin *origins = pin_arena_alloc(arena, n * sizeof(*origins));
    n = 0;
    while (origins != NULL && *label != '\0') {
        size_t bytes = strcspn(label, "_");
        size_t name_bytes = strcspn(label, "_:");
        if (name_bytes > 0) {
            struct origin *origin = &origins[n++];
            origin->cluster = pin_arena_strndup(arena, label, name_bytes);
            if (origin->cluster == NULL) {
                return NULL;
            }
            if (name_bytes < bytes) {
                origin->list = label + name_bytes + 1;
                origin->list_bytes = bytes - name_bytes - 1;
            }
        }
        label += bytes + (label[bytes] == '_');
    }
    if (n > 1) {
        qsort(origins, n, sizeof(*origins), by_cluster);
    }
    *ret_n = n;
    return origins;
}

static bool gives(const struct origin *origin, const char *digits)
{
    bool is_named = origin->list == NULL;
    for (size_t i = 0; !is_named && i + DIGITS <= origin->list_bytes; i += DIGITS + 1) {
        is_named = memcmp(origin->list + i, digits, DIGITS) == 0;
    }
    return is_named;
}

/* The clusters that give one value, sorted, each once. False: memory is out. */
static bool read_value(const struct origin *origins, size_t n_origins,
    struct pin_recordset_value *value, struct pin_arena *arena)
{
    char digits[DIGITS + 1];
    size_t n = 0;
    hash_value(value->text, digits);
    for (size_t i = 0; i < n_origins; i++) {
        n += gives(&origins[i], digits);
    }
    const char **clusters = n == 0 ? NULL : pin_arena_alloc(arena, n * sizeof(*clusters));
    if (n > 0 && clusters == NULL) {
        return false;
    }
    n = 0;
    for (size_t i = 0; clusters != NULL && i < n_origins; i++) {
        bool is_new = n == 0 || strcmp(clusters[n - 1], origins[i].cluster) != 0;
        if (is_new && gives(&origins[i], digits)) {
            clusters[n++] = origins[i].cluster;
        }
    }
    value->clusters = clusters;
    value->n_clusters = n;
    return true;
}

bool pin_registry_read_origins(
    const char *origins, struct pin_recordset *set, struct pin_arena *arena)
{
    size_t n = 0;
    const struct origin *parts = split(origins == NULL ? "" : origins, arena, &n);
    bool is_ok = parts != NULL;
    for (size_t i = 0; i < set->n_values; i++) {
        set->values[i].clusters = NULL;
        set->values[i].n_clusters = 0;
        is_ok = is_ok && read_value(parts, n, &set->values[i], arena);
    }
    return is_ok;
}
