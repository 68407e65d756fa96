/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Signing: what a query's TSIG means for its answer (RFC 8945, section 5.2).
 */

#include <stdbool.h>

#include "pintle/zones/tsig.h"

#include "query.h"
#include "response.h"

/**
 * Verifies the TSIG of a query that has one, and has the answer signed: with the same key, or with
 * a TSIG that says what is wrong. Before RRs are added, at most once per answer.
 *
 * @param keys      NULL: none is known.
 * @param response  Its buffer holds the query still. Its rcode is set when the query is not to be
 *                  answered.
 * @param tsig      Filled; lives until the answer is finished.
 * @return Whether the query may be answered.
 */
bool pin_signing_check(const struct pin_tsig_keys *keys, const struct pin_query *query,
    struct pin_response *response, struct pin_tsig *tsig);
