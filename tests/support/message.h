/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * DNS messages in tests: builds queries, and reads answers strictly, sharing no code with the
 * server.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_MAX_BYTES 65535u
/** As many as are kept of a resolver's answer, and the CNAMEs on the way to it. */
#define MESSAGE_RRS_MAX (4096u + 32u)
/** Option codes below this are kept by code. */
#define MESSAGE_OPTIONS_MAX 13u

/** A query to build. Zeroed but for name and type it is a plain question in class IN. */
struct message_query {
    const char *name; /**< Presentation format without escapes; "." is the root. */
    uint16_t type;
    uint16_t qclass; /**< 0: IN. */
    uint16_t id;     /**< 0: 0x1234. */
    uint16_t flags;  /**< Header bits as they stand in bytes 2 and 3. */
    bool has_edns;
    uint8_t edns_version;
    uint16_t edns_bytes; /**< Payload size. */
    uint16_t edns_flags;
    const uint8_t *options;
    size_t options_bytes;
};

/** Builds it; returns its length. `ret_wire` has room for 512 bytes and the options. */
size_t message_build(const struct message_query *query, uint8_t *ret_wire);

/** Appends a name in wire format without compression; returns its length. */
size_t message_put_name(const char *name, uint8_t *ret_wire);

/** One record of an answer. Offsets are into the message. */
struct message_rr {
    uint8_t section; /**< 1 answer, 2 authority, 3 additional. */
    uint16_t type;
    uint16_t rrclass;
    uint32_t ttl_s;
    size_t owner_at;
    size_t rdata_at;
    size_t rdata_bytes;
};

/** An answer as a strict reader sees it. */
struct message {
    const uint8_t *wire;
    size_t bytes;
    uint16_t id;
    uint16_t flags; /**< Bytes 2 and 3. */
    uint16_t n_question;
    uint16_t qclass;
    uint16_t n_rr[4]; /**< By section, from 1. */
    uint16_t rcode;   /**< With the upper bits of the OPT. */
    bool has_opt;
    uint8_t edns_version;
    uint16_t edns_bytes;
    uint16_t edns_flags;
    int ede; /**< Info code, or -1. */
    size_t ede_text_bytes;
    size_t ecs_at; /**< Where the EDNS Client Subnet option's data starts; 0: there is none. */
    size_t ecs_bytes;
    struct {
        size_t at; /**< Where its data starts; 0: it is not there. */
        size_t bytes;
    } options[MESSAGE_OPTIONS_MAX]; /**< NSID, EXPIRE, cookie, keepalive, padding, by code. */
    size_t n_records;               /**< All but the OPT. */
    struct message_rr records[MESSAGE_RRS_MAX];
};

/**
 * Reads a message. False for anything a strict reader may object to: counts that lie, pointers that
 * do not lead backwards, labels or names too long, lengths past the end, names that leave their
 * RDATA, two OPTs, an OPT elsewhere, records of another class than the question's, bytes behind the
 * last record, bits that must be zero.
 */
bool message_parse(const uint8_t *wire, size_t bytes, struct message *ret_message);

/** Number of records of that type in a section. */
size_t message_count(const struct message *message, uint8_t section, uint16_t type);

/** The first record of that type in a section, or NULL. */
const struct message_rr *message_find(
    const struct message *message, uint8_t section, uint16_t type);

/** Writes the name at an offset as text with a trailing dot, letters as they are. Returns `out`. */
const char *message_name(const struct message *message, size_t at, char out[1024]);
