/* SPDX-License-Identifier: Apache-2.0 */

/*
 * A cluster as another Pintle publishes it below an etcd prefix.
 *
 *     PREFIX/CLUSTER/alive     bound to its publisher's lease: somebody keeps the rest true
 *     PREFIX/CLUSTER/meta      there once the cluster was published whole; as JSON its state, and
 *                              the kinds that its publisher does not know
 *     PREFIX/CLUSTER/s/... o/...   bundles (pintle/zones/changes.h)
 *
 *     range, page by page at one revision -> watch from the next one ... compacted -> range again
 *     pulse, every 2.5 s: read "alive" from a majority, and compare with what the watch has told;
 *     revisions that go back mean another etcd, or one from a backup -> wait -> range again
 *
 * Without `meta` nothing is known of the cluster, so nothing is deleted. It counts as out of reach
 * while its publisher says so, has gone, or etcd has confirmed nothing for some seconds.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/arena.h"
#include "pintle/base/clock.h"
#include "pintle/base/json.h"
#include "pintle/base/log.h"
#include "pintle/base/loop.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/base/text.h"

#include "etcd_text.h"
#include "source_etcd_state.h"

#define ARENA_BYTES    ((size_t)256 << 20)
#define PAGE_KEYS      256u
#define PULSE_EVERY_MS 2500
#define SOON_MS        50 /* To the next endpoint, and a little at random. */
#define RETRY_MAX_MS   5000
#define LIST_LAST_MS   15000 /* Greatest wait for a list, where one after the other is of no use. */
#define LIVED_MS       10000 /* A watch that lived so long was no failure, however it ended. */
#define RESTORED_MS    20000 /* The publisher finds out within 12 s, and puts right what is old. */

static struct pin_reader *from_source(struct pin_source *source)
{
    return container_of(source, struct pin_reader, source);
}

/* --- Steps ----------------------------------------------------------------------------------- */

static void schedule(struct pin_reader *self, enum pin_reader_step step, int64_t delay_ms)
{
    self->step = step;
    pin_timer_start(self->timer, delay_ms, false);
}

/* Another endpoint soon, then slower and slower. */
static void schedule_retry(struct pin_reader *self, enum pin_reader_step step)
{
    int64_t delay_ms = SOON_MS + pin_rand_below(SOON_MS);
    if (++self->n_failed > pin_etcd_n_endpoints(self->etcd)) {
        delay_ms = PIN_MIN(pin_backoff_next(&self->backoff, 0, -1), (int64_t)RETRY_MAX_MS);
    }
    schedule(self, step, delay_ms);
}

/* How long the watch lasted that has ended; 0: there was none. */
static int64_t watch_lived_ms(const struct pin_reader *self)
{
    return self->watched_ms == 0 ? 0 : pin_clock_mono_ms() - self->watched_ms;
}

/* A list again, because of what etcd said: whoever writes nonsense there is not asked all the time.
 */
static void schedule_list(struct pin_reader *self)
{
    int64_t healthy_ms = watch_lived_ms(self);
    self->watched_ms = 0;
    schedule(self, PIN_READER_RANGE, pin_backoff_next(&self->list_backoff, healthy_ms, -1));
}

static void cancel_call(struct pin_reader *self)
{
    pin_etcd_cancel(self->call);
    self->call = NULL;
}

/* A list from its first page. */
static void restart_range(struct pin_reader *self)
{
    cancel_call(self);
    free(self->next_key);
    self->next_key = NULL;
    self->needs_range = false;
}

/* --- Range ----------------------------------------------------------------------------------- */

/* Whether it comes after the last key of the page before, in etcd's order. */
static bool is_next(const struct pin_reader *self, const struct pin_etcd_kv *kv)
{
    size_t before_bytes = self->next_key != NULL ? self->next_key_bytes - 1 : 0;
    int order = memcmp(kv->key, self->next_key != NULL ? self->next_key : "",
        PIN_MIN(before_bytes, kv->key_bytes));
    return order > 0 || (order == 0 && kv->key_bytes > before_bytes);
}

static void count_lists(struct pin_reader *self)
{
    for (int kind = 0; kind < PIN_KIND_MAX; kind++) {
        self->source.stats.kinds[kind].n_lists[self->reason] += kind != PIN_KIND_POD;
    }
}

/*
 * Whether a change was lost for want of memory. The mirror has made it all the same, so that a list
 * compared with what is known here would not tell it again: the next is told as a first one is.
 */
static bool take_lost(struct pin_reader *self)
{
    bool has_lost = self->source.lost_kinds != 0;
    self->source.lost_kinds = 0;
    self->has_lost = self->has_lost || has_lost;
    self->told = has_lost ? 0 : self->told;
    return has_lost;
}

static void begin_list(struct pin_reader *self, int64_t revision)
{
    self->revision = revision;
    self->n_bad = 0;
    self->alive_revision = 0;
    self->has_meta = false;
    self->is_readable = false;
    pin_mirror_begin(&self->mirror);
    count_lists(self);
}

static void end_list(struct pin_reader *self)
{
    if (self->is_readable) {
        pin_mirror_end(&self->mirror, self->unknown);
        if (self->n_bad == 0) {
            pin__reader_mark_untold(self, PIN_DELTA_LIST_END);
            self->told |= ~self->unknown;
            self->has_lost = false;
        }
        pin_source_set_synced(&self->source);
        self->source.tells_each = true; /* no end of a list may follow, or not for long */
        self->is_whole = true;
    }
    pin_log_debug("%s: listed %s at revision %lld, %zu keys", self->source.where, self->base,
        (long long)self->revision, pin_mirror_n_keys(&self->mirror));
    pin__reader_note_confirmed(self);
    pin__reader_judge(self);
    if (take_lost(self)) {
        self->reason = PIN_LIST_FAILED;
        schedule_list(self);
    } else {
        schedule(self, PIN_READER_WATCH, 0);
    }
}

/* Takes the keys of a page. False: it cannot be read, or memory is out. */
static bool take_page(struct pin_reader *self, const struct pin_tree *tree, struct pin_why *why)
{
    const struct pin_tree *kvs = pin_tree_list(tree, "kvs");
    bool is_empty = kvs == NULL || kvs->first == NULL;
    if (is_empty && pin_tree_bool(tree, "more", false)) {
        (void)pin_why_set(why, PIN_EPARSE, "a page without keys is not the last one");
        return false;
    }
    PIN_TREE_EACH(item, kvs)
    {
        struct pin_etcd_kv kv;
        if (pin_etcd_kv_read(item, &kv, why) != PIN_OK) {
            return false;
        }
        if (!is_next(self, &kv) || !pin__reader_owns(self, &kv)) { /* such a list may have no end */
            pin_etcd_kv_done(&kv);
            (void)pin_why_set(why, PIN_EPARSE, "its keys are out of order, or not ours");
            return false;
        }
        if (!pin__reader_is_foreign(self, &kv)) {
            pin__reader_put_key(self, &kv);
        }
        free(self->next_key);
        self->next_key = kv.key; /* taken; its NUL is part of the next page's beginning */
        self->next_key_bytes = kv.key_bytes + 1;
        kv.key = NULL;
        pin_etcd_kv_done(&kv);
    }
    return !self->needs_range;
}

static void read_page(struct pin_reader *self, const struct pin_etcd_reply *reply)
{
    struct pin_tree *tree = NULL;
    struct pin_why why = {0};
    bool is_first = self->next_key == NULL;
    bool is_good = pin_json_parse(reply->text, reply->bytes, self->arena, &tree, &why) == PIN_OK;
    int64_t revision = pin_tree_int(tree, "header.revision", 0);
    if (is_good && is_first) {
        is_good = revision > 0;
        begin_list(self, revision);
    }
    is_good = is_good && take_page(self, tree, &why);
    bool has_more = pin_tree_bool(tree, "more", false);
    pin_arena_reset(self->arena);
    if (!is_good) {
        restart_range(self);
        self->reason = PIN_LIST_FAILED;
        pin__reader_note_fault(
            self, &(struct pin_etcd_reply){.fault = PIN_ETCD_OTHER, .message = why.text});
        schedule_list(self);
    } else if (has_more && self->is_readable) {
        schedule(self, PIN_READER_RANGE, 0);
    } else {
        free(self->next_key);
        self->next_key = NULL;
        end_list(self);
    }
}

static void on_range_done(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_reader *self = arg;
    self->call = NULL;
    if (reply->fault == PIN_ETCD_NONE) {
        self->n_failed = 0;
        read_page(self, reply);
        return;
    }
    if (reply->fault == PIN_ETCD_TOO_LARGE && self->page_keys > 1) {
        self->page_keys /= 2;
        schedule(self, PIN_READER_RANGE, 0);
        return;
    }
    if (reply->fault == PIN_ETCD_COMPACTED) {
        restart_range(self); /* between two pages */
        self->reason = PIN_LIST_EXPIRED;
    }
    pin__reader_note_fault(self, reply);
    schedule_retry(self, PIN_READER_RANGE);
}

static void send_range(struct pin_reader *self)
{
    struct pin_text body = {0};
    const char *from = self->next_key != NULL ? self->next_key : self->base;
    size_t from_bytes = self->next_key != NULL ? self->next_key_bytes : strlen(self->base);
    pin_text_putc(&body, '{');
    pin_etcd_put_bytes(&body, "key", from, from_bytes, true);
    pin_etcd_put_bytes(&body, "range_end", self->base_end, strlen(self->base_end), true);
    if (self->next_key != NULL) {
        pin_text_putf(&body, "\"revision\":\"%lld\",", (long long)self->revision);
    }
    pin_text_putf(&body, "\"limit\":\"%zu\"}", self->page_keys);
    struct pin_etcd_request request = {.path = "/v3/kv/range",
        .body = pin_text_get(&body),
        .body_bytes = body.len,
        .timeout_ms = PIN_ETCD_PAGE_TIMEOUT_MS,
        .on_done = on_range_done,
        .arg = self};
    self->call = body.failed ? NULL : pin_etcd_start(self->etcd, &request);
    pin_text_done(&body);
}

/* --- Watch ----------------------------------------------------------------------------------- */

/* Returns the revision of the event. */
static int64_t take_event(struct pin_reader *self, const struct pin_tree *event)
{
    struct pin_etcd_kv kv = {0};
    struct pin_why why = {0};
    if (pin_etcd_kv_read(pin_tree_map(event, "kv"), &kv, &why) != PIN_OK
        || !pin__reader_owns(self, &kv)) {
        self->needs_range = true;
    } else if (pin__reader_is_foreign(self, &kv)) {
        /* its revision counts */
    } else if (pin_etcd_event_is_delete(event)) {
        pin__reader_remove_key(self, &kv);
    } else {
        pin__reader_put_key(self, &kv);
    }
    int64_t revision = kv.mod_revision;
    pin_etcd_kv_done(&kv);
    return revision;
}

/* Why the next list begins. */
static void note_list_again(struct pin_reader *self, const char *reason)
{
    self->reason = PIN_LIST_EXPIRED;
    if (self->has_lost) {
        self->reason = PIN_LIST_FAILED;
        reason = "memory was out for a change";
    } else if (self->needs_range) {
        self->reason = PIN_LIST_BACK;
        reason = "it was published anew";
    }
    pin_log_info("%s: %s is listed again: %s", self->source.where, self->base, reason);
}

/* The watch has ended, or is to: what comes next. */
static void watch_ended(struct pin_reader *self, const char *reason, int64_t compact_revision)
{
    cancel_call(self);
    self->source.stats.kinds[PIN_KIND_SERVICE].n_restarts++;
    if (watch_lived_ms(self) >= LIVED_MS) {
        self->n_failed = 0;
    }
    if (compact_revision > 0 || self->needs_range || strstr(reason, "compacted") != NULL) {
        note_list_again(self, reason);
        restart_range(self);
        schedule_list(self);
    } else {
        pin_log_debug("%s: watch ended: %s", self->source.where, reason);
        schedule_retry(self, PIN_READER_WATCH);
    }
}

static void take_line(struct pin_reader *self, const struct pin_etcd_event_line *line)
{
    if (line->is_canceled) {
        if (strstr(line->reason, "auth ") != NULL) {
            pin_etcd_forget_token(self->etcd);
        } else if (strstr(line->reason, "permission") != NULL) {
            pin__reader_note_fault(
                self, &(struct pin_etcd_reply){.fault = PIN_ETCD_DENIED, .message = line->reason});
        }
        watch_ended(self, line->reason, line->compact_revision);
        return;
    }
    if (!line->is_created) { /* which says nothing yet */
        self->n_failed = 0;
    }
    /* while a watch catches up, a line's own revision is ahead of its events; without any, it says
     * that nothing is missing up to there */
    bool has_events = line->events != NULL && line->events->first != NULL;
    int64_t revision = has_events || line->is_created ? 0 : line->revision;
    PIN_TREE_EACH(event, line->events)
    {
        revision = PIN_MAX(revision, take_event(self, event));
    }
    if (take_lost(self) || self->needs_range) {
        self->needs_range = true;
        watch_ended(self, "", 0);
        return;
    }
    if (!line->is_fragment && revision > self->revision) {
        self->revision = revision;
    }
    pin__reader_judge(self);
}

static void on_watch_line(void *arg, const char *text, size_t bytes)
{
    struct pin_reader *self = arg;
    struct pin_etcd_event_line line;
    struct pin_why why = {.text = "a line is too long"};
    if (text == NULL || pin_etcd_line_read(text, bytes, self->arena, &line, &why) != PIN_OK) {
        self->needs_range = true;
        watch_ended(self, why.text, 0);
    } else {
        take_line(self, &line);
    }
    pin_arena_reset(self->arena);
    if (self->call != NULL && pin_outbox_is_full(&self->source.outbox)) {
        pin_etcd_pause(self->call);
    }
}

static void on_watch_done(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_reader *self = arg;
    self->call = NULL;
    if (reply->fault != PIN_ETCD_NONE) {
        pin__reader_note_fault(self, reply);
    }
    watch_ended(self, reply->message, reply->fault == PIN_ETCD_COMPACTED ? 1 : 0);
}

static void send_watch(struct pin_reader *self)
{
    struct pin_text body = {0};
    pin_text_puts(&body, "{\"create_request\":{");
    pin_etcd_put_bytes(&body, "key", self->base, strlen(self->base), true);
    pin_etcd_put_bytes(&body, "range_end", self->base_end, strlen(self->base_end), true);
    pin_text_putf(&body, "\"start_revision\":\"%lld\",\"progress_notify\":true,\"fragment\":true}}",
        (long long)self->revision + 1);
    struct pin_etcd_request request = {.path = "/v3/watch",
        .body = pin_text_get(&body),
        .body_bytes = body.len,
        .on_line = on_watch_line,
        .on_done = on_watch_done,
        .arg = self};
    self->watched_ms = pin_clock_mono_ms();
    self->call = body.failed ? NULL : pin_etcd_start(self->etcd, &request);
    pin_text_done(&body);
}

/* --- Pulse ----------------------------------------------------------------------------------- */

/* What a majority says of `alive`, beside what the watch has told: as new, or not yet. */
static void compare(struct pin_reader *self, int64_t alive_revision)
{
    bool is_watched = self->step == PIN_READER_WATCH && self->call != NULL;
    bool is_old =
        alive_revision == 0 ? self->alive_revision != 0 : alive_revision > self->alive_revision;
    if (!is_watched) {
        return;
    }
    if (!is_old) {
        self->has_doubt = false;
        pin__reader_note_confirmed(self);
        return;
    }
    bool is_late = self->has_doubt
                   && (self->doubt_revision == 0 || self->alive_revision < self->doubt_revision);
    self->has_doubt = true;
    self->doubt_revision = alive_revision;
    if (is_late && !pin_outbox_is_full(&self->source.outbox)) {
        self->has_doubt = false;
        pin_etcd_leave(self->etcd);
        watch_ended(self, "it fell behind", 0);
    }
}

/*
 * A watch from a revision that this etcd has not reached would be silent until it has, while all
 * seems well. What is there now may be older than what is known: its publisher is given the time
 * to put it right before it is believed.
 */
static void went_back(struct pin_reader *self, int64_t revision)
{
    char message[160];
    (void)snprintf(message, sizeof(message),
        "its revision went back from %lld to %lld, it was restored or is another one",
        (long long)self->revision, (long long)revision);
    pin_log_warn("%s: etcd: %s; what is known is kept, %s is listed again in %d s",
        self->source.where, message, self->base, RESTORED_MS / 1000);
    restart_range(self);
    self->reason = PIN_LIST_EXPIRED;
    self->revision = revision;
    self->alive_revision = 0;
    self->has_doubt = false;
    self->confirmed_ms = 0;
    pin__reader_note_fault(
        self, &(struct pin_etcd_reply){.fault = PIN_ETCD_OTHER, .message = message});
    schedule(self, PIN_READER_RANGE, RESTORED_MS);
}

/* What a majority says, as of now. */
static void take_pulse(struct pin_reader *self, const struct pin_tree *tree)
{
    const struct pin_tree *kvs = pin_tree_list(tree, "kvs");
    int64_t alive = kvs == NULL ? 0 : pin_tree_int(kvs->first, "mod_revision", 0);
    int64_t revision = pin_tree_int(tree, "header.revision", 0);
    if (revision < self->sent_revision || (alive != 0 && alive < self->sent_alive)) {
        went_back(self, revision);
    } else {
        compare(self, alive);
    }
}

static void on_pulse_done(void *arg, const struct pin_etcd_reply *reply)
{
    struct pin_reader *self = arg;
    self->pulse = NULL;
    if (reply->fault == PIN_ETCD_NONE) {
        struct pin_tree *tree = NULL;
        if (pin_json_parse(reply->text, reply->bytes, self->arena, &tree, NULL) == PIN_OK) {
            take_pulse(self, tree);
        }
        pin_arena_reset(self->arena);
    } else {
        pin__reader_note_fault(self, reply);
        if (reply->fault == PIN_ETCD_UNREACHABLE && self->step == PIN_READER_WATCH
            && self->call != NULL) {
            watch_ended(self, reply->message, 0); /* its member may be cut off, too */
        }
    }
    pin__reader_judge(self);
}

static void on_pulse_timer(void *arg)
{
    struct pin_reader *self = arg;
    struct pin_text body = {0};
    struct pin_text key = {0};
    pin__reader_judge(self);
    if (self->pulse != NULL) {
        return;
    }
    pin_text_putf(&key, "%salive", self->base);
    pin_text_putc(&body, '{');
    pin_etcd_put_bytes(&body, "key", pin_text_get(&key), key.len, true);
    pin_text_puts(&body, "\"keys_only\":true}");
    struct pin_etcd_request request = {.path = "/v3/kv/range",
        .body = pin_text_get(&body),
        .body_bytes = body.len,
        .timeout_ms = PIN_ETCD_CALL_TIMEOUT_MS,
        .on_done = on_pulse_done,
        .arg = self};
    self->sent_revision = self->revision;
    self->sent_alive = self->alive_revision;
    self->pulse = body.failed || key.failed ? NULL : pin_etcd_start(self->etcd, &request);
    pin_text_done(&key);
    pin_text_done(&body);
}

/* --- Life ------------------------------------------------------------------------------------ */

static void on_timer(void *arg)
{
    struct pin_reader *self = arg;
    if (pin_outbox_is_full(&self->source.outbox)) {
        self->is_waiting = true;
        return;
    }
    if (self->step == PIN_READER_RANGE) {
        send_range(self);
    } else {
        send_watch(self);
    }
    if (self->call == NULL) {
        pin_log_error("%s: out of memory, trying again", self->source.where);
        schedule_retry(self, self->step);
    }
}

static void reader_start(struct pin_source *source)
{
    struct pin_reader *self = from_source(source);
    self->is_started = true;
    schedule(self, PIN_READER_RANGE, 0);
    pin_timer_start(self->pulse_timer, PULSE_EVERY_MS, true);
}

static void reader_stop(struct pin_source *source)
{
    struct pin_reader *self = from_source(source);
    self->is_started = false;
    if (self->timer != NULL) {
        pin_timer_stop(self->timer);
    }
    if (self->pulse_timer != NULL) {
        pin_timer_stop(self->pulse_timer);
    }
    cancel_call(self);
    pin_etcd_cancel(self->pulse);
    self->pulse = NULL;
}

static void reader_resume(struct pin_source *source)
{
    struct pin_reader *self = from_source(source);
    if (self->is_waiting && self->is_started) {
        self->is_waiting = false;
        pin_timer_start(self->timer, 0, false);
    } else if (self->call != NULL && self->step == PIN_READER_WATCH) {
        pin_etcd_resume(self->call);
    }
}

/* Pods are not published. */
static void reader_want_pods(struct pin_source *source)
{
    if (source->wants_pods) {
        pin_log_warn("%s: a policy asks for the namespaces of Pods, which are not published; "
                     "trusted forwarders can still tell them",
            source->where);
    }
}

static void reader_free(struct pin_source *source)
{
    struct pin_reader *self = from_source(source);
    reader_stop(source);
    pin_etcd_free(self->etcd);
    pin_mirror_done(&self->mirror);
    pin_arena_free(self->arena);
    pin_timer_free(self->timer);
    pin_timer_free(self->pulse_timer);
    free(self->base);
    free(self->base_end);
    free(self->next_key);
    pin_source_done(source);
    free(self);
}

static const struct pin_source_ops reader_ops = {
    .start = reader_start,
    .stop = reader_stop,
    .resume = reader_resume,
    .want_pods = reader_want_pods,
    .free = reader_free,
};

static bool make_parts(
    struct pin_reader *self, struct pin_http *http, const struct pin_source_spec *spec)
{
    self->mirror.source = &self->source;
    self->source.stats.etcd.is_used = true;
    self->page_keys = PAGE_KEYS;
    self->list_backoff.last_ms = LIST_LAST_MS;
    self->etcd = pin_etcd_new(self->source.loop, http, &spec->etcd);
    self->arena = pin_arena_new("etcd answer", ARENA_BYTES);
    self->timer = pin_timer_new(self->source.loop, on_timer, self);
    self->pulse_timer = pin_timer_new(self->source.loop, on_pulse_timer, self);
    if (self->etcd == NULL
        || asprintf(&self->base, "%s/%s/", pin_etcd_prefix(self->etcd), spec->cluster) < 0) {
        self->base = NULL;
    }
    self->base_end = self->base != NULL ? pin_etcd_range_end(self->base) : NULL;
    return self->base_end != NULL && self->arena != NULL && self->timer != NULL
           && self->pulse_timer != NULL;
}

struct pin_source *pin_source_etcd_new(struct pin_loop *loop, struct pin_http *http,
    const struct pin_source_spec *spec, const struct pin_sync_sink *sink, struct pin_why *why)
{
    struct pin_reader *self = calloc(1, sizeof(*self));
    char *origin = NULL;
    if (asprintf(&origin, "etcd %s", spec->etcd.prefix) < 0) {
        origin = NULL;
    }
    if (self == NULL) {
        free(origin);
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    if (!pin_source_init(&self->source, &reader_ops, loop, spec, sink, origin)
        || !make_parts(self, http, spec)) {
        reader_free(&self->source);
        (void)pin_why_set(why, PIN_ENOMEM, "no memory for cluster '%s'", spec->cluster);
        return NULL;
    }
    return &self->source;
}
