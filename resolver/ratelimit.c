/* SPDX-License-Identifier: Apache-2.0 */

/* Accounts of answers per network, kind and name. */

#include "ratelimit.h"

#include <stdlib.h>
#include <string.h>

#include "pintle/base/hash.h"
#include "pintle/base/macros.h"

#define WAYS           4u
#define N_ACCOUNTS_MIN 64u
/* Accounts count in thousandths of an answer: a rate per second is one per millisecond. */
#define ONE_ANSWER   1000
#define PREFIX_BYTES 8u

/* One account; an unused one has tag 0. */
struct account {
    uint32_t tag;
    uint32_t last_ms;
    int64_t credit;
};

struct bucket {
    _Alignas(64) struct account ways[WAYS];
};

struct pin_limiter {
    struct pin_rate_config config;
    uint32_t n_limited; /* counts which one slips */
    uint32_t mask;
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

void pin_limiter_free(struct pin_limiter *limiter)
{
    free(limiter);
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

/* What an account holds now. */
static int64_t credit_now(const struct account *account, uint32_t now_ms, uint32_t per_second)
{
    int64_t credit = account->credit + (int64_t)(uint32_t)(now_ms - account->last_ms) * per_second;
    return PIN_MIN(credit, (int64_t)per_second * ONE_ANSWER);
}

/* The account of that tag, or the fullest one, made new. */
static struct account *find_account(
    struct bucket *bucket, uint32_t tag, uint32_t now_ms, uint32_t per_second)
{
    struct account *fullest = &bucket->ways[0];
    int64_t most = INT64_MIN;
    for (size_t i = 0; i < WAYS; i++) {
        struct account *account = &bucket->ways[i];
        if (account->tag == tag) {
            return account;
        }
        int64_t credit = account->tag == 0 ? INT64_MAX : credit_now(account, now_ms, per_second);
        if (credit > most) {
            most = credit;
            fullest = account;
        }
    }
    *fullest =
        (struct account){.tag = tag, .last_ms = now_ms, .credit = (int64_t)per_second * ONE_ANSWER};
    return fullest;
}

enum pin_rate_verdict pin_limiter_judge(struct pin_limiter *limiter, uint32_t now_ms,
    const struct pin_ip *client, enum pin_rate_kind kind, uint64_t name)
{
    struct {
        uint64_t name;
        uint8_t network[PREFIX_BYTES + 1];
        uint8_t kind;
        uint8_t zeroes[6];
    } key = {.name = name, .kind = (uint8_t)kind};
    uint32_t per_second = limiter->config.per_second[kind];
    if (per_second == 0) {
        return PIN_RATE_PASS;
    }
    put_network(limiter, client, key.network);
    uint64_t hash = pin_hash64(&key, sizeof(key));
    uint32_t tag = (uint32_t)(hash >> 32) | 1u;
    struct account *account =
        find_account(&limiter->buckets[hash & limiter->mask], tag, now_ms, per_second);

    int64_t debt_max = (int64_t)limiter->config.window_s * per_second * ONE_ANSWER;
    int64_t credit = credit_now(account, now_ms, per_second) - ONE_ANSWER;
    account->last_ms = now_ms;
    account->credit = PIN_MAX(credit, -debt_max);
    if (pin_likely(credit >= 0)) {
        return PIN_RATE_PASS;
    }
    limiter->n_limited++;
    bool slips = limiter->config.slip > 0 && limiter->n_limited % limiter->config.slip == 0;
    return slips ? PIN_RATE_SLIP : PIN_RATE_DROP;
}

bool pin_limiter_spares(const struct pin_limiter *limiter, const struct pin_ip *client)
{
    return pin_lpm_find(limiter->config.exempt, client) != PIN_LPM_NONE;
}
