/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Editions of one zone: the builder's side of include/pintle/zones/edition.h.
 *
 * Names that change are noted; then the next edition is made from the newest one and from what
 * these names show now. What it replaced is freed once no edition that refers to it is pinned.
 */

#include "pintle/zones/edition.h"
#include "pintle/zones/index.h"

#include "zones/tables.h"

/** Names sorted into one leaf, at most. */
#define PIN_LEAF_NAMES 128u
/** What the steps of one zone may take together; the oldest go first. */
#define PIN_JOURNAL_BYTES ((size_t)4 << 20)
/** Most of them. */
#define PIN_JOURNAL_STEPS 4096u

/** Steps may be so much longer than the zone: small zones change by steps, too. */
#define PIN_STEPS_FREE_BYTES ((size_t)64 << 10)

/** The records of one owner name. */
struct pin_entry {
    uint32_t rr_bytes;
    uint16_t n_tables;
    uint8_t name_bytes;
    const struct pin_table *tables[]; /**< One reference each; behind them the name. */
};

/** Some names in a row, in canonical order (RFC 4034, section 6.1). */
struct pin_leaf {
    size_t n;
    struct pin_entry *entries[];
};

/** One step from an edition to the next. */
struct pin_diff {
    struct pin_diff *next; /**< Newer. */
    struct pin_diff *prev;
    uint64_t seq; /**< Of the edition it leads to. */
    uint32_t from;
    uint32_t to;
    size_t bytes; /**< Of wire: packed RRs, the old SOA, what goes, the new SOA, what comes. */
    uint8_t wire[];
};

struct pin_edition {
    struct pin_rcu_head rcu;
    struct pin_edition *next_old; /**< Replaced later. */
    _Atomic uint32_t n_pins;
    _Atomic bool is_settled; /**< Replaced, and nobody can pin it any more. */
    uint32_t serial;
    uint64_t seq;
    uint64_t first_step; /**< Seq of the oldest step that it may follow. */
    const struct pin_diff *newest_step;
    const struct pin_name *apex;
    size_t n_names;
    size_t rr_bytes;
    size_t soa_bytes;
    uint8_t soa[2 * PIN_NAME_MAX_BYTES + 40];
    size_t n_leaves;
    struct pin_leaf *leaves[];
};

/** Something that editions before a certain one refer to. */
struct pin_retired {
    struct pin_leaf *leaf; /**< Either. */
    struct pin_entry *entry;
    uint64_t seq; /**< Of the first edition that does not. */
};

/** All editions of a zone. Zeroed is none. */
struct pin_editions {
    struct pin_name apex;           /**< The zone's; editions outlive that. */
    struct pin_editions *next_left; /**< Of zones that are no more. */
    uint8_t *noted;                 /**< Names that changed, each behind its length. */
    size_t noted_bytes;
    size_t cap_noted;
    size_t n_noted;
    struct pin_edition *newest;
    struct pin_edition *oldest_old; /**< Replaced, oldest first. */
    struct pin_edition *newest_old;
    struct pin_diff *oldest_diff;
    struct pin_diff *oldest_kept; /**< The oldest that the newest edition may follow. */
    struct pin_diff *newest_diff;
    size_t n_diffs; /**< From oldest_kept on. */
    size_t journal_bytes;
    struct pin_retired *retired; /**< By seq. */
    size_t n_retired;
    size_t cap_retired;
};

/** Notes that a name may show something else now. False: memory is out. */
bool pin_editions_note(struct pin_editions *editions, const uint8_t *wire, size_t bytes);

/** Most tables of a name. */
#define PIN_ENTRY_TABLES_MAX 64u

/** What a name shows now: one reference on each table goes to the caller. */
struct pin_shown {
    size_t n;
    const struct pin_table *tables[PIN_ENTRY_TABLES_MAX];
};

/** Fills in what a name shows; false: memory is out, and nothing is to be dropped. */
typedef bool pin_shown_fn(void *arg, const struct pin_name *name, struct pin_shown *ret_shown);

/** A next edition, not visible yet. */
struct pin_draft;

/**
 * Looks at all noted names. NULL: memory is out; all is as it was.
 *
 * @param ret_has_changes  Some record came or went.
 */
struct pin_draft *pin_editions_draft(
    struct pin_editions *editions, pin_shown_fn *shown, void *arg, bool *ret_has_changes);

/** Drops a draft; the noted names stay noted. */
void pin_draft_free(struct pin_draft *draft);

/** Drops a draft that holds no changes, and forgets the noted names. */
void pin_draft_settle(struct pin_editions *editions, struct pin_draft *draft);

/**
 * Makes the draft the zone's newest edition, with `soa` as its SOA, and frees it. False: memory is
 * out; all is as it was, and the draft is freed.
 */
bool pin_editions_publish(
    struct pin_editions *editions, struct pin_zone *zone, struct pin_draft *draft);

/** Frees what no edition refers to any more. Cheap when there is nothing. */
void pin_editions_sweep(struct pin_editions *editions);

/** Frees all of it. No reader may be left. NULL is fine. */
void pin_editions_free(struct pin_editions *editions);

/**
 * Leaves the editions of an index that is about to be freed, of which some are pinned, to `left`;
 * the others stay the index'. Nobody pins one of them any more. Builder.
 */
void pin_editions_leave(struct pin_index *index, struct pin_editions **left);

/** Frees those that nobody has pinned any more; with `is_end` all, and no reader may be left. */
void pin_editions_sweep_left(struct pin_editions **left, bool is_end);
