/* SPDX-License-Identifier: Apache-2.0 */

/* A publisher writes differences alone, in transactions that etcd takes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/macros.h"

#include "sync/publish_ops.h"

#define OTHER(i)                                                                                   \
    {                                                                                              \
        others[i].name, test_other, NULL, NULL, &others[i]                                         \
    }

static const char *const names[] = {"c1", NULL, "c3"};

static int set_up(void **state)
{
    static struct pin_publish publish;
    assert_true(pin_publish_init(&publish, "/p", names, N_ELEMS(names)));
    publish.clusters[0].is_followed = true;
    *state = &publish;
    return 0;
}

static int tear_down(void **state)
{
    pin_publish_done(*state);
    return 0;
}

static struct pin_etcd_kv kv_of(char *key, int64_t revision)
{
    return (struct pin_etcd_kv){.key = key, .key_bytes = strlen(key), .mod_revision = revision};
}

static void take(struct pin_publish *self, uint16_t cluster_id, const char *key, const char *value)
{
    struct pin_changes_taken taken = {.items = calloc(1, sizeof(struct pin_change)), .n = 1};
    taken.items[0] = (struct pin_change){.cluster_id = cluster_id,
        .key = strdup(key),
        .key_bytes = strlen(key),
        .value = value != NULL ? strdup(value) : NULL,
        .value_bytes = value != NULL ? strlen(value) : 0};
    pin_publish_take(self, &taken);
    pin_changes_taken_done(&taken);
}

/* Notes what etcd has of a key. */
static void know(struct pin_publish *self, char *key, const char *value)
{
    struct pin_etcd_kv kv = kv_of(key, 5);
    kv.value = (uint8_t *)strdup(value);
    kv.value_bytes = strlen(value);
    pin_publish_know(self, &kv);
    free(kv.value);
}

static void assert_next(struct pin_publish *self, const char *want)
{
    struct pin_text text = {0};
    pin_publish_next(self, "77", &text);
    assert_string_equal(pin_text_get(&text), want);
    pin_text_done(&text);
}

static void acknowledge(struct pin_publish *self, uint64_t n_puts, uint64_t n_deletes)
{
    uint64_t puts = 0;
    uint64_t deletes = 0;
    pin_publish_acknowledge(self, 7, &puts, &deletes);
    assert_int_equal(puts, n_puts);
    assert_int_equal(deletes, n_deletes);
}

static void test_differences(void **state)
{
    struct pin_publish *self = *state;
    know(self, (char[]){"/p/c1/s/n/same"}, "1");
    know(self, (char[]){"/p/c1/s/n/other"}, "1");
    know(self, (char[]){"/p/c1/s/n/gone"}, "1");
    know(self, (char[]){"/p/c1/meta"}, "1");
    know(self, (char[]){"/p/c9/s/n/foreign"}, "1");
    know(self, (char[]){"/p/leader"}, "1");
    assert_int_equal(self->n_keys, 3);
    take(self, 0, "s/n/same", "1");
    take(self, 0, "s/n/never", NULL);
    assert_true(pin_publish_is_idle(self));
    take(self, 0, "s/n/other", "2");
    /* "/p/c1/s/n/other", "2" */
    assert_next(self, "[{\"request_put\":{\"key\":\"L3AvYzEvcy9uL290aGVy\",\"value\":\"Mg==\"}}]");
    acknowledge(self, 1, 0);
    pin_publish_sweep(self, 0);
    /* "/p/c1/s/n/gone" */
    assert_next(self, "[{\"request_delete_range\":{\"key\":\"L3AvYzEvcy9uL2dvbmU=\"}}]");
    acknowledge(self, 0, 1);
    take(self, 0, "s/n/same", NULL);
    pin_publish_sweep(self, 0);
    assert_next(self, "[{\"request_delete_range\":{\"key\":\"L3AvYzEvcy9uL3NhbWU=\"}}]");
    acknowledge(self, 0, 1);
    assert_true(pin_publish_is_idle(self));
    assert_int_equal(self->n_keys, 1);
}

/* What etcd has of a kind that was not listed whole is the last that somebody knew. */
static void test_unknown_kinds(void **state)
{
    struct pin_publish *self = *state;
    know(self, (char[]){"/p/c1/s/n/gone"}, "1");
    know(self, (char[]){"/p/c1/o/Ingress/n/gone"}, "1");
    self->clusters[0].unknown = 1u << PIN_KIND_SERVICE | 1u << PIN_KIND_INGRESS;
    assert_int_equal(pin_publish_n_missing(self, 0), 0);
    pin_publish_sweep(self, 0);
    assert_true(pin_publish_is_idle(self));
    self->clusters[0].unknown = 1u << PIN_KIND_INGRESS;
    assert_int_equal(pin_publish_n_missing(self, 0), 1);
    self->clusters[0].unknown = 0;
    assert_int_equal(pin_publish_n_missing(self, 0), 2);
}

static void test_unfollowed(void **state)
{
    struct pin_publish *self = *state;
    know(self, (char[]){"/p/c3/s/n/there"}, "1");
    take(self, 2, "s/n/there", NULL);
    take(self, 2, "s/n/there", "2");
    take(self, 1, "s/n/a", "1");
    take(self, 7, "s/n/a", "1");
    assert_true(pin_publish_is_idle(self));
}

static void test_lease(void **state)
{
    struct pin_publish *self = *state;
    pin_publish_put(self, 2, "alive", "1", true);
    /* "/p/c3/alive" */
    assert_next(self, "[{\"request_put\":{\"key\":\"L3AvYzMvYWxpdmU=\",\"value\":\"MQ==\","
                      "\"lease\":\"77\"}}]");
}

static size_t count_ops(struct pin_publish *self)
{
    struct pin_text text = {0};
    pin_publish_next(self, "77", &text);
    pin_text_done(&text);
    return self->n_sending;
}

static void test_batches(void **state)
{
    struct pin_publish *self = *state;
    char key[16];
    for (int i = 0; i < 250; i++) {
        (void)snprintf(key, sizeof(key), "s/n/%d", i);
        take(self, 0, key, "1");
    }
    assert_int_equal(count_ops(self), PIN_PUBLISH_OPS_MAX);
    acknowledge(self, PIN_PUBLISH_OPS_MAX, 0);
    assert_int_equal(count_ops(self), PIN_PUBLISH_OPS_MAX);
    acknowledge(self, PIN_PUBLISH_OPS_MAX, 0);
    assert_int_equal(count_ops(self), 50);
    acknowledge(self, 50, 0);
    assert_true(pin_publish_is_idle(self));
}

static void test_large_values(void **state)
{
    struct pin_publish *self = *state;
    char *large = malloc(PIN_PUBLISH_BYTES_MAX + 1);
    char *key = NULL;
    memset(large, 'x', PIN_PUBLISH_BYTES_MAX);
    large[PIN_PUBLISH_BYTES_MAX] = '\0';
    take(self, 0, "s/n/a", "1");
    take(self, 0, "s/n/b", large);
    take(self, 0, "s/n/c", "1");
    assert_int_equal(count_ops(self), 1);
    acknowledge(self, 1, 0);
    assert_int_equal(count_ops(self), 1);
    assert_false(pin_publish_shrink(self, &key)); /* refused: it is left out */
    assert_string_equal(key, "/p/c1/s/n/b");
    free(key);
    take(self, 0, "s/n/b", large); /* and not tried again until it changes */
    assert_int_equal(count_ops(self), 1);
    acknowledge(self, 1, 0);
    assert_true(pin_publish_is_idle(self));
    free(large);
}

static void test_shrinks(void **state)
{
    struct pin_publish *self = *state;
    char *key = NULL;
    char name[16];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(name, sizeof(name), "s/n/%d", i);
        take(self, 0, name, "1");
    }
    assert_int_equal(count_ops(self), 40);
    assert_true(pin_publish_shrink(self, &key));
    assert_int_equal(count_ops(self), 20);
    assert_true(pin_publish_shrink(self, &key));
    assert_int_equal(count_ops(self), 10);
    acknowledge(self, 10, 0);
    assert_int_equal(count_ops(self), 20); /* it was one key, somewhere */
}

static bool is_same(struct pin_publish *self, char *key, int64_t revision)
{
    struct pin_etcd_kv kv = kv_of(key, revision);
    return pin_publish_is_same(self, &kv);
}

/* Reads one key at revision 5, writes another and `meta` at 7. */
static void publish_two(struct pin_publish *self)
{
    char key[] = "/p/c1/s/n/read";
    know(self, key, "1");
    take(self, 0, "s/n/read", "1");
    take(self, 0, "s/n/written", "1");
    self->clusters[0].is_whole = true;
    pin_publish_put(self, 0, "meta", "{}", false);
    (void)count_ops(self);
    acknowledge(self, 2, 0);
    pin_publish_compare(self);
}

static struct other_case {
    const char *name;
    const char *key; /* told beside those that are as they were */
    int64_t revision;
    const char *missing;
    bool is_same, has_all;
} others[] = {
    {"what is as it was is the same", NULL, 0, NULL, true, true},
    {"another revision is somebody else's", "/p/c1/s/n/read", 6, "/p/c1/s/n/read", false, true},
    {"a key that nobody wrote is somebody else's", "/p/c1/s/n/new", 6, NULL, false, true},
    {"a key that is not told was removed", NULL, 0, "/p/c1/s/n/written", true, false},
    {"meta may be removed, too", NULL, 0, "/p/c1/meta", true, false},
    {"meta may be changed, too", "/p/c1/meta", 9, "/p/c1/meta", false, true},
    {"signs of life come and go", "/p/c1/alive", 9, NULL, true, true},
    {"keys of clusters that are not whole are left alone", "/p/c3/s/n/x", 9, NULL, true, true},
    {"keys of nobody's are left alone", "/p/else", 9, NULL, true, true},
};

static void test_other(void **state)
{
    const struct other_case *c = *state;
    char keys[][24] = {"/p/c1/meta", "/p/c1/s/n/read", "/p/c1/s/n/written"};
    const int64_t revisions[] = {7, 5, 7};
    struct pin_publish *self = NULL;
    (void)set_up((void **)&self);
    publish_two(self);
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        if (c->missing == NULL || strcmp(c->missing, keys[i]) != 0) {
            assert_true(is_same(self, keys[i], revisions[i]));
        }
    }
    if (c->key != NULL) {
        char key[32];
        (void)snprintf(key, sizeof(key), "%s", c->key);
        assert_int_equal(is_same(self, key, c->revision), c->is_same);
    }
    assert_int_equal(pin_publish_has_all(self), c->has_all);
    (void)tear_down((void **)&self);
}

/* A comparison takes its time, and changes go on meanwhile. */
static void test_changes_between_pages(void **state)
{
    struct pin_publish *self = *state;
    char meta[] = "/p/c1/meta";
    char added[] = "/p/c1/s/n/added";
    publish_two(self);
    assert_true(is_same(self, meta, 7));
    take(self, 0, "s/n/read", NULL);
    take(self, 0, "s/n/written", "2");
    take(self, 0, "s/n/added", "1");
    assert_true(self->has_deleted);
    assert_true(is_same(self, added, 3)); /* not sent yet: whatever is there */
    assert_true(pin_publish_has_all(self));
    (void)count_ops(self);
    acknowledge(self, 2, 1);
    assert_true(pin_publish_has_all(self)); /* they were written since */
    pin_publish_compare(self);
    assert_false(pin_publish_has_all(self));
    assert_true(is_same(self, meta, 7));
    assert_true(is_same(self, added, 7));
    assert_false(pin_publish_has_all(self));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"what is as it was is not written", test_differences, set_up, tear_down, NULL},
        {"nothing of a cluster is touched before it is followed", test_unfollowed, set_up,
            tear_down, NULL},
        {"what is of a kind that nobody knows stays", test_unknown_kinds, set_up, tear_down, NULL},
        {"a sign of life is bound to the lease", test_lease, set_up, tear_down, NULL},
        {"a transaction has a limited number of operations", test_batches, set_up, tear_down, NULL},
        {"a value that etcd refuses does not hold up the rest", test_large_values, set_up,
            tear_down, NULL},
        {"a transaction that was too large is made smaller", test_shrinks, set_up, tear_down, NULL},
        {"changes go on while what is there is compared", test_changes_between_pages, set_up,
            tear_down, NULL},
        OTHER(0),
        OTHER(1),
        OTHER(2),
        OTHER(3),
        OTHER(4),
        OTHER(5),
        OTHER(6),
        OTHER(7),
        OTHER(8),
    };
    _Static_assert(N_ELEMS(others) == 9, "each row is run");
    return cmocka_run_group_tests_name("publish_ops", tests, NULL, NULL);
}
