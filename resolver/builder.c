/* SPDX-License-Identifier: Apache-2.0 */

/* Builder: the thread that owns the catalog, its rounds, and the calls run between them. */

#include "resolver/builder.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/queue.h"
#include "pintle/base/rcu.h"

#define QUEUE_DELTAS_DEFAULT 8192
/* Deltas of one round: bounds what a round holds back, not what it costs to publish. */
#define ROUND_DELTAS 4096
#define CALLS_MAX    256
/* How long what memory was out for waits for a new try. */
#define AGAIN_MS 1000
#define NS_PER_S 1e9

const double pin_lag_bounds_s[PIN_LAG_BUCKETS - 1] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};

/* A function that waits for the end of a round. */
struct call {
    pin_builder_fn *fn;
    pin_loop_fn *done;
    void *arg;
};

struct pin_builder {
    struct pin_builder_stats stats; /* first: it is aligned */
    struct pin_builder_config config;
    struct pin_queue *queue;
    struct pin_catalog *catalog; /* the builder thread's alone, between start and stop */
    const struct pin_live *live;
    uint64_t grace_ends_ms; /* Monotonic; 0 before the first publication and after the grace. */
    struct pin_delta *round[ROUND_DELTAS];
    uint64_t received_ns[ROUND_DELTAS];

    pthread_t thread;
    pthread_mutex_t lock; /* guards all below but the last two */
    pthread_cond_t started;
    struct call calls[CALLS_MAX];
    size_t n_calls;
    struct pin_wanted *wanted; /* not taken by control yet */
    struct pin_why why;
    enum pin_err err;
    bool is_started;
    bool is_stopping;
    bool is_short; /* The latest publication found no memory for something. */
    atomic_bool wants_pods;
    atomic_bool has_told_serials;
};

static void lag_add(struct pin_lag *lag, uint64_t took_ns)
{
    size_t i = 0;
    while (i < PIN_LAG_BUCKETS - 1 && (double)took_ns > pin_lag_bounds_s[i] * NS_PER_S) {
        i++;
    }
    pin_stat_add(&lag->buckets[i], 1);
    pin_stat_add(&lag->sum_ns, took_ns);
}

/* --- Calls --------------------------------------------------------------------------------- */

bool pin_builder_call(struct pin_builder *builder, pin_builder_fn *fn, pin_loop_fn *done, void *arg)
{
    bool has_room = false;
    (void)pthread_mutex_lock(&builder->lock);
    if (builder->n_calls < CALLS_MAX && !builder->is_stopping) {
        builder->calls[builder->n_calls++] = (struct call){.fn = fn, .done = done, .arg = arg};
        has_room = true;
    }
    (void)pthread_mutex_unlock(&builder->lock);
    if (has_room) {
        pin_queue_wake(builder->queue);
    }
    return has_room;
}

static void run_call(struct pin_builder *builder, const struct call *call)
{
    call->fn(builder->catalog, call->arg);
    if (!pin_loop_post(builder->config.loop, call->done, call->arg)) {
        pin_log_error("builder: out of memory, an admin request gets no answer");
    }
}

/* Takes the calls out under the lock, runs them without it. False when it is time to stop. */
static bool run_calls(struct pin_builder *builder)
{
    struct call calls[CALLS_MAX];
    (void)pthread_mutex_lock(&builder->lock);
    size_t n_calls = builder->n_calls;
    for (size_t i = 0; i < n_calls; i++) {
        calls[i] = builder->calls[i];
    }
    builder->n_calls = 0;
    bool is_stopping = builder->is_stopping;
    (void)pthread_mutex_unlock(&builder->lock);

    for (size_t i = 0; i < n_calls; i++) {
        run_call(builder, &calls[i]);
    }
    return !is_stopping;
}

/* --- Rounds -------------------------------------------------------------------------------- */

/* How long the next round may be waited for: until something is due without a delta. */
static int64_t wait_ms(struct pin_builder *builder, uint64_t now_ms)
{
    uint64_t next_ms = pin_catalog_next_ms(builder->catalog);
    if (pin_catalog_is_dirty(builder->catalog, now_ms)) {
        return builder->is_short ? AGAIN_MS : 0;
    }
    if (builder->grace_ends_ms != 0 && now_ms >= builder->grace_ends_ms) {
        builder->grace_ends_ms = 0;
        return 0; /* the last round may have begun before it ended: one more looks for sure */
    }
    if (builder->grace_ends_ms != 0 && builder->grace_ends_ms < next_ms) {
        next_ms = builder->grace_ends_ms;
    }
    if (next_ms == UINT64_MAX) {
        return -1;
    }
    return next_ms > now_ms ? (int64_t)(next_ms - now_ms) : 0;
}

/* Leaves the host names that are wanted now for control, when they are others than before. */
static void tell_wanted(struct pin_builder *builder)
{
    struct pin_wanted *wanted =
        builder->config.on_wanted != NULL ? pin_catalog_take_wanted(builder->catalog) : NULL;
    if (wanted == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&builder->lock);
    struct pin_wanted *old = builder->wanted;
    builder->wanted = wanted;
    (void)pthread_mutex_unlock(&builder->lock);
    free(old);
    if (!pin_loop_post(
            builder->config.loop, builder->config.on_wanted, builder->config.on_wanted_arg)) {
        pin_log_error("builder: out of memory, host names of gateways wait for the next change");
    }
}

struct pin_wanted *pin_builder_take_wanted(struct pin_builder *builder)
{
    (void)pthread_mutex_lock(&builder->lock);
    struct pin_wanted *wanted = builder->wanted;
    builder->wanted = NULL;
    (void)pthread_mutex_unlock(&builder->lock);
    return wanted;
}

/* Has control told that serials have moved, unless it was and has not looked yet. */
static void tell_serials(struct pin_builder *builder)
{
    const struct pin_builder_config *config = &builder->config;
    if (config->on_serials == NULL || atomic_exchange(&builder->has_told_serials, true)) {
        return;
    }
    if (!pin_loop_post(config->loop, config->on_serials, config->on_serials_arg)) {
        atomic_store(&builder->has_told_serials, false);
        pin_log_error("builder: out of memory, secondaries hear of the next change");
    }
}

void pin_builder_take_serials(struct pin_builder *builder)
{
    atomic_store(&builder->has_told_serials, false);
}

static void publish(struct pin_builder *builder)
{
    uint64_t now_ms = (uint64_t)pin_clock_mono_ms();
    int64_t begin_ns = pin_clock_mono_ns();
    struct pin_published done = pin_catalog_publish(builder->catalog, now_ms);
    lag_add(&builder->stats.publish, (uint64_t)(pin_clock_mono_ns() - begin_ns));
    pin_stat_add(&builder->stats.n_units, done.n_units);
    pin_stat_add(&builder->stats.n_names, done.n_names);
    builder->is_short = pin_catalog_is_dirty(builder->catalog, now_ms);
    tell_wanted(builder);
    if (done.n_serials > 0) {
        tell_serials(builder);
    }
}

/* Applies what the round holds, publishes, and measures how long each change took to show. */
static void do_round(struct pin_builder *builder, size_t n_deltas)
{
    size_t n_timed = 0;
    for (size_t i = 0; i < n_deltas; i++) {
        const struct pin_delta *delta = builder->round[i];
        bool is_change = delta->op == PIN_DELTA_UPSERT || delta->op == PIN_DELTA_DELETE;
        if (is_change && delta->received_ns != 0) {
            builder->received_ns[n_timed++] = delta->received_ns;
        }
        pin_catalog_apply(builder->catalog, builder->round[i]);
        builder->round[i] = NULL;
    }
    if (pin_catalog_is_dirty(builder->catalog, (uint64_t)pin_clock_mono_ms())) {
        publish(builder);
    }
    pin_stat_add(&builder->stats.n_deltas, n_deltas);
    uint64_t now_ns = n_timed > 0 ? (uint64_t)pin_clock_mono_ns() : 0;
    for (size_t i = 0; i < n_timed; i++) {
        uint64_t from_ns = builder->received_ns[i];
        lag_add(&builder->stats.change, now_ns > from_ns ? now_ns - from_ns : 0);
    }
}

/* Has control told whether Pods are to be reported; without memory the next round does. */
static void tell_wants(struct pin_builder *builder)
{
    const struct pin_builder_config *config = &builder->config;
    bool wants = pin_catalog_wants_pods(builder->catalog);
    if (config->on_wants_pods == NULL
        || wants == atomic_load_explicit(&builder->wants_pods, memory_order_relaxed)) {
        return;
    }
    atomic_store(&builder->wants_pods, wants);
    if (!pin_loop_post(config->loop, config->on_wants_pods, config->on_wants_pods_arg)) {
        atomic_store(&builder->wants_pods, !wants);
    }
}

static void run_rounds(struct pin_builder *builder)
{
    builder->grace_ends_ms =
        (uint64_t)pin_clock_mono_ms() + builder->config.settings->ready_grace_ms + 1;
    while (run_calls(builder)) {
        int64_t timeout_ms = wait_ms(builder, (uint64_t)pin_clock_mono_ms());
        pin_rcu_offline();
        size_t n_deltas =
            pin_queue_pop_all(builder->queue, (void **)builder->round, ROUND_DELTAS, timeout_ms);
        pin_rcu_online();
        do_round(builder, n_deltas);
        tell_wants(builder);
        pin_rcu_quiescent();
    }
}

/* The first SOA serial: what is remembered, else seconds since 1970, so that a restart does not go
 * back while the clock does not. */
static uint32_t first_serial(const struct pin_builder *builder)
{
    uint32_t remembered = builder->config.first_serial;
    return remembered != 0 ? remembered : (uint32_t)(pin_clock_wall_ms() / 1000);
}

/* A zone that has no file any more does not mind its floor. */
static void set_floors(struct pin_builder *builder)
{
    for (size_t i = 0; i < builder->config.n_floors; i++) {
        const struct pin_serial_floor *floor = &builder->config.floors[i];
        (void)pin_catalog_set_floor(builder->catalog, &floor->zone, floor->serial);
    }
}

/* Gives the zones that were read at the start to the catalog; without one they are freed. */
static enum pin_err take_zonefiles(
    struct pin_builder *builder, enum pin_err err, struct pin_why *why)
{
    for (size_t i = 0; i < builder->config.n_zonefiles; i++) {
        if (err == PIN_OK) {
            err = pin_catalog_set_zonefile(builder->catalog, builder->config.zonefiles[i], why);
        } else {
            pin_zonefile_free(builder->config.zonefiles[i]);
        }
    }
    return err;
}

/* The prober lives on control's thread. */
static void on_orders(void *arg)
{
    struct pin_builder *builder = arg;
    if (!pin_loop_post(
            builder->config.loop, builder->config.on_probes, builder->config.on_probes_arg)) {
        pin_log_error("builder: out of memory, probes stay as they are until the next change");
    }
}

static void *builder_main(void *arg)
{
    struct pin_builder *builder = arg;
    struct pin_catalog *catalog = NULL;
    struct pin_why why = {0};

    pin_rcu_register();
    enum pin_err err =
        pin_catalog_new(builder->config.settings, first_serial(builder), &catalog, &why);
    builder->catalog = catalog;
    if (err == PIN_OK) {
        set_floors(builder);
    }
    err = take_zonefiles(builder, err, &why);
    if (err == PIN_OK) {
        publish(builder); /* the grace period counts from here; what files say is there at once */
    }
    (void)pthread_mutex_lock(&builder->lock);
    builder->live = err == PIN_OK ? pin_catalog_live(catalog) : NULL;
    if (err == PIN_OK && builder->config.on_probes != NULL) {
        pin_health_on_orders(builder->live->health, on_orders, builder);
    }
    builder->err = err;
    builder->why = why;
    builder->is_started = true;
    (void)pthread_cond_signal(&builder->started);
    (void)pthread_mutex_unlock(&builder->lock);
    if (err == PIN_OK) {
        run_rounds(builder);
    }
    pin_catalog_free(catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
    return NULL;
}

/* --- Life ---------------------------------------------------------------------------------- */

static void free_delta(void *item)
{
    pin_delta_free(item);
}

/* The queue's room callback runs on the builder's thread; the sources live on control's. */
static void on_room(void *arg)
{
    struct pin_builder *builder = arg;
    if (!pin_loop_post(
            builder->config.loop, builder->config.on_room, builder->config.on_room_arg)) {
        pin_log_error("builder: out of memory, sources stay paused until the next change");
    }
}

static struct pin_builder *builder_new(const struct pin_builder_config *config)
{
    struct pin_builder *builder = NULL;
    if (posix_memalign((void **)&builder, _Alignof(struct pin_builder), sizeof(*builder)) != 0) {
        return NULL;
    }
    *builder = (struct pin_builder){.config = *config};
    size_t capacity = config->queue_deltas > 0 ? config->queue_deltas : QUEUE_DELTAS_DEFAULT;
    builder->queue = pin_queue_new(capacity, free_delta);
    if (builder->queue == NULL) {
        free(builder);
        return NULL;
    }
    (void)pthread_mutex_init(&builder->lock, NULL);
    (void)pthread_cond_init(&builder->started, NULL);
    if (config->on_room != NULL) {
        pin_queue_on_room(builder->queue, capacity / 2, on_room, builder);
    }
    return builder;
}

static void builder_free(struct pin_builder *builder)
{
    pin_queue_free(builder->queue);
    free(builder->wanted);
    (void)pthread_cond_destroy(&builder->started);
    (void)pthread_mutex_destroy(&builder->lock);
    free(builder);
}

enum pin_err pin_builder_start(
    const struct pin_builder_config *config, struct pin_builder **ret_builder, struct pin_why *why)
{
    struct pin_builder *builder = builder_new(config);
    if (builder == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the builder");
    }
    int failed = pthread_create(&builder->thread, NULL, builder_main, builder);
    if (failed != 0) {
        builder_free(builder);
        return pin_why_errno(why, failed, "start the builder's thread");
    }
    (void)pthread_mutex_lock(&builder->lock);
    while (!builder->is_started) {
        (void)pthread_cond_wait(&builder->started, &builder->lock);
    }
    enum pin_err err = builder->err;
    (void)pthread_mutex_unlock(&builder->lock);
    if (err != PIN_OK) {
        err = pin_why_set(why, err, "%s", builder->why.text);
        (void)pthread_join(builder->thread, NULL);
        builder_free(builder);
        return err;
    }
    *ret_builder = builder;
    return PIN_OK;
}

void pin_builder_stop(struct pin_builder *builder)
{
    if (builder == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&builder->lock);
    builder->is_stopping = true;
    (void)pthread_mutex_unlock(&builder->lock);
    pin_queue_close(builder->queue);
    (void)pthread_join(builder->thread, NULL);
    builder_free(builder);
}

const struct pin_live *pin_builder_live(const struct pin_builder *builder)
{
    return builder->live;
}

bool pin_builder_wants_pods(const struct pin_builder *builder)
{
    return atomic_load(&builder->wants_pods);
}

bool pin_builder_push(struct pin_builder *builder, struct pin_delta *delta)
{
    return pin_queue_push(builder->queue, delta);
}

void pin_builder_wake(struct pin_builder *builder)
{
    pin_queue_wake(builder->queue);
}

const struct pin_builder_stats *pin_builder_stats(const struct pin_builder *builder)
{
    return &builder->stats;
}

size_t pin_builder_queued(const struct pin_builder *builder, size_t *ret_capacity)
{
    *ret_capacity = pin_queue_capacity(builder->queue);
    return pin_queue_count(builder->queue);
}
