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
#define PIN_HTTPS_OK              200u
#define PIN_HTTPS_BAD_REQUEST     400u
#define PIN_HTTPS_NOT_FOUND       404u
#define PIN_HTTPS_BAD_METHOD      405u
#define PIN_HTTPS_NO_LENGTH       411u
#define PIN_HTTPS_BODY_TOO_LONG   413u
#define PIN_HTTPS_TARGET_TOO_LONG 414u
#define PIN_HTTPS_BAD_TYPE        415u
#define PIN_HTTPS_HEADER_TOO_LONG 431u
#define PIN_HTTPS_BROKEN          500u
#define PIN_HTTPS_BAD_VERSION     505u

/** The content type of questions and answers. */
#define PIN_HTTPS_TYPE "application/dns-message"
/** What a 405 allows. */
#define PIN_HTTPS_METHODS "GET, HEAD, POST"

/** Longest question in a GET; longer ones can be POSTed. */
#define PIN_HTTPS_GET_MAX_BYTES 4096u
/** Longest request target, path and query: a longest question and as much besides. */
#define PIN_HTTPS_TARGET_MAX_BYTES 8192u
/** Most bytes of all header fields of one request. */
#define PIN_HTTPS_HEADERS_MAX_BYTES 16384u

/** Longest text of pin_https_put_number(), and of a max-age. */
#define PIN_HTTPS_NUMBER_BYTES 10u
/** What stands before the number in `cache-control`. */
#define PIN_HTTPS_MAX_AGE "max-age="

/** Methods that are told apart. */
enum pin_https_method {
    PIN_HTTPS_OTHER,
    PIN_HTTPS_GET,
    PIN_HTTPS_HEAD,
    PIN_HTTPS_POST,
};

/** What counts of a request's head. Zeroed, then filled by the functions below. */
struct pin_https_head {
    const char *dns; /**< Value of the parameter `dns`; NULL: none. Borrowed from the target. */
    uint32_t dns_bytes;
    enum pin_https_method method;
    bool is_path_ours;
    bool is_type_ours;
    bool is_target_too_long;
    bool is_dns_doubtful; /**< There are several. */
};

/** Letters are compared as they are: methods are case-sensitive. */
enum pin_https_method pin_https_method_parse(const void *text, size_t bytes);

/** Compares ASCII text without regard to case; `lower` in lower case. */
bool pin_https_text_is(const void *text, size_t bytes, const char *lower);

/** True for the content type of DNS messages, whatever parameters follow. */
bool pin_https_type_is_ours(const void *text, size_t bytes);

/** Reads path and query of a target into `head`; `target` must live as long as head->dns. */
void pin_https_read_target(
    struct pin_https_head *head, const char *path, const char *target, size_t bytes);

/**
 * Makes the question out of a whole request.
 *
 * @param body       Of a POST; ignored for others.
 * @param packet     Gets the message; wire has room for PIN_STREAM_MAX_BYTES.
 * @return PIN_HTTPS_OK, or the status to refuse with; then nothing may be taken from `packet`.
 */
unsigned pin_https_read_question(const struct pin_https_head *head, const uint8_t *body,
    size_t body_bytes, struct pin_packet *packet);

/**
 * How long an answer may be kept: the smallest TTL of its answer section, and for a denial, with or
 * without aliases before it, what its SOA allows (RFC 2308, section 5). 0 for other RCODEs than
 * NOERROR and NXDOMAIN and for anything malformed. Linear in `bytes`. RFC 8484, section 5.1.
 */
uint32_t pin_https_max_age_s(const uint8_t *wire, size_t bytes);

/** Writes a decimal number, without NUL, into PIN_HTTPS_NUMBER_BYTES. @return its length. */
size_t pin_https_put_number(char *out, uint32_t number);
