/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Question: the little DNS that the bench programs need, apart from Pintle's own code.
 *
 * A bench that shared the server's parser would not notice what both get wrong. One thread, IPv4,
 * one question a message.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_MS             UINT64_C(1000000)
#define QUESTION_HEADER_BYTES 12U
#define QUESTION_BYTES_MAX    288U /**< Header, the longest name, type and class, OPT. */

/** CLOCK_MONOTONIC in nanoseconds: comparable with other processes of this machine. */
uint64_t pin_question_now_ns(void);

/**
 * Writes a query with id 0 and RD set.
 *
 * @param name       Presentation format without escapes; a trailing dot is allowed.
 * @param with_edns  Adds an OPT RR with a UDP size of 1232 bytes (RFC 6891).
 * @param wire       At least QUESTION_BYTES_MAX bytes.
 * @return           Length, or 0 when `name` is no domain name.
 */
size_t pin_question_encode(const char *name, uint16_t qtype, bool with_edns, uint8_t *wire);

/** Parses A, AAAA, SRV, TXT, PTR, HTTPS or TYPEn (RFC 3597); false for anything else. */
bool pin_question_parse_type(const char *text, uint16_t *ret_qtype);

/**
 * Tells whether `answer` is a response to `query`: QR bit and the same question, letters' case
 * included. Ids are the caller's matter.
 */
bool pin_question_is_echoed(const uint8_t *query, const uint8_t *answer, size_t answer_bytes);

/** The TC bit of a whole header. */
bool pin_question_is_truncated(const uint8_t *answer);

/** The RCODE of a whole header, without the bits of EDNS: 0 to 15. */
uint8_t pin_question_rcode(const uint8_t *answer);

/**
 * Tells whether the answer section holds an A RR with this address. Reads any message without
 * leaving its bounds.
 *
 * @param address  Network byte order.
 */
bool pin_question_has_address(const uint8_t *answer, size_t answer_bytes, const uint8_t address[4]);

/** ANCOUNT of a whole header. */
uint16_t pin_question_answer_count(const uint8_t *answer);

/** A walk through the answer section; zeroed it is at the start. */
struct pin_question_walk {
    size_t at;
    uint16_t n_left;
};

/**
 * Steps to the next IPv4 address of the answer section.
 *
 * @param ret_address  Host byte order; written when true is returned.
 * @return             False when there is no further one, or the message ends in the middle.
 */
bool pin_question_next_address(const uint8_t *answer, size_t answer_bytes,
    struct pin_question_walk *walk, uint32_t *ret_address);

/** Splits "ADDR:PORT" of IPv4; false, with errno set, when it is none. */
bool pin_question_parse_server(const char *server, struct sockaddr_in *ret_peer);

/** A blocking UDP socket connected to "ADDR:PORT", or -1 with errno set. */
int pin_question_connect(const char *server);
