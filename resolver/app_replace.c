/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Another process in this one's place, with the same arguments and the binary that is there now:
 *
 *     SIGUSR2 -> the starter starts the next one with our sockets, which we go on to read
 *     next     lists all clusters -> ready: says so, reads the sockets
 *     we       tell the supervisor who goes on, read no more; what was asked is answered,
 *              connections go on until they end -> the end
 *
 * A next one that ends before it is ready changes nothing, and does not outlive us.
 *
 * Where a supervisor holds the sockets, one process ends before the next one starts, and questions
 * wait in between: the one before answers what it has taken, the next one takes none until it knows
 * something. So it is, too, after processes have taken each other's places.
 */

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"
#include "pintle/base/supervisor.h"
#include "pintle/version.h"

#include "resolver/app_state.h"
#include "resolver/handover.h"
#include "resolver/metrics.h"
#include "resolver/service.h"
#include "resolver/starter.h"

#define LOOK_MS 20
/* A next one that has not heard of all clusters by then gives up: this one knows more. */
#define READY_MS 60000
/* A cluster that has told nothing by then is out of reach: what the state directory knows counts.
 */
#define STALE_MS 10000
/* With a supervisor's sockets: questions wait for the clusters for so long, and connections and
 * what was handed to resolvers have so long at the end. All who ask meanwhile wait for that, so it
 * is less than what a resolver that does not answer is waited for; who asks gives up later. */
#define HOLD_MS  1000
#define LEAVE_MS 500
/* What was handed to resolvers, and pages that are made, are answered or given up by then. */
#define LATE_MS 6000
/* Connections end by themselves, or then. */
#define STREAMS_MS 60000

/* A next one that has said nothing by then, not even that it gives up, is ended. */
#define START_MS 90000

enum phase {
    PIN_PHASE_READYING, /* held: the process before goes on, or questions wait; we list clusters */
    PIN_PHASE_CONFIRMING, /* in its place; it has not told the supervisor yet */
    PIN_PHASE_SERVING,
    PIN_PHASE_STARTING, /* the next one gets ready */
    PIN_PHASE_ENDING,   /* it is in our place */
    PIN_PHASE_LEAVING,  /* told to end, perhaps a second time; the supervisor keeps the sockets */
};

struct pin_replace {
    struct pin_app *app;
    struct pin_timer *timer;
    struct pin_fd *starter_watch; /* NULL: there is no starter (any more) */
    struct pin_fd *said_watch;    /* of what the next one says; NULL: it says no more */
    int said_fd;
    pid_t pid; /* of the next one; 0: not started yet */
    enum phase phase;
    int64_t since_ms; /* when that began */
    uint64_t n_asked; /* attempts, refused ones too; and those of them that have ended */
    uint64_t n_ended;
    uint64_t n_good; /* also of this process, if it took another one's place */
    uint64_t n_failed;
    uint64_t n_refused;
    const char *state;    /* of the last one, while none is under way */
    struct pin_why error; /* likewise */
    uint64_t n_drains;
    bool was_looked; /* nothing is missing; the builder's while is_looking */
    bool is_looking;
    bool is_early;   /* asked for while the process before has not seen that we are in its place */
    bool was_asking; /* of resolvers, at the last look */
    bool is_replaced;
};

/* --- the next one --------------------------------------------------------------------------- */

bool pin__app_take_handover(struct pin_app *app)
{
    struct pin_handover *handover = malloc(sizeof(*handover));
    if (handover == NULL) {
        return false;
    }
    if (pin_handover_take(handover)) {
        app->handover = handover;
    } else {
        free(handover);
    }
    return true;
}

/* Builder's thread: whether each cluster has told all it has, or is known from the state directory
 * and out of reach, and all of that is published. */
static void look_at_catalog(struct pin_catalog *catalog, void *arg)
{
    struct pin_replace *replace = arg;
    const struct pin_settings *settings = pin_catalog_settings(catalog);
    const struct pin_live *live = pin_catalog_live(catalog);
    bool is_late = replace->app->handover == NULL /* nobody else answers meanwhile */
                   || pin_clock_mono_ms() - replace->since_ms > STALE_MS;
    bool has_all = true;
    for (uint16_t i = 0; i < settings->n_clusters; i++) {
        struct pin_cluster_status status = pin_catalog_cluster(catalog, i);
        has_all = has_all && (status.is_synced || (is_late && status.is_restored));
    }
    replace->was_looked = has_all && live->scene->is_ready
                          && !pin_catalog_is_dirty(catalog, (uint64_t)pin_clock_mono_ms());
}

static void on_looked(void *arg)
{
    struct pin_replace *replace = arg;
    replace->is_looking = false;
}

static void take_over(struct pin_replace *replace)
{
    struct pin_app *app = replace->app;
    if (app->handover != NULL && !pin_handover_ready(app->handover)) {
        pin_log_error("replace: the process before does not wait for this one any more, ending");
        pin_loop_stop(app->loop);
        return;
    }
    app->is_held = false;
    pin_workers_go(app->workers);
    if (app->handover == NULL) {
        pin_timer_stop(replace->timer);
        replace->phase = PIN_PHASE_SERVING;
        pin_service_begin(app->service);
        return;
    }
    pin_admin_go(app->admin);
    pin_admin_go(app->metrics);
    replace->phase = PIN_PHASE_CONFIRMING;
    replace->n_good = 1;
    replace->state = "ok";
    pin_log_info("replace: in the place of the process before, after %lld ms",
        (long long)(pin_clock_mono_ms() - replace->since_ms));
}

static void get_ready(struct pin_replace *replace)
{
    struct pin_app *app = replace->app;
    size_t capacity = 0;
    if (app->is_ending) {
        return; /* as it was told meanwhile */
    }
    int64_t took_ms = pin_clock_mono_ms() - replace->since_ms;
    bool is_enough = app->handover == NULL && took_ms > HOLD_MS;
    if ((!replace->is_looking && replace->was_looked) || is_enough) {
        take_over(replace);
    } else if (took_ms > READY_MS) {
        pin_log_error(
            "replace: not all clusters were listed within %d s, the process before goes on",
            READY_MS / 1000);
        pin_loop_stop(app->loop);
    } else if (!replace->is_looking && pin_builder_queued(app->builder, &capacity) == 0) {
        replace->is_looking = pin_builder_call(app->builder, look_at_catalog, on_looked, replace);
    }
}

/* --- the one before ------------------------------------------------------------------------- */

static void get_done(struct pin_replace *replace)
{
    int64_t took_ms = pin_clock_mono_ms() - replace->since_ms;
    bool is_leaving = replace->phase == PIN_PHASE_LEAVING;
    struct pin_app *app = replace->app;
    bool is_asking = pin__app_is_asking(app);
    bool has_streams =
        pin_workers_n_streams(app->workers) > 0 && took_ms < (is_leaving ? LEAVE_MS : STREAMS_MS);
    bool is_asked =
        !is_leaving && (pin_admin_is_busy(app->admin) || pin_admin_is_busy(app->metrics));
    bool has_late = (is_asking || replace->was_asking || is_asked)
                    && took_ms < (is_leaving ? LEAVE_MS : LATE_MS);
    replace->was_asking = is_asking;
    if (!has_streams && !has_late) {
        pin_loop_stop(app->loop);
    }
}

/* Nothing is read any more; the timer looks when what was read is answered. */
static void begin_end(struct pin_replace *replace, enum phase phase)
{
    replace->phase = phase;
    replace->since_ms = pin_clock_mono_ms();
    pin_workers_retire(replace->app->workers);
    replace->was_asking = pin__app_is_asking(replace->app);
    pin_timer_start(replace->timer, LOOK_MS, true);
}

static void close_said(struct pin_replace *replace)
{
    if (replace->said_watch != NULL) {
        pin_fd_free(replace->said_watch);
        replace->said_watch = NULL;
        (void)close(replace->said_fd);
    }
}

static void conclude(struct pin_replace *replace, const char *state, uint64_t *count)
{
    replace->n_ended = replace->n_asked;
    replace->state = state;
    (*count)++;
}

/* Says why none is started. */
static void refuse(struct pin_replace *replace, const char *reason)
{
    (void)pin_why_set(&replace->error, PIN_EBUSY, "no other process is started: %s", reason);
    pin_log_error("replace: %s", replace->error.text);
    conclude(replace, "refused", &replace->n_refused);
}

/* Says why none has taken over. */
static void give_up(struct pin_replace *replace, const char *reason)
{
    close_said(replace);
    pin_timer_stop(replace->timer);
    replace->phase = PIN_PHASE_SERVING;
    if (replace->pid != 0) {
        (void)pin_why_set(&replace->error, PIN_EIO, "process %d %s", (int)replace->pid, reason);
    } else {
        (void)pin_why_set(&replace->error, PIN_EIO, "%s", reason);
    }
    pin_log_error("replace: %s, this one %s", replace->error.text,
        replace->app->is_ending ? "ends" : "goes on");
    conclude(replace, "failed", &replace->n_failed);
}

static void leave_starter(struct pin_replace *replace)
{
    pin_fd_free(replace->starter_watch);
    replace->starter_watch = NULL;
}

static void hand_over(struct pin_replace *replace)
{
    struct pin_app *app = replace->app;
    pin_log_info("replace: process %d has taken over", (int)replace->pid);
    leave_starter(replace);
    pin_starter_keep(app->starter); /* first: it is told of the supervisor's own child */
    pin_service_hand_over(app->service, replace->pid);
    close_said(replace); /* by which the next one sees it */
    conclude(replace, "ok", &replace->n_good);
    app->is_ending = true;
    replace->is_replaced = true;
    begin_end(replace, PIN_PHASE_ENDING);
    pin_admin_retire(app->admin);
    pin_admin_retire(app->metrics);
}

/* "has ended (code 1) before it was ready" */
static void on_ended(struct pin_replace *replace, int status)
{
    char reason[80];
    (void)snprintf(reason, sizeof(reason), "has ended (%s %d) before it was ready",
        WIFSIGNALED(status) ? "signal" : "code",
        WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    give_up(replace, reason);
}

static void on_starter_gone(struct pin_replace *replace)
{
    leave_starter(replace);
    pin_log_warn("replace: the process that starts others has ended: none can take this one's "
                 "place any more");
    if (replace->phase == PIN_PHASE_STARTING && replace->said_watch == NULL) {
        give_up(replace, "has ended before it was ready");
    }
}

/* Of a next one that was given up nobody wants to hear. */
static void on_news(struct pin_replace *replace, const struct pin_starter_news *news)
{
    if (news->word == PIN_STARTER_GONE) {
        on_starter_gone(replace);
    } else if (replace->phase != PIN_PHASE_STARTING) {
        return;
    }
    if (news->word == PIN_STARTER_STARTED) {
        replace->pid = news->pid;
        pin_log_info("replace: process %d is to take over", (int)news->pid);
    } else if (news->word == PIN_STARTER_FAILED) {
        give_up(replace, news->why.text);
    } else if (news->word == PIN_STARTER_ENDED && news->pid == replace->pid) {
        on_ended(replace, news->status);
    }
}

static void hear_starter(struct pin_replace *replace)
{
    struct pin_starter_news news;
    do {
        news = pin_starter_hear(replace->app->starter);
        on_news(replace, &news);
    } while (news.word != PIN_STARTER_NOTHING);
}

static void on_starter(int fd, int what, void *arg)
{
    (void)fd;
    (void)what;
    hear_starter(arg);
}

static void on_said(int fd, int what, void *arg)
{
    struct pin_replace *replace = arg;
    pid_t pid = 0;
    (void)what;
    bool is_ready = pin_handover_hear(fd, &pid);
    hear_starter(replace);
    if (replace->phase != PIN_PHASE_STARTING) {
        return; /* it has ended, too */
    }
    replace->pid = pid != 0 ? pid : replace->pid;
    if (is_ready && replace->pid != 0 && !replace->app->is_ending) {
        hand_over(replace);
        return;
    }
    close_said(replace); /* it is about to end; a word comes when it has */
    pin_starter_kill(replace->app->starter);
    if (replace->starter_watch == NULL) {
        give_up(replace, "has ended before it was ready");
    }
}

/* Why there can be no other process; NULL: there can. */
static const char *find_reason(const struct pin_app *app)
{
    const struct pin_config *config = app->config;
    bool has_lease = config->records_lease_cluster != NULL || config->has_records_etcd;
    if (app->is_ending) {
        return "this process is about to end";
    }
    if (getpid() == 1) {
        return "the first process of a container ends with it; start the container anew ('kubectl "
               "rollout restart')";
    }
    if (config->is_dev) {
        return "--dev is not replaced";
    }
    if (pin_starter_fd(app->starter) < 0) {
        return "the process that starts others has ended; this one has to be started anew";
    }
    if (config->n_records > 0 && !has_lease) {
        return "without recordsLease two processes would write the same records";
    }
    if (app->replace->n_drains > 0 && config->state_dir == NULL) {
        return "without stateDir it would forget what is drained";
    }
    return app->replace->phase == PIN_PHASE_STARTING  ? "one is under way"
           : app->replace->phase != PIN_PHASE_SERVING ? "this one does not answer yet"
                                                      : NULL;
}

static void start_next(void *arg)
{
    struct pin_replace *replace = arg;
    struct pin_app *app = replace->app;
    struct pin_why why = {0};
    int fds[PIN_HANDOVER_MAX];
    replace->is_early = replace->phase == PIN_PHASE_CONFIRMING;
    if (replace->is_early) {
        return; /* in a moment: see confirm() */
    }
    replace->is_looking = false;
    const char *reason = find_reason(app);
    if (reason != NULL) {
        refuse(replace, reason);
        return;
    }
    size_t n = pin_workers_fds(app->workers, fds, PIN_HANDOVER_MAX - 2);
    fds[n++] = pin_admin_fd(app->admin);
    if (app->metrics != NULL) {
        fds[n++] = pin_admin_fd(app->metrics);
    }
    enum pin_err err = pin_starter_start(app->starter, fds, n, &replace->said_fd, &why);
    if (err != PIN_OK) {
        refuse(replace, why.text);
        return;
    }
    replace->phase = PIN_PHASE_STARTING;
    replace->since_ms = pin_clock_mono_ms();
    replace->pid = 0;
    replace->said_watch = pin_fd_new(app->loop, replace->said_fd, PIN_FD_READ, on_said, replace);
    if (replace->said_watch == NULL) {
        (void)close(replace->said_fd);
        pin_starter_kill(app->starter);
        give_up(replace, "out of memory");
        return;
    }
    pin_timer_start(replace->timer, START_MS, false);
}

/* The supervisor listens to us once the process before has told it who we are. */
static void confirm(struct pin_replace *replace)
{
    struct pin_app *app = replace->app;
    if (!pin_handover_is_over(app->handover)) {
        return;
    }
    pin_timer_stop(replace->timer);
    replace->phase = PIN_PHASE_SERVING;
    pin_service_begin(app->service);
    if (replace->is_early) {
        start_next(replace);
    }
}

/* Builder's thread. */
static void count_drains(struct pin_catalog *catalog, void *arg)
{
    struct pin_replace *replace = arg;
    replace->n_drains = pin_catalog_counts(catalog).n_drains;
}

uint64_t pin__app_replace(struct pin_app *app)
{
    struct pin_replace *replace = app->replace;
    if (replace == NULL) {
        return 0;
    }
    if (replace->is_looking
        && (replace->phase == PIN_PHASE_SERVING || replace->phase == PIN_PHASE_CONFIRMING)) {
        return replace->n_asked; /* it has just been asked for */
    }
    if (replace->phase == PIN_PHASE_STARTING) {
        pin_log_error("replace: no other process is started: one is under way");
        replace->n_refused++;
        return replace->n_asked;
    }
    replace->n_asked++;
    if (replace->is_looking || !pin_builder_call(app->builder, count_drains, start_next, replace)) {
        refuse(replace, "busy, try again");
    } else {
        replace->is_looking = true;
    }
    return replace->n_asked;
}

void pin__app_call_off(struct pin_app *app)
{
    if (app->replace != NULL && app->replace->phase == PIN_PHASE_STARTING) {
        pin_starter_kill(app->starter);
        give_up(app->replace, "is not wanted any more");
    }
}

/* Who only gets ready has taken nothing; who leaves is told a second time. */
void pin__app_leave(struct pin_app *app)
{
    const struct pin_replace *replace = app->replace;
    bool has_taken = replace != NULL && replace->phase != PIN_PHASE_READYING
                     && replace->phase != PIN_PHASE_LEAVING;
    if (has_taken && pin_supervisor_has_sockets(app->supervisor)) {
        begin_end(app->replace, PIN_PHASE_LEAVING);
    } else {
        pin_loop_stop(app->loop);
    }
}

/* --- what is seen of it --------------------------------------------------------------------- */

static uint64_t on_replace(void *arg)
{
    return pin__app_replace(arg);
}

static void on_replace_json(void *arg, struct pin_jsonout *out)
{
    const struct pin_app *app = arg;
    const struct pin_replace *replace = app->replace;
    if (replace == NULL) {
        return; /* starting */
    }
    pin_jsonout_key_uint(out, "pid", (uint64_t)getpid());
    pin_jsonout_key_string(out, "version", PIN_VERSION);
    pin_jsonout_key_string(
        out, "state", replace->n_asked > replace->n_ended ? "running" : replace->state);
    pin_jsonout_key_uint(out, "asked", replace->n_asked);
    pin_jsonout_key_uint(out, "ended", replace->n_ended);
    pin_jsonout_key_uint(out, "good", replace->n_good);
    pin_jsonout_key_uint(out, "failed", replace->n_failed);
    pin_jsonout_key_uint(out, "refused", replace->n_refused);
    pin_jsonout_key_string(out, "error", replace->error.text);
}

static void on_replace_metrics(void *arg, struct pin_text *out)
{
    const struct pin_app *app = arg;
    const struct pin_replace *replace = app->replace;
    if (replace == NULL) {
        return; /* starting */
    }
    pin_metrics_family(
        out, "pintle_replacements_total", "counter", "Processes that were to take a place.");
    pin_text_putf(out,
        "pintle_replacements_total{result=\"ok\"} %llu\n"
        "pintle_replacements_total{result=\"failed\"} %llu\n"
        "pintle_replacements_total{result=\"refused\"} %llu\n",
        (unsigned long long)replace->n_good, (unsigned long long)replace->n_failed,
        (unsigned long long)replace->n_refused);
    pin_metrics_single(out, "pintle_starter_up", "gauge",
        "1 while the process that starts another one in this one's place is there.",
        pin_starter_fd(app->starter) >= 0 ? 1 : 0);
}

void pin__app_hook_replace_admin(struct pin_admin_hooks *hooks)
{
    hooks->replace = on_replace;
    hooks->replace_json = on_replace_json;
    hooks->replace_metrics = on_replace_metrics;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
    struct pin_replace *replace = arg;
    switch (replace->phase) {
    case PIN_PHASE_READYING:
        get_ready(replace);
        break;
    case PIN_PHASE_CONFIRMING:
        confirm(replace);
        break;
    case PIN_PHASE_ENDING:
    case PIN_PHASE_LEAVING:
        get_done(replace);
        break;
    case PIN_PHASE_STARTING:
        pin_starter_kill(replace->app->starter);
        give_up(replace, "was not ready in time");
        break;
    case PIN_PHASE_SERVING:
        break;
    }
}

void pin__app_make_starter(struct pin_app *app, const struct pin_args *args)
{
    struct pin_why why = {0};
    if (!args->dev && getpid() != 1 && pin_starter_new(args->argv, &app->starter, &why) != PIN_OK) {
        pin_log_warn("replace: no other process can take this one's place: %s", why.text);
    }
}

enum pin_err pin__app_start_replace(struct pin_app *app, struct pin_why *why)
{
    struct pin_replace *replace = calloc(1, sizeof(*replace));
    if (replace == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a replacement");
    }
    replace->app = app;
    replace->state = "never";
    replace->since_ms = pin_clock_mono_ms();
    app->replace = replace;
    replace->phase = app->is_held ? PIN_PHASE_READYING : PIN_PHASE_SERVING;
    int starter_fd = pin_starter_fd(app->starter);
    replace->timer = pin_timer_new(app->loop, on_timer, replace);
    if (starter_fd >= 0) {
        replace->starter_watch =
            pin_fd_new(app->loop, starter_fd, PIN_FD_READ, on_starter, replace);
    }
    if (replace->timer == NULL || (starter_fd >= 0 && replace->starter_watch == NULL)) {
        return pin_why_set(why, PIN_ENOMEM, "a replacement");
    }
    if (app->is_held) {
        pin_timer_start(replace->timer, LOOK_MS, true);
    }
    return PIN_OK;
}

bool pin__app_is_replaced(const struct pin_app *app)
{
    return app->replace != NULL && app->replace->is_replaced;
}

void pin__app_stop_replace(struct pin_app *app)
{
    if (app->replace != NULL) {
        close_said(app->replace);
        leave_starter(app->replace);
        pin_timer_free(app->replace->timer);
        app->replace->timer = NULL;
    }
    pin_starter_free(app->starter); /* and with it who was not ready */
    app->starter = NULL;
}

void pin__app_free_replace(struct pin_app *app)
{
    free(app->replace);
    free(app->handover);
    app->replace = NULL;
    app->handover = NULL;
}
