/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * The recorder inside, for the files that make it:
 *
 *     recorder.c          life, claims, who writes
 *     recorder_zone.c     a zone's way: list, adjust, plan, apply
 *     recorder_news.c     what a run has to tell of it
 *     recorder_lease.c    the Lease that says who writes,
 *     recorder_election.c or the key of an etcd
 *     recorder_adjust.c   claims as the provider would keep them
 *     recorder_json.c     what the admin page shows, and orders
 *     recorder_metrics.c
 *
 * A zone's states:
 *
 *     WAITING -> LISTING -> ADJUSTING -> PLANNING -> APPLYING -> IDLE | PENDING | BACKOFF ->
 * LISTING
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/loop.h"
#include "pintle/sync/recorder.h"

#include "backoff.h"
#include "lease.h"
#include "provider.h"
#include "recorder_run.h"

struct pin_election;
struct pin_errand;
struct pin_etcd;

/** Faults of providers, and one more: the plan could not be made. */
#define PIN_RECORDER_FAULT_PLAN (PIN_PROVIDER_MEMORY + 1)
#define PIN_RECORDER_FAULTS     (PIN_PROVIDER_MEMORY + 2)

/** Where a zone is. */
enum pin_recorder_stage {
    PIN_STAGE_WAITING,
    PIN_STAGE_LISTING,
    PIN_STAGE_ADJUSTING,
    PIN_STAGE_PLANNING,
    PIN_STAGE_APPLYING,
    PIN_STAGE_IDLE,
    PIN_STAGE_PENDING,
    PIN_STAGE_BACKOFF,
};

/** Drift, as it is remembered: one allocation each. */
struct pin_recorder_found {
    struct pin_recorder_found *next; /**< Older. */
    int64_t wall_ms;
    struct pin_arena *arena; /**< Of what follows. */
    const char *name;
    const char *type;
    const char *set_id;
    const struct pin_recordset *expected;
    const struct pin_recordset *found;
};

/** A zone of an entry. */
struct pin_recorder_zone {
    struct pin_recorder_entry *entry;
    char *apex;
    const char **below; /**< Other zones of the entry that are inside. */
    size_t n_below;

    enum pin_recorder_stage stage;
    struct pin_timer *timer;
    struct pin_provider_call *call;
    struct pin_errand *errand;
    struct pin_recorder_run *run;       /**< Under way: its thread's while planning. */
    struct pin_recorder_run *shown;     /**< The last plan. */
    struct pin_recorder_run *adoption;  /**< A planned one, or NULL. */
    struct pin_recorder_sets *listing;  /**< The last one that was whole. */
    struct pin_recorder_sets *adjusted; /**< Claims as the provider would keep them, or NULL. */
    struct pin_recorder_sets *adjusted_from; /**< The claims that these were. */
    struct pin_recorder_sets *asked;         /**< What the provider was asked about. */
    struct pin_recorder_sets *told;          /**< What it said, until that is taken in. */
    uint64_t digest;                         /**< Of its claims. */

    bool has_claims;      /**< digest counts. */
    bool is_queued;       /**< Its turn comes when another zone of the entry is done. */
    bool is_dirty;        /**< Another run is wanted after this one. */
    bool must_relist;     /**< Versions are not to be trusted. */
    bool forgets;         /**< The next run tries what was refused. */
    uint64_t writer_turn; /**< Of the recorder when the run began. */
    char approved[PIN_RECORDPLAN_HASH_BYTES];   /**< For the next plan. */
    char *adopt_from;                           /**< Ordered; NULL: nothing. */
    char adopt_hash[PIN_RECORDPLAN_HASH_BYTES]; /**< The plan that may be done; "": none. */
    bool is_adopting;                           /**< The run under way is that of the order. */
    bool only_plans;                            /**< Ordered: the next run applies nothing, */
    bool is_only_planning;                      /**< as the one under way, or the last one. */
    bool keeps_backoff;                         /**< It began while a run waited after a failure. */
    int64_t resume_ms; /**< Monotonic: when a run was due without that order; 0: it was not. */

    struct pin_backoff backoff;
    int64_t began_ms; /**< Monotonic, like the next two. */
    int64_t took_ms;  /**< The last run. */
    int64_t next_ms;
    uint64_t n_runs;
    int64_t try_wall_ms; /**< When a run last began; 0: never. */
    int64_t list_wall_ms;
    int64_t sync_wall_ms;
    int64_t change_wall_ms;
    int64_t error_wall_ms; /**< 0: all is well. */
    int fault;             /**< PIN_PROVIDER_NONE, ... */
    char error[PIN_PROVIDER_MESSAGE_MAX];

    uint64_t n_faults[PIN_RECORDER_FAULTS];
    uint64_t n_changes[PIN_RECORDPLAN_CREATE + 1][PIN_PROVIDER_UNKNOWN + 1];
    uint64_t n_drift;
    uint64_t n_idle_runs;             /**< That had nothing to do. */
    uint64_t n_bad_runs;              /**< One after the other, just now. */
    struct pin_recorder_found *found; /**< Newest first. */
    size_t n_found;
};

/** Claims on their way to be the ones that count. */
struct pin_recorder_intake {
    struct pin_recorder_sets *claims; /**< NULL: none. */
    uint64_t *digests;                /**< Of each zone, in order. */
};

/** An entry. */
struct pin_recorder_entry {
    struct pin_recorder *recorder;
    struct pin_arena *arena; /**< Of its texts. */
    const char *name;
    struct pin_provider *provider;
    struct pin_registry registry; /**< Its key is our copy. */
    uint8_t key[PIN_AES_KEY_BYTES];
    enum pin_recordplan_policy policy;
    uint32_t delete_percent;
    uint32_t interval_s;
    bool is_dry_run;
    size_t n_running; /**< Zones in a run. */
    struct pin_recorder_zone *zones;
    size_t n_zones;
    struct pin_recorder_sets *claims; /**< NULL: none were handed over yet. */
    size_t n_invalid;
    size_t n_untargeted;
    size_t n_oversized;
    struct pin_errand *errand;        /**< Looks at what is taken in. */
    struct pin_recorder_intake taken; /**< The errand's. */
    struct pin_recorder_intake next;  /**< What comes after it. */
};

/** The Lease that says who writes. */
struct pin_recorder_lease {
    struct pin_recorder *recorder;
    struct pin_lease *lease;
    struct pin_arena *arena; /**< For one answer at a time. */
    struct pin_timer *timer; /**< Looks at what it shows. */
    const struct pin_target *(*target)(void *arg);
    void *arg;
};

/** The key of an etcd that says so. */
struct pin_recorder_election {
    struct pin_recorder *recorder;
    struct pin_http *http;
    struct pin_etcd *etcd;
    struct pin_election *election;
    struct pin_timer *timer; /**< Looks at what it shows. */
};

/** All of it. */
struct pin_recorder {
    struct pin_recorder_lease *lease; /**< NULL, and no election: pin_recorder_set_writer(). */
    struct pin_recorder_election *election;
    struct pin_loop *loop;
    struct pin_http *http;           /**< Of the providers that were opened here. */
    struct pin_provider_tools tools; /**< Likewise. */
    struct pin_recorder_entry *entries;
    size_t n_entries;
    void (*on_event)(void *arg, const struct pin_recorder_event *event);
    void *arg;
    bool is_writer;
    uint64_t writer_turn; /**< Grows each time that we become the writer. */
    char holder[256];
    char error[256];
};

/** Steps through all zones: start with NULL; NULL ends. */
struct pin_recorder_zone *pin_recorder_next_zone(
    const struct pin_recorder *recorder, const struct pin_recorder_zone *zone);

/** Whether a run is under way. */
bool pin_recorder_zone_is_busy(const struct pin_recorder_zone *zone);

/** Has a run begin soon; at once when it `is_urgent`: then back-off does not count. */
void pin_recorder_zone_poke(struct pin_recorder_zone *zone, bool is_urgent);

/** Has a run begin now that plans and applies nothing; what was to be done is done afterwards. */
void pin_recorder_zone_look(struct pin_recorder_zone *zone);

/** Another one writes from now on, or we do. */
void pin_recorder_zone_on_writer(struct pin_recorder_zone *zone, bool is_writer);

/** Ends what is under way and frees what the zone holds. */
void pin_recorder_zone_done(struct pin_recorder_zone *zone);

/** Counts what became of a run's changes, and tells the objects of those that were done. */
void pin_recorder_report(struct pin_recorder_zone *zone, const struct pin_recorder_run *run);

/** Tells of records that are in conflict, refused, or held for long, each once. */
void pin_recorder_tell_errors(struct pin_recorder_zone *zone);

/** Remembers and tells what a run found otherwise than we left it. */
void pin_recorder_take_drift(struct pin_recorder_zone *zone, const struct pin_recorder_run *run);

/** Forgets remembered drift but the newest `n_kept`. */
void pin_recorder_forget_drift(struct pin_recorder_zone *zone, size_t n_kept);

/** Its timer's. */
void pin_recorder_zone_on_timer(void *zone);

/** Whether we are the writer, at this moment. */
bool pin_recorder_is_writer(const struct pin_recorder *recorder);

/** Whether what is planned may be done by us. */
bool pin_recorder_zone_may_apply(const struct pin_recorder_zone *zone);

/** The sets that claims ask for in a zone, one for each name, type and set id, for a provider's
 * adjust. One user's; NULL when memory is out. */
struct pin_recorder_sets *pin_recorder_ask(
    const struct pin_recorder_sets *claims, const char *apex);

/** The claims, with what the provider told of the sets that were asked about. One user's; NULL when
 * memory is out. */
struct pin_recorder_sets *pin_recorder_adjust(const struct pin_recorder_sets *claims,
    const struct pin_recorder_sets *asked, const struct pin_recorder_sets *told);

/** HTTP of our own; NULL when memory is out. */
struct pin_http *pin_recorder_http(struct pin_recorder *recorder);

/**
 * Has a Lease say who writes. Of `like` count where, namespace_name, name, identity, target and
 * arg. PIN_ENOMEM.
 */
enum pin_err pin_recorder_start_lease(
    struct pin_recorder *recorder, const struct pin_lease_config *like, struct pin_why *why);

/** Frees it. NULL is fine. */
void pin_recorder_lease_free(struct pin_recorder_lease *lease);

/** Writes nothing any more, and gives the key back. */
void pin_recorder_election_release(struct pin_recorder_election *election);

/** Frees it. NULL is fine. */
void pin_recorder_election_free(struct pin_recorder_election *election);

/** A word for a fault. Static. */
const char *pin_recorder_fault_text(int fault);

/** The sum of what a zone's records are: one number per state, n of PIN_RECORD_STATES. */
void pin_recorder_zone_counts(
    const struct pin_recorder_zone *zone, size_t ret_counts[PIN_RECORD_STATES]);
