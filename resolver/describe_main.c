/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Runs when Pintle is built: writes what follows from the tables of options and flags.
 *
 *     pintle_describe TEMPLATES OUT
 *
 * makes OUT/config.schema.json, OUT/options.json, OUT/defaults.yaml, and of the manual pages
 * TEMPLATES/NAME.in OUT/NAME, in which a line "@OPTIONS@" or "@FLAGS@", or a word "@VERSION@" is
 * filled in.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/file.h"
#include "pintle/version.h"

#include "resolver/config.h"
#include "resolver/config_describe.h"

#define TEMPLATE_MAX_BYTES ((size_t)1 << 20)

static const struct {
    const char *name;
    void (*put)(struct pin_text *text);
} made[] = {
    {"config.schema.json", pin_options_put_schema},
    {"options.json", pin_options_put_list},
    {"defaults.yaml", pin_options_put_defaults},
};

static void put_version(struct pin_text *text)
{
    pin_text_puts(text, PIN_VERSION);
}

static const struct {
    const char *mark;
    void (*put)(struct pin_text *text);
} marks[] = {
    {"@OPTIONS@", pin_options_put_man},
    {"@FLAGS@", pin_args_put_man},
    {"@VERSION@", put_version},
};

static bool write_out(const char *dir, const char *name, struct pin_text *text)
{
    struct pin_why why = {0};
    char *path = pin_path_join(dir, name);
    bool is_written =
        path != NULL && !text->failed
        && pin_file_write_atomic(path, pin_text_get(text), text->len, 0644, &why) == PIN_OK;
    if (!is_written) {
        (void)fprintf(stderr, "pintle_describe: %s: %s\n", name, why.text);
    }
    free(path);
    pin_text_done(text);
    return is_written;
}

/* The template with its marks filled in. */
static void put_filled(struct pin_text *text, const char *template)
{
    while (*template != '\0') {
        size_t plain = strcspn(template, "@");
        pin_text_putn(text, template, plain);
        template += plain;
        bool is_mark = false;
        for (size_t i = 0; i < N_ELEMS(marks) && !is_mark; i++) {
            is_mark = strncmp(template, marks[i].mark, strlen(marks[i].mark)) == 0;
            if (is_mark) {
                marks[i].put(text);
                template += strlen(marks[i].mark);
            }
        }
        if (!is_mark && *template != '\0') {
            pin_text_putc(text, *template ++);
        }
    }
}

static bool write_page(const char *templates, const char *dir, const char *name)
{
    char in[64];
    char *template = NULL;
    struct pin_why why = {0};
    struct pin_text text = {0};
    (void)snprintf(in, sizeof(in), "%s.in", name);
    char *path = pin_path_join(templates, in);
    bool is_read =
        path != NULL && pin_file_read(path, TEMPLATE_MAX_BYTES, &template, NULL, &why) == PIN_OK;
    if (is_read) {
        put_filled(&text, template);
    } else {
        (void)fprintf(stderr, "pintle_describe: %s\n", why.text);
    }
    free(template);
    free(path);
    return is_read && write_out(dir, name, &text);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        (void)fputs("use: pintle_describe TEMPLATES OUT\n", stderr);
        return 2;
    }
    bool is_good = true;
    for (size_t i = 0; i < N_ELEMS(made); i++) {
        struct pin_text text = {0};
        made[i].put(&text);
        is_good = write_out(argv[2], made[i].name, &text) && is_good;
    }
    is_good = write_page(argv[1], argv[2], "pintle.conf.5") && is_good;
    is_good = write_page(argv[1], argv[2], "pintled.8") && is_good;
    return is_good ? 0 : 1;
}
