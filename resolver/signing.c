/* SPDX-License-Identifier: Apache-2.0 */

/* Queries that are signed: believed or told why not. */

#include "signing.h"

#include "pintle/base/clock.h"

#define MS_PER_S 1000

bool pin_signing_check(const struct pin_tsig_keys *keys, const struct pin_query *query,
    struct pin_response *response, struct pin_tsig *tsig)
{
    uint64_t wall_s = (uint64_t)pin_clock_wall_ms() / MS_PER_S;
    enum pin_tsig_verdict verdict =
        pin_tsig_verify(keys, response->wire, query->message_bytes, query->tsig_at, wall_s, tsig);
    switch (verdict) {
    case PIN_TSIG_GOOD:
        break;
    case PIN_TSIG_BAD:
        response->rcode = PIN_RCODE_NOTAUTH;
        break;
    case PIN_TSIG_FORMERR:
        response->rcode = PIN_RCODE_FORMERR;
        return false;
    default:
        response->rcode = PIN_RCODE_SERVFAIL;
        return false;
    }
    pin_response_seal(response, tsig, wall_s);
    return verdict == PIN_TSIG_GOOD;
}
