/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Starter: the small process beside a daemon that starts the next one in its place.
 *
 * What a daemon gives up at its start (sandbox.h), all that it starts would lack, too. So a process
 * is made before that which gives up nothing, has nothing, and waits. It knows the program's path,
 * its arguments and its environment, which no message changes.
 *
 *     daemon                                       starter
 *     pin_starter_new                              closes all but 0, 1, 2 and its end; waits
 *     pin_starter_start -- a pipe, sockets ------> starts the next one (handover.h)
 *     pin_starter_hear <-- its id, or why not ----
 *     pin_starter_hear <-- its end, if it ends ---
 *     pin_starter_keep --------------------------> ends, and lets it live
 *     ends ------- end of file ------------------> ends what is not kept, and itself
 *
 * There is one next process at a time. Threads: one, the one that made it, before any other.
 * Nothing here logs; nothing waits but pin_starter_new() for the kernel, and pin_starter_keep().
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pintle/base/error.h"

struct pin_starter;

/** Its name in lists of processes. */
#define PIN_STARTER_NAME "pintled-starter"

/**
 * Makes the process, which is to start this program's file with these arguments and the
 * environment of now, as the user of now. Before anything secret is read: it has a copy of all
 * memory.
 *
 * @param argv  In the starter these strings are overwritten, with its name.
 * @return PIN_ENOMEM, PIN_EIO when there can be none.
 */
enum pin_err pin_starter_new(
    char *const *argv, struct pin_starter **ret_starter, struct pin_why *why);

/** Leaves it, and with it what it has started and was not told to keep. NULL is fine. */
void pin_starter_free(struct pin_starter *starter);

/** Readable when there is something to hear. Borrowed; -1: it has ended, or NULL. */
int pin_starter_fd(const struct pin_starter *starter);

/**
 * Has the next process started, with sockets as in handover.h.
 *
 * @param fds          1 to PIN_HANDOVER_MAX; the caller's, as before.
 * @param ret_said_fd  Readable when it is ready (one byte) or has closed all (none); the caller's.
 * @return PIN_ECLOSED: the starter has ended. Others: nothing was asked of it.
 */
enum pin_err pin_starter_start(
    struct pin_starter *starter, const int *fds, size_t n, int *ret_said_fd, struct pin_why *why);

/** What the starter has said. */
enum pin_starter_word {
    PIN_STARTER_NOTHING, /**< There is no more for now. */
    PIN_STARTER_STARTED, /**< The next process is there. */
    PIN_STARTER_FAILED,  /**< It could not be started. */
    PIN_STARTER_ENDED,   /**< It has ended. */
    PIN_STARTER_GONE,    /**< The starter itself has ended; said once, then there is no fd. */
};

/** A word and what goes with it. */
struct pin_starter_news {
    enum pin_starter_word word;
    pid_t pid;          /**< Of the next process. */
    int status;         /**< PIN_STARTER_ENDED: as of waitpid(2). */
    struct pin_why why; /**< PIN_STARTER_FAILED */
};

/** Takes the next word. */
struct pin_starter_news pin_starter_hear(struct pin_starter *starter);

/**
 * The next process has taken over: it is to live on, and the starter ends. By that the next one is
 * a child of who adopts orphans, which is systemd for a service of it: systemd hears of the end of
 * its children, and of nobody else's.
 *
 * Waits for that end, for one second at most; commonly less than a millisecond. There is no fd any
 * more, and nothing to hear.
 */
void pin_starter_keep(struct pin_starter *starter);

/** Ends the next process at once; its end is heard as any other. */
void pin_starter_kill(struct pin_starter *starter);
