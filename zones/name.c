/* SPDX-License-Identifier: Apache-2.0 */

/* Domain names: wire format, presentation format, lower case. */

#include "pintle/zones/name.h"

#include <string.h>

#define LABELS_MAX   127
#define LABEL_TYPE   0xC0u
#define HEADER_BYTES 12u

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20u) : byte;
}

void pin_name_root(struct pin_name *ret_name)
{
    ret_name->bytes = 1;
    ret_name->wire[0] = 0;
}

/* Reads one possibly escaped byte; returns the characters used, 0 when the escape is wrong. */
static size_t parse_byte(const char *text, uint8_t *ret_byte)
{
    if (text[0] != '\\') {
        *ret_byte = (uint8_t)text[0];
        return 1;
    }
    if (text[1] < '0' || text[1] > '9') {
        *ret_byte = (uint8_t)text[1];
        return text[1] == '\0' ? 0 : 2;
    }
    unsigned value = 0;
    for (size_t i = 1; i <= 3; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return 0;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *ret_byte = (uint8_t)value;
    return value <= UINT8_MAX ? 4 : 0;
}

/* Reads one label behind its length byte at wire[at]; leaves *text at the dot or the end. */
static enum pin_err parse_label(const char **text, struct pin_name *name, size_t at)
{
    size_t bytes = 0;
    while (**text != '\0' && **text != '.') {
        uint8_t byte = 0;
        size_t used = parse_byte(*text, &byte);
        /* Two more bytes must fit behind it: none of them may be missing for the root label. */
        if (used == 0 || bytes == PIN_LABEL_MAX_BYTES || at + bytes + 2 >= PIN_NAME_MAX_BYTES) {
            return PIN_EPARSE;
        }
        bytes++;
        name->wire[at + bytes] = lower(byte);
        *text += used;
    }
    name->wire[at] = (uint8_t)bytes;
    return bytes > 0 ? PIN_OK : PIN_EPARSE;
}

enum pin_err pin_name_parse(const char *text, struct pin_name *ret_name)
{
    struct pin_name name = {0};
    size_t at = 0;
    if (strcmp(text, ".") == 0) {
        pin_name_root(ret_name);
        return PIN_OK;
    }
    do {
        enum pin_err err = parse_label(&text, &name, at);
        if (err != PIN_OK) {
            return err;
        }
        at += (size_t)name.wire[at] + 1;
        text += *text == '.';
    } while (*text != '\0');
    name.wire[at] = 0;
    name.bytes = (uint8_t)(at + 1);
    *ret_name = name;
    return PIN_OK;
}

enum pin_err pin_name_prepend(struct pin_name *name, const char *label, size_t label_bytes)
{
    if (label_bytes == 0 || label_bytes > PIN_LABEL_MAX_BYTES
        || (size_t)name->bytes + label_bytes + 1 > PIN_NAME_MAX_BYTES) {
        return PIN_ELIMIT;
    }
    memmove(name->wire + label_bytes + 1, name->wire, name->bytes);
    name->wire[0] = (uint8_t)label_bytes;
    pin_name_lower(name->wire + 1, (const uint8_t *)label, label_bytes);
    name->bytes = (uint8_t)(name->bytes + label_bytes + 1);
    return PIN_OK;
}

static char *format_byte(char *out, uint8_t byte)
{
    if (byte <= ' ' || byte >= 0x7F) {
        *out++ = '\\';
        *out++ = (char)('0' + byte / 100);
        *out++ = (char)('0' + byte / 10 % 10);
        *out++ = (char)('0' + byte % 10);
        return out;
    }
    if (strchr(".\\\"();@$", byte) != NULL) {
        *out++ = '\\';
    }
    *out++ = (char)byte;
    return out;
}

void pin_name_format(const uint8_t *wire, char ret_text[PIN_NAME_TEXT_MAX])
{
    char *out = ret_text;
    if (wire[0] == 0) {
        *out++ = '.';
    }
    while (wire[0] != 0) {
        for (size_t i = 1; i <= wire[0]; i++) {
            out = format_byte(out, wire[i]);
        }
        *out++ = '.';
        wire = pin_name_parent(wire);
    }
    *out = '\0';
}

/* Goes to where a pointer leads whose first byte was read; `limit` is in front of the last one's.
 */
static bool follow(struct pin_reader *at, uint8_t first_byte, size_t *limit)
{
    size_t target = (size_t)(first_byte & ~LABEL_TYPE) << 8 | pin_reader_get_u8(at);
    if (!pin_reader_is_ok(at) || target < HEADER_BYTES || target >= *limit) {
        return false;
    }
    at->pos = at->start + target;
    *limit = target;
    return true;
}

bool pin_name_read(struct pin_reader *reader, struct pin_name *ret_name)
{
    struct pin_reader at = *reader;
    size_t limit = pin_reader_offset(reader);
    size_t bytes = 0;
    unsigned n_pointers = 0;
    for (;;) {
        uint8_t label_bytes = pin_reader_get_u8(&at);
        if ((label_bytes & LABEL_TYPE) == LABEL_TYPE) {
            struct pin_reader behind = at;
            if (n_pointers == PIN_NAME_POINTERS_MAX || !follow(&at, label_bytes, &limit)) {
                return false;
            }
            (void)pin_reader_get_u8(&behind);
            *reader = n_pointers++ > 0 ? *reader : behind;
            continue;
        }
        const uint8_t *label = pin_reader_get_bytes(&at, label_bytes);
        if (label_bytes > PIN_LABEL_MAX_BYTES || label == NULL
            || bytes + label_bytes + 1 > PIN_NAME_MAX_BYTES) {
            return false;
        }
        ret_name->wire[bytes] = label_bytes;
        pin_name_lower(ret_name->wire + bytes + 1, label, label_bytes);
        bytes += (size_t)label_bytes + 1;
        if (label_bytes == 0) {
            break;
        }
    }
    *reader = n_pointers > 0 ? *reader : at;
    ret_name->bytes = (uint8_t)bytes;
    return true;
}

size_t pin_name_wire_bytes(const uint8_t *wire)
{
    size_t bytes = 0;
    while (wire[bytes] != 0) {
        bytes += (size_t)wire[bytes] + 1;
    }
    return bytes + 1;
}

size_t pin_name_labels(const uint8_t *wire)
{
    size_t n_labels = 0;
    while (wire[0] != 0 && n_labels < LABELS_MAX) {
        n_labels++;
        wire = pin_name_parent(wire);
    }
    return n_labels;
}

void pin_name_lower(uint8_t *ret_wire, const uint8_t *wire, size_t bytes)
{
    /* Length bytes are at most 63 and so never in the range of letters. */
    for (size_t i = 0; i < bytes; i++) {
        ret_wire[i] = lower(wire[i]);
    }
}

bool pin_name_is_below(const struct pin_name *name, const struct pin_name *ancestor)
{
    const uint8_t *at = name->wire;
    size_t left = name->bytes;
    while (left > ancestor->bytes) {
        left -= (size_t)at[0] + 1;
        at = pin_name_parent(at);
    }
    return left == ancestor->bytes && memcmp(at, ancestor->wire, left) == 0;
}

bool pin_name_is_rfc1123_label(const char *text)
{
    size_t bytes = strlen(text);
    if (bytes == 0 || bytes > PIN_LABEL_MAX_BYTES || text[0] == '-' || text[bytes - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        bool fits = (text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9')
                    || text[i] == '-';
        if (!fits) {
            return false;
        }
    }
    return true;
}
