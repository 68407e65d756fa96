/* SPDX-License-Identifier: Apache-2.0 */

/* glibc's heaps; other C libraries have no such thing, and no such name. */

#include "pintle/base/memory.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#if defined(M_ARENA_MAX)
void pin_memory_share(void)
{
    (void)mallopt(M_ARENA_MAX, 1); /* NOLINT(concurrency-mt-unsafe): no thread yet */
}

void pin_memory_trim(void)
{
    (void)malloc_trim(0);
}
#else
void pin_memory_share(void)
{
}

void pin_memory_trim(void)
{
}
#endif

#if defined(M_ARENA_MAX) && !defined(PIN_INSTRUMENTED)

/* glibc gives all that is larger pages of its own (DEFAULT_MMAP_THRESHOLD_MAX), which go back to
 * the system when it is freed. */
#define WIPE_MAX_BYTES ((size_t)32 << 20)

typedef void free_fn(void *block);

/* The free() that stands behind this one: libc's, or that of an allocator put before it. */
static free_fn *real_free(void)
{
    static _Atomic(free_fn *) known;
    free_fn *real = atomic_load_explicit(&known, memory_order_relaxed);
    if (real == NULL) {
        void *at = dlsym(RTLD_NEXT, "free");
        memcpy(&real, &at, sizeof(real)); /* C has no cast from data to functions */
        atomic_store_explicit(&known, real, memory_order_relaxed);
    }
    return real;
}

/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): its names are reserved */
__attribute__((visibility("default"))) void free(void *block)
{
    if (block == NULL) {
        return;
    }
    size_t bytes = malloc_usable_size(block);
    if (bytes <= WIPE_MAX_BYTES) {
        explicit_bzero(block, bytes);
    }
    real_free()(block);
}

typedef void *realloc_fn(void *block, size_t bytes);

/* libc's, for what is so large that it is moved by its pages. */
static void *real_realloc(void *block, size_t bytes)
{
    static _Atomic(realloc_fn *) known;
    realloc_fn *real = atomic_load_explicit(&known, memory_order_relaxed);
    if (real == NULL) {
        void *at = dlsym(RTLD_NEXT, "realloc");
        memcpy(&real, &at, sizeof(real));
        atomic_store_explicit(&known, real, memory_order_relaxed);
    }
    return real(block, bytes);
}

/* libc's would free what was before it grew, and that is no call of free(). */
/* NOLINTNEXTLINE(readability-inconsistent-declaration-parameter-name): its names are reserved */
__attribute__((visibility("default"))) void *realloc(void *block, size_t bytes)
{
    size_t had = block == NULL ? 0 : malloc_usable_size(block);
    if (block == NULL || had > WIPE_MAX_BYTES) {
        return real_realloc(block, bytes);
    }
    if (bytes == 0) {
        free(block);
        return NULL;
    }
    if (bytes <= had && bytes >= had / 2) {
        return block;
    }
    void *moved = malloc(bytes);
    if (moved == NULL) {
        return bytes <= had ? block : NULL; /* what shrinks needs no memory */
    }
    memcpy(moved, block, PIN_MIN(had, bytes));
    free(block);
    return moved;
}
#endif
