/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Reply: what an upstream says to a question of ours, and what of it is believed.
 *
 *     upstream's message (any bytes)
 *         verdict     is it the reply at all, and what is to be done next
 *         body        of a good one: the records behind the question that a client is shown
 *
 * Believed is what was asked for: records whose owner is the question name or is reached from it by
 * the chain of CNAMEs in the answer section; of the authority section what a denial needs. All else
 * is dropped, whatever it says (RFC 5452, section 6). Names are compressed anew: a pointer in the
 * body leads into the question or into the body.
 *
 * Nothing here allocates, reads a clock or keeps state between messages.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/name.h"

#include "response.h"

/** Longest chain of CNAMEs that is followed. */
#define PIN_CHAIN_MAX 16u
/** Most records of one message; more make it MALFORMED. */
#define PIN_REPLY_RRS_MAX 4096u
/** Most compression pointers in a body. */
#define PIN_REPLY_POINTERS_MAX (2u * PIN_REPLY_RRS_MAX)
/** No TTL is longer than 7 days. */
#define PIN_TTL_CAP_S 604800u
/** No denial is kept longer than 3 hours (RFC 2308, section 5). */
#define PIN_TTL_DENIAL_CAP_S 10800u

/** A question that waits for its reply. */
struct pin_asked {
    const uint8_t *qname; /**< As sent, with the case of its letters; borrowed. */
    uint8_t qname_bytes;  /**< Root label included. */
    bool is_any_case;     /**< Whether a reply may repeat the QNAME in another case than sent. */
    bool is_do;           /**< DNSSEC records are wanted. */
    bool has_edns;        /**< It was sent with an OPT. */
    uint16_t id;
    uint16_t qtype;
    uint16_t qclass;
    uint32_t ttl_min_s; /**< TTLs other than 0 are raised to this. */
    uint32_t ttl_max_s; /**< And cut to this; 0 means PIN_TTL_CAP_S. */
    /**
     * Whether this upstream is to be believed about a name that a CNAME leads to (lower-cased wire
     * format). Where not, the chain ends with that CNAME. NULL: it is believed about all names.
     */
    bool (*believes)(void *arg, const uint8_t *name, size_t name_bytes);
    void *believes_arg;
};

/** What a message is to the question that waits. */
enum pin_reply_verdict {
    PIN_REPLY_GOOD,
    PIN_REPLY_MISMATCH,  /**< Not its reply (id, question, QR, opcode): count it, wait on. */
    PIN_REPLY_MALFORMED, /**< Its reply by header and question, but it cannot be read. */
    PIN_REPLY_TRUNCATED, /**< TC: ask over a stream. */
    PIN_REPLY_NO_EDNS,   /**< The upstream does not know our EDNS: ask without. */
    PIN_REPLY_FAILED,    /**< An rcode other than NOERROR and NXDOMAIN, a referral, a chain that
                              loops or is too long: ask another upstream. */
};

/** Number of verdicts, for counters. */
#define PIN_REPLY_VERDICTS (PIN_REPLY_FAILED + 1u)

/** What kind of answer a body is. */
enum pin_body_kind {
    PIN_BODY_ANSWER,   /**< Data, or a chain that ends outside of what the upstream may say. */
    PIN_BODY_NODATA,   /**< The name (or the end of the chain) has no such data. */
    PIN_BODY_NXDOMAIN, /**< The name (or the end of the chain) does not exist. */
    PIN_BODY_FAILURE,  /**< No answer to be had (RFC 9520); holds no records. */
};

/**
 * A reply that was read, and the work space for reading the next one: some 350 KiB, for one
 * thread. The public part is valid until then.
 */
struct pin_reply {
    uint16_t rcode;    /**< With the upper bits of the OPT. Also for NO_EDNS and FAILED. */
    uint16_t ede;      /**< First extended error of the upstream, or PIN_EDE_NONE. Ditto. */
    bool is_authentic; /**< AD was set. */
    bool is_recursive; /**< RA was set. */
    bool has_question; /**< Only with NO_EDNS can it be missing: id alone matched, learn nothing. */
    bool is_denied;    /**< NXDOMAIN for the question name itself: true for all types. */
    bool is_cut;       /**< The chain ends with a CNAME about whose target nothing is known from
                            here: `believes` said so, or the upstream says nothing. */
    enum pin_body_kind kind;
    uint32_t ttl_s; /**< How long the body may be kept: smallest TTL, RFC 2308 for denials; 0: not
                         at all. */

    /* The body. Offsets in it count from its first byte; pointers in it count from the header of a
     * message with a question of qname_bytes, as it is put behind the question. */
    uint16_t n_rr[PIN_SECTION_MAX];
    uint16_t n_ttls; /**< Sum of n_rr. */
    uint16_t n_pointers;
    uint16_t body_bytes;
    uint16_t ttl_at[PIN_REPLY_RRS_MAX];          /**< Where each record has its TTL, in order. */
    uint16_t pointer_at[PIN_REPLY_POINTERS_MAX]; /**< Where there are compression pointers. */
    uint8_t body[UINT16_MAX];

    struct pin_reply_work *work; /**< reply*.c only. */
};

/** Makes one; NULL: no memory. */
struct pin_reply *pin_reply_new(void);

/** Frees one; NULL is fine. */
void pin_reply_free(struct pin_reply *reply);

/**
 * Reads a message of an upstream that we wait for.
 *
 * @param wire   Any bytes, borrowed during the call.
 * @param reply  Filled as the verdict says: all of it for GOOD, rcode and EDE for NO_EDNS and
 *               FAILED, nothing for the others.
 *
 * Cost: linear in `bytes` with a bound on compression work. Sources: RFC 1035, 2308, 5452, 6672,
 * 9267.
 */
enum pin_reply_verdict pin_reply_read(
    const uint8_t *wire, size_t bytes, const struct pin_asked *asked, struct pin_reply *reply);
