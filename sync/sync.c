/* SPDX-License-Identifier: Apache-2.0 */

/* All sources together: made from specs, driven as one, shown as one. */

#include "pintle/sync/sync.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"

#include "command.h"
#include "decode.h"
#include "http.h"
#include "lease.h"
#include "source.h"
#include "survey.h"
#include "survey_writes.h"
#include "writer.h"

/* What one object of the largest accepted size needs as a tree, with room to spare. */
#define OBJECT_ARENA_BYTES ((size_t)512 << 20)
/* Exec plugins at a time: some are slow programs. */
#define PLUGINS_MAX 4u

struct pin_sync {
    struct pin_sync_sink sink;
    struct pin_cluster_tools tools;
    struct pin_dirwatch *dirwatch; /* The caller's. */
    struct pin_source **sources;
    size_t n_sources;
    struct pin_writer **writers; /* By source; NULL where nothing is written. */
    uint32_t write_roles;        /* What writing needs. */
    char *lease_namespace;       /* Owned, as its name; NULL while nothing is written. */
    char *lease_name;
    char identity[PIN_LEASE_HOLDER_MAX]; /* Ours, unless a test said another one. */
    struct pin_loop *loop;
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
    if (spec->kind == PIN_SOURCE_ETCD && (spec->etcd.n_endpoints == 0 || !spec->etcd.prefix)) {
        return pin_why_set(
            why, PIN_EINVAL, "cluster '%s' has no endpoints or no prefix", spec->cluster);
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
        return pin_cluster_new(&self->tools, spec, &self->sink, why);
    case PIN_SOURCE_ETCD:
        return pin_source_etcd_new(loop, self->tools.http, spec, &self->sink, why);
    }
    return NULL;
}

static enum pin_err make_sources(
    struct pin_sync *self, const struct pin_sync_config *config, struct pin_why *why)
{
    for (size_t i = 0; i < config->n_specs; i++) {
        enum pin_err err = check_spec(&config->specs[i], why);
        if (err != PIN_OK) {
            return err;
        }
        self->sources[i] = make_source(self, config->loop, &config->specs[i], why);
        if (self->sources[i] == NULL) {
            return PIN_ENOMEM;
        }
        self->sources[i]->wants_ingresses = config->wants_ingresses;
        self->sources[i]->max_objects = config->max_objects;
        self->n_sources++;
    }
    return PIN_OK;
}

/* The source's writer, unless it has no API server. */
static enum pin_err make_writer(const struct pin_sync *self, const struct pin_sync_writes *writes,
    struct pin_source *source, struct pin_writer **ret_writer, struct pin_why *why)
{
    struct pin_writer_config config = {.loop = self->loop,
        .http = self->tools.http,
        .arena = self->tools.arena,
        .source = source,
        .writes = writes};
    source->wants_classes = writes->switches.status || writes->switches.cleans;
    if (source->ops->target == NULL) {
        return PIN_OK;
    }
    *ret_writer = pin_writer_new(&config);
    return *ret_writer != NULL ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "no memory for the writers");
}

/* One writer per cluster with an API server. */
static enum pin_err make_writers(
    struct pin_sync *self, const struct pin_sync_writes *asked, struct pin_why *why)
{
    if (asked == NULL) {
        return PIN_OK;
    }
    self->write_roles = pin_roles_of(&asked->switches);
    self->lease_namespace = strdup(asked->lease_namespace);
    self->lease_name = strdup(asked->lease_name);
    if (self->lease_namespace == NULL || self->lease_name == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the writers");
    }
    pin_lease_identity(self->identity);
    struct pin_sync_writes writes = *asked;
    writes.identity = asked->identity != NULL ? asked->identity : self->identity;
    enum pin_err err = PIN_OK;
    for (size_t i = 0; i < self->n_sources && err == PIN_OK; i++) {
        err = make_writer(self, &writes, self->sources[i], &self->writers[i], why);
    }
    return err;
}

enum pin_err pin_sync_new(
    const struct pin_sync_config *config, struct pin_sync **ret_sync, struct pin_why *why)
{
    struct pin_sync *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the sources");
    }
    self->sink = config->sink;
    self->tools = (struct pin_cluster_tools){.loop = config->loop,
        .http = pin_http_new(config->loop),
        .commands = pin_commands_new(config->loop, PLUGINS_MAX),
        .arena = pin_arena_new("object", OBJECT_ARENA_BYTES)};
    self->dirwatch = config->dirwatch;
    self->loop = config->loop;
    self->sources = calloc(config->n_specs + 1, sizeof(struct pin_source *));
    self->writers = calloc(config->n_specs + 1, sizeof(struct pin_writer *));
    bool has_tools =
        self->tools.http != NULL && self->tools.commands != NULL && self->tools.arena != NULL;
    enum pin_err err = !has_tools || self->sources == NULL || self->writers == NULL
                           ? pin_why_set(why, PIN_ENOMEM, "no memory for the sources")
                           : make_sources(self, config, why);
    if (err == PIN_OK) {
        err = make_writers(self, config->writes, why);
    }
    if (err != PIN_OK) {
        pin_sync_free(self);
        return err;
    }
    *ret_sync = self;
    return PIN_OK;
}

static void start_source(struct pin_sync *sync, size_t i)
{
    sync->sources[i]->started_ms = pin_clock_mono_ms();
    sync->sources[i]->ops->start(sync->sources[i]);
    if (sync->writers[i] != NULL) {
        pin_writer_start(sync->writers[i]);
    }
}

void pin_sync_start(struct pin_sync *sync)
{
    sync->is_started = true;
    for (size_t i = 0; i < sync->n_sources; i++) {
        start_source(sync, i);
    }
}

static void stop_source(struct pin_source *source)
{
    source->ops->stop(source);
    pin_survey_stop(source->survey);
    pin_outbox_done(&source->outbox);
}

void pin_sync_stop(struct pin_sync *sync)
{
    sync->is_started = false;
    for (size_t i = 0; i < sync->n_sources; i++) {
        stop_source(sync->sources[i]);
    }
}

static void free_source(struct pin_source *source, struct pin_writer *writer)
{
    pin_writer_free(writer);
    pin_survey_free(source->survey);
    source->ops->free(source);
}

void pin_sync_free(struct pin_sync *sync)
{
    if (sync == NULL) {
        return;
    }
    pin_sync_stop(sync);
    for (size_t i = 0; i < sync->n_sources; i++) {
        free_source(sync->sources[i], sync->writers != NULL ? sync->writers[i] : NULL);
    }
    pin_commands_free(sync->tools.commands);
    pin_http_free(sync->tools.http);
    pin_arena_free(sync->tools.arena);
    free(sync->sources);
    free(sync->writers);
    free(sync->lease_namespace);
    free(sync->lease_name);
    free(sync);
}

/* --- Change --------------------------------------------------------------------------------- */

/* One source of other specs. */
struct next_source {
    struct pin_source *source;
    struct pin_writer *writer;
    uint16_t cluster_id;
    bool is_new;
};

struct pin_sync_next {
    struct pin_source **sources;
    struct pin_writer **writers;
    uint32_t max_objects;
    bool wants_ingresses;
    size_t n;
    struct next_source items[];
};

static enum pin_err make_next(struct pin_sync *self, const struct pin_sync_config *config,
    const struct pin_source_spec *spec, struct next_source *item, struct pin_why *why)
{
    enum pin_err err = check_spec(spec, why);
    if (err != PIN_OK) {
        return err;
    }
    item->source = make_source(self, config->loop, spec, why);
    if (item->source == NULL) {
        return PIN_ENOMEM;
    }
    if (config->writes == NULL) {
        return PIN_OK;
    }
    struct pin_sync_writes writes = *config->writes;
    writes.identity = writes.identity != NULL ? writes.identity : self->identity;
    return make_writer(self, &writes, item->source, &item->writer, why);
}

enum pin_err pin_sync_prepare(struct pin_sync *sync, const struct pin_sync_config *config,
    const size_t *from, struct pin_sync_next **ret_next, struct pin_why *why)
{
    struct pin_sync_next *next =
        calloc(1, sizeof(*next) + config->n_specs * sizeof(next->items[0]));
    if (next == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the sources");
    }
    next->max_objects = config->max_objects;
    next->wants_ingresses = config->wants_ingresses;
    next->sources = calloc(config->n_specs + 1, sizeof(struct pin_source *));
    next->writers = calloc(config->n_specs + 1, sizeof(struct pin_writer *));
    enum pin_err err = next->sources != NULL && next->writers != NULL
                           ? PIN_OK
                           : pin_why_set(why, PIN_ENOMEM, "no memory for the sources");
    for (size_t i = 0; i < config->n_specs && err == PIN_OK; i++) {
        struct next_source *item = &next->items[next->n++];
        item->cluster_id = config->specs[i].cluster_id;
        item->is_new = from[i] == PIN_SYNC_NEW;
        if (item->is_new) {
            err = make_next(sync, config, &config->specs[i], item, why);
        } else {
            item->source = sync->sources[from[i]];
            item->writer = sync->writers[from[i]];
        }
    }
    if (err != PIN_OK) {
        pin_sync_discard(next);
        return err;
    }
    *ret_next = next;
    return PIN_OK;
}

static bool goes_on(const struct pin_sync_next *next, const struct pin_source *source)
{
    for (size_t i = 0; i < next->n; i++) {
        if (next->items[i].source == source) {
            return true;
        }
    }
    return false;
}

/* Ends the sources that do not go on, and puts the next ones in the place of all. */
static void take_next(struct pin_sync *sync, struct pin_sync_next *next)
{
    for (size_t i = 0; i < sync->n_sources; i++) {
        if (!goes_on(next, sync->sources[i])) {
            stop_source(sync->sources[i]);
            free_source(sync->sources[i], sync->writers[i]);
        }
    }
    for (size_t i = 0; i < next->n; i++) {
        next->sources[i] = next->items[i].source;
        next->writers[i] = next->items[i].writer;
    }
    free(sync->sources);
    free(sync->writers);
    sync->sources = next->sources;
    sync->writers = next->writers;
    sync->n_sources = next->n;
}

void pin_sync_commit(struct pin_sync *sync, struct pin_sync_next *next)
{
    take_next(sync, next);
    for (size_t i = 0; i < next->n; i++) {
        struct pin_source *source = sync->sources[i];
        source->cluster_id = next->items[i].cluster_id;
        source->wants_ingresses = next->wants_ingresses;
        source->max_objects = next->max_objects;
        pin_outbox_rename(&source->outbox, source->cluster_id);
    }
    for (size_t i = 0; i < next->n && sync->is_started; i++) {
        if (next->items[i].is_new) {
            start_source(sync, i);
        }
    }
    free(next);
}

void pin_sync_discard(struct pin_sync_next *next)
{
    for (size_t i = 0; next != NULL && i < next->n; i++) {
        if (next->items[i].is_new && next->items[i].source != NULL) {
            free_source(next->items[i].source, next->items[i].writer);
        }
    }
    if (next != NULL) {
        free(next->sources);
        free(next->writers);
        free(next);
    }
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

void pin_sync_set_held(struct pin_sync *sync, size_t i, uint32_t kinds)
{
    pin_source_set_held(sync->sources[i], kinds);
}

bool pin_sync_list_again(struct pin_sync *sync, size_t i)
{
    struct pin_source *source = sync->sources[i];
    if (source->ops->list_again != NULL) {
        source->ops->list_again(source);
    }
    return source->ops->list_again != NULL;
}

struct pin_source *pin_sync_source(const struct pin_sync *sync, size_t i)
{
    return sync->sources[i];
}

/* --- Writing -------------------------------------------------------------------------------- */

static struct pin_writer *writer_of(const struct pin_sync *sync, uint16_t cluster_id)
{
    for (size_t i = 0; i < sync->n_sources; i++) {
        if (sync->sources[i]->cluster_id == cluster_id) {
            return sync->writers[i];
        }
    }
    return NULL;
}

void pin_sync_write(struct pin_sync *sync, struct pin_write_set *sets)
{
    for (struct pin_write_set *set = sync != NULL ? sets : NULL; set != NULL; set = set->next) {
        for (size_t i = 0; i < sync->n_sources; i++) {
            if (sync->writers[i] != NULL) {
                pin_writer_clear(sync->writers[i], set->key);
            }
        }
        while (set->first != NULL) {
            struct pin_write *write = set->first;
            struct pin_writer *writer = writer_of(sync, write->cluster_id);
            set->first = write->next;
            if (writer != NULL) {
                pin_writer_add(writer, set->key, write);
            } else {
                pin_write_free(write);
            }
        }
    }
    pin_write_sets_free(sets);
}

static bool is_busy(const struct pin_sync *sync)
{
    for (size_t i = 0; i < sync->n_sources; i++) {
        if (sync->writers[i] != NULL && pin_writer_is_busy(sync->writers[i])) {
            return true;
        }
    }
    return false;
}

void pin_sync_release(struct pin_sync *sync, int64_t timeout_ms)
{
    if (sync == NULL) {
        return;
    }
    int64_t until_ms = pin_clock_mono_ms() + timeout_ms;
    for (size_t i = 0; i < sync->n_sources; i++) {
        if (sync->writers[i] != NULL) {
            pin_writer_release(sync->writers[i]);
        }
    }
    while (is_busy(sync) && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(sync->loop, until_ms - pin_clock_mono_ms());
    }
}

void pin_sync_write_stats(
    const struct pin_sync *sync, size_t i, struct pin_sync_write_stats *ret_stats)
{
    *ret_stats = (struct pin_sync_write_stats){.holder = "", .error = ""};
    if (sync->writers[i] != NULL) {
        pin_writer_stats(sync->writers[i], ret_stats);
    }
}

/* --- Status --------------------------------------------------------------------------------- */

size_t pin_sync_n_clusters(const struct pin_sync *sync)
{
    return sync->n_sources;
}

/* That of credentials, else the cluster's own, else the first kind's, else that of held lists. */
static const struct pin_trouble *find_trouble(const struct pin_source *source)
{
    if (source->access.code != 0) {
        return &source->access;
    }
    if (source->trouble.code != 0) {
        return &source->trouble;
    }
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (source->kinds[kind].code != 0) {
            return &source->kinds[kind];
        }
    }
    return &source->doubt;
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
    ret_stats->error_wall_ms = trouble->code != 0 ? trouble->since_wall_ms : 0;
}

/* Milliseconds as seconds; null when not known. */
static void put_seconds(struct pin_jsonout *out, const char *key, bool is_known, int64_t ms)
{
    pin_jsonout_key(out, key);
    if (is_known) {
        pin_jsonout_double(out, (double)ms / 1000.0);
    } else {
        pin_jsonout_null(out);
    }
}

/* How long ago that was, as seconds; null when it never was. */
static void put_age(struct pin_jsonout *out, const char *key, int64_t then_wall_ms, int64_t wall_ms)
{
    put_seconds(out, key, then_wall_ms != 0, PIN_MAX(wall_ms - then_wall_ms, (int64_t)0));
}

/* Where a kind stands, in a word. Before the first answer nobody knows what is served. */
static const char *state_of(const struct pin_sync_kind_stats *stats, bool is_known)
{
    return stats->is_forbidden ? "forbidden"
           : stats->is_missing ? "missing"
           : stats->is_held    ? "held"
           : stats->is_listed  ? "listed"
           : stats->is_served  ? "listing"
           : is_known          ? "notServed"
                               : "waiting";
}

/* The list under way: what it has brought, and how many there will be; null where not known. */
static void put_progress(struct pin_jsonout *out, const struct pin_sync_kind_stats *stats)
{
    pin_jsonout_key_uint(out, "read", stats->n_in_list);
    pin_jsonout_key(out, "expected");
    if (stats->n_expected > 0) {
        pin_jsonout_uint(out, stats->n_expected);
    } else {
        pin_jsonout_null(out);
    }
}

/* Whether the source has heard which kinds there are. */
static bool knows_kinds(const struct pin_sync_cluster_stats *stats)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        if (stats->kinds[kind].is_served || stats->kinds[kind].is_listed) {
            return true;
        }
    }
    return stats->is_synced;
}

uint64_t pin_sync_n_lists(const struct pin_sync_kind_stats *stats)
{
    uint64_t n = 0;
    for (size_t reason = 0; reason < PIN_LIST_REASONS; reason++) {
        n += stats->n_lists[reason];
    }
    return n;
}

static void put_kind(struct pin_jsonout *out, enum pin_kind kind,
    const struct pin_sync_cluster_stats *cluster, int64_t wall_ms)
{
    const struct pin_sync_kind_stats *stats = &cluster->kinds[kind];
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "group", pin_decode_row(kind)->group);
    pin_jsonout_key_string(out, "kind", pin_decode_row(kind)->kind_text);
    pin_jsonout_key_string(out, "state", state_of(stats, knows_kinds(cluster)));
    pin_jsonout_key_bool(out, "served", stats->is_served);
    pin_jsonout_key_bool(out, "forbidden", stats->is_forbidden);
    pin_jsonout_key_bool(out, "listed", stats->is_listed);
    pin_jsonout_key_bool(out, "streamed", stats->is_streamed);
    pin_jsonout_key_bool(out, "held", stats->is_held);
    pin_jsonout_key_bool(out, "missing", stats->is_missing);
    pin_jsonout_key_uint(out, "objects", stats->n_objects);
    put_progress(out, stats);
    pin_jsonout_key_uint(out, "lists", pin_sync_n_lists(stats));
    pin_jsonout_key_uint(out, "broken", stats->n_broken);
    pin_jsonout_key_uint(out, "restarts", stats->n_restarts);
    pin_jsonout_key_uint(out, "events", stats->n_events);
    pin_jsonout_key_uint(out, "unreadable", stats->n_bad);
    put_age(out, "lastEventAgeSeconds", stats->last_event_wall_ms, wall_ms);
    pin_jsonout_end(out);
}

/* How writing back stands, where it is on. */
static void put_writing(const struct pin_sync *sync, size_t i, struct pin_jsonout *out)
{
    struct pin_sync_write_stats stats;
    pin_sync_write_stats(sync, i, &stats);
    if (!stats.is_on) {
        return;
    }
    pin_jsonout_key(out, "writeBack");
    pin_jsonout_object(out);
    pin_jsonout_key_bool(out, "isWriter", stats.is_held);
    pin_jsonout_key_string(out, "holder", stats.holder);
    pin_jsonout_key_string(out, "error", stats.error);
    pin_jsonout_key_uint(out, "waiting", stats.n_waiting);
    pin_jsonout_key_uint(out, "written", stats.n_good);
    pin_jsonout_key_uint(out, "failed", stats.n_failed);
    pin_jsonout_end(out);
}

void pin_sync_cluster_json(const struct pin_sync *sync, size_t i, struct pin_jsonout *out)
{
    int64_t wall_ms = pin_clock_wall_ms();
    struct pin_sync_cluster_stats stats;
    if (sync == NULL || i >= sync->n_sources) {
        return;
    }
    pin_sync_cluster_stats(sync, i, &stats);
    pin_jsonout_key_string(out, "name", stats.cluster);
    pin_jsonout_key_string(out, "source", stats.source);
    pin_jsonout_key_bool(out, "reachable", stats.is_up);
    pin_jsonout_key_bool(out, "synced", stats.is_synced);
    pin_jsonout_key_string(out, "error", stats.error);
    pin_jsonout_key_string(out, "hint", stats.hint);
    put_age(out, "errorAgeSeconds", stats.error_wall_ms, wall_ms);
    put_seconds(out, "syncSeconds", stats.sync_took_ms != 0, stats.sync_took_ms);
    put_age(out, "lastEventAgeSeconds", stats.last_event_wall_ms, wall_ms);
    put_seconds(out, "credentialsExpireSeconds", stats.credentials_expire_wall_ms != 0,
        stats.credentials_expire_wall_ms - wall_ms);
    put_writing(sync, i, out);
    pin_jsonout_key(out, "kinds");
    pin_jsonout_array(out);
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        put_kind(out, (enum pin_kind)kind, &stats, wall_ms);
    }
    pin_jsonout_end(out);
}

/* --- Metrics -------------------------------------------------------------------------------- */

static double confirmed_age_s(const struct pin_sync_etcd_stats *etcd)
{
    return etcd->confirmed_ms == 0 ? -1
                                   : (double)(pin_clock_mono_ms() - etcd->confirmed_ms) / 1000.0;
}

static double revision_of(const struct pin_sync_etcd_stats *etcd)
{
    return (double)etcd->revision;
}

static double keys_of(const struct pin_sync_etcd_stats *etcd)
{
    return (double)etcd->n_keys;
}

void pin_sync_etcd_metrics(const struct pin_sync *sync, struct pin_text *out)
{
    static const struct {
        const char *name, *help;
        double (*value)(const struct pin_sync_etcd_stats *etcd);
    } rows[] = {
        {"pintle_etcd_revision", "Revision of etcd up to which all was taken.", revision_of},
        {"pintle_etcd_keys", "Keys that a cluster has in etcd.", keys_of},
        {"pintle_etcd_confirmed_age_seconds",
            "Since when etcd has not confirmed that nothing is missing; -1: never yet.",
            confirmed_age_s},
    };
    bool is_any = false;
    for (size_t i = 0; i < sync->n_sources; i++) {
        is_any = is_any || sync->sources[i]->stats.etcd.is_used;
    }
    for (size_t row = 0; is_any && row < N_ELEMS(rows); row++) {
        pin_text_putf(
            out, "# HELP %s %s\n# TYPE %s gauge\n", rows[row].name, rows[row].help, rows[row].name);
        for (size_t i = 0; i < sync->n_sources; i++) {
            const struct pin_source *source = sync->sources[i];
            if (source->stats.etcd.is_used) {
                pin_text_putf(out, "%s{cluster=\"%s\"} %.17g\n", rows[row].name, source->cluster,
                    rows[row].value(&source->stats.etcd));
            }
        }
    }
}

/* --- Checks --------------------------------------------------------------------------------- */

enum pin_err pin_sync_check_start(struct pin_sync *sync, size_t i, struct pin_why *why)
{
    size_t n_running = 0;
    if (sync == NULL || i >= sync->n_sources) {
        return pin_why_set(why, PIN_EBUSY, "starting, ask again");
    }
    struct pin_source *source = sync->sources[i];
    for (size_t k = 0; k < sync->n_sources; k++) {
        n_running += pin_survey_is_running(sync->sources[k]->survey) ? 1 : 0;
    }
    if (n_running >= PIN_SYNC_CHECKS_MAX && !pin_survey_is_running(source->survey)) {
        return pin_why_set(why, PIN_EBUSY, "%zu other clusters are being checked", n_running);
    }
    const struct pin_survey_asked asked = {
        .roles = sync->writers[i] != NULL ? sync->write_roles : 0,
        .home = sync->lease_namespace,
        .lease_name = sync->lease_name};
    return pin_survey_start(source, sync->tools.http, &asked, &source->survey, why);
}

void pin_sync_check_json(const struct pin_sync *sync, size_t i, struct pin_jsonout *out)
{
    if (sync != NULL && i < sync->n_sources) {
        pin_jsonout_key_string(out, "name", sync->sources[i]->cluster);
        pin_survey_json(sync->sources[i]->survey, out);
    }
}
