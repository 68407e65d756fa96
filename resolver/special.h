/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Special names: those that no resolver is asked for, because what they mean is the same for
 * everybody who asks.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pin_answering;

/** What a name at or below a special one has. */
enum pin_special {
    PIN_SPECIAL_NONE,     /**< It is a name as any. */
    PIN_SPECIAL_LOOPBACK, /**< `localhost`: 127.0.0.1 and ::1 (RFC 6761, section 6.3). */
    PIN_SPECIAL_NO_NAME,  /**< `onion`: it does not exist in the DNS (RFC 7686, section 2). */
    PIN_SPECIAL_NO_DATA,  /**< `resolver.arpa`: this server has no other addresses (RFC 9462). */
};

/**
 * Whether a name is special, whoever it may be forwarded to. Hot path, any thread.
 *
 * @param name  In wire format and lower case.
 */
enum pin_special pin_special_of(const uint8_t *name, size_t bytes);

/**
 * Answers the subject when it is special: its addresses, or a denial with an SOA that resolvers may
 * keep for an hour. Hot path.
 *
 * @return false: it is not, and nothing was done.
 */
bool pin_special_answer(struct pin_answering *a);
