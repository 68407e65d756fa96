/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Tally: how often each backend of a route stood first in an answer, beside how often it should
 * have.
 *
 *     table of a route  --> block: one counter for each part (a backend's addresses in one
 *                           cluster), one for answers without an address
 *     worker            --> counters of its own, all blocks; adds 1 where the first address lies
 *     block             --> rows: what people see, by route, cluster and backend; lives on while
 *                           some table counts there
 *
 * What should have been follows from the weights of the very table that was drawn from: answers of
 * the block times the part's share. So it holds across askers who are shown different shares, and
 * across changes of weights. When a table goes, its block is added to the rows after a grace
 * period: no answer is lost.
 *
 * Workers pay one addition for each answer of a route. Everybody else is under a mutex that no
 * worker takes.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/jsonout.h"
#include "pintle/base/stat.h"

/** Rows that are told apart; all others count as one whose route is "other". */
#define PIN_TALLY_ROWS_MAX 4096u
/** Counters of one thread: address space, not memory. Tables beyond them are not counted. */
#define PIN_TALLY_COUNTERS (UINT32_C(1) << 20)
/** Parts of one table that are told apart; those beyond count as the last. */
#define PIN_TALLY_PARTS_MAX 250u

struct pin_tally;

/** One row. Texts are borrowed for the call. */
struct pin_tally_row {
    const char *route;   /**< "cluster/kind/namespace/name", or "other". */
    const char *cluster; /**< Of the addresses; "" for others. */
    const char *backend; /**< "namespace/name", "gateway" for a route that answers its Gateways; ""
                            for others. */
    uint64_t n_first;    /**< Answers in which an address of it stood first. */
    double wanted;       /**< How many that should have been. */
};

/** Called for one row. */
typedef void pin_tally_fn(void *arg, const struct pin_tally_row *row);

/** Makes an empty one with one reference; NULL when memory is out. */
struct pin_tally *pin_tally_new(void);

/** Takes one more reference. Any thread. Returns `tally`. */
struct pin_tally *pin_tally_ref(struct pin_tally *tally);

/** Lets go; the last one frees. NULL is fine. Any thread. */
void pin_tally_unref(struct pin_tally *tally);

/** PIN_TALLY_COUNTERS counters for one more thread, which takes a reference; NULL when memory is
 * out. Any thread. */
struct pin_stat *pin_tally_join(struct pin_tally *tally);

/** The thread counts no more; what it counted stays. NULL counters are fine. Any thread. */
void pin_tally_leave(struct pin_tally *tally, struct pin_stat *counters);

/**
 * Calls `fn` for each row, in the order in which they came to be, under the mutex.
 *
 * @return Tables that are not counted, for lack of counters or memory, since the start. Any thread.
 * Cost: rows, and for each table of a route its parts times the threads.
 */
uint64_t pin_tally_read(struct pin_tally *tally, pin_tally_fn *fn, void *arg);

/** Writes a row's members into an object that is begun, without its route. */
void pin_tally_put_members(struct pin_jsonout *json, const struct pin_tally_row *row);
