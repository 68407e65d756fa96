/* SPDX-License-Identifier: Apache-2.0 */

/* The builder's thread: rounds, calls between them, the end of the grace period, a full queue. */

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"
#include "pintle/base/rcu.h"

#include "resolver/builder.h"
#include "support/defaults.h"
#include "support/faults.h"

#define PATIENCE_MS 10000
#define POLL_MS     5

/* One builder with its control loop, which is this thread. */
struct bench {
    struct pin_network network;
    struct pin_cluster_settings cluster;
    struct pin_settings settings;
    struct pin_loop *loop;
    struct pin_builder *builder;
    int n_rooms;      /* calls of on_room */
    int n_done;       /* calls of on_done */
    pthread_t worker; /* thread that ran the last call */
    struct pin_claimed *claimed;
    uint32_t n_namespaces;
    bool is_synced;
    bool is_ready;
};

static void on_room(void *arg)
{
    struct bench *bench = arg;
    bench->n_rooms++;
}

static void on_claims(void *arg);

/* One for whom `want` is an entry of `records`; NULL: there is none. */
static void set_up_with(
    struct bench *bench, uint64_t grace_ms, size_t queue_deltas, const struct pin_record_want *want)
{
    *bench = (struct bench){
        .network = {.name = "default"}, .cluster = {.name = "c1", .weight = PIN_WEIGHT_UNSET}};
    bench->settings = pin_test_settings(&bench->network, 1, &bench->cluster, 1);
    bench->settings.ready_grace_ms = grace_ms;
    bench->settings.records = want;
    bench->settings.n_records = want != NULL;
    bench->loop = pin_loop_new();
    struct pin_builder_config config = {.settings = &bench->settings,
        .loop = bench->loop,
        .on_room = on_room,
        .on_room_arg = bench,
        .on_claims = on_claims,
        .on_claims_arg = bench,
        .queue_deltas = queue_deltas};
    struct pin_why why = {0};
    assert_int_equal(pin_builder_start(&config, &bench->builder, &why), PIN_OK);
}

static void set_up(struct bench *bench, uint64_t grace_ms, size_t queue_deltas)
{
    set_up_with(bench, grace_ms, queue_deltas, NULL);
}

static void tear_down(struct bench *bench)
{
    pin_builder_stop(bench->builder);
    pin_loop_free(bench->loop);
}

/* On the builder's thread. */
static void look(struct pin_catalog *catalog, void *arg)
{
    struct bench *bench = arg;
    struct pin_cluster_status status = pin_catalog_cluster(catalog, 0);
    bench->worker = pthread_self();
    bench->n_namespaces = status.n_objects[PIN_KIND_NAMESPACE];
    bench->is_synced = status.is_synced;
    bench->is_ready = pin_rcu_deref(pin_catalog_live(catalog)->scene)->is_ready;
}

static void on_done(void *arg)
{
    struct bench *bench = arg;
    bench->n_done++;
}

/* Looks once and waits for the reply on the loop. */
static void look_now(struct bench *bench)
{
    int before = bench->n_done;
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    assert_true(pin_builder_call(bench->builder, look, on_done, bench));
    while (bench->n_done == before && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench->loop, POLL_MS);
    }
    assert_int_equal(bench->n_done, before + 1);
}

static struct pin_delta *a_namespace(const char *name)
{
    struct pin_object *object = pin_object_new(PIN_KIND_NAMESPACE, 64);
    assert_non_null(object);
    object->namespace_name = "";
    object->name = pin_object_text(object, name, strlen(name));
    struct pin_delta *delta = pin_delta_upsert(0, object);
    assert_non_null(delta);
    delta->received_ns = (uint64_t)pin_clock_mono_ns();
    return delta;
}

static void test_call(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 60000, 0);
    assert_non_null(pin_builder_live(bench.builder)->index);
    look_now(&bench);
    assert_false(pthread_equal(bench.worker, pthread_self()));
    assert_false(bench.is_ready);
    tear_down(&bench);
}

static void test_change(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 60000, 0);
    assert_true(pin_builder_push(bench.builder, a_namespace("apps")));
    assert_true(
        pin_builder_push(bench.builder, pin_delta_mark(0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE)));
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    do {
        look_now(&bench);
    } while (!bench.is_ready && pin_clock_mono_ms() < end_ms);
    assert_int_equal(bench.n_namespaces, 1);
    assert_true(bench.is_synced);
    assert_true(bench.is_ready);

    const struct pin_builder_stats *stats = pin_builder_stats(bench.builder);
    uint64_t n_timed = 0;
    for (size_t i = 0; i < PIN_LAG_BUCKETS; i++) {
        n_timed += pin_stat_read(&stats->change.buckets[i]);
    }
    assert_int_equal(n_timed, 1); /* the mark is no change of an object */
    assert_int_equal(pin_stat_read(&stats->n_deltas), 2);
    assert_true(pin_stat_read(&stats->change.sum_ns) > 0);
    tear_down(&bench);
}

/* --- How long a change of endpoints took ---------------------------------------------------- */

static void push_service(struct bench *bench, bool is_headless)
{
    struct pin_object *service = pin_object_new(PIN_KIND_SERVICE, 64);
    assert_non_null(service);
    service->namespace_name = pin_object_text(service, "shop", 4);
    service->name = pin_object_text(service, "web", 3);
    service->as.service.is_headless = is_headless;
    assert_true(pin_builder_push(bench->builder, pin_delta_upsert(0, service)));
}

static void push_slice(struct bench *bench, int64_t trigger_wall_ms)
{
    struct pin_object *slice = pin_object_new(PIN_KIND_ENDPOINT_SLICE, 64);
    assert_non_null(slice);
    slice->namespace_name = pin_object_text(slice, "shop", 4);
    slice->name = pin_object_text(slice, "web-1", 5);
    slice->as.slice.service = pin_object_text(slice, "web", 3);
    slice->as.slice.family = 4;
    slice->trigger_wall_ms = trigger_wall_ms;
    assert_true(pin_builder_push(bench->builder, pin_delta_upsert(0, slice)));
}

static uint64_t count_programmed(const struct bench *bench, enum pin_programmed kind)
{
    const struct pin_builder_stats *stats = pin_builder_stats(bench->builder);
    uint64_t n = 0;
    for (size_t i = 0; i < PIN_PROGRAMMING_BUCKETS; i++) {
        n += pin_stat_read(&stats->programming[kind].buckets[i]);
    }
    return n;
}

static void wait_programmed(struct bench *bench, enum pin_programmed kind, uint64_t n)
{
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while (count_programmed(bench, kind) < n && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench->loop, POLL_MS);
    }
    assert_int_equal(count_programmed(bench, kind), n);
}

static void test_programming(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 60000, 0);
    int64_t now_ms = pin_clock_wall_ms();
    push_service(&bench, false);
    push_slice(&bench, 0);              /* it does not say */
    push_slice(&bench, now_ms - 60000); /* from before the start */
    push_slice(&bench, now_ms + 5000);  /* by a clock ahead of ours */
    wait_programmed(&bench, PIN_PROGRAMMED_CLUSTER_IP, 1);
    push_slice(&bench, now_ms + 5000); /* a list says it again */
    push_slice(&bench, now_ms + 5001);
    wait_programmed(&bench, PIN_PROGRAMMED_CLUSTER_IP, 2);
    const struct pin_builder_stats *stats = pin_builder_stats(bench.builder);
    assert_int_equal(pin_stat_read(&stats->programming[PIN_PROGRAMMED_CLUSTER_IP].buckets[0]), 2);
    push_service(&bench, true);
    push_slice(&bench, pin_clock_wall_ms());
    wait_programmed(&bench, PIN_PROGRAMMED_HEADLESS, 1);
    assert_int_equal(count_programmed(&bench, PIN_PROGRAMMED_CLUSTER_IP), 2);
    tear_down(&bench);
}

/* Waits for so many publications, or for too long. Without a call, which would wake the thread. */
static void wait_until_published(struct bench *bench, uint64_t n_wanted)
{
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    uint64_t n_published = 0;
    while (n_published < n_wanted && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench->loop, POLL_MS);
        const struct pin_builder_stats *stats = pin_builder_stats(bench->builder);
        n_published = 0;
        for (size_t i = 0; i < PIN_LAG_BUCKETS; i++) {
            n_published += pin_stat_read(&stats->publish.buckets[i]);
        }
    }
    assert_true(n_published >= n_wanted);
}

static void test_grace(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 50, 0);
    wait_until_published(&bench, 2);
    look_now(&bench);
    assert_true(bench.is_ready);
    assert_false(bench.is_synced);
    tear_down(&bench);
}

static void push_mark(struct bench *bench, enum pin_delta_op op)
{
    assert_true(pin_builder_push(bench->builder, pin_delta_mark(0, op, PIN_KIND_SERVICE)));
}

static void test_stale(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 60000, 0);
    bench.settings.stale = PIN_STALE_DROP; /* before the queue hands anything over */
    bench.settings.stale_after_ms = 50;
    struct pin_object *service = pin_object_new(PIN_KIND_SERVICE, 64);
    assert_non_null(service);
    service->namespace_name = pin_object_text(service, "shop", 4);
    service->name = pin_object_text(service, "web", 3);
    struct pin_steering *steering = pin_object_steer(service);
    assert_non_null(steering);
    steering->is_global = true;
    assert_true(pin_builder_push(bench.builder, pin_delta_upsert(0, service)));
    push_mark(&bench, PIN_DELTA_UP);
    push_mark(&bench, PIN_DELTA_SYNCED);
    do {
        look_now(&bench);
    } while (!bench.is_synced);
    const struct pin_builder_stats *stats = pin_builder_stats(bench.builder);
    uint64_t n_names = pin_stat_read(&stats->n_names);
    assert_true(n_names > 0);
    push_mark(&bench, PIN_DELTA_DOWN);
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while (pin_stat_read(&stats->n_names) == n_names && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench.loop, POLL_MS); /* no call, no delta: the thread wakes by itself */
    }
    assert_true(pin_stat_read(&stats->n_names) > n_names);
    tear_down(&bench);
}

/* Holds the builder's thread until the test lets go. */
struct gate {
    pthread_mutex_t lock;
    pthread_cond_t opened;
    bool is_open;
    bool is_held;
};

static void hold(struct pin_catalog *catalog, void *arg)
{
    struct gate *gate = arg;
    (void)catalog;
    (void)pthread_mutex_lock(&gate->lock);
    gate->is_held = true;
    (void)pthread_cond_broadcast(&gate->opened);
    while (!gate->is_open) {
        (void)pthread_cond_wait(&gate->opened, &gate->lock);
    }
    (void)pthread_mutex_unlock(&gate->lock);
}

static void on_released(void *arg)
{
    (void)arg;
}

static void test_full_queue(void **state)
{
    (void)state;
    struct bench bench;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    struct pin_delta *refused = a_namespace("refused");
    set_up(&bench, 60000, 4);
    assert_true(pin_builder_call(bench.builder, hold, on_released, &gate));
    (void)pthread_mutex_lock(&gate.lock);
    while (!gate.is_held) {
        (void)pthread_cond_wait(&gate.opened, &gate.lock);
    }
    (void)pthread_mutex_unlock(&gate.lock);

    for (int i = 0; i < 4; i++) {
        const char name[] = {(char)('a' + i), '\0'};
        assert_true(pin_builder_push(bench.builder, a_namespace(name)));
    }
    assert_false(pin_builder_push(bench.builder, refused));
    size_t capacity = 0;
    assert_int_equal(pin_builder_queued(bench.builder, &capacity), 4);
    assert_int_equal(capacity, 4);
    assert_int_equal(bench.n_rooms, 0);

    (void)pthread_mutex_lock(&gate.lock);
    gate.is_open = true;
    (void)pthread_cond_broadcast(&gate.opened);
    (void)pthread_mutex_unlock(&gate.lock);
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while (bench.n_rooms == 0 && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench.loop, POLL_MS);
    }
    assert_int_equal(bench.n_rooms, 1);
    assert_true(pin_builder_push(bench.builder, refused));
    do {
        look_now(&bench);
    } while (bench.n_namespaces < 5 && pin_clock_mono_ms() < end_ms);
    assert_int_equal(bench.n_namespaces, 5);
    tear_down(&bench);
}

/* A round that began before the end of the grace period and took until after it has not seen it. */
static void test_grace_in_a_long_round(void **state)
{
    (void)state;
    struct bench bench;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    set_up(&bench, 200, 0);
    look_now(&bench); /* so that the next call finds the thread waiting for deltas */
    assert_true(pin_builder_call(bench.builder, hold, on_released, &gate));
    int64_t end_ms = pin_clock_mono_ms() + 400;
    while (pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench.loop, POLL_MS);
    }
    (void)pthread_mutex_lock(&gate.lock);
    gate.is_open = true;
    (void)pthread_cond_broadcast(&gate.opened);
    (void)pthread_mutex_unlock(&gate.lock);
    wait_until_published(&bench, 2);
    look_now(&bench);
    assert_true(bench.is_ready);
    tear_down(&bench);
}

/* On the builder's thread: a change whose publication finds no memory. */
static void change_without_memory(struct pin_catalog *catalog, void *arg)
{
    (void)arg;
    pin_catalog_apply(catalog, pin_delta_mark(0, PIN_DELTA_SYNCED, PIN_KIND_SERVICE));
    pin_faults_start(1, 1); /* good: the reply's */
}

static void test_short_of_memory(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 60000, 0);
    assert_true(pin_builder_call(bench.builder, change_without_memory, on_done, &bench));
    wait_until_published(&bench, 3); /* at the start, in vain, and once more without a reason */
    look_now(&bench);
    assert_true(bench.is_ready);
    tear_down(&bench);
}

static void test_too_many_calls(void **state)
{
    (void)state;
    struct bench bench;
    struct gate gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .opened = PTHREAD_COND_INITIALIZER};
    int n_taken = 0;
    set_up(&bench, 60000, 0);
    assert_true(pin_builder_call(bench.builder, hold, on_released, &gate));
    while (n_taken < 10000 && pin_builder_call(bench.builder, look, on_done, &bench)) {
        n_taken++;
    }
    assert_true(n_taken < 10000);
    (void)pthread_mutex_lock(&gate.lock);
    gate.is_open = true;
    (void)pthread_cond_broadcast(&gate.opened);
    (void)pthread_mutex_unlock(&gate.lock);
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while (bench.n_done < n_taken && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench.loop, POLL_MS);
    }
    assert_int_equal(bench.n_done, n_taken);
    tear_down(&bench);
}

/* Leaks show under the address sanitizer. */
static void test_stop_with_work(void **state)
{
    (void)state;
    struct bench bench;
    set_up(&bench, 60000, 64);
    for (int i = 0; i < 64; i++) {
        struct pin_delta *delta = a_namespace("same");
        if (!pin_builder_push(bench.builder, delta)) {
            pin_delta_free(delta);
        }
    }
    tear_down(&bench);
}

static void on_claims(void *arg)
{
    struct bench *bench = arg;
    bench->claimed = pin_claimed_renew(pin_builder_take_claims(bench->builder), bench->claimed);
}

/* Waits until so many sets are claimed. */
static void want_sets(struct bench *bench, size_t n_sets)
{
    int64_t end_ms = pin_clock_mono_ms() + PATIENCE_MS;
    while ((bench->claimed == NULL || bench->claimed->n_sets != n_sets)
           && pin_clock_mono_ms() < end_ms) {
        pin_loop_poll(bench->loop, POLL_MS);
    }
    bool is_newest = bench->claimed != NULL && bench->claimed->next == NULL;
    assert_int_equal(is_newest ? bench->claimed->n_sets : SIZE_MAX, n_sets);
}

/* An Ingress with one host and one address. */
static struct pin_delta *an_ingress(void)
{
    static const char *const hostnames[] = {"app.example.com"};
    static struct pin_ip ip;
    struct pin_object *object = pin_object_new(PIN_KIND_INGRESS, 64);
    assert_non_null(object);
    assert_true(pin_ip_parse("192.0.2.1", &ip));
    object->namespace_name = "shop";
    object->name = "web";
    object->as.ingress = (struct pin_ingress_body){
        .hostnames = hostnames, .n_hostnames = 1, .balancer_ips = &ip, .n_balancer_ips = 1};
    return pin_delta_upsert(0, object);
}

static void test_claims(void **state)
{
    static const struct pin_record_want want = {.name = "public", .kinds = 1u << PIN_KIND_INGRESS};
    struct bench bench;
    (void)state;
    set_up_with(&bench, 60000, 0, &want);
    want_sets(&bench, 0);
    assert_true(pin_builder_push(bench.builder, an_ingress()));
    want_sets(&bench, 1);
    assert_string_equal(bench.claimed->sets[0].name, "app.example.com");
    assert_true(
        pin_builder_push(bench.builder, pin_delta_delete(0, PIN_KIND_INGRESS, "shop", "web")));
    want_sets(&bench, 0); /* without another change, once it is time */
    pin_claimed_free(bench.claimed);
    tear_down(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"what is wanted outside is told to control", test_claims, NULL, NULL, NULL},
        {"a call runs on the builder's thread and replies on the loop", test_call, NULL, NULL,
            NULL},
        {"a change is applied, published and timed", test_change, NULL, NULL, NULL},
        {"a slice's word of when it changed is timed", test_programming, NULL, NULL, NULL},
        {"the grace period ends without a change", test_grace, NULL, NULL, NULL},
        {"a round longer than the grace period does not hide its end", test_grace_in_a_long_round,
            NULL, NULL, NULL},
        {"stale data is dropped without a change", test_stale, NULL, NULL, NULL},
        {"a full queue refuses and tells once when it has room", test_full_queue, NULL, NULL, NULL},
        {"what found no memory is tried again without a change", test_short_of_memory, NULL, NULL,
            NULL},
        {"calls that wait are bounded, and those taken are answered", test_too_many_calls, NULL,
            NULL, NULL},
        {"stopping drops what waits", test_stop_with_work, NULL, NULL, NULL},
    };
    return _cmocka_run_group_tests("builder", tests, N_ELEMS(tests), NULL, NULL);
}
