/* SPDX-License-Identifier: Apache-2.0 */

/* Between receiving a question and sending its answer a worker allocates nothing, takes no lock and
 * makes no system call. Each row asks every question over one transport, and all that is counted
 * must stay at 0. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "support/message.h"
#include "support/server.h"
#include "support/watch.h"

#define N_ROUNDS  20
#define N_CHANGES 100
#define N_SLOW    64 /* questions a change meets */

/* One of everything that an answer can be made of. */
static const struct message_query questions[] = {
    {.name = "www.t.example", .type = 1},
    {.name = "WWW.t.EXAMPLE", .type = 1, .has_edns = true, .edns_bytes = 1232},
    {.name = "four.t.example", .type = 1},
    {.name = "four.t.example", .type = 28, .has_edns = true, .edns_bytes = 4096},
    {.name = "split.t.example", .type = 1},
    {.name = "many.t.example", .type = 1},
    {.name = "whole.t.example", .type = 1},
    {.name = "whole.t.example", .type = 28, .has_edns = true, .edns_bytes = 1232},
    {.name = "local.t.example", .type = 1},
    {.name = "stuck.t.example", .type = 1},
    {.name = "stuck-1000.t.example", .type = 1},
    {.name = "stuck-weights.t.example", .type = 1},
    {.name = "big.t.example", .type = 16},
    {.name = "srv.t.example", .type = 33},
    {.name = "srvs.t.example", .type = 33, .has_edns = true, .edns_bytes = 1232},
    {.name = "alias.t.example", .type = 1},
    {.name = "far.t.example", .type = 1},
    {.name = "dangling.t.example", .type = 1},
    {.name = "loop.t.example", .type = 1},
    {.name = "any.wild.t.example", .type = 16},
    {.name = "t.example", .type = 6},
    {.name = "t.example", .type = 2},
    {.name = "www.t.example", .type = 255},
    {.name = "www.t.example", .type = 28},
    {.name = "ent.t.example", .type = 1},
    {.name = "nothing.t.example", .type = 1},
    {.name = "www.t.example.default.svc.test", .type = 1},
    {.name = "nothing.svc.test", .type = 28, .has_edns = true, .edns_bytes = 512},
    {.name = "example.com", .type = 1},
    {.name = ".", .type = 2},
    {.name = "t.example", .type = 252},
    {.name = "www.t.example", .type = 1, .qclass = 3},
    {.name = "www.t.example", .type = 1, .flags = 0x2000},
    {.name = "www.t.example", .type = 1, .has_edns = true, .edns_version = 1},
};

static struct server server;

static int start(void **state)
{
    (void)state;
    server_start(&server, "127.0.0.1:0", 1, NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    watch_stop();
    server_stop(&server);
    return 0;
}

/* Asks everything over UDP, several at a time, and waits for all answers. */
static void ask_all_udp(int fd)
{
    uint8_t wire[512];
    for (size_t i = 0; i < N_ELEMS(questions); i++) {
        assert_true(server_send(fd, wire, message_build(&questions[i], wire)));
    }
    for (size_t i = 0; i < N_ELEMS(questions); i++) {
        uint8_t answer[4096];
        assert_true(recv(fd, answer, sizeof(answer), 0) > 0);
    }
}

static void ask_all_tcp(int fd)
{
    static struct message answer;
    uint8_t wire[2 + 512];
    for (size_t i = 0; i < N_ELEMS(questions); i++) {
        assert_true(server_send(fd, wire, server_frame(&questions[i], wire)));
        assert_true(server_read_answer(fd, &answer));
    }
}

static void assert_nothing_but_answers(void)
{
    struct watched watched = watch_read();
    assert_true(watched.n_windows >= N_ROUNDS);
    assert_int_equal(watched.n_allocations, 0);
    assert_int_equal(watched.n_locks, 0);
    assert_int_equal(watched.last_system_call, -1);
    assert_int_equal(watched.n_system_calls, 0);
}

/* The first round is not counted: it is a thread's first use of its stack and libraries. */
static void watch_rounds(void (*ask_all)(int fd), int socket_type)
{
    struct timeval patience = {.tv_sec = SERVER_PATIENCE_MS / 1000};
    int fd = server_connect(&server, socket_type, NULL);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    watch_start();
    ask_all(fd);
    watch_reset();
    for (int i = 0; i < N_ROUNDS; i++) {
        ask_all(fd);
    }
    assert_nothing_but_answers();
    (void)close(fd);
}

static void test_kernel_can_tell(void **state)
{
    (void)state;
    assert_true(watch_is_able());
}

static void test_udp(void **state)
{
    (void)state;
    watch_rounds(ask_all_udp, SOCK_DGRAM);
}

static void test_tcp(void **state)
{
    (void)state;
    watch_rounds(ask_all_tcp, SOCK_STREAM);
}

/* A writer that waits for readers is woken when a worker goes offline: not before it has sent. */
static void test_udp_while_names_change(void **state)
{
    const struct message_query slow = {.name = "stuck-weights.t.example", .type = 1};
    uint8_t wire[512];
    struct timeval patience = {.tv_sec = SERVER_PATIENCE_MS / 1000};
    (void)state;
    int fd = server_connect(&server, SOCK_DGRAM, NULL);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)), 0);
    watch_start();
    ask_all_udp(fd);
    watch_reset();
    for (unsigned generation = 0; generation < N_CHANGES; generation++) {
        for (int i = 0; i < N_SLOW; i++) {
            assert_true(server_send(fd, wire, message_build(&slow, wire)));
        }
        pin_rcu_online();
        world_move_four(server.world, (uint8_t)generation);
        pin_rcu_synchronize();
        pin_rcu_offline();
        for (int i = 0; i < N_SLOW; i++) {
            assert_true(recv(fd, wire, sizeof(wire), 0) > 0);
        }
    }
    assert_nothing_but_answers();
    (void)close(fd);
}

/* --- the watch itself ----------------------------------------------------------------------- */

static pthread_mutex_t some_lock = PTHREAD_MUTEX_INITIALIZER;
static void *volatile sink;

/* Does in a window what no worker may. */
static void *transgress(void *arg)
{
    int fd = *(int *)arg;
    char byte = 0;
    sink = malloc(1); /* a thread's first one maps memory */
    free(sink);
    (void)recv(fd, &byte, 1, 0);
    sink = malloc(1);
    (void)pthread_mutex_lock(&some_lock);
    (void)pthread_mutex_unlock(&some_lock);
    (void)syscall(SYS_getppid);
    free(sink);
    (void)send(fd, &byte, 1, 0);
    sink = malloc(1); /* outside the window: not counted */
    free(sink);
    return NULL;
}

static void test_watch_sees_everything(void **state)
{
    int fds[2];
    char byte = 1;
    pthread_t thread;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    watch_start();
    assert_int_equal(pthread_create(&thread, NULL, transgress, &fds[1]), 0);
    assert_int_equal(send(fds[0], &byte, 1, 0), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
    struct watched watched = watch_read();
    watch_stop();
    assert_int_equal(watched.n_windows, 1);
    assert_int_equal(watched.n_allocations, 2);
    assert_int_equal(watched.n_locks, 1);
    assert_int_equal(watched.n_system_calls, 1);
    assert_int_equal(watched.last_system_call, SYS_getppid);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kernel_can_tell),
        cmocka_unit_test(test_watch_sees_everything),
        cmocka_unit_test_setup_teardown(test_udp, start, stop),
        cmocka_unit_test_setup_teardown(test_udp_while_names_change, start, stop),
        cmocka_unit_test_setup_teardown(test_tcp, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
