/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * HTTP rules: which request is a question, and what its response says (RFC 8484). The same for all
 * versions of HTTP; pure functions.
 *
 *     404 another path    405 another method           411 a POST without its length (HTTP/1.1)
 *     414, 413 too long   415 another content type     400 anything else that is no DNS message
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "response.h"

/** Status codes in use (RFC 9110, section 15; RFC 6585). */
#define PIN_HTTP_OK              200u
#define PIN_HTTP_BAD_REQUEST     400u
#define PIN_HTTP_NOT_FOUND       404u
#define PIN_HTTP_BAD_METHOD      405u
#define PIN_HTTP_NO_LENGTH       411u
#define PIN_HTTP_BODY_TOO_LONG   413u
#define PIN_HTTP_TARGET_TOO_LONG 414u
#define PIN_HTTP_BAD_TYPE        415u
#define PIN_HTTP_HEADER_TOO_LONG 431u
#define PIN_HTTP_BROKEN          500u
#define PIN_HTTP_BAD_VERSION     505u

/** The content type of questions and answers. */
#define PIN_HTTP_TYPE "application/dns-message"
/** What a 405 allows. */
#define PIN_HTTP_METHODS "GET, HEAD, POST"

/** Longest question in a GET; longer ones can be POSTed. */
#define PIN_HTTP_GET_MAX_BYTES 4096u
/** Longest request target, path and query: a longest question and as much besides. */
#define PIN_HTTP_TARGET_MAX_BYTES 8192u
/** Most bytes of all header fields of one request. */
#define PIN_HTTP_HEADERS_MAX_BYTES 16384u

/** Longest text of pin_http_put_number(), and of a max-age. */
#define PIN_HTTP_NUMBER_BYTES 10u
/** What stands before the number in `cache-control`. */
#define PIN_HTTP_MAX_AGE "max-age="

/** Methods that are told apart. */
enum pin_http_method {
    PIN_HTTP_OTHER,
    PIN_HTTP_GET,
    PIN_HTTP_HEAD,
    PIN_HTTP_POST,
};

/** What counts of a request's head. Zeroed, then filled by the functions below. */
struct pin_http_head {
    const char *dns; /**< Value of the parameter `dns`; NULL: none. Borrowed from the target. */
    uint32_t dns_bytes;
    enum pin_http_method method;
    bool is_path_ours;
    bool is_type_ours;
    bool is_target_too_long;
    bool is_dns_doubtful; /**< There are several. */
};

/** Letters are compared as they are: methods are case-sensitive. */
enum pin_http_method pin_http_method_parse(const void *text, size_t bytes);

/** Compares ASCII text without regard to case; `lower` in lower case. */
bool pin_http_text_is(const void *text, size_t bytes, const char *lower);

/** True for the content type of DNS messages, whatever parameters follow. */
bool pin_http_type_is_ours(const void *text, size_t bytes);

/** Reads path and query of a target into `head`; `target` must live as long as head->dns. */
void pin_http_read_target(
    struct pin_http_head *head, const char *path, const char *target, size_t bytes);

/**
 * Makes the question out of a whole request.
 *
 * @param body       Of a POST; ignored for others.
 * @param packet     Gets the message; wire has room for PIN_STREAM_MAX_BYTES.
 * @return PIN_HTTP_OK, or the status to refuse with; then nothing may be taken from `packet`.
 */
unsigned pin_http_read_question(const struct pin_http_head *head, const uint8_t *body,
    size_t body_bytes, struct pin_packet *packet);

/**
 * How long an answer may be kept: the smallest TTL of its answer section, and for a denial, with or
 * without aliases before it, what its SOA allows (RFC 2308, section 5). 0 for other RCODEs than
 * NOERROR and NXDOMAIN and for anything malformed. Linear in `bytes`. RFC 8484, section 5.1.
 */
uint32_t pin_http_max_age_s(const uint8_t *wire, size_t bytes);

/** Writes a decimal number, without NUL, into PIN_HTTP_NUMBER_BYTES. @return its length. */
size_t pin_http_put_number(char *out, uint32_t number);
