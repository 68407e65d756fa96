/* SPDX-License-Identifier: Apache-2.0 */

/* A cluster from etcd is what etcd has, as long as etcd makes sense. */

#include "pintle/base/crypto.h"
#include "pintle/zones/bundle.h"

#include "fake.h"
#include "support/faults.h"

#define BACK_MS 90000 /* More than a reader waits before it believes an etcd that went back. */
#define META    "{\"format\":1,\"state\":\"up\"}"
/* Pages asked for in a second by who backs off; one each 50 ms would be more. */
#define N_IN_A_SECOND 16

/* Sets a key to these bytes. */
static void put_bytes(struct box *self, const char *key, const void *data, size_t bytes)
{
    struct pin_text command = {0};
    char *encoded = malloc(PIN_BASE64_BYTES(bytes));
    pin_text_putf(&command, "{\"do\":\"put\",\"key\":\"/p/c1/%s\",\"value\":\"%s\"}", key,
        pin_base64_encode(data, bytes, encoded));
    order(self, pin_text_get(&command));
    free(encoded);
    pin_text_done(&command);
}

/* Publishes a Service of the namespace d. */
static void put_service(struct box *self, const char *name)
{
    struct pin_text value = {0};
    char key[64];
    struct pin_object *object = pin_object_new(PIN_KIND_SERVICE, 64);
    object->namespace_name = "d";
    object->name = pin_object_text(object, name, strlen(name));
    assert_true(pin_bundle_put(&value, object));
    (void)snprintf(key, sizeof(key), "s/d/%s", name);
    put_bytes(self, key, value.ptr, value.len);
    pin_object_free(object);
    pin_text_done(&value);
}

static int set_up_etcd(void **state)
{
    struct box *self = calloc(1, sizeof(*self));
    char endpoint[32];
    const char *endpoints[] = {endpoint};
    assert_non_null(self);
    fake_run(&self->fake, "fake_etcd.py", NULL);
    (void)snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", self->fake.port);
    struct pin_source_spec spec = {.cluster = "c1",
        .kind = PIN_SOURCE_ETCD,
        .etcd = {.endpoints = endpoints, .n_endpoints = 1, .prefix = "/p"}};
    rig_init(&self->rig, &spec, 1);
    put_bytes(self, "meta", META, strlen(META));
    put_bytes(self, "alive", "1", 1);
    put_service(self, "a");
    *state = self;
    return 0;
}

static void test_what_is_published_is_known(void **state)
{
    struct box *self = *state;
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/a"), 1);
    put_service(self, "b");
    want(self, "UPSERT Service d/b");
    order(self, "{\"do\":\"delete\",\"key\":\"/p/c1/s/d/a\"}");
    want(self, "DELETE Service d/a");
    assert_true(stats_of(self).is_up);
}

/* The watch would wait for a revision that is far away, while each look at `alive` finds it well.
 */
static void test_an_etcd_from_a_backup_is_believed_after_a_while(void **state)
{
    struct box *self = *state;
    start(self);
    order(self, "{\"do\":\"save\"}");
    for (int i = 0; i < 20; i++) {
        put_service(self, "b");
    }
    put_bytes(self, "alive", "2", 1);
    put_service(self, "end");
    want(self, "UPSERT Service d/end");
    rig_forget(&self->rig);
    order(self, "{\"do\":\"restore\"}");
    want_log(self, "its revision went back");
    want(self, "DOWN");
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
    put_service(self, "b"); /* as its publisher does, which finds out sooner */
    put_service(self, "new");
    assert_true(rig_wait(&self->rig, "UPSERT Service d/new", BACK_MS));
    want(self, "UP\n");
    assert_int_equal(rig_count(&self->rig, "DELETE Service d/b"), 0);
    assert_int_equal(rig_count(&self->rig, "DELETE Service d/end"), 1);
}

/* No Pintle writes such a key, and whoever can write there is not to stop what others read.
 */
static void test_a_key_with_a_nul_is_left_out(void **state)
{
    struct box *self = *state;
    put_bytes(self, "s/d/a\\u0000b", "1", 1);
    for (int i = 0; i < 300; i++) { /* more than a page */
        char name[16];
        (void)snprintf(name, sizeof(name), "b%d", i);
        put_service(self, name);
    }
    start(self);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/b"), 300);
    put_bytes(self, "s/d/a\\u0000c", "1", 1);
    put_service(self, "c");
    want(self, "UPSERT Service d/c");
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_lists[PIN_LIST_START], 1);
    assert_int_equal(stats_of(self).kinds[PIN_KIND_SERVICE].n_lists[PIN_LIST_BACK], 0);
    assert_true(stats_of(self).is_up);
}

/* The builder sleeps on through what more is said to follow of. */
static void test_a_change_is_told_at_once_though_some_value_cannot_be_read(void **state)
{
    struct box *self = *state;
    put_bytes(self, "s/d/z", "?", 1);
    start(self);
    want_log(self, "s/d/z cannot be read");
    self->rig.n_more = 0;
    put_service(self, "b");
    want(self, "UPSERT Service d/b");
    assert_int_equal(self->rig.n_more, 0);
}

/* What the mirror has dropped it does not drop again: only a list told as a first one is helps. */
static void test_a_deletion_that_memory_was_out_for_is_told_by_a_list(void **state)
{
    struct box *self = *state;
    start(self);
    for (unsigned n_good = 0; strstr(pin_text_get(&self->rig.logged), "is lost") == NULL;
         n_good++) {
        assert_true(n_good < 100);
        put_service(self, "b");
        want(self, "UPSERT Service d/b");
        rig_forget(&self->rig);
        pin_faults_start(n_good, 1);
        order(self, "{\"do\":\"delete\",\"key\":\"/p/c1/s/d/b\"}");
        for (int i = 0; i < 1000 && !rig_wait(&self->rig, "DELETE Service d/b", 20)
                        && !rig_wait(&self->rig, "LIST_END Service\n", 20);
             i++) {
        }
        (void)pin_faults_stop();
    }
    assert_int_equal(rig_count(&self->rig, "DELETE Service d/b"), 0);
    assert_non_null(strstr(pin_text_get(&self->rig.seen), "LIST_BEGIN Service\n"));
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/a"), 1);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/b"), 0);
    want_log(self, "memory was out for a change");
}

static size_t count_lists(struct box *self)
{
    return strtoul(fake_do(&self->fake, "{\"do\":\"count\",\"path\":\"/v3/kv/range\"}"), NULL, 10);
}

static void test_a_watch_of_nonsense_is_not_listed_all_the_time(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"lie\",\"how\":\"line\"}");
    start(self);
    rig_run(&self->rig, 1000);
    assert_true(count_lists(self) < N_IN_A_SECOND);
    order(self, "{\"do\":\"lie\",\"how\":\"\"}");
    put_service(self, "b");
    assert_true(rig_wait(&self->rig, "UPSERT Service d/b", BACK_MS));
}

static struct lie_case {
    const char *name;
    const char *how;
} lies[] = {
    {"pages without keys are not followed for ever", "more"},
    {"pages that come again are not followed for ever", "again"},
};

static void test_lie(void **state)
{
    const struct lie_case *c = *state;
    struct box *self = NULL;
    char command[64];
    assert_int_equal(set_up_etcd((void **)&self), 0);
    (void)snprintf(command, sizeof(command), "{\"do\":\"lie\",\"how\":\"%s\"}", c->how);
    order(self, command);
    pin_sync_start(self->rig.sync);
    rig_run(&self->rig, 1000);
    assert_int_equal(rig_count(&self->rig, "LIST_END"), 0);
    assert_true(count_lists(self) < N_IN_A_SECOND);
    order(self, "{\"do\":\"lie\",\"how\":\"\"}");
    assert_true(rig_wait(&self->rig, "SYNCED", BACK_MS));
    (void)tear_down((void **)&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_published_is_known, set_up_etcd, tear_down),
        cmocka_unit_test_setup_teardown(
            test_an_etcd_from_a_backup_is_believed_after_a_while, set_up_etcd, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_deletion_that_memory_was_out_for_is_told_by_a_list, set_up_etcd, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_change_is_told_at_once_though_some_value_cannot_be_read, set_up_etcd, tear_down),
        cmocka_unit_test_setup_teardown(test_a_key_with_a_nul_is_left_out, set_up_etcd, tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_watch_of_nonsense_is_not_listed_all_the_time, set_up_etcd, tear_down),
        {lies[0].name, test_lie, NULL, NULL, &lies[0]},
        {lies[1].name, test_lie, NULL, NULL, &lies[1]},
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("source_etcd", tests, NULL, NULL);
}
