/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Cached answers in responses: the step from an entry to the client's message.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache.h"
#include "response.h"

/** How an entry is to be shown. */
struct pin_cache_shown {
    int64_t now_ms;  /**< pin_clock_mono_ms(). */
    size_t owner_at; /**< Where the entry's name stands in the message: PIN_HEADER_BYTES, more for a
                          denial of a name above the QNAME, elsewhere for a CNAME's target. */
    bool is_stale;   /**< TTLs become PIN_STALE_TTL_S, EDE 3 (NXDOMAIN: 19) is set. */
};

/**
 * Adds an entry's records behind what is there, with what is left of their TTLs, and takes over
 * its rcode and extended error. Over UDP records that do not fit are left out, from the first one
 * on, and set TC.
 *
 * @return false: the entry cannot stand there, and nothing was added: a pointer would lead too far,
 *         or a stream, which knows no TC, has not room for all of it. Neither can be right behind
 *         the question of the entry's own name.
 *
 * Hot path: a copy, and a subtraction per record.
 */
bool pin_response_add_entry(struct pin_response *response, const struct pin_cache_entry *entry,
    const struct pin_cache_shown *shown);
