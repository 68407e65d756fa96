/* SPDX-License-Identifier: Apache-2.0 */

/* One writer per cluster: whoever has the Lease, and nobody for a while when its holder goes. */

#include "pintle/base/arena.h"
#include "pintle/base/macros.h"

#include "fake.h"
#include "sync/http.h"
#include "sync/lease.h"

#define RELEASED_MS 13000 /* A Lease that was given up is free; an abandoned one after 15 s. */
#define LEASES      "/apis/coordination.k8s.io/v1/leases"
#define PUT_LEASE(holder, duration)                                                                \
    "{\"do\":\"put\",\"path\":\"" LEASES "\",\"object\":{\"metadata\":{\"namespace\":\"sys\","     \
    "\"name\":\"w\"},\"spec\":{\"holderIdentity\":\"" holder                                       \
    "\",\"leaseDurationSeconds\":" duration "}}}"

/* A daemon, as far as its Lease goes. */
struct daemon {
    struct pin_lease *lease;
    struct lease_box *box;
    unsigned n_changes;
    bool is_held;
};

struct lease_box {
    struct fake fake;
    struct pin_loop *loop;
    struct pin_http *http;
    struct pin_arena *arena;
    struct pin_target target;
    struct pin_text logged;
    struct daemon daemons[2];
    char server[64];
    bool is_away;
};

static const struct pin_target *get_target(void *arg)
{
    const struct daemon *self = arg;
    return self->box->is_away ? NULL : &self->box->target;
}

static void on_change(void *arg, bool is_held)
{
    struct daemon *self = arg;
    self->is_held = is_held;
    self->n_changes++;
}

static void log_line(enum pin_log_level level, const char *line, void *arg)
{
    struct lease_box *box = arg;
    if (level >= PIN_LOG_INFO) {
        pin_text_putf(&box->logged, "%s\n", line);
    }
}

static void make_daemon(struct lease_box *box, size_t i)
{
    static const char *const names[] = {"one", "two"};
    struct pin_lease_config config = {.loop = box->loop,
        .http = box->http,
        .arena = box->arena,
        .where = "cluster c1",
        .namespace_name = "sys",
        .name = "w",
        .identity = names[i],
        .target = get_target,
        .on_change = on_change,
        .arg = &box->daemons[i]};
    box->daemons[i] = (struct daemon){.box = box, .lease = pin_lease_new(&config)};
    assert_non_null(box->daemons[i].lease);
}

static int lease_set_up(void **state)
{
    struct lease_box *box = calloc(1, sizeof(*box));
    assert_non_null(box);
    fake_start(&box->fake, NULL);
    (void)snprintf(box->server, sizeof(box->server), "http://127.0.0.1:%d", box->fake.port);
    box->target.server = box->server;
    box->loop = pin_loop_new();
    box->http = pin_http_new(box->loop);
    box->arena = pin_arena_new("test", (size_t)1 << 20);
    pin_log_set_sink(log_line, box);
    make_daemon(box, 0);
    make_daemon(box, 1);
    *state = box;
    return 0;
}

static int lease_tear_down(void **state)
{
    struct lease_box *box = *state;
    pin_lease_free(box->daemons[0].lease);
    pin_lease_free(box->daemons[1].lease);
    pin_http_free(box->http);
    pin_arena_free(box->arena);
    pin_loop_free(box->loop);
    pin_log_set_sink(NULL, NULL);
    pin_text_done(&box->logged);
    fake_stop(&box->fake);
    free(box);
    return 0;
}

/* Runs the loop until the flag is as wanted; never both hold it. */
static bool wait_for(struct lease_box *box, const bool *flag, bool wanted, int64_t timeout_ms)
{
    int64_t until_ms = pin_clock_mono_ms() + timeout_ms;
    while (*flag != wanted && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(box->loop, 20);
        assert_false(
            pin_lease_is_held(box->daemons[0].lease) && pin_lease_is_held(box->daemons[1].lease));
    }
    return *flag == wanted;
}

static void run(struct lease_box *box, int64_t ms)
{
    bool never = false;
    (void)wait_for(box, &never, true, ms);
}

static void test_one_of_two_holds_it_and_gives_it_back(void **state)
{
    struct lease_box *box = *state;
    struct daemon *one = &box->daemons[0];
    struct daemon *two = &box->daemons[1];
    pin_lease_start(one->lease);
    assert_true(wait_for(box, &one->is_held, true, SOON_MS));
    pin_lease_start(two->lease);
    run(box, 3000);
    assert_false(two->is_held);
    assert_string_equal(pin_lease_holder(two->lease), "one");
    pin_lease_release(one->lease);
    assert_false(one->is_held);
    assert_true(wait_for(box, &two->is_held, true, RELEASED_MS)); /* not after 15 s only */
    assert_string_equal(pin_lease_holder(two->lease), "two");
}

static void test_two_at_once_are_one(void **state)
{
    struct lease_box *box = *state;
    pin_lease_start(box->daemons[0].lease);
    pin_lease_start(box->daemons[1].lease);
    run(box, 3000);
    assert_int_equal(box->daemons[0].is_held + box->daemons[1].is_held, 1);
    assert_int_equal(box->daemons[0].n_changes + box->daemons[1].n_changes, 1);
}

static void test_one_that_is_not_renewed_is_taken_over(void **state)
{
    struct lease_box *box = *state;
    assert_string_equal(fake_do(&box->fake, PUT_LEASE("gone", "3")), "ok\n");
    int64_t before_ms = pin_clock_mono_ms();
    pin_lease_start(box->daemons[0].lease);
    assert_true(wait_for(box, &box->daemons[0].is_held, true, SOON_MS));
    assert_true(pin_clock_mono_ms() - before_ms >= 2900); /* by our clock, from when we saw it */
}

static void test_one_that_is_renewed_is_not(void **state)
{
    struct lease_box *box = *state;
    pin_lease_start(box->daemons[0].lease);
    for (int i = 0; i < 6; i++) {
        assert_string_equal(fake_do(&box->fake, PUT_LEASE("other", "2")), "ok\n");
        run(box, 700);
    }
    assert_int_equal(box->daemons[0].n_changes, 0);
}

static void test_who_is_robbed_stops(void **state)
{
    struct lease_box *box = *state;
    pin_lease_start(box->daemons[0].lease);
    assert_true(wait_for(box, &box->daemons[0].is_held, true, SOON_MS));
    assert_string_equal(fake_do(&box->fake, PUT_LEASE("thief", "15")), "ok\n");
    assert_true(wait_for(box, &box->daemons[0].is_held, false, SOON_MS));
    assert_string_equal(pin_lease_holder(box->daemons[0].lease), "thief");
}

static void test_who_cannot_renew_stops_before_another_may_take_it(void **state)
{
    struct lease_box *box = *state;
    pin_lease_start(box->daemons[0].lease);
    assert_true(wait_for(box, &box->daemons[0].is_held, true, SOON_MS));
    box->is_away = true;
    int64_t before_ms = pin_clock_mono_ms();
    assert_true(wait_for(box, &box->daemons[0].is_held, false, 14000));
    assert_true(pin_clock_mono_ms() - before_ms <= PIN_LEASE_STOP_MS + 1000);
    box->is_away = false;
    assert_true(wait_for(box, &box->daemons[0].is_held, true, SOON_MS));
}

static void test_missing_rights_are_told_once(void **state)
{
    struct lease_box *box = *state;
    assert_string_equal(fake_do(&box->fake, FAULT("/leases", "\"status\":403,\"times\":2,\"body\":"
                                                             "\"no leases for you\"")),
        "ok\n");
    pin_lease_start(box->daemons[0].lease);
    run(box, 500);
    assert_false(box->daemons[0].is_held);
    const char *told = strstr(pin_text_get(&box->logged), "apply deploy/rbac/write-lease.yaml");
    assert_non_null(told);
    assert_null(strstr(told + 10, "apply deploy"));
    assert_non_null(strstr(pin_lease_error(box->daemons[0].lease), "403"));
}

static struct read_case {
    const char *name;
    const char *text;
    enum pin_err want;
    const char *holder;
    int64_t duration_s;
} reads[] = {
    {"a whole Lease is read",
        "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"holderIdentity\":\"a\","
        "\"leaseDurationSeconds\":30,\"leaseTransitions\":2}}",
        PIN_OK, "a", 30},
    {"one that says nothing is nobody's", "{\"metadata\":{\"resourceVersion\":\"7\"}}", PIN_OK, "",
        PIN_LEASE_S},
    {"a duration of nothing counts a second",
        "{\"metadata\":{\"resourceVersion\":\"7\"},\"spec\":{\"leaseDurationSeconds\":-5}}", PIN_OK,
        "", 1},
    {"one without a version cannot be changed safely", "{\"metadata\":{}}", PIN_EPARSE, NULL, 0},
    {"half an answer is none", "{\"metadata\":{\"resourceVersion\":", PIN_EPARSE, NULL, 0},
};

static void test_read(void **state)
{
    const struct read_case *c = *state;
    struct pin_arena *arena = pin_arena_new("test", (size_t)1 << 20);
    struct pin_lease_seen seen;
    struct pin_why why = {0};
    assert_int_equal(pin_lease_read(c->text, strlen(c->text), arena, &seen, &why), c->want);
    if (c->want == PIN_OK) {
        assert_string_equal(seen.holder, c->holder);
        assert_int_equal(seen.duration_s, c->duration_s);
    }
    pin_arena_free(arena);
}

#define LEASE_TEST(name) cmocka_unit_test_setup_teardown(name, lease_set_up, lease_tear_down)

int main(void)
{
    struct CMUnitTest read_tests[N_ELEMS(reads)] = {{0}};
    const struct CMUnitTest tests[] = {
        LEASE_TEST(test_one_of_two_holds_it_and_gives_it_back),
        LEASE_TEST(test_two_at_once_are_one),
        LEASE_TEST(test_one_that_is_not_renewed_is_taken_over),
        LEASE_TEST(test_one_that_is_renewed_is_not),
        LEASE_TEST(test_who_is_robbed_stops),
        LEASE_TEST(test_who_cannot_renew_stops_before_another_may_take_it),
        LEASE_TEST(test_missing_rights_are_told_once),
    };
    for (size_t i = 0; i < N_ELEMS(reads); i++) {
        read_tests[i] = (struct CMUnitTest){
            .name = reads[i].name, .test_func = test_read, .initial_state = &reads[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("lease answers", read_tests, NULL, NULL)
           + cmocka_run_group_tests_name("lease", tests, NULL, NULL);
}
