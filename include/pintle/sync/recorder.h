/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Recorder: keeps the record sets that objects want in the DNS servers of others.
 *
 *     claims changed, or time     ->  list  ->  plan  ->  apply  ->  verdicts  ->  status, events
 *                                    provider   thread    provider
 *
 * One per process. It has entries, as the configuration's `records`, each with a provider and
 * zones; each zone goes its own way, so a provider that is down blocks only its own zones. A run
 * reads a zone anew (by version where the provider can), plans (zones/recordplan.h) in a thread of
 * its own, and applies what may be applied. What a provider refuses is left out until it or the
 * zone changes, or a back-off has passed. Who is not the writer plans and shows, and applies
 * nothing. Belongs to the loop's thread.
 *
 * Nothing is planned before claims were handed over, and nothing of a cluster that is not synced
 * is taken away (`unsynced`).
 *
 * JSON, as the admin page shows it. Ages are seconds, null where it never was. A set is
 * {"ttl", "values": [{"text", "clusters": []}], "properties": {}}, or null.
 *
 *     overview   {"items": [{"records", "provider", "owner", "policy", "dryRun",
 *                  "intervalSeconds", "maxDeletesPercent", "isWriter", "holder", "writerError",
 *                  "unsynced": [], "invalid", "untargeted", "oversized",
 *                  "zones": [{"zone", "state", "runs", "wanted", "owned", "ready", "pending",
 *                  "blocked", "conflicts", "refused", "hash", "approval", "deletes", "deletesMax",
 *                  "listAgeSeconds", "syncAgeSeconds", "changeAgeSeconds", "nextSeconds", "fault",
 *                  "error", "errorAgeSeconds",
 *                  "adoption": null or {"fromOwner", "hash", "changes"}}]}]}
 *     list       {"items": [{"records", "zone", "name", "type", "setId", "state", "owner",
 *                  "desired": set, "actual": set,
 *                  "objects": [{"cluster", "kind", "namespace", "name"}], "conflict", "error",
 *                  "sinceAgeSeconds"}], "next"}
 *     plan       {"plans": [{"records", "zone", "hash", "approval", "ageSeconds", "isDryRun",
 *                  "isApplying", "adoptFrom", "unsynced": [] (when it was made), "changes",
 *                  "pending", "blocked", "conflicts", "owned", "deletes", "deletesMax"}],
 *                 "changes": [{"records", "zone", "op", "isBlocked", "isReplaced", "name", "type",
 *                  "setId", "old": set, "new": set, "txts": [{"name", "old", "new"}], "result",
 *                  "message"}],
 *                 "conflicts": [{"records", "zone", "kind", "name", "type", "setId",
 *                  "object": {...}, "detail"}], "next"}
 *     drift      {"items": [{"records", "zone", "name", "type", "setId", "expected": set,
 *                  "found": set, "ageSeconds", "isRepaired"}]}
 *
 * "conflict" of a record is one word, as in plans, or "rival": it was put right three times and
 * found otherwise each time, with our owner in its TXT record or without; so somebody else writes
 * it, and it is left alone for 30 min.
 *
 * State of a zone: waiting (for claims), listing, planning, applying, idle, pending (there are
 * changes, and we do not write), backoff. State of a record: ready, pending, deleting, blocked,
 * refused, conflict, waiting, kept, deleted.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"
#include "pintle/base/jsonout.h"
#include "pintle/base/text.h"
#include "pintle/zones/recordplan.h"

struct pin_arena;
struct pin_etcd_spec;
struct pin_loop;
struct pin_provider;
struct pin_provider_settings;
struct pin_recorder;
struct pin_sync;

/** One entry. Texts are copied; `provider` becomes the recorder's. */
struct pin_recorder_spec {
    const char *name;
    struct pin_provider *provider;                /**< NULL: one is opened by the settings. */
    const struct pin_provider_settings *settings; /**< Borrowed. */
    const char *const *zones;                     /**< Canonical (zones/recordset.h). */
    size_t n_zones;
    struct pin_registry registry; /**< The key is copied, and wiped at the end. */
    enum pin_recordplan_policy policy;
    uint32_t delete_percent; /**< Of what we own, in one run; 0 to 100. */
    uint32_t interval_s;     /**< Between looks for drift: 1 or more. */
    bool is_dry_run;
};

/** What became of a record. */
enum pin_recorder_news {
    PIN_RECORDER_READY,   /**< It was written as wanted. */
    PIN_RECORDER_DELETED, /**< It was taken away. */
    PIN_RECORDER_ERROR,   /**< It is refused, or in conflict. */
};

/** News of a record, for the object it comes from. Texts are borrowed for the call. */
struct pin_recorder_event {
    enum pin_recorder_news news;
    const struct pin_recordset_source *source;
    const char *records; /**< The entry. */
    const char *zone;
    const char *name;
    const char *type;
    const char *detail; /**< For people: the values, or what is wrong. */
};

/** What a recorder needs. */
struct pin_recorder_config {
    struct pin_loop *loop; /**< Outlives it. */
    const struct pin_recorder_spec *specs;
    size_t n_specs;
    bool needs_writer; /**< It applies nothing until pin_recorder_set_writer() says so. */
    /** NULL: nobody wants to know. At most PIN_RECORDER_EVENTS_MAX per zone and run. */
    void (*on_event)(void *arg, const struct pin_recorder_event *event);
    void *arg;
};

/** Most events of one run of a zone; those of records that come later in it are left out. */
#define PIN_RECORDER_EVENTS_MAX 200u

/** Makes it; idle until claims come. On errors all providers are closed. PIN_ENOMEM, PIN_EINVAL, or
 * as pin_providers_open(). */
enum pin_err pin_recorder_new(const struct pin_recorder_config *config,
    struct pin_recorder **ret_recorder, struct pin_why *why);

/** Ends what is under way, closes all providers. Waits for plans under way. NULL is fine. */
void pin_recorder_free(struct pin_recorder *recorder);

/** All claims of an entry. */
struct pin_recorder_claims {
    size_t spec_i; /**< Which entry: position in the config's specs. */
    const struct pin_recordset *sets;
    size_t n_sets;
    const char *const *unsynced; /**< Clusters not synced since the start, sorted. */
    size_t n_unsynced;
    size_t n_invalid;        /**< Names and targets that are none: for people. */
    size_t n_untargeted;     /**< Services that ask for names and lead nowhere: for people, */
    const char *untargeted;  /**< and the first of these; NULL: there is none. */
    size_t n_oversized;      /**< Objects of which not all names or targets count, and */
    const char *oversized;   /**< the first of these. */
    struct pin_arena *arena; /**< Holds all of it; the recorder's from now on, whatever happens. */
};

/**
 * What an entry's objects want from now on, in all its zones. Runs begin within 200 ms, in zones
 * whose claims are others than before.
 */
void pin_recorder_set_claims(
    struct pin_recorder *recorder, const struct pin_recorder_claims *claims);

/**
 * Whether we are the one who writes. Who becomes it lists anew before anything is applied; who is
 * it no longer cuts off what is under way. `holder` and `error` are shown; copied.
 */
void pin_recorder_set_writer(
    struct pin_recorder *recorder, bool is_writer, const char *holder, const char *error);

/** The Lease that makes one of several daemons the writer of records. */
struct pin_recorder_lease_spec {
    struct pin_sync *sync; /**< Started; outlives the recorder. */
    size_t cluster_i;      /**< In whose API server it is. */
    const char *namespace_name;
    const char *name;
};

/**
 * Has a Lease say whether we are the one who writes, in place of pin_recorder_set_writer(). Once.
 * The recorder was made with `needs_writer`.
 *
 * @return PIN_OK; PIN_EINVAL for a cluster without API server; PIN_ENOMEM.
 */
enum pin_err pin_recorder_use_lease(
    struct pin_recorder *recorder, const struct pin_recorder_lease_spec *spec, struct pin_why *why);

/** The key of an etcd that makes one of several daemons the writer of records. */
struct pin_recorder_election_spec {
    const struct pin_etcd_spec *etcd; /**< Copied, and the texts. */
    const char *name;                 /**< The key is PREFIX/leader.NAME. */
};

/**
 * As pin_recorder_use_lease(), by a key that is bound to a lease of 15 s: who has not confirmed it
 * for 10 s writes nothing. PIN_ENOMEM.
 */
enum pin_err pin_recorder_use_election(struct pin_recorder *recorder,
    const struct pin_recorder_election_spec *spec, struct pin_why *why);

/** Writes nothing any more, and gives the Lease or the key back: turns the loop until that is done,
 * or the time over. NULL is fine. */
void pin_recorder_release(struct pin_recorder *recorder, int64_t timeout_ms);

/** Which zones, or which of them. */
struct pin_recorder_query {
    const char *records; /**< NULL: all entries. */
    const char *zone;    /**< NULL: all zones. */
    const char *name;    /**< NULL: all records. */
    const char *after;   /**< Where to go on: "next" of the page before; NULL: the beginning. */
    bool is_adoption;    /**< Of the plan: that of an adoption. */
};

/** Most items of a page of "list", and changes of a page of "plan". */
#define PIN_RECORDER_PAGE_ITEMS 1000u
/** Most items of "drift" that one zone remembers. */
#define PIN_RECORDER_DRIFT_MAX 200u

/** Whether there is such an entry and zone. PIN_ENOTFOUND, explained. */
enum pin_err pin_recorder_check(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_why *why);

/** Each writes one JSON value, as above. */
void pin_recorder_overview_json(const struct pin_recorder *recorder, struct pin_jsonout *out);
void pin_recorder_list_json(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out);
void pin_recorder_plan_json(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out);
void pin_recorder_drift_json(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out);

/** Appends what is counted, as Prometheus reads it. NULL: nothing. */
void pin_recorder_metrics(const struct pin_recorder *recorder, struct pin_text *out);

/** The same by the names of external-dns's metrics. NULL: nothing. */
void pin_recorder_metrics_external_dns(const struct pin_recorder *recorder, struct pin_text *out);

/** What a person wants done. */
enum pin_recorder_order_kind {
    PIN_RECORDER_APPLY,   /**< Run now; forget back-off and refusals. */
    PIN_RECORDER_LOOK,    /**< Read the zone and plan now, and apply nothing of that plan. */
    PIN_RECORDER_APPROVE, /**< Let the blocked deletions of that hash go, once. */
    PIN_RECORDER_ADOPT,   /**< Without hash: plan it; with the plan's hash: do it. */
};

/** An order. */
struct pin_recorder_order {
    enum pin_recorder_order_kind kind;
    const char *records;    /**< NULL: all; not for APPROVE and ADOPT. */
    const char *zone;       /**< NULL: all; likewise. */
    const char *hash;       /**< NULL or "": none. */
    const char *from_owner; /**< ADOPT */
};

/**
 * Takes an order, and writes {"items": [{"records", "zone", "runs", "ran"}]}: it is done when
 * "runs" of that zone in the overview is greater than "runs" here. "ran" is what the overview has
 * now, and "runs" more than that by what ends before it: a run or a look that is under way or was
 * ordered before. An overview with less than "ran" is of another process.
 *
 * @return PIN_OK; PIN_ENOTFOUND; PIN_EINVAL: it makes no sense; PIN_EBUSY: not as things are (dry
 *         run, not the writer, another hash); PIN_ENOMEM. Explained.
 */
enum pin_err pin_recorder_order(struct pin_recorder *recorder,
    const struct pin_recorder_order *order, struct pin_jsonout *out, struct pin_why *why);
