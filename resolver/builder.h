/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Builder: the thread that owns the catalog.
 *
 *     control: pin_builder_push -> [queue] -> builder: apply ..., publish -> index, scene ->
 * workers control: pin_builder_call ------------> builder: fn(catalog) -> control: done()
 *
 * It works in rounds: what is in the queue is applied, then what became dirty is published. A
 * single change is a round of its own and shows at once; what arrives while a round compiles is the
 * next one. There is no fixed delay.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/loop.h"
#include "pintle/base/stat.h"
#include "pintle/zones/catalog.h"
#include "pintle/zones/changes.h"
#include "pintle/zones/claims_catalog.h"

struct pin_builder;

/** A serial of a static zone that was served before the restart. */
struct pin_serial_floor {
    struct pin_name zone;
    uint32_t serial;
};

/** What a builder needs. */
struct pin_builder_config {
    const struct pin_settings *settings; /**< Outlives the builder. */
    struct pin_loop *loop;               /**< Control's; replies and `on_room` run there. */
    pin_loop_fn *on_room;                /**< The queue refused a delta and has room again. */
    void *on_room_arg;
    struct pin_zonefile *const *zonefiles; /**< Of static zones; taken, read by start only. */
    size_t n_zonefiles;
    pin_loop_fn *on_probes; /**< The health table has orders; runs on the loop. */
    void *on_probes_arg;
    pin_loop_fn
        *on_wishes; /**< pin_builder_wants_pods() or pin_builder_held() has changed; or NULL. */
    void *on_wishes_arg;
    pin_loop_fn *on_wanted; /**< Other host names are wanted: pin_builder_take_wanted(). */
    void *on_wanted_arg;
    pin_loop_fn *on_writes; /**< Something is to be written: pin_builder_take_writes(). */
    void *on_writes_arg;
    pin_loop_fn *on_claims; /**< Other records are wanted outside: pin_builder_take_claims(). */
    void *on_claims_arg;
    /** Some zone's serial has moved; called again only after pin_builder_take_serials(). */
    pin_loop_fn *on_serials;
    void *on_serials_arg;
    /** Something waits for pin_builder_pull(); called again only after it. NULL: nobody pulls. */
    pin_loop_fn *on_changes;
    void *on_changes_arg;
    /** Called on the builder's thread at the end of each round; true: there is more to be done, and
     * the next round comes at once. NULL: nobody cares. Must not block. */
    bool (*on_round)(struct pin_catalog *catalog, void *arg);
    void *on_round_arg;
    uint32_t first_serial;                 /**< Of zones without a file; 0: the wall clock. */
    const struct pin_serial_floor *floors; /**< Read by start only. */
    size_t n_floors;
    size_t queue_deltas; /**< Deltas that may wait; 0 takes 8192. */
};

/** Buckets of a histogram of durations; the last bound is infinity. */
#define PIN_LAG_BUCKETS 16

/** Upper bounds in seconds of all buckets but the last. */
extern const double pin_lag_bounds_s[PIN_LAG_BUCKETS - 1];

/** A histogram of durations: the builder writes, anybody reads. */
struct pin_lag {
    struct pin_stat buckets[PIN_LAG_BUCKETS]; /**< Not cumulative. */
    struct pin_stat sum_ns;
};

/** Buckets of what follows: up to 1 ms, 2 ms, 4 ms, ... 524.288 s, and beyond. */
#define PIN_PROGRAMMING_BUCKETS 21

/** A histogram of the time from a change in a cluster to the answers that show it. */
struct pin_programming {
    struct pin_stat buckets[PIN_PROGRAMMING_BUCKETS]; /**< Not cumulative. */
    struct pin_stat sum_ms;
};

/** Services that are told apart there. */
enum pin_programmed {
    PIN_PROGRAMMED_CLUSTER_IP,
    PIN_PROGRAMMED_HEADLESS,
    PIN_PROGRAMMED_MAX,
};

/** What the builder counts. */
struct pin_builder_stats {
    PIN_STAT_ALIGNED struct pin_lag change; /**< Bytes received -> visible to workers. */
    struct pin_lag publish;                 /**< What one publication took. */
    /** By the slices' own word of when an endpoint changed, for changes since the start. */
    struct pin_programming programming[PIN_PROGRAMMED_MAX];
    struct pin_stat n_deltas;
    struct pin_stat n_units;
    struct pin_stat n_names;
};

/**
 * Starts the thread, makes the catalog on it and returns when workers may read it.
 * Call with all signals blocked: the thread inherits the mask.
 */
enum pin_err pin_builder_start(
    const struct pin_builder_config *config, struct pin_builder **ret_builder, struct pin_why *why);

/** Ends the thread, drops what still waits, frees the catalog. No worker may be left. NULL is fine.
 */
void pin_builder_stop(struct pin_builder *builder);

/** What workers read; until the next pin_builder_change(). Its tables of verdicts and of policies
 * stay.
 */
const struct pin_live *pin_builder_live(const struct pin_builder *builder);

/** Whether sources are to report Pods (pin_catalog_wants_pods()) since the latest round. Any
 * thread.
 */
bool pin_builder_wants_pods(const struct pin_builder *builder);
/** What pin_catalog_held() says of a cluster since the latest round. Any thread. */
uint32_t pin_builder_held(const struct pin_builder *builder, uint16_t cluster_id);

/** The host names of gateways that are to be looked up from now on; NULL: as before. The caller
 * frees them. Control's thread. */
struct pin_wanted *pin_builder_take_wanted(struct pin_builder *builder);

/** What is to be written to the clusters since the last call, oldest first; the caller frees it.
 * Control's thread. */
struct pin_write_set *pin_builder_take_writes(struct pin_builder *builder);

/** What is wanted outside, of each entry of `records` whose claims have changed since the last
 * call; the caller frees it. Control's thread. */
struct pin_claimed *pin_builder_take_claims(struct pin_builder *builder);

/** We are the one who writes to that cluster, or not any more (pin_catalog_set_writable()). Any
 * thread. */
void pin_builder_set_writable(struct pin_builder *builder, uint16_t cluster_id, bool is_writable);

/** Has everything looked at again for writing (pin_catalog_look_again()). Any thread. */
void pin_builder_look_again(struct pin_builder *builder);

/** Whoever was told by `on_serials` is about to look: later moves are told again. Control. */
void pin_builder_take_serials(struct pin_builder *builder);

/** Hands a delta over; false when there is no room, and the delta stays the caller's. Never blocks.
 * Within a turn of control's loop the builder is woken at its end, so that what came together is
 * one round. Control's thread, or before the loop runs. */
bool pin_builder_push(struct pin_builder *builder, struct pin_delta *delta);

/** Has the builder look whether something is due: verdicts changed. Any thread. */
void pin_builder_wake(struct pin_builder *builder);

/** Runs on the builder's thread between two rounds. Must not block. */
typedef void pin_builder_fn(struct pin_catalog *catalog, void *arg);

/**
 * Calls `fn` on the builder's thread, then `done` (same arg) on control's loop.
 * False when too many calls wait: neither is called then. After pin_builder_stop() a `done` may
 * never come. Any thread.
 */
bool pin_builder_call(
    struct pin_builder *builder, pin_builder_fn *fn, pin_loop_fn *done, void *arg);

/** Has the builder do the request between two rounds, then calls its `done` on control's loop. As
 * pin_builder_call(). */
bool pin_builder_pull(struct pin_builder *builder, struct pin_changes_pull *pull);

/** Other settings, and what becomes of them. The caller's until `done`, or `ended`. */
struct pin_builder_change {
    const struct pin_settings *settings; /**< Outlives the builder, or the next change. */
    /** By cluster id: what it is called from now on, or PIN_CLUSTER_NONE; by settings of now. */
    const uint16_t *ids;
    struct pin_zonefile *const *zonefiles; /**< Of static zones; taken. */
    size_t n_zonefiles;
    const struct pin_lpm_entry *places; /**< As of pin_catalog_set_places(); copied. */
    size_t n_places;
    /** Builder's thread: workers are to read `live` from now on. When it has returned, all have to
     * be quiescent once before what they read is freed; that is waited for. */
    void (*change_over)(void *arg, struct pin_catalog *catalog, const struct pin_live *live);
    pin_loop_fn *done;  /**< Control's loop: `err` says what came of it; `why` belongs to it. */
    pin_loop_fn *ended; /**< Likewise, when it was good: nobody reads the settings before. */
    void *arg;
    enum pin_err err;
    struct pin_why why;
};

/**
 * Has a catalog with other settings built beside the one that answers, has it know what that knows,
 * and then workers change over: nothing is asked twice. Meanwhile deltas wait in the queue. One at
 * a time. On an error everything is as it was.
 *
 * From `done` on, and not before, ids are the new ones: call pin_builder_follow() there. Control.
 */
void pin_builder_change(struct pin_builder *builder, struct pin_builder_change *change);

/** Takes back a change that has not begun, and waits for one that has: its change_over() is not
 * called from now on. Control, at the end. */
void pin_builder_drop_change(struct pin_builder *builder);

/** What control hands over from now on, and takes, speaks of the settings that the builder has. */
void pin_builder_follow(struct pin_builder *builder);

/** What it counted so far. Any thread. */
const struct pin_builder_stats *pin_builder_stats(const struct pin_builder *builder);

/** Deltas that wait now, and how many may. A hint. */
size_t pin_builder_queued(const struct pin_builder *builder, size_t *ret_capacity);
