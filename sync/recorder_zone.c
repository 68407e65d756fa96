/* SPDX-License-Identifier: Apache-2.0 */

/* A zone's way: read it, plan, change it, and when to do so again. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#include "errand.h"
#include "recorder_state.h"

/* What comes together is one run. */
#define GATHER_MS 100
/* Runs that follow each other are as far apart as the last one took, up to this. */
#define APART_MAX_MS 30000
/* Runs of one entry at a time: connections to its server, and plans. */
#define RUNS_MAX 8u

static void begin(struct pin_recorder_zone *zone);

const char *pin_recorder_fault_text(int fault)
{
    return fault == PIN_RECORDER_FAULT_PLAN
               ? "plan"
               : pin_provider_fault_text((enum pin_provider_fault)fault);
}

bool pin_recorder_zone_is_busy(const struct pin_recorder_zone *zone)
{
    return zone->stage == PIN_STAGE_LISTING || zone->stage == PIN_STAGE_ADJUSTING
           || zone->stage == PIN_STAGE_PLANNING || zone->stage == PIN_STAGE_APPLYING;
}

bool pin_recorder_zone_may_apply(const struct pin_recorder_zone *zone)
{
    return !zone->entry->is_dry_run && pin_recorder_is_writer(zone->entry->recorder);
}

void pin_recorder_zone_counts(
    const struct pin_recorder_zone *zone, size_t ret_counts[PIN_RECORD_STATES])
{
    memset(ret_counts, 0, PIN_RECORD_STATES * sizeof(*ret_counts));
    for (size_t i = 0; zone->shown != NULL && i < zone->shown->n_rows; i++) {
        ret_counts[zone->shown->rows[i].state]++;
    }
}

/* --- When ------------------------------------------------------------------------------------- */

static void schedule(struct pin_recorder_zone *zone, int64_t wait_ms)
{
    zone->next_ms = pin_clock_mono_ms() + wait_ms;
    pin_timer_start(zone->timer, wait_ms, false);
}

/* How long a run waits that somebody wants: for what else comes, and to leave the server its peace.
 */
static int64_t pause_ms(const struct pin_recorder_zone *zone)
{
    int64_t apart_ms = PIN_MIN(zone->took_ms, (int64_t)APART_MAX_MS);
    int64_t since_ms = pin_clock_mono_ms() - (zone->began_ms + zone->took_ms);
    return zone->n_runs == 0 ? GATHER_MS : PIN_MAX(apart_ms - since_ms, (int64_t)GATHER_MS);
}

void pin_recorder_zone_poke(struct pin_recorder_zone *zone, bool is_urgent)
{
    if (pin_recorder_zone_is_busy(zone)) {
        zone->is_dirty = true;
        zone->keeps_backoff = zone->keeps_backoff && !is_urgent;
        return;
    }
    if (zone->only_plans) { /* this is for the run after that one */
        zone->resume_ms = pin_clock_mono_ms();
    }
    if (is_urgent) {
        zone->backoff = (struct pin_backoff){0};
        schedule(zone, 0);
        return;
    }
    int64_t wait_ms = pause_ms(zone);
    bool is_sooner =
        pin_timer_is_running(zone->timer) && zone->next_ms <= pin_clock_mono_ms() + wait_ms;
    if (zone->stage != PIN_STAGE_BACKOFF && !is_sooner) {
        schedule(zone, wait_ms);
    }
}

void pin_recorder_zone_look(struct pin_recorder_zone *zone)
{
    bool is_busy = pin_recorder_zone_is_busy(zone);
    if (!zone->only_plans) {
        zone->resume_ms = is_busy                             ? pin_clock_mono_ms()
                          : pin_timer_is_running(zone->timer) ? zone->next_ms
                                                              : 0;
    }
    zone->only_plans = true;
    if (is_busy) {
        zone->is_dirty = true;
    } else {
        schedule(zone, 0);
    }
}

void pin_recorder_zone_on_timer(void *zone)
{
    begin(zone);
}

/* The next look for drift: not all zones at once. */
static int64_t drift_ms(const struct pin_recorder_zone *zone)
{
    int64_t interval_ms = (int64_t)zone->entry->interval_s * 1000;
    int64_t wait_ms = interval_ms - interval_ms / 10
                      + pin_rand_below((uint32_t)PIN_MIN(interval_ms / 5, (int64_t)UINT32_MAX) + 1);
    const struct pin_recorder_run *run = zone->shown;
    if (run != NULL && run->next_ms != 0) {
        wait_ms = PIN_MIN(wait_ms, run->next_ms - pin_clock_mono_ms());
    }
    return PIN_MAX(wait_ms, (int64_t)GATHER_MS);
}

/* The zone is in no run any more: one that waits may begin, each in its turn. */
static void leave(const struct pin_recorder_zone *zone)
{
    struct pin_recorder_entry *entry = zone->entry;
    size_t own = (size_t)(zone - entry->zones);
    entry->n_running--;
    for (size_t i = 1; i <= entry->n_zones; i++) {
        struct pin_recorder_zone *other = &entry->zones[(own + i) % entry->n_zones];
        if (other->is_queued) {
            other->is_queued = false;
            schedule(other, 0);
            return;
        }
    }
}

static void end_run(struct pin_recorder_zone *zone)
{
    leave(zone);
    zone->took_ms = pin_clock_mono_ms() - zone->began_ms;
    zone->n_runs++;
    if (zone->is_adopting) { /* an order is tried once */
        free(zone->adopt_from);
        zone->adopt_from = NULL;
        zone->adopt_hash[0] = '\0';
        zone->is_adopting = false;
    }
}

/* The run came to its end; nothing is wrong with the provider. */
static void finish(struct pin_recorder_zone *zone)
{
    size_t n_pending = zone->shown == NULL ? 0 : pin_recorder_run_pending(zone->shown);
    bool is_ours = pin_recorder_zone_may_apply(zone) && !zone->is_only_planning;
    end_run(zone);
    if (zone->keeps_backoff) { /* a look: the run that failed comes when it was to come */
        zone->stage = PIN_STAGE_BACKOFF;
        schedule(zone, PIN_MAX(zone->resume_ms - pin_clock_mono_ms(), (int64_t)GATHER_MS));
        return;
    }
    zone->backoff = (struct pin_backoff){0};
    zone->fault = PIN_PROVIDER_NONE;
    zone->error[0] = '\0';
    zone->error_wall_ms = 0;
    zone->n_bad_runs = 0;
    zone->stage = n_pending > 0 && !is_ours ? PIN_STAGE_PENDING : PIN_STAGE_IDLE;
    if (n_pending == 0) {
        zone->sync_wall_ms = pin_clock_wall_ms();
    }
    if (zone->is_dirty) {
        schedule(zone, pause_ms(zone));
    } else if (zone->is_only_planning && zone->resume_ms != 0) {
        int64_t wait_ms = PIN_MAX(zone->resume_ms - pin_clock_mono_ms(), (int64_t)GATHER_MS);
        schedule(zone, PIN_MIN(wait_ms, drift_ms(zone)));
    } else {
        schedule(zone, drift_ms(zone));
    }
}

/* Something went wrong: later again. */
static void fail(
    struct pin_recorder_zone *zone, int fault, const char *message, int64_t retry_after_ms)
{
    bool is_news = zone->error_wall_ms == 0 || zone->fault != fault;
    end_run(zone);
    zone->fault = fault;
    zone->n_faults[fault]++;
    zone->n_bad_runs++;
    if (zone->error_wall_ms == 0) {
        zone->error_wall_ms = pin_clock_wall_ms();
    }
    (void)snprintf(zone->error, sizeof(zone->error), "%s", message);
    int64_t wait_ms = pin_backoff_next(&zone->backoff, 0, retry_after_ms);
    if (zone->keeps_backoff) {
        wait_ms = PIN_MAX(wait_ms, zone->resume_ms - pin_clock_mono_ms());
    }
    if (is_news) {
        pin_log_warn("records %s: zone %s: %s: %s, trying again in %lld ms", zone->entry->name,
            zone->apex, pin_recorder_fault_text(fault), zone->error, (long long)wait_ms);
    }
    zone->stage = PIN_STAGE_BACKOFF;
    schedule(zone, wait_ms);
}

/* --- Apply ------------------------------------------------------------------------------------ */

/* What the run leaves to do besides: nothing, a look at the zone, or patience. */
struct leftover {
    size_t n_again; /* to be tried again by a later run */
    size_t n_lost;  /* the zone has to be looked at */
    const char *message;
};

static struct leftover look_over(const struct pin_provider_outcome *outcome)
{
    struct leftover leftover = {.message = ""};
    for (size_t i = 0; i < outcome->n_results; i++) {
        const struct pin_provider_result *result = &outcome->results[i];
        bool is_lost =
            result->verdict == PIN_PROVIDER_CONFLICT || result->verdict == PIN_PROVIDER_UNKNOWN;
        leftover.n_again += result->verdict == PIN_PROVIDER_RETRY;
        leftover.n_lost += is_lost;
        if (*leftover.message == '\0' && (is_lost || result->verdict == PIN_PROVIDER_RETRY)) {
            leftover.message = result->message;
        }
    }
    return leftover;
}

static void on_applied(void *arg, const struct pin_provider_outcome *outcome)
{
    struct pin_recorder_zone *zone = arg;
    struct pin_recorder_run *run = zone->is_adopting ? zone->adoption : zone->shown;
    struct leftover leftover = look_over(outcome);
    zone->call = NULL;
    pin_recorder_run_settle(run, outcome, pin_clock_mono_ms(), pin_clock_wall_ms());
    pin_recorder_report(zone, run);
    pin_log_info("records %s: zone %s:%s%s changes=%zu left=%zu blocked=%zu", zone->entry->name,
        zone->apex, zone->is_adopting ? " taken over from owner " : "",
        zone->is_adopting ? run->adopt_from : "", run->plan.n_changes,
        pin_recorder_run_pending(run), run->plan.n_blocked);
    if (zone->is_adopting) {
        pin_recorder_run_free(zone->adoption);
        zone->adoption = NULL;
        zone->is_dirty = true;
    } else {
        pin_recorder_tell_errors(zone);
    }
    zone->must_relist |= leftover.n_lost > 0;
    if (outcome->fault != PIN_PROVIDER_NONE || leftover.n_again + leftover.n_lost > 0) {
        fail(zone, (int)outcome->fault,
            *outcome->message != '\0' ? outcome->message : leftover.message,
            outcome->retry_after_ms);
    } else {
        finish(zone);
    }
}

static void apply(struct pin_recorder_zone *zone, struct pin_recorder_run *run)
{
    struct pin_provider_apply_request request = {.zone = zone->apex,
        .version = run->listing->version,
        .changes = run->parts,
        .n_changes = run->n_parts,
        .done = on_applied,
        .arg = zone};
    zone->stage = PIN_STAGE_APPLYING;
    if (pin_provider_apply(zone->entry->provider, &request, &zone->call) != PIN_OK) {
        zone->call = NULL;
        fail(zone, PIN_PROVIDER_MEMORY, "no memory to apply a plan", -1);
    }
}

/* --- Plan ------------------------------------------------------------------------------------- */

/* A plan of taking over is done when it is the one that was agreed to, else shown. */
static void on_adoption(struct pin_recorder_zone *zone, struct pin_recorder_run *run)
{
    bool is_agreed = zone->adopt_hash[0] != '\0' && strcmp(zone->adopt_hash, run->plan.hash) == 0;
    bool is_old = zone->writer_turn != zone->entry->recorder->writer_turn;
    pin_recorder_run_free(zone->adoption);
    zone->adoption = run;
    zone->is_dirty |= is_old; /* listed by who was not the writer yet */
    if (is_agreed && run->n_parts > 0 && pin_recorder_zone_may_apply(zone) && !is_old) {
        apply(zone, run);
        return;
    }
    finish(zone);
}

static void on_plan(struct pin_recorder_zone *zone, struct pin_recorder_run *run)
{
    pin_recorder_take_drift(zone, run);
    pin_recorder_run_free(zone->shown); /* the rows that these followed */
    run->before = NULL;
    zone->shown = run;
    if (run->approved[0] != '\0') { /* used, or of another plan */
        zone->approved[0] = '\0';
    }
    zone->forgets &= !run->forgets;
    bool is_old = zone->writer_turn != zone->entry->recorder->writer_turn;
    if (is_old) { /* listed by who was not the writer yet */
        zone->is_dirty = true;
    }
    if (run->n_parts > 0 && pin_recorder_zone_may_apply(zone) && !is_old
        && !zone->is_only_planning) {
        apply(zone, run);
        return;
    }
    zone->n_idle_runs += run->plan.n_changes == 0;
    pin_recorder_tell_errors(zone);
    finish(zone);
}

static void work(void *arg)
{
    const struct pin_recorder_zone *zone = arg;
    pin_recorder_run_make(zone->run);
}

static void on_planned(void *arg)
{
    struct pin_recorder_zone *zone = arg;
    struct pin_recorder_run *run = zone->run;
    zone->errand = NULL;
    zone->run = NULL;
    if (run->err != PIN_OK) {
        fail(zone, run->err == PIN_ENOMEM ? PIN_PROVIDER_MEMORY : PIN_RECORDER_FAULT_PLAN,
            run->why.text, -1);
        pin_recorder_run_free(run);
    } else if (run->adopt_from != NULL) {
        on_adoption(zone, run);
    } else {
        on_plan(zone, run);
    }
}

/* What a plan is made of. */
static bool fill(struct pin_recorder_zone *zone, struct pin_recorder_run *run)
{
    const struct pin_recorder_entry *entry = zone->entry;
    const struct pin_provider_limits *limits = &entry->provider->limits;
    static const char *const all[] = {"A", "AAAA", "CAA", "CNAME", "DNAME", "HTTPS", "MX", "NAPTR",
        "NS", "PTR", "SRV", "SSHFP", "SVCB", "TLSA", "TXT"};
    bool has_types = limits->types != NULL;
    *run = (struct pin_recorder_run){.input = {.records = entry->name,
                                         .zone = zone->apex,
                                         .zones_below = zone->below,
                                         .n_zones_below = zone->n_below,
                                         .registry = &entry->registry,
                                         .types = has_types ? limits->types : all,
                                         .n_types = has_types ? limits->n_types : N_ELEMS(all),
                                         .has_set_ids = limits->has_set_ids,
                                         .policy = entry->policy,
                                         .delete_percent = entry->delete_percent},
        .min_ttl_s = limits->min_ttl_s,
        .listing = pin_recorder_sets_use(zone->listing),
        .claims = pin_recorder_sets_use(zone->adjusted != NULL ? zone->adjusted : entry->claims),
        .before = zone->is_adopting ? NULL : zone->shown,
        .now_ms = pin_clock_mono_ms(),
        .wall_ms = pin_clock_wall_ms(),
        .forgets = zone->forgets && !zone->is_only_planning,
        .may_write = pin_recorder_zone_may_apply(zone)};
    if (!zone->is_only_planning) { /* which would use it up */
        memcpy(run->approved, zone->approved, sizeof(run->approved));
    }
    run->adopt_from = zone->is_adopting ? strdup(zone->adopt_from) : NULL;
    return !zone->is_adopting || run->adopt_from != NULL;
}

static void plan(struct pin_recorder_zone *zone)
{
    zone->stage = PIN_STAGE_PLANNING;
    zone->run = calloc(1, sizeof(*zone->run));
    if (zone->run != NULL && fill(zone, zone->run)) {
        zone->errand = pin_errand_start(zone->entry->recorder->loop, work, on_planned, zone);
    }
    if (zone->errand == NULL) {
        pin_recorder_run_free(zone->run);
        zone->run = NULL;
        fail(zone, PIN_PROVIDER_MEMORY, "no memory or no thread for a plan", -1);
    }
}

/* --- Adjust ----------------------------------------------------------------------------------- */

static void drop_adjusted(struct pin_recorder_zone *zone)
{
    pin_recorder_sets_drop(zone->adjusted);
    pin_recorder_sets_drop(zone->adjusted_from);
    pin_recorder_sets_drop(zone->asked);
    pin_recorder_sets_drop(zone->told);
    zone->adjusted = NULL;
    zone->adjusted_from = NULL;
    zone->asked = NULL;
    zone->told = NULL;
}

/* In a thread, like what is asked: 10,000 sets are sorted, looked for, copied. */
static void work_adjusted(void *arg)
{
    struct pin_recorder_zone *zone = arg;
    zone->adjusted = pin_recorder_adjust(zone->adjusted_from, zone->asked, zone->told);
}

static void on_taken(void *arg)
{
    struct pin_recorder_zone *zone = arg;
    zone->errand = NULL;
    pin_recorder_sets_drop(zone->told);
    zone->told = NULL;
    if (zone->adjusted == NULL) {
        drop_adjusted(zone);
        fail(zone, PIN_PROVIDER_MEMORY, "no memory for wanted sets", -1);
        return;
    }
    plan(zone);
}

static void on_adjusted(void *arg, const struct pin_provider_listing *listing)
{
    struct pin_recorder_zone *zone = arg;
    zone->call = NULL;
    if (listing->fault != PIN_PROVIDER_NONE) {
        int64_t retry_after_ms = listing->retry_after_ms;
        drop_adjusted(zone);
        fail(zone, (int)listing->fault, listing->message, retry_after_ms);
        return;
    }
    zone->told = pin_recorder_sets_new(listing->arena, listing->sets, listing->n_sets, "");
    if (zone->told != NULL) {
        zone->errand = pin_errand_start(zone->entry->recorder->loop, work_adjusted, on_taken, zone);
    }
    if (zone->errand == NULL) {
        drop_adjusted(zone);
        fail(zone, PIN_PROVIDER_MEMORY, "no memory or no thread for wanted sets", -1);
    }
}

static void work_asked(void *arg)
{
    struct pin_recorder_zone *zone = arg;
    zone->asked = pin_recorder_ask(zone->adjusted_from, zone->apex);
}

static void on_asked(void *arg)
{
    struct pin_recorder_zone *zone = arg;
    struct pin_provider *provider = zone->entry->provider;
    struct pin_provider_list_request request = {
        .zone = zone->apex, .done = on_adjusted, .arg = zone};
    zone->errand = NULL;
    if (zone->asked == NULL
        || provider->ops->adjust(
               provider, zone->asked->sets, zone->asked->n_sets, &request, &zone->call)
               != PIN_OK) {
        zone->call = NULL;
        drop_adjusted(zone);
        fail(zone, PIN_PROVIDER_MEMORY, "no memory to ask how sets are kept", -1);
    }
}

/* Asks the provider how it would keep what is wanted, once for the same claims. */
static void adjust(struct pin_recorder_zone *zone)
{
    const struct pin_provider *provider = zone->entry->provider;
    struct pin_recorder_sets *claims = zone->entry->claims;
    if (provider->ops->adjust == NULL
        || (zone->adjusted != NULL && zone->adjusted_from == claims)) {
        plan(zone);
        return;
    }
    drop_adjusted(zone);
    zone->adjusted_from = pin_recorder_sets_use(claims);
    zone->stage = PIN_STAGE_ADJUSTING;
    zone->errand = pin_errand_start(zone->entry->recorder->loop, work_asked, on_asked, zone);
    if (zone->errand == NULL) {
        drop_adjusted(zone);
        fail(zone, PIN_PROVIDER_MEMORY, "no memory or no thread to ask how sets are kept", -1);
    }
}

/* --- List ------------------------------------------------------------------------------------- */

static void on_listed(void *arg, const struct pin_provider_listing *listing)
{
    struct pin_recorder_zone *zone = arg;
    zone->call = NULL;
    if (listing->fault != PIN_PROVIDER_NONE) {
        /* what differs may be what makes no sense: the next one is of the whole zone */
        zone->must_relist |= listing->fault == PIN_PROVIDER_MALFORMED;
        fail(zone, (int)listing->fault, listing->message, listing->retry_after_ms);
        return;
    }
    if (listing->is_unchanged && (zone->listing == NULL || zone->must_relist)) {
        fail(zone, PIN_PROVIDER_MALFORMED, "the server says 'unchanged', and was not asked", -1);
        return;
    }
    if (!listing->is_unchanged) {
        const char *version = pin_arena_strdup(listing->arena, listing->version);
        struct pin_recorder_sets *sets =
            pin_recorder_sets_new(listing->arena, listing->sets, listing->n_sets, version);
        if (sets == NULL || version == NULL) {
            pin_recorder_sets_drop(sets);
            fail(zone, PIN_PROVIDER_MEMORY, "no memory for a listing", -1);
            return;
        }
        pin_recorder_sets_drop(zone->listing);
        zone->listing = sets;
    }
    zone->must_relist = false;
    zone->list_wall_ms = pin_clock_wall_ms();
    adjust(zone);
}

static void begin(struct pin_recorder_zone *zone)
{
    const struct pin_recorder *recorder = zone->entry->recorder;
    if (pin_recorder_zone_is_busy(zone) || zone->entry->claims == NULL) {
        return;
    }
    zone->is_queued = zone->entry->n_running >= RUNS_MAX;
    if (zone->is_queued) {
        return;
    }
    zone->entry->n_running++;
    bool knows = zone->listing != NULL && !zone->must_relist && *zone->listing->version != '\0';
    struct pin_provider_list_request request = {.zone = zone->apex,
        .version = knows ? zone->listing->version : NULL,
        .known = knows ? zone->listing->sets : NULL,
        .n_known = knows ? zone->listing->n_sets : 0,
        .done = on_listed,
        .arg = zone};
    pin_timer_stop(zone->timer);
    zone->is_dirty = false;
    zone->is_adopting = zone->adopt_from != NULL;
    zone->is_only_planning = zone->only_plans && !zone->is_adopting;
    zone->only_plans = zone->only_plans && zone->is_adopting;
    zone->is_dirty = zone->only_plans;
    zone->keeps_backoff = zone->is_only_planning && zone->stage == PIN_STAGE_BACKOFF;
    zone->writer_turn = recorder->writer_turn;
    zone->began_ms = pin_clock_mono_ms();
    zone->try_wall_ms = pin_clock_wall_ms();
    zone->stage = PIN_STAGE_LISTING;
    if (pin_provider_list(zone->entry->provider, &request, &zone->call) != PIN_OK) {
        zone->call = NULL;
        fail(zone, PIN_PROVIDER_MEMORY, "no memory to read the zone", -1);
    }
}

/* --- Who writes, and the end ------------------------------------------------------------------ */

void pin_recorder_zone_on_writer(struct pin_recorder_zone *zone, bool is_writer)
{
    if (is_writer) {
        zone->must_relist = true;
        if (zone->stage == PIN_STAGE_LISTING) { /* it began too early */
            pin_provider_cancel(zone->call);
            zone->call = NULL;
            zone->stage = PIN_STAGE_IDLE;
            zone->only_plans |= zone->is_only_planning; /* the order stands */
            leave(zone);
        }
        pin_recorder_zone_poke(zone, true);
    } else if (zone->stage == PIN_STAGE_APPLYING) {
        pin_provider_cancel(zone->call);
        zone->call = NULL;
        zone->must_relist = true;
        zone->is_dirty = true;
        finish(zone);
    }
}

void pin_recorder_zone_done(struct pin_recorder_zone *zone)
{
    pin_errand_cancel(zone->errand);
    pin_provider_cancel(zone->call);
    pin_timer_free(zone->timer);
    pin_recorder_run_free(zone->run);
    pin_recorder_run_free(zone->shown);
    pin_recorder_run_free(zone->adoption);
    drop_adjusted(zone);
    pin_recorder_sets_drop(zone->listing);
    pin_recorder_forget_drift(zone, 0);
    free(zone->adopt_from);
    free(zone->below);
    free(zone->apex);
}
