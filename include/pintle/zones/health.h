/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Health: a small table of verdicts about addresses, between three threads.
 *
 *     builder   hands out slots, one per address and check      pin_health_order ->  control
 *     control   probes, and stores a verdict                    one atomic word  ->  workers
 *     workers   read the words of the slots that a table names, while they answer
 *
 * An address that comes and goes changes a word and nothing else: no node is replaced. Words are
 * read without a lock. Orders and notes pass under a lock that no worker ever takes.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/zones/check.h"

/** "Not checked": such an address always counts as up. */
#define PIN_SLOT_NONE UINT32_MAX
/** Most addresses checked at a time. More are not checked, and that is said. */
#define PIN_HEALTH_SLOTS_MAX (1u << 18)
/** Longest note, with its NUL. */
#define PIN_HEALTH_NOTE_MAX 120u

/** What is known about an address, from worst to best. */
enum pin_verdict {
    PIN_VERDICT_DOWN,
    PIN_VERDICT_UNJUDGED, /**< New beside others: not shown while one of them is up. */
    PIN_VERDICT_ASSUMED,  /**< Not judged yet, but shown: nothing better was known. */
    PIN_VERDICT_UP,
};

/** A verdict with its times; packed into one word of 64 bits. */
struct pin_health_state {
    enum pin_verdict verdict;
    bool is_turning;  /**< The next result can change the verdict. */
    uint32_t since_s; /**< Monotonic seconds; when the verdict was first so. */
    uint32_t next_s;  /**< Monotonic seconds; when the next result is due, 28 bits. */
};

struct pin_health;

/** Called on the builder's thread when there are orders. */
typedef void pin_health_fn(void *arg);

/** An empty table; NULL when memory is out. Builder. */
struct pin_health *pin_health_new(void);

/** Frees the table with what it holds. Nobody else may use it any more. NULL is fine. */
void pin_health_free(struct pin_health *health);

/** What a time of the next result is cut to. */
#define PIN_HEALTH_NEXT_MASK 0x0FFFFFFFu

/** The state as one word. */
static inline uint64_t pin_health_pack(struct pin_health_state state)
{
    return (uint64_t)state.since_s << 32 | (uint64_t)(state.next_s & PIN_HEALTH_NEXT_MASK) << 4
           | (uint64_t)state.is_turning << 2 | (uint64_t)state.verdict;
}

/** The word as a state. */
static inline struct pin_health_state pin_health_unpack(uint64_t word)
{
    return (struct pin_health_state){
        .verdict = (enum pin_verdict)(word & 3u),
        .is_turning = (word >> 2 & 1u) != 0,
        .since_s = (uint32_t)(word >> 32),
        .next_s = (uint32_t)(word >> 4 & PIN_HEALTH_NEXT_MASK),
    };
}

/** The low bits of a word that needs no second look: up, and no next result can change that. */
#define PIN_HEALTH_CALM_MASK 7u
#define PIN_HEALTH_CALM      ((uint64_t)PIN_VERDICT_UP)

/** The words by slot; PIN_HEALTH_SLOTS_MAX of them, demand-paged. For pin_health_word(). */
const _Atomic uint64_t *pin_health_words(const struct pin_health *health);

/** The word of a slot now. Hot path: one load. */
static inline uint64_t pin_health_word(const _Atomic uint64_t *words, uint32_t slot)
{
    return atomic_load_explicit(&words[slot], memory_order_relaxed);
}

/* --- control ------------------------------------------------------------------------------ */

/** What control is asked to do about a slot. */
struct pin_health_order {
    uint32_t slot;
    enum pin_verdict first;      /**< UNJUDGED or ASSUMED, until there is a verdict. */
    struct pin_probe_spec *spec; /**< Begin, and free() it; NULL: stop. */
};

/**
 * Takes all orders given since the last call; `*ret_orders` is the caller's to free() when the
 * result is not 0. Orders about one slot come in their order. From this call on a stopped slot may
 * be handed out again, so the caller stores no more into it but by a later order.
 */
size_t pin_health_take_orders(struct pin_health *health, struct pin_health_order **ret_orders);

/** Calls fn after each publication that gave orders. Before the builder starts. */
void pin_health_on_orders(struct pin_health *health, pin_health_fn *fn, void *arg);

/** Makes a state what everybody sees. True when that changed the verdict: the builder is to be
 * woken then. */
bool pin_health_store(struct pin_health *health, uint32_t slot, struct pin_health_state state);

/** How a probe ended. */
enum pin_probe_result {
    PIN_PROBE_OK,
    PIN_PROBE_FAILED,
    PIN_PROBE_RESULT_MAX,
};

/** What probing did so far, and what it has to do. */
struct pin_health_stats {
    uint64_t n_probes[PIN_CHECK_COMMAND + 1][PIN_PROBE_RESULT_MAX]; /**< Ended, by protocol. */
    uint64_t n_flips;                                               /**< Verdicts that changed. */
    uint64_t n_addresses[PIN_VERDICT_UP + 1];                       /**< Now, by verdict. */
    uint64_t n_running; /**< Probes begun and not ended. */
    int64_t late_ms;    /**< How long the address that has to wait longest is overdue; 0: none. */
};

/** Leaves a remark for explain: why, and since when in wall-clock ms. NULL text: none. */
void pin_health_note(
    struct pin_health *health, uint32_t slot, int64_t since_wall_ms, const char *text);
