/* SPDX-License-Identifier: Apache-2.0 */

/* What is published is what the catalog has, also after etcd has lost some of it. */

#include "pintle/base/crypto.h"
#include "pintle/base/macros.h"
#include "pintle/sync/publisher.h"

#include "fake.h"

#define DOUBT_MS 5000

/* A catalog of one cluster and two keys. */
struct desk {
    struct fake fake;
    struct pin_loop *loop;
    struct pin_publisher *publisher;
    struct pin_changes_pull *pull; /* A request that waits. */
    bool is_followed;
    const char *values[2];
    bool is_noted[2];
    bool is_short;    /* The catalog has the first key only. */
    bool is_away;     /* The cluster is. */
    unsigned n_again; /* Second lists asked for. */
};

static const char *const keys[] = {"s/d/a", "s/d/b"};

static bool on_pull(void *arg, struct pin_changes_pull *pull)
{
    struct desk *self = arg;
    self->pull = pull;
    return true;
}

static bool on_list_again(void *arg, uint16_t cluster_id)
{
    struct desk *self = arg;
    (void)cluster_id;
    self->n_again++;
    return true;
}

static void add(struct desk *self, struct pin_changes_taken *taken, size_t i)
{
    taken->items[taken->n++] = (struct pin_change){.key = strdup(keys[i]),
        .key_bytes = strlen(keys[i]),
        .value = strdup(self->values[i]),
        .value_bytes = strlen(self->values[i])};
    self->is_noted[i] = false;
}

/* Does what the builder does with a request. */
static void give(struct desk *self)
{
    struct pin_changes_pull *pull = self->pull;
    struct pin_changes_taken *taken = &pull->taken;
    self->pull = NULL;
    self->is_followed = self->is_followed && !pull->is_first;
    if (pull->follows[0]) {
        self->is_followed = true;
        self->is_noted[0] = self->is_noted[1] = true;
    }
    *taken = (struct pin_changes_taken){.items = calloc(3, sizeof(*taken->items)),
        .clusters = calloc(2, sizeof(*taken->clusters)),
        .n_clusters = 1};
    taken->clusters[0] = (struct pin_change_cluster){
        .is_up = !self->is_away, .is_synced = true, .is_followed = self->is_followed};
    for (size_t i = 0; i < N_ELEMS(keys); i++) {
        if (self->is_followed && self->is_noted[i] && !(self->is_short && i > 0)) {
            add(self, taken, i);
        }
    }
    pull->done(pull->arg);
}

/* Whether etcd has that value of the key within some time. */
static bool comes(struct desk *self, size_t i, const char *value)
{
    char command[64];
    char wanted[64];
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    (void)pin_base64_encode(value, strlen(value), wanted);
    (void)snprintf(command, sizeof(command), "{\"do\":\"get\",\"key\":\"/p/c1/%s\"}", keys[i]);
    do {
        pin_loop_poll(self->loop, 20);
        if (self->pull != NULL) {
            give(self);
        }
        const char *found = fake_do(&self->fake, command);
        if (strncmp(found, wanted, strlen(wanted)) == 0 && found[strlen(wanted)] == '\n') {
            return true;
        }
    } while (pin_clock_mono_ms() < until_ms);
    return false;
}

static void change(struct desk *self, size_t i, const char *value)
{
    self->values[i] = value;
    self->is_noted[i] = true;
    pin_publisher_poke(self->publisher);
}

static int open_desk(void **state)
{
    struct desk *self = calloc(1, sizeof(*self));
    char endpoint[32];
    const char *endpoints[] = {endpoint};
    const char *clusters[] = {"c1"};
    assert_non_null(self);
    self->values[0] = "one";
    self->values[1] = "other";
    fake_run(&self->fake, "fake_etcd.py", NULL);
    (void)snprintf(endpoint, sizeof(endpoint), "127.0.0.1:%d", self->fake.port);
    self->loop = pin_loop_new();
    const struct pin_publisher_config config = {.loop = self->loop,
        .etcd = {.endpoints = endpoints, .n_endpoints = 1, .prefix = "/p"},
        .clusters = clusters,
        .n_clusters = 1,
        .pull = on_pull,
        .pull_arg = self,
        .list_again = on_list_again,
        .doubt_ms = DOUBT_MS,
        .compare_ms = 200};
    assert_int_equal(pin_publisher_start(&config, &self->publisher, NULL), PIN_OK);
    *state = self;
    return 0;
}

static int close_desk(void **state)
{
    struct desk *self = *state;
    pin_publisher_stop(self->publisher);
    if (self->pull != NULL) {
        give(self);
    }
    pin_publisher_free(self->publisher);
    pin_loop_free(self->loop);
    fake_stop(&self->fake);
    free(self);
    return 0;
}

static void test_changes_are_published(void **state)
{
    struct desk *self = *state;
    assert_true(comes(self, 0, "one"));
    assert_true(comes(self, 1, "other"));
    change(self, 0, "two");
    assert_true(comes(self, 0, "two"));
}

/* Its backup has our leader's key and our lease: no transaction is refused. */
static void test_what_a_restored_etcd_lacks_is_written_again(void **state)
{
    struct desk *self = *state;
    assert_true(comes(self, 0, "one"));
    assert_true(comes(self, 1, "other"));
    assert_string_equal(fake_do(&self->fake, "{\"do\":\"save\"}"), "ok\n");
    change(self, 0, "two");
    assert_true(comes(self, 0, "two"));
    change(self, 0, "three");
    assert_true(comes(self, 0, "three"));
    assert_string_equal(fake_do(&self->fake, "{\"do\":\"restore\"}"), "ok\n");
    change(self, 1, "news");
    assert_true(comes(self, 1, "news"));
    assert_true(comes(self, 0, "three"));
}

/* Waits until a key has a value that begins so in base64; NULL: until it has none. */
static bool becomes(struct desk *self, const char *name, const char *begin)
{
    char command[96];
    bool is_so = false;
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    (void)snprintf(command, sizeof(command), "{\"do\":\"get\",\"key\":\"/p/c1/%s\"}", name);
    while (!is_so && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->loop, 20);
        if (self->pull != NULL) {
            give(self);
        }
        const char *found = fake_do(&self->fake, command);
        is_so =
            begin == NULL ? strcmp(found, "\n") == 0 : strncmp(found, begin, strlen(begin)) == 0;
    }
    return is_so;
}

static void test_what_others_do_there_is_undone(void **state)
{
    struct desk *self = *state;
    assert_true(comes(self, 0, "one"));
    assert_true(comes(self, 1, "other"));
    assert_string_equal(
        fake_do(&self->fake, "{\"do\":\"delete\",\"key\":\"/p/c1/s/d/a\"}"), "ok\n");
    assert_true(comes(self, 0, "one"));
    assert_string_equal(
        fake_do(&self->fake, "{\"do\":\"put\",\"key\":\"/p/c1/s/d/b\",\"value\":\"bm9uc2Vuc2U=\"}"),
        "ok\n");
    assert_true(comes(self, 1, "other"));
    assert_string_equal(
        fake_do(
            &self->fake, "{\"do\":\"put\",\"key\":\"/p/c1/s/d/mine\",\"value\":\"bm9uc2Vuc2U=\"}"),
        "ok\n");
    assert_true(becomes(self, "s/d/mine", NULL));
    assert_string_equal(fake_do(&self->fake, "{\"do\":\"delete\",\"key\":\"/p/c1/meta\"}"), "ok\n");
    assert_true(becomes(self, "meta", "eyJmb3JtYXQiOj"));
    assert_true(comes(self, 0, "one"));
}

static void test_keys_that_no_pintle_writes_stop_nobody(void **state)
{
    struct desk *self = *state;
    assert_string_equal(
        fake_do(&self->fake, "{\"do\":\"put\",\"key\":\"/p/c1/s/d/a\\u0000b\",\"value\":\"MQ==\"}"),
        "ok\n");
    assert_true(comes(self, 0, "one"));
    assert_true(comes(self, 1, "other"));
}

static void put_old(struct desk *self, const char *name)
{
    char command[96];
    (void)snprintf(command, sizeof(command),
        "{\"do\":\"put\",\"key\":\"/p/c1/s/d/%s\",\"value\":\"MQ==\"}", name);
    assert_string_equal(fake_do(&self->fake, command), "ok\n");
}

/* The process is new and knows nothing of before; etcd does, and so do all who read it. */
static void test_a_first_list_that_lacks_most_of_it_waits_for_a_second(void **state)
{
    struct desk *self = *state;
    self->is_short = true;
    put_old(self, "b");
    put_old(self, "old-1");
    put_old(self, "old-2");
    assert_true(comes(self, 0, "one"));
    assert_true(becomes(self, "s/d/old-1", "MQ=="));
    assert_int_equal(self->n_again, 1);
    assert_true(becomes(self, "meta", NULL)); /* nobody says that it is whole */
    self->is_short = false;                   /* as the second list says */
    self->is_noted[1] = true;
    pin_publisher_poke(self->publisher);
    assert_true(comes(self, 1, "other"));
    assert_true(becomes(self, "meta", "eyJmb3JtYXQiOj"));
    assert_true(becomes(self, "s/d/old-1", NULL));
    assert_int_equal(self->n_again, 1);
}

static void test_a_cluster_out_of_reach_has_no_second_list(void **state)
{
    struct desk *self = *state;
    self->is_short = true;
    put_old(self, "old-1");
    put_old(self, "old-2");
    assert_true(comes(self, 0, "one"));
    self->is_away = true;
    int64_t until_ms = pin_clock_mono_ms() + 3 * (int64_t)DOUBT_MS;
    while (pin_clock_mono_ms() < until_ms) {
        assert_true(becomes(self, "s/d/old-1", "MQ=="));
    }
    self->is_away = false;
    assert_true(becomes(self, "s/d/old-1", NULL));
}

static void test_a_second_list_that_says_the_same_is_believed(void **state)
{
    struct desk *self = *state;
    self->is_short = true;
    put_old(self, "old-1");
    put_old(self, "old-2");
    assert_true(comes(self, 0, "one"));
    assert_true(becomes(self, "s/d/old-1", NULL));
    assert_true(becomes(self, "meta", "eyJmb3JtYXQiOj"));
    assert_int_equal(self->n_again, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_others_do_there_is_undone, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(
            test_keys_that_no_pintle_writes_stop_nobody, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(
            test_a_first_list_that_lacks_most_of_it_waits_for_a_second, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(
            test_a_cluster_out_of_reach_has_no_second_list, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(
            test_a_second_list_that_says_the_same_is_believed, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(test_changes_are_published, open_desk, close_desk),
        cmocka_unit_test_setup_teardown(
            test_what_a_restored_etcd_lacks_is_written_again, open_desk, close_desk),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}
