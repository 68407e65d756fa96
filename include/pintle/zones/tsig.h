/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * TSIG: messages signed with a secret that both sides know (RFC 8945).
 *
 *     query  -> pin_tsig_verify -> struct pin_tsig -> pin_tsig_room ... pin_tsig_sign -> answer
 *     our own request: pin_tsig_begin, pin_tsig_sign -> its answer: pin_tsig_verify_answer
 *
 * HMAC-SHA-224, -256, -384 and -512 at full length; everything else is an unknown key. Any thread.
 * A message that carries a TSIG costs an allocation of the crypto library; others cost nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/crypto.h"
#include "pintle/base/error.h"
#include "pintle/zones/name.h"

#define PIN_TYPE_TSIG 250u

/** TSIG errors (IANA: DNS RCODEs). */
#define PIN_TSIG_BADSIG   16u
#define PIN_TSIG_BADKEY   17u
#define PIN_TSIG_BADTIME  18u
#define PIN_TSIG_BADTRUNC 22u

/** How far the clocks of both sides may differ, as we say it (RFC 8945, section 10). */
#define PIN_TSIG_FUDGE_S 300u

/** One secret. */
struct pin_tsig_key {
    struct pin_name name; /**< Lower case. */
    enum pin_hash hash;
    const uint8_t *secret;
    size_t secret_bytes;
};

/** All of them. Immutable while workers run. */
struct pin_tsig_keys {
    const struct pin_tsig_key *items;
    size_t n;
};

/** What became of the TSIG of one message; and what the next one of the exchange is signed with. */
struct pin_tsig {
    const struct pin_tsig_key *key; /**< NULL: unknown; an answer's TSIG holds no MAC then. */
    uint64_t time_s;                /**< When the message was signed, seconds since 1970. */
    uint16_t fudge_s;
    uint16_t error; /**< 0 or PIN_TSIG_BAD*. */
    uint8_t mac_bytes;
    uint8_t mac[PIN_HASH_MAX_BYTES]; /**< Of the message before. */
    struct pin_name name;            /**< As in the request, lower case. */
    struct pin_name algorithm;
};

/** Whether a message may be believed. */
enum pin_tsig_verdict {
    PIN_TSIG_GOOD,
    PIN_TSIG_BAD,     /**< NOTAUTH; the struct's `error` says why, and the answer carries it. */
    PIN_TSIG_FORMERR, /**< The TSIG is malformed; the struct is void. */
    PIN_TSIG_FAILED,  /**< Memory is out; the struct is void. */
};

/**
 * Verifies a request.
 *
 * @param tsig_at   Offset of the TSIG record, the last one of the message; below `bytes`.
 * @param now_s     Wall clock, seconds since 1970.
 * @param ret_tsig  For the answer, on GOOD and BAD.
 */
enum pin_tsig_verdict pin_tsig_verify(const struct pin_tsig_keys *keys, const uint8_t *wire,
    size_t bytes, size_t tsig_at, uint64_t now_s, struct pin_tsig *ret_tsig);

/** Begins an exchange of our own: the next signature is a request's. */
void pin_tsig_begin(struct pin_tsig *tsig, const struct pin_tsig_key *key);

/**
 * Verifies the answer to a request that `tsig` signed. An answer that reports an error is BAD; who
 * says so is not proved when it has no MAC, as BADKEY and BADSIG have none.
 */
enum pin_tsig_verdict pin_tsig_verify_answer(
    struct pin_tsig *tsig, const uint8_t *wire, size_t bytes, size_t tsig_at, uint64_t now_s);

/**
 * Verifies a further message of an answer (RFC 8945, section 5.3.1); the first one goes to
 * pin_tsig_verify_answer().
 *
 * @param before   The messages without a TSIG since the last one that had one, in a row.
 * @param message  The whole of it.
 * @param tsig_at  Offset of its TSIG.
 */
enum pin_tsig_verdict pin_tsig_verify_next(struct pin_tsig *tsig, const struct pin_piece *before,
    const struct pin_piece *message, size_t tsig_at, uint64_t now_s);

/** Bytes that the TSIG of the next message takes: no more, no less. */
size_t pin_tsig_room(const struct pin_tsig *tsig);

/** Which message of an exchange is signed. */
enum pin_tsig_turn {
    PIN_TSIG_FIRST, /**< The request, or the first message of the answer. */
    PIN_TSIG_NEXT,  /**< A further one of the answer (RFC 8945, section 5.3.1). */
};

/**
 * Appends the TSIG to a whole message and counts it. `tsig` is ready for the next message then.
 *
 * @return The message's length with it; 0 when it does not fit or memory is out.
 */
size_t pin_tsig_sign(struct pin_tsig *tsig, enum pin_tsig_turn turn, uint8_t *wire, size_t bytes,
    size_t cap_bytes, uint64_t now_s);

/** The key of that name, or NULL. */
const struct pin_tsig_key *pin_tsig_key(
    const struct pin_tsig_keys *keys, const struct pin_name *name);
