/* SPDX-License-Identifier: Apache-2.0 */

/* Sockets that come from the process before: what is found, and what becomes of the rest. */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/handover.h"
#include "resolver/listen.h"

static struct pin_addrport loopback(uint16_t port)
{
    struct pin_addrport address = {0};
    assert_true(pin_addrport_parse("127.0.0.1", 0, &address));
    address.port = port;
    return address;
}

/* Opens a listener and puts its sockets into the environment. */
static struct pin_listen hand_over(size_t n_workers, int said_fd)
{
    struct pin_listen listen = {0};
    struct pin_why why = {0};
    struct pin_addrport address = loopback(0);
    char text[256];
    assert_int_equal(pin_listen_open(&address, n_workers, true, NULL, &listen, &why), PIN_OK);
    int bytes = snprintf(text, sizeof(text), "%d", said_fd);
    for (size_t i = 0; i < n_workers; i++) {
        bytes += snprintf(text + bytes, sizeof(text) - (size_t)bytes, ",%d,%d", listen.tcp_fds[i],
            listen.udp_fds[i]);
    }
    assert_int_equal(setenv("PINTLE_HANDOVER", text, 1), 0);
    return listen;
}

static void test_sockets_are_found_by_address_and_type(void **state)
{
    int ends[2];
    pid_t pid = 0;
    struct pin_handover handover;
    struct pin_listen taken = {0};
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct pin_listen before = hand_over(2, ends[1]);
    assert_true(pin_handover_take(&handover));
    assert_null(getenv("PINTLE_HANDOVER"));
    assert_int_equal(handover.n, 4);
    struct pin_addrport other = loopback(1);
    assert_int_equal(pin_handover_find(&handover, &other, SOCK_DGRAM), -1);
    struct pin_addrport same = before.address;
    assert_int_equal(pin_listen_open(&same, 1, true,
                         &(struct pin_listen_given){.handover = &handover}, &taken, &why),
        PIN_OK);
    assert_int_equal(taken.address.port, before.address.port);
    assert_int_equal(taken.tcp_fds[0], before.tcp_fds[0]);
    assert_int_equal(taken.udp_fds[0], before.udp_fds[0]);
    assert_true(pin_handover_ready(&handover));
    assert_true(pin_handover_hear(ends[0], &pid));
    assert_int_equal(pid, getpid());
    assert_int_equal(fcntl(before.tcp_fds[1], F_GETFD), -1); /* nobody wanted it */
    assert_true(fcntl(before.tcp_fds[0], F_GETFD) >= 0);
    before.tcp_fds[1] = -1;
    before.udp_fds[1] = -1;
    pin_listen_close(&before);
    free(taken.tcp_fds);
    free(taken.udp_fds);
    (void)close(ends[0]);
}

/* A process with more workers than the one before opens what it lacks. */
static void test_more_workers_open_more(void **state)
{
    int ends[2];
    struct pin_handover handover;
    struct pin_listen taken = {0};
    struct pin_why why = {0};
    (void)state;
    assert_int_equal(pipe(ends), 0);
    struct pin_listen before = hand_over(1, ends[1]);
    assert_true(pin_handover_take(&handover));
    assert_int_equal(pin_listen_open(&before.address, 2, true,
                         &(struct pin_listen_given){.handover = &handover}, &taken, &why),
        PIN_OK);
    assert_true(taken.udp_fds[1] >= 0 && taken.tcp_fds[1] >= 0);
    assert_true(pin_handover_ready(&handover));
    pin_listen_close(&taken);
    free(before.tcp_fds);
    free(before.udp_fds);
    (void)close(ends[0]);
}

static void test_nothing_in_the_environment(void **state)
{
    struct pin_handover handover;
    struct pin_addrport address = loopback(0);
    (void)state;
    assert_false(pin_handover_take(&handover));
    assert_int_equal(setenv("PINTLE_HANDOVER", "99999,1", 1), 0); /* no descriptor of ours */
    assert_false(pin_handover_take(&handover));
    assert_int_equal(pin_handover_find(NULL, &address, SOCK_STREAM), -1);
}

/* The next process has the pipe open, and its end is seen. */
static void test_spawn(void **state)
{
    char *const argv[] = {"sh", "-c", "exec 9>&${PINTLE_HANDOVER%%,*}; printf 1 >&9", NULL};
    int ends[2];
    sigset_t mask;
    struct pin_handover_next next = {
        .program = "/bin/sh", .argv = argv, .mask = &mask, .fds = &ends[1], .n = 1};
    struct pin_why why = {0};
    pid_t pid = 0;
    char byte = 0;
    (void)state;
    assert_int_equal(sigemptyset(&mask), 0);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(pin_handover_spawn(&next, &pid, &why), PIN_OK);
    (void)close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 1);
    assert_int_equal(byte, '1');
    assert_int_equal(read(ends[0], &byte, 1), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    (void)close(ends[0]);
    int status =
        0; /* where posix_spawn() cannot tell, as under valgrind, the child does by its end */
    next.program = "/nonexistent";
    next.n = 0;
    if (pin_handover_spawn(&next, &pid, &why) == PIN_OK) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(WEXITSTATUS(status), 127);
    }
}

/* Who is not waited for any more is told so, and does not take over. */
static void test_nobody_waits(void **state)
{
    int ends[2];
    char text[16];
    struct pin_handover handover;
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    (void)snprintf(text, sizeof(text), "%d", ends[1]);
    assert_int_equal(setenv("PINTLE_HANDOVER", text, 1), 0);
    assert_true(pin_handover_take(&handover));
    assert_false(pin_handover_is_over(&handover));
    (void)close(ends[0]);
    assert_false(pin_handover_ready(&handover));
    assert_true(pin_handover_is_over(&handover));
    assert_true(pin_handover_is_over(&handover));
    assert_int_equal(fcntl(ends[1], F_GETFD), -1);
    assert_int_equal(setenv("PINTLE_HANDOVER", "3", 1), 0);
    pin_handover_forget();
    assert_null(getenv("PINTLE_HANDOVER"));
}

/* Who it is is told with the word itself; versions before said nothing else, and one that reads
 * only the first byte sees what it always was. */
static void test_who_is_ready(void **state)
{
    static const struct {
        const char *text;
        pid_t pid;
        bool is_ready;
    } cases[] = {{"", 0, false}, {"1", 0, true}, {"1\n", 0, true}, {"14711\n", 4711, true},
        {"14711", 0, true}, {"1-1\n", 0, true}, {"10\n", 0, true}, {"199999999999\n", 0, true},
        {"17 1\n", 0, true}, {"1111111111111111111111111111111111111111111\n", 0, true}};
    (void)state;
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        int ends[2];
        pid_t pid = 1;
        size_t bytes = strlen(cases[i].text);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], cases[i].text, bytes), bytes);
        (void)close(ends[1]);
        assert_int_equal(pin_handover_hear(ends[0], &pid), cases[i].is_ready);
        assert_int_equal(pid, cases[i].pid);
        (void)close(ends[0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sockets_are_found_by_address_and_type),
        cmocka_unit_test(test_more_workers_open_more),
        cmocka_unit_test(test_nothing_in_the_environment),
        cmocka_unit_test(test_spawn),
        cmocka_unit_test(test_nobody_waits),
        cmocka_unit_test(test_who_is_ready),
    };
    return cmocka_run_group_tests_name("handover", tests, NULL, NULL);
}
