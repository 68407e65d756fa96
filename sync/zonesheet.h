/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Zone sheet: a whole zone of ours as a master file, read back line by line (RFC 1035, section 5).
 *
 *     ; pintle records v1 example.com
 *     ; Written whole by Pintle: what is changed here by hand is lost.
 *     $ORIGIN .
 *     example.com 300 IN SOA ns.example.com hostmaster.example.com 7 3600 600 1209600 60
 *     example.com 300 IN NS ns.example.com
 *     app.example.com 60 IN A 192.0.2.1
 *
 * Sorted, one record a line, so that a line of a diff is a record. The same sets give the same
 * bytes. Only such a file is read: one that a person or another program wrote is refused. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/arena.h"
#include "pintle/base/error.h"
#include "pintle/base/text.h"

#include "provider.h"

/** What the zone is without its records. Texts canonical, borrowed. */
struct pin_zonesheet_frame {
    const char *zone;
    const char *const *servers; /**< Targets of its NS. */
    size_t n_servers;           /**< 1 or more. */
    const char *hostmaster;     /**< The name in the SOA: "hostmaster.example.com". */
    uint32_t default_ttl_s;
};

/** A zone. Sets sorted, without SOA and the zone's own NS; all in the arena. */
struct pin_zonesheet {
    uint32_t serial; /**< 0: there is no file yet. */
    struct pin_recordset *sets;
    size_t n_sets;
    size_t cap_sets;
    struct pin_arena *arena; /**< Borrowed. */
};

/**
 * Reads a file.
 *
 * @param ret_sheet  Its arena is set already.
 * @return PIN_OK; PIN_EDENIED when it is not ours; PIN_EPARSE with the line; PIN_ENOMEM.
 */
enum pin_err pin_zonesheet_read(const char *zone, const char *text, size_t bytes,
    struct pin_zonesheet *ret_sheet, struct pin_why *why);

/** Writes it. False when memory is out. */
bool pin_zonesheet_write(const struct pin_zonesheet *sheet, const struct pin_zonesheet_frame *frame,
    struct pin_text *text);

/**
 * Does a change, all of it or none.
 *
 * @param ret_verdict  APPLIED, REFUSED or CONFLICT; `why` tells.
 * @return False when memory is out.
 */
bool pin_zonesheet_apply(struct pin_zonesheet *sheet, const struct pin_zonesheet_frame *frame,
    const struct pin_provider_change *change, enum pin_provider_verdict *ret_verdict,
    struct pin_why *why);
