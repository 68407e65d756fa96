/* SPDX-License-Identifier: Apache-2.0 */

/* UDP sockets: every query is answered, from the address that was asked; ports are never shared. */

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/settings.h"

#include "resolver/worker.h"
#include "support/message.h"
#include "support/server.h"

#define N_NOISY       200
#define N_GENERATIONS 1000u

static struct server server;
static struct message reply;

static int start(void **state)
{
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static void send_query(int fd, uint16_t id, uint16_t flags)
{
    uint8_t wire[512];
    struct message_query query = {.name = "www.t.example", .type = 1, .id = id, .flags = flags};
    assert_true(server_send(fd, wire, message_build(&query, wire)));
}

/* Receives one datagram and reads it; connected sockets take it from the address asked only. */
static bool receive(int fd)
{
    static uint8_t wire[65536];
    struct timeval patience = {.tv_sec = SERVER_PATIENCE_MS / 1000};
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    ssize_t bytes = recv(fd, wire, sizeof(wire), 0);
    return bytes > 0 && message_parse(wire, (size_t)bytes, &reply);
}

static void assert_answered(int fd, uint16_t id)
{
    send_query(fd, id, 0);
    assert_true(receive(fd));
    assert_int_equal(reply.id, id);
    assert_int_equal(reply.n_rr[1], 1);
}

static void test_question_and_answer(void **state)
{
    (void)state;
    int fd = server_connect(&server, SOCK_DGRAM, NULL);
    assert_answered(fd, 1);
    (void)close(fd);
    assert_int_equal(
        server_stats(&server).queries[PIN_TRANSPORT_UDP][PIN_STAT_QTYPE_A][PIN_STAT_RCODE_NOERROR],
        1);
}

/* Noise in every place of a batch must not swallow or double an answer. */
static void test_noise_between_queries(void **state)
{
    bool is_answered[N_NOISY] = {false};
    (void)state;
    int fd = server_connect(&server, SOCK_DGRAM, NULL);
    for (uint16_t i = 0; i < N_NOISY; i++) {
        send_query(fd, (uint16_t)(i + 1), i % 3 == 0 ? 0x8000 : 0);
    }
    for (uint16_t i = 0; i < N_NOISY; i++) {
        if (i % 3 == 0) {
            continue;
        }
        assert_true(receive(fd));
        assert_in_range(reply.id, 1, N_NOISY);
        assert_int_not_equal((reply.id - 1) % 3, 0);
        assert_false(is_answered[reply.id - 1]);
        is_answered[reply.id - 1] = true;
    }
    (void)close(fd);
    assert_int_equal(server_stats(&server).n_dropped, 67);
}

static void test_datagrams_of_any_size(void **state)
{
    static uint8_t wire[65000];
    (void)state;
    int fd = server_connect(&server, SOCK_DGRAM, NULL);
    for (size_t bytes = 0; bytes < sizeof(wire); bytes = bytes * 3 / 2 + 1) {
        (void)send(fd, wire, bytes, 0); /* header of zeroes: malformed or noise */
    }
    for (;;) {
        send_query(fd, 7, 0);
        assert_true(receive(fd));
        if (reply.id == 7) {
            break;
        }
        assert_int_equal(reply.rcode, 1);
    }
    (void)close(fd);
}

/* Names are replaced while they are asked for: no answer is lost, none mixes two generations. */
static void test_every_answer_is_of_one_generation(void **state)
{
    uint8_t wire[512];
    struct message_query query = {.name = "four.t.example", .type = 1};
    (void)state;
    int fd = server_connect(&server, SOCK_DGRAM, NULL);
    for (unsigned generation = 0; generation < N_GENERATIONS; generation++) {
        for (int i = 0; i < 8; i++) {
            assert_true(server_send(fd, wire, message_build(&query, wire)));
        }
        pin_rcu_online();
        world_move_four(server.world, (uint8_t)generation);
        pin_rcu_offline();
        for (int i = 0; i < 8; i++) {
            assert_true(receive(fd));
            assert_int_equal(reply.n_records, 4);
            for (size_t r = 1; r < 4; r++) {
                assert_int_equal(reply.wire[reply.records[r].rdata_at + 1],
                    reply.wire[reply.records[0].rdata_at + 1]);
            }
        }
    }
    (void)close(fd);
}

static void test_stop_while_blocked(void **state)
{
    (void)state;
    server_start(&server, "127.0.0.1:0", 2, NULL);
    int64_t start_ms = pin_clock_mono_ms();
    server_stop(&server);
    assert_in_range(pin_clock_mono_ms() - start_ms, 0, 1000);
}

static void assert_answers_from(const char *listen, const char *asked)
{
    server_start(&server, listen, 1, NULL);
    int fd = server_connect(&server, SOCK_DGRAM, asked);
    assert_answered(fd, 9);
    (void)close(fd);
    fd = server_connect(&server, SOCK_STREAM, asked);
    (void)close(fd);
    server_stop(&server);
}

static void test_wildcard_answers_from_the_address_asked(void **state)
{
    (void)state;
    assert_answers_from("0.0.0.0:0", "127.0.0.1");
    assert_answers_from("0.0.0.0:0", "127.0.0.77");
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    bool has = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof(loopback)) == 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return has;
}

static void test_ipv6(void **state)
{
    (void)state;
    if (!has_ipv6()) {
        skip();
    }
    assert_answers_from("[::1]:0", "::1");
    assert_answers_from("[::]:0", "::1");
}

static void test_many_workers_share_one_port(void **state)
{
    (void)state;
    server_start(&server, "127.0.0.1:0", 4, NULL);
    for (uint16_t i = 1; i <= 64; i++) {
        int fd = server_connect(&server, SOCK_DGRAM, NULL);
        assert_answered(fd, i);
        (void)close(fd);
    }
    server_stop(&server);
}

static enum pin_err start_second(size_t n_workers, const char *address, struct pin_why *why)
{
    struct pin_listen_spec listen = {.cluster_id = PIN_CLUSTER_NONE};
    struct pin_workers *second = NULL;
    if (address == NULL) {
        listen.address = server.address;
    } else {
        assert_true(pin_addrport_parse(address, 0, &listen.address));
    }
    struct pin_workers_config config = {
        .live = &server.world->live, .listens = &listen, .n_listens = 1, .n_workers = n_workers};
    enum pin_err err = pin_workers_start(&config, &second, why);
    if (err == PIN_OK) {
        pin_workers_stop(second);
    }
    return err;
}

/* However many workers the first and the second daemon have: questions are never shared out. */
static void test_port_in_use(void **state)
{
    static const size_t n_workers[] = {1, 3};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct pin_why why = {.text = ""};
        server_start(&server, "127.0.0.1:0", n_workers[i / 2], NULL);
        assert_int_equal(start_second(n_workers[i % 2], NULL, &why), PIN_EBUSY);
        assert_non_null(strstr(why.text, "in use"));
        assert_non_null(strstr(why.text, "ss -"));
        int fd = server_connect(&server, SOCK_DGRAM, NULL);
        assert_answered(fd, 5);
        (void)close(fd);
        server_stop(&server);
    }
}

static void test_foreign_address(void **state)
{
    struct pin_why why = {.text = ""};
    (void)state;
    assert_int_equal(start_second(1, "192.0.2.1:0", &why), PIN_EINVAL);
    assert_non_null(strstr(why.text, "192.0.2.1"));
    assert_non_null(strstr(why.text, "no interface"));
}

static void test_restart_on_the_same_port(void **state)
{
    char address[PIN_ADDRPORT_TEXT_MAX];
    (void)state;
    /* an address that tests beside this one leave alone: theirs could take the port in between */
    server_start(&server, "127.77.0.1:0", 2, NULL);
    (void)pin_addrport_format(&server.address, address);
    int fd = server_connect(&server, SOCK_STREAM, NULL); /* leaves a TIME_WAIT behind */
    server_stop(&server);
    server_start(&server, address, 2, NULL);
    server_stop(&server);
    (void)close(fd);
}

/* A copy of a socket as another process has it, asked without waiting. */
static int copy_of(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    assert_true(copy >= 0);
    return copy;
}

/* Workers that were held and end have taken nothing: it waits for who has the sockets next. */
static void test_end_while_held_reads_nothing(void **state)
{
    struct pin_listen_spec listen = {.cluster_id = PIN_CLUSTER_NONE};
    struct pin_why why = {.text = ""};
    struct pin_workers *held = NULL;
    uint8_t wire[512];
    int fds[2];
    (void)state;
    assert_true(pin_addrport_parse("127.0.0.1:0", 0, &listen.address));
    struct pin_workers_config config = {.live = &server.world->live,
        .listens = &listen,
        .n_listens = 1,
        .n_workers = 1,
        .is_held = true};
    assert_int_equal(pin_workers_start(&config, &held, &why), PIN_OK);
    assert_int_equal(pin_workers_fds(held, fds, N_ELEMS(fds)), N_ELEMS(fds));
    int tcp = copy_of(fds[0]);
    int udp = copy_of(fds[1]);
    struct server asked = {.workers = held};
    pin_workers_address(held, 0, &asked.address);
    int asker = server_connect(&asked, SOCK_DGRAM, NULL);
    int caller = server_connect(&asked, SOCK_STREAM, NULL);
    send_query(asker, 7, 0);
    pin_workers_stop(held);
    assert_true(recv(udp, wire, sizeof(wire), MSG_DONTWAIT) > 0);
    int accepted = accept(tcp, NULL, NULL); /* it does not wait, as who opened it wanted */
    assert_true(accepted >= 0);
    (void)close(accepted);
    (void)close(caller);
    (void)close(asker);
    (void)close(udp);
    (void)close(tcp);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_question_and_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_noise_between_queries, start, stop),
        cmocka_unit_test_setup_teardown(test_datagrams_of_any_size, start, stop),
        cmocka_unit_test_setup_teardown(test_every_answer_is_of_one_generation, start, stop),
        cmocka_unit_test(test_stop_while_blocked),
        cmocka_unit_test(test_wildcard_answers_from_the_address_asked),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_many_workers_share_one_port),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test_setup_teardown(test_foreign_address, start, stop),
        cmocka_unit_test_setup_teardown(test_end_while_held_reads_nothing, start, stop),
        cmocka_unit_test(test_restart_on_the_same_port),
    };
    return cmocka_run_group_tests_name("udp", tests, NULL, NULL);
}
