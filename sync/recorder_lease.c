/* SPDX-License-Identifier: Apache-2.0 */

/* Of several daemons one writes records: whoever has the Lease. */

#include <stdlib.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "recorder_state.h"
#include "source.h"

/* One answer of an API server. */
#define ARENA_MAX_BYTES ((size_t)1 << 20)
/* What is shown of it is no older. */
#define SHOW_MS 1000

static const struct pin_target *target_of(void *arg)
{
    const struct pin_recorder_lease *self = arg;
    return self->target(self->arg);
}

static void show(struct pin_recorder_lease *self)
{
    pin_recorder_set_writer(self->recorder, pin_lease_is_held(self->lease),
        pin_lease_holder(self->lease), pin_lease_error(self->lease));
}

static void on_change(void *arg, bool is_held)
{
    struct pin_recorder_lease *self = arg;
    pin_log_info("records: we are %s", is_held ? "the writer now" : "not the writer any more");
    show(self);
}

static void on_timer(void *arg)
{
    show(arg);
}

void pin_recorder_lease_free(struct pin_recorder_lease *lease)
{
    if (lease != NULL) {
        pin_lease_free(lease->lease);
        pin_timer_free(lease->timer);
        pin_arena_free(lease->arena);
        free(lease);
    }
}

enum pin_err pin_recorder_start_lease(
    struct pin_recorder *recorder, const struct pin_lease_config *like, struct pin_why *why)
{
    struct pin_recorder_lease *self = calloc(1, sizeof(*self));
    if (self == NULL || pin_recorder_http(recorder) == NULL) {
        free(self);
        return pin_why_set(why, PIN_ENOMEM, "the Lease of records");
    }
    struct pin_lease_config config = *like;
    self->recorder = recorder;
    self->target = like->target;
    self->arg = like->arg;
    self->arena = pin_arena_new("records lease", ARENA_MAX_BYTES);
    self->timer = pin_timer_new(recorder->loop, on_timer, self);
    config.loop = recorder->loop;
    config.http = recorder->http;
    config.arena = self->arena;
    config.target = target_of;
    config.on_change = on_change;
    config.arg = self;
    self->lease = self->arena == NULL || self->timer == NULL ? NULL : pin_lease_new(&config);
    if (self->lease == NULL) {
        pin_recorder_lease_free(self);
        return pin_why_set(why, PIN_ENOMEM, "the Lease of records");
    }
    recorder->lease = self;
    pin_timer_start(self->timer, SHOW_MS, true);
    pin_lease_start(self->lease);
    return PIN_OK;
}

static const struct pin_target *target_of_source(void *arg)
{
    struct pin_source *source = arg;
    return source->ops->target(source);
}

enum pin_err pin_recorder_use_lease(
    struct pin_recorder *recorder, const struct pin_recorder_lease_spec *spec, struct pin_why *why)
{
    char identity[PIN_LEASE_HOLDER_MAX];
    struct pin_source *source = pin_sync_source(spec->sync, spec->cluster_i);
    if (source->ops->target == NULL) {
        return pin_why_set(why, PIN_EINVAL,
            "cluster %.64s has no API server that a Lease could be in", source->cluster);
    }
    pin_lease_identity(identity);
    const struct pin_lease_config like = {.where = source->where,
        .namespace_name = spec->namespace_name,
        .name = spec->name,
        .identity = identity,
        .target = target_of_source,
        .arg = source};
    return pin_recorder_start_lease(recorder, &like, why);
}

void pin_recorder_release(struct pin_recorder *recorder, int64_t timeout_ms)
{
    if (recorder != NULL && recorder->election != NULL) {
        pin_recorder_election_release(recorder->election);
    }
    if (recorder == NULL || recorder->lease == NULL) {
        return;
    }
    int64_t until_ms = pin_clock_mono_ms() + timeout_ms;
    pin_lease_release(recorder->lease->lease);
    while (pin_lease_is_busy(recorder->lease->lease) && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(recorder->loop, until_ms - pin_clock_mono_ms());
    }
}
