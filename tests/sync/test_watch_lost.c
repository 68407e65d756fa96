/* SPDX-License-Identifier: Apache-2.0 */

/* What memory was out for is found by another list, and nothing goes because of it. */

#include "pintle/zones/delta.h"

#include "fake.h"

static int n_lose; /* Deltas from now on that there is no memory for. */

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
struct pin_delta *__wrap_pin_delta_upsert(uint16_t cluster_id, struct pin_object *object);
struct pin_delta *__real_pin_delta_upsert(uint16_t cluster_id, struct pin_object *object);

struct pin_delta *__wrap_pin_delta_upsert(uint16_t cluster_id, struct pin_object *object)
{
    bool is_lost = object->kind == PIN_KIND_SERVICE && n_lose > 0;
    n_lose -= is_lost ? 1 : 0;
    if (is_lost) {
        pin_object_free(object);
        return NULL;
    }
    return __real_pin_delta_upsert(cluster_id, object);
}

struct pin_delta *__wrap_pin_delta_delete(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name);
struct pin_delta *__real_pin_delta_delete(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name);

struct pin_delta *__wrap_pin_delta_delete(
    uint16_t cluster_id, enum pin_kind kind, const char *namespace_name, const char *name)
{
    bool is_lost = kind == PIN_KIND_SERVICE && n_lose > 0;
    n_lose -= is_lost ? 1 : 0;
    return is_lost ? NULL : __real_pin_delta_delete(cluster_id, kind, namespace_name, name);
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static void test_an_event_that_is_lost_leads_to_a_list(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    order(self, PUT("b"));
    want(self, "UPSERT Service d/b");
    rig_forget(&self->rig);
    n_lose = 1;
    order(self, PUT("c"));
    want(self, "LIST_BEGIN Service");
    want(self, "UPSERT Service d/c\nLIST_END Service\n");
    order(self, PUT("d")); /* and the watch goes on */
    want(self, "UPSERT Service d/d");
}

static void test_a_deletion_that_is_lost_leads_to_a_list(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    start(self);
    rig_forget(&self->rig);
    n_lose = 1;
    order(self, DELETE("a"));
    want(self, "LIST_BEGIN Service\nUPSERT Service d/b\nLIST_END Service\n");
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/a"), 0);
}

static void test_a_list_that_lost_an_object_takes_nothing_away(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    order(self, PUT("b"));
    n_lose = 1;
    start(self);
    assert_int_equal(rig_count(&self->rig, "LIST_END Service partial\n"), 1);
    want(self, "UPSERT Service d/a\nUPSERT Service d/b\nLIST_END Service\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_an_event_that_is_lost_leads_to_a_list),
        A_TEST(test_a_deletion_that_is_lost_leads_to_a_list),
        A_TEST(test_a_list_that_lost_an_object_takes_nothing_away),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_lost", tests, NULL, NULL);
}
