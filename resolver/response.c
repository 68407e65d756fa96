/* SPDX-License-Identifier: Apache-2.0 */

/* Builds answers in place: RRs with pointer owners, truncation, EDNS, extended errors, header. */

#include "response.h"

#include <string.h>

#include "pintle/base/bytes.h"
#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#define RR_HEAD_BYTES  12u /* pointer owner, type, class, TTL, RDLENGTH */
#define RR_TTL_AT      6u
#define RR_RDLENGTH_AT 10u
#define POINTER        0xC000u

#define FLAG_QR 0x80u
#define FLAG_AA 0x04u
#define FLAG_TC 0x02u
#define FLAG_RD 0x01u
#define FLAG_RA 0x80u /* these in the next byte */
#define FLAG_AD 0x20u
#define FLAG_CD 0x10u

/* The longest answer that this client takes over this transport (RFC 6891, section 6.2.5). */
static size_t answer_max_bytes(const struct pin_query *query, bool is_stream)
{
    if (is_stream) {
        return PIN_STREAM_MAX_BYTES;
    }
    if (!query->has_edns || query->edns_bytes < PIN_UDP_MIN_BYTES) {
        return PIN_UDP_MIN_BYTES;
    }
    return PIN_MIN(query->edns_bytes, PIN_UDP_MAX_BYTES);
}

void pin_response_init(struct pin_response *ret_response, const struct pin_packet *packet,
    const struct pin_query *query, bool is_stream)
{
    size_t max_bytes = answer_max_bytes(query, is_stream);
    size_t end_bytes = PIN_MIN(max_bytes, packet->cap_bytes);
    size_t options_bytes = query->ecs.bytes > 0 ? PIN_OPTION_HEAD_BYTES + query->ecs.bytes : 0u;
    *ret_response = (struct pin_response){
        .wire = packet->wire,
        .used_bytes = query->question_end,
        .limit_bytes =
            end_bytes
            - (query->has_edns ? PIN_OPT_BYTES + PIN_OPTION_EDE_BYTES + options_bytes : 0),
        .options_bytes = (uint16_t)options_bytes,
        .end_bytes = end_bytes,
        .cap_bytes = end_bytes,
        .rcode = PIN_RCODE_NOERROR,
        .ede = PIN_EDE_NONE,
        .is_stream = is_stream,
    };
}

void pin_response_seal(struct pin_response *response, struct pin_tsig *tsig, uint64_t wall_s)
{
    size_t room = pin_tsig_room(tsig);
    response->tsig = tsig;
    response->wall_s = wall_s;
    if (response->limit_bytes < response->used_bytes + room) {
        response->limit_bytes = response->used_bytes; /* names near their limit, and no EDNS */
        response->is_bare = true;
    } else {
        response->limit_bytes -= room;
        response->end_bytes -= room;
    }
}

void pin_response_clear(struct pin_response *response, const struct pin_query *query)
{
    response->used_bytes = query->question_end;
    memset(response->n_rr, 0, sizeof(response->n_rr));
    response->is_truncated = false;
}

static size_t room_bytes(const struct pin_response *response)
{
    return response->limit_bytes - response->used_bytes;
}

/* Only an RRset of the answer or the SOA of a negative one is missed by the client. */
static void truncate_at(struct pin_response *response, enum pin_section section)
{
    if (section != PIN_SECTION_ADDITIONAL && !response->is_stream) {
        response->is_truncated = true;
    }
}

/* --- tables ------------------------------------------------------------------------------- */

/* Copies address RRs, whose two lengths are known, without a call. */
static void copy_rr(uint8_t *to, const uint8_t *from, size_t rr_bytes)
{
    if (rr_bytes == PIN_RR_A_BYTES) {
        memcpy(to, from, PIN_RR_A_BYTES);
    } else {
        memcpy(to, from, PIN_RR_AAAA_BYTES);
    }
}

/* How many RRs of one length fit, at most n_wanted. */
static uint16_t fitting(const struct pin_response *response, size_t rr_bytes, uint16_t n_wanted)
{
    size_t room = room_bytes(response);
    return n_wanted * rr_bytes <= room ? n_wanted : (uint16_t)(room / rr_bytes);
}

/* Adds a choice by shares; addresses left out are what a choice is. */
static void add_drawn(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws)
{
    uint16_t rr_i[PIN_PICK_MAX];
    uint16_t n_room = fitting(response, table->rr_bytes, table->n_pick_max);
    if (pin_unlikely(n_room == 0)) {
        truncate_at(response, section);
        return;
    }
    uint16_t n_picked = pin_unlikely(table->is_sticky)
                            ? pin_select_sticky(table, response->asker_key, NULL, rr_i)
                            : pin_select_draw(table, draws, n_room, rr_i);
    uint8_t *to = response->wire + response->used_bytes;
    response->first_rr_i = rr_i[0];
    for (uint16_t i = 0; i < n_picked; i++) {
        copy_rr(to, table->wire + (size_t)rr_i[i] * table->rr_bytes, table->rr_bytes);
        to += table->rr_bytes;
    }
    response->n_rr[section] = (uint16_t)(response->n_rr[section] + n_picked);
    response->used_bytes = (size_t)(to - response->wire);
}

/* Adds the whole RRset, beginning somewhere else each time; as many as fit. */
static void add_rotated(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws)
{
    uint16_t n = fitting(response, table->rr_bytes, table->n_rr);
    size_t first = (size_t)((pin_draws_next(draws, table->slot) >> 32) * table->n_rr >> 32);
    size_t n_head = PIN_MIN((size_t)table->n_rr - first, (size_t)n);
    uint8_t *to = response->wire + response->used_bytes;

    memcpy(to, table->wire + first * table->rr_bytes, n_head * table->rr_bytes);
    to += n_head * table->rr_bytes;
    memcpy(to, table->wire, (n - n_head) * table->rr_bytes);
    response->n_rr[section] = (uint16_t)(response->n_rr[section] + n);
    response->used_bytes += (size_t)n * table->rr_bytes;
    if (n < table->n_rr) {
        truncate_at(response, section);
    }
}

/* Bytes of the RR at `rr`, whose owner is a pointer. */
static size_t rr_length(const uint8_t *rr)
{
    return RR_HEAD_BYTES + (size_t)pin_get_be16(rr + RR_RDLENGTH_AT);
}

/* Adds RRs in the order they stand; as many as fit. */
static void add_fixed(
    struct pin_response *response, enum pin_section section, const struct pin_table *table)
{
    size_t bytes = table->wire_bytes;
    uint16_t n = table->n_rr;
    if (pin_unlikely(bytes > room_bytes(response))) {
        size_t room = room_bytes(response);
        bytes = 0;
        for (n = 0; bytes + rr_length(table->wire + bytes) <= room; n++) { /* not all of them do */
            bytes += rr_length(table->wire + bytes);
        }
        truncate_at(response, section);
    }
    memcpy(response->wire + response->used_bytes, table->wire, bytes);
    response->n_rr[section] = (uint16_t)(response->n_rr[section] + n);
    response->used_bytes += bytes;
}

/* Makes the RRs from `at` to the end those of another owner. */
static void patch_owners(struct pin_response *response, size_t at, size_t owner_at)
{
    while (at < response->used_bytes) {
        size_t rr_bytes = rr_length(response->wire + at);
        pin_put_be16(response->wire + at, POINTER | (unsigned)owner_at);
        at += rr_bytes;
    }
}

/* --- tables whose addresses are probed ------------------------------------------------------ */

/* Copies an RR behind the others; false when there is no room. */
static bool copy_one(
    struct pin_response *response, enum pin_section section, const uint8_t *rr, size_t rr_bytes)
{
    if (rr_bytes > room_bytes(response)) {
        truncate_at(response, section);
        return false;
    }
    memcpy(response->wire + response->used_bytes, rr, rr_bytes);
    response->n_rr[section]++;
    response->used_bytes += rr_bytes;
    return true;
}

/* Chooses among what is shown. */
static uint16_t pick_checked(const struct pin_response *response, const struct pin_table *table,
    struct pin_draws *draws, const struct pin_sight *sight, uint16_t n_room, uint16_t *ret_rr_i)
{
    const struct pin_checked *checked = pin_table_checked(table);
    uint64_t shown[PIN_CHECKED_MAX / 64] = {0};
    bool is_plain = !table->is_sticky && table->n_groups == 0;
    uint64_t turn = table->is_sticky ? 0 : pin_draws_next(draws, table->slot);
    for (uint32_t i = 0; i < checked->n_items && !is_plain; i++) {
        uint16_t rr_i = checked->items[i].rr_i;
        if (pin_checked_shows(checked, sight, i)) {
            shown[rr_i / 64u] |= UINT64_C(1) << rr_i % 64u;
        }
    }
    if (table->is_sticky) {
        return pin_select_sticky(table, response->asker_key, shown, ret_rr_i);
    }
    uint16_t n_first = table->n_groups > 0 ? 1 : n_room;
    uint16_t n = pin_checked_draw(table, sight, turn, n_first, ret_rr_i);
    if (n == 0 || table->n_groups == 0) {
        return n;
    }
    uint16_t n_pick = PIN_MIN(n_room, table->n_pick_max);
    return pin_select_mates(table, turn, n_pick, shown, ret_rr_i);
}

/* Adds what is shown of a choice by shares. */
static void add_drawn_checked(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws, const struct pin_sight *sight)
{
    uint16_t rr_i[PIN_PICK_MAX];
    uint16_t n_room = fitting(response, table->rr_bytes, PIN_PICK_MAX);
    if (n_room == 0) {
        truncate_at(response, section);
        return;
    }
    uint16_t n_picked = pick_checked(response, table, draws, sight, n_room, rr_i);
    response->first_rr_i = rr_i[0];
    for (uint16_t i = 0; i < n_picked; i++) {
        (void)copy_one(
            response, section, table->wire + (size_t)rr_i[i] * table->rr_bytes, table->rr_bytes);
    }
}

/* Adds all that are shown of the whole RRset, beginning somewhere else each time. */
static void add_rotated_checked(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws, const struct pin_sight *sight)
{
    const struct pin_checked *checked = pin_table_checked(table);
    uint32_t first =
        (uint32_t)((pin_draws_next(draws, table->slot) >> 32) * checked->n_items >> 32);
    for (uint32_t i = 0; i < checked->n_items; i++) {
        uint32_t item_i = (first + i) % checked->n_items;
        const uint8_t *rr = table->wire + (size_t)checked->items[item_i].rr_i * table->rr_bytes;
        if (pin_checked_shows(checked, sight, item_i)
            && !copy_one(response, section, rr, table->rr_bytes)) {
            return;
        }
    }
}

/* Adds what is shown in the order it stands; items and RRs are parallel. */
static void add_fixed_checked(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, const struct pin_sight *sight)
{
    const uint8_t *rr = table->wire;
    for (uint16_t i = 0; i < table->n_rr; i++) {
        size_t rr_bytes = rr_length(rr);
        if (pin_checked_shows(pin_table_checked(table), sight, i)
            && !copy_one(response, section, rr, rr_bytes)) {
            return;
        }
        rr += rr_bytes;
    }
}

void pin_response_cap_ttls(struct pin_response *response, size_t at, uint32_t ttl_max_s)
{
    while (at < response->used_bytes) {
        while (response->wire[at] != 0 && response->wire[at] < POINTER >> 8) {
            at += 1u + response->wire[at]; /* what others said may have owners written out */
        }
        uint8_t *rr = response->wire + at - (response->wire[at] == 0 ? 1 : 0);
        if (pin_get_be32(rr + RR_TTL_AT) > ttl_max_s) {
            pin_put_be32(rr + RR_TTL_AT, ttl_max_s);
        }
        at = (size_t)(rr - response->wire) + rr_length(rr);
    }
}

/* An answer that the next result of a probe can change is not kept longer than until then. */
static void shorten_ttls(struct pin_response *response, size_t at, uint32_t next_s)
{
    uint32_t now_s = (uint32_t)(pin_clock_mono_ms() / 1000) & PIN_HEALTH_NEXT_MASK;
    pin_response_cap_ttls(response, at, next_s > now_s ? next_s - now_s : 1);
}

/* False: every address is shown as always, which is left to the caller. */
static bool add_checked(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws, uint32_t *ret_next_s)
{
    struct pin_sight sight; /* not cleared: most of it is used for few answers */
    pin_checked_look(pin_table_checked(table), response->verdicts, &sight);
    *ret_next_s = sight.next_s;
    if (sight.is_plain) {
        return false;
    }
    if (sight.is_nothing) {
        return true;
    }
    if (table->form == PIN_TABLE_FIXED) {
        add_fixed_checked(response, section, table, &sight);
    } else if (table->is_whole) {
        add_rotated_checked(response, section, table, draws, &sight);
    } else {
        add_drawn_checked(response, section, table, draws, &sight);
    }
    return true;
}

static void add_table(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws)
{
    if (table->form == PIN_TABLE_FIXED) {
        add_fixed(response, section, table);
    } else if (table->is_whole) {
        add_rotated(response, section, table, draws);
    } else {
        add_drawn(response, section, table, draws);
    }
}

/* Counts who stands first in an answer; one that is cut is asked for again. */
static void count_first(const struct pin_response *response, size_t at,
    const struct pin_table *table, struct pin_draws *draws)
{
    if (response->used_bytes > at) {
        pin_draws_count(draws, table, table->form == PIN_TABLE_DRAWN ? response->first_rr_i : 0);
    } else if (!response->is_truncated) {
        pin_draws_count_none(draws, table);
    }
}

size_t pin_response_add_table(struct pin_response *response, enum pin_section section,
    const struct pin_table *table, struct pin_draws *draws, size_t owner_at)
{
    size_t at = response->used_bytes;
    uint32_t next_s = PIN_SIGHT_CALM;
    bool is_plain = pin_likely(pin_table_checked(table) == NULL)
                    || !add_checked(response, section, table, draws, &next_s);
    if (is_plain) {
        add_table(response, section, table, draws);
    }
    if (table->tally != 0 && section == PIN_SECTION_ANSWER) {
        count_first(response, at, table, draws);
    }
    if (owner_at != PIN_HEADER_BYTES) {
        patch_owners(response, at, owner_at);
    }
    if (pin_unlikely(next_s != PIN_SIGHT_CALM)) {
        shorten_ttls(response, at, next_s);
    }
    return at;
}

void pin_response_add_extras(struct pin_response *response, const struct pin_table *table,
    size_t table_at, struct pin_draws *draws)
{
    if (response->is_truncated) {
        return; /* the client asks again over TCP */
    }
    if (pin_table_checked(table) != NULL && response->used_bytes - table_at != table->wire_bytes) {
        return; /* RRs were left out, the others moved: the client asks for addresses itself */
    }
    uint16_t n_extras = PIN_MIN(table->n_extras, PIN_EXTRAS_MAX);
    size_t targets_end = PIN_MIN(response->used_bytes, PIN_POINTER_END);
    for (uint16_t i = 0; i < n_extras; i++) {
        const struct pin_extra *extra = &pin_table_extras(table)[i];
        size_t target_at = table_at + extra->target_offset;
        if (target_at >= targets_end) {
            return; /* the RR that names it was cut, or cannot be pointed at */
        }
        if (response->wire[target_at] == 0) {
            target_at = pin_get_be16(response->wire + table_at)
                        & (PIN_POINTER_END - 1u); /* "." is the owner */
        }
        if (extra->a != NULL) {
            (void)pin_response_add_table(
                response, PIN_SECTION_ADDITIONAL, extra->a, draws, target_at);
        }
        if (extra->aaaa != NULL) {
            (void)pin_response_add_table(
                response, PIN_SECTION_ADDITIONAL, extra->aaaa, draws, target_at);
        }
    }
}

/* --- single RRs --------------------------------------------------------------------------- */

void pin_response_add_rr(struct pin_response *response, enum pin_section section, const uint8_t *rr,
    size_t rr_bytes, size_t owner_at)
{
    if (pin_unlikely(rr_bytes > room_bytes(response))) {
        truncate_at(response, section);
        return;
    }
    uint8_t *to = response->wire + response->used_bytes;
    memcpy(to, rr, rr_bytes);
    pin_put_be16(to, POINTER | (unsigned)owner_at);
    response->n_rr[section]++;
    response->used_bytes += rr_bytes;
}

void pin_response_add_soa(struct pin_response *response, enum pin_section section,
    const struct pin_soa *soa, size_t owner_at, uint32_t ttl_max_s)
{
    size_t at = response->used_bytes;
    pin_response_add_rr(response, section, soa->rr, soa->rr_bytes, owner_at);
    if (response->used_bytes > at && pin_get_be32(soa->rr + RR_TTL_AT) > ttl_max_s) {
        uint8_t *ttl = response->wire + at + RR_TTL_AT;
        pin_put_be32(ttl, ttl_max_s);
    }
}

/* --- the end ------------------------------------------------------------------------------ */

/* Leaves the question and the TSIG of an answer that is cut (RFC 8945, section 5.3), and whatever
 * else its TSIG has to have room from. What cannot be signed even so is told over TCP. */
static void make_room_for_tsig(struct pin_response *response, const struct pin_query *query)
{
    if (response->is_truncated) {
        pin_response_clear(response, query);
        response->is_truncated = true;
        response->has_expire = false;
        response->rcode = PIN_RCODE_NOERROR;
    }
    if (!response->is_bare) {
        return;
    }
    size_t behind = (query->has_edns ? PIN_OPT_BYTES : 0) + pin_tsig_room(response->tsig);
    response->ede = PIN_EDE_NONE;
    if (response->used_bytes + behind > response->cap_bytes) {
        response->used_bytes = PIN_HEADER_BYTES;
    }
    if (response->used_bytes + behind > response->cap_bytes) {
        response->used_bytes = query->question_end;
        response->tsig = NULL;
        response->is_truncated = true;
    }
}

size_t pin_response_finish(struct pin_response *response, const struct pin_query *query)
{
    if (pin_unlikely(response->tsig != NULL)) {
        make_room_for_tsig(response, query);
    }
    bool has_question = query->has_question && response->used_bytes > PIN_HEADER_BYTES;
    if (query->has_edns) {
        pin_response_put_opt(response, query);
    }
    uint8_t *header = response->wire;
    unsigned flags = FLAG_QR | (unsigned)query->opcode << 3;
    unsigned copied = query->opcode == 0 ? 0xFFu : 0;
    flags |= header[2] & copied & FLAG_RD;
    flags |= response->is_authoritative ? FLAG_AA : 0;
    flags |= response->is_truncated ? FLAG_TC : 0;
    header[2] = (uint8_t)flags;
    unsigned more = (header[3] & copied & FLAG_CD) | (response->rcode & 0x0Fu);
    more |= response->is_recursive ? FLAG_RA : 0;
    more |= response->is_authentic ? FLAG_AD : 0;
    header[3] = (uint8_t)more;
    pin_put_be16(header + 4, has_question ? 1 : 0);
    pin_put_be16(header + 6, response->n_rr[PIN_SECTION_ANSWER]);
    pin_put_be16(header + 8, response->n_rr[PIN_SECTION_AUTHORITY]);
    pin_put_be16(header + 10, response->n_rr[PIN_SECTION_ADDITIONAL]);
    if (pin_unlikely(response->tsig != NULL)) {
        return pin_tsig_sign(response->tsig, PIN_TSIG_FIRST, header, response->used_bytes,
            response->cap_bytes, response->wall_s);
    }
    return response->used_bytes;
}
