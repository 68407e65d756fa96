/* SPDX-License-Identifier: Apache-2.0 */

/* An errand works beside the loop and comes back on it, once, unless it was cancelled. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"

#include "support/faults.h"
#include "sync/errand.h"

#define WAIT_MS 20000

struct job {
    pthread_t loop_thread;
    pthread_mutex_t gate; /* held: the work waits */
    unsigned n_worked;
    unsigned n_done;
    struct pin_errand *other; /* cancelled by done, which opens its gate before */
    struct job *other_job;
};

static void work(void *arg)
{
    struct job *job = arg;
    (void)pthread_mutex_lock(&job->gate);
    job->n_worked += pthread_equal(job->loop_thread, pthread_self()) ? 100 : 1;
    (void)pthread_mutex_unlock(&job->gate);
}

static void done(void *arg)
{
    struct job *job = arg;
    job->n_done += pthread_equal(job->loop_thread, pthread_self()) ? 1 : 100;
    if (job->other != NULL) {
        (void)pthread_mutex_unlock(&job->other_job->gate);
        pin_errand_cancel(job->other);
    }
}

static struct job new_job(void)
{
    struct job job = {.loop_thread = pthread_self()};
    (void)pthread_mutex_init(&job.gate, NULL);
    return job;
}

static void turn(struct pin_loop *loop, const struct job *job)
{
    int64_t until_ms = pin_clock_mono_ms() + WAIT_MS;
    while (job->n_done == 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(loop, 20);
    }
}

static void test_it_works_in_a_thread_and_ends_on_the_loop(void **state)
{
    struct pin_loop *loop = pin_loop_new();
    struct job job = new_job();
    (void)state;
    (void)pthread_mutex_lock(&job.gate);
    assert_non_null(pin_errand_start(loop, work, done, &job));
    pin_loop_poll(loop, 20); /* it goes on meanwhile */
    assert_int_equal(job.n_done, 0);
    (void)pthread_mutex_unlock(&job.gate);
    turn(loop, &job);
    assert_int_equal(job.n_worked, 1);
    assert_int_equal(job.n_done, 1);
    pin_loop_free(loop);
}

static void test_a_cancelled_one_has_worked_and_is_not_told(void **state)
{
    struct pin_loop *loop = pin_loop_new();
    struct job job = new_job();
    struct job last = new_job();
    (void)state;
    struct pin_errand *errand = pin_errand_start(loop, work, done, &job);
    assert_non_null(errand);
    pin_errand_cancel(errand);
    assert_int_equal(job.n_worked, 1);
    assert_non_null(pin_errand_start(loop, work, done, &last));
    turn(loop, &last); /* what the first one posted comes before */
    assert_int_equal(job.n_done, 0);
    assert_int_equal(last.n_done, 1);
    pin_loop_free(loop);
}

static void test_one_may_cancel_another(void **state)
{
    struct pin_loop *loop = pin_loop_new();
    struct job first = new_job();
    struct job second = new_job();
    struct job last = new_job();
    (void)state;
    (void)pthread_mutex_lock(&second.gate);
    first.other = pin_errand_start(loop, work, done, &second);
    first.other_job = &second;
    assert_non_null(first.other);
    assert_non_null(pin_errand_start(loop, work, done, &first));
    turn(loop, &first);
    assert_int_equal(first.n_done, 1);
    assert_non_null(pin_errand_start(loop, work, done, &last));
    turn(loop, &last); /* what the cancelled one posted comes before */
    assert_int_equal(second.n_worked, 1);
    assert_int_equal(second.n_done, 0);
    pin_loop_free(loop);
}

static void test_without_memory_nobody_is_called(void **state)
{
    struct pin_loop *loop = pin_loop_new();
    struct job job = new_job();
    (void)state;
    pin_faults_start(0, 1);
    struct pin_errand *errand = pin_errand_start(loop, work, done, &job);
    assert_int_equal(pin_faults_stop(), 1);
    assert_null(errand);
    pin_loop_poll(loop, 0);
    assert_int_equal(job.n_worked + job.n_done, 0);
    pin_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_it_works_in_a_thread_and_ends_on_the_loop),
        cmocka_unit_test(test_a_cancelled_one_has_worked_and_is_not_told),
        cmocka_unit_test(test_one_may_cancel_another),
        cmocka_unit_test(test_without_memory_nobody_is_called),
    };
    return cmocka_run_group_tests_name("errand", tests, NULL, NULL);
}
