/* SPDX-License-Identifier: Apache-2.0 */

/* A cluster is listed once more because somebody doubts its first lists, and not for two denials.
 */

#include "pintle/base/macros.h"

#include "fake.h"

#define CONFIRM_MS     30000
#define CONFIRM_MAX_MS 33000
#define SHORT_MS       300

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
void __wrap_pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat);
void __real_pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat);

/* Half a minute is a moment here. */
void __wrap_pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat)
{
    bool is_confirm = ms >= CONFIRM_MS && ms <= CONFIRM_MAX_MS;
    __real_pin_timer_start(timer, is_confirm ? SHORT_MS : ms, repeat);
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static uint64_t n_again(const struct box *self)
{
    return stats_of(self).kinds[PIN_KIND_SERVICE].n_lists[PIN_LIST_HELD];
}

static void test_all_is_listed_once_more(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    rig_forget(&self->rig);
    assert_true(pin_sync_list_again(self->rig.sync, 0));
    assert_true(pin_sync_list_again(self->rig.sync, 0)); /* once is enough */
    want(self, "LIST_BEGIN Service\nUPSERT Service d/a\nLIST_END Service\n");
    rig_run(&self->rig, 3 * (int64_t)SHORT_MS);
    assert_int_equal(n_again(self), 1);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
    order(self, PUT("b"));
    want(self, "UPSERT Service d/b");
}

/* It is not there to be listed when half a minute is over. */
static void test_one_out_of_reach_is_listed_when_it_is_back(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    order(self, FAULT("/livez", "\"times\":1000,\"status\":500"));
    want(self, "DOWN");
    rig_forget(&self->rig);
    assert_true(pin_sync_list_again(self->rig.sync, 0));
    rig_run(&self->rig, 3 * (int64_t)SHORT_MS);
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN"), 0);
    order(self, "{\"do\":\"mend\"}");
    want(self, "LIST_BEGIN Service\nUPSERT Service d/a\nLIST_END Service\n");
    assert_int_equal(n_again(self), 1);
}

static void await_watches(struct box *self, size_t n)
{
    int64_t until_ms = pin_clock_mono_ms() + 4 * (int64_t)SOON_MS;
    while (count_requests(self, WATCH_OF_SERVICES) < n && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 20);
    }
    assert_true(count_requests(self, WATCH_OF_SERVICES) >= n);
}

/* A server that just started denies what it will allow. Twice in a row is no reason to list, and
 * what was before a watch that worked does not count. */
static void test_denied_now_and_then(void **state)
{
    struct box *self = *state;
    start(self);
    order(self, PUT("a"));
    want(self, "UPSERT Service d/a"); /* it is watched */
    rig_forget(&self->rig);
    for (int i = 0; i < 2; i++) {
        size_t n_before = count_requests(self, WATCH_OF_SERVICES);
        order(self, FAULT(WATCH_OF_SERVICES, "\"status\":403,\"times\":2"));
        order(self, "{\"do\":\"drop\"}");
        await_watches(self, n_before + 3);
        order(self, i == 0 ? PUT("b") : PUT("c"));
        want(self, i == 0 ? "UPSERT Service d/b" : "UPSERT Service d/c");
    }
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN"), 0);
}

static void test_a_directory_needs_no_second_list(void **state)
{
    struct rig rig;
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_DIRECTORY, .directory = "/no/such/directory"};
    (void)state;
    rig_init(&rig, &spec, 1);
    assert_false(pin_sync_list_again(rig.sync, 0));
    rig_done(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_all_is_listed_once_more),
        A_TEST(test_one_out_of_reach_is_listed_when_it_is_back),
        A_TEST(test_denied_now_and_then),
        cmocka_unit_test(test_a_directory_needs_no_second_list),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_again", tests, NULL, NULL);
}
