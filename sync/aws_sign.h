/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * AWS Signature Version 4 in the Authorization header (AWS4-HMAC-SHA256): who asks, for what, when.
 *
 *     canonical request -> its SHA-256 in the string to sign -> HMAC by a key made of secret, day,
 *     region and service
 *
 * Pure: the time is a parameter. Secrets are wiped from the stack; nothing is logged.
 * Source: "Create a signed AWS API request", AWS Identity and Access Management user guide.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_text;

/** "20150830T123600Z" with its NUL. */
#define PIN_AWS_DATE_BYTES 17
/** Headers of a request, or parameters of a query, that can be signed. */
#define PIN_AWS_PAIRS_MAX 16

/** Who asks. Borrowed. */
struct pin_aws_keys {
    const char *access_key;
    const char *secret_key;
    const char *session_token; /**< NULL: keys that do not expire. */
};

/** A header, or a parameter of a query. Borrowed. */
struct pin_aws_pair {
    const char *name;
    const char *value;
};

/** What is asked. Borrowed. */
struct pin_aws_request {
    const char *method;
    const char *path;  /**< As it goes over the wire. */
    const char *query; /**< From pin_aws_put_query(); "": none. */
    /** "host" and what else is to be signed; the date and the session token come by themselves. */
    const struct pin_aws_pair *headers;
    size_t n_headers;
    const char *body; /**< NULL: none. */
    size_t body_bytes;
    const char *region;
    const char *service;
    bool is_path_final; /**< S3's rule: the path is not escaped once more, nor normalised. */
};

/** Appends the query in the order and escapes that are signed: "a=1&b=x%20y". PIN_ELIMIT. */
enum pin_err pin_aws_put_query(
    struct pin_text *out, const struct pin_aws_pair *pairs, size_t n_pairs, struct pin_why *why);

/**
 * Signs.
 *
 * @param ret_date       For the header X-Amz-Date.
 * @param authorization  Gets the header's value appended; no secret can be read from it.
 * @return PIN_OK, PIN_ELIMIT (too many headers, a name too long) or PIN_ENOMEM.
 */
enum pin_err pin_aws_sign(const struct pin_aws_keys *keys, const struct pin_aws_request *request,
    int64_t wall_ms, char ret_date[PIN_AWS_DATE_BYTES], struct pin_text *authorization,
    struct pin_why *why);
