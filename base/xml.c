/* SPDX-License-Identifier: Apache-2.0 */

/* XML into trees, element by element; the one door to expat. */

#include "pintle/base/xml.h"

#include <expat.h>
#include <stdbool.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/text.h"

struct build {
    XML_Parser parser;
    struct pin_arena *arena;
    struct pin_tree *root;
    struct pin_tree *stack[PIN_TREE_DEPTH_MAX];
    size_t depth;
    struct pin_text text; /* of the innermost element that is open */
    enum pin_err err;     /* why it was stopped */
    const char *reason;
};

static void stop(struct build *self, enum pin_err err, const char *reason)
{
    if (self->err == PIN_OK) {
        self->err = err;
        self->reason = reason;
        (void)XML_StopParser(self->parser, XML_FALSE);
    }
}

static void on_start(void *arg, const XML_Char *name, const XML_Char **attributes)
{
    struct build *self = arg;
    const char *colon = strrchr(name, ':');
    (void)attributes;
    if (self->err != PIN_OK) {
        return;
    }
    if (self->depth == PIN_TREE_DEPTH_MAX) {
        stop(self, PIN_ELIMIT, "nested too deep");
        return;
    }
    struct pin_tree *node = pin_tree_new(self->arena, PIN_TREE_STRING);
    char *key = pin_arena_strdup(self->arena, colon == NULL ? name : colon + 1);
    if (node == NULL || key == NULL) {
        stop(self, PIN_ELIMIT, "too much for its arena");
        return;
    }
    node->key = key;
    node->text = "";
    if (self->depth > 0) {
        struct pin_tree *parent = self->stack[self->depth - 1];
        parent->kind = PIN_TREE_MAP;
        parent->text = NULL;
        pin_tree_append(parent, node);
    } else {
        self->root = node;
    }
    self->stack[self->depth++] = node;
    pin_text_cut(&self->text, 0);
}

static void on_end(void *arg, const XML_Char *name)
{
    struct build *self = arg;
    (void)name;
    if (self->err != PIN_OK || self->depth == 0) {
        return;
    }
    struct pin_tree *node = self->stack[--self->depth];
    if (node->kind == PIN_TREE_STRING) {
        node->text = pin_arena_strndup(self->arena, pin_text_get(&self->text), self->text.len);
        node->text_bytes = self->text.len;
        if (node->text == NULL || self->text.failed) {
            stop(self, self->text.failed ? PIN_ENOMEM : PIN_ELIMIT, "too much for its arena");
        }
    }
    pin_text_cut(&self->text, 0);
}

static void on_text(void *arg, const XML_Char *text, int bytes)
{
    struct build *self = arg;
    if (self->err == PIN_OK && self->depth > 0
        && self->stack[self->depth - 1]->kind == PIN_TREE_STRING) {
        pin_text_putn(&self->text, text, (size_t)bytes);
    }
}

static void on_doctype(void *arg, const XML_Char *name, const XML_Char *system_id,
    const XML_Char *public_id, int has_subset)
{
    (void)name;
    (void)system_id;
    (void)public_id;
    (void)has_subset;
    stop(arg, PIN_EPARSE, "a document type is not accepted");
}

enum pin_err pin_xml_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why)
{
    struct build build = {.arena = arena};
    enum pin_err err = PIN_OK;
    if (bytes > PIN_XML_BYTES_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "%zu bytes of XML", bytes);
    }
    build.parser = XML_ParserCreate("UTF-8");
    if (build.parser == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "an XML parser");
    }
    XML_SetUserData(build.parser, &build);
    XML_SetElementHandler(build.parser, on_start, on_end);
    XML_SetCharacterDataHandler(build.parser, on_text);
    XML_SetStartDoctypeDeclHandler(build.parser, on_doctype);
    enum XML_Status status = XML_Parse(build.parser, text, (int)bytes, XML_TRUE);
    if (build.err != PIN_OK) {
        err = pin_why_set(why, build.err, "%s", build.reason);
    } else if (status != XML_STATUS_OK) {
        enum XML_Error code = XML_GetErrorCode(build.parser);
        err = pin_why_set(why, code == XML_ERROR_NO_MEMORY ? PIN_ENOMEM : PIN_EPARSE, "%lu:%lu: %s",
            (unsigned long)XML_GetCurrentLineNumber(build.parser),
            (unsigned long)XML_GetCurrentColumnNumber(build.parser) + 1, XML_ErrorString(code));
    } else {
        *ret_tree = build.root;
    }
    XML_ParserFree(build.parser);
    pin_text_done(&build.text);
    return err;
}

void pin_xml_put_text(struct pin_text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        switch (byte) {
        case '<':
            pin_text_puts(out, "&lt;");
            break;
        case '>':
            pin_text_puts(out, "&gt;");
            break;
        case '&':
            pin_text_puts(out, "&amp;");
            break;
        case '"':
            pin_text_puts(out, "&quot;");
            break;
        default:
            pin_text_putc(out, (char)(byte < ' ' ? ' ' : byte));
        }
    }
}

void pin_xml_put_element(struct pin_text *out, const char *name, const char *text)
{
    pin_text_putf(out, "<%s>", name);
    pin_xml_put_text(out, text);
    pin_text_putf(out, "</%s>", name);
}
