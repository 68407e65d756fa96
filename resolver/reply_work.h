/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * What the files that read a reply share: its records as they stand in the message, the chain, and
 * the names that can be pointed at in the body.
 *
 *     reply.c        verdict: header, question, all records into a list, rcode
 *     reply_body.c   chain, which records are kept, TTLs
 *     reply_rdata.c  what the RDATA of a type is made of
 *     reply_name.c   names out of the message, names into the body
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/name.h"

#include "reply.h"

#define PIN_TYPE_RRSIG 46u
#define PIN_TYPE_NSEC  47u
#define PIN_TYPE_NSEC3 50u

/** Pointers followed in one message, all names together. Twice what the largest sane one needs. */
#define PIN_REPLY_HOPS_MAX 32768u
/** Names that can be pointed at, and how many of them are looked at in all. */
#define PIN_REPLY_SUFFIXES_MAX 160u
#define PIN_REPLY_LOOKS_MAX    65536u
/** Zones whose proofs are kept: each step of the chain may have one. */
#define PIN_REPLY_ZONES_MAX (PIN_CHAIN_MAX + 2u)

/** A record of the message. Its owner is known by hash: 64 bits with a secret the sender does not
 * have. */
struct pin_reply_rr {
    uint64_t owner_hash;
    uint64_t rdata_hash; /**< Of the RDATA with its names in lower case and without pointers. */
    uint32_t ttl_s;      /**< Within the limits. */
    uint16_t owner_at;
    uint16_t rdata_at;
    uint16_t rdata_bytes;
    uint16_t type;
    uint16_t covers; /**< RRSIG: the type it signs. */
    uint8_t section; /**< enum pin_section */
};

/** A name of the chain; the first one is the question's. */
struct pin_reply_step {
    struct pin_name name; /**< Lower-cased. */
    uint64_t hash;
    size_t at; /**< Where it stands in the message to be: what owners point to; 0: nowhere. */
    const struct pin_reply_rr *cname; /**< Leads to the next step; NULL: the last one. */
};

/** A name that can be pointed at. */
struct pin_reply_suffix {
    uint64_t hash;
    uint16_t at;
};

/** Work space. */
struct pin_reply_work {
    const struct pin_asked *asked;
    const uint8_t *wire;
    size_t bytes;
    size_t base; /**< Where the body will start in a message. */
    uint32_t n_hops_left;
    uint32_t n_looks_left;
    size_t out_bytes; /**< Of the body so far. */
    bool is_full;     /**< Something did not fit into the body. */
    uint8_t edns_version;
    bool has_opt;
    size_t n_rrs;
    size_t n_steps;
    size_t n_zones;
    size_t n_suffixes;
    size_t kept_mask; /**< Places in `kept` less one. */
    struct pin_reply_step steps[PIN_CHAIN_MAX + 1];
    struct pin_name zones[PIN_REPLY_ZONES_MAX];
    struct pin_reply_suffix suffixes[PIN_REPLY_SUFFIXES_MAX];
    struct pin_reply_rr rrs[PIN_REPLY_RRS_MAX];
    uint64_t kept[2 * PIN_REPLY_RRS_MAX]; /**< Hashes of the records in the body; 0: free. */
};

/**
 * Reads a name that starts at *at and must end, but for what pointers lead to, before `end`. Moves
 * *at behind it. The name keeps its case. False: malformed, or too many pointers in all.
 */
bool pin__reply_name(
    struct pin_reply_work *work, size_t *at, size_t end, bool may_point, struct pin_name *ret_name);

/** Hash of a name in any case. */
uint64_t pin__reply_name_hash(const struct pin_name *name);

/** Starts the body: the question's name can be pointed at. */
void pin__reply_names_start(struct pin_reply_work *work);

/** Appends bytes to the body. */
void pin__reply_put(
    struct pin_reply_work *work, struct pin_reply *reply, const void *data, size_t bytes);

/** Appends a pointer to `at`, below PIN_POINTER_END. */
void pin__reply_put_pointer(struct pin_reply_work *work, struct pin_reply *reply, size_t at);

/** Appends a name, compressed where it may be. */
void pin__reply_put_name(struct pin_reply_work *work, struct pin_reply *reply,
    const struct pin_name *name, bool may_compress);

/**
 * Goes through the RDATA of a record: lengths, and names that end inside it. Types that are not
 * known are bytes.
 *
 * @param reply  The RDATA is appended to its body; NULL: it is only checked, and hashed into `rr`.
 */
bool pin__reply_rdata(
    struct pin_reply_work *work, struct pin_reply *reply, struct pin_reply_rr *rr);

/** From records to body: GOOD or FAILED. */
enum pin_reply_verdict pin__reply_body(struct pin_reply_work *work, struct pin_reply *reply);
