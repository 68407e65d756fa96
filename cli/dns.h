/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A small DNS client over UDP: asks for addresses, one question at a time. Blocking.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"

/** Addresses read from one answer; what is beyond is left out. */
#define PIN_DNS_ADDRESSES_MAX 128u
/** Longest message: a QNAME of 255 octets and the options of a question, or the answer to it. */
#define PIN_DNS_MESSAGE_MAX 1232u

/** A question, and the socket it goes through. */
struct pin_dns {
    int fd;        /**< Connected; the caller closes it. */
    uint16_t type; /**< 1 (A) or 28 (AAAA). */
    uint16_t next_id;
    int timeout_ms; /**< Of each of three tries. */
    size_t bytes;
    uint8_t question[512]; /**< Ready but for its id. */
};

/** What came back. */
struct pin_dns_answer {
    uint8_t rcode;
    bool is_truncated;
    size_t n_addresses;
    struct pin_ip addresses[PIN_DNS_ADDRESSES_MAX]; /**< In the answer's order. */
};

/**
 * Opens a socket to `server` and prepares the question.
 *
 * @param subnet  Sent as EDNS Client Subnet; NULL: none.
 * @return PIN_OK, PIN_EINVAL for a name that is none, PIN_EIO.
 */
enum pin_err pin_dns_open(const struct pin_addrport *server, const char *name, uint16_t type,
    const struct pin_prefix *subnet, struct pin_dns *ret_dns, struct pin_why *why);

/** The address our questions come from. */
struct pin_ip pin_dns_source(const struct pin_dns *dns);

/**
 * Asks once, with a fresh id. PIN_OK, PIN_ETIMEOUT (also when nobody listens there), PIN_EIO.
 */
enum pin_err pin_dns_ask(
    struct pin_dns *dns, struct pin_dns_answer *ret_answer, struct pin_why *why);

/** Reads an answer to the question; false when it is none, or not to this id. */
bool pin_dns_read(const struct pin_dns *dns, const uint8_t *wire, size_t bytes, uint16_t id,
    struct pin_dns_answer *ret_answer);
