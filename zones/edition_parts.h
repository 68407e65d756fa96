/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What the files about editions share: entries, packed RRs, drafts.
 */

#include <string.h>

#include "zones/edition.h"

/** The owner of a table's RR. */
#define PIN_POINTER_BYTES 2u

/** Packed RRs: each its owner's length, its tail's length, owner, tail. Zeroed is empty. */
struct pin_rrs {
    uint8_t *ptr;
    size_t n;
    size_t cap;
};

/** One name that shows something else. */
struct pin_change {
    const uint8_t *name; /**< As noted. */
    struct pin_entry *was;
    struct pin_entry *now; /**< NULL: it shows nothing. */
};

struct pin_draft {
    struct pin_change *changes; /**< By name. */
    size_t n_changes;
    struct pin_rrs gone;
    struct pin_rrs come;
};

/** Forgets the noted names. */
void pin_editions_forget(struct pin_editions *editions);

/** Makes room for so many bytes more. False: memory is out. */
bool pin_rrs_reserve(struct pin_rrs *rrs, size_t more);

/** Appends an RR. False: memory is out. */
bool pin_rrs_pack(struct pin_rrs *to, const struct pin_edition_rr *rr);

/** Reads the RR at `from`; returns the bytes it takes. */
static inline size_t pin_rrs_unpack(const uint8_t *from, struct pin_edition_rr *ret_rr)
{
    ret_rr->owner_bytes = from[0];
    memcpy(&ret_rr->tail_bytes, from + 1, sizeof(ret_rr->tail_bytes));
    ret_rr->owner = from + 1 + sizeof(ret_rr->tail_bytes);
    ret_rr->tail = ret_rr->owner + ret_rr->owner_bytes;
    return 1 + sizeof(ret_rr->tail_bytes) + ret_rr->owner_bytes + ret_rr->tail_bytes;
}

/** The RR at `at` of a table, without its owner; returns where the next one starts. */
static inline size_t pin_table_rr(
    const struct pin_table *table, size_t at, struct pin_edition_rr *ret_rr)
{
    const size_t fixed_bytes = 10; /* type, class, TTL, RDLENGTH */
    const uint8_t *tail = table->wire + at + PIN_POINTER_BYTES;
    ret_rr->tail = tail;
    ret_rr->tail_bytes = (uint32_t)(fixed_bytes + ((size_t)tail[8] << 8 | tail[9]));
    return at + PIN_POINTER_BYTES + ret_rr->tail_bytes;
}

/** An entry's name. */
static inline const uint8_t *pin_entry_name(const struct pin_entry *entry)
{
    return (const uint8_t *)(entry->tables + entry->n_tables);
}

/** Compares lower-case names from their last label on (RFC 4034, section 6.1). */
int pin_entry_order(const uint8_t *a, const uint8_t *b);

/** Drops its tables and frees it. Builder. NULL is fine. */
void pin_entry_free(struct pin_entry *entry);

/** The leaf that has the name, or would have it. The edition has leaves. */
size_t pin_edition_leaf(const struct pin_edition *edition, const uint8_t *name);
