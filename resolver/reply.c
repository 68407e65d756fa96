/* SPDX-License-Identifier: Apache-2.0 */

/* The verdict on an upstream's message: is it the reply we wait for, and can it be read? */

#include "reply.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "reply_work.h"

#define ID_AT        0u
#define FLAGS_AT     2u
#define COUNTS_AT    4u
#define FLAG_QR      0x8000u
#define OPCODE_MASK  0x7800u
#define FLAG_TC      0x0200u
#define FLAG_RA      0x0080u
#define FLAG_AD      0x0020u
#define RCODE_MASK   0x000Fu
#define TTL_HIGH_BIT 0x80000000u

#define RR_FIXED_BYTES 10u /* type, class, TTL, RDLENGTH */

struct pin_reply *pin_reply_new(void)
{
    struct pin_reply *reply = calloc(1, sizeof(*reply));
    if (reply == NULL) {
        return NULL;
    }
    reply->work = calloc(1, sizeof(*reply->work));
    if (reply->work == NULL) {
        free(reply);
        return NULL;
    }
    return reply;
}

void pin_reply_free(struct pin_reply *reply)
{
    if (reply != NULL) {
        free(reply->work);
        free(reply);
    }
}

/* --- header and question ------------------------------------------------------------------ */

static bool is_same_name(const struct pin_asked *asked, const uint8_t *name)
{
    uint8_t sent[PIN_NAME_MAX_BYTES];
    uint8_t came[PIN_NAME_MAX_BYTES];
    if (memcmp(asked->qname, name, asked->qname_bytes) == 0) {
        return true;
    }
    if (!asked->is_any_case) {
        return false;
    }
    pin_name_lower(sent, asked->qname, asked->qname_bytes);
    pin_name_lower(came, name, asked->qname_bytes);
    return memcmp(sent, came, asked->qname_bytes) == 0;
}

/* Whether the message repeats our question and no other. */
static bool has_our_question(const struct pin_reply_work *work)
{
    const struct pin_asked *asked = work->asked;
    size_t end = PIN_HEADER_BYTES + (size_t)asked->qname_bytes + PIN_QUESTION_TAIL_BYTES;
    if (pin_get_be16(work->wire + COUNTS_AT) != 1 || work->bytes < end) {
        return false;
    }
    const uint8_t *tail = work->wire + end - PIN_QUESTION_TAIL_BYTES;
    return pin_get_be16(tail) == asked->qtype && pin_get_be16(tail + 2) == asked->qclass
           && is_same_name(asked, work->wire + PIN_HEADER_BYTES);
}

/* An old server may answer our EDNS with a bare header (RFC 6891, section 7). */
static bool is_bare_refusal(const struct pin_reply_work *work)
{
    unsigned rcode = pin_get_be16(work->wire + FLAGS_AT) & RCODE_MASK;
    return work->asked->has_edns && pin_get_be16(work->wire + COUNTS_AT) == 0
           && work->bytes == PIN_HEADER_BYTES
           && (rcode == PIN_RCODE_FORMERR || rcode == PIN_RCODE_NOTIMP);
}

/* --- records ------------------------------------------------------------------------------ */

static uint32_t limited_ttl(const struct pin_asked *asked, uint32_t ttl_s)
{
    uint32_t max_s = asked->ttl_max_s == 0 ? PIN_TTL_CAP_S : asked->ttl_max_s;
    if ((ttl_s & TTL_HIGH_BIT) != 0 || ttl_s == 0) {
        return 0; /* RFC 2181, section 8 */
    }
    ttl_s = PIN_MAX(ttl_s, asked->ttl_min_s);
    ttl_s = PIN_MIN(ttl_s, max_s);
    return PIN_MIN(ttl_s, PIN_TTL_CAP_S);
}

/* Remembers the first extended error (RFC 8914); false: the options are malformed. */
static bool read_options(struct pin_reader *options, struct pin_reply *reply)
{
    while (pin_reader_left(options) > 0) {
        uint16_t code = pin_reader_get_u16(options);
        uint16_t bytes = pin_reader_get_u16(options);
        const uint8_t *option = pin_reader_get_bytes(options, bytes);
        if (option == NULL || (code == PIN_OPTION_EDE && bytes < 2)) {
            return false;
        }
        if (code == PIN_OPTION_EDE && reply->ede == PIN_EDE_NONE) {
            reply->ede = pin_get_be16(option);
        }
    }
    return !options->failed;
}

/* Reads an OPT (RFC 6891, section 6.1.3), whose fixed part is at `fixed`. */
static bool read_opt(struct pin_reply_work *work, struct pin_reply *reply, const uint8_t *fixed)
{
    if (work->has_opt) {
        return false;
    }
    work->has_opt = true;
    reply->rcode = (uint16_t)(reply->rcode | fixed[4] << 4);
    work->edns_version = fixed[5];
    if (work->edns_version != 0) {
        return true; /* nobody knows what its options look like */
    }
    struct pin_reader options = pin_reader_init(fixed + RR_FIXED_BYTES, pin_get_be16(fixed + 8));
    return read_options(&options, reply);
}

/* Lists a record of the answer or authority section. */
static bool note_record(
    struct pin_reply_work *work, size_t owner_at, const uint8_t *fixed, enum pin_section section)
{
    if (work->n_rrs == PIN_REPLY_RRS_MAX) {
        return false;
    }
    struct pin_reply_rr *rr = &work->rrs[work->n_rrs];
    struct pin_reader ttl = pin_reader_init(fixed + 4, 4);
    struct pin_name owner;
    size_t at = owner_at;
    if (!pin__reply_name(work, &at, work->bytes, true, &owner)) {
        return false;
    }
    *rr = (struct pin_reply_rr){
        .owner_hash = pin__reply_name_hash(&owner),
        .ttl_s = limited_ttl(work->asked, pin_reader_get_u32(&ttl)),
        .owner_at = (uint16_t)owner_at,
        .rdata_at = (uint16_t)(fixed + RR_FIXED_BYTES - work->wire),
        .rdata_bytes = pin_get_be16(fixed + 8),
        .type = pin_get_be16(fixed),
        .section = (uint8_t)section,
    };
    if (!pin__reply_rdata(work, NULL, rr)) {
        return false;
    }
    rr->covers = rr->type == PIN_TYPE_RRSIG ? pin_get_be16(work->wire + rr->rdata_at) : 0;
    work->n_rrs++;
    return true;
}

/* Reads one record; those of another class and of the additional section are stepped over. */
static bool read_record(
    struct pin_reply_work *work, struct pin_reply *reply, enum pin_section section, size_t *at)
{
    struct pin_name owner;
    size_t owner_at = *at;
    if (!pin__reply_name(work, at, work->bytes, true, &owner)
        || work->bytes - *at < RR_FIXED_BYTES) {
        return false;
    }
    const uint8_t *fixed = work->wire + *at;
    size_t rdata_bytes = pin_get_be16(fixed + 8);
    *at += RR_FIXED_BYTES;
    if (work->bytes - *at < rdata_bytes) {
        return false;
    }
    *at += rdata_bytes;
    if (pin_get_be16(fixed) == PIN_TYPE_OPT) {
        return section == PIN_SECTION_ADDITIONAL && owner.bytes == 1
               && read_opt(work, reply, fixed);
    }
    if (section == PIN_SECTION_ADDITIONAL || pin_get_be16(fixed + 2) != work->asked->qclass) {
        return true;
    }
    return note_record(work, owner_at, fixed, section);
}

/* Reads all records. Counts lie: each record takes 11 bytes or ends the loop. */
static bool read_records(struct pin_reply_work *work, struct pin_reply *reply)
{
    size_t at = work->base;
    for (enum pin_section section = PIN_SECTION_ANSWER; section < PIN_SECTION_MAX; section++) {
        unsigned n = pin_get_be16(work->wire + COUNTS_AT + 2 + 2 * (size_t)section);
        for (unsigned i = 0; i < n; i++) {
            if (!read_record(work, reply, section, &at)) {
                return false;
            }
        }
    }
    return at == work->bytes;
}

/* --- verdict ------------------------------------------------------------------------------ */

static enum pin_reply_verdict judge_rcode(struct pin_reply_work *work, struct pin_reply *reply)
{
    bool is_edns_unknown = reply->rcode == PIN_RCODE_FORMERR || reply->rcode == PIN_RCODE_NOTIMP
                           || reply->rcode == PIN_RCODE_BADVERS || work->edns_version != 0;
    if (work->asked->has_edns && is_edns_unknown) {
        return PIN_REPLY_NO_EDNS;
    }
    if (reply->rcode != PIN_RCODE_NOERROR && reply->rcode != PIN_RCODE_NXDOMAIN) {
        return PIN_REPLY_FAILED;
    }
    return pin__reply_body(work, reply);
}

static void start(struct pin_reply_work *work, struct pin_reply *reply, unsigned flags)
{
    const struct pin_asked *asked = work->asked;
    reply->rcode = (uint16_t)(flags & RCODE_MASK);
    reply->ede = PIN_EDE_NONE;
    reply->is_authentic = (flags & FLAG_AD) != 0;
    reply->is_recursive = (flags & FLAG_RA) != 0;
    reply->is_denied = false;
    reply->is_cut = false;
    reply->ttl_s = 0;
    reply->n_ttls = 0;
    reply->n_pointers = 0;
    reply->body_bytes = 0;
    memset(reply->n_rr, 0, sizeof(reply->n_rr));

    work->base = PIN_HEADER_BYTES + (size_t)asked->qname_bytes + PIN_QUESTION_TAIL_BYTES;
    work->n_hops_left = PIN_REPLY_HOPS_MAX;
    work->edns_version = 0;
    work->has_opt = false;
    work->n_rrs = 0;
}

enum pin_reply_verdict pin_reply_read(
    const uint8_t *wire, size_t bytes, const struct pin_asked *asked, struct pin_reply *reply)
{
    struct pin_reply_work *work = reply->work;
    if (bytes < PIN_HEADER_BYTES || bytes > UINT16_MAX) {
        return PIN_REPLY_MISMATCH;
    }
    work->asked = asked;
    work->wire = wire;
    work->bytes = bytes;
    unsigned flags = pin_get_be16(wire + FLAGS_AT);
    if (pin_get_be16(wire + ID_AT) != asked->id || (flags & (FLAG_QR | OPCODE_MASK)) != FLAG_QR) {
        return PIN_REPLY_MISMATCH;
    }
    start(work, reply, flags);
    reply->has_question = has_our_question(work);
    if (!reply->has_question) {
        return is_bare_refusal(work) ? PIN_REPLY_NO_EDNS : PIN_REPLY_MISMATCH;
    }
    if ((flags & FLAG_TC) != 0) {
        return PIN_REPLY_TRUNCATED;
    }
    if (!read_records(work, reply)) {
        return PIN_REPLY_MALFORMED;
    }
    return judge_rcode(work, reply);
}
