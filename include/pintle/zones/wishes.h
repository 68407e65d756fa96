/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Wishes: names that were asked for and are not compiled yet, while a restored state is.
 *
 * A worker leaves what it could not answer, the builder compiles it before all else. What finds no
 * place is lost: whoever wants to know asks again. Neither side waits, locks or allocates.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/name.h"

/** Names that may be wished for at a time. */
#define PIN_WISHES_MAX 64u

/** One place. */
struct pin_wish {
    _Atomic uint32_t state; /**< 0 free, 1 being written, 2 to be taken. */
    uint8_t bytes;
    uint8_t wire[PIN_NAME_MAX_BYTES];
};

/** Zeroed is empty. */
struct pin_wishes {
    struct pin_wish places[PIN_WISHES_MAX];
};

/** Leaves a name (wire format, lower case). `place` is any number, best the name's hash. Any
 * thread; `wishes` may be NULL. */
static inline void pin_wishes_put(
    struct pin_wishes *wishes, uint64_t place, const uint8_t *wire, size_t bytes)
{
    struct pin_wish *wish = wishes != NULL ? &wishes->places[place % PIN_WISHES_MAX] : NULL;
    uint32_t state = 0;
    if (wish == NULL || bytes > sizeof(wish->wire)
        || !atomic_compare_exchange_strong(&wish->state, &state, 1)) {
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        wish->wire[i] = wire[i];
    }
    wish->bytes = (uint8_t)bytes;
    atomic_store_explicit(&wish->state, 2, memory_order_release);
}
