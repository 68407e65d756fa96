/* SPDX-License-Identifier: Apache-2.0 */

/* Builder: the thread that owns the catalog, its rounds, and the calls run between them. */

#include "resolver/builder.h"

#include <stdlib.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/memory.h"
#include "pintle/base/rcu.h"
#include "pintle/base/thread.h"

#include "resolver/builder_state.h"

#define QUEUE_DELTAS_DEFAULT 8192
/* How long what memory was out for waits for a new try. */
#define AGAIN_MS 1000
/* Units of a restored state or of first lists that are compiled at a time: other work waits for no
 * more. */
#define CATCH_UP_UNITS 256
#define NS_PER_S       1e9

const double pin_lag_bounds_s[PIN_LAG_BUCKETS - 1] = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30};

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
    if (builder->n_calls < PIN_CALLS_MAX && !builder->is_stopping) {
        builder->calls[builder->n_calls++] =
            (struct pin_builder_call){.fn = fn, .done = done, .arg = arg};
        has_room = true;
    }
    (void)pthread_mutex_unlock(&builder->lock);
    if (has_room) {
        pin_queue_wake(builder->queue);
    }
    return has_room;
}

static void run_call(struct pin_builder *builder, const struct pin_builder_call *call)
{
    call->fn(builder->catalog, call->arg);
    if (!pin_loop_post(builder->config.loop, call->done, call->arg)) {
        pin_log_error("builder: out of memory, an admin request gets no answer");
    }
}

/* Takes the calls out under the lock, runs them without it. False when it is time to stop. */
static bool run_calls(struct pin_builder *builder)
{
    struct pin_builder_call calls[PIN_CALLS_MAX];
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
        builder->has_more = builder->config.on_round != NULL;
    }
    return !is_stopping;
}

/* Builder's thread. */
static void run_pull(struct pin_catalog *catalog, void *arg)
{
    pin_catalog_pull(catalog, arg);
}

static void end_pull(void *arg)
{
    struct pin_changes_pull *pull = arg;
    pull->done(pull->arg);
}

bool pin_builder_pull(struct pin_builder *builder, struct pin_changes_pull *pull)
{
    return pin_builder_call(builder, run_pull, end_pull, pull);
}

/* --- Rounds -------------------------------------------------------------------------------- */

/* How long the next round may be waited for: until something is due without a delta. */
static int64_t wait_ms(struct pin_builder *builder, uint64_t now_ms)
{
    uint64_t next_ms = pin_catalog_next_ms(builder->catalog);
    if (builder->has_more) {
        return 0;
    }
    if (pin_catalog_is_dirty(builder->catalog, now_ms)) {
        return builder->is_short ? AGAIN_MS : 0;
    }
    if (pin_catalog_n_writes(builder->catalog) > 0) {
        return builder->is_short_of_writes ? AGAIN_MS : 0;
    }
    if (builder->grace_ends_ms != 0 && now_ms >= builder->grace_ends_ms) {
        builder->grace_ends_ms = 0;
        return 0; /* the last round may have begun before it ended: one more looks for sure */
    }
    if (builder->grace_ends_ms != 0 && builder->grace_ends_ms < next_ms) {
        next_ms = builder->grace_ends_ms;
    }
    if (builder->trim_ms != 0 && builder->trim_ms < next_ms) {
        next_ms = builder->trim_ms;
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

/* Leaves a batch of what is to be written for control. */
static void tell_writes(struct pin_builder *builder)
{
    if (builder->config.on_writes == NULL || pin_catalog_n_writes(builder->catalog) == 0) {
        return;
    }
    size_t n_before = pin_catalog_n_writes(builder->catalog);
    struct pin_write_set *sets = pin_catalog_take_writes(builder->catalog, pin_clock_wall_ms());
    builder->is_short_of_writes = pin_catalog_n_writes(builder->catalog) == n_before;
    if (sets == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&builder->lock);
    struct pin_write_set **end = &builder->writes;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = sets;
    (void)pthread_mutex_unlock(&builder->lock);
    if (!pin_loop_post(
            builder->config.loop, builder->config.on_writes, builder->config.on_writes_arg)) {
        pin_log_error("builder: out of memory, writes wait for the next change");
    }
}

struct pin_write_set *pin_builder_take_writes(struct pin_builder *builder)
{
    (void)pthread_mutex_lock(&builder->lock);
    /* sets that speak of a change which control has not heard of wait until it has */
    bool is_ours = builder->follows == builder->epoch;
    struct pin_write_set *sets = is_ours ? builder->writes : NULL;
    builder->writes = is_ours ? NULL : builder->writes;
    (void)pthread_mutex_unlock(&builder->lock);
    return sets;
}

/* Leaves for control what is wanted outside, once it is due. */
static void tell_claims(struct pin_builder *builder)
{
    struct pin_claimed *claimed =
        pin_catalog_take_claims(builder->catalog, (uint64_t)pin_clock_mono_ms());
    if (claimed == NULL || builder->config.on_claims == NULL) {
        pin_claimed_free(claimed);
        return;
    }
    (void)pthread_mutex_lock(&builder->lock);
    builder->claimed = pin_claimed_renew(claimed, builder->claimed);
    (void)pthread_mutex_unlock(&builder->lock);
    if (!pin_loop_post(
            builder->config.loop, builder->config.on_claims, builder->config.on_claims_arg)) {
        pin_log_error("builder: out of memory, records outside wait for the next change");
    }
}

struct pin_claimed *pin_builder_take_claims(struct pin_builder *builder)
{
    (void)pthread_mutex_lock(&builder->lock);
    struct pin_claimed *claimed = builder->claimed;
    builder->claimed = NULL;
    (void)pthread_mutex_unlock(&builder->lock);
    return claimed;
}

/* Whether a cluster may be written to, on its way to the builder's thread, which frees it. */
struct writable {
    const struct pin_builder *builder;
    uint16_t epoch;
    uint16_t cluster_id;
    bool is_writable;
};

static void set_writable(struct pin_catalog *catalog, void *arg)
{
    struct writable *writable = arg;
    uint16_t id = pin__builder_id(writable->builder, writable->epoch, writable->cluster_id);
    if (id != PIN_CLUSTER_NONE) {
        pin_catalog_set_writable(catalog, id, writable->is_writable);
    }
    free(writable);
}

static void look_again(struct pin_catalog *catalog, void *arg)
{
    (void)arg;
    pin_catalog_look_again(catalog);
}

static void on_called(void *arg)
{
    (void)arg;
}

void pin_builder_set_writable(struct pin_builder *builder, uint16_t cluster_id, bool is_writable)
{
    struct writable *writable = malloc(sizeof(*writable));
    if (writable != NULL) {
        *writable = (struct writable){.builder = builder,
            .epoch = builder->follows,
            .cluster_id = cluster_id,
            .is_writable = is_writable};
    }
    if (writable == NULL || !pin_builder_call(builder, set_writable, on_called, writable)) {
        free(writable);
        pin_log_error("builder: too busy, writes wait until the Lease is taken again");
    }
}

void pin_builder_look_again(struct pin_builder *builder)
{
    (void)pin_builder_call(builder, look_again, on_called, NULL);
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

/* Lists leave room behind that nothing will need again so soon: parsed objects, tables that were
 * made over while they came, buffers. Once all clusters have been listed, it goes back. */
static void plan_trim(struct pin_builder *builder, uint64_t now_ms)
{
    const struct pin_live *live = pin_catalog_live(builder->catalog);
    if (!builder->is_whole && !live->scene->has_unseen) {
        builder->is_whole = true;
        builder->trim_ms = now_ms + PIN_TRIM_MS;
    }
}

static void trim_when_due(struct pin_builder *builder)
{
    if (builder->trim_ms != 0 && (uint64_t)pin_clock_mono_ms() >= builder->trim_ms) {
        builder->trim_ms = 0;
        pin_memory_trim();
    }
}

static void publish(struct pin_builder *builder)
{
    uint64_t now_ms = (uint64_t)pin_clock_mono_ms();
    int64_t begin_ns = pin_clock_mono_ns();
    struct pin_published done = pin_catalog_publish_some(builder->catalog, now_ms, CATCH_UP_UNITS);
    if (done.is_cut) {
        pin_catalog_grant(builder->catalog);
    }
    lag_add(&builder->stats.publish, (uint64_t)(pin_clock_mono_ns() - begin_ns));
    pin_stat_add(&builder->stats.n_units, done.n_units);
    pin_stat_add(&builder->stats.n_names, done.n_names);
    builder->is_short = !done.is_cut && pin_catalog_is_dirty(builder->catalog, now_ms);
    if (done.has_new_scene) {
        plan_trim(builder, now_ms);
    }
    if (done.n_serials > 0) {
        tell_serials(builder);
    }
}

/*
 * Whether an object brings a new change of endpoints: a list repeats old ones, and those from
 * before the start took longer than we are there.
 */
static bool find_trigger(const struct pin_builder *builder, const struct pin_delta *delta,
    struct pin_builder_trigger *ret)
{
    const struct pin_object *slice = delta->object;
    if (delta->op != PIN_DELTA_UPSERT || slice->kind != PIN_KIND_ENDPOINT_SLICE
        || slice->trigger_wall_ms < builder->started_wall_ms) {
        return false;
    }
    const struct pin_object *old = pin_catalog_find(builder->catalog, delta->cluster_id,
        PIN_KIND_ENDPOINT_SLICE, slice->namespace_name, slice->name);
    const struct pin_object *service =
        slice->as.slice.service == NULL
            ? NULL
            : pin_catalog_find(builder->catalog, delta->cluster_id, PIN_KIND_SERVICE,
                slice->namespace_name, slice->as.slice.service);
    ret->wall_ms = slice->trigger_wall_ms;
    ret->kind = service != NULL && service->as.service.is_headless ? PIN_PROGRAMMED_HEADLESS
                                                                   : PIN_PROGRAMMED_CLUSTER_IP;
    return old == NULL || old->trigger_wall_ms != slice->trigger_wall_ms;
}

static void count_triggers(struct pin_builder *builder, size_t n)
{
    int64_t now_ms = n > 0 ? pin_clock_wall_ms() : 0;
    for (size_t i = 0; i < n; i++) {
        const struct pin_builder_trigger *trigger = &builder->triggers[i];
        struct pin_programming *all = &builder->stats.programming[trigger->kind];
        uint64_t took_ms = now_ms > trigger->wall_ms ? (uint64_t)(now_ms - trigger->wall_ms) : 0;
        size_t bucket = 0;
        while (bucket < PIN_PROGRAMMING_BUCKETS - 1 && took_ms > (uint64_t)1 << bucket) {
            bucket++;
        }
        pin_stat_add(&all->buckets[bucket], 1);
        pin_stat_add(&all->sum_ms, took_ms);
    }
}

/* Applies what the round holds, publishes, and measures how long each change took to show. */
void pin__builder_round(struct pin_builder *builder, size_t n_deltas)
{
    size_t n_timed = 0;
    size_t n_triggers = 0;
    for (size_t i = 0; i < n_deltas; i++) {
        struct pin_delta *delta = builder->round[i];
        bool is_change = delta->op == PIN_DELTA_UPSERT || delta->op == PIN_DELTA_DELETE;
        if (is_change && delta->received_ns != 0) {
            builder->received_ns[n_timed++] = delta->received_ns;
        }
        builder->round[i] = NULL;
        delta->cluster_id = pin__builder_id(builder, delta->epoch, delta->cluster_id);
        if (delta->cluster_id == PIN_CLUSTER_NONE && delta->op != PIN_DELTA_LOOKUP) {
            pin_delta_free(delta); /* of a cluster that is gone */
            continue;
        }
        n_triggers += find_trigger(builder, delta, &builder->triggers[n_triggers]) ? 1 : 0;
        pin_catalog_apply(builder->catalog, delta);
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
    count_triggers(builder, n_triggers);
}

/* Has control told what sources are to do; without memory the next round does. */
static void tell_wishes(struct pin_builder *builder)
{
    const struct pin_builder_config *config = &builder->config;
    bool wants = pin_catalog_wants_pods(builder->catalog);
    uint32_t stamp = pin_catalog_held_stamp(builder->catalog);
    if (config->on_wishes == NULL
        || (wants == atomic_load_explicit(&builder->wants_pods, memory_order_relaxed)
            && stamp == builder->held_stamp)) {
        return;
    }
    atomic_store(&builder->wants_pods, wants);
    for (size_t i = 0; i < config->settings->n_clusters; i++) {
        atomic_store(&builder->held[i].kinds, pin_catalog_held(builder->catalog, (uint16_t)i));
    }
    /* a stamp that no catalog has: once more */
    bool is_told = pin_loop_post(config->loop, config->on_wishes, config->on_wishes_arg);
    builder->held_stamp = is_told ? stamp : stamp - 1;
}

uint32_t pin_builder_held(const struct pin_builder *builder, uint16_t cluster_id)
{
    return atomic_load(&builder->held[cluster_id].kinds);
}

/* Has control told that something is to be pulled; without memory the next round does. */
static void tell_changes(struct pin_builder *builder)
{
    const struct pin_builder_config *config = &builder->config;
    if (config->on_changes != NULL && pin_catalog_has_changes(builder->catalog)
        && pin_loop_post(config->loop, config->on_changes, config->on_changes_arg)) {
        pin_catalog_set_changes_told(builder->catalog);
    }
}

static void run_rounds(struct pin_builder *builder)
{
    builder->grace_ends_ms =
        (uint64_t)pin_clock_mono_ms() + builder->config.settings->ready_grace_ms + 1;
    while (run_calls(builder)) {
        int64_t timeout_ms = wait_ms(builder, (uint64_t)pin_clock_mono_ms());
        pin_rcu_offline();
        size_t n_deltas = pin_queue_pop_all(
            builder->queue, (void **)builder->round, PIN_ROUND_DELTAS, timeout_ms);
        pin_rcu_online();
        (void)run_calls(builder); /* what was called for before these deltas came goes first */
        pin__builder_round(builder, n_deltas);
        pin__builder_change(builder);
        trim_when_due(builder);
        builder->has_more =
            builder->config.on_round != NULL
            && builder->config.on_round(builder->catalog, builder->config.on_round_arg);
        tell_changes(builder);
        tell_wanted(builder); /* also of another catalog */
        tell_writes(builder);
        tell_wishes(builder); /* last: what is to be written may have raised doubts */
        tell_claims(builder);
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

    pin_thread_be_brisk();
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
    builder->next_live = builder->live;
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
        catalog = builder->catalog;
        pin__builder_change_done(builder);
    }
    pin_catalog_free(catalog);
    pin_rcu_barrier();
    pin_rcu_unregister();
    return NULL;
}

/* --- Deltas ------------------------------------------------------------------------------- */

bool pin_builder_push(struct pin_builder *builder, struct pin_delta *delta)
{
    const struct pin_loop *loop = builder->config.loop;
    delta->epoch = builder->follows;
    if (loop == NULL || !pin_loop_is_turning(loop)) {
        return pin_queue_push(builder->queue, delta);
    }
    bool has_more = delta->has_more; /* then some end follows, or so many that they are told */
    bool is_taken = pin_queue_push_more(builder->queue, delta);
    builder->has_untold = builder->has_untold || (is_taken && !has_more);
    return is_taken;
}

static void on_turn(void *arg)
{
    struct pin_builder *builder = arg;
    if (builder->has_untold) {
        builder->has_untold = false;
        pin_queue_tell(builder->queue);
    }
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
    *builder = (struct pin_builder){.config = *config, .started_wall_ms = pin_clock_wall_ms()};
    size_t capacity = config->queue_deltas > 0 ? config->queue_deltas : QUEUE_DELTAS_DEFAULT;
    builder->queue = pin_queue_new(capacity, free_delta);
    builder->held = calloc(PIN_CLUSTERS_MAX, sizeof(*builder->held));
    if (builder->queue == NULL || builder->held == NULL) {
        pin_queue_free(builder->queue);
        free(builder->held);
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
    free(builder->held);
    pin_write_sets_free(builder->writes);
    pin_claimed_free(builder->claimed);
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
    if (config->loop != NULL) {
        pin_loop_on_turn(config->loop, on_turn, builder);
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
    if (builder->config.loop != NULL) {
        pin_loop_on_turn(builder->config.loop, NULL, NULL);
    }
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
