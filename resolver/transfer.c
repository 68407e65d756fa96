/* SPDX-License-Identifier: Apache-2.0 */

/* Transfers: who may have them, and their messages, made one by one as the client takes them. */

#include "transfer.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/zones/edition.h"
#include "pintle/zones/index.h"

#include "late.h"

#define MS_PER_S 1000
/* A message is full when it has so many bytes; a record may go beyond. */
#define MESSAGE_FULL_BYTES ((size_t)16 << 10)
#define POINTER            0xC000u
#define OPT_BYTES          11u
#define FLAGS_QR_AA        0x8400u
#define FLAG_RD            0x0100u
#define ANCOUNT_AT         6u

/* One transfer. Its stream's thread alone writes it between begin and end. */
struct transfer {
    struct pin_source source; /* first */
    _Atomic bool is_taken;
    struct pin_edition *edition;
    struct pin_edition_walk walk;
    struct pin_stats *stats;
    bool is_signed;
    bool has_edns;
    bool is_do;
    enum pin_tsig_turn turn;
    uint16_t id;
    uint16_t flags;
    uint16_t question_bytes;
    uint8_t question[PIN_NAME_MAX_BYTES + PIN_QUESTION_TAIL_BYTES]; /* as it came */
    uint8_t apex_bytes;
    struct pin_tsig tsig;
    struct pin_tsig_key key; /* a copy: the configuration's may go before the transfer ends */
    uint8_t *secret;         /* the key's */
};

struct slots {
    uint32_t n_holders; /* beside the first */
    struct transfer items[PIN_TRANSFERS_MAX];
};

struct pin_transfers {
    const struct pin_transfer_rule *rules;
    size_t n_rules;
    struct slots *slots;
};

/* --- who may ------------------------------------------------------------------------------ */

static const struct pin_transfer_rule *find_rule(
    const struct pin_transfers *transfers, const struct pin_query *query)
{
    for (size_t i = 0; transfers != NULL && i < transfers->n_rules; i++) {
        const struct pin_name *zone = &transfers->rules[i].zone;
        if (zone->bytes == query->qname_bytes
            && memcmp(zone->wire, query->qname, zone->bytes) == 0) {
            return &transfers->rules[i];
        }
    }
    return NULL;
}

static bool is_allowed(
    const struct pin_transfer_rule *rule, const struct pin_ip *ip, const struct pin_tsig_key *key)
{
    for (size_t i = 0; i < rule->n_ranges; i++) {
        if (pin_prefix_has(&rule->ranges[i], ip)) {
            return true;
        }
    }
    for (size_t i = 0; i < rule->n_keys; i++) {
        if (rule->keys[i] == key) {
            return true;
        }
    }
    return false;
}

/* --- the query ---------------------------------------------------------------------------- */

/* The serial of an IXFR query, from the SOA in its authority section (RFC 1995, section 3). */
static bool read_serial(const struct pin_query *query, const uint8_t *wire, uint32_t *ret_serial)
{
    const size_t refresh_to_minimum_bytes = 16;
    struct pin_name name; /* whose it is does not matter */
    struct pin_reader counts = pin_reader_init(wire + ANCOUNT_AT, 2 * sizeof(uint16_t));
    struct pin_reader reader = pin_reader_init(wire, query->message_bytes);
    uint16_t n_answers = pin_reader_get_u16(&counts);
    uint16_t n_authority = pin_reader_get_u16(&counts);
    reader.pos += query->question_end;
    bool has_owner = pin_name_read(&reader, &name);
    uint16_t type = pin_reader_get_u16(&reader);
    (void)pin_reader_get_u16(&reader); /* class */
    (void)pin_reader_get_u32(&reader); /* TTL */
    uint16_t rdata_bytes = pin_reader_get_u16(&reader);
    if (!has_owner || n_answers != 0 || n_authority == 0 || type != PIN_TYPE_SOA
        || pin_reader_left(&reader) < rdata_bytes) {
        return false;
    }
    reader.end = reader.pos + rdata_bytes;
    bool has_primary = pin_name_read(&reader, &name);
    bool has_mailbox = pin_name_read(&reader, &name);
    *ret_serial = pin_reader_get_u32(&reader);
    return has_primary && has_mailbox && pin_reader_is_ok(&reader)
           && pin_reader_left(&reader) == refresh_to_minimum_bytes;
}

/* --- messages ----------------------------------------------------------------------------- */

/* A message under way. */
struct message {
    struct pin_buf w;
    uint8_t *wire;
    const uint8_t *owner; /* of the record before; NULL: there is none */
    size_t owner_bytes;
    size_t owner_at;
    size_t n;
};

/* Writes an owner name: labels in front of the zone's name, which is in the question; or a pointer
 * to where the same name stands. */
static void put_owner(struct message *m, const struct transfer *t, const struct pin_edition_rr *rr)
{
    size_t below = (size_t)rr->owner_bytes - t->apex_bytes;
    bool is_same = m->owner != NULL && m->owner_bytes == rr->owner_bytes
                   && memcmp(m->owner, rr->owner, rr->owner_bytes) == 0;
    if (is_same && m->owner_at < PIN_POINTER_END) {
        pin_buf_put_u16(&m->w, (uint16_t)(POINTER | m->owner_at));
        return;
    }
    m->owner = rr->owner;
    m->owner_bytes = rr->owner_bytes;
    m->owner_at = below > 0 ? pin_buf_used(&m->w) : PIN_HEADER_BYTES;
    pin_buf_put_bytes(&m->w, rr->owner, below);
    pin_buf_put_u16(&m->w, POINTER | PIN_HEADER_BYTES);
}

/* Writes records until the message is full. True: that was all. */
static bool put_records(struct message *m, struct transfer *t)
{
    for (;;) {
        struct pin_edition_walk before = t->walk;
        struct pin_buf whole = m->w;
        struct pin_edition_rr rr;
        if (!pin_edition_next(&t->walk, &rr)) {
            return true;
        }
        put_owner(m, t, &rr);
        pin_buf_put_bytes(&m->w, rr.tail, rr.tail_bytes);
        if (!pin_buf_is_ok(&m->w)) {
            m->w = whole; /* it begins the next message */
            t->walk = before;
            return false;
        }
        m->n++;
        if (pin_buf_used(&m->w) >= MESSAGE_FULL_BYTES) {
            struct pin_edition_walk after = t->walk;
            return !pin_edition_next(&after, &rr);
        }
    }
}

static void put_opt(struct message *m, const struct transfer *t)
{
    pin_buf_put_u8(&m->w, 0);
    pin_buf_put_u16(&m->w, PIN_TYPE_OPT);
    pin_buf_put_u16(&m->w, PIN_UDP_MAX_BYTES);
    pin_buf_put_u16(&m->w, 0);
    pin_buf_put_u16(&m->w, t->is_do ? 0x8000u : 0);
    pin_buf_put_u16(&m->w, 0);
}

static void put_header(struct message *m, const struct transfer *t)
{
    pin_buf_put_u16(&m->w, t->id);
    pin_buf_put_u16(&m->w, t->flags);
    pin_buf_put_u16(&m->w, 1);
    pin_buf_put_u16(&m->w, 0);
    pin_buf_put_u16(&m->w, 0);
    pin_buf_put_u16(&m->w, t->has_edns ? 1 : 0);
    pin_buf_put_bytes(&m->w, t->question, t->question_bytes);
}

/* The stream's thread: the next message. */
static size_t next_message(
    struct pin_source *source, uint8_t *wire, size_t cap_bytes, bool *ret_is_last)
{
    struct transfer *t = (struct transfer *)source; /* its first member */
    size_t room = (t->has_edns ? OPT_BYTES : 0) + (t->is_signed ? pin_tsig_room(&t->tsig) : 0);
    struct message m = {.w = pin_buf_init(wire, cap_bytes - room), .wire = wire};
    put_header(&m, t);
    bool is_last = put_records(&m, t);
    if (m.n == 0 || !pin_buf_is_ok(&m.w)) {
        return 0; /* a record that no message can hold */
    }
    m.w.end = wire + cap_bytes;
    if (t->has_edns) {
        put_opt(&m, t);
    }
    pin_buf_set_u16(&m.w, ANCOUNT_AT, (uint16_t)m.n);
    size_t bytes = pin_buf_used(&m.w);
    if (t->is_signed) {
        uint64_t wall_s = (uint64_t)pin_clock_wall_ms() / MS_PER_S;
        bytes = pin_tsig_sign(&t->tsig, t->turn, wire, bytes, cap_bytes, wall_s);
        t->turn = PIN_TSIG_NEXT;
    }
    *ret_is_last = is_last;
    return bytes;
}

static void forget_key(struct transfer *t)
{
    if (t->secret != NULL) {
        explicit_bzero(t->secret, t->key.secret_bytes);
        free(t->secret);
        t->secret = NULL;
    }
}

/* The stream's thread: it is over, or the stream is. */
static void end_transfer(struct pin_source *source, bool is_whole)
{
    struct transfer *t = (struct transfer *)source; /* its first member */
    if (!is_whole) {
        pin_stat_add(&t->stats->n_transfers_cut, 1);
    }
    pin_edition_unpin(t->edition);
    t->edition = NULL;
    forget_key(t);
    atomic_store_explicit(&t->is_taken, false, memory_order_release);
}

/* --- beginning ---------------------------------------------------------------------------- */

static struct transfer *take_slot(struct pin_transfers *transfers)
{
    for (size_t i = 0; i < PIN_TRANSFERS_MAX; i++) {
        struct transfer *t = &transfers->slots->items[i];
        bool expected = false;
        if (atomic_compare_exchange_strong_explicit(
                &t->is_taken, &expected, true, memory_order_acquire, memory_order_relaxed)) {
            return t;
        }
    }
    return NULL;
}

/* Has a slot sign with a copy of the query's key. False: memory is out. */
static bool take_key(struct transfer *t, const struct pin_tsig *tsig)
{
    t->key = *tsig->key;
    t->secret = malloc(t->key.secret_bytes);
    if (t->secret == NULL) {
        return false;
    }
    memcpy(t->secret, tsig->key->secret, t->key.secret_bytes);
    t->key.secret = t->secret;
    t->tsig = *tsig;
    t->tsig.key = &t->key;
    t->turn = PIN_TSIG_FIRST;
    return true;
}

/* Fills a slot. */
static void begin_transfer(struct transfer *t, const struct pin_transfer_ask *ask,
    const struct pin_response *response, const struct pin_edition_walk *walk)
{
    const struct pin_query *query = ask->query;
    const uint8_t *wire = response->wire;
    t->source = (struct pin_source){.next = next_message, .end = end_transfer};
    t->walk = *walk;
    t->stats = ask->stats;
    t->has_edns = query->has_edns;
    t->is_do = query->is_do;
    t->id = pin_get_be16(wire);
    t->flags = (uint16_t)(FLAGS_QR_AA | ((unsigned)wire[2] << 8 & FLAG_RD));
    t->question_bytes = (uint16_t)(query->question_end - PIN_HEADER_BYTES);
    memcpy(t->question, wire + PIN_HEADER_BYTES, t->question_bytes);
    t->apex_bytes = query->qname_bytes;
    t->is_signed = response->tsig != NULL;
    pin_stat_add(walk->style == PIN_EDITION_STEPS ? &ask->stats->n_ixfr : &ask->stats->n_axfr, 1);
}

/* The SOA alone: no news, or news that want a stream (RFC 1995, section 2). */
static void answer_soa(const struct pin_zone *zone, struct pin_response *response)
{
    const struct pin_soa *soa = pin_rcu_deref(zone->soa);
    response->is_authoritative = true;
    pin_response_add_soa(response, PIN_SECTION_ANSWER, soa, PIN_HEADER_BYTES, UINT32_MAX);
}

static void start(struct pin_transfers *transfers, const struct pin_transfer_ask *ask,
    struct pin_response *response, const struct pin_zone *zone, const uint32_t *since)
{
    struct pin_edition *edition = pin_edition_pin(zone);
    if (edition == NULL) {
        response->rcode = PIN_RCODE_SERVFAIL; /* what clusters have is not known yet */
        response->ede = PIN_EDE_NOT_READY;
        return;
    }
    struct pin_edition_walk walk = pin_edition_begin(edition, since);
    struct transfer *t = NULL;
    if (walk.style == PIN_EDITION_SOA || ask->transport == PIN_TRANSPORT_UDP) {
        answer_soa(zone, response);
    } else {
        t = take_slot(transfers);
        if (t != NULL && response->tsig != NULL && !take_key(t, response->tsig)) {
            atomic_store_explicit(&t->is_taken, false, memory_order_release);
            t = NULL;
        }
        response->rcode = t == NULL ? PIN_RCODE_SERVFAIL : PIN_RCODE_NOERROR;
    }
    if (t == NULL) {
        pin_edition_unpin(edition);
        return;
    }
    t->edition = edition;
    begin_transfer(t, ask, response, &walk);
    response->source = &t->source;
}

void pin_transfer_settle(struct pin_transfers *transfers, const struct pin_transfer_ask *ask,
    struct pin_response *response)
{
    const struct pin_query *query = ask->query;
    const struct pin_transfer_rule *rule = find_rule(transfers, query);
    const struct pin_tsig_key *key = response->tsig != NULL ? response->tsig->key : NULL;
    struct pin_ip ip = pin_ip_from_sockaddr(ask->peer);
    uint32_t serial = 0;
    bool is_ixfr = query->qtype == PIN_TYPE_IXFR;
    if (rule == NULL || ask->transport == PIN_TRANSPORT_HTTPS || !is_allowed(rule, &ip, key)) {
        pin_stat_add(&ask->stats->n_transfers_refused, 1);
        response->rcode = PIN_RCODE_REFUSED;
        return;
    }
    const struct pin_node *node =
        pin_index_find(ask->live->index, query->qname, query->qname_bytes);
    if (node == NULL || node->zone->apex.bytes != query->qname_bytes) {
        response->rcode = PIN_RCODE_NOTAUTH;
        return;
    }
    if (is_ixfr ? !read_serial(query, response->wire, &serial)
                : ask->transport == PIN_TRANSPORT_UDP) {
        response->rcode = PIN_RCODE_FORMERR;
        return;
    }
    start(transfers, ask, response, node->zone, is_ixfr ? &serial : NULL);
}

/* --- life --------------------------------------------------------------------------------- */

struct pin_transfers *pin_transfers_new(const struct pin_transfer_rule *rules, size_t n_rules)
{
    struct pin_transfers *transfers = calloc(1, sizeof(*transfers));
    struct slots *slots = calloc(1, sizeof(*slots));
    if (transfers == NULL || slots == NULL) {
        free(transfers);
        free(slots);
        return NULL;
    }
    *transfers = (struct pin_transfers){.rules = rules, .n_rules = n_rules, .slots = slots};
    return transfers;
}

static void let_go(struct slots *slots)
{
    if (slots->n_holders > 0) {
        slots->n_holders--;
    } else {
        free(slots);
    }
}

void pin_transfers_inherit(struct pin_transfers *transfers, const struct pin_transfers *before)
{
    let_go(transfers->slots);
    transfers->slots = before->slots;
    transfers->slots->n_holders++;
}

void pin_transfers_free(struct pin_transfers *transfers)
{
    if (transfers != NULL) {
        let_go(transfers->slots);
        free(transfers);
    }
}
