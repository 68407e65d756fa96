/* SPDX-License-Identifier: Apache-2.0 */

/* Whatever an API server says a Lease is: what is read of it has bounds. */

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/arena.h"

#include "fuzz/require.h"
#include "sync/lease.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pin_lease_seen seen;
    struct pin_why why = {0};
    struct pin_arena *arena = pin_arena_new("fuzz", (size_t)16 << 20);
    if (pin_lease_read((const char *)data, size, arena, &seen, &why) == PIN_OK) {
        require(seen.version[0] != '\0' && memchr(seen.version, '\0', sizeof(seen.version)));
        require(memchr(seen.holder, '\0', sizeof(seen.holder)) != NULL);
        require(seen.duration_s >= 1 && seen.duration_s <= 3600);
        require(seen.n_transitions >= 0 && seen.n_transitions < INT32_MAX);
    }
    pin_arena_free(arena);
    return 0;
}
