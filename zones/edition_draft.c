/* SPDX-License-Identifier: Apache-2.0 */

/* Drafts: what noted names show now, beside what they showed before. */

#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#include "zones/edition_parts.h"

#define FIRST_CAP  256u
#define LABELS_MAX 128u

/* --- canonical order ---------------------------------------------------------------------- */

static size_t split(const uint8_t *wire, const uint8_t *labels[LABELS_MAX])
{
    size_t n = 0;
    for (; wire[0] != 0 && n < LABELS_MAX; wire = pin_name_parent(wire)) {
        labels[n++] = wire;
    }
    return n;
}

/* Compares lower-case names from their last label on (RFC 4034, section 6.1). */
int pin_entry_order(const uint8_t *a, const uint8_t *b)
{
    const uint8_t *labels_a[LABELS_MAX];
    const uint8_t *labels_b[LABELS_MAX];
    size_t n_a = split(a, labels_a);
    size_t n_b = split(b, labels_b);
    while (n_a > 0 && n_b > 0) {
        const uint8_t *label_a = labels_a[--n_a];
        const uint8_t *label_b = labels_b[--n_b];
        int order = memcmp(label_a + 1, label_b + 1, PIN_MIN(label_a[0], label_b[0]));
        if (order != 0 || label_a[0] != label_b[0]) {
            return order != 0 ? order : label_a[0] - label_b[0];
        }
    }
    return n_a > 0 ? 1 : n_b > 0 ? -1 : 0;
}

/* --- entries ------------------------------------------------------------------------------ */

void pin_entry_free(struct pin_entry *entry)
{
    for (uint16_t i = 0; entry != NULL && i < entry->n_tables; i++) {
        pin_table_unref(entry->tables[i]);
    }
    free(entry);
}

/* Takes over what `shown` refers to, also when memory is out: NULL then. */
static struct pin_entry *entry_new(const struct pin_name *name, const struct pin_shown *shown)
{
    struct pin_entry *entry =
        malloc(sizeof(*entry) + shown->n * sizeof(entry->tables[0]) + name->bytes);
    if (entry == NULL) {
        for (size_t i = 0; i < shown->n; i++) {
            pin_table_unref(shown->tables[i]);
        }
        return NULL;
    }
    *entry = (struct pin_entry){.n_tables = (uint16_t)shown->n, .name_bytes = name->bytes};
    for (size_t i = 0; i < shown->n; i++) {
        entry->tables[i] = shown->tables[i];
        entry->rr_bytes += shown->tables[i]->wire_bytes + name->bytes;
    }
    memcpy(entry->tables + entry->n_tables, name->wire, name->bytes);
    return entry;
}

/* The leaf that has the name, or would have it. The edition has leaves. */
size_t pin_edition_leaf(const struct pin_edition *edition, const uint8_t *name)
{
    size_t low = 0;
    for (size_t n = edition->n_leaves; n > 1;) {
        size_t half = n / 2;
        if (pin_entry_order(pin_entry_name(edition->leaves[low + half]->entries[0]), name) <= 0) {
            low += half;
        }
        n -= half;
    }
    return low;
}

static struct pin_entry *find_entry(const struct pin_edition *edition, const uint8_t *name)
{
    if (edition == NULL || edition->n_leaves == 0) {
        return NULL;
    }
    const struct pin_leaf *leaf = edition->leaves[pin_edition_leaf(edition, name)];
    size_t low = 0;
    for (size_t n = leaf->n; n > 1;) {
        size_t half = n / 2;
        low += pin_entry_order(pin_entry_name(leaf->entries[low + half]), name) <= 0 ? half : 0;
        n -= half;
    }
    return pin_entry_order(pin_entry_name(leaf->entries[low]), name) == 0 ? leaf->entries[low]
                                                                          : NULL;
}

/* --- what changed ------------------------------------------------------------------------- */

bool pin_rrs_reserve(struct pin_rrs *bytes, size_t more)
{
    if (bytes->cap - bytes->n >= more) {
        return true;
    }
    size_t cap = PIN_MAX(PIN_MAX(bytes->n + more, 2 * bytes->cap), (size_t)FIRST_CAP);
    uint8_t *grown = realloc(bytes->ptr, cap);
    if (grown == NULL) {
        return false;
    }
    bytes->ptr = grown;
    bytes->cap = cap;
    return true;
}

/* Packed: length of the owner, length of the tail, owner, tail. */
bool pin_rrs_pack(struct pin_rrs *to, const struct pin_edition_rr *rr)
{
    if (!pin_rrs_reserve(to, 1 + sizeof(rr->tail_bytes) + rr->owner_bytes + rr->tail_bytes)) {
        return false;
    }
    to->ptr[to->n++] = rr->owner_bytes;
    memcpy(to->ptr + to->n, &rr->tail_bytes, sizeof(rr->tail_bytes));
    to->n += sizeof(rr->tail_bytes);
    memcpy(to->ptr + to->n, rr->owner, rr->owner_bytes);
    to->n += rr->owner_bytes;
    memcpy(to->ptr + to->n, rr->tail, rr->tail_bytes);
    to->n += rr->tail_bytes;
    return true;
}

/* Sorts by content; the owner is the same. */
static int compare_rrs(const void *a, const void *b)
{
    const struct pin_edition_rr *rr_a = a;
    const struct pin_edition_rr *rr_b = b;
    int order = memcmp(rr_a->tail, rr_b->tail, PIN_MIN(rr_a->tail_bytes, rr_b->tail_bytes));
    return order != 0                            ? order
           : rr_a->tail_bytes < rr_b->tail_bytes ? -1
                                                 : rr_a->tail_bytes > rr_b->tail_bytes;
}

/* The RRs of an entry's tables that another entry does not share. */
struct rr_list {
    struct pin_edition_rr *rrs;
    size_t n;
};

static bool has_table(const struct pin_entry *entry, const struct pin_table *table)
{
    for (uint16_t i = 0; entry != NULL && i < entry->n_tables; i++) {
        if (entry->tables[i] == table) {
            return true;
        }
    }
    return false;
}

/* False: memory is out. The caller frees the list. */
static bool list_rrs(
    const struct pin_entry *entry, const struct pin_entry *other, struct rr_list *ret)
{
    size_t n = 0;
    *ret = (struct rr_list){0};
    for (uint16_t i = 0; entry != NULL && i < entry->n_tables; i++) {
        n += entry->tables[i]->n_rr;
    }
    ret->rrs = malloc((n + 1) * sizeof(*ret->rrs));
    if (ret->rrs == NULL) {
        return false;
    }
    for (uint16_t i = 0; entry != NULL && i < entry->n_tables; i++) {
        const struct pin_table *table = entry->tables[i];
        for (size_t at = 0; at < table->wire_bytes && !has_table(other, table);) {
            struct pin_edition_rr *rr = &ret->rrs[ret->n++];
            *rr = (struct pin_edition_rr){
                .owner = pin_entry_name(entry), .owner_bytes = entry->name_bytes};
            at = pin_table_rr(table, at, rr);
        }
    }
    qsort(ret->rrs, ret->n, sizeof(*ret->rrs), compare_rrs);
    return true;
}

/* Packs what one entry has and the other has not, both ways. */
static bool pack_differences(
    struct pin_draft *draft, const struct rr_list *was, const struct rr_list *now)
{
    size_t i = 0;
    size_t j = 0;
    bool is_ok = true;
    while (is_ok && (i < was->n || j < now->n)) {
        int order = i == was->n ? 1 : j == now->n ? -1 : compare_rrs(&was->rrs[i], &now->rrs[j]);
        if (order < 0) {
            is_ok = pin_rrs_pack(&draft->gone, &was->rrs[i]);
        } else if (order > 0) {
            is_ok = pin_rrs_pack(&draft->come, &now->rrs[j]);
        }
        i += order <= 0;
        j += order >= 0;
    }
    return is_ok;
}

static bool compare_entries(struct pin_draft *draft, const struct pin_change *change)
{
    struct rr_list was = {0};
    struct rr_list now = {0};
    bool is_ok = list_rrs(change->was, change->now, &was)
                 && list_rrs(change->now, change->was, &now) && pack_differences(draft, &was, &now);
    free(was.rrs);
    free(now.rrs);
    return is_ok;
}

static bool is_same(const struct pin_entry *was, const struct pin_shown *shown)
{
    if (was == NULL || was->n_tables != shown->n) {
        return was == NULL && shown->n == 0;
    }
    return memcmp(was->tables, shown->tables, shown->n * sizeof(shown->tables[0])) == 0;
}

static void drop_shown(const struct pin_shown *shown)
{
    for (size_t i = 0; i < shown->n; i++) {
        pin_table_unref(shown->tables[i]);
    }
}

/* Looks at one noted name. */
static bool add_change(struct pin_draft *draft, const struct pin_edition *newest,
    const uint8_t *wire, pin_shown_fn *fn, void *arg)
{
    struct pin_name name = {.bytes = (uint8_t)pin_name_wire_bytes(wire)};
    struct pin_shown shown = {0};
    struct pin_change change = {.name = wire, .was = find_entry(newest, wire)};
    memcpy(name.wire, wire, name.bytes);
    if (!fn(arg, &name, &shown)) {
        drop_shown(&shown);
        return false;
    }
    if (is_same(change.was, &shown)) {
        drop_shown(&shown);
        return true;
    }
    if (shown.n > 0) {
        change.now = entry_new(&name, &shown);
        if (change.now == NULL) {
            return false;
        }
    }
    draft->changes[draft->n_changes++] = change;
    return compare_entries(draft, &change);
}

static int compare_noted(const void *a, const void *b)
{
    return pin_entry_order(*(const uint8_t *const *)a, *(const uint8_t *const *)b);
}

/* The noted names in order; a name that was noted twice is there twice. */
static const uint8_t **sort_noted(const struct pin_editions *editions)
{
    const uint8_t **names = malloc((editions->n_noted + 1) * sizeof(*names));
    size_t at = 0;
    for (size_t i = 0; names != NULL && i < editions->n_noted; i++) {
        names[i] = editions->noted + at + 1;
        at += (size_t)editions->noted[at] + 1;
    }
    if (names != NULL) {
        qsort(names, editions->n_noted, sizeof(*names), compare_noted);
    }
    return names;
}

bool pin_editions_note(struct pin_editions *editions, const uint8_t *wire, size_t bytes)
{
    struct pin_rrs noted = {
        .ptr = editions->noted, .n = editions->noted_bytes, .cap = editions->cap_noted};
    if (!pin_rrs_reserve(&noted, bytes + 1)) {
        return false;
    }
    noted.ptr[noted.n] = (uint8_t)bytes;
    memcpy(noted.ptr + noted.n + 1, wire, bytes);
    editions->noted = noted.ptr;
    editions->noted_bytes = noted.n + bytes + 1;
    editions->cap_noted = noted.cap;
    editions->n_noted++;
    return true;
}

struct pin_draft *pin_editions_draft(
    struct pin_editions *editions, pin_shown_fn *shown, void *arg, bool *ret_has_changes)
{
    struct pin_draft *draft = calloc(1, sizeof(*draft));
    const uint8_t **names = sort_noted(editions);
    bool is_ok = draft != NULL && names != NULL;
    if (is_ok) {
        draft->changes = malloc((editions->n_noted + 1) * sizeof(*draft->changes));
        is_ok = draft->changes != NULL;
    }
    for (size_t i = 0; is_ok && i < editions->n_noted; i++) {
        bool is_again = i > 0 && pin_entry_order(names[i - 1], names[i]) == 0;
        is_ok = is_again || add_change(draft, editions->newest, names[i], shown, arg);
    }
    free(names);
    if (!is_ok) {
        pin_draft_free(draft);
        return NULL;
    }
    *ret_has_changes = draft->gone.n + draft->come.n > 0;
    return draft;
}

void pin_draft_free(struct pin_draft *draft)
{
    if (draft == NULL) {
        return;
    }
    for (size_t i = 0; i < draft->n_changes; i++) {
        pin_entry_free(draft->changes[i].now);
    }
    free(draft->changes);
    free(draft->gone.ptr);
    free(draft->come.ptr);
    free(draft);
}

void pin_editions_forget(struct pin_editions *editions)
{
    free(editions->noted);
    editions->noted = NULL;
    editions->noted_bytes = 0;
    editions->cap_noted = 0;
    editions->n_noted = 0;
}

void pin_draft_settle(struct pin_editions *editions, struct pin_draft *draft)
{
    pin_draft_free(draft);
    pin_editions_forget(editions);
}
