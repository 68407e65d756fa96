/* SPDX-License-Identifier: Apache-2.0 */

/* JSON (RFC 8259) into a tree, in one pass: nodes and texts go into the arena as they are met. */

#include "pintle/base/json.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

/* Digits that any 64-bit number holds. */
#define INT_DIGITS_MAX 18
/* Whole numbers beyond are not exact as doubles, and not whole numbers to us. */
#define INT_LIMIT 9.2e18

struct reader {
    const char *start;
    const char *at;
    const char *end;
    struct pin_arena *arena;
    const struct pin_json_skip *skips;
    struct pin_why *why;
    enum pin_err err;
};

/* A string while it is read. */
struct span {
    char *text;
    size_t bytes;
};

static struct pin_tree *read_value(struct reader *self, const char *key, size_t depth);

/* --- Failures ------------------------------------------------------------------------------- */

/* Fails at a place in the text, which is named by line and column, both 1-based. */
static void fail_at(struct reader *self, const char *at, enum pin_err err, const char *message)
{
    unsigned line = 1;
    const char *line_start = self->start;
    for (const char *c = self->start; c < at; c++) {
        if (*c == '\n') {
            line++;
            line_start = c + 1;
        }
    }
    if (self->err == PIN_OK) {
        self->err =
            pin_why_set(self->why, err, "%u:%zu: %s", line, (size_t)(at - line_start) + 1, message);
    }
}

static void malformed(struct reader *self)
{
    fail_at(self, self->at, PIN_EPARSE, "malformed JSON");
}

static void *full(struct reader *self)
{
    if (self->err == PIN_OK) {
        self->err = pin_why_set(
            self->why, PIN_ELIMIT, "1:1: too large for %s", pin_arena_name(self->arena));
    }
    return NULL;
}

/* --- Bytes ---------------------------------------------------------------------------------- */

static void skip_space(struct reader *self)
{
    while (self->at < self->end
           && (*self->at == ' ' || *self->at == '\n' || *self->at == '\t' || *self->at == '\r')) {
        self->at++;
    }
}

/* The next byte that is no white space, which stays; NUL at the end. */
static char peek(struct reader *self)
{
    skip_space(self);
    if (self->at == self->end) {
        return '\0';
    }
    return *self->at;
}

static bool is_digit(const struct reader *self)
{
    return self->at < self->end && *self->at >= '0' && *self->at <= '9';
}

/* --- Strings -------------------------------------------------------------------------------- */

/* Four hexadecimal digits behind "\u"; -1 when they are none. */
static int32_t read_hex(struct reader *self)
{
    int32_t value = 0;
    if (self->end - self->at < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = pin_hex_value(*self->at++);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* A code point as UTF-8; returns where the next one goes. */
static char *put_utf8(char *to, uint32_t code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else if (code < 0x10000) {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xf0 | code >> 18);
        *to++ = (char)(0x80 | (code >> 12 & 0x3f));
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* Behind "\u": one code point, of two escapes where it lies beyond the first plane. */
static char *read_unicode(struct reader *self, char *to)
{
    const char *escape = self->at - 2;
    int32_t code = read_hex(self);
    if (code == 0) {
        fail_at(self, escape, PIN_EUNSUPPORTED, "a NUL character is not supported");
        return to;
    }
    if (code >= 0xd800 && code < 0xdc00 && self->end - self->at >= 2 && self->at[0] == '\\'
        && self->at[1] == 'u') {
        self->at += 2;
        int32_t low = read_hex(self);
        bool is_low = low >= 0xdc00 && low < 0xe000;
        code = is_low ? 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00) : -1;
    } else if (code >= 0xd800 && code < 0xe000) {
        code = -1; /* half of a pair */
    }
    if (code < 0) {
        fail_at(self, escape, PIN_EPARSE, "malformed JSON");
        return to;
    }
    return put_utf8(to, (uint32_t)code);
}

/* Behind a backslash; returns where the next character goes. */
static char *read_escape(struct reader *self, char *to)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    char c = *self->at++;
    if (c == 'u') {
        return read_unicode(self, to);
    }
    const char *name = c == '\0' ? NULL : strchr(names, c);
    if (name == NULL) {
        self->at--;
        malformed(self);
        return to;
    }
    *to++ = values[name - names];
    return to;
}

/* Where a run of bytes that stand for themselves ends. */
static const char *plain_end(const char *at, const char *end)
{
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20) {
        at++;
    }
    return at;
}

/* The quote that ends a string, or the end of the text. */
static const char *string_end(const char *at, const char *end)
{
    while (at < end && *at != '"') {
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    }
    return at;
}

static void bad_character(struct reader *self)
{
    if (*self->at == '\0') {
        fail_at(self, self->at, PIN_EUNSUPPORTED, "a NUL character is not supported");
    } else {
        malformed(self);
    }
}

/* A string that begins at `begin`, and whose first escape is next. */
static struct span read_escaped(struct reader *self, const char *begin)
{
    const char *close = string_end(self->at, self->end);
    if (close == self->end) {
        malformed(self);
        return (struct span){0};
    }
    /* no escape is shorter than what it stands for */
    char *text = pin_arena_strndup(self->arena, begin, (size_t)(close - begin));
    if (text == NULL) {
        return (struct span){.text = full(self)};
    }
    char *to = text + (self->at - begin);
    while (self->err == PIN_OK && self->at < close) {
        const char *run = self->at;
        self->at = plain_end(run, close);
        memmove(to, run, (size_t)(self->at - run));
        to += self->at - run;
        if (self->at < close && *self->at == '\\') {
            self->at++;
            to = read_escape(self, to);
        } else if (self->at < close) {
            bad_character(self);
        }
    }
    *to = '\0';
    return (struct span){.text = text, .bytes = (size_t)(to - text)};
}

/* A string, whose quote is next. Without text: it failed. */
static struct span read_string(struct reader *self)
{
    const char *begin = ++self->at;
    self->at = plain_end(begin, self->end);
    struct span span = {.bytes = (size_t)(self->at - begin)};
    if (self->at == self->end) {
        malformed(self);
    } else if (*self->at == '"') {
        span.text = pin_arena_strndup(self->arena, begin, span.bytes);
        if (span.text == NULL) {
            return (struct span){.text = full(self)};
        }
    } else if (*self->at == '\\') {
        span = read_escaped(self, begin);
    } else {
        bad_character(self);
    }
    if (self->err != PIN_OK) {
        return (struct span){0};
    }
    self->at++;
    return span;
}

/* --- Scalars -------------------------------------------------------------------------------- */

/* One digit or more. */
static void skip_digits(struct reader *self)
{
    if (!is_digit(self)) {
        malformed(self);
    }
    while (is_digit(self)) {
        self->at++;
    }
}

/* Any number that is not a short whole one: through a double, and written as it is understood. */
static void set_number(struct reader *self, struct pin_tree *node, const char *begin)
{
    char text[40];
    char *copy = pin_arena_strndup(self->arena, begin, (size_t)(self->at - begin));
    double number = copy == NULL ? 0 : strtod(copy, NULL);
    bool fits = number > -INT_LIMIT && number < INT_LIMIT;
    node->number = number;
    node->integer = fits ? (long long)number : 0;
    node->kind = fits && (double)(long long)number == number ? PIN_TREE_INT : PIN_TREE_FLOAT;
    int bytes = node->kind == PIN_TREE_INT ? snprintf(text, sizeof(text), "%lld", node->integer)
                                           : snprintf(text, sizeof(text), "%.17g", number);
    node->text = copy == NULL ? NULL : pin_arena_strndup(self->arena, text, (size_t)bytes);
    node->text_bytes = (size_t)bytes;
    if (node->text == NULL) {
        (void)full(self);
    }
}

static void set_integer(struct reader *self, struct pin_tree *node, const char *begin)
{
    const char *digit = begin + (*begin == '-');
    long long value = 0;
    while (digit < self->at) {
        value = value * 10 + (*digit++ - '0');
    }
    node->kind = PIN_TREE_INT;
    node->integer = *begin == '-' ? -value : value;
    node->number = (double)node->integer;
    node->text_bytes = (size_t)(self->at - begin);
    node->text = pin_arena_strndup(self->arena, begin, node->text_bytes);
    if (node->text == NULL) {
        (void)full(self);
    }
}

/* A number, whose first byte is next (RFC 8259, section 6). */
static void read_number(struct reader *self, struct pin_tree *node)
{
    const char *begin = self->at;
    self->at += *begin == '-';
    const char *digits = self->at;
    bool is_zero = is_digit(self) && *self->at == '0';
    skip_digits(self);
    if (is_zero && self->at > digits + 1) { /* no zero goes first */
        self->at = digits + 1;
        malformed(self);
    }
    bool is_short = self->at - digits <= INT_DIGITS_MAX && !(is_zero && *begin == '-');
    if (self->at < self->end && *self->at == '.') {
        self->at++;
        is_short = false;
        skip_digits(self);
    }
    if (self->at < self->end && (*self->at == 'e' || *self->at == 'E')) {
        self->at++;
        is_short = false;
        self->at += self->at < self->end && (*self->at == '+' || *self->at == '-');
        skip_digits(self);
    }
    if (self->err == PIN_OK && is_short) {
        set_integer(self, node, begin);
    } else if (self->err == PIN_OK) {
        set_number(self, node, begin);
    }
}

/* true, false or null. */
static void read_word(struct reader *self, struct pin_tree *node)
{
    static const struct {
        const char *text;
        enum pin_tree_kind kind;
        bool boolean;
    } words[] = {{"true", PIN_TREE_BOOL, true}, {"false", PIN_TREE_BOOL, false},
        {"null", PIN_TREE_NULL, false}};
    for (size_t i = 0; i < N_ELEMS(words); i++) {
        size_t bytes = strlen(words[i].text);
        if ((size_t)(self->end - self->at) >= bytes
            && memcmp(self->at, words[i].text, bytes) == 0) {
            node->kind = words[i].kind;
            node->boolean = words[i].boolean;
            node->text = words[i].text;
            node->text_bytes = bytes;
            self->at += bytes;
            return;
        }
    }
    malformed(self);
}

/* --- What is left out ----------------------------------------------------------------------- */

/* Whether a member of the map that stands under `parent` is to be left out. */
static bool is_skipped(const struct reader *self, const char *parent, const char *key)
{
    for (const struct pin_json_skip *skip = self->skips; skip != NULL && skip->key != NULL;
         skip++) {
        if (strcmp(skip->key, key) == 0 && strcmp(skip->parent, parent) == 0) {
            return true;
        }
    }
    return false;
}

/* Steps over a value. Of what is inside only quotes and brackets are looked at. */
static void skip_value(struct reader *self)
{
    size_t depth = 0;
    while (self->at < self->end) {
        char c = *self->at;
        if (depth == 0 && (c == ',' || c == '}' || c == ']')) {
            return;
        }
        if (c == '"') {
            self->at = string_end(self->at + 1, self->end);
            self->at += self->at < self->end;
            continue;
        }
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        self->at++;
    }
}

/* --- Values --------------------------------------------------------------------------------- */

/* Behind an element: whether another one follows. `close` ends the list or map. */
static bool has_next(struct reader *self, char close)
{
    char c = peek(self);
    if (self->err != PIN_OK) {
        return false;
    }
    if (c != close && c != ',') {
        malformed(self);
        return false;
    }
    self->at++;
    return c == ',';
}

static void read_list(struct reader *self, struct pin_tree *list, const char *key, size_t depth)
{
    self->at++;
    if (peek(self) == ']') {
        self->at++;
        return;
    }
    do {
        struct pin_tree *item = read_value(self, key, depth + 1);
        if (item != NULL) {
            pin_tree_append(list, item);
        }
    } while (has_next(self, ']'));
}

/* "key": value */
static void read_member(struct reader *self, struct pin_tree *map, const char *parent, size_t depth)
{
    if (peek(self) != '"') {
        malformed(self);
        return;
    }
    struct span key = read_string(self);
    if (key.text == NULL) {
        return;
    }
    if (peek(self) != ':') {
        malformed(self);
        return;
    }
    self->at++;
    if (self->skips != NULL && is_skipped(self, parent, key.text)) {
        skip_space(self);
        skip_value(self);
        return;
    }
    struct pin_tree *value = read_value(self, key.text, depth + 1);
    if (value != NULL) {
        value->key = key.text;
        pin_tree_append(map, value);
    }
}

static void read_map(struct reader *self, struct pin_tree *map, const char *key, size_t depth)
{
    self->at++;
    if (peek(self) == '}') {
        self->at++;
        return;
    }
    do {
        read_member(self, map, key, depth);
    } while (has_next(self, '}'));
}

static void read_text(struct reader *self, struct pin_tree *node)
{
    struct span span = read_string(self);
    node->kind = PIN_TREE_STRING;
    node->text = span.text;
    node->text_bytes = span.bytes;
}

/* One value with all below it, or NULL. `key` is that of the map's member or list it stands in.
 * Recursion ends at PIN_TREE_DEPTH_MAX levels. */
static struct pin_tree *read_value(struct reader *self, const char *key, size_t depth)
{
    char c = peek(self);
    if (depth > PIN_TREE_DEPTH_MAX) {
        fail_at(self, self->at, PIN_ELIMIT, "nested too deep");
        return NULL;
    }
    struct pin_tree *node = pin_tree_new(self->arena, c == '{'   ? PIN_TREE_MAP
                                                      : c == '[' ? PIN_TREE_LIST
                                                                 : PIN_TREE_NULL);
    if (node == NULL) {
        return full(self);
    }
    if (c == '{') {
        read_map(self, node, key, depth);
    } else if (c == '[') {
        read_list(self, node, key, depth);
    } else if (c == '"') {
        read_text(self, node);
    } else if (c == '-' || (c >= '0' && c <= '9')) {
        read_number(self, node);
    } else {
        read_word(self, node);
    }
    return self->err == PIN_OK ? node : NULL;
}

/* The first byte that is no UTF-8, or `end`; stretches of ASCII go by the word. */
static const char *utf8_end(const char *at, const char *end)
{
    while (at < end) {
        uint64_t word = UINT64_MAX;
        if (end - at >= (ptrdiff_t)sizeof(word)) {
            memcpy(&word, at, sizeof(word));
        }
        bool is_ascii = (word & 0x8080808080808080u) == 0;
        size_t bytes = is_ascii ? sizeof(word) : pin_text_utf8_bytes(at, (size_t)(end - at));
        if (bytes == 0) {
            return at;
        }
        at += bytes;
    }
    return end;
}

enum pin_err pin_json_parse_some(const char *text, size_t bytes, const struct pin_json_skip *skips,
    struct pin_arena *arena, struct pin_tree **ret_tree, struct pin_why *why)
{
    if (bytes == 0) {
        return pin_why_set(why, PIN_EPARSE, "1:1: an empty text is no JSON");
    }
    if (bytes > PIN_JSON_BYTES_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "1:1: more than %zu bytes of JSON", PIN_JSON_BYTES_MAX);
    }
    struct reader self = {
        .start = text, .at = text, .end = text + bytes, .arena = arena, .skips = skips, .why = why};
    const char *bad = utf8_end(text, self.end);
    if (bad < self.end) {
        fail_at(&self, bad, PIN_EPARSE, "malformed JSON: a byte that is not UTF-8");
        return self.err;
    }
    struct pin_tree *tree = read_value(&self, "", 0);
    skip_space(&self);
    if (self.err == PIN_OK && self.at < self.end) {
        fail_at(&self, self.at, PIN_EPARSE, "something follows the JSON value");
    }
    if (self.err == PIN_OK) {
        *ret_tree = tree;
    }
    return self.err;
}

enum pin_err pin_json_parse(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_tree **ret_tree, struct pin_why *why)
{
    return pin_json_parse_some(text, bytes, NULL, arena, ret_tree, why);
}
