/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Batches: many changes in few requests, and a change that the server will not have found out by
 * halving the request it stands in.
 *
 *     [a b c d e f] refused -> [a b c] fine, [d e f] refused -> [d] fine, [e f] refused -> e, f
 *
 *     pin_batch_new; while (pin_batch_next(&first, &n)) { send; pin_batch_settle(verdict) }
 *
 * Pure; no I/O, no clock. The changes themselves are not seen, only how many they are and what
 * each weighs.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "provider.h"

struct pin_batch;

/** What one request may hold. 0: no limit. A change that is too much alone goes alone. */
struct pin_batch_limits {
    size_t n_changes;
    size_t weight;     /**< Sum of the changes' weights: bytes, records, ... */
    size_t n_requests; /**< All of the run; 0: PIN_BATCH_REQUESTS_MAX. */
};

/** Requests of one run, unless told otherwise; what they do not reach is PIN_PROVIDER_RETRY. */
#define PIN_BATCH_REQUESTS_MAX 500u

/**
 * Begins a run.
 *
 * @param weights  One per change, copied; NULL: each weighs 1.
 * @return NULL when memory is out.
 */
struct pin_batch *pin_batch_new(
    size_t n_changes, const size_t *weights, const struct pin_batch_limits *limits);

/** Frees it. NULL is fine. */
void pin_batch_free(struct pin_batch *batch);

/** What is sent next: n changes from `first` on. The same until it is settled. False: all is said.
 */
bool pin_batch_next(struct pin_batch *batch, size_t *ret_first, size_t *ret_n);

/**
 * Says what became of what was sent. APPLIED and UNKNOWN are every change's of it; REFUSED and
 * CONFLICT halve it, or are the verdict where it is one alone; RETRY sends the same once more.
 *
 * @param message  Copied; NULL is "".
 */
void pin_batch_settle(
    struct pin_batch *batch, enum pin_provider_verdict verdict, const char *message);

/** As above, but halving is of no use: every change of it has that verdict. */
void pin_batch_settle_all(
    struct pin_batch *batch, enum pin_provider_verdict verdict, const char *message);

/** Ends the run: what was sent and not settled has `verdict`, what never was PIN_PROVIDER_RETRY. */
void pin_batch_stop(
    struct pin_batch *batch, enum pin_provider_verdict verdict, const char *message);

/** What became of each change. Borrowed; final once pin_batch_next() says false. */
const struct pin_provider_result *pin_batch_results(const struct pin_batch *batch);
