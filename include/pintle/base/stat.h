/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Counters: one thread writes, any thread reads, no lock and no locked instruction.
 *
 * Put the counters of one thread into one struct marked PIN_STAT_ALIGNED, so that two threads never
 * write to one cache line. Values are exact for each counter, not across several.
 */

#include <stdatomic.h>
#include <stdint.h>

/** Before the first member of a struct of counters: gives it cache lines of its own. */
#define PIN_STAT_ALIGNED _Alignas(64)

/** One counter or gauge; zeroed is 0. */
struct pin_stat {
    _Atomic uint64_t value; /**< Only through the functions below. */
};

/** Adds; only the counter's one writer. As cheap as a plain addition. */
static inline void pin_stat_add(struct pin_stat *stat, uint64_t n)
{
    atomic_store_explicit(&stat->value,
        atomic_load_explicit(&stat->value, memory_order_relaxed) + n, memory_order_relaxed);
}

/** Sets a gauge; only its one writer. */
static inline void pin_stat_set(struct pin_stat *stat, uint64_t value)
{
    atomic_store_explicit(&stat->value, value, memory_order_relaxed);
}

/** Reads; any thread. */
static inline uint64_t pin_stat_read(const struct pin_stat *stat)
{
    return atomic_load_explicit(&stat->value, memory_order_relaxed);
}
