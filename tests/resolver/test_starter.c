/* SPDX-License-Identifier: Apache-2.0 */

/* The process beside a daemon that starts the next one: what that one gets, and when it lives on.
 * The next one is this program again, told by its argument what to do. */

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "resolver/handover.h"
#include "resolver/starter.h"

#define WAIT_MS   60000
#define EXIT_CODE 7
#define FDS_MAX   256
#define N_MANY    300

/* --- The next process ---------------------------------------------------------------------------
 */

static bool has_nothing_else(const struct pin_handover *handover)
{
    size_t n = 0;
    for (int fd = STDERR_FILENO + 1; fd < FDS_MAX; fd++) {
        n += fcntl(fd, F_GETFD) >= 0;
    }
    return n == handover->n + 1;
}

static bool waits_for_no_signal(void)
{
    sigset_t mask;
    bool is_empty = sigprocmask(SIG_SETMASK, NULL, &mask) == 0;
    for (int signo = 1; signo < NSIG; signo++) {
        is_empty = is_empty && sigismember(&mask, signo) != 1;
    }
    return is_empty;
}

/* What a service's processes are all sent, as the order to start it, does not end it. */
static bool outlives_orders(void)
{
    return raise(SIGHUP) == 0 && raise(SIGUSR1) == 0 && raise(SIGUSR2) == 0;
}

static int be_next(const char *what)
{
    static struct pin_handover handover;
    bool is_well = pin_handover_take(&handover);
    if (strcmp(what, "ends") == 0) {
        return EXIT_CODE;
    }
    if (strcmp(what, "looks") == 0) {
        is_well = is_well && handover.n == 2 && has_nothing_else(&handover) && waits_for_no_signal()
                  && outlives_orders();
    } else if (strcmp(what, "counts") == 0) {
        is_well = is_well && handover.n == N_MANY;
    }
    if (!is_well) {
        return EXIT_FAILURE;
    }
    while (strcmp(what, "waits") == 0) {
        (void)pause();
    }
    if (!pin_handover_ready(&handover)) {
        return EXIT_FAILURE;
    }
    while (!pin_handover_is_over(&handover)) {
        (void)poll(NULL, 0, 1);
    }
    return EXIT_SUCCESS;
}

/* --- The one before -----------------------------------------------------------------------------
 */

struct daemon {
    struct pin_starter *starter;
    char program[16];
    char what[16];
    char *argv[3];
    int said_fd;
};

/* A starter for a next process that does `what`. */
static void make(struct daemon *daemon, const char *what)
{
    struct pin_why why = {0};
    *daemon = (struct daemon){.program = "test_starter"};
    (void)snprintf(daemon->what, sizeof(daemon->what), "%s", what);
    daemon->argv[0] = daemon->program;
    daemon->argv[1] = daemon->what;
    assert_int_equal(pin_starter_new(daemon->argv, &daemon->starter, &why), PIN_OK);
    assert_string_equal(daemon->program, "test_starter"); /* it is overwritten elsewhere */
}

static void start(struct daemon *daemon, const int *fds, size_t n)
{
    struct pin_why why = {0};
    assert_int_equal(pin_starter_start(daemon->starter, fds, n, &daemon->said_fd, &why), PIN_OK);
}

static void await(int fd)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, WAIT_MS), 1);
}

static struct pin_starter_news hear(struct daemon *daemon)
{
    await(pin_starter_fd(daemon->starter));
    return pin_starter_hear(daemon->starter);
}

/* What it said: '1', or '\0' for its end. */
static char said(const struct daemon *daemon)
{
    char byte = 0;
    await(daemon->said_fd);
    (void)!read(daemon->said_fd, &byte, 1);
    return byte;
}

static void test_next_has_the_sockets_and_nothing_else(void **state)
{
    struct daemon daemon;
    int fds[2];
    (void)state;
    make(&daemon, "looks");
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    start(&daemon, fds, N_ELEMS(fds));
    struct pin_starter_news news = hear(&daemon);
    assert_int_equal(news.word, PIN_STARTER_STARTED);
    assert_true(news.pid > 0);
    assert_int_equal(said(&daemon), '1');
    assert_int_equal(kill(news.pid, 0), 0);
    (void)close(daemon.said_fd); /* it has been told to others */
    pid_t pid = news.pid;
    news = hear(&daemon);
    assert_int_equal(news.word, PIN_STARTER_ENDED);
    assert_int_equal(news.pid, pid);
    assert_int_equal(news.status, 0);
    pin_starter_free(daemon.starter);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_many_sockets_come_in_pieces(void **state)
{
    struct daemon daemon;
    int fds[N_MANY];
    (void)state;
    make(&daemon, "counts");
    for (size_t i = 0; i < N_MANY; i++) {
        fds[i] = STDIN_FILENO;
    }
    start(&daemon, fds, N_MANY);
    assert_int_equal(said(&daemon), '1');
    (void)close(daemon.said_fd);
    pin_starter_free(daemon.starter);
}

static void test_next_that_ends_can_be_tried_again(void **state)
{
    struct daemon daemon;
    const int fd = STDIN_FILENO;
    (void)state;
    make(&daemon, "ends");
    for (int i = 0; i < 2; i++) {
        start(&daemon, &fd, 1);
        assert_int_equal(hear(&daemon).word, PIN_STARTER_STARTED);
        assert_int_equal(said(&daemon), '\0');
        (void)close(daemon.said_fd);
        struct pin_starter_news news = hear(&daemon);
        assert_int_equal(news.word, PIN_STARTER_ENDED);
        assert_int_equal(WEXITSTATUS(news.status), EXIT_CODE);
    }
    pin_starter_free(daemon.starter);
}

/* One that could not be asked for leaves nothing behind that the next one would get. */
static void test_next_after_one_that_could_not_be_asked_for(void **state)
{
    struct daemon daemon;
    struct pin_why why = {0};
    const int bad_fds[] = {-1, -1};
    int fds[2];
    (void)state;
    make(&daemon, "looks");
    assert_int_equal(
        pin_starter_start(daemon.starter, bad_fds, N_ELEMS(bad_fds), &daemon.said_fd, &why),
        PIN_EIO);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    start(&daemon, fds, N_ELEMS(fds));
    assert_int_equal(hear(&daemon).word, PIN_STARTER_STARTED);
    assert_int_equal(said(&daemon), '1');
    (void)close(daemon.said_fd);
    assert_int_equal(hear(&daemon).status, 0);
    pin_starter_free(daemon.starter);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static void test_one_at_a_time(void **state)
{
    struct daemon daemon;
    const int fd = STDIN_FILENO;
    (void)state;
    make(&daemon, "waits");
    start(&daemon, &fd, 1);
    struct pin_starter_news first = hear(&daemon);
    assert_int_equal(first.word, PIN_STARTER_STARTED);
    int said_fd = daemon.said_fd;
    start(&daemon, &fd, 1);
    struct pin_starter_news second = hear(&daemon);
    assert_int_equal(second.word, PIN_STARTER_FAILED);
    assert_string_equal(second.why.text, "there is one");
    assert_int_equal(said(&daemon), '\0'); /* nobody has that pipe */
    (void)close(daemon.said_fd);
    pin_starter_kill(daemon.starter);
    struct pin_starter_news end = hear(&daemon);
    assert_int_equal(end.word, PIN_STARTER_ENDED);
    assert_int_equal(end.pid, first.pid);
    assert_true(WIFSIGNALED(end.status) && WTERMSIG(end.status) == SIGKILL);
    pin_starter_free(daemon.starter);
    (void)close(said_fd);
}

/* The end of the daemon ends what has not taken over. */
static void test_next_ends_with_the_daemon(void **state)
{
    struct daemon daemon;
    const int fd = STDIN_FILENO;
    (void)state;
    make(&daemon, "waits");
    start(&daemon, &fd, 1);
    assert_int_equal(hear(&daemon).word, PIN_STARTER_STARTED);
    pin_starter_free(daemon.starter);
    assert_int_equal(said(&daemon), '\0');
    (void)close(daemon.said_fd);
}

/* Also where standard input was closed, so that one of the sockets has its number. */
static void test_next_ends_with_a_daemon_without_standard_input(void **state)
{
    struct daemon daemon;
    const int fd = STDERR_FILENO;
    (void)state;
    int input = dup(STDIN_FILENO);
    assert_int_equal(close(STDIN_FILENO), 0);
    make(&daemon, "waits");
    assert_int_equal(pin_starter_fd(daemon.starter), STDIN_FILENO);
    start(&daemon, &fd, 1);
    assert_int_equal(hear(&daemon).word, PIN_STARTER_STARTED);
    pin_starter_free(daemon.starter);
    assert_int_equal(dup2(input, STDIN_FILENO), STDIN_FILENO);
    (void)close(input);
    assert_int_equal(said(&daemon), '\0');
    (void)close(daemon.said_fd);
}

/* Unless it has taken over: then it goes on, a child of who adopts orphans, here of us, and the
 * starter has ended. */
static void test_next_that_is_kept_lives_on_as_the_child_of_another(void **state)
{
    struct daemon daemon;
    const int fd = STDIN_FILENO;
    struct pin_why why = {0};
    int status = 0;
    (void)state;
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), 0);
    make(&daemon, "waits");
    start(&daemon, &fd, 1);
    struct pin_starter_news news = hear(&daemon);
    assert_int_equal(news.word, PIN_STARTER_STARTED);
    assert_int_equal(waitpid(news.pid, &status, WNOHANG), -1); /* the starter's */
    pin_starter_keep(daemon.starter);
    assert_int_equal(pin_starter_fd(daemon.starter), -1);
    assert_int_equal(pin_starter_hear(daemon.starter).word, PIN_STARTER_NOTHING);
    int said_fd = daemon.said_fd;
    assert_int_equal(pin_starter_start(daemon.starter, &fd, 1, &daemon.said_fd, &why), PIN_ECLOSED);
    assert_int_equal(waitpid(news.pid, &status, WNOHANG), 0); /* ours, and it runs */
    assert_int_equal(kill(news.pid, SIGKILL), 0);
    assert_int_equal(waitpid(news.pid, &status, 0), news.pid);
    (void)close(said_fd);
    pin_starter_free(daemon.starter);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0), 0);
}

static void test_starter_that_has_ended_is_told(void **state)
{
    struct daemon daemon;
    const int fd = STDIN_FILENO;
    struct pin_why why = {0};
    (void)state;
    make(&daemon, "ends");
    assert_int_equal(pin_starter_hear(daemon.starter).word, PIN_STARTER_NOTHING);
    assert_int_equal(shutdown(pin_starter_fd(daemon.starter), SHUT_WR), 0);
    assert_int_equal(hear(&daemon).word, PIN_STARTER_GONE);
    assert_int_equal(pin_starter_fd(daemon.starter), -1);
    assert_int_equal(pin_starter_hear(daemon.starter).word, PIN_STARTER_NOTHING);
    assert_int_equal(pin_starter_start(daemon.starter, &fd, 1, &daemon.said_fd, &why), PIN_ECLOSED);
    pin_starter_kill(daemon.starter);
    pin_starter_free(daemon.starter);
    pin_starter_free(NULL);
    assert_int_equal(pin_starter_fd(NULL), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next_has_the_sockets_and_nothing_else),
        cmocka_unit_test(test_many_sockets_come_in_pieces),
        cmocka_unit_test(test_next_that_ends_can_be_tried_again),
        cmocka_unit_test(test_next_after_one_that_could_not_be_asked_for),
        cmocka_unit_test(test_one_at_a_time),
        cmocka_unit_test(test_next_ends_with_the_daemon),
        cmocka_unit_test(test_next_ends_with_a_daemon_without_standard_input),
        cmocka_unit_test(test_next_that_is_kept_lives_on_as_the_child_of_another),
        cmocka_unit_test(test_starter_that_has_ended_is_told),
    };
    return argc > 1 ? be_next(argv[1]) : cmocka_run_group_tests_name("starter", tests, NULL, NULL);
}
