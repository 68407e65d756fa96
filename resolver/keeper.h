/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Keeper: what the catalog has taken, kept on disk, so that a restart answers before any cluster
 * does.
 *
 *     start    control reads the file -> builder takes its objects, as data of clusters out of
 * reach later    builder packs what each round took -> [queue] -> keeper's thread appends a frame
 *     at times builder packs all of it, a kind a round -> keeper writes a new file, renames it
 *
 * All is written anew when more than half of the file is out of date, when there is no file, and
 * after something could not be written. Nobody waits for the disk: what finds the queue full for
 * too long is thrown away, and all is written anew later. Pods are not kept: a Pod's address may be
 * another's by the time it counts, and policies would believe it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/builder.h"

struct pin_keeper;

/** What a keeper needs; all outlive it. */
struct pin_keeper_config {
    const char *dir; /**< NULL: nothing is kept, and no call does anything. */
    const struct pin_settings *settings;
    /** By cluster id: where its objects come from. Another source's objects are not restored. */
    const char *const *sources;
    /** Another pintled may have the directory, in whose place we come: its file is read, and ours
     * is written when that one has ended. */
    bool may_wait;
};

/**
 * Makes the directory (0700) unless it is there, locks it, reads its file. A file that cannot be
 * used is told in the log and moved aside; nothing is restored then.
 *
 * @return PIN_OK; PIN_EBUSY: another pintled has the directory; PIN_EINVAL, PIN_EDENIED, PIN_EIO:
 * it cannot be used at all; PIN_ENOMEM.
 */
enum pin_err pin_keeper_open(
    const struct pin_keeper_config *config, struct pin_keeper **ret_keeper, struct pin_why *why);

/** Has the builder tell the keeper. Before the builder starts. */
void pin_keeper_hook(struct pin_keeper *keeper, struct pin_builder_config *config);

/** Has the builder take what was read, before any delta that is pushed later, and starts the
 * thread. Call with all signals blocked. */
enum pin_err pin_keeper_start(
    struct pin_keeper *keeper, struct pin_builder *builder, struct pin_why *why);

/** Goes on with a catalog that has taken the place of the one before: what it has is all written
 * anew. Both outlive the keeper, or the next call. Builder's thread, within the change. */
void pin_keeper_follow(struct pin_keeper *keeper, struct pin_catalog *catalog,
    const struct pin_settings *settings, const char *const *sources);

/** Wakes the builder no more, so that it may go. Before pin_builder_stop(). NULL is fine. */
void pin_keeper_leave(struct pin_keeper *keeper);

/** Writes what still waits and frees. Behind pin_builder_stop(). NULL is fine. */
void pin_keeper_stop(struct pin_keeper *keeper);

/** How it goes. */
struct pin_keeper_stats {
    bool is_on;           /**< A directory is configured. */
    bool is_failing;      /**< What was taken last could not be written. */
    uint64_t n_failures;  /**< Times that something could not be written. */
    uint64_t n_frames;    /**< Written. */
    uint64_t n_rewrites;  /**< Files written anew. */
    uint64_t file_bytes;  /**< Of the file now. */
    uint64_t n_restored;  /**< Objects taken from the file at the start. */
    int64_t age_ms;       /**< Of what was restored, at the start; 0: nothing was. */
    int64_t last_wall_ms; /**< When a frame was written last; 0: never. */
};

/** Any thread. */
struct pin_keeper_stats pin_keeper_stats(const struct pin_keeper *keeper);
