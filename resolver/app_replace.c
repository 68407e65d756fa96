/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Another process in this one's place, with the same arguments and the binary that is there now:
 *
 *     SIGUSR2 -> the next one is started with our sockets, which we go on to read
 *     next     lists all clusters -> ready: reads the sockets, says so
 *     we       read no more; what was asked is answered, connections go on until they end -> the
 * end
 *
 * A next one that ends before it is ready changes nothing.
 */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pintle/base/clock.h"
#include "pintle/base/log.h"

#include "resolver/app_state.h"
#include "resolver/handover.h"

#define LOOK_MS 20
/* A next one that has not heard of all clusters by then gives up: this one knows more. */
#define READY_MS 60000
/* A cluster that has told nothing by then is out of reach: what the state directory knows counts.
 */
#define STALE_MS 10000
/* What was handed to resolvers is answered or given up by then. */
#define LATE_MS 6000
/* Connections end by themselves, or then. */
#define STREAMS_MS 60000

struct pin_replace {
    struct pin_app *app;
    struct pin_timer *timer;
    struct pin_fd *watch; /* of what the next one says; NULL: there is none */
    int fd;
    pid_t pid;
    char path[PATH_MAX]; /* of the program, as it was called at the start */
    int64_t since_ms;    /* when we began to get ready, or to end */
    uint64_t n_drains;
    bool was_looked; /* nothing is missing; the builder's while is_looking */
    bool is_looking;
    bool is_retired;
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
    bool is_late = pin_clock_mono_ms() - replace->since_ms > STALE_MS;
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
    pin_timer_stop(replace->timer);
    pin_workers_go(app->workers);
    pin_admin_go(app->admin);
    pin_admin_go(app->metrics);
    pin_handover_ready(app->handover);
    pin_log_info("replace: in the place of the process before, after %lld ms",
        (long long)(pin_clock_mono_ms() - replace->since_ms));
}

static void get_ready(struct pin_replace *replace)
{
    struct pin_app *app = replace->app;
    size_t capacity = 0;
    if (!replace->is_looking && replace->was_looked) {
        take_over(replace);
    } else if (pin_clock_mono_ms() - replace->since_ms > READY_MS) {
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
    bool has_streams = pin_workers_n_streams(replace->app->workers) > 0 && took_ms < STREAMS_MS;
    bool has_late = replace->app->forward != NULL && took_ms < LATE_MS;
    if (!has_streams && !has_late) {
        pin_loop_stop(replace->app->loop);
    }
}

static void drop_next(struct pin_replace *replace)
{
    pin_fd_free(replace->watch);
    replace->watch = NULL;
    (void)close(replace->fd);
}

static void on_said(int fd, int what, void *arg)
{
    struct pin_replace *replace = arg;
    struct pin_app *app = replace->app;
    char byte = 0;
    int status = 0;
    (void)what;
    bool is_ready = read(fd, &byte, 1) == 1;
    drop_next(replace);
    if (!is_ready) {
        (void)waitpid(replace->pid, &status, 0); /* it has closed all, so it ends */
        pin_log_error("replace: process %d has ended before it was ready, this one goes on",
            (int)replace->pid);
        return;
    }
    pin_log_info("replace: process %d has taken over", (int)replace->pid);
    replace->is_retired = true;
    replace->since_ms = pin_clock_mono_ms();
    app->is_ending = true;
    pin_admin_retire(app->admin);
    pin_admin_retire(app->metrics);
    pin_workers_retire(app->workers);
    pin_timer_start(replace->timer, LOOK_MS, true);
}

/* Why there can be no other process; NULL: there can. */
static const char *find_reason(const struct pin_app *app)
{
    const struct pin_config *config = app->config;
    bool has_lease = config->records_lease_cluster != NULL || config->has_records_etcd;
    if (getpid() == 1) {
        return "the first process of a container ends with it";
    }
    if (config->is_dev) {
        return "--dev is not replaced";
    }
    if (app->sandbox.confines) {
        return "it would have the sandbox of this one for good, whatever its configuration says; "
               "with sandbox: {seccomp: off, landlock: off} it can be";
    }
    if (config->n_records > 0 && !has_lease) {
        return "without recordsLease two processes would write the same records";
    }
    if (app->replace->n_drains > 0 && config->state_dir == NULL) {
        return "without stateDir it would forget what is drained";
    }
    return app->is_ending                ? "this process is about to end"
           : app->replace->watch != NULL ? "one is under way"
                                         : NULL;
}

static void start_next(void *arg)
{
    struct pin_replace *replace = arg;
    struct pin_app *app = replace->app;
    struct pin_why why = {0};
    int fds[PIN_HANDOVER_MAX];
    replace->is_looking = false;
    const char *reason = find_reason(app);
    if (reason != NULL) {
        pin_log_error("replace: no other process is started: %s", reason);
        return;
    }
    size_t n = pin_workers_fds(app->workers, fds, PIN_HANDOVER_MAX - 2);
    fds[n++] = pin_admin_fd(app->admin);
    if (app->metrics != NULL) {
        fds[n++] = pin_admin_fd(app->metrics);
    }
    const struct pin_handover_next next = {
        .program = replace->path, .argv = app->argv, .fds = fds, .n = n};
    enum pin_err err = pin_handover_spawn(&next, &replace->fd, &replace->pid, &why);
    if (err != PIN_OK) {
        pin_log_error("replace: %s", why.text);
        return;
    }
    pin_log_info("replace: process %d is to take over %zu sockets", (int)replace->pid, n);
    replace->watch = pin_fd_new(app->loop, replace->fd, PIN_FD_READ, on_said, replace);
    if (replace->watch == NULL) {
        pin_log_error("replace: out of memory");
        (void)close(replace->fd);
        (void)kill(replace->pid, SIGKILL);
    }
}

/* Builder's thread. */
static void count_drains(struct pin_catalog *catalog, void *arg)
{
    struct pin_replace *replace = arg;
    replace->n_drains = pin_catalog_counts(catalog).n_drains;
}

void pin__app_replace(struct pin_app *app)
{
    struct pin_replace *replace = app->replace;
    if (replace == NULL || replace->is_looking
        || !pin_builder_call(app->builder, count_drains, start_next, replace)) {
        pin_log_error("replace: no other process is started: busy, try again");
        return;
    }
    replace->is_looking = true;
}

/* --- life ----------------------------------------------------------------------------------- */

static void on_timer(void *arg)
{
    struct pin_replace *replace = arg;
    if (replace->is_retired) {
        get_done(replace);
    } else {
        get_ready(replace);
    }
}

enum pin_err pin__app_start_replace(struct pin_app *app, struct pin_why *why)
{
    struct pin_replace *replace = calloc(1, sizeof(*replace));
    if (replace == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a replacement");
    }
    replace->app = app;
    replace->since_ms = pin_clock_mono_ms();
    app->replace = replace;
    if (readlink("/proc/self/exe", replace->path, sizeof(replace->path) - 1) < 0) {
        return pin_why_errno(why, errno, "/proc/self/exe");
    }
    replace->timer = pin_timer_new(app->loop, on_timer, replace);
    if (replace->timer == NULL) {
        return pin_why_set(why, PIN_ENOMEM, "a replacement");
    }
    if (app->handover != NULL) {
        pin_timer_start(replace->timer, LOOK_MS, true);
    }
    return PIN_OK;
}

bool pin__app_is_replaced(const struct pin_app *app)
{
    return app->replace != NULL && app->replace->is_retired;
}

void pin__app_stop_replace(struct pin_app *app)
{
    if (app->replace != NULL) {
        if (app->replace->watch != NULL) {
            drop_next(app->replace);
        }
        pin_timer_free(app->replace->timer);
        app->replace->timer = NULL;
    }
}

void pin__app_free_replace(struct pin_app *app)
{
    free(app->replace);
    free(app->handover);
    app->replace = NULL;
    app->handover = NULL;
}
