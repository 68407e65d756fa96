/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Timers of one thread: a heap of deadlines that are embedded in what they belong to.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** One deadline. Zeroed is not set. */
struct pin_deadline {
    int64_t at_ms;   /**< Monotonic. */
    size_t position; /**< In the heap, from 1; 0: not set. */
    void (*on_time)(struct pin_deadline *deadline, void *arg); /**< It is not set any more then. */
};

/** All that are set. Zeroed is empty. */
struct pin_timers {
    struct pin_deadline **heap; /**< From 1. */
    size_t n;
    size_t cap;
};

/** Makes room, so that `n` deadlines can be set without failing. False: out of memory. */
bool pin_timers_reserve(struct pin_timers *timers, size_t n);

/** Sets a deadline, or moves it. Room for it was reserved. Cost: a few swaps. */
void pin_timers_set(struct pin_timers *timers, struct pin_deadline *deadline, int64_t at_ms);

/** Takes a deadline out; one that is not set is left alone. */
void pin_timers_clear(struct pin_timers *timers, struct pin_deadline *deadline);

/** Calls on_time() of all that are due, the oldest first. They may set and clear others. */
void pin_timers_run(struct pin_timers *timers, int64_t now_ms, void *arg);

/** Milliseconds until the next one, at least 0 and at most `max_ms`. */
int pin_timers_wait_ms(const struct pin_timers *timers, int64_t now_ms, int max_ms);

/** Frees the heap, not the deadlines. */
void pin_timers_done(struct pin_timers *timers);
