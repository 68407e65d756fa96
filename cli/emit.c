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

/* Foreign texts must not move the cursor. The depth is the parser's limit. */
static void make_printable(struct pin_arena *arena, struct pin_tree *node)
{
    char *copy = NULL;
    for (size_t i = 0; node->text != NULL && i < node->text_bytes; i++) {
        unsigned char byte = (unsigned char)node->text[i];
        if (byte >= 0x20 && byte != 0x7f) {
            continue;
        }
        if (copy == NULL) {
            copy = pin_arena_strndup(arena, node->text, node->text_bytes);
            node->text = copy == NULL ? "?" : copy;
        }
        if (copy == NULL) {
            break;
        }
        copy[i] = '?';
    }
    for (struct pin_tree *child = node->first; child != NULL; child = child->next) {
        make_printable(arena, child);
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
    make_printable(reply->arena, reply->tree);
    return false;
}
