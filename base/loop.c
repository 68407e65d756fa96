/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Event loop over libevent. The base is made without locks: only its own thread touches it; other
 * threads leave their calls in a list and ring an eventfd.
 */

#include "pintle/base/loop.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <event2/event.h>

#include "pintle/base/log.h"

/* A call left by pin_loop_post(). */
struct posted {
    struct posted *next;
    pin_loop_fn *fn;
    void *arg;
};

struct pin_loop {
    struct event_base *base;
    struct event *bell; /* readable when something was posted or the loop is to stop */
    int bell_fd;
    bool is_turning;
    pin_loop_fn *on_turn; /* or NULL */
    void *on_turn_arg;
    _Atomic bool is_stopping;
    pthread_mutex_t lock; /* guards the list */
    struct posted *first;
    struct posted **end; /* where the next one goes */
};

struct pin_timer {
    struct event *event;
    pin_loop_fn *fn;
    void *arg;
    bool repeats;
};

struct pin_fd {
    struct event *event;
    struct event_base *base;
    int fd;
    pin_fd_fn *fn;
    void *arg;
};

struct pin_signal {
    struct event *event;
    pin_signal_fn *fn;
    void *arg;
};

/* Runs what was posted up to now; what these calls post runs in the next round. */
static void run_posted(struct pin_loop *loop)
{
    (void)pthread_mutex_lock(&loop->lock);
    struct posted *posted = loop->first;
    loop->first = NULL;
    loop->end = &loop->first;
    (void)pthread_mutex_unlock(&loop->lock);
    while (posted != NULL) {
        struct posted *next = posted->next;
        posted->fn(posted->arg);
        free(posted);
        posted = next;
    }
}

static void on_bell(evutil_socket_t fd, short what, void *arg)
{
    struct pin_loop *loop = arg;
    uint64_t n_rings = 0;
    (void)what;
    if (read(fd, &n_rings, sizeof(n_rings)) < 0) {
        n_rings = 0; /* somebody took the ring before us: looking once too often is harmless */
    }
    run_posted(loop);
    if (atomic_load(&loop->is_stopping)) {
        (void)event_base_loopbreak(loop->base);
    }
}

static void ring(struct pin_loop *loop)
{
    uint64_t one = 1;
    if (write(loop->bell_fd, &one, sizeof(one)) < 0) {
        return; /* the counter is full, so it rings already */
    }
}

/* What libevent has to say goes where everything goes, not straight to standard error. */
static void on_libevent_log(int severity, const char *message)
{
    static struct pin_log_site sites[PIN_LOG_ERROR + 1];
    enum pin_log_level level = severity == EVENT_LOG_ERR    ? PIN_LOG_ERROR
                               : severity == EVENT_LOG_WARN ? PIN_LOG_WARN
                               : severity == EVENT_LOG_MSG  ? PIN_LOG_INFO
                                                            : PIN_LOG_DEBUG;
    if (pin_log_is_on(level)) {
        pin_log_write(&sites[level], level, "loop: libevent: %s", message);
    }
}

static struct event_base *new_base(void)
{
    struct event_base *base = NULL;
    event_set_log_callback(on_libevent_log); /* the same for all loops */
    struct event_config *config = event_config_new();
    if (config != NULL) {
        /* Without the time cache a timer that follows a long callback is not early by its length.
         */
        int flags =
            EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_IGNORE_ENV | EVENT_BASE_FLAG_NO_CACHE_TIME;
        (void)event_config_set_flag(config, flags);
        base = event_base_new_with_config(config);
        event_config_free(config);
    }
    return base;
}

struct pin_loop *pin_loop_new(void)
{
    struct pin_loop *loop = calloc(1, sizeof(*loop));
    if (loop == NULL) {
        return NULL;
    }
    (void)pthread_mutex_init(&loop->lock, NULL);
    loop->end = &loop->first;
    loop->bell_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->base = new_base();
    if (loop->bell_fd >= 0 && loop->base != NULL) {
        loop->bell = event_new(loop->base, loop->bell_fd, EV_READ | EV_PERSIST, on_bell, loop);
    }
    if (loop->bell == NULL || event_add(loop->bell, NULL) != 0) {
        pin_loop_free(loop);
        return NULL;
    }
    return loop;
}

void pin_loop_free(struct pin_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    if (loop->bell != NULL) {
        event_free(loop->bell);
    }
    if (loop->base != NULL) {
        event_base_free(loop->base);
    }
    if (loop->bell_fd >= 0) {
        (void)close(loop->bell_fd);
    }
    while (loop->first != NULL) {
        struct posted *next = loop->first->next;
        free(loop->first);
        loop->first = next;
    }
    (void)pthread_mutex_destroy(&loop->lock);
    free(loop);
}

static void end_turn(struct pin_loop *loop)
{
    if (loop->on_turn != NULL) {
        loop->on_turn(loop->on_turn_arg);
    }
}

void pin_loop_run(struct pin_loop *loop)
{
    int result = 0;
    loop->is_turning = true;
    while (!atomic_load(&loop->is_stopping) && result >= 0) {
        result = event_base_loop(loop->base, EVLOOP_ONCE); /* the bell is always waited for */
        end_turn(loop);
    }
    atomic_store(&loop->is_stopping, false);
    run_posted(loop);
    end_turn(loop);
    loop->is_turning = false;
}

void pin_loop_on_turn(struct pin_loop *loop, pin_loop_fn *fn, void *arg)
{
    loop->on_turn = fn;
    loop->on_turn_arg = arg;
}

bool pin_loop_is_turning(const struct pin_loop *loop)
{
    return loop->is_turning;
}

static void on_poll_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

static struct timeval timeval_of(int64_t ms)
{
    ms = ms < 0 ? 0 : ms;
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
}

void pin_loop_poll(struct pin_loop *loop, int64_t timeout_ms)
{
    if (timeout_ms <= 0) {
        (void)event_base_loop(loop->base, EVLOOP_NONBLOCK);
        return;
    }
    struct timeval wait = timeval_of(timeout_ms);
    struct event *timeout = event_new(loop->base, -1, 0, on_poll_timeout, NULL);
    if (timeout != NULL) {
        (void)event_add(timeout, &wait);
        (void)event_base_loop(loop->base, EVLOOP_ONCE);
        event_free(timeout);
    }
}

void pin_loop_stop(struct pin_loop *loop)
{
    atomic_store(&loop->is_stopping, true);
    ring(loop);
}

bool pin_loop_post(struct pin_loop *loop, pin_loop_fn *fn, void *arg)
{
    struct posted *posted = malloc(sizeof(*posted));
    if (posted == NULL) {
        return false;
    }
    *posted = (struct posted){.fn = fn, .arg = arg};
    (void)pthread_mutex_lock(&loop->lock);
    bool was_empty = loop->first == NULL;
    *loop->end = posted;
    loop->end = &posted->next;
    (void)pthread_mutex_unlock(&loop->lock);
    if (was_empty) {
        ring(loop);
    }
    return true;
}

void *pin_loop_raw(struct pin_loop *loop)
{
    return loop->base;
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct pin_timer *timer = arg;
    (void)fd;
    (void)what;
    if (!timer->repeats) {
        (void)event_del(timer->event);
    }
    timer->fn(timer->arg); /* may free the timer */
}

struct pin_timer *pin_timer_new(struct pin_loop *loop, pin_loop_fn *fn, void *arg)
{
    struct pin_timer *timer = calloc(1, sizeof(*timer));
    if (timer == NULL) {
        return NULL;
    }
    timer->fn = fn;
    timer->arg = arg;
    timer->event = event_new(loop->base, -1, EV_PERSIST, on_timer, timer);
    if (timer->event == NULL) {
        free(timer);
        return NULL;
    }
    return timer;
}

void pin_timer_start(struct pin_timer *timer, int64_t ms, bool repeat)
{
    struct timeval wait = timeval_of(ms);
    timer->repeats = repeat;
    (void)event_del(timer->event);
    (void)event_add(timer->event, &wait); /* the timer heap has room for an event that was in it */
}

void pin_timer_stop(struct pin_timer *timer)
{
    (void)event_del(timer->event);
}

bool pin_timer_is_running(const struct pin_timer *timer)
{
    return event_pending(timer->event, EV_TIMEOUT, NULL) != 0;
}

void pin_timer_free(struct pin_timer *timer)
{
    if (timer != NULL) {
        event_free(timer->event);
        free(timer);
    }
}

static void on_fd(evutil_socket_t fd, short what, void *arg)
{
    const struct pin_fd *watch = arg;
    int ready = (what & EV_READ ? PIN_FD_READ : 0) | (what & EV_WRITE ? PIN_FD_WRITE : 0);
    watch->fn(fd, ready, watch->arg);
}

struct pin_fd *pin_fd_new(struct pin_loop *loop, int fd, int what, pin_fd_fn *fn, void *arg)
{
    struct pin_fd *watch = calloc(1, sizeof(*watch));
    if (watch == NULL) {
        return NULL;
    }
    *watch = (struct pin_fd){.base = loop->base, .fd = fd, .fn = fn, .arg = arg};
    watch->event = event_new(loop->base, fd, EV_READ | EV_PERSIST, on_fd, watch);
    if (watch->event == NULL || !pin_fd_change(watch, what)) {
        pin_fd_free(watch);
        return NULL;
    }
    return watch;
}

bool pin_fd_change(struct pin_fd *watch, int what)
{
    int events = (what & PIN_FD_READ ? EV_READ : 0) | (what & PIN_FD_WRITE ? EV_WRITE : 0);
    (void)event_del(watch->event);
    if (events == 0) {
        return true;
    }
    short flags = (short)(events | EV_PERSIST);
    return event_assign(watch->event, watch->base, watch->fd, flags, on_fd, watch) == 0
           && event_add(watch->event, NULL) == 0;
}

void pin_fd_free(struct pin_fd *watch)
{
    if (watch != NULL) {
        if (watch->event != NULL) {
            event_free(watch->event);
        }
        free(watch);
    }
}

static void on_signal(evutil_socket_t signo, short what, void *arg)
{
    const struct pin_signal *signal = arg;
    (void)what;
    signal->fn((int)signo, signal->arg);
}

struct pin_signal *pin_signal_new(struct pin_loop *loop, int signo, pin_signal_fn *fn, void *arg)
{
    struct pin_signal *signal = calloc(1, sizeof(*signal));
    if (signal == NULL) {
        return NULL;
    }
    signal->fn = fn;
    signal->arg = arg;
    signal->event = event_new(loop->base, signo, EV_SIGNAL | EV_PERSIST, on_signal, signal);
    if (signal->event == NULL || event_add(signal->event, NULL) != 0) {
        pin_signal_free(signal);
        return NULL;
    }
    return signal;
}

void pin_signal_free(struct pin_signal *signal)
{
    if (signal != NULL) {
        if (signal->event != NULL) {
            event_free(signal->event);
        }
        free(signal);
    }
}
