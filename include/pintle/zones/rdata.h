/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * RDATA: the data of one record, between wire and presentation format.
 *
 * The types that people keep in zones have their own form (RFC 1035, 2782, 3403, 4034, 4255, 6672,
 * 6698, 8659), all others the one of RFC 3597: "\# 4 0a000001". Texts are canonical as
 * zones/recordset.h has them: lower-case names without a dot at their end (the root is "."),
 * addresses as RFC 5952 writes them, quoted strings. Pure; any thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/buf.h"
#include "pintle/base/error.h"
#include "pintle/base/text.h"

/** Room for the text of any type, with its NUL. */
#define PIN_RDATA_TYPE_MAX 16u

/** The number of a type: "A", "TYPE65280"; 0: no such type. Letters as the registry has them. */
uint16_t pin_rdata_type(const char *text);

/** Its text. Returns `ret_text`. */
const char *pin_rdata_type_text(uint16_t type, char ret_text[PIN_RDATA_TYPE_MAX]);

/** Whether the type has a form of its own here. */
bool pin_rdata_has_form(uint16_t type);

/**
 * Writes RDATA as text.
 *
 * @param reader  Of the whole message, where the RDATA begins; moves behind it. Names in it may be
 *                compressed.
 * @param bytes   RDLENGTH.
 * @return False when it is malformed or cut; what was put is worth nothing then.
 */
bool pin_rdata_format(
    struct pin_reader *reader, size_t bytes, uint16_t type, struct pin_text *text);

/**
 * Reads text, and writes RDATA without compression; both forms are fine.
 *
 * @param buf  Gets it; fails when it does not fit.
 * @return PIN_OK, PIN_EPARSE (explained), PIN_ELIMIT.
 */
enum pin_err pin_rdata_parse(
    uint16_t type, const char *text, struct pin_buf *buf, struct pin_why *why);
