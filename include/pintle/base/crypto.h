/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * SHA-256, HMAC, base64 and a comparison in constant time; OpenSSL's door in this room.
 * Any thread. Not on the answer path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

/** Bytes of a SHA-256 digest. */
#define PIN_SHA256_BYTES 32

/** Bytes of the base64 text of `bytes` bytes, with its NUL. */
#define PIN_BASE64_BYTES(bytes) (((bytes) + 2) / 3 * 4 + 1)

/** SHA-256 (FIPS 180-4). Aborts the process if the library cannot do it. */
void pin_sha256(const void *data, size_t bytes, uint8_t ret_digest[PIN_SHA256_BYTES]);

/** HMAC-SHA-256 (RFC 2104). `key` may be NULL when `key_bytes` is 0. */
void pin_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t bytes,
    uint8_t ret_digest[PIN_SHA256_BYTES]);

/** Writes `bytes` bytes as lower-case hex; `out` holds 2 * bytes + 1. Returns `out`. */
char *pin_hex_encode(const void *data, size_t bytes, char *out);

/** Standard base64 with padding (RFC 4648, section 4); `out` holds PIN_BASE64_BYTES(bytes). */
char *pin_base64_encode(const void *data, size_t bytes, char *out);

/**
 * Reads standard base64; white space anywhere is skipped, padding may be missing.
 *
 * @param ret_data   Heap, the caller frees it; one NUL follows it that does not count.
 * @param ret_bytes  Its length.
 * @return PIN_OK, PIN_EPARSE or PIN_ENOMEM.
 */
enum pin_err pin_base64_decode(
    const char *text, size_t text_bytes, uint8_t **ret_data, size_t *ret_bytes);

/** True for equal bytes; takes the same time wherever they differ. */
bool pin_crypto_equal(const void *a, const void *b, size_t bytes);
