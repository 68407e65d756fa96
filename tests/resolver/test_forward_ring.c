/* SPDX-License-Identifier: Apache-2.0 */

/* Questions go through the ring in their order, none is lost, and a sleeping reader is woken. */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "resolver/forward_ring.h"

#define N_QUESTIONS 100000u
#define WAIT_MS     10000

static struct pin_ring *ring;
static int wake_fd;

static int set_up(void **state)
{
    (void)state;
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ring = pin_ring_new(wake_fd);
    return ring != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    pin_ring_free(ring);
    return close(wake_fd);
}

static void put(uint64_t n)
{
    struct pin_miss *miss = pin_ring_begin(ring);
    assert_non_null(miss);
    miss->key.name_hash = n;
    pin_ring_commit(ring);
}

static void test_full(void **state)
{
    (void)state;
    assert_null(pin_ring_take(ring));
    for (uint64_t i = 0; i < PIN_RING_SLOTS; i++) {
        put(i);
    }
    assert_null(pin_ring_begin(ring));
    assert_int_equal(pin_ring_take(ring)->key.name_hash, 0);
    pin_ring_release(ring);
    put(PIN_RING_SLOTS);
    for (uint64_t i = 1; i <= PIN_RING_SLOTS; i++) {
        assert_int_equal(pin_ring_take(ring)->key.name_hash, i);
        pin_ring_release(ring);
    }
    assert_null(pin_ring_take(ring));
}

/* Only the first question of an empty ring costs a system call. */
static void test_wakes(void **state)
{
    (void)state;
    eventfd_t n = 0;
    put(1);
    put(2);
    put(3);
    assert_int_equal(eventfd_read(wake_fd, &n), 0);
    assert_int_equal(n, 1);
    for (int i = 0; i < 3; i++) {
        assert_non_null(pin_ring_take(ring));
        pin_ring_release(ring);
    }
    put(4);
    assert_int_equal(eventfd_read(wake_fd, &n), 0);
}

static void *produce(void *arg)
{
    (void)arg;
    for (uint64_t i = 0; i < N_QUESTIONS; i++) {
        struct pin_miss *miss = pin_ring_begin(ring);
        while (miss == NULL) {
            (void)usleep(10);
            miss = pin_ring_begin(ring);
        }
        miss->key.name_hash = i;
        pin_ring_commit(ring);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    pthread_t thread;
    uint64_t n_taken = 0;
    assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
    while (n_taken < N_QUESTIONS) {
        struct pollfd wait = {.fd = wake_fd, .events = POLLIN};
        eventfd_t n_wakes;
        assert_int_equal(poll(&wait, 1, WAIT_MS), 1); /* else a wake-up was lost */
        (void)eventfd_read(wake_fd, &n_wakes);
        for (struct pin_miss *miss = pin_ring_take(ring); miss != NULL;
             miss = pin_ring_take(ring)) {
            assert_int_equal(miss->key.name_hash, n_taken++);
            pin_ring_release(ring);
        }
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wakes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
