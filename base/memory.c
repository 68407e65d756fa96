/* SPDX-License-Identifier: Apache-2.0 */

/* glibc's heaps; other C libraries have no such thing, and no such name. */

#include "pintle/base/memory.h"

#include <malloc.h>

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
