/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Bounded writer and reader of wire data whose first error sticks.
 *
 * Encode or decode a whole packet without a check per field, then ask once. After the first write
 * or read that does not fit nothing moves any more; reads then give 0 and NULL. Network byte order.
 * Both are plain values that own nothing.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "pintle/base/macros.h"

/** Writer over foreign memory: start <= pos <= end. */
struct pin_buf {
    uint8_t *start;
    uint8_t *pos; /**< Where the next byte goes. */
    uint8_t *end; /**< One past the last byte that may be written. */
    bool failed;  /**< Something did not fit. */
};

/** Reader over foreign memory: start <= pos <= end. */
struct pin_reader {
    const uint8_t *start;
    const uint8_t *pos;
    const uint8_t *end;
    bool failed; /**< Something was read past the end. */
};

/** A writer for `cap_bytes` bytes at `ptr`, borrowed. */
static inline struct pin_buf pin_buf_init(void *ptr, size_t cap_bytes)
{
    uint8_t *start = ptr;
    return (struct pin_buf){.start = start, .pos = start, .end = start + cap_bytes};
}

/** True while everything fitted. */
static inline bool pin_buf_is_ok(const struct pin_buf *buf)
{
    return !buf->failed;
}

/** Bytes written so far. */
static inline size_t pin_buf_used(const struct pin_buf *buf)
{
    return (size_t)(buf->pos - buf->start);
}

/** Claims `bytes` bytes and returns where they start, not written yet; NULL when they do not fit.
 */
static inline uint8_t *pin_buf_skip(struct pin_buf *buf, size_t bytes)
{
    if (pin_unlikely(buf->failed || (size_t)(buf->end - buf->pos) < bytes)) {
        buf->failed = true;
        return NULL;
    }
    uint8_t *at = buf->pos;
    buf->pos += bytes;
    return at;
}

/** Appends one byte. */
static inline void pin_buf_put_u8(struct pin_buf *buf, uint8_t value)
{
    uint8_t *at = pin_buf_skip(buf, 1);
    if (at != NULL) {
        at[0] = value;
    }
}

/** Appends a host-order number in network byte order. */
static inline void pin_buf_put_u16(struct pin_buf *buf, uint16_t value)
{
    uint8_t *at = pin_buf_skip(buf, 2);
    if (at != NULL) {
        at[0] = (uint8_t)(value >> 8);
        at[1] = (uint8_t)value;
    }
}

/** Appends a host-order number in network byte order. */
static inline void pin_buf_put_u32(struct pin_buf *buf, uint32_t value)
{
    uint8_t *at = pin_buf_skip(buf, 4);
    if (at != NULL) {
        at[0] = (uint8_t)(value >> 24);
        at[1] = (uint8_t)(value >> 16);
        at[2] = (uint8_t)(value >> 8);
        at[3] = (uint8_t)value;
    }
}

/** Appends a copy of `bytes` bytes. `data` may be NULL when `bytes` is 0. */
static inline void pin_buf_put_bytes(struct pin_buf *buf, const void *data, size_t bytes)
{
    uint8_t *at = pin_buf_skip(buf, bytes);
    if (at != NULL && bytes > 0) {
        memcpy(at, data, bytes);
    }
}

/** Overwrites two bytes at `offset` from the start, which must lie in what is written already. */
static inline void pin_buf_set_u16(struct pin_buf *buf, size_t offset, uint16_t value)
{
    if (pin_unlikely(pin_buf_used(buf) < 2 || offset > pin_buf_used(buf) - 2)) {
        buf->failed = true;
        return;
    }
    buf->start[offset] = (uint8_t)(value >> 8);
    buf->start[offset + 1] = (uint8_t)value;
}

/** A reader of `bytes` bytes at `ptr`, borrowed. */
static inline struct pin_reader pin_reader_init(const void *ptr, size_t bytes)
{
    const uint8_t *start = ptr;
    return (struct pin_reader){.start = start, .pos = start, .end = start + bytes};
}

/** True while every read fitted. */
static inline bool pin_reader_is_ok(const struct pin_reader *reader)
{
    return !reader->failed;
}

/** Bytes not read yet; 0 after an error. */
static inline size_t pin_reader_left(const struct pin_reader *reader)
{
    return reader->failed ? 0 : (size_t)(reader->end - reader->pos);
}

/** Offset of the next byte from the start. */
static inline size_t pin_reader_offset(const struct pin_reader *reader)
{
    return (size_t)(reader->pos - reader->start);
}

/** Borrows the next `bytes` bytes and moves past them; NULL when there are fewer. */
static inline const uint8_t *pin_reader_get_bytes(struct pin_reader *reader, size_t bytes)
{
    if (pin_unlikely(reader->failed || (size_t)(reader->end - reader->pos) < bytes)) {
        reader->failed = true;
        return NULL;
    }
    const uint8_t *at = reader->pos;
    reader->pos += bytes;
    return at;
}

/** The next byte; 0 on error. */
static inline uint8_t pin_reader_get_u8(struct pin_reader *reader)
{
    const uint8_t *at = pin_reader_get_bytes(reader, 1);
    return at == NULL ? 0 : at[0];
}

/** The next two bytes as a host-order number; 0 on error. */
static inline uint16_t pin_reader_get_u16(struct pin_reader *reader)
{
    const uint8_t *at = pin_reader_get_bytes(reader, 2);
    return (uint16_t)(at == NULL ? 0 : at[0] << 8 | at[1]);
}

/** The next four bytes as a host-order number; 0 on error. */
static inline uint32_t pin_reader_get_u32(struct pin_reader *reader)
{
    const uint8_t *at = pin_reader_get_bytes(reader, 4);
    return at == NULL ? 0
                      : (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8
                            | (uint32_t)at[3];
}
