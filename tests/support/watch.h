/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Watch: what threads do between receiving and sending. A test that includes this header is linked
 * so that our own calls of allocator, locks and sockets pass through here; system calls, also those
 * of libraries, are caught by the kernel (prctl(2), PR_SET_SYSCALL_USER_DISPATCH).
 *
 * A *window* opens when recvmmsg() or recv() has brought something to a watched thread, and ends
 * with its next call that sends or waits. The thread that calls watch_start() is not watched.
 */

#include <stdbool.h>
#include <stdint.h>

/** What happened inside windows. */
struct watched {
    uint64_t n_windows;
    uint64_t n_allocations; /**< Calls of the allocator, free() too. */
    uint64_t n_locks;       /**< Mutexes, rwlocks, spin locks, condition variables, semaphores. */
    uint64_t n_system_calls;
    long last_system_call; /**< Its number; -1: there was none. */
};

/** Whether the kernel can tell of system calls. Without it a test cannot prove anything. */
bool watch_is_able(void);

/** Watches every other thread of the process from its next window on. Counts begin at 0. */
void watch_start(void);

/** Sets the counts to 0. */
void watch_reset(void);

/** The counts so far. */
struct watched watch_read(void);

/** Stops watching. */
void watch_stop(void);
