/* SPDX-License-Identifier: Apache-2.0 */

/* Editions: what changed becomes the next one, which shares all else with the one before. */

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "zones/edition_parts.h"

#define FIRST_CAP 256u

/* --- leaves ------------------------------------------------------------------------------- */

/* Leaves of the next edition under way. */
struct leaves {
    struct pin_leaf **items;
    size_t n;
    size_t cap;
    size_t n_fresh; /* made for it */
    struct pin_leaf **fresh;
    size_t cap_fresh;
};

static bool push_leaf(struct pin_leaf ***items, size_t *n, size_t *cap, struct pin_leaf *leaf)
{
    if (*n == *cap) {
        size_t grown_cap = PIN_MAX(2 * *cap, (size_t)FIRST_CAP);
        struct pin_leaf **grown = realloc(*items, grown_cap * sizeof(*grown));
        if (grown == NULL) {
            return false;
        }
        *items = grown;
        *cap = grown_cap;
    }
    (*items)[(*n)++] = leaf;
    return true;
}

/* Cuts entries in a row into leaves of about the same length. */
static bool add_leaves(struct leaves *leaves, struct pin_entry *const *entries, size_t n)
{
    size_t n_parts = (n + PIN_LEAF_NAMES - 1) / PIN_LEAF_NAMES;
    for (size_t part = 0; part < n_parts; part++) {
        size_t from = n * part / n_parts;
        size_t n_part = n * (part + 1) / n_parts - from;
        struct pin_leaf *leaf = malloc(sizeof(*leaf) + n_part * sizeof(leaf->entries[0]));
        if (leaf == NULL) {
            return false;
        }
        leaf->n = n_part;
        memcpy(leaf->entries, entries + from, n_part * sizeof(leaf->entries[0]));
        if (!push_leaf(&leaves->fresh, &leaves->n_fresh, &leaves->cap_fresh, leaf)) {
            free(leaf);
            return false;
        }
        if (!push_leaf(&leaves->items, &leaves->n, &leaves->cap, leaf)) {
            return false;
        }
    }
    return true;
}

/* Merges the changes into one leaf, which may be NULL. */
static bool merge_leaf(struct leaves *leaves, const struct pin_leaf *leaf,
    const struct pin_change *changes, size_t n_changes)
{
    size_t n_old = leaf != NULL ? leaf->n : 0;
    struct pin_entry **merged = malloc((n_old + n_changes + 1) * sizeof(*merged));
    size_t n = 0;
    size_t i = 0;
    if (merged == NULL) {
        return false;
    }
    for (size_t c = 0; c < n_changes; c++) {
        while (i < n_old && leaf->entries[i] != changes[c].was
               && pin_entry_order(pin_entry_name(leaf->entries[i]), changes[c].name) < 0) {
            merged[n++] = leaf->entries[i++];
        }
        i += i < n_old && leaf->entries[i] == changes[c].was;
        if (changes[c].now != NULL) {
            merged[n++] = changes[c].now;
        }
    }
    while (i < n_old) {
        merged[n++] = leaf->entries[i++];
    }
    bool is_ok = add_leaves(leaves, merged, n);
    free(merged);
    return is_ok;
}

/* The leaves of the next edition: those that have no change are the old ones. Notes those that are
 * replaced in `replaced`, which has room for one per change. */
static bool make_leaves(const struct pin_edition *old, const struct pin_draft *draft,
    struct leaves *leaves, struct pin_leaf **replaced, size_t *ret_n_replaced)
{
    size_t n_old = old != NULL ? old->n_leaves : 0;
    size_t done = 0; /* old leaves dealt with */
    size_t n_replaced = 0;
    bool is_ok = true;
    for (size_t c = 0; is_ok && c < draft->n_changes;) {
        size_t leaf_i = n_old > 0 ? pin_edition_leaf(old, draft->changes[c].name) : 0;
        size_t end = c + 1;
        while (end < draft->n_changes
               && (n_old == 0 || pin_edition_leaf(old, draft->changes[end].name) == leaf_i)) {
            end++;
        }
        while (is_ok && done < leaf_i) {
            is_ok = push_leaf(&leaves->items, &leaves->n, &leaves->cap, old->leaves[done++]);
        }
        struct pin_leaf *leaf = n_old > 0 ? old->leaves[leaf_i] : NULL;
        is_ok = is_ok && merge_leaf(leaves, leaf, &draft->changes[c], end - c);
        if (leaf != NULL) {
            replaced[n_replaced++] = leaf;
        }
        done = leaf_i + 1;
        c = end;
    }
    while (is_ok && done < n_old) {
        is_ok = push_leaf(&leaves->items, &leaves->n, &leaves->cap, old->leaves[done++]);
    }
    *ret_n_replaced = n_replaced;
    return is_ok;
}

/* --- steps -------------------------------------------------------------------------------- */

/* The step between two editions. NULL: memory is out. */
static struct pin_diff *diff_new(
    const struct pin_edition *from, const struct pin_edition *to, const struct pin_draft *draft)
{
    struct pin_rrs bytes = {0};
    struct pin_edition_rr old_soa = pin_edition_soa(from);
    struct pin_edition_rr new_soa = pin_edition_soa(to);
    struct pin_diff *diff = NULL;
    bool is_ok = pin_rrs_pack(&bytes, &old_soa) && pin_rrs_reserve(&bytes, draft->gone.n + 1);
    if (is_ok && draft->gone.n > 0) {
        memcpy(bytes.ptr + bytes.n, draft->gone.ptr, draft->gone.n);
        bytes.n += draft->gone.n;
    }
    is_ok = is_ok && pin_rrs_pack(&bytes, &new_soa) && pin_rrs_reserve(&bytes, draft->come.n + 1);
    if (is_ok && draft->come.n > 0) {
        memcpy(bytes.ptr + bytes.n, draft->come.ptr, draft->come.n);
        bytes.n += draft->come.n;
    }
    diff = is_ok ? malloc(sizeof(*diff) + bytes.n) : NULL;
    if (diff != NULL) {
        *diff = (struct pin_diff){
            .seq = to->seq, .from = from->serial, .to = to->serial, .bytes = bytes.n};
        memcpy(diff->wire, bytes.ptr, bytes.n);
    }
    free(bytes.ptr);
    return diff;
}

/* Appends a step, and takes the oldest ones out of reach of the edition it leads to. */
static void keep_diff(
    struct pin_editions *editions, struct pin_edition *edition, struct pin_diff *diff)
{
    diff->prev = editions->newest_diff;
    if (editions->newest_diff != NULL) {
        editions->newest_diff->next = diff;
    } else {
        editions->oldest_diff = diff;
    }
    editions->newest_diff = diff;
    if (editions->oldest_kept == NULL) {
        editions->oldest_kept = diff;
    }
    editions->n_diffs++;
    editions->journal_bytes += diff->bytes;
    while (
        editions->oldest_kept != NULL
        && (editions->journal_bytes > PIN_JOURNAL_BYTES || editions->n_diffs > PIN_JOURNAL_STEPS)) {
        editions->journal_bytes -= editions->oldest_kept->bytes;
        editions->n_diffs--;
        editions->oldest_kept = editions->oldest_kept->next;
    }
    edition->newest_step = editions->oldest_kept != NULL ? diff : NULL;
    edition->first_step = editions->oldest_kept != NULL ? editions->oldest_kept->seq : UINT64_MAX;
}

/* --- publication -------------------------------------------------------------------------- */

/* Makes room for what the draft replaces: an entry per change and a leaf per change. */
static bool reserve_retired(struct pin_editions *editions, const struct pin_draft *draft)
{
    size_t want = editions->n_retired + 2 * draft->n_changes;
    if (want <= editions->cap_retired) {
        return true;
    }
    size_t cap = PIN_MAX(want, 2 * editions->cap_retired);
    struct pin_retired *grown = realloc(editions->retired, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    editions->retired = grown;
    editions->cap_retired = cap;
    return true;
}

static struct pin_edition *edition_new(
    const struct pin_editions *editions, const struct pin_zone *zone, const struct leaves *leaves)
{
    const struct pin_edition *newest = editions->newest;
    const struct pin_soa *soa = zone->soa;
    struct pin_edition *edition = malloc(sizeof(*edition) + leaves->n * sizeof(edition->leaves[0]));
    if (edition == NULL) {
        return NULL;
    }
    *edition = (struct pin_edition){.serial = soa->serial,
        .seq = newest != NULL ? newest->seq + 1 : 1,
        .first_step = UINT64_MAX,
        .apex = &editions->apex,
        .n_names = newest != NULL ? newest->n_names : 0,
        .rr_bytes = newest != NULL ? newest->rr_bytes : 0,
        .soa_bytes = (size_t)soa->rr_bytes - PIN_POINTER_BYTES,
        .n_leaves = leaves->n};
    memcpy(edition->soa, soa->rr + PIN_POINTER_BYTES, edition->soa_bytes);
    if (leaves->n > 0) {
        memcpy(edition->leaves, leaves->items, leaves->n * sizeof(edition->leaves[0]));
    }
    return edition;
}

/* The grace period is over: whoever wanted to pin the edition has. */
static void on_settled(struct pin_rcu_head *head)
{
    struct pin_edition *edition = container_of(head, struct pin_edition, rcu);
    atomic_store_explicit(&edition->is_settled, true, memory_order_release);
}

static void retire_edition(struct pin_editions *editions, struct pin_edition *old)
{
    if (editions->newest_old != NULL) {
        editions->newest_old->next_old = old;
    } else {
        editions->oldest_old = old;
    }
    editions->newest_old = old;
    pin_rcu_defer(&old->rcu, on_settled);
}

/* Counts what the changes are, and retires what they replace. There is room. */
static void commit_changes(struct pin_editions *editions, struct pin_edition *edition,
    struct pin_draft *draft, struct pin_leaf *const *replaced, size_t n_replaced)
{
    for (size_t i = 0; i < draft->n_changes; i++) {
        const struct pin_change *change = &draft->changes[i];
        edition->n_names += (size_t)(change->now != NULL) - (size_t)(change->was != NULL);
        edition->rr_bytes += change->now != NULL ? change->now->rr_bytes : 0;
        edition->rr_bytes -= change->was != NULL ? change->was->rr_bytes : 0;
        if (change->was != NULL) {
            editions->retired[editions->n_retired++] =
                (struct pin_retired){.entry = change->was, .seq = edition->seq};
        }
        draft->changes[i].now = NULL; /* the edition's from now on */
    }
    for (size_t i = 0; i < n_replaced; i++) {
        editions->retired[editions->n_retired++] =
            (struct pin_retired){.leaf = replaced[i], .seq = edition->seq};
    }
}

static void free_leaves(struct leaves *leaves, bool has_failed)
{
    for (size_t i = 0; has_failed && i < leaves->n_fresh; i++) {
        free(leaves->fresh[i]);
    }
    free(leaves->fresh);
    free(leaves->items);
}

bool pin_editions_publish(
    struct pin_editions *editions, struct pin_zone *zone, struct pin_draft *draft)
{
    struct pin_edition *old = editions->newest;
    struct leaves leaves = {0};
    struct pin_edition *edition = NULL;
    struct pin_diff *diff = NULL;
    size_t n_replaced = 0;
    struct pin_leaf **replaced = malloc((draft->n_changes + 1) * sizeof(*replaced));
    bool is_ok = replaced != NULL && reserve_retired(editions, draft)
                 && make_leaves(old, draft, &leaves, replaced, &n_replaced);
    if (is_ok) {
        edition = edition_new(editions, zone, &leaves);
        diff = edition != NULL && old != NULL ? diff_new(old, edition, draft) : NULL;
        is_ok = edition != NULL && (old == NULL || diff != NULL);
    }
    if (is_ok) {
        if (diff != NULL) {
            keep_diff(editions, edition, diff);
        }
        commit_changes(editions, edition, draft, replaced, n_replaced);
        pin_editions_forget(editions);
        editions->newest = edition;
        pin_rcu_assign(zone->edition, edition);
        if (old != NULL) {
            retire_edition(editions, old);
        }
    } else {
        free(edition);
    }
    free_leaves(&leaves, !is_ok);
    free(replaced);
    pin_draft_free(draft);
    return is_ok;
}

/* --- freeing ------------------------------------------------------------------------------ */

/* Frees replaced editions that nobody reads. */
static void sweep_old(struct pin_editions *editions)
{
    struct pin_edition *kept = NULL;
    struct pin_edition *edition = editions->oldest_old;
    editions->oldest_old = NULL;
    while (edition != NULL) {
        struct pin_edition *next = edition->next_old;
        bool is_free = atomic_load_explicit(&edition->is_settled, memory_order_acquire)
                       && atomic_load_explicit(&edition->n_pins, memory_order_acquire) == 0;
        if (is_free) {
            free(edition);
        } else {
            edition->next_old = NULL;
            if (kept != NULL) {
                kept->next_old = edition;
            } else {
                editions->oldest_old = edition;
            }
            kept = edition;
        }
        edition = next;
    }
    editions->newest_old = kept;
}

static void free_diffs(struct pin_editions *editions, uint64_t first_step)
{
    while (editions->oldest_diff != NULL && editions->oldest_diff->seq < first_step) {
        struct pin_diff *next = editions->oldest_diff->next;
        free(editions->oldest_diff);
        editions->oldest_diff = next;
    }
    if (editions->oldest_diff == NULL) {
        editions->newest_diff = NULL;
    }
}

void pin_editions_sweep(struct pin_editions *editions)
{
    if (editions->oldest_old == NULL) {
        return;
    }
    sweep_old(editions);
    const struct pin_edition *oldest =
        editions->oldest_old != NULL ? editions->oldest_old : editions->newest;
    size_t n = 0;
    while (n < editions->n_retired && editions->retired[n].seq <= oldest->seq) {
        free(editions->retired[n].leaf);
        pin_entry_free(editions->retired[n].entry);
        n++;
    }
    if (n > 0) {
        editions->n_retired -= n;
        memmove(editions->retired, editions->retired + n,
            editions->n_retired * sizeof(*editions->retired));
    }
    uint64_t first_step = PIN_MIN(oldest->first_step, oldest->seq + 1);
    uint64_t kept = editions->oldest_kept != NULL ? editions->oldest_kept->seq : UINT64_MAX;
    free_diffs(editions, PIN_MIN(first_step, kept));
}

void pin_editions_free(struct pin_editions *editions)
{
    if (editions == NULL) {
        return;
    }
    struct pin_edition *newest = editions->newest;
    if (editions->oldest_old != NULL) {
        pin_rcu_barrier(); /* all of them are settled then */
    }
    sweep_old(editions);
    for (size_t i = 0; newest != NULL && i < newest->n_leaves; i++) {
        for (size_t e = 0; e < newest->leaves[i]->n; e++) {
            pin_entry_free(newest->leaves[i]->entries[e]);
        }
        free(newest->leaves[i]);
    }
    for (size_t i = 0; i < editions->n_retired; i++) {
        free(editions->retired[i].leaf);
        pin_entry_free(editions->retired[i].entry);
    }
    free_diffs(editions, UINT64_MAX);
    free(newest);
    free(editions->retired);
    free(editions->noted);
    free(editions);
}

/* --- of zones that are no more ------------------------------------------------------------ */

static bool is_pinned(const struct pin_editions *editions)
{
    bool is = editions->newest != NULL
              && atomic_load_explicit(&editions->newest->n_pins, memory_order_acquire) > 0;
    for (const struct pin_edition *old = editions->oldest_old; old != NULL && !is;
         old = old->next_old) {
        is = atomic_load_explicit(&old->n_pins, memory_order_acquire) > 0;
    }
    return is;
}

static void cut_entry(struct pin_entry *entry)
{
    for (size_t i = 0; entry != NULL && i < entry->n_tables; i++) {
        pin_table_cut(entry->tables[i]);
    }
}

/* Tables give nothing back to the index, which goes first. */
static void cut_tables(struct pin_editions *editions)
{
    const struct pin_edition *newest = editions->newest;
    for (size_t i = 0; newest != NULL && i < newest->n_leaves; i++) {
        for (size_t e = 0; e < newest->leaves[i]->n; e++) {
            cut_entry(newest->leaves[i]->entries[e]);
        }
    }
    for (size_t i = 0; i < editions->n_retired; i++) {
        cut_entry(editions->retired[i].entry);
    }
}

void pin_editions_leave(struct pin_index *index, struct pin_editions **left)
{
    struct pin_zone *zone = NULL;
    for (size_t i = 0; (zone = pin_index_zone_at(index, i)) != NULL; i++) {
        struct pin_editions *editions = zone->editions;
        if (editions != NULL && is_pinned(editions)) {
            cut_tables(editions);
            zone->editions = NULL;
            editions->next_left = *left;
            *left = editions;
        }
    }
}

void pin_editions_sweep_left(struct pin_editions **left, bool is_end)
{
    struct pin_editions **link = left;
    while (*link != NULL) {
        struct pin_editions *editions = *link;
        if (is_end || !is_pinned(editions)) {
            *link = editions->next_left;
            pin_editions_free(editions);
        } else {
            link = &editions->next_left;
        }
    }
}
