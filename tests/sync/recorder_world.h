/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * A world for tests of the recorder: a DNS server of somebody else that lives in the test and does
 * what it is told to do wrong, claims in lines of text (support/recordworld.h), and what the zone
 * holds as text.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/text.h"
#include "pintle/sync/recorder.h"

#include "support/faults.h"
#include "support/recordworld.h"
#include "sync/provider.h"
#include "sync/provider_sets.h"
#include "sync/recorder_state.h"

/** Longest that anything is waited for. */
#define WORLD_WAIT_MS 20000
#define WORLD_SETS    60000
/** TTL of what the server says to an adjust. */
#define WORLD_TTL_S 777u

/** What the server in the test is told to do. */
struct world_orders {
    enum pin_provider_fault list_fault; /**< Of each listing. */
    unsigned n_list_faults;             /**< So many of them. */
    int64_t retry_after_ms;
    const char *refuse;                  /**< Name of a record that it will not have. */
    size_t n_applied_max;                /**< Then it breaks down; SIZE_MAX: never. */
    enum pin_provider_fault apply_fault; /**< How. */
    unsigned n_conflicts;                /**< So many applies end in conflict. */
    unsigned n_unknown;                  /**< So many are done, and the answer is lost. */
    unsigned n_lies;                     /**< So many are not done, and it says they were. */
    bool holds_applies;                  /**< They do not end. */
    bool has_no_versions;
    bool has_faults;      /**< Memory runs out once, when the recorder has its answer, */
    unsigned fault_after; /**< after so many allocations. */
};

/** The server. */
struct world_provider {
    struct pin_provider base;
    struct pin_loop *loop;
    struct pin_arena *arena;
    struct pin_recordset *sets;
    size_t n_sets;
    unsigned version;
    struct world_orders orders;
    unsigned n_lists;
    unsigned n_unchanged; /**< Of these, answered so. */
    unsigned n_adjusts;
    unsigned n_applies;
    unsigned n_changes; /**< That were done. */
    unsigned n_open;    /**< Calls under way. */
    unsigned n_open_max;
};

/** A call under way. */
struct world_call {
    struct pin_provider_call base;
    struct world_provider *provider;
    struct pin_timer *timer;
    struct pin_provider_list_request list;
    struct pin_provider_apply_request apply;
    const struct pin_recordset *wanted; /**< Of an adjust: what it is asked about. */
    size_t n_wanted;
    char version[16]; /**< That was known. */
    bool is_list;
};

/** A recorder and its server. */
struct world {
    struct pin_loop *loop;
    struct world_provider *provider;
    struct pin_recorder *recorder;
    struct pin_recorder_zone *zone; /**< The first one. */
    struct pin_text events;         /**< One a line. */
};

static inline void world_call_free(struct world_call *call)
{
    call->provider->n_open--;
    pin_timer_free(call->timer);
    free(call);
}

static inline void world_cancel(struct pin_provider_call *base)
{
    world_call_free((struct world_call *)base);
}

/** What follows is the recorder's: now its memory may run out. */
static inline void world_tempt(const struct world_provider *self)
{
    if (self->orders.has_faults) {
        pin_faults_start(self->orders.fault_after, 1);
    }
}

/* What was asked about, with another TTL, in place of the zone. */
static inline void world_adjust(struct world_call *call, struct pin_provider_listing *listing)
{
    call->provider->n_adjusts++;
    if (listing->arena == NULL) {
        listing->arena = pin_arena_new("test", (size_t)1 << 30);
    }
    listing->is_unchanged = false;
    listing->n_sets = call->n_wanted;
    listing->sets = pin_arena_alloc(listing->arena, call->n_wanted * sizeof(*listing->sets));
    for (size_t i = 0; i < call->n_wanted; i++) {
        assert_true(pin_recordset_copy(listing->arena, &call->wanted[i], &listing->sets[i]));
        listing->sets[i].ttl_s = WORLD_TTL_S;
    }
}

static inline void world_answer_list(struct world_call *call)
{
    struct world_provider *self = call->provider;
    (void)pin_faults_stop();
    char version[16];
    struct pin_provider_listing listing = {
        .fault = PIN_PROVIDER_NONE, .message = "", .retry_after_ms = -1, .version = version};
    (void)snprintf(
        version, sizeof(version), "%.0u", self->orders.has_no_versions ? 0 : self->version);
    if (self->orders.n_list_faults > 0) {
        self->orders.n_list_faults--;
        listing = (struct pin_provider_listing){.fault = self->orders.list_fault,
            .message = "told to",
            .retry_after_ms = self->orders.retry_after_ms,
            .version = ""};
    } else if (call->version[0] != '\0' && strcmp(call->version, version) == 0) {
        listing.is_unchanged = true;
        self->n_unchanged++;
    } else {
        listing.arena = pin_arena_new("test", (size_t)1 << 30);
        listing.sets = pin_arena_alloc(listing.arena, (self->n_sets + 1) * sizeof(*listing.sets));
        for (size_t i = 0; i < self->n_sets; i++) {
            if (pin_provider_is_in_zone(self->sets[i].name, call->list.zone)) {
                assert_true(pin_recordset_copy(
                    listing.arena, &self->sets[i], &listing.sets[listing.n_sets++]));
            }
        }
        pin_recordset_sort(listing.sets, listing.n_sets);
    }
    pin_provider_list_fn *done = call->list.done;
    void *arg = call->list.arg;
    if (call->wanted != NULL) {
        world_adjust(call, &listing);
    }
    world_call_free(call);
    world_tempt(self);
    done(arg, &listing);
}

static inline struct pin_recordset *world_find(
    struct world_provider *self, const struct pin_recordset *key)
{
    for (size_t i = 0; i < self->n_sets; i++) {
        if (pin_recordset_cmp(&self->sets[i], key) == 0) {
            return &self->sets[i];
        }
    }
    return NULL;
}

/** Whether the zone is as an edit supposes. */
static inline bool world_is_as(struct world_provider *self, const struct pin_provider_edit *edit)
{
    const struct pin_recordset *set = world_find(self, edit->was != NULL ? edit->was : edit->will);
    return edit->was == NULL ? set == NULL
                             : set != NULL && set->ttl_s == edit->was->ttl_s
                                   && pin_recordset_same_values(set, edit->was);
}

/** Puts a set in the place of the one of its key; without values it goes. */
static inline void world_put(struct world_provider *self, const struct pin_recordset *set)
{
    struct pin_recordset *at = world_find(self, set);
    if (at == NULL && set->n_values > 0) {
        assert_true(self->n_sets < WORLD_SETS);
        at = &self->sets[self->n_sets++];
    }
    if (at == NULL) {
        return;
    }
    if (set->n_values == 0) {
        *at = self->sets[--self->n_sets];
    } else {
        assert_true(pin_recordset_copy(self->arena, set, at));
        at->ttl_s = at->ttl_s == 0 ? 300 : at->ttl_s;
    }
    self->version++;
}

/** The turn of an edit: what goes, its owner's word that comes, what comes, the word that goes. Who
 * is cut off in between leaves nothing that nobody owns. */
static inline unsigned world_turn(const struct pin_provider_edit *edit)
{
    const struct pin_recordset *set = edit->was != NULL ? edit->was : edit->will;
    bool is_txt = strcmp(set->type, "TXT") == 0;
    return edit->will == NULL ? (is_txt ? 3 : 0) : (is_txt ? 1 : 2);
}

static inline struct pin_provider_result world_do(
    struct world_provider *self, const struct pin_provider_change *change)
{
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_provider_edit *edit = &change->edits[i];
        const char *name = edit->was != NULL ? edit->was->name : edit->will->name;
        assert_true(i == 0 || world_turn(&change->edits[i - 1]) <= world_turn(edit));
        if (self->orders.refuse != NULL && strcmp(name, self->orders.refuse) == 0) {
            return (struct pin_provider_result){PIN_PROVIDER_REFUSED, "no such luck"};
        }
        if (!world_is_as(self, edit)) {
            return (struct pin_provider_result){PIN_PROVIDER_CONFLICT, "it is otherwise"};
        }
    }
    for (size_t i = 0; i < change->n_edits; i++) {
        const struct pin_provider_edit *edit = &change->edits[i];
        struct pin_recordset none = edit->was != NULL ? *edit->was : *edit->will;
        none.n_values = 0;
        world_put(self, edit->will != NULL ? edit->will : &none);
    }
    self->n_changes++;
    return (struct pin_provider_result){PIN_PROVIDER_APPLIED, ""};
}

static inline void world_answer_apply(struct world_call *call)
{
    struct world_provider *self = call->provider;
    size_t n = call->apply.n_changes;
    (void)pin_faults_stop();
    struct pin_provider_result *results = calloc(n + 1, sizeof(*results));
    assert_non_null(results);
    struct pin_provider_outcome outcome = {
        .results = results, .n_results = n, .message = "", .retry_after_ms = -1};
    bool conflicts = self->orders.n_conflicts > 0;
    bool is_lost = self->orders.n_unknown > 0;
    bool is_lie = self->orders.n_lies > 0;
    self->orders.n_conflicts -= conflicts;
    self->orders.n_unknown -= is_lost;
    self->orders.n_lies -= is_lie;
    for (size_t i = 0; i < n; i++) {
        results[i] = (struct pin_provider_result){PIN_PROVIDER_RETRY, ""};
        if (conflicts) {
            results[i] = (struct pin_provider_result){PIN_PROVIDER_CONFLICT, "told to"};
        } else if (is_lie) {
            results[i] = (struct pin_provider_result){PIN_PROVIDER_APPLIED, ""};
        } else if (i >= self->orders.n_applied_max) {
            outcome.fault = self->orders.apply_fault;
            outcome.message = "broke down";
            outcome.retry_after_ms = self->orders.retry_after_ms;
        } else {
            results[i] = world_do(self, &call->apply.changes[i]);
        }
        if (is_lost) {
            results[i] = (struct pin_provider_result){PIN_PROVIDER_UNKNOWN, "lost"};
        }
    }
    pin_provider_apply_fn *done = call->apply.done;
    void *arg = call->apply.arg;
    world_call_free(call);
    world_tempt(self);
    done(arg, &outcome);
    free(results);
}

static inline void world_on_timer(void *arg)
{
    struct world_call *call = arg;
    if (call->is_list) {
        world_answer_list(call);
    } else {
        world_answer_apply(call);
    }
}

static inline struct world_call *world_call_new(struct pin_provider *provider)
{
    (void)pin_faults_stop();
    struct world_call *call = calloc(1, sizeof(*call));
    assert_non_null(call);
    call->base.cancel = world_cancel;
    call->provider = (struct world_provider *)provider;
    call->provider->n_open++;
    call->provider->n_open_max = PIN_MAX(call->provider->n_open_max, call->provider->n_open);
    call->timer = pin_timer_new(call->provider->loop, world_on_timer, call);
    assert_non_null(call->timer);
    return call;
}

static inline enum pin_err world_list(struct pin_provider *provider,
    const struct pin_provider_list_request *request, struct pin_provider_call **ret_call)
{
    struct world_call *call = world_call_new(provider);
    call->is_list = true;
    call->list = *request;
    call->provider->n_lists++;
    (void)snprintf(call->version, sizeof(call->version), "%s",
        request->version != NULL ? request->version : "");
    pin_timer_start(call->timer, 0, false);
    *ret_call = &call->base;
    return PIN_OK;
}

static inline enum pin_err world_apply(struct pin_provider *provider,
    const struct pin_provider_apply_request *request, struct pin_provider_call **ret_call)
{
    struct world_call *call = world_call_new(provider);
    call->apply = *request;
    call->provider->n_applies++;
    if (!call->provider->orders.holds_applies) {
        pin_timer_start(call->timer, 0, false);
    }
    *ret_call = &call->base;
    return PIN_OK;
}

/** The recorder closes it; what it holds is looked at afterwards, so it stays. */
static inline void world_close(struct pin_provider *provider)
{
    assert_int_equal(((struct world_provider *)provider)->n_open, 0);
}

static inline void world_on_event(void *arg, const struct pin_recorder_event *event)
{
    static const char *const words[] = {"ready", "deleted", "error"};
    struct world *world = arg;
    pin_text_putf(&world->events, "%s %s %s: %s/%s of %s: %s\n", words[event->news], event->name,
        event->type, event->source->kind, event->source->name, event->source->cluster,
        event->detail);
}

static inline void world_no_log(enum pin_log_level level, const char *line, void *arg)
{
    (void)level;
    (void)line;
    (void)arg;
}

/** Makes a world of owner demo, of the zone example.com unless `like` says others; it has the rest.
 */
static inline struct world *world_new(const struct pin_recorder_spec *like, bool needs_writer)
{
    static const struct pin_provider_ops ops = {
        .kind = "test", .list = world_list, .apply = world_apply, .close = world_close};
    static const char *const zones[] = {"example.com"};
    struct world *world = calloc(1, sizeof(*world));
    struct world_provider *provider = calloc(1, sizeof(*provider));
    assert_non_null(world);
    assert_non_null(provider);
    pin_log_set_sink(world_no_log, NULL);
    world->loop = pin_loop_new();
    world->provider = provider;
    provider->base.ops = &ops;
    provider->base.limits = (struct pin_provider_limits){.default_ttl_s = 300};
    provider->loop = world->loop;
    provider->arena = pin_arena_new("test", (size_t)1 << 30);
    provider->sets = calloc(WORLD_SETS, sizeof(*provider->sets));
    provider->version = 1;
    provider->orders = (struct world_orders){.n_applied_max = SIZE_MAX, .retry_after_ms = -1};
    struct pin_recorder_spec spec = *like;
    spec.name = "public";
    spec.provider = &provider->base;
    spec.zones = like->n_zones > 0 ? like->zones : zones;
    spec.n_zones = like->n_zones > 0 ? like->n_zones : 1;
    spec.registry.owner = "demo";
    spec.interval_s = spec.interval_s == 0 ? 3600 : spec.interval_s;
    const struct pin_recorder_config config = {.loop = world->loop,
        .specs = &spec,
        .n_specs = 1,
        .needs_writer = needs_writer,
        .on_event = world_on_event,
        .arg = world};
    struct pin_why why = {0};
    assert_int_equal(pin_recorder_new(&config, &world->recorder, &why), PIN_OK);
    world->zone = pin_recorder_next_zone(world->recorder, NULL);
    return world;
}

static inline void world_free(struct world *world)
{
    pin_recorder_free(world->recorder);
    pin_loop_poll(world->loop, 0); /* errands that were cancelled go back */
    pin_loop_free(world->loop);
    pin_arena_free(world->provider->arena);
    free(world->provider->sets);
    free(world->provider);
    pin_text_done(&world->events);
    pin_log_set_sink(NULL, NULL);
    free(world);
}

/** Hands claims over; `unsynced` is one cluster, or NULL. */
static inline void world_claim(struct world *world, const char *lines, const char *unsynced)
{
    struct pin_arena *arena = pin_arena_new("claims", (size_t)1 << 28);
    size_t n = 0;
    struct pin_recordset *claims = pin_recordworld_read(arena, lines, &n);
    const char **list = pin_arena_alloc(arena, sizeof(*list));
    list[0] = unsynced == NULL ? NULL : pin_arena_strdup(arena, unsynced);
    pin_recorder_set_claims(world->recorder, &(struct pin_recorder_claims){.sets = claims,
                                                 .n_sets = n,
                                                 .unsynced = list,
                                                 .n_unsynced = unsynced != NULL,
                                                 .arena = arena});
}

/** Puts sets into the zone, behind everybody's back. */
static inline void world_zone(struct world *world, const char *lines)
{
    size_t n = 0;
    struct pin_recordset *sets = pin_recordworld_read(world->provider->arena, lines, &n);
    for (size_t i = 0; i < n; i++) {
        world_put(world->provider, &sets[i]);
    }
}

/** Turns the loop until so many runs have ended. */
static inline void world_run(struct world *world, uint64_t n_runs)
{
    int64_t until_ms = pin_clock_mono_ms() + WORLD_WAIT_MS;
    while (world->zone->n_runs < n_runs && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(world->loop, 10);
    }
    assert_true(world->zone->n_runs >= n_runs);
}

/** Turns it until a call of applying is under way. */
static inline void world_run_to(struct world *world, enum pin_recorder_stage stage)
{
    int64_t until_ms = pin_clock_mono_ms() + WORLD_WAIT_MS;
    while (world->zone->stage != stage && pin_clock_mono_ms() < until_ms) {
        pin_loop_poll(world->loop, 10);
    }
    assert_int_equal(world->zone->stage, stage);
}

/** An order to the zone; its answer. */
static inline enum pin_err world_order(
    struct world *world, enum pin_recorder_order_kind kind, const char *hash, const char *owner)
{
    struct pin_text text = {0};
    struct pin_jsonout json = pin_jsonout_init(&text);
    struct pin_why why = {0};
    const struct pin_recorder_order order = {.kind = kind,
        .records = "public",
        .zone = "example.com",
        .hash = hash,
        .from_owner = owner};
    enum pin_err err = pin_recorder_order(world->recorder, &order, &json, &why);
    pin_text_done(&text);
    return err;
}

/** Has a run made now, and waits for its end. */
static inline void world_again(struct world *world)
{
    uint64_t n = world->zone->n_runs;
    pin_recorder_zone_poke(world->zone, true);
    world_run(world, n + 1);
}

/** What the zone holds: "name type value,value", a line each, sorted; ownership as "@owner". */
static inline void world_show(struct world *world, struct pin_text *out)
{
    struct world_provider *provider = world->provider;
    pin_recordset_sort(provider->sets, provider->n_sets);
    for (size_t i = 0; i < provider->n_sets; i++) {
        const struct pin_recordset *set = &provider->sets[i];
        pin_text_putf(out, "%s %s", set->name, set->type);
        for (size_t k = 0; k < set->n_values; k++) {
            const char *owner = strstr(set->values[k].text, "/owner=");
            const char *end = owner == NULL ? NULL : strchr(owner, ',');
            if (end != NULL) {
                pin_text_putf(out, " @%.*s", (int)(end - owner - 7), owner + 7);
            } else {
                pin_text_putf(out, " %s", set->values[k].text);
            }
        }
        pin_text_puts(out, "\n");
    }
}

static inline void world_expect(struct world *world, const char *want)
{
    struct pin_text text = {0};
    world_show(world, &text);
    assert_string_equal(pin_text_get(&text), want);
    pin_text_done(&text);
}

/** How a record stands. */
static inline void world_expect_row(
    struct world *world, const char *name, const char *type, const char *state)
{
    const struct pin_recorder_row *row = pin_recorder_run_row(world->zone->shown, name, type, "");
    assert_non_null(row);
    assert_string_equal(pin_recorder_state_text(row->state), state);
}

/** Of cmocka: a world that does all, one that is not the writer yet, and the end of either. */
static inline int world_set_up(void **state)
{
    *state = world_new(
        &(struct pin_recorder_spec){.policy = PIN_RECORDPLAN_SYNC, .delete_percent = 20}, false);
    return 0;
}

static inline int world_set_up_standby(void **state)
{
    *state = world_new(
        &(struct pin_recorder_spec){.policy = PIN_RECORDPLAN_SYNC, .delete_percent = 20}, true);
    return 0;
}

static inline int world_tear_down(void **state)
{
    world_free(*state);
    return 0;
}
