/* SPDX-License-Identifier: Apache-2.0 */

/* A thread that works once and tells the loop. */

#include "errand.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "pintle/base/loop.h"

/* Between tries to tell the loop while memory is out. */
#define PAUSE_NS 50000000

struct pin_errand {
    struct pin_loop *loop;
    pin_errand_fn *work;
    pin_errand_fn *done; /* the loop's alone; NULL: cancelled */
    void *arg;
    pthread_t thread;
};

static void on_posted(void *arg)
{
    struct pin_errand *errand = arg;
    if (errand->done != NULL) {
        (void)pthread_join(errand->thread, NULL);
        errand->done(errand->arg);
    }
    free(errand);
}

static void *run(void *arg)
{
    struct pin_errand *errand = arg;
    errand->work(errand->arg);
    while (!pin_loop_post(errand->loop, on_posted, errand)) {
        const struct timespec pause = {.tv_nsec = PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    return NULL;
}

struct pin_errand *pin_errand_start(
    struct pin_loop *loop, pin_errand_fn *work, pin_errand_fn *done, void *arg)
{
    sigset_t all;
    sigset_t before;
    struct pin_errand *errand = malloc(sizeof(*errand));
    if (errand == NULL) {
        return NULL;
    }
    *errand = (struct pin_errand){.loop = loop, .work = work, .done = done, .arg = arg};
    (void)sigfillset(&all); /* signals are the main thread's */
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&errand->thread, NULL, run, errand);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed != 0) {
        free(errand);
        return NULL;
    }
    return errand;
}

void pin_errand_cancel(struct pin_errand *errand)
{
    if (errand != NULL) {
        (void)pthread_join(errand->thread, NULL);
        errand->done = NULL; /* it was posted, and will be freed there */
    }
}
