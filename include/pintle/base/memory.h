/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Memory: how the process takes it from the system.
 *
 * Whoever links this has free() and realloc() that overwrite what they give up, for all libraries
 * of the process: secrets pass through many of them (docs/decisions/0051). Both behave as libc's
 * otherwise, from any thread; the cost is one write of what is freed. They stand before libc's or
 * before an allocator that was preloaded. Not in builds with a sanitizer or coverage, and not with
 * another C library than glibc.
 */

/**
 * Has all threads share one heap. By default each has its own, and what one thread allocates and
 * another one frees serves nobody else: with 10,000 Services a sixth of the memory. Few threads
 * allocate at the same time, and none while it answers. Before any thread is started.
 */
void pin_memory_share(void);

/**
 * Gives back to the system what is free between things that stay. Whoever allocates meanwhile
 * waits: some 10 ms at 200 MB. Any thread but a worker.
 */
void pin_memory_trim(void);
