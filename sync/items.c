/* SPDX-License-Identifier: Apache-2.0 */

/* A scanner that knows strings, escapes and depth, and nothing else of JSON. */

#include "items.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/tree.h"

#define KEY_BYTES_MAX        1024
#define METADATA_ARENA_BYTES ((size_t)16 << 20)

void pin_items_init(struct pin_items *self, size_t item_bytes_max, pin_item_fn *on_item, void *arg)
{
    *self = (struct pin_items){
        .on_item = on_item,
        .arg = arg,
        .list_key = "items",
        .item_bytes_max = item_bytes_max == 0 ? PIN_ITEM_BYTES_MAX : item_bytes_max,
    };
}

void pin_items_done(struct pin_items *self)
{
    pin_text_done(&self->piece);
    pin_text_done(&self->metadata);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* Adds bytes of the present item, or only counts them once it is too big. */
static void keep_item(struct pin_items *self, const char *data, size_t bytes)
{
    self->piece_bytes += bytes;
    if (self->piece_bytes <= self->item_bytes_max) {
        pin_text_putn(&self->piece, data, bytes);
    }
}

/* An item has ended; what of it lies in this portion is data[0..bytes). */
static void give_item(struct pin_items *self, const char *data, size_t bytes)
{
    self->n_items++;
    self->in_piece = false;
    if (self->piece_bytes == 0 && bytes <= self->item_bytes_max) {
        self->on_item(self->arg, data, bytes); /* whole in this portion: no copy */
        return;
    }
    keep_item(self, data, bytes);
    bool is_whole = self->piece_bytes <= self->item_bytes_max && !self->piece.failed;
    self->on_item(self->arg, is_whole ? pin_text_get(&self->piece) : NULL, self->piece_bytes);
    pin_text_cut(&self->piece, 0);
    self->piece_bytes = 0;
}

/* Where the string that data[i] lies in ends, past its quote; or `bytes`. */
static size_t skip_string(struct pin_items *self, const char *data, size_t i, size_t bytes)
{
    if (self->is_escaped) {
        self->is_escaped = false;
        i++;
    }
    while (i < bytes) {
        if (data[i] == '"') {
            self->in_string = false;
            return i + 1;
        }
        if (data[i] == '\\') {
            if (i + 1 == bytes) {
                self->is_escaped = true;
                return bytes;
            }
            i++;
        }
        i++;
    }
    return bytes;
}

/* Where a run of bytes that open, close and end nothing stops. */
static size_t skip_plain(const char *data, size_t i, size_t bytes)
{
    static const bool stops[256] = {
        ['"'] = true, ['{'] = true, ['}'] = true, ['['] = true, [']'] = true, [','] = true};
    while (i < bytes && !stops[(unsigned char)data[i]]) {
        i++;
    }
    return i;
}

/*
 * Steps over nested text until the depth is `floor` again after a closing brace, or, when `*ends`
 * is set by a comma or closing brace at `floor` itself, before that byte. Returns where it stopped.
 */
static size_t skip_nested(
    struct pin_items *self, const char *data, size_t i, size_t bytes, uint32_t floor, bool *ends)
{
    *ends = false;
    while (i < bytes) {
        if (self->in_string) {
            i = skip_string(self, data, i, bytes);
            continue;
        }
        i = skip_plain(data, i, bytes);
        if (i == bytes) {
            return bytes;
        }
        char c = data[i];
        if (c == '"') {
            self->in_string = true;
        } else if (c == '{' || c == '[') {
            self->depth++;
            if (self->depth > PIN_ITEMS_DEPTH_MAX) {
                return i;
            }
        } else if (self->depth == floor) { /* a comma, or the end of what encloses the value */
            *ends = true;
            return i;
        } else if (c != ',') {
            self->depth--;
        }
        i++;
    }
    return bytes;
}

static enum pin_err too_deep(const struct pin_items *self, struct pin_why *why)
{
    if (self->depth <= PIN_ITEMS_DEPTH_MAX) {
        return PIN_OK;
    }
    return pin_why_set(why, PIN_ELIMIT, "nested deeper than %d", PIN_ITEMS_DEPTH_MAX);
}

/* Before the outer map. */
static enum pin_err scan_start(
    struct pin_items *self, const char *data, size_t bytes, size_t *i, struct pin_why *why)
{
    while (*i < bytes && is_space(data[*i])) {
        (*i)++;
    }
    if (*i == bytes) {
        return PIN_OK;
    }
    if (data[*i] != '{') {
        return pin_why_set(why, PIN_EPARSE, "the answer is no JSON object");
    }
    (*i)++;
    self->depth = 1;
    self->state = PIN_ITEMS_KEY;
    return PIN_OK;
}

/* A key of the outer map is whole: what follows the colon is its value. */
static void end_key(struct pin_items *self)
{
    const char *key = pin_text_get(&self->piece);
    size_t len = strlen(self->list_key);
    self->is_items = self->piece.len == len + 2 && memcmp(key + 1, self->list_key, len) == 0;
    self->is_metadata = strcmp(key, "\"metadata\"") == 0;
    if (self->is_metadata) {
        pin_text_cut(&self->metadata, 0);
    }
    pin_text_cut(&self->piece, 0);
    self->state = PIN_ITEMS_VALUE;
}

/* In the outer map: commas and spaces, then a key in quotes, a colon, or the end. */
static enum pin_err scan_key(
    struct pin_items *self, const char *data, size_t bytes, size_t *i, struct pin_why *why)
{
    while (*i < bytes && self->state == PIN_ITEMS_KEY) {
        char c = data[*i];
        if (self->in_string) {
            size_t end = skip_string(self, data, *i, bytes);
            if (self->piece.len + (end - *i) > KEY_BYTES_MAX) {
                return pin_why_set(why, PIN_ELIMIT, "a key of more than %d bytes", KEY_BYTES_MAX);
            }
            pin_text_putn(&self->piece, data + *i, end - *i);
            *i = end;
            continue;
        }
        (*i)++;
        if (c == '"' && self->piece.len == 0) {
            self->in_string = true;
            pin_text_putc(&self->piece, c);
        } else if (c == ':' && self->piece.len > 0) {
            end_key(self);
        } else if (c == '}' && self->piece.len == 0) {
            self->depth = 0;
            self->state = PIN_ITEMS_END;
        } else if (!is_space(c) && !(c == ',' && self->piece.len == 0)) {
            return pin_why_set(why, PIN_EPARSE, "the answer is no JSON object");
        }
    }
    return PIN_OK;
}

/* In a value of the outer map; kept only when it is the metadata. */
static enum pin_err scan_value(
    struct pin_items *self, const char *data, size_t bytes, size_t *i, struct pin_why *why)
{
    while (self->is_items && *i < bytes && is_space(data[*i])) {
        (*i)++;
    }
    if (self->is_items && *i < bytes) {
        self->has_items = data[*i] == '[' || data[*i] == 'n'; /* null */
        if (!self->has_items) {
            return pin_why_set(why, PIN_EPARSE, "its items are no list");
        }
        self->is_items = false;
        if (data[*i] == '[') {
            (*i)++;
            self->depth++;
            self->state = PIN_ITEMS_ITEM;
            return PIN_OK;
        }
    }
    bool ends = false;
    size_t end = skip_nested(self, data, *i, bytes, 1, &ends);
    if (self->is_metadata) {
        if (self->metadata.len + (end - *i) > PIN_ITEMS_METADATA_BYTES_MAX) {
            return pin_why_set(why, PIN_ELIMIT, "metadata of more than %zu bytes",
                (size_t)PIN_ITEMS_METADATA_BYTES_MAX);
        }
        pin_text_putn(&self->metadata, data + *i, end - *i);
    }
    if (ends) {
        self->state = PIN_ITEMS_KEY;
    }
    *i = end;
    return too_deep(self, why);
}

/* In the list: an element, or what is between two. */
static enum pin_err scan_items(
    struct pin_items *self, const char *data, size_t bytes, size_t *i, struct pin_why *why)
{
    if (!self->in_piece) {
        while (*i < bytes && (is_space(data[*i]) || data[*i] == ',')) {
            (*i)++;
        }
        if (*i == bytes) {
            return PIN_OK;
        }
        if (data[*i] == ']') {
            (*i)++;
            self->depth--;
            self->state = PIN_ITEMS_VALUE;
            return PIN_OK;
        }
        if (data[*i] == '}') {
            return pin_why_set(why, PIN_EPARSE, "the list is closed by a brace");
        }
        self->in_piece = true;
    }
    bool ends = false;
    size_t end = skip_nested(self, data, *i, bytes, 2, &ends);
    if (ends) {
        give_item(self, data + *i, end - *i);
    } else {
        keep_item(self, data + *i, end - *i);
    }
    *i = end;
    return too_deep(self, why);
}

enum pin_err pin_items_feed(
    struct pin_items *self, const char *data, size_t bytes, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    size_t i = 0;
    while (i < bytes && err == PIN_OK) {
        switch (self->state) {
        case PIN_ITEMS_START:
            err = scan_start(self, data, bytes, &i, why);
            break;
        case PIN_ITEMS_KEY:
            err = scan_key(self, data, bytes, &i, why);
            break;
        case PIN_ITEMS_VALUE:
            err = scan_value(self, data, bytes, &i, why);
            break;
        case PIN_ITEMS_ITEM:
            err = scan_items(self, data, bytes, &i, why);
            break;
        case PIN_ITEMS_END:
            if (!is_space(data[i++])) {
                return pin_why_set(why, PIN_EPARSE, "something follows the JSON object");
            }
            break;
        }
    }
    if (err == PIN_OK && (self->piece.failed || self->metadata.failed)) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for a list");
    }
    return err;
}

bool pin_items_is_complete(const struct pin_items *self)
{
    return self->state == PIN_ITEMS_END && self->has_items;
}

static char *dup_text(const char *text)
{
    return text == NULL || text[0] == '\0' ? NULL : strdup(text);
}

bool pin_items_metadata(const struct pin_items *self, struct pin_list_metadata *ret_metadata)
{
    struct pin_tree *tree = NULL;
    if (self->metadata.len == 0 || (self->is_metadata && self->state == PIN_ITEMS_VALUE)) {
        return false;
    }
    struct pin_arena *arena = pin_arena_new("list metadata", METADATA_ARENA_BYTES);
    bool is_ok =
        arena != NULL
        && pin_json_parse(self->metadata.ptr, self->metadata.len, arena, &tree, NULL) == PIN_OK;
    if (is_ok) {
        long long remaining = pin_tree_int(tree, "remainingItemCount", 0);
        *ret_metadata = (struct pin_list_metadata){
            .resource_version = dup_text(pin_tree_string(tree, "resourceVersion", NULL)),
            .continue_token = dup_text(pin_tree_string(tree, "continue", NULL)),
            .remaining = remaining > 0 ? (uint64_t)remaining : 0,
        };
    }
    pin_arena_free(arena);
    return is_ok;
}

void pin_list_metadata_done(struct pin_list_metadata *self)
{
    free(self->resource_version);
    free(self->continue_token);
    *self = (struct pin_list_metadata){0};
}

/* --- Lines ---------------------------------------------------------------------------------- */

void pin_lines_init(struct pin_lines *self, size_t line_bytes_max, pin_item_fn *on_line, void *arg)
{
    *self = (struct pin_lines){
        .on_line = on_line,
        .arg = arg,
        .line_bytes_max = line_bytes_max == 0 ? PIN_ITEM_BYTES_MAX : line_bytes_max,
    };
}

void pin_lines_done(struct pin_lines *self)
{
    pin_text_done(&self->piece);
}

/* A line without its end has come to data[0..bytes). */
static void give_line(struct pin_lines *self, const char *data, size_t bytes)
{
    if (self->is_skipping) {
        self->on_line(self->arg, NULL, self->skipped_bytes + bytes);
    } else if (self->piece.len == 0) {
        if (bytes > 0) {
            self->on_line(self->arg, data, bytes);
        }
    } else {
        pin_text_putn(&self->piece, data, bytes);
        self->on_line(self->arg, self->piece.failed ? NULL : self->piece.ptr, self->piece.len);
    }
    pin_text_cut(&self->piece, 0);
    self->is_skipping = false;
}

/* Part of a line that goes on in the next portion. */
static void keep_line(struct pin_lines *self, const char *data, size_t bytes)
{
    if (self->is_skipping) {
        self->skipped_bytes += bytes;
        return;
    }
    if (self->piece.len + bytes > self->line_bytes_max) {
        self->is_skipping = true;
        self->skipped_bytes = self->piece.len + bytes;
        pin_text_cut(&self->piece, 0);
        return;
    }
    pin_text_putn(&self->piece, data, bytes);
}

enum pin_err pin_lines_feed(
    struct pin_lines *self, const char *data, size_t bytes, struct pin_why *why)
{
    size_t i = 0;
    while (i < bytes) {
        const char *newline = memchr(data + i, '\n', bytes - i);
        size_t end = newline == NULL ? bytes : (size_t)(newline - data);
        if (newline == NULL) {
            keep_line(self, data + i, end - i);
            break;
        }
        if (!self->is_skipping && self->piece.len + (end - i) > self->line_bytes_max) {
            keep_line(self, data + i, end - i); /* too long: starts to skip */
            i = end;
        }
        give_line(self, data + i, end - i);
        i = end + 1;
    }
    return self->piece.failed ? pin_why_set(why, PIN_ENOMEM, "no memory for a watch event")
                              : PIN_OK;
}
