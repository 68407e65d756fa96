/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What a thread tells the scheduler of itself.
 */

#include <stdbool.h>

/**
 * Asks for short slices for the calling thread: when a packet wakes it, it runs at once, though
 * another thread has not used its own slice up. Its share of the processor stays the same, and no
 * privilege is needed. Under policies other than the usual one nothing changes.
 *
 * @return false: the kernel does not know slices of that length (before Linux 6.12).
 */
bool pin_thread_be_prompt(void);

/** The same with slices that are shorter than others' and longer than those of prompt threads, for
 * threads that a change passes through: they run before whoever computes, and after who answers. */
bool pin_thread_be_brisk(void);
