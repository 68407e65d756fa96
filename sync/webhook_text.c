/* SPDX-License-Identifier: Apache-2.0 */

/* Endpoints as external-dns's webhooks write and read them. */

#include "webhook_text.h"

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/json.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/base/tree.h"

#define TTL_MAX_S          ((long long)INT32_MAX)
#define FILTER_ARENA_BYTES ((size_t)4 << 20)

bool pin_webhook_is_type(const char *type)
{
    const char *wanted = PIN_WEBHOOK_TYPE;
    for (; *type != '\0'; type++) {
        char byte = (char)(*type >= 'A' && *type <= 'Z' ? *type + ('a' - 'A') : *type);
        if (byte == ' ' || byte == '\t') {
            continue;
        }
        if (byte != *wanted) {
            return false;
        }
        wanted++;
    }
    return *wanted == '\0';
}

/* --- Reading -------------------------------------------------------------------------------- */

static size_t count(const struct pin_tree *list)
{
    return list == NULL ? 0 : list->n_children;
}

/* Targets and properties, in the arena. False: they do not fit. */
static bool read_lists(
    struct pin_arena *arena, const struct pin_tree *tree, struct pin_provider_set *set)
{
    const struct pin_tree *targets = pin_tree_list(tree, "targets");
    const struct pin_tree *specific = pin_tree_list(tree, "providerSpecific");
    const char **values = pin_arena_alloc(arena, count(targets) * sizeof(*values));
    struct pin_recordset_property *properties =
        pin_arena_alloc(arena, count(specific) * sizeof(*properties));
    if (values == NULL || properties == NULL) {
        return false;
    }
    PIN_TREE_EACH(target, targets)
    {
        values[set->n_values++] = pin_tree_text(target, "");
    }
    PIN_TREE_EACH(one, specific)
    {
        properties[set->n_properties++] = (struct pin_recordset_property){
            pin_tree_string(one, "name", ""), pin_tree_string(one, "value", "")};
    }
    set->values = values;
    set->properties = properties;
    return true;
}

enum pin_err pin_webhook_read_endpoint(const char *text, size_t bytes, struct pin_arena *scratch,
    struct pin_provider_sets *sets, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    enum pin_err err = pin_json_parse(text, bytes, scratch, &tree, why);
    if (err != PIN_OK) {
        pin_arena_reset(scratch);
        return err;
    }
    long long ttl_s = pin_tree_int(tree, "recordTTL", 0);
    ttl_s = ttl_s <= 0 ? PIN_WEBHOOK_TTL_S : PIN_MIN(ttl_s, TTL_MAX_S);
    struct pin_provider_set set = {.name = pin_tree_string(tree, "dnsName", ""),
        .type = pin_tree_string(tree, "recordType", ""),
        .set_id = pin_tree_string(tree, "setIdentifier", ""),
        .ttl_s = (uint32_t)ttl_s};
    if (set.name[0] == '\0' || set.type[0] == '\0') {
        err = pin_why_set(why, PIN_EPARSE, "an endpoint without a name or a type");
    } else if (!read_lists(scratch, tree, &set)) {
        err = pin_why_set(why, PIN_ELIMIT, "'%.200s' is too large", set.name);
    } else if (set.n_values > 0) {
        err = pin_provider_sets_add(sets, &set, why);
    }
    pin_arena_reset(scratch);
    return err;
}

/* Whether one of the list is the wanted zone, above it, or (where parts count) below it. */
static bool has_domain(const struct pin_tree *list, const char *wanted, bool has_parts)
{
    char other[PIN_RECORDSET_NAME_MAX];
    PIN_TREE_EACH(domain, list)
    {
        const char *text = pin_tree_text(domain, "");
        bool is_below = text[0] == '.'; /* ".example.com": what is below it, not itself */
        if (pin_recordset_name(text + (is_below ? 1 : 0), other, NULL) != PIN_OK) {
            continue;
        }
        bool is_same = strcmp(wanted, other) == 0;
        if ((pin_provider_is_in_zone(wanted, other) && (!is_same || !is_below || has_parts))
            || (has_parts && pin_provider_is_in_zone(other, wanted))) {
            return true;
        }
    }
    return false;
}

enum pin_err pin_webhook_read_filter(
    const char *text, size_t bytes, const char *zone, struct pin_why *why)
{
    struct pin_tree *tree = NULL;
    struct pin_arena *arena = pin_arena_new("webhook filter", FILTER_ARENA_BYTES);
    if (arena == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a filter");
    }
    enum pin_err err = pin_json_parse(text, bytes, arena, &tree, why);
    const struct pin_tree *include = pin_tree_list(tree, "include");
    if (err == PIN_OK && tree->kind != PIN_TREE_MAP && tree->kind != PIN_TREE_NULL) {
        err = pin_why_set(why, PIN_EPARSE, "the webhook's filter is no JSON object");
    } else if (err == PIN_OK
               && ((count(include) > 0 && !has_domain(include, zone, true))
                   || has_domain(pin_tree_list(tree, "exclude"), zone, false))) {
        err = pin_why_set(why, PIN_ENOTFOUND, "the webhook says that it is not for this zone");
    }
    pin_arena_free(arena);
    return err;
}

/* --- Writing -------------------------------------------------------------------------------- */

static void put_endpoint(struct pin_jsonout *json, const struct pin_recordset *set)
{
    pin_jsonout_object(json);
    pin_jsonout_key_string(json, "dnsName", set->name);
    pin_jsonout_key(json, "targets");
    pin_jsonout_array(json);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_jsonout_string(json, set->values[i].text);
    }
    pin_jsonout_end(json);
    pin_jsonout_key_string(json, "recordType", set->type);
    if (set->set_id[0] != '\0') {
        pin_jsonout_key_string(json, "setIdentifier", set->set_id);
    }
    pin_jsonout_key_uint(json, "recordTTL", set->ttl_s == 0 ? PIN_WEBHOOK_TTL_S : set->ttl_s);
    if (set->n_properties > 0) {
        pin_jsonout_key(json, "providerSpecific");
        pin_jsonout_array(json);
        for (size_t i = 0; i < set->n_properties; i++) {
            pin_jsonout_object(json);
            pin_jsonout_key_string(json, "name", set->properties[i].name);
            pin_jsonout_key_string(json, "value", set->properties[i].value);
            pin_jsonout_end(json);
        }
        pin_jsonout_end(json);
    }
    pin_jsonout_end(json);
}

/* The four lists of a batch. */
static const struct pin_recordset *pick(const struct pin_provider_edit *edit, size_t list)
{
    bool is_update = edit->was != NULL && edit->will != NULL;
    switch (list) {
    case 0:
        return is_update ? NULL : edit->will;
    case 1:
        return is_update ? edit->was : NULL;
    case 2:
        return is_update ? edit->will : NULL;
    default:
        return is_update ? NULL : edit->was;
    }
}

/* One of the four lists. */
static void put_list(struct pin_jsonout *json, size_t list,
    const struct pin_provider_change *changes, size_t n_changes)
{
    pin_jsonout_array(json);
    for (size_t i = 0; i < n_changes; i++) {
        for (size_t k = 0; k < changes[i].n_edits; k++) {
            const struct pin_recordset *set = pick(&changes[i].edits[k], list);
            if (set != NULL) {
                put_endpoint(json, set);
            }
        }
    }
    pin_jsonout_end(json);
}

void pin_webhook_put_changes(
    struct pin_text *out, const struct pin_provider_change *changes, size_t n_changes)
{
    static const char *const lists[] = {"create", "updateOld", "updateNew", "delete"};
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_object(&json);
    for (size_t i = 0; i < N_ELEMS(lists); i++) {
        pin_jsonout_key(&json, lists[i]);
        put_list(&json, i, changes, n_changes);
    }
    pin_jsonout_end(&json);
    out->failed |= !pin_jsonout_is_ok(&json);
}

void pin_webhook_put_endpoints(
    struct pin_text *out, const struct pin_recordset *sets, size_t n_sets)
{
    struct pin_jsonout json = pin_jsonout_init(out);
    pin_jsonout_array(&json);
    for (size_t i = 0; i < n_sets; i++) {
        put_endpoint(&json, &sets[i]);
    }
    pin_jsonout_end(&json);
    out->failed |= !pin_jsonout_is_ok(&json);
}
