/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Sync: the sources of all clusters, and the one door through which the process drives them.
 *
 *     directory, kubeconfig context, service account, embedded texts  ->  deltas  ->  sink
 *
 * Everything here belongs to the thread that runs the loop (control) and never blocks it on a peer.
 * What a source reports, and in which order, is the contract of pintle/zones/delta.h. Clusters do
 * not know of each other: trouble with one is reported for that one, and the others go on.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/ip.h"
#include "pintle/base/jsonout.h"
#include "pintle/zones/delta.h"

struct pin_arena;
struct pin_loop;
struct pin_sync;

/**
 * Where deltas go. push() takes the delta and returns true, or returns false when it has no room:
 * then the delta stays the source's, which stops reading until pin_sync_resume().
 */
struct pin_sync_sink {
    bool (*push)(void *arg, struct pin_delta *delta);
    void *arg;
};

/** Where a cluster's objects come from. */
enum pin_source_kind {
    PIN_SOURCE_DIRECTORY,  /**< Manifests in a directory, live through inotify. */
    PIN_SOURCE_CONTEXT,    /**< A kubeconfig context. */
    PIN_SOURCE_IN_CLUSTER, /**< The service account of the pod we run in. */
    PIN_SOURCE_EMBEDDED,   /**< Manifests held in memory, read once. */
};

/** One manifest in memory. Borrowed texts. */
struct pin_embedded_file {
    const char *name; /**< For messages, e.g. "c1/inventory.yaml". */
    const char *text;
    size_t text_bytes;
};

/** One cluster and its source. All texts are copied by pin_sync_new(), except embedded ones. */
struct pin_source_spec {
    uint16_t cluster_id; /**< Position in pin_settings.clusters; each one at most once. */
    const char *cluster; /**< Its name, for messages. */
    enum pin_source_kind kind;
    const char *directory;                 /**< DIRECTORY. */
    const char *kubeconfig;                /**< CONTEXT: one file, or NULL for the usual rules. */
    const char *context;                   /**< CONTEXT: NULL is the current context. */
    const struct pin_embedded_file *files; /**< EMBEDDED; must outlive the sync. */
    size_t n_files;
};

/** What to make sources of. */
struct pin_sync_config {
    struct pin_loop *loop;         /**< Must outlive the sync. */
    struct pin_dirwatch *dirwatch; /**< Of that loop; likewise. */
    const struct pin_source_spec *specs;
    size_t n_specs;
    struct pin_sync_sink sink;
};

/**
 * Makes the sources; nothing is opened yet but kubeconfig files are read.
 *
 * A context that cannot be used (absent, no credentials) is that cluster's trouble: it is logged,
 * shown in the status and looked up again every minute. Only a spec that makes no sense fails.
 *
 * @param ret_sync  The caller frees it.
 * @return PIN_OK, PIN_EINVAL, PIN_ENOMEM or PIN_EIO.
 */
enum pin_err pin_sync_new(
    const struct pin_sync_config *config, struct pin_sync **ret_sync, struct pin_why *why);

/** Starts all sources. Deltas may come during this call already (directories). */
void pin_sync_start(struct pin_sync *sync);

/** Ends all transfers and watches; no delta comes after it. Deltas not yet taken are dropped. */
void pin_sync_stop(struct pin_sync *sync);

/** Stops and frees. NULL is fine. */
void pin_sync_free(struct pin_sync *sync);

/** The sink has room again: what was kept is pushed first, then reading goes on. */
void pin_sync_resume(struct pin_sync *sync);

/** What is known about one kind of one cluster. Counters only grow. */
struct pin_sync_kind_stats {
    bool is_served;             /**< The cluster has this kind and lets us read it. */
    bool is_forbidden;          /**< The cluster refused to list it (403). */
    bool is_listed;             /**< Listed whole at least once. */
    uint64_t n_objects;         /**< Objects it has now, those not readable by us left out. */
    uint64_t n_lists;           /**< Lists begun. */
    uint64_t n_restarts;        /**< Watches that ended and were begun again. */
    uint64_t n_events;          /**< Objects received by list or watch. */
    uint64_t n_bad;             /**< Of these, objects that could not be read. */
    int64_t last_event_wall_ms; /**< When the last one came; 0 = never. */
};

/** What is known about one cluster. Texts are borrowed until the next call into the sync. */
struct pin_sync_cluster_stats {
    const char *cluster;
    const char *source; /**< "directory ./c1", "context c1", "service account", "embedded". */
    bool is_up;
    bool is_synced;
    const char *error;          /**< What is wrong now, "" when nothing is. */
    const char *hint;           /**< What to do about it, or "". */
    int64_t last_event_wall_ms; /**< Of all kinds; 0 = never. */
    struct pin_sync_kind_stats kinds[PIN_KIND_MAX];
};

/**
 * Whether Pods are to be reported: off until somebody wants them, for there are many. Once not
 * wanted any more, an empty list of them is reported. SYNCED never waits for Pods.
 */
void pin_sync_want_pods(struct pin_sync *sync, bool is_wanted);

/** Number of clusters, in the order of the specs. */
size_t pin_sync_n_clusters(const struct pin_sync *sync);

/** Fills in the state of the i-th cluster (0 to pin_sync_n_clusters() - 1). O(kinds). */
void pin_sync_cluster_stats(
    const struct pin_sync *sync, size_t i, struct pin_sync_cluster_stats *ret_stats);

/**
 * Writes an array as one JSON value:
 * [{"name","source","reachable","synced","error","hint","lastEventAgeSeconds",
 *   "kinds":[{"group","kind","served","forbidden","listed","objects","lists","restarts","events",
 *             "unreadable","lastEventAgeSeconds"}]}]; ages are null before the first event.
 */
void pin_sync_status_json(const struct pin_sync *sync, struct pin_jsonout *out);

/**
 * Lists the contexts of a kubeconfig, sorted by name.
 *
 * @param kubeconfig  One file, or NULL for $KUBECONFIG, then ~/.kube/config.
 * @param arena       Holds the names.
 * @param ret_names   `*ret_n` names.
 * @return PIN_OK, PIN_ENOTFOUND (no file), PIN_EPARSE, ...; `why` begins with "FILE:LINE:COL: ".
 */
enum pin_err pin_kubeconfig_contexts(const char *kubeconfig, struct pin_arena *arena,
    const char *const **ret_names, size_t *ret_n, struct pin_why *why);

/** What `cluster.yaml` in a cluster directory may say; absent keys are NULL or empty. */
struct pin_cluster_file {
    const char *network;
    const struct pin_prefix *clients;
    size_t n_clients;
    const char *const *client_zones; /**< By range; NULL where none is written. */
    const char *region;
    const char *zone;
};

/**
 * Reads DIR/cluster.yaml. A directory without that file gives an empty struct and PIN_OK.
 *
 * @param arena  Holds what the struct points at.
 * @param why    "FILE:LINE:COL: message"; an unknown key names the nearest known one.
 */
enum pin_err pin_cluster_file_read(const char *directory, struct pin_arena *arena,
    struct pin_cluster_file *ret_file, struct pin_why *why);

/** The same for a text in memory; `name` stands for the file in messages. */
enum pin_err pin_cluster_file_parse(const char *name, const char *text, size_t bytes,
    struct pin_arena *arena, struct pin_cluster_file *ret_file, struct pin_why *why);
