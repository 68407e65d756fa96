/* SPDX-License-Identifier: Apache-2.0 */

/* Walks: the records of a transfer, one after the other, by whoever has pinned an edition. */

#include <stdatomic.h>

#include "pintle/base/rcu.h"

#include "zones/edition_parts.h"

enum phase {
    PIN_PHASE_SOA, /* the first one */
    PIN_PHASE_BODY,
    PIN_PHASE_LAST, /* the last SOA */
    PIN_PHASE_OVER,
};

struct pin_edition_rr pin_edition_soa(const struct pin_edition *edition)
{
    return (struct pin_edition_rr){.owner = edition->apex->wire,
        .owner_bytes = edition->apex->bytes,
        .tail = edition->soa,
        .tail_bytes = (uint32_t)edition->soa_bytes};
}

struct pin_edition *pin_edition_pin(const struct pin_zone *zone)
{
    struct pin_edition *edition = pin_rcu_deref(zone->edition);
    if (edition != NULL) {
        atomic_fetch_add_explicit(&edition->n_pins, 1, memory_order_relaxed);
    }
    return edition;
}

void pin_edition_unpin(struct pin_edition *edition)
{
    if (edition != NULL) {
        atomic_fetch_sub_explicit(&edition->n_pins, 1, memory_order_release);
    }
}

/* The step that begins at a serial, if all from there on take fewer bytes than the zone. */
static const struct pin_diff *find_step(const struct pin_edition *edition, uint32_t since)
{
    size_t bytes = 0;
    const struct pin_diff *diff = edition->newest_step;
    while (diff != NULL && diff->seq >= edition->first_step) {
        bytes += diff->bytes;
        if (bytes > edition->rr_bytes + PIN_STEPS_FREE_BYTES) {
            return NULL;
        }
        if (diff->from == since) {
            return diff;
        }
        diff = diff->seq > edition->first_step ? diff->prev : NULL;
    }
    return NULL;
}

struct pin_edition_walk pin_edition_begin(const struct pin_edition *edition, const uint32_t *since)
{
    struct pin_edition_walk walk = {.edition = edition, .style = PIN_EDITION_WHOLE};
    if (since != NULL && !pin_serial_is_after(edition->serial, *since)) {
        walk.style = PIN_EDITION_SOA;
    } else if (since != NULL) {
        walk.diff = find_step(edition, *since);
        walk.style = walk.diff != NULL ? PIN_EDITION_STEPS : PIN_EDITION_WHOLE;
    }
    return walk;
}

static bool next_of_leaves(struct pin_edition_walk *walk, struct pin_edition_rr *ret_rr)
{
    const struct pin_edition *edition = walk->edition;
    if (walk->leaf_i == edition->n_leaves) {
        return false;
    }
    const struct pin_leaf *leaf = edition->leaves[walk->leaf_i];
    const struct pin_entry *entry = leaf->entries[walk->entry_i];
    const struct pin_table *table = entry->tables[walk->table_i];
    ret_rr->owner = pin_entry_name(entry);
    ret_rr->owner_bytes = entry->name_bytes;
    walk->at = pin_table_rr(table, walk->at, ret_rr);
    if (walk->at < table->wire_bytes) {
        return true;
    }
    walk->at = 0;
    if (++walk->table_i == entry->n_tables) {
        walk->table_i = 0;
        walk->entry_i++;
    }
    if (walk->entry_i == leaf->n) {
        walk->entry_i = 0;
        walk->leaf_i++;
    }
    return true;
}

static bool next_of_steps(struct pin_edition_walk *walk, struct pin_edition_rr *ret_rr)
{
    if (walk->diff == NULL) {
        return false;
    }
    walk->at += pin_rrs_unpack(walk->diff->wire + walk->at, ret_rr);
    if (walk->at == walk->diff->bytes) {
        walk->at = 0;
        walk->diff = walk->diff != walk->edition->newest_step ? walk->diff->next : NULL;
    }
    return true;
}

bool pin_edition_next(struct pin_edition_walk *walk, struct pin_edition_rr *ret_rr)
{
    if (walk->phase == PIN_PHASE_SOA) {
        *ret_rr = pin_edition_soa(walk->edition);
        walk->phase = walk->style == PIN_EDITION_SOA ? PIN_PHASE_OVER : PIN_PHASE_BODY;
        return true;
    }
    if (walk->phase == PIN_PHASE_BODY) {
        bool is_more = walk->style == PIN_EDITION_STEPS ? next_of_steps(walk, ret_rr)
                                                        : next_of_leaves(walk, ret_rr);
        if (is_more) {
            return true;
        }
        walk->phase = PIN_PHASE_LAST;
    }
    if (walk->phase == PIN_PHASE_LAST) {
        *ret_rr = pin_edition_soa(walk->edition);
        walk->phase = PIN_PHASE_OVER;
        return true;
    }
    return false;
}
