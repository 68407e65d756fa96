/* SPDX-License-Identifier: Apache-2.0 */

/* JSON into a tree: cJSON parses, its nodes are copied into the arena and freed at once. */

#include "pintle/base/json.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "pintle/base/arena.h"

/* The position of `at` in a text, both 1-based, for messages. */
static enum pin_err fail_at(const char *text, size_t bytes, const char *at, struct pin_why *why,
    enum pin_err err, const char *message)
{
    size_t offset = at == NULL || at < text ? 0 : (size_t)(at - text);
    unsigned line = 1;
    size_t line_start = 0;
    for (size_t i = 0; i < offset && i < bytes; i++) {
        if (text[i] == '\n') {
            line++;
            line_start = i + 1;
        }
    }
    return pin_why_set(why, err, "%u:%zu: %s", line, offset - line_start + 1, message);
}

/*
 * Where a NUL hides: a byte, or the escape \u0000 (a backslash that is not itself escaped). cJSON's
 * strings end there, so "a\u0000b" would silently be read as "a".
 */
static const char *find_nul(const char *text, size_t bytes)
{
    const char *at = memchr(text, '\0', bytes);
    if (at != NULL) {
        return at;
    }
    const char *end = text + bytes;
    for (at = text; (at = memmem(at, (size_t)(end - at), "\\u0000", 6)) != NULL; at += 6) {
        const char *first = at;
        while (first > text && first[-1] == '\\') {
            first--;
        }
        if ((at - first) % 2 == 0) {
            return at;
        }
    }
    return NULL;
}

static bool convert_number(struct pin_arena *arena, const cJSON *item, struct pin_tree *node)
{
    char text[40];
    double number = item->valuedouble;
    bool fits = number > -9.2e18 && number < 9.2e18;
    node->number = number;
    node->integer = fits ? (long long)number : 0;
    node->kind = fits && (double)(long long)number == number ? PIN_TREE_INT : PIN_TREE_FLOAT;
    int bytes = node->kind == PIN_TREE_INT ? snprintf(text, sizeof(text), "%lld", node->integer)
                                           : snprintf(text, sizeof(text), "%.17g", number);
    node->text = pin_arena_strndup(arena, text, (size_t)bytes);
    node->text_bytes = (size_t)bytes;
    return node->text != NULL;
}

static bool convert_scalar(struct pin_arena *arena, const cJSON *item, struct pin_tree *node)
{
    if (cJSON_IsNumber(item)) {
        return convert_number(arena, item, node);
    }
    const char *text = "null";
    if (cJSON_IsString(item)) {
        node->kind = PIN_TREE_STRING;
        text = item->valuestring;
    } else if (cJSON_IsBool(item)) {
        node->kind = PIN_TREE_BOOL;
        node->boolean = cJSON_IsTrue(item);
        text = node->boolean ? "true" : "false";
    }
    node->text_bytes = strlen(text);
    node->text = pin_arena_strndup(arena, text, node->text_bytes);
    return node->text != NULL;
}

/* Copies one cJSON node with all below it; NULL with the reason in *err and `why`. Recursion ends
 * at PIN_TREE_DEPTH_MAX levels. */
static struct pin_tree *convert(struct pin_arena *arena, const cJSON *item, size_t depth,
    enum pin_err *err, struct pin_why *why)
{
    if (depth > PIN_TREE_DEPTH_MAX) {
        *err = pin_why_set(why, PIN_ELIMIT, "1:1: nested more than %d deep", PIN_TREE_DEPTH_MAX);
        return NULL;
    }
    bool is_map = cJSON_IsObject(item);
    bool is_list = cJSON_IsArray(item);
    struct pin_tree *node = pin_tree_new(arena, is_map    ? PIN_TREE_MAP
                                                : is_list ? PIN_TREE_LIST
                                                          : PIN_TREE_NULL);
    if (node == NULL || (!is_map && !is_list && !convert_scalar(arena, item, node))) {
        goto full;
    }
    for (const cJSON *from = item->child; from != NULL; from = from->next) {
        struct pin_tree *child = convert(arena, from, depth + 1, err, why);
        if (child == NULL) {
            return NULL;
        }
        if (is_map) {
            child->key = pin_arena_strdup(arena, from->string);
            if (child->key == NULL) {
                goto full;
            }
        }
        pin_tree_append(node, child);
    }
    return node;
full:
    *err = pin_why_set(why, PIN_ELIMIT, "1:1: too large for %s", pin_arena_name(arena));
    return NULL;
}

enum pin_err pin_json_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why)
{
    const char *end = NULL;
    if (bytes == 0) {
        return pin_why_set(why, PIN_EPARSE, "1:1: an empty text is no JSON");
    }
    if (bytes > PIN_JSON_BYTES_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "1:1: more than %zu bytes of JSON", PIN_JSON_BYTES_MAX);
    }
    const char *nul = find_nul(text, bytes);
    if (nul != NULL) {
        return fail_at(text, bytes, nul, why, PIN_EUNSUPPORTED, "a NUL character is not supported");
    }
    /* cJSON itself gives up at 1000 levels; the tree that it returns is ours to delete. */
    cJSON *root = cJSON_ParseWithLengthOpts(text, bytes, &end, 0);
    if (root == NULL) {
        return fail_at(text, bytes, end, why, PIN_EPARSE, "malformed JSON");
    }
    enum pin_err err = PIN_OK;
    while (end < text + bytes && strchr(" \t\r\n", *end) != NULL) {
        end++;
    }
    if (end < text + bytes) {
        err = fail_at(text, bytes, end, why, PIN_EPARSE, "something follows the JSON value");
    } else {
        struct pin_tree *tree = convert(arena, root, 0, &err, why);
        if (tree != NULL) {
            *ret_tree = tree;
        }
    }
    cJSON_Delete(root);
    return err;
}
