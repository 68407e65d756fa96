/* SPDX-License-Identifier: Apache-2.0 */

/* Whether a cluster can be reached, and what is said when it cannot. */

#include "pintle/base/macros.h"

#include "fake.h"

/* --- Reach ---------------------------------------------------------------------------------- */

static void test_a_server_that_dies_is_noticed_within_ten_seconds(void **state)
{
    struct box *self = *state;
    order(self, PUT("a"));
    start(self);
    rig_forget(&self->rig);
    fake_stop(&self->fake);
    int64_t before_ms = pin_clock_mono_ms();
    want(self, "DOWN");
    assert_true(pin_clock_mono_ms() - before_ms < 10000);
    assert_string_equal(pin_text_get(&self->rig.seen), "DOWN\n");
    assert_non_null(strstr(stats_of(self).error, "cannot reach http://127.0.0.1:"));
    assert_non_null(strstr(stats_of(self).hint, "check that the API server runs"));
    rig_run(&self->rig, 2500);
    assert_int_equal(rig_count(&self->rig, "DOWN"), 1);
    const char *logged = strstr(pin_text_get(&self->rig.logged), "cannot reach");
    assert_non_null(logged);
    assert_null(strstr(logged + 1, "cannot reach")); /* told once */
}

static void test_a_server_that_is_stopped_is_noticed_and_found_again(void **state)
{
    struct box *self = *state;
    start(self);
    rig_forget(&self->rig);
    assert_int_equal(kill(self->fake.pid, SIGSTOP), 0);
    int64_t before_ms = pin_clock_mono_ms();
    assert_true(rig_wait(&self->rig, "DOWN", 60000));
    assert_true(pin_clock_mono_ms() - before_ms < 60000);
    assert_int_equal(kill(self->fake.pid, SIGCONT), 0);
    want(self, "UP\n");
    order(self, PUT("back"));
    want(self, "UPSERT Service d/back");
    want_log(self, "is reached again");
}

static void test_a_server_that_is_not_healthy_is_out_of_reach(void **state)
{
    struct box *self = *state;
    start(self);
    order(self, FAULT("/livez", "\"status\":500,\"body\":\"etcd failed\",\"times\":3"));
    want(self, "DOWN");
    want_log(self, "is not healthy: status 500 etcd failed; its last known state is kept");
    want(self, "DOWN\nUP\n");
}

static void test_what_a_cluster_answers_is_counted(void **state)
{
    struct box *self = *state;
    struct pin_text text = {0};
    order(self, FAULT("/apis", "\"exact\":true,\"status\":503,\"times\":1"));
    order(self, FAULT("/livez", "\"close\":true,\"times\":1"));
    start(self);
    pin_sync_metrics(self->rig.sync, &text);
    static const char *const wanted[] = {
        "\npintle_cluster_lists_total{cluster=\"c1\",kind=\"Service\",reason=\"start\"} ",
        "\npintle_cluster_watch_restarts_total{cluster=\"c1\",kind=\"Service\"} 0\n",
        "\npintle_cluster_requests_total{cluster=\"c1\",code=\"503\"} 1\n",
        "\npintle_cluster_requests_total{cluster=\"c1\",code=\"closed\"} 1\n",
        "\npintle_cluster_requests_total{cluster=\"c1\",code=\"200\"} ",
        "\npintle_cluster_last_list_timestamp_seconds{cluster=\"c1\"} 1",
    };
    for (size_t i = 0; i < N_ELEMS(wanted); i++) {
        if (strstr(pin_text_get(&text), wanted[i]) == NULL) {
            (void)fputs(pin_text_get(&text), stderr); /* longer than fail_msg() takes */
            fail_msg("'%s' is not in it", wanted[i]);
        }
    }
    assert_null(strstr(pin_text_get(&text), "expire_seconds{")); /* a token does not say */
    pin_text_done(&text);
    pin_sync_metrics(NULL, &text);
    assert_int_equal(text.len, 0);
}

static void test_refused_credentials_are_told(void **state)
{
    struct box *self = *state;
    order(self, FAULT("/livez", "\"status\":401,\"times\":99"));
    pin_sync_start(self->rig.sync);
    want_log(self,
        "does not accept our credentials (401); it has not been listed since the start; to do: "
        "renew the user's token or client certificate in the kubeconfig");
    assert_string_equal(pin_text_get(&self->rig.seen), "DOWN\n");
}

static void test_renewed_credentials_are_taken_from_the_kubeconfig(void **state)
{
    struct box *self = *state;
    order(self, FAULT("/livez", "\"token\":\"t\",\"status\":401,\"times\":99"));
    pin_sync_start(self->rig.sync);
    want(self, "DOWN");
    write_config(self, "fresh");
    want(self, "UP\n");
    want(self, "SYNCED");
}

static void test_a_context_that_is_missing_is_that_clusters_trouble(void **state)
{
    struct box *self = *state;
    struct rig rig;
    const struct pin_source_spec specs[] = {
        {.cluster = "bad", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = self->config, .context = "no"},
        {.cluster_id = 1,
            .cluster = "good",
            .kind = PIN_SOURCE_CONTEXT,
            .kubeconfig = self->config,
            .context = "c1"},
    };
    rig_init(&rig, specs, 2);
    pin_sync_start(rig.sync);
    assert_true(rig_wait(&rig, "SYNCED", SOON_MS));
    assert_non_null(strstr(pin_text_get(&rig.logged), "cluster bad: context 'no' is not in "));
    rig_done(&rig);
    pin_log_set_sink(rig_log, &self->rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        A_TEST(test_a_server_that_dies_is_noticed_within_ten_seconds),
        A_TEST(test_a_server_that_is_stopped_is_noticed_and_found_again),
        A_TEST(test_a_server_that_is_not_healthy_is_out_of_reach),
        A_TEST(test_what_a_cluster_answers_is_counted),
        A_TEST(test_refused_credentials_are_told),
        A_TEST(test_renewed_credentials_are_taken_from_the_kubeconfig),
        A_TEST(test_a_context_that_is_missing_is_that_clusters_trouble),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
