/* SPDX-License-Identifier: Apache-2.0 */

/* The options as a part of a manual page. */

#include <string.h>

#include "resolver/config_describe.h"
#include "resolver/man.h"

static void put_head(struct pin_text *text, const struct pin_option_place *place)
{
    struct pin_text type = {0};
    const char *fallback = pin_option_default(place->option);
    pin_text_puts(text, ".TP\n\\fB");
    pin_man_put(text, place->path);
    pin_text_puts(text, "\\fR (");
    pin_option_put_type(&type, place->option);
    pin_man_put(text, pin_text_get(&type));
    if (fallback != NULL && fallback[0] != '\0') {
        pin_text_puts(text, "; default ");
        pin_man_put(text, fallback);
    } else if (place->option->required != NULL) {
        pin_text_puts(text, "; must be said");
    }
    pin_text_puts(text, ")\n");
    pin_text_done(&type);
}

static void put_option(void *arg, const struct pin_option_place *place)
{
    struct pin_text *text = arg;
    struct pin_text example = {0};
    if (place->above == NULL) {
        pin_text_puts(text, ".SS ");
        pin_man_put(text, place->option->key);
        pin_text_putc(text, '\n');
    }
    put_head(text, place);
    pin_man_put(text, place->option->doc);
    pin_text_puts(text, place->option->is_kept ? " A change needs a replacement.\n" : "\n");
    if (place->option->example != NULL) {
        pin_text_puts(text, ".IP\n.nf\n");
        pin_option_put_example(&example, place);
        pin_man_put(text, pin_text_get(&example));
        pin_text_puts(text, ".fi\n");
    }
    pin_text_done(&example);
}

void pin_options_put_man(struct pin_text *text)
{
    pin_options_each(put_option, text);
}
