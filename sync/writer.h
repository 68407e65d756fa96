/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Writer: applies to one cluster what the catalog says is missing there, while we hold its Lease.
 *
 *     sets -> items by unit -> one request at a time, 50 a second at most -> done, or later
 *
 * A refusal that lasts (403) gives up all of its kind for a minute; other failures are tried again
 * by back-off, item by item. What was given up is asked for again: on_look_again. Nothing is kept
 * for a cluster that we may not write to: whoever gets its Lease looks at everything anew.
 * Belongs to the loop's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/sync/sync.h"
#include "pintle/zones/write.h"

struct pin_http;
struct pin_loop;
struct pin_source;
struct pin_writer;
struct pin_arena;

/** What a writer needs. Texts are borrowed until it was made. */
struct pin_writer_config {
    struct pin_loop *loop;
    struct pin_http *http;
    struct pin_arena *arena;   /**< For one answer at a time. */
    struct pin_source *source; /**< Of the cluster; outlives the writer. */
    const struct pin_sync_writes *writes;
};

/** Makes it; idle. NULL when memory is out. */
struct pin_writer *pin_writer_new(const struct pin_writer_config *config);

/** Ends all; the Lease is not given back. NULL is fine. */
void pin_writer_free(struct pin_writer *writer);

/** Begins to want the Lease. */
void pin_writer_start(struct pin_writer *writer);

/** Stops writing and gives the Lease back. */
void pin_writer_release(struct pin_writer *writer);

/** Whether the Lease is still on its way back. */
bool pin_writer_is_busy(const struct pin_writer *writer);

/** From now on the unit `key` needs nothing but what pin_writer_add() says after this. */
void pin_writer_clear(struct pin_writer *writer, const char *key);

/** Adds to what the unit needs. Takes the write. */
void pin_writer_add(struct pin_writer *writer, const char *key, struct pin_write *write);

/** How it stands. */
void pin_writer_stats(const struct pin_writer *writer, struct pin_sync_write_stats *ret_stats);
