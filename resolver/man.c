/* SPDX-License-Identifier: Apache-2.0 */

/* Plain text in manual pages. */

#include "resolver/man.h"

#include <stdbool.h>

void pin_man_put(struct pin_text *text, const char *plain)
{
    bool is_bold = false;
    bool is_first = true; /* of a line */
    for (const char *c = plain; *c != '\0'; c++) {
        if (is_first && (*c == '.' || *c == '\'')) {
            pin_text_puts(text, "\\&");
        }
        is_first = *c == '\n';
        switch (*c) {
        case '\\':
            pin_text_puts(text, "\\e");
            break;
        case '-':
            pin_text_puts(text, "\\-");
            break;
        case '\'':
            pin_text_puts(text, "\\(aq");
            break;
        case '~':
            pin_text_puts(text, "\\(ti");
            break;
        case '^':
            pin_text_puts(text, "\\(ha");
            break;
        case '`':
            is_bold = !is_bold;
            pin_text_puts(text, is_bold ? "\\fB" : "\\fR");
            break;
        default:
            pin_text_putc(text, *c);
            break;
        }
    }
}
