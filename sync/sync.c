/* SPDX-License-Identifier: Apache-2.0 */

/* All sources together: made from specs, driven as one, shown as one. */

#include "pintle/sync/sync.h"

#include <stdlib.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"

#include "decode.h"
#include "http.h"
#include "source.h"

/* What one object of the largest accepted size needs as a tree, with room to spare. */
#define OBJECT_ARENA_BYTES ((size_t)512 << 20)

struct pin_sync {
    struct pin_sync_sink sink;
    struct pin_http *http;         /* Shared by all clusters with an API server. */
    struct pin_arena *arena;       /* One object at a time, whoever decodes it. */
    struct pin_dirwatch *dirwatch; /* The caller's. */
    struct pin_source **sources;
    size_t n_sources;
    bool is_started;
};

static enum pin_err check_spec(const struct pin_source_spec *spec, struct pin_why *why)
{
    if (spec->cluster == NULL || spec->cluster[0] == '\0') {
        return pin_why_set(why, PIN_EINVAL, "a cluster has no name");
    }
    if (spec->kind == PIN_SOURCE_DIRECTORY && spec->directory == NULL) {
        return pin_why_set(why, PIN_EINVAL, "cluster '%s' has no directory", spec->cluster);
    }
    return PIN_OK;
}

static struct pin_source *make_source(struct pin_sync *self, struct pin_loop *loop,
    const struct pin_source_spec *spec, struct pin_why *why)
{
    switch (spec->kind) {
    case PIN_SOURCE_DIRECTORY:
        return pin_source_dir_new(loop, self->dirwatch, spec, &self->sink, why);
    case PIN_SOURCE_EMBEDDED:
        return pin_source_embedded_new(loop, spec, &self->sink, why);
    case PIN_SOURCE_CONTEXT:
    case PIN_SOURCE_IN_CLUSTER:
        return pin_cluster_new(loop, self->http, self->arena, spec, &self->sink, why);
    }
    return NULL;
}

static enum pin_err make_sources(struct pin_sync *self, struct pin_loop *loop,
    const struct pin_source_spec *specs, size_t n_specs, struct pin_why *why)
{
    for (size_t i = 0; i < n_specs; i++) {
        enum pin_err err = check_spec(&specs[i], why);
        if (err != PIN_OK) {
            return err;
        }
        self->sources[i] = make_source(self, loop, &specs[i], why);
        if (self->sources[i] == NULL) {
            return PIN_ENOMEM;
        }
        self->n_sources++;
    }
    return PIN_OK;
}

enum pin_err pin_sync_new(
    const struct pin_sync_config *config, struct pin_sync **ret_sync, struct pin_why *why)
{
    struct pin_sync *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the sources");
    }
    self->sink = config->sink;
    self->http = pin_http_new(config->loop);
    self->arena = pin_arena_new("object", OBJECT_ARENA_BYTES);
    self->dirwatch = config->dirwatch;
    self->sources = calloc(config->n_specs + 1, sizeof(struct pin_source *));
    enum pin_err err = self->http == NULL || self->arena == NULL || self->sources == NULL
                           ? pin_why_set(why, PIN_ENOMEM, "no memory for the sources")
                           : make_sources(self, config->loop, config->specs, config->n_specs, why);
    if (err != PIN_OK) {
        pin_sync_free(self);
        return err;
    }
    *ret_sync = self;
    return PIN_OK;
}

void pin_sync_start(struct pin_sync *sync)
{
    sync->is_started = true;
    for (size_t i = 0; i < sync->n_sources; i++) {
        sync->sources[i]->ops->start(sync->sources[i]);
    }
}

void pin_sync_stop(struct pin_sync *sync)
{
    sync->is_started = false;
    for (size_t i = 0; i < sync->n_sources; i++) {
        sync->sources[i]->ops->stop(sync->sources[i]);
        pin_outbox_done(&sync->sources[i]->outbox);
    }
}

void pin_sync_free(struct pin_sync *sync)
{
    if (sync == NULL) {
        return;
    }
    pin_sync_stop(sync);
    for (size_t i = 0; i < sync->n_sources; i++) {
        sync->sources[i]->ops->free(sync->sources[i]);
    }
    pin_http_free(sync->http);
    pin_arena_free(sync->arena);
    free(sync->sources);
    free(sync);
}

void pin_sync_resume(struct pin_sync *sync)
{
    for (size_t i = 0; i < sync->n_sources && sync->is_started; i++) {
        if (pin_outbox_drain(&sync->sources[i]->outbox)) {
            sync->sources[i]->ops->resume(sync->sources[i]);
        }
    }
}

void pin_sync_want_pods(struct pin_sync *sync, bool is_wanted)
{
    for (size_t i = 0; i < sync->n_sources; i++) {
        struct pin_source *source = sync->sources[i];
        if (source->wants_pods != is_wanted) {
            source->wants_pods = is_wanted;
            source->ops->want_pods(source);
        }
    }
}

/* --- Status --------------------------------------------------------------------------------- */

size_t pin_sync_n_clusters(const struct pin_sync *sync)
{
    return sync->n_sources;
}

/* The cluster's own trouble, else the first kind's. */
static const struct pin_trouble *find_trouble(const struct pin_source *source)
{
    if (source->trouble.code != 0) {
        return &source->trouble;
    }
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (source->kinds[kind].code != 0) {
            return &source->kinds[kind];
        }
    }
    return &source->trouble;
}

void pin_sync_cluster_stats(
    const struct pin_sync *sync, size_t i, struct pin_sync_cluster_stats *ret_stats)
{
    const struct pin_source *source = sync->sources[i];
    const struct pin_trouble *trouble = find_trouble(source);
    *ret_stats = source->stats;
    ret_stats->cluster = source->cluster;
    ret_stats->source = source->origin;
    ret_stats->error = trouble->text;
    ret_stats->hint = trouble->hint;
}

static void put_age(struct pin_jsonout *out, int64_t event_wall_ms, int64_t wall_ms)
{
    pin_jsonout_key(out, "lastEventAgeSeconds");
    if (event_wall_ms == 0) {
        pin_jsonout_null(out);
    } else {
        int64_t age_ms = wall_ms > event_wall_ms ? wall_ms - event_wall_ms : 0;
        pin_jsonout_double(out, (double)age_ms / 1000.0);
    }
}

static void put_kind(struct pin_jsonout *out, enum pin_kind kind,
    const struct pin_sync_kind_stats *stats, int64_t wall_ms)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "group", pin_decode_row(kind)->group);
    pin_jsonout_key_string(out, "kind", pin_decode_row(kind)->kind_text);
    pin_jsonout_key_bool(out, "served", stats->is_served);
    pin_jsonout_key_bool(out, "forbidden", stats->is_forbidden);
    pin_jsonout_key_bool(out, "listed", stats->is_listed);
    pin_jsonout_key_uint(out, "objects", stats->n_objects);
    pin_jsonout_key_uint(out, "lists", stats->n_lists);
    pin_jsonout_key_uint(out, "restarts", stats->n_restarts);
    pin_jsonout_key_uint(out, "events", stats->n_events);
    pin_jsonout_key_uint(out, "unreadable", stats->n_bad);
    put_age(out, stats->last_event_wall_ms, wall_ms);
    pin_jsonout_end(out);
}

void pin_sync_status_json(const struct pin_sync *sync, struct pin_jsonout *out)
{
    int64_t wall_ms = pin_clock_wall_ms();
    pin_jsonout_array(out);
    for (size_t i = 0; i < sync->n_sources; i++) {
        struct pin_sync_cluster_stats stats;
        pin_sync_cluster_stats(sync, i, &stats);
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "name", stats.cluster);
        pin_jsonout_key_string(out, "source", stats.source);
        pin_jsonout_key_bool(out, "reachable", stats.is_up);
        pin_jsonout_key_bool(out, "synced", stats.is_synced);
        pin_jsonout_key_string(out, "error", stats.error);
        pin_jsonout_key_string(out, "hint", stats.hint);
        put_age(out, stats.last_event_wall_ms, wall_ms);
        pin_jsonout_key(out, "kinds");
        pin_jsonout_array(out);
        for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
            put_kind(out, (enum pin_kind)kind, &stats.kinds[kind], wall_ms);
        }
        pin_jsonout_end(out);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}
