/* SPDX-License-Identifier: Apache-2.0 */

/* Maps of objects, whose keys lie in the objects. */

#include "zones/objects.h"

#include <string.h>

/* Kubernetes names are far shorter. */
#define KEY_BYTES 512

/* Writes a key; 0 when it does not fit. */
static size_t write_key(const char *namespace_name, const char *name, char key[KEY_BYTES])
{
    size_t head_bytes = strlen(namespace_name) + 1;
    size_t name_bytes = strlen(name);
    if (head_bytes + name_bytes > KEY_BYTES) {
        return 0;
    }
    memcpy(key, namespace_name, head_bytes);
    memcpy(key + head_bytes, name, name_bytes); /* NOLINT(bugprone-not-null-terminated-result) */
    return head_bytes + name_bytes;
}

/* The key of "namespace/name", which has as many bytes; 0 when it does not fit. */
static size_t write_path_key(const char *path, size_t bytes, char key[KEY_BYTES])
{
    const char *slash = memchr(path, '/', bytes);
    if (bytes > KEY_BYTES || slash == NULL) {
        return 0;
    }
    memcpy(key, path, bytes);
    key[slash - path] = '\0';
    return bytes;
}

struct pin_object *pin_objects_find(
    const struct pin_map *objects, const char *namespace_name, const char *name)
{
    char key[KEY_BYTES];
    size_t bytes = write_key(namespace_name, name, key);
    return bytes == 0 ? NULL : pin_map_find(objects, key, bytes);
}

struct pin_object *pin_objects_find_path(
    const struct pin_map *objects, const char *path, size_t bytes)
{
    char key[KEY_BYTES];
    size_t key_bytes = write_path_key(path, bytes, key);
    return key_bytes == 0 ? NULL : pin_map_find(objects, key, key_bytes);
}

bool pin_objects_put(
    struct pin_map *objects, struct pin_object *object, struct pin_object **ret_old)
{
    char key[KEY_BYTES];
    void *old = NULL;
    size_t bytes = write_key(object->namespace_name, object->name, key);
    bool has_key = object->name == object->namespace_name + strlen(object->namespace_name) + 1;
    bool is_kept =
        bytes > 0
        && (has_key ? pin_map_put_borrowed(objects, object->namespace_name, bytes, object, &old)
                    : pin_map_put(objects, key, bytes, object, &old));
    if (is_kept) {
        *ret_old = old;
    }
    return is_kept;
}

struct pin_object *pin_objects_take(struct pin_map *objects, const char *path, size_t bytes)
{
    char key[KEY_BYTES];
    size_t key_bytes = write_path_key(path, bytes, key);
    return key_bytes == 0 ? NULL : pin_map_remove(objects, key, key_bytes);
}
