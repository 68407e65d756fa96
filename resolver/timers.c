/* SPDX-License-Identifier: Apache-2.0 */

/* A binary heap; each deadline knows its place, so that it can be moved. */

#include "timers.h"

#include <stdlib.h>

#include "pintle/base/macros.h"

bool pin_timers_reserve(struct pin_timers *timers, size_t n)
{
    if (n < timers->cap) {
        return true;
    }
    struct pin_deadline **grown =
        realloc(timers->heap, (n + 1) * 2 * sizeof(struct pin_deadline *));
    if (grown == NULL) {
        return false;
    }
    timers->heap = grown;
    timers->cap = (n + 1) * 2;
    return true;
}

static void place(struct pin_timers *timers, size_t position, struct pin_deadline *deadline)
{
    timers->heap[position] = deadline;
    deadline->position = position;
}

/* Moves the deadline at `position` to where it belongs. */
static void settle(struct pin_timers *timers, size_t position)
{
    struct pin_deadline *deadline = timers->heap[position];
    while (position > 1 && timers->heap[position / 2]->at_ms > deadline->at_ms) {
        place(timers, position, timers->heap[position / 2]);
        position /= 2;
    }
    for (size_t child = 2 * position; child <= timers->n; child = 2 * position) {
        if (child < timers->n && timers->heap[child + 1]->at_ms < timers->heap[child]->at_ms) {
            child++;
        }
        if (timers->heap[child]->at_ms >= deadline->at_ms) {
            break;
        }
        place(timers, position, timers->heap[child]);
        position = child;
    }
    place(timers, position, deadline);
}

void pin_timers_set(struct pin_timers *timers, struct pin_deadline *deadline, int64_t at_ms)
{
    deadline->at_ms = at_ms;
    if (deadline->position == 0) {
        place(timers, ++timers->n, deadline);
    }
    settle(timers, deadline->position);
}

void pin_timers_clear(struct pin_timers *timers, struct pin_deadline *deadline)
{
    size_t position = deadline->position;
    if (position == 0) {
        return;
    }
    struct pin_deadline *last = timers->heap[timers->n--];
    deadline->position = 0;
    if (last != deadline) {
        place(timers, position, last);
        settle(timers, position);
    }
}

void pin_timers_run(struct pin_timers *timers, int64_t now_ms, void *arg)
{
    while (timers->n > 0 && timers->heap[1]->at_ms <= now_ms) {
        struct pin_deadline *deadline = timers->heap[1];
        pin_timers_clear(timers, deadline);
        deadline->on_time(deadline, arg);
    }
}

int pin_timers_wait_ms(const struct pin_timers *timers, int64_t now_ms, int max_ms)
{
    if (timers->n == 0) {
        return max_ms;
    }
    int64_t left_ms = timers->heap[1]->at_ms - now_ms;
    return left_ms <= 0 ? 0 : (int)PIN_MIN(left_ms, (int64_t)max_ms);
}

void pin_timers_done(struct pin_timers *timers)
{
    free(timers->heap);
    *timers = (struct pin_timers){.heap = NULL};
}
