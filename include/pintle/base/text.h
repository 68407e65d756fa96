/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Text: a growable string whose first failure sticks, so building needs one check at the end.
 *
 *     struct pin_text text = {0};
 *     pin_text_putf(&text, "%s %d\n", name, n);
 *     ... use text.ptr and text.len ...
 *     pin_text_done(&text);
 *
 * A zeroed struct is an empty text. Not on the answer path: it allocates.
 */

#include <stdbool.h>
#include <stddef.h>

#include "pintle/base/macros.h"

/** One text under construction. */
struct pin_text {
    char *ptr;   /**< NUL-terminated once anything was put; NULL before. */
    size_t len;  /**< Bytes without the NUL. */
    size_t cap;  /**< Bytes of ptr. */
    bool failed; /**< Out of memory: what came after is lost. */
};

/** Appends one byte. */
void pin_text_putc(struct pin_text *text, char byte);

/** Appends a NUL-terminated string. */
void pin_text_puts(struct pin_text *text, const char *string);

/** Appends `bytes` bytes. */
void pin_text_putn(struct pin_text *text, const char *data, size_t bytes);

/** Appends formatted text. */
void pin_text_putf(struct pin_text *text, const char *fmt, ...) PIN_PRINTF(2, 3);

/**
 * Bytes of the UTF-8 sequence that begins at data[0], 0 when it is none (Unicode 15, table 3-7: no
 * overlong forms, no surrogates, nothing above U+10FFFF).
 *
 * @param left      Bytes that may be read, at least 1.
 */
size_t pin_text_utf8_bytes(const char *data, size_t left);

/**
 * Appends a JSON string literal with its quotes (RFC 8259, section 7). Control characters are
 * escaped; each byte that is no valid UTF-8 becomes U+FFFD, so the output is always valid.
 */
void pin_text_put_json_string(struct pin_text *text, const char *data, size_t bytes);

/** Cuts the text back to `len` bytes, if it is longer. */
void pin_text_cut(struct pin_text *text, size_t len);

/** The text so far, "" when nothing was put. Borrowed until the next change. */
const char *pin_text_get(const struct pin_text *text);

/** Gives the string (NUL-terminated, to be freed) to the caller and empties `text`; NULL when
 * failed. */
char *pin_text_take(struct pin_text *text);

/** Frees the memory and leaves an empty text. */
void pin_text_done(struct pin_text *text);
