/* SPDX-License-Identifier: Apache-2.0 */

/* A reply as JSON, which is what came, or as YAML. */

#include "cli/emit.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/json.h"

#define ARENA_MAX_BYTES ((size_t)1 << 30)

/* A plain scalar needs no quotes; JSON's quoting is right in YAML everywhere else. */
static bool is_plain(const char *text, size_t bytes)
{
    static const char *const taken[] = {"true", "false", "null", "yes", "no", "on", "off", "~", "y",
        "n", "True", "False", "Null", "Yes", "No", "On", "Off"};
    static const char safe[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._/";
    if (bytes == 0 || strspn(text, safe) != bytes || (text[0] >= '0' && text[0] <= '9')
        || text[0] == '-' || text[0] == '.') {
        return false;
    }
    for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++) {
        if (strcmp(taken[i], text) == 0) {
            return false;
        }
    }
    return true;
}

static void put_scalar(struct pin_text *text, const struct pin_tree *node)
{
    switch (node->kind) {
    case PIN_TREE_LIST:
        pin_text_puts(text, "[]\n");
        return;
    case PIN_TREE_MAP:
        pin_text_puts(text, "{}\n");
        return;
    case PIN_TREE_STRING:
        if (!is_plain(node->text, node->text_bytes)) {
            pin_text_put_json_string(text, node->text, node->text_bytes);
            pin_text_putc(text, '\n');
            return;
        }
        break;
    default:
        break;
    }
    pin_text_puts(text, node->text == NULL ? "null" : node->text);
    pin_text_putc(text, '\n');
}

static void put_key(struct pin_text *text, const char *key)
{
    if (is_plain(key, strlen(key))) {
        pin_text_puts(text, key);
    } else {
        pin_text_put_json_string(text, key, strlen(key));
    }
    pin_text_putc(text, ':');
}

/*
 * The children of a map or list; what is nested goes to the next line, two columns further in. The
 * depth is the parser's limit. `is_inline`: the first line continues one that is begun ("- ").
 */
static void put_node(struct pin_text *text, const struct pin_tree *node, int indent, bool is_inline)
{
    if (node->n_children == 0) {
        put_scalar(text, node);
        return;
    }
    PIN_TREE_EACH(child, node)
    {
        bool is_nested = child->n_children > 0;
        if (!is_inline) {
            pin_text_putf(text, "%*s", indent, "");
        }
        is_inline = false;
        if (node->kind == PIN_TREE_LIST) {
            pin_text_puts(text, "- ");
            put_node(text, child, indent + 2, true);
            continue;
        }
        put_key(text, child->key);
        pin_text_putc(text, is_nested ? '\n' : ' ');
        put_node(text, child, indent + 2, false);
    }
}

void pin_emit_yaml(struct pin_text *text, const struct pin_tree *tree)
{
    put_node(text, tree, 0, false);
}

bool pin_emit_made(const struct pin_ctl *ctl, const struct pin_text *json)
{
    struct pin_why why = {0};
    struct pin_text text = {0};
    struct pin_tree *tree = NULL;
    if (ctl->output != PIN_CTL_YAML || json->failed) {
        (void)puts(pin_text_get(json));
        return !json->failed;
    }
    struct pin_arena *arena = pin_arena_new("made", ARENA_MAX_BYTES);
    bool is_good = arena != NULL
                   && pin_json_parse(pin_text_get(json), json->len, arena, &tree, &why) == PIN_OK;
    if (is_good) {
        pin_emit_yaml(&text, tree);
        (void)fputs(pin_text_get(&text), stdout);
        is_good = !text.failed;
    }
    pin_text_done(&text);
    pin_arena_free(arena);
    return is_good;
}

/* Whether the byte at `i` is, or begins, or ends, a control character; C1's are two bytes. */
static bool is_control(const char *text, size_t bytes, size_t i)
{
    unsigned char byte = (unsigned char)text[i];
    unsigned char next = i + 1 < bytes ? (unsigned char)text[i + 1] : 0;
    unsigned char last = i > 0 ? (unsigned char)text[i - 1] : 0;
    return byte < 0x20 || byte == 0x7f || (byte == 0xc2 && next >= 0x80 && next < 0xa0)
           || (last == 0xc2 && byte >= 0x80 && byte < 0xa0);
}

/* The same text, or a copy with '?' in the place of each byte of a control character. */
static const char *printable(struct pin_arena *arena, const char *text, size_t bytes)
{
    char *copy = NULL;
    for (size_t i = 0; i < bytes; i++) {
        if (!is_control(text, bytes, i)) {
            continue;
        }
        copy = copy == NULL ? pin_arena_strndup(arena, text, bytes) : copy;
        if (copy == NULL) {
            return "?";
        }
        copy[i] = '?';
    }
    return copy == NULL ? text : copy;
}

/* Foreign texts must not move the cursor. The depth is the parser's limit. */
static void make_printable(struct pin_arena *arena, struct pin_tree *node)
{
    node->key = node->key == NULL ? NULL : printable(arena, node->key, strlen(node->key));
    node->text = node->text == NULL ? NULL : printable(arena, node->text, node->text_bytes);
    for (struct pin_tree *child = node->first; child != NULL; child = child->next) {
        make_printable(arena, child);
    }
}

void pin_emit_printable(struct pin_api_reply *reply)
{
    if (reply->tree != NULL) {
        make_printable(reply->arena, reply->tree);
    }
}

bool pin_emit_reply(const struct pin_ctl *ctl, struct pin_api_reply *reply)
{
    struct pin_text text = {0};
    switch (ctl->output) {
    case PIN_CTL_JSON:
        (void)fputs(pin_text_get(&reply->body), stdout);
        return true;
    case PIN_CTL_YAML:
        pin_emit_yaml(&text, reply->tree);
        (void)fputs(pin_text_get(&text), stdout);
        pin_text_done(&text);
        return true;
    case PIN_CTL_TABLE:
        break;
    }
    pin_emit_printable(reply);
    return false;
}
