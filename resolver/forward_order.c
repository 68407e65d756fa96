/* SPDX-License-Identifier: Apache-2.0 */

/* Orders to the forward threads, which alone write to the cache: what is to be forgotten. */

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "pintle/base/clock.h"

#include "forward_thread.h"

/* Longest wait for all threads: a walk over a full shard takes milliseconds. */
#define WAIT_MS 2000

void pin_forward_obey(struct pin_forward_thread *thread)
{
    struct pin_forward *forward = thread->forward;
    struct pin_forward_order *order = &forward->order_now;
    struct pin_name name = {.bytes = 0};
    bool is_tree = false;
    (void)pthread_mutex_lock(&order->mutex);
    uint64_t number = order->number;
    bool is_all = order->is_all;
    if (!is_all) {
        name = order->name;
        is_tree = order->is_tree;
    }
    (void)pthread_mutex_unlock(&order->mutex);

    size_t n = 0;
    if (is_all) {
        pin_cache_clear(forward->cache, thread->thread_i);
    } else {
        n = pin_cache_remove(forward->cache, thread->thread_i, name.wire, name.bytes, is_tree);
    }
    (void)pthread_mutex_lock(&order->mutex);
    if (order->number == number) {
        order->n_removed += n;
        order->n_left--;
        (void)pthread_cond_signal(&order->done);
    }
    (void)pthread_mutex_unlock(&order->mutex);
}

/* Gives the order to all threads, and waits. False: they are not done in time. */
static bool carry_out(
    struct pin_forward *forward, const struct pin_forward_order *wanted, size_t *ret_n_removed)
{
    struct pin_forward_order *order = &forward->order_now;
    struct timespec deadline = pin_clock_deadline(WAIT_MS);
    int timed_out = 0;
    (void)pthread_mutex_lock(&order->mutex);
    order->number++;
    order->name = wanted->name;
    order->is_tree = wanted->is_tree;
    order->is_all = wanted->is_all;
    order->n_removed = 0;
    order->n_left = forward->n_threads;
    for (size_t t = 0; t < forward->n_threads; t++) {
        atomic_store_explicit(&forward->threads[t]->has_orders, true, memory_order_release);
        (void)eventfd_write(forward->wake_fds[t], 1);
    }
    while (order->n_left > 0 && timed_out == 0) {
        timed_out = pthread_cond_timedwait(&order->done, &order->mutex, &deadline);
    }
    bool is_done = order->n_left == 0;
    *ret_n_removed = order->n_removed;
    (void)pthread_mutex_unlock(&order->mutex);
    return is_done;
}

bool pin_forward_flush(
    struct pin_forward *forward, const struct pin_name *name, bool is_tree, uint64_t *ret_n_removed)
{
    struct pin_cache_stats before;
    struct pin_forward_order wanted = {.is_all = name == NULL, .is_tree = is_tree};
    size_t n = 0;
    if (name != NULL) {
        wanted.name = *name;
    }
    pin_cache_stats(forward->cache, &before);
    bool is_done = carry_out(forward, &wanted, &n);
    *ret_n_removed = name != NULL ? n : before.n_entries;
    return is_done;
}

enum pin_err pin_forward_order_init(struct pin_forward_order *order, struct pin_why *why)
{
    pthread_condattr_t attr;
    if (pthread_mutex_init(&order->mutex, NULL) != 0 || pthread_condattr_init(&attr) != 0) {
        return pin_why_set(why, PIN_ENOMEM, "a lock");
    }
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int errno_value = pthread_cond_init(&order->done, &attr);
    (void)pthread_condattr_destroy(&attr);
    return errno_value == 0 ? PIN_OK : pin_why_set(why, PIN_ENOMEM, "a condition");
}
