/* SPDX-License-Identifier: Apache-2.0 */

/* A reader never sees what was freed, and nothing is freed too late; both doors pass the same
 * tests. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#define ALIVE 0x600DF00DU

struct entry {
    struct pin_rcu_head head;
    uint32_t mark;
};

static _Atomic int n_freed;

static void free_entry(struct pin_rcu_head *head)
{
    struct entry *entry = container_of(head, struct entry, head);
    entry->mark = 0;
    free(entry);
    atomic_fetch_add(&n_freed, 1);
}

static struct entry *shared;
static _Atomic bool reader_has_it;
static _Atomic bool reader_may_go;

static void *hold_a_pointer(void *arg)
{
    (void)arg;
    pin_rcu_register();
    const struct entry *entry = pin_rcu_deref(shared);
    atomic_store(&reader_has_it, true);
    while (!atomic_load(&reader_may_go)) {
        (void)usleep(1000);
    }
    uint32_t mark = entry->mark;
    pin_rcu_unregister();
    return mark == ALIVE ? NULL : arg;
}

static void test_a_free_waits_for_the_reader(void **state)
{
    pthread_t thread;
    void *failed = NULL;
    (void)state;
    int n_before = atomic_load(&n_freed);
    struct entry *first = calloc(1, sizeof(*first));
    first->mark = ALIVE;
    pin_rcu_assign(shared, first);
    assert_int_equal(pthread_create(&thread, NULL, hold_a_pointer, first), 0);
    while (!atomic_load(&reader_has_it)) {
        (void)usleep(1000);
    }
    pin_rcu_assign(shared, (struct entry *)NULL);
    pin_rcu_defer(&first->head, free_entry);
    (void)usleep(100000);
    assert_int_equal(atomic_load(&n_freed), n_before); /* the reader is still online */
    atomic_store(&reader_may_go, true);
    assert_int_equal(pthread_join(thread, &failed), 0);
    assert_null(failed);
    pin_rcu_barrier();
    assert_int_equal(atomic_load(&n_freed), n_before + 1);
}

static void *stay_offline(void *arg)
{
    (void)arg;
    pin_rcu_register();
    pin_rcu_offline();
    atomic_store(&reader_has_it, true);
    while (!atomic_load(&reader_may_go)) {
        (void)usleep(1000);
    }
    pin_rcu_online();
    pin_rcu_unregister();
    return NULL;
}

static void test_nobody_waits_for_an_offline_thread(void **state)
{
    pthread_t thread;
    (void)state;
    atomic_store(&reader_has_it, false);
    atomic_store(&reader_may_go, false);
    assert_int_equal(pthread_create(&thread, NULL, stay_offline, NULL), 0);
    while (!atomic_load(&reader_has_it)) {
        (void)usleep(1000);
    }
    pin_rcu_register();
    assert_true(pin_rcu_is_online());
    pin_rcu_synchronize(); /* would hang if it did; from an online thread on purpose */
    assert_true(pin_rcu_is_online());
    pin_rcu_barrier();
    assert_true(pin_rcu_is_online());
    pin_rcu_offline();
    assert_false(pin_rcu_is_online());
    pin_rcu_online();
    pin_rcu_unregister();
    atomic_store(&reader_may_go, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_free_waits_for_the_reader),
        cmocka_unit_test(test_nobody_waits_for_an_offline_thread),
    };
    return cmocka_run_group_tests_name("rcu", tests, NULL, NULL);
}
