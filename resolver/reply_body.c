/* SPDX-License-Identifier: Apache-2.0 */

/*
 * From a reply's records to the body: the chain of CNAMEs, what belongs to it, what proves a
 * denial. A record that no step asks for is not looked at twice.
 */

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "reply_work.h"

#define RRSIG_SIGNER_AT   18u
#define SOA_MINIMUM_BYTES 4u
#define POINTER_BITS      0xC0u

static const struct pin_reply_rr *find_rr(
    const struct pin_reply_work *work, enum pin_section section, uint64_t owner_hash, uint16_t type)
{
    for (size_t i = 0; i < work->n_rrs; i++) {
        const struct pin_reply_rr *rr = &work->rrs[i];
        if (rr->section == section && rr->type == type && rr->owner_hash == owner_hash) {
            return rr;
        }
    }
    return NULL;
}

/* Reads a name of a record that was read once already. Cannot fail but for the limit on pointers.
 */
static bool read_again(struct pin_reply_work *work, size_t at, struct pin_name *ret_name)
{
    return pin__reply_name(work, &at, work->bytes, true, ret_name);
}

static void lower(struct pin_name *name)
{
    pin_name_lower(name->wire, name->wire, name->bytes);
}

/* --- the chain ---------------------------------------------------------------------------- */

static bool is_in_chain(const struct pin_reply_work *work, uint64_t hash)
{
    for (size_t i = 0; i < work->n_steps; i++) {
        if (work->steps[i].hash == hash) {
            return true;
        }
    }
    return false;
}

/* Follows the CNAMEs of the answer section; false: a loop, or too many of them. */
static bool follow_chain(struct pin_reply_work *work, struct pin_reply *reply)
{
    const struct pin_asked *asked = work->asked;
    bool follows = asked->qtype != PIN_TYPE_CNAME && asked->qtype != PIN_TYPE_ANY
                   && asked->qtype != PIN_TYPE_RRSIG;
    while (follows) {
        struct pin_reply_step *step = &work->steps[work->n_steps - 1];
        const struct pin_reply_rr *cname =
            find_rr(work, PIN_SECTION_ANSWER, step->hash, PIN_TYPE_CNAME);
        if (cname == NULL) {
            return true;
        }
        struct pin_reply_step *next = step + 1;
        if (work->n_steps > PIN_CHAIN_MAX || !read_again(work, cname->rdata_at, &next->name)) {
            return false;
        }
        lower(&next->name);
        next->hash = pin_hash64(next->name.wire, next->name.bytes);
        next->at = 0;
        next->cname = NULL;
        if (is_in_chain(work, next->hash)) {
            return false;
        }
        step->cname = cname;
        work->n_steps++;
        if (asked->believes != NULL
            && !asked->believes(asked->believes_arg, next->name.wire, next->name.bytes)) {
            reply->is_cut = true;
            return true;
        }
    }
    return true;
}

/* --- records into the body ------------------------------------------------------------------ */

/* Whether this record is in the body already; from now on it is. */
static bool was_kept(struct pin_reply_work *work, uint64_t hash)
{
    hash |= 1; /* 0 is a free place */
    size_t place = hash & work->kept_mask;
    while (work->kept[place] != 0) {
        if (work->kept[place] == hash) {
            return true;
        }
        place = (place + 1) & work->kept_mask;
    }
    work->kept[place] = hash;
    return false;
}

static void put_owner(struct pin_reply_work *work, struct pin_reply *reply,
    const struct pin_reply_rr *rr, const struct pin_reply_step *step)
{
    struct pin_name owner;
    if (step != NULL && step->at != 0 && step->at < PIN_POINTER_END) {
        pin__reply_put_pointer(work, reply, step->at);
    } else if (read_again(work, rr->owner_at, &owner)) {
        pin__reply_put_name(work, reply, &owner, true);
    } else {
        work->is_full = true;
    }
}

/* Notes whose keys signed it, for proofs of the same zone. */
static void note_signer(
    struct pin_reply_work *work, const struct pin_reply_rr *rr, const struct pin_name *owner)
{
    if (work->n_zones == PIN_REPLY_ZONES_MAX) {
        return;
    }
    struct pin_name signer;
    const uint8_t *name = work->wire + rr->rdata_at + RRSIG_SIGNER_AT; /* never compressed */
    signer.bytes = (uint8_t)pin_name_wire_bytes(name);
    pin_name_lower(signer.wire, name, signer.bytes);
    if (pin_name_is_below(owner, &signer)) {
        work->zones[work->n_zones++] = signer;
    }
}

/* Appends a record. `step`: whose name owns it, or NULL: read its owner again. */
static void keep(struct pin_reply_work *work, struct pin_reply *reply, struct pin_reply_rr *rr,
    const struct pin_reply_step *step, uint32_t ttl_s)
{
    if (work->is_full || was_kept(work, rr->rdata_hash + rr->section)) {
        return;
    }
    uint8_t fixed[10] = {(uint8_t)(rr->type >> 8), (uint8_t)rr->type,
        (uint8_t)(work->asked->qclass >> 8), (uint8_t)work->asked->qclass, (uint8_t)(ttl_s >> 24),
        (uint8_t)(ttl_s >> 16), (uint8_t)(ttl_s >> 8), (uint8_t)ttl_s};
    put_owner(work, reply, rr, step);
    size_t fixed_at = work->out_bytes;
    pin__reply_put(work, reply, fixed, sizeof(fixed));
    size_t rdata_at = work->out_bytes;
    if (!pin__reply_rdata(work, reply, rr) || work->is_full) {
        work->is_full = true;
        return;
    }
    size_t rdata_bytes = work->out_bytes - rdata_at;
    reply->body[rdata_at - 2] = (uint8_t)(rdata_bytes >> 8);
    reply->body[rdata_at - 1] = (uint8_t)rdata_bytes;
    reply->ttl_at[reply->n_ttls++] = (uint16_t)(fixed_at + 4);
    reply->n_rr[rr->section]++;
    reply->ttl_s = PIN_MIN(reply->ttl_s, ttl_s);
    if (rr->type == PIN_TYPE_RRSIG && step != NULL) {
        note_signer(work, rr, &step->name);
    }
}

/* Whether this signature belongs to a kept RRset of `type` at the step. */
static bool is_signature(const struct pin_reply_work *work, const struct pin_reply_rr *rr,
    const struct pin_reply_step *step, uint16_t type)
{
    return work->asked->is_do && rr->type == PIN_TYPE_RRSIG && rr->covers == type
           && rr->owner_hash == step->hash && rr->section == PIN_SECTION_ANSWER;
}

/*
 * A DNAME is kept only where it explains the CNAME of this step (RFC 6672, section 3.1): its owner
 * is above the name, and what it makes of the name is what the CNAME says.
 */
static void keep_dname(struct pin_reply_work *work, struct pin_reply *reply, size_t step_i)
{
    const struct pin_reply_step *step = &work->steps[step_i];
    const struct pin_name *target = &step[1].name;
    for (size_t i = 0; i < work->n_rrs; i++) {
        struct pin_reply_rr *rr = &work->rrs[i];
        struct pin_name owner;
        struct pin_name new_end;
        if (rr->type != PIN_TYPE_DNAME || rr->section != PIN_SECTION_ANSWER
            || !read_again(work, rr->owner_at, &owner)
            || !read_again(work, rr->rdata_at, &new_end)) {
            continue;
        }
        lower(&owner);
        lower(&new_end);
        size_t head_bytes = (size_t)step->name.bytes - owner.bytes;
        if (step->name.bytes <= owner.bytes || !pin_name_is_below(&step->name, &owner)
            || target->bytes != head_bytes + new_end.bytes
            || memcmp(target->wire, step->name.wire, head_bytes) != 0
            || memcmp(target->wire + head_bytes, new_end.wire, new_end.bytes) != 0) {
            continue;
        }
        keep(work, reply, rr, NULL, rr->ttl_s);
        struct pin_reply_step above = {.name = owner, .hash = rr->owner_hash};
        for (size_t s = 0; s < work->n_rrs; s++) {
            if (is_signature(work, &work->rrs[s], &above, PIN_TYPE_DNAME)) {
                keep(work, reply, &work->rrs[s], &above, work->rrs[s].ttl_s);
            }
        }
        return;
    }
}

/* Where the name that begins at `at` really stands: one pointer instead of two. */
static size_t stands_at(const struct pin_reply_work *work, const struct pin_reply *reply, size_t at)
{
    const uint8_t *name = reply->body + (at - work->base);
    if ((name[0] & POINTER_BITS) != POINTER_BITS) {
        return at;
    }
    return (size_t)(name[0] & ~POINTER_BITS) << 8 | name[1];
}

/* The CNAME of a step, after the DNAME it may come from. The next step's name stands in it. */
static void keep_step(struct pin_reply_work *work, struct pin_reply *reply, size_t step_i)
{
    struct pin_reply_step *step = &work->steps[step_i];
    keep_dname(work, reply, step_i);
    struct pin_reply_rr *cname = &work->rrs[step->cname - work->rrs];
    keep(work, reply, cname, step, cname->ttl_s);
    if (work->is_full) {
        return;
    }
    size_t rdata_at = (size_t)reply->ttl_at[reply->n_ttls - 1] + 6;
    step[1].at = stands_at(work, reply, work->base + rdata_at);
    for (size_t i = 0; i < work->n_rrs; i++) {
        if (is_signature(work, &work->rrs[i], step, PIN_TYPE_CNAME)) {
            keep(work, reply, &work->rrs[i], step, work->rrs[i].ttl_s);
        }
    }
}

/* All records of an RRset have one TTL (RFC 2181, section 5.2): the smallest of those given. */
static uint32_t rrset_ttl(
    const struct pin_reply_work *work, const struct pin_reply_step *step, uint16_t type)
{
    uint32_t ttl_s = UINT32_MAX;
    for (size_t i = 0; i < work->n_rrs; i++) {
        const struct pin_reply_rr *rr = &work->rrs[i];
        if (rr->section == PIN_SECTION_ANSWER && rr->owner_hash == step->hash && rr->type == type) {
            ttl_s = PIN_MIN(ttl_s, rr->ttl_s);
        }
    }
    return ttl_s;
}

/* What was asked for, at the end of the chain. Returns how many records that are. */
static size_t keep_data(struct pin_reply_work *work, struct pin_reply *reply)
{
    const struct pin_reply_step *step = &work->steps[work->n_steps - 1];
    uint16_t qtype = work->asked->qtype;
    uint32_t ttl_s = rrset_ttl(work, step, qtype);
    size_t n = 0;
    for (size_t i = 0; i < work->n_rrs; i++) {
        struct pin_reply_rr *rr = &work->rrs[i];
        if (rr->section != PIN_SECTION_ANSWER || rr->owner_hash != step->hash) {
            continue;
        }
        if (rr->type == qtype || qtype == PIN_TYPE_ANY) {
            keep(work, reply, rr, step, rr->type == qtype ? ttl_s : rr->ttl_s);
            n++;
        } else if (is_signature(work, rr, step, qtype)) {
            keep(work, reply, rr, step, rr->ttl_s);
        }
    }
    return n;
}

/* --- denials ------------------------------------------------------------------------------ */

/* The SOA of the zone that denies the name; its TTL says for how long (RFC 2308, section 5). */
static const struct pin_reply_rr *find_soa(
    struct pin_reply_work *work, uint32_t *ret_ttl_s, struct pin_name *ret_zone)
{
    const struct pin_name *name = &work->steps[work->n_steps - 1].name;
    for (size_t i = 0; i < work->n_rrs; i++) {
        const struct pin_reply_rr *rr = &work->rrs[i];
        if (rr->type != PIN_TYPE_SOA || rr->section != PIN_SECTION_AUTHORITY
            || !read_again(work, rr->owner_at, ret_zone)) {
            continue;
        }
        lower(ret_zone);
        if (!pin_name_is_below(name, ret_zone)) {
            continue;
        }
        const uint8_t *at = work->wire + rr->rdata_at + rr->rdata_bytes - SOA_MINIMUM_BYTES;
        uint32_t minimum_s = pin_get_be32(at);
        minimum_s = minimum_s > INT32_MAX ? 0 : minimum_s;
        minimum_s = PIN_MIN(minimum_s, PIN_TTL_DENIAL_CAP_S);
        *ret_ttl_s = PIN_MIN(minimum_s, rr->ttl_s);
        return rr;
    }
    return NULL;
}

static bool is_in_noted_zone(const struct pin_reply_work *work, const struct pin_name *name)
{
    for (size_t i = 0; i < work->n_zones; i++) {
        if (pin_name_is_below(name, &work->zones[i])) {
            return true;
        }
    }
    return false;
}

static bool is_proof(uint16_t type)
{
    return type == PIN_TYPE_NSEC || type == PIN_TYPE_NSEC3;
}

/* With DO: the proofs of the authority section that come from a zone that has a say here. */
static void keep_proofs(
    struct pin_reply_work *work, struct pin_reply *reply, const struct pin_reply_rr *soa)
{
    for (size_t i = 0; i < work->n_rrs && work->asked->is_do; i++) {
        struct pin_reply_rr *rr = &work->rrs[i];
        struct pin_name owner;
        if (rr->section != PIN_SECTION_AUTHORITY) {
            continue;
        }
        bool is_of_soa = soa != NULL && rr->type == PIN_TYPE_RRSIG && rr->covers == PIN_TYPE_SOA
                         && rr->owner_hash == soa->owner_hash;
        bool is_of_proof =
            is_proof(rr->type) || (rr->type == PIN_TYPE_RRSIG && is_proof(rr->covers));
        if ((!is_of_soa && !is_of_proof) || !read_again(work, rr->owner_at, &owner)) {
            continue;
        }
        lower(&owner);
        if (is_in_noted_zone(work, &owner)) {
            keep(work, reply, rr, NULL, rr->ttl_s);
        }
    }
}

/* Nothing was found: why. */
static enum pin_reply_verdict keep_denial(struct pin_reply_work *work, struct pin_reply *reply)
{
    uint32_t ttl_s = 0;
    struct pin_name zone;
    bool is_nxdomain = reply->rcode == PIN_RCODE_NXDOMAIN;
    const struct pin_reply_rr *soa = find_soa(work, &ttl_s, &zone);
    reply->kind = is_nxdomain ? PIN_BODY_NXDOMAIN : PIN_BODY_NODATA;
    reply->is_denied = is_nxdomain && work->n_steps == 1;
    if (soa != NULL) {
        if (work->n_zones < PIN_REPLY_ZONES_MAX) {
            work->zones[work->n_zones++] = zone;
        }
        keep(work, reply, &work->rrs[soa - work->rrs], NULL, ttl_s);
        keep_proofs(work, reply, soa);
        return PIN_REPLY_GOOD;
    }
    if (is_nxdomain) {
        reply->ttl_s = 0; /* RFC 2308, section 5: not to be kept */
        return PIN_REPLY_GOOD;
    }
    if (work->n_steps > 1) {
        reply->kind = PIN_BODY_ANSWER; /* of a server that knows no more than the CNAMEs */
        reply->is_cut = true;
        return PIN_REPLY_GOOD;
    }
    for (size_t i = 0; i < work->n_rrs; i++) {
        if (work->rrs[i].section == PIN_SECTION_AUTHORITY && work->rrs[i].type == PIN_TYPE_NS) {
            return PIN_REPLY_FAILED; /* a referral: this upstream does not do our work */
        }
    }
    reply->ttl_s = 0;
    return PIN_REPLY_GOOD;
}

/* --- all of it ---------------------------------------------------------------------------- */

static void start_body(struct pin_reply_work *work, struct pin_reply *reply)
{
    struct pin_reply_step *first = &work->steps[0];
    pin_name_lower(first->name.wire, work->asked->qname, work->asked->qname_bytes);
    first->name.bytes = work->asked->qname_bytes;
    first->hash = pin_hash64(first->name.wire, first->name.bytes);
    first->at = PIN_HEADER_BYTES;
    first->cname = NULL;
    work->n_steps = 1;
    work->n_zones = 0;
    reply->ttl_s = PIN_TTL_CAP_S;
    pin__reply_names_start(work);

    size_t n_places = 8;
    while (n_places < 2 * work->n_rrs) {
        n_places *= 2;
    }
    work->kept_mask = n_places - 1;
    memset(work->kept, 0, n_places * sizeof(work->kept[0]));
}

enum pin_reply_verdict pin__reply_body(struct pin_reply_work *work, struct pin_reply *reply)
{
    enum pin_reply_verdict verdict = PIN_REPLY_GOOD;
    start_body(work, reply);
    if (!follow_chain(work, reply)) {
        return PIN_REPLY_FAILED;
    }
    for (size_t i = 0; i + 1 < work->n_steps; i++) {
        keep_step(work, reply, i);
    }
    size_t n_data = reply->is_cut ? 0 : keep_data(work, reply);
    if (reply->is_cut) {
        reply->kind = PIN_BODY_ANSWER;
        reply->rcode = PIN_RCODE_NOERROR; /* what it says of the name beyond is not believed */
    } else if (n_data == 0) {
        verdict = keep_denial(work, reply);
    } else if (reply->rcode == PIN_RCODE_NOERROR) {
        reply->kind = PIN_BODY_ANSWER;
        keep_proofs(work, reply, NULL);
    } else {
        return PIN_REPLY_FAILED; /* data of a name that does not exist */
    }
    reply->body_bytes = (uint16_t)work->out_bytes;
    return work->is_full ? PIN_REPLY_FAILED : verdict;
}
