/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * NOTIFY out (RFC 1996): tells secondaries that a zone has a later serial.
 *
 * A change is told at once, further ones of the same zone at most once a second; who does not
 * answer is told again, less and less often. Control.
 */

#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/base/loop.h"
#include "pintle/zones/table.h"
#include "pintle/zones/tsig.h"

/** Whom to tell about one zone. */
struct pin_notify_zone {
    const struct pin_zone *zone; /**< Its `shipped` serial is what is told. */
    const struct pin_addrport *targets;
    size_t n_targets;
    const struct pin_tsig_key *key; /**< What messages are signed with; NULL: nothing. */
};

/** Sums since the start. */
struct pin_notify_stats {
    uint64_t n_sent;
    uint64_t n_answered;
    uint64_t n_given_up;
};

struct pin_notifier;

/** Makes a notifier that has told nobody yet; `zones` is copied, what it points at is borrowed.
 * NULL: memory is out. */
struct pin_notifier *pin_notifier_new(
    struct pin_loop *loop, const struct pin_notify_zone *zones, size_t n_zones);

/** Looks for zones whose serial has moved, and begins to tell. */
void pin_notifier_look(struct pin_notifier *notifier);

/** What happened so far. */
struct pin_notify_stats pin_notifier_stats(const struct pin_notifier *notifier);

/** Stops and frees. NULL is fine. */
void pin_notifier_free(struct pin_notifier *notifier);
