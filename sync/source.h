/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Source: what all kinds of sources share: the interface, the outbox and the trouble they report.
 *
 *     decode -> outbox -> sink       as long as the sink takes them
 *     decode -> outbox [d d d]       once it refused: the source stops reading until resume
 *
 * The outbox holds at most what one portion of input gave (16 KiB of a stream, one file).
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/sync/sync.h"

/** What is wrong with a cluster or a kind, for people. */
struct pin_trouble {
    int code; /**< 0: none. The same code is logged once. */
    char text[320];
    char hint[240];
};

/** Deltas the sink had no room for, oldest first. */
struct pin_outbox {
    const struct pin_sync_sink *sink;
    struct pin_delta **kept;
    size_t first; /**< Oldest. */
    size_t n;     /**< Kept now. */
    size_t cap;
};

/** Takes a delta (NULL: nothing) and passes it on or keeps it. False: stop reading. */
bool pin_outbox_push(struct pin_outbox *outbox, struct pin_delta *delta);

/** Passes on what is kept. True when nothing is left: reading may go on. */
bool pin_outbox_drain(struct pin_outbox *outbox);

/** True while something is kept. */
bool pin_outbox_is_full(const struct pin_outbox *outbox);

/** Drops what is kept and frees the memory. */
void pin_outbox_done(struct pin_outbox *outbox);

struct pin_source;
struct pin_target;

/** What a kind of source can do. */
struct pin_source_ops {
    void (*start)(struct pin_source *source);
    void (*stop)(struct pin_source *source);       /**< Also when never started. */
    void (*resume)(struct pin_source *source);     /**< The outbox is empty again. */
    void (*want_pods)(struct pin_source *source);  /**< `wants_pods` has changed. */
    void (*set_held)(struct pin_source *source);   /**< stats.kinds[].is_held changed; or NULL. */
    void (*list_again)(struct pin_source *source); /**< All kinds, 30 s from now; or NULL. */
    void (*free)(struct pin_source *source);
    /** Where its API server is; NULL while it is out of reach. The operation itself may be NULL. */
    const struct pin_target *(*target)(struct pin_source *source);
    /** The version of a kind that it serves; NULL: none. Likewise. */
    const char *(*version)(struct pin_source *source, enum pin_kind kind);
    /** Whom a check asks, within reach or not; NULL: nobody can be. The operation may be NULL. */
    const struct pin_target *(*survey_target)(struct pin_source *source);
};

/** One cluster's source; first member of each kind's own struct. */
struct pin_source {
    const struct pin_source_ops *ops;
    struct pin_loop *loop;
    uint16_t cluster_id;
    char *cluster; /**< The cluster's name; owned. */
    char *origin;  /**< "context c1"; owned. */
    char *where;   /**< "cluster c1", for messages; owned. */
    struct pin_outbox outbox;
    struct pin_sync_cluster_stats stats; /**< Its texts are filled in when it is asked for. */
    struct pin_trouble trouble;
    struct pin_trouble kinds[PIN_KIND_MAX];
    bool is_told;    /**< UP or DOWN was sent once. */
    bool wants_pods; /**< Pods are to be reported. */
};

/** Fills in the common part; `origin` is taken. False when out of memory. */
bool pin_source_init(struct pin_source *self, const struct pin_source_ops *ops,
    struct pin_loop *loop, const struct pin_source_spec *spec, const struct pin_sync_sink *sink,
    char *origin);

/** Frees the common part. */
void pin_source_done(struct pin_source *self);

/** Sends a mark. */
void pin_source_mark(struct pin_source *self, enum pin_delta_op op, enum pin_kind kind);

/** Sends an upsert and counts the event; takes the object. */
void pin_source_upsert(struct pin_source *self, struct pin_object *object, uint64_t received_ns);

/** Sends a delete and counts the event. */
void pin_source_delete(struct pin_source *self, enum pin_kind kind, const char *namespace_name,
    const char *name, uint64_t received_ns);

/** Says that the cluster has no object of that kind. */
void pin_source_set_empty(struct pin_source *self, enum pin_kind kind);

/** Sends UP or DOWN when that is news. */
void pin_source_set_up(struct pin_source *self, bool is_up);

/** Sends SYNCED once. */
void pin_source_set_synced(struct pin_source *self);

/**
 * Sets the trouble of the cluster (`slot` is &self->trouble) or of a kind, and logs it when its
 * code is new. Code 0 clears it, without a log line.
 */
void pin_source_set_trouble(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, ...) PIN_PRINTF(5, 6);

/** The same with a list of arguments. */
void pin_source_set_trouble_v(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, va_list args) PIN_PRINTF(5, 0);

struct pin_http;
struct pin_arena;
struct pin_dirwatch;

/** The kinds of sources. NULL with a reason in `why`. `arena` is for one object at a time. */
struct pin_source *pin_source_dir_new(struct pin_loop *loop, struct pin_dirwatch *dirwatch,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why);
struct pin_source *pin_source_embedded_new(struct pin_loop *loop,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why);
struct pin_source *pin_cluster_new(struct pin_loop *loop, struct pin_http *http,
    struct pin_arena *arena, const struct pin_source_spec *spec, const struct pin_sync_sink *sink,
    struct pin_why *why);
