/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The inside of the builder, for the files that make it up:
 *
 *     builder.c           its rounds, calls between them, life
 *     builder_change.c    other settings: a catalog takes another one's place
 */

#include <pthread.h>
#include <stdatomic.h>

#include "pintle/base/queue.h"

#include "resolver/builder.h"

/** Deltas of one round: bounds what a round holds back, not what it costs to publish. */
#define PIN_ROUND_DELTAS 4096
/** Calls that may wait for the end of a round. */
#define PIN_CALLS_MAX 256
/** How long after the last cluster's lists what they took is given back. */
#define PIN_TRIM_MS 1000

/** A function that waits for the end of a round. */
struct pin_builder_call {
    pin_builder_fn *fn;
    pin_loop_fn *done;
    void *arg;
};

/** What pin_catalog_held() says of a cluster. */
struct pin_builder_held {
    atomic_uint kinds;
};

/** A change of endpoints, as its slice tells. */
struct pin_builder_trigger {
    int64_t wall_ms;
    enum pin_programmed kind;
};

struct pin_builder {
    struct pin_builder_stats stats; /* first: it is aligned */
    struct pin_builder_config config;
    struct pin_queue *queue;
    struct pin_catalog *catalog; /* the builder thread's alone, between start and stop */
    const struct pin_live *live; /* control's: of the settings that it follows */
    uint64_t grace_ends_ms; /* Monotonic; 0 before the first publication and after the grace. */
    uint64_t trim_ms;       /* When memory is to be given back; 0: not now. */
    struct pin_delta *round[PIN_ROUND_DELTAS];
    uint64_t received_ns[PIN_ROUND_DELTAS];
    struct pin_builder_trigger triggers[PIN_ROUND_DELTAS];
    int64_t started_wall_ms;
    struct pin_builder_held *held; /* By cluster id; written by the builder's thread. */
    bool has_untold;  /* Deltas were handed over in this turn of the loop; control's alone. */
    uint16_t follows; /* The epoch whose ids control uses; control's alone. */
    uint16_t epoch;   /* Of the settings: moves with each change; the builder's, under the lock. */
    struct pin_catalog *old;        /* whose place the catalog took; the builder thread's */
    uint16_t ids[PIN_CLUSTERS_MAX]; /* What clusters of the epoch before are called now. */

    pthread_t thread;
    pthread_mutex_t lock; /* guards all below but the last two */
    pthread_cond_t started;
    struct pin_builder_call calls[PIN_CALLS_MAX];
    size_t n_calls;
    struct pin_wanted *wanted;         /* not taken by control yet */
    struct pin_write_set *writes;      /* likewise */
    struct pin_claimed *claimed;       /* likewise */
    struct pin_builder_change *change; /* not begun yet */
    const struct pin_live *next_live;  /* of the catalog, until control follows */
    struct pin_builder_change *ending; /* whose `ended` is to be called */
    bool is_changing;                  /* `started` tells of its end */
    bool has_followed;                 /* control reads `old` no more */
    struct pin_why why;
    enum pin_err err;
    uint32_t held_stamp; /* Of the catalog, when `held` was copied; the builder's alone. */
    bool is_whole;       /* All clusters were listed once, and memory was or will be given back;
                            likewise. */
    bool is_started;
    bool is_stopping;
    bool is_short; /* The latest publication found no memory for something. */
    bool is_short_of_writes;
    bool has_more; /* on_round() wants another round. */
    atomic_bool wants_pods;
    atomic_bool has_told_serials;
};

/** Applies what the round holds, publishes, and measures how long each change took to show. */
void pin__builder_round(struct pin_builder *builder, size_t n_deltas);

/** What a cluster is called now, by its id of then; PIN_CLUSTER_NONE: it is gone. */
uint16_t pin__builder_id(const struct pin_builder *builder, uint16_t epoch, uint16_t cluster_id);

/** Between two rounds: changes settings when that is asked for, and ends what was before. */
void pin__builder_change(struct pin_builder *builder);

/** Frees what a change has left. No worker is left, and no other thread. */
void pin__builder_change_done(struct pin_builder *builder);
