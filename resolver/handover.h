/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Handover: sockets that are listened on go from one process to the next, which has the same
 * arguments and perhaps another binary.
 *
 *     one process          its starter (starter.h)       the next
 *     sockets, a pipe ---> pin_handover_spawn --------> pin_handover_take
 *                                                       pin_handover_find, for each it wants
 *     pin_handover_hear <--- "1", process id ---------- pin_handover_ready
 *     or the end: it has failed
 *     closes the pipe --------------------------------> pin_handover_is_over
 *
 * Both hold the same sockets, so what waits in them is read by the one or by the other.
 */

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"

/** Most sockets that are handed over. */
#define PIN_HANDOVER_MAX 1024u

/** What came from the process before. */
struct pin_handover {
    int said_fd; /**< Where to say that we are ready; -1: there is none before us. */
    size_t n;
    int fds[PIN_HANDOVER_MAX]; /**< Those nobody has found yet. */
};

/** Takes what was handed over out of the environment; true when there was something. Before other
 * threads. */
bool pin_handover_take(struct pin_handover *ret_handover);

/** A socket of that type (SOCK_STREAM, SOCK_DGRAM) bound to that address, port 0 being any; the
 * caller's from now on. -1: there is none. NULL is fine. */
int pin_handover_find(struct pin_handover *handover, const struct pin_addrport *address, int type);

/**
 * Closes what nobody wanted, and says that we are ready, and who we are: what the starter says of
 * that may come later.
 *
 * @return False: nobody hears it, so the process before has ended or does not want us any more.
 */
bool pin_handover_ready(struct pin_handover *handover);

/**
 * Hears whether the next one is ready; a pipe that can be read.
 *
 * @param ret_pid  Who said so; 0: an older version, which does not tell.
 * @return False: it has closed the pipe.
 */
bool pin_handover_hear(int said_fd, pid_t *ret_pid);

/** Whether the process before has heard it and told others who goes on. Once true, always. */
bool pin_handover_is_over(struct pin_handover *handover);

/** Takes what was handed over out of the environment, unread: it is for another process. */
void pin_handover_forget(void);

/** The next process, and what it gets. */
struct pin_handover_next {
    const char *program; /**< Its path. */
    char *const *argv;
    const sigset_t *mask; /**< Signals that wait at its start. */
    const int *fds;       /**< First the end of the pipe, then sockets. */
    size_t n;             /**< At most PIN_HANDOVER_MAX + 1. */
};

/** Starts the next process, a child of this one. */
enum pin_err pin_handover_spawn(
    const struct pin_handover_next *next, pid_t *ret_pid, struct pin_why *why);
