/* SPDX-License-Identifier: Apache-2.0 */

/* The bytes of a state file. */

#include "resolver/state_file.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/hash.h"
#include "pintle/zones/pack.h"

static const uint8_t magic[8] = {0x89, 'P', 'I', 'N', 'T', 'L', 'E', '\n'};
static const uint8_t frame_magic[4] = {'p', 'f', 'r', 'm'};

/* --- numbers ------------------------------------------------------------------------------- */

static void store(uint8_t *at, uint64_t value, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        at[i] = (uint8_t)(value >> (8 * i));
    }
}

static uint64_t load(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;
    for (size_t i = 0; i < bytes; i++) {
        value |= (uint64_t)at[i] << (8 * i);
    }
    return value;
}

static void put_number(struct pin_text *out, uint64_t value)
{
    while (value >= 0x80) {
        pin_text_putc(out, (char)(unsigned char)(value | 0x80));
        value >>= 7;
    }
    pin_text_putc(out, (char)(unsigned char)value);
}

static uint64_t get_number(struct pin_reader *in, uint64_t max)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 63; shift += 7) {
        uint8_t byte = pin_reader_get_u8(in);
        value |= (uint64_t)(byte & 0x7fu) << shift;
        if (byte < 0x80) {
            in->failed = in->failed || value > max;
            return in->failed ? 0 : value;
        }
    }
    in->failed = true;
    return 0;
}

/* --- header -------------------------------------------------------------------------------- */

enum header_at {
    PIN_AT_VERSION = 8,
    PIN_AT_PACK_VERSION = 12,
    PIN_AT_SEED = 16,
    PIN_AT_WALL_MS = 24,
    PIN_AT_CHECKSUM = 40, /* 32 to 39 are for later, 0 */
};

void pin_state_put_header(struct pin_text *out, uint64_t seed, int64_t wall_ms)
{
    uint8_t header[PIN_STATE_HEADER_BYTES] = {0};
    memcpy(header, magic, sizeof(magic));
    store(header + PIN_AT_VERSION, PIN_STATE_VERSION, 4);
    store(header + PIN_AT_PACK_VERSION, PIN_PACK_VERSION, 4);
    store(header + PIN_AT_SEED, seed, 8);
    store(header + PIN_AT_WALL_MS, (uint64_t)wall_ms, 8);
    store(header + PIN_AT_CHECKSUM, pin_checksum64(header, PIN_AT_CHECKSUM, 0), 8);
    pin_text_putn(out, (const char *)header, sizeof(header));
}

static enum pin_err look_at_header(
    const uint8_t *data, size_t bytes, struct pin_state_scan *scan, struct pin_why *why)
{
    if (bytes == 0) {
        return pin_why_set(why, PIN_EPARSE, "it is empty");
    }
    if (bytes < PIN_STATE_HEADER_BYTES || memcmp(data, magic, sizeof(magic)) != 0) {
        return pin_why_set(why, PIN_EPARSE, "it is no state file");
    }
    if (load(data + PIN_AT_CHECKSUM, 8) != pin_checksum64(data, PIN_AT_CHECKSUM, 0)) {
        return pin_why_set(why, PIN_EPARSE, "its header is damaged");
    }
    uint64_t version = load(data + PIN_AT_VERSION, 4);
    uint64_t pack_version = load(data + PIN_AT_PACK_VERSION, 4);
    if (version != PIN_STATE_VERSION || pack_version != PIN_PACK_VERSION) {
        return pin_why_set(why, PIN_EUNSUPPORTED,
            "it is of version %u.%u, and this program reads %u.%u", (unsigned)version,
            (unsigned)pack_version, PIN_STATE_VERSION, PIN_PACK_VERSION);
    }
    scan->seed = load(data + PIN_AT_SEED, 8);
    scan->wall_ms = (int64_t)load(data + PIN_AT_WALL_MS, 8);
    return PIN_OK;
}

enum pin_err pin_state_look_at_header(const void *data, size_t bytes, struct pin_why *why)
{
    struct pin_state_scan scan = {0};
    return look_at_header(data, bytes, &scan, why);
}

/* --- frames -------------------------------------------------------------------------------- */

enum frame_at {
    PIN_AT_BYTES = 4,
    PIN_AT_TIME = 8,
    PIN_AT_PAYLOAD_SUM = 16,
    PIN_AT_HEAD_SUM = 24,
};

/* A frame that is whole as far as its head tells. */
struct frame {
    const uint8_t *payload;
    size_t bytes;
    uint64_t sum;
    int64_t wall_ms;
};

void pin_state_frame_head(uint8_t head[PIN_STATE_FRAME_BYTES], const struct pin_text *payload,
    uint64_t seed, uint64_t offset, int64_t wall_ms)
{
    memcpy(head, frame_magic, sizeof(frame_magic));
    store(head + PIN_AT_BYTES, payload->len, 4);
    store(head + PIN_AT_TIME, (uint64_t)wall_ms, 8);
    store(head + PIN_AT_PAYLOAD_SUM, pin_checksum64(payload->ptr, payload->len, seed + offset), 8);
    store(head + PIN_AT_HEAD_SUM, pin_checksum64(head, PIN_AT_HEAD_SUM, seed + offset), 8);
}

/* Reads the head at `at`. False: there is none that is right, or its payload would not fit. */
static bool read_head(
    const uint8_t *data, size_t bytes, size_t at, uint64_t seed, struct frame *ret_frame)
{
    const uint8_t *head = data + at;
    if (bytes - at < PIN_STATE_FRAME_BYTES || memcmp(head, frame_magic, sizeof(frame_magic)) != 0
        || load(head + PIN_AT_HEAD_SUM, 8) != pin_checksum64(head, PIN_AT_HEAD_SUM, seed + at)) {
        return false;
    }
    *ret_frame = (struct frame){.payload = head + PIN_STATE_FRAME_BYTES,
        .bytes = (size_t)load(head + PIN_AT_BYTES, 4),
        .wall_ms = (int64_t)load(head + PIN_AT_TIME, 8),
        .sum = load(head + PIN_AT_PAYLOAD_SUM, 8)};
    return ret_frame->bytes <= bytes - at - PIN_STATE_FRAME_BYTES;
}

static bool read_record(struct pin_reader *in, struct pin_state_record *ret_record)
{
    struct pin_state_record record = {
        .op = (enum pin_state_op)get_number(in, PIN_STATE_OP_MAX - 1)};
    size_t n_texts = record.op == PIN_STATE_SYNCED ? 0 : record.op == PIN_STATE_OBJECT ? 1 : 2;
    record.cluster = (uint16_t)get_number(in, UINT16_MAX);
    if (record.op == PIN_STATE_GONE) {
        record.kind = (enum pin_kind)get_number(in, PIN_KIND_MAX - 1);
    }
    for (size_t i = 0; i < n_texts; i++) {
        record.bytes[i] = (size_t)get_number(in, PIN_STATE_PAYLOAD_MAX);
        record.texts[i] = (const char *)pin_reader_get_bytes(in, record.bytes[i]);
    }
    *ret_record = record;
    return pin_reader_is_ok(in);
}

/* Whether the payload is what was written, and made of records. */
static bool check_payload(const struct frame *frame, uint64_t seed, size_t at, size_t *n_records)
{
    struct pin_state_record record;
    struct pin_reader in = pin_reader_init(frame->payload, frame->bytes);
    if (frame->sum != pin_checksum64(frame->payload, frame->bytes, seed + at)) {
        return false;
    }
    size_t n = 0;
    while (pin_reader_left(&in) > 0) {
        n += read_record(&in, &record);
    }
    *n_records += n;
    return pin_reader_is_ok(&in);
}

/* Whether there is a right head of a frame somewhere behind `at`. */
static bool has_later(const uint8_t *data, size_t bytes, size_t at, uint64_t seed)
{
    struct frame frame;
    const uint8_t *next = data + at;
    while (next != NULL && next < data + bytes) {
        next = memmem(next, (size_t)(data + bytes - next), frame_magic, sizeof(frame_magic));
        if (next != NULL && read_head(data, bytes, (size_t)(next - data), seed, &frame)) {
            return true;
        }
        next = next != NULL ? next + 1 : NULL;
    }
    return false;
}

enum pin_err pin_state_look(
    const void *data, size_t bytes, struct pin_state_scan *ret_scan, struct pin_why *why)
{
    struct pin_state_scan scan = {.n_good = PIN_STATE_HEADER_BYTES};
    const uint8_t *at = data;
    enum pin_err err = look_at_header(at, bytes, &scan, why);
    if (err != PIN_OK) {
        return err;
    }
    while (scan.n_good < bytes) {
        struct frame frame;
        if (!read_head(at, bytes, scan.n_good, scan.seed, &frame)
            || !check_payload(&frame, scan.seed, scan.n_good, &scan.n_records)) {
            break;
        }
        scan.n_good += PIN_STATE_FRAME_BYTES + frame.bytes;
        scan.wall_ms = frame.wall_ms;
    }
    scan.n_torn = bytes - scan.n_good;
    if (scan.n_torn > 0 && has_later(at, bytes, scan.n_good + 1, scan.seed)) {
        return pin_why_set(why, PIN_EPARSE, "it is damaged at byte %zu of %zu", scan.n_good, bytes);
    }
    *ret_scan = scan;
    return PIN_OK;
}

void pin_state_each(const void *data, size_t n_good, pin_state_record_fn *fn, void *arg)
{
    const uint8_t *bytes = data;
    size_t at = PIN_STATE_HEADER_BYTES;
    bool goes_on = true;
    while (goes_on && at < n_good) {
        size_t payload_bytes = (size_t)load(bytes + at + PIN_AT_BYTES, 4);
        struct pin_state_record record;
        struct pin_reader in = pin_reader_init(bytes + at + PIN_STATE_FRAME_BYTES, payload_bytes);
        while (goes_on && pin_reader_left(&in) > 0) {
            goes_on = read_record(&in, &record) && fn(arg, &record);
        }
        at += PIN_STATE_FRAME_BYTES + payload_bytes;
    }
}

/* --- records ------------------------------------------------------------------------------- */

static void put_text(struct pin_text *payload, const char *text, size_t bytes)
{
    put_number(payload, bytes);
    pin_text_putn(payload, text, bytes);
}

static void begin(struct pin_text *payload, enum pin_state_op op, uint16_t cluster)
{
    put_number(payload, (uint64_t)op);
    put_number(payload, cluster);
}

void pin_state_put_cluster(
    struct pin_text *payload, uint16_t cluster, const char *name, const char *source)
{
    begin(payload, PIN_STATE_CLUSTER, cluster);
    put_text(payload, name, strlen(name));
    put_text(payload, source, strlen(source));
}

void pin_state_put_object(struct pin_text *payload, uint16_t cluster, const struct pin_text *packed)
{
    begin(payload, PIN_STATE_OBJECT, cluster);
    put_text(payload, packed->ptr, packed->len);
}

void pin_state_put_gone(struct pin_text *payload, uint16_t cluster, enum pin_kind kind,
    const char *namespace_name, const char *name)
{
    begin(payload, PIN_STATE_GONE, cluster);
    put_number(payload, kind);
    put_text(payload, namespace_name, strlen(namespace_name));
    put_text(payload, name, strlen(name));
}

void pin_state_put_synced(struct pin_text *payload, uint16_t cluster)
{
    begin(payload, PIN_STATE_SYNCED, cluster);
}
