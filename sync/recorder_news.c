/* SPDX-License-Identifier: Apache-2.0 */

/* What a run has to tell: records that were done, refused or held, and what others have changed. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"

#include "recorder_state.h"

/* An object without an address is told of after that; a short while is a rollout. */
#define HELD_MS ((int64_t)600 * 1000)
#define HELD_TEXT                                                                                  \
    "have had no address for 10 min: what they gave is kept; to do: look at their status"
#define DRIFT_MAX_BYTES ((size_t)1 << 20)

/* --- News ------------------------------------------------------------------------------------- */

/* Tells the objects of a record. */
static void tell(struct pin_recorder_zone *zone, struct pin_recorder_event *event,
    const struct pin_recordset_source *sources, size_t n_sources)
{
    const struct pin_recorder *recorder = zone->entry->recorder;
    event->records = zone->entry->name;
    event->zone = zone->apex;
    for (size_t i = 0; recorder->on_event != NULL && i < n_sources; i++) {
        event->source = &sources[i];
        recorder->on_event(recorder->arg, event);
    }
}

static void tell_conflicts(struct pin_recorder_zone *zone, size_t *n)
{
    struct pin_recorder_run *run = zone->shown;
    for (size_t i = 0; i < run->plan.n_conflicts && *n < PIN_RECORDER_EVENTS_MAX; i++) {
        const struct pin_recordplan_conflict *conflict = &run->plan.conflicts[i];
        const struct pin_recorder_row *row =
            pin_recorder_run_row(run, conflict->name, conflict->type, conflict->set_id);
        if (row != NULL && !row->is_told && conflict->kind != PIN_RECORDPLAN_WAITING) {
            struct pin_recorder_event event = {.news = PIN_RECORDER_ERROR,
                .name = conflict->name,
                .type = conflict->type,
                .detail = conflict->detail};
            tell(zone, &event, &conflict->source, 1);
            ++*n;
        }
    }
}

static bool is_rival(const struct pin_recorder_row *row)
{
    return strcmp(row->conflict, PIN_RECORDER_RIVAL) == 0;
}

/* Who wants a record has had no address for it for too long; what it gave stays. */
static bool is_held_long(const struct pin_recorder_run *run, const struct pin_recorder_row *row)
{
    return row->state == PIN_RECORD_WAITING && row->desired != NULL && row->desired->n_holds > 0
           && run->wall_ms - row->since_wall_ms >= HELD_MS;
}

static void tell_row(struct pin_recorder_zone *zone, const struct pin_recorder_row *row)
{
    struct pin_recorder_event event = {.news = PIN_RECORDER_ERROR,
        .name = row->name,
        .type = row->type,
        .detail = row->state == PIN_RECORD_WAITING ? HELD_TEXT : row->error};
    tell(zone, &event, row->sources, row->n_sources);
}

/* Records that are in conflict, refused, or held for long, and of which nobody was told yet. */
void pin_recorder_tell_errors(struct pin_recorder_zone *zone)
{
    struct pin_recorder_run *run = zone->shown;
    size_t n = 0;
    size_t n_rivals = 0;
    size_t n_held = 0;
    tell_conflicts(zone, &n);
    for (size_t i = 0; i < run->n_rows; i++) {
        struct pin_recorder_row *row = &run->rows[i];
        bool is_long = is_held_long(run, row);
        if ((is_long || row->state == PIN_RECORD_REFUSED) && !row->is_told) {
            n_rivals += is_rival(row);
            n_held += is_long;
            if (n++ < PIN_RECORDER_EVENTS_MAX) {
                tell_row(zone, row);
            }
        }
        row->is_told |= is_long || row->state == PIN_RECORD_REFUSED || *row->conflict != '\0';
    }
    if (n_rivals > 0) {
        pin_log_error(
            "records %s: zone %s: %zu records are undone each time they are written: does "
            "another writer have owner %s, too? They are left alone for 30 min; to do: "
            "stop it, or give each an owner of its own",
            zone->entry->name, zone->apex, n_rivals, zone->entry->registry.owner);
    }
    if (n_held > 0) {
        pin_log_warn("records %s: zone %s: the objects of %zu records " HELD_TEXT,
            zone->entry->name, zone->apex, n_held);
    }
}

/* Values of a set, as many as fit. */
static void put_values(const struct pin_recordset *set, char *text, size_t text_bytes)
{
    size_t used = 0;
    text[0] = '\0';
    for (size_t i = 0; set != NULL && i < set->n_values && used < text_bytes; i++) {
        int n = snprintf(
            text + used, text_bytes - used, "%s%s", i == 0 ? "" : " ", set->values[i].text);
        used += n > 0 ? (size_t)n : 0;
    }
}

/* Counts what became of changes, and tells of those that were done. */
void pin_recorder_report(struct pin_recorder_zone *zone, const struct pin_recorder_run *run)
{
    size_t n_told = 0;
    for (size_t i = 0; i < run->plan.n_changes; i++) {
        const struct pin_recordplan_change *change = &run->plan.changes[i];
        const struct pin_recorder_result *result = &run->results[i];
        if (!result->is_said || run->part_of[i] == SIZE_MAX) {
            continue;
        }
        zone->n_changes[change->op][result->verdict]++;
        bool is_done = result->verdict == PIN_PROVIDER_APPLIED;
        zone->change_wall_ms = is_done ? pin_clock_wall_ms() : zone->change_wall_ms;
        if (is_done && run->row_of != NULL && run->row_of[i] != SIZE_MAX
            && n_told++ < PIN_RECORDER_EVENTS_MAX) {
            char values[256];
            const struct pin_recorder_row *row = &run->rows[run->row_of[i]];
            bool goes = change->op == PIN_RECORDPLAN_DELETE;
            put_values(goes ? change->old_set : change->new_set, values, sizeof(values));
            struct pin_recorder_event event = {
                .news = goes ? PIN_RECORDER_DELETED : PIN_RECORDER_READY,
                .name = change->name,
                .type = change->type,
                .detail = values};
            tell(zone, &event, row->sources, row->n_sources);
        }
    }
}

/* --- Drift ------------------------------------------------------------------------------------ */

static void found_free(struct pin_recorder_found *found)
{
    pin_arena_free(found->arena);
    free(found);
}

static const struct pin_recordset *keep_set(
    struct pin_arena *arena, const struct pin_recordset *set)
{
    struct pin_recordset *copy = set == NULL ? NULL : pin_arena_alloc(arena, sizeof(*copy));
    return copy != NULL && pin_recordset_copy(arena, set, copy) ? copy : NULL;
}

static void remember(struct pin_recorder_zone *zone, const struct pin_recorder_drift *drift)
{
    struct pin_recorder_found *found = calloc(1, sizeof(*found));
    struct pin_arena *arena = pin_arena_new("records drift", DRIFT_MAX_BYTES);
    if (found == NULL || arena == NULL) {
        pin_arena_free(arena);
        free(found);
        return;
    }
    *found = (struct pin_recorder_found){.next = zone->found,
        .wall_ms = pin_clock_wall_ms(),
        .arena = arena,
        .name = pin_arena_strdup(arena, drift->row->name),
        .type = pin_arena_strdup(arena, drift->row->type),
        .set_id = pin_arena_strdup(arena, drift->row->set_id),
        .expected = keep_set(arena, drift->expected),
        .found = keep_set(arena, drift->found)};
    if (found->name == NULL || found->type == NULL || found->set_id == NULL) {
        found_free(found);
        return;
    }
    zone->found = found;
    zone->n_found++;
}

void pin_recorder_forget_drift(struct pin_recorder_zone *zone, size_t n_kept)
{
    struct pin_recorder_found **at = &zone->found;
    for (size_t i = 0; i < n_kept && *at != NULL; i++) {
        at = &(*at)->next;
    }
    while (*at != NULL) {
        struct pin_recorder_found *found = *at;
        *at = found->next;
        found_free(found);
        zone->n_found--;
    }
}

void pin_recorder_take_drift(struct pin_recorder_zone *zone, const struct pin_recorder_run *run)
{
    size_t n = PIN_MIN(run->n_drift, (size_t)PIN_RECORDER_DRIFT_MAX);
    zone->n_drift += run->n_drift;
    for (size_t i = 0; i < n; i++) {
        remember(zone, &run->drift[i]);
    }
    pin_recorder_forget_drift(zone, PIN_RECORDER_DRIFT_MAX);
    if (run->n_drift > 0) {
        pin_log_warn("records %s: zone %s: %zu records are not as we left them, %s first",
            zone->entry->name, zone->apex, run->n_drift, run->drift[0].row->name);
    }
}
