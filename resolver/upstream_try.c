/* SPDX-License-Identifier: Apache-2.0 */

/* One try at a resolver: the question as it goes out, and a socket of its own when over UDP. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/zones/table.h"

#include "forward_thread.h"
#include "response.h"
#include "upstream.h"

#define FLAG_RD           0x01u /* of the third byte */
#define FLAG_AD           0x20u /* of the fourth */
#define FLAG_CD           0x10u
#define FLAG_DO           0x80u
#define OPTION_PADDING    12u
#define OPTION_HEAD_BYTES 4u
#define OPT_BYTES         11u
/* Questions over TLS are padded to a multiple of this (RFC 8467, section 4.1). */
#define PAD_BYTES 128u
/* Messages read from one socket before others have their turn. */
#define READS_MAX   16
#define US_PER_MS   1000
#define LETTER_CASE 0x20u

static uint8_t *put_u16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return to + 2;
}

/* --- the question -------------------------------------------------------------------------- */

/* Copies the name, its letters in random case: a forger has to guess them, too. */
static void mix_case(struct pin_attempt *attempt, const struct pin_try *try)
{
    struct pin_upstream *upstream = attempt->upstream;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    attempt->name_bytes = try->name_bytes;
    memcpy(attempt->name, try->name, try->name_bytes);
    for (size_t i = 0; i < try->name_bytes && upstream->mixes_case; i++) {
        /* A length is at most 63, which is no letter. */
        if (attempt->name[i] < 'a' || attempt->name[i] > 'z') {
            continue;
        }
        if (n_bits == 0) {
            bits = pin_forward_random16(upstream->thread);
            n_bits = 16;
        }
        attempt->name[i] = (uint8_t)(attempt->name[i] ^ ((bits & 1u) != 0 ? LETTER_CASE : 0u));
        bits >>= 1;
        n_bits--;
    }
}

static uint8_t *put_opt(const struct pin_attempt *attempt, const uint8_t *wire, uint8_t *to)
{
    size_t used_bytes = (size_t)(to - wire) + OPT_BYTES;
    size_t padding_bytes = 0;
    bool is_padded = attempt->upstream->spec->is_tls;
    if (is_padded) {
        padding_bytes = PAD_BYTES - (used_bytes + OPTION_HEAD_BYTES) % PAD_BYTES;
    }
    *to++ = 0;
    to = put_u16(to, PIN_TYPE_OPT);
    to = put_u16(to, PIN_UDP_MAX_BYTES);
    to = put_u16(to, 0);
    to = put_u16(to, attempt->is_do ? FLAG_DO << 8 : 0);
    to = put_u16(to, is_padded ? (unsigned)(OPTION_HEAD_BYTES + padding_bytes) : 0);
    if (is_padded) {
        to = put_u16(to, OPTION_PADDING);
        to = put_u16(to, (unsigned)padding_bytes);
        memset(to, 0, padding_bytes);
        to += padding_bytes;
    }
    return to;
}

size_t pin_attempt_write(const struct pin_attempt *attempt, uint8_t wire[PIN_TRY_WIRE_MAX])
{
    uint8_t *to = put_u16(wire, attempt->id);
    *to++ = FLAG_RD;
    *to++ =
        (uint8_t)((attempt->is_cd ? FLAG_CD : 0u) | (attempt->upstream->is_trusted ? FLAG_AD : 0u));
    to = put_u16(to, 1);
    to = put_u16(to, 0);
    to = put_u16(to, 0);
    to = put_u16(to, attempt->has_edns ? 1 : 0);
    memcpy(to, attempt->name, attempt->name_bytes);
    to = put_u16(to + attempt->name_bytes, attempt->qtype);
    to = put_u16(to, PIN_CLASS_IN);
    if (attempt->has_edns) {
        to = put_opt(attempt, wire, to);
    }
    return (size_t)(to - wire);
}

/* --- UDP ----------------------------------------------------------------------------------- */

/* Whatever the socket has. The attempt may end meanwhile; its memory stays until the round ends. */
static void on_datagrams(
    struct pin_forward_source *source, struct pin_forward_thread *thread, uint32_t events)
{
    struct pin_attempt *attempt = container_of(source, struct pin_attempt, source);
    (void)events;
    for (int i = 0; i < READS_MAX && attempt->fd >= 0; i++) {
        ssize_t n = recv(attempt->fd, thread->buffer, sizeof(thread->buffer), 0);
        if (n >= 0) {
            pin_attempt_on_message(attempt, thread->buffer, (size_t)n);
        } else if (errno == EAGAIN) {
            return;
        } else if (errno != EINTR) {
            pin_attempt_on_error(attempt, errno);
            return;
        }
    }
}

/* Never fragments, whatever path MTU anybody claims. */
static void set_options(int fd, int family)
{
    const int v4 = IP_PMTUDISC_OMIT;
    const int v6 = IPV6_PMTUDISC_OMIT;
    if (family == AF_INET) {
        (void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
    } else {
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
    }
}

/* A socket for this one question: connected, so that only the resolver's address gets through, and
 * on a port that the kernel draws. Returns 0 or an errno. */
static int send_datagram(struct pin_attempt *attempt)
{
    const struct pin_upstream *upstream = attempt->upstream;
    uint8_t wire[PIN_TRY_WIRE_MAX];
    size_t bytes = pin_attempt_write(attempt, wire);
    int family = upstream->address.ss_family;
    int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return errno;
    }
    set_options(fd, family);
    int errno_value = 0;
    if (connect(fd, (const struct sockaddr *)&upstream->address, upstream->address_bytes) != 0
        || send(fd, wire, bytes, MSG_NOSIGNAL) != (ssize_t)bytes) {
        errno_value = errno;
    } else if (!pin_forward_watch(upstream->thread, &attempt->source, fd, EPOLLIN)) {
        errno_value = ENOMEM;
    }
    if (errno_value != 0) {
        (void)close(fd);
        return errno_value;
    }
    attempt->fd = fd;
    return 0;
}

/* --- tries --------------------------------------------------------------------------------- */

struct pin_attempt *pin_attempt_start(
    struct pin_upstream *upstream, const struct pin_try *try, int *ret_errno)
{
    struct pin_attempt *attempt = calloc(1, sizeof(*attempt));
    *ret_errno = ENOMEM;
    if (attempt == NULL) {
        return NULL;
    }
    attempt->source.on_event = on_datagrams;
    attempt->ask = try->ask;
    attempt->upstream = upstream;
    attempt->sent_us = pin_clock_mono_ns() / US_PER_MS;
    attempt->fd = -1;
    attempt->id = pin_forward_random16(upstream->thread);
    attempt->qtype = try->qtype;
    attempt->is_do = try->is_do;
    attempt->is_cd = try->is_cd;
    attempt->has_edns = !try->is_plain;
    mix_case(attempt, try);
    pin_stat_add(&upstream->stats.n_asked, 1);
    if (try->over_stream) {
        pin_stat_add(&upstream->stats.n_over_stream, 1);
        *ret_errno = pin_upstream_conn_ask(upstream, attempt) ? 0 : ENOMEM;
    } else {
        *ret_errno = send_datagram(attempt);
    }
    if (*ret_errno != 0) {
        pin_stat_add(&upstream->stats.n_unreachable, 1);
        free(attempt);
        return NULL;
    }
    return attempt;
}

void pin_attempt_end(struct pin_attempt *attempt)
{
    if (attempt->is_over) {
        return;
    }
    attempt->is_over = true;
    if (attempt->conn != NULL) {
        pin_upstream_conn_forget(attempt);
    }
    if (attempt->fd >= 0) {
        (void)close(attempt->fd); /* epoll forgets it, too */
    }
    attempt->fd = -1;
    pin_forward_bury(attempt->upstream->thread, &attempt->source);
}
