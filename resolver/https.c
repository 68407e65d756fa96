/* SPDX-License-Identifier: Apache-2.0 */

/* One door for all versions of HTTP. */

#include "https.h"

#include <stdlib.h>

#include "https_codec.h"

enum pin_err pin_https_shared_new(
    struct pin_stats *stats, struct pin_https_shared **ret_shared, struct pin_why *why)
{
    struct pin_https_shared *shared = calloc(1, sizeof(*shared));
    if (shared != NULL) {
        shared->doh = pin_doh_shared_new();
    }
    if (shared == NULL || shared->doh == NULL) {
        pin_https_shared_free(shared);
        return pin_why_set(why, PIN_ENOMEM, "buffers for HTTP");
    }
    shared->stats = stats;
    *ret_shared = shared;
    return PIN_OK;
}

void pin_https_shared_free(struct pin_https_shared *shared)
{
    if (shared != NULL) {
        pin_doh_shared_free(shared->doh);
        free(shared);
    }
}

struct pin_https *pin_https_new(struct pin_https_shared *shared, enum pin_https_version version,
    const char *path, pin_https_ask ask, void *ask_arg)
{
    struct pin_https *http = version == PIN_HTTPS_HTTP2 ? pin_doh_new(shared) : pin_http1_new();
    if (http != NULL) {
        http->shared = shared;
        http->path = path;
        http->ask = ask;
        http->ask_arg = ask_arg;
    }
    return http;
}

void pin_https_free(struct pin_https *http)
{
    if (http != NULL) {
        http->codec->free(http);
    }
}

size_t pin_https_feed(struct pin_https *http, const uint8_t *from, size_t bytes)
{
    return http->codec->feed(http, from, bytes);
}

size_t pin_https_take(struct pin_https *http, uint8_t *out, size_t cap_bytes)
{
    return http->codec->take(http, out, cap_bytes);
}

void pin_https_answer(
    struct pin_https *http, uint32_t request_id, const uint8_t *wire, size_t bytes)
{
    http->codec->answer(http, request_id, wire, bytes);
}

uint32_t pin_https_n_pending(const struct pin_https *http)
{
    return http->n_pending;
}

bool pin_https_is_reading(const struct pin_https *http)
{
    return http->codec->is_reading(http);
}

bool pin_https_is_over(const struct pin_https *http)
{
    return http->codec->is_over(http);
}

void pin_https_end(struct pin_https *http)
{
    http->codec->end(http);
}
