/* SPDX-License-Identifier: Apache-2.0 */

/* A forwarder that is run by hand, against resolvers that the test plays. */

#include "support/relay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"

#include "resolver/forward_thread.h"

#define CACHE_BYTES   ((size_t)4 << 20)
#define START_MS      1000000
#define START_WALL_MS INT64_C(1700000000000)
#define TTL_MAX_S     86400u
#define TURNS_MAX     64
#define PORTS_MAX     50
#define HEADER_BYTES  12u
#define RR_HEAD_BYTES 12u
#define LETTER_CASE   0x20u
/* How long to wait for a connection of our own, in milliseconds of real time. */
#define STREAM_PATIENCE_MS 2000

static const uint8_t good[] = {192, 0, 2, 1};

/* --- resolvers ------------------------------------------------------------------------------ */

static bool bind_loopback(int fd, struct sockaddr_in *address)
{
    socklen_t bytes = sizeof(*address);
    address->sin_family = AF_INET;
    address->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return bind(fd, (const struct sockaddr *)address, bytes) == 0
           && getsockname(fd, (struct sockaddr *)address, &bytes) == 0;
}

/* TCP on the same port as UDP. False: somebody has it. */
static bool try_ports(struct relay_upstream *upstream)
{
    const int room = 4 << 20;
    struct sockaddr_in address = {.sin_port = 0};
    upstream->udp_fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    upstream->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    upstream->stream_fd = -1;
    assert_true(upstream->udp_fd >= 0 && upstream->listen_fd >= 0);
    (void)setsockopt(upstream->udp_fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
    assert_true(bind_loopback(upstream->udp_fd, &address));
    bool is_bound =
        bind_loopback(upstream->listen_fd, &address) && listen(upstream->listen_fd, 8) == 0;
    upstream->spec.address =
        pin_addrport_from_sockaddr((const struct sockaddr *)(const void *)&address);
    return is_bound;
}

static void close_upstream(struct relay_upstream *upstream)
{
    (void)close(upstream->udp_fd);
    (void)close(upstream->listen_fd);
    if (upstream->stream_fd >= 0) {
        (void)close(upstream->stream_fd);
    }
}

static void open_upstream(struct relay_upstream *upstream)
{
    for (int i = 0; i < PORTS_MAX; i++) {
        if (try_ports(upstream)) {
            return;
        }
        close_upstream(upstream);
    }
    fail_msg("no port is free");
}

/* --- life ----------------------------------------------------------------------------------- */

static void *do_nothing(void *arg)
{
    return arg;
}

enum pin_err relay_spawn(pthread_t *ret_thread)
{
    return pthread_create(ret_thread, NULL, do_nothing, NULL) == 0 ? PIN_OK : PIN_ENOMEM;
}

void relay_start(struct relay *relay, const struct relay_options *options)
{
    static const struct pin_lpm_entry anybody = {.prefix = {.ip = {.family = 4}, .bits = 0}};
    struct pin_why why = {.text = ""};
    memset(relay, 0, sizeof(*relay));
    relay->now_ms = START_MS;
    pin_clock_set_fake(relay->now_ms, START_WALL_MS);
    relay->world = world_new();
    for (size_t i = 0; i < options->n_upstreams; i++) {
        open_upstream(&relay->upstreams[i]);
        relay->specs[i] = relay->upstreams[i].spec;
    }
    size_t n_others = options->other_zone != NULL ? 1 : 0;
    size_t n_usual = options->n_upstreams - n_others;
    relay->zones[0] = (struct pin_forward_zone){
        .upstreams = relay->specs, .n_upstreams = n_usual, .mixes_case = true};
    relay->zones[0].name.bytes = 1;
    if (n_others > 0) {
        relay->zones[1] = (struct pin_forward_zone){
            .upstreams = relay->specs + n_usual, .n_upstreams = n_others, .mixes_case = true};
        assert_int_equal(pin_name_parse(options->other_zone, &relay->zones[1].name), PIN_OK);
    }
    const struct pin_forward_config config = {.live = &relay->world->live,
        .zones = relay->zones,
        .n_zones = 1 + n_others,
        .cache = {.size_bytes = CACHE_BYTES, .stale_max_s = options->stale_max_s},
        .ttl_max_s = TTL_MAX_S,
        .n_threads = 1,
        .n_ports = 1,
        .thread_i = 1};
    if (pin_forward_start(&config, &relay->forward, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    relay->thread = relay->forward->threads[0];
    relay->thread->now_ms = relay->now_ms;
    relay->manners.rate = options->rate;
    relay->manners.recursion = pin_lpm_new(&anybody, 1);
    assert_non_null(relay->manners.recursion);
    relay->manners.limiter = pin_limiter_new(&options->rate);
    pin_forward_equip(relay->forward, &relay->manners, NULL, options->tapper);
    assert_int_equal(
        pin_worker_init(&relay->worker, &relay->world->live, PIN_TRANSPORT_TCP, 0), PIN_OK);
    relay->worker.manners = &relay->manners;
    relay->worker.forward = pin_forward_port(relay->forward, 0);
    assert_int_equal(pin_mailbox_init(&relay->mailbox, &why), PIN_OK);
    struct sockaddr_in address = {.sin_port = 0};
    relay->server_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_true(relay->server_fd >= 0);
    assert_true(bind_loopback(relay->server_fd, &address));
}

void relay_stop(struct relay *relay)
{
    while (relay->mail != NULL) {
        struct pin_late *next = relay->mail->next;
        free(relay->mail);
        relay->mail = next;
    }
    pin_forward_halt(relay->forward);
    pin_forward_free(relay->forward);
    pin_mailbox_done(&relay->mailbox);
    pin_worker_done(&relay->worker);
    pin_limiter_free(relay->manners.limiter);
    pin_lpm_free(relay->manners.recursion);
    size_t n_upstreams = relay->zones[0].n_upstreams + relay->zones[1].n_upstreams;
    for (size_t i = 0; i < n_upstreams; i++) {
        close_upstream(&relay->upstreams[i]);
    }
    (void)close(relay->server_fd);
    world_free(relay->world);
    pin_clock_set_real();
}

/* --- time ----------------------------------------------------------------------------------- */

void relay_run(struct relay *relay)
{
    int n_turns = 0;
    while (pin_forward_thread_turn(relay->thread, 0) && n_turns < TURNS_MAX) {
        n_turns++;
    }
    (void)pin_forward_thread_turn(relay->thread, 0); /* more may have come than one turn takes */
}

void relay_wait(struct relay *relay, int64_t ms)
{
    int64_t end_ms = relay->now_ms + ms;
    relay_run(relay);
    while (relay->now_ms < end_ms) {
        int64_t left_ms = end_ms - relay->now_ms;
        int64_t step_ms = pin_timers_wait_ms(&relay->thread->timers, relay->now_ms, (int)left_ms);
        relay->now_ms += step_ms > 0 ? step_ms : 1;
        pin_clock_set_fake(relay->now_ms, START_WALL_MS + relay->now_ms - START_MS);
        relay_run(relay);
    }
}

/* --- clients -------------------------------------------------------------------------------- */

/* Has the worker answer. Returns what pin_answer() says. */
static size_t ask(struct relay *relay, const struct pin_client *client,
    const struct message_query *query, uint8_t wire[MESSAGE_MAX_BYTES])
{
    bool is_udp = client->transport == PIN_TRANSPORT_UDP;
    struct message_query with_rd = *query;
    with_rd.flags |= 0x0100;
    const struct pin_packet packet = {.wire = wire,
        .bytes = message_build(&with_rd, wire),
        .cap_bytes = is_udp ? RELAY_WIRE_MAX : MESSAGE_MAX_BYTES};
    relay->worker.transport = client->transport;
    return pin_answer(&relay->worker, client, &packet);
}

uint64_t relay_ask(struct relay *relay, uint16_t client, const struct message_query *query,
    struct message *ret_answer)
{
    static uint8_t wire[MESSAGE_MAX_BYTES];
    const struct sockaddr_in peer = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7F000000u | client)};
    const struct pin_return back = {.mailbox = &relay->mailbox, .stream_id = ++relay->n_streams};
    const struct pin_client asker = {.peer = (const struct sockaddr *)(const void *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = PIN_TRANSPORT_TCP,
        .back = &back};
    size_t bytes = ask(relay, &asker, query, wire);
    if (bytes == PIN_ANSWER_LATER) {
        return back.stream_id;
    }
    assert_true(bytes > 0 && message_parse(wire, bytes, ret_answer));
    return 0;
}

bool relay_ask_udp(struct relay *relay, int client_fd, const struct sockaddr_in *sender,
    const struct message_query *query)
{
    static uint8_t wire[MESSAGE_MAX_BYTES];
    struct sockaddr_in peer;
    socklen_t peer_bytes = sizeof(peer);
    assert_int_equal(getsockname(client_fd, (struct sockaddr *)&peer, &peer_bytes), 0);
    struct sockaddr_in from = sender != NULL ? *sender : peer;
    const struct msghdr packet = {.msg_name = &from, .msg_namelen = sizeof(from)};
    const struct pin_return back = {.fd = relay->server_fd, .packet = &packet};
    const struct pin_client client = {.peer = (const struct sockaddr *)(const void *)&peer,
        .listen_cluster_id = PIN_CLUSTER_NONE,
        .transport = PIN_TRANSPORT_UDP,
        .back = &back};
    return ask(relay, &client, query, wire) != PIN_ANSWER_LATER;
}

uint64_t relay_take(struct relay *relay, struct message *ret_answer)
{
    static uint8_t wire[MESSAGE_MAX_BYTES];
    if (relay->mail == NULL) {
        relay->mail = pin_mailbox_take(&relay->mailbox);
    }
    struct pin_late *late = relay->mail;
    if (late == NULL) {
        return 0;
    }
    relay->mail = late->next;
    uint64_t stream_id = late->stream_id;
    size_t bytes = late->bytes;
    assert_true(bytes > 0 && bytes <= sizeof(wire));
    memcpy(wire, late->wire, bytes);
    free(late);
    assert_true(message_parse(wire, bytes, ret_answer));
    return stream_id;
}

/* --- what resolvers hear and say ------------------------------------------------------------ */

bool relay_hear(struct relay *relay, size_t upstream_i, struct relay_question *ret_question)
{
    struct relay_upstream *upstream = &relay->upstreams[upstream_i];
    socklen_t from_bytes = sizeof(ret_question->from);
    ssize_t n = recvfrom(upstream->udp_fd, ret_question->wire, sizeof(ret_question->wire), 0,
        (struct sockaddr *)&ret_question->from, &from_bytes);
    ret_question->upstream = upstream;
    ret_question->is_stream = false;
    ret_question->bytes = n > 0 ? (size_t)n : 0;
    assert_true(n < 0 || n > (ssize_t)HEADER_BYTES);
    return n > 0;
}

unsigned relay_drop(struct relay *relay, size_t upstream_i)
{
    struct relay_question question;
    unsigned n = 0;
    while (relay_hear(relay, upstream_i, &question)) {
        n++;
    }
    return n;
}

static void doze(void)
{
    const struct timespec moment = {.tv_nsec = 1000000};
    (void)nanosleep(&moment, NULL);
}

/* Waits for the connection. False: none has come. */
static bool accept_stream(struct relay *relay, struct relay_upstream *upstream)
{
    for (int i = 0; i < STREAM_PATIENCE_MS && upstream->stream_fd < 0; i++) {
        upstream->stream_fd =
            accept4(upstream->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (upstream->stream_fd < 0) {
            doze();
            relay_run(relay);
        }
    }
    return upstream->stream_fd >= 0;
}

bool relay_hear_stream(struct relay *relay, size_t upstream_i, struct relay_question *ret_question)
{
    struct relay_upstream *upstream = &relay->upstreams[upstream_i];
    uint8_t length[2];
    ssize_t n = -1;
    if (!accept_stream(relay, upstream)) {
        return false;
    }
    for (int i = 0; i < STREAM_PATIENCE_MS && n != (ssize_t)sizeof(length); i++) {
        n = recv(upstream->stream_fd, length, sizeof(length), MSG_PEEK);
        if (n != (ssize_t)sizeof(length)) {
            doze();
            relay_run(relay);
        }
    }
    if (n != (ssize_t)sizeof(length)) {
        return false;
    }
    ret_question->upstream = upstream;
    ret_question->is_stream = true;
    ret_question->bytes = (size_t)length[0] << 8 | length[1];
    assert_int_equal(recv(upstream->stream_fd, length, sizeof(length), 0), sizeof(length));
    assert_int_equal(
        recv(upstream->stream_fd, ret_question->wire, ret_question->bytes, 0), ret_question->bytes);
    return true;
}

static uint8_t *put_u16(uint8_t *to, unsigned value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
    return to + 2;
}

/* The length of header and question. */
static size_t question_end(const struct relay_question *question)
{
    size_t at = HEADER_BYTES;
    while (question->wire[at] != 0) {
        at += 1u + question->wire[at];
    }
    return at + 5;
}

static uint8_t *put_record_at(uint8_t *to, size_t owner_at, unsigned type, uint32_t ttl_s,
    const uint8_t *rdata, size_t rdata_bytes)
{
    to = put_u16(to, 0xC000u | (unsigned)owner_at);
    to = put_u16(to, type);
    to = put_u16(to, 1);
    to = put_u16(to, ttl_s >> 16);
    to = put_u16(to, ttl_s & 0xFFFFu);
    to = put_u16(to, (unsigned)rdata_bytes);
    memcpy(to, rdata, rdata_bytes);
    return to + rdata_bytes;
}

static uint8_t *put_record(
    uint8_t *to, unsigned type, uint32_t ttl_s, const uint8_t *rdata, size_t rdata_bytes)
{
    return put_record_at(to, HEADER_BYTES, type, ttl_s, rdata, rdata_bytes);
}

static size_t write_reply(const struct relay_question *question, const struct relay_reply *reply,
    uint8_t wire[MESSAGE_MAX_BYTES])
{
    static const uint8_t soa[] = {
        0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 60};
    size_t end = question_end(question);
    unsigned n = reply->n_records > 0 ? reply->n_records : 1u;
    bool is_empty = reply->rcode != 0 || reply->is_denial || reply->is_truncated;
    uint8_t target[PIN_NAME_MAX_BYTES];
    if (reply->alias != NULL) {
        memcpy(wire, question->wire, end);
        (void)put_u16(wire + 2, 0x8180u);
        (void)put_u16(wire + 6, reply->n_records > 0 ? 2 : 1);
        memset(wire + 8, 0, 4);
        uint8_t *behind =
            put_record(wire + end, 5, reply->ttl_s, target, message_put_name(reply->alias, target));
        if (reply->n_records > 0) {
            behind =
                put_record_at(behind, end + RR_HEAD_BYTES, 1, reply->ttl_s, good, sizeof(good));
        }
        return (size_t)(behind - wire);
    }
    memcpy(wire, question->wire, end);
    wire[0] ^= (uint8_t)(reply->id_xor >> 8);
    wire[1] ^= (uint8_t)reply->id_xor;
    wire[HEADER_BYTES + 1] ^= reply->case_xor;
    (void)put_u16(wire + 2, 0x8180u | reply->rcode | (reply->is_truncated ? 0x0200u : 0u));
    (void)put_u16(wire + 6, is_empty ? 0 : n + (reply->is_malformed ? 1 : 0));
    (void)put_u16(wire + 8, reply->is_denial ? 1 : 0);
    (void)put_u16(wire + 10, reply->ede != 0 ? 1 : 0);
    uint8_t *to = wire + end;
    for (unsigned i = 0; !is_empty && i < n; i++) {
        uint8_t address[sizeof(good)];
        memcpy(address, good, sizeof(good));
        address[2] = (uint8_t)(good[2] + i / 250);
        address[3] = (uint8_t)(good[3] + i % 250);
        to = put_record(to, 1, reply->ttl_s, address, sizeof(address));
    }
    if (reply->is_denial) {
        to = put_record(to, 6, reply->ttl_s, soa, sizeof(soa));
    }
    if (reply->ede != 0) {
        static const uint8_t opt[] = {0, 0, 41, 4, 208, 0, 0, 0, 0, 0, 6, 0, 15, 0, 2};
        memcpy(to, opt, sizeof(opt));
        to = put_u16(to + sizeof(opt), reply->ede);
    }
    return (size_t)(to - wire);
}

void relay_say(const struct relay_question *question, const struct relay_reply *reply)
{
    static uint8_t wire[2 + MESSAGE_MAX_BYTES];
    size_t bytes = write_reply(question, reply, wire + 2);
    if (!question->is_stream) {
        ssize_t n = sendto(question->upstream->udp_fd, wire + 2, bytes, 0,
            (const struct sockaddr *)&question->from, sizeof(question->from));
        assert_true(n == (ssize_t)bytes || errno == ECONNREFUSED);
        return;
    }
    (void)put_u16(wire, (unsigned)bytes);
    assert_int_equal(send(question->upstream->stream_fd, wire, 2 + bytes, MSG_NOSIGNAL), 2 + bytes);
}
