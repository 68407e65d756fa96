/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Query: what a client's message asks, read once and with every length checked.
 *
 *     header(12) | question | other records, of which only OPT and TSIG are looked at | end
 *
 * The message stays where it is; what the answer needs of it later is copied or remembered by
 * offset.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/name.h"

#include "cookie.h"

/** Bytes of a message header (RFC 1035, section 4.1.1). */
#define PIN_HEADER_BYTES 12u
/** Type and class behind the QNAME. */
#define PIN_QUESTION_TAIL_BYTES 4u

/** EDNS options that are understood (IANA: DNS EDNS0 Option Codes). */
#define PIN_OPTION_NSID      3u     /**< RFC 5001. */
#define PIN_OPTION_ECS       8u     /**< RFC 7871. */
#define PIN_OPTION_EXPIRE    9u     /**< RFC 7314. */
#define PIN_OPTION_COOKIE    10u    /**< RFC 7873. */
#define PIN_OPTION_KEEPALIVE 11u    /**< RFC 7828. */
#define PIN_OPTION_PADDING   12u    /**< RFC 7830. */
#define PIN_OPTION_EDE       15u    /**< RFC 8914. */
#define PIN_OPTION_NAMESPACE 65518u /**< Namespace of the asking pod, put there by a forwarder. */

/** Longest EDNS Client Subnet option, without code and length (RFC 7871, section 6). */
#define PIN_ECS_MAX_BYTES 20u
/** Where that option says how many bits of the address it holds. */
#define PIN_ECS_SOURCE_AT 2u

/** Options of a query that its answer may have to answer: bits of pin_query.options. */
#define PIN_SAID_ECS       0x01u
#define PIN_SAID_COOKIE    0x02u
#define PIN_SAID_NSID      0x04u
#define PIN_SAID_EXPIRE    0x08u
#define PIN_SAID_KEEPALIVE 0x10u
#define PIN_SAID_PADDING   0x20u
#define PIN_SAID_BAD_ECS   0x40u /**< One that is not well-formed: nothing is known of it. */

/** What is to be done with a message. */
enum pin_query_verdict {
    PIN_QUERY_OK,
    PIN_QUERY_COOKIE,  /**< No question: it asks for a server's cookie (RFC 7873, section 5.4). */
    PIN_QUERY_DROP,    /**< No query at all: stay silent. */
    PIN_QUERY_FORMERR, /**< A query, but malformed; what was read before the fault is filled in. */
};

/** Part of a message. bytes 0 with at 0: absent. */
struct pin_span {
    uint16_t at; /**< Offset in the message. */
    uint16_t bytes;
};

/** One query. Numbers are in host byte order. */
struct pin_query {
    uint16_t qtype;
    uint16_t qclass;
    uint16_t question_end; /**< Offset behind the question; PIN_HEADER_BYTES without one. */
    uint16_t edns_bytes;   /**< UDP payload size the client announces; as sent. */
    uint8_t opcode;
    uint8_t edns_version;
    bool has_question;
    bool has_edns;
    bool is_do;
    bool has_tsig;
    uint16_t tsig_at;       /**< has_tsig: offset of that record, the last one. */
    uint16_t message_bytes; /**< All of it. */
    uint8_t options;        /**< PIN_SAID_*. */
    uint8_t cookie_bytes;   /**< 0, 8, or 16 to 40. */
    struct pin_span ecs;    /**< A well-formed option: family, lengths, zero padding bits. */
    struct pin_span client_namespace;      /**< 1 to 63 bytes, not checked further. */
    uint8_t qname_bytes;                   /**< Root label included. */
    uint8_t qname[PIN_NAME_MAX_BYTES + 1]; /**< Lower-cased. */
    uint8_t ecs_copy[PIN_ECS_MAX_BYTES];   /**< The option `ecs`: RRs will be written over it. */
    uint8_t cookie[PIN_COOKIE_BYTES];      /**< The cookie, or its client's part; then what the
                                              answer is to carry. */
};

/**
 * Reads a message. Never reads past `bytes`; cost is linear in it; no allocation. Hot path.
 *
 * @param ret_query  Always filled as far as the message could be read; opcode except for DROP.
 */
enum pin_query_verdict pin_query_parse(
    const uint8_t *wire, size_t bytes, struct pin_query *ret_query);
