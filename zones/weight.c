/* SPDX-License-Identifier: Apache-2.0 */

/* Nested shares as integers: common denominators while they stay small, rounding beyond. */

#include "zones/weight.h"

#include <stdbool.h>

#define TOTAL_MAX (UINT64_C(1) << 46)
#define ROUNDED   ((double)(UINT64_C(1) << 40))

/* 128-bit arithmetic: what ISO C has no name for. */
__extension__ typedef unsigned __int128 pin_u128;

static uint64_t gcd(uint64_t a, uint64_t b)
{
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Sum of the group weights of one backend. Groups of a backend stand side by side. */
static uint64_t backend_sum(
    const struct pin_weight_group *groups, size_t n_groups, uint32_t backend_i)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n_groups; i++) {
        sum += groups[i].backend_i == backend_i ? groups[i].weight : 0;
    }
    return sum > 0 ? sum : 1;
}

/* The share of one item of a group, up to a factor common to all: num / den in lowest terms. */
static bool item_share(const uint32_t *backend_weights, const struct pin_weight_group *groups,
    size_t n_groups, size_t group_i, uint64_t *ret_num, uint64_t *ret_den)
{
    const struct pin_weight_group *group = &groups[group_i];
    pin_u128 num = (pin_u128)backend_weights[group->backend_i] * group->weight;
    pin_u128 den = (pin_u128)backend_sum(groups, n_groups, group->backend_i) * group->n_items;
    if (num > UINT64_MAX || den > UINT64_MAX) {
        return false;
    }
    uint64_t common = gcd((uint64_t)num, (uint64_t)den);
    *ret_num = (uint64_t)num / common;
    *ret_den = (uint64_t)den / common;
    return *ret_den > 0;
}

/* The least common multiple of all denominators; false when it gets too large. */
static bool common_denominator(const uint32_t *backend_weights,
    const struct pin_weight_group *groups, size_t n_groups, uint64_t *ret_lcm)
{
    uint64_t lcm = 1;
    for (size_t i = 0; i < n_groups; i++) {
        uint64_t num = 0;
        uint64_t den = 1;
        if (!item_share(backend_weights, groups, n_groups, i, &num, &den)) {
            return false;
        }
        pin_u128 next = (pin_u128)lcm / gcd(lcm, den) * den;
        if (next > TOTAL_MAX) {
            return false;
        }
        lcm = (uint64_t)next;
    }
    *ret_lcm = lcm;
    return true;
}

static bool spread_exactly(
    const uint32_t *backend_weights, struct pin_weight_group *groups, size_t n_groups)
{
    uint64_t lcm = 1;
    uint64_t common = 0;
    pin_u128 total = 0;
    if (n_groups == 0) {
        return true;
    }
    if (!common_denominator(backend_weights, groups, n_groups, &lcm)) {
        return false;
    }
    for (size_t i = 0; i < n_groups; i++) {
        uint64_t num = 0;
        uint64_t den = 1;
        if (!item_share(backend_weights, groups, n_groups, i, &num, &den)) {
            return false;
        }
        pin_u128 weight = (pin_u128)num * (lcm / den);
        total += weight * groups[i].n_items;
        if (weight > UINT64_MAX) {
            return false;
        }
        groups[i].item_weight = (uint64_t)weight;
        common = gcd(groups[i].item_weight, common);
    }
    if (common == 0) {
        return false; /* only with weights of 0, which callers leave out */
    }
    for (size_t i = 0; i < n_groups; i++) {
        groups[i].item_weight /= common;
    }
    return total / common <= TOTAL_MAX;
}

static void spread_rounded(
    const uint32_t *backend_weights, struct pin_weight_group *groups, size_t n_groups)
{
    double all = 0;
    for (size_t i = 0; i < n_groups; i++) {
        double sum = (double)backend_sum(groups, n_groups, groups[i].backend_i);
        all += backend_weights[groups[i].backend_i] * (double)groups[i].weight / sum;
    }
    for (size_t i = 0; i < n_groups; i++) {
        double sum = (double)backend_sum(groups, n_groups, groups[i].backend_i);
        double share = backend_weights[groups[i].backend_i] * (double)groups[i].weight / sum / all
                       / groups[i].n_items;
        double weight = share * ROUNDED + 0.5;
        groups[i].item_weight = weight < 1 ? 1 : (uint64_t)weight;
    }
}

void pin_weight_spread(
    const uint32_t *backend_weights, struct pin_weight_group *groups, size_t n_groups)
{
    if (!spread_exactly(backend_weights, groups, n_groups)) {
        spread_rounded(backend_weights, groups, n_groups);
    }
}
