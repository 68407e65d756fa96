/* SPDX-License-Identifier: Apache-2.0 */

/* Digests and certificates through OpenSSL; base64 and hex by hand. */

#include "pintle/base/crypto.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

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

/* --- HMAC over pieces ----------------------------------------------------------------------- */

/* Longest block of these hashes: SHA-384's and SHA-512's. */
#define BLOCK_MAX_BYTES 128u
#define INNER_PAD       0x36u
#define OUTER_PAD       0x5Cu

static const EVP_MD *digest_of(enum pin_hash hash)
{
    switch (hash) {
    case PIN_HASH_SHA224:
        return EVP_sha224();
    case PIN_HASH_SHA384:
        return EVP_sha384();
    case PIN_HASH_SHA512:
        return EVP_sha512();
    default:
        return EVP_sha256();
    }
}

size_t pin_hash_bytes(enum pin_hash hash)
{
    return (size_t)EVP_MD_size(digest_of(hash));
}

/* Hashes a padded key and what follows it. */
static bool hash_behind(EVP_MD_CTX *context, const EVP_MD *digest, const uint8_t *pad,
    const struct pin_piece *pieces, size_t n_pieces, uint8_t *ret_mac)
{
    bool is_ok = EVP_DigestInit_ex(context, digest, NULL) == 1
                 && EVP_DigestUpdate(context, pad, (size_t)EVP_MD_block_size(digest)) == 1;
    for (size_t i = 0; is_ok && i < n_pieces; i++) {
        is_ok = EVP_DigestUpdate(context, pieces[i].ptr, pieces[i].bytes) == 1;
    }
    return is_ok && EVP_DigestFinal_ex(context, ret_mac, NULL) == 1;
}

bool pin_hmac(enum pin_hash hash, const struct pin_piece *key, const struct pin_piece *pieces,
    size_t n_pieces, uint8_t ret_mac[PIN_HASH_MAX_BYTES])
{
    const EVP_MD *digest = digest_of(hash);
    size_t block_bytes = (size_t)EVP_MD_block_size(digest);
    uint8_t block[BLOCK_MAX_BYTES] = {0};
    uint8_t pads[2][BLOCK_MAX_BYTES];
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool is_ok = context != NULL;
    if (is_ok && key->bytes > block_bytes) {
        is_ok = EVP_Digest(key->ptr, key->bytes, block, NULL, digest, NULL) == 1;
    } else if (key->bytes > 0 && key->bytes <= block_bytes) {
        memcpy(block, key->ptr, key->bytes);
    }
    for (size_t i = 0; i < block_bytes; i++) {
        pads[0][i] = block[i] ^ INNER_PAD;
        pads[1][i] = block[i] ^ OUTER_PAD;
    }
    struct pin_piece inner = {.ptr = ret_mac, .bytes = pin_hash_bytes(hash)};
    is_ok = is_ok && hash_behind(context, digest, pads[0], pieces, n_pieces, ret_mac)
            && hash_behind(context, digest, pads[1], &inner, 1, ret_mac);
    EVP_MD_CTX_free(context);
    OPENSSL_cleanse(block, sizeof(block));
    OPENSSL_cleanse(pads, sizeof(pads));
    return is_ok;
}

/* --- AES-256-GCM ---------------------------------------------------------------------------- */

bool pin_gcm_seal(const uint8_t key[PIN_AES_KEY_BYTES], const uint8_t nonce[PIN_GCM_NONCE_BYTES],
    const void *data, size_t bytes, uint8_t *ret_sealed)
{
    EVP_CIPHER_CTX *context = bytes > INT32_MAX ? NULL : EVP_CIPHER_CTX_new();
    int used = 0;
    int last = 0;
    bool is_ok =
        context != NULL && EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1
        && EVP_EncryptUpdate(context, ret_sealed, &used, data, (int)bytes) == 1
        && EVP_EncryptFinal_ex(context, ret_sealed + used, &last) == 1
        && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, PIN_GCM_TAG_BYTES, ret_sealed + bytes)
               == 1;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return is_ok;
}

bool pin_gcm_open(const uint8_t key[PIN_AES_KEY_BYTES], const uint8_t nonce[PIN_GCM_NONCE_BYTES],
    const void *sealed, size_t bytes, uint8_t *ret_data)
{
    if (bytes < PIN_GCM_TAG_BYTES || bytes > INT32_MAX) {
        return false;
    }
    const uint8_t *at = sealed;
    uint8_t tag[PIN_GCM_TAG_BYTES]; /* a copy: OpenSSL takes no const */
    size_t data_bytes = bytes - PIN_GCM_TAG_BYTES;
    memcpy(tag, at + data_bytes, sizeof(tag));
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int used = 0;
    int last = 0;
    bool is_ok = context != NULL
                 && EVP_DecryptInit_ex(context, EVP_aes_256_gcm(), NULL, key, nonce) == 1
                 && EVP_DecryptUpdate(context, ret_data, &used, at, (int)data_bytes) == 1
                 && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, sizeof(tag), tag) == 1
                 && EVP_DecryptFinal_ex(context, ret_data + used, &last) == 1;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    return is_ok;
}

void pin_crypto_wipe(void *data, size_t bytes)
{
    OPENSSL_cleanse(data, bytes);
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

int pin_hex_value(char digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    char lower = (char)(digit | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
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

/* --- Certificates --------------------------------------------------------------------------- */

bool pin_certificate_expiry(const void *pem, size_t bytes, int64_t *ret_wall_ms)
{
    BIO *bio = bytes > INT32_MAX ? NULL : BIO_new_mem_buf(pem, (int)bytes); /* borrows the text */
    X509 *certificate = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    struct tm end = {0};
    bool is_ok = certificate != NULL && ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) == 1;
    if (is_ok) {
        *ret_wall_ms = (int64_t)timegm(&end) * 1000;
    }
    X509_free(certificate);
    (void)BIO_free(bio);
    ERR_clear_error(); /* nobody else is to find what was wrong with this text */
    return is_ok;
}
