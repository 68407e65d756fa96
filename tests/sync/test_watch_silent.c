/* SPDX-License-Identifier: Apache-2.0 */

/* A watch of a server that sends bookmarks is begun again when it hears nothing for long. */

#include "pintle/base/macros.h"

#include "fake.h"
#include "sync/http.h"
#include "sync/watch.h"

#define SHORT_MS 2000

static size_t n_watched; /* Watches that may not be silent for long. */

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
enum pin_err __wrap_pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why);
enum pin_err __real_pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why);

/* Stands before the real one: what is silent for long is silent for two seconds here. */
enum pin_err __wrap_pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why)
{
    struct pin_http_request copy = *request;
    if (copy.stall_ms == PIN_WATCH_SILENT_MS) {
        copy.stall_ms = SHORT_MS;
        n_watched++;
    }
    return __real_pin_http_start(http, &copy, ret_transfer, why);
}
void __wrap_pin_timer_start(struct pin_timer *timer, int64_t delay_ms, bool repeats);
void __real_pin_timer_start(struct pin_timer *timer, int64_t delay_ms, bool repeats);

/* The same for a watch that began before the first bookmark came. */
void __wrap_pin_timer_start(struct pin_timer *timer, int64_t delay_ms, bool repeats)
{
    __real_pin_timer_start(timer, delay_ms == PIN_WATCH_SILENT_MS ? SHORT_MS : delay_ms, repeats);
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

static void test_a_silent_watch_goes_on_where_it_was(void **state)
{
    struct box *self = *state;
    n_watched = 0;
    order(self, PUT("a"));
    start(self);
    rig_run(&self->rig, 1500);
    assert_int_equal(n_watched, 0); /* nobody has said that bookmarks come */
    want_watch(self, SERVICES);
    order(self, "{\"do\":\"bookmark\"}");
    order(self, "{\"do\":\"drop\"}");
    rig_forget(&self->rig);
    size_t n_before = count_requests(self, WATCH_OF_SERVICES);
    int64_t until_ms = pin_clock_mono_ms() + 30000;
    while (
        count_requests(self, WATCH_OF_SERVICES) < n_before + 3 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 100);
    }
    assert_true(count_requests(self, WATCH_OF_SERVICES) >= n_before + 3);
    assert_true(n_watched >= 3);
    order(self, PUT("b"));
    want(self, "UPSERT Service d/b");
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN"), 0);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
}

/* Its request was sent when nobody knew yet that bookmarks come. */
static void test_the_first_watch_may_not_be_silent_for_ever(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"streams\",\"is\":true}");
    order(self, PUT("a"));
    start(self);
    rig_forget(&self->rig);
    assert_int_equal(count_requests(self, WATCH_OF_SERVICES), 0); /* the list goes on as a watch */
    int64_t until_ms = pin_clock_mono_ms() + 30000;
    while (count_requests(self, WATCH_OF_SERVICES) == 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 100);
    }
    assert_true(count_requests(self, WATCH_OF_SERVICES) > 0);
    order(self, PUT("b"));
    want(self, "UPSERT Service d/b");
    assert_int_equal(rig_count(&self->rig, "LIST_BEGIN"), 0);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
    order(self, PUT("c"));
    want(self, "UPSERT Service d/c");
    rig_run(&self->rig, 200);
    assert_int_equal(rig_count(&self->rig, "UPSERT Service d/b"), 1); /* the first one is over */
}

/* While nobody takes what comes it is not read, and says nothing of the server. */
static void test_who_does_not_read_hears_nothing(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"streams\",\"is\":true}");
    order(self, PUT("a"));
    start(self);
    self->rig.room = 0;
    order(self, PUT("b"));
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (self->rig.n_refused == 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 20);
    }
    assert_true(self->rig.n_refused > 0);
    size_t n_before = count_requests(self, WATCH_OF_SERVICES);
    rig_run(&self->rig, 2 * SHORT_MS + SHORT_MS / 2);
    assert_int_equal(count_requests(self, WATCH_OF_SERVICES), n_before);
    self->rig.room = SIZE_MAX;
    pin_sync_resume(self->rig.sync);
    want(self, "UPSERT Service d/b");
    until_ms = pin_clock_mono_ms() + SOON_MS; /* from now on silence counts again */
    while (count_requests(self, WATCH_OF_SERVICES) == n_before && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->rig.loop, 100);
    }
    assert_true(count_requests(self, WATCH_OF_SERVICES) > n_before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_silent_watch_goes_on_where_it_was),
        A_TEST(test_the_first_watch_may_not_be_silent_for_ever),
        A_TEST(test_who_does_not_read_hears_nothing),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_silent", tests, NULL, NULL);
}
