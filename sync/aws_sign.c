/* SPDX-License-Identifier: Apache-2.0 */

/* The canonical request, the string to sign, the key of the day: three texts and five HMACs. */

#include "aws_sign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pintle/base/clock.h"
#include "pintle/base/compare.h"
#include "pintle/base/crypto.h"
#include "pintle/base/text.h"

#define ALGORITHM        "AWS4-HMAC-SHA256"
#define HEX_BYTES        (2 * PIN_SHA256_BYTES + 1)
#define DAY_CHARS        8
#define SECRET_BYTES_MAX 256

/* --- Escapes -------------------------------------------------------------------------------- */

static bool is_unreserved(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z')
           || (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_'
           || byte == '~';
}

static void put_escaped(struct pin_text *out, const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char byte = (unsigned char)text[i];
        if (is_unreserved(byte)) {
            pin_text_putc(out, text[i]);
        } else {
            pin_text_putf(out, "%%%02X", byte);
        }
    }
}

/* Removes the last segment. */
static void go_up(struct pin_text *out, size_t start)
{
    size_t len = out->len;
    while (len > start && out->ptr[len - 1] != '/') {
        len--;
    }
    pin_text_cut(out, len > start ? len - 1 : start);
}

/* The path without empty, "." and ".." segments, each segment escaped (once more). */
static void put_path(struct pin_text *out, const char *path)
{
    size_t start = out->len;
    size_t bytes = 0;
    for (const char *at = path; *at != '\0'; at += bytes) {
        at += strspn(at, "/");
        bytes = strcspn(at, "/");
        if (bytes == 2 && memcmp(at, "..", 2) == 0) {
            go_up(out, start);
        } else if (bytes > 0 && !(bytes == 1 && *at == '.')) {
            pin_text_putc(out, '/');
            put_escaped(out, at, bytes);
        }
    }
    size_t len = strlen(path);
    if (out->len == start || (len > 0 && path[len - 1] == '/')) {
        pin_text_putc(out, '/');
    }
}

/* --- The query ------------------------------------------------------------------------------ */

/*
 * "name=value" sorted as texts is not quite sorted by name: '=' stands behind '-', '.' and the
 * digits. A byte below all of them stands in for it meanwhile.
 */
static char *make_pair(const struct pin_aws_pair *pair)
{
    struct pin_text text = {0};
    put_escaped(&text, pair->name, strlen(pair->name));
    pin_text_putc(&text, '\x01');
    put_escaped(&text, pair->value, strlen(pair->value));
    return pin_text_take(&text);
}

enum pin_err pin_aws_put_query(
    struct pin_text *out, const struct pin_aws_pair *pairs, size_t n_pairs, struct pin_why *why)
{
    char *texts[PIN_AWS_PAIRS_MAX] = {0};
    enum pin_err err = PIN_OK;
    if (n_pairs > PIN_AWS_PAIRS_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "a query of %zu parameters", n_pairs);
    }
    for (size_t i = 0; i < n_pairs && err == PIN_OK; i++) {
        texts[i] = make_pair(&pairs[i]);
        err = texts[i] == NULL ? pin_why_set(why, PIN_ENOMEM, "a query") : PIN_OK;
    }
    if (err == PIN_OK && n_pairs > 1) {
        qsort(texts, n_pairs, sizeof(texts[0]), pin_compare_texts);
    }
    for (size_t i = 0; i < n_pairs && err == PIN_OK && texts[i] != NULL; i++) {
        size_t name_bytes = strcspn(texts[i], "\x01");
        pin_text_puts(out, i == 0 ? "" : "&");
        pin_text_putn(out, texts[i], name_bytes);
        pin_text_putf(out, "=%s", texts[i] + name_bytes + 1);
    }
    for (size_t i = 0; i < n_pairs; i++) {
        free(texts[i]);
    }
    return err == PIN_OK && out->failed ? pin_why_set(why, PIN_ENOMEM, "a query") : err;
}

/* --- The headers ---------------------------------------------------------------------------- */

static void put_lower(struct pin_text *out, const char *name)
{
    for (; *name != '\0'; name++) {
        pin_text_putc(out, (char)(*name >= 'A' && *name <= 'Z' ? *name + ('a' - 'A') : *name));
    }
}

/* Without blanks around it, and one where there were several. */
static void put_trimmed(struct pin_text *out, const char *value)
{
    size_t bytes = 0;
    bool is_first = true;
    for (const char *at = value + strspn(value, " \t"); *at != '\0'; at += strspn(at, " \t")) {
        bytes = strcspn(at, " \t");
        if (!is_first) {
            pin_text_putc(out, ' ');
        }
        is_first = false;
        pin_text_putn(out, at, bytes);
        at += bytes;
    }
}

/* By name; those of one name stay in the order they came in: a sort of at most 18. */
static void sort_headers(struct pin_aws_pair *headers, size_t n_headers)
{
    for (size_t i = 1; i < n_headers; i++) {
        struct pin_aws_pair moved = headers[i];
        size_t k = i;
        for (; k > 0 && strcasecmp(headers[k - 1].name, moved.name) > 0; k--) {
            headers[k] = headers[k - 1];
        }
        headers[k] = moved;
    }
}

/* The headers and, into `names`, their list "host;x-amz-date". Both sorted already. */
static void put_headers(struct pin_text *out, struct pin_text *names,
    const struct pin_aws_pair *headers, size_t n_headers)
{
    for (size_t i = 0; i < n_headers; i++) {
        bool is_again = i > 0 && strcasecmp(headers[i].name, headers[i - 1].name) == 0;
        if (is_again) {
            pin_text_putc(out, ',');
        } else {
            pin_text_puts(out, i == 0 ? "" : "\n");
            put_lower(out, headers[i].name);
            pin_text_putc(out, ':');
            pin_text_puts(names, i == 0 ? "" : ";");
            put_lower(names, headers[i].name);
        }
        put_trimmed(out, headers[i].value);
    }
    pin_text_puts(out, "\n\n");
}

/* --- The signature -------------------------------------------------------------------------- */

static void hash_hex(const char *data, size_t bytes, char ret_hex[HEX_BYTES])
{
    uint8_t digest[PIN_SHA256_BYTES];
    pin_sha256(bytes == 0 ? "" : data, bytes, digest);
    (void)pin_hex_encode(digest, sizeof(digest), ret_hex);
}

/* The canonical request; the list of its headers goes into `names`. */
static void put_canonical(struct pin_text *out, struct pin_text *names,
    const struct pin_aws_request *request, const struct pin_aws_pair *headers, size_t n_headers)
{
    char hex[HEX_BYTES];
    pin_text_putf(out, "%s\n", request->method);
    if (request->is_path_final) {
        pin_text_puts(out, request->path);
    } else {
        put_path(out, request->path);
    }
    pin_text_putf(out, "\n%s\n", request->query);
    put_headers(out, names, headers, n_headers);
    hash_hex(request->body, request->body_bytes, hex);
    pin_text_putf(out, "%s\n%s", pin_text_get(names), hex);
}

static void step_key(uint8_t key[PIN_SHA256_BYTES], const char *data, size_t bytes)
{
    uint8_t next[PIN_SHA256_BYTES];
    pin_hmac_sha256(key, PIN_SHA256_BYTES, data, bytes, next);
    memcpy(key, next, sizeof(next));
    pin_crypto_wipe(next, sizeof(next));
}

/* Into `hex`. False: the secret is too long. */
static bool sign_text(const struct pin_aws_keys *keys, const struct pin_aws_request *request,
    const char *day, const struct pin_text *text, char hex[HEX_BYTES])
{
    char secret[SECRET_BYTES_MAX];
    uint8_t key[PIN_SHA256_BYTES];
    int bytes = snprintf(secret, sizeof(secret), "AWS4%s", keys->secret_key);
    bool is_ok = bytes > 0 && (size_t)bytes < sizeof(secret);
    if (is_ok) {
        pin_hmac_sha256(secret, (size_t)bytes, day, DAY_CHARS, key);
        step_key(key, request->region, strlen(request->region));
        step_key(key, request->service, strlen(request->service));
        step_key(key, "aws4_request", strlen("aws4_request"));
        step_key(key, pin_text_get(text), text->len);
        (void)pin_hex_encode(key, sizeof(key), hex);
    }
    pin_crypto_wipe(secret, sizeof(secret));
    pin_crypto_wipe(key, sizeof(key));
    return is_ok;
}

/* 2015-08-30T12:36:00.000Z without what separates, and without fractions. */
static void format_date(int64_t wall_ms, char ret_date[PIN_AWS_DATE_BYTES])
{
    char text[PIN_CLOCK_TEXT_MAX];
    size_t used = 0;
    pin_clock_format(wall_ms, text);
    for (const char *at = text; *at != '\0' && *at != '.' && used < PIN_AWS_DATE_BYTES - 2; at++) {
        if (*at != '-' && *at != ':') {
            ret_date[used++] = *at;
        }
    }
    ret_date[used++] = 'Z';
    ret_date[used] = '\0';
}

enum pin_err pin_aws_sign(const struct pin_aws_keys *keys, const struct pin_aws_request *request,
    int64_t wall_ms, char ret_date[PIN_AWS_DATE_BYTES], struct pin_text *authorization,
    struct pin_why *why)
{
    struct pin_aws_pair headers[PIN_AWS_PAIRS_MAX + 2];
    size_t n_headers = request->n_headers;
    struct pin_text canonical = {0};
    struct pin_text names = {0};
    struct pin_text to_sign = {0};
    struct pin_text scope = {0};
    char hex[HEX_BYTES];
    enum pin_err err = PIN_OK;
    if (n_headers > PIN_AWS_PAIRS_MAX) {
        return pin_why_set(why, PIN_ELIMIT, "%zu headers to sign", n_headers);
    }
    format_date(wall_ms, ret_date);
    memcpy(headers, request->headers, n_headers * sizeof(headers[0]));
    headers[n_headers++] = (struct pin_aws_pair){"x-amz-date", ret_date};
    if (keys->session_token != NULL) {
        headers[n_headers++] = (struct pin_aws_pair){"x-amz-security-token", keys->session_token};
    }
    sort_headers(headers, n_headers);
    put_canonical(&canonical, &names, request, headers, n_headers);
    hash_hex(pin_text_get(&canonical), canonical.len, hex);
    pin_text_putf(
        &scope, "%.*s/%s/%s/aws4_request", DAY_CHARS, ret_date, request->region, request->service);
    pin_text_putf(&to_sign, ALGORITHM "\n%s\n%s\n%s", ret_date, pin_text_get(&scope), hex);
    if (canonical.failed || names.failed || to_sign.failed || scope.failed) {
        err = pin_why_set(why, PIN_ENOMEM, "a signature");
    } else if (!sign_text(keys, request, ret_date, &to_sign, hex)) {
        err = pin_why_set(why, PIN_ELIMIT, "the secret key is too long");
    } else {
        pin_text_putf(authorization, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s",
            keys->access_key, pin_text_get(&scope), pin_text_get(&names), hex);
        err = authorization->failed ? pin_why_set(why, PIN_ENOMEM, "a signature") : PIN_OK;
    }
    if (canonical.ptr != NULL) {
        pin_crypto_wipe(canonical.ptr, canonical.cap); /* a session token stands in it */
    }
    pin_text_done(&canonical);
    pin_text_done(&names);
    pin_text_done(&to_sign);
    pin_text_done(&scope);
    return err;
}
