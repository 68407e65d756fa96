/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Lease: which one of several daemons writes to a cluster (coordination.k8s.io/v1).
 *
 *     look -> nobody's, or not renewed for its duration by our own clock -> take it -> renew ...
 *          -> somebody's -> look again every 2 s
 *
 * A change names the resourceVersion it was made on, so of two that take it at once one is refused.
 * Who holds it and cannot renew it stops writing 5 s before others may take it. Clocks of others
 * do not matter: only how long the object stays the same. Belongs to the loop's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

struct pin_arena;
struct pin_http;
struct pin_lease;
struct pin_loop;
struct pin_target;

/** How long a Lease counts that is not renewed. */
#define PIN_LEASE_S 15
/** When its holder stops, at the latest. */
#define PIN_LEASE_STOP_MS 10000

/** Longest identity, with its NUL. */
#define PIN_LEASE_HOLDER_MAX 256u

/** What a lease needs. Texts are copied. */
struct pin_lease_config {
    struct pin_loop *loop;
    struct pin_http *http;
    struct pin_arena *arena;    /**< For one answer at a time. */
    const char *where;          /**< "cluster c1", for messages. */
    const char *namespace_name; /**< Of the Lease. */
    const char *name;
    const char *identity; /**< Ours; no two daemons have the same. */
    /** Where the API server is; NULL: out of reach now. */
    const struct pin_target *(*target)(void *arg);
    /** We hold it now, or no longer. */
    void (*on_change)(void *arg, bool is_held);
    void *arg;
};

/** An identity that no other daemon has: the host's name and a random number. */
void pin_lease_identity(char ret_identity[PIN_LEASE_HOLDER_MAX]);

/** Makes it; idle. NULL when memory is out. */
struct pin_lease *pin_lease_new(const struct pin_lease_config *config);

/** Ends what is under way, releases nothing, frees. NULL is fine. */
void pin_lease_free(struct pin_lease *lease);

/** Begins to want it. */
void pin_lease_start(struct pin_lease *lease);

/** Whether a write that begins now may. */
bool pin_lease_is_held(const struct pin_lease *lease);

/** Who holds it as far as we know; "" for nobody, or not known. */
const char *pin_lease_holder(const struct pin_lease *lease);

/** What is wrong with it; "" when nothing is. */
const char *pin_lease_error(const struct pin_lease *lease);

/** Stops wanting it, and gives it back if we hold it. on_change says so at once. */
void pin_lease_release(struct pin_lease *lease);

/** Whether something is still on its way, the giving back above all. */
bool pin_lease_is_busy(const struct pin_lease *lease);

#define PIN_LEASE_VERSION_MAX 64u

/** What the object says. */
struct pin_lease_seen {
    char holder[PIN_LEASE_HOLDER_MAX];   /**< "": nobody. */
    char version[PIN_LEASE_VERSION_MAX]; /**< resourceVersion */
    int64_t duration_s;
    int64_t n_transitions;
};

/** Reads an answer of the API server. PIN_EPARSE for what is no Lease or has no version. */
enum pin_err pin_lease_read(const char *text, size_t bytes, struct pin_arena *arena,
    struct pin_lease_seen *ret_seen, struct pin_why *why);
