/* SPDX-License-Identifier: Apache-2.0 */

/* The walk of a configuration file along the table of options. Every trouble becomes a finding. */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pintle/base/clock.h"
#include "pintle/base/file.h"
#include "pintle/base/tree.h"
#include "pintle/base/yaml.h"
#include "pintle/zones/name.h"

#include "resolver/config.h"
#include "resolver/config_options.h"

#define PATH_MAX_BYTES 256
#define WORDS_MAX      64
#define DIGITS_MAX     10 /* of a size: no unit makes it overflow */

/* What the walk carries along. */
struct reader {
    struct pin_config *config; /* where origins are noted; NULL: nowhere */
    struct pin_arena *arena;
    const char *file;
    const char *dir;
    struct pin_findings *findings;
    char path[PATH_MAX_BYTES]; /* of the value being read: "clusters[1].name" */
};

/* Turns one value into its field at `target`; false after a finding. */
typedef bool read_fn(struct reader *r, const struct pin_option *option, const struct pin_tree *node,
    uint8_t *target);

static struct pin_at at_of(const struct pin_tree *node)
{
    return (struct pin_at){.line = node->line, .col = node->col};
}

static bool finding(struct reader *r, const struct pin_tree *node, const char *fmt, ...)
    PIN_PRINTF(3, 4);

/* Notes "PATH: message" at the value's place. Always false. */
static bool finding(struct reader *r, const struct pin_tree *node, const char *fmt, ...)
{
    char message[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    pin_findings_add(r->findings, r->file, at_of(node), "%s: %s", r->path, message);
    return false;
}

/* Lengthens the path and returns what pop_path() cuts it back to. */
static size_t push_path(struct reader *r, const char *fmt, ...) PIN_PRINTF(2, 3);
static size_t push_path(struct reader *r, const char *fmt, ...)
{
    size_t len = strlen(r->path);
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(r->path + len, sizeof(r->path) - len, fmt, args);
    va_end(args);
    return len;
}

static void pop_path(struct reader *r, size_t len)
{
    r->path[len] = '\0';
}

static bool want_kind(
    struct reader *r, const struct pin_tree *node, enum pin_tree_kind kind, const char *words)
{
    if (node->kind == kind) {
        return true;
    }
    return finding(r, node, "want %s, found %s", words, pin_tree_kind_str(node->kind));
}

/* The text of a scalar, or NULL after a finding. */
static const char *want_scalar(struct reader *r, const struct pin_tree *node, const char *words)
{
    if (node->text == NULL) {
        (void)finding(r, node, "want %s, found %s", words, pin_tree_kind_str(node->kind));
        return NULL;
    }
    if (strlen(node->text) != node->text_bytes) {
        (void)finding(r, node, "a NUL byte in a text");
        return NULL;
    }
    return node->text;
}

static void put_pointer(uint8_t *target, const void *pointer)
{
    memcpy(target, &pointer, sizeof(pointer));
}

/* --- Kinds of values ----------------------------------------------------------------------- */

static bool read_fixed(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node)
{
    const char *text = want_scalar(r, node, "a text");
    if (text == NULL) {
        return false;
    }
    return strcmp(text, option->fallback) == 0
           || finding(r, node, "this version reads \"%s\", not \"%s\"", option->fallback, text);
}

static bool read_string(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    const char *text = want_scalar(r, node, "a text");
    if (text == NULL) {
        return false;
    }
    bool may_be_empty = option->fallback != NULL && option->fallback[0] == '\0';
    if (text[0] == '\0' && !may_be_empty) {
        return finding(r, node, "an empty text");
    }
    if (option->kind == PIN_OPTION_STRING && option->max > 0 && strlen(text) > option->max) {
        return finding(r, node, "%zu bytes, at most %llu are allowed", strlen(text),
            (unsigned long long)option->max);
    }
    put_pointer(target, pin_arena_strdup(r->arena, text));
    return true;
}

static bool read_label(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    const char *text = want_scalar(r, node, "a name");
    if (text == NULL) {
        return false;
    }
    if (!pin_name_is_rfc1123_label(text)) {
        return finding(
            r, node, "\"%s\" is no RFC 1123 label (1 to 63 of a-z 0-9 -, no - at an end)", text);
    }
    return read_string(r, option, node, target);
}

/* Lower case, no trailing dot. */
static void normalise_name(char *name)
{
    size_t len = strlen(name);
    for (char *c = name; *c != '\0'; c++) {
        if (*c >= 'A' && *c <= 'Z') {
            *c = (char)(*c - 'A' + 'a');
        }
    }
    if (name[len - 1] == '.') {
        name[len - 1] = '\0';
    }
}

/* Whether a text has a byte that is not ASCII: such names are asked for in another form. */
static bool is_beyond_ascii(const char *text)
{
    while (*text != '\0' && ((unsigned char)*text & 0x80u) == 0) {
        text++;
    }
    return *text != '\0';
}

/* A normalised copy; NULL after a finding. */
static char *dns_name(struct reader *r, const struct pin_tree *node)
{
    struct pin_name name;
    const char *text = want_scalar(r, node, "a DNS name");
    if (text == NULL) {
        return NULL;
    }
    if (is_beyond_ascii(text)) {
        (void)finding(
            r, node, "\"%s\" is not asked for in these letters: write its xn-- form", text);
        return NULL;
    }
    if (pin_name_parse(text, &name) != PIN_OK || name.bytes <= 1) {
        (void)finding(r, node, "\"%s\" is no DNS name", text);
        return NULL;
    }
    char *copy = pin_arena_strdup(r->arena, text);
    if (copy != NULL) {
        normalise_name(copy);
    }
    return copy;
}

static bool read_name(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    (void)option;
    char *name = dns_name(r, node);
    if (name != NULL) {
        put_pointer(target, name);
    }
    return name != NULL;
}

static bool read_path(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    if (option->max == 1 && node->text != NULL && node->text[0] == '\0') {
        return true; /* said to be absent */
    }
    if (!read_string(r, option, node, target)) {
        return false;
    }
    char *joined = pin_path_join(r->dir, node->text);
    put_pointer(target, joined == NULL ? NULL : pin_arena_strdup(r->arena, joined));
    free(joined);
    return true;
}

static bool read_bool(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    (void)option;
    if (!want_kind(r, node, PIN_TREE_BOOL, "true or false")) {
        return false;
    }
    memcpy(target, &node->boolean, sizeof(node->boolean));
    return true;
}

static bool read_uint(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    if (!want_kind(r, node, PIN_TREE_INT, "a whole number")) {
        return false;
    }
    if (node->integer < (long long)option->min || node->integer > (long long)option->max) {
        return finding(r, node, "%lld is out of range, %llu to %llu are allowed", node->integer,
            (unsigned long long)option->min, (unsigned long long)option->max);
    }
    uint32_t value = (uint32_t)node->integer;
    memcpy(target, &value, sizeof(value));
    return true;
}

static bool read_percent(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    const char *text = want_scalar(r, node, "a share");
    if (text == NULL) {
        return false;
    }
    size_t n_digits = strspn(text, "0123456789");
    if (n_digits == 0 || n_digits > DIGITS_MAX || strcmp(text + n_digits, "%") != 0) {
        return finding(r, node, "\"%s\" is no share such as 20%%", text);
    }
    unsigned long long percent = strtoull(text, NULL, 10);
    if (percent < option->min || percent > option->max) {
        return finding(r, node, "%s is out of range, %llu%% to %llu%% are allowed", text,
            (unsigned long long)option->min, (unsigned long long)option->max);
    }
    uint32_t value = (uint32_t)percent;
    memcpy(target, &value, sizeof(value));
    return true;
}

/* Range and unit of SECONDS are seconds, of MS milliseconds. */
static bool read_duration(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    uint64_t ms = 0;
    const char *text = want_scalar(r, node, "a duration");
    if (text == NULL) {
        return false;
    }
    if (!pin_duration_parse(text, &ms)) {
        return finding(r, node, "\"%s\" is no duration: seconds, or a number with s, m or h", text);
    }
    uint64_t unit_ms = option->kind == PIN_OPTION_SECONDS ? 1000 : 1;
    if (ms < option->min * unit_ms || ms > option->max * unit_ms) {
        return finding(r, node, "%s is out of range, %llu to %llu seconds are allowed", text,
            (unsigned long long)(option->min * unit_ms / 1000),
            (unsigned long long)(option->max * unit_ms / 1000));
    }
    if (option->kind == PIN_OPTION_SECONDS) {
        uint32_t seconds = (uint32_t)(ms / 1000);
        memcpy(target, &seconds, sizeof(seconds));
    } else {
        memcpy(target, &ms, sizeof(ms));
    }
    return true;
}

/* "64Mi", "1Gi", "4096": bytes, or a number with Ki, Mi or Gi. */
static bool parse_bytes(const char *text, uint64_t *ret_bytes)
{
    static const char *const units[] = {"", "Ki", "Mi", "Gi"};
    char *end = NULL;
    size_t n_digits = strspn(text, "0123456789");
    if (n_digits == 0 || n_digits > DIGITS_MAX) {
        return false;
    }
    uint64_t n = strtoull(text, &end, 10);
    for (size_t i = 0; i < N_ELEMS(units); i++) {
        if (strcmp(end, units[i]) == 0) {
            *ret_bytes = n << (10 * i);
            return true;
        }
    }
    return false;
}

static bool read_bytes(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    uint64_t bytes = 0;
    const char *text = want_scalar(r, node, "a size");
    if (text == NULL) {
        return false;
    }
    if (!parse_bytes(text, &bytes)) {
        return finding(r, node, "\"%s\" is no size: bytes, or a number with Ki, Mi or Gi", text);
    }
    if (bytes < option->min || bytes > option->max) {
        return finding(r, node, "%s is out of range, %llu to %llu bytes are allowed", text,
            (unsigned long long)option->min, (unsigned long long)option->max);
    }
    memcpy(target, &bytes, sizeof(bytes));
    return true;
}

/* Cuts "a|b|c" into `ret_words`, which point into `copy`. */
static size_t split_words(char *copy, const char **ret_words)
{
    size_t n = 0;
    for (char *word = copy; word != NULL && n < WORDS_MAX; n++) {
        ret_words[n] = word;
        word = strchr(word, '|');
        if (word != NULL) {
            *word++ = '\0';
        }
    }
    return n;
}

static bool read_word(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    char copy[PATH_MAX_BYTES];
    const char *words[WORDS_MAX];
    const char *text = want_scalar(r, node, "a word");
    if (text == NULL) {
        return false;
    }
    (void)snprintf(copy, sizeof(copy), "%s", option->words);
    size_t n_words = split_words(copy, words);
    for (size_t i = 0; i < n_words; i++) {
        if (strcmp(words[i], text) == 0) {
            unsigned value = (unsigned)(option->min + i);
            memcpy(target, &value, sizeof(value));
            return true;
        }
    }
    return finding(r, node, "\"%s\" is not one of %s", text, option->words);
}

static bool read_addrport(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    struct pin_addrport address;
    const char *text = want_scalar(r, node, "ADDR:PORT");
    if (text == NULL) {
        return false;
    }
    if (!pin_addrport_parse(text, (uint16_t)option->max, &address)) {
        return finding(r, node, "\"%s\" is no ADDR[:PORT] with an IP address", text);
    }
    memcpy(target, &address, sizeof(address));
    return true;
}

/* --- Lists of scalars ---------------------------------------------------------------------- */

static bool read_prefix(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    (void)option;
    struct pin_prefix prefix;
    const char *text = want_scalar(r, node, "an address range");
    if (text == NULL) {
        return false;
    }
    if (!pin_prefix_parse(text, &prefix)) {
        return finding(r, node, "\"%s\" is no address range such as 10.10.0.0/16", text);
    }
    memcpy(target, &prefix, sizeof(prefix));
    return true;
}

/* One range of CLIENTS: a prefix, or {net: PREFIX, zone: NAME}. */
static bool read_client(struct reader *r, const struct pin_option *option,
    const struct pin_tree *node, struct pin_prefix *target, const char **ret_zone)
{
    const struct pin_tree *net = node;
    bool is_good = true;
    if (node->kind == PIN_TREE_MAP) {
        net = NULL;
        PIN_TREE_EACH(child, node)
        {
            size_t len = push_path(r, ".%s", child->key);
            if (strcmp(child->key, "net") == 0) {
                net = child;
            } else if (strcmp(child->key, "zone") == 0) {
                is_good = read_string(r, option, child, (uint8_t *)ret_zone) && is_good;
            } else {
                is_good = finding(r, child, "unknown key, net and zone are known");
            }
            pop_path(r, len);
        }
    }
    if (net == NULL) {
        return finding(r, node, "net is missing, write {net: 10.10.1.0/24, zone: eu-1a}");
    }
    return read_prefix(r, option, net, (uint8_t *)target) && is_good;
}

static bool read_clients(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *base)
{
    bool is_good = want_kind(r, node, PIN_TREE_LIST, "a list");
    if (!is_good) {
        return false;
    }
    struct pin_prefix *prefixes = pin_arena_alloc(r->arena, node->n_children * sizeof(*prefixes));
    const char **zones = pin_arena_alloc(r->arena, node->n_children * sizeof(char *));
    if (prefixes == NULL || zones == NULL) {
        return finding(r, node, "out of memory");
    }
    size_t n = 0;
    PIN_TREE_EACH(child, node)
    {
        size_t len = push_path(r, "[%zu]", n);
        is_good = read_client(r, option, child, &prefixes[n], &zones[n]) && is_good;
        pop_path(r, len);
        n++;
    }
    put_pointer(base + option->offset, prefixes);
    put_pointer(base + option->min, zones);
    memcpy(base + option->count_offset, &n, sizeof(n));
    return is_good;
}

/* Reads each child with `read_item` into an array of items of that size. */
static bool read_list(struct reader *r, const struct pin_option *option,
    const struct pin_tree *node, uint8_t *base, size_t item_bytes, read_fn *read_item)
{
    bool is_good = want_kind(r, node, PIN_TREE_LIST, "a list");
    if (!is_good) {
        return false;
    }
    uint8_t *items = pin_arena_alloc(r->arena, node->n_children * item_bytes);
    if (items == NULL) {
        return finding(r, node, "out of memory");
    }
    size_t n = 0;
    PIN_TREE_EACH(child, node)
    {
        size_t len = push_path(r, "[%zu]", n);
        is_good = read_item(r, option, child, items + n * item_bytes) && is_good;
        pop_path(r, len);
        n++;
    }
    if (is_good) {
        put_pointer(base + option->offset, items);
        memcpy(base + option->count_offset, &n, sizeof(n));
    }
    return is_good;
}

/* One text where a list may stand: a list of it alone. */
static bool read_single(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *base)
{
    const size_t n = 1;
    uint8_t *items = pin_arena_alloc(r->arena, sizeof(char *));
    if (items == NULL) {
        return finding(r, node, "out of memory");
    }
    if (!read_string(r, option, node, items)) {
        return false;
    }
    put_pointer(base + option->offset, items);
    memcpy(base + option->count_offset, &n, sizeof(n));
    return true;
}

static void read_map(
    struct reader *r, const struct pin_option *options, const struct pin_tree *map, uint8_t *base);

static bool read_items(struct reader *r, const struct pin_option *option,
    const struct pin_tree *node, uint8_t *target);

/* --- Maps ---------------------------------------------------------------------------------- */

static void set_defaults(struct reader *r, const struct pin_option *options, uint8_t *base);

/* The list of maps behind ITEMS. */
static bool read_items(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    if (!want_kind(r, node, PIN_TREE_MAP, "a map")) {
        return false;
    }
    struct pin_at at = at_of(node);
    memcpy(target, &at, sizeof(at)); /* every item starts with it */
    set_defaults(r, option->children, target);
    read_map(r, option->children, node, target);
    return true;
}

/* {gateway: {...}} or {service: {...}}: exactly one of them, and whole. */
static bool read_gateway_object(struct reader *r, const struct pin_option *option,
    const struct pin_tree *node, struct pin_config_gateway *gateway)
{
    size_t n_before = r->findings->n;
    const struct pin_config_object *objects[] = {&gateway->gateway, &gateway->service};
    size_t n_whole = 0;
    size_t n_said = 0;
    read_map(r, option->children, node, (uint8_t *)gateway);
    for (size_t i = 0; i < N_ELEMS(objects); i++) {
        const struct pin_config_object *o = objects[i];
        n_said += o->cluster != NULL || o->namespace_name != NULL || o->name != NULL;
        n_whole += o->cluster != NULL && o->namespace_name != NULL && o->name != NULL;
    }
    if (r->findings->n > n_before) {
        return false;
    }
    return (n_whole == 1 && n_said == 1)
           || finding(r, node,
               "want an address, a host name, or one of gateway and service with cluster, "
               "namespace and name");
}

/* An address, a host name, or an object that has the addresses in its status. */
static bool read_gateway(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *target)
{
    struct pin_config_gateway gateway = {.at = at_of(node)};
    bool is_good = true;
    if (node->kind == PIN_TREE_MAP) {
        is_good = read_gateway_object(r, option, node, &gateway);
    } else if (node->text != NULL && pin_ip_parse(node->text, &gateway.ip)) {
        gateway.host = NULL;
    } else if (node->text != NULL && strspn(node->text, "0123456789.:/") == strlen(node->text)) {
        return finding(r, node, "\"%s\" is no IP address", node->text);
    } else {
        gateway.host = dns_name(r, node);
        is_good = gateway.host != NULL;
    }
    memcpy(target, &gateway, sizeof(gateway));
    return is_good;
}

static const struct {
    enum pin_option_kind kind;
    read_fn *read;
} scalar_readers[] = {
    {PIN_OPTION_STRING, read_string},
    {PIN_OPTION_LABEL, read_label},
    {PIN_OPTION_NAME, read_name},
    {PIN_OPTION_PATH, read_path},
    {PIN_OPTION_BOOL, read_bool},
    {PIN_OPTION_UINT, read_uint},
    {PIN_OPTION_PERCENT, read_percent},
    {PIN_OPTION_BYTES, read_bytes},
    {PIN_OPTION_SECONDS, read_duration},
    {PIN_OPTION_MS, read_duration},
    {PIN_OPTION_WORD, read_word},
    {PIN_OPTION_ADDRPORT, read_addrport},
};

/* Reads one value into the struct at `base`. */
static bool read_value(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node, uint8_t *base)
{
    switch (option->kind) {
    case PIN_OPTION_MAP:
        if (node->kind != PIN_TREE_NULL && want_kind(r, node, PIN_TREE_MAP, "a map")) {
            read_map(r, option->children, node, base);
        }
        return true;
    case PIN_OPTION_ITEMS:
        return read_list(r, option, node, base, option->item_bytes, read_items);
    case PIN_OPTION_NAMES:
        return read_list(r, option, node, base, sizeof(char *), read_name);
    case PIN_OPTION_STRINGS:
        return option->max == 1 && node->text != NULL
                   ? read_single(r, option, node, base)
                   : read_list(r, option, node, base, sizeof(char *), read_string);
    case PIN_OPTION_ADDRPORTS:
        return read_list(r, option, node, base, sizeof(struct pin_addrport), read_addrport);
    case PIN_OPTION_GATEWAYS:
        return read_list(r, option, node, base, sizeof(struct pin_config_gateway), read_gateway);
    case PIN_OPTION_PREFIXES:
        return read_list(r, option, node, base, sizeof(struct pin_prefix), read_prefix);
    case PIN_OPTION_CLIENTS:
        return read_clients(r, option, node, base);
    case PIN_OPTION_FIXED:
        return read_fixed(r, option, node);
    default:
        break;
    }
    for (size_t i = 0; i < N_ELEMS(scalar_readers); i++) {
        if (scalar_readers[i].kind == option->kind) {
            return scalar_readers[i].read(r, option, node, base + option->offset);
        }
    }
    return false;
}

static void set_defaults(struct reader *r, const struct pin_option *options, uint8_t *base)
{
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        if (option->kind == PIN_OPTION_MAP) {
            set_defaults(r, option->children, base);
            continue;
        }
        if (option->fallback == NULL || option->kind == PIN_OPTION_FIXED) {
            continue;
        }
        struct pin_tree node = {.kind = PIN_TREE_STRING,
            .text = option->fallback,
            .text_bytes = strlen(option->fallback)};
        if (option->kind == PIN_OPTION_BOOL) {
            node.kind = PIN_TREE_BOOL;
            node.boolean = strcmp(option->fallback, "true") == 0;
        }
        if (option->kind == PIN_OPTION_UINT) {
            uint32_t value = (uint32_t)strtoul(option->fallback, NULL, 10); /* a constant of ours */
            memcpy(base + option->offset, &value, sizeof(value));
        } else {
            (void)read_value(r, option, &node, base);
        }
    }
}

/* Keys that are named where none is near; of more a command tells. */
#define KEYS_NAMED 12

static void unknown_key(
    struct reader *r, const struct pin_option *options, const struct pin_tree *child)
{
    const char *keys[WORDS_MAX];
    size_t n = 0;
    for (const struct pin_option *option = options; option->key != NULL && n < WORDS_MAX;
         option++) {
        keys[n++] = option->key;
    }
    const char *near = pin_nearest(child->key, keys, n);
    struct pin_at at = {.line = child->key_line, .col = child->key_col};
    if (near != NULL) {
        pin_findings_add(
            r->findings, r->file, at, "unknown key \"%s\", did you mean \"%s\"?", r->path, near);
        return;
    }
    struct pin_text known = {0};
    for (size_t i = 0; i < n && n <= KEYS_NAMED; i++) {
        pin_text_putf(&known, "%s%s", i == 0 ? "known here: " : ", ", keys[i]);
    }
    pin_findings_add(r->findings, r->file, at, "unknown key \"%s\"; %s", r->path,
        known.len > 0 ? pin_text_get(&known) : "'pintlectl config explain' lists all keys");
    pin_text_done(&known);
}

/* Tells of keys that have to be there and are not. */
static void miss_keys(
    struct reader *r, const struct pin_option *options, const struct pin_tree *map)
{
    for (const struct pin_option *option = options; option->key != NULL; option++) {
        const struct pin_tree *child = pin_tree_find(map, option->key);
        bool is_said = child != NULL && child->kind != PIN_TREE_NULL;
        if (option->required != NULL && !is_said) {
            (void)finding(r, map, "%s", option->required);
        }
    }
}

/* Where a value of its own was read. */
static void note_origin(
    struct reader *r, const struct pin_option *option, const struct pin_tree *node)
{
    char source[PATH_MAX_BYTES * 2];
    if (r->config != NULL && option->kind != PIN_OPTION_MAP && option->kind != PIN_OPTION_ITEMS) {
        (void)snprintf(source, sizeof(source), "%s:%u:%u", r->file, node->line, node->col);
        pin_config_note_origin(r->config, r->path, source);
    }
}

static void read_map(
    struct reader *r, const struct pin_option *options, const struct pin_tree *map, uint8_t *base)
{
    miss_keys(r, options, map);
    PIN_TREE_EACH(child, map)
    {
        const struct pin_option *option = options;
        size_t len = push_path(r, "%s%s", r->path[0] == '\0' ? "" : ".", child->key);
        while (option->key != NULL && strcmp(option->key, child->key) != 0) {
            option++;
        }
        bool is_null = child->kind == PIN_TREE_NULL; /* as if it were not there */
        if (option->key == NULL) {
            unknown_key(r, options, child);
        } else if (!is_null && read_value(r, option, child, base)) {
            bool is_said = true;
            if (option->said_offset > 0) {
                memcpy(base + option->said_offset, &is_said, sizeof(is_said));
            }
            note_origin(r, option, child);
        }
        pop_path(r, len);
    }
}

void pin_config_set_defaults(
    struct pin_arena *arena, const struct pin_option *options, uint8_t *base)
{
    struct pin_findings none = {0};
    struct reader r = {.arena = arena, .findings = &none};
    set_defaults(&r, options, base);
    pin_findings_done(&none);
}

/* What relative paths are relative to. A pipe lies nowhere: it is read as if it lay here. */
static char *dir_of(const char *file)
{
    struct stat st;
    bool is_pipe = stat(file, &st) == 0 && S_ISFIFO(st.st_mode);
    return is_pipe ? strdup(".") : pin_path_dir(file);
}

void pin_config_read(struct pin_config *config, const char *file, const char *text, size_t bytes,
    struct pin_findings *findings)
{
    struct pin_tree *docs = NULL;
    struct pin_why why = {0};
    char *dir = file == NULL ? NULL : dir_of(file);
    struct reader r = {.config = config,
        .arena = config->arena,
        .file = file,
        .dir = dir,
        .findings = findings,
        .path = ""};

    if (text == NULL) {
        set_defaults(&r, pin_options, (uint8_t *)config);
        goto out;
    }
    if (pin_yaml_parse(text, bytes, config->arena, &docs, &why) != PIN_OK) {
        pin_findings_add(findings, NULL, (struct pin_at){0}, "%s:%s", file, why.text);
        goto out;
    }
    if (docs->n_children != 1 || docs->first->kind != PIN_TREE_MAP) {
        pin_findings_add(findings, file, (struct pin_at){.line = 1, .col = 1},
            "want one document that is a map");
        goto out;
    }
    config->tree = docs->first;
    read_map(&r, pin_options, docs->first, (uint8_t *)config);
out:
    free(dir);
}
