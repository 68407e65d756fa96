/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What every tree must be, whichever text it came from.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/tree.h"

/** pin_yaml_parse() or pin_json_parse(). */
typedef enum pin_err pin_parse_fn(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why);

/** Aborts on what no tree may be. Recursion ends where the parser's depth limit ends. */
static inline void pin_fuzz_check_node(const struct pin_tree *node, bool has_own_keys, size_t depth)
{
    uint32_t n_children = 0;
    if (depth > PIN_TREE_DEPTH_MAX + 1) {
        abort();
    }
    PIN_TREE_EACH(child, node)
    {
        if ((node->kind == PIN_TREE_MAP) != (child->key != NULL)) {
            abort();
        }
        if (has_own_keys && child->key != NULL && pin_tree_find(node, child->key) != child) {
            abort(); /* a key twice */
        }
        n_children++;
        pin_fuzz_check_node(child, has_own_keys, depth + 1);
    }
    if (n_children != node->n_children) {
        abort();
    }
    if (node->text != NULL && strlen(node->text) != node->text_bytes) {
        abort();
    }
}

/**
 * Parses anything; aborts when it is neither a good tree nor explained.
 *
 * @param has_own_keys  The parser lets no key stand twice in a map.
 */
static inline void pin_fuzz_tree(
    pin_parse_fn *parse, const uint8_t *data, size_t bytes, bool has_own_keys)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)16 << 20);
    if (arena == NULL) {
        return;
    }
    enum pin_err err = parse((const char *)data, bytes, arena, &tree, &why);
    if ((err == PIN_OK) != (tree != NULL) || (err != PIN_OK && why.text[0] == '\0')) {
        abort();
    }
    if (tree != NULL) { /* looking up every key is quadratic */
        pin_fuzz_check_node(tree, has_own_keys && bytes < 4096, 0);
    }
    pin_arena_free(arena);
}
