/* SPDX-License-Identifier: Apache-2.0 */

/* NOTIFY: one datagram to each secondary, and another one until it answers. */

#include "notify.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pintle/base/buf.h"
#include "pintle/base/bytes.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/rand.h"

#include "query.h"

#define MS_PER_S         1000
#define MESSAGE_BYTES    1024u
#define OPCODE_NOTIFY    4u
#define FLAGS_NOTIFY_AA  0x2400u
#define QR_BIT           0x80u
#define OPCODE_SHIFT     3u
#define OPCODE_MASK      0x0Fu
#define TRIES_MAX        6u
#define FIRST_RETRY_MS   1000
#define COALESCE_MS      1000
#define ANSWERS_PER_LOOK 64

/* One secondary of one zone. */
struct target {
    struct pin_addrport address;
    int64_t due_ms; /* of the next message; 0: nothing is to be sent */
    unsigned n_tries;
    uint16_t id;
    struct pin_tsig tsig; /* of the latest message */
};

struct zone_state {
    struct pin_notify_zone config;
    struct target *targets;
    uint64_t told;    /* what `shipped` was when telling began */
    int64_t begun_ms; /* 0: never */
};

/* By family. */
enum { PIN_NOTIFY_V4, PIN_NOTIFY_V6, PIN_NOTIFY_SOCKETS };

struct pin_notifier {
    struct pin_loop *loop;
    struct zone_state *zones;
    size_t n_zones;
    struct pin_timer *timer;
    int fds[PIN_NOTIFY_SOCKETS]; /* -1: not open */
    struct pin_fd *watches[PIN_NOTIFY_SOCKETS];
    struct pin_notify_stats stats;
};

static void on_timer(void *arg);

/* --- sockets ------------------------------------------------------------------------------ */

/* Whether the message came from there. */
static bool is_from(const struct sockaddr *from, const struct pin_addrport *address)
{
    struct pin_addrport sender = pin_addrport_from_sockaddr(from);
    return pin_ip_equal(&sender.ip, &address->ip) && sender.port == address->port;
}

static struct target *find_target(struct pin_notifier *notifier, const uint8_t *wire,
    const struct sockaddr *from, const struct zone_state **ret_zone)
{
    uint16_t id = pin_get_be16(wire);
    for (size_t z = 0; z < notifier->n_zones; z++) {
        struct zone_state *zone = &notifier->zones[z];
        for (size_t i = 0; i < zone->config.n_targets; i++) {
            struct target *target = &zone->targets[i];
            if (target->due_ms != 0 && target->id == id && is_from(from, &target->address)) {
                *ret_zone = zone;
                return target;
            }
        }
    }
    return NULL;
}

/* Whether an answer may be believed: signed, where the message was. */
static bool is_believed(
    const struct zone_state *zone, struct target *target, uint8_t *wire, size_t bytes)
{
    struct pin_query read;
    uint8_t copy[MESSAGE_BYTES];
    memcpy(copy, wire, bytes);
    copy[2] &= (uint8_t)~QR_BIT; /* so that it can be read like a query */
    if (pin_query_parse(copy, bytes, &read) != PIN_QUERY_OK || read.opcode != OPCODE_NOTIFY
        || read.qname_bytes != zone->config.zone->apex.bytes
        || memcmp(read.qname, zone->config.zone->apex.wire, read.qname_bytes) != 0) {
        return false;
    }
    uint64_t wall_s = (uint64_t)pin_clock_wall_ms() / MS_PER_S;
    return zone->config.key == NULL
           || (read.has_tsig
               && pin_tsig_verify_answer(&target->tsig, wire, bytes, read.tsig_at, wall_s)
                      == PIN_TSIG_GOOD);
}

/* Any answer ends the telling (RFC 1996, section 3.6). */
static void take_answer(
    struct pin_notifier *notifier, uint8_t *wire, size_t bytes, const struct sockaddr *from)
{
    const struct zone_state *zone = NULL;
    if (bytes < PIN_HEADER_BYTES || (wire[2] & QR_BIT) == 0) {
        return;
    }
    struct target *target = find_target(notifier, wire, from, &zone);
    if (target == NULL || !is_believed(zone, target, wire, bytes)) {
        return;
    }
    target->due_ms = 0;
    notifier->stats.n_answered++;
}

static void on_readable(int fd, int what, void *arg)
{
    struct pin_notifier *notifier = arg;
    (void)what;
    for (int i = 0; i < ANSWERS_PER_LOOK; i++) {
        uint8_t wire[MESSAGE_BYTES];
        union {
            struct sockaddr any;
            struct sockaddr_in v4;
            struct sockaddr_in6 v6;
        } from = {0};
        socklen_t from_bytes = sizeof(from);
        ssize_t n = recvfrom(fd, wire, sizeof(wire), MSG_TRUNC, &from.any, &from_bytes);
        if (n < 0) {
            return;
        }
        if ((size_t)n <= sizeof(wire)) {
            take_answer(notifier, wire, (size_t)n, &from.any);
        }
    }
}

/* The socket for an address; -1: there is none. */
static int socket_for(struct pin_notifier *notifier, const struct pin_ip *ip)
{
    int i = ip->family == 6 ? PIN_NOTIFY_V6 : PIN_NOTIFY_V4;
    if (notifier->fds[i] >= 0) {
        return notifier->fds[i];
    }
    int fd = socket(
        i == PIN_NOTIFY_V6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    notifier->watches[i] = pin_fd_new(notifier->loop, fd, PIN_FD_READ, on_readable, notifier);
    if (notifier->watches[i] == NULL) {
        (void)close(fd);
        return -1;
    }
    notifier->fds[i] = fd;
    return fd;
}

/* --- telling ------------------------------------------------------------------------------ */

/* Writes the message; returns its length, 0: memory is out. */
static size_t write_message(const struct zone_state *zone, struct target *target, uint8_t *wire)
{
    const struct pin_name *apex = &zone->config.zone->apex;
    struct pin_buf w = pin_buf_init(wire, MESSAGE_BYTES);
    target->id = (uint16_t)pin_rand_u64();
    pin_buf_put_u16(&w, target->id);
    pin_buf_put_u16(&w, FLAGS_NOTIFY_AA);
    pin_buf_put_u16(&w, 1);
    pin_buf_put_u32(&w, 0);
    pin_buf_put_u16(&w, 0);
    pin_buf_put_bytes(&w, apex->wire, apex->bytes);
    pin_buf_put_u16(&w, PIN_TYPE_SOA);
    pin_buf_put_u16(&w, PIN_CLASS_IN);
    if (zone->config.key == NULL) {
        return pin_buf_used(&w);
    }
    pin_tsig_begin(&target->tsig, zone->config.key);
    return pin_tsig_sign(&target->tsig, PIN_TSIG_FIRST, wire, pin_buf_used(&w), MESSAGE_BYTES,
        (uint64_t)pin_clock_wall_ms() / MS_PER_S);
}

static void send_to(
    struct pin_notifier *notifier, const struct zone_state *zone, struct target *target)
{
    uint8_t wire[MESSAGE_BYTES];
    struct sockaddr_storage to = {0};
    socklen_t to_bytes = pin_addrport_to_sockaddr(&target->address, &to);
    int fd = socket_for(notifier, &target->address.ip);
    size_t bytes = fd >= 0 ? write_message(zone, target, wire) : 0;
    /* What cannot be sent now is like what nobody answers: it is tried again. */
    if (bytes > 0
        && sendto(fd, wire, bytes, MSG_NOSIGNAL, (const struct sockaddr *)&to, to_bytes) >= 0) {
        notifier->stats.n_sent++;
    }
}

static void give_up(
    struct pin_notifier *notifier, const struct zone_state *zone, struct target *target)
{
    char name[PIN_NAME_TEXT_MAX];
    char address[PIN_ADDRPORT_TEXT_MAX];
    pin_name_format(zone->config.zone->apex.wire, name);
    target->due_ms = 0;
    notifier->stats.n_given_up++;
    pin_log_warn(
        "notify: %s does not answer that zone %s has serial %u, it hears of the next change",
        pin_addrport_format(&target->address, address), name, (uint32_t)zone->told);
}

/* Sends what is due. Returns when something is again; 0: nothing. */
static int64_t tell(struct pin_notifier *notifier, struct zone_state *zone, int64_t now_ms)
{
    int64_t next_ms = 0;
    for (size_t i = 0; i < zone->config.n_targets; i++) {
        struct target *target = &zone->targets[i];
        if (target->due_ms != 0 && target->due_ms <= now_ms) {
            if (target->n_tries == TRIES_MAX) {
                give_up(notifier, zone, target);
                continue;
            }
            target->due_ms = now_ms + ((int64_t)FIRST_RETRY_MS << target->n_tries);
            target->n_tries++;
            send_to(notifier, zone, target);
        }
        if (target->due_ms != 0 && (next_ms == 0 || target->due_ms < next_ms)) {
            next_ms = target->due_ms;
        }
    }
    return next_ms;
}

/* Begins to tell of a serial that has moved, unless the last one was told a moment ago. Returns
 * when to look again; 0: there is nothing to tell. */
static int64_t begin(struct zone_state *zone, int64_t now_ms)
{
    uint64_t shipped = atomic_load_explicit(&zone->config.zone->shipped, memory_order_relaxed);
    if (shipped == zone->told) {
        return 0;
    }
    if (zone->begun_ms != 0 && now_ms < zone->begun_ms + COALESCE_MS) {
        return zone->begun_ms + COALESCE_MS;
    }
    zone->told = shipped;
    zone->begun_ms = now_ms;
    for (size_t i = 0; i < zone->config.n_targets; i++) {
        zone->targets[i].due_ms = now_ms;
        zone->targets[i].n_tries = 0;
    }
    return 0;
}

static int64_t earlier(int64_t a_ms, int64_t b_ms)
{
    return a_ms == 0 || (b_ms != 0 && b_ms < a_ms) ? b_ms : a_ms;
}

void pin_notifier_look(struct pin_notifier *notifier)
{
    int64_t now_ms = pin_clock_mono_ms();
    int64_t next_ms = 0;
    for (size_t i = 0; i < notifier->n_zones; i++) {
        next_ms = earlier(next_ms, begin(&notifier->zones[i], now_ms));
        next_ms = earlier(next_ms, tell(notifier, &notifier->zones[i], now_ms));
    }
    pin_timer_stop(notifier->timer);
    if (next_ms != 0) {
        pin_timer_start(notifier->timer, next_ms > now_ms ? next_ms - now_ms : 0, false);
    }
}

static void on_timer(void *arg)
{
    pin_notifier_look(arg);
}

/* --- life --------------------------------------------------------------------------------- */

static bool copy_zone(struct zone_state *to, const struct pin_notify_zone *from)
{
    to->config = *from;
    to->targets = calloc(from->n_targets + 1, sizeof(*to->targets));
    for (size_t i = 0; to->targets != NULL && i < from->n_targets; i++) {
        to->targets[i].address = from->targets[i];
    }
    return to->targets != NULL;
}

struct pin_notifier *pin_notifier_new(
    struct pin_loop *loop, const struct pin_notify_zone *zones, size_t n_zones)
{
    struct pin_notifier *notifier = calloc(1, sizeof(*notifier));
    if (notifier == NULL) {
        return NULL;
    }
    notifier->loop = loop;
    notifier->fds[PIN_NOTIFY_V4] = -1;
    notifier->fds[PIN_NOTIFY_V6] = -1;
    notifier->timer = pin_timer_new(loop, on_timer, notifier);
    notifier->zones = calloc(n_zones + 1, sizeof(*notifier->zones));
    bool is_ok = notifier->timer != NULL && notifier->zones != NULL;
    for (size_t i = 0; is_ok && i < n_zones; i++) {
        notifier->n_zones++;
        is_ok = copy_zone(&notifier->zones[i], &zones[i]);
    }
    if (!is_ok) {
        pin_notifier_free(notifier);
        return NULL;
    }
    return notifier;
}

struct pin_notify_stats pin_notifier_stats(const struct pin_notifier *notifier)
{
    return notifier->stats;
}

void pin_notifier_free(struct pin_notifier *notifier)
{
    if (notifier == NULL) {
        return;
    }
    for (int i = 0; i < PIN_NOTIFY_SOCKETS; i++) {
        pin_fd_free(notifier->watches[i]);
        if (notifier->fds[i] >= 0) {
            (void)close(notifier->fds[i]); /* nothing is waited for any more */
        }
    }
    for (size_t i = 0; notifier->zones != NULL && i < notifier->n_zones; i++) {
        free(notifier->zones[i].targets);
    }
    if (notifier->timer != NULL) {
        pin_timer_free(notifier->timer);
    }
    free(notifier->zones);
    free(notifier);
}
