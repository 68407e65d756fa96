/* SPDX-License-Identifier: Apache-2.0 */

/* One list of codes, and reasons as text. */

#include "pintle/base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const texts[] = {
#define X(name, text) [PIN_##name] = (text),
    PIN_ERR_MAP(X)
#undef X
};

static const char *const names[] = {
#define X(name, text) [PIN_##name] = #name,
    PIN_ERR_MAP(X)
#undef X
};

const char *pin_err_str(enum pin_err err)
{
    return (size_t)err < N_ELEMS(texts) ? texts[err] : "unknown error";
}

const char *pin_err_name(enum pin_err err)
{
    return (size_t)err < N_ELEMS(names) ? names[err] : "?";
}

enum pin_err pin_why_set(struct pin_why *why, enum pin_err err, const char *fmt, ...)
{
    if (why != NULL) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(why->text, sizeof(why->text), fmt, args);
        va_end(args);
    }
    return err;
}

static enum pin_err err_of_errno(int errno_value)
{
    switch (errno_value) {
    case ENOENT:
        return PIN_ENOTFOUND;
    case EACCES:
    case EPERM:
        return PIN_EDENIED;
    case ENOMEM:
        return PIN_ENOMEM;
    case ETIMEDOUT:
        return PIN_ETIMEOUT;
    case EADDRINUSE:
    case EAGAIN:
    case EBUSY:
        return PIN_EBUSY;
    case EEXIST:
        return PIN_EEXISTS;
    default:
        return PIN_EIO;
    }
}

/* The XSI and the GNU strerror_r differ in what they return; glibc's own name settles it. */
static const char *errno_text(int errno_value, char *buf, size_t bytes)
{
    const char *text = strerrordesc_np(errno_value);
    if (text == NULL) {
        (void)snprintf(buf, bytes, "error %d", errno_value);
        text = buf;
    }
    return text;
}

enum pin_err pin_why_errno(struct pin_why *why, int errno_value, const char *fmt, ...)
{
    if (why != NULL) {
        char number[32];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(why->text, sizeof(why->text), fmt, args);
        va_end(args);
        size_t used = strlen(why->text);
        (void)snprintf(why->text + used, sizeof(why->text) - used, ": %s",
            errno_text(errno_value, number, sizeof(number)));
    }
    return err_of_errno(errno_value);
}

void pin_why_wrap(struct pin_why *why, const char *fmt, ...)
{
    if (why == NULL) {
        return;
    }
    struct pin_why inner = *why;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why->text, sizeof(why->text), fmt, args);
    va_end(args);
    size_t used = strlen(why->text);
    (void)snprintf(why->text + used, sizeof(why->text) - used, ": %s", inner.text);
}
