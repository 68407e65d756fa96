/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * HTTP codec: what a version of HTTP brings along, behind https.h. For https.c, http1.c and doh.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "https.h"
#include "https_rules.h"

struct pin_doh_shared;

/** Shared by the connections of one thread. */
struct pin_https_shared {
    struct pin_doh_shared *doh;
    struct pin_stats *stats;              /**< NULL: nothing is counted. */
    uint8_t packet[PIN_STREAM_MAX_BYTES]; /**< A question, then its answer. */
};

/** One version of HTTP: each does what the function of that name in https.h says. */
struct pin_https_codec {
    size_t (*feed)(struct pin_https *http, const uint8_t *from, size_t bytes);
    size_t (*take)(struct pin_https *http, uint8_t *out, size_t cap_bytes);
    void (*answer)(struct pin_https *http, uint32_t request_id, const uint8_t *wire, size_t bytes);
    bool (*is_reading)(const struct pin_https *http);
    bool (*is_over)(const struct pin_https *http);
    void (*end)(struct pin_https *http);
    void (*free)(struct pin_https *http);
};

/** First member of a connection of any version. */
struct pin_https {
    const struct pin_https_codec *codec;
    struct pin_https_shared *shared;
    const char *path;
    pin_https_ask ask;
    void *ask_arg;
    uint32_t n_pending;
};

/** Counts a request that gets no answer. */
static inline void pin_https_count_refused(const struct pin_https *http)
{
    if (http->shared->stats != NULL) {
        pin_stat_add(&http->shared->stats->n_https_refused, 1);
    }
}

/** A zeroed connection of HTTP/1.1; NULL when memory is out. Its base is the caller's to fill. */
struct pin_https *pin_http1_new(void);

/** The same of HTTP/2; `shared` must be set up. */
struct pin_https *pin_doh_new(struct pin_https_shared *shared);

/** Makes what HTTP/2 connections share; NULL when memory is out. */
struct pin_doh_shared *pin_doh_shared_new(void);

/** Frees it. NULL is fine. */
void pin_doh_shared_free(struct pin_doh_shared *doh);
