/* SPDX-License-Identifier: Apache-2.0 */

/* Zone transfers: a row of records with a SOA at both ends. */

#include "xfr.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/zones/edition.h"
#include "pintle/zones/rdata.h"
#include "pintle/zones/table.h"

#include "dnsmsg.h"

#define SERIAL_TEXT_MAX 12u
#define RECORDS_MAX     ((size_t)8 << 20)
/* Behind a SOA's two names: serial, refresh, retry, expire, minimum. */
#define SOA_NUMBERS_BYTES 20u
/* Unsigned messages are kept until a signature covers them. */
#define PENDING_MAX_BYTES ((size_t)PIN_XFR_UNSIGNED_MAX << 16)

/* Where the row is. */
enum phase {
    PIN_PHASE_FIRST,  /* the SOA in front */
    PIN_PHASE_SECOND, /* says which form it is */
    PIN_PHASE_WHOLE,
    PIN_PHASE_GOES, /* of a difference */
    PIN_PHASE_COMES,
    PIN_PHASE_END,
};

/* One record, or that one is gone. */
struct record {
    const char *name;
    const char *type;
    const char *value;
    uint32_t ttl_s;
    uint32_t turn; /* order among those of one value; 0: known before */
    bool is_gone;
};

struct pin_xfr {
    struct pin_xfr_spec spec;
    struct pin_name zone;
    struct pin_tsig tsig;
    bool is_signed;
    struct pin_text pending; /* messages without a signature */
    unsigned n_pending;
    unsigned n_messages;
    enum phase phase;
    struct pin_text soa; /* the first one's data */
    uint32_t serial;     /* its serial */
    uint32_t at_serial;  /* of the difference under way */
    struct pin_arena *arena;
    struct record *records;
    size_t n_records;
    size_t cap_records;
    uint32_t n_turns;
    const char *last_name; /* most records share the name, and the type, of the one before */
    const char *last_type;
    enum pin_xfr_state state;
    enum pin_provider_fault fault;
    char message[PIN_PROVIDER_MESSAGE_MAX];
    char version[SERIAL_TEXT_MAX];
    struct pin_recordset *sets;
    size_t n_sets;
    bool is_unchanged;
};

struct pin_xfr *pin_xfr_new(const struct pin_xfr_spec *spec)
{
    struct pin_xfr *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return NULL;
    }
    self->spec = *spec;
    self->is_signed = spec->tsig != NULL;
    if (spec->tsig != NULL) {
        self->tsig = *spec->tsig;
    }
    self->arena = pin_arena_new("zone listing", PIN_PROVIDER_LISTING_MAX_BYTES);
    if (self->arena == NULL || pin_name_parse(spec->zone, &self->zone) != PIN_OK) {
        pin_xfr_free(self);
        return NULL;
    }
    return self;
}

void pin_xfr_free(struct pin_xfr *xfr)
{
    if (xfr == NULL) {
        return;
    }
    pin_text_done(&xfr->pending);
    pin_text_done(&xfr->soa);
    pin_arena_free(xfr->arena);
    free(xfr->records);
    free(xfr);
}

/* Ends with a fault. Always false. */
PIN_PRINTF(3, 4)
static bool fail(struct pin_xfr *self, enum pin_provider_fault fault, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(self->message, sizeof(self->message), fmt, args);
    va_end(args);
    self->fault = fault;
    self->state = PIN_XFR_FAULT;
    return false;
}

static bool out_of_memory(struct pin_xfr *self)
{
    return fail(self, PIN_PROVIDER_MEMORY, "no memory for the zone");
}

/* --- records -------------------------------------------------------------------------------- */

/* A copy in the arena, or the copy of last time. */
static const char *keep(struct pin_xfr *self, const char **last, const char *text)
{
    if (*last == NULL || strcmp(*last, text) != 0) {
        *last = pin_arena_strdup(self->arena, text);
    }
    return *last;
}

static bool add(struct pin_xfr *self, const struct record *record)
{
    if (record->name == NULL || record->type == NULL || record->value == NULL) {
        return pin_arena_used(self->arena) >= PIN_PROVIDER_LISTING_MAX_BYTES / 2
                   ? fail(self, PIN_PROVIDER_TOO_LARGE, "the zone is too large")
                   : out_of_memory(self);
    }
    if (self->n_records == self->cap_records) {
        size_t cap = self->cap_records == 0 ? 256 : self->cap_records * 2;
        struct record *grown =
            cap > RECORDS_MAX ? NULL : realloc(self->records, cap * sizeof(*grown));
        if (grown == NULL) {
            return cap > RECORDS_MAX
                       ? fail(self, PIN_PROVIDER_TOO_LARGE, "the zone has too many records")
                       : out_of_memory(self);
        }
        self->records = grown;
        self->cap_records = cap;
    }
    self->records[self->n_records++] = *record;
    return true;
}

/* The records that were known before, in front of what changes. */
static bool add_known(struct pin_xfr *self)
{
    for (size_t i = 0; i < self->spec.n_known; i++) {
        const struct pin_recordset *set = &self->spec.known[i];
        for (size_t k = 0; k < set->n_values; k++) {
            const struct record record = {.name = keep(self, &self->last_name, set->name),
                .type = keep(self, &self->last_type, set->type),
                .value = pin_arena_strdup(self->arena, set->values[k].text),
                .ttl_s = set->ttl_s};
            if (!add(self, &record)) {
                return false;
            }
        }
    }
    return true;
}

/* What a server makes itself of a zone it signs. */
static bool is_servers(uint16_t type)
{
    static const uint16_t types[] = {PIN_TYPE_SOA, 46 /* RRSIG */, 47 /* NSEC */, 50 /* NSEC3 */,
        51 /* NSEC3PARAM */, 63 /* ZONEMD */};
    for (size_t i = 0; i < N_ELEMS(types); i++) {
        if (types[i] == type) {
            return true;
        }
    }
    return false;
}

/* The canonical text of the RDATA; NULL: a fault. */
static const char *value_of(
    struct pin_xfr *self, struct pin_reader *reader, const struct pin_dnsmsg_rr *rr)
{
    struct pin_text text = {0};
    const char *value = NULL;
    char type[PIN_RDATA_TYPE_MAX];
    bool is_sound = pin_rdata_format(reader, rr->rdata_bytes, rr->type, &text);
    if (is_sound && !text.failed) {
        value = pin_arena_strndup(self->arena, pin_text_get(&text), text.len);
    }
    pin_text_done(&text);
    if (!is_sound) {
        (void)fail(self, PIN_PROVIDER_MALFORMED, "a malformed record of type %s",
            pin_rdata_type_text(rr->type, type));
    } else if (value == NULL) {
        (void)out_of_memory(self);
    }
    return value;
}

/* A record between the SOAs; the reader stands at its data and is moved behind it. */
static bool take_record(
    struct pin_xfr *self, struct pin_reader *reader, const struct pin_dnsmsg_rr *rr)
{
    char name[PIN_NAME_TEXT_MAX];
    char type[PIN_RDATA_TYPE_MAX];
    if (is_servers(rr->type)) {
        (void)pin_reader_get_bytes(reader, rr->rdata_bytes);
        return true;
    }
    pin_name_format(rr->name.wire, name);
    name[strlen(name) - (rr->name.bytes > 1)] = '\0';
    const char *value = value_of(self, reader, rr);
    const struct record record = {.name = keep(self, &self->last_name, name),
        .type = keep(self, &self->last_type, pin_rdata_type_text(rr->type, type)),
        .value = value,
        .ttl_s = rr->ttl_s > INT32_MAX ? 0 : rr->ttl_s, /* RFC 2181, section 8 */
        .turn = ++self->n_turns,
        .is_gone = self->phase == PIN_PHASE_GOES};
    return value != NULL && add(self, &record);
}

/* --- SOAs ----------------------------------------------------------------------------------- */

/* Where a SOA leads to in the middle of differences. */
static bool take_soa_between(struct pin_xfr *self, uint32_t serial)
{
    if (self->phase == PIN_PHASE_GOES) {
        self->at_serial = serial;
        self->phase = PIN_PHASE_COMES;
        return true;
    }
    if (serial != self->at_serial) {
        return fail(self, PIN_PROVIDER_MALFORMED, "a difference begins at serial %u, not at %u",
            serial, self->at_serial);
    }
    self->phase = PIN_PHASE_GOES;
    return true;
}

static bool take_soa(struct pin_xfr *self, const char *text, uint32_t serial)
{
    bool is_first_again = self->soa.len > 0 && strcmp(text, pin_text_get(&self->soa)) == 0;
    switch (self->phase) {
    case PIN_PHASE_FIRST:
        self->serial = serial;
        pin_text_puts(&self->soa, text);
        self->phase = PIN_PHASE_SECOND;
        return !self->soa.failed || out_of_memory(self);
    case PIN_PHASE_SECOND:
        if (self->spec.is_incremental && serial == self->spec.serial && !is_first_again) {
            self->at_serial = serial;
            self->phase = PIN_PHASE_GOES;
            if (self->spec.known == NULL) {
                self->state = PIN_XFR_AGAIN;
                return false;
            }
            return add_known(self);
        }
        break;
    case PIN_PHASE_GOES:
        return take_soa_between(self, serial);
    case PIN_PHASE_COMES:
        if (!is_first_again || self->at_serial != self->serial) {
            return take_soa_between(self, serial);
        }
        break;
    default:
        break;
    }
    if (!is_first_again) {
        return fail(self, PIN_PROVIDER_MALFORMED,
            "the SOA at the end has serial %u, the one in front %u: the zone changed meanwhile, "
            "or the server mixes two",
            serial, self->serial);
    }
    self->phase = PIN_PHASE_END;
    return true;
}

/* A SOA of the zone; the reader stands at its data and is moved behind it. */
static bool take_soa_rr(
    struct pin_xfr *self, struct pin_reader *reader, const struct pin_dnsmsg_rr *rr)
{
    struct pin_text text = {0};
    bool is_ok = rr->rdata_bytes > SOA_NUMBERS_BYTES
                 && pin_rdata_format(reader, rr->rdata_bytes, rr->type, &text);
    if (!is_ok) {
        (void)fail(self, PIN_PROVIDER_MALFORMED, "a malformed SOA");
    } else if (text.failed) {
        is_ok = out_of_memory(self);
    } else {
        is_ok = take_soa(self, pin_text_get(&text), pin_get_be32(reader->pos - SOA_NUMBERS_BYTES));
    }
    pin_text_done(&text);
    return is_ok;
}

/* --- messages ------------------------------------------------------------------------------- */

static bool take_rr(struct pin_xfr *self, struct pin_reader *reader)
{
    struct pin_dnsmsg_rr rr;
    char name[PIN_NAME_TEXT_MAX];
    (void)pin_dnsmsg_rr(reader, &rr); /* the message was read once already */
    if (!pin_name_is_below(&rr.name, &self->zone) || rr.class != PIN_CLASS_IN) {
        pin_name_format(rr.name.wire, name);
        return fail(self, PIN_PROVIDER_MALFORMED, "a record of %.200s is not of this zone", name);
    }
    if (self->phase == PIN_PHASE_END) {
        return fail(self, PIN_PROVIDER_MALFORMED, "records behind the last SOA");
    }
    if (rr.type == PIN_TYPE_SOA && rr.name.bytes == self->zone.bytes) {
        return take_soa_rr(self, reader, &rr);
    }
    if (self->phase == PIN_PHASE_FIRST) {
        return fail(self, PIN_PROVIDER_MALFORMED, "the transfer does not begin with a SOA");
    }
    self->phase = self->phase == PIN_PHASE_SECOND ? PIN_PHASE_WHOLE : self->phase;
    return take_record(self, reader, &rr);
}

/* Whether the message is one of ours. */
static bool check_header(struct pin_xfr *self, const struct pin_dnsmsg *message)
{
    uint16_t type = self->spec.is_incremental ? PIN_DNSMSG_IXFR : PIN_DNSMSG_AXFR;
    bool is_first = self->n_messages == 0;
    bool has_question = message->counts[0] == 1;
    if (!message->is_answer || message->opcode != 0 || message->id != self->spec.id
        || message->counts[0] > 1 || (is_first && message->rcode == 0 && !has_question)) {
        return fail(self, PIN_PROVIDER_MALFORMED, "an answer to another question");
    }
    if (has_question
        && (message->type != type || message->class != PIN_CLASS_IN
            || message->name.bytes != self->zone.bytes
            || memcmp(message->name.wire, self->zone.wire, self->zone.bytes) != 0)) {
        return fail(self, PIN_PROVIDER_MALFORMED, "an answer to another question");
    }
    return !message->is_truncated
           || fail(self, PIN_PROVIDER_MALFORMED, "a truncated message in a transfer");
}

/* A message that has no TSIG where there is a key. */
static bool take_unsigned(
    struct pin_xfr *self, const struct pin_dnsmsg *message, const uint8_t *wire, size_t bytes)
{
    if (message->rcode != 0) { /* it brings nothing, so nothing is believed */
        return fail(self, pin_dnsmsg_fault(message->rcode, 0), "the server says %s, unsigned",
            pin_dnsmsg_rcode_text(message->rcode));
    }
    if (self->n_messages == 0) {
        return fail(self, PIN_PROVIDER_DENIED, "the answer is not signed");
    }
    if (self->n_pending == PIN_XFR_UNSIGNED_MAX || self->pending.len + bytes > PENDING_MAX_BYTES) {
        return fail(self, PIN_PROVIDER_DENIED, "too many messages without a signature");
    }
    self->n_pending++;
    pin_text_putn(&self->pending, (const char *)wire, bytes);
    return !self->pending.failed || out_of_memory(self);
}

static bool check_tsig(struct pin_xfr *self, const struct pin_dnsmsg *message, const uint8_t *wire,
    size_t bytes, uint64_t now_s)
{
    if (!self->is_signed) {
        return true;
    }
    if (message->tsig_at == 0) {
        return take_unsigned(self, message, wire, bytes);
    }
    const struct pin_piece before = {.ptr = self->pending.ptr, .bytes = self->pending.len};
    const struct pin_piece whole = {.ptr = wire, .bytes = bytes};
    enum pin_tsig_verdict verdict =
        self->n_messages == 0
            ? pin_tsig_verify_answer(&self->tsig, wire, bytes, message->tsig_at, now_s)
            : pin_tsig_verify_next(&self->tsig, &before, &whole, message->tsig_at, now_s);
    self->n_pending = 0;
    pin_text_cut(&self->pending, 0);
    switch (verdict) {
    case PIN_TSIG_GOOD:
        return true;
    case PIN_TSIG_BAD:
        return fail(self, PIN_PROVIDER_DENIED, "%s", pin_dnsmsg_tsig_text(self->tsig.error));
    case PIN_TSIG_FORMERR:
        return fail(self, PIN_PROVIDER_DENIED, "the signature is malformed");
    default:
        return out_of_memory(self);
    }
}

/* --- the end -------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    const struct record *one = a;
    const struct record *other = b;
    int order = one->name == other->name ? 0 : strcmp(one->name, other->name);
    if (order == 0) {
        order = one->type == other->type ? 0 : strcmp(one->type, other->type);
    }
    if (order == 0) {
        order = strcmp(one->value, other->value);
    }
    return order != 0 ? order : one->turn < other->turn ? -1 : one->turn > other->turn;
}

static bool is_same_value(const struct record *a, const struct record *b)
{
    return strcmp(a->value, b->value) == 0 && strcmp(a->name, b->name) == 0
           && strcmp(a->type, b->type) == 0;
}

static bool is_same_set(const struct record *a, const struct record *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->type, b->type) == 0;
}

/* Of all that is said of one value, the last word counts. Sorts. False: something goes that never
 * was there. */
static bool settle(struct pin_xfr *self)
{
    size_t used = 0;
    if (self->n_records > 1) {
        qsort(self->records, self->n_records, sizeof(self->records[0]), by_value);
    }
    for (size_t i = 0; i < self->n_records; i++) {
        const struct record *record = &self->records[i];
        bool is_first = i == 0 || !is_same_value(record, record - 1);
        bool is_last = i + 1 == self->n_records || !is_same_value(record, record + 1);
        if (is_first && record->is_gone) {
            return false;
        }
        if (is_last && !record->is_gone) {
            self->records[used++] = *record;
        }
    }
    self->n_records = used;
    return true;
}

/* Makes the set of the records from `first` on; returns where the next one begins. */
static size_t make_set(struct pin_xfr *self, size_t first, struct pin_recordset_value *values)
{
    const struct record *records = self->records;
    struct pin_recordset *set = &self->sets[self->n_sets++];
    *set = (struct pin_recordset){.name = records[first].name,
        .type = records[first].type,
        .set_id = "",
        .ttl_s = records[first].ttl_s,
        .values = values + first};
    size_t i = first;
    for (; i < self->n_records && is_same_set(&records[i], &records[first]); i++) {
        set->values[set->n_values++].text = records[i].value;
        set->ttl_s = PIN_MIN(set->ttl_s, records[i].ttl_s); /* RFC 2181, section 5.2 */
    }
    return i;
}

static bool make_sets(struct pin_xfr *self)
{
    size_t n_sets = 0;
    for (size_t i = 0; i < self->n_records; i++) {
        n_sets += i == 0 || !is_same_set(&self->records[i], &self->records[i - 1]);
    }
    struct pin_recordset_value *values =
        pin_arena_alloc(self->arena, self->n_records * sizeof(*values));
    self->sets = pin_arena_alloc(self->arena, n_sets * sizeof(*self->sets));
    if (values == NULL || self->sets == NULL) {
        return out_of_memory(self);
    }
    for (size_t i = 0; i < self->n_records;) {
        i = make_set(self, i, values);
    }
    return true;
}

enum pin_xfr_state pin_xfr_state(const struct pin_xfr *xfr)
{
    return xfr->state;
}

size_t pin_xfr_n_records(const struct pin_xfr *xfr)
{
    return xfr->n_records;
}

enum pin_xfr_state pin_xfr_finish(struct pin_xfr *xfr)
{
    if (!settle(xfr)) {
        xfr->state = PIN_XFR_AGAIN;
    } else if (make_sets(xfr)) {
        xfr->state = PIN_XFR_DONE;
    }
    return xfr->state;
}

enum pin_xfr_state pin_xfr_take(
    struct pin_xfr *xfr, const uint8_t *wire, size_t bytes, uint64_t now_s)
{
    struct pin_dnsmsg message;
    if (!pin_dnsmsg_read(wire, bytes, &message)) {
        (void)fail(xfr, PIN_PROVIDER_MALFORMED, "a malformed message");
        return xfr->state;
    }
    if (!check_header(xfr, &message) || !check_tsig(xfr, &message, wire, bytes, now_s)) {
        return xfr->state;
    }
    xfr->n_messages++;
    if (message.rcode != 0) {
        bool is_no_ixfr =
            xfr->spec.is_incremental && xfr->phase == PIN_PHASE_FIRST
            && (message.rcode == PIN_DNSMSG_NOTIMP || message.rcode == PIN_DNSMSG_FORMERR);
        (void)fail(xfr, pin_dnsmsg_fault(message.rcode, 0), "the server says %s",
            pin_dnsmsg_rcode_text(message.rcode));
        xfr->state = is_no_ixfr ? PIN_XFR_AGAIN : PIN_XFR_FAULT;
        return xfr->state;
    }
    struct pin_reader reader = pin_reader_init(wire, bytes);
    reader.pos += message.records_at;
    for (unsigned i = 0; i < message.counts[1]; i++) {
        if (!take_rr(xfr, &reader)) {
            return xfr->state;
        }
    }
    if (xfr->phase == PIN_PHASE_SECOND && xfr->spec.is_incremental && xfr->n_pending == 0
        && !pin_serial_is_after(xfr->serial, xfr->spec.serial)) {
        /* whose serial is behind ours says no more than that (RFC 1995, section 2) */
        xfr->is_unchanged = xfr->serial == xfr->spec.serial;
        xfr->state = xfr->is_unchanged ? PIN_XFR_DONE : PIN_XFR_AGAIN;
    } else if (xfr->phase == PIN_PHASE_END && xfr->n_pending > 0) {
        (void)fail(xfr, PIN_PROVIDER_DENIED, "the last message is not signed");
    } else if (xfr->phase == PIN_PHASE_END) {
        xfr->state = PIN_XFR_WHOLE;
    }
    return xfr->state;
}

void pin_xfr_cut(struct pin_xfr *xfr, enum pin_provider_fault fault, const char *message)
{
    if (xfr->state != PIN_XFR_DONE && xfr->state != PIN_XFR_FAULT) {
        (void)fail(xfr, fault, "%s", message);
    }
}

void pin_xfr_listing(struct pin_xfr *xfr, struct pin_provider_listing *ret_listing)
{
    bool is_whole = xfr->state == PIN_XFR_DONE && !xfr->is_unchanged;
    (void)snprintf(xfr->version, sizeof(xfr->version), "%u", xfr->serial);
    *ret_listing = (struct pin_provider_listing){.fault = xfr->fault,
        .message = xfr->message,
        .retry_after_ms = -1,
        .is_unchanged = xfr->is_unchanged,
        .version = xfr->version,
        .sets = is_whole ? xfr->sets : NULL,
        .n_sets = is_whole ? xfr->n_sets : 0,
        .arena = is_whole ? xfr->arena : NULL};
    if (is_whole) {
        xfr->arena = NULL;
    }
}
