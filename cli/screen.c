/* SPDX-License-Identifier: Apache-2.0 */

/* What a terminal is told besides the data. */

#include "cli/screen.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define LINE_BYTES   256
#define COLUMNS_SAID 80 /* of a terminal that does not say */

static bool is_drawn; /* something stands there */

static bool is_there(void)
{
    const char *term = getenv("TERM"); /* NOLINT(concurrency-mt-unsafe): one thread */
    return isatty(STDERR_FILENO) == 1 && term != NULL && strcmp(term, "dumb") != 0;
}

/* A line that is longer than the screen is wide cannot be drawn over. */
static size_t width(void)
{
    struct winsize size = {0};
    bool is_known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1;
    return (is_known ? size.ws_col : COLUMNS_SAID) - 1u;
}

void pin_screen_tell(const char *fmt, ...)
{
    char line[LINE_BYTES];
    va_list args;
    if (!is_there()) {
        return;
    }
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof(line), fmt, args);
    va_end(args);
    (void)fprintf(stderr, "\r\033[K%.*s", (int)width(), line);
    is_drawn = true;
}

void pin_screen_clear(void)
{
    if (is_drawn) {
        (void)fputs("\r\033[K", stderr);
        is_drawn = false;
    }
}

bool pin_screen_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < N_ELEMS(names); i++) {
        const char *value = getenv(names[i]); /* NOLINT(concurrency-mt-unsafe): one thread */
        if (value != NULL && value[0] != '\0') {
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "UTF8") != NULL;
        }
    }
    return false;
}
