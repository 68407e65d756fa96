/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Domain names in wire format (RFC 1035, section 3.1): length-prefixed labels up to the root label.
 *
 * Comparison is by bytes, so both sides must be lower-cased first (RFC 4343). Wire names here are
 * always absolute, at most 255 bytes and 127 labels, without compression pointers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/buf.h"
#include "pintle/base/error.h"

/** Longest name in wire format, root label included (RFC 1035, section 2.3.4). */
#define PIN_NAME_MAX_BYTES 255
/** Longest label. */
#define PIN_LABEL_MAX_BYTES 63
/** Room for any name in presentation format: each byte may become \DDD, and a NUL. */
#define PIN_NAME_TEXT_MAX (4 * PIN_NAME_MAX_BYTES + 1)

/** A name in wire format. */
struct pin_name {
    uint8_t bytes; /**< Length of wire, root label included; 1 is the root. */
    uint8_t wire[PIN_NAME_MAX_BYTES];
};

/** Makes the root name. */
void pin_name_root(struct pin_name *ret_name);

/**
 * Reads presentation format (RFC 1035, section 5.1: \DDD and \X), with or without the trailing dot,
 * and lower-cases it. PIN_EPARSE for empty or long labels and long names.
 */
enum pin_err pin_name_parse(const char *text, struct pin_name *ret_name);

/**
 * Puts one label (raw bytes, lower-cased) in front: "a" before "b.c" gives "a.b.c".
 * PIN_ELIMIT when the label is empty or longer than 63, or the name gets too long; then unchanged.
 */
enum pin_err pin_name_prepend(struct pin_name *name, const char *label, size_t label_bytes);

/** Writes presentation format with a trailing dot and a NUL; unusual bytes become \DDD. */
void pin_name_format(const uint8_t *wire, char ret_text[PIN_NAME_TEXT_MAX]);

/**
 * Reads a name out of a message, compressed or not (RFC 1035, section 4.1.4), and lower-cases it.
 *
 * @param reader  Of the whole message from its header on; moves behind the name.
 * @return False for what is none: a pointer that does not lead to further in front, or past the
 *         header; more than PIN_NAME_POINTERS_MAX of them; a long name; the end.
 */
bool pin_name_read(struct pin_reader *reader, struct pin_name *ret_name);

/** As many labels has no name: more pointers lead nowhere. */
#define PIN_NAME_POINTERS_MAX 127u

/** Length of a wire name in bytes, root label included. The name must be well formed. */
size_t pin_name_wire_bytes(const uint8_t *wire);

/** Number of labels without the root label. */
size_t pin_name_labels(const uint8_t *wire);

/** The name one label up; the root's parent is the root. */
static inline const uint8_t *pin_name_parent(const uint8_t *wire)
{
    return wire[0] == 0 ? wire : wire + wire[0] + 1;
}

/** Copies `bytes` of a wire name in lower case (ASCII letters only, RFC 4343). Hot path. */
void pin_name_lower(uint8_t *ret_wire, const uint8_t *wire, size_t bytes);

/** Whether `name` is `ancestor` or below it. */
bool pin_name_is_below(const struct pin_name *name, const struct pin_name *ancestor);

/** Whether the text is an RFC 1123 label in lower case (1 to 63 of a-z 0-9 -, no - at an end). */
bool pin_name_is_rfc1123_label(const char *text);
