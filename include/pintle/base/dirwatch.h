/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Watched directories: one inotify instance for all of them.
 *
 * The kernel lets a user have 128 instances on many machines, but tens of thousands of watches; so
 * all directories share one instance, and an event goes to those who watch its directory.
 *
 *     inotify -> [wd 1] -> watched c1
 *                [wd 2] -> watched c2 -> watched c3     the same directory under two names
 *
 * Threads: the loop's. Lifetimes: remove every directory before the instance is freed.
 */

#include <stdbool.h>
#include <sys/queue.h>

#include "pintle/base/error.h"

struct pin_loop;
struct pin_dirwatch;

/** What was seen in a directory. */
enum pin_seen {
    PIN_SEEN_WRITTEN, /**< The file was closed by a writer or moved in: it is whole. */
    PIN_SEEN_MADE,    /**< The file was made; unless it is a link, it has yet to be written. */
    PIN_SEEN_GONE,    /**< The file was deleted or moved out. */
    PIN_SEEN_TOUCHED, /**< Mode, owner or times of the file changed, not what is in it. */
    PIN_SEEN_LOST,    /**< The directory itself was deleted or moved, and may be watched no more. */
    PIN_SEEN_MUCH,    /**< Events were lost: anything may have changed. */
};

/** What a watcher of a directory does about it. */
struct pin_dirwatch_ops {
    /** One event; `name` is borrowed, "" for those of the directory. Must not add or remove. */
    void (*on_event)(void *arg, enum pin_seen seen, const char *name);
    /** All events that were there have been told. May add and remove any directory. */
    void (*on_batch)(void *arg);
};

/** One watched directory; part of its owner. Zeroed, with `ops` and `arg` set, it watches nothing.
 */
struct pin_watched {
    const struct pin_dirwatch_ops *ops;
    void *arg;
    int wd;                   /**< Of inotify; what follows is valid while it is added. */
    bool is_added;            /**< Between add and remove. */
    bool is_told;             /**< It had events, and waits for its on_batch. */
    struct pin_watched *same; /**< Next one with the same descriptor. */
    TAILQ_ENTRY(pin_watched) told;
};

/** Makes an instance, which opens nothing before a directory is added. NULL: out of memory. */
struct pin_dirwatch *pin_dirwatch_new(struct pin_loop *loop);

/** Closes it. NULL is fine. */
void pin_dirwatch_free(struct pin_dirwatch *dirwatch);

/**
 * Watches the directory at `path` from now on. Quiet.
 *
 * @param watched   Not added; stays the caller's.
 * @param ret_hint  Set on PIN_ELIMIT: what an operator can do about it; a constant.
 * @return PIN_ELIMIT when the system's limit of watches or instances is reached, PIN_EIO when the
 *         directory cannot be watched, PIN_ENOMEM; the reason is in `why`.
 */
enum pin_err pin_dirwatch_add(struct pin_dirwatch *dirwatch, struct pin_watched *watched,
    const char *path, const char **ret_hint, struct pin_why *why);

/** Watches it no more; no event of before will come. Fine when it is not added. */
void pin_dirwatch_remove(struct pin_dirwatch *dirwatch, struct pin_watched *watched);
