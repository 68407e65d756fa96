/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What upstreams say, in tests: messages from lines of text, and bodies back into lines.
 *
 *     flags 8583            bytes 2 and 3 of the header; without it 8180 (QR, RD, RA)
 *     id 1234               hexadecimal; without it 1234
 *     q www.example.com A   the question; without it there is none
 *     an www.example.com 60 A 192.0.2.1         a record of the answer section;
 *     au example.com 300 SOA 60                 of the authority section; SOA shows MINIMUM alone,
 *     ar ns.example.com 60 TYPE99 0A0B          of the additional section; TYPE: RDATA in
 *                           hex, whatever it is made of
 *     opt 1 15 0003                             OPT: version, then options: code and data in hex
 *
 * Names in RRSIG are `covered-type signer`, in MX `preference name`, in SRV `port name`.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "resolver/cache.h"

/** Room for the text of a body. */
#define UPSTREAM_TEXT_MAX 16384u

/** Builds a message without any compression; returns its length. `ret_wire` has room for 65535. */
size_t upstream_build(const char *text, uint8_t *ret_wire);

/** The number of a type, by name or as TYPE99. */
uint16_t upstream_type(const char *name);

/**
 * Writes the records of a whole message, read strictly, as lines of the form above. Empty when a
 * strict reader objects. Returns `out`.
 */
const char *upstream_tell(const uint8_t *wire, size_t bytes, char out[UPSTREAM_TEXT_MAX]);

/** Has `reply` read what an upstream says to a plain question: lines of records, and others but
 * `q`. `is_do`: DNSSEC records are wanted. */
enum pin_reply_verdict upstream_hear(
    const char *name, const char *type, const char *lines, bool is_do, struct pin_reply *reply);

/** The finished key of a question in class IN. `ret_name` holds the name, in lower case, that it
 * borrows; `flags` are PIN_KEY_*. */
struct pin_cache_key upstream_key(
    const char *name, uint16_t qtype, uint16_t group, uint8_t flags, struct pin_name *ret_name);

/** Makes a message of a good reply's body: its question, NOERROR or NXDOMAIN, no OPT. Returns its
 * length; `ret_wire` has room for 65535 and the longest question. */
size_t upstream_put_body(
    const struct pin_asked *asked, const struct pin_reply *reply, uint8_t *ret_wire);

/** Puts a reply's body behind its question and tells it. */
const char *upstream_tell_body(
    const struct pin_asked *asked, const struct pin_reply *reply, char out[UPSTREAM_TEXT_MAX]);
