/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Life of a forward thread, for resolver/forward.c.
 */

#include "forward_thread.h"

/** Makes and starts one; *ret_thread is set even when that fails half-way. */
enum pin_err pin_forward_thread_start(struct pin_forward *forward, uint32_t thread_i,
    struct pin_forward_thread **ret_thread, struct pin_why *why);

/** One turn of its loop: waits at most so long, then does whatever has come and whatever is due.
 * True: there may be more at once. The thread itself; it is online (base/rcu.h) before and after.
 */
bool pin_forward_thread_turn(struct pin_forward_thread *thread, int wait_ms);

/** Joins it. NULL is fine. */
void pin_forward_thread_halt(struct pin_forward_thread *thread);

/** Frees it, when it was halted. NULL is fine. */
void pin_forward_thread_free(struct pin_forward_thread *thread);
