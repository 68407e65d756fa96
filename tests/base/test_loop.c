/* SPDX-License-Identifier: Apache-2.0 */

/* Timers, descriptors, signals and posted calls reach their callbacks, and survive being freed
 * there. */

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"

static struct pin_loop *loop;

static int set_up(void **state)
{
    (void)state;
    loop = pin_loop_new();
    return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    pin_loop_free(loop);
    return 0;
}

static void count(void *arg)
{
    (*(int *)arg)++;
}

static void stop(void *arg)
{
    (void)arg;
    pin_loop_stop(loop);
}

/* What callbacks and ends of turns saw. */
struct turns {
    int n_calls;
    int n_ends;
    bool is_behind; /* A turn ended with a call that was not told. */
};

static void on_call(void *arg)
{
    struct turns *turns = arg;
    turns->n_calls++;
    turns->is_behind = true;
    assert_true(pin_loop_is_turning(loop));
}

static void on_turn(void *arg)
{
    struct turns *turns = arg;
    turns->n_ends++;
    turns->is_behind = false;
}

static void test_a_turn_ends_behind_its_callbacks(void **state)
{
    struct turns turns = {0};
    (void)state;
    pin_loop_on_turn(loop, on_turn, &turns);
    assert_false(pin_loop_is_turning(loop));
    assert_true(pin_loop_post(loop, on_call, &turns));
    assert_true(pin_loop_post(loop, on_call, &turns));
    assert_true(pin_loop_post(loop, stop, NULL));
    pin_loop_run(loop);
    assert_int_equal(turns.n_calls, 2);
    assert_true(turns.n_ends > 0);
    assert_false(turns.is_behind);
    assert_false(pin_loop_is_turning(loop));
    int n_ends = turns.n_ends;
    pin_loop_on_turn(loop, NULL, NULL);
    assert_true(pin_loop_post(loop, stop, NULL));
    pin_loop_run(loop);
    assert_int_equal(turns.n_ends, n_ends);
}

static void test_timer_fires_once_and_not_early(void **state)
{
    int n_calls = 0;
    (void)state;
    struct pin_timer *timer = pin_timer_new(loop, count, &n_calls);
    struct pin_timer *end = pin_timer_new(loop, stop, NULL);
    assert_false(pin_timer_is_running(timer));
    pin_timer_start(timer, 20, false);
    assert_true(pin_timer_is_running(timer));
    pin_timer_start(end, 80, false);
    int64_t before_ms = pin_clock_mono_ms();
    pin_loop_run(loop);
    assert_true(pin_clock_mono_ms() - before_ms >= 70); /* the coarse clock may be 4 ms early */
    assert_int_equal(n_calls, 1);
    assert_false(pin_timer_is_running(timer));
    pin_timer_free(timer);
    pin_timer_free(end);
    pin_timer_free(NULL);
}

static void test_timer_repeats_until_stopped(void **state)
{
    int n_calls = 0;
    (void)state;
    struct pin_timer *timer = pin_timer_new(loop, count, &n_calls);
    pin_timer_start(timer, 1, true);
    while (n_calls < 5) {
        pin_loop_poll(loop, 1000);
    }
    assert_true(pin_timer_is_running(timer));
    pin_timer_stop(timer);
    n_calls = 0;
    pin_loop_poll(loop, 20);
    assert_int_equal(n_calls, 0);
    pin_timer_start(timer, 60000, false);
    pin_timer_start(timer, 0, false); /* started over: the new time counts */
    pin_loop_poll(loop, 5000);
    assert_int_equal(n_calls, 1);
    pin_timer_free(timer);
}

static struct pin_timer *doomed_timer;

static void free_timer(void *arg)
{
    pin_timer_free(doomed_timer);
    doomed_timer = NULL;
    count(arg);
}

static void test_timer_frees_itself(void **state)
{
    int n_calls = 0;
    (void)state;
    doomed_timer = pin_timer_new(loop, free_timer, &n_calls);
    pin_timer_start(doomed_timer, 0, true);
    pin_loop_poll(loop, 5000);
    pin_loop_poll(loop, 0);
    assert_int_equal(n_calls, 1);
    assert_null(doomed_timer);
}

static void on_ready(int fd, int what, void *arg)
{
    char byte;
    int *ready = arg;
    *ready |= what;
    if (what & PIN_FD_READ) {
        assert_int_equal(read(fd, &byte, 1), 1);
    }
}

static void test_fd_watches_what_it_is_told(void **state)
{
    int fds[2];
    int ready = 0;
    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    struct pin_fd *watch = pin_fd_new(loop, fds[0], PIN_FD_READ, on_ready, &ready);
    pin_loop_poll(loop, 0);
    assert_int_equal(ready, 0);
    assert_int_equal(write(fds[1], "xyz", 3), 3);
    pin_loop_poll(loop, 5000);
    assert_int_equal(ready, PIN_FD_READ);
    ready = 0;
    assert_true(pin_fd_change(watch, 0));
    pin_loop_poll(loop, 0);
    assert_int_equal(ready, 0);
    assert_true(pin_fd_change(watch, PIN_FD_READ | PIN_FD_WRITE));
    pin_loop_poll(loop, 5000);
    assert_int_equal(ready, PIN_FD_READ | PIN_FD_WRITE);
    pin_fd_free(watch);
    ready = 0;
    pin_loop_poll(loop, 0);
    assert_int_equal(ready, 0);
    pin_fd_free(NULL);
    (void)close(fds[0]);
    (void)close(fds[1]);
}

static struct pin_fd *doomed_fd;

static void free_fd(int fd, int what, void *arg)
{
    (void)what;
    pin_fd_free(doomed_fd);
    (void)close(fd);
    count(arg);
}

static void test_fd_frees_itself(void **state)
{
    int fds[2];
    int n_calls = 0;
    (void)state;
    assert_int_equal(pipe(fds), 0);
    doomed_fd = pin_fd_new(loop, fds[0], PIN_FD_READ, free_fd, &n_calls);
    (void)close(fds[1]); /* the end of a pipe is readable */
    pin_loop_poll(loop, 5000);
    pin_loop_poll(loop, 0);
    assert_int_equal(n_calls, 1);
}

static void catch_line(enum pin_log_level level, const char *line, void *arg)
{
    if (level == PIN_LOG_WARN && strstr(line, "loop: libevent: ") != NULL) {
        count(arg);
    }
}

static void test_a_regular_file_cannot_be_watched(void **state)
{
    int ready = 0;
    int n_warnings = 0;
    (void)state;
    int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    pin_log_set_sink(catch_line, &n_warnings);
    assert_null(pin_fd_new(loop, fd, PIN_FD_READ, on_ready, &ready));
    pin_log_set_sink(NULL, NULL);
    assert_int_equal(n_warnings, 1); /* the library's own words, in our log */
    (void)close(fd);
}

static void on_signal(int signo, void *arg)
{
    *(int *)arg = signo;
}

static void test_signal(void **state)
{
    int got = 0;
    (void)state;
    struct pin_signal *signal = pin_signal_new(loop, SIGUSR1, on_signal, &got);
    assert_int_equal(raise(SIGUSR1), 0);
    assert_int_equal(got, 0); /* not in the handler */
    pin_loop_poll(loop, 5000);
    assert_int_equal(got, SIGUSR1);
    pin_signal_free(signal);
    pin_signal_free(NULL);
}

#define N_POSTED 1000

static int posted_order[4 * N_POSTED];
static int n_posted;

static void note_order(void *arg)
{
    posted_order[n_posted++] = *(int *)arg;
}

static void *post_many(void *arg)
{
    int *numbers = arg;
    for (int i = 0; i < N_POSTED; i++) {
        numbers[i] = i;
        while (!pin_loop_post(loop, note_order, &numbers[i])) {
        }
    }
    return NULL;
}

static void test_posts_from_threads_come_in_order(void **state)
{
    static int numbers[2][N_POSTED];
    pthread_t threads[2];
    (void)state;
    n_posted = 0;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, post_many, numbers[i]), 0);
    }
    while (n_posted < 2 * N_POSTED) {
        pin_loop_poll(loop, 1000);
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    int next[2] = {0};
    for (int i = 0; i < n_posted; i++) { /* a mix of two sequences, each 0, 1, 2, ... */
        int which = posted_order[i] == next[0] ? 0 : 1;
        assert_int_equal(posted_order[i], next[which]);
        next[which]++;
    }
}

static void *run_loop(void *arg)
{
    (void)arg;
    pin_loop_run(loop);
    return NULL;
}

static void test_stop_from_a_thread(void **state)
{
    pthread_t thread;
    int n_calls = 0;
    (void)state;
    for (int round = 0; round < 50; round++) {
        assert_int_equal(pthread_create(&thread, NULL, run_loop, NULL), 0);
        assert_true(pin_loop_post(loop, count, &n_calls));
        pin_loop_stop(loop);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_int_equal(n_calls, round + 1); /* what was posted before the stop has run */
    }
}

static void test_free_drops_posts(void **state)
{
    int n_calls = 0;
    (void)state;
    struct pin_loop *other = pin_loop_new();
    assert_true(pin_loop_post(other, count, &n_calls));
    assert_non_null(pin_loop_raw(other));
    pin_loop_free(other);
    assert_int_equal(n_calls, 0);
    pin_loop_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_turn_ends_behind_its_callbacks, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timer_fires_once_and_not_early, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timer_repeats_until_stopped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timer_frees_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fd_watches_what_it_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fd_frees_itself, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_regular_file_cannot_be_watched, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_signal, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_posts_from_threads_come_in_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_from_a_thread, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_free_drops_posts, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
