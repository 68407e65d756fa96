/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What strcmp() leaves to its callers: texts that may be absent, ends of texts, and arrays of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/** Whether both say the same. NULL is like NULL alone, not like "". */
static inline bool pin_is_same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

/** Whether `text` ends with `end`; "" ends all. */
static inline bool pin_has_end(const char *text, const char *end)
{
    size_t bytes = strlen(text);
    size_t end_bytes = strlen(end);
    return bytes >= end_bytes && strcmp(text + bytes - end_bytes, end) == 0;
}

/** For qsort() and bsearch() of an array of texts, none of them NULL. */
static inline int pin_compare_texts(const void *a, const void *b)
{
    const char *const *one = a;
    const char *const *other = b;
    return strcmp(*one, *other);
}
