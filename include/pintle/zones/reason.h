/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Reasons: why an answer is as it is, one word each. The words are stable: query log, dnstap and
 * docs/codes.md have them, and explanations.
 */

#include "pintle/zones/table.h"

/** One row a reason: its name, its word, what it means. */
#define PIN_REASON_MAP(X)                                                                          \
    X(NONE, "-", "unknown")                                                                        \
    X(MALFORMED, "malformed", "the message is no question that is answered")                       \
    X(COOKIE, "cookie", "a DNS cookie is asked for first")                                         \
    X(SIGNATURE, "signature", "the signature of the question is not good")                         \
    X(TRANSFER, "transfer", "a zone transfer, or why there is none")                               \
    X(REFUSED, "refused", "the name is not ours, and the asker may not have it forwarded")         \
    X(POLICY, "policy", "a policy keeps the name from this asker")                                 \
    X(NOT_READY, "not-ready", "not every cluster has been listed yet")                             \
    X(FAILED, "failed", "an answer could not be made")                                             \
    X(FORWARDED, "forwarded", "by another resolver, now or from the cache")                        \
    X(REFERRAL, "referral", "the name is delegated to others")                                     \
    X(NO_NAME, "no-name", "the name does not exist")                                               \
    X(NO_DATA, "no-data", "the name exists, but shows nothing of the type to this asker")          \
    X(WHOLE, "whole", "every record that the asker's view shows")                                  \
    X(DRAWN, "drawn", "drawn by weight")                                                           \
    X(PROBED, "probed", "drawn by weight from what probes left")                                   \
    X(STICKY, "sticky", "chosen by the asker's address")                                           \
    X(SYNTHESISED, "synthesised",                                                                  \
        "made from the name itself: pods, endpoints, reverse names, `localhost`")

/** Why. */
enum pin_reason {
#define X(name, word, meaning) PIN_REASON_##name,
    PIN_REASON_MAP(X)
#undef X
        PIN_REASON_MAX,
};

/** The word; "-" for what is none. Static. */
static inline const char *pin_reason_word(enum pin_reason reason)
{
    static const char *const words[PIN_REASON_MAX] = {
#define X(name, word, meaning) (word), /* in the order of the names */
        PIN_REASON_MAP(X)
#undef X
    };
    return reason < PIN_REASON_MAX ? words[reason] : words[PIN_REASON_NONE];
}

/** Why a table's records are what is answered. */
static inline enum pin_reason pin_reason_of_table(const struct pin_table *table)
{
    if (table->is_sticky) {
        return PIN_REASON_STICKY;
    }
    if (table->form != PIN_TABLE_DRAWN || table->is_whole) {
        return PIN_REASON_WHOLE;
    }
    return pin_table_checked(table) != NULL ? PIN_REASON_PROBED : PIN_REASON_DRAWN;
}
