/* SPDX-License-Identifier: Apache-2.0 */

/* The getters of a parsed document. */

#include "pintle/base/tree.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"

static const struct pin_tree *find_n(const struct pin_tree *map, const char *key, size_t bytes)
{
    if (map == NULL || map->kind != PIN_TREE_MAP) {
        return NULL;
    }
    PIN_TREE_EACH(child, map)
    {
        if (strncmp(child->key, key, bytes) == 0 && child->key[bytes] == '\0') {
            return child;
        }
    }
    return NULL;
}

const struct pin_tree *pin_tree_find(const struct pin_tree *map, const char *key)
{
    return find_n(map, key, strlen(key));
}

const struct pin_tree *pin_tree_path(const struct pin_tree *map, const char *path)
{
    const struct pin_tree *at = map;
    while (at != NULL) {
        size_t bytes = strcspn(path, ".");
        at = find_n(at, path, bytes);
        if (path[bytes] == '\0') {
            break;
        }
        path += bytes + 1;
    }
    return at;
}

const struct pin_tree *pin_tree_map(const struct pin_tree *map, const char *path)
{
    const struct pin_tree *node = pin_tree_path(map, path);
    return node != NULL && node->kind == PIN_TREE_MAP ? node : NULL;
}

const struct pin_tree *pin_tree_list(const struct pin_tree *map, const char *path)
{
    const struct pin_tree *node = pin_tree_path(map, path);
    return node != NULL && node->kind == PIN_TREE_LIST ? node : NULL;
}

const char *pin_tree_text(const struct pin_tree *node, const char *fallback)
{
    bool is_scalar = node != NULL && node->kind != PIN_TREE_NULL && node->text != NULL;
    return is_scalar ? node->text : fallback;
}

const char *pin_tree_string(const struct pin_tree *map, const char *path, const char *fallback)
{
    return pin_tree_text(pin_tree_path(map, path), fallback);
}

bool pin_tree_to_int(const struct pin_tree *node, long long *ret_value)
{
    if (node == NULL) {
        return false;
    }
    if (node->kind == PIN_TREE_INT) {
        *ret_value = node->integer;
        return true;
    }
    const char *text = node->text;
    if (node->kind != PIN_TREE_STRING || node->text_bytes == 0
        || strspn(text, "+-0123456789") != node->text_bytes) {
        return false;
    }
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (errno != 0 || *end != '\0') {
        return false;
    }
    *ret_value = value;
    return true;
}

long long pin_tree_int(const struct pin_tree *map, const char *path, long long fallback)
{
    long long value = fallback;
    (void)pin_tree_to_int(pin_tree_path(map, path), &value);
    return value;
}

bool pin_tree_bool(const struct pin_tree *map, const char *path, bool fallback)
{
    const struct pin_tree *node = pin_tree_path(map, path);
    return node != NULL && node->kind == PIN_TREE_BOOL ? node->boolean : fallback;
}

bool pin_tree_text_is(const struct pin_tree *node, const char *text)
{
    const char *own = pin_tree_text(node, NULL);
    return own != NULL && strcmp(own, text) == 0;
}

const char *pin_tree_kind_str(enum pin_tree_kind kind)
{
    static const char *const names[] = {
        "nothing",
        "true or false",
        "a whole number",
        "a number",
        "a string",
        "a list",
        "a map",
    };
    return (size_t)kind < N_ELEMS(names) ? names[kind] : "?";
}

struct pin_tree *pin_tree_new(struct pin_arena *arena, enum pin_tree_kind kind)
{
    struct pin_tree *node = pin_arena_alloc(arena, sizeof(*node));
    if (node != NULL) {
        node->kind = kind;
    }
    return node;
}

void pin_tree_append(struct pin_tree *parent, struct pin_tree *child)
{
    child->next = NULL;
    if (parent->last == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->n_children++;
}
