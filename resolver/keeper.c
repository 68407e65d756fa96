/* SPDX-License-Identifier: Apache-2.0 */

/* The keeper: notes on the builder's thread, a queue, a thread that writes. */

#include "resolver/keeper.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/queue.h"
#include "pintle/zones/pack.h"
#include "pintle/zones/watcher.h"

#include "resolver/keeper_disk.h"
#include "resolver/keeper_restore.h"

/* A frame's payload is handed over when it is that long, or its round has ended. */
#define PAYLOAD_BYTES ((size_t)1 << 20)
#define QUEUE_BATCHES 32
/* What may wait for room in the queue before it is thrown away. */
#define PENDING_MAX ((size_t)256 << 20)
/* Until what was written is on the disk itself. */
#define SYNC_MS 1000
/* Between two tries to lock the directory of the process before. */
#define LOCK_MS 100
/* Until all is written anew after a failure; twice as long after each further one. */
#define RETRY_MS     2000
#define RETRY_MAX_MS 60000
/* So many records may be out of date beside the half of all that may. */
#define SPARE_RECORDS 10000u

/* A part of the file on its way to the keeper's thread. */
struct batch {
    struct pin_text payload;
    size_t n_records;
    size_t n_live;  /* objects there are, as of its end */
    bool begins;    /* a new file begins with it */
    bool completes; /* and is whole with this one */
};

/* The builder's side. */
struct notes {
    struct pin_text pending;
    struct pin_text packed;
    struct pin_text packed_old;
    size_t n_records;
    size_t n_live;
    uint16_t walk_cluster; /* what comes next while all is written anew */
    int walk_kind;
    bool is_attached; /* the file was restored: what comes from now on is news */
    bool is_walking;
    bool begins;
    bool is_lost; /* something was thrown away: all has to be written anew */
};

struct pin_keeper {
    struct pin_keeper_config config;
    pthread_mutex_t builder_lock; /* guards `builder` */
    struct pin_builder *builder;  /* NULL: not there yet, or about to go */
    struct pin_queue *queue;
    struct pin_keeper_restore restore;
    struct notes notes; /* the builder thread's */
    bool *was_synced;   /* by cluster id: so the file says; the builder thread's */
    struct pin_keeper_disk disk;
    size_t n_records; /* in the file; all these the keeper thread's */
    size_t n_next_records;
    int64_t retry_ms; /* monotonic; 0: nothing is to be tried again */
    int64_t pause_ms; /* between the latest two tries */
    bool was_lost;    /* and that was told */
    int64_t sync_ms;  /* when something is to be synced; 0: nothing is */
    bool has_all;     /* The builder was asked for all and has not begun. */
    pthread_t thread;
    bool has_thread;
    atomic_bool wants_all;
    atomic_bool is_failing;
    _Atomic uint64_t n_failures;
    _Atomic uint64_t n_frames;
    _Atomic uint64_t n_rewrites;
    _Atomic uint64_t file_bytes;
    _Atomic uint64_t n_restored;
    _Atomic int64_t last_wall_ms;
    int64_t age_ms;
};

/* --- notes: the builder's thread ------------------------------------------------------------ */

static void free_batch(void *item)
{
    struct batch *batch = item;
    pin_text_done(&batch->payload);
    free(batch);
}

/* Throws away what could not be handed over. */
static void lose(struct notes *notes)
{
    pin_text_done(&notes->pending);
    notes->n_records = 0;
    notes->is_lost = true;
    notes->is_walking = false;
}

/* Hands over what is pending. False: there is no room, and it goes on waiting. */
static bool flush(struct pin_keeper *keeper, bool completes)
{
    struct notes *notes = &keeper->notes;
    struct batch *batch = calloc(1, sizeof(*batch));
    if (batch == NULL || notes->pending.failed) {
        free(batch);
        lose(notes);
        return true;
    }
    *batch = (struct batch){.payload = notes->pending,
        .n_records = notes->n_records,
        .n_live = notes->n_live,
        .begins = notes->begins,
        .completes = completes};
    if (!pin_queue_push(keeper->queue, batch)) {
        free(batch);
        if (notes->pending.len > PENDING_MAX) {
            lose(notes);
        }
        return false;
    }
    notes->pending = (struct pin_text){0};
    notes->n_records = 0;
    notes->begins = false;
    return true;
}

static void note_object(
    struct pin_keeper *keeper, uint16_t cluster_id, const struct pin_object *object)
{
    struct notes *notes = &keeper->notes;
    pin_text_cut(&notes->packed, 0);
    if (pin_object_pack(object, &notes->packed) != PIN_OK) {
        lose(notes);
        pin_text_done(&notes->packed);
        return;
    }
    pin_state_put_object(&notes->pending, cluster_id, &notes->packed);
    notes->n_records++;
    if (notes->pending.len >= PAYLOAD_BYTES) {
        (void)flush(keeper, false);
    }
}

/* Whether the objects pack to the same bytes, as they do when a list repeats what is known. */
static bool is_same(struct notes *notes, const struct pin_object *a, const struct pin_object *b)
{
    pin_text_cut(&notes->packed, 0);
    pin_text_cut(&notes->packed_old, 0);
    return pin_object_pack(a, &notes->packed) == PIN_OK
           && pin_object_pack(b, &notes->packed_old) == PIN_OK
           && notes->packed.len == notes->packed_old.len
           && memcmp(notes->packed.ptr, notes->packed_old.ptr, notes->packed.len) == 0;
}

static void on_put(
    void *arg, uint16_t cluster_id, const struct pin_object *object, const struct pin_object *old)
{
    struct pin_keeper *keeper = arg;
    if (object->kind == PIN_KIND_POD) {
        return;
    }
    keeper->notes.n_live += old == NULL;
    if (old == NULL || !is_same(&keeper->notes, object, old)) {
        note_object(keeper, cluster_id, object);
    }
}

static void on_gone(void *arg, uint16_t cluster_id, enum pin_kind kind, const char *namespace_name,
    const char *name)
{
    struct pin_keeper *keeper = arg;
    struct notes *notes = &keeper->notes;
    if (kind != PIN_KIND_POD) {
        notes->n_live -= notes->n_live > 0;
        pin_state_put_gone(&notes->pending, cluster_id, kind, namespace_name, name);
        notes->n_records++;
    }
}

static void note_synced(struct pin_keeper *keeper, uint16_t cluster_id)
{
    pin_state_put_synced(&keeper->notes.pending, cluster_id);
    keeper->notes.n_records++;
    keeper->was_synced[cluster_id] = true;
}

static void on_mark(void *arg, uint16_t cluster_id, enum pin_delta_op op, enum pin_kind kind)
{
    struct pin_keeper *keeper = arg;
    (void)kind;
    if (op == PIN_DELTA_SYNCED && !keeper->was_synced[cluster_id]) {
        note_synced(keeper, cluster_id);
    }
}

static void note_clusters(struct pin_keeper *keeper)
{
    const struct pin_settings *settings = keeper->config.settings;
    for (size_t i = 0; i < settings->n_clusters; i++) {
        pin_state_put_cluster(&keeper->notes.pending, (uint16_t)i, settings->clusters[i].name,
            keeper->config.sources[i]);
        keeper->notes.n_records++;
    }
}

/* From now on all that the catalog has goes into a new file. */
static void begin_walk(struct pin_keeper *keeper)
{
    struct notes *notes = &keeper->notes;
    pin_text_done(&notes->pending);
    notes->n_records = 0;
    notes->n_live = 0;
    notes->is_lost = false;
    notes->is_walking = true;
    notes->begins = true;
    notes->walk_cluster = 0;
    notes->walk_kind = 0;
    note_clusters(keeper);
}

static void walk_object(void *arg, uint16_t cluster_id, const struct pin_object *object)
{
    struct pin_keeper *keeper = arg;
    keeper->notes.n_live++;
    note_object(keeper, cluster_id, object);
}

static void end_walk(struct pin_keeper *keeper)
{
    for (size_t i = 0; i < keeper->config.settings->n_clusters; i++) {
        if (keeper->was_synced[i]) {
            note_synced(keeper, (uint16_t)i);
        }
    }
    keeper->notes.is_walking = !flush(keeper, true);
}

/* Notes the next kind of which there is something. */
static void walk(struct pin_keeper *keeper, const struct pin_catalog *catalog)
{
    struct notes *notes = &keeper->notes;
    size_t n_before = notes->n_live;
    while (notes->is_walking && notes->n_live == n_before
           && notes->walk_cluster < keeper->config.settings->n_clusters) {
        pin_catalog_walk(
            catalog, notes->walk_cluster, (enum pin_kind)notes->walk_kind, walk_object, keeper);
        notes->walk_kind++;
        if (notes->walk_kind == PIN_KIND_MAX) {
            notes->walk_kind = 0;
            notes->walk_cluster++;
        }
    }
    if (notes->is_walking && notes->walk_cluster >= keeper->config.settings->n_clusters) {
        end_walk(keeper);
    }
}

/* Builder's thread, at the end of each round. True: there is more to be done at once. */
static bool on_round(struct pin_catalog *catalog, void *arg)
{
    struct pin_keeper *keeper = arg;
    struct notes *notes = &keeper->notes;
    bool is_full = pin_queue_count(keeper->queue) > QUEUE_BATCHES / 2;
    if (!notes->is_attached || (notes->is_lost && is_full)) {
        return false; /* the queue calls when there is room */
    }
    if (!notes->is_walking && (atomic_exchange(&keeper->wants_all, false) || notes->is_lost)) {
        begin_walk(keeper);
    } else if (notes->pending.len > 0 && !flush(keeper, false)) {
        return false;
    }
    if (notes->is_walking) {
        walk(keeper, catalog);
    }
    return notes->is_walking || notes->is_lost;
}

/* The keeper's thread; a builder that is about to go needs no waking. */
static void wake_builder(struct pin_keeper *keeper)
{
    (void)pthread_mutex_lock(&keeper->builder_lock);
    if (keeper->builder != NULL) {
        pin_builder_wake(keeper->builder);
    }
    (void)pthread_mutex_unlock(&keeper->builder_lock);
}

/* Queue's consumer: there is room again. */
static void on_room(void *arg)
{
    wake_builder(arg);
}

/* --- restoring ------------------------------------------------------------------------------ */

/* What is in the file and in the catalog now. */
static void note_restored(struct pin_keeper *keeper, const struct pin_catalog *catalog)
{
    for (size_t i = 0; i < keeper->config.settings->n_clusters; i++) {
        struct pin_cluster_status status = pin_catalog_cluster(catalog, (uint16_t)i);
        keeper->was_synced[i] = keeper->restore.is_whole[i];
        for (size_t kind = 0; kind < PIN_KIND_MAX; kind++) {
            keeper->notes.n_live += status.n_objects[kind];
        }
    }
    note_clusters(keeper);
}

static void restore_file(struct pin_keeper *keeper, struct pin_catalog *catalog)
{
    int64_t begin_ns = pin_clock_mono_ns();
    pin_keeper_restore_apply(&keeper->restore, catalog);
    atomic_store(&keeper->n_restored, keeper->restore.n_objects);
    pin_log_info("keeper: %zu records from before the restart, %lld ms old, taken in %lld ms",
        keeper->restore.n_objects, (long long)keeper->age_ms,
        (long long)((pin_clock_mono_ns() - begin_ns) / 1000000));
    if (keeper->restore.n_bad > 0) {
        pin_log_error("keeper: %zu objects could not be read", keeper->restore.n_bad);
    }
    note_restored(keeper, catalog);
}

/* Builder's thread, before any delta. */
static void restore(struct pin_catalog *catalog, void *arg)
{
    struct pin_keeper *keeper = arg;
    struct pin_catalog_watcher watcher = {
        .on_put = on_put, .on_gone = on_gone, .on_mark = on_mark, .arg = keeper};
    if (keeper->restore.data != NULL) {
        restore_file(keeper, catalog);
    }
    pin_keeper_restore_done(&keeper->restore);
    keeper->notes.is_attached = pin_catalog_watch(catalog, &watcher);
    if (!keeper->notes.is_attached) {
        pin_log_error("keeper: too many watchers, nothing is kept");
    }
}

void pin_keeper_follow(struct pin_keeper *keeper, struct pin_catalog *catalog,
    const struct pin_settings *settings, const char *const *sources)
{
    if (keeper->config.dir == NULL) {
        return;
    }
    const struct pin_catalog_watcher watcher = {
        .on_put = on_put, .on_gone = on_gone, .on_mark = on_mark, .arg = keeper};
    keeper->config.settings = settings;
    keeper->config.sources = sources;
    for (size_t i = 0; i < settings->n_clusters; i++) {
        struct pin_cluster_status status = pin_catalog_cluster(catalog, (uint16_t)i);
        keeper->was_synced[i] = status.is_synced || status.is_restored;
    }
    lose(&keeper->notes);
    keeper->notes.is_attached = pin_catalog_watch(catalog, &watcher);
}

static void on_restored(void *arg)
{
    (void)arg;
}

/* --- the keeper's thread -------------------------------------------------------------------- */

/* Loud: nothing can be written for now; all is written anew later. */
static void fail(struct pin_keeper *keeper, const struct pin_why *why)
{
    atomic_fetch_add(&keeper->n_failures, 1);
    if (!atomic_exchange(&keeper->is_failing, true)) {
        pin_log_error("keeper: %s; answers are not touched, and it is tried again", why->text);
        keeper->pause_ms = RETRY_MS / 2;
        keeper->was_lost = false;
    }
    if (keeper->disk.is_lost && !keeper->was_lost) { /* what to do is another thing than before */
        pin_log_error("keeper: %s", why->text);
        keeper->was_lost = true;
    }
    keeper->pause_ms = PIN_MIN(2 * keeper->pause_ms, RETRY_MAX_MS);
    pin_keeper_disk_drop(&keeper->disk);
    keeper->has_all = false;
    keeper->sync_ms = 0;
    keeper->retry_ms = pin_clock_mono_ms() + keeper->pause_ms;
}

/* Asks for all that there is, to be written into a new file. */
static void ask_for_all(struct pin_keeper *keeper)
{
    keeper->retry_ms = 0;
    keeper->has_all = true;
    atomic_store(&keeper->wants_all, true);
    wake_builder(keeper);
}

/* The next file is whole and takes the place of the one before. */
static enum pin_err complete(struct pin_keeper *keeper, struct pin_why *why)
{
    enum pin_err err = pin_keeper_disk_replace(&keeper->disk, why);
    if (err != PIN_OK) {
        return err;
    }
    atomic_fetch_add(&keeper->n_rewrites, 1);
    keeper->n_records = keeper->n_next_records;
    keeper->has_all = false;
    keeper->sync_ms = 0;
    if (atomic_exchange(&keeper->is_failing, false)) {
        pin_log_info("keeper: the state is written again");
    }
    return PIN_OK;
}

static enum pin_err write_batch(
    struct pin_keeper *keeper, const struct batch *batch, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    if (batch->begins) {
        err = pin_keeper_disk_begin(&keeper->disk, why);
        keeper->n_next_records = 0;
    }
    if (err == PIN_OK) {
        err = pin_keeper_disk_write(&keeper->disk, &batch->payload, why);
    }
    if (err != PIN_OK) {
        return err;
    }
    atomic_fetch_add(&keeper->n_frames, 1);
    atomic_store(&keeper->last_wall_ms, pin_clock_wall_ms());
    keeper->n_records += batch->n_records;
    keeper->n_next_records += batch->n_records;
    keeper->sync_ms = keeper->sync_ms != 0 ? keeper->sync_ms : pin_clock_mono_ms() + SYNC_MS;
    return batch->completes ? complete(keeper, why) : PIN_OK;
}

static void take_batch(struct pin_keeper *keeper, const struct batch *batch)
{
    struct pin_why why = {0};
    if (!keeper->disk.is_locked) {
        return; /* the file is another's still */
    }
    bool is_useless = !batch->begins && keeper->disk.next_fd < 0
                      && (atomic_load(&keeper->is_failing) || keeper->disk.fd < 0);
    if (is_useless) {
        return; /* all will be written anew */
    }
    if (write_batch(keeper, batch, &why) != PIN_OK) {
        fail(keeper, &why);
    }
    atomic_store(&keeper->file_bytes, keeper->disk.bytes);
    if (!keeper->has_all && keeper->retry_ms == 0
        && keeper->n_records > 2 * batch->n_live + SPARE_RECORDS) {
        ask_for_all(keeper);
    }
}

static void do_due(struct pin_keeper *keeper)
{
    struct pin_why why = {0};
    int64_t now_ms = pin_clock_mono_ms();
    if (!keeper->disk.is_locked && pin_keeper_disk_lock(&keeper->disk)) {
        pin_log_info("keeper: the state is ours now");
        ask_for_all(keeper);
    }
    if (keeper->sync_ms != 0 && now_ms >= keeper->sync_ms) {
        keeper->sync_ms = 0;
        if (pin_keeper_disk_sync(&keeper->disk, &why) != PIN_OK) {
            fail(keeper, &why);
        }
    }
    if (keeper->retry_ms != 0 && now_ms >= keeper->retry_ms) {
        ask_for_all(keeper);
    }
}

static int64_t wait_ms(const struct pin_keeper *keeper)
{
    int64_t due_ms = keeper->sync_ms;
    if (!keeper->disk.is_locked) {
        return LOCK_MS;
    }
    if (due_ms == 0 || (keeper->retry_ms != 0 && keeper->retry_ms < due_ms)) {
        due_ms = keeper->retry_ms;
    }
    int64_t now_ms = pin_clock_mono_ms();
    return due_ms == 0 ? -1 : due_ms > now_ms ? due_ms - now_ms : 0;
}

static void *keeper_main(void *arg)
{
    struct pin_keeper *keeper = arg;
    while (!pin_queue_is_closed(keeper->queue) || pin_queue_count(keeper->queue) > 0) {
        struct batch *batch = pin_queue_pop(keeper->queue, wait_ms(keeper));
        if (batch != NULL) {
            take_batch(keeper, batch);
            free_batch(batch);
        }
        do_due(keeper);
    }
    return NULL;
}

/* --- life ----------------------------------------------------------------------------------- */

/* Tells why the file is not used, and has another one written in its place. */
static void set_aside(struct pin_keeper *keeper, const struct pin_why *why)
{
    struct pin_why where = {0};
    bool is_moved = pin_keeper_disk_set_aside(&keeper->disk, &where) == PIN_OK;
    pin_log_error("keeper: '%s/catalog.pintle' is not used: %s; %s%s%s; what it says is asked of "
                  "the clusters",
        keeper->config.dir, why->text, is_moved ? "it is called " : "", where.text,
        is_moved ? " now" : "");
}

/* Reads the file, and opens it to go on with. */
static void read_file(struct pin_keeper *keeper)
{
    struct pin_why why = {0};
    uint8_t *data = NULL;
    size_t bytes = 0;
    struct pin_state_scan scan = {0};
    keeper->has_all = true;
    atomic_store(&keeper->wants_all, true); /* unless there is one to go on with */
    enum pin_err err = pin_keeper_disk_read(&keeper->disk, &data, &bytes, &why);
    if (err == PIN_ENOTFOUND) {
        return;
    }
    if (err == PIN_OK) {
        err = pin_state_look(data, bytes, &scan, &why);
    }
    if (err == PIN_OK) {
        err = pin_keeper_restore_begin(&keeper->restore, data, &scan, &why);
    }
    if (err != PIN_OK) {
        free(data);
        if (keeper->disk.is_locked) { /* else it may be half of a change */
            set_aside(keeper, &why);
        }
        return;
    }
    if (scan.n_torn > 0) {
        pin_log_warn(
            "keeper: the last %zu bytes of '%s/catalog.pintle' were cut off by a crash and "
            "do not count",
            scan.n_torn, keeper->config.dir);
    }
    int64_t age_ms = pin_clock_wall_ms() - scan.wall_ms;
    keeper->age_ms = age_ms > 0 ? age_ms : 1;
    keeper->n_records = scan.n_records;
    if (!keeper->disk.is_locked) {
        return; /* all is written anew when it is */
    }
    if (pin_keeper_disk_append(&keeper->disk, &scan, &why) != PIN_OK) {
        pin_log_error(
            "keeper: '%s/catalog.pintle' cannot be written: %s", keeper->config.dir, why.text);
    } else if (!keeper->restore.is_outdated) {
        keeper->has_all = false;
        atomic_store(&keeper->wants_all, false);
    }
    atomic_store(&keeper->file_bytes, keeper->disk.bytes);
}

enum pin_err pin_keeper_open(
    const struct pin_keeper_config *config, struct pin_keeper **ret_keeper, struct pin_why *why)
{
    struct pin_keeper *keeper = calloc(1, sizeof(*keeper));
    if (keeper == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the keeper");
    }
    (void)pthread_mutex_init(&keeper->builder_lock, NULL);
    keeper->config = *config;
    keeper->restore.settings = config->settings;
    keeper->restore.sources = config->sources;
    *ret_keeper = keeper;
    if (config->dir == NULL) {
        return PIN_OK;
    }
    enum pin_err err = pin_keeper_disk_open(&keeper->disk, config->dir, config->may_wait, why);
    if (err != PIN_OK) {
        keeper->config.dir = NULL;
        return err;
    }
    keeper->queue = pin_queue_new(QUEUE_BATCHES, free_batch);
    keeper->was_synced = calloc(PIN_CLUSTERS_MAX, sizeof(*keeper->was_synced));
    if (keeper->queue == NULL || keeper->was_synced == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the keeper");
    }
    pin_queue_on_room(keeper->queue, QUEUE_BATCHES / 2, on_room, keeper);
    read_file(keeper);
    return PIN_OK;
}

void pin_keeper_hook(struct pin_keeper *keeper, struct pin_builder_config *config)
{
    if (keeper->config.dir != NULL) {
        config->on_round = on_round;
        config->on_round_arg = keeper;
    }
}

enum pin_err pin_keeper_start(
    struct pin_keeper *keeper, struct pin_builder *builder, struct pin_why *why)
{
    if (keeper->config.dir == NULL) {
        return PIN_OK;
    }
    (void)pthread_mutex_lock(&keeper->builder_lock);
    keeper->builder = builder;
    (void)pthread_mutex_unlock(&keeper->builder_lock);
    if (!pin_builder_call(builder, restore, on_restored, keeper)) {
        return pin_why_set(why, PIN_EBUSY, "the builder has no room for what is restored");
    }
    int failed = pthread_create(&keeper->thread, NULL, keeper_main, keeper);
    keeper->has_thread = failed == 0;
    return failed == 0 ? PIN_OK : pin_why_errno(why, failed, "start the keeper's thread");
}

void pin_keeper_leave(struct pin_keeper *keeper)
{
    if (keeper != NULL) {
        (void)pthread_mutex_lock(&keeper->builder_lock);
        keeper->builder = NULL;
        (void)pthread_mutex_unlock(&keeper->builder_lock);
    }
}

void pin_keeper_stop(struct pin_keeper *keeper)
{
    if (keeper == NULL) {
        return;
    }
    if (keeper->has_thread) {
        if (keeper->notes.pending.len > 0) {
            (void)flush(keeper, false);
        }
        pin_queue_close(keeper->queue);
        (void)pthread_join(keeper->thread, NULL);
        (void)pin_keeper_disk_sync(&keeper->disk, NULL); /* a process that ends loses nothing */
    }
    if (keeper->config.dir != NULL) {
        pin_keeper_disk_close(&keeper->disk);
    }
    pin_keeper_restore_done(&keeper->restore);
    pin_queue_free(keeper->queue);
    pin_text_done(&keeper->notes.pending);
    pin_text_done(&keeper->notes.packed);
    pin_text_done(&keeper->notes.packed_old);
    (void)pthread_mutex_destroy(&keeper->builder_lock);
    free(keeper->was_synced);
    free(keeper);
}

struct pin_keeper_stats pin_keeper_stats(const struct pin_keeper *keeper)
{
    return (struct pin_keeper_stats){.is_on = keeper->config.dir != NULL,
        .is_failing = atomic_load(&keeper->is_failing),
        .n_failures = atomic_load(&keeper->n_failures),
        .n_frames = atomic_load(&keeper->n_frames),
        .n_rewrites = atomic_load(&keeper->n_rewrites),
        .file_bytes = atomic_load(&keeper->file_bytes),
        .n_restored = atomic_load(&keeper->n_restored),
        .age_ms = keeper->age_ms,
        .last_wall_ms = atomic_load(&keeper->last_wall_ms)};
}
