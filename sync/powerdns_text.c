/* SPDX-License-Identifier: Apache-2.0 */

/* Record sets as PowerDNS writes them: absolute names with a dot at the end. */

#include "powerdns_text.h"

#include <stdio.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#define TTL_MAX_S ((long long)INT32_MAX)
/* Quotes, keys and braces around a set and around each value. */
#define SET_BYTES   120u
#define VALUE_BYTES 40u

enum pin_err pin_powerdns_read_set(const char *text, size_t bytes, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    size_t n = 0;
    enum pin_err err = pin_json_parse(text, bytes, scratch, &tree, why);
    if (err != PIN_OK) {
        pin_arena_reset(scratch);
        return err;
    }
    const struct pin_tree *records = pin_tree_list(tree, "records");
    const char *name = pin_tree_string(tree, "name", "");
    const char *type = pin_tree_string(tree, "type", "");
    const char **values =
        pin_arena_alloc(scratch, (records == NULL ? 0 : records->n_children) * sizeof(*values));
    if (name[0] == '\0' || type[0] == '\0') {
        err = pin_why_set(why, PIN_EPARSE, "a record set without a name or a type");
    } else if (values == NULL) {
        err = pin_why_set(why, PIN_ELIMIT, "'%.200s' has too many records", name);
    } else {
        PIN_TREE_EACH(record, records)
        {
            values[n++] = pin_tree_string(record, "content", "");
        }
        long long ttl_s = pin_tree_int(tree, "ttl", 0);
        struct pin_provider_set set = {.name = name,
            .type = type,
            .set_id = "",
            .ttl_s = (uint32_t)PIN_MAX(PIN_MIN(ttl_s, TTL_MAX_S), 0),
            .values = values,
            .n_values = n};
        err = n == 0 ? PIN_OK : pin_provider_sets_add(sets, &set, why); /* comments alone */
    }
    pin_arena_reset(scratch);
    return err;
}

/* --- Changes -------------------------------------------------------------------------------- */

static bool ends_in_name(const char *type)
{
    static const char *const types[] = {"CNAME", "NS", "PTR", "DNAME", "MX", "NAPTR", "SRV"};
    for (size_t i = 0; i < N_ELEMS(types); i++) {
        if (strcmp(type, types[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* With a dot at the end, unless it is the root's own. */
static void put_absolute(struct pin_text *out, const char *name)
{
    size_t len = strlen(name);
    pin_text_puts(out, name);
    if (len == 0 || name[len - 1] != '.') {
        pin_text_putc(out, '.');
    }
}

static void put_string(struct pin_jsonout *json, const char *key, const char *value, bool is_name)
{
    struct pin_text text = {0};
    if (is_name) {
        put_absolute(&text, value);
    } else {
        pin_text_puts(&text, value);
    }
    json->text->failed |= text.failed;
    pin_jsonout_key_string(json, key, pin_text_get(&text));
    pin_text_done(&text);
}

static void put_edit(struct pin_jsonout *json, const struct pin_provider_edit *edit)
{
    const struct pin_recordset *set = edit->will != NULL ? edit->will : edit->was;
    pin_jsonout_object(json);
    put_string(json, "name", set->name, true);
    pin_jsonout_key_string(json, "type", set->type);
    pin_jsonout_key_string(json, "changetype", edit->will == NULL ? "DELETE" : "REPLACE");
    if (edit->will != NULL) {
        pin_jsonout_key_uint(json, "ttl", set->ttl_s == 0 ? PIN_POWERDNS_TTL_S : set->ttl_s);
        pin_jsonout_key(json, "records");
        pin_jsonout_array(json);
        for (size_t i = 0; i < set->n_values; i++) {
            pin_jsonout_object(json);
            put_string(json, "content", set->values[i].text, ends_in_name(set->type));
            pin_jsonout_key_bool(json, "disabled", false);
            pin_jsonout_end(json);
        }
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

void pin_powerdns_put_changes(
    struct pin_text *out, const struct pin_provider_change *changes, size_t n_changes)
{
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    pin_jsonout_key(&json, "rrsets");
    pin_jsonout_array(&json);
    for (size_t i = 0; i < n_changes; i++) {
        for (size_t k = 0; k < changes[i].n_edits; k++) {
            put_edit(&json, &changes[i].edits[k]);
        }
    }
    pin_jsonout_end(&json);
    pin_jsonout_end(&json);
    out->failed |= !pin_jsonout_is_ok(&json);
}

size_t pin_powerdns_weight(const struct pin_provider_change *change)
{
    size_t bytes = 0;
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_recordset *set = change->edits[i].will;
        bytes += SET_BYTES;
        for (size_t k = 0; set != NULL && k < set->n_values; k++) {
            bytes += VALUE_BYTES + strlen(set->values[k].text);
        }
    }
    return bytes;
}

/* --- The rest ------------------------------------------------------------------------------- */

/* As PowerDNS makes an id of a name: what is not plain is '=' and two hex digits. */
static void put_id(struct pin_text *out, const char *text)
{
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        bool is_plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
                        || (byte >= '0' && byte <= '9') || byte == '.' || byte == '-';
        pin_text_putf(out, is_plain ? "%c" : "=%02X", byte);
    }
}

void pin_powerdns_put_path(struct pin_text *out, const char *server, const char *zone)
{
    size_t len = strlen(zone);
    pin_text_puts(out, "/api/v1/servers/");
    put_id(out, server);
    pin_text_puts(out, "/zones/");
    put_id(out, zone);
    pin_text_puts(out, len == 0 || zone[len - 1] != '.' ? "." : "");
}

void pin_powerdns_read_error(
    const char *text, size_t bytes, char ret_message[PIN_PROVIDER_MESSAGE_MAX])
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("powerdns error", (size_t)1 << 20);
    const char *error = NULL;
    if (arena != NULL && pin_json_parse(text, bytes, arena, &tree, NULL) == PIN_OK) {
        error = pin_tree_string(tree, "error", NULL);
    }
    if (error != NULL) {
        (void)snprintf(ret_message, PIN_PROVIDER_MESSAGE_MAX, "%s", error);
    } else {
        size_t n = PIN_MIN(bytes, PIN_PROVIDER_MESSAGE_MAX - 1);
        (void)snprintf(ret_message, PIN_PROVIDER_MESSAGE_MAX, "%.*s", (int)n, text);
    }
    pin_arena_free(arena);
}
