/* SPDX-License-Identifier: Apache-2.0 */

/* Reads a DNS query: header, one question, EDNS. Every read is bounded by the message. */

#include "query.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"
#include "pintle/zones/tsig.h"

#include "proxy.h"

#define QR_BIT         0x80u
#define LABEL_TYPE     0xC0u
#define EDNS_DO        0x8000u
#define COUNTS_AT      4u
#define RR_FIXED_BYTES 10u /* type, class, TTL, RDLENGTH */

#define COOKIE_SERVER_MIN_BYTES 8u

/* Reads and copies the QNAME. A question comes first, so there is nothing to point at. */
static bool read_qname(struct pin_reader *reader, struct pin_query *query)
{
    const uint8_t *name = reader->pos;
    size_t left = pin_reader_left(reader);
    size_t bytes = 0;
    for (;;) {
        if (pin_unlikely(bytes >= left || bytes >= PIN_NAME_MAX_BYTES)) {
            return false;
        }
        uint8_t label_bytes = name[bytes];
        if (label_bytes == 0) {
            break;
        }
        if (pin_unlikely((label_bytes & LABEL_TYPE) != 0)) {
            return false;
        }
        bytes += (size_t)label_bytes + 1;
    }
    bytes++;
    pin_name_lower(query->qname, name, bytes);
    query->qname_bytes = (uint8_t)bytes;
    reader->pos += bytes;
    return true;
}

static bool read_question(struct pin_reader *reader, struct pin_query *query)
{
    if (!read_qname(reader, query)) {
        return false;
    }
    const uint8_t *tail = pin_reader_get_bytes(reader, PIN_QUESTION_TAIL_BYTES);
    if (tail == NULL) {
        return false;
    }
    query->qtype = pin_get_be16(tail);
    query->qclass = pin_get_be16(tail + 2);
    query->question_end = (uint16_t)pin_reader_offset(reader);
    query->has_question = true;
    return true;
}

/* Steps over an owner name. A pointer ends it and must lead backwards (RFC 9267, section 2). */
static bool skip_name(struct pin_reader *reader)
{
    size_t start = pin_reader_offset(reader);
    size_t bytes = 1;
    for (;;) {
        uint8_t label_bytes = pin_reader_get_u8(reader);
        if ((label_bytes & LABEL_TYPE) == LABEL_TYPE) {
            size_t target = (size_t)(label_bytes & ~LABEL_TYPE) << 8 | pin_reader_get_u8(reader);
            return pin_reader_is_ok(reader) && target >= PIN_HEADER_BYTES && target < start;
        }
        bytes += (size_t)label_bytes + 1;
        if ((label_bytes & LABEL_TYPE) != 0 || bytes > PIN_NAME_MAX_BYTES + 1) {
            return false;
        }
        if (label_bytes == 0) {
            return pin_reader_is_ok(reader);
        }
        (void)pin_reader_get_bytes(reader, label_bytes);
    }
}

/* Whether an ECS option says what it must (RFC 7871, section 6); a query's scope is 0. Family 0 has
 * no addresses, and says as 0 bits of another one do that the asker wants to stay unknown. */
static bool is_ecs_well_formed(const uint8_t *option, uint16_t bytes)
{
    if (bytes < 4) {
        return false;
    }
    uint16_t family = pin_get_be16(option);
    unsigned bits = option[2];
    static const uint8_t bits_max[] = {0, 32, 128};
    if (family >= N_ELEMS(bits_max) || bits > bits_max[family] || option[3] != 0
        || bytes != 4 + (bits + 7) / 8) {
        return false;
    }
    return bits % 8 == 0 || (option[bytes - 1] & (0xFFu >> bits % 8)) == 0;
}

/* Remembers the first cookie. False: one of that length makes the query malformed (RFC 7873,
 * section 5.2.2). */
static bool note_cookie(struct pin_query *query, const uint8_t *option, uint16_t bytes)
{
    if (bytes != PIN_COOKIE_CLIENT_BYTES
        && (bytes < PIN_COOKIE_CLIENT_BYTES + COOKIE_SERVER_MIN_BYTES
            || bytes > PIN_COOKIE_MAX_BYTES)) {
        return false;
    }
    if (query->cookie_bytes == 0) {
        query->cookie_bytes = (uint8_t)bytes;
        query->options |= PIN_SAID_COOKIE;
        if (bytes >= PIN_COOKIE_BYTES) {
            memcpy(query->cookie, option, PIN_COOKIE_BYTES);
        } else {
            memcpy(query->cookie, option, PIN_COOKIE_CLIENT_BYTES); /* the rest is not ours */
        }
    }
    return true;
}

/* Remembers an option the first time it comes. False: the whole query is malformed. */
static bool note_option(
    struct pin_query *query, uint16_t code, struct pin_span span, const uint8_t *option)
{
    switch (code) {
    case PIN_OPTION_COOKIE:
        return note_cookie(query, option, span.bytes);
    case PIN_OPTION_ECS:
        if (!is_ecs_well_formed(option, span.bytes)) {
            query->options |= PIN_SAID_BAD_ECS;
        } else if (query->ecs.bytes == 0) {
            query->ecs = span;
            query->options |= PIN_SAID_ECS;
            memcpy(query->ecs_copy, option, span.bytes);
        }
        return true;
    case PIN_OPTION_NSID:
        query->options |= PIN_SAID_NSID;
        return true;
    case PIN_OPTION_EXPIRE:
        query->options |= PIN_SAID_EXPIRE;
        return true;
    case PIN_OPTION_KEEPALIVE:
        query->options |= PIN_SAID_KEEPALIVE;
        return true;
    case PIN_OPTION_PADDING:
        query->options |= PIN_SAID_PADDING;
        return true;
    case PIN_OPTION_NAMESPACE:
        if (query->client_namespace.bytes == 0 && span.bytes <= PIN_LABEL_MAX_BYTES) {
            query->client_namespace = span;
        }
        return true;
    default:
        return true;
    }
}

/* Reads the options between `reader` and the end of the OPT's RDATA. */
static bool read_options(
    const struct pin_reader *message, struct pin_query *query, const uint8_t *end)
{
    struct pin_reader options = {.start = message->start, .pos = message->pos, .end = end};
    while (pin_reader_left(&options) > 0) {
        uint16_t code = pin_reader_get_u16(&options);
        uint16_t bytes = pin_reader_get_u16(&options);
        struct pin_span span = {.at = (uint16_t)pin_reader_offset(&options), .bytes = bytes};
        const uint8_t *option = pin_reader_get_bytes(&options, bytes);
        if (option == NULL || !note_option(query, code, span, option)) {
            return false;
        }
    }
    return pin_reader_is_ok(&options);
}

/* Reads the fixed part of an OPT (RFC 6891, section 6.1.3) and its options. */
static bool read_opt(struct pin_reader *reader, struct pin_query *query, const uint8_t *fixed)
{
    if (query->has_edns) {
        return false;
    }
    query->has_edns = true;
    query->edns_bytes = pin_get_be16(fixed + 2);
    query->edns_version = fixed[5];
    query->is_do = (pin_get_be16(fixed + 6) & EDNS_DO) != 0;

    uint16_t rdata_bytes = pin_get_be16(fixed + 8);
    if (pin_reader_left(reader) < rdata_bytes) {
        return false;
    }
    /* What options another version has, and how they look, nobody knows: BADVERS comes first. */
    if (rdata_bytes > 0 && query->edns_version == 0
        && !read_options(reader, query, reader->pos + rdata_bytes)) {
        return false;
    }
    reader->pos += rdata_bytes;
    return true;
}

/* Reads one record behind the question; all but OPT and TSIG is stepped over. Nothing may follow a
 * TSIG. */
static bool read_record(struct pin_reader *reader, struct pin_query *query, bool is_additional)
{
    const uint8_t *owner = reader->pos;
    if (query->has_tsig || !skip_name(reader)) {
        return false;
    }
    const uint8_t *fixed = pin_reader_get_bytes(reader, RR_FIXED_BYTES);
    if (fixed == NULL) {
        return false;
    }
    uint16_t type = pin_get_be16(fixed);
    if (type == PIN_TYPE_OPT) {
        return is_additional && owner[0] == 0 && read_opt(reader, query, fixed);
    }
    if (pin_unlikely(type == PIN_TYPE_TSIG)) {
        query->has_tsig = true;
        query->tsig_at = (uint16_t)(owner - reader->start);
        if (!is_additional) {
            return false; /* RFC 8945, section 5.1 */
        }
    }
    return pin_reader_get_bytes(reader, pin_get_be16(fixed + 8)) != NULL;
}

/* Reads all records behind the question. Counts lie: each record takes 11 bytes or ends the loop.
 */
static bool read_records(struct pin_reader *reader, struct pin_query *query)
{
    const uint8_t *counts = reader->start + COUNTS_AT;
    size_t n_before = (size_t)pin_get_be16(counts + 2) + pin_get_be16(counts + 4);
    size_t n_records = n_before + pin_get_be16(counts + 6);
    for (size_t i = 0; i < n_records; i++) {
        if (!read_record(reader, query, i >= n_before)) {
            return false;
        }
    }
    return pin_reader_left(reader) == 0;
}

/* Everything that is only sometimes written; the name is not touched before it is read. */
static void reset(struct pin_query *query)
{
    query->qtype = 0;
    query->qclass = 0;
    query->question_end = PIN_HEADER_BYTES;
    query->edns_bytes = 0;
    query->edns_version = 0;
    query->has_question = false;
    query->has_edns = false;
    query->is_do = false;
    query->has_tsig = false;
    query->options = 0;
    query->cookie_bytes = 0;
    query->ecs = (struct pin_span){0};
    query->client_namespace = (struct pin_span){0};
    query->qname_bytes = 0;
}

enum pin_query_verdict pin_query_parse(
    const uint8_t *wire, size_t bytes, struct pin_query *ret_query)
{
    if (bytes < PIN_HEADER_BYTES || bytes > UINT16_MAX || (wire[2] & QR_BIT) != 0) {
        return PIN_QUERY_DROP;
    }
    struct pin_reader reader = pin_reader_init(wire, bytes);
    reader.pos += PIN_HEADER_BYTES;
    reset(ret_query);
    ret_query->message_bytes = (uint16_t)bytes;
    ret_query->opcode = (wire[2] >> 3) & 0x0Fu;

    uint16_t n_questions = pin_get_be16(wire + COUNTS_AT);
    if (pin_unlikely(n_questions != 1)) {
        if (pin_proxy_is_header(wire, bytes)) {
            return PIN_QUERY_DROP; /* of a proxy that nobody told us of */
        }
        bool asks_for_cookie =
            n_questions == 0 && read_records(&reader, ret_query) && ret_query->cookie_bytes > 0;
        return asks_for_cookie ? PIN_QUERY_COOKIE : PIN_QUERY_FORMERR;
    }
    bool is_well_formed = read_question(&reader, ret_query) && read_records(&reader, ret_query);
    return is_well_formed ? PIN_QUERY_OK : PIN_QUERY_FORMERR;
}
