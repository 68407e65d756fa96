/* SPDX-License-Identifier: Apache-2.0 */

/* Each list of a kind is counted under the reason why it began. */

#include "pintle/base/macros.h"

#include "fake.h"

#define EVENT(text) "\"event\":\"{\\\"type\\\":" text "}\""

static struct reason_case {
    const char *name;
    const char *faults[2]; /* ordered once all was listed; then watches are cut */
    enum pin_list_reason reason;
    const char *word;
    const char *said; /* in the log; NULL: nothing about the list */
} cases[] = {
    {"a kind of which nothing is known: start", {0}, PIN_LIST_START, "start", NULL},
    {"410 as a status: expired", {FAULT(WATCH_OF_SERVICES, "\"status\":410")}, PIN_LIST_EXPIRED,
        "expired", "listing services again: where it was to go on from is not kept any more"},
    {"410 as an event: expired",
        {FAULT(WATCH_OF_SERVICES, EVENT("\\\"ERROR\\\",\\\"object\\\":{\\\"code\\\":410}"))},
        PIN_LIST_EXPIRED, "expired",
        "listing services again: where it was to go on from is not kept any more"},
    {"a list that breaks off: failed",
        {FAULT(WATCH_OF_SERVICES, "\"status\":410"), FAULT(LIST_OF_SERVICES, "\"truncate\":-1")},
        PIN_LIST_FAILED, "failed", "a list of services broke off"},
    {"an event of a type that is not known: unreadable",
        {FAULT(WATCH_OF_SERVICES, EVENT("\\\"MOVED\\\",\\\"object\\\":{}"))}, PIN_LIST_UNREADABLE,
        "unreadable", "listing services again: an event could not be followed"},
    {"watches that end with 500, three in a row: lost",
        {FAULT(WATCH_OF_SERVICES, "\"status\":500,\"times\":3")}, PIN_LIST_LOST, "lost",
        "listing services again: watches brought nothing"},
    {"a kind that may be listed and not watched: denied",
        {FAULT(WATCH_OF_SERVICES, "\"status\":403,\"times\":3")}, PIN_LIST_DENIED, "denied", NULL},
    {"a kind that was not found for a while: back", {FAULT(WATCH_OF_SERVICES, "\"status\":404")},
        PIN_LIST_BACK, "back", "listing services again: it was not found for a while"},
};

static uint64_t count(const struct box *self, enum pin_list_reason reason)
{
    return stats_of(self).kinds[PIN_KIND_SERVICE].n_lists[reason];
}

/* The metric has that number, and no row for what never happened. */
static void check_metric(struct box *self, const struct reason_case *c)
{
    struct pin_text page = {0};
    struct pin_text wanted = {0};
    pin_sync_metrics(self->rig.sync, &page);
    pin_text_putf(&wanted,
        "\npintle_cluster_lists_total{cluster=\"c1\",kind=\"Service\",reason=\"%s\"} %llu\n",
        c->word, (unsigned long long)count(self, c->reason));
    assert_non_null(strstr(pin_text_get(&page), pin_text_get(&wanted)));
    assert_null(strstr(pin_text_get(&page), "kind=\"Service\",reason=\"held\""));
    pin_text_done(&page);
    pin_text_done(&wanted);
}

static struct box *box; /* the one of the test that runs */

static int set_up_case(void **state)
{
    void *made = NULL;
    (void)state;
    (void)set_up(&made);
    box = made;
    return 0;
}

static int tear_down_case(void **state)
{
    void *made = box;
    (void)state;
    return tear_down(&made);
}

static void test_reason(void **state)
{
    const struct reason_case *c = *state;
    order(box, PUT("a"));
    start(box);
    want_watch(box, SERVICES);
    uint64_t n_before = c->reason == PIN_LIST_START ? 0 : count(box, c->reason);
    for (size_t i = 0; i < N_ELEMS(c->faults) && c->faults[i] != NULL; i++) {
        order(box, c->faults[i]);
    }
    order(box, "{\"do\":\"drop\"}");
    int64_t until_ms = pin_clock_mono_ms() + 4 * (int64_t)SOON_MS;
    while (count(box, c->reason) <= n_before && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(box->rig.loop, 20);
    }
    assert_true(count(box, c->reason) > n_before);
    if (c->said != NULL) {
        want_log(box, c->said);
    } else {
        assert_null(strstr(pin_text_get(&box->rig.logged), "listing services again"));
    }
    check_metric(box, c);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){.name = cases[i].name,
            .test_func = test_reason,
            .initial_state = &cases[i],
            .setup_func = set_up_case,
            .teardown_func = tear_down_case};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("watch_reasons", tests, NULL, NULL);
}
