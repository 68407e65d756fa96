/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * DNS messages of servers that are asked as a client: cut into header and records, nothing more.
 *
 * Pure. Reads what others wrote; every step is bounded by the message's length.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/buf.h"
#include "pintle/zones/name.h"

#include "provider.h"

#define PIN_DNSMSG_HEADER_BYTES 12u

/** Opcodes and types used here alone. */
#define PIN_DNSMSG_UPDATE 5u
#define PIN_DNSMSG_IXFR   251u
#define PIN_DNSMSG_AXFR   252u
#define PIN_DNSMSG_NONE   254u /**< Class NONE. */

/** RCODEs (IANA). */
enum {
    PIN_DNSMSG_NOERROR = 0,
    PIN_DNSMSG_FORMERR = 1,
    PIN_DNSMSG_SERVFAIL = 2,
    PIN_DNSMSG_NXDOMAIN = 3,
    PIN_DNSMSG_NOTIMP = 4,
    PIN_DNSMSG_REFUSED = 5,
    PIN_DNSMSG_YXDOMAIN = 6,
    PIN_DNSMSG_YXRRSET = 7,
    PIN_DNSMSG_NXRRSET = 8,
    PIN_DNSMSG_NOTAUTH = 9,
    PIN_DNSMSG_NOTZONE = 10,
};

/** A message. Offsets count from its start. */
struct pin_dnsmsg {
    uint16_t id;
    uint16_t counts[4]; /**< Question, answer, authority, additional. */
    uint8_t opcode;
    uint8_t rcode;
    bool is_answer;       /**< QR */
    bool is_truncated;    /**< TC */
    struct pin_name name; /**< Of the first question; when there is one. */
    uint16_t type;
    uint16_t class;
    size_t records_at; /**< First record behind the questions. */
    size_t tsig_at;    /**< The TSIG, the last record of all; 0: none. */
};

/** One record; the reader stands at its RDATA. */
struct pin_dnsmsg_rr {
    struct pin_name name;
    uint16_t type;
    uint16_t class;
    uint32_t ttl_s;
    uint16_t rdata_bytes;
};

/** Reads a message to its end. False when it is malformed: cut, with bytes behind it, a TSIG that
 * is not the last record. */
bool pin_dnsmsg_read(const uint8_t *wire, size_t bytes, struct pin_dnsmsg *ret_message);

/** Reads the next record up to its RDATA; the caller moves behind it. False when it is cut. */
bool pin_dnsmsg_rr(struct pin_reader *reader, struct pin_dnsmsg_rr *ret_rr);

/** The name of an RCODE or a TSIG error, "REFUSED"; "an unknown error" for others. Static. */
const char *pin_dnsmsg_rcode_text(unsigned rcode);

/** What the error of a TSIG means to a person: "BADTIME: the clocks ...". Static. */
const char *pin_dnsmsg_tsig_text(unsigned error);

/** What an RCODE other than NOERROR, with the error of the TSIG (0: none), says of a call. */
enum pin_provider_fault pin_dnsmsg_fault(unsigned rcode, unsigned tsig_error);
