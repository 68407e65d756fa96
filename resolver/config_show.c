/* SPDX-License-Identifier: Apache-2.0 */

/* The table of options read backwards: from the struct that the reader filled to JSON. */

#include "resolver/config_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "resolver/config_options.h"

#define ARENA_MAX_BYTES ((size_t)1 << 20)
#define ITEM_MAX_BYTES  1024

_Static_assert(sizeof(struct pin_config_records) <= ITEM_MAX_BYTES
                   && sizeof(struct pin_config_cluster) <= ITEM_MAX_BYTES
                   && sizeof(struct pin_config_listen) <= ITEM_MAX_BYTES
                   && sizeof(struct pin_config_forward) <= ITEM_MAX_BYTES,
    "an item's defaults fit");

/* What one walk carries along. */
struct show {
    struct pin_jsonout *json;
    struct pin_arena *arena; /* of defaults */
    bool is_effective;       /* defaults are shown, too */
};

static const void *pointer_at(const uint8_t *base, size_t offset)
{
    const void *pointer = NULL;
    memcpy(&pointer, base + offset, sizeof(pointer));
    return pointer;
}

static size_t count_at(const struct pin_option *option, const uint8_t *base)
{
    size_t n = 0;
    memcpy(&n, base + option->count_offset, sizeof(n));
    return n;
}

static bool bool_at(const uint8_t *base, size_t offset)
{
    bool value = false;
    memcpy(&value, base + offset, sizeof(value));
    return value;
}

/* A number of four or eight bytes, as the kind has it. */
static uint64_t number_at(const struct pin_option *option, const uint8_t *base)
{
    uint32_t narrow = 0;
    uint64_t wide = 0;
    if (option->kind == PIN_OPTION_MS || option->kind == PIN_OPTION_BYTES) {
        memcpy(&wide, base + option->offset, sizeof(wide));
        return wide;
    }
    memcpy(&narrow, base + option->offset, sizeof(narrow));
    return narrow;
}

static bool is_said(const struct pin_option *option, const uint8_t *base)
{
    return option->said_offset > 0 && bool_at(base, option->said_offset);
}

/* Whether there is something to show; what was not said and has no default is not there. */
static bool has_value(const struct pin_option *option, const uint8_t *base)
{
    struct pin_addrport address;
    switch (option->kind) {
    case PIN_OPTION_FIXED:
        return true;
    case PIN_OPTION_STRING:
    case PIN_OPTION_LABEL:
    case PIN_OPTION_NAME:
    case PIN_OPTION_PATH:
        return pointer_at(base, option->offset) != NULL;
    case PIN_OPTION_BOOL:
        return option->fallback != NULL || bool_at(base, option->offset);
    case PIN_OPTION_UINT:
        return number_at(option, base) >= option->min && number_at(option, base) <= option->max;
    case PIN_OPTION_WORD:
    case PIN_OPTION_PERCENT:
    case PIN_OPTION_BYTES:
    case PIN_OPTION_SECONDS:
    case PIN_OPTION_MS:
        return number_at(option, base) >= option->min;
    case PIN_OPTION_ADDRPORT:
        memcpy(&address, base + option->offset, sizeof(address));
        return address.ip.family != 0;
    default:
        return count_at(option, base) > 0 || is_said(option, base);
    }
}

/* --- Values ---------------------------------------------------------------------------------- */

static void put_amount(struct pin_jsonout *json, const struct pin_option *option, uint64_t value)
{
    char text[32];
    if (option->kind == PIN_OPTION_PERCENT) {
        (void)snprintf(text, sizeof(text), "%" PRIu64 "%%", value);
    } else if (option->kind == PIN_OPTION_BYTES) {
        int shift = value % (UINT64_C(1) << 30) == 0   ? 30
                    : value % (UINT64_C(1) << 20) == 0 ? 20
                    : value % (UINT64_C(1) << 10) == 0 ? 10
                                                       : 0;
        static const char *const units[] = {"", "Ki", "Mi", "Gi"};
        (void)snprintf(text, sizeof(text), "%" PRIu64 "%s", value >> shift, units[shift / 10]);
    } else {
        uint64_t seconds = option->kind == PIN_OPTION_MS ? value / 1000 : value;
        uint64_t unit = seconds == 0 || seconds % 60 != 0 ? 1 : seconds % 3600 != 0 ? 60 : 3600;
        (void)snprintf(text, sizeof(text), "%" PRIu64 "%s", seconds / unit,
            unit == 1    ? "s"
            : unit == 60 ? "m"
                         : "h");
    }
    pin_jsonout_string(json, text);
}

static void put_word(struct pin_jsonout *json, const struct pin_option *option, uint64_t value)
{
    const char *at = option->words;
    for (uint64_t i = option->min; i < value && *at != '\0'; i++) {
        at += strcspn(at, "|");
        at += *at == '|' ? 1 : 0;
    }
    pin_jsonout_string_n(json, at, strcspn(at, "|"));
}

static void put_text(
    struct pin_jsonout *json, const struct pin_option *option, const char *value, size_t i)
{
    struct pin_text masked = {0};
    if (option->is_command && i > 0) {
        pin_config_mask_argument(&masked, value);
    } else {
        pin_config_mask_url(&masked, value);
    }
    pin_jsonout_string(json, pin_text_get(&masked));
    pin_text_done(&masked);
}

static void put_addrport(struct pin_jsonout *json, const uint8_t *at)
{
    struct pin_addrport address;
    char text[PIN_ADDRPORT_TEXT_MAX];
    memcpy(&address, at, sizeof(address));
    pin_jsonout_string(json, pin_addrport_format(&address, text));
}

static void put_prefix(struct pin_jsonout *json, const struct pin_prefix *prefix)
{
    char text[PIN_PREFIX_TEXT_MAX];
    pin_jsonout_string(json, pin_prefix_format(prefix, text));
}

static void put_client(struct pin_jsonout *json, const struct pin_prefix *prefix, const char *zone)
{
    if (zone == NULL) {
        put_prefix(json, prefix);
        return;
    }
    pin_jsonout_object(json);
    pin_jsonout_key(json, "net");
    put_prefix(json, prefix);
    pin_jsonout_key_string(json, "zone", zone);
    pin_jsonout_end(json);
}

static void put_map(struct show *show, const struct pin_option *options, const uint8_t *base,
    const uint8_t *defaults);

static void put_gateway(
    struct show *show, const struct pin_option *option, const struct pin_config_gateway *gateway)
{
    static const struct pin_config_gateway none;
    char text[PIN_IP_TEXT_MAX];
    if (gateway->ip.family != 0) {
        pin_jsonout_string(show->json, pin_ip_format(&gateway->ip, text));
    } else if (gateway->host != NULL) {
        pin_jsonout_string(show->json, gateway->host);
    } else {
        put_map(show, option->children, (const uint8_t *)gateway, (const uint8_t *)&none);
    }
}

/* One item of a list. */
static void put_item(
    struct show *show, const struct pin_option *option, const uint8_t *base, size_t i)
{
    const void *items = pointer_at(base, option->offset);
    uint8_t defaults[ITEM_MAX_BYTES] = {0};
    switch (option->kind) {
    case PIN_OPTION_NAMES:
    case PIN_OPTION_STRINGS:
        put_text(show->json, option, ((const char *const *)items)[i], i);
        break;
    case PIN_OPTION_ADDRPORTS:
        put_addrport(show->json, (const uint8_t *)((const struct pin_addrport *)items + i));
        break;
    case PIN_OPTION_PREFIXES:
        put_prefix(show->json, (const struct pin_prefix *)items + i);
        break;
    case PIN_OPTION_CLIENTS: {
        const char *const *zones = pointer_at(base, (size_t)option->min);
        put_client(
            show->json, (const struct pin_prefix *)items + i, zones == NULL ? NULL : zones[i]);
        break;
    }
    case PIN_OPTION_GATEWAYS:
        put_gateway(show, option, (const struct pin_config_gateway *)items + i);
        break;
    default:
        if (option->item_bytes <= sizeof(defaults)) {
            pin_config_set_defaults(show->arena, option->children, defaults);
        }
        put_map(show, option->children, (const uint8_t *)items + i * option->item_bytes, defaults);
        break;
    }
}

static void put_value(struct show *show, const struct pin_option *option, const uint8_t *base)
{
    struct pin_jsonout *json = show->json;
    switch (option->kind) {
    case PIN_OPTION_FIXED:
        pin_jsonout_string(json, option->fallback);
        break;
    case PIN_OPTION_STRING:
    case PIN_OPTION_LABEL:
    case PIN_OPTION_NAME:
    case PIN_OPTION_PATH:
        put_text(json, option, pointer_at(base, option->offset), 0);
        break;
    case PIN_OPTION_BOOL:
        pin_jsonout_bool(json, bool_at(base, option->offset));
        break;
    case PIN_OPTION_UINT:
        pin_jsonout_uint(json, number_at(option, base));
        break;
    case PIN_OPTION_PERCENT:
    case PIN_OPTION_BYTES:
    case PIN_OPTION_SECONDS:
    case PIN_OPTION_MS:
        put_amount(json, option, number_at(option, base));
        break;
    case PIN_OPTION_WORD:
        put_word(json, option, number_at(option, base));
        break;
    case PIN_OPTION_ADDRPORT:
        put_addrport(json, base + option->offset);
        break;
    default:
        pin_jsonout_array(json);
        for (size_t i = 0; i < count_at(option, base); i++) {
            put_item(show, option, base, i);
        }
        pin_jsonout_end(json);
        break;
    }
}

/* --- Maps ------------------------------------------------------------------------------------ */

static bool is_default(struct show *show, const struct pin_option *option, const uint8_t *base,
    const uint8_t *defaults)
{
    if (!has_value(option, defaults) || option->kind == PIN_OPTION_FIXED) {
        return false;
    }
    struct pin_text texts[2] = {0};
    const uint8_t *bases[2] = {base, defaults};
    for (int i = 0; i < 2; i++) {
        struct pin_jsonout json = pin_jsonout_init(&texts[i]);
        struct show compared = {.json = &json, .arena = show->arena};
        put_value(&compared, option, bases[i]);
    }
    bool is_same = strcmp(pin_text_get(&texts[0]), pin_text_get(&texts[1])) == 0;
    pin_text_done(&texts[0]);
    pin_text_done(&texts[1]);
    return is_same;
}

/* Whether an option, or anything below a map, is to be shown. A map that is a switch is when it was
 * said, whatever it holds. */
static bool is_shown(struct show *show, const struct pin_option *option, const uint8_t *base,
    const uint8_t *defaults)
{
    if (option->kind != PIN_OPTION_MAP) {
        return has_value(option, base)
               && (show->is_effective || !is_default(show, option, base, defaults));
    }
    if (option->said_offset > 0) {
        return is_said(option, base);
    }
    for (const struct pin_option *child = option->children; child->key != NULL; child++) {
        if (is_shown(show, child, base, defaults)) {
            return true;
        }
    }
    return false;
}

static void put_map(struct show *show, const struct pin_option *options, const uint8_t *base,
    const uint8_t *defaults)
{
    pin_jsonout_object(show->json);
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        if (!is_shown(show, option, base, defaults)) {
            continue;
        }
        pin_jsonout_key(show->json, option->key);
        if (option->kind == PIN_OPTION_MAP) {
            put_map(show, option->children, base, defaults);
        } else {
            put_value(show, option, base);
        }
    }
    pin_jsonout_end(show->json);
}

/* --- Origins --------------------------------------------------------------------------------- */

/* At it, too. */
static bool is_below(const char *path, const char *above)
{
    size_t bytes = strlen(above);
    return strncmp(path, above, bytes) == 0 && strchr(".[", path[bytes]) != NULL;
}

static bool is_overridden(const struct pin_config *config, const char *path)
{
    for (const struct pin_config_origin *flag = config->flags; flag != NULL; flag = flag->next) {
        if (is_below(path, flag->path)) {
            return true;
        }
    }
    return false;
}

static void put_origins(const struct pin_config *config, struct pin_jsonout *json)
{
    pin_jsonout_object(json);
    for (const struct pin_config_origin *flag = config->flags; flag != NULL; flag = flag->next) {
        pin_jsonout_key_string(json, flag->path, flag->source);
    }
    for (const struct pin_config_origin *at = config->origins; at != NULL; at = at->next) {
        if (!is_overridden(config, at->path)) {
            pin_jsonout_key_string(json, at->path, at->source);
        }
    }
    pin_jsonout_end(json);
}

void pin_config_put_json(const struct pin_config *config, struct pin_jsonout *json)
{
    struct pin_arena *arena = pin_arena_new("config-show", ARENA_MAX_BYTES);
    struct pin_config defaults = {.arena = arena};
    struct show show = {.json = json, .arena = arena};
    if (arena == NULL) {
        pin_jsonout_null(json);
        return;
    }
    pin_config_set_defaults(arena, pin_options, (uint8_t *)&defaults);
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "file", config->file);
    pin_jsonout_key(json, "config");
    put_map(&show, pin_options, (const uint8_t *)config, (const uint8_t *)&defaults);
    show.is_effective = true;
    pin_jsonout_key(json, "effective");
    put_map(&show, pin_options, (const uint8_t *)config, (const uint8_t *)&defaults);
    pin_jsonout_key(json, "origins");
    put_origins(config, json);
    pin_jsonout_end(json);
    pin_arena_free(arena);
}
