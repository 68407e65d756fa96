/* SPDX-License-Identifier: Apache-2.0 */

/* Claims of files on objects, and who of them counts. */

#include "fileset.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/log.h"

#define KEY_BYTES_MAX 512 /* kind, namespace (63), name (253) */

struct file {
    char *name;
    char *error;           /* Why it cannot be read now, or NULL. */
    struct pin_map claims; /* Object key -> this file. */
};

/* Files that claim an object and do not count for it. Few objects have any. */
struct rivals {
    struct file **files;
    size_t n;
};

/* An object's name within its cluster, as bytes: kind, namespace, NUL, name. */
struct key {
    char bytes[KEY_BYTES_MAX];
    size_t n;
};

static struct key make_key(enum pin_kind kind, const char *namespace_name, const char *name)
{
    struct key key;
    size_t ns_bytes = strnlen(namespace_name, KEY_BYTES_MAX / 4);
    size_t name_bytes = strnlen(name, KEY_BYTES_MAX / 2);
    key.bytes[0] = (char)kind;
    memcpy(key.bytes + 1, namespace_name, ns_bytes);
    key.bytes[1 + ns_bytes] = '\0';
    memcpy(key.bytes + 2 + ns_bytes, name, name_bytes);
    key.n = 2 + ns_bytes + name_bytes;
    return key;
}

static enum pin_kind key_kind(const char *key)
{
    return (enum pin_kind)key[0];
}

/* The name at the end of a key; keys in a map are NUL-terminated. */
static const char *key_name(const char *key)
{
    return key + 1 + strlen(key + 1) + 1;
}

static void free_file(void *value)
{
    struct file *file = value;
    pin_map_done(&file->claims, NULL);
    free(file->name);
    free(file->error);
    free(file);
}

static void free_rivals(void *value)
{
    struct rivals *rivals = value;
    free(rivals->files);
    free(rivals);
}

void pin_fileset_done(struct pin_fileset *set)
{
    pin_map_done(&set->rivals, free_rivals);
    pin_map_done(&set->owners, NULL);
    pin_map_done(&set->files, free_file);
}

static struct file *find_file(const struct pin_fileset *set, const char *name)
{
    return pin_map_find(&set->files, name, strlen(name));
}

static struct file *get_file(struct pin_fileset *set, const char *name)
{
    struct file *file = find_file(set, name);
    if (file != NULL) {
        return file;
    }
    file = calloc(1, sizeof(*file));
    if (file == NULL) {
        return NULL;
    }
    file->name = strdup(name);
    if (file->name == NULL || !pin_map_put(&set->files, name, strlen(name), file, NULL)) {
        free_file(file);
        return NULL;
    }
    return file;
}

/* Notes why a file cannot be read now; NULL: it can. Takes the text. */
static void set_error(struct pin_fileset *set, struct file *file, char *error)
{
    set->n_broken += error != NULL ? 1 : 0;
    set->n_broken -= file->error != NULL ? 1 : 0;
    free(file->error);
    file->error = error;
}

static struct rivals *get_rivals(struct pin_fileset *set, const char *key, size_t bytes)
{
    struct rivals *rivals = pin_map_find(&set->rivals, key, bytes);
    if (rivals != NULL) {
        return rivals;
    }
    rivals = calloc(1, sizeof(*rivals));
    if (rivals != NULL && !pin_map_put(&set->rivals, key, bytes, rivals, NULL)) {
        free(rivals);
        return NULL;
    }
    return rivals;
}

static void add_rival(struct pin_fileset *set, struct file *file, const char *key, size_t bytes)
{
    struct rivals *rivals = get_rivals(set, key, bytes);
    for (size_t i = 0; rivals != NULL && i < rivals->n; i++) {
        if (rivals->files[i] == file) {
            return;
        }
    }
    struct file **files =
        rivals == NULL ? NULL : realloc(rivals->files, (rivals->n + 1) * sizeof(struct file *));
    if (files == NULL) {
        pin_log_error("%s: out of memory, %s is not remembered as another file's heir",
            set->source->where, file->name);
        return;
    }
    rivals->files = files;
    files[rivals->n++] = file;
}

static void drop_rival(
    struct pin_fileset *set, const struct file *file, const char *key, size_t bytes)
{
    struct rivals *rivals = pin_map_find(&set->rivals, key, bytes);
    for (size_t i = 0; rivals != NULL && i < rivals->n; i++) {
        if (rivals->files[i] == file) {
            rivals->files[i] = rivals->files[--rivals->n];
            break;
        }
    }
    if (rivals != NULL && rivals->n == 0) {
        free_rivals(pin_map_remove(&set->rivals, key, bytes));
    }
}

/* The first rival by name, or NULL. */
static struct file *find_heir(const struct pin_fileset *set, const char *key, size_t bytes)
{
    const struct rivals *rivals = pin_map_find(&set->rivals, key, bytes);
    struct file *heir = NULL;
    for (size_t i = 0; rivals != NULL && i < rivals->n; i++) {
        if (heir == NULL || strcmp(rivals->files[i]->name, heir->name) < 0) {
            heir = rivals->files[i];
        }
    }
    return heir;
}

/* A file lets go of an object: another one takes over, or it is gone. */
static void let_go(struct pin_fileset *set, const struct file *file, const char *key, size_t bytes,
    uint64_t received_ns)
{
    if (pin_map_find(&set->owners, key, bytes) != file) {
        drop_rival(set, file, key, bytes);
        return;
    }
    struct file *heir = find_heir(set, key, bytes);
    if (heir != NULL && pin_map_put(&set->owners, key, bytes, heir, NULL)) {
        drop_rival(set, heir, key, bytes);
        set->reread(set->arg, heir->name);
        return;
    }
    enum pin_kind kind = key_kind(key);
    pin_source_delete(set->source, kind, key + 1, key_name(key), received_ns);
    set->source->stats.kinds[kind].n_objects--;
    (void)pin_map_remove(&set->owners, key, bytes);
}

static bool has_claim(const struct pin_map *claims, const struct key *key)
{
    return pin_map_find(claims, key->bytes, key->n) != NULL;
}

/* Two files hold the object, one of them counts. */
static void note_rivalry(struct pin_fileset *set, struct file *winner, struct file *loser,
    const struct pin_object *object, const struct key *key)
{
    pin_log_warn("%s: %s %s/%s is in %s and in %s, the one in %s counts", set->source->where,
        pin_kind_text(object->kind), object->namespace_name, object->name, winner->name,
        loser->name, winner->name);
    add_rival(set, loser, key->bytes, key->n);
}

/* Sends an object if this file is the one that counts for it; takes it either way. */
static void claim(struct pin_fileset *set, struct file *file, struct pin_map *claims,
    struct pin_object *object, uint64_t received_ns)
{
    bool is_class = object->kind == PIN_KIND_GATEWAY_CLASS; /* nobody has to watch them here */
    if (!is_class && !pin_source_wants(set->source, object->kind)) {
        pin_object_free(object);
        return;
    }
    struct key key = make_key(object->kind, object->namespace_name, object->name);
    struct file *owner = pin_map_find(&set->owners, key.bytes, key.n);
    if (has_claim(claims, &key)) {
        pin_log_warn("%s: %s: %s %s/%s is there twice, the later one counts", set->source->where,
            file->name, pin_kind_text(object->kind), object->namespace_name, object->name);
    }
    bool has_other = owner != NULL && owner != file;
    bool counts = !has_other || strcmp(file->name, owner->name) < 0;
    bool is_kept = pin_map_put(claims, key.bytes, key.n, file, NULL)
                   && (!counts || pin_map_put(&set->owners, key.bytes, key.n, file, NULL));
    if (is_kept && has_other) {
        note_rivalry(set, counts ? file : owner, counts ? owner : file, object, &key);
    }
    if (!is_kept || !counts) {
        pin_object_free(object);
        return;
    }
    set->source->stats.kinds[object->kind].n_objects += owner == NULL ? 1 : 0;
    pin_source_upsert(set->source, object, received_ns);
}

/* Lets go of all that the file claimed and does not claim any more. */
static void drop_claims(
    struct pin_fileset *set, struct file *file, const struct pin_map *kept, uint64_t received_ns)
{
    struct pin_map old = file->claims;
    const char *key = NULL;
    size_t bytes = 0;
    size_t cursor = 0;
    file->claims = (struct pin_map){0};
    while (pin_map_next(&old, &cursor, &key, &bytes, NULL)) {
        if (kept == NULL || pin_map_find(kept, key, bytes) == NULL) {
            let_go(set, file, key, bytes, received_ns);
        }
    }
    pin_map_done(&old, NULL);
}

void pin_fileset_apply(
    struct pin_fileset *set, const char *name, struct pin_manifest *manifest, uint64_t received_ns)
{
    struct pin_map claims = {0};
    struct file *file = get_file(set, name);
    if (file == NULL) {
        pin_log_error("%s: out of memory, %s is not read", set->source->where, name);
        return;
    }
    set_error(set, file, NULL);
    for (size_t i = 0; i < manifest->n_objects; i++) {
        claim(set, file, &claims, manifest->objects[i], received_ns);
        manifest->objects[i] = NULL;
    }
    drop_claims(set, file, &claims, received_ns);
    file->claims = claims;
}

void pin_fileset_break(struct pin_fileset *set, const char *name, const char *error)
{
    struct file *file = get_file(set, name);
    if (file != NULL) {
        set_error(set, file, strdup(error));
    }
}

void pin_fileset_remove(struct pin_fileset *set, const char *name, uint64_t received_ns)
{
    struct file *file = find_file(set, name);
    if (file == NULL) {
        return;
    }
    drop_claims(set, file, NULL, received_ns);
    (void)pin_map_remove(&set->files, name, strlen(name));
    set_error(set, file, NULL);
    free_file(file);
}

const char *pin_fileset_error(const struct pin_fileset *set)
{
    void *value = NULL;
    size_t cursor = 0;
    while (set->n_broken > 0 && pin_map_next(&set->files, &cursor, NULL, NULL, &value)) {
        const struct file *file = value;
        if (file->error != NULL) {
            return file->error;
        }
    }
    return NULL;
}
