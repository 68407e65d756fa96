/* SPDX-License-Identifier: Apache-2.0 */

/*
 * Two queries share an answer of the cache exactly when they ask the same: name without case, type,
 * class, DO and CD. The first two bytes say how long the first query is, the second one follows.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/rcu.h"

#include "fuzz/require.h"
#include "resolver/cache.h"
#include "resolver/query.h"
#include "support/message.h"

#define FLAG_CD   0x0010u
#define EDNS_DO   0x8000u
#define OVER_MS   61000
#define FAILED_MS 62000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct pin_reply *reply;
static struct pin_cache *cache;
static uint16_t n_runs;

static void set_up(void)
{
    static const struct pin_cache_settings settings = {.size_bytes = 1 << 20, .n_shards = 1};
    pin_rcu_register();
    reply = pin_reply_new();
    require(reply != NULL && pin_cache_new(&settings, &cache, NULL) == PIN_OK);
}

static void make_key(const struct pin_query *query, const uint8_t *wire, struct pin_cache_key *key)
{
    *key = (struct pin_cache_key){.name = query->qname,
        .name_bytes = query->qname_bytes,
        .name_hash = pin_hash64(query->qname, query->qname_bytes),
        .qtype = query->qtype,
        .qclass = query->qclass,
        .group = n_runs, /* so that nothing is met again */
        .flags = (uint8_t)((query->is_do ? PIN_KEY_DO : 0)
                           | ((wire[3] & FLAG_CD) != 0 ? PIN_KEY_CD : 0))};
    pin_cache_key_finish(key);
}

static uint8_t lower(uint8_t byte)
{
    return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20u) : byte;
}

static bool is_same_name(const uint8_t *a, const uint8_t *b)
{
    size_t at = 0;
    while (a[at] == b[at] && a[at] != 0) {
        size_t end = at + a[at];
        for (at++; at <= end; at++) {
            if (lower(a[at]) != lower(b[at])) {
                return false;
            }
        }
    }
    return a[at] == b[at];
}

/* What a strict reader that shares no code with the server says of the two. */
static bool ask_the_same(const struct message *a, const struct message *b)
{
    const uint8_t *name = a->wire + PIN_HEADER_BYTES;
    size_t bytes = 0;
    while (name[bytes] != 0) {
        bytes += name[bytes] + 1u;
    }
    return is_same_name(name, b->wire + PIN_HEADER_BYTES)
           && memcmp(name + bytes, b->wire + PIN_HEADER_BYTES + bytes, 1 + PIN_QUESTION_TAIL_BYTES)
                  == 0
           && ((a->flags ^ b->flags) & FLAG_CD) == 0
           && ((a->edns_flags ^ b->edns_flags) & EDNS_DO) == 0;
}

/* Puts an answer without records; when the cache has no room just now, it is waited for. */
static void put(const struct pin_cache_key *key)
{
    struct pin_cache_found found;
    reply->kind = PIN_BODY_NODATA;
    reply->ttl_s = 60;
    while (pin_cache_find(cache, key, 0, &found) != PIN_CACHE_FRESH) {
        (void)pin_cache_put(cache, key, reply, 0);
        if (pin_cache_find(cache, key, 0, &found) != PIN_CACHE_FRESH) {
            pin_rcu_barrier();
        }
    }
}

/* Once the answer is over. */
static void put_failure(const struct pin_cache_key *key)
{
    struct pin_cache_found found;
    while (pin_cache_find(cache, key, FAILED_MS, &found) != PIN_CACHE_FAILED) {
        (void)pin_cache_put_failure(cache, key, 22, OVER_MS);
        if (pin_cache_find(cache, key, FAILED_MS, &found) != PIN_CACHE_FAILED) {
            pin_rcu_barrier();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct message messages[2];
    struct pin_query queries[2];
    struct pin_cache_key keys[2];
    struct pin_cache_found found;
    if (cache == NULL) {
        set_up();
    }
    size_t first_bytes = size < 2 ? SIZE_MAX : (size_t)(data[0] << 8 | data[1]);
    if (size < 2 || first_bytes > size - 2) {
        return 0;
    }
    if (++n_runs == 0) {
        pin_cache_clear(cache, 0);
        pin_rcu_barrier();
    }
    const uint8_t *wires[2] = {data + 2, data + 2 + first_bytes};
    size_t bytes[2] = {first_bytes, size - 2 - first_bytes};
    for (size_t i = 0; i < 2; i++) {
        if (pin_query_parse(wires[i], bytes[i], &queries[i]) != PIN_QUERY_OK
            || !message_parse(wires[i], bytes[i], &messages[i])) {
            return 0;
        }
        make_key(&queries[i], wires[i], &keys[i]);
    }
    bool is_same = ask_the_same(&messages[0], &messages[1]);
    put(&keys[0]);
    require((pin_cache_find(cache, &keys[1], 0, &found) == PIN_CACHE_FRESH) == is_same);
    put_failure(&keys[0]);
    require((pin_cache_find(cache, &keys[1], FAILED_MS, &found) == PIN_CACHE_FAILED) == is_same);
    pin_rcu_quiescent();
    return 0;
}
