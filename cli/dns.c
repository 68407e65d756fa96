/* SPDX-License-Identifier: Apache-2.0 */

/* Questions in, addresses out (RFC 1035, RFC 6891, RFC 7871). */

#include "cli/dns.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/buf.h"
#include "pintle/base/clock.h"
#include "pintle/base/rand.h"

#define TRIES          3
#define LABEL_MAX      63u
#define NAME_MAX_BYTES 255u
#define TYPE_OPT       41u
#define OPTION_ECS     8u
#define FLAG_TC        0x02u
#define FLAG_QR        0x80u

/* --- the question --------------------------------------------------------------------------- */

/* Labels between dots. False when the name is none. */
static bool put_name(struct pin_buf *w, const char *name)
{
    size_t begin = pin_buf_used(w);
    if (strcmp(name, ".") == 0) {
        name = "";
    }
    while (*name != '\0') {
        size_t bytes = strcspn(name, ".");
        if (bytes == 0 || bytes > LABEL_MAX || memchr(name, '\\', bytes) != NULL) {
            return false;
        }
        pin_buf_put_u8(w, (uint8_t)bytes);
        pin_buf_put_bytes(w, name, bytes);
        name += bytes + (name[bytes] == '.' ? 1 : 0);
    }
    pin_buf_put_u8(w, 0);
    return pin_buf_is_ok(w) && pin_buf_used(w) - begin <= NAME_MAX_BYTES;
}

static void put_opt(struct pin_buf *w, const struct pin_prefix *subnet)
{
    size_t bytes = subnet != NULL ? (subnet->bits + 7u) / 8 : 0;
    pin_buf_put_u8(w, 0);
    pin_buf_put_u16(w, TYPE_OPT);
    pin_buf_put_u16(w, PIN_DNS_MESSAGE_MAX);
    pin_buf_put_u32(w, 0);
    pin_buf_put_u16(w, subnet != NULL ? (uint16_t)(8 + bytes) : 0);
    if (subnet != NULL) {
        pin_buf_put_u16(w, OPTION_ECS);
        pin_buf_put_u16(w, (uint16_t)(4 + bytes));
        pin_buf_put_u16(w, subnet->ip.family == 4 ? 1 : 2);
        pin_buf_put_u8(w, subnet->bits);
        pin_buf_put_u8(w, 0);
        pin_buf_put_bytes(w, subnet->ip.bytes, bytes);
    }
}

static bool make_question(struct pin_dns *dns, const char *name, const struct pin_prefix *subnet)
{
    static const uint8_t rest[] = {0x01, 0, 0, 1, 0, 0, 0, 0, 0, 1}; /* RD, one question, one OPT */
    struct pin_buf w = pin_buf_init(dns->question, sizeof(dns->question));
    pin_buf_put_u16(&w, 0);
    pin_buf_put_bytes(&w, rest, sizeof(rest));
    if (!put_name(&w, name)) {
        return false;
    }
    pin_buf_put_u16(&w, dns->type);
    pin_buf_put_u16(&w, 1);
    put_opt(&w, subnet);
    dns->bytes = pin_buf_used(&w);
    return pin_buf_is_ok(&w);
}

/* --- the socket ----------------------------------------------------------------------------- */

enum pin_err pin_dns_open(const struct pin_addrport *server, const char *name, uint16_t type,
    const struct pin_prefix *subnet, struct pin_dns *ret_dns, struct pin_why *why)
{
    struct pin_dns dns = {.type = type, .timeout_ms = 1000};
    struct sockaddr_storage address;
    socklen_t bytes = pin_addrport_to_sockaddr(server, &address);
    if (!make_question(&dns, name, subnet)) {
        return pin_why_set(why, PIN_EINVAL, "\"%s\" is no name that can be asked for", name);
    }
    dns.next_id = (uint16_t)pin_rand_below(65536);
    dns.fd = socket(address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (dns.fd < 0) {
        return pin_why_errno(why, errno, "open a socket");
    }
    if (connect(dns.fd, (const struct sockaddr *)(const void *)&address, bytes) != 0) {
        enum pin_err err = pin_why_errno(why, errno, "no way to the server");
        (void)close(dns.fd);
        return err;
    }
    *ret_dns = dns;
    return PIN_OK;
}

struct pin_ip pin_dns_source(const struct pin_dns *dns)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof(address);
    (void)getsockname(dns->fd, (struct sockaddr *)(void *)&address, &bytes);
    return pin_ip_from_sockaddr((const struct sockaddr *)(const void *)&address);
}

/* --- the answer ----------------------------------------------------------------------------- */

/* Goes over an owner name; false at the end of the message. */
static bool skip_name(struct pin_reader *r)
{
    for (;;) {
        uint8_t length = pin_reader_get_u8(r);
        if (!pin_reader_is_ok(r) || length == 0) {
            return pin_reader_is_ok(r);
        }
        if ((length & 0xC0) == 0xC0) {
            (void)pin_reader_get_u8(r);
            return pin_reader_is_ok(r);
        }
        (void)pin_reader_get_bytes(r, length);
    }
}

/* Takes one RR of the answer section. */
static bool read_rr(const struct pin_dns *dns, struct pin_reader *r, struct pin_dns_answer *answer)
{
    if (!skip_name(r)) {
        return false;
    }
    uint16_t type = pin_reader_get_u16(r);
    (void)pin_reader_get_u16(r);
    (void)pin_reader_get_u32(r);
    uint16_t bytes = pin_reader_get_u16(r);
    const uint8_t *data = pin_reader_get_bytes(r, bytes);
    size_t ip_bytes = dns->type == 1 ? 4 : 16;
    if (data != NULL && type == dns->type && bytes == ip_bytes
        && answer->n_addresses < PIN_DNS_ADDRESSES_MAX) {
        answer->addresses[answer->n_addresses++] = pin_ip_from_bytes(data, dns->type == 1 ? 4 : 6);
    }
    return data != NULL || bytes == 0;
}

bool pin_dns_read(const struct pin_dns *dns, const uint8_t *wire, size_t bytes, uint16_t id,
    struct pin_dns_answer *ret_answer)
{
    struct pin_reader r = pin_reader_init(wire, bytes);
    *ret_answer = (struct pin_dns_answer){0};
    uint16_t got_id = pin_reader_get_u16(&r);
    uint8_t flags = pin_reader_get_u8(&r);
    ret_answer->rcode = pin_reader_get_u8(&r) & 0x0F;
    uint16_t n_questions = pin_reader_get_u16(&r);
    uint16_t n_answers = pin_reader_get_u16(&r);
    (void)pin_reader_get_u32(&r);
    ret_answer->is_truncated = (flags & FLAG_TC) != 0;
    if (!pin_reader_is_ok(&r) || got_id != id || (flags & FLAG_QR) == 0) {
        return false;
    }
    for (uint16_t i = 0; i < n_questions; i++) {
        if (!skip_name(&r)) {
            return false;
        }
        (void)pin_reader_get_u32(&r);
    }
    for (uint16_t i = 0; i < n_answers; i++) {
        if (!read_rr(dns, &r, ret_answer)) {
            return false;
        }
    }
    return pin_reader_is_ok(&r);
}

/* Waits for the answer to that id; others are late ones. */
static bool await(struct pin_dns *dns, uint16_t id, struct pin_dns_answer *ret_answer)
{
    uint8_t wire[PIN_DNS_MESSAGE_MAX];
    int64_t until_ms = pin_clock_mono_ms() + dns->timeout_ms;
    for (;;) {
        int64_t left_ms = until_ms - pin_clock_mono_ms();
        struct pollfd pollfd = {.fd = dns->fd, .events = POLLIN};
        if (left_ms <= 0 || poll(&pollfd, 1, (int)left_ms) <= 0) {
            return false;
        }
        ssize_t n = recv(dns->fd, wire, sizeof(wire), 0);
        if (n < 0) {
            return false; /* nobody listens there */
        }
        if (pin_dns_read(dns, wire, (size_t)n, id, ret_answer)) {
            return true;
        }
    }
}

enum pin_err pin_dns_ask(
    struct pin_dns *dns, struct pin_dns_answer *ret_answer, struct pin_why *why)
{
    for (int i = 0; i < TRIES; i++) {
        uint16_t id = dns->next_id++;
        dns->question[0] = (uint8_t)(id >> 8);
        dns->question[1] = (uint8_t)id;
        if (send(dns->fd, dns->question, dns->bytes, 0) < 0 && errno != ECONNREFUSED) {
            return pin_why_errno(why, errno, "send a question");
        }
        if (await(dns, id, ret_answer)) {
            return PIN_OK;
        }
    }
    return pin_why_set(why, PIN_ETIMEOUT, "no answer in %d tries of %d ms", TRIES, dns->timeout_ms);
}
