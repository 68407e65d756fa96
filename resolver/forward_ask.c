/* SPDX-License-Identifier: Apache-2.0 */

/* Questions under way: one for all who ask the same, tried until somebody answers or time is up. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/ip.h"
#include "pintle/base/log.h"
#include "pintle/base/macros.h"
#include "pintle/base/rand.h"
#include "pintle/zones/table.h"

#include "forward_thread.h"

/* Who waits is told within three seconds, and gets what is expired within 1.8 (RFC 8767). */
#define FAIL_AFTER_MS  2700
#define STALE_AFTER_MS 1750
/* Until then a late reply is taken, for those who ask later. */
#define LATE_UNTIL_MS 6000
/* With less left a try is not begun any more: most often of a question that had to wait its turn.
 */
#define IN_VAIN_MS 200
/* Patience with a second try at the only resolver, and with any try where packets are lost. */
#define ALONE_MS 950
#define LOSSY_MS 300
/* Between two tries at a resolver that the network says is not there, and after the last. */
#define UNREACHABLE_MS         200
#define TRIES_MAX              10u
#define TRIES_PER_UPSTREAM_MAX 3u
/* While it does not answer questions of ours either, which are asked again and again. */
#define TRIES_IF_DOWN_MAX 1u
/* How often it is looked whether it does again. */
#define RECOVERY_MS 500
/* Where packets are lost, and losses have paid for it. */
#define TRIES_IF_LOSSY_MAX 8u
/* It has said that it has no answer. */
#define TRIES_NO_MORE UINT8_MAX
/* Messages that are not the reply, after which nobody can guess any more: a stream. */
#define MISMATCHES_MAX 20u
#define PLAIN_MS       900000
/* One question of so many goes to a resolver by chance, so that a slow one can show better. */
#define EXPLORE_ONE_IN 32u

static void next_try(struct pin_ask *ask);

/* --- the table ----------------------------------------------------------------------------- */

static struct pin_ask **find_link(
    struct pin_forward_thread *thread, const struct pin_cache_key *key)
{
    struct pin_ask **link = &thread->asks[key->hash % PIN_ASK_BUCKETS];
    while (*link != NULL && !pin_cache_key_is_same(&(*link)->key, key)) {
        link = &(*link)->next_in_bucket;
    }
    return link;
}

static void make_key(
    const struct pin_miss_key *from, const uint8_t *name, struct pin_cache_key *ret_key)
{
    *ret_key = (struct pin_cache_key){.name = name,
        .name_hash = from->name_hash,
        .qtype = from->qtype,
        .qclass = PIN_CLASS_IN,
        .group = from->group,
        .name_bytes = from->name_bytes,
        .flags = from->flags};
    pin_cache_key_finish(ret_key);
}

static const struct pin_forward_zone *zone_of(const struct pin_ask *ask)
{
    return &ask->thread->forward->config.zones[ask->key.group];
}

static struct pin_upstream *upstream_of(const struct pin_ask *ask, size_t i)
{
    return &ask->thread->upstreams[ask->thread->first_upstream[ask->key.group] + i];
}

static size_t position_of(const struct pin_ask *ask, const struct pin_upstream *upstream)
{
    return upstream->index - ask->thread->first_upstream[ask->key.group];
}

/* --- the end of a question ------------------------------------------------------------------- */

static void end_attempts(struct pin_ask *ask)
{
    while (ask->attempts != NULL) {
        struct pin_attempt *attempt = ask->attempts;
        ask->attempts = attempt->next;
        pin_attempt_end(attempt);
    }
}

static void end_attempt(struct pin_ask *ask, struct pin_attempt *attempt)
{
    struct pin_attempt **link = &ask->attempts;
    while (*link != attempt) {
        link = &(*link)->next;
    }
    *link = attempt->next;
    pin_attempt_end(attempt);
}

/* Frees a question that is in no list any more. */
static void dispose(struct pin_ask *ask)
{
    struct pin_forward_thread *thread = ask->thread;
    pin_timers_clear(&thread->timers, &ask->deadline);
    end_attempts(ask);
    pin_ask_leave(ask);
    pin_waiters_drop(thread, ask);
    thread->n_asks--;
    pin_stat_set(&thread->stats.n_pending, thread->n_asks);
    free(ask);
}

static void free_ask(struct pin_ask *ask)
{
    *find_link(ask->thread, &ask->key) = ask->next_in_bucket;
    dispose(ask);
}

/* An answer that can be believed: kept, shown, done. */
static void succeed(struct pin_ask *ask)
{
    struct pin_forward_thread *thread = ask->thread;
    thread->reply->is_authentic = thread->reply->is_authentic && zone_of(ask)->is_trusted;
    struct pin_outcome outcome = {.key = &ask->key};
    outcome.entry = pin_cache_put(thread->forward->cache, &ask->key, thread->reply, thread->now_ms);
    pin_waiters_answer(thread, ask, &outcome);
    free_ask(ask);
}

/* Nobody answered in time: who waits is told, and it is not tried again for a while. */
static void fail(struct pin_ask *ask)
{
    struct pin_forward_thread *thread = ask->thread;
    struct pin_outcome outcome = {.key = &ask->key, .shows_stale = true};
    if (ask->n_tries > 0) {
        outcome.entry =
            pin_cache_put_failure(thread->forward->cache, &ask->key, ask->ede, thread->now_ms);
    }
    pin_stat_add(&thread->stats.n_failed, 1);
    ask->is_failed = true;
    pin_waiters_answer(thread, ask, &outcome);
    pin_ask_leave(ask);
    if (ask->attempts == NULL || thread->n_asks > PIN_ASKS_MAX / 2) {
        free_ask(ask);
        return;
    }
    pin_timers_set(&thread->timers, &ask->deadline, ask->end_ms);
}

static void show_stale(struct pin_ask *ask)
{
    const struct pin_outcome outcome = {.key = &ask->key, .shows_stale = true};
    ask->is_stale_shown = true;
    pin_waiters_answer(ask->thread, ask, &outcome);
}

/* --- tries ---------------------------------------------------------------------------------- */

/* When something is to be done next. */
static void schedule(struct pin_ask *ask)
{
    int64_t now_ms = ask->thread->now_ms;
    int64_t at_ms = ask->fail_ms;
    if (ask->try_ms > now_ms || ask->fail_ms - now_ms > IN_VAIN_MS) {
        at_ms = PIN_MIN(at_ms, ask->try_ms);
    }
    if (ask->has_stale && !ask->is_stale_shown) {
        at_ms = PIN_MIN(at_ms, ask->stale_ms);
    }
    pin_timers_set(&ask->thread->timers, &ask->deadline, at_ms);
}

/* Whether `a` is to be asked rather than `b`. */
static bool is_better(const struct pin_ask *ask, size_t a, size_t b)
{
    const struct pin_upstream *of_a = upstream_of(ask, a);
    const struct pin_upstream *of_b = upstream_of(ask, b);
    if (of_a->is_down != of_b->is_down) {
        return of_b->is_down;
    }
    if (ask->n_tries_of[a] != ask->n_tries_of[b]) {
        return ask->n_tries_of[a] < ask->n_tries_of[b];
    }
    return of_a->srtt_us < of_b->srtt_us;
}

/* How often one question may be put to a resolver. */
static unsigned tries_max(const struct pin_upstream *upstream)
{
    if (pin_upstream_is_lossy(upstream)) {
        return TRIES_IF_LOSSY_MAX;
    }
    return upstream->is_down ? TRIES_IF_DOWN_MAX : TRIES_PER_UPSTREAM_MAX;
}

/* Whether a resolver that is down now may be asked again when it is not. */
static bool may_recover(const struct pin_ask *ask)
{
    for (size_t i = 0; i < zone_of(ask)->n_upstreams; i++) {
        if (upstream_of(ask, i)->is_down && ask->n_tries_of[i] < TRIES_PER_UPSTREAM_MAX) {
            return true;
        }
    }
    return false;
}

/* The resolver to ask now, or NULL. */
static struct pin_upstream *choose(const struct pin_ask *ask)
{
    size_t n = zone_of(ask)->n_upstreams;
    size_t best = n;
    if (ask->n_tries >= TRIES_MAX) {
        return NULL;
    }
    bool is_exploring = ask->n_tries == 0 && pin_rand_below(EXPLORE_ONE_IN) == 0;
    size_t first = is_exploring ? pin_rand_below((uint32_t)n) : n;
    for (size_t i = 0; i < n; i++) {
        const struct pin_upstream *upstream = upstream_of(ask, i);
        if (upstream->is_loop || ask->n_tries_of[i] >= tries_max(upstream)) {
            continue;
        }
        if (i == first && !upstream->is_down) {
            return upstream_of(ask, i);
        }
        if (best == n || is_better(ask, i, best)) {
            best = i;
        }
    }
    return best < n ? upstream_of(ask, best) : NULL;
}

/* How long the try that was just made may be the last one. */
static int64_t patience_ms(const struct pin_ask *ask, const struct pin_upstream *upstream)
{
    if (pin_upstream_is_lossy(upstream)) {
        return LOSSY_MS;
    }
    bool is_alone = zone_of(ask)->n_upstreams == 1;
    return is_alone && ask->n_tries > 1 ? ALONE_MS : pin_upstream_patience_ms(upstream);
}

/* Tries one resolver. False: that cannot be done now. */
static bool try_at(struct pin_ask *ask, struct pin_upstream *upstream, bool over_stream)
{
    const struct pin_try try = {.ask = ask,
        .name = ask->key.name,
        .name_bytes = ask->key.name_bytes,
        .qtype = ask->key.qtype,
        .is_do = (ask->key.flags & PIN_KEY_DO) != 0,
        .is_cd = (ask->key.flags & PIN_KEY_CD) != 0,
        .is_plain = upstream->plain_until_ms > ask->thread->now_ms,
        .over_stream = over_stream || upstream->spec->is_tls};
    int errno_value = 0;
    ask->n_tries++;
    if (++ask->n_tries_of[position_of(ask, upstream)] > TRIES_PER_UPSTREAM_MAX) {
        pin_upstream_pay(upstream);
    }
    struct pin_attempt *attempt = pin_attempt_start(upstream, &try, &errno_value);
    if (attempt == NULL) {
        ask->ede = PIN_EDE_NETWORK_ERROR;
        return false;
    }
    attempt->next = ask->attempts;
    ask->attempts = attempt;
    ask->try_ms = ask->thread->now_ms + patience_ms(ask, upstream);
    return true;
}

/* Whether something may still come. */
static bool has_hope(const struct pin_ask *ask)
{
    for (const struct pin_attempt *a = ask->attempts; a != NULL; a = a->next) {
        if (!a->has_error) {
            return true;
        }
    }
    return false;
}

/* Tries somebody; when there is nobody left, waits for what is under way. May end the question. */
static void next_try(struct pin_ask *ask)
{
    if (ask->is_failed) {
        if (ask->attempts == NULL) {
            free_ask(ask);
        }
        return;
    }
    for (struct pin_upstream *upstream = choose(ask); upstream != NULL; upstream = choose(ask)) {
        if (try_at(ask, upstream, false)) {
            schedule(ask);
            return;
        }
    }
    ask->try_ms = may_recover(ask) ? ask->thread->now_ms + RECOVERY_MS : ask->fail_ms;
    if (ask->attempts == NULL) {
        fail(ask);
        return;
    }
    if (!has_hope(ask)) {
        ask->fail_ms = PIN_MIN(ask->fail_ms, ask->thread->now_ms + UNREACHABLE_MS);
    }
    schedule(ask);
}

/* Asks the same resolver again, in another way, in place of a try that is over. */
static void try_again(struct pin_ask *ask, struct pin_attempt *attempt, bool over_stream)
{
    struct pin_upstream *upstream = attempt->upstream;
    end_attempt(ask, attempt);
    bool may = !ask->is_failed && ask->n_tries < TRIES_MAX
               && ask->n_tries_of[position_of(ask, upstream)] <= tries_max(upstream);
    if (may && try_at(ask, upstream, over_stream)) {
        schedule(ask);
    } else {
        next_try(ask);
    }
}

/* The tries that should have been answered by now were met with silence. */
static void note_silence(struct pin_ask *ask)
{
    struct pin_attempt *newest = ask->attempts;
    if (newest != NULL && !newest->has_error && !newest->is_silent) {
        newest->is_silent = true;
        pin_stat_add(&newest->upstream->stats.n_silent, 1);
        ask->ede = PIN_EDE_NO_REACHABLE_AUTHORITY;
        pin_upstream_on_silence(newest->upstream);
    }
}

static void on_time(struct pin_deadline *deadline, void *arg)
{
    struct pin_ask *ask = container_of(deadline, struct pin_ask, deadline);
    int64_t now_ms = ask->thread->now_ms;
    (void)arg;
    if (ask->is_failed) {
        free_ask(ask);
        return;
    }
    if (ask->has_stale && !ask->is_stale_shown && now_ms >= ask->stale_ms) {
        show_stale(ask);
    }
    if (now_ms >= ask->fail_ms) {
        note_silence(ask);
        fail(ask);
    } else if (now_ms >= ask->try_ms && ask->fail_ms - now_ms > IN_VAIN_MS) {
        note_silence(ask);
        next_try(ask);
    } else {
        schedule(ask);
    }
}

/* --- what comes back ------------------------------------------------------------------------- */

/* A resolver speaks for the names that are forwarded to it, and for none of ours. */
static bool believes(void *arg, const uint8_t *name, size_t name_bytes)
{
    const struct pin_ask *ask = arg;
    const struct pin_forward *forward = ask->thread->forward;
    size_t at = 0;
    return pin_forward_group(forward, name, name_bytes) == ask->key.group
           && pin_index_enclose(ask->thread->worker.live->index, name, name_bytes, &at) == NULL;
}

/* Whether a try before this one at the same resolver, over UDP too, is still without an answer. */
static bool shows_loss(const struct pin_attempt *attempt)
{
    for (const struct pin_attempt *a = attempt->next; attempt->conn == NULL && a != NULL;
         a = a->next) {
        if (a->upstream == attempt->upstream && a->conn == NULL && !a->has_error) {
            return true;
        }
    }
    return false;
}

/* What is no reply to the question. On a stream nobody forges: whoever goes on like this is left,
 * and what else comes of the question there is strange to the connection, which soon ends. */
static void on_mismatch(struct pin_attempt *attempt)
{
    pin_stat_add(&attempt->upstream->stats.n_mismatched, 1);
    if (++attempt->n_mismatched < MISMATCHES_MAX) {
        return;
    }
    if (attempt->conn != NULL) {
        pin_upstream_conn_forget(attempt);
        pin_attempt_on_error(attempt, EPROTO);
    } else if (attempt->ask != NULL) {
        try_again(attempt->ask, attempt, true);
    }
}

/* This resolver has no answer: another one may. */
static void on_failed(struct pin_ask *ask, struct pin_attempt *attempt)
{
    pin_stat_add(&attempt->upstream->stats.n_failed, 1);
    ask->ede = ask->thread->reply->ede != PIN_EDE_NONE ? ask->thread->reply->ede
                                                       : PIN_EDE_NO_REACHABLE_AUTHORITY;
    ask->n_tries_of[position_of(ask, attempt->upstream)] = TRIES_NO_MORE;
    end_attempt(ask, attempt);
    next_try(ask);
}

static void on_verdict(
    struct pin_ask *ask, struct pin_attempt *attempt, enum pin_reply_verdict verdict)
{
    struct pin_upstream *upstream = attempt->upstream;
    switch (verdict) {
    case PIN_REPLY_GOOD:
        pin_stat_add(&upstream->stats.n_answered, 1);
        if (shows_loss(attempt)) {
            pin_upstream_on_loss(upstream);
        }
        succeed(ask);
        break;
    case PIN_REPLY_TRUNCATED:
        if (attempt->conn == NULL) {
            try_again(ask, attempt, true);
        } else {
            on_failed(ask, attempt);
        }
        break;
    case PIN_REPLY_NO_EDNS:
        upstream->plain_until_ms = ask->thread->now_ms + PLAIN_MS;
        try_again(ask, attempt, attempt->conn != NULL);
        break;
    case PIN_REPLY_MALFORMED:
        pin_stat_add(&upstream->stats.n_malformed, 1);
        if (attempt->conn != NULL) {
            on_failed(ask, attempt);
        }
        break; /* over UDP perhaps a forger's: the true one may follow */
    default:
        on_failed(ask, attempt);
        break;
    }
}

void pin_attempt_on_message(struct pin_attempt *attempt, const uint8_t *wire, size_t bytes)
{
    struct pin_upstream *upstream = attempt->upstream;
    struct pin_forward_thread *thread = upstream->thread;
    struct pin_ask *ask = attempt->ask;
    if (attempt->is_over) {
        return;
    }
    struct pin_asked asked = {.qname = attempt->name,
        .qname_bytes = attempt->name_bytes,
        .is_any_case = attempt->conn != NULL || !upstream->mixes_case,
        .is_do = attempt->is_do,
        .has_edns = attempt->has_edns,
        .id = attempt->id,
        .qtype = attempt->qtype,
        .qclass = PIN_CLASS_IN,
        .ttl_min_s = thread->forward->config.ttl_min_s,
        .ttl_max_s = thread->forward->config.ttl_max_s};
    if (ask != NULL) {
        asked.believes = believes;
        asked.believes_arg = ask;
    }
    enum pin_reply_verdict verdict = pin_reply_read(wire, bytes, &asked, thread->reply);
    if (verdict == PIN_REPLY_MISMATCH) {
        on_mismatch(attempt);
        return;
    }
    if (verdict != PIN_REPLY_MALFORMED) {
        pin_upstream_on_reply(upstream, attempt); /* ends a probe */
    }
    if (ask != NULL) {
        on_verdict(ask, attempt, verdict);
    }
}

void pin_attempt_on_error(struct pin_attempt *attempt, int errno_value)
{
    struct pin_ask *ask = attempt->ask;
    struct pin_upstream *upstream = attempt->upstream;
    bool is_stream = attempt->fd < 0;
    (void)errno_value;
    if (attempt->is_over) {
        return;
    }
    pin_stat_add(&upstream->stats.n_unreachable, 1);
    pin_upstream_on_silence(upstream);
    attempt->has_error = true;
    if (ask == NULL) {
        return; /* its deadline ends the probe */
    }
    ask->ede = PIN_EDE_NETWORK_ERROR;
    if (is_stream) {
        end_attempt(ask, attempt);
    }
    const struct pin_upstream *other = ask->is_failed ? NULL : choose(ask);
    if (other == upstream) {
        ask->try_ms = PIN_MIN(ask->try_ms, ask->thread->now_ms + UNREACHABLE_MS);
        schedule(ask);
    } else {
        next_try(ask);
    }
}

/* --- the beginning --------------------------------------------------------------------------- */

static bool are_all_down(const struct pin_ask *ask)
{
    for (size_t i = 0; i < zone_of(ask)->n_upstreams; i++) {
        if (!upstream_of(ask, i)->is_down) {
            return false;
        }
    }
    return true;
}

/* A new question, not asked yet. NULL: too many, or no memory. */
static struct pin_ask *new_ask(
    struct pin_forward_thread *thread, const struct pin_miss *miss, bool has_stale)
{
    if (thread->n_asks >= PIN_ASKS_MAX
        || !pin_timers_reserve(&thread->timers, thread->n_asks + 1 + 2 * thread->n_upstreams)) {
        return NULL;
    }
    struct pin_ask *ask = calloc(1, sizeof(*ask));
    if (ask == NULL) {
        return NULL;
    }
    memcpy(ask->name, miss->key.name, miss->key.name_bytes);
    make_key(&miss->key, ask->name, &ask->key);
    ask->thread = thread;
    ask->deadline.on_time = on_time;
    ask->ede = PIN_EDE_NO_REACHABLE_AUTHORITY;
    ask->has_stale = has_stale;
    ask->try_ms = thread->now_ms + FAIL_AFTER_MS;
    ask->fail_ms = thread->now_ms + FAIL_AFTER_MS;
    ask->stale_ms = are_all_down(ask) ? thread->now_ms : thread->now_ms + STALE_AFTER_MS;
    ask->end_ms = thread->now_ms + LATE_UNTIL_MS;
    struct pin_ask **link = find_link(thread, &ask->key);
    *link = ask;
    thread->n_asks++;
    pin_stat_set(&thread->stats.n_pending, thread->n_asks);
    return ask;
}

static void begin(struct pin_forward_thread *thread, const struct pin_miss *miss, bool has_stale)
{
    struct pin_ask *ask = new_ask(thread, miss, has_stale);
    if (ask != NULL && !miss->is_refresh
        && (!pin_ask_join(ask, &miss->peer.any) || !pin_waiter_add(thread, ask, miss))) {
        free_ask(ask);
        ask = NULL;
    }
    if (ask == NULL) {
        pin_stat_add(&thread->stats.n_rejected, 1);
        struct pin_cache_key key;
        make_key(&miss->key, miss->key.name, &key);
        const struct pin_outcome outcome = {.key = &key, .shows_stale = true};
        pin_miss_answer(thread, miss, &outcome);
        return;
    }
    pin_stat_add(&thread->stats.n_asks, 1);
    if (ask->is_parked) {
        schedule(ask);
    } else {
        next_try(ask);
    }
}

/* What one of ours asked to see whether it comes back has come back. */
static bool is_own_probe(struct pin_forward_thread *thread, const struct pin_miss *miss)
{
    const uint8_t *label = thread->forward->loop_label;
    size_t secret_bytes = sizeof(thread->forward->loop_label) - 3;
    if (miss->key.name_bytes < sizeof(thread->forward->loop_label)
        || memcmp(miss->key.name, label, secret_bytes) != 0) {
        return false;
    }
    const uint8_t *digits = miss->key.name + secret_bytes;
    size_t index = (size_t)(digits[0] - 'a') * 676u + (size_t)(digits[1] - 'a') * 26u
                   + (size_t)(digits[2] - 'a');
    pin_forward_on_loop(thread, index);
    return true;
}

void pin_ask_take(struct pin_forward_thread *thread, const struct pin_miss *miss)
{
    struct pin_cache_key key;
    struct pin_cache_found found;
    make_key(&miss->key, miss->key.name, &key);
    struct pin_outcome outcome = {.key = &key};
    if (is_own_probe(thread, miss)) {
        pin_miss_answer(thread, miss, &outcome);
        return;
    }
    struct pin_ask *ask = *find_link(thread, &key);
    if (ask != NULL && miss->is_refresh) {
        return;
    }
    if (ask != NULL && !ask->is_failed && !ask->is_stale_shown) {
        if (pin_waiter_add(thread, ask, miss)) {
            pin_stat_add(&thread->stats.n_joined, 1);
        } else {
            pin_stat_add(&thread->stats.n_rejected, 1);
            pin_miss_answer(thread, miss, &outcome);
        }
        return;
    }
    enum pin_cache_state state =
        pin_cache_find(thread->forward->cache, &key, thread->now_ms, &found);
    bool is_told = state == PIN_CACHE_FRESH || state == PIN_CACHE_FAILED
                   || (state == PIN_CACHE_STALE && found.is_failing);
    if (!miss->is_refresh && (ask != NULL || is_told)) {
        outcome.shows_stale = true; /* answered while it was handed over, or failing */
        pin_miss_answer(thread, miss, &outcome);
        return;
    }
    if (miss->is_refresh) {
        pin_stat_add(&thread->stats.n_refreshes, 1);
    }
    begin(thread, miss, state == PIN_CACHE_STALE);
}

void pin_asks_drop(struct pin_forward_thread *thread)
{
    for (size_t i = 0; i < PIN_ASK_BUCKETS; i++) {
        while (thread->asks[i] != NULL) {
            struct pin_ask *ask = thread->asks[i];
            thread->asks[i] = ask->next_in_bucket;
            dispose(ask);
        }
    }
}
