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

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#define ALIVE 0x600DF00DU

struct entry {
    struct pin_rcu_node node;
    struct pin_rcu_head head;
    uint32_t key;
    uint32_t generation;
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

static void free_node(struct pin_rcu_node *node)
{
    free_entry(&container_of(node, struct entry, node)->head);
}

static int match(struct pin_rcu_node *node, const void *key)
{
    return container_of(node, struct entry, node)->key == *(const uint32_t *)key;
}

static uint64_t hash_of(uint32_t key)
{
    return pin_hash64(&key, sizeof(key));
}

static struct entry *find(struct pin_rcu_table *table, uint32_t key)
{
    struct pin_rcu_node *node = pin_rcu_table_find(table, hash_of(key), match, &key);
    return node == NULL ? NULL : container_of(node, struct entry, node);
}

/* Publishes a new entry; the one it replaces is freed in time. Returns whether there was one. */
static bool put(struct pin_rcu_table *table, uint32_t key, uint32_t generation)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    assert_non_null(entry);
    entry->key = key;
    entry->generation = generation;
    entry->mark = ALIVE;
    struct pin_rcu_node *old =
        pin_rcu_table_replace(table, hash_of(key), match, &key, &entry->node);
    if (old != NULL) {
        pin_rcu_defer(&container_of(old, struct entry, node)->head, free_entry);
    }
    return old != NULL;
}

static void count_visit(struct pin_rcu_node *node, void *arg)
{
    assert_int_equal(container_of(node, struct entry, node)->mark, ALIVE);
    (*(size_t *)arg)++;
}

static void test_table(void **state)
{
    size_t n_seen = 0;
    (void)state;
    pin_rcu_register();
    struct pin_rcu_table *table = pin_rcu_table_new(0);
    assert_non_null(table);
    assert_null(find(table, 1));
    for (uint32_t key = 0; key < 20000; key++) { /* it grows many times */
        assert_false(put(table, key, 0));
        if (key % 64 == 0) {
            pin_rcu_quiescent();
        }
    }
    for (uint32_t key = 0; key < 20000; key += 2) {
        assert_true(put(table, key, 1));
    }
    assert_int_equal(pin_rcu_table_count(table), 20000);
    for (uint32_t key = 0; key < 20000; key++) {
        assert_int_equal(find(table, key)->generation, key % 2 == 0);
    }
    pin_rcu_table_each(table, count_visit, &n_seen);
    assert_int_equal(n_seen, 20000);
    uint32_t key = 7;
    struct pin_rcu_node *node = pin_rcu_table_remove(table, hash_of(key), match, &key);
    assert_non_null(node);
    pin_rcu_defer(&container_of(node, struct entry, node)->head, free_entry);
    assert_null(pin_rcu_table_remove(table, hash_of(key), match, &key));
    assert_null(find(table, 7));
    assert_int_equal(pin_rcu_table_count(table), 19999);
    pin_rcu_barrier();
    assert_int_equal(atomic_load(&n_freed), 10001);
    pin_rcu_table_free(table, free_node);
    assert_int_equal(atomic_load(&n_freed), 30000);
    pin_rcu_table_free(NULL, free_node);
    pin_rcu_unregister();
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

#define N_KEYS 64U

struct race {
    struct pin_rcu_table *table;
    _Atomic bool is_over;
    _Atomic uint32_t n_missing;
    _Atomic uint32_t n_dead;
    _Atomic uint64_t n_looked_up;
};

/* Each key is always there, in one generation or the next, never less than what was seen before. */
static void *read_all_the_time(void *arg)
{
    struct race *race = arg;
    uint32_t last[N_KEYS] = {0};
    pin_rcu_register();
    for (uint32_t round = 0; !atomic_load(&race->is_over); round++) {
        for (uint32_t key = 0; key < N_KEYS; key++) {
            const struct entry *entry = find(race->table, key);
            if (entry == NULL || entry->generation < last[key]) {
                atomic_fetch_add(&race->n_missing, 1);
            } else if (entry->mark != ALIVE) {
                atomic_fetch_add(&race->n_dead, 1);
            } else {
                last[key] = entry->generation;
            }
        }
        atomic_fetch_add(&race->n_looked_up, N_KEYS);
        if (round % 16 == 0) {
            pin_rcu_offline();
            pin_rcu_online();
        } else {
            pin_rcu_quiescent();
        }
    }
    pin_rcu_unregister();
    return NULL;
}

static void test_readers_and_a_writer(void **state)
{
    struct race race = {0};
    pthread_t threads[2];
    (void)state;
    pin_rcu_init();
    pin_rcu_register();
    race.table = pin_rcu_table_new(16);
    for (uint32_t key = 0; key < N_KEYS; key++) {
        (void)put(race.table, key, 1);
    }
    for (size_t i = 0; i < N_ELEMS(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &race), 0);
    }
    for (uint32_t generation = 2; generation < 300; generation++) {
        for (uint32_t key = 0; key < N_KEYS; key++) {
            assert_true(put(race.table, key, generation));
        }
        (void)put(race.table, N_KEYS + generation, 1); /* lets the table grow under the readers */
        pin_rcu_quiescent();
        if (generation % 50 == 0) {
            pin_rcu_synchronize();
        }
    }
    while (atomic_load(&race.n_looked_up) < (uint64_t)10 * N_KEYS) {
        pin_rcu_quiescent();
    }
    atomic_store(&race.is_over, true);
    pin_rcu_offline();
    for (size_t i = 0; i < N_ELEMS(threads); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    pin_rcu_online();
    assert_int_equal(atomic_load(&race.n_missing), 0);
    assert_int_equal(atomic_load(&race.n_dead), 0);
    pin_rcu_table_free(race.table, free_node);
    pin_rcu_barrier();
    pin_rcu_unregister();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_a_free_waits_for_the_reader),
        cmocka_unit_test(test_nobody_waits_for_an_offline_thread),
        cmocka_unit_test(test_readers_and_a_writer),
    };
    return cmocka_run_group_tests_name("rcu", tests, NULL, NULL);
}
