/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Other settings: a catalog is made beside the one that answers, knows what that knows, takes its
 * place, and the one before goes when neither workers nor control read it any more.
 */

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/rcu.h"
#include "pintle/zones/inherit.h"

#include "resolver/builder_state.h"

/* A publication leaves something for the next one where memory was out, or a unit brings another
 * one; what is left after so many the rounds do. */
#define PUBLICATIONS_MAX 4

/* --- the builder's thread ------------------------------------------------------------------- */

uint16_t pin__builder_id(const struct pin_builder *builder, uint16_t epoch, uint16_t cluster_id)
{
    return epoch == builder->epoch || cluster_id >= PIN_CLUSTERS_MAX ? cluster_id
                                                                     : builder->ids[cluster_id];
}

/* Gives the catalog what files say; without a catalog they are freed. */
static enum pin_err take_files(
    struct pin_builder_change *change, struct pin_catalog *heir, enum pin_err err)
{
    for (size_t i = 0; i < change->n_zonefiles; i++) {
        if (err == PIN_OK) {
            err = pin_catalog_set_zonefile(heir, change->zonefiles[i], &change->why);
        } else {
            pin_zonefile_free(change->zonefiles[i]);
        }
    }
    change->n_zonefiles = 0;
    if (err == PIN_OK && change->places != NULL
        && !pin_catalog_set_places(heir, change->places, change->n_places)) {
        err = pin_why_set(&change->why, PIN_ENOMEM, "places of the geo database");
    }
    return err;
}

/* Makes a catalog of other settings that knows what `old` knows, and publishes all of it. */
static enum pin_err make_heir(
    struct pin_builder_change *change, const struct pin_catalog *old, struct pin_catalog **ret_heir)
{
    struct pin_catalog *heir = NULL;
    uint32_t serial = pin_catalog_next_serial(old);
    enum pin_err err = pin_catalog_new(change->settings, serial, &heir, &change->why);
    err = take_files(change, heir, err);
    if (err != PIN_OK) {
        pin_catalog_free(heir);
        return err;
    }
    pin_catalog_inherit(heir, old, change->ids);
    uint64_t now_ms = (uint64_t)pin_clock_mono_ms();
    for (int i = 0; i < PUBLICATIONS_MAX && pin_catalog_is_dirty(heir, now_ms); i++) {
        (void)pin_catalog_publish(heir, now_ms);
    }
    *ret_heir = heir;
    return PIN_OK;
}

/* What was handed over before control knows of the change has the ids of before: nothing of the
 * epoch before that may be left. */
static void empty_queue(struct pin_builder *builder)
{
    size_t n_left = pin_queue_count(builder->queue);
    while (n_left > 0) {
        size_t n = pin_queue_pop_all(builder->queue, (void **)builder->round, PIN_ROUND_DELTAS, 0);
        pin__builder_round(builder, n);
        n_left = n > 0 && n < n_left ? n_left - n : 0;
    }
}

/* Workers change over to the heir. */
static void change_over(
    struct pin_builder *builder, struct pin_builder_change *change, struct pin_catalog *heir)
{
    builder->ending = change;
    (void)pthread_mutex_lock(&builder->lock);
    pin_write_sets_free(builder->writes); /* for clusters by their old ids; the heir looks anew */
    builder->writes = NULL;
    for (size_t i = 0; i < builder->config.settings->n_clusters; i++) {
        builder->ids[i] = change->ids[i];
    }
    builder->epoch++;
    builder->old = builder->catalog;
    builder->catalog = heir;
    builder->next_live = pin_catalog_live(heir);
    builder->config.settings = change->settings;
    (void)pthread_mutex_unlock(&builder->lock);
    change->change_over(change->arg, heir, pin_catalog_live(heir));
    builder->held_stamp = pin_catalog_held_stamp(heir) - 1; /* told again */
    builder->is_whole = false;
}

/* Frees what was before. Workers read it no more when each has been quiescent once. */
static void end_old(struct pin_builder *builder)
{
    pin_rcu_synchronize();
    pin__builder_change_done(builder);
    builder->trim_ms = (uint64_t)pin_clock_mono_ms() + PIN_TRIM_MS;
    const struct pin_builder_change *change = builder->ending;
    builder->ending = NULL;
    if (!pin_loop_post(builder->config.loop, change->ended, change->arg)) {
        pin_log_error("builder: out of memory, the next reload waits for ever");
    }
}

void pin__builder_change_done(struct pin_builder *builder)
{
    if (builder->old != NULL) {
        pin_catalog_release(builder->old, builder->catalog);
        pin_catalog_free(builder->old);
        builder->old = NULL;
    }
}

void pin__builder_change(struct pin_builder *builder)
{
    (void)pthread_mutex_lock(&builder->lock);
    struct pin_builder_change *change = builder->change;
    bool has_followed = builder->has_followed;
    builder->change = NULL;
    builder->is_changing = change != NULL;
    builder->has_followed = false;
    (void)pthread_mutex_unlock(&builder->lock);
    if (has_followed) {
        end_old(builder);
    }
    if (change == NULL) {
        return;
    }
    struct pin_catalog *heir = NULL;
    empty_queue(builder);
    change->err = make_heir(change, builder->catalog, &heir);
    if (change->err == PIN_OK) {
        change_over(builder, change, heir);
    }
    if (!pin_loop_post(builder->config.loop, change->done, change->arg)) {
        pin_log_error("builder: out of memory, nobody hears of the new configuration");
    }
    (void)pthread_mutex_lock(&builder->lock);
    builder->is_changing = false;
    (void)pthread_cond_broadcast(&builder->started);
    (void)pthread_mutex_unlock(&builder->lock);
}

/* --- control -------------------------------------------------------------------------------- */

void pin_builder_change(struct pin_builder *builder, struct pin_builder_change *change)
{
    (void)pthread_mutex_lock(&builder->lock);
    builder->change = change;
    (void)pthread_mutex_unlock(&builder->lock);
    pin_queue_wake(builder->queue);
}

void pin_builder_drop_change(struct pin_builder *builder)
{
    (void)pthread_mutex_lock(&builder->lock);
    builder->change = NULL;
    while (builder->is_changing) {
        (void)pthread_cond_wait(&builder->started, &builder->lock);
    }
    (void)pthread_mutex_unlock(&builder->lock);
}

void pin_builder_follow(struct pin_builder *builder)
{
    (void)pthread_mutex_lock(&builder->lock);
    builder->follows = builder->epoch;
    builder->live = builder->next_live;
    builder->has_followed = true;
    (void)pthread_mutex_unlock(&builder->lock);
    pin_queue_wake(builder->queue);
}
