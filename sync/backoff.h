/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Back-off: how long to wait before the next try, as Kubernetes' own clients do: 0.8 s, doubled up
 * to 30 s, with full jitter, and from the start again after two healthy minutes.
 */

#include <stdint.h>

/** A zeroed struct starts at the beginning. */
struct pin_backoff {
    int64_t ceiling_ms; /**< Of the next wait; 0: the first one. */
    int64_t last_ms;    /**< Greatest ceiling; 0: 30 s. */
};

/**
 * The next wait in milliseconds.
 *
 * @param healthy_ms      How long the last try was healthy; two minutes forget what was before.
 * @param retry_after_ms  What the server asked for, or -1; waits are never shorter.
 */
int64_t pin_backoff_next(struct pin_backoff *backoff, int64_t healthy_ms, int64_t retry_after_ms);
