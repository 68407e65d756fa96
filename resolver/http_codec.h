/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/**
 * @file
 * HTTP codec: what a version of HTTP brings along, behind http.h. For http.c, http1.c and doh.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pintle/base/error.h"

#include "http.h"
#include "http_rules.h"

struct pin_doh_shared;

/** Shared by the connections of one thread. */
struct pin_http_shared {
    struct pin_doh_shared *doh;
    uint8_t packet[PIN_STREAM_MAX_BYTES]; /**< A question, then its answer. */
};

/** One version of HTTP: each does what the function of that name in http.h says. */
struct pin_http_codec {
    size_t (*feed)(struct pin_http *http, const uint8_t *from, size_t bytes);
    size_t (*take)(struct pin_http *http, uint8_t *out, size_t cap_bytes);
    void (*answer)(struct pin_http *http, uint32_t request_id, const uint8_t *wire, size_t bytes);
    bool (*is_reading)(const struct pin_http *http);
    bool (*is_over)(const struct pin_http *http);
    void (*end)(struct pin_http *http);
    void (*free)(struct pin_http *http);
};

/** First member of a connection of any version. */
struct pin_http {
    const struct pin_http_codec *codec;
    struct pin_http_shared *shared;
    const char *path;
    pin_http_ask ask;
    void *ask_arg;
    uint32_t n_pending;
};

/** A zeroed connection of HTTP/1.1; NULL when memory is out. Its base is the caller's to fill. */
struct pin_http *pin_http1_new(void);

/** The same of HTTP/2; `shared` must be set up. */
struct pin_http *pin_doh_new(struct pin_http_shared *shared);

/** Makes what HTTP/2 connections share; NULL when memory is out. */
struct pin_doh_shared *pin_doh_shared_new(void);

/** Frees it. NULL is fine. */
void pin_doh_shared_free(struct pin_doh_shared *doh);
