/* SPDX-License-Identifier: Apache-2.0 */

/* Cuts a master file into entries: remarks, quotes, parentheses and line numbers end here. */

#include "zones/zonetext.h"

#include <string.h>

#define TTL_MAX_S INT32_MAX

void pin_zonetext_init(struct pin_zonetext *ret_text, const char *text, size_t bytes)
{
    *ret_text = (struct pin_zonetext){.at = text, .end = text + bytes, .line = 1};
}

void pin_zonetext_done(struct pin_zonetext *text)
{
    pin_text_done(&text->entry);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* How the characters of an entry are taken. */
struct scan {
    struct pin_zonetext *text;
    unsigned depth; /* of parentheses */
    bool is_quoted;
    bool has_word; /* something other than blanks */
    const char *fault;
};

static void put(struct scan *s, char c)
{
    if (s->text->entry.len >= PIN_ZONETEXT_ENTRY_MAX) {
        s->fault = "the entry is too long: close its parenthesis, or cut it into several";
        return;
    }
    pin_text_putc(&s->text->entry, c);
}

/* A backslash and the character it stands before. */
static void take_escape(struct scan *s)
{
    put(s, '\\');
    if (s->text->at == s->text->end || *s->text->at == '\n') {
        s->fault = "a backslash at the end of a line: remove it";
    } else if (*s->text->at != '\0') {
        put(s, *s->text->at++);
    }
}

static void skip_remark(struct scan *s)
{
    while (s->text->at < s->text->end && *s->text->at != '\n') {
        s->text->at++;
    }
}

static void take_parenthesis(struct scan *s, char c)
{
    if (c == '(') {
        s->depth++;
    } else if (s->depth == 0) {
        s->fault = "a closing parenthesis without an opening one";
    } else {
        s->depth--;
    }
    put(s, ' ');
}

/* Takes one character that is no newline. */
static void take(struct scan *s, char c)
{
    s->has_word = s->has_word || !is_blank(c);
    if (c == '\0') {
        s->fault = "a NUL byte: this is no text";
    } else if (c == '\\') {
        take_escape(s);
    } else if (c == '"') {
        s->is_quoted = !s->is_quoted;
        put(s, c);
    } else if (s->is_quoted) {
        put(s, c);
    } else if (c == '(' || c == ')') {
        take_parenthesis(s, c);
    } else {
        put(s, (char)(is_blank(c) ? ' ' : c));
    }
}

/* Takes a line or, within parentheses, several. */
static void take_lines(struct scan *s)
{
    struct pin_zonetext *text = s->text;
    while (text->at < text->end) {
        char c = *text->at++;
        if (c == ';' && !s->is_quoted) {
            skip_remark(s);
        } else if (c != '\n') {
            take(s, c);
        } else {
            text->line++;
            if (s->is_quoted) {
                s->fault = "a quote is not closed on its line";
            }
            if (s->fault != NULL || s->depth == 0) {
                return;
            }
            put(s, ' ');
        }
    }
    if (s->fault == NULL && (s->depth > 0 || s->is_quoted)) {
        s->fault = s->is_quoted ? "a quote is not closed" : "a parenthesis is not closed";
    }
}

enum pin_zonetext_found pin_zonetext_next(struct pin_zonetext *text, struct pin_why *why)
{
    while (text->at < text->end) {
        struct scan s = {.text = text};
        pin_text_cut(&text->entry, 0);
        text->entry_line = text->line;
        text->is_indented = is_blank(*text->at);
        take_lines(&s);
        if (text->entry.failed) {
            s.fault = "out of memory";
        }
        if (s.fault != NULL) {
            (void)pin_why_set(why, PIN_EPARSE, "%s", s.fault);
            return PIN_ZONETEXT_FAULT;
        }
        if (s.has_word
            && pin_text_get(&text->entry)[strspn(pin_text_get(&text->entry), " ")] != 0) {
            return PIN_ZONETEXT_ENTRY;
        }
    }
    return PIN_ZONETEXT_END;
}

char *pin_zonetext_word(char **cursor)
{
    char *word = *cursor + strspn(*cursor, " ");
    char *at = word;
    bool is_quoted = false;
    while (*at != '\0' && (is_quoted || *at != ' ')) {
        is_quoted = *at == '"' ? !is_quoted : is_quoted;
        at += *at == '\\' && at[1] != '\0' ? 2 : 1;
    }
    if (at == word) {
        return NULL;
    }
    *cursor = *at == '\0' ? at : at + 1;
    *at = '\0';
    return word;
}

/* Seconds in a unit; 0 for none. */
static uint64_t unit_s(char c)
{
    static const char letters[] = "smhdwSMHDW";
    static const uint32_t seconds[] = {1, 60, 3600, 86400, 604800};
    const char *found = c == '\0' ? NULL : strchr(letters, c);
    return found == NULL ? 0 : seconds[(size_t)(found - letters) % 5];
}

bool pin_zonetext_ttl(const char *word, uint32_t *ret_ttl_s)
{
    uint64_t sum = 0;
    if (*word == '\0') {
        return false;
    }
    while (*word != '\0') {
        uint64_t number = 0;
        if (*word < '0' || *word > '9') {
            return false;
        }
        for (; *word >= '0' && *word <= '9'; word++) {
            number = number * 10 + (uint64_t)(*word - '0');
            if (number > TTL_MAX_S) {
                return false;
            }
        }
        uint64_t unit = *word == '\0' ? 1 : unit_s(*word++);
        sum += number * unit;
        if (unit == 0 || sum > TTL_MAX_S) {
            return false;
        }
    }
    *ret_ttl_s = (uint32_t)sum;
    return true;
}
