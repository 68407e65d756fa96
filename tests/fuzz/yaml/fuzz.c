/* SPDX-License-Identifier: Apache-2.0 */

/* Any text: YAML parses within its limits or explains itself, and the tree hangs together. */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Aborts on what no tree may be. Recursion ends where the parser's depth limit ends. */
static void check(const struct pin_tree *node, size_t depth)
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
        if (node->kind == PIN_TREE_MAP && pin_tree_find(node, child->key) != child) {
            abort(); /* a key twice */
        }
        n_children++;
        check(child, depth + 1);
    }
    if (n_children != node->n_children) {
        abort();
    }
    if (node->text != NULL && strlen(node->text) != node->text_bytes) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)16 << 20);
    if (arena == NULL) {
        return 0;
    }
    enum pin_err err = pin_yaml_parse((const char *)data, bytes, arena, &docs, &why);
    if ((err == PIN_OK) != (docs != NULL) || (err != PIN_OK && why.text[0] == '\0')) {
        abort();
    }
    if (docs != NULL && bytes < 4096) { /* looking up every key is quadratic */
        check(docs, 0);
    }
    pin_arena_free(arena);
    return 0;
}
