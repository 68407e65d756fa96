/* SPDX-License-Identifier: Apache-2.0 */

/* Digests through OpenSSL; base64 and hex by hand. */

#include "pintle/base/crypto.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void pin_sha256(const void *data, size_t bytes, uint8_t ret_digest[PIN_SHA256_BYTES])
{
    unsigned int digest_bytes = 0;
    if (EVP_Digest(data, bytes, ret_digest, &digest_bytes, EVP_sha256(), NULL) != 1) {
        abort(); /* no memory, or a library without SHA-256: names could not be made */
    }
}

void pin_hmac_sha256(const void *key, size_t key_bytes, const void *data, size_t bytes,
    uint8_t ret_digest[PIN_SHA256_BYTES])
{
    unsigned int digest_bytes = 0;
    const void *some_key = key == NULL ? "" : key; /* NULL means "the last key" to HMAC() */
    if (key_bytes > INT32_MAX
        || HMAC(EVP_sha256(), some_key, (int)key_bytes, data, bytes, ret_digest, &digest_bytes)
               == NULL) {
        abort();
    }
}

char *pin_hex_encode(const void *data, size_t bytes, char *out)
{
    static const char hex[] = "0123456789abcdef";
    const uint8_t *at = data;
    for (size_t i = 0; i < bytes; i++) {
        out[2 * i] = hex[at[i] >> 4];
        out[2 * i + 1] = hex[at[i] & 15];
    }
    out[2 * bytes] = '\0';
    return out;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *pin_base64_encode(const void *data, size_t bytes, char *out)
{
    const uint8_t *at = data;
    char *put = out;
    for (size_t i = 0; i < bytes; i += 3) {
        size_t left = bytes - i;
        uint32_t group = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0)
                         | (left > 2 ? (uint32_t)at[i + 2] : 0);
        *put++ = alphabet[group >> 18];
        *put++ = alphabet[group >> 12 & 63];
        *put++ = alphabet[group >> 6 & 63];
        *put++ = alphabet[group & 63];
    }
    size_t n_pads = (3 - bytes % 3) % 3;
    memset(put - n_pads, '=', n_pads);
    *put = '\0';
    return out;
}

/* 0 to 63, or -1. */
static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return c - 'A';
    }
    if (c >= 'a' && c <= 'z') {
        return c - 'a' + 26;
    }
    if (c >= '0' && c <= '9') {
        return c - '0' + 52;
    }
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

enum pin_err pin_base64_decode(
    const char *text, size_t text_bytes, uint8_t **ret_data, size_t *ret_bytes)
{
    uint8_t *data = malloc(text_bytes / 4 * 3 + 4);
    if (data == NULL) {
        return PIN_ENOMEM;
    }
    size_t used = 0;
    size_t n_digits = 0;
    size_t n_pads = 0;
    uint32_t group = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        if (is_space(text[i])) {
            continue;
        }
        if (text[i] == '=') {
            n_pads++;
            continue;
        }
        int digit = base64_digit(text[i]);
        if (digit < 0 || n_pads > 0) {
            goto malformed;
        }
        group = group << 6 | (uint32_t)digit;
        n_digits++;
        if (n_digits % 4 != 1) { /* each digit but the first of four completes a byte */
            unsigned spare = (unsigned)(6 - 2 * ((n_digits - 1) % 4));
            data[used++] = (uint8_t)(group >> spare);
        }
    }
    if (n_digits % 4 == 1 || (n_pads > 0 && (n_digits + n_pads) % 4 != 0) || n_pads > 2) {
        goto malformed;
    }
    data[used] = 0;
    *ret_data = data;
    *ret_bytes = used;
    return PIN_OK;
malformed:
    free(data);
    return PIN_EPARSE;
}

bool pin_crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}
