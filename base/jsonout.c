/* SPDX-License-Identifier: Apache-2.0 */

/* JSON writer over a growable text. */

#include "pintle/base/jsonout.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/tree.h"

/* Each level and the value in the innermost, with a dozen levels around them. */
_Static_assert(
    PIN_JSONOUT_DEPTH_MAX >= PIN_TREE_DEPTH_MAX + 1 + 12, "what was read can be written");

struct pin_jsonout pin_jsonout_init(struct pin_text *text)
{
    return (struct pin_jsonout){.text = text};
}

/* Before each value: the comma, and whether one may stand here. */
static bool begin_value(struct pin_jsonout *json)
{
    if (json->failed) {
        return false;
    }
    if (json->has_key) { /* the comma went before the key */
        json->has_key = false;
        return true;
    }
    uint32_t level = json->depth;
    if (level == 0) {
        json->failed = json->has_items[0]; /* one value per document */
        json->has_items[0] = true;
        return !json->failed;
    }
    if (json->kind[level - 1] == '{') {
        json->failed = true; /* a value without a key */
        return false;
    }
    if (json->has_items[level]) {
        pin_text_putc(json->text, ',');
    }
    json->has_items[level] = true;
    return true;
}

static void open_level(struct pin_jsonout *json, char kind)
{
    if (!begin_value(json)) {
        return;
    }
    if (json->depth + 1 >= PIN_JSONOUT_DEPTH_MAX) {
        json->failed = true;
        return;
    }
    pin_text_putc(json->text, kind);
    json->kind[json->depth++] = kind;
    json->has_items[json->depth] = false;
}

void pin_jsonout_object(struct pin_jsonout *json)
{
    open_level(json, '{');
}

void pin_jsonout_array(struct pin_jsonout *json)
{
    open_level(json, '[');
}

void pin_jsonout_end(struct pin_jsonout *json)
{
    if (json->failed || json->depth == 0 || json->has_key) {
        json->failed = true;
        return;
    }
    json->depth--;
    pin_text_putc(json->text, json->kind[json->depth] == '{' ? '}' : ']');
}

void pin_jsonout_key(struct pin_jsonout *json, const char *key)
{
    if (json->failed || json->depth == 0 || json->kind[json->depth - 1] != '{' || json->has_key) {
        json->failed = true;
        return;
    }
    if (json->has_items[json->depth]) {
        pin_text_putc(json->text, ',');
    }
    json->has_items[json->depth] = true;
    json->has_key = true;
    pin_text_put_json_string(json->text, key, strlen(key));
    pin_text_putc(json->text, ':');
}

void pin_jsonout_string_n(struct pin_jsonout *json, const char *value, size_t bytes)
{
    if (begin_value(json)) {
        pin_text_put_json_string(json->text, value, bytes);
    }
}

void pin_jsonout_string(struct pin_jsonout *json, const char *value)
{
    if (value == NULL) {
        pin_jsonout_null(json);
        return;
    }
    pin_jsonout_string_n(json, value, strlen(value));
}

void pin_jsonout_int(struct pin_jsonout *json, int64_t value)
{
    if (begin_value(json)) {
        pin_text_putf(json->text, "%" PRId64, value);
    }
}

void pin_jsonout_uint(struct pin_jsonout *json, uint64_t value)
{
    if (begin_value(json)) {
        pin_text_putf(json->text, "%" PRIu64, value);
    }
}

/* The shortest of 15 to 17 digits that reads back as the same number: 0.1 stays 0.1. */
static void put_double(struct pin_text *text, double value)
{
    char digits[40];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (strtod(digits, NULL) == value) {
            break;
        }
    }
    pin_text_puts(text, digits);
}

void pin_jsonout_double(struct pin_jsonout *json, double value)
{
    if (!isfinite(value)) {
        pin_jsonout_null(json);
    } else if (begin_value(json)) {
        put_double(json->text, value);
    }
}

void pin_jsonout_bool(struct pin_jsonout *json, bool value)
{
    if (begin_value(json)) {
        pin_text_puts(json->text, value ? "true" : "false");
    }
}

void pin_jsonout_null(struct pin_jsonout *json)
{
    if (begin_value(json)) {
        pin_text_puts(json->text, "null");
    }
}

void pin_jsonout_key_string(struct pin_jsonout *json, const char *key, const char *value)
{
    pin_jsonout_key(json, key);
    pin_jsonout_string(json, value);
}

void pin_jsonout_key_micro_time(struct pin_jsonout *json, const char *key, int64_t wall_ms)
{
    char text[PIN_CLOCK_TEXT_MAX];
    char micro[PIN_CLOCK_TEXT_MAX + 4];
    pin_clock_format(wall_ms, text);
    (void)snprintf(micro, sizeof(micro), "%.*s000Z", (int)strlen(text) - 1, text);
    pin_jsonout_key_string(json, key, micro);
}

void pin_jsonout_key_int(struct pin_jsonout *json, const char *key, int64_t value)
{
    pin_jsonout_key(json, key);
    pin_jsonout_int(json, value);
}

void pin_jsonout_key_uint(struct pin_jsonout *json, const char *key, uint64_t value)
{
    pin_jsonout_key(json, key);
    pin_jsonout_uint(json, value);
}

void pin_jsonout_key_double(struct pin_jsonout *json, const char *key, double value)
{
    pin_jsonout_key(json, key);
    pin_jsonout_double(json, value);
}

void pin_jsonout_key_bool(struct pin_jsonout *json, const char *key, bool value)
{
    pin_jsonout_key(json, key);
    pin_jsonout_bool(json, value);
}

void pin_jsonout_key_strings(
    struct pin_jsonout *json, const char *key, const char *const *values, size_t n_values)
{
    pin_jsonout_key(json, key);
    pin_jsonout_array(json);
    for (size_t i = 0; i < n_values; i++) {
        pin_jsonout_string(json, values[i]);
    }
    pin_jsonout_end(json);
}

bool pin_jsonout_is_ok(const struct pin_jsonout *json)
{
    return !json->failed && !json->text->failed && json->depth == 0 && !json->has_key;
}

void pin_jsonout_tree(struct pin_jsonout *json, const struct pin_tree *tree)
{
    switch (tree->kind) {
    case PIN_TREE_NULL:
        pin_jsonout_null(json);
        return;
    case PIN_TREE_BOOL:
        pin_jsonout_bool(json, tree->boolean);
        return;
    case PIN_TREE_INT:
        pin_jsonout_int(json, tree->integer);
        return;
    case PIN_TREE_FLOAT:
        pin_jsonout_double(json, tree->number);
        return;
    case PIN_TREE_STRING:
        pin_jsonout_string_n(json, tree->text, tree->text_bytes);
        return;
    case PIN_TREE_LIST:
        pin_jsonout_array(json);
        break;
    case PIN_TREE_MAP:
        pin_jsonout_object(json);
        break;
    }
    PIN_TREE_EACH(child, tree)
    {
        if (tree->kind == PIN_TREE_MAP) {
            pin_jsonout_key(json, child->key);
        }
        pin_jsonout_tree(json, child);
    }
    pin_jsonout_end(json);
}
