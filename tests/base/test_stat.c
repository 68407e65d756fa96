/* SPDX-License-Identifier: Apache-2.0 */

/* One writer's additions are all seen by a reader on another thread, and never go back. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pintle/base/stat.h"

struct worker_stats {
    PIN_STAT_ALIGNED struct pin_stat n_queries;
    struct pin_stat n_clients;
};

static struct worker_stats stats[2];

static void *write_many(void *arg)
{
    struct worker_stats *own = arg;
    for (uint64_t i = 0; i < 1000000; i++) {
        pin_stat_add(&own->n_queries, 3);
    }
    return NULL;
}

static void test_one_writer_any_reader(void **state)
{
    pthread_t threads[2];
    uint64_t before = 0;
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &stats[i]), 0);
    }
    for (int i = 0; i < 1000; i++) {
        uint64_t now = pin_stat_read(&stats[0].n_queries);
        assert_true(now >= before && now % 3 == 0);
        before = now;
    }
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(pin_stat_read(&stats[i].n_queries), 3000000);
    }
}

static void test_gauge_and_alignment(void **state)
{
    (void)state;
    pin_stat_set(&stats[0].n_clients, 7);
    pin_stat_set(&stats[0].n_clients, 5);
    assert_int_equal(pin_stat_read(&stats[0].n_clients), 5);
    assert_int_equal((uintptr_t)&stats[1] % 64, 0);
    assert_int_equal(sizeof(stats[0]) % 64, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_writer_any_reader),
        cmocka_unit_test(test_gauge_and_alignment),
    };
    return cmocka_run_group_tests_name("stat", tests, NULL, NULL);
}
