/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Response: builds the answer in place, behind the question that the client sent.
 *
 *     header | question, as it came | answer | authority | additional | OPT
 *
 * Room for the OPT is set aside at the start, so it always fits. Owner names of appended RRs are
 * pointers: to the QNAME, or to a name inside an RR that is there already.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/select.h"
#include "pintle/zones/table.h"
#include "pintle/zones/tsig.h"

#include "manners.h"
#include "query.h"

/** UDP payload size that we announce and never exceed (DNS flag day 2020). */
#define PIN_UDP_MAX_BYTES 1232u
/** What a client without EDNS takes (RFC 1035, section 4.2.1). */
#define PIN_UDP_MIN_BYTES 512u
/** Longest message over a stream: its length field has 16 bits. */
#define PIN_STREAM_MAX_BYTES 65535u
/** Most targets whose addresses are added to one answer; bounds the work a huge RRset makes. */
#define PIN_EXTRAS_MAX 13u

/** An OPT without options. */
#define PIN_OPT_BYTES 11u
/** Code and length of an option. */
#define PIN_OPTION_HEAD_BYTES 4u
/** An extended error without text; every OPT has room for one. */
#define PIN_OPTION_EDE_BYTES (PIN_OPTION_HEAD_BYTES + 2u)

/** Offsets from here on cannot be pointed at (RFC 1035, section 4.1.4). */
#define PIN_POINTER_END 0x4000u

/** Response codes in use (IANA: DNS RCODEs). */
#define PIN_RCODE_NOERROR   0u
#define PIN_RCODE_FORMERR   1u
#define PIN_RCODE_SERVFAIL  2u
#define PIN_RCODE_NXDOMAIN  3u
#define PIN_RCODE_NOTIMP    4u
#define PIN_RCODE_REFUSED   5u
#define PIN_RCODE_YXDOMAIN  6u
#define PIN_RCODE_NOTAUTH   9u
#define PIN_RCODE_BADVERS   16u /**< Its upper bits stand in the OPT. */
#define PIN_RCODE_BADCOOKIE 23u /**< The same. */

/** Extended DNS errors in use (RFC 8914). */
#define PIN_EDE_NONE                   UINT16_MAX
#define PIN_EDE_STALE_ANSWER           3u
#define PIN_EDE_NOT_READY              14u
#define PIN_EDE_PROHIBITED             18u
#define PIN_EDE_STALE_NXDOMAIN         19u
#define PIN_EDE_NOT_AUTHORITATIVE      20u
#define PIN_EDE_NO_REACHABLE_AUTHORITY 22u
#define PIN_EDE_NETWORK_ERROR          23u

/** A message buffer: a query goes in, its answer comes out in the same place. */
struct pin_packet {
    uint8_t *wire;    /**< Borrowed. */
    size_t bytes;     /**< Length of the query. */
    size_t cap_bytes; /**< Room for the answer: bytes or more, and at least PIN_UDP_MIN_BYTES. */
};

/** Sections of a message behind the question. */
enum pin_section {
    PIN_SECTION_ANSWER,
    PIN_SECTION_AUTHORITY,
    PIN_SECTION_ADDITIONAL,
    PIN_SECTION_MAX,
};

struct pin_source;

/** An answer under construction. */
struct pin_response {
    uint8_t *wire;
    size_t used_bytes;
    size_t limit_bytes; /**< Up to here RRs may go; the OPT comes behind. */
    size_t end_bytes;   /**< Longest answer this client takes, before it is signed. */
    uint16_t n_rr[PIN_SECTION_MAX];
    uint16_t rcode;
    uint16_t ede; /**< PIN_EDE_*. */
    bool is_authoritative;
    bool is_truncated;
    bool is_recursive;                /**< RA: this client may ask for any name. */
    bool is_authentic;                /**< AD: whom we trust has validated it. */
    bool is_stream;                   /**< Never sets TC. */
    bool is_bare;                     /**< Its TSIG leaves no room for RRs and options. */
    const _Atomic uint64_t *verdicts; /**< Of the health table, for tables that are checked. */
    uint64_t asker_key;     /**< Stands for the asker in sticky tables; set before one is added. */
    uint16_t first_rr_i;    /**< Of the drawn table added last: the RR that stands first. */
    uint8_t ecs_scope;      /**< Source prefix length when the answer depends on it, else 0. */
    bool has_expire;        /**< The zone's SOA is in the answer, and was asked for. */
    uint8_t transport;      /**< enum pin_transport; set with `manners`. */
    uint16_t options_bytes; /**< Room for the OPT's options beside EDE and padding. */
    uint32_t expire_s;      /**< has_expire: what that SOA says. */
    const struct pin_manners *manners; /**< NULL: no option but EDE and ECS is written. */
    struct pin_tsig *tsig;     /**< What the answer is signed with; NULL: it is not. Borrowed. */
    uint64_t wall_s;           /**< With `tsig`: the time, seconds since 1970. */
    size_t cap_bytes;          /**< Longest answer this client takes, with its TSIG. */
    struct pin_source *source; /**< The answer in its place; NULL: this one. */
};

/** Starts an answer that holds the question alone. `query` as pin_query_parse() filled it. */
void pin_response_init(struct pin_response *ret_response, const struct pin_packet *packet,
    const struct pin_query *query, bool is_stream);

/**
 * Has the answer signed when it is finished.
 *
 * @param tsig    Verified with the query (zones/tsig.h); lives until the answer is finished.
 * @param wall_s  Seconds since 1970.
 */
void pin_response_seal(struct pin_response *response, struct pin_tsig *tsig, uint64_t wall_s);

/**
 * Prepares for the options that the query brought, once, before RRs are added: what the answer is
 * to say to them has room from now on. Not needed when query->options is 0.
 */
void pin_response_expect(struct pin_response *response, const struct pin_query *query,
    const struct pin_manners *manners, enum pin_transport transport);

/** Takes back all RRs added so far. */
void pin_response_clear(struct pin_response *response, const struct pin_query *query);

/**
 * Adds what a table shows in one answer, as much as fits. What is left out sets TC where the whole
 * RRset belongs into the answer, that is in the answer section unless the table is drawn.
 *
 * @param owner_at  Offset of the owner name in the message; PIN_HEADER_BYTES is the QNAME.
 * @return Offset where its RRs start.
 */
size_t pin_response_add_table(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws, size_t owner_at);

/** Adds addresses of the names inside `table`, which starts at `table_at`; what does not fit is
 * left out. */
void pin_response_add_extras(struct pin_response *response, const struct pin_table *table,
    size_t table_at, struct pin_draws *draws);

/** Gives the RRs from the offset `at` on a TTL of at most `ttl_max_s`. */
void pin_response_cap_ttls(struct pin_response *response, size_t at, uint32_t ttl_max_s);

/** Adds an SOA with its own TTL, or with at most `ttl_max_s`. */
void pin_response_add_soa(struct pin_response *response, enum pin_section section,
    const struct pin_soa *soa, size_t owner_at, uint32_t ttl_max_s);

/** Notes that the answer shows the SOA of a zone of ours, whose EXPIRE may be asked for. */
void pin_response_note_expire(struct pin_response *response, const struct pin_soa *soa);

/** Adds one whole RR that carries PIN_OWNER_POINTER; TC when it does not fit. */
void pin_response_add_rr(struct pin_response *response, enum pin_section section, const uint8_t *rr,
    size_t rr_bytes, size_t owner_at);

/** Writes the OPT behind the RRs (RFC 6891, section 6.1.2). For pin_response_finish(). */
void pin_response_put_opt(struct pin_response *response, const struct pin_query *query);

/** Writes header, OPT and TSIG, cuts what leaves no room for these, and returns the length of the
 * message; 0: it could not be signed. */
size_t pin_response_finish(struct pin_response *response, const struct pin_query *query);
