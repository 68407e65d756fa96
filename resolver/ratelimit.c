/* SPDX-License-Identifier: Apache-2.0 */

/* Accounts of answers per network, kind and name. */

#include "ratelimit.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#define WAYS           8u
#define N_ACCOUNTS_MIN 64u
#define PREFIX_BYTES   8u
#define US_PER_MS      1000
#define US_PER_S       INT64_C(1000000)
/* An account is a tag that is never 0, and a moment modulo 12 days; 0 is no account. */
#define MOMENT_BITS 40u
#define MOMENT_MASK ((UINT64_C(1) << MOMENT_BITS) - 1)
/* A moment further ahead than any debt, and than clocks of threads are apart, is 12 days old. */
#define APART_US (60 * US_PER_S)
/* Whoever is always overtaken by other threads goes without paying. */
#define TRIES_MAX 8u

struct bucket {
    _Alignas(64) _Atomic uint64_t ways[WAYS];
};

struct pin_limiter {
    struct pin_rate_config config; /* but for `exempt` */
    uint32_t mask;
    uint32_t n_holders; /* beside the first */
    struct bucket buckets[];
};

bool pin_rate_is_on(const struct pin_rate_config *config)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < PIN_RATE_KINDS; i++) {
        sum |= config->per_second[i];
    }
    return sum != 0;
}

struct pin_limiter *pin_limiter_new(const struct pin_rate_config *config)
{
    uint32_t n_buckets = N_ACCOUNTS_MIN / WAYS;
    while (n_buckets * WAYS < config->n_accounts) {
        n_buckets *= 2;
    }
    size_t bytes = sizeof(struct pin_limiter) + n_buckets * sizeof(struct bucket);
    struct pin_limiter *limiter = aligned_alloc(_Alignof(struct pin_limiter), bytes);
    if (limiter != NULL) {
        memset(limiter, 0, bytes);
        limiter->config = *config;
        limiter->mask = n_buckets - 1;
    }
    return limiter;
}

/* Whether an account says the same by both. */
static bool is_same(const struct pin_rate_config *a, const struct pin_rate_config *b)
{
    return memcmp(a->per_second, b->per_second, sizeof(a->per_second)) == 0
           && a->window_s == b->window_s && a->slip == b->slip && a->n_accounts == b->n_accounts
           && a->v4_bits == b->v4_bits && a->v6_bits == b->v6_bits;
}

struct pin_limiter *pin_limiter_next(
    struct pin_limiter *before, const struct pin_rate_config *config)
{
    if (before == NULL || !is_same(&before->config, config)) {
        return pin_limiter_new(config);
    }
    before->n_holders++;
    return before;
}

void pin_limiter_free(struct pin_limiter *limiter)
{
    if (limiter != NULL && limiter->n_holders > 0) {
        limiter->n_holders--;
    } else {
        free(limiter);
    }
}

/* The first `bits` bits of an address, in a form that differs between the families. */
static void put_network(const struct pin_limiter *limiter, const struct pin_ip *client,
    uint8_t network[PREFIX_BYTES + 1])
{
    unsigned bits = client->family == 4 ? limiter->config.v4_bits : limiter->config.v6_bits;
    memcpy(network, client->bytes, PREFIX_BYTES);
    for (size_t i = bits / 8; i < PREFIX_BYTES; i++) {
        unsigned kept = i == bits / 8 ? 0xFF00u >> bits % 8 : 0u;
        network[i] &= (uint8_t)kept;
    }
    network[PREFIX_BYTES] = client->family;
}

/* What of an account counts now. */
struct moment {
    int64_t now_us;
    int64_t debt_max_us; /* paid back in that time */
};

/* How long an account holding nothing will take, or has taken, to hold nothing: below 0, the time
 * in which it was filled. */
static int64_t debt_us(uint64_t account, const struct moment *at)
{
    uint64_t ahead = (account - (uint64_t)at->now_us) & MOMENT_MASK;
    int64_t us =
        ahead > MOMENT_MASK / 2 ? (int64_t)ahead - (int64_t)MOMENT_MASK - 1 : (int64_t)ahead;
    return account == 0 || us < -US_PER_S || us > at->debt_max_us + APART_US ? -US_PER_S : us;
}

/* The account of that tag, or the fullest one, made new. Returns its way; *ret_account is what is
 * there now. */
static size_t find_account(struct bucket *bucket, uint64_t tag, const struct moment *at,
    uint64_t *ret_account, int64_t *ret_debt_us)
{
    size_t fullest = 0;
    int64_t least_us = INT64_MAX;
    for (size_t i = 0; i < WAYS; i++) {
        uint64_t account = atomic_load_explicit(&bucket->ways[i], memory_order_relaxed);
        int64_t us = account == 0 ? INT64_MIN : debt_us(account, at);
        if (account >> MOMENT_BITS == tag) {
            *ret_account = account;
            *ret_debt_us = us;
            return i;
        }
        if (us < least_us) {
            least_us = us;
            fullest = i;
            *ret_account = account;
        }
    }
    *ret_debt_us = -US_PER_S;
    return fullest;
}

/* Takes one answer, which is worth `worth_us`. Returns the debt then. */
static int64_t pay(struct bucket *bucket, uint64_t tag, const struct moment *at, int64_t worth_us)
{
    int64_t debt = 0;
    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        uint64_t before = 0;
        size_t way = find_account(bucket, tag, at, &before, &debt);
        debt += worth_us;
        uint64_t moment = (uint64_t)(at->now_us + PIN_MIN(debt, at->debt_max_us)) & MOMENT_MASK;
        uint64_t after = tag << MOMENT_BITS | moment;
        if (after == before
            || atomic_compare_exchange_weak_explicit(
                &bucket->ways[way], &before, after, memory_order_relaxed, memory_order_relaxed)) {
            break;
        }
    }
    return debt;
}

enum pin_rate_verdict pin_limiter_judge(
    struct pin_limiter *limiter, const struct pin_rate_ask *ask, uint32_t *n_limited)
{
    struct {
        uint64_t name;
        uint8_t network[PREFIX_BYTES + 1];
        uint8_t kind;
        uint8_t zeroes[6];
    } key = {.name = ask->name, .kind = (uint8_t)ask->kind};
    uint32_t per_second = limiter->config.per_second[ask->kind];
    if (per_second == 0) {
        return PIN_RATE_PASS;
    }
    put_network(limiter, ask->client, key.network);
    uint64_t hash = pin_hash64(&key, sizeof(key));
    const struct moment at = {.now_us = (int64_t)(ask->now_ms * US_PER_MS),
        .debt_max_us = limiter->config.window_s * US_PER_S};
    int64_t debt = pay(&limiter->buckets[hash & limiter->mask], hash >> MOMENT_BITS | 1u, &at,
        US_PER_S / per_second);
    if (pin_likely(debt <= 0)) {
        return PIN_RATE_PASS;
    }
    (*n_limited)++;
    bool slips = limiter->config.slip > 0 && *n_limited % limiter->config.slip == 0;
    return slips ? PIN_RATE_SLIP : PIN_RATE_DROP;
}

bool pin_rate_spares(const struct pin_rate_config *config, const struct pin_ip *client)
{
    return pin_lpm_find(config->exempt, client) != PIN_LPM_NONE;
}
