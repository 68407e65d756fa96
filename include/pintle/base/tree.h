/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tree: what YAML and JSON documents become, whoever parsed them. Immutable once parsed.
 *
 *     {metadata: {name: web}, ports: [80]}
 *     MAP - first -> MAP key=metadata - first -> STRING key=name text=web
 *             next of that map -> LIST key=ports - first -> INT integer=80
 *
 * All nodes and texts live in the arena that was given to the parser. Getters never fail: what is
 * absent, null or of another kind gives the default. All `const` getters are safe on a NULL node.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_arena;

/** Nesting both parsers accept. */
#define PIN_TREE_DEPTH_MAX 64

/** What a node is. */
enum pin_tree_kind {
    PIN_TREE_NULL,
    PIN_TREE_BOOL,
    PIN_TREE_INT,
    PIN_TREE_FLOAT,
    PIN_TREE_STRING,
    PIN_TREE_LIST,
    PIN_TREE_MAP,
};

/** One node. */
struct pin_tree {
    enum pin_tree_kind kind;
    bool boolean;      /**< BOOL. */
    uint32_t line;     /**< 1-based position in the source; 0 when unknown (JSON door). */
    uint32_t col;      /**< 1-based, in characters; 0 when unknown. */
    const char *key;   /**< In a map: the key, NUL-terminated; else NULL. */
    uint32_t key_line; /**< Position of the key; 0 when unknown or none. */
    uint32_t key_col;
    const char *text;       /**< Scalars: as written (unquoted), NUL-terminated; else NULL. */
    size_t text_bytes;      /**< Length of text; no NUL inside, both parsers refuse it. */
    long long integer;      /**< INT; also FLOAT, cut towards zero, when it fits. */
    double number;          /**< INT and FLOAT. */
    uint32_t n_children;    /**< LIST and MAP. */
    struct pin_tree *first; /**< First child, in source order. */
    struct pin_tree *last;
    struct pin_tree *next; /**< Next sibling. */
};

/* NOLINTBEGIN(bugprone-macro-parentheses): a declaration takes no parentheses */
/** Steps through the children of a list or map: PIN_TREE_EACH(port, ports) { ... }. */
#define PIN_TREE_EACH(child, node)                                                                 \
    for (const struct pin_tree *child = (node) == NULL ? NULL : (node)->first; child != NULL;      \
         child = child->next)
/* NOLINTEND(bugprone-macro-parentheses) */

/** The child of a map with exactly that key (dots are not special), or NULL. Linear. */
const struct pin_tree *pin_tree_find(const struct pin_tree *map, const char *key);

/** Follows keys separated by dots from a map, e.g. "metadata.name"; NULL when one is missing. */
const struct pin_tree *pin_tree_path(const struct pin_tree *map, const char *path);

/** As pin_tree_path(), but only when the end is a map or a list; NULL otherwise. */
const struct pin_tree *pin_tree_map(const struct pin_tree *map, const char *path);
const struct pin_tree *pin_tree_list(const struct pin_tree *map, const char *path);

/**
 * The text of a scalar at a path; numbers and booleans give their text as written. Borrowed.
 * `fallback` (may be NULL) when absent, null, list or map.
 */
const char *pin_tree_string(const struct pin_tree *map, const char *path, const char *fallback);

/** A whole number at a path, quoted or not (Kubernetes' IntOrString takes both). */
long long pin_tree_int(const struct pin_tree *map, const char *path, long long fallback);

/** true or false at a path; quoted ones do not count. */
bool pin_tree_bool(const struct pin_tree *map, const char *path, bool fallback);

/** The text of a scalar node itself, or `fallback`. */
const char *pin_tree_text(const struct pin_tree *node, const char *fallback);

/** Reads a node itself as a whole number, quoted or not. False when it is none. */
bool pin_tree_to_int(const struct pin_tree *node, long long *ret_value);

/** True for a scalar node with exactly that text. */
bool pin_tree_text_is(const struct pin_tree *node, const char *text);

/** The kind as a word for messages: "a map", "a list", "a string", ... */
const char *pin_tree_kind_str(enum pin_tree_kind kind);

/** A new node for parsers and tests, NULL when the arena is full. */
struct pin_tree *pin_tree_new(struct pin_arena *arena, enum pin_tree_kind kind);

/** Appends a child; its key is already set for maps. For parsers and tests. */
void pin_tree_append(struct pin_tree *parent, struct pin_tree *child);
