/* SPDX-License-Identifier: Apache-2.0 */

/* A growable string. */

#include "pintle/base/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for `more` bytes and the NUL behind them. */
static bool reserve(struct pin_text *text, size_t more)
{
    if (text->failed || more >= SIZE_MAX / 2 - text->len) {
        text->failed = true;
        return false;
    }
    size_t need = text->len + more + 1;
    if (need <= text->cap) {
        return true;
    }
    size_t cap = text->cap < 128 ? 128 : text->cap;
    while (cap < need) {
        cap *= 2;
    }
    char *ptr = realloc(text->ptr, cap);
    if (ptr == NULL) {
        text->failed = true;
        return false;
    }
    text->ptr = ptr;
    text->cap = cap;
    return true;
}

void pin_text_putn(struct pin_text *text, const char *data, size_t bytes)
{
    if (!reserve(text, bytes)) {
        return;
    }
    if (bytes > 0) {
        memcpy(text->ptr + text->len, data, bytes);
    }
    text->len += bytes;
    text->ptr[text->len] = '\0';
}

void pin_text_putc(struct pin_text *text, char byte)
{
    pin_text_putn(text, &byte, 1);
}

void pin_text_puts(struct pin_text *text, const char *string)
{
    pin_text_putn(text, string, strlen(string));
}

void pin_text_putf(struct pin_text *text, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int bytes = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (bytes < 0 || !reserve(text, (size_t)bytes)) {
        text->failed = true;
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(text->ptr + text->len, (size_t)bytes + 1, fmt, args);
    va_end(args);
    text->len += (size_t)bytes;
}

size_t pin_text_utf8_bytes(const char *data, size_t left)
{
    const unsigned char *at = (const unsigned char *)data;
    unsigned char lead = at[0];
    if (lead < 0x80) {
        return 1;
    }
    size_t bytes = lead >= 0xC2 && lead <= 0xDF   ? 2
                   : (lead & 0xF0) == 0xE0        ? 3
                   : lead >= 0xF0 && lead <= 0xF4 ? 4
                                                  : 0;
    if (bytes == 0 || left < bytes) {
        return 0;
    }
    unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    return bytes;
}

static void put_json_ascii(struct pin_text *text, unsigned char byte)
{
    switch (byte) {
    case '"':
        pin_text_putn(text, "\\\"", 2);
        break;
    case '\\':
        pin_text_putn(text, "\\\\", 2);
        break;
    case '\n':
        pin_text_putn(text, "\\n", 2);
        break;
    case '\r':
        pin_text_putn(text, "\\r", 2);
        break;
    case '\t':
        pin_text_putn(text, "\\t", 2);
        break;
    default:
        pin_text_putf(text, "\\u%04x", byte);
        break;
    }
}

static bool is_plain(unsigned char byte)
{
    return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

void pin_text_put_json_string(struct pin_text *text, const char *data, size_t bytes)
{
    pin_text_putc(text, '"');
    size_t i = 0;
    while (i < bytes) {
        size_t run = i; /* the longest stretch that needs no escape goes in one piece */
        while (run < bytes && is_plain((unsigned char)data[run])) {
            run++;
        }
        pin_text_putn(text, data + i, run - i);
        i = run;
        if (i == bytes) {
            break;
        }
        size_t sequence = pin_text_utf8_bytes(data + i, bytes - i);
        if (sequence > 1) {
            pin_text_putn(text, data + i, sequence);
        } else if (sequence == 1) {
            put_json_ascii(text, (unsigned char)data[i]);
        } else {
            pin_text_puts(text, "\xEF\xBF\xBD"); /* U+FFFD */
        }
        i += sequence == 0 ? 1 : sequence;
    }
    pin_text_putc(text, '"');
}

void pin_text_cut(struct pin_text *text, size_t len)
{
    if (len < text->len) {
        text->len = len;
        text->ptr[len] = '\0';
    }
}

const char *pin_text_get(const struct pin_text *text)
{
    return text->ptr == NULL ? "" : text->ptr;
}

char *pin_text_take(struct pin_text *text)
{
    char *ptr = NULL;
    pin_text_putn(text, "", 0); /* an empty text becomes "" */
    if (!text->failed) {
        ptr = text->ptr;
        text->ptr = NULL;
    }
    pin_text_done(text);
    return ptr;
}

void pin_text_done(struct pin_text *text)
{
    free(text->ptr);
    *text = (struct pin_text){0};
}
