/* SPDX-License-Identifier: Apache-2.0 */

/* Late answers on streams: what is ready never waits for what is not (RFC 7766, section 6.2.1.1).
 */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "resolver/answer.h"
#include "resolver/worker.h"
#include "support/message.h"
#include "support/server.h"

#define TYPE_LATE   65280u /* private use: what the double below keeps back */
#define QUERY_BYTES 64u
#define N_KEPT      512u
#define N_PENDING   100u /* the limit */

static struct server server;
static struct message reply;

/* --- a forwarder that answers when it is told to ------------------------------------------- */

struct kept {
    struct pin_return back;
    uint8_t wire[QUERY_BYTES];
    size_t bytes;
};

static struct {
    pthread_mutex_t lock;
    struct kept kept[N_KEPT];
    size_t n;
} forwarder = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
size_t __real_pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet);
size_t __wrap_pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet);

size_t __wrap_pin_answer(
    struct pin_worker *worker, const struct pin_client *client, const struct pin_packet *packet)
{
    const uint8_t *qtype = packet->wire + packet->bytes - 4;
    if (((unsigned)qtype[0] << 8 | qtype[1]) != TYPE_LATE) {
        return __real_pin_answer(worker, client, packet);
    }
    (void)pthread_mutex_lock(&forwarder.lock);
    if (forwarder.n < N_KEPT && packet->bytes <= QUERY_BYTES) {
        struct kept *kept = &forwarder.kept[forwarder.n++];
        kept->back = *client->back;
        kept->bytes = packet->bytes;
        memcpy(kept->wire, packet->wire, packet->bytes);
    }
    (void)pthread_mutex_unlock(&forwarder.lock);
    return PIN_ANSWER_LATER;
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static size_t n_kept(void)
{
    (void)pthread_mutex_lock(&forwarder.lock);
    size_t n = forwarder.n;
    (void)pthread_mutex_unlock(&forwarder.lock);
    return n;
}

/* Waits until the double keeps `n` questions. */
static bool wait_for_kept(size_t n)
{
    int64_t end_ms = pin_clock_mono_ms() + SERVER_PATIENCE_MS;
    while (n_kept() < n && pin_clock_mono_ms() < end_ms) {
        struct timespec moment = {.tv_nsec = 1000000};
        (void)nanosleep(&moment, NULL);
    }
    return n_kept() == n;
}

/* Posts a kept question with its QR bit set and `extra_bytes` behind it; bytes 0: no answer. */
static void post(size_t i, size_t extra_bytes, bool is_silent)
{
    (void)pthread_mutex_lock(&forwarder.lock);
    const struct kept copy = forwarder.kept[i];
    (void)pthread_mutex_unlock(&forwarder.lock);
    const struct kept *kept = &copy;
    struct pin_late *late = calloc(1, sizeof(*late) + kept->bytes + extra_bytes);
    assert_non_null(late);
    late->stream_id = kept->back.stream_id;
    late->request_id = kept->back.request_id;
    late->bytes = is_silent ? 0 : (uint32_t)(kept->bytes + extra_bytes);
    memcpy(late->wire, kept->wire, kept->bytes);
    late->wire[2] |= 0x80;
    pin_mailbox_post(kept->back.mailbox, late);
}

/* --- life ----------------------------------------------------------------------------------- */

static int start_with(const struct pin_stream_limits *limits)
{
    forwarder.n = 0;
    server_start(&server, "127.0.0.1:0", 1, limits);
    return 0;
}

static int start(void **state)
{
    (void)state;
    return start_with(NULL);
}

static int start_impatient(void **state)
{
    static const struct pin_stream_limits limits = {
        .idle_timeout_ms = 300, .read_timeout_ms = 300, .write_timeout_ms = 300};
    (void)state;
    return start_with(&limits);
}

static int start_forgetful(void **state)
{
    static const struct pin_stream_limits limits = {.pending_timeout_ms = 300};
    (void)state;
    return start_with(&limits);
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

static size_t ask(uint8_t *wire, uint16_t type, uint16_t id)
{
    return server_frame(
        &(struct message_query){.name = "www.t.example", .type = type, .id = id}, wire);
}

static void assert_answer(int fd, uint16_t id)
{
    assert_true(server_read_answer(fd, &reply));
    assert_int_equal(reply.id, id);
}

static bool is_nobody_here(const struct server *s)
{
    return server_stats(s).n_open == 0;
}

/* --- tests ---------------------------------------------------------------------------------- */

/* A connection with questions 1 to `n` whose answers are late. */
static int connect_late(uint16_t n)
{
    uint8_t wire[QUERY_BYTES * N_PENDING];
    size_t bytes = 0;
    for (uint16_t i = 1; i <= n; i++) {
        bytes += ask(wire + bytes, TYPE_LATE, i);
    }
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, bytes));
    return fd;
}

static void test_a_slow_question_holds_up_nobody(void **state)
{
    uint8_t wire[QUERY_BYTES * 100];
    (void)state;
    size_t bytes = ask(wire, TYPE_LATE, 1000);
    for (uint16_t i = 1; i <= 99; i++) {
        bytes += ask(wire + bytes, 1, i);
    }
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    int64_t start_ms = pin_clock_mono_ms();
    assert_true(server_send(fd, wire, bytes));
    for (uint16_t i = 1; i <= 99; i++) {
        assert_answer(fd, i);
    }
    assert_in_range(pin_clock_mono_ms() - start_ms, 0, 5000);
    assert_true(wait_for_kept(1));
    post(0, 0, false);
    assert_answer(fd, 1000);
    (void)close(fd);
}

static void test_late_answers_come_in_any_order(void **state)
{
    uint8_t wire[QUERY_BYTES];
    (void)state;
    int fd = connect_late(3);
    assert_true(wait_for_kept(3));
    post(2, 0, false);
    assert_answer(fd, 3);
    post(0, 0, false);
    post(1, 0, false);
    assert_answer(fd, 1);
    assert_answer(fd, 2);
    assert_true(server_send(fd, wire, ask(wire, 1, 4)));
    assert_answer(fd, 4);
    (void)close(fd);
}

static void test_half_close_waits_for_what_is_pending(void **state)
{
    (void)state;
    int fd = connect_late(2);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(wait_for_kept(2));
    usleep(20000); /* time in which it could be closed too early */
    post(1, 0, false);
    assert_answer(fd, 2);
    post(0, 0, false);
    assert_answer(fd, 1);
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
    assert_true(server_wait(is_nobody_here, &server));
}

static void test_a_request_that_ends_without_an_answer(void **state)
{
    (void)state;
    int fd = connect_late(1);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    assert_true(wait_for_kept(1));
    post(0, 0, true);
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
}

/* One more than the limit, then a ready one: both wait in the kernel or with the connection. */
static void test_too_many_pending_stop_the_reading(void **state)
{
    uint8_t wire[QUERY_BYTES * (N_PENDING + 2)];
    size_t bytes = 0;
    (void)state;
    for (uint16_t i = 0; i <= N_PENDING; i++) {
        bytes += ask(wire + bytes, TYPE_LATE, i);
    }
    bytes += ask(wire + bytes, 1, 4711);
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, bytes));
    assert_true(wait_for_kept(N_PENDING));
    usleep(20000); /* time in which one more could be taken */
    assert_int_equal(n_kept(), N_PENDING);
    post(7, 0, false);
    assert_answer(fd, 7);
    assert_true(wait_for_kept(N_PENDING + 1));
    post(N_PENDING, 0, false);
    assert_answer(fd, N_PENDING);
    assert_answer(fd, 4711);
    (void)close(fd);
}

static void test_pending_questions_stop_the_idle_clock(void **state)
{
    (void)state;
    int fd = connect_late(1);
    assert_true(wait_for_kept(1));
    usleep(700000); /* more than twice the idle deadline */
    post(0, 0, false);
    assert_answer(fd, 1);
    assert_true(server_is_closed_by_peer(fd)); /* and now it runs */
    (void)close(fd);
}

static void test_an_answer_that_never_comes(void **state)
{
    (void)state;
    int fd = connect_late(1);
    assert_true(server_is_closed_by_peer(fd));
    (void)close(fd);
    assert_true(server_wait(is_nobody_here, &server));
    post(0, 0, false); /* too late: nobody gets it */
}

/* A stream in the same place as one that is gone must not get its mail. */
static void test_mail_for_a_stream_that_is_gone(void **state)
{
    uint8_t wire[QUERY_BYTES];
    struct linger reset = {.l_onoff = 1};
    (void)state;
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, ask(wire, TYPE_LATE, 1)));
    assert_true(wait_for_kept(1));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    (void)close(fd);
    assert_true(server_wait(is_nobody_here, &server));
    fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, ask(wire, TYPE_LATE, 2)));
    assert_true(wait_for_kept(2));
    assert_true(forwarder.kept[0].back.stream_id != forwarder.kept[1].back.stream_id);
    post(0, 0, false);
    post(1, 0, false);
    assert_answer(fd, 2);
    (void)close(fd);
}

/* While the reading is stopped, only the kernel tells that the client is gone. */
static void test_reset_while_the_reading_is_stopped(void **state)
{
    uint8_t wire[QUERY_BYTES * N_PENDING];
    size_t bytes = 0;
    struct linger reset = {.l_onoff = 1};
    (void)state;
    for (uint16_t i = 0; i < N_PENDING; i++) {
        bytes += ask(wire + bytes, TYPE_LATE, i);
    }
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, bytes));
    assert_true(wait_for_kept(N_PENDING));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
    (void)close(fd);
    assert_true(server_wait(is_nobody_here, &server));
}

/* Large late answers for a client that reads none: kept within bounds, then over. */
static void test_late_answers_nobody_reads(void **state)
{
    uint8_t wire[QUERY_BYTES * N_PENDING];
    size_t bytes = 0;
    (void)state;
    for (uint16_t i = 0; i < N_PENDING; i++) {
        bytes += ask(wire + bytes, TYPE_LATE, i);
    }
    int fd = server_connect(&server, SOCK_STREAM, NULL);
    assert_true(server_send(fd, wire, bytes));
    assert_true(wait_for_kept(N_PENDING));
    for (size_t i = 0; i < N_PENDING; i++) {
        post(i, 60000, false);
    }
    assert_true(server_wait(is_nobody_here, &server));
    assert_true(server_stats(&server).n_timed_out <= 1);
    (void)close(fd);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_slow_question_holds_up_nobody, start, stop),
        cmocka_unit_test_setup_teardown(test_late_answers_come_in_any_order, start, stop),
        cmocka_unit_test_setup_teardown(test_half_close_waits_for_what_is_pending, start, stop),
        cmocka_unit_test_setup_teardown(test_a_request_that_ends_without_an_answer, start, stop),
        cmocka_unit_test_setup_teardown(test_too_many_pending_stop_the_reading, start, stop),
        cmocka_unit_test_setup_teardown(
            test_pending_questions_stop_the_idle_clock, start_impatient, stop),
        cmocka_unit_test_setup_teardown(test_an_answer_that_never_comes, start_forgetful, stop),
        cmocka_unit_test_setup_teardown(test_mail_for_a_stream_that_is_gone, start, stop),
        cmocka_unit_test_setup_teardown(test_reset_while_the_reading_is_stopped, start, stop),
        cmocka_unit_test_setup_teardown(test_late_answers_nobody_reads, start_impatient, stop),
    };
    return cmocka_run_group_tests_name("late answers on streams", tests, NULL, NULL);
}
