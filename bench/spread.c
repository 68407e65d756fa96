/* SPDX-License-Identifier: Apache-2.0 */

/* A histogram whose buckets grow with the durations. */

#include "spread.h"

#include <stddef.h>
#include <stdio.h>

#define STEPS     (UINT64_C(1) << SPREAD_STEP_BITS)
#define NS_PER_US 1000.0

/* Below STEPS each duration has a bucket of its own; beyond, the highest bits choose. */
static size_t bucket_of(uint64_t ns)
{
    if (ns < STEPS) {
        return (size_t)ns;
    }
    unsigned shift = 63U - (unsigned)__builtin_clzll(ns) - SPREAD_STEP_BITS;
    return ((size_t)(shift + 1) << SPREAD_STEP_BITS) + (size_t)((ns >> shift) - STEPS);
}

/* The largest duration of a bucket. */
static uint64_t end_of(size_t bucket)
{
    if (bucket < STEPS) {
        return bucket;
    }
    unsigned shift = (unsigned)(bucket >> SPREAD_STEP_BITS) - 1;
    return ((STEPS + (bucket & (STEPS - 1)) + 1) << shift) - 1;
}

void pin_spread_add(struct pin_spread *spread, uint64_t ns)
{
    spread->n++;
    spread->buckets[bucket_of(ns)]++;
    spread->max_ns = ns > spread->max_ns ? ns : spread->max_ns;
}

uint64_t pin_spread_quantile(const struct pin_spread *spread, double share)
{
    uint64_t wanted = (uint64_t)((double)spread->n * share);
    uint64_t seen = 0;

    for (size_t i = 0; i < SPREAD_N_BUCKET; i++) {
        seen += spread->buckets[i];
        if (seen > wanted) {
            uint64_t end_ns = end_of(i);
            return end_ns < spread->max_ns ? end_ns : spread->max_ns;
        }
    }
    return spread->max_ns;
}

void pin_spread_print(const struct pin_spread *spread)
{
    static const struct {
        const char *key;
        double share;
    } columns[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}};

    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++) {
        uint64_t ns = pin_spread_quantile(spread, columns[i].share);
        (void)printf(" %s=%.1f", columns[i].key, (double)ns / NS_PER_US);
    }
    (void)printf(" max_us=%.1f", (double)spread->max_ns / NS_PER_US);
}
