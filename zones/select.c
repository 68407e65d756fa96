/* SPDX-License-Identifier: Apache-2.0 */

/* Which RRs of a drawn table one answer shows: positions on the circle of shares, and their
 * sequence. */

#include "pintle/zones/select.h"

#include <endian.h>
#include <string.h>
#include <sys/mman.h>

#include "pintle/base/macros.h"

/* 128-bit arithmetic: what ISO C has no name for. */
__extension__ typedef unsigned __int128 pin_u128;

/* Maps a uniform 64-bit turn to 0 .. range - 1. */
static uint64_t scale(uint64_t turn, uint64_t range)
{
    return (uint64_t)(((pin_u128)turn * range) >> 64);
}

/* Mixes a turn into the next random word of an order (SplitMix64's finalizer). */
static uint64_t mix(uint64_t word)
{
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

enum pin_err pin_draws_init(struct pin_draws *draws, uint32_t n_slots, uint32_t worker_i)
{
    void *at = mmap(NULL, (size_t)n_slots * sizeof(uint32_t), PROT_READ | PROT_WRITE,
        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) {
        return PIN_ENOMEM;
    }
    /* Bit reversal spreads any number of workers evenly round the circle. */
    uint64_t offset = 0;
    for (unsigned bit = 0; bit < 32; bit++) {
        offset |= (uint64_t)((worker_i >> bit) & 1u) << (63 - bit);
    }
    *draws = (struct pin_draws){.count = at, .slot_mask = n_slots - 1, .offset = offset};
    return PIN_OK;
}

void pin_draws_done(struct pin_draws *draws)
{
    if (draws->count != NULL) {
        (void)munmap(draws->count, ((size_t)draws->slot_mask + 1) * sizeof(uint32_t));
    }
    *draws = (struct pin_draws){0};
}

/* The RR in whose stretch `point` (0 .. total - 1, weights not stretched) lies. */
static uint16_t find_rr(const struct pin_table *table, uint64_t point, uint16_t from)
{
    const uint64_t *sums = pin_table_cumulative(table);
    if (sums == NULL) {
        return (uint16_t)point;
    }
    uint16_t low = from;
    uint16_t high = (uint16_t)(table->n_rr - 1);
    while (low < high) {
        uint16_t middle = (uint16_t)(low + (high - low) / 2);
        if (point < sums[middle]) {
            high = middle;
        } else {
            low = (uint16_t)(middle + 1);
        }
    }
    return low;
}

void pin_select_at(
    const struct pin_table *table, uint64_t position, uint16_t n_pick, uint16_t *ret_rr_i)
{
    uint64_t total = pin_table_total(table);
    uint64_t circle = n_pick * total;
    uint16_t from = 0;
    for (uint16_t j = 0; j < n_pick; j++) {
        /* A stretch of W*k units ends at cumulative*k: dividing by k unstretches the position. */
        from = find_rr(table, position / n_pick, from);
        ret_rr_i[j] = from;
        position += total;
        if (position >= circle) {
            position -= circle;
            from = 0;
        }
    }
}

static bool is_picked(const uint16_t *rr_i, uint16_t n, uint16_t wanted)
{
    for (uint16_t i = 0; i < n; i++) {
        if (rr_i[i] == wanted) {
            return true;
        }
    }
    return false;
}

/* A weighted random order without repetition: draw, reject what is there already. After a bounded
 * number of tries (one weight dwarfs the rest) the missing ones follow in table order. */
static uint16_t order_all(
    const struct pin_table *table, uint64_t turn, uint16_t n_pick, uint16_t *ret_rr_i)
{
    uint64_t total = pin_table_total(table);
    if (pin_table_nodata(table) != 0) {
        uint64_t point = scale(turn, total + pin_table_nodata(table));
        if (point >= total) {
            return 0;
        }
        turn = mix(turn); /* what is left of the turn is not uniform any more */
    }
    uint16_t n = 0;
    for (unsigned tries = 0; n < n_pick && tries < 8u * n_pick; tries++) {
        uint16_t rr_i = find_rr(table, scale(turn, total), 0);
        if (!is_picked(ret_rr_i, n, rr_i)) {
            ret_rr_i[n++] = rr_i;
        }
        turn = mix(turn + UINT64_C(0x9E3779B97F4A7C15));
    }
    for (uint16_t rr_i = 0; n < n_pick && rr_i < table->n_rr; rr_i++) {
        if (!is_picked(ret_rr_i, n, rr_i)) {
            ret_rr_i[n++] = rr_i;
        }
    }
    return n;
}

static uint64_t weight_of(const struct pin_table *table, uint16_t rr_i)
{
    const uint64_t *sums = pin_table_cumulative(table);
    return sums == NULL ? 1 : sums[rr_i] - (rr_i > 0 ? sums[rr_i - 1] : 0);
}

static bool is_shown(const uint64_t *shown, uint16_t rr_i)
{
    return shown == NULL || ((shown[rr_i / 64u] >> rr_i % 64u) & 1u) != 0;
}

/* Each group's RR is drawn while they go by: a later one takes the place with its share of what
 * went by so far. */
uint16_t pin_select_mates(const struct pin_table *table, uint64_t turn, uint16_t n_pick,
    const uint64_t *shown, uint16_t *ret_rr_i)
{
    uint64_t sums[PIN_PICK_MAX] = {0};
    const uint16_t *group_of = pin_table_groups(table);
    uint16_t first_group = group_of[ret_rr_i[0]];
    uint16_t n_places = n_pick < table->n_groups ? n_pick : table->n_groups;
    for (uint16_t i = 0; i < table->n_rr; i++) {
        unsigned ahead = group_of[i] + (unsigned)table->n_groups - first_group;
        unsigned place = ahead % table->n_groups;
        if (place == 0 || place >= n_places || !is_shown(shown, i)) {
            continue;
        }
        uint64_t weight = weight_of(table, i);
        sums[place] += weight;
        turn = mix(turn + UINT64_C(0x9E3779B97F4A7C15));
        if (scale(turn, sums[place]) < weight) {
            ret_rr_i[place] = i;
        }
    }
    uint16_t n = 1;
    for (uint16_t place = 1; place < n_places; place++) {
        if (sums[place] > 0) {
            ret_rr_i[n++] = ret_rr_i[place];
        }
    }
    return n;
}

/* One of each group, beginning with the one at the turn. */
static uint16_t pick_groups(
    const struct pin_table *table, uint64_t turn, uint16_t n_pick, uint16_t *ret_rr_i)
{
    uint64_t total = pin_table_total(table);
    uint64_t point = scale(turn, total + pin_table_nodata(table));
    if (point >= total) {
        return 0;
    }
    ret_rr_i[0] = find_rr(table, point, 0);
    return pin_select_mates(table, turn, n_pick, NULL, ret_rr_i);
}

/* --- sticky ----------------------------------------------------------------------------------- */

#define RDATA_AT 12u

static uint64_t load_be64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof(value));
    return be64toh(value);
}

static uint64_t load_be32(const uint8_t *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof(value));
    return be32toh(value);
}

/* An asker's die for an address, wherever that stands in whichever table. */
static uint64_t throw_die(const uint8_t *rdata, uint16_t rr_bytes, uint64_t key)
{
    uint64_t word = rr_bytes == PIN_RR_A_BYTES ? load_be32(rdata)
                                               : mix(load_be64(rdata)) ^ load_be64(rdata + 8);
    return mix(key + word * UINT64_C(0x9E3779B97F4A7C15));
}

/* -log2 of a throw as a share of 2^64: an exponential variable. The logarithm is the series of
 * artanh, exact to 1e-14. */
static double wait_of(uint64_t die)
{
    const double sqrt2 = 1.4142135623730951;
    int shift = __builtin_clzll(die | 1);
    double mantissa = (double)((die | 1) << shift) * 0x1p-63; /* 1 to 2 */
    double whole = shift + 1;
    if (mantissa > sqrt2) {
        mantissa *= 0.5;
        whole -= 1;
    }
    double s = (mantissa - 1) / (mantissa + 1);
    double q = s * s;
    double sum = 1.0 / 15;
    for (int odd = 13; odd > 0; odd -= 2) {
        sum = sum * q + 1.0 / odd;
    }
    double wait = whole - 2 * 1.4426950408889634 * s * sum;
    return wait > 0 ? wait : 0;
}

/* The best so far. */
struct stuck {
    double wait;
    double weight;
};

/* At most that, for a tenth of the work: -ln u is 1 - u or more. */
static double least_wait_of(uint64_t die)
{
    return (double)(int64_t)(~die >> 1) * 0x1p-63 * 1.4426950408889633;
}

/* All weights are equal: the largest throw wins. */
static bool stick_equally(const struct pin_table *table, uint64_t key, const uint64_t *shown,
    uint64_t *ret_die, uint16_t *ret_rr_i)
{
    const uint8_t *rdata = table->wire + RDATA_AT;
    bool has_any = false;
    for (uint16_t i = 0; i < table->n_rr; i++, rdata += table->rr_bytes) {
        uint64_t die = throw_die(rdata, table->rr_bytes, key);
        if (is_shown(shown, i) && (!has_any || die > *ret_die)) {
            *ret_rr_i = i;
            *ret_die = die;
            has_any = true;
        }
    }
    return has_any;
}

/* The shortest wait wins, and a weight divides it. */
static bool stick_by_weight(const struct pin_table *table, uint64_t key, const uint64_t *shown,
    struct stuck *best, uint16_t *ret_rr_i)
{
    const uint8_t *rdata = table->wire + RDATA_AT;
    bool has_any = false;
    for (uint16_t i = 0; i < table->n_rr; i++, rdata += table->rr_bytes) {
        uint64_t die = throw_die(rdata, table->rr_bytes, key);
        double weight = (double)(int64_t)weight_of(table, i);
        double limit = best->wait * weight;
        bool is_beaten = has_any && least_wait_of(die) * best->weight >= limit; /* nearly all */
        if (is_beaten || !is_shown(shown, i)) {
            continue;
        }
        double wait = wait_of(die);
        if (!has_any || wait * best->weight < limit) {
            *ret_rr_i = i;
            *best = (struct stuck){.wait = wait, .weight = weight};
            has_any = true;
        }
    }
    return has_any;
}

uint16_t pin_select_sticky(
    const struct pin_table *table, uint64_t key, const uint64_t *shown, uint16_t *ret_rr_i)
{
    struct stuck best = {.wait = 0, .weight = 1};
    uint64_t die = 0;
    bool is_even = pin_table_cumulative(table) == NULL;
    bool has_any = is_even ? stick_equally(table, key, shown, &die, ret_rr_i)
                           : stick_by_weight(table, key, shown, &best, ret_rr_i);
    if (!has_any || pin_table_nodata(table) == 0) {
        return has_any;
    }
    /* Nobody's share is one more candidate. */
    best.wait = is_even ? wait_of(die) : best.wait;
    return wait_of(mix(~key)) * best.weight >= best.wait * (double)pin_table_nodata(table);
}

uint16_t pin_select_draw(const struct pin_table *table, struct pin_draws *draws, uint16_t n_room,
    uint16_t ret_rr_i[PIN_PICK_MAX])
{
    uint16_t n_pick = table->n_pick_max < n_room ? table->n_pick_max : n_room;
    uint64_t turn = pin_draws_next(draws, table->slot);
    if (table->mode == PIN_ANSWERS_ALL) {
        return order_all(table, turn, n_pick, ret_rr_i);
    }
    if (table->mode == PIN_ANSWERS_GROUP) {
        return pick_groups(table, turn, n_pick, ret_rr_i);
    }
    uint64_t total = pin_table_total(table);
    uint64_t position = scale(turn, n_pick * (total + pin_table_nodata(table)));
    if (pin_unlikely(position >= n_pick * total)) {
        return 0;
    }
    pin_select_at(table, position, n_pick, ret_rr_i);
    return n_pick;
}
