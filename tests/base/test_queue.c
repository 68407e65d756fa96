/* SPDX-License-Identifier: Apache-2.0 */

/* Everything handed over arrives once and in order; a full queue refuses and says when it has room.
 */

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/queue.h"

static int items[4000];

static void count(void *arg)
{
    (*(int *)arg)++;
}

static void test_first_in_first_out(void **state)
{
    void *got[3] = {0};
    (void)state;
    struct pin_queue *queue = pin_queue_new(3, NULL);
    assert_int_equal(pin_queue_capacity(queue), 3);
    for (int round = 0; round < 10; round++) { /* the ring wraps */
        assert_true(pin_queue_push(queue, &items[0]));
        assert_true(pin_queue_push(queue, &items[1]));
        assert_int_equal(pin_queue_count(queue), 2);
        assert_ptr_equal(pin_queue_pop(queue, 0), &items[0]);
        assert_true(pin_queue_push(queue, &items[2]));
        assert_true(pin_queue_push(queue, &items[3]));
        assert_false(pin_queue_push(queue, &items[4]));
        assert_int_equal(pin_queue_pop_all(queue, got, 2, 0), 2);
        assert_ptr_equal(got[0], &items[1]);
        assert_ptr_equal(got[1], &items[2]);
        assert_int_equal(pin_queue_pop_all(queue, got, 3, 0), 1);
        assert_ptr_equal(got[0], &items[3]);
        assert_null(pin_queue_pop(queue, 0));
    }
    pin_queue_free(queue);
    pin_queue_free(NULL);
    assert_null(pin_queue_new(0, NULL));
}

static void *pop_one(void *arg)
{
    return pin_queue_pop(arg, -1);
}

/* What is pushed with more to come waits for the word, unless much waits already. */
static void test_more_is_told_at_once(void **state)
{
    pthread_t thread;
    void *got = NULL;
    (void)state;
    struct pin_queue *queue = pin_queue_new(100, NULL);
    pin_queue_tell(queue); /* nothing to tell */
    assert_int_equal(pthread_create(&thread, NULL, pop_one, queue), 0);
    assert_true(pin_queue_push_more(queue, &items[0]));
    pin_queue_tell(queue);
    (void)pthread_join(thread, &got);
    assert_ptr_equal(got, &items[0]);
    assert_int_equal(pthread_create(&thread, NULL, pop_one, queue), 0);
    for (int i = 0; i < 100; i++) {
        assert_true(pin_queue_push_more(queue, &items[i])); /* the 64th wakes, the 65th at last */
    }
    (void)pthread_join(thread, &got);
    assert_ptr_equal(got, &items[0]);
    pin_queue_close(queue);
    assert_false(pin_queue_push_more(queue, &items[0]));
    pin_queue_free(queue);
}

static void test_room_is_told_once_per_refusal(void **state)
{
    int n_calls = 0;
    (void)state;
    struct pin_queue *queue = pin_queue_new(4, NULL);
    pin_queue_on_room(queue, 1, count, &n_calls);
    for (int i = 0; i < 4; i++) {
        assert_true(pin_queue_push(queue, &items[i]));
    }
    while (pin_queue_pop(queue, 0) != NULL) {
    }
    assert_int_equal(n_calls, 0); /* nobody was refused */
    for (int i = 0; i < 7; i++) {
        (void)pin_queue_push(queue, &items[i]);
    }
    (void)pin_queue_pop(queue, 0);
    (void)pin_queue_pop(queue, 0);
    assert_int_equal(n_calls, 0); /* two left: above the low water */
    (void)pin_queue_pop(queue, 0);
    assert_int_equal(n_calls, 1);
    (void)pin_queue_pop(queue, 0);
    assert_int_equal(n_calls, 1);
    pin_queue_free(queue);
}

static void test_timeout_wake_and_close(void **state)
{
    (void)state;
    struct pin_queue *queue = pin_queue_new(2, NULL);
    int64_t before_ms = pin_clock_mono_ms();
    assert_null(pin_queue_pop(queue, 30));
    assert_true(pin_clock_mono_ms() - before_ms >= 29);
    pin_queue_wake(queue);
    assert_null(pin_queue_pop(queue, -1));
    assert_true(pin_queue_push(queue, &items[0]));
    assert_false(pin_queue_is_closed(queue));
    pin_queue_close(queue);
    assert_true(pin_queue_is_closed(queue));
    assert_false(pin_queue_push(queue, &items[1]));
    assert_ptr_equal(pin_queue_pop(queue, -1), &items[0]);
    assert_null(pin_queue_pop(queue, -1));
    pin_queue_free(queue);
}

static void test_free_frees_what_is_inside(void **state)
{
    (void)state;
    struct pin_queue *queue = pin_queue_new(3, free);
    for (int i = 0; i < 5; i++) {
        assert_true(pin_queue_push(queue, malloc(8)));
        if (i < 2) {
            free(pin_queue_pop(queue, 0));
        }
    }
    pin_queue_free(queue); /* the leak checker sees the rest */
}

struct producer {
    struct pin_queue *queue;
    int first;
};

static void *produce(void *arg)
{
    const struct producer *producer = arg;
    for (int i = 0; i < 2000; i++) {
        while (!pin_queue_push(producer->queue, &items[producer->first + i])) {
            (void)sched_yield(); /* it is full */
        }
    }
    return NULL;
}

static void test_producers_and_one_consumer(void **state)
{
    void *got[16];
    int next[2] = {0, 2000};
    pthread_t threads[2];
    (void)state;
    struct pin_queue *queue = pin_queue_new(7, NULL);
    struct producer producers[2] = {{queue, 0}, {queue, 2000}};
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
    }
    for (int n_got = 0; n_got < 4000;) {
        size_t n = pin_queue_pop_all(queue, got, 16, 10000);
        assert_true(n > 0);
        for (size_t i = 0; i < n; i++) { /* each producer's items in its order */
            int index = (int)((int *)got[i] - items);
            assert_int_equal(index, next[index / 2000]++);
        }
        n_got += (int)n;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    pin_queue_free(queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_in_first_out),
        cmocka_unit_test(test_more_is_told_at_once),
        cmocka_unit_test(test_room_is_told_once_per_refusal),
        cmocka_unit_test(test_timeout_wake_and_close),
        cmocka_unit_test(test_free_frees_what_is_inside),
        cmocka_unit_test(test_producers_and_one_consumer),
    };
    return cmocka_run_group_tests_name("queue", tests, NULL, NULL);
}
