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
    int code;              /**< 0: none. The same code is logged once. */
    int64_t since_wall_ms; /**< Since when the code is this one. */
    char text[320];
    char hint[240];
    bool is_told;    /**< What is or was wrong last was logged. */
    uint32_t n_told; /**< Log lines in the window, and those left out. */
    uint32_t n_untold;
    int64_t window_ms; /**< When the window began. */
};

/** Lines about one thing that comes and goes, in a window of that length; the rest is counted. */
#define PIN_TROUBLE_LINES     5u
#define PIN_TROUBLE_WINDOW_MS ((int64_t)600000)

/** Deltas the sink had no room for, oldest first. */
struct pin_outbox {
    const struct pin_sync_sink *sink;
    struct pin_delta **kept;
    size_t first; /**< Oldest. */
    size_t n;     /**< Kept now. */
    size_t cap;
    bool has_lost; /**< Memory was out for one; whoever looks clears it. */
};

/** Takes a delta (NULL: nothing) and passes it on or keeps it. False: stop reading. */
bool pin_outbox_push(struct pin_outbox *outbox, struct pin_delta *delta);

/** Passes on what is kept. True when nothing is left: reading may go on. */
bool pin_outbox_drain(struct pin_outbox *outbox);

/** Gives what is kept another cluster's id. */
void pin_outbox_rename(struct pin_outbox *outbox, uint16_t cluster_id);

/** True while something is kept. */
bool pin_outbox_is_full(const struct pin_outbox *outbox);

/** Drops what is kept and frees the memory. */
void pin_outbox_done(struct pin_outbox *outbox);

struct pin_survey;
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
    struct pin_trouble access;           /**< Credentials and where the server is. */
    struct pin_trouble trouble;
    struct pin_trouble kinds[PIN_KIND_MAX];
    struct pin_trouble doubt;  /**< Lists that are held. */
    struct pin_survey *survey; /**< NULL until somebody asks for one. */
    int64_t started_ms;        /**< Monotonic; 0: not started. */
    uint32_t max_objects;      /**< Of one kind; 0: no limit. */
    uint32_t lost_kinds;       /**< Kinds of which memory was out for something. */
    bool is_told;              /**< UP or DOWN was sent once. */
    bool tells_each;           /**< Nothing may follow what comes now: it is told at once. */
    bool wants_pods;           /**< Pods are to be reported. */
    bool wants_classes;        /**< So are GatewayClasses. */
    bool wants_ingresses;      /**< So are Ingresses. */
};

/** Whether so many objects of one kind are more than are taken. */
bool pin_source_is_over(const struct pin_source *self, uint64_t n_objects);

/** Whether the kind is to be reported. */
bool pin_source_wants(const struct pin_source *self, enum pin_kind kind);

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

/** Sends LIST_END of a list with objects whose keys cannot be read: it removes nothing. */
void pin_source_end_partial_list(struct pin_source *self, enum pin_kind kind);

/** Sends LIST_END. `is_unproven`: what the list lacks may have to be confirmed by a second one. */
void pin_source_end_list(struct pin_source *self, enum pin_kind kind, bool is_unproven);

/** Sends KEEP: a list names an object that cannot be read. */
void pin_source_keep(
    struct pin_source *self, enum pin_kind kind, const char *namespace_name, const char *name);

/** Says that the cluster has no object of that kind: an empty list. */
void pin_source_set_empty(struct pin_source *self, enum pin_kind kind, bool is_unproven);

/** Whether something of the kind was lost for want of memory since this was asked last: only a list
 * can tell what. */
bool pin_source_take_lost(struct pin_source *self, enum pin_kind kind);

/** Notes which kinds' last lists are held, one bit each, for the status and the source itself. */
void pin_source_set_held(struct pin_source *self, uint32_t kinds);

/** How messages about trouble end: what holds of the cluster meanwhile. Static. */
const char *pin_source_kept(const struct pin_source *self);

/** Sends UP or DOWN when that is news. */
void pin_source_set_up(struct pin_source *self, bool is_up);

/** Sends SYNCED once. */
void pin_source_set_synced(struct pin_source *self);

/**
 * Sets the trouble of the cluster (`slot` is &self->trouble) or of a kind, and logs it when its
 * code is new, unless it came too often of late. Code 0 clears it, without a log line.
 */
void pin_source_set_trouble(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, ...) PIN_PRINTF(5, 6);

/** The same with a list of arguments. */
void pin_source_set_trouble_v(struct pin_source *self, struct pin_trouble *slot, int code,
    const char *hint, const char *fmt, va_list args) PIN_PRINTF(5, 0);

/** The i-th source of a sync. Borrowed. */
struct pin_source *pin_sync_source(const struct pin_sync *sync, size_t i);

struct pin_http;
struct pin_arena;
struct pin_commands;
struct pin_dirwatch;

/** What all clusters with an API server share. */
struct pin_cluster_tools {
    struct pin_loop *loop;
    struct pin_http *http;
    struct pin_commands *commands;
    struct pin_arena *arena; /**< For one object at a time. */
};

/** The kinds of sources. NULL with a reason in `why`. */
struct pin_source *pin_source_dir_new(struct pin_loop *loop, struct pin_dirwatch *dirwatch,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why);
struct pin_source *pin_source_embedded_new(struct pin_loop *loop,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why);
struct pin_source *pin_cluster_new(const struct pin_cluster_tools *tools,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why);
struct pin_source *pin_source_etcd_new(struct pin_loop *loop, struct pin_http *http,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why);
