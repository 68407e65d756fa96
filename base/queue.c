/* SPDX-License-Identifier: Apache-2.0 */

/* Bounded hand-over: a ring under a mutex. */

#include "pintle/base/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "pintle/base/clock.h"

#define MORE_MAX 64u /* items that wait for pin_queue_tell() */

struct pin_queue {
    pthread_mutex_t lock;
    pthread_cond_t has_items;
    void (*free_item)(void *item);
    pin_queue_room_fn *on_room;
    void *on_room_arg;
    size_t low_water;
    size_t capacity;
    size_t first; /* where the oldest item stands */
    size_t count;
    bool is_closed;
    bool is_woken;    /* a consumer is to return without an item */
    bool has_refused; /* a producer waits to be told about room */
    void *items[];
};

struct pin_queue *pin_queue_new(size_t capacity, void (*free_item)(void *item))
{
    if (capacity == 0 || capacity > SIZE_MAX / sizeof(void *) / 2) {
        return NULL;
    }
    struct pin_queue *queue = calloc(1, sizeof(*queue) + capacity * sizeof(queue->items[0]));
    if (queue == NULL) {
        return NULL;
    }
    pthread_condattr_t attr;
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&queue->has_items, &attr);
    (void)pthread_condattr_destroy(&attr);
    (void)pthread_mutex_init(&queue->lock, NULL);
    queue->free_item = free_item;
    queue->capacity = capacity;
    return queue;
}

void pin_queue_free(struct pin_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    for (size_t i = 0; i < queue->count && queue->free_item != NULL; i++) {
        queue->free_item(queue->items[(queue->first + i) % queue->capacity]);
    }
    (void)pthread_cond_destroy(&queue->has_items);
    (void)pthread_mutex_destroy(&queue->lock);
    free(queue);
}

void pin_queue_on_room(struct pin_queue *queue, size_t low_water, pin_queue_room_fn *fn, void *arg)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->low_water = low_water;
    queue->on_room = fn;
    queue->on_room_arg = arg;
    (void)pthread_mutex_unlock(&queue->lock);
}

/* Under the lock, with room. Wakes the consumer once so many items wait. */
static void put_in(struct pin_queue *queue, void *item, size_t n_wake)
{
    queue->items[(queue->first + queue->count) % queue->capacity] = item;
    queue->count++;
    if (queue->count >= n_wake) {
        (void)pthread_cond_signal(&queue->has_items);
    }
}

static bool push(struct pin_queue *queue, void *item, size_t n_wake)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool is_full = queue->count == queue->capacity;
    bool is_taken = !is_full && !queue->is_closed;
    if (is_taken) {
        put_in(queue, item, n_wake);
    } else if (!queue->is_closed) {
        queue->has_refused = true;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    return is_taken;
}

bool pin_queue_push(struct pin_queue *queue, void *item)
{
    return push(queue, item, 1);
}

bool pin_queue_push_more(struct pin_queue *queue, void *item)
{
    return push(queue, item, MORE_MAX);
}

void pin_queue_tell(struct pin_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    if (queue->count > 0) {
        (void)pthread_cond_signal(&queue->has_items);
    }
    (void)pthread_mutex_unlock(&queue->lock);
}

/* Under the lock: returns when there is an item, or a reason to come back without one. */
static void wait_for_item(struct pin_queue *queue, int64_t timeout_ms)
{
    struct timespec deadline = pin_clock_deadline(timeout_ms < 0 ? 0 : timeout_ms);
    int result = 0;
    while (queue->count == 0 && !queue->is_closed && !queue->is_woken && timeout_ms != 0
           && result != ETIMEDOUT) {
        result = timeout_ms < 0
                     ? pthread_cond_wait(&queue->has_items, &queue->lock)
                     : pthread_cond_timedwait(&queue->has_items, &queue->lock, &deadline);
    }
    queue->is_woken = false;
}

size_t pin_queue_pop_all(struct pin_queue *queue, void **ret_items, size_t max, int64_t timeout_ms)
{
    pin_queue_room_fn *on_room = NULL;
    void *on_room_arg = NULL;
    size_t n = 0;
    (void)pthread_mutex_lock(&queue->lock);
    wait_for_item(queue, timeout_ms);
    for (; n < max && queue->count > 0; n++) {
        ret_items[n] = queue->items[queue->first];
        queue->first = (queue->first + 1) % queue->capacity;
        queue->count--;
    }
    if (queue->has_refused && queue->count <= queue->low_water && queue->count < queue->capacity) {
        queue->has_refused = false;
        on_room = queue->on_room;
        on_room_arg = queue->on_room_arg;
    }
    (void)pthread_mutex_unlock(&queue->lock);
    if (on_room != NULL) {
        on_room(on_room_arg);
    }
    return n;
}

void *pin_queue_pop(struct pin_queue *queue, int64_t timeout_ms)
{
    void *item = NULL;
    (void)pin_queue_pop_all(queue, &item, 1, timeout_ms);
    return item;
}

void pin_queue_wake(struct pin_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_woken = true;
    (void)pthread_cond_signal(&queue->has_items);
    (void)pthread_mutex_unlock(&queue->lock);
}

void pin_queue_close(struct pin_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    queue->is_closed = true;
    (void)pthread_cond_broadcast(&queue->has_items);
    (void)pthread_mutex_unlock(&queue->lock);
}

bool pin_queue_is_closed(struct pin_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    bool is_closed = queue->is_closed;
    (void)pthread_mutex_unlock(&queue->lock);
    return is_closed;
}

size_t pin_queue_count(struct pin_queue *queue)
{
    (void)pthread_mutex_lock(&queue->lock);
    size_t count = queue->count;
    (void)pthread_mutex_unlock(&queue->lock);
    return count;
}

size_t pin_queue_capacity(const struct pin_queue *queue)
{
    return queue->capacity;
}
