/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * gzip (RFC 1952) of small texts; zlib's door in this room. Any thread, not on the answer path.
 */

#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

/**
 * Packs `bytes` bytes, as small as zlib can. The header holds no time and no name: the same bytes
 * in, the same bytes out.
 *
 * @param ret_data  Heap, the caller frees it.
 * @return PIN_OK, PIN_ENOMEM, or PIN_ELIMIT above 1 MiB.
 */
enum pin_err pin_gzip(const void *data, size_t bytes, uint8_t **ret_data, size_t *ret_bytes);

/**
 * Unpacks one gzip stream, whose checksum must be right.
 *
 * @param max_bytes  What comes out at most; more is PIN_ELIMIT.
 * @param ret_data   Heap, the caller frees it; one NUL follows it that does not count.
 * @return PIN_OK, PIN_ENOMEM, PIN_ELIMIT, or PIN_EPARSE for what is no whole stream.
 */
enum pin_err pin_gunzip(
    const void *data, size_t bytes, size_t max_bytes, uint8_t **ret_data, size_t *ret_bytes);
