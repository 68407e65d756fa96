/* SPDX-License-Identifier: Apache-2.0 */

/* Which request is a question (RFC 8484, section 4.1), and for how long its answer may be kept. */

#include "https_rules.h"

#include <string.h>

#include "pintle/base/buf.h"
#include "pintle/base/macros.h"

#define TYPE_SOA 6u

#define BASE64_BITS 6u
#define BYTE_BITS   8u
/* Letters for four groups of six bits make three bytes. */
#define BASE64_LETTERS 4u
#define BASE64_BYTES   3u

#define LABEL_TYPE_BITS   0xc0u
#define TYPE_AND_CLASS    4u
#define SOA_NUMBERS_BYTES 20u
#define SOA_MINIMUM_AT    16u
#define TTL_NEGATIVE      0x80000000u
#define RCODE_BITS        0x000fu
#define DECIMAL           10u

/* --- request ------------------------------------------------------------------------------ */

enum pin_https_method pin_https_method_parse(const void *text, size_t bytes)
{
    if (bytes == 3 && memcmp(text, "GET", 3) == 0) {
        return PIN_HTTPS_GET;
    }
    if (bytes == 4 && memcmp(text, "POST", 4) == 0) {
        return PIN_HTTPS_POST;
    }
    return bytes == 4 && memcmp(text, "HEAD", 4) == 0 ? PIN_HTTPS_HEAD : PIN_HTTPS_OTHER;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool pin_https_text_is(const void *text, size_t bytes, const char *lower_text)
{
    const uint8_t *at = text;
    if (strlen(lower_text) != bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (lower(at[i]) != (uint8_t)lower_text[i]) {
            return false;
        }
    }
    return true;
}

bool pin_https_type_is_ours(const void *text, size_t bytes)
{
    const char *end = bytes > 0 ? memchr(text, ';', bytes) : NULL;
    size_t type_bytes = end == NULL ? bytes : (size_t)(end - (const char *)text);
    while (type_bytes > 0 && ((const char *)text)[type_bytes - 1] == ' ') {
        type_bytes--;
    }
    return pin_https_text_is(text, type_bytes, PIN_HTTPS_TYPE);
}

/* Reads `name=value` pairs; only one is looked for. */
static void read_parameters(struct pin_https_head *head, const char *query, size_t bytes)
{
    static const char name[] = "dns=";
    const char *end = query + bytes;
    while (query < end) {
        const char *next = memchr(query, '&', (size_t)(end - query));
        const char *stop = next == NULL ? end : next;
        size_t pair_bytes = (size_t)(stop - query);
        if (pair_bytes >= sizeof(name) - 1 && memcmp(query, name, sizeof(name) - 1) == 0) {
            head->is_dns_doubtful = head->dns != NULL;
            head->dns = query + sizeof(name) - 1;
            head->dns_bytes = (uint32_t)(pair_bytes - (sizeof(name) - 1));
        }
        if (next == NULL || head->is_dns_doubtful) {
            return;
        }
        query = next + 1;
    }
}

void pin_https_read_target(
    struct pin_https_head *head, const char *path, const char *target, size_t bytes)
{
    size_t path_bytes = strlen(path);
    head->is_target_too_long = bytes > PIN_HTTPS_TARGET_MAX_BYTES;
    head->is_path_ours = bytes >= path_bytes && memcmp(target, path, path_bytes) == 0
                         && (bytes == path_bytes || target[path_bytes] == '?');
    if (head->is_path_ours && !head->is_target_too_long && bytes > path_bytes + 1) {
        read_parameters(head, target + path_bytes + 1, bytes - path_bytes - 1);
    }
}

/* --- base64url (RFC 4648, section 5) ------------------------------------------------------ */

#define NO_DIGIT UINT8_MAX

/* 0 to 63, or NO_DIGIT. */
static uint8_t digit(char c)
{
    if (c >= 'A' && c <= 'Z') {
        return (uint8_t)(c - 'A');
    }
    if (c >= 'a' && c <= 'z') {
        return (uint8_t)(c - 'a' + 26);
    }
    if (c >= '0' && c <= '9') {
        return (uint8_t)(c - '0' + 52);
    }
    return c == '-' ? 62 : c == '_' ? 63 : NO_DIGIT;
}

/* Decodes into `out`, which has room. Padding, white space, a lone letter and bits that belong to
 * no byte are faults: one question has one text. False on any. */
static bool decode(const char *text, size_t text_bytes, uint8_t *out, size_t *ret_bytes)
{
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t used = 0;
    for (size_t i = 0; i < text_bytes; i++) {
        uint8_t value = digit(text[i]);
        if (value == NO_DIGIT) {
            return false;
        }
        bits = bits << BASE64_BITS | value;
        n_bits += BASE64_BITS;
        if (n_bits >= BYTE_BITS) {
            n_bits -= BYTE_BITS;
            out[used++] = (uint8_t)(bits >> n_bits);
            bits &= (UINT32_C(1) << n_bits) - 1;
        }
    }
    *ret_bytes = used;
    return text_bytes % BASE64_LETTERS != 1 && bits == 0;
}

/* --- the question ------------------------------------------------------------------------- */

static unsigned read_get(const struct pin_https_head *head, struct pin_packet *packet)
{
    if (head->dns == NULL || head->is_dns_doubtful) {
        return PIN_HTTPS_BAD_REQUEST;
    }
    /* Before a byte of it is decoded. */
    if (head->dns_bytes > (PIN_HTTPS_GET_MAX_BYTES * BASE64_LETTERS + 2) / BASE64_BYTES) {
        return PIN_HTTPS_TARGET_TOO_LONG;
    }
    return decode(head->dns, head->dns_bytes, packet->wire, &packet->bytes) ? PIN_HTTPS_OK
                                                                            : PIN_HTTPS_BAD_REQUEST;
}

static unsigned read_post(const struct pin_https_head *head, const uint8_t *body, size_t body_bytes,
    struct pin_packet *packet)
{
    if (!head->is_type_ours) {
        return PIN_HTTPS_BAD_TYPE;
    }
    if (body_bytes > PIN_STREAM_MAX_BYTES) {
        return PIN_HTTPS_BODY_TOO_LONG;
    }
    packet->bytes = body_bytes;
    if (body_bytes > 0) {
        memcpy(packet->wire, body, body_bytes);
    }
    return PIN_HTTPS_OK;
}

unsigned pin_https_read_question(const struct pin_https_head *head, const uint8_t *body,
    size_t body_bytes, struct pin_packet *packet)
{
    if (head->is_target_too_long) {
        return PIN_HTTPS_TARGET_TOO_LONG;
    }
    if (!head->is_path_ours) {
        return PIN_HTTPS_NOT_FOUND;
    }
    if (head->method == PIN_HTTPS_OTHER) {
        return PIN_HTTPS_BAD_METHOD;
    }
    packet->cap_bytes = PIN_STREAM_MAX_BYTES;
    unsigned status = head->method == PIN_HTTPS_POST ? read_post(head, body, body_bytes, packet)
                                                     : read_get(head, packet);
    return status == PIN_HTTPS_OK && packet->bytes < PIN_HEADER_BYTES ? PIN_HTTPS_BAD_REQUEST
                                                                      : status;
}

/* --- the answer's age --------------------------------------------------------------------- */

static void skip_name(struct pin_reader *reader)
{
    uint8_t label_bytes = pin_reader_get_u8(reader);
    while (label_bytes != 0 && (label_bytes & LABEL_TYPE_BITS) == 0) {
        (void)pin_reader_get_bytes(reader, label_bytes);
        label_bytes = pin_reader_get_u8(reader);
    }
    if (label_bytes != 0) {
        (void)pin_reader_get_u8(reader); /* the rest of a pointer; other types do not come */
    }
}

/* Reads one RR. Returns its TTL, for an SOA in the authority section that of a denial. */
static uint32_t read_ttl(struct pin_reader *reader, bool is_authority, bool *ret_is_soa)
{
    skip_name(reader);
    uint16_t type = pin_reader_get_u16(reader);
    (void)pin_reader_get_u16(reader);
    uint32_t ttl_s = pin_reader_get_u32(reader);
    uint16_t rdata_bytes = pin_reader_get_u16(reader);
    const uint8_t *rdata = pin_reader_get_bytes(reader, rdata_bytes);
    *ret_is_soa = is_authority && type == TYPE_SOA;
    if (rdata != NULL && *ret_is_soa && rdata_bytes > SOA_NUMBERS_BYTES) {
        struct pin_reader numbers =
            pin_reader_init(rdata + rdata_bytes - SOA_NUMBERS_BYTES, SOA_NUMBERS_BYTES);
        (void)pin_reader_get_bytes(&numbers, SOA_MINIMUM_AT);
        uint32_t minimum_s = pin_reader_get_u32(&numbers);
        ttl_s = PIN_MIN(ttl_s, minimum_s);
    }
    return (ttl_s & TTL_NEGATIVE) != 0 ? 0 : ttl_s; /* RFC 2181, section 8 */
}

uint32_t pin_https_max_age_s(const uint8_t *wire, size_t bytes)
{
    struct pin_reader reader = pin_reader_init(wire, bytes);
    (void)pin_reader_get_u16(&reader);
    unsigned rcode = pin_reader_get_u16(&reader) & RCODE_BITS;
    uint16_t n_question = pin_reader_get_u16(&reader);
    uint16_t n_answer = pin_reader_get_u16(&reader);
    uint16_t n_authority = pin_reader_get_u16(&reader);
    (void)pin_reader_get_u16(&reader);
    if (rcode != PIN_RCODE_NOERROR && rcode != PIN_RCODE_NXDOMAIN) {
        return 0;
    }
    for (uint16_t i = 0; i < n_question && pin_reader_is_ok(&reader); i++) {
        skip_name(&reader);
        (void)pin_reader_get_bytes(&reader, TYPE_AND_CLASS);
    }
    uint32_t min_s = UINT32_MAX;
    bool is_soa = false;
    for (uint16_t i = 0; i < n_answer && pin_reader_is_ok(&reader); i++) {
        uint32_t ttl_s = read_ttl(&reader, false, &is_soa);
        min_s = PIN_MIN(min_s, ttl_s);
    }
    for (uint16_t i = 0; i < n_authority && pin_reader_is_ok(&reader); i++) {
        uint32_t ttl_s = read_ttl(&reader, true, &is_soa);
        min_s = is_soa ? PIN_MIN(min_s, ttl_s) : min_s;
    }
    return pin_reader_is_ok(&reader) && min_s != UINT32_MAX ? min_s : 0;
}

size_t pin_https_put_number(char *out, uint32_t number)
{
    char backwards[PIN_HTTPS_NUMBER_BYTES];
    size_t n = 0;
    do {
        backwards[n++] = (char)('0' + number % DECIMAL);
        number /= DECIMAL;
    } while (number > 0);
    for (size_t i = 0; i < n; i++) {
        out[i] = backwards[n - 1 - i];
    }
    return n;
}
