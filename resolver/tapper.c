/* SPDX-License-Identifier: Apache-2.0 */

/* The thread behind the taps: empties the workers' rings into the query log and dnstap. */

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pintle/base/log.h"

#include "dnstap.h"
#include "querylog.h"
#include "tap_ring.h"
#include "worker.h"

/* How often rings are emptied: a ring holds what a busy worker notes meanwhile. */
#define ROUND_NS 5000000L
/* Rounds between two flushes of the log when little is noted. */
#define FLUSH_ROUNDS 100u

struct pin_tapper {
    struct pin_tap_config config;
    struct pin_querylog *log;  /* NULL: none */
    struct pin_dnstap *dnstap; /* NULL: none */
    _Atomic(struct pin_tap *) taps;
    struct pin_stat n_lost; /* that dnstap's collector did not take */
    atomic_bool is_stopping;
    struct pin_text why;   /* of the record at hand */
    pthread_mutex_t mutex; /* config.settings, while they are looked at */
    pthread_t thread;
};

/* Empties one ring. Returns whether there was anything. */
static bool drain(struct pin_tapper *tapper, struct pin_tap *tap, struct pin_tap_page *page)
{
    struct pin_tap_record record;
    bool had_any = false;
    while (pin_tap_take(tap, page, &record)) {
        had_any = true;
        pin_text_cut(&tapper->why, 0);
        (void)pthread_mutex_lock(&tapper->mutex);
        pin_tap_why_put(&record.why, record.query, record.query_kept_bytes, tapper->config.settings,
            tapper->config.labels, &tapper->why);
        (void)pthread_mutex_unlock(&tapper->mutex);
        record.why_text = pin_text_get(&tapper->why);
        if (tapper->log != NULL && (record.wanted & PIN_TAP_LOG) != 0) {
            pin_querylog_add(tapper->log, &record);
        }
        if (tapper->dnstap != NULL && (record.wanted & PIN_TAP_DNSTAP) != 0) {
            pin_stat_add(&tapper->n_lost, pin_dnstap_add(tapper->dnstap, &record));
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

static void *run(void *arg)
{
    struct pin_tapper *tapper = arg;
    struct pin_tap_page page;
    unsigned n_rounds = 0;
    while (!atomic_load_explicit(&tapper->is_stopping, memory_order_acquire)) {
        struct timespec pause = {.tv_nsec = ROUND_NS};
        bool had_any = drain_all(tapper, &page);
        n_rounds++;
        if (tapper->log != NULL && (had_any || n_rounds % FLUSH_ROUNDS == 0)) {
            pin_querylog_flush(tapper->log);
        }
        (void)nanosleep(&pause, NULL);
    }
    (void)drain_all(tapper, &page); /* workers have stopped: this is all */
    return NULL;
}

enum pin_err pin_tapper_new(
    const struct pin_tap_config *config, struct pin_tapper **ret_tapper, struct pin_why *why)
{
    enum pin_err err = PIN_OK;
    *ret_tapper = NULL;
    if (config->log_every == 0 && config->dnstap_every == 0) {
        return PIN_OK;
    }
    struct pin_tapper *tapper = calloc(1, sizeof(*tapper));
    if (tapper == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "the tap");
    }
    tapper->config = *config;
    if (pthread_mutex_init(&tapper->mutex, NULL) != 0) {
        free(tapper);
        return pin_why_set(why, PIN_ENOMEM, "a lock");
    }
    if (config->log_every > 0) {
        err = pin_querylog_open(config->log_file, &tapper->log, why);
    }
    if (err == PIN_OK && config->dnstap_every > 0) {
        err = pin_dnstap_open(config, &tapper->dnstap, why);
    }
    if (err == PIN_OK) {
        err = pin_worker_spawn(&tapper->thread, "pintle-tap", run, tapper, why);
    }
    if (err != PIN_OK) {
        pin_dnstap_close(tapper->dnstap);
        pin_querylog_close(tapper->log);
        (void)pthread_mutex_destroy(&tapper->mutex);
        free(tapper);
        return err;
    }
    *ret_tapper = tapper;
    return PIN_OK;
}

void pin_tapper_follow(struct pin_tapper *tapper, const struct pin_settings *settings)
{
    if (tapper != NULL) {
        (void)pthread_mutex_lock(&tapper->mutex);
        tapper->config.settings = settings;
        (void)pthread_mutex_unlock(&tapper->mutex);
    }
}

void pin_tapper_free(struct pin_tapper *tapper)
{
    if (tapper == NULL) {
        return;
    }
    atomic_store_explicit(&tapper->is_stopping, true, memory_order_release);
    (void)pthread_join(tapper->thread, NULL);
    pin_dnstap_close(tapper->dnstap);
    pin_querylog_close(tapper->log);
    pin_text_done(&tapper->why);
    (void)pthread_mutex_destroy(&tapper->mutex);
    struct pin_tap *tap = atomic_load_explicit(&tapper->taps, memory_order_relaxed);
    while (tap != NULL) {
        struct pin_tap *next = tap->next;
        free(tap);
        tap = next;
    }
    free(tapper);
}

struct pin_tap *pin_tapper_join(struct pin_tapper *tapper)
{
    if (tapper == NULL) {
        return NULL;
    }
    struct pin_tap *tap = aligned_alloc(_Alignof(struct pin_tap), sizeof(*tap));
    if (tap == NULL) {
        pin_log_error("tap: out of memory, questions to one worker are not noted");
        return NULL;
    }
    memset(tap, 0, sizeof(*tap));
    tap->log_every = tapper->config.log_every;
    tap->dnstap_every = tapper->config.dnstap_every;
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
