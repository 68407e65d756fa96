/* SPDX-License-Identifier: Apache-2.0 */

/* gzip through zlib, whole texts at once. */

#include "pintle/base/gzip.h"

#include <stdlib.h>

#define ZLIB_CONST
#include <zlib.h>

#define DATA_MAX_BYTES ((size_t)1 << 20)
/* zlib: this much more than the window's bits asks for gzip's header and trailer. */
#define WINDOW_GZIP (MAX_WBITS + 16)
#define MEMORY_BEST 9

enum pin_err pin_gzip(const void *data, size_t bytes, uint8_t **ret_data, size_t *ret_bytes)
{
    z_stream stream = {0};
    if (bytes > DATA_MAX_BYTES) {
        return PIN_ELIMIT;
    }
    if (deflateInit2(
            &stream, Z_BEST_COMPRESSION, Z_DEFLATED, WINDOW_GZIP, MEMORY_BEST, Z_DEFAULT_STRATEGY)
        != Z_OK) {
        return PIN_ENOMEM;
    }
    size_t cap = deflateBound(&stream, (uLong)bytes);
    uint8_t *out = malloc(cap);
    if (out == NULL) {
        (void)deflateEnd(&stream);
        return PIN_ENOMEM;
    }
    stream.next_in = data;
    stream.avail_in = (uInt)bytes;
    stream.next_out = out;
    stream.avail_out = (uInt)cap;
    (void)deflate(&stream, Z_FINISH); /* ends: the room is what zlib says is enough */
    *ret_bytes = cap - stream.avail_out;
    *ret_data = out;
    (void)deflateEnd(&stream);
    return PIN_OK;
}

enum pin_err pin_gunzip(
    const void *data, size_t bytes, size_t max_bytes, uint8_t **ret_data, size_t *ret_bytes)
{
    z_stream stream = {0};
    if (bytes > DATA_MAX_BYTES || max_bytes > DATA_MAX_BYTES) {
        return PIN_ELIMIT;
    }
    uint8_t *out = malloc(max_bytes + 1);
    if (out == NULL || inflateInit2(&stream, WINDOW_GZIP) != Z_OK) {
        free(out);
        return PIN_ENOMEM;
    }
    stream.next_in = data;
    stream.avail_in = (uInt)bytes;
    stream.next_out = out;
    stream.avail_out = (uInt)(max_bytes + 1); /* one more than may be used: seen when it is */
    int end = inflate(&stream, Z_FINISH);
    size_t used = max_bytes + 1 - stream.avail_out;
    (void)inflateEnd(&stream);
    if (end != Z_STREAM_END || used > max_bytes) {
        free(out);
        return used > max_bytes ? PIN_ELIMIT : end == Z_MEM_ERROR ? PIN_ENOMEM : PIN_EPARSE;
    }
    out[used] = 0;
    *ret_data = out;
    *ret_bytes = used;
    return PIN_OK;
}
