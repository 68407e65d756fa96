/* SPDX-License-Identifier: Apache-2.0 */

/* A plan from its parts: budget, order, text, hash. */

#include "pintle/zones/recordplan.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "zones/recordplan_parts.h"

#define GROW_FIRST 16u

const char *pin_recordplan_conflict_str(enum pin_recordplan_conflict_kind kind)
{
    static const char *const words[] = {
        [PIN_RECORDPLAN_FOREIGN] = "foreign",
        [PIN_RECORDPLAN_OTHER_OWNER] = "other-owner",
        [PIN_RECORDPLAN_TWO_OWNERS] = "two-owners",
        [PIN_RECORDPLAN_TWO_OBJECTS] = "two-objects",
        [PIN_RECORDPLAN_CNAME] = "cname",
        [PIN_RECORDPLAN_SET_ID] = "set-id",
        [PIN_RECORDPLAN_UNSUPPORTED] = "unsupported",
        [PIN_RECORDPLAN_REGISTRY] = "registry",
        [PIN_RECORDPLAN_WAITING] = "waiting",
        [PIN_RECORDPLAN_INVALID] = "invalid",
    };
    return words[kind];
}

/* --- What the parts share --------------------------------------------------------------------- */

bool pin_planner_has_name(const struct pin_planner *planner, const char *name)
{
    struct pin_name wire;
    struct pin_name below;
    if (pin_name_parse(name, &wire) != PIN_OK || !pin_name_is_below(&wire, &planner->zone)) {
        return false;
    }
    for (size_t i = 0; i < planner->input->n_zones_below; i++) {
        if (pin_name_parse(planner->input->zones_below[i], &below) == PIN_OK
            && pin_name_is_below(&wire, &below)) {
            return false;
        }
    }
    return true;
}

void *pin_planner_grow(
    struct pin_planner *planner, void *array, size_t *n, size_t *cap, size_t element_bytes)
{
    if (*n == *cap) {
        size_t more = *cap == 0 ? GROW_FIRST : *cap * 2;
        unsigned char *grown = pin_arena_alloc(planner->arena, more * element_bytes);
        if (grown == NULL) {
            return NULL;
        }
        if (*n > 0) {
            memcpy(grown, array, *n * element_bytes);
        }
        array = grown;
        *cap = more;
    }
    (*n)++;
    return array;
}

void pin_planner_conflict(struct pin_planner *planner, enum pin_recordplan_conflict_kind kind,
    const struct pin_recordset *set, const struct pin_recordset_source *source, const char *detail)
{
    struct pin_recordplan_conflict *conflicts = pin_planner_grow(planner, planner->conflicts,
        &planner->n_conflicts, &planner->cap_conflicts, sizeof(*planner->conflicts));
    const char *copy = pin_arena_strdup(planner->arena, detail);
    if (conflicts == NULL || copy == NULL) {
        return;
    }
    planner->conflicts = conflicts;
    conflicts[planner->n_conflicts - 1] =
        (struct pin_recordplan_conflict){kind, set->name, set->type, set->set_id, *source, copy};
}

const char *pin_planner_resource(
    struct pin_planner *planner, const struct pin_recordset_source *source)
{
    const char *parts[] = {source->kind, "/", source->namespace_name,
        *source->namespace_name == '\0' ? "" : "/", source->name};
    size_t bytes = 0;
    for (size_t i = 0; i < N_ELEMS(parts); i++) {
        bytes += strlen(parts[i]);
    }
    char *resource = pin_arena_alloc(planner->arena, bytes + 1);
    char *put = resource;
    for (size_t i = 0; resource != NULL && i < N_ELEMS(parts); i++) {
        memcpy(put, parts[i], strlen(parts[i]));
        put += strlen(parts[i]);
    }
    return resource;
}

/* --- Order ------------------------------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
    const struct pin_recordplan_change *one = a;
    const struct pin_recordplan_change *other = b;
    int order = strcmp(one->name, other->name);
    if (order == 0 && one->op != other->op) {
        order = one->op < other->op ? -1 : 1;
    }
    if (order == 0) {
        order = strcmp(one->type, other->type);
    }
    return order == 0 ? strcmp(one->set_id, other->set_id) : order;
}

static int by_place(const void *a, const void *b)
{
    const struct pin_recordplan_conflict *one = a;
    const struct pin_recordplan_conflict *other = b;
    int order = strcmp(one->name, other->name);
    if (order == 0) {
        order = strcmp(one->type, other->type);
    }
    if (order == 0) {
        order = strcmp(one->set_id, other->set_id);
    }
    if (order == 0 && one->kind != other->kind) {
        order = one->kind < other->kind ? -1 : 1;
    }
    if (order == 0) {
        order = pin_recordset_source_cmp(&one->source, &other->source);
    }
    return order == 0 ? strcmp(one->detail, other->detail) : order;
}

/* --- Text and hashes -------------------------------------------------------------------------- */

static void put_set(struct pin_text *out, const struct pin_recordset *set)
{
    pin_text_putf(out, " %u", set->ttl_s);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_text_putf(out, " %s", set->values[i].text);
    }
    for (size_t i = 0; i < set->n_properties; i++) {
        pin_text_putf(out, " %s=%s", set->properties[i].name, set->properties[i].value);
    }
}

static void put_txt(struct pin_text *out, const struct pin_recordplan_txt *txt)
{
    const char *sign = txt->old_value == NULL ? "+" : txt->new_value == NULL ? "-" : "~";
    pin_text_putf(out, "%s %s TXT", sign, txt->name);
    if (txt->old_value != NULL) {
        pin_text_putf(out, " %s", txt->old_value);
    }
    if (txt->new_value != NULL) {
        pin_text_putf(out, "%s %s", txt->old_value == NULL ? "" : " ->", txt->new_value);
    }
    pin_text_putc(out, '\n');
}

static void put_change(struct pin_text *out, const struct pin_recordplan_change *change)
{
    static const char *const signs[] = {"-", "~", "+"};
    if (change->old_set != change->new_set) {
        pin_text_putf(out, "%s %s %s", signs[change->op], change->name, change->type);
        if (*change->set_id != '\0') {
            pin_text_putf(out, " [%s]", change->set_id);
        }
        if (change->old_set != NULL) {
            put_set(out, change->old_set);
        }
        if (change->new_set != NULL) {
            pin_text_puts(out, change->old_set == NULL ? "" : " ->");
            put_set(out, change->new_set);
        }
        pin_text_putc(out, '\n');
    }
    for (size_t i = 0; i < change->n_txts; i++) {
        put_txt(out, &change->txts[i]);
    }
}

static void put_changes(
    struct pin_text *out, const struct pin_recordplan_change *changes, size_t n_changes)
{
    for (size_t i = 0; i < n_changes; i++) {
        put_change(out, &changes[i]);
    }
}

static bool hash_text(const struct pin_recordplan_input *input, const struct pin_text *text,
    char ret_hash[PIN_RECORDPLAN_HASH_BYTES])
{
    uint8_t digest[PIN_SHA256_BYTES];
    char hex[2 * PIN_SHA256_BYTES + 1];
    struct pin_text all = {0};
    pin_text_putf(&all, "%s\n%s\n%s", input->records != NULL ? input->records : "", input->zone,
        pin_text_get(text));
    pin_sha256(pin_text_get(&all), all.len, digest);
    memcpy(ret_hash, pin_hex_encode(digest, sizeof(digest), hex), PIN_RECORDPLAN_HASH_BYTES - 1);
    ret_hash[PIN_RECORDPLAN_HASH_BYTES - 1] = '\0';
    bool is_ok = !all.failed && !text->failed;
    pin_text_done(&all);
    return is_ok;
}

/* --- The budget ------------------------------------------------------------------------------- */

static bool counts(const struct pin_recordplan_change *change)
{
    return change->op == PIN_RECORDPLAN_DELETE && change->old_set != NULL && !change->is_replaced;
}

/* Moves the deletions that count from the changes to those that are blocked. */
static bool block(struct pin_planner *planner, struct pin_recordplan *plan)
{
    size_t used = 0;
    plan->blocked = pin_arena_alloc(planner->arena, plan->n_deletes * sizeof(*plan->blocked));
    if (plan->blocked == NULL) {
        return false;
    }
    for (size_t i = 0; i < plan->n_changes; i++) {
        if (counts(&plan->changes[i])) {
            plan->blocked[plan->n_blocked++] = plan->changes[i];
        } else {
            plan->changes[used++] = plan->changes[i];
        }
    }
    plan->n_changes = used;
    return true;
}

/* Above the budget no deletion is done, unless just these were approved. */
static bool apply_budget(struct pin_planner *planner, struct pin_recordplan *plan)
{
    const struct pin_recordplan_input *input = planner->input;
    struct pin_text deletions = {0};
    for (size_t i = 0; i < planner->n_there; i++) {
        plan->n_owned += planner->there[i].ownership == PIN_OWNED_BY_US;
    }
    for (size_t i = 0; i < plan->n_changes; i++) {
        if (counts(&plan->changes[i])) {
            plan->n_deletes++;
            put_change(&deletions, &plan->changes[i]);
        }
    }
    size_t share = plan->n_owned * PIN_MIN(input->delete_percent, 100u) / 100u;
    plan->deletes_max = PIN_MAX(share, (size_t)PIN_RECORDPLAN_DELETES_MIN);
    bool is_ok = !deletions.failed;
    if (is_ok && plan->n_deletes > plan->deletes_max) {
        is_ok = hash_text(input, &deletions, plan->approval);
        plan->used_approval =
            is_ok && input->approved != NULL && strcmp(input->approved, plan->approval) == 0;
        if (plan->used_approval) {
            plan->approval[0] = '\0';
        } else {
            is_ok = is_ok && block(planner, plan);
        }
    }
    pin_text_done(&deletions);
    return is_ok;
}

/* --- What is wanted beside what is there ------------------------------------------------------ */

static struct pin_recordplan_item item_of(
    const struct pin_want *want, const struct pin_holding_set *there)
{
    struct pin_recordplan_item item = {.wanted = want == NULL ? NULL : &want->set,
        .owner = "",
        .is_refused = want != NULL && want->is_refused};
    if (there != NULL) {
        item.there = &there->set;
        item.is_ours = there->ownership == PIN_OWNED_BY_US;
        if (item.is_ours || there->ownership == PIN_OWNED_BY_OTHER) {
            item.owner = there->marks[0]->labels.owner;
        }
    }
    return item;
}

/* Both lists are sorted. */
static void put_items(struct pin_planner *planner, struct pin_recordplan *plan)
{
    size_t t = 0;
    size_t w = 0;
    plan->items = pin_arena_alloc(
        planner->arena, (planner->n_there + planner->n_wants) * sizeof(*plan->items));
    while (plan->items != NULL && (t < planner->n_there || w < planner->n_wants)) {
        const struct pin_holding_set *there = t < planner->n_there ? &planner->there[t] : NULL;
        const struct pin_want *want = w < planner->n_wants ? &planner->wants[w] : NULL;
        int order = there == NULL  ? 1
                    : want == NULL ? -1
                                   : pin_recordset_cmp(&there->set, &want->set);
        t += order <= 0;
        w += order >= 0;
        if (order >= 0 || there->ownership == PIN_OWNED_BY_US) {
            plan->items[plan->n_items++] =
                item_of(order >= 0 ? want : NULL, order <= 0 ? there : NULL);
        }
    }
}

static void finish(struct pin_planner *planner, struct pin_recordplan *plan)
{
    struct pin_text text = {0};
    plan->changes = planner->changes;
    plan->n_changes = planner->n_changes;
    plan->conflicts = planner->conflicts;
    plan->n_conflicts = planner->n_conflicts;
    if (plan->n_changes > 1) {
        qsort(plan->changes, plan->n_changes, sizeof(*plan->changes), by_name);
    }
    if (plan->n_conflicts > 1) {
        qsort(plan->conflicts, plan->n_conflicts, sizeof(*plan->conflicts), by_place);
    }
    put_items(planner, plan);
    if (!apply_budget(planner, plan)) {
        return;
    }
    put_changes(&text, plan->changes, plan->n_changes);
    if (plan->n_blocked > 0) {
        pin_text_putf(&text, "blocked: %zu deletions of %zu, at most %zu in one run\n",
            plan->n_deletes, plan->n_owned, plan->deletes_max);
        put_changes(&text, plan->blocked, plan->n_blocked);
    }
    if (hash_text(planner->input, &text, plan->hash)) {
        plan->text = pin_arena_strndup(planner->arena, pin_text_get(&text), text.len);
    }
    pin_text_done(&text);
}

static bool has_failed(const struct pin_planner *planner)
{
    return planner->failed || pin_arena_has_failed(planner->arena);
}

enum pin_err pin_recordplan_make(const struct pin_recordplan_input *input, struct pin_arena *arena,
    struct pin_recordplan *ret_plan, struct pin_why *why)
{
    struct pin_planner planner = {.input = input, .arena = arena};
    struct pin_recordplan plan = {0};
    if (!input->is_whole) {
        return pin_why_set(why, PIN_EINVAL,
            "zone %.255s: it was not listed to its end, so nothing is planned", input->zone);
    }
    if (pin_name_parse(input->zone, &planner.zone) != PIN_OK) {
        return pin_why_set(why, PIN_EINVAL, "'%.255s' is no zone", input->zone);
    }
    enum pin_err err = pin_registry_check(input->registry, why);
    if (err != PIN_OK) {
        return err;
    }
    pin_planner_read_actual(&planner);
    if (!has_failed(&planner)) {
        pin_planner_read_claims(&planner);
    }
    if (!has_failed(&planner)) {
        pin_planner_decide(&planner);
    }
    if (!has_failed(&planner)) {
        finish(&planner, &plan);
    }
    if (has_failed(&planner) || plan.text == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "zone %.255s: memory for its plan", input->zone);
    }
    *ret_plan = plan;
    return PIN_OK;
}
