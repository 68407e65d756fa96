/* SPDX-License-Identifier: Apache-2.0 */

/* Other settings for a builder that runs: what is on the way with the ids of before, and when what
 * was before goes. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "resolver/admin_pages.h"
#include "resolver/admin_stream.h"
#include "resolver/builder.h"
#include "support/defaults.h"

#define PATIENCE_MS 60000
#define POLL_MS     5

/* A builder of the cluster "c1", and settings of "c0" and "c1". */
struct bench {
    struct pin_network network;
    struct pin_cluster_settings one;
    struct pin_cluster_settings two[2];
    struct pin_settings before;
    struct pin_settings after;
    struct pin_loop *loop;
    struct pin_builder *builder;
    struct pin_builder_change change;
    const struct pin_live *given;
    int n_done;
    int n_ended;
    int n_looks;
    uint32_t n_namespaces[2];
};

static void set_up(struct bench *bench)
{
    *bench = (struct bench){.network = {.name = "default"},
        .one = {.name = "c1", .weight = PIN_WEIGHT_UNSET},
        .two = {{.name = "c0", .weight = PIN_WEIGHT_UNSET},
            {.name = "c1", .weight = PIN_WEIGHT_UNSET}}};
    bench->before = pin_test_settings(&bench->network, 1, &bench->one, 1);
    bench->after = pin_test_settings(&bench->network, 1, bench->two, 2);
    bench->loop = pin_loop_new();
    const struct pin_builder_config config = {.settings = &bench->before, .loop = bench->loop};
    struct pin_why why = {0};
    assert_int_equal(pin_builder_start(&config, &bench->builder, &why), PIN_OK);
}

static void tear_down(struct bench *bench)
{
    pin_builder_stop(bench->builder);
    pin_loop_free(bench->loop);
}

static void wait_for(const struct bench *bench, const int *counter, int wanted)
{
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while (*counter < wanted && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench->loop, POLL_MS);
    }
    assert_int_equal(*counter, wanted);
}

static void push_namespace(struct bench *bench, uint16_t cluster_id, const char *name)
{
    struct pin_object *object = pin_object_new(PIN_KIND_NAMESPACE, 64);
    assert_non_null(object);
    object->namespace_name = "";
    object->name = pin_object_text(object, name, strlen(name));
    assert_true(pin_builder_push(bench->builder, pin_delta_upsert(cluster_id, object)));
}

/* On the builder's thread. */
static void look(struct pin_catalog *catalog, void *arg)
{
    struct bench *bench = arg;
    const struct pin_settings *settings = pin_catalog_settings(catalog);
    memset(bench->n_namespaces, 0, sizeof(bench->n_namespaces));
    for (uint16_t i = 0; i < settings->n_clusters; i++) {
        struct pin_cluster_status status = pin_catalog_cluster(catalog, i);
        bench->n_namespaces[i] = status.n_objects[PIN_KIND_NAMESPACE];
    }
}

static void on_look(void *arg)
{
    struct bench *bench = arg;
    bench->n_looks++;
}

/* Looks until the cluster has that many. */
static void expect_namespaces(struct bench *bench, size_t cluster_id, uint32_t n)
{
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    do {
        assert_true(pin_builder_call(bench->builder, look, on_look, bench));
        wait_for(bench, &bench->n_looks, bench->n_looks + 1);
    } while (bench->n_namespaces[cluster_id] != n && pin_clock_mono_ms() < end_ms);
    assert_int_equal(bench->n_namespaces[cluster_id], n);
}

static void on_change_over(void *arg, struct pin_catalog *catalog, const struct pin_live *live)
{
    struct bench *bench = arg;
    assert_ptr_equal(pin_catalog_live(catalog), live);
    bench->given = live;
}

static void on_done(void *arg)
{
    struct bench *bench = arg;
    bench->n_done++;
}

static void on_ended(void *arg)
{
    struct bench *bench = arg;
    bench->n_ended++;
}

static void change(
    struct bench *bench, const struct pin_settings *settings, const uint16_t *ids, int n)
{
    bench->change = (struct pin_builder_change){.settings = settings,
        .ids = ids,
        .change_over = on_change_over,
        .done = on_done,
        .ended = on_ended,
        .arg = bench};
    pin_builder_change(bench->builder, &bench->change);
    wait_for(bench, &bench->n_done, n);
}

static void test_ids_of_before_are_renamed(void **state)
{
    static const uint16_t there[] = {1};
    static const uint16_t back[] = {PIN_CLUSTER_NONE, 0};
    struct bench bench;
    (void)state;
    set_up(&bench);
    push_namespace(&bench, 0, "a");
    change(&bench, &bench.after, there, 1);
    assert_int_equal(bench.change.err, PIN_OK);
    push_namespace(&bench, 0, "b"); /* control has not followed: 0 is what c1 was called */
    expect_namespaces(&bench, 1, 2);
    assert_int_equal(bench.n_namespaces[0], 0);
    assert_ptr_not_equal(pin_builder_live(bench.builder), bench.given);
    assert_int_equal(bench.n_ended, 0); /* control may look at what was before */
    pin_builder_follow(bench.builder);
    assert_ptr_equal(pin_builder_live(bench.builder), bench.given);
    wait_for(&bench, &bench.n_ended, 1);
    push_namespace(&bench, 0, "c");
    expect_namespaces(&bench, 0, 1);
    change(&bench, &bench.before, back, 2);
    push_namespace(&bench, 0, "d"); /* of a cluster that is gone */
    push_namespace(&bench, 1, "e");
    expect_namespaces(&bench, 0, 3);
    pin_builder_follow(bench.builder);
    wait_for(&bench, &bench.n_ended, 2);
    tear_down(&bench);
}

static void test_settings_that_cannot_be_change_nothing(void **state)
{
    static const uint16_t same[] = {0};
    struct bench bench;
    (void)state;
    set_up(&bench);
    push_namespace(&bench, 0, "a");
    bench.after.zone_assigned = "..";
    change(&bench, &bench.after, same, 1);
    assert_int_not_equal(bench.change.err, PIN_OK);
    assert_non_null(strstr(bench.change.why.text, "\"..\""));
    assert_null(bench.given);
    push_namespace(&bench, 0, "b");
    expect_namespaces(&bench, 0, 2);
    tear_down(&bench);
}

/* The end comes while control has not heard of the change. */
static void test_end_within_a_change(void **state)
{
    static const uint16_t there[] = {1};
    struct bench bench;
    (void)state;
    set_up(&bench);
    change(&bench, &bench.after, there, 1);
    tear_down(&bench);
}

/* What a stream was sent. */
struct heard {
    struct pin_text text;
    int n;
};

static bool hear(void *peer, const char *data, size_t bytes)
{
    struct heard *heard = peer;
    pin_text_putn(&heard->text, data, bytes);
    heard->n++;
    return true;
}

/* A stream that asks while control has not heard of the change is told nothing of clusters by their
 * old numbers; afterwards it is told of all. */
static void test_streams_wait_for_the_change(void **state)
{
    static const uint16_t there[] = {1};
    struct bench bench;
    struct heard heard = {0};
    (void)state;
    set_up(&bench);
    struct pin_admin_state admin = {
        .config = {.loop = bench.loop, .builder = bench.builder, .settings = &bench.before}};
    struct pin_streams *streams = pin_streams_new(&admin, hear);
    const struct pin_stream_want want = {.topics = PIN_STREAM_CLUSTERS};
    assert_non_null(streams);
    change(&bench, &bench.after, there, 1);
    struct pin_stream *stream = pin_stream_open(streams, &want, &heard);
    wait_for(&bench, &heard.n, 1); /* it has asked */
    assert_true(pin_builder_call(bench.builder, look, on_look, &bench));
    wait_for(&bench, &bench.n_looks, 1); /* and has been answered */
    assert_null(strstr(pin_text_get(&heard.text), "event: clusters"));

    pin_builder_follow(bench.builder);
    admin.config.settings = &bench.after;
    heard.n = 0;
    wait_for(&bench, &heard.n, 1);
    const char *event = strstr(pin_text_get(&heard.text), "event: clusters");
    assert_non_null(event);
    assert_non_null(strstr(event, "\"total\":2"));
    assert_non_null(strstr(event, "\"name\":\"c0\""));
    assert_non_null(strstr(event, "\"name\":\"c1\""));
    wait_for(&bench, &bench.n_ended, 1);
    pin_stream_close(stream);
    pin_streams_free(streams);
    tear_down(&bench);
    pin_text_done(&heard.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids_of_before_are_renamed),
        cmocka_unit_test(test_settings_that_cannot_be_change_nothing),
        cmocka_unit_test(test_end_within_a_change),
        cmocka_unit_test(test_streams_wait_for_the_change),
    };
    return cmocka_run_group_tests_name("builder_change", tests, NULL, NULL);
}
