/* SPDX-License-Identifier: Apache-2.0 */

/* Streams: framing however it is cut, deadlines, limits, and clients that do not read (RFC 7766).
 */

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "resolver/worker.h"
#include "support/message.h"
#include "support/server.h"

#define N_PIPELINED 100u
#define N_SENT_MAX  500u

static struct server server;
static struct message reply;

static int start(void **state)
{
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, NULL);
    return 0;
}

/* Deadlines short enough to wait for, and far from each other's. */
static int start_impatient(void **state)
{
    static const struct pin_stream_limits limits = {
        .idle_timeout_ms = 300, .read_timeout_ms = 300, .write_timeout_ms = 300};
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, &limits);
    return 0;
}

static int start_patient(void **state)
{
    static const struct pin_stream_limits limits = {.idle_timeout_ms = 1600};
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, &limits);
    return 0;
}

static int start_narrow(void **state)
{
    static const struct pin_stream_limits limits = {.n_max = 6, .n_max_per_client = 4};
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, &limits);
    return 0;
}

static int start_crowded(void **state)
{
    static const struct pin_stream_limits limits = {.n_max = 1};
    (void)state;
    server_start(&server, "127.0.0.1:0", 2, &limits);
    return 0;
}

static int start_frugal(void **state)
{
    static const struct pin_stream_limits limits = {.n_max_queries = 5};
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, &limits);
    return 0;
}

static int start_short_lived(void **state)
{
    static const struct pin_stream_limits limits = {.max_duration_ms = 400};
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, &limits);
    return 0;
}

static int start_slow_door(void **state)
{
    static const struct pin_stream_limits limits = {.rates = {[PIN_RATE_CONNECTIONS] = 5}};
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, &limits);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static size_t www(uint8_t *wire, uint16_t id)
{
    return server_frame(
        &(struct message_query){.name = "www.t.example", .type = 1, .id = id}, wire);
}

/* Questions 1 to `n`; returns their length. */
static size_t many(uint8_t *wire, size_t (*ask)(uint8_t *wire, uint16_t id), uint16_t n)
{
    size_t bytes = 0;
    for (uint16_t i = 1; i <= n; i++) {
        bytes += ask(wire + bytes, i);
    }
    return bytes;
}

/* A connection on which they were asked, all at once. */
static int connect_with(size_t (*ask)(uint8_t *wire, uint16_t id), uint16_t n)
{
    static uint8_t wire[N_SENT_MAX * 64];
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(n <= N_SENT_MAX && server_send(fd, wire, many(wire, ask, n)));
    return fd;
}

static void assert_answer(int fd, uint16_t id)
{
    assert_true(server_read_answer(fd, &reply));
    assert_int_equal(reply.id, id);
    assert_int_equal(reply.rcode, 0);
    assert_int_equal(reply.n_rr[1], 1);
}

static void assert_still_answers(int fd)
{
    uint8_t wire[512];
    assert_true(server_send(fd, wire, www(wire, 4711)));
    assert_answer(fd, 4711);
}

/* --- framing ------------------------------------------------------------------------------ */

static void test_pipelined_queries(void **state)
{
    (void)state;
    int fd = connect_with(www, N_PIPELINED);
    for (uint16_t i = 1; i <= N_PIPELINED; i++) {
        assert_answer(fd, i);
    }
    (void)close(fd);
}

/* Cuts two queries into two segments at every place. */
static void test_every_cut(void **state)
{
    uint8_t wire[128];
    size_t bytes = www(wire, 1);
    bytes += www(wire + bytes, 2);
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    int on = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on)), 0);
    for (size_t cut = 1; cut < bytes; cut++) {
        assert_true(server_send(fd, wire, cut));
        usleep(500); /* no wait for anything: only lets the segments part */
        assert_true(server_send(fd, wire + cut, bytes - cut));
        assert_answer(fd, 1);
        assert_answer(fd, 2);
    }
    (void)close(fd);
}

static void test_one_octet_per_segment(void **state)
{
    uint8_t wire[64];
    size_t bytes = www(wire, 3);
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    int on = 1;
    assert_int_equal(setsockopt(fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on)), 0);
    for (size_t i = 0; i < bytes; i++) {
        assert_true(server_send(fd, wire + i, 1));
        usleep(200);
    }
    assert_answer(fd, 3);
    (void)close(fd);
}

static void test_half_close_after_the_query(void **state)
{
    uint8_t wire[64];
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, www(wire, 5)));
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_answer(fd, 5);
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
}

static void test_noise_and_refusals_do_not_end_a_stream(void **state)
{
    uint8_t wire[128];
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    struct message_query noise = {.name = "t.example", .type = 6, .flags = 0x8000};
    assert_true(server_send(fd, wire, server_frame(&noise, wire)));
    assert_still_answers(fd);
    struct message_query transfer = {.name = "t.example", .type = 252};
    assert_true(server_send(fd, wire, server_frame(&transfer, wire)));
    assert_true(server_read_answer(fd, &reply));
    assert_int_equal(reply.rcode, 5);
    assert_still_answers(fd);
    (void)close(fd);
}

static void test_lengths_that_hold_no_header(void **state)
{
    static const uint8_t lengths[] = {0, 1, 11};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(lengths); i++) {
        uint8_t wire[128] = {0};
        size_t bytes = www(wire, 8);
        wire[bytes + 1] = lengths[i];
        int fd = server_connect(&server, SOCK_STREAM, NULL);
        assert_true(server_send(fd, wire, bytes + 2 + lengths[i]));
        assert_answer(fd, 8); /* what came before is answered */
        assert_true(server_is_closed_by_peer(fd));
        (void)close(fd);
    }
}

static void test_largest_message(void **state)
{
    static uint8_t wire[2 + 65535];
    (void)state;
    memset(wire, 0, sizeof(wire));
    memset(wire, 0xFF, 2);
    wire[3] = 1; /* an id; a header that asks nothing, followed by zeroes */
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, sizeof(wire)));
    assert_true(server_read_answer(fd, &reply));
    assert_int_equal(reply.rcode, 1);
    assert_still_answers(fd);
    (void)close(fd);
}

/* --- large answers and clients that do not read ------------------------------------------- */

static size_t srvs(uint8_t *wire, uint16_t id)
{
    return server_frame(
        &(struct message_query){.name = "srvs.t.example", .type = 33, .id = id}, wire);
}

/* Far more than socket buffers hold is asked for before the first answer is read. */
static void test_slow_reader_gets_everything_in_order(void **state)
{
    (void)state;
    int fd = connect_with(srvs, 500);
    for (uint16_t i = 1; i <= 500; i++) {
        assert_true(server_read_answer(fd, &reply));
        assert_int_equal(reply.id, i);
        assert_int_equal(reply.n_rr[1], 1000);
    }
    assert_still_answers(fd);
    (void)close(fd);
}

static bool is_one_timed_out(const struct server *s)
{
    return server_stats(s).n_timed_out == 1;
}

static bool is_nobody_here(const struct server *s)
{
    return server_stats(s).n_open == 0;
}

static void test_client_that_never_reads(void **state)
{
    (void)state;
    int fd = connect_with(srvs, 500);
    assert_true(server_wait(is_one_timed_out, &server));
    assert_true(server_wait(is_nobody_here, &server));
    (void)close(fd);
}

static void test_reset_while_answering(void **state)
{
    uint8_t wire[100 * 64];
    size_t bytes = many(wire, srvs, 100);
    struct linger reset = {.l_onoff = 1};
    (void)state;
    for (int i = 0; i < 50; i++) {
        int fd = server_connect(&server, SOCK_STREAM, NULL);
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
        assert_true(server_send(fd, wire, bytes));
        (void)close(fd);
    }
    assert_true(server_wait(is_nobody_here, &server));
}

/* --- deadlines ---------------------------------------------------------------------------- */

static void test_idle_connection_is_closed(void **state)
{
    (void)state;
    int64_t start_ms = pin_clock_mono_ms();
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_still_answers(fd);
    assert_true(server_is_closed_by_peer(fd));
    assert_in_range(pin_clock_mono_ms() - start_ms, 250, SERVER_PATIENCE_MS);
    (void)close(fd);
    assert_int_equal(server_stats(&server).n_timed_out, 1);
}

/* Bytes that trickle in do not move the deadline of their message. */
static void test_slow_query_is_cut_off(void **state)
{
    uint8_t wire[64];
    size_t bytes = www(wire, 1);
    size_t at = 0;
    (void)state;
    int64_t start_ms = pin_clock_mono_ms();
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    while (at < bytes - 1 && server_send(fd, wire + at, 1)) {
        at++;
        usleep(40000); /* as slow clients are: a second for all of it */
    }
    assert_true(at < bytes - 1);
    assert_true(pin_clock_mono_ms() - start_ms >= 250);
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
}

/* Whether five queries were answered that each came before the deadline, and together after it.
 * `ret_is_late`: the machine let one of them wait for longer. */
static bool keeps_open(int fd, bool *ret_is_late)
{
    uint8_t wire[64];
    int64_t last_ms = pin_clock_mono_ms();
    bool is_answered = true;
    for (int i = 0; i < 5 && is_answered; i++) {
        is_answered = server_send(fd, wire, www(wire, 1)) && server_read_answer(fd, &reply);
        *ret_is_late = pin_clock_mono_ms() - last_ms > 1200;
        last_ms = pin_clock_mono_ms();
        usleep(400000);
    }
    return is_answered;
}

static void test_queries_keep_a_connection_open(void **state)
{
    (void)state;
    bool is_kept = false;
    bool is_late = true;
    for (int i = 0; i < 20 && !is_kept && is_late; i++) {
        int fd = server_connect(&server, SOCK_STREAM, NULL);
        is_kept = keeps_open(fd, &is_late);
        (void)close(fd);
    }
    assert_true(is_kept);
}

/* --- limits ------------------------------------------------------------------------------- */

static void test_client_limit_closes_its_quietest(void **state)
{
    int fds[5];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        fds[i] = server_connect(&server, SOCK_STREAM, NULL);
        assert_still_answers(fds[i]);
    }
    assert_still_answers(fds[0]); /* now the second is the one quiet for longest */
    fds[4] = server_connect(&server, SOCK_STREAM, NULL);
    assert_still_answers(fds[4]);
    assert_true(server_is_closed_by_peer(fds[1]));
    assert_still_answers(fds[0]);
    assert_still_answers(fds[2]);
    assert_still_answers(fds[3]);
    assert_int_equal(server_stats(&server).n_open, 4);
    assert_int_equal(server_stats(&server).n_evicted, 1);
    for (size_t i = 0; i < N_ELEMS(fds); i++) {
        (void)close(fds[i]);
    }
    assert_true(server_wait(is_nobody_here, &server));
}

/* Connects from an address of its own: all of 127/8 is the loopback's. */
static int connect_from(const char *source)
{
    struct pin_addrport local = {.port = 0};
    struct sockaddr_storage from;
    struct sockaddr_storage to;
    assert_true(pin_ip_parse(source, &local.ip));
    socklen_t from_bytes = pin_addrport_to_sockaddr(&local, &from);
    socklen_t to_bytes = pin_addrport_to_sockaddr(&server.address, &to);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&from, from_bytes), 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, to_bytes), 0);
    return fd;
}

static void test_total_limit_makes_room_for_others(void **state)
{
    int fds[7];
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        fds[i] = connect_from(i < 3 ? "127.0.0.2" : "127.0.0.3");
        assert_still_answers(fds[i]);
    }
    fds[6] = connect_from("127.0.0.4");
    assert_still_answers(fds[6]);
    assert_true(server_is_closed_by_peer(fds[0]));
    assert_int_equal(server_stats(&server).n_open, 6);
    for (size_t i = 0; i < N_ELEMS(fds); i++) {
        (void)close(fds[i]);
    }
}

/* The kernel says whose they are: some come to a thread whose neighbour has all that there may be.
 */
static void test_no_thread_keeps_another_from_answering(void **state)
{
    int fds[32];
    (void)state;
    for (size_t i = 0; i < N_ELEMS(fds); i++) {
        fds[i] = connect_from("127.0.0.2");
        assert_still_answers(fds[i]);
    }
    assert_true(server_stats(&server).n_open <= 2);
    for (size_t i = 0; i < N_ELEMS(fds); i++) {
        (void)close(fds[i]);
    }
}

/* Waits until the server has that many connections. */
static void assert_open_becomes(uint64_t n)
{
    int64_t start_ms = pin_clock_mono_ms();
    while (server_stats(&server).n_open != n) {
        assert_true(pin_clock_mono_ms() - start_ms < SERVER_PATIENCE_MS);
        (void)usleep(1000);
    }
}

static void test_queries_of_one_connection_are_limited(void **state)
{
    (void)state;
    int fd = connect_with(www, 7);
    for (uint16_t i = 1; i <= 5; i++) {
        assert_answer(fd, i);
    }
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
    assert_open_becomes(0);
    assert_int_equal(server_stats(&server).n_query_limit, 1);
}

/* Nobody is reset in the middle of a sentence: answers that it has not read would be lost. */
static void test_who_asks_too_much_may_finish_its_sentence(void **state)
{
    static uint8_t wire[50000];
    size_t bytes = many(wire, www, 7);
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, bytes));
    for (uint16_t i = 1; i <= 5; i++) {
        assert_answer(fd, i);
    }
    assert_true(server_is_closed_by_peer(fd));
    for (size_t i = 0; i < 10; i++) {
        assert_true(server_send(fd, wire, sizeof(wire)));
    }
    (void)close(fd);
}

/* Who does not care is let go. */
static void test_nobody_is_waited_for_long(void **state)
{
    uint8_t wire[7 * 64];
    size_t bytes = many(wire, www, 5);
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    int64_t start_ms = pin_clock_mono_ms();
    assert_true(server_send(fd, wire, bytes));
    assert_true(server_is_closed_by_peer(fd));
    while (server_stats(&server).n_open > 0) {
        assert_true(pin_clock_mono_ms() - start_ms < SERVER_PATIENCE_MS);
        (void)server_send(fd, wire, 1); /* a byte now and then changes nothing */
        (void)usleep(20000);
    }
    assert_true(pin_clock_mono_ms() - start_ms >= 1900);
    (void)close(fd);
    assert_int_equal(server_stats(&server).n_timed_out, 0);
}

static void test_life_of_one_connection_is_limited(void **state)
{
    (void)state;
    int64_t start_ms = pin_clock_mono_ms();
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_still_answers(fd);
    assert_true(server_is_closed_by_peer(fd));
    assert_in_range(pin_clock_mono_ms() - start_ms, 350, SERVER_PATIENCE_MS);
    (void)close(fd);
    assert_open_becomes(0);
    assert_int_equal(server_stats(&server).n_time_limit, 1);
    assert_int_equal(server_stats(&server).n_timed_out, 0);
}

static void test_new_connections_of_a_client_are_limited(void **state)
{
    int n_served = 0;
    int64_t start_ms = pin_clock_mono_ms();
    (void)state;
    for (int i = 0; i < 20; i++) {
        uint8_t wire[64];
        int fd = connect_from("127.0.0.2");
        n_served += server_send(fd, wire, www(wire, 1)) && server_read_answer(fd, &reply);
        (void)close(fd);
    }
    int64_t seconds = (pin_clock_mono_ms() - start_ms) / 1000;
    assert_in_range(n_served, 5, PIN_MIN(10 + 5 * seconds, (int64_t)20));
    int fd = connect_from("127.0.0.3"); /* others are none the worse */
    assert_still_answers(fd);
    (void)close(fd);
    assert_int_equal(server_stats(&server).n_rate_limited, 20 - n_served);
}

static bool is_accept_failing(const struct server *s)
{
    return server_stats(s).n_accept_errors > 0;
}

static void test_no_descriptors_left(void **state)
{
    struct rlimit before;
    (void)state;
    int waiting = server_connect(&server, SOCK_STREAM, NULL);
    assert_still_answers(waiting);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_storage to;
    socklen_t to_bytes = pin_addrport_to_sockaddr(&server.address, &to);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)late + 1, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(connect(late, (const struct sockaddr *)&to, to_bytes), 0);
    assert_true(server_wait(is_accept_failing, &server));
    assert_still_answers(waiting); /* who is in is served meanwhile */
    assert_in_range(server_stats(&server).n_accept_errors, 1, 10);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_still_answers(late);
    (void)close(late);
    (void)close(waiting);
}

static void test_stop_with_open_connections(void **state)
{
    (void)state;
    server_start(&server, "127.0.0.1:0", 2, NULL);
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    int64_t start_ms = pin_clock_mono_ms();
    server_stop(&server);
    assert_in_range(pin_clock_mono_ms() - start_ms, 0, SERVER_PATIENCE_MS);
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pipelined_queries, start, stop),
        cmocka_unit_test_setup_teardown(test_every_cut, start, stop),
        cmocka_unit_test_setup_teardown(test_one_octet_per_segment, start, stop),
        cmocka_unit_test_setup_teardown(test_half_close_after_the_query, start, stop),
        cmocka_unit_test_setup_teardown(test_noise_and_refusals_do_not_end_a_stream, start, stop),
        cmocka_unit_test_setup_teardown(test_lengths_that_hold_no_header, start, stop),
        cmocka_unit_test_setup_teardown(test_largest_message, start, stop),
        cmocka_unit_test_setup_teardown(test_slow_reader_gets_everything_in_order, start, stop),
        cmocka_unit_test_setup_teardown(test_client_that_never_reads, start_impatient, stop),
        cmocka_unit_test_setup_teardown(test_reset_while_answering, start, stop),
        cmocka_unit_test_setup_teardown(test_idle_connection_is_closed, start_impatient, stop),
        cmocka_unit_test_setup_teardown(test_slow_query_is_cut_off, start_impatient, stop),
        cmocka_unit_test_setup_teardown(test_queries_keep_a_connection_open, start_patient, stop),
        cmocka_unit_test_setup_teardown(test_client_limit_closes_its_quietest, start_narrow, stop),
        cmocka_unit_test_setup_teardown(test_total_limit_makes_room_for_others, start_narrow, stop),
        cmocka_unit_test_setup_teardown(
            test_no_thread_keeps_another_from_answering, start_crowded, stop),
        cmocka_unit_test_setup_teardown(
            test_queries_of_one_connection_are_limited, start_frugal, stop),
        cmocka_unit_test_setup_teardown(
            test_who_asks_too_much_may_finish_its_sentence, start_frugal, stop),
        cmocka_unit_test_setup_teardown(test_nobody_is_waited_for_long, start_frugal, stop),
        cmocka_unit_test_setup_teardown(
            test_life_of_one_connection_is_limited, start_short_lived, stop),
        cmocka_unit_test_setup_teardown(
            test_new_connections_of_a_client_are_limited, start_slow_door, stop),
        cmocka_unit_test_setup_teardown(test_no_descriptors_left, start, stop),
        cmocka_unit_test(test_stop_with_open_connections),
    };
    return cmocka_run_group_tests_name("tcp", tests, NULL, NULL);
}
