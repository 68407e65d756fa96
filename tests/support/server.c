/* SPDX-License-Identifier: Apache-2.0 */

/* Runs workers for socket tests, and the client side of their connections. */

#include "support/server.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/zones/settings.h"

void server_start(struct server *server, const char *address, size_t n_workers,
    const struct pin_stream_limits *limits)
{
    struct pin_listen_spec listen = {.cluster_id = PIN_CLUSTER_NONE};
    struct pin_why why = {.text = ""};
    assert_true(pin_addrport_parse(address, 0, &listen.address));
    server->world = world_new();
    pin_rcu_offline(); /* the test reads nothing itself, and it blocks */
    struct pin_workers_config config = {
        .live = &server->world->live, .listens = &listen, .n_listens = 1, .n_workers = n_workers};
    if (limits != NULL) {
        config.streams = *limits;
    }
    if (pin_workers_start(&config, &server->workers, &why) != PIN_OK) {
        fail_msg("%s", why.text);
    }
    pin_workers_address(server->workers, 0, &server->address);
}

void server_stop(struct server *server)
{
    pin_workers_stop(server->workers);
    pin_rcu_online();
    world_free(server->world);
}

struct pin_stats_sum server_stats(const struct server *server)
{
    struct pin_stats_sum sum;
    pin_workers_stats(server->workers, &sum);
    return sum;
}

int server_connect(const struct server *server, int type, const char *to)
{
    struct sockaddr_storage peer;
    struct pin_addrport address = server->address;
    if (to != NULL) {
        assert_true(pin_ip_parse(to, &address.ip));
    }
    socklen_t peer_bytes = pin_addrport_to_sockaddr(&address, &peer);
    int fd = socket(peer.ss_family, type | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&peer, peer_bytes), 0);
    return fd;
}

bool server_send(int fd, const void *bytes, size_t n_bytes)
{
    const uint8_t *from = bytes;
    while (n_bytes > 0) {
        ssize_t n_sent = send(fd, from, n_bytes, MSG_NOSIGNAL);
        if (n_sent <= 0) {
            return false;
        }
        from += n_sent;
        n_bytes -= (size_t)n_sent;
    }
    return true;
}

static bool is_readable(int fd)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    return poll(&event, 1, SERVER_PATIENCE_MS) == 1;
}

bool server_receive(int fd, void *ret_bytes, size_t n_bytes)
{
    uint8_t *to = ret_bytes;
    while (n_bytes > 0) {
        ssize_t n_received = is_readable(fd) ? recv(fd, to, n_bytes, 0) : 0;
        if (n_received <= 0) {
            return false;
        }
        to += n_received;
        n_bytes -= (size_t)n_received;
    }
    return true;
}

bool server_is_closed_by_peer(int fd)
{
    uint8_t sink[4096];
    for (;;) {
        if (!is_readable(fd)) {
            return false;
        }
        if (recv(fd, sink, sizeof(sink), 0) <= 0) {
            return true;
        }
    }
}

size_t server_frame(const struct message_query *query, uint8_t *ret_wire)
{
    size_t bytes = message_build(query, ret_wire + 2);
    ret_wire[0] = (uint8_t)(bytes >> 8);
    ret_wire[1] = (uint8_t)bytes;
    return bytes + 2;
}

bool server_read_answer(int fd, struct message *ret_message)
{
    static uint8_t wire[MESSAGE_MAX_BYTES];
    uint8_t length[2];
    if (!server_receive(fd, length, 2)) {
        return false;
    }
    size_t bytes = (size_t)length[0] << 8 | length[1];
    return server_receive(fd, wire, bytes) && message_parse(wire, bytes, ret_message);
}

bool server_wait(bool (*is_true)(const struct server *server), const struct server *server)
{
    int64_t end_ms = pin_clock_mono_ms() + SERVER_PATIENCE_MS;
    while (!is_true(server)) {
        struct timespec moment = {.tv_nsec = 1000000};
        if (pin_clock_mono_ms() > end_ms) {
            return false;
        }
        (void)nanosleep(&moment, NULL);
    }
    return true;
}
