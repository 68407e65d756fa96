/* SPDX-License-Identifier: Apache-2.0 */

/* The index shows what was put, keeps empty non-terminals exactly as long as names exist below
 * them, and gives memory and slots back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/zones/index.h"

#include "zones/soa.h"
#include "zones/tables.h"

#define N_COMING 8000u

struct fixture {
    struct pin_index *index;
    struct pin_zone *zone;
    struct pin_table *table;
};

static struct pin_name name_of(const char *text)
{
    struct pin_name name;
    assert_int_equal(pin_name_parse(text, &name), PIN_OK);
    return name;
}

static const struct pin_node *find(const struct fixture *f, const char *text)
{
    struct pin_name name = name_of(text);
    return pin_index_find(f->index, name.wire, name.bytes);
}

static void put(struct fixture *f, const char *text)
{
    struct pin_name name = name_of(text);
    struct pin_rrset rrset = {.type = PIN_TYPE_A, .base = f->table};
    assert_int_equal(pin_index_put(f->index, f->zone, &name, &rrset, 1), PIN_OK);
}

static void take(struct fixture *f, const char *text)
{
    struct pin_name name = name_of(text);
    pin_index_remove(f->index, &name);
}

static int set_up(void **state)
{
    static const uint8_t rr[PIN_RR_A_BYTES] = {
        0xC0, 0x0C, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 1};
    static struct fixture fixture;
    struct pin_name ns = name_of("ns1.z.test");
    struct pin_zone_spec spec = {.apex = name_of("z.test"),
        .ns = &ns,
        .n_ns = 1,
        .hostmaster = name_of("hostmaster.z.test"),
        .ttl_s = 5,
        .negative_ttl_s = 5,
        .serial = UINT32_MAX};
    struct pin_why why = {0};
    fixture.index = pin_index_new();
    assert_non_null(fixture.index);
    assert_int_equal(pin_index_add_zone(fixture.index, &spec, &fixture.zone, &why), PIN_OK);
    assert_int_equal(pin_index_add_zone(fixture.index, &spec, &fixture.zone, &why), PIN_EEXISTS);
    fixture.table = pin_table_new(&(struct pin_table_spec){
        .form = PIN_TABLE_FIXED, .n_rr = 1, .wire = rr, .wire_bytes = sizeof(rr)});
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->table->n_refs, 1); /* nodes gave theirs back, or go with the index */
    pin_table_unref(f->table);
    pin_index_free(f->index);
    return 0;
}

static void test_put_and_remove(void **state)
{
    struct fixture *f = *state;
    assert_null(find(f, "a.z.test"));
    put(f, "a.z.test");
    assert_non_null(find(f, "a.z.test"));
    assert_ptr_equal(find(f, "a.z.test")->zone, f->zone);
    assert_ptr_equal(pin_node_rrset(find(f, "a.z.test"), PIN_TYPE_A)->base, f->table);
    assert_null(pin_node_rrset(find(f, "a.z.test"), PIN_TYPE_AAAA));
    take(f, "a.z.test");
    assert_null(find(f, "a.z.test"));
}

static void test_empty_non_terminals(void **state)
{
    struct fixture *f = *state;
    put(f, "a.b.c.z.test");
    assert_int_equal(find(f, "b.c.z.test")->n_rrsets, 0);
    assert_int_equal(find(f, "c.z.test")->n_rrsets, 0);
    put(f, "x.c.z.test");
    take(f, "a.b.c.z.test");
    assert_null(find(f, "b.c.z.test"));
    assert_non_null(find(f, "c.z.test"));
    take(f, "x.c.z.test");
    assert_null(find(f, "c.z.test"));
    assert_non_null(find(f, "z.test"));
}

static void test_name_with_names_below(void **state)
{
    struct fixture *f = *state;
    put(f, "b.z.test");
    put(f, "a.b.z.test");
    take(f, "b.z.test");
    assert_int_equal(find(f, "b.z.test")->n_rrsets, 0); /* now an empty non-terminal */
    put(f, "b.z.test");
    take(f, "a.b.z.test");
    assert_int_equal(find(f, "b.z.test")->n_rrsets, 1); /* put on purpose: stays */
    take(f, "b.z.test");
    assert_null(find(f, "b.z.test"));
}

static void test_enclose(void **state)
{
    struct fixture *f = *state;
    size_t offset = 0;
    struct pin_name name = name_of("q.w.b.z.test");
    put(f, "b.z.test");
    const struct pin_node *node = pin_index_enclose(f->index, name.wire, name.bytes, &offset);
    assert_ptr_equal(node, find(f, "b.z.test"));
    assert_int_equal(offset, 4);
    name = name_of("other.test");
    assert_null(pin_index_enclose(f->index, name.wire, name.bytes, &offset));
    take(f, "b.z.test");
}

/* Thousands of names come, change and go: each lookup gives the newest node, or none. */
static void test_many_names(void **state)
{
    struct fixture *f = *state;
    enum { N_NAMES = 5000 };
    char text[32];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < N_NAMES; i++) {
            (void)snprintf(text, sizeof(text), "n%d.z.test", i);
            put(f, text);
            assert_int_equal(find(f, text)->n_rrsets, 1);
        }
        for (int i = 0; i < N_NAMES; i++) {
            (void)snprintf(text, sizeof(text), "n%d.z.test", i);
            struct pin_name name = name_of(text);
            uint64_t hash = pin_index_hash(f->index, name.wire, name.bytes);
            pin_index_fetch(f->index, hash);
            size_t offset = SIZE_MAX;
            assert_ptr_equal(
                pin_index_enclose_hashed(f->index, name.wire, name.bytes, hash, &offset),
                find(f, text));
            assert_int_equal(offset, 0);
        }
    }
    for (int i = 0; i < N_NAMES; i++) {
        (void)snprintf(text, sizeof(text), "n%d.z.test", i);
        take(f, text);
        assert_null(find(f, text));
    }
}

static void test_wildcard_flag(void **state)
{
    struct fixture *f = *state;
    put(f, "*.w.z.test");
    assert_true((find(f, "w.z.test")->flags & PIN_NODE_HAS_WILDCARD) != 0);
    put(f, "w.z.test");
    assert_true((find(f, "w.z.test")->flags & PIN_NODE_HAS_WILDCARD) != 0);
    take(f, "*.w.z.test");
    assert_int_equal(find(f, "w.z.test")->flags, 0);
    take(f, "w.z.test");
    assert_null(find(f, "w.z.test"));
}

static void test_serial_wraps(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(f->zone->soa->serial, UINT32_MAX);
    f->zone->is_changed = true;
    assert_true(pin_soa_settle(f->zone));
    assert_false(f->zone->is_changed);
    assert_int_equal(f->zone->soa->serial, 0);
    assert_memory_equal(f->zone->soa->rr + f->zone->soa->rr_bytes - 20, "\0\0\0\0", 4);
}

/* Random puts and removes leave what a plain list of names says, and nothing else. */
static void test_random(void **state)
{
    struct fixture *f = *state;
    static bool is_in[64];
    struct pin_index_size before = pin_index_size(f->index);
    char text[64];
    for (unsigned step = 0; step < 20000; step++) {
        unsigned n = (unsigned)pin_rand_below(N_ELEMS(is_in));
        (void)snprintf(text, sizeof(text), "%c.%c.%c.z.test", 'a' + (int)(n & 3),
            'a' + (int)(n >> 2 & 3), 'a' + (int)(n >> 4));
        const char *name = (n & 3) == 0 ? text + 2 : text; /* a quarter one level up */
        if (is_in[n]) {
            take(f, name);
        } else {
            put(f, name);
        }
        is_in[n] = !is_in[n];
        const struct pin_node *node = find(f, name);
        assert_int_equal(node != NULL && node->is_put, is_in[n]);
        if (step % 512 == 0) {
            pin_rcu_quiescent();
        }
    }
    for (unsigned n = 0; n < N_ELEMS(is_in); n++) {
        (void)snprintf(text, sizeof(text), "%c.%c.%c.z.test", 'a' + (int)(n & 3),
            'a' + (int)(n >> 2 & 3), 'a' + (int)(n >> 4));
        if (is_in[n]) {
            take(f, (n & 3) == 0 ? text + 2 : text);
        }
    }
    assert_int_equal(pin_index_size(f->index).n_nodes, before.n_nodes);
    assert_int_equal(pin_index_size(f->index).bytes, before.bytes);
}

/* More names come and go than the table has room for at first: what is there is found, what is not
 * is not. */
static void test_names_come_and_go(void **state)
{
    struct fixture *f = *state;
    static bool is_in[N_COMING];
    char text[64];
    for (unsigned step = 0; step < 4 * N_COMING; step++) {
        unsigned n = (unsigned)pin_rand_below(N_COMING);
        bool is_put = pin_rand_below(3) > 0; /* more come than go */
        (void)snprintf(text, sizeof(text), "n%u.z.test", n);
        if (is_put) {
            put(f, text);
        } else if (is_in[n]) {
            take(f, text);
        }
        is_in[n] = is_put;
        unsigned other = (unsigned)pin_rand_below(N_COMING);
        (void)snprintf(text, sizeof(text), "n%u.z.test", other);
        assert_int_equal(find(f, text) != NULL, is_in[other]);
        if (step % 512 == 0) {
            pin_rcu_quiescent();
        }
    }
    for (unsigned n = 0; n < N_COMING; n++) {
        (void)snprintf(text, sizeof(text), "n%u.z.test", n);
        assert_int_equal(find(f, text) != NULL, is_in[n]);
        if (is_in[n]) {
            take(f, text);
        }
    }
}

static int end_rcu(void **state)
{
    (void)state;
    pin_rcu_barrier();
    pin_rcu_unregister();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_and_remove, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_empty_non_terminals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_name_with_names_below, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_enclose, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wildcard_flag, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_serial_wraps, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_random, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_names_come_and_go, set_up, tear_down),
    };
    pin_rcu_register();
    return cmocka_run_group_tests_name("index", tests, NULL, end_rcu);
}
