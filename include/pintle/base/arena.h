/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Arena: many small allocations that die together, with a name and a cap.
 *
 *     [chunk 64 KiB | used....... free]  ->  [chunk 128 KiB ...]  -> ... never past cap_bytes
 *
 * Threads: one at a time; no lock inside.
 */

#include <stdbool.h>
#include <stddef.h>

struct pin_arena;

/**
 * Makes an empty arena. NULL when out of memory.
 *
 * @param name       Static text, for error messages; borrowed for the arena's life.
 * @param cap_bytes  What all chunks together may take from the heap.
 */
struct pin_arena *pin_arena_new(const char *name, size_t cap_bytes);

/** Frees the arena and all that was allocated from it. NULL is fine. */
void pin_arena_free(struct pin_arena *arena);

/**
 * Zeroed memory, aligned to 16 bytes, until reset or free; NULL past the cap or out of memory.
 * 0 bytes give a valid pointer. Cost: a bump; now and then one malloc.
 */
void *pin_arena_alloc(struct pin_arena *arena, size_t bytes);

/** A NUL-terminated copy of the first `bytes` bytes of `text`; NULL as above. NULs are copied. */
char *pin_arena_strndup(struct pin_arena *arena, const char *text, size_t bytes);

/** A copy of a NUL-terminated text; NULL as above. */
char *pin_arena_strdup(struct pin_arena *arena, const char *text);

/** A copy of `bytes` bytes; NULL as above. */
void *pin_arena_memdup(struct pin_arena *arena, const void *data, size_t bytes);

/** Forgets all allocations and keeps the first chunk for the next round. */
void pin_arena_reset(struct pin_arena *arena);

/** Whether an allocation was refused since the last reset: what was made of the others is not
 * whole.
 */
bool pin_arena_has_failed(const struct pin_arena *arena);

/** Bytes taken from the heap so far. */
size_t pin_arena_used(const struct pin_arena *arena);

/** The name given to pin_arena_new(). */
const char *pin_arena_name(const struct pin_arena *arena);
