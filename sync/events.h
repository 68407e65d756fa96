/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * Events: what a user must know of an object, told by the API of Events (events.k8s.io/v1).
 *
 *     first time   POST, under a name made of what it says: another daemon's is the same Event
 *     later        PATCH of its series, while it still stands, once in half an hour; POST once the
 *                  API server has forgotten it
 *
 * A bucket bounds how many there are: 25, and one more in 10 s. Belongs to the loop's thread.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/hash.h"
#include "pintle/zones/write.h"

struct pin_http_result;
struct pin_text;

/** How often one that stands is told again; API servers forget Events after an hour. */
#define PIN_EVENTS_AGAIN_MS ((int64_t)30 * 60 * 1000)

/** Those of one cluster. Zeroed: nothing was told. */
struct pin_events {
    struct pin_map told; /**< "namespace/name" of Events. */
    int64_t filled_ms;   /**< When the bucket was last filled. */
    int64_t spent_ms;    /**< What was taken out of it, in times. */
};

/** Whether it is to be told now. */
enum pin_events_turn {
    PIN_EVENTS_NOW,
    PIN_EVENTS_TOLD, /**< It was, not long ago. */
    PIN_EVENTS_WAIT, /**< Too many were. */
};

/** What becomes of a request. */
enum pin_events_end {
    PIN_EVENTS_DONE,
    PIN_EVENTS_ANEW,   /**< The Event has been forgotten: make the request again. */
    PIN_EVENTS_FAILED, /**< As with any other write. */
};

/** Looks whether it is its turn, and counts it when it is. */
enum pin_events_turn pin_events_take(
    struct pin_events *events, const struct pin_write *write, int64_t now_ms);

/** Whether an Event of that kind exists as far as we know: its series is patched. */
bool pin_events_repeats(const struct pin_events *events, const struct pin_write *write);

/** Writes the path of the request. */
void pin_events_put_path(
    const struct pin_events *events, const struct pin_write *write, struct pin_text *out);

/** Who tells, about an object of which API version, and when. */
struct pin_events_teller {
    const char *identity;
    const char *api_version; /**< "gateway.networking.k8s.io/v1" */
    int64_t wall_ms;
};

/** Writes the body of the request. */
void pin_events_put_body(const struct pin_events *events, const struct pin_write *write,
    const struct pin_events_teller *teller, struct pin_text *out);

/** Notes how the request ended. */
enum pin_events_end pin_events_end(struct pin_events *events, const struct pin_write *write,
    const struct pin_http_result *result, int64_t now_ms);

/** Forgets all. */
void pin_events_done(struct pin_events *events);
