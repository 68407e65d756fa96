/* SPDX-License-Identifier: Apache-2.0 */

/* Ways to check an address: defaults, status ranges, what makes two of them the same. */

#include "pintle/zones/check.h"

#include <stdlib.h>
#include <string.h>

struct pin_check pin_check_default(void)
{
    return (struct pin_check){
        .protocol = PIN_CHECK_HTTP,
        .is_enabled = true,
        .rise = 5,
        .fall = 2,
        .interval_s = 30,
        .timeout_s = 5,
        .status = {{.low = 200, .high = 200}},
        .n_status = 1,
        .path = "/",
    };
}

const char *pin_check_protocol_text(enum pin_check_protocol protocol)
{
    static const char *const texts[] = {
        [PIN_CHECK_HTTP] = "HTTP",
        [PIN_CHECK_HTTPS] = "HTTPS",
        [PIN_CHECK_TCP] = "TCP",
        [PIN_CHECK_COMMAND] = "COMMAND",
    };
    return texts[protocol];
}

uint32_t pin_check_window_s(const struct pin_check *check)
{
    uint32_t interval_s = check->interval_s + check->interval_s / 10u + 1u;
    return check->fall * interval_s + check->timeout_s;
}

/* --- statuses ----------------------------------------------------------------------------- */

bool pin_check_wants_status(const struct pin_check *check, int status)
{
    for (uint8_t i = 0; i < check->n_status; i++) {
        if (status >= check->status[i].low && status <= check->status[i].high) {
            return true;
        }
    }
    return false;
}

/* Three digits from 100 to 599; NULL when there is something else, else what stands behind them. */
static const char *read_code(const char *text, uint16_t *ret_code)
{
    unsigned code = 0;
    for (size_t i = 0; i < 3; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return NULL;
        }
        code = code * 10 + (unsigned)(text[i] - '0');
    }
    *ret_code = (uint16_t)code;
    return code >= 100 && code <= 599 ? text + 3 : NULL;
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " ");
}

/* One code or range; NULL when malformed, else what stands behind it. */
static const char *read_range(const char *text, struct pin_check_status *ret)
{
    const char *rest = read_code(skip_blanks(text), &ret->low);
    if (rest == NULL) {
        return NULL;
    }
    ret->high = ret->low;
    rest = skip_blanks(rest);
    if (*rest == '-') {
        rest = read_code(skip_blanks(rest + 1), &ret->high);
        rest = rest == NULL ? NULL : skip_blanks(rest);
    }
    return ret->high >= ret->low ? rest : NULL;
}

bool pin_check_read_status(struct pin_check *check, const char *text)
{
    struct pin_check_status status[PIN_CHECK_STATUS_MAX];
    uint8_t n = 0;
    for (const char *at = text;; at++) {
        at = n < PIN_CHECK_STATUS_MAX ? read_range(at, &status[n]) : NULL;
        if (at == NULL || (*at != ',' && *at != '\0')) {
            return false;
        }
        n++;
        if (*at == '\0') {
            break;
        }
    }
    memcpy(check->status, status, n * sizeof(status[0]));
    check->n_status = n;
    return true;
}

/* --- the same or not ---------------------------------------------------------------------- */

static char *put_bytes(char *at, const void *data, size_t bytes)
{
    memcpy(at, data, bytes);
    return at + bytes;
}

static char *put_u16(char *at, unsigned value)
{
    uint16_t word = (uint16_t)value;
    return put_bytes(at, &word, sizeof(word));
}

/* A text with its length, so that two of them never run into each other. */
static char *put_text(char *at, const char *text)
{
    size_t bytes = text != NULL ? strnlen(text, PIN_CHECK_TEXT_MAX) : 0;
    at = put_u16(at, text != NULL ? (unsigned)bytes + 1 : 0);
    return bytes > 0 ? put_bytes(at, text, bytes) : at;
}

size_t pin_probe_key(
    const struct pin_ip *ip, uint16_t port, const struct pin_check *check, char *out)
{
    char *at = put_bytes(out, ip->bytes, sizeof(ip->bytes));
    at = put_u16(at, ip->family);
    at = put_u16(at, port);
    at = put_u16(at, (unsigned)check->protocol << 1 | (unsigned)check->is_http2);
    at = put_u16(at, (unsigned)check->rise << 8 | check->fall);
    at = put_u16(at, check->interval_s);
    at = put_u16(at, check->timeout_s);
    at = put_u16(at, check->n_status);
    for (uint8_t i = 0; i < check->n_status; i++) {
        at = put_u16(at, check->status[i].low);
        at = put_u16(at, check->status[i].high);
    }
    at = put_text(at, check->path);
    at = put_text(at, check->host);
    at = put_text(at, check->command);
    return (size_t)(at - out);
}

static size_t text_bytes(const char *text)
{
    return text != NULL ? strnlen(text, PIN_CHECK_TEXT_MAX) + 1 : 0;
}

/* Copies a text to where *at stands and moves on. */
static const char *take_text(char **at, const char *text)
{
    if (text == NULL) {
        return NULL;
    }
    char *copy = *at;
    size_t bytes = text_bytes(text) - 1;
    memcpy(copy, text, bytes);
    copy[bytes] = '\0';
    *at = copy + bytes + 1;
    return copy;
}

struct pin_probe_spec *pin_probe_spec_new(
    const struct pin_ip *ip, uint16_t port, const struct pin_check *check)
{
    struct pin_probe_spec *spec = malloc(sizeof(*spec) + text_bytes(check->path)
                                         + text_bytes(check->host) + text_bytes(check->command));
    if (spec == NULL) {
        return NULL;
    }
    char *at = (char *)(spec + 1);
    *spec = (struct pin_probe_spec){.ip = *ip, .port = port, .check = *check};
    spec->check.path = take_text(&at, check->path);
    spec->check.host = take_text(&at, check->host);
    spec->check.command = take_text(&at, check->command);
    return spec;
}
