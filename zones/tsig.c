/* SPDX-License-Identifier: Apache-2.0 */

/* TSIG: what is signed, in which order, and what is wrong with a signature. */

#include "pintle/zones/tsig.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#define HEADER_BYTES    12u
#define ARCOUNT_AT      10u
#define LABEL_TYPE      0xC0u
#define TIME_BYTES      6u
#define FIXED_BYTES     10u /* type, class, TTL, RDLENGTH */
#define MAC_MIN_BYTES   10u /* shorter ones are malformed (RFC 8945, section 5.2.2.1) */
#define TIME_HIGH_SHIFT 32u
/* Everything behind the algorithm's name but MAC and other data. */
#define RDATA_FIXED_BYTES 16u
/* What is hashed behind the message: two names, class, TTL, time, fudge, error, other data. */
#define VARIABLES_MAX_BYTES (2u * PIN_NAME_MAX_BYTES + 32u)
/* What is hashed in front of it: the MAC before. */
#define FRONT_MAX_BYTES (2u + PIN_HASH_MAX_BYTES)

static const struct {
    const char *wire;
    uint8_t bytes;
} algorithms[] = {
    [PIN_HASH_SHA224] = {"\x0bhmac-sha224", 13},
    [PIN_HASH_SHA256] = {"\x0bhmac-sha256", 13},
    [PIN_HASH_SHA384] = {"\x0bhmac-sha384", 13},
    [PIN_HASH_SHA512] = {"\x0bhmac-sha512", 13},
};

/* A TSIG record as it was read. Spans point into the message. */
struct record {
    struct pin_name name;
    struct pin_name algorithm;
    uint64_t time_s;
    const uint8_t *mac;
    const uint8_t *other;
    uint16_t fudge_s;
    uint16_t mac_bytes;
    uint16_t original_id;
    uint16_t error;
    uint16_t other_bytes;
};

/* --- reading ------------------------------------------------------------------------------ */

/* Reads a name that no pointer shortens. */
static bool read_plain_name(struct pin_reader *reader, struct pin_name *ret_name)
{
    size_t bytes = 0;
    for (;;) {
        uint8_t label_bytes = pin_reader_get_u8(reader);
        const uint8_t *label = pin_reader_get_bytes(reader, label_bytes);
        if ((label_bytes & LABEL_TYPE) != 0 || label == NULL
            || bytes + label_bytes + 1 > PIN_NAME_MAX_BYTES) {
            return false;
        }
        ret_name->wire[bytes] = label_bytes;
        pin_name_lower(ret_name->wire + bytes + 1, label, label_bytes);
        bytes += (size_t)label_bytes + 1;
        if (label_bytes == 0) {
            ret_name->bytes = (uint8_t)bytes;
            return true;
        }
    }
}

static uint64_t read_time(struct pin_reader *reader)
{
    uint64_t high = pin_reader_get_u16(reader);
    return high << TIME_HIGH_SHIFT | pin_reader_get_u32(reader);
}

/* Reads the record at `at`, which must end the message (RFC 8945, section 4.2). */
static bool read_record(const uint8_t *wire, size_t bytes, size_t at, struct record *ret)
{
    struct pin_reader reader = pin_reader_init(wire, bytes);
    if (at < HEADER_BYTES || at > bytes) {
        return false;
    }
    reader.pos += at;
    if (!pin_name_read(&reader, &ret->name)) {
        return false;
    }
    uint16_t type = pin_reader_get_u16(&reader);
    uint16_t class = pin_reader_get_u16(&reader);
    uint32_t ttl_s = pin_reader_get_u32(&reader);
    uint16_t rdata_bytes = pin_reader_get_u16(&reader);
    if (type != PIN_TYPE_TSIG || class != PIN_CLASS_ANY || ttl_s != 0
        || pin_reader_left(&reader) != rdata_bytes || !read_plain_name(&reader, &ret->algorithm)) {
        return false;
    }
    ret->time_s = read_time(&reader);
    ret->fudge_s = pin_reader_get_u16(&reader);
    ret->mac_bytes = pin_reader_get_u16(&reader);
    ret->mac = pin_reader_get_bytes(&reader, ret->mac_bytes);
    ret->original_id = pin_reader_get_u16(&reader);
    ret->error = pin_reader_get_u16(&reader);
    ret->other_bytes = pin_reader_get_u16(&reader);
    ret->other = pin_reader_get_bytes(&reader, ret->other_bytes);
    return pin_reader_is_ok(&reader) && pin_reader_left(&reader) == 0;
}

/* --- hashing ------------------------------------------------------------------------------ */

/* What is hashed of a TSIG beside the message. */
struct stamp {
    uint64_t time_s;
    const uint8_t *other;
    uint16_t fudge_s;
    uint16_t error;
    uint16_t other_bytes;
    uint16_t id;             /* of the message, whatever its header says */
    bool is_short;           /* time and fudge alone */
    bool is_counted;         /* the header counts the TSIG already */
    struct pin_piece before; /* messages that were not signed */
};

static void put_name(struct pin_buf *w, const struct pin_name *name)
{
    pin_buf_put_bytes(w, name->wire, name->bytes);
}

static void put_time(struct pin_buf *w, uint64_t time_s)
{
    pin_buf_put_u16(w, (uint16_t)(time_s >> TIME_HIGH_SHIFT));
    pin_buf_put_u32(w, (uint32_t)time_s);
}

/* Writes the TSIG variables (RFC 8945, sections 4.3.3 and 5.3.1), other data excepted. */
static void put_variables(struct pin_buf *w, const struct pin_tsig *tsig, const struct stamp *stamp)
{
    if (!stamp->is_short) {
        put_name(w, &tsig->name);
        pin_buf_put_u16(w, PIN_CLASS_ANY);
        pin_buf_put_u32(w, 0);
        put_name(w, &tsig->algorithm);
    }
    put_time(w, stamp->time_s);
    pin_buf_put_u16(w, stamp->fudge_s);
    if (!stamp->is_short) {
        pin_buf_put_u16(w, stamp->error);
        pin_buf_put_u16(w, stamp->other_bytes);
    }
}

/* The number of additional records, some more or less. */
static void count_additional(uint8_t *header, int difference)
{
    int n = (header[ARCOUNT_AT] << 8 | header[ARCOUNT_AT + 1]) + difference;
    header[ARCOUNT_AT] = (uint8_t)((unsigned)n >> 8);
    header[ARCOUNT_AT + 1] = (uint8_t)n;
}

/* The MAC of a message without its TSIG: behind the MAC before, if there is one, and the messages
 * since then, in front of the variables. False: memory is out. */
static bool make_mac(const struct pin_tsig *tsig, const uint8_t *wire, size_t bytes,
    const struct stamp *stamp, uint8_t ret_mac[PIN_HASH_MAX_BYTES])
{
    uint8_t front_bytes[FRONT_MAX_BYTES];
    uint8_t variable_bytes[VARIABLES_MAX_BYTES];
    uint8_t header[HEADER_BYTES];
    struct pin_buf front = pin_buf_init(front_bytes, sizeof(front_bytes));
    struct pin_buf variables = pin_buf_init(variable_bytes, sizeof(variable_bytes));
    if (tsig->mac_bytes > 0) {
        pin_buf_put_u16(&front, tsig->mac_bytes);
        pin_buf_put_bytes(&front, tsig->mac, tsig->mac_bytes);
    }
    memcpy(header, wire, sizeof(header));
    header[0] = (uint8_t)(stamp->id >> 8);
    header[1] = (uint8_t)stamp->id;
    count_additional(header, stamp->is_counted ? -1 : 0);
    put_variables(&variables, tsig, stamp);
    const struct pin_piece key = {.ptr = tsig->key->secret, .bytes = tsig->key->secret_bytes};
    const struct pin_piece pieces[] = {
        {.ptr = front_bytes, .bytes = pin_buf_used(&front)},
        stamp->before,
        {.ptr = header, .bytes = sizeof(header)},
        {.ptr = wire + HEADER_BYTES, .bytes = bytes - HEADER_BYTES},
        {.ptr = variable_bytes, .bytes = pin_buf_used(&variables)},
        {.ptr = stamp->other, .bytes = stamp->is_short ? 0 : stamp->other_bytes},
    };
    return pin_hmac(tsig->key->hash, &key, pieces, N_ELEMS(pieces), ret_mac);
}

/* --- keys --------------------------------------------------------------------------------- */

static bool is_same_name(const struct pin_name *a, const struct pin_name *b)
{
    return a->bytes == b->bytes && memcmp(a->wire, b->wire, a->bytes) == 0;
}

static bool is_algorithm(const struct pin_name *name, enum pin_hash hash)
{
    return name->bytes == algorithms[hash].bytes
           && memcmp(name->wire, algorithms[hash].wire, name->bytes) == 0;
}

const struct pin_tsig_key *pin_tsig_key(
    const struct pin_tsig_keys *keys, const struct pin_name *name)
{
    for (size_t i = 0; keys != NULL && i < keys->n; i++) {
        if (is_same_name(&keys->items[i].name, name)) {
            return &keys->items[i];
        }
    }
    return NULL;
}

/* --- verifying ---------------------------------------------------------------------------- */

/* Whether the clocks of both sides agree, as far as the sender wants them to. */
static bool is_timely(const struct record *record, uint64_t now_s)
{
    uint64_t apart_s = now_s > record->time_s ? now_s - record->time_s : record->time_s - now_s;
    return apart_s <= record->fudge_s;
}

/* What was hashed of a TSIG that was read. */
static struct stamp stamp_of(const struct record *record)
{
    return (struct stamp){.time_s = record->time_s,
        .fudge_s = record->fudge_s,
        .error = record->error,
        .other = record->other,
        .other_bytes = record->other_bytes,
        .id = record->original_id,
        .is_counted = true};
}

/* Whether the MAC is the message's: the whole of it (RFC 8945, section 5.2.2.1). A message that is
 * late or whose MAC is cut is answered with a signature, so its MAC is kept. */
static enum pin_tsig_verdict check_mac(struct pin_tsig *tsig, const uint8_t *wire, size_t tsig_at,
    const struct record *record, const struct stamp *stamp, uint64_t now_s)
{
    uint8_t mac[PIN_HASH_MAX_BYTES];
    size_t full_bytes = pin_hash_bytes(tsig->key->hash);
    if (record->mac_bytes > full_bytes
        || record->mac_bytes < PIN_MAX((size_t)MAC_MIN_BYTES, full_bytes / 2)) {
        return PIN_TSIG_FORMERR;
    }
    if (!make_mac(tsig, wire, tsig_at, stamp, mac)) {
        return PIN_TSIG_FAILED;
    }
    if (!pin_crypto_equal(mac, record->mac, record->mac_bytes)) {
        tsig->error = PIN_TSIG_BADSIG;
        return PIN_TSIG_BAD;
    }
    memcpy(tsig->mac, record->mac, record->mac_bytes);
    tsig->mac_bytes = (uint8_t)record->mac_bytes;
    tsig->error = record->mac_bytes < full_bytes ? PIN_TSIG_BADTRUNC
                  : !is_timely(record, now_s)    ? PIN_TSIG_BADTIME
                                                 : 0;
    return tsig->error == 0 ? PIN_TSIG_GOOD : PIN_TSIG_BAD;
}

enum pin_tsig_verdict pin_tsig_verify(const struct pin_tsig_keys *keys, const uint8_t *wire,
    size_t bytes, size_t tsig_at, uint64_t now_s, struct pin_tsig *ret_tsig)
{
    struct record record;
    if (!read_record(wire, bytes, tsig_at, &record) || record.error != 0) {
        return PIN_TSIG_FORMERR;
    }
    const struct pin_tsig_key *key = pin_tsig_key(keys, &record.name);
    bool is_known = key != NULL && is_algorithm(&record.algorithm, key->hash);
    ret_tsig->key = is_known ? key : NULL;
    ret_tsig->time_s = record.time_s;
    ret_tsig->fudge_s = record.fudge_s;
    ret_tsig->error = 0;
    ret_tsig->mac_bytes = 0;
    ret_tsig->name = record.name;
    ret_tsig->algorithm = record.algorithm;
    if (!is_known) {
        ret_tsig->error = PIN_TSIG_BADKEY;
        return PIN_TSIG_BAD;
    }
    const struct stamp stamp = stamp_of(&record);
    return check_mac(ret_tsig, wire, tsig_at, &record, &stamp, now_s);
}

/* Reads the TSIG of an answer. GOOD: it is the request's key's, and its MAC is worth a look. */
static enum pin_tsig_verdict read_answer(struct pin_tsig *tsig, const uint8_t *wire, size_t bytes,
    size_t tsig_at, struct record *ret_record)
{
    if (!read_record(wire, bytes, tsig_at, ret_record)) {
        return PIN_TSIG_FORMERR;
    }
    if (!is_same_name(&ret_record->name, &tsig->name)
        || !is_same_name(&ret_record->algorithm, &tsig->algorithm)) {
        tsig->error = PIN_TSIG_BADKEY;
        return PIN_TSIG_BAD;
    }
    if (ret_record->error != 0 && ret_record->mac_bytes == 0) { /* it cannot or will not sign */
        tsig->error = ret_record->error;
        return PIN_TSIG_BAD;
    }
    return PIN_TSIG_GOOD;
}

enum pin_tsig_verdict pin_tsig_verify_answer(
    struct pin_tsig *tsig, const uint8_t *wire, size_t bytes, size_t tsig_at, uint64_t now_s)
{
    struct record record;
    enum pin_tsig_verdict verdict = read_answer(tsig, wire, bytes, tsig_at, &record);
    if (verdict != PIN_TSIG_GOOD) {
        return verdict;
    }
    const struct stamp stamp = stamp_of(&record);
    verdict = check_mac(tsig, wire, tsig_at, &record, &stamp, now_s);
    if (verdict == PIN_TSIG_GOOD && record.error != 0) {
        tsig->error = record.error;
        return PIN_TSIG_BAD;
    }
    return verdict;
}

enum pin_tsig_verdict pin_tsig_verify_next(struct pin_tsig *tsig, const struct pin_piece *before,
    const struct pin_piece *message, size_t tsig_at, uint64_t now_s)
{
    struct record record;
    enum pin_tsig_verdict verdict =
        read_answer(tsig, message->ptr, message->bytes, tsig_at, &record);
    if (verdict != PIN_TSIG_GOOD) {
        return verdict;
    }
    struct stamp stamp = stamp_of(&record);
    stamp.is_short = true;
    stamp.before = *before;
    verdict = check_mac(tsig, message->ptr, tsig_at, &record, &stamp, now_s);
    if (verdict == PIN_TSIG_GOOD && record.error != 0) {
        tsig->error = record.error;
        return PIN_TSIG_BAD;
    }
    return verdict;
}

/* --- signing ------------------------------------------------------------------------------ */

void pin_tsig_begin(struct pin_tsig *tsig, const struct pin_tsig_key *key)
{
    *tsig = (struct pin_tsig){.key = key, .fudge_s = PIN_TSIG_FUDGE_S, .name = key->name};
    tsig->algorithm.bytes = algorithms[key->hash].bytes;
    memcpy(tsig->algorithm.wire, algorithms[key->hash].wire, algorithms[key->hash].bytes);
}

/* Whether its next message gets a MAC; those about unknown keys and wrong MACs do not (RFC 8945,
 * section 5.3.2). */
static bool has_mac(const struct pin_tsig *tsig)
{
    return tsig->key != NULL && tsig->error != PIN_TSIG_BADSIG;
}

/* Other data: our time, for whom it was too late (RFC 8945, section 5.2.3). */
static size_t other_bytes(const struct pin_tsig *tsig)
{
    return tsig->error == PIN_TSIG_BADTIME ? TIME_BYTES : 0;
}

size_t pin_tsig_room(const struct pin_tsig *tsig)
{
    size_t mac_bytes = has_mac(tsig) ? pin_hash_bytes(tsig->key->hash) : 0;
    return (size_t)tsig->name.bytes + FIXED_BYTES + tsig->algorithm.bytes + RDATA_FIXED_BYTES
           + mac_bytes + other_bytes(tsig);
}

/* Writes the record behind the message. */
static size_t put_record(const struct pin_tsig *tsig, const struct stamp *stamp, size_t mac_bytes,
    uint8_t *to, size_t cap_bytes)
{
    struct pin_buf w = pin_buf_init(to, cap_bytes);
    size_t rdata_bytes =
        (size_t)tsig->algorithm.bytes + RDATA_FIXED_BYTES + mac_bytes + stamp->other_bytes;
    put_name(&w, &tsig->name);
    pin_buf_put_u16(&w, PIN_TYPE_TSIG);
    pin_buf_put_u16(&w, PIN_CLASS_ANY);
    pin_buf_put_u32(&w, 0);
    pin_buf_put_u16(&w, (uint16_t)rdata_bytes);
    put_name(&w, &tsig->algorithm);
    put_time(&w, stamp->time_s);
    pin_buf_put_u16(&w, stamp->fudge_s);
    pin_buf_put_u16(&w, (uint16_t)mac_bytes);
    pin_buf_put_bytes(&w, tsig->mac, mac_bytes);
    pin_buf_put_u16(&w, stamp->id);
    pin_buf_put_u16(&w, stamp->error);
    pin_buf_put_u16(&w, stamp->other_bytes);
    pin_buf_put_bytes(&w, stamp->other, stamp->other_bytes);
    return pin_buf_is_ok(&w) ? pin_buf_used(&w) : 0;
}

size_t pin_tsig_sign(struct pin_tsig *tsig, enum pin_tsig_turn turn, uint8_t *wire, size_t bytes,
    size_t cap_bytes, uint64_t now_s)
{
    uint8_t mac[PIN_HASH_MAX_BYTES];
    uint8_t server_time[TIME_BYTES];
    bool is_signed = has_mac(tsig);
    struct pin_buf other = pin_buf_init(server_time, sizeof(server_time));
    put_time(&other, now_s);
    /* Errors repeat the request's time (RFC 8945, section 5.2.3). */
    const struct stamp stamp = {.time_s = tsig->error != 0 ? tsig->time_s : now_s,
        .fudge_s = tsig->error != 0 ? tsig->fudge_s : PIN_TSIG_FUDGE_S,
        .error = tsig->error,
        .other = server_time,
        .other_bytes = (uint16_t)other_bytes(tsig),
        .id = pin_get_be16(wire),
        .is_short = turn == PIN_TSIG_NEXT};
    if (is_signed && !make_mac(tsig, wire, bytes, &stamp, mac)) {
        return 0;
    }
    if (is_signed) {
        tsig->mac_bytes = (uint8_t)pin_hash_bytes(tsig->key->hash);
        memcpy(tsig->mac, mac, tsig->mac_bytes);
    }
    size_t added =
        put_record(tsig, &stamp, is_signed ? tsig->mac_bytes : 0, wire + bytes, cap_bytes - bytes);
    if (added == 0) {
        return 0;
    }
    count_additional(wire, 1);
    return bytes + added;
}
