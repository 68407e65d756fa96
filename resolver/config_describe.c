/* SPDX-License-Identifier: Apache-2.0 */

/* What the table says of an option: type, default, example; and the list of all of them. */

#include "resolver/config_describe.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"

#define PATH_MAX_BYTES 256
#define DEPTH_MAX      16
/* A weight that was not said, as the table writes it. */
#define WEIGHT_UNSET "4294967295"

static const struct {
    const char *type;  /* as the reference writes it */
    const char *value; /* one that every option of the kind takes */
} kinds[] = {
    [PIN_OPTION_FIXED] = {"fixed", NULL},
    [PIN_OPTION_MAP] = {"map", NULL},
    [PIN_OPTION_ITEMS] = {"list of maps", NULL},
    [PIN_OPTION_STRING] = {"text", "some-text"},
    [PIN_OPTION_LABEL] = {"label", "demo"},
    [PIN_OPTION_NAME] = {"DNS name", "example.com"},
    [PIN_OPTION_NAMES] = {"list of DNS names", "[example.com]"},
    [PIN_OPTION_STRINGS] = {"list of texts", "[some-text]"},
    [PIN_OPTION_PATH] = {"path", "some.file"},
    [PIN_OPTION_BOOL] = {"true, false", "true"},
    [PIN_OPTION_UINT] = {"number", NULL},
    [PIN_OPTION_PERCENT] = {"share", "20%"},
    [PIN_OPTION_BYTES] = {"size", "64Mi"},
    [PIN_OPTION_SECONDS] = {"duration", "1h"},
    [PIN_OPTION_MS] = {"duration", "1h"},
    [PIN_OPTION_WORD] = {"word", NULL},
    [PIN_OPTION_ADDRPORT] = {"address", "192.0.2.53"},
    [PIN_OPTION_ADDRPORTS] = {"list of addresses", "[192.0.2.53, \"[2001:db8::53]:53\"]"},
    [PIN_OPTION_GATEWAYS] = {"list of gateways", "[203.0.113.10, gw.example.net]"},
    [PIN_OPTION_PREFIXES] = {"list of ranges", "[10.0.0.0/8, \"fd00::/8\"]"},
    [PIN_OPTION_CLIENTS] = {"list of ranges", "[10.10.0.0/16, {net: 10.10.1.0/24, zone: us-1a}]"},
};

/* --- Going through them ---------------------------------------------------------------------- */

bool pin_option_is_list(const struct pin_option *option)
{
    return option->kind == PIN_OPTION_ITEMS || option->kind == PIN_OPTION_GATEWAYS;
}

static void each(const struct pin_option *options, const struct pin_option_place *above,
    pin_option_fn *fn, void *arg)
{
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        char path[PATH_MAX_BYTES];
        (void)snprintf(path, sizeof(path), "%s%s%s%s", above == NULL ? "" : above->path,
            above != NULL && pin_option_is_list(above->option) ? "[]" : "",
            above == NULL ? "" : ".", option->key);
        const struct pin_option_place place = {path, option, above};
        fn(arg, &place);
        if (option->children != NULL) {
            each(option->children, &place, fn, arg);
        }
    }
}

void pin_options_each(pin_option_fn *fn, void *arg)
{
    each(pin_options, NULL, fn, arg);
}

/* --- Type and default ------------------------------------------------------------------------ */

static void put_range(struct pin_text *text, const struct pin_option *option)
{
    bool is_duration = option->kind == PIN_OPTION_SECONDS || option->kind == PIN_OPTION_MS;
    uint64_t unit = option->kind == PIN_OPTION_MS ? 1000 : 1;
    if (option->min % unit != 0) {
        pin_text_putf(text, ", 0.%" PRIu64 " to ", option->min / (unit / 10));
    } else {
        pin_text_putf(text, ", %" PRIu64 " to ", option->min / unit);
    }
    pin_text_putf(text, "%" PRIu64 "%s", option->max / unit, is_duration ? " s" : "");
}

static void put_words(struct pin_text *text, const char *words)
{
    pin_text_puts(text, ": ");
    for (const char *c = words; *c != '\0'; c++) {
        if (*c == '|') {
            pin_text_puts(text, ", ");
        } else {
            pin_text_putc(text, *c);
        }
    }
}

void pin_option_put_type(struct pin_text *text, const struct pin_option *option)
{
    pin_text_puts(text, kinds[option->kind].type);
    switch (option->kind) {
    case PIN_OPTION_UINT:
    case PIN_OPTION_SECONDS:
    case PIN_OPTION_MS:
        put_range(text, option);
        break;
    case PIN_OPTION_PERCENT:
        pin_text_putf(text, ", %" PRIu64 "%% to %" PRIu64 "%%", option->min, option->max);
        break;
    case PIN_OPTION_BYTES:
        pin_text_putf(
            text, ", %" PRIu64 "Mi to %" PRIu64 "Gi", option->min >> 20, option->max >> 30);
        break;
    case PIN_OPTION_ADDRPORT:
    case PIN_OPTION_ADDRPORTS:
        pin_text_putf(text, ", port %" PRIu64, option->max);
        break;
    case PIN_OPTION_WORD:
        put_words(text, option->words);
        break;
    default:
        break;
    }
}

const char *pin_option_default(const struct pin_option *option)
{
    bool is_unset = option->fallback != NULL && strcmp(option->fallback, WEIGHT_UNSET) == 0;
    return is_unset ? NULL : option->fallback;
}

/* --- Examples -------------------------------------------------------------------------------- */

/* {key: value} of the children that must be said; of the first one when none must. */
static void put_children(struct pin_text *text, const struct pin_option *children)
{
    bool has_any = false;
    pin_text_putc(text, '{');
    for (const struct pin_option *child = children; child->key != NULL; child++) {
        if (child->required != NULL) {
            pin_text_putf(text, "%s%s: ", has_any ? ", " : "", child->key);
            pin_option_put_value(text, child);
            has_any = true;
        }
    }
    if (!has_any) {
        pin_text_putf(text, "%s: ", children->key);
        pin_option_put_value(text, children);
    }
    pin_text_putc(text, '}');
}

void pin_option_put_value(struct pin_text *text, const struct pin_option *option)
{
    const char *fallback = pin_option_default(option);
    if (option->example != NULL) {
        pin_text_puts(text, option->example);
    } else if (option->kind == PIN_OPTION_MAP) {
        put_children(text, option->children);
    } else if (option->kind == PIN_OPTION_ITEMS) {
        pin_text_putc(text, '[');
        put_children(text, option->children);
        pin_text_putc(text, ']');
    } else if (option->kind == PIN_OPTION_ADDRPORT && fallback != NULL) {
        pin_text_putf(text, "\"%s\"", fallback);
    } else if (fallback != NULL && fallback[0] != '\0') {
        pin_text_puts(text, fallback);
    } else if (option->kind == PIN_OPTION_UINT) {
        pin_text_putf(text, "%" PRIu64, option->min > 0 ? option->min : 1);
    } else if (option->kind == PIN_OPTION_WORD) {
        pin_text_putn(text, option->words, strcspn(option->words, "|"));
    } else {
        pin_text_puts(text, kinds[option->kind].value);
    }
}

void pin_option_put_example(struct pin_text *text, const struct pin_option_place *place)
{
    const struct pin_option *chain[DEPTH_MAX];
    size_t n = 0;
    int col = 0;
    bool has_dash = false;
    for (; place != NULL && n < DEPTH_MAX; place = place->above) {
        chain[n++] = place->option;
    }
    while (n-- > 0) {
        pin_text_putf(text, "%*s%s%s:", col, "", has_dash ? "- " : "", chain[n]->key);
        col += has_dash ? 4 : 2;
        has_dash = pin_option_is_list(chain[n]);
        if (n > 0) {
            pin_text_putc(text, '\n');
        }
    }
    pin_text_putc(text, ' ');
    pin_option_put_value(text, chain[0]);
    pin_text_putc(text, '\n');
}

/* --- The list -------------------------------------------------------------------------------- */

static void put_item(void *arg, const struct pin_option_place *place)
{
    struct pin_jsonout *json = arg;
    const struct pin_option *option = place->option;
    struct pin_text text = {0};
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "path", place->path);
    pin_jsonout_key_string(json, "kind", kinds[option->kind].type);
    pin_option_put_type(&text, option);
    pin_jsonout_key_string(json, "type", pin_text_get(&text));
    pin_text_cut(&text, 0);
    pin_jsonout_key_string(json, "default", pin_option_default(option));
    pin_jsonout_key_bool(json, "required", option->required != NULL);
    pin_jsonout_key_bool(json, "kept", option->is_kept);
    pin_jsonout_key_string(json, "meaning", option->doc);
    pin_option_put_example(&text, place);
    pin_jsonout_key_string(json, "example", pin_text_get(&text));
    pin_jsonout_end(json);
    pin_text_done(&text);
}

void pin_options_put_list(struct pin_text *text)
{
    struct pin_jsonout json = pin_jsonout_init(text);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "items");
    pin_jsonout_array(&json);
    pin_options_each(put_item, &json);
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    pin_text_putc(text, '\n');
}

/* --- Defaults -------------------------------------------------------------------------------- */

/* A map that is on as soon as it is said. */
static bool is_switch(const struct pin_option *option)
{
    return option->kind == PIN_OPTION_MAP && option->said_offset > 0;
}

/* Whether something at or below it, without a list or a switch between, has a default. */
static bool has_defaults(const struct pin_option *option)
{
    if (option->kind != PIN_OPTION_MAP) {
        return !pin_option_is_list(option) && pin_option_default(option) != NULL;
    }
    for (const struct pin_option *child = option->children;
         !is_switch(option) && child->key != NULL; child++) {
        if (has_defaults(child)) {
            return true;
        }
    }
    return false;
}

static void put_default(struct pin_text *text, const struct pin_option *option, int indent)
{
    const char *fallback = pin_option_default(option);
    if (!has_defaults(option)) {
        return;
    }
    size_t before = text->len;
    pin_text_putf(text, "%*s%s:", indent, "", option->key);
    if (option->kind != PIN_OPTION_MAP) {
        bool is_quoted = fallback[0] == '\0' || strchr(fallback, ':') != NULL;
        pin_text_putf(text, " %s%s%s", is_quoted ? "\"" : "", fallback, is_quoted ? "\"" : "");
    }
    int used = (int)(text->len - before);
    pin_text_putf(text, "%*s# %s\n", used < 40 ? 40 - used : 1, "", option->doc);
    for (const struct pin_option *child = option->children;
         option->kind == PIN_OPTION_MAP && child->key != NULL; child++) {
        put_default(text, child, indent + 2);
    }
}

void pin_options_put_defaults(struct pin_text *text)
{
    pin_text_puts(text, "# What holds where a configuration says nothing. Keys without a default "
                        "are left out.\n");
    for (const struct pin_option *option = pin_options; option->key != NULL; option++) {
        put_default(text, option, 0);
    }
}
