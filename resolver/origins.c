/* SPDX-License-Identifier: Apache-2.0 */

/* Counts streams by where they come from, and keeps a bucket for each rate. */

#include "origins.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/macros.h"

#define THOUSANDTHS INT64_C(1000)
/* A bucket is full again after a second, an overdrawn one a little later. */
#define REMEMBERED_MS 2000
/* More are not remembered: who has so many addresses gets through anyway. */
#define ENDED_MAX     ((size_t)1 << 16)
#define V6_SITE_BYTES 8u

static struct pin_ip site_of(const struct pin_ip *ip)
{
    struct pin_ip site = *ip;
    if (site.family == 6) {
        memset(site.bytes + V6_SITE_BYTES, 0, sizeof(site.bytes) - V6_SITE_BYTES);
    }
    return site;
}

void pin_origins_init(struct pin_origins *origins, const uint32_t rates[PIN_RATE_MAX])
{
    memset(origins, 0, sizeof(*origins));
    pin_map_init(&origins->by_ip);
    pin_link_init(&origins->ended);
    memcpy(origins->rates, rates, sizeof(origins->rates));
}

void pin_origins_done(struct pin_origins *origins)
{
    pin_map_done(&origins->by_ip, free);
    pin_link_init(&origins->ended);
    origins->n_ended = 0;
}

struct pin_origin *pin_origins_join(
    struct pin_origins *origins, const struct pin_ip *ip, int64_t now_ms)
{
    struct pin_ip site = site_of(ip);
    struct pin_origin *origin = pin_map_find(&origins->by_ip, &site, sizeof(site));
    if (origin != NULL) {
        if (origin->n_streams++ == 0) {
            pin_link_remove(&origin->by_end);
            origins->n_ended--;
        }
        return origin;
    }
    origin = calloc(1, sizeof(*origin));
    if (origin == NULL) {
        return NULL;
    }
    origin->ip = site;
    origin->n_streams = 1;
    pin_link_init(&origin->streams);
    pin_link_init(&origin->by_end);
    for (size_t i = 0; i < PIN_RATE_MAX; i++) {
        origin->buckets[i].filled_ms = now_ms;
        origin->buckets[i].thousandths = origins->rates[i] * THOUSANDTHS;
    }
    if (!pin_map_put(&origins->by_ip, &origin->ip, sizeof(origin->ip), origin, NULL)) {
        free(origin);
        return NULL;
    }
    return origin;
}

static void forget(struct pin_origins *origins, struct pin_origin *origin)
{
    (void)pin_map_remove(&origins->by_ip, &origin->ip, sizeof(origin->ip));
    free(origin);
}

static struct pin_origin *first_ended(struct pin_origins *origins)
{
    return container_of(origins->ended.next, struct pin_origin, by_end);
}

static void forget_first_ended(struct pin_origins *origins)
{
    struct pin_origin *origin = first_ended(origins);
    pin_link_remove(&origin->by_end);
    origins->n_ended--;
    forget(origins, origin);
}

static bool has_rates(const struct pin_origins *origins)
{
    for (size_t i = 0; i < PIN_RATE_MAX; i++) {
        if (origins->rates[i] != 0) {
            return true;
        }
    }
    return false;
}

void pin_origins_leave(struct pin_origins *origins, struct pin_origin *origin, int64_t now_ms)
{
    if (--origin->n_streams > 0) {
        return;
    }
    if (!has_rates(origins)) {
        forget(origins, origin);
        return;
    }
    origin->end_ms = now_ms;
    pin_link_append(&origins->ended, &origin->by_end);
    if (++origins->n_ended > ENDED_MAX) {
        forget_first_ended(origins);
    }
}

/* Fills a bucket up to now. */
static int64_t *fill(const struct pin_origins *origins, struct pin_origin *origin,
    enum pin_rate rate, int64_t now_ms)
{
    int64_t full = origins->rates[rate] * THOUSANDTHS;
    int64_t passed_ms = PIN_MAX(now_ms - origin->buckets[rate].filled_ms, 0);
    int64_t more = PIN_MIN(passed_ms, REMEMBERED_MS) * origins->rates[rate];
    int64_t sum = origin->buckets[rate].thousandths + more;
    origin->buckets[rate].thousandths = PIN_MIN(sum, full);
    origin->buckets[rate].filled_ms = now_ms;
    return &origin->buckets[rate].thousandths;
}

bool pin_origins_may(
    struct pin_origins *origins, struct pin_origin *origin, enum pin_rate rate, int64_t now_ms)
{
    return origins->rates[rate] == 0 || *fill(origins, origin, rate, now_ms) >= THOUSANDTHS;
}

bool pin_origins_is_overdrawn(
    struct pin_origins *origins, struct pin_origin *origin, enum pin_rate rate, int64_t now_ms)
{
    return origins->rates[rate] != 0 && *fill(origins, origin, rate, now_ms) < 0;
}

void pin_origins_did(
    struct pin_origins *origins, struct pin_origin *origin, enum pin_rate rate, int64_t now_ms)
{
    if (origins->rates[rate] == 0) {
        return;
    }
    int64_t *left = fill(origins, origin, rate, now_ms);
    int64_t lowest = -(origins->rates[rate] * THOUSANDTHS);
    *left = PIN_MAX(*left - THOUSANDTHS, lowest);
}

void pin_origins_forget(struct pin_origins *origins, int64_t now_ms)
{
    while (!pin_link_is_empty(&origins->ended)
           && now_ms - first_ended(origins)->end_ms > REMEMBERED_MS) {
        forget_first_ended(origins);
    }
}
