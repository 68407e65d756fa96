/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Forward ring: how a worker hands questions to a forward thread. One producer, one consumer, no
 * lock; a slot holds all that is needed to ask, and to answer later.
 *
 *     worker    pin_ring_begin() -> fills the slot -> pin_ring_commit()      wakes if it was empty
 *     forward   pin_ring_take() -> uses the slot -> pin_ring_release()
 *
 * A full ring takes nothing: the client gets SERVFAIL at once.
 */

#include <netinet/in.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/name.h"

#include "answer.h"

/** Questions that fit. */
#define PIN_RING_SLOTS 256u
/** Longest client message that is handed over. */
#define PIN_MISS_WIRE_BYTES 1232u
/** Room for packet info of either family. */
#define PIN_MISS_CONTROL_BYTES 64u

/** Where a client is. */
union pin_peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/** What is to be asked upstream: the question, or the target of an alias. */
struct pin_miss_key {
    uint64_t name_hash; /**< pin_hash64() of the name. */
    uint16_t qtype;
    uint8_t group; /**< Zone whose upstreams are asked. */
    uint8_t flags; /**< PIN_KEY_DO, PIN_KEY_CD. */
    uint8_t name_bytes;
    uint8_t name[PIN_NAME_MAX_BYTES]; /**< Lower case. */
};

/** A query that the cache could not answer. Plain data. */
struct pin_miss {
    struct pin_miss_key key;
    bool is_refresh;          /**< Nobody waits: a popular entry is about to expire. */
    uint8_t n_rounds;         /**< Questions asked for this query before: a chain of aliases. */
    struct pin_client client; /**< Its pointers are set again by who takes it out. */
    struct pin_return back;
    union pin_peer peer;   /**< Who asks. */
    union pin_peer sender; /**< Over UDP: where the packet came from, a proxy perhaps. */
    uint16_t control_bytes;
    uint16_t bytes;
    uint8_t control[PIN_MISS_CONTROL_BYTES];
    uint8_t wire[PIN_MISS_WIRE_BYTES];
};

/** One direction of hand-over. */
struct pin_ring {
    _Alignas(64) _Atomic uint32_t n_put;   /**< The producer's. */
    _Alignas(64) _Atomic uint32_t n_taken; /**< The consumer's. */
    int wake_fd;                           /**< An eventfd, non-blocking; borrowed. */
    struct pin_miss slots[PIN_RING_SLOTS];
};

/** An empty ring whose consumer is woken by `wake_fd`. NULL: out of memory. */
struct pin_ring *pin_ring_new(int wake_fd);

/** Frees it. NULL is fine. */
void pin_ring_free(struct pin_ring *ring);

/** The slot to fill; NULL: full. Producer. */
struct pin_miss *pin_ring_begin(struct pin_ring *ring);

/** Hands over the slot that was filled. Producer. A system call only when the ring was empty. */
void pin_ring_commit(struct pin_ring *ring);

/** The oldest question, valid until pin_ring_release(); NULL: none. Consumer. */
struct pin_miss *pin_ring_take(struct pin_ring *ring);

/** Whether all that was handed over was taken. Any thread. */
bool pin_ring_is_empty(const struct pin_ring *ring);

/** Gives the slot back. Consumer. */
void pin_ring_release(struct pin_ring *ring);
