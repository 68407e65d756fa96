/* SPDX-License-Identifier: Apache-2.0 */

/* cluster.yaml: what a cluster directory says about itself. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/file.h"
#include "pintle/base/macros.h"
#include "pintle/sync/sync.h"

#include "place.h"

#define FILE_NAME      "cluster.yaml"
#define FILE_BYTES_MAX ((size_t)1 << 20)
#define KEY_BYTES_MAX  32

static const char *const known_keys[] = {"network", "clients", "region", "zone"};

/* Edit distance (Levenshtein); `a` shorter than KEY_BYTES_MAX. */
static size_t distance(const char *a, const char *b)
{
    size_t row[KEY_BYTES_MAX];
    size_t a_bytes = strlen(a);
    for (size_t i = 0; i <= a_bytes; i++) {
        row[i] = i;
    }
    for (size_t j = 0; b[j] != '\0'; j++) {
        size_t diagonal = row[0];
        row[0] = j + 1;
        for (size_t i = 0; i < a_bytes; i++) {
            size_t change = diagonal + (a[i] == b[j] ? 0 : 1);
            size_t add = PIN_MIN(row[i], row[i + 1]) + 1;
            diagonal = row[i + 1];
            row[i + 1] = PIN_MIN(change, add);
        }
    }
    return row[a_bytes];
}

static const char *nearest_key(const char *key)
{
    const char *best = known_keys[0];
    for (size_t i = 1; i < N_ELEMS(known_keys); i++) {
        if (distance(known_keys[i], key) < distance(best, key)) {
            best = known_keys[i];
        }
    }
    return best;
}

static enum pin_err read_text(const char *name, const struct pin_tree *node,
    struct pin_arena *arena, const char **ret, struct pin_why *why)
{
    const char *text = pin_tree_text(node, NULL);
    if (node->kind == PIN_TREE_NULL) {
        return PIN_OK;
    }
    if (text == NULL || text[0] == '\0') {
        return pin__why_at(why, PIN_EINVAL, name, node, "'%s' must be a string, not %s", node->key,
            pin_tree_kind_str(node->kind));
    }
    *ret = pin_arena_strdup(arena, text);
    return *ret == NULL ? pin_why_set(why, PIN_ENOMEM, "%s: no memory", name) : PIN_OK;
}

/* One range: a prefix, or {net: PREFIX, zone: NAME}. */
static enum pin_err read_client(const char *name, const struct pin_tree *item,
    struct pin_arena *arena, struct pin_prefix *ret_prefix, const char **ret_zone,
    struct pin_why *why)
{
    const struct pin_tree *net = item;
    const struct pin_tree *zone = NULL;
    if (item->kind == PIN_TREE_MAP) {
        net = pin_tree_find(item, "net");
        zone = pin_tree_find(item, "zone");
    }
    size_t n_known = (size_t)(net != NULL) + (size_t)(zone != NULL);
    const char *text = net == NULL ? "" : pin_tree_text(net, "");
    if (!pin_prefix_parse(text, ret_prefix)
        || (item->kind == PIN_TREE_MAP && item->n_children != n_known)) {
        return pin__why_at(why, PIN_EINVAL, name, item,
            "'%s' is no address range, write one like 10.10.0.0/16 or {net: 10.10.1.0/24, zone: "
            "eu-1a}",
            text);
    }
    return zone == NULL ? PIN_OK : read_text(name, zone, arena, ret_zone, why);
}

static enum pin_err read_clients(const char *name, const struct pin_tree *node,
    struct pin_arena *arena, struct pin_cluster_file *file, struct pin_why *why)
{
    if (node->kind == PIN_TREE_NULL) {
        return PIN_OK;
    }
    if (node->kind != PIN_TREE_LIST) {
        return pin__why_at(why, PIN_EINVAL, name, node,
            "'clients' must be a list of address ranges like [10.10.0.0/16]");
    }
    size_t n = 0;
    struct pin_prefix *clients =
        pin_arena_alloc(arena, node->n_children * sizeof(struct pin_prefix));
    const char **zones = pin_arena_alloc(arena, node->n_children * sizeof(char *));
    if (clients == NULL || zones == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "%s: no memory", name);
    }
    PIN_TREE_EACH(item, node)
    {
        enum pin_err err = read_client(name, item, arena, &clients[n], &zones[n], why);
        if (err != PIN_OK) {
            return err;
        }
        n++;
    }
    file->clients = clients;
    file->client_zones = zones;
    file->n_clients = n;
    return PIN_OK;
}

static enum pin_err read_key(const char *name, const struct pin_tree *node, struct pin_arena *arena,
    struct pin_cluster_file *file, struct pin_why *why)
{
    if (strcmp(node->key, "network") == 0) {
        return read_text(name, node, arena, &file->network, why);
    }
    if (strcmp(node->key, "region") == 0) {
        return read_text(name, node, arena, &file->region, why);
    }
    if (strcmp(node->key, "zone") == 0) {
        return read_text(name, node, arena, &file->zone, why);
    }
    if (strcmp(node->key, "clients") == 0) {
        return read_clients(name, node, arena, file, why);
    }
    return pin_why_set(why, PIN_EINVAL, "%s:%u:%u: unknown key \"%s\", did you mean \"%s\"?", name,
        node->key_line, node->key_col, node->key, nearest_key(node->key));
}

enum pin_err pin_cluster_file_parse(const char *name, const char *text, size_t bytes,
    struct pin_arena *arena, struct pin_cluster_file *ret_file, struct pin_why *why)
{
    struct pin_cluster_file file = {0};
    struct pin_tree *docs = NULL;
    enum pin_err err = pin__yaml_parse(name, text, bytes, arena, &docs, why);
    const struct pin_tree *doc = docs == NULL || err != PIN_OK ? NULL : docs->first;
    if (doc != NULL && doc->next != NULL) {
        return pin__why_at(why, PIN_EINVAL, name, doc->next, "only one document is allowed here");
    }
    if (doc != NULL && doc->kind != PIN_TREE_MAP) {
        return pin__why_at(
            why, PIN_EINVAL, name, doc, "must be a map with network, clients, region or zone");
    }
    for (const struct pin_tree *node = doc == NULL ? NULL : doc->first;
         node != NULL && err == PIN_OK; node = node->next) {
        err = read_key(name, node, arena, &file, why);
    }
    if (err == PIN_OK) {
        *ret_file = file;
    }
    return err;
}

enum pin_err pin_cluster_file_read(const char *directory, struct pin_arena *arena,
    struct pin_cluster_file *ret_file, struct pin_why *why)
{
    char *text = NULL;
    size_t bytes = 0;
    char *path = pin_path_join(directory, FILE_NAME);
    if (path == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for '%s'", directory);
    }
    enum pin_err err = pin_file_read(path, FILE_BYTES_MAX, &text, &bytes, why);
    if (err == PIN_ENOTFOUND) {
        *ret_file = (struct pin_cluster_file){0};
        err = PIN_OK;
    } else if (err != PIN_OK) {
        pin_why_wrap(why, "cluster directory '%s'", directory);
    } else {
        err = pin_cluster_file_parse(path, text, bytes, arena, ret_file, why);
    }
    free(text);
    free(path);
    return err;
}
