/* SPDX-License-Identifier: Apache-2.0 */

/* Digests match the published vectors; base64 takes what kubeconfigs hold and refuses the rest. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"

static struct base64_case {
    const char *name;
    const char *text;
    const char *want; /* NULL: refused */
} cases[] = {
    {"nothing is nothing", "", ""},
    {"one byte, two pads", "Zg==", "f"},
    {"two bytes, one pad", "Zm8=", "fo"},
    {"three bytes, no pad", "Zm9v", "foo"},
    {"six bytes", "Zm9vYmFy", "foobar"},
    {"line breaks are skipped", "Zm9v\nYm\r\n Fy\n", "foobar"},
    {"padding may be missing", "Zm8", "fo"},
    {"a lone digit is refused", "Z", NULL},
    {"five digits are refused", "Zm9vY", NULL},
    {"padding at the wrong place is refused", "Zm8=v", NULL},
    {"too much padding is refused", "Zg===", NULL},
    {"padding alone is refused", "====", NULL},
    {"too little padding is refused", "Zg=", NULL},
    {"the URL alphabet is refused", "Zm-_", NULL},
    {"other bytes are refused", "Zm9\xFF", NULL},
};

static void test_base64(void **state)
{
    const struct base64_case *c = *state;
    uint8_t *data = NULL;
    size_t bytes = 99;
    enum pin_err err = pin_base64_decode(c->text, strlen(c->text), &data, &bytes);
    assert_int_equal(err, c->want == NULL ? PIN_EPARSE : PIN_OK);
    if (c->want != NULL) {
        assert_int_equal(bytes, strlen(c->want));
        assert_string_equal((const char *)data, c->want);
    }
    free(data);
}

static void test_base64_round_trip(void **state)
{
    uint8_t data[257];
    char text[PIN_BASE64_BYTES(sizeof(data))];
    (void)state;
    for (size_t i = 0; i < sizeof(data); i++) {
        data[i] = (uint8_t)(i * 7);
    }
    for (size_t n = 0; n <= sizeof(data); n++) {
        uint8_t *back = NULL;
        size_t bytes = 0;
        assert_int_equal(strlen(pin_base64_encode(data, n, text)) + 1, PIN_BASE64_BYTES(n));
        assert_int_equal(pin_base64_decode(text, strlen(text), &back, &bytes), PIN_OK);
        assert_int_equal(bytes, n);
        assert_memory_equal(back, data, n);
        free(back);
    }
}

static void test_digests(void **state)
{
    uint8_t digest[PIN_SHA256_BYTES];
    char hex[2 * PIN_SHA256_BYTES + 1];
    static const char name[] = "demo/c1/HTTPRoute/default/inventory";
    (void)state;
    pin_sha256("abc", 3, digest); /* FIPS 180-4, example of one block */
    assert_string_equal(pin_hex_encode(digest, sizeof(digest), hex),
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    pin_sha256(name, strlen(name), digest);
    assert_memory_equal(pin_hex_encode(digest, sizeof(digest), hex), "1951cbe339d38e1f", 16);
    pin_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28, digest); /* RFC 4231, case 2 */
    assert_string_equal(pin_hex_encode(digest, sizeof(digest), hex),
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    pin_hmac_sha256(NULL, 0, "", 0, digest);
    assert_string_equal(pin_hex_encode(digest, sizeof(digest), hex),
        "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void test_hex_digits(void **state)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    (void)state;
    for (int c = -128; c < 128; c++) {
        const char *at = c != 0 ? strchr(digits, c) : NULL;
        int value = at == NULL ? -1 : (int)(at - digits);
        assert_int_equal(pin_hex_value((char)c), value < 16 ? value : value - 6);
    }
}

/* RFC 4231, cases 2 and 6: a key shorter and one longer than the hash's block. */
static struct hmac_case {
    const char *name;
    enum pin_hash hash;
    size_t key_bytes; /* of 0xaa; 0: "Jefe" */
    const char *want; /* the first half */
} hmac_cases[] = {
    {"HMAC-SHA-224 with a short key", PIN_HASH_SHA224, 0, "a30e01098bc6dbbf45690f3a7e9e"},
    {"HMAC-SHA-256 with a short key", PIN_HASH_SHA256, 0, "5bdcc146bf60754e6a042426089575c7"},
    {"HMAC-SHA-384 with a short key", PIN_HASH_SHA384, 0,
        "af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47"},
    {"HMAC-SHA-512 with a short key", PIN_HASH_SHA512, 0,
        "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"},
    {"HMAC-SHA-256 with a long key", PIN_HASH_SHA256, 131, "60e431591ee0b67f0d8a26aacbf5b77f"},
    {"HMAC-SHA-384 with a long key", PIN_HASH_SHA384, 131,
        "4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f"},
    {"HMAC-SHA-512 with a long key", PIN_HASH_SHA512, 131,
        "80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f352"},
};

static void test_hmac(void **state)
{
    const struct hmac_case *c = *state;
    static const char what[] = "what do ya want for nothing?";
    static const char larger[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    const char *data = c->key_bytes == 0 ? what : larger;
    uint8_t key_data[131];
    uint8_t mac[PIN_HASH_MAX_BYTES];
    char hex[2 * PIN_HASH_MAX_BYTES + 1];
    memset(key_data, 0xaa, sizeof(key_data));
    struct pin_piece key = {.ptr = key_data, .bytes = c->key_bytes};
    if (c->key_bytes == 0) {
        key = (struct pin_piece){.ptr = "Jefe", .bytes = 4};
    }
    for (size_t at = 0; at <= strlen(data); at++) {
        struct pin_piece pieces[] = {
            {data, at}, {NULL, 0}, {data + at, strlen(data) - at}}; /* cut anywhere */
        assert_true(pin_hmac(c->hash, &key, pieces, N_ELEMS(pieces), mac));
        (void)pin_hex_encode(mac, pin_hash_bytes(c->hash), hex);
        assert_int_equal(strlen(hex), 2 * strlen(c->want));
        assert_memory_equal(hex, c->want, strlen(c->want));
    }
}

static void test_equal(void **state)
{
    (void)state;
    assert_true(pin_crypto_equal("abc", "abc", 3));
    assert_false(pin_crypto_equal("abc", "abd", 3));
    assert_true(pin_crypto_equal("abc", "xyz", 0));
}

/* AES-256-GCM: cases 13 and 14 of the paper that GCM comes from (McGrew and Viega). */
static void test_gcm(void **state)
{
    static const uint8_t zeros[PIN_AES_KEY_BYTES];
    uint8_t sealed[16 + PIN_GCM_TAG_BYTES];
    uint8_t plain[16];
    char hex[2 * sizeof(sealed) + 1];
    (void)state;
    assert_true(pin_gcm_seal(zeros, zeros, "", 0, sealed));
    assert_string_equal(
        pin_hex_encode(sealed, PIN_GCM_TAG_BYTES, hex), "530f8afbc74536b9a963b4f1c4cb738b");
    assert_true(pin_gcm_seal(zeros, zeros, zeros, 16, sealed));
    assert_string_equal(pin_hex_encode(sealed, sizeof(sealed), hex),
        "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
    assert_true(pin_gcm_open(zeros, zeros, sealed, sizeof(sealed), plain));
    assert_memory_equal(plain, zeros, sizeof(plain));
    assert_false(pin_gcm_open(zeros, zeros, sealed, PIN_GCM_TAG_BYTES - 1, plain));
    for (size_t i = 0; i < sizeof(sealed); i++) {
        sealed[i] ^= 1;
        assert_false(pin_gcm_open(zeros, zeros, sealed, sizeof(sealed), plain));
        sealed[i] ^= 1;
    }
}

/* Of "openssl req -x509", valid until 2036-11-18T17:28:01Z. */
static const char certificate[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBeDCCAR2gAwIBAgIUN53hHU5TGFys7swBMqJ8Ib7SeX8wCgYIKoZIzj0EAwIw\n"
    "ETEPMA0GA1UEAwwGcGludGxlMB4XDTI2MTEyMTE3MjgwMVoXDTM2MTExODE3Mjgw\n"
    "MVowETEPMA0GA1UEAwwGcGludGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
    "1zEmj53/ixfmPiqHET4HLhbLerHOuQ57UE7hglY7NP4UprQUQBEE3XnyVIOHOd7/\n"
    "jM5DI72ZbARjcjf5vZk8HKNTMFEwHQYDVR0OBBYEFMot6+yMxgIvhbLWl+0dNLlX\n"
    "c6AZMB8GA1UdIwQYMBaAFMot6+yMxgIvhbLWl+0dNLlXc6AZMA8GA1UdEwEB/wQF\n"
    "MAMBAf8wCgYIKoZIzj0EAwIDSQAwRgIhAJUdO7VU9Th95Z7btjSquQ7rrewuwtRu\n"
    "zIwUGv/Zpn5XAiEA7wZbEXZ27E8bov3X69lqzafh4XYG3XTKsK7tspNH5Mo=\n"
    "-----END CERTIFICATE-----\n";

static void test_the_end_of_a_certificate(void **state)
{
    int64_t end_ms = 0;
    char behind[sizeof(certificate) + 8];
    (void)state;
    (void)snprintf(behind, sizeof(behind), "key\n%s", certificate);
    assert_true(pin_certificate_expiry(certificate, strlen(certificate), &end_ms));
    assert_int_equal(end_ms, 2110642081000);
    end_ms = 0;
    assert_true(pin_certificate_expiry(behind, strlen(behind), &end_ms));
    assert_int_equal(end_ms, 2110642081000);
}

static void test_what_is_no_certificate_has_no_end(void **state)
{
    int64_t end_ms = 7;
    (void)state;
    assert_false(pin_certificate_expiry(NULL, 0, &end_ms));
    assert_false(pin_certificate_expiry("-----BEGIN CERTIFICATE-----\n", 28, &end_ms));
    for (size_t cut = 0; cut < strlen(certificate) - 27; cut += 7) {
        assert_false(pin_certificate_expiry(certificate, cut, &end_ms));
    }
    assert_int_equal(end_ms, 7);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + N_ELEMS(hmac_cases) + 7] = {
        cmocka_unit_test(test_base64_round_trip),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_hex_digits),
        cmocka_unit_test(test_equal),
        cmocka_unit_test(test_gcm),
        cmocka_unit_test(test_the_end_of_a_certificate),
        cmocka_unit_test(test_what_is_no_certificate_has_no_end),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[7 + i] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_base64, .initial_state = &cases[i]};
    }
    for (size_t i = 0; i < N_ELEMS(hmac_cases); i++) {
        tests[7 + N_ELEMS(cases) + i] = (struct CMUnitTest){
            .name = hmac_cases[i].name, .test_func = test_hmac, .initial_state = &hmac_cases[i]};
    }
    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
