/* SPDX-License-Identifier: Apache-2.0 */

/* Bump allocation out of a chain of chunks that double in size. */

#include "pintle/base/arena.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#define ALIGNMENT       16U
#define CHUNK_MIN_BYTES ((size_t)16 << 10)
#define CHUNK_MAX_BYTES ((size_t)4 << 20)

struct chunk {
    struct chunk *older;
    size_t cap_bytes; /* of data */
    size_t used_bytes;
    alignas(ALIGNMENT) unsigned char data[];
};

struct pin_arena {
    const char *name;
    size_t cap_bytes;
    size_t taken_bytes; /* from the heap, chunk headers included */
    bool has_failed;    /* since the last reset */
    struct chunk *newest;
};

struct pin_arena *pin_arena_new(const char *name, size_t cap_bytes)
{
    struct pin_arena *arena = calloc(1, sizeof(*arena));
    if (arena != NULL) {
        arena->name = name;
        arena->cap_bytes = cap_bytes;
    }
    return arena;
}

static void free_chunks(struct chunk *chunk)
{
    while (chunk != NULL) {
        struct chunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
}

void pin_arena_free(struct pin_arena *arena)
{
    if (arena != NULL) {
        free_chunks(arena->newest);
        free(arena);
    }
}

/* A chunk with room for `bytes`, as large as the growth rule and the cap allow. */
static struct chunk *add_chunk(struct pin_arena *arena, size_t bytes)
{
    size_t left = arena->cap_bytes - arena->taken_bytes;
    if (left < sizeof(struct chunk) || left - sizeof(struct chunk) < bytes) {
        return NULL;
    }
    size_t want = CHUNK_MIN_BYTES;
    if (arena->newest != NULL) {
        want = PIN_MIN(arena->newest->cap_bytes * 2, CHUNK_MAX_BYTES);
    }
    want = PIN_MIN(PIN_MAX(want, bytes), left - sizeof(struct chunk));
    struct chunk *chunk = malloc(sizeof(*chunk) + want);
    if (chunk == NULL) {
        return NULL;
    }
    chunk->older = arena->newest;
    chunk->cap_bytes = want;
    chunk->used_bytes = 0;
    arena->newest = chunk;
    arena->taken_bytes += sizeof(*chunk) + want;
    return chunk;
}

/* Not zeroed. */
static void *take(struct pin_arena *arena, size_t bytes)
{
    if (bytes > arena->cap_bytes) { /* before rounding up, which could wrap */
        arena->has_failed = true;
        return NULL;
    }
    size_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->cap_bytes - chunk->used_bytes < rounded) {
        chunk = add_chunk(arena, rounded);
        if (chunk == NULL) {
            arena->has_failed = true;
            return NULL;
        }
    }
    void *at = chunk->data + chunk->used_bytes;
    chunk->used_bytes += rounded;
    return at;
}

void *pin_arena_alloc(struct pin_arena *arena, size_t bytes)
{
    void *at = take(arena, bytes);
    return at == NULL ? NULL : memset(at, 0, bytes);
}

char *pin_arena_strndup(struct pin_arena *arena, const char *text, size_t bytes)
{
    char *copy = bytes == SIZE_MAX ? NULL : take(arena, bytes + 1);
    if (copy != NULL) {
        if (bytes > 0) {
            memcpy(copy, text, bytes);
        }
        copy[bytes] = '\0';
    }
    return copy;
}

char *pin_arena_strdup(struct pin_arena *arena, const char *text)
{
    return pin_arena_strndup(arena, text, strlen(text));
}

void *pin_arena_memdup(struct pin_arena *arena, const void *data, size_t bytes)
{
    void *copy = take(arena, bytes);
    if (copy != NULL && bytes > 0) {
        memcpy(copy, data, bytes);
    }
    return copy;
}

void pin_arena_reset(struct pin_arena *arena)
{
    struct chunk *first = arena->newest;
    arena->has_failed = false;
    if (first == NULL) {
        return;
    }
    struct chunk *rest = NULL;
    while (first->older != NULL) { /* the chain runs from new to old: free all but the last */
        rest = first;
        first = first->older;
        free(rest);
    }
    first->used_bytes = 0;
    arena->newest = first;
    arena->taken_bytes = sizeof(*first) + first->cap_bytes;
}

bool pin_arena_has_failed(const struct pin_arena *arena)
{
    return arena->has_failed;
}

size_t pin_arena_used(const struct pin_arena *arena)
{
    return arena->taken_bytes;
}

const char *pin_arena_name(const struct pin_arena *arena)
{
    return arena->name;
}
