/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Audit: who would be denied by policies that only audit, told in the log, off the answer path.
 *
 *     worker -> ring of a few samples, lost when full -> control, once a second -> log
 *
 * Every denial is counted all the same (stats.h); the log gets samples.
 */

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/loop.h"
#include "pintle/zones/name.h"
#include "pintle/zones/policy.h"
#include "pintle/zones/settings.h"

/** Samples a worker's ring holds: more are lost, and counted. */
#define PIN_AUDIT_SAMPLES 16u

/** One question that a policy would have refused. */
struct pin_audit_sample {
    uint16_t slot;       /**< Of the policy. */
    uint16_t cluster_id; /**< The asker's, or PIN_CLUSTER_NONE. */
    uint16_t qtype;
    uint8_t namespace_bytes; /**< 0: unknown. */
    uint8_t qname_bytes;
    struct pin_prefix address;
    char namespace_name[PIN_LABEL_MAX_BYTES];
    uint8_t qname[PIN_NAME_MAX_BYTES + 1];
};

/** Hand-over from one worker to control, without a lock. Zeroed is empty. */
struct pin_audit_ring {
    _Atomic uint32_t n_put;   /**< The worker's. */
    _Atomic uint32_t n_taken; /**< Control's. */
    struct pin_audit_sample samples[PIN_AUDIT_SAMPLES];
};

/** Room for one more sample, to be filled and committed; NULL while the ring is full. Its worker.
 */
static inline struct pin_audit_sample *pin_audit_begin(struct pin_audit_ring *ring)
{
    uint32_t n_put = atomic_load_explicit(&ring->n_put, memory_order_relaxed);
    uint32_t n_taken = atomic_load_explicit(&ring->n_taken, memory_order_acquire);
    return n_put - n_taken < PIN_AUDIT_SAMPLES ? &ring->samples[n_put % PIN_AUDIT_SAMPLES] : NULL;
}

/** Hands over what begin gave. Its worker. */
static inline void pin_audit_commit(struct pin_audit_ring *ring)
{
    uint32_t n_put = atomic_load_explicit(&ring->n_put, memory_order_relaxed);
    atomic_store_explicit(&ring->n_put, n_put + 1, memory_order_release);
}

/** Takes the oldest sample; false when there is none. Control. */
bool pin_audit_take(struct pin_audit_ring *ring, struct pin_audit_sample *ret_sample);

/** Writes "would deny NAME TYPE to ADDRESS (cluster c1, namespace apps): Kind c1/ns/name". */
void pin_audit_format(const struct pin_audit_sample *sample, const struct pin_settings *settings,
    const struct pin_policy_labels *labels, char *text, size_t text_bytes);

struct pin_workers;
struct pin_auditor;

/** What an auditor needs; all outlive it. */
struct pin_audit_config {
    struct pin_loop *loop;
    struct pin_workers *workers;
    const struct pin_settings *settings;
    const struct pin_policy_labels *labels;
};

/** Starts looking once a second; NULL when memory is out. */
struct pin_auditor *pin_auditor_new(const struct pin_audit_config *config);

/** Names clusters by other settings from now on. */
void pin_auditor_follow(struct pin_auditor *auditor, const struct pin_settings *settings);

/** Ends it. NULL is fine. */
void pin_auditor_free(struct pin_auditor *auditor);
