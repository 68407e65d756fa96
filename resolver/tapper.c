/* SPDX-License-Identifier: Apache-2.0 */

/* The thread behind the taps: empties the workers' rings into the query log and dnstap. */

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pintle/base/log.h"

#include "dnstap.h"
#include "querylog.h"
#include "tail.h"
#include "tap_ring.h"
#include "worker.h"

/* How often rings are emptied: a ring holds what a busy worker notes meanwhile. */
#define ROUND_NS 5000000L
/* Rounds between two flushes of the log when little is noted. */
#define FLUSH_ROUNDS 100u
/* Rounds after which is looked how much is noted for who watches, and how much that may be. */
#define TAIL_ROUNDS    20u
#define TAIL_MANY      200u
#define TAIL_FEW       50u
#define TAIL_EVERY_MAX (UINT32_C(1) << 20)

struct pin_tapper {
    const struct pin_settings *settings;    /* of records, or NULL */
    const struct pin_policy_labels *labels; /* likewise */
    struct pin_tap_outlets outlets;         /* the thread's */
    struct pin_tap_outlets next;            /* to take their place */
    bool has_next;
    _Atomic uint32_t log_every; /* of the outlets */
    _Atomic uint32_t dnstap_every;
    _Atomic(struct pin_tap *) taps;
    struct pin_stat n_lost; /* that dnstap's collector did not take */
    atomic_bool is_stopping;
    struct pin_text why; /* of the record at hand */
    bool has_thread;     /* control's, as the next one */
    pthread_t thread;
    pthread_mutex_t mutex;  /* over settings, the next outlets, and the rest */
    pthread_cond_t changed; /* somebody watches, outlets are others, or it is stopping */
    bool is_watched;
    struct pin_tail *tail; /* NULL: nobody has watched yet */
    uint32_t tail_every;   /* the thread's */
    unsigned n_tailed;     /* since it was last looked at; the thread's */
};

/* Opens or closes the gate of a tap. */
static void set_tap(const struct pin_tapper *tapper, struct pin_tap *tap, uint32_t tail_every)
{
    uint32_t log_every = atomic_load_explicit(&tapper->log_every, memory_order_relaxed);
    uint32_t dnstap_every = atomic_load_explicit(&tapper->dnstap_every, memory_order_relaxed);
    bool is_open = log_every > 0 || dnstap_every > 0 || tail_every > 0;
    atomic_store_explicit(&tap->log_every, log_every, memory_order_relaxed);
    atomic_store_explicit(&tap->dnstap_every, dnstap_every, memory_order_relaxed);
    atomic_store_explicit(&tap->tail_every, tail_every, memory_order_relaxed);
    atomic_store_explicit(&tap->gate.is_open, is_open, memory_order_relaxed);
}

static void set_taps(const struct pin_tapper *tapper, uint32_t tail_every)
{
    struct pin_tap *tap = atomic_load_explicit(&tapper->taps, memory_order_acquire);
    for (; tap != NULL; tap = tap->next) {
        set_tap(tapper, tap, tail_every);
    }
}

static void add_to_tail(struct pin_tapper *tapper, const struct pin_tap_record *record)
{
    tapper->n_tailed++;
    (void)pthread_mutex_lock(&tapper->mutex);
    if (tapper->tail != NULL && tapper->is_watched) {
        pin_tail_add(tapper->tail, record);
        tapper->tail->every = tapper->tail_every;
    }
    (void)pthread_mutex_unlock(&tapper->mutex);
}

/* Has more or less noted: twice as much or half of it, a look at a time. */
static void adapt_tail(struct pin_tapper *tapper)
{
    (void)pthread_mutex_lock(&tapper->mutex);
    bool is_watched = tapper->is_watched;
    (void)pthread_mutex_unlock(&tapper->mutex);
    if (!is_watched) {
        tapper->tail_every = 0;
    } else if (tapper->tail_every == 0) {
        tapper->tail_every = 1;
    } else if (tapper->n_tailed > TAIL_MANY && tapper->tail_every < TAIL_EVERY_MAX) {
        tapper->tail_every *= 2;
    } else if (tapper->n_tailed < TAIL_FEW && tapper->tail_every > 1) {
        tapper->tail_every /= 2;
    }
    tapper->n_tailed = 0;
    set_taps(tapper, tapper->tail_every);
}

/* Waits while there is nothing to do. */
static void wait_for_work(struct pin_tapper *tapper)
{
    if (tapper->outlets.log != NULL || tapper->outlets.dnstap != NULL) {
        return;
    }
    (void)pthread_mutex_lock(&tapper->mutex);
    while (!tapper->is_watched && !tapper->has_next && tapper->tail_every == 0
           && !atomic_load_explicit(&tapper->is_stopping, memory_order_acquire)) {
        (void)pthread_cond_wait(&tapper->changed, &tapper->mutex);
    }
    (void)pthread_mutex_unlock(&tapper->mutex);
}

/* Empties one ring. Returns whether there was anything. */
static bool drain(struct pin_tapper *tapper, struct pin_tap *tap, struct pin_tap_page *page)
{
    struct pin_tap_record record;
    bool had_any = false;
    while (pin_tap_take(tap, page, &record)) {
        had_any = true;
        pin_text_cut(&tapper->why, 0);
        (void)pthread_mutex_lock(&tapper->mutex);
        pin_tap_why_put(&record.why, record.query, record.query_kept_bytes, tapper->settings,
            tapper->labels, &tapper->why);
        (void)pthread_mutex_unlock(&tapper->mutex);
        record.why_text = pin_text_get(&tapper->why);
        if (tapper->outlets.log != NULL && (record.wanted & PIN_TAP_LOG) != 0) {
            pin_querylog_add(tapper->outlets.log, &record);
        }
        if (tapper->outlets.dnstap != NULL && (record.wanted & PIN_TAP_DNSTAP) != 0) {
            pin_stat_add(&tapper->n_lost, pin_dnstap_add(tapper->outlets.dnstap, &record));
        }
        if ((record.wanted & PIN_TAP_TAIL) != 0) {
            add_to_tail(tapper, &record);
        }
    }
    return had_any;
}

static bool drain_all(struct pin_tapper *tapper, struct pin_tap_page *page)
{
    bool had_any = false;
    struct pin_tap *tap = atomic_load_explicit(&tapper->taps, memory_order_acquire);
    for (; tap != NULL; tap = tap->next) {
        had_any = drain(tapper, tap, page) || had_any;
    }
    return had_any;
}

/* Has the next outlets take the place of those there are, which get what was noted until then. */
static void take_next(struct pin_tapper *tapper, struct pin_tap_page *page)
{
    (void)pthread_mutex_lock(&tapper->mutex);
    bool has_next = tapper->has_next;
    struct pin_tap_outlets next = tapper->next;
    tapper->has_next = false;
    tapper->next = (struct pin_tap_outlets){0};
    (void)pthread_mutex_unlock(&tapper->mutex);
    if (has_next) {
        if (tapper->outlets.log != NULL || tapper->outlets.dnstap != NULL) {
            (void)drain_all(tapper, page);
        }
        pin_tap_outlets_close(&tapper->outlets);
        tapper->outlets = next;
        set_taps(tapper, tapper->tail_every);
    }
}

static void *run(void *arg)
{
    struct pin_tapper *tapper = arg;
    struct pin_tap_page page;
    unsigned n_rounds = 0;
    while (!atomic_load_explicit(&tapper->is_stopping, memory_order_acquire)) {
        struct timespec pause = {.tv_nsec = ROUND_NS};
        wait_for_work(tapper);
        take_next(tapper, &page);
        bool had_any = drain_all(tapper, &page);
        if (n_rounds++ % TAIL_ROUNDS == 0) {
            adapt_tail(tapper);
        }
        if (tapper->outlets.log != NULL && (had_any || n_rounds % FLUSH_ROUNDS == 0)) {
            pin_querylog_flush(tapper->outlets.log);
        }
        (void)nanosleep(&pause, NULL);
    }
    take_next(tapper, &page);
    (void)drain_all(tapper, &page); /* workers have stopped: this is all */
    return NULL;
}

static enum pin_err start_thread(struct pin_tapper *tapper, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    if (!tapper->has_thread) {
        err = pin_worker_spawn(&tapper->thread, "pintle-tap", run, tapper, why);
    }
    tapper->has_thread = err == PIN_OK;
    return err;
}

void pin_tap_outlets_close(struct pin_tap_outlets *outlets)
{
    pin_dnstap_close(outlets->dnstap);
    pin_querylog_close(outlets->log);
    *outlets = (struct pin_tap_outlets){0};
}

enum pin_err pin_tapper_prepare(struct pin_tapper *tapper, const struct pin_tap_config *config,
    struct pin_tap_outlets *ret_outlets, struct pin_why *why)
{
    struct pin_tap_outlets outlets = {
        .log_every = config->log_every, .dnstap_every = config->dnstap_every};
    enum pin_err err = PIN_OK;
    if (config->log_every > 0) {
        err = pin_querylog_open(config->log_file, &outlets.log, why);
    }
    if (err == PIN_OK && config->dnstap_every > 0) {
        err = pin_dnstap_open(config, &outlets.dnstap, why);
    }
    if (err == PIN_OK && (config->log_every > 0 || config->dnstap_every > 0)) {
        err = start_thread(tapper, why);
    }
    if (err != PIN_OK) {
        pin_tap_outlets_close(&outlets);
        return err;
    }
    *ret_outlets = outlets;
    return PIN_OK;
}

void pin_tapper_change(struct pin_tapper *tapper, const struct pin_tap_outlets *outlets)
{
    struct pin_tap_outlets untaken = {0};
    (void)pthread_mutex_lock(&tapper->mutex);
    if (tapper->has_next) {
        untaken = tapper->next;
    }
    tapper->next = *outlets;
    atomic_store_explicit(&tapper->log_every, outlets->log_every, memory_order_relaxed);
    atomic_store_explicit(&tapper->dnstap_every, outlets->dnstap_every, memory_order_relaxed);
    tapper->has_next = true;
    (void)pthread_cond_signal(&tapper->changed);
    (void)pthread_mutex_unlock(&tapper->mutex);
    pin_tap_outlets_close(&untaken);
}

enum pin_err pin_tapper_new(
    const struct pin_tap_config *config, struct pin_tapper **ret_tapper, struct pin_why *why)
{
    *ret_tapper = NULL;
    struct pin_tapper *tapper = calloc(1, sizeof(*tapper));
    if (tapper == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the tap");
    }
    (void)pthread_mutex_init(&tapper->mutex, NULL);
    (void)pthread_cond_init(&tapper->changed, NULL);
    tapper->settings = config->settings;
    tapper->labels = config->labels;
    struct pin_tap_outlets outlets = {0};
    enum pin_err err = pin_tapper_prepare(tapper, config, &outlets, why);
    if (err == PIN_OK) {
        pin_tapper_change(tapper, &outlets);
    }
    if (err != PIN_OK) {
        pin_tapper_free(tapper);
        return err;
    }
    *ret_tapper = tapper;
    return PIN_OK;
}

void pin_tapper_follow(struct pin_tapper *tapper, const struct pin_settings *settings)
{
    if (tapper != NULL) {
        (void)pthread_mutex_lock(&tapper->mutex);
        tapper->settings = settings;
        (void)pthread_mutex_unlock(&tapper->mutex);
    }
}

void pin_tapper_free(struct pin_tapper *tapper)
{
    if (tapper == NULL) {
        return;
    }
    if (tapper->has_thread) {
        (void)pthread_mutex_lock(&tapper->mutex);
        atomic_store_explicit(&tapper->is_stopping, true, memory_order_release);
        (void)pthread_cond_signal(&tapper->changed);
        (void)pthread_mutex_unlock(&tapper->mutex);
        (void)pthread_join(tapper->thread, NULL);
    }
    pin_tap_outlets_close(&tapper->outlets);
    pin_tap_outlets_close(&tapper->next);
    pin_text_done(&tapper->why);
    struct pin_tap *tap = atomic_load_explicit(&tapper->taps, memory_order_relaxed);
    while (tap != NULL) {
        struct pin_tap *next = tap->next;
        free(tap);
        tap = next;
    }
    if (tapper->tail != NULL) {
        pin_tail_done(tapper->tail);
    }
    free(tapper->tail);
    (void)pthread_cond_destroy(&tapper->changed);
    (void)pthread_mutex_destroy(&tapper->mutex);
    free(tapper);
}

enum pin_err pin_tapper_watch(struct pin_tapper *tapper, bool is_watched, struct pin_why *why)
{
    struct pin_tail *tail = tapper->tail; /* only this thread exchanges it */
    if (tail == NULL) {
        tail = calloc(1, sizeof(*tail));
    }
    if (tail == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "what is watched");
    }
    (void)pthread_mutex_lock(&tapper->mutex);
    pin_tail_clear(tail);
    tapper->tail = tail;
    tapper->is_watched = is_watched;
    (void)pthread_cond_signal(&tapper->changed);
    (void)pthread_mutex_unlock(&tapper->mutex);
    return is_watched ? start_thread(tapper, why) : PIN_OK;
}

void pin_tapper_take(struct pin_tapper *tapper, struct pin_tail **tail)
{
    pin_tail_clear(*tail);
    (void)pthread_mutex_lock(&tapper->mutex);
    struct pin_tail *taken = tapper->tail;
    if (taken != NULL) {
        tapper->tail = *tail;
        *tail = taken;
    }
    (void)pthread_mutex_unlock(&tapper->mutex);
}

/* A tap that is in the list and nobody's any more; NULL: there is none. */
static struct pin_tap *take_left(struct pin_tapper *tapper)
{
    struct pin_tap *tap = atomic_load_explicit(&tapper->taps, memory_order_acquire);
    while (tap != NULL && !atomic_exchange(&tap->is_left, false)) {
        tap = tap->next;
    }
    return tap;
}

void pin_tapper_leave(struct pin_tap *tap)
{
    if (tap != NULL) {
        atomic_store(&tap->is_left, true);
    }
}

struct pin_tap *pin_tapper_join(struct pin_tapper *tapper)
{
    if (tapper == NULL) {
        return NULL;
    }
    struct pin_tap *tap = take_left(tapper);
    if (tap != NULL) {
        return tap;
    }
    tap = aligned_alloc(_Alignof(struct pin_tap), sizeof(*tap));
    if (tap == NULL) {
        pin_log_error("tap: out of memory, questions to one worker are not noted");
        return NULL;
    }
    memset(tap, 0, offsetof(struct pin_tap, notes)); /* the rest is written before it is read */
    set_tap(tapper, tap, 0);
    tap->next = atomic_load_explicit(&tapper->taps, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(
        &tapper->taps, &tap->next, tap, memory_order_release, memory_order_relaxed)) {
    }
    return tap;
}

void pin_tapper_stats(const struct pin_tapper *tapper, uint64_t *ret_n_noted, uint64_t *ret_n_lost)
{
    *ret_n_noted = 0;
    *ret_n_lost = tapper == NULL ? 0 : pin_stat_read(&tapper->n_lost);
    const struct pin_tap *tap =
        tapper == NULL ? NULL : atomic_load_explicit(&tapper->taps, memory_order_acquire);
    for (; tap != NULL; tap = tap->next) {
        *ret_n_noted += pin_stat_read(&tap->n_noted);
        *ret_n_lost += pin_stat_read(&tap->n_lost);
    }
}
