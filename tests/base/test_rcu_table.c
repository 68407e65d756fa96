/* SPDX-License-Identifier: Apache-2.0 */

/* The table against a list that is too simple to be wrong, with hashes that all go to one bucket,
 * without memory, and under readers. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/rcu_table.h"

#include "support/faults.h"

#define ALIVE    0x600DF00DU
#define N_KEYS   64U
#define N_RANDOM 3000U

struct entry {
    struct pin_rcu_node node;
    struct pin_rcu_head head;
    uint32_t key;
    uint32_t generation;
    uint32_t mark;
};

/* Makes a key's hash. */
typedef uint64_t hash_fn(uint32_t key);

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

static uint64_t well_spread(uint32_t key)
{
    return pin_hash64(&key, sizeof(key));
}

/* The first bucket for all, with tags of which many are alike, 0 and 1 among them. */
static uint64_t one_bucket(uint32_t key)
{
    return (uint64_t)(key % 5) << 56;
}

/* The last bucket for all: those who go past it start again at the first one. */
static uint64_t last_bucket(uint32_t key)
{
    return (uint64_t)(key % 5) << 56 | (UINT64_MAX >> 8);
}

static struct entry *find(const struct pin_rcu_table *table, hash_fn *hash_of, uint32_t key)
{
    struct pin_rcu_node *node = pin_rcu_table_find(table, hash_of(key), match, &key);
    return node == NULL ? NULL : container_of(node, struct entry, node);
}

/* Publishes a new entry; the one it replaces is freed in time. Returns whether there was one. */
static bool put(struct pin_rcu_table *table, hash_fn *hash_of, uint32_t key, uint32_t generation)
{
    struct entry *entry = calloc(1, sizeof(*entry));
    assert_non_null(entry);
    entry->key = key;
    entry->generation = generation;
    entry->mark = ALIVE;
    assert_true(pin_rcu_table_reserve(table));
    struct pin_rcu_node *old =
        pin_rcu_table_replace(table, hash_of(key), match, &key, &entry->node);
    if (old != NULL) {
        pin_rcu_defer(&container_of(old, struct entry, node)->head, free_entry);
    }
    return old != NULL;
}

/* Returns whether it was there. */
static bool take(struct pin_rcu_table *table, hash_fn *hash_of, uint32_t key)
{
    struct pin_rcu_node *node = pin_rcu_table_remove(table, hash_of(key), match, &key);
    if (node != NULL) {
        pin_rcu_defer(&container_of(node, struct entry, node)->head, free_entry);
    }
    return node != NULL;
}

static void count_visit(struct pin_rcu_node *node, void *arg)
{
    assert_int_equal(container_of(node, struct entry, node)->mark, ALIVE);
    (*(size_t *)arg)++;
}

static int begin_rcu(void **state)
{
    (void)state;
    atomic_store(&n_freed, 0);
    pin_rcu_init();
    pin_rcu_register();
    return 0;
}

static int end_rcu(void **state)
{
    (void)state;
    pin_rcu_barrier();
    pin_rcu_unregister();
    return 0;
}

static void test_what_was_put_is_there(void **state)
{
    size_t n_seen = 0;
    (void)state;
    struct pin_rcu_table *table = pin_rcu_table_new(0);
    assert_non_null(table);
    assert_null(find(table, well_spread, 1));
    for (uint32_t key = 0; key < 20000; key++) { /* it grows many times */
        assert_false(put(table, well_spread, key, 0));
        if (key % 64 == 0) {
            pin_rcu_quiescent();
        }
    }
    for (uint32_t key = 0; key < 20000; key += 2) {
        assert_true(put(table, well_spread, key, 1));
    }
    assert_int_equal(pin_rcu_table_count(table), 20000);
    for (uint32_t key = 0; key < 20000; key++) {
        assert_int_equal(find(table, well_spread, key)->generation, key % 2 == 0);
    }
    pin_rcu_table_each(table, count_visit, &n_seen);
    assert_int_equal(n_seen, 20000);
    assert_true(take(table, well_spread, 7));
    assert_false(take(table, well_spread, 7));
    assert_null(find(table, well_spread, 7));
    assert_int_equal(pin_rcu_table_count(table), 19999);
    pin_rcu_barrier();
    assert_int_equal(atomic_load(&n_freed), 10001);
    pin_rcu_table_free(table, free_node);
    assert_int_equal(atomic_load(&n_freed), 30000);
    pin_rcu_table_free(NULL, free_node);
}

static void test_what_is_fetched_ahead_is_what_is_found(void **state)
{
    unsigned n_right = 0;
    unsigned n_none = 0;
    (void)state;
    struct pin_rcu_table *table = pin_rcu_table_new(0);
    for (uint32_t key = 0; key < N_RANDOM; key++) {
        (void)put(table, well_spread, key, 0);
    }
    for (uint32_t key = 0; key < N_RANDOM; key++) {
        pin_rcu_table_fetch(table, well_spread(key));
        n_right +=
            pin_rcu_table_guess(table, well_spread(key)) == &find(table, well_spread, key)->node;
        n_none += pin_rcu_table_guess(table, well_spread(N_RANDOM + key)) == NULL;
    }
    assert_true(n_right > N_RANDOM * 9 / 10); /* a few are one bucket further on */
    assert_true(n_none > N_RANDOM * 9 / 10);
    pin_rcu_table_free(table, free_node);
}

/* Entries come and go at random: what is there is found, what is not is not. */
static void against_a_list(hash_fn *hash_of, uint32_t n_keys, unsigned n_steps)
{
    static uint32_t generations[N_RANDOM]; /* 0: not there */
    struct pin_rcu_table *table = pin_rcu_table_new(0);
    size_t n_there = 0;
    for (uint32_t key = 0; key < n_keys; key++) {
        generations[key] = 0;
    }
    for (unsigned step = 1; step < n_steps; step++) {
        uint32_t key = (uint32_t)pin_rand_below(n_keys);
        bool was_there = generations[key] != 0;
        if (pin_rand_below(2) == 0) {
            assert_int_equal(put(table, hash_of, key, step), was_there);
            generations[key] = step;
            n_there += !was_there;
        } else {
            assert_int_equal(take(table, hash_of, key), was_there);
            generations[key] = 0;
            n_there -= was_there;
        }
        uint32_t other = (uint32_t)pin_rand_below(n_keys);
        const struct entry *entry = find(table, hash_of, other);
        assert_int_equal(entry == NULL ? 0 : entry->generation, generations[other]);
        assert_int_equal(pin_rcu_table_count(table), n_there);
        if (step % 64 == 0) {
            pin_rcu_quiescent();
        }
    }
    size_t n_seen = 0;
    pin_rcu_table_each(table, count_visit, &n_seen);
    assert_int_equal(n_seen, n_there);
    pin_rcu_table_free(table, free_node);
}

static void test_at_random(void **state)
{
    (void)state;
    against_a_list(well_spread, N_RANDOM, 100000);
    against_a_list(well_spread, 40, 10000);
    against_a_list(one_bucket, 30, 10000);
    against_a_list(last_bucket, 30, 10000);
    against_a_list(one_bucket, 1000, 20000); /* more go past the first one than it can count */
}

static void test_without_memory_it_fills_up(void **state)
{
    uint32_t n_put = 0;
    (void)state;
    struct pin_rcu_table *table = pin_rcu_table_new(10);
    pin_faults_start(0, 1);
    assert_null(pin_rcu_table_new(10));
    pin_faults_start(1, 1);
    assert_null(pin_rcu_table_new(10));
    for (; n_put < 10; n_put++) {
        (void)put(table, well_spread, n_put, 0);
    }
    for (;; n_put++) {
        pin_faults_start(0, 1);
        bool has_room = pin_rcu_table_reserve(table);
        assert_int_equal(pin_faults_stop(), 1); /* it did try to grow */
        if (!has_room) {
            break;
        }
        struct entry *entry = calloc(1, sizeof(*entry));
        *entry = (struct entry){.key = n_put, .mark = ALIVE};
        assert_null(pin_rcu_table_replace(table, well_spread(n_put), match, &n_put, &entry->node));
    }
    assert_int_equal(n_put, 2 * PIN_RCU_TABLE_WAYS);
    for (uint32_t key = 0; key < 2 * n_put; key++) {
        assert_int_equal(find(table, well_spread, key) != NULL, key < n_put);
    }
    assert_false(put(table, well_spread, n_put, 0)); /* with memory again it goes on */
    assert_non_null(find(table, well_spread, 0));
    assert_non_null(find(table, well_spread, n_put));
    pin_rcu_table_free(table, free_node);
}

struct race {
    struct pin_rcu_table *table;
    hash_fn *hash_of;
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
            const struct entry *entry = find(race->table, race->hash_of, key);
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

/* Two read; the writer replaces what they ask for, and lets others come, go and make it grow. */
static void race(hash_fn *hash_of)
{
    struct race race = {.hash_of = hash_of, .table = pin_rcu_table_new(16)};
    pthread_t threads[2];
    for (uint32_t key = 0; key < N_KEYS; key++) {
        (void)put(race.table, hash_of, key, 1);
    }
    for (size_t i = 0; i < N_ELEMS(threads); i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, read_all_the_time, &race), 0);
    }
    for (uint32_t generation = 2; generation < 300; generation++) {
        for (uint32_t key = 0; key < N_KEYS; key++) {
            assert_true(put(race.table, hash_of, key, generation));
            (void)take(race.table, hash_of, N_KEYS + (uint32_t)pin_rand_below(N_KEYS));
            (void)put(race.table, hash_of, N_KEYS + (uint32_t)pin_rand_below(N_KEYS), 1);
        }
        (void)put(race.table, hash_of, 2 * N_KEYS + generation, 1);
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
}

static void test_readers_and_a_writer(void **state)
{
    (void)state;
    race(well_spread);
    race(one_bucket);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_put_is_there),
        cmocka_unit_test(test_what_is_fetched_ahead_is_what_is_found),
        cmocka_unit_test(test_at_random),
        cmocka_unit_test(test_without_memory_it_fills_up),
        cmocka_unit_test(test_readers_and_a_writer),
    };
    return cmocka_run_group_tests_name("rcu_table", tests, begin_rcu, end_rcu);
}
