/* SPDX-License-Identifier: Apache-2.0 */

/* A watch in protobuf that cannot be read, be it for good, loses nothing and asks for little. */

#include "pintle/base/macros.h"

#include "fake.h"

#define LIST_GAP_MS  4000 /* Between two lists, at the least. */
#define FRAMES(text) FAULT(WATCH_OF_SERVICES, "\"times\":1000,\"frames\":\"" text "\"")
#define STREAMED(text)                                                                             \
    FAULT(SERVICES "?sendInitialEvents", "\"times\":1000,\"frames\":\"" text "\"")

static struct frames_case {
    const char *name;
    const char *fault;
} cases[] = {
    {"a frame that is no event: JSON from now on", FRAMES("0000000161")},
    {"a frame of no bytes: JSON from now on", FRAMES("00000000")},
    {"a frame that would hide 128 MiB of what follows: JSON from now on", FRAMES("0800000061")},
};

static uint64_t n_unreadable(const struct box *self)
{
    return stats_of(self).kinds[PIN_KIND_SERVICE].n_lists[PIN_LIST_UNREADABLE];
}

static void want_later(struct box *self, const char *part)
{
    if (!rig_wait(&self->rig, part, 6 * (int64_t)SOON_MS)) {
        fail_msg("'%s' did not come; seen:\n%s", part, pin_text_get(&self->rig.seen));
    }
}

static void test_frames(void **state)
{
    const struct frames_case *c = *state;
    struct box *self = NULL;
    (void)set_up((void **)&self);
    order(self, c->fault);
    order(self, PUT("a"));
    start(self);
    want_log(self, "listing services again: an event could not be followed");
    order(self, PUT("b"));
    want_later(self, "UPSERT Service d/b");
    order(self, "{\"do\":\"drop\"}");
    order(self, PUT("c"));
    want_later(self, "UPSERT Service d/c");
    order(self, DELETE("a"));
    want_later(self, "DELETE Service d/a");
    assert_int_equal(n_unreadable(self), 1);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 1);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
    (void)tear_down((void **)&self);
}

/* What cannot be read comes again whatever is asked for: lists tell, now and then. */
static void test_frames_for_ever(void **state)
{
    struct box *self = *state;
    int64_t since_ms = pin_clock_mono_ms();
    order(
        self, FAULT(WATCH_OF_SERVICES, "\"times\":1000,\"always\":true,\"frames\":\"0000000161\""));
    order(self, PUT("a"));
    start(self);
    order(self, PUT("b"));
    want_later(self, "UPSERT Service d/b");
    order(self, PUT("c"));
    want_later(self, "UPSERT Service d/c");
    assert_true((int64_t)n_unreadable(self) <= (pin_clock_mono_ms() - since_ms) / LIST_GAP_MS + 1);
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 0);
    order(self, "{\"do\":\"mend\"}");
    want_later(self, "LIST_END Service\n");
}

static void test_a_streamed_list_of_nonsense_comes_in_pages(void **state)
{
    struct box *self = *state;
    order(self, "{\"do\":\"streams\",\"is\":true}");
    order(self, STREAMED("0000000161"));
    order(self, PUT("a"));
    start(self);
    want_later(self, "UPSERT Service d/a\nLIST_END Service\n");
    order(self, PUT("b"));
    want_later(self, "UPSERT Service d/b");
    assert_int_equal(rig_count(&self->rig, "DELETE"), 0);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases) + 2] = {
        A_TEST(test_frames_for_ever),
        A_TEST(test_a_streamed_list_of_nonsense_comes_in_pages),
    };
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i + 2] = (struct CMUnitTest){
            .name = cases[i].name, .test_func = test_frames, .initial_state = &cases[i]};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_frames", tests, NULL, NULL);
}
