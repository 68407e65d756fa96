/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of a source that reads etcd: source_etcd.c takes the steps, source_etcd_keys.c what
 * the keys say, source_etcd_state.c says what it means for the cluster.
 */

#include "backoff.h"
#include "etcd.h"
#include "mirror.h"
#include "source.h"

struct pin_arena;
struct pin_etcd_kv;
struct pin_timer;

/** What comes next. */
enum pin_reader_step {
    PIN_READER_RANGE,
    PIN_READER_WATCH,
};

/** The reader of one cluster. */
struct pin_reader {
    struct pin_source source;
    struct pin_mirror mirror;
    struct pin_etcd *etcd;
    struct pin_arena *arena; /* One answer at a time. */
    char *base;              /* "/pintle/c1/" */
    char *base_end;
    struct pin_timer *timer; /* The next step. */
    struct pin_timer *pulse_timer;
    struct pin_etcd_call *call; /* Range or watch. */
    struct pin_etcd_call *pulse;
    struct pin_backoff backoff;
    struct pin_backoff list_backoff; /* Of lists that etcd gave, and that led nowhere. */
    enum pin_reader_step step;
    char *next_key; /* Where the next page begins; NULL: the first one. */
    size_t next_key_bytes;
    size_t page_keys;
    int64_t revision;            /* All up to it was told; of a range, the one it reads at. */
    int64_t alive_revision;      /* Of the latest `alive`; 0: it is gone. */
    int64_t doubt_revision;      /* The pulse saw this one before the watch told it. */
    int64_t sent_revision;       /* `revision` and `alive_revision` when the pulse was sent: */
    int64_t sent_alive;          /* what a majority says is not older. */
    int64_t confirmed_ms;        /* When etcd last confirmed that all was told; 0: never. */
    int64_t watched_ms;          /* When the latest watch was begun; 0: none was since a list. */
    uint32_t n_failed;           /* Tries in a row. */
    uint32_t n_bad;              /* Values of this list that could not be read. */
    enum pin_list_reason reason; /* Of the next list. */
    uint32_t unknown;            /* Kinds (bits) that the publisher does not know. */
    uint32_t told;               /* Kinds of which all was told once. */
    bool is_started;
    bool is_waiting; /* For room in the outbox, before the next step. */
    bool is_whole;   /* A list was whole once. */
    bool has_meta;
    bool is_readable; /* It is of a format that we know: the rest counts, */
    bool is_away;     /* and it says that the publisher cannot reach the cluster. */
    bool has_doubt;
    bool has_lost;            /* A change was lost: the next list is told as a first one is. */
    bool needs_range;         /* What the watch told cannot be followed. */
    struct pin_trouble fault; /* Of etcd, while it does not answer. */
};

/** Finds out what is wrong now, the worst first; sets UP or DOWN accordingly. */
void pin__reader_judge(struct pin_reader *self);

/** A call has failed. */
void pin__reader_note_fault(struct pin_reader *self, const struct pin_etcd_reply *reply);

/** A majority says that what was told is all there is. */
void pin__reader_note_confirmed(struct pin_reader *self);

/** Whether the key is below our base; what etcd tells beyond that it was not asked for. */
bool pin__reader_owns(const struct pin_reader *self, const struct pin_etcd_kv *kv);

/** Whether nobody of us can have written the key, which is logged: it is left alone. */
bool pin__reader_is_foreign(struct pin_reader *self, const struct pin_etcd_kv *kv);

/** Takes a key of ours, of a list or of the watch. Sets needs_range where it cannot be followed. */
void pin__reader_put_key(struct pin_reader *self, const struct pin_etcd_kv *kv);

/** A key of ours has gone. */
void pin__reader_remove_key(struct pin_reader *self, const struct pin_etcd_kv *kv);

/**
 * Begins or ends the first list of each kind that is published whole. While some value cannot be
 * read, nobody says what it has; where memory was out for a change, what the list named is not all
 * that was told.
 */
void pin__reader_mark_untold(struct pin_reader *self, enum pin_delta_op op);
