/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Kinds: which of our kinds an API server has, and a watch for each of them.
 *
 *     discovery (/apis, every 10 s to 60 s while some are missing) -> start watches
 *     watch: 404                                                   -> kept; ask discovery
 *     discovery: not served                                        -> an empty list, unproven
 *
 * A kind that had objects is gone only when discovery said so twice, 30 s apart: the empty list
 * that the first answer makes is held like any other (pintle/zones/delta.h), each later answer is
 * another one. A 404 alone, or an answer that does not tell, takes nothing away.
 */

#include <stdbool.h>
#include <stdint.h>

#include "http.h"
#include "source.h"

struct pin_arena;
struct pin_kinds;

/** Whom kinds serve: one cluster. All of it outlives them. */
struct pin_kinds_host {
    struct pin_source *source;
    struct pin_http *http;
    struct pin_arena *arena;       /**< For one object at a time. */
    void (*on_lost)(void *arg);    /**< A request brought no answer: can it be reached? */
    void (*on_refused)(void *arg); /**< 401: credentials are to be read again. */
    void *arg;
};

/** Makes kinds that do nothing yet. NULL when out of memory. */
struct pin_kinds *pin_kinds_new(const struct pin_kinds_host *host);

/** Stops and frees them. NULL is fine. */
void pin_kinds_free(struct pin_kinds *kinds);

/** What requests go to from the next one on; NULL: nowhere. Lives until it is set again. */
void pin_kinds_set_target(struct pin_kinds *kinds, const struct pin_target *target);

/** The version of a kind that the cluster serves, as in its row; NULL: none, or not known. */
const char *pin_kinds_version(const struct pin_kinds *kinds, enum pin_kind kind);

/** The cluster can be reached: goes on where it stopped. `is_back`: after an outage. */
void pin_kinds_start(struct pin_kinds *kinds, bool is_back);

/** Watches go on where they were, over new connections. */
void pin_kinds_reconnect(struct pin_kinds *kinds);

/** Cancels all requests; what is known stays. */
void pin_kinds_stop(struct pin_kinds *kinds);

/** The sink has room again. */
void pin_kinds_resume(struct pin_kinds *kinds);

/** The source's `wants_pods` has changed. */
void pin_kinds_want_pods(struct pin_kinds *kinds);

/** Lists all kinds once more, 30 s from now. */
void pin_kinds_list_again(struct pin_kinds *kinds);

/** The source's stats say which lists are held now. */
void pin_kinds_set_held(struct pin_kinds *kinds);
