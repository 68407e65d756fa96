/* SPDX-License-Identifier: Apache-2.0 */

/* Waits between tries. */

#include "backoff.h"

#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#define FIRST_MS       800
#define LAST_MS        30000
#define SHORTEST_MS    20
#define HEALTHY_MS     120000
#define RETRY_AFTER_MS 600000 /* A server that asks for more is not believed. */

int64_t pin_backoff_next(struct pin_backoff *backoff, int64_t healthy_ms, int64_t retry_after_ms)
{
    if (backoff->ceiling_ms == 0 || healthy_ms >= HEALTHY_MS) {
        backoff->ceiling_ms = FIRST_MS;
    }
    int64_t wait_ms = SHORTEST_MS + pin_rand_below((uint32_t)backoff->ceiling_ms);
    int64_t last_ms = backoff->last_ms == 0 ? LAST_MS : backoff->last_ms;
    backoff->ceiling_ms = PIN_MIN(backoff->ceiling_ms * 2, last_ms);
    if (retry_after_ms > 0) { /* never earlier, and not all clients at once */
        int64_t asked_ms = PIN_MIN(retry_after_ms, (int64_t)RETRY_AFTER_MS);
        asked_ms += pin_rand_below((uint32_t)(asked_ms / 10) + 1);
        wait_ms = PIN_MAX(wait_ms, asked_ms);
    }
    return wait_ms;
}
