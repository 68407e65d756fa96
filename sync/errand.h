/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Errand: work that takes too long for the event loop, done once in a thread of its own.
 *
 *     loop    start ................ done        or   cancel: waits for the work, no done
 *     thread        work, then ends
 *
 * What `arg` points to is the thread's from start to done or cancel.
 */

struct pin_errand;
struct pin_loop;

/** The work, in the thread; and what follows, on the loop. */
typedef void pin_errand_fn(void *arg);

/** Starts it. NULL when memory or threads are out: nobody is called then. */
struct pin_errand *pin_errand_start(
    struct pin_loop *loop, pin_errand_fn *work, pin_errand_fn *done, void *arg);

/** Waits for the work; done is not called. What the errand holds goes back when the loop turns the
 * next time. Not from `done`, where there is none any more. NULL is fine. */
void pin_errand_cancel(struct pin_errand *errand);
