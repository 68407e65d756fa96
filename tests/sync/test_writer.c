/* SPDX-License-Identifier: Apache-2.0 */

/* What is to be written to a cluster is written once, by whoever holds the Lease, and again when it
 * failed in a way that passes. */

#include "pintle/base/macros.h"

#include "fake.h"

#define KEY      "route c1/HTTPRoute/d/r"
#define ROUTES   "/apis/gateway.networking.k8s.io/v1/httproutes"
#define ROUTE_R  "/apis/gateway.networking.k8s.io/v1/namespaces/d/httproutes/r"
#define APPLY_R  "PATCH " ROUTE_R "?fieldManager=pintle&force=true"
#define DELETE_R "DELETE " ROUTE_R
#define PUT_R(uid)                                                                                 \
    "{\"do\":\"put\",\"path\":\"" ROUTES "\",\"object\":{\"metadata\":{\"namespace\":\"d\","       \
    "\"name\":\"r\",\"uid\":\"" uid "\"},\"spec\":{}}}"

/* A sync that may write. */
struct write_box {
    struct fake fake;
    struct rig rig;
    char config[64];
    unsigned n_look_again;
    bool is_writable;
};

static void on_writable(void *arg, uint16_t cluster_id, bool is_writable)
{
    struct write_box *box = arg;
    assert_int_equal(cluster_id, 0);
    box->is_writable = is_writable;
}

static void on_look_again(void *arg)
{
    struct write_box *box = arg;
    box->n_look_again++;
}

static void make_sync(struct write_box *box)
{
    struct pin_source_spec spec = {
        .cluster = "c1", .kind = PIN_SOURCE_CONTEXT, .kubeconfig = box->config};
    struct pin_sync_writes writes = {.lease_namespace = "sys",
        .lease_name = "w",
        .on_writable = on_writable,
        .on_look_again = on_look_again,
        .arg = box};
    rig_init_writing(&box->rig, &spec, 1, &writes);
}

static void fake_order(struct write_box *box, const char *command)
{
    assert_string_equal(fake_do(&box->fake, command), "ok\n");
}

static size_t count_seen(struct write_box *box, const char *part)
{
    size_t n = 0;
    for (const char *at = fake_do(&box->fake, "{\"do\":\"seen\"}"); (at = strstr(at, part)) != NULL;
         at++) {
        n++;
    }
    return n;
}

static int write_set_up(void **state)
{
    struct write_box *box = calloc(1, sizeof(*box));
    assert_non_null(box);
    (void)snprintf(box->config, sizeof(box->config), "/tmp/pintle-writer-%d.yaml", getpid());
    fake_start(&box->fake, NULL);
    struct pin_text text = {0};
    pin_text_putf(&text,
        "current-context: c1\nclusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d'}}]\n"
        "contexts: [{name: c1, context: {cluster: k, user: ''}}]\n",
        box->fake.port);
    assert_int_equal(pin_file_write_atomic(box->config, text.ptr, text.len, 0600, NULL), PIN_OK);
    pin_text_done(&text);
    fake_order(box, "{\"do\":\"serve\",\"path\":\"" ROUTES "\",\"is\":true}");
    make_sync(box);
    *state = box;
    return 0;
}

static int write_tear_down(void **state)
{
    struct write_box *box = *state;
    rig_done(&box->rig);
    fake_stop(&box->fake);
    (void)unlink(box->config);
    free(box);
    return 0;
}

/* Runs the loop until the API server has seen the request `n` times. */
static void want_seen(struct write_box *box, const char *part, size_t n)
{
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (count_seen(box, part) < n && pin_clock_mono_ms() < until_ms) {
        rig_run(&box->rig, 50);
    }
    if (count_seen(box, part) != n) {
        fail_msg("'%s' not %zu times in %s\n%s", part, n, fake_do(&box->fake, "{\"do\":\"seen\"}"),
            pin_text_get(&box->rig.logged));
    }
}

static void begin(struct write_box *box)
{
    pin_sync_start(box->rig.sync);
    int64_t until_ms = pin_clock_mono_ms() + (int64_t)3 * SOON_MS;
    while ((!box->is_writable || strstr(pin_text_get(&box->rig.seen), "SYNCED") == NULL)
           && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(box->rig.loop, 20);
    }
    assert_true(box->is_writable);
}

static struct pin_write *new_write(enum pin_write_op op, const char *body)
{
    size_t bytes = strlen(body);
    struct pin_write *write = malloc(sizeof(*write) + bytes + 1);
    assert_non_null(write);
    char *copy = (char *)(write + 1);
    memcpy(copy, body, bytes + 1);
    *write = (struct pin_write){.op = op,
        .kind = PIN_KIND_HTTP_ROUTE,
        .manager = PIN_WRITE_MANAGER,
        .namespace_name = "d",
        .name = "r",
        .uid = op == PIN_WRITE_DELETE ? "u-1" : NULL,
        .body = copy,
        .body_bytes = bytes};
    return write;
}

/* Says that the route needs this and no more; NULL: nothing. */
static void say(struct write_box *box, struct pin_write *write)
{
    struct pin_write_set *set = calloc(1, sizeof(*set) + sizeof(KEY));
    assert_non_null(set);
    memcpy(set->key, KEY, sizeof(KEY));
    set->first = write;
    pin_sync_write(box->rig.sync, set);
}

static struct pin_sync_write_stats stats_now(const struct write_box *box)
{
    struct pin_sync_write_stats stats;
    pin_sync_write_stats(box->rig.sync, 0, &stats);
    return stats;
}

/* Runs the loop until the cluster has answered, so that nothing is left to write. */
static void want_done(struct write_box *box, uint64_t n_good, uint64_t n_failed)
{
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    struct pin_sync_write_stats stats = stats_now(box);
    while ((stats.n_waiting != 0 || stats.n_good + stats.n_failed < n_good + n_failed)
           && pin_clock_mono_ms() < until_ms) {
        rig_run(&box->rig, 10);
        stats = stats_now(box);
    }
    assert_int_equal(stats.n_waiting, 0);
    assert_int_equal(stats.n_good, n_good);
    assert_int_equal(stats.n_failed, n_failed);
}

#define BODY(value) "{\"metadata\":{\"name\":\"r\",\"annotations\":{\"a\":\"" value "\"}}}"

static void test_a_write_is_applied_once(void **state)
{
    struct write_box *box = *state;
    begin(box);
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 1);
    want_done(box, 1, 0);
    struct pin_text status = {0};
    struct pin_jsonout json = pin_jsonout_init(&status);
    pin_jsonout_object(&json);
    pin_sync_cluster_json(box->rig.sync, 0, &json);
    pin_jsonout_end(&json);
    assert_non_null(
        strstr(pin_text_get(&status), "\"writeBack\":{\"isWriter\":true,\"holder\":\""));
    assert_non_null(strstr(pin_text_get(&status), "\"waiting\":0,\"written\":1,\"failed\":0}"));
    pin_text_done(&status);
    say(box, new_write(PIN_WRITE_APPLY, BODY("1"))); /* before the watch has shown the first */
    rig_run(&box->rig, 300);
    assert_int_equal(count_seen(box, APPLY_R), 1);
    say(box, new_write(PIN_WRITE_APPLY, BODY("2")));
    want_seen(box, APPLY_R, 2);
}

static void test_what_somebody_undoes_is_written_again(void **state)
{
    struct write_box *box = *state;
    begin(box);
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 1);
    want_done(box, 1, 0);
    say(box, NULL); /* the watch has shown it: nothing is wanted */
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 2);
}

static void test_the_newest_word_counts(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r", "\"status\":500,\"headers\":{\"Retry-After\":\"2\"}"));
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 1);
    say(box, NULL);
    rig_run(&box->rig, 4000); /* longer than the first wait */
    assert_int_equal(count_seen(box, APPLY_R), 1);
    assert_int_equal(stats_now(box).n_waiting, 0);
}

static void test_failures_that_pass_are_tried_again(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r", "\"status\":500,\"times\":1"));
    fake_order(box,
        FAULT("/httproutes/r", "\"status\":429,\"headers\":{\"Retry-After\":\"1\"},\"times\":1"));
    fake_order(box, FAULT("/httproutes/r", "\"status\":409,\"times\":1"));
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 4);
    want_done(box, 1, 3);
}

static void test_what_the_server_calls_wrong_waits_and_is_told_once(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(
        box, FAULT("/httproutes/r", "\"status\":422,\"times\":9,\"body\":\"no such field\""));
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    rig_want_log(&box->rig, "422 no such field");
    rig_run(&box->rig, 2000);
    assert_int_equal(count_seen(box, APPLY_R), 1);
}

static void test_missing_rights_are_told_once_and_nothing_more_is_tried(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r", "\"status\":403,\"times\":9,\"body\":\"not you\""));
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_done(box, 0, 1);
    assert_int_equal(count_seen(box, APPLY_R), 1);
    say(box, new_write(PIN_WRITE_APPLY, BODY("2")));
    rig_run(&box->rig, 1500);
    assert_int_equal(count_seen(box, APPLY_R), 1);
    assert_int_equal(stats_now(box).n_waiting, 0);
    const char *told = strstr(pin_text_get(&box->rig.logged),
        "403 not you; to do: bind the role of deploy/rbac that lets this user write httproutes");
    assert_non_null(told);
    if (strstr(told + 10, "403 not you") != NULL) {
        fail_msg("told twice:\n%s", pin_text_get(&box->rig.logged));
    }
}

static void test_a_patch_of_a_status_is_made_again_after_a_conflict(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r/status", "\"status\":409,\"times\":1"));
    say(box, new_write(PIN_WRITE_PATCH_STATUS, "[{\"op\":\"remove\",\"path\":\"/a\"}]"));
    want_seen(box, "PATCH " ROUTE_R "/status?fieldManager=pintle\"", 2);
    want_done(box, 1, 1);
    assert_int_equal(stats_now(box).results[PIN_KIND_HTTP_ROUTE][PIN_SYNC_WRITE_CONFLICT], 1);
    assert_int_equal(stats_now(box).results[PIN_KIND_HTTP_ROUTE][PIN_SYNC_WRITE_OK], 1);
}

static void test_a_right_to_the_status_alone_is_used(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r?", "\"status\":403,\"times\":9,\"body\":\"not you\""));
    struct pin_write *both = new_write(PIN_WRITE_APPLY, BODY("1"));
    both->next = new_write(PIN_WRITE_PATCH_STATUS, "[]");
    say(box, both);
    want_seen(box, APPLY_R, 1);
    want_seen(box, "PATCH " ROUTE_R "/status?", 1);
    want_done(box, 1, 1);
}

static void test_an_event_is_told_once(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/events", "\"status\":500,\"times\":1"));
    say(box, new_write(PIN_WRITE_EVENT, "{\"reason\":\"R\"}"));
    want_seen(box, "POST /apis/events.k8s.io/v1/namespaces/d/events?fieldManager=pintle", 2);
    want_done(box, 1, 1);
    say(box, new_write(PIN_WRITE_EVENT, "{\"reason\":\"R\"}"));
    rig_run(&box->rig, 300);
    assert_int_equal(count_seen(box, "namespaces/d/events"), 2);
    assert_int_equal(stats_now(box).results[PIN_SYNC_WRITE_EVENTS][PIN_SYNC_WRITE_OK], 1);
    assert_int_equal(stats_now(box).n_waiting, 0);
}

static void test_a_refused_event_keeps_nothing_else_from_being_written(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/events", "\"status\":403,\"times\":9,\"body\":\"not you\""));
    struct pin_write *both = new_write(PIN_WRITE_EVENT, "{\"reason\":\"R\"}");
    both->next = new_write(PIN_WRITE_APPLY, BODY("1"));
    say(box, both);
    want_seen(box, APPLY_R, 1);
    rig_want_log(&box->rig, "write events.events.k8s.io");
}

static void test_what_is_written_is_counted(void **state)
{
    struct write_box *box = *state;
    struct pin_text text = {0};
    static const char *const wanted[] = {
        "\n# TYPE pintle_writer_leader gauge\npintle_writer_leader{cluster=\"c1\"} 1\n",
        "\npintle_writer_waiting{cluster=\"c1\"} 0\n",
        "\npintle_writer_last_error_timestamp_seconds{cluster=\"c1\"} 1",
        "\npintle_writer_writes_total{cluster=\"c1\",kind=\"HTTPRoute\",result=\"ok\"} 1\n",
        "\npintle_writer_writes_total{cluster=\"c1\",kind=\"HTTPRoute\",result=\"failed\"} 1\n",
    };
    begin(box);
    fake_order(box, FAULT("/httproutes/r", "\"status\":500,\"times\":1"));
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 2);
    want_done(box, 1, 1);
    pin_sync_metrics(box->rig.sync, &text);
    for (size_t i = 0; i < N_ELEMS(wanted); i++) {
        if (strstr(pin_text_get(&text), wanted[i]) == NULL) {
            fail_msg("'%s' is not there", wanted[i]);
        }
    }
    pin_text_done(&text);
}

static void test_a_route_that_is_gone_is_let_go(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r", "\"status\":404,\"times\":9"));
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 1);
    want_done(box, 0, 1);
}

static void test_a_deletion_is_of_one_object(void **state)
{
    struct write_box *box = *state;
    begin(box);
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    want_seen(box, APPLY_R, 1);
    say(box, new_write(PIN_WRITE_DELETE, ""));
    want_seen(box, DELETE_R, 1);
}

/* Somebody made another one of that name since: it is not the one that was to go. */
static void test_another_object_of_that_name_stays(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, PUT_R("u-2"));
    say(box, new_write(PIN_WRITE_DELETE, ""));
    rig_want(&box->rig, "UPSERT HTTPRoute d/r");
    want_seen(box, DELETE_R, 1);
    rig_run(&box->rig, 300);
    assert_null(strstr(pin_text_get(&box->rig.seen), "DELETE HTTPRoute d/r"));
    fake_order(box, PUT_R("u-1"));
    say(box, new_write(PIN_WRITE_DELETE, ""));
    rig_want(&box->rig, "DELETE HTTPRoute d/r");
}

static void test_without_the_lease_nothing_is_written(void **state)
{
    struct write_box *box = *state;
    begin(box);
    pin_sync_release(box->rig.sync, 2000);
    assert_false(box->is_writable);
    say(box, new_write(PIN_WRITE_APPLY, BODY("1")));
    rig_run(&box->rig, 500);
    assert_int_equal(count_seen(box, APPLY_R), 0);
    assert_true(count_seen(box, "PUT /apis/coordination.k8s.io") >= 1); /* it was given back */
}

static void test_what_needs_no_lease_is_written_without_it(void **state)
{
    struct write_box *box = *state;
    begin(box);
    pin_sync_release(box->rig.sync, 2000);
    assert_false(box->is_writable);
    struct pin_write *both = new_write(PIN_WRITE_EVENT, "{\"reason\":\"RecordReady\"}");
    both->needs_no_lease = true;
    both->next = new_write(PIN_WRITE_EVENT, "{\"reason\":\"NoService\"}");
    fake_order(box, FAULT("/events", "\"status\":500,\"times\":1"));
    say(box, both);
    want_seen(box, "POST /apis/events.k8s.io/v1/namespaces/d/events?fieldManager=pintle", 2);
    want_done(box, 1, 1);
    rig_run(&box->rig, 200);
    assert_int_equal(count_seen(box, "namespaces/d/events"), 2); /* the other one never */
    assert_int_equal(stats_now(box).results[PIN_SYNC_WRITE_EVENTS][PIN_SYNC_WRITE_OK], 1);
    assert_int_equal(stats_now(box).n_waiting, 0);
}

static void test_what_found_no_room_is_asked_for_again(void **state)
{
    struct write_box *box = *state;
    begin(box);
    fake_order(box, FAULT("/httproutes/r", "\"status\":500,\"times\":9999"));
    struct pin_write_set *set = calloc(1, sizeof(*set) + sizeof(KEY));
    assert_non_null(set);
    memcpy(set->key, KEY, sizeof(KEY));
    for (int i = 0; i < 1100; i++) {
        struct pin_write *write = new_write(PIN_WRITE_APPLY, BODY("1"));
        write->next = set->first;
        set->first = write;
    }
    pin_sync_write(box->rig.sync, set);
    assert_int_equal(stats_now(box).n_waiting, 1024);
    int64_t until_ms = pin_clock_mono_ms() + SOON_MS;
    while (box->n_look_again == 0 && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(box->rig.loop, 50);
    }
    assert_int_equal(box->n_look_again, 1);
}

#define WRITE_TEST(name) cmocka_unit_test_setup_teardown(name, write_set_up, write_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITE_TEST(test_a_write_is_applied_once),
        WRITE_TEST(test_what_somebody_undoes_is_written_again),
        WRITE_TEST(test_the_newest_word_counts),
        WRITE_TEST(test_failures_that_pass_are_tried_again),
        WRITE_TEST(test_what_the_server_calls_wrong_waits_and_is_told_once),
        WRITE_TEST(test_missing_rights_are_told_once_and_nothing_more_is_tried),
        WRITE_TEST(test_a_patch_of_a_status_is_made_again_after_a_conflict),
        WRITE_TEST(test_a_right_to_the_status_alone_is_used),
        WRITE_TEST(test_an_event_is_told_once),
        WRITE_TEST(test_a_refused_event_keeps_nothing_else_from_being_written),
        WRITE_TEST(test_what_is_written_is_counted),
        WRITE_TEST(test_a_route_that_is_gone_is_let_go),
        WRITE_TEST(test_a_deletion_is_of_one_object),
        WRITE_TEST(test_another_object_of_that_name_stays),
        WRITE_TEST(test_without_the_lease_nothing_is_written),
        WRITE_TEST(test_what_needs_no_lease_is_written_without_it),
        WRITE_TEST(test_what_found_no_room_is_asked_for_again),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
