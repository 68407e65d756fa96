/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Sync: the sources of all clusters, and the one door through which the process drives them.
 *
 *     directory, kubeconfig context, service account, embedded texts, etcd  ->  deltas  ->  sink
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
#include "pintle/zones/write.h"

struct pin_arena;
struct pin_loop;
struct pin_sync;
struct pin_text;

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
    PIN_SOURCE_ETCD,       /**< What another Pintle published below an etcd prefix. */
};

/** One manifest in memory. Borrowed texts. */
struct pin_embedded_file {
    const char *name; /**< For messages, e.g. "c1/inventory.yaml". */
    const char *text;
    size_t text_bytes;
};

/** An etcd v3 and the prefix below which clusters are shared. Borrowed texts. */
struct pin_etcd_spec {
    const char *const *endpoints; /**< "https://host:2379"; without a scheme it is plain HTTP. */
    size_t n_endpoints;
    const char *prefix;        /**< "/pintle" */
    const char *user;          /**< NULL: no authentication by password. */
    const char *password_file; /**< Read for each login. */
    const char *ca;            /**< PEM files, read again when they change; NULL: none. */
    const char *certificate;
    const char *key;
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
    struct pin_etcd_spec etcd; /**< ETCD; the cluster's own name is looked for. */
};

/** Writing to clusters with an API server. Texts are borrowed until pin_sync_new() has returned. */
struct pin_sync_writes {
    const char *lease_namespace; /**< Of the Lease in each cluster. */
    const char *lease_name;
    struct pin_write_switches switches; /**< What is written. */
    const char *identity; /**< Ours among all daemons; NULL: made of the host's name. */
    /** We are the one who writes to that cluster from now on, or not any more. */
    void (*on_writable)(void *arg, uint16_t cluster_id, bool is_writable);
    /** Some writes were given up: everything is to be looked at again. */
    void (*on_look_again)(void *arg);
    void *arg;
};

/** What to make sources of. */
struct pin_sync_config {
    struct pin_loop *loop;         /**< Must outlive the sync. */
    struct pin_dirwatch *dirwatch; /**< Of that loop; likewise. */
    const struct pin_source_spec *specs;
    size_t n_specs;
    struct pin_sync_sink sink;
    const struct pin_sync_writes *writes; /**< NULL: nothing is written. */
    uint32_t
        max_objects; /**< Of one kind in one cluster: a list of more is given up; 0: no limit. */
    bool wants_ingresses; /**< Ingresses are to be reported, for records outside. */
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

/** pin_sync_prepare(): a source that is made. */
#define PIN_SYNC_NEW SIZE_MAX

/** The sources of other specs, on their way. */
struct pin_sync_next;

/**
 * Makes what other specs need that is not there; nothing is changed or started yet.
 *
 * @param config    Its loop, dirwatch, sink and writes are those of pin_sync_new().
 * @param from      By spec: the position of the source that goes on, or PIN_SYNC_NEW.
 * @param ret_next  For pin_sync_commit() or pin_sync_discard().
 * @return As pin_sync_new().
 */
enum pin_err pin_sync_prepare(struct pin_sync *sync, const struct pin_sync_config *config,
    const size_t *from, struct pin_sync_next **ret_next, struct pin_why *why);

/**
 * Has these sources from now on, and frees `next`. Those that go on keep their connections and are
 * not listed again; what they report carries the ids of the new specs. New ones are started, if the
 * others were; the rest is ended. Cannot fail.
 */
void pin_sync_commit(struct pin_sync *sync, struct pin_sync_next *next);

/** Frees what was made, and nothing changes. NULL is fine. */
void pin_sync_discard(struct pin_sync_next *next);

/** Starts all sources. Deltas may come during this call already (directories). */
void pin_sync_start(struct pin_sync *sync);

/** Ends all transfers and watches; no delta comes after it. Deltas not yet taken are dropped. */
void pin_sync_stop(struct pin_sync *sync);

/** Stops and frees. NULL is fine. */
void pin_sync_free(struct pin_sync *sync);

/** The sink has room again: what was kept is pushed first, then reading goes on. */
void pin_sync_resume(struct pin_sync *sync);

/** Why a list began. */
#define PIN_LIST_REASON_MAP(X)                                                                     \
    X(START, "start", "nothing was known")                                                         \
    X(EXPIRED, "expired", "where it was to go on from is not kept any more (410)")                 \
    X(FAILED, "failed", "the list before did not come to its end")                                 \
    X(LOST, "lost", "watches brought nothing")                                                     \
    X(DENIED, "denied", "it may not be watched")                                                   \
    X(UNREADABLE, "unreadable", "an event could not be followed")                                  \
    X(HELD, "held", "the last list is held")                                                       \
    X(BACK, "back", "it was not found for a while")
enum pin_list_reason {
#define X(name, word, text) PIN_LIST_##name,
    PIN_LIST_REASON_MAP(X)
#undef X
        PIN_LIST_REASONS
};

/** What is known about one kind of one cluster. Counters only grow. */
struct pin_sync_kind_stats {
    bool is_served;      /**< The cluster has this kind and lets us read it. */
    bool is_forbidden;   /**< The cluster refused to list it (403). */
    bool is_listed;      /**< Listed whole at least once. */
    uint64_t n_objects;  /**< Objects it has now, those not readable by us left out. */
    uint64_t n_in_list;  /**< Objects that the list under way has brought so far. */
    uint64_t n_expected; /**< How many it will bring, as the server says; 0: it does not. */
    bool is_streamed;    /**< The last list came as a stream, not in pages. */
    bool is_held;        /**< The last list names too few objects to be believed yet. */
    bool is_missing;     /**< Answered 404, and discovery does not say that it is gone. */
    uint64_t n_lists[PIN_LIST_REASONS]; /**< Lists begun, by reason. */
    uint64_t n_broken;                  /**< Of these, those that broke off or made no sense. */
    uint64_t n_restarts;                /**< Watches that ended and were begun again. */
    uint64_t n_events;                  /**< Objects received by list or watch. */
    uint64_t n_bad;                     /**< Of these, objects that could not be read. */
    int64_t last_event_wall_ms;         /**< When the last one came; 0 = never. */
};

/** Lists begun, for whatever reason. */
uint64_t pin_sync_n_lists(const struct pin_sync_kind_stats *stats);

/** Different ends of requests that are told apart for one cluster; later ones are not counted. */
#define PIN_SYNC_OUTCOMES 24

/** How often requests to an API server ended in one way. */
struct pin_sync_outcome {
    const char *fault; /**< "refused", "timeout", ...: no whole answer came; NULL: `status` did. */
    int status;        /**< Of HTTP. */
    uint64_t n;        /**< 0: this row and all behind it are free. */
};

/** What is known about a cluster that comes from etcd. */
struct pin_sync_etcd_stats {
    bool is_used;         /**< It does; else the rest says nothing. */
    int64_t revision;     /**< All up to it was taken. */
    uint64_t n_keys;      /**< Keys below its prefix, those of its state left out. */
    int64_t confirmed_ms; /**< Monotonic: when etcd last confirmed that this was all; 0: never. */
};

/** What is known about one cluster. Texts are borrowed until the next call into the sync. */
struct pin_sync_cluster_stats {
    const char *cluster;
    const char *source; /**< "directory ./c1", "context c1", "service account", "embedded". */
    bool is_up;
    bool is_synced;
    const char *error;                  /**< What is wrong now, "" when nothing is. */
    const char *hint;                   /**< What to do about it, or "". */
    int64_t error_wall_ms;              /**< Since when it is so; 0 = nothing is wrong. */
    int64_t sync_took_ms;               /**< From the start to is_synced; 0 = not yet. */
    int64_t last_event_wall_ms;         /**< Of all kinds; 0 = never. */
    int64_t credentials_expire_wall_ms; /**< When what we are known by ends; 0 = it does not say. */
    int64_t last_list_wall_ms;          /**< When a list of any kind came to its end; 0 = never. */
    struct pin_sync_outcome outcomes[PIN_SYNC_OUTCOMES];
    struct pin_sync_kind_stats kinds[PIN_KIND_MAX];
    struct pin_sync_etcd_stats etcd;
};

/**
 * Whether Pods are to be reported: off until somebody wants them, for there are many. Once not
 * wanted any more, an empty list of them is reported. SYNCED never waits for Pods.
 */
void pin_sync_want_pods(struct pin_sync *sync, bool is_wanted);

/**
 * Tells which kinds' last lists are held (pin_catalog_held()): each is listed again, 30 s after it
 * was told first or later, and then every 30 s until it is not held any more.
 *
 * @param i      As for pin_sync_cluster_stats().
 * @param kinds  One bit each, 1 << enum pin_kind.
 */
void pin_sync_set_held(struct pin_sync *sync, size_t i, uint32_t kinds);

/**
 * Has all kinds of a cluster listed once more, 30 s from now.
 *
 * @param i  As for pin_sync_cluster_stats().
 * @return False where a second list would say nothing more than the first: a directory's.
 */
bool pin_sync_list_again(struct pin_sync *sync, size_t i);

/** Takes what is to be written; each set takes the place of the earlier one of its key. NULL sync:
 * nothing is. */
void pin_sync_write(struct pin_sync *sync, struct pin_write_set *sets);

/** Stops writing and gives the Leases back: turns the loop until that is done, or the time over. */
void pin_sync_release(struct pin_sync *sync, int64_t timeout_ms);

/** How a request of ours to write ended. */
enum pin_sync_write_result {
    PIN_SYNC_WRITE_OK,
    PIN_SYNC_WRITE_GONE,     /**< There was nothing to write on any more. */
    PIN_SYNC_WRITE_CONFLICT, /**< The object was another one, or is another's. */
    PIN_SYNC_WRITE_DENIED,
    PIN_SYNC_WRITE_FAILED,
    PIN_SYNC_WRITE_RESULTS,
};

/** Kinds that are written: those that are read, and Events. */
#define PIN_SYNC_WRITE_EVENTS PIN_KIND_MAX
#define PIN_SYNC_WRITE_KINDS  (PIN_KIND_MAX + 1)

/** How writing to one cluster stands. Texts are borrowed until the next call into the sync. */
struct pin_sync_write_stats {
    bool is_on;         /**< The cluster has a writer. */
    bool is_held;       /**< We are the one who writes. */
    const char *holder; /**< Who holds the Lease; "": nobody, or not known. */
    const char *error;  /**< What went wrong last, "" when nothing did. */
    size_t n_waiting;
    uint64_t n_good;
    uint64_t n_failed;
    int64_t last_error_wall_ms; /**< When something went wrong last; 0: never. */
    uint64_t results[PIN_SYNC_WRITE_KINDS][PIN_SYNC_WRITE_RESULTS];
};

/** Fills in how writing to the i-th cluster stands. */
void pin_sync_write_stats(
    const struct pin_sync *sync, size_t i, struct pin_sync_write_stats *ret_stats);

/** Number of clusters, in the order of the specs. */
size_t pin_sync_n_clusters(const struct pin_sync *sync);

/** Fills in the state of the i-th cluster (0 to pin_sync_n_clusters() - 1). O(kinds). */
void pin_sync_cluster_stats(
    const struct pin_sync *sync, size_t i, struct pin_sync_cluster_stats *ret_stats);

/** Appends what the sources count, as Prometheus reads it. NULL: nothing. */
void pin_sync_metrics(const struct pin_sync *sync, struct pin_text *out);

/** The families of metrics about clusters that come from etcd; nothing when none does. */
void pin_sync_etcd_metrics(const struct pin_sync *sync, struct pin_text *out);

/**
 * Writes the members of an object about the i-th cluster; none when there is none:
 * "name","source","reachable","synced","error","hint","errorAgeSeconds","syncSeconds",
 * "lastEventAgeSeconds","credentialsExpireSeconds" (null: no end, below 0: expired),
 * "kinds":[{"group","kind","state","served","forbidden","listed","streamed","held","missing",
 *           "objects","read","expected","lists","broken","restarts","events","unreadable",
 *           "lastEventAgeSeconds"}],
 * "writeBack":{"isWriter","holder","error","waiting","written","failed"} where it is on. Ages are
 * null where nothing was, syncSeconds until it is synced, "expected" where it is not known.
 */
void pin_sync_cluster_json(const struct pin_sync *sync, size_t i, struct pin_jsonout *out);

/** Clusters that are checked at the same time, at most. */
#define PIN_SYNC_CHECKS_MAX 8u

/**
 * Begins to check the i-th cluster: asks its API server, over its own credentials, what listing and
 * watching depend on. It takes no part in the watches and ends by itself, within half a minute. One
 * that is under way goes on.
 *
 * @return PIN_OK, PIN_EBUSY (too many are under way, or there is no such cluster yet), PIN_ENOMEM.
 */
enum pin_err pin_sync_check_start(struct pin_sync *sync, size_t i, struct pin_why *why);

/**
 * Writes the members of an object about the i-th cluster's last check:
 * "name", "state" (never, running, done) and, when it is done, "ageSeconds", "tookSeconds",
 * "result" (ok, warn, fail), "server", "address", "version", "user", "latencySeconds",
 * "clockOffsetSeconds", "certificate" {"subject","issuer","names","notAfter"},
 * "kinds" [{"resource","version","list","watch"}], "findings" [{"code","result","text","hint"}];
 * what is unknown is null. No secrets.
 */
void pin_sync_check_json(const struct pin_sync *sync, size_t i, struct pin_jsonout *out);

/**
 * Whether using a context means to run a program, its exec plugin; also true when that cannot be
 * known yet, because there is no such file or context.
 *
 * @param context  NULL: the current one.
 */
bool pin_kubeconfig_runs_program(const char *kubeconfig, const char *context);

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
