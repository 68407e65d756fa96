/* SPDX-License-Identifier: Apache-2.0 */

/* Findings: lines of trouble. */

#include "resolver/config_findings.h"

#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 1024

static void add(struct pin_findings *findings, const char *file, struct pin_at at, const char *fmt,
    va_list args) PIN_PRINTF(4, 0);

static void add(struct pin_findings *findings, const char *file, struct pin_at at, const char *fmt,
    va_list args)
{
    char message[MESSAGE_MAX];

    findings->n++;
    if (findings->n > PIN_FINDINGS_MAX) {
        return;
    }
    (void)vsnprintf(message, sizeof(message), fmt, args);
    if (file != NULL && at.line > 0) {
        pin_text_putf(&findings->text, "%s:%u:%u: %s\n", file, at.line, at.col, message);
    } else if (file != NULL) {
        pin_text_putf(&findings->text, "%s: %s\n", file, message);
    } else {
        pin_text_putf(&findings->text, "%s\n", message);
    }
    if (findings->n == PIN_FINDINGS_MAX) {
        pin_text_puts(&findings->text, "more findings are left out\n");
    }
}

void pin_findings_add(
    struct pin_findings *findings, const char *file, struct pin_at at, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(findings, file, at, fmt, args);
    va_end(args);
}

void pin_findings_add_usage(struct pin_findings *findings, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    add(findings, NULL, (struct pin_at){0}, fmt, args);
    va_end(args);
    findings->n_usage++;
}

const char *pin_findings_text(const struct pin_findings *findings)
{
    return pin_text_get(&findings->text);
}

void pin_findings_done(struct pin_findings *findings)
{
    pin_text_done(&findings->text);
    findings->n = 0;
    findings->n_usage = 0;
}
