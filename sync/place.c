/* SPDX-License-Identifier: Apache-2.0 */

/* Reasons that say where. */

#include "place.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>

#include "pintle/base/yaml.h"

void pin__why_in_file(struct pin_why *why, const char *file)
{
    if (why == NULL) {
        return;
    }
    bool has_line = isdigit((unsigned char)why->text[0]) != 0;
    if (!has_line) {
        pin_why_wrap(why, "%s", file);
        return;
    }
    struct pin_why inner = *why;
    (void)pin_why_set(why, PIN_OK, "%s:%s", file, inner.text);
}

enum pin_err pin__why_at(struct pin_why *why, enum pin_err err, const char *file,
    const struct pin_tree *at, const char *fmt, ...)
{
    char message[PIN_WHY_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    if (at == NULL) {
        return pin_why_set(why, err, "%s: %s", file, message);
    }
    return pin_why_set(why, err, "%s:%u:%u: %s", file, at->line, at->col, message);
}

enum pin_err pin__yaml_parse(const char *file, const char *text, size_t bytes,
    struct pin_arena *arena, struct pin_tree **ret_docs, struct pin_why *why)
{
    enum pin_err err = pin_yaml_parse(text, bytes, arena, ret_docs, why);
    if (err != PIN_OK) {
        pin__why_in_file(why, file);
    }
    return err;
}
