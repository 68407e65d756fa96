/* SPDX-License-Identifier: Apache-2.0 */

/* What the admin page shows of records, and what it is asked to have done. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/macros.h"

#include "recorder_state.h"

#define CURSOR_BYTES 96

/* --- Parts ------------------------------------------------------------------------------------ */

static void put_age(struct pin_jsonout *out, const char *key, int64_t since_wall_ms)
{
    pin_jsonout_key(out, key);
    if (since_wall_ms == 0) {
        pin_jsonout_null(out);
    } else {
        double age_ms = (double)(pin_clock_wall_ms() - since_wall_ms);
        pin_jsonout_double(out, PIN_MAX(age_ms, 0.0) / 1000.0);
    }
}

static void put_set(struct pin_jsonout *out, const char *key, const struct pin_recordset *set)
{
    pin_jsonout_key(out, key);
    if (set == NULL) {
        pin_jsonout_null(out);
        return;
    }
    pin_jsonout_object(out);
    pin_jsonout_key_uint(out, "ttl", set->ttl_s);
    pin_jsonout_key(out, "values");
    pin_jsonout_array(out);
    for (size_t i = 0; i < set->n_values; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "text", set->values[i].text);
        pin_jsonout_key_strings(
            out, "clusters", set->values[i].clusters, set->values[i].n_clusters);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_key(out, "properties");
    pin_jsonout_object(out);
    for (size_t i = 0; i < set->n_properties; i++) {
        pin_jsonout_key_string(out, set->properties[i].name, set->properties[i].value);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

static void put_source(struct pin_jsonout *out, const struct pin_recordset_source *source)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "cluster", source->cluster);
    pin_jsonout_key_string(out, "kind", source->kind);
    pin_jsonout_key_string(out, "namespace", source->namespace_name);
    pin_jsonout_key_string(out, "name", source->name);
    pin_jsonout_end(out);
}

/* Opens an object that says which zone it is about. */
static void open_item(struct pin_jsonout *out, const struct pin_recorder_zone *zone)
{
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "records", zone->entry->name);
    pin_jsonout_key_string(out, "zone", zone->apex);
}

static void put_key(struct pin_jsonout *out, const char *name, const char *type, const char *set_id)
{
    pin_jsonout_key_string(out, "name", name);
    pin_jsonout_key_string(out, "type", type);
    pin_jsonout_key_string(out, "setId", set_id);
}

/* --- Which zones ------------------------------------------------------------------------------ */

static bool is_meant(const struct pin_recorder_zone *zone, const char *records, const char *apex)
{
    return (records == NULL || strcmp(zone->entry->name, records) == 0)
           && (apex == NULL || strcmp(zone->apex, apex) == 0);
}

enum pin_err pin_recorder_check(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_why *why)
{
    bool has_entry = query->records == NULL;
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        has_entry |= is_meant(zone, query->records, NULL);
        if (is_meant(zone, query->records, query->zone)) {
            return PIN_OK;
        }
    }
    if (!has_entry) {
        return pin_why_set(why, PIN_ENOTFOUND, "there are no records '%.64s'", query->records);
    }
    return query->zone == NULL
               ? PIN_OK
               : pin_why_set(why, PIN_ENOTFOUND, "records %.64s have no zone '%.255s'",
                   query->records != NULL ? query->records : "", query->zone);
}

/* Where a page begins: "zone number:item number". */
struct cursor {
    size_t zone_i;
    size_t item_i;
};

static struct cursor read_cursor(const char *text)
{
    char *end = NULL;
    struct cursor cursor = {0};
    if (text == NULL) {
        return cursor;
    }
    cursor.zone_i = strtoul(text, &end, 10);
    cursor.item_i = *end == ':' ? strtoul(end + 1, NULL, 10) : 0;
    return cursor;
}

static void put_next(struct pin_jsonout *out, bool has_next, const struct cursor *next)
{
    char text[CURSOR_BYTES];
    (void)snprintf(text, sizeof(text), "%zu:%zu", next->zone_i, next->item_i);
    pin_jsonout_key_string(out, "next", has_next ? text : NULL);
}

/* --- Overview --------------------------------------------------------------------------------- */

static const char *stage_text(enum pin_recorder_stage stage)
{
    static const char *const words[] = {
        [PIN_STAGE_WAITING] = "waiting",
        [PIN_STAGE_LISTING] = "listing",
        [PIN_STAGE_ADJUSTING] = "listing",
        [PIN_STAGE_PLANNING] = "planning",
        [PIN_STAGE_APPLYING] = "applying",
        [PIN_STAGE_IDLE] = "idle",
        [PIN_STAGE_PENDING] = "pending",
        [PIN_STAGE_BACKOFF] = "backoff",
    };
    return words[stage];
}

static const char *policy_text(enum pin_recordplan_policy policy)
{
    static const char *const words[] = {
        [PIN_RECORDPLAN_SYNC] = "sync",
        [PIN_RECORDPLAN_UPSERT_ONLY] = "upsert-only",
        [PIN_RECORDPLAN_CREATE_ONLY] = "create-only",
    };
    return words[policy];
}

static void put_counts(const struct pin_recorder_zone *zone, struct pin_jsonout *out)
{
    size_t counts[PIN_RECORD_STATES];
    const struct pin_recorder_run *run = zone->shown;
    pin_recorder_zone_counts(zone, counts);
    pin_jsonout_key_uint(out, "wanted", run == NULL ? 0 : run->n_wanted);
    pin_jsonout_key_uint(out, "owned", run == NULL ? 0 : run->plan.n_owned);
    pin_jsonout_key_uint(out, "ready", counts[PIN_RECORD_READY]);
    pin_jsonout_key_uint(out, "pending", run == NULL ? 0 : pin_recorder_run_pending(run));
    pin_jsonout_key_uint(out, "blocked", run == NULL ? 0 : run->plan.n_blocked);
    pin_jsonout_key_uint(out, "conflicts", run == NULL ? 0 : run->plan.n_conflicts);
    pin_jsonout_key_uint(out, "refused", counts[PIN_RECORD_REFUSED]);
    pin_jsonout_key_string(out, "hash", run == NULL ? "" : run->plan.hash);
    pin_jsonout_key_string(out, "approval", run == NULL ? "" : run->plan.approval);
    pin_jsonout_key_uint(out, "deletes", run == NULL ? 0 : run->plan.n_deletes);
    pin_jsonout_key_uint(out, "deletesMax", run == NULL ? 0 : run->plan.deletes_max);
}

static void put_zone(const struct pin_recorder_zone *zone, struct pin_jsonout *out)
{
    const struct pin_recorder_run *adoption = zone->adoption;
    pin_jsonout_object(out);
    pin_jsonout_key_string(out, "zone", zone->apex);
    pin_jsonout_key_string(out, "state", stage_text(zone->stage));
    pin_jsonout_key_uint(out, "runs", zone->n_runs);
    put_counts(zone, out);
    put_age(out, "listAgeSeconds", zone->list_wall_ms);
    put_age(out, "syncAgeSeconds", zone->sync_wall_ms);
    put_age(out, "changeAgeSeconds", zone->change_wall_ms);
    pin_jsonout_key(out, "nextSeconds");
    if (pin_timer_is_running(zone->timer)) {
        int64_t left_ms = zone->next_ms - pin_clock_mono_ms();
        pin_jsonout_double(out, (double)PIN_MAX(left_ms, (int64_t)0) / 1000.0);
    } else {
        pin_jsonout_null(out);
    }
    pin_jsonout_key_string(out, "fault", pin_recorder_fault_text(zone->fault));
    pin_jsonout_key_string(out, "error", zone->error);
    put_age(out, "errorAgeSeconds", zone->error_wall_ms);
    pin_jsonout_key(out, "adoption");
    if (adoption == NULL) {
        pin_jsonout_null(out);
    } else {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "fromOwner", adoption->adopt_from);
        pin_jsonout_key_string(out, "hash", adoption->plan.hash);
        pin_jsonout_key_uint(out, "changes", adoption->plan.n_changes);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
}

void pin_recorder_overview_json(const struct pin_recorder *recorder, struct pin_jsonout *out)
{
    pin_jsonout_object(out);
    pin_jsonout_key(out, "items");
    pin_jsonout_array(out);
    for (size_t i = 0; i < recorder->n_entries; i++) {
        const struct pin_recorder_entry *entry = &recorder->entries[i];
        const struct pin_recorder_sets *claims = entry->claims;
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "records", entry->name);
        pin_jsonout_key_string(out, "provider", entry->provider->ops->kind);
        pin_jsonout_key_string(out, "owner", entry->registry.owner);
        pin_jsonout_key_string(out, "policy", policy_text(entry->policy));
        pin_jsonout_key_bool(out, "dryRun", entry->is_dry_run);
        pin_jsonout_key_uint(out, "intervalSeconds", entry->interval_s);
        pin_jsonout_key_uint(out, "maxDeletesPercent", entry->delete_percent);
        pin_jsonout_key_bool(out, "isWriter", recorder->is_writer);
        pin_jsonout_key_string(out, "holder", recorder->holder);
        pin_jsonout_key_string(out, "writerError", recorder->error);
        pin_jsonout_key_strings(out, "unsynced", claims == NULL ? NULL : claims->unsynced,
            claims == NULL ? 0 : claims->n_unsynced);
        pin_jsonout_key_uint(out, "invalid", entry->n_invalid);
        pin_jsonout_key_uint(out, "untargeted", entry->n_untargeted);
        pin_jsonout_key_uint(out, "oversized", entry->n_oversized);
        pin_jsonout_key(out, "zones");
        pin_jsonout_array(out);
        for (size_t k = 0; k < entry->n_zones; k++) {
            put_zone(&entry->zones[k], out);
        }
        pin_jsonout_end(out);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

/* --- List ------------------------------------------------------------------------------------- */

static void put_row(const struct pin_recorder_zone *zone, const struct pin_recorder_row *row,
    struct pin_jsonout *out)
{
    open_item(out, zone);
    put_key(out, row->name, row->type, row->set_id);
    pin_jsonout_key_string(out, "state", pin_recorder_state_text(row->state));
    pin_jsonout_key_string(out, "owner", row->owner);
    put_set(out, "desired", row->desired);
    put_set(out, "actual", row->actual);
    pin_jsonout_key(out, "objects");
    pin_jsonout_array(out);
    for (size_t i = 0; i < row->n_sources; i++) {
        put_source(out, &row->sources[i]);
    }
    pin_jsonout_end(out);
    pin_jsonout_key_string(out, "conflict", row->conflict);
    pin_jsonout_key_string(out, "error", row->error);
    put_age(out, "sinceAgeSeconds", row->since_wall_ms);
    pin_jsonout_end(out);
}

void pin_recorder_list_json(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out)
{
    struct cursor from = read_cursor(query->after);
    struct cursor next = {0};
    bool has_next = false;
    size_t n = 0;
    size_t zone_i = 0;
    pin_jsonout_object(out);
    pin_jsonout_key(out, "items");
    pin_jsonout_array(out);
    for (const struct pin_recorder_zone *zone = NULL;
         !has_next && (zone = pin_recorder_next_zone(recorder, zone)) != NULL; zone_i++) {
        const struct pin_recorder_run *run = zone->shown;
        size_t i = zone_i == from.zone_i ? from.item_i : 0;
        bool is_seen =
            zone_i < from.zone_i || run == NULL || !is_meant(zone, query->records, query->zone);
        for (; !is_seen && i < run->n_rows && !has_next; i++) {
            if (query->name != NULL && strcmp(run->rows[i].name, query->name) != 0) {
                continue;
            }
            has_next = n == PIN_RECORDER_PAGE_ITEMS;
            next = (struct cursor){zone_i, i};
            if (!has_next) {
                put_row(zone, &run->rows[i], out);
                n++;
            }
        }
    }
    pin_jsonout_end(out);
    put_next(out, has_next, &next);
    pin_jsonout_end(out);
}

/* --- Plan ------------------------------------------------------------------------------------- */

static const struct pin_recorder_run *plan_of(
    const struct pin_recorder_zone *zone, const struct pin_recorder_query *query)
{
    return query->is_adoption ? zone->adoption : zone->shown;
}

static void put_plan(const struct pin_recorder_zone *zone, const struct pin_recorder_run *run,
    struct pin_jsonout *out)
{
    const struct pin_recordplan *plan = &run->plan;
    open_item(out, zone);
    pin_jsonout_key_string(out, "hash", plan->hash);
    pin_jsonout_key_string(out, "approval", plan->approval);
    put_age(out, "ageSeconds", run->wall_ms);
    pin_jsonout_key_bool(out, "isDryRun", zone->entry->is_dry_run);
    pin_jsonout_key_bool(out, "isApplying", zone->stage == PIN_STAGE_APPLYING);
    pin_jsonout_key_string(out, "adoptFrom", run->adopt_from);
    pin_jsonout_key_strings(out, "unsynced", run->input.unsynced, run->input.n_unsynced);
    pin_jsonout_key_uint(out, "changes", plan->n_changes);
    pin_jsonout_key_uint(out, "pending", pin_recorder_run_pending(run));
    pin_jsonout_key_uint(out, "blocked", plan->n_blocked);
    pin_jsonout_key_uint(out, "conflicts", plan->n_conflicts);
    pin_jsonout_key_uint(out, "owned", plan->n_owned);
    pin_jsonout_key_uint(out, "deletes", plan->n_deletes);
    pin_jsonout_key_uint(out, "deletesMax", plan->deletes_max);
    pin_jsonout_end(out);
}

/* `result` is NULL for what is blocked. */
static void put_change(const struct pin_recorder_zone *zone,
    const struct pin_recordplan_change *change, const struct pin_recorder_result *result,
    struct pin_jsonout *out)
{
    static const char *const ops[] = {"delete", "update", "create"};
    bool is_said = result != NULL && result->is_said;
    open_item(out, zone);
    pin_jsonout_key_string(out, "op", ops[change->op]);
    pin_jsonout_key_bool(out, "isBlocked", result == NULL);
    pin_jsonout_key_bool(out, "isReplaced", change->is_replaced);
    put_key(out, change->name, change->type, change->set_id);
    put_set(out, "old", change->old_set);
    put_set(out, "new", change->new_set);
    pin_jsonout_key(out, "txts");
    pin_jsonout_array(out);
    for (size_t i = 0; i < change->n_txts; i++) {
        pin_jsonout_object(out);
        pin_jsonout_key_string(out, "name", change->txts[i].name);
        pin_jsonout_key_string(out, "old", change->txts[i].old_value);
        pin_jsonout_key_string(out, "new", change->txts[i].new_value);
        pin_jsonout_end(out);
    }
    pin_jsonout_end(out);
    pin_jsonout_key_string(
        out, "result", is_said ? pin_provider_verdict_text(result->verdict) : NULL);
    pin_jsonout_key_string(out, "message", is_said ? result->message : "");
    pin_jsonout_end(out);
}

static void put_plans(const struct pin_recorder *recorder, const struct pin_recorder_query *query,
    struct pin_jsonout *out)
{
    pin_jsonout_key(out, "plans");
    pin_jsonout_array(out);
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        if (is_meant(zone, query->records, query->zone) && plan_of(zone, query) != NULL) {
            put_plan(zone, plan_of(zone, query), out);
        }
    }
    pin_jsonout_end(out);
}

/* Changes, then what is blocked. */
static void put_changes(const struct pin_recorder *recorder, const struct pin_recorder_query *query,
    struct pin_jsonout *out)
{
    struct cursor from = read_cursor(query->after);
    struct cursor next = {0};
    bool has_next = false;
    size_t n = 0;
    size_t zone_i = 0;
    pin_jsonout_key(out, "changes");
    pin_jsonout_array(out);
    for (const struct pin_recorder_zone *zone = NULL;
         !has_next && (zone = pin_recorder_next_zone(recorder, zone)) != NULL; zone_i++) {
        const struct pin_recorder_run *run = plan_of(zone, query);
        bool is_seen =
            zone_i < from.zone_i || run == NULL || !is_meant(zone, query->records, query->zone);
        size_t n_changes = is_seen ? 0 : run->plan.n_changes;
        size_t n_all = is_seen ? 0 : n_changes + run->plan.n_blocked;
        for (size_t i = zone_i == from.zone_i ? from.item_i : 0; i < n_all && !has_next; i++) {
            has_next = n == PIN_RECORDER_PAGE_ITEMS;
            next = (struct cursor){zone_i, i};
            if (!has_next && i < n_changes) {
                put_change(zone, &run->plan.changes[i], &run->results[i], out);
            } else if (!has_next) {
                put_change(zone, &run->plan.blocked[i - n_changes], NULL, out);
            }
            n++;
        }
    }
    pin_jsonout_end(out);
    put_next(out, has_next, &next);
}

static void put_conflicts(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out)
{
    size_t n = 0;
    pin_jsonout_key(out, "conflicts");
    pin_jsonout_array(out);
    for (const struct pin_recorder_zone *zone = NULL;
         query->after == NULL && (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        const struct pin_recorder_run *run = plan_of(zone, query);
        bool is_one = run != NULL && is_meant(zone, query->records, query->zone);
        for (size_t i = 0; is_one && i < run->plan.n_conflicts && n < PIN_RECORDER_PAGE_ITEMS;
             i++, n++) {
            const struct pin_recordplan_conflict *conflict = &run->plan.conflicts[i];
            open_item(out, zone);
            pin_jsonout_key_string(out, "kind", pin_recordplan_conflict_str(conflict->kind));
            put_key(out, conflict->name, conflict->type, conflict->set_id);
            pin_jsonout_key(out, "object");
            put_source(out, &conflict->source);
            pin_jsonout_key_string(out, "detail", conflict->detail);
            pin_jsonout_end(out);
        }
    }
    pin_jsonout_end(out);
}

void pin_recorder_plan_json(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out)
{
    pin_jsonout_object(out);
    put_plans(recorder, query, out);
    put_changes(recorder, query, out);
    put_conflicts(recorder, query, out);
    pin_jsonout_end(out);
}

/* --- Drift ------------------------------------------------------------------------------------ */

void pin_recorder_drift_json(const struct pin_recorder *recorder,
    const struct pin_recorder_query *query, struct pin_jsonout *out)
{
    pin_jsonout_object(out);
    pin_jsonout_key(out, "items");
    pin_jsonout_array(out);
    for (const struct pin_recorder_zone *zone = NULL;
         (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        bool is_one = is_meant(zone, query->records, query->zone);
        for (const struct pin_recorder_found *found = is_one ? zone->found : NULL; found != NULL;
             found = found->next) {
            const struct pin_recorder_row *row =
                pin_recorder_run_row(zone->shown, found->name, found->type, found->set_id);
            open_item(out, zone);
            put_key(out, found->name, found->type, found->set_id);
            put_set(out, "expected", found->expected);
            put_set(out, "found", found->found);
            put_age(out, "ageSeconds", found->wall_ms);
            pin_jsonout_key_bool(out, "isRepaired", row == NULL || row->state == PIN_RECORD_READY);
            pin_jsonout_end(out);
        }
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
}

/* --- Orders ----------------------------------------------------------------------------------- */

static bool has_text(const char *text)
{
    return text != NULL && *text != '\0';
}

static enum pin_err check_writing(const struct pin_recorder_zone *zone, struct pin_why *why)
{
    if (zone->entry->is_dry_run) {
        return pin_why_set(why, PIN_EBUSY, "records %.64s: dryRun is set, so nothing is written",
            zone->entry->name);
    }
    if (!zone->entry->recorder->is_writer && zone->entry->recorder->holder[0] == '\0') {
        return pin_why_set(why, PIN_EBUSY,
            "nobody is known to be the writer%s%.200s; to do: try again in 15 s, then look whether "
            "what recordsLease names can be reached",
            zone->entry->recorder->error[0] != '\0' ? ": " : " yet", zone->entry->recorder->error);
    }
    if (!zone->entry->recorder->is_writer) {
        return pin_why_set(why, PIN_EBUSY, "somebody else is the writer now: %.200s",
            zone->entry->recorder->holder);
    }
    return PIN_OK;
}

/* Whether the hash is that of a plan as it is now. */
static enum pin_err check_hash(
    const struct pin_recorder_zone *zone, const char *hash, const char *now, struct pin_why *why)
{
    return now != NULL && *now != '\0' && strcmp(hash, now) == 0
               ? PIN_OK
               : pin_why_set(why, PIN_EBUSY,
                   "zone %.255s: '%.40s' is not what is planned now, which is '%.40s'", zone->apex,
                   hash, now != NULL ? now : "");
}

static enum pin_err check_order(const struct pin_recorder_zone *zone,
    const struct pin_recorder_order *order, struct pin_why *why)
{
    const struct pin_recordplan *plan = zone->shown == NULL ? NULL : &zone->shown->plan;
    bool only_plans = order->kind == PIN_RECORDER_LOOK
                      || (order->kind == PIN_RECORDER_ADOPT && !has_text(order->hash));
    enum pin_err err = only_plans ? PIN_OK : check_writing(zone, why);
    if (err == PIN_OK && order->kind == PIN_RECORDER_APPROVE) {
        err = check_hash(zone, order->hash, plan == NULL ? NULL : plan->approval, why);
    } else if (err == PIN_OK && order->kind == PIN_RECORDER_APPLY && has_text(order->hash)) {
        err = check_hash(zone, order->hash, plan == NULL ? NULL : plan->hash, why);
    } else if (err == PIN_OK && order->kind == PIN_RECORDER_ADOPT) {
        if (zone->adopt_from != NULL) {
            err = pin_why_set(why, PIN_EBUSY, "zone %.255s: an adoption is under way", zone->apex);
        } else if (has_text(order->hash)) {
            bool is_same = zone->adoption != NULL
                           && strcmp(zone->adoption->adopt_from, order->from_owner) == 0;
            err = check_hash(zone, order->hash, is_same ? zone->adoption->plan.hash : NULL, why);
        }
    }
    return err;
}

static enum pin_err check_form(const struct pin_recorder_order *order, struct pin_why *why)
{
    bool is_one = order->records != NULL && order->zone != NULL;
    if ((order->kind == PIN_RECORDER_APPROVE || order->kind == PIN_RECORDER_ADOPT) && !is_one) {
        return pin_why_set(why, PIN_EINVAL, "say which records and which zone");
    }
    if (order->kind == PIN_RECORDER_APPROVE && !has_text(order->hash)) {
        return pin_why_set(why, PIN_EINVAL, "say the hash of what is approved");
    }
    if (order->kind == PIN_RECORDER_ADOPT && !has_text(order->from_owner)) {
        return pin_why_set(why, PIN_EINVAL, "say whose records are taken over: fromOwner");
    }
    if (order->kind == PIN_RECORDER_APPLY && has_text(order->hash) && !is_one) {
        return pin_why_set(why, PIN_EINVAL, "a hash is that of one zone: say which");
    }
    return PIN_OK;
}

/* Has it begun; what could be wrong was looked at. */
static enum pin_err begin(
    struct pin_recorder_zone *zone, const struct pin_recorder_order *order, struct pin_why *why)
{
    switch (order->kind) {
    case PIN_RECORDER_APPROVE:
        (void)snprintf(zone->approved, sizeof(zone->approved), "%s", order->hash);
        break;
    case PIN_RECORDER_ADOPT:
        zone->adopt_from = strdup(order->from_owner);
        if (zone->adopt_from == NULL) {
            return pin_why_set(why, PIN_ENOMEM, "memory is out");
        }
        (void)snprintf(zone->adopt_hash, sizeof(zone->adopt_hash), "%s",
            has_text(order->hash) ? order->hash : "");
        break;
    case PIN_RECORDER_LOOK:
        pin_recorder_zone_look(zone);
        return PIN_OK;
    default:
        zone->forgets = true;
        break;
    }
    pin_recorder_zone_poke(zone, true);
    return PIN_OK;
}

enum pin_err pin_recorder_order(struct pin_recorder *recorder,
    const struct pin_recorder_order *order, struct pin_jsonout *out, struct pin_why *why)
{
    const struct pin_recorder_query query = {.records = order->records, .zone = order->zone};
    enum pin_err err = check_form(order, why);
    if (err == PIN_OK) {
        err = pin_recorder_check(recorder, &query, why);
    }
    for (const struct pin_recorder_zone *zone = NULL;
         err == PIN_OK && (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        if (is_meant(zone, order->records, order->zone)) {
            err = check_order(zone, order, why);
        }
    }
    if (err != PIN_OK) {
        return err;
    }
    pin_jsonout_object(out);
    pin_jsonout_key(out, "items");
    pin_jsonout_array(out);
    for (struct pin_recorder_zone *zone = NULL;
         err == PIN_OK && (zone = pin_recorder_next_zone(recorder, zone)) != NULL;) {
        if (is_meant(zone, order->records, order->zone)) {
            /* a look that was ordered before applies nothing: what is asked for comes after it */
            bool has_look = zone->only_plans && order->kind != PIN_RECORDER_LOOK
                            && order->kind != PIN_RECORDER_ADOPT;
            uint64_t n_ran = zone->n_runs;
            uint64_t n_runs =
                n_ran + (pin_recorder_zone_is_busy(zone) ? 1 : 0) + (has_look ? 1 : 0);
            err = begin(zone, order, why);
            open_item(out, zone);
            pin_jsonout_key_uint(out, "runs", n_runs);
            pin_jsonout_key_uint(out, "ran", n_ran);
            pin_jsonout_end(out);
        }
    }
    pin_jsonout_end(out);
    pin_jsonout_end(out);
    return err;
}
