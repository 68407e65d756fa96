/* SPDX-License-Identifier: Apache-2.0 */

/* How each record of a zone stands, and what was found otherwise than we left it. */

#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/hash.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#include "recorder_run.h"

/* A refused record is tried again after a minute, then twice as long each time. */
#define REFUSED_FIRST_MS ((int64_t)60000)
#define REFUSED_DOUBLES  6u
/* Writes of one record that follow each other closely: so many are free, then they are spaced. */
#define WRITES_FREE  10u
#define WRITES_LAST  20u
#define CALM_MS      ((int64_t)300000)
#define SPACE_MIN_MS ((int64_t)10000)
#define SPACE_MAX_MS ((int64_t)60000)
/* Writes closer than that follow each other; longer than the longest space, or no spaced write
 * would. */
#define CLOSE_MS (2 * SPACE_MAX_MS)
/* A record that was put right so often, and undone each time, has another writer. */
#define UNDONE_MAX 3u
/* Who deletes gives way before who creates: what both leave alone then is there. */
#define UNDELETED_MAX  2u
#define UNDONE_WAIT_MS ((int64_t)1800 * 1000)
#define UNDONE_CALM_MS ((int64_t)3600 * 1000)

const char *pin_recorder_state_text(enum pin_recorder_state state)
{
    static const char *const words[] = {
        [PIN_RECORD_READY] = "ready",
        [PIN_RECORD_PENDING] = "pending",
        [PIN_RECORD_DELETING] = "deleting",
        [PIN_RECORD_BLOCKED] = "blocked",
        [PIN_RECORD_REFUSED] = "refused",
        [PIN_RECORD_CONFLICT] = "conflict",
        [PIN_RECORD_WAITING] = "waiting",
        [PIN_RECORD_KEPT] = "kept",
        [PIN_RECORD_DELETED] = "deleted",
    };
    return words[state];
}

/* --- Keys and sets ---------------------------------------------------------------------------- */

static int cmp_row(
    const struct pin_recorder_row *row, const char *name, const char *type, const char *set_id)
{
    int order = strcmp(row->name, name);
    if (order == 0) {
        order = strcmp(row->type, type);
    }
    return order == 0 ? strcmp(row->set_id, set_id) : order;
}

static struct pin_recorder_row *find_row(struct pin_recorder_row *rows, size_t n_rows,
    const char *name, const char *type, const char *set_id)
{
    size_t low = 0;
    size_t high = n_rows;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int order = cmp_row(&rows[mid], name, type, set_id);
        if (order == 0) {
            return &rows[mid];
        }
        if (order < 0) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    return NULL;
}

struct pin_recorder_row *pin_recorder_run_row(
    const struct pin_recorder_run *run, const char *name, const char *type, const char *set_id)
{
    return run == NULL ? NULL : find_row(run->rows, run->n_rows, name, type, set_id);
}

/* The row of that key, also of a record that went. */
static const struct pin_recorder_row *past_row(
    const struct pin_recorder_run *run, const char *name, const char *type, const char *set_id)
{
    const struct pin_recorder_row *row = pin_recorder_run_row(run, name, type, set_id);
    return row != NULL || run == NULL ? row : find_row(run->gone, run->n_gone, name, type, set_id);
}

bool pin_recorder_same(const struct pin_recordset *a, const struct pin_recordset *b)
{
    if (a == NULL || b == NULL) {
        return a == b;
    }
    return (a->ttl_s == b->ttl_s || a->ttl_s == 0 || b->ttl_s == 0)
           && pin_recordset_same_values(a, b) && pin_recordset_properties_cmp(a, b) == 0;
}

static uint64_t digest_set(const struct pin_recordset *set, uint64_t digest)
{
    if (set == NULL) {
        return digest + 1;
    }
    digest = pin_checksum64(&set->ttl_s, sizeof(set->ttl_s), digest);
    for (size_t i = 0; i < set->n_values; i++) {
        digest = pin_checksum64(set->values[i].text, strlen(set->values[i].text), digest);
    }
    for (size_t i = 0; i < set->n_properties; i++) {
        const struct pin_recordset_property *property = &set->properties[i];
        digest = pin_checksum64(property->name, strlen(property->name), digest);
        digest = pin_checksum64(property->value, strlen(property->value), digest);
    }
    return digest;
}

uint64_t pin_recorder_digest(const struct pin_recordplan_change *change)
{
    return digest_set(change->new_set, digest_set(change->old_set, (uint64_t)change->op));
}

/* --- What has to wait ------------------------------------------------------------------------- */

/* How far apart writes of a record are from now on: as its TTL, within bounds. */
static int64_t space_ms(const struct pin_recordplan_change *change)
{
    const struct pin_recordset *set = change->new_set != NULL ? change->new_set : change->old_set;
    int64_t ttl_ms = set == NULL ? 0 : (int64_t)set->ttl_s * 1000;
    return PIN_MIN(PIN_MAX(ttl_ms, SPACE_MIN_MS), SPACE_MAX_MS);
}

/* What the run before knew of the record, if that counts. */
static const struct pin_recorder_row *row_before(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change)
{
    return run->forgets ? NULL : past_row(run->before, change->name, change->type, change->set_id);
}

int64_t pin_recorder_refused_until(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change)
{
    const struct pin_recorder_row *row = row_before(run, change);
    bool is_same = row != NULL && row->n_refused > 0 && row->digest == pin_recorder_digest(change);
    return is_same && run->now_ms < row->retry_ms ? row->retry_ms : 0;
}

int64_t pin_recorder_spaced_until(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change)
{
    const struct pin_recorder_row *row = row_before(run, change);
    int64_t free_ms = row == NULL ? 0 : row->written_ms + space_ms(change);
    return row != NULL && row->n_writes >= WRITES_FREE && run->now_ms < free_ms ? free_ms : 0;
}

/* How often the record was undone, with what is found of it now; and when it was last. */
struct undone {
    uint32_t n;
    int64_t ms;
    bool is_now; /* it is not as it was left */
};

static struct undone count_undone(const struct pin_recorder_run *run,
    const struct pin_recorder_row *old, const struct pin_recordset *found)
{
    struct undone undone = {0};
    if (old == NULL || run->forgets || !run->may_write) {
        return undone;
    }
    bool is_long_ago = run->now_ms - old->undone_ms > UNDONE_CALM_MS;
    undone = (struct undone){is_long_ago ? 0 : old->n_undone, old->undone_ms,
        strcmp(old->conflict, PIN_RECORDER_RIVAL) == 0};
    bool is_changed = old->written_ms != 0 && old->state == PIN_RECORD_READY && old->actual != NULL
                      && !pin_recorder_same(old->actual, found);
    bool is_back = old->state == PIN_RECORD_DELETED && found != NULL;
    if (is_changed || is_back) {
        undone = (struct undone){undone.n + 1, run->now_ms, true};
    }
    return undone;
}

int64_t pin_recorder_rival_until(
    const struct pin_recorder_run *run, const struct pin_recordplan_change *change)
{
    struct undone undone = count_undone(run, row_before(run, change), change->old_set);
    int64_t until_ms = undone.ms + UNDONE_WAIT_MS;
    /* where what we wrote is there again, the dispute is over: what else is wanted is written */
    uint32_t max = change->op == PIN_RECORDPLAN_DELETE ? UNDELETED_MAX : UNDONE_MAX;
    return undone.is_now && undone.n >= max && run->now_ms < until_ms ? until_ms : 0;
}

/* --- Rows ------------------------------------------------------------------------------------- */

static void from_item(struct pin_recorder_row *row, const struct pin_recordplan_item *item)
{
    const struct pin_recordset *set = item->wanted != NULL ? item->wanted : item->there;
    *row = (struct pin_recorder_row){.name = set->name,
        .type = set->type,
        .set_id = set->set_id,
        .desired = item->wanted,
        .actual = item->there,
        .owner = item->owner,
        .state = item->is_refused       ? PIN_RECORD_CONFLICT
                 : item->wanted == NULL ? PIN_RECORD_KEPT
                                        : PIN_RECORD_READY,
        .sources = item->wanted != NULL ? item->wanted->sources : NULL,
        .n_sources = item->wanted != NULL ? item->wanted->n_sources : 0,
        .conflict = "",
        .error = ""};
}

/* A record that is nothing but in conflict. */
static void from_conflict(
    struct pin_recorder_row *row, const struct pin_recordplan_conflict *conflict)
{
    *row = (struct pin_recorder_row){.name = conflict->name,
        .type = conflict->type,
        .set_id = conflict->set_id,
        .owner = "",
        .state = PIN_RECORD_CONFLICT,
        .sources = &conflict->source,
        .n_sources = 1,
        .conflict = "",
        .error = ""};
}

/* The last conflict of a record that has several is told; the first stays in the plan's list. */
static void put_conflict(
    struct pin_recorder_row *row, const struct pin_recordplan_conflict *conflict)
{
    row->conflict = pin_recordplan_conflict_str(conflict->kind);
    row->error = conflict->detail;
    if (conflict->kind == PIN_RECORDPLAN_WAITING) {
        row->state = PIN_RECORD_WAITING;
    }
}

static bool is_of_row(
    const struct pin_recorder_row *row, const struct pin_recordplan_conflict *conflict)
{
    return cmp_row(row, conflict->name, conflict->type, conflict->set_id) == 0;
}

/* Items and conflicts, both in order, become rows in order. */
static bool lay_rows(struct pin_recorder_run *run)
{
    const struct pin_recordplan *plan = &run->plan;
    const struct pin_recordplan_item *item = plan->items;
    const struct pin_recordplan_item *items_end = item + plan->n_items;
    const struct pin_recordplan_conflict *conflict = plan->conflicts;
    const struct pin_recordplan_conflict *conflicts_end =
        conflict == NULL ? NULL : conflict + plan->n_conflicts;
    run->rows =
        pin_arena_alloc(run->arena, (plan->n_items + plan->n_conflicts) * sizeof(*run->rows));
    while (run->rows != NULL && (item != items_end || conflict != conflicts_end)) {
        struct pin_recorder_row *row = &run->rows[run->n_rows++];
        if (item != items_end) {
            from_item(row, item);
        }
        if (conflict != NULL && conflict != conflicts_end
            && (item == items_end
                || cmp_row(row, conflict->name, conflict->type, conflict->set_id) > 0)) {
            from_conflict(row, conflict);
        } else {
            item++;
        }
        for (; conflict != conflicts_end && is_of_row(row, conflict); conflict++) {
            put_conflict(row, conflict);
        }
    }
    return run->rows != NULL;
}

/* What a change says of its record. */
static void put_change(struct pin_recorder_run *run, const struct pin_recordplan_change *change,
    enum pin_recorder_state state, size_t *ret_row)
{
    struct pin_recorder_row *row =
        pin_recorder_run_row(run, change->name, change->type, change->set_id);
    *ret_row = row == NULL ? SIZE_MAX : (size_t)(row - run->rows);
    if (row != NULL) {
        row->state = state;
        row->desired = change->new_set != NULL && change->new_set != change->old_set
                           ? change->new_set
                           : row->desired;
    }
}

/* A record that no change is planned for, and that is not as it is wanted. */
static void put_difference(struct pin_recorder_run *run, struct pin_recorder_row *row)
{
    if (row->state != PIN_RECORD_READY || pin_recorder_same(row->desired, row->actual)) {
        return;
    }
    if (row->actual == NULL) {
        row->state = row->desired->n_values > 0 ? PIN_RECORD_PENDING : PIN_RECORD_WAITING;
    } else if (run->input.policy == PIN_RECORDPLAN_CREATE_ONLY) {
        row->state = PIN_RECORD_KEPT;
        row->error = "it is there, and stays as it is: create-only";
    } else {
        row->state = PIN_RECORD_WAITING;
        row->error = "values stay that somebody who cannot be heard may still want";
    }
}

static bool put_changes(struct pin_recorder_run *run)
{
    const struct pin_recordplan *plan = &run->plan;
    size_t none = 0;
    run->row_of = pin_arena_alloc(run->arena, plan->n_changes * sizeof(*run->row_of));
    if (run->row_of == NULL) {
        return false;
    }
    for (size_t i = 0; i < plan->n_blocked; i++) {
        put_change(run, &plan->blocked[i], PIN_RECORD_BLOCKED, &none);
    }
    for (size_t i = 0; i < plan->n_changes; i++) {
        bool goes = plan->changes[i].op == PIN_RECORDPLAN_DELETE;
        put_change(run, &plan->changes[i], goes ? PIN_RECORD_DELETING : PIN_RECORD_PENDING,
            &run->row_of[i]);
    }
    return true;
}

/* Who wanted what nobody wants any more. */
static void remember_sources(
    struct pin_recorder_run *run, struct pin_recorder_row *row, const struct pin_recorder_row *old)
{
    struct pin_recordset copy = {0};
    const struct pin_recordset set = {.name = "",
        .type = "",
        .set_id = "",
        .sources =
            pin_arena_memdup(run->arena, old->sources, old->n_sources * sizeof(*old->sources)),
        .n_sources = old->n_sources};
    if (set.sources != NULL && pin_recordset_copy(run->arena, &set, &copy)) {
        row->sources = copy.sources;
        row->n_sources = copy.n_sources;
    }
}

/* What the run before knew of the record. Its texts may be gone when that run is. */
static void follow(struct pin_recorder_run *run, struct pin_recorder_row *row)
{
    const struct pin_recorder_row *old = past_row(run->before, row->name, row->type, row->set_id);
    row->since_wall_ms = run->wall_ms;
    if (old == NULL) {
        return;
    }
    if (row->n_sources == 0 && old->n_sources > 0) {
        remember_sources(run, row, old);
    }
    bool is_calm = run->now_ms - old->written_ms > CALM_MS;
    row->written_ms = old->written_ms;
    row->n_writes = is_calm ? 0 : old->n_writes;
    struct undone undone = count_undone(run, old, row->actual);
    row->n_undone = undone.n;
    row->undone_ms = undone.ms;
    if (!run->forgets) {
        row->n_refused = old->n_refused;
        row->retry_ms = old->retry_ms;
        row->digest = old->digest;
    }
    if (old->state == row->state && strcmp(old->error, row->error) == 0
        && strcmp(old->conflict, row->conflict) == 0) {
        row->since_wall_ms = old->since_wall_ms;
        row->is_told = old->is_told;
    }
}

/* A change that is left out because somebody else undoes it. */
static void put_rival(struct pin_recorder_run *run, size_t change_i,
    const struct pin_recorder_row *old, struct pin_recorder_row *row)
{
    bool is_news = strcmp(old->conflict, PIN_RECORDER_RIVAL) != 0;
    row->state = PIN_RECORD_REFUSED;
    row->conflict = PIN_RECORDER_RIVAL;
    row->error = "it was put right three times, and undone each time: does another writer have our "
                 "owner? It is left alone for 30 min; to do: stop the other one, or give each an "
                 "owner of its own";
    row->since_wall_ms = is_news ? run->wall_ms : old->since_wall_ms;
    row->is_told = !is_news && old->is_told;
    run->results[change_i] = (struct pin_recorder_result){
        .is_said = true, .verdict = PIN_PROVIDER_REFUSED, .message = row->error};
}

/* A change that is left out: because it was refused, or because there were too many. */
static void put_left_out(struct pin_recorder_run *run, size_t change_i)
{
    const struct pin_recordplan_change *change = &run->plan.changes[change_i];
    const struct pin_recorder_row *old =
        past_row(run->before, change->name, change->type, change->set_id);
    struct pin_recorder_row *row =
        run->row_of[change_i] == SIZE_MAX ? NULL : &run->rows[run->row_of[change_i]];
    if (old == NULL || row == NULL) {
        return;
    }
    if (pin_recorder_rival_until(run, change) != 0) {
        put_rival(run, change_i, old, row);
    } else if (old->n_refused > 0 && old->digest == pin_recorder_digest(change)) {
        const char *error = pin_arena_strdup(run->arena, old->error);
        row->state = PIN_RECORD_REFUSED;
        row->error = error != NULL ? error : "";
        row->since_wall_ms = old->since_wall_ms;
        row->is_told = old->is_told;
        run->results[change_i] = (struct pin_recorder_result){
            .is_said = true, .verdict = PIN_PROVIDER_REFUSED, .message = row->error};
    } else if (pin_recorder_spaced_until(run, change) != 0) {
        row->error = "it changes too often: its writes are spaced";
    }
}

/* A record that was as we left it, and is not any more. */
static bool has_drifted(const struct pin_recorder_row *old, const struct pin_recorder_row *row)
{
    return old != NULL && old->state == PIN_RECORD_READY && old->actual != NULL
           && (strcmp(old->owner, row->owner) != 0 || !pin_recorder_same(old->actual, row->actual));
}

static const struct pin_recordset *copy_set(
    struct pin_recorder_run *run, const struct pin_recordset *set)
{
    struct pin_recordset *copy = set == NULL ? NULL : pin_arena_alloc(run->arena, sizeof(*copy));
    return copy != NULL && pin_recordset_copy(run->arena, set, copy) ? copy : NULL;
}

static void find_drift(struct pin_recorder_run *run)
{
    size_t n = 0;
    for (size_t i = 0; i < run->n_rows; i++) {
        const struct pin_recorder_row *row = &run->rows[i];
        n += has_drifted(pin_recorder_run_row(run->before, row->name, row->type, row->set_id), row);
    }
    run->drift = pin_arena_alloc(run->arena, n * sizeof(*run->drift));
    for (size_t i = 0; run->drift != NULL && i < run->n_rows; i++) {
        const struct pin_recorder_row *row = &run->rows[i];
        const struct pin_recorder_row *old =
            pin_recorder_run_row(run->before, row->name, row->type, row->set_id);
        if (has_drifted(old, row)) {
            run->drift[run->n_drift++] = (struct pin_recorder_drift){
                .row = row, .expected = copy_set(run, old->actual), .found = row->actual};
        }
    }
}

/* Whether the record went, and its writes still count. */
static bool counts_as_gone(const struct pin_recorder_run *run, const struct pin_recorder_row *old)
{
    return (old->n_writes > 1 || old->state == PIN_RECORD_DELETED)
           && run->now_ms - old->written_ms <= CALM_MS
           && pin_recorder_run_row(run, old->name, old->type, old->set_id) == NULL;
}

/* Copies what counts of an old row; its texts may be gone when its run is. */
static bool put_gone(struct pin_recorder_run *run, const struct pin_recorder_row *old)
{
    struct pin_recorder_row *row = &run->gone[run->n_gone];
    *row = (struct pin_recorder_row){.name = pin_arena_strdup(run->arena, old->name),
        .type = pin_arena_strdup(run->arena, old->type),
        .set_id = pin_arena_strdup(run->arena, old->set_id),
        .owner = "",
        .state = PIN_RECORD_DELETED,
        .conflict = "",
        .error = "",
        .n_undone = old->n_undone,
        .undone_ms = old->undone_ms,
        .n_writes = old->n_writes,
        .written_ms = old->written_ms};
    if (row->name == NULL || row->type == NULL || row->set_id == NULL) {
        return false;
    }
    run->n_gone++;
    return true;
}

/* Records that come and go would else be new each time. Rows and those gone before, both in order,
 * become the ones that are gone in order. */
static void keep_gone(struct pin_recorder_run *run)
{
    const struct pin_recorder_run *before = run->before;
    const struct pin_recorder_row *lists[2] = {before->rows, before->gone};
    const size_t n[2] = {before->n_rows, before->n_gone};
    size_t n_gone = 0;
    for (size_t list = 0; list < 2; list++) {
        for (size_t i = 0; i < n[list]; i++) {
            n_gone += counts_as_gone(run, &lists[list][i]);
        }
    }
    run->gone = pin_arena_alloc(run->arena, n_gone * sizeof(*run->gone));
    for (size_t i = 0, k = 0; run->gone != NULL && (i < n[0] || k < n[1]);) {
        const struct pin_recorder_row *row = i < n[0] ? &lists[0][i] : NULL;
        const struct pin_recorder_row *gone = k < n[1] ? &lists[1][k] : NULL;
        bool is_row =
            gone == NULL || (row != NULL && cmp_row(row, gone->name, gone->type, gone->set_id) < 0);
        i += is_row;
        k += !is_row;
        if (counts_as_gone(run, is_row ? row : gone) && !put_gone(run, is_row ? row : gone)) {
            return; /* the arena remembers */
        }
    }
}

void pin_recorder_run_make_rows(struct pin_recorder_run *run)
{
    if (!lay_rows(run) || !put_changes(run)) {
        return; /* the arena remembers */
    }
    for (size_t i = 0; i < run->n_rows; i++) {
        put_difference(run, &run->rows[i]);
        follow(run, &run->rows[i]);
        run->n_wanted += run->rows[i].desired != NULL;
    }
    for (size_t i = 0; i < run->plan.n_changes; i++) {
        if (run->part_of[i] == SIZE_MAX && !run->results[i].is_said) {
            put_left_out(run, i);
        }
    }
    find_drift(run);
    if (run->before != NULL) {
        keep_gone(run);
    }
}

/* --- Verdicts --------------------------------------------------------------------------------- */

static void on_applied(struct pin_recorder_row *row, const struct pin_recordplan_change *change,
    const struct pin_recordplan_input *input, int64_t now_ms)
{
    bool goes = change->op == PIN_RECORDPLAN_DELETE;
    bool is_calm = row->written_ms == 0 || now_ms - row->written_ms > CLOSE_MS;
    row->n_writes = is_calm ? 1 : PIN_MIN(row->n_writes + 1, WRITES_LAST);
    row->written_ms = now_ms;
    row->state = goes ? PIN_RECORD_DELETED : PIN_RECORD_READY;
    row->actual = change->new_set;
    row->owner = goes ? "" : input->registry->owner;
    row->error = "";
    row->conflict = "";
    row->n_refused = 0;
}

static void on_refused(struct pin_recorder_row *row, const struct pin_recordplan_change *change,
    const char *message, int64_t now_ms)
{
    int64_t wait_ms = REFUSED_FIRST_MS << PIN_MIN(row->n_refused, REFUSED_DOUBLES);
    wait_ms = PIN_MIN(wait_ms, PIN_RECORDER_REFUSED_MS);
    bool is_new = row->digest != pin_recorder_digest(change) || row->n_refused == 0;
    row->n_refused = is_new ? 1 : row->n_refused + 1;
    wait_ms = is_new ? REFUSED_FIRST_MS : wait_ms;
    row->retry_ms = now_ms + wait_ms + pin_rand_below((uint32_t)(wait_ms / 4));
    row->digest = pin_recorder_digest(change);
    row->state = PIN_RECORD_REFUSED;
    row->error = message;
}

void pin_recorder_run_settle(struct pin_recorder_run *run,
    const struct pin_provider_outcome *outcome, int64_t now_ms, int64_t wall_ms)
{
    for (size_t i = 0; i < run->plan.n_changes; i++) {
        const struct pin_recordplan_change *change = &run->plan.changes[i];
        if (run->part_of[i] == SIZE_MAX || run->part_of[i] >= outcome->n_results) {
            continue;
        }
        const struct pin_provider_result *result = &outcome->results[run->part_of[i]];
        const char *message = pin_arena_strdup(run->arena, result->message);
        message = message != NULL ? message : "";
        run->results[i] = (struct pin_recorder_result){true, result->verdict, message};
        if (result->verdict == PIN_PROVIDER_APPLIED) {
            run->plan.n_owned += change->old_set == NULL && change->new_set != NULL;
            run->plan.n_owned -= change->old_set != NULL && change->new_set == NULL;
        }
        if (run->row_of == NULL || run->row_of[i] == SIZE_MAX) {
            continue;
        }
        struct pin_recorder_row *row = &run->rows[run->row_of[i]];
        enum pin_recorder_state state = row->state;
        if (result->verdict == PIN_PROVIDER_APPLIED) {
            on_applied(row, change, &run->input, now_ms);
        } else if (result->verdict == PIN_PROVIDER_REFUSED) {
            on_refused(row, change, message, now_ms);
        } else {
            row->error = message;
        }
        if (row->state != state) {
            row->since_wall_ms = wall_ms;
            row->is_told = false;
        }
    }
}
