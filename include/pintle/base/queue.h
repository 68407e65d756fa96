/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Queue: bounded hand-over of owned pointers between threads; many producers, one consumer.
 *
 * A push moves ownership to the queue, a pop to the consumer. A full queue refuses; a producer that
 * was refused is told through the room callback when it may go on. First in, first out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pin_queue;

/** Called on the consumer's thread, without a lock held, when a queue that refused has room again.
 */
typedef void pin_queue_room_fn(void *arg);

/**
 * Makes a queue for `capacity` pointers (1 or more). NULL when out of memory.
 *
 * @param free_item  Frees what is still inside at pin_queue_free(); NULL: left alone.
 */
struct pin_queue *pin_queue_new(size_t capacity, void (*free_item)(void *item));

/** Frees a queue that nobody uses any more, with what is inside. NULL is fine. */
void pin_queue_free(struct pin_queue *queue);

/**
 * Sets the call that follows a refused push as soon as at most `low_water` items are left.
 * Once per refusal period, however many pushes were refused. Set it before producers start.
 */
void pin_queue_on_room(struct pin_queue *queue, size_t low_water, pin_queue_room_fn *fn, void *arg);

/** Hands over `item` (not NULL). Never blocks. False when full or closed: still the caller's. */
bool pin_queue_push(struct pin_queue *queue, void *item);

/** As pin_queue_push() for who has more to hand over: a consumer that sleeps is woken by
 * pin_queue_tell(), which has to follow, or once 64 items wait. */
bool pin_queue_push_more(struct pin_queue *queue, void *item);

/** Wakes a consumer that sleeps while there are items. */
void pin_queue_tell(struct pin_queue *queue);

/** Takes the oldest item; waits up to `timeout_ms` (-1 for ever, 0 not at all). NULL: none, or
 * closed. */
void *pin_queue_pop(struct pin_queue *queue, int64_t timeout_ms);

/**
 * Takes up to `max` items in order, waiting like pin_queue_pop() for the first one.
 * Returns how many; 0 on time-out, or when closed and empty.
 */
size_t pin_queue_pop_all(struct pin_queue *queue, void **ret_items, size_t max, int64_t timeout_ms);

/** Wakes a waiting consumer without an item: its pop returns nothing. Sticks until the next pop. */
void pin_queue_wake(struct pin_queue *queue);

/** Refuses pushes from now on and wakes everybody. What is inside can still be popped. */
void pin_queue_close(struct pin_queue *queue);

/** True after pin_queue_close(). */
bool pin_queue_is_closed(struct pin_queue *queue);

/** Items inside now; only a hint when other threads are at work. */
size_t pin_queue_count(struct pin_queue *queue);

/** The capacity it was made with. */
size_t pin_queue_capacity(const struct pin_queue *queue);
