/* SPDX-License-Identifier: Apache-2.0 */

/* The ring: two counters that only grow, each written by one side. */

#include "forward_ring.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "pintle/base/macros.h"

struct pin_ring *pin_ring_new(int wake_fd)
{
    struct pin_ring *ring = aligned_alloc(_Alignof(struct pin_ring), sizeof(*ring));
    if (ring != NULL) {
        atomic_init(&ring->n_put, 0); /* slots stay untouched: memory that is never used */
        atomic_init(&ring->n_taken, 0);
        ring->wake_fd = wake_fd;
    }
    return ring;
}

void pin_ring_free(struct pin_ring *ring)
{
    free(ring);
}

struct pin_miss *pin_ring_begin(struct pin_ring *ring)
{
    uint32_t n_put = atomic_load_explicit(&ring->n_put, memory_order_relaxed);
    uint32_t n_taken = atomic_load_explicit(&ring->n_taken, memory_order_acquire);
    return n_put - n_taken < PIN_RING_SLOTS ? &ring->slots[n_put % PIN_RING_SLOTS] : NULL;
}

void pin_ring_commit(struct pin_ring *ring)
{
    uint32_t n_put = atomic_load_explicit(&ring->n_put, memory_order_relaxed);
    /* Sequentially consistent, as on the other side: either we see that all before this one was
     * taken, or the consumer sees this one before it sleeps. */
    atomic_store_explicit(&ring->n_put, n_put + 1, memory_order_seq_cst);
    if (atomic_load_explicit(&ring->n_taken, memory_order_seq_cst) == n_put) {
        (void)eventfd_write(ring->wake_fd, 1);
    }
}

struct pin_miss *pin_ring_take(struct pin_ring *ring)
{
    uint32_t n_taken = atomic_load_explicit(&ring->n_taken, memory_order_relaxed);
    uint32_t n_put = atomic_load_explicit(&ring->n_put, memory_order_seq_cst);
    return n_put != n_taken ? &ring->slots[n_taken % PIN_RING_SLOTS] : NULL;
}

void pin_ring_release(struct pin_ring *ring)
{
    uint32_t n_taken = atomic_load_explicit(&ring->n_taken, memory_order_relaxed);
    atomic_store_explicit(&ring->n_taken, n_taken + 1, memory_order_seq_cst);
}

bool pin_ring_is_empty(const struct pin_ring *ring)
{
    uint32_t n_taken = atomic_load_explicit(&ring->n_taken, memory_order_acquire);
    return atomic_load_explicit(&ring->n_put, memory_order_acquire) == n_taken;
}
