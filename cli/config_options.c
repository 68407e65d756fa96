/* SPDX-License-Identifier: Apache-2.0 */

/* The options of the configuration file: which one is meant. */

#include <stdio.h>
#include <string.h>

#include "pintle/base/json.h"
#include "pintle/base/nearest.h"

#include "cli/config.h"

#define PATH_MAX_BYTES 256
#define CHILDREN_MAX   128

const char *pin_config_text(const char *name)
{
    for (size_t i = 0; i < pin_config_text_n_files; i++) {
        if (strcmp(pin_config_text_files[i].name, name) == 0) {
            return pin_config_text_files[i].text;
        }
    }
    return "";
}

const struct pin_tree *pin_config_options(struct pin_arena *arena)
{
    const char *text = pin_config_text("options.json");
    struct pin_tree *tree = NULL;
    if (pin_json_parse(text, strlen(text), arena, &tree, NULL) != PIN_OK) {
        return NULL;
    }
    return pin_tree_list(tree, "items");
}

static const char *path_of(const struct pin_tree *option)
{
    return pin_tree_string(option, "path", "");
}

/* Without indexes: "clusters[1].network" -> "clusters.network". */
static void put_bare(const char *path, char ret_bare[PATH_MAX_BYTES])
{
    size_t n = 0;
    bool is_index = false;
    path += path[0] == '.' ? 1 : 0;
    for (; *path != '\0' && n + 1 < PATH_MAX_BYTES; path++) {
        is_index = *path == '[' || (is_index && *path != ']');
        if (!is_index && *path != ']') {
            ret_bare[n++] = *path;
        }
    }
    while (n > 0 && ret_bare[n - 1] == '.') {
        n--;
    }
    ret_bare[n] = '\0';
}

bool pin_config_is_child(const char *path, const char *parent)
{
    size_t bytes = strlen(parent);
    if (bytes == 0) {
        return strchr(path, '.') == NULL;
    }
    if (strncmp(path, parent, bytes) != 0) {
        return false;
    }
    path += bytes;
    path += strncmp(path, "[]", 2) == 0 ? 2 : 0;
    return path[0] == '.' && strchr(path + 1, '.') == NULL;
}

static const struct pin_tree *find_bare(const struct pin_tree *options, const char *bare)
{
    PIN_TREE_EACH(option, options)
    {
        char other[PATH_MAX_BYTES];
        put_bare(path_of(option), other);
        if (strcmp(other, bare) == 0) {
            return option;
        }
    }
    return NULL;
}

static const char *last_key(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot == NULL ? path : dot + 1;
}

/* The only option whose last key is that; NULL: none, or several. */
static const struct pin_tree *find_last(const struct pin_tree *options, const char *key)
{
    const struct pin_tree *found = NULL;
    size_t n = 0;
    PIN_TREE_EACH(option, options)
    {
        if (strcmp(last_key(path_of(option)), key) == 0) {
            found = option;
            n++;
        }
    }
    return n == 1 ? found : NULL;
}

/* The child of `parent` whose key is nearest to `key`. */
static const char *nearest_child(
    const struct pin_tree *options, const char *parent, const char *key)
{
    const char *keys[CHILDREN_MAX];
    const char *paths[CHILDREN_MAX];
    size_t n = 0;
    PIN_TREE_EACH(option, options)
    {
        if (n < CHILDREN_MAX && pin_config_is_child(path_of(option), parent)) {
            paths[n] = path_of(option);
            keys[n] = last_key(paths[n]);
            n++;
        }
    }
    const char *near = pin_nearest(key, keys, n);
    for (size_t i = 0; near != NULL && i < n; i++) {
        if (keys[i] == near) {
            return paths[i];
        }
    }
    return NULL;
}

/* Follows a bare path as far as its keys are known, and the nearest ones from there on. */
static const char *find_near(const struct pin_tree *options, char *bare, struct pin_arena *arena)
{
    const char *parent = "";
    while (bare != NULL) {
        char *dot = strchr(bare, '.');
        if (dot != NULL) {
            *dot = '\0';
        }
        parent = nearest_child(options, parent, bare);
        bare = dot == NULL || parent == NULL ? NULL : dot + 1;
    }
    return parent == NULL ? NULL : pin_arena_strdup(arena, parent);
}

const struct pin_tree *pin_config_find_option(
    const struct pin_tree *options, const char *key, struct pin_arena *arena, const char **ret_near)
{
    char bare[PATH_MAX_BYTES];
    put_bare(key, bare);
    const struct pin_tree *option = find_bare(options, bare);
    if (option == NULL && strchr(bare, '.') == NULL) {
        option = find_last(options, bare);
    }
    *ret_near = option == NULL ? find_near(options, bare, arena) : NULL;
    return option;
}
