/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Event loop: timers, file descriptors, signals, and calls posted from other threads. The one door
 * to libevent, whose types nobody else sees.
 *
 * Threads: a loop belongs to the thread that runs it. Only pin_loop_post() and pin_loop_stop() may
 * be called from others. Callbacks may start, stop and free anything, themselves included.
 * Lifetimes: free timers, watchers and signals before their loop. Timers follow the real clock.
 */

#include <stdbool.h>
#include <stdint.h>

struct pin_loop;
struct pin_timer;
struct pin_fd;
struct pin_signal;

/** What a descriptor is watched for, and what it is ready for; or-ed. */
enum {
    PIN_FD_READ = 1,
    PIN_FD_WRITE = 2,
};

/** Called by timers and posted calls. */
typedef void pin_loop_fn(void *arg);
/** Called when a descriptor is ready; `what` is PIN_FD_READ, PIN_FD_WRITE or both. */
typedef void pin_fd_fn(int fd, int what, void *arg);
/** Called on the loop's thread after a signal, never in the signal handler. */
typedef void pin_signal_fn(int signo, void *arg);

/** Makes a loop. NULL when out of memory or descriptors. */
struct pin_loop *pin_loop_new(void);

/** Frees a loop that does not run. Posted calls that never ran are dropped. NULL is fine. */
void pin_loop_free(struct pin_loop *loop);

/** Runs callbacks until pin_loop_stop(); then runs once more what was posted, and returns. */
void pin_loop_run(struct pin_loop *loop);

/** Runs what is ready now, at most `timeout_ms` waiting for the first event, and returns. For
 * tests. */
void pin_loop_poll(struct pin_loop *loop, int64_t timeout_ms);

/** Has fn(arg) called at the end of each turn of pin_loop_run(), when all callbacks that were due
 * have run and before it waits; one function for a loop, NULL for none. */
void pin_loop_on_turn(struct pin_loop *loop, pin_loop_fn *fn, void *arg);

/** Whether a turn of pin_loop_run() is under way, whose end is told. The loop's thread. */
bool pin_loop_is_turning(const struct pin_loop *loop);

/** Makes pin_loop_run() return soon; also one that starts later, once. Any thread. */
void pin_loop_stop(struct pin_loop *loop);

/** Calls fn(arg) on the loop's thread, in the order of posting. Any thread. False: out of memory.
 */
bool pin_loop_post(struct pin_loop *loop, pin_loop_fn *fn, void *arg);

/** libevent's event_base, for the one file that serves HTTP with it. Borrowed. */
void *pin_loop_raw(struct pin_loop *loop);

/** Makes a timer that is not running. NULL when out of memory. */
struct pin_timer *pin_timer_new(struct pin_loop *loop, pin_loop_fn *fn, void *arg);

/** Starts it, or starts it over: first call after `ms`, then every `ms` if `repeat`. 0 is soon. */
void pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat);

/** Stops it; fine when it does not run. */
void pin_timer_stop(struct pin_timer *timer);

/** True between start and its last call or stop. */
bool pin_timer_is_running(const struct pin_timer *timer);

/** Stops and frees it. NULL is fine. */
void pin_timer_free(struct pin_timer *timer);

/**
 * Watches a descriptor, level-triggered. NULL when out of memory or when the descriptor cannot be
 * watched (a regular file). The descriptor stays the caller's; free the watcher before closing it.
 *
 * @param what  PIN_FD_READ, PIN_FD_WRITE, both, or 0 for nothing yet.
 */
struct pin_fd *pin_fd_new(struct pin_loop *loop, int fd, int what, pin_fd_fn *fn, void *arg);

/** Watches for something else from now on; 0 pauses. False when the system refuses. */
bool pin_fd_change(struct pin_fd *watch, int what);

/** Stops watching and frees the watcher. NULL is fine. */
void pin_fd_free(struct pin_fd *watch);

/** Calls fn on the loop's thread for each `signo`; at most one loop of the process takes signals.
 */
struct pin_signal *pin_signal_new(struct pin_loop *loop, int signo, pin_signal_fn *fn, void *arg);

/** Gives the signal its former handler back. NULL is fine. */
void pin_signal_free(struct pin_signal *signal);
