/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * SHA-256, HMAC, AES-256-GCM, base64, a comparison in constant time, and until when a certificate
 * is valid; OpenSSL's door in this room.
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

/** Hashes that an HMAC may be made with. */
enum pin_hash {
    PIN_HASH_SHA224,
    PIN_HASH_SHA256,
    PIN_HASH_SHA384,
    PIN_HASH_SHA512,
};

/** Bytes of the longest of them. */
#define PIN_HASH_MAX_BYTES 64

/** A piece of what is hashed. Borrowed; `ptr` may be NULL when `bytes` is 0. */
struct pin_piece {
    const void *ptr;
    size_t bytes;
};

/** Bytes of that hash. */
size_t pin_hash_bytes(enum pin_hash hash);

/**
 * HMAC (RFC 2104) over pieces in a row, as if they were one.
 *
 * @param ret_mac  Gets pin_hash_bytes(hash) bytes.
 * @return False when memory is out: OpenSSL allocates a context for each call.
 */
bool pin_hmac(enum pin_hash hash, const struct pin_piece *key, const struct pin_piece *pieces,
    size_t n_pieces, uint8_t ret_mac[PIN_HASH_MAX_BYTES]);

/** Bytes of a key of AES-256. */
#define PIN_AES_KEY_BYTES 32
/** Bytes of a nonce of AES-GCM, as everybody uses it. */
#define PIN_GCM_NONCE_BYTES 12
/** Bytes of the tag behind the sealed bytes. */
#define PIN_GCM_TAG_BYTES 16

/**
 * AES-256-GCM (NIST SP 800-38D) without further data.
 *
 * @param nonce       Never the same for two different texts under one key.
 * @param ret_sealed  Gets bytes + PIN_GCM_TAG_BYTES.
 * @return False when memory is out.
 */
bool pin_gcm_seal(const uint8_t key[PIN_AES_KEY_BYTES], const uint8_t nonce[PIN_GCM_NONCE_BYTES],
    const void *data, size_t bytes, uint8_t *ret_sealed);

/**
 * The other way round.
 *
 * @param bytes     With the tag.
 * @param ret_data  Gets bytes - PIN_GCM_TAG_BYTES.
 * @return False when it was not sealed with that key and nonce, is cut, or memory is out; what
 *         `ret_data` holds then is worth nothing.
 */
bool pin_gcm_open(const uint8_t key[PIN_AES_KEY_BYTES], const uint8_t nonce[PIN_GCM_NONCE_BYTES],
    const void *sealed, size_t bytes, uint8_t *ret_data);

/** Overwrites a secret, whatever the compiler thinks of memory that is not read again. */
void pin_crypto_wipe(void *data, size_t bytes);

/** Writes `bytes` bytes as lower-case hex; `out` holds 2 * bytes + 1. Returns `out`. */
char *pin_hex_encode(const void *data, size_t bytes, char *out);

/** What a hexadecimal digit of either case stands for, 0 to 15; -1: it is none. */
int pin_hex_value(char digit);

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

/**
 * Until when the first certificate of a PEM text is valid.
 *
 * @param ret_wall_ms  Milliseconds since 1970-01-01T00:00:00Z.
 * @return False when there is no certificate that can be read, or memory is out.
 */
bool pin_certificate_expiry(const void *pem, size_t bytes, int64_t *ret_wall_ms);
