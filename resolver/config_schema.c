/* SPDX-License-Identifier: Apache-2.0 */

/*
 * JSON Schema of the configuration file. Keywords that look at one type alone stand side by side:
 * `minimum` holds for numbers, `pattern` for texts, so that a duration is one schema without anyOf,
 * and a validator says which bound was broken. A key without a value is as good as absent, so null
 * is taken wherever a key need not be said.
 */

#include <inttypes.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/yaml.h"

#include "resolver/config_describe.h"

#define EXAMPLE_MAX_BYTES ((size_t)1 << 16)

#define OCTET    "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
#define IPV4     "(" OCTET "\\.){3}" OCTET
#define IPV6     "[0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*"
#define ADDRPORT "^(" IPV4 "(:[0-9]{1,5})?|" IPV6 "|\\[" IPV6 "\\](:[0-9]{1,5})?)$"
#define RANGE    "^(" IPV4 "(/(3[0-2]|[12]?[0-9]))?|" IPV6 "(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$"
#define LABEL    "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
#define NAME     "^[ -~]+$"
#define SHARE    "^0*(100|[0-9]{1,2})%$"
#define SIZE     "^[0-9]{1,10}(Ki|Mi|Gi)?$"
#define DURATION "^[0-9]+[smh]?$"

/* Anything that YAML reads as one value is a text. */
static const char *const scalar_types[] = {"string", "number", "boolean", NULL};
static const char *const string_types[] = {"string", NULL};
static const char *const count_types[] = {"integer", NULL};
static const char *const amount_types[] = {"string", "integer", NULL};
static const char *const bool_types[] = {"boolean", NULL};
static const char *const map_types[] = {"object", NULL};
static const char *const list_types[] = {"array", NULL};
static const char *const list_or_scalar_types[] = {"array", "string", "number", "boolean", NULL};

/* What an option, or one item of its list, may look like. */
static const struct shape {
    const char *const *types;
    const char *pattern; /* of texts */
    const char *item_pattern;
    const char *const *item_types; /* NULL: no list of scalars */
} shapes[] = {
    [PIN_OPTION_FIXED] = {.types = string_types},
    [PIN_OPTION_MAP] = {.types = map_types},
    [PIN_OPTION_ITEMS] = {.types = list_types},
    [PIN_OPTION_STRING] = {.types = scalar_types},
    [PIN_OPTION_LABEL] = {.types = scalar_types, .pattern = LABEL},
    [PIN_OPTION_NAME] = {.types = scalar_types, .pattern = NAME},
    [PIN_OPTION_NAMES] = {.types = list_types, .item_pattern = NAME, .item_types = scalar_types},
    [PIN_OPTION_STRINGS] = {.types = list_types, .item_types = scalar_types},
    [PIN_OPTION_PATH] = {.types = scalar_types},
    [PIN_OPTION_BOOL] = {.types = bool_types},
    [PIN_OPTION_UINT] = {.types = count_types},
    [PIN_OPTION_PERCENT] = {.types = string_types, .pattern = SHARE},
    [PIN_OPTION_BYTES] = {.types = amount_types, .pattern = SIZE},
    [PIN_OPTION_SECONDS] = {.types = amount_types, .pattern = DURATION},
    [PIN_OPTION_MS] = {.types = amount_types, .pattern = DURATION},
    [PIN_OPTION_WORD] = {.types = string_types},
    [PIN_OPTION_ADDRPORT] = {.types = string_types, .pattern = ADDRPORT},
    [PIN_OPTION_ADDRPORTS] = {.types = list_types,
        .item_pattern = ADDRPORT,
        .item_types = string_types},
    [PIN_OPTION_GATEWAYS] = {.types = list_types},
    [PIN_OPTION_PREFIXES] = {.types = list_types,
        .item_pattern = RANGE,
        .item_types = string_types},
    [PIN_OPTION_CLIENTS] = {.types = list_types},
};

static void put_types(struct pin_jsonout *json, const char *const *types, bool may_be_null)
{
    pin_jsonout_key(json, "type");
    if (types[1] == NULL && !may_be_null) {
        pin_jsonout_string(json, types[0]);
        return;
    }
    pin_jsonout_array(json);
    for (size_t i = 0; types[i] != NULL; i++) {
        pin_jsonout_string(json, types[i]);
    }
    if (may_be_null) {
        pin_jsonout_string(json, "null");
    }
    pin_jsonout_end(json);
}

static void put_properties(struct pin_jsonout *json, const struct pin_option *options);

/* {type: ..., pattern: ...} as the value of `key`, or as the next item. */
static void put_scalar(
    struct pin_jsonout *json, const char *key, const char *const *types, const char *pattern)
{
    if (key != NULL) {
        pin_jsonout_key(json, key);
    }
    pin_jsonout_object(json);
    put_types(json, types, false);
    if (pattern != NULL) {
        pin_jsonout_key_string(json, "pattern", pattern);
    } else {
        pin_jsonout_key_int(json, "minLength", 1);
    }
    pin_jsonout_end(json);
}

/* A range, or {net: RANGE, zone: TEXT}. */
static void put_client(struct pin_jsonout *json)
{
    pin_jsonout_array(json);
    put_scalar(json, NULL, string_types, RANGE);
    pin_jsonout_object(json);
    put_types(json, map_types, false);
    pin_jsonout_key(json, "properties");
    pin_jsonout_object(json);
    put_scalar(json, "net", string_types, RANGE);
    put_scalar(json, "zone", scalar_types, NULL);
    pin_jsonout_end(json);
    pin_jsonout_key_bool(json, "additionalProperties", false);
    pin_jsonout_key(json, "required");
    pin_jsonout_array(json);
    pin_jsonout_string(json, "net");
    pin_jsonout_end(json);
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

/* An address, a host name, or an object that has the addresses. */
static void put_gateway(struct pin_jsonout *json, const struct pin_option *option)
{
    pin_jsonout_array(json);
    put_scalar(json, NULL, string_types, NULL);
    pin_jsonout_object(json);
    put_types(json, map_types, false);
    put_properties(json, option->children);
    pin_jsonout_key_int(json, "minProperties", 1);
    pin_jsonout_end(json);
    pin_jsonout_end(json);
}

/* What the items of a list are. */
static void put_items(struct pin_jsonout *json, const struct pin_option *option)
{
    const struct shape *shape = &shapes[option->kind];
    if (shape->item_types != NULL) {
        put_scalar(json, "items", shape->item_types, shape->item_pattern);
        return;
    }
    if (option->kind != PIN_OPTION_ITEMS && option->kind != PIN_OPTION_GATEWAYS
        && option->kind != PIN_OPTION_CLIENTS) {
        return;
    }
    pin_jsonout_key(json, "items");
    pin_jsonout_object(json);
    if (option->kind == PIN_OPTION_ITEMS) {
        put_types(json, map_types, false);
        put_properties(json, option->children);
    } else {
        pin_jsonout_key(json, "anyOf");
        if (option->kind == PIN_OPTION_CLIENTS) {
            put_client(json);
        } else {
            put_gateway(json, option);
        }
    }
    pin_jsonout_end(json);
}

static void put_words(struct pin_jsonout *json, const char *words, bool may_be_null)
{
    pin_jsonout_key(json, "enum");
    pin_jsonout_array(json);
    for (const char *at = words; *at != '\0';) {
        size_t bytes = strcspn(at, "|");
        pin_jsonout_string_n(json, at, bytes);
        at += bytes + (at[bytes] == '|');
    }
    if (may_be_null) {
        pin_jsonout_null(json);
    }
    pin_jsonout_end(json);
}

/* Bounds of whole numbers; a duration that is one has seconds, of which none is cut off. */
static void put_bounds(struct pin_jsonout *json, const struct pin_option *option)
{
    uint64_t unit = option->kind == PIN_OPTION_MS ? 1000 : 1;
    switch (option->kind) {
    case PIN_OPTION_UINT:
    case PIN_OPTION_BYTES:
    case PIN_OPTION_SECONDS:
    case PIN_OPTION_MS:
        pin_jsonout_key_uint(json, "minimum", (option->min + unit - 1) / unit);
        pin_jsonout_key_uint(json, "maximum", option->max / unit);
        break;
    default:
        break;
    }
}

/* Whether "" is a value of its own. */
static bool may_be_empty(const struct pin_option *option)
{
    bool is_fallback = option->fallback != NULL && option->fallback[0] == '\0';
    return is_fallback || (option->kind == PIN_OPTION_PATH && option->max == 1);
}

static void put_lengths(struct pin_jsonout *json, const struct pin_option *option)
{
    bool is_text = option->kind == PIN_OPTION_STRING || option->kind == PIN_OPTION_PATH
                   || option->kind == PIN_OPTION_STRINGS;
    if (is_text && !may_be_empty(option)) {
        pin_jsonout_key_int(json, "minLength", 1);
    }
    if (option->kind == PIN_OPTION_STRING && option->max > 0) {
        pin_jsonout_key_uint(json, "maxLength", option->max);
    }
}

/* A YAML text as a JSON value. */
static void put_yaml(struct pin_jsonout *json, const char *text)
{
    struct pin_arena *arena = pin_arena_new("example", EXAMPLE_MAX_BYTES);
    struct pin_tree *docs = NULL;
    if (arena != NULL && pin_yaml_parse(text, strlen(text), arena, &docs, NULL) == PIN_OK
        && docs->first != NULL) {
        pin_jsonout_tree(json, docs->first);
    } else {
        pin_jsonout_null(json);
    }
    pin_arena_free(arena);
}

/* What an editor shows: what it means, how it is written, what holds without it, an example. */
static void put_words_of_help(struct pin_jsonout *json, const struct pin_option *option)
{
    struct pin_text text = {0};
    pin_text_putf(&text, "%s (", option->doc);
    pin_option_put_type(&text, option);
    pin_text_putc(&text, ')');
    pin_jsonout_key_string(json, "description", pin_text_get(&text));
    pin_text_cut(&text, 0);
    const char *fallback = pin_option_default(option);
    if (fallback != NULL) {
        pin_jsonout_key(json, "default");
        if (option->kind == PIN_OPTION_BOOL || option->kind == PIN_OPTION_UINT) {
            put_yaml(json, fallback);
        } else {
            pin_jsonout_string(json, fallback);
        }
    }
    if (option->example != NULL) {
        pin_jsonout_key(json, "examples");
        pin_jsonout_array(json);
        put_yaml(json, option->example);
        pin_jsonout_end(json);
    }
    pin_text_done(&text);
}

static void put_option(struct pin_jsonout *json, const struct pin_option *option)
{
    const struct shape *shape = &shapes[option->kind];
    bool is_single_too = option->kind == PIN_OPTION_STRINGS && option->max == 1;
    bool may_be_null = option->required == NULL;

    pin_jsonout_key(json, option->key);
    pin_jsonout_object(json);
    put_words_of_help(json, option);
    if (option->kind == PIN_OPTION_WORD || option->kind == PIN_OPTION_FIXED) {
        put_words(
            json, option->kind == PIN_OPTION_FIXED ? option->fallback : option->words, may_be_null);
    } else {
        put_types(json, is_single_too ? list_or_scalar_types : shape->types, may_be_null);
    }
    if (shape->pattern != NULL) {
        pin_jsonout_key_string(json, "pattern", shape->pattern);
    }
    put_bounds(json, option);
    put_lengths(json, option);
    put_items(json, option);
    if (option->kind == PIN_OPTION_MAP) {
        put_properties(json, option->children);
    }
    pin_jsonout_end(json);
}

/* The members `properties`, `additionalProperties` and `required` of a map's schema. */
static void put_properties(struct pin_jsonout *json, const struct pin_option *options)
{
    bool has_required = false;
    pin_jsonout_key(json, "properties");
    pin_jsonout_object(json);
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        put_option(json, option);
        has_required = has_required || option->required != NULL;
    }
    pin_jsonout_end(json);
    pin_jsonout_key_bool(json, "additionalProperties", false);
    if (!has_required) {
        return;
    }
    pin_jsonout_key(json, "required");
    pin_jsonout_array(json);
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        if (option->required != NULL) {
            pin_jsonout_string(json, option->key);
        }
    }
    pin_jsonout_end(json);
}

/* Breaks JSON into lines. */
static void put_indented(struct pin_text *text, const char *json)
{
    int depth = 0;
    bool is_string = false;
    for (const char *c = json; *c != '\0'; c++) {
        bool is_open = !is_string && (*c == '{' || *c == '[');
        bool is_close = !is_string && (*c == '}' || *c == ']');
        if (is_close) {
            pin_text_putf(text, "\n%*s", --depth * 2, "");
        }
        pin_text_putc(text, *c);
        if (is_string && *c == '\\' && c[1] != '\0') {
            pin_text_putc(text, *++c);
        } else if (*c == '"') {
            is_string = !is_string;
        } else if (!is_string && *c == ':') {
            pin_text_putc(text, ' ');
        } else if (is_open || (!is_string && *c == ',')) {
            depth += is_open ? 1 : 0;
            pin_text_putf(text, "\n%*s", depth * 2, "");
        }
    }
    pin_text_putc(text, '\n');
}

void pin_options_put_schema(struct pin_text *text)
{
    struct pin_text compact = {0};
    struct pin_jsonout json = pin_jsonout_init(&compact);
    pin_jsonout_object(&json);
    pin_jsonout_key_string(&json, "$schema", "https://json-schema.org/draft/2020-12/schema");
    pin_jsonout_key_string(&json, "$id", "urn:pintle.dev:config:v1alpha1");
    pin_jsonout_key_string(&json, "title", "PintleConfig");
    pin_jsonout_key_string(&json, "description", "Configuration of pintled, see pintle.conf(5).");
    put_types(&json, map_types, false);
    put_properties(&json, pin_options);
    pin_jsonout_end(&json);
    put_indented(text, pin_text_get(&compact));
    pin_text_done(&compact);
}
