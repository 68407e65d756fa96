/* SPDX-License-Identifier: Apache-2.0 */

/* When which address is asked: a heap by due time, a bucket of starts, and what results mean. */

#include "pintle/sync/prober.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/clock.h"
#include "pintle/base/hash.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"

#include "command.h"
#include "http.h"
#include "judge.h"
#include "probe.h"

/* Each costs a descriptor. */
#define RUNNING_MAX 1024u
/* While all of them are taken and others are due, whoever has waited so long waits no more: checks
 * come from objects of many, and may wait for an hour. Less is enough for whoever made others wait
 * the last time. */
#define LONG_MS  10000
#define AGAIN_MS 5000
/* Programs at a time. */
#define COMMANDS_MAX 32u
/* Starts saved up for a burst: this part of a second. */
#define BURST_DIVISOR 10u
#define NOT_IN_HEAP   SIZE_MAX
/* After we lacked something for a probe, which says nothing about the address. */
#define RETRY_MS 1000

/* One address. It is in the heap, or its probe runs. */
struct probe {
    struct pin_prober *prober;
    struct pin_probe_spec *spec;
    struct pin_probe_run *run;
    struct pin_judge judge;
    uint32_t slot;
    uint32_t since_s;
    int64_t since_wall_ms;
    int64_t started_ms;
    int64_t due_ms;
    size_t heap_i;
    bool has_error;
    bool was_cut;        /* its last run made room for others */
    struct probe *older; /* of those that run */
    struct probe *newer;
};

struct pin_prober {
    struct pin_prober_config config;
    struct pin_http *http;
    struct pin_commands *commands;
    struct pin_timer *timer;
    struct pin_map by_slot;
    struct probe **heap;
    size_t n_heap;
    size_t cap_heap;
    struct probe *oldest; /* of those that run; NULL: none does */
    struct probe *newest;
    double tokens; /* starts that are free now */
    int64_t tokens_at_ms;
    bool is_filling; /* start_due() is at work further up */
    struct pin_health_stats stats;
};

/* --- the heap: earliest due first ----------------------------------------------------------------
 */

static void place(struct pin_prober *self, size_t i, struct probe *probe)
{
    self->heap[i] = probe;
    probe->heap_i = i;
}

static void sift_up(struct pin_prober *self, size_t i, struct probe *probe)
{
    while (i > 0 && self->heap[(i - 1) / 2]->due_ms > probe->due_ms) {
        place(self, i, self->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    place(self, i, probe);
}

static void sift_down(struct pin_prober *self, size_t i, struct probe *probe)
{
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= self->n_heap) {
            break;
        }
        if (child + 1 < self->n_heap && self->heap[child + 1]->due_ms < self->heap[child]->due_ms) {
            child++;
        }
        if (self->heap[child]->due_ms >= probe->due_ms) {
            break;
        }
        place(self, i, self->heap[child]);
        i = child;
    }
    place(self, i, probe);
}

/* There is room: one place for each probe was made when it came. */
static void heap_put(struct pin_prober *self, struct probe *probe)
{
    self->n_heap++;
    sift_up(self, self->n_heap - 1, probe);
}

static void heap_remove(struct pin_prober *self, struct probe *probe)
{
    size_t i = probe->heap_i;
    struct probe *last = self->heap[--self->n_heap];
    probe->heap_i = NOT_IN_HEAP;
    if (last == probe) {
        return;
    }
    if (i > 0 && self->heap[(i - 1) / 2]->due_ms > last->due_ms) {
        sift_up(self, i, last);
    } else {
        sift_down(self, i, last);
    }
}

/* --- results
 * --------------------------------------------------------------------------------------- */

/* An interval, give or take a tenth. */
static int64_t jittered_ms(const struct pin_check *check)
{
    int64_t ms = (int64_t)check->interval_s * 1000;
    return ms - ms / 10 + (int64_t)pin_rand_below((uint32_t)(ms / 5 + 1));
}

static void store(struct probe *probe, bool is_changed, const char *error)
{
    struct pin_prober *self = probe->prober;
    struct pin_health_state state = {.verdict = probe->judge.verdict,
        .is_turning = pin_judge_is_turning(&probe->judge),
        .since_s = probe->since_s,
        .next_s = (uint32_t)(probe->due_ms / 1000)};
    if (is_changed || error != NULL || probe->has_error) {
        pin_health_note(self->config.health, probe->slot, probe->since_wall_ms, error);
        probe->has_error = error != NULL;
    }
    bool is_flip = pin_health_store(self->config.health, probe->slot, state);
    if (is_flip && self->config.on_flip != NULL) {
        self->config.on_flip(self->config.arg);
    }
}

static void tell_flip(const struct probe *probe, const char *error)
{
    char ip[PIN_IP_TEXT_MAX];
    (void)pin_ip_format(&probe->spec->ip, ip);
    if (probe->judge.verdict == PIN_VERDICT_DOWN) {
        pin_log_warn("prober: %s port %u is unhealthy (%s: %s), left out of answers while others "
                     "are healthy",
            ip, probe->spec->port, pin_check_protocol_text(probe->spec->check.protocol), error);
    } else {
        pin_log_info("prober: %s port %u is healthy (%s)", ip, probe->spec->port,
            pin_check_protocol_text(probe->spec->check.protocol));
    }
}

static void take_result(struct probe *probe, const char *error)
{
    struct pin_prober *self = probe->prober;
    int64_t now_ms = pin_clock_mono_ms();
    enum pin_verdict before = probe->judge.verdict;
    bool is_changed = pin_judge_result(&probe->judge, &probe->spec->check, error == NULL);
    if (is_changed) {
        probe->since_s = (uint32_t)(now_ms / 1000);
        probe->since_wall_ms = pin_clock_wall_ms();
        self->stats.n_flips++;
        self->stats.n_addresses[before]--;
        self->stats.n_addresses[probe->judge.verdict]++;
        tell_flip(probe, error);
    }
    self->stats
        .n_probes[probe->spec->check.protocol][error == NULL ? PIN_PROBE_OK : PIN_PROBE_FAILED]++;
    int64_t next_ms = probe->started_ms + jittered_ms(&probe->spec->check);
    probe->due_ms = PIN_MAX(next_ms, now_ms);
    heap_put(self, probe);
    store(probe, is_changed, error);
}

/* --- starts
 * ---------------------------------------------------------------------------------------- */

static void start_due(struct pin_prober *self);

/* It runs now. */
static void note_run(struct probe *probe)
{
    struct pin_prober *self = probe->prober;
    probe->older = self->newest;
    probe->newer = NULL;
    *(self->newest != NULL ? &self->newest->newer : &self->oldest) = probe;
    self->newest = probe;
    self->stats.n_running++;
}

/* It does not run any more. */
static void end_run(struct probe *probe)
{
    struct pin_prober *self = probe->prober;
    *(probe->older != NULL ? &probe->older->newer : &self->oldest) = probe->newer;
    *(probe->newer != NULL ? &probe->newer->older : &self->newest) = probe->older;
    probe->run = NULL;
    self->stats.n_running--;
}

static void on_done(void *arg, const char *error)
{
    struct probe *probe = arg;
    end_run(probe);
    probe->was_cut = false;
    take_result(probe, error);
    start_due(probe->prober);
}

static const struct pin_prober_command *find_command(
    const struct pin_prober *self, const char *name)
{
    for (size_t i = 0; name != NULL && i < self->config.n_commands; i++) {
        if (strcmp(self->config.commands[i].name, name) == 0) {
            return &self->config.commands[i];
        }
    }
    return NULL;
}

static enum pin_err run_command(struct pin_prober *self, const struct pin_probe_want *want,
    struct pin_probe_run **ret_run, struct pin_why *why)
{
    const char *name = want->spec->check.command;
    const struct pin_prober_command *command = find_command(self, name);
    if (command == NULL) {
        return pin_why_set(
            why, PIN_ENOTFOUND, "no command '%s' in health.commands", name != NULL ? name : "");
    }
    return pin_probe_command(self->commands, command, want, ret_run, why);
}

static enum pin_err begin_run(struct probe *probe, struct pin_why *why)
{
    struct pin_prober *self = probe->prober;
    struct pin_probe_want want = {.spec = probe->spec, .done = on_done, .arg = probe};
    switch (probe->spec->check.protocol) {
    case PIN_CHECK_HTTP:
    case PIN_CHECK_HTTPS:
        return pin_probe_http(self->http, &want, &probe->run, why);
    case PIN_CHECK_COMMAND:
        return run_command(self, &want, &probe->run, why);
    case PIN_CHECK_TCP:
        break;
    }
    return pin_probe_tcp(self->config.loop, &want, &probe->run, why);
}

/* Begins the probe that is due first. */
static void start_one(struct pin_prober *self, int64_t now_ms)
{
    struct probe *probe = self->heap[0];
    struct pin_why why = {0};
    heap_remove(self, probe);
    self->tokens -= 1;
    probe->started_ms = now_ms;
    enum pin_err err = begin_run(probe, &why);
    if (err == PIN_OK) {
        note_run(probe);
        return;
    }
    if (err == PIN_EBUSY || err == PIN_ENOMEM) {
        probe->due_ms = now_ms + RETRY_MS;
        heap_put(self, probe);
        return;
    }
    take_result(probe, why.text);
}

static void fill_tokens(struct pin_prober *self, int64_t now_ms)
{
    double rate = self->config.max_per_second;
    double burst = rate / BURST_DIVISOR < 1 ? 1 : rate / BURST_DIVISOR;
    self->tokens += (double)(now_ms - self->tokens_at_ms) * rate / 1000;
    self->tokens = self->tokens > burst ? burst : self->tokens;
    self->tokens_at_ms = now_ms;
}

/* When a run makes room for another one. */
static int64_t patience_end_ms(const struct probe *probe)
{
    return probe->started_ms + (probe->was_cut ? AGAIN_MS : LONG_MS);
}

/* The run that makes room first; there is one. */
static struct probe *first_to_end(const struct pin_prober *self)
{
    struct probe *first = self->oldest;
    for (struct probe *probe = self->oldest->newer;
         probe != NULL && probe->started_ms + AGAIN_MS < patience_end_ms(first);
         probe = probe->newer) {
        first = patience_end_ms(probe) < patience_end_ms(first) ? probe : first;
    }
    return first;
}

/* Milliseconds until one of those that run makes room for another one. */
static int64_t room_ms(const struct pin_prober *self, int64_t now_ms)
{
    size_t n_max = self->config.running_max == 0 ? RUNNING_MAX : self->config.running_max;
    if (self->stats.n_running < n_max) {
        return 0;
    }
    return PIN_MAX(patience_end_ms(first_to_end(self)) - now_ms, (int64_t)1);
}

/* Ends the run that has had its time where others wait. */
static void make_room(struct pin_prober *self, int64_t now_ms)
{
    struct probe *first = room_ms(self, now_ms) == 0 ? NULL : first_to_end(self);
    if (first == NULL || now_ms < patience_end_ms(first)) {
        return;
    }
    char error[80];
    (void)snprintf(error, sizeof(error), "no answer in %d s, and others wait for their turn",
        (first->was_cut ? AGAIN_MS : LONG_MS) / 1000);
    first->run->cancel(first->run);
    end_run(first);
    first->was_cut = true;
    take_result(first, error);
}

/* Begins what is due and may begin, and sets the timer for the rest. */
static void start_due(struct pin_prober *self)
{
    int64_t now_ms = pin_clock_mono_ms();
    if (self->is_filling) {
        return;
    }
    self->is_filling = true;
    fill_tokens(self, now_ms);
    while (self->n_heap > 0 && self->heap[0]->due_ms <= now_ms && self->tokens >= 1) {
        make_room(self, now_ms);
        if (room_ms(self, now_ms) > 0) {
            break;
        }
        start_one(self, now_ms);
    }
    self->is_filling = false;
    if (self->n_heap == 0) {
        pin_timer_stop(self->timer); /* the end of a probe comes first */
        return;
    }
    int64_t wait_ms = PIN_MAX(self->heap[0]->due_ms - now_ms, room_ms(self, now_ms));
    int64_t token_ms = self->tokens >= 1
                           ? 0
                           : (int64_t)((1 - self->tokens) * 1000 / self->config.max_per_second) + 1;
    pin_timer_start(self->timer, PIN_MAX(PIN_MAX(wait_ms, token_ms), 0), false);
}

static void on_timer(void *arg)
{
    start_due(arg);
}

void pin_prober_pace(struct pin_prober *prober, uint32_t max_per_second)
{
    fill_tokens(prober, pin_clock_mono_ms()); /* by the pace until now */
    prober->config.max_per_second = max_per_second;
    start_due(prober);
}

/* --- orders
 * ---------------------------------------------------------------------------------------- */

static void free_probe(struct probe *probe)
{
    struct pin_prober *self = probe->prober;
    if (probe->run != NULL) {
        probe->run->cancel(probe->run);
        end_run(probe);
    }
    if (probe->heap_i != NOT_IN_HEAP) {
        heap_remove(self, probe);
    }
    self->stats.n_addresses[probe->judge.verdict]--;
    free(probe->spec);
    free(probe);
}

static void stop(struct pin_prober *self, uint32_t slot)
{
    struct probe *probe = pin_map_remove(&self->by_slot, &slot, sizeof(slot));
    if (probe != NULL) {
        free_probe(probe);
    }
}

/* Room in the heap for one more than there are. */
static bool grow_heap(struct pin_prober *self)
{
    size_t n = pin_map_count(&self->by_slot) + 1;
    if (n <= self->cap_heap) {
        return true;
    }
    size_t cap = self->cap_heap == 0 ? 64 : 2 * self->cap_heap;
    struct probe **grown = realloc(self->heap, cap * sizeof(*grown));
    if (grown == NULL) {
        return false;
    }
    self->heap = grown;
    self->cap_heap = cap;
    return true;
}

/* False when memory is out. */
static bool begin(struct pin_prober *self, const struct pin_health_order *order, int64_t now_ms)
{
    struct probe *probe = grow_heap(self) ? calloc(1, sizeof(*probe)) : NULL;
    if (probe == NULL
        || !pin_map_put(&self->by_slot, &order->slot, sizeof(order->slot), probe, NULL)) {
        free(probe);
        return false;
    }
    *probe = (struct probe){.prober = self,
        .spec = order->spec,
        .judge = {.verdict = order->first},
        .slot = order->slot,
        .since_s = (uint32_t)(now_ms / 1000),
        .since_wall_ms = pin_clock_wall_ms(),
        .due_ms = now_ms,
        .heap_i = NOT_IN_HEAP};
    self->stats.n_addresses[order->first]++;
    heap_put(self, probe);
    return true;
}

static void obey(struct pin_prober *self, struct pin_health_order *order, int64_t now_ms)
{
    if (order->spec == NULL) {
        stop(self, order->slot);
    } else if (!begin(self, order, now_ms)) {
        pin_log_error("prober: out of memory, an address is not checked and stays as it is");
        free(order->spec);
    }
}

void pin_prober_take_orders(struct pin_prober *prober)
{
    struct pin_health_order *orders = NULL;
    int64_t now_ms = pin_clock_mono_ms();
    size_t n = pin_health_take_orders(prober->config.health, &orders);
    for (size_t i = 0; i < n; i++) {
        obey(prober, &orders[i], now_ms);
    }
    if (n > 0) {
        free(orders);
    }
    start_due(prober);
}

/* --- life
 * ------------------------------------------------------------------------------------------ */

enum pin_err pin_prober_new(
    const struct pin_prober_config *config, struct pin_prober **ret_prober, struct pin_why *why)
{
    struct pin_prober *self = calloc(1, sizeof(*self));
    if (self == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "no memory for the prober");
    }
    self->config = *config;
    self->tokens = 1;
    self->tokens_at_ms = pin_clock_mono_ms();
    self->http = pin_http_new(config->loop);
    self->commands = pin_commands_new(config->loop, COMMANDS_MAX);
    self->timer = pin_timer_new(config->loop, on_timer, self);
    if (self->http == NULL || self->commands == NULL || self->timer == NULL) {
        pin_prober_free(self);
        return pin_why_set(why, PIN_ENOMEM, "no memory for the prober");
    }
    *ret_prober = self;
    return PIN_OK;
}

void pin_prober_free(struct pin_prober *prober)
{
    if (prober == NULL) {
        return;
    }
    size_t cursor = 0;
    void *value = NULL;
    while (pin_map_next(&prober->by_slot, &cursor, NULL, NULL, &value)) {
        free_probe(value);
    }
    pin_map_done(&prober->by_slot, NULL);
    pin_commands_free(prober->commands);
    pin_http_free(prober->http);
    pin_timer_free(prober->timer);
    free(prober->heap);
    free(prober);
}

struct pin_health_stats pin_prober_stats(const struct pin_prober *prober)
{
    struct pin_health_stats stats = prober->stats;
    int64_t now_ms = pin_clock_mono_ms();
    if (prober->n_heap > 0 && prober->heap[0]->due_ms < now_ms) {
        stats.late_ms = now_ms - prober->heap[0]->due_ms;
    }
    return stats;
}
