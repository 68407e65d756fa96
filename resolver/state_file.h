/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The file that keeps the clusters' objects over a restart: STATE-DIR/catalog.pintle. No I/O here.
 *
 *     header   magic, versions, a number of its own, checksum
 *     frame    magic, length, wall time, checksum of the payload, checksum of this head
 *       record   cluster 0 is "c1", whose source is "context c1"
 *       record   object of cluster 0, packed (pintle/zones/pack.h)
 *       record   object of cluster 0 is gone: kind, namespace, name
 *       record   cluster 0 was listed whole
 *     frame    ...
 *
 * It is a log: a frame is what one round of the builder took, and a later record goes over an
 * earlier one. Numbers are little-endian. Checksums are sown with the header's number and the
 * frame's place, so nothing counts that belongs to another file or another place. A file whose last
 * frames are not whole was cut by a crash, and counts up to there; one that has whole frames behind
 * a broken one is damaged, and does not count at all: what the lost frames replaced would be wrong.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/text.h"
#include "pintle/zones/object.h"

/** Moves with every change of header, frames or records. */
#define PIN_STATE_VERSION 1u
/** Bytes before the first frame. */
#define PIN_STATE_HEADER_BYTES 48u
/** Bytes of a frame before its payload. */
#define PIN_STATE_FRAME_BYTES 32u
/** Longest payload. */
#define PIN_STATE_PAYLOAD_MAX ((size_t)1 << 30)

/** What a record says. */
enum pin_state_op {
    PIN_STATE_CLUSTER, /**< Its number, name and source. */
    PIN_STATE_OBJECT,
    PIN_STATE_GONE,
    PIN_STATE_SYNCED,
    PIN_STATE_OP_MAX,
};

/** One record. Texts are not NUL-terminated and lead into the file's bytes. */
struct pin_state_record {
    enum pin_state_op op;
    uint16_t cluster; /**< As the file counts them. */
    enum pin_kind kind;
    const char *texts[2]; /**< CLUSTER: name, source; GONE: namespace, name; OBJECT: the object. */
    size_t bytes[2];
};

/** What a file is worth. */
struct pin_state_scan {
    uint64_t seed;    /**< The header's number. */
    size_t n_good;    /**< Bytes up to the end of the last whole frame. */
    size_t n_torn;    /**< Bytes behind them. */
    size_t n_records; /**< In whole frames. */
    int64_t wall_ms;  /**< Of the last whole frame, or of the header. */
};

/**
 * Looks at its first PIN_STATE_HEADER_BYTES, or at all there is: whether the rest is worth reading.
 * Errors as below.
 */
enum pin_err pin_state_look_at_header(const void *data, size_t bytes, struct pin_why *why);

/**
 * Looks through a file. PIN_OK, though its end may be torn; PIN_EUNSUPPORTED: another version's;
 * PIN_EPARSE: none of ours, or damaged. Cost: one pass of checksums.
 */
enum pin_err pin_state_look(
    const void *data, size_t bytes, struct pin_state_scan *ret_scan, struct pin_why *why);

/** Takes a record; false ends the walk. */
typedef bool pin_state_record_fn(void *arg, const struct pin_state_record *record);

/** Calls `fn` for each record of the `n_good` bytes that pin_state_look() found, in order. */
void pin_state_each(const void *data, size_t n_good, pin_state_record_fn *fn, void *arg);

/** Appends a header. `seed` should be no other file's. */
void pin_state_put_header(struct pin_text *out, uint64_t seed, int64_t wall_ms);

/** Writes the head of a frame of that payload, which is to begin at `offset` in the file. */
void pin_state_frame_head(uint8_t head[PIN_STATE_FRAME_BYTES], const struct pin_text *payload,
    uint64_t seed, uint64_t offset, int64_t wall_ms);

/** Appends a record of that kind to a payload. */
void pin_state_put_cluster(
    struct pin_text *payload, uint16_t cluster, const char *name, const char *source);
void pin_state_put_object(
    struct pin_text *payload, uint16_t cluster, const struct pin_text *packed);
void pin_state_put_gone(struct pin_text *payload, uint16_t cluster, enum pin_kind kind,
    const char *namespace_name, const char *name);
void pin_state_put_synced(struct pin_text *payload, uint16_t cluster);
