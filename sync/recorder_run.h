/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Run: from a zone's listing and all claims to what a provider is to change, and to what people
 * see.
 *
 *     listing, claims  ->  plan  ->  parts  ->  edits of whole sets, one provider change each
 *     plan, rows of the run before  ->  rows (one a record), drift
 *
 * Changes that touch the same set (two TXT records of one name), or that replace each other at a
 * name, are one part: a provider does all of a part, or nothing. A part that was refused is left
 * out while none of its changes is another one and its back-off lasts; so is one with a record that
 * changes more often than anybody could follow, and one that somebody else undoes each time.
 *
 * pin_recorder_run_make() is pure, and made for a thread of its own: what it reads does not change
 * meanwhile, what it makes nobody else has. The rest is the loop's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/zones/recordplan.h"

#include "provider.h"

struct pin_arena;

/** Longest wait before a refused record is tried again as it is. */
#define PIN_RECORDER_REFUSED_MS ((int64_t)3600 * 1000)

/** Sets that several users share and nobody changes; gone with the last one. */
struct pin_recorder_sets {
    unsigned n_users;
    struct pin_arena *arena;
    const struct pin_recordset *sets;
    size_t n_sets;
    const char *const *unsynced; /**< Of claims. */
    size_t n_unsynced;
    const char *version; /**< Of a listing. */
};

/** Takes over the arena; one user. NULL when memory is out: the arena is gone then, too. */
struct pin_recorder_sets *pin_recorder_sets_new(
    struct pin_arena *arena, const struct pin_recordset *sets, size_t n_sets, const char *version);

/** One more user. NULL is fine. */
struct pin_recorder_sets *pin_recorder_sets_use(struct pin_recorder_sets *sets);

/** One less. NULL is fine. */
void pin_recorder_sets_drop(struct pin_recorder_sets *sets);

/** The conflict of a record that somebody else writes, who calls himself as we do. */
#define PIN_RECORDER_RIVAL "rival"

/** How a record stands. */
enum pin_recorder_state {
    PIN_RECORD_READY,
    PIN_RECORD_PENDING,
    PIN_RECORD_DELETING,
    PIN_RECORD_BLOCKED,
    PIN_RECORD_REFUSED,
    PIN_RECORD_CONFLICT,
    PIN_RECORD_WAITING,
    PIN_RECORD_KEPT,
    PIN_RECORD_DELETED,
    PIN_RECORD_STATES,
};

/** The state as the admin page has it. Static. */
const char *pin_recorder_state_text(enum pin_recorder_state state);

/** One record. */
struct pin_recorder_row {
    const char *name;
    const char *type;
    const char *set_id;
    const struct pin_recordset *desired; /**< NULL: nobody wants it. */
    const struct pin_recordset *actual;  /**< NULL: it is not there. */
    const char *owner;                   /**< "": nobody. */
    enum pin_recorder_state state;
    const struct pin_recordset_source *sources;
    size_t n_sources;
    const char *conflict; /**< One word; "": none. */
    const char *error;    /**< "": none. */
    int64_t since_wall_ms;
    bool is_told; /**< What is wrong with it was told as an event. */

    uint64_t digest; /**< Of the change that was refused. */
    uint32_t n_refused;
    int64_t retry_ms; /**< Monotonic: when it is tried again. */

    uint32_t n_undone; /**< So often, of late, what we wrote was found otherwise. */
    int64_t undone_ms; /**< Monotonic: the last time. */

    uint32_t n_writes;  /**< In a row, one soon after the other. */
    int64_t written_ms; /**< Monotonic: the last one; 0: none. */
};

/** What became of one change of a plan. */
struct pin_recorder_result {
    bool is_said;
    enum pin_provider_verdict verdict;
    const char *message;
};

/** A record that was found otherwise than we left it. */
struct pin_recorder_drift {
    const struct pin_recorder_row *row;
    const struct pin_recordset *expected;
    const struct pin_recordset *found; /**< NULL: nothing. */
};

/** A run: what it is made of, and what comes of it. */
struct pin_recorder_run {
    struct pin_recordplan_input input; /**< But for claims and actual, which the sets below are, and
                                          for the two texts that follow. */
    char approved[PIN_RECORDPLAN_HASH_BYTES]; /**< "": nothing. */
    char *adopt_from;                         /**< Heap; NULL: a run as any. Else without rows. */
    uint32_t min_ttl_s;
    struct pin_recorder_sets *listing;     /**< One user's. */
    struct pin_recorder_sets *claims;      /**< Likewise. */
    const struct pin_recorder_run *before; /**< Whose rows these follow; NULL: none. */
    int64_t now_ms;                        /**< Monotonic. */
    int64_t wall_ms;
    bool forgets;   /**< Refusals of before do not count. */
    bool may_write; /**< What is planned may be done by us. */

    enum pin_err err; /**< Of the plan. */
    struct pin_why why;
    struct pin_arena *arena; /**< Of all below. */
    struct pin_recordplan plan;
    struct pin_recorder_result *results; /**< One per change of the plan. */
    size_t *part_of; /**< By change: the provider change it is in; SIZE_MAX: left out. */
    size_t *row_of;  /**< By change: its row; SIZE_MAX: none. */
    struct pin_provider_change *parts;
    size_t n_parts;
    struct pin_recorder_row *rows; /**< By name, type, set id. */
    size_t n_rows;
    size_t n_wanted;
    struct pin_recorder_row *gone; /**< Of records that went and may come back soon, by their key:
                                      when they were written, and nothing else. */
    size_t n_gone;
    struct pin_recorder_drift *drift;
    size_t n_drift;
    int64_t next_ms; /**< Monotonic: when something that was left out may be tried; 0: nothing. */
};

/** Makes it all. What went wrong is in run->err; then nothing else counts. */
void pin_recorder_run_make(struct pin_recorder_run *run);

/** Writes down what became of the parts: results, rows. The loop's. */
void pin_recorder_run_settle(struct pin_recorder_run *run,
    const struct pin_provider_outcome *outcome, int64_t now_ms, int64_t wall_ms);

/** Changes that are planned and not applied. */
size_t pin_recorder_run_pending(const struct pin_recorder_run *run);

/** Frees it, and its use of sets. NULL is fine. */
void pin_recorder_run_free(struct pin_recorder_run *run);

/* --- Between the two files that make it ------------------------------------------------------- */

/** The row of that key, or NULL. */
struct pin_recorder_row *pin_recorder_run_row(
    const struct pin_recorder_run *run, const char *name, const char *type, const char *set_id);

/** Stands for what a change wants to do. */
uint64_t pin_recorder_digest(const struct pin_recordplan_change *change);

/** Whether two sets say the same; a TTL of 0 is any. */
bool pin_recorder_same(const struct pin_recordset *a, const struct pin_recordset *b);

/** Until when (monotonic) a change is left out because it was refused as it is; 0: it is not. */
int64_t pin_recorder_refused_until(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change);

/** The same because its record was written too often. */
int64_t pin_recorder_spaced_until(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change);

/** The same because somebody undid what was written, again and again. */
int64_t pin_recorder_rival_until(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change);

/** Fills rows, row_of and drift. */
void pin_recorder_run_make_rows(struct pin_recorder_run *run);
