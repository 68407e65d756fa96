/* SPDX-License-Identifier: Apache-2.0 */

/* A publisher whose transaction gets no answer, whether it was carried out, is later, or never. */

#include "pintle/base/macros.h"
#include "pintle/sync/publisher.h"

#include "fake.h"
#include "sync/etcd.h"
#include "sync/http.h"

#define SHORT_MS 1000
#define KEY      "s/d/web"

/* NOLINTBEGIN(*dcl51-cpp,*dcl37-c,*identifier-naming): names that the linker wants */
enum pin_err __wrap_pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why);
enum pin_err __real_pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why);

/* Stands before the real one: whoever waits for an answer waits a second here. */
enum pin_err __wrap_pin_http_start(struct pin_http *http, const struct pin_http_request *request,
    struct pin_http_transfer **ret_transfer, struct pin_why *why)
{
    struct pin_http_request copy = *request;
    if (copy.timeout_ms == PIN_ETCD_CALL_TIMEOUT_MS) {
        copy.timeout_ms = SHORT_MS;
    }
    return __real_pin_http_start(http, &copy, ret_transfer, why);
}
/* NOLINTEND(*dcl51-cpp,*dcl37-c,*identifier-naming) */

/* An etcd, a publisher, and what stands for the catalog: one key of one cluster. */
struct stage {
    struct fake etcd;
    struct pin_loop *loop;
    struct pin_publisher *publisher;
    struct pin_timer *timer;
    struct pin_changes_pull *pull;
    const char *value;
    bool is_followed;
    bool is_changed;
};

static void answer_pull(void *arg)
{
    struct stage *self = arg;
    struct pin_changes_pull *pull = self->pull;
    bool is_new = pull->n_follows > 0 && pull->follows[0];
    self->is_followed = is_new || (self->is_followed && !pull->is_first);
    self->is_changed = self->is_changed || is_new;
    pull->taken = (struct pin_changes_taken){
        .clusters = calloc(1, sizeof(*pull->taken.clusters)), .n_clusters = 1};
    pull->taken.clusters[0] = (struct pin_change_cluster){
        .is_up = true, .is_synced = true, .is_followed = self->is_followed};
    if (self->is_followed && self->is_changed) {
        pull->taken.items = calloc(1, sizeof(*pull->taken.items));
        pull->taken.n = 1;
        pull->taken.items[0] = (struct pin_change){.key = strdup(KEY),
            .key_bytes = strlen(KEY),
            .value = strdup(self->value),
            .value_bytes = strlen(self->value)};
        self->is_changed = false;
    }
    pull->done(pull->arg);
}

static bool on_pull(void *arg, struct pin_changes_pull *pull)
{
    struct stage *self = arg;
    self->pull = pull;
    pin_timer_start(self->timer, 0, false);
    return true;
}

static void change(struct stage *self, const char *value)
{
    self->value = value;
    self->is_changed = true;
    pin_publisher_poke(self->publisher);
}

static void tell(struct stage *self, const char *command, const char *wanted)
{
    int64_t until_ms = pin_clock_mono_ms() + 3 * (int64_t)SOON_MS;
    const char *answer = fake_do(&self->etcd, command);
    while (strcmp(answer, wanted) != 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(self->loop, 20);
        answer = fake_do(&self->etcd, command);
    }
    assert_string_equal(answer, wanted);
}

static struct late_case {
    const char *name;
    const char *order;
    const char *before;  /* of the key, when its transaction got no answer */
    const char *history; /* at the end */
} cases[] = {
    {"one that was carried out: what it wrote is found, and the next change follows",
        "{\"do\":\"late\",\"key\":\"" KEY "\",\"apply\":\"now\"}", "[\"1\", \"2\"]\n",
        "[\"1\", \"2\", \"3\"]\n"},
    {"one that is never carried out: what the key holds is written",
        "{\"do\":\"late\",\"key\":\"" KEY "\",\"apply\":\"never\"}", "[\"1\"]\n",
        "[\"1\", \"3\"]\n"},
    {"one that is carried out after later ones: it has no effect",
        "{\"do\":\"late\",\"key\":\"" KEY "\",\"apply\":\"later\"}", "[\"1\"]\n",
        "[\"1\", \"3\"]\n"},
};

static struct stage stage;

static int set_up_stage(void **state)
{
    static const char *const clusters[] = {"c1"};
    struct pin_why why = {0};
    char url[64];
    const char *const endpoints[] = {url};
    (void)state;
    stage = (struct stage){.loop = pin_loop_new(), .value = "1"};
    fake_run(&stage.etcd, "fake_etcd.py", NULL);
    stage.timer = pin_timer_new(stage.loop, answer_pull, &stage);
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d", stage.etcd.port);
    struct pin_publisher_config config = {.loop = stage.loop,
        .etcd = {.endpoints = endpoints, .n_endpoints = 1, .prefix = "/pintle"},
        .clusters = clusters,
        .n_clusters = 1,
        .pull = on_pull,
        .pull_arg = &stage};
    assert_int_equal(pin_publisher_start(&config, &stage.publisher, &why), PIN_OK);
    return 0;
}

static int tear_down_stage(void **state)
{
    (void)state;
    pin_publisher_stop(stage.publisher);
    pin_publisher_free(stage.publisher);
    pin_timer_free(stage.timer);
    pin_loop_free(stage.loop);
    fake_stop(&stage.etcd);
    return 0;
}

static void test_late(void **state)
{
    static const char ask[] = "{\"do\":\"values\",\"key\":\"" KEY "\"}";
    const struct late_case *c = *state;
    tell(&stage, ask, "[\"1\"]\n");
    assert_string_equal(fake_do(&stage.etcd, c->order), "ok\n");
    change(&stage, "2");
    tell(&stage, "{\"do\":\"held\"}", "1\n");
    assert_string_equal(fake_do(&stage.etcd, ask), c->before);
    change(&stage, "3");
    tell(&stage, ask, c->history);
    assert_string_equal(fake_do(&stage.etcd, "{\"do\":\"apply\"}"), "ok\n");
    assert_string_equal(fake_do(&stage.etcd, ask), c->history);
}

int main(void)
{
    struct CMUnitTest tests[N_ELEMS(cases)] = {{0}};
    for (size_t i = 0; i < N_ELEMS(cases); i++) {
        tests[i] = (struct CMUnitTest){.name = cases[i].name,
            .test_func = test_late,
            .initial_state = &cases[i],
            .setup_func = set_up_stage,
            .teardown_func = tear_down_stage};
    }
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("publisher_late", tests, NULL, NULL);
}
