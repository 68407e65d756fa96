/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Zone transfer as a client: messages in, a whole zone out, or a fault (RFC 5936, 1995, 8945).
 *
 *     AXFR   SOA 7, records ..., SOA 7
 *     IXFR   SOA 7, [SOA 5, what went, SOA 6, what came], [SOA 6, ..., SOA 7, ...], SOA 7
 *            SOA 5 alone: nothing has changed
 *            or as an AXFR
 *
 * What came is believed only when all of it is there: both SOAs, in order, and a good signature
 * over the last message when there is a key. Pure: no I/O, the time is a parameter.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/tsig.h"

#include "provider.h"

struct pin_xfr;

/** What was asked for. Texts and sets stay until pin_xfr_free(). */
struct pin_xfr_spec {
    const char *zone; /**< Canonical. */
    uint16_t id;
    bool is_incremental; /**< IXFR, from `serial` on. */
    uint32_t serial;
    const struct pin_recordset *known; /**< The zone at that serial. */
    size_t n_known;
    const struct pin_tsig *tsig; /**< As the request left it, copied; NULL: not signed. */
};

/** What is to be done next. */
enum pin_xfr_state {
    PIN_XFR_MORE,
    PIN_XFR_WHOLE, /**< All is there: pin_xfr_finish() makes the listing of it. */
    PIN_XFR_DONE,  /**< The listing is whole. */
    PIN_XFR_AGAIN, /**< The differences cannot be used: ask for all of it. */
    PIN_XFR_FAULT, /**< The listing says why. */
};

/** Messages that may come without a signature before one that has it (RFC 8945, section 5.3.1). */
#define PIN_XFR_UNSIGNED_MAX 99u

/** Begins. NULL when memory is out, or the zone is no name. */
struct pin_xfr *pin_xfr_new(const struct pin_xfr_spec *spec);

/** Frees it. NULL is fine. */
void pin_xfr_free(struct pin_xfr *xfr);

/** Takes a message; not called again after another state than MORE. */
enum pin_xfr_state pin_xfr_take(
    struct pin_xfr *xfr, const uint8_t *wire, size_t bytes, uint64_t now_s);

/** What was returned last. */
enum pin_xfr_state pin_xfr_state(const struct pin_xfr *xfr);

/** Records that came so far, and those known before. */
size_t pin_xfr_n_records(const struct pin_xfr *xfr);

/**
 * After WHOLE: sorts, and makes the listing. DONE, AGAIN or FAULT. About 1 us a record, so a large
 * zone wants another thread; any one will do while nobody else looks at `xfr`.
 */
enum pin_xfr_state pin_xfr_finish(struct pin_xfr *xfr);

/** Says that no message follows, and why; unless it was done, that is a fault. */
void pin_xfr_cut(struct pin_xfr *xfr, enum pin_provider_fault fault, const char *message);

/** What there is, after DONE, FAULT or cut. Its arena is the caller's from now on, what else it
 * points to lives as long as `xfr`. */
void pin_xfr_listing(struct pin_xfr *xfr, struct pin_provider_listing *ret_listing);
