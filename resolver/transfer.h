/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Transfers out: AXFR (RFC 5936) and IXFR (RFC 1995) of custom and static zones.
 *
 *     worker   who may? -> pins the zone's edition, takes a slot -> PIN_ANSWER_SOURCE
 *     stream   pulls one message after the other, as the client takes them -> unpins, gives back
 *
 * A transfer reads one edition from its first record to its last, whatever is published meanwhile;
 * nothing is copied but the message that is sent next. Slots are made at the start.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/ip.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/tsig.h"

#include "query.h"
#include "response.h"
#include "stats.h"

/** Most transfers at a time. */
#define PIN_TRANSFERS_MAX 64u

#define PIN_TYPE_IXFR 251u
#define PIN_TYPE_AXFR 252u

/** Who may have one zone: whoever asks from one of the ranges, or signs with one of the keys. */
struct pin_transfer_rule {
    struct pin_name zone;
    const struct pin_prefix *ranges;
    size_t n_ranges;
    const struct pin_tsig_key *const *keys;
    size_t n_keys;
};

struct pin_transfers;

/** Makes the slots. Rules are borrowed and outlive them. NULL: memory is out. */
struct pin_transfers *pin_transfers_new(const struct pin_transfer_rule *rules, size_t n_rules);

/** Goes on with the slots of `before`, so that its transfers under way count. Nobody has used
 * `transfers` yet. */
void pin_transfers_inherit(struct pin_transfers *transfers, const struct pin_transfers *before);

/** Frees them, and the slots if nobody else has them: then no stream may be left. NULL is fine. */
void pin_transfers_free(struct pin_transfers *transfers);

/** A query for a transfer, and what is needed for its answer. */
struct pin_transfer_ask {
    const struct pin_live *live;
    const struct pin_query *query;
    const struct sockaddr *peer;
    enum pin_transport transport;
    struct pin_stats *stats; /**< Of the thread that answers and sends. */
};

/**
 * Settles a query for AXFR or IXFR: an error or a single SOA in `response`, or response->source is
 * the transfer. The query is in the response's buffer still. An online RCU reader calls.
 *
 * @param transfers  NULL: nobody may transfer anything.
 */
void pin_transfer_settle(struct pin_transfers *transfers, const struct pin_transfer_ask *ask,
    struct pin_response *response);
