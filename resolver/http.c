/* SPDX-License-Identifier: Apache-2.0 */

/* One door for all versions of HTTP. */

#include "http.h"

#include <stdlib.h>

#include "http_codec.h"

enum pin_err pin_http_shared_new(struct pin_http_shared **ret_shared, struct pin_why *why)
{
    struct pin_http_shared *shared = calloc(1, sizeof(*shared));
    if (shared != NULL) {
        shared->doh = pin_doh_shared_new();
    }
    if (shared == NULL || shared->doh == NULL) {
        pin_http_shared_free(shared);
        return pin_why_set(why, PIN_ENOMEM, "buffers for HTTP");
    }
    *ret_shared = shared;
    return PIN_OK;
}

void pin_http_shared_free(struct pin_http_shared *shared)
{
    if (shared != NULL) {
        pin_doh_shared_free(shared->doh);
        free(shared);
    }
}

struct pin_http *pin_http_new(struct pin_http_shared *shared, enum pin_http_version version,
    const char *path, pin_http_ask ask, void *ask_arg)
{
    struct pin_http *http = version == PIN_HTTP_2 ? pin_doh_new(shared) : pin_http1_new();
    if (http != NULL) {
        http->shared = shared;
        http->path = path;
        http->ask = ask;
        http->ask_arg = ask_arg;
    }
    return http;
}

void pin_http_free(struct pin_http *http)
{
    if (http != NULL) {
        http->codec->free(http);
    }
}

size_t pin_http_feed(struct pin_http *http, const uint8_t *from, size_t bytes)
{
    return http->codec->feed(http, from, bytes);
}

size_t pin_http_take(struct pin_http *http, uint8_t *out, size_t cap_bytes)
{
    return http->codec->take(http, out, cap_bytes);
}

void pin_http_answer(struct pin_http *http, uint32_t request_id, const uint8_t *wire, size_t bytes)
{
    http->codec->answer(http, request_id, wire, bytes);
}

uint32_t pin_http_n_pending(const struct pin_http *http)
{
    return http->n_pending;
}

bool pin_http_is_reading(const struct pin_http *http)
{
    return http->codec->is_reading(http);
}

bool pin_http_is_over(const struct pin_http *http)
{
    return http->codec->is_over(http);
}

void pin_http_end(struct pin_http *http)
{
    http->codec->end(http);
}
